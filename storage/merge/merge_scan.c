// The merge of scans: the partitions that stand first in any of them, as one.
#include "base/assert.h"
#include "storage/merge/merge.h"
#include "storage/merge/merge_heap.h"

enum { PARTITION_BLOCK_SIZE = 4096 };

struct scan_source {
    struct scan_iterator *scan;
    struct partition_iterator *partition; // Open; NULL: to be asked for the next.
};

struct scan_merge {
    struct scan_iterator base;
    bool reversed;
    struct scan_source *sources;
    size_t source_count;
    struct merge_heap heap;     // Of the sources that have a partition.
    struct scan_source **taken; // Those whose partition is given out, or was.
    size_t taken_count;
    struct partition_iterator **partitions;
    struct arena partition_arena; // Used again for each partition.
};

static int compare_sources(const void *context, const void *a, const void *b)
{
    (void)context;
    const struct scan_source *left = a, *right = b;
    return partition_key_compare(&left->partition->key, &right->partition->key);
}

static enum status source_advance(struct scan_merge *merge, struct scan_source *source)
{
    source->partition = NULL; // Its merge has closed it.
    enum status status = scan_iterator_next(source->scan, &source->partition);
    if (status == STATUS_END) return STATUS_OK;
    if (status == STATUS_OK) merge_heap_push(&merge->heap, source);
    return status;
}

static enum status scan_merge_next(struct scan_iterator *base,
                                   struct partition_iterator **partition)
{
    struct scan_merge *merge = (struct scan_merge *)base;
    size_t missing = 0;
    for (size_t i = 0; i < merge->taken_count; i++) {
        enum status status = source_advance(merge, merge->taken[i]);
        // As in the merge of one partition.
        if (status == STATUS_WOULD_BLOCK) {
            merge->taken[missing++] = merge->taken[i];
        } else if (status != STATUS_OK) {
            return status;
        }
    }
    merge->taken_count = missing;
    if (missing > 0) return STATUS_WOULD_BLOCK;
    struct scan_source *first = merge_heap_pop(&merge->heap);
    if (first == NULL) return STATUS_END;
    struct scan_source *next = first;
    do {
        merge->partitions[merge->taken_count] = next->partition;
        merge->taken[merge->taken_count++] = next;
        next = merge_heap_top(&merge->heap);
        if (next == NULL || compare_sources(NULL, next, first) != 0) break;
        next = merge_heap_pop(&merge->heap);
    } while (true);
    arena_reset(&merge->partition_arena);
    *partition = merge_partitions(merge->partitions, merge->taken_count, merge->reversed,
                                  &merge->partition_arena);
    return STATUS_OK;
}

static void scan_merge_close(struct scan_iterator *base)
{
    struct scan_merge *merge = (struct scan_merge *)base;
    // Partitions that were not yet given out are still open.
    struct scan_source *source;
    while ((source = merge_heap_pop(&merge->heap)) != NULL)
        partition_iterator_close(source->partition);
    for (size_t i = 0; i < merge->source_count; i++)
        scan_iterator_close(merge->sources[i].scan);
    arena_deinit(&merge->partition_arena);
}

static const struct scan_iterator_ops scan_merge_ops = {scan_merge_next, scan_merge_close};

struct scan_iterator *merge_scans(struct scan_iterator **sources, size_t count, bool reversed,
                                  struct arena *arena)
{
    ASSERT(count > 0);
    struct scan_merge *merge = ARENA_NEW(arena, struct scan_merge);
    merge->base = (struct scan_iterator){&scan_merge_ops, sources[0]->table};
    merge->reversed = reversed;
    merge->source_count = merge->taken_count = count;
    merge->sources = ARENA_NEW_ARRAY(arena, struct scan_source, count);
    merge->taken = ARENA_NEW_ARRAY(arena, struct scan_source *, count);
    merge->partitions = ARENA_NEW_ARRAY(arena, struct partition_iterator *, count);
    merge_heap_init(&merge->heap, count, compare_sources, NULL, arena);
    for (size_t i = 0; i < count; i++) {
        merge->sources[i].scan = sources[i];
        merge->taken[i] = &merge->sources[i]; // All are still to be asked.
    }
    arena_init(&merge->partition_arena, PARTITION_BLOCK_SIZE);
    return &merge->base;
}
