// Statements about roles against the roles as they are: the permissions that they need, what is
// refused in Cassandra's words and order, and the change that remains.
#include "base/limits.h"
#include "cql/auth/resource.h"
#include "cql/execution/execution_role.h"
#include "cql/statement/analysis.h"
#include "cql/statement/plan.h"

#define ROLE_MANAGER "org.apache.cassandra.auth.CassandraRoleManager"

const struct cql_property *role_option(const struct cql_role_statement *role, const char *name)
{
    for (size_t i = 0; i < role->options.count; i++)
        if (slice_equals(role->options.items[i].name, slice_of_text(name)))
            return &role->options.items[i];
    return NULL;
}

static bool is_true(const struct cql_property *option)
{
    return option->value.size == 4; // "true", in any case.
}

static bool refuse(const struct permission_user *user, enum cql_error_code code, const char *text)
{
    return cql_error_set(user->error, code, "%s", text);
}

static bool is_there(const struct permission_user *user, struct slice role)
{
    return roles_find(metadata_roles(user->processor->metadata), role) != NULL;
}

static bool has_role(const struct permission_user *user, struct slice name)
{
    const struct role *role = permission_role(user);
    if (role == NULL) return false;
    size_t count;
    const struct role *const *inherited = roles_inherited(role, &count);
    for (size_t i = 0; i < count; i++)
        if (slice_equals(inherited[i]->name, name)) return true;
    return false;
}

// Those that the statement names, as bits.
static uint32_t named_permissions(const struct cql_role_statement *role)
{
    if (role->all_permissions) return ROLE_MAY_ALL;
    uint32_t permissions = 0;
    for (size_t i = 0; i < role->permissions.count; i++)
        for (uint32_t bit = 1; bit < ROLE_MAY_ALL; bit <<= 1)
            if (slice_equals(role->permissions.items[i], slice_of_text(permission_name(bit))))
                permissions |= bit;
    return permissions;
}

// ---- Options ------------------------------------------------------------------------------------

static bool check_data_centers(const struct permission_user *user,
                               const struct cql_role_statement *role)
{
    const struct cql_property *option = role_option(role, "ACCESS TO DATACENTERS");
    if (option == NULL || !option->is_map) return true;
    const struct topology *topology = metadata_topology(user->processor->metadata);
    const char *own = user->processor->data_center, *names = "";
    bool is_wrong = false;
    for (size_t i = 0; i < option->entry_count; i++) {
        struct slice name = option->entries[i].key;
        bool is_known = slice_equals(name, slice_of_text(own == NULL ? "datacenter1" : own));
        for (uint16_t m = 0; topology != NULL && m < topology->member_count && !is_known; m++)
            is_known = slice_equals(name, slice_of_text(topology->members[m].data_center));
        is_wrong |= !is_known;
        names = arena_format(user->arena, "%s%s%.*s", names, i == 0 ? "" : ", ", SLICE_TEXT(name));
    }
    if (!is_wrong) return true;
    return cql_error_set(user->error, CQL_ERROR_INVALID,
                         "Invalid value(s) for DATACENTERS '[%s]',All values must be valid "
                         "datacenters",
                         names);
}

// There are no groups of addresses.
static bool check_cidrs(const struct permission_user *user, const struct cql_role_statement *role)
{
    const struct cql_property *option = role_option(role, "ACCESS FROM CIDRS");
    if (option == NULL || !option->is_map) return true;
    const char *names = "";
    for (size_t i = 0; i < option->entry_count; i++)
        names = arena_format(user->arena, "%s%s%.*s", names, i == 0 ? "" : ", ",
                             SLICE_TEXT(option->entries[i].key));
    return cql_error_set(user->error, CQL_ERROR_INVALID,
                         "Invalid CIDR group(s): [%s]. Available CIDR Groups are: []", names);
}

static bool check_options(const struct permission_user *user, const struct cql_role_statement *role)
{
    const struct cql_property *hashed = role_option(role, "HASHED PASSWORD");
    if (role_option(role, "OPTIONS") != NULL)
        return refuse(user, CQL_ERROR_INVALID, ROLE_MANAGER " doesn't support OPTIONS");
    if (hashed != NULL && !auth_is_hash(hashed->value))
        return refuse(user, CQL_ERROR_INVALID,
                      "Invalid hashed password value. Please use jBcrypt.");
    return true;
}

// ---- What is allowed ----------------------------------------------------------------------------

// "A more friendly message."
static bool ensure(const struct permission_user *user, uint32_t permission, struct slice resource)
{
    if (permission_has(user, permission, resource)) return true;
    return cql_error_set(user->error, CQL_ERROR_UNAUTHORIZED,
                         "User %.*s does not have sufficient privileges to perform the requested "
                         "operation",
                         SLICE_TEXT(user->name));
}

static bool allow_create(const struct permission_user *user, const struct cql_role_statement *role)
{
    const struct cql_property *superuser = role_option(role, "SUPERUSER");
    if (!ensure(user, ROLE_MAY_CREATE, slice_of_text("roles"))) return false;
    if (superuser == NULL || !is_true(superuser) || permission_is_superuser(user)) return true;
    return refuse(user, CQL_ERROR_UNAUTHORIZED,
                  "Only superusers can create a role with superuser status");
}

// A role may change its own password, and nothing else of itself.
static bool allow_alter_self(const struct permission_user *user,
                             const struct cql_role_statement *role)
{
    for (size_t i = 0; i < role->options.count; i++) {
        struct slice name = role->options.items[i].name;
        if (slice_equals(name, slice_of_text("PASSWORD")) ||
            slice_equals(name, slice_of_text("HASHED PASSWORD")))
            continue;
        return cql_error_set(user->error, CQL_ERROR_UNAUTHORIZED,
                             "You aren't allowed to alter %.*s", SLICE_TEXT(name));
    }
    return true;
}

// Where roles may log in is for superusers to say.
static bool allow_alter_access(const struct permission_user *user,
                               const struct cql_role_statement *role)
{
    if (role_option(role, "ACCESS TO DATACENTERS") != NULL)
        return refuse(user, CQL_ERROR_UNAUTHORIZED,
                      "Only superusers are allowed to alter access to datacenters.");
    if (role_option(role, "ACCESS FROM CIDRS") != NULL)
        return refuse(user, CQL_ERROR_UNAUTHORIZED,
                      "Only superusers are allowed to alter access from CIDR groups.");
    return true;
}

static bool allow_alter(const struct permission_user *user, const struct cql_role_statement *role)
{
    bool is_superuser = permission_is_superuser(user);
    if (role_option(role, "SUPERUSER") != NULL) {
        if (has_role(user, role->role))
            return refuse(user, CQL_ERROR_UNAUTHORIZED,
                          "You aren't allowed to alter your own superuser status or that of a "
                          "role granted to you");
        if (!is_superuser)
            return refuse(user, CQL_ERROR_UNAUTHORIZED,
                          "Only superusers are allowed to alter superuser status");
    }
    if (is_superuser) return true;
    if (!allow_alter_access(user, role)) return false;
    if (slice_equals(user->name, role->role)) return allow_alter_self(user, role);
    return ensure(user, ROLE_MAY_ALTER, resource_of_role(user->arena, role->role));
}

static bool allow_drop(const struct permission_user *user, const struct cql_role_statement *role)
{
    if (!ensure(user, ROLE_MAY_DROP, resource_of_role(user->arena, role->role))) return false;
    const struct role *dropped = roles_find(metadata_roles(user->processor->metadata), role->role);
    if (dropped == NULL || !roles_is_superuser(dropped) || permission_is_superuser(user))
        return true;
    return refuse(user, CQL_ERROR_UNAUTHORIZED,
                  "Only superusers can drop a role with superuser status");
}

// Who grants a permission has it, and may grant on that resource.
static bool allow_permissions(const struct permission_user *user,
                              const struct cql_role_statement *role, struct slice resource)
{
    uint32_t permissions = named_permissions(role) & resource_permissions(resource);
    if (!permission_ensure(user, ROLE_MAY_AUTHORIZE, resource)) return false;
    for (uint32_t bit = 1; bit < ROLE_MAY_ALL; bit <<= 1)
        if ((permissions & bit) != 0 && !permission_ensure(user, bit, resource)) return false;
    if ((permissions & ~PERMISSIONS_OF_SYSTEM) == 0 ||
        !permission_is_system_keyspace(resource_keyspace(resource)))
        return true;
    return refuse(user, CQL_ERROR_UNAUTHORIZED,
                  "Granting permissions on system keyspaces is strictly limited, this operation "
                  "is not permitted");
}

// ---- What makes sense ---------------------------------------------------------------------------

// `format` has one %s, the name.
static bool fail_missing(const struct permission_user *user, const char *format, struct slice name)
{
    const char *at = strstr(format, "%s");
    return cql_error_set(user->error, CQL_ERROR_INVALID, "%.*s%.*s%s", (int)(at - format), format,
                         SLICE_TEXT(name), at + 2);
}

static bool check_create(const struct permission_user *user, const struct cql_role_statement *role)
{
    if (!check_options(user, role)) return false;
    if (role->role.size == 0)
        return refuse(user, CQL_ERROR_INVALID, "Role name can't be an empty string");
    if (role->role.size > ROLE_NAME_SIZE_MAX)
        return refuse(user, CQL_ERROR_INVALID, "The name of the role is too long");
    if (!check_data_centers(user, role) || !check_cidrs(user, role)) return false;
    return role->if_not_exists || !is_there(user, role->role) ||
           fail_missing(user, "%s already exists", role->role);
}

static bool check_alter(const struct permission_user *user, const struct cql_role_statement *role)
{
    if (!check_options(user, role)) return false;
    if (role->options.count == 0)
        return refuse(user, CQL_ERROR_INVALID, "ALTER [ROLE|USER] can't be empty");
    if (!check_data_centers(user, role) || !check_cidrs(user, role)) return false;
    return role->if_exists || is_there(user, role->role) ||
           fail_missing(user, "Role %s doesn't exist", role->role);
}

static bool check_drop(const struct permission_user *user, const struct cql_role_statement *role)
{
    if (!role->if_exists && !is_there(user, role->role))
        return fail_missing(user, "%s doesn't exist", role->role);
    if (!slice_equals(user->name, role->role)) return true;
    return refuse(user, CQL_ERROR_INVALID, "Cannot DROP primary role for current login");
}

static bool check_both(const struct permission_user *user, const struct cql_role_statement *role)
{
    if (!is_there(user, role->granted))
        return fail_missing(user, "%s doesn't exist", role->granted);
    return is_there(user, role->role) || fail_missing(user, "%s doesn't exist", role->role);
}

static bool check_permissions(const struct permission_user *user,
                              const struct cql_role_statement *role, struct slice resource)
{
    if (!is_there(user, role->role)) return fail_missing(user, "Role %s doesn't exist", role->role);
    if (resource.size > ROLE_TEXT_SIZE_MAX)
        return refuse(user, CQL_ERROR_INVALID, "The name of the resource is too long");
    return resource_exists(user->processor, resource) ||
           cql_error_set(user->error, CQL_ERROR_INVALID, "Resource %s doesn't exist",
                         resource_text(user->arena, resource));
}

static bool check_identity(const struct permission_user *user,
                           const struct cql_role_statement *role, bool is_add)
{
    const struct roles *roles = metadata_roles(user->processor->metadata);
    bool exists = roles_find_identity(roles, role->identity) != NULL;
    if (!is_add)
        return exists || role->if_exists ||
               fail_missing(user, "identity '%s' doesn't exist", role->identity);
    if (role->identity.size > ROLE_TEXT_SIZE_MAX)
        return refuse(user, CQL_ERROR_INVALID, "The identity is too long");
    if (!is_there(user, role->role))
        return fail_missing(user, "Can not add identity for non-existent role '%s'", role->role);
    return !exists || role->if_not_exists ||
           fail_missing(user, "%s already exists", role->identity);
}

static bool check_list(const struct permission_user *user, const struct cql_role_statement *role,
                       struct slice resource)
{
    if (!slice_is_null(resource) && !resource_exists(user->processor, resource))
        return cql_error_set(user->error, CQL_ERROR_INVALID, "%s doesn't exist",
                             resource_text(user->arena, resource));
    return role->role.size == 0 || is_there(user, role->role) ||
           fail_missing(user, "<role %s> doesn't exist", role->role);
}

static bool find_resource(const struct permission_user *user, const struct statement *statement,
                          struct slice *resource)
{
    return resource_of_ast(user->arena, &statement->plan->ast->role.resource,
                           statement->plan->keyspace, resource, user->error);
}

bool role_check(const struct permission_user *user, const struct statement *statement)
{
    const struct cql_statement_ast *ast = statement->plan->ast;
    const struct cql_role_statement *role = &ast->role;
    struct slice resource = slice_null();
    if (slice_is_null(user->name))
        return refuse(user, CQL_ERROR_UNAUTHORIZED,
                      "You have to be logged in and not anonymous to perform this request");
    switch (ast->kind) {
    case CQL_AST_CREATE_ROLE:
    case CQL_AST_CREATE_USER:
        return allow_create(user, role) && check_create(user, role);
    case CQL_AST_ALTER_ROLE:
    case CQL_AST_ALTER_USER:
        return allow_alter(user, role) && check_alter(user, role);
    case CQL_AST_DROP_ROLE:
    case CQL_AST_DROP_USER:
        return allow_drop(user, role) && check_drop(user, role);
    case CQL_AST_GRANT_ROLE:
    case CQL_AST_REVOKE_ROLE:
        return ensure(user, ROLE_MAY_AUTHORIZE, resource_of_role(user->arena, role->granted)) &&
               check_both(user, role);
    case CQL_AST_GRANT_PERMISSIONS:
    case CQL_AST_REVOKE_PERMISSIONS:
        if (!user->processor->auth->authorizes)
            return refuse(user, CQL_ERROR_INVALID,
                          ast->kind == CQL_AST_GRANT_PERMISSIONS
                              ? "GRANT operation is not supported by AllowAllAuthorizer"
                              : "REVOKE operation is not supported by AllowAllAuthorizer");
        return find_resource(user, statement, &resource) &&
               allow_permissions(user, role, resource) && check_permissions(user, role, resource);
    case CQL_AST_ADD_IDENTITY:
        return ensure(user, ROLE_MAY_CREATE, slice_of_text("roles")) &&
               check_identity(user, role, true);
    case CQL_AST_DROP_IDENTITY:
        return ensure(user, ROLE_MAY_DROP, slice_of_text("roles")) &&
               check_identity(user, role, false);
    case CQL_AST_LIST_PERMISSIONS:
        if (!user->processor->auth->authorizes)
            return refuse(user, CQL_ERROR_INVALID,
                          "LIST PERMISSIONS operation is not supported by AllowAllAuthorizer");
        return find_resource(user, statement, &resource) && check_list(user, role, resource);
    default:
        return check_list(user, role, slice_null());
    }
}

// ---- Without authentication ---------------------------------------------------------------------

// Which passwords and options there are depends on the authenticator.
static bool refuse_options(const struct permission_user *user,
                           const struct cql_role_statement *role)
{
    static const char *const names[][2] = {
        {"PASSWORD", "PASSWORD"}, {"HASHED PASSWORD", "HASHED_PASSWORD"}, {"OPTIONS", "OPTIONS"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (role_option(role, names[i][0]) != NULL)
            return cql_error_set(user->error, CQL_ERROR_INVALID, ROLE_MANAGER " doesn't support %s",
                                 names[i][1]);
    return true;
}

static bool check_anonymous_create(const struct permission_user *user,
                                   const struct cql_role_statement *role)
{
    const struct cql_property *superuser = role_option(role, "SUPERUSER");
    if (superuser != NULL && is_true(superuser))
        return refuse(user, CQL_ERROR_UNAUTHORIZED,
                      "Only superusers can create a role with superuser status");
    if (!refuse_options(user, role)) return false;
    if (role->role.size == 0)
        return refuse(user, CQL_ERROR_INVALID, "Role name can't be an empty string");
    return check_data_centers(user, role) && check_cidrs(user, role);
}

static bool check_anonymous_alter(const struct permission_user *user,
                                  const struct cql_role_statement *role)
{
    if (role_option(role, "SUPERUSER") != NULL)
        return refuse(user, CQL_ERROR_UNAUTHORIZED,
                      "Only superusers are allowed to alter superuser status");
    if (!allow_alter_access(user, role) || !refuse_options(user, role)) return false;
    return role->options.count > 0 ||
           refuse(user, CQL_ERROR_INVALID, "ALTER [ROLE|USER] can't be empty");
}

void role_refuse(const struct permission_user *user, const struct cql_statement_ast *ast)
{
    bool is_create = ast->kind == CQL_AST_CREATE_ROLE || ast->kind == CQL_AST_CREATE_USER;
    bool is_alter = ast->kind == CQL_AST_ALTER_ROLE || ast->kind == CQL_AST_ALTER_USER;
    if (is_create && !check_anonymous_create(user, &ast->role)) return;
    if (is_alter && !check_anonymous_alter(user, &ast->role)) return;
    (void)refuse(user, CQL_ERROR_UNAUTHORIZED,
                 "You have to be logged in and not anonymous to perform this request");
}

// ---- The change ---------------------------------------------------------------------------------

static void set_options(struct role_change *change, const struct cql_statement_ast *ast)
{
    const struct cql_property *login = role_option(&ast->role, "LOGIN");
    const struct cql_property *superuser = role_option(&ast->role, "SUPERUSER");
    // A user is a role that may log in.
    change->has_login = login != NULL || ast->kind == CQL_AST_CREATE_USER;
    change->can_login = login != NULL ? is_true(login) : change->has_login;
    change->has_superuser = superuser != NULL;
    change->is_superuser = superuser != NULL && is_true(superuser);
}

static enum role_made make_membership(const struct permission_user *user,
                                      const struct cql_role_statement *raw, bool is_grant,
                                      struct role_change *change)
{
    const struct roles *roles = metadata_roles(user->processor->metadata);
    const struct role *role = roles_find(roles, raw->role);
    const struct role *of = roles_find(roles, raw->granted);
    change->kind = is_grant ? ROLE_GRANT : ROLE_REVOKE;
    change->other = raw->granted;
    size_t count;
    const struct role *const *inherited = roles_inherited(role, &count);
    for (size_t i = 0; i < count && is_grant; i++)
        if (inherited[i] == of) {
            cql_error_set(user->error, CQL_ERROR_INVALID, "%.*s is a member of %.*s",
                          SLICE_TEXT(raw->role), SLICE_TEXT(raw->granted));
            return ROLE_MADE_ERROR;
        }
    inherited = roles_inherited(of, &count);
    for (size_t i = 0; i < count && is_grant; i++)
        if (inherited[i] == role) {
            cql_error_set(user->error, CQL_ERROR_INVALID, "%.*s is a member of %.*s",
                          SLICE_TEXT(raw->granted), SLICE_TEXT(raw->role));
            return ROLE_MADE_ERROR;
        }
    bool is_member = role == of;
    for (size_t i = 0; i < role->member_of_count; i++)
        is_member |= role->member_of[i] == of;
    if (is_grant || is_member) return ROLE_MADE_CHANGE;
    cql_error_set(user->error, CQL_ERROR_INVALID, "%.*s is not a member of %.*s",
                  SLICE_TEXT(raw->role), SLICE_TEXT(raw->granted));
    return ROLE_MADE_ERROR;
}

static enum role_made make_permissions(const struct permission_user *user,
                                       const struct statement *statement, bool is_grant,
                                       struct role_change *change, const char **warning)
{
    const struct cql_role_statement *raw = &statement->plan->ast->role;
    const struct role *role = roles_find(metadata_roles(user->processor->metadata), raw->role);
    struct slice resource;
    if (!find_resource(user, statement, &resource)) return ROLE_MADE_ERROR;
    uint32_t wanted = named_permissions(raw) & resource_permissions(resource);
    uint32_t had = roles_permissions_on(role, resource);
    uint32_t idle = is_grant ? wanted & had : wanted & ~had;
    change->kind = is_grant ? ROLE_PERMIT : ROLE_FORBID;
    change->other = resource;
    change->permissions = wanted & ~idle;
    if (idle != 0)
        *warning =
            arena_format(user->arena, "Role '%.*s' was %s %s on %s", SLICE_TEXT(raw->role),
                         is_grant ? "already granted" : "not granted",
                         permission_names(user->arena, idle), resource_text(user->arena, resource));
    return change->permissions == 0 ? ROLE_MADE_NOTHING : ROLE_MADE_CHANGE;
}

static enum role_made make(const struct permission_user *user, const struct statement *statement,
                           struct role_change *change, const char **warning)
{
    const struct cql_statement_ast *ast = statement->plan->ast;
    const struct cql_role_statement *role = &ast->role;
    const struct roles *roles = metadata_roles(user->processor->metadata);
    bool exists = role->role.size > 0 && is_there(user, role->role);
    switch (ast->kind) {
    case CQL_AST_CREATE_ROLE:
    case CQL_AST_CREATE_USER:
        change->kind = ROLE_CREATE;
        change->other = user->processor->auth->authorizes ? user->name : slice_make("", 0);
        set_options(change, ast);
        return exists ? ROLE_MADE_NOTHING : ROLE_MADE_CHANGE;
    case CQL_AST_ALTER_ROLE:
    case CQL_AST_ALTER_USER:
        change->kind = ROLE_ALTER;
        set_options(change, ast);
        if (!exists) return ROLE_MADE_NOTHING;
        // CREATE takes and ignores them.
        if (role_option(role, "ACCESS TO DATACENTERS") == NULL) return ROLE_MADE_CHANGE;
        (void)refuse(user, CQL_ERROR_INVALID,
                     "ACCESS TO DATACENTERS operations not supported by AllowAllNetworkAuthorizer");
        return ROLE_MADE_ERROR;
    case CQL_AST_DROP_ROLE:
    case CQL_AST_DROP_USER:
        change->kind = ROLE_DROP;
        return exists ? ROLE_MADE_CHANGE : ROLE_MADE_NOTHING;
    case CQL_AST_GRANT_ROLE:
    case CQL_AST_REVOKE_ROLE:
        return make_membership(user, role, ast->kind == CQL_AST_GRANT_ROLE, change);
    case CQL_AST_GRANT_PERMISSIONS:
    case CQL_AST_REVOKE_PERMISSIONS:
        return make_permissions(user, statement, ast->kind == CQL_AST_GRANT_PERMISSIONS, change,
                                warning);
    case CQL_AST_ADD_IDENTITY:
        change->kind = ROLE_ADD_IDENTITY;
        change->other = role->identity;
        exists = roles_find_identity(roles, role->identity) != NULL;
        return exists ? ROLE_MADE_NOTHING : ROLE_MADE_CHANGE;
    default:
        change->kind = ROLE_DROP_IDENTITY;
        change->role = slice_make("", 0);
        change->other = role->identity;
        exists = roles_find_identity(roles, role->identity) != NULL;
        return exists ? ROLE_MADE_CHANGE : ROLE_MADE_NOTHING;
    }
}

enum role_made role_make_change(const struct permission_user *user,
                                const struct statement *statement, struct role_change *change,
                                const char **warning)
{
    change->role = statement->plan->ast->role.role;
    change->other = slice_make("", 0);
    change->hash = slice_null();
    enum role_made made = make(user, statement, change, warning);
    bool is_more = change->kind == ROLE_CREATE || change->kind == ROLE_GRANT ||
                   change->kind == ROLE_PERMIT || change->kind == ROLE_ADD_IDENTITY;
    if (made != ROLE_MADE_CHANGE || !is_more ||
        roles_has_room(metadata_roles(user->processor->metadata)))
        return made;
    cql_error_set(user->error, CQL_ERROR_INVALID,
                  "There are as many roles and permissions as a ring can have");
    return ROLE_MADE_ERROR;
}
