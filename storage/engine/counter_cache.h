// The node's own counter shards, newest values, over a flush: a bounded cache
// (org.apache.cassandra.cache.CounterCacheKey, org.apache.cassandra.service.CacheService).
//
// Without it an increment of a cell that is in no memtable would have to read SSTables.
//
// What is found is never old: every own shard is made by an increment of this run's, and goes in,
// in the place of the one before. One that comes back from others, by a hint or a read repair, was
// made before and never goes in. So the count is all that is kept: the next clock is above all
// clocks of the id, whatever that of the shard was (engine_counter.c).
//
// Sets of seven places, by hash; in a full one the least recently used leaves. The cache grows by a
// set at a time (linear hashing) and stays half full until it is as large as it may be: it is as
// large as its use, and no insertion waits for a copy of the whole. A place takes 18 bytes, with 96
// bits for the cell: one cell is taken for another once in 10^22 times. Counts of more than 47 bits
// are not kept.
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

// 96 bits that name a cell.
struct counter_cache_key {
    uint64_t tag; // 0: a key too long to be cached.
    uint32_t hash;
};

struct counter_cache *counter_cache_create(size_t size_max);
void counter_cache_destroy(struct counter_cache *cache);
// `clustering` is NULL for the static row.
struct counter_cache_key counter_cache_key(const struct counter_cache_table *table,
                                           struct slice partition,
                                           const struct clustering *clustering, uint16_t column);
// The key will be asked for, or put in, soon: its place comes nearer to the processor meanwhile.
void counter_cache_expect(const struct counter_cache *cache, struct counter_cache_key key);
bool counter_cache_find(const struct counter_cache *cache, struct counter_cache_key key,
                        int64_t *count);
void counter_cache_put(struct counter_cache *cache, struct counter_cache_key key, int64_t count);

#endif
