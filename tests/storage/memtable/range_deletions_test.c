// Range deletions of a partition: kept apart, the newest at each place.
#include "storage/memtable/range_deletions.h"

#include "base/bytes.h"
#include "base/random.h"

#include <check.h>

enum { PLACES = 12, RANGES = 30, SEEDS = 20, ROUNDS = 50 };

static const struct table *table;
static struct arena arena;
static struct random dice;

static void setup(void)
{
    struct uuid id = {{0}};
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text("t"), id);
    const struct type *text = type_of_kind(TYPE_TEXT);
    table_builder_add_column(builder, slice_of_text("k"), text, COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("c"), text, COLUMN_CLUSTERING, false);
    table = table_builder_finish(builder);
    arena_init(&arena, 4096);
}

static void teardown(void)
{
    arena_deinit(&arena);
    table_unref(table);
}

// Each letter is a row.
static const struct slice letters[PLACES] = {
    {(const uint8_t *)"a", 1}, {(const uint8_t *)"b", 1}, {(const uint8_t *)"c", 1},
    {(const uint8_t *)"d", 1}, {(const uint8_t *)"e", 1}, {(const uint8_t *)"f", 1},
    {(const uint8_t *)"g", 1}, {(const uint8_t *)"h", 1}, {(const uint8_t *)"i", 1},
    {(const uint8_t *)"j", 1}, {(const uint8_t *)"k", 1}, {(const uint8_t *)"l", 1},
};

static struct range_deletion range_of(bool includes_start, uint64_t start, uint64_t end,
                                      bool includes_end, struct deletion deletion)
{
    return (struct range_deletion){
        {{includes_start ? BOUND_INCL_START : BOUND_EXCL_START, {1, &letters[start]}},
         {includes_end ? BOUND_INCL_END : BOUND_EXCL_END, {1, &letters[end]}}},
        deletion};
}

static void ck_at(const struct range_deletions *ranges, size_t letter, struct deletion expected)
{
    struct clustering row = {1, &letters[letter]};
    struct deletion found = range_deletions_at(ranges, table, &row);
    ck_assert_int_eq(found.timestamp, expected.timestamp);
    ck_assert_int_eq(found.local_time, expected.local_time);
}

// They do not overlap. Their number; backwards there are as many.
static size_t ck_apart(const struct range_deletions *ranges)
{
    size_t count = 0;
    struct range_place place = {0, 0};
    const struct range_deletion *item, *before = NULL;
    for (; (item = range_deletions_item(ranges, place)) != NULL; count++) {
        ck_assert_int_lt(bound_compare(table, &item->range.start, &item->range.end), 0);
        if (before != NULL)
            ck_assert_int_le(bound_compare(table, &before->range.end, &item->range.start), 0);
        before = item;
        place = range_deletions_next(ranges, place);
    }
    size_t back_count = 0;
    for (; range_deletions_previous(ranges, &place); back_count++) {
        item = range_deletions_item(ranges, place);
        if (back_count == 0) ck_assert_ptr_eq(item, before);
    }
    ck_assert_uint_eq(back_count, count);
    return count;
}

START_TEST(an_older_range_stays_only_where_no_newer_one_is)
{
    struct range_deletions ranges = {0};
    struct range_deletion old = range_of(true, 0, 9, true, (struct deletion){3, 1});
    struct range_deletion new = range_of(false, 2, 5, false, (struct deletion){5, 1});
    for (int round = 0; round < 2; round++) {
        range_deletions_add(&ranges, table, round == 0 ? &new : &old, &arena);
        range_deletions_add(&ranges, table, round == 0 ? &old : &new, &arena);
        ck_assert_uint_eq(ck_apart(&ranges), 3);
        ck_at(&ranges, 2, old.deletion);
        ck_at(&ranges, 3, new.deletion);
        ck_at(&ranges, 4, new.deletion);
        ck_at(&ranges, 5, old.deletion);
        ck_at(&ranges, 9, old.deletion);
        ck_at(&ranges, 10, DELETION_NONE);
        ranges = (struct range_deletions){0};
    }
}
END_TEST

START_TEST(what_is_empty_or_deletes_nothing_changes_nothing)
{
    struct range_deletions ranges = {0};
    struct deletion deletion = {5, 1};
    struct range_deletion nothing[] = {
        range_of(true, 3, 2, true, deletion),      range_of(false, 3, 3, false, deletion),
        range_of(true, 3, 3, false, deletion),     range_of(false, 3, 3, true, deletion),
        range_of(true, 1, 3, true, DELETION_NONE),
    };
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++)
        range_deletions_add(&ranges, table, &nothing[i], &arena);
    ck_assert_uint_eq(ck_apart(&ranges), 0);
    struct range_deletion one = range_of(true, 3, 3, true, deletion);
    range_deletions_add(&ranges, table, &one, &arena);
    ck_at(&ranges, 3, deletion);
    ck_at(&ranges, 2, DELETION_NONE);
    ck_at(&ranges, 4, DELETION_NONE);
}
END_TEST

START_TEST(a_bound_turned_over_stands_at_the_same_place)
{
    static const enum bound_kind kinds[] = {BOUND_INCL_START, BOUND_EXCL_START, BOUND_INCL_END,
                                            BOUND_EXCL_END};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct bound bound = {kinds[i], {1, &letters[4]}};
        struct bound inverted = range_deletions_invert(bound);
        ck_assert_int_eq(bound_compare(table, &bound, &inverted), 0);
        ck_assert_int_eq(range_deletions_invert(inverted).kind, bound.kind);
    }
}
END_TEST

// Loop test: the number that a fault is told with is the seed.
START_TEST(at_each_row_the_newest_of_all_that_cover_it)
{
    random_init(&dice, (uint64_t)_i);
    for (int round = 0; round < ROUNDS; round++) {
        struct range_deletions ranges = {0};
        struct deletion expected[PLACES];
        for (size_t i = 0; i < PLACES; i++)
            expected[i] = DELETION_NONE;
        size_t count = random_below(&dice, RANGES);
        for (size_t i = 0; i < count; i++) {
            uint64_t start = random_below(&dice, PLACES), end = random_below(&dice, PLACES);
            bool includes_start = random_chance(&dice, 0.5),
                 includes_end = random_chance(&dice, 0.5);
            struct deletion deletion = {(int64_t)random_below(&dice, 6),
                                        (int32_t)random_below(&dice, 2)};
            struct range_deletion added =
                range_of(includes_start, start, end, includes_end, deletion);
            range_deletions_add(&ranges, table, &added, &arena);
            for (size_t row = start + !includes_start; row < end + includes_end; row++) {
                if (deletion_supersedes(deletion, expected[row])) expected[row] = deletion;
            }
            ck_apart(&ranges);
        }
        for (size_t row = 0; row < PLACES; row++)
            ck_at(&ranges, row, expected[row]);
        arena_reset(&arena);
    }
}
END_TEST

// Loop test: far more than a block has, coming in order, backwards, or anyhow and of any length.
START_TEST(many_are_as_apart_as_few)
{
    enum { ROWS = 8192, MANY = 3000 };
    static struct deletion expected[ROWS];
    random_init(&dice, 5);
    struct range_deletions ranges = {0};
    for (size_t i = 0; i < ROWS; i++)
        expected[i] = DELETION_NONE;
    for (size_t i = 0; i < MANY; i++) {
        uint64_t start = _i == 0 ? 2 * i : _i == 1 ? 2 * (MANY - i) : random_below(&dice, ROWS);
        uint64_t length = 0;
        if (_i == 2) length = random_below(&dice, random_chance(&dice, 0.02) ? 3000 : 3);
        uint64_t end = start + length < ROWS ? start + length : ROWS - 1;
        struct deletion deletion = {(int64_t)random_below(&dice, 1000), 1};
        uint8_t bytes[4];
        bytes_put_u16(bytes, (uint16_t)start);
        bytes_put_u16(bytes + 2, (uint16_t)end);
        struct slice values[2] = {slice_make(bytes, 2), slice_make(bytes + 2, 2)};
        struct range_deletion added = {
            {{BOUND_INCL_START, {1, &values[0]}}, {BOUND_INCL_END, {1, &values[1]}}}, deletion};
        range_deletions_add(&ranges, table, &added, &arena);
        for (uint64_t row = start; row <= end; row++) {
            if (deletion_supersedes(deletion, expected[row])) expected[row] = deletion;
        }
        if (i % 100 == 0) (void)ck_apart(&ranges);
    }
    size_t count = ck_apart(&ranges);
    if (_i < 2) ck_assert_uint_eq(count, MANY);
    for (size_t row = 0; row < ROWS; row++) {
        uint8_t bytes[2];
        bytes_put_u16(bytes, (uint16_t)row);
        struct slice value = slice_make(bytes, 2);
        struct clustering clustering = {1, &value};
        struct deletion found = range_deletions_at(&ranges, table, &clustering);
        ck_assert_int_eq(found.timestamp, expected[row].timestamp);
    }
}
END_TEST

int main(void)
{
    TCase *ranges = tcase_create("range deletions");
    tcase_add_checked_fixture(ranges, setup, teardown);
    tcase_add_test(ranges, an_older_range_stays_only_where_no_newer_one_is);
    tcase_add_test(ranges, what_is_empty_or_deletes_nothing_changes_nothing);
    tcase_add_test(ranges, a_bound_turned_over_stands_at_the_same_place);
    tcase_add_loop_test(ranges, at_each_row_the_newest_of_all_that_cover_it, 0, SEEDS);
    tcase_add_loop_test(ranges, many_are_as_apart_as_few, 0, 3);
    Suite *suite = suite_create("range_deletions");
    suite_add_tcase(suite, ranges);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
