// When older sources can change nothing in the one row that is read.
#include "base/limits.h"
#include "storage/merge/known_row.h"
#include "tests/storage/support/memory_source.h"

#include <check.h>

static struct arena arena;
static const struct table *table;

// k int, [c int,] v int, w int, or a set in the place of w.
static const struct table *make_table(bool has_clustering, bool has_set, bool has_static)
{
    struct uuid id = {{1}};
    struct table_builder *builder =
        table_builder_create(slice_of_text("k"), slice_of_text("t"), id);
    const struct type *number = type_of_kind(TYPE_INT);
    const struct type *last =
        has_set ? type_make_set(table_builder_arena(builder), number, false) : number;
    table_builder_add_column(builder, slice_of_text("k"), number, COLUMN_PARTITION_KEY, false);
    if (has_clustering)
        table_builder_add_column(builder, slice_of_text("c"), number, COLUMN_CLUSTERING, false);
    if (has_static)
        table_builder_add_column(builder, slice_of_text("s"), number, COLUMN_STATIC, false);
    table_builder_add_column(builder, slice_of_text("v"), number, COLUMN_REGULAR, false);
    table_builder_add_column(builder, slice_of_text("w"), last, COLUMN_REGULAR, false);
    return table_builder_finish(builder);
}

static void setup(void)
{
    arena_init(&arena, KIB);
    table = make_table(true, false, false);
}

static void teardown(void)
{
    table_unref(table);
    arena_deinit(&arena);
}

static struct slice one = {(const uint8_t *)"\0\0\0\1", 4}, two = {(const uint8_t *)"\0\0\0\2", 4};

static struct clustering_range range_of(struct slice *start, struct slice *end)
{
    return (struct clustering_range){{BOUND_INCL_START, {1, start}}, {BOUND_INCL_END, {1, end}}};
}

static bool is_of_use(const struct table *of, const struct clustering_range *range,
                      bool with_static)
{
    struct partition_filter filter = {
        .ranges = range, .range_count = 1, .with_static = with_static};
    struct known_row known;
    known_row_init(&known, of, &filter, &arena);
    return known.is_of_use;
}

START_TEST(it_is_of_use_for_one_row_of_simple_columns)
{
    struct clustering_range row = range_of(&one, &one), rows = range_of(&one, &two);
    struct clustering_range all = CLUSTERING_RANGE_ALL;
    ck_assert(is_of_use(table, &row, true));
    ck_assert(!is_of_use(table, &rows, false));
    ck_assert(!is_of_use(table, &all, false));
    const struct table *alone = make_table(false, false, false);
    ck_assert(is_of_use(alone, &all, false));
    const struct table *with_set = make_table(true, true, false);
    ck_assert(!is_of_use(with_set, &row, false));
    const struct table *with_static = make_table(true, false, true);
    ck_assert(!is_of_use(with_static, &row, true));
    ck_assert(is_of_use(with_static, &row, false));
    table_unref(alone);
    table_unref(with_set);
    table_unref(with_static);
}
END_TEST

// ---- What is known ------------------------------------------------------------------------------

static struct known_row known;
static struct partition_iterator *sources[8];
static size_t source_count;

static void begin(void)
{
    static struct slice value;
    value = one;
    static struct clustering_range row;
    row = range_of(&value, &value);
    static const struct partition_filter filter = {.ranges = &row, .range_count = 1};
    known_row_init(&known, table, &filter, &arena);
    source_count = 0;
}

// A source with a partition's deletion and up to two unfiltereds.
static void add(struct deletion deletion, const struct unfiltered *unfiltereds, size_t count)
{
    struct memory_source *source = ARENA_NEW(&arena, struct memory_source);
    struct memory_partition *partition = ARENA_NEW(&arena, struct memory_partition);
    *partition = (struct memory_partition){.key = partition_key_make(one),
                                           .deletion = deletion,
                                           .unfiltereds = unfiltereds,
                                           .unfiltered_count = count};
    memory_source_init(source, table, partition, 1);
    struct partition_iterator *iterator;
    ck_assert_int_eq(scan_iterator_next(&source->base, &iterator), STATUS_OK);
    ck_assert_int_eq(known_row_add(&known, &iterator), STATUS_OK);
    ck_assert_int_eq(iterator->deletion.timestamp, deletion.timestamp);
    sources[source_count++] = iterator;
}

static struct unfiltered row_of(int64_t liveness, int64_t v, int64_t w, int64_t deleted)
{
    struct cell *cells = ARENA_NEW_ARRAY(&arena, struct cell, 2);
    struct row *row = ARENA_NEW(&arena, struct row);
    uint32_t count = 0;
    if (v != 0)
        cells[count++] =
            (struct cell){.column = 0, .local_time = LOCAL_TIME_NONE, .timestamp = v, .value = one};
    if (w != 0) cells[count++] = (struct cell){.column = 1, .local_time = 7, .timestamp = w};
    *row = (struct row){.clustering = {1, &one},
                        .liveness = LIVENESS_NONE,
                        .deletion = DELETION_NONE,
                        .cell_count = count,
                        .cells = cells};
    if (liveness != 0) row->liveness = (struct liveness){liveness, TTL_NONE, LOCAL_TIME_NONE};
    if (deleted != 0) row->deletion = (struct deletion){deleted, 7};
    return (struct unfiltered){.is_marker = false, .row = row};
}

static void add_row(int64_t liveness, int64_t v, int64_t w, int64_t deleted)
{
    struct unfiltered *row = ARENA_NEW(&arena, struct unfiltered);
    *row = row_of(liveness, v, w, deleted);
    add(DELETION_NONE, row, 1);
}

START_TEST(all_parts_must_be_newer)
{
    begin();
    ck_assert(!known_row_covers(&known, 0));
    add_row(100, 100, 90, 0);
    ck_assert(known_row_covers(&known, 89));
    ck_assert(!known_row_covers(&known, 90));
    add_row(0, 0, 95, 0);
    ck_assert(known_row_covers(&known, 94));
    begin();
    add_row(100, 100, 0, 0);
    ck_assert(!known_row_covers(&known, 1));
    add_row(0, 0, 50, 0);
    ck_assert(known_row_covers(&known, 49));
    begin();
    add_row(0, 100, 100, 0); // Without liveness an older one could make the row.
    ck_assert(!known_row_covers(&known, 1));
    begin();
    add(DELETION_NONE, NULL, 0);
    ck_assert(!known_row_covers(&known, 1));
}
END_TEST

START_TEST(a_deletion_covers_what_is_as_old)
{
    begin();
    add_row(0, 0, 0, 60);
    ck_assert(known_row_covers(&known, 60));
    ck_assert(!known_row_covers(&known, 61));
    begin();
    add((struct deletion){70, 7}, NULL, 0);
    ck_assert(known_row_covers(&known, 70));
    begin();
    struct marker edges[2] = {
        {{BOUND_INCL_START, {1, &one}}, DELETION_NONE, {80, 7}},
        {{BOUND_INCL_END, {1, &one}}, {80, 7}, DELETION_NONE},
    };
    struct unfiltered all[3] = {{.is_marker = true, .marker = &edges[0]},
                                row_of(90, 90, 0, 0),
                                {.is_marker = true, .marker = &edges[1]}};
    add(DELETION_NONE, all, 3);
    ck_assert(known_row_covers(&known, 80));
    ck_assert(!known_row_covers(&known, 81));
    // All that was looked at comes again.
    struct unfiltered unfiltered;
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(partition_iterator_next(sources[0], &unfiltered), STATUS_OK);
        ck_assert_int_eq(unfiltered.is_marker, all[i].is_marker);
        ck_assert_ptr_eq(unfiltered.row, all[i].row);
    }
    ck_assert_int_eq(partition_iterator_next(sources[0], &unfiltered), STATUS_END);
    ck_assert_int_eq(partition_iterator_next(sources[0], &unfiltered), STATUS_END);
    partition_iterator_close(sources[0]);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("known_row");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, it_is_of_use_for_one_row_of_simple_columns);
    tcase_add_test(tcase, all_parts_must_be_newer);
    tcase_add_test(tcase, a_deletion_covers_what_is_as_old);
    Suite *suite = suite_create("known_row");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
