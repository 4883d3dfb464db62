// The parts of one batch as they come from a mapper: one sum for each target cell, each part
// counted once (rule 4 of exactly-once.md).
//
// A gather holds parts of one cut only; parts of another batch or another cut begin it anew. Two
// cuts are never mixed.
#ifndef STREAM_GATHER_H
#define STREAM_GATHER_H

#include "stream/dataset/combine.h"
#include "stream/job/job_protocol.h"

// Bytes of sums, and parts, of one batch. More is refused: batches must be smaller.
#define GATHER_SIZE_MAX (128 * (size_t)MIB)
enum { GATHER_PARTS_MAX = 65536 };

struct gather {
    struct uuid job;
    uint64_t number, cut;             // 0: empty.
    struct combine sums[OUTPUTS_MAX]; // Cell key -> integer.
    uint64_t part_count;
    uint8_t seen[GATHER_PARTS_MAX / 8];
};

void gather_init(struct gather *gather);
void gather_deinit(struct gather *gather);
void gather_clear(struct gather *gather);
// INVALID: no sense in it; OVERLOADED: too much. A part that came before is OK and adds nothing.
MUST_USE enum status gather_add(struct gather *gather, const struct job_part *part,
                                struct error *error);
// All parts of the task are there.
bool gather_is_whole(const struct gather *gather, const struct job_task *task);

#endif
