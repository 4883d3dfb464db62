// An encoded mutation, as the commit log and other nodes have it: u8 table, the bytes. What decodes
// is applied to a memtable, read both ways, and flushed to an SSTable that can be opened: nothing
// in the log may stop a node later than at its decoding.
#include "storage/memtable/memtable.h"
#include "storage/mutation.h"
#include "storage/sstable/sstable.h"
#include "tests/fuzz/support/fuzz_node.h"
#include "tests/fuzz/targets.h"

static const struct clustering_range all_rows = {{BOUND_INCL_START, {0, NULL}},
                                                 {BOUND_INCL_END, {0, NULL}}};
static const struct partition_filter forward = {
    .ranges = &all_rows, .range_count = 1, .with_static = true};
static const struct partition_filter backward = {
    .ranges = &all_rows, .range_count = 1, .reversed = true, .with_static = true};

static struct scan_iterator *begin_scan(struct memtable *memtable,
                                        const struct partition_filter *filter, struct arena *arena)
{
    struct scan_range all = SCAN_RANGE_ALL;
    return memtable_scan(memtable, memtable_table(memtable), &all, filter, arena, NULL);
}

static void scan(struct memtable *memtable, const struct partition_filter *filter)
{
    struct arena arena;
    arena_init(&arena, 4096);
    struct scan_iterator *scan = begin_scan(memtable, filter, &arena);
    struct partition_iterator *partition;
    struct unfiltered unfiltered;
    while (scan_iterator_next(scan, &partition) == STATUS_OK) {
        while (partition_iterator_next(partition, &unfiltered) == STATUS_OK) {
        }
        partition_iterator_close(partition);
    }
    scan_iterator_close(scan);
    arena_deinit(&arena);
}

static void flush(struct memtable *memtable)
{
    struct arena arena;
    arena_init(&arena, 4096);
    struct fuzz_sim sim;
    fuzz_sim_open(&sim, 0);
    ASSERT(env_make_dir(sim.env, "/t", NULL) == STATUS_OK);
    struct sstable_content content;
    struct error error;
    ASSERT(sstable_content_gather(begin_scan(memtable, &forward, &arena), &content) == STATUS_OK);
    if (content.partition_count > 0) {
        const struct sstable_write_options options = {.directory = "/t",
                                                      .generation = 1,
                                                      .table = memtable_table(memtable),
                                                      .content = &content};
        struct sstable_summary written;
        ASSERT(sstable_write(sim.env, &options, begin_scan(memtable, &forward, &arena), &written,
                             &error) == STATUS_OK);
        struct sstable_reader *reader;
        if (written.partition_count > 0) {
            ASSERT(sstable_open(sim.env, "/t", 1, memtable_table(memtable), &written.check, &reader,
                                &error) == STATUS_OK);
            sstable_unref(reader);
        }
    }
    fuzz_sim_close(&sim);
    arena_deinit(&arena);
}

FUZZ_TARGET(mutation)
{
    struct cursor cursor = cursor_make(input);
    const struct table *table = fuzz_node_table(cursor_u8(&cursor));
    struct arena arena;
    arena_init(&arena, 4096);
    struct uuid id;
    struct mutation mutation;
    struct error error;
    (void)!mutation_decode_table_id(fuzz_rest(&cursor), &id);
    if (mutation_decode(fuzz_rest(&cursor), table, &arena, &mutation, &error) == STATUS_OK) {
        struct buffer bytes;
        buffer_init(&bytes, 1 << 24);
        mutation_encode(&mutation, &bytes);
        struct mutation again;
        ASSERT(mutation_decode(buffer_slice(&bytes), table, &arena, &again, &error) == STATUS_OK);
        ASSERT(again.row_count == mutation.row_count);
        struct memtable *memtable = memtable_create(table);
        memtable_apply(memtable, &mutation, 1);
        scan(memtable, &forward);
        scan(memtable, &backward);
        memtable_freeze(memtable);
        flush(memtable);
        memtable_unref(memtable);
        buffer_deinit(&bytes);
    }
    arena_deinit(&arena);
}
