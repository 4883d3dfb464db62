// Requests between the members of a ring, and their answers
// (org.apache.cassandra.net.MessagingService): one connection to each member, made when it is first
// needed and again after each loss; one listener for all who come.
//
//     coordinator, metadata log, liveness … --messaging_send()--> queue of the member --one write a
//     turn--> TCP … member: handler of the verb --messaging_answer()--> done()
//
// A request to oneself goes the same way but for the network. `done` comes exactly once unless it
// is cancelled, never inside of messaging_send(): OK with the answer, TIMED_OUT, CLOSED (no
// connection, or it broke: the request may have been carried out), OVERLOADED (too much waits for
// that member; not sent).
//
// Each ring request carries the sender's number in the metadata log (invariant 11). One that is
// ahead of ours waits here, bounded, until we have caught up; then it is handled.
//
//     request   uv number of the metadata log | body                        verbs >= VERB_RING
//     answer    uv number of the metadata log | u8 status | body            VERB_ANSWER
#ifndef RING_MESSAGING_H
#define RING_MESSAGING_H

#include "ring/topology/topology.h"
#include "ring/transport/transport.h"

// Verbs below are of workers and tools (stream/job/job_protocol.h).
enum verb {
    VERB_RING = 64,
    VERB_ANSWER = VERB_RING,
    VERB_PING, // Liveness.
    VERB_PING_REQUEST,
    VERB_LOG_PREPARE, // Metadata log. These never wait for the log themselves.
    VERB_LOG_ACCEPT,
    VERB_LOG_COMMIT,
    VERB_LOG_FETCH,
    VERB_UNORDERED_END = VERB_LOG_FETCH, // Up to here requests do not wait to be caught up with.
    VERB_WRITE,                          // Coordinator.
    VERB_INCREMENT,
    VERB_READ,
    VERB_HINT,
    VERB_TRUNCATE,
    VERB_BATCH_STORE,
    VERB_BATCH_REMOVE,
    VERB_PAXOS_PREPARE, // Conditional statements.
    VERB_PAXOS_PROPOSE,
    VERB_PAXOS_COMMIT,
    VERB_ADMIN,  // helenus status and its like, the ring's tests.
    VERB_TRACED, // Another of the coordinator's, whose client wants its story.
    VERB_COUNT
};

struct messaging;

struct messaging_options {
    struct env_address listen;
    uint16_t self;
    // Borrowed for as long as it lives: asked for anew whenever it is needed.
    const struct topology *(*topology)(void *context);
    // Our number in the metadata log.
    uint64_t (*log_number)(void *context);
    // A member is at `number`, beyond ours: catch up. messaging_log_moved() follows. Called with
    // each of its messages until then, except for requests of the metadata log itself.
    void (*behind)(void *context, uint16_t member, uint64_t number);
    void *context;
};

// IN_USE: the port is taken. No connection is made before the first request.
MUST_USE enum status messaging_create(struct env *env, const struct messaging_options *options,
                                      struct messaging **messaging, struct error *error);
// No event and no `done` comes any more. Answers that were given still leave. Not inside of one of
// its events.
void messaging_close(struct messaging *messaging);
void messaging_abandon(struct messaging *messaging); // The end of a simulated crash.
struct env_address messaging_address(const struct messaging *messaging);
// Our log number has grown: requests that waited for it go on.
void messaging_log_moved(struct messaging *messaging);

// ---- Asking -------------------------------------------------------------------------------------

// Lives in its owner's memory until `done`. All zero is one that is not under way.
struct messaging_request {
    void (*done)(struct messaging_request *request, enum status status, struct slice answer);
    uint16_t member;
    uint64_t id; // The rest is messaging's. 0: not under way.
    uint64_t deadline_ns;
    struct messaging_request *next, **place;
};

// The body is copied. `answer` of `done` is valid during the call.
void messaging_send(struct messaging *messaging, struct messaging_request *request, uint16_t member,
                    enum verb verb, struct slice body, uint64_t timeout_ns,
                    void (*done)(struct messaging_request *request, enum status status,
                                 struct slice answer));
// `done` will not come. Nothing happens when it is not under way.
void messaging_cancel(struct messaging *messaging, struct messaging_request *request);
// Bytes that wait to leave for a member.
size_t messaging_queued(const struct messaging *messaging, uint16_t member);
// What went over our connections to a member, and came over its connections to us, since the start.
struct messaging_traffic {
    uint64_t sent_count, sent_bytes;         // Requests.
    uint64_t received_count, received_bytes; // Requests of the member.
    uint64_t attempts, connections;          // To connect to it; those that came to be.
    bool is_connected;
};
struct messaging_traffic messaging_traffic(const struct messaging *messaging, uint16_t member);

// ---- Answering ----------------------------------------------------------------------------------

// Where an answer goes; may be kept. An answer for a connection that is gone goes nowhere.
struct message_origin {
    uint32_t slot, generation;
    uint64_t id;
};
struct message {
    uint16_t from; // MEMBER_NONE: a worker or a tool.
    enum verb verb;
    struct slice body; // Valid during the call.
    struct message_origin origin;
};
// Lives in its owner's memory until messaging_close().
struct message_handler {
    void (*handle)(struct message_handler *handler, const struct message *message);
    struct messaging *messaging; // Set by messaging_handle(); NULL once it was closed.
};
// Each verb has at most one handler; a request without one is answered UNSUPPORTED. NULL takes it
// away. Who is no member (a tool) may only ask VERB_ADMIN.
void messaging_handle(struct messaging *messaging, enum verb verb, struct message_handler *handler);
// Now or later, once for each request: every answer begins with a status (u8). `body` follows it.
// What `done` of the sender gets is this status and this body.
void messaging_answer(struct messaging *messaging, struct message_origin origin, enum status status,
                      struct slice body);

// Requests whose type is below VERB_RING, of workers: handed over as they are. `ended` comes for
// every connection of who is no member. NULL: nobody; whoever asks is disconnected.
void messaging_set_workers(struct messaging *messaging,
                           const struct transport_server_events *events, void *context);
// Calls `each` for every connection that was made to us, members' too.
void messaging_each_connection(struct messaging *messaging,
                               void (*each)(void *context, struct transport_connection *connection),
                               void *context);

// ---- Connections --------------------------------------------------------------------------------

struct messaging_listener {
    // Our connection to the member was made; it broke or could not be made. Also told of
    // connections that the member made to us and that broke.
    void (*connected)(struct messaging_listener *listener, uint16_t member);
    void (*lost)(struct messaging_listener *listener, uint16_t member, enum status status);
    // A request or an answer of the member came: it lives.
    void (*heard)(struct messaging_listener *listener, uint16_t member);
    struct messaging_listener *next;
};
void messaging_listen(struct messaging *messaging, struct messaging_listener *listener);
void messaging_unlisten(struct messaging *messaging, struct messaging_listener *listener);
// Makes a connection if there is none.
void messaging_connect(struct messaging *messaging, uint16_t member);

// What tests do to the network between us and a member, as we see it: nothing is sent, what comes
// is dropped unseen, all is held back for a while (with jitter: messages overtake each other),
// single messages are lost or come twice. All zero: none.
struct messaging_fault {
    bool blocks_out, blocks_in;
    uint64_t delay_ns, jitter_ns;
    uint16_t lost_per_1000, doubled_per_1000;
};
void messaging_set_fault(struct messaging *messaging, uint16_t member,
                         const struct messaging_fault *fault);
struct messaging_fault messaging_get_fault(const struct messaging *messaging, uint16_t member);

#endif
