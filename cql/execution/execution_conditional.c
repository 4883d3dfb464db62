// Executing INSERT, UPDATE, DELETE and BATCH with IF
// (org.apache.cassandra.cql3.statements.CQL3CasRequest,
// ModificationStatement.executeWithCondition).
//
//     STARTED --a quorum promised--> READING --the rows are there--> conditions pass?
//        ^                                  yes: changes are made, proposed   no: nothing is
//        |                                        \--accepted, committed--> done <--accepted--/
//        \--------------someone else was faster--------/
//
// All parts are of one partition. What is read: the rows that conditions or lists are about; when
// all conditions are on the static row, the partition's first row beside it, for the answer.
#include "base/bytes.h"
#include "base/container_of.h"
#include "cql/execution/execution.h"
#include "cql/execution/job_guard.h"
#include "storage/partition_key.h"
#include "storage/schema/options.h"

struct conditional_part {
    const struct modification_plan *plan;
    struct binding binding;
    struct clustering_range *ranges; // The row; of a deletion in a batch any rows.
    size_t range_count;
    struct bound_condition *conditions;
};

struct conditional_work {
    struct paxos_cas cas;
    struct coordinator_read read;
    struct execution *execution;
    struct conditional_part *parts;
    size_t part_count;
    bool is_batch;
    const struct table *table;
    struct partition_key key;
    struct slice *components; // Of the key.
    struct clustering_range *ranges;
    size_t range_count;
    bool asks_rows;                // Some condition is on a row, not only on the static one.
    bool shows_all;                // The answer has all columns, not only those of conditions.
    bool sets_static, sets_rows;   // Of the parts together.
    const struct column **columns; // Of conditions as written, the regular ones first; each once.
    size_t column_count;
    bool has_static_row;
    struct live_row static_row;
    struct live_row *rows; // In clustering order.
    size_t row_count;
    bool is_applied;
};

// ---- The partition as it is ---------------------------------------------------------------------

static bool conditional_has_column(const struct conditional_work *work, const struct column *column)
{
    for (size_t i = 0; i < work->column_count; i++)
        if (work->columns[i] == column) return true;
    return false;
}

// CQL3CasRequest.columnsToRead(): others are null in the answer.
static bool conditional_reads_column(const struct conditional_work *work,
                                     const struct column *column)
{
    bool sets = column->kind == COLUMN_STATIC ? work->sets_static : work->sets_rows;
    return sets || conditional_has_column(work, column);
}

static struct live_row conditional_copy_row(const struct conditional_work *work,
                                            const struct live_row *row, enum column_kind kind)
{
    struct arena *arena = &work->execution->arena;
    struct live_row copy = {.liveness = row->liveness};
    struct slice *values = ARENA_NEW_ARRAY(arena, struct slice, (size_t)row->clustering.count + 1);
    for (uint16_t i = 0; i < row->clustering.count; i++)
        values[i] = arena_copy(arena, row->clustering.values[i]);
    copy.clustering = (struct clustering){row->clustering.count, values};
    struct cell *cells = ARENA_NEW_ARRAY(arena, struct cell, (size_t)row->cell_count + 1);
    for (uint32_t i = 0; i < row->cell_count; i++) {
        struct cell cell = row->cells[i];
        if (!conditional_reads_column(work, &work->table->columns[kind][cell.column])) continue;
        cell.value = arena_copy(arena, cell.value);
        cell.path = arena_copy(arena, cell.path);
        cells[copy.cell_count++] = cell;
    }
    copy.cells = cells;
    return copy;
}

static void conditional_restart(struct coordinator_read *read)
{
    struct conditional_work *work = CONTAINER_OF(read, struct conditional_work, read);
    work->has_static_row = false;
    work->row_count = 0;
}

static enum status conditional_consume(struct coordinator_read *read,
                                       struct partition_iterator *partition, bool *enough)
{
    struct conditional_work *work = CONTAINER_OF(read, struct conditional_work, read);
    size_t row_max = work->asks_rows ? work->range_count : 1;
    struct live_rows rows;
    live_rows_init(&rows, partition, read->now_s, &read->arena);
    if (rows.has_static_row) {
        work->static_row = conditional_copy_row(work, &rows.static_row, COLUMN_STATIC);
        work->has_static_row = work->static_row.cell_count > 0;
    }
    enum status status = STATUS_OK;
    const struct live_row *row;
    while (work->row_count < row_max && (status = live_rows_next(&rows, &row)) == STATUS_OK)
        work->rows[work->row_count++] = conditional_copy_row(work, row, COLUMN_REGULAR);
    *enough = status == STATUS_OK || status == STATUS_END;
    return status;
}

static const struct live_row *conditional_find_row(const struct conditional_work *work,
                                                   const struct conditional_part *part)
{
    if (part->plan->is_of_static_row || part->range_count == 0) return NULL;
    // What a batch deletes beside its conditions may be more than a row: a partition, a range.
    uint16_t count = part->ranges[0].start.prefix.count;
    if (count != work->table->column_counts[COLUMN_CLUSTERING]) return NULL;
    for (size_t i = 0; i < work->row_count; i++)
        if (clustering_compare(work->table, &work->rows[i].clustering,
                               &part->ranges[0].start.prefix) == 0)
            return &work->rows[i];
    return NULL;
}

// ---- The answer ---------------------------------------------------------------------------------

static void conditional_put_applied(struct execution *execution, bool is_applied)
{
    uint8_t byte = is_applied;
    execution_put_value(execution, slice_make(&byte, 1));
}

static void conditional_add_column(struct conditional_work *work, const struct column **columns,
                                   uint16_t *count, const struct column *column)
{
    (void)work;
    for (uint16_t i = 0; i < *count; i++)
        if (columns[i] == column) return;
    columns[(*count)++] = column;
}

// As SELECT * has them: static and regular ones each by name.
static void conditional_add_kind(struct conditional_work *work, const struct column **columns,
                                 uint16_t *count, enum column_kind kind)
{
    uint16_t first = *count;
    for (uint16_t i = 0; i < work->table->column_counts[kind]; i++) {
        const struct column *column = &work->table->columns[kind][i];
        uint16_t place = (*count)++;
        for (; kind >= COLUMN_STATIC && place > first &&
               slice_compare(columns[place - 1]->name, column->name) > 0;
             place--)
            columns[place] = columns[place - 1];
        columns[place] = column;
    }
}

static uint16_t conditional_list_columns(struct conditional_work *work,
                                         const struct column **columns)
{
    uint16_t count = 0;
    for (int kind = COLUMN_PARTITION_KEY; kind < COLUMN_KIND_COUNT; kind++)
        if (work->shows_all || (work->is_batch && kind < COLUMN_STATIC))
            conditional_add_kind(work, columns, &count, (enum column_kind)kind);
    for (size_t i = 0; i < work->column_count && !work->shows_all; i++)
        conditional_add_column(work, columns, &count, work->columns[i]);
    return count;
}

static void conditional_put_row(struct conditional_work *work, const struct live_row *row,
                                const struct column *const *columns, uint16_t count)
{
    struct execution *execution = work->execution;
    struct row_view view = {work->table, work->components, row,
                            work->has_static_row ? &work->static_row : NULL,
                            execution->state->now_s};
    conditional_put_applied(execution, false);
    for (uint16_t i = 0; i < count; i++)
        execution_put_value(execution, row_view_value(&view, columns[i], &execution->arena));
    execution->result.row_count++;
}

// "[applied]" alone, or with the rows that did not pass.
static void conditional_answer(struct conditional_work *work)
{
    struct execution *execution = work->execution;
    struct arena *arena = &execution->arena;
    size_t room = 1 + work->column_count;
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++)
        room += work->table->column_counts[kind];
    const struct column **columns = ARENA_NEW_ARRAY(arena, const struct column *, room);
    uint16_t count = 0;
    if (!work->is_applied && (work->row_count > 0 || work->has_static_row))
        count = conditional_list_columns(work, columns);
    struct column_spec *specs = ARENA_NEW_ARRAY(arena, struct column_spec, (size_t)count + 1);
    specs[0] = (struct column_spec){work->table->keyspace, work->table->name,
                                    slice_of_text("[applied]"), type_of_kind(TYPE_BOOLEAN)};
    for (uint16_t i = 0; i < count; i++)
        specs[i + 1] = analysis_spec_of_column(work->table, columns[i]);
    execution->result.columns = specs;
    execution->result.column_count = (uint16_t)(count + 1);
    if (count == 0) {
        conditional_put_applied(execution, work->is_applied);
        execution->result.row_count = 1;
    } else if (work->row_count == 0) {
        conditional_put_row(work, NULL, columns, count);
    } else {
        for (size_t i = 0; i < work->row_count; i++)
            conditional_put_row(work, &work->rows[i], columns, count);
    }
    execution_succeed(execution, RESULT_ROWS);
}

// ---- Conditions and changes ---------------------------------------------------------------------

static bool conditional_part_passes(struct conditional_work *work,
                                    const struct conditional_part *part)
{
    const struct modification_plan *plan = part->plan;
    const struct live_row *row = conditional_find_row(work, part);
    const struct live_row *static_row = work->has_static_row ? &work->static_row : NULL;
    bool exists = plan->is_of_static_row ? static_row != NULL : row != NULL;
    if (plan->if_exists) return exists;
    if (plan->if_not_exists) return !exists;
    struct row_view view = {work->table, work->components, row, static_row,
                            work->execution->state->now_s};
    for (size_t i = 0; i < plan->condition_count; i++)
        if (!condition_passes(&part->conditions[i], &view, &work->execution->arena)) return false;
    return true;
}

static void conditional_take_lists(struct conditional_work *work,
                                   const struct conditional_part *part, struct list_content *lists,
                                   size_t *count)
{
    const struct modification_plan *plan = part->plan;
    const struct live_row *row = conditional_find_row(work, part);
    *count = 0;
    for (size_t i = 0; i < plan->operation_count && plan->reads_lists; i++) {
        const struct column *column = plan->operations[i].column;
        if (column->type->kind != TYPE_LIST) continue;
        const struct live_row *of = row;
        if (column->kind == COLUMN_STATIC) of = work->has_static_row ? &work->static_row : NULL;
        struct list_content *list = &lists[(*count)++];
        list->column = column;
        list->key = work->key;
        if (part->range_count > 0) list->clustering = part->ranges[0].start.prefix;
        if (of == NULL) continue;
        const struct cell *cells;
        list->count = live_row_cells(of, column->index, &cells);
        list->cells = ARENA_NEW_ARRAY(&work->execution->arena, struct cell, list->count + 1u);
        if (list->count > 0) memcpy(list->cells, cells, list->count * sizeof *cells);
    }
}

static bool conditional_make_changes(struct conditional_work *work, struct change_list *changes)
{
    struct execution *execution = work->execution;
    for (size_t i = 0; i < work->part_count; i++) {
        const struct conditional_part *part = &work->parts[i];
        struct list_content *lists = ARENA_NEW_ARRAY(&execution->arena, struct list_content,
                                                     part->plan->operation_count + 1);
        size_t list_count;
        conditional_take_lists(work, part, lists, &list_count);
        struct change_options options = {work->cas.timestamp_us, execution->state->now_s, lists,
                                         list_count};
        if (!change_list_add(changes, part->plan, &part->binding, &options)) return false;
    }
    return true;
}

// PartitionUpdate.updateAllTimestamp(): all that is written has the ballot's time; what is deleted
// the one before, since a deletion would hide what is written beside it with the same.
static const struct row *conditional_stamp_row(struct conditional_work *work, const struct row *row)
{
    struct arena *arena = &work->execution->arena;
    int64_t time = work->cas.timestamp_us;
    struct row *copy = ARENA_NEW(arena, struct row);
    *copy = *row;
    if (copy->liveness.timestamp != TIMESTAMP_NONE) copy->liveness.timestamp = time;
    if (!deletion_is_live(copy->deletion)) copy->deletion.timestamp = time - 1;
    struct cell *cells = ARENA_NEW_ARRAY(arena, struct cell, row->cell_count + 1u);
    for (uint32_t i = 0; i < row->cell_count; i++) {
        cells[i] = row->cells[i];
        cells[i].timestamp = cell_is_tombstone(&cells[i]) ? time - 1 : time;
    }
    struct complex_deletion *deletions =
        ARENA_NEW_ARRAY(arena, struct complex_deletion, row->complex_deletion_count + 1u);
    for (uint32_t i = 0; i < row->complex_deletion_count; i++) {
        deletions[i] = row->complex_deletions[i];
        deletions[i].deletion.timestamp = time - 1;
    }
    copy->cells = cells;
    copy->complex_deletions = deletions;
    return copy;
}

static void conditional_stamp(struct conditional_work *work, struct mutation *mutation)
{
    struct arena *arena = &work->execution->arena;
    int64_t time = work->cas.timestamp_us;
    if (!deletion_is_live(mutation->deletion)) mutation->deletion.timestamp = time - 1;
    if (mutation->static_row != NULL)
        mutation->static_row = conditional_stamp_row(work, mutation->static_row);
    struct row *rows = ARENA_NEW_ARRAY(arena, struct row, mutation->row_count + 1);
    for (size_t i = 0; i < mutation->row_count; i++)
        rows[i] = *conditional_stamp_row(work, &mutation->rows[i]);
    mutation->rows = rows;
    size_t count = mutation->range_deletion_count;
    struct range_deletion *deletions = ARENA_NEW_ARRAY(arena, struct range_deletion, count + 1);
    for (size_t i = 0; i < count; i++) {
        deletions[i] = mutation->range_deletions[i];
        deletions[i].deletion.timestamp = time - 1;
    }
    mutation->range_deletions = deletions;
}

static void conditional_fail(struct conditional_work *work)
{
    paxos_cas_cancel(&work->cas);
    execution_fail(work->execution);
}

static void conditional_done(struct paxos_cas *cas, const struct coordinator_result *result)
{
    struct conditional_work *work = CONTAINER_OF(cas, struct conditional_work, cas);
    struct execution *execution = work->execution;
    // The last try may have read what an earlier one had changed, and found that it did not pass.
    if (cas->is_decided) work->is_applied = true;
    if (result->outcome != COORDINATOR_OK && cas->is_uncertain &&
        execution->options->protocol_version >= 5) {
        cql_error_set(&execution->error, CQL_ERROR_CAS_WRITE_UNKNOWN,
                      "CAS operation result is unknown - proposal accepted by %d but not a quorum.",
                      result->received);
        execution->error.result = *result;
        execution_fail(execution);
    } else if (execution_check(execution, result, true, cas->is_committing ? "SIMPLE" : "CAS")) {
        trace_add(execution->trace, TRACE_THREAD_REQUEST,
                  work->is_applied ? "CAS applied successfully" : "CAS did not apply");
        conditional_answer(work);
    }
}

// What an earlier try proposed may be applied yet: then it is no read that timed out.
static void conditional_read_failed(struct conditional_work *work,
                                    const struct coordinator_result *result)
{
    if (!work->cas.is_uncertain) {
        (void)execution_check(work->execution, result, false, "CAS");
        return;
    }
    work->cas.result.outcome = COORDINATOR_TIMED_OUT;
    conditional_done(&work->cas, &work->cas.result);
}

static void conditional_read_done(struct coordinator_read *read,
                                  const struct coordinator_result *result)
{
    struct conditional_work *work = CONTAINER_OF(read, struct conditional_work, read);
    struct change_list changes = {0};
    if (result->outcome != COORDINATOR_OK) {
        paxos_cas_cancel(&work->cas);
        conditional_read_failed(work, result);
        return;
    }
    work->is_applied = true;
    for (size_t i = 0; i < work->part_count && work->is_applied; i++)
        if (work->parts[i].plan->is_conditional)
            work->is_applied = conditional_part_passes(work, &work->parts[i]);
    trace_add(work->execution->trace, TRACE_THREAD_REQUEST,
              work->is_applied ? "CAS precondition is met; proposing client-requested updates"
                               : "CAS precondition does not match current values");
    if (work->is_applied && !conditional_make_changes(work, &changes)) {
        conditional_fail(work);
        return;
    }
    for (size_t i = 0; i < changes.mutation_count; i++)
        conditional_stamp(work, &changes.mutations[i]);
    paxos_cas_propose(&work->cas, changes.mutations, changes.mutation_count);
}

// ---- Paxos --------------------------------------------------------------------------------------

static void conditional_ready(struct paxos_cas *cas)
{
    struct conditional_work *work = CONTAINER_OF(cas, struct conditional_work, cas);
    struct execution *execution = work->execution;
    work->read = (struct coordinator_read){
        .restart = conditional_restart,
        .consume = conditional_consume,
        .table = work->table,
        .keys = &work->key,
        .key_count = 1,
        .row_max = work->asks_rows ? (uint32_t)work->range_count : 1,
        .filter = {work->ranges, work->range_count, false, true},
        .now_s = execution->state->now_s,
    };
    trace_add(execution->trace, TRACE_THREAD_REQUEST,
              "Reading existing values for CAS precondition");
    execution_trace_begin(execution);
    coordinator_read_start(execution->processor->coordinator, &work->read, cas->read_consistency,
                           conditional_read_done);
    execution_trace_end(execution);
}

static void conditional_abandon(struct execution *execution)
{
    struct conditional_work *work = execution->state->work;
    coordinator_read_abandon(&work->read);
    paxos_cas_abandon(&work->cas);
}

// ---- The beginning ------------------------------------------------------------------------------

// ColumnConditions.addConditionsTo(): what is asked of the static row is no condition on the row
// that is changed.
static bool conditional_asks(const struct modification_plan *plan, enum column_kind kind)
{
    if (!plan->is_conditional) return false;
    if (plan->if_exists || plan->if_not_exists)
        return plan->is_of_static_row == (kind == COLUMN_STATIC);
    for (size_t i = 0; i < plan->condition_count; i++)
        if (plan->conditions[i].column->kind == kind) return true;
    return false;
}

static bool conditional_wants_row(const struct modification_plan *plan)
{
    if (plan->is_conditional && plan->is_of_static_row) return false;
    return conditional_asks(plan, COLUMN_REGULAR) || plan->reads_lists;
}

static bool conditional_refuse(struct conditional_work *work, const char *text)
{
    return cql_error_set(&work->execution->error, CQL_ERROR_INVALID, "%s", text);
}

// ConsistencyLevel.requireNetworkTopologyStrategy()
static bool conditional_check_each_quorum(const struct conditional_work *work)
{
    struct execution *execution = work->execution;
    const struct schema *schema = metadata_schema(execution->processor->metadata);
    const struct keyspace *keyspace = schema_find_keyspace(schema, work->table->keyspace);
    if (execution->options->consistency != CONSISTENCY_EACH_QUORUM || keyspace == NULL) return true;
    struct slice strategy = options_find(&keyspace->replication, "class");
    if (slice_equals(strategy,
                     slice_of_text("org.apache.cassandra.locator.NetworkTopologyStrategy")))
        return true;
    return cql_error_set(&execution->error, CQL_ERROR_INVALID,
                         "consistency level EACH_QUORUM not compatible with replication strategy "
                         "(%.*s)",
                         SLICE_TEXT(strategy));
}

static bool conditional_check_consistency(struct execution *execution)
{
    enum consistency commit = execution->options->consistency;
    enum consistency serial = execution->options->serial_consistency;
    if (serial != CONSISTENCY_SERIAL && serial != CONSISTENCY_LOCAL_SERIAL)
        return cql_error_set(&execution->error, CQL_ERROR_INVALID,
                             "Invalid consistency for conditional update. Must be one of SERIAL or "
                             "LOCAL_SERIAL");
    if (commit == CONSISTENCY_SERIAL || commit == CONSISTENCY_LOCAL_SERIAL)
        return cql_error_set(&execution->error, CQL_ERROR_INVALID,
                             "%s is not supported as conditional update commit consistency. Use "
                             "ANY if you mean \"make sure it is accepted but I don't care how many "
                             "replicas commit it for non-SERIAL reads\"",
                             consistency_text(commit));
    return true;
}

static bool conditional_bind_key(struct conditional_work *work, struct conditional_part *part)
{
    struct partition_key *keys;
    size_t count;
    bool is_deletion = part->plan->kind == MODIFICATION_DELETE;
    if (!restrictions_bind_keys(&part->plan->restrictions, &part->binding, &keys, &count))
        return false;
    if (part->plan->restrictions.keys_have_in && work->is_batch)
        return conditional_refuse(work, "Batch with conditions cannot span multiple partitions "
                                        "(you cannot use IN on the partition key)");
    if (part->plan->restrictions.keys_have_in)
        return conditional_refuse(
            work, is_deletion
                      ? "IN on the partition key is not supported with conditional deletions"
                      : "IN on the partition key is not supported with conditional updates");
    if (count != 1) return conditional_refuse(work, "A partition key is missing");
    if (slice_is_null(work->key.bytes)) work->key = keys[0];
    if (!slice_equals(work->key.bytes, keys[0].bytes))
        return conditional_refuse(work, "Batch with conditions cannot span multiple partitions");
    return true;
}

// CQL3CasRequest.addExistsCondition(), addConditions(): one row has conditions of one kind.
static bool conditional_check_mix(struct conditional_work *work,
                                  const struct conditional_part *part)
{
    const struct modification_plan *plan = part->plan;
    for (const struct conditional_part *other = work->parts; other < part; other++) {
        const struct modification_plan *before = other->plan;
        bool is_same_row =
            conditional_asks(plan, COLUMN_STATIC) && conditional_asks(before, COLUMN_STATIC);
        if (conditional_asks(plan, COLUMN_REGULAR) && conditional_asks(before, COLUMN_REGULAR) &&
            part->range_count > 0 && other->range_count > 0 &&
            clustering_compare(work->table, &part->ranges[0].start.prefix,
                               &other->ranges[0].start.prefix) == 0)
            is_same_row = true;
        if (!is_same_row ||
            (before->if_exists == plan->if_exists && before->if_not_exists == plan->if_not_exists))
            continue;
        if (!plan->if_exists && !plan->if_not_exists)
            return conditional_refuse(
                work, "Cannot mix IF conditions and IF NOT EXISTS for the same row");
        if (before->if_exists || before->if_not_exists)
            return conditional_refuse(
                work, "Cannot mix IF EXISTS and IF NOT EXISTS conditions for the same row");
        return conditional_refuse(
            work, plan->if_not_exists
                      ? "Cannot mix IF conditions and IF NOT EXISTS for the same row"
                      : "Cannot mix IF conditions and IF EXISTS for the same row");
    }
    return true;
}

static void conditional_note_columns(struct conditional_work *work,
                                     const struct modification_plan *plan, enum column_kind kind)
{
    for (size_t i = 0; i < plan->condition_count; i++) {
        const struct column *column = plan->conditions[i].column;
        if (column->kind == kind && !conditional_has_column(work, column))
            work->columns[work->column_count++] = column;
    }
}

static bool conditional_bind_conditions(struct conditional_work *work,
                                        struct conditional_part *part)
{
    const struct modification_plan *plan = part->plan;
    if (!plan->is_conditional) return true;
    if (plan->if_exists || plan->if_not_exists) work->shows_all = true;
    if (conditional_wants_row(plan)) work->asks_rows = true;
    part->conditions =
        ARENA_NEW_ARRAY(&work->execution->arena, struct bound_condition, plan->condition_count + 1);
    for (size_t i = 0; i < plan->condition_count; i++)
        if (!condition_bind(&plan->conditions[i], &part->binding, &part->conditions[i]))
            return false;
    conditional_note_columns(work, plan, COLUMN_REGULAR);
    conditional_note_columns(work, plan, COLUMN_STATIC);
    return conditional_check_mix(work, part);
}

static bool conditional_bind_part(struct conditional_work *work, struct conditional_part *part)
{
    const struct modification_plan *plan = part->plan;
    if (plan->kind == MODIFICATION_DELETE &&
        !job_guard_check(work->execution->processor, plan->table, "DELETE",
                         &work->execution->error))
        return false;
    if (!conditional_bind_key(work, part)) return false;
    if (plan->restrictions.clustering_has_in)
        return conditional_refuse(
            work, plan->kind == MODIFICATION_DELETE
                      ? "IN on the clustering key columns is not supported with conditional "
                        "deletions"
                      : "IN on the clustering key columns is not supported with conditional "
                        "updates");
    bool is_of_rows = plan->changes_rows || (plan->is_conditional && !plan->is_of_static_row);
    if (is_of_rows && !restrictions_bind_ranges(&plan->restrictions, &part->binding, &part->ranges,
                                                &part->range_count))
        return false;
    if (plan->static_count > 0) work->sets_static = true;
    if (plan->table->column_counts[COLUMN_CLUSTERING] == 0 || plan->restrictions.has_clustering)
        work->sets_rows = true;
    return conditional_bind_conditions(work, part);
}

// The rows to read: those of conditions and of lists that are to be changed.
static void conditional_choose_rows(struct conditional_work *work)
{
    struct arena *arena = &work->execution->arena;
    work->ranges = ARENA_NEW_ARRAY(arena, struct clustering_range, work->part_count + 1);
    for (size_t i = 0; i < work->part_count; i++) {
        const struct conditional_part *part = &work->parts[i];
        if (conditional_wants_row(part->plan) && part->range_count == 1)
            work->ranges[work->range_count++] = part->ranges[0];
    }
    if (work->asks_rows) {
        work->range_count = restrictions_sort_ranges(work->table, work->ranges, work->range_count);
    } else {
        work->ranges[0] = CLUSTERING_RANGE_ALL;
        work->range_count = 1;
    }
    work->rows = ARENA_NEW_ARRAY(arena, struct live_row, work->range_count + 1);
}

static bool conditional_prepare(struct conditional_work *work)
{
    struct arena *arena = &work->execution->arena;
    size_t room = 1;
    work->table = work->parts[0].plan->table;
    for (size_t i = 0; i < work->part_count; i++)
        room += work->parts[i].plan->condition_count;
    work->columns = ARENA_NEW_ARRAY(arena, const struct column *, room);
    if (!conditional_check_consistency(work->execution)) return false;
    for (size_t i = 0; i < work->part_count; i++)
        if (!conditional_bind_part(work, &work->parts[i])) return false;
    if (!conditional_check_each_quorum(work)) return false;
    conditional_choose_rows(work);
    uint16_t count = work->table->column_counts[COLUMN_PARTITION_KEY];
    work->components = ARENA_NEW_ARRAY(arena, struct slice, count);
    if (partition_key_split(work->key.bytes, count, work->components) != STATUS_OK)
        return conditional_refuse(work, "A partition key is malformed");
    if (work->execution->processor->paxos == NULL)
        return conditional_refuse(work, "Conditional updates (IF) are not served here");
    return true;
}

void execution_conditional_start(struct execution *execution,
                                 const struct modification_plan *const *plans,
                                 const struct binding *bindings, size_t count, bool is_batch)
{
    struct conditional_work *work = ARENA_NEW(&execution->arena, struct conditional_work);
    work->execution = execution;
    work->is_batch = is_batch;
    work->part_count = count;
    work->parts = ARENA_NEW_ARRAY(&execution->arena, struct conditional_part, count);
    for (size_t i = 0; i < count; i++) {
        work->parts[i].plan = plans[i];
        work->parts[i].binding = bindings[i];
    }
    if (!conditional_prepare(work)) {
        execution_fail(execution);
        return;
    }
    work->cas = (struct paxos_cas){
        .ready = conditional_ready,
        .done = conditional_done,
        .table = work->table,
        .key = work->key,
        .serial_consistency = execution->options->serial_consistency,
        .commit_consistency = execution->options->consistency,
    };
    execution->state->work = work;
    execution->state->abandon = conditional_abandon;
    paxos_cas_start(execution->processor->paxos, &work->cas);
}
