#include "node/sstable_tool/value_build.h"

#include <stdlib.h>

void value_parts_add(struct value_parts *parts, struct slice value, struct arena *arena)
{
    if (parts->count == parts->capacity) {
        size_t capacity = parts->capacity == 0 ? 8 : 2 * parts->capacity;
        struct slice *items = ARENA_NEW_ARRAY(arena, struct slice, capacity);
        if (parts->count > 0) memcpy(items, parts->items, parts->count * sizeof *items);
        parts->items = items;
        parts->capacity = capacity;
    }
    parts->items[parts->count++] = value;
}

// Sorts the elements of a set or the entries of a map; of equal ones the last stays. An insertion
// sort: what is written sorted, as exports are, takes one comparison each.
static void sort_parts(const struct type *type, struct value_parts *parts)
{
    size_t width = type->kind == TYPE_MAP ? 2 : 1, kept = 0;
    const struct type *key_type = type->parameters[0];
    for (size_t i = 0; i + width <= parts->count; i += width) {
        struct slice key = parts->items[i], value = parts->items[i + width - 1];
        size_t at = kept;
        while (at > 0 && type_compare(key_type, parts->items[(at - 1) * width], key) > 0)
            at--;
        bool is_same = at > 0 && type_compare(key_type, parts->items[(at - 1) * width], key) == 0;
        if (is_same) {
            at--;
        } else {
            memmove(&parts->items[(at + 1) * width], &parts->items[at * width],
                    (kept - at) * width * sizeof *parts->items);
            kept++;
        }
        parts->items[at * width] = key;
        parts->items[at * width + width - 1] = value;
    }
    parts->count = kept * width;
}

static struct slice encode_sized(const struct value_parts *parts, bool with_count, size_t divisor,
                                 struct arena *arena)
{
    size_t size = with_count ? 4 : 0;
    for (size_t i = 0; i < parts->count; i++)
        size += 4 + parts->items[i].size;
    uint8_t *bytes = arena_alloc(arena, size), *at = bytes;
    if (with_count) {
        bytes_put_u32(at, (uint32_t)(parts->count / divisor));
        at += 4;
    }
    for (size_t i = 0; i < parts->count; i++) {
        struct slice part = parts->items[i];
        bytes_put_u32(at, part.data == NULL ? UINT32_MAX : (uint32_t)part.size);
        if (part.size > 0) memcpy(at + 4, part.data, part.size);
        at += 4 + part.size;
    }
    return slice_make(bytes, size);
}

static enum status build_vector(const struct type *type, const struct value_parts *parts,
                                struct arena *arena, struct slice *value, struct error *error)
{
    if (parts->count != type->dimension)
        return error_set(error, STATUS_INVALID, "%zu values for a vector of %u", parts->count,
                         type->dimension);
    bool is_fixed = type_fixed_size(type->parameters[0]) != 0;
    struct buffer bytes;
    buffer_init(&bytes, SIZE_MAX);
    for (size_t i = 0; i < parts->count; i++) {
        if (is_fixed)
            buffer_put(&bytes, parts->items[i].data, parts->items[i].size);
        else
            buffer_put_vint_bytes(&bytes, parts->items[i]);
    }
    *value = arena_copy(arena, buffer_slice(&bytes));
    buffer_deinit(&bytes);
    return STATUS_OK;
}

enum status value_build(const struct type *type, struct value_parts *parts, struct arena *arena,
                        struct slice *value, struct error *error)
{
    bool may_be_null = type->kind == TYPE_TUPLE || type->kind == TYPE_UDT;
    for (size_t i = 0; i < parts->count && !may_be_null; i++)
        if (parts->items[i].data == NULL)
            return error_set(error, STATUS_INVALID, "null is not supported inside collections");
    if (may_be_null && parts->count > type->parameter_count)
        return error_set(error, STATUS_INVALID, "%zu values for a tuple or type of %u",
                         parts->count, type->parameter_count);
    if (type->kind == TYPE_VECTOR) return build_vector(type, parts, arena, value, error);
    if (type->kind == TYPE_SET || type->kind == TYPE_MAP) sort_parts(type, parts);
    *value = encode_sized(parts, !may_be_null, type->kind == TYPE_MAP ? 2 : 1, arena);
    return STATUS_OK;
}

int value_field_index(const struct type *type, struct slice name)
{
    for (uint16_t i = 0; i < type->parameter_count; i++)
        if (slice_equals(type->field_names[i], name)) return i;
    return -1;
}
