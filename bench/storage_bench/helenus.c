// The storage of a shard with the rows of workload.h: memtables, SSTables and their merge, as the
// engine uses them, without its commit log and its loop.
#include "base/assert.h"
#include "base/env_uv.h"
#include "base/limits.h"
#include "bench/storage_bench/workload.h"
#include "storage/compaction/compaction_task.h"
#include "storage/counter_context.h"
#include "storage/memtable/memtable.h"
#include "storage/sstable/sstable.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CACHE_SIZE = 64 * MIB, SCRATCH_SIZE = 64 * KIB, COMPACTION_STEP = 4 * MIB };

static const struct uuid node_id = {{0xbe, 0xac, 0x11, 0x22, 0x11, 0x22, 0x10, 0x00, 0x80, 0x00,
                                     0x33, 0x33, 0x44, 0x44, 0x55, 0x55}};

struct store {
    struct env *env;
    char directory[512];
    const struct table *table;
    bool is_counter;
    struct memtable *memtable;
    struct sstable_reader *readers[FILES];
    struct sstable_content contents[FILES];
    struct chunk_cache *cache;
    struct arena arena; // Of one read.
};

static void check(enum status status, const struct error *error)
{
    if (status == STATUS_OK) return;
    (void)fprintf(stderr, "helenus: %s: %s\n", status_text(status), error->text);
    exit(1);
}

// ---- The store ----------------------------------------------------------------------------------

static void add_column(struct table_builder *builder, const char *name, enum type_kind type,
                       enum column_kind kind, bool reversed)
{
    table_builder_add_column(builder, slice_of_text(name), type_of_kind(type), kind, reversed);
}

static const struct table *make_table(bool is_counter)
{
    struct uuid id = {{0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x10, 0x00, 0x80, 0x00, 0x33, 0x33, 0x44,
                       0x44, 0x55, is_counter}};
    struct table_builder *builder = table_builder_create(
        slice_of_text("bench"), slice_of_text(is_counter ? "hashtags" : "events"), id);
    if (is_counter) {
        add_column(builder, "tag", TYPE_TEXT, COLUMN_PARTITION_KEY, false);
        add_column(builder, "day", TYPE_TEXT, COLUMN_CLUSTERING, true);
        add_column(builder, "mentions", TYPE_COUNTER, COLUMN_REGULAR, false);
    } else {
        add_column(builder, "k", TYPE_TEXT, COLUMN_PARTITION_KEY, false);
        add_column(builder, "c", TYPE_BIGINT, COLUMN_CLUSTERING, true);
        add_column(builder, "v", TYPE_TEXT, COLUMN_REGULAR, false);
        add_column(builder, "n", TYPE_INT, COLUMN_REGULAR, false);
    }
    return table_builder_finish(builder);
}

static void store_init(struct store *store, struct env *env, const char *directory,
                       const char *name, bool is_counter)
{
    *store = (struct store){.env = env, .is_counter = is_counter};
    (void)snprintf(store->directory, sizeof store->directory, "%s/%s", directory, name);
    (void)mkdir(store->directory, 0777);
    store->table = make_table(is_counter);
    store->memtable = memtable_create(store->table);
    store->cache = chunk_cache_create(CACHE_SIZE);
    arena_init(&store->arena, SCRATCH_SIZE);
}

static void store_deinit(struct store *store)
{
    memtable_unref(store->memtable);
    for (int i = 0; i < FILES; i++)
        sstable_unref(store->readers[i]);
    chunk_cache_destroy(store->cache);
    table_unref(store->table);
    arena_deinit(&store->arena);
}

static const struct clustering_range any_place = {{BOUND_INCL_START, {0, NULL}},
                                                  {BOUND_INCL_END, {0, NULL}}};
static const struct partition_filter all_rows = {&any_place, 1, false, true};
static const struct scan_range whole_ring = {{{INT64_MIN}, {NULL, 0}, true},
                                             {{INT64_MAX}, {NULL, 0}, true}};

static struct scan_iterator *scan_memtable(struct store *store, struct arena *arena)
{
    return memtable_scan(store->memtable, store->table, &whole_ring, &all_rows, arena, NULL);
}

// Writes the memtable as SSTable `index`. Returns the bytes of its files.
static uint64_t flush(struct store *store, int index)
{
    struct error error = {0};
    struct sstable_summary written;
    memtable_freeze(store->memtable);
    arena_reset(&store->arena);
    check(sstable_content_gather(scan_memtable(store, &store->arena), &store->contents[index]),
          &error);
    struct sstable_write_options options = {
        .directory = store->directory,
        .generation = (uint64_t)index + 1,
        .table = store->table,
        .content = &store->contents[index],
        .host_id = &node_id,
    };
    check(
        sstable_write(store->env, &options, scan_memtable(store, &store->arena), &written, &error),
        &error);
    return written.size;
}

static void open_sstable(struct store *store, int index)
{
    struct error error = {0};
    check(sstable_open(store->env, store->directory, (uint64_t)index + 1, store->table, NULL,
                       &store->readers[index], &error),
          &error);
}

// ---- Writes -------------------------------------------------------------------------------------

// The clustering value and cells of one row, with the memory that they point to.
struct built_row {
    struct slice clustering;
    uint8_t numbers[12], context[COUNTER_SINGLE_SHARD_SIZE];
    struct cell cells[2];
    struct row row;
    struct mutation mutation;
};

static struct cell make_cell(uint16_t column, int64_t timestamp, struct slice value)
{
    return (struct cell){.column = column,
                         .ttl = TTL_NONE,
                         .local_time = LOCAL_TIME_NONE,
                         .timestamp = timestamp,
                         .value = value};
}

static void build_mutation(struct built_row *built, const struct store *store, struct slice key)
{
    built->row.clustering = (struct clustering){1, &built->clustering};
    built->row.deletion = DELETION_NONE;
    built->row.cells = built->cells;
    built->mutation = (struct mutation){.table = store->table,
                                        .key = partition_key_make(key),
                                        .deletion = DELETION_NONE,
                                        .rows = &built->row,
                                        .row_count = 1};
}

static void insert_event(struct store *store, const struct event *event, int64_t timestamp)
{
    struct built_row built;
    bytes_put_u64(built.numbers, (uint64_t)event->c);
    bytes_put_u32(built.numbers + 8, (uint32_t)event->n);
    built.clustering = slice_make(built.numbers, 8);
    // n stands before v.
    built.cells[0] = make_cell(0, timestamp, slice_make(built.numbers + 8, 4));
    built.cells[1] = make_cell(1, timestamp, slice_make(event->v, event->v_size));
    built.row = (struct row){.liveness = {timestamp, TTL_NONE, LOCAL_TIME_NONE}, .cell_count = 2};
    build_mutation(&built, store, slice_make(event->k, event->k_size));
    (void)memtable_apply(store->memtable, &built.mutation, 0);
}

static void insert_events(struct store *store, const struct event *events, uint64_t count,
                          int64_t timestamp, struct measurement *m)
{
    for (uint64_t i = 0; i < count; i++) {
        insert_event(store, &events[i], timestamp + (int64_t)i);
        m->data_bytes += workload_event_size(&events[i]);
    }
    m->operations = count;
}

// As the engine does: the own shard is found, counted on, and written. `flushed` is what stands in
// SSTables, as the engine's cache of shards knows it.
static void increment_place(struct store *store, const struct place *place, uint64_t flushed,
                            int64_t timestamp)
{
    struct built_row built;
    struct counter_shard shard = {.clock = 0, .count = (int64_t)flushed};
    built.clustering = slice_make(place->day, place->day_size);
    built.row = (struct row){.liveness = LIVENESS_NONE, .cell_count = 1};
    build_mutation(&built, store, slice_make(place->tag, place->tag_size));
    const struct cell *cell =
        memtable_find_cell(store->memtable, &built.mutation.key, &built.row.clustering, 0);
    if (cell != NULL) (void)counter_context_find(cell->value, node_id, &shard);
    if (timestamp <= shard.clock) timestamp = shard.clock + 1;
    counter_context_make_global(node_id, timestamp, shard.count + 1, built.context);
    built.cells[0] = make_cell(0, timestamp, slice_make(built.context, COUNTER_SINGLE_SHARD_SIZE));
    (void)memtable_apply(store->memtable, &built.mutation, 0);
}

// `file`: of those of a compaction, else 0.
static void increment(struct store *store, const struct place *places, uint64_t count, int file,
                      struct measurement *m)
{
    int64_t timestamp = FIRST_TIMESTAMP_US + file * (int64_t)count;
    for (uint64_t i = 0; i < count; i++) {
        increment_place(store, &places[i], workload_count_before(&places[i], file),
                        timestamp + (int64_t)i);
        m->data_bytes += workload_place_size(&places[i]);
    }
    m->operations = count;
}

// ---- Reads --------------------------------------------------------------------------------------

static void sum_row(const struct store *store, const struct row *row, struct measurement *m)
{
    const struct cell *cell = &row->cells[0];
    m->sum += store->is_counter ? (uint64_t)counter_context_total(cell->value)
                                : bytes_get_u32(cell->value.data);
}

// Up to `limit` rows of what the iterator has; closes it.
static enum status sum_partition(const struct store *store, struct partition_iterator *partition,
                                 uint64_t limit, uint64_t *rows, struct measurement *m)
{
    struct unfiltered unfiltered;
    enum status status = STATUS_OK;
    for (uint64_t i = 0; i < limit; i++) {
        status = partition_iterator_next(partition, &unfiltered);
        if (status != STATUS_OK) break;
        sum_row(store, unfiltered.row, m);
        (*rows)++;
    }
    partition_iterator_close(partition);
    return status == STATUS_END ? STATUS_OK : status;
}

static void load_missing(struct store *store, struct read_pins *pins)
{
    struct sstable_load load;
    struct error error = {0};
    while (sstable_load_begin(&load, pins)) {
        sstable_load_work(&load);
        check(sstable_load_finish(&load, store->cache, pins, &error), &error);
    }
}

// One partition from the memtable or, once it is flushed, from the SSTable.
static void read_partition(struct store *store, struct slice key_bytes, const struct slice *value,
                           uint64_t limit, struct measurement *m)
{
    struct partition_key key = partition_key_make(key_bytes);
    struct clustering_range range = CLUSTERING_RANGE_ALL;
    struct partition_filter filter = {&range, 1, false, false};
    struct error error = {0};
    uint64_t rows = 0, sum = m->sum;
    if (value != NULL) {
        range.start.prefix = range.end.prefix = (struct clustering){1, value};
    }
    m->operations++;
    arena_reset(&store->arena);
    if (store->readers[0] == NULL) {
        struct partition_iterator *partition =
            memtable_read(store->memtable, store->table, &key, &filter, &store->arena, NULL);
        if (partition == NULL) return;
        check(sum_partition(store, partition, limit, &rows, m), &error);
        return;
    }
    struct read_pins pins;
    read_pins_init(&pins);
    for (;;) {
        struct partition_iterator *partition;
        enum status status = sstable_read(store->readers[0], store->table, &key, &filter,
                                          store->cache, &pins, &store->arena, &partition, &error);
        if (status == STATUS_OK && partition != NULL)
            status = sum_partition(store, partition, limit, &rows, m);
        if (status != STATUS_WOULD_BLOCK) {
            check(status, &error);
            break;
        }
        m->sum = sum;
        load_missing(store, &pins);
    }
    read_pins_release(&pins);
}

// Closes the scan.
static enum status sum_scan(struct store *store, struct scan_iterator *scan, struct measurement *m)
{
    struct partition_iterator *partition;
    enum status status;
    while ((status = scan_iterator_next(scan, &partition)) == STATUS_OK) {
        status = sum_partition(store, partition, UINT64_MAX, &m->operations, m);
        if (status != STATUS_OK) break;
    }
    scan_iterator_close(scan);
    return status == STATUS_END ? STATUS_OK : status;
}

static void scan_sstable(struct store *store, struct chunk_cache *cache, struct measurement *m)
{
    struct error error = {0};
    struct scan_iterator *scan;
    struct read_pins pins;
    enum status status;
    read_pins_init(&pins);
    do {
        m->sum = m->operations = 0;
        load_missing(store, &pins);
        arena_reset(&store->arena);
        status = sstable_scan(store->readers[0], store->table, &whole_ring, &all_rows, cache,
                              cache == NULL ? NULL : &pins, &store->arena, &scan, &error);
        if (status == STATUS_OK) status = sum_scan(store, scan, m);
    } while (status == STATUS_WOULD_BLOCK);
    check(status, &error);
    read_pins_release(&pins);
}

static void read_event(struct store *store, const struct event *event, struct measurement *m)
{
    uint8_t bytes[8];
    bytes_put_u64(bytes, (uint64_t)event->c);
    struct slice value = slice_make(bytes, 8);
    read_partition(store, slice_make(event->k, event->k_size), &value, 1, m);
}

static void read_events(struct store *store, const struct workload *w, const char *where,
                        uint64_t reads)
{
    char name[32];
    struct measurement m;
    struct event *events = workload_events_to_read(w, reads);
    struct event *missing = workload_events_to_miss(w, reads);
    (void)snprintf(name, sizeof name, "%s hit", where);
    measurement_begin(&m, "events", name);
    for (uint64_t i = 0; i < reads; i++)
        read_event(store, &events[i], &m);
    measurement_end(&m);
    (void)snprintf(name, sizeof name, "%s miss", where);
    measurement_begin(&m, "events", name);
    for (uint64_t i = 0; i < reads; i++)
        read_event(store, &missing[i], &m);
    measurement_end(&m);
    (void)snprintf(name, sizeof name, "%s slice", where);
    measurement_begin(&m, "events", name);
    for (uint64_t i = 0; i < reads; i++)
        read_partition(store, slice_make(events[i].k, events[i].k_size), NULL, SLICE_ROWS, &m);
    measurement_end(&m);
    free(missing);
    free(events);
}

static void read_places(struct store *store, const struct workload *w, const char *where,
                        uint64_t reads)
{
    char name[32];
    struct measurement m;
    struct place *places = workload_places_to_read(w, reads);
    (void)snprintf(name, sizeof name, "%s hit", where);
    measurement_begin(&m, "hashtags", name);
    for (uint64_t i = 0; i < reads; i++) {
        struct slice day = slice_make(places[i].day, places[i].day_size);
        read_partition(store, slice_make(places[i].tag, places[i].tag_size), &day, 1, &m);
    }
    measurement_end(&m);
    (void)snprintf(name, sizeof name, "%s slice", where);
    measurement_begin(&m, "hashtags", name);
    for (uint64_t i = 0; i < reads; i++)
        read_partition(store, slice_make(places[i].tag, places[i].tag_size), NULL, SLICE_ROWS, &m);
    measurement_end(&m);
    free(places);
}

// ---- The runs -----------------------------------------------------------------------------------

static void flush_and_scan(struct store *store, const char *table, uint64_t operations,
                           uint64_t data_bytes)
{
    struct measurement m;
    measurement_begin(&m, table, "flush");
    m.operations = operations;
    m.data_bytes = data_bytes;
    m.disk_bytes = flush(store, 0);
    measurement_end(&m);
    open_sstable(store, 0);
    measurement_begin(&m, table, "scan");
    m.data_bytes = data_bytes;
    scan_sstable(store, NULL, &m);
    measurement_end(&m);
    struct measurement unused = {0};
    scan_sstable(store, store->cache, &unused); // So that the cache has all that it can.
    measurement_begin(&m, table, "cached scan");
    m.data_bytes = data_bytes;
    scan_sstable(store, store->cache, &m);
    measurement_end(&m);
}

// Returns the bytes of the new files. The generation of the first is FILES + 1.
static uint64_t compact_files(struct store *store)
{
    struct compaction_task_options options = {
        .directory = store->directory,
        .table = store->table,
        .inputs = store->readers,
        .input_count = FILES,
        .purge = {.gc_before = INT32_MIN, .memory_min_timestamp = INT64_MAX},
        .generation = FILES + 1,
        .generation_step = 1,
        .host_id = &node_id,
    };
    struct compaction_task *task = compaction_task_create(store->env, &options);
    struct error error = {0};
    enum status status;
    do {
        status = compaction_task_step(task, COMPACTION_STEP, &error);
    } while (status == STATUS_OK);
    check(status == STATUS_END ? STATUS_OK : status, &error);
    check(compaction_task_commit(task, &error), &error);
    size_t count;
    uint64_t size = compaction_task_outputs(task, &count)->size;
    ASSERT(count == 1);
    compaction_task_remove_inputs(task);
    compaction_task_destroy(task);
    return size;
}

static void compact(struct store *store, const char *table, uint64_t operations,
                    uint64_t data_bytes)
{
    struct measurement m;
    struct error error = {0};
    for (int i = 0; i < FILES; i++)
        open_sstable(store, i);
    measurement_begin(&m, table, "compaction");
    m.operations = operations;
    m.data_bytes = data_bytes;
    m.disk_bytes = compact_files(store);
    measurement_end(&m);
    sstable_unref(store->readers[0]);
    check(sstable_open(store->env, store->directory, FILES + 1, store->table, NULL,
                       &store->readers[0], &error),
          &error);
    measurement_begin(&m, table, "scan of compacted");
    scan_sstable(store, NULL, &m);
    measurement_end(&m);
}

static void start_memtable(struct store *store)
{
    memtable_unref(store->memtable);
    store->memtable = memtable_create(store->table);
}

static void run_events(struct env *env, const char *directory, const struct workload *w,
                       uint64_t reads)
{
    struct event *events = workload_events(w, 0, w->rows);
    struct store store;
    struct measurement m;
    store_init(&store, env, directory, "events", false);
    // As in a process that has run for a while, the memory has been in use before.
    insert_events(&store, events, w->rows, FIRST_TIMESTAMP_US, &m);
    start_memtable(&store);
    measurement_begin(&m, "events", "insert");
    insert_events(&store, events, w->rows, FIRST_TIMESTAMP_US, &m);
    m.memory_bytes = memtable_size(store.memtable);
    measurement_end(&m);
    free(events);
    uint64_t data_bytes = m.data_bytes;
    read_events(&store, w, "memtable", reads);
    flush_and_scan(&store, "events", w->rows, data_bytes);
    read_events(&store, w, "sstable", reads);
    store_deinit(&store);

    store_init(&store, env, directory, "events_of_files", false);
    data_bytes = 0;
    for (int file = 0; file < FILES; file++) {
        uint64_t first = (uint64_t)file * w->rows;
        struct measurement unused = {0};
        events = workload_events(w, first, w->rows);
        start_memtable(&store);
        insert_events(&store, events, w->rows, FIRST_TIMESTAMP_US + (int64_t)first, &unused);
        data_bytes += unused.data_bytes;
        (void)flush(&store, file);
        free(events);
    }
    compact(&store, "events", FILES * w->rows, data_bytes);
    store_deinit(&store);
}

static void run_files_of_hashtags(struct env *env, const char *directory, const struct workload *w)
{
    struct store store;
    uint64_t operations = 0, data_bytes = 0, count;
    store_init(&store, env, directory, "hashtags_of_files", true);
    for (int file = 0; file < FILES; file++) {
        struct measurement unused = {0};
        struct place *places = workload_file(w, file, &count);
        start_memtable(&store);
        increment(&store, places, count, file, &unused);
        operations += count;
        data_bytes += unused.data_bytes;
        (void)flush(&store, file);
        free(places);
    }
    compact(&store, "hashtags", operations, data_bytes);
    store_deinit(&store);
}

static void run_hashtags(struct env *env, const char *directory, const struct workload *w,
                         uint64_t reads)
{
    uint64_t count = workload_place_count(w), increments = count * INCREMENTS_OF_PLACE;
    struct place *places = workload_places(w);
    struct store store;
    struct measurement m, once = {0};
    store_init(&store, env, directory, "hashtags", true);
    increment(&store, places, count, 0, &once);
    free(places);
    places = workload_increments(w, increments);
    measurement_begin(&m, "hashtags", "increment");
    increment(&store, places, increments, 0, &m);
    m.memory_bytes = memtable_size(store.memtable);
    measurement_end(&m);
    free(places);
    read_places(&store, w, "memtable", reads / 10);
    flush_and_scan(&store, "hashtags", count, once.data_bytes);
    read_places(&store, w, "sstable", reads);
    store_deinit(&store);
    run_files_of_hashtags(env, directory, w);
}

int main(int count, char **arguments)
{
    if (count != 4) {
        (void)fprintf(stderr, "usage: storage_bench_helenus DIRECTORY ROWS READS\n");
        return 2;
    }
    struct error error = {0};
    struct env *env;
    check(env_uv_create(&env, &error), &error);
    struct workload workload = workload_make(strtoull(arguments[2], NULL, 10));
    uint64_t reads = strtoull(arguments[3], NULL, 10);
    run_events(env, arguments[1], &workload, reads);
    run_hashtags(env, arguments[1], &workload, reads);
    env_uv_destroy(env);
    return 0;
}
