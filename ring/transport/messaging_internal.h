// What the files of messaging share. Not for others.
//
//     messaging.c          requests and answers: in, out, to ourselves
//     messaging_member.c   our connection to one member
//     messaging_inbound.c  connections that others make to us
//     messaging_parked.c   requests of members whose metadata log is ahead of ours
//     messaging_fault.c    what tests do to the network
//     messaging_wheel.c    when requests have waited too long
#ifndef RING_MESSAGING_INTERNAL_H
#define RING_MESSAGING_INTERNAL_H

#include "base/buffer.h"
#include "ring/transport/messaging.h"
#include "ring/transport/messaging_wheel.h"
#include "ring/transport/request_table.h"
#include "ring/transport/transport_link.h"

// A number and a status: what messaging puts before a body.
enum { MESSAGING_HEAD_SIZE_MAX = 9 + 1 };
// `slot` of an origin that is ourselves.
#define MESSAGING_SLOT_SELF UINT32_MAX

// ---- Members ------------------------------------------------------------------------------------

// Our connection to a member, and what waits for its answers.
//
//     IDLE --request, messaging_connect(), retry--> CONNECTING --done--> OPEN
//      ^---------------------refused, timed out--------'                  |
//      ^----------------------------broke, another ring's-----------------'
//
// What is sent while it connects waits in `pending`; when that fails, all requests end CLOSED.
enum messaging_member_state {
    MESSAGING_MEMBER_IDLE,
    MESSAGING_MEMBER_CONNECTING,
    MESSAGING_MEMBER_OPEN
};

struct messaging_member {
    struct messaging *messaging;
    uint16_t number;
    enum messaging_member_state state;
    struct env_connect *connecting; // CONNECTING; NULL in a process that is dead.
    struct transport_link link;     // OPEN.
    struct buffer pending;
    struct request_table waiting;
    struct env_timer retry;
    unsigned retry_count;     // Since the connection was last up.
    uint64_t last_attempt_ns; // 0: never.
    uint64_t lost_count;      // Connections that broke or could not be made.
    struct messaging_fault fault;
    bool has_fault;
    struct messaging_traffic traffic;
};

// NULL when the topology has no such member.
struct messaging_member *messaging_member_get(struct messaging *messaging, uint16_t number);
// Sends a request, or keeps it until there is a connection.
void messaging_member_put(struct messaging_member *member, uint8_t type, uint64_t id,
                          struct slice head, struct slice body);
void messaging_member_connect(struct messaging_member *member);
size_t messaging_member_queued(const struct messaging_member *member);
// `is_dead`: no callback of the env will come any more.
void messaging_member_destroy(struct messaging_member *member, bool is_dead);

// ---- Parked requests ----------------------------------------------------------------------------

struct messaging_parked {
    struct messaging_parked *next;
    uint64_t log_number, deadline_ns;
    uint16_t from;
    enum verb verb;
    struct message_origin origin;
    size_t size;
    uint8_t body[];
};

struct messaging_parking {
    struct messaging *messaging;
    struct messaging_parked *first, **last; // Oldest first.
    size_t count, size;
    struct env_timer timer; // The end of the first.
    struct env_task task;   // The log has moved.
};

void messaging_parking_init(struct messaging_parking *parking, struct messaging *messaging);
void messaging_parking_deinit(struct messaging_parking *parking);
// False: too many wait.
bool messaging_parking_add(struct messaging_parking *parking, uint64_t log_number,
                           const struct message *message);
void messaging_parking_moved(struct messaging_parking *parking);

// ---- Faults -------------------------------------------------------------------------------------

enum messaging_direction {
    MESSAGING_OUT_REQUEST,
    MESSAGING_OUT_ANSWER,
    MESSAGING_IN_REQUEST,
    MESSAGING_IN_ANSWER
};

// A message on its way between a member and us. `origin` of requests that came and of our answers
// to them; `id` of our requests and of the answers to them.
struct messaging_letter {
    enum messaging_direction direction;
    uint16_t member;
    uint8_t type;
    uint64_t id;
    struct message_origin origin;
    struct slice head, body;
};

struct messaging_held;

// Delivers it now, later, twice, or never: messaging_deliver().
void messaging_fault_pass(struct messaging_member *member, const struct messaging_letter *letter);
void messaging_fault_free(struct messaging *messaging);

// ---- Connections that others make ---------------------------------------------------------------

// A connection that somebody made to us.
struct messaging_inbound {
    struct transport_connection *connection; // NULL: free.
    uint32_t generation;                     // Grows with each connection that had the slot.
    uint32_t next_free;
    uint16_t member;
};

// NULL when the connection is gone.
struct messaging_inbound *messaging_inbound_find(struct messaging *messaging,
                                                 struct message_origin origin);
// The transport server's events; `context` is the messaging.
void messaging_inbound_requested(void *context, struct transport_connection *connection,
                                 uint8_t type, uint64_t id, struct slice payload);
void messaging_inbound_ended(void *context, struct transport_connection *connection);

// ---- The whole ----------------------------------------------------------------------------------

struct messaging {
    struct env *env;
    struct messaging_options options;
    struct transport_server *server;
    struct messaging_member **members; // By number; NULL where nothing was asked yet.
    size_t member_capacity;
    struct messaging_inbound *inbounds; // [0] is never used: a tag of 0 says "none yet".
    uint32_t inbound_count, inbound_free;
    struct message_handler *handlers[VERB_COUNT];
    struct transport_server_events workers; // `request` is NULL: nobody.
    void *workers_context;
    struct messaging_listener *listeners;
    struct messaging_wheel wheel;
    struct env_timer wheel_timer;
    uint64_t wheel_armed_ns; // UINT64_MAX: not.
    struct buffer local[2];  // What goes to ourselves: records of struct messaging_local.
    unsigned local_index;    // Where the next one goes.
    struct env_task local_task;
    struct messaging_request *refused; // They end at the end of the turn.
    struct env_task refused_task;
    struct messaging_parking parking;
    struct messaging_held *held;
    size_t held_size;
};

// Hands a message to whom it is for: what the network does when it does nothing to it.
void messaging_deliver(struct messaging *messaging, const struct messaging_letter *letter);
// To the handler of its verb, if there is one.
void messaging_dispatch(struct messaging *messaging, const struct message *message);
// Ends a request that waits. Nothing happens when it does not wait any more.
void messaging_end_request(struct messaging *messaging, struct messaging_member *member,
                           uint64_t id, enum status status, struct slice answer);
// Ends the `count` requests that have waited longest.
void messaging_end_requests(struct messaging *messaging, struct messaging_member *member,
                            size_t count, enum status status);
void messaging_tell_connected(struct messaging *messaging, uint16_t member);
void messaging_tell_lost(struct messaging *messaging, uint16_t member, enum status status);

#endif
