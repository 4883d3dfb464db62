// Reads touch no more chunks, and no more of them, than they need, a scan does not drive out what
// is read often, a reversed read holds one block at a time, and what is large has places beyond 32
// bits.
#include "base/container_of.h"
#include "base/env_uv.h"
#include "storage/sstable/key_cache.h"
#include "storage/sstable/partition_reader.h"
#include "tests/storage/support/memory_source.h"
#include "tests/storage/support/sstable_table.h"

#include <check.h>
#include <stdlib.h>

// Partition 0 has many blocks, the others are small.
enum { CHUNK = 4096, BLOCK = 16384, WIDE_ROWS = 4000, PARTITIONS = 400, ROWS = 10, VALUE = 100 };

static struct env *env;
static char directory[64];
static const struct table *table;
static struct arena arena;
static struct sstable_reader *reader;
static struct sstable_check check;

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

static void make_table(void)
{
    struct uuid id = {{3}};
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text("touch"), id);
    const struct type *number = type_of_kind(TYPE_INT);
    table_builder_add_column(builder, slice_of_text("k"), number, COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("c"), number, COLUMN_CLUSTERING, false);
    table_builder_add_column(builder, slice_of_text("v"), type_of_kind(TYPE_BLOB), COLUMN_REGULAR,
                             false);
    struct option option = {slice_of_text("chunk_length_in_kb"), slice_of_text("4")};
    table_builder_params(builder)->compression = (struct options){&option, 1};
    table = table_builder_finish(builder);
}

static struct unfiltered row_of(int32_t place)
{
    struct cell *cell = ARENA_NEW(&arena, struct cell);
    struct row *row = ARENA_NEW(&arena, struct row);
    uint8_t *value = arena_alloc(&arena, VALUE);
    memset(value, place, VALUE);
    *cell = (struct cell){
        .local_time = LOCAL_TIME_NONE, .timestamp = 1000, .value = slice_make(value, VALUE)};
    *row = (struct row){.clustering = clustering_of(place),
                        .liveness = {1000, TTL_NONE, LOCAL_TIME_NONE},
                        .deletion = DELETION_NONE,
                        .cell_count = 1,
                        .cells = cell};
    return (struct unfiltered){.is_marker = false, .row = row};
}

static void write_files(void)
{
    struct memory_partition *partitions =
        ARENA_NEW_ARRAY(&arena, struct memory_partition, PARTITIONS);
    for (int32_t k = 0; k < PARTITIONS; k++) {
        int32_t count = k == 0 ? WIDE_ROWS : ROWS;
        struct unfiltered *rows = ARENA_NEW_ARRAY(&arena, struct unfiltered, count);
        for (int32_t c = 0; c < count; c++)
            rows[c] = row_of(c);
        partitions[k] = (struct memory_partition){.key = partition_key_make(number_of(k)),
                                                  .deletion = DELETION_NONE,
                                                  .unfiltereds = rows,
                                                  .unfiltered_count = (size_t)count};
    }
    struct memory_source source;
    struct sstable_content content;
    memory_source_init(&source, table, partitions, PARTITIONS);
    ck_assert_int_eq(sstable_content_gather(&source.base, &content), STATUS_OK);
    memory_source_init(&source, table, partitions, PARTITIONS);
    struct sstable_write_options options = {.directory = directory,
                                            .generation = 1,
                                            .table = table,
                                            .content = &content,
                                            .column_index_size = BLOCK};
    struct sstable_summary written;
    struct error error = {0};
    enum status status = sstable_write(env, &options, &source.base, &written, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
    check = written.check;
}

static void setup(void)
{
    ck_assert_int_eq(env_uv_create(&env, NULL), STATUS_OK);
    sstable_table_make_directory(directory);
    arena_init(&arena, 64 * KIB);
    make_table();
    write_files();
    struct error error = {0};
    enum status status = sstable_open(env, directory, 1, table, &check, &reader, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
}

static void teardown(void)
{
    sstable_unref(reader);
    table_unref(table);
    arena_deinit(&arena);
    env_uv_destroy(env);
    sstable_table_remove_directory(directory);
}

// ---- Reads --------------------------------------------------------------------------------------

struct touched {
    size_t data, index, rows;
};

static struct touched count_touched(size_t rows)
{
    struct touched touched = {.rows = rows};
    for (size_t i = 0; i < reader_chunk_count(reader); i++)
        *(i < reader->data_chunk_count ? &touched.data : &touched.index) +=
            reader->slots[i] != NULL;
    return touched;
}

// Rows of a partition in [from, to], at most `limit`. What is not in memory is loaded without
// read-ahead.
static size_t read_rows(struct chunk_cache *cache, int32_t key, int32_t from, int32_t to,
                        bool reversed, size_t limit)
{
    struct clustering_range range = {{BOUND_INCL_START, clustering_of(from)},
                                     {BOUND_INCL_END, clustering_of(to)}};
    struct partition_filter filter = {.ranges = &range, .range_count = 1, .reversed = reversed};
    struct partition_key place = partition_key_make(number_of(key));
    struct read_pins pins;
    read_pins_init(&pins);
    for (;;) {
        struct partition_iterator *partition;
        struct unfiltered unfiltered;
        size_t count = 0;
        enum status status =
            sstable_read(reader, table, &place, &filter, cache, &pins, &arena, &partition, NULL);
        if (status == STATUS_OK && partition != NULL) {
            while (count < limit &&
                   (status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK) {
                int32_t number = (int32_t)count;
                ck_assert_int_eq((int32_t)bytes_get_u32(unfiltered.row->clustering.values[0].data),
                                 reversed ? to - number : from + number);
                count++;
            }
            partition_iterator_close(partition);
        }
        if (status != STATUS_WOULD_BLOCK) {
            ck_assert(status == STATUS_END || status == STATUS_OK);
            read_pins_release(&pins);
            return count;
        }
        struct sstable_load load;
        ck_assert(sstable_load_begin(&load, &pins));
        load.count = 1;
        sstable_load_work(&load);
        ck_assert_int_eq(sstable_load_finish(&load, cache, &pins, NULL), STATUS_OK);
    }
}

static struct touched touch(int32_t key, int32_t from, int32_t to, bool reversed, size_t limit)
{
    struct chunk_cache *cache = chunk_cache_create(64 * MIB);
    struct touched touched = count_touched(read_rows(cache, key, from, to, reversed, limit));
    for (size_t i = 0; i < reader_chunk_count(reader); i++)
        chunk_cache_forget(&reader->slots[i]);
    chunk_cache_destroy(cache);
    return touched;
}

enum { ALL = INT32_MAX };

START_TEST(a_read_touches_what_it_needs)
{
    // Filter and summary are in memory: a key that is not there costs nothing, or one block of the
    // index if the filter errs.
    struct touched touched = touch(PARTITIONS + 1, 0, 9, false, ALL);
    ck_assert_uint_eq(touched.data, 0);
    ck_assert_uint_le(touched.index, 1);

    // Small partitions: a chunk, or two where one lies over a border; never the neighbours'.
    size_t two = 0;
    for (int32_t k = 1; k < PARTITIONS; k++) {
        touched = touch(k, 3, 3, false, ALL);
        ck_assert_uint_eq(touched.rows, 1);
        ck_assert_uint_eq(touched.index, 1);
        ck_assert_uint_le(touched.data, 2);
        two += touched.data == 2;
    }
    // Rows up to the fourth take some 430 of a chunk's 4096 bytes.
    ck_assert_uint_lt(two, PARTITIONS / 6);

    // The wide one: a block of 16 KiB is four or five chunks, of which a row needs those before it.
    for (int32_t c = 5; c < WIDE_ROWS; c += 97) {
        touched = touch(0, c, c, false, ALL);
        ck_assert_uint_eq(touched.rows, 1);
        ck_assert_uint_eq(touched.index, 1);
        ck_assert_uint_le(touched.data, 6);
    }
    // A slice: those of its rows and the rest of the block before them.
    touched = touch(0, 1000, 1499, false, ALL);
    ck_assert_uint_eq(touched.rows, 500);
    ck_assert_uint_le(touched.data, 500 * (VALUE + 10) / CHUNK + 6);
    // A page of it: no more than the page has.
    touched = touch(0, 1000, 3999, false, 20);
    ck_assert_uint_eq(touched.rows, 20);
    ck_assert_uint_le(touched.data, 6);
    // Backwards, from the end: the last block.
    touched = touch(0, 0, WIDE_ROWS - 1, true, 20);
    ck_assert_uint_eq(touched.rows, 20);
    ck_assert_uint_le(touched.data, 6);
    // Nothing of the range can be in the file: not even the index is looked at.
    touched = touch(0, WIDE_ROWS, WIDE_ROWS + 9, false, ALL);
    ck_assert_uint_eq(touched.rows + touched.data + touched.index, 0);
}
END_TEST

// ---- A scan -------------------------------------------------------------------------------------

static size_t scan_all(struct chunk_cache *cache)
{
    struct clustering_range all_rows = CLUSTERING_RANGE_ALL;
    struct partition_filter filter = {.ranges = &all_rows, .range_count = 1};
    struct scan_range all = SCAN_RANGE_ALL;
    struct arena memory;
    arena_init(&memory, 4 * KIB);
    size_t rows = 0;
    // As the engine does: bounded steps, each from where the one before ended.
    for (bool is_done = false; !is_done;) {
        struct read_pins pins;
        read_pins_init(&pins);
        enum status status = STATUS_WOULD_BLOCK;
        while (status == STATUS_WOULD_BLOCK) {
            struct scan_iterator *scan;
            struct partition_iterator *partition;
            struct unfiltered unfiltered;
            arena_reset(&memory);
            size_t partitions = 0, found = 0;
            struct scan_range range = all;
            ck_assert_int_eq(
                sstable_scan(reader, table, &range, &filter, cache, &pins, &memory, &scan, NULL),
                STATUS_OK);
            while (partitions < 10 &&
                   (status = scan_iterator_next(scan, &partition)) == STATUS_OK) {
                struct token token = partition->key.token;
                size_t before = found;
                while ((status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK)
                    found++;
                partition_iterator_close(partition);
                if (status != STATUS_END) break;
                partitions++;
                if (found - before > 0) all.start = (struct scan_bound){token, slice_null(), false};
            }
            scan_iterator_close(scan);
            if (status == STATUS_WOULD_BLOCK) {
                all.start = range.start;
                struct sstable_load load;
                while (sstable_load_begin(&load, &pins)) {
                    sstable_load_work(&load);
                    ck_assert_int_eq(sstable_load_finish(&load, cache, &pins, NULL), STATUS_OK);
                }
                continue;
            }
            rows += found;
            is_done = status == STATUS_END && partitions < 10;
        }
        read_pins_release(&pins);
    }
    arena_deinit(&memory);
    return rows;
}

// ---- Starts of chunks ---------------------------------------------------------------------------

// Compares what the cache has of Data.db with all of it. Returns how many chunks are there whole.
static size_t check_chunks(size_t *short_count, size_t *short_bytes)
{
    size_t whole_count = 0;
    *short_count = *short_bytes = 0;
    for (size_t i = 0; i < reader->data_chunk_count; i++) {
        struct chunk *whole, *found = reader->slots[i];
        if (found == NULL) continue;
        ck_assert_int_eq(reader_read_chunk(reader, i, false, &whole, NULL), STATUS_OK);
        ck_assert_uint_gt(found->size, 0);
        ck_assert_uint_le(found->size, whole->size);
        ck_assert_mem_eq(found->bytes, whole->bytes, found->size);
        if (found->size == whole->size) {
            whole_count++;
        } else {
            (*short_count)++;
            *short_bytes += found->size;
        }
        chunk_unref(whole);
    }
    return whole_count;
}

START_TEST(a_read_decompresses_no_more_than_its_partition)
{
    size_t short_count, short_bytes;
    struct chunk_cache *cache = chunk_cache_create(64 * MIB);
    // Few of them share a chunk.
    for (int32_t k = 1; k < PARTITIONS; k += 20)
        ck_assert_uint_eq(read_rows(cache, k, 3, 3, false, ALL), 1);
    (void)check_chunks(&short_count, &short_bytes);
    ck_assert_uint_gt(short_count, PARTITIONS / 20 / 3);
    ck_assert_uint_lt(short_bytes, short_count * CHUNK * 3 / 4);

    // Whoever wants more gets it, whatever was there before; then nothing is missing.
    for (int32_t k = 1; k < PARTITIONS; k++)
        ck_assert_uint_eq(read_rows(cache, k, 0, ROWS - 1, k % 2 == 0, ALL), ROWS);
    ck_assert_uint_gt(check_chunks(&short_count, &short_bytes), 80);
    size_t size = chunk_cache_size(cache);
    for (int32_t k = 1; k < PARTITIONS; k++)
        ck_assert_uint_eq(read_rows(cache, k, 0, ROWS - 1, false, ALL), ROWS);
    ck_assert_uint_eq(chunk_cache_size(cache), size);

    // A scan wants all.
    ck_assert_uint_eq(scan_all(cache), WIDE_ROWS + (PARTITIONS - 1) * ROWS);
    ck_assert_uint_eq(check_chunks(&short_count, &short_bytes), reader->data_chunk_count);
    sstable_unref(reader);
    reader = NULL;
    chunk_cache_destroy(cache);
}
END_TEST

// ---- Marks --------------------------------------------------------------------------------------

static void read_all_keys(struct chunk_cache *cache)
{
    for (int32_t k = 1; k < PARTITIONS; k++)
        ck_assert_uint_eq(read_rows(cache, k, 3, 3, false, ALL), 1);
}

// Each mark stands where an entry with its token begins.
static size_t check_marks(void)
{
    struct stream stream;
    struct index_entry entry;
    size_t seen = 0;
    stream_init(&stream, reader, (struct stream_access){0}, SSTABLE_INDEX);
    for (size_t i = 0; i < reader->summary.count; i++) {
        const struct index_marks *marks = &reader->marks[i];
        for (size_t m = 0; m < marks->count; m++, seen++) {
            stream_seek(&stream, reader->summary.entries[i].position + marks->offsets[m]);
            ck_assert_int_eq(index_reader_entry(&stream, &entry), STATUS_OK);
            ck_assert_uint_eq(index_marks_token(token_of_key(entry.key)), marks->tokens[m]);
        }
    }
    stream_deinit(&stream);
    return seen;
}

START_TEST(marks_stand_in_the_index_and_may_lie)
{
    struct chunk_cache *cache = chunk_cache_create(64 * MIB);
    ck_assert_ptr_null(reader->marks);
    size_t memory = sstable_memory_size(reader);
    read_all_keys(cache);
    ck_assert_ptr_nonnull(reader->marks);
    ck_assert_uint_gt(sstable_memory_size(reader), memory);
    // The promoted index of the wide partition is in one of the four stretches.
    ck_assert_uint_ge(check_marks(), INDEX_MARKS_MAX * (PARTITIONS / 128 - 1));
    read_all_keys(cache);
    // Whatever a mark says, it is a hint.
    for (uint32_t round = 0; round < 20; round++) {
        for (size_t i = 0; i < reader->summary.count; i++) {
            struct index_marks *marks = &reader->marks[i];
            marks->count = INDEX_MARKS_MAX;
            for (uint32_t m = 0; m < INDEX_MARKS_MAX; m++) {
                marks->tokens[m] = (uint32_t)i * 2654435761U * (round + m + 1);
                marks->offsets[m] = (uint16_t)(round % 4 == 0 ? UINT16_MAX - m : 331 * round * m);
            }
        }
        read_all_keys(cache);
    }
    sstable_unref(reader);
    reader = NULL;
    chunk_cache_destroy(cache);
}
END_TEST

// ---- A scan and the cache
// -------------------------------------------------------------------------

START_TEST(a_scan_does_not_drive_out_what_is_read_often)
{
    // Room for a tenth of the file, a part of which is read often.
    struct chunk_cache *cache = chunk_cache_create(reader->data_size / 10 + INDEX_BLOCK_SIZE);
    for (int32_t k = 1; k < 20; k++)
        ck_assert_uint_eq(read_rows(cache, k, 3, 3, false, ALL), 1);
    size_t hot_count = 0, chunk_count = reader_chunk_count(reader);
    size_t *hot = ARENA_NEW_ARRAY(&arena, size_t, chunk_count);
    for (size_t i = 0; i < chunk_count; i++)
        if (reader->slots[i] != NULL) hot[hot_count++] = i;
    ck_assert_uint_gt(hot_count, 10);
    ck_assert_uint_eq(scan_all(cache), WIDE_ROWS + (PARTITIONS - 1) * ROWS);
    for (size_t i = 0; i < hot_count; i++)
        ck_assert_msg(reader->slots[hot[i]] != NULL, "chunk %zu is gone", hot[i]);
    sstable_unref(reader);
    reader = NULL;
    chunk_cache_destroy(cache);
}
END_TEST

// ---- Memory of a reversed read ------------------------------------------------------------------

START_TEST(a_reversed_read_holds_one_block)
{
    struct arena memory;
    arena_init(&memory, 4 * KIB);
    struct clustering_range all_rows = CLUSTERING_RANGE_ALL;
    struct partition_filter filter = {.ranges = &all_rows, .range_count = 1, .reversed = true};
    struct partition_key key = partition_key_make(number_of(0));
    struct partition_iterator *iterator;
    ck_assert_int_eq(
        sstable_read(reader, table, &key, &filter, NULL, NULL, &memory, &iterator, NULL),
        STATUS_OK);
    struct partition_reader *partition = (struct partition_reader *)iterator;
    struct unfiltered unfiltered;
    enum status status;
    size_t largest = 0, kept = 0, rows = 0;
    while ((status = partition_iterator_next(iterator, &unfiltered)) == STATUS_OK) {
        rows++;
        size_t size = arena_size(&partition->block_arena);
        if (size > largest) largest = size;
        if (partition->kept_capacity > kept) kept = partition->kept_capacity;
    }
    ck_assert_int_eq(status, STATUS_END);
    ck_assert_uint_eq(rows, WIDE_ROWS);
    // A block's rows, with what their structs take; the partition has thirty times as much.
    ck_assert_uint_le(kept, 256);
    ck_assert_uint_le(largest, 8 * BLOCK);
    ck_assert_uint_gt(reader->data_size, 25 * BLOCK);
    partition_iterator_close(iterator);
    arena_deinit(&memory);
}
END_TEST

// Where a read of the key begins in Data.db; UINT64_MAX: the key is not there.
static uint64_t read_position(struct chunk_cache *cache, const struct partition_key *key)
{
    struct clustering_range all = CLUSTERING_RANGE_ALL;
    struct partition_filter filter = {.ranges = &all, .range_count = 1};
    struct partition_iterator *partition;
    struct read_pins pins;
    uint64_t position = UINT64_MAX;
    read_pins_init(&pins);
    ck_assert_int_eq(
        sstable_read(reader, table, key, &filter, cache, &pins, &arena, &partition, NULL),
        STATUS_OK);
    if (partition != NULL) {
        position = CONTAINER_OF(partition, struct partition_reader, base)->entry.position;
        partition_iterator_close(partition);
    }
    read_pins_release(&pins);
    return position;
}

// Tokens have as many bits as the cache keeps of them, and other keys may have the same ones.
START_TEST(the_noted_place_of_another_key_is_found_out)
{
    struct chunk_cache *cache = chunk_cache_create(64 * MIB);
    struct key_cache *keys = chunk_cache_keys(cache);
    struct partition_key first = partition_key_make(number_of(1)),
                         second = partition_key_make(number_of(2)),
                         absent = partition_key_make(number_of(PARTITIONS + 1));
    struct key_place first_place, second_place, found;
    ck_assert_uint_eq(read_rows(cache, 1, 0, ROWS - 1, false, ALL), ROWS);
    ck_assert_uint_eq(read_rows(cache, 2, 0, ROWS - 1, false, ALL), ROWS);
    ck_assert(key_cache_find(keys, reader->key_number, first.token, &first_place));
    ck_assert(key_cache_find(keys, reader->key_number, second.token, &second_place));
    ck_assert_uint_ne(first_place.position, second_place.position);
    key_cache_put(keys, reader->key_number, first.token, &second_place);
    key_cache_put(keys, reader->key_number, absent.token, &second_place);
    ck_assert_uint_eq(read_position(cache, &first), first_place.position);
    ck_assert_uint_eq(read_position(cache, &absent), UINT64_MAX);
    // The next read has the right one again.
    ck_assert(key_cache_find(keys, reader->key_number, first.token, &found));
    ck_assert_uint_eq(found.position, first_place.position);
    for (size_t i = 0; i < reader_chunk_count(reader); i++)
        chunk_cache_forget(&reader->slots[i]);
    chunk_cache_destroy(cache);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("touch");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a_read_touches_what_it_needs);
    tcase_add_test(tcase, a_read_decompresses_no_more_than_its_partition);
    tcase_add_test(tcase, marks_stand_in_the_index_and_may_lie);
    tcase_add_test(tcase, the_noted_place_of_another_key_is_found_out);
    tcase_add_test(tcase, a_scan_does_not_drive_out_what_is_read_often);
    tcase_add_test(tcase, a_reversed_read_holds_one_block);
    Suite *suite = suite_create("sstable_touch");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
