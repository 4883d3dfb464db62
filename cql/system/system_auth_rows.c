#include "cql/system/system_auth_rows.h"

static void put_roles(const struct roles *roles, const struct system_row *empty)
{
    const struct role *role;
    for (size_t i = 0; (role = roles_at(roles, i)) != NULL; i++) {
        struct system_row row = *empty;
        system_row_set(&row, "role", role->name);
        system_row_set_bool(&row, "can_login", role->can_login);
        system_row_set_bool(&row, "is_superuser", role->is_superuser);
        for (size_t m = 0; m < role->member_of_count; m++)
            system_row_add_element(&row, "member_of", role->member_of[m]->name);
        if (role->hash[0] != '\0') system_row_set_text(&row, "salted_hash", role->hash);
        system_row_end(&row);
    }
}

static void put_members(const struct roles *roles, const struct system_row *empty)
{
    const struct role *role;
    for (size_t i = 0; (role = roles_at(roles, i)) != NULL; i++)
        for (size_t m = 0; m < role->member_of_count; m++) {
            struct system_row row = *empty;
            system_row_set(&row, "role", role->member_of[m]->name);
            system_row_set(&row, "member", role->name);
            system_row_end(&row);
        }
}

// A set of texts has its elements in the order of their bytes.
static void add_permissions(struct system_row *row, uint32_t permissions)
{
    static const struct {
        uint32_t permission;
        const char *name;
    } in_order[] = {
        {ROLE_MAY_ALTER, "ALTER"},
        {ROLE_MAY_AUTHORIZE, "AUTHORIZE"},
        {ROLE_MAY_CREATE, "CREATE"},
        {ROLE_MAY_DESCRIBE, "DESCRIBE"},
        {ROLE_MAY_DROP, "DROP"},
        {ROLE_MAY_EXECUTE, "EXECUTE"},
        {ROLE_MAY_MODIFY, "MODIFY"},
        {ROLE_MAY_SELECT, "SELECT"},
        {ROLE_MAY_SELECT_MASKED, "SELECT_MASKED"},
        {ROLE_MAY_UNMASK, "UNMASK"},
    };
    for (size_t i = 0; i < sizeof in_order / sizeof in_order[0]; i++)
        if ((permissions & in_order[i].permission) != 0)
            system_row_add_element(row, "permissions", slice_of_text(in_order[i].name));
}

static void put_permissions(const struct roles *roles, const struct system_row *empty,
                            bool is_index)
{
    const struct role *role;
    for (size_t i = 0; (role = roles_at(roles, i)) != NULL; i++)
        for (size_t p = 0; p < role->permissions_count; p++) {
            struct system_row row = *empty;
            system_row_set(&row, "role", role->name);
            system_row_set(&row, "resource", role->permissions[p].resource);
            if (!is_index) add_permissions(&row, role->permissions[p].permissions);
            system_row_end(&row);
        }
}

static void put_identities(const struct roles *roles, const struct system_row *empty)
{
    const struct role_identity *identity;
    for (size_t i = 0; (identity = roles_identity_at(roles, i)) != NULL; i++) {
        struct system_row row = *empty;
        system_row_set(&row, "identity", identity->identity);
        system_row_set(&row, "role", identity->role);
        system_row_end(&row);
    }
}

void system_auth_rows_fill(const struct roles *roles, const struct system_row *empty)
{
    struct slice name = empty->table->name;
    if (slice_equals(name, slice_of_text("roles")))
        put_roles(roles, empty);
    else if (slice_equals(name, slice_of_text("role_members")))
        put_members(roles, empty);
    else if (slice_equals(name, slice_of_text("role_permissions")))
        put_permissions(roles, empty, false);
    else if (slice_equals(name, slice_of_text("resource_role_permissons_index")))
        put_permissions(roles, empty, true);
    else if (slice_equals(name, slice_of_text("identity_to_role")))
        put_identities(roles, empty);
}
