// Memory for frames under way, which the connections of a server pass on to each other.
//
//     frame_reader, frame_writer --empty--> pool --first bytes of a turn--> any other
//
// A connection has bytes in its buffers for a part of a turn of the loop only. Were each to keep
// its memory, ten thousand that once sent or asked for something larger would hold gigabytes for
// nothing; so a quiet connection holds none. What is in the pool is bounded, and what was given
// last is taken first: it is in the processor's cache.
//
// Cassandra's counterpart: BufferPool (org.apache.cassandra.utils.memory).
#ifndef CQL_PROTOCOL_FRAME_POOL_H
#define CQL_PROTOCOL_FRAME_POOL_H

#include "base/buffer.h"

enum {
    FRAME_POOL_COUNT_MAX = 256,
    FRAME_POOL_BUFFER_SIZE_MAX = 256 * 1024, // A larger one is freed.
    FRAME_POOL_SIZE_MAX = 2 * 1024 * 1024,   // Of all: what would go beyond it is freed.
};

// All zero is an empty one.
struct frame_pool {
    struct {
        uint8_t *data;
        size_t capacity;
    } spare[FRAME_POOL_COUNT_MAX];
    size_t count, size;
};

void frame_pool_deinit(struct frame_pool *pool);
// Gives memory to a buffer that has none, if there is any. `pool` may be NULL: nothing happens.
void frame_pool_lend(struct frame_pool *pool, struct buffer *buffer);
// Likewise to one that has bytes, before `size` more are put, if they do not fit what it has.
void frame_pool_make_room(struct frame_pool *pool, struct buffer *buffer, size_t size);
// Empties the buffer and takes its memory. Without a pool it keeps it, if it is not much.
void frame_pool_take_back(struct frame_pool *pool, struct buffer *buffer);
// What a buffer holds stays for long: it moves to memory of its own if it has far too much.
void frame_pool_trim(struct frame_pool *pool, struct buffer *buffer);

#endif
