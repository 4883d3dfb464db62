// What is alive at a moment: the edges of TTLs, rows of nothing but tombstones, static rows.
#include "storage/merge/live_rows.h"

#include "storage/memtable/memtable.h"
#include "storage/merge/merge.h"

#include <check.h>

enum { NOW = 1000 };

static const struct table *table; // k; c; static s; a, b.
static struct memtable *memtable;
static struct arena arena;
static struct live_rows rows;

static void setup(void)
{
    struct uuid id = {{0}};
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text("t"), id);
    const struct type *text = type_of_kind(TYPE_TEXT);
    table_builder_add_column(builder, slice_of_text("k"), text, COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("c"), text, COLUMN_CLUSTERING, false);
    table_builder_add_column(builder, slice_of_text("s"), text, COLUMN_STATIC, false);
    table_builder_add_column(builder, slice_of_text("a"), text, COLUMN_REGULAR, false);
    table_builder_add_column(builder, slice_of_text("b"), text, COLUMN_REGULAR, false);
    table = table_builder_finish(builder);
    memtable = memtable_create(table);
    arena_init(&arena, 4096);
}

static void teardown(void)
{
    memtable_unref(memtable);
    table_unref(table);
    arena_deinit(&arena);
}

static struct cell cell_of(uint16_t column, int64_t timestamp, int32_t ttl, int32_t local_time)
{
    bool is_tombstone = ttl == TTL_NONE && local_time != LOCAL_TIME_NONE;
    return (struct cell){.column = column,
                         .timestamp = timestamp,
                         .ttl = ttl,
                         .local_time = local_time,
                         .value = is_tombstone ? slice_make("", 0) : slice_of_text("v")};
}

static void put(const char *c, struct liveness liveness, const struct cell *cells, uint32_t count)
{
    struct slice value = slice_of_text(c == NULL ? "" : c);
    struct row row = {.clustering = {c == NULL ? 0 : 1, &value},
                      .liveness = liveness,
                      .deletion = DELETION_NONE,
                      .cells = cells,
                      .cell_count = count};
    struct mutation mutation = {
        .table = table, .key = partition_key_make(slice_of_text("k1")), .deletion = DELETION_NONE};
    if (c == NULL) {
        mutation.static_row = &row;
    } else {
        mutation.rows = &row;
        mutation.row_count = 1;
    }
    memtable_apply(memtable, &mutation, 0);
}

static void begin(int32_t now)
{
    static const struct clustering_range all = {{BOUND_INCL_START, {0, NULL}},
                                                {BOUND_INCL_END, {0, NULL}}};
    static const struct partition_filter filter = {&all, 1, false, true};
    struct partition_key key = partition_key_make(slice_of_text("k1"));
    struct partition_iterator *source = memtable_read(memtable, table, &key, &filter, &arena, NULL);
    live_rows_init(&rows, merge_partitions(&source, 1, false, &arena), now, &arena);
}

// The next row's clustering and how many cells it has; "" at the end.
static void ck_next(const char *c, uint32_t cell_count)
{
    const struct live_row *row;
    enum status status = live_rows_next(&rows, &row);
    ck_assert_int_eq(status, *c == '\0' ? STATUS_END : STATUS_OK);
    if (status == STATUS_END) return;
    ck_assert(slice_equals(row->clustering.values[0], slice_of_text(c)));
    ck_assert_uint_eq(row->cell_count, cell_count);
}

START_TEST(a_cell_lives_until_the_second_before_it_expires)
{
    struct cell cell = cell_of(0, 1, 10, NOW);
    put("x", LIVENESS_NONE, &cell, 1);
    begin(NOW - 1);
    ck_next("x", 1);
    ck_next("", 0);
    live_rows_deinit(&rows);
    begin(NOW);
    ck_next("", 0);
    live_rows_deinit(&rows);
}
END_TEST

START_TEST(liveness_and_cells_expire_apart_from_each_other)
{
    struct cell cells[] = {cell_of(0, 1, 10, NOW), cell_of(1, 1, 20, NOW + 10)};
    put("x", (struct liveness){1, 30, NOW + 20}, cells, 2);
    const struct live_row *row;
    static const struct {
        int32_t now;
        uint32_t cell_count;
        bool is_live;
    } moments[] = {{NOW - 1, 2, true}, {NOW, 1, true}, {NOW + 10, 0, true}, {NOW + 19, 0, true}};
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        begin(moments[i].now);
        ck_assert_int_eq(live_rows_next(&rows, &row), STATUS_OK);
        ck_assert_uint_eq(row->cell_count, moments[i].cell_count);
        ck_assert_int_eq(row->liveness.timestamp != TIMESTAMP_NONE, moments[i].is_live);
        live_rows_deinit(&rows);
    }
    begin(NOW + 20);
    ck_next("", 0);
    live_rows_deinit(&rows);
}
END_TEST

START_TEST(a_row_of_tombstones_alone_is_none)
{
    struct cell tombstone = cell_of(0, 5, TTL_NONE, 10);
    struct cell both[] = {tombstone, cell_of(1, 5, TTL_NONE, LOCAL_TIME_NONE)};
    put("x", LIVENESS_NONE, &tombstone, 1);
    put("y", LIVENESS_NONE, both, 2);
    put("z", (struct liveness){5, TTL_NONE, LOCAL_TIME_NONE}, &tombstone, 1);
    begin(NOW);
    ck_next("y", 1);
    ck_next("z", 0);
    ck_next("", 0);
    ck_assert_uint_eq(rows.looked_at, 3);
    live_rows_deinit(&rows);
}
END_TEST

START_TEST(an_expired_marker_of_a_view_is_not_alive)
{
    put("x", (struct liveness){5, TTL_EXPIRED_LIVENESS, INT32_MAX - 1}, NULL, 0);
    begin(NOW);
    ck_next("", 0);
    live_rows_deinit(&rows);
}
END_TEST

START_TEST(the_static_row_outlives_the_rows_that_follow)
{
    struct cell of_static = cell_of(0, 1, 10, NOW + 1);
    put(NULL, LIVENESS_NONE, &of_static, 1);
    struct cell cells[] = {cell_of(0, 1, 10, NOW), cell_of(1, 1, TTL_NONE, LOCAL_TIME_NONE)};
    put("x", LIVENESS_NONE, cells, 2);
    begin(NOW);
    ck_assert(rows.has_static_row);
    ck_next("x", 1);
    ck_next("", 0);
    const struct cell *cell;
    ck_assert_uint_eq(live_row_cells(&rows.static_row, 0, &cell), 1);
    ck_assert(slice_equals(cell->value, slice_of_text("v")));
    live_rows_deinit(&rows);
    begin(NOW + 1);
    ck_assert(!rows.has_static_row);
    live_rows_deinit(&rows);
}
END_TEST

START_TEST(cells_of_a_column_are_found_by_its_index)
{
    struct cell cell = cell_of(1, 1, TTL_NONE, LOCAL_TIME_NONE);
    put("x", LIVENESS_NONE, &cell, 1);
    begin(NOW);
    const struct live_row *row;
    ck_assert_int_eq(live_rows_next(&rows, &row), STATUS_OK);
    const struct cell *found;
    ck_assert_uint_eq(live_row_cells(row, 0, &found), 0);
    ck_assert_uint_eq(live_row_cells(row, 1, &found), 1);
    ck_assert_uint_eq(live_row_cells(row, 2, &found), 0);
    live_rows_deinit(&rows);
}
END_TEST

int main(void)
{
    TCase *live = tcase_create("live rows");
    tcase_add_checked_fixture(live, setup, teardown);
    tcase_add_test(live, a_cell_lives_until_the_second_before_it_expires);
    tcase_add_test(live, liveness_and_cells_expire_apart_from_each_other);
    tcase_add_test(live, a_row_of_tombstones_alone_is_none);
    tcase_add_test(live, an_expired_marker_of_a_view_is_not_alive);
    tcase_add_test(live, the_static_row_outlives_the_rows_that_follow);
    tcase_add_test(live, cells_of_a_column_are_found_by_its_index);
    Suite *suite = suite_create("live_rows");
    suite_add_tcase(suite, live);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
