// Statements as clients send them, with bind values and a paging state, executed in a node.
//
//     text | 0 | u8 page size | u8 flags | { u8 size (255: null, 254: unset) | bytes }*
//
// The last value is the paging state if flags has bit 0; bit 1 asks for the next pages too.
#include "tests/fuzz/support/fuzz_node.h"
#include "tests/fuzz/targets.h"

enum { VALUES_MAX = 32, INPUTS_OF_A_NODE = 200, PAGES_MAX = 20 };

static struct fuzz_node node;
static int inputs_left;

static void renew_node(void)
{
    if (inputs_left-- > 0) return;
    if (node.engine != NULL) fuzz_node_close(&node);
    fuzz_node_open(&node, 0);
    inputs_left = INPUTS_OF_A_NODE;
    static const char *const rows[] = {
        "CREATE TYPE ks.p (x int, y text)",
        "CREATE TYPE ks.q (p frozen<p>, l list<int>)",
        "CREATE TABLE ks.u (k int, c frozen<p>, v p, f frozen<q>, l list<frozen<p>>, "
        "m map<frozen<p>, frozen<q>>, s p static, PRIMARY KEY (k, c))",
        "INSERT INTO ks.u (k, c, v, f, l, m, s) VALUES (1, {x: 1}, {y: 'a'}, {p: {x: 1}, l: [1]}, "
        "[{x: 1}, {x: 2}], {{x: 1}: {l: [2]}}, {x: 9})",
        "INSERT INTO ks.t (k, v) VALUES (1, 'a')",
        "INSERT INTO ks.w (k, c, d, s, v, n) VALUES ('a', 1, 'x', 's', 'v', 5)",
        "INSERT INTO ks.w (k, c, d, v) VALUES ('a', 2, 'y', 'w')",
        "DELETE FROM ks.w WHERE k = 'a' AND c > 5",
        "UPDATE ks.counters SET n = n + 5 WHERE a = 'x' AND b = 'ALL'",
        "INSERT INTO ks.collections (k, c, l, s, m) VALUES (1, 1, ['a', 'b'], {1, 2}, {'a': 1})",
        "INSERT INTO ks.types (a, b, c1, c2, x5) VALUES (1, 'a', 0, uuid(), '2020-01-01')",
        // Columns of every type, as tests/node/corpus has them.
        "CREATE TABLE ks.j (k int PRIMARY KEY, \"Mixed\" text, a ascii, b bigint, bl blob, bo "
        "boolean, d date, de decimal, g double, f float, i inet, n int, s smallint, tx text, t "
        "time, ts timestamp, tu timeuuid, ti tinyint, u uuid, v varint, du duration, l "
        "list<int>, st set<text>, m map<text, int>, mi map<int, text>, tp tuple<int, text>, ve "
        "vector<float, 2>, vt vector<text, 2>, fl frozen<list<int>>, lm list<frozen<map<text, "
        "int>>>, mb map<blob, boolean>, md map<date, double>)",
        "CREATE TABLE ks.cl (a int, b int, c int, s int STATIC, v int, PRIMARY KEY ((a, b), c))",
        "CREATE TABLE ks.x (k int PRIMARY KEY, t tinyint, s smallint, i int, b bigint, v "
        "varint, d decimal, f float, g double, x text, a ascii, o boolean, u uuid, tu "
        "timeuuid, bl blob, ine inet, da date, ti time, ts timestamp, du duration, l "
        "list<int>, st set<int>, m map<text, int>, fl frozen<list<int>>, tp tuple<int, text>, "
        "ve vector<float, 3>, vi vector<int, 2>, ld list<decimal>, lv list<varint>, lt "
        "list<text>, lb list<bigint>, tl list<tinyint>)",
        "CREATE TABLE ks.nul (k int PRIMARY KEY, l list<int>, s set<int>, m map<int, int>, fl "
        "frozen<list<int>>, fs frozen<set<int>>, fm frozen<map<int, int>>, tp tuple<int, "
        "list<int>>, ve vector<int, 2>)",
        "CREATE TYPE ks.ty (a int, b frozen<set<text>>)",
        "CREATE TABLE ks.o (k int PRIMARY KEY, s frozen<set<text>>, m frozen<map<text, "
        "tinyint>>, ns set<text>, nm map<text, tinyint>, l list<frozen<map<text, tinyint>>>, "
        "ms map<int, frozen<set<text>>>, ks set<frozen<set<text>>>, t frozen<tuple<int, "
        "frozen<set<text>>>>, lt list<frozen<tuple<int, frozen<set<text>>>>>, u ty, v "
        "vector<frozen<set<text>>, 2>, lv frozen<list<frozen<vector<frozen<set<text>>, 2>>>>)",
        "CREATE TABLE ks.r (k int, a int, b int, c int, d int, e int, f int, PRIMARY KEY (k, a, b, "
        "c, d, e, f)) WITH CLUSTERING ORDER BY (a ASC, b ASC, c ASC, d ASC, e DESC, f ASC)",
        "CREATE INDEX ON ks.j (n)",
        "CREATE INDEX ON ks.collections (m)",
        "CREATE CUSTOM INDEX ON ks.j (tx) USING 'StorageAttachedIndex' "
        "WITH OPTIONS = {'case_sensitive': false, 'ascii': true}",
        "INSERT INTO ks.j JSON '{\"k\": 2, \"n\": 1, \"b\": 5, \"bo\": true, \"m\": {\"a\": 1}, "
        "\"vt\": [\"a\", \"bc\"], \"tx\": \"A\u00c4\u0100\u0179\u03a9\u0414\u0400\u65e5\"}'",
        "INSERT INTO ks.x (k, t, s, i, b, v, d, f, g, x) VALUES (1, 1, 2, 3, 4, 5, 6.5, 7.5, "
        "8.5, 'x')",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fuzz_node_run(&node, rows[i]);
        if (i == 8) fuzz_node_flush(&node);
    }
}

static struct bound_value take_value(struct cursor *cursor)
{
    uint8_t size = cursor_u8(cursor);
    if (size == 255) return (struct bound_value){.bytes = slice_null()};
    if (size == 254) return (struct bound_value){.unset = true};
    return (struct bound_value){.bytes = fuzz_take(cursor, size)};
}

FUZZ_TARGET(statement)
{
    renew_node();
    const uint8_t *end = input.size == 0 ? NULL : memchr(input.data, 0, input.size);
    struct slice text =
        slice_make(input.data, end == NULL ? input.size : (size_t)(end - input.data));
    struct cursor cursor = cursor_make(
        end == NULL ? slice_make("", 0) : slice_make(end + 1, input.size - text.size - 1));
    uint8_t page_size = cursor_u8(&cursor), flags = cursor_u8(&cursor);
    struct bound_value values[VALUES_MAX];
    struct query_options options = {.consistency = CONSISTENCY_ONE,
                                    .serial_consistency = CONSISTENCY_SERIAL,
                                    .keyspace = {(const uint8_t *)"ks", 2},
                                    .values = values,
                                    .page_size = page_size,
                                    .protocol_version = 3 + (flags >> 6) % 3};
    while (fuzz_goes_on(&cursor) && options.value_count < VALUES_MAX)
        values[options.value_count++] = take_value(&cursor);
    if ((flags & 1) != 0 && options.value_count > 0)
        options.paging_state = values[--options.value_count].bytes;
    bool works = fuzz_node_execute(&node, text, &options);
    struct arena arena;
    arena_init(&arena, 256);
    for (int page = 0; works && (flags & 2) != 0 && page < PAGES_MAX; page++) {
        options.paging_state = arena_copy(&arena, node.execution.result.paging_state);
        if (slice_is_null(options.paging_state)) break;
        fuzz_node_finish(&node);
        works = fuzz_node_execute(&node, text, &options);
    }
    fuzz_node_finish(&node);
    arena_deinit(&arena);
}
