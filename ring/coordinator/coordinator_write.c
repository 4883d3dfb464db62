// A partition whose only copy is here is applied and waits for one sync with the others like it;
// each other one is a delivery of its own.
#include "ring/coordinator/coordinator_state.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"

static void write_task_run(struct env_task *task)
{
    struct coordinator_write *write = CONTAINER_OF(task, struct coordinator_write, task);
    write->done(write, &write->result);
}

static void write_part_ended(struct coordinator_write *write)
{
    ASSERT(write->parts_left > 0);
    if (--write->parts_left == 0) write->done(write, &write->result);
}

static void write_synced(struct commit_log_waiter *waiter, enum status status)
{
    struct coordinator_write *write = CONTAINER_OF(waiter, struct coordinator_write, waiter);
    struct coordinator_result part = write->local;
    if (status == STATUS_OK)
        part.received = 1;
    else
        coordinator_result_fail(&part, status);
    coordinator_result_merge(&write->result, &part, write->is_alone);
    write_part_ended(write);
}

static void write_delivered(void *owner, const struct coordinator_result *result)
{
    struct coordinator_write *write = owner;
    coordinator_result_merge(&write->result, result, write->is_alone);
    write_part_ended(write);
}

// ---- One mutation -------------------------------------------------------------------------------

static bool write_encode(struct coordinator *coordinator, const struct mutation *mutation,
                         struct slice *record)
{
    struct buffer *bytes = &coordinator->record;
    if (bytes->capacity > MIB) buffer_deinit(bytes);
    buffer_clear(bytes);
    engine_put_record(mutation, bytes);
    *record = buffer_slice(bytes);
    return !bytes->overflow;
}

// Applies it here, if we are a replica, and sends it to the others.
static enum status write_deliver(struct coordinator_write *write, const struct replica_plan *plan,
                                 const struct mutation *mutation)
{
    struct coordinator *coordinator = write->coordinator;
    struct delivery_order order = {.plan = plan, .table = mutation->table};
    bool is_applied = false;
    if (coordinator_is_replica(coordinator, plan)) {
        order.local_status = engine_apply(coordinator->engine, mutation, &order.position);
        is_applied = order.local_status == STATUS_OK;
        coordinator->counts.local_writes++;
        // Nobody has anything of it yet: the client may send it again.
        if (order.local_status == STATUS_OVERLOADED && write->parts_left == 0)
            return order.local_status;
    }
    if (is_applied)
        order.record = engine_last_record(coordinator->engine);
    else if (!write_encode(coordinator, mutation, &order.record))
        return STATUS_INVALID;
    write->parts_left++;
    delivery_start(coordinator, &order, write, write_delivered);
    return STATUS_OK;
}

// The part of a write that is one mutation. Its end, if it has one at once, is in `result`.
static void write_part(struct coordinator_write *write, const struct mutation *mutation,
                       const struct replica_plan *plan, uint64_t *position)
{
    struct coordinator *coordinator = write->coordinator;
    enum status status;
    if (coordinator->trace != NULL && coordinator_is_replica(coordinator, plan)) {
        trace_add(coordinator->trace, TRACE_THREAD_MUTATION, "Appending to commitlog");
        trace_add(coordinator->trace, TRACE_THREAD_MUTATION, "Adding to %.*s memtable",
                  TRACE_NAME(mutation->table->name));
    }
    if (plan->replicas.count == 1 && plan->replicas.members[0] == coordinator->self) {
        status = engine_apply(coordinator->engine, mutation, position);
        coordinator->counts.local_writes++;
        write->is_of_job =
            write->is_of_job || coordinator_is_of_job(coordinator, mutation->table->id);
    } else {
        status = write_deliver(write, plan, mutation);
    }
    if (status == STATUS_OK) return;
    struct coordinator_result part = write->local;
    coordinator_result_fail(&part, status);
    coordinator_result_merge(&write->result, &part, write->parts_left == 0 && *position == 0);
}

// ---- All of them --------------------------------------------------------------------------------

// A ring of one has one plan for a table.
static bool write_has_same_plan(const struct coordinator *coordinator,
                                const struct mutation *mutations, size_t index)
{
    return index > 0 && coordinator->options.placement == NULL &&
           mutations[index].table == mutations[index - 1].table;
}

// Whoever can not be served is found before anything is written.
static bool write_plan_all(struct coordinator_write *write, const struct mutation *mutations,
                           size_t count, struct replica_plan *plan)
{
    for (size_t i = 0; i < count; i++) {
        if (write_has_same_plan(write->coordinator, mutations, i)) continue;
        if (!coordinator_plan_write(write->coordinator, mutations[i].table, mutations[i].key.token,
                                    write->local.consistency, plan, &write->local)) {
            write->result = write->local;
            return false;
        }
    }
    return true;
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
    write->result = write->local = (struct coordinator_result){.consistency = consistency};
    write->parts_left = 0;
    write->is_alone = count == 1;
    write->is_of_job = false;
    uint64_t position = 0;
    env_mark(coordinator->env, ENV_MARK_WRITE_STARTED);
    struct replica_plan plan;
    trace_add(coordinator->trace, TRACE_THREAD_REQUEST, "Determining replicas for mutation");
    bool is_planned = write_plan_all(write, mutations, count, &plan);
    for (size_t i = 0; i < count && is_planned && write->result.outcome == COORDINATOR_OK; i++) {
        // The plan of the last one that was looked at is that of the only one.
        if (count > 1 && !write_has_same_plan(coordinator, mutations, i))
            is_planned = replica_plan_make(coordinator, mutations[i].table, mutations[i].key.token,
                                           consistency, false, &plan, &write->local);
        write_part(write, &mutations[i], &plan, &position);
    }
    if (position > 0) {
        write->parts_left++;
        env_mark(coordinator->env, ENV_MARK_WRITE_SYNCING);
        if (write->is_of_job)
            engine_wait_durable(coordinator->engine, &write->waiter, position, write_synced);
        else
            engine_wait_synced(coordinator->engine, &write->waiter, position, write_synced);
    } else if (write->parts_left == 0) {
        env_mark(coordinator->env, ENV_MARK_WRITE_REFUSED);
        env_task_post(coordinator->env, &write->task, write_task_run);
    }
}

void coordinator_write_abandon(struct coordinator_write *write)
{
    (void)write; // It holds nothing: deliveries are the coordinator's.
}
