#include "cql/execution/paging_state.h"

#include "base/buffer.h"
#include "base/cursor.h"

#include <xxhash.h>

enum { PAGING_STATE_VERSION = 1, HEADER_SIZE = 5, IN_PARTITION = 1, INCLUSIVE = 2 };

static uint32_t paging_state_hash(struct slice body, struct uuid table)
{
    return (uint32_t)XXH3_64bits_withSeed(body.data, body.size, bytes_get_u64(table.bytes));
}

struct slice paging_state_encode(const struct paging_state *state, struct uuid table,
                                 struct arena *arena)
{
    struct buffer buffer;
    buffer_init(&buffer, SIZE_MAX / 2);
    buffer_put_u8(&buffer, PAGING_STATE_VERSION);
    buffer_put_u32(&buffer, 0);
    buffer_put_u8(&buffer, (uint8_t)((state->in_partition ? IN_PARTITION : 0) |
                                     (state->inclusive ? INCLUSIVE : 0)));
    buffer_put_vint(&buffer, state->limit_left);
    buffer_put_vint(&buffer, state->rows_in_partition);
    buffer_put_vint_bytes(&buffer, state->key);
    clustering_put(&buffer, &state->clustering);
    struct slice body = slice_make(buffer.data + HEADER_SIZE, buffer.size - HEADER_SIZE);
    bytes_put_u32(buffer.data + 1, paging_state_hash(body, table));
    struct slice bytes = arena_copy(arena, buffer_slice(&buffer));
    buffer_deinit(&buffer);
    return bytes;
}

enum status paging_state_decode(struct slice bytes, struct uuid table, struct arena *arena,
                                struct paging_state *state)
{
    struct cursor cursor = cursor_make(bytes);
    if (cursor_u8(&cursor) != PAGING_STATE_VERSION) return STATUS_MALFORMED;
    uint32_t hash = cursor_u32(&cursor);
    if (cursor.failed) return STATUS_MALFORMED;
    struct slice body = slice_make(cursor.next, cursor_left(&cursor));
    if (hash != paging_state_hash(body, table)) return STATUS_MALFORMED;
    uint8_t flags = cursor_u8(&cursor);
    struct paging_state read = {0};
    read.in_partition = (flags & IN_PARTITION) != 0;
    read.inclusive = (flags & INCLUSIVE) != 0;
    read.limit_left = (uint32_t)cursor_vint(&cursor);
    read.rows_in_partition = (uint32_t)cursor_vint(&cursor);
    read.key = cursor_vint_bytes(&cursor);
    size_t count = cursor_count(&cursor, 1);
    if (cursor.failed) return STATUS_MALFORMED;
    struct slice *values = ARENA_NEW_ARRAY(arena, struct slice, count + 1);
    for (uint64_t i = 0; i < count; i++)
        values[i] = cursor_nullable_bytes(&cursor);
    if (cursor.failed || cursor_left(&cursor) != 0) return STATUS_MALFORMED;
    read.clustering = (struct clustering){(uint16_t)count, values};
    *state = read;
    return STATUS_OK;
}
