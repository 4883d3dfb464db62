// The consuming half of executing SELECT: rows given, groups, order, and the snapshots that a read
// which begins anew goes back to.
#include "base/bytes.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "cql/execution/execution_select.h"
#include "storage/partition_key.h"

#include <stdlib.h>

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

static void select_keep_sorted(struct select_work *work, struct clustering place, size_t before)
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
    work->sorted[progress->sorted_count++] =
        (struct sorted_row){before, work->execution->result.rows.size - before,
                            select_copy_values(arena, place), work->nearness};
}

static void select_put_row(struct select_work *work, const struct row_view *view)
{
    struct buffer *rows = &work->execution->result.rows;
    size_t before = rows->size;
    if (!selection_put_row(&work->plan->selection, &work->context, view, rows))
        work->progress.failed = true;
    struct clustering place = {0, NULL};
    if (view->row != NULL) place = view->row->clustering;
    if (work->plan->needs_sort) select_keep_sorted(work, place, before);
    work->progress.rows++;
    work->progress.rows_in_partition++;
    select_check_overflow(work);
}

void select_close_group(struct select_work *work)
{
    if (!work->progress.group_is_open) return;
    size_t before = work->execution->result.rows.size;
    if (!selection_put_group(&work->plan->selection, &work->context, &work->group,
                             &work->execution->result.rows))
        work->progress.failed = true;
    // By its first row.
    if (work->plan->needs_sort) select_keep_sorted(work, work->progress.group_clustering, before);
    work->progress.group_is_open = false;
    work->progress.rows++;
    select_check_overflow(work);
}

// The function of GROUP BY, of the row or of the first of its group. Cassandra's replicas compute
// it: what goes wrong is a failed read.
static bool select_group_value(struct select_work *work, const struct row_view *view,
                               struct slice *value)
{
    if (selection_evaluate(work->plan->group_function, &work->context, view, value)) return true;
    struct coordinator_result result = {.outcome = COORDINATOR_FAILED,
                                        .consistency = work->execution->options->consistency,
                                        .required = 1,
                                        .failures = 1,
                                        .faults = {{MEMBER_NONE, 0}},
                                        .fault_count = 1};
    execution_set_error(work->execution, &result, false, "SIMPLE");
    work->progress.failed = true;
    return false;
}

static bool select_has_same_value(struct select_work *work, const struct row_view *view)
{
    struct live_row first = {0};
    struct row_view of_group = *view;
    struct slice a, b;
    if (view->row == NULL) return true;
    first.clustering = work->progress.group_clustering;
    of_group.row = &first;
    return select_group_value(work, view, &a) && select_group_value(work, &of_group, &b) &&
           slice_equals(a, b);
}

static bool select_is_in_group(struct select_work *work, struct slice key,
                               const struct row_view *view)
{
    const struct select_progress *progress = &work->progress;
    const struct select_plan *plan = work->plan;
    if (!plan->has_group_by) return true;
    if (!slice_equals(key, progress->group_key)) return false;
    uint16_t by_value = plan->group_function == NULL ? plan->group_clustering_count
                                                     : plan->group_clustering_count - 1;
    for (uint16_t i = 0; i < by_value; i++) {
        struct slice value = view->row == NULL ? slice_null() : view->row->clustering.values[i];
        struct slice of_group = i < progress->group_clustering.count
                                    ? progress->group_clustering.values[i]
                                    : slice_null();
        if (!slice_equals(value, of_group)) return false;
    }
    return plan->group_function == NULL || select_has_same_value(work, view);
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
        if (work->plan->group_clustering_count > 0 || work->plan->needs_sort)
            progress->group_clustering = select_copy_clustering(arena, view->row);
        progress->rows_in_partition++;
        struct slice ignored;
        if (work->plan->group_function != NULL && view->row != NULL &&
            !select_group_value(work, view, &ignored))
            return true;
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
static bool select_partition_is_full(struct select_work *work, struct slice key,
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
    if (work->plan->ann != NULL && !select_ann_takes(work, view)) return SELECT_GO_ON;
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

// Of what compactions may drop nothing is counted, as in Cassandra.
static int32_t select_gc_before(const struct table *table, int32_t now_s)
{
    int64_t before = (int64_t)now_s - table->params.gc_grace_seconds;
    return before < INT32_MIN ? INT32_MIN : (int32_t)before;
}

enum status select_consume(struct coordinator_read *read, struct partition_iterator *partition,
                           bool *enough)
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
        rows.gc_before = select_gc_before(table, read->now_s);
        enum status status = select_read_rows(work, &rows, key, &view, &taken);
        if (status != STATUS_OK) return status;
        if (!select_count_tombstones(work, partition->key, &rows)) taken = SELECT_STOP;
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

// ---- From step to step --------------------------------------------------------------------------

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

void select_restart(struct coordinator_read *read)
{
    struct select_work *work = CONTAINER_OF(read, struct select_work, read);
    // Where it missed is far enough: the next step begins there. When more has come from other
    // nodes it can go on instead.
    if (work->progress.looked_at > 0 && !read->goes_on)
        work->step_look_max = work->progress.looked_at;
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
void select_carry(struct select_work *work)
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

void select_save(struct select_work *work)
{
    work->progress.looked_at = 0;
    work->progress.is_step_over = false;
    work->step_look_max = READ_STEP_ROWS_MAX;
    work->saved = work->progress;
    select_copy_group(work, &work->group, &work->saved_group);
}

// ---- Order --------------------------------------------------------------------------------------

static int select_compare_sorted(const void *a, const void *b, void *context)
{
    const struct select_plan *plan = context;
    const struct sorted_row *left = a, *right = b;
    // By the columns that ORDER BY names; rows without any (of a static row alone) come first.
    int order = (left->nearness < right->nearness) - (left->nearness > right->nearness);
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

void select_sort(struct select_work *work)
{
    struct execution *execution = work->execution;
    size_t count = work->progress.sorted_count;
    if (count > 1)
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
