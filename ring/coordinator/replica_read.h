// One read at a replica (org.apache.cassandra.db.ReadCommandVerbHandler): for another member that
// asks with VERB_READ, or for this node's own coordinator.
//
//     STARTED --encoded--> SYNCING --what was seen is synced--> done
//        \--miss--> LOADING --loaded--> STARTED
#ifndef RING_REPLICA_READ_H
#define RING_REPLICA_READ_H

#include "base/buffer.h"
#include "ring/coordinator/read_request.h"
#include "ring/transport/messaging.h"
#include "storage/engine/engine.h"

struct coordinator;
struct read_pool;

struct replica_read {
    // For the coordinator of this node; NULL: the answer goes to `origin`.
    void (*done)(struct replica_read *read, enum status status);
    void *owner;
    struct buffer chunk; // The answer. Valid until replica_read_give_back().
    // The rest is replica_read.c's.
    struct read_pool *pool;
    struct replica_read *next, **place; // Those in use, or free.
    struct read_request request;
    const struct table *table; // With a reference.
    struct arena request_arena, arena;
    struct message_origin origin;
    struct trace *trace; // Of who asks, with a reference; NULL: nobody wants to know.
    uint16_t asked_by;   // Of a trace.
    struct read_pins pins;
    struct engine_load load;
    struct commit_log_waiter waiter;
    uint64_t position;
    bool is_forgotten;   // Nobody wants to hear of its end.
    size_t waiting_size; // What it has in the pool's `waiting_size`.
};

// From the pool; all that others set is empty.
struct replica_read *replica_read_take(struct read_pool *pool);
// Not while it is under way.
void replica_read_give_back(struct replica_read *read);
// Begins to read what `request` says, which stays valid until the end. True: it is over at once,
// and `*status` says how; else `done` comes.
MUST_USE bool replica_read_start(struct replica_read *read, const struct table *table,
                                 const struct read_request *request, enum status *status);
// `done` of one that is under way will not come; it goes back to the pool by itself. The request
// need not be valid any more.
void replica_read_forget(struct replica_read *read);
// The handler of VERB_READ.
void replica_read_handle(struct message_handler *handler, const struct message *message);
// Frees it, whatever it is doing: nothing of the engine runs any more.
void replica_read_free(struct replica_read *read);

#endif
