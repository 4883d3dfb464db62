#include "ring/coordinator/coordinator_state.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"

#include <stdlib.h>

struct truncate_request {
    struct messaging_request request;
    struct coordinator_truncate *truncate;
};

static void truncate_end(struct coordinator_truncate *truncate)
{
    free(truncate->requests);
    truncate->requests = NULL;
    truncate->done(truncate, &truncate->result);
}

static void truncate_task_run(struct env_task *task)
{
    truncate_end(CONTAINER_OF(task, struct coordinator_truncate, task));
}

static void truncate_hear(struct coordinator_truncate *truncate, enum status status)
{
    struct coordinator_result *result = &truncate->result;
    bool is_lost = status == STATUS_TIMED_OUT || status == STATUS_CLOSED;
    if (status == STATUS_OK)
        result->received++;
    else if (is_lost)
        result->outcome = COORDINATOR_TIMED_OUT;
    else if (result->outcome == COORDINATOR_OK)
        coordinator_result_fail(result, status);
    if (--truncate->waits_for == 0) truncate_end(truncate);
}

static void truncate_here_done(struct truncate_here *here, enum status status)
{
    truncate_hear(CONTAINER_OF(here, struct coordinator_truncate, here), status);
}

static void truncate_answered(struct messaging_request *base, enum status status,
                              struct slice answer)
{
    (void)answer;
    struct truncate_request *request = CONTAINER_OF(base, struct truncate_request, request);
    // A member that has no such table any more has no data of it either.
    truncate_hear(request->truncate, status == STATUS_NOT_FOUND ? STATUS_OK : status);
}

static void truncate_send(struct coordinator_truncate *truncate, uint16_t member_count,
                          int64_t time_us)
{
    struct coordinator *coordinator = truncate->coordinator;
    struct buffer body;
    buffer_init(&body, 64);
    buffer_put(&body, truncate->table.bytes, sizeof truncate->table.bytes);
    buffer_put_u64(&body, (uint64_t)time_us);
    truncate->requests = calloc(member_count, sizeof *truncate->requests);
    ASSERT(truncate->requests != NULL);
    for (uint16_t member = 0; member < member_count; member++) {
        if (member == coordinator->self) continue;
        struct truncate_request *request = &truncate->requests[truncate->request_count++];
        request->truncate = truncate;
        truncate->waits_for++;
        messaging_send(coordinator->options.messaging, &request->request, member, VERB_TRUNCATE,
                       buffer_slice(&body), coordinator->options.truncate_timeout_ns,
                       truncate_answered);
    }
    buffer_deinit(&body);
}

void coordinator_truncate_start(struct coordinator *coordinator,
                                struct coordinator_truncate *truncate, struct uuid table,
                                void (*done)(struct coordinator_truncate *truncate,
                                             const struct coordinator_result *result))
{
    *truncate = (struct coordinator_truncate){
        .done = done, .coordinator = coordinator, .table = table, .waits_for = 1};
    const struct topology *topology = coordinator->options.placement == NULL
                                          ? NULL
                                          : placement_topology(coordinator->options.placement);
    uint16_t member_count = topology == NULL ? 1 : topology->member_count;
    struct coordinator_result *result = &truncate->result;
    *result = (struct coordinator_result){.consistency = CONSISTENCY_ALL, .required = member_count};
    for (uint16_t member = 0; member < member_count; member++)
        result->alive += replica_plan_is_alive(coordinator, member) || topology == NULL;
    if (result->alive < result->required) {
        result->outcome = COORDINATOR_UNAVAILABLE;
        env_task_post(coordinator->env, &truncate->task, truncate_task_run);
        return;
    }
    env_mark(coordinator->env, ENV_MARK_TRUNCATE_STARTED);
    int64_t time_us = replica_truncations_next(coordinator);
    if (member_count > 1) truncate_send(truncate, member_count, time_us);
    truncate_here_start(coordinator, &truncate->here, table, coordinator->self, time_us,
                        truncate_here_done);
}

void coordinator_truncate_abandon(struct coordinator_truncate *truncate)
{
    free(truncate->requests);
    truncate->requests = NULL;
}
