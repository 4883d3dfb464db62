// Reading a commit log back at the start of a node.
//
//     segment 7: | r1 | r2 | r3 |        segment 8: | mark 3 | r4 | r5 | ~~~ torn ~~~
//
// Positions have no gap. Where one is missing the log ends, and what may follow is cut off, if
// nothing proves that the missing ones had been synced (commit_log_format.h); else it is damage.
// Damage is an error that changes nothing; or, if the user chose so, it is skipped, and a gap
// written over it tells later starts that this was seen.
#ifndef STORAGE_COMMIT_LOG_REPLAY_H
#define STORAGE_COMMIT_LOG_REPLAY_H

#include "storage/commit_log/commit_log.h"
#include "storage/commit_log/commit_log_segment.h"

struct commit_log_replayed {
    struct commit_log_segment *segments; // Those kept, the oldest first.
    uint64_t last_position;
    uint64_t last_segment_id; // The highest that there was.
    struct commit_log_loss loss;
};

// Blocks. All that was replayed is synced when it returns OK.
MUST_USE enum status commit_log_replay(struct env *env, const struct commit_log_options *options,
                                       commit_log_replayer *replay, void *context,
                                       struct commit_log_replayed *replayed, struct error *error);

#endif
