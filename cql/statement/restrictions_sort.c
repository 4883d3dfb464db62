// What the restrictions of a WHERE are good for: keys, ranges of rows, an index, filters.
#include "cql/statement/index_choice.h"
#include "cql/statement/restrictions_internal.h"

#define ALLOW_FILTERING_TEXT                                                                       \
    "Cannot execute this query as it might involve data filtering and thus may have "              \
    "unpredictable performance. If you want to execute this query despite the performance "        \
    "unpredictability, use ALLOW FILTERING"

static const char *restrictions_statement_name(enum restrictions_use use)
{
    static const char *const names[] = {"SELECT", "UPDATE", "DELETE"};
    return names[use];
}

// ---- Keys ---------------------------------------------------------------------------------------

static void restrictions_add_filter(struct restrictions *restrictions,
                                    const struct restriction *restriction)
{
    restrictions->filters[restrictions->filter_count++] = restriction;
}

static void restrictions_add_indexed(struct restrictions *restrictions,
                                     const struct restriction *restriction)
{
    restrictions->indexed[restrictions->indexed_count++] = restriction;
}

static bool restrictions_refuse_missing(struct gathering *gathering, const char *what,
                                        const struct column *columns, uint16_t count,
                                        const bool *is_bound)
{
    struct buffer names;
    buffer_init(&names, CQL_ERROR_TEXT_SIZE);
    for (uint16_t i = 0; i < count; i++)
        if (!is_bound[i])
            buffer_put_format(&names, "%s%.*s", names.size == 0 ? "" : ", ",
                              SLICE_TEXT(columns[i].name));
    cql_error_set(gathering->analysis->error, CQL_ERROR_INVALID, "Some %s are missing: %.*s", what,
                  (int)names.size, names.data == NULL ? "" : (const char *)names.data);
    buffer_deinit(&names);
    return false;
}

static bool restrictions_sort_keys(struct gathering *gathering, struct restrictions *restrictions)
{
    const struct table *table = restrictions->table;
    uint16_t count = table->column_counts[COLUMN_PARTITION_KEY];
    struct analysis *analysis = gathering->analysis;
    bool *is_bound = ARENA_NEW_ARRAY(analysis->arena, bool, count);
    bool has_any = false, has_slice = false, has_all = true;
    restrictions->keys = ARENA_NEW_ARRAY(analysis->arena, const struct restriction *, count);
    for (size_t i = 0; i < gathering->count; i++) {
        const struct restriction *item = &gathering->items[i];
        if (item->is_token) restrictions->token = item;
        if (item->is_token || item->columns[0]->kind != COLUMN_PARTITION_KEY) continue;
        has_any = true;
        restrictions->keys[item->columns[0]->index] = item;
        is_bound[item->columns[0]->index] = true;
        if (item->kind == RESTRICTION_IN) restrictions->keys_have_in = true;
        if (item->kind > RESTRICTION_IN) has_slice = true;
    }
    for (uint16_t i = 0; i < count; i++)
        if (!is_bound[i]) has_all = false;
    bool is_select = gathering->options->use == RESTRICTIONS_SELECT;
    const char *name = restrictions_statement_name(gathering->options->use);
    if (!is_select && restrictions->token != NULL)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "The token function cannot be used in WHERE clauses for %s statements",
                             name);
    if (!is_select && !has_all)
        return restrictions_refuse_missing(gathering, "partition key parts",
                                           table->columns[COLUMN_PARTITION_KEY], count, is_bound);
    if (!is_select && has_slice)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Only EQ and IN relation are supported on the partition key (unless "
                             "you use the token() function) for %s statements",
                             name);
    restrictions->keys_are_complete = has_all && !has_slice && restrictions->token == NULL;
    if (!has_any && restrictions->token == NULL) restrictions->uses_index = restrictions->has_index;
    if (restrictions->keys_are_complete || !has_any) return true;
    bool needs_filtering = !(has_all && !has_slice && restrictions->token != NULL);
    if (!gathering->options->allow_filtering && !restrictions->has_index && needs_filtering)
        return restrictions_refuse(gathering, ALLOW_FILTERING_TEXT);
    if (needs_filtering) restrictions->uses_index = restrictions->has_index;
    for (uint16_t i = 0; i < count; i++) {
        if (restrictions->keys[i] == NULL) continue;
        restrictions_add_filter(restrictions, restrictions->keys[i]);
        if (needs_filtering) restrictions_add_indexed(restrictions, restrictions->keys[i]);
    }
    return true;
}

// The restriction whose first column is clustering column `index`; NULL when there is none.
static const struct restriction *restrictions_at(const struct gathering *gathering, uint16_t index)
{
    for (size_t i = 0; i < gathering->count; i++) {
        const struct restriction *item = &gathering->items[i];
        if (!item->is_token && item->columns[0]->kind == COLUMN_CLUSTERING &&
            item->columns[0]->index == index)
            return item;
    }
    return NULL;
}

// Takes from the first column on what makes ranges; `*rest` is the first column not reached.
static void restrictions_take_ranges(struct gathering *gathering, struct restrictions *restrictions,
                                     uint16_t *rest)
{
    uint16_t count = restrictions->table->column_counts[COLUMN_CLUSTERING];
    uint16_t index = 0;
    while (index < count) {
        const struct restriction *item = restrictions_at(gathering, index);
        if (item == NULL || item->kind == RESTRICTION_CONTAINS) break;
        restrictions->clustering[restrictions->clustering_count++] = item;
        index = (uint16_t)(index + item->column_count);
        if (item->kind == RESTRICTION_IN) restrictions->clustering_has_in = true;
        if (item->kind == RESTRICTION_SLICE) {
            restrictions->clustering_has_slice = true;
            break;
        }
        restrictions->clustering_bound_count = index;
    }
    *rest = index;
}

static bool restrictions_check_order(struct gathering *gathering,
                                     const struct restrictions *restrictions)
{
    const struct table *table = restrictions->table;
    uint16_t expected = 0;
    for (uint16_t i = 0; i < table->column_counts[COLUMN_CLUSTERING]; i++) {
        const struct restriction *item = restrictions_at(gathering, i);
        if (item == NULL) continue;
        if (i != expected)
            return cql_error_set(
                gathering->analysis->error, CQL_ERROR_INVALID,
                "PRIMARY KEY column \"%.*s\" cannot be restricted as preceding column \"%.*s\" is "
                "not restricted",
                SLICE_TEXT(item->columns[0]->name),
                SLICE_TEXT(table->columns[COLUMN_CLUSTERING][expected].name));
        expected = (uint16_t)(i + item->column_count);
    }
    return true;
}

static bool restrictions_has_contains(const struct gathering *gathering)
{
    for (size_t i = 0; i < gathering->count; i++)
        if (gathering->items[i].kind == RESTRICTION_CONTAINS &&
            gathering->items[i].columns[0]->kind == COLUMN_CLUSTERING)
            return true;
    return false;
}

// ClusteringColumnRestrictions.addToRowFilter(): a slice in the form of a tuple that makes no
// range, or that an index knows.
static bool restrictions_filters_slice(const struct gathering *gathering, const struct table *table)
{
    uint16_t position = 0;
    for (uint16_t i = 0; i < table->column_counts[COLUMN_CLUSTERING]; i++) {
        const struct restriction *item = restrictions_at(gathering, i);
        if (item == NULL) continue;
        bool is_slice = item->kind == RESTRICTION_SLICE;
        if (item->is_multi && is_slice && (i != position || index_choice_has(table, item)))
            return true;
        if (!is_slice && i == position) position = (uint16_t)(i + item->column_count);
    }
    return false;
}

// Whether an index is asked for clustering columns, as Cassandra decides it.
static void restrictions_index_clustering(const struct gathering *gathering,
                                          struct restrictions *restrictions, bool needs_filtering)
{
    bool has_index = false;
    for (size_t i = 0; i < gathering->count; i++) {
        const struct restriction *item = &gathering->items[i];
        if (!item->is_token && item->columns[0]->kind == COLUMN_CLUSTERING)
            has_index |= index_choice_has(restrictions->table, item);
    }
    if (needs_filtering && restrictions->has_index) restrictions->uses_index = true;
    if (!restrictions->keys_are_complete && has_index && restrictions->has_index)
        restrictions->uses_index = true;
    if (!restrictions->uses_index && !needs_filtering) return;
    restrictions->filters_slice = restrictions_filters_slice(gathering, restrictions->table);
    for (size_t i = 0; i < gathering->count; i++) {
        const struct restriction *item = &gathering->items[i];
        if (!item->is_token && item->columns[0]->kind == COLUMN_CLUSTERING)
            restrictions_add_indexed(restrictions, item);
    }
}

static bool restrictions_sort_clustering(struct gathering *gathering,
                                         struct restrictions *restrictions)
{
    const struct table *table = restrictions->table;
    const struct restrictions_options *options = gathering->options;
    struct analysis *analysis = gathering->analysis;
    uint16_t count = table->column_counts[COLUMN_CLUSTERING];
    bool *is_bound = ARENA_NEW_ARRAY(analysis->arena, bool, (size_t)count + 1);
    bool has_slice = false;
    for (size_t i = 0; i < gathering->count; i++) {
        const struct restriction *item = &gathering->items[i];
        if (item->is_token || item->columns[0]->kind != COLUMN_CLUSTERING) continue;
        restrictions->has_clustering = true;
        if (item->kind == RESTRICTION_SLICE) has_slice = true;
        for (size_t k = 0; k < item->column_count; k++)
            is_bound[item->columns[k]->index] = true;
    }
    if (options->only_static_columns && restrictions->has_clustering) {
        if (options->use == RESTRICTIONS_SELECT)
            return restrictions_refuse(
                gathering, "Cannot restrict clustering columns when selecting only static columns");
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Invalid restrictions on clustering columns since the %s statement "
                             "modifies only static columns",
                             restrictions_statement_name(options->use));
    }
    if (options->use == RESTRICTIONS_UPDATE && has_slice)
        return restrictions_refuse(gathering,
                                   "Slice restrictions are not supported on the clustering "
                                   "columns in UPDATE statements");
    bool has_all = true;
    for (uint16_t i = 0; i < count; i++)
        if (!is_bound[i]) has_all = false;
    if (options->use == RESTRICTIONS_UPDATE && !has_all && !options->only_static_columns)
        return restrictions_refuse_missing(gathering, "clustering keys",
                                           table->columns[COLUMN_CLUSTERING], count, is_bound);
    bool may_filter = options->allow_filtering || restrictions->has_index;
    if (restrictions_has_contains(gathering) && !may_filter)
        return restrictions_refuse(gathering, "Clustering columns can only be restricted with "
                                              "CONTAINS with a secondary index or filtering");
    if (!may_filter && !restrictions_check_order(gathering, restrictions)) return false;
    uint16_t rest;
    restrictions_take_ranges(gathering, restrictions, &rest);
    bool needs_filtering = false;
    for (uint16_t i = rest; i < count; i++) {
        const struct restriction *item = restrictions_at(gathering, i);
        if (item == NULL) continue;
        restrictions_add_filter(restrictions, item);
        needs_filtering = true;
    }
    restrictions_index_clustering(gathering, restrictions, needs_filtering);
    return true;
}

static bool restrictions_sort_others(struct gathering *gathering, struct restrictions *restrictions)
{
    struct analysis *analysis = gathering->analysis;
    struct buffer names;
    buffer_init(&names, CQL_ERROR_TEXT_SIZE);
    for (size_t i = 0; i < gathering->count; i++) {
        const struct restriction *item = &gathering->items[i];
        if (item->is_token || item->columns[0]->kind < COLUMN_STATIC) continue;
        restrictions_add_filter(restrictions, item);
        restrictions_add_indexed(restrictions, item);
        buffer_put_format(&names, "%s%.*s", names.size == 0 ? "" : ", ",
                          SLICE_TEXT(item->columns[0]->name));
    }
    bool is_ok = true;
    if (names.size > 0 && gathering->options->use != RESTRICTIONS_SELECT)
        is_ok = cql_error_set(analysis->error, CQL_ERROR_INVALID,
                              "Non PRIMARY KEY columns found in where clause: %.*s ",
                              (int)names.size, (const char *)names.data);
    else if (names.size > 0 && restrictions->has_index)
        restrictions->uses_index = true;
    else if (names.size > 0 && !gathering->options->allow_filtering)
        is_ok = restrictions_refuse(gathering, ALLOW_FILTERING_TEXT);
    buffer_deinit(&names);
    return is_ok;
}

static bool restrictions_check_vectors(struct gathering *gathering)
{
    const struct table *table = gathering->analysis->table;
    for (size_t i = 0; i < gathering->count; i++) {
        const struct restriction *item = &gathering->items[i];
        if (item->is_token || item->columns[0]->type->kind != TYPE_VECTOR ||
            !index_choice_has(table, item))
            continue;
        if (!gathering->options->uses_vectors)
            return restrictions_refuse(gathering, "Vector indexes only support ANN queries");
        // ANN OF is a relation, too.
        return cql_error_set(gathering->analysis->error, CQL_ERROR_INVALID,
                             "%.*s cannot be restricted by more than one relation if it includes "
                             "an Equal",
                             SLICE_TEXT(item->columns[0]->name));
    }
    return true;
}

// Rows of what is regular are mostly the fewest; of a static or a key column they are whole
// partitions.
static int restrictions_rank(const struct restriction *restriction)
{
    static const int ranks[COLUMN_KIND_COUNT] = {[COLUMN_PARTITION_KEY] = 3,
                                                 [COLUMN_STATIC] = 2,
                                                 [COLUMN_CLUSTERING] = 1,
                                                 [COLUMN_REGULAR] = 0};
    return ranks[restriction->columns[0]->kind];
}

static void restrictions_choose_index(struct gathering *gathering,
                                      struct restrictions *restrictions)
{
    const struct table *table = restrictions->table;
    for (size_t i = 0; i < gathering->count; i++) {
        struct restriction *item = &gathering->items[i];
        bool is_plain = item->kind == RESTRICTION_EQ && !item->is_token && !item->is_multi;
        if (is_plain && item->columns[0]->kind >= COLUMN_STATIC)
            item->analyzer = index_choice_analyzer(table, item->columns[0]);
    }
    for (size_t i = 0; i < restrictions->indexed_count; i++) {
        const struct restriction *item = restrictions->indexed[i];
        size_t entry;
        const struct index_definition *index = index_choice_find(table, item, &entry);
        if (index == NULL || (restrictions->index != NULL &&
                              restrictions_rank(item) >= restrictions_rank(restrictions->found_by)))
            continue;
        restrictions->index = index;
        restrictions->found_by = item;
        restrictions->found_by_entry = entry;
    }
}

bool restrictions_prepare(struct analysis *analysis, const struct cql_relations *relations,
                          const struct restrictions_options *options,
                          struct restrictions *restrictions)
{
    struct gathering gathering = {analysis, options, NULL, 0};
    gathering.items = ARENA_NEW_ARRAY(analysis->arena, struct restriction, relations->count + 1);
    for (size_t i = 0; i < relations->count; i++)
        if (!restrictions_gather(&gathering, &relations->items[i])) return false;
    if (!restrictions_check_expressions(&gathering, relations)) return false;
    *restrictions = (struct restrictions){.table = analysis->table,
                                          .is_of_select = options->use == RESTRICTIONS_SELECT};
    restrictions->clustering =
        ARENA_NEW_ARRAY(analysis->arena, const struct restriction *, gathering.count + 1);
    restrictions->filters =
        ARENA_NEW_ARRAY(analysis->arena, const struct restriction *, gathering.count * 2 + 1);
    restrictions->indexed =
        ARENA_NEW_ARRAY(analysis->arena, const struct restriction *, gathering.count * 2 + 1);
    if (options->use == RESTRICTIONS_SELECT && analysis->table->index_count > 0) {
        if (!restrictions_check_vectors(&gathering)) return false;
        for (size_t i = 0; i < gathering.count; i++)
            restrictions->has_index |= !gathering.items[i].is_token &&
                                       index_choice_has(analysis->table, &gathering.items[i]);
    }
    if (options->uses_vectors) restrictions->has_index = true;
    if (!restrictions_sort_keys(&gathering, restrictions)) return false;
    if (!restrictions_sort_clustering(&gathering, restrictions)) return false;
    if (!restrictions_sort_others(&gathering, restrictions)) return false;
    if (options->uses_vectors) restrictions->uses_index = true;
    if (!restrictions->uses_index) return true;
    if (restrictions->keys_have_in)
        return restrictions_refuse(&gathering,
                                   "Select on indexed columns and with IN clause for the "
                                   "PRIMARY KEY are not supported");
    restrictions_choose_index(&gathering, restrictions);
    return true;
}

bool restrictions_check_scan(const struct restrictions *restrictions, bool allow_filtering,
                             struct cql_error *error)
{
    bool is_scan = !restrictions->keys_are_complete;
    bool has_indexed = restrictions->uses_index && restrictions->indexed_count > 0;
    if (allow_filtering || (!is_scan && !has_indexed)) return true;
    if (has_indexed) {
        if (index_choice_serves(restrictions->table, restrictions->indexed,
                                restrictions->indexed_count))
            return true;
    } else if (!restrictions->has_clustering) {
        return true;
    }
    return cql_error_set(error, CQL_ERROR_INVALID, ALLOW_FILTERING_TEXT);
}
