#include "storage/sstable/key_cache.h"

#include "base/assert.h"

#include <stdlib.h>

enum { WAYS = 4, LINE = 64, NUMBER_BITS = 24, SIZE_BITS = 24, POSITION_BITS = 40 };

struct way {
    uint64_t tag;   // Token's upper bits, number of the SSTable; 0: free, as there is no number 0.
    uint64_t place; // Position, size.
};

struct set {
    struct way ways[WAYS]; // The newest first.
};
_Static_assert(sizeof(struct set) == LINE, "a set is one line");

struct key_cache {
    struct set *sets;
    void *memory;    // Of the sets and what is left of their first line.
    uint32_t shift;  // Of a hash, to the index of a set.
    uint32_t number; // The last one that was given.
};

struct key_cache *key_cache_create(size_t size_max)
{
    if (size_max < 3 * sizeof(struct set)) return NULL;
    struct key_cache *cache = calloc(1, sizeof *cache);
    ASSERT(cache != NULL);
    // A power of two, at least two: no shift by 64.
    uint32_t bits = 63 - (uint32_t)__builtin_clzll((size_max - LINE) / sizeof(struct set));
    cache->shift = 64 - bits;
    // Not touched before it is used: then it takes no memory.
    cache->memory = calloc(1, (sizeof(struct set) << bits) + LINE);
    if (cache->memory == NULL) { // More than there is: then without.
        free(cache);
        return NULL;
    }
    cache->sets = (struct set *)(((uintptr_t)cache->memory + LINE - 1) / LINE * LINE);
    return cache;
}

void key_cache_destroy(struct key_cache *cache)
{
    if (cache == NULL) return;
    free(cache->memory);
    free(cache);
}

size_t key_cache_size(const struct key_cache *cache)
{
    return (sizeof(struct set) << (64 - cache->shift)) + LINE;
}

uint32_t key_cache_number(struct key_cache *cache)
{
    return cache->number + 1 < 1u << NUMBER_BITS ? ++cache->number : 0;
}

static struct set *set_of(const struct key_cache *cache, uint32_t number, struct token token)
{
    uint64_t hash = ((uint64_t)token.value + number) * 0x9e3779b97f4a7c15u;
    hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
    return &cache->sets[hash >> cache->shift];
}

static uint64_t tag_of(uint32_t number, struct token token)
{
    return ((uint64_t)token.value >> NUMBER_BITS) << NUMBER_BITS | number;
}

bool key_cache_find(const struct key_cache *cache, uint32_t number, struct token token,
                    struct key_place *place)
{
    if (number == 0) return false;
    const struct set *set = set_of(cache, number, token);
    uint64_t tag = tag_of(number, token);
    for (int i = 0; i < WAYS; i++) {
        if (set->ways[i].tag != tag) continue;
        *place = (struct key_place){set->ways[i].place >> SIZE_BITS,
                                    set->ways[i].place & ((1u << SIZE_BITS) - 1)};
        return true;
    }
    return false;
}

void key_cache_put(struct key_cache *cache, uint32_t number, struct token token,
                   const struct key_place *place)
{
    if (number == 0 || place->position >> POSITION_BITS != 0 || place->size >> SIZE_BITS != 0)
        return;
    struct set *set = set_of(cache, number, token);
    uint64_t tag = tag_of(number, token);
    int at = 0;
    while (at < WAYS - 1 && set->ways[at].tag != tag)
        at++;
    for (; at > 0; at--)
        set->ways[at] = set->ways[at - 1];
    set->ways[0] = (struct way){tag, place->position << SIZE_BITS | place->size};
}
