#include "base/buffer.h"

#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUFFER_CAPACITY_MIN = 64 };

void buffer_init(struct buffer *buffer, size_t limit)
{
    *buffer = (struct buffer){.limit = limit};
}

void buffer_deinit(struct buffer *buffer)
{
    free(buffer->data);
    buffer_init(buffer, buffer->limit);
}

void buffer_clear(struct buffer *buffer)
{
    buffer_truncate(buffer, 0);
}

void buffer_truncate(struct buffer *buffer, size_t size)
{
    ASSERT(size <= buffer->size);
    buffer->size = size;
    buffer->overflow = false;
}

void buffer_consume(struct buffer *buffer, size_t size)
{
    ASSERT(size <= buffer->size);
    if (size == 0) return;
    memmove(buffer->data, buffer->data + size, buffer->size - size);
    buffer->size -= size;
}

static bool buffer_grow(struct buffer *buffer, size_t size)
{
    if (buffer->overflow || size > buffer->limit - buffer->size) {
        buffer->overflow = true;
        return false;
    }
    size_t capacity =
        buffer->capacity < BUFFER_CAPACITY_MIN ? BUFFER_CAPACITY_MIN : buffer->capacity;
    while (capacity < buffer->size + size)
        capacity *= 2;
    uint8_t *data = realloc(buffer->data, capacity);
    ASSERT(data != NULL);
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t size)
{
    // An overflow stays: a later, smaller piece must not be written behind the gap.
    if (buffer->overflow || buffer->capacity - buffer->size < size || buffer->data == NULL ||
        size > buffer->limit - buffer->size) {
        if (!buffer_grow(buffer, size)) return NULL;
    }
    uint8_t *at = buffer->data + buffer->size;
    buffer->size += size;
    return at;
}

void buffer_put(struct buffer *buffer, const void *data, size_t size)
{
    uint8_t *at = buffer_reserve(buffer, size);
    if (at != NULL && size > 0) memcpy(at, data, size);
}

void buffer_put_u8(struct buffer *buffer, uint8_t value)
{
    uint8_t *at = buffer_reserve(buffer, sizeof value);
    if (at != NULL) *at = value;
}

void buffer_put_u16(struct buffer *buffer, uint16_t value)
{
    uint8_t *at = buffer_reserve(buffer, sizeof value);
    if (at != NULL) bytes_put_u16(at, value);
}

void buffer_put_u32(struct buffer *buffer, uint32_t value)
{
    uint8_t *at = buffer_reserve(buffer, sizeof value);
    if (at != NULL) bytes_put_u32(at, value);
}

void buffer_put_u64(struct buffer *buffer, uint64_t value)
{
    uint8_t *at = buffer_reserve(buffer, sizeof value);
    if (at != NULL) bytes_put_u64(at, value);
}

void buffer_put_f64(struct buffer *buffer, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    buffer_put_u64(buffer, bits);
}

size_t vint_size(uint64_t value)
{
    int bits = 64 - __builtin_clzll(value | 1);
    return bits > 56 ? 9 : (size_t)(bits + 6) / 7;
}

void buffer_put_vint(struct buffer *buffer, uint64_t value)
{
    size_t size = vint_size(value);
    uint8_t *at = buffer_reserve(buffer, size);
    if (at == NULL) return;
    // As many leading one bits as bytes follow, then the value, most significant bits first.
    uint64_t rest = value;
    for (size_t i = size - 1; i > 0; i--) {
        at[i] = (uint8_t)rest;
        rest >>= 8;
    }
    uint8_t marks = (uint8_t) ~(0xff >> (size - 1));
    at[0] = size == 9 ? 0xff : (uint8_t)(marks | rest);
}

void buffer_put_signed_vint(struct buffer *buffer, int64_t value)
{
    buffer_put_vint(buffer, ((uint64_t)value << 1) ^ (uint64_t)(value >> 63));
}

void buffer_put_vint_bytes(struct buffer *buffer, struct slice bytes)
{
    buffer_put_vint(buffer, bytes.size);
    buffer_put(buffer, bytes.data, bytes.size);
}

void buffer_put_nullable_bytes(struct buffer *buffer, struct slice bytes)
{
    buffer_put_vint(buffer, slice_is_null(bytes) ? 0 : (uint64_t)bytes.size + 1);
    if (bytes.size > 0) buffer_put(buffer, bytes.data, bytes.size);
}

void buffer_put_format(struct buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    ASSERT(length >= 0);
    // vsnprintf() writes a NUL too; room for it is taken and given back.
    uint8_t *at = buffer_reserve(buffer, (size_t)length + 1);
    if (at != NULL) {
        (void)vsnprintf((char *)at, (size_t)length + 1, format, again);
        buffer->size--;
    }
    va_end(again);
}
