// The simulated store as a whole node, with clients on another machine that speak CQL to it over
// the simulated network: what an operator runs, but for the loop and the system calls.
//
//     clients (one process, some connections) ──cql/client/client.h──▶ node/node.h on a machine of
//     its own
//
// Beside what the workload checks: no answer to a change leaves the node before the sync that
// covers it (invariant 1).
#ifndef NODE_SIM_NODE_WORLD_H
#define NODE_SIM_NODE_WORLD_H

#include "node/sim/workload.h"

struct node_world;

// The seed decides how many connections there are, and how they speak.
struct node_world *node_world_create(struct sim_world *sim, uint64_t seed);
// The workload is over: nothing happens any more.
void node_world_end(struct node_world *world);
void node_world_destroy(struct node_world *world);
const struct workload_world *node_world_functions(void);
void node_world_set_workload(struct node_world *world, struct workload *workload);

#endif
