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

// Nothing of it was written but for this part.
static bool increment_is_alone(const struct coordinator_increment *increment)
{
    return increment->update_count == 1;
}

static void increment_part_ended(void *owner, const struct coordinator_result *result)
{
    struct coordinator_increment *increment = owner;
    ASSERT(increment->parts_left > 0);
    coordinator_result_merge(&increment->result, result, increment_is_alone(increment));
    if (--increment->parts_left == 0) increment_end(increment);
}

static void increment_synced(struct commit_log_waiter *waiter, enum status status)
{
    struct coordinator_increment *increment =
        CONTAINER_OF(waiter, struct coordinator_increment, waiter);
    struct coordinator_result part = increment->local;
    if (status == STATUS_OK)
        part.received = 1;
    else
        coordinator_result_fail(&part, status);
    increment_part_ended(increment, &part);
}

static void increment_fail(struct coordinator_increment *increment, enum status status)
{
    struct coordinator_result part = increment->local;
    coordinator_result_fail(&part, status);
    coordinator_result_merge(&increment->result, &part, increment->applied_count == 0);
}

// ---- One update ---------------------------------------------------------------------------------

// The leader of an increment that is not ours to lead: a live replica that answers us, of our data
// centre if there is one (StorageProxy.findSuitableReplica). The same one for a key as long as that
// holds, so that a counter has few shards.
static uint16_t increment_find_leader(const struct coordinator *coordinator,
                                      const struct replica_plan *plan)
{
    uint16_t leader = MEMBER_NONE;
    int best = 4;
    for (uint16_t i = 0; i < plan->replicas.count && best > 0; i++) {
        uint16_t member = plan->replicas.members[i];
        if (!replica_plan_is_alive(coordinator, member)) continue;
        // Who leads counts the answers of its own data centre at a local level.
        if (!replica_plan_counts(coordinator, plan, member)) continue;
        int rank = (replica_plan_is_near(coordinator, member) ? 0 : 2) +
                   (placement_is_local(coordinator->options.placement, member) ? 0 : 1);
        if (rank >= best) continue;
        best = rank;
        leader = member;
    }
    return leader;
}

// Sends it to its leader, once. UNAVAILABLE's numbers were looked at before.
static void increment_forward(struct coordinator_increment *increment,
                              const struct replica_plan *plan, const struct counter_update *update)
{
    struct coordinator *coordinator = increment->coordinator;
    uint16_t leader = increment->is_led ? MEMBER_NONE : increment_find_leader(coordinator, plan);
    if (leader == MEMBER_NONE) {
        increment->local.outcome = COORDINATOR_UNAVAILABLE;
        coordinator_result_merge(&increment->result, &increment->local,
                                 increment->applied_count == 0);
        return;
    }
    increment->parts_left++;
    replica_increment_send(coordinator, leader, update, plan, increment, increment_part_ended);
}

// Our own shard, and what the others get of it.
static enum status increment_lead(struct coordinator_increment *increment,
                                  const struct replica_plan *plan,
                                  const struct counter_update *update)
{
    struct coordinator *coordinator = increment->coordinator;
    struct delivery_order order = {.plan = plan, .table = update->table, .is_counter = true};
    enum status status = engine_increment(coordinator->engine, update, &increment->pins,
                                          &increment->arena, NULL, &order.position);
    if (status != STATUS_OK) return status;
    coordinator->counts.local_increments++;
    if (coordinator->trace != NULL) {
        trace_add(coordinator->trace, TRACE_THREAD_COUNTER, "Appending to commitlog");
        trace_add(coordinator->trace, TRACE_THREAD_COUNTER, "Adding to %.*s memtable",
                  TRACE_NAME(update->table->name));
    }
    if (plan->replicas.count == 1) {
        increment->position = order.position;
        return STATUS_OK;
    }
    order.record = engine_last_record(coordinator->engine);
    increment->parts_left++;
    delivery_start(coordinator, &order, increment, increment_part_ended);
    return STATUS_OK;
}

// False: no more of it is applied, or WOULD_BLOCK and it goes on when all is loaded.
static bool increment_apply(struct coordinator_increment *increment,
                            const struct counter_update *update, enum status *status)
{
    struct coordinator *coordinator = increment->coordinator;
    struct replica_plan plan;
    *status = STATUS_OK;
    if (!coordinator_plan_write(coordinator, update->table, update->key.token,
                                increment->result.consistency, &plan, &increment->local)) {
        coordinator_result_merge(&increment->result, &increment->local,
                                 increment->applied_count == 0);
        return false;
    }
    if (coordinator_is_replica(coordinator, &plan)) {
        *status = increment_lead(increment, &plan, update);
        return *status == STATUS_OK;
    }
    increment_forward(increment, &plan, update);
    return increment->result.outcome == COORDINATOR_OK;
}

static void increment_loaded(struct engine_load *load, enum status status);

// What was applied is waited for, also when the rest of it can not be.
static void increment_wait(struct coordinator_increment *increment)
{
    struct coordinator *coordinator = increment->coordinator;
    if (increment->position > 0) {
        increment->parts_left++;
        env_mark(coordinator->env, ENV_MARK_INCREMENT_SYNCING);
        engine_wait_synced(coordinator->engine, &increment->waiter, increment->position,
                           increment_synced);
    }
    if (--increment->parts_left == 0)
        env_task_post(coordinator->env, &increment->task, increment_task_run);
}

// Applies what is left, in one turn of the loop for each partition (invariant 8). A part that
// misses the cache is loaded and tried again; what was applied before it is not applied twice.
static void increment_step(struct coordinator_increment *increment)
{
    struct coordinator *coordinator = increment->coordinator;
    while (increment->applied_count < increment->update_count) {
        enum status status;
        if (!increment_apply(increment, &increment->updates[increment->applied_count], &status)) {
            if (status == STATUS_WOULD_BLOCK) {
                env_mark(coordinator->env, ENV_MARK_INCREMENT_LOADING);
                engine_load(coordinator->engine, &increment->load, &increment->pins,
                            increment_loaded);
                return;
            }
            if (status != STATUS_OK) increment_fail(increment, status);
            break;
        }
        increment->applied_count++;
    }
    increment_wait(increment);
}

static void increment_loaded(struct engine_load *load, enum status status)
{
    struct coordinator_increment *increment =
        CONTAINER_OF(load, struct coordinator_increment, load);
    // The node stops: nobody is there any more to whom it could be told.
    if (increment->is_led && coordinator_messaging(increment->coordinator) == NULL)
        status = STATUS_CANCELED;
    if (status == STATUS_OK) {
        increment_step(increment);
        return;
    }
    increment_fail(increment, status);
    increment_wait(increment);
}

// ---- All of them --------------------------------------------------------------------------------

// Whoever can not be served is found before anything is written. A single update is looked at when
// it is applied.
static bool increment_plan_all(struct coordinator_increment *increment)
{
    for (size_t i = 0; i < increment->update_count && increment->update_count > 1; i++) {
        const struct counter_update *update = &increment->updates[i];
        struct replica_plan plan;
        if (!coordinator_plan_write(increment->coordinator, update->table, update->key.token,
                                    increment->result.consistency, &plan, &increment->local)) {
            increment->result = increment->local;
            return false;
        }
    }
    return true;
}

static void increment_begin(struct coordinator *coordinator,
                            struct coordinator_increment *increment,
                            const struct counter_update *updates, size_t count,
                            enum consistency consistency)
{
    increment->coordinator = coordinator;
    increment->updates = updates;
    increment->update_count = count;
    increment->applied_count = 0;
    increment->position = 0;
    increment->task = (struct env_task){0};
    increment->waiter = (struct commit_log_waiter){0};
    increment->result = increment->local = (struct coordinator_result){.consistency = consistency};
    // One part is the start itself, so that no end comes before it.
    increment->parts_left = 1;
    read_pins_init(&increment->pins);
    coordinator_take_arena(coordinator, &increment->arena);
    env_mark(coordinator->env, ENV_MARK_INCREMENT_STARTED);
    if (count > 0 && increment_plan_all(increment))
        increment_step(increment);
    else
        env_task_post(coordinator->env, &increment->task, increment_task_run);
}

void coordinator_increment_start(
    struct coordinator *coordinator, struct coordinator_increment *increment,
    const struct counter_update *updates, size_t count, enum consistency consistency,
    void (*done)(struct coordinator_increment *increment, const struct coordinator_result *result))
{
    trace_add(coordinator->trace, TRACE_THREAD_REQUEST, "Determining replicas for mutation");
    increment->done = done;
    increment->is_led = false;
    increment_begin(coordinator, increment, updates, count, consistency);
}

void coordinator_increment_lead(struct coordinator *coordinator,
                                struct coordinator_increment *increment,
                                const struct counter_update *update, enum consistency consistency,
                                void (*done)(struct coordinator_increment *increment,
                                             const struct coordinator_result *result))
{
    increment->done = done;
    increment->is_led = true;
    increment_begin(coordinator, increment, update, 1, consistency);
}

void coordinator_increment_abandon(struct coordinator_increment *increment)
{
    if (increment->coordinator == NULL) return; // It was not started.
    read_pins_release(&increment->pins);
    arena_deinit(&increment->arena);
}
