// Files of others, of which nothing is known but what they say: what is missing is made again, what
// is wrong is told with its place, and what is large is not read as a whole.
#include "base/env_uv.h"
#include "storage/counter_context.h"
#include "storage/sstable/partition_reader.h"
#include "storage/sstable/vint.h"
#include "tests/storage/support/memory_source.h"
#include "tests/storage/support/partition_text.h"
#include "tests/storage/support/sstable_table.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { KEYS = 40, WIDE = 200, BLOCK = 1024 };

static struct env *env;
static char directory[64];
static const struct table *table;
static struct arena arena;
static const struct clustering_range all_rows = {{BOUND_INCL_START, {0, NULL}},
                                                 {BOUND_INCL_END, {0, NULL}}};

// ---- The table ----------------------------------------------------------------------------------

static struct slice number_of(int32_t number)
{
    uint8_t *bytes = arena_alloc(&arena, 4);
    bytes_put_u32(bytes, (uint32_t)number);
    return slice_make(bytes, 4);
}

static struct clustering clustering_of(int32_t number)
{
    struct slice *value = ARENA_NEW(&arena, struct slice);
    *value = number_of(number);
    return (struct clustering){1, value};
}

// Not compressed, so that the tests can change what they want.
static void make_table(double crc_check_chance, bool is_counter)
{
    struct uuid id = {{3}};
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text("foreign"), id);
    const struct type *number = type_of_kind(TYPE_INT);
    table_builder_add_column(builder, slice_of_text("k"), number, COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("c"), number, COLUMN_CLUSTERING, false);
    table_builder_add_column(builder, slice_of_text("v"),
                             type_of_kind(is_counter ? TYPE_COUNTER : TYPE_BLOB), COLUMN_REGULAR,
                             false);
    struct option option = {slice_of_text("enabled"), slice_of_text("false")};
    table_builder_params(builder)->compression = (struct options){&option, 1};
    table_builder_params(builder)->crc_check_chance = crc_check_chance;
    table_builder_set_counter(builder, is_counter);
    table = table_builder_finish(builder);
}

static struct unfiltered row_of(int32_t place, struct slice value)
{
    struct cell *cell = ARENA_NEW(&arena, struct cell);
    struct row *row = ARENA_NEW(&arena, struct row);
    *cell = (struct cell){.local_time = LOCAL_TIME_NONE, .timestamp = 1000, .value = value};
    *row = (struct row){.clustering = clustering_of(place),
                        .liveness = LIVENESS_NONE,
                        .deletion = DELETION_NONE,
                        .cell_count = 1,
                        .cells = cell};
    return (struct unfiltered){.is_marker = false, .row = row};
}

// Key 0 has `wide` rows, the others one each.
static void write_files(int32_t keys, int32_t wide, struct slice value)
{
    struct memory_partition *partitions = ARENA_NEW_ARRAY(&arena, struct memory_partition, keys);
    for (int32_t k = 0; k < keys; k++) {
        int32_t count = k == 0 ? wide : 1;
        struct unfiltered *rows = ARENA_NEW_ARRAY(&arena, struct unfiltered, count);
        for (int32_t c = 0; c < count; c++)
            rows[c] = row_of(c, value);
        partitions[k] = (struct memory_partition){.key = partition_key_make(number_of(k)),
                                                  .deletion = DELETION_NONE,
                                                  .unfiltereds = rows,
                                                  .unfiltered_count = (size_t)count};
    }
    struct memory_source source;
    struct sstable_content content;
    memory_source_init(&source, table, partitions, (size_t)keys);
    ck_assert_int_eq(sstable_content_gather(&source.base, &content), STATUS_OK);
    memory_source_init(&source, table, partitions, (size_t)keys);
    struct sstable_write_options options = {.directory = directory,
                                            .generation = 1,
                                            .table = table,
                                            .content = &content,
                                            .column_index_size = BLOCK};
    struct sstable_summary written;
    struct error error = {0};
    enum status status = sstable_write(env, &options, &source.base, &written, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
}

static void setup(void)
{
    ck_assert_int_eq(env_uv_create(&env, NULL), STATUS_OK);
    sstable_table_make_directory(directory);
    arena_init(&arena, 64 * KIB);
}

static void teardown(void)
{
    table_unref(table);
    arena_deinit(&arena);
    env_uv_destroy(env);
    sstable_table_remove_directory(directory);
}

// ---- Files --------------------------------------------------------------------------------------

static int open_component(enum sstable_component component)
{
    char path[SSTABLE_PATH_SIZE];
    sstable_path(path, directory, 1, component);
    int file = open(path, O_RDWR);
    ck_assert_int_ge(file, 0);
    return file;
}

static void put_at(enum sstable_component component, int64_t offset, const void *bytes, size_t size)
{
    int file = open_component(component);
    ck_assert_int_eq(pwrite(file, bytes, size, offset), (ssize_t)size);
    close(file);
}

static struct slice whole(enum sstable_component component)
{
    int file = open_component(component);
    off_t size = lseek(file, 0, SEEK_END);
    uint8_t *bytes = arena_alloc(&arena, (size_t)size + 1);
    ck_assert_int_eq(pread(file, bytes, (size_t)size, 0), size);
    close(file);
    return slice_make(bytes, (size_t)size);
}

static void replace(enum sstable_component component, struct slice bytes)
{
    int file = open_component(component);
    ck_assert_int_eq(ftruncate(file, 0), 0);
    ck_assert_int_eq(pwrite(file, bytes.data, bytes.size, 0), (ssize_t)bytes.size);
    close(file);
}

static void remove_component(enum sstable_component component)
{
    char path[SSTABLE_PATH_SIZE];
    sstable_path(path, directory, 1, component);
    ck_assert_int_eq(unlink(path), 0);
}

// ---- Reading ------------------------------------------------------------------------------------

static struct error error;

static struct sstable_reader *open_files(void)
{
    struct sstable_reader *reader;
    enum status status = sstable_open(env, directory, 1, table, NULL, &reader, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
    return reader;
}

// How many rows of a partition are in [from, to]; below 0 if it is damaged.
static int read_rows(struct sstable_reader *reader, int32_t key, int32_t from, int32_t to,
                     bool reversed)
{
    struct clustering_range range = {{BOUND_INCL_START, clustering_of(from)},
                                     {BOUND_INCL_END, clustering_of(to)}};
    struct partition_filter filter = {.ranges = &range, .range_count = 1, .reversed = reversed};
    struct partition_key place = partition_key_make(number_of(key));
    struct partition_iterator *partition;
    enum status status =
        sstable_read(reader, table, &place, &filter, NULL, NULL, &arena, &partition, &error);
    int count = 0;
    if (status == STATUS_OK && partition != NULL) {
        struct unfiltered unfiltered;
        while ((status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK)
            count += !unfiltered.is_marker;
        partition_iterator_close(partition);
    }
    ck_assert(status == STATUS_OK || status == STATUS_END || status == STATUS_CORRUPT);
    return status == STATUS_CORRUPT ? -1 : count;
}

static enum status scan_all(struct sstable_reader *reader, size_t *rows)
{
    struct partition_filter filter = {.ranges = &all_rows, .range_count = 1};
    struct scan_range all = SCAN_RANGE_ALL;
    struct scan_iterator *scan;
    ck_assert_int_eq(sstable_scan(reader, table, &all, &filter, NULL, NULL, &arena, &scan, &error),
                     STATUS_OK);
    struct partition_iterator *partition;
    struct unfiltered unfiltered;
    enum status status;
    *rows = 0;
    while ((status = scan_iterator_next(scan, &partition)) == STATUS_OK) {
        while ((status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK)
            ++*rows;
        partition_iterator_close(partition);
        if (status != STATUS_END) break;
    }
    scan_iterator_close(scan);
    return status;
}

static void ck_whole(struct sstable_reader *reader)
{
    size_t rows;
    ck_assert_int_eq(scan_all(reader, &rows), STATUS_END);
    ck_assert_uint_eq(rows, WIDE + KEYS - 1);
    for (int32_t k = 1; k < KEYS; k++)
        ck_assert_int_eq(read_rows(reader, k, 0, 0, false), 1);
    ck_assert_int_eq(read_rows(reader, 0, 50, 149, false), 100);
    ck_assert_int_eq(read_rows(reader, 0, 50, 149, true), 100);
    ck_assert_int_eq(read_rows(reader, KEYS, 0, 9, false), 0);
}

static struct slice zeros(size_t size)
{
    return slice_make(memset(arena_alloc(&arena, size), 0, size), size);
}

// ---- Missing and wrong --------------------------------------------------------------------------

START_TEST(what_is_missing_or_not_to_be_believed_is_made_again)
{
    make_table(1, false);
    write_files(KEYS, WIDE, zeros(40));
    remove_component(SSTABLE_TOC);
    remove_component(SSTABLE_DIGEST);
    struct sstable_reader *reader = open_files();
    ck_whole(reader);
    sstable_unref(reader);
    // Summary and filter of another table.
    struct slice summary = whole(SSTABLE_SUMMARY), filter = whole(SSTABLE_FILTER);
    memset((uint8_t *)(uintptr_t)filter.data + 8, 0, filter.size - 8);
    memset((uint8_t *)(uintptr_t)summary.data + 24, 7, summary.size - 24);
    replace(SSTABLE_SUMMARY, summary);
    replace(SSTABLE_FILTER, filter);
    reader = open_files();
    ck_whole(reader);
    sstable_unref(reader);
    remove_component(SSTABLE_SUMMARY);
    remove_component(SSTABLE_FILTER);
    remove_component(SSTABLE_CRC);
    reader = open_files();
    ck_whole(reader);
    sstable_unref(reader);
}
END_TEST

// Where the entry of a key begins in Index.db, and its partition in Data.db.
static struct index_entry entry_of(struct sstable_reader *reader, int32_t key)
{
    struct stream index;
    struct stream_access access = {.error = &error};
    struct partition_key place = partition_key_make(number_of(key));
    struct index_entry entry;
    stream_init(&index, reader, access, SSTABLE_INDEX);
    ck_assert_int_eq(index_reader_find(&index, &place, &entry), STATUS_OK);
    stream_deinit(&index);
    return entry;
}

START_TEST(an_index_that_points_elsewhere_is_told)
{
    make_table(1, false);
    write_files(KEYS, 2, zeros(40)); // No blocks: all entries are small.
    struct sstable_reader *reader = open_files();
    struct index_entry entry = entry_of(reader, 7);
    sstable_unref(reader);
    // The place of the partition is behind the key; one more is within it.
    uint8_t position[VINT_SIZE_MAX], moved[VINT_SIZE_MAX];
    size_t size = (size_t)(vint_put(position, entry.position) - position);
    ck_assert_uint_eq(size, (size_t)(vint_put(moved, entry.position + 1) - moved));
    put_at(SSTABLE_INDEX, (int64_t)entry.start + 6, moved, size);
    reader = open_files();
    ck_assert_int_eq(read_rows(reader, 8, 0, 0, false), 1);
    ck_assert_int_eq(read_rows(reader, 7, 0, 0, false), -1);
    char place[64];
    snprintf(place, sizeof place, "nb-1-big-Data.db: offset %u: another partition",
             (unsigned)entry.position + 1);
    ck_assert_msg(strstr(error.text, place) != NULL, "%s", error.text);
    size_t rows;
    ck_assert_int_eq(scan_all(reader, &rows), STATUS_CORRUPT);
    sstable_unref(reader);
    // Another key of the same token's place in the order: the partition is not where it says.
    put_at(SSTABLE_INDEX, (int64_t)entry.start + 6, position, size);
    put_at(SSTABLE_INDEX, (int64_t)entry.start + 1, "\3", 1);
    struct sstable_reader *none;
    ck_assert_int_eq(sstable_open(env, directory, 1, table, NULL, &none, &error), STATUS_CORRUPT);
}
END_TEST

// A flipped bit in the index of a foreign file: told, or of no effect on what is found; a row that
// is not there never comes.
START_TEST(blocks_that_lie_are_told)
{
    make_table(1, false);
    write_files(1, WIDE, zeros(40));
    struct sstable_reader *reader = open_files();
    struct index_entry entry = entry_of(reader, 0);
    ck_assert_uint_gt(entry.block_count, 5);
    sstable_unref(reader);
    struct slice index = whole(SSTABLE_INDEX);
    unsigned told = 0, harmless = 0;
    for (uint64_t bit = 8 * (entry.blocks - 16); bit < 8 * index.size; bit++) {
        uint8_t byte = index.data[bit / 8] ^ (uint8_t)(1 << bit % 8);
        put_at(SSTABLE_INDEX, (int64_t)(bit / 8), &byte, 1);
        reader = NULL;
        enum status status = sstable_open(env, directory, 1, table, NULL, &reader, &error);
        for (int32_t from = 5; from < WIDE && status == STATUS_OK; from += 60) {
            int forward = read_rows(reader, 0, from, from + 4, false);
            int reversed = read_rows(reader, 0, from, from + 4, true);
            if (forward < 0 || reversed < 0) status = STATUS_CORRUPT;
            ck_assert_int_le(forward, 5);
            ck_assert_int_le(reversed, 5);
        }
        told += status == STATUS_CORRUPT;
        harmless += status == STATUS_OK;
        if (reader != NULL) sstable_unref(reader);
        put_at(SSTABLE_INDEX, (int64_t)(bit / 8), &index.data[bit / 8], 1);
    }
    ck_assert_uint_gt(told, 100);
    ck_assert_uint_gt(harmless, 100);
}
END_TEST

START_TEST(as_many_checksums_are_compared_as_the_table_wants)
{
    static const struct {
        double chance;
        unsigned told;
    } cases[] = {{1, 400}, {0.25, 100}, {0, 0}};
    make_table(cases[_i].chance, false);
    write_files(KEYS, WIDE, zeros(40));
    // Of a cell, which says nothing about where other things are.
    struct slice data = whole(SSTABLE_DATA);
    put_at(SSTABLE_DATA, (int64_t)data.size - 5, "\1", 1);
    struct sstable_reader *reader = open_files();
    unsigned told = 0;
    enum { TIMES = 400 };
    for (int i = 0; i < TIMES; i++) {
        size_t rows;
        told += scan_all(reader, &rows) == STATUS_CORRUPT;
    }
    ck_assert_uint_eq(told, cases[_i].told);
    if (_i == 0)
        ck_assert_msg(strstr(error.text, "Data.db: offset 0: bad checksum") != NULL, "%s",
                      error.text);
    sstable_unref(reader);
}
END_TEST

// ---- Large --------------------------------------------------------------------------------------

static void put_vint(struct buffer *bytes, uint64_t value)
{
    buffer_put_vint(bytes, value);
}

// An index entry with what its blocks are; `gap` is added to the last one's place.
static void put_moved_entry(struct sstable_reader *reader, const struct index_entry *entry,
                            uint64_t gap, struct buffer *index)
{
    struct stream stream;
    struct stream_access access = {.error = &error};
    stream_init(&stream, reader, access, SSTABLE_INDEX);
    struct buffer blocks, offsets, promoted;
    buffer_init(&blocks, MIB);
    buffer_init(&offsets, MIB);
    buffer_init(&promoted, MIB);
    for (uint32_t i = 0; i < entry->block_count; i++) {
        struct slice first[2], last[2];
        struct index_block block;
        ck_assert_int_eq(index_reader_block(&stream, entry, i, first, last, &block), STATUS_OK);
        buffer_put_u32(&offsets, (uint32_t)blocks.size);
        const struct bound *places[] = {&block.first, &block.last};
        for (int p = 0; p < 2; p++) {
            buffer_put_u8(&blocks, BOUND_CLUSTERING);
            buffer_put_u8(&blocks, 0);
            buffer_put(&blocks, places[p]->prefix.values[0].data, 4);
        }
        put_vint(&blocks, block.offset + (i + 1 == entry->block_count ? gap : 0));
        int64_t width = (int64_t)block.width - 65536;
        put_vint(&blocks, (uint64_t)width << 1 ^ (uint64_t)(width >> 63));
        buffer_put_u8(&blocks, 0);
    }
    put_vint(&promoted, entry->header_size);
    buffer_put_u32(&promoted, (uint32_t)LOCAL_TIME_NONE);
    buffer_put_u64(&promoted, (uint64_t)TIMESTAMP_NONE);
    put_vint(&promoted, entry->block_count);
    buffer_put(&promoted, blocks.data, blocks.size);
    buffer_put(&promoted, offsets.data, offsets.size);
    buffer_put_u16(index, 4);
    buffer_put_u32(index, 0);
    put_vint(index, 0);
    put_vint(index, promoted.size);
    buffer_put(index, promoted.data, promoted.size);
    buffer_deinit(&blocks);
    buffer_deinit(&offsets);
    buffer_deinit(&promoted);
    stream_deinit(&stream);
}

// A partition whose last block, and one partition behind it, lie beyond 4 GiB of a file with a
// hole.
START_TEST(places_beyond_32_bits_are_read)
{
    make_table(1, false);
    write_files(2, WIDE, zeros(40));
    struct sstable_reader *reader = open_files();
    struct index_entry wide = entry_of(reader, 0), small = entry_of(reader, 1);
    struct slice data = whole(SSTABLE_DATA);
    // In the order of tokens key 1 stands before key 0.
    ck_assert_uint_eq(small.position, 0);
    size_t small_size = (size_t)wide.position;
    const uint64_t gap = 5 * GIB;
    struct buffer index;
    buffer_init(&index, MIB);
    // The wide one begins the file, so that its own places are what is large.
    put_moved_entry(reader, &wide, gap, &index);
    struct stream stream;
    struct stream_access access = {.error = &error};
    stream_init(&stream, reader, access, SSTABLE_INDEX);
    struct slice first[2], last[2];
    struct index_block block;
    ck_assert_int_eq(index_reader_block(&stream, &wide, wide.block_count - 1, first, last, &block),
                     STATUS_OK);
    stream_deinit(&stream);
    sstable_unref(reader);
    uint64_t tail = wide.position + block.offset;
    replace(SSTABLE_DATA, slice_make(data.data + wide.position, block.offset));
    put_at(SSTABLE_DATA, (int64_t)(block.offset + gap), data.data + tail, data.size - tail);
    replace(SSTABLE_INDEX, buffer_slice(&index));
    remove_component(SSTABLE_CRC);
    reader = open_files();
    ck_assert_uint_gt(reader->data_size, gap);
    ck_assert_int_eq(read_rows(reader, 0, WIDE - 3, WIDE + 5, false), 3);
    ck_assert_int_eq(read_rows(reader, 0, WIDE - 3, WIDE + 5, true), 3);
    ck_assert_int_eq(read_rows(reader, 0, 0, WIDE - 1, true), WIDE);
    ck_assert_int_eq(read_rows(reader, 0, 3, 7, false), 5);
    ck_assert_uint_lt(sstable_memory_size(reader), 2 * MIB);
    sstable_unref(reader);

    // The small one far away.
    buffer_clear(&index);
    buffer_put_u16(&index, 4);
    buffer_put_u32(&index, 1);
    put_vint(&index, gap);
    put_vint(&index, 0);
    // Bytes before it that nobody looks at: an entry of their own, with the smallest token there
    // is.
    struct buffer both;
    buffer_init(&both, MIB);
    buffer_put_u16(&both, 0);
    put_vint(&both, 0);
    put_vint(&both, 0);
    buffer_put(&both, index.data, index.size);
    replace(SSTABLE_DATA, slice_make(data.data, 1));
    put_at(SSTABLE_DATA, (int64_t)gap, data.data, small_size);
    replace(SSTABLE_INDEX, buffer_slice(&both));
    reader = open_files();
    ck_assert_int_eq(read_rows(reader, 1, 0, 9, false), 1);
    sstable_unref(reader);
    buffer_deinit(&index);
    buffer_deinit(&both);
}
END_TEST

// A promoted index of 1.9 GiB: a search looks at some thirty of its 16 million blocks.
START_TEST(a_huge_promoted_index_is_not_read_as_a_whole)
{
    make_table(1, false);
    write_files(1, WIDE, zeros(40));
    struct sstable_reader *reader = open_files();
    struct index_entry entry = entry_of(reader, 0);
    struct buffer index;
    buffer_init(&index, MIB);
    put_moved_entry(reader, &entry, 0, &index);
    sstable_unref(reader);
    // All but the last of them are block 0, where a hole's zeros point; the last is far behind.
    const uint64_t count = 16 * 1024 * 1024, blocks_size = 1950 * (uint64_t)MIB - 4 * count;
    struct slice old = buffer_slice(&index);
    uint64_t head = entry.blocks - entry.start;
    uint32_t last = bytes_get_u32(old.data + old.size - 4);
    size_t last_size = old.size - (size_t)head - 4 * (size_t)entry.block_count - last;
    struct buffer start;
    buffer_init(&start, MIB);
    buffer_put_u16(&start, 4);
    buffer_put_u32(&start, 0);
    put_vint(&start, 0);
    struct buffer promoted;
    buffer_init(&promoted, MIB);
    put_vint(&promoted, entry.header_size);
    buffer_put_u32(&promoted, (uint32_t)LOCAL_TIME_NONE);
    buffer_put_u64(&promoted, (uint64_t)TIMESTAMP_NONE);
    put_vint(&promoted, count);
    put_vint(&start, promoted.size + blocks_size + 4 * count);
    buffer_put(&start, promoted.data, promoted.size);
    replace(SSTABLE_INDEX, buffer_slice(&start));
    uint64_t blocks = start.size, offsets = blocks + blocks_size;
    put_at(SSTABLE_INDEX, (int64_t)blocks, old.data + head, old.size - (size_t)head);
    uint8_t place[4];
    bytes_put_u32(place, (uint32_t)(blocks_size - last_size));
    put_at(SSTABLE_INDEX, (int64_t)(offsets - last_size), old.data + head + last, last_size);
    put_at(SSTABLE_INDEX, (int64_t)(offsets + 4 * (count - 1)), place, 4);
    reader = open_files();
    struct index_entry huge = entry_of(reader, 0);
    ck_assert_uint_eq(huge.block_count, count);
    ck_assert_int_eq(read_rows(reader, 0, WIDE - 3, WIDE + 5, false), 3);
    ck_assert_uint_lt(arena_size(&arena), 4 * MIB);
    sstable_unref(reader);
    buffer_deinit(&index);
    buffer_deinit(&start);
    buffer_deinit(&promoted);
}
END_TEST

// ---- Counters of before 2.1 ---------------------------------------------------------------------

// One local, one remote and one global shard; marked, as a stream of old brought it: then the local
// one is another node's.
START_TEST(legacy_shards_come_as_they_are_and_marked_ones_are_cleared)
{
    uint8_t context[2 + 4 + 3 * 32] = {0, 2, 0, 0, 0x80, 2};
    for (uint8_t i = 0; i < 3; i++) {
        context[6 + 32 * i + 15] = (uint8_t)(i + 1);
        bytes_put_u64(context + 6 + 32 * i + 16, 5);
        bytes_put_u64(context + 6 + 32 * i + 24, 100u + i);
    }
    if (_i == 1) bytes_put_u16(context, (uint16_t)-2);
    make_table(1, true);
    write_files(1, 1, slice_make(context, sizeof context));
    struct sstable_reader *reader = open_files();
    ck_assert(sstable_has_legacy_counters(reader));
    struct partition_filter filter = {.ranges = &all_rows, .range_count = 1};
    struct partition_key key = partition_key_make(number_of(0));
    struct partition_iterator *partition;
    struct unfiltered unfiltered;
    ck_assert_int_eq(
        sstable_read(reader, table, &key, &filter, NULL, NULL, &arena, &partition, &error),
        STATUS_OK);
    ck_assert_int_eq(partition_iterator_next(partition, &unfiltered), STATUS_OK);
    struct slice value = unfiltered.row->cells[0].value;
    static const enum counter_shard_kind kinds[2][3] = {
        {COUNTER_SHARD_LOCAL, COUNTER_SHARD_REMOTE, COUNTER_SHARD_GLOBAL},
        {COUNTER_SHARD_REMOTE, COUNTER_SHARD_REMOTE, COUNTER_SHARD_GLOBAL}};
    ck_assert_uint_eq(counter_context_shard_count(value), 3);
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(counter_context_shard_at(value, i).kind, kinds[_i][i]);
    ck_assert_int_eq(counter_context_total(value), 303);
    partition_iterator_close(partition);
    sstable_unref(reader);
}
END_TEST

// ---- Names --------------------------------------------------------------------------------------

START_TEST(names_are_cassandras)
{
    static const struct {
        const char *file;
        enum status status;
        uint64_t generation;
    } names[] = {
        {"nb-1-big-Data.db", STATUS_OK, 1},
        {"oa-2147483647-big-TOC.txt", STATUS_OK, INT32_MAX},
        {"nb-3h5q_16mb_1i0ga25fdxlkxvx0q9-big-Statistics.db", STATUS_OK, 0},
        {"oa-3h5q_16mb_1i0ga25fdxlkxvx0q9-big-Data.db", STATUS_OK, 0},
        {"nb-2147483648-big-Data.db", STATUS_NOT_FOUND, 0},
        {"nb-01-big-Data.db", STATUS_NOT_FOUND, 0},
        {"nb-0-big-Data.db", STATUS_NOT_FOUND, 0},
        {"nb--big-Data.db", STATUS_NOT_FOUND, 0},
        {"nb-1-big-Data.db.tmp", STATUS_NOT_FOUND, 0},
        {"nb-1-huge-Data.db", STATUS_NOT_FOUND, 0},
        {"nb-3h5q_16mb_1i0ga25fdxlkxvx0q-big-Data.db", STATUS_NOT_FOUND, 0},
        {"nb-3h5q_16mb_1I0ga25fdxlkxvx0q9-big-Data.db", STATUS_NOT_FOUND, 0},
        {"nb-3h5q-16mb_1i0ga25fdxlkxvx0q9-big-Data.db", STATUS_NOT_FOUND, 0},
        {"nb_txn_flush_1.log", STATUS_NOT_FOUND, 0},
        {"", STATUS_NOT_FOUND, 0},
        {"me-5-big-Data.db", STATUS_UNSUPPORTED, 0},
        {"md-5-big-Index.db", STATUS_UNSUPPORTED, 0},
        {"da-5-bti-Data.db", STATUS_UNSUPPORTED, 0},
        {"zz-5-big-Data.db", STATUS_UNSUPPORTED, 0},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct sstable_name name;
        enum sstable_component component;
        enum status status = sstable_name_parse(names[i].file, &name, &component, &error);
        ck_assert_msg(status == names[i].status, "%s: %s", names[i].file, status_text(status));
        if (status != STATUS_OK) continue;
        ck_assert_uint_eq(sstable_name_generation(&name), names[i].generation);
        char path[SSTABLE_PATH_SIZE];
        sstable_name_path(path, "", &name, component);
        ck_assert_str_eq(path + 1, names[i].file);
    }
    struct sstable_name name;
    enum sstable_component component;
    ck_assert_int_eq(sstable_name_parse("da-5-bti-Data.db", &name, &component, &error),
                     STATUS_UNSUPPORTED);
    ck_assert_str_eq(error.text,
                     "da-5-bti-Data.db: SSTables of version da (format bti) are not read, only "
                     "those of versions nb and oa of format big");
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("foreign");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, what_is_missing_or_not_to_be_believed_is_made_again);
    tcase_add_test(tcase, an_index_that_points_elsewhere_is_told);
    tcase_add_test(tcase, blocks_that_lie_are_told);
    tcase_add_loop_test(tcase, as_many_checksums_are_compared_as_the_table_wants, 0, 3);
    tcase_add_test(tcase, places_beyond_32_bits_are_read);
    tcase_add_test(tcase, a_huge_promoted_index_is_not_read_as_a_whole);
    tcase_add_loop_test(tcase, legacy_shards_come_as_they_are_and_marked_ones_are_cleared, 0, 2);
    TCase *plain = tcase_create("names");
    tcase_add_test(plain, names_are_cassandras);
    Suite *suite = suite_create("sstable_foreign");
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, plain);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
