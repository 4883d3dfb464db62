// The running totals of a job's cells that its reducer keeps in memory (rule 6 of exactly-once.md).
//
// An entry is set when a shard is computed and not changed by what becomes of its writes. When
// `complete`, every cell that has a total is held: one that is not found has none.
#ifndef STREAM_TOTALS_H
#define STREAM_TOTALS_H

#include "stream/dataset/combine.h"

struct total {
    uint64_t clock; // The batch.
    int64_t count;
};

struct totals {
    struct combine places; // Cell key -> index.
    struct total *items;
    size_t count, capacity;
};

void totals_init(struct totals *totals);
void totals_deinit(struct totals *totals);
bool totals_find(struct totals *totals, struct slice key, struct total *total);
void totals_put(struct totals *totals, struct slice key, struct total total);
size_t totals_size(const struct totals *totals);

#endif
