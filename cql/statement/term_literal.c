// Literals of collections, tuples, vectors and user types
// (org.apache.cassandra.cql3.Lists.Literal, Maps.Literal, UserTypes.Literal and
// their kin).
#include "cql/parser/ast_text.h"
#include "cql/statement/term_internal.h"

// Constants among the items make a constant of the whole.
static bool term_finish_items(struct analysis *analysis, struct term *made,
                              const struct term **items, const struct term **term)
{
    made->items = items;
    *term = made;
    for (size_t i = 0; i < made->item_count; i++)
        if (items[i]->kind != TERM_CONSTANT) return true;
    struct binding binding = {analysis->processor, NULL, analysis->arena, analysis->error};
    struct bound_value value;
    if (!term_bind(made, &binding, &value)) return false;
    *term = term_make_constant(analysis->arena, made->type, value.bytes);
    return true;
}

bool term_refuse_literal(struct analysis *analysis, const struct cql_term *raw,
                         const struct column_spec *receiver, const char *kind)
{
    (void)raw;
    return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                         "Invalid %s literal for %.*s of type %s", kind, SLICE_TEXT(receiver->name),
                         analysis_type_text(analysis, receiver->type));
}

// What an element must be; `part` is "value" or "key".
static bool term_check_element(struct analysis *analysis, const struct cql_term *item,
                               const struct column_spec *receiver, const char *kind,
                               const char *part, const struct type *type)
{
    if (term_fits(analysis, item, type) != TERM_FIT_NOT) return true;
    return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                         "Invalid %s literal for %.*s: %s %s is not of type %s", kind,
                         SLICE_TEXT(receiver->name), part, analysis_term_text(analysis, item),
                         analysis_type_text(analysis, type));
}

static bool term_prepare_element(struct analysis *analysis, const struct cql_term *item,
                                 const struct column_spec *receiver, const char *kind,
                                 const char *part, const struct type *type,
                                 const struct term **term)
{
    if (item->kind == CQL_TERM_MARKER && receiver->type->kind != TYPE_VECTOR)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Invalid %s literal for %.*s: bind variables are not supported inside "
                             "collection literals",
                             kind, SLICE_TEXT(receiver->name));
    struct column_spec element = {receiver->keyspace, receiver->table, slice_null(), type};
    element.name =
        slice_of_text(arena_format(analysis->arena, "%s(%.*s)", part, SLICE_TEXT(receiver->name)));
    return term_prepare(analysis, item, &element, term);
}

bool term_prepare_elements(struct analysis *analysis, const struct cql_term *raw,
                           const struct column_spec *receiver, const char *kind,
                           enum term_kind made_kind, const struct term **term)
{
    const struct term **items =
        ARENA_NEW_ARRAY(analysis->arena, const struct term *, raw->item_count + 1);
    bool is_map = raw->kind == CQL_TERM_MAP;
    // All of them are looked at before the first is prepared.
    for (int is_prepared = 0; is_prepared < 2; is_prepared++)
        for (size_t i = 0; i < raw->item_count; i++) {
            const struct cql_term *item = raw->items[i];
            const struct type *type = receiver->type->parameters[is_map ? i % 2 : 0];
            const char *part = is_map && i % 2 == 0 ? "key" : "value";
            bool is_ok =
                is_prepared
                    ? term_prepare_element(analysis, item, receiver, kind, part, type, &items[i])
                    : term_check_element(analysis, item, receiver, kind, part, type);
            if (!is_ok) return false;
        }
    struct term *made = ARENA_NEW(analysis->arena, struct term);
    *made = (struct term){.kind = made_kind, .type = receiver->type, .item_count = raw->item_count};
    return term_finish_items(analysis, made, items, term);
}

bool term_prepare_list(struct analysis *analysis, const struct cql_term *raw,
                       const struct column_spec *receiver, const struct term **term)
{
    enum type_kind kind = receiver->type->kind;
    if (kind != TYPE_LIST && kind != TYPE_VECTOR)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Unexpected receiver type '%s'; only list and vector are expected",
                             analysis_type_text(analysis, receiver->type));
    if (kind == TYPE_VECTOR && raw->item_count != receiver->type->dimension)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Invalid vector literal for %.*s of type %s; expected "
                             "%d elements, but given %zu",
                             SLICE_TEXT(receiver->name),
                             analysis_type_text(analysis, receiver->type),
                             receiver->type->dimension, raw->item_count);
    return term_prepare_elements(analysis, raw, receiver, kind == TYPE_LIST ? "list" : "vector",
                                 TERM_LIST, term);
}

bool term_prepare_set(struct analysis *analysis, const struct cql_term *raw,
                      const struct column_spec *receiver, const struct term **term)
{
    bool is_empty_map = raw->item_count == 0 && receiver->type->kind == TYPE_MAP;
    if (receiver->type->kind != TYPE_SET && !is_empty_map)
        return term_refuse_literal(analysis, raw, receiver, "set");
    return term_prepare_elements(analysis, raw, receiver, "set", is_empty_map ? TERM_MAP : TERM_SET,
                                 term);
}

bool term_prepare_tuple(struct analysis *analysis, const struct cql_term *raw,
                        const struct column_spec *receiver, const struct term **term)
{
    const struct type *type = receiver->type;
    if (!term_is_tuple_type(type) && raw->item_count == 1)
        return term_prepare(analysis, raw->items[0], receiver, term);
    if (!term_is_tuple_type(type))
        return term_refuse_literal(analysis, raw, receiver, "tuple type");
    if (raw->item_count > type->parameter_count)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Invalid tuple literal for %.*s: too many elements. Type %s expects "
                             "%d but got %zu",
                             SLICE_TEXT(receiver->name), analysis_type_text(analysis, type),
                             type->parameter_count, raw->item_count);
    const struct term **items =
        ARENA_NEW_ARRAY(analysis->arena, const struct term *, raw->item_count + 1);
    for (size_t i = 0; i < raw->item_count; i++)
        if (term_fits(analysis, raw->items[i], type->parameters[i]) == TERM_FIT_NOT)
            return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                                 "Invalid tuple literal for %.*s: component %zu is not of type %s",
                                 SLICE_TEXT(receiver->name), i,
                                 analysis_type_text(analysis, type->parameters[i]));
    for (size_t i = 0; i < raw->item_count; i++) {
        struct column_spec field = *receiver;
        field.type = type->parameters[i];
        field.name = slice_of_text(
            arena_format(analysis->arena, "%.*s[%zu]", SLICE_TEXT(receiver->name), i));
        if (!term_prepare(analysis, raw->items[i], &field, &items[i])) return false;
    }
    struct term *made = ARENA_NEW(analysis->arena, struct term);
    *made = (struct term){.kind = TERM_TUPLE, .type = type, .item_count = raw->item_count};
    return term_finish_items(analysis, made, items, term);
}

struct column_spec term_field_spec(struct analysis *analysis, const struct column_spec *receiver,
                                   int field)
{
    const struct type *type = receiver->type;
    struct column_spec spec = *receiver;
    spec.type = type->parameters[field];
    spec.name = slice_of_text(arena_format(analysis->arena, "%.*s.%.*s", SLICE_TEXT(receiver->name),
                                           SLICE_TEXT(type->field_names[field])));
    return spec;
}

static bool term_check_field_names(struct analysis *analysis, const struct cql_term *raw,
                                   const struct type *type)
{
    size_t unknown = raw->item_count;
    bool is_sole = true;
    for (size_t i = 0; i < raw->item_count; i++) {
        if (user_types_field(type, raw->field_names[i]) >= 0) continue;
        is_sole = unknown == raw->item_count;
        unknown = i;
    }
    if (unknown == raw->item_count) return true;
    for (size_t i = 0; i < raw->item_count && !is_sole && raw->item_count <= 64; i++) {
        size_t at = ast_text_field_at(raw, i);
        if (user_types_field(type, raw->field_names[at]) >= 0) continue;
        unknown = at;
        break;
    }
    return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                         "Unknown field '%.*s' in value of user defined type %.*s",
                         SLICE_TEXT(raw->field_names[unknown]), SLICE_TEXT(type->name));
}

// Fields that are not there are null.
bool term_prepare_user_type(struct analysis *analysis, const struct cql_term *raw,
                            const struct column_spec *receiver, const struct term **term)
{
    const struct type *type = receiver->type;
    if (type->kind != TYPE_UDT) return term_refuse_literal(analysis, raw, receiver, "user type");
    int misfit = term_find_misfit(analysis, raw, type);
    if (misfit >= 0)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Invalid user type literal for %.*s: field %.*s is not of type %s",
                             SLICE_TEXT(receiver->name), SLICE_TEXT(type->field_names[misfit]),
                             analysis_type_text(analysis, type->parameters[misfit]));
    const struct term **items =
        ARENA_NEW_ARRAY(analysis->arena, const struct term *, type->parameter_count + 1u);
    for (uint16_t i = 0; i < type->parameter_count; i++) {
        const struct cql_term *value = term_field_value(raw, type->field_names[i]);
        struct column_spec field = term_field_spec(analysis, receiver, i);
        if (value == NULL)
            items[i] = term_make_constant(analysis->arena, field.type, slice_null());
        else if (!term_prepare(analysis, value, &field, &items[i]))
            return false;
    }
    if (!term_check_field_names(analysis, raw, type)) return false;
    struct term *made = ARENA_NEW(analysis->arena, struct term);
    *made = (struct term){.kind = TERM_TUPLE, .type = type, .item_count = type->parameter_count};
    return term_finish_items(analysis, made, items, term);
}
