// What replicas answer to a read: u8 table, u8 1 backwards, u16 size of the first answer, two
// answers. Each is decoded, as what a coordinator merges and consumes; what each of them lacks of
// the merge is written: nothing in it may stop a node later.
#include "ring/coordinator/read_encoder.h"
#include "ring/coordinator/read_repair.h"
#include "storage/memtable/memtable.h"
#include "storage/mutation.h"
#include "tests/fuzz/support/fuzz_node.h"
#include "tests/fuzz/targets.h"

static void apply(const struct table *table, struct slice body, struct arena *arena)
{
    struct memtable *memtable = memtable_create(table);
    struct cursor cursor = cursor_make(body);
    while (cursor_left(&cursor) > 0) {
        struct slice record = cursor_vint_bytes(&cursor);
        struct mutation mutation;
        struct error error;
        ASSERT(record.size > 1);
        // A row or a key may be too long for a mutation that others could read; not more.
        if (mutation_decode(slice_make(record.data + 1, record.size - 1), table, arena, &mutation,
                            &error) == STATUS_OK)
            memtable_apply(memtable, &mutation, 1);
    }
    memtable_unref(memtable);
}

// As a reader does; then what comes behind it.
static void consume(const struct read_chunk *chunk, const struct table *table, bool reversed,
                    struct arena *arena)
{
    struct read_decoder *decoder = read_decoder_open(chunk, table, reversed, false, arena);
    struct partition_iterator *partition;
    struct unfiltered unfiltered;
    while (scan_iterator_next(&decoder->base, &partition) == STATUS_OK)
        while (partition_iterator_next(partition, &unfiltered) == STATUS_OK) {
        }
    struct read_reach reach = {0};
    if (read_reach_of_chunk(chunk, table, reversed, arena, &reach) != STATUS_OK) return;
    const struct clustering_range all = CLUSTERING_RANGE_ALL;
    const struct partition_filter filter = {&all, 1, reversed, true};
    struct partition_filter cut;
    (void)read_reach_cut_filter(&reach, table, &filter, arena, &cut);
}

FUZZ_TARGET(read_answer)
{
    struct cursor cursor = cursor_make(input);
    const struct table *table = fuzz_node_table(cursor_u8(&cursor));
    bool reversed = (cursor_u8(&cursor) & 1) != 0;
    struct arena arena;
    struct buffer scratch, body;
    arena_init(&arena, 4096);
    buffer_init(&scratch, 1 << 24);
    buffer_init(&body, 1 << 24);
    struct slice first = fuzz_take(&cursor, cursor_u16(&cursor));
    const struct read_repair_source sources[2] = {{{first, NULL}, false},
                                                  {{fuzz_rest(&cursor), NULL}, false}};
    const struct read_chunk joined = {first, &sources[1].chunk};
    consume(&sources[0].chunk, table, reversed, &arena);
    consume(&joined, table, reversed, &arena);
    const struct read_repair repair = {table, reversed, 1000, &arena, &scratch};
    struct read_chunk merged;
    struct read_reach reach;
    if (read_repair_merge(&repair, sources, 2, &merged, &reach) == STATUS_OK) {
        for (size_t i = 0; i < 2; i++) {
            buffer_clear(&body);
            if (read_repair_put_difference(&repair, &merged, &reach, &sources[i], &body) ==
                STATUS_OK)
                apply(table, buffer_slice(&body), &arena);
        }
    }
    buffer_deinit(&scratch);
    buffer_deinit(&body);
    arena_deinit(&arena);
}
