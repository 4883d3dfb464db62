// An SSTable with damaged files: opened, scanned both ways, asked for partitions.
//
//     u8 table | u8 flags | { u8 component (bit 7: a patch, else the whole file)
//                             | patch: u16 offset | u8 size | bytes   file: u16 size | bytes }*
//
// Files that the input has not are those of an SSTable that our writer made. flags bit 0: the
// checksums of Data.db's chunks and of Statistics.db are made right again, so that what lies behind
// them is reached; bit 1: the manifest knows just these files, so Summary.db and Filter.db are
// believed.
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

// Reads a partition's rows to their end.
static void read_rows(struct partition_iterator *partition)
{
    struct unfiltered unfiltered;
    while (partition_iterator_next(partition, &unfiltered) == STATUS_OK) {
    }
    partition_iterator_close(partition);
}

static void scan(struct sstable_reader *reader, const struct table *table, bool reversed)
{
    static const struct clustering_range all_rows = {{BOUND_INCL_START, {0, NULL}},
                                                     {BOUND_INCL_END, {0, NULL}}};
    const struct partition_filter filter = {
        .ranges = &all_rows, .range_count = 1, .reversed = reversed, .with_static = true};
    struct scan_range all = SCAN_RANGE_ALL;
    struct scan_iterator *scan;
    struct partition_iterator *partition;
    struct error error;
    struct arena arena, keys;
    arena_init(&arena, 4096);
    arena_init(&keys, 4096);
    if (sstable_scan(reader, table, &all, &filter, NULL, NULL, &arena, &scan, &error) !=
        STATUS_OK) {
        arena_deinit(&arena);
        arena_deinit(&keys);
        return;
    }
    enum { KEYS_MAX = 8 };
    struct partition_key found[KEYS_MAX];
    size_t count = 0;
    while (scan_iterator_next(scan, &partition) == STATUS_OK) {
        if (count < KEYS_MAX) {
            found[count] = partition->key;
            found[count++].bytes = arena_copy(&keys, partition->key.bytes);
        }
        read_rows(partition);
    }
    scan_iterator_close(scan);
    for (size_t i = 0; i < count; i++) {
        arena_reset(&arena);
        if (sstable_read(reader, table, &found[i], &filter, NULL, NULL, &arena, &partition,
                         &error) == STATUS_OK &&
            partition != NULL)
            read_rows(partition);
    }
    arena_deinit(&arena);
    arena_deinit(&keys);
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
    for (int i = 0; i < SSTABLE_COMPONENT_COUNT; i++) {
        char path[SSTABLE_PATH_SIZE];
        sstable_path(path, "", 1, i);
        if (!slice_is_null(files[i])) fuzz_sim_write(&sim, path, files[i]);
    }
    struct sstable_check check = {.sizes = {0}};
    for (int i = 0; i < SSTABLE_COMPONENT_COUNT; i++) {
        check.sizes[i] = files[i].size;
        check.xxh3[i] = checksum_xxh3(files[i], 0);
    }
    struct sstable_reader *reader;
    struct error error;
    if (sstable_open(sim.env, "", 1, base->table, (flags & 2) != 0 ? &check : NULL, &reader,
                     &error) == STATUS_OK) {
        scan(reader, base->table, false);
        scan(reader, base->table, true);
        (void)sstable_first_key(reader);
        (void)sstable_last_key(reader);
        sstable_unref(reader);
    }
    fuzz_sim_close(&sim);
    arena_deinit(&arena);
}
