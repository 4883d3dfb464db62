// A ring of 1 to 7 whole nodes (node/node.h), each on a machine of its own, with clients that talk
// to all of them, in bad weather:
//
//     clients --CQL--> node 0..6 --messaging--> each other          (ring_workload.h, sim_client.h)
//
//     calm  --some seconds--> storm --some seconds--> calm …  --all operations are done--> healed
//     storm = lives end at random I/O steps, by kill -9, by power loss (of several at once, too) or
//             in good order; networks are cut (one way, both ways, in halves), reset and slow;
//             messages are lost, doubled and held back; processes stop for a while; disks are slow
//             and full; clocks jump
//
// Which of these a seed has, and how much, is drawn. At the end all heals, everything is read and
// checked, power is lost everywhere, everything is read again, and what the replicas hold is
// compared (ring_compare.h); the metadata logs must have come to the same end.
#ifndef NODE_SIM_RING_WORLD_H
#define NODE_SIM_RING_WORLD_H

#include "node/sim/ring_workload.h"

struct ring_world;

// `only_paxos`: three nodes, one register that all want to change, and power that is lost all the
// time.
struct ring_world *ring_world_create(struct sim_world *sim, uint64_t seed, uint64_t operations,
                                     bool only_paxos);
// Some of all requests tell what is done for them, here and at replicas. Before it begins.
void ring_world_trace(struct ring_world *world);
// `chances` are those of the storms.
void ring_world_begin(struct ring_world *world, const double chances[SIM_FAULT_COUNT]);
bool ring_world_is_over(const struct ring_world *world);
// What is wrong, or NULL.
const char *ring_world_fault(const struct ring_world *world);
void ring_world_fail(struct ring_world *world, const char *text);
uint64_t ring_world_done_count(const struct ring_world *world, enum workload_kind kind);
// Nothing happens any more.
void ring_world_end(struct ring_world *world);
void ring_world_destroy(struct ring_world *world);

#endif
