// One component of an SSTable, decoded by itself; what is sound is encoded again, to the same.
//
//     u8 which | bytes
//
// Statistics.db as nb and as oa, as readers and as tools see it, with its checksums made right;
// CompressionInfo.db, Summary.db, Filter.db; a chunk (u8 compressor, u16 size); a file's name.
#include "base/arena.h"
#include "base/buffer.h"
#include "storage/sstable/compression.h"
#include "storage/sstable/filter.h"
#include "storage/sstable/format.h"
#include "storage/sstable/statistics.h"
#include "storage/sstable/statistics_full.h"
#include "storage/sstable/summary.h"
#include "tests/fuzz/support/fuzz_sstable.h"
#include "tests/fuzz/targets.h"

#include <stdlib.h>

enum { INDEX_SIZE = 4096 };

static void read_statistics(struct slice bytes, enum sstable_version version, struct arena *arena)
{
    struct slice files[SSTABLE_COMPONENT_COUNT] = {[SSTABLE_STATISTICS] = bytes};
    fuzz_sstable_fix(files, arena);
    struct statistics_summary summary;
    struct statistics_full full;
    struct header header;
    struct error error;
    bytes = files[SSTABLE_STATISTICS];
    if (statistics_decode(bytes, version, arena, &summary, &header, &error) == STATUS_OK)
        (void)statistics_drop_times_before(summary.drop_times, summary.drop_time_count, 1700000000);
    struct hyperloglog *keys = malloc(sizeof *keys);
    bool has_keys;
    ASSERT(keys != NULL);
    hyperloglog_init(keys);
    (void)!statistics_decode_keys(bytes, keys, &has_keys, &error);
    free(keys);
    if (statistics_full_decode(bytes, version == SSTABLE_OA, arena, &full, &error) != STATUS_OK)
        return;
    uint64_t count;
    (void)statistics_full_cardinality(&full, &count);
    (void)statistics_full_droppable_ratio(&full, 1700000000);
    struct buffer again;
    buffer_init(&again, 1 << 20);
    header_encode(&full.header, &again);
    buffer_deinit(&again);
}

static void read_compression_info(struct slice bytes, struct arena *arena)
{
    struct compression_info info;
    struct error error;
    if (compression_info_decode(&info, bytes, arena, &error) != STATUS_OK) return;
    struct buffer again;
    buffer_init(&again, 1 << 20);
    compression_info_encode(&info, &again);
    // A name with its package is written without it.
    if (bytes_get_u16(bytes.data) == strlen(compressor_name(info.compression.compressor)))
        ASSERT(slice_equals(buffer_slice(&again), bytes));
    buffer_deinit(&again);
}

static void read_summary(struct slice bytes)
{
    struct summary summary;
    if (summary_decode(&summary, bytes, INDEX_SIZE) != STATUS_OK) return;
    for (size_t i = 0; i < summary.count; i++)
        ASSERT(summary_find(&summary, &summary.entries[i].key) == (ptrdiff_t)i);
    (void)summary_find(&summary, &summary.last);
    summary_deinit(&summary);
}

static void read_filter(struct slice bytes)
{
    struct filter filter;
    if (filter_decode(&filter, bytes) != STATUS_OK) return;
    (void)filter_may_contain(&filter, slice_of_text("a key"));
    filter_add(&filter, slice_of_text("a key"));
    ASSERT(filter_may_contain(&filter, slice_of_text("a key")));
    struct buffer again;
    buffer_init(&again, 1 << 20);
    filter_encode(&filter, &again);
    ASSERT(again.size == bytes.size);
    buffer_deinit(&again);
    filter_deinit(&filter);
}

static void read_chunk(struct slice bytes)
{
    struct cursor cursor = cursor_make(bytes);
    enum compressor compressor = (enum compressor)(cursor_u8(&cursor) % (COMPRESSOR_NOOP + 1));
    size_t size = 1 + (size_t)(cursor_u16(&cursor) & 0x3fff);
    uint8_t *chunk = malloc(size);
    ASSERT(chunk != NULL);
    (void)!compressor_decompress(compressor, fuzz_rest(&cursor), chunk, size);
    free(chunk);
}

static void read_name(struct slice bytes, struct arena *arena)
{
    char *text = (char *)arena_alloc(arena, bytes.size + 1);
    memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = '\0';
    struct sstable_name name;
    enum sstable_component component;
    struct error error;
    if (sstable_name_parse(text, &name, &component, &error) != STATUS_OK) return;
    char path[SSTABLE_PATH_SIZE];
    sstable_name_path(path, "d", &name, component);
    ASSERT(strcmp(path + 2, text) == 0);
    uint64_t generation = sstable_name_generation(&name);
    struct sstable_name again = sstable_name_of(name.version, generation);
    ASSERT(generation == 0 || sstable_name_equals(&name, &again));
}

FUZZ_TARGET(sstable_parts)
{
    struct cursor cursor = cursor_make(input);
    uint8_t which = cursor_u8(&cursor);
    struct slice bytes = fuzz_rest(&cursor);
    struct arena arena;
    arena_init(&arena, 4096);
    switch (which % 7) {
    case 0:
        read_statistics(bytes, SSTABLE_NB, &arena);
        break;
    case 1:
        read_statistics(bytes, SSTABLE_OA, &arena);
        break;
    case 2:
        read_compression_info(bytes, &arena);
        break;
    case 3:
        read_summary(bytes);
        break;
    case 4:
        read_filter(bytes);
        break;
    case 5:
        read_chunk(bytes);
        break;
    default:
        read_name(bytes, &arena);
    }
    arena_deinit(&arena);
}
