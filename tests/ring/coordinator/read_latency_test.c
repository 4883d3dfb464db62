#include "ring/coordinator/read_latency.h"

#include <check.h>
#include <stdlib.h>

#define MS 1000000ull

static struct read_latency latency;

static uint64_t threshold(const char *policy)
{
    struct speculative_retry parsed;
    (void)speculative_retry_parse(slice_of_text(policy), &parsed);
    return read_latency_threshold_ns(&latency, &parsed, 5000 * MS);
}

static void setup(void)
{
    read_latency_init(&latency);
}

// 1 to 100 ms, as often as it takes to know.
static void record_hundred(void)
{
    for (int round = 0; round < 50; round++)
        for (uint64_t ms = 1; ms <= 100; ms++)
            read_latency_record(&latency, ms * MS);
}

START_TEST(policies_without_a_percentile)
{
    ck_assert_uint_eq(threshold("ALWAYS"), 0);
    ck_assert_uint_eq(threshold("always"), 0);
    ck_assert_uint_eq(threshold("NEVER"), UINT64_MAX);
    ck_assert_uint_eq(threshold("none"), UINT64_MAX);
    ck_assert_uint_eq(threshold("30ms"), 30 * MS);
    ck_assert_uint_eq(threshold("0.5ms"), MS / 2);
}
END_TEST

START_TEST(a_percentile_is_that_of_what_came_lately)
{
    ck_assert_uint_eq(threshold("99p"), 50 * MS); // Nothing is known.
    record_hundred();
    uint64_t found = threshold("99p");
    ck_assert_uint_ge(found, 99 * MS);
    ck_assert_uint_le(found, 103 * MS);
    ck_assert_uint_eq(threshold("99PERCENTILE"), found);
    ck_assert_uint_eq(threshold("MIN(99p,50ms)"), 50 * MS);
    ck_assert_uint_eq(threshold("MAX(99p,50ms)"), found);
}
END_TEST

START_TEST(another_percentile_is_known_later)
{
    record_hundred();
    ck_assert_uint_eq(threshold("50p"), 50 * MS);
    record_hundred();
    uint64_t found = threshold("50p");
    ck_assert_uint_ge(found, 49 * MS);
    ck_assert_uint_le(found, 54 * MS);
}
END_TEST

START_TEST(nonsense_is_as_if_nothing_were_known)
{
    const char *const nonsense[] = {"",       "p",    "ms",      "-5ms", "MIN(",
                                    "MAX(,)", "nanp", "1e300ms", "1p,"};
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++)
        ck_assert_uint_eq(threshold(nonsense[i]), 50 * MS);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("read_latency");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, NULL);
    tcase_add_test(all, policies_without_a_percentile);
    tcase_add_test(all, a_percentile_is_that_of_what_came_lately);
    tcase_add_test(all, another_percentile_is_known_later);
    tcase_add_test(all, nonsense_is_as_if_nothing_were_known);
    suite_add_tcase(suite, all);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
