// WITH … of keyspaces and tables, checked and made into what the schema keeps
// (org.apache.cassandra.cql3.statements.schema.TableAttributes, KeyspaceAttributes; the Params
// classes of org.apache.cassandra.schema).
#ifndef CQL_EXECUTION_SCHEMA_PROPERTIES_H
#define CQL_EXECUTION_SCHEMA_PROPERTIES_H

#include "cql/statement/analysis.h"

// Whether each value can be read, before it is known whether the table is there; unknown properties
// are left to schema_properties_apply().
bool schema_properties_check_values(struct analysis *analysis,
                                    const struct cql_properties *properties);
// Changes `params` (whose slices come to live in `arena`). Sets `*id` when the properties name one.
bool schema_properties_apply(struct analysis *analysis, struct arena *arena,
                             const struct cql_properties *properties, struct table_params *params,
                             struct uuid *id, bool *has_id);
// What a new table has where the properties say nothing and it depends on the others: a leveled one
// has larger errors in its filters (CompactionParams.defaultBloomFilterFbChance).
void schema_properties_complete(const struct cql_properties *properties,
                                struct table_params *params);
// What the whole must fulfil, whichever parts were given.
bool schema_properties_check(const struct table_params *params, bool is_counter,
                             struct cql_error *error);

// What is wrong with the properties of a keyspace, whether it is there or not.
bool schema_properties_check_keyspace(struct analysis *analysis,
                                      const struct cql_keyspace_change *change);
// Replication and durable_writes of a keyspace; what is not given stays as it is in `*replication`
// and `*durable_writes`. `data_center`: the only one there is, in a ring of one.
bool schema_properties_keyspace(struct analysis *analysis, const struct cql_keyspace_change *change,
                                const char *data_center, struct options *replication,
                                bool *durable_writes);

#endif
