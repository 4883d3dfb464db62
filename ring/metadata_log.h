// Schema and jobs in one total order (invariant 11): a log of numbered records, appended by
// compare-and-set, durable before anybody is told. On one node it is a file of its own,
// DIR/metadata/log-N; on several it is agreed by Paxos (CEP-21's idea) behind this same interface.
//
//     record = u32 length | u64 number | u64 XXH3 (seeded with the number) | kind u8 | body
//
// metadata.h gives the records their meaning: a state machine that each applied record moves on.
#ifndef RING_METADATA_LOG_H
#define RING_METADATA_LOG_H

#include "base/buffer.h"
#include "base/env.h"

struct metadata_log;

// Called in order for each record: at open for those on disk, later for each that becomes durable.
struct metadata_log_events {
    void (*applied)(void *context, uint64_t number, struct slice record);
    // Writes the whole state so that it can stand in place of the records up to now.
    void (*snapshot)(void *context, struct buffer *state);
    // The opposite, at open.
    enum status (*restore)(void *context, struct slice state, struct error *error);
};

// Blocks: for start-up only.
MUST_USE enum status metadata_log_open(struct env *env, const char *directory,
                                       const struct metadata_log_events *events, void *context,
                                       struct metadata_log **log, struct error *error);
void metadata_log_close(struct metadata_log *log, void (*closed)(void *context), void *context);
void metadata_log_abandon(struct metadata_log *log); // As engine_abandon().

// The number of the newest applied record; 0: none yet.
uint64_t metadata_log_number(const struct metadata_log *log);

struct metadata_log_append {
    // OK: durable, and applied (just before this call). CONFLICT: the log stood elsewhere than at
    // `expected`; nothing changed. IO, NO_SPACE: final.
    void (*done)(struct metadata_log_append *append, enum status status);
    struct metadata_log_append *next; // The rest is the log's.
    uint64_t expected;
    struct slice record;
    enum status status;
};
// Appends as number `expected` + 1. `record` stays valid until `done`, which never comes inside
// this call. Appends that gather while one is written share one sync.
void metadata_log_append(struct metadata_log *log, struct metadata_log_append *append,
                         uint64_t expected, struct slice record,
                         void (*done)(struct metadata_log_append *append, enum status status));

#endif
