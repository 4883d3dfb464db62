// One copy of a job's intake, on the disk of a member: the bytes of a source that nobody can read
// twice, for as long as a batch may need them again. Its other copies are on other members; the
// worker writes to all of them and counts what a majority has synced (intake_ring.h).
//
//     DIR/intake/<job>-<source>-<epoch>-<segment>      epoch 16 hex digits, segment 6
//     segment = block*
//     block   = kind u32 | size u32 | offset u64 | XXH3 of the bytes u64, seeded with the offset |
//               XXH3 of these 24 bytes u64, seeded with the epoch | bytes
//
// Each worker that takes the job over writes in an *epoch* of its own, higher than all before:
//
//     none --open--> PROMISED --blocks of the epoch before, in order; adopt--> ADOPTED --blocks-->
//
// Invariants:
// - A promise holds: nothing of a lower epoch is taken after it (its file's name is durable).
// - The highest epoch that is adopted is what the copy has; it stays until a higher one is. So the
//   bytes of a majority survive a worker that dies while it copies them.
// - In one epoch an offset names the same bytes on all copies: it has one writer. A copy may lack
//   blocks (it was away), never have others.
//
// All functions block: for a thread, one at a time for a copy. After a fault (IO, NO_SPACE) the
// copy is good for intake_copy_close() only; loading it again makes durable what it then shows.
#ifndef STREAM_INTAKE_COPY_H
#define STREAM_INTAKE_COPY_H

#include "base/buffer.h"
#include "base/env.h"
#include "base/limits.h"
#include "storage/uuid.h"

struct intake_copy;

struct intake_copy_state {
    uint64_t promised; // The epoch; 0: none.
    uint64_t end;      // Where its bytes end here; 0: there are none yet.
    uint64_t adopted;  // The highest one that is; 0: none.
    uint64_t adopted_end;
};

// `directory` need not exist; then nothing is there.
MUST_USE enum status intake_copy_load(struct env *env, const char *directory, struct uuid job,
                                      uint32_t source, struct intake_copy **copy,
                                      struct error *error);
void intake_copy_close(struct intake_copy *copy);
struct intake_copy_state intake_copy_state(const struct intake_copy *copy);

// Promises the epoch, unless a higher one is: see the state.
MUST_USE enum status intake_copy_open(struct intake_copy *copy, uint64_t epoch,
                                      struct error *error);
// Appends and syncs. `previous`: where the writer thinks that the copy ends; it may leave out what
// comes before `offset`, once adopted. What is there already is OK. CONFLICT: another epoch;
// NOT_FOUND: not so much is here; INVALID; OVERLOADED.
MUST_USE enum status intake_copy_append(struct intake_copy *copy, uint64_t epoch, uint64_t previous,
                                        uint64_t offset, struct slice bytes, struct error *error);
// All that was before is in this epoch now, here or elsewhere; the copy goes on at `offset`.
MUST_USE enum status intake_copy_adopt(struct intake_copy *copy, uint64_t epoch, uint64_t offset,
                                       struct error *error);
// Bytes of one block from `offset` on, at most `size`. NOT_FOUND: they are not here, or damaged.
MUST_USE enum status intake_copy_read(struct intake_copy *copy, uint64_t epoch, uint64_t offset,
                                      size_t size, struct buffer *bytes, struct error *error);
// Bytes before `done` are of no use any more: removes segments that have no others.
void intake_copy_forget(struct intake_copy *copy, uint64_t done);

// Calls `each` for every job that has a copy in the directory, once or more often. Blocks.
void intake_copy_list(struct env *env, const char *directory,
                      void (*each)(void *context, struct uuid job), void *context);
// Removes all copies of a job.
void intake_copy_remove(struct env *env, const char *directory, struct uuid job);

#endif
