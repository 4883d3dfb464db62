// The map-side combine: one value for each key of a batch, so that a shuffle carries each key once.
//
// Open addressing over hashes; keys live in an arena that is given back at once when the batch
// ends.
#ifndef STREAM_COMBINE_H
#define STREAM_COMBINE_H

#include "base/arena.h"
#include "stream/dataset/value.h"

struct combine_slot {
    uint64_t hash;
    struct slice key; // Null: free.
    struct value value;
};

struct combine {
    struct combine_slot *slots;
    size_t capacity; // A power of two, or 0.
    size_t count;
    struct arena arena; // Of the keys, and of what the owner keeps with them.
};

void combine_init(struct combine *combine);
void combine_deinit(struct combine *combine);
// Forgets all keys and keeps the memory for the next batch.
void combine_clear(struct combine *combine);

// The key's value; NULL-kind when `*is_new`, then the key is copied. Valid until the next call.
struct value *combine_find(struct combine *combine, struct slice key, bool *is_new);

// NULL when it is not there.
const struct value *combine_get(const struct combine *combine, struct slice key);

// What it costs.
static inline size_t combine_size(const struct combine *combine)
{
    return combine->capacity * sizeof *combine->slots + arena_size(&combine->arena);
}

#endif
