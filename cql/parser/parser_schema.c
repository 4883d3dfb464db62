// CREATE, ALTER and DROP of all but tables and views, and what chooses between them.
#include "cql/parser/parser_state.h"

// ---- Keyspaces ---------------------------------------------------------------------------------

static bool create_keyspace(struct parser *parser, struct cql_keyspace_change *change)
{
    return parser_if_not_exists(parser, &change->if_not_exists) &&
           parser_keyspace_name(parser, &change->keyspace) && parser_expect(parser, K_WITH) &&
           parser_properties(parser, &change->properties);
}

static bool alter_keyspace(struct parser *parser, struct cql_keyspace_change *change)
{
    return parser_if_exists(parser, &change->if_exists) &&
           parser_keyspace_name(parser, &change->keyspace) && parser_expect(parser, K_WITH) &&
           parser_properties(parser, &change->properties);
}

// ---- Types -------------------------------------------------------------------------------------

static bool type_field(struct parser *parser, struct cql_type_field *field)
{
    if (!parser_name(parser, &field->name)) return false;
    field->type = parser_type(parser);
    return field->type != NULL;
}

static bool type_fields(struct parser *parser, struct parser_list *list)
{
    do {
        if (!type_field(parser, PARSER_LIST_ADD(parser, list, struct cql_type_field))) return false;
    } while (parser_take(parser, TOKEN_COMMA));
    return true;
}

static bool create_type(struct parser *parser, struct cql_create_type *create)
{
    struct parser_list list = {0};
    if (!parser_if_not_exists(parser, &create->if_not_exists) ||
        !parser_user_type_name(parser, &create->name) || !parser_expect(parser, TOKEN_OPEN) ||
        !type_fields(parser, &list))
        return false;
    create->fields = list.items;
    create->field_count = list.count;
    return parser_expect(parser, TOKEN_CLOSE);
}

static bool rename_fields(struct parser *parser, struct cql_alter_type *alter)
{
    struct parser_list list = {0};
    alter->kind = CQL_ALTER_TYPE_RENAME;
    if (!parser_if_exists(parser, &alter->if_field)) return false;
    do {
        struct cql_rename *rename = PARSER_LIST_ADD(parser, &list, struct cql_rename);
        if (!parser_name(parser, &rename->from) || !parser_expect(parser, K_TO) ||
            !parser_name(parser, &rename->to))
            return false;
    } while (parser_take(parser, K_AND));
    alter->renames = list.items;
    alter->rename_count = list.count;
    return true;
}

static bool alter_type(struct parser *parser, struct cql_alter_type *alter)
{
    if (!parser_if_exists(parser, &alter->if_exists) ||
        !parser_user_type_name(parser, &alter->name))
        return false;
    if (parser_take(parser, K_ADD)) {
        alter->kind = CQL_ALTER_TYPE_ADD;
        return parser_if_not_exists(parser, &alter->if_field) && type_field(parser, &alter->field);
    }
    if (parser_take(parser, K_RENAME)) return rename_fields(parser, alter);
    if (!parser_take(parser, K_ALTER)) return parser_fail_no_viable(parser, 1);
    alter->kind = CQL_ALTER_TYPE_ALTER;
    if (!parser_if_exists(parser, &alter->if_field) || !parser_name(parser, &alter->field.name) ||
        !parser_expect(parser, K_TYPE))
        return false;
    alter->field.type = parser_type(parser);
    return alter->field.type != NULL;
}

// ---- Indexes -----------------------------------------------------------------------------------

static bool index_target(struct parser *parser, struct cql_index_target *target)
{
    enum token_kind kind = parser_peek(parser, 1);
    bool has_argument = parser_peek(parser, 2) == TOKEN_OPEN;
    if (kind == K_VALUES && has_argument)
        target->kind = CQL_INDEX_TARGET_VALUES;
    else if (kind == K_KEYS && has_argument)
        target->kind = CQL_INDEX_TARGET_KEYS;
    else if (kind == K_ENTRIES)
        target->kind = CQL_INDEX_TARGET_ENTRIES;
    else if (kind == K_FULL)
        target->kind = CQL_INDEX_TARGET_FULL;
    else
        return parser_column_name(parser, &target->column);
    parser_skip(parser);
    return parser_expect(parser, TOKEN_OPEN) && parser_column_name(parser, &target->column) &&
           parser_expect(parser, TOKEN_CLOSE);
}

static bool index_targets(struct parser *parser, struct cql_create_index *create)
{
    struct parser_list list = {0};
    enum token_kind kind = parser_peek(parser, 1);
    if (parser_is_column_name(kind) || kind == K_ENTRIES || kind == K_FULL) {
        do {
            if (!index_target(parser, PARSER_LIST_ADD(parser, &list, struct cql_index_target)))
                return false;
        } while (parser_take(parser, TOKEN_COMMA));
    }
    create->targets = list.items;
    create->target_count = list.count;
    return parser_expect(parser, TOKEN_CLOSE);
}

static bool string(struct parser *parser, struct slice *value)
{
    if (parser_peek(parser, 1) != TOKEN_STRING) return parser_fail_mismatch(parser, TOKEN_STRING);
    *value = parser_take_value(parser);
    return true;
}

static bool create_index(struct parser *parser, struct cql_create_index *create)
{
    if (!parser_if_not_exists(parser, &create->if_not_exists)) return false;
    if (parser_is_name(parser_peek(parser, 1))) create->name.name = parser_take_value(parser);
    if (!parser_expect(parser, K_ON) || !parser_table_name(parser, &create->table) ||
        !parser_expect(parser, TOKEN_OPEN) || !index_targets(parser, create))
        return false;
    if (parser_take(parser, K_USING) && !string(parser, &create->custom_class)) return false;
    return !parser_take(parser, K_WITH) || parser_properties(parser, &create->properties);
}

// ---- Functions, aggregates, triggers -----------------------------------------------------------

static bool create_function(struct parser *parser, struct cql_create_function *create)
{
    struct parser_list list = {0};
    if (!parser_if_not_exists(parser, &create->if_not_exists) ||
        !parser_function_name(parser, &create->name) || !parser_expect(parser, TOKEN_OPEN))
        return false;
    if (parser_is_name(parser_peek(parser, 1)) && !type_fields(parser, &list)) return false;
    if (!parser_expect(parser, TOKEN_CLOSE)) return false;
    create->arguments = list.items;
    create->argument_count = list.count;
    create->called_on_null_input = parser_take(parser, K_CALLED);
    if (!create->called_on_null_input) {
        if (!parser_take(parser, K_RETURNS)) return parser_fail_no_viable(parser, 1);
        if (!parser_expect(parser, K_NULL)) return false;
    }
    if (!parser_expect(parser, K_ON) || !parser_expect(parser, K_NULL) ||
        !parser_expect(parser, K_INPUT) || !parser_expect(parser, K_RETURNS))
        return false;
    create->return_type = parser_type(parser);
    if (create->return_type == NULL || !parser_expect(parser, K_LANGUAGE)) return false;
    if (parser_peek(parser, 1) != TOKEN_IDENT) return parser_fail_mismatch(parser, TOKEN_IDENT);
    create->language = parser_take_value(parser);
    return parser_expect(parser, K_AS) && string(parser, &create->body);
}

// "type, …)", maybe none.
static bool argument_types(struct parser *parser, const struct cql_type *const **types,
                           size_t *count)
{
    struct parser_list list = {0};
    if (parser_peek(parser, 1) != TOKEN_CLOSE) {
        do {
            const struct cql_type *type = parser_type(parser);
            if (type == NULL) return false;
            *PARSER_LIST_ADD(parser, &list, const struct cql_type *) = type;
        } while (parser_take(parser, TOKEN_COMMA));
    }
    *types = list.items;
    *count = list.count;
    return parser_expect(parser, TOKEN_CLOSE);
}

static bool allowed_function_name(struct parser *parser, struct slice *name)
{
    if (!parser_is_function_name(parser_peek(parser, 1))) return parser_fail_no_viable(parser, 1);
    *name = parser_take_value(parser);
    return true;
}

static bool create_aggregate(struct parser *parser, struct cql_create_aggregate *create)
{
    if (!parser_if_not_exists(parser, &create->if_not_exists) ||
        !parser_function_name(parser, &create->name) || !parser_expect(parser, TOKEN_OPEN) ||
        !argument_types(parser, &create->arguments, &create->argument_count) ||
        !parser_expect(parser, K_SFUNC) ||
        !allowed_function_name(parser, &create->state_function) || !parser_expect(parser, K_STYPE))
        return false;
    create->state_type = parser_type(parser);
    if (create->state_type == NULL) return false;
    if (parser_take(parser, K_FINALFUNC) && !allowed_function_name(parser, &create->final_function))
        return false;
    if (!parser_take(parser, K_INITCOND)) return true;
    create->initial_condition = parser_term(parser);
    return create->initial_condition != NULL;
}

static bool drop_function(struct parser *parser, struct cql_drop_function *drop)
{
    if (!parser_if_exists(parser, &drop->if_exists) || !parser_function_name(parser, &drop->name))
        return false;
    drop->arguments_given = parser_take(parser, TOKEN_OPEN);
    return !drop->arguments_given ||
           argument_types(parser, &drop->arguments, &drop->argument_count);
}

static bool create_trigger(struct parser *parser, struct cql_trigger *trigger)
{
    return parser_if_not_exists(parser, &trigger->if_not_exists) &&
           parser_column_name(parser, &trigger->name) && parser_expect(parser, K_ON) &&
           parser_table_name(parser, &trigger->table) && parser_expect(parser, K_USING) &&
           string(parser, &trigger->trigger_class);
}

static bool drop_trigger(struct parser *parser, struct cql_trigger *trigger)
{
    return parser_if_exists(parser, &trigger->if_exists) &&
           parser_column_name(parser, &trigger->name) && parser_expect(parser, K_ON) &&
           parser_table_name(parser, &trigger->table);
}

// ---- Which statement ---------------------------------------------------------------------------

// What "CREATE OR REPLACE" may be followed by.
static bool create_or_replace(struct parser *parser, struct cql_statement_ast *statement)
{
    if (parser_peek(parser, 3) != K_REPLACE) return parser_fail_no_viable(parser, 3);
    enum token_kind what = parser_peek(parser, 4);
    if (what != K_FUNCTION && what != K_AGGREGATE) return parser_fail_no_viable(parser, 4);
    parser->index += 4;
    if (what == K_FUNCTION) {
        statement->kind = CQL_AST_CREATE_FUNCTION;
        statement->create_function.or_replace = true;
        return create_function(parser, &statement->create_function);
    }
    statement->kind = CQL_AST_CREATE_AGGREGATE;
    statement->create_aggregate.or_replace = true;
    return create_aggregate(parser, &statement->create_aggregate);
}

// CREATE (CUSTOM)? INDEX, standing behind CREATE.
static bool create_any_index(struct parser *parser, struct cql_statement_ast *statement)
{
    statement->kind = CQL_AST_CREATE_INDEX;
    statement->create_index.is_custom = parser_take(parser, K_CUSTOM);
    return parser_expect(parser, K_INDEX) && create_index(parser, &statement->create_index);
}

// Stands on CREATE.
bool parser_create(struct parser *parser, struct cql_statement_ast *statement)
{
    enum token_kind what = parser_peek(parser, 2);
    if (what == K_OR) return create_or_replace(parser, statement);
    if (what == K_CUSTOM || what == K_INDEX) {
        parser_skip(parser);
        return create_any_index(parser, statement);
    }
    uint32_t words = what == K_MATERIALIZED ? 3 : 2;
    switch (what) {
    case K_KEYSPACE:
        statement->kind = CQL_AST_CREATE_KEYSPACE;
        parser->index += words;
        return create_keyspace(parser, &statement->keyspace);
    case K_COLUMNFAMILY:
        statement->kind = CQL_AST_CREATE_TABLE;
        parser->index += words;
        return parser_create_table(parser, &statement->create_table);
    case K_TYPE:
        statement->kind = CQL_AST_CREATE_TYPE;
        parser->index += words;
        return create_type(parser, &statement->create_type);
    case K_MATERIALIZED:
        statement->kind = CQL_AST_CREATE_VIEW;
        parser->index += 2;
        return parser_expect(parser, K_VIEW) && parser_create_view(parser, &statement->create_view);
    case K_FUNCTION:
        statement->kind = CQL_AST_CREATE_FUNCTION;
        parser->index += words;
        return create_function(parser, &statement->create_function);
    case K_AGGREGATE:
        statement->kind = CQL_AST_CREATE_AGGREGATE;
        parser->index += words;
        return create_aggregate(parser, &statement->create_aggregate);
    case K_TRIGGER:
        statement->kind = CQL_AST_CREATE_TRIGGER;
        parser->index += words;
        return create_trigger(parser, &statement->trigger);
    case K_ROLE:
        statement->kind = CQL_AST_CREATE_ROLE;
        parser->index += words;
        return parser_create_role(parser, &statement->role);
    case K_USER:
        statement->kind = CQL_AST_CREATE_USER;
        parser->index += words;
        return parser_create_user(parser, &statement->role);
    default:
        return parser_fail_no_viable(parser, 2);
    }
}

// Stands on ALTER.
bool parser_alter(struct parser *parser, struct cql_statement_ast *statement)
{
    enum token_kind what = parser_peek(parser, 2);
    switch (what) {
    case K_KEYSPACE:
        statement->kind = CQL_AST_ALTER_KEYSPACE;
        parser->index += 2;
        return alter_keyspace(parser, &statement->keyspace);
    case K_COLUMNFAMILY:
        statement->kind = CQL_AST_ALTER_TABLE;
        parser->index += 2;
        return parser_alter_table(parser, &statement->alter_table);
    case K_TYPE:
        statement->kind = CQL_AST_ALTER_TYPE;
        parser->index += 2;
        return alter_type(parser, &statement->alter_type);
    case K_MATERIALIZED:
        statement->kind = CQL_AST_ALTER_VIEW;
        parser->index += 2;
        return parser_expect(parser, K_VIEW) &&
               parser_if_exists(parser, &statement->alter_view.if_exists) &&
               parser_table_name(parser, &statement->alter_view.name) &&
               parser_expect(parser, K_WITH) &&
               parser_properties(parser, &statement->alter_view.properties);
    case K_ROLE:
        statement->kind = CQL_AST_ALTER_ROLE;
        parser->index += 2;
        return parser_alter_role(parser, &statement->role);
    case K_USER:
        statement->kind = CQL_AST_ALTER_USER;
        parser->index += 2;
        return parser_alter_user(parser, &statement->role);
    default:
        return parser_fail_no_viable(parser, 2);
    }
}

// Index names are qualified, but unlike tables' the next token plays no part in reading them.
static bool index_name(struct parser *parser, struct cql_qualified_name *name)
{
    if (parser_is_name(parser_peek(parser, 1)) && parser_peek(parser, 2) == TOKEN_DOT) {
        name->keyspace = parser_take_value(parser);
        parser_skip(parser);
    }
    if (parser_peek(parser, 1) == TOKEN_QMARK)
        return parser_fail_text(parser, "Bind variables cannot be used for index names");
    return parser_name(parser, &name->name);
}

static bool drop_keyspace(struct parser *parser, struct cql_drop *drop)
{
    return parser_if_exists(parser, &drop->if_exists) &&
           parser_keyspace_name(parser, &drop->name.keyspace);
}

// Stands on DROP.
bool parser_drop(struct parser *parser, struct cql_statement_ast *statement)
{
    enum token_kind what = parser_peek(parser, 2);
    struct cql_drop *drop = &statement->drop;
    switch (what) {
    case K_KEYSPACE:
        statement->kind = CQL_AST_DROP_KEYSPACE;
        parser->index += 2;
        return drop_keyspace(parser, drop);
    case K_COLUMNFAMILY:
        statement->kind = CQL_AST_DROP_TABLE;
        parser->index += 2;
        return parser_if_exists(parser, &drop->if_exists) && parser_table_name(parser, &drop->name);
    case K_TYPE:
        statement->kind = CQL_AST_DROP_TYPE;
        parser->index += 2;
        return parser_if_exists(parser, &drop->if_exists) &&
               parser_user_type_name(parser, &drop->name);
    case K_INDEX:
        statement->kind = CQL_AST_DROP_INDEX;
        parser->index += 2;
        return parser_if_exists(parser, &drop->if_exists) && index_name(parser, &drop->name);
    case K_MATERIALIZED:
        statement->kind = CQL_AST_DROP_VIEW;
        parser->index += 2;
        return parser_expect(parser, K_VIEW) && parser_if_exists(parser, &drop->if_exists) &&
               parser_table_name(parser, &drop->name);
    case K_FUNCTION:
    case K_AGGREGATE:
        statement->kind = what == K_FUNCTION ? CQL_AST_DROP_FUNCTION : CQL_AST_DROP_AGGREGATE;
        parser->index += 2;
        return drop_function(parser, &statement->drop_function);
    case K_TRIGGER:
        statement->kind = CQL_AST_DROP_TRIGGER;
        parser->index += 2;
        return drop_trigger(parser, &statement->trigger);
    case K_ROLE:
    case K_USER:
        statement->kind = what == K_ROLE ? CQL_AST_DROP_ROLE : CQL_AST_DROP_USER;
        parser->index += 2;
        if (!parser_if_exists(parser, &statement->role.if_exists)) return false;
        return what == K_ROLE ? parser_role_name(parser, &statement->role.role)
                              : parser_user_name(parser, &statement->role.role);
    case K_IDENTITY:
        parser->index += 2;
        return parser_identity(parser, statement, false);
    default:
        return parser_fail_no_viable(parser, 2);
    }
}
