#include "stream/dataset/combine.h"

#include "base/assert.h"

#include <stdlib.h>
#include <xxhash.h>

enum { COMBINE_CAPACITY_MIN = 1024, COMBINE_BLOCK_SIZE = 64 * 1024 };

void combine_init(struct combine *combine)
{
    *combine = (struct combine){0};
    arena_init(&combine->arena, COMBINE_BLOCK_SIZE);
}

void combine_deinit(struct combine *combine)
{
    free(combine->slots);
    arena_deinit(&combine->arena);
    combine_init(combine);
}

void combine_clear(struct combine *combine)
{
    if (combine->count > 0) memset(combine->slots, 0, combine->capacity * sizeof *combine->slots);
    combine->count = 0;
    arena_reset(&combine->arena);
}

static struct combine_slot *combine_place(struct combine_slot *slots, size_t capacity,
                                          uint64_t hash, struct slice key)
{
    for (size_t at = (size_t)hash & (capacity - 1);; at = (at + 1) & (capacity - 1)) {
        struct combine_slot *slot = &slots[at];
        if (slice_is_null(slot->key)) return slot;
        if (slot->hash == hash && slice_equals(slot->key, key)) return slot;
    }
}

static void combine_grow(struct combine *combine)
{
    size_t capacity = combine->capacity == 0 ? COMBINE_CAPACITY_MIN : combine->capacity * 2;
    struct combine_slot *slots = calloc(capacity, sizeof *slots);
    ASSERT(slots != NULL);
    for (size_t i = 0; i < combine->capacity; i++) {
        const struct combine_slot *slot = &combine->slots[i];
        if (!slice_is_null(slot->key))
            *combine_place(slots, capacity, slot->hash, slot->key) = *slot;
    }
    free(combine->slots);
    combine->slots = slots;
    combine->capacity = capacity;
}

struct value *combine_find(struct combine *combine, struct slice key, bool *is_new)
{
    // At most half full, so that a search ends soon.
    if (combine->count >= combine->capacity / 2) combine_grow(combine);
    uint64_t hash = XXH3_64bits(key.data, key.size);
    struct combine_slot *slot = combine_place(combine->slots, combine->capacity, hash, key);
    *is_new = slice_is_null(slot->key);
    if (*is_new) {
        slot->hash = hash;
        slot->key = arena_copy(&combine->arena, key);
        slot->value = value_null();
        combine->count++;
    }
    return &slot->value;
}

const struct value *combine_get(const struct combine *combine, struct slice key)
{
    if (combine->capacity == 0) return NULL;
    uint64_t hash = XXH3_64bits(key.data, key.size);
    const struct combine_slot *slot = combine_place(combine->slots, combine->capacity, hash, key);
    return slice_is_null(slot->key) ? NULL : &slot->value;
}
