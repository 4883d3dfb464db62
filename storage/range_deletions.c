#include "storage/range_deletions.h"

#include "base/assert.h"

enum { PIECES_ON_STACK = 8, CAPACITY_MIN = 4 };

struct bound range_deletions_invert(struct bound bound)
{
    switch (bound.kind) {
    case BOUND_INCL_START:
        return (struct bound){BOUND_EXCL_END, bound.prefix};
    case BOUND_EXCL_START:
        return (struct bound){BOUND_INCL_END, bound.prefix};
    case BOUND_INCL_END:
        return (struct bound){BOUND_EXCL_START, bound.prefix};
    default:
        ASSERT(bound.kind == BOUND_EXCL_END);
        return (struct bound){BOUND_INCL_START, bound.prefix};
    }
}

size_t range_deletions_find_end_after(const struct range_deletions *ranges,
                                      const struct table *table, const struct bound *place)
{
    // Deletions of a growing partition mostly come at its end.
    if (ranges->count == 0 ||
        bound_compare(table, &ranges->items[ranges->count - 1].range.end, place) <= 0)
        return ranges->count;
    size_t low = 0, high = ranges->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (bound_compare(table, &ranges->items[middle].range.end, place) > 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

struct deletion range_deletions_at(const struct range_deletions *ranges, const struct table *table,
                                   const struct clustering *clustering)
{
    struct bound place = {BOUND_CLUSTERING, *clustering};
    size_t index = range_deletions_find_end_after(ranges, table, &place);
    if (index == ranges->count) return DELETION_NONE;
    const struct range_deletion *item = &ranges->items[index];
    return bound_compare(table, &item->range.start, &place) < 0 ? item->deletion : DELETION_NONE;
}

struct pieces {
    const struct table *table;
    struct range_deletion *items;
    size_t count;
};

static void pieces_put(struct pieces *pieces, struct bound start, struct bound end,
                       struct deletion deletion)
{
    if (bound_compare(pieces->table, &start, &end) >= 0) return;
    pieces->items[pieces->count++] =
        (struct range_deletion){.range = {start, end}, .deletion = deletion};
}

// What becomes of the items [first, last), which all overlap `added`, together with it.
static void pieces_make(struct pieces *pieces, const struct range_deletions *ranges, size_t first,
                        size_t last, const struct range_deletion *added)
{
    struct bound start = added->range.start; // Of the part of `added` that is not yet placed.
    for (size_t i = first; i < last; i++) {
        const struct range_deletion *item = &ranges->items[i];
        const struct clustering_range *range = &item->range;
        if (!deletion_supersedes(added->deletion, item->deletion)) {
            pieces_put(pieces, start, range_deletions_invert(range->start), added->deletion);
            pieces_put(pieces, range->start, range->end, item->deletion);
            start = range_deletions_invert(range->end);
            continue;
        }
        // The item's head and tail stay, its middle is `added`.
        pieces_put(pieces, range->start, range_deletions_invert(start), item->deletion);
        if (bound_compare(pieces->table, &range->end, &added->range.end) <= 0) continue;
        pieces_put(pieces, start, added->range.end, added->deletion);
        start = range_deletions_invert(added->range.end);
        pieces_put(pieces, start, range->end, item->deletion);
    }
    pieces_put(pieces, start, added->range.end, added->deletion);
}

static struct bound copy_bound(struct arena *arena, struct bound bound)
{
    struct slice *values = arena_alloc(arena, sizeof *values * bound.prefix.count);
    for (uint16_t i = 0; i < bound.prefix.count; i++)
        values[i] = arena_copy(arena, bound.prefix.values[i]);
    bound.prefix.values = values;
    return bound;
}

// Puts the pieces in the place of the items [first, last).
static void ranges_replace(struct range_deletions *ranges, size_t first, size_t last,
                           const struct pieces *pieces, struct arena *arena)
{
    size_t count = ranges->count - (last - first) + pieces->count;
    if (count > ranges->capacity) {
        size_t capacity = ranges->capacity == 0 ? CAPACITY_MIN : ranges->capacity;
        while (capacity < count)
            capacity *= 2;
        struct range_deletion *items = arena_alloc(arena, capacity * sizeof *items);
        if (ranges->count > 0) memcpy(items, ranges->items, ranges->count * sizeof *items);
        ranges->items = items;
        ranges->capacity = capacity;
    }
    memmove(&ranges->items[first + pieces->count], &ranges->items[last],
            (ranges->count - last) * sizeof ranges->items[0]);
    memcpy(&ranges->items[first], pieces->items, pieces->count * sizeof pieces->items[0]);
    ranges->count = count;
}

void range_deletions_add(struct range_deletions *ranges, const struct table *table,
                         const struct range_deletion *added, struct arena *arena)
{
    if (bound_compare(table, &added->range.start, &added->range.end) >= 0) return;
    if (deletion_is_live(added->deletion)) return;
    size_t first = range_deletions_find_end_after(ranges, table, &added->range.start);
    size_t last = first;
    while (last < ranges->count &&
           bound_compare(table, &ranges->items[last].range.start, &added->range.end) < 0)
        last++;

    struct range_deletion copy = {
        .range = {copy_bound(arena, added->range.start), copy_bound(arena, added->range.end)},
        .deletion = added->deletion,
    };
    struct range_deletion room[PIECES_ON_STACK];
    size_t room_needed = 2 * (last - first) + 3;
    struct pieces pieces = {.table = table, .items = room};
    if (room_needed > PIECES_ON_STACK)
        pieces.items = arena_alloc(arena, room_needed * sizeof pieces.items[0]);
    pieces_make(&pieces, ranges, first, last, &copy);
    ranges_replace(ranges, first, last, &pieces, arena);
}
