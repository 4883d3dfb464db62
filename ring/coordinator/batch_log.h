// Logged batches under way (org.apache.cassandra.batchlog): before the first of its mutations
// leaves, a batch is durable at two members (at one, if there is no other), who carry it out
// themselves when they do not hear of its end.
//
//     coordinator --STORE--> two members --synced--> mutations to all replicas --CL--> REMOVE
//     a member, some seconds after it stored one: --mutations--> replicas, hints for those that are
//     down --> removed
//
// Kept in the engine's own table system.batches. Applying a batch twice changes nothing, since its
// timestamps are in it; a counter is never in it.
#ifndef RING_BATCH_LOG_H
#define RING_BATCH_LOG_H

#include "ring/liveness/liveness.h"
#include "storage/engine/engine.h"

struct batch_log;
struct coordinator;

#endif
