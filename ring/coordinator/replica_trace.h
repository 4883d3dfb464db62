// A traced request at the members that it asks (org.apache.cassandra.tracing.Tracing:
// initializeFromMessage): the request travels in a wrapper with the session's id, and what the
// member does for it is told to a trace of its own.
//
//     request of VERB_TRACED = 16 session | u8 verb | body of that verb's request
//     answer                 = of that verb
//
// The verbs are VERB_WRITE, VERB_INCREMENT and VERB_READ. A member that does not know the wrapper
// answers UNSUPPORTED: what asked goes on as if it were of no use (a hint, another replica), and
// that member gets no wrapper any more.
#ifndef RING_REPLICA_TRACE_H
#define RING_REPLICA_TRACE_H

#include "base/buffer.h"
#include "ring/coordinator/trace.h"
#include "ring/transport/messaging.h"

struct coordinator;

struct replica_traces {
    struct message_handler handler;
    struct trace_source *source; // NULL: nothing is told.
    // A bit for each member that does not know the wrapper.
    uint64_t unaware[TOPOLOGY_MEMBERS_MAX / 64];
};

void replica_traces_init(struct coordinator *coordinator);

// What asks: puts the wrapper's head into the body, which is empty, and gives the verb to send it
// with. `verb` itself when there is no trace, or the member has no use for one.
enum verb replica_trace_wrap(const struct coordinator *coordinator, const struct trace *trace,
                             uint16_t member, enum verb verb, struct buffer *body);
static inline enum verb replica_trace_put(const struct coordinator *coordinator,
                                          const struct trace *trace, uint16_t member,
                                          enum verb verb, struct buffer *body)
{
    return trace == NULL ? verb : replica_trace_wrap(coordinator, trace, member, verb, body);
}
// How the member answered what was wrapped.
void replica_trace_heard(struct coordinator *coordinator, uint16_t member, enum status status);

// What is asked, while it is handled: the trace of the message at hand is coordinator->trace.
// The answer leaves: tells it, and gives back a reference. NULL is allowed. `verb` is Cassandra's
// name: "READ".
void replica_trace_answer(const struct coordinator *coordinator, struct trace *trace,
                          uint16_t member, const char *verb, size_t size);

#endif
