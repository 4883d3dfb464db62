// SSTables are merged only with others of their window of time (TimeWindowCompactionStrategy).
//
//     | window | window | window | newest
//       one     two: to   one      size-tiered
//               be one
//
// An SSTable's window is that of its newest timestamp.
#include "storage/compaction/strategy_internal.h"

#include <stdlib.h>

// TimeUnit.convert(): towards zero.
static int64_t seconds_of(const struct compaction_options *options, int64_t timestamp)
{
    if (options->timestamp_unit_us == 0) return timestamp / 1000 / 1000 / 1000;
    // Cassandra goes by milliseconds, which end at INT64_MAX.
    if (options->timestamp_unit_us == 1000000) {
        if (timestamp > INT64_MAX / 1000) return INT64_MAX / 1000;
        if (timestamp < INT64_MIN / 1000) return INT64_MIN / 1000;
        return timestamp;
    }
    return timestamp / (1000000 / options->timestamp_unit_us);
}

int64_t time_window_of(const struct compaction_options *options,
                       const struct compaction_candidate *candidate)
{
    int64_t seconds = seconds_of(options, candidate->max_timestamp);
    return seconds - seconds % options->window_size_s;
}

struct windowed {
    int64_t window;
    const struct compaction_candidate *candidate;
};

// The newest window first; inside of it by size.
static int compare_windowed(const void *left, const void *right)
{
    const struct windowed *a = left, *b = right;
    if (a->window != b->window) return a->window < b->window ? 1 : -1;
    if (a->candidate->size != b->candidate->size)
        return a->candidate->size < b->candidate->size ? -1 : 1;
    return (a->candidate->generation > b->candidate->generation) -
           (a->candidate->generation < b->candidate->generation);
}

// What is to be merged of one window, which has `list`, the smallest first.
static struct candidate_list choose_in_window(const struct compaction_options *options,
                                              const struct candidate_list *list, bool is_newest,
                                              struct arena *arena)
{
    static const struct candidate_list none = {NULL, 0};
    size_t least = (size_t)options->min_threshold, most = (size_t)options->max_threshold;
    if (is_newest)
        return list->count < least ? none : size_tiered_choose(options, list, arena, NULL);
    if (list->count < 2) return none;
    return (struct candidate_list){list->items, list->count < most ? list->count : most};
}

static size_t left_to_do(const struct compaction_options *options, size_t count)
{
    size_t least = (size_t)options->min_threshold, most = (size_t)options->max_threshold;
    size_t remaining = count > most ? count - most : 0;
    return 1 + (remaining > least ? (remaining + most - 1) / most : 0);
}

struct candidate_list time_window_choose(const struct compaction_options *options,
                                         const struct candidate_list *list, struct arena *arena,
                                         size_t *pending)
{
    struct windowed *windowed = ARENA_NEW_ARRAY(arena, struct windowed, list->count + 1);
    struct candidate_list chosen = {NULL, 0};
    int64_t newest = 0;
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        int64_t window = time_window_of(options, list->items[i]);
        if (window > newest) newest = window;
        if (!list->items[i]->is_busy) windowed[count++] = (struct windowed){window, list->items[i]};
    }
    if (count > 1) qsort(windowed, count, sizeof *windowed, compare_windowed);
    for (size_t i = 0; i < count;) {
        int64_t window = windowed[i].window;
        struct candidate_list in_window = candidate_list_make(arena, count - i);
        for (; i < count && windowed[i].window == window; i++)
            candidate_list_add(&in_window, windowed[i].candidate);
        struct candidate_list some = choose_in_window(options, &in_window, window >= newest, arena);
        if (some.count == 0) continue;
        if (pending != NULL) *pending += left_to_do(options, in_window.count);
        if (chosen.count == 0) chosen = some;
    }
    return chosen;
}

const struct compaction_candidate *time_window_droppable(const struct compaction_view *view,
                                                         const struct candidate_list *list)
{
    const struct compaction_candidate *smallest = NULL;
    for (size_t i = 0; i < list->count; i++) {
        const struct compaction_candidate *candidate = list->items[i];
        if (candidate->is_busy || (smallest != NULL && candidate->size >= smallest->size)) continue;
        if (candidate_is_worth(view, candidate)) smallest = candidate;
    }
    return smallest;
}
