// Schema and jobs in one total order (invariant 11): a log of numbered records, each durable before
// anybody is told of it. On one node it is a file of its own; on several it is agreed by Paxos
// (CEP-21's idea) behind this same interface.
//
// What a record means, and whether its condition holds, is decided when it is applied, from nothing
// but the records before it (metadata.h). So every node, and every start of a node, decides alike.
//
//     DIR/log-<number of the snapshot>
//     file   = u64 magic | u64 number | u64 XXH3 of state | u32 size | state, record*
//     record = u32 size | u64 number | u64 synced | u64 XXH3 of bytes, seeded with both | bytes
//
// `synced` is the newest number that was durable when the record was written: it tells a torn tail
// (nobody was told of it; cut) from damage to what was acknowledged (CORRUPT). When the records
// outweigh the state, a new file begins with the state of now and the old one goes.
#ifndef RING_METADATA_LOG_H
#define RING_METADATA_LOG_H

#include "base/buffer.h"
#include "base/env.h"

struct metadata_log;
struct messaging;
struct liveness;

struct metadata_log_events {
    // Called in order for each record: at open for those on disk, later for each that became
    // durable. CONFLICT: its condition does not hold; nothing changed. No other status but OK.
    enum status (*applied)(void *context, uint64_t number, struct slice record);
    // Writes the whole state so that it can stand in place of the records up to now.
    void (*snapshot)(void *context, struct buffer *state);
    // The opposite: at open, and later when we have missed so much that another member sends the
    // whole state. All of it, or a fault and nothing.
    enum status (*restore)(void *context, struct slice state, struct error *error);
    // Whether restore() could read it.
    enum status (*check)(void *context, struct slice state, struct error *error);
};

struct metadata_log_options {
    const char *directory;
    uint16_t self, member_count; // 0 or 1: alone.
    // A new log begins with the state that the owner has now.
    bool begins_with_state;
};

// Makes the directory if it is missing. Blocks: for start-up only. CORRUPT, IO, NO_SPACE.
MUST_USE enum status metadata_log_open(struct env *env, const struct metadata_log_options *options,
                                       const struct metadata_log_events *events, void *context,
                                       struct metadata_log **log, struct error *error);
// From now on with the others. NULL: no more; appends under way end TIMED_OUT, later ones too, and
// neither is touched again. An append of a member of several waits to be joined.
void metadata_log_join(struct metadata_log *log, struct messaging *messaging,
                       struct liveness *liveness);
// See metadata.h.
void metadata_log_catch_up(struct metadata_log *log, uint16_t member, uint64_t number);
void metadata_log_catch_up_all(struct metadata_log *log, uint64_t timeout_ns,
                               void (*done)(void *context), void *context);
// Calls `drained` in a later turn, once nothing is under way, neither an append nor a new file.
void metadata_log_drain(struct metadata_log *log, void (*drained)(void *context), void *context);
// Only when drained, or before the first append.
void metadata_log_close(struct metadata_log *log);
// Frees it without a look at what is under way (engine_abandon()).
void metadata_log_abandon(struct metadata_log *log);

// The number of the newest applied record; 0: none yet.
uint64_t metadata_log_number(const struct metadata_log *log);

// Lives in its owner's memory until `done`.
struct metadata_log_append {
    // OK: durable, and applied just before this call. CONFLICT: durable, and nothing changed. IO,
    // NO_SPACE: it may or may not be there after the next start; the log takes no more.
    void (*done)(struct metadata_log_append *append, enum status status);
    struct slice record;              // Valid until `done`.
    struct metadata_log_append *next; // The rest is the log's.
    enum status status;
};

// `done` never comes inside this call. What gathers while one write is under way shares the next
// sync.
void metadata_log_append(struct metadata_log *log, struct metadata_log_append *append,
                         struct slice record,
                         void (*done)(struct metadata_log_append *append, enum status status));

#endif
