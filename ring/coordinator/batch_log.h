// Logged batches under way (org.apache.cassandra.batchlog): before the first of its mutations
// leaves, a batch is durable at two members (at one, if there is no other), who carry it out
// themselves when they do not hear of its end.
//
//     coordinator --STORE--> two members --synced--> mutations to all replicas --CL--> REMOVE
//     a member, some seconds after it stored one: --mutations--> replicas, hints for those that are
//     down --> removed
//
// Kept in the engine's own table system.batches. Applying a batch twice changes nothing, since its
// timestamps are in it; a counter is never in it. Where all copies are here, the batch and its
// mutations go into the commit log in one turn, in this order, and wait for one sync: a torn log
// has either nothing of it or the batch.
//
//     request of VERB_BATCH_STORE  = 16 id | i64 time it was made, us | n * { uv size | record }
//     request of VERB_BATCH_REMOVE = 16 id
#ifndef RING_BATCH_LOG_H
#define RING_BATCH_LOG_H

#include "ring/transport/messaging.h"
#include "storage/engine/engine.h"

struct batch_log;
struct coordinator;

struct batch_log_options {
    struct engine *engine;
    const struct table *table; // system.batches, of the engine.
    const struct schema *schema;
    struct messaging *messaging; // NULL in a ring of one.
    uint64_t write_timeout_ns;   // 0: 2 s. Twice as long is waited for the end of a batch.
    uint64_t replay_interval_ns; // 0: 10 s.
};

// Then it is an option of coordinator_create(), from which on it carries out what it finds.
struct batch_log *batch_log_create(struct env *env, const struct batch_log_options *options);
// Nothing is carried out any more: before messaging and the engine are closed.
void batch_log_stop(struct batch_log *batch_log);
// After coordinator_destroy(). NULL is allowed.
void batch_log_destroy(struct batch_log *batch_log);
// The end of a simulated crash: after coordinator_destroy(), before engine_abandon().
void batch_log_abandon(struct batch_log *batch_log);

// ---- The coordinator's side ---------------------------------------------------------------------

void batch_log_begin(struct batch_log *batch_log, struct coordinator *coordinator);
// Stores a batch here. `*position` is what to wait for.
MUST_USE enum status batch_log_put(struct batch_log *batch_log, struct uuid id, int64_t made_us,
                                   struct slice records, uint64_t *position);
// It is over. Not waited for: at worst it is carried out once more.
void batch_log_remove(struct batch_log *batch_log, struct uuid id);
// The mutations of records, in `arena`, which the records outlive. Those of tables that are gone
// are left out.
void batch_log_decode(const struct batch_log *batch_log, struct slice records, struct arena *arena,
                      struct mutation **mutations, size_t *count);

#endif
