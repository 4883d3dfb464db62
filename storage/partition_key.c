#include "storage/partition_key.h"

#include "base/assert.h"
#include "base/cursor.h"
#include "base/limits.h"

static enum status too_long(size_t size, struct error *error)
{
    return error_set(error, STATUS_INVALID, "Key length of %zu is longer than maximum of %u", size,
                     KEY_SIZE_MAX);
}

enum status partition_key_build(const struct slice *components, size_t count, struct arena *arena,
                                struct partition_key *key, struct error *error)
{
    ASSERT(count >= 1);
    if (count == 1) {
        if (components[0].size == 0)
            return error_set(error, STATUS_INVALID, "Key may not be empty");
        if (components[0].size > KEY_SIZE_MAX) return too_long(components[0].size, error);
        *key = partition_key_make(components[0]);
        return STATUS_OK;
    }
    size_t size = 0, data_size = 0;
    for (size_t i = 0; i < count; i++) {
        size += 2 + components[i].size + 1;
        data_size += components[i].size;
    }
    if (data_size > KEY_SIZE_MAX) return too_long(data_size, error); // Cassandra counts no frames.
    if (size > KEY_SIZE_MAX) return too_long(size, error);
    uint8_t *bytes = arena_alloc(arena, size), *at = bytes;
    for (size_t i = 0; i < count; i++) {
        bytes_put_u16(at, (uint16_t)components[i].size);
        if (components[i].size > 0) memcpy(at + 2, components[i].data, components[i].size);
        at += 2 + components[i].size;
        *at++ = 0;
    }
    *key = partition_key_make(slice_make(bytes, size));
    return STATUS_OK;
}

enum status partition_key_split(struct slice key, size_t count, struct slice *components)
{
    ASSERT(count >= 1);
    if (count == 1) {
        components[0] = key;
        return STATUS_OK;
    }
    struct cursor cursor = cursor_make(key);
    for (size_t i = 0; i < count; i++) {
        components[i] = cursor_take(&cursor, cursor_u16(&cursor));
        cursor_u8(&cursor);
    }
    return cursor.failed || cursor_left(&cursor) != 0 ? STATUS_CORRUPT : STATUS_OK;
}
