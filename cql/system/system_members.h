// What goes between this node and the other members, as rows of system_views (org.apache.cassandra
// .db.virtual: InternodeOutboundTable, InternodeInboundTable, PendingHintsTable).
#ifndef CQL_SYSTEM_SYSTEM_MEMBERS_H
#define CQL_SYSTEM_SYSTEM_MEMBERS_H

#include "cql/system/system_views.h"

// The rows of `empty->table`. False: it is none of these.
bool system_members_fill(const struct system_views *views, const struct system_row *empty);

#endif
