#include "cql/protocol/frame_pool.h"

#include <stdlib.h>

enum {
    KEPT_SIZE_MAX = 64 * 1024, // Of a buffer without a pool.
    TRIMMED_SIZE_MIN = 1024,
    TRIMMED_FACTOR = 4,
};

void frame_pool_deinit(struct frame_pool *pool)
{
    for (size_t i = 0; i < pool->count; i++)
        free(pool->spare[i].data);
    *pool = (struct frame_pool){0};
}

void frame_pool_lend(struct frame_pool *pool, struct buffer *buffer)
{
    if (buffer->data != NULL || pool == NULL || pool->count == 0) return;
    pool->count--;
    buffer->data = pool->spare[pool->count].data;
    buffer->capacity = pool->spare[pool->count].capacity;
    pool->size -= buffer->capacity;
}

void frame_pool_make_room(struct frame_pool *pool, struct buffer *buffer, size_t size)
{
    if (pool == NULL || buffer->overflow || buffer->capacity - buffer->size >= size) return;
    if (pool->count == 0 || pool->spare[pool->count - 1].capacity <= buffer->capacity) return;
    struct buffer larger;
    buffer_init(&larger, buffer->limit);
    frame_pool_lend(pool, &larger);
    buffer_put(&larger, buffer->data, buffer->size);
    frame_pool_take_back(pool, buffer);
    *buffer = larger;
}

void frame_pool_take_back(struct frame_pool *pool, struct buffer *buffer)
{
    buffer_clear(buffer);
    if (buffer->data == NULL || (pool == NULL && buffer->capacity <= KEPT_SIZE_MAX)) return;
    if (pool == NULL || pool->count == FRAME_POOL_COUNT_MAX ||
        buffer->capacity > FRAME_POOL_BUFFER_SIZE_MAX ||
        buffer->capacity > FRAME_POOL_SIZE_MAX - pool->size) {
        buffer_deinit(buffer);
        return;
    }
    pool->spare[pool->count].data = buffer->data;
    pool->spare[pool->count++].capacity = buffer->capacity;
    pool->size += buffer->capacity;
    buffer_init(buffer, buffer->limit);
}

void frame_pool_trim(struct frame_pool *pool, struct buffer *buffer)
{
    if (pool == NULL || buffer->overflow || buffer->capacity <= TRIMMED_SIZE_MIN ||
        buffer->size > buffer->capacity / TRIMMED_FACTOR)
        return;
    struct buffer trimmed;
    buffer_init(&trimmed, buffer->limit);
    buffer_put(&trimmed, buffer->data, buffer->size);
    frame_pool_take_back(pool, buffer);
    *buffer = trimmed;
}
