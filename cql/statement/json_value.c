#include "cql/statement/json_value.h"

#include "base/bytes.h"
#include "cql/statement/functions_native.h"
#include "cql/statement/term.h"
#include "storage/value.h"
#include "storage/value/number.h"

enum { JSON_MESSAGE_MAX = 1 << 20 };

// ---- Refusals -----------------------------------------------------------------------------------

static bool json_value_refuse(struct json_value_context *context, const char *text)
{
    buffer_clear(context->error);
    buffer_put_format(context->error, "%s", text);
    return false;
}

// "Expected an int value, but got a Double: 1.5"
static bool json_value_refuse_class(struct json_value_context *context, const char *expected,
                                    const struct json *json)
{
    buffer_clear(context->error);
    buffer_put_format(context->error, "Expected %s, but got a %s: ", expected, json_class(json));
    json_put(json, context->error);
    return false;
}

// "Value 'x' is not a valid representation of a varint value"
static bool json_value_refuse_value(struct json_value_context *context, const struct json *json,
                                    const char *what)
{
    buffer_clear(context->error);
    buffer_put_format(context->error, "Value '");
    json_put(json, context->error);
    buffer_put_format(context->error, "' is not a valid %s", what);
    return false;
}

// ---- Scalars ------------------------------------------------------------------------------------

static bool json_value_read_text(struct json_value_context *context, const struct type *type,
                                 struct slice text, struct slice *value)
{
    struct error error;
    if (value_from_text_at(type, text, context->now_ms, context->arena, value, &error) == STATUS_OK)
        return true;
    // Durations are refused before there is a value to be decoded.
    context->is_bare = type->kind == TYPE_DURATION;
    return json_value_refuse(context, error.text);
}

// A type whose JSON is a string and nothing else.
static bool json_value_read_string(struct json_value_context *context, const struct type *type,
                                   const struct json *json, const char *expected,
                                   struct slice *value)
{
    if (json->kind != JSON_STRING) return json_value_refuse_class(context, expected, json);
    return json_value_read_text(context, type, json->text, value);
}

// A number, maybe in quotes. `widest` is the largest class that is taken without them.
static bool json_value_read_whole(struct json_value_context *context, const struct type *type,
                                  const struct json *json, const char *expected, const char *widest,
                                  struct slice *value)
{
    if (json->kind == JSON_STRING) return json_value_read_text(context, type, json->text, value);
    if (json->kind != JSON_INTEGER && json->kind != JSON_REAL)
        return json_value_refuse_class(context, expected, json);
    const char *class = json_class(json);
    bool fits = widest[0] == 'N' || (class[0] == 'I' && json->kind == JSON_INTEGER) ||
                (widest[0] == 'L' && class[0] == 'L');
    if (!fits) return json_value_refuse_class(context, expected, json);
    struct buffer text;
    buffer_init(&text, JSON_MESSAGE_MAX);
    json_put_number(json, &text);
    bool is_ok = json_value_read_text(context, type, buffer_slice(&text), value);
    buffer_deinit(&text);
    return is_ok;
}

static bool json_value_read_real(struct json_value_context *context, const struct type *type,
                                 const struct json *json, struct slice *value)
{
    const char *expected = type->kind == TYPE_FLOAT ? "a float value" : "a double value";
    if (json->kind != JSON_STRING && json->kind != JSON_INTEGER && json->kind != JSON_REAL)
        return json_value_refuse_class(context, expected, json);
    if (json->kind == JSON_STRING) return json_value_read_text(context, type, json->text, value);
    // Jackson has made a double of it, which a float is then cut from.
    if (!json_value_read_text(context, type_of_kind(TYPE_DOUBLE), json->text, value)) return false;
    if (type->kind == TYPE_FLOAT)
        *value =
            functions_put_real(context->arena, TYPE_FLOAT, functions_get_real(TYPE_DOUBLE, *value));
    return true;
}

// new BigDecimal(parsed.toString()), new BigInteger(parsed.toString()).
static bool json_value_read_big(struct json_value_context *context, const struct type *type,
                                const struct json *json, struct slice *value)
{
    struct buffer text;
    buffer_init(&text, JSON_MESSAGE_MAX);
    json_put(json, &text);
    bool is_decimal = type->kind == TYPE_DECIMAL;
    enum status status = is_decimal
                             ? number_parse_decimal(buffer_slice(&text), context->arena, value)
                             : number_parse_varint(buffer_slice(&text), context->arena, value);
    buffer_deinit(&text);
    if (status == STATUS_OK) return true;
    return json_value_refuse_value(context, json,
                                   is_decimal ? "representation of a decimal value"
                                              : "representation of a varint value");
}

static const char *json_value_java_class(const struct json *json)
{
    switch (json->kind) {
    case JSON_LIST:
        return "java.util.ArrayList";
    case JSON_OBJECT:
        return "java.util.LinkedHashMap";
    case JSON_BOOLEAN:
        return "java.lang.Boolean";
    case JSON_REAL:
        return "java.lang.Double";
    default:
        break;
    }
    const char *class = json_class(json);
    return class[0] == 'I'   ? "java.lang.Integer"
           : class[0] == 'L' ? "java.lang.Long"
                             : "java.math.BigInteger";
}

static bool json_value_read_blob(struct json_value_context *context, const struct type *type,
                                 const struct json *json, struct slice *value)
{
    struct error error;
    if (json->kind != JSON_STRING) {
        const char *class = json_value_java_class(json);
        json_value_refuse_value(context, json, "blob representation: class ");
        buffer_put_format(context->error,
                          "%s cannot be cast to class java.lang.String (%s and java.lang.String "
                          "are in module java.base of loader 'bootstrap')",
                          class, class);
        return false;
    }
    struct slice text = json->text;
    if (text.size < 2 || text.data[0] != '0' || text.data[1] != 'x') {
        json_value_refuse_value(context, json,
                                "blob representation: String representation of "
                                "blob is missing 0x prefix: ");
        buffer_put(context->error, text.data, text.size);
        return false;
    }
    text = slice_make(text.data + 2, text.size - 2);
    if (value_from_text(type, text, context->arena, value, &error) == STATUS_OK) return true;
    json_value_refuse_value(context, json, "blob representation: ");
    buffer_put_format(context->error, "%s", error.text);
    return false;
}

static bool json_value_read_boolean(struct json_value_context *context, const struct type *type,
                                    const struct json *json, struct slice *value)
{
    if (json->kind != JSON_BOOLEAN && json->kind != JSON_STRING)
        return json_value_refuse_class(context, "a boolean value", json);
    return json_value_read_text(context, type, json->text, value);
}

static bool json_value_read_timestamp(struct json_value_context *context, const struct type *type,
                                      const struct json *json, struct slice *value)
{
    // Only what is too large for an int is taken as a number, as in Cassandra.
    if (json->kind == JSON_INTEGER && json_class(json)[0] == 'L')
        return json_value_read_text(context, type_of_kind(TYPE_BIGINT), json->text, value);
    return json_value_read_string(
        context, type, json, "a long or a datestring representation of a timestamp value", value);
}

// ---- Collections, tuples, vectors ---------------------------------------------------------------

// A string may be JSON of its own: '"[1, 2]"'. `*json` is what it says then.
static bool json_value_unwrap(struct json_value_context *context, const struct json **json)
{
    if ((*json)->kind != JSON_STRING) return true;
    struct buffer error;
    size_t without_class;
    buffer_init(&error, JSON_MESSAGE_MAX);
    bool is_ok = json_parse((*json)->text, context->arena, json, &error, &without_class);
    if (!is_ok) {
        buffer_clear(context->error);
        buffer_put_format(context->error, "Error decoding JSON string: ");
        buffer_put(context->error, error.data + without_class, error.size - without_class);
    }
    buffer_deinit(&error);
    return is_ok;
}

static bool json_value_read_items(struct json_value_context *context, const struct type *type,
                                  const struct json *json, struct slice *values)
{
    for (size_t i = 0; i < json->count; i++) {
        if (json->items[i]->kind == JSON_NULL)
            return json_value_refuse(context, type->kind == TYPE_SET
                                                  ? "Invalid null element in set"
                                                  : "Invalid null element in list");
        if (!json_value_read(context, type->parameters[0], json->items[i], &values[i]))
            return false;
    }
    return true;
}

static bool json_value_read_list(struct json_value_context *context, const struct type *type,
                                 const struct json *json, struct slice *value)
{
    const char *expected = type->kind == TYPE_SET ? "a list (representing a set)" : "a list";
    if (json->kind != JSON_LIST) return json_value_refuse_class(context, expected, json);
    struct slice *values = ARENA_NEW_ARRAY(context->arena, struct slice, json->count + 1);
    if (!json_value_read_items(context, type, json, values)) return false;
    *value = term_encode_collection(context->arena, values, json->count, false);
    if (type->kind == TYPE_SET) *value = term_sort_collection(context->arena, type, *value);
    return true;
}

static bool json_value_read_map(struct json_value_context *context, const struct type *type,
                                const struct json *json, struct slice *value)
{
    if (json->kind != JSON_OBJECT) return json_value_refuse_class(context, "a map", json);
    struct slice *values = ARENA_NEW_ARRAY(context->arena, struct slice, 2 * json->count + 1);
    for (size_t i = 0; i < json->count; i++) {
        struct json key = {.kind = JSON_STRING, .text = json->keys[i]};
        if (json->items[i]->kind == JSON_NULL)
            return json_value_refuse(context, "Invalid null value in map");
        if (!json_value_read(context, type->parameters[0], &key, &values[2 * i]) ||
            !json_value_read(context, type->parameters[1], json->items[i], &values[2 * i + 1]))
            return false;
    }
    *value = term_encode_collection(context->arena, values, 2 * json->count, true);
    *value = term_sort_collection(context->arena, type, *value);
    return true;
}

static bool json_value_read_vector(struct json_value_context *context, const struct type *type,
                                   const struct json *json, struct slice *value)
{
    if (json->kind != JSON_LIST) return json_value_refuse_class(context, "a list", json);
    if (json->count != type->dimension) {
        buffer_clear(context->error);
        buffer_put_format(context->error, "List had incorrect size: expected %d but given %zu; ",
                          type->dimension, json->count);
        json_put(json, context->error);
        return false;
    }
    struct slice *values = ARENA_NEW_ARRAY(context->arena, struct slice, json->count + 1);
    if (!json_value_read_items(context, type, json, values)) return false;
    *value = term_encode_vector(context->arena, type, values, json->count);
    return true;
}

static bool json_value_read_tuple(struct json_value_context *context, const struct type *type,
                                  const struct json *json, struct slice *value)
{
    if (json->kind != JSON_LIST)
        return json_value_refuse_class(context, "a list representation of a tuple", json);
    if (json->count != type->parameter_count) {
        buffer_clear(context->error);
        buffer_put_format(context->error, "Tuple %s items (expected %d): ",
                          json->count < type->parameter_count ? "is missing" : "contains extra",
                          type->parameter_count);
        json_put(json, context->error);
        return false;
    }
    struct slice *values = ARENA_NEW_ARRAY(context->arena, struct slice, json->count + 1);
    for (size_t i = 0; i < json->count; i++)
        if (json->items[i]->kind != JSON_NULL &&
            !json_value_read(context, type->parameters[i], json->items[i], &values[i]))
            return false;
    *value = term_encode_tuple(context->arena, values, json->count);
    return true;
}

// ---- Names --------------------------------------------------------------------------------------

// A name in quotes keeps its case, any other is folded (JsonUtils.handleCaseSensitivity).
static struct slice json_value_fold(struct arena *arena, struct slice name)
{
    if (name.size >= 2 && name.data[0] == '"' && name.data[name.size - 1] == '"')
        return slice_make(name.data + 1, name.size - 2);
    uint8_t *folded = arena_alloc(arena, name.size + 1);
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        folded[i] = c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
    }
    return slice_make(folded, name.size);
}

static bool json_value_read_udt(struct json_value_context *context, const struct type *type,
                                const struct json *json, struct slice *value)
{
    if (json->kind != JSON_OBJECT) return json_value_refuse_class(context, "a map", json);
    struct slice *values =
        ARENA_NEW_ARRAY(context->arena, struct slice, (size_t)type->parameter_count + 1);
    const struct json **found =
        ARENA_NEW_ARRAY(context->arena, const struct json *, (size_t)type->parameter_count + 1);
    struct slice unknown = slice_null();
    for (size_t i = 0; i < json->count; i++) {
        struct slice name = json_value_fold(context->arena, json->keys[i]);
        size_t field = 0;
        while (field < type->parameter_count && !slice_equals(type->field_names[field], name))
            field++;
        if (field < type->parameter_count)
            found[field] = json->items[i];
        else if (slice_is_null(unknown))
            unknown = name;
    }
    for (size_t i = 0; i < type->parameter_count; i++)
        if (found[i] != NULL && found[i]->kind != JSON_NULL &&
            !json_value_read(context, type->parameters[i], found[i], &values[i]))
            return false;
    if (!slice_is_null(unknown)) {
        buffer_clear(context->error);
        buffer_put_format(context->error, "Unknown field '%.*s' in value of user defined type %.*s",
                          SLICE_TEXT(unknown), SLICE_TEXT(type->name));
        return false;
    }
    *value = term_encode_tuple(context->arena, values, type->parameter_count);
    return true;
}

// ---- Any type -----------------------------------------------------------------------------------

static bool json_value_read_nested(struct json_value_context *context, const struct type *type,
                                   const struct json *json, struct slice *value)
{
    if (!json_value_unwrap(context, &json)) return false;
    switch (type->kind) {
    case TYPE_LIST:
    case TYPE_SET:
        return json_value_read_list(context, type, json, value);
    case TYPE_MAP:
        return json_value_read_map(context, type, json, value);
    case TYPE_VECTOR:
        return json_value_read_vector(context, type, json, value);
    case TYPE_UDT:
        return json_value_read_udt(context, type, json, value);
    default:
        return json_value_read_tuple(context, type, json, value);
    }
}

// What a string of the type is called.
static const char *json_value_expected(enum type_kind kind)
{
    switch (kind) {
    case TYPE_ASCII:
        return "an ascii string";
    case TYPE_TEXT:
        return "a UTF-8 string";
    case TYPE_UUID:
        return "a string representation of a uuid";
    case TYPE_TIMEUUID:
        return "a string representation of a timeuuid";
    case TYPE_INET:
        return "a string representation of an inet value";
    case TYPE_DATE:
        return "a string representation of a date value";
    case TYPE_TIME:
        return "a string representation of a time value";
    default:
        return "a string representation of a duration";
    }
}

bool json_value_read(struct json_value_context *context, const struct type *type,
                     const struct json *json, struct slice *value)
{
    switch (type->kind) {
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_VECTOR:
    case TYPE_UDT:
    case TYPE_TUPLE:
        return json_value_read_nested(context, type, json, value);
    case TYPE_TINYINT:
        return json_value_read_whole(context, type, json, "a byte value", "Number", value);
    case TYPE_SMALLINT:
        return json_value_read_whole(context, type, json, "a short value", "Number", value);
    case TYPE_INT:
        return json_value_read_whole(context, type, json, "an int value", "Integer", value);
    case TYPE_BIGINT:
    case TYPE_COUNTER:
        return json_value_read_whole(context, type, json, "a bigint value", "Long", value);
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        return json_value_read_real(context, type, json, value);
    case TYPE_VARINT:
    case TYPE_DECIMAL:
        return json_value_read_big(context, type, json, value);
    case TYPE_BOOLEAN:
        return json_value_read_boolean(context, type, json, value);
    case TYPE_TIMESTAMP:
        return json_value_read_timestamp(context, type, json, value);
    case TYPE_BLOB:
    case TYPE_CUSTOM:
    case TYPE_EMPTY:
        return json_value_read_blob(context, type_of_kind(TYPE_BLOB), json, value);
    default:
        return json_value_read_string(context, type, json, json_value_expected(type->kind), value);
    }
}

// ---- INSERT JSON --------------------------------------------------------------------------------

// Where each kind's columns begin among all.
static size_t json_value_place(const struct table *table, const struct column *column)
{
    size_t place = column->index;
    for (int kind = 0; kind < (int)column->kind; kind++)
        place += table->column_counts[kind];
    return place;
}

static bool json_value_read_column(struct json_value_context *context, const struct column *column,
                                   const struct json *json, struct bound_value *value,
                                   struct cql_error *error)
{
    *value = (struct bound_value){slice_null(), false};
    if (json->kind == JSON_NULL) return true;
    context->is_bare = false;
    if (json_value_read(context, column->type, json, &value->bytes)) return true;
    struct slice text = buffer_slice(context->error);
    if (context->is_bare) return cql_error_set(error, CQL_ERROR_INVALID, "%.*s", SLICE_TEXT(text));
    return cql_error_set(error, CQL_ERROR_INVALID, "Error decoding JSON value for %.*s: %.*s",
                         SLICE_TEXT(column->name), SLICE_TEXT(text));
}

static bool json_value_read_object(struct json_value_context *context, const struct table *table,
                                   const struct json *json, struct bound_value *values,
                                   struct cql_error *error)
{
    size_t count = 0;
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++)
        count += table->column_counts[kind];
    for (size_t i = 0; i < count; i++)
        values[i] = (struct bound_value){slice_null(), true};
    struct slice unknown = slice_null();
    for (size_t i = 0; i < json->count; i++) {
        struct slice name = json_value_fold(context->arena, json->keys[i]);
        const struct column *column = table_find_column(table, name);
        if (column == NULL) {
            if (slice_is_null(unknown)) unknown = name;
            continue;
        }
        struct bound_value *value = &values[json_value_place(table, column)];
        if (!json_value_read_column(context, column, json->items[i], value, error)) return false;
    }
    if (slice_is_null(unknown)) return true;
    return cql_error_set(error, CQL_ERROR_INVALID,
                         "JSON values map contains unrecognized column: %.*s", SLICE_TEXT(unknown));
}

bool json_value_read_columns(struct query_processor *processor, const struct table *table,
                             struct slice text, struct arena *arena, struct bound_value *values,
                             struct cql_error *error)
{
    struct buffer message;
    buffer_init(&message, JSON_MESSAGE_MAX);
    const struct json *json;
    bool is_ok = json_parse_object(text, arena, &json, &message);
    if (!is_ok) {
        cql_error_set(error, CQL_ERROR_INVALID,
                      "Could not decode JSON string as a map: %.*s. (String was: %.*s)",
                      SLICE_TEXT(buffer_slice(&message)), SLICE_TEXT(text));
    } else if (json->kind == JSON_NULL) {
        is_ok = cql_error_set(error, CQL_ERROR_INVALID, "Got null for INSERT JSON values");
    } else {
        struct json_value_context context = {arena, env_wall_us(processor->env) / 1000, &message,
                                             false};
        is_ok = json_value_read_object(&context, table, json, values, error);
    }
    buffer_deinit(&message);
    return is_ok;
}
