#include "cql/protocol/message.h"

#include "storage/row.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

// ---- Fields of requests ------------------------------------------------------------------------

static bool protocol_error(struct cql_error *error, const char *text)
{
    return cql_error_set(error, CQL_ERROR_PROTOCOL, "%s", text);
}

static bool too_short(struct cql_error *error)
{
    return protocol_error(error, "Not enough bytes to read a message's fields");
}

// UTF-8 without surrogates and without forms longer than needed, as Java's decoder wants it.
static bool is_utf8(struct slice text)
{
    const uint8_t *at = text.data, *end = at + text.size;
    while (at < end) {
        if (*at < 0x80) {
            at++;
            continue;
        }
        int more = *at >= 0xf0 ? 3 : *at >= 0xe0 ? 2 : 1;
        if (*at < 0xc2 || *at > 0xf4 || end - at <= more) return false;
        uint8_t low = 0x80, high = 0xbf; // Of the second byte.
        if (*at == 0xe0) low = 0xa0;
        if (*at == 0xed) high = 0x9f;
        if (*at == 0xf0) low = 0x90;
        if (*at == 0xf4) high = 0x8f;
        if (at[1] < low || at[1] > high) return false;
        for (int i = 2; i <= more; i++)
            if ((at[i] & 0xc0) != 0x80) return false;
        at += more + 1;
    }
    return true;
}

static bool check_utf8(struct slice text, struct cql_error *error)
{
    if (is_utf8(text)) return true;
    enum { SHOWN_MAX = 64 };
    char hex[2 * SHOWN_MAX + 1];
    size_t shown = text.size < SHOWN_MAX ? text.size : SHOWN_MAX;
    for (size_t i = 0; i < shown; i++) {
        static const char digits[] = "0123456789abcdef";
        hex[2 * i] = digits[text.data[i] >> 4];
        hex[2 * i + 1] = digits[text.data[i] & 15];
    }
    hex[2 * shown] = '\0';
    return cql_error_set(error, CQL_ERROR_PROTOCOL, "Cannot decode string as UTF8: '%s%s'", hex,
                         shown < text.size ? "..." : "");
}

static bool read_string(struct cursor *cursor, struct slice *text, struct cql_error *error)
{
    uint16_t size = cursor_u16(cursor);
    *text = cursor_take(cursor, size);
    if (cursor->failed)
        return protocol_error(error, "Not enough bytes to read an UTF8 serialized string preceded "
                                     "by its 2 bytes length");
    return check_utf8(*text, error);
}

static bool read_long_string(struct cursor *cursor, struct slice *text, struct cql_error *error)
{
    uint32_t size = cursor_u32(cursor);
    *text = cursor_take(cursor, size);
    if (cursor->failed)
        return protocol_error(error, "Not enough bytes to read an UTF8 serialized string preceded "
                                     "by its 4 bytes length");
    return check_utf8(*text, error);
}

static bool read_short_bytes(struct cursor *cursor, struct slice *bytes, struct cql_error *error)
{
    uint16_t size = cursor_u16(cursor);
    *bytes = cursor_take(cursor, size);
    if (!cursor->failed) return true;
    return protocol_error(error,
                          "Not enough bytes to read a byte array preceded by its 2 bytes length");
}

static bool read_bytes(struct cursor *cursor, struct slice *bytes, struct cql_error *error)
{
    int32_t size = (int32_t)cursor_u32(cursor);
    *bytes = slice_null();
    if (size >= 0) *bytes = cursor_take(cursor, (size_t)size);
    if (!cursor->failed) return true;
    return protocol_error(error,
                          "Not enough bytes to read a byte array preceded by its 4 bytes length");
}

static bool read_value(struct cursor *cursor, int version, struct bound_value *value,
                       struct cql_error *error)
{
    int32_t size = (int32_t)cursor_u32(cursor);
    *value = (struct bound_value){slice_null(), false};
    if (size >= 0) {
        value->bytes = cursor_take(cursor, (size_t)size);
    } else if (version >= 4 && size == -2) {
        value->unset = true;
    } else if (version >= 4 && size < -2) {
        return cql_error_set(error, CQL_ERROR_PROTOCOL, "Invalid ByteBuf length %d", (int)size);
    }
    if (!cursor->failed) return true;
    return protocol_error(error, "Not enough bytes to read a value preceded by its 4 bytes length");
}

static bool read_consistency(struct cursor *cursor, enum consistency *consistency,
                             struct cql_error *error)
{
    uint16_t code = cursor_u16(cursor);
    if (cursor->failed) return too_short(error);
    if (code >= CONSISTENCY_COUNT)
        return cql_error_set(error, CQL_ERROR_PROTOCOL, "Unknown code %d for a consistency level",
                             (int)code);
    *consistency = (enum consistency)code;
    return true;
}

// [short] n, n values; with `names` (not NULL) each has its name before it.
static bool read_values(struct cursor *cursor, int version, struct arena *arena,
                        const struct slice **names, const struct bound_value **values,
                        size_t *count, struct cql_error *error)
{
    size_t n = cursor_u16(cursor);
    const size_t value_size_min = names != NULL ? 6 : 4;
    if (cursor->failed || cursor_left(cursor) < n * value_size_min) return too_short(error);
    struct bound_value *array = arena_alloc(arena, n * sizeof *array);
    struct slice *name_array = names == NULL ? NULL : arena_alloc(arena, n * sizeof *name_array);
    for (size_t i = 0; i < n; i++) {
        if (names != NULL && !read_string(cursor, &name_array[i], error)) return false;
        if (!read_value(cursor, version, &array[i], error)) return false;
    }
    *values = array;
    *count = n;
    if (names != NULL) *names = name_array;
    return true;
}

// ---- Query options (§2.2) ----------------------------------------------------------------------

enum {
    FLAG_VALUES = 0x01,
    FLAG_SKIP_METADATA = 0x02,
    FLAG_PAGE_SIZE = 0x04,
    FLAG_PAGING_STATE = 0x08,
    FLAG_SERIAL_CONSISTENCY = 0x10,
    FLAG_TIMESTAMP = 0x20,
    FLAG_NAMES = 0x40,
    FLAG_KEYSPACE = 0x80,
    FLAG_NOW = 0x100,
};

static uint32_t read_flags(struct cursor *cursor, int version)
{
    return version >= 5 ? cursor_u32(cursor) : cursor_u8(cursor) & 0x7fu;
}

static void init_options(struct query_options *options, int version)
{
    *options = (struct query_options){
        .consistency = CONSISTENCY_ONE,
        .serial_consistency = CONSISTENCY_SERIAL,
        .paging_state = slice_null(),
        .keyspace = slice_null(),
        .protocol_version = version,
    };
}

// What QUERY, EXECUTE and BATCH have in common, from the serial consistency on.
static bool read_last_options(struct cursor *cursor, uint32_t flags, struct query_options *options,
                              struct cql_error *error)
{
    if ((flags & FLAG_SERIAL_CONSISTENCY) != 0 &&
        !read_consistency(cursor, &options->serial_consistency, error))
        return false;
    if ((flags & FLAG_TIMESTAMP) != 0) {
        options->has_timestamp = true;
        options->timestamp_us = (int64_t)cursor_u64(cursor);
        if (!cursor->failed && options->timestamp_us == INT64_MIN)
            return cql_error_set(error, CQL_ERROR_PROTOCOL,
                                 "Out of bound timestamp, must be in [%lld, %lld] (got %lld)",
                                 (long long)(INT64_MIN + 1), (long long)INT64_MAX,
                                 (long long)INT64_MIN);
    }
    if ((flags & FLAG_KEYSPACE) != 0 && !read_string(cursor, &options->keyspace, error))
        return false;
    if ((flags & FLAG_NOW) != 0) {
        options->has_now = true;
        // Seconds without a sign. What cells can not say is as late as they can.
        uint32_t now_s = cursor_u32(cursor);
        options->now_s = now_s > LOCAL_TIME_MAX ? LOCAL_TIME_MAX : (int32_t)now_s;
    }
    return !cursor->failed || too_short(error);
}

static bool read_options(struct cursor *cursor, int version, struct arena *arena,
                         struct message_query *query, struct cql_error *error)
{
    struct query_options *options = &query->options;
    init_options(options, version);
    if (!read_consistency(cursor, &options->consistency, error)) return false;
    uint32_t flags = read_flags(cursor, version);
    if (cursor->failed) return too_short(error);
    const struct slice **names = (flags & FLAG_NAMES) != 0 ? &options->value_names : NULL;
    if ((flags & FLAG_VALUES) != 0 &&
        !read_values(cursor, version, arena, names, &options->values, &options->value_count, error))
        return false;
    query->skip_metadata = (flags & FLAG_SKIP_METADATA) != 0;
    if ((flags & FLAG_PAGE_SIZE) != 0) {
        options->page_size = (int32_t)cursor_u32(cursor);
        query->page_size_is_zero = options->page_size == 0;
    }
    if ((flags & FLAG_PAGING_STATE) != 0 && !read_bytes(cursor, &options->paging_state, error))
        return false;
    return read_last_options(cursor, flags, options, error);
}

// ---- Whole requests ----------------------------------------------------------------------------

static bool same_text(struct slice text, const char *other)
{
    return text.size == strlen(other) &&
           strncasecmp((const char *)text.data, other, text.size) == 0;
}

// Cassandra compares versions as major.minor.patch and wants 2.99.0 or more; a missing part is 0.
static bool cql_version_is_supported(struct slice version)
{
    unsigned parts[3] = {0};
    size_t part = 0;
    for (size_t i = 0; i < version.size && part < 3; i++) {
        if (version.data[i] == '.')
            part++;
        else if (isdigit(version.data[i]) && parts[part] < 100000)
            parts[part] = parts[part] * 10 + (unsigned)(version.data[i] - '0');
        else
            break;
    }
    return parts[0] >= 3 || (parts[0] == 2 && parts[1] >= 99);
}

static bool decode_compression(struct slice value, int version, struct message_startup *startup,
                               struct cql_error *error)
{
    if (same_text(value, "lz4")) {
        startup->compression = MESSAGE_LZ4;
        return true;
    }
    if (!same_text(value, "snappy"))
        return cql_error_set(error, CQL_ERROR_PROTOCOL, "Unknown compression algorithm: %.*s",
                             (int)(value.size < 256 ? value.size : 256), (const char *)value.data);
    return protocol_error(error, version >= 5
                                     ? "Snappy compression is not supported in protocol V5"
                                     : "This instance does not support Snappy compression");
}

bool message_decode_startup(struct slice body, int version, struct message_startup *startup,
                            struct cql_error *error)
{
    struct cursor cursor = cursor_make(body);
    *startup = (struct message_startup){.driver_name = slice_make("", 0),
                                        .driver_version = slice_make("", 0)};
    struct slice cql_version = slice_null();
    uint16_t count = cursor_u16(&cursor);
    for (uint16_t i = 0; i < count; i++) {
        struct slice key, value;
        if (!read_string(&cursor, &key, error) || !read_string(&cursor, &value, error))
            return false;
        if (same_text(key, "CQL_VERSION")) cql_version = value;
        if (same_text(key, "DRIVER_NAME")) startup->driver_name = value;
        if (same_text(key, "DRIVER_VERSION")) startup->driver_version = value;
        if (same_text(key, "THROW_ON_OVERLOAD")) startup->throw_on_overload = same_text(value, "1");
        if (same_text(key, "COMPRESSION") && !decode_compression(value, version, startup, error))
            return false;
    }
    if (cursor.failed) return too_short(error);
    if (slice_is_null(cql_version))
        return protocol_error(error, "Missing value CQL_VERSION in STARTUP message");
    if (cql_version_is_supported(cql_version)) return true;
    return cql_error_set(error, CQL_ERROR_PROTOCOL,
                         "CQL version %.*s is not supported by the binary protocol (supported "
                         "version are >= 3.0.0)",
                         (int)(cql_version.size < 256 ? cql_version.size : 256),
                         (const char *)cql_version.data);
}

bool message_decode_register(struct slice body, unsigned *events, struct cql_error *error)
{
    static const char *const names[] = {"TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE",
                                        "TRACE_COMPLETE"};
    struct cursor cursor = cursor_make(body);
    uint16_t count = cursor_u16(&cursor);
    if (cursor.failed) return too_short(error);
    *events = 0;
    for (uint16_t i = 0; i < count; i++) {
        struct slice name;
        if (!read_string(&cursor, &name, error)) return false;
        size_t event = 0;
        while (event < 4 && !same_text(name, names[event]))
            event++;
        if (event == 4)
            return cql_error_set(error, CQL_ERROR_PROTOCOL, "Invalid value '%.*s' for Type",
                                 (int)(name.size < 256 ? name.size : 256), (const char *)name.data);
        *events |= 1u << event;
    }
    return true;
}

bool message_decode_query(struct slice body, int version, struct arena *arena,
                          struct message_query *query, struct cql_error *error)
{
    *query = (struct message_query){0};
    struct cursor cursor = cursor_make(body);
    return read_long_string(&cursor, &query->text, error) &&
           read_options(&cursor, version, arena, query, error);
}

bool message_decode_execute(struct slice body, int version, struct arena *arena,
                            struct message_query *query, struct cql_error *error)
{
    *query = (struct message_query){0};
    struct cursor cursor = cursor_make(body);
    if (!read_short_bytes(&cursor, &query->id, error)) return false;
    if (version >= 5 && !read_short_bytes(&cursor, &query->result_metadata_id, error)) return false;
    return read_options(&cursor, version, arena, query, error);
}

bool message_decode_prepare(struct slice body, int version, struct message_prepare *prepare,
                            struct cql_error *error)
{
    struct cursor cursor = cursor_make(body);
    prepare->keyspace = slice_null();
    if (!read_long_string(&cursor, &prepare->text, error)) return false;
    if (version < 5) return true;
    uint32_t flags = cursor_u32(&cursor);
    if (cursor.failed) return too_short(error);
    return (flags & 1) == 0 || read_string(&cursor, &prepare->keyspace, error);
}

static bool decode_batch_entry(struct cursor *cursor, int version, struct arena *arena,
                               struct message_batch_entry *entry, struct cql_error *error)
{
    uint8_t kind = cursor_u8(cursor);
    if (cursor->failed) return too_short(error);
    if (kind > 1)
        return cql_error_set(error, CQL_ERROR_PROTOCOL,
                             "Invalid query kind in BATCH messages. Must be 0 or 1 but got %d",
                             (int)kind);
    entry->is_prepared = kind == 1;
    bool read = entry->is_prepared ? read_short_bytes(cursor, &entry->text_or_id, error)
                                   : read_long_string(cursor, &entry->text_or_id, error);
    return read &&
           read_values(cursor, version, arena, NULL, &entry->values, &entry->value_count, error);
}

bool message_decode_batch(struct slice body, int version, struct arena *arena,
                          struct message_batch *batch, struct cql_error *error)
{
    struct cursor cursor = cursor_make(body);
    *batch = (struct message_batch){.type = cursor_u8(&cursor)};
    batch->count = cursor_u16(&cursor);
    if (cursor.failed) return too_short(error);
    if (batch->type > 2)
        return cql_error_set(error, CQL_ERROR_PROTOCOL, "Invalid BATCH message type %d",
                             batch->type);
    const size_t entry_size_min = 1 + 2 + 2;
    if (cursor_left(&cursor) < batch->count * entry_size_min) return too_short(error);
    struct message_batch_entry *entries = arena_alloc(arena, batch->count * sizeof *entries);
    for (size_t i = 0; i < batch->count; i++)
        if (!decode_batch_entry(&cursor, version, arena, &entries[i], error)) return false;
    batch->entries = entries;

    init_options(&batch->options, version);
    if (!read_consistency(&cursor, &batch->options.consistency, error)) return false;
    uint32_t flags = read_flags(&cursor, version);
    return read_last_options(&cursor, flags, &batch->options, error);
}

bool message_skip_custom_payload(struct slice *body, struct cql_error *error)
{
    struct cursor cursor = cursor_make(*body);
    uint16_t count = cursor_u16(&cursor);
    if (cursor.failed) return too_short(error);
    for (uint16_t i = 0; i < count; i++) {
        struct slice key, value;
        if (!read_string(&cursor, &key, error) || !read_bytes(&cursor, &value, error)) return false;
    }
    *body = slice_make(cursor.next, cursor_left(&cursor));
    return true;
}
