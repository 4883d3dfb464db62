#include "storage/compaction/compaction_strategy.h"

#include "storage/compaction/strategy_internal.h"
#include "storage/row.h"

#include <stdlib.h>

// ---- Lists -------------------------------------------------------------------------------------

struct candidate_list candidate_list_make(struct arena *arena, size_t capacity)
{
    return (struct candidate_list){
        ARENA_NEW_ARRAY(arena, const struct compaction_candidate *, capacity + 1), 0};
}

struct candidate_list candidate_list_free(const struct candidate_list *list, struct arena *arena)
{
    struct candidate_list idle = candidate_list_make(arena, list->count);
    for (size_t i = 0; i < list->count; i++)
        if (!list->items[i]->is_busy) candidate_list_add(&idle, list->items[i]);
    return idle;
}

uint64_t candidate_list_size(const struct candidate_list *list)
{
    uint64_t size = 0;
    for (size_t i = 0; i < list->count; i++)
        size += list->items[i]->size;
    return size;
}

static int compare_size(const void *left, const void *right)
{
    const struct compaction_candidate *a = *(const struct compaction_candidate *const *)left,
                                      *b = *(const struct compaction_candidate *const *)right;
    if (a->size != b->size) return a->size < b->size ? -1 : 1;
    return (a->generation > b->generation) - (a->generation < b->generation);
}

void candidate_list_sort_by_size(struct candidate_list *list)
{
    if (list->count > 1) qsort(list->items, list->count, sizeof list->items[0], compare_size);
}

bool candidate_overlap(const struct compaction_candidate *a, const struct compaction_candidate *b)
{
    return token_compare(a->first.token, b->last.token) <= 0 &&
           token_compare(b->first.token, a->last.token) <= 0;
}

static struct candidate_list group_of(const struct compaction_view *view, bool is_repaired,
                                      struct arena *arena)
{
    struct candidate_list group = candidate_list_make(arena, view->count);
    for (size_t i = 0; i < view->count; i++)
        if (view->candidates[i].is_repaired == is_repaired)
            candidate_list_add(&group, &view->candidates[i]);
    return group;
}

// ---- What has expired as a whole (CompactionController.getFullyExpiredSSTables) ----------------

static bool may_purge(const struct compaction_view *view,
                      const struct compaction_candidate *candidate)
{
    return !view->options->only_purge_repaired_tombstones || candidate->is_repaired;
}

static int compare_max_timestamp(const void *left, const void *right)
{
    const struct compaction_candidate *a = *(const struct compaction_candidate *const *)left,
                                      *b = *(const struct compaction_candidate *const *)right;
    return (a->max_timestamp < b->max_timestamp) - (a->max_timestamp > b->max_timestamp);
}

static bool has_expired(const struct compaction_view *view,
                        const struct compaction_candidate *candidate)
{
    return candidate->max_local_time < view->gc_before && may_purge(view, candidate);
}

static bool ignores_overlaps(const struct compaction_view *view)
{
    return view->options->strategy == COMPACTION_TIME_WINDOW &&
           view->options->unsafe_aggressive_expiration;
}

// Leaves those that are older than all that stays, which has nothing before `min_timestamp`. The
// newest first, since one that stays may have what another hides.
static void keep_what_hides_nothing(struct candidate_list *found, int64_t min_timestamp)
{
    if (found->count > 1)
        qsort(found->items, found->count, sizeof found->items[0], compare_max_timestamp);
    size_t kept = 0;
    for (size_t i = 0; i < found->count; i++) {
        const struct compaction_candidate *candidate = found->items[i];
        if (candidate->max_timestamp < min_timestamp) {
            found->items[kept++] = candidate;
        } else if (candidate->min_timestamp < min_timestamp) {
            min_timestamp = candidate->min_timestamp;
        }
    }
    found->count = kept;
}

// Of all SSTables that have only what is dead and old: those that hide nothing in the others.
static struct candidate_list find_expired(const struct compaction_view *view, struct arena *arena)
{
    struct candidate_list found = candidate_list_make(arena, view->count);
    int64_t min_timestamp = view->memory_min_timestamp;
    for (size_t i = 0; i < view->count; i++) {
        const struct compaction_candidate *candidate = &view->candidates[i];
        if (!candidate->is_busy && has_expired(view, candidate)) {
            candidate_list_add(&found, candidate);
        } else if (candidate->min_timestamp < min_timestamp) {
            min_timestamp = candidate->min_timestamp;
        }
    }
    if (!ignores_overlaps(view)) keep_what_hides_nothing(&found, min_timestamp);
    return found;
}

static bool list_has(const struct candidate_list *list, uint64_t generation)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i]->generation == generation) return true;
    return false;
}

// The smallest timestamp in other SSTables that overlap with one of these.
static int64_t min_timestamp_beside(const struct compaction_view *view,
                                    const struct candidate_list *chosen,
                                    const struct candidate_list *found)
{
    int64_t min_timestamp = INT64_MAX;
    for (size_t i = 0; i < view->count; i++) {
        const struct compaction_candidate *other = &view->candidates[i];
        if (other->min_timestamp >= min_timestamp || list_has(chosen, other->generation)) continue;
        for (size_t f = 0; f < found->count; f++)
            if (candidate_overlap(other, found->items[f])) min_timestamp = other->min_timestamp;
    }
    return min_timestamp;
}

void compaction_strategy_leave_unread(const struct compaction_view *view, struct arena *arena,
                                      struct compaction_pick *pick)
{
    const struct candidate_list chosen = {pick->items, pick->count};
    struct candidate_list found = candidate_list_make(arena, pick->count);
    struct candidate_list sorted = candidate_list_make(arena, pick->count);
    int64_t min_timestamp = view->memory_min_timestamp;
    for (size_t i = 0; i < pick->count; i++) {
        if (has_expired(view, pick->items[i])) {
            candidate_list_add(&found, pick->items[i]);
        } else if (pick->items[i]->min_timestamp < min_timestamp) {
            min_timestamp = pick->items[i]->min_timestamp;
        }
    }
    if (found.count > 0 && !ignores_overlaps(view)) {
        int64_t beside = min_timestamp_beside(view, &chosen, &found);
        keep_what_hides_nothing(&found, beside < min_timestamp ? beside : min_timestamp);
    }
    for (size_t i = 0; i < pick->count; i++)
        if (!list_has(&found, pick->items[i]->generation))
            candidate_list_add(&sorted, pick->items[i]);
    for (size_t i = 0; i < found.count; i++)
        candidate_list_add(&sorted, found.items[i]);
    pick->items = sorted.items;
    pick->unread_count = found.count;
}

// ---- One SSTable for its tombstones (AbstractCompactionStrategy.worthDroppingTombstones) -------

static int compare_first_token(const void *left, const void *right)
{
    const struct compaction_candidate *a = *(const struct compaction_candidate *const *)left,
                                      *b = *(const struct compaction_candidate *const *)right;
    return token_compare(a->first.token, b->first.token);
}

static double token_distance(struct token from, struct token to)
{
    return (double)to.value - (double)from.value + 1;
}

// The part of its keys that no other SSTable may have with older data, if keys lie evenly.
static double free_part(const struct compaction_view *view,
                        const struct compaction_candidate *candidate)
{
    struct arena arena;
    arena_init(&arena, 4096);
    struct candidate_list others = candidate_list_make(&arena, view->count);
    for (size_t i = 0; i < view->count; i++) {
        const struct compaction_candidate *other = &view->candidates[i];
        if (other != candidate && other->min_timestamp <= candidate->max_timestamp &&
            candidate_overlap(other, candidate))
            candidate_list_add(&others, other);
    }
    if (others.count > 1)
        qsort(others.items, others.count, sizeof others.items[0], compare_first_token);
    struct token end = candidate->last.token, at = candidate->first.token;
    double covered = 0;
    bool is_done = false;
    for (size_t i = 0; i < others.count && !is_done; i++) {
        struct token first = others.items[i]->first.token, last = others.items[i]->last.token;
        if (token_compare(first, at) < 0) first = at;
        if (token_compare(last, end) > 0) last = end;
        if (token_compare(first, last) > 0) continue;
        covered += token_distance(first, last);
        is_done = token_compare(last, end) == 0;
        if (!is_done) at.value = last.value + 1;
    }
    arena_deinit(&arena);
    return 1 - covered / token_distance(candidate->first.token, end);
}

bool candidate_is_worth(const struct compaction_view *view,
                        const struct compaction_candidate *candidate)
{
    const struct compaction_options *options = view->options;
    // Nothing may come of it: so not again and again.
    if (options->without_tombstone_compaction || !may_purge(view, candidate) ||
        candidate->age_s < options->tombstone_compaction_interval_s ||
        candidate->droppable_ratio <= options->tombstone_threshold)
        return false;
    if (options->unchecked_tombstone_compaction) return true;
    return candidate->droppable_ratio * free_part(view, candidate) > options->tombstone_threshold;
}

// ---- The next compaction -----------------------------------------------------------------------

static bool put_pick(enum compaction_reason reason, const struct candidate_list *chosen,
                     struct compaction_pick *pick)
{
    if (chosen->count == 0) return false;
    *pick =
        (struct compaction_pick){.reason = reason, .items = chosen->items, .count = chosen->count};
    return true;
}

static bool put_one(const struct compaction_candidate *candidate, uint16_t level,
                    uint64_t output_size_max, struct arena *arena, struct compaction_pick *pick)
{
    if (candidate == NULL) return false;
    struct candidate_list one = candidate_list_make(arena, 1);
    candidate_list_add(&one, candidate);
    (void)put_pick(COMPACTION_REASON_TOMBSTONES, &one, pick);
    pick->level = level;
    pick->output_size_max = output_size_max;
    return true;
}

static bool pick_in_group(const struct compaction_view *view, const struct candidate_list *group,
                          struct arena *arena, struct compaction_pick *pick)
{
    const struct compaction_options *options = view->options;
    struct candidate_list chosen, idle;
    struct leveled leveled;
    uint16_t level = 0;
    switch (options->strategy) {
    case COMPACTION_LEVELED:
        leveled_init(&leveled, group, arena);
        if (leveled_pick(options, &leveled, arena, pick)) return true;
        return put_one(leveled_droppable(view, &leveled, &level, arena), level,
                       options->sstable_size_max, arena, pick);
    case COMPACTION_TIME_WINDOW:
        chosen = time_window_choose(options, group, arena, NULL);
        return put_pick(COMPACTION_REASON_STRATEGY, &chosen, pick) ||
               put_one(time_window_droppable(view, group), 0, 0, arena, pick);
    case COMPACTION_SIZE_TIERED:
        break;
    }
    idle = candidate_list_free(group, arena);
    chosen = size_tiered_choose(options, &idle, arena, NULL);
    return put_pick(COMPACTION_REASON_STRATEGY, &chosen, pick) ||
           put_one(size_tiered_droppable(view, group), 0, 0, arena, pick);
}

bool compaction_strategy_pick(const struct compaction_view *view, struct arena *arena,
                              struct compaction_pick *pick)
{
    struct candidate_list expired = find_expired(view, arena);
    if (put_pick(COMPACTION_REASON_EXPIRED, &expired, pick)) return true;
    for (int is_repaired = 0; is_repaired < 2; is_repaired++) {
        struct candidate_list group = group_of(view, is_repaired != 0, arena);
        if (group.count > 0 && pick_in_group(view, &group, arena, pick)) return true;
    }
    return false;
}

// ---- Major -------------------------------------------------------------------------------------

// The candidates of the window of the first one that is left; these are taken out of `list`.
static struct candidate_list take_window(const struct compaction_options *options,
                                         struct candidate_list *list, struct arena *arena)
{
    struct candidate_list taken = candidate_list_make(arena, list->count);
    int64_t window = time_window_of(options, list->items[0]);
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (time_window_of(options, list->items[i]) == window) {
            candidate_list_add(&taken, list->items[i]);
        } else {
            list->items[kept++] = list->items[i];
        }
    }
    list->count = kept;
    return taken;
}

size_t compaction_strategy_pick_major(const struct compaction_view *view, bool split,
                                      struct arena *arena, struct compaction_pick **picks)
{
    const struct compaction_options *options = view->options;
    struct compaction_pick *made = ARENA_NEW_ARRAY(arena, struct compaction_pick, view->count + 1);
    size_t count = 0;
    for (int is_repaired = 0; is_repaired < 2; is_repaired++) {
        struct candidate_list all = group_of(view, is_repaired != 0, arena);
        struct candidate_list idle = candidate_list_free(&all, arena);
        while (idle.count > 0) {
            struct candidate_list some = idle;
            if (options->strategy == COMPACTION_TIME_WINDOW) {
                some = take_window(options, &idle, arena);
            } else {
                idle.count = 0;
            }
            struct compaction_pick *pick = &made[count++];
            (void)put_pick(COMPACTION_REASON_MAJOR, &some, pick);
            if (options->strategy == COMPACTION_LEVELED) {
                pick->level = 1;
                pick->output_size_max = options->sstable_size_max;
                pick->level_fanout = (unsigned)options->fanout;
            } else {
                pick->split = split && options->strategy == COMPACTION_SIZE_TIERED;
            }
        }
    }
    *picks = made;
    return count;
}

// ---- What is left to do ------------------------------------------------------------------------

static size_t pending_of_group(const struct compaction_options *options,
                               const struct candidate_list *group, struct arena *arena)
{
    size_t pending = 0;
    struct candidate_list idle;
    struct leveled leveled;
    switch (options->strategy) {
    case COMPACTION_LEVELED:
        leveled_init(&leveled, group, arena);
        return leveled_pending(options, &leveled);
    case COMPACTION_TIME_WINDOW:
        (void)time_window_choose(options, group, arena, &pending);
        return pending;
    case COMPACTION_SIZE_TIERED:
        break;
    }
    idle = candidate_list_free(group, arena);
    (void)size_tiered_choose(options, &idle, arena, &pending);
    return pending;
}

size_t compaction_strategy_pending(const struct compaction_view *view, struct arena *arena)
{
    size_t pending = 0;
    for (int is_repaired = 0; is_repaired < 2; is_repaired++) {
        struct candidate_list group = group_of(view, is_repaired != 0, arena);
        pending += pending_of_group(view->options, &group, arena);
    }
    return pending;
}

void compaction_strategy_levels(const struct compaction_view *view, struct arena *arena,
                                uint16_t *levels)
{
    for (int is_repaired = 0; is_repaired < 2; is_repaired++) {
        struct candidate_list group = group_of(view, is_repaired != 0, arena);
        struct leveled leveled;
        leveled_init(&leveled, &group, arena);
        for (size_t level = 0; level < COMPACTION_LEVEL_COUNT; level++)
            for (size_t i = 0; i < leveled.levels[level].count; i++)
                levels[leveled.levels[level].items[i] - view->candidates] = (uint16_t)level;
    }
}
