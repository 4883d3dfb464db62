// Executing INSERT, UPDATE, DELETE and BATCH.
//
//     STARTED --lists are wanted--> READING --read--> WRITING
//     STARTED ------------------------------------->  WRITING
//     WRITING --mutations are written--> INCREMENTING --increments are applied--> done
//
// A statement makes either mutations or increments; a batch of deletions and increments of counters
// makes both, one after the other.
#include "base/container_of.h"
#include "base/limits.h"
#include "cql/execution/execution.h"
#include "cql/execution/job_guard.h"

struct modification_work {
    struct execution *execution;
    const char *write_type;
    struct change_list list;
    struct coordinator_write write;
    struct coordinator_increment increment;
};

// ---- Writing ------------------------------------------------------------------------------------

static void modification_increment_done(struct coordinator_increment *increment,
                                        const struct coordinator_result *result)
{
    struct modification_work *work = CONTAINER_OF(increment, struct modification_work, increment);
    if (execution_check(work->execution, result, true, "COUNTER"))
        execution_succeed(work->execution, RESULT_VOID);
}

static void modification_abandon_increment(struct execution *execution)
{
    struct modification_work *work = execution->state->work;
    coordinator_increment_abandon(&work->increment);
}

static void modification_increment(struct modification_work *work)
{
    struct execution *execution = work->execution;
    if (work->list.update_count == 0) {
        execution_succeed(execution, RESULT_VOID);
        return;
    }
    execution->state->abandon = modification_abandon_increment;
    coordinator_increment_start(execution->processor->coordinator, &work->increment,
                                work->list.updates, work->list.update_count,
                                execution->options->consistency, modification_increment_done);
}

static void modification_write_done(struct coordinator_write *write,
                                    const struct coordinator_result *result)
{
    struct modification_work *work = CONTAINER_OF(write, struct modification_work, write);
    const char *write_type = result->at_batch_log ? "BATCH_LOG" : work->write_type;
    if (execution_check(work->execution, result, true, write_type)) modification_increment(work);
}

static void modification_write(struct modification_work *work)
{
    struct execution *execution = work->execution;
    if (work->list.mutation_count == 0) {
        modification_increment(work);
        return;
    }
    bool is_logged = strcmp(work->write_type, "BATCH") == 0;
    (is_logged ? coordinator_write_logged : coordinator_write_start)(
        execution->processor->coordinator, &work->write, work->list.mutations,
        work->list.mutation_count, execution->options->consistency, modification_write_done);
}

static struct modification_work *modification_new_work(struct execution *execution,
                                                       const char *write_type)
{
    struct modification_work *work = arena_alloc(&execution->arena, sizeof *work);
    work->execution = execution;
    work->write_type = write_type;
    work->list = (struct change_list){0};
    execution->state->work = work;
    return work;
}

static int64_t modification_timestamp(struct execution *execution)
{
    const struct query_options *options = execution->options;
    if (options->has_timestamp) return options->timestamp_us;
    int64_t asked_us = execution->state->asked_us;
    return asked_us != 0 ? asked_us : execution_next_timestamp(execution->processor);
}

// ---- Reading lists before they are changed ------------------------------------------------------

struct modification_read {
    struct coordinator_read read;
    struct execution *execution;
    const struct modification_plan *plan;
    struct partition_key *keys;
    struct clustering_range *ranges;
    struct list_content *lists;
    size_t list_count;
    int64_t timestamp;
};

static void modification_read_restart(struct coordinator_read *read)
{
    struct modification_read *work = CONTAINER_OF(read, struct modification_read, read);
    for (size_t i = 0; i < work->list_count; i++)
        work->lists[i].count = 0;
}

static void modification_keep_lists(struct modification_read *work, const struct live_row *row,
                                    enum column_kind kind)
{
    struct arena *arena = &work->execution->arena;
    for (size_t i = 0; i < work->list_count; i++) {
        struct list_content *list = &work->lists[i];
        if (list->column->kind != kind) continue;
        const struct cell *cells;
        list->count = live_row_cells(row, list->column->index, &cells);
        list->cells = ARENA_NEW_ARRAY(arena, struct cell, (size_t)list->count + 1);
        for (uint32_t k = 0; k < list->count; k++) {
            list->cells[k] = cells[k];
            list->cells[k].path = arena_copy(arena, cells[k].path);
            list->cells[k].value = arena_copy(arena, cells[k].value);
        }
    }
}

static enum status modification_read_consume(struct coordinator_read *read,
                                             struct partition_iterator *partition, bool *enough)
{
    struct modification_read *work = CONTAINER_OF(read, struct modification_read, read);
    struct live_rows rows;
    live_rows_init(&rows, partition, read->now_s, &read->arena);
    if (rows.has_static_row) modification_keep_lists(work, &rows.static_row, COLUMN_STATIC);
    const struct live_row *row;
    enum status status = STATUS_END;
    if (read->filter.range_count > 0) status = live_rows_next(&rows, &row);
    if (status == STATUS_OK) modification_keep_lists(work, row, COLUMN_REGULAR);
    *enough = status == STATUS_OK || status == STATUS_END;
    return status;
}

static void modification_read_done(struct coordinator_read *read,
                                   const struct coordinator_result *result)
{
    struct modification_read *work = CONTAINER_OF(read, struct modification_read, read);
    struct execution *execution = work->execution;
    execution->state->abandon = NULL;
    if (!execution_check(execution, result, false, "SIMPLE")) return;
    struct modification_work *write = modification_new_work(execution, "SIMPLE");
    struct change_options options = {work->timestamp, execution->state->now_s, work->lists,
                                     work->list_count};
    if (!change_list_add(&write->list, work->plan, &execution->state->binding, &options)) {
        execution_fail(execution);
        return;
    }
    modification_write(write);
}

static void modification_abandon_read(struct execution *execution)
{
    struct modification_read *work = execution->state->work;
    coordinator_read_abandon(&work->read);
}

static void modification_read_start(struct execution *execution,
                                    const struct modification_plan *plan, int64_t timestamp)
{
    struct modification_read *work = ARENA_NEW(&execution->arena, struct modification_read);
    const struct binding *binding = &execution->state->binding;
    size_t key_count, range_count = 0;
    work->execution = execution;
    work->plan = plan;
    work->timestamp = timestamp;
    bool is_ok = restrictions_bind_keys(&plan->restrictions, binding, &work->keys, &key_count) &&
                 (!plan->changes_rows || restrictions_bind_ranges(&plan->restrictions, binding,
                                                                  &work->ranges, &range_count));
    if (is_ok && (key_count > 1 || range_count > 1))
        is_ok = cql_error_set(&execution->error, CQL_ERROR_INVALID,
                              "Changing list elements of several rows at once is not supported by "
                              "Helenus yet");
    if (!is_ok) {
        execution_fail(execution);
        return;
    }
    work->lists = ARENA_NEW_ARRAY(&execution->arena, struct list_content, plan->operation_count);
    for (size_t i = 0; i < plan->operation_count; i++)
        if (plan->operations[i].column->type->kind == TYPE_LIST)
            work->lists[work->list_count++].column = plan->operations[i].column;
    work->read.restart = modification_read_restart;
    work->read.consume = modification_read_consume;
    work->read.table = plan->table;
    work->read.keys = work->keys;
    work->read.key_count = key_count;
    work->read.filter = (struct partition_filter){work->ranges, range_count, false, true};
    work->read.now_s = execution->state->now_s;
    execution->state->work = work;
    execution->state->abandon = modification_abandon_read;
    coordinator_read_start(execution->processor->coordinator, &work->read,
                           execution->options->consistency, modification_read_done);
}

// ---- One statement ------------------------------------------------------------------------------

static bool modification_check_job(struct execution *execution,
                                   const struct modification_plan *plan)
{
    return plan->kind != MODIFICATION_DELETE ||
           job_guard_check(execution->processor, plan->table, "DELETE", &execution->error);
}

static bool modification_check_consistency(struct execution *execution,
                                           const struct modification_plan *plan)
{
    enum consistency consistency = execution->options->consistency;
    if (consistency == CONSISTENCY_SERIAL || consistency == CONSISTENCY_LOCAL_SERIAL)
        return cql_error_set(&execution->error, CQL_ERROR_INVALID, "%s",
                             plan->table->is_counter
                                 ? "Counter operations are inherently non-serializable"
                                 : "You must use conditional updates for serializable writes");
    if (consistency == CONSISTENCY_ANY && plan->table->is_counter)
        return cql_error_set(&execution->error, CQL_ERROR_INVALID,
                             "Consistency level ANY is not yet supported for counter table %.*s",
                             SLICE_TEXT(plan->table->name));
    return true;
}

void execution_modification_start(struct execution *execution)
{
    const struct modification_plan *plan = &execution->statement->plan->modification;
    if (plan->is_conditional) {
        execution_conditional_start(execution, &plan, &execution->state->binding, 1, false);
        return;
    }
    if (!modification_check_consistency(execution, plan) ||
        !modification_check_job(execution, plan)) {
        execution_fail(execution);
        return;
    }
    int64_t timestamp = modification_timestamp(execution);
    if (plan->reads_lists) {
        modification_read_start(execution, plan, timestamp);
        return;
    }
    struct modification_work *work = modification_new_work(execution, "SIMPLE");
    struct change_options options = {timestamp, execution->state->now_s, NULL, 0};
    if (change_list_add(&work->list, plan, &execution->state->binding, &options))
        modification_write(work);
    else
        execution_fail(execution);
}

// ---- BATCH --------------------------------------------------------------------------------------

static bool modification_refuse_lists(struct execution *execution)
{
    return cql_error_set(&execution->error, CQL_ERROR_INVALID,
                         "Changing list elements by value or index in a batch is not supported by "
                         "Helenus yet");
}

static void modification_warn_partitions(struct execution *execution,
                                         const struct modification_work *work, bool is_logged)
{
    size_t count = 0;
    if (is_logged) return;
    // Mutations of one partition that follow each other are one; that is how batches are written.
    for (size_t i = 0; i < work->list.mutation_count; i++) {
        bool is_new = true;
        for (size_t k = 0; k < i && is_new && i < 64; k++)
            is_new = partition_key_compare(&work->list.mutations[i].key,
                                           &work->list.mutations[k].key) != 0 ||
                     work->list.mutations[i].table != work->list.mutations[k].table;
        if (is_new) count++;
    }
    if (count <= 10) return;
    const struct table *table = work->list.mutations[0].table;
    execution_add_warning(
        execution,
        arena_format(&execution->arena,
                     "Unlogged batch covering %zu partitions detected against table [%.*s.%.*s]. "
                     "You should use a logged batch for atomicity, or asynchronous writes for "
                     "performance.",
                     count, (int)table->keyspace.size, (const char *)table->keyspace.data,
                     (int)table->name.size, (const char *)table->name.data));
}

// Roughly Mutation.dataSize().
static size_t modification_size(const struct mutation *mutation)
{
    enum { OF_CELL = 16, OF_ROW = 20, OF_PARTITION = 33 };
    size_t size = OF_PARTITION;
    const struct table *table = mutation->table;
    for (size_t i = 0; i <= mutation->row_count; i++) {
        bool is_static = i == mutation->row_count;
        const struct row *row = is_static ? mutation->static_row : &mutation->rows[i];
        if (row == NULL) continue;
        if (!is_static) size += OF_ROW;
        for (uint16_t k = 0; k < row->clustering.count; k++)
            size += row->clustering.values[k].size;
        const struct column *columns = table->columns[is_static ? COLUMN_STATIC : COLUMN_REGULAR];
        for (uint32_t k = 0; k < row->cell_count; k++)
            size += columns[row->cells[k].column].name.size + OF_CELL + row->cells[k].value.size +
                    row->cells[k].path.size;
    }
    return size;
}

// Of more than one partition: warned about from 5 KiB on, refused from 50 KiB on
// (batch_size_warn_threshold, batch_size_fail_threshold).
static bool modification_check_size(struct execution *execution,
                                    const struct modification_work *work)
{
    enum { WARN_SIZE = 5 * 1024, FAIL_SIZE = 50 * 1024 };
    const struct mutation *mutations = work->list.mutations;
    size_t size = 0;
    bool is_one = true, is_one_table = true;
    for (size_t i = 0; i < work->list.mutation_count; i++) {
        size += modification_size(&mutations[i]);
        if (mutations[i].table != mutations[0].table) is_one_table = false;
        if (partition_key_compare(&mutations[i].key, &mutations[0].key) != 0) is_one = false;
    }
    if ((is_one && is_one_table) || size <= WARN_SIZE) return true;
    if (size > FAIL_SIZE)
        return cql_error_set(&execution->error, CQL_ERROR_INVALID, "Batch too large");
    const struct table *table = mutations[0].table;
    execution_add_warning(
        execution,
        arena_format(&execution->arena,
                     "Batch for [%.*s.%.*s%s] is of size %zu, exceeding specified threshold of %d "
                     "by %zu.",
                     (int)table->keyspace.size, (const char *)table->keyspace.data,
                     (int)table->name.size, (const char *)table->name.data,
                     is_one_table ? "" : ", ...", size, WARN_SIZE, size - WARN_SIZE));
    return true;
}

static const char *modification_write_type(enum cql_batch_type type)
{
    return type == CQL_BATCH_LOGGED     ? "BATCH"
           : type == CQL_BATCH_UNLOGGED ? "UNLOGGED_BATCH"
                                        : "COUNTER";
}

static void modification_conditional_batch(struct execution *execution)
{
    const struct batch_plan *plan = &execution->statement->plan->batch;
    struct binding *bindings = ARENA_NEW_ARRAY(&execution->arena, struct binding, plan->part_count);
    for (size_t i = 0; i < plan->part_count; i++)
        bindings[i] = execution->state->binding;
    execution_conditional_start(execution, plan->parts, bindings, plan->part_count, true);
}

void execution_batch_start(struct execution *execution)
{
    const struct batch_plan *plan = &execution->statement->plan->batch;
    if (plan->is_conditional) {
        modification_conditional_batch(execution);
        return;
    }
    struct modification_work *work =
        modification_new_work(execution, modification_write_type(plan->type));
    struct change_options options = {modification_timestamp(execution), execution->state->now_s,
                                     NULL, 0};
    bool is_ok = true;
    // The batch's own timestamp stands for that of each part.
    struct modification_plan timestamp_only = {.timestamp = plan->timestamp};
    if (plan->timestamp != NULL)
        is_ok = change_list_bind_timestamp(&timestamp_only, &execution->state->binding,
                                           &options.timestamp_us);
    for (size_t i = 0; i < plan->part_count && is_ok; i++) {
        if (plan->parts[i]->reads_lists)
            is_ok = modification_refuse_lists(execution);
        else
            is_ok =
                modification_check_job(execution, plan->parts[i]) &&
                change_list_add(&work->list, plan->parts[i], &execution->state->binding, &options);
    }
    if (!is_ok || !modification_check_size(execution, work)) {
        execution_fail(execution);
        return;
    }
    modification_warn_partitions(execution, work, plan->type == CQL_BATCH_LOGGED);
    modification_write(work);
}

static bool modification_check_entry(struct execution *execution, const struct batch_entry *entry)
{
    return entry->value_count == entry->statement->marker_count ||
           cql_error_set(&execution->error, CQL_ERROR_INVALID,
                         "There were %d markers(?) in CQL but %zu bound variables",
                         entry->statement->marker_count, entry->value_count);
}

static bool modification_bind_entry(struct execution *execution, const struct batch_entry *entry,
                                    struct binding *binding)
{
    const struct statement *statement = entry->statement;
    if (!modification_check_entry(execution, entry)) return false;
    *binding = execution->state->binding;
    binding->values = entry->values;
    const struct json_insert *inserts = statement->plan->json_inserts;
    return inserts == NULL || json_insert_bind(inserts, statement->marker_count, binding);
}

static void modification_conditional_entries(struct execution *execution,
                                             const struct batch_entry *entries,
                                             const struct modification_plan *const *plans,
                                             size_t count)
{
    struct binding *bindings = ARENA_NEW_ARRAY(&execution->arena, struct binding, count);
    for (size_t i = 0; i < count; i++) {
        if (modification_bind_entry(execution, &entries[i], &bindings[i])) continue;
        execution_fail(execution);
        return;
    }
    execution_conditional_start(execution, plans, bindings, count, true);
}

static bool modification_add_entry(struct execution *execution, struct modification_work *work,
                                   const struct batch_entry *entry,
                                   const struct change_options *options)
{
    const struct modification_plan *plan = &entry->statement->plan->modification;
    struct binding binding;
    if (!modification_bind_entry(execution, entry, &binding)) return false;
    if (plan->reads_lists) return modification_refuse_lists(execution);
    if (!modification_check_job(execution, plan)) return false;
    return change_list_add(&work->list, plan, &binding, options);
}

void execution_entries_start(struct execution *execution, int type,
                             const struct batch_entry *entries, size_t count)
{
    enum cql_batch_type batch_type = type == 0   ? CQL_BATCH_LOGGED
                                     : type == 1 ? CQL_BATCH_UNLOGGED
                                                 : CQL_BATCH_COUNTER;
    struct modification_work *work =
        modification_new_work(execution, modification_write_type(batch_type));
    const struct modification_plan **plans =
        ARENA_NEW_ARRAY(&execution->arena, const struct modification_plan *, count + 1);
    bool is_ok = true, is_conditional = false;
    for (size_t i = 0; i < count && is_ok; i++) {
        if (entries[i].statement->kind != STATEMENT_MODIFICATION)
            is_ok = cql_error_set(&execution->error, CQL_ERROR_INVALID,
                                  "Invalid statement in batch: only UPDATE, INSERT and DELETE "
                                  "statements are allowed.");
        else
            plans[i] = &entries[i].statement->plan->modification;
        if (is_ok && plans[i]->is_conditional) is_conditional = true;
    }
    is_ok = is_ok && batch_analysis_check(batch_type, false, plans, count, &execution->error);
    if (is_ok && is_conditional) {
        modification_conditional_entries(execution, entries, plans, count);
        return;
    }
    struct change_options options = {modification_timestamp(execution), execution->state->now_s,
                                     NULL, 0};
    for (size_t i = 0; i < count && is_ok; i++)
        is_ok = modification_add_entry(execution, work, &entries[i], &options);
    if (!is_ok || !modification_check_size(execution, work)) {
        execution_fail(execution);
        return;
    }
    modification_warn_partitions(execution, work, batch_type == CQL_BATCH_LOGGED);
    modification_write(work);
}
