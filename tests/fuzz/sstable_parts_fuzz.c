// One component of an SSTable, decoded by itself; what is sound is encoded again, to the same.
//
//     u8 which | bytes
//
// Statistics.db as nb and as oa, as readers and as tools see it, with its checksums made right, and
// changed as an import does; CompressionInfo.db, Summary.db, Filter.db; a chunk (u8 compressor, u16
// size), compressed again; a file's name; a header of which a table is made (names, NUL, header);
// the estimate of how many keys there are; two values of a counter (u8 size of the first).
#include "base/arena.h"
#include "base/buffer.h"
#include "storage/counter_context.h"
#include "storage/sstable/compression.h"
#include "storage/sstable/filter.h"
#include "storage/sstable/format.h"
#include "storage/sstable/header_table.h"
#include "storage/sstable/statistics.h"
#include "storage/sstable/statistics_change.h"
#include "storage/sstable/statistics_full.h"
#include "storage/sstable/summary.h"
#include "tests/fuzz/support/fuzz_sstable.h"
#include "tests/fuzz/targets.h"

#include <stdlib.h>

enum { INDEX_SIZE = 4096 };

// Level and repair time are what they were changed to, and all else is as it was.
static void change_statistics(struct slice bytes, enum sstable_version version, struct arena *arena,
                              const struct statistics_summary *before)
{
    struct statistics_summary after;
    struct header header;
    struct error error;
    bytes = arena_copy(arena, bytes);
    if (statistics_change((uint8_t *)(uintptr_t)bytes.data, bytes.size, version, 3, 1234, &error) !=
        STATUS_OK)
        return;
    ASSERT(statistics_decode(bytes, version, arena, &after, &header, &error) == STATUS_OK);
    ASSERT(after.level == 3 && after.repaired_at == 1234);
    ASSERT(after.total_rows == before->total_rows &&
           after.partition_count == before->partition_count);
}

// What one that was added to another says is there is no less than before.
static void read_keys(struct slice bytes)
{
    struct hyperloglog *keys = malloc(sizeof *keys), *both = malloc(sizeof *both);
    ASSERT(keys != NULL && both != NULL);
    hyperloglog_init(keys);
    hyperloglog_init(both);
    if (hyperloglog_add_encoded(keys, bytes)) {
        hyperloglog_add(both, slice_of_text("a key"));
        ASSERT(hyperloglog_add_encoded(both, bytes));
        struct buffer again;
        buffer_init(&again, 1 << 20);
        hyperloglog_encode(keys, &again);
        // Of what we write ourselves all is known again.
        ASSERT(hyperloglog_add_encoded(both, buffer_slice(&again)));
        buffer_deinit(&again);
        hyperloglog_add(keys, slice_of_text("another key"));
        (void)hyperloglog_count(keys);
        (void)hyperloglog_count(both);
    }
    free(both);
    free(keys);
}

// Two values of one counter, of any kinds of shards.
static void read_counters(struct slice bytes, struct arena *arena)
{
    struct cursor cursor = cursor_make(bytes);
    struct slice one = arena_copy(arena, fuzz_take(&cursor, cursor_u8(&cursor)));
    struct slice other = arena_copy(arena, fuzz_rest(&cursor));
    struct counter_shard shard;
    bool conflict = false;
    for (size_t i = 0; i < counter_context_shard_count(one); i++) {
        shard = counter_context_shard_at(one, i);
        (void)counter_context_find(other, shard.id, &shard);
    }
    (void)counter_context_total(one);
    (void)counter_context_has_legacy(one);
    if (!counter_context_is_valid(one) || !counter_context_is_valid(other)) return;
    ASSERT(counter_context_is_valid(counter_context_merge(one, other, arena, &conflict)));
    ASSERT(counter_context_is_valid(counter_context_merge(other, one, arena, NULL)));
    struct slice cleared = counter_context_clear_local(one, arena);
    ASSERT(counter_context_is_valid(cleared));
    ASSERT(counter_context_total(cleared) == counter_context_total(one));
    // One that is marked stays so if all of its shards are global.
    ASSERT(!counter_context_is_marked(cleared) || !counter_context_has_legacy(cleared));
    uint8_t single[COUNTER_SINGLE_SHARD_SIZE];
    if (counter_context_shard_count(one) == 0) return;
    shard = counter_context_shard_at(one, 0);
    counter_context_make_global(shard.id, shard.clock, shard.count, single);
    (void)counter_context_count_on((uint8_t *)(uintptr_t)other.data, other.size,
                                   slice_make(single, sizeof single));
    ASSERT(counter_context_is_valid(other));
}

static void make_table(const struct header *header, struct slice text, struct arena *arena)
{
    enum { NAMES_MAX = 8 };
    struct slice names[NAMES_MAX];
    char *copy = (char *)arena_alloc(arena, text.size + 1);
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    struct header_table_names wanted = {
        .keyspace = slice_of_text("ks"), .table = slice_of_text("t"), .keys = names};
    wanted.key_count = header_table_split_names(text.size == 0 ? NULL : copy, names, NAMES_MAX);
    const struct table *table;
    struct error error;
    if (header_table_make(header, &wanted, &table, &error) != STATUS_OK) return;
    ASSERT(table->column_counts[COLUMN_CLUSTERING] == header->clustering_count);
    table_unref(table);
}

static void read_header(struct slice bytes, struct arena *arena)
{
    struct cursor cursor = cursor_make(bytes);
    struct slice names = fuzz_take(&cursor, cursor_u8(&cursor));
    struct header header;
    struct error error;
    if (header_decode(&header, fuzz_rest(&cursor), arena, &error) == STATUS_OK)
        make_table(&header, names, arena);
}

static void read_statistics(struct slice bytes, enum sstable_version version, struct arena *arena)
{
    struct slice files[SSTABLE_COMPONENT_COUNT] = {[SSTABLE_STATISTICS] = bytes};
    fuzz_sstable_fix(files, arena);
    struct statistics_summary summary;
    struct statistics_full full;
    struct header header;
    struct error error;
    bytes = files[SSTABLE_STATISTICS];
    if (statistics_decode(bytes, version, arena, &summary, &header, &error) == STATUS_OK) {
        for (int64_t moment = 1400000000; moment <= 1700000000; moment += 10000000)
            (void)statistics_drop_times_before(summary.drop_times, summary.drop_time_count, moment);
        change_statistics(bytes, version, arena, &summary);
        make_table(&header, slice_make("", 0), arena);
    }
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
    for (int64_t moment = 1400000000; moment <= 1700000000; moment += 10000000)
        (void)statistics_full_droppable_ratio(&full, moment);
    (void)full_histogram_count(&full.partition_sizes);
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

// The first bytes of a chunk. They are those that all of it has, if all of it is sound.
static void read_start(enum compressor compressor, struct slice stored, struct slice chunk,
                       bool is_sound, size_t start_size)
{
    if (!compressor_has_starts(compressor)) return;
    uint8_t *start = malloc(start_size);
    ASSERT(start != NULL);
    enum status status =
        compressor_decompress_start(compressor, stored, chunk.size, start, start_size);
    ASSERT(!is_sound || (status == STATUS_OK && memcmp(start, chunk.data, start_size) == 0));
    ASSERT(start_size < chunk.size || is_sound == (status == STATUS_OK));
    free(start);
}

static void read_chunk(struct slice bytes)
{
    struct cursor cursor = cursor_make(bytes);
    enum compressor compressor = (enum compressor)(cursor_u8(&cursor) % (COMPRESSOR_NOOP + 1));
    size_t size = 1 + (size_t)(cursor_u16(&cursor) & 0x3fff);
    uint8_t *chunk = malloc(size);
    ASSERT(chunk != NULL);
    struct slice stored = fuzz_rest(&cursor);
    bool is_sound = compressor_decompress(compressor, stored, chunk, size) == STATUS_OK;
    // The last byte says where one of them ends.
    size_t some = stored.size == 0 ? 1 : 1 + stored.data[stored.size - 1] * size / 256;
    const size_t starts[] = {1, some, size / 2 + 1, size};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        read_start(compressor, stored, slice_make(chunk, size), is_sound, starts[i]);
    if (is_sound && compressor != COMPRESSOR_NONE) {
        uint8_t *again = malloc(compressor_bound(compressor, size)), *back = malloc(size);
        ASSERT(again != NULL && back != NULL);
        struct compressor_press press;
        compressor_press_init(&press, compressor, compressor == COMPRESSOR_ZSTD ? 1 : LZ4_FAST);
        size_t pressed = compressor_compress(&press, slice_make(chunk, size), again);
        compressor_press_deinit(&press);
        ASSERT(compressor_decompress(compressor, slice_make(again, pressed), back, size) ==
                   STATUS_OK &&
               memcmp(back, chunk, size) == 0);
        free(back);
        free(again);
    }
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
    uint64_t parsed;
    bool is_ours = sstable_parse_name(text, &parsed, &component);
    if (sstable_name_parse(text, &name, &component, &error) != STATUS_OK) {
        ASSERT(!is_ours);
        return;
    }
    ASSERT(!is_ours || (parsed == sstable_name_generation(&name) && name.version == SSTABLE_NB));
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
    switch (which % 10) {
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
    case 6:
        read_name(bytes, &arena);
        break;
    case 7:
        read_header(bytes, &arena);
        break;
    case 8:
        read_keys(bytes);
        break;
    default:
        read_counters(bytes, &arena);
    }
    arena_deinit(&arena);
}
