// A binary heap of sources, the first in order on top: who is next in a merge of many.
#ifndef STORAGE_MERGE_HEAP_H
#define STORAGE_MERGE_HEAP_H

#include "base/arena.h"

struct merge_heap {
    void **items;
    size_t count;
    int (*compare)(const void *context, const void *a, const void *b);
    const void *context;
};

// Room for `capacity` items, in the arena.
void merge_heap_init(struct merge_heap *heap, size_t capacity,
                     int (*compare)(const void *context, const void *a, const void *b),
                     const void *context, struct arena *arena);
void merge_heap_push(struct merge_heap *heap, void *item);
// NULL when it is empty.
void *merge_heap_top(const struct merge_heap *heap);
void *merge_heap_pop(struct merge_heap *heap);

#endif
