#include "cql/statement/condition.h"

#include "base/bytes.h"
#include "cql/parser/ast_text.h"

// ---- Preparing ----------------------------------------------------------------------------------

static struct column_spec condition_spec(struct analysis *analysis, const char *part,
                                         struct slice name, const struct type *type)
{
    struct column_spec spec = {analysis->table->keyspace, analysis->table->name, slice_null(),
                               type};
    spec.name = slice_of_text(arena_format(analysis->arena, "%s(%.*s)", part, SLICE_TEXT(name)));
    return spec;
}

static bool condition_is_slice(enum cql_operator operator)
{
    return operator== CQL_OPERATOR_LT || operator== CQL_OPERATOR_LTE || operator==
        CQL_OPERATOR_GT ||
        operator== CQL_OPERATOR_GTE;
}

static bool condition_check_duration(struct analysis *analysis, const struct type *type,
                                     enum cql_operator operator)
{
    if (!condition_is_slice(operator) || !analysis_refers_to_duration(type)) return true;
    const char *what = type_is_collection(type)   ? "collections"
                       : type->kind == TYPE_TUPLE ? "tuples"
                       : type->kind == TYPE_UDT   ? "UDTs"
                                                  : NULL;
    if (what != NULL)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Slice conditions are not supported on %s containing durations", what);
    return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                         "Slice conditions ( %s ) are not supported on durations",
                         ast_text_operator(operator));
}

// column[element]: of what type the rest is then.
static bool condition_prepare_element(struct analysis *analysis,
                                      const struct cql_relation *relation,
                                      struct condition *condition, struct column_spec *spec)
{
    const struct column *column = condition->column;
    const struct type *type = column->type;
    if (!type_is_collection(type))
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Invalid element access syntax for non-collection column %.*s",
                             SLICE_TEXT(column->name));
    if (type->kind == TYPE_SET)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Invalid element access syntax for set column %.*s",
                             SLICE_TEXT(column->name));
    bool is_map = type->kind == TYPE_MAP;
    struct column_spec element =
        condition_spec(analysis, is_map ? "key" : "idx", column->name,
                       is_map ? type->parameters[0] : type_of_kind(TYPE_INT));
    *spec = condition_spec(analysis, "value", column->name, type->parameters[is_map ? 1 : 0]);
    return term_prepare(analysis, relation->element, &element, &condition->element);
}

// column.field: of what type the rest is then.
static bool condition_prepare_field(struct analysis *analysis, const struct cql_relation *relation,
                                    struct condition *condition, struct column_spec *spec)
{
    const struct column *column = condition->column;
    int field = user_types_field(column->type, relation->field);
    if (field < 0)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Unknown field %.*s for column %.*s", SLICE_TEXT(relation->field),
                             SLICE_TEXT(column->name));
    *spec = term_field_spec(analysis, spec, field);
    condition->is_of_field = true;
    condition->field = (uint16_t)field;
    return true;
}

// CONTAINS and CONTAINS KEY: the value is an element.
static bool condition_prepare_contains(struct analysis *analysis, const struct condition *condition,
                                       struct column_spec *spec)
{
    const struct column *column = condition->column;
    const struct type *type = column->type;
    bool is_key = condition->operator== CQL_OPERATOR_CONTAINS_KEY;
    // A DESC column is no collection to Cassandra, whose type it wraps.
    if (is_key && (type->kind != TYPE_MAP || column->reversed))
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Cannot use CONTAINS KEY on non-map column %.*s",
                             SLICE_TEXT(column->name));
    if (!type_is_collection(type) || column->reversed)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Cannot use CONTAINS on non-collection column %.*s",
                             SLICE_TEXT(column->name));
    bool is_value_of_map = type->kind == TYPE_MAP && !is_key;
    *spec = condition_spec(analysis, is_key ? "key" : "value", column->name,
                           type->parameters[is_value_of_map ? 1 : 0]);
    return true;
}

static bool condition_prepare_values(struct analysis *analysis, const struct cql_relation *relation,
                                     const struct column_spec *spec, struct condition *condition)
{
    if (relation->operator!= CQL_OPERATOR_IN)
        return term_prepare(analysis, relation->value, spec, &condition->value);
    if (relation->value != NULL) {
        struct column_spec list = condition_spec(analysis, "in", spec->name,
                                                 type_make_list(analysis->arena, spec->type, true));
        return term_prepare(analysis, relation->value, &list, &condition->value);
    }
    const struct term **values =
        ARENA_NEW_ARRAY(analysis->arena, const struct term *, relation->in_value_count + 1);
    for (size_t i = 0; i < relation->in_value_count; i++)
        if (!term_prepare(analysis, relation->in_values[i], spec, &values[i])) return false;
    condition->in_values = values;
    condition->in_count = relation->in_value_count;
    return true;
}

bool condition_prepare(struct analysis *analysis, const struct cql_relation *relation,
                       struct condition *condition)
{
    const struct column *column = analysis_find_column(analysis, relation->columns.items[0]);
    if (column == NULL) return false;
    if (relation->kind == CQL_RELATION_FIELD && column->type->kind != TYPE_UDT)
        // Cassandra does not look before it leaps.
        return cql_error_set(analysis->error, CQL_ERROR_SERVER, "java.lang.ClassCastException");
    if (column->type->kind == TYPE_COUNTER)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Conditions on counters are not supported");
    *condition = (struct condition){.column = column, .operator= relation->operator};
    struct column_spec spec = analysis_spec_of_column(analysis->table, column);
    if (relation->kind == CQL_RELATION_FIELD &&
        !condition_prepare_field(analysis, relation, condition, &spec))
        return false;
    if (relation->kind == CQL_RELATION_ELEMENT &&
        !condition_prepare_element(analysis, relation, condition, &spec))
        return false;
    if ((relation->operator== CQL_OPERATOR_CONTAINS || relation->operator==
         CQL_OPERATOR_CONTAINS_KEY) &&
        !condition_prepare_contains(analysis, condition, &spec))
        return false;
    condition->type = spec.type;
    if (!condition_check_duration(analysis, spec.type, relation->operator) ||
        !condition_prepare_values(analysis, relation, &spec, condition))
        return false;
    return column->kind >= COLUMN_STATIC ||
           cql_error_set(analysis->error, CQL_ERROR_INVALID,
                         "PRIMARY KEY column '%.*s' cannot have IF conditions",
                         SLICE_TEXT(column->name));
}

// ---- Binding ------------------------------------------------------------------------------------

static bool condition_refuse(const struct binding *binding, const char *text)
{
    return cql_error_set(binding->error, CQL_ERROR_INVALID, "%s", text);
}

static bool condition_bind_element(const struct condition *condition, const struct binding *binding,
                                   struct bound_condition *bound)
{
    if (condition->element == NULL) return true;
    struct bound_value value;
    bool is_map = condition->column->type->kind == TYPE_MAP;
    if (!term_bind(condition->element, binding, &value)) return false;
    bound->is_element_unset = value.unset;
    if (value.unset) return true;
    if (slice_is_null(value.bytes))
        return condition_refuse(binding, is_map ? "Invalid null value for map element access"
                                                : "Invalid null value for list element access");
    bound->element = value.bytes;
    if (is_map) return true;
    int32_t index = value.bytes.size == 4 ? (int32_t)bytes_get_u32(value.bytes.data) : 0;
    if (index < 0)
        return cql_error_set(binding->error, CQL_ERROR_INVALID, "Invalid negative list index %d",
                             (int)index);
    bound->index = (uint32_t)index;
    return true;
}

// "a = null", or "= []" of a collection of many cells, which knows no difference.
static bool condition_means_nothing(const struct condition *condition, struct slice value)
{
    if (slice_is_null(value)) return true;
    return condition->element == NULL && !condition->is_of_field &&
           type_is_multi_cell(condition->column->type) && type_is_collection(condition->type) &&
           value.size == 4 && bytes_get_u32(value.data) == 0;
}

static bool condition_bind_value(const struct condition *condition, const struct term *term,
                                 const struct binding *binding, struct slice *value, bool *is_unset)
{
    struct bound_value bytes;
    if (!term_bind(term, binding, &bytes)) return false;
    *is_unset = bytes.unset;
    if (bytes.unset) return true;
    *value = bytes.bytes;
    enum cql_operator operator= condition->operator;
    if (slice_is_null(bytes.bytes)) {
        if (operator== CQL_OPERATOR_EQ || operator== CQL_OPERATOR_NEQ || operator== CQL_OPERATOR_IN)
            return true;
        return cql_error_set(binding->error, CQL_ERROR_INVALID,
                             "Invalid comparison with null for operator \"%s\"",
                             ast_text_operator(operator));
    }
    if (!condition_is_slice(operator) || !condition_means_nothing(condition, *value)) return true;
    const struct type *type = condition->type;
    return cql_error_set(binding->error, CQL_ERROR_INVALID,
                         "Invalid comparison with an empty %s for operator \"%s\"",
                         type->kind == TYPE_LIST  ? "list"
                         : type->kind == TYPE_SET ? "set"
                                                  : "map",
                         ast_text_operator(operator));
}

// IN ?
static bool condition_bind_list(const struct condition *condition, const struct binding *binding,
                                struct bound_condition *bound)
{
    struct bound_value list;
    if (!term_bind(condition->value, binding, &list)) return false;
    if (list.unset) return condition_refuse(binding, "Invalid 'unset' value in condition");
    if (slice_is_null(list.bytes))
        return condition_refuse(binding, "Invalid null list in IN condition");
    size_t count;
    const struct slice *items = term_decode_collection(binding->arena, list.bytes, false, &count);
    if (items == NULL) return condition_refuse(binding, "Invalid list in IN condition");
    bound->values = items;
    bound->value_count = count;
    return true;
}

// IN ( … ): what is unset is left out.
static bool condition_bind_in(const struct condition *condition, const struct binding *binding,
                              struct bound_condition *bound)
{
    struct slice *values = ARENA_NEW_ARRAY(binding->arena, struct slice, condition->in_count + 1);
    for (size_t i = 0; i < condition->in_count; i++) {
        bool is_unset;
        if (!condition_bind_value(condition, condition->in_values[i], binding,
                                  &values[bound->value_count], &is_unset))
            return false;
        if (!is_unset) bound->value_count++;
    }
    bound->values = values;
    return true;
}

bool condition_bind(const struct condition *condition, const struct binding *binding,
                    struct bound_condition *bound)
{
    *bound = (struct bound_condition){.condition = condition};
    if (!condition_bind_element(condition, binding, bound)) return false;
    bool is_in = condition->operator== CQL_OPERATOR_IN;
    if (is_in && condition->value != NULL) return condition_bind_list(condition, binding, bound);
    if (is_in) return condition_bind_in(condition, binding, bound);
    struct slice *value = ARENA_NEW(binding->arena, struct slice);
    bool is_unset;
    if (!condition_bind_value(condition, condition->value, binding, value, &is_unset)) return false;
    bound->values = value;
    bound->value_count = 1;
    return !is_unset || condition_refuse(binding, "Invalid 'unset' value in condition");
}

// ---- Passing ------------------------------------------------------------------------------------

static const struct slice *condition_elements(const struct column *column,
                                              const struct row_view *view, struct arena *arena,
                                              size_t *count)
{
    struct slice value = row_view_value(view, column, arena);
    *count = 0;
    if (slice_is_null(value)) return NULL;
    return term_decode_collection(arena, value, column->type->kind == TYPE_MAP, count);
}

// What the row has there; null: nothing.
static struct slice condition_actual(const struct bound_condition *bound,
                                     const struct row_view *view, struct arena *arena)
{
    const struct condition *condition = bound->condition;
    const struct column *column = condition->column;
    if (condition->is_of_field) {
        struct slice value = row_view_value(view, column, arena);
        if (slice_is_null(value)) return value;
        return term_decode_tuple(arena, value, column->type->parameter_count)[condition->field];
    }
    if (condition->element == NULL) return row_view_value(view, column, arena);
    if (bound->is_element_unset) return slice_null();
    size_t count;
    const struct slice *items = condition_elements(column, view, arena, &count);
    if (items == NULL) return slice_null();
    if (column->type->kind == TYPE_LIST)
        return bound->index < count ? items[bound->index] : slice_null();
    for (size_t i = 0; i + 1 < count; i += 2)
        if (type_compare(column->type->parameters[0], items[i], bound->element) == 0)
            return items[i + 1];
    return slice_null();
}

static bool condition_contains(const struct bound_condition *bound, const struct row_view *view,
                               struct arena *arena)
{
    const struct condition *condition = bound->condition;
    bool is_map = condition->column->type->kind == TYPE_MAP;
    size_t first = is_map && condition->operator== CQL_OPERATOR_CONTAINS ? 1 : 0, count;
    const struct slice *items = condition_elements(condition->column, view, arena, &count);
    for (size_t i = first; items != NULL && i < count; i += is_map ? 2 : 1)
        if (type_compare(condition->type, items[i], bound->values[0]) == 0) return true;
    return false;
}

static bool condition_equals(const struct condition *condition, struct slice actual,
                             struct slice value)
{
    bool is_nothing = condition_means_nothing(condition, value);
    if (slice_is_null(actual) || is_nothing) return slice_is_null(actual) && is_nothing;
    return type_compare(condition->type, actual, value) == 0;
}

bool condition_passes(const struct bound_condition *bound, const struct row_view *view,
                      struct arena *arena)
{
    const struct condition *condition = bound->condition;
    enum cql_operator operator= condition->operator;
    if (operator== CQL_OPERATOR_CONTAINS || operator== CQL_OPERATOR_CONTAINS_KEY)
        return condition_contains(bound, view, arena);
    struct slice actual = condition_actual(bound, view, arena);
    if (operator== CQL_OPERATOR_EQ || operator== CQL_OPERATOR_IN) {
        for (size_t i = 0; i < bound->value_count; i++)
            if (condition_equals(condition, actual, bound->values[i])) return true;
        return false;
    }
    if (operator== CQL_OPERATOR_NEQ) return !condition_equals(condition, actual, bound->values[0]);
    if (slice_is_null(actual)) return false;
    int order = type_compare(condition->type, actual, bound->values[0]);
    switch (operator) {
    case CQL_OPERATOR_LT:
        return order < 0;
    case CQL_OPERATOR_LTE:
        return order <= 0;
    case CQL_OPERATOR_GT:
        return order > 0;
    default:
        return order >= 0;
    }
}
