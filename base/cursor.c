#include "base/cursor.h"

uint64_t cursor_vint_long(struct cursor *cursor)
{
    uint8_t first = cursor_u8(cursor);
    if (first < 0x80) return first;
    int extra = first == 0xff ? 8 : __builtin_clz((unsigned)(uint8_t)~first << 24);
    struct slice rest = cursor_take(cursor, (size_t)extra);
    uint64_t value = extra == 8 ? 0 : first & (0xffu >> extra);
    for (size_t i = 0; i < rest.size; i++)
        value = value << 8 | rest.data[i];
    return cursor->failed ? 0 : value;
}

int64_t cursor_signed_vint(struct cursor *cursor)
{
    uint64_t zigzag = cursor_vint(cursor);
    return (int64_t)((zigzag >> 1) ^ (0 - (zigzag & 1)));
}

struct slice cursor_vint_bytes(struct cursor *cursor)
{
    uint64_t size = cursor_vint(cursor);
    if (size > cursor_left(cursor)) {
        cursor->failed = true;
        return slice_make("", 0);
    }
    return cursor_take(cursor, (size_t)size);
}

struct slice cursor_nullable_bytes(struct cursor *cursor)
{
    uint64_t size = cursor_vint(cursor);
    if (size == 0) return slice_null();
    if (size - 1 <= cursor_left(cursor)) return cursor_take(cursor, (size_t)size - 1);
    cursor->failed = true;
    return slice_null();
}

size_t cursor_count(struct cursor *cursor, size_t size_min)
{
    uint64_t count = cursor_vint(cursor);
    if (count <= cursor_left(cursor) / size_min) return (size_t)count;
    cursor->failed = true;
    return 0;
}
