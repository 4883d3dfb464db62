// Every change is here, synced, before it is acknowledged (invariant 1).
//
// Appending copies a record into memory and gives it a position; a thread writes and syncs what has
// gathered, at once when idle, else what arrived meanwhile in one go. When many write, it waits
// until as many records have come as it wrote the last time, for COMMIT_LOG_GROUP_GAP_NS at most:
// fewer and larger writes cost less and, on a disk that others use too, are faster for everybody.
// Positions grow by one a record from 1 over the life of the data directory, so "synced up to p" is
// one number.
#ifndef STORAGE_COMMIT_LOG_H
#define STORAGE_COMMIT_LOG_H

#include "base/env.h"
#include "base/log.h"
#include "storage/schema/schema.h"

enum commit_log_sync {
    COMMIT_LOG_SYNC_GROUP,    // Default: acknowledged when synced; one sync for all that wait.
    COMMIT_LOG_SYNC_BATCH,    // The same, but never waits for more to come.
    COMMIT_LOG_SYNC_PERIODIC, // Acknowledged at once; synced every period.
};

struct commit_log_options {
    const char *directory; // Made if missing; its name is durable when its parent is synced.
    enum commit_log_sync sync;
    uint64_t period_ns;    // PERIODIC only.
    uint64_t size_max;     // Of what is kept until tables are to be flushed; between the least and
                           // the most of limits.h, 0: the least.
    uint64_t position_min; // Positions given before that the log may have forgotten: the first new
                           // one is larger. A log that ends before it is CORRUPT.
    bool skips_damage;     // Goes on without what is CORRUPT, also by the replayer's word.
    // Of a shell, run for each segment that is complete, also for those that a start finds, before
    // its file goes: %path is the file, %name its name, both quoted (Cassandra's
    // commitlog_archiving.properties). Tried again until it ends with 0. NULL: none.
    const char *archive_command;
    struct log *log; // Told of commands that fail. NULL is allowed.
};

// What a replay with `skips_damage` went on without.
struct commit_log_loss {
    size_t place_count;
    uint64_t change_count; // As far as positions tell.
    uint64_t first_segment_id, first_offset;
};

struct commit_log;

// Called with each whole record of the log in order of position.
typedef enum status commit_log_replayer(void *context, uint64_t position, struct slice record,
                                        struct error *error);

// Replays what is there, then is ready to append. A torn tail (of the last sync) is cut; damage
// before it is CORRUPT with the file and the offset.
MUST_USE enum status commit_log_open(struct env *env, const struct commit_log_options *options,
                                     commit_log_replayer *replay, void *replay_context,
                                     struct commit_log **log, struct error *error);
// Of the replay that opened it. All zero: nothing was lost.
const struct commit_log_loss *commit_log_loss(const struct commit_log *log);
// Calls `drained` in a later turn, once no write is under way or waits (or the log has failed).
void commit_log_drain(struct commit_log *log, void (*drained)(void *context), void *context);
// Writes and syncs what is pending, and closes. Only when drained: it cannot wait for a thread.
void commit_log_close(struct commit_log *log);
// Frees everything without writing anything: what a crash leaves (engine_abandon()).
void commit_log_abandon(struct commit_log *log);

// OVERLOADED at COMMIT_LOG_PENDING_MAX; IO for ever after a failed sync (invariant 7).
MUST_USE enum status commit_log_append(struct commit_log *log, struct slice record,
                                       uint64_t *position);
uint64_t commit_log_synced_position(const struct commit_log *log);
uint64_t commit_log_last_position(const struct commit_log *log);

// Waits for a position. Lives in the waiter's memory. All zero is one that does not wait.
struct commit_log_waiter {
    void (*done)(struct commit_log_waiter *waiter, enum status status); // OK, or IO: not durable.
    uint64_t position;
    struct commit_log_waiter *next, **place;
};
// Calls `done` once `position` is synced (in a later turn, also when it is synced already). In
// PERIODIC mode that is at once.
void commit_log_wait(struct commit_log *log, struct commit_log_waiter *waiter, uint64_t position,
                     void (*done)(struct commit_log_waiter *waiter, enum status status));
// It waits for the disk: not in PERIODIC mode.
bool commit_log_waits_for_disk(const struct commit_log *log);
// The same in PERIODIC mode too, where it begins a write at once.
void commit_log_wait_durable(struct commit_log *log, struct commit_log_waiter *waiter,
                             uint64_t position,
                             void (*done)(struct commit_log_waiter *waiter, enum status status));
void commit_log_cancel_wait(struct commit_log *log, struct commit_log_waiter *waiter);

// Records of `table` up to `position` are in SSTables: segments that nobody needs any more are used
// again. A table that was never marked keeps all segments since its first record.
void commit_log_mark_flushed(struct commit_log *log, struct uuid table, uint64_t position);
// The same by position, for what was replayed: the table has records in [first, last].
void commit_log_mark_dirty(struct commit_log *log, struct uuid table, uint64_t first,
                           uint64_t last);
// More than `size_max` of segments are kept: `*table` has to be flushed to free the
// oldest.
bool commit_log_is_long(const struct commit_log *log, struct uuid *table);
// Far more than that: whoever flushes does not keep up, or cannot. Writers wait.
bool commit_log_is_full(const struct commit_log *log);
// commit_log_append() for a record of this table (so that segments know whom they hold).
MUST_USE enum status commit_log_append_for(struct commit_log *log, struct uuid table,
                                           struct slice record, uint64_t *position);

#endif
