#include "ring/coordinator/replica_trace.h"

#include "base/container_of.h"
#include "base/cursor.h"
#include "ring/coordinator/coordinator_state.h"
#include "ring/coordinator/read_pool.h"

// ---- What asks ----------------------------------------------------------------------------------

enum verb replica_trace_wrap(const struct coordinator *coordinator, const struct trace *trace,
                             uint16_t member, enum verb verb, struct buffer *body)
{
    if ((coordinator->replica_traces.unaware[member / 64] >> member % 64 & 1) != 0) return verb;
    uuid_put(body, trace->session);
    buffer_put_u8(body, (uint8_t)verb);
    return VERB_TRACED;
}

void replica_trace_heard(struct coordinator *coordinator, uint16_t member, enum status status)
{
    if (status == STATUS_UNSUPPORTED)
        coordinator->replica_traces.unaware[member / 64] |= (uint64_t)1 << member % 64;
}

// ---- What is asked ------------------------------------------------------------------------------

static struct message_handler *replica_trace_handler(struct coordinator *coordinator, uint8_t verb,
                                                     struct slice body, const char **name)
{
    switch (verb) {
    case VERB_WRITE:
        *name = "MUTATION";
        return &coordinator->replica_writes.write;
    case VERB_INCREMENT:
        *name = "COUNTER_MUTATION";
        return &coordinator->replica_increments.handler;
    case VERB_READ:
        *name = read_request_is_scan(body) ? "RANGE" : "READ";
        return coordinator->reads == NULL ? NULL : &coordinator->reads->handler;
    default:
        return NULL;
    }
}

static void replica_trace_handle(struct message_handler *handler, const struct message *message)
{
    struct replica_traces *all = CONTAINER_OF(handler, struct replica_traces, handler);
    struct coordinator *coordinator = CONTAINER_OF(all, struct coordinator, replica_traces);
    struct cursor cursor = cursor_make(message->body);
    struct uuid session = uuid_take(&cursor);
    uint8_t verb = cursor_u8(&cursor);
    const char *name = NULL;
    struct slice body = slice_make(cursor.next, cursor_left(&cursor));
    struct message_handler *inner = replica_trace_handler(coordinator, verb, body, &name);
    if (cursor.failed || inner == NULL || inner->messaging == NULL) {
        messaging_answer(handler->messaging, message->origin, STATUS_MALFORMED, slice_make("", 0));
        return;
    }
    struct trace *trace = all->source == NULL ? NULL : all->source->begin(all->source, session);
    if (trace != NULL) {
        char text[COORDINATOR_MEMBER_TEXT_SIZE];
        (void)coordinator_member_text(coordinator, message->from, text);
        trace_add(trace, TRACE_THREAD_MESSAGE, "%s_REQ message received from %s", name, text);
    }
    struct message unwrapped = *message;
    unwrapped.verb = (enum verb)verb;
    unwrapped.body = body;
    coordinator->trace = trace;
    inner->handle(inner, &unwrapped);
    coordinator->trace = NULL;
    trace_unref(trace);
}

void replica_trace_answer(const struct coordinator *coordinator, struct trace *trace,
                          uint16_t member, const char *verb, size_t size)
{
    if (trace == NULL) return;
    char text[COORDINATOR_MEMBER_TEXT_SIZE];
    (void)coordinator_member_text(coordinator, member, text);
    trace_add(trace, TRACE_THREAD_RESPONSE, "Enqueuing response to %s", text);
    trace_add(trace, TRACE_THREAD_MESSAGE, "Sending %s_RSP message to %s message size %zu bytes",
              verb, text, size);
    trace_unref(trace);
}

void replica_traces_init(struct coordinator *coordinator)
{
    struct replica_traces *all = &coordinator->replica_traces;
    all->handler.handle = replica_trace_handle;
    if (coordinator->options.messaging != NULL)
        messaging_handle(coordinator->options.messaging, VERB_TRACED, &all->handler);
}
