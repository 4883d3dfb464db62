// What a member asks a replica to read: u8 table, the bytes. What decodes reads a memtable both as
// it is and after it was encoded again.
#include "ring/coordinator/read_encoder.h"
#include "ring/coordinator/read_request.h"
#include "storage/memtable/memtable.h"
#include "storage/merge/merge.h"
#include "tests/fuzz/support/fuzz_node.h"
#include "tests/fuzz/targets.h"

static void read_with(const struct read_request *request, const struct table *table,
                      struct arena *arena, struct buffer *bytes)
{
    struct memtable *memtable = memtable_create(table);
    struct slice values[1] = {slice_make("", 0)};
    struct row row = {.liveness = {1, TTL_NONE, LOCAL_TIME_NONE}, .deletion = DELETION_NONE};
    if (table->column_counts[COLUMN_CLUSTERING] == 1)
        row.clustering = (struct clustering){1, values};
    struct mutation mutation = {.table = table,
                                .key = partition_key_make(slice_of_text("k")),
                                .deletion = DELETION_NONE,
                                .rows = &row,
                                .row_count = table->column_counts[COLUMN_CLUSTERING] < 2};
    memtable_apply(memtable, &mutation, 1);
    const struct scan_range all = SCAN_RANGE_ALL;
    struct scan_iterator *scan = memtable_scan(
        memtable, table, request->is_scan ? &request->range : &all, &request->filter, arena, NULL);
    scan = merge_scans(&scan, 1, request->filter.reversed, arena);
    struct read_encoder encoder;
    buffer_clear(bytes);
    read_encoder_init(&encoder, bytes, table, request->row_max, request->now_s);
    ASSERT(read_encoder_put_scan(&encoder, scan, false) == STATUS_OK);
    scan_iterator_close(scan);
    memtable_unref(memtable);
}

FUZZ_TARGET(read_request)
{
    struct cursor cursor = cursor_make(input);
    const struct table *table = fuzz_node_table(cursor_u8(&cursor));
    struct arena arena;
    arena_init(&arena, 4096);
    struct uuid id;
    struct read_request request, again;
    (void)!read_request_get_table(fuzz_rest(&cursor), &id);
    if (read_request_get(fuzz_rest(&cursor), table, &arena, &request) == STATUS_OK) {
        struct buffer bytes, first, second;
        buffer_init(&bytes, 1 << 24);
        buffer_init(&first, 1 << 24);
        buffer_init(&second, 1 << 24);
        read_request_put(&request, &bytes);
        ASSERT(read_request_get(buffer_slice(&bytes), table, &arena, &again) == STATUS_OK);
        read_with(&request, table, &arena, &first);
        read_with(&again, table, &arena, &second);
        ASSERT(slice_equals(buffer_slice(&first), buffer_slice(&second)));
        buffer_deinit(&bytes);
        buffer_deinit(&first);
        buffer_deinit(&second);
    }
    arena_deinit(&arena);
}
