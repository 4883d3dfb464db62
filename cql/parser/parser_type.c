#include "cql/parser/parser_state.h"

#include <inttypes.h>

// What may follow a type somewhere in the grammar.
static bool follows_type(enum token_kind kind)
{
    switch (kind) {
    case TOKEN_EOF:
    case TOKEN_SEMICOLON:
    case TOKEN_COMMA:
    case TOKEN_CLOSE:
    case TOKEN_GREATER:
    case K_FINALFUNC:
    case K_INITCOND:
    case K_LANGUAGE:
    case K_MASKED:
    case K_PRIMARY:
    case K_STATIC:
        return true;
    default:
        return false;
    }
}

static bool is_native(enum token_kind kind)
{
    return lexer_is_keyword(kind) && lexer_keyword_class(kind) == KEYWORD_NATIVE;
}

static struct cql_type *make(struct parser *parser, struct cql_type type, uint32_t first)
{
    struct cql_type *made = arena_alloc(parser->arena, sizeof *made);
    *made = type;
    made->text = parser_span(parser, first);
    return made;
}

const struct cql_type *parser_native_type(struct parser *parser)
{
    uint32_t first = parser->index;
    enum token_kind kind = parser_peek(parser, 1);
    if (!is_native(kind)) {
        (void)parser_fail_no_viable(parser, 1);
        return NULL;
    }
    parser_skip(parser);
    struct cql_type type = {.kind = CQL_TYPE_NATIVE, .native = lexer_native_type(kind)};
    return make(parser, type, first);
}

// The dimension of a vector; past the numbers of 32 bits the statement is refused later.
static bool vector_dimension(struct parser *parser, int64_t *dimension)
{
    if (parser_peek(parser, 1) != TOKEN_INTEGER) return parser_fail_mismatch(parser, TOKEN_INTEGER);
    struct slice digits = parser_take_raw(parser);
    bool is_negative = digits.data[0] == '-';
    int64_t value = 0;
    for (size_t i = is_negative; i < digits.size; i++)
        value = value > INT32_MAX ? INT64_MAX / 16 : value * 10 + (digits.data[i] - '0');
    *dimension = value > INT32_MAX ? INT64_MAX : is_negative ? -value : value;
    return true;
}

static const struct cql_type *parameter(struct parser *parser, struct parser_list *parameters)
{
    const struct cql_type *type = parser_type(parser);
    if (type != NULL) *PARSER_LIST_ADD(parser, parameters, const struct cql_type *) = type;
    return type;
}

// Whether a type of `kind` takes another parameter, behind a comma.
static bool takes_parameter(struct parser *parser, enum cql_type_kind kind, size_t count)
{
    if (kind == CQL_TYPE_TUPLE) return parser_take(parser, TOKEN_COMMA);
    return kind == CQL_TYPE_MAP && count < 2 && parser_expect(parser, TOKEN_COMMA);
}

// "list<…>" and its siblings.
static const struct cql_type *parameterised(struct parser *parser, enum cql_type_kind kind)
{
    uint32_t first = parser->index;
    parser->index += 2;
    struct parser_list parameters = {0};
    if (kind == CQL_TYPE_TUPLE && parser_peek(parser, 1) == TOKEN_GREATER) {
        (void)parser_fail_exception(
            parser,
            "NullPointerException Cannot invoke "
            "\"org.apache.cassandra.cql3.CQL3Type$Raw.supportsFreezing()\" because \"t\" is "
            "null");
        return NULL;
    }
    do {
        if (parameter(parser, &parameters) == NULL) return NULL;
    } while (takes_parameter(parser, kind, parameters.count));

    struct cql_type type = {.kind = kind};
    if (kind == CQL_TYPE_VECTOR &&
        (!parser_expect(parser, TOKEN_COMMA) || !vector_dimension(parser, &type.dimension)))
        return NULL;
    if (parser->failed || !parser_expect(parser, TOKEN_GREATER)) return NULL;
    type.parameters = parameters.items;
    type.parameter_count = parameters.count;
    return make(parser, type, first);
}

static const struct cql_type *frozen(struct parser *parser)
{
    uint32_t first = parser->index;
    parser->index += 2;
    if (parser_peek(parser, 1) == TOKEN_GREATER) {
        (void)parser_fail_exception(
            parser, "NullPointerException Cannot invoke "
                    "\"org.apache.cassandra.cql3.CQL3Type$Raw.freeze()\" because \"f\" is null");
        return NULL;
    }
    const struct cql_type *inner = parser_type(parser);
    if (inner == NULL || !parser_expect(parser, TOKEN_GREATER)) return NULL;
    if (inner->kind == CQL_TYPE_NATIVE || inner->kind == CQL_TYPE_CUSTOM) {
        (void)parser_fail_text(parser,
                               "frozen<> is only allowed on collections, tuples, and user-defined "
                               "types (got %.*s)",
                               (int)inner->text.size, (const char *)inner->text.data);
        return NULL;
    }
    struct cql_type type = *inner;
    type.frozen = true;
    return make(parser, type, first);
}

// The kind of collection that the next two tokens begin.
static bool begins_parameterised(struct parser *parser, enum cql_type_kind *kind)
{
    switch (parser_peek(parser, 1)) {
    case K_LIST:
        *kind = CQL_TYPE_LIST;
        break;
    case K_SET:
        *kind = CQL_TYPE_SET;
        break;
    case K_MAP:
        *kind = CQL_TYPE_MAP;
        break;
    case K_TUPLE:
        *kind = CQL_TYPE_TUPLE;
        break;
    case K_VECTOR:
        *kind = CQL_TYPE_VECTOR;
        break;
    default:
        return false;
    }
    return parser_peek(parser, 2) == TOKEN_LESS;
}

static const struct cql_type *named(struct parser *parser)
{
    uint32_t first = parser->index;
    struct cql_type type = {.kind = CQL_TYPE_UDT};
    enum token_kind kind = parser_peek(parser, 1);
    if (lexer_is_keyword(kind) && parser_peek(parser, 2) != TOKEN_DOT) {
        // A keyword may be a type, or the name of one: the next token decides.
        if (parser_is_name(kind) && !follows_type(parser_peek(parser, 2))) {
            (void)parser_fail_no_viable(parser, 2);
            return NULL;
        }
        if (parser_peek(parser, 2) != TOKEN_EOF) (void)parser_peek(parser, 3);
    }
    return parser_user_type_name(parser, &type.name) ? make(parser, type, first) : NULL;
}

static const struct cql_type *type_here(struct parser *parser)
{
    enum token_kind kind = parser_peek(parser, 1);
    enum cql_type_kind parameterised_kind;
    if (begins_parameterised(parser, &parameterised_kind))
        return parameterised(parser, parameterised_kind);
    if (kind == K_SET) {
        parser_skip(parser);
        (void)parser_fail_mismatch(parser, TOKEN_LESS);
        return NULL;
    }
    if (kind == K_FROZEN && parser_peek(parser, 2) == TOKEN_LESS) return frozen(parser);
    if (is_native(kind) && parser_peek(parser, 2) != TOKEN_DOT) {
        if (!follows_type(parser_peek(parser, 2))) {
            (void)parser_fail_no_viable(parser, 2);
            return NULL;
        }
        if (parser_peek(parser, 2) != TOKEN_EOF) (void)parser_peek(parser, 3);
        return parser_native_type(parser);
    }
    if (kind == TOKEN_STRING) {
        uint32_t first = parser->index;
        struct cql_type type = {.kind = CQL_TYPE_CUSTOM, .java = parser_take_value(parser)};
        return make(parser, type, first);
    }
    return named(parser);
}

const struct cql_type *parser_type(struct parser *parser)
{
    const struct cql_type *type = parser_enter(parser) ? type_here(parser) : NULL;
    parser_leave(parser);
    return type;
}

// Brackets are matched without a look at what stands between them: only types have any "<" here.
uint32_t parser_type_lookahead(struct parser *parser, uint32_t k)
{
    enum token_kind kind = parser_peek(parser, k);
    if (kind == TOKEN_STRING) return k + 1;
    if (!parser_is_name(kind) && kind != K_SET) return 0;
    if (parser_peek(parser, k + 1) == TOKEN_DOT)
        return parser_is_type_name(parser_peek(parser, k + 2)) ? k + 3 : 0;
    if (parser_peek(parser, k + 1) != TOKEN_LESS) return kind == K_SET ? 0 : k + 1;

    uint32_t open = 0;
    for (uint32_t next = k + 1;; next++) {
        kind = parser_peek(parser, next);
        if (kind == TOKEN_LESS)
            open++;
        else if (kind == TOKEN_GREATER)
            open--;
        else if (kind != TOKEN_COMMA && kind != TOKEN_DOT && kind != TOKEN_INTEGER &&
                 kind != TOKEN_STRING && kind != K_SET && !parser_is_name(kind))
            return 0;
        if (open == 0) return next + 1;
    }
}
