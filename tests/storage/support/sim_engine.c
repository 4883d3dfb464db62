#include "tests/storage/support/sim_engine.h"

#include "base/container_of.h"
#include "base/limits.h"
#include "storage/counter_context.h"
#include "storage/merge/live_rows.h"
#include "storage/uuid.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 4, NOW_S = 1000 };

#define WAIT_MAX_NS (UINT64_C(200) * 1000000000)

static const char *const names[SIM_TABLE_COUNT] = {"t", "u", "n"};

// ---- Tables -------------------------------------------------------------------------------------

static const struct table *make_table(enum sim_engine_table which)
{
    struct uuid id = {{0x13, 0x81, 0x40, 0, 0x1d, 0xd2, 0x11, 0xb2, 0x80, 0, 0, 0, 0, 0, 0, 0}};
    id.bytes[15] = (uint8_t)(1 + which);
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text(names[which]), id);
    const struct type *number = type_of_kind(TYPE_INT);
    table_builder_add_column(builder, slice_of_text("k"), number, COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("c"), number, COLUMN_CLUSTERING, false);
    bool counts = which == SIM_COUNTERS;
    table_builder_add_column(builder, slice_of_text("v"),
                             type_of_kind(counts ? TYPE_COUNTER : TYPE_TEXT), COLUMN_REGULAR,
                             false);
    table_builder_set_counter(builder, counts);
    return table_builder_finish(builder);
}

const char *sim_engine_table_directory(struct sim_engine *sim, enum sim_engine_table table)
{
    char hex[40];
    const struct table *t = sim->tables[table];
    for (int i = 0; i < 16; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", t->id.bytes[i]);
    return arena_format(&sim->arena, "%s/data/ks/%s-%s", sim->root, names[table], hex);
}

// ---- The world ----------------------------------------------------------------------------------

static void died(void *context, struct env *env)
{
    struct sim_engine *sim = context;
    read_pins_release(&sim->pins);
    if (sim->engine != NULL) engine_abandon(sim->engine);
    sim->engine = NULL;
    sim_process_destroy(env);
    sim->env = NULL;
}

void sim_engine_start(struct sim_engine *sim)
{
    if (sim->env != NULL) return;
    sim->env = sim_process_start(sim->machine, "process", died, sim);
    failing_env_init(&sim->failing, sim->env);
}

static void make_root(struct sim_engine *sim)
{
    sim_engine_start(sim);
    char path[512];
    (void)snprintf(path, sizeof path, "%s", sim->root);
    for (char *at = path + 1; *at != '\0'; at++) {
        if (*at != '/') continue;
        *at = '\0';
        ck_assert_int_eq(env_make_dir(sim->env, path, NULL), STATUS_OK);
        *at = '/';
    }
    ck_assert_int_eq(env_make_dir(sim->env, path, NULL), STATUS_OK);
    sim_machine_sync(sim->machine);
}

void sim_engine_init(struct sim_engine *sim, uint64_t seed, const char *root)
{
    *sim = (struct sim_engine){.root = root};
    struct sim_options options = {.seed = seed};
    options.chances[SIM_FAULT_LOST_PAGE] = 0.5;
    options.chances[SIM_FAULT_LOST_NAME] = 0.5;
    options.chances[SIM_FAULT_TORN_PAGE] = 0.3;
    options.chances[SIM_FAULT_SIZE_BEFORE_DATA] = 0.3;
    sim->world = sim_world_create(&options);
    sim->machine = sim_machine_create(sim->world, "machine");
    arena_init(&sim->arena, 16 * KIB);
    read_pins_init(&sim->pins);
    make_root(sim);
    sim->schema = schema_create();
    struct options replication = {0};
    const struct keyspace *keyspace = keyspace_make(slice_of_text("ks"), &replication, true, false);
    ck_assert_int_eq(schema_put_keyspace(sim->schema, keyspace), STATUS_OK);
    keyspace_unref(keyspace);
    for (int i = 0; i < SIM_TABLE_COUNT; i++) {
        sim->tables[i] = make_table((enum sim_engine_table)i);
        ck_assert_int_eq(schema_put_table(sim->schema, sim->tables[i]), STATUS_OK);
    }
}

void sim_engine_kill(struct sim_engine *sim, bool power)
{
    if (power)
        sim_machine_crash(sim->machine);
    else if (sim->env != NULL && sim_process_is_alive(sim->env))
        sim_process_crash(sim->env);
    while (sim->env != NULL)
        ck_assert(sim_world_step(sim->world));
}

void sim_engine_deinit(struct sim_engine *sim)
{
    sim_engine_kill(sim, false);
    for (int i = 0; i < SIM_TABLE_COUNT; i++)
        table_unref(sim->tables[i]);
    schema_destroy(sim->schema);
    sim_world_destroy(sim->world);
    arena_deinit(&sim->arena);
}

bool sim_engine_await(struct sim_engine *sim, const bool *done)
{
    uint64_t end = sim_world_now(sim->world) + WAIT_MAX_NS;
    while (!*done && sim->env != NULL && sim_world_now(sim->world) < end)
        if (!sim_world_step(sim->world)) break;
    return *done && sim->env != NULL && sim_process_is_alive(sim->env);
}

enum status sim_engine_open(struct sim_engine *sim)
{
    sim_engine_start(sim);
    const struct table *dropped[SIM_TABLE_COUNT];
    size_t dropped_count = 0;
    for (int i = 0; i < SIM_TABLE_COUNT; i++)
        if (schema_find_table(sim->schema, slice_of_text("ks"), slice_of_text(names[i])) == NULL)
            dropped[dropped_count++] = sim->tables[i];
    const struct engine_options options = {.directory = sim->root,
                                           .dropped_tables = dropped,
                                           .dropped_table_count = dropped_count,
                                           .auto_snapshot = sim->auto_snapshot,
                                           .memtable_space_max = 4 * MIB,
                                           .chunk_cache_size_max = 256 * KIB};
    enum status status =
        engine_open(&sim->failing.base, &options, sim->schema, &sim->engine, &sim->error);
    if (status != STATUS_OK) sim->engine = NULL;
    return status;
}

// ---- Writes -------------------------------------------------------------------------------------

struct wait {
    struct commit_log_waiter waiter;
    struct engine_flush flush;
    struct engine_load load;
    enum status status;
    bool done;
};

static void set_done(struct wait *wait, enum status status)
{
    wait->status = status;
    wait->done = true;
}

static void synced(struct commit_log_waiter *waiter, enum status status)
{
    set_done(CONTAINER_OF(waiter, struct wait, waiter), status);
}

static void flushed(struct engine_flush *flush, enum status status)
{
    set_done(CONTAINER_OF(flush, struct wait, flush), status);
}

static void loaded(struct engine_load *load, enum status status)
{
    set_done(CONTAINER_OF(load, struct wait, load), status);
}

static enum status finish(struct sim_engine *sim, const struct wait *wait)
{
    return sim_engine_await(sim, &wait->done) ? wait->status : STATUS_CLOSED;
}

enum status sim_engine_wait_synced(struct sim_engine *sim)
{
    struct wait wait = {.done = false};
    engine_wait_synced(sim->engine, &wait.waiter, sim->position, synced);
    return finish(sim, &wait);
}

enum status sim_engine_flush(struct sim_engine *sim)
{
    struct wait wait = {.done = false};
    engine_flush(sim->engine, NULL, &wait.flush, flushed);
    return finish(sim, &wait);
}

static struct slice number_of(struct sim_engine *sim, int number)
{
    uint8_t *bytes = arena_alloc(&sim->arena, 4);
    bytes_put_u32(bytes, (uint32_t)number);
    return slice_make(bytes, 4);
}

static struct clustering clustering_of(struct sim_engine *sim, int place)
{
    struct slice *value = ARENA_NEW(&sim->arena, struct slice);
    *value = number_of(sim, place);
    return (struct clustering){1, value};
}

static enum status load(struct sim_engine *sim)
{
    struct wait wait = {.done = false};
    engine_load(sim->engine, &wait.load, &sim->pins, loaded);
    return finish(sim, &wait);
}

static enum status count(struct sim_engine *sim, int key, int place, int round)
{
    struct clustering clustering = clustering_of(sim, place);
    struct counter_increment increment = {.clustering = &clustering, .delta = 1 + round * 1000};
    struct counter_update update = {.table = sim->tables[SIM_COUNTERS],
                                    .key = partition_key_make(number_of(sim, key)),
                                    .increments = &increment,
                                    .increment_count = 1,
                                    .timestamp_us = 1000 + round};
    enum status status;
    while ((status = engine_increment(sim->engine, &update, &sim->pins, &sim->arena, NULL,
                                      &sim->position)) == STATUS_WOULD_BLOCK) {
        if ((status = load(sim)) != STATUS_OK) break;
    }
    read_pins_release(&sim->pins);
    return status;
}

// Row 3 of each key is deleted in each second round, by a range.
static enum status put(struct sim_engine *sim, enum sim_engine_table table, int key, int place,
                       int round)
{
    struct cell cell = {.local_time = LOCAL_TIME_NONE,
                        .timestamp = 1000 + round,
                        .value = slice_of_text(arena_format(
                            &sim->arena, "value %d/%d of round %d %0100d", key, place, round, 7))};
    struct row row = {.clustering = clustering_of(sim, place),
                      .liveness = {1000 + round, TTL_NONE, LOCAL_TIME_NONE},
                      .deletion = DELETION_NONE,
                      .cell_count = 1,
                      .cells = &cell};
    struct range_deletion range = {{{BOUND_INCL_START, row.clustering}, BOUND_TOP},
                                   {1000 + round, NOW_S}};
    struct mutation mutation = {.table = sim->tables[table],
                                .key = partition_key_make(number_of(sim, key)),
                                .deletion = DELETION_NONE};
    if (place == ROWS - 1 && round % 2 == 1) {
        mutation.range_deletions = &range;
        mutation.range_deletion_count = 1;
    } else {
        mutation.rows = &row;
        mutation.row_count = 1;
    }
    return engine_apply(sim->engine, &mutation, &sim->position);
}

enum status sim_engine_write(struct sim_engine *sim, enum sim_engine_table table, int first,
                             int end, int round)
{
    enum status status = STATUS_OK;
    for (int key = first; key < end && status == STATUS_OK; key++)
        for (int place = 0; place < ROWS && status == STATUS_OK; place++)
            status = table == SIM_COUNTERS ? count(sim, key, place, round)
                                           : put(sim, table, key, place, round);
    return status == STATUS_OK ? sim_engine_wait_synced(sim) : status;
}

void sim_engine_fill(struct sim_engine *sim)
{
    ck_assert_msg(sim_engine_open(sim) == STATUS_OK, "%s", sim->error.text);
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(sim_engine_write(sim, SIM_TABLE, 2 * round, 6 + round, round), STATUS_OK);
        ck_assert_int_eq(sim_engine_write(sim, SIM_COUNTERS, round, 4, round), STATUS_OK);
        if (round > 0) ck_assert_int_eq(sim_engine_write(sim, SIM_OTHER, 0, 4, round), STATUS_OK);
        if (round < 2) ck_assert_int_eq(sim_engine_flush(sim), STATUS_OK);
    }
    sim_machine_sync(sim->machine);
}

// ---- Reads --------------------------------------------------------------------------------------

enum status sim_engine_put_partition(struct sim_engine *sim, struct partition_iterator *partition,
                                     struct buffer *text)
{
    bool counts = partition->table->is_counter;
    struct live_rows rows;
    uint32_t key = bytes_get_u32(partition->key.bytes.data);
    live_rows_init(&rows, partition, NOW_S, &sim->arena);
    enum status status;
    const struct live_row *row;
    while ((status = live_rows_next(&rows, &row)) == STATUS_OK) {
        const struct cell *cell;
        buffer_put_format(text, "%u %u ", key, bytes_get_u32(row->clustering.values[0].data));
        if (live_row_cells(row, 0, &cell) == 1 && counts)
            buffer_put_format(text, "%" PRId64, counter_context_total(cell->value));
        else if (live_row_cells(row, 0, &cell) == 1)
            buffer_put(text, cell->value.data, cell->value.size);
        buffer_put(text, "\n", 1);
    }
    live_rows_deinit(&rows);
    return status;
}

static enum status scan(struct sim_engine *sim, enum sim_engine_table table, struct buffer *text)
{
    struct clustering_range range = CLUSTERING_RANGE_ALL;
    struct partition_filter filter = {&range, 1, false, true};
    struct scan_range all = SCAN_RANGE_ALL;
    struct scan_iterator *scan;
    uint64_t position = 0;
    enum status status = engine_scan(sim->engine, sim->tables[table], &all, &filter, &sim->pins,
                                     &sim->arena, &scan, &position);
    if (status != STATUS_OK) return status;
    struct partition_iterator *partition;
    while ((status = scan_iterator_next(scan, &partition)) == STATUS_OK) {
        status = sim_engine_put_partition(sim, partition, text);
        if (status != STATUS_END) break;
    }
    scan_iterator_close(scan);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status sim_engine_put_rows(struct sim_engine *sim, enum sim_engine_table table,
                                struct buffer *text)
{
    size_t start = text->size;
    enum status status;
    while ((status = scan(sim, table, text)) == STATUS_WOULD_BLOCK) {
        buffer_truncate(text, start);
        status = load(sim);
        if (status != STATUS_OK) break;
    }
    read_pins_release(&sim->pins);
    return status;
}
