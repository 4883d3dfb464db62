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
// When it is full, what is read the first time does not come in: most of it is not read a second
// time for long, and would drive out what is. It is decompressed to where the last such chunk was,
// which the processor still has near, and not kept.
//
// A chunk may be only the first bytes of what its slot stands for, as far as a read of one
// partition wanted them; whoever wants more puts a longer one in its place.
#ifndef STORAGE_CHUNK_CACHE_H
#define STORAGE_CHUNK_CACHE_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chunk_cache;
struct key_cache;

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

// An eighth of it is for the places of partitions.
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

// Whether a chunk of this size that was missed is to come in: if there is room, or if it was missed
// before and not long ago, which its mark tells, one for each slot and 0 at first.
bool chunk_cache_admits(struct chunk_cache *cache, size_t size, uint8_t *mark);
// A chunk with room for CHUNK_SPARE_SIZE bytes and a reference for the caller, who sets its size;
// it is for one that does not come in. NULL: all of them are still held by others.
enum { CHUNK_SPARE_SIZE = 64 * 1024 };
struct chunk *chunk_cache_spare(struct chunk_cache *cache);

// NULL: there is none.
struct key_cache *chunk_cache_keys(struct chunk_cache *cache);

// Bytes of all chunks in it.
size_t chunk_cache_size(const struct chunk_cache *cache);

#endif
