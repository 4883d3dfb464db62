// A place that is found is the one that was put last for this SSTable and token; what leaves is the
// oldest of its set.
#include "storage/sstable/key_cache.h"

#include "base/random.h"

#include <check.h>
#include <stdlib.h>

enum { SIZE = 64 << 10, TOKENS = 4000, SSTABLES = 3, WAYS = 4 };

static bool is_there(const struct key_cache *cache, uint32_t number, int64_t token)
{
    struct key_place place;
    return key_cache_find(cache, number, (struct token){token}, &place);
}

START_TEST(what_is_found_is_what_was_put_last)
{
    struct key_cache *cache = key_cache_create(SIZE);
    ck_assert_uint_le(key_cache_size(cache), SIZE);
    uint32_t numbers[SSTABLES];
    for (size_t i = 0; i < SSTABLES; i++)
        numbers[i] = key_cache_number(cache);
    static struct key_place last[SSTABLES][TOKENS];
    memset(last, 0, sizeof last);
    struct random random;
    random_init(&random, 1);
    size_t found_count = 0;
    for (int turn = 0; turn < 200000; turn++) {
        size_t sstable = random_below(&random, SSTABLES), i = random_below(&random, TOKENS);
        struct token token = {(int64_t)((i + 1) * 0x9e3779b97f4a7c15u)};
        if (random_chance(&random, 0.5)) {
            last[sstable][i] =
                (struct key_place){random_below(&random, 1ull << 40), 1 + (uint64_t)turn % 1000};
            key_cache_put(cache, numbers[sstable], token, &last[sstable][i]);
        }
        struct key_place place;
        if (!key_cache_find(cache, numbers[sstable], token, &place)) continue;
        found_count++;
        ck_assert_uint_eq(place.position, last[sstable][i].position);
        ck_assert_uint_eq(place.size, last[sstable][i].size);
    }
    ck_assert_uint_gt(found_count, 100000); // At least all that had just been put.
    key_cache_destroy(cache);
}
END_TEST

START_TEST(the_oldest_of_a_set_leaves)
{
    struct key_cache *cache = key_cache_create(3 * 64); // Two sets.
    uint32_t number = key_cache_number(cache);
    // Tokens of one set: each but the last WAYS is gone.
    int64_t tokens[64];
    size_t count = 0;
    struct key_place place = {1, 1};
    for (int64_t i = 1; count < 2 * WAYS + 1; i++) {
        int64_t token = i << 32;
        key_cache_put(cache, number, (struct token){token}, &place);
        tokens[count++] = token;
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        kept += is_there(cache, number, tokens[i]);
    ck_assert(kept >= WAYS && kept <= 2 * WAYS);
    ck_assert(is_there(cache, number, tokens[count - 1]));
    // What is put again is not there twice: three others of any set do not drive it out.
    for (int64_t i = 0; i < 3; i++) {
        key_cache_put(cache, number, (struct token){tokens[0]}, &place);
        key_cache_put(cache, number, (struct token){(i + 100) << 32}, &place);
        ck_assert(is_there(cache, number, tokens[0]));
    }
    key_cache_destroy(cache);
}
END_TEST

START_TEST(what_does_not_fit_is_not_kept)
{
    ck_assert_ptr_null(key_cache_create(2 * 64));
    struct key_cache *cache = key_cache_create(SIZE);
    uint32_t number = key_cache_number(cache);
    struct key_place far = {1ull << 40, 1}, large = {0, 1 << 24},
                     most = {(1ull << 40) - 1, (1 << 24) - 1};
    key_cache_put(cache, number, (struct token){5}, &far);
    key_cache_put(cache, number, (struct token){5}, &large);
    key_cache_put(cache, 0, (struct token){5}, &most);
    ck_assert(!is_there(cache, number, 5));
    ck_assert(!is_there(cache, 0, 5));
    key_cache_put(cache, number, (struct token){5}, &most);
    struct key_place place;
    ck_assert(key_cache_find(cache, number, (struct token){5}, &place));
    ck_assert_uint_eq(place.position, most.position);
    ck_assert_uint_eq(place.size, most.size);
    ck_assert(!is_there(cache, number + 1, 5));
    key_cache_destroy(cache);
}
END_TEST

START_TEST(no_sstable_gets_the_number_of_another)
{
    struct key_cache *cache = key_cache_create(SIZE);
    uint32_t expected = 1;
    while (key_cache_number(cache) == expected)
        expected++;
    ck_assert_uint_eq(expected, 1u << 24);
    ck_assert_uint_eq(key_cache_number(cache), 0);
    ck_assert_uint_eq(key_cache_number(cache), 0);
    key_cache_destroy(cache);
}
END_TEST

int main(void)
{
    TCase *key_cache = tcase_create("key_cache");
    tcase_add_test(key_cache, what_is_found_is_what_was_put_last);
    tcase_add_test(key_cache, the_oldest_of_a_set_leaves);
    tcase_add_test(key_cache, what_does_not_fit_is_not_kept);
    tcase_add_test(key_cache, no_sstable_gets_the_number_of_another);

    Suite *suite = suite_create("key_cache");
    suite_add_tcase(suite, key_cache);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
