// Writes that a member missed while it was down, kept for it and sent when it is back
// (org.apache.cassandra.hints).
//
//     DIR/hints/<host id>-<number>.hints
//     file   = u64 magic | record*
//     record = u32 size | u64 XXH3 of what follows | i64 time it was made, us | engine's record
//     DIR/hints/truncations = u64 magic | n * (16 table id | u64 number) | u64 XXH3
//
// Bounded in bytes for each member and in age; what does not fit or is too old is left to read
// repair, and counted. Of counters only ready shards are ever hinted, never
// an increment. A hint is never applied to a table that was truncated after it was made, nor when
// it is older than the table's gc_grace_seconds: it could bring back what a tombstone took.
//
// Numbers of files grow over all members. A truncation ends all files and remembers the next
// number: what is for that table in a file before it is void, whatever clocks do.
//
//     add -> memory --a short time later, in one go--> file, synced (a crash loses what was before)
//
//     WAITING --member is up--> READING <--acknowledged-- SENDING
//        ^                        |  \--a block--------------^  |
//        |                        \--end of file--> REMOVING --> next file | WAITING
//        \------------------/member is down, or does not answer: again from the block
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
    // Tables of the system's own that have replicas, as in coordinator_options. NULL: none.
    const struct schema *system_schema;
    // How long a block of hints may take until it is acknowledged; 0: 10 s.
    uint64_t answer_timeout_ns;
};

// Makes the directory; finds what is there. Blocks: for start-up only.
MUST_USE enum status hints_open(struct env *env, const struct hints_options *options,
                                struct metadata *metadata, struct engine *engine,
                                struct messaging *messaging, struct liveness *liveness,
                                struct hints **hints, struct error *error);
// Before messaging and liveness are closed. `closed` comes once all that was kept is on the disk.
void hints_close(struct hints *hints, void (*closed)(void *context), void *context);
void hints_abandon(struct hints *hints);

// Keeps a copy of a record (engine_put_record()). OVERLOADED: the bound in bytes or age, or it is
// disabled; IO.
MUST_USE enum status hints_add(struct hints *hints, uint16_t member, struct slice record);
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
// Bytes kept for a member.
uint64_t hints_size(const struct hints *hints, uint16_t member);
// The files of what is kept for it. False: nothing is.
struct hints_pending {
    uint32_t files;
    int64_t oldest_us, newest_us; // When the first hint of the oldest and the newest file was made.
};
bool hints_pending(const struct hints *hints, uint16_t member, struct hints_pending *pending);
// What could not be kept, and what was dropped at its replay, since the start.
uint64_t hints_dropped(const struct hints *hints);

#endif
