// Values that are made of others, as bytes (cql-server.md §3): collections, tuples, vectors.
#include "base/buffer.h"
#include "base/bytes.h"
#include "base/cursor.h"
#include "cql/statement/term.h"

#include <stdlib.h>

struct slice term_encode_collection(struct arena *arena, const struct slice *items, size_t count,
                                    bool is_map)
{
    size_t size = 4;
    for (size_t i = 0; i < count; i++)
        size += 4 + items[i].size;
    uint8_t *bytes = arena_alloc(arena, size);
    bytes_put_u32(bytes, (uint32_t)(is_map ? count / 2 : count));
    uint8_t *at = bytes + 4;
    for (size_t i = 0; i < count; i++) {
        bytes_put_u32(at, slice_is_null(items[i]) ? UINT32_MAX : (uint32_t)items[i].size);
        if (items[i].size > 0) memcpy(at + 4, items[i].data, items[i].size);
        at += 4 + items[i].size;
    }
    return slice_make(bytes, size);
}

const struct slice *term_decode_collection(struct arena *arena, struct slice bytes, bool is_map,
                                           size_t *count)
{
    *count = 0;
    if (bytes.size < 4) return NULL;
    uint64_t wanted = bytes_get_u32(bytes.data);
    if (is_map) wanted *= 2;
    if (wanted > (bytes.size - 4) / 4) return NULL;
    struct slice *items = ARENA_NEW_ARRAY(arena, struct slice, wanted + 1);
    size_t at = 4;
    for (uint64_t i = 0; i < wanted; i++) {
        if (bytes.size - at < 4) return NULL;
        uint32_t size = bytes_get_u32(bytes.data + at);
        at += 4;
        if (size > INT32_MAX || size > bytes.size - at) return NULL;
        items[i] = slice_make(bytes.data + at, size);
        at += size;
    }
    *count = (size_t)wanted;
    return items;
}

const struct slice *term_decode_tuple(struct arena *arena, struct slice bytes, size_t count)
{
    struct slice *items = ARENA_NEW_ARRAY(arena, struct slice, count + 1);
    size_t at = 0;
    for (size_t i = 0; i < count && bytes.size - at >= 4; i++) {
        uint32_t size = bytes_get_u32(bytes.data + at);
        at += 4;
        if (size > INT32_MAX) continue; // Null.
        if (size > bytes.size - at) break;
        items[i] = slice_make(bytes.data + at, size);
        at += size;
    }
    return items;
}

struct slice term_encode_tuple(struct arena *arena, const struct slice *items, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += 4 + items[i].size;
    uint8_t *bytes = arena_alloc(arena, size + 1);
    uint8_t *at = bytes;
    for (size_t i = 0; i < count; i++) {
        bool is_null = slice_is_null(items[i]);
        bytes_put_u32(at, is_null ? UINT32_MAX : (uint32_t)items[i].size);
        if (items[i].size > 0) memcpy(at + 4, items[i].data, items[i].size);
        at += 4 + items[i].size;
    }
    return slice_make(bytes, size);
}

struct slice term_encode_vector(struct arena *arena, const struct type *type,
                                const struct slice *items, size_t count)
{
    struct buffer buffer;
    buffer_init(&buffer, SIZE_MAX / 2);
    bool is_fixed = type_fixed_size(type->parameters[0]) > 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_fixed) buffer_put_vint(&buffer, items[i].size);
        buffer_put(&buffer, items[i].data, items[i].size);
    }
    struct slice bytes = arena_copy(arena, buffer_slice(&buffer));
    buffer_deinit(&buffer);
    return bytes;
}

static int term_compare_items(const void *a, const void *b, void *type)
{
    const struct slice *const *left = a, *const *right = b;
    int order = type_compare(type, **left, **right);
    return order != 0 ? order : (*left > *right) - (*left < *right);
}

size_t term_sort_items(const struct type *type, struct slice *items, size_t count, size_t stride,
                       struct arena *arena)
{
    size_t places = count / stride, kept = 0;
    const struct slice **order = ARENA_NEW_ARRAY(arena, const struct slice *, places + 1);
    struct slice *sorted = ARENA_NEW_ARRAY(arena, struct slice, count + 1);
    for (size_t i = 0; i < places; i++)
        order[i] = &items[i * stride];
    qsort_r(order, places, sizeof *order, term_compare_items, (void *)(uintptr_t)type);
    for (size_t i = 0; i < places; i++) {
        bool is_same = kept > 0 && type_compare(type, sorted[kept - stride], *order[i]) == 0;
        if (is_same) kept -= stride;
        memcpy(&sorted[kept], order[i], stride * sizeof *sorted);
        kept += stride;
    }
    if (kept > 0) memcpy(items, sorted, kept * sizeof *items);
    return kept;
}

static struct slice term_sort_vector(struct arena *arena, const struct type *type,
                                     struct slice bytes);

// Whether values of the type have an order of their own inside: tuples are never looked into.
static bool term_has_order(const struct type *type)
{
    while (type->kind == TYPE_LIST || type->kind == TYPE_VECTOR)
        type = type->parameters[0];
    return type->kind == TYPE_SET || type->kind == TYPE_MAP;
}

static bool term_is_sorted(const struct type *type, const struct slice *items, size_t count,
                           size_t stride)
{
    for (size_t i = stride; i < count; i += stride)
        if (type_compare(type, items[i - stride], items[i]) >= 0) return false;
    return true;
}

// Sorts what is in the items, of a map in keys and values in turn. Whether any was not sorted.
static bool term_sort_inside(struct arena *arena, const struct type *type, struct slice *items,
                             size_t count)
{
    bool has_changed = false;
    size_t kinds = type->kind == TYPE_MAP ? 2 : 1;
    for (size_t i = 0; i < count; i++) {
        const struct type *of = type->parameters[i % kinds];
        struct slice sorted = term_sort_collection(arena, of, items[i]);
        if (of->kind == TYPE_VECTOR) sorted = term_sort_vector(arena, of, items[i]);
        has_changed |= sorted.data != items[i].data;
        items[i] = sorted;
    }
    return has_changed;
}

static struct slice term_sort_vector(struct arena *arena, const struct type *type,
                                     struct slice bytes)
{
    if (!term_has_order(type)) return bytes;
    struct slice *items = ARENA_NEW_ARRAY(arena, struct slice, type->dimension + 1u);
    struct cursor cursor = cursor_make(bytes);
    for (size_t i = 0; i < type->dimension; i++)
        items[i] = cursor_vint_bytes(&cursor);
    if (cursor.failed || !term_sort_inside(arena, type, items, type->dimension)) return bytes;
    return term_encode_vector(arena, type, items, type->dimension);
}

struct slice term_sort_collection(struct arena *arena, const struct type *type, struct slice bytes)
{
    bool is_map = type->kind == TYPE_MAP, is_list = type->kind == TYPE_LIST;
    if (is_list ? !term_has_order(type) : !is_map && type->kind != TYPE_SET) return bytes;
    size_t count, stride = is_map ? 2 : 1;
    const struct slice *items = term_decode_collection(arena, bytes, is_map, &count);
    if (items == NULL || count == 0) return bytes;
    struct slice *sorted = ARENA_NEW_ARRAY(arena, struct slice, count);
    memcpy(sorted, items, count * sizeof *sorted);
    bool has_changed = term_sort_inside(arena, type, sorted, count);
    if (!is_list && !term_is_sorted(type->parameters[0], sorted, count, stride)) {
        count = term_sort_items(type->parameters[0], sorted, count, stride, arena);
        has_changed = true;
    }
    return has_changed ? term_encode_collection(arena, sorted, count, is_map) : bytes;
}
