#include "node/sstable_tool/row_text.h"

#include "base/assert.h"
#include "base/limits.h"
#include "storage/counter_context.h"
#include "storage/value.h"
#include "storage/value/calendar.h"

#include <stdlib.h>

// ---- Columns ------------------------------------------------------------------------------------

static int compare_columns(const struct column *a, const struct column *b, bool by_kind)
{
    bool are_keys = a->kind <= COLUMN_CLUSTERING || b->kind <= COLUMN_CLUSTERING;
    if (a->kind != b->kind && (are_keys || by_kind)) return (int)a->kind - (int)b->kind;
    return are_keys ? (int)a->index - (int)b->index : slice_compare(a->name, b->name);
}

static int compare_for_csv(const void *left, const void *right)
{
    return compare_columns(*(const struct column *const *)left,
                           *(const struct column *const *)right, false);
}

static int compare_for_json(const void *left, const void *right)
{
    return compare_columns(*(const struct column *const *)left,
                           *(const struct column *const *)right, true);
}

void row_text_init(struct row_text *rows, enum row_format format, const struct table *table)
{
    *rows = (struct row_text){.format = format, .table = table, .null_text = {NULL, 0}};
    arena_init(&rows->arena, 16 * KIB);
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++)
        rows->column_count += table->column_counts[kind];
    rows->columns = calloc(rows->column_count, sizeof *rows->columns);
    ASSERT(rows->columns != NULL);
    size_t count = 0;
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++)
        for (uint16_t i = 0; i < table->column_counts[kind]; i++)
            rows->columns[count++] = &table->columns[kind][i];
    qsort(rows->columns, count, sizeof *rows->columns,
          format == ROW_CSV ? compare_for_csv : compare_for_json);
}

void row_text_deinit(struct row_text *rows)
{
    free(rows->columns);
    arena_deinit(&rows->arena);
}

// ---- Values of columns --------------------------------------------------------------------------

static uint8_t *put_sized(uint8_t *at, struct slice value)
{
    bytes_put_u32(at, (uint32_t)value.size);
    if (value.size > 0) memcpy(at + 4, value.data, value.size);
    return at + 4 + value.size;
}

// i32 count, then each key, element or value with its size.
static struct slice collection_of(const struct type *type, const struct cell *cells, uint32_t count,
                                  struct arena *arena)
{
    bool with_path = type->kind != TYPE_LIST, with_value = type->kind != TYPE_SET;
    size_t size = 4;
    for (uint32_t i = 0; i < count; i++)
        size +=
            (with_path ? 4 + cells[i].path.size : 0) + (with_value ? 4 + cells[i].value.size : 0);
    uint8_t *bytes = arena_alloc(arena, size), *at = bytes + 4;
    bytes_put_u32(bytes, count);
    for (uint32_t i = 0; i < count; i++) {
        if (with_path) at = put_sized(at, cells[i].path);
        if (with_value) at = put_sized(at, cells[i].value);
    }
    return slice_make(bytes, size);
}

// Each field with its size, -1 for those that are null.
static struct slice udt_of(const struct type *type, const struct cell *cells, uint32_t count,
                           struct arena *arena)
{
    size_t size = 4 * (size_t)type->parameter_count;
    for (uint32_t i = 0; i < count; i++)
        size += cells[i].value.size;
    uint8_t *bytes = arena_alloc(arena, size), *at = bytes;
    uint32_t cell = 0;
    for (uint16_t field = 0; field < type->parameter_count; field++) {
        while (cell < count &&
               (cells[cell].path.size != 2 || bytes_get_u16(cells[cell].path.data) < field))
            cell++;
        if (cell < count && bytes_get_u16(cells[cell].path.data) == field) {
            at = put_sized(at, cells[cell].value);
        } else {
            bytes_put_u32(at, UINT32_MAX);
            at += 4;
        }
    }
    return slice_make(bytes, (size_t)(at - bytes));
}

static struct slice value_of(struct row_text *rows, const struct row_text_row *row,
                             const struct column *column)
{
    if (column->kind == COLUMN_PARTITION_KEY) return row->key[column->index];
    const struct live_row *from = column->kind == COLUMN_STATIC ? row->static_row : row->row;
    if (from == NULL) return slice_null();
    if (column->kind == COLUMN_CLUSTERING)
        return column->index < from->clustering.count ? from->clustering.values[column->index]
                                                      : slice_null();
    const struct cell *cells;
    uint32_t count = live_row_cells(from, column->index, &cells);
    if (count == 0) return slice_null();
    if (column->type->kind == TYPE_COUNTER) {
        uint8_t *bytes = arena_alloc(&rows->arena, 8);
        bytes_put_u64(bytes, counter_context_is_valid(cells->value)
                                 ? (uint64_t)counter_context_total(cells->value)
                                 : 0);
        return slice_make(bytes, 8);
    }
    if (!type_is_multi_cell(column->type))
        return cells->value.data == NULL ? slice_make("", 0) : cells->value;
    return column->type->kind == TYPE_UDT ? udt_of(column->type, cells, count, &rows->arena)
                                          : collection_of(column->type, cells, count, &rows->arena);
}

// ---- JSON ---------------------------------------------------------------------------------------

static void put_json_name(struct slice name, struct buffer *text)
{
    bool has_upper = false;
    for (size_t i = 0; i < name.size; i++)
        has_upper = has_upper || (name.data[i] >= 'A' && name.data[i] <= 'Z');
    if (!has_upper) {
        value_put_json(type_of_kind(TYPE_TEXT), name, text);
        return;
    }
    struct buffer quoted;
    buffer_init(&quoted, MIB);
    buffer_put_u8(&quoted, '"');
    buffer_put(&quoted, name.data, name.size);
    buffer_put_u8(&quoted, '"');
    value_put_json(type_of_kind(TYPE_TEXT), buffer_slice(&quoted), text);
    buffer_deinit(&quoted);
}

static void put_json(struct row_text *rows, const struct row_text_row *row, struct buffer *text)
{
    for (size_t i = 0; i < rows->column_count; i++) {
        const struct column *column = rows->columns[i];
        buffer_put_format(text, i == 0 ? "{" : ", ");
        put_json_name(column->name, text);
        buffer_put_format(text, ": ");
        value_put_json(column->type, value_of(rows, row, column), text);
    }
    buffer_put_format(text, "}\n");
}

// ---- CSV ----------------------------------------------------------------------------------------

// Quoted where a comma, a quote, a backslash or a line's end is in it, and when it is empty or
// looks like a null, which has no quotes. Quotes and backslashes have a backslash before them, as
// cqlsh has it.
static void put_csv_field(struct slice field, struct slice null_text, struct buffer *text)
{
    bool needs_quotes = field.size == 0 || slice_equals(field, null_text);
    for (size_t i = 0; i < field.size && !needs_quotes; i++)
        needs_quotes = memchr(",\"\\\r\n", field.data[i], 5) != NULL;
    if (!needs_quotes) {
        buffer_put(text, field.data, field.size);
        return;
    }
    buffer_put_u8(text, '"');
    for (size_t i = 0; i < field.size; i++) {
        if (field.data[i] == '"' || field.data[i] == '\\') buffer_put_u8(text, '\\');
        buffer_put_u8(text, field.data[i]);
    }
    buffer_put_u8(text, '"');
}

// "2014-09-18 05:01:30.000+0000"
static void put_csv_timestamp(struct slice value, struct buffer *text)
{
    calendar_put_timestamp((int64_t)bytes_get_u64(value.data), ' ', text);
    if (text->size > 0 && text->data[text->size - 1] == 'Z') buffer_truncate(text, text->size - 1);
    buffer_put_format(text, "+0000");
}

static void put_csv_value(const struct type *type, struct slice value, struct slice null_text,
                          struct buffer *text)
{
    if (value.data == NULL) {
        buffer_put(text, null_text.data, null_text.size);
        return;
    }
    struct buffer plain;
    buffer_init(&plain, GIB);
    if (type->kind == TYPE_TEXT || type->kind == TYPE_ASCII)
        buffer_put(&plain, value.data, value.size);
    else if (value.size == 0 && type->kind != TYPE_BLOB)
        ;
    else if (type->kind == TYPE_BOOLEAN && value.size == 1)
        buffer_put_format(&plain, "%s", value.data[0] ? "True" : "False");
    else if (type->kind == TYPE_TIMESTAMP && value.size == 8)
        put_csv_timestamp(value, &plain);
    else
        value_put_cast(type, value, &plain);
    put_csv_field(buffer_slice(&plain), null_text, text);
    buffer_deinit(&plain);
}

static void put_csv(struct row_text *rows, const struct row_text_row *row, struct buffer *text)
{
    for (size_t i = 0; i < rows->column_count; i++) {
        if (i > 0) buffer_put_u8(text, ',');
        put_csv_value(rows->columns[i]->type, value_of(rows, row, rows->columns[i]),
                      rows->null_text, text);
    }
    buffer_put_format(text, "\r\n");
}

// ---- Both ---------------------------------------------------------------------------------------

void row_text_put_header(const struct row_text *rows, struct buffer *text)
{
    if (rows->format != ROW_CSV) return;
    for (size_t i = 0; i < rows->column_count; i++) {
        if (i > 0) buffer_put_u8(text, ',');
        put_csv_field(rows->columns[i]->name, slice_null(), text);
    }
    buffer_put_format(text, "\r\n");
}

void row_text_put(struct row_text *rows, const struct row_text_row *row, struct buffer *text)
{
    arena_reset(&rows->arena);
    if (rows->format == ROW_CSV)
        put_csv(rows, row, text);
    else
        put_json(rows, row, text);
}
