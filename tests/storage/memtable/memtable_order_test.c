// The B+tree of a memtable against a sorted array.
#include "storage/memtable/memtable_order.h"

#include <check.h>
#include <stdlib.h>

enum { ITEMS = 20000 };

static uint32_t values[ITEMS];

static int compare(const void *context, const void *key, const void *item)
{
    (void)context;
    uint32_t a = *(const uint32_t *)key, b = *(const uint32_t *)item;
    return (a > b) - (a < b);
}

// Few different prefixes: equal ones are told apart by the items.
static uint64_t prefix_of(uint32_t value)
{
    return value / 1000;
}

// Ascending, descending, and mixed by a step that meets each value once.
static uint32_t value_at(int order, uint32_t index)
{
    if (order == 0) return index;
    if (order == 1) return ITEMS - 1 - index;
    return (uint32_t)((uint64_t)index * 7919 % ITEMS);
}

START_TEST(items_come_in_order_whatever_the_order_of_insertion)
{
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct memtable_order order = {0};
    for (uint32_t i = 0; i < ITEMS; i++) {
        uint32_t value = value_at(_i, i);
        values[value] = value;
        struct memtable_order_path path;
        ck_assert_ptr_null(
            memtable_order_find(&order, prefix_of(value), &value, compare, NULL, &path));
        memtable_order_insert(&order, &arena, &path, prefix_of(value), &values[value]);
        ck_assert_ptr_eq(memtable_order_find(&order, prefix_of(value), &value, compare, NULL, NULL),
                         &values[value]);
    }
    ck_assert_uint_eq(order.count, ITEMS);
    struct memtable_order_cursor cursor = memtable_order_begin(&order);
    for (uint32_t i = 0; i < ITEMS; i++)
        ck_assert_ptr_eq(memtable_order_next(&cursor), &values[i]);
    ck_assert_ptr_null(memtable_order_next(&cursor));
    cursor = memtable_order_end(&order);
    for (uint32_t i = ITEMS; i > 0; i--)
        ck_assert_ptr_eq(memtable_order_previous(&cursor), &values[i - 1]);
    ck_assert_ptr_null(memtable_order_previous(&cursor));
    // A cursor from the middle, in both directions.
    for (uint32_t i = 1; i < ITEMS; i += 617) {
        struct memtable_order_path path;
        (void)memtable_order_find(&order, prefix_of(i), &i, compare, NULL, &path);
        struct memtable_order_cursor back = path.at;
        ck_assert_ptr_eq(memtable_order_next(&path.at), &values[i]);
        ck_assert_ptr_eq(memtable_order_previous(&back), &values[i - 1]);
    }
    arena_deinit(&arena);
}
END_TEST

START_TEST(an_empty_one_has_nothing)
{
    struct memtable_order order = {0};
    uint32_t key = 1;
    ck_assert_ptr_null(memtable_order_find(&order, 0, &key, compare, NULL, NULL));
    struct memtable_order_cursor cursor = memtable_order_begin(&order);
    ck_assert_ptr_null(memtable_order_next(&cursor));
    cursor = memtable_order_end(&order);
    ck_assert_ptr_null(memtable_order_previous(&cursor));
}
END_TEST

int main(void)
{
    TCase *order = tcase_create("memtable_order");
    tcase_add_loop_test(order, items_come_in_order_whatever_the_order_of_insertion, 0, 3);
    tcase_add_test(order, an_empty_one_has_nothing);
    Suite *suite = suite_create("memtable_order");
    suite_add_tcase(suite, order);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
