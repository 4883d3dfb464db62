// One batch on its way through the graph: which bytes it has, what came of them.
//
//     begin --block, block, …--> finish --> parts, ready to be sent as often as it takes
//
// The steps run on a thread, one at a time; in between the batch is the loop's.
#ifndef STREAM_MAPPER_H
#define STREAM_MAPPER_H

#include "stream/job/job_protocol.h"
#include "stream/lua/lua_job.h"
#include "stream/source/source.h"

struct mapper_part {
    uint32_t output;
    struct slice cells; // In the batch's arena.
};

struct mapper_batch {
    struct job_batch record; // Number, time, bytes, input hash.
    bool is_recorded;        // It is run again: the bytes and their hash are given.
    struct checksum_xxh3 *input;
    uint64_t line_count; // The owner's: of its blocks.
    uint64_t records, faults[JSON_FAULT_COUNT];
    uint64_t sum; // Of all its cells' sums, modulo 2^64.
    struct arena arena;
    struct mapper_part *parts;
    size_t part_count, part_capacity;
    uint64_t cut;
};

struct mapper_batch *mapper_batch_create(const struct job_batch *record, bool is_recorded,
                                         uint64_t cut);
void mapper_batch_destroy(struct mapper_batch *batch);

// On the thread. A fault's text is in the graph's task, or in `error`.
void mapper_begin(struct mapper_batch *batch, struct lua_job *job);
MUST_USE enum status mapper_process(struct mapper_batch *batch, struct lua_job *job,
                                    const struct source_block *block, struct error *error);
// Between two blocks: it should end with what it has, or it may become more than reducers hold.
bool mapper_has_enough(const struct mapper_batch *batch, struct lua_job *job);
// CORRUPT: a recorded batch's bytes are not those that were recorded.
MUST_USE enum status mapper_finish(struct mapper_batch *batch, struct lua_job *job,
                                   struct error *error);

#endif
