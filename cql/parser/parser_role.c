// Roles, users, permissions.
#include "cql/parser/parser_state.h"

static bool string(struct parser *parser, struct slice *value)
{
    if (parser_peek(parser, 1) != TOKEN_STRING) return parser_fail_mismatch(parser, TOKEN_STRING);
    *value = parser_take_value(parser);
    return true;
}

// ---- Options -----------------------------------------------------------------------------------

static struct cql_property *new_option(struct parser *parser, struct parser_list *list,
                                       const char *name)
{
    const struct cql_property *items = list->items;
    for (size_t i = 0; i < list->count; i++) {
        if (!slice_equals(items[i].name, slice_of_text(name))) continue;
        bool is_hashed = strcmp(name, "HASHED PASSWORD") == 0;
        (void)parser_fail_text(parser, "Multiple definition for property '%s'",
                               is_hashed ? "HASHED_PASSWORD" : name);
        return NULL;
    }
    struct cql_property *option = PARSER_LIST_ADD(parser, list, struct cql_property);
    option->name = slice_of_text(name);
    return option;
}

// "= value" of one kind of token.
static bool option_value(struct parser *parser, struct parser_list *list, const char *name,
                         enum token_kind kind)
{
    if (!parser_expect(parser, TOKEN_EQUAL)) return false;
    if (parser_peek(parser, 1) != kind) return parser_fail_mismatch(parser, kind);
    struct slice value = parser_take_value(parser);
    struct cql_property *option = new_option(parser, list, name);
    if (option != NULL) option->value = value;
    return option != NULL;
}

// "{'a', 'b'}" as the keys of a map.
static bool string_set(struct parser *parser, struct cql_property *option)
{
    struct parser_list entries = {0};
    for (size_t i = 0; i < option->entry_count; i++)
        *PARSER_LIST_ADD(parser, &entries, struct cql_property_entry) = option->entries[i];
    option->is_map = true;
    if (!parser_expect(parser, TOKEN_OPEN_BRACE)) return false;
    do {
        struct cql_property_entry *entry =
            PARSER_LIST_ADD(parser, &entries, struct cql_property_entry);
        if (!string(parser, &entry->key)) return false;
    } while (parser_take(parser, TOKEN_COMMA));
    option->entries = entries.items;
    option->entry_count = entries.count;
    return parser_expect(parser, TOKEN_CLOSE_BRACE);
}

// The option of that name, new or not; where it is restricted and free both, Cassandra's parser
// throws.
static struct cql_property *access_option(struct parser *parser, struct parser_list *list,
                                          const char *name, bool is_all)
{
    struct cql_property *items = list->items;
    for (size_t i = 0; i < list->count; i++) {
        if (!slice_equals(items[i].name, slice_of_text(name))) continue;
        if (items[i].is_map != is_all) return &items[i];
        bool is_cidr = strcmp(name, "ACCESS FROM CIDRS") == 0;
        (void)parser_fail_exception(
            parser, !is_all   ? "IllegalArgumentException All has been set"
                    : is_cidr ? "IllegalArgumentException CIDR Groups have already been set"
                              : "IllegalArgumentException DCs have already been set");
        return NULL;
    }
    return new_option(parser, list, name);
}

// Behind ACCESS: "TO ALL DATACENTERS", "FROM CIDRS {…}".
static bool access(struct parser *parser, struct parser_list *list)
{
    bool is_to = parser_take(parser, K_TO);
    if (!is_to && !parser_take(parser, K_FROM)) return parser_fail_no_viable(parser, 1);
    enum token_kind what = is_to ? K_DATACENTERS : K_CIDRS;
    bool is_all = parser_take(parser, K_ALL);
    if (is_all ? !parser_expect(parser, what) : !parser_take(parser, what))
        return is_all ? false : parser_fail_no_viable(parser, 1);
    struct cql_property *option =
        access_option(parser, list, is_to ? "ACCESS TO DATACENTERS" : "ACCESS FROM CIDRS", is_all);
    if (option == NULL) return false;
    if (is_all) option->value = slice_of_text("ALL");
    return is_all || string_set(parser, option);
}

static bool role_option(struct parser *parser, struct parser_list *list)
{
    switch (parser_peek(parser, 1)) {
    case K_PASSWORD:
        parser_skip(parser);
        return option_value(parser, list, "PASSWORD", TOKEN_STRING);
    case K_HASHED:
        parser_skip(parser);
        return parser_expect(parser, K_PASSWORD) &&
               option_value(parser, list, "HASHED PASSWORD", TOKEN_STRING);
    case K_LOGIN:
        parser_skip(parser);
        return option_value(parser, list, "LOGIN", TOKEN_BOOLEAN_CONSTANT);
    case K_SUPERUSER:
        parser_skip(parser);
        return option_value(parser, list, "SUPERUSER", TOKEN_BOOLEAN_CONSTANT);
    case K_OPTIONS: {
        parser_skip(parser);
        if (!parser_expect(parser, TOKEN_EQUAL)) return false;
        struct cql_property *option = new_option(parser, list, "OPTIONS");
        return option != NULL && parser_property_map(parser, option);
    }
    case K_ACCESS:
        parser_skip(parser);
        return access(parser, list);
    default:
        return parser_fail_no_viable(parser, 1);
    }
}

static bool has_option(const struct cql_properties *options, const char *name)
{
    for (size_t i = 0; i < options->count; i++)
        if (slice_equals(options->items[i].name, slice_of_text(name))) return true;
    return false;
}

// Where WITH may stand.
static bool role_options(struct parser *parser, struct cql_role_statement *role)
{
    if (!parser_take(parser, K_WITH)) return true;
    struct parser_list list = {0};
    do {
        if (!role_option(parser, &list)) return false;
    } while (parser_take(parser, K_AND));
    role->options = (struct cql_properties){list.items, list.count};
    bool is_plain = has_option(&role->options, "PASSWORD");
    if (!is_plain || !has_option(&role->options, "HASHED PASSWORD")) return true;
    return parser_fail_text(parser,
                            "Options 'password' and 'hashed password' are mutually exclusive");
}

bool parser_create_role(struct parser *parser, struct cql_role_statement *role)
{
    return parser_if_not_exists(parser, &role->if_not_exists) &&
           parser_role_name(parser, &role->role) && role_options(parser, role);
}

bool parser_alter_role(struct parser *parser, struct cql_role_statement *role)
{
    return parser_if_exists(parser, &role->if_exists) && parser_role_name(parser, &role->role) &&
           role_options(parser, role);
}

// ---- Users, an older word for roles that may log in --------------------------------------------

bool parser_user_name(struct parser *parser, struct slice *name)
{
    enum token_kind kind = parser_peek(parser, 1);
    if (kind == TOKEN_QUOTED_NAME)
        return parser_fail_text(parser, "Quoted strings are are not supported for user names and "
                                        "USER is deprecated, please use ROLE");
    if (kind != TOKEN_IDENT && kind != TOKEN_STRING) return parser_fail_no_viable(parser, 1);
    *name = parser_take_value(parser);
    return true;
}

static bool user_options(struct parser *parser, struct cql_role_statement *role)
{
    struct parser_list list = {0};
    if (parser_take(parser, K_WITH)) {
        const char *name = parser_take(parser, K_HASHED) ? "HASHED PASSWORD" : "PASSWORD";
        if (!parser_expect(parser, K_PASSWORD)) return false;
        struct cql_property *option = new_option(parser, &list, name);
        if (!string(parser, &option->value)) return false;
    }
    bool is_superuser = parser_take(parser, K_SUPERUSER);
    if (is_superuser || parser_take(parser, K_NOSUPERUSER))
        new_option(parser, &list, "SUPERUSER")->value =
            slice_of_text(is_superuser ? "true" : "false");
    role->options = (struct cql_properties){list.items, list.count};
    return true;
}

bool parser_create_user(struct parser *parser, struct cql_role_statement *role)
{
    return parser_if_not_exists(parser, &role->if_not_exists) &&
           parser_user_name(parser, &role->role) && user_options(parser, role);
}

bool parser_alter_user(struct parser *parser, struct cql_role_statement *role)
{
    return parser_if_exists(parser, &role->if_exists) && parser_user_name(parser, &role->role) &&
           user_options(parser, role);
}

// ---- Permissions -------------------------------------------------------------------------------

static bool is_permission(enum token_kind kind)
{
    switch (kind) {
    case K_CREATE:
    case K_ALTER:
    case K_DROP:
    case K_SELECT:
    case K_MODIFY:
    case K_AUTHORIZE:
    case K_DESCRIBE:
    case K_EXECUTE:
    case K_UNMASK:
    case K_SELECT_MASKED:
        return true;
    default:
        return false;
    }
}

static struct slice upper(struct parser *parser, struct slice word)
{
    uint8_t *copy = arena_alloc(parser->arena, word.size);
    for (size_t i = 0; i < word.size; i++)
        copy[i] = word.data[i] >= 'a' && word.data[i] <= 'z' ? (uint8_t)(word.data[i] - 0x20)
                                                             : word.data[i];
    return slice_make(copy, word.size);
}

static bool permissions(struct parser *parser, struct cql_role_statement *role)
{
    struct parser_list list = {0};
    role->all_permissions = parser_take(parser, K_ALL);
    if (role->all_permissions) {
        (void)parser_take(parser, K_PERMISSIONS);
        return true;
    }
    do {
        if (!is_permission(parser_peek(parser, 1))) return parser_fail_no_viable(parser, 1);
        *PARSER_LIST_ADD(parser, &list, struct slice) = upper(parser, parser_take_raw(parser));
        (void)parser_take(parser, K_PERMISSION);
    } while (parser_take(parser, TOKEN_COMMA));
    role->permissions = (struct cql_names){list.items, list.count};
    return true;
}

static bool all_resources(struct parser *parser, struct cql_resource *resource)
{
    switch (parser_peek(parser, 1)) {
    case K_KEYSPACES:
        resource->kind = CQL_RESOURCE_ALL_KEYSPACES;
        break;
    case K_ROLES:
        resource->kind = CQL_RESOURCE_ALL_ROLES;
        break;
    case K_MBEANS:
        resource->kind = CQL_RESOURCE_ALL_MBEANS;
        break;
    case K_TABLES:
        resource->kind = CQL_RESOURCE_ALL_TABLES_IN_KEYSPACE;
        parser_skip(parser);
        return parser_expect(parser, K_IN) && parser_expect(parser, K_KEYSPACE) &&
               parser_keyspace_name(parser, &resource->name.keyspace);
    case K_FUNCTIONS:
        resource->kind = CQL_RESOURCE_ALL_FUNCTIONS;
        parser_skip(parser);
        if (!parser_take(parser, K_IN)) return true;
        resource->kind = CQL_RESOURCE_ALL_FUNCTIONS_IN_KEYSPACE;
        return parser_expect(parser, K_KEYSPACE) &&
               parser_keyspace_name(parser, &resource->name.keyspace);
    default:
        return parser_fail_no_viable(parser, 1);
    }
    parser_skip(parser);
    return true;
}

static bool function_resource(struct parser *parser, struct cql_resource *resource)
{
    struct parser_list list = {0};
    resource->kind = CQL_RESOURCE_FUNCTION;
    if (!parser_function_name(parser, &resource->name) || !parser_expect(parser, TOKEN_OPEN))
        return false;
    while (parser_peek(parser, 1) != TOKEN_CLOSE) {
        if (list.count > 0 && !parser_expect(parser, TOKEN_COMMA)) return false;
        const struct cql_type *type = parser_type(parser);
        if (type == NULL) return false;
        *PARSER_LIST_ADD(parser, &list, const struct cql_type *) = type;
    }
    resource->arguments = list.items;
    resource->argument_count = list.count;
    if (!parser_expect(parser, TOKEN_CLOSE)) return false;
    if (!slice_is_null(resource->name.keyspace)) return true;
    return parser_fail_invalid(
        parser, "In this context function name must be explictly qualified by a keyspace");
}

// Parser.canonicalizeObjectName(): "domain:key=value,…", of which a pattern has a * or ?.
static bool check_mbean(struct parser *parser, const struct cql_resource *resource)
{
    struct slice name = resource->name.name;
    const uint8_t *colon = name.size == 0 ? NULL : memchr(name.data, ':', name.size);
    if (name.size == 0) return parser_fail_text(parser, "Empty JMX object name supplied");
    if (slice_equals(name, slice_of_text("*:*")))
        return parser_fail_text(parser, "Please use ALL MBEANS instead of wildcard pattern");
    struct slice keys = slice_null();
    if (colon != NULL) keys = slice_make(colon + 1, (size_t)(name.data + name.size - colon) - 1);
    bool has_star = keys.size > 0 && memchr(keys.data, '*', keys.size) != NULL;
    bool is_valid = keys.size > 0 && (has_star || memchr(keys.data, '=', keys.size) != NULL);
    if (!is_valid)
        return parser_fail_text(parser, "%.*s is not a valid JMX object name", (int)name.size,
                                (const char *)name.data);
    bool is_pattern =
        memchr(name.data, '*', name.size) != NULL || memchr(name.data, '?', name.size) != NULL;
    if (resource->kind == CQL_RESOURCE_MBEAN || is_pattern) return true;
    return parser_fail_text(parser,
                            "Plural form used, but non-pattern JMX object name specified (%.*s)",
                            (int)name.size, (const char *)name.data);
}

// Words such as ROLE are names of tables too: the next token tells.
static bool is_word_of_resource(struct parser *parser, enum token_kind word, bool needs_string)
{
    if (parser_peek(parser, 1) != word) return false;
    enum token_kind next = parser_peek(parser, 2);
    return next == TOKEN_STRING || (!needs_string && parser_is_name(next));
}

static bool resource(struct parser *parser, struct cql_resource *resource)
{
    enum token_kind next = parser_peek(parser, 2);
    if (parser_peek(parser, 1) == K_ALL &&
        (next == K_KEYSPACES || next == K_ROLES || next == K_MBEANS || next == K_TABLES ||
         next == K_FUNCTIONS)) {
        parser_skip(parser);
        return all_resources(parser, resource);
    }
    if (parser_take(parser, K_KEYSPACE)) {
        resource->kind = CQL_RESOURCE_KEYSPACE;
        return parser_keyspace_name(parser, &resource->name.keyspace);
    }
    if (is_word_of_resource(parser, K_ROLE, false)) {
        parser_skip(parser);
        resource->kind = CQL_RESOURCE_ROLE;
        return parser_role_name(parser, &resource->name.name);
    }
    if (is_word_of_resource(parser, K_FUNCTION, false)) {
        parser_skip(parser);
        return function_resource(parser, resource);
    }
    if (is_word_of_resource(parser, K_MBEAN, true) || is_word_of_resource(parser, K_MBEANS, true)) {
        resource->kind = parser_take(parser, K_MBEAN) ? CQL_RESOURCE_MBEAN : CQL_RESOURCE_MBEANS;
        if (resource->kind == CQL_RESOURCE_MBEANS) parser_skip(parser);
        return string(parser, &resource->name.name) && check_mbean(parser, resource);
    }
    resource->kind = CQL_RESOURCE_TABLE;
    (void)parser_take(parser, K_COLUMNFAMILY);
    return parser_table_name(parser, &resource->name);
}

// What can be granted on a resource (IResource.applicablePermissions), and its class.
static const struct {
    const char *class_name, *permissions;
} applicable[] = {
#define OF_DATA " ALTER DROP SELECT MODIFY AUTHORIZE UNMASK SELECT_MASKED "
    [CQL_RESOURCE_ALL_KEYSPACES] = {"DataResource", " CREATE" OF_DATA},
    [CQL_RESOURCE_KEYSPACE] = {"DataResource", " CREATE" OF_DATA},
    [CQL_RESOURCE_ALL_TABLES_IN_KEYSPACE] = {"DataResource", " CREATE" OF_DATA},
    [CQL_RESOURCE_TABLE] = {"DataResource", OF_DATA},
    [CQL_RESOURCE_ALL_ROLES] = {"RoleResource", " CREATE ALTER DROP AUTHORIZE DESCRIBE "},
    [CQL_RESOURCE_ROLE] = {"RoleResource", " ALTER DROP AUTHORIZE DESCRIBE "},
    [CQL_RESOURCE_ALL_FUNCTIONS] = {"FunctionResource", " CREATE ALTER DROP AUTHORIZE EXECUTE "},
    [CQL_RESOURCE_ALL_FUNCTIONS_IN_KEYSPACE] = {"FunctionResource",
                                                " CREATE ALTER DROP AUTHORIZE EXECUTE "},
    [CQL_RESOURCE_FUNCTION] = {"FunctionResource", " ALTER DROP AUTHORIZE EXECUTE "},
    [CQL_RESOURCE_ALL_MBEANS] = {"JMXResource", " AUTHORIZE DESCRIBE EXECUTE MODIFY SELECT "},
    [CQL_RESOURCE_MBEAN] = {"JMXResource", " AUTHORIZE DESCRIBE EXECUTE MODIFY SELECT "},
    [CQL_RESOURCE_MBEANS] = {"JMXResource", " AUTHORIZE DESCRIBE EXECUTE MODIFY SELECT "},
#undef OF_DATA
};

// Parser.filterPermissions(): at least one of those that are named.
static bool check_applicable(struct parser *parser, const struct cql_role_statement *role)
{
    if (role->resource.kind == CQL_RESOURCE_FUNCTION &&
        slice_equals(role->resource.name.keyspace, slice_of_text("system")))
        return parser_fail_invalid(parser,
                                   "Altering permissions on builtin functions is not supported");
    const char *allowed = applicable[role->resource.kind].permissions;
    bool is_any = role->all_permissions;
    for (size_t i = 0; i < role->permissions.count && !is_any; i++) {
        struct slice name = role->permissions.items[i];
        const char *word =
            arena_format(parser->arena, " %.*s ", (int)name.size, (const char *)name.data);
        is_any = strstr(allowed, word) != NULL;
    }
    return is_any ||
           parser_fail_text(parser,
                            "Resource type %s does not support any of the requested permissions",
                            applicable[role->resource.kind].class_name);
}

// Whether GRANT and REVOKE go on with permissions rather than with a role.
static bool begins_permissions(struct parser *parser)
{
    enum token_kind kind = parser_peek(parser, 1), next = parser_peek(parser, 2);
    if (kind == K_ALL || kind == K_UNMASK || kind == K_SELECT_MASKED)
        return next == K_ON || next == TOKEN_COMMA || next == K_PERMISSION || next == K_PERMISSIONS;
    return is_permission(kind);
}

// Stands behind GRANT or REVOKE; `word` is TO or FROM.
static bool grant_or_revoke(struct parser *parser, struct cql_role_statement *role,
                            bool has_permissions, enum token_kind word)
{
    if (has_permissions) {
        if (!permissions(parser, role) || !parser_expect(parser, K_ON) ||
            !resource(parser, &role->resource))
            return false;
    } else if (!parser_role_name(parser, &role->granted)) {
        return false;
    }
    return parser_expect(parser, word) && parser_role_name(parser, &role->role) &&
           (!has_permissions || check_applicable(parser, role));
}

// GRANT and REVOKE are decided between with what stands behind them.
static bool begins_role(struct parser *parser)
{
    enum token_kind kind = parser_peek(parser, 1);
    return parser_is_name(kind) || kind == TOKEN_STRING || kind == TOKEN_QUOTED_NAME;
}

static bool refuse_grant(struct parser *parser)
{
    parser->index--;
    return parser_fail_no_viable(parser, 2);
}

bool parser_grant(struct parser *parser, struct cql_statement_ast *statement)
{
    bool has_permissions = begins_permissions(parser);
    if (!has_permissions && !begins_role(parser)) return refuse_grant(parser);
    statement->kind = has_permissions ? CQL_AST_GRANT_PERMISSIONS : CQL_AST_GRANT_ROLE;
    return grant_or_revoke(parser, &statement->role, has_permissions, K_TO);
}

bool parser_revoke(struct parser *parser, struct cql_statement_ast *statement)
{
    bool has_permissions = begins_permissions(parser);
    if (!has_permissions && !begins_role(parser)) return refuse_grant(parser);
    statement->kind = has_permissions ? CQL_AST_REVOKE_PERMISSIONS : CQL_AST_REVOKE_ROLE;
    return grant_or_revoke(parser, &statement->role, has_permissions, K_FROM);
}

// "(OF role)? NORECURSIVE?"
static bool list_tail(struct parser *parser, struct cql_role_statement *role)
{
    if (parser_take(parser, K_OF) && !parser_role_name(parser, &role->role)) return false;
    role->no_recursive = parser_take(parser, K_NORECURSIVE);
    return true;
}

// Stands on LIST.
bool parser_list(struct parser *parser, struct cql_statement_ast *statement)
{
    enum token_kind what = parser_peek(parser, 2);
    struct cql_role_statement *role = &statement->role;
    if (what != K_ROLES && what != K_USERS && what != K_ALL && !is_permission(what))
        return parser_fail_no_viable(parser, 2);
    parser_skip(parser);
    if (parser_take(parser, K_USERS)) {
        statement->kind = CQL_AST_LIST_USERS;
        return true;
    }
    if (parser_take(parser, K_ROLES)) {
        statement->kind = CQL_AST_LIST_ROLES;
        return list_tail(parser, role);
    }
    statement->kind = CQL_AST_LIST_PERMISSIONS;
    if (!permissions(parser, role)) return false;
    if (parser_take(parser, K_ON) && !resource(parser, &role->resource)) return false;
    return list_tail(parser, role);
}

// Stands behind "ADD IDENTITY" or "DROP IDENTITY".
bool parser_identity(struct parser *parser, struct cql_statement_ast *statement, bool is_add)
{
    struct cql_role_statement *role = &statement->role;
    statement->kind = is_add ? CQL_AST_ADD_IDENTITY : CQL_AST_DROP_IDENTITY;
    if (is_add) {
        if (!parser_if_not_exists(parser, &role->if_not_exists)) return false;
    } else if (!parser_if_exists(parser, &role->if_exists)) {
        return false;
    }
    if (!string(parser, &role->identity)) return false;
    return !is_add || (parser_expect(parser, K_TO) && parser_expect(parser, K_ROLE) &&
                       parser_role_name(parser, &role->role));
}
