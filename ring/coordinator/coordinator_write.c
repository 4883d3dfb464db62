#include "ring/coordinator/coordinator_state.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"

static void write_task_run(struct env_task *task)
{
    struct coordinator_write *write = CONTAINER_OF(task, struct coordinator_write, task);
    write->done(write, &write->result);
}

static void write_synced(struct commit_log_waiter *waiter, enum status status)
{
    struct coordinator_write *write = CONTAINER_OF(waiter, struct coordinator_write, waiter);
    if (status == STATUS_OK)
        write->result.received = 1;
    else
        coordinator_result_fail(&write->result, status);
    write->done(write, &write->result);
}

void coordinator_write_start(struct coordinator *coordinator, struct coordinator_write *write,
                             const struct mutation *mutations, size_t count,
                             enum consistency consistency,
                             void (*done)(struct coordinator_write *write,
                                          const struct coordinator_result *result))
{
    write->done = done;
    write->coordinator = coordinator;
    write->task = (struct env_task){0};
    write->waiter = (struct commit_log_waiter){0};
    write->result = (struct coordinator_result){.consistency = consistency};
    uint64_t position = 0;
    env_mark(coordinator->env, ENV_MARK_WRITE_STARTED);
    // Whoever can not be served is found before anything is written.
    for (size_t i = 0; i < count && write->result.outcome == COORDINATOR_OK; i++) {
        if (i > 0 && mutations[i].table == mutations[i - 1].table) continue;
        (void)coordinator_replicas_suffice(coordinator, mutations[i].table, consistency,
                                           &write->result);
    }
    for (size_t i = 0; i < count && write->result.outcome == COORDINATOR_OK; i++) {
        enum status status = engine_apply(coordinator->engine, &mutations[i], &position);
        if (status != STATUS_OK) coordinator_result_fail(&write->result, status);
    }
    if (write->result.outcome == COORDINATOR_OK && count > 0) {
        env_mark(coordinator->env, ENV_MARK_WRITE_SYNCING);
        engine_wait_synced(coordinator->engine, &write->waiter, position, write_synced);
    } else {
        env_mark(coordinator->env, ENV_MARK_WRITE_REFUSED);
        env_task_post(coordinator->env, &write->task, write_task_run);
    }
}
