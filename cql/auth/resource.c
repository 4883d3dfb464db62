#include "cql/auth/resource.h"

#include "cql/statement/analysis.h"
#include "ring/metadata/roles.h"

static struct slice join(struct arena *arena, const char *root, struct slice keyspace,
                         struct slice name)
{
    size_t root_size = strlen(root);
    uint8_t *text = arena_alloc(arena, root_size + keyspace.size + name.size + 2), *end = text;
    memcpy(end, root, root_size);
    end += root_size;
    *end++ = '/';
    if (keyspace.size > 0) memcpy(end, keyspace.data, keyspace.size);
    end += keyspace.size;
    if (!slice_is_null(name)) {
        *end++ = '/';
        memcpy(end, name.data, name.size);
        end += name.size;
    }
    return slice_make(text, (size_t)(end - text));
}

struct slice resource_of_keyspace(struct arena *arena, struct slice keyspace)
{
    return join(arena, "data", keyspace, slice_null());
}

struct slice resource_of_all_tables(struct arena *arena, struct slice keyspace)
{
    return join(arena, "data", keyspace, slice_of_text("*"));
}

struct slice resource_of_table(struct arena *arena, struct slice keyspace, struct slice table)
{
    return join(arena, "data", keyspace, table);
}

struct slice resource_of_functions(struct arena *arena, struct slice keyspace)
{
    return join(arena, "functions", keyspace, slice_null());
}

struct slice resource_of_role(struct arena *arena, struct slice role)
{
    return join(arena, "roles", role, slice_null());
}

// ---- What statements name -----------------------------------------------------------------------

static bool keyspace_of(const struct cql_resource *ast, struct slice current,
                        struct slice *keyspace, struct cql_error *error)
{
    *keyspace = ast->name.keyspace.size > 0 ? ast->name.keyspace : current;
    if (keyspace->size > 0) return true;
    return cql_error_set(error, CQL_ERROR_INVALID,
                         "No keyspace has been specified. USE a keyspace, or explicitly specify "
                         "keyspace.tablename");
}

// "domain:…", as a JMX object name begins.
static bool make_mbean(struct arena *arena, struct slice name, struct slice *resource,
                       struct cql_error *error)
{
    if (name.size == 0 || memchr(name.data, ':', name.size) == NULL)
        return cql_error_set(error, CQL_ERROR_SYNTAX, "%.*s is not a valid JMX object name",
                             SLICE_TEXT(name));
    *resource = join(arena, "mbean", name, slice_null());
    return true;
}

static bool make_function(struct arena *arena, const struct cql_resource *ast,
                          struct slice keyspace, struct slice *resource)
{
    struct buffer text;
    buffer_init(&text, ROLE_TEXT_SIZE_MAX);
    buffer_put_format(&text, "functions/%.*s/%.*s[", SLICE_TEXT(keyspace),
                      SLICE_TEXT(ast->name.name));
    for (size_t i = 0; i < ast->argument_count; i++) {
        struct slice name = ast->arguments[i]->text;
        buffer_put_format(&text, "%s%.*s", i == 0 ? "" : "^", SLICE_TEXT(name));
    }
    buffer_put_u8(&text, ']');
    *resource = arena_copy(arena, buffer_slice(&text));
    buffer_deinit(&text);
    return true;
}

bool resource_of_ast(struct arena *arena, const struct cql_resource *ast, struct slice current,
                     struct slice *resource, struct cql_error *error)
{
    struct slice keyspace = ast->name.keyspace;
    switch (ast->kind) {
    case CQL_RESOURCE_NONE:
        *resource = slice_null();
        return true;
    case CQL_RESOURCE_ALL_KEYSPACES:
        *resource = slice_of_text("data");
        return true;
    case CQL_RESOURCE_KEYSPACE:
        *resource = resource_of_keyspace(arena, keyspace);
        return true;
    case CQL_RESOURCE_ALL_TABLES_IN_KEYSPACE:
        *resource = resource_of_all_tables(arena, keyspace);
        return true;
    case CQL_RESOURCE_TABLE:
        if (!keyspace_of(ast, current, &keyspace, error)) return false;
        *resource = resource_of_table(arena, keyspace, ast->name.name);
        return true;
    case CQL_RESOURCE_ALL_ROLES:
        *resource = slice_of_text("roles");
        return true;
    case CQL_RESOURCE_ROLE:
        *resource = resource_of_role(arena, ast->name.name);
        return true;
    case CQL_RESOURCE_ALL_FUNCTIONS:
        *resource = slice_of_text("functions");
        return true;
    case CQL_RESOURCE_ALL_FUNCTIONS_IN_KEYSPACE:
        *resource = resource_of_functions(arena, keyspace);
        return true;
    case CQL_RESOURCE_FUNCTION:
        return keyspace_of(ast, current, &keyspace, error) &&
               make_function(arena, ast, keyspace, resource);
    case CQL_RESOURCE_ALL_MBEANS:
        *resource = slice_of_text("mbean");
        return true;
    case CQL_RESOURCE_MBEAN:
    case CQL_RESOURCE_MBEANS:
        return make_mbean(arena, ast->name.name, resource, error);
    }
    return false;
}

// ---- Parts of a text ----------------------------------------------------------------------------

enum root { ROOT_DATA, ROOT_ROLES, ROOT_FUNCTIONS, ROOT_MBEAN };

struct parts {
    enum root root;
    struct slice first, second; // Null: none.
};

static struct parts split(struct slice resource)
{
    struct parts parts = {ROOT_DATA, slice_null(), slice_null()};
    if (resource.data[0] == 'r') parts.root = ROOT_ROLES;
    if (resource.data[0] == 'f') parts.root = ROOT_FUNCTIONS;
    if (resource.data[0] == 'm') parts.root = ROOT_MBEAN;
    const uint8_t *end = resource.data + resource.size;
    const uint8_t *slash = memchr(resource.data, '/', resource.size);
    if (slash == NULL) return parts;
    const uint8_t *next = memchr(slash + 1, '/', (size_t)(end - slash - 1));
    // Names of roles and of MBeans may have slashes of their own.
    if (next == NULL || parts.root == ROOT_ROLES || parts.root == ROOT_MBEAN) next = end;
    parts.first = slice_make(slash + 1, (size_t)(next - slash - 1));
    if (next != end) parts.second = slice_make(next + 1, (size_t)(end - next - 1));
    return parts;
}

static bool is_star(struct slice name)
{
    return slice_equals(name, slice_of_text("*"));
}

bool resource_go_up(struct arena *arena, struct slice *resource)
{
    struct parts parts = split(*resource);
    if (slice_is_null(parts.first)) return false;
    if (parts.root == ROOT_DATA && !slice_is_null(parts.second) && !is_star(parts.second)) {
        *resource = resource_of_all_tables(arena, parts.first);
        return true;
    }
    struct slice last = slice_is_null(parts.second) ? parts.first : parts.second;
    resource->size -= last.size + 1;
    return true;
}

bool resource_exists(const struct query_processor *processor, struct slice resource)
{
    struct parts parts = split(resource);
    if (slice_is_null(parts.first)) return true;
    // There are no MBeans; a pattern need not match any.
    if (parts.root == ROOT_MBEAN) return memchr(parts.first.data, '*', parts.first.size) != NULL;
    if (parts.root == ROOT_ROLES)
        return roles_find(metadata_roles(processor->metadata), parts.first) != NULL;
    // There are no functions of users.
    if (parts.root == ROOT_FUNCTIONS && !slice_is_null(parts.second)) return false;
    if (slice_is_null(parts.second) || is_star(parts.second))
        return analysis_lookup_keyspace(processor, parts.first) != NULL;
    return analysis_lookup_table(processor, parts.first, parts.second) != NULL;
}

uint32_t resource_permissions(struct slice resource)
{
    const uint32_t all = ROLE_MAY_ALTER | ROLE_MAY_DROP | ROLE_MAY_AUTHORIZE;
    const uint32_t of_data =
        all | ROLE_MAY_SELECT | ROLE_MAY_MODIFY | ROLE_MAY_UNMASK | ROLE_MAY_SELECT_MASKED;
    struct parts parts = split(resource);
    bool is_table = !slice_is_null(parts.second) && !is_star(parts.second);
    switch (parts.root) {
    case ROOT_DATA:
        return of_data | (is_table ? 0 : ROLE_MAY_CREATE);
    case ROOT_ROLES:
        return all | ROLE_MAY_DESCRIBE | (slice_is_null(parts.first) ? ROLE_MAY_CREATE : 0);
    case ROOT_FUNCTIONS:
        return all | ROLE_MAY_EXECUTE | (slice_is_null(parts.second) ? ROLE_MAY_CREATE : 0);
    case ROOT_MBEAN:
        return ROLE_MAY_AUTHORIZE | ROLE_MAY_DESCRIBE | ROLE_MAY_EXECUTE | ROLE_MAY_MODIFY |
               ROLE_MAY_SELECT;
    }
    return 0;
}

struct slice resource_keyspace(struct slice resource)
{
    struct parts parts = split(resource);
    return parts.root == ROOT_DATA && !slice_is_null(parts.first) ? parts.first : slice_make("", 0);
}

// ---- Words --------------------------------------------------------------------------------------

// "f[int^text]" as "f(int, text)".
static const char *function_text(struct arena *arena, const struct parts *parts)
{
    char *text = arena_format(arena, "<function %.*s.%.*s>", SLICE_TEXT(parts->first),
                              SLICE_TEXT(parts->second));
    for (char *at = text; *at != '\0'; at++) {
        if (*at == '[') *at = '(';
        if (*at == ']') *at = ')';
        if (*at == '^') *at = ',';
    }
    return text;
}

const char *resource_text(struct arena *arena, struct slice resource)
{
    static const char *const roots[] = {"<all keyspaces>", "<all roles>", "<all functions>",
                                        "<all mbeans>"};
    struct parts parts = split(resource);
    if (slice_is_null(parts.first)) return roots[parts.root];
    if (parts.root == ROOT_ROLES)
        return arena_format(arena, "<role %.*s>", SLICE_TEXT(parts.first));
    if (parts.root == ROOT_MBEAN)
        return arena_format(arena, "<mbean %.*s>", SLICE_TEXT(parts.first));
    if (parts.root == ROOT_FUNCTIONS && slice_is_null(parts.second))
        return arena_format(arena, "<all functions in %.*s>", SLICE_TEXT(parts.first));
    if (parts.root == ROOT_FUNCTIONS) return function_text(arena, &parts);
    if (slice_is_null(parts.second))
        return arena_format(arena, "<keyspace %.*s>", SLICE_TEXT(parts.first));
    if (is_star(parts.second))
        return arena_format(arena, "<all tables in %.*s>", SLICE_TEXT(parts.first));
    return arena_format(arena, "<table %.*s.%.*s>", SLICE_TEXT(parts.first),
                        SLICE_TEXT(parts.second));
}
