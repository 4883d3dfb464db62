// Blocks of memory of one huge page each, kept when they are given back, for who takes one next.
//
//     take: a kept one, else from the system          give: kept while there is room, else freed
//
// What a huge page costs at its first touch is not what it costs to use: the system clears 2 MiB,
// and where the machine is virtual its host may first have to find them. Measured there: 8 ms for a
// loop that serves requests, four times a second at 100,000 increments a second. A memtable that
// begins where the last one ended pays nothing.
//
// Any thread takes and gives, without a lock: each place holds a block or none.
#ifndef BASE_BLOCK_POOL_H
#define BASE_BLOCK_POOL_H

#include <stddef.h>

enum { BLOCK_POOL_BLOCK_SIZE = 2 << 20, BLOCK_POOL_KEPT_MAX = 64 };

struct block_pool;

// Keeps up to `kept_max` blocks, BLOCK_POOL_KEPT_MAX at most. One reference is the caller's.
struct block_pool *block_pool_create(size_t kept_max);
void block_pool_ref(struct block_pool *pool);
void block_pool_unref(struct block_pool *pool); // The last one frees what is kept; NULL is allowed.

// BLOCK_POOL_BLOCK_SIZE bytes at such an alignment, with anything in them. Without a pool (NULL)
// they are the system's.
void *block_pool_take(struct block_pool *pool);
void block_pool_give(struct block_pool *pool, void *block);

// How many blocks lie there now.
size_t block_pool_kept(const struct block_pool *pool);

#endif
