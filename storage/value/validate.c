// What is a value of a type (TypeSerializer.validate, with its texts). The sizes of nested values
// come from clients: nothing here trusts them.
#include "base/cursor.h"
#include "storage/schema/type.h"

#include <inttypes.h>

#define INVALID(...) error_set(error, STATUS_INVALID, __VA_ARGS__)

static enum status validate_ascii(struct slice value, struct error *error)
{
    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] >= 0x80)
            return INVALID("Invalid byte for ascii: %d", (int8_t)value.data[i]);
    return STATUS_OK;
}

static inline bool is_ascii_word(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return (word & 0x8080808080808080u) == 0;
}

// Cassandra's own state machine (UTF8Serializer.UTF8Validator), with its gaps: c0 80 is taken for
// NUL, surrogates and code points beyond Unicode pass, and behind e0 and f0 a few more.
static bool is_text(struct slice value)
{
    const uint8_t *at = value.data, *end = value.data + value.size;
    while (at < end) {
        while (end - at >= 8 && is_ascii_word(at))
            at += 8;
        if (at == end) break;
        uint8_t first = *at++;
        size_t more = first < 0x80             ? 0
                      : (first & 0xe0) == 0xc0 ? 1
                      : (first & 0xf0) == 0xe0 ? 2
                      : (first & 0xf8) == 0xf0 ? 3
                                               : SIZE_MAX;
        if (more > (size_t)(end - at)) return false;
        if (first == 0xc1 || (first == 0xc0 && *at != 0x80)) return false;
        size_t i = 0;
        if (first == 0xe0) {
            if ((*at & 0xe0) == 0x80) return false;
            i = 1;
        } else if (first == 0xf0) {
            if ((*at & 0x30) == 0) return false;
            i = 1;
        }
        for (; i < more; i++)
            if ((at[i] & 0xc0) != 0x80) return false;
        at += more;
    }
    return true;
}

static enum status validate_inet(struct slice value, struct error *error)
{
    if (value.size == 0 || value.size == 4 || value.size == 16) return STATUS_OK;
    char hex[2 * 64 + 1];
    size_t shown = value.size < 64 ? value.size : 64;
    for (size_t i = 0; i < shown; i++) {
        hex[2 * i] = "0123456789abcdef"[value.data[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[value.data[i] & 15];
    }
    hex[2 * shown] = '\0';
    return INVALID("Expected 4 or 16 byte inetaddress; got %s", hex);
}

static enum status validate_timeuuid(struct slice value, struct error *error)
{
    if (value.size == 0) return STATUS_OK;
    if (value.size != 16) return INVALID("UUID should be 16 or 0 bytes (%zu)", value.size);
    if (value.data[6] >> 4 == 1) return STATUS_OK;
    return INVALID("Invalid version for TimeUUID type: 0x%x", value.data[0] >> 4);
}

static enum status validate_duration(struct slice value, struct error *error)
{
    if (value.size < 3)
        return INVALID("Expected at least 3 bytes for a duration (%zu)", value.size);
    struct cursor cursor = cursor_make(value);
    int64_t months = cursor_signed_vint(&cursor), days = cursor_signed_vint(&cursor);
    int64_t nanoseconds = cursor_signed_vint(&cursor);
    if (cursor.failed) return INVALID("Unexpected error");
    if (months != (int32_t)months)
        return INVALID("The duration months must be a 32 bits integer but was: %" PRId64, months);
    if (days != (int32_t)days)
        return INVALID("The duration days must be a 32 bits integer but was: %" PRId64, days);
    bool all_up = months >= 0 && days >= 0 && nanoseconds >= 0;
    bool all_down = months <= 0 && days <= 0 && nanoseconds <= 0;
    if (all_up || all_down) return STATUS_OK;
    return INVALID("The duration months, days and nanoseconds must be all of the same sign "
                   "(%" PRId64 ", %" PRId64 ", %" PRId64 ")",
                   months, days, nanoseconds);
}

static const char *collection_name(enum type_kind kind)
{
    return kind == TYPE_LIST ? "list" : kind == TYPE_SET ? "set" : "map";
}

static enum status validate_collection(const struct type *type, struct slice value,
                                       struct error *error)
{
    const char *name = collection_name(type->kind);
    struct cursor cursor = cursor_make(value);
    int32_t count = (int32_t)cursor_u32(&cursor);
    for (int32_t i = 0; i < count && !cursor.failed; i++) {
        for (uint16_t part = 0; part < type->parameter_count; part++) {
            int32_t size = (int32_t)cursor_u32(&cursor);
            if (!cursor.failed && size < 0) return INVALID("Null value read when not allowed");
            struct slice element = cursor_take(&cursor, (size_t)size);
            if (cursor.failed) break;
            enum status status = type_validate(type->parameters[part], element, error);
            if (status != STATUS_OK) return status;
        }
    }
    if (cursor.failed) return INVALID("Not enough bytes to read a %s", name);
    if (cursor_left(&cursor) > 0)
        return INVALID("Unexpected extraneous bytes after %s value", name);
    return STATUS_OK;
}

static enum status validate_tuple(const struct type *type, struct slice value, struct error *error)
{
    bool is_udt = type->kind == TYPE_UDT;
    const char *what = is_udt ? "field " : "component";
    struct cursor cursor = cursor_make(value);
    for (uint16_t i = 0; i < type->parameter_count && cursor_left(&cursor) > 0; i++) {
        struct slice name = is_udt ? type->field_names[i] : slice_make("", 0);
        int name_size = (int)(name.size < 200 ? name.size : 200);
        int32_t size = (int32_t)cursor_u32(&cursor);
        if (cursor.failed)
            return INVALID("Not enough bytes to read size of %uth %s%.*s", i, what, name_size,
                           (const char *)name.data);
        if (size < 0) continue;
        struct slice field = cursor_take(&cursor, (size_t)size);
        if (cursor.failed)
            return INVALID("Not enough bytes to read %uth %s%.*s", i, what, name_size,
                           (const char *)name.data);
        struct error inner = {.status = STATUS_OK};
        enum status status = type_validate(type->parameters[i], field, &inner);
        if (status == STATUS_OK) continue;
        if (!is_udt) return error_set(error, status, "%s", inner.text);
        return INVALID("Failure validating the %uth field %.*s; %.250s", i, name_size,
                       (const char *)name.data, inner.text);
    }
    if (cursor_left(&cursor) > 0)
        return INVALID("Invalid remaining data after end of %s value", is_udt ? "UDT" : "tuple");
    return STATUS_OK;
}

static enum status validate_vector(const struct type *type, struct slice value, struct error *error)
{
    if (value.size == 0) return INVALID("Invalid empty vector value");
    const struct type *element_type = type->parameters[0];
    size_t fixed = type_fixed_size(element_type);
    struct cursor cursor = cursor_make(value);
    for (uint16_t i = 0; i < type->dimension && !cursor.failed; i++) {
        struct slice element =
            fixed != 0 ? cursor_take(&cursor, fixed) : cursor_vint_bytes(&cursor);
        if (cursor.failed) break;
        enum status status = type_validate(element_type, element, error);
        if (status != STATUS_OK) return status;
    }
    if (!cursor.failed && cursor_left(&cursor) == 0) return STATUS_OK;
    struct buffer name;
    buffer_init(&name, ERROR_TEXT_SIZE / 2);
    type_put_cql(type, &name);
    struct slice text = buffer_slice(&name);
    if (cursor.failed)
        INVALID("Not enough bytes to read a %.*s", (int)text.size, (const char *)text.data);
    else
        INVALID("Unexpected %zu extraneous bytes after %.*s value", cursor_left(&cursor),
                (int)text.size, (const char *)text.data);
    buffer_deinit(&name);
    return STATUS_INVALID;
}

// The types whose values are of one size. The text says the size that was found.
static enum status validate_size(struct slice value, size_t size, bool may_be_empty,
                                 const char *before, struct error *error)
{
    if (value.size == size || (may_be_empty && value.size == 0)) return STATUS_OK;
    return INVALID("%s (%zu)", before, value.size);
}

enum status type_validate(const struct type *type, struct slice value, struct error *error)
{
    switch (type->kind) {
    case TYPE_ASCII:
        return validate_ascii(value, error);
    case TYPE_TEXT:
        return is_text(value) ? STATUS_OK : INVALID("String didn't validate.");
    case TYPE_BOOLEAN:
        return validate_size(value, 1, true, "Expected 1 or 0 byte value", error);
    case TYPE_TINYINT:
        return validate_size(value, 1, false, "Expected 1 byte for a tinyint", error);
    case TYPE_SMALLINT:
        return validate_size(value, 2, false, "Expected 2 bytes for a smallint", error);
    case TYPE_INT:
        return validate_size(value, 4, true, "Expected 4 or 0 byte int", error);
    case TYPE_BIGINT:
    case TYPE_COUNTER:
        return validate_size(value, 8, true, "Expected 8 or 0 byte long", error);
    case TYPE_FLOAT:
        return validate_size(value, 4, true, "Expected 4 or 0 byte value for a float", error);
    case TYPE_DOUBLE:
        return validate_size(value, 8, true, "Expected 8 or 0 byte value for a double", error);
    case TYPE_TIMESTAMP:
        return validate_size(value, 8, true, "Expected 8 or 0 byte long for date", error);
    case TYPE_DATE:
        return validate_size(value, 4, false, "Expected 4 byte long for date", error);
    case TYPE_TIME:
        return validate_size(value, 8, false, "Expected 8 byte long for time", error);
    case TYPE_UUID:
        return validate_size(value, 16, true, "UUID should be 16 or 0 bytes", error);
    case TYPE_TIMEUUID:
        return validate_timeuuid(value, error);
    case TYPE_INET:
        return validate_inet(value, error);
    case TYPE_DECIMAL:
        if (value.size == 0 || value.size >= 4) return STATUS_OK;
        return INVALID("Expected 0 or at least 4 bytes (%zu)", value.size);
    case TYPE_DURATION:
        return validate_duration(value, error);
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
        return validate_collection(type, value, error);
    case TYPE_TUPLE:
    case TYPE_UDT:
        return validate_tuple(type, value, error);
    case TYPE_VECTOR:
        return validate_vector(type, value, error);
    case TYPE_EMPTY:
        return value.size == 0 ? STATUS_OK : INVALID("EmptyType only accept empty values");
    case TYPE_BLOB:
    case TYPE_VARINT:
    case TYPE_CUSTOM:
    case TYPE_KIND_COUNT:
        break;
    }
    return STATUS_OK;
}
