// SSTables of about one size are merged (SizeTieredCompactionStrategy).
//
//     sizes, ascending:  9 10 11 | 80 90 100 | 700        a bucket: each is within bucket_low and
//                                                         bucket_high of the average so far, or all
//                                                         are below min_sstable_size
#include "storage/compaction/strategy_internal.h"

#include <stdlib.h>

struct bucket {
    size_t first, count; // Of the sorted list.
    uint64_t average;
};

// A size joins the bucket before it or begins the next: a bucket begins where the one before it was
// too small, and what follows is larger still.
static bool fits(const struct compaction_options *options, const struct bucket *bucket,
                 uint64_t size)
{
    double average = (double)bucket->average;
    return ((double)size > average * options->bucket_low &&
            (double)size < average * options->bucket_high) ||
           (size < options->min_sstable_size && bucket->average < options->min_sstable_size);
}

static size_t make_buckets(const struct compaction_options *options,
                           const struct candidate_list *sorted, struct bucket *buckets)
{
    size_t count = 0;
    for (size_t i = 0; i < sorted->count; i++) {
        uint64_t size = sorted->items[i]->size;
        struct bucket *last = count == 0 ? NULL : &buckets[count - 1];
        if (last != NULL && fits(options, last, size)) {
            last->average = (last->count * last->average + size) / (last->count + 1);
            last->count++;
        } else {
            buckets[count++] = (struct bucket){.first = i, .count = 1, .average = size};
        }
    }
    return count;
}

struct candidate_list size_tiered_choose(const struct compaction_options *options,
                                         const struct candidate_list *list, struct arena *arena,
                                         size_t *pending)
{
    struct candidate_list sorted = candidate_list_make(arena, list->count), best = {NULL, 0};
    for (size_t i = 0; i < list->count; i++)
        candidate_list_add(&sorted, list->items[i]);
    candidate_list_sort_by_size(&sorted);
    struct bucket *buckets = ARENA_NEW_ARRAY(arena, struct bucket, list->count + 1);
    size_t count = make_buckets(options, &sorted, buckets);
    size_t least = (size_t)options->min_threshold, most = (size_t)options->max_threshold;
    uint64_t best_average = 0;
    for (size_t i = 0; i < count; i++) {
        if (buckets[i].count < least) continue;
        if (pending != NULL) *pending += (buckets[i].count + most - 1) / most;
        struct candidate_list some = {sorted.items + buckets[i].first,
                                      buckets[i].count < most ? buckets[i].count : most};
        // Of equally hot buckets Cassandra takes the one with the larger SSTables.
        uint64_t average = candidate_list_size(&some) / some.count;
        if (best.count > 0 && average <= best_average) continue;
        best = some;
        best_average = average;
    }
    return best;
}

const struct compaction_candidate *size_tiered_droppable(const struct compaction_view *view,
                                                         const struct candidate_list *list)
{
    const struct compaction_candidate *largest = NULL;
    for (size_t i = 0; i < list->count; i++) {
        const struct compaction_candidate *candidate = list->items[i];
        if (candidate->is_busy || (largest != NULL && candidate->size <= largest->size)) continue;
        if (candidate_is_worth(view, candidate)) largest = candidate;
    }
    return largest;
}
