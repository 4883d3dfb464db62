// The merge of one partition against its definition: for each row and cell the newest that no
// deletion hides, for each place the newest range deletion. Sources are memtables, so what these
// make of several changes is in it too.
#include "storage/merge/merge.h"

#include "base/random.h"
#include "storage/cell_path.h"
#include "storage/memtable/memtable.h"
#include "storage/memtable/range_deletions.h"
#include "storage/merge/reconcile.h"

#include <check.h>
#include <stdlib.h>

enum { SOURCES_MAX = 4, CHANGES_MAX = 40, VALUES = 3, PLACES_MAX = 32, SEEDS = 30, ROUNDS = 100 };

static const struct table *tables[2]; // The second: c DESC.
static struct arena arena;            // Of one round.
static struct random dice;

// k; c, d; static s; a, b, e set<text>.
static const struct table *make_table(bool reversed)
{
    struct uuid id = {{(uint8_t)reversed}};
    struct table_builder *builder =
        table_builder_create(slice_of_text("ks"), slice_of_text("t"), id);
    const struct type *text = type_of_kind(TYPE_TEXT);
    const struct type *set = type_make_set(table_builder_arena(builder), text, false);
    table_builder_add_column(builder, slice_of_text("k"), text, COLUMN_PARTITION_KEY, false);
    table_builder_add_column(builder, slice_of_text("c"), text, COLUMN_CLUSTERING, reversed);
    table_builder_add_column(builder, slice_of_text("d"), text, COLUMN_CLUSTERING, false);
    table_builder_add_column(builder, slice_of_text("s"), text, COLUMN_STATIC, false);
    table_builder_add_column(builder, slice_of_text("a"), text, COLUMN_REGULAR, false);
    table_builder_add_column(builder, slice_of_text("b"), text, COLUMN_REGULAR, false);
    table_builder_add_column(builder, slice_of_text("e"), set, COLUMN_REGULAR, false);
    return table_builder_finish(builder);
}

static void setup(void)
{
    for (int i = 0; i < 2; i++)
        tables[i] = make_table(i == 1);
}

static void teardown(void)
{
    for (int i = 0; i < 2; i++)
        table_unref(tables[i]);
}

// ---- Changes -----------------------------------------------------------------------------------

static uint32_t below(uint32_t count)
{
    return (uint32_t)random_below(&dice, count);
}

static struct slice letter(uint32_t index)
{
    static const char letters[] = "bdf";
    return slice_make(letters + index, 1);
}

static struct clustering random_prefix(uint16_t count)
{
    struct slice *values = ARENA_NEW_ARRAY(&arena, struct slice, 2);
    for (uint16_t i = 0; i < count; i++)
        values[i] = letter(below(VALUES));
    return (struct clustering){count, values};
}

static struct bound random_bound(bool is_start)
{
    static const enum bound_kind kinds[] = {BOUND_INCL_START, BOUND_EXCL_START, BOUND_INCL_END,
                                            BOUND_EXCL_END};
    struct clustering prefix = random_prefix((uint16_t)below(3));
    // What has no values is all there is: nothing can lie outside of it.
    uint32_t exclusive = prefix.count == 0 ? 0 : below(2);
    return (struct bound){kinds[(is_start ? 0 : 2) + exclusive], prefix};
}

static struct deletion random_deletion(void)
{
    return (struct deletion){below(8), (int32_t)below(3)};
}

static struct liveness random_liveness(void)
{
    int32_t ttl = below(3) == 0 ? 10 : TTL_NONE;
    return (struct liveness){below(8), ttl, ttl == TTL_NONE ? LOCAL_TIME_NONE : (int32_t)below(20)};
}

static struct cell random_cell(uint16_t column, bool with_path)
{
    struct cell cell = {.column = column, .local_time = LOCAL_TIME_NONE, .timestamp = below(8)};
    cell.value = slice_make("", 0);
    uint32_t kind = below(4);
    if (kind > 0 && !with_path) cell.value = letter(below(VALUES));
    if (kind == 0 || kind == 1) cell.local_time = (int32_t)below(20);
    if (kind == 1) cell.ttl = 10;
    if (with_path) cell.path = letter(below(VALUES));
    return cell;
}

static void random_row(const struct table *table, struct row *row)
{
    *row = (struct row){.liveness = LIVENESS_NONE, .deletion = DELETION_NONE};
    row->clustering = random_prefix(2);
    if (below(3) == 0) row->liveness = random_liveness();
    if (below(6) == 0) row->deletion = random_deletion();
    struct cell *cells = ARENA_NEW_ARRAY(&arena, struct cell, 4);
    for (uint16_t column = 0; column < 2; column++)
        if (below(2) == 0) cells[row->cell_count++] = random_cell(column, false);
    uint16_t set = table_find_column(table, slice_of_text("e"))->index;
    if (below(2) == 0) cells[row->cell_count++] = random_cell(set, true);
    row->cells = cells;
    if (below(6) > 0) return;
    struct complex_deletion *deletion = ARENA_NEW(&arena, struct complex_deletion);
    *deletion = (struct complex_deletion){set, random_deletion()};
    row->complex_deletions = deletion;
    row->complex_deletion_count = 1;
}

static void random_change(const struct table *table, struct mutation *change)
{
    *change = (struct mutation){
        .table = table, .key = partition_key_make(slice_of_text("k1")), .deletion = DELETION_NONE};
    uint32_t kind = below(10);
    if (kind == 0) {
        change->deletion = (struct deletion){below(4), (int32_t)below(3)};
    } else if (kind < 4) {
        struct range_deletion *deletion = ARENA_NEW(&arena, struct range_deletion);
        *deletion =
            (struct range_deletion){{random_bound(true), random_bound(false)}, random_deletion()};
        change->range_deletions = deletion;
        change->range_deletion_count = 1;
    } else if (kind == 4) {
        struct row *row = ARENA_NEW(&arena, struct row);
        *row = (struct row){.liveness = LIVENESS_NONE, .deletion = DELETION_NONE, .cell_count = 1};
        struct cell *cell = ARENA_NEW(&arena, struct cell);
        *cell = random_cell(0, false);
        row->cells = cell;
        change->static_row = row;
    } else {
        struct row *row = ARENA_NEW(&arena, struct row);
        random_row(table, row);
        change->rows = row;
        change->row_count = 1;
    }
}

// ---- The definition ----------------------------------------------------------------------------

struct definition {
    const struct table *table;
    struct mutation changes[CHANGES_MAX];
    size_t change_count;
};

static struct deletion newer(struct deletion a, struct deletion b)
{
    return deletion_supersedes(b, a) ? b : a;
}

static struct deletion partition_deletion_of(const struct definition *all)
{
    struct deletion deletion = DELETION_NONE;
    for (size_t i = 0; i < all->change_count; i++)
        deletion = newer(deletion, all->changes[i].deletion);
    return deletion;
}

// The range deletion that counts just behind this place.
static struct deletion range_deletion_behind(const struct definition *all, struct bound place)
{
    struct deletion deletion = DELETION_NONE;
    for (size_t i = 0; i < all->change_count; i++) {
        if (all->changes[i].range_deletion_count == 0) continue;
        const struct range_deletion *range = all->changes[i].range_deletions;
        if (bound_compare(all->table, &range->range.start, &place) <= 0 &&
            bound_compare(all->table, &place, &range->range.end) < 0)
            deletion = newer(deletion, range->deletion);
    }
    struct deletion partition = partition_deletion_of(all);
    return deletion_supersedes(deletion, partition) ? deletion : DELETION_NONE;
}

static const struct row *version_of(const struct definition *all, size_t change,
                                    const struct clustering *clustering)
{
    const struct mutation *mutation = &all->changes[change];
    if (clustering == NULL) return mutation->static_row;
    if (mutation->row_count == 0) return NULL;
    bool is_it = clustering_compare(all->table, &mutation->rows[0].clustering, clustering) == 0;
    return is_it ? &mutation->rows[0] : NULL;
}

// The newest version of one cell that `active` does not hide; false if there is none.
static bool find_cell(const struct definition *all, const struct clustering *clustering,
                      struct deletion active, uint16_t column, struct slice path, struct cell *cell)
{
    bool found = false;
    for (size_t i = 0; i < all->change_count; i++) {
        const struct row *row = version_of(all, i, clustering);
        for (uint32_t c = 0; row != NULL && c < row->cell_count; c++) {
            const struct cell *version = &row->cells[c];
            if (version->column != column || !slice_equals(version->path, path)) continue;
            if (deletion_deletes(active, version->timestamp)) continue;
            *cell = found ? reconcile_cells(cell, version, false, &arena) : *version;
            found = true;
        }
    }
    return found;
}

// The row as it must come out of the merge.
static void define_row(const struct definition *all, const struct clustering *clustering,
                       struct deletion hides, struct row *row)
{
    *row = (struct row){.liveness = LIVENESS_NONE, .deletion = DELETION_NONE};
    struct deletion complex = DELETION_NONE;
    for (size_t i = 0; i < all->change_count; i++) {
        const struct row *version = version_of(all, i, clustering);
        if (version == NULL) continue;
        row->deletion = newer(row->deletion, version->deletion);
        row->liveness = reconcile_liveness(row->liveness, version->liveness);
        if (version->complex_deletion_count > 0)
            complex = newer(complex, version->complex_deletions[0].deletion);
    }
    if (!deletion_supersedes(row->deletion, hides)) row->deletion = DELETION_NONE;
    struct deletion active = newer(hides, row->deletion);
    if (deletion_deletes(active, row->liveness.timestamp)) row->liveness = LIVENESS_NONE;

    struct cell *cells = ARENA_NEW_ARRAY(&arena, struct cell, 2 + VALUES);
    row->cells = cells;
    for (uint16_t column = 0; column < 2; column++)
        row->cell_count +=
            find_cell(all, clustering, active, column, slice_null(), &cells[row->cell_count]);
    if (clustering == NULL) return;
    uint16_t set = table_find_column(all->table, slice_of_text("e"))->index;
    if (deletion_supersedes(complex, active)) {
        struct complex_deletion *deletion = ARENA_NEW(&arena, struct complex_deletion);
        *deletion = (struct complex_deletion){set, complex};
        row->complex_deletions = deletion;
        row->complex_deletion_count = 1;
        active = complex;
    }
    for (uint32_t i = 0; i < VALUES; i++)
        row->cell_count +=
            find_cell(all, clustering, active, set, letter(i), &cells[row->cell_count]);
}

// ---- Comparison --------------------------------------------------------------------------------

static bool deletions_equal(struct deletion a, struct deletion b)
{
    return a.timestamp == b.timestamp && a.local_time == b.local_time;
}

static void ck_same_row(const struct row *expected, const struct row *actual)
{
    ck_assert_int_eq(actual->liveness.timestamp, expected->liveness.timestamp);
    ck_assert_int_eq(actual->liveness.ttl, expected->liveness.ttl);
    ck_assert_int_eq(actual->liveness.local_time, expected->liveness.local_time);
    ck_assert(deletions_equal(actual->deletion, expected->deletion));
    ck_assert_uint_eq(actual->complex_deletion_count, expected->complex_deletion_count);
    for (uint32_t i = 0; i < expected->complex_deletion_count; i++)
        ck_assert(deletions_equal(actual->complex_deletions[i].deletion,
                                  expected->complex_deletions[i].deletion));
    ck_assert_uint_eq(actual->cell_count, expected->cell_count);
    for (uint32_t i = 0; i < expected->cell_count; i++) {
        const struct cell *a = &actual->cells[i], *b = &expected->cells[i];
        ck_assert_uint_eq(a->column, b->column);
        ck_assert_int_eq(a->timestamp, b->timestamp);
        ck_assert_int_eq(a->ttl, b->ttl);
        ck_assert_int_eq(a->local_time, b->local_time);
        ck_assert(slice_equals(a->value, b->value));
        ck_assert(slice_equals(a->path, b->path));
    }
}

// What a merge gave, put into clustering order.
struct seen {
    struct marker markers[2 * PLACES_MAX];
    struct row rows[PLACES_MAX];
    size_t marker_count, row_count;
};

static struct clustering copy_clustering(struct clustering clustering)
{
    struct slice *values = ARENA_NEW_ARRAY(&arena, struct slice, 2);
    for (uint16_t i = 0; i < clustering.count; i++)
        values[i] = arena_copy(&arena, clustering.values[i]);
    return (struct clustering){clustering.count, values};
}

static void keep_row(struct seen *seen, const struct row *row)
{
    struct row *kept = &seen->rows[seen->row_count++];
    ck_assert_uint_le(seen->row_count, PLACES_MAX);
    *kept = *row;
    kept->clustering = copy_clustering(row->clustering);
    struct cell *cells = ARENA_NEW_ARRAY(&arena, struct cell, row->cell_count);
    for (uint32_t i = 0; i < row->cell_count; i++)
        cells[i] = row->cells[i];
    kept->cells = cells;
    struct complex_deletion *deletions = ARENA_NEW(&arena, struct complex_deletion);
    if (row->complex_deletion_count > 0) *deletions = row->complex_deletions[0];
    kept->complex_deletions = deletions;
}

static void reverse(void *items, size_t count, size_t size)
{
    for (size_t i = 0; i + 1 < count - i; i++) {
        uint8_t *a = (uint8_t *)items + i * size, *b = (uint8_t *)items + (count - 1 - i) * size;
        for (size_t byte = 0; byte < size; byte++) {
            uint8_t kept = a[byte];
            a[byte] = b[byte];
            b[byte] = kept;
        }
    }
}

// Reads all and looks at the order of what comes.
static void see(struct partition_iterator *partition, bool reversed, struct seen *seen)
{
    struct unfiltered unfiltered;
    struct bound last = {0};
    bool is_first = true;
    *seen = (struct seen){0};
    enum status status;
    while ((status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK) {
        struct bound place = {BOUND_CLUSTERING, {0, NULL}};
        if (unfiltered.is_marker) {
            struct marker *kept = &seen->markers[seen->marker_count++];
            ck_assert_uint_le(seen->marker_count, 2 * PLACES_MAX);
            *kept = *unfiltered.marker;
            kept->bound.prefix = copy_clustering(unfiltered.marker->bound.prefix);
            place = kept->bound;
        } else {
            keep_row(seen, unfiltered.row);
            place.prefix = seen->rows[seen->row_count - 1].clustering;
        }
        int order = is_first ? -1 : bound_compare(partition->table, &last, &place);
        // One wanted range may end where the next begins: two markers at one place.
        ck_assert(reversed && !is_first ? order >= 0 : order <= 0);
        if (!unfiltered.is_marker && !is_first) ck_assert_int_ne(order, 0);
        last = place;
        is_first = false;
    }
    ck_assert_int_eq(status, STATUS_END);
    if (!reversed) return;
    reverse(seen->markers, seen->marker_count, sizeof seen->markers[0]);
    reverse(seen->rows, seen->row_count, sizeof seen->rows[0]);
}

static bool is_wanted_behind(const struct definition *all, const struct partition_filter *filter,
                             struct bound place)
{
    for (size_t i = 0; i < filter->range_count; i++) {
        const struct clustering_range *range = &filter->ranges[i];
        bool begun =
            range->start.prefix.count == 0 || bound_compare(all->table, &range->start, &place) <= 0;
        bool over =
            range->end.prefix.count > 0 && bound_compare(all->table, &place, &range->end) >= 0;
        if (begun && !over) return true;
    }
    return false;
}

static struct deletion seen_open_behind(const struct definition *all, const struct seen *seen,
                                        struct bound place)
{
    struct deletion open = DELETION_NONE;
    for (size_t i = 0; i < seen->marker_count; i++) {
        if (bound_compare(all->table, &seen->markers[i].bound, &place) > 0) break;
        open = seen->markers[i].opens;
    }
    return open;
}

static void ck_range_deletions(const struct definition *all, const struct partition_filter *filter,
                               const struct seen *seen)
{
    struct deletion open = DELETION_NONE;
    for (size_t i = 0; i < seen->marker_count; i++) {
        const struct marker *marker = &seen->markers[i];
        enum bound_kind kind = marker->bound.kind;
        bool closes = !deletion_is_live(marker->closes), opens = !deletion_is_live(marker->opens);
        ck_assert(deletions_equal(marker->closes, open));
        ck_assert(!deletions_equal(marker->closes, marker->opens));
        ck_assert_int_eq(bound_is_boundary(kind), closes && opens);
        if (closes && !opens) ck_assert(kind == BOUND_EXCL_END || kind == BOUND_INCL_END);
        open = marker->opens;
    }
    ck_assert(deletion_is_live(open));
    // Behind each place that a bound can have.
    static const enum bound_kind kinds[] = {BOUND_INCL_START, BOUND_EXCL_START};
    for (uint32_t place = 0; place < 2 * (VALUES + VALUES * VALUES); place++) {
        uint32_t index = place / 2;
        struct slice values[2] = {letter(index < VALUES ? index : (index - VALUES) / VALUES),
                                  letter(index % VALUES)};
        struct bound bound = {kinds[place % 2], {index < VALUES ? 1 : 2, values}};
        struct deletion expected = is_wanted_behind(all, filter, bound)
                                       ? range_deletion_behind(all, bound)
                                       : DELETION_NONE;
        ck_assert(deletions_equal(seen_open_behind(all, seen, bound), expected));
    }
}

static void ck_rows(const struct definition *all, const struct partition_filter *filter,
                    const struct seen *seen)
{
    size_t next = 0, order[VALUES * VALUES];
    for (size_t i = 0; i < VALUES * VALUES; i++)
        order[i] = all->table == tables[1] ? (VALUES - 1 - i / VALUES) * VALUES + i % VALUES : i;
    for (size_t i = 0; i < VALUES * VALUES; i++) {
        struct slice values[2] = {letter((uint32_t)order[i] / VALUES),
                                  letter((uint32_t)order[i] % VALUES)};
        struct clustering clustering = {2, values};
        struct bound place = {BOUND_CLUSTERING, clustering};
        if (!is_wanted_behind(all, filter, place)) continue;
        struct row expected;
        struct deletion hides =
            newer(partition_deletion_of(all), range_deletion_behind(all, place));
        define_row(all, &clustering, hides, &expected);
        if (row_is_empty(&expected)) continue;
        ck_assert_uint_lt(next, seen->row_count);
        ck_assert_int_eq(clustering_compare(all->table, &seen->rows[next].clustering, &clustering),
                         0);
        ck_same_row(&expected, &seen->rows[next++]);
    }
    ck_assert_uint_eq(next, seen->row_count);
}

static void ck_merge(const struct definition *all, const struct partition_filter *filter,
                     struct partition_iterator *merge)
{
    ck_assert(deletions_equal(merge->deletion, partition_deletion_of(all)));
    struct row expected;
    define_row(all, NULL, merge->deletion, &expected);
    ck_assert_int_eq(merge->static_row == NULL, row_is_empty(&expected));
    if (merge->static_row != NULL) ck_same_row(&expected, merge->static_row);
    struct seen seen;
    see(merge, filter->reversed, &seen);
    ck_range_deletions(all, filter, &seen);
    ck_rows(all, filter, &seen);
}

// ---- The test ----------------------------------------------------------------------------------

// Up to three ranges, sorted and apart.
static size_t random_ranges(const struct table *table, struct clustering_range *ranges)
{
    ranges[0] = CLUSTERING_RANGE_ALL;
    if (below(3) == 0) return 1;
    size_t count = 0;
    for (int tries = 0; tries < 6 && count < 3; tries++) {
        struct clustering_range range = {random_bound(true), random_bound(false)};
        if (bound_compare(table, &range.start, &range.end) >= 0) continue;
        if (count > 0 && bound_compare(table, &ranges[count - 1].end, &range.start) > 0) continue;
        ranges[count++] = range;
    }
    if (count > 0) return count;
    ranges[0] = CLUSTERING_RANGE_ALL;
    return 1;
}

static void run_round(const struct table *table)
{
    struct definition all = {.table = table, .change_count = 1 + below(CHANGES_MAX)};
    struct memtable *memtables[SOURCES_MAX];
    size_t source_count = 1 + below(SOURCES_MAX);
    for (size_t i = 0; i < source_count; i++)
        memtables[i] = memtable_create(table);
    for (size_t i = 0; i < all.change_count; i++) {
        random_change(table, &all.changes[i]);
        memtable_apply(memtables[below((uint32_t)source_count)], &all.changes[i], 0);
    }
    struct clustering_range ranges[3];
    struct partition_filter filter = {ranges, random_ranges(table, ranges), below(2) == 0, true};
    struct partition_iterator *sources[SOURCES_MAX];
    size_t count = 0;
    struct partition_key key = partition_key_make(slice_of_text("k1"));
    for (size_t i = 0; i < source_count; i++) {
        sources[count] = memtable_read(memtables[i], table, &key, &filter, &arena, NULL);
        count += sources[count] != NULL;
    }
    struct partition_iterator *merge = merge_partitions(sources, count, filter.reversed, &arena);
    ck_merge(&all, &filter, merge);
    partition_iterator_close(merge);
    for (size_t i = 0; i < source_count; i++)
        memtable_unref(memtables[i]);
}

// Loop test: the number that a fault is told with is the seed.
START_TEST(a_merge_is_what_its_definition_says)
{
    random_init(&dice, (uint64_t)_i);
    arena_init(&arena, 64 * 1024);
    for (int round = 0; round < ROUNDS; round++) {
        run_round(tables[round % 2]);
        arena_reset(&arena);
    }
    arena_deinit(&arena);
}
END_TEST

int main(void)
{
    TCase *merge = tcase_create("merge");
    tcase_add_checked_fixture(merge, setup, teardown);
    tcase_set_timeout(merge, 120);
    tcase_add_loop_test(merge, a_merge_is_what_its_definition_says, 0, SEEDS);
    Suite *suite = suite_create("merge");
    suite_add_tcase(suite, merge);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
