#include "storage/schema/speculative_retry.h"

#include <check.h>
#include <stdlib.h>

#define MS 1000000ull

static const struct {
    const char *text;
    struct speculative_retry policy;
    const char *as_cassandra_writes_it;
} good[] = {
    {"ALWAYS", {SPECULATIVE_RETRY_ALWAYS, 0, 0}, "ALWAYS"},
    {"Never", {SPECULATIVE_RETRY_NEVER, 0, 0}, "NEVER"},
    {"none", {SPECULATIVE_RETRY_NEVER, 0, 0}, "NEVER"},
    {"99p", {SPECULATIVE_RETRY_PERCENTILE, 99, 0}, "99p"},
    {"99.5PERCENTILE", {SPECULATIVE_RETRY_PERCENTILE, 99.5, 0}, "99.5p"},
    {"99.00percentile", {SPECULATIVE_RETRY_PERCENTILE, 99, 0}, "99p"},
    {".5p", {SPECULATIVE_RETRY_PERCENTILE, 0.5, 0}, "0.5p"},
    {"99.99999999p", {SPECULATIVE_RETRY_PERCENTILE, 99.99999999, 0}, "100p"},
    {"0.000001p", {SPECULATIVE_RETRY_PERCENTILE, 0.000001, 0}, "0p"},
    {"0ms", {SPECULATIVE_RETRY_FIXED, 0, 0}, "0ms"},
    {"1.5MS", {SPECULATIVE_RETRY_FIXED, 0, 3 * MS / 2}, "1ms"},
    {"1000000ms", {SPECULATIVE_RETRY_FIXED, 0, 1000000 * MS}, "1000000ms"},
    {"99999999999999999999ms", {SPECULATIVE_RETRY_FIXED, 0, 1000000000000 * MS}, "2147483647ms"},
    {"MIN(99p,50ms)", {SPECULATIVE_RETRY_MIN, 99, 50 * MS}, "MIN(99p,50ms)"},
    {"max(50.00ms ,  60p)", {SPECULATIVE_RETRY_MAX, 60, 50 * MS}, "MAX(60p,50ms)"},
};

START_TEST(a_policy_is_understood)
{
    struct speculative_retry policy;
    ck_assert_int_eq(speculative_retry_parse(slice_of_text(good[_i].text), &policy),
                     SPECULATIVE_RETRY_GOOD);
    ck_assert_int_eq(policy.kind, good[_i].policy.kind);
    ck_assert_double_eq(policy.percent, good[_i].policy.percent);
    ck_assert_uint_eq(policy.fixed_ns, good[_i].policy.fixed_ns);
    struct buffer text;
    buffer_init(&text, 128);
    speculative_retry_put_text(&policy, &text);
    ck_assert(slice_equals(buffer_slice(&text), slice_of_text(good[_i].as_cassandra_writes_it)));
    buffer_deinit(&text);
}
END_TEST

static const struct {
    const char *text;
    enum speculative_retry_fault fault;
} bad[] = {
    {"", SPECULATIVE_RETRY_MALFORMED},
    {"p", SPECULATIVE_RETRY_MALFORMED},
    {"99", SPECULATIVE_RETRY_MALFORMED},
    {" 99p", SPECULATIVE_RETRY_MALFORMED},
    {"99pp", SPECULATIVE_RETRY_MALFORMED},
    {"-1ms", SPECULATIVE_RETRY_MALFORMED},
    {"0x5ms", SPECULATIVE_RETRY_MALFORMED},
    {"infms", SPECULATIVE_RETRY_MALFORMED},
    {"nanp", SPECULATIVE_RETRY_MALFORMED},
    {"1e3ms", SPECULATIVE_RETRY_MALFORMED},
    {"1.2.3ms", SPECULATIVE_RETRY_MALFORMED},
    {"MIN", SPECULATIVE_RETRY_MALFORMED},
    {"MIN(", SPECULATIVE_RETRY_MALFORMED},
    {"MIN(,)", SPECULATIVE_RETRY_MALFORMED},
    {"MIN(5p,", SPECULATIVE_RETRY_MALFORMED},
    {"MIN(101p,5ms)", SPECULATIVE_RETRY_MALFORMED},
    {"MIN(5ms,0p)", SPECULATIVE_RETRY_MALFORMED},
    {"MIN(  ,  )", SPECULATIVE_RETRY_MALFORMED},
    {"MIN(1p,2ms,3ms)", SPECULATIVE_RETRY_MALFORMED},
    {"0p", SPECULATIVE_RETRY_PERCENT},
    {"100p", SPECULATIVE_RETRY_PERCENT},
    {"MAX(5ms,6ms)", SPECULATIVE_RETRY_TWO_FIXED},
    {"MIN(5p,6p)", SPECULATIVE_RETRY_TWO_PERCENT},
};

START_TEST(what_is_none_is_refused_and_unknown)
{
    struct speculative_retry policy = {.kind = SPECULATIVE_RETRY_NEVER};
    ck_assert_int_eq(speculative_retry_parse(slice_of_text(bad[_i].text), &policy), bad[_i].fault);
    ck_assert_int_eq(policy.kind, SPECULATIVE_RETRY_UNKNOWN);
}
END_TEST

START_TEST(bytes_that_are_no_text_are_refused)
{
    struct speculative_retry policy;
    char text[4096];
    memset(text, '1', sizeof text);
    ck_assert_int_eq(speculative_retry_parse(slice_make(text, sizeof text), &policy),
                     SPECULATIVE_RETRY_MALFORMED);
    ck_assert_int_eq(speculative_retry_parse(slice_make("5p\0", 3), &policy),
                     SPECULATIVE_RETRY_MALFORMED);
    ck_assert_int_eq(speculative_retry_parse(slice_null(), &policy), SPECULATIVE_RETRY_MALFORMED);
}
END_TEST

int main(void)
{
    TCase *retry = tcase_create("speculative_retry");
    tcase_add_loop_test(retry, a_policy_is_understood, 0, sizeof good / sizeof good[0]);
    tcase_add_loop_test(retry, what_is_none_is_refused_and_unknown, 0, sizeof bad / sizeof bad[0]);
    tcase_add_test(retry, bytes_that_are_no_text_are_refused);

    Suite *suite = suite_create("speculative_retry");
    suite_add_tcase(suite, retry);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
