// WITH name = value AND …
#include "cql/parser/parser_state.h"

static bool refuse(struct parser *parser, const char *before, struct slice what, const char *after)
{
    return parser_fail_text(parser, "%s%.*s%s", before, (int)what.size, (const char *)what.data,
                            after);
}

// Parser.convertPropertyMap(): only constants may stand in it, each key once.
static bool add_entry(struct parser *parser, struct parser_list *list, const struct cql_term *key,
                      const struct cql_term *value)
{
    if (key->kind != CQL_TERM_CONSTANT)
        return refuse(parser, "Invalid property name: ", key->text,
                      key->kind == CQL_TERM_MARKER
                          ? " (bind variables are not supported in DDL queries)"
                          : "");
    if (value->kind != CQL_TERM_CONSTANT)
        return parser_fail_text(
            parser, "Invalid property value: %.*s for property: %.*s%s", (int)value->text.size,
            (const char *)value->text.data, (int)key->text.size, (const char *)key->text.data,
            value->kind == CQL_TERM_MARKER ? " (bind variables are not supported in DDL queries)"
                                           : "");
    if (list->count == PARSER_PROPERTIES_MAX)
        return parser_fail_text(parser, "More than %d entries of a property",
                                PARSER_PROPERTIES_MAX);
    const struct cql_property_entry *entries = list->items;
    for (size_t i = 0; i < list->count; i++) {
        if (slice_equals(entries[i].key, key->value))
            return refuse(parser, "Multiple definition for property ", key->value, "");
    }
    *PARSER_LIST_ADD(parser, list, struct cql_property_entry) =
        (struct cql_property_entry){key->value, value->value};
    return true;
}

bool parser_property_map(struct parser *parser, struct cql_property *property)
{
    struct parser_list list = {0};
    if (!parser_expect(parser, TOKEN_OPEN_BRACE)) return false;
    property->is_map = true;
    if (parser_is_term_start(parser_peek(parser, 1))) {
        do {
            const struct cql_term *key = parser_term(parser);
            if (key == NULL || !parser_expect(parser, TOKEN_COLON)) return false;
            const struct cql_term *value = parser_term(parser);
            if (value == NULL || !add_entry(parser, &list, key, value)) return false;
        } while (parser_take(parser, TOKEN_COMMA));
    }
    property->entries = list.items;
    property->entry_count = list.count;
    return parser_expect(parser, TOKEN_CLOSE_BRACE);
}

// Adds one. Which tokens fit is decided from its name on.
static bool add_property(struct parser *parser, struct parser_list *list)
{
    if (!parser_is_name(parser_peek(parser, 1))) return parser_fail_no_viable(parser, 1);
    if (parser_peek(parser, 2) != TOKEN_EQUAL) return parser_fail_no_viable(parser, 2);
    enum token_kind kind = parser_peek(parser, 3);
    bool is_keyword = lexer_is_keyword(kind) && parser_is_name(kind);
    if (kind != TOKEN_OPEN_BRACE && !parser_is_constant(kind) && !is_keyword)
        return parser_fail_no_viable(parser, 3);

    struct cql_property property = {.name = parser_take_value(parser)};
    parser_skip(parser);
    if (kind == TOKEN_OPEN_BRACE) {
        if (!parser_property_map(parser, &property)) return false;
    } else {
        property.value = is_keyword ? parser_take_value(parser) : parser_constant(parser)->value;
    }
    if (list->count == PARSER_PROPERTIES_MAX)
        return parser_fail_text(parser, "More than %d properties", PARSER_PROPERTIES_MAX);
    const struct cql_property *items = list->items;
    for (size_t i = 0; i < list->count; i++) {
        if (slice_equals(items[i].name, property.name))
            return refuse(parser, "Multiple definitions for property '", property.name, "'");
    }
    *PARSER_LIST_ADD(parser, list, struct cql_property) = property;
    return true;
}

bool parser_properties(struct parser *parser, struct cql_properties *properties)
{
    struct parser_list list = {0};
    do {
        if (!add_property(parser, &list)) return false;
    } while (parser_take(parser, K_AND));
    *properties = (struct cql_properties){list.items, list.count};
    return true;
}

// "(a ASC, b DESC)"
static bool clustering_order(struct parser *parser, struct parser_list *list)
{
    if (!parser_expect(parser, TOKEN_OPEN)) return false;
    do {
        struct cql_clustering_order *order =
            PARSER_LIST_ADD(parser, list, struct cql_clustering_order);
        if (!parser_column_name(parser, &order->column)) return false;
        order->descending = parser_take(parser, K_DESC);
        if (!order->descending && !parser_take(parser, K_ASC))
            return parser_fail_no_viable(parser, 1);
    } while (parser_take(parser, TOKEN_COMMA));
    return parser_expect(parser, TOKEN_CLOSE);
}

// Of a table or a view.
bool parser_table_options(struct parser *parser, struct cql_table_options *options)
{
    struct parser_list properties = {0}, orders = {0};
    do {
        enum token_kind second = parser_peek(parser, 2);
        if (parser_peek(parser, 1) == K_COMPACT && second == K_STORAGE) {
            parser->index += 2;
            options->compact_storage = true;
        } else if (parser_peek(parser, 1) == K_CLUSTERING && second == K_ORDER) {
            parser->index += 2;
            if (!parser_expect(parser, K_BY) || !clustering_order(parser, &orders)) return false;
        } else if (!add_property(parser, &properties)) {
            return false;
        }
    } while (parser_take(parser, K_AND));
    options->properties = (struct cql_properties){properties.items, properties.count};
    options->clustering_order = orders.items;
    options->clustering_order_count = orders.count;
    return true;
}
