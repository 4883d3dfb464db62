// What records are made of: the values a job's operators hand on.
//
// A value borrows its bytes and items from whoever made it. The encoding gives equal bytes for
// equal values and for no others (an integral number is an integer), so that keys are compared and
// hashed as bytes.
//
//     null 0 | false 1 | true 2 | integer 3 zv | number 4 f64 | text 5 vbytes | tuple 6 uv values
#ifndef STREAM_VALUE_H
#define STREAM_VALUE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/cursor.h"

enum value_kind { VALUE_NULL, VALUE_BOOLEAN, VALUE_INTEGER, VALUE_NUMBER, VALUE_TEXT, VALUE_TUPLE };

// Values of one tuple or record, and how deep tuples may stand in each other.
enum { VALUE_ITEMS_MAX = 64, VALUE_DEPTH_MAX = 8 };

struct value {
    enum value_kind kind;
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct slice text;
        struct {
            const struct value *items;
            size_t count;
        } tuple;
    };
};

// One element of a stream: a word is a record of one value, a pair of two.
struct record {
    const struct value *values;
    size_t count;
};

static inline struct value value_null(void)
{
    return (struct value){.kind = VALUE_NULL};
}

static inline struct value value_boolean(bool boolean)
{
    return (struct value){.kind = VALUE_BOOLEAN, .boolean = boolean};
}

static inline struct value value_integer(int64_t integer)
{
    return (struct value){.kind = VALUE_INTEGER, .integer = integer};
}

// An INTEGER when the number is one.
struct value value_number(double number);

static inline struct value value_text(struct slice text)
{
    return (struct value){.kind = VALUE_TEXT, .text = text};
}

static inline struct value value_tuple(const struct value *items, size_t count)
{
    return (struct value){.kind = VALUE_TUPLE, .tuple = {items, count}};
}

// "text".
const char *value_kind_text(enum value_kind kind);

void value_put(struct buffer *bytes, const struct value *value);
// Reads what value_put() wrote; texts point into the bytes, items are in the arena. Sets
// `bytes->failed` for anything else.
struct value value_take(struct cursor *bytes, struct arena *arena);
struct value value_copy(struct arena *arena, const struct value *value);

// As a person reads it: (#iphone,ALL).
void value_put_text(struct buffer *text, const struct value *value);

// The sum of two numbers, in integers when both are; wraps at 64 bits. False: one is no number.
bool value_add(const struct value *a, const struct value *b, struct value *sum);

#endif
