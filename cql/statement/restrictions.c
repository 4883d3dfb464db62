#include "cql/statement/restrictions.h"

#include "cql/parser/ast_text.h"
#include "cql/statement/restrictions_internal.h"

enum { ENTRIES_MAX = 256 }; // CONTAINS relations on one column.

// ---- One relation -------------------------------------------------------------------------------

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
        return cql_error_set(error, CQL_ERROR_INVALID,
                             "Indexes on list entries (%.*s[index] = value) are not currently "
                             "supported.",
                             SLICE_TEXT(column->name));
    if (column->type->kind != TYPE_MAP)
        return cql_error_set(error, CQL_ERROR_INVALID, "Column %.*s cannot be used as a map",
                             SLICE_TEXT(column->name));
    if (column->type->frozen)
        return cql_error_set(error, CQL_ERROR_INVALID,
                             "Map-entry equality predicates on frozen map column %.*s are not "
                             "supported",
                             SLICE_TEXT(column->name));
    if (relation->operator!= CQL_OPERATOR_EQ)
        return restrictions_refuse(gathering, "Only EQ relations are supported on map entries");
    return true;
}

// Durations have no order, and so nothing that holds them.
static bool restrictions_check_durations(struct gathering *gathering, const struct type *type)
{
    if (!analysis_refers_to_duration(type)) return true;
    return restrictions_refuse(
        gathering, type_is_collection(type)
                       ? "Slice restrictions are not supported on collections containing durations"
                   : type->kind == TYPE_TUPLE
                       ? "Slice restrictions are not supported on tuples containing durations"
                   : type->kind == TYPE_UDT
                       ? "Slice restrictions are not supported on UDTs containing durations"
                       : "Slice restrictions are not supported on duration columns");
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
    bool is_slice = relation->operator>= CQL_OPERATOR_LT && relation->operator<= CQL_OPERATOR_GTE;
    if (is_slice && relation->kind == CQL_RELATION_COLUMN &&
        !restrictions_check_durations(gathering, column->type))
        return false;
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
    bound->is_multi = true;
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
        return restrictions_refuse(
            gathering,
            "The token() function must be applied to all partition key components or none of them");
    if (has_other)
        return restrictions_refuse(
            gathering, "The token() function must contains only partition key components");
    if (relation->columns.count != key_count)
        return restrictions_refuse(
            gathering, "The token() function contains duplicate partition key components");
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

// The columns that both have, "c ,d", and of token() "c, d".
static const char *restrictions_common_names(struct gathering *gathering,
                                             const struct restriction *a,
                                             const struct restriction *b)
{
    struct buffer names;
    buffer_init(&names, CQL_ERROR_TEXT_SIZE);
    for (size_t i = 0; i < a->column_count; i++)
        for (size_t k = 0; k < b->column_count; k++)
            if (a->columns[i] == b->columns[k])
                buffer_put_format(&names, "%s%.*s",
                                  names.size == 0 ? ""
                                  : a->is_token   ? ", "
                                                  : " ,",
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
            return restrictions_refuse(gathering, "Too many CONTAINS relations on one column");
        struct restriction_entry *entries =
            ARENA_NEW_ARRAY(analysis->arena, struct restriction_entry, into->entry_count + 1);
        memcpy(entries, into->entries, into->entry_count * sizeof *entries);
        entries[into->entry_count] = added->entries[0];
        into->entries = entries;
        into->entry_count++;
        return true;
    }
    if (added->kind != RESTRICTION_SLICE) {
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Column \"%s\" cannot be restricted by both an equality and an "
                             "inequality relation",
                             names);
    }
    // A bound is of the first columns of both.
    if (into->columns[0] != added->columns[0]) {
        bool is_behind = into->columns[0]->index > added->columns[0]->index;
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Column \"%.*s\" cannot be restricted by two inequalities not "
                             "starting with the same column",
                             SLICE_TEXT((is_behind ? into : added)->columns[0]->name));
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

bool restrictions_check_expressions(struct gathering *gathering,
                                    const struct cql_relations *relations)
{
    const struct cql_relation *found = NULL;
    for (size_t i = 0; i < relations->count; i++) {
        if (relations->items[i].kind != CQL_RELATION_EXPRESSION) continue;
        if (found != NULL)
            return restrictions_refuse(
                gathering, "Multiple custom index expressions in a single query are not supported");
        found = &relations->items[i];
    }
    return found == NULL || restrictions_refuse_expression(gathering, found);
}

bool restrictions_gather(struct gathering *gathering, const struct cql_relation *relation)
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
        return true; // An expression: they are looked at behind all others.
    }
    if (!is_ok) return false;
    // It has to go with each that it shares a column with, as in RestrictionSet.addRestriction().
    // It goes with one at most: of two, one begins with another column, or is no slice.
    bool is_merged = false;
    for (size_t i = 0; i < gathering->count; i++) {
        if (!restrictions_share_column(&gathering->items[i], &made)) continue;
        if (!restrictions_merge(gathering, &gathering->items[i], &made)) return false;
        is_merged = true;
    }
    if (is_merged) return true;
    if (!restrictions_check_after_slice(gathering, &made)) return false;
    gathering->items[gathering->count++] = made;
    return true;
}
