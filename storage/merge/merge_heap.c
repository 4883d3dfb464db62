#include "storage/merge/merge_heap.h"

void merge_heap_init(struct merge_heap *heap, size_t capacity,
                     int (*compare)(const void *context, const void *a, const void *b),
                     const void *context, struct arena *arena)
{
    *heap = (struct merge_heap){
        .items = ARENA_NEW_ARRAY(arena, void *, capacity), .compare = compare, .context = context};
}

void merge_heap_push(struct merge_heap *heap, void *item)
{
    size_t at = heap->count++;
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (heap->compare(heap->context, heap->items[parent], item) <= 0) break;
        heap->items[at] = heap->items[parent];
        at = parent;
    }
    heap->items[at] = item;
}

void *merge_heap_top(const struct merge_heap *heap)
{
    return heap->count == 0 ? NULL : heap->items[0];
}

void *merge_heap_pop(struct merge_heap *heap)
{
    if (heap->count == 0) return NULL;
    void *top = heap->items[0];
    void *moved = heap->items[--heap->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= heap->count) break;
        if (child + 1 < heap->count &&
            heap->compare(heap->context, heap->items[child + 1], heap->items[child]) < 0)
            child++;
        if (heap->compare(heap->context, moved, heap->items[child]) <= 0) break;
        heap->items[at] = heap->items[child];
        at = child;
    }
    heap->items[at] = moved;
    return top;
}
