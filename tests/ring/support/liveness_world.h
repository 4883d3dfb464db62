// Members of a ring that have messaging and liveness, each a process of a simulated world.
#ifndef TESTS_RING_SUPPORT_LIVENESS_WORLD_H
#define TESTS_RING_SUPPORT_LIVENESS_WORLD_H

#include "ring/liveness/liveness.h"
#include "tests/ring/support/message_world.h"

struct liveness_node {
    struct liveness *liveness; // NULL: it is dead.
    struct liveness_listener listener;
    int *ups, *downs; // How often each member was said to be so.
    size_t count;
};

struct liveness_world {
    struct message_world messages;
    struct liveness_node *nodes;
};

void liveness_world_open(struct liveness_world *world, size_t count, uint64_t seed);
void liveness_world_close(struct liveness_world *world);
void liveness_world_kill(struct liveness_world *world, size_t number);
void liveness_world_start(struct liveness_world *world, size_t number);
// Do all that live see `member` up, or down?
bool liveness_world_agrees(const struct liveness_world *world, size_t member, bool is_up);
// Does everybody see everybody up?
bool liveness_world_is_whole(const struct liveness_world *world);
// Runs until that is so; how long it took, or more than `seconds`.
double liveness_world_until(struct liveness_world *world, double seconds, size_t member,
                            bool is_up);
double liveness_world_until_whole(struct liveness_world *world, double seconds);

#endif
