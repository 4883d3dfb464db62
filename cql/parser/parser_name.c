#include "cql/parser/parser_state.h"

bool parser_is_name(enum token_kind kind)
{
    if (kind == TOKEN_IDENT || kind == TOKEN_QUOTED_NAME) return true;
    return lexer_is_keyword(kind) && lexer_keyword_class(kind) != KEYWORD_RESERVED;
}

bool parser_is_column_name(enum token_kind kind)
{
    return kind == TOKEN_EMPTY_QUOTED_NAME || parser_is_name(kind);
}

bool parser_is_type_name(enum token_kind kind)
{
    if (kind == TOKEN_IDENT || kind == TOKEN_QUOTED_NAME) return true;
    if (!lexer_is_keyword(kind)) return false;
    return lexer_keyword_class(kind) == KEYWORD_BASIC || lexer_keyword_class(kind) == KEYWORD_KEY;
}

bool parser_is_function_name(enum token_kind kind)
{
    if (kind == TOKEN_IDENT || kind == TOKEN_QUOTED_NAME) return true;
    if (!lexer_is_keyword(kind)) return false;
    if (kind == K_TOKEN || kind == K_COUNT) return true;
    return lexer_keyword_class(kind) == KEYWORD_BASIC ||
           lexer_keyword_class(kind) == KEYWORD_NATIVE;
}

bool parser_name(struct parser *parser, struct slice *name)
{
    if (!parser_is_name(parser_peek(parser, 1))) return parser_fail_no_viable(parser, 1);
    *name = parser_take_value(parser);
    return true;
}

bool parser_column_name(struct parser *parser, struct slice *name)
{
    if (!parser_is_column_name(parser_peek(parser, 1))) return parser_fail_no_viable(parser, 1);
    *name = parser_take_value(parser);
    return true;
}

bool parser_column_names(struct parser *parser, struct cql_names *names)
{
    struct parser_list list = {0};
    do {
        if (!parser_column_name(parser, PARSER_LIST_ADD(parser, &list, struct slice))) return false;
    } while (parser_take(parser, TOKEN_COMMA));
    names->items = list.items;
    names->count = list.count;
    return parser_expect(parser, TOKEN_CLOSE);
}

static bool refuse_marker(struct parser *parser, const char *what)
{
    return parser_fail_text(parser, "Bind variables cannot be used for %s names", what);
}

bool parser_keyspace_name(struct parser *parser, struct slice *name)
{
    if (parser_peek(parser, 1) == TOKEN_QMARK) return refuse_marker(parser, "keyspace");
    return parser_name(parser, name);
}

// What may follow the name of a table somewhere in the grammar.
static bool follows_table_name(enum token_kind kind)
{
    switch (kind) {
    case TOKEN_EOF:
    case TOKEN_SEMICOLON:
    case TOKEN_OPEN:
    case K_ADD:
    case K_ALLOW:
    case K_ALTER:
    case K_AS:
    case K_DROP:
    case K_FROM:
    case K_GROUP:
    case K_JSON:
    case K_LIMIT:
    case K_NORECURSIVE:
    case K_OF:
    case K_ORDER:
    case K_PER:
    case K_PRIMARY:
    case K_RENAME:
    case K_SET:
    case K_TO:
    case K_USING:
    case K_WHERE:
    case K_WITH:
        return true;
    default:
        return false;
    }
}

bool parser_table_name(struct parser *parser, struct cql_qualified_name *name)
{
    enum token_kind first = parser_peek(parser, 1);
    if (!parser_is_name(first) && first != TOKEN_QMARK) return parser_fail_no_viable(parser, 1);
    if (parser_peek(parser, 2) == TOKEN_DOT) {
        if (!parser_keyspace_name(parser, &name->keyspace)) return false;
        parser_skip(parser);
    } else if (!follows_table_name(parser_peek(parser, 2))) {
        return parser_fail_no_viable(parser, 2);
    } else if (parser_peek(parser, 2) != TOKEN_EOF) {
        (void)parser_peek(parser, 3); // As far as Cassandra looks.
    }
    if (parser_peek(parser, 1) == TOKEN_QMARK) return refuse_marker(parser, "table");
    return parser_name(parser, &name->name);
}

bool parser_user_type_name(struct parser *parser, struct cql_qualified_name *name)
{
    enum token_kind first = parser_peek(parser, 1);
    if (!parser_is_name(first)) return parser_fail_no_viable(parser, 1);
    if (parser_peek(parser, 2) == TOKEN_DOT || !parser_is_type_name(first)) {
        name->keyspace = parser_take_value(parser);
        if (!parser_expect(parser, TOKEN_DOT)) return false;
        if (!parser_is_type_name(parser_peek(parser, 1))) return parser_fail_no_viable(parser, 1);
    }
    name->name = parser_take_value(parser);
    return true;
}

bool parser_function_name(struct parser *parser, struct cql_qualified_name *name)
{
    if (parser_is_name(parser_peek(parser, 1)) && parser_peek(parser, 2) == TOKEN_DOT) {
        name->keyspace = parser_take_value(parser);
        parser_skip(parser);
    }
    if (!parser_is_function_name(parser_peek(parser, 1))) return parser_fail_no_viable(parser, 1);
    name->name = parser_take_value(parser);
    return true;
}

bool parser_role_name(struct parser *parser, struct slice *name)
{
    enum token_kind kind = parser_peek(parser, 1);
    if (kind == TOKEN_QMARK) return refuse_marker(parser, "role");
    if (!parser_is_name(kind) && kind != TOKEN_STRING) return parser_fail_no_viable(parser, 1);
    *name = parser_take_value(parser);
    return true;
}

bool parser_if_exists(struct parser *parser, bool *if_exists)
{
    if (!parser_take(parser, K_IF)) return true;
    *if_exists = true;
    return parser_expect(parser, K_EXISTS);
}

bool parser_if_not_exists(struct parser *parser, bool *if_not_exists)
{
    if (!parser_take(parser, K_IF)) return true;
    *if_not_exists = true;
    return parser_expect(parser, K_NOT) && parser_expect(parser, K_EXISTS);
}
