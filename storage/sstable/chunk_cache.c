#include "storage/sstable/chunk_cache.h"

#include "base/assert.h"
#include "storage/sstable/key_cache.h"

#include <stdlib.h>

// A chunk stays where it is as long as at most one of so many chunks came before it: the list's
// neighbours of a chunk are far from it in memory, and to fetch them costs more than the rest of a
// hit.
enum { NEW_SHARE = 8 };
// A chunk that is missed again is one that was missed in this epoch, or in so many before; an epoch
// ends when as many chunks were turned away as there are.
enum { MARK_EPOCHS = 2 };
enum { SPARES_MAX = 4, KEYS_SHARE = 8 };

struct chunk_cache {
    size_t size, size_max, count;
    uint32_t turn; // How often a chunk became the newest.
    struct chunk *newest, *oldest;
    struct key_cache *keys;
    uint8_t epoch;      // Not 0.
    size_t turned_away; // In this epoch.
    struct chunk *spares[SPARES_MAX];
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
    cache->keys = key_cache_create(size_max / KEYS_SHARE);
    if (cache->keys != NULL) cache->size_max -= key_cache_size(cache->keys);
    cache->epoch = 1;
    return cache;
}

static void unlink_chunk(struct chunk_cache *cache, struct chunk *chunk)
{
    *(chunk->newer == NULL ? &cache->newest : &chunk->newer->older) = chunk->older;
    *(chunk->older == NULL ? &cache->oldest : &chunk->older->newer) = chunk->newer;
}

static void link_newest(struct chunk_cache *cache, struct chunk *chunk)
{
    chunk->turn = ++cache->turn;
    chunk->newer = NULL;
    chunk->older = cache->newest;
    *(cache->newest == NULL ? &cache->oldest : &cache->newest->newer) = chunk;
    cache->newest = chunk;
}

static void link_oldest(struct chunk_cache *cache, struct chunk *chunk)
{
    chunk->turn = cache->turn - UINT32_MAX / 2;
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
    cache->count--;
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
    for (int i = 0; i < SPARES_MAX; i++)
        chunk_unref(cache->spares[i]);
    key_cache_destroy(cache->keys);
    free(cache);
}

struct chunk *chunk_cache_find(struct chunk_cache *cache, struct chunk **slot)
{
    struct chunk *chunk = *slot;
    if (chunk == NULL || cache->turn - chunk->turn <= cache->count / NEW_SHARE) return chunk;
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

// Stands in the list where the shorter one does.
static void take_place(struct chunk_cache *cache, struct chunk *chunk, struct chunk *shorter)
{
    chunk->turn = shorter->turn;
    chunk->newer = shorter->newer;
    chunk->older = shorter;
    *(shorter->newer == NULL ? &cache->newest : &shorter->newer->older) = chunk;
    shorter->newer = chunk;
}

static void insert(struct chunk_cache *cache, struct chunk **slot, struct chunk *chunk,
                   void (*link)(struct chunk_cache *cache, struct chunk *chunk))
{
    struct chunk *shorter = *slot;
    if (shorter != NULL && shorter->size >= chunk->size) return;
    ASSERT(chunk->cache == NULL);
    if (shorter != NULL) {
        take_place(cache, chunk, shorter);
        leave(shorter);
    } else {
        link(cache, chunk);
    }
    chunk->cache = cache;
    chunk->slot = slot;
    *slot = chunk_ref(chunk);
    cache->size += chunk->size;
    cache->count++;
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

bool chunk_cache_admits(struct chunk_cache *cache, size_t size, uint8_t *mark)
{
    if (cache->size + size <= cache->size_max) return true;
    if (*mark != 0 && (uint8_t)(cache->epoch - *mark) <= MARK_EPOCHS) return true;
    *mark = cache->epoch;
    if (++cache->turned_away > cache->count) {
        cache->turned_away = 0;
        if (++cache->epoch == 0) cache->epoch = 1;
    }
    return false;
}

struct chunk *chunk_cache_spare(struct chunk_cache *cache)
{
    for (int i = 0; i < SPARES_MAX; i++) {
        struct chunk **spare = &cache->spares[i];
        if (*spare == NULL) *spare = chunk_create(CHUNK_SPARE_SIZE);
        if ((*spare)->references == 1) return chunk_ref(*spare);
    }
    return NULL;
}

struct key_cache *chunk_cache_keys(struct chunk_cache *cache)
{
    return cache->keys;
}

size_t chunk_cache_size(const struct chunk_cache *cache)
{
    return cache->size;
}
