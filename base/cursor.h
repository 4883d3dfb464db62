// Bytes being read: a place in a slice that moves forward.
//
// Reading past the end gives zeros and sets `failed`, which stays set; a decoder checks it once, at
// the end, or before it trusts a length. Nothing is copied: slices point into the bytes.
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include "base/bytes.h"
#include "base/slice.h"

struct cursor {
    const uint8_t *next;
    const uint8_t *end;
    bool failed;
};

static inline struct cursor cursor_make(struct slice bytes)
{
    return (struct cursor){bytes.data, bytes.data == NULL ? NULL : bytes.data + bytes.size, false};
}

static inline size_t cursor_left(const struct cursor *cursor)
{
    return (size_t)(cursor->end - cursor->next);
}

// The next `size` bytes, or an empty slice when there are fewer.
static inline struct slice cursor_take(struct cursor *cursor, size_t size)
{
    if (cursor->failed || cursor_left(cursor) < size) {
        cursor->failed = true;
        return slice_make("", 0);
    }
    struct slice taken = slice_make(size == 0 ? (const uint8_t *)"" : cursor->next, size);
    cursor->next += size;
    return taken;
}

static inline uint8_t cursor_u8(struct cursor *cursor)
{
    struct slice bytes = cursor_take(cursor, 1);
    return bytes.size == 0 ? 0 : bytes.data[0];
}

static inline uint16_t cursor_u16(struct cursor *cursor)
{
    struct slice bytes = cursor_take(cursor, 2);
    return bytes.size == 0 ? (uint16_t)0 : bytes_get_u16(bytes.data);
}

static inline uint32_t cursor_u32(struct cursor *cursor)
{
    struct slice bytes = cursor_take(cursor, 4);
    return bytes.size == 0 ? 0 : bytes_get_u32(bytes.data);
}

static inline uint64_t cursor_u64(struct cursor *cursor)
{
    struct slice bytes = cursor_take(cursor, 8);
    return bytes.size == 0 ? 0 : bytes_get_u64(bytes.data);
}

static inline double cursor_f64(struct cursor *cursor)
{
    uint64_t bits = cursor_u64(cursor);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// uv, zv and vbytes of sstable-nb §0.1. Most numbers are small.
uint64_t cursor_vint_long(struct cursor *cursor);
static inline uint64_t cursor_vint(struct cursor *cursor)
{
    if (!cursor->failed && cursor->next < cursor->end && *cursor->next < 0x80)
        return *cursor->next++;
    return cursor_vint_long(cursor);
}

int64_t cursor_signed_vint(struct cursor *cursor);
struct slice cursor_vint_bytes(struct cursor *cursor);
// What buffer_put_nullable_bytes() wrote. Null when it failed.
struct slice cursor_nullable_bytes(struct cursor *cursor);
// A uv that counts things of at least `size_min` bytes each: it fails, with 0, when there can not
// be so many.
size_t cursor_count(struct cursor *cursor, size_t size_min);

#endif
