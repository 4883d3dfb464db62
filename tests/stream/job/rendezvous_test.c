#include "stream/job/rendezvous.h"

#include <check.h>
#include <stdlib.h>

enum { JOB_COUNT = 100, MEMBER_COUNT = 100 };

static struct uuid job_of(int number)
{
    return (struct uuid){{(uint8_t)number}};
}

START_TEST(as_many_as_there_are_are_chosen_and_each_once)
{
    uint16_t members[3];
    ck_assert_uint_eq(rendezvous_choose(job_of(1), NULL, 0, 3, members), 0);
    ck_assert_uint_eq(rendezvous_choose(job_of(1), NULL, 2, 3, members), 2);
    ck_assert_uint_ne(members[0], members[1]);
    int counts[5] = {0};
    for (int i = 0; i < JOB_COUNT; i++) {
        ck_assert_uint_eq(rendezvous_choose(job_of(i), NULL, 5, 3, members), 3);
        ck_assert(members[0] != members[1] && members[0] != members[2] && members[1] != members[2]);
        for (int j = 0; j < 3; j++)
            counts[members[j]]++;
    }
    for (int i = 0; i < 5; i++)
        ck_assert_int_gt(counts[i], 30);
}
END_TEST

START_TEST(who_may_not_is_not_chosen)
{
    uint16_t members[3];
    bool may[4] = {false};
    ck_assert_uint_eq(rendezvous_choose(job_of(1), may, 4, 3, members), 0);
    may[2] = true;
    ck_assert_uint_eq(rendezvous_choose(job_of(1), may, 4, 3, members), 1);
    ck_assert_uint_eq(members[0], 2);
}
END_TEST

// Of more members than a word has bits.
START_TEST(only_jobs_of_a_lost_member_move)
{
    bool may[MEMBER_COUNT];
    for (uint16_t lost = 0; lost < MEMBER_COUNT; lost++) {
        for (int i = 0; i < MEMBER_COUNT; i++)
            may[i] = i != lost;
        for (int i = 0; i < JOB_COUNT; i++) {
            uint16_t before, after;
            ck_assert_uint_eq(rendezvous_choose(job_of(i), NULL, MEMBER_COUNT, 1, &before), 1);
            ck_assert_uint_eq(rendezvous_choose(job_of(i), may, MEMBER_COUNT, 1, &after), 1);
            ck_assert_int_eq(before == after, before != lost);
        }
    }
}
END_TEST

int main(void)
{
    TCase *rendezvous = tcase_create("rendezvous");
    tcase_add_test(rendezvous, as_many_as_there_are_are_chosen_and_each_once);
    tcase_add_test(rendezvous, who_may_not_is_not_chosen);
    tcase_add_test(rendezvous, only_jobs_of_a_lost_member_move);

    Suite *suite = suite_create("rendezvous");
    suite_add_tcase(suite, rendezvous);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
