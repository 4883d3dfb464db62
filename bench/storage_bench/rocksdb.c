// RocksDB with the rows of workload.h: one key a row, a merge operator for the counters.
//
//     events    k, 0, ~c (big-endian: descending)  ->  v, n
//     hashtags  tag, 0, ~day                       ->  u64, added up by the merge operator
//
// It is given what an SSTable of ours has: LZ4, blocks of 16 KiB, a bloom filter of 10 bits a key,
// a block cache of 64 MiB; no log; one compaction thread. It keeps no timestamps.
#include "bench/storage_bench/workload.h"

#include <dirent.h>
#include <rocksdb/c.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BATCH = 64, KEY_MAX = 32 };

#define CHECK(error)                                                                               \
    do {                                                                                           \
        if ((error) != NULL) {                                                                     \
            (void)fprintf(stderr, "rocksdb: %s\n", (error));                                       \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

struct store {
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_cache_t *cache;
    rocksdb_readoptions_t *read;
    rocksdb_writeoptions_t *write;
    char path[512];
};

static uint64_t directory_size(const char *path, const char *ending)
{
    uint64_t size = 0;
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        char file[1024];
        struct stat stat_of;
        if (strstr(entry->d_name, ending) == NULL) continue;
        (void)snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (stat(file, &stat_of) == 0) size += (uint64_t)stat_of.st_size;
    }
    if (directory != NULL) (void)closedir(directory);
    return size;
}

static void store_open(struct store *store)
{
    char *error = NULL;
    store->options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(store->options, 1);
    rocksdb_options_set_write_buffer_size(store->options, (size_t)8 << 30);
    rocksdb_options_set_compression(store->options, rocksdb_lz4_compression);
    rocksdb_options_set_uint64add_merge_operator(store->options);
    rocksdb_options_set_disable_auto_compactions(store->options, 1);
    rocksdb_options_set_max_background_jobs(store->options, 2);
    rocksdb_options_set_max_subcompactions(store->options, 1);
    rocksdb_options_set_target_file_size_base(store->options, (uint64_t)64 << 30);
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    store->cache = rocksdb_cache_create_lru((size_t)64 << 20);
    rocksdb_block_based_options_set_block_cache(table, store->cache);
    rocksdb_block_based_options_set_block_size(table, 16 * 1024);
    rocksdb_block_based_options_set_filter_policy(table,
                                                  rocksdb_filterpolicy_create_bloom_full(10));
    rocksdb_options_set_block_based_table_factory(store->options, table);
    rocksdb_block_based_options_destroy(table);
    store->read = rocksdb_readoptions_create();
    store->write = rocksdb_writeoptions_create();
    rocksdb_writeoptions_disable_WAL(store->write, 1);
    store->db = rocksdb_open(store->options, store->path, &error);
    CHECK(error);
}

static void store_close(struct store *store)
{
    rocksdb_close(store->db);
    rocksdb_options_destroy(store->options);
    rocksdb_cache_destroy(store->cache);
    rocksdb_readoptions_destroy(store->read);
    rocksdb_writeoptions_destroy(store->write);
}

static void store_open_new(struct store *store, const char *directory, const char *name)
{
    (void)snprintf(store->path, sizeof store->path, "%s/%s", directory, name);
    store_open(store);
}

static void flush(struct store *store)
{
    char *error = NULL;
    rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(options, 1);
    rocksdb_flush(store->db, options, &error);
    CHECK(error);
    rocksdb_flushoptions_destroy(options);
}

static uint64_t memory_of(struct store *store)
{
    uint64_t size = 0;
    (void)rocksdb_property_int(store->db, "rocksdb.cur-size-all-mem-tables", &size);
    return size;
}

// ---- Keys ---------------------------------------------------------------------------------------

static size_t event_key(const struct event *event, char *key)
{
    memcpy(key, event->k, event->k_size);
    char *at = key + event->k_size;
    *at++ = '\0';
    uint64_t c = __builtin_bswap64(~(uint64_t)event->c);
    memcpy(at, &c, 8);
    return event->k_size + 9u;
}

static size_t place_key(const struct place *place, char *key)
{
    memcpy(key, place->tag, place->tag_size);
    char *at = key + place->tag_size;
    *at++ = '\0';
    for (int i = 0; i < place->day_size; i++)
        at[i] = (char)~place->day[i];
    return place->tag_size + 1u + place->day_size;
}

static void put_event(rocksdb_writebatch_t *batch, const struct event *event)
{
    char key[KEY_MAX], value[48];
    size_t size = event_key(event, key);
    memcpy(value, event->v, event->v_size);
    memcpy(value + event->v_size, &event->n, 4);
    rocksdb_writebatch_put(batch, key, size, value, event->v_size + 4u);
}

static void add_to_place(rocksdb_writebatch_t *batch, const struct place *place, uint64_t delta)
{
    char key[KEY_MAX];
    size_t size = place_key(place, key);
    rocksdb_writebatch_merge(batch, key, size, (const char *)&delta, 8);
}

static void write_batch(struct store *store, rocksdb_writebatch_t *batch)
{
    char *error = NULL;
    rocksdb_write(store->db, store->write, batch, &error);
    CHECK(error);
    rocksdb_writebatch_clear(batch);
}

// What a row counts for in the sums.
static uint64_t number_of(const char *value, size_t size, bool is_counter)
{
    uint64_t number = 0;
    memcpy(&number, is_counter ? value : value + size - 4, is_counter ? 8 : 4);
    return number;
}

// ---- Work ---------------------------------------------------------------------------------------

static void insert_events(struct store *store, const struct event *events, uint64_t count,
                          struct measurement *m)
{
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    for (uint64_t i = 0; i < count; i++) {
        put_event(batch, &events[i]);
        m->data_bytes += workload_event_size(&events[i]);
        if ((i + 1) % BATCH == 0 || i + 1 == count) write_batch(store, batch);
    }
    m->operations = count;
    rocksdb_writebatch_destroy(batch);
}

static void increment(struct store *store, const struct place *places, uint64_t count,
                      struct measurement *m)
{
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    for (uint64_t i = 0; i < count; i++) {
        add_to_place(batch, &places[i], 1);
        m->data_bytes += workload_place_size(&places[i]);
        if ((i + 1) % BATCH == 0 || i + 1 == count) write_batch(store, batch);
    }
    m->operations = count;
    rocksdb_writebatch_destroy(batch);
}

static void get(struct store *store, const char *key, size_t size, bool is_counter,
                struct measurement *m)
{
    char *error = NULL;
    rocksdb_pinnableslice_t *found = rocksdb_get_pinned(store->db, store->read, key, size, &error);
    CHECK(error);
    m->operations++;
    if (found == NULL) return;
    size_t value_size;
    const char *value = rocksdb_pinnableslice_value(found, &value_size);
    m->sum += number_of(value, value_size, is_counter);
    rocksdb_pinnableslice_destroy(found);
}

static void slice(struct store *store, const char *prefix, size_t size, bool is_counter,
                  struct measurement *m)
{
    rocksdb_iterator_t *iterator = rocksdb_create_iterator(store->db, store->read);
    rocksdb_iter_seek(iterator, prefix, size);
    for (int i = 0; i < SLICE_ROWS && rocksdb_iter_valid(iterator); i++) {
        size_t key_size, value_size;
        const char *key = rocksdb_iter_key(iterator, &key_size);
        if (key_size < size || memcmp(key, prefix, size) != 0) break;
        const char *value = rocksdb_iter_value(iterator, &value_size);
        m->sum += number_of(value, value_size, is_counter);
        rocksdb_iter_next(iterator);
    }
    m->operations++;
    rocksdb_iter_destroy(iterator);
}

static void scan(struct store *store, bool fill_cache, bool is_counter, struct measurement *m)
{
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_fill_cache(options, fill_cache);
    rocksdb_iterator_t *iterator = rocksdb_create_iterator(store->db, options);
    for (rocksdb_iter_seek_to_first(iterator); rocksdb_iter_valid(iterator);
         rocksdb_iter_next(iterator)) {
        size_t size;
        const char *value = rocksdb_iter_value(iterator, &size);
        m->sum += number_of(value, size, is_counter);
        m->operations++;
    }
    rocksdb_iter_destroy(iterator);
    rocksdb_readoptions_destroy(options);
}

static void read_events(struct store *store, const struct workload *w, const char *where,
                        uint64_t reads)
{
    char name[32], key[KEY_MAX];
    struct measurement m;
    struct event *events = workload_events_to_read(w, reads);
    struct event *missing = workload_events_to_miss(w, reads);
    (void)snprintf(name, sizeof name, "%s hit", where);
    measurement_begin(&m, "events", name);
    for (uint64_t i = 0; i < reads; i++)
        get(store, key, event_key(&events[i], key), false, &m);
    measurement_end(&m);
    (void)snprintf(name, sizeof name, "%s miss", where);
    measurement_begin(&m, "events", name);
    for (uint64_t i = 0; i < reads; i++)
        get(store, key, event_key(&missing[i], key), false, &m);
    measurement_end(&m);
    (void)snprintf(name, sizeof name, "%s slice", where);
    measurement_begin(&m, "events", name);
    for (uint64_t i = 0; i < reads; i++) {
        (void)event_key(&events[i], key);
        slice(store, key, events[i].k_size + 1u, false, &m);
    }
    measurement_end(&m);
    free(missing);
    free(events);
}

static void read_places(struct store *store, const struct workload *w, const char *where,
                        uint64_t reads)
{
    char name[32], key[KEY_MAX];
    struct measurement m;
    struct place *places = workload_places_to_read(w, reads);
    (void)snprintf(name, sizeof name, "%s hit", where);
    measurement_begin(&m, "hashtags", name);
    for (uint64_t i = 0; i < reads; i++)
        get(store, key, place_key(&places[i], key), true, &m);
    measurement_end(&m);
    (void)snprintf(name, sizeof name, "%s slice", where);
    measurement_begin(&m, "hashtags", name);
    for (uint64_t i = 0; i < reads; i++) {
        (void)place_key(&places[i], key);
        slice(store, key, places[i].tag_size + 1u, true, &m);
    }
    measurement_end(&m);
    free(places);
}

static void flush_and_scan(struct store *store, const char *table, uint64_t operations,
                           uint64_t data_bytes, bool is_counter)
{
    struct measurement m;
    measurement_begin(&m, table, "flush");
    m.operations = operations;
    m.data_bytes = data_bytes;
    flush(store);
    m.disk_bytes = directory_size(store->path, ".sst");
    measurement_end(&m);
    store_close(store);
    store_open(store);
    measurement_begin(&m, table, "scan");
    m.data_bytes = data_bytes;
    scan(store, false, is_counter, &m);
    measurement_end(&m);
    scan(store, true, is_counter, &m); // So that the block cache has all that it can.
    measurement_begin(&m, table, "cached scan");
    m.data_bytes = data_bytes;
    scan(store, true, is_counter, &m);
    measurement_end(&m);
}

static void compact(struct store *store, const char *table, uint64_t operations,
                    uint64_t data_bytes, bool is_counter)
{
    struct measurement m;
    measurement_begin(&m, table, "compaction");
    m.operations = operations;
    m.data_bytes = data_bytes;
    rocksdb_compactoptions_t *options = rocksdb_compactoptions_create();
    rocksdb_compact_range_opt(store->db, options, NULL, 0, NULL, 0);
    rocksdb_compactoptions_destroy(options);
    m.disk_bytes = directory_size(store->path, ".sst");
    measurement_end(&m);
    measurement_begin(&m, table, "scan of compacted");
    scan(store, false, is_counter, &m);
    measurement_end(&m);
    store_close(store);
}

static void run_events(const char *directory, const struct workload *w, uint64_t reads)
{
    struct event *events = workload_events(w, 0, w->rows);
    struct store store;
    struct measurement m;
    // As in a process that has run for a while, the memory has been in use before.
    store_open_new(&store, directory, "before");
    insert_events(&store, events, w->rows, &m);
    store_close(&store);
    store_open_new(&store, directory, "events");
    measurement_begin(&m, "events", "insert");
    insert_events(&store, events, w->rows, &m);
    m.memory_bytes = memory_of(&store);
    measurement_end(&m);
    free(events);
    uint64_t data_bytes = m.data_bytes;
    read_events(&store, w, "memtable", reads);
    flush_and_scan(&store, "events", w->rows, data_bytes, false);
    read_events(&store, w, "sstable", reads);
    store_close(&store);

    store_open_new(&store, directory, "events_of_files");
    data_bytes = 0;
    for (uint64_t file = 0; file < FILES; file++) {
        struct measurement unused = {0};
        events = workload_events(w, file * w->rows, w->rows);
        insert_events(&store, events, w->rows, &unused);
        data_bytes += unused.data_bytes;
        flush(&store);
        free(events);
    }
    compact(&store, "events", FILES * w->rows, data_bytes, false);
}

static void run_hashtags(const char *directory, const struct workload *w, uint64_t reads)
{
    uint64_t count = workload_place_count(w), increments = count * INCREMENTS_OF_PLACE;
    struct place *places = workload_places(w);
    struct store store;
    struct measurement m, once = {0};
    store_open_new(&store, directory, "hashtags");
    increment(&store, places, count, &once);
    free(places);
    places = workload_increments(w, increments);
    measurement_begin(&m, "hashtags", "increment");
    increment(&store, places, increments, &m);
    m.memory_bytes = memory_of(&store);
    measurement_end(&m);
    free(places);
    // Thousands of operands stand behind some keys.
    read_places(&store, w, "memtable", reads / 10);
    flush_and_scan(&store, "hashtags", count, once.data_bytes, true);
    read_places(&store, w, "sstable", reads);
    store_close(&store);

    store_open_new(&store, directory, "hashtags_of_files");
    uint64_t operations = 0, data_bytes = 0;
    for (int file = 0; file < FILES; file++) {
        struct measurement unused = {0};
        places = workload_file(w, file, &count);
        increment(&store, places, count, &unused);
        operations += count;
        data_bytes += unused.data_bytes;
        flush(&store);
        free(places);
    }
    compact(&store, "hashtags", operations, data_bytes, true);
}

int main(int count, char **arguments)
{
    if (count != 4) {
        (void)fprintf(stderr, "usage: storage_bench_rocksdb DIRECTORY ROWS READS\n");
        return 2;
    }
    struct workload workload = workload_make(strtoull(arguments[2], NULL, 10));
    uint64_t reads = strtoull(arguments[3], NULL, 10);
    run_events(arguments[1], &workload, reads);
    run_hashtags(arguments[1], &workload, reads);
    return 0;
}
