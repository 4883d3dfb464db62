// The roles that the metadata log knows: who may log in, who is a member of what, which permissions
// each has on which resources (org.apache.cassandra.auth.CassandraRoleManager,
// CassandraAuthorizer). A state machine like jobs.h: each change either holds, or changes nothing
// and is a CONFLICT.
//
//     change (statement) -> record -> roles_apply() on every node, in one order
//
// A ring begins with the superuser `cassandra`, whose password is that word, as Cassandra's does.
// Resources are texts, Cassandra's own: "data/ks/table", "roles/r", "functions/ks", "mbean/…".
//
// Invariants: memberships have no circle; each name of a role, and of a resource of a role, is
// there once, in the order of bytes; what is dropped leaves neither permissions nor memberships
// behind.
#ifndef RING_ROLES_H
#define RING_ROLES_H

#include "base/buffer.h"
#include "base/cursor.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

// clang-format off
//    In Cassandra's order, which LIST PERMISSIONS has.
#define ROLE_PERMISSION_MAP(X) \
    X(CREATE)                  \
    X(ALTER)                   \
    X(DROP)                    \
    X(SELECT)                  \
    X(MODIFY)                  \
    X(AUTHORIZE)               \
    X(DESCRIBE)                \
    X(EXECUTE)                 \
    X(UNMASK)                  \
    X(SELECT_MASKED)
// clang-format on

enum role_permission_place {
#define X(name) ROLE_PLACE_##name,
    ROLE_PERMISSION_MAP(X)
#undef X
        ROLE_PERMISSION_COUNT
};

// Sets of permissions.
enum {
#define X(name) ROLE_MAY_##name = 1 << ROLE_PLACE_##name,
    ROLE_PERMISSION_MAP(X)
#undef X
        ROLE_MAY_ALL = (1 << ROLE_PERMISSION_COUNT) - 1,
};

enum {
    ROLE_HASH_SIZE = 60, // bcrypt: $2a$10$, 22 characters of salt, 31 of hash.
    ROLE_NAME_SIZE_MAX = 256,
    ROLE_TEXT_SIZE_MAX = 2048, // Of a resource, an identity.
};

struct role_permissions {
    struct slice resource;
    uint32_t permissions;
};

struct role {
    struct slice name;
    bool is_superuser, can_login;
    char hash[ROLE_HASH_SIZE + 1]; // Of the password; "" without one.
    // What it is itself a member of, by name.
    struct role **member_of;
    size_t member_of_count;
    struct role_permissions *permissions; // By resource.
    size_t permissions_count;
    // roles_inherited()'s; NULL until it was asked.
    const struct role **inherited;
    size_t inherited_count;
};

struct role_identity {
    struct slice identity, role;
};

struct roles;

struct roles *roles_create(void);
void roles_destroy(struct roles *roles); // NULL is allowed.

// NULL: there is none. Valid until the next change.
const struct role *roles_find(const struct roles *roles, struct slice name);
const struct role *roles_at(const struct roles *roles, size_t index); // By name; NULL at the end.
// The role itself, and all that it is a member of, directly or not. Computed once after a change.
const struct role *const *roles_inherited(const struct role *role, size_t *count);
// It or one of those is a superuser.
bool roles_is_superuser(const struct role *role);
// What the role itself was granted on the resource itself.
uint32_t roles_permissions_on(const struct role *role, struct slice resource);
const struct role_identity *roles_find_identity(const struct roles *roles, struct slice identity);
const struct role_identity *roles_identity_at(const struct roles *roles, size_t index);
// Is there room for one more change?
bool roles_has_room(const struct roles *roles);

// ---- Changes ------------------------------------------------------------------------------------

enum role_change_kind {
    ROLE_CREATE =
        1,      // has_…, hash, `other`: who made it and gets all permissions on it; may be null.
    ROLE_ALTER, // has_…, hash
    ROLE_DROP,
    ROLE_GRANT,         // `role` becomes a member of `other`.
    ROLE_REVOKE,        // … and no longer is.
    ROLE_PERMIT,        // `permissions` on the resource `other`.
    ROLE_FORBID,        // … and no longer.
    ROLE_ADD_IDENTITY,  // `other` is one of `role`.
    ROLE_DROP_IDENTITY, // `other`; `role` is empty.
};

struct role_change {
    enum role_change_kind kind;
    struct slice role, other;
    bool has_superuser, is_superuser, has_login, can_login;
    struct slice hash; // Null: as it was.
    uint32_t permissions;
};

void roles_put_change(struct buffer *record, const struct role_change *change);
// CONFLICT: there is such a role already, or none, or no room.
MUST_USE enum status roles_apply(struct roles *roles, struct cursor *record);
// A resource is gone, with all below it: nobody has permissions on it any more.
void roles_forget(struct roles *roles, struct slice resource);

// ---- All as bytes -------------------------------------------------------------------------------

// Nothing if nothing was ever changed.
void roles_put_all(struct buffer *bytes, const struct roles *roles);
// Whether what follows is what that wrote.
bool roles_is_next(const struct cursor *bytes);
MUST_USE enum status roles_get_all(struct roles *roles, struct cursor *bytes, struct error *error);

#endif
