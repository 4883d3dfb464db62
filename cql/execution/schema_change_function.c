// Functions and aggregates of users, and triggers: a default Cassandra has none, and refuses them
// in these words.
#include "cql/execution/schema_change.h"

#include "cql/parser/ast_text.h"

static bool schema_change_check_modifiable(struct analysis *analysis, struct slice keyspace)
{
    bool is_system = slice_equals(keyspace, slice_of_text("system")) ||
                     slice_equals(keyspace, slice_of_text("system_schema"));
    return !is_system ||
           cql_error_set(analysis->error, CQL_ERROR_INVALID,
                         "System keyspace '%.*s' is not user-modifiable", SLICE_TEXT(keyspace));
}

static void schema_change_put_types(const struct cql_type *const *types, size_t count,
                                    struct buffer *text)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0) buffer_put_format(text, ", ");
        ast_text_put_type(types[i], text);
    }
}

static bool schema_change_drop_function(struct analysis *analysis, const char *what,
                                        const struct cql_drop_function *drop)
{
    struct slice keyspace;
    if (!analysis_keyspace_of(analysis, &drop->name, &keyspace) ||
        !schema_change_check_modifiable(analysis, keyspace))
        return false;
    if (drop->if_exists) return true;
    struct buffer arguments;
    buffer_init(&arguments, CQL_ERROR_TEXT_SIZE);
    if (drop->arguments_given) {
        buffer_put_u8(&arguments, '(');
        schema_change_put_types(drop->arguments, drop->argument_count, &arguments);
        buffer_put_u8(&arguments, ')');
    }
    cql_error_set(analysis->error, CQL_ERROR_INVALID, "%s '%.*s.%.*s%.*s' doesn't exist", what,
                  SLICE_TEXT(keyspace), SLICE_TEXT(drop->name.name),
                  SLICE_TEXT(buffer_slice(&arguments)));
    buffer_deinit(&arguments);
    return false;
}

static bool schema_change_check_replace(struct analysis *analysis, bool or_replace,
                                        bool if_not_exists)
{
    return !or_replace || !if_not_exists ||
           cql_error_set(analysis->error, CQL_ERROR_INVALID,
                         "Cannot use both 'OR REPLACE' and 'IF NOT EXISTS' directives");
}

// Its state function would be a user's.
static bool schema_change_create_aggregate(struct analysis *analysis,
                                           const struct cql_create_aggregate *create)
{
    struct slice keyspace;
    if (!analysis_keyspace_of(analysis, &create->name, &keyspace) ||
        !schema_change_check_modifiable(analysis, keyspace) ||
        !schema_change_check_replace(analysis, create->or_replace, create->if_not_exists))
        return false;
    if (analysis_lookup_keyspace(analysis->processor, keyspace) == NULL)
        return cql_error_set(analysis->error, CQL_ERROR_CONFIG, "Keyspace %.*s doesn't exist",
                             SLICE_TEXT(keyspace));
    struct buffer types;
    buffer_init(&types, CQL_ERROR_TEXT_SIZE);
    schema_change_put_types(&create->state_type, 1, &types);
    if (create->argument_count > 0) buffer_put_format(&types, ", ");
    schema_change_put_types(create->arguments, create->argument_count, &types);
    cql_error_set(analysis->error, CQL_ERROR_INVALID,
                  "State function %.*s.%.*s(%.*s) doesn't exist", SLICE_TEXT(keyspace),
                  SLICE_TEXT(create->state_function), SLICE_TEXT(buffer_slice(&types)));
    buffer_deinit(&types);
    return false;
}

static bool schema_change_create_trigger(struct analysis *analysis,
                                         const struct cql_trigger *trigger)
{
    struct slice keyspace;
    if (!analysis_keyspace_of(analysis, &trigger->table, &keyspace)) return false;
    if (analysis_lookup_table(analysis->processor, keyspace, trigger->table.name) == NULL)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID, "Table '%.*s' doesn't exist",
                             SLICE_TEXT(trigger->table.name));
    return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                         "Trigger class '%.*s' couldn't be loaded",
                         SLICE_TEXT(trigger->trigger_class));
}

static bool schema_change_drop_trigger(struct analysis *analysis, const struct cql_trigger *trigger)
{
    struct slice keyspace;
    if (!analysis_keyspace_of(analysis, &trigger->table, &keyspace)) return false;
    return trigger->if_exists ||
           cql_error_set(analysis->error, CQL_ERROR_INVALID,
                         "Trigger '%.*s' on '%.*s.%.*s' doesn't exist", SLICE_TEXT(trigger->name),
                         SLICE_TEXT(keyspace), SLICE_TEXT(trigger->table.name));
}

bool schema_change_function(struct analysis *analysis, const struct cql_statement_ast *ast)
{
    switch (ast->kind) {
    case CQL_AST_CREATE_AGGREGATE:
        return schema_change_create_aggregate(analysis, &ast->create_aggregate);
    case CQL_AST_DROP_FUNCTION:
        return schema_change_drop_function(analysis, "Function", &ast->drop_function);
    case CQL_AST_DROP_AGGREGATE:
        return schema_change_drop_function(analysis, "Aggregate", &ast->drop_function);
    case CQL_AST_CREATE_TRIGGER:
        return schema_change_create_trigger(analysis, &ast->trigger);
    case CQL_AST_DROP_TRIGGER:
        return schema_change_drop_trigger(analysis, &ast->trigger);
    default:
        if (ast->kind == CQL_AST_CREATE_FUNCTION &&
            !schema_change_check_replace(analysis, ast->create_function.or_replace,
                                         ast->create_function.if_not_exists))
            return false;
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "User-defined functions are disabled in cassandra.yaml - set "
                             "user_defined_functions_enabled=true to enable");
    }
}
