#include "stream/dataset/value.h"

#include "base/assert.h"

#include <inttypes.h>
#include <math.h>

enum { TAG_NULL, TAG_FALSE, TAG_TRUE, TAG_INTEGER, TAG_NUMBER, TAG_TEXT, TAG_TUPLE };

struct value value_number(double number)
{
    // 2^63 has no int64_t, -2^63 has; NaN fails both comparisons.
    if (number >= -0x1p63 && number < 0x1p63 && number == trunc(number))
        return value_integer((int64_t)number);
    return (struct value){.kind = VALUE_NUMBER, .number = number};
}

const char *value_kind_text(enum value_kind kind)
{
    static const char *const texts[] = {
        [VALUE_NULL] = "nil",      [VALUE_BOOLEAN] = "boolean", [VALUE_INTEGER] = "integer",
        [VALUE_NUMBER] = "number", [VALUE_TEXT] = "text",       [VALUE_TUPLE] = "tuple",
    };
    return texts[kind];
}

void value_put(struct buffer *bytes, const struct value *value)
{
    switch (value->kind) {
    case VALUE_NULL:
        buffer_put_u8(bytes, TAG_NULL);
        break;
    case VALUE_BOOLEAN:
        buffer_put_u8(bytes, value->boolean ? TAG_TRUE : TAG_FALSE);
        break;
    case VALUE_INTEGER:
        buffer_put_u8(bytes, TAG_INTEGER);
        buffer_put_signed_vint(bytes, value->integer);
        break;
    case VALUE_NUMBER:
        buffer_put_u8(bytes, TAG_NUMBER);
        buffer_put_f64(bytes, value->number);
        break;
    case VALUE_TEXT:
        buffer_put_u8(bytes, TAG_TEXT);
        buffer_put_vint_bytes(bytes, value->text);
        break;
    case VALUE_TUPLE:
        buffer_put_u8(bytes, TAG_TUPLE);
        buffer_put_vint(bytes, value->tuple.count);
        for (size_t i = 0; i < value->tuple.count; i++)
            value_put(bytes, &value->tuple.items[i]);
        break;
    }
}

static struct value value_take_at_depth(struct cursor *bytes, struct arena *arena, int depth)
{
    switch (cursor_u8(bytes)) {
    case TAG_NULL:
        return value_null();
    case TAG_FALSE:
        return value_boolean(false);
    case TAG_TRUE:
        return value_boolean(true);
    case TAG_INTEGER:
        return value_integer(cursor_signed_vint(bytes));
    case TAG_NUMBER:
        return (struct value){.kind = VALUE_NUMBER, .number = cursor_f64(bytes)};
    case TAG_TEXT:
        return value_text(cursor_vint_bytes(bytes));
    case TAG_TUPLE: {
        uint64_t count = cursor_vint(bytes);
        if (count > VALUE_ITEMS_MAX || depth == VALUE_DEPTH_MAX) break;
        struct value *items = ARENA_NEW_ARRAY(arena, struct value, count);
        for (size_t i = 0; i < count; i++)
            items[i] = value_take_at_depth(bytes, arena, depth + 1);
        return value_tuple(items, (size_t)count);
    }
    default:
        break;
    }
    bytes->failed = true;
    return value_null();
}

struct value value_take(struct cursor *bytes, struct arena *arena)
{
    return value_take_at_depth(bytes, arena, 0);
}

struct value value_copy(struct arena *arena, const struct value *value)
{
    if (value->kind == VALUE_TEXT) return value_text(arena_copy(arena, value->text));
    if (value->kind != VALUE_TUPLE) return *value;
    struct value *items = ARENA_NEW_ARRAY(arena, struct value, value->tuple.count);
    for (size_t i = 0; i < value->tuple.count; i++)
        items[i] = value_copy(arena, &value->tuple.items[i]);
    return value_tuple(items, value->tuple.count);
}

void value_put_text(struct buffer *text, const struct value *value)
{
    switch (value->kind) {
    case VALUE_NULL:
        buffer_put_format(text, "nil");
        break;
    case VALUE_BOOLEAN:
        buffer_put_format(text, "%s", value->boolean ? "true" : "false");
        break;
    case VALUE_INTEGER:
        buffer_put_format(text, "%" PRId64, value->integer);
        break;
    case VALUE_NUMBER:
        buffer_put_format(text, "%.17g", value->number);
        break;
    case VALUE_TEXT:
        buffer_put(text, value->text.data, value->text.size);
        break;
    case VALUE_TUPLE:
        buffer_put_u8(text, '(');
        for (size_t i = 0; i < value->tuple.count; i++) {
            if (i > 0) buffer_put_u8(text, ',');
            value_put_text(text, &value->tuple.items[i]);
        }
        buffer_put_u8(text, ')');
        break;
    }
}

bool value_add(const struct value *a, const struct value *b, struct value *sum)
{
    if (a->kind == VALUE_INTEGER && b->kind == VALUE_INTEGER) {
        *sum = value_integer((int64_t)((uint64_t)a->integer + (uint64_t)b->integer));
        return true;
    }
    bool numeric = (a->kind == VALUE_INTEGER || a->kind == VALUE_NUMBER) &&
                   (b->kind == VALUE_INTEGER || b->kind == VALUE_NUMBER);
    if (!numeric) return false;
    double left = a->kind == VALUE_INTEGER ? (double)a->integer : a->number;
    double right = b->kind == VALUE_INTEGER ? (double)b->integer : b->number;
    *sum = value_number(left + right);
    return true;
}
