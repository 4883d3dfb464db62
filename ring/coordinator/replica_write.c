#include "ring/coordinator/replica_write.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "ring/coordinator/coordinator_state.h"

#include <stdlib.h>

// One message's answer, which waits for a sync.
struct replica_ack {
    struct replica_ack *next, **place;
    struct coordinator *coordinator;
    struct message_origin origin;
    struct commit_log_waiter waiter;
    uint8_t *statuses; // NULL: all were applied.
    size_t status_count;
    struct trace *trace; // With a reference; NULL: nobody wants to know.
    uint16_t asked_by;   // Of a trace.
};

static struct replica_ack *replica_ack_take(struct coordinator *coordinator)
{
    struct replica_writes *writes = &coordinator->replica_writes;
    struct replica_ack *ack = writes->free;
    if (ack == NULL) {
        ack = malloc(sizeof *ack);
        ASSERT(ack != NULL);
    } else {
        writes->free = ack->next;
    }
    *ack = (struct replica_ack){.coordinator = coordinator, .next = writes->waiting};
    ack->place = &writes->waiting;
    if (ack->next != NULL) ack->next->place = &ack->next;
    writes->waiting = ack;
    return ack;
}

static void replica_ack_give_back(struct replica_ack *ack)
{
    struct replica_writes *writes = &ack->coordinator->replica_writes;
    *ack->place = ack->next;
    if (ack->next != NULL) ack->next->place = ack->place;
    free(ack->statuses);
    trace_unref(ack->trace);
    ack->next = writes->free;
    writes->free = ack;
}

static void replica_ack_synced(struct commit_log_waiter *waiter, enum status status)
{
    struct replica_ack *ack = CONTAINER_OF(waiter, struct replica_ack, waiter);
    struct slice answer = status == STATUS_OK && ack->statuses != NULL
                              ? slice_make(ack->statuses, ack->status_count)
                              : slice_make("", 0);
    struct messaging *messaging = coordinator_messaging(ack->coordinator);
    if (messaging != NULL) messaging_answer(messaging, ack->origin, status, answer);
    replica_trace_answer(ack->coordinator, ack->trace, ack->asked_by, "MUTATION", answer.size);
    ack->trace = NULL;
    replica_ack_give_back(ack);
}

void replica_write_answer_synced(struct coordinator *coordinator, struct message_origin origin,
                                 uint64_t position)
{
    struct replica_ack *ack = replica_ack_take(coordinator);
    ack->origin = origin;
    engine_wait_synced(coordinator->engine, &ack->waiter, position, replica_ack_synced);
}

// What a message of records came to.
struct replica_result {
    uint64_t position; // Of the last one that was applied; 0: none was.
    bool has_refused;
    bool is_of_job; // One that was applied at least.
};

static bool replica_record_table(struct slice record, struct uuid *table)
{
    return record.size > 0 && mutation_decode_table_id(slice_make(record.data + 1, record.size - 1),
                                                       table) == STATUS_OK;
}

static bool replica_record_is_of_job(const struct coordinator *coordinator, struct slice record)
{
    struct uuid table;
    return !engine_waits_for_disk(coordinator->engine) && replica_record_table(record, &table) &&
           coordinator_is_of_job(coordinator, table);
}

static void replica_write_tell(const struct coordinator *coordinator, struct slice record)
{
    struct uuid id;
    const struct table *table = NULL;
    if (replica_record_table(record, &id)) table = coordinator_find_table(coordinator, id);
    trace_add(coordinator->trace, TRACE_THREAD_MUTATION, "Appending to commitlog");
    if (table != NULL)
        trace_add(coordinator->trace, TRACE_THREAD_MUTATION, "Adding to %.*s memtable",
                  TRACE_NAME(table->name));
}

static void replica_write_one(struct coordinator *coordinator, struct slice record,
                              struct replica_result *result)
{
    struct buffer *statuses = &coordinator->replica_writes.statuses;
    uint64_t position;
    enum status status = engine_apply_record(coordinator->engine, record, &position);
    coordinator->counts.local_writes++;
    env_mark(coordinator->env,
             status == STATUS_OK ? ENV_MARK_REPLICA_WRITE_APPLIED : ENV_MARK_REPLICA_WRITE_REFUSED);
    if (status == STATUS_OK) {
        result->position = position;
        result->is_of_job = result->is_of_job || replica_record_is_of_job(coordinator, record);
    } else {
        result->has_refused = true;
    }
    if (coordinator->trace != NULL) replica_write_tell(coordinator, record);
    buffer_put_u8(statuses, (uint8_t)status);
}

static void replica_write_answer(struct coordinator *coordinator, const struct message *message,
                                 const struct replica_result *result)
{
    struct slice statuses = buffer_slice(&coordinator->replica_writes.statuses);
    if (result->position == 0) {
        if (!result->has_refused) statuses.size = 0;
        messaging_answer(coordinator->options.messaging, message->origin, STATUS_OK, statuses);
        return;
    }
    struct replica_ack *ack = replica_ack_take(coordinator);
    ack->origin = message->origin;
    if (result->has_refused) {
        ack->statuses = malloc(statuses.size);
        ASSERT(ack->statuses != NULL);
        memcpy(ack->statuses, statuses.data, statuses.size);
        ack->status_count = statuses.size;
    }
    ack->trace = coordinator->trace;
    ack->asked_by = message->from;
    trace_ref(ack->trace);
    if (result->is_of_job)
        engine_wait_durable(coordinator->engine, &ack->waiter, result->position,
                            replica_ack_synced);
    else
        engine_wait_synced(coordinator->engine, &ack->waiter, result->position, replica_ack_synced);
}

static void replica_write_handle(struct message_handler *handler, const struct message *message)
{
    struct replica_writes *writes = CONTAINER_OF(handler, struct replica_writes, write);
    struct coordinator *coordinator = CONTAINER_OF(writes, struct coordinator, replica_writes);
    struct cursor cursor = cursor_make(message->body);
    struct replica_result result = {0};
    buffer_clear(&writes->statuses);
    while (cursor_left(&cursor) > 0 && !cursor.failed) {
        struct slice record = cursor_vint_bytes(&cursor);
        if (!cursor.failed) replica_write_one(coordinator, record, &result);
    }
    result.has_refused |= cursor.failed;
    replica_write_answer(coordinator, message, &result);
}

// A hint of before a truncation would bring back what the truncation took.
static bool replica_hint_is_void(const struct coordinator *coordinator, int64_t made_us,
                                 struct slice record)
{
    struct uuid id;
    if (!replica_record_table(record, &id)) return false;
    return made_us <= replica_truncations_time(&coordinator->replica_truncations, id);
}

static void replica_hint_handle(struct message_handler *handler, const struct message *message)
{
    struct replica_writes *writes = CONTAINER_OF(handler, struct replica_writes, hint);
    struct coordinator *coordinator = CONTAINER_OF(writes, struct coordinator, replica_writes);
    struct cursor cursor = cursor_make(message->body);
    struct replica_result result = {0};
    buffer_clear(&writes->statuses);
    while (cursor_left(&cursor) > 0 && !cursor.failed) {
        int64_t made_us = (int64_t)cursor_u64(&cursor);
        struct slice record = cursor_vint_bytes(&cursor);
        if (cursor.failed) break;
        if (replica_hint_is_void(coordinator, made_us, record)) {
            env_mark(coordinator->env, ENV_MARK_REPLICA_HINT_VOID);
            buffer_put_u8(&writes->statuses, STATUS_OK);
        } else {
            replica_write_one(coordinator, record, &result);
        }
    }
    result.has_refused |= cursor.failed;
    replica_write_answer(coordinator, message, &result);
}

void replica_writes_init(struct coordinator *coordinator)
{
    struct replica_writes *writes = &coordinator->replica_writes;
    buffer_init(&writes->statuses, TRANSPORT_MESSAGE_SIZE_MAX);
    struct messaging *messaging = coordinator->options.messaging;
    if (messaging == NULL) return;
    writes->write.handle = replica_write_handle;
    writes->hint.handle = replica_hint_handle;
    messaging_handle(messaging, VERB_WRITE, &writes->write);
    messaging_handle(messaging, VERB_HINT, &writes->hint);
}

void replica_writes_deinit(struct coordinator *coordinator)
{
    struct replica_writes *writes = &coordinator->replica_writes;
    while (writes->waiting != NULL) {
        writes->waiting->trace = NULL; // Those who keep traces outlive us, and free them.
        replica_ack_give_back(writes->waiting);
    }
    while (writes->free != NULL) {
        struct replica_ack *next = writes->free->next;
        free(writes->free);
        writes->free = next;
    }
    buffer_deinit(&writes->statuses);
}
