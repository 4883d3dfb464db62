#include "tests/ring/support/message_world.h"

#include "base/assert.h"
#include "ring/topology/topology.h"

#include <stdlib.h>

static const struct topology *world_topology(void *context)
{
    return ((struct message_node *)context)->world->topology;
}

static uint64_t world_log_number(void *context)
{
    return ((struct message_node *)context)->log_number;
}

static void world_behind(void *context, uint16_t member, uint64_t number)
{
    struct message_node *node = context;
    node->behind_member = member;
    node->behind_number = number;
    node->behind_count++;
}

static void world_died(void *context, struct env *env)
{
    struct message_node *node = context;
    if (node->abandon != NULL) node->abandon(node);
    if (node->messaging != NULL) messaging_abandon(node->messaging);
    node->messaging = NULL;
    node->env = NULL;
    sim_process_destroy(env);
}

void message_world_start(struct message_world *world, size_t number)
{
    struct message_node *node = &world->nodes[number];
    ASSERT(node->env == NULL);
    node->env = sim_process_start(node->machine, "node", world_died, node);
    struct messaging_options options = {.listen = world->topology->members[number].address,
                                        .self = node->number,
                                        .topology = world_topology,
                                        .log_number = world_log_number,
                                        .behind = world_behind,
                                        .context = node};
    ASSERT(messaging_create(node->env, &options, &node->messaging, NULL) == STATUS_OK);
}

static void world_make_topology(struct message_world *world)
{
    struct member *members = calloc(world->count, sizeof *members);
    struct token *tokens = calloc(world->count, sizeof *tokens);
    ASSERT(members != NULL && tokens != NULL);
    for (size_t i = 0; i < world->count; i++) {
        tokens[i].value = (int64_t)i;
        members[i] = (struct member){
            .address = {.bytes = {127, 0, (uint8_t)(i / 250), (uint8_t)(i % 250 + 1)},
                        .size = 4,
                        .port = 7000},
            .data_center = "datacenter1",
            .rack = "rack1",
            .tokens = &tokens[i],
            .token_count = 1};
        members[i].rpc_address = members[i].address;
        members[i].rpc_address.port = 9042;
        members[i].host_id.bytes[0] = (uint8_t)(i >> 8);
        members[i].host_id.bytes[1] = (uint8_t)i;
        members[i].host_id.bytes[15] = 1;
    }
    ASSERT(topology_make(members, world->count, &world->topology, NULL) == STATUS_OK);
    free(tokens);
    free(members);
}

void message_world_open(struct message_world *world, size_t count, uint64_t seed)
{
    struct sim_options options = {.seed = seed};
    *world = (struct message_world){.sim = sim_world_create(&options), .count = count};
    world->nodes = calloc(count, sizeof *world->nodes);
    ASSERT(world->nodes != NULL);
    world_make_topology(world);
    for (size_t i = 0; i < count; i++) {
        struct message_node *node = &world->nodes[i];
        *node = (struct message_node){.world = world, .number = (uint16_t)i};
        // A large ring has several members on a machine.
        node->machine = i < SIM_MACHINES_MAX ? sim_machine_create(world->sim, "box")
                                             : world->nodes[i % SIM_MACHINES_MAX].machine;
        message_world_start(world, i);
    }
}

void message_world_kill(struct message_world *world, size_t number)
{
    sim_process_crash(world->nodes[number].env);
}

void message_world_close(struct message_world *world)
{
    for (size_t i = 0; i < world->count; i++)
        if (world->nodes[i].env != NULL) message_world_kill(world, i);
    message_world_run(world, 0.001, NULL);
    topology_destroy(world->topology);
    free(world->nodes);
    sim_world_destroy(world->sim);
}

struct world_pause {
    struct sim_call call;
    bool is_over;
};

static void world_pause_ends(struct sim_call *call)
{
    ((struct world_pause *)(void *)call)->is_over = true;
}

void message_world_run(struct message_world *world, double seconds, const bool *done)
{
    struct world_pause pause = {0};
    sim_world_call(world->sim, &pause.call, (uint64_t)(seconds * 1e9), world_pause_ends);
    while (!pause.is_over && (done == NULL || !*done))
        ASSERT(sim_world_step(world->sim));
    sim_world_cancel(world->sim, &pause.call);
}

void message_world_fault(struct message_world *world, size_t a, size_t b,
                         struct messaging_fault fault)
{
    messaging_set_fault(world->nodes[a].messaging, (uint16_t)b, &fault);
    messaging_set_fault(world->nodes[b].messaging, (uint16_t)a, &fault);
}
