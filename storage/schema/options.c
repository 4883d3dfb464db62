#include "storage/schema/options.h"

#include <stdlib.h>

struct slice options_find(const struct options *options, const char *key)
{
    for (size_t i = 0; i < options->count; i++)
        if (slice_equals(options->items[i].key, slice_of_text(key))) return options->items[i].value;
    return slice_null();
}

static int compare_keys(const void *left, const void *right)
{
    const struct option *a = left, *b = right;
    return slice_compare(a->key, b->key);
}

struct options options_copy(struct arena *arena, const struct options *options)
{
    struct option *items = ARENA_NEW_ARRAY(arena, struct option, options->count);
    for (size_t i = 0; i < options->count; i++) {
        items[i].key = arena_copy(arena, options->items[i].key);
        items[i].value = arena_copy(arena, options->items[i].value);
    }
    if (options->count > 1) qsort(items, options->count, sizeof *items, compare_keys);
    return (struct options){items, options->count};
}

bool options_equal(const struct options *a, const struct options *b)
{
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++)
        if (!slice_equals(a->items[i].key, b->items[i].key) ||
            !slice_equals(a->items[i].value, b->items[i].value))
            return false;
    return true;
}
