#include "cql/parser/parser.h"

#include "cql/parser/parser_state.h"

// ---- DESCRIBE ----------------------------------------------------------------------------------

static bool is_describe_end(enum token_kind kind)
{
    return kind == TOKEN_EOF || kind == TOKEN_SEMICOLON || kind == K_WITH;
}

// Anything by its name alone. Only "ks.x" and the end decide what the words above mean.
static bool describe_any(struct parser *parser, struct cql_describe *describe)
{
    describe->kind = CQL_DESCRIBE_ANY;
    if (parser_is_name(parser_peek(parser, 1)) && parser_peek(parser, 2) != TOKEN_DOT &&
        !is_describe_end(parser_peek(parser, 2)))
        return parser_fail_no_viable(parser, 2);
    if (parser_peek(parser, 2) == TOKEN_DOT && parser_is_name(parser_peek(parser, 1))) {
        describe->name.keyspace = parser_take_value(parser);
        parser_skip(parser);
    }
    return parser_name(parser, &describe->name.name);
}

static bool describe_keyspace(struct parser *parser, struct cql_describe *describe)
{
    describe->kind = CQL_DESCRIBE_KEYSPACE;
    if (!parser_expect(parser, K_KEYSPACE)) return false;
    if (!parser_is_name(parser_peek(parser, 1))) return true;
    return parser_keyspace_name(parser, &describe->name.keyspace);
}

static bool describe_schema(struct parser *parser, struct cql_describe *describe)
{
    describe->kind = CQL_DESCRIBE_SCHEMA;
    return parser_expect(parser, K_SCHEMA);
}

// A word that lists all of something. It is a name instead when "." follows.
static bool describe_list(struct parser *parser, struct cql_describe *describe)
{
    if (parser_peek(parser, 2) == TOKEN_DOT) return false;
    switch (parser_peek(parser, 1)) {
    case K_CLUSTER:
        describe->kind = CQL_DESCRIBE_CLUSTER;
        break;
    case K_KEYSPACES:
        describe->kind = CQL_DESCRIBE_KEYSPACES;
        break;
    case K_TABLES:
        describe->kind = CQL_DESCRIBE_TABLES;
        break;
    case K_TYPES:
        describe->kind = CQL_DESCRIBE_TYPES;
        break;
    case K_FUNCTIONS:
        describe->kind = CQL_DESCRIBE_FUNCTIONS;
        break;
    case K_AGGREGATES:
        describe->kind = CQL_DESCRIBE_AGGREGATES;
        break;
    default:
        return false;
    }
    // Cassandra looks one token further before it decides.
    if (!is_describe_end(parser_peek(parser, 2))) (void)parser_peek(parser, 3);
    parser_skip(parser);
    return true;
}

// A word that may also be a name: then nothing that could be a name follows.
static bool describe_word(struct parser *parser, enum token_kind word)
{
    if (parser_peek(parser, 1) != word) return false;
    enum token_kind next = parser_peek(parser, 2);
    if (!parser_is_name(next) && next != K_TOKEN) return false;
    parser_skip(parser);
    return true;
}

static bool describe_what(struct parser *parser, struct cql_describe *describe)
{
    if (describe_list(parser, describe)) return true;
    if (parser_peek(parser, 1) == K_ONLY && parser_peek(parser, 2) == K_KEYSPACE) {
        parser_skip(parser);
        describe->is_only = true;
    }
    describe->is_full = parser_take(parser, K_FULL);
    if (describe->is_full || parser_peek(parser, 1) == K_SCHEMA)
        return describe_schema(parser, describe);
    if (parser_peek(parser, 1) == K_KEYSPACE) return describe_keyspace(parser, describe);
    if (parser_take(parser, K_COLUMNFAMILY)) {
        describe->kind = CQL_DESCRIBE_TABLE;
        return parser_table_name(parser, &describe->name);
    }
    if (parser_take(parser, K_INDEX)) {
        describe->kind = CQL_DESCRIBE_INDEX;
        return parser_table_name(parser, &describe->name);
    }
    if (parser_take(parser, K_MATERIALIZED)) {
        describe->kind = CQL_DESCRIBE_VIEW;
        return parser_expect(parser, K_VIEW) && parser_table_name(parser, &describe->name);
    }
    if (describe_word(parser, K_TYPE)) {
        describe->kind = CQL_DESCRIBE_TYPE;
        return parser_user_type_name(parser, &describe->name);
    }
    if (describe_word(parser, K_FUNCTION)) {
        describe->kind = CQL_DESCRIBE_FUNCTION;
        return parser_function_name(parser, &describe->name);
    }
    if (describe_word(parser, K_AGGREGATE)) {
        describe->kind = CQL_DESCRIBE_AGGREGATE;
        return parser_function_name(parser, &describe->name);
    }
    return describe_any(parser, describe);
}

bool parser_describe(struct parser *parser, struct cql_describe *describe)
{
    if (!describe_what(parser, describe)) return false;
    describe->with_internals = parser_take(parser, K_WITH);
    return !describe->with_internals || parser_expect(parser, K_INTERNALS);
}

// ---- Statements --------------------------------------------------------------------------------

static bool statement_here(struct parser *parser, struct cql_statement_ast *statement)
{
    enum token_kind first = parser_peek(parser, 1);
    switch (first) {
    case K_CREATE:
        return parser_create(parser, statement);
    case K_ALTER:
        return parser_alter(parser, statement);
    case K_DROP:
        return parser_drop(parser, statement);
    case K_LIST:
        return parser_list(parser, statement);
    case K_ADD:
        if (parser_peek(parser, 2) != K_IDENTITY) return parser_fail_no_viable(parser, 2);
        parser->index += 2;
        return parser_identity(parser, statement, true);
    case K_SELECT:
    case K_INSERT:
    case K_UPDATE:
    case K_DELETE:
    case K_BEGIN:
    case K_USE:
    case K_TRUNCATE:
    case K_GRANT:
    case K_REVOKE:
    case K_DESCRIBE:
    case K_DESC:
        parser_skip(parser);
        break;
    default:
        return parser_fail_no_viable(parser, 1);
    }
    switch (first) {
    case K_SELECT:
        statement->kind = CQL_AST_SELECT;
        return parser_select(parser, &statement->select);
    case K_INSERT:
        statement->kind = CQL_AST_INSERT;
        return parser_insert(parser, &statement->insert);
    case K_UPDATE:
        statement->kind = CQL_AST_UPDATE;
        return parser_update(parser, &statement->update);
    case K_DELETE:
        statement->kind = CQL_AST_DELETE;
        return parser_delete(parser, &statement->delete_);
    case K_BEGIN:
        statement->kind = CQL_AST_BATCH;
        return parser_batch(parser, &statement->batch);
    case K_USE:
        statement->kind = CQL_AST_USE;
        return parser_keyspace_name(parser, &statement->use);
    case K_TRUNCATE:
        statement->kind = CQL_AST_TRUNCATE;
        (void)parser_take(parser, K_COLUMNFAMILY);
        return parser_table_name(parser, &statement->truncate);
    case K_GRANT:
        return parser_grant(parser, statement);
    case K_REVOKE:
        return parser_revoke(parser, statement);
    default:
        statement->kind = CQL_AST_DESCRIBE;
        return parser_describe(parser, &statement->describe);
    }
}

// The text must have offsets of 32 bits and a message that can hold one.
static bool check_size(struct slice text, struct cql_error *error)
{
    if (text.size < INT32_MAX) return true;
    return cql_error_set(error, CQL_ERROR_SYNTAX, "The statement is too long");
}

bool cql_parse(struct slice text, struct arena *arena, const struct cql_statement_ast **statement,
               struct cql_error *error)
{
    if (!check_size(text, error)) return false;
    struct parser parser;
    parser_init(&parser, text, arena, error);
    struct cql_statement_ast *parsed = ARENA_NEW(arena, struct cql_statement_ast);
    if (!statement_here(&parser, parsed)) return false;
    parsed->text = parser_span(&parser, 0);
    while (parser_take(&parser, TOKEN_SEMICOLON))
        continue;
    if (!parser_expect(&parser, TOKEN_EOF) || parser.failed) return false;
    parsed->markers = parser.markers;
    parsed->marker_count = (uint16_t)parser.marker_count;
    *statement = parsed;
    return true;
}

bool cql_parse_type(struct slice text, struct arena *arena, const struct cql_type **type,
                    struct cql_error *error)
{
    if (!check_size(text, error)) return false;
    struct parser parser;
    parser_init(&parser, text, arena, error);
    const struct cql_type *parsed = parser_type(&parser);
    if (parsed == NULL || !parser_expect(&parser, TOKEN_EOF) || parser.failed) return false;
    *type = parsed;
    return true;
}

bool cql_parse_term(struct slice text, struct arena *arena, const struct cql_term **term,
                    struct cql_error *error)
{
    if (!check_size(text, error)) return false;
    struct parser parser;
    parser_init(&parser, text, arena, error);
    parser.allows_markers = false;
    const struct cql_term *parsed = parser_term(&parser);
    if (parsed == NULL || !parser_expect(&parser, TOKEN_EOF) || parser.failed) return false;
    *term = parsed;
    return true;
}
