#include "node/sim/node_world.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "node/node.h"
#include "node/ring_directory.h"
#include "node/sim/sim_client.h"
#include "storage/engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIRECTORY "/ring/node1"

enum { CLIENTS_MAX = 4 };

// A log of the node as seen from outside: when it was last written, and which syncs there were.
enum node_log { LOG_COMMITS, LOG_METADATA, LOG_COUNT };
enum { SYNCS_KEPT = 256 };
struct synced_log {
    uint64_t written_turn;
    struct {
        uint64_t turn, covers_turn;
    } syncs[SYNCS_KEPT]; // A ring.
    size_t count;
};

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
    // What the observer saw, in turns of the world.
    struct synced_log logs[LOG_COUNT];
    uint64_t answer_turn; // When the bytes that the clients look at now were given away.
};

// ---- Invariant 1, seen from outside -------------------------------------------------------------

static bool find_log(const char *path, enum node_log *log)
{
    *log = strncmp(path, DIRECTORY "/commitlog/", sizeof DIRECTORY + 10) == 0 ? LOG_COMMITS
                                                                              : LOG_METADATA;
    return *log == LOG_COMMITS || strncmp(path, DIRECTORY "/metadata/", sizeof DIRECTORY + 9) == 0;
}

static void written(void *context, struct env *env, const char *path)
{
    struct node_world *world = context;
    enum node_log log;
    (void)env;
    if (find_log(path, &log)) world->logs[log].written_turn = sim_world_turn(world->sim);
}

static void synced(void *context, struct env *env, const char *path)
{
    struct node_world *world = context;
    enum node_log which;
    (void)env;
    if (!find_log(path, &which)) return;
    struct synced_log *log = &world->logs[which];
    size_t at = log->count++ % SYNCS_KEPT;
    log->syncs[at].turn = sim_world_turn(world->sim);
    log->syncs[at].covers_turn = log->written_turn;
}

static void received(void *context, struct env_stream *stream, size_t size, uint64_t sent_turn)
{
    struct node_world *world = context;
    (void)stream, (void)size;
    world->answer_turn = sent_turn;
}

static uint64_t turn(void *context)
{
    struct node_world *world = context;
    return sim_world_turn(world->sim);
}

static void failed(void *context, const char *text)
{
    struct node_world *world = context;
    workload_fail(world->workload, "%s", text);
}

// Between the sending of a change and that of its answer the log was written and then synced.
static void acknowledged(void *context, const struct workload_operation *operation,
                         uint64_t sent_turn)
{
    struct node_world *world = context;
    bool is_schema = operation->table == WORKLOAD_SCHEMA;
    const struct synced_log *log = &world->logs[is_schema ? LOG_METADATA : LOG_COMMITS];
    for (size_t i = 0; i < log->count && i < SYNCS_KEPT; i++)
        if (log->syncs[i].turn < world->answer_turn && log->syncs[i].covers_turn > sent_turn)
            return;
    if (log->count >= SYNCS_KEPT && log->syncs[log->count % SYNCS_KEPT].turn > sent_turn) return;
    workload_fail(world->workload, "%s was acknowledged before a sync of its log",
                  workload_kind_text(operation->kind));
}

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
    workload_plan_end(world->workload, world->env);
    struct node *node;
    enum status status = node_start(world->env, DIRECTORY, &world->config, &node, error);
    if (status != STATUS_OK) {
        if (!sim_process_is_alive(world->env)) return STATUS_IO; // Whatever it says.
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

// As `helenus ring start` does; a power loss may follow at once.
static void make_directory(struct node_world *world)
{
    struct env *env = sim_process_start(world->machine, "operator", clients_died, world);
    ASSERT(ring_make_directories(env, DIRECTORY, NULL) == STATUS_OK); // Faults begin later.
    sim_process_destroy(env);
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
    const struct sim_clients_options options = {.addresses = &address,
                                                .address_count = 1,
                                                .count = count,
                                                .seed = random_u64(&world->random),
                                                .replication_factor = 1};
    world->clients = sim_clients_create(world->client_env, &options);
    return world;
}

void node_world_set_workload(struct node_world *world, struct workload *workload)
{
    world->workload = workload;
    const struct sim_clients_checks checks = {acknowledged, turn, failed, world};
    sim_clients_set_checks(world->clients, &checks);
    const struct sim_observer observer = {
        .written = written, .synced = synced, .received = received, .context = world};
    sim_world_observe(world->sim, &observer);
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
