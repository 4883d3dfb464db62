// Executing INSERT, UPDATE, DELETE and BATCH.
//
//     STARTED --lists are wanted--> READING (execution_lists.c) --read--> WRITING
//     STARTED ------------------------------------->  WRITING
//     WRITING --mutations are written--> INCREMENTING --increments are applied--> done
//
// A statement makes either mutations or increments; a batch of deletions and increments of counters
// makes both, one after the other.
#include "base/container_of.h"
#include "base/limits.h"
#include "cql/execution/execution.h"
#include "cql/execution/job_guard.h"
#include "cql/system/table_figures.h"

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
    execution_trace_begin(execution);
    coordinator_increment_start(execution->processor->coordinator, &work->increment,
                                work->list.updates, work->list.update_count,
                                execution->options->consistency, modification_increment_done);
    execution_trace_end(execution);
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
    execution_trace_begin(execution);
    (is_logged ? coordinator_write_logged : coordinator_write_start)(
        execution->processor->coordinator, &work->write, work->list.mutations,
        work->list.mutation_count, execution->options->consistency, modification_write_done);
    execution_trace_end(execution);
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

// ---- What may not be ----------------------------------------------------------------------------

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

// ---- Sizes of batches ---------------------------------------------------------------------------

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
                                           &work->list.mutations[k].key) != 0;
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

static void modification_count_batch(struct execution *execution,
                                     const struct modification_work *work)
{
    struct table_figures_set *figures = execution->processor->figures;
    if (figures == NULL) return;
    enum table_batch_kind kind = work->write_type[0] == 'B'   ? TABLE_BATCH_LOGGED
                                 : work->write_type[0] == 'U' ? TABLE_BATCH_UNLOGGED
                                                              : TABLE_BATCH_COUNTER;
    table_figures_note_batch(figures, kind, work->list.mutation_count + work->list.update_count);
}

// Of more than one mutation: warned about from 5 KiB on, refused from 50 KiB on
// (batch_size_warn_threshold, batch_size_fail_threshold). What tables of one keyspace have under
// one key is one mutation to Cassandra.
static bool modification_check_size(struct execution *execution,
                                    const struct modification_work *work)
{
    enum { WARN_SIZE = 5 * 1024, FAIL_SIZE = 50 * 1024 };
    modification_count_batch(execution, work);
    const struct mutation *mutations = work->list.mutations;
    size_t size = 0;
    bool is_one = true, is_one_table = true;
    for (size_t i = 0; i < work->list.mutation_count; i++) {
        size += modification_size(&mutations[i]);
        if (mutations[i].table != mutations[0].table) is_one_table = false;
        if (partition_key_compare(&mutations[i].key, &mutations[0].key) != 0 ||
            !slice_equals(mutations[i].table->keyspace, mutations[0].table->keyspace))
            is_one = false;
    }
    if (is_one || size <= WARN_SIZE) return true;
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

// ---- Statements that need lists as they are -----------------------------------------------------

// One, or those of a batch.
struct modification_parts {
    const struct modification_plan *const *plans;
    const struct binding *bindings;
    size_t count;
    int64_t timestamp;
    const char *write_type;
};

static bool modification_collect_parts(struct execution *execution,
                                       const struct modification_parts *parts,
                                       const struct change_options *options,
                                       struct modification_work *work)
{
    for (size_t i = 0; i < parts->count; i++)
        if (!modification_check_job(execution, parts->plans[i]) ||
            !change_list_add(&work->list, parts->plans[i], &parts->bindings[i], options))
            return false;
    bool is_batch = strcmp(parts->write_type, "SIMPLE") != 0;
    if (is_batch && !modification_check_size(execution, work)) return false;
    if (is_batch)
        modification_warn_partitions(execution, work, strcmp(parts->write_type, "BATCH") == 0);
    return true;
}

static void modification_lists_are_read(struct execution *execution, void *context,
                                        const struct list_content *lists, size_t list_count)
{
    const struct modification_parts *parts = context;
    struct modification_work *work = modification_new_work(execution, parts->write_type);
    struct change_options options = {parts->timestamp, execution->state->now_s, lists, list_count};
    if (modification_collect_parts(execution, parts, &options, work))
        modification_write(work);
    else
        execution_fail(execution);
}

static void modification_parts_start(struct execution *execution,
                                     const struct modification_plan *const *plans,
                                     const struct binding *bindings, size_t count,
                                     int64_t timestamp, const char *write_type)
{
    struct arena *arena = &execution->arena;
    const struct modification_plan **copies =
        ARENA_NEW_ARRAY(arena, const struct modification_plan *, count);
    memcpy(copies, plans, count * sizeof(*copies));
    struct modification_parts *parts = ARENA_NEW(arena, struct modification_parts);
    *parts = (struct modification_parts){copies, bindings, count, timestamp, write_type};
    execution_lists_read(execution, copies, bindings, count, modification_lists_are_read, parts);
}

// ---- One statement ------------------------------------------------------------------------------

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
        modification_parts_start(execution, &plan, &execution->state->binding, 1, timestamp,
                                 "SIMPLE");
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

static const char *modification_write_type(enum cql_batch_type type)
{
    return type == CQL_BATCH_LOGGED     ? "BATCH"
           : type == CQL_BATCH_UNLOGGED ? "UNLOGGED_BATCH"
                                        : "COUNTER";
}

static bool modification_reads_lists(const struct modification_plan *const *plans, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (plans[i]->reads_lists) return true;
    return false;
}

// All parts of the statement have its values.
static const struct binding *modification_repeat_binding(struct execution *execution, size_t count)
{
    struct binding *bindings = ARENA_NEW_ARRAY(&execution->arena, struct binding, count);
    for (size_t i = 0; i < count; i++)
        bindings[i] = execution->state->binding;
    return bindings;
}

void execution_batch_start(struct execution *execution)
{
    const struct batch_plan *plan = &execution->statement->plan->batch;
    if (plan->is_conditional) {
        execution_conditional_start(execution, plan->parts,
                                    modification_repeat_binding(execution, plan->part_count),
                                    plan->part_count, true);
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
    if (is_ok && modification_reads_lists(plan->parts, plan->part_count)) {
        modification_parts_start(
            execution, plan->parts, modification_repeat_binding(execution, plan->part_count),
            plan->part_count, options.timestamp_us, modification_write_type(plan->type));
        return;
    }
    for (size_t i = 0; i < plan->part_count && is_ok; i++)
        is_ok = modification_check_job(execution, plan->parts[i]) &&
                change_list_add(&work->list, plan->parts[i], &execution->state->binding, &options);
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

// Of all entries; NULL: the execution has failed.
static const struct binding *modification_bind_entries(struct execution *execution,
                                                       const struct batch_entry *entries,
                                                       size_t count)
{
    struct binding *bindings = ARENA_NEW_ARRAY(&execution->arena, struct binding, count + 1);
    for (size_t i = 0; i < count; i++) {
        if (modification_bind_entry(execution, &entries[i], &bindings[i])) continue;
        execution_fail(execution);
        return NULL;
    }
    return bindings;
}

static bool modification_add_entry(struct execution *execution, struct modification_work *work,
                                   const struct batch_entry *entry,
                                   const struct change_options *options)
{
    const struct modification_plan *plan = &entry->statement->plan->modification;
    struct binding binding;
    if (!modification_bind_entry(execution, entry, &binding)) return false;
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
        const struct binding *bindings = modification_bind_entries(execution, entries, count);
        if (bindings != NULL) execution_conditional_start(execution, plans, bindings, count, true);
        return;
    }
    if (is_ok && modification_reads_lists(plans, count)) {
        const struct binding *bindings = modification_bind_entries(execution, entries, count);
        if (bindings != NULL)
            modification_parts_start(execution, plans, bindings, count,
                                     modification_timestamp(execution),
                                     modification_write_type(batch_type));
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
