// Turns the sums of a batch into counter shards: the reducer of exactly-once.md §2, for the ranges
// of the ring that a task names (cut.h).
//
//     counter id = f(job, output)    clock = n    count = running total of the cell
//
//     gathered cells --slice--> totals: in memory | none yet | read through the engine
//                    --> shard --coordinator, synced--> settled        all settled --> REPORT
//
// Applying a batch twice, by whomever, writes the same shards, and merging equal shards changes
// nothing. The rules, numbered as there:
//
// 4.  A cell is computed once in a batch, from all parts of one cut.
// 5.  Batch n begins when n - 1 is done everywhere.
// 6.  A total in memory is used in batch n only if this process itself ran batch n - 1 of the same
//     ranges.
// 8.  A shard found at clock n or beyond is not added to,
// 9.  but is written back, and is settled when that write is synced.
// 11. The report follows the last cell.
//
// §2.5: a shard of clock n that is there with another count, or a batch that comes again with other
// sums, breaks the job: its code is not repeatable.
//
// One reducer for each job that workers of this node run. The loop's. Cells are worked on in
// slices, a bounded number at a time, so that CQL clients get their turns in between.
#ifndef STREAM_REDUCER_H
#define STREAM_REDUCER_H

#include "ring/coordinator/coordinator.h"
#include "ring/metadata/metadata.h"
#include "stream/job/gather.h"
#include "stream/job/job_protocol.h"

// Bytes of totals that a reducer keeps from batch to batch; above, all are dropped and read again.
#define REDUCER_TOTALS_MAX (16 * (size_t)MIB)
// Cells of one slice, and slices under way.
enum { REDUCER_SLICE_CELLS = 256, REDUCER_SLICES_MAX = 8 };

struct reducer;

// All outlive it. `engine` is this node's, to hear of conflicts.
struct reducer *reducer_create(struct env *env, struct coordinator *coordinator,
                               const struct engine *engine, const struct metadata *metadata,
                               struct uuid job);
// No run may be under way.
void reducer_destroy(struct reducer *reducer);
// Frees the memory alone, whatever is under way (simulator).
void reducer_abandon(struct reducer *reducer);

// Where the job's outputs go, by name. The same for every worker of a job, since they run the same
// code. Copied.
void reducer_set_targets(struct reducer *reducer, const struct job_target *targets, size_t count);

bool reducer_is_running(const struct reducer *reducer);
// Ends its task, if it has one, as soon as no write is under way: CANCELED. A write that finds no
// room is not tried again.
void reducer_give_up(struct reducer *reducer);
// A batch gave other sums when it ran again (§2.5): the last run failed for that, and all will.
bool reducer_is_broken(const struct reducer *reducer);
uint64_t reducer_last_used_ns(const struct reducer *reducer);

// Runs a task whose parts are gathered (the gather is emptied). Refused at once, without `done`:
// IN_USE while another runs; CONFLICT when the metadata log does not have the batch or its
// predecessor is not done; INVALID when an output has no table. Else `done` comes, in a later turn,
// with the report or with what went wrong: then the task may be sent again.
MUST_USE enum status
reducer_run(struct reducer *reducer, const struct job_task *task, struct gather *gather,
            void (*done)(void *context, enum status status, const struct error *error,
                         const struct job_report *report),
            void *context, struct error *error);

// The id under which a job writes one of its outputs.
struct uuid reducer_counter_id(struct uuid job, uint64_t output);

#endif
