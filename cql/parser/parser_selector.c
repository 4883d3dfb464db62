// Selectors: what SELECT and GROUP BY list. Like terms, but names are columns.
#include "cql/parser/parser_state.h"

static const struct cql_term *no_viable(struct parser *parser, uint32_t k)
{
    (void)parser_fail_no_viable(parser, k);
    return NULL;
}

static const struct cql_term *make(struct parser *parser, enum cql_term_kind kind,
                                   struct parser_list items, uint32_t first)
{
    struct cql_term term = {.kind = kind, .items = items.items, .item_count = items.count};
    return parser_term_make(parser, term, first);
}

static bool add(struct parser *parser, struct parser_list *list, const struct cql_term *term)
{
    if (term == NULL) return false;
    *PARSER_LIST_ADD(parser, list, const struct cql_term *) = term;
    return true;
}

static bool add_selectors(struct parser *parser, struct parser_list *list)
{
    do {
        if (!add(parser, list, parser_selector(parser))) return false;
    } while (parser_take(parser, TOKEN_COMMA));
    return true;
}

static bool is_selector_start(enum token_kind kind)
{
    return kind == TOKEN_EMPTY_QUOTED_NAME || parser_is_term_start(kind);
}

// ---- Columns and their parts -------------------------------------------------------------------

static const struct cql_term *column(struct parser *parser)
{
    uint32_t first = parser->index;
    if (!parser_is_name(parser_peek(parser, 1))) return no_viable(parser, 1);
    struct cql_term term = {.kind = CQL_TERM_COLUMN, .value = parser_take_value(parser)};
    return parser_term_make(parser, term, first);
}

// "[key]", "[from..to]" with either left out. The "[" is next.
static const struct cql_term *subscript(struct parser *parser, const struct cql_term *receiver,
                                        uint32_t first)
{
    const struct cql_term **items = ARENA_NEW_ARRAY(parser->arena, const struct cql_term *, 3);
    struct cql_term term = {.kind = CQL_TERM_ELEMENT, .items = items, .item_count = 2};
    items[0] = receiver;
    parser_skip(parser);
    if (parser_peek(parser, 1) != TOKEN_RANGE && (items[1] = parser_term(parser)) == NULL)
        return NULL;
    if (parser_take(parser, TOKEN_RANGE)) {
        term.kind = CQL_TERM_SLICE;
        term.item_count = 3;
        if (parser_peek(parser, 1) != TOKEN_CLOSE_SQUARE &&
            (items[2] = parser_term(parser)) == NULL)
            return NULL;
    }
    return parser_expect(parser, TOKEN_CLOSE_SQUARE) ? parser_term_make(parser, term, first) : NULL;
}

// A syntactic predicate: what is no subscript is left alone, and misses what should stand there.
static const struct cql_term *try_subscript(struct parser *parser, const struct cql_term *receiver,
                                            uint32_t first)
{
    uint32_t index = parser->index, marker_count = parser->marker_count;
    bool was_trying = parser->is_trying, had_failed = parser->failed;
    parser->is_trying = true;
    const struct cql_term *term = subscript(parser, receiver, first);
    parser->is_trying = was_trying;
    if (term != NULL || parser->has_error) return term;
    parser->failed = had_failed;
    parser->index = index;
    parser->marker_count = marker_count;
    return receiver;
}

// ".field", "[key]", "[from..to]", any number of times.
static const struct cql_term *modifiers(struct parser *parser, const struct cql_term *receiver,
                                        uint32_t first)
{
    while (receiver != NULL) {
        if (parser_take(parser, TOKEN_DOT)) {
            struct parser_list items = {0};
            (void)add(parser, &items, receiver);
            struct cql_term term = {.kind = CQL_TERM_FIELD, .items = items.items, .item_count = 1};
            if (!parser_name(parser, &term.value)) return NULL;
            receiver = parser_term_make(parser, term, first);
        } else if (parser_peek(parser, 1) == TOKEN_OPEN_SQUARE) {
            const struct cql_term *element = try_subscript(parser, receiver, first);
            if (element == receiver) return receiver;
            receiver = element;
        } else {
            return receiver;
        }
    }
    return NULL;
}

// ---- Functions ---------------------------------------------------------------------------------

static const struct cql_term *function(struct parser *parser)
{
    uint32_t first = parser->index;
    struct cql_term term = {.kind = CQL_TERM_FUNCTION};
    if (!parser_function_name(parser, &term.function)) return NULL;
    parser_skip(parser);
    struct parser_list items = {0};
    if (is_selector_start(parser_peek(parser, 1)) && !add_selectors(parser, &items)) return NULL;
    if (!parser_expect(parser, TOKEN_CLOSE)) return NULL;
    term.items = items.items;
    term.item_count = items.count;
    return parser_term_make(parser, term, first);
}

static const struct cql_term *count_function(struct parser *parser)
{
    uint32_t first = parser->index;
    enum token_kind third = parser_peek(parser, 3);
    if (third != TOKEN_STAR) {
        if (third != TOKEN_CLOSE && !is_selector_start(third)) return no_viable(parser, 3);
        const struct cql_term *term = function(parser);
        // count(1): a constant is never null, so it counts rows.
        bool counts_rows = term != NULL && slice_is_null(term->function.keyspace) &&
                           term->item_count == 1 && term->items[0]->kind == CQL_TERM_CONSTANT;
        if (!counts_rows) return term;
        struct cql_term rows = *term;
        rows.is_count_rows = true;
        rows.item_count = 0;
        return parser_term_make(parser, rows, first);
    }
    struct cql_term term = {.kind = CQL_TERM_FUNCTION, .is_count_rows = true};
    term.function.name = slice_of_text("count");
    parser->index += 3;
    return parser_expect(parser, TOKEN_CLOSE) ? parser_term_make(parser, term, first) : NULL;
}

// What may follow a selector that is a name, somewhere in the grammar.
static bool follows_name(enum token_kind kind)
{
    switch (kind) {
    case TOKEN_EOF:
    case TOKEN_SEMICOLON:
    case TOKEN_COMMA:
    case TOKEN_COLON:
    case TOKEN_CLOSE:
    case TOKEN_CLOSE_SQUARE:
    case TOKEN_CLOSE_BRACE:
    case TOKEN_OPEN_SQUARE:
    case TOKEN_PLUS:
    case TOKEN_MINUS:
    case TOKEN_STAR:
    case TOKEN_SLASH:
    case TOKEN_PERCENT:
    case K_ALLOW:
    case K_AS:
    case K_FROM:
    case K_LIMIT:
    case K_ORDER:
    case K_PER:
        return true;
    default:
        return false;
    }
}

// TTL(x), WRITETIME(x), MAXWRITETIME(x).
static const struct cql_term *cell_function(struct parser *parser, enum cql_term_kind kind)
{
    uint32_t first = parser->index;
    parser->index += 2;
    uint32_t argument = parser->index;
    const struct cql_term *receiver = column(parser);
    if (receiver != NULL) receiver = modifiers(parser, receiver, argument);
    struct parser_list items = {0};
    if (!add(parser, &items, receiver)) return NULL;
    // Whether more of the column follows is decided by what may follow it anywhere.
    if (!follows_name(parser_peek(parser, 1))) return no_viable(parser, 1);
    return parser_expect(parser, TOKEN_CLOSE) ? make(parser, kind, items, first) : NULL;
}

static const struct cql_term *cast(struct parser *parser)
{
    uint32_t first = parser->index;
    parser->index += 2;
    struct parser_list items = {0};
    if (!add(parser, &items, parser_selector(parser)) || !parser_expect(parser, K_AS)) return NULL;
    struct cql_term term = {.kind = CQL_TERM_CAST, .items = items.items, .item_count = 1};
    term.type = parser_native_type(parser);
    if (term.type == NULL || !parser_expect(parser, TOKEN_CLOSE)) return NULL;
    return parser_term_make(parser, term, first);
}

// A column, a function, or "column.field", of which only the first is taken here.
static const struct cql_term *name_or_function(struct parser *parser)
{
    enum token_kind kind = parser_peek(parser, 1);
    if (!parser_is_name(kind) && !parser_is_function_name(kind)) return no_viable(parser, 1);
    enum token_kind second = parser_peek(parser, 2);
    if (second == TOKEN_OPEN) {
        switch (kind) {
        case K_COUNT:
            return count_function(parser);
        case K_TTL:
            return cell_function(parser, CQL_TERM_TTL);
        case K_WRITETIME:
            return cell_function(parser, CQL_TERM_WRITETIME);
        case K_MAXWRITETIME:
            return cell_function(parser, CQL_TERM_MAXWRITETIME);
        case K_CAST:
            return cast(parser);
        default:
            return parser_is_function_name(kind) ? function(parser) : no_viable(parser, 2);
        }
    }
    if (!parser_is_name(kind)) return no_viable(parser, kind == K_TOKEN ? 2 : 1);
    if (second == TOKEN_DOT) {
        if (!parser_is_name(parser_peek(parser, 3)) &&
            !parser_is_function_name(parser_peek(parser, 3)))
            return no_viable(parser, 3);
        return parser_peek(parser, 4) == TOKEN_OPEN ? function(parser) : column(parser);
    }
    if (!follows_name(second)) return no_viable(parser, 2);
    if (second != TOKEN_EOF) (void)parser_peek(parser, 3);
    return column(parser);
}

// ---- Brackets ----------------------------------------------------------------------------------

static const struct cql_term *without_modifiers(struct parser *parser);

// "(type) selector" rather than "(selector, …)".
static bool begins_type_hint(struct parser *parser)
{
    uint32_t behind = parser_type_lookahead(parser, 2);
    if (behind == 0 || parser_peek(parser, behind) != TOKEN_CLOSE) return false;
    enum token_kind next = parser_peek(parser, behind + 1);
    return next != K_AS && next != TOKEN_MINUS && is_selector_start(next);
}

static const struct cql_term *type_hint(struct parser *parser)
{
    uint32_t first = parser->index;
    struct cql_term term = {.kind = CQL_TERM_TYPE_CAST, .item_count = 1};
    struct parser_list items = {0};
    parser_skip(parser);
    term.type = parser_type(parser);
    if (term.type == NULL || !parser_expect(parser, TOKEN_CLOSE)) return NULL;
    if (!add(parser, &items, without_modifiers(parser))) return NULL;
    term.items = items.items;
    return parser_term_make(parser, term, first);
}

// "(a, b)" or "[a, b]"; the latter may be empty.
static const struct cql_term *bracketed(struct parser *parser, enum cql_term_kind kind,
                                        enum token_kind close)
{
    uint32_t first = parser->index;
    struct parser_list items = {0};
    parser_skip(parser);
    bool is_empty = kind == CQL_TERM_LIST && !is_selector_start(parser_peek(parser, 1));
    if (!is_empty && !add_selectors(parser, &items)) return NULL;
    return parser_expect(parser, close) ? make(parser, kind, items, first) : NULL;
}

// "{a, b}" or "{a: b, …}", where a bare name before ":" may be a field of a UDT: it is given as a
// MAP, whose keys are columns then.
static const struct cql_term *braced(struct parser *parser)
{
    uint32_t first = parser->index;
    struct parser_list items = {0};
    parser_skip(parser);
    if (parser_take(parser, TOKEN_CLOSE_BRACE)) return make(parser, CQL_TERM_SET, items, first);
    if (!add(parser, &items, parser_selector(parser))) return NULL;
    bool is_map = parser_peek(parser, 1) == TOKEN_COLON;
    if (is_map) {
        parser_skip(parser);
        if (!add(parser, &items, parser_selector(parser))) return NULL;
    }
    while (parser_take(parser, TOKEN_COMMA)) {
        if (!add(parser, &items, parser_selector(parser))) return NULL;
        if (is_map &&
            (!parser_expect(parser, TOKEN_COLON) || !add(parser, &items, parser_selector(parser))))
            return NULL;
    }
    if (!parser_expect(parser, TOKEN_CLOSE_BRACE)) return NULL;
    return make(parser, is_map ? CQL_TERM_MAP : CQL_TERM_SET, items, first);
}

static const struct cql_term *without_modifiers_here(struct parser *parser)
{
    enum token_kind kind = parser_peek(parser, 1);
    switch (kind) {
    case TOKEN_QMARK:
    case TOKEN_COLON:
        return parser_marker(parser);
    case TOKEN_OPEN:
        if (begins_type_hint(parser)) return type_hint(parser);
        return bracketed(parser, CQL_TERM_TUPLE, TOKEN_CLOSE);
    case TOKEN_OPEN_SQUARE:
        return bracketed(parser, CQL_TERM_LIST, TOKEN_CLOSE_SQUARE);
    case TOKEN_OPEN_BRACE:
        return braced(parser);
    case K_NULL:
        parser_skip(parser);
        return parser_term_make(parser, (struct cql_term){.kind = CQL_TERM_NULL},
                                parser->index - 1);
    default:
        if (parser_is_constant(kind)) return parser_constant(parser);
        return name_or_function(parser);
    }
}

static const struct cql_term *without_modifiers(struct parser *parser)
{
    const struct cql_term *term = parser_enter(parser) ? without_modifiers_here(parser) : NULL;
    parser_leave(parser);
    return term;
}

// ---- Operators ---------------------------------------------------------------------------------

static const struct cql_term *operation(struct parser *parser, char symbol,
                                        const struct cql_term *left, const struct cql_term *right,
                                        uint32_t first)
{
    if (right == NULL) return NULL;
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
    if (!parser_take(parser, TOKEN_MINUS)) {
        const struct cql_term *term = without_modifiers(parser);
        return term == NULL ? NULL : modifiers(parser, term, first);
    }
    if (!parser_enter(parser)) return NULL;
    struct parser_list items = {0};
    bool is_parsed = add(parser, &items, group(parser));
    parser_leave(parser);
    return is_parsed ? make(parser, CQL_TERM_NEGATE, items, first) : NULL;
}

static const struct cql_term *product(struct parser *parser)
{
    uint32_t first = parser->index;
    const struct cql_term *left = group(parser);
    while (left != NULL) {
        enum token_kind kind = parser_peek(parser, 1);
        if (kind != TOKEN_STAR && kind != TOKEN_SLASH && kind != TOKEN_PERCENT) break;
        parser_skip(parser);
        char symbol = kind == TOKEN_STAR ? '*' : kind == TOKEN_SLASH ? '/' : '%';
        left = operation(parser, symbol, left, group(parser), first);
    }
    return left;
}

static const struct cql_term *sum(struct parser *parser)
{
    uint32_t first = parser->index;
    const struct cql_term *left = product(parser);
    while (left != NULL) {
        enum token_kind kind = parser_peek(parser, 1);
        if (kind != TOKEN_PLUS && kind != TOKEN_MINUS) break;
        parser_skip(parser);
        left = operation(parser, kind == TOKEN_PLUS ? '+' : '-', left, product(parser), first);
    }
    return left;
}

const struct cql_term *parser_selector(struct parser *parser)
{
    const struct cql_term *term = parser_enter(parser) ? sum(parser) : NULL;
    parser_leave(parser);
    return parser->failed ? NULL : term;
}

bool parser_selectors(struct parser *parser, const struct cql_selector **items, size_t *count)
{
    struct parser_list list = {0};
    if (parser_take(parser, TOKEN_STAR)) return true;
    do {
        const struct cql_term *term = parser_selector(parser);
        if (term == NULL) return false;
        struct cql_selector *selector = PARSER_LIST_ADD(parser, &list, struct cql_selector);
        selector->term = term;
        if (parser_take(parser, K_AS) && !parser_name(parser, &selector->alias)) return false;
    } while (parser_take(parser, TOKEN_COMMA));
    *items = list.items;
    *count = list.count;
    return true;
}
