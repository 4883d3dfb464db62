// The intake: a stream that nobody can read twice, on disk for as long as a batch may be run again.
//
//     DIR/<job>-000000, DIR/<job>-000001, …     INTAKE_SEGMENT_SIZE bytes each, the last one less
//
// Offsets count all bytes that ever came. A segment goes when all batches that read of it are done.
#ifndef STREAM_INTAKE_H
#define STREAM_INTAKE_H

#include "base/env.h"
#include "base/limits.h"
#include "storage/uuid.h"

#define INTAKE_SEGMENT_SIZE (64 * (uint64_t)MIB)

struct intake;

// Blocks. Takes up what a former run left and makes it durable; `done`: bytes before it are of no
// use any more. Those from there to `recorded` are all there, as a batch has recorded them, or it
// is NOT_FOUND; behind them only whole lines are kept.
MUST_USE enum status intake_open(struct env *env, const char *directory, struct uuid job,
                                 uint64_t done, uint64_t recorded, struct intake **intake,
                                 struct error *error);
void intake_close(struct intake *intake);
// Bytes that are there.
uint64_t intake_size(const struct intake *intake);
// Appends and syncs. For a thread, as the next.
MUST_USE enum status intake_append(struct intake *intake, struct slice bytes, struct error *error);
MUST_USE enum status intake_read(struct intake *intake, uint64_t offset, void *bytes, size_t size,
                                 size_t *read_size, struct error *error);
// Removes segments that end before `offset`; UINT64_MAX: all. Faults are of no interest: a file too
// many does no harm.
void intake_forget(struct intake *intake, uint64_t offset);

#endif
