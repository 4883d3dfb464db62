// What the clients of a simulated ring do, and the check of every answer. The counterpart of
// workload.h, where one store has one life after the other: here nodes come and go, and what lost
// its answer may still be carried out much later by whoever has it (a message under way, a hint, a
// replica that was cut off). So a candidate of the model (model.h) is never ruled out.
//
//     certain:  acknowledged at a level that meets every QUORUM, or seen by a QUORUM read (that a
//               row is gone: not by a read through an index, see model_read_no_place())
//     weakly:   acknowledged at a lower level: there at the end, once everything is read at ALL
//     unknown:  anything, at any time
//
// Checked: QUORUM and ALL reads show what is certain and nothing that nobody wrote, also when they
// want but the first rows; counters to the single increment; reads at ONE show what somebody wrote;
// what expires is over when the clocks of those who were asked say so (expiry.h); a logged batch is
// whole or not there at the end; nothing from before a truncation comes back; DDL that was
// acknowledged is seen through every node that is well; registers are linearizable
// (linearizable.h); when all is well nobody is told Unavailable, and at the end everything works
// again through every node.
#ifndef NODE_SIM_RING_WORKLOAD_H
#define NODE_SIM_RING_WORKLOAD_H

#include "node/sim/sim_client.h"

struct ring_workload;

// What the world knows and does.
struct ring_workload_world {
    // Since when nothing has been wrong with any node or with the network between them; UINT64_MAX:
    // something is.
    uint64_t (*calm_since_ns)(void *world);
    // A node's wall clock.
    int64_t (*wall_us)(void *world, size_t node);
    // Flushes a node's tables, if it lives.
    void (*flush)(void *world, size_t node);
    // One of the nodes goes, and stays away until all heals. False: not in this world.
    bool (*leave_one)(void *world);
    // Operations are over: nothing goes wrong any more, all nodes start anew. `healed` follows.
    void (*heal)(void *world);
};

struct ring_workload_options {
    uint64_t seed, operations;
    size_t node_count;
    int replication_factor;
    bool only_paxos; // One register, and nothing else.
    bool is_sparse;  // Partitions of few rows, or of none but the static one.
    bool much_batches;
};

struct ring_workload *ring_workload_create(struct sim_world *sim,
                                           const struct ring_workload_options *options,
                                           const struct ring_workload_world *world, void *context,
                                           struct sim_clients *clients);
void ring_workload_destroy(struct ring_workload *workload);
void ring_workload_begin(struct ring_workload *workload);
// Tables are there, operations begin.
bool ring_workload_is_running(const struct ring_workload *workload);
// A truncation is left to the end.
bool ring_workload_wants_truncation(const struct ring_workload *workload);
// All nodes run and serve, and will from now on.
void ring_workload_healed(struct ring_workload *workload);
bool ring_workload_is_over(const struct ring_workload *workload);
const char *ring_workload_fault(const struct ring_workload *workload);
void ring_workload_fail(struct ring_workload *workload, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
uint64_t ring_workload_done_count(const struct ring_workload *workload, enum workload_kind kind);

#endif
