// What tables of a node's numbers say: estimates of sizes, which Spark's connector cuts its work
// by (system.size_estimates, system.table_estimates), and those of system_views that this node has
// numbers for (org.apache.cassandra.db.virtual, org.apache.cassandra.db.SizeEstimatesRecorder).
#ifndef CQL_SYSTEM_SYSTEM_VIEWS_H
#define CQL_SYSTEM_SYSTEM_VIEWS_H

#include "cql/system/system_row.h"
#include "cql/system/system_tables.h"

// What there is to look at. `engine` and what follows may be NULL: then there is nothing.
struct system_views {
    const struct metadata *metadata;
    const struct node_identity *identity;
    const struct engine *engine;
    const struct coordinator *coordinator;
    const struct system_source *source;
    const struct table_figures_set *figures;
    int64_t up_s; // Since the start.
};

// The rows of `empty->table`. False: it is none of these.
bool system_views_fill(const struct system_views *views, const struct system_row *empty);

#endif
