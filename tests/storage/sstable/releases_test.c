// SSTables and definitions of tables that each release of Helenus wrote (tests/golden/releases)
// read to the rows that it wrote beside them.
#include "base/env_uv.h"
#include "storage/merge/merge.h"
#include "storage/schema/schema_codec.h"
#include "storage/sstable/format.h"
#include "tests/storage/support/random_table.h"
#include "tests/storage/support/row_json.h"
#include "tests/storage/support/sstable_table.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

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

static void read_compressed(const char *path, struct buffer *bytes)
{
    gzFile file = gzopen(path, "rb");
    ck_assert_msg(file != NULL, "%s", path);
    int size;
    do {
        size = gzread(file, buffer_reserve(bytes, 64 * KIB), 64 * KIB);
        ck_assert_int_ge(size, 0);
        buffer_truncate(bytes, bytes->size - 64 * KIB + (size_t)size);
    } while (size > 0);
    gzclose(file);
}

static const struct table *read_definition(const char *path)
{
    struct buffer bytes;
    buffer_init(&bytes, GIB);
    read_compressed(path, &bytes);
    struct cursor cursor = cursor_make(buffer_slice(&bytes));
    const struct table *table;
    struct error error = {0};
    enum status status = schema_codec_get_table(&cursor, &table, &error);
    ck_assert_msg(status == STATUS_OK, "%s: %s", path, error.text);
    buffer_deinit(&bytes);
    return table;
}

// `path` without its ending is the table's directory.
static void ck_table(const char *path)
{
    char directory[SSTABLE_PATH_SIZE], rows_path[SSTABLE_PATH_SIZE];
    snprintf(directory, sizeof directory, "%.*s", (int)(strrchr(path, '.') - path), path);
    snprintf(rows_path, sizeof rows_path, "%.*s.rows.gz", 4000, directory);
    const struct table *table = read_definition(path);
    struct sstable_reader *readers[RANDOM_MEMTABLES_MAX];
    struct scan_iterator *scans[RANDOM_MEMTABLES_MAX];
    struct clustering_range all_rows = CLUSTERING_RANGE_ALL;
    struct partition_filter filter = {&all_rows, 1, false, true};
    struct scan_range all = SCAN_RANGE_ALL;
    struct error error = {0};
    size_t count = 0;
    for (; count < RANDOM_MEMTABLES_MAX; count++) {
        enum status status =
            sstable_open(env, directory, count + 1, table, NULL, &readers[count], &error);
        if (status == STATUS_NOT_FOUND && count > 0) break;
        ck_assert_msg(status == STATUS_OK, "%s: %s", directory, error.text);
        status = sstable_scan(readers[count], table, &all, &filter, NULL, NULL, &arena,
                              &scans[count], &error);
        ck_assert_msg(status == STATUS_OK, "%s: %s", directory, error.text);
    }
    struct buffer expected, actual;
    buffer_init(&expected, GIB);
    buffer_init(&actual, GIB);
    read_compressed(rows_path, &expected);
    row_json_put_scan(&actual, merge_scans(scans, count, false, &arena), RANDOM_NOW);
    ck_assert_msg(actual.size == expected.size &&
                      memcmp(actual.data, expected.data, actual.size) == 0,
                  "%s reads to other rows", directory);
    buffer_deinit(&expected);
    buffer_deinit(&actual);
    for (size_t i = 0; i < count; i++)
        sstable_unref(readers[i]);
    table_unref(table);
}

static unsigned ck_release(const char *directory)
{
    DIR *dir = opendir(directory);
    ck_assert_msg(dir != NULL, "%s", directory);
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        const char *ending = strrchr(entry->d_name, '.');
        if (ending == NULL || strcmp(ending, ".table") != 0) continue;
        char path[SSTABLE_PATH_SIZE];
        snprintf(path, sizeof path, "%.3000s/%s", directory, entry->d_name);
        arena_reset(&arena);
        ck_table(path);
        count++;
    }
    closedir(dir);
    return count;
}

START_TEST(sstables_of_each_release_read_to_their_rows)
{
    static const char releases[] = "tests/golden/releases";
    DIR *dir = opendir(releases);
    ck_assert_msg(dir != NULL, "no %s: run from the project's root", releases);
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
        char path[SSTABLE_PATH_SIZE];
        snprintf(path, sizeof path, "%s/%s/sstables", releases, entry->d_name);
        ck_assert_msg(ck_release(path) >= 14, "%s has few tables", path);
        count++;
    }
    closedir(dir);
    ck_assert_uint_ge(count, 1);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("releases");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, sstables_of_each_release_read_to_their_rows);
    Suite *suite = suite_create("sstable_releases");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
