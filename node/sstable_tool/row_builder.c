#include "node/sstable_tool/row_builder.h"

#include "base/cursor.h"
#include "storage/counter_context.h"
#include "storage/partition_key.h"

// Cells of one row while they are made.
struct building {
    const struct row_builder_options *options;
    struct arena *arena;
    struct cell *cells;
    struct complex_deletion *deletions;
    size_t cell_count, cell_capacity, deletion_count;
    unsigned list_elements; // Of all columns so far.
};

static struct cell *new_cell(struct building *building, uint16_t column)
{
    if (building->cell_count == building->cell_capacity) {
        size_t capacity = building->cell_capacity == 0 ? 16 : 2 * building->cell_capacity;
        struct cell *cells = ARENA_NEW_ARRAY(building->arena, struct cell, capacity);
        if (building->cell_count > 0)
            memcpy(cells, building->cells, building->cell_count * sizeof *cells);
        building->cells = cells;
        building->cell_capacity = capacity;
    }
    const struct row_builder_options *options = building->options;
    struct cell *cell = &building->cells[building->cell_count++];
    *cell = (struct cell){
        .column = column,
        .ttl = options->ttl,
        .local_time = options->ttl > 0 ? options->now + options->ttl : LOCAL_TIME_NONE,
        .timestamp = options->timestamp,
        .path = slice_null(),
    };
    return cell;
}

static struct slice take_part(struct cursor *cursor)
{
    int32_t size = (int32_t)cursor_u32(cursor);
    return size < 0 ? slice_null() : cursor_take(cursor, (size_t)size);
}

// A place in a list: 100 ns after that of the element before.
static struct slice list_place(struct building *building)
{
    const struct row_builder_options *options = building->options;
    unsigned number = building->list_elements++;
    struct uuid place =
        uuid_make_time_us(options->timestamp + number / 10, number % 10, 0, options->uuid_node);
    return arena_copy(building->arena, slice_make(place.bytes, sizeof place.bytes));
}

// A collection or UDT of many cells: all that was there before goes, as with an INSERT.
static void add_cells(struct building *building, const struct column *column, struct slice value)
{
    const struct type *type = column->type;
    const struct row_builder_options *options = building->options;
    building->deletions[building->deletion_count++] =
        (struct complex_deletion){column->index, {options->timestamp - 1, options->now}};
    struct cursor cursor = cursor_make(value);
    uint32_t count = type->kind == TYPE_UDT ? type->parameter_count : cursor_u32(&cursor);
    for (uint32_t i = 0; i < count && cursor_left(&cursor) > 0; i++) {
        struct slice path, part = slice_make("", 0);
        if (type->kind == TYPE_UDT) {
            part = take_part(&cursor);
            if (part.data == NULL) continue;
            uint8_t field[2];
            bytes_put_u16(field, (uint16_t)i);
            path = arena_copy(building->arena, slice_make(field, sizeof field));
        } else if (type->kind == TYPE_LIST) {
            path = list_place(building);
            part = take_part(&cursor);
        } else {
            path = take_part(&cursor);
            if (type->kind == TYPE_MAP) part = take_part(&cursor);
        }
        struct cell *cell = new_cell(building, column->index);
        cell->path = path;
        cell->value = part;
    }
}

static void add_counter(struct building *building, const struct column *column, struct slice value)
{
    const struct row_builder_options *options = building->options;
    uint8_t context[COUNTER_SINGLE_SHARD_SIZE];
    counter_context_make_global(options->counter_id, options->timestamp,
                                (int64_t)bytes_get_u64(value.data), context);
    new_cell(building, column->index)->value =
        arena_copy(building->arena, slice_make(context, sizeof context));
}

static const struct row *make_row(const struct row_builder_options *options,
                                  const struct row_builder_values *values, enum column_kind kind,
                                  struct arena *arena)
{
    const struct table *table = options->table;
    uint16_t count = table->column_counts[kind];
    struct building building = {.options = options, .arena = arena};
    building.deletions = ARENA_NEW_ARRAY(arena, struct complex_deletion, count);
    for (uint16_t i = 0; i < count; i++) {
        const struct column *column = &table->columns[kind][i];
        struct slice value = values->of_kind[kind][i];
        if (value.data == NULL) continue;
        if (column->type->kind == TYPE_COUNTER)
            add_counter(&building, column, value);
        else if (type_is_multi_cell(column->type))
            add_cells(&building, column, value);
        else
            new_cell(&building, column->index)->value = value;
    }
    struct row *row = ARENA_NEW(arena, struct row);
    *row = (struct row){
        .liveness = LIVENESS_NONE,
        .deletion = DELETION_NONE,
        .cell_count = (uint32_t)building.cell_count,
        .complex_deletion_count = (uint32_t)building.deletion_count,
        .cells = building.cells,
        .complex_deletions = building.deletions,
    };
    return row;
}

// False, with an error: some, but not all, clustering values are there, or none though the row has
// other values. `*has_row` false: only static values.
static enum status check_clustering(const struct row_builder_options *options,
                                    const struct row_builder_values *values, bool *has_row,
                                    struct error *error)
{
    const struct table *table = options->table;
    uint16_t count = table->column_counts[COLUMN_CLUSTERING], given = 0;
    const struct column *missing = NULL;
    for (uint16_t i = 0; i < count; i++) {
        if (values->of_kind[COLUMN_CLUSTERING][i].data != NULL)
            given++;
        else if (missing == NULL)
            missing = &table->columns[COLUMN_CLUSTERING][i];
    }
    *has_row = missing == NULL;
    if (missing == NULL) return STATUS_OK;
    bool has_values = given > 0, has_static = false;
    for (uint16_t i = 0; i < table->column_counts[COLUMN_REGULAR]; i++)
        has_values = has_values || values->of_kind[COLUMN_REGULAR][i].data != NULL;
    for (uint16_t i = 0; i < table->column_counts[COLUMN_STATIC]; i++)
        has_static = has_static || values->of_kind[COLUMN_STATIC][i].data != NULL;
    if (!has_values && has_static) return STATUS_OK;
    return error_set(error, STATUS_INVALID, "Some clustering keys are missing: %.*s",
                     (int)missing->name.size, (const char *)missing->name.data);
}

enum status row_builder_make(const struct row_builder_options *options,
                             const struct row_builder_values *values, struct arena *arena,
                             struct mutation *mutation, struct error *error)
{
    const struct table *table = options->table;
    *mutation = (struct mutation){.table = table, .deletion = DELETION_NONE};
    const struct slice *key = values->of_kind[COLUMN_PARTITION_KEY];
    uint16_t key_count = table->column_counts[COLUMN_PARTITION_KEY];
    for (uint16_t i = 0; i < key_count; i++)
        if (key[i].data == NULL)
            return error_set(error, STATUS_INVALID, "Some partition key parts are missing: %.*s",
                             (int)table->columns[COLUMN_PARTITION_KEY][i].name.size,
                             (const char *)table->columns[COLUMN_PARTITION_KEY][i].name.data);
    enum status status = partition_key_build(key, key_count, arena, &mutation->key, error);
    if (status != STATUS_OK) return status;
    bool has_row;
    status = check_clustering(options, values, &has_row, error);
    if (status != STATUS_OK) return status;
    const struct row *static_row = make_row(options, values, COLUMN_STATIC, arena);
    if (!row_is_empty(static_row)) mutation->static_row = static_row;
    if (!has_row) return STATUS_OK;
    struct row *row = (struct row *)make_row(options, values, COLUMN_REGULAR, arena);
    row->clustering = (struct clustering){table->column_counts[COLUMN_CLUSTERING],
                                          values->of_kind[COLUMN_CLUSTERING]};
    if (!table->is_counter)
        row->liveness =
            (struct liveness){options->timestamp, options->ttl,
                              options->ttl > 0 ? options->now + options->ttl : LOCAL_TIME_NONE};
    if (row_is_empty(row)) return STATUS_OK;
    mutation->rows = row;
    mutation->row_count = 1;
    return STATUS_OK;
}
