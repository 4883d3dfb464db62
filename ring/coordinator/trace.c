#include "ring/coordinator/trace.h"

#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>

enum { TRACE_ARENA_BLOCK_SIZE = 4096 };

void trace_init(struct trace *trace, struct env *env, struct uuid session,
                void (*released)(struct trace *trace))
{
    *trace = (struct trace){.env = env, .session = session, .references = 1, .released = released};
    trace->end = &trace->first;
    trace->start_ns = env_monotonic_ns(env);
    arena_init(&trace->arena, TRACE_ARENA_BLOCK_SIZE);
}

void trace_deinit(struct trace *trace)
{
    arena_deinit(&trace->arena);
}

void trace_ref(struct trace *trace)
{
    if (trace != NULL) trace->references++;
}

void trace_unref(struct trace *trace)
{
    if (trace == NULL) return;
    ASSERT(trace->references > 0);
    if (--trace->references == 0) trace->released(trace);
}

int32_t trace_elapsed_us(const struct trace *trace)
{
    uint64_t elapsed_us = (env_monotonic_ns(trace->env) - trace->start_ns) / 1000;
    return elapsed_us < INT32_MAX ? (int32_t)elapsed_us : INT32_MAX;
}

void trace_add(struct trace *trace, const char *thread, const char *format, ...)
{
    if (trace == NULL || trace->event_count == TRACE_EVENTS_MAX) return;
    char text[TRACE_ACTIVITY_SIZE_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct trace_event *event = ARENA_NEW(&trace->arena, struct trace_event);
    *event = (struct trace_event){
        .at_us = env_wall_us(trace->env),
        .elapsed_us = trace_elapsed_us(trace),
        .thread = thread,
        .activity = arena_copy_text(&trace->arena, text),
    };
    *trace->end = event;
    trace->end = &event->next;
    trace->event_count++;
}
