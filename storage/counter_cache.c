#include "storage/counter_cache.h"

#include "base/assert.h"

#include <stdlib.h>
#include <xxhash.h>

enum { KEY_BYTES_MAX = 1024 };

struct entry {
    struct counter_cache_key key; // Both 0: free.
    int64_t clock, count;
};

struct set {
    struct entry entries[2]; // The more recently used one first. A cache line.
};

struct counter_cache {
    struct set *sets;
    size_t set_count; // A power of two.
};

struct counter_cache *counter_cache_create(size_t size_max)
{
    struct counter_cache *cache = calloc(1, sizeof *cache);
    ASSERT(cache != NULL);
    cache->set_count = 1;
    while (cache->set_count * 2 * sizeof(struct set) <= size_max)
        cache->set_count *= 2;
    // Pages are taken from the system only as they are used.
    cache->sets = calloc(cache->set_count, sizeof *cache->sets);
    ASSERT(cache->sets != NULL);
    return cache;
}

void counter_cache_destroy(struct counter_cache *cache)
{
    if (cache == NULL) return;
    free(cache->sets);
    free(cache);
}

struct counter_cache_key counter_cache_key(const struct counter_cache_table *table,
                                           struct slice partition,
                                           const struct clustering *clustering, uint16_t column)
{
    // Each part with its length, so that no two cells have the same bytes.
    uint8_t bytes[KEY_BYTES_MAX];
    size_t size = 0;
    uint16_t count = clustering == NULL ? UINT16_MAX : clustering->count;
    memcpy(bytes, table, sizeof *table);
    size += sizeof *table;
    memcpy(bytes + size, &column, sizeof column);
    size += sizeof column;
    memcpy(bytes + size, &count, sizeof count);
    size += sizeof count;
    for (int i = -1; i < (clustering == NULL ? 0 : (int)clustering->count); i++) {
        struct slice part = i < 0 ? partition : clustering->values[i];
        uint32_t length = slice_is_null(part) ? UINT32_MAX : (uint32_t)part.size;
        if (part.size > sizeof bytes - size - sizeof length || size + sizeof length > sizeof bytes)
            return (struct counter_cache_key){0, 0};
        memcpy(bytes + size, &length, sizeof length);
        size += sizeof length;
        if (part.size > 0) memcpy(bytes + size, part.data, part.size);
        size += part.size;
    }
    XXH128_hash_t hash = XXH3_128bits(bytes, size);
    return (struct counter_cache_key){hash.low64 | 1, hash.high64};
}

static bool key_equals(struct counter_cache_key a, struct counter_cache_key b)
{
    return a.low == b.low && a.high == b.high;
}

static struct set *find_set(struct counter_cache *cache, struct counter_cache_key key)
{
    return &cache->sets[key.high & (cache->set_count - 1)];
}

bool counter_cache_find(struct counter_cache *cache, struct counter_cache_key key, int64_t *clock,
                        int64_t *count)
{
    if (key.low == 0) return false;
    struct set *set = find_set(cache, key);
    for (int i = 0; i < 2; i++) {
        if (!key_equals(set->entries[i].key, key)) continue;
        *clock = set->entries[i].clock;
        *count = set->entries[i].count;
        return true;
    }
    return false;
}

void counter_cache_put(struct counter_cache *cache, struct counter_cache_key key, int64_t clock,
                       int64_t count)
{
    if (key.low == 0) return;
    struct set *set = find_set(cache, key);
    if (!key_equals(set->entries[0].key, key)) set->entries[1] = set->entries[0];
    set->entries[0] = (struct entry){key, clock, count};
}
