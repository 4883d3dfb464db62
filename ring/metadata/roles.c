#include "ring/metadata/roles.h"

#include "base/assert.h"
#include "base/limits.h"
#include "ring/metadata/roles_state.h"

#include <stdlib.h>

// What a ring begins with: bcrypt of the word "cassandra". It protects nothing, and is to be
// changed, as Cassandra's.
#define FIRST_ROLE      "cassandra"
#define FIRST_ROLE_HASH "$2a$10$Helenus/begins.hereZ.u5S0VbfMPILmzYxeunwsKhxg0kO9IdLq"

// ---- Memory -------------------------------------------------------------------------------------

// Room for one more. Changes are rare: nothing is kept in advance.
static void *grow(void *items, size_t count, size_t size)
{
    void *grown = realloc(items, (count + 1) * size);
    ASSERT(grown != NULL);
    return grown;
}

static struct slice copy(struct slice bytes)
{
    uint8_t *data = malloc(bytes.size + 1);
    ASSERT(data != NULL);
    if (bytes.size > 0) memcpy(data, bytes.data, bytes.size);
    return slice_make(data, bytes.size);
}

static void release(struct slice bytes)
{
    free((void *)(uintptr_t)bytes.data);
}

static void role_free(struct role *role)
{
    for (size_t i = 0; i < role->permissions_count; i++)
        release(role->permissions[i].resource);
    free(role->permissions);
    free(role->member_of);
    free(role->inherited);
    release(role->name);
    free(role);
}

struct roles *roles_create(void)
{
    struct roles *roles = calloc(1, sizeof *roles);
    ASSERT(roles != NULL);
    struct role *first = roles_add(roles, slice_of_text(FIRST_ROLE));
    first->is_superuser = first->can_login = true;
    memcpy(first->hash, FIRST_ROLE_HASH, sizeof FIRST_ROLE_HASH);
    return roles;
}

void roles_clear(struct roles *roles)
{
    for (size_t i = 0; i < roles->count; i++)
        role_free(roles->items[i]);
    for (size_t i = 0; i < roles->identity_count; i++) {
        release(roles->identities[i].identity);
        release(roles->identities[i].role);
    }
    free(roles->items);
    free(roles->identities);
    *roles = (struct roles){0};
}

void roles_destroy(struct roles *roles)
{
    if (roles == NULL) return;
    roles_clear(roles);
    free(roles);
}

// ---- Finding ------------------------------------------------------------------------------------

// Where it is, or would be.
static size_t place_of_role(const struct roles *roles, struct slice name, bool *is_there)
{
    size_t from = 0, to = roles->count;
    *is_there = false;
    while (from < to && !*is_there) {
        size_t middle = from + (to - from) / 2;
        int order = slice_compare(roles->items[middle]->name, name);
        if (order == 0) *is_there = true;
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return to;
}

struct role *roles_get(const struct roles *roles, struct slice name)
{
    bool is_there;
    size_t at = place_of_role(roles, name, &is_there);
    return is_there ? roles->items[at] : NULL;
}

const struct role *roles_find(const struct roles *roles, struct slice name)
{
    return roles_get(roles, name);
}

const struct role *roles_at(const struct roles *roles, size_t index)
{
    return index < roles->count ? roles->items[index] : NULL;
}

static size_t place_of_resource(const struct role *role, struct slice resource, bool *is_there)
{
    size_t from = 0, to = role->permissions_count;
    *is_there = false;
    while (from < to && !*is_there) {
        size_t middle = from + (to - from) / 2;
        int order = slice_compare(role->permissions[middle].resource, resource);
        if (order == 0) *is_there = true;
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return to;
}

uint32_t roles_permissions_on(const struct role *role, struct slice resource)
{
    bool is_there;
    size_t at = place_of_resource(role, resource, &is_there);
    return is_there ? role->permissions[at].permissions : 0;
}

static size_t place_of_identity(const struct roles *roles, struct slice identity, bool *is_there)
{
    size_t at = 0;
    int order = 1;
    while (at < roles->identity_count &&
           (order = slice_compare(roles->identities[at].identity, identity)) < 0)
        at++;
    *is_there = at < roles->identity_count && order == 0;
    return at;
}

const struct role_identity *roles_find_identity(const struct roles *roles, struct slice identity)
{
    bool is_there;
    size_t at = place_of_identity(roles, identity, &is_there);
    return is_there ? &roles->identities[at] : NULL;
}

const struct role_identity *roles_identity_at(const struct roles *roles, size_t index)
{
    return index < roles->identity_count ? &roles->identities[index] : NULL;
}

bool roles_has_room(const struct roles *roles)
{
    return roles->count + roles->identity_count < ROLES_MAX && roles->size < ROLES_SIZE_MAX;
}

// ---- What a role is a member of -----------------------------------------------------------------

static bool has_inherited(const struct role *role, const struct role *other)
{
    for (size_t i = 0; i < role->inherited_count; i++)
        if (role->inherited[i] == other) return true;
    return false;
}

static void add_inherited(struct role *role, const struct role *other)
{
    role->inherited = grow((void *)role->inherited, role->inherited_count, sizeof *role->inherited);
    role->inherited[role->inherited_count++] = other;
}

const struct role *const *roles_inherited(const struct role *role, size_t *count)
{
    // What was asked before is kept in the role itself: it says nothing new.
    struct role *kept = (struct role *)(uintptr_t)role;
    if (kept->inherited == NULL) {
        add_inherited(kept, kept);
        for (size_t i = 0; i < kept->inherited_count; i++) {
            const struct role *at = kept->inherited[i];
            for (size_t m = 0; m < at->member_of_count; m++)
                if (!has_inherited(kept, at->member_of[m])) add_inherited(kept, at->member_of[m]);
        }
    }
    *count = kept->inherited_count;
    return (const struct role *const *)kept->inherited;
}

bool roles_is_superuser(const struct role *role)
{
    size_t count;
    const struct role *const *inherited = roles_inherited(role, &count);
    for (size_t i = 0; i < count; i++)
        if (inherited[i]->is_superuser) return true;
    return false;
}

static void forget_inherited(struct roles *roles)
{
    for (size_t i = 0; i < roles->count; i++) {
        free(roles->items[i]->inherited);
        roles->items[i]->inherited = NULL;
        roles->items[i]->inherited_count = 0;
    }
}

// ---- Parts of a change --------------------------------------------------------------------------

struct role *roles_add(struct roles *roles, struct slice name)
{
    bool is_there;
    size_t at = place_of_role(roles, name, &is_there);
    ASSERT(!is_there);
    roles->items = grow(roles->items, roles->count, sizeof *roles->items);
    memmove(roles->items + at + 1, roles->items + at, (roles->count - at) * sizeof *roles->items);
    struct role *role = calloc(1, sizeof *role);
    ASSERT(role != NULL);
    role->name = copy(name);
    roles->items[at] = role;
    roles->count++;
    roles->size += sizeof *role + name.size;
    return role;
}

void roles_add_identity(struct roles *roles, struct slice identity, struct slice role)
{
    bool is_there;
    size_t at = place_of_identity(roles, identity, &is_there);
    ASSERT(!is_there);
    roles->identities = grow(roles->identities, roles->identity_count, sizeof *roles->identities);
    struct role_identity *place = roles->identities + at;
    memmove(place + 1, place, (roles->identity_count - at) * sizeof *place);
    *place = (struct role_identity){copy(identity), copy(role)};
    roles->identity_count++;
    roles->size += sizeof *place + identity.size + role.size;
}

static void remove_identity(struct roles *roles, size_t at)
{
    struct role_identity *place = roles->identities + at;
    roles->size -= sizeof *place + place->identity.size + place->role.size;
    release(place->identity);
    release(place->role);
    roles->identity_count--;
    memmove(place, place + 1, (roles->identity_count - at) * sizeof *place);
}

bool roles_remove_identity(struct roles *roles, struct slice identity)
{
    bool is_there;
    size_t at = place_of_identity(roles, identity, &is_there);
    if (is_there) remove_identity(roles, at);
    return is_there;
}

bool roles_add_member(struct roles *roles, struct role *role, struct role *of)
{
    size_t count;
    const struct role *const *inherited = roles_inherited(of, &count);
    for (size_t i = 0; i < count; i++)
        if (inherited[i] == role) return false; // A circle, or itself.
    size_t at = 0;
    while (at < role->member_of_count && slice_compare(role->member_of[at]->name, of->name) < 0)
        at++;
    if (at < role->member_of_count && role->member_of[at] == of) return false;
    role->member_of = grow(role->member_of, role->member_of_count, sizeof(struct role *));
    memmove(role->member_of + at + 1, role->member_of + at,
            (role->member_of_count - at) * sizeof(struct role *));
    role->member_of[at] = of;
    role->member_of_count++;
    roles->size += sizeof(struct role *);
    forget_inherited(roles);
    return true;
}

bool roles_remove_member(struct roles *roles, struct role *role, const struct role *of)
{
    size_t at = 0;
    while (at < role->member_of_count && role->member_of[at] != of)
        at++;
    if (at == role->member_of_count) return false;
    role->member_of_count--;
    memmove(role->member_of + at, role->member_of + at + 1,
            (role->member_of_count - at) * sizeof(struct role *));
    roles->size -= sizeof(struct role *);
    forget_inherited(roles);
    return true;
}

void roles_permit(struct roles *roles, struct role *role, struct slice resource,
                  uint32_t permissions)
{
    bool is_there;
    size_t at = place_of_resource(role, resource, &is_there);
    if (!is_there) {
        role->permissions =
            grow(role->permissions, role->permissions_count, sizeof *role->permissions);
        memmove(role->permissions + at + 1, role->permissions + at,
                (role->permissions_count - at) * sizeof *role->permissions);
        role->permissions[at] = (struct role_permissions){copy(resource), 0};
        role->permissions_count++;
        roles->size += sizeof *role->permissions + resource.size;
    }
    role->permissions[at].permissions |= permissions;
}

static void remove_permissions(struct roles *roles, struct role *role, size_t at)
{
    roles->size -= sizeof *role->permissions + role->permissions[at].resource.size;
    release(role->permissions[at].resource);
    role->permissions_count--;
    memmove(role->permissions + at, role->permissions + at + 1,
            (role->permissions_count - at) * sizeof *role->permissions);
}

void roles_forbid(struct roles *roles, struct role *role, struct slice resource,
                  uint32_t permissions)
{
    bool is_there;
    size_t at = place_of_resource(role, resource, &is_there);
    if (!is_there) return;
    role->permissions[at].permissions &= ~permissions;
    if (role->permissions[at].permissions == 0) remove_permissions(roles, role, at);
}

void roles_forget(struct roles *roles, struct slice resource)
{
    for (size_t r = 0; r < roles->count; r++) {
        struct role *role = roles->items[r];
        for (size_t i = role->permissions_count; i-- > 0;) {
            struct slice at = role->permissions[i].resource;
            if (at.size < resource.size || memcmp(at.data, resource.data, resource.size) != 0)
                continue;
            if (at.size == resource.size || at.data[resource.size] == '/')
                remove_permissions(roles, role, i);
        }
    }
}

void roles_remove(struct roles *roles, struct role *role)
{
    for (size_t i = 0; i < roles->count; i++)
        (void)roles_remove_member(roles, roles->items[i], role);
    for (size_t i = roles->identity_count; i-- > 0;)
        if (slice_equals(roles->identities[i].role, role->name)) remove_identity(roles, i);
    for (size_t i = role->permissions_count; i-- > 0;)
        remove_permissions(roles, role, i);
    roles->size -= sizeof *role + role->name.size + role->member_of_count * sizeof(struct role *);
    bool is_there;
    size_t at = place_of_role(roles, role->name, &is_there);
    roles->count--;
    memmove(roles->items + at, roles->items + at + 1, (roles->count - at) * sizeof *roles->items);
    role_free(role);
    forget_inherited(roles);
}
