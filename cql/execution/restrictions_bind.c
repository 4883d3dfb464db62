// The executing half of restrictions.h: values bound, keys and ranges of rows made.
#include "cql/statement/restrictions.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "storage/partition_key.h"

#include <stdlib.h>

static bool restrictions_invalid(const struct binding *binding, const char *format,
                                 const struct column *column)
{
    struct slice name = column->name;
    switch (format[0]) {
    case 'c':
        return cql_error_set(binding->error, CQL_ERROR_INVALID,
                             "Invalid null value in condition for column %.*s", SLICE_TEXT(name));
    case 'u':
        return cql_error_set(binding->error, CQL_ERROR_INVALID,
                             "Invalid unset value for column %.*s", SLICE_TEXT(name));
    case 'f':
        return cql_error_set(binding->error, CQL_ERROR_INVALID,
                             "Unsupported null value for column %.*s", SLICE_TEXT(name));
    case 'g':
        return cql_error_set(binding->error, CQL_ERROR_INVALID,
                             "Unsupported unset value for column %.*s", SLICE_TEXT(name));
    default:
        return cql_error_set(binding->error, CQL_ERROR_INVALID,
                             "Invalid null value for column %.*s", SLICE_TEXT(name));
    }
}

// `for_filter` picks the words.
static bool restrictions_bind_one(const struct term *term, const struct column *column,
                                  const struct binding *binding, bool for_filter,
                                  struct slice *value)
{
    struct bound_value bound;
    if (!term_bind(term, binding, &bound)) return false;
    if (bound.unset) return restrictions_invalid(binding, for_filter ? "g" : "u", column);
    if (slice_is_null(bound.bytes))
        return restrictions_invalid(binding, for_filter ? "f" : "c", column);
    *value = bound.bytes;
    return true;
}

// An end of a range of rows: null is a place before all values.
static bool restrictions_bind_nullable(const struct term *term, const struct column *column,
                                       const struct binding *binding, struct slice *value)
{
    struct bound_value bound;
    if (!term_bind(term, binding, &bound)) return false;
    if (bound.unset) return restrictions_invalid(binding, "u", column);
    *value = bound.bytes;
    return true;
}

bool restrictions_bind_key_value(const struct term *term, const struct column *column,
                                 const struct binding *binding, struct slice *value)
{
    return restrictions_bind_one(term, column, binding, false, value);
}

// A null in a tuple of values.
static bool restrictions_refuse_null(const struct binding *binding,
                                     const struct restriction *restriction,
                                     const struct column *column)
{
    if (restriction->kind == RESTRICTION_EQ) return restrictions_invalid(binding, "n", column);
    if (restriction->kind != RESTRICTION_IN) return restrictions_invalid(binding, "c", column);
    const char *names = "";
    for (uint16_t i = 0; i < restriction->column_count; i++)
        names = arena_format(binding->arena, "%s%s%.*s", names, i == 0 ? "" : ", ",
                             SLICE_TEXT(restriction->columns[i]->name));
    return cql_error_set(binding->error, CQL_ERROR_INVALID,
                         "Invalid null value in condition for columns: [%s]", names);
}

// The value of EQ or of one alternative of IN: `restriction->column_count` slices.
static bool restrictions_bind_value(const struct restriction *restriction, const struct term *term,
                                    const struct binding *binding, bool for_filter,
                                    struct slice *values)
{
    if (!restriction->is_multi)
        return restrictions_bind_one(term, restriction->columns[0], binding, for_filter, values);
    size_t count = restriction->column_count;
    const struct slice *items = NULL;
    struct slice tuple;
    if (term->kind == TERM_TUPLE) {
        count = term->item_count;
    } else {
        if (!restrictions_bind_one(term, restriction->columns[0], binding, for_filter, &tuple))
            return false;
        items = term_decode_tuple(binding->arena, tuple, count);
    }
    for (size_t i = 0; i < count; i++) {
        struct bound_value bound = {items == NULL ? slice_null() : items[i], false};
        if (items == NULL && !term_bind(term->items[i], binding, &bound)) return false;
        if (bound.unset)
            return cql_error_set(binding->error, CQL_ERROR_INVALID,
                                 "Invalid unset value for tuple field number %zu", i);
        if (slice_is_null(bound.bytes))
            return restrictions_refuse_null(binding, restriction, restriction->columns[i]);
        values[i] = bound.bytes;
    }
    return true;
}

// All alternatives of EQ and IN, each of `column_count` values.
static bool restrictions_bind_alternatives(const struct restriction *restriction,
                                           const struct binding *binding, bool for_filter,
                                           struct slice **values, size_t *count)
{
    uint16_t width = restriction->column_count;
    if (restriction->kind == RESTRICTION_EQ) {
        *values = ARENA_NEW_ARRAY(binding->arena, struct slice, width);
        *count = 1;
        return restrictions_bind_value(restriction, restriction->value, binding, for_filter,
                                       *values);
    }
    if (restriction->value == NULL) {
        *values = ARENA_NEW_ARRAY(binding->arena, struct slice, restriction->in_count * width + 1);
        *count = 0;
        for (size_t i = 0; i < restriction->in_count; i++) {
            const struct term *term = restriction->in_values[i];
            struct slice *value = *values + *count * width;
            struct bound_value bound;
            if (!for_filter || restriction->is_multi) {
                if (!restrictions_bind_value(restriction, term, binding, for_filter, value))
                    return false;
                (*count)++;
                continue;
            }
            if (!term_bind(term, binding, &bound)) return false;
            if (bound.unset) continue;
            // Cassandra looks no further than the first null.
            if (slice_is_null(bound.bytes)) break;
            *value = bound.bytes;
            (*count)++;
        }
        return true;
    }
    struct bound_value list;
    if (!term_bind(restriction->value, binding, &list)) return false;
    if (list.unset) return restrictions_invalid(binding, "u", restriction->columns[0]);
    if (slice_is_null(list.bytes))
        return restrictions_invalid(binding, "n", restriction->columns[0]);
    const struct slice *items = term_decode_collection(binding->arena, list.bytes, false, count);
    if (items == NULL)
        return cql_error_set(binding->error, CQL_ERROR_INVALID, "Not enough bytes to read a list");
    *values = ARENA_NEW_ARRAY(binding->arena, struct slice, *count * width + 1);
    for (size_t i = 0; i < *count; i++) {
        const struct slice *parts = &items[i];
        if (restriction->is_multi) parts = term_decode_tuple(binding->arena, items[i], width);
        for (size_t k = 0; k < width; k++) {
            if (slice_is_null(parts[k]))
                return restrictions_invalid(binding, "c", restriction->columns[k]);
            (*values)[i * width + k] = parts[k];
        }
    }
    return true;
}

static int restrictions_compare_values(const void *a, const void *b, void *type)
{
    return type_compare(type, *(const struct slice *)a, *(const struct slice *)b);
}

// Sorted by the values' types, each once.
static size_t restrictions_sort_values(const struct restriction *restriction, struct slice *values,
                                       size_t count)
{
    const struct type *type = restriction->columns[0]->type;
    qsort_r(values, count, sizeof *values, restrictions_compare_values, (void *)(uintptr_t)type);
    size_t kept = count > 0 ? 1 : 0;
    for (size_t i = 1; i < count; i++)
        if (type_compare(type, values[kept - 1], values[i]) != 0) values[kept++] = values[i];
    return kept;
}

static bool restrictions_too_many(const struct binding *binding)
{
    return cql_error_set(binding->error, CQL_ERROR_INVALID,
                         "The IN relations of the statement name more than %u rows or partitions",
                         CQL_ALTERNATIVES_MAX);
}

bool restrictions_bind_key_values(const struct restrictions *restrictions,
                                  const struct binding *binding, struct key_values *values)
{
    uint16_t width = restrictions->table->column_counts[COLUMN_PARTITION_KEY];
    values->values = ARENA_NEW_ARRAY(binding->arena, struct slice *, width);
    values->counts = ARENA_NEW_ARRAY(binding->arena, size_t, width);
    values->total = 1;
    for (uint16_t i = 0; i < width; i++) {
        const struct restriction *restriction = restrictions->keys[i];
        struct slice **of_column = &values->values[i];
        size_t *count = &values->counts[i];
        if (!restrictions_bind_alternatives(restriction, binding, false, of_column, count))
            return false;
        if (*count > 1) *count = restrictions_sort_values(restriction, *of_column, *count);
        values->total *= *count;
        if (values->total > CQL_ALTERNATIVES_MAX) return restrictions_too_many(binding);
    }
    return true;
}

bool restrictions_make_keys(const struct restrictions *restrictions, const struct binding *binding,
                            const struct key_values *values, struct partition_key **keys,
                            size_t *count)
{
    uint16_t width = restrictions->table->column_counts[COLUMN_PARTITION_KEY];
    *count = values->total;
    *keys = ARENA_NEW_ARRAY(binding->arena, struct partition_key, *count + 1);
    struct slice *parts = ARENA_NEW_ARRAY(binding->arena, struct slice, width);
    for (size_t i = 0; i < *count; i++) {
        // Number i in a system whose digits are the alternatives: the last column turns fastest.
        size_t rest = i;
        for (uint16_t k = width; k-- > 0; rest /= values->counts[k])
            parts[k] = values->values[k][rest % values->counts[k]];
        struct error error;
        if (partition_key_build(parts, width, binding->arena, &(*keys)[i], &error) != STATUS_OK)
            return cql_error_set(binding->error, CQL_ERROR_INVALID, "%s", error.text);
    }
    return true;
}

bool restrictions_bind_keys(const struct restrictions *restrictions, const struct binding *binding,
                            struct partition_key **keys, size_t *count)
{
    struct key_values values;
    return restrictions_bind_key_values(restrictions, binding, &values) &&
           restrictions_make_keys(restrictions, binding, &values, keys, count);
}

// ---- Ranges of rows -----------------------------------------------------------------------------

struct prefixes {
    struct slice *values; // `count` × `capacity` slices, of each `width` are set.
    size_t count;
    uint16_t width, capacity;
};

static bool restrictions_extend_prefixes(const struct restriction *restriction,
                                         const struct binding *binding, struct prefixes *prefixes)
{
    struct slice *values;
    size_t alternatives;
    if (!restrictions_bind_alternatives(restriction, binding, false, &values, &alternatives))
        return false;
    uint16_t added = restriction->column_count;
    size_t total = prefixes->count * alternatives;
    if (total > CQL_ALTERNATIVES_MAX) return restrictions_too_many(binding);
    struct slice *extended =
        ARENA_NEW_ARRAY(binding->arena, struct slice, total * prefixes->capacity + 1);
    for (size_t i = 0; i < total; i++) {
        struct slice *at = extended + i * prefixes->capacity;
        memcpy(at, prefixes->values + i / alternatives * prefixes->capacity,
               prefixes->width * sizeof *at);
        memcpy(at + prefixes->width, values + i % alternatives * added, added * sizeof *at);
    }
    prefixes->values = extended;
    prefixes->count = total;
    prefixes->width = (uint16_t)(prefixes->width + added);
    return true;
}

// One end of a slice behind a prefix, as a place in clustering order.
static struct bound restrictions_make_bound(const struct prefixes *prefixes, size_t index,
                                            const struct restriction_bound *side,
                                            const struct slice *values, bool is_start,
                                            struct arena *arena)
{
    uint16_t added = side->value == NULL ? 0 : side->column_count;
    struct slice *prefix =
        ARENA_NEW_ARRAY(arena, struct slice, (size_t)prefixes->width + added + 1);
    memcpy(prefix, prefixes->values + index * prefixes->capacity, prefixes->width * sizeof *prefix);
    for (uint16_t i = 0; i < added; i++)
        prefix[prefixes->width + i] = values[i];
    bool inclusive = side->value == NULL || side->inclusive;
    enum bound_kind kind = is_start ? (inclusive ? BOUND_INCL_START : BOUND_EXCL_START)
                                    : (inclusive ? BOUND_INCL_END : BOUND_EXCL_END);
    return (struct bound){kind, {(uint16_t)(prefixes->width + added), prefix}};
}

static bool restrictions_bind_side(const struct restriction *restriction,
                                   const struct restriction_bound *side,
                                   const struct binding *binding, bool for_filter, bool may_be_null,
                                   struct slice **values)
{
    *values = NULL;
    if (side->value == NULL) return true;
    *values = ARENA_NEW_ARRAY(binding->arena, struct slice, restriction->column_count);
    // A slice that was merged from relations of one and of several columns has both kinds of terms.
    struct restriction as_written = *restriction;
    as_written.is_multi = side->is_multi;
    as_written.column_count = side->column_count;
    if (!for_filter && !as_written.is_multi && may_be_null)
        return restrictions_bind_nullable(side->value, restriction->columns[0], binding, *values);
    return restrictions_bind_value(&as_written, side->value, binding, for_filter, *values);
}

static int restrictions_compare_starts(const void *a, const void *b, void *table)
{
    const struct clustering_range *left = a, *right = b;
    return bound_compare(table, &left->start, &right->start);
}

size_t restrictions_sort_ranges(const struct table *table, struct clustering_range *ranges,
                                size_t count)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++)
        if (bound_compare(table, &ranges[i].start, &ranges[i].end) < 0) ranges[left++] = ranges[i];
    if (left < 2) return left;
    qsort_r(ranges, left, sizeof *ranges, restrictions_compare_starts, (void *)(uintptr_t)table);
    size_t kept = 1;
    for (size_t i = 1; i < left; i++)
        if (bound_compare(table, &ranges[kept - 1].start, &ranges[i].start) != 0)
            ranges[kept++] = ranges[i];
    return kept;
}

// A slice with its values, behind each of the prefixes.
struct bound_slice {
    const struct table *table;
    const struct prefixes *prefixes;
    const struct restriction *restriction;   // NULL: there is none, all rows of the prefixes.
    struct slice *start_values, *end_values; // NULL: open.
    struct arena *arena;
};

// Over columns of both directions a slice is no single range of rows.
static bool restrictions_is_mixed(const struct restriction *restriction)
{
    for (size_t i = 1; i < restriction->column_count; i++)
        if (restriction->columns[i]->reversed != restriction->columns[0]->reversed) return true;
    return false;
}

// One side of a slice as ranges that do not overlap: what is beyond (1, 2) has a > 1, or a = 1 and
// b > 2. In clustering order. Their number.
static size_t restrictions_cut_side(const struct bound_slice *slice, size_t index, bool is_start,
                                    struct clustering_range *pieces)
{
    const struct prefixes *prefixes = slice->prefixes;
    const struct restriction *restriction = slice->restriction;
    const struct restriction_bound *side = is_start ? &restriction->start : &restriction->end;
    const struct slice *values = is_start ? slice->start_values : slice->end_values;
    const struct bound whole =
        restrictions_make_bound(prefixes, index, side, values, true, slice->arena);
    uint16_t width = prefixes->width;
    if (values == NULL) {
        pieces[0] = (struct clustering_range){whole, whole};
        pieces[0].end.kind = BOUND_INCL_END;
        return 1;
    }
    for (uint16_t i = 0; i < side->column_count; i++) {
        bool takes_value = side->inclusive && i + 1 == side->column_count;
        bool is_first = is_start != restriction->columns[i]->reversed;
        struct bound all = {is_first ? BOUND_INCL_END : BOUND_INCL_START, whole.prefix};
        struct bound value = {is_first ? (takes_value ? BOUND_INCL_START : BOUND_EXCL_START)
                                       : (takes_value ? BOUND_INCL_END : BOUND_EXCL_END),
                              whole.prefix};
        all.prefix.count = (uint16_t)(width + i);
        value.prefix.count = (uint16_t)(width + i + 1);
        pieces[i] = is_first ? (struct clustering_range){value, all}
                             : (struct clustering_range){all, value};
    }
    return restrictions_sort_ranges(slice->table, pieces, side->column_count);
}

// What is in both. Each list is in order and without overlap, and so is what is made: it is not
// longer than the two together.
static size_t restrictions_intersect(const struct table *table, const struct clustering_range *a,
                                     size_t a_count, const struct clustering_range *b,
                                     size_t b_count, struct clustering_range *made)
{
    size_t count = 0;
    for (size_t i = 0, k = 0; i < a_count && k < b_count;) {
        bool a_ends_first = bound_compare(table, &a[i].end, &b[k].end) < 0;
        made[count].start =
            bound_compare(table, &a[i].start, &b[k].start) < 0 ? b[k].start : a[i].start;
        made[count].end = a_ends_first ? a[i].end : b[k].end;
        if (bound_compare(table, &made[count].start, &made[count].end) < 0) count++;
        if (a_ends_first)
            i++;
        else
            k++;
    }
    return count;
}

static size_t restrictions_cut_mixed(const struct bound_slice *slice,
                                     struct clustering_range **ranges)
{
    size_t sides = slice->restriction->column_count, count = 0;
    struct arena *arena = slice->arena;
    struct clustering_range *starts = ARENA_NEW_ARRAY(arena, struct clustering_range, sides);
    struct clustering_range *ends = ARENA_NEW_ARRAY(arena, struct clustering_range, sides);
    *ranges =
        ARENA_NEW_ARRAY(arena, struct clustering_range, slice->prefixes->count * 2 * sides + 1);
    for (size_t i = 0; i < slice->prefixes->count; i++) {
        size_t start_count = restrictions_cut_side(slice, i, true, starts);
        size_t end_count = restrictions_cut_side(slice, i, false, ends);
        count += restrictions_intersect(slice->table, starts, start_count, ends, end_count,
                                        *ranges + count);
    }
    return count;
}

static size_t restrictions_cut(const struct bound_slice *slice, struct clustering_range **ranges)
{
    const struct prefixes *prefixes = slice->prefixes;
    const struct restriction_bound open = {.inclusive = true}, *first = &open, *last = &open;
    const struct slice *first_values = NULL, *last_values = NULL;
    if (slice->restriction != NULL) {
        if (restrictions_is_mixed(slice->restriction)) return restrictions_cut_mixed(slice, ranges);
        // In a DESC column the greatest comes first.
        bool is_turned = slice->restriction->columns[0]->reversed;
        first = is_turned ? &slice->restriction->end : &slice->restriction->start;
        last = is_turned ? &slice->restriction->start : &slice->restriction->end;
        first_values = is_turned ? slice->end_values : slice->start_values;
        last_values = is_turned ? slice->start_values : slice->end_values;
    }
    *ranges = ARENA_NEW_ARRAY(slice->arena, struct clustering_range, prefixes->count + 1);
    for (size_t i = 0; i < prefixes->count; i++) {
        (*ranges)[i].start =
            restrictions_make_bound(prefixes, i, first, first_values, true, slice->arena);
        (*ranges)[i].end =
            restrictions_make_bound(prefixes, i, last, last_values, false, slice->arena);
    }
    return prefixes->count;
}

// In a DESC column the greatest, which comes first, is bound first.
static bool restrictions_bind_slice(struct bound_slice *slice, const struct binding *binding)
{
    const struct restriction *restriction = slice->restriction;
    if (restriction == NULL) return true;
    // Each side of each prefix is as many ranges as it has columns.
    if (restrictions_is_mixed(restriction) &&
        slice->prefixes->count * 2 * restriction->column_count > CQL_RANGES_MAX)
        return cql_error_set(binding->error, CQL_ERROR_INVALID,
                             "The slice behind the IN relations is more than %u ranges of rows",
                             CQL_RANGES_MAX);
    bool is_turned = restriction->columns[0]->reversed;
    for (int i = 0; i < 2; i++) {
        bool is_start = (i == 0) != is_turned;
        if (!restrictions_bind_side(restriction, is_start ? &restriction->start : &restriction->end,
                                    binding, false, true,
                                    is_start ? &slice->start_values : &slice->end_values))
            return false;
    }
    return true;
}

bool restrictions_bind_ranges(const struct restrictions *restrictions,
                              const struct binding *binding, struct clustering_range **ranges,
                              size_t *count)
{
    const struct table *table = restrictions->table;
    struct prefixes prefixes = {NULL, 1, 0, table->column_counts[COLUMN_CLUSTERING]};
    prefixes.values = ARENA_NEW_ARRAY(binding->arena, struct slice, (size_t)prefixes.capacity + 1);
    struct bound_slice slice = {.table = table, .prefixes = &prefixes, .arena = binding->arena};
    for (size_t i = 0; i < restrictions->clustering_count; i++) {
        const struct restriction *restriction = restrictions->clustering[i];
        if (restriction->kind == RESTRICTION_SLICE) {
            slice.restriction = restriction;
            break;
        }
        if (!restrictions_extend_prefixes(restriction, binding, &prefixes)) return false;
    }
    if (!restrictions_bind_slice(&slice, binding)) return false;
    *count = restrictions_cut(&slice, ranges);
    *count = restrictions_sort_ranges(table, *ranges, *count);
    // What is there to delete has real ends.
    bool is_null = (slice.start_values != NULL && slice_is_null(slice.start_values[0])) ||
                   (slice.end_values != NULL && slice_is_null(slice.end_values[0]));
    if (is_null && *count > 0 && !restrictions->is_of_select)
        return restrictions_invalid(binding, "c", slice.restriction->columns[0]);
    return true;
}

// ---- token() ------------------------------------------------------------------------------------

static bool restrictions_bind_token(const struct term *term, const struct binding *binding,
                                    int64_t *token)
{
    struct bound_value bound;
    if (!term_bind(term, binding, &bound)) return false;
    if (bound.unset) {
        struct column column = {.name = slice_of_text("partition key token")};
        return restrictions_invalid(binding, "u", &column);
    }
    if (slice_is_null(bound.bytes))
        return cql_error_set(binding->error, CQL_ERROR_INVALID, "Invalid null token value");
    *token = bound.bytes.size == 8 ? (int64_t)bytes_get_u64(bound.bytes.data) : INT64_MIN;
    return true;
}

bool restrictions_bind_scan(const struct restrictions *restrictions, const struct binding *binding,
                            struct scan_range *range, bool *is_empty)
{
    const struct restriction *token = restrictions->token;
    *range = SCAN_RANGE_ALL;
    *is_empty = false;
    if (token == NULL) return true;
    if (token->kind == RESTRICTION_EQ) {
        int64_t value = 0;
        if (!restrictions_bind_token(token->value, binding, &value)) return false;
        // The smallest token as an end is the end of the ring, also here.
        if (value != INT64_MIN)
            range->start = range->end = (struct scan_bound){{value}, {NULL, 0}, true};
        return true;
    }
    int64_t value = 0;
    if (token->start.value != NULL) {
        if (!restrictions_bind_token(token->start.value, binding, &value)) return false;
        range->start = (struct scan_bound){{value}, {NULL, 0}, token->start.inclusive};
    }
    if (token->end.value != NULL) {
        if (!restrictions_bind_token(token->end.value, binding, &value)) return false;
        // The smallest token as an end is the end of the ring, as Cassandra has it.
        if (value != INT64_MIN)
            range->end = (struct scan_bound){{value}, {NULL, 0}, token->end.inclusive};
    }
    int order = token_compare(range->start.token, range->end.token);
    *is_empty = order > 0 || (order == 0 && (!range->start.inclusive || !range->end.inclusive));
    return true;
}

// ---- Filters ------------------------------------------------------------------------------------

// `what` names the part of the entry: RowFilter.MapElementExpression.validate().
static bool restrictions_bind_entry(const struct term *term, const struct column *column,
                                    const char *what, const struct binding *binding,
                                    struct slice *value)
{
    struct bound_value bound;
    if (!term_bind(term, binding, &bound)) return false;
    *value = bound.bytes;
    if (!bound.unset && !slice_is_null(bound.bytes)) return true;
    return cql_error_set(binding->error, CQL_ERROR_INVALID, "Unsupported %s %s for column %.*s",
                         bound.unset ? "unset" : "null", what, SLICE_TEXT(column->name));
}

static bool restrictions_bind_entries(const struct restriction *restriction,
                                      const struct binding *binding, struct row_filter *filter)
{
    filter->entries = ARENA_NEW_ARRAY(binding->arena, struct slice, restriction->entry_count * 2);
    for (size_t i = 0; i < restriction->entry_count; i++) {
        const struct restriction_entry *entry = &restriction->entries[i];
        const struct term *terms[2] = {entry->key, entry->value};
        bool is_pair = entry->key != NULL && entry->value != NULL;
        const char *what[2] = {is_pair ? "map key" : "value", is_pair ? "map value" : "value"};
        for (size_t part = 0; part < 2; part++)
            if (terms[part] != NULL &&
                !restrictions_bind_entry(terms[part], restriction->columns[0], what[part], binding,
                                         &filter->entries[i * 2 + part]))
                return false;
    }
    return true;
}

static bool restrictions_bind_filter(const struct restriction *restriction,
                                     const struct binding *binding, struct row_filter *filter)
{
    *filter = (struct row_filter){.restriction = restriction, .is_of_partition = true};
    for (size_t i = 0; i < restriction->column_count; i++) {
        enum column_kind kind = restriction->columns[i]->kind;
        if (kind == COLUMN_CLUSTERING || kind == COLUMN_REGULAR) filter->is_of_partition = false;
    }
    switch (restriction->kind) {
    case RESTRICTION_EQ:
    case RESTRICTION_IN:
        return restrictions_bind_alternatives(restriction, binding, true, &filter->values,
                                              &filter->alternative_count);
    case RESTRICTION_SLICE:
        return restrictions_bind_side(restriction, &restriction->start, binding, true, false,
                                      &filter->start) &&
               restrictions_bind_side(restriction, &restriction->end, binding, true, false,
                                      &filter->end);
    default:
        return restrictions_bind_entries(restriction, binding, filter);
    }
}

bool restrictions_bind_filters(const struct restrictions *restrictions,
                               const struct binding *binding, struct row_filter **filters,
                               size_t *count)
{
    *filters = NULL;
    *count = restrictions->filter_count;
    if (restrictions->filters_slice)
        return cql_error_set(binding->error, CQL_ERROR_INVALID,
                             "Multi-column slice restrictions cannot be used for filtering.");
    if (*count == 0) return true;
    *filters = ARENA_NEW_ARRAY(binding->arena, struct row_filter, *count);
    for (size_t i = 0; i < *count; i++)
        if (!restrictions_bind_filter(restrictions->filters[i], binding, &(*filters)[i]))
            return false;
    return true;
}

bool restrictions_bind_found_by(const struct restrictions *restrictions,
                                const struct binding *binding, struct row_filter *filter)
{
    return restrictions_bind_filter(restrictions->found_by, binding, filter);
}
