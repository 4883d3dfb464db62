// WHERE and IF.
#include "cql/parser/parser_state.h"

static bool comparison(enum token_kind kind, enum cql_operator *result)
{
    switch (kind) {
    case TOKEN_EQUAL:
        *result = CQL_OPERATOR_EQ;
        return true;
    case TOKEN_NOT_EQUAL:
        *result = CQL_OPERATOR_NEQ;
        return true;
    case TOKEN_LESS:
        *result = CQL_OPERATOR_LT;
        return true;
    case TOKEN_LESS_EQUAL:
        *result = CQL_OPERATOR_LTE;
        return true;
    case TOKEN_GREATER:
        *result = CQL_OPERATOR_GT;
        return true;
    case TOKEN_GREATER_EQUAL:
        *result = CQL_OPERATOR_GTE;
        return true;
    default:
        return false;
    }
}

static bool is_marker(enum token_kind kind)
{
    return kind == TOKEN_QMARK || kind == TOKEN_COLON;
}

static bool one_column(struct parser *parser, struct cql_relation *relation)
{
    struct slice *name = ARENA_NEW(parser->arena, struct slice);
    relation->columns = (struct cql_names){name, 1};
    return parser_column_name(parser, name);
}

static bool value(struct parser *parser, struct cql_relation *relation)
{
    relation->value = parser_term(parser);
    return relation->value != NULL;
}

// An operator such as "<=" and a term.
static bool compared(struct parser *parser, struct cql_relation *relation)
{
    if (!comparison(parser_peek(parser, 1), &relation->operator))
        return parser_fail_no_viable(parser, 1);
    parser_skip(parser);
    return value(parser, relation);
}

// Behind CONTAINS. KEY is also the name of functions.
static bool contains(struct parser *parser, struct cql_relation *relation)
{
    relation->operator= CQL_OPERATOR_CONTAINS;
    bool is_key = parser_peek(parser, 1) == K_KEY && parser_peek(parser, 2) != TOKEN_OPEN;
    if (parser_peek(parser, 1) == K_KEY && !is_key)
        is_key = parser_is_term_start(parser_peek(parser, 2));
    if (is_key) {
        relation->operator= CQL_OPERATOR_CONTAINS_KEY;
        parser_skip(parser);
    }
    return value(parser, relation);
}

// Behind IN: a marker for the whole list, or the list.
static bool in_values(struct parser *parser, struct cql_relation *relation)
{
    relation->operator= CQL_OPERATOR_IN;
    if (is_marker(parser_peek(parser, 1))) {
        relation->value = parser_marker(parser);
        return relation->value != NULL;
    }
    if (!parser_take(parser, TOKEN_OPEN)) return parser_fail_no_viable(parser, 1);
    if (parser_is_term_start(parser_peek(parser, 1)) &&
        !parser_terms(parser, &relation->in_values, &relation->in_value_count))
        return false;
    return parser_expect(parser, TOKEN_CLOSE);
}

// ---- WHERE -------------------------------------------------------------------------------------

static bool column_relation(struct parser *parser, struct cql_relation *relation)
{
    enum cql_operator ignored;
    enum token_kind second = parser_peek(parser, 2);
    switch (second) {
    case K_IN:
        if (parser_peek(parser, 3) != TOKEN_OPEN && !is_marker(parser_peek(parser, 3)))
            return parser_fail_no_viable(parser, 3);
        break;
    case K_LIKE:
    case K_IS:
    case K_CONTAINS:
    case TOKEN_OPEN_SQUARE:
        break;
    default:
        if (!comparison(second, &ignored)) return parser_fail_no_viable(parser, 2);
    }
    if (!one_column(parser, relation)) return false;
    switch (second) {
    case K_IN:
        parser_skip(parser);
        return in_values(parser, relation);
    case K_LIKE:
        parser_skip(parser);
        relation->operator= CQL_OPERATOR_LIKE;
        return value(parser, relation);
    case K_IS:
        parser_skip(parser);
        relation->operator= CQL_OPERATOR_IS_NOT;
        return parser_expect(parser, K_NOT) && parser_expect(parser, K_NULL);
    case K_CONTAINS:
        parser_skip(parser);
        return contains(parser, relation);
    case TOKEN_OPEN_SQUARE:
        parser_skip(parser);
        relation->kind = CQL_RELATION_ELEMENT;
        relation->element = parser_term(parser);
        return relation->element != NULL && parser_expect(parser, TOKEN_CLOSE_SQUARE) &&
               compared(parser, relation);
    default:
        return compared(parser, relation);
    }
}

static bool token_relation(struct parser *parser, struct cql_relation *relation)
{
    parser_skip(parser);
    relation->kind = CQL_RELATION_TOKEN;
    return parser_expect(parser, TOKEN_OPEN) && parser_column_names(parser, &relation->columns) &&
           compared(parser, relation);
}

// A tuple or a marker, the right side of a relation of several columns.
static bool tuple_or_marker(struct parser *parser, const struct cql_term **term)
{
    enum token_kind kind = parser_peek(parser, 1);
    if (is_marker(kind))
        *term = parser_marker(parser);
    else if (kind == TOKEN_OPEN)
        *term = parser_simple_term(parser);
    else
        return parser_fail_no_viable(parser, 1);
    return *term != NULL;
}

static bool tuple_in(struct parser *parser, struct cql_relation *relation)
{
    relation->operator= CQL_OPERATOR_IN;
    if (is_marker(parser_peek(parser, 1))) return tuple_or_marker(parser, &relation->value);
    if (parser_peek(parser, 1) != TOKEN_OPEN) return parser_fail_no_viable(parser, 1);
    struct parser_list list = {0};
    parser_skip(parser);
    while (parser_peek(parser, 1) != TOKEN_CLOSE) {
        const struct cql_term *term;
        if (list.count > 0 && !parser_expect(parser, TOKEN_COMMA)) return false;
        if (!tuple_or_marker(parser, &term)) return false;
        *PARSER_LIST_ADD(parser, &list, const struct cql_term *) = term;
    }
    relation->in_values = list.items;
    relation->in_value_count = list.count;
    return parser_expect(parser, TOKEN_CLOSE);
}

static bool tuple_relation(struct parser *parser, struct cql_relation *relation)
{
    parser_skip(parser);
    relation->kind = CQL_RELATION_TUPLE;
    if (!parser_column_names(parser, &relation->columns)) return false;
    if (parser_take(parser, K_IN)) return tuple_in(parser, relation);
    if (!comparison(parser_peek(parser, 1), &relation->operator))
        return parser_fail_no_viable(parser, 1);
    parser_skip(parser);
    return tuple_or_marker(parser, &relation->value);
}

static bool expression(struct parser *parser, struct cql_relation *relation)
{
    parser_skip(parser);
    relation->kind = CQL_RELATION_EXPRESSION;
    return parser_name(parser, &relation->index.name) && parser_expect(parser, TOKEN_COMMA) &&
           value(parser, relation) && parser_expect(parser, TOKEN_CLOSE);
}

static bool add_relation(struct parser *parser, struct parser_list *list);

// "(relation)", as opposed to "(a, b) = …".
static bool parenthesised(struct parser *parser, struct parser_list *list)
{
    enum token_kind second = parser_peek(parser, 2);
    if (second != TOKEN_OPEN && second != TOKEN_EXPR_OPEN && second != K_TOKEN &&
        !parser_is_column_name(second))
        return parser_fail_no_viable(parser, 2);
    parser_skip(parser);
    if (!parser_enter(parser)) return false;
    bool is_parsed = add_relation(parser, list);
    parser_leave(parser);
    return is_parsed && parser_expect(parser, TOKEN_CLOSE);
}

static bool begins_tuple(struct parser *parser)
{
    if (!parser_is_column_name(parser_peek(parser, 2))) return false;
    return parser_peek(parser, 3) == TOKEN_COMMA || parser_peek(parser, 3) == TOKEN_CLOSE;
}

static bool add_relation(struct parser *parser, struct parser_list *list)
{
    enum token_kind kind = parser_peek(parser, 1);
    if (kind == TOKEN_OPEN && !begins_tuple(parser)) return parenthesised(parser, list);

    uint32_t first = parser->index;
    struct cql_relation relation = {.kind = CQL_RELATION_COLUMN};
    bool is_parsed;
    if (kind == K_TOKEN)
        is_parsed = token_relation(parser, &relation);
    else if (kind == TOKEN_OPEN)
        is_parsed = tuple_relation(parser, &relation);
    else if (kind == TOKEN_EXPR_OPEN)
        is_parsed = expression(parser, &relation);
    else if (parser_is_column_name(kind))
        is_parsed = column_relation(parser, &relation);
    else
        return parser_fail_no_viable(parser, 1);
    if (!is_parsed) return false;
    relation.text = parser_span(parser, first);
    *PARSER_LIST_ADD(parser, list, struct cql_relation) = relation;
    return true;
}

bool parser_where(struct parser *parser, struct cql_relations *relations)
{
    struct parser_list list = {0};
    do {
        if (!add_relation(parser, &list)) return false;
    } while (parser_take(parser, K_AND));
    *relations = (struct cql_relations){list.items, list.count};
    return true;
}

// ---- IF ----------------------------------------------------------------------------------------

// Behind the column, its element or its field.
static bool condition_tail(struct parser *parser, struct cql_relation *relation)
{
    if (parser_take(parser, K_IN)) return in_values(parser, relation);
    if (relation->kind == CQL_RELATION_COLUMN && parser_take(parser, K_CONTAINS))
        return contains(parser, relation);
    return compared(parser, relation);
}

static bool condition(struct parser *parser, struct cql_relation *relation)
{
    if (!one_column(parser, relation)) return false;
    if (parser_take(parser, TOKEN_OPEN_SQUARE)) {
        relation->kind = CQL_RELATION_ELEMENT;
        relation->element = parser_term(parser);
        if (relation->element == NULL || !parser_expect(parser, TOKEN_CLOSE_SQUARE)) return false;
    } else if (parser_take(parser, TOKEN_DOT)) {
        relation->kind = CQL_RELATION_FIELD;
        if (!parser_name(parser, &relation->field)) return false;
    }
    return condition_tail(parser, relation);
}

// EXISTS is a name too: "IF exists = 1".
static bool is_if_exists(struct parser *parser)
{
    if (parser_peek(parser, 1) != K_EXISTS) return false;
    enum cql_operator ignored;
    enum token_kind second = parser_peek(parser, 2);
    return second != K_IN && second != K_CONTAINS && second != TOKEN_DOT &&
           second != TOKEN_OPEN_SQUARE && !comparison(second, &ignored);
}

bool parser_conditions(struct parser *parser, struct cql_conditions *conditions)
{
    if (is_if_exists(parser)) {
        parser_skip(parser);
        conditions->if_exists = true;
        return true;
    }
    struct parser_list list = {0};
    do {
        uint32_t first = parser->index;
        struct cql_relation relation = {.kind = CQL_RELATION_COLUMN};
        if (!condition(parser, &relation)) return false;
        relation.text = parser_span(parser, first);
        *PARSER_LIST_ADD(parser, &list, struct cql_relation) = relation;
    } while (parser_take(parser, K_AND));
    conditions->conditions = (struct cql_relations){list.items, list.count};
    return true;
}
