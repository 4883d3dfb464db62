// SELECT bound to its table (org.apache.cassandra.cql3.statements.SelectStatement.RawStatement).
#include "cql/statement/plan.h"
#include "cql/statement/select_ann.h"

static bool select_analysis_refuse(struct analysis *analysis, const char *text)
{
    return cql_error_set(analysis->error, CQL_ERROR_INVALID, "%s", text);
}

static bool select_analysis_request(struct analysis *analysis, const struct column *column,
                                    bool seen[256])
{
    if (column->kind == COLUMN_CLUSTERING || column->kind == COLUMN_REGULAR)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "SELECT DISTINCT queries must only request partition key columns "
                             "and/or static columns (not %.*s)",
                             SLICE_TEXT(column->name));
    if (column->kind == COLUMN_PARTITION_KEY && column->index < 256) seen[column->index] = true;
    return true;
}

// All columns that a selector names, also as arguments.
static bool select_analysis_request_of(struct analysis *analysis, const struct cql_term *raw,
                                       bool seen[256])
{
    if (raw->kind == CQL_TERM_COLUMN) {
        const struct column *column = table_find_column(analysis->table, raw->value);
        return column == NULL || select_analysis_request(analysis, column, seen);
    }
    if (!analysis_go_deeper(analysis)) return false;
    bool is_ok = true;
    for (size_t i = 0; i < raw->item_count && is_ok; i++)
        is_ok = raw->items[i] == NULL || select_analysis_request_of(analysis, raw->items[i], seen);
    analysis->depth--;
    return is_ok;
}

static bool select_analysis_check_distinct(struct analysis *analysis,
                                           const struct cql_select *select,
                                           const struct select_plan *plan)
{
    const struct table *table = plan->table;
    const struct selection *selection = &plan->selection;
    for (size_t i = 0; i < plan->restrictions.filter_count; i++)
        if (plan->restrictions.filters[i]->columns[0]->kind != COLUMN_STATIC &&
            plan->restrictions.filters[i]->columns[0]->kind != COLUMN_PARTITION_KEY)
            return select_analysis_refuse(
                analysis,
                "SELECT DISTINCT with WHERE clause only supports restriction by partition "
                "key and/or static columns.");
    if (plan->restrictions.has_clustering)
        return select_analysis_refuse(
            analysis, "SELECT DISTINCT with WHERE clause only supports restriction by partition "
                      "key and/or static columns.");
    bool seen[256] = {false};
    for (uint16_t i = 0; i < selection->slot_count && select->selector_count == 0; i++)
        if (!select_analysis_request(analysis, selection->slots[i]->column, seen)) return false;
    for (size_t i = 0; i < select->selector_count; i++)
        if (!select_analysis_request_of(analysis, select->selectors[i].term, seen)) return false;
    for (uint16_t i = 0; i < table->column_counts[COLUMN_PARTITION_KEY] && i < 256; i++)
        if (!seen[i] && !plan->restrictions.keys_are_complete)
            return cql_error_set(
                analysis->error, CQL_ERROR_INVALID,
                "SELECT DISTINCT queries must request all the partition key columns (missing %.*s)",
                SLICE_TEXT(table->columns[COLUMN_PARTITION_KEY][i].name));
    return true;
}

static bool select_analysis_order(struct analysis *analysis, const struct cql_select *select,
                                  struct select_plan *plan)
{
    if (select->order_by_count == 0) return true;
    if (select_ann_is_wanted(select)) return select_ann_prepare(analysis, select, plan);
    if (plan->restrictions.uses_index)
        return select_analysis_refuse(
            analysis, "ORDER BY with 2ndary indexes is not supported, except for ANN queries.");
    if (!plan->restrictions.keys_are_complete)
        return select_analysis_refuse(
            analysis,
            "ORDER BY is only supported when the partition key is restricted by an EQ or an IN.");
    uint16_t next = 0, order_count = 0;
    bool reversed = false, is_first = true;
    const struct column **order =
        ARENA_NEW_ARRAY(analysis->arena, const struct column *, select->order_by_count);
    for (size_t i = 0; i < select->order_by_count; i++) {
        const struct column *column = analysis_find_column(analysis, select->order_by[i].column);
        if (column == NULL) return false;
        if (column->kind != COLUMN_CLUSTERING)
            return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                                 "Order by is currently only supported on the clustered columns of "
                                 "the PRIMARY KEY, got %.*s",
                                 SLICE_TEXT(column->name));
        // Columns bound by = may be left out, and one may be named again.
        bool is_repeated = false;
        for (uint16_t k = 0; k < order_count; k++)
            if (order[k] == column) is_repeated = true;
        if (is_repeated) continue;
        while (next < column->index && next < plan->restrictions.clustering_bound_count)
            next++;
        if (column->index != next)
            return select_analysis_refuse(
                analysis,
                "Order by currently only supports the ordering of columns following their "
                "declared order in the PRIMARY KEY");
        next++;
        order[order_count++] = column;
        bool is_turned = select->order_by[i].descending != column->reversed;
        if (!is_first && is_turned != reversed)
            return select_analysis_refuse(analysis, "Unsupported order by relation");
        reversed = is_turned;
        is_first = false;
    }
    plan->reversed = reversed;
    plan->order = order;
    plan->order_count = order_count;
    plan->orders_partitions = plan->restrictions.keys_have_in;
    // One row of an aggregate is in order.
    plan->needs_sort = plan->orders_partitions && (!plan->is_grouped || plan->has_group_by);
    return true;
}

// The columns that a function of GROUP BY is of: the first one, and how many there are.
static void select_analysis_columns_of(const struct selector *selector, const struct column **first,
                                       size_t *count)
{
    if (selector->kind == SELECTOR_COLUMN && (*count)++ == 0) *first = selector->column;
    for (size_t i = 0; i < selector->item_count; i++)
        if (selector->items[i] != NULL)
            select_analysis_columns_of(selector->items[i], first, count);
}

static bool select_analysis_group_function(struct analysis *analysis, const struct cql_term *term,
                                           const struct selector **function,
                                           const struct column **column)
{
    size_t count = 0;
    if (!selection_prepare_function(analysis, term, function)) return false;
    select_analysis_columns_of(*function, column, &count);
    if (count == 0)
        return select_analysis_refuse(
            analysis, "GROUP BY functions must have one clustering column name as parameter");
    if (count > 1)
        return select_analysis_refuse(
            analysis, "GROUP BY functions accept only one clustering column as parameter");
    if ((*column)->kind == COLUMN_CLUSTERING) return true;
    return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                         "Group by functions are only supported on clustering columns, got %.*s",
                         SLICE_TEXT((*column)->name));
}

static bool select_analysis_group_column(struct analysis *analysis, const struct cql_term *term,
                                         struct select_plan *plan, const struct column **column)
{
    bool is_function = term->kind != CQL_TERM_COLUMN;
    if (is_function &&
        !select_analysis_group_function(analysis, term, &plan->group_function, column))
        return false;
    if (is_function) return true;
    *column = analysis_find_column(analysis, term->value);
    if (*column == NULL) return false;
    if (plan->group_function == NULL) return true;
    return select_analysis_refuse(
        analysis, "Functions are only supported on the last element of the GROUP BY clause");
}

static bool select_analysis_group(struct analysis *analysis, const struct cql_select *select,
                                  struct select_plan *plan)
{
    const struct table *table = plan->table;
    const struct restrictions *restrictions = &plan->restrictions;
    uint16_t key_count = table->column_counts[COLUMN_PARTITION_KEY];
    uint16_t next = 0; // Of all key columns, the partition key's first.
    plan->is_grouped = plan->selection.is_aggregate || select->group_by_count > 0;
    plan->has_group_by = select->group_by_count > 0;
    for (size_t i = 0; i < select->group_by_count; i++) {
        const struct column *column = NULL;
        if (!select_analysis_group_column(analysis, select->group_by[i], plan, &column))
            return false;
        if (column->kind > COLUMN_CLUSTERING)
            return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                                 "Group by is currently only supported on the columns of the "
                                 "PRIMARY KEY, got %.*s",
                                 SLICE_TEXT(column->name));
        uint16_t place = column->kind == COLUMN_PARTITION_KEY
                             ? column->index
                             : (uint16_t)(key_count + column->index);
        // Columns bound by = may be left out.
        while (next < place) {
            bool is_bound = next < key_count
                                ? restrictions->keys[next] != NULL &&
                                      restrictions->keys[next]->kind == RESTRICTION_EQ
                                : next - key_count < restrictions->clustering_bound_count &&
                                      !restrictions->clustering_has_in;
            if (!is_bound) break;
            next++;
        }
        if (next != place)
            return select_analysis_refuse(
                analysis, "Group by currently only support groups of columns following their "
                          "declared order in the PRIMARY KEY");
        next++;
    }
    if (plan->has_group_by && next < key_count)
        return select_analysis_refuse(
            analysis, "Group by is not supported on only a part of the partition key");
    if (plan->has_group_by) plan->group_clustering_count = (uint16_t)(next - key_count);
    return true;
}

static bool select_analysis_limit(struct analysis *analysis, const struct cql_term *raw,
                                  const char *name, const struct term **limit)
{
    *limit = NULL;
    if (raw == NULL) return true;
    struct column_spec spec = {analysis->table->keyspace, analysis->table->name,
                               slice_of_text(name), type_of_kind(TYPE_INT)};
    return term_prepare(analysis, raw, &spec, limit); // Its value is looked at when it runs.
}

static bool select_analysis_check_limits(struct analysis *analysis, const struct cql_select *select,
                                         const struct select_plan *plan)
{
    if (select->per_partition_limit == NULL) return true;
    if (select->is_distinct)
        return select_analysis_refuse(
            analysis, "PER PARTITION LIMIT is not allowed with SELECT DISTINCT queries");
    if (plan->selection.is_aggregate && !plan->has_group_by)
        return select_analysis_refuse(analysis,
                                      "PER PARTITION LIMIT is not allowed with aggregate queries.");
    return true;
}

// Whether the static row is read: a column of it is wanted, or it makes a row of its own.
static bool select_analysis_wants_static(const struct select_plan *plan)
{
    const struct table *table = plan->table;
    return table->column_counts[COLUMN_STATIC] > 0;
}

// Static columns are asked for, by name or with all the others, and the rows by their whole names.
static bool select_analysis_may_read_static_alone(struct analysis *analysis,
                                                  const struct cql_select *select,
                                                  const struct select_plan *plan)
{
    const struct table *table = plan->table;
    if (table->column_counts[COLUMN_STATIC] == 0 ||
        plan->restrictions.clustering_bound_count < table->column_counts[COLUMN_CLUSTERING])
        return false;
    unsigned kinds = selection_kinds(analysis, select);
    for (size_t i = 0; i < plan->restrictions.filter_count; i++)
        kinds |= 1u << plan->restrictions.filters[i]->columns[0]->kind;
    return (kinds & 1u << COLUMN_STATIC) != 0 || (kinds & 1u << COLUMN_REGULAR) == 0;
}

// Whether anything is said about the partition key, be it about a part of it.
static bool select_analysis_restricts_key(const struct select_plan *plan)
{
    if (plan->restrictions.token != NULL) return true;
    for (uint16_t i = 0; i < plan->table->column_counts[COLUMN_PARTITION_KEY]; i++)
        if (plan->restrictions.keys[i] != NULL) return true;
    return false;
}

bool select_analysis_prepare(struct analysis *analysis, const struct cql_select *select,
                             struct select_plan *plan)
{
    *plan = (struct select_plan){0};
    plan->table = analysis_find_table(analysis, &select->table);
    if (plan->table == NULL) return false;
    analysis->table = plan->table;
    const struct keyspace *keyspace =
        analysis_lookup_keyspace(analysis->processor, plan->table->keyspace);
    plan->is_of_virtual_keyspace = keyspace != NULL && keyspace->is_virtual;
    bool may_filter = select->allow_filtering || plan->is_of_virtual_keyspace;
    bool only_static;
    if (!selection_find_static(analysis, select, &only_static)) return false;
    struct restrictions_options options = {RESTRICTIONS_SELECT, may_filter, only_static,
                                           select_ann_is_wanted(select)};
    // Of the other faults those of WHERE are told first.
    if (!restrictions_prepare(analysis, &select->where, &options, &plan->restrictions))
        return false;
    if (!selection_prepare(analysis, select, &plan->selection)) return false;
    if (!select_analysis_group(analysis, select, plan)) return false;
    if (!select_analysis_check_limits(analysis, select, plan)) return false;
    plan->is_distinct = select->is_distinct;
    if (select->is_distinct && !select_analysis_check_distinct(analysis, select, plan))
        return false;
    if (!select_analysis_order(analysis, select, plan)) return false;
    if (!select_analysis_limit(analysis, select->per_partition_limit, "[per_partition_limit]",
                               &plan->per_partition_limit) ||
        !select_analysis_limit(analysis, select->limit, "[limit]", &plan->limit))
        return false;
    if (!restrictions_check_scan(&plan->restrictions, may_filter, analysis->error)) return false;
    plan->with_static = select_analysis_wants_static(plan);
    plan->may_read_static_alone = select_analysis_may_read_static_alone(analysis, select, plan);
    bool is_system = plan->table->is_virtual;
    if (plan->is_grouped && !select_analysis_restricts_key(plan))
        plan->warning = "Aggregation query used without partition key";
    else if (plan->is_grouped && plan->restrictions.keys_have_in && !is_system)
        plan->warning = "Aggregation query used on multiple partition keys (IN restriction)";
    return true;
}
