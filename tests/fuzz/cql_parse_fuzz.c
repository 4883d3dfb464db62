// Statements, types and terms as text: the parser, and what writes a tree's types again.
#include "cql/parser/parser.h"
#include "tests/fuzz/targets.h"

FUZZ_TARGET(cql_parse)
{
    struct cursor cursor = cursor_make(input);
    uint8_t what = cursor_u8(&cursor);
    struct arena arena;
    arena_init(&arena, 4096);
    struct cql_error error;
    const struct cql_statement_ast *statement;
    const struct cql_type *type;
    const struct cql_term *term;
    if (what == 'T')
        (void)cql_parse_type(fuzz_rest(&cursor), &arena, &type, &error);
    else if (what == 'V')
        (void)cql_parse_term(fuzz_rest(&cursor), &arena, &term, &error);
    else
        (void)cql_parse(input, &arena, &statement, &error);
    // A tree is larger than its text, but not out of all proportion.
    ASSERT(arena_size(&arena) <= 64 * 1024 + 1024 * input.size);
    arena_deinit(&arena);
}
