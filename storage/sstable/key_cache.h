// Where partitions begin in the Data.db files of an engine: what reads have found in Index.db, so
// that the next read of the same partition asks neither filter nor summary nor index
// (org.apache.cassandra.cache.KeyCacheKey).
//
//     token, number of the SSTable  ->  set of four places, each of 16 bytes: one line of the
//                                       processor's cache
//
// A place is that of a partition of this SSTable for sure, but for the partition's key it is a
// hint: the key stands there in Data.db too and has to be compared. Partitions with blocks are not
// here, as their reads need Index.db anyway. The loop's.
#ifndef STORAGE_SSTABLE_KEY_CACHE_H
#define STORAGE_SSTABLE_KEY_CACHE_H

#include "storage/token.h"

#include <stdbool.h>
#include <stddef.h>

struct key_cache;

struct key_place {
    uint64_t position, size; // In Data.db, uncompressed.
};

// NULL if that is too little for one set, or more than there is.
struct key_cache *key_cache_create(size_t size_max);
void key_cache_destroy(struct key_cache *cache); // NULL is allowed.
size_t key_cache_size(const struct key_cache *cache);
// A number for an SSTable, which no other ever gets; 0 if there is none any more.
uint32_t key_cache_number(struct key_cache *cache);
bool key_cache_find(const struct key_cache *cache, uint32_t number, struct token token,
                    struct key_place *place);
// The oldest of its set leaves. Too large ones and those of number 0 are not kept.
void key_cache_put(struct key_cache *cache, uint32_t number, struct token token,
                   const struct key_place *place);

#endif
