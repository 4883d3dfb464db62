// Changes of roles as records of the metadata log, what each does, and all roles as bytes.
//
//     record   = u8 kind | vbytes role | vbytes other | u8 flags | nbytes hash | uv permissions
//     snapshot = uv version | uv count, role* | uv count, (vbytes identity | vbytes role)*
//     role     = vbytes name | u8 flags | vbytes hash | uv count, (vbytes resource | uv
//     permissions)*
//                | uv count, vbytes member of *
#include "base/limits.h"
#include "ring/metadata/roles_state.h"

// Larger than any number of members of a ring, which may stand in its place.
#define ROLES_STATE_VERSION_1 UINT64_C(0x524f4c455301)

enum {
    FLAG_HAS_SUPERUSER = 1,
    FLAG_IS_SUPERUSER = 2,
    FLAG_HAS_LOGIN = 4,
    FLAG_CAN_LOGIN = 8,
};

void roles_put_change(struct buffer *record, const struct role_change *change)
{
    buffer_put_u8(record, (uint8_t)change->kind);
    buffer_put_vint_bytes(record, change->role);
    buffer_put_vint_bytes(record, change->other);
    buffer_put_u8(record, (uint8_t)((change->has_superuser ? FLAG_HAS_SUPERUSER : 0) |
                                    (change->is_superuser ? FLAG_IS_SUPERUSER : 0) |
                                    (change->has_login ? FLAG_HAS_LOGIN : 0) |
                                    (change->can_login ? FLAG_CAN_LOGIN : 0)));
    buffer_put_nullable_bytes(record, change->hash);
    buffer_put_vint(record, change->permissions);
}

static bool read_change(struct cursor *record, struct role_change *change)
{
    *change = (struct role_change){.kind = (enum role_change_kind)cursor_u8(record)};
    change->role = cursor_vint_bytes(record);
    change->other = cursor_vint_bytes(record);
    uint8_t flags = cursor_u8(record);
    change->has_superuser = (flags & FLAG_HAS_SUPERUSER) != 0;
    change->is_superuser = (flags & FLAG_IS_SUPERUSER) != 0;
    change->has_login = (flags & FLAG_HAS_LOGIN) != 0;
    change->can_login = (flags & FLAG_CAN_LOGIN) != 0;
    change->hash = cursor_nullable_bytes(record);
    uint64_t permissions = cursor_vint(record);
    change->permissions = (uint32_t)(permissions & ROLE_MAY_ALL);
    return !record->failed && change->role.size <= ROLE_NAME_SIZE_MAX &&
           change->other.size <= ROLE_TEXT_SIZE_MAX && change->hash.size <= ROLE_HASH_SIZE;
}

// ---- Applying -----------------------------------------------------------------------------------

static void set_options(struct role *role, const struct role_change *change)
{
    if (change->has_superuser) role->is_superuser = change->is_superuser;
    if (change->has_login) role->can_login = change->can_login;
    if (slice_is_null(change->hash)) return;
    memset(role->hash, 0, sizeof role->hash);
    memcpy(role->hash, change->hash.data, change->hash.size);
}

static struct slice role_resource(char text[ROLE_TEXT_SIZE_MAX], struct slice role)
{
    static const char root[] = "roles/";
    memcpy(text, root, sizeof root - 1);
    memcpy(text + sizeof root - 1, role.data, role.size);
    return slice_make(text, sizeof root - 1 + role.size);
}

static bool apply_create(struct roles *roles, const struct role_change *change)
{
    if (change->role.size == 0 || roles_get(roles, change->role) != NULL) return false;
    set_options(roles_add(roles, change->role), change);
    struct role *creator = roles_get(roles, change->other);
    char text[ROLE_TEXT_SIZE_MAX];
    if (creator != NULL)
        roles_permit(roles, creator, role_resource(text, change->role),
                     ROLE_MAY_ALTER | ROLE_MAY_DROP | ROLE_MAY_AUTHORIZE | ROLE_MAY_DESCRIBE);
    return true;
}

static bool apply_drop(struct roles *roles, struct role *role)
{
    char text[ROLE_TEXT_SIZE_MAX];
    struct slice resource = role_resource(text, role->name);
    for (size_t i = 0; i < roles->count; i++)
        roles_forbid(roles, roles->items[i], resource, ROLE_MAY_ALL);
    roles_remove(roles, role);
    return true;
}

static bool apply_add_identity(struct roles *roles, const struct role_change *change)
{
    if (roles_find_identity(roles, change->other) != NULL) return false;
    roles_add_identity(roles, change->other, change->role);
    return true;
}

// Of a role that is there.
static bool apply_to_role(struct roles *roles, const struct role_change *change, struct role *role)
{
    struct role *other = roles_get(roles, change->other);
    switch (change->kind) {
    case ROLE_ALTER:
        set_options(role, change);
        return true;
    case ROLE_DROP:
        return apply_drop(roles, role);
    case ROLE_GRANT:
        return other != NULL && roles_add_member(roles, role, other);
    case ROLE_REVOKE:
        return other != NULL && roles_remove_member(roles, role, other);
    case ROLE_PERMIT:
        roles_permit(roles, role, change->other, change->permissions);
        return change->permissions != 0;
    case ROLE_FORBID:
        roles_forbid(roles, role, change->other, change->permissions);
        return true;
    case ROLE_ADD_IDENTITY:
        return apply_add_identity(roles, change);
    default:
        return false;
    }
}

static bool makes_more(enum role_change_kind kind)
{
    return kind == ROLE_CREATE || kind == ROLE_GRANT || kind == ROLE_PERMIT ||
           kind == ROLE_ADD_IDENTITY;
}

enum status roles_apply(struct roles *roles, struct cursor *record)
{
    struct role_change change;
    if (!read_change(record, &change)) return STATUS_CONFLICT;
    if (makes_more(change.kind) && !roles_has_room(roles)) return STATUS_CONFLICT;
    if (change.kind == ROLE_PERMIT && change.permissions == 0) return STATUS_CONFLICT;
    struct role *role = roles_get(roles, change.role);
    bool holds = false;
    if (change.kind == ROLE_CREATE)
        holds = apply_create(roles, &change);
    else if (change.kind == ROLE_DROP_IDENTITY)
        holds = roles_remove_identity(roles, change.other);
    else if (role != NULL)
        holds = apply_to_role(roles, &change, role);
    if (holds) roles->is_changed = true;
    return holds ? STATUS_OK : STATUS_CONFLICT;
}

// ---- All ----------------------------------------------------------------------------------------

static void put_role(struct buffer *bytes, const struct role *role)
{
    buffer_put_vint_bytes(bytes, role->name);
    buffer_put_u8(bytes, (uint8_t)((role->is_superuser ? FLAG_IS_SUPERUSER : 0) |
                                   (role->can_login ? FLAG_CAN_LOGIN : 0)));
    buffer_put_vint_bytes(bytes, slice_of_text(role->hash));
    buffer_put_vint(bytes, role->permissions_count);
    for (size_t i = 0; i < role->permissions_count; i++) {
        buffer_put_vint_bytes(bytes, role->permissions[i].resource);
        buffer_put_vint(bytes, role->permissions[i].permissions);
    }
    buffer_put_vint(bytes, role->member_of_count);
    for (size_t i = 0; i < role->member_of_count; i++)
        buffer_put_vint_bytes(bytes, role->member_of[i]->name);
}

void roles_put_all(struct buffer *bytes, const struct roles *roles)
{
    if (!roles->is_changed) return;
    buffer_put_vint(bytes, ROLES_STATE_VERSION_1);
    buffer_put_vint(bytes, roles->count);
    for (size_t i = 0; i < roles->count; i++)
        put_role(bytes, roles->items[i]);
    buffer_put_vint(bytes, roles->identity_count);
    for (size_t i = 0; i < roles->identity_count; i++) {
        buffer_put_vint_bytes(bytes, roles->identities[i].identity);
        buffer_put_vint_bytes(bytes, roles->identities[i].role);
    }
}

bool roles_is_next(const struct cursor *bytes)
{
    struct cursor ahead = *bytes;
    return cursor_vint(&ahead) == ROLES_STATE_VERSION_1 && !ahead.failed;
}

static bool get_permissions(struct roles *roles, struct role *role, struct cursor *bytes)
{
    size_t count = cursor_count(bytes, 2);
    for (size_t i = 0; i < count; i++) {
        struct slice resource = cursor_vint_bytes(bytes);
        uint64_t permissions = cursor_vint(bytes) & ROLE_MAY_ALL;
        if (bytes->failed || resource.size > ROLE_TEXT_SIZE_MAX || permissions == 0) return false;
        roles_permit(roles, role, resource, (uint32_t)permissions);
    }
    return !bytes->failed;
}

// All but what it is a member of.
static bool get_role(struct roles *roles, struct cursor *bytes)
{
    struct slice name = cursor_vint_bytes(bytes);
    uint8_t flags = cursor_u8(bytes);
    struct slice hash = cursor_vint_bytes(bytes);
    if (bytes->failed || name.size == 0 || name.size > ROLE_NAME_SIZE_MAX ||
        hash.size > ROLE_HASH_SIZE || roles_get(roles, name) != NULL)
        return false;
    struct role *role = roles_add(roles, name);
    role->is_superuser = (flags & FLAG_IS_SUPERUSER) != 0;
    role->can_login = (flags & FLAG_CAN_LOGIN) != 0;
    if (hash.size > 0) memcpy(role->hash, hash.data, hash.size);
    if (!get_permissions(roles, role, bytes)) return false;
    size_t count = cursor_count(bytes, 1);
    for (size_t i = 0; i < count; i++)
        (void)cursor_vint_bytes(bytes);
    return !bytes->failed;
}

// Reads over the roles once more, for what each is a member of.
static bool get_memberships(struct roles *roles, struct cursor bytes, size_t count)
{
    for (size_t r = 0; r < count; r++) {
        struct role *role = roles_get(roles, cursor_vint_bytes(&bytes));
        (void)cursor_u8(&bytes);
        (void)cursor_vint_bytes(&bytes);
        for (size_t i = cursor_count(&bytes, 2); i > 0; i--) {
            (void)cursor_vint_bytes(&bytes);
            (void)cursor_vint(&bytes);
        }
        for (size_t i = cursor_count(&bytes, 1); i > 0; i--) {
            struct role *of = roles_get(roles, cursor_vint_bytes(&bytes));
            if (role == NULL || of == NULL || !roles_add_member(roles, role, of)) return false;
        }
    }
    return true;
}

static bool get_identities(struct roles *roles, struct cursor *bytes)
{
    size_t count = cursor_count(bytes, 2);
    for (size_t i = 0; i < count; i++) {
        struct slice identity = cursor_vint_bytes(bytes);
        struct slice role = cursor_vint_bytes(bytes);
        if (bytes->failed || identity.size > ROLE_TEXT_SIZE_MAX || !roles_has_room(roles) ||
            roles_get(roles, role) == NULL || roles_find_identity(roles, identity) != NULL)
            return false;
        roles_add_identity(roles, identity, role);
    }
    return !bytes->failed;
}

enum status roles_get_all(struct roles *roles, struct cursor *bytes, struct error *error)
{
    roles_clear(roles);
    roles->is_changed = true;
    bool is_known = cursor_vint(bytes) == ROLES_STATE_VERSION_1;
    size_t count = cursor_count(bytes, 6);
    struct cursor first = *bytes;
    // One more than there is room for may have been added: changes ask before they add.
    bool is_whole = is_known && count <= ROLES_MAX;
    for (size_t i = 0; i < count && is_whole; i++)
        is_whole = get_role(roles, bytes) && roles->size <= 2 * ROLES_SIZE_MAX;
    is_whole = is_whole && get_memberships(roles, first, count) && get_identities(roles, bytes);
    if (is_whole) return STATUS_OK;
    return error_set(error, STATUS_CORRUPT, "metadata: the roles can not be read");
}
