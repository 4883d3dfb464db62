// CREATE TABLE, ALTER TABLE and CREATE MATERIALIZED VIEW.
#include "cql/parser/parser_state.h"

// ---- Columns -----------------------------------------------------------------------------------

// Behind MASKED WITH: DEFAULT or a function.
static bool mask(struct parser *parser, struct cql_column_definition *column)
{
    if (!parser_expect(parser, K_WITH)) return false;
    if (parser_peek(parser, 1) == K_DEFAULT && parser_peek(parser, 2) != TOKEN_OPEN) {
        parser_skip(parser);
        column->has_default_mask = true;
        return true;
    }
    column->mask = parser_simple_term(parser);
    return column->mask != NULL;
}

// "name type STATIC? (MASKED WITH …)?"
static bool column_definition(struct parser *parser, struct cql_column_definition *column)
{
    uint32_t first = parser->index;
    if (!parser_column_name(parser, &column->name)) return false;
    column->type = parser_type(parser);
    if (column->type == NULL) return false;
    column->is_static = parser_take(parser, K_STATIC);
    if (parser_take(parser, K_MASKED) && !mask(parser, column)) return false;
    column->text = parser_span(parser, first);
    return true;
}

// ---- Keys --------------------------------------------------------------------------------------

// "k, c" or "(k1, k2), c", behind the "(" of PRIMARY KEY and with its ")".
static bool primary_key(struct parser *parser, struct cql_primary_key *key)
{
    struct parser_list clustering = {0};
    if (parser_take(parser, TOKEN_OPEN)) {
        if (!parser_column_names(parser, &key->partition_key)) return false;
    } else {
        struct slice *name = ARENA_NEW(parser->arena, struct slice);
        if (!parser_column_name(parser, name)) return false;
        key->partition_key = (struct cql_names){name, 1};
    }
    while (parser_take(parser, TOKEN_COMMA)) {
        if (!parser_column_name(parser, PARSER_LIST_ADD(parser, &clustering, struct slice)))
            return false;
    }
    key->clustering = (struct cql_names){clustering.items, clustering.count};
    return parser_expect(parser, TOKEN_CLOSE);
}

// ---- CREATE TABLE ------------------------------------------------------------------------------

static bool table_part(struct parser *parser, struct parser_list *columns, struct parser_list *keys)
{
    if (parser_take(parser, K_PRIMARY))
        return parser_expect(parser, K_KEY) && parser_expect(parser, TOKEN_OPEN) &&
               primary_key(parser, PARSER_LIST_ADD(parser, keys, struct cql_primary_key));
    struct cql_column_definition column = {.name = slice_null()};
    if (!column_definition(parser, &column)) return false;
    if (parser_take(parser, K_PRIMARY)) {
        if (!parser_expect(parser, K_KEY)) return false;
        column.is_primary_key = true;
        struct slice *name = ARENA_NEW(parser->arena, struct slice);
        *name = column.name;
        PARSER_LIST_ADD(parser, keys, struct cql_primary_key)->partition_key =
            (struct cql_names){name, 1};
    }
    *PARSER_LIST_ADD(parser, columns, struct cql_column_definition) = column;
    return true;
}

static bool begins_table_part(enum token_kind kind)
{
    return kind == K_PRIMARY || parser_is_column_name(kind);
}

bool parser_create_table(struct parser *parser, struct cql_create_table *create)
{
    struct parser_list columns = {0}, keys = {0};
    if (!parser_if_not_exists(parser, &create->if_not_exists) ||
        !parser_table_name(parser, &create->table) || !parser_expect(parser, TOKEN_OPEN) ||
        !table_part(parser, &columns, &keys))
        return false;
    while (parser_take(parser, TOKEN_COMMA)) {
        // A comma with nothing behind it is tolerated.
        if (begins_table_part(parser_peek(parser, 1)) && !table_part(parser, &columns, &keys))
            return false;
    }
    create->columns = columns.items;
    create->column_count = columns.count;
    create->primary_keys = keys.items;
    create->primary_key_count = keys.count;
    if (!parser_expect(parser, TOKEN_CLOSE)) return false;
    return !parser_take(parser, K_WITH) || parser_table_options(parser, &create->options);
}

// ---- ALTER TABLE -------------------------------------------------------------------------------

static bool set_columns(struct cql_alter_table *alter, struct parser_list columns)
{
    alter->columns = columns.items;
    alter->column_count = columns.count;
    return true;
}

static bool add_columns(struct parser *parser, struct cql_alter_table *alter)
{
    struct parser_list list = {0};
    alter->kind = CQL_ALTER_TABLE_ADD;
    if (!parser_if_not_exists(parser, &alter->if_column)) return false;
    bool is_list = parser_take(parser, TOKEN_OPEN);
    do {
        if (!column_definition(parser,
                               PARSER_LIST_ADD(parser, &list, struct cql_column_definition)))
            return false;
    } while (is_list && parser_take(parser, TOKEN_COMMA));
    return (!is_list || parser_expect(parser, TOKEN_CLOSE)) && set_columns(alter, list);
}

static bool drop_columns(struct parser *parser, struct cql_alter_table *alter)
{
    if (parser_peek(parser, 1) == K_COMPACT && parser_peek(parser, 2) == K_STORAGE) {
        parser->index += 2;
        alter->kind = CQL_ALTER_TABLE_DROP_COMPACT_STORAGE;
        return true;
    }
    alter->kind = CQL_ALTER_TABLE_DROP;
    enum token_kind next = parser_peek(parser, 1);
    if (next != K_IF && next != TOKEN_OPEN && !parser_is_column_name(next)) {
        parser->index--; // The decision began at DROP.
        return parser_fail_no_viable(parser, 2);
    }
    if (!parser_if_exists(parser, &alter->if_column)) return false;
    if (parser_take(parser, TOKEN_OPEN)) {
        if (!parser_column_names(parser, &alter->dropped)) return false;
    } else {
        struct slice *name = ARENA_NEW(parser->arena, struct slice);
        if (!parser_column_name(parser, name)) return false;
        alter->dropped = (struct cql_names){name, 1};
    }
    if (!parser_take(parser, K_USING)) return true;
    if (!parser_expect(parser, K_TIMESTAMP)) return false;
    if (parser_peek(parser, 1) != TOKEN_INTEGER) return parser_fail_mismatch(parser, TOKEN_INTEGER);
    alter->drop_timestamp = parser_take_raw(parser);
    return true;
}

static bool rename_columns(struct parser *parser, struct cql_alter_table *alter)
{
    struct parser_list list = {0};
    alter->kind = CQL_ALTER_TABLE_RENAME;
    if (!parser_if_exists(parser, &alter->if_column)) return false;
    do {
        struct cql_rename rename;
        if (!parser_column_name(parser, &rename.from) || !parser_expect(parser, K_TO) ||
            !parser_column_name(parser, &rename.to))
            return false;
        *PARSER_LIST_ADD(parser, &list, struct cql_rename) = rename;
    } while (parser_take(parser, K_AND));
    alter->renames = list.items;
    alter->rename_count = list.count;
    return true;
}

// Stands on the ALTER of "ALTER column TYPE type", "… MASKED WITH …", "… DROP MASKED".
static bool alter_column(struct parser *parser, struct cql_alter_table *alter)
{
    uint32_t word = 2; // Behind IF EXISTS.
    if (parser_peek(parser, 2) == K_IF) {
        if (parser_peek(parser, 3) != K_EXISTS) return parser_fail_no_viable(parser, 3);
        word = 4;
    }
    if (!parser_is_column_name(parser_peek(parser, word)))
        return parser_fail_no_viable(parser, word);
    enum token_kind what = parser_peek(parser, word + 1);
    if (what != K_TYPE && what != K_MASKED && what != K_DROP)
        return parser_fail_no_viable(parser, word + 1);

    struct parser_list list = {0};
    struct cql_column_definition *column =
        PARSER_LIST_ADD(parser, &list, struct cql_column_definition);
    alter->if_column = word > 2;
    parser->index += word - 1;
    uint32_t first = parser->index;
    alter->kind = what == K_TYPE ? CQL_ALTER_TABLE_ALTER_TYPE : CQL_ALTER_TABLE_MASK;
    column->name = parser_take_value(parser);
    parser_skip(parser);
    bool is_parsed;
    if (what == K_TYPE)
        is_parsed = (column->type = parser_type(parser)) != NULL;
    else if (what == K_MASKED)
        is_parsed = mask(parser, column);
    else
        is_parsed = parser_expect(parser, K_MASKED);
    column->text = parser_span(parser, first);
    return is_parsed && set_columns(alter, list);
}

bool parser_alter_table(struct parser *parser, struct cql_alter_table *alter)
{
    if (!parser_if_exists(parser, &alter->if_exists) || !parser_table_name(parser, &alter->table))
        return false;
    switch (parser_peek(parser, 1)) {
    case K_ALTER:
        return alter_column(parser, alter);
    case K_ADD:
        parser_skip(parser);
        return add_columns(parser, alter);
    case K_DROP:
        parser_skip(parser);
        return drop_columns(parser, alter);
    case K_RENAME:
        parser_skip(parser);
        return rename_columns(parser, alter);
    case K_WITH:
        parser_skip(parser);
        alter->kind = CQL_ALTER_TABLE_WITH;
        return parser_properties(parser, &alter->properties);
    default:
        return parser_fail_no_viable(parser, 1);
    }
}

// ---- CREATE MATERIALIZED VIEW ------------------------------------------------------------------

bool parser_create_view(struct parser *parser, struct cql_create_view *create)
{
    if (!parser_if_not_exists(parser, &create->if_not_exists) ||
        !parser_table_name(parser, &create->name) || !parser_expect(parser, K_AS) ||
        !parser_expect(parser, K_SELECT) ||
        !parser_selectors(parser, &create->selectors, &create->selector_count) ||
        !parser_expect(parser, K_FROM) || !parser_table_name(parser, &create->base_table))
        return false;
    if (parser_take(parser, K_WHERE) && !parser_where(parser, &create->where)) return false;
    if (!parser_expect(parser, K_PRIMARY) || !parser_expect(parser, K_KEY) ||
        !parser_expect(parser, TOKEN_OPEN) || !primary_key(parser, &create->primary_key))
        return false;
    return !parser_take(parser, K_WITH) || parser_table_options(parser, &create->options);
}
