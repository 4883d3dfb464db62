// How many answers each level needs, as org.apache.cassandra.db.ConsistencyLevel.blockFor() says.
#include "ring/consistency.h"

#include <check.h>

START_TEST(required_answers_of_each_level)
{
    static const struct {
        enum consistency level;
        int required[6]; // At 0 to 5 copies.
    } cases[] = {
        {CONSISTENCY_ANY, {1, 1, 1, 1, 1, 1}},
        {CONSISTENCY_ONE, {1, 1, 1, 1, 1, 1}},
        {CONSISTENCY_TWO, {2, 2, 2, 2, 2, 2}},
        {CONSISTENCY_THREE, {3, 3, 3, 3, 3, 3}},
        {CONSISTENCY_QUORUM, {1, 1, 2, 2, 3, 3}},
        {CONSISTENCY_ALL, {0, 1, 2, 3, 4, 5}},
        {CONSISTENCY_LOCAL_QUORUM, {1, 1, 2, 2, 3, 3}},
        {CONSISTENCY_SERIAL, {1, 1, 2, 2, 3, 3}},
        {CONSISTENCY_LOCAL_ONE, {1, 1, 1, 1, 1, 1}},
        {CONSISTENCY_NODE_LOCAL, {1, 1, 1, 1, 1, 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int copies = 0; copies < 6; copies++)
            ck_assert_int_eq(consistency_required(cases[i].level, copies),
                             cases[i].required[copies]);
    }
}
END_TEST

// Any two quorums of the same copies have one in common.
START_TEST(quorums_meet)
{
    for (int copies = 1; copies < 1000; copies++)
        ck_assert_int_gt(2 * consistency_required(CONSISTENCY_QUORUM, copies), copies);
}
END_TEST

START_TEST(levels_of_one_data_center)
{
    for (int level = 0; level < CONSISTENCY_COUNT; level++) {
        bool is_local = level == CONSISTENCY_LOCAL_ONE || level == CONSISTENCY_LOCAL_QUORUM ||
                        level == CONSISTENCY_LOCAL_SERIAL;
        ck_assert(consistency_is_local((enum consistency)level) == is_local);
    }
    ck_assert_str_eq(consistency_text(CONSISTENCY_EACH_QUORUM), "EACH_QUORUM");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("consistency");
    TCase *tests = tcase_create("consistency");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, required_answers_of_each_level);
    tcase_add_test(tests, quorums_meet);
    tcase_add_test(tests, levels_of_one_data_center);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures != 0;
}
