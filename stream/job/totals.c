#include "stream/job/totals.h"

#include "base/assert.h"

#include <stdlib.h>

enum { TOTALS_CAPACITY_MIN = 256 };

void totals_init(struct totals *totals)
{
    *totals = (struct totals){.items = NULL};
    combine_init(&totals->places);
}

void totals_deinit(struct totals *totals)
{
    combine_deinit(&totals->places);
    free(totals->items);
    totals_init(totals);
}

bool totals_find(struct totals *totals, struct slice key, struct total *total)
{
    const struct value *place = combine_get(&totals->places, key);
    if (place == NULL) return false;
    *total = totals->items[place->integer];
    return true;
}

void totals_put(struct totals *totals, struct slice key, struct total total)
{
    bool is_new;
    struct value *place = combine_find(&totals->places, key, &is_new);
    if (is_new) {
        if (totals->count == totals->capacity) {
            totals->capacity = totals->capacity == 0 ? TOTALS_CAPACITY_MIN : 2 * totals->capacity;
            totals->items = realloc(totals->items, totals->capacity * sizeof *totals->items);
            ASSERT(totals->items != NULL);
        }
        *place = value_integer((int64_t)totals->count++);
    }
    totals->items[place->integer] = total;
}

size_t totals_size(const struct totals *totals)
{
    return combine_size(&totals->places) + totals->capacity * sizeof *totals->items;
}
