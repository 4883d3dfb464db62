// Lanes of jobs. A slot is a job that a thread of the lane has taken:
//
//     waiting ──a thread is free──▶ slot ──later──▶ `work` ──later, in order──▶ `done`
//
// The thread takes the next job as soon as `work` has returned. No job's own memory is used for
// anything but the list of those that wait, and that is forgotten, not walked, when a process dies.
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_sim/internal.h"

#include <stdlib.h>

struct sim_lane_slot {
    struct sim_event event;
    struct sim_lane_slot *next;
    struct sim_lane *lane;
    struct env_job *job;
};

static const struct {
    size_t threads;
    uint64_t delay_min_ns, delay_max_ns;
} lane_traits[ENV_LANE_COUNT] = {
    [ENV_LANE_LOG] = {1, 20 * NS_PER_US, 300 * NS_PER_US},
    [ENV_LANE_READ] = {2, 10 * NS_PER_US, 200 * NS_PER_US},
    [ENV_LANE_BACKGROUND] = {1, 100 * NS_PER_US, 5 * NS_PER_MS},
    [ENV_LANE_COMPACTION] = {1, 100 * NS_PER_US, 5 * NS_PER_MS},
    [ENV_LANE_PASSWORD] = {1, 40 * NS_PER_MS, 60 * NS_PER_MS},
};
#define SLOW_MIN_NS       (20 * NS_PER_MS)
#define SLOW_MAX_NS       (500 * NS_PER_MS)
#define DONE_DELAY_MAX_NS (50 * NS_PER_US)

void sim_lanes_init(struct sim_process *process)
{
    for (size_t i = 0; i < ENV_LANE_COUNT; i++) {
        process->lanes[i].process = process;
        process->lanes[i].threads = lane_traits[i].threads;
    }
}

static void remove_slot(struct sim_lane_slot *slot)
{
    struct sim_lane_slot **place = &slot->lane->running;
    while (*place != slot)
        place = &(*place)->next;
    *place = slot->next;
    free(slot);
}

void sim_lanes_drop(struct sim_process *process)
{
    for (size_t i = 0; i < ENV_LANE_COUNT; i++) {
        struct sim_lane *lane = &process->lanes[i];
        while (lane->running != NULL) {
            sim_event_stop(process->world, &lane->running->event);
            remove_slot(lane->running);
        }
        lane->running_count = 0;
        lane->first = lane->last = NULL;
    }
}

static void start_jobs(struct sim_lane *lane);

static void slot_is_done(struct sim_event *event)
{
    struct sim_lane_slot *slot = CONTAINER_OF(event, struct sim_lane_slot, event);
    struct sim_process *process = slot->lane->process;
    struct env_job *job = slot->job;
    if (process->state != SIM_PROCESS_RUNNING) return;
    if (sim_process_defers(process, event, slot_is_done)) return;
    remove_slot(slot);
    sim_world_event(process->world, "job done", process->name, job->lane, 0);
    job->done(job);
}

static void slot_works(struct sim_event *event)
{
    struct sim_lane_slot *slot = CONTAINER_OF(event, struct sim_lane_slot, event);
    struct sim_lane *lane = slot->lane;
    struct sim_process *process = lane->process;
    struct sim_world *world = process->world;
    if (process->state != SIM_PROCESS_RUNNING) return;
    if (sim_process_defers(process, event, slot_works)) return;
    sim_world_event(world, "job works", process->name, slot->job->lane, 0);
    slot->job->work(slot->job);
    if (process->state != SIM_PROCESS_RUNNING) return;
    lane->running_count--;
    uint64_t done_ns = world->now_ns + sim_world_between(world, 0, DONE_DELAY_MAX_NS);
    if (done_ns < lane->done_ns) done_ns = lane->done_ns;
    lane->done_ns = done_ns;
    sim_event_start(world, &slot->event, done_ns - world->now_ns, slot_is_done);
    start_jobs(lane);
}

static void start_jobs(struct sim_lane *lane)
{
    struct sim_world *world = lane->process->world;
    while (lane->first != NULL) {
        struct env_job *job = lane->first;
        if (lane->running_count >= lane->threads) return;
        lane->first = job->next;
        if (lane->first == NULL) lane->last = NULL;
        struct sim_lane_slot *slot = calloc(1, sizeof *slot);
        ASSERT(slot != NULL);
        slot->lane = lane;
        slot->job = job;
        slot->next = lane->running;
        lane->running = slot;
        lane->running_count++;
        uint64_t delay_ns = sim_world_between(world, lane_traits[job->lane].delay_min_ns,
                                              lane_traits[job->lane].delay_max_ns);
        bool is_slow = lane->process->machine->slow_until_ns > world->now_ns;
        if (is_slow || sim_world_strikes(world, SIM_FAULT_SLOW_DISK))
            delay_ns = sim_world_between(world, SLOW_MIN_NS, SLOW_MAX_NS);
        sim_event_start(world, &slot->event, delay_ns, slot_works);
    }
}

void sim_offload(struct env *env, struct env_job *job)
{
    struct sim_process *process = sim_process_of(env);
    if (process->state == SIM_PROCESS_DEAD) return;
    struct sim_lane *lane = &process->lanes[job->lane];
    job->next = NULL;
    if (lane->last == NULL)
        lane->first = job;
    else
        lane->last->next = job;
    lane->last = job;
    start_jobs(lane);
}

void sim_set_lane_threads(struct env *env, enum env_lane which, size_t count)
{
    struct sim_process *process = sim_process_of(env);
    if (process->state == SIM_PROCESS_DEAD) return;
    process->lanes[which].threads = count;
    start_jobs(&process->lanes[which]);
}
