// What the strategies share.
#ifndef STORAGE_STRATEGY_INTERNAL_H
#define STORAGE_STRATEGY_INTERNAL_H

#include "storage/compaction/compaction_strategy.h"

// Some candidates, in the order of their generations unless said otherwise.
struct candidate_list {
    const struct compaction_candidate **items;
    size_t count;
};

// With room for `capacity`.
struct candidate_list candidate_list_make(struct arena *arena, size_t capacity);
static inline void candidate_list_add(struct candidate_list *list,
                                      const struct compaction_candidate *candidate)
{
    list->items[list->count++] = candidate;
}
// Those that are not busy.
struct candidate_list candidate_list_free(const struct candidate_list *list, struct arena *arena);
uint64_t candidate_list_size(const struct candidate_list *list); // Bytes.
void candidate_list_sort_by_size(struct candidate_list *list);
bool candidate_overlap(const struct compaction_candidate *a, const struct compaction_candidate *b);
// It may be worth a compaction of its own, for its tombstones.
bool candidate_is_worth(const struct compaction_view *view,
                        const struct compaction_candidate *candidate);

// Each: one group of candidates, the strategy's own choice, false if there is none; one SSTable for
// its tombstones, or NULL; how many compactions are left to do.

// size_tiered.c
// The fullest choice among SSTables of about one size; the list is empty when there is none.
// `*pending`, if not NULL, is raised by the compactions that are left to do.
struct candidate_list size_tiered_choose(const struct compaction_options *options,
                                         const struct candidate_list *list, struct arena *arena,
                                         size_t *pending);
const struct compaction_candidate *size_tiered_droppable(const struct compaction_view *view,
                                                         const struct candidate_list *list);

// leveled.c
struct leveled {
    struct candidate_list levels[COMPACTION_LEVEL_COUNT]; // From level 1 on by their first keys.
};
void leveled_init(struct leveled *leveled, const struct candidate_list *list, struct arena *arena);
bool leveled_pick(const struct compaction_options *options, const struct leveled *leveled,
                  struct arena *arena, struct compaction_pick *pick);
const struct compaction_candidate *leveled_droppable(const struct compaction_view *view,
                                                     const struct leveled *leveled, uint16_t *level,
                                                     struct arena *arena);
size_t leveled_pending(const struct compaction_options *options, const struct leveled *leveled);

// time_window.c
struct candidate_list time_window_choose(const struct compaction_options *options,
                                         const struct candidate_list *list, struct arena *arena,
                                         size_t *pending);
const struct compaction_candidate *time_window_droppable(const struct compaction_view *view,
                                                         const struct candidate_list *list);
// Seconds since 1970 at which the window of its newest timestamp begins.
int64_t time_window_of(const struct compaction_options *options,
                       const struct compaction_candidate *candidate);

#endif
