// The simulated store without a server: an engine behind its coordinator, in one process. What it
// leaves out of a node (CQL, network, metadata) it gains in speed and in what it can look at: every
// shard of every counter that is read.
#ifndef NODE_SIM_STORAGE_WORLD_H
#define NODE_SIM_STORAGE_WORLD_H

#include "node/sim/workload.h"

struct storage_world;

struct storage_world *storage_world_create(struct sim_world *sim);
// The workload is over: nothing happens any more.
void storage_world_end(struct storage_world *world);
void storage_world_destroy(struct storage_world *world);
const struct workload_world *storage_world_functions(void);
void storage_world_set_workload(struct storage_world *world, struct workload *workload);

#endif
