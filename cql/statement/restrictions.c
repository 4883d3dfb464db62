#include "cql/statement/restrictions.h"

#include "base/limits.h"
#include "cql/parser/ast_text.h"
#include "cql/statement/index_choice.h"

#include <stdlib.h>

#define ALLOW_FILTERING_TEXT                                                                       \
    "Cannot execute this query as it might involve data filtering and thus may have "              \
    "unpredictable performance. If you want to execute this query despite the performance "        \
    "unpredictability, use ALLOW FILTERING"

enum { ENTRIES_MAX = 256 }; // CONTAINS relations on one column.

// Restrictions while they gather: as many as relations, at most one for each column.
struct gathering {
    struct analysis *analysis;
    const struct restrictions_options *options;
    struct restriction *items;
    size_t count;
};

static bool gathering_refuse(struct gathering *gathering, const char *text)
{
    return cql_error_set(gathering->analysis->error, CQL_ERROR_INVALID, "%s", text);
}

// ---- One relation -------------------------------------------------------------------------------

static const char *restrictions_statement_name(enum restrictions_use use)
{
    static const char *const names[] = {"SELECT", "UPDATE", "DELETE"};
    return names[use];
}

static struct column_spec restrictions_derived_spec(struct analysis *analysis, const char *prefix,
                                                    struct slice name, const struct type *type)
{
    struct column_spec spec = {analysis->table->keyspace, analysis->table->name, slice_null(),
                               type};
    spec.name = slice_of_text(arena_format(analysis->arena, "%s(%.*s)", prefix, SLICE_TEXT(name)));
    return spec;
}

static bool restrictions_check_element(struct gathering *gathering,
                                       const struct cql_relation *relation,
                                       const struct column *column)
{
    struct cql_error *error = gathering->analysis->error;
    if (column->type->kind == TYPE_LIST)
        return gathering_refuse(
            gathering, "Indexes on list entries (l[index] = value) are not currently supported.");
    if (column->type->kind != TYPE_MAP)
        return cql_error_set(error, CQL_ERROR_INVALID, "Column %.*s cannot be used as a map",
                             SLICE_TEXT(column->name));
    if (column->type->frozen)
        return cql_error_set(error, CQL_ERROR_INVALID,
                             "Map-entry equality predicates on frozen map column %.*s are not "
                             "supported",
                             SLICE_TEXT(column->name));
    if (relation->operator!= CQL_OPERATOR_EQ)
        return gathering_refuse(gathering, "Only EQ relations are supported on map entries");
    return true;
}

// SingleColumnRelation.toReceivers.
static bool restrictions_check_column(struct gathering *gathering,
                                      const struct cql_relation *relation,
                                      const struct column *column)
{
    struct analysis *analysis = gathering->analysis;
    bool contains = relation->operator== CQL_OPERATOR_CONTAINS;
    bool contains_key = relation->operator== CQL_OPERATOR_CONTAINS_KEY;
    bool is_multi_cell = type_is_multi_cell(column->type);
    // A DESC column is no collection to Cassandra, whose type it wraps.
    if (contains_key && (column->type->kind != TYPE_MAP || column->reversed))
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Cannot use CONTAINS KEY on non-map column %.*s",
                             SLICE_TEXT(column->name));
    if (contains && (!type_is_collection(column->type) || column->reversed))
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Cannot use CONTAINS on non-collection column %.*s",
                             SLICE_TEXT(column->name));
    if (relation->kind == CQL_RELATION_ELEMENT)
        return restrictions_check_element(gathering, relation, column);
    if (is_multi_cell && column->type->kind == TYPE_UDT)
        return cql_error_set(
            analysis->error, CQL_ERROR_INVALID,
            "Non-frozen UDT column '%.*s' (%s) cannot be restricted by any relation",
            SLICE_TEXT(column->name), analysis_type_text(analysis, column->type));
    if (is_multi_cell && !contains && !contains_key)
        return cql_error_set(
            analysis->error, CQL_ERROR_INVALID,
            "Collection column '%.*s' (%s) cannot be restricted by a '%s' relation",
            SLICE_TEXT(column->name), analysis_type_text(analysis, column->type),
            ast_text_operator(relation->operator));
    return true;
}

static bool restrictions_prepare_in(struct gathering *gathering,
                                    const struct cql_relation *relation, struct slice name,
                                    const struct column_spec *one, struct restriction *made)
{
    struct analysis *analysis = gathering->analysis;
    if (relation->value != NULL) {
        const struct type *list = type_make_list(analysis->arena, one->type, true);
        struct column_spec spec = restrictions_derived_spec(analysis, "in", name, list);
        made->kind = RESTRICTION_IN;
        return term_prepare(analysis, relation->value, &spec, &made->value);
    }
    const struct term **values =
        ARENA_NEW_ARRAY(analysis->arena, const struct term *, relation->in_value_count + 1);
    for (size_t i = 0; i < relation->in_value_count; i++)
        if (!term_prepare(analysis, relation->in_values[i], one, &values[i])) return false;
    if (relation->in_value_count == 1) {
        // An IN of one value is an EQ, also in what it allows.
        made->kind = RESTRICTION_EQ;
        made->value = values[0];
        return true;
    }
    made->kind = RESTRICTION_IN;
    made->in_values = values;
    made->in_count = relation->in_value_count;
    return true;
}

static bool restrictions_prepare_slice(struct gathering *gathering,
                                       const struct cql_relation *relation,
                                       const struct column_spec *spec, struct restriction *made)
{
    bool is_start = relation->operator== CQL_OPERATOR_GT || relation->operator== CQL_OPERATOR_GTE;
    struct restriction_bound *bound = is_start ? &made->start : &made->end;
    made->kind = RESTRICTION_SLICE;
    bound->inclusive =
        relation->operator== CQL_OPERATOR_GTE || relation->operator== CQL_OPERATOR_LTE;
    bound->column_count = made->column_count;
    return term_prepare(gathering->analysis, relation->value, spec, &bound->value);
}

static bool restrictions_prepare_contains(struct gathering *gathering,
                                          const struct cql_relation *relation,
                                          const struct column *column, struct restriction *made)
{
    struct analysis *analysis = gathering->analysis;
    const struct type *type = column->type;
    struct restriction_entry *entry = ARENA_NEW(analysis->arena, struct restriction_entry);
    bool wants_key =
        relation->operator== CQL_OPERATOR_CONTAINS_KEY || relation->kind == CQL_RELATION_ELEMENT;
    bool wants_value = relation->operator!= CQL_OPERATOR_CONTAINS_KEY;
    const struct type *value_type = type->parameters[type->kind == TYPE_MAP ? 1 : 0];
    made->kind = RESTRICTION_CONTAINS;
    made->entries = entry;
    made->entry_count = 1;
    if (wants_key) {
        struct column_spec spec =
            restrictions_derived_spec(analysis, "key", column->name, type->parameters[0]);
        const struct cql_term *raw =
            relation->kind == CQL_RELATION_ELEMENT ? relation->element : relation->value;
        if (!term_prepare(analysis, raw, &spec, &entry->key)) return false;
    }
    if (!wants_value) return true;
    struct column_spec spec =
        restrictions_derived_spec(analysis, "value", column->name, value_type);
    return term_prepare(analysis, relation->value, &spec, &entry->value);
}

static bool restrictions_prepare_operator(struct gathering *gathering,
                                          const struct cql_relation *relation, struct slice name,
                                          const struct column_spec *spec, struct restriction *made)
{
    struct analysis *analysis = gathering->analysis;
    switch (relation->operator) {
    case CQL_OPERATOR_EQ:
        made->kind = RESTRICTION_EQ;
        return term_prepare(analysis, relation->value, spec, &made->value);
    case CQL_OPERATOR_IN:
        return restrictions_prepare_in(gathering, relation, name, spec, made);
    case CQL_OPERATOR_LT:
    case CQL_OPERATOR_LTE:
    case CQL_OPERATOR_GT:
    case CQL_OPERATOR_GTE:
        if (spec->type->kind == TYPE_DURATION)
            return gathering_refuse(gathering,
                                    "Slice restrictions are not supported on duration columns");
        return restrictions_prepare_slice(gathering, relation, spec, made);
    case CQL_OPERATOR_LIKE: {
        const struct term *pattern;
        if (!term_prepare(analysis, relation->value, spec, &pattern)) return false;
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "LIKE restriction is only supported on properly indexed columns. %s "
                             "is not valid.",
                             analysis_relation_text(analysis, relation));
    }
    case CQL_OPERATOR_NEQ:
        return cql_error_set(analysis->error, CQL_ERROR_INVALID, "Unsupported \"!=\" relation: %s",
                             analysis_relation_text(analysis, relation));
    default:
        return cql_error_set(analysis->error, CQL_ERROR_INVALID, "Unsupported restriction: %s",
                             analysis_relation_text(analysis, relation));
    }
}

static bool restrictions_prepare_single(struct gathering *gathering,
                                        const struct cql_relation *relation,
                                        struct restriction *made)
{
    struct analysis *analysis = gathering->analysis;
    const struct column *column = analysis_find_column(analysis, relation->columns.items[0]);
    if (column == NULL) return false;
    const struct column **columns = ARENA_NEW(analysis->arena, const struct column *);
    columns[0] = column;
    *made = (struct restriction){.columns = columns, .column_count = 1};
    if (relation->operator== CQL_OPERATOR_NEQ || relation->operator== CQL_OPERATOR_IS_NOT)
        return restrictions_prepare_operator(gathering, relation, column->name, NULL, made);
    if (!restrictions_check_column(gathering, relation, column)) return false;
    if (relation->operator== CQL_OPERATOR_CONTAINS ||
        relation->
        operator== CQL_OPERATOR_CONTAINS_KEY || relation->kind == CQL_RELATION_ELEMENT)
        return restrictions_prepare_contains(gathering, relation, column, made);
    struct column_spec spec = analysis_spec_of_column(analysis->table, column);
    return restrictions_prepare_operator(gathering, relation, column->name, &spec, made);
}

static bool restrictions_check_tuple(struct gathering *gathering,
                                     const struct cql_relation *relation,
                                     const struct column **columns)
{
    struct analysis *analysis = gathering->analysis;
    for (size_t i = 0; i < relation->columns.count; i++) {
        columns[i] = analysis_find_column(analysis, relation->columns.items[i]);
        if (columns[i] == NULL) return false;
        if (columns[i]->kind != COLUMN_CLUSTERING)
            return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                                 "Multi-column relations can only be applied to clustering columns "
                                 "but was applied to: %.*s",
                                 SLICE_TEXT(columns[i]->name));
        for (size_t k = 0; k < i; k++)
            if (columns[k] == columns[i])
                return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                                     "Column \"%.*s\" appeared twice in a relation: %s",
                                     SLICE_TEXT(columns[i]->name),
                                     analysis_relation_text(analysis, relation));
        if (i > 0 && columns[i]->index != columns[i - 1]->index + 1)
            return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                                 "Clustering columns must appear in the PRIMARY KEY order in "
                                 "multi-column relations: %s",
                                 analysis_relation_text(analysis, relation));
    }
    return true;
}

// A tuple literal gives each value the name of its column, in messages and markers.
static bool restrictions_prepare_tuple_term(struct gathering *gathering, const struct cql_term *raw,
                                            const struct column *const *columns, size_t count,
                                            const struct column_spec *whole,
                                            const struct term **term)
{
    struct analysis *analysis = gathering->analysis;
    if (raw->kind != CQL_TERM_TUPLE) return term_prepare(analysis, raw, whole, term);
    if (raw->item_count != count)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Expected %zu elements in value tuple, but got %zu: %s", count,
                             raw->item_count, analysis_term_text(analysis, raw));
    const struct term **items = ARENA_NEW_ARRAY(analysis->arena, const struct term *, count);
    for (size_t i = 0; i < count; i++) {
        struct column_spec spec = analysis_spec_of_column(analysis->table, columns[i]);
        if (!term_prepare(analysis, raw->items[i], &spec, &items[i])) return false;
    }
    struct term *tuple = ARENA_NEW(analysis->arena, struct term);
    *tuple =
        (struct term){.kind = TERM_TUPLE, .type = whole->type, .items = items, .item_count = count};
    *term = tuple;
    return true;
}

static bool restrictions_prepare_tuple_in(struct gathering *gathering,
                                          const struct cql_relation *relation, const char *name,
                                          const struct column_spec *whole, struct restriction *made)
{
    struct analysis *analysis = gathering->analysis;
    made->kind = RESTRICTION_IN;
    if (relation->value != NULL) {
        struct column_spec list = *whole;
        list.type = type_make_list(analysis->arena, whole->type, true);
        list.name = slice_of_text(arena_format(analysis->arena, "in%s", name));
        return term_prepare(analysis, relation->value, &list, &made->value);
    }
    const struct term **values =
        ARENA_NEW_ARRAY(analysis->arena, const struct term *, relation->in_value_count + 1);
    for (size_t i = 0; i < relation->in_value_count; i++)
        if (!restrictions_prepare_tuple_term(gathering, relation->in_values[i], made->columns,
                                             made->column_count, whole, &values[i]))
            return false;
    made->in_values = values;
    made->in_count = relation->in_value_count;
    if (made->in_count == 1) {
        made->kind = RESTRICTION_EQ;
        made->value = values[0];
    }
    return true;
}

static bool restrictions_prepare_multi(struct gathering *gathering,
                                       const struct cql_relation *relation,
                                       struct restriction *made)
{
    struct analysis *analysis = gathering->analysis;
    size_t count = relation->columns.count;
    const struct column **columns = ARENA_NEW_ARRAY(analysis->arena, const struct column *, count);
    if (!restrictions_check_tuple(gathering, relation, columns)) return false;
    *made =
        (struct restriction){.is_multi = true, .columns = columns, .column_count = (uint16_t)count};
    const struct type **types = ARENA_NEW_ARRAY(analysis->arena, const struct type *, count);
    struct buffer name;
    buffer_init(&name, 65536);
    for (size_t i = 0; i < count; i++) {
        types[i] = columns[i]->type;
        buffer_put_format(&name, "%s%.*s", i == 0 ? "(" : ",", SLICE_TEXT(columns[i]->name));
    }
    buffer_put_format(&name, ")");
    const char *name_text = analysis_text(analysis->arena, buffer_slice(&name));
    buffer_deinit(&name);
    struct column_spec whole = {analysis->table->keyspace, analysis->table->name,
                                slice_of_text(name_text),
                                type_make_tuple(analysis->arena, types, (uint16_t)count)};
    if (relation->operator== CQL_OPERATOR_IN)
        return restrictions_prepare_tuple_in(gathering, relation, name_text, &whole, made);
    if (relation->operator== CQL_OPERATOR_EQ) {
        made->kind = RESTRICTION_EQ;
        return restrictions_prepare_tuple_term(gathering, relation->value, columns, count, &whole,
                                               &made->value);
    }
    bool is_slice = relation->operator>= CQL_OPERATOR_LT && relation->operator<= CQL_OPERATOR_GTE;
    if (!is_slice)
        return restrictions_prepare_operator(gathering, relation, slice_null(), &whole, made);
    bool is_start = relation->operator== CQL_OPERATOR_GT || relation->operator== CQL_OPERATOR_GTE;
    struct restriction_bound *bound = is_start ? &made->start : &made->end;
    made->kind = RESTRICTION_SLICE;
    bound->column_count = (uint16_t)count;
    bound->inclusive =
        relation->operator== CQL_OPERATOR_GTE || relation->operator== CQL_OPERATOR_LTE;
    return restrictions_prepare_tuple_term(gathering, relation->value, columns, count, &whole,
                                           &bound->value);
}

static bool restrictions_prepare_token(struct gathering *gathering,
                                       const struct cql_relation *relation,
                                       struct restriction *made)
{
    struct analysis *analysis = gathering->analysis;
    const struct table *table = analysis->table;
    uint16_t key_count = table->column_counts[COLUMN_PARTITION_KEY];
    bool seen[256] = {false}, is_in_order = true, has_all = true, has_other = false;
    for (size_t i = 0; i < relation->columns.count; i++) {
        const struct column *column = analysis_find_column(analysis, relation->columns.items[i]);
        if (column == NULL) return false;
        if (column->kind != COLUMN_PARTITION_KEY) {
            has_other = true;
            continue;
        }
        if (column->index != i) is_in_order = false;
        if (column->index < 256) seen[column->index] = true;
    }
    for (uint16_t i = 0; i < key_count && i < 256; i++)
        if (!seen[i]) has_all = false;
    if (!has_all)
        return gathering_refuse(
            gathering,
            "The token() function must be applied to all partition key components or none of them");
    if (has_other)
        return gathering_refuse(gathering,
                                "The token() function must contains only partition key components");
    if (relation->columns.count != key_count)
        return gathering_refuse(gathering,
                                "The token() function contains duplicate partition key components");
    const struct column **columns =
        ARENA_NEW_ARRAY(analysis->arena, const struct column *, key_count);
    struct buffer names;
    buffer_init(&names, CQL_ERROR_TEXT_SIZE);
    for (uint16_t i = 0; i < key_count; i++) {
        columns[i] = &table->columns[COLUMN_PARTITION_KEY][i];
        buffer_put_format(&names, "%s%.*s", i == 0 ? "" : ", ", SLICE_TEXT(columns[i]->name));
    }
    bool is_ok = is_in_order ||
                 cql_error_set(analysis->error, CQL_ERROR_INVALID,
                               "The token function arguments must be in the partition key order: "
                               "%.*s",
                               (int)names.size, (const char *)names.data);
    buffer_deinit(&names);
    if (!is_ok) return false;
    *made = (struct restriction){.is_token = true, .columns = columns, .column_count = key_count};
    struct column_spec spec = {table->keyspace, table->name, slice_of_text("partition key token"),
                               type_of_kind(TYPE_BIGINT)};
    if (relation->operator== CQL_OPERATOR_IN || relation->operator> CQL_OPERATOR_NEQ)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "%s cannot be used with the token function",
                             ast_text_operator(relation->operator));
    return restrictions_prepare_operator(gathering, relation, slice_null(), &spec, made);
}

// ---- Merging relations of the same columns ------------------------------------------------------

static bool restrictions_share_column(const struct restriction *a, const struct restriction *b)
{
    if (a->is_token != b->is_token) return false;
    for (size_t i = 0; i < a->column_count; i++)
        for (size_t k = 0; k < b->column_count; k++)
            if (a->columns[i] == b->columns[k]) return true;
    return false;
}

// The columns that both have, "c, d".
static const char *restrictions_common_names(struct gathering *gathering,
                                             const struct restriction *a,
                                             const struct restriction *b)
{
    struct buffer names;
    buffer_init(&names, CQL_ERROR_TEXT_SIZE);
    for (size_t i = 0; i < a->column_count; i++)
        for (size_t k = 0; k < b->column_count; k++)
            if (a->columns[i] == b->columns[k])
                buffer_put_format(&names, "%s%.*s", names.size == 0 ? "" : ", ",
                                  SLICE_TEXT(a->columns[i]->name));
    const char *text = analysis_text(gathering->analysis->arena, buffer_slice(&names));
    buffer_deinit(&names);
    return text;
}

static bool restrictions_merge(struct gathering *gathering, struct restriction *into,
                               const struct restriction *added)
{
    struct analysis *analysis = gathering->analysis;
    const char *names = restrictions_common_names(gathering, into, added);
    if (into->kind == RESTRICTION_EQ || into->kind == RESTRICTION_IN)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "%s cannot be restricted by more than one relation if it includes %s",
                             names, into->kind == RESTRICTION_EQ ? "an Equal" : "a IN");
    if (into->kind == RESTRICTION_CONTAINS) {
        if (added->kind != RESTRICTION_CONTAINS)
            return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                                 "Collection column %s can only be restricted by CONTAINS, "
                                 "CONTAINS KEY, or map-entry equality",
                                 names);
        if (into->entry_count == ENTRIES_MAX)
            return gathering_refuse(gathering, "Too many CONTAINS relations on one column");
        struct restriction_entry *entries =
            ARENA_NEW_ARRAY(analysis->arena, struct restriction_entry, into->entry_count + 1);
        memcpy(entries, into->entries, into->entry_count * sizeof *entries);
        entries[into->entry_count] = added->entries[0];
        into->entries = entries;
        into->entry_count++;
        return true;
    }
    if (added->kind != RESTRICTION_SLICE) {
        if (added->kind == RESTRICTION_EQ && !into->is_multi)
            return cql_error_set(
                analysis->error, CQL_ERROR_INVALID,
                "%s cannot be restricted by more than one relation if it includes an Equal", names);
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Column \"%s\" cannot be restricted by both an equality and an "
                             "inequality relation",
                             names);
    }
    bool both_start = into->start.value != NULL && added->start.value != NULL;
    bool both_end = into->end.value != NULL && added->end.value != NULL;
    if (both_start || both_end)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "More than one restriction was found for the %s bound on %s",
                             both_start ? "start" : "end", names);
    if (added->start.value != NULL) into->start = added->start;
    if (added->end.value != NULL) into->end = added->end;
    into->is_multi = into->is_multi || added->is_multi;
    if (added->column_count > into->column_count) {
        into->columns = added->columns;
        into->column_count = added->column_count;
    }
    return true;
}

static const struct column *restrictions_last_column(const struct restriction *restriction)
{
    return restriction->columns[restriction->column_count - 1];
}

// ClusteringColumnRestrictions.mergeWith: without filtering nothing may follow a slice.
static bool restrictions_check_after_slice(struct gathering *gathering,
                                           const struct restriction *added)
{
    if (gathering->options->allow_filtering || added->is_token ||
        added->columns[0]->kind != COLUMN_CLUSTERING)
        return true;
    const struct restriction *last = NULL;
    for (size_t i = 0; i < gathering->count; i++) {
        const struct restriction *item = &gathering->items[i];
        if (item->is_token || item->columns[0]->kind != COLUMN_CLUSTERING) continue;
        if (last == NULL || item->columns[0]->index > last->columns[0]->index) last = item;
    }
    if (last == NULL || last == added || restrictions_share_column(last, added)) return true;
    if (last->kind == RESTRICTION_SLICE && added->columns[0]->index > last->columns[0]->index)
        return cql_error_set(gathering->analysis->error, CQL_ERROR_INVALID,
                             "Clustering column \"%.*s\" cannot be restricted (preceding column "
                             "\"%.*s\" is restricted by a non-EQ relation)",
                             SLICE_TEXT(added->columns[0]->name),
                             SLICE_TEXT(last->columns[0]->name));
    if (added->kind == RESTRICTION_SLICE && added->columns[0]->index < last->columns[0]->index) {
        const struct column *before = restrictions_last_column(added);
        return cql_error_set(gathering->analysis->error, CQL_ERROR_INVALID,
                             "PRIMARY KEY column \"%.*s\" cannot be restricted (preceding column "
                             "\"%.*s\" is restricted by a non-EQ relation)",
                             SLICE_TEXT((before + 1)->name), SLICE_TEXT(before->name));
    }
    return true;
}

// expr(index, value): for custom classes that neither we nor a plain Cassandra have.
static bool restrictions_refuse_expression(struct gathering *gathering,
                                           const struct cql_relation *relation)
{
    const struct table *table = gathering->analysis->table;
    struct slice name = relation->index.name;
    struct cql_error *error = gathering->analysis->error;
    const struct index_definition *index = table_find_index(table, name);
    if (index == NULL)
        return cql_error_set(error, CQL_ERROR_INVALID,
                             "Invalid index expression, index %.*s not found for %.*s.%.*s",
                             SLICE_TEXT(name), SLICE_TEXT(table->keyspace),
                             SLICE_TEXT(table->name));
    if (slice_is_null(index->class_name))
        return cql_error_set(error, CQL_ERROR_INVALID,
                             "Only CUSTOM indexes may be used in custom index expressions, %.*s is "
                             "not valid",
                             SLICE_TEXT(name));
    return cql_error_set(error, CQL_ERROR_INVALID, "Index %.*s does not support custom expressions",
                         SLICE_TEXT(name));
}

static bool restrictions_gather(struct gathering *gathering, const struct cql_relation *relation)
{
    struct restriction made;
    bool is_ok;
    switch (relation->kind) {
    case CQL_RELATION_TOKEN:
        is_ok = restrictions_prepare_token(gathering, relation, &made);
        break;
    case CQL_RELATION_TUPLE:
        is_ok = restrictions_prepare_multi(gathering, relation, &made);
        break;
    case CQL_RELATION_COLUMN:
    case CQL_RELATION_ELEMENT:
        is_ok = restrictions_prepare_single(gathering, relation, &made);
        break;
    default:
        return restrictions_refuse_expression(gathering, relation);
    }
    if (!is_ok) return false;
    for (size_t i = 0; i < gathering->count; i++)
        if (restrictions_share_column(&gathering->items[i], &made))
            return restrictions_merge(gathering, &gathering->items[i], &made);
    if (!restrictions_check_after_slice(gathering, &made)) return false;
    gathering->items[gathering->count++] = made;
    return true;
}

// ---- What each is good for ----------------------------------------------------------------------

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
        return gathering_refuse(gathering, ALLOW_FILTERING_TEXT);
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

// Slices over columns of both directions can not be one range of rows.
static bool restrictions_is_one_range(const struct restriction *restriction)
{
    for (size_t i = 1; i < restriction->column_count; i++)
        if (restriction->columns[i]->reversed != restriction->columns[0]->reversed) return false;
    return true;
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
        if (item->kind == RESTRICTION_SLICE && !restrictions_is_one_range(item)) {
            // Still allowed without ALLOW FILTERING; each row of the prefix is looked at.
            restrictions_add_filter(restrictions, item);
            restrictions->clustering_has_slice = true;
            index = (uint16_t)(index + item->column_count);
            break;
        }
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
            return gathering_refuse(
                gathering, "Cannot restrict clustering columns when selecting only static columns");
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Invalid restrictions on clustering columns since the %s statement "
                             "modifies only static columns",
                             restrictions_statement_name(options->use));
    }
    if (options->use == RESTRICTIONS_UPDATE && has_slice)
        return gathering_refuse(gathering, "Slice restrictions are not supported on the clustering "
                                           "columns in UPDATE statements");
    bool has_all = true;
    for (uint16_t i = 0; i < count; i++)
        if (!is_bound[i]) has_all = false;
    if (options->use == RESTRICTIONS_UPDATE && !has_all && !options->only_static_columns)
        return restrictions_refuse_missing(gathering, "clustering keys",
                                           table->columns[COLUMN_CLUSTERING], count, is_bound);
    bool may_filter = options->allow_filtering || restrictions->has_index;
    if (restrictions_has_contains(gathering) && !may_filter)
        return gathering_refuse(gathering, "Clustering columns can only be restricted with "
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
        is_ok = gathering_refuse(gathering, ALLOW_FILTERING_TEXT);
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
            return gathering_refuse(gathering, "Vector indexes only support ANN queries");
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
    *restrictions = (struct restrictions){.table = analysis->table};
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
        return gathering_refuse(&gathering, "Select on indexed columns and with IN clause for the "
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
