// The first numbers for a seed are written down: what was found with a seed must be found again.
#include "base/random.h"

#include <check.h>
#include <string.h>

START_TEST(a_seed_gives_the_same_numbers_for_ever)
{
    // Computed from the published algorithms in another language.
    static const uint64_t expected[] = {0x15780b2e0c2ec716, 0x6104d9866d113a7e, 0xae17533239e499a1};
    struct random random;
    random_init(&random, 42);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        ck_assert_uint_eq(random_u64(&random), expected[i]);
}
END_TEST

START_TEST(numbers_below_a_bound_are_even)
{
    enum { BOUND = 7, COUNT = 70000 };
    int counts[BOUND] = {0};
    struct random random;
    random_init(&random, 1);
    for (int i = 0; i < COUNT; i++)
        counts[random_below(&random, BOUND)]++;
    for (int i = 0; i < BOUND; i++) {
        ck_assert_int_gt(counts[i], COUNT / BOUND * 95 / 100);
        ck_assert_int_lt(counts[i], COUNT / BOUND * 105 / 100);
    }
    ck_assert_uint_eq(random_below(&random, 1), 0);
    for (int i = 0; i < 1000; i++)
        ck_assert_uint_le(random_below(&random, UINT64_MAX), UINT64_MAX - 1);
}
END_TEST

START_TEST(chances_are_kept)
{
    struct random random;
    random_init(&random, 2);
    int count = 0;
    for (int i = 0; i < 10000; i++) {
        double number = random_f64(&random);
        ck_assert(number >= 0 && number < 1);
        ck_assert(!random_chance(&random, 0));
        ck_assert(random_chance(&random, 1));
        count += random_chance(&random, 0.25);
    }
    ck_assert_int_gt(count, 2300);
    ck_assert_int_lt(count, 2700);
}
END_TEST

START_TEST(bytes_are_filled_to_the_end_and_not_further)
{
    for (size_t size = 0; size < 20; size++) {
        struct random random;
        uint8_t ever_set[24] = {0}, bytes[24];
        random_init(&random, 3);
        for (int i = 0; i < 50; i++) {
            memset(bytes, 0, sizeof bytes);
            random_bytes(&random, bytes, size);
            for (size_t at = 0; at < sizeof bytes; at++)
                ever_set[at] |= bytes[at];
        }
        for (size_t at = 0; at < sizeof bytes; at++)
            ck_assert_uint_eq(ever_set[at], at < size ? 0xff : 0);
    }
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("random");
    tcase_add_test(cases, a_seed_gives_the_same_numbers_for_ever);
    tcase_add_test(cases, numbers_below_a_bound_are_even);
    tcase_add_test(cases, chances_are_kept);
    tcase_add_test(cases, bytes_are_filled_to_the_end_and_not_further);

    Suite *suite = suite_create("random");
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
