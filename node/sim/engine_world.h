// The engine alone against the plainest model (table_model.h): one client, every kind of write and
// read that the engine has, all compaction strategies, ALTER, TRUNCATE and DROP; restarts, kills
// and power losses at any I/O step, and disks that fail.
//
//     operation -> engine, model ── all is read ── crash ── all is read again: what was
//     acknowledged
//                                                           is there, and of the rest the first
//                                                           ones
//
// The other worlds have many clients at a time and few kinds of data; this one has one client and
// all kinds.
#ifndef NODE_SIM_ENGINE_WORLD_H
#define NODE_SIM_ENGINE_WORLD_H

#include "node/sim/run.h"

// `sim` makes nothing go wrong yet; `chances` are set once there is a disk.
void engine_world_run(struct sim_world *sim, const double chances[SIM_FAULT_COUNT],
                      const struct run_options *options, uint64_t seed, struct run_result *result);

#endif
