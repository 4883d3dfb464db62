// What a selection names before it is prepared: Cassandra asks for that before it looks at WHERE,
// and what it has to find for it, functions and columns, is missed then and there
// (SelectStatement.RawStatement.selectOnlyStaticColumns, Selectable.Raw.prepare).
#include "cql/statement/selection.h"

static bool selection_look_at(struct analysis *analysis, const struct cql_term *raw);

static bool selection_look_at_call(struct analysis *analysis, const struct cql_term *raw)
{
    for (size_t i = 0; i < raw->item_count; i++)
        if (!selection_look_at(analysis, raw->items[i])) return false;
    return raw->is_count_rows || term_resolve(analysis, raw, NULL) != NULL;
}

static bool selection_look_at_kind(struct analysis *analysis, const struct cql_term *raw)
{
    const struct type *type;
    switch (raw->kind) {
    case CQL_TERM_COLUMN:
        return analysis_find_column(analysis, raw->value) != NULL;
    case CQL_TERM_FUNCTION:
    case CQL_TERM_OPERATION:
    case CQL_TERM_NEGATE:
        return selection_look_at_call(analysis, raw);
    case CQL_TERM_TYPE_CAST:
        if (!analysis_make_type(analysis, raw->type, analysis->table->keyspace, &type))
            return false;
        return selection_look_at(analysis, raw->items[0]);
    case CQL_TERM_CAST:
    case CQL_TERM_FIELD:
    case CQL_TERM_ELEMENT:
    case CQL_TERM_SLICE:
    case CQL_TERM_TTL:
    case CQL_TERM_WRITETIME:
    case CQL_TERM_MAXWRITETIME:
        return selection_look_at(analysis, raw->items[0]);
    case CQL_TERM_LIST:
    case CQL_TERM_SET:
    case CQL_TERM_TUPLE:
        for (size_t i = 0; i < raw->item_count; i++)
            if (!selection_look_at(analysis, raw->items[i])) return false;
        return true;
    default:
        return true;
    }
}

static bool selection_look_at(struct analysis *analysis, const struct cql_term *raw)
{
    if (!analysis_go_deeper(analysis)) return false;
    bool is_ok = selection_look_at_kind(analysis, raw);
    analysis->depth--;
    return is_ok;
}

// The kinds of all columns that a selector names, as bits.
static unsigned selection_kinds_of(struct analysis *analysis, const struct cql_term *raw)
{
    if (raw->kind == CQL_TERM_COLUMN) {
        const struct column *column = table_find_column(analysis->table, raw->value);
        return column == NULL ? 0 : 1u << column->kind;
    }
    // What is written as a map, or as a user type, counts as no static column, whatever is in it.
    unsigned kinds = raw->kind == CQL_TERM_MAP ? 1u << COLUMN_REGULAR : 0;
    if (!analysis_go_deeper(analysis)) return 0;
    for (size_t i = 0; i < raw->item_count; i++)
        if (raw->items[i] != NULL) kinds |= selection_kinds_of(analysis, raw->items[i]);
    analysis->depth--;
    return kinds;
}

unsigned selection_kinds(struct analysis *analysis, const struct cql_select *select)
{
    unsigned kinds = 0;
    for (size_t i = 0; i < select->selector_count; i++)
        kinds |= selection_kinds_of(analysis, select->selectors[i].term);
    return kinds;
}

// Whether some selector, the first that has one, names a column of these kinds.
static bool selection_names(struct analysis *analysis, const struct cql_select *select,
                            unsigned kinds, bool *is_named)
{
    *is_named = false;
    for (size_t i = 0; i < select->selector_count && !*is_named; i++) {
        const struct cql_term *raw = select->selectors[i].term;
        if (!selection_look_at(analysis, raw)) return false;
        *is_named = (selection_kinds_of(analysis, raw) & kinds) != 0;
    }
    return true;
}

bool selection_find_static(struct analysis *analysis, const struct cql_select *select,
                           bool *only_static)
{
    bool has_static = false, has_other = false;
    *only_static = false;
    if (analysis->table->column_counts[COLUMN_STATIC] == 0) return true;
    analysis->in_selection = true;
    bool is_ok = selection_names(analysis, select, 1u << COLUMN_STATIC, &has_static);
    if (is_ok && has_static)
        is_ok = selection_names(analysis, select, 1u << COLUMN_CLUSTERING | 1u << COLUMN_REGULAR,
                                &has_other);
    analysis->in_selection = false;
    *only_static = has_static && !has_other;
    return is_ok;
}
