#include "storage/value/java_string.h"

#include "base/cursor.h"
#include "storage/value.h"

static void put_hex(struct slice bytes, struct buffer *text)
{
    for (size_t i = 0; i < bytes.size; i++) {
        buffer_put_u8(text, (uint8_t) "0123456789abcdef"[bytes.data[i] >> 4]);
        buffer_put_u8(text, (uint8_t) "0123456789abcdef"[bytes.data[i] & 15]);
    }
}

// Writes what stands in `text` from `start` on anew, with a backslash before each of `marks`.
static void escape(struct buffer *text, size_t start, const char *marks)
{
    struct buffer plain;
    buffer_init(&plain, text->limit);
    if (text->size > start) buffer_put(&plain, text->data + start, text->size - start);
    buffer_truncate(text, start);
    for (size_t i = 0; i < plain.size; i++) {
        if (plain.data[i] != 0 && strchr(marks, plain.data[i]) != NULL) buffer_put_u8(text, '\\');
        buffer_put_u8(text, plain.data[i]);
    }
    buffer_deinit(&plain);
}

static void put_tuple(const struct type *type, struct slice value, struct buffer *text)
{
    struct cursor cursor = cursor_make(value);
    for (uint16_t i = 0; i < type->parameter_count && cursor_left(&cursor) > 0; i++) {
        int32_t size = (int32_t)cursor_u32(&cursor);
        if (cursor.failed) return;
        if (i > 0) buffer_put_u8(text, ':');
        if (size < 0) {
            buffer_put_u8(text, '@');
            continue;
        }
        size_t start = text->size;
        java_string_put(type->parameters[i], cursor_take(&cursor, (size_t)size), text);
        escape(text, start, ":@");
    }
}

void java_string_put(const struct type *type, struct slice value, struct buffer *text)
{
    struct error ignored;
    if (value.size == 0) return;
    switch (type->kind) {
    case TYPE_TEXT:
    case TYPE_ASCII:
        buffer_put(text, value.data, value.size);
        return;
    case TYPE_TUPLE:
    case TYPE_UDT:
        put_tuple(type, value, text);
        return;
    case TYPE_BLOB:
    case TYPE_CUSTOM:
    case TYPE_COUNTER:
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_VECTOR:
    case TYPE_EMPTY:
        put_hex(value, text);
        return;
    default:
        if (type_validate(type, value, &ignored) != STATUS_OK)
            put_hex(value, text);
        else
            value_put_cast(type, value, text);
    }
}

void java_string_put_key(const struct type *const *types, size_t count, struct slice key,
                         struct buffer *text)
{
    if (count == 1) {
        java_string_put(types[0], key, text);
        return;
    }
    struct cursor cursor = cursor_make(key);
    for (size_t i = 0; i < count && cursor_left(&cursor) > 0; i++) {
        struct slice part = cursor_take(&cursor, cursor_u16(&cursor));
        (void)cursor_u8(&cursor);
        if (i > 0) buffer_put_u8(text, ':');
        size_t start = text->size;
        java_string_put(types[i], part, text);
        escape(text, start, ":");
    }
}
