// Whether all replicas hold the same: looked up in the engines of all nodes of a simulated ring,
// past all coordinators.
//
// Compared is what lives (tombstones go away at each node's own time): rows, cells with timestamp
// and value, counters shard by shard. A partition that a node holds without being a replica is
// wrong too, and so is a counter shard of one id and clock with two counts.
#ifndef NODE_SIM_RING_COMPARE_H
#define NODE_SIM_RING_COMPARE_H

#include "base/env_sim.h"
#include "node/node.h"

// SimpleStrategy with this factor. Steps the world when something is not in memory. False:
// `message` says what differs.
bool ring_compare(struct sim_world *sim, struct node *const *nodes, size_t count,
                  int replication_factor, char message[static 512]);

#endif
