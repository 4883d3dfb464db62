// Traced requests, from their beginning to the rows of system_traces that clients ask for.
#include "cql/system/tracing.h"

#include "tests/cql/execution/statement_world.h"

static struct tracing *tracing;
static struct env_address address;

static void setup(void)
{
    world_setup();
    ck_assert_int_eq(env_address_parse("127.0.0.9", 7000, &address), STATUS_OK);
    tracing = tracing_create(world.env, world.coordinator, world.tables, &address);
    world_make("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', "
               "'replication_factor': 1}");
    world_make("USE ks");
    world_make("CREATE TABLE t (k int PRIMARY KEY, v int)");
}

static void teardown(void)
{
    tracing_destroy(tracing);
    world_teardown();
}

static void fired(struct env_timer *timer)
{
    (void)timer;
    env_uv_stop(world.env);
}

// A little later: what was written without anybody waiting is there.
static void let_some_time_pass(void)
{
    struct env_timer timer = {0};
    env_timer_start(world.env, &timer, 20 * 1000 * 1000, fired);
    while (env_timer_is_started(&timer))
        env_uv_run(world.env);
}

static char *run_traced(const char *text, struct uuid session)
{
    struct trace *trace = tracing_begin(tracing, session, &address);
    ck_assert_ptr_nonnull(trace);
    tracing_set_request(trace, "Execute CQL3 query");
    tracing_set_parameter(trace, "query", slice_of_text(text));
    world.execution.trace = trace;
    char *described = world_run(text);
    world.execution.trace = NULL;
    tracing_end(trace);
    let_some_time_pass();
    return described;
}

static struct uuid session_of(uint64_t number)
{
    return uuid_make_time(UUID_EPOCH_TICKS + number, 1, 2);
}

static const char *ask(const char *columns, const char *table, struct uuid session)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(session, id);
    return world_run(arena_format(&world.arena,
                                  "SELECT %s FROM system_traces.%s WHERE "
                                  "session_id = %s",
                                  columns, table, id));
}

START_TEST(a_traced_request_can_be_read_by_its_session)
{
    struct uuid session = session_of(1);
    ck_assert_str_eq(run_traced("INSERT INTO t (k, v) VALUES (1, 2)", session), "void");
    ck_assert_str_eq(ask("client, command, coordinator, coordinator_port, parameters, request",
                         "sessions", session),
                     "('127.0.0.9', 'QUERY', '127.0.0.9', 7000, {'query': 'INSERT INTO t (k, v) "
                     "VALUES (1, 2)'}, 'Execute CQL3 query')");
    ck_assert_str_eq(ask("activity", "events", session),
                     "('Determining replicas for mutation') ('Appending to commitlog') ('Adding to "
                     "t memtable')");
    session = session_of(2);
    ck_assert_str_eq(run_traced("SELECT v FROM t WHERE k = 1", session), "(2)");
    ck_assert_str_eq(ask("activity, source, thread", "events", session),
                     "('Executing single-partition query on t', '127.0.0.9', 'ReadStage-1') "
                     "('Read 1 live rows and 0 tombstone cells', '127.0.0.9', 'ReadStage-1')");
    session = session_of(3);
    ck_assert_str_eq(run_traced("SELECT v FROM t WHERE k IN (1, 7)", session), "(2)");
    ck_assert_str_eq(run_traced("SELECT v FROM t WHERE k = 7", session_of(4)), "");
    ck_assert_str_eq(ask("activity", "events", session_of(4)),
                     "('Executing single-partition query on t') "
                     "('Read 0 live rows and 0 tombstone cells')");
    ck_assert_str_eq(run_traced("UPDATE t SET v = 5 WHERE k = 1 IF v = 2", session_of(5)),
                     "(true)");
    ck_assert_str_eq(ask("activity", "events", session_of(5)),
                     "('Reading existing values for CAS precondition') "
                     "('Executing single-partition query on t') "
                     "('CAS precondition is met; proposing client-requested updates') "
                     "('CAS applied successfully')");
    // It lives for a day.
    const char *ttl = ask("TTL(duration)", "sessions", session);
    ck_assert_msg(strcmp(ttl, "(86400)") == 0 || strcmp(ttl, "(86399)") == 0, "%s", ttl);
}
END_TEST

START_TEST(sessions_and_events_are_bounded)
{
    struct trace *traces[TRACING_SESSIONS_MAX];
    for (size_t i = 0; i < TRACING_SESSIONS_MAX; i++) {
        traces[i] = tracing_begin(tracing, session_of(100 + i), &address);
        ck_assert_ptr_nonnull(traces[i]);
    }
    ck_assert_ptr_null(tracing_begin(tracing, session_of(1), &address));
    for (int i = 0; i < 2 * TRACE_EVENTS_MAX; i++)
        trace_add(traces[0], TRACE_THREAD_READ, "event %d", i);
    tracing_set_parameter(traces[0], "query", slice_make("", 0));
    for (size_t i = 0; i < TRACING_SESSIONS_MAX; i++)
        tracing_end(traces[i]);
    let_some_time_pass();
    ck_assert_str_eq(ask("count(*)", "events", session_of(100)), "(256)");
    ck_assert_ptr_nonnull(traces[0] = tracing_begin(tracing, session_of(1), &address));
    // One that is under way at the end of the node is forgotten.
}
END_TEST

// As at the end of a node: replicas are asked no more, and what they had been asked is still
// synced.
START_TEST(a_node_that_stops_writes_no_traces)
{
    (void)run_traced("INSERT INTO t (k, v) VALUES (1, 2)", session_of(1));
    struct trace *trace = tracing_begin(tracing, session_of(2), &address);
    trace_add(trace, TRACE_THREAD_READ, "event");
    tracing_stop(tracing);
    tracing_end(trace);
    let_some_time_pass();
    ck_assert_str_eq(ask("count(*)", "sessions", session_of(1)), "(1)");
    ck_assert_str_eq(ask("count(*)", "sessions", session_of(2)), "(0)");
    ck_assert_str_eq(ask("count(*)", "events", session_of(2)), "(0)");
}
END_TEST

START_TEST(only_the_node_writes_traces_but_they_can_be_truncated)
{
    (void)run_traced("SELECT v FROM t WHERE k = 1", session_of(1));
    CHECK_CQL("INSERT INTO system_traces.sessions (session_id) VALUES (uuid())",
              "ERROR 2200 Modification is not supported by table system_traces.sessions");
    CHECK_CQL("SELECT count(*) FROM system_traces.sessions", "(1)");
    CHECK_CQL("TRUNCATE system_traces.sessions", "void");
    CHECK_CQL("SELECT count(*) FROM system_traces.sessions", "(0)");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tracing");
    TCase *tcase = tcase_create("tracing");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_traced_request_can_be_read_by_its_session);
    tcase_add_test(tcase, sessions_and_events_are_bounded);
    tcase_add_test(tcase, a_node_that_stops_writes_no_traces);
    tcase_add_test(tcase, only_the_node_writes_traces_but_they_can_be_truncated);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
