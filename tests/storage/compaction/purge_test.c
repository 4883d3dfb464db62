// What a compaction leaves out: each kind of deletion, old or not, hiding something elsewhere or
// not (org.apache.cassandra.db.partitions.PurgeFunction).
#include "storage/compaction/purge.h"

#include "base/limits.h"
#include "tests/storage/support/memory_source.h"
#include "tests/storage/support/partition_text.h"

#include <check.h>

// Tombstones before GC_BEFORE are old; those with a timestamp from ELSEWHERE on hide something.
enum {
    NOW = 1000,
    GC_BEFORE = 900,
    OLD = 899,
    RECENT = 900,
    ELSEWHERE = 50,
    EARLY = 49,
    LATE = 50
};

static struct arena arena;
static const struct table *table;

static void setup(void)
{
    arena_init(&arena, 64 * KIB);
    struct uuid id = {{1}};
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text("t"), id);
    const struct type *text = type_of_kind(TYPE_TEXT);
    const struct type *set = type_make_set(table_builder_arena(builder), text, false);
    table_builder_add_column(builder, slice_of_text("k"), text, COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("c"), text, COLUMN_CLUSTERING, false);
    table_builder_add_column(builder, slice_of_text("s"), text, COLUMN_STATIC, false);
    table_builder_add_column(builder, slice_of_text("a"), text, COLUMN_REGULAR, false);
    table_builder_add_column(builder, slice_of_text("e"), set, COLUMN_REGULAR, false);
    table = table_builder_finish(builder);
}

static void teardown(void)
{
    table_unref(table);
    arena_deinit(&arena);
}

// ---- Partitions ---------------------------------------------------------------------------------

static struct clustering at_place(const char *place)
{
    struct slice *value = ARENA_NEW(&arena, struct slice);
    *value = slice_of_text(place);
    return (struct clustering){1, value};
}

static struct unfiltered row_of(struct row row)
{
    struct row *copy = ARENA_NEW(&arena, struct row);
    *copy = row;
    return (struct unfiltered){.is_marker = false, .row = copy};
}

static struct unfiltered marker_of(enum bound_kind kind, struct deletion closes,
                                   struct deletion opens)
{
    struct marker *marker = ARENA_NEW(&arena, struct marker);
    *marker = (struct marker){{kind, at_place("m")}, closes, opens};
    return (struct unfiltered){.is_marker = true, .marker = marker};
}

static struct row bare_row(void)
{
    return (struct row){
        .clustering = at_place("c"), .liveness = LIVENESS_NONE, .deletion = DELETION_NONE};
}

// With one cell, of the text column or of the set.
static struct row row_with_cell(uint16_t column, int64_t timestamp, int32_t ttl, int32_t local_time)
{
    struct row row = bare_row();
    struct cell *cell = ARENA_NEW(&arena, struct cell);
    bool is_tombstone = ttl == TTL_NONE && local_time != LOCAL_TIME_NONE;
    *cell = (struct cell){.column = column,
                          .ttl = ttl,
                          .local_time = local_time,
                          .timestamp = timestamp,
                          .value = slice_of_text(is_tombstone || column == 1 ? "" : "value")};
    if (column == 1) cell->path = slice_of_text("p");
    row.cells = cell;
    row.cell_count = 1;
    return row;
}

static struct row row_with_complex_deletion(int64_t timestamp, int32_t local_time)
{
    struct row row = bare_row();
    struct complex_deletion *deletion = ARENA_NEW(&arena, struct complex_deletion);
    *deletion = (struct complex_deletion){1, {timestamp, local_time}};
    row.complex_deletions = deletion;
    row.complex_deletion_count = 1;
    return row;
}

static void put_text(struct buffer *text, struct scan_iterator *scan)
{
    struct partition_iterator *partition;
    enum status status;
    while ((status = scan_iterator_next(scan, &partition)) == STATUS_OK) {
        partition_text_put(text, partition, false);
        partition_iterator_close(partition);
    }
    ck_assert_int_eq(status, STATUS_END);
    scan_iterator_close(scan);
}

static struct purge purge = {
    .now_s = NOW, .gc_before = GC_BEFORE, .memory_min_timestamp = ELSEWHERE};

static struct memory_partition partition_of(const struct unfiltered *unfiltereds, size_t count)
{
    return (struct memory_partition){.key = partition_key_make(slice_of_text("k")),
                                     .deletion = DELETION_NONE,
                                     .unfiltereds = unfiltereds,
                                     .unfiltered_count = count};
}

// Purged, `partition` is `wanted`; if that is empty, nothing comes.
static void ck_purges(struct memory_partition partition, struct memory_partition wanted,
                      const char *what)
{
    struct memory_source source;
    struct buffer expected, actual;
    buffer_init(&expected, MIB);
    buffer_init(&actual, MIB);
    bool is_empty = wanted.unfiltered_count == 0 && wanted.static_row == NULL &&
                    deletion_is_live(wanted.deletion);
    memory_source_init(&source, table, &wanted, 1);
    if (!is_empty) put_text(&expected, &source.base);
    memory_source_init(&source, table, &partition, 1);
    put_text(&actual, purge_scan(&source.base, &purge, &arena));
    ck_assert_msg(slice_equals(buffer_slice(&expected), buffer_slice(&actual)),
                  "%s: expected\n%.*sgot\n%.*s", what, (int)expected.size,
                  (const char *)expected.data, (int)actual.size, (const char *)actual.data);
    buffer_deinit(&expected);
    buffer_deinit(&actual);
}

static void ck_purges_row(struct row row, bool stays, const char *what)
{
    struct unfiltered given = row_of(row);
    ck_purges(partition_of(&given, 1), partition_of(&given, stays), what);
    // Beside one that stays it goes alone.
    struct row other = row_with_cell(0, LATE, TTL_NONE, LOCAL_TIME_NONE);
    other.clustering = at_place("d");
    struct unfiltered two[] = {given, row_of(other)};
    ck_purges(partition_of(two, 2), stays ? partition_of(two, 2) : partition_of(two + 1, 1), what);
    // The static row has no other rules.
    if (row.liveness.timestamp != TIMESTAMP_NONE || row.cell_count == 0 || row.cells[0].column != 0)
        return;
    row.clustering = (struct clustering){0, NULL};
    struct memory_partition alone = partition_of(NULL, 0), wanted = alone;
    alone.static_row = &row;
    if (stays) wanted.static_row = &row;
    ck_purges(alone, wanted, what);
}

// ---- Tests --------------------------------------------------------------------------------------

static const struct {
    int64_t timestamp;
    int32_t local_time;
    bool goes;
} tombstones[] = {
    {EARLY, OLD, true},
    {EARLY, RECENT, false},
    {LATE, OLD, false},
    {LATE, RECENT, false},
};
enum { TOMBSTONES = sizeof tombstones / sizeof *tombstones };

START_TEST(a_tombstone_goes_when_it_is_old_and_hides_nothing_elsewhere)
{
    int64_t timestamp = tombstones[_i].timestamp;
    int32_t local_time = tombstones[_i].local_time;
    bool stays = !tombstones[_i].goes;
    struct deletion deletion = {timestamp, local_time};
    struct memory_partition partition = partition_of(NULL, 0);
    partition.deletion = deletion;
    ck_purges(partition, stays ? partition : partition_of(NULL, 0), "partition deletion");
    struct row row = bare_row();
    row.deletion = deletion;
    ck_purges_row(row, stays, "row deletion");
    ck_purges_row(row_with_cell(0, timestamp, TTL_NONE, local_time), stays, "cell");
    ck_purges_row(row_with_cell(1, timestamp, TTL_NONE, local_time), stays, "cell of a set");
    ck_purges_row(row_with_complex_deletion(timestamp, local_time), stays, "complex deletion");
    row = bare_row();
    row.liveness = (struct liveness){timestamp, 10, local_time};
    ck_purges_row(row, stays, "expired liveness");
    struct unfiltered range[] = {marker_of(BOUND_INCL_START, DELETION_NONE, deletion),
                                 marker_of(BOUND_INCL_END, deletion, DELETION_NONE)};
    ck_purges(partition_of(range, 2), partition_of(range, stays ? 2 : 0), "range");
}
END_TEST

START_TEST(what_is_alive_stays)
{
    ck_purges_row(row_with_cell(0, EARLY, TTL_NONE, LOCAL_TIME_NONE), true, "cell");
    ck_purges_row(row_with_cell(0, EARLY, 100, NOW + 1), true, "cell that will expire");
    struct row row = bare_row();
    row.liveness = (struct liveness){EARLY, TTL_NONE, LOCAL_TIME_NONE};
    ck_purges_row(row, true, "liveness");
    row.liveness = (struct liveness){EARLY, 100, NOW + 1};
    ck_purges_row(row, true, "liveness that will expire");
    // With a row that dies beside what lives, the rest of the row stays.
    struct row both = row_with_cell(0, LATE, TTL_NONE, LOCAL_TIME_NONE);
    struct row left = both;
    both.deletion = (struct deletion){EARLY, OLD};
    struct unfiltered given = row_of(both), wanted = row_of(left);
    ck_purges(partition_of(&given, 1), partition_of(&wanted, 1), "row deletion and a cell");
}
END_TEST

static const struct {
    int64_t timestamp;
    int32_t ttl, local_time;
    int32_t tombstone_time; // 0: nothing is left.
} expired[] = {
    {LATE, 10, NOW, NOW - 10},  // Just now.
    {EARLY, 10, NOW, NOW - 10}, // As a tombstone it is recent.
    {EARLY, 200, NOW, 0},       // As a tombstone it is old: written 200 seconds ago.
    {LATE, 200, NOW, NOW - 200}, {EARLY, 10, OLD, 0}, {LATE, 10, OLD, OLD - 10},
};
enum { EXPIRED = sizeof expired / sizeof *expired };

START_TEST(an_expired_cell_becomes_a_tombstone_of_the_time_when_it_was_written)
{
    for (uint16_t column = 0; column < 2; column++) {
        struct row row =
            row_with_cell(column, expired[_i].timestamp, expired[_i].ttl, expired[_i].local_time);
        struct row tombstone =
            row_with_cell(column, expired[_i].timestamp, TTL_NONE, expired[_i].tombstone_time);
        struct unfiltered given = row_of(row), wanted = row_of(tombstone);
        ck_purges(partition_of(&given, 1), partition_of(&wanted, expired[_i].tombstone_time > 0),
                  "expired cell");
    }
}
END_TEST

static const struct {
    bool closes_goes, opens_goes;
    enum bound_kind kind, left;
} boundaries[] = {
    {true, true, BOUND_EXCL_END_INCL_START, BOUND_CLUSTERING},
    {true, false, BOUND_EXCL_END_INCL_START, BOUND_INCL_START},
    {false, true, BOUND_EXCL_END_INCL_START, BOUND_EXCL_END},
    {false, false, BOUND_EXCL_END_INCL_START, BOUND_EXCL_END_INCL_START},
    {true, true, BOUND_INCL_END_EXCL_START, BOUND_CLUSTERING},
    {true, false, BOUND_INCL_END_EXCL_START, BOUND_EXCL_START},
    {false, true, BOUND_INCL_END_EXCL_START, BOUND_INCL_END},
    {false, false, BOUND_INCL_END_EXCL_START, BOUND_INCL_END_EXCL_START},
};
enum { BOUNDARIES = sizeof boundaries / sizeof *boundaries };

// A coordinator whose clock is behind ours must not find half of the row.
START_TEST(a_cell_that_expired_a_moment_ago_keeps_its_form_as_the_row_does)
{
    struct row row = row_with_cell(0, LATE, 10, NOW - 1);
    row.liveness = (struct liveness){LATE, 10, NOW - 1};
    struct unfiltered given = row_of(row);
    purge.expiry_margin_s = 2;
    ck_purges(partition_of(&given, 1), partition_of(&given, 1), "expired a second ago");
    struct row deleted = row_with_cell(0, LATE, TTL_NONE, NOW - 11);
    deleted.liveness = row.liveness;
    struct unfiltered wanted = row_of(deleted);
    purge.expiry_margin_s = 1;
    ck_purges(partition_of(&given, 1), partition_of(&wanted, 1), "a margin of a second");
    purge.expiry_margin_s = 0;
}
END_TEST

START_TEST(a_boundary_of_which_one_side_goes_becomes_a_bound)
{
    const struct deletion goes = {EARLY, OLD}, stays = {LATE, OLD};
    struct deletion closes = boundaries[_i].closes_goes ? goes : stays;
    struct deletion opens = boundaries[_i].opens_goes ? goes : stays;
    struct unfiltered given = marker_of(boundaries[_i].kind, closes, opens);
    struct unfiltered wanted =
        marker_of(boundaries[_i].left, boundaries[_i].closes_goes ? DELETION_NONE : closes,
                  boundaries[_i].opens_goes ? DELETION_NONE : opens);
    ck_purges(partition_of(&given, 1),
              partition_of(&wanted, boundaries[_i].left != BOUND_CLUSTERING), "boundary");
}
END_TEST

// A bound is what it is in clustering order, also in an answer that was read backwards: a replica
// that has compacted, and has a plain bound there, would have another digest.
START_TEST(a_boundary_becomes_the_same_bound_backwards)
{
    const struct deletion goes = {EARLY, OLD}, stays = {LATE, OLD};
    struct unfiltered given =
        marker_of(boundaries[_i].kind, boundaries[_i].closes_goes ? goes : stays,
                  boundaries[_i].opens_goes ? goes : stays);
    struct memory_partition partition = partition_of(&given, 1);
    struct memory_source source;
    struct partition_iterator *purged;
    memory_source_init(&source, table, &partition, 1);
    ck_assert_int_eq(scan_iterator_next(&source.base, &purged), STATUS_OK);
    ck_assert_int_eq(purge_partition(&purged, &purge, &arena), STATUS_OK);
    if (boundaries[_i].left == BOUND_CLUSTERING) {
        ck_assert_ptr_null(purged);
        return;
    }
    struct unfiltered left;
    ck_assert_int_eq(partition_iterator_next(purged, &left), STATUS_OK);
    ck_assert(left.is_marker);
    ck_assert_int_eq(left.marker->bound.kind, boundaries[_i].left);
    ck_assert_int_eq(deletion_is_live(left.marker->closes), boundaries[_i].closes_goes);
    ck_assert_int_eq(deletion_is_live(left.marker->opens), boundaries[_i].opens_goes);
    partition_iterator_close(purged);
}
END_TEST

// WOULD_BLOCK is a pause: asked again, the scan goes on.
struct pausing {
    struct scan_iterator base;
    struct partition_iterator partition;
    int calls, left;
};

static enum status pausing_next(struct partition_iterator *iterator, struct unfiltered *unfiltered)
{
    struct pausing *pausing =
        (struct pausing *)((char *)iterator - offsetof(struct pausing, partition));
    if (pausing->calls++ % 2 == 0) return STATUS_WOULD_BLOCK;
    if (pausing->left-- == 0) return STATUS_END;
    // All but the last vanish.
    int32_t local_time = pausing->left == 0 ? RECENT : OLD;
    *unfiltered = row_of(row_with_cell(0, EARLY, TTL_NONE, local_time));
    return STATUS_OK;
}

static void pausing_close(struct partition_iterator *iterator)
{
    (void)iterator;
}

static const struct partition_iterator_ops pausing_partition_ops = {pausing_next, pausing_close};

static enum status pausing_scan_next(struct scan_iterator *scan,
                                     struct partition_iterator **partition)
{
    struct pausing *pausing = (struct pausing *)scan;
    if (pausing->left < 0) return STATUS_END;
    pausing->partition = (struct partition_iterator){.ops = &pausing_partition_ops,
                                                     .table = table,
                                                     .key = partition_key_make(slice_of_text("k")),
                                                     .deletion = DELETION_NONE};
    *partition = &pausing->partition;
    return STATUS_OK;
}

static void pausing_scan_close(struct scan_iterator *scan)
{
    (void)scan;
}

static const struct scan_iterator_ops pausing_scan_ops = {pausing_scan_next, pausing_scan_close};

START_TEST(a_source_may_pause_anywhere)
{
    struct pausing pausing = {.base = {&pausing_scan_ops, table}, .left = 5};
    struct scan_iterator *scan = purge_scan(&pausing.base, &purge, &arena);
    struct partition_iterator *partition;
    struct unfiltered unfiltered;
    int pauses = 0;
    while (scan_iterator_next(scan, &partition) == STATUS_WOULD_BLOCK)
        pauses++;
    ck_assert_int_eq(pauses, 5);
    ck_assert_int_eq(partition_iterator_next(partition, &unfiltered), STATUS_OK);
    ck_assert_int_eq(unfiltered.row->cells[0].local_time, RECENT);
    ck_assert_int_eq(partition_iterator_next(partition, &unfiltered), STATUS_WOULD_BLOCK);
    ck_assert_int_eq(partition_iterator_next(partition, &unfiltered), STATUS_END);
    partition_iterator_close(partition);
    ck_assert_int_eq(scan_iterator_next(scan, &partition), STATUS_END);
    scan_iterator_close(scan);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("purge");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, a_tombstone_goes_when_it_is_old_and_hides_nothing_elsewhere, 0,
                        TOMBSTONES);
    tcase_add_test(tcase, what_is_alive_stays);
    tcase_add_loop_test(tcase, an_expired_cell_becomes_a_tombstone_of_the_time_when_it_was_written,
                        0, EXPIRED);
    tcase_add_test(tcase, a_cell_that_expired_a_moment_ago_keeps_its_form_as_the_row_does);
    tcase_add_loop_test(tcase, a_boundary_of_which_one_side_goes_becomes_a_bound, 0, BOUNDARIES);
    tcase_add_loop_test(tcase, a_boundary_becomes_the_same_bound_backwards, 0, BOUNDARIES);
    tcase_add_test(tcase, a_source_may_pause_anywhere);
    Suite *suite = suite_create("purge");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
