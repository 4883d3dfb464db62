// The roles among their own files: roles.c (what is there) and roles_codec.c (records, snapshots).
#ifndef RING_ROLES_STATE_H
#define RING_ROLES_STATE_H

#include "ring/metadata/roles.h"

struct roles {
    struct role **items; // By name.
    size_t count;
    struct role_identity *identities; // By identity.
    size_t identity_count;
    size_t size;     // Of all, about, in bytes.
    bool is_changed; // Ever: else nothing of it is in a snapshot.
};

// Back to nothing at all.
void roles_clear(struct roles *roles);
struct role *roles_get(const struct roles *roles, struct slice name);
struct role *roles_add(struct roles *roles, struct slice name); // There is none of this name.
void roles_remove(struct roles *roles, struct role *role);
// False, and nothing changed: it is one already, or there would be a circle; it is none.
bool roles_add_member(struct roles *roles, struct role *role, struct role *of);
bool roles_remove_member(struct roles *roles, struct role *role, const struct role *of);
void roles_permit(struct roles *roles, struct role *role, struct slice resource,
                  uint32_t permissions);
void roles_forbid(struct roles *roles, struct role *role, struct slice resource,
                  uint32_t permissions);
void roles_add_identity(struct roles *roles, struct slice identity, struct slice role);
bool roles_remove_identity(struct roles *roles, struct slice identity);

#endif
