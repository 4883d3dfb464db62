// Schema, members and jobs in one total order (invariant 11): a log of numbered records, each
// durable before anybody is told of it. On one node it is a file of its own
// (metadata_journal.h); on several it is agreed on for each number by Paxos, without a leader
// (CEP-21's idea), behind this same interface. On several a number's value is a list of records:
// what waits at one node goes together.
//
// What a record means, and whether its condition holds, is decided when it is applied, from nothing
// but the records before it (metadata.h). So every node, and every start of a node, decides alike.
//
//     append -> PREPARE all -majority promised, synced-> ACCEPT all -majority accepted, synced->
//     chosen -> COMMIT all: CHOSEN synced, applied -> all that live have applied it -> done
//
// Whoever was the last to have a value chosen goes to ACCEPT at once: a run of changes from one
// node costs two turns and two syncs each. Who was away asks for what it missed, or for the whole
// state.
#ifndef RING_METADATA_LOG_H
#define RING_METADATA_LOG_H

#include "base/buffer.h"
#include "base/env.h"
#include "ring/metadata/metadata_journal.h"

struct metadata_log;
struct messaging;
struct liveness;

struct metadata_log_events {
    // Called in order for each record: at open for those on disk, later for each that became
    // durable. Records that were chosen together have one number. CONFLICT: its condition does not
    // hold; nothing changed. No other status but OK.
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
// The last time that all were asked, a majority answered and we had what they have.
bool metadata_log_is_caught_up(const struct metadata_log *log);
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
    // OK: chosen, applied here just before this call, and by all members that live (or a second
    // passed: who has not applied it by then learns of it with the next request that it gets).
    // CONFLICT: likewise, and nothing changed. TIMED_OUT: no majority answered in time; it may be
    // chosen later, once. IO, NO_SPACE: our own disk; it may or may not be there, the log takes no
    // more.
    void (*done)(struct metadata_log_append *append, enum status status);
    struct slice record;              // Valid until `done`.
    struct metadata_log_append *next; // The rest is the log's.
    struct metadata_log *log;
    struct metadata_journal_entry entry;
    uint64_t deadline_ns, sequence, index, number;
    enum status status;
};

// `done` never comes inside this call. What gathers while one write is under way shares the next
// sync.
void metadata_log_append(struct metadata_log *log, struct metadata_log_append *append,
                         struct slice record,
                         void (*done)(struct metadata_log_append *append, enum status status));
// Appends nothing: `done` comes, OK, when all members that live have applied what we have, or as
// above.
void metadata_log_settle(struct metadata_log *log, struct metadata_log_append *append,
                         void (*done)(struct metadata_log_append *append, enum status status));

#endif
