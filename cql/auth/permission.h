// What users may do (org.apache.cassandra.auth.CassandraAuthorizer, ClientState.ensurePermission):
// each statement's permissions, looked at each time it is executed, in the roles as they are now.
//
// Roles are in memory, so a check is some searches among few sorted names; none is cached, and
// there is nothing to expire. Without authentication, or with AllowAllAuthorizer, all of it is one
// test of a pointer.
#ifndef CQL_AUTH_PERMISSION_H
#define CQL_AUTH_PERMISSION_H

#include "cql/auth/auth.h"
#include "cql/statement/statement.h"

// Who asks. `role` is NULL when it was dropped since it logged in.
struct permission_user {
    const struct query_processor *processor;
    struct slice name;
    struct arena *arena;
    struct cql_error *error;
};

// The role that the user is now; NULL: none any more.
const struct role *permission_role(const struct permission_user *user);
bool permission_is_superuser(const struct permission_user *user);
// Does the user have one of `permissions` on the resource, or on what stands above it?
bool permission_has(const struct permission_user *user, uint32_t permission, struct slice resource);
// The same; "User %s has no %s permission on %s or any of its parents".
bool permission_ensure(const struct permission_user *user, uint32_t permission,
                       struct slice resource);
const char *permission_name(uint32_t permission);
// Those of `permissions`, ", " between them, in Cassandra's order.
const char *permission_names(struct arena *arena, uint32_t permissions);
// All that can be granted on the system's own keyspaces.
#define PERMISSIONS_OF_SYSTEM ((uint32_t)(ROLE_MAY_SELECT | ROLE_MAY_DESCRIBE | ROLE_MAY_UNMASK))
// system, system_schema and those that are on several nodes: permissions on them are limited.
bool permission_is_system_keyspace(struct slice keyspace);

// May the user execute it? Statements about roles look themselves. Only with an `auth`.
bool permission_check(const struct permission_user *user, const struct statement *statement);

#endif
