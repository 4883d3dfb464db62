#include "storage/memtable/range_deletions.h"

#include "base/assert.h"

enum { BLOCK_COUNT_MAX = 64, CAPACITY_MIN = 4, ON_STACK = 8, BLOCKS_ON_STACK = 3 };

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

// ---- Places ------------------------------------------------------------------------------------

static bool ends_behind(const struct table *table, const struct range_deletion *item,
                        const struct bound *place)
{
    return bound_compare(table, &item->range.end, place) > 0;
}

struct range_place range_deletions_find_end_after(const struct range_deletions *ranges,
                                                  const struct table *table,
                                                  const struct bound *place)
{
    size_t low = 0, high = ranges->block_count;
    // Deletions of a growing partition mostly come at its end.
    if (high > 0) {
        const struct range_block *last = &ranges->blocks[high - 1];
        if (!ends_behind(table, &last->items[last->count - 1], place)) low = high;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct range_block *block = &ranges->blocks[middle];
        if (ends_behind(table, &block->items[block->count - 1], place)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    struct range_place found = {low, 0};
    if (low == ranges->block_count) return found;
    const struct range_block *block = &ranges->blocks[low];
    size_t end = block->count;
    while (found.index < end) {
        size_t middle = found.index + (end - found.index) / 2;
        if (ends_behind(table, &block->items[middle], place)) {
            end = middle;
        } else {
            found.index = middle + 1;
        }
    }
    return found;
}

const struct range_deletion *range_deletions_item(const struct range_deletions *ranges,
                                                  struct range_place place)
{
    return place.block == ranges->block_count ? NULL
                                              : &ranges->blocks[place.block].items[place.index];
}

struct range_place range_deletions_next(const struct range_deletions *ranges,
                                        struct range_place place)
{
    bool is_last = place.index + 1 == ranges->blocks[place.block].count;
    return is_last ? (struct range_place){place.block + 1, 0}
                   : (struct range_place){place.block, place.index + 1};
}

bool range_deletions_previous(const struct range_deletions *ranges, struct range_place *place)
{
    if (place->index > 0) {
        place->index--;
        return true;
    }
    if (place->block == 0) return false;
    place->block--;
    place->index = ranges->blocks[place->block].count - 1;
    return true;
}

struct deletion range_deletions_at(const struct range_deletions *ranges, const struct table *table,
                                   const struct clustering *clustering)
{
    struct bound place = {BOUND_CLUSTERING, *clustering};
    const struct range_deletion *item =
        range_deletions_item(ranges, range_deletions_find_end_after(ranges, table, &place));
    if (item == NULL || bound_compare(table, &item->range.start, &place) >= 0) return DELETION_NONE;
    return item->deletion;
}

// ---- What becomes of those that a new one overlaps ---------------------------------------------

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

// What becomes of the `count` items, which all overlap `added`, together with it.
static void pieces_make(struct pieces *pieces, const struct range_deletion *items, size_t count,
                        const struct range_deletion *added)
{
    struct bound start = added->range.start; // Of the part of `added` that is not yet placed.
    for (size_t i = 0; i < count; i++) {
        const struct range_deletion *item = &items[i];
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

// ---- Replacing ---------------------------------------------------------------------------------

static struct range_deletion *items_make(struct arena *arena, size_t count)
{
    return arena_alloc(arena, count * sizeof(struct range_deletion));
}

// Room for `count` items in the block; those it has stay.
static void block_reserve(struct range_block *block, size_t count, struct arena *arena)
{
    if (count <= block->capacity) return;
    size_t capacity = block->capacity < CAPACITY_MIN ? CAPACITY_MIN : block->capacity;
    while (capacity < count)
        capacity *= 2;
    struct range_deletion *items = items_make(arena, capacity);
    if (block->count > 0) memcpy(items, block->items, block->count * sizeof *items);
    block->items = items;
    block->capacity = capacity;
}

// Makes `added` new blocks in the place of `removed` ones; what is new is empty.
static void blocks_replace(struct range_deletions *ranges, size_t first, size_t removed,
                           size_t added, struct arena *arena)
{
    size_t count = ranges->block_count - removed + added;
    if (count > ranges->block_capacity) {
        size_t capacity = ranges->block_capacity == 0 ? 1 : ranges->block_capacity;
        while (capacity < count)
            capacity *= 2;
        struct range_block *blocks = arena_alloc(arena, capacity * sizeof *blocks);
        if (ranges->block_count > 0)
            memcpy(blocks, ranges->blocks, ranges->block_count * sizeof *blocks);
        ranges->blocks = blocks;
        ranges->block_capacity = capacity;
    }
    memmove(&ranges->blocks[first + added], &ranges->blocks[first + removed],
            (ranges->block_count - first - removed) * sizeof ranges->blocks[0]);
    memset(&ranges->blocks[first], 0, added * sizeof ranges->blocks[0]);
    ranges->block_count = count;
}

// The blocks from `first` to `last` get other items, shared out evenly.
static void blocks_rewrite(struct range_deletions *ranges, size_t first, size_t last,
                           const struct range_deletion *items, size_t count, struct arena *arena)
{
    size_t block_count = (count + BLOCK_COUNT_MAX - 1) / BLOCK_COUNT_MAX;
    struct range_block kept = ranges->blocks[first]; // Its memory serves again.
    blocks_replace(ranges, first, last - first + 1, block_count, arena);
    kept.count = 0;
    ranges->blocks[first] = kept;
    for (size_t i = 0; i < block_count; i++) {
        struct range_block *block = &ranges->blocks[first + i];
        size_t start = count * i / block_count, end = count * (i + 1) / block_count;
        block_reserve(block, block->capacity == 0 ? BLOCK_COUNT_MAX : end - start, arena);
        memcpy(block->items, &items[start], (end - start) * sizeof *items);
        block->count = end - start;
    }
}

// Puts the pieces in the place of the items from `first` up to, not including, `last`.
static void ranges_replace(struct range_deletions *ranges, struct range_place first,
                           struct range_place last, const struct pieces *pieces,
                           struct arena *arena)
{
    // Behind the last block: at the end of it, or in a new one when it is full.
    if (first.block == ranges->block_count) {
        if (first.block == 0 || ranges->blocks[first.block - 1].count == BLOCK_COUNT_MAX)
            blocks_replace(ranges, first.block, 0, 1, arena);
        else
            first.block--;
        first.index = ranges->blocks[first.block].count;
        last = first;
    }
    // The end of a block, where the next one's beginning was meant.
    if (last.block > first.block && last.index == 0) {
        last.block--;
        last.index = ranges->blocks[last.block].count;
    }
    struct range_block *block = &ranges->blocks[first.block];
    const struct range_block *last_block = &ranges->blocks[last.block];
    size_t behind = last_block->count - last.index;
    size_t count = first.index + pieces->count + behind;
    if (first.block == last.block && count <= BLOCK_COUNT_MAX) {
        block_reserve(block, count, arena);
        memmove(&block->items[first.index + pieces->count], &block->items[last.index],
                behind * sizeof block->items[0]);
        memcpy(&block->items[first.index], pieces->items, pieces->count * sizeof block->items[0]);
        block->count = count;
        return;
    }
    struct range_deletion room[BLOCKS_ON_STACK * BLOCK_COUNT_MAX], *items = room;
    if (count > sizeof room / sizeof room[0]) items = items_make(arena, count);
    memcpy(items, block->items, first.index * sizeof *items);
    memcpy(&items[first.index], pieces->items, pieces->count * sizeof *items);
    memcpy(&items[first.index + pieces->count], &last_block->items[last.index],
           behind * sizeof *items);
    blocks_rewrite(ranges, first.block, last.block, items, count, arena);
}

void range_deletions_add(struct range_deletions *ranges, const struct table *table,
                         const struct range_deletion *added, struct arena *arena)
{
    if (bound_compare(table, &added->range.start, &added->range.end) >= 0) return;
    if (deletion_is_live(added->deletion)) return;
    struct range_place first = range_deletions_find_end_after(ranges, table, &added->range.start);
    struct range_place last = first;
    size_t count = 0; // Of those that it overlaps.
    const struct range_deletion *item;
    while ((item = range_deletions_item(ranges, last)) != NULL &&
           bound_compare(table, &item->range.start, &added->range.end) < 0) {
        last = range_deletions_next(ranges, last);
        count++;
    }
    struct range_deletion overlapped_room[ON_STACK], pieces_room[2 * ON_STACK + 3];
    struct range_deletion *overlapped = overlapped_room;
    struct pieces pieces = {.table = table, .items = pieces_room};
    if (count > ON_STACK) {
        overlapped = items_make(arena, count);
        pieces.items = items_make(arena, 2 * count + 3);
    }
    struct range_place place = first;
    for (size_t i = 0; i < count; i++, place = range_deletions_next(ranges, place))
        overlapped[i] = *range_deletions_item(ranges, place);
    struct range_deletion copy = {
        .range = {copy_bound(arena, added->range.start), copy_bound(arena, added->range.end)},
        .deletion = added->deletion,
    };
    pieces_make(&pieces, overlapped, count, &copy);
    ranges_replace(ranges, first, last, &pieces, arena);
}
