#include "storage/merge/reconcile.h"

#include "storage/counter_context.h"
#include "tests/storage/support/vectors.h"

#include <check.h>
#include <stdlib.h>

static struct vectors vectors;

// "timestamp/ttl/local time/value"; false when a number is beyond what a file of ours can hold.
static bool parse_cell(char *text, struct cell *cell)
{
    char *ttl = strchr(text, '/') + 1, *local_time = strchr(ttl, '/') + 1;
    char *value = strchr(local_time, '/') + 1;
    long long end = *local_time == '-' ? LOCAL_TIME_NONE : strtoll(local_time, NULL, 10);
    *cell = (struct cell){
        .timestamp = strtoll(text, NULL, 10),
        .ttl = (int32_t)strtol(ttl, NULL, 10),
        .local_time = (int32_t)end,
        .value = vectors_hex(&vectors, value),
    };
    return end <= INT32_MAX;
}

static bool cells_equal(const struct cell *a, const struct cell *b)
{
    return a->timestamp == b->timestamp && a->ttl == b->ttl && a->local_time == b->local_time &&
           slice_equals(a->value, b->value);
}

static struct liveness parse_liveness(char *text)
{
    char *ttl = strchr(text, '/') + 1, *local_time = strchr(ttl, '/') + 1;
    return (struct liveness){
        .timestamp = strtoll(text, NULL, 10),
        .ttl = (int32_t)strtol(ttl, NULL, 10),
        .local_time = *local_time == '-' ? LOCAL_TIME_NONE : (int32_t)strtol(local_time, NULL, 10),
    };
}

static bool livenesses_equal(struct liveness a, struct liveness b)
{
    return a.timestamp == b.timestamp && a.ttl == b.ttl && a.local_time == b.local_time;
}

START_TEST(the_same_version_wins_as_in_cassandra)
{
    vectors_open_golden(&vectors, "reconcile.tsv");
    while (vectors_next(&vectors)) {
        if (strncmp(vectors.fields[0], "L ", 2) == 0) {
            struct liveness left = parse_liveness(vectors.fields[0] + 2);
            struct liveness right = parse_liveness(vectors.fields[1]);
            bool left_supersedes = strcmp(vectors.fields[2], "true") == 0;
            bool right_supersedes = strcmp(vectors.fields[3], "true") == 0;
            struct liveness winner = reconcile_liveness(left, right);
            ck_assert(livenesses_equal(winner, reconcile_liveness(right, left)));
            if (left_supersedes) ck_assert(livenesses_equal(winner, left));
            if (right_supersedes) ck_assert(livenesses_equal(winner, right));
            continue;
        }
        struct cell left, right, expected;
        bool fits = parse_cell(vectors.fields[0], &left);
        fits = parse_cell(vectors.fields[1], &right) && fits;
        if (!fits) continue;
        parse_cell(vectors.fields[2], &expected);
        struct cell winner = reconcile_cells(&left, &right, false, &vectors.arena);
        // Cassandra does not compare ttls: there the left one stays.
        if (left.ttl != right.ttl && left.local_time == right.local_time &&
            slice_equals(left.value, right.value))
            continue;
        ck_assert_msg(cells_equal(&winner, &expected), "line %d", vectors.line);
        winner = reconcile_cells(&right, &left, false, &vectors.arena);
        ck_assert_msg(cells_equal(&winner, &expected), "line %d", vectors.line);
    }
    vectors_close(&vectors);
}
END_TEST

// Every pair of these, in both orders, must give one winner; and of three, whatever the grouping.
static const struct cell edges[] = {
    {.timestamp = 1, .local_time = LOCAL_TIME_NONE, .value = {(const uint8_t *)"a", 1}},
    {.timestamp = 1, .local_time = LOCAL_TIME_NONE, .value = {(const uint8_t *)"ab", 2}},
    {.timestamp = 1, .local_time = LOCAL_TIME_NONE, .value = {(const uint8_t *)"", 0}},
    {.timestamp = 2, .local_time = LOCAL_TIME_NONE, .value = {(const uint8_t *)"a", 1}},
    {.timestamp = 1, .local_time = 100, .value = {(const uint8_t *)"", 0}},
    {.timestamp = 1, .local_time = 101, .value = {(const uint8_t *)"", 0}},
    {.timestamp = 1, .ttl = 10, .local_time = 100, .value = {(const uint8_t *)"a", 1}},
    {.timestamp = 1, .ttl = 20, .local_time = 100, .value = {(const uint8_t *)"a", 1}},
    {.timestamp = 1, .ttl = 10, .local_time = 101, .value = {(const uint8_t *)"b", 1}},
    {.timestamp = INT64_MIN + 1, .local_time = LOCAL_TIME_NONE, .value = {(const uint8_t *)"", 0}},
};
enum { EDGE_COUNT = sizeof edges / sizeof edges[0] };

START_TEST(order_and_grouping_do_not_matter)
{
    for (int a = 0; a < EDGE_COUNT; a++) {
        for (int b = 0; b < EDGE_COUNT; b++) {
            struct cell ab = reconcile_cells(&edges[a], &edges[b], false, NULL);
            struct cell ba = reconcile_cells(&edges[b], &edges[a], false, NULL);
            ck_assert_msg(cells_equal(&ab, &ba), "%d %d", a, b);
            for (int c = 0; c < EDGE_COUNT; c++) {
                struct cell bc = reconcile_cells(&edges[b], &edges[c], false, NULL);
                struct cell left = reconcile_cells(&ab, &edges[c], false, NULL);
                struct cell right = reconcile_cells(&edges[a], &bc, false, NULL);
                ck_assert_msg(cells_equal(&left, &right), "%d %d %d", a, b, c);
            }
        }
    }
}
END_TEST

START_TEST(counters_merge_and_a_tombstone_beats_them_all)
{
    struct arena arena;
    arena_init(&arena, 256);
    uint8_t one[COUNTER_SINGLE_SHARD_SIZE], two[COUNTER_SINGLE_SHARD_SIZE];
    counter_context_make_global((struct uuid){.bytes = {1}}, 1, 5, one);
    counter_context_make_global((struct uuid){.bytes = {2}}, 1, 6, two);
    struct cell a = {.timestamp = 9, .local_time = LOCAL_TIME_NONE, .value = {one, sizeof one}};
    struct cell b = {.timestamp = 8, .local_time = LOCAL_TIME_NONE, .value = {two, sizeof two}};
    struct cell merged = reconcile_cells(&b, &a, true, &arena);
    ck_assert_int_eq(counter_context_total(merged.value), 11);
    ck_assert_int_eq(merged.timestamp, 9);

    struct cell old_tombstone = {.timestamp = 1, .local_time = 3, .value = slice_make("", 0)};
    struct cell new_tombstone = {.timestamp = 2, .local_time = 3, .value = slice_make("", 0)};
    struct cell winner = reconcile_cells(&a, &old_tombstone, true, &arena);
    ck_assert(cell_is_tombstone(&winner));
    winner = reconcile_cells(&old_tombstone, &a, true, &arena);
    ck_assert(cell_is_tombstone(&winner));
    winner = reconcile_cells(&old_tombstone, &new_tombstone, true, &arena);
    ck_assert_int_eq(winner.timestamp, 2);
    arena_deinit(&arena);
}
END_TEST

int main(void)
{
    TCase *reconcile = tcase_create("reconcile");
    tcase_add_test(reconcile, the_same_version_wins_as_in_cassandra);
    tcase_add_test(reconcile, order_and_grouping_do_not_matter);
    tcase_add_test(reconcile, counters_merge_and_a_tombstone_beats_them_all);

    Suite *suite = suite_create("reconcile");
    suite_add_tcase(suite, reconcile);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
