// Lists changed by index and by value: of several rows, in batches, after other operations of the
// same statement. (tests/node/corpus/43_lists has more, with a Cassandra's answers.)
#include "tests/cql/execution/statement_world.h"

static void begin(void)
{
    CHECK_CQL("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', "
              "'replication_factor': 1}",
              "CREATED KEYSPACE ks");
    CHECK_CQL("USE ks", "USE ks");
    CHECK_CQL("CREATE TABLE t (k int, c int, l list<int>, s list<int> static, m map<int, int>, "
              "PRIMARY KEY (k, c))",
              "CREATED TABLE ks.t");
    CHECK_CQL("INSERT INTO t (k, c, l, s) VALUES (1, 1, [1, 2, 3], [7, 8])", "void");
    CHECK_CQL("INSERT INTO t (k, c, l) VALUES (1, 2, [2, 2, 4])", "void");
    CHECK_CQL("INSERT INTO t (k, c, l, s) VALUES (2, 1, [5, 2, 3], [9])", "void");
}

START_TEST(each_row_has_its_own_list)
{
    begin();
    CHECK_CQL("UPDATE t SET l = l - [2] WHERE k IN (1, 2) AND c IN (1, 2, 3)", "void");
    CHECK_CQL("UPDATE t SET l[0] = 6 WHERE k IN (1, 2) AND c = 1", "void");
    CHECK_CQL("DELETE s[0] FROM t WHERE k IN (1, 2)", "void");
    CHECK_CQL("SELECT k, c, s, l FROM t",
              "(1, 1, [8], [6, 3]) (1, 2, [8], [4]) (2, 1, null, [6, 3])");
    CHECK_CQL("UPDATE t SET l[1] = 6 WHERE k = 1 AND c IN (1, 2)",
              "ERROR 2200 List index 1 out of bound, list has size 1");
    CHECK_CQL("UPDATE t SET l[0] = 6 WHERE k IN (2, 3) AND c = 1",
              "ERROR 2200 Attempted to set an element on a list which is null");
    CHECK_CQL("SELECT k, c, l FROM t", "(1, 1, [6, 3]) (1, 2, [4]) (2, 1, [6, 3])");
}
END_TEST

START_TEST(a_batch_reads_before_it_writes)
{
    begin();
    CHECK_CQL("BEGIN BATCH DELETE l[0] FROM t WHERE k = 1 AND c = 1; "
              "DELETE l[0] FROM t WHERE k = 1 AND c = 1; "
              "UPDATE t SET l = l - [2] WHERE k = 1 AND c = 2; "
              "INSERT INTO t (k, c) VALUES (9, 9); "
              "UPDATE t SET s[0] = 1 WHERE k = 2; APPLY BATCH",
              "void");
    CHECK_CQL("SELECT k, c, s, l FROM t",
              "(1, 1, [7, 8], [2, 3]) (1, 2, [7, 8], [4]) (2, 1, [1], [5, 2, 3]) "
              "(9, 9, null, null)");
    CHECK_CQL("BEGIN BATCH INSERT INTO t (k, c) VALUES (8, 8); "
              "UPDATE t SET l[5] = 1 WHERE k = 1 AND c = 1; APPLY BATCH",
              "ERROR 2200 List index 5 out of bound, list has size 2");
    CHECK_CQL("SELECT k FROM t WHERE k = 8", "");
}
END_TEST

// What a statement does to a list is seen by what it does next.
START_TEST(operations_follow_each_other)
{
    begin();
    CHECK_CQL("UPDATE t SET l = l + [4], l = l - [4, 1] WHERE k = 1 AND c = 1", "void");
    CHECK_CQL("SELECT l FROM t WHERE k = 1 AND c = 1", "([2, 3])");
    CHECK_CQL("UPDATE t SET l = [0] + l, l = l + [5], l[3] = 6, l[1] = null WHERE k = 1 AND c = 1",
              "void");
    CHECK_CQL("SELECT l FROM t WHERE k = 1 AND c = 1", "([0, 3, 6])");
}
END_TEST

// Of two cells in one place the larger one stays, and of a deletion and a value the deletion,
// whichever was written last.
START_TEST(two_cells_in_one_place)
{
    begin();
    CHECK_CQL("UPDATE t SET m[1] = 1, m[1] = 0, m[2] = null, m[2] = 2, m[3] = 3, m[4] = 4, "
              "m = m - {3} WHERE k = 1 AND c = 1",
              "void");
    CHECK_CQL("SELECT m FROM t WHERE k = 1 AND c = 1", "({1: 1, 4: 4})");
    CHECK_CQL("UPDATE t SET l[0] = 9, l[0] = 8 WHERE k = 1 AND c = 1", "void");
    CHECK_CQL("SELECT l FROM t WHERE k = 1 AND c = 1", "([9, 2, 3])");
}
END_TEST

// A level that no reader has.
START_TEST(lists_are_not_read_at_any)
{
    begin();
    struct query_options options = world_options();
    options.consistency = CONSISTENCY_ANY;
    const char *const texts[] = {
        "UPDATE t SET l[0] = 6 WHERE k = 1 AND c = 1",
        "UPDATE t SET l = l - [2] WHERE k = 1 AND c = 1",
        "BEGIN BATCH UPDATE t SET l = l + [5] WHERE k = 1 AND c = 1; DELETE l[0] FROM t WHERE k = "
        "1 "
        "AND c = 1; APPLY BATCH",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ck_assert_str_eq(world_run_options(texts[i], options),
                         "ERROR 2200 Write operation require a read but consistency ANY is not "
                         "supported on reads");
        execution_finish(&world.execution);
    }
    ck_assert_str_eq(world_run_options("UPDATE t SET l = l + [4] WHERE k = 1 AND c = 1", options),
                     "void");
    execution_finish(&world.execution);
    CHECK_CQL("SELECT l FROM t WHERE k = 1 AND c = 1", "([1, 2, 3, 4])");
}
END_TEST

// Cassandra removes what has the same bytes: 1.0 is not 1.00.
START_TEST(elements_are_removed_by_their_bytes)
{
    begin();
    CHECK_CQL("CREATE TABLE d (k int PRIMARY KEY, l list<decimal>)", "CREATED TABLE ks.d");
    CHECK_CQL("INSERT INTO d (k, l) VALUES (1, [1.0, 1.00, 1, 2, 3, 1.0])", "void");
    CHECK_CQL("UPDATE d SET l = l - [3, 1.0, 3, 4] WHERE k = 1", "void");
    CHECK_CQL("SELECT l FROM d", "([1.00, 1, 2])");
}
END_TEST

// Null for a whole collection or type leaves what has the same timestamp, as any other value does;
// DELETE does not.
START_TEST(null_leaves_what_is_written_with_it)
{
    begin();
    CHECK_CQL("CREATE TYPE u (a int, b int)", "CREATED TYPE ks.u");
    CHECK_CQL("CREATE TABLE n (k int PRIMARY KEY, l list<int>, m map<int, int>, s set<int>, t u)",
              "CREATED TABLE ks.n");
    CHECK_CQL("INSERT INTO n (k, l, m, s, t) VALUES (1, [9], {9: 9}, {9}, {b: 9}) "
              "USING TIMESTAMP 9",
              "void");
    CHECK_CQL("BEGIN BATCH USING TIMESTAMP 10 UPDATE n SET m[1] = 1, s = s + {2}, l = l + [3], "
              "t.a = 4 WHERE k = 1; INSERT INTO n (k, l, m, s, t) VALUES (1, null, null, null, "
              "null); APPLY BATCH",
              "void");
    CHECK_CQL("INSERT INTO n JSON '{\"k\": 1}' USING TIMESTAMP 10", "void");
    CHECK_CQL("SELECT l, m, s, t FROM n", "([3], {1: 1}, {2}, {a: 4, b: null})");
    CHECK_CQL("DELETE l, m, s, t FROM n USING TIMESTAMP 10 WHERE k = 1", "void");
    CHECK_CQL("SELECT l, m, s, t FROM n", "(null, null, null, null)");
}
END_TEST

START_TEST(too_many_in_one_statement)
{
    begin();
    struct buffer text;
    buffer_init(&text, 1u << 20);
    buffer_put_format(&text, "UPDATE t SET l[0] = 1");
    for (int i = 0; i < 1000; i++)
        buffer_put_format(&text, ", l[%d] = %d", i % 3, i);
    buffer_put_format(&text, " WHERE k = 1 AND c = 1");
    buffer_put_u8(&text, 0);
    CHECK_CQL((const char *)text.data,
              "ERROR 2200 A statement can not change lists by index or by value more than 1000 "
              "times");
    buffer_deinit(&text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lists");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, world_setup, world_teardown);
    tcase_add_test(tests, each_row_has_its_own_list);
    tcase_add_test(tests, a_batch_reads_before_it_writes);
    tcase_add_test(tests, operations_follow_each_other);
    tcase_add_test(tests, two_cells_in_one_place);
    tcase_add_test(tests, lists_are_not_read_at_any);
    tcase_add_test(tests, elements_are_removed_by_their_bytes);
    tcase_add_test(tests, null_leaves_what_is_written_with_it);
    tcase_add_test(tests, too_many_in_one_statement);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
