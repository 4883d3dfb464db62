#include "cql/system/system_row.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "storage/cell_path.h"
#include "storage/partition_key.h"

void system_row_begin(struct system_row *row, const struct table *table, struct memtable *memtable,
                      struct arena *arena, int64_t timestamp)
{
    *row = (struct system_row){
        .table = table, .memtable = memtable, .arena = arena, .timestamp = timestamp};
}

// ---- Values ------------------------------------------------------------------------------------

static const struct column *find_column(const struct system_row *row, const char *name)
{
    const struct column *column = table_find_column(row->table, slice_of_text(name));
    ASSERT(column != NULL);
    return column;
}

static int32_t expiry(const struct system_row *row)
{
    return row->ttl == TTL_NONE ? LOCAL_TIME_NONE : (int32_t)(row->timestamp / 1000000) + row->ttl;
}

static void add_cell(struct system_row *row, const struct column *column, struct slice value,
                     struct slice path)
{
    ASSERT(column->kind == COLUMN_REGULAR);
    if (row->cell_count == row->cell_capacity) {
        uint32_t capacity = row->cell_capacity == 0 ? 24 : row->cell_capacity * 2;
        struct cell *cells = ARENA_NEW_ARRAY(row->arena, struct cell, capacity);
        if (row->cell_count > 0) memcpy(cells, row->cells, row->cell_count * sizeof *cells);
        row->cells = cells;
        row->cell_capacity = capacity;
    }
    struct cell cell = {.column = column->index,
                        .ttl = row->ttl,
                        .local_time = expiry(row),
                        .timestamp = row->timestamp,
                        .value = value,
                        .path = path};
    // Each goes to its place, most often the end.
    const struct column *columns = row->table->columns[COLUMN_REGULAR];
    uint32_t at = row->cell_count++;
    for (; at > 0 && cell_place_compare(columns, &row->cells[at - 1], &cell) > 0; at--)
        row->cells[at] = row->cells[at - 1];
    row->cells[at] = cell;
}

void system_row_set(struct system_row *row, const char *name, struct slice value)
{
    const struct column *column = find_column(row, name);
    struct slice copy = arena_copy(row->arena, value);
    switch (column->kind) {
    case COLUMN_PARTITION_KEY:
        ASSERT(column->index < sizeof row->partition_key / sizeof row->partition_key[0]);
        row->partition_key[column->index] = copy;
        break;
    case COLUMN_CLUSTERING:
        ASSERT(column->index < sizeof row->clustering / sizeof row->clustering[0]);
        row->clustering[column->index] = copy;
        break;
    default:
        add_cell(row, column, copy, slice_null());
        break;
    }
}

void system_row_set_text(struct system_row *row, const char *column, const char *text)
{
    system_row_set(row, column, slice_of_text(text));
}

void system_row_set_bool(struct system_row *row, const char *column, bool value)
{
    uint8_t byte = value;
    system_row_set(row, column, slice_make(&byte, 1));
}

void system_row_set_int(struct system_row *row, const char *column, int32_t value)
{
    uint8_t bytes[4];
    bytes_put_u32(bytes, (uint32_t)value);
    system_row_set(row, column, slice_make(bytes, sizeof bytes));
}

void system_row_set_long(struct system_row *row, const char *column, int64_t value)
{
    uint8_t bytes[8];
    bytes_put_u64(bytes, (uint64_t)value);
    system_row_set(row, column, slice_make(bytes, sizeof bytes));
}

void system_row_set_double(struct system_row *row, const char *column, double value)
{
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    system_row_set_long(row, column, bits);
}

void system_row_set_uuid(struct system_row *row, const char *column, struct uuid value)
{
    system_row_set(row, column, slice_make(value.bytes, sizeof value.bytes));
}

// ---- Collections: i32 count, then each element as i32 size and bytes ---------------------------

static uint8_t *put_element(uint8_t *at, struct slice element)
{
    bytes_put_u32(at, (uint32_t)element.size);
    if (element.size > 0) memcpy(at + 4, element.data, element.size);
    return at + 4 + element.size;
}

void system_row_set_texts(struct system_row *row, const char *column, const struct slice *texts,
                          size_t count)
{
    size_t size = 4;
    for (size_t i = 0; i < count; i++)
        size += 4 + texts[i].size;
    uint8_t *bytes = arena_alloc(row->arena, size), *at = bytes + 4;
    bytes_put_u32(bytes, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        at = put_element(at, texts[i]);
    system_row_set(row, column, slice_make(bytes, size));
}

void system_row_set_options(struct system_row *row, const char *column,
                            const struct options *options)
{
    size_t size = 4;
    for (size_t i = 0; i < options->count; i++)
        size += 8 + options->items[i].key.size + options->items[i].value.size;
    uint8_t *bytes = arena_alloc(row->arena, size), *at = bytes + 4;
    bytes_put_u32(bytes, (uint32_t)options->count);
    for (size_t i = 0; i < options->count; i++) {
        at = put_element(at, options->items[i].key);
        at = put_element(at, options->items[i].value);
    }
    system_row_set(row, column, slice_make(bytes, size));
}

void system_row_add_element(struct system_row *row, const char *name, struct slice element)
{
    const struct column *column = find_column(row, name);
    ASSERT(type_is_multi_cell(column->type));
    add_cell(row, column, slice_make("", 0), arena_copy(row->arena, element));
}

void system_row_add_entry(struct system_row *row, const char *name, struct slice key,
                          struct slice value)
{
    const struct column *column = find_column(row, name);
    ASSERT(type_is_multi_cell(column->type));
    add_cell(row, column, arena_copy(row->arena, value), arena_copy(row->arena, key));
}

// ---- The end -----------------------------------------------------------------------------------

struct row system_row_take(struct system_row *row, struct partition_key *key)
{
    const struct table *table = row->table;
    enum status status = partition_key_build(
        row->partition_key, table->column_counts[COLUMN_PARTITION_KEY], row->arena, key, NULL);
    ASSERT(status == STATUS_OK);
    uint16_t count = table->column_counts[COLUMN_CLUSTERING];
    struct slice *clustering = ARENA_NEW_ARRAY(row->arena, struct slice, (size_t)count + 1);
    memcpy(clustering, row->clustering, count * sizeof *clustering);
    return (struct row){
        .clustering = {count, clustering},
        .liveness = {row->timestamp, row->ttl, expiry(row)},
        .deletion = DELETION_NONE,
        .cell_count = row->cell_count,
        .cells = row->cells,
    };
}

void system_row_end(struct system_row *row)
{
    struct mutation mutation = {.table = row->table, .deletion = DELETION_NONE};
    struct row stored = system_row_take(row, &mutation.key);
    mutation.rows = &stored;
    mutation.row_count = 1;
    memtable_apply(row->memtable, &mutation, 0);
}
