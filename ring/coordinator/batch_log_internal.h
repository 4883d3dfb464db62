// What the files of the batch log share.
//
//     live: what is stored here and not over ── id, time
//
// The table itself is only walked at the start; from then on memory knows what in it lives, so that
// what was removed costs nothing. When nothing lives the table is truncated: at once when much was
// removed, else from time to time.
#ifndef RING_BATCH_LOG_INTERNAL_H
#define RING_BATCH_LOG_INTERNAL_H

#include "ring/coordinator/batch_log.h"
#include "ring/coordinator/coordinator_state.h"

enum { BATCH_BUCKETS = 1024, BATCH_REMOVED_MAX = 4096 };
// In the place of each cell that is a record: the position of the log at which it was stored, to be
// compared with those of truncations. No clock has a say in it, and it outlives the process.
enum { BATCH_PLACE_POSITION = 8 };

struct live_batch {
    struct live_batch *next; // In its bucket.
    struct uuid id;
    int64_t made_us;
};

// The replay: one batch at a time.
//
//     RESTING --timer--> LOOKING --one that is due--> SYNCING -> WRITING --by a quorum--> removed
//        ^                  |  \--miss--> LOADING -> LOOKING |       |                        |
//        \---none is left---/  ^-----------------------------/-------/------------------------/
//                                                  not synced, not yet
//
// Of a batch that is in memory alone a crash in the middle would leave a part and nobody who knows
// the rest, so it is not begun.
enum replay_state {
    REPLAY_RESTING,
    REPLAY_LOOKING,
    REPLAY_LOADING,
    REPLAY_SYNCING,
    REPLAY_WRITING
};

struct batch_replay {
    enum replay_state state;
    bool has_walked; // The whole table, once, since the start.
    bool has_last;   // That walk goes on behind `last`.
    struct token last_token;
    struct uuid last;
    struct uuid *due; // Still to be carried out in this round.
    size_t due_count, due_capacity;
    struct env_timer timer;
    struct env_task task;
    struct read_pins pins;
    struct arena arena;
    struct engine_load load;
    struct commit_log_waiter waiter;
    struct coordinator_write write;
    int64_t made_us;
    uint64_t stored_at; // Position of the log.
    uint64_t position;  // Of the newest that was read of it: to be synced before it is written.
    struct buffer records;
};

struct batch_log {
    struct env *env;
    struct batch_log_options options;
    struct coordinator *coordinator;
    uint16_t mutations_column, version_column;
    struct message_handler store, remove;
    struct live_batch *buckets[BATCH_BUCKETS];
    size_t live_count, removed_count;
    struct engine_flush truncation;
    bool is_truncating;
    struct batch_replay replay;
    bool is_stopped;
};

// batch_log.c
void batch_log_add_live(struct batch_log *batch_log, struct uuid id, int64_t made_us);
// NULL: it is over, or was never here.
struct live_batch *batch_log_find_live(const struct batch_log *batch_log, struct uuid id);
// What was removed goes for good, if that is `removed_min` at least and nothing lives.
void batch_log_tidy(struct batch_log *batch_log, size_t removed_min);

// batch_log_replay.c
void batch_log_replay_begin(struct batch_log *batch_log);
void batch_log_replay_stop(struct batch_log *batch_log);
void batch_log_replay_deinit(struct batch_log *batch_log);

#endif
