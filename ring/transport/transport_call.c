#include "ring/transport/transport_call.h"

#include "base/container_of.h"
#include "base/limits.h"

// The transport's own calls are over now, and it may be destroyed.
static void transport_call_end(struct env_task *task)
{
    struct transport_call *call = CONTAINER_OF(task, struct transport_call, end);
    struct buffer answer = call->answer;
    enum status status = call->status;
    uint8_t type = call->answer_type;
    call->answer = (struct buffer){0};
    transport_call_cancel(call);
    call->done(call, status, type, buffer_slice(&answer));
    buffer_deinit(&answer);
}

static void transport_call_finish(struct transport_call *call, enum status status, uint8_t type,
                                  struct slice payload)
{
    if (call->is_ended) return;
    call->is_ended = true;
    call->status = status;
    call->answer_type = type;
    buffer_put(&call->answer, payload.data, payload.size);
    env_task_post(call->env, &call->end, transport_call_end);
}

static void transport_call_answered(struct transport_request *request, enum status status,
                                    uint8_t type, struct slice payload)
{
    if (status != STATUS_OK) return; // `ended` says more.
    transport_call_finish(CONTAINER_OF(request, struct transport_call, request), STATUS_OK, type,
                          payload);
}

static void transport_call_connected(void *context)
{
    struct transport_call *call = context;
    call->is_connecting = false;
    if (call->is_ended) return;
    transport_client_send(call->client, &call->request, call->question_type,
                          buffer_slice(&call->question), transport_call_answered);
}

static void transport_call_lost(void *context, enum status status)
{
    struct transport_call *call = context;
    call->is_connecting = false;
    transport_call_finish(call, status, 0, slice_of_text(status_text(status)));
}

static void transport_call_is_late(struct env_timer *timer)
{
    transport_call_finish(CONTAINER_OF(timer, struct transport_call, timer), STATUS_TIMED_OUT, 0,
                          slice_of_text("the node does not answer"));
}

void transport_call_start(struct env *env, struct transport_call *call,
                          const struct env_address *address, uint64_t timeout_ns, uint8_t type,
                          struct slice question,
                          void (*done)(struct transport_call *call, enum status status,
                                       uint8_t type, struct slice payload))
{
    static const struct transport_client_events events = {transport_call_connected,
                                                          transport_call_lost};
    *call = (struct transport_call){
        .env = env, .done = done, .question_type = type, .is_connecting = true};
    buffer_init(&call->question, TRANSPORT_MESSAGE_SIZE_MAX);
    buffer_init(&call->answer, TRANSPORT_MESSAGE_SIZE_MAX);
    buffer_put(&call->question, question.data, question.size);
    call->client = transport_client_create(env, address, timeout_ns, &events, call);
    env_timer_start(env, &call->timer, timeout_ns, transport_call_is_late);
}

void transport_call_cancel(struct transport_call *call)
{
    if (call->client == NULL) return;
    env_timer_stop(call->env, &call->timer);
    env_task_cancel(call->env, &call->end);
    // Not inside of its events, so at once where that is possible: the loop may end here.
    if (call->is_connecting)
        transport_client_destroy(call->client);
    else
        transport_client_abandon(call->client);
    call->client = NULL;
    buffer_deinit(&call->question);
    buffer_deinit(&call->answer);
}
