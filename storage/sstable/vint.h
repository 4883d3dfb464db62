// Cassandra's vints (sstable-nb §0.1) for the hot paths: one byte inline, the rest without loops.
// The same bytes as buffer_put_vint() and cursor_vint().
#ifndef STORAGE_SSTABLE_VINT_H
#define STORAGE_SSTABLE_VINT_H

#include "base/bytes.h"
#include "base/cursor.h"

// Bytes that must be writable behind the place given to vint_put().
enum { VINT_SIZE_MAX = 9 };

// Returns the place behind it.
static inline uint8_t *vint_put(uint8_t *at, uint64_t value)
{
    if (value < 0x80) {
        *at = (uint8_t)value;
        return at + 1;
    }
    int bits = 64 - __builtin_clzll(value);
    if (bits > 56) {
        *at = 0xff;
        bytes_put_u64(at + 1, value);
        return at + 9;
    }
    // `size` bytes hold 7 bits each; the first begins with size - 1 ones.
    int size = (bits + 6) / 7;
    uint64_t ones = ~(uint64_t)0 << (64 - (size - 1));
    bytes_put_u64(at, value << (64 - 8 * size) | ones);
    return at + size;
}

static inline uint64_t vint_read(struct cursor *cursor)
{
    if (cursor->next < cursor->end && *cursor->next < 0x80) return *cursor->next++;
    size_t left = cursor_left(cursor);
    if (left < VINT_SIZE_MAX) return cursor_vint(cursor);
    uint8_t first = *cursor->next;
    if (first == 0xff) {
        uint64_t value = bytes_get_u64(cursor->next + 1);
        cursor->next += 9;
        return value;
    }
    int extra = __builtin_clz((unsigned)(uint8_t)~first << 24);
    uint64_t value = bytes_get_u64(cursor->next);
    value = value << (extra + 1) >> (extra + 1); // Without the ones and the zero behind them …
    value >>= 8 * (7 - extra);                   // … and without the bytes behind it.
    cursor->next += 1 + extra;
    return value;
}

static inline struct slice vint_read_bytes(struct cursor *cursor)
{
    uint64_t size = vint_read(cursor);
    if (size > cursor_left(cursor)) {
        cursor->failed = true;
        return slice_make("", 0);
    }
    return cursor_take(cursor, (size_t)size);
}

#endif
