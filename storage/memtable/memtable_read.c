// Reading a memtable: its rows and range deletions woven into one sequence, forwards or backwards.
//
// A wanted range sees the part of a range deletion that lies inside of it. Where one ends exactly
// where the next begins, the two markers are one boundary.
#include "base/assert.h"
#include "storage/memtable/memtable_internal.h"

struct memtable_partition_iterator {
    struct partition_iterator base;
    const struct memtable_partition *partition;
    const struct table *source_table; // The memtable's.
    const struct partition_filter *filter;
    struct arena *arena;
    size_t ranges_done;                    // Of the filter's.
    bool in_range;                         // Inside of one of them.
    struct memtable_order_cursor rows;     // Behind the next row of this range, ...
    const struct memtable_row *row;        // ... which is this one; NULL: none is left.
    struct clustering clustering;          // Its, in `values`.
    struct slice *values;                  // Room for those of one row.
    bool row_given;                        // The row is not the next any more, but the last given.
    const struct range_deletion *deletion; // The next range deletion; NULL: none is left.
    struct range_place deletion_place;     // Its place.
    bool open;                             // A range deletion's start was given, its end not yet.
    struct clustering_range clipped;       // That deletion, inside of the range.
    struct deletion clipped_deletion;      //
    struct row scratch, static_scratch;    // What is given.
    struct cell *cells;                    // Of `scratch`.
    uint32_t cell_capacity;
    struct marker marker;
};

// ---- Rows under a later version of the table ---------------------------------------------------

static uint16_t find_column(const struct memtable_partition_iterator *iterator, uint16_t source,
                            enum column_kind kind, int64_t *dropped_us)
{
    struct slice name = iterator->source_table->columns[kind][source].name;
    const struct table *table = iterator->base.table;
    *dropped_us = INT64_MIN;
    for (size_t i = 0; i < table->dropped_column_count; i++) {
        if (slice_equals(table->dropped_columns[i].name, name))
            *dropped_us = table->dropped_columns[i].dropped_time_us;
    }
    const struct column *column = table_find_column(table, name);
    return column != NULL && column->kind == kind ? column->index : UINT16_MAX;
}

static void translate_complex_deletions(struct memtable_partition_iterator *iterator,
                                        struct row *row, enum column_kind kind)
{
    if (row->complex_deletion_count == 0) return;
    struct complex_deletion *deletions =
        ARENA_NEW_ARRAY(iterator->arena, struct complex_deletion, row->complex_deletion_count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < row->complex_deletion_count; i++) {
        struct complex_deletion deletion = row->complex_deletions[i];
        int64_t dropped_us;
        deletion.column = find_column(iterator, deletion.column, kind, &dropped_us);
        if (deletion.column != UINT16_MAX && deletion.deletion.timestamp > dropped_us)
            deletions[count++] = deletion;
    }
    row->complex_deletions = deletions;
    row->complex_deletion_count = count;
}

// Names do not change their order when columns come or go, so what was sorted stays sorted.
static void translate_row(struct memtable_partition_iterator *iterator, struct row *row,
                          struct cell *cells, enum column_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < row->cell_count; i++) {
        struct cell cell = cells[i];
        int64_t dropped_us;
        cell.column = find_column(iterator, cell.column, kind, &dropped_us);
        if (cell.column != UINT16_MAX && cell.timestamp > dropped_us) cells[count++] = cell;
    }
    row->cell_count = count;
    translate_complex_deletions(iterator, row, kind);
}

// The row as the reader sees it. False: nothing is left of it.
static bool unpack_row(struct memtable_partition_iterator *iterator,
                       const struct memtable_row *packed, struct clustering clustering,
                       enum column_kind kind, struct cell *cells, struct row *row)
{
    memtable_row_unpack(packed, clustering, cells, row);
    if (iterator->base.table != iterator->source_table) translate_row(iterator, row, cells, kind);
    return !row_is_empty(row);
}

static void need_cells(struct memtable_partition_iterator *iterator, uint32_t count)
{
    if (count <= iterator->cell_capacity) return;
    uint32_t twice = 2 * iterator->cell_capacity;
    iterator->cell_capacity = count > twice ? count : twice;
    iterator->cells =
        arena_alloc(iterator->arena, iterator->cell_capacity * sizeof *iterator->cells);
}

// ---- The sequence ------------------------------------------------------------------------------

static void advance_row(struct memtable_partition_iterator *iterator,
                        const struct clustering_range *range)
{
    const struct table *table = iterator->source_table;
    struct memtable_row *row = iterator->filter->reversed ? memtable_order_previous(&iterator->rows)
                                                          : memtable_order_next(&iterator->rows);
    iterator->row = NULL;
    iterator->row_given = false;
    if (row == NULL) return;
    iterator->clustering = memtable_row_clustering(row, iterator->values);
    struct bound place = {BOUND_CLUSTERING, iterator->clustering};
    bool inside;
    if (iterator->filter->reversed) {
        inside = range->start.prefix.count == 0 || bound_compare(table, &range->start, &place) < 0;
    } else {
        inside = range->end.prefix.count == 0 || bound_compare(table, &place, &range->end) < 0;
    }
    if (inside) iterator->row = row;
}

static struct bound later_bound(const struct table *table, struct bound a, struct bound b)
{
    return bound_compare(table, &a, &b) >= 0 ? a : b;
}

static struct bound earlier_bound(const struct table *table, struct bound a, struct bound b)
{
    return bound_compare(table, &a, &b) <= 0 ? a : b;
}

// Looks at the range deletion that iterator->deletion names; there is none left when it lies
// outside of the wanted range.
static void clip_deletion(struct memtable_partition_iterator *iterator,
                          const struct clustering_range *range)
{
    const struct range_deletion *item = iterator->deletion;
    if (item == NULL) return;
    const struct table *table = iterator->source_table;
    iterator->clipped.start = later_bound(table, item->range.start, range->start);
    iterator->clipped.end = earlier_bound(table, item->range.end, range->end);
    iterator->clipped_deletion = item->deletion;
    if (bound_compare(table, &iterator->clipped.start, &iterator->clipped.end) >= 0)
        iterator->deletion = NULL;
}

static void begin_deletions(struct memtable_partition_iterator *iterator,
                            const struct clustering_range *range)
{
    const struct range_deletions *ranges = iterator->partition->ranges;
    iterator->deletion = NULL;
    if (ranges == NULL) return;
    const struct table *table = iterator->source_table;
    bool reversed = iterator->filter->reversed;
    struct range_place *place = &iterator->deletion_place;
    *place = range_deletions_find_end_after(ranges, table, reversed ? &range->end : &range->start);
    const struct range_deletion *item = range_deletions_item(ranges, *place);
    // In reverse it is the last that starts before the range's end: the first that ends behind it,
    // or the one before that.
    if (reversed && (item == NULL || bound_compare(table, &item->range.start, &range->end) >= 0)) {
        if (!range_deletions_previous(ranges, place)) return;
        item = range_deletions_item(ranges, *place);
    }
    iterator->deletion = item;
    clip_deletion(iterator, range);
}

// False when no range is left.
static bool begin_range(struct memtable_partition_iterator *iterator)
{
    const struct partition_filter *filter = iterator->filter;
    if (iterator->ranges_done == filter->range_count) return false;
    size_t index =
        filter->reversed ? filter->range_count - 1 - iterator->ranges_done : iterator->ranges_done;
    const struct clustering_range *range = &filter->ranges[index];
    iterator->rows = memtable_partition_seek(iterator->partition, iterator->source_table,
                                             filter->reversed ? &range->end : &range->start);
    advance_row(iterator, range);
    begin_deletions(iterator, range);
    iterator->open = false;
    iterator->in_range = true;
    iterator->ranges_done++;
    return true;
}

static const struct clustering_range *
current_range(const struct memtable_partition_iterator *iterator)
{
    const struct partition_filter *filter = iterator->filter;
    size_t index =
        filter->reversed ? filter->range_count - iterator->ranges_done : iterator->ranges_done - 1;
    return &filter->ranges[index];
}

static struct bound make_boundary(struct bound before, struct bound after)
{
    struct bound boundary = after;
    boundary.kind =
        before.kind == BOUND_EXCL_END ? BOUND_EXCL_END_INCL_START : BOUND_INCL_END_EXCL_START;
    return boundary;
}

static void advance_deletion(struct memtable_partition_iterator *iterator)
{
    const struct range_deletions *ranges = iterator->partition->ranges;
    struct range_place *place = &iterator->deletion_place;
    iterator->deletion = NULL;
    if (iterator->filter->reversed) {
        if (!range_deletions_previous(ranges, place)) return;
    } else {
        *place = range_deletions_next(ranges, *place);
    }
    iterator->deletion = range_deletions_item(ranges, *place);
}

// The marker at the edge where the present deletion is left; then the next one is looked at. In
// reverse it is its start that is left.
static void leave_deletion(struct memtable_partition_iterator *iterator)
{
    bool reversed = iterator->filter->reversed;
    struct bound edge = reversed ? iterator->clipped.start : iterator->clipped.end;
    struct deletion left = iterator->clipped_deletion;
    advance_deletion(iterator);
    clip_deletion(iterator, current_range(iterator));
    iterator->open = false;
    struct bound next = reversed ? iterator->clipped.end : iterator->clipped.start;
    if (iterator->deletion != NULL && bound_compare(iterator->source_table, &edge, &next) == 0) {
        iterator->open = true;
        struct deletion entered = iterator->clipped_deletion;
        iterator->marker = reversed ? (struct marker){make_boundary(next, edge), entered, left}
                                    : (struct marker){make_boundary(edge, next), left, entered};
        return;
    }
    iterator->marker = reversed ? (struct marker){edge, DELETION_NONE, left}
                                : (struct marker){edge, left, DELETION_NONE};
}

static void enter_deletion(struct memtable_partition_iterator *iterator)
{
    iterator->open = true;
    struct deletion deletion = iterator->clipped_deletion;
    iterator->marker = iterator->filter->reversed
                           ? (struct marker){iterator->clipped.end, deletion, DELETION_NONE}
                           : (struct marker){iterator->clipped.start, DELETION_NONE, deletion};
}

// The next marker stands before the next row.
static bool marker_is_next(const struct memtable_partition_iterator *iterator)
{
    if (iterator->deletion == NULL) return false;
    if (iterator->row == NULL) return true;
    bool reversed = iterator->filter->reversed;
    const struct bound *edge =
        iterator->open != reversed ? &iterator->clipped.end : &iterator->clipped.start;
    struct bound place = {BOUND_CLUSTERING, iterator->clustering};
    int order = bound_compare(iterator->source_table, edge, &place);
    return reversed ? order > 0 : order < 0;
}

static enum status iterator_next(struct partition_iterator *base, struct unfiltered *unfiltered)
{
    struct memtable_partition_iterator *iterator = (struct memtable_partition_iterator *)base;
    for (;;) {
        if (!iterator->in_range && !begin_range(iterator)) return STATUS_END;
        if (iterator->row_given) advance_row(iterator, current_range(iterator));
        if (marker_is_next(iterator)) {
            if (iterator->open) {
                leave_deletion(iterator);
            } else {
                enter_deletion(iterator);
            }
            *unfiltered = (struct unfiltered){.is_marker = true, .marker = &iterator->marker};
            return STATUS_OK;
        }
        if (iterator->row == NULL) {
            iterator->in_range = false;
            continue;
        }
        need_cells(iterator, iterator->row->cell_count);
        iterator->row_given = true;
        if (!unpack_row(iterator, iterator->row, iterator->clustering, COLUMN_REGULAR,
                        iterator->cells, &iterator->scratch))
            continue;
        *unfiltered = (struct unfiltered){.is_marker = false, .row = &iterator->scratch};
        return STATUS_OK;
    }
}

static void iterator_close(struct partition_iterator *base)
{
    (void)base;
}

static const struct partition_iterator_ops iterator_ops = {iterator_next, iterator_close};

// The static row keeps its cells until the iterator is closed; other rows have theirs.
static void open_static_row(struct memtable_partition_iterator *iterator)
{
    const struct memtable_row *row = iterator->partition->static_row;
    if (!iterator->filter->with_static || row == NULL) return;
    struct cell *cells = arena_alloc(iterator->arena, row->cell_count * sizeof *cells);
    if (unpack_row(iterator, row, (struct clustering){0, NULL}, COLUMN_STATIC, cells,
                   &iterator->static_scratch))
        iterator->base.static_row = &iterator->static_scratch;
}

// What the iterator had as room for values and cells it keeps.
static void open_partition(struct memtable_partition_iterator *iterator,
                           const struct memtable *memtable, const struct table *table,
                           const struct memtable_partition *partition,
                           const struct partition_filter *filter, struct arena *arena,
                           uint64_t *log_position)
{
    *iterator = (struct memtable_partition_iterator){
        .base = {.ops = &iterator_ops,
                 .table = table,
                 .key = partition->key,
                 .deletion = partition->deletion},
        .partition = partition,
        .source_table = memtable->table,
        .filter = filter,
        .arena = arena,
        .values = iterator->values,
        .cells = iterator->cells,
        .cell_capacity = iterator->cell_capacity,
    };
    if (log_position != NULL && partition->log_position > *log_position)
        *log_position = partition->log_position;
    open_static_row(iterator);
}

static void make_room(struct memtable_partition_iterator *iterator, const struct table *source,
                      struct arena *arena)
{
    iterator->values =
        arena_alloc(arena, source->column_counts[COLUMN_CLUSTERING] * sizeof *iterator->values);
    iterator->cells = NULL;
    iterator->cell_capacity = 0;
}

struct partition_iterator *memtable_read(struct memtable *memtable, const struct table *table,
                                         const struct partition_key *key,
                                         const struct partition_filter *filter, struct arena *arena,
                                         uint64_t *log_position)
{
    const struct memtable_partition *partition = memtable_find_partition(memtable, key);
    if (partition == NULL) return NULL;
    struct memtable_partition_iterator *iterator = arena_alloc(arena, sizeof *iterator);
    make_room(iterator, memtable->table, arena);
    open_partition(iterator, memtable, table, partition, filter, arena, log_position);
    return &iterator->base;
}

// ---- A run of partitions -----------------------------------------------------------------------

struct memtable_scan_iterator {
    struct scan_iterator base;
    struct memtable *memtable;
    const struct partition_filter *filter;
    struct scan_range range;
    struct memtable_order_cursor cursor;
    struct arena *arena;
    uint64_t *log_position;
    struct memtable_partition_iterator partition; // The one that is open.
};

static int compare_bound_to_partition(const void *context, const void *key, const void *item)
{
    (void)context;
    const struct scan_bound *bound = key;
    const struct memtable_partition *partition = item;
    int order = token_compare(bound->token, partition->key.token);
    if (order == 0 && !slice_is_null(bound->key))
        order = slice_compare(bound->key, partition->key.bytes);
    if (order != 0) return order;
    return bound->inclusive ? -1 : 1;
}

static enum status scan_next(struct scan_iterator *base, struct partition_iterator **partition)
{
    struct memtable_scan_iterator *scan = (struct memtable_scan_iterator *)base;
    const struct memtable_partition *next = memtable_order_next(&scan->cursor);
    if (next == NULL || !scan_range_contains(&scan->range, &next->key)) return STATUS_END;
    // What follows is not waited for when its turn comes. (At the end of a leaf it is.)
    const struct memtable_partition *following = memtable_order_peek(&scan->cursor);
    if (following != NULL) memtable_order_prefetch_begin(&following->rows);
    open_partition(&scan->partition, scan->memtable, base->table, next, scan->filter, scan->arena,
                   scan->log_position);
    *partition = &scan->partition.base;
    return STATUS_OK;
}

static void scan_close(struct scan_iterator *base)
{
    (void)base;
}

static const struct scan_iterator_ops scan_ops = {scan_next, scan_close};

struct scan_iterator *memtable_scan(struct memtable *memtable, const struct table *table,
                                    const struct scan_range *range,
                                    const struct partition_filter *filter, struct arena *arena,
                                    uint64_t *log_position)
{
    struct memtable_scan_iterator *scan = ARENA_NEW(arena, struct memtable_scan_iterator);
    *scan = (struct memtable_scan_iterator){
        .base = {&scan_ops, table},
        .memtable = memtable,
        .filter = filter,
        .range = *range,
        .arena = arena,
        .log_position = log_position,
    };
    make_room(&scan->partition, memtable->table, arena);
    struct memtable_order_path path;
    (void)memtable_order_find(&memtable->partitions, memtable_token_prefix(range->start.token),
                              &range->start, compare_bound_to_partition, NULL, &path);
    scan->cursor = path.at;
    return &scan->base;
}
