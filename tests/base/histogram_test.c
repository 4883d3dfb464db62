// Beside a model that keeps and sorts every value.
#include "base/histogram.h"

#include "base/random.h"

#include <check.h>
#include <stdlib.h>

enum { VALUE_COUNT = 5000 };

static int compare_values(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

START_TEST(percentiles_are_within_a_thirty_second)
{
    static uint64_t values[VALUE_COUNT];
    struct histogram histogram;
    struct random random;
    histogram_init(&histogram);
    random_init(&random, (uint64_t)_i);
    for (int i = 0; i < VALUE_COUNT; i++) {
        values[i] = random_u64(&random) >> random_below(&random, 64);
        histogram_record(&histogram, values[i]);
    }
    qsort(values, VALUE_COUNT, sizeof values[0], compare_values);
    // Every rank, by a percentage that is a little below its share.
    for (int i = 0; i < VALUE_COUNT; i++) {
        double percent = 100.0 * (i + 0.5) / VALUE_COUNT;
        uint64_t found = histogram_percentile(&histogram, percent);
        ck_assert_uint_ge(found, values[i]);
        ck_assert_uint_le(found - values[i], values[i] / HISTOGRAM_STEPS);
    }
    ck_assert_uint_eq(histogram_percentile(&histogram, 100), values[VALUE_COUNT - 1]);
    ck_assert_uint_eq(histogram.min, values[0]);
    ck_assert_uint_eq(histogram.max, values[VALUE_COUNT - 1]);
    ck_assert_uint_eq(histogram.count, VALUE_COUNT);
}
END_TEST

START_TEST(the_ends_of_the_range_have_buckets)
{
    struct histogram histogram;
    histogram_init(&histogram);
    ck_assert_uint_eq(histogram_percentile(&histogram, 50), 0);
    ck_assert_double_eq(histogram_mean(&histogram), 0);
    histogram_record(&histogram, 0);
    histogram_record(&histogram, UINT64_MAX);
    ck_assert_uint_eq(histogram_percentile(&histogram, 0), 0);
    ck_assert_uint_eq(histogram_percentile(&histogram, 50), 0);
    ck_assert_uint_eq(histogram_percentile(&histogram, 51), UINT64_MAX);
    ck_assert_uint_eq(histogram.buckets[HISTOGRAM_BUCKET_COUNT - 1], 1);
}
END_TEST

START_TEST(small_values_are_exact)
{
    struct histogram histogram;
    histogram_init(&histogram);
    for (uint64_t value = 0; value < 2 * HISTOGRAM_STEPS; value++)
        histogram_record(&histogram, value);
    for (uint64_t value = 0; value < 2 * HISTOGRAM_STEPS; value++) {
        double percent = 100.0 * (double)(value + 1) / (2 * HISTOGRAM_STEPS);
        ck_assert_uint_eq(histogram_percentile(&histogram, percent), value);
    }
    ck_assert_double_eq(histogram_mean(&histogram), 31.5);
}
END_TEST

START_TEST(merging_is_recording_both)
{
    static struct histogram a, b, both;
    histogram_init(&a);
    histogram_init(&b);
    histogram_init(&both);
    for (uint64_t i = 0; i < 1000; i++) {
        histogram_record(i % 3 == 0 ? &a : &b, i * i);
        histogram_record(&both, i * i);
    }
    histogram_merge(&a, &b);
    ck_assert_mem_eq(&a, &both, sizeof a);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("histogram");
    tcase_add_loop_test(cases, percentiles_are_within_a_thirty_second, 0, 5);
    tcase_add_test(cases, the_ends_of_the_range_have_buckets);
    tcase_add_test(cases, small_values_are_exact);
    tcase_add_test(cases, merging_is_recording_both);

    Suite *suite = suite_create("histogram");
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
