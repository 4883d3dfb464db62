#include "tests/ring/support/read_probe.h"

#include "base/container_of.h"
#include "ring/coordinator/read_encoder.h"
#include "storage/counter_context.h"
#include "storage/merge/live_rows.h"

#include <check.h>
#include <stdlib.h>

// ---- Changes ------------------------------------------------------------------------------------

struct change_room {
    struct row row, static_row;
    struct cell cells[2], static_cells[1];
    struct slice values[3];
    struct range_deletion deletion;
    uint8_t context[COUNTER_SINGLE_SHARD_SIZE];
};

static void add_cell(const struct probe_change *change, struct row *row, struct cell *cells,
                     const char *column, const struct table *table, const char *value)
{
    if (value == NULL) return;
    const struct column *found = table_find_column(table, slice_of_text(column));
    ck_assert_ptr_nonnull(found);
    struct cell cell = {.column = found->index,
                        .timestamp = change->timestamp,
                        .local_time = LOCAL_TIME_NONE,
                        .value = slice_of_text(value)};
    if (value[0] == '\0') cell.local_time = 1000;
    if (value[0] != '\0' && change->ttl > 0) {
        cell.ttl = change->ttl;
        cell.local_time = change->expires;
    }
    cells[row->cell_count++] = cell;
    row->cells = cells;
}

static void fill_row(const struct probe_change *change, const struct table *table,
                     struct change_room *room, struct mutation *mutation)
{
    struct deletion deletion = {change->timestamp, 1000};
    room->values[0] = slice_of_text(change->c);
    room->row = (struct row){.clustering = {1, room->values},
                             .liveness = LIVENESS_NONE,
                             .deletion = change->deletes_row ? deletion : DELETION_NONE};
    if (change->is_insert) room->row.liveness.timestamp = change->timestamp;
    add_cell(change, &room->row, room->cells, "a", table, change->a);
    add_cell(change, &room->row, room->cells, "b", table, change->b);
    if (change->shard != 0) {
        struct uuid id = {{(uint8_t)change->shard}};
        counter_context_make_global(id, change->clock, change->count, room->context);
        add_cell(change, &room->row, room->cells, "n", table, "n");
        room->cells[0].value = slice_make(room->context, sizeof room->context);
    }
    mutation->rows = &room->row;
    mutation->row_count = 1;
}

static void fill_range(const struct probe_change *change, struct change_room *room,
                       struct mutation *mutation)
{
    room->values[1] = slice_of_text(change->delete_from);
    room->values[2] = slice_of_text(change->delete_to);
    room->deletion = (struct range_deletion){
        {{change->from_exclusive ? BOUND_EXCL_START : BOUND_INCL_START, {1, &room->values[1]}},
         {change->to_exclusive ? BOUND_EXCL_END : BOUND_INCL_END, {1, &room->values[2]}}},
        {change->timestamp, 1000}};
    mutation->range_deletions = &room->deletion;
    mutation->range_deletion_count = 1;
}

void probe_apply(struct ring_world *world, size_t member, const struct probe_change *change)
{
    const struct table *table =
        ring_world_table(world, member, change->shard != 0 ? "counts" : "t");
    struct change_room room = {
        .static_row = {.liveness = LIVENESS_NONE, .deletion = DELETION_NONE}};
    struct mutation mutation = {.table = table,
                                .key = partition_key_make(slice_of_text(change->key)),
                                .deletion = DELETION_NONE};
    if (change->deletes_partition) mutation.deletion = (struct deletion){change->timestamp, 1000};
    if (change->s != NULL) {
        add_cell(change, &room.static_row, room.static_cells, "s", table, change->s);
        mutation.static_row = &room.static_row;
    }
    if (change->c != NULL) fill_row(change, table, &room, &mutation);
    if (change->delete_from != NULL) fill_range(change, &room, &mutation);
    uint64_t position = 0;
    ck_assert_int_eq(engine_apply(world->members[member].engine, &mutation, &position), STATUS_OK);
}

void probe_apply_to_all(struct ring_world *world, const struct probe_change *change)
{
    for (size_t i = 0; i < world->count; i++)
        if (world->members[i].env != NULL) probe_apply(world, i, change);
}

struct probe_flush_wait {
    struct engine_flush flush;
    bool is_done;
};

static void probe_flushed(struct engine_flush *flush, enum status status)
{
    ck_assert_int_eq(status, STATUS_OK);
    CONTAINER_OF(flush, struct probe_flush_wait, flush)->is_done = true;
}

void probe_flush(struct ring_world *world, size_t member)
{
    struct probe_flush_wait wait = {0};
    engine_flush(world->members[member].engine, &ring_world_table(world, member, "t")->id,
                 &wait.flush, probe_flushed);
    ring_world_run(world, 30, &wait.is_done);
}

struct probe_load_wait {
    struct engine_load load;
    bool is_done;
};

static void probe_loaded(struct engine_load *load, enum status status)
{
    ck_assert_int_eq(status, STATUS_OK);
    CONTAINER_OF(load, struct probe_load_wait, load)->is_done = true;
}

struct slice probe_local(struct ring_world *world, size_t member, const char *table,
                         const char *key, struct buffer *bytes)
{
    const struct table *version = ring_world_table(world, member, table);
    const struct clustering_range all = CLUSTERING_RANGE_ALL;
    const struct partition_filter filter = {.ranges = &all, .range_count = 1, .with_static = true};
    struct partition_key parsed = partition_key_make(slice_of_text(key));
    enum status status = STATUS_WOULD_BLOCK;
    struct read_pins pins;
    read_pins_init(&pins);
    while (status == STATUS_WOULD_BLOCK) {
        struct arena arena;
        struct read_encoder encoder;
        struct partition_iterator *partition = NULL;
        uint64_t position = 0;
        arena_init(&arena, 4096);
        buffer_clear(bytes);
        read_encoder_init(&encoder, bytes, version, 0, 0);
        encoder.looks_left = UINT32_MAX;
        encoder.size_max = SIZE_MAX;
        status = engine_read(world->members[member].engine, version, &parsed, &filter, &pins,
                             &arena, &partition, &position);
        if (status == STATUS_OK && partition != NULL) {
            status = read_encoder_put_partition(&encoder, partition);
            partition_iterator_close(partition);
        }
        arena_deinit(&arena);
        if (status != STATUS_WOULD_BLOCK) continue;
        struct probe_load_wait wait = {0};
        engine_load(world->members[member].engine, &wait.load, &pins, probe_loaded);
        ring_world_run(world, 30, &wait.is_done);
    }
    read_pins_release(&pins);
    ck_assert_int_eq(status, STATUS_OK);
    return buffer_slice(bytes);
}

// ---- Reads --------------------------------------------------------------------------------------

static void probe_restart(struct coordinator_read *read)
{
    struct probe_read *probe = CONTAINER_OF(read, struct probe_read, read);
    buffer_clear(&probe->text);
    probe->rows = 0;
    probe->restarts++;
}

static void put_value(struct probe_read *probe, const struct live_row *row, const char *column)
{
    const struct cell *cells;
    const struct column *found = table_find_column(probe->read.table, slice_of_text(column));
    if (found == NULL) return;
    if (live_row_cells(row, found->index, &cells) == 0)
        buffer_put_format(&probe->text, "-");
    else if (found->type->kind == TYPE_COUNTER)
        buffer_put_format(&probe->text, "%lld", (long long)counter_context_total(cells[0].value));
    else
        buffer_put(&probe->text, cells[0].value.data, cells[0].value.size);
}

static void put_row(struct probe_read *probe, const struct live_row *row)
{
    bool is_counter = probe->read.table->is_counter;
    buffer_put_format(&probe->text, " ");
    buffer_put(&probe->text, row->clustering.values[0].data, row->clustering.values[0].size);
    buffer_put_format(&probe->text, "=");
    put_value(probe, row, is_counter ? "n" : "a");
    if (!is_counter) buffer_put_format(&probe->text, ",");
    if (!is_counter) put_value(probe, row, "b");
}

static enum status probe_consume(struct coordinator_read *read,
                                 struct partition_iterator *partition, bool *enough)
{
    struct probe_read *probe = CONTAINER_OF(read, struct probe_read, read);
    struct live_rows rows;
    size_t begin = probe->text.size, rows_before = probe->rows;
    live_rows_init(&rows, partition, read->now_s, &read->arena);
    buffer_put(&probe->text, partition->key.bytes.data, partition->key.bytes.size);
    buffer_put_format(&probe->text, "{");
    if (rows.has_static_row) {
        buffer_put_format(&probe->text, "s=");
        put_value(probe, &rows.static_row, "s");
        buffer_put_format(&probe->text, ";");
    }
    enum status status = STATUS_OK;
    const struct live_row *row;
    while (!*enough && (status = live_rows_next(&rows, &row)) == STATUS_OK) {
        put_row(probe, row);
        probe->rows++;
        *enough = probe->rows_wanted > 0 && probe->rows == probe->rows_wanted;
        if (probe->rows_per_partition > 0 && probe->rows - rows_before == probe->rows_per_partition)
            break;
    }
    if (probe->rows == rows_before && !rows.has_static_row)
        buffer_truncate(&probe->text, begin);
    else
        buffer_put_format(&probe->text, "}");
    return status;
}

static void probe_done(struct coordinator_read *read, const struct coordinator_result *result)
{
    struct probe_read *probe = CONTAINER_OF(read, struct probe_read, read);
    probe->result = *result;
    probe->is_done = true;
}

void probe_begin(struct ring_world *world, size_t member, struct probe_read *probe)
{
    if (probe->text.limit == 0) buffer_init(&probe->text, 16 << 20);
    probe->is_done = false;
    probe->restarts = 0;
    for (size_t i = 0; i < probe->key_count; i++)
        probe->parsed_keys[i] = partition_key_make(slice_of_text(probe->keys[i]));
    probe->range = CLUSTERING_RANGE_ALL;
    if (probe->from != NULL) {
        probe->bounds[0] = slice_of_text(probe->from);
        probe->range.start = (struct bound){BOUND_INCL_START, {1, &probe->bounds[0]}};
    }
    if (probe->to != NULL) {
        probe->bounds[1] = slice_of_text(probe->to);
        probe->range.end = (struct bound){BOUND_INCL_END, {1, &probe->bounds[1]}};
    }
    probe->read = (struct coordinator_read){
        .restart = probe_restart,
        .consume = probe_consume,
        .table = probe->version != NULL
                     ? probe->version
                     : ring_world_table(world, member, probe->table == NULL ? "t" : probe->table),
        .keys = probe->keys == NULL ? NULL : probe->parsed_keys,
        .key_count = probe->key_count,
        .range = SCAN_RANGE_ALL,
        .filter = {&probe->range, 1, probe->reversed, true},
        .row_max = (uint32_t)probe->rows_wanted,
        .now_s = probe->now_s,
    };
    coordinator_read_start(world->members[member].coordinator, &probe->read, probe->consistency,
                           probe_done);
}

void probe_run(struct ring_world *world, size_t member, struct probe_read *probe)
{
    probe_begin(world, member, probe);
    ring_world_run(world, 30, &probe->is_done);
    buffer_put_u8(&probe->text, 0);
}

void probe_deinit(struct probe_read *probe)
{
    buffer_deinit(&probe->text);
}

void probe_expect(struct ring_world *world, size_t member, const char *key,
                  enum consistency consistency, const char *text)
{
    struct probe_read probe = {.keys = &key, .key_count = 1, .consistency = consistency};
    probe_run(world, member, &probe);
    ck_assert_int_eq(probe.result.outcome, COORDINATOR_OK);
    ck_assert_str_eq((const char *)probe.text.data, text);
    probe_deinit(&probe);
}
