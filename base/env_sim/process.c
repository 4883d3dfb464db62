// Machines and their processes: clocks, timers, tasks, dying.
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_sim/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// 2024-05-01, so that times in a trace look like times.
#define WALL_START_US INT64_C(1714521600000000)
// Tasks wait a little for other events of the same turn, as in a busy loop.
#define TASKS_DELAY_NS (20 * NS_PER_US)

static const struct env_ops sim_ops;

// ---- Machines ----------------------------------------------------------------------------------

struct sim_machine *sim_machine_create(struct sim_world *world, const char *name)
{
    struct sim_machine *machine = calloc(1, sizeof *machine);
    ASSERT(machine != NULL);
    machine->world = world;
    machine->root = sim_inode_create(true);
    ASSERT(world->machine_count < SIM_MACHINES_MAX);
    machine->index = world->machine_count++;
    (void)snprintf(machine->name, sizeof machine->name, "%s", name);
    machine->next = world->machines;
    world->machines = machine;
    return machine;
}

void sim_machine_sync(struct sim_machine *machine)
{
    sim_disk_sync_all(machine);
}

void sim_machine_jump_clock(struct sim_machine *machine, int64_t delta_us)
{
    machine->wall_offset_us += delta_us;
    sim_world_event(machine->world, "clock jumps", machine->name, (uint64_t)delta_us, 0);
}

void sim_machine_set_full(struct sim_machine *machine, bool full)
{
    machine->is_full = full;
    machine->full_until_ns = 0;
}

void sim_machine_set_slow(struct sim_machine *machine, uint64_t duration_ns)
{
    sim_world_count(machine->world, SIM_FAULT_SLOW_MACHINE);
    machine->slow_until_ns = machine->world->now_ns + duration_ns;
}

uint64_t sim_machine_used_space(const struct sim_machine *machine)
{
    return machine->used_pages * SIM_PAGE_SIZE;
}

void sim_machine_crash(struct sim_machine *machine)
{
    sim_world_count(machine->world, SIM_FAULT_POWER_LOSS);
    machine->power_lost = true;
    bool any = false;
    for (struct sim_process *process = machine->processes; process != NULL;
         process = process->next) {
        if (process->state == SIM_PROCESS_RUNNING) sim_process_doom(process);
        if (process->state == SIM_PROCESS_DOOMED) any = true;
    }
    if (any) return; // Their code may still be running; then with the first that is dead.
    machine->power_lost = false;
    sim_disk_lose_power(machine);
}

// ---- Processes ---------------------------------------------------------------------------------

struct env *sim_process_start(struct sim_machine *machine, const char *name,
                              void (*died)(void *context, struct env *env), void *context)
{
    struct sim_process *process = calloc(1, sizeof *process);
    ASSERT(process != NULL);
    process->env.ops = &sim_ops;
    process->world = machine->world;
    process->machine = machine;
    (void)snprintf(process->name, sizeof process->name, "%s", name);
    process->died = died;
    process->died_context = context;
    timer_heap_init(&process->timers);
    task_list_init(&process->tasks);
    sim_lanes_init(process);
    process->next = machine->processes;
    machine->processes = process;
    sim_world_event(process->world, "process starts", process->name, 0, 0);
    return &process->env;
}

static void process_dies(struct sim_event *event)
{
    struct sim_process *process = CONTAINER_OF(event, struct sim_process, death_event);
    struct sim_machine *machine = process->machine;
    if (machine->power_lost) {
        machine->power_lost = false;
        sim_disk_lose_power(machine);
    }
    sim_world_event(process->world, "process is dead", process->name, process->steps, 0);
    // None of the owners is touched: their memory may be gone.
    free(process->timers.timers);
    timer_heap_init(&process->timers);
    task_list_init(&process->tasks);
    sim_event_stop(process->world, &process->timers_event);
    sim_event_stop(process->world, &process->tasks_event);
    sim_lanes_drop(process);
    sim_streams_drop(process);
    process->state = SIM_PROCESS_DEAD;
    process->died_is_told = true;
    process->died(process->died_context, &process->env);
}

void sim_process_doom(struct sim_process *process)
{
    ASSERT(process->state == SIM_PROCESS_RUNNING);
    process->state = SIM_PROCESS_DOOMED;
    sim_event_start(process->world, &process->death_event, 0, process_dies);
}

void sim_process_crash(struct env *env)
{
    struct sim_process *process = sim_process_of(env);
    if (process->state != SIM_PROCESS_RUNNING) return;
    sim_world_count(process->world, SIM_FAULT_PROCESS_CRASH);
    sim_process_doom(process);
}

void sim_process_crash_at(struct env *env, uint64_t steps, bool power)
{
    struct sim_process *process = sim_process_of(env);
    process->crash_at = steps == 0 ? 0 : process->steps + steps;
    process->crash_with_power = power;
}

void sim_process_crash_at_sync_dir(struct env *env, uint64_t count, bool power)
{
    struct sim_process *process = sim_process_of(env);
    process->dir_syncs_left = count;
    process->crash_with_power = power;
}

void sim_process_crash_at_sync_file(struct env *env, uint64_t count, bool power)
{
    struct sim_process *process = sim_process_of(env);
    process->file_syncs_left = count;
    process->crash_with_power = power;
}

void sim_process_pause(struct env *env, uint64_t duration_ns)
{
    struct sim_process *process = sim_process_of(env);
    if (process->state != SIM_PROCESS_RUNNING) return;
    sim_world_count(process->world, SIM_FAULT_PAUSED);
    process->paused_until_ns = process->world->now_ns + duration_ns;
}

bool sim_process_defers(struct sim_process *process, struct sim_event *event,
                        void (*run)(struct sim_event *event))
{
    uint64_t now_ns = process->world->now_ns;
    if (process->paused_until_ns <= now_ns) return false;
    sim_event_start(process->world, event, process->paused_until_ns - now_ns, run);
    return true;
}

bool sim_process_step(struct sim_process *process)
{
    if (process->state != SIM_PROCESS_RUNNING) return false;
    process->steps++;
    if (process->steps != process->crash_at) return true;
    if (process->crash_with_power)
        sim_machine_crash(process->machine);
    else
        sim_process_crash(&process->env);
    return false;
}

bool sim_process_is_alive(const struct env *env)
{
    return sim_process_of(env)->state == SIM_PROCESS_RUNNING;
}

struct sim_machine *sim_process_machine(const struct env *env)
{
    return sim_process_of(env)->machine;
}

uint64_t sim_process_steps(const struct env *env)
{
    return sim_process_of(env)->steps;
}

uint64_t sim_process_marks(const struct env *env, enum env_mark mark)
{
    return sim_process_of(env)->marks[mark];
}

void sim_process_destroy(struct env *env)
{
    struct sim_process *process = sim_process_of(env);
    struct sim_world *world = process->world;
    ASSERT(process->state == SIM_PROCESS_RUNNING || process->died_is_told);
    if (process->state == SIM_PROCESS_RUNNING) {
        // Ended by itself: what it left open, the system closes.
        sim_connects_cancel(process);
        sim_event_stop(world, &process->timers_event);
        sim_event_stop(world, &process->tasks_event);
        sim_lanes_drop(process);
        sim_streams_drop(process);
        process->state = SIM_PROCESS_DEAD;
    }
    sim_streams_free(process);
    sim_files_free(process);
    free(process->timers.timers);
    struct sim_process **place = &process->machine->processes;
    while (*place != process)
        place = &(*place)->next;
    *place = process->next;
    free(process);
}

// ---- Clock and randomness ----------------------------------------------------------------------

int64_t sim_machine_wall_us(const struct sim_machine *machine)
{
    return WALL_START_US + (int64_t)(machine->world->now_ns / NS_PER_US) + machine->wall_offset_us;
}

static int64_t sim_wall_us(struct env *env)
{
    struct sim_machine *machine = sim_process_of(env)->machine;
    struct sim_world *world = machine->world;
    if (sim_world_strikes(world, SIM_FAULT_CLOCK_JUMP)) {
        int64_t span_us = random_chance(&world->random, 0.1) ? INT64_C(3600000000) : 2000000;
        int64_t jump_us = (int64_t)sim_world_between(world, 0, 2 * (uint64_t)span_us) - span_us;
        sim_machine_jump_clock(machine, jump_us);
    }
    return sim_machine_wall_us(machine);
}

static uint64_t sim_monotonic_ns(struct env *env)
{
    return sim_process_of(env)->world->now_ns;
}

static void sim_random_bytes(struct env *env, void *bytes, size_t size)
{
    random_bytes(&sim_process_of(env)->world->random, bytes, size);
}

static void sim_mark(struct env *env, unsigned mark)
{
    ASSERT(mark < ENV_MARK_COUNT);
    struct sim_process *process = sim_process_of(env);
    process->marks[mark]++;
    process->world->marks[mark]++;
}

// ---- Timers ------------------------------------------------------------------------------------

static void timers_fire(struct sim_event *event);

static void arm_timers(struct sim_process *process)
{
    struct env_timer *first = timer_heap_first(&process->timers);
    struct sim_event *event = &process->timers_event;
    if (first == NULL) {
        sim_event_stop(process->world, event);
    } else if (!sim_event_is_started(event) || event->timer.deadline_ns != first->deadline_ns) {
        uint64_t now_ns = process->world->now_ns;
        uint64_t delay_ns = first->deadline_ns > now_ns ? first->deadline_ns - now_ns : 0;
        sim_event_start(process->world, event, delay_ns, timers_fire);
    }
}

static void timers_fire(struct sim_event *event)
{
    struct sim_process *process = CONTAINER_OF(event, struct sim_process, timers_event);
    struct env_timer *first = timer_heap_first(&process->timers);
    if (process->state != SIM_PROCESS_RUNNING) return;
    if (sim_process_defers(process, event, timers_fire)) return;
    ASSERT(first != NULL && first->deadline_ns <= process->world->now_ns);
    timer_heap_remove(&process->timers, first);
    arm_timers(process);
    sim_world_event(process->world, "timer", process->name, 0, 0);
    first->fire(first);
}

static void sim_timer_start(struct env *env, struct env_timer *timer, uint64_t delay_ns,
                            void (*fire)(struct env_timer *timer))
{
    struct sim_process *process = sim_process_of(env);
    if (process->state == SIM_PROCESS_DEAD) return;
    timer->fire = fire;
    timer_heap_add(&process->timers, timer, process->world->now_ns + delay_ns);
    arm_timers(process);
}

static void sim_timer_stop(struct env *env, struct env_timer *timer)
{
    struct sim_process *process = sim_process_of(env);
    if (process->state == SIM_PROCESS_DEAD) return;
    timer_heap_remove(&process->timers, timer);
    arm_timers(process);
}

// ---- Tasks -------------------------------------------------------------------------------------

static void tasks_run(struct sim_event *event)
{
    struct sim_process *process = CONTAINER_OF(event, struct sim_process, tasks_event);
    if (process->state != SIM_PROCESS_RUNNING) return;
    if (sim_process_defers(process, event, tasks_run)) return;
    sim_world_event(process->world, "tasks", process->name, 0, 0);
    task_list_run(&process->tasks);
}

static void sim_task_post(struct env *env, struct env_task *task,
                          void (*run)(struct env_task *task))
{
    struct sim_process *process = sim_process_of(env);
    if (process->state == SIM_PROCESS_DEAD) return;
    task_list_post(&process->tasks, task, run);
    if (sim_event_is_started(&process->tasks_event)) return;
    sim_event_start(process->world, &process->tasks_event,
                    sim_world_between(process->world, 0, TASKS_DELAY_NS), tasks_run);
}

static void sim_task_cancel(struct env *env, struct env_task *task)
{
    struct sim_process *process = sim_process_of(env);
    if (process->state == SIM_PROCESS_DEAD) return;
    task_list_cancel(&process->tasks, task);
}

// ---- Processes of processes: not here ----------------------------------------------------------

static enum status sim_process_refuse_start(struct env *env,
                                            const struct env_process_options *options, int *pid,
                                            struct error *error)
{
    (void)env, (void)options, (void)pid;
    return error_set(error, STATUS_UNSUPPORTED, "no processes can be started in the simulator");
}

static enum status sim_process_refuse_signal(struct env *env, int pid, int signal,
                                             struct error *error)
{
    (void)env, (void)pid, (void)signal;
    return error_set(error, STATUS_UNSUPPORTED, "no signals can be sent in the simulator");
}

static enum status sim_process_refuse_usage(struct env *env, int pid,
                                            struct env_process_usage *usage, struct error *error)
{
    (void)env, (void)pid, (void)usage;
    return error_set(error, STATUS_UNSUPPORTED, "no process can be measured in the simulator");
}

static const struct env_ops sim_ops = {
    .wall_us = sim_wall_us,
    .monotonic_ns = sim_monotonic_ns,
    .random_bytes = sim_random_bytes,
    .timer_start = sim_timer_start,
    .timer_stop = sim_timer_stop,
    .task_post = sim_task_post,
    .task_cancel = sim_task_cancel,
    .offload = sim_offload,
    .set_lane_threads = sim_set_lane_threads,
    .file_open = sim_file_open,
    .file_close = sim_file_close,
    .file_read = sim_file_read,
    .file_read_cached = sim_file_read_cached,
    .file_write = sim_file_write,
    .file_sync = sim_file_sync,
    .file_truncate = sim_file_truncate,
    .file_size = sim_file_size,
    .rename = sim_path_rename,
    .link = sim_path_link,
    .remove = sim_path_remove,
    .make_dir = sim_path_make_dir,
    .remove_dir = sim_path_remove_dir,
    .sync_dir = sim_path_sync_dir,
    .list_dir = sim_path_list_dir,
    .path_exists = sim_path_exists,
    .path_time = sim_path_time,
    .free_space = sim_path_free_space,
    .lock = sim_path_lock,
    .unlock = sim_path_unlock,
    .listen = sim_listen,
    .listener_address = sim_listener_address,
    .listener_close = sim_listener_close,
    .connect = sim_connect,
    .connect_cancel = sim_connect_cancel,
    .stream_start = sim_stream_start,
    .stream_write = sim_stream_write,
    .stream_queued = sim_stream_queued,
    .stream_pause = sim_stream_pause,
    .stream_resume = sim_stream_resume,
    .stream_close = sim_stream_close,
    .stream_peer = sim_stream_peer,
    .process_start = sim_process_refuse_start,
    .process_signal = sim_process_refuse_signal,
    .process_usage = sim_process_refuse_usage,
    .mark = sim_mark,
};
