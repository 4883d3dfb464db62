// The keyspaces and tables that every Cassandra 5.0.4 has: names, ids, types and options
// (cql-server.md, appendix A; org.apache.cassandra.db.SystemKeyspace, SchemaKeyspace,
// SystemDistributedKeyspace, AuthKeyspace, TraceKeyspace, VirtualSchemaKeyspace).
//
// They are kept as text, in the order and the words of that appendix, and read once for each node.
#ifndef CQL_SYSTEM_SYSTEM_DEFINITIONS_H
#define CQL_SYSTEM_SYSTEM_DEFINITIONS_H

#include "storage/schema/schema.h"

// A schema of all of them; the caller's. `is_virtual` is set on every table, as none is stored, but
// only on the keyspaces that are virtual in Cassandra too: system_views, system_virtual_schema.
struct schema *system_definitions_make(void);

// Whether it is one of them.
bool system_definitions_has_keyspace(struct slice name);

#endif
