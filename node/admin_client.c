#include "node/admin_client.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_uv.h"
#include "base/limits.h"

#include <stdlib.h>

static void call_answered(struct transport_call *transport, enum status status, uint8_t type,
                          struct slice payload)
{
    struct admin_call *call = CONTAINER_OF(transport, struct admin_call, call);
    if (status != STATUS_OK) {
        call->done(call, status, payload);
        return;
    }
    struct cursor cursor = cursor_make(payload);
    (void)cursor_vint(&cursor); // Its number in the metadata log.
    uint8_t told = cursor_u8(&cursor);
    struct slice rest = cursor_take(&cursor, cursor_left(&cursor));
    if (type != VERB_ANSWER || cursor.failed || told > STATUS_CANCELED) {
        call->done(call, STATUS_MALFORMED, slice_of_text("the node answered something else"));
        return;
    }
    status = (enum status)told;
    if (status != STATUS_OK && rest.size == 0) rest = slice_of_text(status_text(status));
    call->done(call, status, rest);
}

void admin_call_start(struct env *env, struct admin_call *call, const struct env_address *address,
                      struct slice body, uint64_t timeout_ns,
                      void (*done)(struct admin_call *call, enum status status,
                                   struct slice answer))
{
    struct buffer question;
    buffer_init(&question, TRANSPORT_MESSAGE_SIZE_MAX);
    buffer_put_vint(&question, 0); // A tool has no part in the metadata log.
    buffer_put(&question, body.data, body.size);
    call->done = done;
    transport_call_start(env, &call->call, address, timeout_ns, VERB_ADMIN, buffer_slice(&question),
                         call_answered);
    buffer_deinit(&question);
}

void admin_call_cancel(struct admin_call *call)
{
    transport_call_cancel(&call->call);
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
