#include "tests/storage/support/row_json.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "storage/counter_context.h"
#include "storage/merge/live_rows.h"
#include "storage/partition_key.h"
#include "storage/value.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>

// ---- Many cells as one value --------------------------------------------------------------------

static void put_element(struct buffer *value, struct slice element)
{
    buffer_put_u32(value, (uint32_t)element.size);
    buffer_put(value, element.data, element.size);
}

// A list has its elements in its values, a set in its paths, a map in both.
static void put_collection(struct buffer *value, const struct type *type, const struct cell *cells,
                           uint32_t count)
{
    buffer_put_u32(value, count);
    for (uint32_t i = 0; i < count; i++) {
        if (type->kind != TYPE_LIST) put_element(value, cells[i].path);
        if (type->kind != TYPE_SET) put_element(value, cells[i].value);
    }
}

// Each field that is there by its index; the others are null.
static void put_fields(struct buffer *value, const struct type *type, const struct cell *cells,
                       uint32_t count)
{
    uint32_t cell = 0;
    for (uint16_t field = 0; field < type->parameter_count; field++) {
        if (cell < count && bytes_get_u16(cells[cell].path.data) == field) {
            put_element(value, cells[cell++].value);
        } else {
            buffer_put_u32(value, UINT32_MAX);
        }
    }
}

static void put_cells(struct buffer *line, const struct column *column, const struct cell *cells,
                      uint32_t count)
{
    if (count == 0) {
        buffer_put_format(line, "null");
    } else if (column->type->kind == TYPE_COUNTER) {
        buffer_put_format(line, "%" PRId64, counter_context_total(cells->value));
    } else if (type_is_multi_cell(column->type)) {
        struct buffer value;
        buffer_init(&value, GIB);
        if (column->type->kind == TYPE_UDT) {
            put_fields(&value, column->type, cells, count);
        } else {
            put_collection(&value, column->type, cells, count);
        }
        value_put_json(column->type, buffer_slice(&value), line);
        buffer_deinit(&value);
    } else {
        value_put_json(column->type, cells->value, line);
    }
}

// ---- Rows ---------------------------------------------------------------------------------------

// A name that would need quotes in CQL has them here too.
static void put_name(struct buffer *line, struct slice name, bool is_first)
{
    bool is_plain = true;
    for (size_t i = 0; i < name.size; i++)
        is_plain &= !(name.data[i] >= 'A' && name.data[i] <= 'Z');
    buffer_put_format(line,
                      is_plain ? "%s\"%.*s\": " : "%s\"\\\"%.*s\\\"\": ", is_first ? "{" : ", ",
                      (int)name.size, (const char *)name.data);
}

static int compare_names(const void *left, const void *right)
{
    const struct column *a = *(struct column *const *)left, *b = *(struct column *const *)right;
    return slice_compare(a->name, b->name);
}

static void put_columns(struct buffer *line, const struct table *table, enum column_kind kind,
                        const struct live_row *row)
{
    uint16_t count = table->column_counts[kind];
    const struct column **columns = malloc((count + 1u) * sizeof *columns);
    for (uint16_t i = 0; i < count; i++)
        columns[i] = &table->columns[kind][i];
    qsort(columns, count, sizeof *columns, compare_names);
    for (uint16_t i = 0; i < count; i++) {
        const struct cell *cells = NULL;
        uint32_t cell_count = row == NULL ? 0 : live_row_cells(row, columns[i]->index, &cells);
        put_name(line, columns[i]->name, false);
        put_cells(line, columns[i], cells, cell_count);
    }
    free(columns);
}

static void put_keys(struct buffer *line, const struct table *table, enum column_kind kind,
                     const struct slice *values, uint16_t count)
{
    for (uint16_t i = 0; i < table->column_counts[kind]; i++) {
        const struct column *column = &table->columns[kind][i];
        put_name(line, column->name, kind == COLUMN_PARTITION_KEY && i == 0);
        value_put_json(column->type, i < count ? values[i] : slice_null(), line);
    }
}

static void put_row(struct buffer *lines, const struct table *table, const struct slice *key,
                    const struct live_row *static_row, const struct live_row *row)
{
    put_keys(lines, table, COLUMN_PARTITION_KEY, key, table->column_counts[COLUMN_PARTITION_KEY]);
    if (row == NULL) {
        put_keys(lines, table, COLUMN_CLUSTERING, NULL, 0);
    } else {
        put_keys(lines, table, COLUMN_CLUSTERING, row->clustering.values, row->clustering.count);
    }
    put_columns(lines, table, COLUMN_STATIC, static_row);
    put_columns(lines, table, COLUMN_REGULAR, row);
    buffer_put_format(lines, "}\n");
}

// A partition with nothing alive but its static row is one row.
static void put_partition(struct buffer *lines, struct partition_iterator *partition, int32_t now,
                          struct arena *arena)
{
    const struct table *table = partition->table;
    uint16_t key_count = table->column_counts[COLUMN_PARTITION_KEY];
    struct slice *key = arena_alloc(arena, key_count * sizeof *key);
    ck_assert_int_eq(partition_key_split(partition->key.bytes, key_count, key), STATUS_OK);
    struct live_rows rows;
    live_rows_init(&rows, partition, now, arena);
    const struct live_row *row, *static_row = rows.has_static_row ? &rows.static_row : NULL;
    bool has_rows = false;
    enum status status;
    while ((status = live_rows_next(&rows, &row)) == STATUS_OK) {
        put_row(lines, table, key, static_row, row);
        has_rows = true;
    }
    ck_assert_msg(status == STATUS_END, "%s", status_text(status));
    if (!has_rows && static_row != NULL) put_row(lines, table, key, static_row, NULL);
    live_rows_deinit(&rows);
}

void row_json_put_scan(struct buffer *lines, struct scan_iterator *scan, int32_t now)
{
    struct arena arena;
    arena_init(&arena, 64 * KIB);
    struct partition_iterator *partition;
    enum status status;
    while ((status = scan_iterator_next(scan, &partition)) == STATUS_OK) {
        arena_reset(&arena);
        put_partition(lines, partition, now, &arena);
    }
    ck_assert_msg(status == STATUS_END, "%s", status_text(status));
    scan_iterator_close(scan);
    arena_deinit(&arena);
}
