// The second half of message.h: responses. See there.
#include "cql/protocol/message.h"

// ---- Fields ------------------------------------------------------------------------------------

void message_put_string(struct buffer *buffer, struct slice text)
{
    // Names and texts of ours are shorter; a client's own may be cut, never mis-framed.
    size_t size = text.size < UINT16_MAX ? text.size : UINT16_MAX;
    buffer_put_u16(buffer, (uint16_t)size);
    buffer_put(buffer, text.data, size);
}

void message_put_short_bytes(struct buffer *buffer, struct slice bytes)
{
    message_put_string(buffer, bytes);
}

void message_put_bytes(struct buffer *buffer, struct slice bytes)
{
    buffer_put_u32(buffer, slice_is_null(bytes) ? UINT32_MAX : (uint32_t)bytes.size);
    if (!slice_is_null(bytes)) buffer_put(buffer, bytes.data, bytes.size);
}

static void put_text(struct buffer *buffer, const char *text)
{
    message_put_string(buffer, slice_of_text(text));
}

void message_put_warnings(struct buffer *buffer, const char *const *warnings, size_t count)
{
    if (count > UINT16_MAX) count = UINT16_MAX;
    buffer_put_u16(buffer, (uint16_t)count);
    for (size_t i = 0; i < count; i++)
        put_text(buffer, warnings[i]);
}

static void put_address(struct buffer *buffer, const struct env_address *address)
{
    buffer_put_u8(buffer, address->size);
    buffer_put(buffer, address->bytes, address->size);
    buffer_put_u32(buffer, address->port);
}

// ---- ERROR (§2.5) ------------------------------------------------------------------------------

// The code that clients of this version know.
static enum cql_error_code error_code(int version, enum cql_error_code code)
{
    if (version >= 4) return code;
    switch (code) {
    case CQL_ERROR_READ_FAILURE:
        return CQL_ERROR_READ_TIMEOUT;
    case CQL_ERROR_WRITE_FAILURE:
        return CQL_ERROR_WRITE_TIMEOUT;
    case CQL_ERROR_FUNCTION:
        return CQL_ERROR_INVALID;
    default:
        return code;
    }
}

static uint32_t not_negative(int number)
{
    return number < 0 ? 0 : (uint32_t)number;
}

// v4: how many. v5: which, and why; of those behind the first few, and those that another
// coordinator heard of, nothing is known but their number.
static void put_failures(struct buffer *buffer, int version, const struct cql_error *error)
{
    const struct coordinator_result *result = &error->result;
    uint32_t count = not_negative(result->failures);
    buffer_put_u32(buffer, count);
    if (version < 5) return;
    static const struct env_address unknown = {.size = 4};
    for (uint32_t i = 0; i < count; i++) {
        bool is_known = i < result->fault_count && error->fault_addresses[i].size > 0;
        const struct env_address *address = is_known ? &error->fault_addresses[i] : &unknown;
        buffer_put_u8(buffer, address->size);
        buffer_put(buffer, address->bytes, address->size);
        buffer_put_u16(buffer, i < result->fault_count ? result->faults[i].reason : 0);
    }
}

static void put_write_type(struct buffer *buffer, int version, const struct cql_error *error,
                           bool with_contentions)
{
    const char *type = error->write_type == NULL ? "SIMPLE" : error->write_type;
    put_text(buffer, type);
    if (with_contentions && version >= 5 && strcmp(type, "CAS") == 0) buffer_put_u16(buffer, 0);
}

static void put_error_extras(struct buffer *buffer, int version, enum cql_error_code code,
                             const struct cql_error *error)
{
    const struct coordinator_result *result = &error->result;
    switch (code) {
    case CQL_ERROR_UNAVAILABLE:
        buffer_put_u16(buffer, (uint16_t)result->consistency);
        buffer_put_u32(buffer, not_negative(result->required));
        buffer_put_u32(buffer, not_negative(result->alive));
        break;
    case CQL_ERROR_WRITE_TIMEOUT:
    case CQL_ERROR_READ_TIMEOUT:
    case CQL_ERROR_WRITE_FAILURE:
    case CQL_ERROR_READ_FAILURE:
        buffer_put_u16(buffer, (uint16_t)result->consistency);
        buffer_put_u32(buffer, not_negative(result->received));
        buffer_put_u32(buffer, not_negative(result->required));
        if (code == CQL_ERROR_WRITE_FAILURE || code == CQL_ERROR_READ_FAILURE)
            put_failures(buffer, version, error);
        if (code == CQL_ERROR_READ_TIMEOUT || code == CQL_ERROR_READ_FAILURE)
            buffer_put_u8(buffer, error->data_present);
        else
            put_write_type(buffer, version, error, code == CQL_ERROR_WRITE_TIMEOUT);
        break;
    case CQL_ERROR_CAS_WRITE_UNKNOWN: // Made for v5 alone.
        buffer_put_u16(buffer, (uint16_t)result->consistency);
        buffer_put_u32(buffer, not_negative(result->received));
        buffer_put_u32(buffer, not_negative(result->required));
        break;
    case CQL_ERROR_FUNCTION:
        put_text(buffer, error->keyspace);
        put_text(buffer, error->table);
        buffer_put_u16(buffer, error->argument_count);
        for (size_t i = 0; i < error->argument_count; i++)
            put_text(buffer, error->arguments[i]);
        break;
    case CQL_ERROR_ALREADY_EXISTS:
        put_text(buffer, error->keyspace);
        put_text(buffer, error->table);
        break;
    case CQL_ERROR_UNPREPARED:
        message_put_short_bytes(buffer, slice_make(error->prepared_id, sizeof error->prepared_id));
        break;
    default:
        break;
    }
}

void message_put_error(struct buffer *buffer, int version, const struct cql_error *error)
{
    enum cql_error_code code = error_code(version, error->code);
    buffer_put_u32(buffer, code);
    put_text(buffer, error->text);
    put_error_extras(buffer, version, code, error);
}

// ---- SUPPORTED ---------------------------------------------------------------------------------

static void put_option(struct buffer *buffer, const char *key, const char *const *values,
                       size_t count)
{
    put_text(buffer, key);
    buffer_put_u16(buffer, (uint16_t)count);
    for (size_t i = 0; i < count; i++)
        put_text(buffer, values[i]);
}

void message_put_supported(struct buffer *buffer)
{
    static const char *const versions[] = {"3/v3", "4/v4", "5/v5"};
    static const char *const compressions[] = {"lz4"};
    static const char *const cql_versions[] = {MESSAGE_CQL_VERSION};
    buffer_put_u16(buffer, 3);
    put_option(buffer, "PROTOCOL_VERSIONS", versions, 3);
    put_option(buffer, "COMPRESSION", compressions, 1);
    put_option(buffer, "CQL_VERSION", cql_versions, 1);
}

// ---- Types (§2.3) ------------------------------------------------------------------------------

static uint16_t type_id(const struct type *type)
{
    switch (type->kind) {
#define X(kind, cql, java, id, size)                                                               \
    case TYPE_##kind:                                                                              \
        return id;
        TYPE_MAP(X)
#undef X
    default:
        return 0;
    }
}

// A type that the version has no number for goes by its Java class.
static bool type_is_custom(int version, const struct type *type)
{
    switch (type->kind) {
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_SMALLINT:
    case TYPE_TINYINT:
        return version < 4;
    case TYPE_DURATION:
        return version < 5;
    case TYPE_VECTOR:
    case TYPE_EMPTY:
    case TYPE_CUSTOM:
        return true;
    default:
        return false;
    }
}

static void put_custom_type(struct buffer *buffer, const struct type *type)
{
    buffer_put_u16(buffer, 0);
    size_t at = buffer->size;
    buffer_put_u16(buffer, 0);
    type_put_java(type, false, buffer);
    if (!buffer->overflow) bytes_put_u16(buffer->data + at, (uint16_t)(buffer->size - at - 2));
}

void message_put_type(struct buffer *buffer, int version, const struct type *type)
{
    if (type_is_custom(version, type)) {
        put_custom_type(buffer, type);
        return;
    }
    buffer_put_u16(buffer, type_id(type));
    if (type->kind == TYPE_UDT) {
        message_put_string(buffer, type->keyspace);
        message_put_string(buffer, type->name);
    }
    if (type->kind == TYPE_UDT || type->kind == TYPE_TUPLE)
        buffer_put_u16(buffer, type->parameter_count);
    for (uint16_t i = 0; i < type->parameter_count; i++) {
        if (type->kind == TYPE_UDT) message_put_string(buffer, type->field_names[i]);
        message_put_type(buffer, version, type->parameters[i]);
    }
}

// ---- RESULT (§2.3) -----------------------------------------------------------------------------

enum {
    METADATA_GLOBAL_TABLE = 1,
    METADATA_MORE_PAGES = 2,
    METADATA_NONE = 4,
    METADATA_CHANGED = 8,
};

static bool columns_have_one_table(const struct column_spec *columns, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (!slice_equals(columns[i].keyspace, columns[0].keyspace) ||
            !slice_equals(columns[i].table, columns[0].table))
            return false;
    }
    return count > 0;
}

static void put_column_specs(struct buffer *buffer, int version, const struct column_spec *columns,
                             size_t count, bool one_table)
{
    if (one_table) {
        message_put_string(buffer, columns[0].keyspace);
        message_put_string(buffer, columns[0].table);
    }
    for (size_t i = 0; i < count; i++) {
        if (!one_table) {
            message_put_string(buffer, columns[i].keyspace);
            message_put_string(buffer, columns[i].table);
        }
        message_put_string(buffer, columns[i].name);
        message_put_type(buffer, version, columns[i].type);
    }
}

static void put_rows(struct buffer *buffer, int version, const struct result *result,
                     enum message_metadata metadata, const uint8_t *metadata_id)
{
    bool has_specs = metadata != MESSAGE_METADATA_NONE;
    bool one_table = has_specs && columns_have_one_table(result->columns, result->column_count);
    bool has_more = !slice_is_null(result->paging_state);
    uint32_t flags = one_table ? METADATA_GLOBAL_TABLE : 0;
    if (has_more) flags |= METADATA_MORE_PAGES;
    if (!has_specs) flags |= METADATA_NONE;
    if (metadata == MESSAGE_METADATA_CHANGED) flags |= METADATA_CHANGED;
    buffer_put_u32(buffer, flags);
    buffer_put_u32(buffer, result->column_count);
    if (has_more) message_put_bytes(buffer, result->paging_state);
    if (metadata == MESSAGE_METADATA_CHANGED)
        message_put_short_bytes(buffer, slice_make(metadata_id, 16));
    if (has_specs)
        put_column_specs(buffer, version, result->columns, result->column_count, one_table);
    buffer_put_u32(buffer, result->row_count);
    buffer_put(buffer, result->rows.data, result->rows.size);
}

static void put_schema_change(struct buffer *buffer, const char *change, const char *target,
                              struct slice keyspace, struct slice name)
{
    put_text(buffer, change);
    put_text(buffer, target);
    message_put_string(buffer, keyspace);
    if (strcmp(target, "KEYSPACE") != 0) message_put_string(buffer, name);
}

void message_put_result(struct buffer *buffer, int version, const struct result *result,
                        enum message_metadata metadata, const uint8_t *metadata_id)
{
    buffer_put_u32(buffer, result->kind);
    switch (result->kind) {
    case RESULT_ROWS:
        put_rows(buffer, version, result, metadata, metadata_id);
        break;
    case RESULT_SET_KEYSPACE:
        message_put_string(buffer, result->keyspace);
        break;
    case RESULT_SCHEMA_CHANGE:
        put_schema_change(buffer, result->change, result->target, result->keyspace, result->name);
        break;
    case RESULT_VOID:
    case RESULT_PREPARED: // message_put_prepared()'s.
        break;
    }
}

void message_put_prepared(struct buffer *buffer, int version, const struct statement *statement,
                          const uint8_t id[16], const uint8_t metadata_id[16])
{
    buffer_put_u32(buffer, RESULT_PREPARED);
    message_put_short_bytes(buffer, slice_make(id, 16));
    if (version >= 5) message_put_short_bytes(buffer, slice_make(metadata_id, 16));

    bool one_table = columns_have_one_table(statement->markers, statement->marker_count);
    buffer_put_u32(buffer, one_table ? METADATA_GLOBAL_TABLE : 0);
    buffer_put_u32(buffer, statement->marker_count);
    if (version >= 4) {
        buffer_put_u32(buffer, statement->partition_key_marker_count);
        for (uint16_t i = 0; i < statement->partition_key_marker_count; i++)
            buffer_put_u16(buffer, statement->partition_key_markers[i]);
    }
    put_column_specs(buffer, version, statement->markers, statement->marker_count, one_table);

    const struct column_spec *columns = statement->result_columns;
    uint16_t count = statement->result_column_count;
    one_table = columns_have_one_table(columns, count);
    uint32_t flags = count == 0 ? METADATA_NONE : one_table ? METADATA_GLOBAL_TABLE : 0;
    buffer_put_u32(buffer, flags);
    buffer_put_u32(buffer, count);
    put_column_specs(buffer, version, columns, count, one_table);
}

// ---- EVENT (§2.4) ------------------------------------------------------------------------------

void message_put_schema_change_event(struct buffer *buffer, const char *change, const char *target,
                                     struct slice keyspace, struct slice table)
{
    put_text(buffer, "SCHEMA_CHANGE");
    put_schema_change(buffer, change, target, keyspace, table);
}

void message_put_topology_change_event(struct buffer *buffer, const char *change,
                                       const struct env_address *address)
{
    put_text(buffer, "TOPOLOGY_CHANGE");
    put_text(buffer, change);
    put_address(buffer, address);
}

void message_put_status_change_event(struct buffer *buffer, const char *change,
                                     const struct env_address *address)
{
    put_text(buffer, "STATUS_CHANGE");
    put_text(buffer, change);
    put_address(buffer, address);
}
