// The strategies decide as Cassandra's own classes do (tests/golden/compaction), and keep their
// promises over a long life of a table.
#include "storage/compaction/compaction_strategy.h"

#include "base/limits.h"
#include "storage/row.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CANDIDATES_MAX = 4000, LINE_MAX_SIZE = 20000 };

// ---- Decisions ---------------------------------------------------------------------------------

struct decision {
    struct compaction_options options;
    struct compaction_candidate candidates[CANDIDATES_MAX];
    size_t count;
    int line, wrong, checked;
};

static int64_t unit_seconds(const char *unit)
{
    return strcmp(unit, "DAYS") == 0 ? 86400 : strcmp(unit, "HOURS") == 0 ? 3600 : 60;
}

static bool begin_decision(struct decision *decision, const char *line)
{
    struct compaction_options *options = &decision->options;
    char unit[20], resolution[20];
    int windows, mib;
    *options = compaction_options_default();
    decision->count = 0;
    if (sscanf(line, "size_tiered %d %d %lf %lf %" SCNu64, &options->min_threshold,
               &options->max_threshold, &options->bucket_low, &options->bucket_high,
               &options->min_sstable_size) == 5)
        return true;
    if (sscanf(line, "time_window %d %d %19s %d %19s", &options->min_threshold,
               &options->max_threshold, unit, &windows, resolution) == 5) {
        options->strategy = COMPACTION_TIME_WINDOW;
        options->without_tombstone_compaction = true;
        options->window_unit_s = unit_seconds(unit);
        options->window_size_s = options->window_unit_s * windows;
        options->timestamp_unit_us = resolution[0] == 'S'   ? 1000000
                                     : resolution[1] == 'A' ? 0
                                     : resolution[2] == 'L' ? 1000
                                                            : 1;
        return true;
    }
    if (sscanf(line, "leveled %d %d %d %d", &options->min_threshold, &options->max_threshold, &mib,
               &options->fanout) == 4) {
        options->strategy = COMPACTION_LEVELED;
        options->sstable_size_max = (uint64_t)mib * MIB;
        return true;
    }
    return false;
}

static void add_candidate(struct decision *decision, const char *line)
{
    struct compaction_candidate *c = &decision->candidates[decision->count++];
    int level, busy;
    *c = (struct compaction_candidate){.max_local_time = LOCAL_TIME_NONE};
    ck_assert_int_eq(sscanf(line,
                            "table %" SCNu64 " %" SCNu64 " %" SCNd64 " %" SCNd64 " %" SCNd64
                            " %" SCNd64 " %d %" SCNd64 " %d",
                            &c->generation, &c->size, &c->first.token.value, &c->last.token.value,
                            &c->min_timestamp, &c->max_timestamp, &level, &c->age_s, &busy),
                     9);
    c->first.bytes = c->last.bytes = slice_make("", 0);
    c->level = (uint16_t)level;
    c->is_busy = busy != 0;
}

static struct compaction_view view_of(const struct decision *decision)
{
    return (struct compaction_view){.options = &decision->options,
                                    .candidates = decision->candidates,
                                    .count = decision->count,
                                    .gc_before = INT32_MIN,
                                    .memory_min_timestamp = INT64_MAX};
}

static int compare_generation(const void *left, const void *right)
{
    const struct compaction_candidate *a = *(const struct compaction_candidate *const *)left,
                                      *b = *(const struct compaction_candidate *const *)right;
    return (a->generation > b->generation) - (a->generation < b->generation);
}

static void compare_text(struct decision *decision, const char *expected, const char *actual)
{
    decision->checked++;
    if (strcmp(expected, actual) == 0) return;
    if (decision->wrong++ < 5)
        fprintf(stderr, "line %d:\n  %.300s\n  %.300s\n", decision->line, expected, actual);
}

static void check_levels(struct decision *decision, const char *line)
{
    static uint16_t levels[CANDIDATES_MAX];
    static char text[LINE_MAX_SIZE];
    struct arena arena;
    arena_init(&arena, 4096);
    struct compaction_view view = view_of(decision);
    compaction_strategy_levels(&view, &arena, levels);
    size_t size = (size_t)sprintf(text, "levels ");
    for (size_t i = 0; i < decision->count; i++)
        size += (size_t)sprintf(text + size, "%s%d", i == 0 ? "" : ",", levels[i]);
    compare_text(decision, line, text);
    arena_deinit(&arena);
}

static void check_pick(struct decision *decision, const char *line)
{
    static char text[LINE_MAX_SIZE];
    struct arena arena;
    arena_init(&arena, 4096);
    struct compaction_view view = view_of(decision);
    struct compaction_pick pick = {.count = 0};
    size_t size;
    if (compaction_strategy_pick(&view, &arena, &pick)) {
        ck_assert_int_eq(pick.reason, COMPACTION_REASON_STRATEGY);
        qsort(pick.items, pick.count, sizeof pick.items[0], compare_generation);
        size = (size_t)sprintf(text, "pick %d %" PRIu64 " ", pick.level, pick.output_size_max);
        for (size_t i = 0; i < pick.count; i++)
            size += (size_t)sprintf(text + size, "%s%" PRIu64, i == 0 ? "" : ",",
                                    pick.items[i]->generation);
    } else {
        size = (size_t)sprintf(text, "pick 0 0 -");
    }
    (void)sprintf(text + size, " %zu", compaction_strategy_pending(&view, &arena));
    compare_text(decision, line, text);
    arena_deinit(&arena);
}

START_TEST(decisions_are_cassandras)
{
    static struct decision decision;
    static char line[LINE_MAX_SIZE];
    FILE *file = fopen("tests/golden/compaction/decisions.txt", "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL) {
        decision.line++;
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "table ", 6) == 0) {
            add_candidate(&decision, line);
        } else if (strncmp(line, "levels ", 7) == 0) {
            check_levels(&decision, line);
        } else if (strncmp(line, "pick ", 5) == 0) {
            check_pick(&decision, line);
        } else {
            ck_assert(begin_decision(&decision, line));
        }
    }
    fclose(file);
    ck_assert_int_eq(decision.wrong, 0);
    ck_assert_int_gt(decision.checked, 500);
}
END_TEST

// ---- Expired SSTables, tombstones --------------------------------------------------------------

static struct compaction_candidate candidate(uint64_t generation, int64_t first, int64_t last,
                                             int64_t min_timestamp, int64_t max_timestamp)
{
    return (struct compaction_candidate){
        .generation = generation,
        .size = 1000,
        .first = {{first}, slice_make("", 0)},
        .last = {{last}, slice_make("", 0)},
        .min_timestamp = min_timestamp,
        .max_timestamp = max_timestamp,
        .max_local_time = LOCAL_TIME_NONE,
        .age_s = 100000,
    };
}

static size_t pick_of(const struct compaction_view *view, enum compaction_reason reason,
                      uint64_t *generations)
{
    struct arena arena;
    struct compaction_pick pick;
    size_t count = 0;
    arena_init(&arena, 4096);
    if (compaction_strategy_pick(view, &arena, &pick)) {
        ck_assert_int_eq(pick.reason, reason);
        qsort(pick.items, pick.count, sizeof pick.items[0], compare_generation);
        for (; count < pick.count; count++)
            generations[count] = pick.items[count]->generation;
    }
    arena_deinit(&arena);
    return count;
}

START_TEST(what_has_expired_goes_unless_it_hides_something)
{
    struct compaction_options options = compaction_options_default();
    struct compaction_candidate c[3] = {candidate(1, 0, 100, 10, 20), candidate(2, 0, 100, 30, 40),
                                        candidate(3, 0, 100, 50, 60)};
    struct compaction_view view = {.options = &options,
                                   .candidates = c,
                                   .count = 3,
                                   .gc_before = 1000,
                                   .memory_min_timestamp = INT64_MAX};
    uint64_t got[3];
    c[0].max_local_time = c[1].max_local_time = 999;
    ck_assert_uint_eq(pick_of(&view, COMPACTION_REASON_EXPIRED, got), 2);
    view.memory_min_timestamp = 35; // 2 may hide what is in memory, 1 is older than that.
    ck_assert_uint_eq(pick_of(&view, COMPACTION_REASON_EXPIRED, got), 1);
    ck_assert_uint_eq(got[0], 1);
    view.memory_min_timestamp = 20;
    ck_assert_uint_eq(pick_of(&view, COMPACTION_REASON_EXPIRED, got), 0);
    view.memory_min_timestamp = INT64_MAX;
    view.gc_before = 999;
    ck_assert_uint_eq(pick_of(&view, COMPACTION_REASON_EXPIRED, got), 0);
    view.gc_before = 1000;
    c[2].min_timestamp = 15; // 2, of a later time, may hide something in 3; so may 1.
    ck_assert_uint_eq(pick_of(&view, COMPACTION_REASON_EXPIRED, got), 0);
    options.strategy = COMPACTION_TIME_WINDOW;
    options.unsafe_aggressive_expiration = true;
    ck_assert_uint_eq(pick_of(&view, COMPACTION_REASON_EXPIRED, got), 2);
    options.only_purge_repaired_tombstones = true;
    options.without_tombstone_compaction = true;
    ck_assert_uint_eq(pick_of(&view, COMPACTION_REASON_STRATEGY, got), 0);
}
END_TEST

// How many of the first two a compaction of both leaves unread; the third is beside them.
static size_t unread_of(const struct compaction_view *view)
{
    struct arena arena;
    arena_init(&arena, 4096);
    const struct compaction_candidate *items[2] = {&view->candidates[0], &view->candidates[1]};
    struct compaction_pick pick = {.items = items, .count = 2};
    compaction_strategy_leave_unread(view, &arena, &pick);
    ck_assert_uint_eq(pick.count, 2);
    ck_assert_ptr_ne(pick.items[0], pick.items[1]);
    // Those that are left unread are the last.
    for (size_t i = pick.count - pick.unread_count; i < pick.count; i++)
        ck_assert_int_lt(pick.items[i]->max_local_time, view->gc_before);
    size_t count = pick.unread_count;
    arena_deinit(&arena);
    return count;
}

START_TEST(what_has_expired_is_not_compacted_unless_it_hides_something)
{
    struct compaction_options options = compaction_options_default();
    struct compaction_candidate c[3] = {candidate(1, 0, 100, 10, 20), candidate(2, 0, 100, 30, 40),
                                        candidate(3, 101, 200, 5, 60)};
    struct compaction_view view = {.options = &options,
                                   .candidates = c,
                                   .count = 3,
                                   .gc_before = 1000,
                                   .memory_min_timestamp = INT64_MAX};
    ck_assert_uint_eq(unread_of(&view), 0);
    c[0].max_local_time = 999;
    ck_assert_uint_eq(unread_of(&view), 1);
    c[1].min_timestamp = 20; // That which is read may have what 1 hides.
    ck_assert_uint_eq(unread_of(&view), 0);
    c[1].max_local_time = 999; // Not if it is dead itself.
    ck_assert_uint_eq(unread_of(&view), 2);
    view.memory_min_timestamp = 21;
    ck_assert_uint_eq(unread_of(&view), 0);
    c[1].min_timestamp = 30;
    ck_assert_uint_eq(unread_of(&view), 1);
    view.memory_min_timestamp = 20;
    ck_assert_uint_eq(unread_of(&view), 0);
    view.memory_min_timestamp = INT64_MAX;
    c[2].first.token.value = 100; // The third overlaps and is older: one that is busy counts, too.
    c[2].is_busy = true;
    ck_assert_uint_eq(unread_of(&view), 0);
    c[2].min_timestamp = 21;
    ck_assert_uint_eq(unread_of(&view), 1);
    view.gc_before = 999;
    ck_assert_uint_eq(unread_of(&view), 0);
    view.gc_before = 1000;
    c[2].min_timestamp = 5;
    options.strategy = COMPACTION_TIME_WINDOW;
    options.unsafe_aggressive_expiration = true;
    ck_assert_uint_eq(unread_of(&view), 2);
    options.only_purge_repaired_tombstones = true;
    ck_assert_uint_eq(unread_of(&view), 0);
    c[0].is_repaired = c[1].is_repaired = true;
    ck_assert_uint_eq(unread_of(&view), 2);
}
END_TEST

START_TEST(one_sstable_is_rewritten_for_its_tombstones)
{
    struct compaction_options options = compaction_options_default();
    struct compaction_candidate c[2] = {candidate(1, 0, 99, 10, 20), candidate(2, 0, 49, 5, 40)};
    struct compaction_view view = {.options = &options,
                                   .candidates = c,
                                   .count = 2,
                                   .gc_before = 1000,
                                   .memory_min_timestamp = INT64_MAX};
    uint64_t got[2];
    c[0].droppable_ratio = 0.5; // Half of its keys are not in the other: 0.25 may be dropped.
    ck_assert_uint_eq(pick_of(&view, COMPACTION_REASON_TOMBSTONES, got), 1);
    c[0].droppable_ratio = 0.3;
    ck_assert_uint_eq(pick_of(&view, COMPACTION_REASON_TOMBSTONES, got), 0);
    c[1].min_timestamp = 21; // Nothing in it is older.
    ck_assert_uint_eq(pick_of(&view, COMPACTION_REASON_TOMBSTONES, got), 1);
    c[0].age_s = 86399;
    ck_assert_uint_eq(pick_of(&view, COMPACTION_REASON_TOMBSTONES, got), 0);
    c[0].age_s = 86400;
    c[1].min_timestamp = 5;
    options.unchecked_tombstone_compaction = true;
    ck_assert_uint_eq(pick_of(&view, COMPACTION_REASON_TOMBSTONES, got), 1);
    c[0].is_busy = true;
    ck_assert_uint_eq(pick_of(&view, COMPACTION_REASON_TOMBSTONES, got), 0);
}
END_TEST

START_TEST(repaired_ones_stay_apart)
{
    struct compaction_options options = compaction_options_default();
    struct compaction_candidate c[7];
    struct compaction_view view = {.options = &options,
                                   .candidates = c,
                                   .count = 7,
                                   .gc_before = INT32_MIN,
                                   .memory_min_timestamp = INT64_MAX};
    uint64_t got[7];
    for (size_t i = 0; i < 7; i++) {
        c[i] = candidate(i + 1, 0, 100, 10, 20);
        c[i].is_repaired = i % 2 == 1;
    }
    ck_assert_uint_eq(pick_of(&view, COMPACTION_REASON_STRATEGY, got), 4);
    for (size_t i = 0; i < 4; i++)
        ck_assert_uint_eq(got[i] % 2, 1);
    struct arena arena;
    struct compaction_pick *picks;
    arena_init(&arena, 4096);
    ck_assert_uint_eq(compaction_strategy_pick_major(&view, true, &arena, &picks), 2);
    ck_assert_uint_eq(picks[0].count, 4);
    ck_assert_uint_eq(picks[1].count, 3);
    ck_assert(picks[0].split && picks[0].level_fanout == 0);
    options.strategy = COMPACTION_LEVELED;
    ck_assert_uint_eq(compaction_strategy_pick_major(&view, true, &arena, &picks), 2);
    ck_assert(!picks[0].split && picks[0].level_fanout == 10 && picks[0].level == 1);
    options.strategy = COMPACTION_TIME_WINDOW;
    c[0].max_timestamp = c[6].max_timestamp = INT64_C(86400) * 1000000 * 5;
    ck_assert_uint_eq(compaction_strategy_pick_major(&view, true, &arena, &picks), 3);
    arena_deinit(&arena);
}
END_TEST

// ---- A long life -------------------------------------------------------------------------------

// A table whose SSTables are only descriptions: flushes of random spans, compactions whose outputs
// have the bytes of the inputs less what was written over.
struct life {
    struct decision decision;
    uint64_t next_generation, flushed, written, random;
    int64_t now_s;
    size_t most, picks;
    struct arena arena; // Of one pick.
};

static uint64_t draw(struct life *life, uint64_t below)
{
    life->random = life->random * 6364136223846793005u + 1442695040888963407u;
    return (life->random >> 33) % below;
}

static void check_no_overlap(struct life *life)
{
    const struct compaction_candidate *c = life->decision.candidates;
    for (size_t i = 0; i < life->decision.count; i++) {
        for (size_t j = i + 1; c[i].level > 0 && j < life->decision.count; j++) {
            if (c[i].level == c[j].level)
                ck_assert(c[i].last.token.value < c[j].first.token.value ||
                          c[j].last.token.value < c[i].first.token.value);
        }
    }
}

static void add_output(struct life *life, int64_t first, int64_t last, uint64_t size,
                       uint16_t level, int64_t max_timestamp)
{
    struct compaction_candidate *c = &life->decision.candidates[life->decision.count++];
    ck_assert_uint_lt(life->decision.count, CANDIDATES_MAX);
    *c = candidate(life->next_generation++, first, last, max_timestamp - 10, max_timestamp);
    c->size = size;
    c->level = level;
    c->age_s = -life->now_s;
    life->written += size;
}

static bool run_one(struct life *life)
{
    struct compaction_pick pick;
    struct compaction_view view = view_of(&life->decision);
    arena_reset(&life->arena);
    bool is_one = compaction_strategy_pick(&view, &life->arena, &pick);
    if (is_one) {
        uint64_t size = 0;
        int64_t first = INT64_MAX, last = INT64_MIN, newest = 0;
        bool *taken = ARENA_NEW_ARRAY(&life->arena, bool, view.count);
        for (size_t i = 0; i < pick.count; i++) {
            const struct compaction_candidate *c = pick.items[i];
            ck_assert(!taken[c - view.candidates]);
            taken[c - view.candidates] = true;
            size += c->size;
            if (c->first.token.value < first) first = c->first.token.value;
            if (c->last.token.value > last) last = c->last.token.value;
            if (c->max_timestamp > newest) newest = c->max_timestamp;
        }
        size_t kept = 0;
        for (size_t i = 0; i < view.count; i++)
            if (!taken[i]) life->decision.candidates[kept++] = life->decision.candidates[i];
        life->decision.count = kept;
        size_t outputs = pick.output_size_max == 0
                             ? 1
                             : (size_t)((size + pick.output_size_max - 1) / pick.output_size_max);
        int64_t step = (last - first) / (int64_t)outputs;
        for (size_t i = 0; i < outputs; i++)
            add_output(life, first + step * (int64_t)i,
                       i + 1 == outputs ? last : first + step * (int64_t)(i + 1) - 1,
                       size / outputs, pick.level, newest);
        life->picks++;
    }
    return is_one;
}

static void live(struct life *life, int flushes, uint64_t seed, uint64_t flush_size)
{
    life->random = seed;
    life->next_generation = 1;
    arena_init(&life->arena, 65536);
    for (int i = 0; i < flushes; i++) {
        life->now_s++;
        int64_t first = (int64_t)draw(life, 1u << 20), width = (int64_t)draw(life, 1u << 20) + 1000;
        uint64_t size = flush_size / 2 + draw(life, flush_size);
        life->flushed += size;
        add_output(life, first, first + width, size, 0, i);
        life->written -= size;
        // Compactions fall behind now and then, and catch up.
        for (int round = 0; (i / 500) % 4 != 3 && round < 6 && run_one(life); round++)
            if (life->picks % 400 == 0) check_no_overlap(life);
        if (life->decision.count > life->most) life->most = life->decision.count;
    }
    while (run_one(life))
        continue;
    check_no_overlap(life);
    arena_deinit(&life->arena);
}

static double amplification(const struct life *life)
{
    return (double)(life->flushed + life->written) / (double)life->flushed;
}

START_TEST(levels_never_overlap_and_little_is_written_again)
{
    static struct life life;
    life = (struct life){.decision.options = compaction_options_default()};
    life.decision.options.strategy = COMPACTION_LEVELED;
    life.decision.options.sstable_size_max = 64 * MIB;
    live(&life, 10000, 7, 4 * MIB);
    printf("leveled: 10000 flushes, %zu compactions, %.1f bytes written for each flushed, %zu "
           "SSTables at most, %zu at the end\n",
           life.picks, amplification(&life), life.most, life.decision.count);
    ck_assert(amplification(&life) < 40);
}
END_TEST

START_TEST(size_tiers_write_little_again)
{
    static struct life life;
    life = (struct life){.decision.options = compaction_options_default()};
    life.decision.options.min_sstable_size = 1;
    live(&life, 10000, 7, 4 * MIB);
    printf("size-tiered: 10000 flushes, %zu compactions, %.1f bytes written for each flushed, %zu "
           "SSTables at most, %zu at the end\n",
           life.picks, amplification(&life), life.most, life.decision.count);
    ck_assert(amplification(&life) < 10);
    ck_assert_uint_lt(life.decision.count, 64);
}
END_TEST

START_TEST(old_windows_become_one)
{
    static struct life life;
    life = (struct life){.decision.options = compaction_options_default()};
    life.decision.options.strategy = COMPACTION_TIME_WINDOW;
    life.decision.options.window_size_s = 60;
    life.decision.options.timestamp_unit_us = 1000000;
    live(&life, 6000, 7, 4 * MIB);
    printf("time-window: 6000 flushes in 100 windows, %zu compactions, %.1f bytes written for each "
           "flushed, %zu SSTables at most, %zu at the end\n",
           life.picks, amplification(&life), life.most, life.decision.count);
    ck_assert(amplification(&life) < 6);
    ck_assert_uint_lt(life.decision.count, 104);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("compaction_strategy");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, decisions_are_cassandras);
    tcase_add_test(tests, what_has_expired_goes_unless_it_hides_something);
    tcase_add_test(tests, what_has_expired_is_not_compacted_unless_it_hides_something);
    tcase_add_test(tests, one_sstable_is_rewritten_for_its_tombstones);
    tcase_add_test(tests, repaired_ones_stay_apart);
    tcase_add_test(tests, levels_never_overlap_and_little_is_written_again);
    tcase_add_test(tests, size_tiers_write_little_again);
    tcase_add_test(tests, old_windows_become_one);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
