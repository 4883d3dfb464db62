#include "cql/execution/row_view.h"

#include "base/bytes.h"
#include "cql/statement/term.h"
#include "storage/counter_context.h"

uint32_t row_view_cells(const struct row_view *view, const struct column *column,
                        const struct cell **cells)
{
    const struct live_row *row = column->kind == COLUMN_STATIC ? view->static_row : view->row;
    if (row == NULL) return 0;
    return live_row_cells(row, column->index, cells);
}

// A multi-cell collection as one value: the count, then each element with its length.
static struct slice row_view_collection(const struct type *type, const struct cell *cells,
                                        uint32_t count, struct arena *arena)
{
    bool with_path = type->kind != TYPE_LIST, with_value = type->kind != TYPE_SET;
    size_t size = 4;
    for (uint32_t i = 0; i < count; i++) {
        if (with_path) size += 4 + cells[i].path.size;
        if (with_value) size += 4 + cells[i].value.size;
    }
    uint8_t *bytes = arena_alloc(arena, size);
    bytes_put_u32(bytes, count);
    uint8_t *at = bytes + 4;
    for (uint32_t i = 0; i < count; i++) {
        struct slice parts[2] = {cells[i].path, cells[i].value};
        for (size_t part = with_path ? 0 : 1; part < (with_value ? 2u : 1u); part++) {
            bytes_put_u32(at, (uint32_t)parts[part].size);
            if (parts[part].size > 0) memcpy(at + 4, parts[part].data, parts[part].size);
            at += 4 + parts[part].size;
        }
    }
    return slice_make(bytes, size);
}

// A multi-cell user type as one value: all of its fields.
static struct slice row_view_fields(const struct type *type, const struct cell *cells,
                                    uint32_t count, struct arena *arena)
{
    struct slice *fields = ARENA_NEW_ARRAY(arena, struct slice, type->parameter_count);
    for (uint32_t i = 0; i < count; i++) {
        uint16_t field = cells[i].path.size == 2 ? bytes_get_u16(cells[i].path.data) : UINT16_MAX;
        // Empty is a value too.
        if (field < type->parameter_count)
            fields[field] = slice_is_null(cells[i].value) ? slice_make("", 0) : cells[i].value;
    }
    return term_encode_tuple(arena, fields, type->parameter_count);
}

struct slice row_view_value(const struct row_view *view, const struct column *column,
                            struct arena *arena)
{
    if (column->kind == COLUMN_PARTITION_KEY) return view->key[column->index];
    if (column->kind == COLUMN_CLUSTERING) {
        if (view->row == NULL || column->index >= view->row->clustering.count) return slice_null();
        return view->row->clustering.values[column->index];
    }
    const struct cell *cells;
    uint32_t count = row_view_cells(view, column, &cells);
    if (count == 0) return slice_null();
    if (column->type->kind == TYPE_COUNTER) {
        uint8_t *bytes = arena_alloc(arena, 8);
        bytes_put_u64(bytes, (uint64_t)counter_context_total(cells->value));
        return slice_make(bytes, 8);
    }
    if (column->type->kind == TYPE_UDT && !column->type->frozen)
        return row_view_fields(column->type, cells, count, arena);
    if (type_is_multi_cell(column->type))
        return row_view_collection(column->type, cells, count, arena);
    return slice_is_null(cells->value) ? slice_make("", 0) : cells->value;
}
