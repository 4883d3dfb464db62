#include "storage/engine/counter_cache.h"

#include "base/arena.h"
#include "base/assert.h"

#include <stdlib.h>
#include <xxhash.h>

enum { KEY_BYTES_MAX = 1024, WAYS = 7, LOAD = 4, COUNT_BITS = 48, LINE = 64 };

// Two lines of the processor's cache. Places from the most recently used one on; free ones last.
struct set {
    uint64_t tags[WAYS];        // Of the keys: low; 0: free.
    uint32_t hashes[WAYS];      // Of the keys: the part of high that says which set.
    uint32_t counts_low[WAYS];  //
    uint16_t counts_high[WAYS]; // With the sign.
    uint16_t unused;
};
_Static_assert(sizeof(struct set) == 2 * LINE, "a set is two lines");

// A page fills a huge page of the system's: places are asked for at random.
enum { SETS_PER_PAGE = (ARENA_BLOCK_HUGE - LINE) / sizeof(struct set) };

struct counter_cache {
    struct arena arena; // The pages.
    struct set **pages;
    size_t set_count, set_count_max;
    size_t entry_count;
};

struct counter_cache *counter_cache_create(size_t size_max)
{
    struct counter_cache *cache = calloc(1, sizeof *cache);
    ASSERT(cache != NULL);
    cache->set_count_max = size_max / sizeof(struct set);
    if (cache->set_count_max == 0) cache->set_count_max = 1;
    cache->pages =
        calloc((cache->set_count_max + SETS_PER_PAGE - 1) / SETS_PER_PAGE, sizeof *cache->pages);
    ASSERT(cache->pages != NULL);
    arena_init(&cache->arena, ARENA_BLOCK_HUGE);
    return cache;
}

void counter_cache_destroy(struct counter_cache *cache)
{
    if (cache == NULL) return;
    arena_deinit(&cache->arena);
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
static size_t index_of(const struct counter_cache *cache, uint32_t hash)
{
    size_t mask = mask_of(cache->set_count);
    size_t index = hash & mask;
    return index < cache->set_count ? index : index & mask >> 1;
}

static void set_copy(struct set *to, int at, const struct set *from, int place)
{
    to->tags[at] = from->tags[place];
    to->hashes[at] = from->hashes[place];
    to->counts_low[at] = from->counts_low[place];
    to->counts_high[at] = from->counts_high[place];
}

static struct set *make_page(struct counter_cache *cache)
{
    uint8_t *bytes = arena_alloc(&cache->arena, ARENA_BLOCK_HUGE);
    return (struct set *)(void *)(bytes + (LINE - (uintptr_t)bytes % LINE) % LINE);
}

static void add_set(struct counter_cache *cache)
{
    if (cache->set_count == cache->set_count_max) return;
    size_t added = cache->set_count++;
    if (cache->pages[added / SETS_PER_PAGE] == NULL)
        cache->pages[added / SETS_PER_PAGE] = make_page(cache);
    struct set *to = set_at(cache, added);
    *to = (struct set){0};
    if (added == 0) return;
    struct set *from = set_at(cache, added & mask_of(added + 1) >> 1);
    const struct set old = *from;
    *from = (struct set){0};
    for (int i = 0, kept = 0, moved = 0; i < WAYS && old.tags[i] != 0; i++) {
        if (index_of(cache, old.hashes[i]) == added) {
            set_copy(to, moved++, &old, i);
        } else {
            set_copy(from, kept++, &old, i);
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
    return (struct counter_cache_key){hash.low64 | 1, (uint32_t)hash.high64};
}

void counter_cache_expect(const struct counter_cache *cache, struct counter_cache_key key)
{
    if (key.tag == 0 || cache->set_count == 0) return;
    const struct set *set = set_at(cache, index_of(cache, key.hash));
    __builtin_prefetch(&set->tags[0], 1);
    __builtin_prefetch(&set->counts_high[0], 1);
}

// Its place; WAYS: it is not there.
static int set_find(const struct set *set, struct counter_cache_key key)
{
    int at = 0;
    while (at < WAYS && (set->tags[at] != key.tag || set->hashes[at] != key.hash))
        at++;
    return at;
}

bool counter_cache_find(const struct counter_cache *cache, struct counter_cache_key key,
                        int64_t *count)
{
    if (key.tag == 0 || cache->set_count == 0) return false;
    const struct set *set = set_at(cache, index_of(cache, key.hash));
    int at = set_find(set, key);
    if (at == WAYS) return false;
    uint64_t bits = (uint64_t)set->counts_high[at] << 32 | set->counts_low[at];
    *count = (int64_t)(bits << (64 - COUNT_BITS)) >> (64 - COUNT_BITS);
    return true;
}

// The places before `at` make room for a new first one.
static void set_shift(struct set *set, int at)
{
    for (int i = at; i > 0; i--)
        set_copy(set, i, set, i - 1);
}

static void forget(struct counter_cache *cache, struct set *set, int at)
{
    if (at == WAYS) return;
    for (int i = at; i < WAYS - 1; i++)
        set_copy(set, i, set, i + 1);
    set->tags[WAYS - 1] = 0;
    cache->entry_count--;
}

void counter_cache_put(struct counter_cache *cache, struct counter_cache_key key, int64_t count)
{
    if (key.tag == 0) return;
    if (cache->entry_count >= cache->set_count * LOAD) add_set(cache);
    struct set *set = set_at(cache, index_of(cache, key.hash));
    int at = set_find(set, key);
    int64_t limit = INT64_C(1) << (COUNT_BITS - 1);
    if (count < -limit || count >= limit) { // What was kept is old now.
        forget(cache, set, at);
        return;
    }
    if (at == WAYS) {
        at = 0; // A free place, or that of the least recently used.
        while (at < WAYS - 1 && set->tags[at] != 0)
            at++;
        if (set->tags[at] == 0) cache->entry_count++;
    }
    set_shift(set, at);
    set->tags[0] = key.tag;
    set->hashes[0] = key.hash;
    set->counts_low[0] = (uint32_t)count;
    set->counts_high[0] = (uint16_t)((uint64_t)count >> 32);
}
