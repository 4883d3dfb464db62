// What Cassandra 5.0.4 wrote reads to exactly what its own SELECT JSON answered: tables of every
// shape, and a ring of three nodes, merged, whose counters have a shard of each node, with
// deletions and counting after them.
#include "base/env_uv.h"
#include "storage/merge/merge.h"
#include "storage/sstable/format.h"
#include "tests/storage/support/row_json.h"
#include "tests/storage/support/sstable_table.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

// When the rows were asked for; what expires lives until 2029 or later.
enum { NOW = 1800000000, NODES_MAX = 3 };

static struct env *env;
static struct arena arena;

static void setup(void)
{
    ck_assert_int_eq(env_uv_create(&env, NULL), STATUS_OK);
    arena_init(&arena, 64 * KIB);
}

static void teardown(void)
{
    arena_deinit(&arena);
    env_uv_destroy(env);
}

// With the names of the key's columns, which files do not have.
static const struct golden_table {
    const char *name;
    const char *keys[6];
    int nodes;  // Of the ring; 0: a table of one node.
    bool is_oa; // Of version oa, in folder oa.
} golden_tables[] = {
    {"compact_wide", {"k", "c"}, 0, false},
    {"composite_key", {"a", "b", "c", "x", "y"}, 0, false},
    {"counters_wide", {"k", "day", "hour"}, 0, false},
    {"deleted", {"k", "a", "b"}, 0, false},
    {"every_type", {"k", "c1", "c2"}, 0, false},
    {"expiring", {"k", "c"}, 0, false},
    {"hashtags", {"hashtag", "interval"}, 0, false},
    {"many_columns", {"k", "c"}, 0, false},
    {"no_clustering", {"k"}, 0, false},
    {"small_chunks", {"k", "c"}, 0, false},
    {"uncompressed", {"k", "c"}, 0, false},
    {"hashtags", {"hashtag", "interval"}, 3, false},
    {"two", {"k", "c"}, 3, false},
    {"shapes", {"k", "c1", "c2"}, 0, true},
    {"counters", {"k", "day"}, 0, true},
    {"deleted", {"k", "a", "b"}, 0, true},
    {"expiring", {"k", "c"}, 0, true},
    {"wide", {"k", "c"}, 0, true},
    {"single", {"k"}, 0, true},
    {"columns", {"k", "c"}, 0, true},
    {"c_zstd", {"k", "c"}, 0, true},
    {"c_snappy", {"k", "c"}, 0, true},
    {"c_deflate", {"k", "c"}, 0, true},
    {"c_noop", {"k", "c"}, 0, true},
    {"c_high", {"k", "c"}, 0, true},
    {"c_none", {"k", "c"}, 0, true},
    {"c_raw", {"k", "c"}, 0, true},
    {"named_by_uuid", {"k", "c"}, 0, true},
};
enum { TABLE_COUNT = sizeof golden_tables / sizeof *golden_tables };

static void directory_of(const struct golden_table *golden, int node, char *path)
{
    if (golden->nodes == 0) {
        snprintf(path, SSTABLE_PATH_SIZE, "%s/%s/%s", sstable_table_golden(),
                 golden->is_oa ? "oa" : "tables", golden->name);
    } else {
        snprintf(path, SSTABLE_PATH_SIZE, "%s/ring/node%d/%s", sstable_table_golden(), node + 1,
                 golden->name);
    }
}

// One character of a JSON text that is inside of a JSON string; only \u00xx stand in the file.
static const char *put_unescaped(struct buffer *lines, const char *at)
{
    if (*at != '\\') {
        buffer_put_u8(lines, (uint8_t)*at);
        return at + 1;
    }
    at++;
    if (*at == 'u') {
        unsigned code;
        ck_assert_int_eq(sscanf(at + 1, "%4x", &code), 1);
        ck_assert_uint_lt(code, 0x80);
        buffer_put_u8(lines, (uint8_t)code);
        return at + 5;
    }
    static const char letters[] = "ntrbf", characters[] = "\n\t\r\b\f";
    const char *letter = strchr(letters, *at);
    buffer_put_u8(lines, (uint8_t)(letter == NULL ? *at : characters[letter - letters]));
    return at + 1;
}

// Each line of the file is a list of the table's name and a row's JSON as a text.
static void put_expected(const struct golden_table *golden, struct buffer *lines)
{
    char path[SSTABLE_PATH_SIZE], start[64];
    snprintf(path, sizeof path, "%s/%s/rows.jsonl.gz", sstable_table_golden(),
             golden->is_oa        ? "oa"
             : golden->nodes == 0 ? "tables"
                                  : "ring");
    size_t start_size = (size_t)snprintf(start, sizeof start, "[\"%s\", \"", golden->name);
    gzFile file = gzopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    enum { LINE_SIZE = 4 * 1024 * 1024 };
    char *line = malloc(LINE_SIZE);
    while (gzgets(file, line, LINE_SIZE) != NULL) {
        if (strncmp(line, start, start_size) != 0) continue;
        for (const char *at = line + start_size; *at != '"';)
            at = put_unescaped(lines, at);
        buffer_put_u8(lines, '\n');
    }
    free(line);
    gzclose(file);
}

// The first line in which they differ.
static void ck_same_lines(const char *name, const struct buffer *expected,
                          const struct buffer *actual)
{
    const char *a = (const char *)expected->data, *b = (const char *)actual->data;
    size_t number = 1, count = 0;
    for (; *a != '\0' || *b != '\0'; number++, count++) {
        size_t a_size = strcspn(a, "\n"), b_size = strcspn(b, "\n");
        ck_assert_msg(a_size == b_size && memcmp(a, b, a_size) == 0,
                      "%s, row %zu: expected %.*s, read %.*s", name, number, (int)a_size, a,
                      (int)b_size, b);
        a += a_size + (a[a_size] == '\n');
        b += b_size + (b[b_size] == '\n');
    }
    ck_assert_uint_gt(count, 20);
}

START_TEST(a_golden_table_reads_to_cassandras_rows)
{
    const struct golden_table *golden = &golden_tables[_i];
    int count = golden->nodes == 0 ? 1 : golden->nodes;
    const struct table *table = NULL;
    struct sstable_reader *readers[NODES_MAX];
    struct scan_iterator *scans[NODES_MAX];
    struct clustering_range all_rows = CLUSTERING_RANGE_ALL;
    struct partition_filter filter = {&all_rows, 1, false, true};
    struct scan_range all = SCAN_RANGE_ALL;
    struct error error = {0};
    for (int i = 0; i < count; i++) {
        char path[SSTABLE_PATH_SIZE];
        directory_of(golden, i, path);
        struct sstable_name name = sstable_table_find(path);
        ck_assert_int_eq(name.version, golden->is_oa ? SSTABLE_OA : SSTABLE_NB);
        if (table == NULL) table = sstable_table_named(env, path, &name, golden->keys);
        enum status status = sstable_open_named(env, path, &name, table, NULL, &readers[i], &error);
        ck_assert_msg(status == STATUS_OK, "%s", error.text);
        status =
            sstable_scan(readers[i], table, &all, &filter, NULL, NULL, &arena, &scans[i], &error);
        ck_assert_msg(status == STATUS_OK, "%s", error.text);
    }
    struct buffer expected, actual;
    buffer_init(&expected, GIB);
    buffer_init(&actual, GIB);
    put_expected(golden, &expected);
    row_json_put_scan(&actual, merge_scans(scans, (size_t)count, false, &arena), NOW);
    buffer_put_u8(&expected, 0);
    buffer_put_u8(&actual, 0);
    ck_same_lines(golden->name, &expected, &actual);
    buffer_deinit(&expected);
    buffer_deinit(&actual);
    for (int i = 0; i < count; i++)
        sstable_unref(readers[i]);
    table_unref(table);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("golden_rows");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, a_golden_table_reads_to_cassandras_rows, 0, TABLE_COUNT);
    Suite *suite = suite_create("sstable_golden_rows");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
