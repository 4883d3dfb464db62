// Tables that a node keeps for itself in its engine, as Cassandra does in its keyspace system
// (org.apache.cassandra.db.SystemKeyspace): never in the schema that members share, so no statement
// changes them. Clients see empty ones of the same names (cql/system).
//
//     system.paxos    promises, proposals and commits of conditional statements (paxos_state.h)
//     system.batches  logged batches under way (ring/coordinator/batch_log.h)
#ifndef RING_INTERNAL_TABLES_H
#define RING_INTERNAL_TABLES_H

#include "storage/schema/schema.h"

enum internal_table { INTERNAL_TABLE_PAXOS, INTERNAL_TABLE_BATCHES, INTERNAL_TABLE_COUNT };

// For engine_options: `internal_tables` and INTERNAL_TABLE_COUNT.
struct internal_tables {
    const struct table *tables[INTERNAL_TABLE_COUNT];
};

void internal_tables_init(struct internal_tables *tables);
// Who uses them still has references of his own: the engine has.
void internal_tables_deinit(struct internal_tables *tables);

#endif
