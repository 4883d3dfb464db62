// Started timers in the order in which they fire: a binary heap of pointers to the owners' timers.
//
// The earliest deadline is on top; of equal ones the one started first (`sequence`), so that a run
// can be repeated. `place` in each timer is 1 + its index, so that stopping one needs no search.
// A timer is in at most one heap; `place` = 0 means in none. Shared by env_uv and env_sim.
#ifndef BASE_TIMER_HEAP_H
#define BASE_TIMER_HEAP_H

#include "base/env.h"

struct timer_heap {
    struct env_timer **timers; // The children of i are 2i + 1 and 2i + 2.
    size_t count;
    size_t capacity;
    uint64_t sequence; // Of the next timer that is added.
};

void timer_heap_init(struct timer_heap *heap);
// Stops what is still started.
void timer_heap_deinit(struct timer_heap *heap);

// Starts the timer, anew if it ran.
void timer_heap_add(struct timer_heap *heap, struct env_timer *timer, uint64_t deadline_ns);
// Does nothing to a stopped one.
void timer_heap_remove(struct timer_heap *heap, struct env_timer *timer);

// The next to fire, or NULL.
static inline struct env_timer *timer_heap_first(const struct timer_heap *heap)
{
    return heap->count == 0 ? NULL : heap->timers[0];
}

// Every parent before its children and every place right; for tests.
void timer_heap_check(const struct timer_heap *heap);

#endif
