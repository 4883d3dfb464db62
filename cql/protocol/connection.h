// One client's connection, from its first byte to its last answer
// (org.apache.cassandra.transport.ServerConnection).
//
//     NEW ----------STARTUP---------> READY   (with authentication: AUTHENTICATING in between)
//      | unknown version, bad bytes     | fault, close
//      v                                v
//     CLOSING <-------------------------+
//      | end of the turn: written
//      v
//     CLOSED --last request ends--> freed
//
// Bytes are read as envelopes, each of which is answered at once or starts a request (request.h).
// Answers collect in the writer and leave with one write at the end of the loop's turn, in the
// order in which they became ready.
//
// Back-pressure: the connection is not read while too many of its requests wait, too much of its
// output is queued, or the requests of all connections are too big together (limits.h). What was
// read but not looked at stays in the reader. What all hold is bounded too: connection_memory.h.
//
// Turns: a connection whose requests take long at a time (limits.h) is not read until all others
// were, and then one such in a turn of the loop. So does one of which little is known, when others
// took long in this turn already. So who is known to ask for little waits for one of them, not for
// all.
#ifndef CQL_PROTOCOL_CONNECTION_H
#define CQL_PROTOCOL_CONNECTION_H

#include "base/env.h"
#include "cql/protocol/connection_memory.h"
#include "cql/protocol/frame.h"
#include "cql/protocol/message.h"
#include "cql/protocol/prepared_cache.h"

struct connection;
struct login;
struct request;

struct connection_statistics {
    uint64_t connections_accepted, connections_refused;
    uint64_t queries, prepares, executions, batches; // Requests by kind.
    uint64_t errors;                                 // Answers that are errors.
    uint64_t bytes_in, bytes_out;
};

// What the connections of a server share. The server's; see server.c.
struct connection_shared {
    struct env *env;
    struct query_processor *processor;
    struct prepared_cache *prepared;
    struct connection_statistics statistics;
    struct connection *first; // All that are not freed.
    size_t open_count;        // Those not CLOSED.
    size_t request_size;      // Bytes of all requests that wait.
    size_t request_count;
    bool is_held; // Nothing is read yet: the node is not ready.
    bool is_full; // It was too much; until half is free.
    struct frame_pool frames;
    struct connections_memory memory;
    struct connection_link turns; // The end of those that wait for their turn.
    struct env_task turn_task;
    uint64_t spent_ns;             // By long stints since `turn_task` ran.
    struct request *free_requests; // request.c's pool.
    size_t free_request_count;
    // Called when the last connection was freed.
    void (*last_is_gone)(struct connection_shared *shared);
};

enum { CONNECTION_DRIVER_SIZE = 64 };

enum connection_state {
    CONNECTION_NEW,
    CONNECTION_AUTHENTICATING,
    CONNECTION_READY,
    CONNECTION_CLOSING,
    CONNECTION_CLOSED
};

struct connection {
    struct connection_shared *shared;
    struct connection *next, **place; // In `shared->first`.
    struct env_stream *stream;        // NULL when CLOSED.
    enum connection_state state;
    int version;            // 0 until the first message fixed it.
    unsigned events;        // MESSAGE_SCHEMA_CHANGE…: what it registered for.
    int consecutive_faults; // v5: messages in a row that could not be decoded.
    bool is_paused;
    bool is_refused; // One too many: its first message is answered with the reason.
    struct frame_reader reader;
    struct frame_writer writer;
    struct connection_memory memory;
    struct connection_link turn;
    unsigned short_stint_count; // In a row; counted up to a few.
    struct env_task task;       // Writes what collected, reads what waited, frees.
    struct request *requests;   // Those that wait.
    size_t request_count;
    size_t keyspace_size;
    char keyspace[CQL_NAME_SIZE_MAX]; // Of USE.
    struct login *login;              // One that is being checked; nothing is read meanwhile.
    // As STARTUP told them, for system_views.clients; longer ones are cut off.
    char driver_name[CONNECTION_DRIVER_SIZE], driver_version[CONNECTION_DRIVER_SIZE];
    uint64_t requests_taken;
    uint8_t *user; // Who logged in; NULL: nobody, or nobody has to.
    size_t user_size;
};

// The parts of it that are not zero.
void connection_shared_init(struct connection_shared *shared);
// Takes the stream over. `is_refused`: only to say why.
void connection_create(struct connection_shared *shared, struct env_stream *stream,
                       bool is_refused);
// There may be room again: it is looked at in this turn.
void connection_read_on(struct connection *connection);
// Sends what waits and closes; it is freed when its requests have ended.
void connection_close(struct connection *connection);
// Frees it and its requests as they stand: the end of a simulated crash.
void connection_abandon(struct connection *connection);

// ---- For connection_memory.c --------------------------------------------------------------------

// It ends, for others to have room, and lets go of what it read. `why` is its last answer; NULL if
// it does not read answers.
void connection_shed(struct connection *connection, const char *why);

// ---- For login.c --------------------------------------------------------------------------------

// It goes on, or is freed if it was closed meanwhile.
void connection_login_ended(struct connection *connection);

// ---- For request.c -----------------------------------------------------------------------------

// Where the body of a response goes; NULL when nobody is there to read it.
struct buffer *connection_begin_response(struct connection *connection, int16_t stream,
                                         uint8_t opcode, uint8_t flags);
// False when it was too big and nothing was written.
bool connection_end_response(struct connection *connection);
void connection_send_error(struct connection *connection, int16_t stream,
                           const struct cql_error *error);
// A request has ended: there may be room for others.
void connection_request_ended(struct connection *connection);
// An event, to those who registered for it: begins, and ends with connection_end_response().
struct buffer *connection_begin_event(struct connection *connection, unsigned event);

#endif
