#include "base/timer_heap.h"

#include "base/assert.h"

#include <stdlib.h>

enum { TIMER_HEAP_CAPACITY_MIN = 64 };

void timer_heap_init(struct timer_heap *heap)
{
    *heap = (struct timer_heap){0};
}

void timer_heap_deinit(struct timer_heap *heap)
{
    for (size_t i = 0; i < heap->count; i++)
        heap->timers[i]->place = 0;
    free(heap->timers);
    timer_heap_init(heap);
}

static bool timer_heap_precedes(const struct env_timer *a, const struct env_timer *b)
{
    if (a->deadline_ns != b->deadline_ns) return a->deadline_ns < b->deadline_ns;
    return a->sequence < b->sequence;
}

static void timer_heap_put(struct timer_heap *heap, size_t index, struct env_timer *timer)
{
    heap->timers[index] = timer;
    timer->place = index + 1;
}

// Moves the gap at `index` towards the top until `timer` fits in.
static void timer_heap_rise(struct timer_heap *heap, size_t index, struct env_timer *timer)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (timer_heap_precedes(heap->timers[parent], timer)) break;
        timer_heap_put(heap, index, heap->timers[parent]);
        index = parent;
    }
    timer_heap_put(heap, index, timer);
}

// Moves the gap at `index` towards the bottom until `timer` fits in.
static void timer_heap_sink(struct timer_heap *heap, size_t index, struct env_timer *timer)
{
    for (size_t child = 2 * index + 1; child < heap->count; child = 2 * index + 1) {
        if (child + 1 < heap->count &&
            timer_heap_precedes(heap->timers[child + 1], heap->timers[child]))
            child++;
        if (timer_heap_precedes(timer, heap->timers[child])) break;
        timer_heap_put(heap, index, heap->timers[child]);
        index = child;
    }
    timer_heap_put(heap, index, timer);
}

void timer_heap_add(struct timer_heap *heap, struct env_timer *timer, uint64_t deadline_ns)
{
    timer_heap_remove(heap, timer);
    if (heap->count == heap->capacity) {
        // Timers live in their owners, whose number limits.h bounds; so it bounds this array too.
        heap->capacity = heap->capacity == 0 ? TIMER_HEAP_CAPACITY_MIN : 2 * heap->capacity;
        heap->timers = realloc(heap->timers, heap->capacity * sizeof heap->timers[0]);
        ASSERT(heap->timers != NULL);
    }
    timer->deadline_ns = deadline_ns;
    timer->sequence = heap->sequence++;
    timer_heap_rise(heap, heap->count++, timer);
}

void timer_heap_remove(struct timer_heap *heap, struct env_timer *timer)
{
    if (timer->place == 0) return;
    size_t index = timer->place - 1;
    ASSERT(index < heap->count && heap->timers[index] == timer);
    timer->place = 0;
    struct env_timer *last = heap->timers[--heap->count];
    if (last == timer) return;
    // The last one fills the gap. It may belong above it, when the gap was in another branch.
    if (index > 0 && timer_heap_precedes(last, heap->timers[(index - 1) / 2]))
        timer_heap_rise(heap, index, last);
    else
        timer_heap_sink(heap, index, last);
}

void timer_heap_check(const struct timer_heap *heap)
{
    for (size_t i = 0; i < heap->count; i++) {
        ASSERT(heap->timers[i]->place == i + 1);
        ASSERT(heap->timers[i]->sequence < heap->sequence);
        ASSERT(i == 0 || timer_heap_precedes(heap->timers[(i - 1) / 2], heap->timers[i]));
    }
}
