// How well terms fit types, and what type a term has by itself
// (org.apache.cassandra.cql3.AssignmentTestable).
#include "cql/statement/functions.h"
#include "cql/statement/term_internal.h"

enum term_fit term_type_fits(const struct type *from, const struct type *to)
{
    if (type_equals(from, to)) return TERM_FIT_EXACT;
    if (from->kind == to->kind && from->kind >= TYPE_LIST) {
        // Frozen or not is no matter for a value; but Cassandra wants user types to
        // be alike.
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
bool term_constant_fits(enum cql_constant_kind kind, const struct type *type)
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
bool term_is_tuple_type(const struct type *type)
{
    return type->kind == TYPE_TUPLE || type->kind == TYPE_UDT;
}

// The literal's value of a field of the type; NULL when it has none.
const struct cql_term *term_field_value(const struct cql_term *raw, struct slice field)
{
    for (size_t i = 0; i < raw->item_count; i++)
        if (slice_equals(raw->field_names[i], field)) return raw->items[i];
    return NULL;
}

// The first field of the user type that a literal does not fit; -1: none. Of
// what is no user type it is 0. Fields that the type does not have are refused
// later.
int term_find_misfit(struct analysis *analysis, const struct cql_term *raw, const struct type *type)
{
    if (type->kind != TYPE_UDT) return 0;
    for (uint16_t i = 0; i < type->parameter_count; i++) {
        const struct cql_term *value = term_field_value(raw, type->field_names[i]);
        if (value != NULL && term_fits(analysis, value, type->parameters[i]) == TERM_FIT_NOT)
            return i;
    }
    return -1;
}

// In a selector the names of fields were taken for columns that are keys of a
// map.
bool term_is_user_type(const struct cql_term *raw, const struct type *type)
{
    if (type->kind != TYPE_UDT) return false;
    for (size_t i = 0; i < raw->item_count; i += 2)
        if (raw->items[i]->kind != CQL_TERM_COLUMN) return false;
    return true;
}

const struct cql_term *term_as_user_type(struct analysis *analysis, const struct cql_term *raw)
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
const struct type *term_quiet_type(struct analysis *analysis, const struct cql_term *raw)
{
    struct cql_error *error = analysis_ignore_errors(analysis);
    const struct type *type = term_natural_type(analysis, raw);
    analysis->error = error;
    return type;
}

// A call or an operator, as what a receiver of this type would get. It is asked
// again and again for what it stands in, so it is remembered under a place
// inside of the term, one for each kind.
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
    // What can not be resolved fits anything: it is refused for itself later, in
    // clearer words (FunctionCall.Raw.testAssignment).
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
        return type_of_kind(TYPE_TINYINT); // Cassandra's own slip, again.
    case CQL_CONSTANT_DURATION:
        return type_of_kind(TYPE_DURATION);
    }
    return NULL;
}

// Where the user types of a statement are.
struct slice term_keyspace(const struct analysis *analysis)
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

// What has been found once is remembered: an operation asks for its operands'
// types again and again.
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
