#include "cql/statement/term.h"

#include "base/assert.h"
#include "cql/parser/ast_text.h"
#include "cql/statement/functions.h"
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

// ---- How terms fit types ------------------------------------------------------------------------

enum term_fit term_type_fits(const struct type *from, const struct type *to)
{
    if (type_equals(from, to)) return TERM_FIT_EXACT;
    if (from->kind == to->kind && from->kind >= TYPE_LIST) {
        // Frozen or not is no matter for a value; but Cassandra wants user types to be alike.
        if (from->kind == TYPE_UDT && from->frozen != to->frozen) return TERM_FIT_NOT;
        if (from->parameter_count != to->parameter_count) return TERM_FIT_NOT;
        for (size_t i = 0; i < from->parameter_count; i++)
            if (term_type_fits(from->parameters[i], to->parameters[i]) == TERM_FIT_NOT)
                return TERM_FIT_NOT;
        return TERM_FIT_WEAK;
    }
    bool fits = (to->kind == TYPE_BLOB) || (to->kind == TYPE_TEXT && from->kind == TYPE_ASCII) ||
                (to->kind == TYPE_BIGINT && from->kind == TYPE_TIMESTAMP) ||
                (to->kind == TYPE_TIME && from->kind == TYPE_BIGINT) ||
                (to->kind == TYPE_TIMESTAMP && from->kind == TYPE_BIGINT) ||
                (to->kind == TYPE_UUID && from->kind == TYPE_TIMEUUID) ||
                (to->kind == TYPE_DATE && from->kind == TYPE_INT) ||
                (to->kind == TYPE_VARINT && (from->kind == TYPE_INT || from->kind == TYPE_BIGINT ||
                                             from->kind == TYPE_TIMESTAMP));
    return fits ? TERM_FIT_WEAK : TERM_FIT_NOT;
}

// Constants.Literal.testAssignment: what each kind of literal may be.
static bool term_constant_fits(enum cql_constant_kind kind, const struct type *type)
{
    enum type_kind to = type->kind;
    if (to == TYPE_TUPLE) return true; // Cassandra does not look, and reads its text.
    switch (kind) {
    case CQL_CONSTANT_STRING:
        return to == TYPE_ASCII || to == TYPE_TEXT || to == TYPE_INET || to == TYPE_TIMESTAMP ||
               to == TYPE_DATE || to == TYPE_TIME;
    case CQL_CONSTANT_INTEGER:
        return to == TYPE_BIGINT || to == TYPE_COUNTER || to == TYPE_DATE || to == TYPE_DECIMAL ||
               to == TYPE_DOUBLE || to == TYPE_DURATION || to == TYPE_FLOAT || to == TYPE_INT ||
               to == TYPE_SMALLINT || to == TYPE_TIME || to == TYPE_TIMESTAMP ||
               to == TYPE_TINYINT || to == TYPE_VARINT;
    case CQL_CONSTANT_UUID:
        return to == TYPE_UUID || to == TYPE_TIMEUUID;
    case CQL_CONSTANT_FLOAT:
        return to == TYPE_DECIMAL || to == TYPE_DOUBLE || to == TYPE_FLOAT;
    case CQL_CONSTANT_BOOLEAN:
        return to == TYPE_BOOLEAN;
    case CQL_CONSTANT_HEX:
        return to == TYPE_BLOB || to == TYPE_TINYINT; // The latter is Cassandra's own slip.
    case CQL_CONSTANT_DURATION:
        return to == TYPE_DURATION;
    }
    return false;
}

static enum term_fit term_items_fit(struct analysis *analysis, const struct cql_term *raw,
                                    const struct type *type)
{
    for (size_t i = 0; i < raw->item_count; i++) {
        size_t parameter = raw->kind == CQL_TERM_MAP ? i % 2 : raw->kind == CQL_TERM_TUPLE ? i : 0;
        if (parameter >= type->parameter_count) return TERM_FIT_NOT;
        if (term_fits(analysis, raw->items[i], type->parameters[parameter]) == TERM_FIT_NOT)
            return TERM_FIT_NOT;
    }
    return TERM_FIT_WEAK;
}

// What a literal in round brackets may be.
static bool term_is_tuple_type(const struct type *type)
{
    return type->kind == TYPE_TUPLE || type->kind == TYPE_UDT;
}

// The literal's value of a field of the type; NULL when it has none.
static const struct cql_term *term_field_value(const struct cql_term *raw, struct slice field)
{
    for (size_t i = 0; i < raw->item_count; i++)
        if (slice_equals(raw->field_names[i], field)) return raw->items[i];
    return NULL;
}

// The first field of the user type that a literal does not fit; -1: none. Of what is no user type
// it is 0. Fields that the type does not have are refused later.
static int term_find_misfit(struct analysis *analysis, const struct cql_term *raw,
                            const struct type *type)
{
    if (type->kind != TYPE_UDT) return 0;
    for (uint16_t i = 0; i < type->parameter_count; i++) {
        const struct cql_term *value = term_field_value(raw, type->field_names[i]);
        if (value != NULL && term_fits(analysis, value, type->parameters[i]) == TERM_FIT_NOT)
            return i;
    }
    return -1;
}

// In a selector the names of fields were taken for columns that are keys of a map.
static bool term_is_user_type(const struct cql_term *raw, const struct type *type)
{
    if (type->kind != TYPE_UDT) return false;
    for (size_t i = 0; i < raw->item_count; i += 2)
        if (raw->items[i]->kind != CQL_TERM_COLUMN) return false;
    return true;
}

static const struct cql_term *term_as_user_type(struct analysis *analysis,
                                                const struct cql_term *raw)
{
    size_t count = raw->item_count / 2;
    struct slice *names = ARENA_NEW_ARRAY(analysis->arena, struct slice, count);
    const struct cql_term **items =
        ARENA_NEW_ARRAY(analysis->arena, const struct cql_term *, count);
    for (size_t i = 0; i < count; i++) {
        names[i] = raw->items[2 * i]->value;
        items[i] = raw->items[2 * i + 1];
    }
    struct cql_term *made = ARENA_NEW(analysis->arena, struct cql_term);
    *made = *raw;
    made->kind = CQL_TERM_UDT;
    made->field_names = names;
    made->items = items;
    made->item_count = count;
    return made;
}

// Looks for a type without leaving an error behind.
static const struct type *term_quiet_type(struct analysis *analysis, const struct cql_term *raw)
{
    struct cql_error *error = analysis_ignore_errors(analysis);
    const struct type *type = term_natural_type(analysis, raw);
    analysis->error = error;
    return type;
}

// A call or an operator, as what a receiver of this type would get. It is asked again and again for
// what it stands in, so it is remembered under a place inside of the term, one for each kind.
static enum term_fit term_call_fits(struct analysis *analysis, const struct cql_term *raw,
                                    const struct type *type)
{
    if (term_is_from_json(raw)) return TERM_FIT_EXACT;
    bool is_scalar = type->kind < TYPE_LIST;
    const struct cql_term *place =
        (const struct cql_term *)(const void *)((const uint8_t *)raw + 1 + type->kind);
    const struct type *known = is_scalar ? analysis_recall_type(analysis, place) : NULL;
    if (known == NULL) {
        const struct function *function = NULL;
        struct cql_error *error = analysis_ignore_errors(analysis);
        if (analysis_go_deeper(analysis)) {
            function = term_resolve(analysis, raw, type);
            analysis->depth--;
        }
        analysis->error = error;
        known = function == NULL ? type_of_kind(TYPE_EMPTY) : function->result;
        if (is_scalar) analysis_remember_type(analysis, place, known);
    }
    // What can not be resolved fits anything: it is refused for itself later, in clearer words
    // (FunctionCall.Raw.testAssignment).
    return known->kind == TYPE_EMPTY ? TERM_FIT_WEAK : term_type_fits(known, type);
}

enum term_fit term_fits(struct analysis *analysis, const struct cql_term *raw,
                        const struct type *type)
{
    const struct type *known;
    switch (raw->kind) {
    case CQL_TERM_CONSTANT:
        return term_constant_fits(raw->constant, type) ? TERM_FIT_WEAK : TERM_FIT_NOT;
    case CQL_TERM_NULL:
        return type->kind == TYPE_COUNTER ? TERM_FIT_NOT : TERM_FIT_WEAK;
    case CQL_TERM_MARKER:
        return TERM_FIT_WEAK;
    case CQL_TERM_LIST:
        if (type->kind != TYPE_LIST && type->kind != TYPE_VECTOR) return TERM_FIT_NOT;
        return term_items_fit(analysis, raw, type);
    case CQL_TERM_SET:
        if (raw->item_count == 0 && type->kind == TYPE_MAP) return TERM_FIT_WEAK;
        if (type->kind != TYPE_SET) return TERM_FIT_NOT;
        return term_items_fit(analysis, raw, type);
    case CQL_TERM_MAP:
        if (term_is_user_type(raw, type))
            return term_fits(analysis, term_as_user_type(analysis, raw), type);
        if (type->kind != TYPE_MAP) return TERM_FIT_NOT;
        return term_items_fit(analysis, raw, type);
    case CQL_TERM_TUPLE:
        if (term_is_tuple_type(type)) return term_items_fit(analysis, raw, type);
        if (raw->item_count == 1) return term_fits(analysis, raw->items[0], type);
        return TERM_FIT_NOT;
    case CQL_TERM_UDT:
        return term_find_misfit(analysis, raw, type) < 0 ? TERM_FIT_WEAK : TERM_FIT_NOT;
    case CQL_TERM_FUNCTION:
    case CQL_TERM_OPERATION:
    case CQL_TERM_NEGATE:
    case CQL_TERM_CAST:
        if (!analysis->in_selection) return term_call_fits(analysis, raw, type);
        // fall through
    default:
        known = term_quiet_type(analysis, raw);
        return known == NULL ? TERM_FIT_NOT : term_type_fits(known, type);
    }
}

// `limit` is the largest number of its type; the smallest one has one more.
static bool term_integer_fits(struct slice text, const char *limit)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    size_t digits = text.size - negative;
    const uint8_t *from = text.data + negative;
    while (digits > 1 && *from == '0') {
        from++;
        digits--;
    }
    size_t limit_size = strlen(limit);
    if (digits != limit_size) return digits < limit_size;
    // Limits end in 7.
    int order = memcmp(from, limit, digits - 1);
    return order < 0 || (order == 0 && from[digits - 1] <= limit[digits - 1] + negative);
}

// Constants.Type.getPreferedTypeFor().
static const struct type *term_constant_type(const struct cql_term *raw)
{
    switch (raw->constant) {
    case CQL_CONSTANT_STRING:
        for (size_t i = 0; i < raw->value.size; i++)
            if (raw->value.data[i] >= 0x80) return type_of_kind(TYPE_TEXT);
        return type_of_kind(TYPE_ASCII);
    case CQL_CONSTANT_INTEGER:
        if (term_integer_fits(raw->value, "2147483647")) return type_of_kind(TYPE_INT);
        if (term_integer_fits(raw->value, "9223372036854775807")) return type_of_kind(TYPE_BIGINT);
        return type_of_kind(TYPE_VARINT);
    case CQL_CONSTANT_UUID:
        return type_of_kind(raw->value.size > 14 && raw->value.data[14] == '1' ? TYPE_TIMEUUID
                                                                               : TYPE_UUID);
    case CQL_CONSTANT_FLOAT:
        return type_of_kind(TYPE_DOUBLE);
    case CQL_CONSTANT_BOOLEAN:
        return type_of_kind(TYPE_BOOLEAN);
    case CQL_CONSTANT_HEX:
        return type_of_kind(TYPE_BLOB);
    case CQL_CONSTANT_DURATION:
        return type_of_kind(TYPE_DURATION);
    }
    return NULL;
}

// Where the user types of a statement are.
static struct slice term_keyspace(const struct analysis *analysis)
{
    return analysis->table != NULL ? analysis->table->keyspace : analysis->keyspace;
}

const struct type *term_field_type(struct analysis *analysis, const struct cql_term *raw,
                                   const struct type *type)
{
    int field = type->kind == TYPE_UDT ? user_types_field(type, raw->value) : -1;
    if (field >= 0) return type->parameters[field];
    const char *of = analysis_term_text(analysis, raw->items[0]);
    const char *text = analysis_type_text(analysis, type);
    if (type->kind != TYPE_UDT)
        cql_error_set(analysis->error, CQL_ERROR_INVALID,
                      "Invalid field selection: %s of type %s is not a user type", of, text);
    else
        cql_error_set(analysis->error, CQL_ERROR_INVALID, "%s of type %s has no field %.*s", of,
                      text, SLICE_TEXT(raw->value));
    return NULL;
}

static const struct type *term_find_type(struct analysis *analysis, const struct cql_term *raw)
{
    const struct function *function = NULL;
    const struct type *type = NULL;
    switch (raw->kind) {
    case CQL_TERM_CONSTANT:
        return term_constant_type(raw);
    case CQL_TERM_COLUMN: {
        if (analysis->table == NULL) return NULL;
        const struct column *column = analysis_find_column(analysis, raw->value);
        return column == NULL ? NULL : column->type;
    }
    case CQL_TERM_FIELD:
        type = term_natural_type(analysis, raw->items[0]);
        return type == NULL ? NULL : term_field_type(analysis, raw, type);
    case CQL_TERM_ELEMENT:
    case CQL_TERM_SLICE:
        type = term_natural_type(analysis, raw->items[0]);
        if (type == NULL || !type_is_collection(type) || raw->kind == CQL_TERM_SLICE) return type;
        return type->parameters[type->kind == TYPE_MAP ? 1 : 0];
    case CQL_TERM_TTL:
        return type_of_kind(TYPE_INT);
    case CQL_TERM_WRITETIME:
    case CQL_TERM_MAXWRITETIME:
        return type_of_kind(TYPE_BIGINT);
    case CQL_TERM_TYPE_CAST:
    case CQL_TERM_CAST:
        return analysis_make_type(analysis, raw->type, term_keyspace(analysis), &type) ? type
                                                                                       : NULL;
    case CQL_TERM_FUNCTION:
        if (raw->is_count_rows) return type_of_kind(TYPE_BIGINT);
        function = term_resolve(analysis, raw, NULL);
        break;
    case CQL_TERM_OPERATION:
    case CQL_TERM_NEGATE:
        function = term_resolve(analysis, raw, NULL);
        break;
    case CQL_TERM_TUPLE:
        // Of one it is mostly a term in brackets.
        return raw->item_count == 1 ? term_natural_type(analysis, raw->items[0]) : NULL;
    default:
        break;
    }
    return function == NULL ? NULL : function->result;
}

// What has been found once is remembered: an operation asks for its operands' types again and
// again.
const struct type *term_natural_type(struct analysis *analysis, const struct cql_term *raw)
{
    bool is_deep = raw->kind == CQL_TERM_OPERATION || raw->kind == CQL_TERM_FUNCTION ||
                   raw->kind == CQL_TERM_NEGATE || raw->kind == CQL_TERM_CAST ||
                   raw->kind == CQL_TERM_TUPLE || raw->kind == CQL_TERM_FIELD ||
                   raw->kind == CQL_TERM_ELEMENT || raw->kind == CQL_TERM_SLICE;
    if (!is_deep) return term_find_type(analysis, raw);
    const struct type *type = analysis_recall_type(analysis, raw);
    if (type != NULL || !analysis_go_deeper(analysis)) return type;
    type = term_find_type(analysis, raw);
    analysis->depth--;
    if (type != NULL) analysis_remember_type(analysis, raw, type);
    return type;
}

// ---- Binding ------------------------------------------------------------------------------------

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

// ---- Preparing ----------------------------------------------------------------------------------

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
    if (value_from_text_at(as, text, now_ms, analysis->arena, &bytes, &error) != STATUS_OK)
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

static bool term_refuse_literal(struct analysis *analysis, const struct cql_term *raw,
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

static bool term_prepare_elements(struct analysis *analysis, const struct cql_term *raw,
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

static bool term_prepare_list(struct analysis *analysis, const struct cql_term *raw,
                              const struct column_spec *receiver, const struct term **term)
{
    enum type_kind kind = receiver->type->kind;
    if (kind != TYPE_LIST && kind != TYPE_VECTOR)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Unexpected receiver type '%s'; only list and vector are expected",
                             analysis_type_text(analysis, receiver->type));
    if (kind == TYPE_VECTOR && raw->item_count != receiver->type->dimension)
        return cql_error_set(
            analysis->error, CQL_ERROR_INVALID,
            "Invalid vector literal for %.*s of type %s; expected %d elements, but given %zu",
            SLICE_TEXT(receiver->name), analysis_type_text(analysis, receiver->type),
            receiver->type->dimension, raw->item_count);
    return term_prepare_elements(analysis, raw, receiver, kind == TYPE_LIST ? "list" : "vector",
                                 TERM_LIST, term);
}

static bool term_prepare_set(struct analysis *analysis, const struct cql_term *raw,
                             const struct column_spec *receiver, const struct term **term)
{
    bool is_empty_map = raw->item_count == 0 && receiver->type->kind == TYPE_MAP;
    if (receiver->type->kind != TYPE_SET && !is_empty_map)
        return term_refuse_literal(analysis, raw, receiver, "set");
    return term_prepare_elements(analysis, raw, receiver, "set", is_empty_map ? TERM_MAP : TERM_SET,
                                 term);
}

static bool term_prepare_tuple(struct analysis *analysis, const struct cql_term *raw,
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
static bool term_prepare_user_type(struct analysis *analysis, const struct cql_term *raw,
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

// ---- Calls --------------------------------------------------------------------------------------

bool term_is_from_json(const struct cql_term *raw)
{
    return raw->kind == CQL_TERM_FUNCTION &&
           (slice_equals(raw->function.name, slice_of_text("fromjson")) ||
            slice_equals(raw->function.name, slice_of_text("from_json")));
}

// What has a type by itself. Calls and operators outside of a selection have not: they can be what
// their receiver wants.
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
        return cql_error_set(
            analysis->error, CQL_ERROR_INVALID,
            "Type error: cannot assign result of function system.%s (type %s) to %.*s (type %s)",
            function->name, analysis_type_text(analysis, function->result),
            SLICE_TEXT(receiver->name), analysis_type_text(analysis, receiver->type));
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
