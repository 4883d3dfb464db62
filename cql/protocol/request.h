// A QUERY, PREPARE, EXECUTE or BATCH from its decoding to its answer
// (org.apache.cassandra.transport.Dispatcher and the messages' execute()).
//
//     started --decoded, statement found--> executing --done--> answered --> in the pool
//        \--fault--------------------------------------/
//
// Requests come from a pool and keep their memory (arena, execution), so that an EXECUTE costs no
// malloc. A request holds a reference to its statement and a copy of its body; it outlives its
// connection's socket, not its connection.
#ifndef CQL_PROTOCOL_REQUEST_H
#define CQL_PROTOCOL_REQUEST_H

#include "cql/protocol/connection.h"

enum request_outcome {
    REQUEST_STARTED,   // It will be answered, or is already.
    REQUEST_MALFORMED, // `error` is why. Nothing was answered.
};

// `frame->body` is read during the call only, without custom payload.
enum request_outcome request_start(struct connection *connection, const struct frame *frame,
                                   struct cql_error *error);
// Nobody reads the answers of this connection's requests any more: long ones may end early.
void request_cancel_all(struct connection *connection);
// Frees the requests of a connection that was abandoned, as they stand.
void request_abandon_all(struct connection *connection);
// Empties the pool.
void request_pool_deinit(struct connection_shared *shared);

#endif
