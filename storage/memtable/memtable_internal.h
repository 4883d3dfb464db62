// What memtable.c and memtable_read.c share: the memtable itself.
#ifndef STORAGE_MEMTABLE_INTERNAL_H
#define STORAGE_MEMTABLE_INTERNAL_H

#include "storage/memtable/memtable.h"
#include "storage/memtable/memtable_index.h"

struct memtable {
    uint32_t references; // Any thread.
    bool frozen;
    int64_t min_timestamp;
    const struct table *table;
    struct arena arena; // All partitions and what is in them.
    struct memtable_index index;
    struct memtable_order partitions; // By token, then by key.
    // What memtable_find_cell() found last, or memtable_prefetch() takes for the place of the next
    // change: who counts looks first, then writes the same place.
    struct memtable_partition *found_partition;
    struct memtable_row *found_row;
    struct cell found_cell;
};

struct memtable_partition *memtable_find_partition(const struct memtable *memtable,
                                                   const struct partition_key *key);
// What the order of partitions has as prefix.
uint64_t memtable_token_prefix(struct token token);

#endif
