// The node's own counter shards, newest values, over a flush: a bounded cache
// (org.apache.cassandra.cache.CounterCacheKey, org.apache.cassandra.service.CacheService).
//
// Without it an increment of a cell that is in no memtable would have to read SSTables. Every own
// shard that is made goes in, so that what is found is never old.
//
// Sets of four places, by hash; in a full one the least recently used leaves. The cache grows by a
// set at a time (linear hashing) and stays half full: it is as large as its use, and no insertion
// waits for a copy of the whole.
#ifndef STORAGE_COUNTER_CACHE_H
#define STORAGE_COUNTER_CACHE_H

#include "storage/row.h"

struct counter_cache;

// One life of a table: a new one after TRUNCATE, when counting begins at 0, and after ALTER, when
// columns get other indexes.
struct counter_cache_table {
    struct uuid id;
    uint64_t life;
};

// 128 bits that name a cell.
struct counter_cache_key {
    uint64_t low, high; // Both 0: a key too long to be cached.
};

struct counter_cache *counter_cache_create(size_t size_max);
void counter_cache_destroy(struct counter_cache *cache);
// `clustering` is NULL for the static row.
struct counter_cache_key counter_cache_key(const struct counter_cache_table *table,
                                           struct slice partition,
                                           const struct clustering *clustering, uint16_t column);
// The key will be asked for, or put in, soon: its place comes nearer to the processor meanwhile.
void counter_cache_expect(const struct counter_cache *cache, struct counter_cache_key key);
bool counter_cache_find(struct counter_cache *cache, struct counter_cache_key key, int64_t *clock,
                        int64_t *count);
void counter_cache_put(struct counter_cache *cache, struct counter_cache_key key, int64_t clock,
                       int64_t count);

#endif
