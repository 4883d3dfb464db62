// SELECTs that meet many tombstones are warned of, those that meet too many are refused, in
// Cassandra's words (asked of 5.0.4 with its thresholds of 1,000 and 100,000).
#include "tests/cql/execution/statement_world.h"

static void setup(void)
{
    world_setup();
    ck_assert_int_eq(env_address_parse("127.0.0.1", 7000, &world_identity.broadcast_address),
                     STATUS_OK);
    world_make("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', "
               "'replication_factor': 1}");
    world_make("USE ks");
    world_make("CREATE TABLE t (k int, c int, v text, w int, PRIMARY KEY (k, c))");
    world.processor.tombstone_warn_threshold = 10;
    world.processor.tombstone_fail_threshold = 100;
}

static void run_many(const char *format, int count)
{
    for (int i = 0; i < count; i++) {
        char text[128];
        (void)snprintf(text, sizeof text, format, i);
        world_make(text);
    }
}

// The warnings of a SELECT, in lines.
static const char *warnings(const char *text, int page_size)
{
    struct query_options options = world_options();
    options.page_size = page_size;
    const char *answer = world_run_options(text, options);
    if (world.execution.failed) {
        execution_finish(&world.execution);
        return answer;
    }
    const char *all = "";
    for (size_t i = 0; i < world.execution.result.warning_count; i++)
        all = arena_format(&world.arena, "%s%s\n", all, world.execution.result.warnings[i]);
    execution_finish(&world.execution);
    return all;
}

#define READ_1 "Read 0 live rows and 15 tombstone cells for query "
#define END_1  "; token -4069959284402364209 (see tombstone_warn_threshold)\n"

START_TEST(many_deleted_rows_are_warned_of)
{
    run_many("DELETE FROM t WHERE k = 1 AND c = %d", 15);
    ck_assert_str_eq(warnings("SELECT * FROM t WHERE k = 1", 5000),
                     READ_1 "SELECT * FROM ks.t WHERE k = 1 LIMIT 5000 ALLOW FILTERING" END_1);
    ck_assert_str_eq(warnings("SELECT w, v FROM t WHERE k = 1 LIMIT 9", 5000),
                     READ_1 "SELECT v, w FROM ks.t WHERE k = 1 LIMIT 9 ALLOW FILTERING" END_1);
    ck_assert_str_eq(warnings("SELECT v FROM t WHERE k = 1", 0),
                     READ_1 "SELECT v FROM ks.t WHERE k = 1 ALLOW FILTERING" END_1);
    ck_assert_str_eq(warnings("SELECT v FROM t WHERE k = 1 ORDER BY c DESC", 0),
                     READ_1 "SELECT v FROM ks.t WHERE k = 1 ORDER BY c DESC ALLOW FILTERING" END_1);
    ck_assert_str_eq(
        warnings("SELECT v FROM t WHERE k = 1 AND c > 1 AND c <= 13 PER PARTITION LIMIT 3", 0),
        "Read 0 live rows and 12 tombstone cells for query SELECT v FROM ks.t WHERE k = 1 AND c > "
        "1 "
        "AND c <= 13 PER PARTITION LIMIT 3 ALLOW FILTERING" END_1);
    ck_assert_str_eq(warnings("SELECT v FROM t WHERE k = 1 AND w = 5 ALLOW FILTERING", 0),
                     READ_1 "SELECT v, w FROM ks.t WHERE k = 1 AND w = 5 ALLOW FILTERING" END_1);
    ck_assert_str_eq(warnings("SELECT v FROM t WHERE k = 1 AND c > 4", 0), "");
    ck_assert_str_eq(warnings("SELECT v FROM t WHERE k = 2", 0), "");
}
END_TEST

START_TEST(dead_cells_count_for_each_partition)
{
    run_many("DELETE FROM t WHERE k = 1 AND c = %d", 15);
    run_many("INSERT INTO t (k, c, v, w) VALUES (2, %d, null, 1)", 12);
    run_many("DELETE FROM t WHERE k = 4 AND c = %d", 10);
    ck_assert_str_eq(
        warnings("SELECT * FROM t WHERE k IN (1, 2, 4)", 5000),
        READ_1 "SELECT * FROM ks.t WHERE k = 1 LIMIT 5000 ALLOW FILTERING" END_1
               "Read 12 live rows and 12 tombstone cells for query SELECT * FROM ks.t WHERE k = 2 "
               "LIMIT 5000 ALLOW FILTERING; token -3248873570005575792 (see "
               "tombstone_warn_threshold)\n");
    // Of a scan, all together.
    const char *all = warnings("SELECT * FROM t", 5000);
    ck_assert_msg(strstr(all, "Read 12 live rows and 37 tombstone cells for query SELECT * FROM "
                              "ks.t LIMIT 5000 ALLOW FILTERING; token ") == all,
                  "%s", all);
}
END_TEST

START_TEST(too_many_are_refused)
{
    run_many("DELETE FROM t WHERE k = 3 AND c = %d", 101);
    ck_assert_str_eq(warnings("SELECT * FROM t WHERE k = 3", 5000),
                     "ERROR 1300 Operation failed - received 0 responses and 1 failures: "
                     "READ_TOO_MANY_TOMBSTONES from /127.0.0.1:7000");
    ck_assert_uint_eq(world.execution.error.result.faults[0].reason, 1);
    ck_assert_msg(strncmp(warnings("SELECT count(*) FROM t", 0), "ERROR 1300", 10) == 0, "scan");
    ck_assert_str_eq(warnings("SELECT * FROM t WHERE k = 3 AND c > 91", 5000), "");
}
END_TEST

START_TEST(what_compactions_may_drop_does_not_count)
{
    world_make("CREATE TABLE g (k int, c int, v text, PRIMARY KEY (k, c)) "
               "WITH gc_grace_seconds = 0");
    run_many("INSERT INTO g (k, c, v) VALUES (1, %d, null)", 15);
    struct query_options options = world_options();
    options.has_now = true;
    options.now_s = (int32_t)(env_wall_us(world.env) / 1000000) + 10;
    (void)world_run_options("SELECT * FROM g WHERE k = 1", options);
    ck_assert_uint_eq(world.execution.result.warning_count, 0);
    execution_finish(&world.execution);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tombstones");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, setup, world_teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, many_deleted_rows_are_warned_of);
    tcase_add_test(tests, dead_cells_count_for_each_partition);
    tcase_add_test(tests, too_many_are_refused);
    tcase_add_test(tests, what_compactions_may_drop_does_not_count);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
