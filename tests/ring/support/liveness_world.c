#include "tests/ring/support/liveness_world.h"

#include "base/assert.h"
#include "base/container_of.h"

#include <stdlib.h>

static void world_changed(struct liveness_listener *listener, uint16_t member, bool is_up)
{
    struct liveness_node *node = CONTAINER_OF(listener, struct liveness_node, listener);
    ++(is_up ? node->ups : node->downs)[member];
}

static void world_abandon(struct message_node *at)
{
    struct liveness_node *node = at->data;
    liveness_abandon(node->liveness);
    node->liveness = NULL;
}

static void world_begin(struct liveness_world *world, size_t number)
{
    struct message_node *at = &world->messages.nodes[number];
    struct liveness_node *node = &world->nodes[number];
    struct liveness_options options = {.self = at->number,
                                       .member_count = (uint16_t)world->messages.count};
    at->abandon = world_abandon;
    at->data = node;
    node->liveness = liveness_create(at->env, at->messaging, &options);
    node->listener.changed = world_changed;
    liveness_listen(node->liveness, &node->listener);
}

void liveness_world_open(struct liveness_world *world, size_t count, uint64_t seed)
{
    message_world_open(&world->messages, count, seed);
    world->nodes = calloc(count, sizeof *world->nodes);
    ASSERT(world->nodes != NULL);
    for (size_t i = 0; i < count; i++) {
        world->nodes[i].count = count;
        world->nodes[i].ups = calloc(count, sizeof(int));
        world->nodes[i].downs = calloc(count, sizeof(int));
        ASSERT(world->nodes[i].ups != NULL && world->nodes[i].downs != NULL);
        world_begin(world, i);
    }
}

void liveness_world_close(struct liveness_world *world)
{
    size_t count = world->messages.count;
    message_world_close(&world->messages);
    for (size_t i = 0; i < count; i++) {
        free(world->nodes[i].ups);
        free(world->nodes[i].downs);
    }
    free(world->nodes);
}

void liveness_world_kill(struct liveness_world *world, size_t number)
{
    message_world_kill(&world->messages, number);
    while (world->messages.nodes[number].env != NULL)
        ASSERT(sim_world_step(world->messages.sim));
}

void liveness_world_start(struct liveness_world *world, size_t number)
{
    message_world_start(&world->messages, number);
    world_begin(world, number);
}

bool liveness_world_agrees(const struct liveness_world *world, size_t member, bool is_up)
{
    for (size_t i = 0; i < world->messages.count; i++) {
        const struct liveness *liveness = world->nodes[i].liveness;
        if (i == member || liveness == NULL) continue;
        if (liveness_is_up(liveness, (uint16_t)member) != is_up) return false;
    }
    return true;
}

bool liveness_world_is_whole(const struct liveness_world *world)
{
    for (size_t i = 0; i < world->messages.count; i++)
        if (world->nodes[i].liveness == NULL ||
            liveness_up_count(world->nodes[i].liveness) != world->messages.count)
            return false;
    return true;
}

static double world_seconds(const struct liveness_world *world, uint64_t start_ns)
{
    return (double)(sim_world_now(world->messages.sim) - start_ns) / 1e9;
}

double liveness_world_until(struct liveness_world *world, double seconds, size_t member, bool is_up)
{
    uint64_t start_ns = sim_world_now(world->messages.sim);
    while (!liveness_world_agrees(world, member, is_up) && world_seconds(world, start_ns) < seconds)
        message_world_run(&world->messages, 0.001, NULL);
    return world_seconds(world, start_ns);
}

double liveness_world_until_whole(struct liveness_world *world, double seconds)
{
    uint64_t start_ns = sim_world_now(world->messages.sim);
    while (!liveness_world_is_whole(world) && world_seconds(world, start_ns) < seconds)
        message_world_run(&world->messages, 0.001, NULL);
    return world_seconds(world, start_ns);
}
