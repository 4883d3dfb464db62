// Terms: the values of a statement.
//
//     term   = product ((+|-) product)*        product = group ((*|/|%) group)*
//     group  = simple | - simple               simple  = value | function | (type) simple | CAST
#include "cql/parser/parser_state.h"

#include "base/limits.h"

#include <math.h>
#include <stdlib.h>

bool parser_is_constant(enum token_kind kind)
{
    switch (kind) {
    case TOKEN_STRING:
    case TOKEN_INTEGER:
    case TOKEN_FLOAT:
    case TOKEN_BOOLEAN_CONSTANT:
    case TOKEN_DURATION_CONSTANT:
    case TOKEN_UUID_CONSTANT:
    case TOKEN_HEX:
    case TOKEN_NEGATIVE_NAN:
    case TOKEN_NEGATIVE_INFINITY:
    case K_NAN:
    case K_INFINITY:
        return true;
    default:
        return false;
    }
}

bool parser_is_term_start(enum token_kind kind)
{
    switch (kind) {
    case K_NULL:
    case K_CAST:
    case TOKEN_QMARK:
    case TOKEN_COLON:
    case TOKEN_OPEN:
    case TOKEN_OPEN_SQUARE:
    case TOKEN_OPEN_BRACE:
    case TOKEN_MINUS:
        return true;
    default:
        return parser_is_constant(kind) || parser_is_function_name(kind) || parser_is_name(kind);
    }
}

const struct cql_term *parser_term_make(struct parser *parser, struct cql_term term, uint32_t first)
{
    struct cql_term *made = arena_alloc(parser->arena, sizeof *made);
    *made = term;
    made->text = parser_span(parser, first);
    return made;
}

static const struct cql_term *make_with_items(struct parser *parser, enum cql_term_kind kind,
                                              struct parser_list items, uint32_t first)
{
    struct cql_term term = {.kind = kind, .items = items.items, .item_count = items.count};
    return parser_term_make(parser, term, first);
}

static const struct cql_term *no_viable(struct parser *parser, uint32_t k)
{
    (void)parser_fail_no_viable(parser, k);
    return NULL;
}

// ---- Values ------------------------------------------------------------------------------------

static enum cql_constant_kind constant_kind(enum token_kind kind)
{
    switch (kind) {
    case TOKEN_STRING:
        return CQL_CONSTANT_STRING;
    case TOKEN_INTEGER:
        return CQL_CONSTANT_INTEGER;
    case TOKEN_BOOLEAN_CONSTANT:
        return CQL_CONSTANT_BOOLEAN;
    case TOKEN_DURATION_CONSTANT:
        return CQL_CONSTANT_DURATION;
    case TOKEN_UUID_CONSTANT:
        return CQL_CONSTANT_UUID;
    case TOKEN_HEX:
        return CQL_CONSTANT_HEX;
    default:
        return CQL_CONSTANT_FLOAT;
    }
}

// What Parser.g makes of the words: their canonical form, whatever was written.
static struct slice canonical_constant(enum token_kind kind)
{
    switch (kind) {
    case TOKEN_NEGATIVE_NAN:
        return slice_of_text("-NaN");
    case TOKEN_NEGATIVE_INFINITY:
        return slice_of_text("-Infinity");
    case K_NAN:
        return slice_of_text("NaN");
    case K_INFINITY:
        return slice_of_text("Infinity");
    default:
        return slice_null();
    }
}

const struct cql_term *parser_constant(struct parser *parser)
{
    uint32_t first = parser->index;
    enum token_kind kind = parser_peek(parser, 1);
    struct cql_term term = {.kind = CQL_TERM_CONSTANT, .constant = constant_kind(kind)};
    term.value = parser_take_value(parser);
    struct slice canonical = canonical_constant(kind);
    if (!slice_is_null(canonical)) term.value = canonical;
    return parser_term_make(parser, term, first);
}

static bool add_marker(struct parser *parser, struct slice name, uint16_t *marker)
{
    if (!parser->allows_markers)
        return parser_fail_text(parser, "Bind variables are not supported here");
    if (parser->marker_count >= CQL_MARKERS_MAX)
        return parser_fail_text(parser, "Too many markers(?). markers must not exceed 65535");
    if (parser->marker_count == parser->marker_capacity) {
        uint32_t capacity = parser->marker_capacity == 0 ? 8 : parser->marker_capacity * 2;
        struct cql_marker *markers = arena_alloc(parser->arena, capacity * sizeof *markers);
        if (parser->marker_count > 0)
            memcpy(markers, parser->markers, parser->marker_count * sizeof *markers);
        parser->markers = markers;
        parser->marker_capacity = capacity;
    }
    *marker = (uint16_t)parser->marker_count;
    parser->markers[parser->marker_count++].name = name;
    return true;
}

const struct cql_term *parser_marker(struct parser *parser)
{
    uint32_t first = parser->index;
    bool is_named = parser_peek(parser, 1) == TOKEN_COLON;
    parser_skip(parser);
    struct cql_term term = {.kind = CQL_TERM_MARKER};
    if (is_named && !parser_name(parser, &term.value)) return NULL;
    if (!add_marker(parser, term.value, &term.marker)) return NULL;
    return parser_term_make(parser, term, first);
}

const struct cql_term *parser_integer(struct parser *parser)
{
    enum token_kind kind = parser_peek(parser, 1);
    if (kind == TOKEN_INTEGER) return parser_constant(parser);
    if (kind == TOKEN_QMARK || kind == TOKEN_COLON) return parser_marker(parser);
    return no_viable(parser, 1);
}

// ---- Literals of several terms -----------------------------------------------------------------

static const struct cql_term *add_term(struct parser *parser, struct parser_list *list)
{
    const struct cql_term *term = parser_term(parser);
    if (term != NULL) *PARSER_LIST_ADD(parser, list, const struct cql_term *) = term;
    return term;
}

static bool add_terms(struct parser *parser, struct parser_list *list)
{
    do {
        if (add_term(parser, list) == NULL) return false;
    } while (parser_take(parser, TOKEN_COMMA));
    return true;
}

bool parser_terms(struct parser *parser, const struct cql_term *const **items, size_t *count)
{
    struct parser_list list = {0};
    if (!add_terms(parser, &list)) return false;
    *items = list.items;
    *count = list.count;
    return true;
}

static const struct cql_term *list_literal(struct parser *parser)
{
    uint32_t first = parser->index;
    struct parser_list items = {0};
    parser_skip(parser);
    if (parser_is_term_start(parser_peek(parser, 1)) && !add_terms(parser, &items)) return NULL;
    if (!parser_expect(parser, TOKEN_CLOSE_SQUARE)) return NULL;
    return make_with_items(parser, CQL_TERM_LIST, items, first);
}

// "{field: value, …}", whose first field has been seen.
static const struct cql_term *udt_literal(struct parser *parser)
{
    uint32_t first = parser->index;
    struct parser_list items = {0}, names = {0};
    parser_skip(parser);
    do {
        if (!parser_name(parser, PARSER_LIST_ADD(parser, &names, struct slice))) return NULL;
        if (!parser_expect(parser, TOKEN_COLON) || add_term(parser, &items) == NULL) return NULL;
    } while (parser_take(parser, TOKEN_COMMA));
    if (!parser_expect(parser, TOKEN_CLOSE_BRACE)) return NULL;
    struct cql_term term = {.kind = CQL_TERM_UDT,
                            .items = items.items,
                            .item_count = items.count,
                            .field_names = names.items};
    return parser_term_make(parser, term, first);
}

static const struct cql_term *map_tail(struct parser *parser, struct parser_list *items,
                                       uint32_t first)
{
    if (add_term(parser, items) == NULL) return NULL;
    while (parser_take(parser, TOKEN_COMMA)) {
        if (add_term(parser, items) == NULL || !parser_expect(parser, TOKEN_COLON) ||
            add_term(parser, items) == NULL)
            return NULL;
    }
    if (!parser_expect(parser, TOKEN_CLOSE_BRACE)) return NULL;
    return make_with_items(parser, CQL_TERM_MAP, *items, first);
}

static const struct cql_term *brace_literal(struct parser *parser)
{
    uint32_t first = parser->index;
    if (parser_is_name(parser_peek(parser, 2)) && parser_peek(parser, 3) == TOKEN_COLON)
        return udt_literal(parser);
    parser_skip(parser);
    struct parser_list items = {0};
    if (!parser_take(parser, TOKEN_CLOSE_BRACE)) {
        if (add_term(parser, &items) == NULL) return NULL;
        if (parser_take(parser, TOKEN_COLON)) return map_tail(parser, &items, first);
        if (parser_take(parser, TOKEN_COMMA) && !add_terms(parser, &items)) return NULL;
        if (!parser_expect(parser, TOKEN_CLOSE_BRACE)) return NULL;
    }
    return make_with_items(parser, CQL_TERM_SET, items, first);
}

// Whether "(type)" and the beginning of what is cast stand here; else it is a tuple. A name alone
// is no term, so "(name)" can only be a cast, but a string is both.
static bool begins_type_cast(struct parser *parser)
{
    uint32_t behind = parser_type_lookahead(parser, 2);
    if (behind == 0 || parser_peek(parser, behind) != TOKEN_CLOSE) return false;
    if (parser_peek(parser, 2) != TOKEN_STRING) return true;
    // GROUP in "= ('a') GROUP BY" could be a function's name, if there were parentheses.
    enum token_kind next = parser_peek(parser, behind + 1), after = parser_peek(parser, behind + 2);
    if (parser_is_name(next)) return after == TOKEN_OPEN || after == TOKEN_DOT;
    // ":name" is a marker, ":" by itself stands behind the key of a map.
    if (next == TOKEN_COLON) return parser_is_name(after);
    return parser_is_term_start(next);
}

static const struct cql_term *type_cast(struct parser *parser)
{
    uint32_t first = parser->index;
    struct cql_term term = {.kind = CQL_TERM_TYPE_CAST};
    struct parser_list items = {0};
    parser_skip(parser);
    term.type = parser_type(parser);
    if (term.type == NULL || !parser_expect(parser, TOKEN_CLOSE)) return NULL;
    const struct cql_term *operand = parser_simple_term(parser);
    if (operand == NULL) return NULL;
    *PARSER_LIST_ADD(parser, &items, const struct cql_term *) = operand;
    term.items = items.items;
    term.item_count = 1;
    return parser_term_make(parser, term, first);
}

static const struct cql_term *parenthesised(struct parser *parser)
{
    if (begins_type_cast(parser)) return type_cast(parser);
    uint32_t first = parser->index;
    if (!parser_is_term_start(parser_peek(parser, 2))) return no_viable(parser, 2);
    struct parser_list items = {0};
    parser_skip(parser);
    if (!add_terms(parser, &items) || !parser_expect(parser, TOKEN_CLOSE)) return NULL;
    return make_with_items(parser, CQL_TERM_TUPLE, items, first);
}

// ---- Functions ---------------------------------------------------------------------------------

static const struct cql_term *function(struct parser *parser)
{
    uint32_t first = parser->index;
    enum token_kind kind = parser_peek(parser, 1);
    if (parser_is_name(kind) && parser_peek(parser, 2) == TOKEN_DOT) {
        if (!parser_is_function_name(parser_peek(parser, 3))) return no_viable(parser, 3);
        if (parser_peek(parser, 4) != TOKEN_OPEN) return no_viable(parser, 4);
    } else {
        if (parser_peek(parser, 2) != TOKEN_OPEN) return no_viable(parser, 2);
        if (!parser_is_function_name(kind)) return no_viable(parser, 1);
    }
    struct cql_term term = {.kind = CQL_TERM_FUNCTION};
    if (!parser_function_name(parser, &term.function)) return NULL;
    parser_skip(parser);
    struct parser_list items = {0};
    if (parser_peek(parser, 1) != TOKEN_CLOSE && !add_terms(parser, &items)) return NULL;
    if (!parser_expect(parser, TOKEN_CLOSE)) return NULL;
    term.items = items.items;
    term.item_count = items.count;
    return parser_term_make(parser, term, first);
}

static const struct cql_term *cast(struct parser *parser)
{
    uint32_t first = parser->index;
    struct cql_term term = {.kind = CQL_TERM_CAST, .item_count = 1};
    parser->index += 2;
    const struct cql_term **operand = ARENA_NEW(parser->arena, const struct cql_term *);
    *operand = parser_simple_term(parser);
    if (*operand == NULL || !parser_expect(parser, K_AS)) return NULL;
    term.items = operand;
    term.type = parser_native_type(parser);
    if (term.type == NULL || !parser_expect(parser, TOKEN_CLOSE)) return NULL;
    return parser_term_make(parser, term, first);
}

// Cassandra turns each number with a fraction or an exponent into a double and that into a decimal,
// which fails for what is too large for a double.
static bool check_float(struct parser *parser)
{
    char text[512];
    struct slice written = parser_token_text(parser, parser->index);
    if (written.size >= sizeof text) return true;
    memcpy(text, written.data, written.size);
    text[written.size] = 0;
    if (!isinf(strtod(text, NULL))) return true;
    return parser_fail_exception(parser,
                                 "NumberFormatException Character I is neither a decimal digit "
                                 "number, decimal point, nor \"e\" notation exponential mark.");
}

// What may follow a term somewhere in the grammar.
static bool follows_term(enum token_kind kind)
{
    switch (kind) {
    case TOKEN_EOF:
    case TOKEN_SEMICOLON:
    case TOKEN_COMMA:
    case TOKEN_COLON:
    case TOKEN_CLOSE:
    case TOKEN_CLOSE_SQUARE:
    case TOKEN_CLOSE_BRACE:
    case TOKEN_PLUS:
    case TOKEN_RANGE:
    case K_ALLOW:
    case K_AND:
    case K_APPLY:
    case K_AS:
    case K_ASC:
    case K_DELETE:
    case K_DESC:
    case K_GROUP:
    case K_IF:
    case K_INSERT:
    case K_LIMIT:
    case K_ORDER:
    case K_PER:
    case K_PRIMARY:
    case K_UPDATE:
    case K_WHERE:
        return true;
    default:
        return false;
    }
}

static bool follows_operand(enum token_kind kind)
{
    return follows_term(kind) || kind == TOKEN_MINUS || kind == TOKEN_STAR || kind == TOKEN_SLASH ||
           kind == TOKEN_PERCENT;
}

static const struct cql_term *simple_term(struct parser *parser)
{
    enum token_kind kind = parser_peek(parser, 1);
    switch (kind) {
    case TOKEN_QMARK:
        if (!follows_operand(parser_peek(parser, 2))) return no_viable(parser, 2);
        return parser_marker(parser);
    case TOKEN_COLON:
        return parser_marker(parser);
    case TOKEN_OPEN:
        return parenthesised(parser);
    case TOKEN_OPEN_SQUARE:
        return list_literal(parser);
    case TOKEN_OPEN_BRACE:
        return brace_literal(parser);
    case K_NULL:
        parser_skip(parser);
        return parser_term_make(parser, (struct cql_term){.kind = CQL_TERM_NULL},
                                parser->index - 1);
    default:
        if (kind == TOKEN_FLOAT && !check_float(parser)) return NULL;
        if (parser_is_constant(kind)) return parser_constant(parser);
        if (kind == K_CAST && parser_peek(parser, 2) == TOKEN_OPEN) return cast(parser);
        if (parser_is_function_name(kind) || parser_is_name(kind)) return function(parser);
        return no_viable(parser, 1);
    }
}

const struct cql_term *parser_simple_term(struct parser *parser)
{
    const struct cql_term *term = parser_enter(parser) ? simple_term(parser) : NULL;
    parser_leave(parser);
    return term;
}

// ---- Operators ---------------------------------------------------------------------------------

static const struct cql_term *operation(struct parser *parser, char symbol,
                                        const struct cql_term *left, const struct cql_term *right,
                                        uint32_t first)
{
    const struct cql_term **items = ARENA_NEW_ARRAY(parser->arena, const struct cql_term *, 2);
    items[0] = left;
    items[1] = right;
    struct cql_term term = {
        .kind = CQL_TERM_OPERATION, .operator= symbol, .items = items, .item_count = 2};
    return parser_term_make(parser, term, first);
}

static const struct cql_term *group(struct parser *parser)
{
    uint32_t first = parser->index;
    if (!parser_take(parser, TOKEN_MINUS)) return parser_simple_term(parser);
    const struct cql_term **items = ARENA_NEW(parser->arena, const struct cql_term *);
    items[0] = parser_simple_term(parser);
    if (items[0] == NULL) return NULL;
    struct cql_term term = {.kind = CQL_TERM_NEGATE, .items = items, .item_count = 1};
    return parser_term_make(parser, term, first);
}

static const struct cql_term *product(struct parser *parser)
{
    uint32_t first = parser->index;
    const struct cql_term *left = group(parser);
    while (left != NULL) {
        enum token_kind kind = parser_peek(parser, 1);
        char symbol = kind == TOKEN_STAR      ? '*'
                      : kind == TOKEN_SLASH   ? '/'
                      : kind == TOKEN_PERCENT ? '%'
                                              : 0;
        if (symbol == 0) break;
        parser_skip(parser);
        const struct cql_term *right = group(parser);
        left = right == NULL ? NULL : operation(parser, symbol, left, right, first);
    }
    return left;
}

// In "SET x = term + x" the "+ x" is the assignment's. Anywhere else a name must be a function's.
static bool is_prepended_column(struct parser *parser)
{
    if (!parser->in_assignment || !parser_is_column_name(parser_peek(parser, 2))) return false;
    enum token_kind third = parser_peek(parser, 3);
    return third != TOKEN_OPEN && third != TOKEN_DOT;
}

static const struct cql_term *sum(struct parser *parser)
{
    uint32_t first = parser->index;
    const struct cql_term *left = product(parser);
    while (left != NULL) {
        enum token_kind kind = parser_peek(parser, 1);
        if (kind != TOKEN_PLUS && kind != TOKEN_MINUS) break;
        if (kind == TOKEN_PLUS && is_prepended_column(parser)) return left;
        parser_skip(parser);
        const struct cql_term *right = product(parser);
        left = right == NULL
                   ? NULL
                   : operation(parser, kind == TOKEN_PLUS ? '+' : '-', left, right, first);
    }
    if (left == NULL) return NULL;
    if (!follows_term(parser_peek(parser, 1))) return no_viable(parser, 1);
    if (parser_peek(parser, 1) != TOKEN_EOF) (void)parser_peek(parser, 2);
    return parser->failed ? NULL : left;
}

const struct cql_term *parser_term(struct parser *parser)
{
    bool in_assignment = parser->in_assignment;
    const struct cql_term *term = NULL;
    if (parser_enter(parser)) term = sum(parser);
    parser_leave(parser);
    parser->in_assignment = in_assignment;
    return term;
}
