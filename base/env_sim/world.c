// The world: its events, its dice, its trace, and the table of functions that processes see.
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_sim/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const fault_texts[] = {
#define X(fault, text) [SIM_FAULT_##fault] = text,
    SIM_FAULT_MAP(X)
#undef X
};

const char *sim_fault_text(enum sim_fault fault)
{
    ASSERT(fault < SIM_FAULT_COUNT);
    return fault_texts[fault];
}

void sim_options_init(struct sim_options *options, uint64_t seed)
{
    *options = (struct sim_options){
        .seed = seed,
        .chances =
            {
                [SIM_FAULT_LOST_PAGE] = 0.4,
                [SIM_FAULT_TORN_PAGE] = 0.2,
                [SIM_FAULT_SIZE_BEFORE_DATA] = 0.5,
                [SIM_FAULT_LOST_NAME] = 0.5,
                [SIM_FAULT_WRITE_ERROR] = 0.0002,
                [SIM_FAULT_SYNC_ERROR] = 0.0002,
                [SIM_FAULT_DIR_SYNC_ERROR] = 0.001,
                [SIM_FAULT_FULL_DISK] = 0.0003,
                [SIM_FAULT_SLOW_DISK] = 0.002,
                [SIM_FAULT_COLD_READ] = 0.1,
                [SIM_FAULT_CLOCK_JUMP] = 0.001,
                [SIM_FAULT_RESET] = 0.0005,
                [SIM_FAULT_SEGMENTED] = 0.1,
                [SIM_FAULT_REFUSED] = 0.05,
            },
    };
}

struct sim_world *sim_world_create(const struct sim_options *options)
{
    struct sim_world *world = calloc(1, sizeof *world);
    ASSERT(world != NULL);
    world->options = *options;
    random_init(&world->random, options->seed);
    timer_heap_init(&world->events);
    world->last_port = 49151;
    return world;
}

void sim_world_destroy(struct sim_world *world)
{
    while (world->machines != NULL) {
        struct sim_machine *machine = world->machines;
        ASSERT(machine->processes == NULL);
        world->machines = machine->next;
        sim_disk_free(machine);
        free(machine);
    }
    free(world->events.timers);
    free(world);
}

uint64_t sim_world_now(const struct sim_world *world)
{
    return world->now_ns;
}

uint64_t sim_world_turn(const struct sim_world *world)
{
    return world->turn;
}

uint64_t sim_world_hash(const struct sim_world *world)
{
    return world->hash;
}

void sim_world_observe(struct sim_world *world, const struct sim_observer *observer)
{
    world->observer = *observer;
}

uint64_t sim_world_faults(const struct sim_world *world, enum sim_fault fault)
{
    return world->faults[fault];
}

uint64_t sim_world_marks(const struct sim_world *world, enum env_mark mark)
{
    return world->marks[mark];
}

void sim_world_set_chance(struct sim_world *world, enum sim_fault fault, double chance)
{
    world->options.chances[fault] = chance;
}

void sim_world_count(struct sim_world *world, enum sim_fault fault)
{
    world->faults[fault]++;
    sim_world_event(world, "fault", fault_texts[fault], 0, 0);
}

bool sim_world_strikes(struct sim_world *world, enum sim_fault fault)
{
    double chance = world->options.chances[fault];
    if (chance <= 0 || !random_chance(&world->random, chance)) return false;
    sim_world_count(world, fault);
    return true;
}

uint64_t sim_world_between(struct sim_world *world, uint64_t from, uint64_t to)
{
    return from + random_below(&world->random, to - from + 1);
}

// ---- Hash and trace ----------------------------------------------------------------------------

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
    return mix(hash, 0);
}

void sim_world_event(struct sim_world *world, const char *what, const char *who, uint64_t a,
                     uint64_t b)
{
    uint64_t hash = mix(mix(mix(world->hash, world->now_ns), a), b);
    world->hash = mix_text(mix_text(hash, what), who);
    if (world->options.trace == NULL) return;
    char line[512];
    (void)snprintf(line, sizeof line, "%s %s %llu %llu", what, who, (unsigned long long)a,
                   (unsigned long long)b);
    world->options.trace(world->options.trace_context, world->now_ns, line);
}

void sim_world_note(struct sim_world *world, const char *format, ...)
{
    if (world->options.trace == NULL) return;
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    world->options.trace(world->options.trace_context, world->now_ns, line);
}

// ---- Events ------------------------------------------------------------------------------------

void sim_event_start(struct sim_world *world, struct sim_event *event, uint64_t delay_ns,
                     void (*run)(struct sim_event *event))
{
    event->run = run;
    timer_heap_add(&world->events, &event->timer, world->now_ns + delay_ns);
}

void sim_event_stop(struct sim_world *world, struct sim_event *event)
{
    timer_heap_remove(&world->events, &event->timer);
}

bool sim_world_step(struct sim_world *world)
{
    struct env_timer *first = timer_heap_first(&world->events);
    if (first == NULL) return false;
    ASSERT(first->deadline_ns >= world->now_ns);
    world->now_ns = first->deadline_ns;
    world->turn++;
    timer_heap_remove(&world->events, first);
    struct sim_event *event = CONTAINER_OF(first, struct sim_event, timer);
    event->run(event);
    return true;
}

static void call_runs(struct sim_event *event)
{
    struct sim_call *call = CONTAINER_OF(&event->timer, struct sim_call, event.timer);
    call->run(call);
}

void sim_world_call(struct sim_world *world, struct sim_call *call, uint64_t delay_ns,
                    void (*run)(struct sim_call *call))
{
    call->run = run;
    sim_event_start(world, &call->event, delay_ns, call_runs);
}

void sim_world_cancel(struct sim_world *world, struct sim_call *call)
{
    sim_event_stop(world, &call->event);
}
