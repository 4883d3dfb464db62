// An SSTable with damaged files: opened, scanned both ways, asked for partitions.
//
//     u8 table | u8 flags | { u8 component (bit 7: a patch, else the whole file)
//                             | patch: u16 offset | u8 size | bytes   file: u16 size | bytes }*
//
// Files that the input has not are those of an SSTable that our writer or Cassandra made. flags bit
// 0: the checksums of Data.db's chunks and of Statistics.db are made right again, so that what lies
// behind them is reached; bit 1: the manifest knows just these files, so Summary.db and Filter.db
// are believed; bit 2: read through a small cache; bit 3: the manifest knows other files; bit 4:
// read by a later version of the table, without its last column.
#include "base/checksum.h"
#include "storage/sstable/format.h"
#include "storage/value.h"
#include "tests/fuzz/support/fuzz_sim.h"
#include "tests/fuzz/support/fuzz_sstable.h"
#include "tests/fuzz/targets.h"

static void take_change(struct cursor *input, struct slice files[SSTABLE_COMPONENT_COUNT],
                        struct arena *arena)
{
    uint8_t what = cursor_u8(input);
    struct slice *file = &files[(what & 0x7f) % SSTABLE_COMPONENT_COUNT];
    if ((what & 0x80) == 0) {
        *file = arena_copy(arena, fuzz_take(input, cursor_u16(input)));
        return;
    }
    size_t offset = cursor_u16(input);
    struct slice bytes = fuzz_take(input, cursor_u8(input));
    if (file->size == 0) return;
    offset %= file->size;
    size_t size = bytes.size < file->size - offset ? bytes.size : file->size - offset;
    uint8_t *copy = (uint8_t *)(uintptr_t)arena_copy(arena, *file).data;
    memcpy(copy + offset, bytes.data, size);
    *file = slice_make(copy, file->size);
}

// ---- Reading ------------------------------------------------------------------------------------

enum { KEYS_MAX = 8, LOADS_MAX = 1000 };

// How a reader is read: from its files, or through a cache (then both are there) that is smaller
// than the SSTable, with loads of what is missing.
struct reading {
    struct sstable_reader *reader;
    const struct table *table;
    const struct partition_filter *filter;
    struct chunk_cache *cache;
    struct read_pins *pins;
    struct arena arena, keys;
    struct partition_key found[KEYS_MAX];
    size_t found_count;
};

// Reads a partition's rows to their end.
static enum status read_rows(struct partition_iterator *partition)
{
    struct unfiltered unfiltered;
    enum status status;
    while ((status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK) {
    }
    partition_iterator_close(partition);
    return status;
}

static enum status scan_once(struct reading *reading)
{
    struct scan_range all = SCAN_RANGE_ALL;
    struct scan_iterator *scan;
    struct partition_iterator *partition;
    struct error error;
    enum status status =
        sstable_scan(reading->reader, reading->table, &all, reading->filter, reading->cache,
                     reading->pins, &reading->arena, &scan, &error);
    if (status != STATUS_OK) return status;
    reading->found_count = 0;
    while ((status = scan_iterator_next(scan, &partition)) == STATUS_OK) {
        if (reading->found_count < KEYS_MAX) {
            struct partition_key *found = &reading->found[reading->found_count++];
            *found = partition->key;
            found->bytes = arena_copy(&reading->keys, partition->key.bytes);
        }
        status = read_rows(partition);
        if (status == STATUS_WOULD_BLOCK) break;
    }
    scan_iterator_close(scan);
    return status;
}

static enum status read_once(struct reading *reading, const struct partition_key *key)
{
    struct partition_iterator *partition;
    struct error error;
    enum status status =
        sstable_read(reading->reader, reading->table, key, reading->filter, reading->cache,
                     reading->pins, &reading->arena, &partition, &error);
    if (status != STATUS_OK || partition == NULL) return status;
    return read_rows(partition);
}

// Fetches what is missing. False: it can not be had.
static bool load(struct reading *reading)
{
    struct sstable_load load;
    struct error error;
    ASSERT(reading->pins != NULL && sstable_load_begin(&load, reading->pins));
    sstable_load_work(&load);
    return sstable_load_finish(&load, reading->cache, reading->pins, &error) == STATUS_OK;
}

static void read_all(struct reading *reading)
{
    for (int i = 0; scan_once(reading) == STATUS_WOULD_BLOCK && load(reading); i++) {
        ASSERT(i < LOADS_MAX);
        arena_reset(&reading->arena);
    }
    for (size_t k = 0; k < reading->found_count; k++) {
        arena_reset(&reading->arena);
        for (int i = 0;
             read_once(reading, &reading->found[k]) == STATUS_WOULD_BLOCK && load(reading); i++) {
            ASSERT(i < LOADS_MAX);
            arena_reset(&reading->arena);
        }
    }
}

static void read_filtered(struct sstable_reader *reader, const struct table *table,
                          const struct partition_filter *filter, bool with_cache)
{
    struct read_pins pins;
    read_pins_init(&pins);
    struct reading reading = {.reader = reader, .table = table, .filter = filter};
    if (with_cache) {
        reading.cache = chunk_cache_create(32 * 1024);
        reading.pins = &pins;
    }
    arena_init(&reading.arena, 4096);
    arena_init(&reading.keys, 4096);
    read_all(&reading);
    arena_deinit(&reading.keys);
    arena_deinit(&reading.arena);
    read_pins_release(&pins);
    if (with_cache) chunk_cache_destroy(reading.cache);
}

// All rows, forwards and backwards; and the two rows of a slice, if the first clustering column is
// an int.
static void read_every_way(struct sstable_reader *reader, const struct table *table,
                           bool with_cache)
{
    const struct clustering_range all = CLUSTERING_RANGE_ALL;
    struct slice three = slice_make("\0\0\0\3", 4), one = slice_make("\0\0\0\1", 4);
    const struct column *column = table->columns[COLUMN_CLUSTERING];
    bool descends = table->column_counts[COLUMN_CLUSTERING] > 0 && column->reversed;
    const struct clustering_range slice = {{BOUND_EXCL_START, {1, descends ? &three : &one}},
                                           {BOUND_INCL_END, {1, descends ? &one : &three}}};
    for (int way = 0; way < 4; way++) {
        struct partition_filter filter = {
            .ranges = &all, .range_count = 1, .reversed = way % 2 == 1, .with_static = way != 3};
        if (way >= 2) {
            if (table->column_counts[COLUMN_CLUSTERING] == 0 || column->type->kind != TYPE_INT)
                continue;
            filter.ranges = &slice;
        }
        read_filtered(reader, table, &filter, with_cache);
    }
}

static void look_at_facts(const struct sstable_reader *reader)
{
    (void)sstable_first_key(reader);
    (void)sstable_last_key(reader);
    (void)sstable_droppable_ratio(reader, 1700000000);
    ASSERT(sstable_memory_size(reader) > 0 && sstable_size(reader) > 0);
}

FUZZ_TARGET(sstable)
{
    struct cursor cursor = cursor_make(input);
    const struct fuzz_sstable *base = fuzz_sstable_at(cursor_u8(&cursor));
    uint8_t flags = cursor_u8(&cursor);
    struct arena arena;
    arena_init(&arena, 64 * 1024);
    struct slice files[SSTABLE_COMPONENT_COUNT];
    memcpy(files, base->files, sizeof files);
    for (int i = 0; i < 16 && fuzz_goes_on(&cursor); i++)
        take_change(&cursor, files, &arena);
    if ((flags & 1) != 0) fuzz_sstable_fix(files, &arena);
    struct fuzz_sim sim;
    fuzz_sim_open(&sim, 0);
    sim_world_set_chance(sim.world, SIM_FAULT_COLD_READ, 1);
    for (int i = 0; i < SSTABLE_COMPONENT_COUNT; i++) {
        char path[SSTABLE_PATH_SIZE];
        sstable_name_path(path, "", &base->name, i);
        if (!slice_is_null(files[i])) fuzz_sim_write(&sim, path, files[i]);
    }
    struct sstable_check check = {.sizes = {0}};
    const struct slice *known = (flags & 8) != 0 ? base->files : files;
    for (int i = 0; i < SSTABLE_COMPONENT_COUNT; i++) {
        check.sizes[i] = known[i].size;
        check.xxh3[i] = checksum_xxh3(known[i], 0);
    }
    const struct table *table = (flags & 16) != 0 ? base->later : base->table;
    struct sstable_reader *reader;
    struct error error;
    if (sstable_open_named(sim.env, "", &base->name, table, (flags & 10) != 0 ? &check : NULL,
                           &reader, &error) == STATUS_OK) {
        read_every_way(reader, table, (flags & 4) != 0);
        look_at_facts(reader);
        sstable_unref(reader);
    }
    fuzz_sim_close(&sim);
    arena_deinit(&arena);
}
