// Memtables: packed rows read as they were written, take little memory, and are the same whichever
// way changes were applied.
#include "storage/memtable/memtable.h"

#include "base/random.h"

#include <check.h>
#include <stdio.h>

enum { KEYS = 40, ROWS = 30, CHANGES = 4000, GROUP = 16, ROW_SIZE_MAX = 200 };

static const struct table *table;
static struct arena arena;
static struct random dice;

// k; c DESC; a text, n text, or a counter alone.
static const struct table *make_table(bool has_counter)
{
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text("t"), (struct uuid){{has_counter}});
    const struct type *text = type_of_kind(TYPE_TEXT);
    table_builder_add_column(builder, slice_of_text("k"), text, COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("c"), text, COLUMN_CLUSTERING, true);
    if (has_counter) {
        table_builder_add_column(builder, slice_of_text("n"), type_of_kind(TYPE_COUNTER),
                                 COLUMN_REGULAR, false);
    } else {
        table_builder_add_column(builder, slice_of_text("a"), text, COLUMN_REGULAR, false);
        table_builder_add_column(builder, slice_of_text("n"), text, COLUMN_REGULAR, false);
    }
    return table_builder_finish(builder);
}

static void setup(void)
{
    table = make_table(false);
    arena_init(&arena, 4096);
    random_init(&dice, 20261122);
}

static void teardown(void)
{
    arena_deinit(&arena);
    table_unref(table);
}

// One row with these cells.
static struct mutation make_change(const struct table *of, const char *key, struct slice *place,
                                   struct row *row)
{
    row->clustering = (struct clustering){1, place};
    return (struct mutation){.table = of,
                             .key = partition_key_make(slice_of_text(key)),
                             .deletion = DELETION_NONE,
                             .rows = row,
                             .row_count = 1};
}

static void ck_same_row(const struct row *a, const struct row *b)
{
    ck_assert_uint_eq(a->clustering.count, b->clustering.count);
    for (uint16_t i = 0; i < a->clustering.count; i++)
        ck_assert(slice_equals(a->clustering.values[i], b->clustering.values[i]));
    ck_assert_int_eq(a->liveness.timestamp, b->liveness.timestamp);
    ck_assert_int_eq(a->liveness.ttl, b->liveness.ttl);
    ck_assert_int_eq(a->liveness.local_time, b->liveness.local_time);
    ck_assert_int_eq(a->deletion.timestamp, b->deletion.timestamp);
    ck_assert_int_eq(a->deletion.local_time, b->deletion.local_time);
    ck_assert_uint_eq(a->cell_count, b->cell_count);
    for (uint32_t i = 0; i < a->cell_count; i++) {
        ck_assert_uint_eq(a->cells[i].column, b->cells[i].column);
        ck_assert_int_eq(a->cells[i].timestamp, b->cells[i].timestamp);
        ck_assert_int_eq(a->cells[i].ttl, b->cells[i].ttl);
        ck_assert_int_eq(a->cells[i].local_time, b->cells[i].local_time);
        ck_assert(slice_equals(a->cells[i].value, b->cells[i].value));
        ck_assert(slice_equals(a->cells[i].path, b->cells[i].path));
    }
}

static struct partition_iterator *read_all(struct memtable *memtable, const char *key)
{
    static const struct clustering_range all = {{BOUND_INCL_START, {0, NULL}},
                                                {BOUND_INCL_END, {0, NULL}}};
    static const struct partition_filter filter = {&all, 1, false, true};
    struct partition_key wanted = partition_key_make(slice_of_text(key));
    return memtable_read(memtable, table, &wanted, &filter, &arena, NULL);
}

START_TEST(a_row_reads_as_it_was_written)
{
    struct memtable *memtable = memtable_create(table);
    struct slice places[] = {slice_of_text("z"), slice_of_text("b"), slice_make("", 0),
                             slice_null()};
    struct cell cells[] = {
        {.column = 0, .local_time = LOCAL_TIME_NONE, .timestamp = 7, .value = slice_of_text("v")},
        {.column = 1,
         .ttl = 60,
         .local_time = 1900000000,
         .timestamp = -3,
         .value = slice_make("", 0)},
        {.column = 0, .local_time = 1700000000, .timestamp = 8, .value = slice_make("", 0)},
        {.column = 1,
         .local_time = LOCAL_TIME_NONE,
         .timestamp = INT64_MAX,
         .value = slice_of_text("a longer value")},
    };
    // In the order in which they are read, null first even with DESC.
    struct row rows[] = {
        {.liveness = LIVENESS_NONE, .deletion = {5, 1700000001}, .cell_count = 2, .cells = cells},
        {.liveness = {9, TTL_NONE, LOCAL_TIME_NONE}, .deletion = DELETION_NONE},
        {.liveness = {9, 10, 1900000000},
         .deletion = DELETION_NONE,
         .cell_count = 1,
         .cells = cells + 2},
        {.liveness = LIVENESS_NONE, .deletion = DELETION_NONE, .cell_count = 2, .cells = cells + 2},
    };
    rows[0].liveness.timestamp = 6; // Not deleted, as nothing of this row is.
    cells[1].timestamp = 6;
    for (int i = 3; i >= 0; i--) {
        struct mutation change = make_change(table, "k", &places[(i + 3) % 4], &rows[i]);
        ck_assert(memtable_apply(memtable, &change, 0));
    }
    struct partition_iterator *read = read_all(memtable, "k");
    struct unfiltered unfiltered;
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(partition_iterator_next(read, &unfiltered), STATUS_OK);
        ck_same_row(&rows[i], unfiltered.row);
    }
    ck_assert_int_eq(partition_iterator_next(read, &unfiltered), STATUS_END);
    partition_iterator_close(read);
    memtable_unref(memtable);
}
END_TEST

// A random cell of a random place: often one that is there already.
static struct mutation random_change(int64_t timestamp)
{
    struct cell *cells = ARENA_NEW_ARRAY(&arena, struct cell, 2);
    struct row *row = ARENA_NEW(&arena, struct row);
    struct slice *place = ARENA_NEW(&arena, struct slice);
    char *key = arena_format(&arena, "key%u", (unsigned)(random_u64(&dice) % KEYS));
    *place =
        slice_of_text(arena_format(&arena, "row of day %u", (unsigned)(random_u64(&dice) % ROWS)));
    *row = (struct row){.liveness = LIVENESS_NONE, .deletion = DELETION_NONE, .cells = cells};
    for (uint16_t column = 0; column < 2; column++) {
        if (random_u64(&dice) % 3 == 0) continue;
        bool expires = random_u64(&dice) % 4 == 0;
        cells[row->cell_count++] =
            (struct cell){.column = column,
                          .ttl = expires ? 100 : TTL_NONE,
                          .local_time = expires ? 1900000000 : LOCAL_TIME_NONE,
                          .timestamp = timestamp + (int64_t)(random_u64(&dice) % 8),
                          .value = slice_of_text(
                              arena_format(&arena, "%u", (unsigned)(random_u64(&dice) % 2000)))};
    }
    if (random_u64(&dice) % 5 == 0)
        row->liveness = (struct liveness){timestamp, TTL_NONE, LOCAL_TIME_NONE};
    if (random_u64(&dice) % 20 == 0) row->deletion = (struct deletion){timestamp, 1700000000};
    struct mutation change = make_change(table, key, place, row);
    if (random_u64(&dice) % 30 == 0) change.row_count = 0;
    return change;
}

static void ck_same_memtable(struct memtable *a, struct memtable *b)
{
    ck_assert_uint_eq(memtable_partition_count(a), memtable_partition_count(b));
    for (unsigned k = 0; k < KEYS; k++) {
        char key[16];
        (void)snprintf(key, sizeof key, "key%u", k);
        struct partition_iterator *of_a = read_all(a, key), *of_b = read_all(b, key);
        ck_assert((of_a == NULL) == (of_b == NULL));
        enum status status = of_a == NULL ? STATUS_END : STATUS_OK;
        while (status == STATUS_OK) {
            struct unfiltered row_of_a, row_of_b;
            status = partition_iterator_next(of_a, &row_of_a);
            ck_assert_int_eq(partition_iterator_next(of_b, &row_of_b), status);
            if (status == STATUS_OK) ck_same_row(row_of_a.row, row_of_b.row);
        }
        partition_iterator_close(of_a);
        partition_iterator_close(of_b);
    }
}

// Also where the likely place was the wrong one, and where a change of the group made the right
// one.
START_TEST(prefetched_changes_are_the_same_changes)
{
    struct memtable *plain = memtable_create(table), *prefetched = memtable_create(table);
    struct mutation changes[GROUP];
    struct memtable_prefetch prefetches[GROUP];
    for (int done = 0; done < CHANGES; done += GROUP) {
        for (int i = 0; i < GROUP; i++) {
            changes[i] = random_change(done);
            prefetches[i] =
                (struct memtable_prefetch){.memtable = prefetched, .mutation = &changes[i]};
            ck_assert(memtable_apply(plain, &changes[i], 0));
        }
        memtable_prefetch(prefetches, GROUP);
        for (int i = 0; i < GROUP; i++)
            ck_assert(memtable_apply_prefetched(&prefetches[i], 0));
    }
    ck_same_memtable(plain, prefetched);
    memtable_unref(plain);
    memtable_unref(prefetched);
}
END_TEST

// Who looks for one place and writes another must not meet the first.
START_TEST(what_was_found_is_not_taken_for_what_is_written)
{
    struct memtable *plain = memtable_create(table), *found = memtable_create(table);
    for (int i = 0; i < CHANGES; i++) {
        struct mutation sought = random_change(i), change = random_change(i);
        (void)memtable_find_cell(found, &sought.key, &sought.rows[0].clustering, 0);
        ck_assert(memtable_apply(plain, &change, 0));
        ck_assert(memtable_apply(found, &change, 0));
    }
    ck_same_memtable(plain, found);
    memtable_unref(plain);
    memtable_unref(found);
}
END_TEST

START_TEST(a_counter_takes_little_memory)
{
    const struct table *counters = make_table(true);
    struct memtable *memtable = memtable_create(counters);
    uint8_t context[36] = {0, 1, 0x80, 0};
    enum { TAGS = 2000, DAYS = 60 };
    for (int i = 0; i < TAGS * DAYS; i++) {
        char key[16], day[16];
        (void)snprintf(key, sizeof key, "#tag%d", i % TAGS);
        (void)snprintf(day, sizeof day, "d%02d", i / TAGS);
        struct slice place = slice_of_text(day);
        struct cell cell = {.local_time = LOCAL_TIME_NONE,
                            .timestamp = i,
                            .value = slice_make(context, sizeof context)};
        struct row row = {
            .liveness = LIVENESS_NONE, .deletion = DELETION_NONE, .cell_count = 1, .cells = &cell};
        struct mutation change = make_change(counters, key, &place, &row);
        ck_assert(memtable_apply(memtable, &change, 0));
    }
    size_t size = memtable_size(memtable) / (TAGS * DAYS);
    ck_assert_msg(size < ROW_SIZE_MAX, "%zu bytes a counter", size);
    memtable_unref(memtable);
    table_unref(counters);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memtable");
    TCase *tests = tcase_create("memtable");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_row_reads_as_it_was_written);
    tcase_add_test(tests, prefetched_changes_are_the_same_changes);
    tcase_add_test(tests, what_was_found_is_not_taken_for_what_is_written);
    tcase_add_test(tests, a_counter_takes_little_memory);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
