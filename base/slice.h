// Bytes that somebody else owns. The header of whoever hands one out says until when it may be
// read.
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *data; // NULL only for "null", where a value can be null; empty is not null.
    size_t size;
};

static inline struct slice slice_make(const void *data, size_t size)
{
    return (struct slice){(const uint8_t *)data, size};
}

static inline struct slice slice_of_text(const char *text)
{
    return slice_make(text, strlen(text));
}

static inline struct slice slice_null(void)
{
    return (struct slice){NULL, 0};
}

static inline bool slice_is_null(struct slice slice)
{
    return slice.data == NULL;
}

// Same bytes. Null equals only null.
static inline bool slice_equals(struct slice a, struct slice b)
{
    if (a.data == NULL || b.data == NULL) return a.data == b.data;
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

// Unsigned bytes, the shorter first where one begins the other. Negative, zero, positive.
static inline int slice_compare(struct slice a, struct slice b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);
    if (order != 0) return order;
    return (a.size > b.size) - (a.size < b.size);
}

#endif
