// Lists as they are, for operations by index or by value: they name cells by paths that only a read
// finds (org.apache.cassandra.cql3.statements.ModificationStatement.readRequiredLists).
//
//     plan 1: keys, rows --read--> contents;  plan 2 …;  all read --> go_on
#include "base/container_of.h"
#include "base/limits.h"
#include "cql/execution/execution.h"

struct lists_work {
    struct coordinator_read read; // Of plan `at`.
    struct execution *execution;
    const struct modification_plan *const *plans;
    const struct binding *bindings;
    size_t count, at;
    struct list_content *lists;
    size_t list_count, list_capacity;
    size_t first_list; // Of plan `at`.
    size_t size;       // Of what was kept, in bytes.
    bool is_too_large;
    void (*go_on)(struct execution *execution, void *context, const struct list_content *lists,
                  size_t list_count);
    void *context;
};

static void lists_restart(struct coordinator_read *read)
{
    struct lists_work *work = CONTAINER_OF(read, struct lists_work, read);
    work->list_count = work->first_list;
}

static struct list_content *lists_add(struct lists_work *work)
{
    if (work->list_count == work->list_capacity) {
        size_t capacity = work->list_capacity == 0 ? 4 : 2 * work->list_capacity;
        struct list_content *lists =
            ARENA_NEW_ARRAY(&work->execution->arena, struct list_content, capacity);
        if (work->list_count > 0) memcpy(lists, work->lists, work->list_count * sizeof *lists);
        work->lists = lists;
        work->list_capacity = capacity;
    }
    return &work->lists[work->list_count++];
}

static struct clustering lists_copy_clustering(struct lists_work *work,
                                               const struct clustering *clustering)
{
    struct arena *arena = &work->execution->arena;
    struct slice *values = ARENA_NEW_ARRAY(arena, struct slice, (size_t)clustering->count + 1);
    for (uint16_t i = 0; i < clustering->count; i++)
        values[i] = arena_copy(arena, clustering->values[i]);
    return (struct clustering){clustering->count, values};
}

static void lists_keep_cells(struct lists_work *work, struct list_content *list,
                             const struct live_row *row)
{
    struct arena *arena = &work->execution->arena;
    const struct cell *cells;
    list->count = live_row_cells(row, list->column->index, &cells);
    list->cells = ARENA_NEW_ARRAY(arena, struct cell, (size_t)list->count + 1);
    for (uint32_t i = 0; i < list->count; i++) {
        list->cells[i] = cells[i];
        list->cells[i].path = arena_copy(arena, cells[i].path);
        list->cells[i].value = arena_copy(arena, cells[i].value);
        work->size += sizeof cells[i] + cells[i].path.size + cells[i].value.size;
    }
}

// The lists of one row that the plan is about. `key` is one of those that are read.
static void lists_keep(struct lists_work *work, const struct partition_key *key,
                       const struct live_row *row, enum column_kind kind)
{
    const struct modification_plan *plan = work->plans[work->at];
    struct clustering clustering = {0, NULL};
    if (kind == COLUMN_REGULAR) clustering = lists_copy_clustering(work, &row->clustering);
    for (size_t i = 0; i < plan->operation_count; i++) {
        const struct column *column = plan->operations[i].column;
        if (column->type->kind != TYPE_LIST || column->kind != kind) continue;
        struct list_content *list = lists_add(work);
        *list = (struct list_content){.column = column, .key = *key, .clustering = clustering};
        lists_keep_cells(work, list, row);
    }
    if (work->size > CQL_BATCH_SIZE_MAX) work->is_too_large = true;
}

static const struct partition_key *lists_find_key(const struct lists_work *work,
                                                  const struct partition_key *key)
{
    for (size_t i = 0; i < work->read.key_count; i++)
        if (partition_key_compare(&work->read.keys[i], key) == 0) return &work->read.keys[i];
    return NULL;
}

static enum status lists_consume(struct coordinator_read *read,
                                 struct partition_iterator *partition, bool *enough)
{
    struct lists_work *work = CONTAINER_OF(read, struct lists_work, read);
    const struct partition_key *key = lists_find_key(work, &partition->key);
    struct live_rows rows;
    live_rows_init(&rows, partition, read->now_s, &read->arena);
    if (key != NULL && rows.has_static_row) lists_keep(work, key, &rows.static_row, COLUMN_STATIC);
    const struct live_row *row;
    enum status status = STATUS_END;
    if (read->filter.range_count > 0)
        while (!work->is_too_large && (status = live_rows_next(&rows, &row)) == STATUS_OK)
            if (key != NULL) lists_keep(work, key, row, COLUMN_REGULAR);
    *enough = work->is_too_large;
    return status;
}

static void lists_go_on(struct lists_work *work);

// What was read is there; or the execution has failed.
static bool lists_take_answer(struct lists_work *work, const struct coordinator_result *result)
{
    struct execution *execution = work->execution;
    execution->state->abandon = NULL;
    if (!execution_check(execution, result, false, "SIMPLE")) return false;
    work->at++;
    if (!work->is_too_large) return true;
    cql_error_set(&execution->error, CQL_ERROR_INVALID,
                  "The lists that are to be changed are too large to be read");
    execution_fail(execution);
    return false;
}

static void lists_done(struct coordinator_read *read, const struct coordinator_result *result)
{
    struct lists_work *work = CONTAINER_OF(read, struct lists_work, read);
    if (lists_take_answer(work, result)) lists_go_on(work);
}

static void lists_abandon(struct execution *execution)
{
    struct lists_work *work = execution->state->work;
    coordinator_read_abandon(&work->read);
}

static bool lists_bind(struct lists_work *work)
{
    const struct modification_plan *plan = work->plans[work->at];
    const struct binding *binding = &work->bindings[work->at];
    struct coordinator_read *read = &work->read;
    struct partition_key *keys;
    struct clustering_range *ranges = NULL;
    size_t key_count, range_count = 0;
    struct change_list counted = {0};
    if (!restrictions_bind_keys(&plan->restrictions, binding, &keys, &key_count) ||
        (plan->changes_rows &&
         !restrictions_bind_ranges(&plan->restrictions, binding, &ranges, &range_count)) ||
        !change_list_count_rows(&counted, binding, key_count, range_count))
        return false;
    *read = (struct coordinator_read){.restart = lists_restart, .consume = lists_consume};
    read->table = plan->table;
    read->keys = keys;
    read->key_count = key_count;
    read->filter = (struct partition_filter){ranges, range_count, false, true};
    read->now_s = work->execution->state->now_s;
    return work->execution->options->consistency != CONSISTENCY_ANY ||
           cql_error_set(&work->execution->error, CQL_ERROR_INVALID,
                         "Write operation require a read but consistency ANY is not supported on "
                         "reads");
}

// One plan after the other, until something has to be waited for, or to the end.
static void lists_go_on(struct lists_work *work)
{
    struct execution *execution = work->execution;
    for (;;) {
        while (work->at < work->count && !work->plans[work->at]->reads_lists)
            work->at++;
        if (work->at == work->count) break;
        if (!lists_bind(work)) {
            execution_fail(execution);
            return;
        }
        work->first_list = work->list_count;
        execution->state->work = work;
        execution->state->abandon = lists_abandon;
        bool is_empty = work->read.key_count == 0; // IN ()
        const struct coordinator_result nothing = {.outcome = COORDINATOR_OK};
        if (!is_empty && !coordinator_read_try(execution->processor->coordinator, &work->read,
                                               execution->options->consistency, lists_done))
            return;
        if (!lists_take_answer(work, is_empty ? &nothing : &work->read.result)) return;
    }
    work->go_on(execution, work->context, work->lists, work->list_count);
}

void execution_lists_read(struct execution *execution, const struct modification_plan *const *plans,
                          const struct binding *bindings, size_t count,
                          void (*go_on)(struct execution *execution, void *context,
                                        const struct list_content *lists, size_t list_count),
                          void *context)
{
    struct lists_work *work = ARENA_NEW(&execution->arena, struct lists_work);
    work->execution = execution;
    work->plans = plans;
    work->bindings = bindings;
    work->count = count;
    work->go_on = go_on;
    work->context = context;
    lists_go_on(work);
}
