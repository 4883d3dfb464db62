// Requests whose clients set the tracing flag, and those that are picked at random
// (org.apache.cassandra.tracing.Tracing): each is a row of system_traces.sessions and its events
// are rows of system_traces.events, kept for a day.
//
//     tracing_begin --events (ring/coordinator/trace.h)--> tracing_end --all heard of--> written
//
// Replicas that are asked in its course write rows of system_traces.events themselves.
// Written once, when the answer has left and the last replica was heard of (or given up), the
// session's duration with the rest; nobody waits for it, and a write that fails is forgotten.
// Bounded: TRACING_SESSIONS_MAX at a time; a request beyond that is answered without a trace.
#ifndef CQL_SYSTEM_TRACING_H
#define CQL_SYSTEM_TRACING_H

#include "cql/system/system_tables.h"
#include "ring/coordinator/coordinator.h"
#include "ring/coordinator/trace.h"

enum { TRACING_SESSIONS_MAX = 64, TRACING_TTL_S = 24 * 60 * 60, TRACING_VALUE_SIZE_MAX = 4096 };

struct tracing;
// All that it is given outlives it, but for the coordinator, which gets its traces of what it is
// asked as a replica from here: no request is traced when that is gone.
struct tracing *tracing_create(struct env *env, struct coordinator *coordinator,
                               const struct system_tables *tables,
                               const struct env_address *coordinator_address);
// The node leaves its ring: what would be written from now on is lost, since the coordinator can
// not ask anybody any more. NULL is allowed.
void tracing_stop(struct tracing *tracing);
// After coordinator_destroy(): what is not written yet is lost.
void tracing_destroy(struct tracing *tracing);

// A time uuid of this node, later than all before.
struct uuid tracing_next_session(struct tracing *tracing);
// NULL: too many already. `session` is a time uuid of this node.
struct trace *tracing_begin(struct tracing *tracing, struct uuid session,
                            const struct env_address *client);
struct uuid tracing_session(const struct trace *trace);
// Of a session that another node tells of.
struct trace *tracing_begin_at_replica(struct trace_source *source, struct uuid session);

// How many of all requests are traced though their clients did not ask, 0 to 1 (nodetool
// settraceprobability); 0 at first.
void tracing_set_probability(struct tracing *tracing, double probability);
double tracing_probability(const struct tracing *tracing);
// The next one is.
bool tracing_is_due(struct tracing *tracing);

// "Execute CQL3 query"; a constant.
void tracing_set_request(struct trace *trace, const char *request);
// In the session's `parameters`. Longer values are cut off.
void tracing_set_parameter(struct trace *trace, const char *name, struct slice value);
// The answer has left: the end of the maker's part.
void tracing_end(struct trace *trace);

#endif
