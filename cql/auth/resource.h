// What permissions are on, as the texts that the metadata log has, which are Cassandra's
// (org.apache.cassandra.auth.DataResource, RoleResource, FunctionResource, JMXResource).
//
//     data/ks/t -> data/ks/* -> data/ks -> data       a permission on what is further right holds
//     too roles/r -> roles        functions/ks/f[int] -> functions/ks -> functions        mbean/x
//     -> mbean
#ifndef CQL_AUTH_RESOURCE_H
#define CQL_AUTH_RESOURCE_H

#include "cql/parser/ast.h"
#include "cql/statement/statement.h"

struct slice resource_of_keyspace(struct arena *arena, struct slice keyspace);
struct slice resource_of_all_tables(struct arena *arena, struct slice keyspace);
struct slice resource_of_table(struct arena *arena, struct slice keyspace, struct slice table);
struct slice resource_of_functions(struct arena *arena, struct slice keyspace);
struct slice resource_of_role(struct arena *arena, struct slice role);

// What a statement names. `keyspace` is the current one; empty if none. False: `error` says why.
bool resource_of_ast(struct arena *arena, const struct cql_resource *ast, struct slice keyspace,
                     struct slice *resource, struct cql_error *error);
// The next one to the right; false at the end.
bool resource_go_up(struct arena *arena, struct slice *resource);
bool resource_exists(const struct query_processor *processor, struct slice resource);
// What can be granted on it.
uint32_t resource_permissions(struct slice resource);
// "<table ks.t>"
const char *resource_text(struct arena *arena, struct slice resource);
// The keyspace of a resource of data; empty for others and for all keyspaces.
struct slice resource_keyspace(struct slice resource);

#endif
