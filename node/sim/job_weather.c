#include "base/container_of.h"
#include "base/env_marks.h"
#include "node/sim/job_world_state.h"
#include "ring/transport/messaging.h"

// ---- The network
// ---------------------------------------------------------------------------------

static void spoil_messages(struct job_world *world, size_t from, size_t to,
                           const struct messaging_fault *fault)
{
    struct job_world_node *node = &world->nodes[from];
    if (from != to && is_up(node))
        messaging_set_fault(node_messaging(node->node), (uint16_t)to, fault);
}

static struct sim_machine *any_machine(struct job_world *world)
{
    size_t index = (size_t)below(world, world->node_count + 1);
    return index < world->node_count ? world->nodes[index].machine : world->worker_machine;
}

static void heal(struct job_world *world)
{
    world->is_stormy = false;
    sim_world_cancel(world->sim, &world->strand_call);
    world->stranded = NULL;
    for (size_t i = 0; i < world->node_count; i++)
        for (size_t j = 0; j < world->node_count; j++)
            spoil_messages(world, i, j, &(struct messaging_fault){0});
    for (size_t i = 0; i < world->node_count; i++) {
        sim_network_heal(world->nodes[i].machine, world->worker_machine);
        for (size_t j = 0; j < i; j++)
            sim_network_heal(world->nodes[i].machine, world->nodes[j].machine);
    }
}

// What members tell each other is lost, comes twice, or so late that others have done it meanwhile.
static void spoil_some_messages(struct job_world *world)
{
    struct messaging_fault fault = {0};
    uint64_t kind = below(world, 4);
    if (kind == 0 || kind == 3) fault.lost_per_1000 = (uint16_t)below(world, 200);
    if (kind == 1 || kind == 3) fault.doubled_per_1000 = (uint16_t)below(world, 500);
    if (kind >= 2) fault.jitter_ns = below(world, (chance(world, 0.5) ? 200 : 3000) * NS_PER_MS);
    bool is_all = chance(world, 0.3);
    size_t only = (size_t)below(world, world->node_count);
    for (size_t i = 0; i < world->node_count; i++)
        for (size_t j = 0; j < world->node_count; j++)
            if (is_all || i == only) spoil_messages(world, i, j, &fault);
}

static void lose_power(struct job_world *world)
{
    double share = chance(world, 0.3) ? 1 : 0.5;
    for (size_t i = 0; i < world->node_count; i++)
        if (chance(world, share)) sim_machine_crash(world->nodes[i].machine);
}

static void power_goes(struct sim_call *call)
{
    lose_power(CONTAINER_OF(call, struct job_world, power_call));
}

// All is written, and nothing is synced, when power goes.
static void lose_unsynced(struct job_world *world)
{
    uint64_t duration_ns = below(world, 1000 * NS_PER_MS);
    for (size_t i = 0; i < world->node_count; i++)
        if (chance(world, 0.8)) sim_machine_set_slow(world->nodes[i].machine, duration_ns);
    sim_world_cancel(world->sim, &world->power_call);
    sim_world_call(world->sim, &world->power_call, below(world, duration_ns + 1), power_goes);
}

static void begin_trouble(struct job_world *world)
{
    struct sim_machine *from = any_machine(world), *to = any_machine(world);
    struct job_world_node *node = any_node(world);
    world->is_stormy = true;
    if (chance(world, 0.3) && node->env != NULL)
        sim_process_pause(node->env, below(world, 6000 * NS_PER_MS));
    if (chance(world, 0.4)) spoil_some_messages(world);
    if (chance(world, 0.2)) lose_unsynced(world);
    if (chance(world, 0.1)) lose_power(world);
    if (from == to) return;
    if (chance(world, 0.7))
        sim_network_cut(from, to, chance(world, 0.5));
    else
        sim_network_slow(from, to, below(world, 50 * NS_PER_MS), below(world, 50 * NS_PER_MS), 0);
}

// Takes its tasks, and tells no other member; when it can again it dies.
static void isolate(struct job_world *world)
{
    struct job_world_node *node = any_node(world);
    bool both_ways = chance(world, 0.3);
    for (size_t i = 0; i < world->node_count; i++)
        if (&world->nodes[i] != node)
            sim_network_cut(node->machine, world->nodes[i].machine, both_ways);
    world->to_die = node;
}

// It reads its totals: now it stands still, while the worker and one other member have lost it, for
// as long as others need to do its batch and the next ones, and no longer than a read waits.
static void cut_stranded(struct job_world *world)
{
    struct job_world_node *node = world->stranded, *other = any_node(world);
    sim_world_note(world->sim, "node %zu stands still while it reads totals", node->index);
    sim_process_pause(node->env, 4000 * NS_PER_MS + below(world, 950 * NS_PER_MS));
    sim_network_cut(world->worker_machine, node->machine, chance(world, 0.5));
    if (other != node) sim_network_cut(other->machine, node->machine, false);
}

static void look_at_stranded(struct sim_call *call)
{
    struct job_world *world = CONTAINER_OF(call, struct job_world, strand_call);
    uint64_t reads = sim_world_marks(world->sim, ENV_MARK_CELL_READ);
    if (is_up(world->stranded) && reads > world->reads_before) {
        cut_stranded(world);
        return;
    }
    if (!is_up(world->stranded)) world->reads_before = reads;
    sim_world_call(world->sim, call, NS_PER_MS, look_at_stranded);
}

// Begins a task without any totals, and goes on with it when the worker has given it to another.
static void strand(struct job_world *world)
{
    struct job_world_node *node = any_node(world);
    if (node->env == NULL) return;
    world->stranded = node;
    sim_process_crash(node->env);
    world->reads_before = sim_world_marks(world->sim, ENV_MARK_CELL_READ);
    sim_world_cancel(world->sim, &world->strand_call);
    sim_world_call(world->sim, &world->strand_call, NS_PER_MS, look_at_stranded);
}

// For a while it gets worse: two or three things at a time.
static void make_trouble(struct job_world *world)
{
    world->is_stormy = true;
    if (world->isolates && chance(world, 0.7)) {
        isolate(world);
        return;
    }
    if (world->strands && chance(world, 0.7)) {
        strand(world);
        return;
    }
    uint64_t count = 1 + (chance(world, 0.4) ? below(world, 3) : 0);
    for (uint64_t i = 0; i < count; i++)
        begin_trouble(world);
}

void job_weather_change(struct sim_call *call)
{
    struct job_world *world = CONTAINER_OF(call, struct job_world, weather_call);
    if (world->ends) return;
    bool begins = !world->is_stormy && !world->job_is_done && world->worker_started;
    struct job_world_node *dying = world->to_die;
    heal(world);
    world->to_die = NULL;
    if (dying != NULL && dying->env != NULL) {
        dying->stays_away = true;
        sim_process_crash(dying->env);
    }
    if (begins) make_trouble(world);
    uint64_t least_ns = begins && world->stranded != NULL ? 8000 * NS_PER_MS : 0;
    uint64_t more_ms = begins ? 8000 : world->is_hasty ? 40 : 1500;
    sim_world_call(world->sim, call, least_ns + below(world, more_ms * NS_PER_MS),
                   job_weather_change);
}
