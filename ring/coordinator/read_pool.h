// What reads of a coordinator share: operations that are used again, so that a read needs no
// malloc, and what bounds them (limits.h). Inside of ring/coordinator/.
#ifndef RING_READ_POOL_H
#define RING_READ_POOL_H

#include "ring/coordinator/coordinator_state.h"
#include "ring/coordinator/read_latency.h"
#include "ring/coordinator/replica_read.h"

struct remote_read;

enum { READ_POOL_KEPT_MAX = 64 }; // Operations that are kept, of each kind.

struct read_pool {
    struct message_handler handler; // Of VERB_READ.
    struct coordinator *coordinator;
    struct replica_read *free_replica_reads, *replica_reads; // The latter: in use.
    size_t free_replica_count, replica_count;
    size_t waiting_size; // Bytes of answers that wait for a sync.
    struct remote_read *free_remote_reads, *remote_reads;
    size_t free_remote_count;
    size_t remote_size;          // Bytes that replicas sent for reads under way here.
    struct buffer scratch, body; // For what is made and sent within one call.
    struct read_latency latency;
};

struct read_pool *read_pool_create(struct coordinator *coordinator);
// Frees all, whatever is under way. Does not touch messaging, engine and env: they may be gone.
void read_pool_destroy(struct read_pool *pool);

#endif
