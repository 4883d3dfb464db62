#include "node/sim/storage_world.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "ring/coordinator/coordinator.h"
#include "storage/counter_context.h"
#include "storage/engine/engine_import.h"
#include "storage/engine/engine_snapshot.h"
#include "storage/merge/live_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_SIZE_MAX = 1 << 20, ARENA_BLOCK_SIZE = 1024 };

struct storage_operation {
    struct storage_world *world;
    struct storage_operation *next;
    struct workload_operation *operation; // NULL once it is done.
    struct arena arena;
    struct partition_key key;
    struct clustering_range range;
    struct counter_increment delta;
    struct counter_update update;
    enum { NOTHING, WRITE, INCREMENT, READ, FLUSH } what;
    union {
        struct coordinator_write write;
        struct coordinator_increment increment;
        struct coordinator_read read;
        struct engine_flush flush;
        struct {
            struct engine_snapshot snapshot;
            struct engine_snapshot_clear clear;
            struct engine_import import;
            char tag[32];
        } care;
    };
};

struct storage_world {
    struct sim_world *sim;
    struct sim_machine *machine;
    struct workload *workload;
    struct env *env; // NULL: no process.
    struct schema *schema;
    const struct table *tables[WORKLOAD_SCHEMA];
    struct engine *engine; // NULL: not up.
    struct coordinator *coordinator;
    bool stops, is_over;
    uint64_t flush_count;                 // Flushes that were asked for.
    struct storage_operation *operations; // Under way.
    struct sim_call reply_call;
};

// ---- Tables ------------------------------------------------------------------------------------

static const struct table *make_table(const char *name, uint8_t number)
{
    struct uuid id = {{0x13, 0x81, 0x40, 0, 0x1d, 0xd2, 0x11, 0xb2, 0x80, 0, 0, 0, 0, 0, 0, 0}};
    id.bytes[15] = number;
    struct table_builder *builder =
        table_builder_create(slice_of_text("simulated"), slice_of_text(name), id);
    bool counts = number == WORKLOAD_COUNTERS;
    table_builder_add_column(builder, slice_of_text("key"), type_of_kind(TYPE_TEXT),
                             COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("row"), type_of_kind(TYPE_INT),
                             COLUMN_CLUSTERING, number == WORKLOAD_TRUNCATED);
    if (!counts)
        table_builder_add_column(builder, slice_of_text("s"), type_of_kind(TYPE_TEXT),
                                 COLUMN_STATIC, false);
    table_builder_add_column(builder, slice_of_text(counts ? "n" : "v"),
                             type_of_kind(counts ? TYPE_COUNTER : TYPE_TEXT), COLUMN_REGULAR,
                             false);
    return table_builder_finish(builder);
}

struct storage_world *storage_world_create(struct sim_world *sim)
{
    static const char *const names[] = {"values", "truncated", "counters"};
    struct storage_world *world = calloc(1, sizeof *world);
    ASSERT(world != NULL);
    world->sim = sim;
    world->machine = sim_machine_create(sim, "machine");
    struct env *env = sim_process_start(world->machine, "operator", NULL, NULL);
    ASSERT(env_make_dir(env, "/store", NULL) == STATUS_OK);
    sim_process_destroy(env);
    sim_machine_sync(world->machine);
    world->schema = schema_create();
    struct option replication = {slice_of_text("class"),
                                 slice_of_text("org.apache.cassandra.locator.LocalStrategy")};
    struct options options = {&replication, 1};
    const struct keyspace *keyspace =
        keyspace_make(slice_of_text("simulated"), &options, true, false);
    ASSERT(schema_put_keyspace(world->schema, keyspace) == STATUS_OK);
    keyspace_unref(keyspace);
    for (uint8_t i = 0; i < WORKLOAD_SCHEMA; i++) {
        world->tables[i] = make_table(names[i], i);
        ASSERT(schema_put_table(world->schema, world->tables[i]) == STATUS_OK);
    }
    return world;
}

void storage_world_set_workload(struct storage_world *world, struct workload *workload)
{
    world->workload = workload;
}

// ---- Operations' ends --------------------------------------------------------------------------

static void release_operation(struct storage_operation *operation)
{
    if (operation->what == READ) {
        read_pins_release(&operation->read.pins);
        arena_deinit(&operation->read.arena);
    } else if (operation->what == INCREMENT) {
        read_pins_release(&operation->increment.pins);
        arena_deinit(&operation->increment.arena);
    }
}

static void end_operation(struct storage_operation *operation, enum workload_outcome outcome)
{
    struct storage_operation **place = &operation->world->operations;
    while (*place != operation)
        place = &(*place)->next;
    *place = operation->next;
    struct workload_operation *ended = operation->operation;
    arena_deinit(&operation->arena);
    free(operation);
    ended->done(ended, outcome);
}

static enum workload_outcome outcome_of(const struct coordinator_result *result)
{
    switch (result->outcome) {
    case COORDINATOR_OK:
        return WORKLOAD_DONE;
    case COORDINATOR_UNAVAILABLE:
    case COORDINATOR_OVERLOADED:
        return WORKLOAD_REFUSED;
    default:
        return WORKLOAD_UNKNOWN;
    }
}

static void write_is_done(struct coordinator_write *write, const struct coordinator_result *result)
{
    end_operation(CONTAINER_OF(write, struct storage_operation, write), outcome_of(result));
}

static void increment_is_done(struct coordinator_increment *increment,
                              const struct coordinator_result *result)
{
    end_operation(CONTAINER_OF(increment, struct storage_operation, increment), outcome_of(result));
}

static void read_is_done(struct coordinator_read *read, const struct coordinator_result *result)
{
    end_operation(CONTAINER_OF(read, struct storage_operation, read), outcome_of(result));
}

static void flush_is_done(struct engine_flush *flush, enum status status)
{
    end_operation(CONTAINER_OF(flush, struct storage_operation, flush),
                  status == STATUS_OK ? WORKLOAD_DONE : WORKLOAD_UNKNOWN);
}

// ---- Snapshots and imports ---------------------------------------------------------------------

static void end_care(struct storage_operation *operation, enum status status)
{
    end_operation(operation, status == STATUS_OK ? WORKLOAD_DONE : WORKLOAD_UNKNOWN);
}

static void cleared(struct engine_snapshot_clear *clear, enum status status,
                    const struct error *error)
{
    (void)error;
    end_care(CONTAINER_OF(clear, struct storage_operation, care.clear), status);
}

static void imported(struct engine_import *import, enum status status, const struct error *error)
{
    (void)error;
    end_care(CONTAINER_OF(import, struct storage_operation, care.import), status);
}

static void snapshot_is_taken(struct engine_snapshot *snapshot, enum status status,
                              const struct error *error)
{
    struct storage_operation *operation =
        CONTAINER_OF(snapshot, struct storage_operation, care.snapshot);
    (void)error;
    end_care(operation, status);
}

// What the table had a moment ago comes once more, which changes nothing. Not of a table that is
// truncated: it would be back.
static void import_what_was_taken(struct engine_snapshot *snapshot, enum status status,
                                  const struct error *error)
{
    struct storage_operation *operation =
        CONTAINER_OF(snapshot, struct storage_operation, care.snapshot);
    struct storage_world *world = operation->world;
    const struct table *table = world->tables[operation->operation->table];
    (void)error;
    if (status != STATUS_OK || world->engine == NULL || world->stops) {
        end_care(operation, status);
        return;
    }
    char directory[256], id[40];
    for (size_t i = 0; i < sizeof table->id.bytes; i++)
        (void)snprintf(id + 2 * i, 3, "%02x", table->id.bytes[i]);
    (void)snprintf(directory, sizeof directory, "/store/data/simulated/%.*s-%s/snapshots/%s",
                   (int)table->name.size, (const char *)table->name.data, id, operation->care.tag);
    const struct engine_import_options options = {
        .table = table->id, .directory = directory, .copies = world->flush_count % 2 == 0};
    engine_import(world->engine, &options, &operation->care.import, imported);
}

static void take_snapshot(struct storage_operation *operation, bool imports)
{
    struct storage_world *world = operation->world;
    const struct table *table = world->tables[operation->operation->table];
    (void)snprintf(operation->care.tag, sizeof operation->care.tag, "s%zu-%zu",
                   (size_t)env_wall_us(world->env), (size_t)world->flush_count);
    const struct engine_snapshot_options options = {
        .tag = operation->care.tag, .tables = &table->id, .table_count = 1};
    bool is_truncated = operation->operation->table == WORKLOAD_TRUNCATED;
    engine_snapshot_take(world->engine, &options, &operation->care.snapshot,
                         imports && !is_truncated ? import_what_was_taken : snapshot_is_taken);
}

// A flush, or what flushes too.
static void start_flush(struct storage_operation *operation)
{
    struct storage_world *world = operation->world;
    const struct uuid *id = &world->tables[operation->operation->table]->id;
    operation->what = FLUSH;
    switch (world->flush_count++ % 8) {
    case 2:
        take_snapshot(operation, false);
        break;
    case 4:
    case 7:
        take_snapshot(operation, true);
        break;
    case 5:
        engine_snapshot_clear(world->engine, &(struct engine_snapshot_choice){"", "", 0},
                              &operation->care.clear, cleared);
        break;
    default:
        engine_flush(world->engine, id, &operation->flush, flush_is_done);
        break;
    }
}

// ---- Writes ------------------------------------------------------------------------------------

static struct clustering make_clustering(struct arena *arena, size_t row)
{
    uint8_t *bytes = arena_alloc(arena, 4);
    bytes_put_u32(bytes, (uint32_t)row);
    struct slice *value = ARENA_NEW(arena, struct slice);
    *value = slice_make(bytes, 4);
    return (struct clustering){1, value};
}

// Rows [row, row_end) as a range; backwards where the table is.
static struct clustering_range make_range(struct storage_operation *operation)
{
    const struct workload_operation *wanted = operation->operation;
    struct clustering first = make_clustering(&operation->arena, wanted->row);
    struct clustering last = make_clustering(&operation->arena, wanted->row_end - 1);
    bool reversed = wanted->table == WORKLOAD_TRUNCATED;
    return (struct clustering_range){{BOUND_INCL_START, reversed ? last : first},
                                     {BOUND_INCL_END, reversed ? first : last}};
}

static const struct row *make_row(struct storage_operation *operation, bool is_static)
{
    const struct workload_operation *wanted = operation->operation;
    struct buffer value;
    buffer_init(&value, VALUE_SIZE_MAX);
    workload_value_put(wanted->stamp, &value);
    struct cell *cell = ARENA_NEW(&operation->arena, struct cell);
    *cell = (struct cell){.timestamp = (int64_t)wanted->stamp,
                          .local_time = LOCAL_TIME_NONE,
                          .value = arena_copy(&operation->arena, buffer_slice(&value))};
    buffer_deinit(&value);
    struct row *row = ARENA_NEW(&operation->arena, struct row);
    *row = (struct row){
        .liveness = LIVENESS_NONE, .deletion = DELETION_NONE, .cells = cell, .cell_count = 1};
    if (is_static) return row;
    row->liveness.timestamp = (int64_t)wanted->stamp;
    row->clustering = make_clustering(&operation->arena, wanted->row);
    return row;
}

static void start_write(struct storage_operation *operation)
{
    struct storage_world *world = operation->world;
    const struct workload_operation *wanted = operation->operation;
    struct deletion deletion = {(int64_t)wanted->stamp,
                                (int32_t)(env_wall_us(world->env) / 1000000)};
    struct mutation mutation = {
        .table = world->tables[wanted->table], .key = operation->key, .deletion = DELETION_NONE};
    struct row *row = ARENA_NEW(&operation->arena, struct row);
    struct range_deletion range;
    switch (wanted->kind) {
    case WORKLOAD_INSERT:
        mutation.rows = make_row(operation, false);
        mutation.row_count = 1;
        break;
    case WORKLOAD_SET_STATIC:
        mutation.static_row = make_row(operation, true);
        break;
    case WORKLOAD_DELETE_ROW:
        *row = (struct row){.clustering = make_clustering(&operation->arena, wanted->row),
                            .liveness = LIVENESS_NONE,
                            .deletion = deletion};
        mutation.rows = row;
        mutation.row_count = 1;
        break;
    case WORKLOAD_DELETE_RANGE:
        range = (struct range_deletion){make_range(operation), deletion};
        mutation.range_deletions = &range;
        mutation.range_deletion_count = 1;
        break;
    default:
        ASSERT(wanted->kind == WORKLOAD_DELETE_PARTITION);
        mutation.deletion = deletion;
        break;
    }
    operation->what = WRITE;
    coordinator_write_start(world->coordinator, &operation->write, &mutation, 1, CONSISTENCY_ONE,
                            write_is_done);
}

static void start_increment(struct storage_operation *operation)
{
    struct storage_world *world = operation->world;
    const struct workload_operation *wanted = operation->operation;
    struct clustering *clustering = ARENA_NEW(&operation->arena, struct clustering);
    *clustering = make_clustering(&operation->arena, wanted->row);
    operation->delta = (struct counter_increment){.clustering = clustering, .delta = wanted->delta};
    operation->update = (struct counter_update){.table = world->tables[WORKLOAD_COUNTERS],
                                                .key = operation->key,
                                                .increments = &operation->delta,
                                                .increment_count = 1,
                                                .timestamp_us = env_wall_us(world->env)};
    operation->what = INCREMENT;
    coordinator_increment_start(world->coordinator, &operation->increment, &operation->update, 1,
                                CONSISTENCY_ONE, increment_is_done);
}

// ---- Reads -------------------------------------------------------------------------------------

static void restart(struct coordinator_read *read)
{
    CONTAINER_OF(read, struct storage_operation, read)->operation->found_count = 0;
}

static void see_shards(struct storage_operation *operation, size_t partition, size_t row,
                       struct slice context)
{
    for (size_t i = 0; i < counter_context_shard_count(context); i++) {
        struct counter_shard shard = counter_context_shard_at(context, i);
        workload_saw_shard(operation->world->workload, partition, row, shard.id.bytes, shard.clock,
                           shard.count);
    }
}

static void see_row(struct storage_operation *operation, size_t partition, size_t row,
                    const struct live_row *live)
{
    struct workload *workload = operation->world->workload;
    const struct cell *cell;
    uint64_t stamp = 0;
    if (row >= MODEL_CELLS || live_row_cells(live, 0, &cell) != 1) {
        workload_fail(workload, "a row was read that nobody made: k%zu/%zu", partition, row);
        return;
    }
    if (operation->operation->table == WORKLOAD_COUNTERS) {
        if (!counter_context_is_valid(cell->value))
            workload_fail(workload, "k%zu/%zu has a broken counter", partition, row);
        else
            see_shards(operation, partition, row, cell->value);
        stamp = (uint64_t)counter_context_total(cell->value);
    } else if (!workload_value_get(cell->value, &stamp) || stamp != (uint64_t)cell->timestamp) {
        workload_fail(workload, "k%zu/%zu has a value that nobody wrote", partition, row);
    }
    workload_found_add(operation->operation, partition, row, stamp);
}

static enum status consume(struct coordinator_read *read, struct partition_iterator *partition,
                           bool *enough)
{
    struct storage_operation *operation = CONTAINER_OF(read, struct storage_operation, read);
    size_t number = 0;
    (void)enough;
    for (size_t i = 1; i < partition->key.bytes.size; i++)
        number = number * 10 + (partition->key.bytes.data[i] - '0');
    if (number >= MODEL_PARTITIONS) {
        workload_fail(operation->world->workload, "a partition was read that nobody made");
        return STATUS_OK;
    }
    struct live_rows rows;
    live_rows_init(&rows, partition, read->now_s, &read->arena);
    if (rows.has_static_row) see_row(operation, number, MODEL_STATIC, &rows.static_row);
    for (;;) {
        const struct live_row *row;
        enum status status = live_rows_next(&rows, &row);
        if (status == STATUS_END) return STATUS_OK;
        if (status != STATUS_OK) return status;
        struct slice value = row->clustering.values[0];
        see_row(operation, number, value.size == 4 ? bytes_get_u32(value.data) : SIZE_MAX, row);
    }
}

static void start_read(struct storage_operation *operation)
{
    struct storage_world *world = operation->world;
    const struct workload_operation *wanted = operation->operation;
    operation->what = READ;
    bool whole = wanted->kind == WORKLOAD_READ_PARTITION || wanted->kind == WORKLOAD_SCAN;
    operation->range = whole ? CLUSTERING_RANGE_ALL : make_range(operation);
    operation->read = (struct coordinator_read){
        .restart = restart,
        .consume = consume,
        .table = world->tables[wanted->table],
        .keys = wanted->kind == WORKLOAD_SCAN ? NULL : &operation->key,
        .key_count = 1,
        .range = SCAN_RANGE_ALL,
        .filter = {.ranges = &operation->range,
                   .range_count = 1,
                   .reversed = wanted->reversed && wanted->kind != WORKLOAD_SCAN,
                   .with_static = whole && wanted->table != WORKLOAD_COUNTERS},
        .now_s = (int32_t)(env_wall_us(world->env) / 1000000),
    };
    coordinator_read_start(world->coordinator, &operation->read, CONSISTENCY_ONE, read_is_done);
}

// ---- What the workload asks for ----------------------------------------------------------------

static void submit(void *context, struct workload_operation *wanted)
{
    struct storage_world *world = context;
    struct storage_operation *operation = calloc(1, sizeof *operation);
    ASSERT(operation != NULL);
    operation->world = world;
    operation->operation = wanted;
    operation->next = world->operations;
    world->operations = operation;
    arena_init(&operation->arena, ARENA_BLOCK_SIZE);
    char key[32];
    (void)snprintf(key, sizeof key, "k%zu", wanted->partition);
    operation->key = partition_key_make(arena_copy(&operation->arena, slice_of_text(key)));
    // A process that is being killed is left to its fate: `died` comes.
    if (world->engine == NULL || !sim_process_is_alive(world->env)) return;
    struct uuid id = world->tables[wanted->table]->id;
    switch (wanted->kind) {
    case WORKLOAD_INCREMENT:
        start_increment(operation);
        break;
    case WORKLOAD_FLUSH:
        start_flush(operation);
        break;
    case WORKLOAD_TRUNCATE:
        operation->what = FLUSH;
        engine_truncate(world->engine, id, &operation->flush, flush_is_done);
        break;
    case WORKLOAD_READ_ROW:
    case WORKLOAD_READ_PARTITION:
    case WORKLOAD_READ_SLICE:
    case WORKLOAD_SCAN:
        start_read(operation);
        break;
    default:
        start_write(operation);
        break;
    }
}

static void leave_engine(struct storage_world *world)
{
    if (world->coordinator != NULL) coordinator_destroy(world->coordinator);
    world->coordinator = NULL;
    world->engine = NULL;
    world->stops = false;
}

static void end_operations(struct storage_world *world)
{
    while (world->operations != NULL)
        end_operation(world->operations, WORKLOAD_UNKNOWN);
}

static void died(void *context, struct env *env)
{
    struct storage_world *world = context;
    for (struct storage_operation *o = world->operations; o != NULL; o = o->next)
        release_operation(o);
    if (world->engine != NULL) engine_abandon(world->engine);
    leave_engine(world);
    sim_process_destroy(env);
    world->env = NULL;
    if (world->is_over) return;
    workload_died(world->workload);
    end_operations(world);
}

void storage_world_end(struct storage_world *world)
{
    sim_world_cancel(world->sim, &world->reply_call);
    if (world->env == NULL) return;
    world->is_over = true;
    sim_process_crash(world->env);
    while (world->env != NULL)
        ASSERT(sim_world_step(world->sim));
}

static enum status start(void *context, struct error *error)
{
    struct storage_world *world = context;
    world->env = sim_process_start(world->machine, "engine", died, world);
    workload_plan_end(world->workload, world->env);
    const struct engine_options options = {
        .directory = "/store",
        .memtable_space_max = 256 * KIB,
        .chunk_cache_size_max = 128 * KIB,
        .auto_snapshot = true,
    };
    enum status status = engine_open(world->env, &options, world->schema, &world->engine, error);
    if (status != STATUS_OK) {
        world->engine = NULL;
        if (!sim_process_is_alive(world->env)) return STATUS_IO; // Whatever it says.
        sim_process_crash(world->env);
        return status;
    }
    const struct coordinator_options coordinator_options = {.engine = world->engine,
                                                            .schema = world->schema};
    world->coordinator = coordinator_create(world->env, &coordinator_options);
    return STATUS_OK;
}

static void stopped(void *context)
{
    struct storage_world *world = context;
    leave_engine(world);
    if (!sim_process_is_alive(world->env)) return; // Killed in its last step: `died` comes.
    sim_process_destroy(world->env);
    world->env = NULL;
    workload_stopped(world->workload);
    end_operations(world);
}

static void try_stop(struct sim_call *call)
{
    struct storage_world *world = CONTAINER_OF(call, struct storage_world, reply_call);
    if (world->engine == NULL || !world->stops || !sim_process_is_alive(world->env)) return;
    // No operation may be under way at the coordinator; a flush may, the engine cancels it.
    for (struct storage_operation *o = world->operations; o != NULL; o = o->next) {
        if (o->what == FLUSH) continue;
        sim_world_call(world->sim, call, 1000000, try_stop);
        return;
    }
    engine_close(world->engine, stopped, world);
}

static void stop(void *context)
{
    struct storage_world *world = context;
    world->stops = true;
    sim_world_cancel(world->sim, &world->reply_call);
    sim_world_call(world->sim, &world->reply_call, 0, try_stop);
}

static struct env *process(void *context)
{
    struct storage_world *world = context;
    return world->env;
}

const struct workload_world *storage_world_functions(void)
{
    static const struct workload_world functions = {
        .start = start, .submit = submit, .stop = stop, .process = process};
    return &functions;
}

void storage_world_destroy(struct storage_world *world)
{
    ASSERT(world->env == NULL);
    while (world->operations != NULL) {
        struct storage_operation *operation = world->operations;
        world->operations = operation->next;
        arena_deinit(&operation->arena);
        free(operation);
    }
    for (size_t i = 0; i < WORKLOAD_SCHEMA; i++)
        table_unref(world->tables[i]);
    schema_destroy(world->schema);
    free(world);
}
