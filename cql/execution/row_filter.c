// Whether a row passes what WHERE leaves to filter (org.apache.cassandra.db.filter.RowFilter).
#include "cql/statement/restrictions.h"
#include "cql/statement/text_analyzer.h"

static int row_filter_compare(const struct restriction *restriction, const struct slice *values,
                              const struct slice *wanted, uint16_t count)
{
    for (uint16_t i = 0; i < count; i++) {
        // A counter's value is a number, though its cell is not.
        const struct type *type = restriction->columns[i]->type;
        if (type->kind == TYPE_COUNTER) type = type_of_kind(TYPE_BIGINT);
        int order = type_compare(type, values[i], wanted[i]);
        if (order != 0) return order;
    }
    return 0;
}

static bool row_filter_side_passes(const struct restriction *restriction,
                                   const struct restriction_bound *side, const struct slice *wanted,
                                   const struct slice *values, int sign)
{
    if (wanted == NULL) return true;
    int order = row_filter_compare(restriction, values, wanted, side->column_count) * sign;
    return order > 0 || (order == 0 && side->inclusive);
}

// Key and value of one element of a collection; of a list and a set only one of them.
static bool row_filter_entry_matches(const struct type *type, struct slice key, struct slice value,
                                     const struct slice wanted[2])
{
    bool is_map = type->kind == TYPE_MAP;
    const struct type *value_type = type->parameters[is_map ? 1 : 0];
    if (!slice_is_null(wanted[0]) && type_compare(type->parameters[0], key, wanted[0]) != 0)
        return false;
    return slice_is_null(wanted[1]) || type_compare(value_type, value, wanted[1]) == 0;
}

static bool row_filter_contains(const struct column *column, const struct row_view *view,
                                const struct slice wanted[2], struct arena *arena)
{
    const struct type *type = column->type;
    struct slice value = row_view_value(view, column, arena);
    if (slice_is_null(value)) return false;
    bool is_map = type->kind == TYPE_MAP;
    size_t count;
    const struct slice *items = term_decode_collection(arena, value, is_map, &count);
    if (items == NULL) return false;
    for (size_t i = 0; i < count; i += is_map ? 2 : 1) {
        struct slice element = is_map ? items[i + 1] : items[i];
        if (row_filter_entry_matches(type, items[i], element, wanted)) return true;
    }
    return false;
}

static bool row_filter_entries_pass(const struct row_filter *filter, const struct row_view *view,
                                    struct arena *arena)
{
    const struct restriction *restriction = filter->restriction;
    for (size_t i = 0; i < restriction->entry_count; i++)
        if (!row_filter_contains(restriction->columns[0], view, &filter->entries[i * 2], arena))
            return false;
    return true;
}

// A storage-attached index of text may know no case, or no accents: what it takes for equal.
static bool row_filter_is_analyzed(const struct row_filter *filter, struct slice value,
                                   struct arena *arena)
{
    const struct options *options = &filter->restriction->analyzer->options;
    struct slice wanted = text_analyzer_apply(options, filter->values[0], arena);
    return slice_equals(text_analyzer_apply(options, value, arena), wanted);
}

bool row_filter_passes(const struct row_filter *filter, const struct row_view *view,
                       struct arena *arena)
{
    const struct restriction *restriction = filter->restriction;
    if (restriction->kind == RESTRICTION_CONTAINS)
        return row_filter_entries_pass(filter, view, arena);
    uint16_t width = restriction->column_count;
    struct slice one;
    struct slice *values = width == 1 ? &one : ARENA_NEW_ARRAY(arena, struct slice, width);
    for (uint16_t i = 0; i < width; i++) {
        values[i] = row_view_value(view, restriction->columns[i], arena);
        if (slice_is_null(values[i])) return false;
    }
    if (restriction->kind == RESTRICTION_SLICE)
        return row_filter_side_passes(restriction, &restriction->start, filter->start, values, 1) &&
               row_filter_side_passes(restriction, &restriction->end, filter->end, values, -1);
    if (restriction->analyzer != NULL) return row_filter_is_analyzed(filter, values[0], arena);
    for (size_t i = 0; i < filter->alternative_count; i++)
        if (row_filter_compare(restriction, values, filter->values + i * width, width) == 0)
            return true;
    return false;
}
