#include "ring/transport/messaging.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/cursor.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "ring/transport/messaging_internal.h"

#include <stdlib.h>

// A message to ourselves, in `local`; its body follows.
struct messaging_local {
    bool is_answer;
    enum verb verb;     // Of a request.
    enum status status; // Of an answer.
    uint64_t id;
    size_t size;
};

// A message to ourselves that has an answer at once costs no turn more than others.
enum { MESSAGING_LOCAL_ROUNDS = 4 };

static uint64_t messaging_log_number(const struct messaging *messaging)
{
    return messaging->options.log_number(messaging->options.context);
}

static const struct topology *messaging_topology(const struct messaging *messaging)
{
    return messaging->options.topology(messaging->options.context);
}

// `head` = uv number, and for an answer its status.
static struct slice messaging_head(const struct messaging *messaging,
                                   uint8_t bytes[static MESSAGING_HEAD_SIZE_MAX],
                                   const enum status *status)
{
    // In place: no allocation is due for ten bytes.
    struct buffer head = {
        .data = bytes, .capacity = MESSAGING_HEAD_SIZE_MAX, .limit = MESSAGING_HEAD_SIZE_MAX};
    buffer_put_vint(&head, messaging_log_number(messaging));
    if (status != NULL) buffer_put_u8(&head, (uint8_t)*status);
    return buffer_slice(&head);
}

// ---- To ourselves -------------------------------------------------------------------------------

static void messaging_run_local(struct env_task *task);

static void messaging_put_local(struct messaging *messaging, const struct messaging_local *local,
                                struct slice body)
{
    struct buffer *buffer = &messaging->local[messaging->local_index];
    buffer_put(buffer, local, sizeof *local);
    buffer_put(buffer, body.data, body.size);
    env_task_post(messaging->env, &messaging->local_task, messaging_run_local);
}

static void messaging_take_local(struct messaging *messaging, const struct messaging_local *local,
                                 struct slice body)
{
    if (!local->is_answer) {
        struct message message = {.from = messaging->options.self,
                                  .verb = local->verb,
                                  .body = body,
                                  .origin = {.slot = MESSAGING_SLOT_SELF, .id = local->id}};
        messaging_dispatch(messaging, &message);
        return;
    }
    struct messaging_member *member = messaging_member_get(messaging, messaging->options.self);
    messaging_end_request(messaging, member, local->id, local->status, body);
}

static void messaging_run_local(struct env_task *task)
{
    struct messaging *messaging = CONTAINER_OF(task, struct messaging, local_task);
    for (int round = 0; round < MESSAGING_LOCAL_ROUNDS; round++) {
        struct buffer *buffer = &messaging->local[messaging->local_index];
        if (buffer->size == 0) return;
        messaging->local_index ^= 1;
        struct cursor cursor = cursor_make(buffer_slice(buffer));
        while (cursor_left(&cursor) > 0) {
            struct slice head = cursor_take(&cursor, sizeof(struct messaging_local));
            ASSERT(head.size == sizeof(struct messaging_local)); // We wrote it.
            struct messaging_local local;
            memcpy(&local, head.data, sizeof local);
            messaging_take_local(messaging, &local, cursor_take(&cursor, local.size));
        }
        if (buffer->capacity > MIB)
            buffer_deinit(buffer);
        else
            buffer_clear(buffer);
    }
}

// ---- Asking -------------------------------------------------------------------------------------

// Takes it out of all lists: then `done` may come, or not.
static void messaging_forget_request(struct messaging *messaging, struct messaging_request *request)
{
    messaging_wheel_remove(&messaging->wheel, request);
    request->id = 0;
}

void messaging_end_request(struct messaging *messaging, struct messaging_member *member,
                           uint64_t id, enum status status, struct slice answer)
{
    struct messaging_request *request = request_table_take(&member->waiting, id);
    if (request == NULL) {
        env_mark(messaging->env, ENV_MARK_MESSAGING_LATE_ANSWER);
        return;
    }
    messaging_forget_request(messaging, request);
    request->done(request, status, answer);
}

void messaging_end_requests(struct messaging *messaging, struct messaging_member *member,
                            size_t count, enum status status)
{
    for (; count > 0; count--) {
        struct messaging_request *request = request_table_take_first(&member->waiting);
        if (request == NULL) return;
        messaging_forget_request(messaging, request);
        request->done(request, status, slice_make("", 0));
    }
}

static void messaging_arm_wheel(struct messaging *messaging, uint64_t now_ns, uint64_t due_ns);

static void messaging_wheel_fires(struct env_timer *timer)
{
    struct messaging *messaging = CONTAINER_OF(timer, struct messaging, wheel_timer);
    uint64_t now_ns = env_monotonic_ns(messaging->env);
    messaging->wheel_armed_ns = UINT64_MAX;
    struct messaging_request *request;
    while ((request = messaging_wheel_take_due(&messaging->wheel, now_ns)) != NULL) {
        struct messaging_member *member = messaging_member_get(messaging, request->member);
        env_mark(messaging->env, ENV_MARK_MESSAGING_TIMED_OUT);
        messaging_end_request(messaging, member, request->id, STATUS_TIMED_OUT, slice_make("", 0));
    }
    messaging_arm_wheel(messaging, now_ns, messaging_wheel_next_ns(&messaging->wheel));
}

static void messaging_arm_wheel(struct messaging *messaging, uint64_t now_ns, uint64_t due_ns)
{
    if (due_ns >= messaging->wheel_armed_ns) return;
    messaging->wheel_armed_ns = due_ns;
    env_timer_start(messaging->env, &messaging->wheel_timer, due_ns > now_ns ? due_ns - now_ns : 0,
                    messaging_wheel_fires);
}

// Requests that are refused wait in a list of their own for the end of the turn; their id tells
// why. No id of a table is as high.
static uint64_t messaging_refused_id(enum status status)
{
    return UINT64_MAX - (uint64_t)status;
}

static bool messaging_is_refused(const struct messaging_request *request)
{
    return request->id >= messaging_refused_id(STATUS_CANCELED);
}

static void messaging_unlink_refused(struct messaging_request *request)
{
    *request->place = request->next;
    if (request->next != NULL) request->next->place = request->place;
    request->place = NULL;
}

static void messaging_run_refused(struct env_task *task)
{
    struct messaging *messaging = CONTAINER_OF(task, struct messaging, refused_task);
    // Whoever asks again inside of `done` is refused in the next turn.
    struct messaging_request *list = messaging->refused;
    messaging->refused = NULL;
    if (list != NULL) list->place = &list;
    while (list != NULL) {
        struct messaging_request *request = list;
        enum status status = (enum status)(UINT64_MAX - request->id);
        messaging_unlink_refused(request);
        request->id = 0;
        request->done(request, status, slice_make("", 0));
    }
}

// Has it end with this status, but not before the caller returned.
static void messaging_refuse(struct messaging *messaging, struct messaging_request *request,
                             enum status status)
{
    request->id = messaging_refused_id(status);
    request->next = messaging->refused;
    request->place = &messaging->refused;
    if (request->next != NULL) request->next->place = &request->next;
    messaging->refused = request;
    env_task_post(messaging->env, &messaging->refused_task, messaging_run_refused);
}

static void messaging_send_remote(struct messaging *messaging, struct messaging_member *member,
                                  const struct messaging_request *request, enum verb verb,
                                  struct slice body)
{
    uint8_t bytes[MESSAGING_HEAD_SIZE_MAX];
    struct messaging_letter letter = {.direction = MESSAGING_OUT_REQUEST,
                                      .member = request->member,
                                      .type = (uint8_t)verb,
                                      .id = request->id,
                                      .head = messaging_head(messaging, bytes, NULL),
                                      .body = body};
    if (member->has_fault)
        messaging_fault_pass(member, &letter);
    else
        messaging_member_put(member, letter.type, letter.id, letter.head, body);
}

static void messaging_send_local(struct messaging *messaging,
                                 const struct messaging_request *request, enum verb verb,
                                 struct slice body)
{
    struct messaging_local local = {.verb = verb, .id = request->id, .size = body.size};
    messaging_put_local(messaging, &local, body);
}

static size_t messaging_room(const struct messaging *messaging,
                             const struct messaging_member *member)
{
    size_t queued = member->number == messaging->options.self
                        ? messaging->local[messaging->local_index].size
                        : messaging_member_queued(member);
    return queued < MESSAGING_QUEUED_MAX ? MESSAGING_QUEUED_MAX - queued : 0;
}

static enum status messaging_may_send(const struct messaging *messaging,
                                      const struct messaging_member *member, struct slice body)
{
    if (member == NULL) return STATUS_CLOSED;
    if (body.size > TRANSPORT_MESSAGE_SIZE_MAX - MESSAGING_HEAD_SIZE_MAX) return STATUS_INVALID;
    if (body.size > messaging_room(messaging, member)) return STATUS_OVERLOADED;
    return STATUS_OK;
}

void messaging_send(struct messaging *messaging, struct messaging_request *request, uint16_t number,
                    enum verb verb, struct slice body, uint64_t timeout_ns,
                    void (*done)(struct messaging_request *request, enum status status,
                                 struct slice answer))
{
    ASSERT(request->id == 0);
    uint64_t now_ns = env_monotonic_ns(messaging->env);
    struct messaging_member *member = messaging_member_get(messaging, number);
    *request = (struct messaging_request){
        .done = done, .member = number, .deadline_ns = now_ns + timeout_ns};
    enum status status = messaging_may_send(messaging, member, body);
    if (status == STATUS_OK) request->id = request_table_add(&member->waiting, request);
    if (request->id == 0) {
        messaging_refuse(messaging, request, status == STATUS_OK ? STATUS_OVERLOADED : status);
        return;
    }
    messaging_wheel_add(&messaging->wheel, request);
    messaging_arm_wheel(messaging, now_ns, messaging_wheel_due_ns(request->deadline_ns));
    if (number == messaging->options.self)
        messaging_send_local(messaging, request, verb, body);
    else
        messaging_send_remote(messaging, member, request, verb, body);
}

void messaging_cancel(struct messaging *messaging, struct messaging_request *request)
{
    if (request->id == 0) return;
    if (messaging_is_refused(request)) {
        messaging_unlink_refused(request);
        request->id = 0;
        return;
    }
    struct messaging_member *member = messaging_member_get(messaging, request->member);
    void *found = request_table_take(&member->waiting, request->id);
    ASSERT(found == request);
    messaging_forget_request(messaging, request);
}

struct messaging_traffic messaging_traffic(const struct messaging *messaging, uint16_t number)
{
    const struct messaging_member *member =
        number < messaging->member_capacity ? messaging->members[number] : NULL;
    if (member == NULL) return (struct messaging_traffic){0};
    struct messaging_traffic traffic = member->traffic;
    traffic.is_connected = member->state == MESSAGING_MEMBER_OPEN;
    return traffic;
}

size_t messaging_queued(const struct messaging *messaging, uint16_t member)
{
    if (member >= messaging->member_capacity || messaging->members[member] == NULL) return 0;
    return messaging_member_queued(messaging->members[member]);
}

// ---- What comes ---------------------------------------------------------------------------------

static void messaging_tell_heard(struct messaging *messaging, uint16_t member)
{
    for (struct messaging_listener *at = messaging->listeners; at != NULL; at = at->next)
        at->heard(at, member);
}

void messaging_dispatch(struct messaging *messaging, const struct message *message)
{
    struct message_handler *handler =
        message->verb < VERB_COUNT ? messaging->handlers[message->verb] : NULL;
    bool may_ask = message->from != MEMBER_NONE || message->verb == VERB_ADMIN;
    if (handler == NULL || !may_ask)
        messaging_answer(messaging, message->origin, STATUS_UNSUPPORTED, slice_make("", 0));
    else
        handler->handle(handler, message);
}

static bool messaging_is_of_log(enum verb verb)
{
    return verb >= VERB_LOG_PREPARE && verb <= VERB_LOG_FETCH;
}

static void messaging_take_request(struct messaging *messaging,
                                   const struct messaging_letter *letter)
{
    struct cursor cursor = cursor_make(letter->body);
    uint64_t number = cursor_vint(&cursor);
    struct message message = {.from = letter->member,
                              .verb = (enum verb)letter->type,
                              .body = slice_make(cursor.next, cursor_left(&cursor)),
                              .origin = letter->origin};
    if (cursor.failed) {
        messaging_answer(messaging, letter->origin, STATUS_MALFORMED, slice_make("", 0));
        return;
    }
    if (letter->member != MEMBER_NONE) {
        messaging_tell_heard(messaging, letter->member);
        bool is_ahead = number > messaging_log_number(messaging);
        if (is_ahead && !messaging_is_of_log(message.verb))
            messaging->options.behind(messaging->options.context, letter->member, number);
        if (is_ahead && message.verb > VERB_UNORDERED_END) {
            if (!messaging_parking_add(&messaging->parking, number, &message))
                messaging_answer(messaging, letter->origin, STATUS_OVERLOADED, slice_make("", 0));
            return;
        }
    }
    messaging_dispatch(messaging, &message);
}

static void messaging_take_answer(struct messaging *messaging,
                                  const struct messaging_letter *letter)
{
    struct messaging_member *member = messaging_member_get(messaging, letter->member);
    struct cursor cursor = cursor_make(letter->body);
    uint64_t number = cursor_vint(&cursor);
    uint8_t status = cursor_u8(&cursor);
    if (cursor.failed || status > STATUS_CANCELED || letter->type != VERB_ANSWER) {
        messaging_end_request(messaging, member, letter->id, STATUS_MALFORMED, slice_make("", 0));
        return;
    }
    messaging_tell_heard(messaging, letter->member);
    if (number > messaging_log_number(messaging))
        messaging->options.behind(messaging->options.context, letter->member, number);
    messaging_end_request(messaging, member, letter->id, (enum status)status,
                          slice_make(cursor.next, cursor_left(&cursor)));
}

void messaging_deliver(struct messaging *messaging, const struct messaging_letter *letter)
{
    struct messaging_inbound *inbound;
    switch (letter->direction) {
    case MESSAGING_OUT_REQUEST:
        messaging_member_put(messaging_member_get(messaging, letter->member), letter->type,
                             letter->id, letter->head, letter->body);
        break;
    case MESSAGING_OUT_ANSWER:
        inbound = messaging_inbound_find(messaging, letter->origin);
        if (inbound != NULL)
            transport_reply_parts(inbound->connection, letter->origin.id, letter->type,
                                  letter->head, letter->body);
        break;
    case MESSAGING_IN_REQUEST:
        messaging_take_request(messaging, letter);
        break;
    case MESSAGING_IN_ANSWER:
        messaging_take_answer(messaging, letter);
        break;
    }
}

// ---- Answering ----------------------------------------------------------------------------------

void messaging_handle(struct messaging *messaging, enum verb verb, struct message_handler *handler)
{
    ASSERT(verb > VERB_ANSWER && verb < VERB_COUNT);
    ASSERT(handler == NULL || messaging->handlers[verb] == NULL);
    if (messaging->handlers[verb] != NULL) messaging->handlers[verb]->messaging = NULL;
    messaging->handlers[verb] = handler;
    if (handler != NULL) handler->messaging = messaging;
}

void messaging_answer(struct messaging *messaging, struct message_origin origin, enum status status,
                      struct slice body)
{
    if (origin.slot == MESSAGING_SLOT_SELF) {
        struct messaging_local local = {
            .is_answer = true, .status = status, .id = origin.id, .size = body.size};
        messaging_put_local(messaging, &local, body);
        return;
    }
    struct messaging_inbound *inbound = messaging_inbound_find(messaging, origin);
    if (inbound == NULL) return;
    bool is_too_much = body.size > MIB &&
                       transport_connection_queued(inbound->connection) >= MESSAGING_ANSWERS_MAX;
    if (is_too_much || body.size > TRANSPORT_ANSWER_SIZE_MAX - MESSAGING_HEAD_SIZE_MAX) {
        status = STATUS_OVERLOADED;
        body = slice_make("", 0);
    }
    uint8_t bytes[MESSAGING_HEAD_SIZE_MAX];
    struct messaging_letter letter = {.direction = MESSAGING_OUT_ANSWER,
                                      .member = inbound->member,
                                      .type = VERB_ANSWER,
                                      .origin = origin,
                                      .head = messaging_head(messaging, bytes, &status),
                                      .body = body};
    struct messaging_member *member =
        inbound->member < messaging->member_capacity ? messaging->members[inbound->member] : NULL;
    if (member != NULL && member->has_fault)
        messaging_fault_pass(member, &letter);
    else
        transport_reply_parts(inbound->connection, origin.id, VERB_ANSWER, letter.head, body);
}

// ---- Workers and tools
// ---------------------------------------------------------------------------

void messaging_set_workers(struct messaging *messaging,
                           const struct transport_server_events *events, void *context)
{
    messaging->workers = events == NULL ? (struct transport_server_events){0} : *events;
    messaging->workers_context = context;
}

void messaging_each_connection(struct messaging *messaging,
                               void (*each)(void *context, struct transport_connection *connection),
                               void *context)
{
    transport_server_each(messaging->server, each, context);
}

// ---- Listeners ----------------------------------------------------------------------------------

void messaging_listen(struct messaging *messaging, struct messaging_listener *listener)
{
    listener->next = messaging->listeners;
    messaging->listeners = listener;
}

void messaging_unlisten(struct messaging *messaging, struct messaging_listener *listener)
{
    struct messaging_listener **place = &messaging->listeners;
    while (*place != NULL && *place != listener)
        place = &(*place)->next;
    if (*place != NULL) *place = listener->next;
}

void messaging_tell_connected(struct messaging *messaging, uint16_t member)
{
    for (struct messaging_listener *at = messaging->listeners; at != NULL; at = at->next)
        at->connected(at, member);
}

void messaging_tell_lost(struct messaging *messaging, uint16_t member, enum status status)
{
    for (struct messaging_listener *at = messaging->listeners; at != NULL; at = at->next)
        at->lost(at, member, status);
}

void messaging_connect(struct messaging *messaging, uint16_t number)
{
    struct messaging_member *member = messaging_member_get(messaging, number);
    if (member != NULL && number != messaging->options.self) messaging_member_connect(member);
}

// ---- Life ---------------------------------------------------------------------------------------

// Our own name for who connects to us.
static void messaging_name_server(struct messaging *messaging)
{
    const struct topology *topology = messaging_topology(messaging);
    uint16_t self = messaging->options.self;
    if (topology != NULL && self < topology->member_count)
        transport_server_set_host_id(messaging->server, topology->members[self].host_id);
}

enum status messaging_create(struct env *env, const struct messaging_options *options,
                             struct messaging **made, struct error *error)
{
    static const struct transport_server_events events = {messaging_inbound_requested,
                                                          messaging_inbound_ended};
    struct messaging *messaging = calloc(1, sizeof *messaging);
    ASSERT(messaging != NULL);
    messaging->env = env;
    messaging->options = *options;
    messaging->wheel_armed_ns = UINT64_MAX;
    messaging_wheel_init(&messaging->wheel, env_monotonic_ns(env));
    messaging_parking_init(&messaging->parking, messaging);
    for (size_t i = 0; i < sizeof messaging->local / sizeof messaging->local[0]; i++)
        buffer_init(&messaging->local[i], SIZE_MAX / 4);
    enum status status =
        transport_listen(env, &options->listen, &events, messaging, &messaging->server, error);
    if (status != STATUS_OK) {
        free(messaging);
        return status;
    }
    messaging_name_server(messaging);
    *made = messaging;
    return STATUS_OK;
}

static void messaging_free(struct messaging *messaging, bool is_dead)
{
    env_timer_stop(messaging->env, &messaging->wheel_timer);
    env_task_cancel(messaging->env, &messaging->local_task);
    env_task_cancel(messaging->env, &messaging->refused_task);
    // Whoever waits for a disk to answer with finds that there is nobody to answer. In a process
    // that is dead nobody waits, and handlers may be gone.
    for (int verb = 0; verb < VERB_COUNT && !is_dead; verb++)
        if (messaging->handlers[verb] != NULL) messaging->handlers[verb]->messaging = NULL;
    messaging_fault_free(messaging);
    messaging_parking_deinit(&messaging->parking);
    for (size_t i = 0; i < messaging->member_capacity; i++)
        if (messaging->members[i] != NULL) messaging_member_destroy(messaging->members[i], is_dead);
    for (size_t i = 0; i < sizeof messaging->local / sizeof messaging->local[0]; i++)
        buffer_deinit(&messaging->local[i]);
    free(messaging->members);
    free(messaging->inbounds);
    free(messaging);
}

void messaging_close(struct messaging *messaging)
{
    transport_server_close(messaging->server);
    messaging_free(messaging, false);
}

void messaging_abandon(struct messaging *messaging)
{
    transport_server_abandon(messaging->server);
    messaging_free(messaging, true);
}

struct env_address messaging_address(const struct messaging *messaging)
{
    return transport_server_address(messaging->server);
}

void messaging_log_moved(struct messaging *messaging)
{
    messaging_name_server(messaging);
    messaging_parking_moved(&messaging->parking);
}
