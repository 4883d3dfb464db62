// A BATCH that is logged: stored, then written, then removed from the store.
//
//     STORING --all that were asked have it synced--> WRITING --as the level says--> done, REMOVING
//        |--one did not answer--> here instead           \--not so--> done: it is carried out later
//        \--nobody has it--> done: TIMED_OUT at the batch log
//
// Where all copies of all its mutations are here, storing and writing are one turn (batch_log.h).
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "ring/coordinator/coordinator_state.h"

#include <stdlib.h>

enum { STORES_MAX = 2, ID_SIZE = 16, HEAD_SIZE = ID_SIZE + 8 };

struct logged_store {
    struct messaging_request request;
    struct logged_batch *batch;
    uint16_t member;
};

struct logged_batch {
    struct logged_batch *next, **place;
    struct coordinator *coordinator;
    struct coordinator_write *write;
    void (*done)(struct coordinator_write *write, const struct coordinator_result *result);
    enum consistency consistency;
    struct trace *trace; // With a reference; NULL: nobody wants to know.
    struct uuid id;
    int64_t made_us;
    struct buffer body; // The request: id, time, records.
    struct arena arena;
    struct logged_store stores[STORES_MAX];
    int store_count, waits_for, stored;
    bool is_stored_here;
    bool has_silent; // A member was not asked, since it does not answer us.
    struct commit_log_waiter waiter;
};

static void logged_free(struct logged_batch *batch)
{
    *batch->place = batch->next;
    if (batch->next != NULL) batch->next->place = batch->place;
    buffer_deinit(&batch->body);
    arena_deinit(&batch->arena);
    trace_unref(batch->trace);
    free(batch);
}

void logged_batches_deinit(struct coordinator *coordinator)
{
    // Traces are their maker's now.
    while (coordinator->logged_batches != NULL) {
        coordinator->logged_batches->trace = NULL;
        logged_free(coordinator->logged_batches);
    }
}

static struct slice logged_records(const struct logged_batch *batch)
{
    return slice_make(batch->body.data + HEAD_SIZE, batch->body.size - HEAD_SIZE);
}

// ---- Removing -----------------------------------------------------------------------------------

static void logged_removed(struct messaging_request *request, enum status status,
                           struct slice answer)
{
    (void)status, (void)answer; // Else it is carried out once more.
    struct logged_batch *batch = CONTAINER_OF(request, struct logged_store, request)->batch;
    if (--batch->waits_for == 0) logged_free(batch);
}

static void logged_remove(struct logged_batch *batch)
{
    struct coordinator *coordinator = batch->coordinator;
    struct messaging *messaging = coordinator_messaging(coordinator);
    // Nobody bounds how many wait for a member that is silent: they are small.
    buffer_deinit(&batch->body);
    arena_deinit(&batch->arena);
    if (batch->is_stored_here) batch_log_remove(coordinator->options.batch_log, batch->id);
    for (int i = 0; i < batch->store_count && messaging != NULL; i++) {
        batch->waits_for++;
        messaging_send(messaging, &batch->stores[i].request, batch->stores[i].member,
                       VERB_BATCH_REMOVE, slice_make(batch->id.bytes, sizeof batch->id.bytes),
                       coordinator->options.write_timeout_ns, logged_removed);
    }
    if (batch->waits_for == 0) logged_free(batch);
}

// ---- Writing ------------------------------------------------------------------------------------

static void logged_written(struct coordinator_write *write, const struct coordinator_result *result)
{
    struct logged_batch *batch = write->logged;
    struct coordinator_result told = *result;
    write->done = batch->done;
    if (told.outcome == COORDINATOR_OK) {
        logged_remove(batch);
    } else {
        // Those who have it will carry it out: that nothing was written would be a lie.
        if (told.outcome == COORDINATOR_UNAVAILABLE || told.outcome == COORDINATOR_OVERLOADED)
            told.outcome = COORDINATOR_TIMED_OUT;
        logged_free(batch);
    }
    write->result = told;
    write->done(write, &write->result);
}

static void logged_write(struct logged_batch *batch)
{
    struct coordinator *coordinator = batch->coordinator;
    struct mutation *mutations = NULL;
    size_t count = 0;
    batch_log_decode(coordinator->options.batch_log, logged_records(batch), &batch->arena,
                     &mutations, &count);
    coordinator_trace(coordinator, batch->trace);
    coordinator_write_start(coordinator, batch->write, mutations, count, batch->consistency,
                            logged_written);
    coordinator_trace(coordinator, NULL);
    batch->write->logged = batch;
}

// ---- Storing ------------------------------------------------------------------------------------

static void logged_give_up(struct logged_batch *batch)
{
    struct coordinator_write *write = batch->write;
    write->done = batch->done;
    write->result = (struct coordinator_result){.outcome = COORDINATOR_TIMED_OUT,
                                                .consistency = batch->consistency,
                                                .required = batch->store_count,
                                                .received = batch->stored,
                                                .at_batch_log = true};
    logged_free(batch);
    write->done(write, &write->result);
}

static void logged_stored_here(struct commit_log_waiter *waiter, enum status status)
{
    struct logged_batch *batch = CONTAINER_OF(waiter, struct logged_batch, waiter);
    if (status == STATUS_OK)
        logged_write(batch);
    else
        logged_give_up(batch);
}

static void logged_store_here(struct logged_batch *batch)
{
    struct coordinator *coordinator = batch->coordinator;
    uint64_t position;
    if (batch_log_put(coordinator->options.batch_log, batch->id, batch->made_us,
                      logged_records(batch), &position) != STATUS_OK) {
        logged_give_up(batch);
        return;
    }
    batch->is_stored_here = true;
    engine_wait_synced(coordinator->engine, &batch->waiter, position, logged_stored_here);
}

static void logged_stored(struct messaging_request *request, enum status status,
                          struct slice answer)
{
    (void)answer;
    struct logged_batch *batch = CONTAINER_OF(request, struct logged_store, request)->batch;
    if (status == STATUS_OK) batch->stored++;
    if (--batch->waits_for > 0) return;
    bool is_missed = batch->has_silent && batch->store_count < STORES_MAX;
    if (batch->stored == batch->store_count && !is_missed) {
        logged_write(batch);
    } else {
        if (batch->stored < batch->store_count)
            env_mark(batch->coordinator->env, ENV_MARK_LOGGED_STORE_LOST);
        logged_store_here(batch);
    }
}

// Live members of our data centre other than ourselves, of other racks if there are any, as in
// ReplicaPlans.filterBatchlogEndpoints(): those that follow us in the list, so that all get some.
// One that lives but does not answer us (a cut that others bridge) would cost each batch a timeout:
// we stand in for it.
static void logged_choose(struct logged_batch *batch)
{
    struct coordinator *coordinator = batch->coordinator;
    struct placement *placement = coordinator->options.placement;
    const struct topology *topology = placement == NULL ? NULL : placement_topology(placement);
    if (topology == NULL) return;
    const struct member *self = &topology->members[coordinator->self];
    for (int round = 0; round < 2; round++) {
        for (uint16_t i = 1; i < topology->member_count; i++) {
            uint16_t member = (uint16_t)((coordinator->self + i) % topology->member_count);
            bool is_other_rack = strcmp(topology->members[member].rack, self->rack) != 0;
            if (is_other_rack != (round == 0) || batch->store_count == STORES_MAX) continue;
            if (!placement_is_local(placement, member) ||
                !replica_plan_is_alive(coordinator, member))
                continue;
            if (!replica_plan_is_near(coordinator, member)) {
                batch->has_silent = true;
                continue;
            }
            batch->stores[batch->store_count++] =
                (struct logged_store){.batch = batch, .member = member};
        }
    }
}

static void logged_store(struct logged_batch *batch)
{
    struct coordinator *coordinator = batch->coordinator;
    logged_choose(batch);
    if (batch->store_count == 0) {
        logged_store_here(batch);
        return;
    }
    batch->waits_for = batch->store_count;
    for (int i = 0; i < batch->store_count; i++)
        messaging_send(coordinator->options.messaging, &batch->stores[i].request,
                       batch->stores[i].member, VERB_BATCH_STORE, buffer_slice(&batch->body),
                       coordinator->options.write_timeout_ns, logged_stored);
}

// ---- The start ----------------------------------------------------------------------------------

static bool logged_encode(struct logged_batch *batch, const struct mutation *mutations,
                          size_t count)
{
    struct buffer record;
    buffer_init(&record, MUTATION_SIZE_MAX);
    uuid_put(&batch->body, batch->id);
    buffer_put_u64(&batch->body, (uint64_t)batch->made_us);
    bool is_good = true;
    for (size_t i = 0; i < count && is_good; i++) {
        buffer_clear(&record);
        engine_put_record(&mutations[i], &record);
        buffer_put_vint_bytes(&batch->body, buffer_slice(&record));
        is_good = !record.overflow && !batch->body.overflow;
    }
    buffer_deinit(&record);
    return is_good;
}

static struct logged_batch *logged_make(struct coordinator *coordinator,
                                        const struct mutation *mutations, size_t count)
{
    struct logged_batch *batch = calloc(1, sizeof *batch);
    ASSERT(batch != NULL);
    batch->coordinator = coordinator;
    batch->next = coordinator->logged_batches;
    batch->place = &coordinator->logged_batches;
    if (batch->next != NULL) batch->next->place = &batch->next;
    coordinator->logged_batches = batch;
    arena_init(&batch->arena, 4096);
    // Room for what system.batches has around it.
    buffer_init(&batch->body, MUTATION_SIZE_MAX - 64 * KIB);
    uint64_t node = env_random_u64(coordinator->env);
    batch->made_us = env_wall_us(coordinator->env);
    batch->id = uuid_make_time_us(batch->made_us, 0, (uint16_t)(node >> 48), node);
    if (logged_encode(batch, mutations, count)) return batch;
    logged_free(batch);
    return NULL;
}

// Plans all of it. `*is_here`: no copy of anything is anywhere else.
static bool logged_plan(struct coordinator *coordinator, struct coordinator_write *write,
                        const struct mutation *mutations, size_t count,
                        enum consistency consistency, bool *is_here)
{
    *is_here = true;
    for (size_t i = 0; i < count; i++) {
        struct replica_plan plan;
        if (!coordinator_plan_write(coordinator, mutations[i].table, mutations[i].key.token,
                                    consistency, &plan, &write->result))
            return false;
        *is_here =
            *is_here && plan.replicas.count == 1 && plan.replicas.members[0] == coordinator->self;
    }
    return true;
}

static void logged_refuse(struct env_task *task)
{
    struct coordinator_write *write = CONTAINER_OF(task, struct coordinator_write, task);
    write->done(write, &write->result);
}

void coordinator_write_logged(struct coordinator *coordinator, struct coordinator_write *write,
                              const struct mutation *mutations, size_t count,
                              enum consistency consistency,
                              void (*done)(struct coordinator_write *write,
                                           const struct coordinator_result *result))
{
    if (count < 2 || coordinator->options.batch_log == NULL) {
        coordinator_write_start(coordinator, write, mutations, count, consistency, done);
        return;
    }
    *write = (struct coordinator_write){.done = done, .coordinator = coordinator};
    bool is_here;
    struct logged_batch *batch = NULL;
    if (logged_plan(coordinator, write, mutations, count, consistency, &is_here)) {
        batch = logged_make(coordinator, mutations, count);
        if (batch == NULL) coordinator_result_fail(&write->result, STATUS_INVALID);
    }
    if (batch == NULL) {
        env_mark(coordinator->env, ENV_MARK_WRITE_REFUSED);
        env_task_post(coordinator->env, &write->task, logged_refuse);
        return;
    }
    batch->write = write;
    batch->trace = coordinator->trace;
    trace_ref(batch->trace);
    trace_add(batch->trace, TRACE_THREAD_REQUEST, "Determining replicas for atomic batch");
    trace_add(batch->trace, TRACE_THREAD_REQUEST, "Sending batchlog store request");
    batch->done = done;
    batch->consistency = consistency;
    env_mark(coordinator->env, ENV_MARK_LOGGED_STARTED);
    uint64_t position;
    if (!is_here) {
        logged_store(batch);
    } else if (batch_log_put(coordinator->options.batch_log, batch->id, batch->made_us,
                             logged_records(batch), &position) == STATUS_OK) {
        batch->is_stored_here = true;
        coordinator_write_start(coordinator, write, mutations, count, consistency, logged_written);
        write->logged = batch;
    } else {
        logged_free(batch);
        coordinator_result_fail(&write->result, STATUS_OVERLOADED);
        env_task_post(coordinator->env, &write->task, logged_refuse);
    }
}
