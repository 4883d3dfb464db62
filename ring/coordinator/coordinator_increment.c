#include "ring/coordinator/coordinator_state.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"

static void increment_let_go(struct coordinator_increment *increment)
{
    read_pins_release(&increment->pins);
    coordinator_give_arena(increment->coordinator, &increment->arena);
}

static void increment_end(struct coordinator_increment *increment)
{
    increment_let_go(increment);
    increment->done(increment, &increment->result);
}

static void increment_task_run(struct env_task *task)
{
    increment_end(CONTAINER_OF(task, struct coordinator_increment, task));
}

static void increment_synced(struct commit_log_waiter *waiter, enum status status)
{
    struct coordinator_increment *increment =
        CONTAINER_OF(waiter, struct coordinator_increment, waiter);
    if (status == STATUS_OK)
        increment->result.received = 1;
    else
        coordinator_result_fail(&increment->result, status);
    increment_end(increment);
}

static void increment_loaded(struct engine_load *load, enum status status);

// Applies what is left, in one turn of the loop for each partition (invariant 8). A part that
// misses the cache is loaded and tried again; what was applied before it is not applied twice.
static void increment_step(struct coordinator_increment *increment)
{
    struct coordinator *coordinator = increment->coordinator;
    while (increment->applied_count < increment->update_count) {
        const struct counter_update *update = &increment->updates[increment->applied_count];
        enum status status = engine_increment(coordinator->engine, update, &increment->pins,
                                              &increment->arena, NULL, &increment->position);
        if (status == STATUS_WOULD_BLOCK) {
            env_mark(coordinator->env, ENV_MARK_INCREMENT_LOADING);
            engine_load(coordinator->engine, &increment->load, &increment->pins, increment_loaded);
            return;
        }
        if (status != STATUS_OK) {
            coordinator_result_fail(&increment->result, status);
            env_task_post(coordinator->env, &increment->task, increment_task_run);
            return;
        }
        increment->applied_count++;
    }
    env_mark(coordinator->env, ENV_MARK_INCREMENT_SYNCING);
    engine_wait_synced(coordinator->engine, &increment->waiter, increment->position,
                       increment_synced);
}

static void increment_loaded(struct engine_load *load, enum status status)
{
    struct coordinator_increment *increment =
        CONTAINER_OF(load, struct coordinator_increment, load);
    if (status == STATUS_OK) {
        increment_step(increment);
        return;
    }
    coordinator_result_fail(&increment->result, status);
    increment_end(increment);
}

void coordinator_increment_start(
    struct coordinator *coordinator, struct coordinator_increment *increment,
    const struct counter_update *updates, size_t count, enum consistency consistency,
    void (*done)(struct coordinator_increment *increment, const struct coordinator_result *result))
{
    increment->done = done;
    increment->coordinator = coordinator;
    increment->updates = updates;
    increment->update_count = count;
    increment->applied_count = 0;
    increment->position = 0;
    increment->task = (struct env_task){0};
    increment->waiter = (struct commit_log_waiter){0};
    increment->result = (struct coordinator_result){.consistency = consistency};
    read_pins_init(&increment->pins);
    coordinator_take_arena(coordinator, &increment->arena);
    for (size_t i = 0; i < count && increment->result.outcome == COORDINATOR_OK; i++) {
        if (i > 0 && updates[i].table == updates[i - 1].table) continue;
        (void)coordinator_replicas_suffice(coordinator, updates[i].table, consistency,
                                           &increment->result);
    }
    env_mark(coordinator->env, ENV_MARK_INCREMENT_STARTED);
    if (increment->result.outcome == COORDINATOR_OK && count > 0)
        increment_step(increment);
    else
        env_task_post(coordinator->env, &increment->task, increment_task_run);
}

void coordinator_increment_abandon(struct coordinator_increment *increment)
{
    if (increment->coordinator == NULL) return; // It was not started.
    read_pins_release(&increment->pins);
    arena_deinit(&increment->arena);
}
