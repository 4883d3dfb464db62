// How fast an engine starts from its commit log: the log of a process that died, read back into
// memtables by a new one. Each log is written by a process that ends without a word; each replay
// is a process of its own, as after a crash, so that its memory is as fresh as a node's.
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_uv.h"
#include "base/limits.h"
#include "bench/storage_bench/workload.h"
#include "storage/engine/engine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IN_FLIGHT = 1024, SCRATCH_SIZE = 64 * KIB, VALUE_SIZE = 1000, ROWS_IN_PARTITION = 60 };
// Nothing is flushed: what is measured is the replay alone.
#define MEMTABLE_SPACE (16ull * 1024 * MIB)

struct bench {
    struct env *env;
    struct engine *engine;
    struct schema *schema;
    const struct table *counters, *rows;
    struct arena arena;
    uint64_t position;
    bool is_done;
    struct commit_log_waiter waiter;
};

static void check(enum status status, const struct error *error)
{
    if (status == STATUS_OK) return;
    (void)fprintf(stderr, "replay: %s: %s\n", status_text(status),
                  error == NULL ? "" : error->text);
    exit(1);
}

// ---- The engine ---------------------------------------------------------------------------------

static const struct table *make_table(const char *name, uint8_t id_byte, enum type_kind value_kind)
{
    struct uuid id = {{0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x10, 0x00, 0x80, id_byte}};
    struct table_builder *builder =
        table_builder_create(slice_of_text("bench"), slice_of_text(name), id);
    table_builder_add_column(builder, slice_of_text("tag"), type_of_kind(TYPE_TEXT),
                             COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("day"), type_of_kind(TYPE_TEXT),
                             COLUMN_CLUSTERING, true);
    table_builder_add_column(builder, slice_of_text("value"), type_of_kind(value_kind),
                             COLUMN_REGULAR, false);
    return table_builder_finish(builder);
}

static void bench_open(struct bench *bench, const char *directory, struct measurement *m,
                       const char *work)
{
    struct error error = {0};
    struct options replication = {0};
    *bench = (struct bench){.counters = make_table("hashtags", 0, TYPE_COUNTER),
                            .rows = make_table("rows", 1, TYPE_BLOB),
                            .schema = schema_create()};
    check(env_uv_create(&bench->env, &error), &error);
    arena_init(&bench->arena, SCRATCH_SIZE);
    const struct keyspace *keyspace =
        keyspace_make(slice_of_text("bench"), &replication, true, false);
    check(schema_put_keyspace(bench->schema, keyspace), NULL);
    keyspace_unref(keyspace);
    check(schema_put_table(bench->schema, bench->counters), NULL);
    check(schema_put_table(bench->schema, bench->rows), NULL);
    struct engine_options options = {.directory = directory, .memtable_space_max = MEMTABLE_SPACE};
    measurement_begin(m, "log", work);
    check(engine_open(bench->env, &options, bench->schema, &bench->engine, &error), &error);
}

// ---- The log ------------------------------------------------------------------------------------

static void synced(struct commit_log_waiter *waiter, enum status status)
{
    struct bench *bench = CONTAINER_OF(waiter, struct bench, waiter);
    check(status, NULL);
    bench->is_done = true;
    env_uv_stop(bench->env);
}

static void wait_synced(struct bench *bench)
{
    bench->is_done = engine_synced_position(bench->engine) >= bench->position;
    if (!bench->is_done) engine_wait_synced(bench->engine, &bench->waiter, bench->position, synced);
    while (!bench->is_done)
        env_uv_run(bench->env);
}

static uint64_t log_size(const char *directory)
{
    uint64_t size = 0;
    for (unsigned id = 0; id <= COMMIT_LOG_SEGMENTS_MAX; id++) {
        char path[512];
        struct stat found;
        (void)snprintf(path, sizeof path, "%s/commitlog/CommitLog-%u.log", directory, id);
        if (stat(path, &found) == 0) size += (uint64_t)found.st_size;
    }
    return size;
}

static void increment(struct bench *bench, const struct place *place)
{
    struct slice day = slice_make(place->day, place->day_size);
    struct clustering clustering = {1, &day};
    struct counter_increment counted = {.clustering = &clustering, .delta = 1};
    struct counter_update update = {
        .table = bench->counters,
        .key = partition_key_make(slice_make(place->tag, place->tag_size)),
        .increments = &counted,
        .increment_count = 1,
        .timestamp_us = env_wall_us(bench->env),
    };
    struct read_pins pins;
    read_pins_init(&pins);
    arena_reset(&bench->arena);
    check(engine_increment(bench->engine, &update, &pins, &bench->arena, NULL, &bench->position),
          NULL);
    read_pins_release(&pins);
}

static void insert(struct bench *bench, const struct place *place, uint64_t index)
{
    uint8_t value[VALUE_SIZE];
    for (size_t i = 0; i < sizeof value; i++)
        value[i] = (uint8_t)(index + i);
    int64_t timestamp = FIRST_TIMESTAMP_US + (int64_t)index;
    struct slice day = slice_make(place->day, place->day_size);
    struct cell cell = {.local_time = LOCAL_TIME_NONE,
                        .timestamp = timestamp,
                        .value = slice_make(value, sizeof value)};
    struct row row = {.clustering = {1, &day},
                      .liveness = {timestamp, TTL_NONE, LOCAL_TIME_NONE},
                      .deletion = DELETION_NONE,
                      .cell_count = 1,
                      .cells = &cell};
    struct mutation mutation = {
        .table = bench->rows,
        .key = partition_key_make(slice_make(place->tag, place->tag_size)),
        .deletion = DELETION_NONE,
        .rows = &row,
        .row_count = 1,
    };
    check(engine_apply(bench->engine, &mutation, &bench->position), NULL);
}

// Increments of `places` places, by Zipf's law, or rows, each place one, in no order.
static void write_log(const char *directory, bool of_rows, uint64_t size)
{
    struct bench bench;
    struct measurement m;
    uint64_t count = size / (of_rows ? 1100 : 130);
    struct workload workload = workload_make(of_rows ? count : count / INCREMENTS_OF_PLACE);
    bench_open(&bench, directory, &m, "write");
    struct place *places =
        of_rows ? workload_places_to_read(&workload, count) : workload_increments(&workload, count);
    for (uint64_t i = 0; i < count; i++) {
        if (of_rows) {
            insert(&bench, &places[i], i);
        } else {
            increment(&bench, &places[i]);
        }
        m.operations++;
        if ((i + 1) % IN_FLIGHT == 0 || i + 1 == count) wait_synced(&bench);
    }
    m.data_bytes = log_size(directory);
    measurement_end(&m);
}

static void replay_log(const char *directory, bool of_rows)
{
    struct bench bench;
    struct measurement m;
    bench_open(&bench, directory, &m, of_rows ? "replay rows" : "replay increments");
    m.data_bytes = log_size(directory);
    m.operations = engine_last_position(bench.engine);
    struct engine_table_stats stats;
    ASSERT(engine_table_stats(bench.engine, of_rows ? bench.rows->id : bench.counters->id, &stats));
    m.memory_bytes = stats.memtable_bytes;
    m.sum = stats.memtable_partitions;
    measurement_end(&m);
}

// ---- The runs -----------------------------------------------------------------------------------

int main(int count, char **arguments)
{
    if (count != 5) {
        (void)fprintf(stderr, "usage: storage_bench_replay DIRECTORY increments|rows MIB ROUNDS\n");
        return 2;
    }
    bool of_rows = strcmp(arguments[2], "rows") == 0;
    uint64_t size = strtoull(arguments[3], NULL, 10) * MIB,
             rounds = strtoull(arguments[4], NULL, 10);
    if (size > (COMMIT_LOG_SEGMENTS_MAX - 1) * COMMIT_LOG_SEGMENT_SIZE) {
        (void)fprintf(stderr, "replay: an engine flushes before its log is so long\n");
        return 2;
    }
    // A log that is there already is replayed once more.
    bool is_new = mkdir(arguments[1], 0777) == 0;
    for (uint64_t i = is_new ? 0 : 1; i <= rounds; i++) {
        pid_t child = fork();
        if (child == 0) {
            if (i == 0) {
                write_log(arguments[1], of_rows, size);
            } else {
                replay_log(arguments[1], of_rows);
            }
            _exit(0);
        }
        int result = 0;
        if (child < 0 || waitpid(child, &result, 0) != child || result != 0) return 1;
    }
    return 0;
}
