// All of Statistics.db, and the table that is made of its header: on files of a real Cassandra, and
// on those with damage.
#include "base/env_uv.h"
#include "base/limits.h"
#include "storage/sstable/file_reader.h"
#include "storage/sstable/header_table.h"
#include "storage/sstable/statistics_full.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static struct env *env;
static struct arena arena;
static struct error error;

static void setup(void)
{
    ck_assert_int_eq(env_uv_create(&env, NULL), STATUS_OK);
    arena_init(&arena, 4096);
}

static void teardown(void)
{
    arena_deinit(&arena);
    env_uv_destroy(env);
}

static struct slice read_golden(const char *path)
{
    struct slice file;
    ck_assert_int_eq(file_reader_read_file(env, path, MIB, &file, &error), STATUS_OK);
    return file;
}

static struct slice read_table(const char *table)
{
    char path[256];
    snprintf(path, sizeof path, "tests/golden/tables/%s/nb-1-big-Statistics.db", table);
    return read_golden(path);
}

START_TEST(numbers_are_those_that_sstablemetadata_shows)
{
    static const struct {
        const char *table;
        uint64_t rows, columns, cardinality;
        int64_t partitions, min_local_time, max_local_time;
        size_t drop_times;
        double droppable;
    } cases[] = {
        {"expiring", 473, 873, 40, 40, 1845325666, INT64_MAX, 5, 0},
        {"deleted", 1990, 1983, 20, 20, 1795325670, INT64_MAX, 1, 0.027184466019417475},
        {"no_clustering", 5000, 0, 5000, 5000, INT64_MAX, INT64_MAX, 0, 0},
        {"composite_key", 3000, 3000, 2999, 2999, INT64_MAX, INT64_MAX, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice file = read_table(cases[i].table);
        struct statistics_full statistics;
        ck_assert_msg(statistics_full_decode(file, false, &arena, &statistics, &error) == STATUS_OK,
                      "%s: %s", cases[i].table, error.text);
        uint64_t cardinality;
        ck_assert(statistics_full_cardinality(&statistics, &cardinality));
        ck_assert_uint_eq(statistics.total_rows, cases[i].rows);
        if (cases[i].columns > 0) ck_assert_uint_eq(statistics.total_columns, cases[i].columns);
        ck_assert_uint_eq(cardinality, cases[i].cardinality);
        ck_assert_int_eq(full_histogram_count(&statistics.partition_sizes), cases[i].partitions);
        ck_assert_int_eq(statistics.min_local_time, cases[i].min_local_time);
        ck_assert_int_eq(statistics.max_local_time, cases[i].max_local_time);
        ck_assert_uint_eq(statistics.drop_time_count, cases[i].drop_times);
        ck_assert_double_eq(statistics_full_droppable_ratio(&statistics, 1795325800),
                            cases[i].droppable);
        ck_assert(isnan(statistics.token_space_coverage));
        free((void *)file.data);
    }
}
END_TEST

START_TEST(drop_times_of_a_damaged_file_may_lie_far_apart)
{
    struct full_drop_time times[] = {{.point = -9000000000000000000, .count = 2},
                                     {.point = 9000000000000000000, .count = 2}};
    int64_t offsets[] = {1, 2}, buckets[] = {4, 0};
    const struct statistics_full statistics = {
        .drop_times = times,
        .drop_time_count = 2,
        .cell_counts = {.offset_count = 1, .offsets = offsets, .buckets = buckets}};
    // One of each two lies before the middle.
    ck_assert_double_eq(statistics_full_droppable_ratio(&statistics, 0), 0.5);
}
END_TEST

START_TEST(version_oa_has_keys_and_bounds)
{
    struct slice file = read_golden("tests/golden/oa/deleted/oa-1-big-Statistics.db");
    struct statistics_full statistics;
    ck_assert_msg(statistics_full_decode(file, true, &arena, &statistics, &error) == STATUS_OK,
                  "%s", error.text);
    ck_assert(statistics.has_key_range && statistics.first_key.size > 0);
    ck_assert_uint_eq(statistics.total_rows, 228);
    // The same bytes make no sense as those of nb.
    ck_assert_int_eq(statistics_full_decode(file, false, &arena, &statistics, &error),
                     STATUS_CORRUPT);
    free((void *)file.data);
}
END_TEST

START_TEST(damage_is_told_whatever_it_is)
{
    static const char *const tables[] = {"every_type", "deleted"};
    for (size_t t = 0; t < 2; t++) {
        struct slice file = read_table(tables[t]);
        uint8_t *copy = malloc(file.size);
        ck_assert_ptr_nonnull(copy);
        for (size_t i = 0; i < file.size; i++) {
            struct statistics_full statistics;
            memcpy(copy, file.data, file.size);
            copy[i] ^= (uint8_t)(1 + i % 255);
            ck_assert_int_eq(statistics_full_decode(slice_make(copy, file.size), false, &arena,
                                                    &statistics, &error),
                             STATUS_CORRUPT);
            ck_assert_ptr_nonnull(strstr(error.text, "offset "));
            ck_assert_int_eq(statistics_full_decode(slice_make(file.data, i), false, &arena,
                                                    &statistics, &error),
                             STATUS_CORRUPT);
            arena_reset(&arena);
        }
        free(copy);
        free((void *)file.data);
    }
}
END_TEST

static const struct table *make_table(const char *table, const char *keys)
{
    struct slice file = read_table(table);
    struct statistics_full statistics;
    ck_assert_int_eq(statistics_full_decode(file, false, &arena, &statistics, &error), STATUS_OK);
    free((void *)file.data);
    struct slice names[8];
    struct header_table_names all = {slice_of_text("ks"), slice_of_text("t"), names,
                                     header_table_split_names(keys, names, 8)};
    const struct table *made = NULL;
    return header_table_make(&statistics.header, &all, &made, &error) == STATUS_OK ? made : NULL;
}

static void check_name(const struct table *table, enum column_kind kind, uint16_t index,
                       const char *name)
{
    ck_assert_uint_lt(index, table->column_counts[kind]);
    ck_assert(slice_equals(table->columns[kind][index].name, slice_of_text(name)));
}

START_TEST(a_table_is_made_of_a_header)
{
    const struct table *table = make_table("composite_key", NULL);
    ck_assert_ptr_nonnull(table);
    check_name(table, COLUMN_PARTITION_KEY, 0, "key");
    check_name(table, COLUMN_PARTITION_KEY, 2, "key2");
    check_name(table, COLUMN_CLUSTERING, 0, "clustering");
    check_name(table, COLUMN_CLUSTERING, 1, "clustering1");
    ck_assert_int_eq(table->columns[COLUMN_PARTITION_KEY][2].type->kind, TYPE_BLOB);
    table_unref(table);
    table = make_table("every_type", "k,c1,c2");
    ck_assert_ptr_nonnull(table);
    check_name(table, COLUMN_PARTITION_KEY, 0, "k");
    check_name(table, COLUMN_CLUSTERING, 1, "c2");
    ck_assert(table->columns[COLUMN_CLUSTERING][0].reversed);
    ck_assert(!table->columns[COLUMN_CLUSTERING][1].reversed);
    ck_assert_uint_eq(table->column_counts[COLUMN_STATIC], 2);
    table_unref(table);
    table = make_table("counters_wide", NULL);
    ck_assert_ptr_nonnull(table);
    ck_assert(table->is_counter);
    table_unref(table);
}
END_TEST

START_TEST(names_that_are_taken_are_refused)
{
    ck_assert_ptr_null(make_table("every_type", "k,v"));
    ck_assert_ptr_nonnull(strstr(error.text, "'v'"));
    ck_assert_ptr_null(make_table("every_type", "k,k"));
    ck_assert_ptr_null(make_table("every_type", "a1,b1,c1,d1"));
    ck_assert_ptr_nonnull(strstr(error.text, "the keys have 3 columns"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("statistics_full");
    TCase *test = tcase_create("all");
    tcase_add_checked_fixture(test, setup, teardown);
    tcase_add_test(test, numbers_are_those_that_sstablemetadata_shows);
    tcase_add_test(test, drop_times_of_a_damaged_file_may_lie_far_apart);
    tcase_add_test(test, version_oa_has_keys_and_bounds);
    tcase_add_test(test, damage_is_told_whatever_it_is);
    tcase_add_test(test, a_table_is_made_of_a_header);
    tcase_add_test(test, names_that_are_taken_are_refused);
    tcase_set_timeout(test, 60);
    suite_add_tcase(suite, test);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
