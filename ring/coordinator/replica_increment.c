#include "ring/coordinator/replica_increment.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "ring/coordinator/coordinator_state.h"

#include <stdlib.h>

// ---- The bytes ----------------------------------------------------------------------------------

static void put_increment(const struct table *table, const struct counter_increment *increment,
                          struct buffer *bytes)
{
    const struct clustering *clustering = increment->clustering;
    enum column_kind kind = clustering == NULL ? COLUMN_STATIC : COLUMN_REGULAR;
    buffer_put_u8(bytes, clustering != NULL);
    if (clustering != NULL) clustering_put(bytes, clustering);
    buffer_put_vint_bytes(bytes, table->columns[kind][increment->column].name);
    buffer_put_signed_vint(bytes, increment->delta);
}

void replica_increment_encode(const struct counter_update *update, enum consistency consistency,
                              struct buffer *bytes)
{
    buffer_put_u8(bytes, (uint8_t)consistency);
    uuid_put(bytes, update->table->id);
    buffer_put_vint_bytes(bytes, update->key.bytes);
    buffer_put_u64(bytes, (uint64_t)update->timestamp_us);
    buffer_put_vint(bytes, update->increment_count);
    for (size_t i = 0; i < update->increment_count; i++)
        put_increment(update->table, &update->increments[i], bytes);
}

// A row's place with all its values, each of its type's size.
static struct clustering *take_clustering(struct cursor *cursor, const struct table *table,
                                          struct arena *arena)
{
    uint64_t count = cursor_vint(cursor);
    if (count != table->column_counts[COLUMN_CLUSTERING]) cursor->failed = true;
    if (cursor->failed) return NULL;
    struct slice *values = ARENA_NEW_ARRAY(arena, struct slice, count + 1);
    for (size_t i = 0; i < count; i++) {
        values[i] = cursor_nullable_bytes(cursor);
        if (!type_fits(table->columns[COLUMN_CLUSTERING][i].type, values[i])) cursor->failed = true;
    }
    struct clustering *clustering = ARENA_NEW(arena, struct clustering);
    *clustering = (struct clustering){(uint16_t)count, values};
    return clustering;
}

static void take_increment(struct cursor *cursor, const struct table *table, struct arena *arena,
                           struct counter_increment *increment)
{
    bool is_static = cursor_u8(cursor) == 0;
    if (!is_static) increment->clustering = take_clustering(cursor, table, arena);
    struct slice name = cursor_vint_bytes(cursor);
    increment->delta = cursor_signed_vint(cursor);
    if (cursor->failed) return;
    const struct column *column = table_find_column(table, name);
    if (column == NULL || column->kind != (is_static ? COLUMN_STATIC : COLUMN_REGULAR))
        cursor->failed = true;
    else
        increment->column = column->index;
}

enum status replica_increment_decode(struct slice bytes, const struct schema *schema,
                                     struct arena *arena, struct counter_update *update,
                                     enum consistency *consistency)
{
    struct cursor cursor = cursor_make(bytes);
    uint8_t level = cursor_u8(&cursor);
    struct uuid id = uuid_take(&cursor);
    if (cursor.failed || level >= CONSISTENCY_COUNT) return STATUS_CORRUPT;
    const struct table *table = schema_find_table_by_id(schema, id);
    if (table == NULL) return STATUS_NOT_FOUND;
    struct slice key = cursor_vint_bytes(&cursor);
    int64_t timestamp_us = (int64_t)cursor_u64(&cursor);
    uint64_t count = cursor_vint(&cursor);
    if (cursor.failed || !table->is_counter || key.size == 0 || key.size > KEY_SIZE_MAX ||
        count > cursor_left(&cursor))
        return STATUS_CORRUPT;
    struct counter_increment *increments =
        ARENA_NEW_ARRAY(arena, struct counter_increment, count + 1);
    for (size_t i = 0; i < count && !cursor.failed; i++)
        take_increment(&cursor, table, arena, &increments[i]);
    if (cursor.failed || cursor_left(&cursor) > 0) return STATUS_CORRUPT;
    *update = (struct counter_update){.table = table,
                                      .key = partition_key_make(key),
                                      .increments = increments,
                                      .increment_count = (size_t)count,
                                      .timestamp_us = timestamp_us};
    *consistency = (enum consistency)level;
    return STATUS_OK;
}

static void put_result(struct buffer *bytes, const struct coordinator_result *result)
{
    buffer_put_u8(bytes, (uint8_t)result->outcome);
    buffer_put_vint(bytes, (uint64_t)result->required);
    buffer_put_vint(bytes, (uint64_t)result->received);
    buffer_put_vint(bytes, (uint64_t)result->alive);
    buffer_put_vint(bytes, (uint64_t)result->failures);
}

static int take_number(struct cursor *cursor)
{
    uint64_t number = cursor_vint(cursor);
    if (number > TOPOLOGY_MEMBERS_MAX * TOPOLOGY_MEMBERS_MAX) cursor->failed = true;
    return cursor->failed ? 0 : (int)number;
}

static bool take_result(struct slice bytes, struct coordinator_result *result)
{
    struct cursor cursor = cursor_make(bytes);
    struct coordinator_result taken = *result;
    uint8_t outcome = cursor_u8(&cursor);
    taken.outcome = (enum coordinator_outcome)outcome;
    taken.required = take_number(&cursor);
    taken.received = take_number(&cursor);
    taken.alive = take_number(&cursor);
    taken.failures = take_number(&cursor);
    if (cursor.failed || cursor_left(&cursor) > 0 || outcome > COORDINATOR_OVERLOADED) return false;
    *result = taken;
    return true;
}

// ---- Asking -------------------------------------------------------------------------------------

struct increment_request {
    struct messaging_request request;
    struct increment_request *next, **place;
    struct coordinator *coordinator;
    struct coordinator_result result;
    uint16_t leader;
    struct trace *trace; // With a reference; NULL: nobody wants to know.
    void *owner;
    void (*ended)(void *owner, const struct coordinator_result *result);
};

static struct increment_request *increment_request_take(struct coordinator *coordinator)
{
    struct replica_increments *all = &coordinator->replica_increments;
    struct increment_request *request = all->free_requests;
    if (request == NULL) {
        request = malloc(sizeof *request);
        ASSERT(request != NULL);
    } else {
        all->free_requests = request->next;
    }
    *request = (struct increment_request){.coordinator = coordinator, .next = all->requests};
    request->place = &all->requests;
    if (request->next != NULL) request->next->place = &request->next;
    all->requests = request;
    return request;
}

static void increment_request_give_back(struct increment_request *request)
{
    struct replica_increments *all = &request->coordinator->replica_increments;
    *request->place = request->next;
    if (request->next != NULL) request->next->place = request->place;
    trace_unref(request->trace);
    request->next = all->free_requests;
    all->free_requests = request;
}

static void increment_request_tell(struct increment_request *request, enum status status)
{
    struct coordinator *coordinator = request->coordinator;
    char text[COORDINATOR_MEMBER_TEXT_SIZE];
    if (request->trace == NULL) return;
    replica_trace_heard(coordinator, request->leader, status);
    (void)coordinator_member_text(coordinator, request->leader, text);
    if (status == STATUS_OK)
        trace_add(request->trace, TRACE_THREAD_MESSAGE,
                  "COUNTER_MUTATION_RSP message received from %s", text);
    else
        trace_add(request->trace, TRACE_THREAD_RESPONSE, "No answer of use from %s: %s", text,
                  status_text(status));
}

static void increment_request_done(struct messaging_request *base, enum status status,
                                   struct slice answer)
{
    struct increment_request *request = CONTAINER_OF(base, struct increment_request, request);
    struct coordinator_result result = request->result;
    if (status == STATUS_OVERLOADED) {
        result.outcome = COORDINATOR_OVERLOADED; // It was not sent.
    } else if (status == STATUS_NOT_FOUND || status == STATUS_CORRUPT ||
               status == STATUS_UNSUPPORTED) {
        result.outcome = COORDINATOR_FAILED; // The leader had no use for it.
        result.failures = 1;
    } else if (status != STATUS_OK || !take_result(answer, &result)) {
        result.outcome = COORDINATOR_TIMED_OUT; // Nobody knows.
        env_mark(request->coordinator->env, ENV_MARK_INCREMENT_LOST);
    }
    void *owner = request->owner;
    void (*ended)(void *, const struct coordinator_result *) = request->ended;
    increment_request_tell(request, status);
    request->coordinator->counts.answers++;
    increment_request_give_back(request);
    ended(owner, &result);
}

static void put_name(struct replica_increments *all, struct buffer *body)
{
    buffer_put_u64(body, all->run);
    buffer_put_vint(body, ++all->last_number);
}

void replica_increment_send(struct coordinator *coordinator, uint16_t leader,
                            const struct counter_update *update, const struct replica_plan *plan,
                            void *owner,
                            void (*ended)(void *owner, const struct coordinator_result *result))
{
    struct increment_request *request = increment_request_take(coordinator);
    request->owner = owner;
    request->ended = ended;
    request->result = (struct coordinator_result){
        .consistency = plan->consistency, .required = plan->required, .alive = plan->alive};
    request->leader = leader;
    request->trace = coordinator->trace;
    trace_ref(request->trace);
    struct buffer *body = &coordinator->replica_increments.body;
    buffer_clear(body);
    enum verb verb = replica_trace_put(coordinator, request->trace, leader, VERB_INCREMENT, body);
    put_name(&coordinator->replica_increments, body);
    replica_increment_encode(update, plan->consistency, body);
    env_mark(coordinator->env, ENV_MARK_INCREMENT_FORWARDED);
    if (request->trace != NULL) {
        char text[COORDINATOR_MEMBER_TEXT_SIZE];
        trace_add(request->trace, TRACE_THREAD_MESSAGE,
                  "Sending COUNTER_MUTATION_REQ message to %s message size %zu bytes",
                  coordinator_member_text(coordinator, leader, text), body->size);
    }
    messaging_send(coordinator->options.messaging, &request->request, leader, verb,
                   buffer_slice(body), coordinator->options.counter_write_timeout_ns,
                   increment_request_done);
}

// ---- Leading ------------------------------------------------------------------------------------

struct led_increment {
    struct led_increment *next, **place;
    struct coordinator *coordinator;
    struct message_origin origin;
    struct coordinator_increment increment;
    struct counter_update update;
    struct arena arena;
    struct buffer body;  // A copy of the request, into which the update points.
    struct trace *trace; // Of who asks, with a reference; NULL: nobody wants to know.
    uint16_t asked_by;   // Of a trace.
};

static struct led_increment *led_increment_take(struct coordinator *coordinator)
{
    struct replica_increments *all = &coordinator->replica_increments;
    struct led_increment *led = all->free_led;
    if (led == NULL) {
        led = calloc(1, sizeof *led);
        ASSERT(led != NULL);
        arena_init(&led->arena, 512);
        buffer_init(&led->body, TRANSPORT_MESSAGE_SIZE_MAX);
    } else {
        all->free_led = led->next;
    }
    led->coordinator = coordinator;
    led->next = all->led;
    led->place = &all->led;
    if (led->next != NULL) led->next->place = &led->next;
    all->led = led;
    all->led_count++;
    return led;
}

static void led_increment_free(struct led_increment *led)
{
    arena_deinit(&led->arena);
    buffer_deinit(&led->body);
    free(led);
}

static void led_increment_give_back(struct led_increment *led)
{
    struct replica_increments *all = &led->coordinator->replica_increments;
    *led->place = led->next;
    if (led->next != NULL) led->next->place = led->place;
    all->led_count--;
    trace_unref(led->trace);
    led->trace = NULL;
    if (led->body.capacity > 65536 || arena_size(&led->arena) > 65536) {
        led_increment_free(led);
        return;
    }
    arena_reset(&led->arena);
    led->next = all->free_led;
    all->free_led = led;
}

static void led_increment_done(struct coordinator_increment *increment,
                               const struct coordinator_result *result)
{
    struct led_increment *led = CONTAINER_OF(increment, struct led_increment, increment);
    buffer_clear(&led->body);
    put_result(&led->body, result);
    struct messaging *messaging = coordinator_messaging(led->coordinator);
    if (messaging != NULL)
        messaging_answer(messaging, led->origin, STATUS_OK, buffer_slice(&led->body));
    replica_trace_answer(led->coordinator, led->trace, led->asked_by, "COUNTER_MUTATION",
                         led->body.size);
    led->trace = NULL;
    table_unref(led->update.table);
    led_increment_give_back(led);
}

static struct request_name take_name(struct cursor *cursor, uint16_t member)
{
    uint64_t run = cursor_u64(cursor);
    return (struct request_name){.run = run, .number = cursor_vint(cursor), .member = member};
}

static void replica_increment_handle(struct message_handler *handler, const struct message *message)
{
    struct replica_increments *all = CONTAINER_OF(handler, struct replica_increments, handler);
    struct coordinator *coordinator = CONTAINER_OF(all, struct coordinator, replica_increments);
    struct messaging *messaging = coordinator->options.messaging;
    struct cursor cursor = cursor_make(message->body);
    struct request_name name = take_name(&cursor, message->from);
    if (cursor.failed) {
        messaging_answer(messaging, message->origin, STATUS_CORRUPT, slice_make("", 0));
        return;
    }
    // A request that comes twice counts once (exactly-once I5).
    if (seen_requests_add(&all->seen, name)) {
        env_mark(coordinator->env, ENV_MARK_INCREMENT_DOUBLED);
        return; // The first one is answered.
    }
    if (all->led_count >= COORDINATOR_LED_MAX) {
        messaging_answer(messaging, message->origin, STATUS_OVERLOADED, slice_make("", 0));
        return;
    }
    struct led_increment *led = led_increment_take(coordinator);
    enum consistency consistency;
    buffer_clear(&led->body);
    buffer_put(&led->body, cursor.next, cursor_left(&cursor));
    enum status status = replica_increment_decode(buffer_slice(&led->body), coordinator->schema,
                                                  &led->arena, &led->update, &consistency);
    if (status != STATUS_OK) {
        messaging_answer(messaging, message->origin, status, slice_make("", 0));
        led_increment_give_back(led);
        return;
    }
    led->origin = message->origin;
    led->asked_by = message->from;
    led->trace = coordinator->trace;
    trace_ref(led->trace);
    table_ref(led->update.table);
    env_mark(coordinator->env, ENV_MARK_INCREMENT_LED);
    coordinator_increment_lead(coordinator, &led->increment, &led->update, consistency,
                               led_increment_done);
}

void replica_increments_init(struct coordinator *coordinator)
{
    struct replica_increments *all = &coordinator->replica_increments;
    buffer_init(&all->body, TRANSPORT_MESSAGE_SIZE_MAX);
    if (coordinator->options.messaging == NULL) return;
    seen_requests_init(&all->seen);
    all->run = (uint64_t)env_wall_us(coordinator->env);
    all->handler.handle = replica_increment_handle;
    messaging_handle(coordinator->options.messaging, VERB_INCREMENT, &all->handler);
}

void replica_increments_deinit(struct coordinator *coordinator)
{
    struct replica_increments *all = &coordinator->replica_increments;
    while (all->led != NULL) {
        struct led_increment *led = all->led;
        led->trace = NULL; // Those who keep traces outlive us, and free them.
        coordinator_increment_abandon(&led->increment);
        table_unref(led->update.table);
        led_increment_give_back(led);
    }
    while (all->free_led != NULL) {
        struct led_increment *next = all->free_led->next;
        led_increment_free(all->free_led);
        all->free_led = next;
    }
    while (all->requests != NULL) {
        all->requests->trace = NULL;
        increment_request_give_back(all->requests);
    }
    while (all->free_requests != NULL) {
        struct increment_request *next = all->free_requests->next;
        free(all->free_requests);
        all->free_requests = next;
    }
    buffer_deinit(&all->body);
    seen_requests_deinit(&all->seen);
}
