// Writing values as text. The other direction is parse.c.
#include "base/cursor.h"
#include "storage/schema/cql_name.h"
#include "storage/uuid.h"
#include "storage/value.h"
#include "storage/value/calendar.h"
#include "storage/value/duration.h"
#include "storage/value/inet.h"
#include "storage/value/number.h"
#include "storage/value/real.h"

#include <inttypes.h>

static void put_text(struct buffer *text, const char *literal)
{
    buffer_put(text, literal, strlen(literal));
}

static void put_hex(struct slice bytes, struct buffer *text)
{
    uint8_t *at = buffer_reserve(text, 2 + 2 * bytes.size);
    if (at == NULL) return;
    *at++ = '0';
    *at++ = 'x';
    for (size_t i = 0; i < bytes.size; i++) {
        *at++ = (uint8_t) "0123456789abcdef"[bytes.data[i] >> 4];
        *at++ = (uint8_t) "0123456789abcdef"[bytes.data[i] & 15];
    }
}

static double get_double(struct slice value)
{
    struct cursor cursor = cursor_make(value);
    return cursor_f64(&cursor);
}

static float get_float(struct slice value)
{
    uint32_t bits = bytes_get_u32(value.data);
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static int64_t get_i64(struct slice value)
{
    return (int64_t)bytes_get_u64(value.data);
}

static void put_uuid(struct slice value, struct buffer *text)
{
    char formatted[UUID_TEXT_SIZE];
    uuid_format(uuid_from_bytes(value.data), formatted);
    put_text(text, formatted);
}

static void put_duration(struct slice value, struct buffer *text)
{
    struct duration duration;
    if (duration_decode(value, &duration) == STATUS_OK) duration_put_text(duration, text);
}

// Whether the bytes are a value of the scalar type that has one: not empty, and of its size.
static bool has_value(const struct type *type, struct slice value)
{
    struct error ignored;
    if (value.size == 0 || type->kind == TYPE_EMPTY) return false;
    if (type->kind == TYPE_DECIMAL) return value.size > 4;
    if (type->kind == TYPE_TIMEUUID) return value.size == 16;
    if (type->kind == TYPE_TINYINT) return true; // Literals of blobs make longer ones.
    return type_validate(type, value, &ignored) == STATUS_OK;
}

// A scalar that is not a string, without quotes. `separator` stands between date and time.
static void put_scalar(const struct type *type, struct slice value, char separator,
                       struct buffer *text)
{
    switch (type->kind) {
    case TYPE_BOOLEAN:
        put_text(text, value.data[0] != 0 ? "true" : "false");
        break;
    case TYPE_TINYINT:
        buffer_put_format(text, "%d", (int8_t)value.data[0]);
        break;
    case TYPE_SMALLINT:
        buffer_put_format(text, "%d", (int16_t)bytes_get_u16(value.data));
        break;
    case TYPE_INT:
        buffer_put_format(text, "%" PRId32, (int32_t)bytes_get_u32(value.data));
        break;
    case TYPE_BIGINT:
    case TYPE_COUNTER:
        buffer_put_format(text, "%" PRId64, get_i64(value));
        break;
    case TYPE_FLOAT:
        real_put_float(get_float(value), text);
        break;
    case TYPE_DOUBLE:
        real_put_double(get_double(value), text);
        break;
    case TYPE_VARINT:
        number_put_varint(value, text);
        break;
    case TYPE_DECIMAL:
        number_put_decimal(value, text);
        break;
    case TYPE_TIMESTAMP:
        calendar_put_timestamp(get_i64(value), separator, text);
        break;
    case TYPE_DATE:
        calendar_put_date((int64_t)bytes_get_u32(value.data) - CALENDAR_DATE_OF_1970, text);
        break;
    case TYPE_TIME:
        calendar_put_time(get_i64(value), text);
        break;
    case TYPE_UUID:
    case TYPE_TIMEUUID:
        put_uuid(value, text);
        break;
    case TYPE_INET:
        inet_put_text(value, text);
        break;
    case TYPE_DURATION:
        put_duration(value, text);
        break;
    default:
        put_hex(value, text);
        break;
    }
}

static bool is_string(const struct type *type)
{
    return type->kind == TYPE_TEXT || type->kind == TYPE_ASCII;
}

static bool is_bytes(const struct type *type)
{
    return type->kind == TYPE_BLOB || type->kind == TYPE_CUSTOM;
}

// ---- Nested values ------------------------------------------------------------------------------

enum form { FORM_CQL, FORM_JSON };

static void put_value(const struct type *type, struct slice value, enum form form,
                      struct buffer *text);

static struct slice take_element(struct cursor *cursor)
{
    int32_t size = (int32_t)cursor_u32(cursor);
    if (cursor->failed || size < 0) return slice_null();
    struct slice element = cursor_take(cursor, (size_t)size);
    return cursor->failed ? slice_null() : element;
}

// A key of a JSON object is a string: what is none gets quotes.
static void put_json_key(const struct type *type, struct slice key, struct buffer *text)
{
    size_t start = text->size;
    put_value(type, key, FORM_JSON, text);
    if (text->overflow || (text->size > start && text->data[start] == '"')) return;
    struct buffer plain;
    buffer_init(&plain, text->limit);
    buffer_put(&plain, text->data + start, text->size - start);
    buffer_truncate(text, start);
    struct type string = {.kind = TYPE_TEXT};
    put_value(&string, buffer_slice(&plain), FORM_JSON, text);
    buffer_deinit(&plain);
}

static void put_collection(const struct type *type, struct slice value, enum form form,
                           struct buffer *text)
{
    bool braces = type->kind == TYPE_MAP || (type->kind == TYPE_SET && form == FORM_CQL);
    struct cursor cursor = cursor_make(value);
    int32_t count = (int32_t)cursor_u32(&cursor);
    buffer_put_u8(text, braces ? '{' : '[');
    for (int32_t i = 0; i < count; i++) {
        struct slice element = take_element(&cursor);
        if (cursor.failed) break;
        if (i > 0) put_text(text, ", ");
        if (type->kind != TYPE_MAP) {
            put_value(type->parameters[0], element, form, text);
            continue;
        }
        if (form == FORM_JSON)
            put_json_key(type->parameters[0], element, text);
        else
            put_value(type->parameters[0], element, form, text);
        put_text(text, ": ");
        put_value(type->parameters[1], take_element(&cursor), form, text);
    }
    buffer_put_u8(text, braces ? '}' : ']');
}

// In JSON a name has quotes of CQL's if it has a capital letter, and only then.
static void put_field_name(struct slice name, enum form form, struct buffer *text)
{
    struct type string = {.kind = TYPE_TEXT};
    struct buffer quoted;
    buffer_init(&quoted, text->limit);
    bool has_capital = false;
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] >= 'A' && name.data[i] <= 'Z') has_capital = true;
    if (form == FORM_JSON) {
        buffer_put_format(&quoted, has_capital ? "\"%.*s\"" : "%.*s", (int)name.size,
                          (const char *)name.data);
        put_value(&string, buffer_slice(&quoted), form, text);
    } else {
        cql_name_put(name, text);
    }
    buffer_deinit(&quoted);
    put_text(text, ": ");
}

// JSON has all fields, CQL those that are there.
static void put_tuple(const struct type *type, struct slice value, enum form form,
                      struct buffer *text)
{
    bool is_udt = type->kind == TYPE_UDT;
    struct cursor cursor = cursor_make(value);
    buffer_put_u8(text, is_udt ? '{' : form == FORM_JSON ? '[' : '(');
    for (uint16_t i = 0; i < type->parameter_count; i++) {
        if (cursor_left(&cursor) == 0 && form == FORM_CQL) break;
        struct slice field = cursor_left(&cursor) == 0 ? slice_null() : take_element(&cursor);
        if (i > 0) put_text(text, ", ");
        if (is_udt) put_field_name(type->field_names[i], form, text);
        put_value(type->parameters[i], field, form, text);
    }
    buffer_put_u8(text, is_udt ? '}' : form == FORM_JSON ? ']' : ')');
}

static void put_vector(const struct type *type, struct slice value, enum form form,
                       struct buffer *text)
{
    const struct type *element_type = type->parameters[0];
    size_t fixed = type_fixed_size(element_type);
    struct cursor cursor = cursor_make(value);
    buffer_put_u8(text, '[');
    for (uint16_t i = 0; i < type->dimension; i++) {
        struct slice element =
            fixed != 0 ? cursor_take(&cursor, fixed) : cursor_vint_bytes(&cursor);
        if (cursor.failed) break;
        if (i > 0) put_text(text, ", ");
        put_value(element_type, element, form, text);
    }
    buffer_put_u8(text, ']');
}

// True when the type is made of others, and is written.
static bool put_nested(const struct type *type, struct slice value, enum form form,
                       struct buffer *text)
{
    switch (type->kind) {
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
        put_collection(type, value, form, text);
        return true;
    case TYPE_TUPLE:
    case TYPE_UDT:
        put_tuple(type, value, form, text);
        return true;
    case TYPE_VECTOR:
        put_vector(type, value, form, text);
        return true;
    default:
        return false;
    }
}

// ---- The two forms ------------------------------------------------------------------------------

static bool has_cql_quotes(const struct type *type)
{
    return type->kind == TYPE_TIMESTAMP || type->kind == TYPE_DATE || type->kind == TYPE_TIME ||
           type->kind == TYPE_INET;
}

static void put_cql_scalar(const struct type *type, struct slice value, struct buffer *text)
{
    if (is_string(type))
        cql_name_put_string(value, text);
    else if (is_bytes(type))
        put_hex(value, text);
    else if (!has_value(type, value))
        put_text(text, "null");
    else {
        if (has_cql_quotes(type)) buffer_put_u8(text, '\'');
        put_scalar(type, value, 'T', text);
        if (has_cql_quotes(type)) buffer_put_u8(text, '\'');
    }
}

// The escapes of JSON; all other bytes as they are.
static void put_json_string(struct slice value, struct buffer *text)
{
    static const char letters[] = "btnvfr"; // Of 8 to 13; there is no \v.
    buffer_put_u8(text, '"');
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        if (c == '"' || c == '\\') {
            buffer_put_u8(text, '\\');
            buffer_put_u8(text, c);
        } else if (c >= 8 && c <= 13 && c != 11) {
            buffer_put_u8(text, '\\');
            buffer_put_u8(text, (uint8_t)letters[c - 8]);
        } else if (c < 0x20) {
            buffer_put_format(text, "\\u%04X", c);
        } else {
            buffer_put_u8(text, c);
        }
    }
    buffer_put_u8(text, '"');
}

static bool is_json_number(const struct type *type)
{
    switch (type->kind) {
    case TYPE_BOOLEAN:
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
    case TYPE_INT:
    case TYPE_BIGINT:
    case TYPE_COUNTER:
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
    case TYPE_VARINT:
    case TYPE_DECIMAL:
        return true;
    default:
        return false;
    }
}

// JSON has no NaN and no infinities.
static bool is_json_null(const struct type *type, struct slice value)
{
    if (type->kind == TYPE_DOUBLE) {
        double number = get_double(value);
        return number - number != 0;
    }
    if (type->kind == TYPE_FLOAT) {
        float number = get_float(value);
        return number - number != 0;
    }
    return false;
}

static void put_json_scalar(const struct type *type, struct slice value, struct buffer *text)
{
    bool quotes = !is_json_number(type);
    if (is_string(type)) {
        put_json_string(value, text);
    } else if (!is_bytes(type) && !has_value(type, value)) {
        put_text(text, "\"\"");
    } else if (is_json_null(type, value)) {
        put_text(text, "null");
    } else {
        if (quotes) buffer_put_u8(text, '"');
        put_scalar(type, value, ' ', text);
        if (quotes) buffer_put_u8(text, '"');
    }
}

static void put_value(const struct type *type, struct slice value, enum form form,
                      struct buffer *text)
{
    if (slice_is_null(value))
        put_text(text, "null");
    else if (put_nested(type, value, form, text))
        return;
    else if (form == FORM_JSON)
        put_json_scalar(type, value, text);
    else
        put_cql_scalar(type, value, text);
}

void value_put_cql(const struct type *type, struct slice value, struct buffer *text)
{
    put_value(type, value, FORM_CQL, text);
}

void value_put_json(const struct type *type, struct slice value, struct buffer *text)
{
    put_value(type, value, FORM_JSON, text);
}

void value_put_cast(const struct type *type, struct slice value, struct buffer *text)
{
    bool bare =
        !slice_is_null(value) && !is_string(type) && has_cql_quotes(type) && has_value(type, value);
    if (bare) {
        put_scalar(type, value, 'T', text);
    } else if (!slice_is_null(value) && is_string(type)) {
        // Quotes inside stay doubled, as Cassandra leaves them.
        for (size_t i = 0; i < value.size; i++) {
            if (value.data[i] == '\'') buffer_put_u8(text, '\'');
            buffer_put_u8(text, value.data[i]);
        }
    } else {
        value_put_cql(type, value, text);
    }
}
