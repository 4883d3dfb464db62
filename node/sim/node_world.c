#include "node/sim/node_world.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "node/node.h"
#include "node/sim/sim_client.h"
#include "storage/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)

enum { CLIENTS_MAX = 4 };

struct node_flush {
    struct node_flush *next;
    struct workload_operation *operation;
    struct engine_flush flush;
};

struct node_world {
    struct sim_world *sim;
    struct sim_machine *machine;
    struct workload *workload;
    struct env *env; // NULL: no process.
    struct node *node;
    bool is_over;
    struct config config;
    struct random random;
    struct env *client_env;
    struct sim_clients *clients;
    struct node_flush *flushes; // Under way.
};

// ---- Flushes, asked for by hand ----------------------------------------------------------------

static void end_flush(struct node_world *world, struct node_flush *flush,
                      enum workload_outcome outcome)
{
    struct node_flush **place = &world->flushes;
    while (*place != flush)
        place = &(*place)->next;
    *place = flush->next;
    struct workload_operation *operation = flush->operation;
    free(flush);
    operation->done(operation, outcome);
}

static void flush_is_done(struct engine_flush *base, enum status status)
{
    struct node_flush *flush = CONTAINER_OF(base, struct node_flush, flush);
    struct node_world *world = workload_context(flush->operation->workload);
    end_flush(world, flush, status == STATUS_OK ? WORKLOAD_DONE : WORKLOAD_UNKNOWN);
}

static void start_flush(struct node_world *world, struct workload_operation *operation)
{
    struct node_flush *flush = calloc(1, sizeof *flush);
    ASSERT(flush != NULL);
    flush->operation = operation;
    flush->next = world->flushes;
    world->flushes = flush;
    // A process that is being killed is left to its fate: `died` comes.
    if (sim_process_is_alive(world->env))
        engine_flush(node_engine(world->node), NULL, &flush->flush, flush_is_done);
}

static void submit(void *context, struct workload_operation *operation)
{
    struct node_world *world = context;
    if (operation->kind == WORKLOAD_FLUSH && world->node != NULL)
        start_flush(world, operation);
    else
        sim_clients_submit(world->clients, operation);
}

// ---- The node's lives --------------------------------------------------------------------------

static void end_life(struct node_world *world)
{
    sim_process_destroy(world->env);
    world->env = NULL;
    if (world->is_over) return;
    workload_died(world->workload);
    while (world->flushes != NULL)
        end_flush(world, world->flushes, WORKLOAD_UNKNOWN);
}

static void died(void *context, struct env *env)
{
    struct node_world *world = context;
    ASSERT(env == world->env);
    if (world->node != NULL) node_abandon(world->node);
    world->node = NULL;
    end_life(world);
}

static enum status start(void *context, struct error *error)
{
    struct node_world *world = context;
    world->env = sim_process_start(world->machine, "node", died, world);
    struct node *node;
    enum status status = node_start(world->env, "/node", &world->config, &node, error);
    if (status != STATUS_OK) {
        sim_process_crash(world->env);
        return status;
    }
    world->node = node;
    return STATUS_OK;
}

static void stopped(void *context)
{
    struct node_world *world = context;
    world->node = NULL;
    if (!sim_process_is_alive(world->env)) return; // Killed in its last step: `died` comes.
    end_life(world);
}

static void stop(void *context)
{
    struct node_world *world = context;
    if (world->node != NULL && sim_process_is_alive(world->env))
        node_stop(world->node, stopped, world);
}

static struct env *process(void *context)
{
    struct node_world *world = context;
    return world->env;
}

const struct workload_world *node_world_functions(void)
{
    static const struct workload_world functions = {
        .start = start, .submit = submit, .stop = stop, .process = process, .has_cql = true};
    return &functions;
}

// ---- The world's life --------------------------------------------------------------------------

static void clients_died(void *context, struct env *env)
{
    (void)context, (void)env;
    ASSERT(false); // Nobody kills them.
}

static void make_directory(struct node_world *world)
{
    struct env *env = sim_process_start(world->machine, "operator", clients_died, world);
    ASSERT(env_make_dir(env, "/node", NULL) == STATUS_OK);
    sim_process_destroy(env);
    sim_machine_sync(world->machine);
}

struct node_world *node_world_create(struct sim_world *sim, uint64_t seed)
{
    struct node_world *world = calloc(1, sizeof *world);
    ASSERT(world != NULL);
    world->sim = sim;
    random_init(&world->random, seed);
    world->machine = sim_machine_create(sim, "machine");
    make_directory(world);
    config_set_defaults(&world->config);
    world->config.memtable_space_mib = 1;
    world->config.file_cache_size_mib = 1;
    world->client_env =
        sim_process_start(sim_machine_create(sim, "clients"), "clients", clients_died, world);
    struct env_address address;
    const char *host = world->config.rpc_address[0] != '\0' ? world->config.rpc_address
                                                            : world->config.listen_address;
    ASSERT(env_address_parse(host, (uint16_t)world->config.native_transport_port, &address) ==
           STATUS_OK);
    size_t count = 1 + (size_t)random_below(&world->random, CLIENTS_MAX);
    world->clients =
        sim_clients_create(world->client_env, &address, count, random_u64(&world->random));
    return world;
}

void node_world_set_workload(struct node_world *world, struct workload *workload)
{
    world->workload = workload;
    sim_clients_set_workload(world->clients, workload);
}

void node_world_end(struct node_world *world)
{
    world->is_over = true;
    if (world->env != NULL) sim_process_crash(world->env);
    while (world->env != NULL)
        ASSERT(sim_world_step(world->sim));
    sim_clients_destroy(world->clients);
    sim_process_destroy(world->client_env);
}

void node_world_destroy(struct node_world *world)
{
    while (world->flushes != NULL) {
        struct node_flush *flush = world->flushes;
        world->flushes = flush->next;
        free(flush);
    }
    free(world);
}
