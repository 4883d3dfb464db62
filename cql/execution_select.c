// Executing SELECT: a row of bounded steps, each one read of the coordinator.
//
//     STARTED --step--> READING --rows in the buffer--> enough? --no--> READING …
//                                                          \--yes--> groups, order, page --> done
//
// A step begins where the one before ended: behind a row of a partition (that partition is read
// alone, the ranges cut), or behind a partition. The same place, written down, is the paging state.
// A read that misses the cache consumes again from its beginning, so each step starts from a
// snapshot of all that consuming changes; and it then ends where it missed, so that no row is
// looked at more than twice, however much is missing.
//
// Memory: what a step leaves to the next (the place, the open group) is in one of two arenas in
// turn; only results grow with the number of rows.
#include "base/bytes.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "cql/execution.h"
#include "cql/paging_state.h"
#include "cql/system_tables.h"
#include "storage/partition_key.h"

#include <stdlib.h>

// What consuming changes, and a restart puts back.
struct select_progress {
    uint32_t rows;              // In the buffer: of this page.
    size_t rows_size;           // Bytes of the buffer.
    uint32_t rows_in_partition; // Rows or groups, for PER PARTITION LIMIT.
    bool partition_had_rows;    // Then its static row makes no row of its own.
    struct slice key;           // The place: as in struct paging_state.
    bool in_partition, inclusive;
    struct clustering clustering;
    bool is_full;      // A page or the LIMIT.
    bool is_step_over; // As many rows as a step may look at.
    bool failed;       // The execution's error says why.
    uint64_t looked_at;
    bool group_is_open;
    struct slice group_key;
    struct clustering group_clustering;
    size_t sorted_count;
};

// ORDER BY over several partitions: a row with what it is sorted by.
struct sorted_row {
    size_t offset, size;
    struct clustering clustering;
};

struct select_work {
    struct coordinator_read read;
    struct execution *execution;
    const struct select_plan *plan;
    struct selection_context context;
    struct arena *arena;        // Of this step.
    uint64_t step_look_max;     // Rows and partitions that it may look at.
    struct partition_key *keys; // NULL: a scan.
    size_t key_count, next_key;
    struct clustering_range *ranges, *cut_ranges;
    size_t range_count;
    struct scan_range scan;
    bool scan_is_over;
    struct partition_key resumed_key; // Of a partition that is read alone.
    struct row_filter *filters;
    size_t filter_count;
    bool filters_rows;   // Some filter is about rows, not only about partitions.
    uint32_t rows_max;   // Of this page: the page size or what is left of LIMIT.
    uint32_t limit_left; // UINT32_MAX: no LIMIT.
    uint32_t per_partition_limit;
    bool has_page;
    struct select_progress progress, saved;
    struct selection_group group, saved_group;
    struct sorted_row *sorted;
    size_t sorted_capacity;
    struct slice *components;  // Of the present partition's key.
    struct memtable *memtable; // Of a virtual table.
};

enum { STEP_KEYS_MAX = 64, VIRTUAL_KEY_COLUMNS_MAX = 8 };

static void select_step(struct select_work *work, bool is_first);

// ---- Giving rows --------------------------------------------------------------------------------

static struct clustering select_copy_values(struct arena *arena, struct clustering from)
{
    struct slice *values = ARENA_NEW_ARRAY(arena, struct slice, (size_t)from.count + 1);
    for (uint16_t i = 0; i < from.count; i++)
        values[i] = arena_copy(arena, from.values[i]);
    return (struct clustering){from.count, values};
}

static struct clustering select_copy_clustering(struct arena *arena, const struct live_row *row)
{
    if (row == NULL) return (struct clustering){0, NULL};
    return select_copy_values(arena, row->clustering);
}

// Notes where to go on. `row` NULL: behind the partition.
static void select_set_place(struct select_work *work, struct slice key, const struct live_row *row,
                             bool inclusive)
{
    struct arena *arena = work->arena;
    struct select_progress *progress = &work->progress;
    progress->key = arena_copy(arena, key);
    // Of a table without clustering a partition is one row.
    progress->in_partition = row != NULL && work->plan->table->column_counts[COLUMN_CLUSTERING] > 0;
    if (inclusive) progress->in_partition = true;
    progress->inclusive = inclusive;
    progress->clustering = select_copy_clustering(arena, row);
}

static void select_check_overflow(struct select_work *work)
{
    struct buffer *rows = &work->execution->result.rows;
    work->progress.rows_size = rows->size;
    if (!rows->overflow && arena_size(&work->execution->arena) <= CQL_RESPONSE_SIZE_MAX) return;
    cql_error_set(&work->execution->error, CQL_ERROR_INVALID,
                  "The result has more than %u bytes: use paging, or ask for less",
                  (unsigned)CQL_RESPONSE_SIZE_MAX);
    work->progress.failed = true;
}

static void select_keep_sorted(struct select_work *work, const struct live_row *row, size_t before)
{
    struct arena *arena = &work->execution->arena;
    struct select_progress *progress = &work->progress;
    if (progress->sorted_count == work->sorted_capacity) {
        size_t capacity = work->sorted_capacity == 0 ? 64 : work->sorted_capacity * 2;
        struct sorted_row *grown = ARENA_NEW_ARRAY(arena, struct sorted_row, capacity);
        if (progress->sorted_count > 0)
            memcpy(grown, work->sorted, progress->sorted_count * sizeof *grown);
        work->sorted = grown;
        work->sorted_capacity = capacity;
    }
    work->sorted[progress->sorted_count++] = (struct sorted_row){
        before, work->execution->result.rows.size - before, select_copy_clustering(arena, row)};
}

static void select_put_row(struct select_work *work, const struct row_view *view)
{
    struct buffer *rows = &work->execution->result.rows;
    size_t before = rows->size;
    if (!selection_put_row(&work->plan->selection, &work->context, view, rows))
        work->progress.failed = true;
    if (work->plan->needs_sort) select_keep_sorted(work, view->row, before);
    work->progress.rows++;
    work->progress.rows_in_partition++;
    select_check_overflow(work);
}

static void select_close_group(struct select_work *work)
{
    if (!work->progress.group_is_open) return;
    if (!selection_put_group(&work->plan->selection, &work->context, &work->group,
                             &work->execution->result.rows))
        work->progress.failed = true;
    work->progress.group_is_open = false;
    work->progress.rows++;
    select_check_overflow(work);
}

static bool select_is_in_group(const struct select_work *work, struct slice key,
                               const struct row_view *view)
{
    const struct select_progress *progress = &work->progress;
    if (!work->plan->has_group_by) return true;
    if (!slice_equals(key, progress->group_key)) return false;
    for (uint16_t i = 0; i < work->plan->group_clustering_count; i++) {
        struct slice value = view->row == NULL ? slice_null() : view->row->clustering.values[i];
        struct slice of_group = i < progress->group_clustering.count
                                    ? progress->group_clustering.values[i]
                                    : slice_null();
        if (!slice_equals(value, of_group)) return false;
    }
    return true;
}

// False: the row was not taken, the page is full; the place is before it.
static bool select_add_to_group(struct select_work *work, struct slice key,
                                const struct row_view *view)
{
    struct select_progress *progress = &work->progress;
    struct arena *arena = work->arena;
    if (progress->group_is_open && !select_is_in_group(work, key, view)) {
        select_close_group(work);
        if (progress->rows >= work->rows_max && work->plan->has_group_by) {
            select_set_place(work, key, view->row, true);
            progress->is_full = true;
            return false;
        }
    }
    if (!progress->group_is_open) {
        selection_init_group(&work->plan->selection, arena, &work->group);
        progress->group_is_open = true;
        progress->group_key = arena_copy(arena, key);
        progress->group_clustering = (struct clustering){0, NULL};
        if (work->plan->group_clustering_count > 0)
            progress->group_clustering = select_copy_clustering(arena, view->row);
        progress->rows_in_partition++;
    }
    if (!selection_add_row(&work->plan->selection, &work->context, view, &work->group))
        progress->failed = true;
    return true;
}

// ---- Consuming ----------------------------------------------------------------------------------

static bool select_passes(struct select_work *work, const struct row_view *view, bool of_partition)
{
    for (size_t i = 0; i < work->filter_count; i++)
        if (work->filters[i].is_of_partition == of_partition &&
            !row_filter_passes(&work->filters[i], view, work->context.row_arena))
            return false;
    return true;
}

// A new group of a partition that has had as many as it may.
static bool select_partition_is_full(const struct select_work *work, struct slice key,
                                     const struct row_view *view)
{
    if (work->progress.rows_in_partition < work->per_partition_limit) return false;
    return !work->plan->is_grouped || !work->progress.group_is_open ||
           !select_is_in_group(work, key, view);
}

enum select_taken { SELECT_GO_ON, SELECT_NEXT_PARTITION, SELECT_STOP };

static enum select_taken select_take_row(struct select_work *work, struct slice key,
                                         const struct row_view *view)
{
    struct select_progress *progress = &work->progress;
    arena_reset(work->context.row_arena);
    if (!select_passes(work, view, false)) return SELECT_GO_ON;
    if (select_partition_is_full(work, key, view)) return SELECT_NEXT_PARTITION;
    progress->partition_had_rows = true;
    if (work->plan->is_grouped) {
        if (!select_add_to_group(work, key, view)) return SELECT_STOP;
    } else {
        select_put_row(work, view);
        if (progress->rows >= work->rows_max) {
            progress->is_full = true;
            select_set_place(work, key, work->plan->is_distinct ? NULL : view->row, false);
            return SELECT_STOP;
        }
    }
    if (progress->failed) return SELECT_STOP;
    return work->plan->is_distinct ? SELECT_NEXT_PARTITION : SELECT_GO_ON;
}

// The static row alone, when the partition gave no other.
static enum select_taken select_take_static(struct select_work *work, struct slice key,
                                            struct row_view *view)
{
    bool may = view->static_row != NULL && !work->progress.partition_had_rows &&
               !work->plan->restrictions.has_clustering && !work->filters_rows;
    if (!may) return SELECT_GO_ON;
    view->row = NULL;
    return select_take_row(work, key, view);
}

static bool select_step_is_long(const struct select_work *work)
{
    return work->progress.looked_at >= work->step_look_max ||
           work->progress.rows_size - work->saved.rows_size >= READ_STEP_SIZE_MAX;
}

static enum status select_read_rows(struct select_work *work, struct live_rows *rows,
                                    struct slice key, struct row_view *view,
                                    enum select_taken *taken)
{
    struct select_progress *progress = &work->progress;
    uint64_t before = progress->looked_at;
    *taken = SELECT_GO_ON;
    rows->look_max = work->step_look_max > before ? work->step_look_max - before : 1;
    while (*taken == SELECT_GO_ON) {
        const struct live_row *row;
        enum status status = live_rows_next(rows, &row);
        progress->looked_at = before + rows->looked_at;
        if (status == STATUS_END) {
            *taken = select_take_static(work, key, view);
            return STATUS_OK;
        }
        if (status != STATUS_OK) return status;
        view->row = row;
        if (!live_row_is_dead(row)) *taken = select_take_row(work, key, view);
        if (*taken == SELECT_GO_ON && select_step_is_long(work)) {
            select_set_place(work, key, row, false);
            progress->is_step_over = true;
            *taken = SELECT_STOP;
        }
    }
    return STATUS_OK;
}

static enum status select_consume(struct coordinator_read *read,
                                  struct partition_iterator *partition, bool *enough)
{
    struct select_work *work = CONTAINER_OF(read, struct select_work, read);
    struct select_progress *progress = &work->progress;
    const struct table *table = work->plan->table;
    struct slice key = partition->key.bytes;
    bool goes_on = progress->in_partition && slice_equals(key, progress->key);
    if (!goes_on) {
        progress->rows_in_partition = 0;
        progress->partition_had_rows = false;
    }
    if (partition_key_split(key, table->column_counts[COLUMN_PARTITION_KEY], work->components) !=
        STATUS_OK)
        return STATUS_CORRUPT;
    struct live_rows rows;
    live_rows_init(&rows, partition, read->now_s, &read->arena);
    struct row_view view = {table, work->components, NULL,
                            rows.has_static_row ? &rows.static_row : NULL, read->now_s};
    enum select_taken taken = SELECT_NEXT_PARTITION;
    arena_reset(work->context.row_arena);
    if (select_passes(work, &view, true)) {
        enum status status = select_read_rows(work, &rows, key, &view, &taken);
        if (status != STATUS_OK) return status;
    }
    if (taken == SELECT_STOP) {
        *enough = true;
        return STATUS_OK;
    }
    progress->looked_at++;
    if (select_step_is_long(work)) {
        select_set_place(work, key, NULL, false);
        progress->is_step_over = true;
        *enough = true;
    }
    return STATUS_OK;
}

// ---- Steps --------------------------------------------------------------------------------------

// A snapshot: the values themselves are never written over.
static void select_copy_group(const struct select_work *work, const struct selection_group *from,
                              struct selection_group *to)
{
    const struct selection *selection = &work->plan->selection;
    if (from->states == NULL) return;
    if (to->states == NULL) selection_init_group(selection, work->arena, to);
    memcpy(to->states, from->states, selection->aggregate_count * sizeof *to->states);
    memcpy(to->slots, from->slots, selection->slot_count * sizeof *to->slots);
    to->has_rows = from->has_rows;
}

static void select_restart(struct coordinator_read *read)
{
    struct select_work *work = CONTAINER_OF(read, struct select_work, read);
    // Where it missed is far enough: the next step begins there.
    if (work->progress.looked_at > 0) work->step_look_max = work->progress.looked_at;
    work->progress = work->saved;
    select_copy_group(work, &work->saved_group, &work->group);
    if (work->execution->result.rows.size > work->saved.rows_size)
        buffer_truncate(&work->execution->result.rows, work->saved.rows_size);
}

static void select_carry_group(struct select_work *work)
{
    const struct selection *selection = &work->plan->selection;
    struct selection_group from = work->group;
    work->group.states = work->saved_group.states = NULL;
    if (!work->progress.group_is_open) return;
    select_copy_group(work, &from, &work->group);
    for (uint16_t i = 0; i < selection->aggregate_count; i++)
        work->group.states[i].value = arena_copy(work->arena, from.states[i].value);
    for (uint16_t i = 0; i < selection->slot_count; i++)
        work->group.slots[i] = arena_copy(work->arena, from.slots[i]);
}

// Takes what the step before left over to the arena of the next.
static void select_carry(struct select_work *work)
{
    struct execution *execution = work->execution;
    struct select_progress *progress = &work->progress;
    work->arena = &execution->step_arenas[work->arena == &execution->step_arenas[0]];
    arena_reset(work->arena);
    work->context.group_arena = work->arena;
    progress->key = arena_copy(work->arena, progress->key);
    progress->clustering = select_copy_values(work->arena, progress->clustering);
    progress->group_key = arena_copy(work->arena, progress->group_key);
    progress->group_clustering = select_copy_values(work->arena, progress->group_clustering);
    select_carry_group(work);
}

static void select_save(struct select_work *work)
{
    work->progress.looked_at = 0;
    work->progress.is_step_over = false;
    work->step_look_max = READ_STEP_ROWS_MAX;
    work->saved = work->progress;
    select_copy_group(work, &work->group, &work->saved_group);
}

// The ranges of rows that lie behind the place. Their number.
static size_t select_cut_ranges(struct select_work *work)
{
    const struct table *table = work->plan->table;
    const struct select_progress *progress = &work->progress;
    bool reversed = work->plan->reversed;
    size_t count = 0;
    enum bound_kind kind = reversed ? (progress->inclusive ? BOUND_INCL_END : BOUND_EXCL_END)
                                    : (progress->inclusive ? BOUND_INCL_START : BOUND_EXCL_START);
    struct bound place = {kind, progress->clustering};
    work->cut_ranges = ARENA_NEW_ARRAY(work->arena, struct clustering_range, work->range_count + 1);
    for (size_t i = 0; i < work->range_count; i++) {
        struct clustering_range range = work->ranges[i];
        if (reversed && bound_compare(table, &place, &range.end) < 0) range.end = place;
        if (!reversed && bound_compare(table, &place, &range.start) > 0) range.start = place;
        if (bound_compare(table, &range.start, &range.end) < 0) work->cut_ranges[count++] = range;
    }
    return count;
}

// Prepares the next read. False: there is nothing more.
static bool select_next_read(struct select_work *work)
{
    struct select_progress *progress = &work->progress;
    struct coordinator_read *read = &work->read;
    bool wants_rest = progress->in_partition;
    // A partition that has had its rows, and is not the open group's, is behind us.
    if (wants_rest && !work->plan->is_grouped &&
        progress->rows_in_partition >= work->per_partition_limit)
        wants_rest = progress->in_partition = false;
    read->filter = (struct partition_filter){work->ranges, work->range_count, work->plan->reversed,
                                             work->plan->with_static};
    if (wants_rest) {
        size_t count = select_cut_ranges(work);
        if (count > 0 || progress->clustering.count == 0) {
            bool is_whole = progress->clustering.count == 0;
            work->resumed_key = partition_key_make(progress->key);
            if (!is_whole) {
                read->filter.ranges = work->cut_ranges;
                read->filter.range_count = count;
            }
            read->keys = &work->resumed_key;
            read->key_count = 1;
            return true;
        }
        progress->in_partition = false;
    }
    if (work->keys != NULL) {
        read->keys = work->keys + work->next_key;
        read->key_count = work->key_count - work->next_key;
        if (read->key_count > STEP_KEYS_MAX) read->key_count = STEP_KEYS_MAX;
        return read->key_count > 0;
    }
    if (!slice_is_null(progress->key)) {
        struct partition_key key = partition_key_make(progress->key);
        work->scan.start = (struct scan_bound){key.token, key.bytes, false};
    }
    read->keys = NULL;
    read->key_count = 0;
    read->range = work->scan;
    return !work->scan_is_over;
}

// Moves behind what the last read has reached.
static void select_move_on(struct select_work *work)
{
    struct select_progress *progress = &work->progress;
    bool was_alone = work->read.keys == &work->resumed_key;
    if (progress->is_full) return; // The place is where the next page begins.
    if (progress->is_step_over) {
        for (size_t i = work->next_key; work->keys != NULL && i < work->key_count; i++)
            if (slice_equals(work->keys[i].bytes, progress->key)) work->next_key = i + 1;
        return;
    }
    progress->in_partition = false;
    if (was_alone) return;
    work->next_key += work->read.key_count;
    work->scan_is_over = true;
}

// ---- The end ------------------------------------------------------------------------------------

static int select_compare_sorted(const void *a, const void *b, void *context)
{
    const struct select_plan *plan = context;
    const struct sorted_row *left = a, *right = b;
    // By the columns that ORDER BY names; rows without any (of a static row alone) come first.
    int order = 0;
    for (uint16_t i = 0; i < plan->order_count && order == 0; i++) {
        const struct column *column = plan->order[i];
        if (column->index >= left->clustering.count || column->index >= right->clustering.count)
            order = (left->clustering.count > 0) - (right->clustering.count > 0);
        else
            order = type_compare(column->type, left->clustering.values[column->index],
                                 right->clustering.values[column->index]);
        if (column->reversed != plan->reversed) order = -order;
    }
    if (order != 0) return order;
    return (left->offset > right->offset) - (left->offset < right->offset);
}

static void select_sort(struct select_work *work)
{
    struct execution *execution = work->execution;
    size_t count = work->progress.sorted_count;
    qsort_r(work->sorted, count, sizeof *work->sorted, select_compare_sorted,
            (void *)(uintptr_t)work->plan);
    if (count > work->limit_left) count = work->limit_left;
    struct buffer ordered;
    buffer_init(&ordered, CQL_RESPONSE_SIZE_MAX);
    for (size_t i = 0; i < count; i++)
        buffer_put(&ordered, execution->result.rows.data + work->sorted[i].offset,
                   work->sorted[i].size);
    buffer_deinit(&execution->result.rows);
    execution->result.rows = ordered;
    work->progress.rows = (uint32_t)count;
}

static void select_finish(struct select_work *work)
{
    struct execution *execution = work->execution;
    const struct select_plan *plan = work->plan;
    struct select_progress *progress = &work->progress;
    memtable_unref(work->memtable);
    if (!progress->failed && !progress->is_full) {
        // An aggregate without GROUP BY gives a row even of nothing.
        if (plan->is_grouped && !plan->has_group_by && !progress->group_is_open) {
            selection_init_group(&plan->selection, &execution->arena, &work->group);
            progress->group_is_open = true;
        }
        select_close_group(work);
        if (plan->has_group_by && progress->rows >= work->rows_max &&
            !slice_is_null(progress->group_key)) {
            // A full page says that there may be more, as Cassandra's does.
            progress->is_full = true;
            progress->in_partition = false;
            progress->key = progress->group_key;
        }
    }
    if (progress->failed) {
        execution_fail(execution);
        return;
    }
    if (plan->needs_sort) select_sort(work);
    execution->result.columns = plan->selection.columns;
    execution->result.column_count = plan->selection.count;
    execution->result.row_count = progress->rows;
    uint32_t left = work->limit_left == UINT32_MAX ? UINT32_MAX : work->limit_left - progress->rows;
    if (work->has_page && progress->is_full && left > 0 && !plan->needs_sort) {
        struct paging_state state = {left,
                                     progress->in_partition ? progress->rows_in_partition : 0,
                                     progress->key,
                                     progress->in_partition,
                                     progress->inclusive,
                                     progress->clustering};
        execution->result.paging_state =
            paging_state_encode(&state, plan->table->id, &execution->arena);
    }
    if (plan->warning != NULL) execution_add_warning(execution, plan->warning);
    execution_succeed(execution, RESULT_ROWS);
}

static void select_read_done(struct coordinator_read *read, const struct coordinator_result *result)
{
    struct select_work *work = CONTAINER_OF(read, struct select_work, read);
    if (!execution_check(work->execution, result, false, "SIMPLE")) return;
    select_move_on(work);
    if (work->progress.failed || work->progress.is_full)
        select_finish(work);
    else
        select_step(work, false);
}

// ---- Virtual tables -----------------------------------------------------------------------------

static enum status select_consume_memtable(struct select_work *work)
{
    struct coordinator_read *read = &work->read;
    bool enough = false;
    for (size_t i = 0; i < read->key_count && !enough; i++) {
        struct partition_iterator *partition = memtable_read(
            work->memtable, read->table, &read->keys[i], &read->filter, &read->arena, NULL);
        if (partition == NULL) continue;
        enum status status = select_consume(read, partition, &enough);
        partition_iterator_close(partition);
        if (status != STATUS_OK) return status;
    }
    if (read->keys != NULL) return STATUS_OK;
    struct scan_iterator *scan =
        memtable_scan(work->memtable, read->table, &read->range, &read->filter, &read->arena, NULL);
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !enough) {
        struct partition_iterator *partition;
        status = scan_iterator_next(scan, &partition);
        if (status != STATUS_OK) break;
        status = select_consume(read, partition, &enough);
        partition_iterator_close(partition);
    }
    scan_iterator_close(scan);
    return status == STATUS_END ? STATUS_OK : status;
}

static int select_compare_keys(const void *a, const void *b, void *context)
{
    const struct table *table = context;
    const struct partition_key *keys[2] = {a, b};
    uint16_t count = table->column_counts[COLUMN_PARTITION_KEY];
    struct slice parts[2][VIRTUAL_KEY_COLUMNS_MAX];
    for (size_t i = 0; i < 2; i++)
        if (count > VIRTUAL_KEY_COLUMNS_MAX ||
            partition_key_split(keys[i]->bytes, count, parts[i]) != STATUS_OK)
            return partition_key_compare(keys[0], keys[1]);
    int order = 0;
    for (uint16_t i = 0; i < count && order == 0; i++)
        order =
            type_compare(table->columns[COLUMN_PARTITION_KEY][i].type, parts[0][i], parts[1][i]);
    return order;
}

// A virtual keyspace has no tokens to go by: its partitions are read in the order of their keys.
static void select_list_keys(struct select_work *work)
{
    struct arena *arena = &work->execution->arena;
    const struct table *table = work->plan->table;
    size_t count = memtable_partition_count(work->memtable);
    struct partition_key *keys = ARENA_NEW_ARRAY(arena, struct partition_key, count + 1);
    struct partition_filter nothing = {NULL, 0, false, false};
    struct scan_iterator *scan =
        memtable_scan(work->memtable, table, &work->scan, &nothing, arena, NULL);
    struct partition_iterator *partition;
    while (work->key_count < count && scan_iterator_next(scan, &partition) == STATUS_OK) {
        keys[work->key_count++] = partition_key_make(arena_copy(arena, partition->key.bytes));
        partition_iterator_close(partition);
    }
    scan_iterator_close(scan);
    qsort_r(keys, work->key_count, sizeof *keys, select_compare_keys, (void *)(uintptr_t)table);
    work->keys = keys;
    if (slice_is_null(work->progress.key)) return;
    struct partition_key place = partition_key_make(work->progress.key);
    while (work->next_key < work->key_count &&
           select_compare_keys(&keys[work->next_key], &place, (void *)(uintptr_t)table) <= 0)
        work->next_key++;
}

// Everything is in memory: steps follow each other at once.
static void select_run_virtual(struct select_work *work)
{
    struct query_processor *processor = work->execution->processor;
    work->memtable = memtable_create(work->plan->table);
    system_tables_fill(processor->system_tables, work->plan->table, work->memtable);
    if (work->plan->is_of_virtual_keyspace && work->keys == NULL && !work->scan_is_over)
        select_list_keys(work);
    bool is_over = false;
    while (!is_over && select_next_read(work)) {
        select_save(work);
        arena_init(&work->read.arena, 16 * KIB);
        enum status status = select_consume_memtable(work);
        arena_deinit(&work->read.arena);
        if (status != STATUS_OK) {
            cql_error_set(&work->execution->error, CQL_ERROR_SERVER, "%s", status_text(status));
            work->progress.failed = true;
        }
        select_move_on(work);
        is_over = work->progress.failed || work->progress.is_full;
        if (!is_over) select_carry(work);
    }
    select_finish(work);
}

// ---- The beginning ------------------------------------------------------------------------------

static void select_step(struct select_work *work, bool is_first)
{
    struct execution *execution = work->execution;
    struct coordinator *coordinator = execution->processor->coordinator;
    enum consistency consistency = execution->options->consistency;
    if (execution->is_canceled) {
        cql_error_set(&execution->error, CQL_ERROR_SERVER, "The client is gone");
        execution_fail(execution);
        return;
    }
    if (!is_first) select_carry(work);
    if (!select_next_read(work)) {
        select_finish(work);
        return;
    }
    select_save(work);
    // The first step is mostly the only one, and its answer is there at once; a long read gives way
    // to others after each.
    if (!is_first)
        coordinator_read_start(coordinator, &work->read, consistency, select_read_done);
    else if (coordinator_read_try(coordinator, &work->read, consistency, select_read_done))
        select_read_done(&work->read, &work->read.result);
}

static bool select_bind_limit(struct execution *execution, const struct term *term, uint32_t *limit)
{
    *limit = UINT32_MAX;
    if (term == NULL) return true;
    struct bound_value value;
    if (!term_bind(term, &execution->state->binding, &value)) return false;
    if (value.unset) return true;
    if (slice_is_null(value.bytes))
        return cql_error_set(&execution->error, CQL_ERROR_INVALID, "Invalid null value of limit");
    int32_t number = value.bytes.size == 4 ? (int32_t)bytes_get_u32(value.bytes.data) : 0;
    if (number <= 0)
        return cql_error_set(&execution->error, CQL_ERROR_INVALID,
                             "LIMIT must be strictly positive");
    *limit = (uint32_t)number;
    return true;
}

static bool select_refuse_state(struct select_work *work)
{
    return cql_error_set(&work->execution->error, CQL_ERROR_PROTOCOL,
                         "Invalid value for the paging state");
}

// What a client sends back may be forged: comparing values expects valid ones.
static bool select_place_is_valid(const struct table *table, const struct paging_state *state)
{
    if (!state->in_partition || state->clustering.count == 0) return true;
    if (state->clustering.count != table->column_counts[COLUMN_CLUSTERING]) return false;
    for (uint16_t i = 0; i < state->clustering.count; i++) {
        struct slice value = state->clustering.values[i];
        struct error error;
        if (!slice_is_null(value) &&
            type_validate(table->columns[COLUMN_CLUSTERING][i].type, value, &error) != STATUS_OK)
            return false;
    }
    return true;
}

static bool select_resume(struct select_work *work)
{
    struct execution *execution = work->execution;
    struct slice bytes = execution->options->paging_state;
    const struct table *table = work->plan->table;
    if (slice_is_null(bytes)) return true;
    struct paging_state state;
    if (paging_state_decode(bytes, table->id, &execution->arena, &state) != STATUS_OK ||
        !select_place_is_valid(table, &state) ||
        (work->limit_left == UINT32_MAX) != (state.limit_left == UINT32_MAX))
        return select_refuse_state(work);
    struct select_progress *progress = &work->progress;
    work->limit_left = state.limit_left;
    progress->key = state.key;
    progress->in_partition = state.in_partition;
    progress->inclusive = state.inclusive;
    progress->clustering = state.clustering;
    progress->rows_in_partition = state.rows_in_partition;
    progress->partition_had_rows = state.in_partition && !state.inclusive;
    if (work->keys == NULL) return true;
    while (work->next_key < work->key_count &&
           !slice_equals(work->keys[work->next_key].bytes, state.key))
        work->next_key++;
    if (work->next_key == work->key_count) return select_refuse_state(work);
    work->next_key++;
    return true;
}

static bool select_bind_limits(struct select_work *work)
{
    struct execution *execution = work->execution;
    const struct select_plan *plan = work->plan;
    int32_t page_size = execution->options->page_size;
    if (!select_bind_limit(execution, plan->limit, &work->limit_left) ||
        !select_bind_limit(execution, plan->per_partition_limit, &work->per_partition_limit))
        return false;
    // An aggregate gives one row, of all that there is.
    if (plan->is_grouped && !plan->has_group_by) work->limit_left = UINT32_MAX;
    work->has_page = page_size > 0 && (!plan->is_grouped || plan->has_group_by);
    if (plan->needs_sort && work->has_page && work->limit_left > (uint32_t)page_size)
        return cql_error_set(&execution->error, CQL_ERROR_INVALID,
                             "Cannot page queries with both ORDER BY and a IN restriction on the "
                             "partition key; you must either remove the ORDER BY or the IN and "
                             "sort client side, or disable paging for this query");
    if (!select_resume(work)) return false;
    work->rows_max = UINT32_MAX;
    if (plan->needs_sort) return true;
    work->rows_max = work->limit_left;
    if (work->has_page && (uint32_t)page_size < work->rows_max)
        work->rows_max = (uint32_t)page_size;
    return true;
}

static bool select_bind(struct select_work *work)
{
    const struct restrictions *restrictions = &work->plan->restrictions;
    const struct binding *binding = &work->execution->state->binding;
    bool is_empty = false;
    if (restrictions->keys_are_complete) {
        if (!restrictions_bind_keys(restrictions, binding, &work->keys, &work->key_count))
            return false;
    } else if (!restrictions_bind_scan(restrictions, binding, &work->scan, &is_empty)) {
        return false;
    }
    if (!restrictions_bind_ranges(restrictions, binding, &work->ranges, &work->range_count) ||
        !restrictions_bind_filters(restrictions, binding, &work->filters, &work->filter_count))
        return false;
    for (size_t i = 0; i < work->filter_count; i++)
        if (!work->filters[i].is_of_partition) work->filters_rows = true;
    // Rows that can not be there need no look at any partition.
    bool no_rows = work->range_count == 0;
    if (is_empty || no_rows) {
        work->scan_is_over = true;
        work->key_count = 0;
    }
    return select_bind_limits(work);
}

void execution_select_start(struct execution *execution)
{
    struct select_work *work = ARENA_NEW(&execution->arena, struct select_work);
    const struct select_plan *plan = &execution->statement->plan->select;
    work->execution = execution;
    work->plan = plan;
    work->arena = &execution->arena;
    work->context =
        (struct selection_context){&execution->state->binding, &execution->row_arena, work->arena};
    work->components = ARENA_NEW_ARRAY(&execution->arena, struct slice,
                                       plan->table->column_counts[COLUMN_PARTITION_KEY]);
    work->read.restart = select_restart;
    work->read.consume = select_consume;
    work->read.table = plan->table;
    work->read.now_s = execution->state->now_s;
    execution->state->work = work;
    bool is_ok = execution->options->consistency != CONSISTENCY_ANY ||
                 cql_error_set(&execution->error, CQL_ERROR_INVALID,
                               "ANY ConsistencyLevel is only supported for writes");
    if (!is_ok || !select_bind(work)) {
        execution_fail(execution);
        return;
    }
    if (plan->table->is_virtual)
        select_run_virtual(work);
    else
        select_step(work, true);
}
