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
