#include "node/sim/ring_world_state.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "node/members.h"
#include "node/ring_directory.h"
#include "node/sim/ring_compare.h"
#include "ring/metadata/metadata.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIRECTORY "/ring/node"
// When hints for a node are all that is left of the writes before (ring_workload.c).
#define LATE_MIN_NS (14 * NS_PER_S)
// So long may nodes take to start, after everything healed.
#define START_MAX_NS (60 * NS_PER_S)

enum { CONNECTIONS_MAX = 3, FACTOR_MAX = 5, STARTS_MAX = 10000 };

// ---- Calm --------------------------------------------------------------------------------------

static uint64_t count_disk_faults(const struct ring_world *world)
{
    static const enum sim_fault faults[] = {
        SIM_FAULT_WRITE_ERROR, SIM_FAULT_SYNC_ERROR, SIM_FAULT_DIR_SYNC_ERROR, SIM_FAULT_FULL_DISK,
        SIM_FAULT_SLOW_DISK,   SIM_FAULT_CLOCK_JUMP, SIM_FAULT_RESET,          SIM_FAULT_REFUSED};
    uint64_t count = 0;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        count += sim_world_faults(world->sim, faults[i]);
    return count;
}

static uint64_t calm_since(void *context)
{
    struct ring_world *world = context;
    uint64_t disk_faults = count_disk_faults(world);
    if (disk_faults != world->disk_faults) note_wrong(world);
    world->disk_faults = disk_faults;
    if (world->troubles != NULL) return UINT64_MAX;
    for (size_t i = 0; i < world->count; i++)
        if (!world->nodes[i].is_ready || world->nodes[i].is_stopping) return UINT64_MAX;
    return world->last_wrong_ns;
}

// ---- Lives -------------------------------------------------------------------------------------

static void start_node(struct sim_call *call);

static void start_later(struct ring_world_node *node, uint64_t delay_ns)
{
    sim_world_call(node->world->sim, &node->start_call, delay_ns, start_node);
}

static uint64_t restart_delay(const struct ring_world_node *node)
{
    struct ring_world *world = node->world;
    if (world->late_node == node) return LATE_MIN_NS + below(world, LATE_MIN_NS / 4);
    if (world->is_healing || world->style.restarts_fast) return below(world, 20 * NS_PER_MS);
    double is_long = world->is_sparse ? 0.5 : 0.2;
    return below(world, chance(world, is_long) ? 8 * NS_PER_S : 500 * NS_PER_MS);
}

static void look_for_conflicts(struct ring_world_node *node)
{
    uint64_t conflicts = engine_conflict_count(node_engine(node->node));
    if (conflicts > 0)
        ring_workload_fail(node->world->workload,
                           "node %zu met a counter shard of one id and clock with two counts",
                           node->index);
}

static void end_life(struct ring_world_node *node)
{
    struct ring_world *world = node->world;
    node->is_ready = node->is_stopping = node->is_flushing = false;
    sim_world_cancel(world->sim, &node->stop_call);
    sim_process_destroy(node->env);
    node->env = NULL;
    note_wrong(world);
    if (!world->is_over && (world->late_node != node || world->is_healing))
        start_later(node, restart_delay(node));
}

static void died(void *context, struct env *env)
{
    struct ring_world_node *node = context;
    ASSERT(env == node->env);
    if (node->node != NULL) {
        if (!node->world->is_over && !node->is_stopping) look_for_conflicts(node);
        node_abandon(node->node);
    }
    node->node = NULL;
    end_life(node);
}

static void stopped(void *context)
{
    struct ring_world_node *node = context;
    node->node = NULL;
    if (!sim_process_is_alive(node->env)) return; // Killed in its last step: `died` comes.
    end_life(node);
}

static void stop_node(struct sim_call *call)
{
    struct ring_world_node *node = CONTAINER_OF(call, struct ring_world_node, stop_call);
    if (node->node == NULL || node->is_stopping || !sim_process_is_alive(node->env)) return;
    sim_world_note(node->world->sim, "node %zu stops", node->index);
    node->is_stopping = true;
    node_stop(node->node, stopped, node);
}

void ring_world_plan_end(struct ring_world_node *node)
{
    struct ring_world *world = node->world;
    const struct style *style = &world->style;
    sim_process_crash_at(node->env, 0, false);
    if (!world->in_storm || style->life_steps == 0) return;
    if (chance(world, 0.15)) {
        sim_world_call(world->sim, &node->stop_call, below(world, 2 * NS_PER_S), stop_node);
        if (chance(world, 0.5)) return;
    }
    bool power = chance(world, style->power);
    if (chance(world, 0.1)) {
        sim_process_crash_at_sync_file(node->env, 1 + below(world, 200), power);
        return;
    }
    uint64_t steps = chance(world, 0.1) ? 100 : style->life_steps;
    sim_process_crash_at(node->env, 1 + below(world, steps), power);
}

static void node_ready(void *context)
{
    struct ring_world_node *node = context;
    node->is_ready = true;
    if (node->world->traces) node_set_trace_probability(node->node, 0.1);
    note_wrong(node->world);
    sim_world_note(node->world->sim, "node %zu is ready", node->index);
}

// The truncation is to overtake some hints.
static void delay_hints(const struct ring_world_node *late)
{
    struct ring_world *world = late->world;
    for (size_t i = 0; i < world->count; i++)
        if (&world->nodes[i] != late && chance(world, 0.7))
            sim_machine_set_slow(world->nodes[i].machine, 3 * NS_PER_S);
}

static void start_node(struct sim_call *call)
{
    struct ring_world_node *node = CONTAINER_OF(call, struct ring_world_node, start_call);
    struct ring_world *world = node->world;
    struct error error = {0};
    if (ring_workload_fault(world->workload) != NULL) return;
    if (++node->starts > STARTS_MAX) {
        ring_workload_fail(world->workload, "node %zu was started %d times", node->index,
                           STARTS_MAX);
        return;
    }
    if (node == world->late_node) delay_hints(node);
    char name[16];
    (void)snprintf(name, sizeof name, "node%zu", node->index);
    node->env = sim_process_start(node->machine, name, died, node);
    ring_world_plan_end(node);
    struct node *started;
    enum status status = node_start(node->env, DIRECTORY, &node->config, &started, &error);
    sim_world_note(world->sim, "node %zu starts: %s", node->index,
                   status == STATUS_OK ? "ok" : error.text);
    if (status == STATUS_OK) {
        node->node = started;
        node_when_ready(started, node_ready, node);
        return;
    }
    if (!sim_process_is_alive(node->env)) return; // `died` comes.
    if (status != STATUS_IO && status != STATUS_NO_SPACE && status != STATUS_OVERLOADED)
        ring_workload_fail(world->workload, "node %zu does not start: %s", node->index, error.text);
    sim_process_crash(node->env);
}

static int64_t wall_us(void *context, size_t index)
{
    const struct ring_world *world = context;
    return sim_machine_wall_us(world->nodes[index].machine);
}

static void flush_is_done(struct engine_flush *flush, enum status status)
{
    (void)status;
    CONTAINER_OF(flush, struct ring_world_node, flush)->is_flushing = false;
}

static void flush_node(void *context, size_t index)
{
    struct ring_world *world = context;
    struct ring_world_node *node = &world->nodes[index];
    if (node->node == NULL || node->is_stopping || !sim_process_is_alive(node->env)) return;
    if (node->is_flushing) return;
    node->is_flushing = true;
    engine_flush(node_engine(node->node), NULL, &node->flush, flush_is_done);
}

// ---- Healing -----------------------------------------------------------------------------------

static void look_whether_healed(struct sim_call *call)
{
    struct ring_world *world = CONTAINER_OF(call, struct ring_world, healed_call);
    size_t ready = 0;
    for (size_t i = 0; i < world->count; i++)
        if (&world->nodes[i] == world->late_node ||
            (world->nodes[i].is_ready && sim_clients_reach(world->clients, i)))
            ready++;
    if (ready == world->count) {
        ring_workload_healed(world->workload);
        return;
    }
    if (sim_world_now(world->sim) - world->healing_since_ns > START_MAX_NS) {
        ring_workload_fail(world->workload,
                           "of %zu nodes %zu serve clients %d s after everything healed",
                           world->count, ready, (int)(START_MAX_NS / NS_PER_S));
        return;
    }
    sim_world_call(world->sim, &world->healed_call, 50 * NS_PER_MS, look_whether_healed);
}

// One that is down, if there is one, and else any.
static struct ring_world_node *find_absent(struct ring_world *world)
{
    size_t first = (size_t)below(world, world->count);
    for (size_t i = 0; i < world->count; i++) {
        struct ring_world_node *node = &world->nodes[(first + i) % world->count];
        if (node->env == NULL) return node;
    }
    return &world->nodes[first];
}

static bool leave_one(void *context)
{
    struct ring_world *world = context;
    if (!world->clocks_are_right) return false;
    struct ring_world_node *node = find_absent(world);
    world->late_node = node;
    sim_world_note(world->sim, "node %zu goes, and stays away", node->index);
    sim_world_cancel(world->sim, &node->start_call);
    if (node->env != NULL) sim_process_crash(node->env);
    return true;
}

static void heal(void *context)
{
    struct ring_world *world = context;
    bool with_power = world->heals++ > 0 || chance(world, 0.3);
    world->is_healing = true;
    world->in_storm = false;
    // Hints for this one are on their way when the table that rested is truncated.
    if (world->count == 1 || !ring_workload_wants_truncation(world->workload) ||
        !world->clocks_are_right)
        world->late_node = NULL;
    else if (world->late_node == NULL)
        world->late_node = find_absent(world);
    ring_weather_end_drag(world);
    sim_world_cancel(world->sim, &world->weather_call);
    sim_world_cancel(world->sim, &world->trouble_call);
    ring_weather_end_troubles(world);
    ring_weather_set_chances(world, false);
    // A life that a fault has crippled, or that was to end soon, ends now.
    for (size_t i = 0; i < world->count; i++) {
        struct ring_world_node *node = &world->nodes[i];
        node->is_ready = false;
        if (with_power)
            sim_machine_crash(node->machine);
        else if (node->env != NULL)
            sim_process_crash(node->env);
        if (node->env != NULL) continue;
        sim_world_cancel(world->sim, &node->start_call);
        start_later(node, restart_delay(node));
    }
    world->healing_since_ns = sim_world_now(world->sim);
    sim_world_call(world->sim, &world->healed_call, 50 * NS_PER_MS, look_whether_healed);
}

// ---- The world's life --------------------------------------------------------------------------

static void clients_died(void *context, struct env *env)
{
    (void)context, (void)env;
    ASSERT(false); // Nobody kills them.
}

static void clients_failed(void *context, const char *text)
{
    struct ring_world *world = context;
    ring_workload_fail(world->workload, "%s", text);
}

static void acknowledged(void *context, const struct workload_operation *operation,
                         uint64_t sent_turn)
{
    (void)context, (void)operation, (void)sent_turn;
}

static uint64_t turn(void *context)
{
    struct ring_world *world = context;
    return sim_world_turn(world->sim);
}

static void make_address(size_t index, char text[static 16])
{
    (void)snprintf(text, 16, "127.0.0.%u", (unsigned)(index + 1) & 255u);
}

// As `helenus ring start --nodes` does; a ring of one has no members.
static void make_directories(struct ring_world *world)
{
    struct member members[NODES_MAX] = {0};
    struct token tokens[NODES_MAX][16];
    size_t num_tokens = 1 + (size_t)below(world, 16);
    for (size_t i = 0; i < world->count; i++) {
        char text[16];
        make_address(i, text);
        struct member *member = &members[i];
        random_bytes(&world->random, member->host_id.bytes, sizeof member->host_id.bytes);
        ASSERT(env_address_parse(text, 7000, &member->address) == STATUS_OK);
        ASSERT(env_address_parse(text, 9042, &member->rpc_address) == STATUS_OK);
        (void)snprintf(member->data_center, sizeof member->data_center, "datacenter1");
        (void)snprintf(member->rack, sizeof member->rack, "rack1");
        topology_allocate_tokens(i, world->count, num_tokens, tokens[i]);
        member->tokens = tokens[i];
        member->token_count = num_tokens;
    }
    struct topology *topology;
    ASSERT(topology_make(members, world->count, &topology, NULL) == STATUS_OK);
    for (size_t i = 0; i < world->count; i++) {
        struct env *env =
            sim_process_start(world->nodes[i].machine, "operator", clients_died, world);
        ASSERT(ring_make_directories(env, DIRECTORY, NULL) == STATUS_OK);
        if (world->count > 1)
            ASSERT(members_write(env, DIRECTORY, topology, (uint16_t)i, NULL) == STATUS_OK);
        sim_process_destroy(env);
    }
    topology_destroy(topology);
}

static void choose_timeouts(struct ring_world *world, struct config *config)
{
    if (chance(world, 0.3)) return; // Cassandra's.
    config->read_request_timeout_in_ms = 200 + (int64_t)below(world, 1500);
    config->range_request_timeout_in_ms = 500 + (int64_t)below(world, 1500);
    config->write_request_timeout_in_ms = 200 + (int64_t)below(world, 1500);
    config->counter_write_request_timeout_in_ms = 200 + (int64_t)below(world, 1500);
    config->truncate_request_timeout_in_ms = 1000 + (int64_t)below(world, 3000);
    config->cas_contention_timeout_in_ms = 200 + (int64_t)below(world, 1500);
}

static void choose_hints(struct ring_world *world, struct config *config)
{
    // What a member missed while it was away, reads alone bring it.
    if (world->is_sparse && chance(world, 0.7))
        config->max_hint_window_in_ms = 1;
    else if (chance(world, 0.2))
        config->max_hint_window_in_ms = 500 + (int64_t)below(world, 10000);
}

static void make_nodes(struct ring_world *world)
{
    struct config config;
    config_set_defaults(&config);
    config.memtable_space_mib = 1;
    config.file_cache_size_mib = 1;
    choose_timeouts(world, &config);
    choose_hints(world, &config);
    world->clocks_are_right = chance(world, 0.4);
    if (world->clocks_are_right) world->style.clocks = 0;
    bool is_skewed = !world->clocks_are_right && chance(world, 0.5);
    for (size_t i = 0; i < world->count; i++) {
        struct ring_world_node *node = &world->nodes[i];
        char name[32];
        (void)snprintf(name, sizeof name, "machine%zu", i);
        node->world = world;
        node->index = i;
        node->machine = sim_machine_create(world->sim, name);
        node->config = config;
        make_address(i, node->config.listen_address);
        if (is_skewed)
            sim_machine_jump_clock(node->machine, (int64_t)below(world, 4000000) - 2000000);
    }
    make_directories(world);
}

static void make_clients(struct ring_world *world)
{
    struct env_address addresses[NODES_MAX];
    for (size_t i = 0; i < world->count; i++) {
        char text[16];
        make_address(i, text);
        ASSERT(env_address_parse(text, (uint16_t)world->nodes[i].config.native_transport_port,
                                 &addresses[i]) == STATUS_OK);
    }
    world->client_env = sim_process_start(sim_machine_create(world->sim, "clients"), "clients",
                                          clients_died, world);
    const struct sim_clients_options options = {
        .addresses = addresses,
        .address_count = world->count,
        .count = world->count * (1 + (size_t)below(world, CONNECTIONS_MAX)),
        .seed = random_u64(&world->random),
        .replication_factor = world->replication_factor,
        .is_ring = true};
    world->clients = sim_clients_create(world->client_env, &options);
}

void ring_world_trace(struct ring_world *world)
{
    world->traces = true;
}

struct ring_world *ring_world_create(struct sim_world *sim, uint64_t seed, uint64_t operations,
                                     bool only_paxos)
{
    struct ring_world *world = calloc(1, sizeof *world);
    ASSERT(world != NULL);
    world->sim = sim;
    random_init(&world->random, seed);
    // Mostly three.
    world->count = chance(world, 0.45) ? 3 : 1 + (size_t)below(world, NODES_MAX);
    size_t factor_max = world->count < FACTOR_MAX ? world->count : FACTOR_MAX;
    world->replication_factor = (int)(1 + below(world, factor_max));
    if (world->count >= 3 && chance(world, 0.6)) world->replication_factor = 3;
    ring_weather_choose_style(world, only_paxos);
    world->is_sparse = !only_paxos && chance(world, 0.35);
    if (world->is_sparse && chance(world, 0.6)) ring_weather_disturb_members(world);
    // Drawn apart: all other seeds stay what they are.
    struct random apart;
    random_init(&apart, seed ^ 0x6261746368);
    world->tears_batches = !only_paxos && random_chance(&apart, 0.15);
    if (world->tears_batches) ring_weather_tear_batches(world);
    make_nodes(world);
    make_clients(world);
    static const struct ring_workload_world functions = {.calm_since_ns = calm_since,
                                                         .wall_us = wall_us,
                                                         .flush = flush_node,
                                                         .leave_one = leave_one,
                                                         .heal = heal};
    const struct ring_workload_options options = {.seed = random_u64(&world->random),
                                                  .operations = operations,
                                                  .node_count = world->count,
                                                  .replication_factor = world->replication_factor,
                                                  .only_paxos = world->style.only_paxos,
                                                  .is_sparse = world->is_sparse,
                                                  .much_batches = world->tears_batches};
    world->workload = ring_workload_create(sim, &options, &functions, world, world->clients);
    const struct sim_clients_checks checks = {acknowledged, turn, clients_failed, world};
    sim_clients_set_checks(world->clients, &checks);
    return world;
}

void ring_world_begin(struct ring_world *world, const double chances[SIM_FAULT_COUNT])
{
    memcpy(world->chances, chances, sizeof world->chances);
    if (world->clocks_are_right) world->chances[SIM_FAULT_CLOCK_JUMP] = 0;
    ring_weather_set_chances(world, false);
    for (size_t i = 0; i < world->count; i++)
        start_later(&world->nodes[i], below(world, 20 * NS_PER_MS));
    sim_world_call(world->sim, &world->weather_call, below(world, NS_PER_S), ring_weather_change);
    ring_workload_begin(world->workload);
}

bool ring_world_is_over(const struct ring_world *world)
{
    return ring_workload_is_over(world->workload);
}

const char *ring_world_fault(const struct ring_world *world)
{
    return ring_workload_fault(world->workload);
}

void ring_world_fail(struct ring_world *world, const char *text)
{
    ring_workload_fail(world->workload, "%s", text);
}

uint64_t ring_world_done_count(const struct ring_world *world, enum workload_kind kind)
{
    return ring_workload_done_count(world->workload, kind);
}

// Replicas and metadata logs are the same.
static void compare(struct ring_world *world)
{
    struct node *nodes[NODES_MAX];
    char message[512];
    for (size_t i = 0; i < world->count; i++) {
        nodes[i] = world->nodes[i].node;
        if (nodes[i] == NULL) {
            ring_workload_fail(world->workload, "node %zu does not live at the end", i);
            return;
        }
        look_for_conflicts(&world->nodes[i]);
    }
    uint64_t number = metadata_number(node_metadata(nodes[0]));
    for (size_t i = 1; i < world->count; i++)
        if (metadata_number(node_metadata(nodes[i])) != number)
            ring_workload_fail(world->workload,
                               "nodes 0 and %zu end at numbers %" PRIu64 " and %" PRIu64
                               " of the metadata log",
                               i, number, metadata_number(node_metadata(nodes[i])));
    if (!ring_compare(world->sim, nodes, world->count, world->replication_factor, message))
        ring_workload_fail(world->workload, "%s", message);
}

void ring_world_end(struct ring_world *world)
{
    if (ring_workload_fault(world->workload) == NULL) compare(world);
    world->is_over = true;
    ring_weather_end_troubles(world);
    for (size_t i = 0; i < world->count; i++)
        if (world->nodes[i].env != NULL) sim_process_crash(world->nodes[i].env);
    for (size_t i = 0; i < world->count; i++)
        while (world->nodes[i].env != NULL)
            ASSERT(sim_world_step(world->sim));
    sim_clients_destroy(world->clients);
    sim_process_destroy(world->client_env);
}

void ring_world_destroy(struct ring_world *world)
{
    ring_workload_destroy(world->workload);
    free(world);
}
