// Slices of several clustering columns, also of both directions, where one slice is several ranges:
// what they find, and what they delete.
#include "tests/cql/execution/statement_world.h"

static void begin(const char *order)
{
    world_make("CREATE KEYSPACE IF NOT EXISTS ks WITH replication = {'class': 'SimpleStrategy', "
               "'replication_factor': 1}");
    world_make("USE ks");
    world_make("DROP TABLE IF EXISTS t");
    world_make(arena_format(&world.arena,
                            "CREATE TABLE t (k int, a int, b int, PRIMARY KEY (k, a, b)) "
                            "WITH CLUSTERING ORDER BY (%s)",
                            order));
    for (int i = 0; i < 9; i++)
        world_make(
            arena_format(&world.arena, "INSERT INTO t (k, a, b) VALUES (1, %d, %d)", i / 3, i % 3));
}

// What is left behind goes on in the order of the table.
static void check(const char *order, const char *where, const char *found, const char *left)
{
    begin(order);
    CHECK_CQL(arena_format(&world.arena, "SELECT a, b FROM t WHERE k = 1 AND %s", where), found);
    CHECK_CQL(arena_format(&world.arena, "DELETE FROM t WHERE k = 1 AND %s", where), "void");
    CHECK_CQL("SELECT a, b FROM t WHERE k = 1", left);
}

START_TEST(a_slice_over_both_directions_is_several_ranges)
{
    const char *mixed = "a ASC, b DESC";
    check(mixed, "(a, b) > (1, 1)", "(1, 2) (2, 2) (2, 1) (2, 0)",
          "(0, 2) (0, 1) (0, 0) (1, 1) (1, 0)");
    check(mixed, "(a, b) <= (1, 1)", "(0, 2) (0, 1) (0, 0) (1, 1) (1, 0)",
          "(1, 2) (2, 2) (2, 1) (2, 0)");
    check(mixed, "(a, b) >= (0, 2) AND (a, b) < (2, 1)", "(0, 2) (1, 2) (1, 1) (1, 0) (2, 0)",
          "(0, 1) (0, 0) (2, 2) (2, 1)");
    check(mixed, "(a, b) >= (1, 1) AND a < 2", "(1, 2) (1, 1)",
          "(0, 2) (0, 1) (0, 0) (1, 0) (2, 2) (2, 1) (2, 0)");
    check(mixed, "(a, b) > (1, 1) AND (a, b) <= (1, 1)", "",
          "(0, 2) (0, 1) (0, 0) (1, 2) (1, 1) (1, 0) (2, 2) (2, 1) (2, 0)");
    check("a DESC, b ASC", "(a, b) > (0, 1) AND (a, b) < (2, 1)",
          "(2, 0) (1, 0) (1, 1) (1, 2) (0, 2)", "(2, 1) (2, 2) (0, 0) (0, 1)");
    begin(mixed);
    CHECK_CQL("SELECT a, b FROM t WHERE k = 1 AND (a, b) > (1, 1) ORDER BY a DESC, b ASC",
              "(2, 0) (2, 1) (2, 2) (1, 2)");
    CHECK_CQL("SELECT a, b FROM t WHERE k = 1 AND (a, b) > (1, null)",
              "ERROR 2200 Invalid null value in condition for column b");
}
END_TEST

START_TEST(bounds_begin_with_the_same_column)
{
    begin("a ASC, b ASC");
    const char *refused = "ERROR 2200 Column \"b\" cannot be restricted by two inequalities not "
                          "starting with the same column";
    CHECK_CQL("SELECT a FROM t WHERE k = 1 AND b > 0 AND (a, b) < (1, 1)", refused);
    CHECK_CQL("SELECT a FROM t WHERE k = 1 AND (a, b) < (1, 1) AND b > 0", refused);
    CHECK_CQL("DELETE FROM t WHERE k = 1 AND (a, b) < (2, 1) AND (b) > (0)", refused);
    CHECK_CQL("SELECT a, b FROM t WHERE k = 1 AND (a, b) < (1, 1) AND (a) > (0)", "(1, 0)");
    // Two share a column with the tuple; the first of them would go with it.
    const char *filtered = "SELECT a FROM t WHERE k = 1 AND a > 0 AND %s AND (a, b) < (2, 1) ALLOW "
                           "FILTERING";
    CHECK_CQL(arena_format(&world.arena, filtered, "b > 1"), refused);
    CHECK_CQL(arena_format(&world.arena, filtered, "b = 1"),
              "ERROR 2200 b cannot be restricted by more than one relation if it includes an "
              "Equal");
    CHECK_CQL(arena_format(&world.arena, filtered, "b IN (1, 2)"),
              "ERROR 2200 b cannot be restricted by more than one relation if it includes a IN");
    CHECK_CQL("SELECT a, b FROM t WHERE k = 1 AND a > 0 AND b = 1 AND (a) < (2) ALLOW FILTERING",
              "(1, 1)");
}
END_TEST

// A tuple has as many values as its own relation has columns.
START_TEST(bounds_may_be_of_fewer_columns)
{
    begin("a ASC, b ASC");
    uint8_t tuple[8] = {0, 0, 0, 4, 0, 0, 0, 0};
    struct bound_value value = {slice_make(tuple, sizeof tuple), false};
    struct query_options options = world_options();
    options.values = &value;
    options.value_count = 1;
    ck_assert_str_eq(world_run_options(
                         "SELECT a, b FROM t WHERE k = 1 AND (a, b) < (1, 1) AND (a) > ?", options),
                     "(1, 0)");
    execution_finish(&world.execution);
    world_make("CREATE TABLE u (k int, a frozen<tuple<int, int>>, b int, PRIMARY KEY (k, a, b))");
    world_make("INSERT INTO u (k, a, b) VALUES (1, (1, 1), 1)");
    world_make("INSERT INTO u (k, a, b) VALUES (1, (1, 2), 1)");
    CHECK_CQL("SELECT a, b FROM u WHERE k = 1 AND a > (1, 1) AND (a, b) < ((1, 2), 5)",
              "((1, 2), 1)");
}
END_TEST

// "0, 1, 2"
static const char *numbers_below(int count)
{
    struct buffer text;
    buffer_init(&text, 1u << 20);
    for (int i = 0; i < count; i++)
        buffer_put_format(&text, "%s%d", i == 0 ? "" : ", ", i);
    const char *list = arena_format(&world.arena, "%.*s", (int)text.size, (const char *)text.data);
    buffer_deinit(&text);
    return list;
}

// IN names partitions times rows: some thousand bytes of a statement would be any memory.
START_TEST(not_too_many_rows_are_changed)
{
    begin("a ASC, b ASC");
    const char *list = numbers_below(600);
    const char *refused = "ERROR 2200 More than 262144 rows can not be changed at once";
    CHECK_CQL(arena_format(&world.arena, "DELETE FROM t WHERE k IN (%s) AND a IN (%s) AND b = 1",
                           list, list),
              refused);
    CHECK_CQL(arena_format(&world.arena,
                           "BEGIN UNLOGGED BATCH DELETE FROM t WHERE k = 1 AND a = 1 AND b = 1; "
                           "DELETE FROM t WHERE k IN (%s) AND a IN (%s); APPLY BATCH",
                           list, list),
              refused);
    CHECK_CQL("SELECT count(*) FROM t", "(9)");
    CHECK_CQL(
        arena_format(&world.arena, "DELETE FROM t WHERE k IN (%s) AND a IN (1, 2) AND b = 1", list),
        "void");
    CHECK_CQL("SELECT count(*) FROM t", "(7)");
}
END_TEST

// A slice over both directions is several ranges behind each alternative of the INs before it.
START_TEST(not_too_many_ranges_are_read)
{
    begin("a ASC, b ASC");
    world_make("CREATE TABLE v (k int, a int, b int, c int, d int, e int, PRIMARY KEY (k, a, b, c, "
               "d, e)) WITH CLUSTERING ORDER BY (a ASC, b ASC, c ASC, d DESC, e ASC)");
    world_make("INSERT INTO v (k, a, b, c, d, e) VALUES (1, 7, 9, 1, 1, 2)");
    const char *statement =
        "SELECT a, b FROM v WHERE k = 1 AND a IN (%s) AND b IN (%s) AND (c, d, e) > (1, 1, 1)";
    const char *list = numbers_below(210);
    CHECK_CQL(arena_format(&world.arena, statement, list, list),
              "ERROR 2200 The slice behind the IN relations is more than 262144 ranges of rows");
    CHECK_CQL(arena_format(&world.arena, statement, "6, 7, 8", list), "(7, 9)");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slices");
    TCase *tests = tcase_create("slices");
    tcase_add_checked_fixture(tests, world_setup, world_teardown);
    tcase_add_test(tests, a_slice_over_both_directions_is_several_ranges);
    tcase_add_test(tests, bounds_begin_with_the_same_column);
    tcase_add_test(tests, bounds_may_be_of_fewer_columns);
    tcase_add_test(tests, not_too_many_rows_are_changed);
    tcase_add_test(tests, not_too_many_ranges_are_read);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
