// What a traced request tells of itself: the parameters of its session, its text, its values
// (org.apache.cassandra.transport.messages: traceQuery() of each).
#ifndef CQL_PROTOCOL_REQUEST_TRACE_H
#define CQL_PROTOCOL_REQUEST_TRACE_H

#include "cql/protocol/connection.h"
#include "cql/system/tracing.h"

// `is_asked` by the client; else one of all requests that is picked at random, or not. NULL: not,
// or no tracing here, or too many already.
struct trace *request_trace_begin(struct connection *connection, bool is_asked);
void request_trace_query(struct trace *trace, const struct message_query *query);
void request_trace_prepare(struct trace *trace, struct slice text);
void request_trace_execute(struct trace *trace, const struct statement *statement,
                           const struct message_query *query);
void request_trace_batch(struct trace *trace, const struct query_options *options);

#endif
