// What is in a hidden table, and what is not.
#include "storage/index/index_table.h"

#include "base/limits.h"
#include "storage/partition_key.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct arena arena;
static const struct table *base;

static struct index_definition definition(const char *column, enum index_target target)
{
    return (struct index_definition){
        .name = slice_of_text("i"), .column = slice_of_text(column), .target = target};
}

static void setup(void)
{
    arena_init(&arena, 4096);
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text("t"), (struct uuid){{1}});
    const struct type *text = type_of_kind(TYPE_TEXT);
    table_builder_add_column(builder, slice_of_text("k"), text, COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("j"), text, COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("c"), text, COLUMN_CLUSTERING, true);
    table_builder_add_column(builder, slice_of_text("s"), text, COLUMN_STATIC, false);
    table_builder_add_column(builder, slice_of_text("a"), text, COLUMN_REGULAR, false);
    table_builder_add_column(builder, slice_of_text("d"), type_of_kind(TYPE_DECIMAL),
                             COLUMN_REGULAR, false);
    table_builder_add_column(builder, slice_of_text("m"), type_make_map(&arena, text, text, false),
                             COLUMN_REGULAR, false);
    base = table_builder_finish(builder);
}

static void teardown(void)
{
    table_unref(base);
    arena_deinit(&arena);
}

START_TEST(the_hidden_table_has_the_base_rows_clustering)
{
    struct index_definition of_rows = definition("a", INDEX_TARGET_SIMPLE);
    const struct table *table = index_table_make(base, &of_rows);
    ck_assert_uint_eq(table->column_counts[COLUMN_CLUSTERING], 4);
    ck_assert(table->columns[COLUMN_CLUSTERING][2].reversed);
    table_unref(table);
    struct index_definition of_partitions = definition("s", INDEX_TARGET_SIMPLE);
    table = index_table_make(base, &of_partitions);
    ck_assert_uint_eq(table->column_counts[COLUMN_CLUSTERING], 3);
    table_unref(table);
}
END_TEST

START_TEST(numbers_that_are_written_in_several_ways_have_none)
{
    struct index_definition index = definition("d", INDEX_TARGET_SIMPLE);
    ck_assert(!index_table_is_wanted(base, &index));
    index = definition("a", INDEX_TARGET_SIMPLE);
    ck_assert(index_table_is_wanted(base, &index));
}
END_TEST

START_TEST(every_value_has_a_key)
{
    uint8_t *large = arena_alloc(&arena, KEY_SIZE_MAX + 1);
    memset(large, 'x', KEY_SIZE_MAX + 1);
    ck_assert_uint_eq(index_table_key(slice_make("", 0), &arena).size, 1);
    ck_assert_uint_eq(index_table_key(slice_make(large, KEY_SIZE_MAX), &arena).size, KEY_SIZE_MAX);
    ck_assert_uint_le(index_table_key(slice_make(large, KEY_SIZE_MAX + 1), &arena).size, 64);
}
END_TEST

static char seen[256];

static void see(void *context, const struct index_entry *entry)
{
    (void)context;
    size_t size = strlen(seen);
    (void)snprintf(seen + size, sizeof seen - size, "%.*s;", (int)entry->key.size,
                   (const char *)entry->key.data);
}

static const char *visit(const char *column, enum index_target target, const struct row *row,
                         bool is_static)
{
    struct index_definition index = definition(column, target);
    struct index_plan plan = index_plan_make(base, &index);
    struct slice parts[2] = {slice_of_text("k1"), slice_of_text("j1")};
    struct partition_key key;
    ck_assert_int_eq(partition_key_build(parts, 2, &arena, &key, NULL), STATUS_OK);
    seen[0] = '\0';
    index_plan_visit(&plan, &key, row, is_static, 100, &arena, see, NULL);
    return seen;
}

START_TEST(a_row_gives_its_values_that_live)
{
    uint16_t a = table_find_column(base, slice_of_text("a"))->index;
    uint16_t m = table_find_column(base, slice_of_text("m"))->index;
    struct slice clustering = slice_of_text("c1");
    struct cell cells[] = {
        {.column = a, .local_time = 100, .ttl = 5, .value = slice_of_text("gone")},
        {.column = m,
         .local_time = LOCAL_TIME_NONE,
         .path = slice_of_text("x"),
         .value = slice_of_text("1")},
        {.column = m, .local_time = 50, .path = slice_of_text("y"), .value = slice_make("", 0)},
    };
    struct row row = {.clustering = {1, &clustering},
                      .liveness = LIVENESS_NONE,
                      .deletion = DELETION_NONE,
                      .cells = cells,
                      .cell_count = 3};
    ck_assert_str_eq(visit("a", INDEX_TARGET_SIMPLE, &row, false), "");
    ck_assert_str_eq(visit("m", INDEX_TARGET_VALUES, &row, false), "1;");
    ck_assert_str_eq(visit("m", INDEX_TARGET_KEYS, &row, false), "x;");
    ck_assert_str_eq(visit("c", INDEX_TARGET_SIMPLE, &row, false), "c1;");
    ck_assert_str_eq(visit("j", INDEX_TARGET_SIMPLE, &row, false), "j1;");
    ck_assert_str_eq(visit("s", INDEX_TARGET_SIMPLE, &row, false), "");
    row.cell_count = 1; // Nothing of it lives.
    ck_assert_str_eq(visit("c", INDEX_TARGET_SIMPLE, &row, false), "");
    ck_assert_str_eq(visit("j", INDEX_TARGET_SIMPLE, &row, false), "");
}
END_TEST

START_TEST(an_entry_says_which_row_it_is_about)
{
    struct index_definition index = definition("a", INDEX_TARGET_SIMPLE);
    struct index_plan plan = index_plan_make(base, &index);
    struct slice value = slice_of_text("c1");
    struct clustering row = {1, &value}, back;
    struct partition_key key = partition_key_make(slice_of_text("k")), again;
    struct index_entry entry = {.ttl = 5, .local_time = 77};
    struct clustering made = index_plan_clustering(&plan, &key, &row, &entry, &arena);
    ck_assert_uint_eq(made.count, 4);
    ck_assert(index_plan_split(&plan, &made, &again, &back));
    ck_assert_int_eq(partition_key_compare(&key, &again), 0);
    ck_assert(back.count == 1 && slice_equals(back.values[0], value));
    made.count = 2;
    ck_assert(!index_plan_split(&plan, &made, &again, &back));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("index_table");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_hidden_table_has_the_base_rows_clustering);
    tcase_add_test(tcase, numbers_that_are_written_in_several_ways_have_none);
    tcase_add_test(tcase, every_value_has_a_key);
    tcase_add_test(tcase, a_row_gives_its_values_that_live);
    tcase_add_test(tcase, an_entry_says_which_row_it_is_about);
    Suite *suite = suite_create("index_table");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
