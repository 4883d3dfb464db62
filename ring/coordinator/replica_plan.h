// Which replicas an operation has, how many of them must answer and how many live
// (org.apache.cassandra.locator.ReplicaPlans).
//
//     ANY              1, a hint counts too        LOCAL_ONE, LOCAL_QUORUM   of our data centre
//     ONE, TWO, THREE  1, 2, 3                     EACH_QUORUM               a quorum of each
//     QUORUM, ALL      of all copies asked for     of which there may be more than members
//
// A ring of one has one replica, itself, and levels that it can not reach are UNAVAILABLE.
#ifndef RING_REPLICA_PLAN_H
#define RING_REPLICA_PLAN_H

#include "ring/coordinator/coordinator.h"

struct replica_plan {
    struct replicas replicas; // Valid for this turn, as all of it.
    enum consistency consistency;
    bool is_local;       // Only replicas of our data centre count.
    bool is_each_quorum; // Of a NetworkTopologyStrategy: see replica_plan_center().
    int required, alive; // Of those that count.
};

// False: UNAVAILABLE with Cassandra's numbers, or no such keyspace. Sets `*result` in either case.
// A read is not content with a hint at ANY.
MUST_USE bool replica_plan_make(const struct coordinator *coordinator, const struct table *table,
                                struct token token, enum consistency consistency, bool is_read,
                                struct replica_plan *plan, struct coordinator_result *result);

// Ourselves, or known to live.
bool replica_plan_is_alive(const struct coordinator *coordinator, uint16_t member);
// Alive, and it answers us: not only others, behind a cut that they bridge.
bool replica_plan_is_near(const struct coordinator *coordinator, uint16_t member);
// Its answer counts for the level.
bool replica_plan_counts(const struct coordinator *coordinator, const struct replica_plan *plan,
                         uint16_t member);
// A member's data centre as a number: that of the first member in it.
uint16_t replica_plan_center(const struct coordinator *coordinator, uint16_t member);
// How many answers EACH_QUORUM wants of that data centre.
int replica_plan_required_in(const struct coordinator *coordinator, const struct keyspace *keyspace,
                             uint16_t center);

#endif
