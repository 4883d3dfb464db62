// The other end of a write: what a replica does that is sent mutations
// (org.apache.cassandra.db.MutationVerbHandler, HintVerbHandler).
//
//     message = n records --each decoded once, logged as it is, applied--> waits for the sync that
//     covers the last --synced--> one answer for all
//
// A record that can not be applied does not keep the others from it: the answer has a status for
// each then.
//
//     request of VERB_WRITE = n * { vint size | record }
//     request of VERB_HINT  = n * { i64 time it was made, us | vint size | record }
//     answer                = nothing: all synced; else n * u8 status
#ifndef RING_REPLICA_WRITE_H
#define RING_REPLICA_WRITE_H

#include "base/buffer.h"
#include "ring/transport/messaging.h"
#include "storage/engine/engine.h"

struct coordinator;
struct replica_ack;

struct replica_writes {
    struct message_handler write, hint;
    struct replica_ack *free;
    struct replica_ack *waiting;
    struct buffer statuses; // Of the message at hand.
};

void replica_writes_init(struct coordinator *coordinator);
void replica_writes_deinit(struct coordinator *coordinator);
// Answers OK, with nothing else, once the position is synced; or IO.
void replica_write_answer_synced(struct coordinator *coordinator, struct message_origin origin,
                                 uint64_t position);

#endif
