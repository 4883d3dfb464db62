#include "node/admin_client.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_uv.h"
#include "base/limits.h"

#include <stdlib.h>

// `done` comes from a task: the transport's own calls are over then, and it may be destroyed.
static void call_ended(struct env_task *task)
{
    struct admin_call *call = CONTAINER_OF(task, struct admin_call, end_task);
    struct buffer text = call->text;
    enum status status = call->status;
    call->text = (struct buffer){0};
    admin_call_cancel(call);
    call->done(call, status, buffer_slice(&text));
    buffer_deinit(&text);
}

static void call_finish(struct admin_call *call, enum status status, struct slice text)
{
    if (call->is_ended) return;
    call->is_ended = true;
    call->status = status;
    buffer_put(&call->text, text.data, text.size);
    env_task_post(call->env, &call->end_task, call_ended);
}

static void call_answered(struct transport_request *request, enum status status, uint8_t type,
                          struct slice payload)
{
    struct admin_call *call = CONTAINER_OF(request, struct admin_call, request);
    if (status != STATUS_OK) return; // `ended` says more.
    struct cursor cursor = cursor_make(payload);
    (void)cursor_vint(&cursor); // Its number in the metadata log.
    uint8_t told = cursor_u8(&cursor);
    struct slice rest = cursor_take(&cursor, cursor_left(&cursor));
    if (type != VERB_ANSWER || cursor.failed || told > STATUS_CANCELED) {
        call_finish(call, STATUS_MALFORMED, slice_of_text("the node answered something else"));
        return;
    }
    status = (enum status)told;
    if (status != STATUS_OK && rest.size == 0) rest = slice_of_text(status_text(status));
    call_finish(call, status, rest);
}

static void call_connected(void *context)
{
    struct admin_call *call = context;
    call->is_connecting = false;
    if (call->is_ended) return;
    transport_client_send(call->client, &call->request, VERB_ADMIN, buffer_slice(&call->body),
                          call_answered);
}

static void call_lost(void *context, enum status status)
{
    struct admin_call *call = context;
    call->is_connecting = false;
    call_finish(call, status, slice_of_text(status_text(status)));
}

static void call_is_late(struct env_timer *timer)
{
    call_finish(CONTAINER_OF(timer, struct admin_call, timer), STATUS_TIMED_OUT,
                slice_of_text("the node does not answer"));
}

void admin_call_start(struct env *env, struct admin_call *call, const struct env_address *address,
                      struct slice body, uint64_t timeout_ns,
                      void (*done)(struct admin_call *call, enum status status,
                                   struct slice answer))
{
    static const struct transport_client_events events = {call_connected, call_lost};
    *call =
        (struct admin_call){.env = env, .address = *address, .done = done, .is_connecting = true};
    buffer_init(&call->body, TRANSPORT_MESSAGE_SIZE_MAX);
    buffer_init(&call->text, TRANSPORT_MESSAGE_SIZE_MAX);
    buffer_put_vint(&call->body, 0); // A tool has no part in the metadata log.
    buffer_put(&call->body, body.data, body.size);
    call->client = transport_client_create(env, address, timeout_ns, &events, call);
    env_timer_start(env, &call->timer, timeout_ns, call_is_late);
}

void admin_call_cancel(struct admin_call *call)
{
    if (call->client == NULL) return;
    env_timer_stop(call->env, &call->timer);
    env_task_cancel(call->env, &call->end_task);
    // Not inside of its events, so at once where that is possible: the loop may end here.
    if (call->is_connecting)
        transport_client_destroy(call->client);
    else
        transport_client_abandon(call->client);
    call->client = NULL;
    buffer_deinit(&call->body);
    buffer_deinit(&call->text);
}

// ---- Waiting ------------------------------------------------------------------------------------

struct asking {
    struct env *env;
    size_t waiting;
};

struct asking_one {
    struct admin_call call;
    struct asking *asking;
    enum status *status;
    struct buffer *answer;
};

static void one_answered(struct admin_call *call, enum status status, struct slice answer)
{
    struct asking_one *one = CONTAINER_OF(call, struct asking_one, call);
    *one->status = status;
    buffer_put(one->answer, answer.data, answer.size);
    if (--one->asking->waiting == 0) env_uv_stop(one->asking->env);
}

void admin_ask_all(struct env *env, const struct env_address *addresses, size_t count,
                   struct slice body, uint64_t timeout_ns, enum status *statuses,
                   struct buffer *answers)
{
    if (count == 0) return;
    struct asking asking = {env, count};
    struct asking_one *ones = calloc(count, sizeof *ones);
    ASSERT(ones != NULL);
    for (size_t i = 0; i < count; i++) {
        ones[i].asking = &asking;
        ones[i].status = &statuses[i];
        ones[i].answer = &answers[i];
        admin_call_start(env, &ones[i].call, &addresses[i], body, timeout_ns, one_answered);
    }
    env_uv_run(env);
    free(ones);
}

enum status admin_ask(struct env *env, const struct env_address *address, struct slice body,
                      uint64_t timeout_ns, struct buffer *answer, struct error *error)
{
    enum status status = STATUS_IO;
    admin_ask_all(env, address, 1, body, timeout_ns, &status, answer);
    if (status == STATUS_OK) return STATUS_OK;
    char text[ENV_ADDRESS_TEXT_SIZE];
    env_address_format(address, text);
    return error_set(error, status, "%s: %.*s", text, (int)answer->size,
                     answer->data == NULL ? "" : (const char *)answer->data);
}
