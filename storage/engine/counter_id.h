// The counter id of a node: the name under which it counts (invariant 2, exactly-once.md §3).
//
// After a crash the node may have shown shards that it no longer has, so the next run takes a new
// id: one (id, clock) never names two counts. Only a clean stop leaves a mark that lets the id
// live on; the mark is removed, durably, before the first write of the next run.
//
//     DIR/counter_id    the id
//     DIR/clean_stop    the id, the commit log's last position, the highest clock given so far
#ifndef STORAGE_COUNTER_ID_H
#define STORAGE_COUNTER_ID_H

#include "base/env.h"
#include "storage/schema/schema.h"

struct counter_id {
    struct uuid id;
    int64_t clock_max; // No shard of this id has a higher clock.
};

// The id for this run: that of the last one if it stopped clean and the log ends where it ended
// then; else a new one. Durable, and the mark is gone, when it returns OK. Blocks.
MUST_USE enum status counter_id_take(struct env *env, const char *directory, uint64_t log_position,
                                     struct counter_id *id, struct error *error);
// A new id for the rest of this run, durable when it returns OK: data has come that may have counts
// of the present one. Blocks.
MUST_USE enum status counter_id_renew(struct env *env, const char *directory, struct uuid id,
                                      struct error *error);
// Leaves the mark of a clean stop: after the last sync. Blocks.
MUST_USE enum status counter_id_leave(struct env *env, const char *directory, uint64_t log_position,
                                      const struct counter_id *id, struct error *error);

#endif
