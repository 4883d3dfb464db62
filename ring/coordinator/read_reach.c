#include "ring/coordinator/read_reach.h"

enum { ARENA_BLOCK_SIZE = 4096 };

struct read_reach read_reach_of_decoder(const struct read_decoder *decoder)
{
    return (struct read_reach){
        .key = decoder->partition.key,
        .is_known = !slice_is_null(decoder->last_key),
        .in_partition = decoder->in_partition && decoder->has_place,
        .place = decoder->place,
    };
}

struct read_reach read_reach_copy(const struct read_reach *reach, struct arena *arena)
{
    struct read_reach copy = *reach;
    if (!reach->is_known) return copy;
    copy.key.bytes = arena_copy(arena, reach->key.bytes);
    if (!reach->in_partition || reach->place.prefix.count == 0) return copy;
    size_t count = reach->place.prefix.count;
    struct slice *values = arena_alloc(arena, count * sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = arena_copy(arena, reach->place.prefix.values[i]);
    copy.place.prefix.values = values;
    return copy;
}

enum status read_reach_of_chunk(const struct read_chunk *chunk, const struct table *table,
                                bool reversed, struct arena *arena, struct read_reach *reach)
{
    struct arena scratch;
    arena_init(&scratch, ARENA_BLOCK_SIZE);
    struct read_chunk alone = {chunk->bytes, NULL};
    struct read_decoder *decoder = read_decoder_open(&alone, table, reversed, false, &scratch);
    struct partition_iterator *partition;
    enum status status;
    do { // Each step skips what is left of the partition before.
        status = scan_iterator_next(&decoder->base, &partition);
    } while (status == STATUS_OK);
    if (status == STATUS_WOULD_BLOCK) {
        struct read_reach found = read_reach_of_decoder(decoder);
        *reach = read_reach_copy(&found, arena);
    }
    arena_deinit(&scratch);
    return status == STATUS_WOULD_BLOCK && reach->is_known ? STATUS_OK : STATUS_CORRUPT;
}

int read_reach_compare(const struct table *table, bool reversed, const struct read_reach *a,
                       const struct read_reach *b)
{
    int order = partition_key_compare(&a->key, &b->key);
    if (order != 0) return order;
    if (!a->in_partition || !b->in_partition) return a->in_partition ? -1 : b->in_partition;
    order = bound_compare(table, &a->place, &b->place);
    return reversed ? -order : order;
}

// Where the rows begin that are still to be read.
static struct bound behind_place(const struct bound *place, bool reversed)
{
    struct bound behind = *place;
    bool is_row = place->kind == BOUND_CLUSTERING;
    if (reversed)
        behind.kind =
            is_row || bound_stands_before_rows(place->kind) ? BOUND_EXCL_END : BOUND_INCL_END;
    else
        behind.kind =
            !is_row && bound_stands_before_rows(place->kind) ? BOUND_INCL_START : BOUND_EXCL_START;
    return behind;
}

bool read_reach_cut_filter(const struct read_reach *reach, const struct table *table,
                           const struct partition_filter *filter, struct arena *arena,
                           struct partition_filter *cut)
{
    *cut = (struct partition_filter){.reversed = filter->reversed};
    // A partition without clustering has one row; a whole prefix that is behind leaves nothing.
    if (!reach->in_partition || table->column_counts[COLUMN_CLUSTERING] == 0) return false;
    struct bound behind = behind_place(&reach->place, filter->reversed);
    bool is_last = behind.prefix.count == 0 &&
                   (behind.kind == BOUND_EXCL_START || behind.kind == BOUND_EXCL_END);
    if (is_last) return false;
    struct clustering_range *ranges = arena_alloc(arena, filter->range_count * sizeof *ranges);
    size_t count = 0;
    for (size_t i = 0; i < filter->range_count; i++) {
        struct clustering_range range = filter->ranges[i];
        if (filter->reversed && bound_compare(table, &behind, &range.end) < 0) range.end = behind;
        if (!filter->reversed && bound_compare(table, &behind, &range.start) > 0)
            range.start = behind;
        if (bound_compare(table, &range.start, &range.end) < 0) ranges[count++] = range;
    }
    cut->ranges = ranges;
    cut->range_count = count;
    return count > 0;
}
