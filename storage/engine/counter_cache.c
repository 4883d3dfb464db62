#include "storage/engine/counter_cache.h"

#include "base/assert.h"

#include <stdlib.h>
#include <xxhash.h>

enum { KEY_BYTES_MAX = 1024 };

struct entry {
    struct counter_cache_key key; // Both 0: free.
    int64_t clock, count;
};

enum { WAYS = 4, SETS_PER_PAGE = 1024, LOAD = 2 };

struct set {
    struct entry entries[WAYS]; // The most recently used one first; free ones last.
};

struct counter_cache {
    struct set **pages;
    size_t page_capacity;
    size_t set_count, set_count_max;
    size_t entry_count;
};

struct counter_cache *counter_cache_create(size_t size_max)
{
    struct counter_cache *cache = calloc(1, sizeof *cache);
    ASSERT(cache != NULL);
    cache->set_count_max = size_max / sizeof(struct set);
    if (cache->set_count_max == 0) cache->set_count_max = 1;
    cache->page_capacity = (cache->set_count_max + SETS_PER_PAGE - 1) / SETS_PER_PAGE;
    cache->pages = calloc(cache->page_capacity, sizeof *cache->pages);
    ASSERT(cache->pages != NULL);
    return cache;
}

void counter_cache_destroy(struct counter_cache *cache)
{
    if (cache == NULL) return;
    for (size_t i = 0; i < cache->page_capacity; i++)
        free(cache->pages[i]);
    free(cache->pages);
    free(cache);
}

static struct set *set_at(const struct counter_cache *cache, size_t index)
{
    return &cache->pages[index / SETS_PER_PAGE][index % SETS_PER_PAGE];
}

// The smallest power of two that is not below the number of sets, less one.
static size_t mask_of(size_t set_count)
{
    return set_count <= 1 ? 0 : ((size_t)2 << (63 - __builtin_clzll(set_count - 1))) - 1;
}

// With 2^n + m sets, the first m of the 2^n are split already, by one more bit of the hash.
static size_t index_of(const struct counter_cache *cache, uint64_t hash)
{
    size_t mask = mask_of(cache->set_count);
    size_t index = hash & mask;
    return index < cache->set_count ? index : index & mask >> 1;
}

static void add_set(struct counter_cache *cache)
{
    if (cache->set_count == cache->set_count_max) return;
    size_t added = cache->set_count++;
    if (cache->pages[added / SETS_PER_PAGE] == NULL) {
        struct set *page = calloc(SETS_PER_PAGE, sizeof *page);
        ASSERT(page != NULL);
        cache->pages[added / SETS_PER_PAGE] = page;
    }
    if (added == 0) return;
    struct set *from = set_at(cache, added & mask_of(added + 1) >> 1), *to = set_at(cache, added);
    struct set old = *from;
    *from = (struct set){0};
    for (int i = 0, kept = 0, moved = 0; i < WAYS && old.entries[i].key.low != 0; i++) {
        if (index_of(cache, old.entries[i].key.high) == added) {
            to->entries[moved++] = old.entries[i];
        } else {
            from->entries[kept++] = old.entries[i];
        }
    }
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

void counter_cache_expect(const struct counter_cache *cache, struct counter_cache_key key)
{
    if (key.low == 0 || cache->set_count == 0) return;
    const struct set *set = set_at(cache, index_of(cache, key.high));
    __builtin_prefetch(&set->entries[0], 1);
    __builtin_prefetch(&set->entries[WAYS / 2], 1);
}

bool counter_cache_find(struct counter_cache *cache, struct counter_cache_key key, int64_t *clock,
                        int64_t *count)
{
    if (key.low == 0 || cache->set_count == 0) return false;
    struct set *set = set_at(cache, index_of(cache, key.high));
    for (int i = 0; i < WAYS; i++) {
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
    if (cache->entry_count >= cache->set_count * LOAD) add_set(cache);
    struct set *set = set_at(cache, index_of(cache, key.high));
    int at = 0; // Where the key is, or a free place, or that of the least recently used.
    while (at < WAYS - 1 && set->entries[at].key.low != 0 && !key_equals(set->entries[at].key, key))
        at++;
    if (set->entries[at].key.low == 0) cache->entry_count++;
    memmove(&set->entries[1], &set->entries[0], (size_t)at * sizeof set->entries[0]);
    set->entries[0] = (struct entry){key, clock, count};
}
