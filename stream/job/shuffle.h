// A worker's connections to the reducers: sends each cell of a batch to the member whose range has
// it, gives each member its task, and collects their reports.
//
//     member:   OUT --in the cut--> CONNECTING -> SENDING parts -> SETTLING the task -> REPORTED
//                                       ^-- PAUSED <---/-- it is busy, or has not all parts
//
// A batch may be started again as often as it takes. With the same cut what was reported counts,
// and what is under way goes on; with another one everybody begins anew (rules 4 and 11 of
// exactly-once.md). The sums of a report do not depend on the cut: hashes are added.
//
// Members that say nothing are asked for a sign of life; one that gives none is lost.
#ifndef STREAM_SHUFFLE_H
#define STREAM_SHUFFLE_H

#include "stream/dataset/mapper.h"
#include "stream/job/cut.h"

struct shuffle;

struct shuffle_events {
    // All of the ring has reported the batch.
    void (*reported)(void *context, const struct job_report *report);
    // A member can not be reached (`is_lost`), or refuses the batch; the others go on.
    void (*failed)(void *context, uint16_t member, bool is_lost, const struct error *error);
    // A member says that it will have to be later. For a person.
    void (*trouble)(void *context, const char *text);
};

// What a TASK has but for parts and ranges.
struct shuffle_task {
    struct uuid job;
    uint64_t done_through, log_number;
    uint16_t home;
    const struct job_target *targets;
    size_t target_count;
};

struct shuffle *shuffle_create(struct env *env, uint64_t timeout_ns,
                               const struct shuffle_events *events, void *context);
void shuffle_destroy(struct shuffle *shuffle);
void shuffle_abandon(struct shuffle *shuffle); // After a simulated crash.

// The batch stays valid until the report, or shuffle_forget(). Addresses are those of `ring`; a
// ring of one has that of its member 0, though it has no list of members.
void shuffle_start(struct shuffle *shuffle, const struct shuffle_task *task,
                   const struct mapper_batch *batch, const struct job_ring *ring,
                   const struct cut *cut);
// Nothing more comes of the batch.
void shuffle_forget(struct shuffle *shuffle);
// The same, and all connections end: while the loop still runs.
void shuffle_stop(struct shuffle *shuffle);
// Looks for members that say nothing: call twice a second or so.
void shuffle_tick(struct shuffle *shuffle);
// Has the member something to do still?
bool shuffle_waits_for(const struct shuffle *shuffle, uint16_t member);

#endif
