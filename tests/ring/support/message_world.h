// Members of a ring that have nothing but messaging, each a process of a simulated world.
//
//     struct message_world world;
//     message_world_open(&world, 3, seed);
//     messaging_handle(world.nodes[1].messaging, VERB_READ, …);
//     message_world_run(&world, 0.5, &done);
//     message_world_close(&world);
#ifndef TESTS_RING_SUPPORT_MESSAGE_WORLD_H
#define TESTS_RING_SUPPORT_MESSAGE_WORLD_H

#include "base/env_sim.h"
#include "ring/transport/messaging.h"

struct message_node {
    struct message_world *world;
    uint16_t number;
    struct sim_machine *machine;
    struct env *env;             // NULL: it is dead.
    struct messaging *messaging; // NULL: likewise.
    uint64_t log_number;
    // What behind() was told last, and how often.
    uint16_t behind_member;
    uint64_t behind_number;
    int behind_count;
    void (*abandon)(struct message_node *node); // Of what the test has in the process; before.
    void *data;                                 // The test's.
};

struct message_world {
    struct sim_world *sim;
    struct topology *topology;
    size_t count;
    struct message_node *nodes;
};

// No fault ever strikes by itself.
void message_world_open(struct message_world *world, size_t count, uint64_t seed);
void message_world_close(struct message_world *world);
// The next `seconds`, or until `*done` if that is not NULL.
void message_world_run(struct message_world *world, double seconds, const bool *done);
// kill -9. It takes effect with the next step of the world.
void message_world_kill(struct message_world *world, size_t number);
// A process again, with messaging alone.
void message_world_start(struct message_world *world, size_t number);
// A fault between two members, at both of them.
void message_world_fault(struct message_world *world, size_t a, size_t b,
                         struct messaging_fault fault);

#endif
