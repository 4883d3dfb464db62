#include "base/assert.h"
#include "base/container_of.h"
#include "node/sim/ring_world_state.h"
#include "ring/transport/messaging.h"

#include <stdlib.h>

// Cuts, pauses and so on last less (ring_workload.c waits for longer).
#define FAULT_MAX_NS (4 * NS_PER_S)
// A member that hears late is far from being suspected (ring/liveness/liveness.h).
#define DRAG_MAX_NS (80 * NS_PER_MS)

// ---- Troubles ----------------------------------------------------------------------------------

enum place { EVERYWHERE, AT_MANY, AT_ONE, PLACES };

static enum place any_place(struct ring_world *world)
{
    return (enum place)below(world, PLACES);
}

static void lose_power(struct ring_world *world, enum place place)
{
    for (size_t i = 0; i < world->count; i++)
        if (place == EVERYWHERE || (place == AT_MANY && chance(world, 0.6)))
            sim_machine_crash(world->nodes[i].machine);
    if (place == AT_ONE) sim_machine_crash(world->nodes[below(world, world->count)].machine);
    note_wrong(world);
}

static void end_trouble(struct trouble *trouble)
{
    struct ring_world *world = trouble->world;
    struct ring_world_node *a = &world->nodes[trouble->a], *b = &world->nodes[trouble->b];
    if (trouble->kind == TROUBLE_LINK) sim_network_heal(a->machine, b->machine);
    if (trouble->kind == TROUBLE_OUTAGE && !world->is_healing && !world->is_over)
        lose_power(world, EVERYWHERE);
    if (trouble->kind == TROUBLE_POWER && !world->is_healing && !world->is_over)
        lose_power(world, any_place(world));
    if (trouble->kind == TROUBLE_FULL) sim_machine_set_full(a->machine, false);
    if (trouble->kind == TROUBLE_MESSAGES && a->node != NULL && !a->is_stopping &&
        sim_process_is_alive(a->env))
        messaging_set_fault(node_messaging(a->node), (uint16_t)b->index,
                            &(struct messaging_fault){0});
    *trouble->place = trouble->next;
    if (trouble->next != NULL) trouble->next->place = trouble->place;
    free(trouble);
    note_wrong(world);
}

void ring_weather_end_troubles(struct ring_world *world)
{
    while (world->troubles != NULL) {
        sim_world_cancel(world->sim, &world->troubles->call);
        end_trouble(world->troubles);
    }
}

static void trouble_ends(struct sim_call *call)
{
    end_trouble(CONTAINER_OF(call, struct trouble, call));
}

static void begin_trouble(struct ring_world *world, enum trouble_kind kind, size_t a, size_t b,
                          uint64_t duration_ns)
{
    struct trouble *trouble = calloc(1, sizeof *trouble);
    ASSERT(trouble != NULL);
    *trouble = (struct trouble){.world = world, .kind = kind, .a = a, .b = b};
    trouble->next = world->troubles;
    trouble->place = &world->troubles;
    if (trouble->next != NULL) trouble->next->place = &trouble->next;
    world->troubles = trouble;
    sim_world_call(world->sim, &trouble->call, duration_ns, trouble_ends);
}

static uint64_t duration(struct ring_world *world)
{
    return 1 + (chance(world, 0.5) ? below(world, FAULT_MAX_NS / 8) : below(world, FAULT_MAX_NS));
}

static void cut_pair(struct ring_world *world, size_t a, size_t b, bool both_ways,
                     uint64_t duration_ns)
{
    struct sim_machine *from = world->nodes[a].machine, *to = world->nodes[b].machine;
    if (sim_network_is_cut(from, to) || sim_network_is_cut(to, from)) return;
    sim_network_cut(from, to, both_ways);
    if (chance(world, 0.5)) sim_network_reset(from, to);
    begin_trouble(world, TROUBLE_LINK, a, b, duration_ns);
}

// A pair, one node from all others, or one half from the other.
static void cut_network(struct ring_world *world)
{
    uint64_t kind = below(world, 3), duration_ns = duration(world);
    bool both_ways = chance(world, 0.6), outward = chance(world, 0.5);
    size_t size = kind == 2 ? 1 + (size_t)below(world, world->count - 1) : 1;
    size_t first = (size_t)below(world, world->count);
    size_t only = (first + 1 + (size_t)below(world, world->count - 1)) % world->count;
    for (size_t i = 0; i < size; i++) {
        size_t inside = (first + i) % world->count;
        for (size_t j = size; j < world->count; j++) {
            size_t outside = (first + j) % world->count;
            if (kind == 0 && outside != only) continue;
            if (outward)
                cut_pair(world, inside, outside, both_ways, duration_ns);
            else
                cut_pair(world, outside, inside, both_ways, duration_ns);
        }
    }
}

static void slow_network(struct ring_world *world, size_t a, size_t b)
{
    uint64_t delay_ns = below(world, 200 * NS_PER_MS), jitter_ns = below(world, 400 * NS_PER_MS);
    uint64_t bytes_per_s = chance(world, 0.3) ? 20000 + below(world, 200000) : 0;
    struct sim_machine *from = world->nodes[a].machine, *to = world->nodes[b].machine;
    sim_network_slow(from, to, delay_ns, jitter_ns, bytes_per_s);
    if (chance(world, 0.5)) sim_network_slow(to, from, jitter_ns, delay_ns, bytes_per_s);
    begin_trouble(world, TROUBLE_LINK, a, b, duration(world));
}

static void spoil_messages(struct ring_world *world, size_t a, size_t b)
{
    struct ring_world_node *node = &world->nodes[a];
    if (node->node == NULL || node->is_stopping || !sim_process_is_alive(node->env)) return;
    struct messaging_fault fault = {0};
    uint64_t kind = world->style.only_paxos ? 2 : below(world, 4);
    if (kind == 0 || kind == 3) fault.lost_per_1000 = (uint16_t)(1 + below(world, 300));
    if (kind == 1 || kind == 3) fault.doubled_per_1000 = (uint16_t)(1 + below(world, 500));
    if (kind == 2 || kind == 3) {
        fault.delay_ns = below(world, 20 * NS_PER_MS);
        fault.jitter_ns = below(world, chance(world, 0.5) ? 20 * NS_PER_MS : NS_PER_S);
        if (world->style.only_paxos) fault.jitter_ns = below(world, 200 * NS_PER_MS);
    }
    sim_world_note(world->sim, "messages of node %zu and %zu are spoiled", a, b);
    messaging_set_fault(node_messaging(node->node), (uint16_t)b, &fault);
    begin_trouble(world, TROUBLE_MESSAGES, a, b, duration(world));
}

// All but one have written and not synced when power is lost everywhere: that one has its part of a
// batch for good, and others have theirs, and the batch as they stored it, only if they waited.
static void lose_all_but_one(struct ring_world *world)
{
    size_t spared = (size_t)below(world, world->count);
    uint64_t until_ns = 50 * NS_PER_MS + below(world, 400 * NS_PER_MS);
    for (size_t i = 0; i < world->count; i++)
        if (i != spared) sim_machine_set_slow(world->nodes[i].machine, until_ns);
    begin_trouble(world, TROUBLE_OUTAGE, 0, 0, 1 + below(world, until_ns));
}

// Everything is written and seen, and nothing synced, when power is lost everywhere or almost.
static void lose_unsynced(struct ring_world *world)
{
    uint64_t until_ns = 20 * NS_PER_MS + below(world, 400 * NS_PER_MS);
    for (size_t i = 0; i < world->count; i++)
        if (chance(world, 0.8)) sim_machine_set_slow(world->nodes[i].machine, until_ns);
    begin_trouble(world, TROUBLE_POWER, 0, 0, 1 + below(world, until_ns));
}

static void make_trouble(struct ring_world *world)
{
    const struct style *style = &world->style;
    size_t a = (size_t)below(world, world->count);
    size_t b =
        world->count == 1 ? a : (a + 1 + (size_t)below(world, world->count - 1)) % world->count;
    struct ring_world_node *node = &world->nodes[a];
    if (a != b && chance(world, style->cuts)) cut_network(world);
    if (a != b && chance(world, style->cuts / 4))
        sim_network_reset(node->machine, world->nodes[b].machine);
    if (a != b && chance(world, style->slowness)) slow_network(world, a, b);
    if (a != b && chance(world, style->messages)) spoil_messages(world, a, b);
    if (chance(world, style->pauses) && node->env != NULL) {
        uint64_t duration_ns = duration(world);
        sim_process_pause(node->env, duration_ns);
        begin_trouble(world, TROUBLE_TIME, a, a, duration_ns);
    }
    if (chance(world, style->disks)) {
        uint64_t duration_ns = duration(world);
        bool is_full = chance(world, 0.3);
        world->full_disks += is_full;
        if (is_full)
            sim_machine_set_full(node->machine, true);
        else
            sim_machine_set_slow(node->machine, duration_ns);
        begin_trouble(world, is_full ? TROUBLE_FULL : TROUBLE_TIME, a, a, duration_ns);
    }
    if (chance(world, style->clocks)) {
        int64_t span_us = chance(world, 0.2) ? 600000000 : 3000000;
        sim_machine_jump_clock(node->machine,
                               (int64_t)below(world, 2 * (uint64_t)span_us) - span_us);
        note_wrong(world);
    }
    if (style->only_paxos && chance(world, 0.7)) sim_machine_crash(node->machine);
    if (chance(world, style->power / 8)) lose_power(world, any_place(world));
    if (chance(world, style->power / 4)) lose_unsynced(world);
    if (world->tears_batches && chance(world, 0.7)) lose_all_but_one(world);
}

static void trouble_comes(struct sim_call *call)
{
    struct ring_world *world = CONTAINER_OF(call, struct ring_world, trouble_call);
    if (!world->in_storm) return;
    make_trouble(world);
    sim_world_call(world->sim, &world->trouble_call, 1 + below(world, world->style.gap_ns),
                   trouble_comes);
}

// ---- Calm weather ------------------------------------------------------------------------------

void ring_weather_end_drag(struct ring_world *world)
{
    struct ring_world_node *late = world->dragged;
    for (size_t i = 0; late != NULL && i < world->count; i++)
        if (&world->nodes[i] != late) sim_network_heal(world->nodes[i].machine, late->machine);
    world->dragged = NULL;
}

// One member hears of everything a little later than the others do. It is well all the same: who
// changes the schema waits for it, too.
static void begin_drag(struct ring_world *world)
{
    ring_weather_end_drag(world);
    if (!world->style.drags || world->troubles != NULL) return;
    world->dragged = &world->nodes[below(world, world->count)];
    uint64_t delay_ns = below(world, DRAG_MAX_NS);
    for (size_t i = 0; i < world->count; i++)
        if (&world->nodes[i] != world->dragged)
            sim_network_slow(world->nodes[i].machine, world->dragged->machine, delay_ns,
                             DRAG_MAX_NS / 4, 0);
}

// ---- Weather -----------------------------------------------------------------------------------

void ring_weather_set_chances(struct ring_world *world, bool storm)
{
    for (int fault = 0; fault < SIM_FAULT_COUNT; fault++) {
        // These do no harm to anybody's patience.
        bool always = fault == SIM_FAULT_COLD_READ || fault == SIM_FAULT_SEGMENTED ||
                      fault == SIM_FAULT_LOST_PAGE || fault == SIM_FAULT_TORN_PAGE ||
                      fault == SIM_FAULT_SIZE_BEFORE_DATA || fault == SIM_FAULT_LOST_NAME;
        sim_world_set_chance(world->sim, (enum sim_fault)fault,
                             storm || always ? world->chances[fault] : 0);
    }
}

// An operator looks after a storm: nodes whose disks failed take no more, and start anew.
static void restart_crippled(struct ring_world *world)
{
    static const enum sim_fault faults[] = {SIM_FAULT_WRITE_ERROR, SIM_FAULT_SYNC_ERROR,
                                            SIM_FAULT_DIR_SYNC_ERROR, SIM_FAULT_FULL_DISK};
    uint64_t count = world->full_disks;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        count += sim_world_faults(world->sim, faults[i]);
    if (count == world->crippling_faults) return;
    world->crippling_faults = count;
    for (size_t i = 0; i < world->count; i++)
        if (world->nodes[i].env != NULL) sim_process_crash_at(world->nodes[i].env, 1, false);
}

void ring_weather_change(struct sim_call *call)
{
    struct ring_world *world = CONTAINER_OF(call, struct ring_world, weather_call);
    if (world->is_healing || world->is_over) return;
    // It waits for the tables.
    bool begins =
        !world->in_storm && world->style.storms && ring_workload_is_running(world->workload);
    world->in_storm = begins;
    ring_weather_set_chances(world, world->in_storm);
    for (size_t i = 0; i < world->count; i++)
        if (world->nodes[i].env != NULL) ring_world_plan_end(&world->nodes[i]);
    sim_world_note(world->sim, world->in_storm ? "storm" : "calm");
    if (!world->in_storm) restart_crippled(world);
    if (world->in_storm)
        ring_weather_end_drag(world);
    else
        begin_drag(world);
    if (world->in_storm)
        sim_world_call(world->sim, &world->trouble_call, 1 + below(world, world->style.gap_ns),
                       trouble_comes);
    uint64_t longest_ns = ring_workload_is_running(world->workload) ? 10 * NS_PER_S : NS_PER_S;
    uint64_t duration_ns = below(world, longest_ns);
    sim_world_call(world->sim, &world->weather_call, duration_ns, ring_weather_change);
    for (size_t i = 0; i < world->count && world->in_storm && world->style.has_slow_disks; i++)
        if (chance(world, 0.7)) sim_machine_set_slow(world->nodes[i].machine, duration_ns);
}

// Each member hears of a part of what the others do, all the time.
void ring_weather_disturb_members(struct ring_world *world)
{
    world->style.storms = true;
    world->style.gap_ns = 150 * NS_PER_MS;
    world->style.messages = world->style.cuts = 0.3;
    if (world->count < 3) world->count = 3;
    world->replication_factor = 3;
}

// Each partition has one copy: what is lost of a batch is lost.
void ring_weather_tear_batches(struct ring_world *world)
{
    world->style.storms = true;
    world->style.restarts_fast = true;
    world->style.gap_ns = 800 * NS_PER_MS;
    if (world->count < 3) world->count = 3;
    world->replication_factor = 1;
}

void ring_weather_choose_style(struct ring_world *world, bool only_paxos)
{
    struct style *style = &world->style;
    static const uint64_t lives[] = {0, 500, 2000, 8000, 30000};
    style->storms = chance(world, 0.92);
    style->life_steps = lives[below(world, sizeof lives / sizeof lives[0])];
    style->gap_ns = (20 * NS_PER_MS) << below(world, 7);
    double *const parts[] = {&style->cuts,  &style->slowness, &style->pauses,
                             &style->disks, &style->messages, &style->clocks};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        *parts[i] = chance(world, 0.5) ? 0.4 * (double)below(world, 1000) / 1000 : 0;
    style->has_slow_disks = chance(world, 0.15);
    style->restarts_fast = chance(world, 0.2);
    style->power = chance(world, 0.6) ? (double)below(world, 1000) / 1000 : 0;
    style->drags = world->count > 2 && chance(world, 0.5);
    if (!only_paxos) return;
    // Promises are given, power is lost, and messages of before come late.
    *style = (struct style){.storms = true,
                            .has_slow_disks = true,
                            .restarts_fast = true,
                            .only_paxos = true,
                            .gap_ns = 100 * NS_PER_MS,
                            .pauses = 0.05,
                            .messages = 0.9,
                            .power = 0.2};
    world->count = 3;
    world->replication_factor = 3;
}
