#include "cql/system/tracing.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "cql/system/tracing_internal.h"

#include <stdlib.h>

void tracing_free_session(struct tracing_session *session)
{
    *session->place = session->next;
    if (session->next != NULL) session->next->place = session->place;
    session->tracing->count--;
    env_task_cancel(session->tracing->env, &session->write.task);
    trace_deinit(&session->trace);
    free(session);
}

void tracing_destroy(struct tracing *tracing)
{
    if (tracing == NULL) return;
    while (tracing->first != NULL)
        tracing_free_session(tracing->first);
    free(tracing);
}

// ---- Sessions ----------------------------------------------------------------------------------

struct uuid tracing_next_session(struct tracing *tracing)
{
    uint64_t ticks = (uint64_t)(env_wall_us(tracing->env) * 10 + UUID_EPOCH_TICKS);
    tracing->last_ticks = ticks > tracing->last_ticks ? ticks : tracing->last_ticks + 1;
    return uuid_make_time(tracing->last_ticks, (uint16_t)(tracing->node >> 48) & 0x3FFF,
                          tracing->node & 0xFFFFFFFFFFFFull);
}

struct trace *tracing_begin(struct tracing *tracing, struct uuid session,
                            const struct env_address *client)
{
    if (tracing->count == TRACING_SESSIONS_MAX) return NULL;
    struct tracing_session *made = calloc(1, sizeof *made);
    ASSERT(made != NULL);
    trace_init(&made->trace, tracing->env, tracing->write);
    made->tracing = tracing;
    made->id = session;
    made->client = *client;
    made->request = "";
    made->started_us = env_wall_us(tracing->env);
    made->next = tracing->first;
    made->place = &tracing->first;
    if (made->next != NULL) made->next->place = &made->next;
    tracing->first = made;
    tracing->count++;
    return &made->trace;
}

struct uuid tracing_session(const struct trace *trace)
{
    return CONTAINER_OF(trace, const struct tracing_session, trace)->id;
}

void tracing_set_request(struct trace *trace, const char *request)
{
    CONTAINER_OF(trace, struct tracing_session, trace)->request = request;
}

void tracing_set_parameter(struct trace *trace, const char *name, struct slice value)
{
    struct tracing_session *session = CONTAINER_OF(trace, struct tracing_session, trace);
    if (session->parameter_count == TRACING_PARAMETERS_MAX) return;
    if (value.size > TRACING_VALUE_SIZE_MAX) value.size = TRACING_VALUE_SIZE_MAX;
    session->parameters[session->parameter_count++] = (struct option){
        arena_copy(&trace->arena, slice_of_text(name)), arena_copy(&trace->arena, value)};
}

void tracing_end(struct trace *trace)
{
    CONTAINER_OF(trace, struct tracing_session, trace)->duration_us = trace_elapsed_us(trace);
    trace_unref(trace);
}
