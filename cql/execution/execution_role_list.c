// LIST ROLES, LIST USERS and LIST PERMISSIONS: rows made at once, from the roles in memory. Without
// any row the answer is Void, as Cassandra's.
#include "base/bytes.h"
#include "cql/auth/resource.h"
#include "cql/execution/execution.h"
#include "cql/execution/execution_role.h"
#include "cql/statement/analysis.h"

#include <stdlib.h>

struct role_list {
    struct execution *execution;
    const struct permission_user *user;
    const struct cql_statement_ast *ast;
};

static void set_columns(struct role_list *list, const char *table, const char *const *names,
                        const struct type *const *types, uint16_t count)
{
    struct result *result = &list->execution->result;
    struct column_spec *columns =
        ARENA_NEW_ARRAY(&list->execution->arena, struct column_spec, count);
    for (uint16_t i = 0; i < count; i++)
        columns[i] = (struct column_spec){slice_of_text("system_auth"), slice_of_text(table),
                                          slice_of_text(names[i]), types[i]};
    result->columns = columns;
    result->column_count = count;
}

static void finish(struct role_list *list)
{
    bool has_rows = list->execution->result.row_count > 0;
    execution_succeed(list->execution, has_rows ? RESULT_ROWS : RESULT_VOID);
}

static void put_bool(struct role_list *list, bool value)
{
    uint8_t byte = value ? 1 : 0;
    execution_put_value(list->execution, slice_make(&byte, 1));
}

// ---- Roles and users ----------------------------------------------------------------------------

static void put_role(struct role_list *list, const struct role *role)
{
    bool is_users = list->ast->kind == CQL_AST_LIST_USERS;
    if (is_users && !role->can_login) return;
    list->execution->result.row_count++;
    execution_put_value(list->execution, role->name);
    put_bool(list, is_users ? roles_is_superuser(role) : role->is_superuser);
    if (!is_users) {
        static const uint8_t no_entries[4] = {0};
        put_bool(list, role->can_login);
        execution_put_value(list->execution, slice_make(no_entries, sizeof no_entries));
    }
    execution_put_text(list->execution, "ALL");
}

static int compare_roles(const void *a, const void *b)
{
    const struct role *const *left = a, *const *right = b;
    return slice_compare((*left)->name, (*right)->name);
}

// The role, and what it is a member of: directly, or all.
static const struct role **roles_of(struct role_list *list, const struct role *role,
                                    bool is_recursive, size_t *count)
{
    const struct role *const *inherited = roles_inherited(role, count);
    const struct role **roles =
        ARENA_NEW_ARRAY(&list->execution->arena, const struct role *, *count);
    if (is_recursive) {
        memcpy(roles, inherited, *count * sizeof *roles);
    } else {
        *count = 1 + role->member_of_count;
        roles[0] = role;
        for (size_t i = 0; i < role->member_of_count; i++)
            roles[i + 1] = role->member_of[i];
    }
    qsort(roles, *count, sizeof *roles, compare_roles);
    return roles;
}

static void put_roles_of(struct role_list *list, const struct role *role)
{
    if (role == NULL) return;
    size_t count;
    const struct role **roles = roles_of(list, role, !list->ast->role.no_recursive, &count);
    for (size_t i = 0; i < count; i++)
        put_role(list, roles[i]);
}

static bool is_own(const struct role_list *list, struct slice name)
{
    const struct role *own = permission_role(list->user);
    size_t count = 0;
    const struct role *const *inherited = own == NULL ? NULL : roles_inherited(own, &count);
    for (size_t i = 0; i < count; i++)
        if (slice_equals(inherited[i]->name, name)) return true;
    return false;
}

static void list_roles(struct role_list *list)
{
    const struct roles *roles = metadata_roles(list->execution->processor->metadata);
    struct slice of = list->ast->role.role;
    bool sees_all = permission_has(list->user, ROLE_MAY_DESCRIBE, slice_of_text("roles"));
    if (of.size > 0) {
        if (!sees_all && !is_own(list, of)) {
            cql_error_set(&list->execution->error, CQL_ERROR_UNAUTHORIZED,
                          "You are not authorized to view roles granted to %.*s ", SLICE_TEXT(of));
            execution_fail(list->execution);
            return;
        }
        put_roles_of(list, roles_find(roles, of));
    } else if (!sees_all) {
        put_roles_of(list, permission_role(list->user));
    } else {
        const struct role *role;
        for (size_t i = 0; (role = roles_at(roles, i)) != NULL; i++)
            put_role(list, role);
    }
    finish(list);
}

// ---- Permissions --------------------------------------------------------------------------------

static void put_permissions(struct role_list *list, const struct role *role,
                            const struct role_permissions *on)
{
    const struct cql_role_statement *raw = &list->ast->role;
    struct execution *execution = list->execution;
    const char *resource = resource_text(&execution->arena, on->resource);
    for (uint32_t bit = 1; bit < ROLE_MAY_ALL; bit <<= 1) {
        if ((on->permissions & bit) == 0) continue;
        struct slice name = slice_of_text(permission_name(bit));
        bool is_wanted = raw->all_permissions;
        for (size_t i = 0; i < raw->permissions.count; i++)
            is_wanted |= slice_equals(raw->permissions.items[i], name);
        if (!is_wanted) continue;
        execution->result.row_count++;
        execution_put_value(execution, role->name);
        execution_put_value(execution, role->name);
        execution_put_text(execution, resource);
        execution_put_value(execution, name);
    }
}

// `resource`: null, or the one that is asked for; then those above it count too.
static bool is_asked_for(struct role_list *list, struct slice resource, struct slice at)
{
    if (slice_is_null(resource)) return true;
    do {
        if (slice_equals(resource, at)) return true;
    } while (!list->ast->role.no_recursive && resource_go_up(&list->execution->arena, &resource));
    return false;
}

static void list_permissions_of(struct role_list *list, const struct role *role,
                                struct slice resource)
{
    for (size_t i = 0; i < role->permissions_count; i++)
        if (is_asked_for(list, resource, role->permissions[i].resource))
            put_permissions(list, role, &role->permissions[i]);
}

// Their own, and those of whom they may describe.
static bool sees_permissions(struct role_list *list, struct slice of)
{
    struct slice all = slice_of_text("roles");
    if (of.size > 0 && is_own(list, of)) return true;
    return permission_has(list->user, ROLE_MAY_DESCRIBE,
                          of.size == 0 ? all : resource_of_role(list->user->arena, of));
}

static void list_permissions(struct role_list *list)
{
    struct execution *execution = list->execution;
    const struct roles *roles = metadata_roles(execution->processor->metadata);
    struct slice of = list->ast->role.role, resource;
    // It was read once already, by the check.
    if (!resource_of_ast(&execution->arena, &list->ast->role.resource,
                         execution->statement->plan->keyspace, &resource, &execution->error)) {
        execution_fail(execution);
        return;
    }
    if (!sees_permissions(list, of)) {
        cql_error_set(&execution->error, CQL_ERROR_UNAUTHORIZED,
                      "You are not authorized to view %.*s's permissions",
                      of.size == 0 ? 8 : (int)of.size,
                      of.size == 0 ? "everyone" : (const char *)of.data);
        execution_fail(execution);
        return;
    }
    const struct role *role = of.size == 0 ? NULL : roles_find(roles, of);
    size_t count = 0;
    const struct role **some = role == NULL ? NULL : roles_of(list, role, true, &count);
    for (size_t i = 0; i < count; i++)
        list_permissions_of(list, some[i], resource);
    for (size_t i = 0; of.size == 0 && (role = roles_at(roles, i)) != NULL; i++)
        list_permissions_of(list, role, resource);
    finish(list);
}

void execution_role_list(struct execution *execution, const struct permission_user *user)
{
    static const char *const of_roles[] = {"role", "super", "login", "options", "datacenters"};
    static const char *const of_users[] = {"name", "super", "datacenters"};
    static const char *const of_permissions[] = {"role", "username", "resource", "permission"};
    struct role_list list = {execution, user, execution->statement->plan->ast};
    const struct type *text = type_of_kind(TYPE_TEXT), *boolean = type_of_kind(TYPE_BOOLEAN);
    const struct type *map = type_make_map(&execution->arena, text, text, false);
    switch (list.ast->kind) {
    case CQL_AST_LIST_ROLES:
        set_columns(&list, "roles", of_roles,
                    (const struct type *const[]){text, boolean, boolean, map, text}, 5);
        list_roles(&list);
        break;
    case CQL_AST_LIST_USERS:
        set_columns(&list, "users", of_users, (const struct type *const[]){text, boolean, text}, 3);
        list_roles(&list);
        break;
    default:
        set_columns(&list, "permissions", of_permissions,
                    (const struct type *const[]){text, text, text, text}, 4);
        list_permissions(&list);
        break;
    }
}
