// Invariant E2 of jobs, looked at from outside: wherever a shard is, its count is the true one as
// of the batch that its clock names. The checker knows the input, not where batches end; but all
// shards of one clock say something of the one line before which their batch ended:
//
//     xa has 7 at clock 3:   lines 120 … 133     (the first 120 have it 7 times, the first 134
//     more) xb has 9 at clock 3:   lines 126 … 140     so batch 3 ended behind line 126 … 133
//
// When nothing is left of that, or batches would end in another order, some shard is not true. So a
// wrong one is found at the replica where it is, though newer ones hide it from every QUORUM read.
#ifndef NODE_SIM_JOB_SHARDS_H
#define NODE_SIM_JOB_SHARDS_H

#include "storage/engine/engine.h"

enum { JOB_SHARDS_WORDS = 20 };

struct job_shards;

struct job_shards *job_shards_create(void);
void job_shards_destroy(struct job_shards *shards);
// The next line of the input: how often it has each word ("xa", "xb" …).
void job_shards_add_line(struct job_shards *shards, const int64_t counts[static JOB_SHARDS_WORDS]);
// Looks at what this engine holds of the counts and does not have to load. NULL, or what is wrong.
const char *job_shards_look(struct job_shards *shards, struct engine *engine,
                            const struct table *table, char message[static 512]);

#endif
