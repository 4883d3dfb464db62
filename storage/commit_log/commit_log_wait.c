// Who waits for a position. Two lists: by position, those not synced yet; in order of coming, those
// that only wait for their call.
#include "base/assert.h"
#include "base/container_of.h"
#include "storage/commit_log/commit_log_internal.h"

static void list_insert(struct commit_log_waiter **place, struct commit_log_waiter ***end,
                        struct commit_log_waiter *waiter)
{
    waiter->place = place;
    waiter->next = *place;
    *place = waiter;
    if (waiter->next == NULL) {
        *end = &waiter->next;
    } else {
        waiter->next->place = &waiter->next;
    }
}

static void list_remove(struct commit_log_waiter ***end, struct commit_log_waiter *waiter)
{
    *waiter->place = waiter->next;
    if (waiter->next == NULL) {
        *end = waiter->place;
    } else {
        waiter->next->place = waiter->place;
    }
    waiter->place = NULL;
    waiter->next = NULL;
}

static enum status outcome(const struct commit_log *log, uint64_t position)
{
    if (position <= log->synced_position) return STATUS_OK;
    return log->failed != STATUS_OK ? STATUS_IO : STATUS_OK;
}

static void run_ready(struct env_task *task)
{
    struct commit_log *log = CONTAINER_OF(task, struct commit_log, ready_task);
    // Only those that are ready now: one that waits again in its call comes in the next turn.
    size_t count = 0;
    for (struct commit_log_waiter *waiter = log->ready; waiter != NULL; waiter = waiter->next)
        count++;
    for (; count > 0 && log->ready != NULL; count--) {
        struct commit_log_waiter *waiter = log->ready;
        list_remove(&log->ready_end, waiter);
        waiter->done(waiter, outcome(log, waiter->position));
    }
    if (log->ready != NULL) env_task_post(log->env, &log->ready_task, run_ready);
}

static void wait_for_turn(struct commit_log *log, struct commit_log_waiter *waiter)
{
    list_insert(log->ready_end, &log->ready_end, waiter);
    env_task_post(log->env, &log->ready_task, run_ready);
}

static void wait_for_sync(struct commit_log *log, struct commit_log_waiter *waiter)
{
    // Positions mostly come in order, so the search from the end is short.
    struct commit_log_waiter **place = log->waiters_end;
    while (place != &log->waiters) {
        struct commit_log_waiter *before = CONTAINER_OF(place, struct commit_log_waiter, next);
        if (before->position <= waiter->position) break;
        place = before->place;
    }
    list_insert(place, &log->waiters_end, waiter);
}

bool commit_log_waits_for_disk(const struct commit_log *log)
{
    return log->sync != COMMIT_LOG_SYNC_PERIODIC;
}

void commit_log_wait(struct commit_log *log, struct commit_log_waiter *waiter, uint64_t position,
                     void (*done)(struct commit_log_waiter *waiter, enum status status))
{
    if (commit_log_waits_for_disk(log)) {
        commit_log_wait_durable(log, waiter, position, done);
        return;
    }
    *waiter = (struct commit_log_waiter){.done = done, .position = position};
    wait_for_turn(log, waiter);
}

void commit_log_wait_durable(struct commit_log *log, struct commit_log_waiter *waiter,
                             uint64_t position,
                             void (*done)(struct commit_log_waiter *waiter, enum status status))
{
    ASSERT(position <= log->last_position);
    *waiter = (struct commit_log_waiter){.done = done, .position = position};
    if (position <= log->synced_position || log->failed != STATUS_OK) {
        wait_for_turn(log, waiter);
        return;
    }
    wait_for_sync(log, waiter);
    if (log->sync == COMMIT_LOG_SYNC_PERIODIC) commit_log_write(log);
}

void commit_log_cancel_wait(struct commit_log *log, struct commit_log_waiter *waiter)
{
    if (waiter->place == NULL) return;
    bool is_last_ready = log->ready != NULL && log->ready_end == &waiter->next;
    list_remove(is_last_ready ? &log->ready_end : &log->waiters_end, waiter);
}

void commit_log_wake(struct commit_log *log)
{
    while (log->waiters != NULL &&
           (log->waiters->position <= log->synced_position || log->failed != STATUS_OK)) {
        struct commit_log_waiter *waiter = log->waiters;
        list_remove(&log->waiters_end, waiter);
        waiter->done(waiter, outcome(log, waiter->position));
    }
}
