#include "storage/sstable/header.h"

#include "base/cursor.h"

#include <stdlib.h>

#define TYPE_PREFIX "org.apache.cassandra.db.marshal."

static bool has_bit(const uint64_t *bits, size_t index)
{
    return bits[index / 64] >> (index % 64) & 1;
}

static struct slice type_string(const struct type *type, bool reversed, struct arena *arena)
{
    struct buffer text;
    buffer_init(&text, COMPONENT_SIZE_MAX);
    type_put_java(type, reversed, &text);
    struct slice copy = arena_copy(arena, buffer_slice(&text));
    buffer_deinit(&text);
    return copy;
}

// One type, or CompositeType(A,B,…).
static struct slice key_type_string(const struct table *table, struct arena *arena)
{
    uint16_t count = table->column_counts[COLUMN_PARTITION_KEY];
    const struct column *columns = table->columns[COLUMN_PARTITION_KEY];
    if (count == 1) return type_string(columns[0].type, false, arena);
    struct buffer text;
    buffer_init(&text, COMPONENT_SIZE_MAX);
    buffer_put_format(&text, "%s", TYPE_PREFIX "CompositeType(");
    for (uint16_t i = 0; i < count; i++) {
        if (i > 0) buffer_put_u8(&text, ',');
        type_put_java(columns[i].type, false, &text);
    }
    buffer_put_u8(&text, ')');
    struct slice copy = arena_copy(arena, buffer_slice(&text));
    buffer_deinit(&text);
    return copy;
}

static void make_columns(struct header_columns *columns, const struct table *table,
                         enum column_kind kind, const uint64_t *present, struct arena *arena)
{
    uint16_t count = table->column_counts[kind];
    columns->items = ARENA_NEW_ARRAY(arena, struct header_column, count);
    columns->count = 0;
    for (uint16_t i = 0; i < count; i++) {
        if (!has_bit(present, i)) continue;
        const struct column *column = &table->columns[kind][i];
        columns->items[columns->count++] = (struct header_column){
            .name = column->name,
            .type = column->type,
            .fixed_size = (uint32_t)type_fixed_size(column->type),
            .multi_cell = type_is_multi_cell(column->type),
        };
    }
}

void header_make(struct header *header, const struct table *table,
                 const struct sstable_content *content, struct arena *arena)
{
    uint16_t clustering_count = table->column_counts[COLUMN_CLUSTERING];
    *header = (struct header){
        .min_timestamp = content->min_timestamp,
        .min_local_time = content->min_local_time,
        .min_ttl = content->min_ttl,
        .key_type = key_type_string(table, arena),
        .clustering_count = clustering_count,
        .clustering_types = ARENA_NEW_ARRAY(arena, struct slice, clustering_count),
        .clustering_sizes = ARENA_NEW_ARRAY(arena, uint32_t, clustering_count),
    };
    for (uint16_t i = 0; i < clustering_count; i++) {
        const struct column *column = &table->columns[COLUMN_CLUSTERING][i];
        header->clustering_types[i] = type_string(column->type, column->reversed, arena);
        header->clustering_sizes[i] = (uint32_t)type_fixed_size(column->type);
    }
    make_columns(&header->columns[ROWS_STATIC], table, COLUMN_STATIC, content->static_columns,
                 arena);
    make_columns(&header->columns[ROWS_REGULAR], table, COLUMN_REGULAR, content->regular_columns,
                 arena);
}

void header_encode(const struct header *header, struct buffer *bytes)
{
    // uv timestamp, uv32 local time (sign-extended), uv32 ttl, all relative to the epochs
    buffer_put_vint(bytes, (uint64_t)header->min_timestamp - EPOCH_TIMESTAMP);
    buffer_put_vint(bytes, (uint64_t)(int64_t)(int32_t)((uint32_t)header->min_local_time -
                                                        (uint32_t)EPOCH_LOCAL_TIME));
    buffer_put_vint(bytes, (uint64_t)(int64_t)header->min_ttl);
    buffer_put_vint_bytes(bytes, header->key_type);
    buffer_put_vint(bytes, header->clustering_count);
    for (size_t i = 0; i < header->clustering_count; i++)
        buffer_put_vint_bytes(bytes, header->clustering_types[i]);
    for (int kind = 0; kind < ROWS_KIND_COUNT; kind++) {
        const struct header_columns *columns = &header->columns[kind];
        buffer_put_vint(bytes, columns->count);
        for (size_t i = 0; i < columns->count; i++) {
            buffer_put_vint_bytes(bytes, columns->items[i].name);
            struct buffer text;
            buffer_init(&text, COMPONENT_SIZE_MAX);
            type_put_java(columns->items[i].type, false, &text);
            buffer_put_vint_bytes(bytes, buffer_slice(&text));
            buffer_deinit(&text);
        }
    }
}

// Single-cell columns first; then by name, whose first byte counts as signed.
static int compare_columns(const void *left, const void *right)
{
    const struct header_column *a = left, *b = right;
    if (a->multi_cell != b->multi_cell) return a->multi_cell ? 1 : -1;
    if (a->name.size > 0 && b->name.size > 0 && a->name.data[0] != b->name.data[0])
        return (int8_t)a->name.data[0] < (int8_t)b->name.data[0] ? -1 : 1;
    return slice_compare(a->name, b->name);
}

static enum status decode_columns(struct header_columns *columns, struct cursor *cursor,
                                  struct arena *arena, struct error *error)
{
    uint64_t count = cursor_vint(cursor);
    // Each takes at least two bytes: so much for what a damaged count may cost.
    if (cursor->failed || count > TABLE_COLUMNS_MAX || count > cursor_left(cursor) / 2)
        return error_set(error, STATUS_CORRUPT, "bad number of columns in the header");
    columns->items = ARENA_NEW_ARRAY(arena, struct header_column, count);
    columns->count = count;
    for (uint64_t i = 0; i < count; i++) {
        struct header_column *column = &columns->items[i];
        column->name = arena_copy(arena, cursor_vint_bytes(cursor));
        struct slice text = cursor_vint_bytes(cursor);
        bool reversed;
        if (cursor->failed)
            return error_set(error, STATUS_CORRUPT, "the header ends inside of a column");
        if (type_parse_java(arena, text, &column->type, &reversed, error) != STATUS_OK)
            return STATUS_CORRUPT;
        column->fixed_size = (uint32_t)type_fixed_size(column->type);
        column->multi_cell = type_is_multi_cell(column->type);
    }
    qsort(columns->items, count, sizeof *columns->items, compare_columns);
    for (uint64_t i = 1; i < count; i++) {
        if (slice_equals(columns->items[i].name, columns->items[i - 1].name))
            return error_set(error, STATUS_CORRUPT, "a column stands twice in the header");
    }
    return STATUS_OK;
}

enum status header_decode(struct header *header, struct slice bytes, struct arena *arena,
                          struct error *error)
{
    struct cursor cursor = cursor_make(bytes);
    *header = (struct header){0};
    header->min_timestamp = (int64_t)(cursor_vint(&cursor) + EPOCH_TIMESTAMP);
    header->min_local_time = (int32_t)((uint32_t)cursor_vint(&cursor) + EPOCH_LOCAL_TIME);
    header->min_ttl = (int32_t)cursor_vint(&cursor);
    header->key_type = arena_copy(arena, cursor_vint_bytes(&cursor));
    uint64_t count = cursor_vint(&cursor);
    if (cursor.failed || count > TABLE_COLUMNS_MAX || count > cursor_left(&cursor))
        return error_set(error, STATUS_CORRUPT, "bad number of clustering types in the header");
    header->clustering_count = count;
    header->clustering_types = ARENA_NEW_ARRAY(arena, struct slice, count);
    header->clustering_sizes = ARENA_NEW_ARRAY(arena, uint32_t, count);
    for (uint64_t i = 0; i < count; i++) {
        struct slice text = cursor_vint_bytes(&cursor);
        const struct type *type;
        bool reversed;
        if (cursor.failed)
            return error_set(error, STATUS_CORRUPT, "the header ends inside of a type");
        header->clustering_types[i] = arena_copy(arena, text);
        if (type_parse_java(arena, text, &type, &reversed, error) != STATUS_OK)
            return STATUS_CORRUPT;
        header->clustering_sizes[i] = (uint32_t)type_fixed_size(type);
    }
    for (int kind = 0; kind < ROWS_KIND_COUNT; kind++) {
        enum status status = decode_columns(&header->columns[kind], &cursor, arena, error);
        if (status != STATUS_OK) return status;
    }
    if (cursor.failed || cursor_left(&cursor) > 0)
        return error_set(error, STATUS_CORRUPT, "bytes left behind the header");
    return STATUS_OK;
}

// ---- Of which table -----------------------------------------------------------------------------

static enum status refuse_type(const struct column *column, const struct type *found,
                               struct error *error)
{
    struct buffer text;
    buffer_init(&text, ERROR_TEXT_SIZE / 2);
    buffer_put_format(&text, "column %.*s is of type ", (int)column->name.size,
                      (const char *)column->name.data);
    type_put_cql(found, &text);
    buffer_put_format(&text, "%s", " there, and of type ");
    type_put_cql(column->type, &text);
    enum status status = error_set(error, STATUS_INVALID, "%.*s in the table", (int)text.size,
                                   (const char *)text.data);
    buffer_deinit(&text);
    return status;
}

// Values of a type of a fixed size are written without a length.
static bool values_may_fit(const struct type *found, const struct type *wanted)
{
    size_t size = type_fixed_size(wanted);
    return size == 0 || size == type_fixed_size(found);
}

// Cells of a counter or of a collection are not those of other types.
static bool cells_may_fit(const struct type *found, const struct type *wanted)
{
    return values_may_fit(found, wanted) &&
           type_is_multi_cell(found) == type_is_multi_cell(wanted) &&
           (found->kind == TYPE_COUNTER) == (wanted->kind == TYPE_COUNTER);
}

static bool is_dropped(const struct table *table, struct slice name)
{
    for (size_t i = 0; i < table->dropped_column_count; i++)
        if (slice_equals(table->dropped_columns[i].name, name)) return true;
    return false;
}

// SerializationHeader.Component.toHeader()
static enum status check_columns(const struct header_columns *columns, const struct table *table,
                                 enum column_kind kind, struct error *error)
{
    for (size_t i = 0; i < columns->count; i++) {
        const struct header_column *found = &columns->items[i];
        const struct column *column = table_find_column(table, found->name);
        if (column != NULL && column->kind == kind) {
            if (!cells_may_fit(found->type, column->type))
                return refuse_type(column, found->type, error);
        } else if (!is_dropped(table, found->name)) {
            return error_set(error, STATUS_INVALID, "Unknown column %.*s during deserialization",
                             (int)found->name.size, (const char *)found->name.data);
        }
    }
    return STATUS_OK;
}

enum status header_check_table(const struct header *header, const struct table *table,
                               struct arena *arena, struct error *error)
{
    if (header->clustering_count != table->column_counts[COLUMN_CLUSTERING])
        return error_set(error, STATUS_INVALID, "another number of clustering columns");
    for (size_t i = 0; i < header->clustering_count; i++) {
        const struct column *column = &table->columns[COLUMN_CLUSTERING][i];
        const struct type *type;
        bool reversed;
        if (type_parse_java(arena, header->clustering_types[i], &type, &reversed, error) !=
            STATUS_OK)
            return STATUS_CORRUPT;
        if (!values_may_fit(type, column->type)) return refuse_type(column, type, error);
        if (reversed != column->reversed)
            return error_set(error, STATUS_INVALID,
                             "rows are ordered by column %.*s the other way round",
                             (int)column->name.size, (const char *)column->name.data);
    }
    enum status status = check_columns(&header->columns[ROWS_STATIC], table, COLUMN_STATIC, error);
    return status == STATUS_OK
               ? check_columns(&header->columns[ROWS_REGULAR], table, COLUMN_REGULAR, error)
               : status;
}
