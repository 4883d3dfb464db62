// The hash index of a memtable: partition keys to partitions. Open addressing, linear probing, at
// most half full. It grows step by step, a few slots with each insertion, so that no write waits
// until a large index is copied.
//
//     slots:     | . | p | p | . | p | ...            new partitions go here
//     old_slots: | p | . | ... moved from the left    still searched while it lasts
#ifndef STORAGE_MEMTABLE_INDEX_H
#define STORAGE_MEMTABLE_INDEX_H

#include "storage/memtable/memtable_partition.h"

struct memtable_index_slot {
    uint64_t hash;
    struct memtable_partition *partition; // NULL: free.
};

// All zero is an empty one.
struct memtable_index {
    struct memtable_index_slot *slots, *old_slots;
    size_t capacity, old_capacity; // Powers of two.
    size_t count;
    size_t moved; // Slots of the old part that are empty or copied.
};

void memtable_index_deinit(struct memtable_index *index);
uint64_t memtable_index_hash(struct slice key);
// NULL when there is none.
struct memtable_partition *memtable_index_find(const struct memtable_index *index, uint64_t hash,
                                               struct slice key);
// As memtable_order_prefetch() and memtable_order_guess().
void memtable_index_prefetch(const struct memtable_index *index, uint64_t hash);
struct memtable_partition *memtable_index_guess(const struct memtable_index *index, uint64_t hash);
// The key is not in it yet.
void memtable_index_insert(struct memtable_index *index, uint64_t hash,
                           struct memtable_partition *partition);
size_t memtable_index_size(const struct memtable_index *index); // In bytes.

#endif
