// Writes of the engine world: what is written goes to the engine and, said plainly, to the model.
#include "base/assert.h"
#include "base/container_of.h"
#include "node/sim/engine_world_state.h"
#include "storage/cell_path.h"
#include "storage/uuid.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 3, CELLS_MAX = TABLE_MODEL_COLUMNS * TABLE_MODEL_SLOTS, TIE_US = 500000 };

// Where elements that are put before a list have their times, counted backwards (Lists.Prepender).
#define PREPEND_REFERENCE_US INT64_C(1262304000000000)

// ---- What is under way -------------------------------------------------------------------------

static void free_operation(struct world_operation *operation)
{
    free(operation->record);
    free(operation->changes);
}

static void apply_changes(struct engine_world *world, const struct world_operation *operation,
                          struct table_model *model)
{
    const struct table_shape *shape = &world->tables[operation->table].shape;
    for (size_t i = 0; i < operation->change_count; i++)
        table_model_apply(model, shape, &operation->changes[i]);
}

static void drop_first(struct engine_world *world, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free_operation(&world->pending[i]);
    world->pending_count -= count;
    memmove(world->pending, world->pending + count, world->pending_count * sizeof *world->pending);
}

static void acknowledge(struct engine_world *world, uint64_t position)
{
    size_t count = 0;
    for (; count < world->pending_count && world->pending[count].position <= position; count++) {
        const struct world_operation *operation = &world->pending[count];
        struct world_table *table = &world->tables[operation->table];
        apply_changes(world, operation, &table->certain);
        if (operation->changes[0].kind == CHANGE_TRUNCATION)
            memset(table->is_gone, 0, sizeof table->is_gone);
    }
    drop_first(world, count);
}

void engine_world_forget(struct engine_world *world, size_t number)
{
    size_t kept = 0;
    for (size_t i = 0; i < world->pending_count; i++) {
        if (number == WORLD_TABLES || world->pending[i].table == number)
            free_operation(&world->pending[i]);
        else
            world->pending[kept++] = world->pending[i];
    }
    world->pending_count = kept;
}

// The changes that were collected are under way now.
static void begin(struct engine_world *world, size_t table, uint64_t position, struct slice record)
{
    ASSERT(world->pending_count < WORLD_PENDING_MAX);
    struct world_operation *operation = &world->pending[world->pending_count++];
    *operation = (struct world_operation){.position = position,
                                          .table = table,
                                          .change_count = world->change_count,
                                          .record_size = record.size};
    size_t size = world->change_count * sizeof *operation->changes;
    operation->changes = malloc(size);
    ASSERT(operation->changes != NULL);
    memcpy(operation->changes, world->changes, size);
    if (record.size > 0) {
        operation->record = malloc(record.size);
        ASSERT(operation->record != NULL);
        memcpy(operation->record, record.data, record.size);
    }
    apply_changes(world, operation, &world->tables[table].present);
}

static void note(struct engine_world *world, const struct table_change *change)
{
    static const char *const texts[] = {"cell",        "marker",    "places gone", "partition gone",
                                        "column gone", "increment", "truncation"};
    sim_world_note(world->sim, "%s k%zu/%zu-%zu column %zu/%zu at %" PRId64 ": %" PRId64,
                   texts[change->kind], change->key, change->place, change->place_end,
                   change->column, change->element, change->version.timestamp,
                   (int64_t)change->version.stamp);
    ASSERT(world->change_count < WORLD_CHANGES_MAX);
    world->changes[world->change_count++] = *change;
}

// ---- Waiting for the log -----------------------------------------------------------------------

struct sync_wait {
    struct commit_log_waiter waiter;
    enum status status;
    bool done;
};

static void synced(struct commit_log_waiter *waiter, enum status status)
{
    struct sync_wait *wait = CONTAINER_OF(waiter, struct sync_wait, waiter);
    wait->status = status;
    wait->done = true;
}

void engine_world_sync(struct engine_world *world)
{
    if (world->pending_count == 0) return;
    uint64_t position = world->pending[world->pending_count - 1].position;
    struct sync_wait wait = {.done = false};
    engine_wait_synced(world->engine, &wait.waiter, position, synced);
    if (!engine_world_await(world, &wait.done)) return;
    if (wait.status == STATUS_OK)
        acknowledge(world, position);
    else
        (void)!engine_world_excuses(world, wait.status, "a sync");
}

// ---- Times -------------------------------------------------------------------------------------

// Nobody else's.
static int64_t own_us(struct engine_world *world)
{
    int64_t now = sim_machine_wall_us(world->machine);
    world->last_us = now > world->last_us ? now : world->last_us + 1;
    if (world->last_us % TIE_US == 0) world->last_us++;
    return world->last_us;
}

// Now or a little before, and mostly not for the first time.
static int64_t common_us(struct engine_world *world)
{
    int64_t ticks = sim_machine_wall_us(world->machine) / TIE_US;
    return (ticks - (int64_t)engine_world_below(world, WORLD_JITTER_US / TIE_US)) * TIE_US;
}

static struct table_model_version make_version(struct engine_world *world, bool expires)
{
    struct table_model_version version = {.timestamp = expires ? own_us(world) : common_us(world),
                                          .ttl = TTL_NONE,
                                          .local_time = LOCAL_TIME_NONE};
    if (expires) {
        version.ttl =
            engine_world_chance(world, 0.8) ? 1 + (int32_t)engine_world_below(world, 20) : 100000;
        version.local_time = engine_world_now_s(world) + version.ttl;
    }
    return version;
}

// Of counters: newer than all that was counted. What Cassandra says of an increment that is newer
// than a deletion depends on what was merged before.
static int64_t deletion_us(struct engine_world *world, const struct world_table *table)
{
    return table->shape.counts ? own_us(world) : common_us(world);
}

static struct deletion make_deletion(struct engine_world *world, int64_t timestamp)
{
    return (struct deletion){timestamp, engine_world_now_s(world)};
}

// ---- Rows --------------------------------------------------------------------------------------

struct row_maker {
    struct engine_world *world;
    const struct world_table *table;
    size_t key, place;
    struct table_model_version version;
    struct row *row;
    struct cell *cells;
    struct complex_deletion *deletions;
};

static struct slice make_path(struct engine_world *world, const struct table_shape_column *shape,
                              size_t element, int64_t path)
{
    struct buffer bytes;
    buffer_init(&bytes, 64);
    table_model_put_path(shape, element, path, &bytes);
    struct slice copy = arena_copy(&world->arena, buffer_slice(&bytes));
    buffer_deinit(&bytes);
    return copy;
}

static void add_cell_at(struct row_maker *maker, size_t c, const struct column *column,
                        size_t element, int64_t path, bool is_tombstone)
{
    struct engine_world *world = maker->world;
    const struct table_shape_column *shape = &maker->table->shape.columns[c];
    struct table_model_version version = maker->version;
    if (version.ttl == TTL_NONE && engine_world_chance(world, 0.2))
        version.timestamp = common_us(world);
    version.stamp = ++world->stamp;
    version.is_tombstone = is_tombstone;
    version.path = path;
    if (version.is_tombstone) {
        version.ttl = TTL_NONE;
        version.local_time = engine_world_now_s(world);
    }
    struct cell *cell = &maker->cells[maker->row->cell_count++];
    *cell = (struct cell){.column = column->index,
                          .ttl = version.ttl,
                          .local_time = version.local_time,
                          .timestamp = version.timestamp,
                          .value = slice_make("", 0)};
    if (table_shape_is_complex(shape)) cell->path = make_path(world, shape, element, path);
    if (!version.is_tombstone && shape->type != SHAPE_SET) {
        struct buffer value;
        buffer_init(&value, 1 << 20);
        table_model_put_value(shape, version.stamp, &value);
        cell->value = arena_copy(&world->arena, buffer_slice(&value));
        buffer_deinit(&value);
    }
    note(world, &(struct table_change){.kind = CHANGE_CELL,
                                       .key = maker->key,
                                       .place = maker->place,
                                       .column = c,
                                       .element = element,
                                       .version = version});
}

static void add_cell(struct row_maker *maker, size_t c, const struct column *column, size_t element)
{
    add_cell_at(maker, c, column, element, 0, engine_world_chance(maker->world, 0.15));
}

// INSERT of a collection deletes what it was, a microsecond before.
static void add_column_deletion(struct row_maker *maker, size_t c, const struct column *column)
{
    struct engine_world *world = maker->world;
    struct table_change change = {
        .kind = CHANGE_COLUMN_GONE, .key = maker->key, .place = maker->place, .column = c};
    change.version.timestamp = maker->version.timestamp - 1;
    maker->deletions[maker->row->complex_deletion_count++] =
        (struct complex_deletion){column->index, make_deletion(world, change.version.timestamp)};
    note(world, &change);
}

// New elements of a list, at one of its ends; those that are older than `deleted` are gone.
static void extend_list(struct row_maker *maker, size_t c, const struct column *column,
                        int64_t deleted, bool before)
{
    struct engine_world *world = maker->world;
    const struct table_model_row *row = &maker->table->present.rows[maker->key][maker->place];
    size_t slots[TABLE_MODEL_SLOTS];
    size_t room = table_model_free_slots(row, &maker->table->shape, c, deleted, slots);
    size_t count = 1 + (size_t)engine_world_below(world, TABLE_MODEL_TURNS - 1);
    int64_t us = own_us(world);
    if (before) us = 2 * PREPEND_REFERENCE_US - us;
    for (size_t i = 0; i < count && i < room; i++)
        add_cell_at(maker, c, column, slots[i], table_model_list_path(us, i), false);
}

// list[i] = …, DELETE list[i], list = list - […].
static void change_elements(struct row_maker *maker, size_t c, const struct column *column)
{
    struct engine_world *world = maker->world;
    const struct table_model_row *row = &maker->table->present.rows[maker->key][maker->place];
    size_t slots[TABLE_MODEL_SLOTS];
    size_t count = table_model_list(row, &maker->table->shape, c, engine_world_now_s(world), slots);
    bool deletes = engine_world_chance(world, 0.4);
    size_t index = count == 0 ? 0 : (size_t)engine_world_below(world, count);
    for (; index < count; index += 1 + (size_t)engine_world_below(world, count)) {
        size_t slot = slots[index];
        add_cell_at(maker, c, column, slot, row->columns[c].cells[slot].path, deletes);
    }
}

static void change_list(struct row_maker *maker, size_t c, const struct column *column)
{
    uint64_t choice = engine_world_below(maker->world, 10);
    if (choice < 2) {
        add_column_deletion(maker, c, column);
        extend_list(maker, c, column, maker->version.timestamp - 1, false);
    } else if (choice < 6) {
        extend_list(maker, c, column, TIMESTAMP_NONE, choice == 5);
    } else {
        change_elements(maker, c, column);
    }
}

static void add_column(struct row_maker *maker, size_t c)
{
    struct engine_world *world = maker->world;
    const struct table_shape_column *shape = &maker->table->shape.columns[c];
    const struct column *column =
        table_find_column(maker->table->table, slice_of_text(shape->name));
    ASSERT(column != NULL);
    if (shape->type == SHAPE_LIST) {
        change_list(maker, c, column);
        return;
    }
    if (!table_shape_is_complex(shape)) {
        add_cell(maker, c, column, 0);
        return;
    }
    if (engine_world_chance(world, 0.3)) add_column_deletion(maker, c, column);
    for (size_t element = 0; element < TABLE_MODEL_ELEMENTS; element++)
        if (engine_world_chance(world, 0.35)) add_cell(maker, c, column, element);
}

static void sort_cells(const struct column *columns, struct cell *cells, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct cell cell = cells[i];
        size_t at = i;
        for (; at > 0 && cell_place_compare(columns, &cells[at - 1], &cell) > 0; at--)
            cells[at] = cells[at - 1];
        cells[at] = cell;
    }
}

static int compare_deletions(const void *left, const void *right)
{
    const struct complex_deletion *a = left, *b = right;
    return (a->column > b->column) - (a->column < b->column);
}

static void fill_row(struct row_maker *maker, bool is_static)
{
    for (size_t c = 0; c < TABLE_MODEL_COLUMNS; c++) {
        const struct table_shape_column *column = &maker->table->shape.columns[c];
        if (column->is_there && column->is_static == is_static &&
            engine_world_chance(maker->world, 0.4))
            add_column(maker, c);
    }
    sort_cells(maker->table->table->columns[is_static ? COLUMN_STATIC : COLUMN_REGULAR],
               maker->cells, maker->row->cell_count);
    qsort(maker->deletions, maker->row->complex_deletion_count, sizeof *maker->deletions,
          compare_deletions);
    maker->row->cells = maker->cells;
    maker->row->complex_deletions = maker->deletions;
}

static void delete_places(struct engine_world *world, size_t key, size_t place, size_t place_end,
                          int64_t timestamp)
{
    struct table_change change = {
        .kind = CHANGE_PLACES_GONE, .key = key, .place = place, .place_end = place_end};
    change.version.timestamp = timestamp;
    note(world, &change);
}

// False: nothing came of it.
static bool make_row(struct engine_world *world, const struct world_table *table, size_t key,
                     size_t place, struct row *row)
{
    *row = (struct row){.liveness = LIVENESS_NONE, .deletion = DELETION_NONE};
    bool is_static = place == TABLE_MODEL_STATIC;
    struct row_maker maker = {.world = world,
                              .table = table,
                              .key = key,
                              .place = place,
                              .version = make_version(world, engine_world_chance(world, 0.25)),
                              .row = row};
    maker.cells = ARENA_NEW_ARRAY(&world->arena, struct cell, CELLS_MAX);
    maker.deletions = ARENA_NEW_ARRAY(&world->arena, struct complex_deletion, TABLE_MODEL_COLUMNS);
    if (!is_static) {
        row->clustering = engine_world_clustering(world, &table->shape, place);
        if (engine_world_chance(world, 0.12)) {
            row->deletion = make_deletion(world, maker.version.timestamp - 1);
            delete_places(world, key, place, place + 1, row->deletion.timestamp);
            if (engine_world_chance(world, 0.7)) return true;
        }
        if (engine_world_chance(world, 0.5)) {
            struct table_change change = {
                .kind = CHANGE_MARKER, .key = key, .place = place, .version = maker.version};
            row->liveness = (struct liveness){maker.version.timestamp, maker.version.ttl,
                                              maker.version.local_time};
            note(world, &change);
        }
    }
    fill_row(&maker, is_static);
    // A cell's own time may be that of the deletion, which would have removed it.
    if (!deletion_is_live(row->deletion)) {
        for (uint32_t i = 0; i < row->cell_count; i++)
            if (maker.cells[i].timestamp <= row->deletion.timestamp) return false;
    }
    return !row_is_empty(row);
}

// ---- Mutations ---------------------------------------------------------------------------------

static void add_rows(struct engine_world *world, const struct world_table *table, size_t key,
                     struct mutation *mutation)
{
    size_t count = 1 + (engine_world_chance(world, 0.3) ? engine_world_below(world, ROWS_MAX) : 0);
    struct row *rows = ARENA_NEW_ARRAY(&world->arena, struct row, ROWS_MAX);
    size_t place = 0, places = table_shape_places(&table->shape);
    for (size_t i = 0; i < count && i < ROWS_MAX && place < places; i++) {
        place += (size_t)engine_world_below(world, places - place);
        size_t before = world->change_count;
        if (make_row(world, table, key, place, &rows[mutation->row_count]))
            mutation->row_count++;
        else
            world->change_count = before;
        place++;
    }
    mutation->rows = rows;
}

static void add_static_row(struct engine_world *world, const struct world_table *table, size_t key,
                           struct mutation *mutation)
{
    struct row *row = ARENA_NEW(&world->arena, struct row);
    if (make_row(world, table, key, TABLE_MODEL_STATIC, row)) mutation->static_row = row;
}

static void add_ranges(struct engine_world *world, struct world_table *table, size_t key,
                       struct mutation *mutation)
{
    size_t count = 1 + engine_world_below(world, 2);
    struct range_deletion *ranges = ARENA_NEW_ARRAY(&world->arena, struct range_deletion, 2);
    for (size_t i = 0; i < count; i++) {
        size_t place, place_end;
        ranges[i].range = engine_world_range(world, &table->shape, &place, &place_end);
        ranges[i].deletion = make_deletion(world, deletion_us(world, table));
        delete_places(world, key, place, place_end, ranges[i].deletion.timestamp);
        for (size_t p = place; p < place_end; p++)
            table->is_gone[key][p] = true;
    }
    mutation->range_deletions = ranges;
    mutation->range_deletion_count = count;
}

static void delete_partition(struct engine_world *world, struct world_table *table, size_t key,
                             struct mutation *mutation)
{
    mutation->deletion = make_deletion(world, deletion_us(world, table));
    struct table_change change = {.kind = CHANGE_PARTITION_GONE, .key = key};
    change.version.timestamp = mutation->deletion.timestamp;
    note(world, &change);
    for (size_t p = 0; p < TABLE_MODEL_ROWS; p++)
        table->is_gone[key][p] = true;
}

// Counters are only deleted here.
static void make_mutation(struct engine_world *world, struct world_table *table, size_t key,
                          struct mutation *mutation)
{
    bool has_places = table->shape.clustering_count > 0;
    uint64_t choice = engine_world_below(world, 100);
    bool deletes = table->shape.counts || choice < 16;
    if (deletes && choice % 4 == 0) delete_partition(world, table, key, mutation);
    if (deletes && choice % 4 > 0 && has_places) add_ranges(world, table, key, mutation);
    if (table->shape.counts) return;
    if (has_places && (choice >= 80 || engine_world_chance(world, 0.1)))
        add_static_row(world, table, key, mutation);
    if (!deletes || engine_world_chance(world, 0.3)) add_rows(world, table, key, mutation);
}

static enum workload_kind kind_of(const struct mutation *mutation)
{
    if (!deletion_is_live(mutation->deletion)) return WORKLOAD_DELETE_PARTITION;
    if (mutation->range_deletion_count > 0) return WORKLOAD_DELETE_RANGE;
    if (mutation->static_row != NULL) return WORKLOAD_SET_STATIC;
    if (mutation->row_count > 0 && !deletion_is_live(mutation->rows[0].deletion))
        return WORKLOAD_DELETE_ROW;
    return mutation->row_count > 0 && mutation->rows[0].liveness.ttl != TTL_NONE
               ? WORKLOAD_INSERT_TTL
               : WORKLOAD_INSERT;
}

static void write_to(struct engine_world *world, size_t number, bool deletes_all)
{
    struct world_table *table = &world->tables[number];
    size_t key = (size_t)engine_world_below(world, TABLE_MODEL_KEYS);
    struct mutation mutation = {
        .table = table->table, .key = engine_world_key(world, key), .deletion = DELETION_NONE};
    world->change_count = 0;
    if (deletes_all)
        delete_partition(world, table, key, &mutation);
    else
        make_mutation(world, table, key, &mutation);
    if (world->change_count == 0) return;
    uint64_t position = 0;
    enum status status = engine_apply(world->engine, &mutation, &position);
    if (status != STATUS_OK) {
        (void)!engine_world_excuses(world, status, "a write");
        return;
    }
    begin(world, number, position, engine_last_record(world->engine));
    engine_world_count(world, kind_of(&mutation));
}

void engine_world_write(struct engine_world *world)
{
    size_t number = (size_t)engine_world_below(world, WORLD_TABLES);
    if (!world->tables[number].shape.counts || engine_world_chance(world, 0.02))
        write_to(world, number, false);
}

void engine_world_delete(struct engine_world *world, size_t number)
{
    write_to(world, number, true);
}

// ---- Increments --------------------------------------------------------------------------------

static void choose_increments(struct engine_world *world, struct world_table *table, size_t key,
                              struct counter_update *update)
{
    struct counter_increment *increments =
        ARENA_NEW_ARRAY(&world->arena, struct counter_increment, 3);
    size_t place = (size_t)engine_world_below(world, table_shape_places(&table->shape));
    struct clustering *clustering = ARENA_NEW(&world->arena, struct clustering);
    *clustering = engine_world_clustering(world, &table->shape, place);
    for (size_t c = 0; c < 3; c++) {
        const struct table_shape_column *column = &table->shape.columns[c];
        size_t row = column->is_static ? TABLE_MODEL_STATIC : place;
        if (!column->is_there || table->is_gone[key][row] || engine_world_chance(world, 0.5))
            continue;
        int64_t delta = 1 + (int64_t)engine_world_below(world, 1000);
        increments[update->increment_count++] = (struct counter_increment){
            column->is_static ? NULL : clustering,
            table_find_column(table->table, slice_of_text(column->name))->index, delta};
        struct table_change change = {
            .kind = CHANGE_INCREMENT, .key = key, .place = row, .column = c};
        change.version.timestamp = update->timestamp_us;
        change.version.stamp = (uint64_t)delta;
        note(world, &change);
    }
    update->increments = increments;
}

struct load_wait {
    struct engine_load load;
    enum status status;
    bool done;
};

static void loaded(struct engine_load *load, enum status status)
{
    struct load_wait *wait = CONTAINER_OF(load, struct load_wait, load);
    wait->status = status;
    wait->done = true;
}

bool engine_world_load(struct engine_world *world)
{
    struct load_wait wait = {.done = false};
    engine_load(world->engine, &wait.load, &world->pins, loaded);
    if (!engine_world_await(world, &wait.done)) return false;
    if (wait.status == STATUS_OK) return true;
    (void)!engine_world_excuses(world, wait.status, "a load");
    return false;
}

// Done again for increments whose fate is not known: `operation` has them then.
static enum status increment(struct engine_world *world, const struct counter_update *update,
                             uint64_t *position)
{
    enum status status;
    while ((status = engine_increment(world->engine, update, &world->pins, &world->arena, NULL,
                                      position)) == STATUS_WOULD_BLOCK) {
        if (!engine_world_load(world)) return STATUS_WOULD_BLOCK;
    }
    read_pins_release(&world->pins);
    return status;
}

void engine_world_increment(struct engine_world *world)
{
    size_t number = WORLD_TABLES - 1;
    struct world_table *table = &world->tables[number];
    size_t key = (size_t)engine_world_below(world, TABLE_MODEL_KEYS);
    struct counter_update update = {
        .table = table->table, .key = engine_world_key(world, key), .timestamp_us = own_us(world)};
    world->change_count = 0;
    choose_increments(world, table, key, &update);
    if (world->change_count == 0) return;
    uint64_t position = 0;
    enum status status = increment(world, &update, &position);
    if (status == STATUS_WOULD_BLOCK) return; // The process died.
    if (status != STATUS_OK) {
        (void)!engine_world_excuses(world, status, "an increment");
        return;
    }
    begin(world, number, position, slice_make("", 0));
    engine_world_count(world, WORKLOAD_INCREMENT);
}

// ---- Truncations -------------------------------------------------------------------------------

struct truncation_wait {
    struct engine_flush flush;
    enum status status;
    bool done;
};

static void truncated(struct engine_flush *flush, enum status status)
{
    struct truncation_wait *wait = CONTAINER_OF(flush, struct truncation_wait, flush);
    wait->status = status;
    wait->done = true;
}

static void truncate_table(struct engine_world *world, size_t number)
{
    const struct world_table *table = &world->tables[number];
    world->change_count = 0;
    note(world, &(struct table_change){.kind = CHANGE_TRUNCATION});
    begin(world, number, UINT64_MAX, slice_make("", 0));
    struct truncation_wait wait = {.done = false};
    engine_truncate(world->engine, table->table->id, &wait.flush, truncated);
    if (!engine_world_await(world, &wait.done)) return;
    if (wait.status == STATUS_OK)
        acknowledge(world, UINT64_MAX); // The log has it, and so all before it.
    else
        (void)!engine_world_excuses(world, wait.status, "a truncation");
}

void engine_world_truncate(struct engine_world *world, size_t number)
{
    truncate_table(world, number);
    engine_world_count(world, WORKLOAD_TRUNCATE);
}

// ---- After a crash -----------------------------------------------------------------------------

// What is certain and the first `count` operations under way is what the engine shows.
static bool explains(struct engine_world *world, int32_t now_s, const struct buffer *texts)
{
    struct buffer expected;
    buffer_init(&expected, 1u << 30);
    bool is_equal = true;
    for (size_t i = 0; i < WORLD_TABLES && is_equal; i++) {
        const struct world_table *table = &world->tables[i];
        buffer_clear(&expected);
        for (size_t key = 0; key < TABLE_MODEL_KEYS; key++)
            table_model_put_partition(&table->present, &table->shape, key, now_s, &expected);
        is_equal = slice_equals(buffer_slice(&expected), buffer_slice(&texts[i]));
    }
    buffer_deinit(&expected);
    return is_equal;
}

static bool read_everything(struct engine_world *world, int32_t now_s, struct buffer *texts)
{
    for (size_t i = 0; i < WORLD_TABLES; i++)
        if (!engine_world_put_all(world, i, now_s, &texts[i])) return false;
    return true;
}

// Some of these may be there unseen (a deletion of what was not there): all are done again, one
// after the other, as a client would do it that had no answer.
static void repeat(struct engine_world *world, size_t first, size_t count)
{
    for (size_t i = first; i < first + count && world->engine != NULL; i++) {
        struct world_operation *operation = &world->pending[i];
        struct slice record = slice_make(operation->record, operation->record_size);
        enum status status = STATUS_OK;
        if (operation->record != NULL) {
            status = engine_apply_record(world->engine, record, &operation->position);
        } else if (operation->changes[0].kind == CHANGE_TRUNCATION) {
            struct truncation_wait wait = {.done = false};
            engine_truncate(world->engine, world->tables[operation->table].table->id, &wait.flush,
                            truncated);
            if (!engine_world_await(world, &wait.done)) return;
            status = wait.status;
            operation->position = 0;
        } else {
            // Increments are always seen: only a truncation behind them can hide them.
            operation->position = 0;
        }
        if (status != STATUS_OK) {
            (void)!engine_world_excuses(world, status, "an operation that is done again");
            return;
        }
    }
    if (world->engine != NULL) engine_world_sync(world);
}

void engine_world_find_out(struct engine_world *world)
{
    struct buffer texts[WORLD_TABLES];
    for (size_t i = 0; i < WORLD_TABLES; i++) {
        buffer_init(&texts[i], 1u << 30);
        world->tables[i].present = world->tables[i].certain;
    }
    int32_t now_s = engine_world_now_s(world);
    size_t first = SIZE_MAX, last = 0;
    if (read_everything(world, now_s, texts)) {
        for (size_t i = 0; i <= world->pending_count; i++) {
            if (i > 0)
                apply_changes(world, &world->pending[i - 1],
                              &world->tables[world->pending[i - 1].table].present);
            if (!explains(world, now_s, texts)) continue;
            if (first == SIZE_MAX) first = i;
            last = i;
        }
        if (first == SIZE_MAX) {
            engine_world_fail(world, "after a crash nothing explains what is there (%zu under way)",
                              world->pending_count);
        } else {
            sim_world_note(world->sim, "of %zu under way %zu to %zu are there",
                           world->pending_count, first, last);
            while (world->pending_count > last)
                free_operation(&world->pending[--world->pending_count]);
            for (size_t i = 0; i < WORLD_TABLES; i++)
                world->tables[i].present = world->tables[i].certain;
            for (size_t i = 0; i < last; i++)
                apply_changes(world, &world->pending[i],
                              &world->tables[world->pending[i].table].present);
            if (first < last) repeat(world, first, last - first);
            // What was seen after a start is never lost again.
            if (world->engine != NULL) acknowledge(world, UINT64_MAX);
        }
    }
    for (size_t i = 0; i < WORLD_TABLES; i++)
        buffer_deinit(&texts[i]);
}
