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
#include "cql/execution/execution_select.h"
#include "base/bytes.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "cql/execution/paging_state.h"

#include <stdlib.h>

enum { STEP_KEYS_MAX = 64 };

// The first step is mostly the only one, and its answer is there at once, as is that of rows whose
// places were just found; a long read gives way to others after each.
enum select_step { STEP_FIRST, STEP_FOUND, STEP_NEXT };

static void select_step(struct select_work *work, enum select_step step);

// ---- Steps --------------------------------------------------------------------------------------

size_t select_cut_ranges(struct select_work *work)
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

// How many rows the next read will want at most; 0: that is not known, rows may be left out.
static uint32_t select_row_max(const struct select_work *work)
{
    if (work->rows_max == UINT32_MAX || work->filter_count > 0 || work->plan->is_grouped) return 0;
    uint32_t rows = work->rows_max - work->progress.rows;
    return work->per_partition_limit < rows && work->keys != NULL ? work->per_partition_limit
                                                                  : rows;
}

// Prepares the next read. False: there is nothing more.
bool select_next_read(struct select_work *work)
{
    struct select_progress *progress = &work->progress;
    struct coordinator_read *read = &work->read;
    if (work->index != NULL) return select_index_next_read(work);
    read->row_max = select_row_max(work);
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
void select_move_on(struct select_work *work)
{
    struct select_progress *progress = &work->progress;
    if (work->index != NULL) {
        select_index_move_on(work);
        return;
    }
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

// What all unfinished results have together is bounded; most are finished within one step.
static void select_count(struct select_work *work, size_t size)
{
    struct query_processor *processor = work->execution->processor;
    processor->results_size += size;
    processor->results_size -= work->counted;
    work->counted = size;
}

static bool select_has_room(struct select_work *work)
{
    struct execution *execution = work->execution;
    const struct query_processor *processor = execution->processor;
    size_t max =
        processor->results_size_max > 0 ? processor->results_size_max : CQL_RESULTS_SIZE_MAX;
    select_count(work, execution->result.rows.size + arena_size(&execution->arena));
    if (processor->results_size <= max) return true;
    return cql_error_set(&execution->error, CQL_ERROR_OVERLOADED,
                         "The results of all running SELECTs have more than %zu bytes", max);
}

static void select_fail(struct select_work *work)
{
    select_count(work, 0);
    if (work->cas != NULL) paxos_cas_cancel(work->cas);
    execution_fail(work->execution);
}

void select_finish(struct select_work *work)
{
    struct execution *execution = work->execution;
    select_count(work, 0);
    const struct select_plan *plan = work->plan;
    struct select_progress *progress = &work->progress;
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
        select_fail(work);
        return;
    }
    if (plan->needs_sort) select_sort(work);
    if (work->keys == NULL && execution->state->timed != NULL) select_note_figures(work);
    if (execution->trace != NULL && !progress->has_told) select_tell_rows(work);
    execution->result.columns = plan->selection.columns;
    execution->result.column_count = plan->selection.column_count;
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
    if (work->cas != NULL) {
        select_end_serial(work);
        return;
    }
    select_warn_tombstones(work);
    if (plan->warning != NULL) execution_add_warning(execution, plan->warning);
    execution_succeed(execution, RESULT_ROWS);
}

static void select_read_done(struct coordinator_read *read, const struct coordinator_result *result)
{
    struct select_work *work = CONTAINER_OF(read, struct select_work, read);
    bool was_looking = select_index_is_looking(work);
    if (result->outcome == COORDINATOR_FAILED && select_index_give_up(work)) {
        select_step(work, STEP_NEXT);
        return;
    }
    if (result->outcome != COORDINATOR_OK) {
        select_count(work, 0);
        if (work->cas != NULL) paxos_cas_cancel(work->cas);
    }
    if (!execution_check(work->execution, result, false, "SIMPLE")) return;
    select_move_on(work);
    if (work->progress.failed || work->progress.is_full)
        select_finish(work);
    else
        select_step(work, was_looking ? STEP_FOUND : STEP_NEXT);
}

// ---- The beginning ------------------------------------------------------------------------------

static void select_step(struct select_work *work, enum select_step step)
{
    struct execution *execution = work->execution;
    struct coordinator *coordinator = execution->processor->coordinator;
    enum consistency consistency = work->consistency;
    if (execution->is_canceled) {
        cql_error_set(&execution->error, CQL_ERROR_SERVER, "The client is gone");
        select_fail(work);
        return;
    }
    if (step != STEP_FIRST && !select_has_room(work)) {
        select_fail(work);
        return;
    }
    if (step != STEP_FIRST) select_carry(work);
    if (!select_next_read(work)) {
        select_finish(work);
        return;
    }
    select_save(work);
    execution_trace_begin(execution);
    bool is_done = false;
    if (step == STEP_NEXT)
        coordinator_read_start(coordinator, &work->read, consistency, select_read_done);
    else
        is_done = coordinator_read_try(coordinator, &work->read, consistency, select_read_done);
    execution_trace_end(execution);
    if (is_done) select_read_done(&work->read, &work->read.result);
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
    // An aggregate gives one row, of all that there is.
    if (plan->is_grouped && !plan->has_group_by) work->limit_left = UINT32_MAX;
    work->has_page = page_size > 0 && (!plan->is_grouped || plan->has_group_by);
    if (!select_ann_check_limit(work)) return false;
    bool is_paged = work->has_page && work->limit_left > (uint32_t)page_size;
    if ((plan->needs_sort && is_paged) ||
        (plan->orders_partitions && page_size > 0 && plan->is_grouped))
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
    struct execution *execution = work->execution;
    const struct select_plan *plan = work->plan;
    const struct restrictions *restrictions = &plan->restrictions;
    const struct binding *binding = &execution->state->binding;
    bool is_empty = false, names_keys = restrictions->keys_are_complete;
    struct key_values values;
    if (!select_bind_limit(execution, plan->limit, &work->limit_left) ||
        !select_bind_limit(execution, plan->per_partition_limit, &work->per_partition_limit))
        return false;
    if (plan->selection.has_parts && !selection_check_parts(&plan->selection, binding))
        return false;
    // Of several values that are null, Cassandra tells the one that it comes across first.
    if (!restrictions_bind_filters(restrictions, binding, &work->filters, &work->filter_count) ||
        (names_keys && !restrictions_bind_key_values(restrictions, binding, &values)) ||
        !restrictions_bind_ranges(restrictions, binding, &work->ranges, &work->range_count) ||
        (!names_keys && !restrictions_bind_scan(restrictions, binding, &work->scan, &is_empty)))
        return false;
    for (size_t i = 0; i < work->filter_count; i++)
        if (!work->filters[i].is_of_partition) work->filters_rows = true;
    // Rows that can not be there need no look at any partition, and mostly none at its key either.
    bool no_rows = work->range_count == 0;
    if (names_keys && no_rows && !plan->may_read_static_alone) values.total = 0;
    if (names_keys &&
        !restrictions_make_keys(restrictions, binding, &values, &work->keys, &work->key_count))
        return false;
    if (is_empty || no_rows) {
        work->scan_is_over = true;
        work->key_count = 0;
    }
    return select_index_begin(work) && select_ann_begin(work) && select_ann_check_level(work) &&
           select_bind_limits(work);
}

static void select_abandon(struct execution *execution)
{
    struct select_work *work = execution->state->work;
    coordinator_read_abandon(&work->read);
}

struct select_work *select_begin(struct execution *execution)
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
    work->consistency = execution->options->consistency;
    execution->state->work = work;
    execution->state->abandon = select_abandon;
    return select_bind(work) ? work : NULL;
}

void select_run(struct select_work *work)
{
    select_step(work, STEP_FIRST);
}

void execution_select_start(struct execution *execution)
{
    bool is_ok = execution->options->consistency != CONSISTENCY_ANY ||
                 cql_error_set(&execution->error, CQL_ERROR_INVALID,
                               "ANY ConsistencyLevel is only supported for writes");
    struct select_work *work = is_ok ? select_begin(execution) : NULL;
    if (work == NULL) {
        execution_fail(execution);
        return;
    }
    bool is_serial =
        work->consistency == CONSISTENCY_SERIAL || work->consistency == CONSISTENCY_LOCAL_SERIAL;
    if (work->plan->table->is_virtual)
        select_run_virtual(work);
    else if (is_serial && work->keys != NULL && work->key_count > 0)
        select_start_serial(work);
    else
        select_run(work);
}
