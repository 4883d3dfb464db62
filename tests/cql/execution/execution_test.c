// Statements end to end: text in, rows out, over the real engine.
#include "tests/cql/execution/statement_world.h"

#define KEYSPACE                                                                                   \
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"

static void make_keyspace(void)
{
    world_make(KEYSPACE);
    world_make("USE ks");
}

START_TEST(the_decks_table_counts)
{
    make_keyspace();
    CHECK_CQL("CREATE TABLE hashtags (hashtag text, interval text, mentions counter, "
              "PRIMARY KEY((hashtag), interval)) WITH CLUSTERING ORDER BY (interval DESC)",
              "CREATED TABLE ks.hashtags");
    world_make(
        "UPDATE hashtags SET mentions = mentions + 2 WHERE hashtag = '#a' AND interval = 'ALL'");
    world_make(
        "UPDATE hashtags SET mentions += 3 WHERE hashtag = '#a' AND interval = '2013-09-01'");
    world_make(
        "UPDATE hashtags SET mentions = mentions - 5 WHERE hashtag = '#a' AND interval = 'ALL'");
    CHECK_CQL("SELECT interval, mentions FROM hashtags WHERE hashtag = '#a'",
              "('ALL', -3) ('2013-09-01', 3)");
    CHECK_CQL("SELECT mentions FROM hashtags WHERE hashtag = '#a' AND interval >= '2013' AND "
              "interval < '2014'",
              "(3)");
    CHECK_CQL("SELECT sum(mentions), count(*) FROM hashtags", "(0, 2)");
    // The order of counters is that of their numbers.
    CHECK_CQL("SELECT min(mentions), max(mentions) FROM hashtags", "(-3, 3)");
    world_make("CREATE TABLE two (k int PRIMARY KEY, a counter, b counter)");
    world_make("UPDATE two SET a = a + 1, b = b - 2 WHERE k = 1");
    CHECK_CQL("SELECT collection_min([a, b]), collection_max([a, b]) FROM two", "(-2, 1)");
}
END_TEST

// They would be one in the engine.
START_TEST(no_two_tables_have_one_id)
{
    make_keyspace();
    world_make("CREATE TABLE a (k int PRIMARY KEY, v text) "
               "WITH id = '5a1c395e-b41f-11e5-9f22-ba0be0483c18'");
    CHECK_CQL("CREATE TABLE b (k text, c text, v int, PRIMARY KEY (k, c)) "
              "WITH id = '5a1c395e-b41f-11e5-9f22-ba0be0483c18'",
              "ERROR 2200 Table id is that of table ks.a already");
    CHECK_CQL("CREATE TABLE b (k int PRIMARY KEY) "
              "WITH id = 'b7b7f0c2-fd0a-3410-8c05-3ef614bb7c2d'",
              "ERROR 2200 Table id is that of table system.paxos already");
    world_make("DROP TABLE a");
    CHECK_CQL("CREATE TABLE b (k text, c text, v int, PRIMARY KEY (k, c)) "
              "WITH id = '5a1c395e-b41f-11e5-9f22-ba0be0483c18'",
              "CREATED TABLE ks.b");
}
END_TEST

START_TEST(a_prepared_increment_binds_its_values)
{
    make_keyspace();
    world_make("CREATE TABLE c (k text, i int, n counter, PRIMARY KEY (k, i))");
    struct statement *statement;
    struct cql_error error;
    ck_assert(statement_prepare(&world.processor,
                                slice_of_text("UPDATE c SET n = n + ? WHERE k = ? AND i = ?"),
                                world.keyspace, &statement, &error));
    ck_assert_uint_eq(statement->marker_count, 3);
    ck_assert_uint_eq(statement->partition_key_marker_count, 1);
    ck_assert_uint_eq(statement->partition_key_markers[0], 1);
    ck_assert(!statement->names_keyspaces);
    struct query_options options = world_options();
    uint8_t delta[8], place[4];
    bytes_put_u64(delta, 7);
    for (uint32_t i = 0; i < 200; i++) {
        bytes_put_u32(place, i % 10);
        struct bound_value values[3] = {{slice_make(delta, 8), false},
                                        {slice_of_text("key"), false},
                                        {slice_make(place, 4), false}};
        options.values = values;
        options.value_count = 3;
        world.is_done = false;
        execution_start(&world.execution, statement, &options, world_done);
        world_wait();
        ck_assert(!world.execution.failed);
        execution_finish(&world.execution);
    }
    statement_unref(statement);
    // Of a role's statements, too, there is one for each keyspace.
    ck_assert(statement_prepare(&world.processor, slice_of_text("GRANT SELECT ON c TO r"),
                                world.keyspace, &statement, &error));
    ck_assert(!statement->names_keyspaces);
    statement_unref(statement);
    CHECK_CQL("SELECT sum(n), min(n), max(n), count(n) FROM c WHERE k = 'key'",
              "(1400, 140, 140, 10)");
}
END_TEST

START_TEST(rows_come_in_clustering_order_and_slices_cut_them)
{
    make_keyspace();
    world_make("CREATE TABLE t (k int, c int, d int, v text, s int STATIC, PRIMARY KEY (k, c, d)) "
               "WITH CLUSTERING ORDER BY (c DESC, d ASC)");
    for (int c = 0; c < 3; c++)
        for (int d = 0; d < 3; d++) {
            char text[128];
            (void)snprintf(text, sizeof text,
                           "INSERT INTO t (k, c, d, v) VALUES (1, %d, %d, 'v%d%d')", c, d, c, d);
            world_make(text);
        }
    world_make("INSERT INTO t (k, s) VALUES (1, 9)");
    world_make("INSERT INTO t (k, s) VALUES (2, 8)");
    CHECK_CQL("SELECT v FROM t WHERE k = 1",
              "('v20') ('v21') ('v22') ('v10') ('v11') ('v12') ('v00') ('v01') ('v02')");
    CHECK_CQL("SELECT v FROM t WHERE k = 1 ORDER BY c ASC, d DESC LIMIT 4",
              "('v02') ('v01') ('v00') ('v12')");
    CHECK_CQL("SELECT v FROM t WHERE k = 1 AND c > 0 AND c < 2", "('v10') ('v11') ('v12')");
    CHECK_CQL("SELECT v FROM t WHERE k = 1 AND c = 1 AND d > 0", "('v11') ('v12')");
    CHECK_CQL("SELECT v FROM t WHERE k = 1 AND c IN (2, 0) AND d IN (1, 1)", "('v21') ('v01')");
    CHECK_CQL("SELECT v FROM t WHERE k = 1 AND (c, d) > (1, 1)", "('v20') ('v21') ('v22') ('v12')");
    CHECK_CQL("SELECT v FROM t WHERE k = 1 AND d = 2 ALLOW FILTERING", "('v22') ('v12') ('v02')");
    CHECK_CQL("SELECT k, s FROM t WHERE k = 2", "(2, 8)");
    CHECK_CQL("SELECT * FROM t WHERE k = 2", "(2, null, null, 8, null)");
    CHECK_CQL("SELECT DISTINCT k, s FROM t WHERE k IN (2, 1)", "(1, 9) (2, 8)");
    CHECK_CQL("SELECT c, max(v), count(*) FROM t WHERE k = 1 GROUP BY c",
              "(2, 'v22', 3) (1, 'v12', 3) (0, 'v02', 3)");
    CHECK_CQL("SELECT k, c, d FROM t PER PARTITION LIMIT 1", "(1, 2, 0) (2, null, null)");
    world_make("DELETE FROM t WHERE k = 1 AND c >= 1");
    CHECK_CQL("SELECT v FROM t WHERE k = 1", "('v00') ('v01') ('v02')");
    world_make("DELETE v FROM t WHERE k = 1 AND c = 0 AND d = 1");
    CHECK_CQL("SELECT d, v FROM t WHERE k = 1", "(0, 'v00') (1, null) (2, 'v02')");
    world_make("DELETE FROM t WHERE k = 1");
    CHECK_CQL("SELECT v FROM t WHERE k = 1", "");
}
END_TEST

START_TEST(collections_and_timestamps)
{
    make_keyspace();
    world_make("CREATE TABLE c (k int PRIMARY KEY, l list<int>, s set<text>, m map<text, int>, "
               "f frozen<list<int>>, v int)");
    world_make(
        "INSERT INTO c (k, l, s, m, f) VALUES (1, [2, 3], {'b', 'a'}, {'y': 2, 'x': 1}, [])");
    world_make("UPDATE c SET l = [0, 1] + l, s = s + {'c'}, m['z'] = 3 WHERE k = 1");
    world_make("UPDATE c SET l = l + [2], s = s - {'a'}, m = m - {'x'} WHERE k = 1");
    CHECK_CQL("SELECT l, s, m, f FROM c", "([0, 1, 2, 3, 2], {'b', 'c'}, {'y': 2, 'z': 3}, [])");
    world_make("UPDATE c SET l = l - [2], l[0] = 7 WHERE k = 1");
    CHECK_CQL("SELECT l, m['z'] FROM c", "([7, 1, 3], 3)");
    CHECK_CQL("UPDATE c SET l[3] = 1 WHERE k = 1",
              "ERROR 2200 List index 3 out of bound, list has size 3");
    world_make("UPDATE c USING TIMESTAMP 1000 AND TTL 100 SET v = 5 WHERE k = 2");
    world_make("UPDATE c USING TIMESTAMP 999 SET v = 6 WHERE k = 2");
    CHECK_CQL("SELECT v, writetime(v) FROM c WHERE k = 2", "(5, 1000)");
    CHECK_CQL("SELECT k FROM c WHERE s CONTAINS 'c' ALLOW FILTERING", "(1)");
    CHECK_CQL("BEGIN BATCH INSERT INTO c (k, v) VALUES (3, 1); DELETE FROM c WHERE k = 1; "
              "APPLY BATCH",
              "void");
    CHECK_CQL("SELECT k, v FROM c WHERE k IN (3, 2, 1)", "(2, 5) (3, 1)");
    CHECK_CQL("TRUNCATE c", "void");
    CHECK_CQL("SELECT count(*) FROM c", "(0)");
}
END_TEST

// Reads all pages of `page_size` rows; their values, joined.
static char *run_paged(const char *text, int32_t page_size, size_t *page_count)
{
    struct buffer joined;
    buffer_init(&joined, 1u << 28);
    struct query_options options = world_options();
    options.page_size = page_size;
    *page_count = 0;
    do {
        char *page = world_run_options(text, options);
        ck_assert_msg(!world.execution.failed, "%s", page);
        ck_assert_uint_le(world.execution.result.row_count, (uint32_t)page_size);
        if (joined.size > 0 && *page != '\0') buffer_put_format(&joined, " ");
        buffer_put_format(&joined, "%s", page);
        options.paging_state = arena_copy(&world.arena, world.execution.result.paging_state);
        execution_finish(&world.execution);
        (*page_count)++;
    } while (!slice_is_null(options.paging_state));
    char *text_of_all = arena_format(&world.arena, "%.*s", (int)joined.size,
                                     joined.data == NULL ? "" : (const char *)joined.data);
    buffer_deinit(&joined);
    return text_of_all;
}

// A row that is deleted a column of twice is written once, or the log and the files were
// unreadable.
START_TEST(a_column_deleted_twice_is_read_again)
{
    make_keyspace();
    world_make("CREATE TABLE t (k int, c int, s set<int> STATIC, v set<int>, w list<int>, x int, "
               "PRIMARY KEY (k, c))");
    for (int c = 1; c <= 2; c++) {
        char text[128];
        (void)snprintf(text, sizeof text,
                       "INSERT INTO t (k, c, s, v, w, x) VALUES (1, %d, {1}, {2}, [3], 4)", c);
        world_make(text);
    }
    world_make("DELETE w, v, x, w, v, x, s, s FROM t WHERE k = 1 AND c = 1");
    CHECK_CQL("DELETE v, x, v FROM t WHERE k = 1 AND c = 2 IF EXISTS", "(true)");
    CHECK_CQL("SELECT * FROM t", "(1, 1, null, null, null, null) (1, 2, null, null, [3], null)");
    world_make("ALTER TABLE t ADD y int"); // Writes what is in memory.
    for (int i = 0; i < 2; i++) {
        CHECK_CQL("SELECT k, c, s, v, w, x FROM t",
                  "(1, 1, null, null, null, null) (1, 2, null, null, [3], null)");
        world_close();
        world_open();
    }
}
END_TEST

START_TEST(pages_of_any_size_join_to_the_whole)
{
    static const char *const queries[] = {
        "SELECT k, c, v FROM p",
        "SELECT k, c FROM p WHERE k = 3",
        "SELECT k, c FROM p WHERE k = 3 ORDER BY c DESC",
        "SELECT k, c FROM p WHERE k IN (4, 2, 3)",
        "SELECT k, c FROM p WHERE k = 3 AND c IN (1, 2, 5, 6)",
        "SELECT k, c FROM p PER PARTITION LIMIT 2",
        "SELECT k, c FROM p LIMIT 17",
        "SELECT DISTINCT k, s FROM p",
        "SELECT k, c FROM p WHERE v > 20 ALLOW FILTERING",
        "SELECT k, sum(v), count(*) FROM p GROUP BY k",
        "SELECT k, c, count(*) FROM p GROUP BY k, c",
        "SELECT k, c FROM p WHERE token(k) > -5000000000000000000",
        "SELECT * FROM one",
        "SELECT v, count(*) FROM one",
    };
    make_keyspace();
    world_make("CREATE TABLE p (k int, c int, v int, s int STATIC, PRIMARY KEY (k, c))");
    world_make("CREATE TABLE one (k int PRIMARY KEY, v int)");
    for (int k = 0; k < 7; k++) {
        char text[128];
        for (int c = 0; c < k * 2; c++) {
            (void)snprintf(text, sizeof text, "INSERT INTO p (k, c, v) VALUES (%d, %d, %d)", k, c,
                           k * 10 + c);
            world_make(text);
        }
        (void)snprintf(text, sizeof text, "INSERT INTO p (k, s) VALUES (%d, %d)", k, k);
        world_make(text);
        (void)snprintf(text, sizeof text, "INSERT INTO one (k, v) VALUES (%d, %d)", k, k);
        world_make(text);
    }
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        const char *whole = world_run(queries[i]);
        for (int32_t page_size = 1; page_size < 9; page_size++) {
            size_t page_count;
            const char *paged = run_paged(queries[i], page_size, &page_count);
            ck_assert_msg(strcmp(whole, paged) == 0, "%s by %d:\n%s\n%s", queries[i], page_size,
                          whole, paged);
        }
    }
}
END_TEST

START_TEST(a_paging_state_of_somebody_else_is_refused)
{
    make_keyspace();
    world_make("CREATE TABLE a (k int PRIMARY KEY)");
    world_make("CREATE TABLE b (k int PRIMARY KEY)");
    world_make("INSERT INTO a (k) VALUES (1)");
    world_make("INSERT INTO a (k) VALUES (2)");
    struct query_options options = world_options();
    options.page_size = 1;
    world_run_options("SELECT * FROM a", options);
    struct slice state = arena_copy(&world.arena, world.execution.result.paging_state);
    execution_finish(&world.execution);
    ck_assert(!slice_is_null(state));
    const char *refused = "ERROR 000a Invalid value for the paging state";
    options.paging_state = state;
    ck_assert_str_eq(world_run_options("SELECT * FROM b", options), refused);
    for (size_t i = 0; i < state.size; i++) {
        uint8_t *damaged = arena_alloc(&world.arena, state.size);
        memcpy(damaged, state.data, state.size);
        damaged[i] ^= 0x10;
        options.paging_state = slice_make(damaged, state.size);
        ck_assert_str_eq(world_run_options("SELECT * FROM a", options), refused);
        options.paging_state = slice_make(state.data, i);
        ck_assert_str_eq(world_run_options("SELECT * FROM a", options), refused);
    }
}
END_TEST

START_TEST(large_reads_go_step_by_step)
{
    make_keyspace();
    world_make("CREATE TABLE big (k int, c int, v int, PRIMARY KEY (k, c))");
    struct statement *statement;
    struct cql_error error;
    ck_assert(statement_prepare(&world.processor,
                                slice_of_text("INSERT INTO big (k, c, v) VALUES (?, ?, 1)"),
                                world.keyspace, &statement, &error));
    struct query_options options = world_options();
    for (uint32_t i = 0; i < 3500; i++) {
        uint8_t key[4], place[4];
        bytes_put_u32(key, i % 3);
        bytes_put_u32(place, i);
        struct bound_value values[2] = {{slice_make(key, 4), false}, {slice_make(place, 4), false}};
        options.values = values;
        options.value_count = 2;
        world.is_done = false;
        execution_start(&world.execution, statement, &options, world_done);
        world_wait();
        execution_finish(&world.execution);
    }
    statement_unref(statement);
    CHECK_CQL("SELECT count(*), sum(v), max(c) FROM big", "(3500, 3500, 3499)");
    CHECK_CQL("SELECT count(*) FROM big WHERE k = 1", "(1167)");
    CHECK_CQL("SELECT count(*) FROM big WHERE k IN (0, 2)", "(2333)");
    CHECK_CQL("SELECT c FROM big WHERE k = 2 ORDER BY c DESC LIMIT 2", "(3497) (3494)");
    CHECK_CQL("SELECT k, count(*), min(c), max(c) FROM big GROUP BY k",
              "(1, 1167, 1, 3499) (0, 1167, 0, 3498) (2, 1166, 2, 3497)");
}
END_TEST

START_TEST(schema_and_data_outlive_a_restart)
{
    make_keyspace();
    world_make("CREATE TABLE t (k int PRIMARY KEY, v text) WITH comment = 'it''s'");
    world_make("INSERT INTO t (k, v) VALUES (1, 'one')");
    world_make("ALTER TABLE t ADD w int");
    world_close();
    world_open();
    CHECK_CQL("SELECT * FROM t", "(1, 'one', null)");
    world_make("ALTER TABLE t DROP v");
    CHECK_CQL("SELECT * FROM t", "(1, null)");
    CHECK_CQL("DROP TABLE t", "DROPPED TABLE ks.t");
    CHECK_CQL("DROP KEYSPACE ks", "DROPPED KEYSPACE ks");
    CHECK_CQL("SELECT * FROM t", "ERROR 2200 keyspace ks does not exist");
}
END_TEST

START_TEST(describe_and_system_tables)
{
    make_keyspace();
    world_make("CREATE TABLE t (k int PRIMARY KEY)");
    CHECK_CQL("DESCRIBE TABLES", "('ks', 'table', 't')");
    CHECK_CQL("DESCRIBE TABLE nope", "ERROR 2200 Table 'nope' not found in keyspace 'ks'");
    CHECK_CQL("DESCRIBE ONLY KEYSPACE",
              "('ks', 'keyspace', 'ks', 'CREATE KEYSPACE ks WITH replication = {''class'': "
              "''SimpleStrategy'', ''replication_factor'': ''1''}  AND durable_writes = true;')");
    ck_assert_ptr_nonnull(strstr(world_run("DESCRIBE TABLE t"), "k int PRIMARY KEY"));
    CHECK_CQL("SELECT key, cluster_name FROM system.local", "('local', 'Test Cluster')");
    CHECK_CQL("SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'ks'", "('t')");
    CHECK_CQL("INSERT INTO system.local (key) VALUES ('x')",
              "ERROR 2200 Modification is not supported by table system.local");
    CHECK_CQL("UPDATE system.local SET key = 'x' WHERE key = 'y'",
              "ERROR 2200 PRIMARY KEY part key found in SET part");
    CHECK_CQL("TRUNCATE system_views.clients",
              "ERROR 2200 Truncation is not supported by table system_views.clients");
    // Filters of leveled tables have larger errors, unless another chance was asked for.
    world_make("CREATE TABLE l (k int PRIMARY KEY) WITH compaction = "
               "{'class': 'LeveledCompactionStrategy'}");
    ck_assert_ptr_nonnull(strstr(world_run("DESCRIBE TABLE l"), "bloom_filter_fp_chance = 0.1\n"));
    world_make("CREATE TABLE l1 (k int PRIMARY KEY) WITH compaction = "
               "{'class': 'LeveledCompactionStrategy'} AND bloom_filter_fp_chance = 0.01");
    ck_assert_ptr_nonnull(
        strstr(world_run("DESCRIBE TABLE l1"), "bloom_filter_fp_chance = 0.01\n"));
}
END_TEST

// `head`, then `count` times `piece`, then `tail`.
static char *repeat(const char *head, const char *piece, size_t count, const char *tail)
{
    struct buffer text;
    buffer_init(&text, 1u << 28);
    buffer_put_format(&text, "%s", head);
    for (size_t i = 0; i < count; i++)
        buffer_put(&text, piece, strlen(piece));
    buffer_put_format(&text, "%s", tail);
    char *copy = arena_alloc(&world.arena, text.size + 1);
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    buffer_deinit(&text);
    return copy;
}

START_TEST(what_a_client_makes_long_or_deep_ends)
{
    make_keyspace();
    world_make("CREATE TABLE t (k int PRIMARY KEY, v int, s set<int>)");
    world_make("INSERT INTO t (k) VALUES (1)");
    const char *too_deep = "ERROR 2200 Terms are nested more than 512 times";
    CHECK_CQL(repeat("SELECT k", "+1", 100000, " FROM t"), too_deep);
    CHECK_CQL(repeat("INSERT INTO t (k, v) VALUES (1, 1", "+1", 100000, ")"), too_deep);
    CHECK_CQL(repeat("SELECT k", "+1", 400, " FROM t"), "(401)");
    CHECK_CQL(repeat("SELECT * FROM t WHERE k = 1", " AND s CONTAINS 1", 5000, " ALLOW FILTERING"),
              "ERROR 2200 Too many CONTAINS relations on one column");
    CHECK_CQL(repeat("SELECT k FROM t WHERE k IN (0", ",1", 60000, ")"), "(1)");
    CHECK_CQL(repeat("INSERT INTO t (k, s) VALUES (2, {0", ",7", 100000, "})"), "void");
    CHECK_CQL("SELECT s FROM t WHERE k = 2", "({0, 7})");
    CHECK_CQL(repeat("INSERT INTO t (k", ",k", 60000, ") VALUES (1)"),
              "ERROR 2200 Unmatched column names/values");
}
END_TEST

START_TEST(speculative_retry_is_checked_as_cassandra_does)
{
    static const struct {
        const char *value, *refused; // NULL: it is taken.
    } cases[] = {
        {"99p", NULL},
        {"99.5PERCENTILE", NULL},
        {"0ms", NULL},
        {"1.5ms", NULL},
        {"NEVER", NULL},
        {"MIN(99p,50ms)", NULL},
        {"max(50ms, 60p)", NULL},
        {"100p", "Invalid value 100p for PERCENTILE option 'speculative_retry': must be between "
                 "(0.0 and 100.0)"},
        {"0p", "Invalid value 0p for PERCENTILE option 'speculative_retry': must be between "
               "(0.0 and 100.0)"},
        {"-1ms", "Invalid value -1ms for option 'speculative_retry'"},
        {"0x5ms", "Invalid value 0x5ms for option 'speculative_retry'"},
        {"infms", "Invalid value infms for option 'speculative_retry'"},
        {"MIN(101p,5ms)", "Invalid value MIN(101p,5ms) for option 'speculative_retry'"},
        {"MIN(", "Invalid value MIN( for option 'speculative_retry'"},
        {"MIN(,)", "Invalid value MIN(,) for option 'speculative_retry'"},
        {"MIN(5p,", "Invalid value MIN(5p, for option 'speculative_retry'"},
        {"MAX(5ms,6ms)", "Invalid value MAX(5ms,6ms) for option 'speculative_retry': MIN()/MAX() "
                         "arguments should be of different types, but both are of type FIXED"},
        {"", "Invalid value  for option 'speculative_retry'"},
    };
    world_make("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', "
               "'replication_factor': 1}");
    world_make("CREATE TABLE ks.t (k int PRIMARY KEY)");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *result = world_run(arena_format(
            &world.arena, "ALTER TABLE ks.t WITH speculative_retry = '%s'", cases[i].value));
        if (cases[i].refused == NULL)
            ck_assert_msg(strncmp(result, "ERROR", 5) != 0, "%s: %s", cases[i].value, result);
        else
            ck_assert_str_eq(result, arena_format(&world.arena, "ERROR 2300 %s", cases[i].refused));
    }
}
END_TEST

START_TEST(a_data_centre_with_no_copies_is_none)
{
    static const struct {
        const char *options, *refused; // NULL: it is taken.
    } cases[] = {
        {"'datacenter1': 0", "Configuration for at least one datacenter must be present"},
        {"'replication_factor': 0", "Configuration for at least one datacenter must be present"},
        {"'datacenter1': 0, 'replication_factor': 1",
         "Configuration for at least one datacenter must be present"},
        {"'datacenter1': '00'", NULL},
        {"'datacenter1': 1, 'dc2': 0", NULL},
        {"'datacenter1': 1, 'replication_factor': 0", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *result = world_run(arena_format(
            &world.arena,
            "CREATE KEYSPACE k%zu WITH replication = {'class': 'NetworkTopologyStrategy', %s}", i,
            cases[i].options));
        if (cases[i].refused == NULL)
            ck_assert_msg(strncmp(result, "ERROR", 5) != 0, "%s: %s", cases[i].options, result);
        else
            ck_assert_str_eq(result, arena_format(&world.arena, "ERROR 2300 %s", cases[i].refused));
    }
}
END_TEST

START_TEST(what_an_alter_does_not_say_of_copies_stays)
{
    static const struct {
        const char *options, *replication;
    } steps[] = {
        {"'class': 'NetworkTopologyStrategy', 'replication_factor': 2", "'datacenter1': '1'"},
        {"'class': 'SimpleStrategy', 'replication_factor': 2", "'replication_factor': '2'"},
        {"'class': 'SimpleStrategy'", "'replication_factor': '2'"},
        {"'class': 'NetworkTopologyStrategy'", "'datacenter1': '2'"},
        {"'class': 'NetworkTopologyStrategy', 'datacenter1': 3", "'datacenter1': '3'"},
        {"'class': 'SimpleStrategy'", "'replication_factor': '1'"},
    };
    world_make("CREATE KEYSPACE ks WITH replication = {'class': 'NetworkTopologyStrategy', "
               "'datacenter1': 1}");
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        const char *result = world_run(arena_format(
            &world.arena, "ALTER KEYSPACE ks WITH replication = {%s}", steps[i].options));
        ck_assert_msg(strncmp(result, "ERROR", 5) != 0, "%s: %s", steps[i].options, result);
        result = world_run("SELECT replication FROM system_schema.keyspaces WHERE "
                           "keyspace_name = 'ks'");
        ck_assert_msg(strstr(result, steps[i].replication) != NULL, "%s: %s", steps[i].options,
                      result);
    }
}
END_TEST

START_TEST(brackets_around_a_term_are_no_tuple)
{
    make_keyspace();
    world_make("CREATE TABLE t (k int PRIMARY KEY, i int, at timestamp, d date)");
    world_make("INSERT INTO t (k, i, at) VALUES (1, 5, 1000)");
    CHECK_CQL("SELECT -(i), -(i + 1), (i + 2) * 3, abs((i)) FROM t", "(-5, -6, 21, 5)");
    CHECK_CQL("SELECT (i) FROM t", "ERROR 2200 Cannot infer type for term (i) in selection clause "
                                   "(try using a cast to force a type)");
    CHECK_CQL("SELECT -? FROM t", "ERROR 2200 Ambiguous negation: use type casts to disambiguate");
    CHECK_CQL("SELECT CAST(at AS bigint) FROM t", "(1000)");
    world_make("INSERT INTO t (k, d) VALUES (2, (int) 1)");
}
END_TEST

START_TEST(texts_are_added)
{
    make_keyspace();
    world_make("CREATE TABLE x (k int PRIMARY KEY, a ascii, t text, i int)");
    world_make("INSERT INTO x (k, a, t, i) VALUES (1, 'a' + 'b', 'c' + 'd', 1)");
    CHECK_CQL("SELECT a + t, t + t, a + a, t + 'é' FROM x", "('abcd', 'cdcd', 'abab', 'cdé')");
    CHECK_CQL("SELECT t - t FROM x",
              "ERROR 2200 the '-' operation is not supported between t and t");
}
END_TEST

START_TEST(functions_of_collections)
{
    make_keyspace();
    world_make("CREATE TABLE c (k int PRIMARY KEY, l list<int>, s set<text>, m map<text, int>)");
    world_make("INSERT INTO c (k, l, s, m) VALUES (1, [10, 20, 31], {'b', 'a'}, {'y': 2, 'x': 1})");
    world_make("INSERT INTO c (k) VALUES (2)");
    CHECK_CQL("SELECT collection_count(l), collection_count(m), collection_min(s), "
              "collection_max(l), collection_sum(l), collection_avg(l) FROM c",
              "(3, 2, 'a', 31, 61, 20) (null, null, null, null, null, null)");
    CHECK_CQL("SELECT map_keys(m), map_values(m) FROM c WHERE k = 1", "({'x', 'y'}, [1, 2])");
    CHECK_CQL(
        "SELECT map_keys(l) FROM c",
        "ERROR 2200 Function system.map_keys requires a map argument, but found argument l of "
        "type list<int>");
    CHECK_CQL("SELECT collection_sum(s) FROM c",
              "ERROR 2200 Function system.collection_sum requires a numeric set/list argument, but "
              "found argument s of type set<text>");
}
END_TEST

START_TEST(many_values_are_matched_to_markers_by_name)
{
    enum { COUNT = 60000 };
    make_keyspace();
    world_make("CREATE TABLE n (k int PRIMARY KEY)");
    for (int k = 0; k < 10; k++)
        world_make(arena_format(&world.arena, "INSERT INTO n (k) VALUES (%d)", k));
    struct buffer text;
    buffer_init(&text, 1u << 24);
    buffer_put_format(&text, "SELECT k FROM n WHERE k IN (:v0");
    for (uint32_t i = 1; i < COUNT; i++)
        buffer_put_format(&text, ", :v%u", i);
    buffer_put_format(&text, ")");
    struct bound_value *values =
        ARENA_NEW_ARRAY(&world.arena, struct bound_value, (size_t)COUNT + 1);
    struct slice *names = ARENA_NEW_ARRAY(&world.arena, struct slice, (size_t)COUNT + 1);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint8_t *bytes = arena_alloc(&world.arena, 4);
        bytes_put_u32(bytes, i % 3);
        values[COUNT - i] = (struct bound_value){slice_make(bytes, 4), false};
        names[COUNT - i] = slice_of_text(arena_format(&world.arena, "v%u", i));
    }
    // Of two values of a name the first counts.
    values[0] = (struct bound_value){slice_make("\0\0\0\7", 4), false};
    names[0] = slice_of_text("v0");
    struct query_options options = world_options();
    options.values = values;
    options.value_names = names;
    options.value_count = COUNT + 1;
    char *whole = arena_format(&world.arena, "%.*s", (int)text.size, (const char *)text.data);
    buffer_deinit(&text);
    ck_assert_str_eq(world_run_options(whole, options), "(0) (1) (2) (7)");
    execution_finish(&world.execution);
}
END_TEST

// Rows of such a keyspace would be where they were written, and nowhere else.
START_TEST(nobody_makes_a_keyspace_of_each_node_alone)
{
    static const char refusal[] = "ERROR 2200 Unable to use given strategy class: LocalStrategy is "
                                  "reserved for internal use.";
    CHECK_CQL("CREATE KEYSPACE l WITH replication = {'class': 'LocalStrategy'}", refusal);
    CHECK_CQL("CREATE KEYSPACE l WITH replication = {'class': 'SimpleStrategy', "
              "'replication_factor': 1}",
              "CREATED KEYSPACE l");
    CHECK_CQL("ALTER KEYSPACE l WITH replication = "
              "{'class': 'org.apache.cassandra.locator.LocalStrategy'}",
              refusal);
    CHECK_CQL("SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = 'l'",
              "({'class': 'org.apache.cassandra.locator.SimpleStrategy', 'replication_factor': "
              "'1'})");
}
END_TEST

START_TEST(large_batches_of_several_partitions_are_refused)
{
    make_keyspace();
    world_make("CREATE TABLE b (k int PRIMARY KEY, v text)");
    const char *head = "BEGIN UNLOGGED BATCH INSERT INTO b (k, v) VALUES (1, '";
    char *large = repeat(head, "x", 30000, "'); INSERT INTO b (k, v) VALUES (");
    char *two = repeat(arena_format(&world.arena, "%s2, '", large), "x", 30000, "'); APPLY BATCH");
    CHECK_CQL(two, "ERROR 2200 Batch too large");
    char *one = repeat(arena_format(&world.arena, "%s1, '", large), "x", 30000, "'); APPLY BATCH");
    CHECK_CQL(one, "void");
    CHECK_CQL("SELECT k FROM b", "(1)");
    // What two tables have under one key is one mutation.
    world_make("CREATE TABLE d (k int PRIMARY KEY, v text)");
    large = repeat(head, "x", 30000, "'); INSERT INTO d (k, v) VALUES (");
    one = repeat(arena_format(&world.arena, "%s1, '", large), "x", 30000, "'); APPLY BATCH");
    CHECK_CQL(one, "void");
    CHECK_CQL("SELECT k FROM d", "(1)");
}
END_TEST

static enum status changed_status;

static void job_submitted(struct metadata_job_change *change, enum status status)
{
    (void)change;
    changed_status = status;
    world.is_done = true;
    env_uv_stop(world.env);
}

static void table_changed(struct metadata_schema_change *change, enum status status)
{
    (void)change;
    changed_status = status;
    world.is_done = true;
    env_uv_stop(world.env);
}

static const struct table *find_counters(void)
{
    return schema_find_table(metadata_schema(world.metadata), slice_of_text("ks"),
                             slice_of_text("c"));
}

static enum status drop_in_the_log(const char *column)
{
    struct metadata_schema_change change;
    struct table_builder *builder = table_builder_copy(find_counters());
    table_builder_drop_column(builder, slice_of_text(column), 1);
    const struct table *table = table_builder_finish(builder);
    world.is_done = false;
    metadata_put_table(world.metadata, &change, table, table_changed);
    world_wait();
    table_unref(table);
    return changed_status;
}

// Each by another node, which knew nothing of the job when it looked.
START_TEST(what_a_job_counts_stays_whoever_asks)
{
    make_keyspace();
    world_make("CREATE TABLE c (k int PRIMARY KEY, n counter, m counter, o counter)");
    const char *const columns[] = {"n", "m"};
    for (uint8_t i = 0; i < 2; i++) {
        struct metadata_job_change change;
        struct job job = {.id = {{i, 1}}, .submission_id = {{i, 2}}, .source_count = 1};
        (void)snprintf(job.name, sizeof job.name, "counts %s", columns[i]);
        job.output_count = 1;
        job.outputs[0] =
            (struct job_output){find_counters()->id, jobs_hash_column(slice_of_text(columns[i]))};
        world.is_done = false;
        metadata_submit_job(world.metadata, &change, &job, job_submitted);
        world_wait();
        ck_assert_int_eq(changed_status, STATUS_OK);
    }
    for (size_t i = 0; i < 2; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "ALTER TABLE c DROP %s", columns[i]);
        const char *said = world_run(text);
        (void)snprintf(text, sizeof text, "stream job 'counts %s'", columns[i]);
        ck_assert_msg(strstr(said, text) != NULL, "%s", said);
        ck_assert_int_eq(drop_in_the_log(columns[i]), STATUS_CONFLICT);
    }
    ck_assert_int_eq(drop_in_the_log("o"), STATUS_OK);
    ck_assert_ptr_nonnull(strstr(world_run("DELETE FROM c WHERE k = 1"), "DELETE is refused"));
    ck_assert_ptr_nonnull(strstr(world_run("TRUNCATE c"), "TRUNCATE is refused"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("execution");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, world_setup, world_teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, the_decks_table_counts);
    tcase_add_test(tests, no_two_tables_have_one_id);
    tcase_add_test(tests, a_prepared_increment_binds_its_values);
    tcase_add_test(tests, rows_come_in_clustering_order_and_slices_cut_them);
    tcase_add_test(tests, collections_and_timestamps);
    tcase_add_test(tests, a_column_deleted_twice_is_read_again);
    tcase_add_test(tests, pages_of_any_size_join_to_the_whole);
    tcase_add_test(tests, a_paging_state_of_somebody_else_is_refused);
    tcase_add_test(tests, large_reads_go_step_by_step);
    tcase_add_test(tests, schema_and_data_outlive_a_restart);
    tcase_add_test(tests, describe_and_system_tables);
    tcase_add_test(tests, what_a_client_makes_long_or_deep_ends);
    tcase_add_test(tests, brackets_around_a_term_are_no_tuple);
    tcase_add_test(tests, a_data_centre_with_no_copies_is_none);
    tcase_add_test(tests, what_an_alter_does_not_say_of_copies_stays);
    tcase_add_test(tests, speculative_retry_is_checked_as_cassandra_does);
    tcase_add_test(tests, texts_are_added);
    tcase_add_test(tests, functions_of_collections);
    tcase_add_test(tests, many_values_are_matched_to_markers_by_name);
    tcase_add_test(tests, nobody_makes_a_keyspace_of_each_node_alone);
    tcase_add_test(tests, large_batches_of_several_partitions_are_refused);
    tcase_add_test(tests, what_a_job_counts_stays_whoever_asks);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
