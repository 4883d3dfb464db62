// Rows by value: the entries of an index in the order of the base table, each looked up there.
//
//     entries of the value --same row?--> left out
//            \--not in the range?--> left out
//             \--the base row has the value--> given out
//              \--it has not--> left out, and removed when the scan is closed
#include "base/bytes.h"
#include "base/limits.h"
#include "storage/engine/engine_index.h"
#include "storage/engine/engine_index_internal.h"

// Entries that one scan removes: so many that they are soon gone, whoever made them.
enum { STALE_FIRST = 64, STALE_MAX = 16384, ROW_BLOCK_SIZE = 4096, MISSED_ENTRIES_MAX = 64 };

// Rows that are given out have this, whatever their own is: replicas then answer alike.
enum { ROW_TIMESTAMP = 1 };

enum verdict { VERDICT_HAS, VERDICT_HAS_NOT, VERDICT_STALE };

struct index_scan;

struct index_partition {
    struct partition_iterator base;
    struct index_scan *scan;
};

struct index_scan {
    struct scan_iterator base;
    struct engine *engine;
    struct engine_table *table;
    struct engine_index *index;
    struct engine_index_query query;
    struct scan_range range;
    struct partition_filter filter;
    struct read_pins *pins;
    struct arena *arena;
    uint64_t *position;
    struct partition_iterator *entries; // NULL: there are none.
    struct partition_filter entry_filter;
    struct arena row_arena; // Of the base row that is looked at.
    size_t missed;          // Entries since the first that was not in memory.
    bool is_over;
    // The next to give out.
    bool has_next, has_row, has_static;
    struct partition_key key;
    struct row row, static_row;
    // The last that was looked at.
    bool has_last;
    struct partition_key last_key;
    struct clustering last_row;
    struct clustering *stale;
    size_t stale_count, stale_capacity;
    struct index_partition partition;
};

// ---- The base row -------------------------------------------------------------------------------

struct looking {
    struct slice key;
    bool found;
};

static void look_at(void *context, const struct index_entry *entry)
{
    struct looking *looking = context;
    looking->found = looking->found || slice_equals(looking->key, entry->key);
}

static bool row_has(struct index_scan *scan, const struct row *row, bool is_static, int32_t now_s)
{
    struct looking looking = {scan->query.key, false};
    index_plan_visit(&scan->index->plan, &scan->key, row, is_static, now_s, &scan->row_arena,
                     look_at, &looking);
    return looking.found;
}

static enum verdict row_verdict(struct index_scan *scan, const struct row *row, bool is_static)
{
    if (row_has(scan, row, is_static, scan->query.now_s)) return VERDICT_HAS;
    // What has expired by the clock of who asks may live by another's.
    int64_t earlier = (int64_t)scan->query.now_s - COMPACTION_EXPIRY_MARGIN_S;
    bool had = row_has(scan, row, is_static, earlier < INT32_MIN ? INT32_MIN : (int32_t)earlier);
    return had ? VERDICT_HAS_NOT : VERDICT_STALE;
}

static struct clustering copy_clustering(struct arena *arena, const struct clustering *from)
{
    struct slice *values = ARENA_NEW_ARRAY(arena, struct slice, from->count);
    for (uint16_t i = 0; i < from->count; i++)
        values[i] =
            slice_is_null(from->values[i]) ? slice_null() : arena_copy(arena, from->values[i]);
    return (struct clustering){from->count, values};
}

static void take_row(struct index_scan *scan, const struct clustering *clustering)
{
    scan->has_row = true;
    scan->row = (struct row){
        .clustering = copy_clustering(scan->arena, clustering),
        .liveness = {ROW_TIMESTAMP, TTL_NONE, LOCAL_TIME_NONE},
        .deletion = DELETION_NONE,
    };
}

// A static row says that the partition is one: with the first of its cells that lives.
static void take_static_row(struct index_scan *scan, const struct row *row)
{
    for (uint32_t i = 0; i < row->cell_count; i++) {
        if (!cell_is_live(&row->cells[i], scan->query.now_s)) continue;
        struct cell *cell = ARENA_NEW(scan->arena, struct cell);
        *cell = row->cells[i];
        cell->value = arena_copy(scan->arena, cell->value);
        if (!slice_is_null(cell->path)) cell->path = arena_copy(scan->arena, cell->path);
        scan->has_static = true;
        scan->static_row = (struct row){
            .liveness = LIVENESS_NONE, .deletion = DELETION_NONE, .cells = cell, .cell_count = 1};
        return;
    }
}

static void worsen(enum verdict *verdict, enum verdict added)
{
    // The best of a partition's rows speaks for it.
    if (added < *verdict) *verdict = added;
}

// Looks through what was read of the base partition, and takes what is to be given out.
static enum status look_through(struct index_scan *scan, struct partition_iterator *partition,
                                enum verdict *verdict)
{
    if (partition->static_row != NULL) {
        worsen(verdict, row_verdict(scan, partition->static_row, true));
        if (*verdict == VERDICT_HAS) take_static_row(scan, partition->static_row);
    }
    while (*verdict != VERDICT_HAS) {
        struct unfiltered unfiltered;
        enum status status = partition_iterator_next(partition, &unfiltered);
        if (status == STATUS_END) break;
        if (status != STATUS_OK) return status;
        if (unfiltered.is_marker) continue;
        worsen(verdict, row_verdict(scan, unfiltered.row, false));
        if (*verdict == VERDICT_HAS) take_row(scan, &unfiltered.row->clustering);
    }
    return STATUS_OK;
}

// Whether the base table bears out that this row has the value.
static enum status verify(struct index_scan *scan, const struct clustering *row,
                          enum verdict *verdict)
{
    const struct index_plan *plan = &scan->index->plan;
    struct clustering_range range = CLUSTERING_RANGE_ALL;
    struct partition_filter filter = {&range, 1, false, plan->is_of_partitions};
    if (!plan->is_of_partitions && row->count > 0)
        range = (struct clustering_range){{BOUND_INCL_START, *row}, {BOUND_INCL_END, *row}};
    if (plan->column->kind == COLUMN_STATIC) filter.range_count = 0;
    arena_reset(&scan->row_arena);
    struct partition_iterator *partition = NULL;
    enum status status = engine_read(scan->engine, scan->table->table, &scan->key, &filter,
                                     scan->pins, &scan->row_arena, &partition, scan->position);
    *verdict = VERDICT_STALE;
    if (status == STATUS_OK && partition != NULL) status = look_through(scan, partition, verdict);
    partition_iterator_close(partition);
    return status;
}

// ---- Entries ------------------------------------------------------------------------------------

static bool entry_is_live(const struct row *row, int32_t now_s)
{
    return row->liveness.timestamp != TIMESTAMP_NONE &&
           (row->liveness.ttl == TTL_NONE || now_s < row->liveness.local_time);
}

static bool is_in_ranges(const struct index_scan *scan, const struct clustering *row)
{
    if (scan->index->plan.is_of_partitions) return true;
    struct bound place = {BOUND_CLUSTERING, *row};
    const struct table *table = scan->table->table;
    for (size_t i = 0; i < scan->filter.range_count; i++) {
        const struct clustering_range *range = &scan->filter.ranges[i];
        if (bound_compare(table, &range->start, &place) < 0 &&
            bound_compare(table, &place, &range->end) < 0)
            return true;
    }
    return false;
}

// Several entries may be about one row: they expire at different times.
static bool is_last(const struct index_scan *scan, const struct partition_key *key,
                    const struct clustering *row)
{
    return scan->has_last && partition_key_compare(&scan->last_key, key) == 0 &&
           clustering_compare(scan->table->table, &scan->last_row, row) == 0;
}

static void note_stale(struct index_scan *scan, const struct clustering *entry)
{
    if (scan->stale_count == STALE_MAX) return;
    if (scan->stale_count == scan->stale_capacity) {
        size_t capacity = scan->stale_capacity == 0 ? STALE_FIRST : 2 * scan->stale_capacity;
        struct clustering *grown = ARENA_NEW_ARRAY(scan->arena, struct clustering, capacity);
        if (scan->stale_count > 0) memcpy(grown, scan->stale, scan->stale_count * sizeof *grown);
        scan->stale = grown;
        scan->stale_capacity = capacity;
    }
    scan->stale[scan->stale_count++] = copy_clustering(scan->arena, entry);
}

// One entry. OK with has_next: it is to be given out.
static enum status look_at_entry(struct index_scan *scan, const struct row *entry)
{
    struct partition_key key;
    struct clustering row;
    if (!entry_is_live(entry, scan->query.now_s) ||
        !index_plan_split(&scan->index->plan, &entry->clustering, &key, &row))
        return STATUS_OK;
    if (!scan_range_contains(&scan->range, &key) || !is_in_ranges(scan, &row) ||
        is_last(scan, &key, &row))
        return STATUS_OK;
    struct clustering copied = copy_clustering(scan->arena, &entry->clustering);
    (void)index_plan_split(&scan->index->plan, &copied, &scan->last_key, &scan->last_row);
    scan->has_last = true;
    scan->key = scan->last_key;
    scan->has_row = scan->has_static = false;
    enum verdict verdict;
    enum status status = verify(scan, &scan->last_row, &verdict);
    if (status != STATUS_OK) return status;
    if (verdict == VERDICT_STALE) note_stale(scan, &copied);
    if (verdict != VERDICT_HAS) return STATUS_OK;
    scan->has_next = true;
    if (!scan->index->plan.is_of_partitions) take_row(scan, &scan->last_row);
    return STATUS_OK;
}

// Finds the next to give out. END: there is none.
static enum status find_next(struct index_scan *scan)
{
    if (scan->is_over) return STATUS_END;
    while (!scan->has_next || scan->missed > 0) {
        struct unfiltered unfiltered;
        enum status status = partition_iterator_next(scan->entries, &unfiltered);
        if (status == STATUS_END && scan->missed == 0) scan->is_over = true;
        if (status == STATUS_END) return scan->missed > 0 ? STATUS_WOULD_BLOCK : STATUS_END;
        if (status != STATUS_OK) return status;
        if (unfiltered.is_marker) continue;
        status = look_at_entry(scan, unfiltered.row);
        // What the next rows miss is loaded with it.
        if (status == STATUS_WOULD_BLOCK || scan->missed > 0) scan->missed++;
        if (status != STATUS_OK && status != STATUS_WOULD_BLOCK) return status;
        if (scan->missed > MISSED_ENTRIES_MAX ||
            (scan->missed > 0 && read_pins_are_full(scan->pins)))
            return STATUS_WOULD_BLOCK;
    }
    return STATUS_OK;
}

// ---- The iterators ------------------------------------------------------------------------------

static enum status partition_next(struct partition_iterator *iterator,
                                  struct unfiltered *unfiltered)
{
    struct index_scan *scan = ((struct index_partition *)iterator)->scan;
    for (;;) {
        enum status status = scan->has_next ? STATUS_OK : find_next(scan);
        if (status != STATUS_OK) return status;
        if (partition_key_compare(&scan->key, &iterator->key) != 0) return STATUS_END;
        scan->has_next = false;
        if (!scan->has_row) continue; // It was the static row.
        struct row *given = ARENA_NEW(scan->arena, struct row);
        *given = scan->row;
        unfiltered->is_marker = false;
        unfiltered->row = given;
        return STATUS_OK;
    }
}

static void partition_close(struct partition_iterator *iterator)
{
    (void)iterator;
}

static const struct partition_iterator_ops partition_ops = {partition_next, partition_close};

static enum status scan_next(struct scan_iterator *base, struct partition_iterator **partition)
{
    struct index_scan *scan = (struct index_scan *)base;
    struct partition_iterator *present = &scan->partition.base;
    for (;;) {
        enum status status = scan->has_next ? STATUS_OK : find_next(scan);
        if (status != STATUS_OK) return status;
        // The rest of a partition that was left.
        if (present->key.bytes.data == NULL ||
            partition_key_compare(&present->key, &scan->key) != 0)
            break;
        scan->has_next = false;
    }
    struct row *static_row = NULL;
    if (scan->has_static) {
        static_row = ARENA_NEW(scan->arena, struct row);
        *static_row = scan->static_row;
    }
    *present = (struct partition_iterator){
        .ops = &partition_ops,
        .table = base->table,
        .key = scan->key,
        .deletion = DELETION_NONE,
        .static_row = static_row,
    };
    *partition = present;
    return STATUS_OK;
}

static void scan_close(struct scan_iterator *base)
{
    struct index_scan *scan = (struct index_scan *)base;
    partition_iterator_close(scan->entries);
    arena_deinit(&scan->row_arena);
    // Nothing of the hidden table is being read any more. What can not be removed now is found
    // again.
    for (size_t i = 0; i < scan->stale_count; i++)
        if (engine_index_remove(scan->index, scan->query.key, &scan->stale[i]) != STATUS_OK) break;
}

static const struct scan_iterator_ops scan_ops = {scan_next, scan_close};

// ---- Its beginning ------------------------------------------------------------------------------

// A place of the ring among the entries; then, in one partition, a place among its rows.
static struct bound entry_bound(struct arena *arena, const struct scan_bound *bound,
                                const struct bound *row, bool is_start)
{
    uint16_t width = row == NULL ? 0 : row->prefix.count;
    struct slice *values = ARENA_NEW_ARRAY(arena, struct slice, 2 + (size_t)width);
    uint8_t *token = arena_alloc(arena, 8);
    bytes_put_u64(token, (uint64_t)bound->token.value);
    uint16_t count = 0;
    values[count++] = slice_make(token, 8);
    if (!slice_is_null(bound->key)) values[count++] = bound->key;
    if (width > 0) memcpy(values + count, row->prefix.values, width * sizeof *values);
    enum bound_kind kind = is_start ? (bound->inclusive ? BOUND_INCL_START : BOUND_EXCL_START)
                                    : (bound->inclusive ? BOUND_INCL_END : BOUND_EXCL_END);
    if (width > 0) kind = row->kind;
    return (struct bound){kind, {(uint16_t)(count + width), values}};
}

static bool is_one_partition(const struct scan_range *range)
{
    return !slice_is_null(range->start.key) && !slice_is_null(range->end.key) &&
           slice_equals(range->start.key, range->end.key);
}

static void make_entry_filter(const struct index_scan *scan, struct partition_filter *filter)
{
    struct arena *arena = scan->arena;
    bool has_rows = is_one_partition(&scan->range) && !scan->index->plan.is_of_partitions;
    size_t count = has_rows ? scan->filter.range_count : 1;
    struct clustering_range *ranges = ARENA_NEW_ARRAY(arena, struct clustering_range, count);
    for (size_t i = 0; i < count; i++) {
        const struct clustering_range *rows = has_rows ? &scan->filter.ranges[i] : NULL;
        ranges[i].start =
            entry_bound(arena, &scan->range.start, rows == NULL ? NULL : &rows->start, true);
        ranges[i].end =
            entry_bound(arena, &scan->range.end, rows == NULL ? NULL : &rows->end, false);
    }
    *filter = (struct partition_filter){ranges, count, false, false};
}

enum status engine_index_scan(struct engine *engine, const struct table *table,
                              const struct engine_index_query *query,
                              const struct scan_range *range, const struct partition_filter *filter,
                              struct read_pins *pins, struct arena *arena,
                              struct scan_iterator **scan, uint64_t *position)
{
    struct engine_table *base = engine_find_table(engine, table->id);
    if (base == NULL) return STATUS_NOT_FOUND;
    struct engine_index *index = engine_index_find(base, query->index);
    bool can = index != NULL && index->hidden != NULL && index->is_built && !filter->reversed &&
               table->layout_hash == base->table->layout_hash;
    if (!can) return STATUS_UNSUPPORTED;
    struct index_scan *made = ARENA_NEW(arena, struct index_scan);
    *made = (struct index_scan){
        .base = {&scan_ops, table},
        .engine = engine,
        .table = base,
        .index = index,
        .query = *query,
        .range = *range,
        .filter = *filter,
        .pins = pins,
        .arena = arena,
        .position = position,
    };
    made->partition.scan = made;
    make_entry_filter(made, &made->entry_filter);
    struct partition_key key = partition_key_make(query->key);
    enum status status = engine_read(engine, index->hidden->table, &key, &made->entry_filter, pins,
                                     arena, &made->entries, position);
    if (status != STATUS_OK) return status;
    made->is_over = made->entries == NULL;
    arena_init(&made->row_arena, ROW_BLOCK_SIZE);
    *scan = &made->base;
    return STATUS_OK;
}
