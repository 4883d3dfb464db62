// IF and SERIAL: what conditional statements answer, change and refuse. The answers are Cassandra's
// (corpus/shipped/24_lwt of the shared folder has more of them).
#include "tests/cql/execution/statement_world.h"

static void setup(void)
{
    world_setup();
    world_make("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', "
               "'replication_factor': 1}");
    world_make("USE ks");
    world_make("CREATE TABLE t (k int PRIMARY KEY, a int, b text, l list<int>, s set<int>, "
               "m map<text, int>, f frozen<list<int>>)");
    world_make("CREATE TABLE c (k int, c int, s int STATIC, v int, PRIMARY KEY (k, c))");
}

START_TEST(insert_if_not_exists_shows_the_row_that_exists)
{
    CHECK_CQL("INSERT INTO t (k, a) VALUES (1, 1) IF NOT EXISTS", "(true)");
    CHECK_CQL("INSERT INTO t (k, a) VALUES (1, 2) IF NOT EXISTS",
              "(false, 1, 1, null, null, null, null, null)");
    CHECK_CQL("INSERT INTO t (k) VALUES (2) IF NOT EXISTS", "(true)");
    CHECK_CQL("SELECT k, a FROM t", "(1, 1) (2, null)");
}
END_TEST

START_TEST(if_exists_changes_only_rows_that_do)
{
    world_make("INSERT INTO t (k, a) VALUES (1, 1)");
    CHECK_CQL("UPDATE t SET a = 10 WHERE k = 1 IF EXISTS", "(true)");
    CHECK_CQL("UPDATE t SET a = 10 WHERE k = 9 IF EXISTS", "(false)");
    CHECK_CQL("DELETE FROM t WHERE k = 9 IF EXISTS", "(false)");
    CHECK_CQL("DELETE FROM t WHERE k = 1 IF EXISTS", "(true)");
    CHECK_CQL("SELECT k FROM t", "");
}
END_TEST

START_TEST(each_operator_compares_as_cassandra_does)
{
    static const struct {
        const char *condition;
        bool passes;
    } cases[] = {
        {"a = 5", true},
        {"a = 6", false},
        {"a != 5", false},
        {"a != 6", true},
        {"a > 4", true},
        {"a > 5", false},
        {"a >= 5", true},
        {"a < 5", false},
        {"a <= 5", true},
        {"a IN (1, 5)", true},
        {"a IN ()", false},
        {"a IN (1, null)", false},
        {"b = null", true},
        {"b != null", false},
        {"b = 'x'", false},
        {"b != 'x'", true},
        {"b > 'x'", false},
        {"b IN (null)", true},
        {"a = 5 AND b = null", true},
        {"a > 1 AND a < 5", false},
        {"l = [1, 2, 3]", true},
        {"l = [1, 2]", false},
        {"l > [1, 2]", true},
        {"l[0] = 1", true},
        {"l[5] = null", true},
        {"l[5] = 1", false},
        {"l CONTAINS 2", true},
        {"l IN ([1], [1, 2, 3])", true},
        {"l != null", true},
        {"s = {2, 1}", true},
        {"s CONTAINS 3", false},
        {"m['a'] = 1", true},
        {"m['z'] = null", true},
        {"m['a'] IN (1, 2)", true},
        {"m = {'b': 2, 'a': 1}", true},
        {"m CONTAINS KEY 'a'", true},
        {"m CONTAINS 9", false},
        {"f = [7, 8]", true},
        {"f[1] = 8", true},
        {"f CONTAINS 9", false},
    };
    world_make("INSERT INTO t (k, a, l, s, m, f) VALUES (1, 5, [1, 2, 3], {1, 2}, "
               "{'a': 1, 'b': 2}, [7, 8])");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text =
            arena_format(&world.arena, "UPDATE t SET a = 5 WHERE k = 1 IF %s", cases[i].condition);
        char *result = world_run(text);
        ck_assert_msg(strncmp(result, cases[i].passes ? "(true)" : "(false", 6) == 0, "%s: %s",
                      text, result);
    }
}
END_TEST

START_TEST(a_condition_that_fails_shows_its_columns_in_the_order_written)
{
    world_make("INSERT INTO t (k, a, b) VALUES (1, 13, 'five')");
    CHECK_CQL("UPDATE t SET a = 14 WHERE k = 1 IF b = 'five' AND a = 12 AND b != 'x'",
              "(false, 'five', 13)");
    CHECK_CQL("UPDATE t SET a = 1 WHERE k = 51 IF a = 1", "(false)");
    CHECK_CQL("UPDATE t SET a = 1 WHERE k = 52 IF a != 1", "(true)");
    CHECK_CQL("UPDATE t SET a = 1 WHERE k = 50 IF a = null", "(true)");
}
END_TEST

START_TEST(static_columns_may_be_asked_alone_or_with_a_row)
{
    CHECK_CQL("INSERT INTO c (k, c, v) VALUES (1, 1, 1) IF NOT EXISTS", "(true)");
    CHECK_CQL("INSERT INTO c (k, c, v) VALUES (1, 1, 2) IF NOT EXISTS", "(false, 1, 1, null, 1)");
    CHECK_CQL("INSERT INTO c (k, s) VALUES (1, 5) IF NOT EXISTS", "(true)");
    CHECK_CQL("INSERT INTO c (k, s) VALUES (1, 6) IF NOT EXISTS", "(false, 1, 1, 5, null)");
    CHECK_CQL("UPDATE c SET s = 7 WHERE k = 1 IF s = 5", "(true)");
    CHECK_CQL("UPDATE c SET v = 8 WHERE k = 1 AND c = 1 IF s = 7 AND v = 1", "(true)");
    CHECK_CQL("UPDATE c SET v = 9 WHERE k = 1 AND c = 1 IF s = 0", "(false, 7)");
    CHECK_CQL("UPDATE c SET v = 9 WHERE k = 1 AND c = 9 IF s = 7", "(true)");
    CHECK_CQL("UPDATE c SET v = 9, s = 70 WHERE k = 1 AND c = 1 IF v = 8", "(true)");
    CHECK_CQL("SELECT * FROM c", "(1, 1, 70, 9) (1, 9, 70, 9)");
    CHECK_CQL("UPDATE c SET s = 8 WHERE k = 1 IF v = 9",
              "ERROR 2200 Some clustering keys are missing: c");
    CHECK_CQL("DELETE s FROM c WHERE k = 1 IF s = 70", "(true)");
    CHECK_CQL("DELETE FROM c WHERE k = 1 AND c = 9 IF v = 9", "(true)");
    CHECK_CQL("SELECT * FROM c", "(1, 1, null, 9)");
}
END_TEST

START_TEST(lists_are_changed_under_the_same_ballot)
{
    world_make("INSERT INTO t (k, a, l) VALUES (1, 1, [1, 2, 3])");
    CHECK_CQL("UPDATE t SET l[0] = 100 WHERE k = 1 IF EXISTS", "(true)");
    CHECK_CQL("UPDATE t SET l = l - [2] WHERE k = 1 IF a = 1", "(true)");
    CHECK_CQL("SELECT l FROM t", "([100, 3])");
}
END_TEST

START_TEST(a_batch_is_applied_wholly_or_not_at_all)
{
    world_make("INSERT INTO c (k, c, s, v) VALUES (1, 1, 5, 1)");
    world_make("INSERT INTO c (k, c, v) VALUES (1, 2, 2)");
    CHECK_CQL("BEGIN BATCH UPDATE c SET v = 10 WHERE k = 1 AND c = 1 IF v = 1; "
              "UPDATE c SET v = 20 WHERE k = 1 AND c = 2 IF v = 3; APPLY BATCH",
              "(false, 1, 1, 1) (false, 1, 2, 2)");
    CHECK_CQL("BEGIN BATCH UPDATE c SET v = 10 WHERE k = 1 AND c = 1 IF v = 1; "
              "INSERT INTO c (k, c, v) VALUES (1, 3, 3); "
              "DELETE FROM c WHERE k = 1 AND c = 2; APPLY BATCH",
              "(true)");
    CHECK_CQL("SELECT c, v FROM c", "(1, 10) (3, 3)");
    CHECK_CQL("BEGIN BATCH INSERT INTO c (k, c, v) VALUES (1, 1, 1) IF NOT EXISTS; "
              "UPDATE c SET v = 1 WHERE k = 1 AND c = 1 IF v = 1; APPLY BATCH",
              "ERROR 2200 Cannot mix IF conditions and IF NOT EXISTS for the same row");
    CHECK_CQL("BEGIN BATCH INSERT INTO c (k, c, v) VALUES (1, 7, 1) IF NOT EXISTS; "
              "INSERT INTO c (k, c, v) VALUES (2, 1, 1); APPLY BATCH",
              "ERROR 2200 Batch with conditions cannot span multiple partitions");
    CHECK_CQL("BEGIN BATCH INSERT INTO c (k, c, v) VALUES (1, 7, 1) IF NOT EXISTS; "
              "INSERT INTO t (k) VALUES (1); APPLY BATCH",
              "ERROR 2200 Batch with conditions cannot span multiple tables");
    CHECK_CQL("BEGIN BATCH USING TIMESTAMP 5 INSERT INTO c (k, c) VALUES (1, 7) IF NOT EXISTS; "
              "APPLY BATCH",
              "ERROR 2200 Cannot provide custom timestamp for conditional BATCH");
}
END_TEST

START_TEST(what_cassandra_refuses_is_refused_in_its_words)
{
    CHECK_CQL("UPDATE t SET a = 1 WHERE k = 1 IF k = 1",
              "ERROR 2200 PRIMARY KEY column 'k' cannot have IF conditions");
    CHECK_CQL("UPDATE t SET b = '3' WHERE k = 1 IF l[-1] = 1",
              "ERROR 2200 Invalid negative list index -1");
    CHECK_CQL("UPDATE t SET a = 18 WHERE k = 1 IF b > null",
              "ERROR 2200 Invalid comparison with null for operator \">\"");
    CHECK_CQL("UPDATE t SET a = 15 WHERE k = 1 IF a CONTAINS 1",
              "ERROR 2200 Cannot use CONTAINS on non-collection column a");
    CHECK_CQL("UPDATE t SET b = '16' WHERE k = 1 IF s[1] = 1",
              "ERROR 2200 Invalid element access syntax for set column s");
    CHECK_CQL("UPDATE t SET a = 1 WHERE k IN (1, 2) IF a = 1",
              "ERROR 2200 IN on the partition key is not supported with conditional updates");
    CHECK_CQL("UPDATE c SET v = 1 WHERE k = 1 AND c IN (1, 2) IF v = 1",
              "ERROR 2200 IN on the clustering key columns is not supported with conditional "
              "updates");
    CHECK_CQL("INSERT INTO t (k, a) VALUES (1, 2) IF NOT EXISTS USING TIMESTAMP 5",
              "ERROR 2200 Cannot provide custom timestamp for conditional updates");
    CHECK_CQL("DELETE FROM c WHERE k = 1 IF EXISTS",
              "ERROR 2200 DELETE statements must restrict all PRIMARY KEY columns with equality "
              "relations in order to delete non static columns");
    struct query_options options = world_options();
    options.consistency = CONSISTENCY_SERIAL;
    ck_assert_str_eq(world_run_options("INSERT INTO t (k) VALUES (61) IF NOT EXISTS", options),
                     "ERROR 2200 SERIAL is not supported as conditional update commit consistency. "
                     "Use ANY if you mean \"make sure it is accepted but I don't care how many "
                     "replicas commit it for non-SERIAL reads\"");
    execution_finish(&world.execution);
    options.consistency = CONSISTENCY_ONE;
    options.serial_consistency = CONSISTENCY_QUORUM;
    ck_assert_str_eq(world_run_options("INSERT INTO t (k) VALUES (61) IF NOT EXISTS", options),
                     "ERROR 2200 Invalid consistency for conditional update. Must be one of SERIAL "
                     "or LOCAL_SERIAL");
    execution_finish(&world.execution);
}
END_TEST

START_TEST(serial_reads_see_what_was_applied)
{
    struct query_options options = world_options();
    CHECK_CQL("INSERT INTO t (k, a) VALUES (60, 1) IF NOT EXISTS", "(true)");
    options.consistency = CONSISTENCY_SERIAL;
    ck_assert_str_eq(world_run_options("SELECT a FROM t WHERE k = 60", options), "(1)");
    execution_finish(&world.execution);
    options.consistency = CONSISTENCY_LOCAL_SERIAL;
    ck_assert_str_eq(world_run_options("SELECT a FROM t WHERE k = 61", options), "");
    execution_finish(&world.execution);
    ck_assert_str_eq(world_run_options("SELECT a FROM t WHERE k IN (1, 2)", options),
                     "ERROR 2200 SERIAL/LOCAL_SERIAL consistency may only be requested for one "
                     "partition at a time");
    execution_finish(&world.execution);
}
END_TEST

// As a live Cassandra answers: a condition on a static column asks nothing of the row it stands
// with.
START_TEST(conditions_on_static_columns_alone_ask_for_no_row)
{
    world_make("INSERT INTO c (k, c, v) VALUES (1, 1, 1)");
    world_make("INSERT INTO c (k, c, v) VALUES (1, 2, 1)");
    CHECK_CQL("UPDATE c SET v = 3 WHERE k = 1 AND c = 9 IF s = 10", "(false, null)");
    CHECK_CQL("UPDATE c SET v = 3 WHERE k = 2 AND c = 9 IF s = 10", "(false)");
    CHECK_CQL("DELETE FROM c WHERE k = 1 AND c = 9 IF s = 10", "(false, null)");
    CHECK_CQL("BEGIN BATCH UPDATE c SET v = 2 WHERE k = 1 AND c = 1 IF v = 1; "
              "UPDATE c SET v = 3 WHERE k = 1 AND c = 2 IF s = 5; APPLY BATCH",
              "(false, 1, 1, 1, null)");
    CHECK_CQL("BEGIN BATCH UPDATE c SET v = 2 WHERE k = 1 AND c = 1 IF s = 1; "
              "UPDATE c SET v = 3 WHERE k = 1 AND c = 2 IF s = 5; APPLY BATCH",
              "(false, 1, 1, null)");
    CHECK_CQL("BEGIN BATCH UPDATE c SET v = 2 WHERE k = 1 AND c = 1 IF s = 1; "
              "UPDATE c SET v = 3 WHERE k = 1 AND c = 1 IF EXISTS; APPLY BATCH",
              "(false, 1, 1, null, 1)");
    CHECK_CQL("BEGIN BATCH UPDATE c SET s = 2 WHERE k = 1 IF EXISTS; "
              "UPDATE c SET v = 3 WHERE k = 1 AND c = 4 IF s = 4; APPLY BATCH",
              "ERROR 2200 Cannot mix IF conditions and IF NOT EXISTS for the same row");
    CHECK_CQL("SELECT c, v FROM c WHERE k = 1", "(1, 1) (2, 1)");
}
END_TEST

// What is deleted has no row of its own to look for among those that were read.
START_TEST(a_batch_with_conditions_deletes_partitions_and_ranges)
{
    world_make("INSERT INTO c (k, c, v) VALUES (1, 1, 1)");
    world_make("INSERT INTO c (k, c, v) VALUES (1, 2, 1)");
    world_make("INSERT INTO c (k, c, v) VALUES (1, 3, 1)");
    CHECK_CQL("BEGIN BATCH UPDATE c SET v = 5 WHERE k = 1 AND c = 1 IF EXISTS; "
              "DELETE FROM c WHERE k = 1 AND c > 2; APPLY BATCH",
              "(true)");
    CHECK_CQL("SELECT c, v FROM c WHERE k = 1", "(1, 5) (2, 1)");
    CHECK_CQL("BEGIN BATCH UPDATE c SET v = 6 WHERE k = 1 AND c = 1 IF v = 5; "
              "DELETE FROM c WHERE k = 1; APPLY BATCH",
              "(true)");
    CHECK_CQL("SELECT c, v FROM c WHERE k = 1", "(1, 6)");
    CHECK_CQL("BEGIN BATCH DELETE FROM c WHERE k = 1; "
              "UPDATE c SET v = 6 WHERE k = 1 AND c = 1 IF v = 5; APPLY BATCH",
              "(false, 1, 1, 6)");
}
END_TEST

START_TEST(each_quorum_commits_need_data_centres)
{
    struct query_options options = world_options();
    options.consistency = CONSISTENCY_EACH_QUORUM;
    ck_assert_str_eq(world_run_options("INSERT INTO t (k) VALUES (1) IF NOT EXISTS", options),
                     "ERROR 2200 consistency level EACH_QUORUM not compatible with replication "
                     "strategy (org.apache.cassandra.locator.SimpleStrategy)");
    execution_finish(&world.execution);
    CHECK_CQL("SELECT k FROM t", "");
}
END_TEST

START_TEST(ballots_survive_a_restart)
{
    CHECK_CQL("INSERT INTO t (k, a) VALUES (1, 1) IF NOT EXISTS", "(true)");
    world_close();
    world_open();
    CHECK_CQL("UPDATE t SET a = 2 WHERE k = 1 IF a = 1", "(true)");
    CHECK_CQL("UPDATE t SET a = 3 WHERE k = 1 IF a = 1", "(false, 2)");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("execution_conditional");
    TCase *tcase = tcase_create("conditional");
    tcase_add_checked_fixture(tcase, setup, world_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, insert_if_not_exists_shows_the_row_that_exists);
    tcase_add_test(tcase, if_exists_changes_only_rows_that_do);
    tcase_add_test(tcase, each_operator_compares_as_cassandra_does);
    tcase_add_test(tcase, a_condition_that_fails_shows_its_columns_in_the_order_written);
    tcase_add_test(tcase, static_columns_may_be_asked_alone_or_with_a_row);
    tcase_add_test(tcase, lists_are_changed_under_the_same_ballot);
    tcase_add_test(tcase, a_batch_is_applied_wholly_or_not_at_all);
    tcase_add_test(tcase, what_cassandra_refuses_is_refused_in_its_words);
    tcase_add_test(tcase, serial_reads_see_what_was_applied);
    tcase_add_test(tcase, conditions_on_static_columns_alone_ask_for_no_row);
    tcase_add_test(tcase, a_batch_with_conditions_deletes_partitions_and_ranges);
    tcase_add_test(tcase, each_quorum_commits_need_data_centres);
    tcase_add_test(tcase, ballots_survive_a_restart);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
