// The order of places in a partition: bounds of every kind and length around rows, up and down.
#include "storage/row.h"

#include <check.h>

static const struct table *make_table(bool second_reversed)
{
    struct uuid id = {.bytes = {1}};
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text("t"), id);
    const struct type *type = type_of_kind(TYPE_TEXT);
    table_builder_add_column(builder, slice_of_text("k"), type, COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("a"), type, COLUMN_CLUSTERING, false);
    table_builder_add_column(builder, slice_of_text("b"), type, COLUMN_CLUSTERING, second_reversed);
    return table_builder_finish(builder);
}

enum { PLACES_MAX = 64 };

struct places {
    struct slice values[PLACES_MAX][2];
    struct bound bounds[PLACES_MAX];
    int count;
};

static void add(struct places *places, enum bound_kind kind, const char *a, const char *b)
{
    struct slice *values = places->values[places->count];
    uint16_t count = 0;
    if (a != NULL) values[count++] = slice_of_text(a);
    if (b != NULL) values[count++] = slice_of_text(b);
    places->bounds[places->count++] = (struct bound){kind, {count, values}};
}

static void check_ascending(const struct table *table, const struct places *places)
{
    for (int i = 0; i < places->count; i++) {
        for (int j = 0; j < places->count; j++) {
            int order = bound_compare(table, &places->bounds[i], &places->bounds[j]);
            ck_assert_msg((order > 0) - (order < 0) == (i > j) - (i < j), "%d %d: %d", i, j, order);
        }
    }
}

START_TEST(places_are_in_this_order)
{
    const struct table *table = make_table(false);
    struct places places = {.count = 0};
    add(&places, BOUND_INCL_START, NULL, NULL); // Bottom.
    add(&places, BOUND_EXCL_END, "a", NULL);    // Before all of a.
    add(&places, BOUND_EXCL_END, "a", "x");
    add(&places, BOUND_CLUSTERING, "a", "x");
    add(&places, BOUND_EXCL_START, "a", "x");
    add(&places, BOUND_INCL_START, "a", "y");
    add(&places, BOUND_CLUSTERING, "a", "y");
    add(&places, BOUND_INCL_END_EXCL_START, "a", "y");
    add(&places, BOUND_INCL_END, "a", NULL); // After all of a.
    add(&places, BOUND_EXCL_END_INCL_START, "b", NULL);
    add(&places, BOUND_CLUSTERING, "b", "");
    add(&places, BOUND_INCL_END, NULL, NULL); // Top.
    check_ascending(table, &places);
    table_unref(table);
}
END_TEST

START_TEST(a_reversed_column_turns_its_values_but_not_the_kinds)
{
    const struct table *table = make_table(true);
    struct places places = {.count = 0};
    add(&places, BOUND_INCL_START, "a", NULL);
    add(&places, BOUND_INCL_START, "a", "y");
    add(&places, BOUND_CLUSTERING, "a", "y");
    add(&places, BOUND_INCL_END, "a", "y");
    add(&places, BOUND_CLUSTERING, "a", "x");
    add(&places, BOUND_CLUSTERING, "a", "");
    add(&places, BOUND_EXCL_START, "a", NULL);
    check_ascending(table, &places);
    table_unref(table);
}
END_TEST

START_TEST(kinds_of_one_weight_at_one_place_are_equal)
{
    const struct table *table = make_table(false);
    struct places places = {.count = 0};
    add(&places, BOUND_EXCL_END, "a", NULL);
    add(&places, BOUND_INCL_START, "a", NULL);
    add(&places, BOUND_EXCL_END_INCL_START, "a", NULL);
    for (int i = 0; i < places.count; i++)
        ck_assert_int_eq(bound_compare(table, &places.bounds[0], &places.bounds[i]), 0);
    table_unref(table);
}
END_TEST

START_TEST(null_stands_first_up_and_down)
{
    for (int reversed = 0; reversed <= 1; reversed++) {
        const struct table *table = make_table(reversed != 0);
        struct slice null_values[] = {slice_of_text("a"), slice_null()};
        struct slice empty_values[] = {slice_of_text("a"), slice_of_text("")};
        struct slice some_values[] = {slice_of_text("a"), slice_of_text("x")};
        struct clustering null_row = {2, null_values}, empty_row = {2, empty_values};
        struct clustering some_row = {2, some_values};
        ck_assert_int_lt(clustering_compare(table, &null_row, &empty_row), 0);
        ck_assert_int_lt(clustering_compare(table, &null_row, &some_row), 0);
        ck_assert_int_eq(clustering_compare(table, &null_row, &null_row), 0);
        int order = clustering_compare(table, &empty_row, &some_row);
        ck_assert_int_eq(order > 0, reversed);
        table_unref(table);
    }
}
END_TEST

int main(void)
{
    TCase *row = tcase_create("row");
    tcase_add_test(row, places_are_in_this_order);
    tcase_add_test(row, a_reversed_column_turns_its_values_but_not_the_kinds);
    tcase_add_test(row, kinds_of_one_weight_at_one_place_are_equal);
    tcase_add_test(row, null_stands_first_up_and_down);

    Suite *suite = suite_create("row");
    suite_add_tcase(suite, row);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
