// SELECTs that take many steps: dead rows, data that is not in memory, aggregates over all of it,
// and what they may cost.
#include "tests/cql/execution/statement_world.h"

enum { ROWS = 4000, BATCH = 50 }; // A batch stays under Cassandra's 50 KiB.

static void open_keyspace(void)
{
    world_setup();
    world_make(
        "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': "
        "1}");
    world_make("USE ks");
}

// Runs `text` for each i in [0, count), with i as an int and as a text of `size` bytes.
static void run_each(const char *text, uint32_t count, size_t size)
{
    struct statement *statement;
    struct cql_error error;
    ck_assert_msg(statement_prepare(&world.processor, slice_of_text(text), world.keyspace,
                                    &statement, &error),
                  "%s", error.text);
    struct query_options options = world_options();
    uint8_t numbers[BATCH][4];
    char texts[BATCH][1024];
    struct bound_value values[BATCH][2];
    struct batch_entry entries[BATCH];
    memset(texts, 'x', sizeof texts);
    for (uint32_t first = 0; first < count; first += BATCH) {
        uint32_t batch = count - first < BATCH ? count - first : BATCH;
        for (uint32_t i = 0; i < batch; i++) {
            bytes_put_u32(numbers[i], first + i);
            (void)snprintf(texts[i], 12, "%08u", first + i);
            texts[i][8] = 'x';
            values[i][0] = (struct bound_value){slice_make(numbers[i], 4), false};
            values[i][1] = (struct bound_value){slice_make(texts[i], size), false};
            entries[i] = (struct batch_entry){statement, values[i], statement->marker_count};
        }
        world.is_done = false;
        const int unlogged = 1;
        execution_start_batch(&world.execution, unlogged, entries, batch, &options, world_done);
        world_wait();
        ck_assert_msg(!world.execution.failed, "%s", world.execution.error.text);
        execution_finish(&world.execution);
    }
    statement_unref(statement);
}

static void flushed(struct engine_flush *flush, enum status status)
{
    (void)flush;
    ck_assert_int_eq(status, STATUS_OK);
    world.is_done = true;
    env_uv_stop(world.env);
}

// Everything is in SSTables then, and nothing of it in memory.
static void flush_and_restart(void)
{
    struct engine_flush flush;
    world.is_done = false;
    engine_flush(world.engine, NULL, &flush, flushed);
    world_wait();
    world_close();
    world_open();
}

static size_t execution_memory(void)
{
    const struct execution *execution = &world.execution;
    return arena_size(&execution->arena) + arena_size(&execution->row_arena) +
           arena_size(&execution->step_arenas[0]) + arena_size(&execution->step_arenas[1]);
}

START_TEST(dead_rows_are_passed_in_steps)
{
    world_make("CREATE TABLE d (k int, c int, s int STATIC, v int, PRIMARY KEY (k, c))");
    run_each("INSERT INTO d (k, c, v) VALUES (1, ?, 1)", ROWS, 0);
    world_make("INSERT INTO d (k, s) VALUES (1, 7)");
    world_make("INSERT INTO d (k, c, v) VALUES (1, 100000, 2)");
    run_each("DELETE FROM d WHERE k = 1 AND c = ?", ROWS, 0);
    for (int pass = 0; pass < 2; pass++) {
        CHECK_CQL("SELECT c, v, s FROM d WHERE k = 1", "(100000, 2, 7)");
        CHECK_CQL("SELECT c, v, s FROM d WHERE k = 1 ORDER BY c DESC", "(100000, 2, 7)");
        CHECK_CQL("SELECT c FROM d WHERE k = 1 AND c < 4000", "");
        CHECK_CQL("SELECT count(*) FROM d", "(1)");
        flush_and_restart();
    }
    world_make("DELETE FROM d WHERE k = 1 AND c = 100000");
    CHECK_CQL("SELECT k, c, s FROM d WHERE k = 1", "(1, null, 7)");
    CHECK_CQL("SELECT k, c, s FROM d", "(1, null, 7)");
    CHECK_CQL("SELECT DISTINCT k, s FROM d", "(1, 7)");
}
END_TEST

START_TEST(what_is_not_in_memory_is_read_once_it_is)
{
    world_make("CREATE TABLE cold (k int, c int, v text, PRIMARY KEY (k, c))");
    run_each("INSERT INTO cold (k, c, v) VALUES (1, ?, ?)", ROWS, 200);
    run_each("INSERT INTO cold (k, c, v) VALUES (?, 0, ?)", ROWS, 200);
    flush_and_restart();
    CHECK_CQL("SELECT count(*), sum(c) FROM cold WHERE k = 1", "(4000, 7998000)");
    flush_and_restart();
    CHECK_CQL("SELECT count(*), sum(c), min(k), max(k) FROM cold", "(7999, 7998000, 0, 3999)");
    flush_and_restart();
    CHECK_CQL("SELECT k, count(*) FROM cold WHERE k IN (1, 3000, 5, 70000) GROUP BY k",
              "(1, 4000) (5, 1) (3000, 1)");
    flush_and_restart();
    CHECK_CQL("SELECT c FROM cold WHERE k = 1 ORDER BY c DESC LIMIT 3", "(3999) (3998) (3997)");
}
END_TEST

START_TEST(sorted_rows_of_several_partitions_may_be_none)
{
    world_make("CREATE TABLE o (k int, c int, PRIMARY KEY (k, c))");
    CHECK_CQL("SELECT k, c FROM o WHERE k IN (1, 2) ORDER BY c", "");
    CHECK_CQL("SELECT k, c FROM o WHERE k IN () ORDER BY c", "");
    world_make("INSERT INTO o (k, c) VALUES (1, 5)");
    CHECK_CQL("SELECT k, c FROM o WHERE k IN (1, 2) ORDER BY c", "(1, 5)");
    world_make("INSERT INTO o (k, c) VALUES (2, 4)");
    CHECK_CQL("SELECT k, c FROM o WHERE k IN (1, 2) ORDER BY c", "(2, 4) (1, 5)");
}
END_TEST

START_TEST(an_aggregate_costs_the_same_however_much_it_reads)
{
    world_make("CREATE TABLE m (k int PRIMARY KEY, v text)");
    run_each("INSERT INTO m (k, v) VALUES (?, ?)", ROWS * 2, 600);
    world_run_options("SELECT count(k), max(v), min(v) FROM m", world_options());
    ck_assert_uint_lt(execution_memory(), 2u * 1024 * 1024);
    execution_finish(&world.execution);
    ck_assert_uint_lt(execution_memory(), 256u * 1024);
    world_run_options("SELECT max(toUnixTimestamp(now())) FROM m", world_options());
    ck_assert_uint_lt(execution_memory(), 128u * 1024);
    execution_finish(&world.execution);
}
END_TEST

START_TEST(a_long_read_ends_when_nobody_waits_for_it)
{
    world_make("CREATE TABLE r (k int PRIMARY KEY, v int)");
    run_each("INSERT INTO r (k, v) VALUES (?, 1)", ROWS, 0);
    struct statement *statement;
    struct cql_error error;
    ck_assert(statement_prepare(&world.processor, slice_of_text("SELECT count(*) FROM r"),
                                world.keyspace, &statement, &error));
    struct query_options options = world_options();
    world.is_done = false;
    execution_start(&world.execution, statement, &options, world_done);
    statement_unref(statement);
    ck_assert(!world.is_done);
    world.execution.is_canceled = true;
    world_wait();
    ck_assert(world.execution.failed);
    execution_finish(&world.execution);
    CHECK_CQL("SELECT count(*) FROM r", "(4000)");
}
END_TEST

START_TEST(unfinished_results_are_bounded_together)
{
    world_make("CREATE TABLE u (k int PRIMARY KEY, v text)");
    run_each("INSERT INTO u (k, v) VALUES (?, ?)", ROWS, 200);
    world.processor.results_size_max = 256 * 1024;
    ck_assert_ptr_nonnull(strstr(world_run("SELECT * FROM u"), "ERROR 1001 The results of all"));
    ck_assert_uint_eq(world.processor.results_size, 0);
    CHECK_CQL("SELECT count(v) FROM u", "(4000)");
    world.processor.results_size_max = 0;
    ck_assert_ptr_null(strstr(world_run("SELECT * FROM u"), "ERROR"));
    ck_assert_uint_eq(world.processor.results_size, 0);
}
END_TEST

START_TEST(virtual_keyspaces_go_by_key_and_need_no_filtering)
{
    CHECK_CQL("SELECT keyspace_name FROM system_virtual_schema.keyspaces",
              "('system_views') ('system_virtual_schema')");
    struct query_options options = world_options();
    options.page_size = 1;
    ck_assert_str_eq(
        world_run_options("SELECT keyspace_name FROM system_virtual_schema.keyspaces", options),
        "('system_views')");
    options.paging_state = arena_copy(&world.arena, world.execution.result.paging_state);
    execution_finish(&world.execution);
    ck_assert_str_eq(
        world_run_options("SELECT keyspace_name FROM system_virtual_schema.keyspaces", options),
        "('system_virtual_schema')");
    execution_finish(&world.execution);
    CHECK_CQL("SELECT keyspace_name FROM system_virtual_schema.tables WHERE table_name = 'tables'",
              "('system_virtual_schema')");
    ck_assert_ptr_nonnull(
        strstr(world_run("SELECT table_name FROM system_schema.tables WHERE table_name = 'a'"),
               "use ALLOW FILTERING"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("execution_select");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, open_keyspace, world_teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, dead_rows_are_passed_in_steps);
    tcase_add_test(tests, what_is_not_in_memory_is_read_once_it_is);
    tcase_add_test(tests, sorted_rows_of_several_partitions_may_be_none);
    tcase_add_test(tests, an_aggregate_costs_the_same_however_much_it_reads);
    tcase_add_test(tests, a_long_read_ends_when_nobody_waits_for_it);
    tcase_add_test(tests, unfinished_results_are_bounded_together);
    tcase_add_test(tests, virtual_keyspaces_go_by_key_and_need_no_filtering);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
