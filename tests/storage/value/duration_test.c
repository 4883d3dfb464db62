#include "storage/value/duration.h"

#include <check.h>
#include <stdlib.h>

enum { MS_PER_DAY = 86400000 };

START_TEST(a_month_is_added_to_the_first_and_before_the_last_moment_that_there_is)
{
    const struct duration month = {.months = 1}, back = {.months = -1};
    uint64_t later = (uint64_t)duration_add_to_ms(month, INT64_MIN) - (uint64_t)INT64_MIN;
    ck_assert_uint_eq(later % MS_PER_DAY, 0);
    ck_assert_uint_ge(later / MS_PER_DAY, 28);
    ck_assert_uint_le(later / MS_PER_DAY, 31);
    uint64_t earlier = (uint64_t)INT64_MAX - (uint64_t)duration_add_to_ms(back, INT64_MAX);
    ck_assert_uint_eq(earlier % MS_PER_DAY, 0);
    ck_assert_uint_ge(earlier / MS_PER_DAY, 28);
    ck_assert_uint_le(earlier / MS_PER_DAY, 31);
}
END_TEST

START_TEST(the_time_of_the_day_stays)
{
    const struct duration month = {.months = 1};
    static const struct {
        int64_t from, to;
    } cases[] = {
        {0, 31LL * MS_PER_DAY},
        {-1, 31LL * MS_PER_DAY - 1},                    // 1969-12-31 23:59:59.999
        {-MS_PER_DAY, 30LL * MS_PER_DAY},               // 1969-12-31
        {30LL * MS_PER_DAY + 5, 58LL * MS_PER_DAY + 5}, // 1970-01-31, to the last of February
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_int_eq(duration_add_to_ms(month, cases[i].from), cases[i].to);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("duration");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, a_month_is_added_to_the_first_and_before_the_last_moment_that_there_is);
    tcase_add_test(tests, the_time_of_the_day_stays);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
