#include "cql/auth/permission.h"

#include "cql/auth/resource.h"
#include "cql/statement/analysis.h"
#include "cql/statement/plan.h"
#include "cql/system/system_definitions.h"

static bool is_one_of(struct slice name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equals(name, slice_of_text(names[i]))) return true;
    return false;
}

#define IS_ONE_OF(name, names) is_one_of(name, names, sizeof(names) / sizeof(names)[0])

const char *permission_name(uint32_t permission)
{
    static const char *const names[] = {
#define X(name) #name,
        ROLE_PERMISSION_MAP(X)
#undef X
    };
    for (size_t i = 0; i < ROLE_PERMISSION_COUNT; i++)
        if ((permission & 1u << i) != 0) return names[i];
    return "";
}

const char *permission_names(struct arena *arena, uint32_t permissions)
{
    const char *text = "";
    for (uint32_t bit = 1; bit <= permissions; bit <<= 1)
        if ((permissions & bit) != 0)
            text = arena_format(arena, "%s%s%s", text, *text == '\0' ? "" : ", ",
                                permission_name(bit));
    return text;
}

// ---- The user -----------------------------------------------------------------------------------

const struct role *permission_role(const struct permission_user *user)
{
    return roles_find(metadata_roles(user->processor->metadata), user->name);
}

bool permission_is_superuser(const struct permission_user *user)
{
    const struct role *role = permission_role(user);
    return role != NULL && roles_is_superuser(role);
}

static bool has_on(const struct role *const *inherited, size_t count, uint32_t permission,
                   struct slice resource)
{
    for (size_t i = 0; i < count; i++)
        if ((roles_permissions_on(inherited[i], resource) & permission) != 0) return true;
    return false;
}

bool permission_has(const struct permission_user *user, uint32_t permission, struct slice resource)
{
    if (!user->processor->auth->authorizes) return true;
    const struct role *role = permission_role(user);
    if (role == NULL) return false;
    size_t count;
    const struct role *const *inherited = roles_inherited(role, &count);
    for (size_t i = 0; i < count; i++)
        if (inherited[i]->is_superuser) return true;
    // What is granted on all keyspaces says nothing of the system's own: who could read or write
    // system_auth could make himself a superuser.
    bool is_system = system_definitions_has_keyspace(resource_keyspace(resource));
    do {
        if (has_on(inherited, count, permission, resource)) return true;
    } while (resource_go_up(user->arena, &resource) &&
             (!is_system || resource_keyspace(resource).size > 0));
    return false;
}

bool permission_ensure(const struct permission_user *user, uint32_t permission,
                       struct slice resource)
{
    if (permission_has(user, permission, resource)) return true;
    return cql_error_set(user->error, CQL_ERROR_UNAUTHORIZED,
                         "User %.*s has no %s permission on %s or any of its parents",
                         SLICE_TEXT(user->name), permission_name(permission),
                         resource_text(user->arena, resource));
}

// ---- The system's own keyspaces -----------------------------------------------------------------

static const char *const local_keyspaces[] = {"system", "system_schema"};
static const char *const replicated_keyspaces[] = {"system_auth", "system_distributed",
                                                   "system_traces"};

bool permission_is_system_keyspace(struct slice keyspace)
{
    return IS_ONE_OF(keyspace, local_keyspaces) || IS_ONE_OF(keyspace, replicated_keyspaces);
}

// What drivers and cqlsh need is everybody's (ClientState.READABLE_SYSTEM_RESOURCES).
static bool is_readable(struct slice keyspace, struct slice table)
{
    static const char *const keyspaces[] = {"system_schema", "system_virtual_schema",
                                            "system_traces"};
    static const char *const tables[] = {"local", "peers", "peers_v2", "size_estimates",
                                         "table_estimates"};
    if (IS_ONE_OF(keyspace, keyspaces)) return true;
    return slice_equals(keyspace, slice_of_text("system")) && IS_ONE_OF(table, tables);
}

// Nobody changes their definitions, whatever permissions they have.
static bool check_definition(const struct permission_user *user, struct slice keyspace,
                             uint32_t permission, struct slice resource, bool is_keyspace)
{
    if (IS_ONE_OF(keyspace, local_keyspaces))
        return cql_error_set(user->error, CQL_ERROR_UNAUTHORIZED,
                             "%.*s keyspace is not user-modifiable.", SLICE_TEXT(keyspace));
    if (!IS_ONE_OF(keyspace, replicated_keyspaces)) return true;
    if (permission == ROLE_MAY_ALTER && is_keyspace) return true;
    return cql_error_set(user->error, CQL_ERROR_UNAUTHORIZED, "Cannot %s %s",
                         permission_name(permission), resource_text(user->arena, resource));
}

// ---- Statements ---------------------------------------------------------------------------------

static bool on_table(const struct permission_user *user, uint32_t permission, struct slice keyspace,
                     struct slice table)
{
    if (permission == ROLE_MAY_SELECT && is_readable(keyspace, table)) return true;
    return permission_ensure(user, permission, resource_of_table(user->arena, keyspace, table));
}

static bool change_of_table(const struct permission_user *user, uint32_t permission,
                            struct slice keyspace, struct slice table)
{
    struct slice resource = resource_of_table(user->arena, keyspace, table);
    return check_definition(user, keyspace, permission, resource, false) &&
           permission_ensure(user, permission, resource);
}

static bool change_of_all_tables(const struct permission_user *user, uint32_t permission,
                                 struct slice keyspace)
{
    struct slice resource = resource_of_all_tables(user->arena, keyspace);
    return check_definition(user, keyspace, permission, resource, false) &&
           permission_ensure(user, permission, resource);
}

static bool change_of_keyspace(const struct permission_user *user, uint32_t permission,
                               struct slice keyspace)
{
    struct slice resource = resource_of_keyspace(user->arena, keyspace);
    return check_definition(user, keyspace, permission, resource, true) &&
           permission_ensure(user, permission, resource);
}

static bool check_modification(const struct permission_user *user,
                               const struct modification_plan *plan)
{
    struct slice keyspace = plan->table->keyspace, table = plan->table->name;
    if (!on_table(user, ROLE_MAY_MODIFY, keyspace, table)) return false;
    return !plan->is_conditional || on_table(user, ROLE_MAY_SELECT, keyspace, table);
}

static bool check_batch(const struct permission_user *user, const struct batch_plan *plan)
{
    for (size_t i = 0; i < plan->part_count; i++)
        if (!check_modification(user, plan->parts[i])) return false;
    return true;
}

// The table whose index it is; NULL: none, which the statement says itself.
static const struct table *find_index(const struct permission_user *user, struct slice keyspace,
                                      struct slice name)
{
    const struct schema *schema = metadata_schema(user->processor->metadata);
    const struct table *table;
    for (size_t t = 0; (table = schema_table_at(schema, keyspace, t)) != NULL; t++)
        for (size_t i = 0; i < table->index_count; i++)
            if (slice_equals(table->indexes[i].name, name)) return table;
    return NULL;
}

static bool check_drop_index(const struct permission_user *user, struct slice keyspace,
                             struct slice name)
{
    const struct table *table = find_index(user, keyspace, name);
    return table == NULL || change_of_table(user, ROLE_MAY_ALTER, keyspace, table->name);
}

static bool check_trigger(const struct permission_user *user, const char *what)
{
    if (permission_is_superuser(user)) return true;
    return cql_error_set(user->error, CQL_ERROR_UNAUTHORIZED,
                         "Only superusers are allowed to perform %s TRIGGER queries", what);
}

// The keyspace that a name means. Null: none, which the statement says itself.
static struct slice keyspace_of(const struct statement *statement,
                                const struct cql_qualified_name *name)
{
    if (name->keyspace.size > 0) return name->keyspace;
    return statement->plan->keyspace.size > 0 ? statement->plan->keyspace : slice_null();
}

static bool check_table_change(const struct permission_user *user,
                               const struct statement *statement, uint32_t permission,
                               const struct cql_qualified_name *name)
{
    struct slice keyspace = keyspace_of(statement, name);
    return slice_is_null(keyspace) || change_of_table(user, permission, keyspace, name->name);
}

static bool check_type_change(const struct permission_user *user, const struct statement *statement,
                              uint32_t permission, const struct cql_qualified_name *name)
{
    struct slice keyspace = keyspace_of(statement, name);
    return slice_is_null(keyspace) || change_of_all_tables(user, permission, keyspace);
}

static bool check_functions(const struct permission_user *user, const struct statement *statement,
                            const struct cql_qualified_name *name)
{
    struct slice keyspace = keyspace_of(statement, name);
    return slice_is_null(keyspace) ||
           permission_ensure(user, ROLE_MAY_CREATE, resource_of_functions(user->arena, keyspace));
}

static bool check_schema_rest(const struct permission_user *user, const struct statement *statement,
                              const struct cql_statement_ast *ast)
{
    struct slice keyspace;
    switch (ast->kind) {
    case CQL_AST_CREATE_INDEX:
        return check_table_change(user, statement, ROLE_MAY_ALTER, &ast->create_index.table);
    case CQL_AST_DROP_INDEX:
        keyspace = keyspace_of(statement, &ast->drop.name);
        return slice_is_null(keyspace) || check_drop_index(user, keyspace, ast->drop.name.name);
    case CQL_AST_CREATE_VIEW:
        return check_table_change(user, statement, ROLE_MAY_ALTER, &ast->create_view.base_table);
    case CQL_AST_CREATE_FUNCTION:
        return check_functions(user, statement, &ast->create_function.name);
    case CQL_AST_CREATE_AGGREGATE:
        return check_functions(user, statement, &ast->create_aggregate.name);
    case CQL_AST_CREATE_TRIGGER:
        return check_trigger(user, "CREATE");
    case CQL_AST_DROP_TRIGGER:
        return check_trigger(user, "DROP");
    default:
        return true; // There are no views and no functions of users.
    }
}

static bool check_schema(const struct permission_user *user, const struct statement *statement)
{
    const struct cql_statement_ast *ast = statement->plan->ast;
    switch (ast->kind) {
    case CQL_AST_CREATE_KEYSPACE:
        return permission_ensure(user, ROLE_MAY_CREATE, slice_of_text("data"));
    case CQL_AST_ALTER_KEYSPACE:
        return change_of_keyspace(user, ROLE_MAY_ALTER, ast->keyspace.keyspace);
    case CQL_AST_DROP_KEYSPACE:
        return change_of_keyspace(user, ROLE_MAY_DROP, ast->drop.name.keyspace);
    case CQL_AST_CREATE_TABLE:
        return check_type_change(user, statement, ROLE_MAY_CREATE, &ast->create_table.table);
    case CQL_AST_ALTER_TABLE:
        return check_table_change(user, statement, ROLE_MAY_ALTER, &ast->alter_table.table);
    case CQL_AST_DROP_TABLE:
        return check_table_change(user, statement, ROLE_MAY_DROP, &ast->drop.name);
    case CQL_AST_CREATE_TYPE:
        return check_type_change(user, statement, ROLE_MAY_CREATE, &ast->create_type.name);
    case CQL_AST_ALTER_TYPE:
        return check_type_change(user, statement, ROLE_MAY_ALTER, &ast->alter_type.name);
    case CQL_AST_DROP_TYPE:
        return check_type_change(user, statement, ROLE_MAY_DROP, &ast->drop.name);
    default:
        return check_schema_rest(user, statement, ast);
    }
}

bool permission_check(const struct permission_user *user, const struct statement *statement)
{
    const struct statement_plan *plan = statement->plan;
    const struct table *table;
    switch (statement->kind) {
    case STATEMENT_SELECT:
        table = plan->select.table;
        return on_table(user, ROLE_MAY_SELECT, table->keyspace, table->name);
    case STATEMENT_MODIFICATION:
        return check_modification(user, &plan->modification);
    case STATEMENT_BATCH:
        return check_batch(user, &plan->batch);
    case STATEMENT_TRUNCATE:
        table = plan->truncate;
        return on_table(user, ROLE_MAY_MODIFY, table->keyspace, table->name);
    case STATEMENT_SCHEMA:
        return check_schema(user, statement);
    case STATEMENT_USE:
    case STATEMENT_DESCRIBE:
    case STATEMENT_ROLE:
        return true;
    }
    return true;
}
