#include "ring/coordinator/delivery.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "ring/coordinator/coordinator_state.h"

#include <stdlib.h>

struct delivery_chunk {
    struct delivery_chunk *next;
    struct delivery deliveries[DELIVERY_CHUNK_COUNT];
};

// ---- All of them --------------------------------------------------------------------------------

void deliveries_init(struct coordinator *coordinator)
{
    struct deliveries *all = &coordinator->deliveries;
    for (int i = 0; i < 2; i++)
        all->queues[i].end = &all->queues[i].first;
    if (coordinator->options.messaging == NULL) return;
    all->members = calloc(TOPOLOGY_MEMBERS_MAX, sizeof *all->members);
    ASSERT(all->members != NULL);
}

void deliveries_deinit(struct coordinator *coordinator)
{
    struct deliveries *all = &coordinator->deliveries;
    env_timer_stop(coordinator->env, &all->timer);
    env_task_cancel(coordinator->env, &all->flush);
    delivery_groups_deinit(coordinator);
    while (all->chunks != NULL) {
        struct delivery_chunk *next = all->chunks->next;
        for (int i = 0; i < DELIVERY_CHUNK_COUNT; i++) {
            env_task_cancel(coordinator->env, &all->chunks->deliveries[i].task);
            free(all->chunks->deliveries[i].wanted);
        }
        free(all->chunks);
        all->chunks = next;
    }
    free(all->members);
}

bool deliveries_are_full(const struct coordinator *coordinator)
{
    return coordinator->deliveries.count >= COORDINATOR_DELIVERIES_MAX;
}

bool deliveries_are_clogged(const struct coordinator *coordinator, uint16_t member)
{
    const struct deliveries *all = &coordinator->deliveries;
    return member != coordinator->self && all->members != NULL && member < TOPOLOGY_MEMBERS_MAX &&
           all->members[member].waiting_size >= COORDINATOR_MEMBER_WAITING_MAX;
}

static struct delivery *delivery_take(struct coordinator *coordinator)
{
    struct deliveries *all = &coordinator->deliveries;
    if (all->free == NULL) {
        struct delivery_chunk *chunk = calloc(1, sizeof *chunk);
        ASSERT(chunk != NULL);
        chunk->next = all->chunks;
        all->chunks = chunk;
        for (int i = 0; i < DELIVERY_CHUNK_COUNT; i++) {
            chunk->deliveries[i].newer = all->free;
            all->free = &chunk->deliveries[i];
        }
    }
    struct delivery *delivery = all->free;
    all->free = delivery->newer;
    all->count++;
    *delivery = (struct delivery){.coordinator = coordinator};
    return delivery;
}

static void delivery_give_back(struct delivery *delivery)
{
    struct deliveries *all = &delivery->coordinator->deliveries;
    free(delivery->wanted);
    delivery->wanted = NULL;
    trace_unref(delivery->trace);
    delivery->trace = NULL;
    delivery->newer = all->free;
    all->free = delivery;
    all->count--;
}

// ---- Deadlines: each queue has one timeout, so the oldest is always first -----------------------

static void deliveries_fire(struct env_timer *timer);

static void deliveries_arm(struct coordinator *coordinator, uint64_t now_ns)
{
    struct deliveries *all = &coordinator->deliveries;
    uint64_t deadline_ns = UINT64_MAX;
    for (int i = 0; i < 2; i++) {
        if (all->queues[i].first != NULL && all->queues[i].first->deadline_ns < deadline_ns)
            deadline_ns = all->queues[i].first->deadline_ns;
    }
    if (deadline_ns == UINT64_MAX) return;
    env_timer_start(coordinator->env, &all->timer, deadline_ns > now_ns ? deadline_ns - now_ns : 0,
                    deliveries_fire);
}

static void delivery_enqueue(struct delivery *delivery)
{
    struct coordinator *coordinator = delivery->coordinator;
    struct delivery_queue *queue = &coordinator->deliveries.queues[delivery->is_counter];
    uint64_t now_ns = env_monotonic_ns(coordinator->env);
    delivery->deadline_ns =
        now_ns + (delivery->is_counter ? coordinator->options.counter_write_timeout_ns
                                       : coordinator->options.write_timeout_ns);
    delivery->newer = NULL;
    delivery->place = queue->end;
    *queue->end = delivery;
    queue->end = &delivery->newer;
    // A timer that runs is for an older one, or fires early and looks again.
    if (!env_timer_is_started(&coordinator->deliveries.timer)) deliveries_arm(coordinator, now_ns);
}

static void delivery_dequeue(struct delivery *delivery)
{
    struct delivery_queue *queue = &delivery->coordinator->deliveries.queues[delivery->is_counter];
    *delivery->place = delivery->newer;
    if (delivery->newer == NULL)
        queue->end = delivery->place;
    else
        delivery->newer->place = delivery->place;
    delivery->newer = NULL;
    delivery->place = NULL;
}

// ---- The end ------------------------------------------------------------------------------------

static void delivery_end(struct delivery *delivery, enum coordinator_outcome outcome)
{
    void (*ended)(void *, const struct coordinator_result *) = delivery->ended;
    delivery->ended = NULL;
    delivery_dequeue(delivery);
    env_task_cancel(delivery->coordinator->env, &delivery->task);
    struct coordinator_result result = delivery->result;
    result.outcome = outcome;
    if (outcome == COORDINATOR_TIMED_OUT) {
        env_mark(delivery->coordinator->env, ENV_MARK_DELIVERY_TIMED_OUT);
        // One data centre has more than its quorum, and another too few: drivers take as many
        // answers as were required for a write that is done (AbstractWriteResponseHandler).
        if (result.received >= result.required) result.received = result.required - 1;
    }
    if (delivery->pending == 0) delivery_give_back(delivery);
    ended(delivery->owner, &result);
}

static bool delivery_is_reached(const struct delivery *delivery)
{
    for (uint16_t i = 0; i < delivery->center_count; i++) {
        if (delivery->wanted[i] > 0) return false;
    }
    return delivery->result.received >= delivery->result.required;
}

// Ends what has its answers, or can not get them any more.
static void delivery_look(struct delivery *delivery)
{
    if (delivery->ended == NULL) {
        if (delivery->pending == 0) delivery_give_back(delivery);
        return;
    }
    const struct coordinator_result *result = &delivery->result;
    if (delivery_is_reached(delivery))
        delivery_end(delivery, COORDINATOR_OK);
    else if (delivery->counting == 0 || result->received + delivery->counting < result->required)
        delivery_end(delivery, result->failures > 0 ? COORDINATOR_FAILED : COORDINATOR_TIMED_OUT);
}

static void delivery_task_run(struct env_task *task)
{
    delivery_look(CONTAINER_OF(task, struct delivery, task));
}

static void deliveries_fire(struct env_timer *timer)
{
    struct deliveries *all = CONTAINER_OF(timer, struct deliveries, timer);
    struct coordinator *coordinator = CONTAINER_OF(all, struct coordinator, deliveries);
    uint64_t now_ns = env_monotonic_ns(coordinator->env);
    for (int i = 0; i < 2; i++) {
        struct delivery_queue *queue = &all->queues[i];
        while (queue->first != NULL && queue->first->deadline_ns <= now_ns)
            delivery_end(queue->first, COORDINATOR_TIMED_OUT);
    }
    if (!env_timer_is_started(timer)) deliveries_arm(coordinator, now_ns);
}

static bool delivery_counts(const struct delivery *delivery, uint16_t member)
{
    return !delivery->is_local ||
           placement_is_local(delivery->coordinator->options.placement, member);
}

// What did not answer in time is no failure but a timeout, if the level is missed for it.
static bool is_lost(enum status status)
{
    return status == STATUS_TIMED_OUT || status == STATUS_CLOSED || status == STATUS_CANCELED;
}

static void delivery_tell_answer(const struct delivery *delivery, uint16_t member,
                                 enum status status)
{
    char text[COORDINATOR_MEMBER_TEXT_SIZE];
    (void)coordinator_member_text(delivery->coordinator, member, text);
    if (status != STATUS_OK) {
        trace_add(delivery->trace, TRACE_THREAD_RESPONSE, "No answer of use from %s: %s", text,
                  status_text(status));
        return;
    }
    trace_add(delivery->trace, TRACE_THREAD_MESSAGE, "MUTATION_RSP message received from %s", text);
    trace_add(delivery->trace, TRACE_THREAD_RESPONSE, "Processing response from %s", text);
}

static void delivery_tell_sent(const struct delivery *delivery, uint16_t member, size_t size)
{
    char text[COORDINATOR_MEMBER_TEXT_SIZE];
    if (delivery->trace == NULL) return;
    trace_add(delivery->trace, TRACE_THREAD_MESSAGE,
              "Sending MUTATION_REQ message to %s message size %zu bytes",
              coordinator_member_text(delivery->coordinator, member, text), size);
}

void delivery_hear(struct delivery *delivery, uint16_t member, enum status status)
{
    ASSERT(delivery->pending > 0);
    delivery->pending--;
    if (delivery->trace != NULL && member != delivery->coordinator->self)
        delivery_tell_answer(delivery, member, status);
    if (delivery->ended == NULL) env_mark(delivery->coordinator->env, ENV_MARK_DELIVERY_LATE);
    if (delivery_counts(delivery, member)) {
        delivery->counting--;
        if (status == STATUS_OK) {
            delivery->result.received++;
            uint16_t center = delivery->center_count == 0
                                  ? 0
                                  : replica_plan_center(delivery->coordinator, member);
            if (center < delivery->center_count && delivery->wanted[center] > 0)
                delivery->wanted[center]--;
        } else if (!is_lost(status)) {
            coordinator_result_blame(&delivery->result, member, status);
        }
    }
    delivery_look(delivery);
}

static void delivery_synced(struct commit_log_waiter *waiter, enum status status)
{
    struct delivery *delivery = CONTAINER_OF(waiter, struct delivery, waiter);
    delivery_hear(delivery, delivery->coordinator->self, status);
}

// ---- The start ----------------------------------------------------------------------------------

// A hint that is durable is an answer for ANY. It counts as our own.
static void delivery_hint_synced(struct hints_wait *wait, enum status status)
{
    struct delivery *delivery = CONTAINER_OF(wait, struct delivery, hint);
    delivery_hear(delivery, delivery->coordinator->self, status);
}

void delivery_hint(struct delivery *delivery, uint16_t member, struct slice record)
{
    struct coordinator *coordinator = delivery->coordinator;
    env_mark(coordinator->env, ENV_MARK_DELIVERY_HINTED);
    if (coordinator->options.hints == NULL ||
        hints_add(coordinator->options.hints, member, record) != STATUS_OK)
        return;
    if (delivery->ended == NULL || delivery->has_hint) return;
    if (delivery->result.consistency != CONSISTENCY_ANY) return;
    delivery->has_hint = true;
    delivery->pending++;
    delivery->counting++;
    hints_wait_synced(coordinator->options.hints, &delivery->hint, delivery_hint_synced);
}

static void delivery_want_each(struct delivery *delivery, const struct delivery_order *order)
{
    struct coordinator *coordinator = delivery->coordinator;
    const struct topology *topology = placement_topology(coordinator->options.placement);
    const struct keyspace *keyspace =
        coordinator_find_keyspace(coordinator, order->table->keyspace);
    delivery->center_count = topology->member_count;
    delivery->wanted = calloc(topology->member_count, sizeof *delivery->wanted);
    ASSERT(delivery->wanted != NULL);
    for (uint16_t i = 0; i < order->plan->replicas.count; i++) {
        uint16_t center = replica_plan_center(coordinator, order->plan->replicas.members[i]);
        delivery->wanted[center] =
            (uint16_t)replica_plan_required_in(coordinator, keyspace, center);
    }
}

static void delivery_wait_for_us(struct delivery *delivery, const struct delivery_order *order)
{
    struct coordinator *coordinator = delivery->coordinator;
    bool counts = delivery_counts(delivery, coordinator->self);
    if (order->local_status != STATUS_OK) {
        if (counts)
            coordinator_result_blame(&delivery->result, coordinator->self, order->local_status);
        return;
    }
    delivery->pending++;
    if (counts) delivery->counting++;
    if (coordinator_is_of_job(coordinator, order->table->id))
        engine_wait_durable(coordinator->engine, &delivery->waiter, order->position,
                            delivery_synced);
    else
        engine_wait_synced(coordinator->engine, &delivery->waiter, order->position,
                           delivery_synced);
}

void delivery_start(struct coordinator *coordinator, const struct delivery_order *order,
                    void *owner,
                    void (*ended)(void *owner, const struct coordinator_result *result))
{
    struct delivery *delivery = delivery_take(coordinator);
    const struct replica_plan *plan = order->plan;
    delivery->ended = ended;
    delivery->owner = owner;
    delivery->trace = coordinator->trace;
    trace_ref(delivery->trace);
    delivery->is_local = plan->is_local;
    delivery->is_counter = order->is_counter;
    delivery->result = (struct coordinator_result){
        .consistency = plan->consistency, .required = plan->required, .alive = plan->alive};
    if (plan->is_each_quorum) delivery_want_each(delivery, order);
    for (uint16_t i = 0; i < plan->replicas.count; i++) {
        uint16_t member = plan->replicas.members[i];
        if (member == coordinator->self) {
            delivery_wait_for_us(delivery, order);
        } else if (!replica_plan_is_alive(coordinator, member) ||
                   coordinator_messaging(coordinator) == NULL ||
                   deliveries_are_clogged(coordinator, member)) {
            delivery_hint(delivery, member, order->record);
        } else if (order->record.size > DELIVERY_RECORD_SIZE_MAX) {
            if (delivery_counts(delivery, member))
                coordinator_result_blame(&delivery->result, member, STATUS_INVALID);
        } else {
            delivery->pending++;
            if (delivery_counts(delivery, member)) delivery->counting++;
            delivery_tell_sent(delivery, member, order->record.size);
            delivery_group_add(coordinator, member, order->record, delivery);
        }
    }
    delivery_enqueue(delivery);
    if (delivery->counting == 0 ||
        delivery->result.received + delivery->counting < delivery->result.required)
        env_task_post(coordinator->env, &delivery->task, delivery_task_run);
}
