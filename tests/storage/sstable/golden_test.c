// Files that Cassandra 5.0.4 wrote: read to the rows that its own reader sees, and written again
// from what was read to the same bytes. What a SELECT of them answers is in golden_rows_test.c.
#include "base/cursor.h"
#include "base/env_uv.h"
#include "storage/sstable/file_reader.h"
#include "storage/sstable/reader.h"
#include "tests/storage/support/partition_text.h"
#include "tests/storage/support/sstable_table.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static struct env *env;

static void setup(void)
{
    ck_assert_int_eq(env_uv_create(&env, NULL), STATUS_OK);
}

static void teardown(void)
{
    env_uv_destroy(env);
}

static const struct clustering_range all_rows = {{BOUND_INCL_START, {0, NULL}},
                                                 {BOUND_INCL_END, {0, NULL}}};
static const struct partition_filter everything = {
    .ranges = &all_rows, .range_count = 1, .with_static = true};
static const struct partition_filter everything_reversed = {
    .ranges = &all_rows, .range_count = 1, .reversed = true, .with_static = true};

static struct sstable_reader *open_files(const char *directory, uint64_t generation,
                                         const struct table *table)
{
    struct sstable_reader *reader;
    struct error error = {0};
    enum status status = sstable_open(env, directory, generation, table, NULL, &reader, &error);
    ck_assert_msg(status == STATUS_OK, "%s: %s", directory, error.text);
    return reader;
}

static void dump_scan(struct sstable_reader *reader, const struct table *table,
                      const struct partition_filter *filter, struct buffer *text)
{
    struct arena arena;
    arena_init(&arena, 4 * KIB);
    struct error error = {0};
    struct scan_iterator *scan;
    struct scan_range all = SCAN_RANGE_ALL;
    ck_assert_int_eq(sstable_scan(reader, table, &all, filter, NULL, NULL, &arena, &scan, &error),
                     STATUS_OK);
    struct partition_iterator *partition;
    enum status status;
    while ((status = scan_iterator_next(scan, &partition)) == STATUS_OK) {
        partition_text_put(text, partition, filter->reversed);
        partition_iterator_close(partition);
    }
    ck_assert_msg(status == STATUS_END, "%s: %s", status_text(status), error.text);
    scan_iterator_close(scan);
    arena_deinit(&arena);
}

// ---- Written again ------------------------------------------------------------------------------

static struct slice read_file(const char *directory, uint64_t generation,
                              enum sstable_component component)
{
    char path[SSTABLE_PATH_SIZE];
    sstable_path(path, directory, generation, component);
    struct slice bytes;
    if (file_reader_read_file(env, path, GIB, &bytes, NULL) != STATUS_OK) return slice_null();
    return bytes;
}

static void ck_same_bytes(struct slice expected, struct slice actual, const char *directory,
                          const char *what)
{
    size_t shorter = expected.size < actual.size ? expected.size : actual.size, same = 0;
    while (same < shorter && expected.data[same] == actual.data[same])
        same++;
    ck_assert_msg(same == expected.size && same == actual.size,
                  "%s: %s differs at %zu (of %zu and %zu bytes)", directory, what, same,
                  expected.size, actual.size);
}

static void ck_same_file(const char *directory, uint64_t generation, const char *copy,
                         enum sstable_component component)
{
    struct slice expected = read_file(directory, generation, component);
    struct slice actual = read_file(copy, 1, component);
    ck_assert_msg((expected.data == NULL) == (actual.data == NULL), "%s: %s", directory,
                  sstable_component_name(component));
    if (expected.data != NULL)
        ck_same_bytes(expected, actual, directory, sstable_component_name(component));
    free((void *)expected.data);
    free((void *)actual.data);
}

// Body of one part of Statistics.db.
static struct slice statistics_part(struct slice file, unsigned type)
{
    unsigned count = bytes_get_u32(file.data);
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *at = file.data + 8 + 8 * i;
        if (bytes_get_u32(at) != type) continue;
        size_t offset = bytes_get_u32(at + 4);
        size_t end = i + 1 < count ? bytes_get_u32(at + 12) : file.size;
        return slice_make(file.data + offset, end - offset - 4);
    }
    ck_abort_msg("no part %u", type);
    return slice_null();
}

// All but the commit log's bounds and the host, which a flush of Cassandra's has and ours has not.
static void ck_same_statistics(const char *directory, uint64_t generation, const char *copy)
{
    struct slice expected = read_file(directory, generation, SSTABLE_STATISTICS);
    struct slice actual = read_file(copy, 1, SSTABLE_STATISTICS);
    static const char *const names[] = {"VALIDATION", "COMPACTION", "STATS", "HEADER"};
    for (unsigned type = 0; type < 4; type++) {
        struct slice a = statistics_part(expected, type), b = statistics_part(actual, type);
        if (type == 2) {
            size_t bound = 8 + 16 * (156 + 119);
            memset((uint8_t *)a.data + bound, 0, 12);
            memset((uint8_t *)b.data + bound, 0, 12);
            // What stands behind the total of rows in ours: 12 + 4 + 1 + 1 + 1 bytes.
            a.size = b.size = b.size - 19;
        }
        ck_same_bytes(a, b, directory, names[type]);
    }
    free((void *)expected.data);
    free((void *)actual.data);
}

static void ck_same_data(struct sstable_reader *expected, struct sstable_reader *actual)
{
    ck_assert_uint_eq(expected->data_size, actual->data_size);
    ck_assert_uint_eq(expected->data_chunk_size, actual->data_chunk_size);
    for (size_t i = 0; i < expected->data_chunk_count; i++) {
        struct chunk *a, *b;
        ck_assert_int_eq(reader_read_chunk(expected, i, false, &a, NULL), STATUS_OK);
        ck_assert_int_eq(reader_read_chunk(actual, i, false, &b, NULL), STATUS_OK);
        char what[64];
        snprintf(what, sizeof what, "chunk %zu of Data.db", i);
        ck_same_bytes(slice_make(a->bytes, a->size), slice_make(b->bytes, b->size),
                      expected->directory, what);
        chunk_unref(a);
        chunk_unref(b);
    }
}

static void ck_writes_the_same(const char *directory, uint64_t generation)
{
    const struct table *table = sstable_table_of_files(env, directory, generation);
    struct sstable_reader *reader = open_files(directory, generation, table);
    struct sstable_content content;
    sstable_table_content(table, &reader->header, reader->partition_count, &content);
    char copy[64];
    sstable_table_make_directory(copy);
    struct arena arena;
    arena_init(&arena, 4 * KIB);
    struct error error = {0};
    struct scan_iterator *scan;
    struct scan_range all = SCAN_RANGE_ALL;
    ck_assert_int_eq(
        sstable_scan(reader, table, &all, &everything, NULL, NULL, &arena, &scan, &error),
        STATUS_OK);
    struct sstable_write_options options = {
        .directory = copy, .generation = 1, .table = table, .content = &content};
    struct sstable_summary written = {0};
    enum status status = sstable_write(env, &options, scan, &written, &error);
    ck_assert_msg(status == STATUS_OK, "%s: %s", directory, error.text);

    struct sstable_reader *again;
    status = sstable_open(env, copy, 1, table, &written.check, &again, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
    ck_same_data(reader, again);
    ck_same_file(directory, generation, copy, SSTABLE_DATA);
    ck_same_file(directory, generation, copy, SSTABLE_COMPRESSION_INFO);
    ck_same_file(directory, generation, copy, SSTABLE_CRC);
    ck_same_file(directory, generation, copy, SSTABLE_DIGEST);
    ck_same_file(directory, generation, copy, SSTABLE_INDEX);
    ck_same_file(directory, generation, copy, SSTABLE_SUMMARY);
    ck_same_file(directory, generation, copy, SSTABLE_FILTER);
    ck_same_statistics(directory, generation, copy);
    sstable_unref(again);
    sstable_unref(reader);
    arena_deinit(&arena);
    table_unref(table);
    sstable_table_remove_directory(copy);
}

// Forward and backwards, scanned and one by one.
static void ck_reads_agree(const char *directory, uint64_t generation)
{
    const struct table *table = sstable_table_of_files(env, directory, generation);
    struct sstable_reader *reader = open_files(directory, generation, table);
    struct buffer forward, backward, single;
    buffer_init(&forward, GIB);
    buffer_init(&backward, GIB);
    buffer_init(&single, GIB);
    dump_scan(reader, table, &everything, &forward);
    dump_scan(reader, table, &everything_reversed, &backward);
    ck_same_bytes(buffer_slice(&forward), buffer_slice(&backward), directory, "reversed scan");

    struct arena scan_arena, arena;
    arena_init(&scan_arena, 4 * KIB);
    arena_init(&arena, 4 * KIB);
    struct scan_iterator *scan;
    struct scan_range all = SCAN_RANGE_ALL;
    const struct partition_filter nothing = {.range_count = 0};
    ck_assert_int_eq(
        sstable_scan(reader, table, &all, &nothing, NULL, NULL, &scan_arena, &scan, NULL),
        STATUS_OK);
    struct partition_iterator *scanned, *partition;
    while (scan_iterator_next(scan, &scanned) == STATUS_OK) {
        arena_reset(&arena);
        ck_assert_int_eq(sstable_read(reader, table, &scanned->key, &everything, NULL, NULL, &arena,
                                      &partition, NULL),
                         STATUS_OK);
        ck_assert_ptr_nonnull(partition);
        partition_text_put(&single, partition, false);
        partition_iterator_close(partition);
        partition_iterator_close(scanned);
    }
    scan_iterator_close(scan);
    ck_same_bytes(buffer_slice(&forward), buffer_slice(&single), directory, "single reads");
    arena_deinit(&scan_arena);
    arena_deinit(&arena);
    buffer_deinit(&forward);
    buffer_deinit(&backward);
    buffer_deinit(&single);
    sstable_unref(reader);
    table_unref(table);
}

static const char *const golden_tables[] = {
    "tables/compact_wide",  "tables/composite_key", "tables/counters_wide", "tables/deleted",
    "tables/every_type",    "tables/expiring",      "tables/hashtags",      "tables/many_columns",
    "tables/no_clustering", "tables/small_chunks",  "tables/uncompressed",  "ring/node1/hashtags",
    "ring/node1/two",       "ring/node2/hashtags",  "ring/node2/two",       "ring/node3/hashtags",
    "ring/node3/two",
};
enum { GOLDEN_TABLE_COUNT = sizeof golden_tables / sizeof *golden_tables };

START_TEST(a_golden_table_is_written_again_to_the_same_bytes)
{
    const char *golden = sstable_table_golden();
    char directory[SSTABLE_PATH_SIZE];
    snprintf(directory, sizeof directory, "%s/%s", golden, golden_tables[_i]);
    ck_writes_the_same(directory, 1);
}
END_TEST

START_TEST(a_golden_table_reads_the_same_in_all_directions)
{
    const char *golden = sstable_table_golden();
    char directory[SSTABLE_PATH_SIZE];
    snprintf(directory, sizeof directory, "%s/%s", golden, golden_tables[_i]);
    ck_reads_agree(directory, 1);
}
END_TEST

// ---- Vectors ------------------------------------------------------------------------------------

static const char *const vectors[] = {
    "sst_t1", "sst_t1c", "sst_t2", "sst_t4",  "sst_t5",  "sst_t5b",
    "sst_t7", "sst_t8",  "sst_t9", "sst_t10", "sst_t11",
};
enum { VECTOR_COUNT = sizeof vectors / sizeof *vectors };

static void write_hex_file(const char *directory, const char *name, const char *hex)
{
    char path[SSTABLE_PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    unsigned byte;
    for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
        fputc((int)byte, file);
    ck_assert_int_eq(fclose(file), 0);
}

// Unpacks the files of a vector; the lines of its rows are what they should read to.
static uint64_t unpack_vector(const char *name, const char *directory, struct buffer *rows)
{
    char path[SSTABLE_PATH_SIZE];
    snprintf(path, sizeof path, "%s/vectors/%s.tsv", sstable_table_golden(), name);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    char *line = NULL;
    size_t capacity = 0;
    uint64_t generation = 0;
    while (getline(&line, &capacity, file) > 0) {
        line[strcspn(line, "\n")] = '\0';
        char *tab = strchr(line, '\t');
        if (line[0] == '#' || tab == NULL) continue;
        *tab = '\0';
        if (strcmp(line, "file") == 0) {
            char *hex = strchr(tab + 1, '\t');
            ck_assert_ptr_nonnull(hex);
            *hex = '\0';
            write_hex_file(directory, tab + 1, hex + 1);
            enum sstable_component component;
            ck_assert(sstable_parse_name(tab + 1, &generation, &component));
        } else if (strcmp(line, "row") == 0) {
            // An empty static row is nothing to us.
            buffer_put_format(rows, "%s\n", tab + 1);
        }
    }
    free(line);
    fclose(file);
    return generation;
}

// "S [] live=none del=live" lines with no cells behind them say that there is no static row.
static void drop_empty_static_rows(struct buffer *rows)
{
    static const char empty[] = "S [] live=none del=live\n";
    size_t size = sizeof empty - 1, to = 0;
    for (size_t from = 0; from < rows->size;) {
        bool is_empty = rows->size - from >= size && memcmp(rows->data + from, empty, size) == 0 &&
                        (from + size == rows->size || rows->data[from + size] != ' ');
        if (is_empty) {
            from += size;
            continue;
        }
        while (from < rows->size) {
            uint8_t byte = rows->data[to++] = rows->data[from++];
            if (byte == '\n') break;
        }
    }
    buffer_truncate(rows, to);
}

START_TEST(a_vector_reads_to_its_rows_and_back)
{
    char directory[64];
    sstable_table_make_directory(directory);
    struct buffer expected, actual;
    buffer_init(&expected, GIB);
    buffer_init(&actual, GIB);
    uint64_t generation = unpack_vector(vectors[_i], directory, &expected);
    drop_empty_static_rows(&expected);

    const struct table *table = sstable_table_of_files(env, directory, generation);
    struct sstable_reader *reader = open_files(directory, generation, table);
    dump_scan(reader, table, &everything, &actual);
    buffer_put_u8(&expected, 0);
    buffer_put_u8(&actual, 0);
    ck_assert_str_eq((char *)actual.data, (char *)expected.data);
    sstable_unref(reader);
    table_unref(table);
    buffer_deinit(&expected);
    buffer_deinit(&actual);

    ck_writes_the_same(directory, generation);
    ck_reads_agree(directory, generation);
    sstable_table_remove_directory(directory);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("golden");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, a_vector_reads_to_its_rows_and_back, 0, VECTOR_COUNT);
    tcase_add_loop_test(tcase, a_golden_table_is_written_again_to_the_same_bytes, 0,
                        GOLDEN_TABLE_COUNT);
    tcase_add_loop_test(tcase, a_golden_table_reads_the_same_in_all_directions, 0,
                        GOLDEN_TABLE_COUNT);

    Suite *suite = suite_create("sstable_golden");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
