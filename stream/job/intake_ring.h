// A worker's end of an input that nobody can read twice: on up to three members of the ring, of
// which a majority has synced a block before a batch may name its bytes (intake_copy.h). So they
// are there to be read again when the worker's machine is gone, or one of theirs.
//
//     SURVEY --promises of a majority--> COPYING --all that is needed, adopted--> OPEN
//        ^------ a higher epoch, while others bid or too few answer --/             \--CONFLICT
//
// A survey takes the highest epoch that any of a majority has adopted. Every block that ever was
// safe is on one of them at least, in that epoch. All from the first batch that is not done is
// written again in the worker's own epoch before that is adopted; what the worker before it had
// under way then either is in it, on a majority, or never will be (Raft's and BookKeeper's
// recovery, Ongaro 2014 and Junqueira et al. 2013, with a new log for each writer).
//
// A member that was away leaves out what it missed. A worker that is outbid fails with CONFLICT.
#ifndef STREAM_INTAKE_RING_H
#define STREAM_INTAKE_RING_H

#include "base/env.h"
#include "stream/job/job_protocol.h"
#include "stream/source/source_store.h"

enum { INTAKE_COPIES_MAX = 3 };

struct intake_ring;

struct intake_ring_options {
    struct uuid job;
    uint32_t source;
    uint64_t required;           // Recorded batches name the bytes before it.
    const struct job_ring *ring; // Is copied.
    uint64_t timeout_ns;
};

struct intake_ring *intake_ring_create(struct env *env, const struct intake_ring_options *options);
// Nothing more will come, and nothing is asked for any more: while the loop still runs.
void intake_ring_leave(struct intake_ring *intake);
void intake_ring_destroy(struct intake_ring *intake);
void intake_ring_abandon(struct intake_ring *intake); // After a simulated crash.
struct source_store *intake_ring_store(struct intake_ring *intake);

#endif
