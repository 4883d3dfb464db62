// The counter cache: what it says is what was put in last, or nothing.
#include "storage/engine/counter_cache.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct counter_cache_key key_of(int number)
{
    static const struct counter_cache_table table = {{{1}}, 0};
    char text[16];
    struct slice value = slice_make("c", 1);
    struct clustering clustering = {1, &value};
    int length = snprintf(text, sizeof text, "k%d", number);
    return counter_cache_key(&table, slice_make(text, (size_t)length), &clustering, 3);
}

START_TEST(while_there_is_room_almost_nothing_is_forgotten)
{
    struct counter_cache *cache = counter_cache_create(1 << 20);
    int64_t count;
    ck_assert(!counter_cache_find(cache, key_of(0), &count));
    for (int i = 0; i < 10000; i++)
        counter_cache_put(cache, key_of(i), -i);
    for (int i = 0; i < 10000; i++)
        counter_cache_put(cache, key_of(i), -i - 1);
    int found = 0;
    for (int i = 0; i < 10000; i++) {
        if (!counter_cache_find(cache, key_of(i), &count)) continue;
        ck_assert_int_eq(count, -i - 1);
        found++;
    }
    ck_assert_int_gt(found, 9300);
    counter_cache_destroy(cache);
}
END_TEST

START_TEST(a_full_one_forgets_but_never_lies)
{
    struct counter_cache *cache = counter_cache_create(4096);
    int64_t count;
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 1000; i++)
            counter_cache_put(cache, key_of(i), round * 1000 + i);
    }
    int found = 0;
    for (int i = 0; i < 1000; i++) {
        if (!counter_cache_find(cache, key_of(i), &count)) continue;
        ck_assert_int_eq(count, 4000 + i);
        found++;
    }
    ck_assert_int_gt(found, 50);
    ck_assert_int_le(found, 32 * 7);
    counter_cache_destroy(cache);
}
END_TEST

START_TEST(a_count_too_large_is_not_kept_nor_the_one_before_it)
{
    struct counter_cache *cache = counter_cache_create(4096);
    const int64_t kept[] = {0,
                            1,
                            -1,
                            INT32_MAX,
                            INT32_MIN,
                            INT64_C(1) << 32,
                            (INT64_C(1) << 47) - 1,
                            -(INT64_C(1) << 47)};
    const int64_t not_kept[] = {INT64_C(1) << 47, -(INT64_C(1) << 47) - 1, INT64_MAX, INT64_MIN};
    int64_t count;
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        for (int other = 1; other < 5; other++)
            counter_cache_put(cache, key_of(other), other);
        counter_cache_put(cache, key_of(0), kept[i]);
        ck_assert(counter_cache_find(cache, key_of(0), &count));
        ck_assert_int_eq(count, kept[i]);
        counter_cache_put(cache, key_of(0), not_kept[i % 4]);
        ck_assert(!counter_cache_find(cache, key_of(0), &count));
    }
    for (int other = 1; other < 5; other++) {
        ck_assert(counter_cache_find(cache, key_of(other), &count));
        ck_assert_int_eq(count, other);
    }
    counter_cache_destroy(cache);
}
END_TEST

// Against a plain array: each count that is found is the one that was put in last.
START_TEST(what_is_found_is_what_was_put_in_last)
{
    enum { CELLS = 4000, STEPS = 200000 };
    static int64_t counts[CELLS];
    struct counter_cache *cache = counter_cache_create(64 * 1024);
    uint64_t random = 1;
    int64_t count;
    for (int step = 0; step < STEPS; step++) {
        random = random * 6364136223846793005 + 1442695040888963407;
        int cell = (int)((random >> 33) % CELLS);
        if (counter_cache_find(cache, key_of(cell), &count)) ck_assert_int_eq(count, counts[cell]);
        if ((random >> 20 & 3) == 0) continue;
        counts[cell] = (int64_t)(random << 1) >> (random >> 60 < 8 ? 1 : 30);
        counter_cache_put(cache, key_of(cell), counts[cell]);
    }
    counter_cache_destroy(cache);
}
END_TEST

START_TEST(cells_that_look_alike_have_different_keys)
{
    struct counter_cache_table a = {{{1}}, 0}, b = {{{1}}, 1};
    struct slice ab[] = {slice_make("a", 1), slice_make("b", 1)};
    struct slice joined[] = {slice_make("ab", 2), slice_make("", 0)};
    struct slice null[] = {slice_make("ab", 2), slice_null()};
    struct clustering clusterings[] = {{2, ab}, {2, joined}, {2, null}, {1, joined}, {0, NULL}};
    struct counter_cache_key keys[16];
    size_t count = 0;
    for (size_t i = 0; i < 5; i++)
        keys[count++] = counter_cache_key(&a, slice_of_text("k"), &clusterings[i], 0);
    keys[count++] = counter_cache_key(&a, slice_of_text("k"), NULL, 0);
    keys[count++] = counter_cache_key(&a, slice_of_text("k"), NULL, 1);
    keys[count++] = counter_cache_key(&a, slice_of_text("ka"), NULL, 0);
    keys[count++] = counter_cache_key(&b, slice_of_text("k"), NULL, 0);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++)
            ck_assert(keys[i].tag != keys[j].tag);
    }
}
END_TEST

START_TEST(a_key_too_long_is_not_cached)
{
    static const uint8_t zeros[65535];
    struct counter_cache_table table = {{{1}}, 0};
    struct counter_cache *cache = counter_cache_create(4096);
    int64_t count;
    for (size_t size = 900; size < 1100; size++) {
        struct counter_cache_key key = counter_cache_key(&table, slice_make(zeros, size), NULL, 0);
        counter_cache_put(cache, key, 2);
        if (size > 1024) ck_assert(!counter_cache_find(cache, key, &count));
    }
    ck_assert_uint_eq(counter_cache_key(&table, slice_make(zeros, 65535), NULL, 0).tag, 0);
    counter_cache_destroy(cache);
}
END_TEST

int main(void)
{
    TCase *cache = tcase_create("counter_cache");
    tcase_add_test(cache, while_there_is_room_almost_nothing_is_forgotten);
    tcase_add_test(cache, a_full_one_forgets_but_never_lies);
    tcase_add_test(cache, a_count_too_large_is_not_kept_nor_the_one_before_it);
    tcase_add_test(cache, what_is_found_is_what_was_put_in_last);
    tcase_add_test(cache, cells_that_look_alike_have_different_keys);
    tcase_add_test(cache, a_key_too_long_is_not_cached);
    Suite *suite = suite_create("counter_cache");
    suite_add_tcase(suite, cache);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
