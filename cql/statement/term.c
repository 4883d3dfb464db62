#include "cql/statement/term.h"

#include "base/assert.h"
#include "cql/statement/functions.h"
#include "cql/statement/term_internal.h"
#include "storage/value.h"

static bool term_invalid(struct analysis *analysis, const char *text)
{
    return cql_error_set(analysis->error, CQL_ERROR_INVALID, "%s", text);
}

const struct term *term_make_constant(struct arena *arena, const struct type *type,
                                      struct slice bytes)
{
    struct term *term = ARENA_NEW(arena, struct term);
    *term = (struct term){.kind = TERM_CONSTANT, .type = type, .constant = bytes};
    return term;
}
// ---- Binding
// ------------------------------------------------------------------------------------

static bool term_bind_call(const struct term *term, const struct binding *binding,
                           struct bound_value *value)
{
    struct slice arguments[16];
    ASSERT(term->item_count <= 16);
    for (size_t i = 0; i < term->item_count; i++) {
        struct bound_value argument;
        if (!term_bind(term->items[i], binding, &argument)) return false;
        if (argument.unset)
            return cql_error_set(binding->error, CQL_ERROR_INVALID,
                                 "Invalid unset value for argument in call to function %s",
                                 term->function->name);
        arguments[i] = argument.bytes;
    }
    struct function_call call = {binding->processor, term->function, binding->arena,
                                 binding->error};
    value->unset = false;
    return term->function->call(&call, arguments, &value->bytes);
}

static bool term_bind_items(const struct term *term, const struct binding *binding,
                            struct slice *items)
{
    for (size_t i = 0; i < term->item_count; i++) {
        struct bound_value item;
        if (!term_bind(term->items[i], binding, &item)) return false;
        if (item.unset && term->type->kind == TYPE_UDT)
            return cql_error_set(binding->error, CQL_ERROR_INVALID,
                                 "Invalid unset value for field '%.*s' of user defined type %.*s",
                                 SLICE_TEXT(term->type->field_names[i]),
                                 SLICE_TEXT(term->type->name));
        if (item.unset)
            return cql_error_set(binding->error, CQL_ERROR_INVALID,
                                 "Invalid unset value for tuple field number %zu", i);
        if (slice_is_null(item.bytes) && term->kind != TERM_TUPLE)
            return cql_error_set(binding->error, CQL_ERROR_INVALID,
                                 term->type->kind == TYPE_VECTOR
                                     ? "null is not supported inside vectors"
                                     : "null is not supported inside collections");
        items[i] = item.bytes;
    }
    return true;
}

static bool term_bind_collection(const struct term *term, const struct binding *binding,
                                 struct bound_value *value)
{
    struct slice *items = ARENA_NEW_ARRAY(binding->arena, struct slice, term->item_count + 1);
    if (!term_bind_items(term, binding, items)) return false;
    size_t count = term->item_count;
    bool is_map = term->kind == TERM_MAP;
    if (term->kind == TERM_SET || is_map)
        count = term_sort_items(term->type->parameters[0], items, count, is_map ? 2 : 1,
                                binding->arena);
    value->unset = false;
    if (term->kind == TERM_TUPLE)
        value->bytes = term_encode_tuple(binding->arena, items, count);
    else if (term->type->kind == TYPE_VECTOR)
        value->bytes = term_encode_vector(binding->arena, term->type, items, count);
    else
        value->bytes = term_encode_collection(binding->arena, items, count, is_map);
    return true;
}

static bool term_bind_marker(const struct term *term, const struct binding *binding,
                             struct bound_value *value)
{
    *value = binding->values[term->marker];
    if (value->unset || slice_is_null(value->bytes)) return true;
    struct error error;
    if (type_validate(term->type, value->bytes, &error) == STATUS_OK) {
        // Clients send sets and maps in any order.
        value->bytes = term_sort_collection(binding->arena, term->type, value->bytes);
        return true;
    }
    bool is_null_item = strcmp(error.text, "Null value read when not allowed") == 0;
    if (is_null_item && term->type->kind == TYPE_LIST && !term->type->frozen)
        return cql_error_set(binding->error, CQL_ERROR_SERVER, "java.lang.NullPointerException");
    if (term->type->kind == TYPE_UDT) // Which Cassandra forgets to catch.
        return cql_error_set(binding->error, CQL_ERROR_SERVER,
                             "org.apache.cassandra.serializers.MarshalException: %s", error.text);
    return cql_error_set(binding->error, CQL_ERROR_INVALID, "%s", error.text);
}

bool term_bind(const struct term *term, const struct binding *binding, struct bound_value *value)
{
    switch (term->kind) {
    case TERM_CONSTANT:
        *value = (struct bound_value){term->constant, false};
        return true;
    case TERM_MARKER:
        return term_bind_marker(term, binding, value);
    case TERM_CALL:
        return term_bind_call(term, binding, value);
    default:
        return term_bind_collection(term, binding, value);
    }
}

// ---- Preparing
// ----------------------------------------------------------------------------------

// The next field of a tuple's text: to a colon that has no backslash before it.
static struct slice term_take_field(struct arena *arena, struct slice text, size_t *at)
{
    uint8_t *bytes = arena_alloc(arena, text.size + 1);
    size_t size = 0;
    for (; *at < text.size && text.data[*at] != ':'; (*at)++) {
        bool is_escaped = text.data[*at] == '\\' && *at + 1 < text.size &&
                          (text.data[*at + 1] == ':' || text.data[*at + 1] == '@');
        if (is_escaped) (*at)++;
        bytes[size++] = text.data[*at];
    }
    return slice_make(bytes, size);
}

// "1:a", as Cassandra's tools print tuples (TupleType.fromString); @ is null.
static bool term_read_tuple(struct analysis *analysis, const struct type *type, struct slice text,
                            struct slice *bytes)
{
    size_t count = 0;
    struct error error;
    struct slice *fields =
        ARENA_NEW_ARRAY(analysis->arena, struct slice, type->parameter_count + 1u);
    for (size_t at = 0; text.size > 0 && at <= text.size; at++, count++)
        (void)term_take_field(analysis->arena, text, &at);
    if (count > type->parameter_count)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Invalid tuple literal: too many elements. Type %s expects %d but got "
                             "%zu",
                             analysis_type_text(analysis, type), type->parameter_count, count);
    count = 0;
    for (size_t at = 0; text.size > 0 && at <= text.size; at++, count++) {
        bool is_null = at < text.size && text.data[at] == '@' &&
                       (at + 1 == text.size || text.data[at + 1] == ':');
        struct slice field = term_take_field(analysis->arena, text, &at);
        if (is_null) continue;
        const struct type *of = type->parameters[count];
        bool is_ok =
            of->kind == TYPE_TUPLE
                ? term_read_tuple(analysis, of, field, &fields[count])
                : value_from_text(of->kind < TYPE_LIST ? of : type_of_kind(TYPE_BLOB), field,
                                  analysis->arena, &fields[count], &error) == STATUS_OK ||
                      term_invalid(analysis, error.text);
        if (!is_ok) return false;
    }
    *bytes = term_encode_tuple(analysis->arena, fields, count);
    return true;
}

// Values of keys are valid; elsewhere Cassandra stores the hexadecimals of a tuple as they are.
static bool term_is_of_key(const struct analysis *analysis, const struct column_spec *receiver)
{
    if (analysis->table == NULL || slice_is_null(receiver->name)) return false;
    const struct column *column = table_find_column(analysis->table, receiver->name);
    return column != NULL && column->kind < COLUMN_STATIC && column->type == receiver->type;
}

static bool term_prepare_constant(struct analysis *analysis, const struct cql_term *raw,
                                  const struct column_spec *receiver, const struct term **term)
{
    static const char *const kinds[] = {
        [CQL_CONSTANT_STRING] = "STRING",     [CQL_CONSTANT_INTEGER] = "INTEGER",
        [CQL_CONSTANT_UUID] = "UUID",         [CQL_CONSTANT_FLOAT] = "FLOAT",
        [CQL_CONSTANT_BOOLEAN] = "BOOLEAN",   [CQL_CONSTANT_HEX] = "HEX",
        [CQL_CONSTANT_DURATION] = "DURATION",
    };
    if (!term_constant_fits(raw->constant, receiver->type))
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Invalid %s constant (%.*s) for \"%.*s\" of type %s",
                             kinds[raw->constant], SLICE_TEXT(raw->value),
                             SLICE_TEXT(receiver->name),
                             analysis_type_text(analysis, receiver->type));
    struct slice text = raw->value;
    if (raw->constant == CQL_CONSTANT_HEX && text.size >= 2)
        text = slice_make(text.data + 2, text.size - 2);
    struct slice bytes;
    struct error error;
    if (receiver->type->kind == TYPE_TUPLE && raw->constant != CQL_CONSTANT_HEX) {
        if (!term_read_tuple(analysis, receiver->type, text, &bytes)) return false;
        *term = term_make_constant(analysis->arena, receiver->type, bytes);
        return true;
    }
    int64_t now_ms = env_wall_us(analysis->processor->env) / 1000;
    const struct type *as =
        raw->constant == CQL_CONSTANT_HEX ? type_of_kind(TYPE_BLOB) : receiver->type;
    if (value_from_text_at(as, text, now_ms, analysis->arena, &bytes, &error) != STATUS_OK ||
        (receiver->type->kind == TYPE_TUPLE && term_is_of_key(analysis, receiver) &&
         type_validate(receiver->type, bytes, &error) != STATUS_OK))
        return term_invalid(analysis, error.text);
    *term = term_make_constant(analysis->arena, receiver->type, bytes);
    return true;
}

static bool term_prepare_marker(struct analysis *analysis, const struct cql_term *raw,
                                const struct column_spec *receiver, const struct term **term)
{
    struct column_spec *spec = &analysis->markers[raw->marker];
    *spec = *receiver;
    analysis->marker_columns[raw->marker] = receiver->name;
    if (!slice_is_null(raw->value)) spec->name = raw->value;
    struct term *marker = ARENA_NEW(analysis->arena, struct term);
    *marker = (struct term){.kind = TERM_MARKER, .type = receiver->type, .marker = raw->marker};
    *term = marker;
    return true;
}
static bool term_prepare_type_cast(struct analysis *analysis, const struct cql_term *raw,
                                   const struct column_spec *receiver, const struct term **term)
{
    const struct type *type;
    if (!analysis_make_type(analysis, raw->type, term_keyspace(analysis), &type)) return false;
    if (term_fits(analysis, raw->items[0], type) == TERM_FIT_NOT)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID, "Cannot cast value %s to type %s",
                             analysis_term_text(analysis, raw->items[0]),
                             analysis_type_text(analysis, type));
    if (term_type_fits(type, receiver->type) == TERM_FIT_NOT)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Cannot assign value %s to %.*s of type %s",
                             analysis_term_text(analysis, raw), SLICE_TEXT(receiver->name),
                             analysis_type_text(analysis, receiver->type));
    return term_prepare(analysis, raw->items[0], receiver, term);
}

// ---- Calls
// --------------------------------------------------------------------------------------

bool term_is_from_json(const struct cql_term *raw)
{
    return raw->kind == CQL_TERM_FUNCTION &&
           (slice_equals(raw->function.name, slice_of_text("fromjson")) ||
            slice_equals(raw->function.name, slice_of_text("from_json")));
}

// What has a type by itself. Calls and operators outside of a selection have
// not: they can be what their receiver wants.
static bool term_is_open(const struct analysis *analysis, const struct cql_term *item)
{
    switch (item->kind) {
    case CQL_TERM_CONSTANT:
    case CQL_TERM_NULL:
    case CQL_TERM_MARKER:
    case CQL_TERM_LIST:
    case CQL_TERM_SET:
    case CQL_TERM_MAP:
    case CQL_TERM_UDT:
        return true;
    case CQL_TERM_TUPLE:
        return item->item_count > 1 || term_is_open(analysis, item->items[0]);
    case CQL_TERM_FUNCTION:
    case CQL_TERM_OPERATION:
    case CQL_TERM_NEGATE:
    case CQL_TERM_CAST:
        return !analysis->in_selection;
    default:
        return false;
    }
}

// False: a selector's type is not known, and the error says why.
static bool term_describe_arguments(struct analysis *analysis, const struct cql_term *raw,
                                    struct function_argument *arguments)
{
    for (size_t i = 0; i < raw->item_count; i++) {
        const struct cql_term *item = raw->items[i];
        arguments[i] = (struct function_argument){NULL, item};
        if (term_is_open(analysis, item)) continue;
        arguments[i].type = analysis->in_selection ? term_natural_type(analysis, item)
                                                   : term_quiet_type(analysis, item);
        if (arguments[i].type == NULL && analysis->in_selection) return false;
    }
    return true;
}

const struct function *term_resolve(struct analysis *analysis, const struct cql_term *raw,
                                    const struct type *receiver)
{
    struct function_argument arguments[16];
    bool is_reversed = analysis->is_reversed;
    analysis->is_reversed = false;
    if (raw->item_count > 16) {
        term_invalid(analysis, "Too many arguments of a function");
        return NULL;
    }
    if (!term_describe_arguments(analysis, raw, arguments)) return NULL;
    if (raw->kind == CQL_TERM_OPERATION)
        return functions_resolve_operation(analysis, raw, arguments, receiver, is_reversed);
    if (raw->kind == CQL_TERM_NEGATE)
        return functions_resolve_negation(analysis, arguments, receiver);
    if (raw->kind == CQL_TERM_CAST)
        return functions_resolve_cast(analysis, arguments, raw->type, receiver);
    return functions_resolve(analysis, &raw->function, arguments, raw->item_count, receiver);
}

static bool term_make_call(struct analysis *analysis, const struct function *function,
                           const struct cql_term *raw, const struct term **term)
{
    const struct term **items =
        ARENA_NEW_ARRAY(analysis->arena, const struct term *, raw->item_count + 1);
    for (size_t i = 0; i < raw->item_count; i++) {
        struct column_spec argument = {slice_of_text("system"), slice_of_text(function->name),
                                       slice_null(), function->arguments[i]};
        if (analysis->table != NULL) {
            argument.keyspace = analysis->table->keyspace;
            argument.table = analysis->table->name;
        }
        argument.name =
            slice_of_text(arena_format(analysis->arena, "arg%zu(system.%s)", i, function->name));
        if (!term_prepare(analysis, raw->items[i], &argument, &items[i])) return false;
    }
    struct term *call = ARENA_NEW(analysis->arena, struct term);
    *call = (struct term){.kind = TERM_CALL,
                          .type = function->result,
                          .function = function,
                          .items = items,
                          .item_count = raw->item_count};
    *term = call;
    return true;
}

// Whether it is for a DESC column itself.
static bool term_is_reversed(const struct analysis *analysis, const struct column_spec *receiver)
{
    if (analysis->table == NULL || slice_is_null(receiver->name)) return false;
    const struct column *column = table_find_column(analysis->table, receiver->name);
    return column != NULL && column->reversed && column->type == receiver->type;
}

static bool term_prepare_call(struct analysis *analysis, const struct cql_term *raw,
                              const struct column_spec *receiver, const struct term **term)
{
    analysis->is_reversed = raw->kind == CQL_TERM_OPERATION && term_is_reversed(analysis, receiver);
    const struct function *function = term_resolve(analysis, raw, receiver->type);
    if (function == NULL) return false;
    if (function_is_aggregate(function))
        return term_invalid(analysis, "Aggregation function are not supported in the where clause");
    if (term_type_fits(function->result, receiver->type) == TERM_FIT_NOT) {
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Type error: cannot assign result of function "
                             "system.%s (type %s) to %.*s (type %s)",
                             function->name, analysis_type_text(analysis, function->result),
                             SLICE_TEXT(receiver->name),
                             analysis_type_text(analysis, receiver->type));
    }
    return term_make_call(analysis, function, raw, term);
}

static bool term_prepare_kind(struct analysis *analysis, const struct cql_term *raw,
                              const struct column_spec *receiver, const struct term **term)
{
    switch (raw->kind) {
    case CQL_TERM_CONSTANT:
        return term_prepare_constant(analysis, raw, receiver, term);
    case CQL_TERM_NULL:
        if (receiver->type->kind == TYPE_COUNTER)
            return term_invalid(analysis, "Invalid null value for counter increment/decrement");
        *term = term_make_constant(analysis->arena, receiver->type, slice_null());
        return true;
    case CQL_TERM_MARKER:
        return term_prepare_marker(analysis, raw, receiver, term);
    case CQL_TERM_LIST:
        return term_prepare_list(analysis, raw, receiver, term);
    case CQL_TERM_SET:
        return term_prepare_set(analysis, raw, receiver, term);
    case CQL_TERM_MAP:
        if (term_is_user_type(raw, receiver->type))
            return term_prepare_user_type(analysis, term_as_user_type(analysis, raw), receiver,
                                          term);
        if (receiver->type->kind != TYPE_MAP)
            return term_refuse_literal(analysis, raw, receiver, "map");
        return term_prepare_elements(analysis, raw, receiver, "map", TERM_MAP, term);
    case CQL_TERM_UDT:
        return term_prepare_user_type(analysis, raw, receiver, term);
    case CQL_TERM_TUPLE:
        return term_prepare_tuple(analysis, raw, receiver, term);
    case CQL_TERM_TYPE_CAST:
        return term_prepare_type_cast(analysis, raw, receiver, term);
    case CQL_TERM_FUNCTION:
    case CQL_TERM_CAST:
    case CQL_TERM_NEGATE:
    case CQL_TERM_OPERATION:
        return term_prepare_call(analysis, raw, receiver, term);
    default:
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Columns can not stand in this place: %s",
                             analysis_term_text(analysis, raw));
    }
}

bool term_prepare(struct analysis *analysis, const struct cql_term *raw,
                  const struct column_spec *receiver, const struct term **term)
{
    if (!analysis_go_deeper(analysis)) return false;
    bool is_ok = term_prepare_kind(analysis, raw, receiver, term);
    analysis->depth--;
    return is_ok;
}
