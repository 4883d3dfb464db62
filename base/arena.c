#include "base/arena.h"

#include "base/assert.h"
#include "base/block_pool.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_ALIGNMENT = alignof(max_align_t) };

struct arena_block {
    struct arena_block *older;
    size_t size; // Of the bytes behind this header.
    alignas(ARENA_ALIGNMENT) uint8_t bytes[];
};

void arena_init(struct arena *arena, size_t block_size)
{
    ASSERT(block_size > 0);
    *arena = (struct arena){.block_size = block_size};
}

static void free_blocks(const struct arena *arena, struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *older = block->older;
        if (block->size == ARENA_BLOCK_HUGE) {
            block_pool_give(arena->pool, block);
        } else {
            free(block);
        }
        block = older;
    }
}

void arena_deinit(struct arena *arena)
{
    free_blocks(arena, arena->blocks);
    arena_init(arena, arena->block_size);
}

void arena_reset(struct arena *arena)
{
    struct arena_block *newest = arena->blocks;
    if (newest == NULL) return;
    free_blocks(arena, newest->older);
    newest->older = NULL;
    arena->next = newest->bytes;
    arena->end = newest->bytes + newest->size;
    arena->size = newest->size;
}

static void arena_add_block(struct arena *arena, size_t size)
{
    _Static_assert(sizeof(struct arena_block) + ARENA_BLOCK_HUGE <= BLOCK_POOL_BLOCK_SIZE,
                   "a huge block and its header fill a block of the pool");
    struct arena_block *block = size == ARENA_BLOCK_HUGE
                                    ? block_pool_take(arena->pool)
                                    : malloc(sizeof(struct arena_block) + size);
    ASSERT(block != NULL);
    block->size = size;
    arena->size += size;
    // A block for one large thing goes behind the newest one, whose rest stays in use.
    if (arena->blocks != NULL && size > arena->block_size) {
        block->older = arena->blocks->older;
        arena->blocks->older = block;
        return;
    }
    block->older = arena->blocks;
    arena->blocks = block;
    arena->next = block->bytes;
    arena->end = block->bytes + size;
}

static void *arena_alloc_in_new_block(struct arena *arena, size_t size)
{
    if (size <= arena->block_size) {
        arena_add_block(arena, arena->block_size);
        uint8_t *memory = arena->next;
        arena->next += size;
        return memory;
    }
    bool first = arena->blocks == NULL;
    arena_add_block(arena, size);
    if (!first) return arena->blocks->older->bytes;
    arena->next = arena->end;
    return arena->blocks->bytes;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    ASSERT(size < SIZE_MAX / 2);
    size_t misaligned = (uintptr_t)arena->next % ARENA_ALIGNMENT;
    size_t padding = misaligned == 0 ? 0 : ARENA_ALIGNMENT - misaligned;
    if (arena->next == NULL || (size_t)(arena->end - arena->next) < padding + size)
        return arena_alloc_in_new_block(arena, size);
    uint8_t *memory = arena->next + padding;
    arena->next = memory + size;
    return memory;
}

void *arena_alloc_zero(struct arena *arena, size_t size)
{
    return memset(arena_alloc(arena, size), 0, size);
}

struct slice arena_copy(struct arena *arena, struct slice bytes)
{
    if (slice_is_null(bytes)) return bytes;
    if (bytes.size == 0) return slice_make("", 0);
    uint8_t *copy;
    if (arena->next != NULL && (size_t)(arena->end - arena->next) >= bytes.size) {
        copy = arena->next;
        arena->next += bytes.size;
    } else {
        copy = arena_alloc_in_new_block(arena, bytes.size);
    }
    memcpy(copy, bytes.data, bytes.size);
    return slice_make(copy, bytes.size);
}

char *arena_copy_text(struct arena *arena, const char *text)
{
    return (char *)(uintptr_t)arena_copy(arena, slice_make(text, strlen(text) + 1)).data;
}

char *arena_format(struct arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    ASSERT(length >= 0);
    char *text = arena_alloc(arena, (size_t)length + 1);
    (void)vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}
