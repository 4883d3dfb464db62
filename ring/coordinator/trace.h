// The story of one request, while its client wants to know it (org.apache.cassandra.tracing
// .TraceState): what happened, when, in which part of the node. Whoever makes one keeps it
// elsewhere (cql/system/tracing.h writes it into system_traces); operations only add to it.
//
//     made --trace_ref() by each delivery that is under way--> the last trace_unref(): released
//
// A replica that is asked in its course (replica_trace.h) makes one of its own, of what happens
// there, which whoever keeps them puts together by the session.
//
// Without one, `trace` is NULL everywhere, and all that is done for it is to see that. Bounded by
// TRACE_EVENTS_MAX: later events are left out.
#ifndef RING_TRACE_H
#define RING_TRACE_H

#include "base/arena.h"
#include "base/env.h"
#include "storage/uuid.h"

#include <stdint.h>

enum { TRACE_EVENTS_MAX = 256, TRACE_ACTIVITY_SIZE_MAX = 1024 };

// Cassandra's names of the threads that would have done it.
#define TRACE_THREAD_REQUEST  "Native-Transport-Requests-1"
#define TRACE_THREAD_MUTATION "MutationStage-1"
#define TRACE_THREAD_COUNTER  "CounterMutationStage-1"
#define TRACE_THREAD_READ     "ReadStage-1"
#define TRACE_THREAD_MESSAGE  "Messaging-EventLoop-3-1"
#define TRACE_THREAD_RESPONSE "RequestResponseStage-1"

struct trace_event {
    struct trace_event *next;
    int64_t at_us; // Wall time.
    int32_t elapsed_us;
    const char *thread;
    const char *activity;
};

struct trace {
    struct env *env;
    struct uuid session; // Whose story it is, on all nodes.
    uint32_t references;
    uint64_t start_ns;
    struct arena arena; // Events and their texts.
    struct trace_event *first, **end;
    uint32_t event_count;
    void (*released)(struct trace *trace); // With the last reference.
};

// Where a replica gets a trace for what it does in another node's session: with one reference.
// NULL: too many already.
struct trace_source {
    struct trace *(*begin)(struct trace_source *source, struct uuid session);
};

// One reference, the maker's.
void trace_init(struct trace *trace, struct env *env, struct uuid session,
                void (*released)(struct trace *trace));
void trace_deinit(struct trace *trace);
void trace_ref(struct trace *trace);   // NULL is allowed.
void trace_unref(struct trace *trace); // NULL is allowed.
int32_t trace_elapsed_us(const struct trace *trace);

// One more event. `trace` may be NULL; `thread` is a constant.
void trace_add(struct trace *trace, const char *thread, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// A name for "%.*s".
#define TRACE_NAME(slice) (int)(slice).size, (const char *)(slice).data

#endif
