// Memory for many things that end together: a request, a batch, a memtable.
//
// It grows in blocks and gives back all at once. Not for two threads at a time. Allocation never
// fails: who must bound an arena asks arena_size() before adding to it (see limits.h).
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

struct arena_block;
struct block_pool;

// A block of this size fills a huge page exactly, and is one where the system has them: what is
// found at random in hundreds of MiB costs a third less there.
enum { ARENA_BLOCK_HUGE = (2 << 20) - 64 };

struct arena {
    struct arena_block *blocks; // The newest first.
    uint8_t *next;              // Free bytes of the newest block: [next, end).
    uint8_t *end;
    size_t size;       // Bytes of all blocks: what the arena costs.
    size_t block_size; // Of the next block.
    // Where huge blocks come from and go to, or NULL: the system. Set once, after arena_init(); it
    // has to outlive the arena.
    struct block_pool *pool;
};

// `block_size` bytes are taken at the first allocation, not now.
void arena_init(struct arena *arena, size_t block_size);
void arena_deinit(struct arena *arena);

// Frees all that was allocated but keeps the newest block, so that a loop settles without malloc.
void arena_reset(struct arena *arena);

// Aligned for any type; not cleared.
void *arena_alloc(struct arena *arena, size_t size);
// Aligned for any type; all bytes zero.
void *arena_alloc_zero(struct arena *arena, size_t size);
// A copy of the bytes, not aligned. Null stays null; empty becomes empty, not null.
struct slice arena_copy(struct arena *arena, struct slice bytes);
// A copy with a NUL behind it.
char *arena_copy_text(struct arena *arena, const char *text);
char *arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Bytes that the arena holds from the system.
static inline size_t arena_size(const struct arena *arena)
{
    return arena->size;
}

#define ARENA_NEW(arena, type) ((type *)arena_alloc_zero((arena), sizeof(type)))
#define ARENA_NEW_ARRAY(arena, type, count)                                                        \
    ((type *)arena_alloc_zero((arena), sizeof(type) * (count)))

#endif
