// Where outputs end, as Cassandra's compaction writers let them.
#include "storage/compaction/output_sizes.h"

#include <check.h>

#define MB UINT64_C(1000000)

START_TEST(one_output_never_ends)
{
    struct output_sizes sizes = {.input_size = 100 * MB};
    ck_assert(!output_sizes_end(&sizes, 1000 * MB));
    ck_assert_double_eq(output_sizes_share(&sizes), 1);
}
END_TEST

START_TEST(an_output_of_a_size_ends_behind_it)
{
    struct output_sizes sizes = {.input_size = 1050 * MB, .size_max = 100 * MB, .level = 3};
    ck_assert(!output_sizes_end(&sizes, 100 * MB));
    ck_assert(output_sizes_end(&sizes, 100 * MB + 1));
    ck_assert_double_eq(output_sizes_share(&sizes), 0.1);
    ck_assert_uint_eq(sizes.level, 3);
    sizes.input_size = 50 * MB;
    ck_assert_double_eq(output_sizes_share(&sizes), 1);
}
END_TEST

START_TEST(a_level_that_is_full_is_followed_by_the_next)
{
    struct output_sizes sizes = {
        .input_size = 5000 * MB, .size_max = 100 * MB, .fanout = 3, .level = 1};
    static const unsigned counts[] = {0, 3, 9, 27};
    for (unsigned level = 1; level <= 3; level++) {
        for (unsigned i = 0; i < counts[level]; i++) {
            ck_assert_uint_eq(sizes.level, level);
            ck_assert(output_sizes_end(&sizes, 100 * MB + 1));
        }
    }
    ck_assert_uint_eq(sizes.level, 4);
}
END_TEST

START_TEST(a_split_halves_until_little_is_left)
{
    struct output_sizes sizes = {.input_size = 500 * MB, .is_split = true};
    ck_assert(!output_sizes_end(&sizes, 250 * MB));
    ck_assert_double_eq(output_sizes_share(&sizes), 0.5);
    ck_assert(output_sizes_end(&sizes, 250 * MB + 1));
    ck_assert(!output_sizes_end(&sizes, 125 * MB));
    ck_assert(output_sizes_end(&sizes, 125 * MB + 1));
    ck_assert(output_sizes_end(&sizes, 62500001));
    // 31 MB and all the rest.
    ck_assert(!output_sizes_end(&sizes, 1000 * MB));
    sizes = (struct output_sizes){.input_size = 99 * MB, .is_split = true};
    ck_assert(!output_sizes_end(&sizes, 90 * MB));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("output_sizes");
    tcase_add_test(tcase, one_output_never_ends);
    tcase_add_test(tcase, an_output_of_a_size_ends_behind_it);
    tcase_add_test(tcase, a_level_that_is_full_is_followed_by_the_next);
    tcase_add_test(tcase, a_split_halves_until_little_is_left);
    Suite *suite = suite_create("output_sizes");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
