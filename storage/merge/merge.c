// The merge of one partition. Sources stand in a heap by the place of what they have next; those at
// the first place are taken out together and make one row or one marker.
//
// What a source gave is valid until it is asked again, so it is asked only in the next call.
#include "storage/merge/merge.h"

#include "storage/merge/merge_heap.h"
#include "storage/merge/merge_row.h"

struct merge_source {
    struct partition_iterator *iterator;
    struct unfiltered unfiltered; // What it has next.
    struct bound place;           // Where that is.
    struct deletion open;         // The range deletion that is open in it.
};

struct partition_merge {
    struct partition_iterator base;
    bool reversed;
    struct merge_source *sources;
    size_t source_count;
    struct merge_heap heap;      // Of the sources that have something.
    struct merge_source **taken; // Those at the present place, to be asked again.
    size_t taken_count;
    const struct row **versions;
    struct deletion open; // The range deletion that is open in the result.
    struct merge_row rows, static_rows;
    struct marker marker;
};

static int compare_sources(const void *context, const void *a, const void *b)
{
    const struct partition_merge *merge = context;
    const struct merge_source *left = a, *right = b;
    int order = bound_compare(merge->base.table, &left->place, &right->place);
    return merge->reversed ? -order : order;
}

// Asks a source for what it has next, and puts it into the heap if there is any.
static enum status source_advance(struct partition_merge *merge, struct merge_source *source)
{
    enum status status = partition_iterator_next(source->iterator, &source->unfiltered);
    if (status == STATUS_END) {
        source->open = DELETION_NONE;
        return STATUS_OK;
    }
    if (status != STATUS_OK) return status;
    if (source->unfiltered.is_marker) {
        source->place = source->unfiltered.marker->bound;
    } else {
        source->place = (struct bound){BOUND_CLUSTERING, source->unfiltered.row->clustering};
    }
    merge_heap_push(&merge->heap, source);
    return STATUS_OK;
}

static enum status take_next_place(struct partition_merge *merge)
{
    size_t missing = 0;
    for (size_t i = 0; i < merge->taken_count; i++) {
        enum status status = source_advance(merge, merge->taken[i]);
        // A read ends here and comes again: what the others miss is loaded with it. A source that
        // only paused (compaction_input.h) is asked again.
        if (status == STATUS_WOULD_BLOCK) {
            merge->taken[missing++] = merge->taken[i];
        } else if (status != STATUS_OK) {
            return status;
        }
    }
    merge->taken_count = missing;
    if (missing > 0) return STATUS_WOULD_BLOCK;
    struct merge_source *first = merge_heap_pop(&merge->heap);
    if (first == NULL) return STATUS_END;
    merge->taken[merge->taken_count++] = first;
    for (;;) {
        struct merge_source *next = merge_heap_top(&merge->heap);
        if (next == NULL || compare_sources(merge, next, first) != 0) return STATUS_OK;
        merge->taken[merge->taken_count++] = merge_heap_pop(&merge->heap);
    }
}

// The newest range deletion open in any source, unless the partition's own is as new.
static struct deletion newest_open(const struct partition_merge *merge)
{
    struct deletion newest = DELETION_NONE;
    for (size_t i = 0; i < merge->source_count; i++) {
        if (deletion_supersedes(merge->sources[i].open, newest)) newest = merge->sources[i].open;
    }
    return deletion_supersedes(newest, merge->base.deletion) ? newest : DELETION_NONE;
}

static enum bound_kind marker_kind(bool before_rows, bool closes, bool opens)
{
    if (closes && opens) return before_rows ? BOUND_EXCL_END_INCL_START : BOUND_INCL_END_EXCL_START;
    if (closes) return before_rows ? BOUND_EXCL_END : BOUND_INCL_END;
    return before_rows ? BOUND_INCL_START : BOUND_EXCL_START;
}

static bool deletion_equals(struct deletion a, struct deletion b)
{
    return a.timestamp == b.timestamp && a.local_time == b.local_time;
}

// NULL: the result does not change here.
static const struct marker *merge_markers(struct partition_merge *merge)
{
    for (size_t i = 0; i < merge->taken_count; i++) {
        struct merge_source *source = merge->taken[i];
        const struct marker *marker = source->unfiltered.marker;
        source->open = merge->reversed ? marker->closes : marker->opens;
    }
    struct deletion before = merge->open, after = newest_open(merge);
    if (deletion_equals(before, after)) return NULL;
    merge->open = after;
    struct bound place = merge->taken[0]->place;
    struct deletion closes = merge->reversed ? after : before;
    struct deletion opens = merge->reversed ? before : after;
    place.kind = marker_kind(bound_stands_before_rows(place.kind), !deletion_is_live(closes),
                             !deletion_is_live(opens));
    merge->marker = (struct marker){place, closes, opens};
    return &merge->marker;
}

static const struct row *merge_taken_rows(struct partition_merge *merge)
{
    for (size_t i = 0; i < merge->taken_count; i++)
        merge->versions[i] = merge->taken[i]->unfiltered.row;
    struct deletion active = deletion_is_live(merge->open) ? merge->base.deletion : merge->open;
    return merge_rows(&merge->rows, merge->versions, merge->taken_count, active);
}

static enum status merge_next(struct partition_iterator *base, struct unfiltered *unfiltered)
{
    struct partition_merge *merge = (struct partition_merge *)base;
    for (;;) {
        enum status status = take_next_place(merge);
        if (status != STATUS_OK) return status;
        if (merge->taken[0]->unfiltered.is_marker) {
            const struct marker *marker = merge_markers(merge);
            if (marker == NULL) continue;
            *unfiltered = (struct unfiltered){.is_marker = true, .marker = marker};
            return STATUS_OK;
        }
        const struct row *row = merge_taken_rows(merge);
        if (row == NULL) continue;
        *unfiltered = (struct unfiltered){.is_marker = false, .row = row};
        return STATUS_OK;
    }
}

static void merge_close(struct partition_iterator *base)
{
    struct partition_merge *merge = (struct partition_merge *)base;
    for (size_t i = 0; i < merge->source_count; i++)
        partition_iterator_close(merge->sources[i].iterator);
    merge_row_deinit(&merge->rows);
    merge_row_deinit(&merge->static_rows);
}

static const struct partition_iterator_ops merge_ops = {merge_next, merge_close};

static void merge_static_rows(struct partition_merge *merge)
{
    size_t count = 0;
    for (size_t i = 0; i < merge->source_count; i++) {
        const struct row *row = merge->sources[i].iterator->static_row;
        if (row != NULL) merge->versions[count++] = row;
    }
    if (count > 0)
        merge->base.static_row =
            merge_rows(&merge->static_rows, merge->versions, count, merge->base.deletion);
}

struct partition_iterator *merge_partitions(struct partition_iterator **sources, size_t count,
                                            bool reversed, struct arena *arena)
{
    const struct table *table = sources[0]->table;
    struct partition_merge *merge = ARENA_NEW(arena, struct partition_merge);
    merge->base = (struct partition_iterator){
        .ops = &merge_ops, .table = table, .key = sources[0]->key, .deletion = DELETION_NONE};
    merge->reversed = reversed;
    merge->open = DELETION_NONE;
    merge->source_count = merge->taken_count = count;
    merge->sources = ARENA_NEW_ARRAY(arena, struct merge_source, count);
    merge->taken = ARENA_NEW_ARRAY(arena, struct merge_source *, count);
    merge->versions = ARENA_NEW_ARRAY(arena, const struct row *, count);
    merge_heap_init(&merge->heap, count, compare_sources, merge, arena);
    for (size_t i = 0; i < count; i++) {
        merge->sources[i].iterator = sources[i];
        merge->sources[i].open = DELETION_NONE;
        merge->taken[i] = &merge->sources[i]; // All are still to be asked.
        if (deletion_supersedes(sources[i]->deletion, merge->base.deletion))
            merge->base.deletion = sources[i]->deletion;
    }
    merge_row_init(&merge->rows, table->columns[COLUMN_REGULAR], arena);
    merge_row_init(&merge->static_rows, table->columns[COLUMN_STATIC], arena);
    merge_static_rows(merge);
    return &merge->base;
}
