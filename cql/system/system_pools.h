// The stages of a node as Cassandra's thread pools (org.apache.cassandra.db.virtual
// .ThreadPoolsTable): how much each did, does and has to do. Where this node has one loop for all,
// a stage has one thread, and nothing waits for it but what it works at.
#ifndef CQL_SYSTEM_SYSTEM_POOLS_H
#define CQL_SYSTEM_SYSTEM_POOLS_H

#include "cql/system/system_views.h"

// In the order of their names; returns how many.
size_t system_pools_tell(const struct system_views *views,
                         struct system_pool pools[static SYSTEM_POOLS_MAX]);
// The rows of system_views.thread_pools.
void system_pools_fill(const struct system_views *views, const struct system_row *empty);

#endif
