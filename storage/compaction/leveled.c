// Levels (LeveledManifest). From level 1 on the SSTables of a level do not overlap, are of about
// one size, and are fanout^level at most; level 0 is what was flushed.
//
//     L0  ========= ====== ==========      all of it, oldest first, with what overlaps in L1 -> L1
//     L1  --- --- --- ---                  too large: one SSTable, with what overlaps in L2 -> L2
//     L2  -- -- -- -- -- -- -- --
//
// The highest level that is too large goes first; but when level 0 is far behind, it is first made
// less in itself, size-tiered.
#include "storage/compaction/strategy_internal.h"

#include <math.h>
#include <stdlib.h>

enum { LEVEL_0_LONG = 32 };

// The keys from the first to the last one of some SSTables.
struct span {
    struct token first, last;
    bool is_empty;
};

static void span_add(struct span *span, const struct compaction_candidate *candidate)
{
    if (span->is_empty || token_compare(candidate->first.token, span->first) < 0)
        span->first = candidate->first.token;
    if (span->is_empty || token_compare(candidate->last.token, span->last) > 0)
        span->last = candidate->last.token;
    span->is_empty = false;
}

static struct span span_of(const struct candidate_list *list)
{
    struct span span = {.is_empty = true};
    for (size_t i = 0; i < list->count; i++)
        span_add(&span, list->items[i]);
    return span;
}

static bool span_meets(const struct span *span, const struct compaction_candidate *candidate)
{
    return !span->is_empty && token_compare(candidate->first.token, span->last) <= 0 &&
           token_compare(candidate->last.token, span->first) >= 0;
}

static bool any_busy(const struct candidate_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i]->is_busy) return true;
    return false;
}

// ---- Levels ------------------------------------------------------------------------------------

static int compare_first(const struct compaction_candidate *a, const struct compaction_candidate *b)
{
    int order = partition_key_compare(&a->first, &b->first);
    if (order != 0) return order;
    return (a->generation > b->generation) - (a->generation < b->generation);
}

// Into its place, or into level 0 if it overlaps with a neighbour (Cassandra sends it back there).
static bool add_to_level(struct candidate_list *level, const struct compaction_candidate *added)
{
    size_t low = 0, high = level->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_first(level->items[middle], added) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low > 0 && partition_key_compare(&level->items[low - 1]->last, &added->first) >= 0)
        return false;
    if (low < level->count && partition_key_compare(&level->items[low]->first, &added->last) <= 0)
        return false;
    memmove(level->items + low + 1, level->items + low,
            (level->count - low) * sizeof level->items[0]);
    level->items[low] = added;
    level->count++;
    return true;
}

void leveled_init(struct leveled *leveled, const struct candidate_list *list, struct arena *arena)
{
    size_t counts[COMPACTION_LEVEL_COUNT] = {0};
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i]->level < COMPACTION_LEVEL_COUNT) counts[list->items[i]->level]++;
    leveled->levels[0] = candidate_list_make(arena, list->count);
    for (size_t level = 1; level < COMPACTION_LEVEL_COUNT; level++)
        leveled->levels[level] = candidate_list_make(arena, counts[level]);
    for (size_t i = 0; i < list->count; i++) {
        uint16_t level = list->items[i]->level;
        if (level == 0 || level >= COMPACTION_LEVEL_COUNT ||
            !add_to_level(&leveled->levels[level], list->items[i]))
            candidate_list_add(&leveled->levels[0], list->items[i]);
    }
}

static double level_size_max(const struct compaction_options *options, size_t level)
{
    return (double)options->sstable_size_max *
           (level == 0 ? 4.0 : pow((double)options->fanout, (double)level));
}

// ---- One level into the next -------------------------------------------------------------------

static void add_overlapping(struct candidate_list *list, const struct candidate_list *level,
                            const struct span *span)
{
    for (size_t i = 0; i < level->count; i++)
        if (span_meets(span, level->items[i])) candidate_list_add(list, level->items[i]);
}

// Where the round of a level goes on: behind the keys that went into the next one last.
static size_t next_of_round(const struct candidate_list *level, const struct candidate_list *next)
{
    const struct compaction_candidate *newest = NULL;
    for (size_t i = 0; i < next->count; i++) {
        const struct compaction_candidate *one = next->items[i];
        if (newest == NULL || one->age_s < newest->age_s ||
            (one->age_s == newest->age_s && one->generation > newest->generation))
            newest = one;
    }
    for (size_t i = 0; newest != NULL && i < level->count; i++)
        if (partition_key_compare(&level->items[i]->first, &newest->last) > 0) return i;
    return 0;
}

static struct candidate_list choose_level(const struct leveled *leveled, size_t number,
                                          struct arena *arena)
{
    const struct candidate_list *level = &leveled->levels[number],
                                *next = &leveled->levels[number + 1];
    struct candidate_list chosen = candidate_list_make(arena, next->count + 1);
    size_t start = next_of_round(level, next);
    for (size_t i = 0; i < level->count; i++) {
        const struct compaction_candidate *one = level->items[(start + i) % level->count];
        struct span span = {.is_empty = true};
        span_add(&span, one);
        chosen.count = 0;
        candidate_list_add(&chosen, one);
        add_overlapping(&chosen, next, &span);
        if (!any_busy(&chosen)) return chosen;
    }
    chosen.count = 0;
    return chosen;
}

// ---- Level 0 -----------------------------------------------------------------------------------

static int compare_age(const void *left, const void *right)
{
    const struct compaction_candidate *a = *(const struct compaction_candidate *const *)left,
                                      *b = *(const struct compaction_candidate *const *)right;
    if (a->max_timestamp != b->max_timestamp) return a->max_timestamp < b->max_timestamp ? -1 : 1;
    return (a->generation > b->generation) - (a->generation < b->generation);
}

static void sort_by_age(struct candidate_list *list)
{
    if (list->count > 1) qsort(list->items, list->count, sizeof list->items[0], compare_age);
}

enum mark { LEFT, CHOSEN, PASSED };

// Of the SSTables of level 0 by age: this one and what overlaps with it, unless one of these is
// busy.
static void choose_with_overlapping(const struct candidate_list *sorted, enum mark *marks,
                                    size_t at, const struct span *busy, size_t *chosen_count)
{
    const struct compaction_candidate *one = sorted->items[at];
    for (size_t i = 0; i < sorted->count; i++)
        if ((i == at || (marks[i] == LEFT && candidate_overlap(one, sorted->items[i]))) &&
            sorted->items[i]->is_busy)
            return;
    for (size_t i = 0; i < sorted->count; i++) {
        if (i != at && (marks[i] != LEFT || !candidate_overlap(one, sorted->items[i]))) continue;
        if (marks[i] == CHOSEN) continue;
        // What is between two busy ones would overlap with what they become.
        marks[i] = span_meets(busy, sorted->items[i]) ? PASSED : CHOSEN;
        if (marks[i] == CHOSEN) (*chosen_count)++;
    }
}

static struct candidate_list choose_level_0(const struct compaction_options *options,
                                            const struct leveled *leveled, struct arena *arena)
{
    const struct candidate_list *level_1 = &leveled->levels[1];
    struct candidate_list sorted = candidate_list_make(arena, leveled->levels[0].count);
    struct candidate_list chosen =
        candidate_list_make(arena, leveled->levels[0].count + level_1->count);
    struct span busy = {.is_empty = true};
    for (size_t i = 0; i < leveled->levels[0].count; i++) {
        candidate_list_add(&sorted, leveled->levels[0].items[i]);
        if (sorted.items[i]->is_busy) span_add(&busy, sorted.items[i]);
    }
    sort_by_age(&sorted);
    enum mark *marks = ARENA_NEW_ARRAY(arena, enum mark, sorted.count + 1);
    size_t count = 0, most = (size_t)options->max_threshold;
    for (size_t i = 0; i < sorted.count && count <= most; i++)
        if (marks[i] != CHOSEN) choose_with_overlapping(&sorted, marks, i, &busy, &count);
    // The oldest ones, if there are too many.
    for (size_t i = 0; i < sorted.count && chosen.count < most; i++)
        if (marks[i] == CHOSEN) candidate_list_add(&chosen, sorted.items[i]);
    // Less than an SSTable's worth stays in level 0.
    if (candidate_list_size(&chosen) > options->sstable_size_max) {
        struct span span = span_of(&chosen);
        add_overlapping(&chosen, level_1, &span);
        bool meets_busy = false;
        for (size_t i = 0; i < sorted.count; i++)
            meets_busy =
                meets_busy || (sorted.items[i]->is_busy && span_meets(&span, sorted.items[i]));
        if (any_busy(&chosen) || meets_busy) chosen.count = 0;
    }
    if (chosen.count < 2) chosen.count = 0;
    return chosen;
}

static struct candidate_list choose_size_tiered(const struct compaction_options *options,
                                                const struct leveled *leveled, struct arena *arena)
{
    if (leveled->levels[0].count <= LEVEL_0_LONG) return (struct candidate_list){NULL, 0};
    struct candidate_list idle = candidate_list_free(&leveled->levels[0], arena);
    return size_tiered_choose(options, &idle, arena, NULL);
}

// ---- Which -------------------------------------------------------------------------------------

// A small part of level 0 stays in it.
static uint16_t level_of_outputs(const struct compaction_options *options, size_t from,
                                 const struct leveled *leveled, const struct candidate_list *chosen)
{
    if (from > 0) return (uint16_t)(from + 1);
    for (size_t i = 0; i < leveled->levels[1].count; i++)
        for (size_t j = 0; j < chosen->count; j++)
            if (chosen->items[j] == leveled->levels[1].items[i]) return 1;
    return candidate_list_size(chosen) < options->sstable_size_max ? 0 : 1;
}

static bool put_pick(const struct compaction_options *options, const struct candidate_list *chosen,
                     uint16_t level, bool is_size_tiered, struct compaction_pick *pick)
{
    if (chosen->count == 0) return false;
    *pick =
        (struct compaction_pick){.reason = COMPACTION_REASON_STRATEGY,
                                 .items = chosen->items,
                                 .count = chosen->count,
                                 .level = level,
                                 .output_size_max = is_size_tiered ? 0 : options->sstable_size_max};
    return true;
}

bool leveled_pick(const struct compaction_options *options, const struct leveled *leveled,
                  struct arena *arena, struct compaction_pick *pick)
{
    struct candidate_list size_tiered = choose_size_tiered(options, leveled, arena);
    for (size_t level = COMPACTION_LEVEL_COUNT - 2; level > 0; level--) {
        struct candidate_list idle = candidate_list_free(&leveled->levels[level], arena);
        double score = (double)candidate_list_size(&idle) / level_size_max(options, level);
        if (!(score > 1.001)) continue;
        if (put_pick(options, &size_tiered, 0, true, pick)) return true;
        struct candidate_list chosen = choose_level(leveled, level, arena);
        if (put_pick(options, &chosen, (uint16_t)(level + 1), false, pick)) return true;
    }
    if (leveled->levels[0].count == 0) return false;
    struct candidate_list chosen = choose_level_0(options, leveled, arena);
    if (chosen.count == 0) return put_pick(options, &size_tiered, 0, true, pick);
    return put_pick(options, &chosen, level_of_outputs(options, 0, leveled, &chosen), false, pick);
}

static int compare_droppable(const void *left, const void *right)
{
    const struct compaction_candidate *a = *(const struct compaction_candidate *const *)left,
                                      *b = *(const struct compaction_candidate *const *)right;
    return (a->droppable_ratio < b->droppable_ratio) - (a->droppable_ratio > b->droppable_ratio);
}

const struct compaction_candidate *leveled_droppable(const struct compaction_view *view,
                                                     const struct leveled *leveled, uint16_t *level,
                                                     struct arena *arena)
{
    for (size_t i = COMPACTION_LEVEL_COUNT; i-- > 0;) {
        struct candidate_list idle = candidate_list_free(&leveled->levels[i], arena);
        if (idle.count > 1) qsort(idle.items, idle.count, sizeof idle.items[0], compare_droppable);
        for (size_t c = 0; c < idle.count; c++) {
            if (!candidate_is_worth(view, idle.items[c])) continue;
            *level = (uint16_t)i;
            return idle.items[c];
        }
    }
    return NULL;
}

size_t leveled_pending(const struct compaction_options *options, const struct leveled *leveled)
{
    size_t pending = 0, most = (size_t)options->max_threshold;
    for (size_t level = 0; level < COMPACTION_LEVEL_COUNT; level++) {
        double size = (double)candidate_list_size(&leveled->levels[level]);
        double more = size - floor(level_size_max(options, level) * 1.001);
        if (more > 0) pending += (size_t)ceil(more / (double)options->sstable_size_max);
    }
    if (leveled->levels[0].count > most) pending += leveled->levels[0].count / most;
    return pending;
}
