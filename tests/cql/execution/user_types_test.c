// User-defined types from their making to their end: definitions that are stored, columns, values
// from before a field was added, and what is refused. (tests/node/corpus has their other answers,
// as Cassandra gave them.)
#include "tests/cql/execution/statement_world.h"

static void begin(void)
{
    CHECK_CQL("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', "
              "'replication_factor': 1}",
              "CREATED KEYSPACE ks");
    CHECK_CQL("USE ks", "USE ks");
    CHECK_CQL("CREATE TYPE a (x int, y text)", "CREATED TYPE ks.a");
    CHECK_CQL("CREATE TYPE b (f frozen<a>, l list<int>)", "CREATED TYPE ks.b");
    CHECK_CQL("CREATE TABLE t (k int, c frozen<a>, v a, w frozen<b>, m map<int, frozen<a>>, "
              "s a static, PRIMARY KEY (k, c))",
              "CREATED TABLE ks.t");
    CHECK_CQL("INSERT INTO t (k, c, v, w, m, s) VALUES (1, {x: 1}, {y: 'v'}, {f: {x: 2}}, "
              "{5: {y: 'm'}}, {x: 9})",
              "void");
}

static void check_row(void)
{
    CHECK_CQL("SELECT k, c, s, m, v, w FROM t",
              "(1, {x: 1, y: null}, {x: 9, y: null}, {5: {x: null, y: 'm'}}, {x: null, y: 'v'}, "
              "{f: {x: 2, y: null}, l: null})");
}

START_TEST(types_and_values_outlive_a_restart)
{
    begin();
    check_row();
    struct uuid version = schema_version(metadata_schema(world.metadata));
    world_close();
    world_open();
    struct uuid again = schema_version(metadata_schema(world.metadata));
    ck_assert(uuid_equals(version, again));
    check_row();
    CHECK_CQL("SELECT type_name, field_types FROM system_schema.types WHERE keyspace_name = 'ks'",
              "('a', ['int', 'text']) ('b', ['frozen<a>', 'list<int>'])");
    CHECK_CQL("ALTER TYPE a ADD z int", "UPDATED TYPE ks.a");
    CHECK_CQL("UPDATE t SET v.z = 3, s.z = 4 WHERE k = 1 AND c = {x: 1}", "void");
    world_close();
    world_open();
    CHECK_CQL("SELECT c.z, v, s.z, w.f.z, m[5].y FROM t",
              "(null, {x: null, y: 'v', z: 3}, 4, null, 'm')");
}
END_TEST

// A value with fewer fields is the one with nulls in their places.
START_TEST(values_from_before_a_field)
{
    begin();
    CHECK_CQL("ALTER TYPE a ADD z int", "UPDATED TYPE ks.a");
    CHECK_CQL("SELECT c, v FROM t WHERE k = 1 AND c = {x: 1}",
              "({x: 1, y: null}, {x: null, y: 'v', z: null})");
    CHECK_CQL("INSERT INTO t (k, c) VALUES (1, {x: 1, z: 1})", "void");
    CHECK_CQL("INSERT INTO t (k, c) VALUES (1, {x: 1, y: ''})", "void");
    CHECK_CQL("UPDATE t SET w = {l: [1]} WHERE k = 1 AND c = {x: 1}", "void");
    CHECK_CQL("SELECT c.x, c.y, c.z FROM t", "(1, null, null) (1, null, 1) (1, '', null)");
    CHECK_CQL("ALTER TYPE a RENAME x TO q AND y TO x", "UPDATED TYPE ks.a");
    CHECK_CQL("SELECT c.q, c.x FROM t LIMIT 1", "(1, null)");
    CHECK_CQL("SELECT w.f.q, w.l FROM t LIMIT 1", "(null, [1])");
}
END_TEST

// A prepared statement of before the change is out of date.
START_TEST(statements_follow_their_types)
{
    begin();
    struct statement *select, *cast;
    struct cql_error error;
    ck_assert(statement_prepare(&world.processor, slice_of_text("SELECT v.x FROM t"),
                                world.keyspace, &select, &error));
    ck_assert(statement_prepare(&world.processor, slice_of_text("SELECT (b){l: [1]} FROM t"),
                                world.keyspace, &cast, &error));
    ck_assert(!statement_is_stale(select, &world.processor));
    CHECK_CQL("CREATE TYPE other (i int)", "CREATED TYPE ks.other");
    ck_assert(!statement_is_stale(select, &world.processor));
    CHECK_CQL("ALTER TYPE a ADD z int", "UPDATED TYPE ks.a");
    ck_assert(statement_is_stale(select, &world.processor));
    statement_unref(select);
    statement_unref(cast);
}
END_TEST

START_TEST(keyspaces_keep_their_types)
{
    begin();
    CHECK_CQL("ALTER KEYSPACE ks WITH durable_writes = false", "UPDATED KEYSPACE ks");
    CHECK_CQL("DESCRIBE TYPES", "('ks', 'type', 'a') ('ks', 'type', 'b')");
    CHECK_CQL("DROP KEYSPACE ks", "DROPPED KEYSPACE ks");
    CHECK_CQL("SELECT type_name FROM system_schema.types", "");
    CHECK_CQL("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', "
              "'replication_factor': 1}",
              "CREATED KEYSPACE ks");
    CHECK_CQL("CREATE TABLE u (k int PRIMARY KEY, v a)", "ERROR 2200 Unknown type ks.a");
}
END_TEST

START_TEST(dropped_columns_let_go_of_their_types)
{
    begin();
    CHECK_CQL("ALTER TABLE t DROP w", "UPDATED TABLE ks.t");
    CHECK_CQL("DROP TYPE b", "DROPPED TYPE ks.b");
    CHECK_CQL("SELECT type FROM system_schema.dropped_columns WHERE keyspace_name = 'ks'",
              "('frozen<tuple<frozen<tuple<int, text>>, frozen<list<int>>>>')");
    CHECK_CQL("ALTER TABLE t DROP v", "ERROR 2200 Cannot drop non-frozen column v of user type a");
    world_close();
    world_open();
    CHECK_CQL("SELECT k, v FROM t", "(1, {x: null, y: 'v'})");
}
END_TEST

// What is too large to be stored, or too deep to be read again, is refused before it is either.
START_TEST(definitions_have_limits)
{
    begin();
    char text[512];
    CHECK_CQL("CREATE TYPE d0 (i int)", "CREATED TYPE ks.d0");
    const char *answer = "";
    int depth = 1;
    for (; depth < 200 && strncmp(answer, "ERROR", 5) != 0; depth++) {
        (void)snprintf(text, sizeof text, "CREATE TYPE d%d (f frozen<list<frozen<d%d>>>)", depth,
                       depth - 1);
        answer = world_run(text);
    }
    ck_assert_int_gt(depth, 20);
    ck_assert_ptr_nonnull(strstr(answer, "too large or nested too deeply"));
    // Twice as large each: the text of what it holds is in that of the type.
    CHECK_CQL("CREATE TYPE w0 (i int)", "CREATED TYPE ks.w0");
    int width = 1;
    for (answer = ""; width < 64 && strncmp(answer, "ERROR", 5) != 0; width++) {
        (void)snprintf(text, sizeof text, "CREATE TYPE w%d (f frozen<w%d>, g frozen<w%d>)", width,
                       width - 1, width - 1);
        answer = world_run(text);
    }
    ck_assert_int_gt(width, 5);
    ck_assert_ptr_nonnull(strstr(answer, "too large or nested too deeply"));
    // Nor by way of a type that others hold.
    (void)snprintf(text, sizeof text, "ALTER TYPE w0 ADD h frozen<d%d>", depth - 2);
    ck_assert_ptr_nonnull(strstr(world_run(text), "too large or nested too deeply"));
    (void)snprintf(text, sizeof text, "CREATE TABLE deep (k int PRIMARY KEY, v frozen<d%d>)",
                   depth - 2);
    CHECK_CQL(text, "CREATED TABLE ks.deep");
    ck_assert_ptr_nonnull(strstr(world_run("ALTER TYPE d0 ADD h frozen<list<frozen<list<frozen<"
                                           "list<frozen<b>>>>>>>"),
                                 "too large or nested too deeply"));
    world_close();
    world_open();
    check_row();
}
END_TEST

START_TEST(markers_are_looked_at)
{
    begin();
    struct query_options options = world_options();
    struct bound_value unset = {slice_null(), true};
    options.values = &unset;
    options.value_count = 1;
    ck_assert_str_eq(
        world_run_options("UPDATE t SET v = {x: ?} WHERE k = 1 AND c = {x: 1}", options),
        "ERROR 2200 Invalid unset value for field 'x' of user defined type a");
    execution_finish(&world.execution);
    ck_assert_str_eq(world_run_options("UPDATE t SET v.y = ? WHERE k = 1 AND c = {x: 1}", options),
                     "void");
    execution_finish(&world.execution);
    check_row();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("user_types");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, world_setup, world_teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, types_and_values_outlive_a_restart);
    tcase_add_test(tests, values_from_before_a_field);
    tcase_add_test(tests, statements_follow_their_types);
    tcase_add_test(tests, keyspaces_keep_their_types);
    tcase_add_test(tests, dropped_columns_let_go_of_their_types);
    tcase_add_test(tests, definitions_have_limits);
    tcase_add_test(tests, markers_are_looked_at);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
