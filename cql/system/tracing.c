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

void tracing_stop(struct tracing *tracing)
{
    if (tracing != NULL) tracing->is_stopped = true;
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

static struct tracing_session *begin_session(struct tracing *tracing, struct uuid session)
{
    if (tracing->count == TRACING_SESSIONS_MAX) return NULL;
    struct tracing_session *made = calloc(1, sizeof *made);
    ASSERT(made != NULL);
    trace_init(&made->trace, tracing->env, session, tracing->write);
    made->tracing = tracing;
    made->sequence = tracing->last_sequence++ & 0x3FFF;
    made->request = "";
    made->started_us = env_wall_us(tracing->env);
    made->next = tracing->first;
    made->place = &tracing->first;
    if (made->next != NULL) made->next->place = &made->next;
    tracing->first = made;
    tracing->count++;
    return made;
}

struct trace *tracing_begin(struct tracing *tracing, struct uuid session,
                            const struct env_address *client)
{
    struct tracing_session *made = begin_session(tracing, session);
    if (made == NULL) return NULL;
    made->client = *client;
    return &made->trace;
}

struct trace *tracing_begin_at_replica(struct trace_source *source, struct uuid session)
{
    struct tracing_session *made =
        begin_session(CONTAINER_OF(source, struct tracing, source), session);
    if (made == NULL) return NULL;
    made->is_of_a_replica = true;
    return &made->trace;
}

// ---- How often, unasked ------------------------------------------------------------------------

void tracing_set_probability(struct tracing *tracing, double probability)
{
    tracing->probability = probability > 0 ? probability < 1 ? probability : 1 : 0;
}

double tracing_probability(const struct tracing *tracing)
{
    return tracing->probability;
}

bool tracing_is_due(struct tracing *tracing)
{
    if (tracing->probability <= 0) return false;
    if (tracing->probability >= 1) return true;
    return (double)(env_random_u64(tracing->env) >> 11) * 0x1p-53 < tracing->probability;
}

// ---- Adding to them ----------------------------------------------------------------------------

struct uuid tracing_session(const struct trace *trace)
{
    return trace->session;
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
