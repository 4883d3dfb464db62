// Decompressed chunks of SSTables that reads have in memory
// (org.apache.cassandra.cache.ChunkCache).
//
// A chunk is found through its slot, a pointer that its SSTable's reader keeps for each of its
// chunks: a hit costs a load and a move to the front of the list, no hashing.
//
//     reader->slots[i] --> chunk <--> chunk <--> ... (newest first)
//
// The cache holds one reference, each read pin and each open iterator one more. The least recently
// used chunk that nobody else holds leaves when the size grows past its maximum. What a scan brings
// comes in at the old end: a scan of all there is takes no more room than it holds at a time, and
// what is read often stays. The loop's.
//
// A chunk may be only the first bytes of what its slot stands for, as far as a read of one
// partition wanted them; whoever wants more puts a longer one in its place.
#ifndef STORAGE_CHUNK_CACHE_H
#define STORAGE_CHUNK_CACHE_H

#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

struct chunk_cache;

struct chunk {
    uint32_t references;
    uint32_t size;             // Of the bytes behind this struct.
    uint32_t turn;             // Of the cache, when it became the newest.
    struct chunk *newer;       // In the cache's list.
    struct chunk *older;       //
    struct chunk **slot;       // Where the reader points at it; NULL: not in a cache.
    struct chunk_cache *cache; // NULL: not in a cache.
    uint8_t bytes[];
};

// One reference, in no cache. Any thread.
struct chunk *chunk_create(size_t size);
void chunk_unref(struct chunk *chunk); // NULL is allowed.

static inline struct chunk *chunk_ref(struct chunk *chunk)
{
    chunk->references++;
    return chunk;
}

struct chunk_cache *chunk_cache_create(size_t size_max);
// Chunks that are still pinned live on until their last reference goes.
void chunk_cache_destroy(struct chunk_cache *cache);

// The chunk of this slot, now among the newest, or NULL. The caller takes a reference if it keeps
// it.
struct chunk *chunk_cache_find(struct chunk_cache *cache, struct chunk **slot);
// The same for a scan: it stays where it is.
static inline struct chunk *chunk_cache_look(struct chunk **slot)
{
    return *slot;
}
// Adds the chunk with a reference of the cache's own, as the newest or, for a scan, as the oldest.
// If the slot has one that is as long, nothing happens; a shorter one leaves.
void chunk_cache_insert(struct chunk_cache *cache, struct chunk **slot, struct chunk *chunk);
void chunk_cache_insert_oldest(struct chunk_cache *cache, struct chunk **slot, struct chunk *chunk);
// The chunk of this slot leaves its cache: the slot ends.
void chunk_cache_forget(struct chunk **slot);

// Bytes of all chunks in it.
size_t chunk_cache_size(const struct chunk_cache *cache);

#endif
