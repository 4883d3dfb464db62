// Reading values from the text of a string constant (AbstractType.fromString of each type).
#include "base/bytes.h"
#include "storage/uuid.h"
#include "storage/value.h"
#include "storage/value/calendar.h"
#include "storage/value/duration.h"
#include "storage/value/inet.h"
#include "storage/value/number.h"
#include "storage/value/real.h"

// What of a text an error shows.
enum { SHOWN_SIZE_MAX = 400 };

// `format` has one %.*s, for the text.
#define REFUSE(format)                                                                             \
    error_set(error, STATUS_INVALID, format,                                                       \
              (int)(text.size < SHOWN_SIZE_MAX ? text.size : SHOWN_SIZE_MAX),                      \
              (const char *)text.data)

static struct slice put_u64(struct arena *arena, uint64_t number, size_t size)
{
    uint8_t bytes[8];
    bytes_put_u64(bytes, number);
    return arena_copy(arena, slice_make(bytes + 8 - size, size));
}

static bool text_is(struct slice text, const char *word)
{
    size_t size = strlen(word);
    if (text.size != size) return false;
    for (size_t i = 0; i < size; i++)
        if ((text.data[i] | 0x20) != (uint8_t)word[i]) return false;
    return true;
}

// Long.parseLong: a sign, digits, nothing else, within the bounds.
static bool parse_whole(struct slice text, int64_t min, int64_t max, int64_t *number)
{
    size_t at = text.size > 0 && (text.data[0] == '-' || text.data[0] == '+') ? 1 : 0;
    bool negative = text.size > 0 && text.data[0] == '-';
    int64_t read = 0;
    if (at == text.size) return false;
    for (; at < text.size; at++) {
        if (text.data[at] < '0' || text.data[at] > '9') return false;
        int digit = text.data[at] - '0';
        if (__builtin_mul_overflow(read, 10, &read) ||
            __builtin_add_overflow(read, negative ? -digit : digit, &read))
            return false;
    }
    if (read < min || read > max) return false;
    *number = read;
    return true;
}

// -?[0-9]+: what is read as a number where a formatted text is possible too.
static bool is_whole(struct slice text)
{
    size_t at = text.size > 0 && text.data[0] == '-' ? 1 : 0;
    if (at == text.size) return false;
    for (; at < text.size; at++)
        if (text.data[at] < '0' || text.data[at] > '9') return false;
    return true;
}

static enum status parse_integer(enum type_kind kind, struct slice text, struct arena *arena,
                                 struct slice *value, struct error *error)
{
    int64_t number;
    switch (kind) {
    case TYPE_TINYINT:
        if (!parse_whole(text, INT8_MIN, INT8_MAX, &number))
            return REFUSE("Unable to make byte from '%.*s'");
        *value = put_u64(arena, (uint64_t)number, 1);
        return STATUS_OK;
    case TYPE_SMALLINT:
        if (!parse_whole(text, INT16_MIN, INT16_MAX, &number))
            return REFUSE("Unable to make short from '%.*s'");
        *value = put_u64(arena, (uint64_t)number, 2);
        return STATUS_OK;
    case TYPE_INT:
        if (!parse_whole(text, INT32_MIN, INT32_MAX, &number))
            return REFUSE("Unable to make int from '%.*s'");
        *value = put_u64(arena, (uint64_t)number, 4);
        return STATUS_OK;
    default:
        if (!parse_whole(text, INT64_MIN, INT64_MAX, &number))
            return REFUSE("Unable to make long from '%.*s'");
        *value = put_u64(arena, (uint64_t)number, 8);
        return STATUS_OK;
    }
}

static enum status parse_real(enum type_kind kind, struct slice text, struct arena *arena,
                              struct slice *value, struct error *error)
{
    uint64_t bits = 0;
    if (kind == TYPE_FLOAT) {
        float number;
        uint32_t number_bits;
        if (real_parse_float(text, &number) != STATUS_OK)
            return REFUSE("Unable to make float from '%.*s'");
        memcpy(&number_bits, &number, sizeof number_bits);
        *value = put_u64(arena, number_bits, 4);
        return STATUS_OK;
    }
    double number;
    if (real_parse_double(text, &number) != STATUS_OK)
        return REFUSE("Unable to make double from '%.*s'");
    memcpy(&bits, &number, sizeof bits);
    *value = put_u64(arena, bits, 8);
    return STATUS_OK;
}

static enum status parse_hex(struct slice text, struct arena *arena, struct slice *value,
                             struct error *error)
{
    uint8_t *bytes = arena_alloc(arena, text.size / 2 + 1);
    if (!bytes_get_hex(text.data, text.size, bytes))
        return REFUSE("cannot parse '%.*s' as hex bytes");
    *value = slice_make(bytes, text.size / 2);
    return STATUS_OK;
}

static enum status parse_ascii(struct slice text, struct arena *arena, struct slice *value,
                               struct error *error)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < 0x80) continue;
        // Java counts UTF-16 units of the character: two beyond the basic plane.
        return error_set(error, STATUS_INVALID,
                         "Invalid ASCII character in string literal: "
                         "java.nio.charset.UnmappableCharacterException: Input length = %d",
                         text.data[i] >= 0xf0 ? 2 : 1);
    }
    *value = arena_copy(arena, text);
    return STATUS_OK;
}

static enum status parse_boolean(struct slice text, struct arena *arena, struct slice *value,
                                 struct error *error)
{
    bool is_true = text_is(text, "true");
    if (!is_true && text.size > 0 && !text_is(text, "false"))
        return REFUSE("Unable to make boolean from '%.*s'");
    *value = put_u64(arena, is_true, 1);
    return STATUS_OK;
}

static enum status parse_timestamp(struct slice text, const int64_t *now_ms, struct arena *arena,
                                   struct slice *value, struct error *error)
{
    int64_t ms;
    if (is_whole(text)) {
        if (!parse_whole(text, INT64_MIN, INT64_MAX, &ms))
            return REFUSE("Unable to make long (for date) from: '%.*s'");
    } else if (now_ms != NULL && text_is(text, "now")) {
        ms = *now_ms;
    } else if (calendar_parse_timestamp(text, &ms) != STATUS_OK) {
        return REFUSE("Unable to parse a date/time from '%.*s'");
    }
    *value = put_u64(arena, (uint64_t)ms, 8);
    return STATUS_OK;
}

static enum status parse_date(struct slice text, struct arena *arena, struct slice *value,
                              struct error *error)
{
    int64_t number;
    if (is_whole(text)) {
        if (!parse_whole(text, 0, UINT32_MAX, &number))
            return REFUSE("Unable to make unsigned int (for date) from: '%.*s'");
    } else {
        if (calendar_parse_date(text, &number) != STATUS_OK)
            return REFUSE("Unable to coerce '%.*s' to a formatted date (long)");
        number += CALENDAR_DATE_OF_1970;
        if (number > UINT32_MAX)
            return REFUSE("Input date %.*s is greater than max supported date "
                          "+5881580-07-11T00:00Z");
        if (number < 0)
            return REFUSE("Input date %.*s is less than min supported date -5877641-06-23T00:00Z");
    }
    *value = put_u64(arena, (uint64_t)number, 4);
    return STATUS_OK;
}

static enum status parse_time(struct slice text, struct arena *arena, struct slice *value,
                              struct error *error)
{
    int64_t number;
    if (is_whole(text)) {
        if (!parse_whole(text, 0, CALENDAR_NS_PER_DAY - 1, &number))
            return REFUSE("Unable to make long (for time) from: '%.*s'");
    } else if (calendar_parse_time(text, &number) != STATUS_OK) {
        return REFUSE("(TimeType) Unable to coerce '%.*s' to a formatted time (long)");
    }
    *value = put_u64(arena, (uint64_t)number, 8);
    return STATUS_OK;
}

static enum status parse_uuid(enum type_kind kind, struct slice text, struct arena *arena,
                              struct slice *value, struct error *error)
{
    struct uuid uuid;
    bool read = uuid_parse(text, &uuid) == STATUS_OK;
    if (!read && kind == TYPE_UUID) return REFUSE("Unable to make UUID from '%.*s'");
    if (!read) return REFUSE("Unknown timeuuid representation: %.*s");
    if (kind == TYPE_TIMEUUID && uuid_version(uuid) != 1)
        return error_set(error, STATUS_INVALID, "TimeUUID supports only version 1 UUIDs");
    *value = arena_copy(arena, slice_make(uuid.bytes, sizeof uuid.bytes));
    return STATUS_OK;
}

static enum status parse_inet(struct slice text, struct arena *arena, struct slice *value,
                              struct error *error)
{
    uint8_t bytes[16];
    size_t size;
    if (inet_parse(text, bytes, &size) != STATUS_OK)
        return REFUSE("Unable to make inet address from '%.*s'");
    *value = arena_copy(arena, slice_make(bytes, size));
    return STATUS_OK;
}

static enum status parse_duration(struct slice text, struct arena *arena, struct slice *value,
                                  struct error *error)
{
    struct duration duration;
    enum status status = duration_parse(text, &duration, error);
    if (status == STATUS_OK) *value = duration_encode(duration, arena);
    return status;
}

// An empty text is an empty value, not an error, but for these.
static bool reads_empty(enum type_kind kind)
{
    return kind == TYPE_BOOLEAN || kind == TYPE_DATE || kind == TYPE_TIME;
}

static enum status parse(const struct type *type, struct slice text, const int64_t *now_ms,
                         struct arena *arena, struct slice *value, struct error *error)
{
    if (text.size == 0 && !reads_empty(type->kind)) {
        *value = slice_make("", 0);
        return STATUS_OK;
    }
    switch (type->kind) {
    case TYPE_ASCII:
        return parse_ascii(text, arena, value, error);
    case TYPE_TEXT:
        *value = arena_copy(arena, text);
        return STATUS_OK;
    case TYPE_BOOLEAN:
        return parse_boolean(text, arena, value, error);
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
    case TYPE_INT:
    case TYPE_BIGINT:
    case TYPE_COUNTER:
        return parse_integer(type->kind, text, arena, value, error);
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        return parse_real(type->kind, text, arena, value, error);
    case TYPE_VARINT:
        if (number_parse_varint(text, arena, value) == STATUS_OK) return STATUS_OK;
        return REFUSE("unable to make int from '%.*s'");
    case TYPE_DECIMAL:
        if (number_parse_decimal(text, arena, value) == STATUS_OK) return STATUS_OK;
        return REFUSE("unable to make BigDecimal from '%.*s'");
    case TYPE_TIMESTAMP:
        return parse_timestamp(text, now_ms, arena, value, error);
    case TYPE_DATE:
        return parse_date(text, arena, value, error);
    case TYPE_TIME:
        return parse_time(text, arena, value, error);
    case TYPE_UUID:
    case TYPE_TIMEUUID:
        return parse_uuid(type->kind, text, arena, value, error);
    case TYPE_INET:
        return parse_inet(text, arena, value, error);
    case TYPE_DURATION:
        return parse_duration(text, arena, value, error);
    case TYPE_EMPTY:
        return REFUSE("'%.*s' is not empty");
    default: // Blobs, and what has no text of its own.
        return parse_hex(text, arena, value, error);
    }
}

enum status value_from_text(const struct type *type, struct slice text, struct arena *arena,
                            struct slice *value, struct error *error)
{
    return parse(type, text, NULL, arena, value, error);
}

enum status value_from_text_at(const struct type *type, struct slice text, int64_t now_ms,
                               struct arena *arena, struct slice *value, struct error *error)
{
    return parse(type, text, &now_ms, arena, value, error);
}
