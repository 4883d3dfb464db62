// What an operation of a shard's engine costs with few and with many rows: increments, each synced
// before it is acknowledged, 128 in flight; reads of one row and of 30. Tags by Zipf's law, as in
// bench/run. Flushes, the log's writes and compactions are in the figures: they are those of the
// process. At the end how long reads and increments take, by the clock, while nothing else goes on
// and beside a major compaction at a node's rate.
//
// For work at the read of what is in no cache: "fill" leaves the directory filled, and "miss" does
// nothing but such reads there, so that two programs can be compared again and again.
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_uv.h"
#include "base/histogram.h"
#include "base/limits.h"
#include "bench/storage_bench/workload.h"
#include "storage/engine/engine.h"
#include "storage/merge/live_rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { IN_FLIGHT = 128, FILL_IN_FLIGHT = 4096, CACHE_SIZE = 64 * MIB, SCRATCH_SIZE = 64 * KIB };
// So many that flushes and compactions are in the figure as often as in the long run.
enum { INCREMENTS_TO_A_READ = 10 };
// Of compactions while latencies are taken, as a node's by default; and then increments in flight.
enum { COMPACTION_RATE = 64 * MIB, LATENCY_IN_FLIGHT = 16, LATENCY_ROUNDS = 3 };

struct bench {
    struct env *env;
    struct engine *engine;
    struct schema *schema;
    const struct table *table;
    struct arena arena; // Of one operation.
    uint64_t position;
    bool is_done;
    enum status status;
    struct commit_log_waiter waiter;
    struct engine_load load;
    struct env_timer timer;
    struct engine_flush flush;
    struct engine_compact compact;
    bool is_compacted;
};

static void check(enum status status, const struct error *error)
{
    if (status == STATUS_OK) return;
    (void)fprintf(stderr, "growth: %s: %s\n", status_text(status),
                  error == NULL ? "" : error->text);
    exit(1);
}

// ---- Waiting ------------------------------------------------------------------------------------

static void finish(struct bench *bench, enum status status)
{
    bench->status = status;
    bench->is_done = true;
    env_uv_stop(bench->env);
}

static void wait(struct bench *bench)
{
    while (!bench->is_done)
        env_uv_run(bench->env);
    bench->is_done = false;
    check(bench->status, NULL);
}

static void synced(struct commit_log_waiter *waiter, enum status status)
{
    finish(CONTAINER_OF(waiter, struct bench, waiter), status);
}

static void loaded(struct engine_load *load, enum status status)
{
    finish(CONTAINER_OF(load, struct bench, load), status);
}

static void passed(struct env_timer *timer)
{
    finish(CONTAINER_OF(timer, struct bench, timer), STATUS_OK);
}

static void flushed(struct engine_flush *flush, enum status status)
{
    finish(CONTAINER_OF(flush, struct bench, flush), status);
}

static void closed(void *bench)
{
    finish(bench, STATUS_OK);
}

// ---- The engine ---------------------------------------------------------------------------------

static const struct table *make_table(void)
{
    struct uuid id = {{0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x10, 0x00, 0x80}};
    struct table_builder *builder =
        table_builder_create(slice_of_text("bench"), slice_of_text("hashtags"), id);
    table_builder_add_column(builder, slice_of_text("tag"), type_of_kind(TYPE_TEXT),
                             COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("day"), type_of_kind(TYPE_TEXT),
                             COLUMN_CLUSTERING, true);
    table_builder_add_column(builder, slice_of_text("mentions"), type_of_kind(TYPE_COUNTER),
                             COLUMN_REGULAR, false);
    return table_builder_finish(builder);
}

static void bench_open(struct bench *bench, const char *directory, size_t memtable_space)
{
    struct error error = {0};
    struct options replication = {0};
    *bench = (struct bench){.table = make_table(), .schema = schema_create()};
    check(env_uv_create(&bench->env, &error), &error);
    arena_init(&bench->arena, SCRATCH_SIZE);
    const struct keyspace *keyspace =
        keyspace_make(slice_of_text("bench"), &replication, true, false);
    check(schema_put_keyspace(bench->schema, keyspace), NULL);
    keyspace_unref(keyspace);
    check(schema_put_table(bench->schema, bench->table), NULL);
    struct engine_options options = {
        .directory = directory,
        .memtable_space_max = memtable_space,
        .chunk_cache_size_max = CACHE_SIZE,
    };
    check(engine_open(bench->env, &options, bench->schema, &bench->engine, &error), &error);
}

static void bench_close(struct bench *bench)
{
    engine_close(bench->engine, closed, bench);
    wait(bench);
    arena_deinit(&bench->arena);
    schema_destroy(bench->schema);
    table_unref(bench->table);
    env_uv_destroy(bench->env);
}

// Until flushes and compactions of what was written before are over: half a second in which the
// process does next to nothing.
static void settle(struct bench *bench)
{
    enum { STEP_NS = 100 * 1000 * 1000, IDLE_NS = 2 * 1000 * 1000, IDLE_STEPS = 5 };
    struct env_process_usage before = {0}, after;
    for (int idle = 0; idle < IDLE_STEPS; before = after) {
        env_timer_start(bench->env, &bench->timer, STEP_NS, passed);
        wait(bench);
        check(env_process_usage(bench->env, 0, &after, NULL), NULL);
        idle = after.cpu_ns - before.cpu_ns < IDLE_NS ? idle + 1 : 0;
    }
}

// ---- Operations ---------------------------------------------------------------------------------

static void wait_synced(struct bench *bench)
{
    if (engine_synced_position(bench->engine) >= bench->position) return;
    engine_wait_synced(bench->engine, &bench->waiter, bench->position, synced);
    wait(bench);
}

static void load_missing(struct bench *bench, struct read_pins *pins)
{
    engine_load(bench->engine, &bench->load, pins, loaded);
    wait(bench);
}

static void increment_place(struct bench *bench, const struct place *place)
{
    struct slice day = slice_make(place->day, place->day_size);
    struct clustering clustering = {1, &day};
    struct counter_increment increment = {.clustering = &clustering, .delta = 1};
    struct counter_update update = {
        .table = bench->table,
        .key = partition_key_make(slice_make(place->tag, place->tag_size)),
        .increments = &increment,
        .increment_count = 1,
        .timestamp_us = env_wall_us(bench->env),
    };
    struct read_pins pins;
    read_pins_init(&pins);
    for (;;) {
        arena_reset(&bench->arena);
        enum status status =
            engine_increment(bench->engine, &update, &pins, &bench->arena, NULL, &bench->position);
        if (status == STATUS_OK) break;
        if (status == STATUS_WOULD_BLOCK) {
            load_missing(bench, &pins);
        } else if (status == STATUS_OVERLOADED) {
            // A flush is to make room first.
            env_timer_start(bench->env, &bench->timer, 1000 * 1000, passed);
            wait(bench);
        } else {
            check(status, NULL);
        }
    }
    read_pins_release(&pins);
}

static void increment(struct bench *bench, const struct place *places, uint64_t count,
                      struct measurement *m)
{
    for (uint64_t i = 0; i < count; i++) {
        increment_place(bench, &places[i]);
        m->operations++;
        if ((i + 1) % IN_FLIGHT == 0 || i + 1 == count) wait_synced(bench);
    }
}

static enum status read_rows(struct bench *bench, const struct partition_key *key,
                             const struct partition_filter *filter, struct read_pins *pins,
                             uint64_t *rows)
{
    struct partition_iterator *partition;
    struct unfiltered unfiltered;
    enum status status = engine_read(bench->engine, bench->table, key, filter, pins, &bench->arena,
                                     &partition, &bench->position);
    if (status != STATUS_OK || partition == NULL) return status;
    for (*rows = 0; *rows < SLICE_ROWS; (*rows)++) {
        status = partition_iterator_next(partition, &unfiltered);
        if (status != STATUS_OK) break;
    }
    partition_iterator_close(partition);
    return status == STATUS_END ? STATUS_OK : status;
}

static void read_place(struct bench *bench, const struct place *place, bool is_slice,
                       struct measurement *m)
{
    struct slice day = slice_make(place->day, place->day_size);
    struct partition_key key = partition_key_make(slice_make(place->tag, place->tag_size));
    struct clustering_range range = CLUSTERING_RANGE_ALL;
    if (!is_slice) range.start.prefix = range.end.prefix = (struct clustering){1, &day};
    struct partition_filter filter = {&range, 1, false, false};
    struct read_pins pins;
    uint64_t rows = 0;
    enum status status;
    read_pins_init(&pins);
    for (;;) {
        arena_reset(&bench->arena);
        status = read_rows(bench, &key, &filter, &pins, &rows);
        if (status != STATUS_WOULD_BLOCK) break;
        load_missing(bench, &pins);
    }
    check(status, NULL);
    read_pins_release(&pins);
    m->operations++;
    m->sum += rows;
}

// ---- The run ------------------------------------------------------------------------------------

// Every place once, day by day, as time brings them.
static void fill(struct bench *bench, const struct workload *w)
{
    struct measurement m;
    measurement_begin(&m, "hashtags", "fill");
    for (uint64_t day = 0; day < DAYS; day++) {
        for (uint64_t tag = 0; tag < w->tags; tag++) {
            struct place place;
            workload_place(tag * DAYS + day, &place);
            increment_place(bench, &place);
            if (++m.operations % FILL_IN_FLIGHT == 0) wait_synced(bench);
        }
    }
    wait_synced(bench);
    measurement_end(&m);
}

// Places twice as many as are measured: with the others come those that are read most into the
// cache.
static void measure_reads(struct bench *bench, const struct place *places, uint64_t count,
                          const char *work, bool is_slice)
{
    struct measurement m;
    for (uint64_t i = 0; i < count; i++)
        read_place(bench, &places[count + i], is_slice, &m);
    measurement_begin(&m, "hashtags", work);
    for (uint64_t i = 0; i < count; i++)
        read_place(bench, &places[i], is_slice, &m);
    measurement_end(&m);
}

// ---- Latencies ----------------------------------------------------------------------------------

struct latencies {
    struct histogram read, increment;
};

static void compacted(struct engine_compact *compact, enum status status)
{
    check(status, NULL);
    CONTAINER_OF(compact, struct bench, compact)->is_compacted = true;
}

// A read and an increment in turn; these are synced together, and each is timed to its sync.
static void take_latencies(struct bench *bench, const struct place *places, uint64_t count,
                           uint64_t *next, struct latencies *latencies)
{
    uint64_t begun_ns[LATENCY_IN_FLIGHT];
    struct measurement m = {0};
    for (int i = 0; i < LATENCY_IN_FLIGHT; i++) {
        const struct place *place = &places[(*next)++ % count];
        uint64_t begin_ns = env_monotonic_ns(bench->env);
        read_place(bench, place, false, &m);
        begun_ns[i] = env_monotonic_ns(bench->env);
        histogram_record(&latencies->read, begun_ns[i] - begin_ns);
        increment_place(bench, place);
    }
    wait_synced(bench);
    uint64_t end_ns = env_monotonic_ns(bench->env);
    for (int i = 0; i < LATENCY_IN_FLIGHT; i++)
        histogram_record(&latencies->increment, end_ns - begun_ns[i]);
}

static void print_latencies(const char *work, const struct latencies *latencies)
{
    printf("{\"table\": \"hashtags\", \"work\": \"%s\", \"operations\": %" PRIu64
           ", \"read_p50_us\": %.1f, \"read_p99_us\": %.1f, \"increment_p50_us\": %.1f, "
           "\"increment_p99_us\": %.1f}\n",
           work, latencies->read.count, (double)histogram_percentile(&latencies->read, 50) / 1000,
           (double)histogram_percentile(&latencies->read, 99) / 1000,
           (double)histogram_percentile(&latencies->increment, 50) / 1000,
           (double)histogram_percentile(&latencies->increment, 99) / 1000);
    (void)fflush(stdout);
}

// As long idle as beside a compaction, in turns.
static void measure_latencies(struct bench *bench, const struct place *places, uint64_t count)
{
    static struct latencies idle, busy;
    uint64_t next = 0;
    histogram_init(&idle.read);
    histogram_init(&idle.increment);
    histogram_init(&busy.read);
    histogram_init(&busy.increment);
    engine_set_compaction_throughput(bench->engine, COMPACTION_RATE);
    for (int round = 0; round < LATENCY_ROUNDS; round++) {
        engine_flush(bench->engine, &bench->table->id, &bench->flush, flushed);
        wait(bench);
        settle(bench);
        bench->is_compacted = false;
        uint64_t begin_ns = env_monotonic_ns(bench->env);
        engine_compact(bench->engine, bench->table->id, false, &bench->compact, compacted);
        while (!bench->is_compacted)
            take_latencies(bench, places, count, &next, &busy);
        uint64_t end_ns = env_monotonic_ns(bench->env);
        settle(bench);
        uint64_t idle_end_ns = env_monotonic_ns(bench->env) + (end_ns - begin_ns);
        while (env_monotonic_ns(bench->env) < idle_end_ns)
            take_latencies(bench, places, count, &next, &idle);
    }
    print_latencies("idle", &idle);
    print_latencies("compaction", &busy);
}

// Reads of one row, each of which is as likely as any other: next to all have to fetch and
// decompress their chunk. What they cost is what an increment costs that finds nothing in its
// cache.
static void run_misses(struct bench *bench, const struct workload *w, uint64_t count)
{
    enum { MISS_ROUNDS = 5 };
    struct place *places = workload_places_to_read(w, 2 * count);
    for (int round = 0; round < MISS_ROUNDS; round++)
        measure_reads(bench, places, count, "miss", false);
    free(places);
}

static void run_fill(struct bench *bench, const struct workload *w)
{
    fill(bench, w);
    engine_flush(bench->engine, &bench->table->id, &bench->flush, flushed);
    wait(bench);
    settle(bench);
}

static void run(struct bench *bench, const struct workload *w, uint64_t count)
{
    struct measurement m = {0};
    uint64_t increments = INCREMENTS_TO_A_READ * count, others = increments / 4;
    struct place *places = workload_increments(w, increments + others);
    fill(bench, w);
    increment(bench, places + increments, others, &m); // So that caches have what is counted most.
    settle(bench);
    measurement_begin(&m, "hashtags", "increment");
    increment(bench, places, increments, &m);
    struct engine_table_stats stats;
    ASSERT(engine_table_stats(bench->engine, bench->table->id, &stats));
    m.memory_bytes = stats.memtable_bytes;
    m.disk_bytes = stats.sstable_bytes;
    m.sum = stats.sstable_count;
    measurement_end(&m);
    settle(bench);
    measure_reads(bench, places, count, "read", false);
    measure_reads(bench, places, count, "slice", true);
    if (stats.sstable_count > 0) measure_latencies(bench, places, count);
    free(places);
}

int main(int count, char **arguments)
{
    const char *work = count == 6 ? arguments[5] : "";
    if ((count != 5 && count != 6) ||
        (count == 6 && strcmp(work, "fill") != 0 && strcmp(work, "miss") != 0)) {
        (void)fprintf(
            stderr,
            "usage: storage_bench_growth DIRECTORY ROWS OPERATIONS MEMTABLE_MIB [fill|miss]\n");
        return 2;
    }
    struct bench bench;
    struct workload workload = workload_make(strtoull(arguments[2], NULL, 10));
    bench_open(&bench, arguments[1], strtoull(arguments[4], NULL, 10) * MIB);
    uint64_t operations = strtoull(arguments[3], NULL, 10);
    if (strcmp(work, "fill") == 0) {
        run_fill(&bench, &workload);
    } else if (strcmp(work, "miss") == 0) {
        run_misses(&bench, &workload, operations);
    } else {
        run(&bench, &workload, operations);
    }
    bench_close(&bench);
    return 0;
}
