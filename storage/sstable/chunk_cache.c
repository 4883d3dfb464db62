#include "storage/sstable/chunk_cache.h"

#include "base/assert.h"

#include <stdlib.h>

struct chunk_cache {
    size_t size, size_max;
    struct chunk *newest, *oldest;
};

struct chunk *chunk_create(size_t size)
{
    ASSERT(size <= UINT32_MAX);
    struct chunk *chunk = malloc(sizeof *chunk + size);
    ASSERT(chunk != NULL);
    *chunk = (struct chunk){.references = 1, .size = (uint32_t)size};
    return chunk;
}

void chunk_unref(struct chunk *chunk)
{
    if (chunk == NULL) return;
    ASSERT(chunk->references > 0);
    if (--chunk->references > 0) return;
    ASSERT(chunk->cache == NULL);
    free(chunk);
}

struct chunk_cache *chunk_cache_create(size_t size_max)
{
    struct chunk_cache *cache = calloc(1, sizeof *cache);
    ASSERT(cache != NULL);
    cache->size_max = size_max;
    return cache;
}

static void unlink_chunk(struct chunk_cache *cache, struct chunk *chunk)
{
    *(chunk->newer == NULL ? &cache->newest : &chunk->newer->older) = chunk->older;
    *(chunk->older == NULL ? &cache->oldest : &chunk->older->newer) = chunk->newer;
}

static void link_newest(struct chunk_cache *cache, struct chunk *chunk)
{
    chunk->newer = NULL;
    chunk->older = cache->newest;
    *(cache->newest == NULL ? &cache->oldest : &cache->newest->newer) = chunk;
    cache->newest = chunk;
}

static void link_oldest(struct chunk_cache *cache, struct chunk *chunk)
{
    chunk->older = NULL;
    chunk->newer = cache->oldest;
    *(cache->oldest == NULL ? &cache->newest : &cache->oldest->older) = chunk;
    cache->oldest = chunk;
}

static void leave(struct chunk *chunk)
{
    struct chunk_cache *cache = chunk->cache;
    unlink_chunk(cache, chunk);
    ASSERT(cache->size >= chunk->size);
    cache->size -= chunk->size;
    *chunk->slot = NULL;
    chunk->slot = NULL;
    chunk->cache = NULL;
    chunk_unref(chunk);
}

void chunk_cache_destroy(struct chunk_cache *cache)
{
    if (cache == NULL) return;
    while (cache->newest != NULL)
        leave(cache->newest);
    free(cache);
}

struct chunk *chunk_cache_find(struct chunk_cache *cache, struct chunk **slot)
{
    struct chunk *chunk = *slot;
    if (chunk == NULL || cache->newest == chunk) return chunk;
    ASSERT(chunk->cache == cache);
    unlink_chunk(cache, chunk);
    link_newest(cache, chunk);
    return chunk;
}

// Those that reads hold stay: they would not be freed, and their reads would miss them.
static void make_room(struct chunk_cache *cache)
{
    struct chunk *chunk = cache->oldest;
    while (chunk != NULL && cache->size > cache->size_max) {
        struct chunk *newer = chunk->newer;
        if (chunk->references == 1) leave(chunk);
        chunk = newer;
    }
}

static void insert(struct chunk_cache *cache, struct chunk **slot, struct chunk *chunk,
                   void (*link)(struct chunk_cache *cache, struct chunk *chunk))
{
    if (*slot != NULL) return;
    ASSERT(chunk->cache == NULL);
    chunk->cache = cache;
    chunk->slot = slot;
    *slot = chunk_ref(chunk);
    link(cache, chunk);
    cache->size += chunk->size;
    make_room(cache);
}

void chunk_cache_insert(struct chunk_cache *cache, struct chunk **slot, struct chunk *chunk)
{
    insert(cache, slot, chunk, link_newest);
}

void chunk_cache_insert_oldest(struct chunk_cache *cache, struct chunk **slot, struct chunk *chunk)
{
    insert(cache, slot, chunk, link_oldest);
}

void chunk_cache_forget(struct chunk **slot)
{
    if (*slot != NULL) leave(*slot);
}

size_t chunk_cache_size(const struct chunk_cache *cache)
{
    return cache->size;
}
