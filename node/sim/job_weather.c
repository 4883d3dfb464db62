#include "base/container_of.h"
#include "base/env_marks.h"
#include "node/sim/job_world_state.h"
#include "ring/metadata/metadata.h"
#include "ring/transport/messaging.h"

// Who is overtaken stands still for less than a read waits.
enum { STANDING_MS_MAX = 4700, OVERTAKEN_CELLS_MAX = 35, LATE_MS = 150 };
// How often connections are refused or reset in such a world else.
#define WRONG_LATER 0.01

// No new connection at all, and whoever has one keeps it.
static void refuse_connections(struct job_world *world, bool all)
{
    sim_world_set_chance(world->sim, SIM_FAULT_REFUSED, all ? 1 : WRONG_LATER);
    sim_world_set_chance(world->sim, SIM_FAULT_RESET, all ? 0 : WRONG_LATER);
}

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
    if (world->stranded != NULL && world->overtakes) refuse_connections(world, false);
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

// ---- Overtaking ---------------------------------------------------------------------------------

// The newest that a member knows of.
static uint64_t done_through(const struct job_world *world)
{
    uint64_t newest = 0;
    for (size_t i = 0; i < world->node_count; i++) {
        if (!is_up(&world->nodes[i])) continue;
        const struct job *job =
            jobs_find_by_name(metadata_jobs(node_metadata(world->nodes[i].node)), "simulated");
        if (job != NULL && job->done_through > newest) newest = job->done_through;
    }
    return newest;
}

// What the first of the others writes of the next batch comes late to the second. The one that
// stood still meets it at the first as it reads on; what it then writes itself is sooner at the
// second, which has its batch as it should be.
static void slow_others(struct job_world *world)
{
    size_t stranded = world->stranded->index, first = 1 + (size_t)below(world, 2);
    sim_network_slow(world->nodes[(stranded + first) % NODES_MAX].machine,
                     world->nodes[(stranded + NODES_MAX - first) % NODES_MAX].machine,
                     LATE_MS * NS_PER_MS, 0, 0);
}

// It goes on when its batch is done, and much of the next one computed.
static bool is_overtaken(struct job_world *world)
{
    uint64_t computed = sim_world_marks(world->sim, ENV_MARK_CELL_COMPUTED);
    if (!world->is_done_without && done_through(world) > world->done_before) {
        world->is_done_without = true;
        world->computed_enough = computed + 5 + below(world, OVERTAKEN_CELLS_MAX);
        slow_others(world);
    }
    return world->is_done_without && computed >= world->computed_enough;
}

static void look_at_overtaken(struct sim_call *call)
{
    struct job_world *world = CONTAINER_OF(call, struct job_world, strand_call);
    world->stood_ms++;
    if (!is_up(world->stranded) || world->stood_ms >= STANDING_MS_MAX || is_overtaken(world)) {
        refuse_connections(world, false);
        sim_world_cancel(world->sim, &world->weather_call);
        sim_world_call(world->sim, &world->weather_call, below(world, 500 * NS_PER_MS),
                       job_weather_change);
        return;
    }
    sim_process_pause(world->stranded->env, 2 * NS_PER_MS + below(world, 10 * NS_PER_MS));
    sim_world_call(world->sim, call, NS_PER_MS, look_at_overtaken);
}

// The worker loses it at once, and gives its batch to others.
static void overtake_stranded(struct job_world *world)
{
    struct job_world_node *node = world->stranded;
    sim_world_note(world->sim, "node %zu is overtaken while it reads totals", node->index);
    world->done_before = done_through(world);
    world->stood_ms = 0;
    world->is_done_without = false;
    sim_process_pause(node->env, 2 * NS_PER_MS);
    refuse_connections(world, true);
    sim_network_reset(world->worker_machine, node->machine);
    sim_world_call(world->sim, &world->strand_call, NS_PER_MS, look_at_overtaken);
}

// ---- Standing still -----------------------------------------------------------------------------

static void look_at_stranded(struct sim_call *call)
{
    struct job_world *world = CONTAINER_OF(call, struct job_world, strand_call);
    uint64_t reads = sim_world_marks(world->sim, ENV_MARK_CELL_READ);
    bool reads_itself =
        is_up(world->stranded) &&
        (!world->overtakes || sim_process_marks(world->stranded->env, ENV_MARK_CELL_READ) > 0);
    if (reads_itself && reads > world->reads_before) {
        if (world->overtakes)
            overtake_stranded(world);
        else
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
    if (world->strands && chance(world, world->overtakes ? 1 : 0.7)) {
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
    if (begins && world->overtakes) least_ns = 6000 * NS_PER_MS, more_ms = 1000;
    sim_world_call(world->sim, call, least_ns + below(world, more_ms * NS_PER_MS),
                   job_weather_change);
}
