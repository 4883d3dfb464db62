#include "storage/partition_key.h"

#include "base/limits.h"
#include "storage/partition_iterator.h"

#include <check.h>
#include <stdlib.h>

static struct arena arena;

START_TEST(several_components_have_sizes_and_an_end)
{
    static const uint8_t expected[] = {0, 4, 0, 0, 0, 1, 0, 0, 1, 'a', 0};
    arena_init(&arena, 256);
    struct slice components[] = {slice_make("\0\0\0\1", 4), slice_of_text("a")}, split[2];
    struct partition_key key;
    ck_assert_int_eq(partition_key_build(components, 2, &arena, &key, NULL), STATUS_OK);
    ck_assert_uint_eq(key.bytes.size, sizeof expected);
    ck_assert_mem_eq(key.bytes.data, expected, sizeof expected);
    ck_assert_int_eq(key.token.value, 6516349416904725244); // sstable-nb §9.4.
    ck_assert_int_eq(partition_key_split(key.bytes, 2, split), STATUS_OK);
    ck_assert(slice_equals(split[0], components[0]));
    ck_assert(slice_equals(split[1], components[1]));
    for (size_t size = 0; size < sizeof expected; size++)
        ck_assert_int_eq(partition_key_split(slice_make(expected, size), 2, split), STATUS_CORRUPT);
    ck_assert_int_eq(partition_key_split(key.bytes, 1, split), STATUS_OK);
    ck_assert(slice_equals(split[0], key.bytes));
    ck_assert_int_eq(partition_key_split(key.bytes, 3, (struct slice[3]){{0}}), STATUS_CORRUPT);
    arena_deinit(&arena);
}
END_TEST

START_TEST(one_component_is_the_key_itself)
{
    arena_init(&arena, 256);
    struct slice component = slice_of_text("abc");
    struct partition_key key;
    ck_assert_int_eq(partition_key_build(&component, 1, &arena, &key, NULL), STATUS_OK);
    ck_assert_ptr_eq(key.bytes.data, component.data);
    ck_assert_uint_eq(arena_size(&arena), 0);
    arena_deinit(&arena);
}
END_TEST

START_TEST(keys_have_bounds)
{
    arena_init(&arena, 256);
    struct partition_key key;
    struct error error;
    struct slice empty[] = {slice_of_text(""), slice_of_text("")};
    ck_assert_int_eq(partition_key_build(empty, 1, &arena, &key, &error), STATUS_INVALID);
    ck_assert_str_eq(error.text, "Key may not be empty");
    ck_assert_int_eq(partition_key_build(empty, 2, &arena, &key, &error), STATUS_OK);
    uint8_t *bytes = calloc(1, KEY_SIZE_MAX + 1);
    struct slice large[] = {slice_make(bytes, KEY_SIZE_MAX - 6), slice_of_text("")};
    ck_assert_int_eq(partition_key_build(large, 2, &arena, &key, &error), STATUS_OK);
    large[1] = slice_of_text("x");
    ck_assert_int_eq(partition_key_build(large, 2, &arena, &key, &error), STATUS_INVALID);
    ck_assert_str_eq(error.text, "Key length of 65536 is longer than maximum of 65535");
    large[0] = slice_make(bytes, KEY_SIZE_MAX);
    ck_assert_int_eq(partition_key_build(large, 1, &arena, &key, &error), STATUS_OK);
    large[0] = slice_make(bytes, KEY_SIZE_MAX + 1);
    ck_assert_int_eq(partition_key_build(large, 1, &arena, &key, &error), STATUS_INVALID);
    free(bytes);
    arena_deinit(&arena);
}
END_TEST

START_TEST(a_scan_range_has_what_lies_between_its_bounds)
{
    struct partition_key a = {{5}, slice_of_text("a")}, b = {{5}, slice_of_text("b")};
    struct partition_key later = {{6}, slice_of_text("a")};
    struct scan_range range = SCAN_RANGE_ALL;
    ck_assert(scan_range_contains(&range, &a));
    range.start = (struct scan_bound){{5}, slice_null(), false}; // (5, …: no key of token 5.
    ck_assert(!scan_range_contains(&range, &a));
    ck_assert(scan_range_contains(&range, &later));
    range.start = (struct scan_bound){{5}, slice_of_text("a"), false}; // Behind the key a.
    ck_assert(!scan_range_contains(&range, &a));
    ck_assert(scan_range_contains(&range, &b));
    range.start.inclusive = true;
    ck_assert(scan_range_contains(&range, &a));
    range.end = (struct scan_bound){{5}, slice_null(), true}; // …, 5]: all keys of token 5.
    ck_assert(scan_range_contains(&range, &b));
    ck_assert(!scan_range_contains(&range, &later));
    range.end = (struct scan_bound){{5}, slice_of_text("b"), false};
    ck_assert(!scan_range_contains(&range, &b));
    range.end.inclusive = true;
    ck_assert(scan_range_contains(&range, &b));
}
END_TEST

int main(void)
{
    TCase *key = tcase_create("key");
    tcase_add_test(key, several_components_have_sizes_and_an_end);
    tcase_add_test(key, one_component_is_the_key_itself);
    tcase_add_test(key, keys_have_bounds);
    tcase_add_test(key, a_scan_range_has_what_lies_between_its_bounds);

    Suite *suite = suite_create("partition_key");
    suite_add_tcase(suite, key);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
