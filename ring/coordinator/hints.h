// Writes that a member missed while it was down, kept for it and sent when it is back
// (org.apache.cassandra.hints).
//
//     DIR/hints/<host id>-<number>.hints
//     file   = u64 magic | record*
//     record = u32 size | u64 XXH3 of what follows | i64 time it was made, us | encoded mutation
//
// Bounded in bytes for each member and in age; what does not fit or is too old is left to read
// repair, counted, and told in the log once. Of counters only ready shards are ever hinted, never
// an increment. A hint is never applied to a table that was truncated after it was made, nor when
// it is older than the table's gc_grace_seconds: it could bring back what a tombstone took.
//
//     WAITING --member is up--> SENDING --all acknowledged--> file removed --> next file | IDLE
//        ^------------------------/member is down
#ifndef RING_HINTS_H
#define RING_HINTS_H

#include "ring/liveness/liveness.h"
#include "ring/metadata/metadata.h"
#include "storage/engine/engine.h"

struct hints;

struct hints_options {
    const char *directory;
    uint64_t window_us;       // max_hint_window; 0: 3 hours.
    uint64_t member_size_max; // Bytes for one member; 0: limits.h.
    uint64_t bytes_per_s;     // hinted_handoff_throttle; 0: 16 MiB.
    bool is_disabled;         // hinted_handoff_enabled: false.
};

// Makes the directory; finds what is there. Blocks: for start-up only.
MUST_USE enum status hints_open(struct env *env, const struct hints_options *options,
                                struct metadata *metadata, struct engine *engine,
                                struct messaging *messaging, struct liveness *liveness,
                                struct hints **hints, struct error *error);
// `closed` comes once all that was kept is on the disk.
void hints_close(struct hints *hints, void (*closed)(void *context), void *context);
void hints_abandon(struct hints *hints);

// Keeps a copy. OVERLOADED: the bound; IO.
MUST_USE enum status hints_add(struct hints *hints, uint16_t member, struct slice mutation);
// `done` when all that was added before is durable: for consistency ANY.
struct hints_wait {
    void (*done)(struct hints_wait *wait, enum status status);
    struct hints_wait *next;
    uint64_t position;
};
void hints_wait_synced(struct hints *hints, struct hints_wait *wait,
                       void (*done)(struct hints_wait *wait, enum status status));
// Everything kept for `table` so far is void.
void hints_truncate(struct hints *hints, struct uuid table);
uint64_t hints_size(const struct hints *hints, uint16_t member);

#endif
