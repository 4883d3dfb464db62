// Bytes being written: grows by doubling, up to a limit that the owner sets.
//
// Past the limit nothing is written and `overflow` stays set, so that an encoder checks once, at
// the end. Vints are Cassandra's (VIntCoding; sstable-nb §0.1), also used by the CQL protocol.
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/bytes.h"
#include "base/slice.h"

struct buffer {
    uint8_t *data;
    size_t size;     // Written.
    size_t capacity; // Allocated.
    size_t limit;    // Largest size.
    bool overflow;   // Something was not written, because of the limit.
};

void buffer_init(struct buffer *buffer, size_t limit);
void buffer_deinit(struct buffer *buffer);
// Forgets what was written and keeps the memory.
void buffer_clear(struct buffer *buffer);
// Cuts back to `size`, which is at most what was written. Clears `overflow`.
void buffer_truncate(struct buffer *buffer, size_t size);
// Removes the first `size` bytes.
void buffer_consume(struct buffer *buffer, size_t size);
// `size` bytes to fill in, at the end; NULL past the limit. Valid until the next write.
uint8_t *buffer_reserve(struct buffer *buffer, size_t size);

void buffer_put(struct buffer *buffer, const void *data, size_t size);
void buffer_put_u8(struct buffer *buffer, uint8_t value);
void buffer_put_u16(struct buffer *buffer, uint16_t value);
void buffer_put_u32(struct buffer *buffer, uint32_t value);
void buffer_put_u64(struct buffer *buffer, uint64_t value);
void buffer_put_f64(struct buffer *buffer, double value);
void buffer_put_vint(struct buffer *buffer, uint64_t value);           // uv: unsigned
void buffer_put_signed_vint(struct buffer *buffer, int64_t value);     // zv: zigzag
void buffer_put_vint_bytes(struct buffer *buffer, struct slice bytes); // vbytes: uv length + bytes
// uv 0 for null, else uv length + 1, then the bytes.
void buffer_put_nullable_bytes(struct buffer *buffer, struct slice bytes);
void buffer_put_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline struct slice buffer_slice(const struct buffer *buffer)
{
    return slice_make(buffer->data == NULL ? (const uint8_t *)"" : buffer->data, buffer->size);
}

// Bytes that buffer_put_vint() writes: 1 to 9.
size_t vint_size(uint64_t value);

#endif
