// Which requests are known when they come again.
#include "ring/coordinator/seen_requests.h"

#include <check.h>

static struct request_name name_of(uint64_t i)
{
    uint16_t member = (uint16_t)(i % 5);
    return (struct request_name){
        .run = 1714521600000000u + member, .number = i / 5, .member = member};
}

// Each comes again when `others` more have come: how many of them are taken for new.
static size_t count_forgotten(uint64_t requests, uint64_t others)
{
    struct seen_requests seen;
    size_t forgotten = 0;
    seen_requests_init(&seen);
    for (uint64_t i = 0; i < requests + others; i++) {
        if (i < requests) ck_assert(!seen_requests_add(&seen, name_of(i)));
        if (i >= others && !seen_requests_add(&seen, name_of(i - others))) forgotten++;
    }
    seen_requests_deinit(&seen);
    return forgotten;
}

START_TEST(who_comes_again_is_known)
{
    ck_assert_uint_eq(count_forgotten(100000, 0), 0);
    ck_assert_uint_eq(count_forgotten(100000, 100), 0);
    ck_assert_uint_eq(count_forgotten(100000, SEEN_SETS), 0);
}
END_TEST

START_TEST(the_oldest_go)
{
    ck_assert_uint_eq(count_forgotten(100000, (uint64_t)SEEN_SETS * SEEN_WAYS * 2), 100000);
}
END_TEST

// Whoever has the same number of another member, or of a run before, is another.
START_TEST(others_with_the_same_number_are_not_known)
{
    struct seen_requests seen;
    seen_requests_init(&seen);
    ck_assert(!seen_requests_add(&seen, (struct request_name){.run = 1, .number = 7, .member = 1}));
    ck_assert(!seen_requests_add(&seen, (struct request_name){.run = 1, .number = 7, .member = 2}));
    ck_assert(!seen_requests_add(&seen, (struct request_name){.run = 2, .number = 7, .member = 1}));
    ck_assert(seen_requests_add(&seen, (struct request_name){.run = 1, .number = 7, .member = 1}));
    seen_requests_deinit(&seen);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("seen_requests");
    tcase_add_test(tests, who_comes_again_is_known);
    tcase_add_test(tests, the_oldest_go);
    tcase_add_test(tests, others_with_the_same_number_are_not_known);

    Suite *suite = suite_create("seen_requests");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
