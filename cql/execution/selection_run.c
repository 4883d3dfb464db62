// The executing half of selection.h: values of rows and groups.
#include "base/bytes.h"
#include "base/limits.h"
#include "cql/statement/selection.h"
#include "storage/value.h"

// Where values come from: a row, or a group whose rows have all been added.
struct source {
    const struct selection_context *context;
    const struct row_view *view;
    const struct selection_group *group;
};

static struct slice selection_put64(struct arena *arena, int64_t value)
{
    uint8_t *bytes = arena_alloc(arena, 8);
    bytes_put_u64(bytes, (uint64_t)value);
    return slice_make(bytes, 8);
}

// Seconds that a cell still lives; null without a TTL.
static struct slice selection_put_ttl(const struct cell *cell, int32_t now, struct arena *arena)
{
    if (!cell_is_expiring(cell)) return slice_null();
    uint8_t *bytes = arena_alloc(arena, 4);
    bytes_put_u32(bytes, (uint32_t)(cell->local_time - now));
    return slice_make(bytes, 4);
}

static bool selection_value(const struct selector *selector, const struct source *source,
                            struct slice *value);

// One cell's time; null when there is none.
static struct slice selection_cell_time(const struct selector *selector, const struct cell *cell,
                                        const struct row_view *view, struct arena *arena)
{
    if (selector->kind == SELECTOR_TTL) return selection_put_ttl(cell, view->now_s, arena);
    return selection_put64(arena, cell->timestamp);
}

// Of a user type each field's, of a collection each element's.
static struct slice selection_cell_times(const struct selector *selector,
                                         const struct row_view *view, const struct cell *cells,
                                         uint32_t count, struct arena *arena)
{
    bool is_udt = selector->column->type->kind == TYPE_UDT;
    uint32_t places = is_udt ? selector->column->type->parameter_count : count;
    struct slice *times = ARENA_NEW_ARRAY(arena, struct slice, places);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = i;
        if (is_udt) place = cells[i].path.size == 2 ? bytes_get_u16(cells[i].path.data) : places;
        if (place < places) times[place] = selection_cell_time(selector, &cells[i], view, arena);
    }
    size_t width = selector->kind == SELECTOR_TTL ? 4 : 8;
    uint8_t *bytes = arena_alloc(arena, 4 + places * (4 + width));
    bytes_put_u32(bytes, places);
    uint8_t *at = bytes + 4;
    for (uint32_t i = 0; i < places; i++) {
        bytes_put_u32(at, slice_is_null(times[i]) ? UINT32_MAX : (uint32_t)times[i].size);
        if (times[i].size > 0) memcpy(at + 4, times[i].data, times[i].size);
        at += 4 + times[i].size;
    }
    return slice_make(bytes, (size_t)(at - bytes));
}

// The key of an element or an end of a slice; null: open, as one that is not set.
static bool selection_part(const struct selector *selector, size_t at, const struct source *source,
                           struct slice *value)
{
    const struct selector *item = selector->items[at];
    *value = slice_null();
    if (item == NULL) return true;
    if (item->kind != SELECTOR_TERM) return selection_value(item, source, value);
    struct bound_value bound;
    struct binding of_row = *source->context->binding;
    of_row.arena = source->context->row_arena;
    if (!term_bind(item->term, &of_row, &bound)) return false;
    if (!bound.unset) *value = bound.bytes;
    return true;
}

// Leaves of a multi-cell column's cells those that `access` is about.
static bool selection_narrow_cells(const struct selector *access, const struct source *source,
                                   const struct cell **cells, uint32_t *count)
{
    struct slice parts[3] = {{0}};
    for (size_t i = 1; i < access->item_count; i++)
        if (!selection_part(access, i, source, &parts[i])) return false;
    bool is_slice = access->kind == SELECTOR_SLICE;
    const struct type *type = access->items[0]->type;
    uint32_t first = 0, kept = 0;
    for (uint32_t i = 0; i < *count; i++) {
        struct slice path = (*cells)[i].path;
        bool is_in;
        if (access->kind == SELECTOR_FIELD)
            is_in = path.size == 2 && bytes_get_u16(path.data) == access->field;
        else if (is_slice)
            is_in =
                (slice_is_null(parts[1]) ||
                 type_compare(type->parameters[0], path, parts[1]) >= 0) &&
                (slice_is_null(parts[2]) || type_compare(type->parameters[0], path, parts[2]) <= 0);
        else
            is_in =
                !slice_is_null(parts[1]) && type_compare(type->parameters[0], path, parts[1]) == 0;
        if (is_in && kept++ == 0) first = i; // They stand in order: what is in is together.
    }
    *cells += first;
    *count = kept;
    return true;
}

// WRITETIME, MAXWRITETIME and TTL of a column, or of a part of it.
static bool selection_cell_info(const struct selector *selector, const struct source *source,
                                struct slice *value)
{
    struct arena *arena = source->context->row_arena;
    const struct selector *access = selector->access;
    bool is_multi_cell = type_is_multi_cell(selector->column->type);
    const struct cell *cells;
    uint32_t count = row_view_cells(source->view, selector->column, &cells);
    *value = slice_null();
    if (count > 0 && access != NULL && is_multi_cell &&
        !selection_narrow_cells(access, source, &cells, &count))
        return false;
    if (count > 0 && access != NULL && !is_multi_cell && access->kind == SELECTOR_ELEMENT) {
        // An element that is not there has no time, though it would be in the one cell.
        struct slice element;
        if (!selection_value(access, source, &element)) return false;
        if (slice_is_null(element)) return true;
    }
    if (count == 0) return true;
    if (selector->kind == SELECTOR_MAXWRITETIME) {
        int64_t latest = cells[0].timestamp;
        for (uint32_t i = 1; i < count; i++)
            if (cells[i].timestamp > latest) latest = cells[i].timestamp;
        *value = selection_put64(arena, latest);
    } else if (is_multi_cell && (access == NULL || access->kind == SELECTOR_SLICE)) {
        *value = selection_cell_times(selector, source->view, cells, count, arena);
    } else {
        *value = selection_cell_time(selector, cells, source->view, arena);
    }
    return true;
}

static bool selection_call(const struct selector *selector, const struct source *source,
                           struct slice *value)
{
    struct slice arguments[16];
    for (size_t i = 0; i < selector->item_count; i++)
        if (!selection_value(selector->items[i], source, &arguments[i])) return false;
    const struct binding *binding = source->context->binding;
    struct function_call call = {binding->processor, selector->function, source->context->row_arena,
                                 binding->error};
    return selector->function->call(&call, arguments, value);
}

// m[key], s[key], m[from..to], s[from..to].
static bool selection_element(const struct selector *selector, const struct source *source,
                              struct slice *value)
{
    struct arena *arena = source->context->row_arena;
    struct slice parts[3] = {{0}};
    if (!selection_value(selector->items[0], source, &parts[0])) return false;
    for (size_t i = 1; i < selector->item_count; i++)
        if (!selection_part(selector, i, source, &parts[i])) return false;
    *value = slice_null();
    const struct type *type = selector->items[0]->type;
    bool is_map = type->kind == TYPE_MAP;
    size_t count;
    const struct slice *items = term_decode_collection(arena, parts[0], is_map, &count);
    if (items == NULL) return true;
    size_t stride = is_map ? 2 : 1, kept = 0;
    struct slice *found = ARENA_NEW_ARRAY(arena, struct slice, count + 1);
    for (size_t i = 0; i < count; i += stride) {
        const struct type *key = type->parameters[0];
        if (selector->kind == SELECTOR_ELEMENT) {
            if (slice_is_null(parts[1]) || type_compare(key, items[i], parts[1]) != 0) continue;
            *value = items[i + stride - 1];
            return true;
        }
        if (!slice_is_null(parts[1]) && type_compare(key, items[i], parts[1]) < 0) continue;
        if (!slice_is_null(parts[2]) && type_compare(key, items[i], parts[2]) > 0) continue;
        for (size_t k = 0; k < stride; k++)
            found[kept++] = items[i + k];
    }
    bool is_empty = kept == 0 && !type->frozen;
    if (selector->kind == SELECTOR_SLICE && !is_empty)
        *value = term_encode_collection(arena, found, kept, is_map);
    return true;
}

// A list, set, map, tuple, vector or user type of what its items are.
static bool selection_literal(const struct selector *selector, const struct source *source,
                              struct slice *value)
{
    struct arena *arena = source->context->row_arena;
    const struct type *type = selector->type;
    struct slice *items = ARENA_NEW_ARRAY(arena, struct slice, selector->item_count + 1);
    for (size_t i = 0; i < selector->item_count; i++)
        if (!selection_value(selector->items[i], source, &items[i])) return false;
    if (type->kind == TYPE_TUPLE || type->kind == TYPE_UDT)
        *value = term_encode_tuple(arena, items, selector->item_count);
    else if (type->kind == TYPE_VECTOR)
        *value = term_encode_vector(arena, type, items, selector->item_count);
    else
        *value = term_encode_collection(arena, items, selector->item_count, type->kind == TYPE_MAP);
    *value = term_sort_collection(arena, type, *value);
    return true;
}

static bool selection_value(const struct selector *selector, const struct source *source,
                            struct slice *value)
{
    struct arena *arena = source->context->row_arena;
    const struct binding *binding = source->context->binding;
    bool is_of_row = selector->kind == SELECTOR_COLUMN || selector->kind == SELECTOR_TTL ||
                     selector->kind == SELECTOR_WRITETIME ||
                     selector->kind == SELECTOR_MAXWRITETIME;
    if (is_of_row && source->group != NULL) {
        *value = source->group->slots[selector->slot];
        return true;
    }
    switch (selector->kind) {
    case SELECTOR_COLUMN:
        *value = row_view_value(source->view, selector->column, arena);
        return true;
    case SELECTOR_TTL:
    case SELECTOR_WRITETIME:
    case SELECTOR_MAXWRITETIME:
        return selection_cell_info(selector, source, value);
    case SELECTOR_TERM: {
        struct bound_value bound;
        struct binding of_row = *binding;
        of_row.arena = arena;
        if (!term_bind(selector->term, &of_row, &bound)) return false;
        if (bound.unset)
            return cql_error_set(binding->error, CQL_ERROR_INVALID,
                                 "Invalid unset value for argument in call to function");
        *value = bound.bytes;
        return true;
    }
    case SELECTOR_CALL:
        return selection_call(selector, source, value);
    case SELECTOR_AGGREGATE: {
        struct function_call call = {binding->processor, selector->function, arena, binding->error};
        return selector->function->finish(&call, &source->group->states[selector->slot], value);
    }
    case SELECTOR_LITERAL:
        return selection_literal(selector, source, value);
    case SELECTOR_ELEMENT:
    case SELECTOR_SLICE:
        return selection_element(selector, source, value);
    case SELECTOR_FIELD: {
        const struct selector *of = selector->items[0];
        if (!selection_value(of, source, value)) return false;
        if (!slice_is_null(*value))
            *value = term_decode_tuple(arena, *value, of->type->parameter_count)[selector->field];
        return true;
    }
    }
    return false;
}

static bool selection_check_part(const struct selector *selector, const struct binding *binding)
{
    bool is_slice = selector->kind == SELECTOR_SLICE;
    bool is_part = is_slice || selector->kind == SELECTOR_ELEMENT;
    if (selector->access != NULL && !selection_check_part(selector->access, binding)) return false;
    for (size_t i = 0; i < selector->item_count; i++) {
        const struct selector *item = selector->items[i];
        struct bound_value value;
        if (item == NULL) continue;
        if (!selection_check_part(item, binding)) return false;
        if (!is_part || i == 0 || item->term == NULL) continue;
        if (!term_bind(item->term, binding, &value)) return false;
        if (value.unset && !is_slice)
            return cql_error_set(binding->error, CQL_ERROR_INVALID,
                                 "Invalid unset value for element selection on %s", selector->text);
        if (!value.unset && slice_is_null(value.bytes))
            return cql_error_set(binding->error, CQL_ERROR_INVALID,
                                 "Invalid null value for %s selection on %s",
                                 is_slice ? "slice" : "element", selector->text);
    }
    return true;
}

bool selection_check_parts(const struct selection *selection, const struct binding *binding)
{
    for (uint16_t i = 0; i < selection->count; i++)
        if (!selection_check_part(selection->selectors[i], binding)) return false;
    return true;
}

bool selection_evaluate(const struct selector *selector, const struct selection_context *context,
                        const struct row_view *view, struct slice *value)
{
    struct source source = {context, view, NULL};
    return selection_value(selector, &source, value);
}

static void selection_put_value(struct slice value, struct buffer *rows)
{
    uint8_t *at = buffer_reserve(rows, 4 + value.size);
    if (at == NULL) return;
    bytes_put_u32(at, slice_is_null(value) ? UINT32_MAX : (uint32_t)value.size);
    if (value.size > 0) memcpy(at + 4, value.data, value.size);
}

// SELECT JSON: the value of one column, behind its name.
static void selection_put_json(const struct selection *selection, uint16_t at, struct slice value,
                               struct buffer *text)
{
    struct slice name = selection->json_names[at];
    buffer_put(text, at == 0 ? "{" : ", ", at == 0 ? 1 : 2);
    buffer_put(text, name.data, name.size);
    buffer_put(text, ": ", 2);
    const struct type *type = selection->selectors[at]->type;
    if (value.size == 0 && !slice_is_null(value) && type->kind != TYPE_BLOB)
        buffer_put(text, "\"\"", 2);
    else
        value_put_json(type, value, text);
}

static bool selection_put_object(const struct selection *selection, const struct source *source,
                                 struct buffer *rows)
{
    struct buffer text;
    buffer_init(&text, CQL_RESPONSE_SIZE_MAX);
    bool is_ok = true;
    for (uint16_t i = 0; i < selection->count && is_ok; i++) {
        struct slice value;
        is_ok = selection_value(selection->selectors[i], source, &value);
        if (is_ok) selection_put_json(selection, i, value, &text);
    }
    buffer_put_u8(&text, '}');
    if (is_ok) selection_put_value(buffer_slice(&text), rows);
    if (text.overflow) rows->overflow = true;
    buffer_deinit(&text);
    return is_ok;
}

static bool selection_put_values(const struct selection *selection, const struct source *source,
                                 struct buffer *rows)
{
    if (selection->json_names != NULL) return selection_put_object(selection, source, rows);
    for (uint16_t i = 0; i < selection->count; i++) {
        struct slice value;
        if (!selection_value(selection->selectors[i], source, &value)) return false;
        selection_put_value(value, rows);
    }
    return true;
}

bool selection_put_row(const struct selection *selection, const struct selection_context *context,
                       const struct row_view *view, struct buffer *rows)
{
    if (selection->is_simple) {
        for (uint16_t i = 0; i < selection->count; i++)
            selection_put_value(
                row_view_value(view, selection->selectors[i]->column, context->row_arena), rows);
        return true;
    }
    struct source source = {context, view, NULL};
    return selection_put_values(selection, &source, rows);
}

void selection_init_group(const struct selection *selection, struct arena *arena,
                          struct selection_group *group)
{
    group->states =
        ARENA_NEW_ARRAY(arena, struct aggregate_state, (size_t)selection->aggregate_count + 1);
    group->slots = ARENA_NEW_ARRAY(arena, struct slice, (size_t)selection->slot_count + 1);
    group->has_rows = false;
}

bool selection_add_row(const struct selection *selection, const struct selection_context *context,
                       const struct row_view *view, struct selection_group *group)
{
    struct source source = {context, view, NULL};
    for (uint16_t i = 0; i < selection->slot_count && !group->has_rows; i++) {
        struct slice value;
        if (!selection_value(selection->slots[i], &source, &value)) return false;
        group->slots[i] = arena_copy(context->group_arena, value);
    }
    group->has_rows = true;
    for (uint16_t i = 0; i < selection->aggregate_count; i++) {
        const struct selector *aggregate = selection->aggregates[i];
        struct slice argument = slice_null();
        if (aggregate->item_count > 0 && !selection_value(aggregate->items[0], &source, &argument))
            return false;
        struct function_call call = {context->binding->processor, aggregate->function,
                                     context->group_arena, context->binding->error};
        if (!aggregate->function->add(&call, argument, &group->states[i])) return false;
    }
    return true;
}

bool selection_put_group(const struct selection *selection, const struct selection_context *context,
                         const struct selection_group *group, struct buffer *rows)
{
    struct source source = {context, NULL, group};
    return selection_put_values(selection, &source, rows);
}
