#include "cql/statement/selection.h"

#include "cql/parser/ast_text.h"
#include "storage/value.h"

enum { LOOK_DEPTH_MAX = 512 }; // Into a selector, for a message.

struct preparing {
    struct analysis *analysis;
    const struct cql_select *select; // NULL: a function of GROUP BY.
    const struct selector **aggregates, **slots;
    uint16_t aggregate_count, slot_count, capacity;
    bool in_aggregate, too_many, has_parts;
};

static bool selection_invalid(struct preparing *preparing, const char *text)
{
    return cql_error_set(preparing->analysis->error, CQL_ERROR_INVALID, "%s", text);
}

static bool selection_prepare_term(struct preparing *preparing, const struct cql_term *raw,
                                   const struct selector **selector);

static struct selector *selection_new(struct preparing *preparing, enum selector_kind kind,
                                      const struct type *type)
{
    struct selector *selector = ARENA_NEW(preparing->analysis->arena, struct selector);
    selector->kind = kind;
    selector->type = type;
    return selector;
}

// A value of the row: remembered for a group, unless it is read for an aggregate's argument.
static void selection_give_slot(struct preparing *preparing, struct selector *selector)
{
    if (preparing->in_aggregate) return;
    if (preparing->slot_count == preparing->capacity) {
        preparing->too_many = true;
        return;
    }
    selector->slot = preparing->slot_count;
    preparing->slots[preparing->slot_count++] = selector;
}

static bool selection_refuse_untyped(struct analysis *analysis, const struct cql_term *raw)
{
    return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                         "Cannot infer type for term %s in selection clause (try using a cast to "
                         "force a type)",
                         analysis_term_text(analysis, raw));
}

// NULL with the error set.
static const struct type *selection_type_of(struct analysis *analysis, const struct cql_term *raw)
{
    const struct type *type = term_natural_type(analysis, raw);
    if (type == NULL && !cql_error_is_set(analysis->error))
        (void)selection_refuse_untyped(analysis, raw);
    return type;
}

// A literal or a marker: its type comes from where it stands.
static bool selection_is_open(const struct cql_term *raw)
{
    if (raw->kind == CQL_TERM_TUPLE && raw->item_count == 1)
        return selection_is_open(raw->items[0]); // Brackets around a term.
    return raw->kind == CQL_TERM_CONSTANT || raw->kind == CQL_TERM_NULL ||
           raw->kind == CQL_TERM_MARKER || raw->kind == CQL_TERM_LIST ||
           raw->kind == CQL_TERM_SET || raw->kind == CQL_TERM_MAP || raw->kind == CQL_TERM_UDT ||
           raw->kind == CQL_TERM_TUPLE;
}

// A literal that has selectors in it: columns, calls.
static bool selection_has_columns(const struct cql_term *raw)
{
    bool is_literal = raw->kind == CQL_TERM_LIST || raw->kind == CQL_TERM_SET ||
                      raw->kind == CQL_TERM_MAP || raw->kind == CQL_TERM_UDT ||
                      raw->kind == CQL_TERM_TUPLE;
    for (size_t i = 0; i < raw->item_count && is_literal; i++)
        if (!selection_is_open(raw->items[i]) || selection_has_columns(raw->items[i])) return true;
    return false;
}

static bool selection_prepare_argument(struct preparing *preparing, const struct cql_term *raw,
                                       const struct type *type, const struct selector **selector);

// What the items of a literal of this type are of.
static const struct type *selection_item_type(const struct type *type, size_t at)
{
    if (type->kind == TYPE_MAP) return type->parameters[at % 2];
    return type->parameters[type->kind == TYPE_TUPLE || type->kind == TYPE_UDT ? at : 0];
}

static bool selection_fits_literal(const struct cql_term *raw, const struct type *type)
{
    switch (raw->kind) {
    case CQL_TERM_LIST:
        return type->kind == TYPE_LIST ||
               (type->kind == TYPE_VECTOR && raw->item_count == type->dimension);
    case CQL_TERM_SET:
        return type->kind == TYPE_SET;
    case CQL_TERM_MAP:
        return type->kind == TYPE_MAP;
    case CQL_TERM_TUPLE:
        return type->kind == TYPE_TUPLE && raw->item_count <= type->parameter_count;
    default:
        return false;
    }
}

// Items that are selectors are of the type that they are of: Cassandra does not look either.
static bool selection_prepare_items(struct preparing *preparing, const struct cql_term *raw,
                                    const struct type *type, const struct selector **selector)
{
    struct analysis *analysis = preparing->analysis;
    const struct selector **items =
        ARENA_NEW_ARRAY(analysis->arena, const struct selector *, raw->item_count + 1);
    if (!selection_fits_literal(raw, type)) return selection_refuse_untyped(analysis, raw);
    for (size_t i = 0; i < raw->item_count; i++)
        if (!selection_prepare_argument(preparing, raw->items[i], selection_item_type(type, i),
                                        &items[i]))
            return false;
    struct selector *made = selection_new(preparing, SELECTOR_LITERAL, type);
    made->items = items;
    made->item_count = raw->item_count;
    *selector = made;
    return true;
}

static const struct type *selection_infer_items(struct analysis *analysis,
                                                const struct cql_term *raw);

// The type that a list, set or tuple has by its items; NULL: it is not known.
static const struct type *selection_infer_literal(struct analysis *analysis,
                                                  const struct cql_term *raw)
{
    if (!analysis_go_deeper(analysis)) return NULL;
    const struct type *type = selection_infer_items(analysis, raw);
    analysis->depth--;
    return type;
}

static const struct type *selection_infer_items(struct analysis *analysis,
                                                const struct cql_term *raw)
{
    const struct type **types =
        ARENA_NEW_ARRAY(analysis->arena, const struct type *, raw->item_count + 1);
    const struct type *first = NULL;
    struct cql_error *error = analysis_ignore_errors(analysis);
    for (size_t i = 0; i < raw->item_count; i++) {
        const struct cql_term *item = raw->items[i];
        types[i] = selection_has_columns(item) ? selection_infer_literal(analysis, item)
                   : selection_is_open(item)   ? NULL
                                               : term_natural_type(analysis, item);
        if (first == NULL) first = types[i];
    }
    analysis->error = error;
    for (size_t i = 0; i < raw->item_count && raw->kind == CQL_TERM_TUPLE; i++)
        if (types[i] == NULL) return NULL;
    if (first == NULL) return NULL;
    if (raw->kind == CQL_TERM_LIST) return type_make_list(analysis->arena, first, false);
    if (raw->kind == CQL_TERM_SET) return type_make_set(analysis->arena, first, false);
    if (raw->kind != CQL_TERM_TUPLE) return NULL;
    return type_make_tuple(analysis->arena, types, (uint16_t)raw->item_count);
}

static bool selection_prepare_literal(struct preparing *preparing, const struct cql_term *raw,
                                      const struct type *type, struct slice name,
                                      const struct selector **selector)
{
    const struct table *table = preparing->analysis->table;
    struct column_spec spec = {table->keyspace, table->name, name, type};
    struct selector *made = selection_new(preparing, SELECTOR_TERM, type);
    *selector = made;
    return term_prepare(preparing->analysis, raw, &spec, &made->term);
}

static bool selection_prepare_argument(struct preparing *preparing, const struct cql_term *raw,
                                       const struct type *type, const struct selector **selector)
{
    if (selection_has_columns(raw) && selection_fits_literal(raw, type))
        return selection_prepare_items(preparing, raw, type, selector);
    if (selection_is_open(raw))
        return selection_prepare_literal(preparing, raw, type, slice_of_text("[selection]"),
                                         selector);
    return selection_prepare_term(preparing, raw, selector);
}

static bool selection_prepare_column(struct preparing *preparing, const struct cql_term *raw,
                                     const struct selector **selector)
{
    const struct column *column = analysis_find_column(preparing->analysis, raw->value);
    if (column == NULL) return false;
    struct selector *made = selection_new(preparing, SELECTOR_COLUMN, column->type);
    made->column = column;
    selection_give_slot(preparing, made);
    *selector = made;
    return true;
}

// The column that an element, a slice or a field is of, at any depth.
static const struct cql_term *selection_root_of(const struct cql_term *raw)
{
    while (raw->kind == CQL_TERM_ELEMENT || raw->kind == CQL_TERM_SLICE ||
           raw->kind == CQL_TERM_FIELD)
        raw = raw->items[0];
    return raw;
}

// What is taken of the column itself; NULL: all of it. What is taken of that has no cells of its
// own.
static const struct selector *selection_access_of(const struct selector *selector)
{
    if (selector->kind == SELECTOR_COLUMN) return NULL;
    while (selector->items[0]->kind != SELECTOR_COLUMN)
        selector = selector->items[0];
    return selector;
}

static bool selection_prepare_cell_info(struct preparing *preparing, const struct cql_term *raw,
                                        const struct selector **selector)
{
    struct analysis *analysis = preparing->analysis;
    const struct cql_term *root = selection_root_of(raw->items[0]);
    if (root->kind != CQL_TERM_COLUMN) return selection_refuse_untyped(analysis, raw->items[0]);
    const struct column *column = analysis_find_column(analysis, root->value);
    if (column == NULL) return false;
    const char *name = raw->kind == CQL_TERM_TTL         ? "ttl"
                       : raw->kind == CQL_TERM_WRITETIME ? "writetime"
                                                         : "maxwritetime";
    if (column->kind < COLUMN_STATIC)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "Cannot use selection function %s on PRIMARY KEY part %.*s", name,
                             SLICE_TEXT(column->name));
    const struct selector *of;
    if (!selection_prepare_term(preparing, raw->items[0], &of)) return false;
    const struct selector *access = selection_access_of(of);
    const struct type *type = type_of_kind(raw->kind == CQL_TERM_TTL ? TYPE_INT : TYPE_BIGINT);
    bool is_of_many =
        type_is_multi_cell(column->type) && (access == NULL || access->kind == SELECTOR_SLICE);
    if (is_of_many && raw->kind != CQL_TERM_MAXWRITETIME)
        type = type_make_list(analysis->arena, type, true);
    enum selector_kind kind = raw->kind == CQL_TERM_TTL         ? SELECTOR_TTL
                              : raw->kind == CQL_TERM_WRITETIME ? SELECTOR_WRITETIME
                                                                : SELECTOR_MAXWRITETIME;
    struct selector *made = selection_new(preparing, kind, type);
    made->column = column;
    made->access = access;
    selection_give_slot(preparing, made);
    *selector = made;
    return true;
}

static bool selection_make_call(struct preparing *preparing, const struct function *function,
                                const struct cql_term *const *raws, size_t count,
                                const struct selector **selector)
{
    bool is_aggregate = function_is_aggregate(function);
    if (is_aggregate && preparing->in_aggregate)
        return selection_invalid(
            preparing, "aggregate functions cannot be used as arguments of aggregate functions");
    const struct selector **items =
        ARENA_NEW_ARRAY(preparing->analysis->arena, const struct selector *, count + 1);
    preparing->in_aggregate = preparing->in_aggregate || is_aggregate;
    bool is_ok = true;
    for (size_t i = 0; i < count && is_ok; i++)
        is_ok = selection_prepare_argument(preparing, raws[i], function->arguments[i], &items[i]);
    if (is_aggregate) preparing->in_aggregate = false;
    if (!is_ok) return false;
    struct selector *made = selection_new(
        preparing, is_aggregate ? SELECTOR_AGGREGATE : SELECTOR_CALL, function->result);
    made->function = function;
    made->items = items;
    made->item_count = count;
    if (is_aggregate && preparing->aggregate_count == preparing->capacity)
        preparing->too_many = true;
    else if (is_aggregate) {
        made->slot = preparing->aggregate_count;
        preparing->aggregates[preparing->aggregate_count++] = made;
    }
    *selector = made;
    return true;
}

static bool selection_prepare_call(struct preparing *preparing, const struct cql_term *raw,
                                   const struct selector **selector)
{
    struct analysis *analysis = preparing->analysis;
    if (raw->is_count_rows)
        return selection_make_call(preparing, functions_count_rows(analysis), NULL, 0, selector);
    const struct function *function = term_resolve(analysis, raw, NULL);
    if (function == NULL) return false;
    return selection_make_call(preparing, function, raw->items, raw->item_count, selector);
}

static bool selection_prepare_operation(struct preparing *preparing, const struct cql_term *raw,
                                        const struct selector **selector)
{
    const struct function *function = term_resolve(preparing->analysis, raw, NULL);
    if (function == NULL) return false;
    return selection_make_call(preparing, function, raw->items, raw->item_count, selector);
}

static bool selection_refuse_cast(struct analysis *analysis, const struct cql_term *raw,
                                  const struct type *to)
{
    const char *text = analysis_term_text(analysis, raw);
    return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                         "Cannot assign value %s to %s of type %s", text, text,
                         analysis_type_text(analysis, type_freeze(analysis->arena, to)));
}

// The first column that a selector names; NULL: none.
static const struct cql_term *selection_first_column(const struct cql_term *raw, int depth)
{
    if (raw->kind == CQL_TERM_COLUMN) return raw;
    const struct cql_term *found = NULL;
    for (size_t i = 0; i < raw->item_count && found == NULL && depth < LOOK_DEPTH_MAX; i++)
        if (raw->items[i] != NULL) found = selection_first_column(raw->items[i], depth + 1);
    return found;
}

// Cassandra names the first column of all the selectors.
static bool selection_refuse_uncast(struct preparing *preparing, const struct cql_term *raw)
{
    struct analysis *analysis = preparing->analysis;
    const struct cql_select *select = preparing->select;
    const struct cql_term *named = NULL;
    for (size_t i = 0; select != NULL && i < select->selector_count && named == NULL; i++)
        named = selection_first_column(select->selectors[i].term, 0);
    if (named == NULL) named = raw->items[0];
    struct buffer to;
    buffer_init(&to, CQL_ERROR_TEXT_SIZE);
    bool is_varchar = raw->type->native == TYPE_TEXT; // To text all can be cast.
    if (!is_varchar) ast_text_put_type(raw->type, &to);
    cql_error_set(analysis->error, CQL_ERROR_INVALID, "%s cannot be cast to %s%.*s",
                  analysis_term_text(analysis, named), is_varchar ? "varchar" : "",
                  SLICE_TEXT(buffer_slice(&to)));
    buffer_deinit(&to);
    return false;
}

static bool selection_prepare_cast(struct preparing *preparing, const struct cql_term *raw,
                                   const struct selector **selector)
{
    struct analysis *analysis = preparing->analysis;
    const struct type *to, *from;
    if (!analysis_make_type(analysis, raw->type, analysis->table->keyspace, &to)) return false;
    const struct cql_term *item = raw->items[0];
    if (raw->kind == CQL_TERM_TYPE_CAST && selection_is_open(item)) {
        if (term_fits(analysis, item, to) != TERM_FIT_NOT)
            return selection_prepare_argument(preparing, item, to, selector);
        return selection_refuse_cast(analysis, raw, to);
    }
    if (selection_is_open(item)) return selection_refuse_untyped(analysis, item);
    from = selection_type_of(analysis, item);
    if (from == NULL) return false;
    if (raw->kind == CQL_TERM_TYPE_CAST) {
        if (term_type_fits(from, to) == TERM_FIT_NOT)
            return selection_refuse_cast(analysis, raw, to);
        const struct selector *of;
        if (!selection_prepare_argument(preparing, item, to, &of)) return false;
        // The same bytes by another name.
        struct selector *made = ARENA_NEW(analysis->arena, struct selector);
        *made = *of;
        made->type = to;
        *selector = made;
        return true;
    }
    bool is_wrapped =
        item->kind == CQL_TERM_COLUMN && analysis_find_column(analysis, item->value)->reversed;
    // A DESC column is of another type to Cassandra, which it can not cast to its own.
    if (type_equals(from, to) && !is_wrapped)
        return selection_prepare_term(preparing, item, selector);
    if (!functions_has_cast(analysis, raw->type)) return selection_refuse_uncast(preparing, raw);
    struct function_argument argument = {from, item};
    const struct function *function = functions_resolve_cast(analysis, &argument, raw->type, NULL);
    if (function == NULL) return false;
    return selection_make_call(preparing, function, &item, 1, selector);
}

static bool selection_prepare_element(struct preparing *preparing, const struct cql_term *raw,
                                      const struct selector **selector)
{
    struct analysis *analysis = preparing->analysis;
    bool is_slice = raw->kind == CQL_TERM_SLICE;
    const struct selector *of;
    if (!selection_prepare_term(preparing, raw->items[0], &of)) return false;
    const char *text = analysis_term_text(analysis, raw->items[0]);
    if (!type_is_collection(of->type))
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             is_slice ? "Invalid slice selection: %s of type %s is not a collection"
                                      : "Invalid element selection: %s is of type %s is not a "
                                        "collection",
                             text, analysis_type_text(analysis, of->type));
    if (of->type->kind == TYPE_LIST)
        return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                             "%s selection is only allowed on sets and maps, but %s is a list",
                             is_slice ? "Slice" : "Element", text);
    size_t count = is_slice ? 3 : 2;
    const struct selector **items =
        ARENA_NEW_ARRAY(analysis->arena, const struct selector *, count);
    items[0] = of;
    struct slice name = slice_of_text(
        arena_format(analysis->arena, of->type->kind == TYPE_MAP ? "key(%s)" : "value(%s)", text));
    for (size_t i = 1; i < count; i++)
        if (raw->items[i] != NULL &&
            !selection_prepare_literal(preparing, raw->items[i], of->type->parameters[0], name,
                                       &items[i]))
            return false;
    const struct type *type = of->type;
    if (!is_slice) type = of->type->parameters[of->type->kind == TYPE_MAP ? 1 : 0];
    struct selector *made =
        selection_new(preparing, is_slice ? SELECTOR_SLICE : SELECTOR_ELEMENT, type);
    made->items = items;
    made->item_count = count;
    made->text = text;
    *selector = made;
    preparing->has_parts = true;
    return true;
}

static bool selection_prepare_field(struct preparing *preparing, const struct cql_term *raw,
                                    const struct selector **selector)
{
    struct analysis *analysis = preparing->analysis;
    const struct selector **items = ARENA_NEW_ARRAY(analysis->arena, const struct selector *, 1);
    if (!selection_prepare_term(preparing, raw->items[0], &items[0])) return false;
    const struct type *type = term_field_type(analysis, raw, items[0]->type);
    if (type == NULL) return false;
    struct selector *made = selection_new(preparing, SELECTOR_FIELD, type);
    made->items = items;
    made->item_count = 1;
    made->field = (uint16_t)user_types_field(items[0]->type, raw->value);
    *selector = made;
    return true;
}

static bool selection_prepare_kind(struct preparing *preparing, const struct cql_term *raw,
                                   const struct selector **selector)
{
    struct analysis *analysis = preparing->analysis;
    switch (raw->kind) {
    case CQL_TERM_COLUMN:
        return selection_prepare_column(preparing, raw, selector);
    case CQL_TERM_FUNCTION:
        return selection_prepare_call(preparing, raw, selector);
    case CQL_TERM_OPERATION:
    case CQL_TERM_NEGATE:
        return selection_prepare_operation(preparing, raw, selector);
    case CQL_TERM_CAST:
    case CQL_TERM_TYPE_CAST:
        return selection_prepare_cast(preparing, raw, selector);
    case CQL_TERM_TTL:
    case CQL_TERM_WRITETIME:
    case CQL_TERM_MAXWRITETIME:
        return selection_prepare_cell_info(preparing, raw, selector);
    case CQL_TERM_ELEMENT:
    case CQL_TERM_SLICE:
        return selection_prepare_element(preparing, raw, selector);
    case CQL_TERM_FIELD:
        return selection_prepare_field(preparing, raw, selector);
    default: {
        if (raw->kind == CQL_TERM_TUPLE && raw->item_count == 1)
            return selection_prepare_term(preparing, raw->items[0], selector);
        const struct type *type = selection_infer_literal(analysis, raw);
        if (type == NULL) return selection_refuse_untyped(analysis, raw);
        return selection_prepare_items(preparing, raw, type, selector);
    }
    }
}

static bool selection_prepare_term(struct preparing *preparing, const struct cql_term *raw,
                                   const struct selector **selector)
{
    if (!analysis_go_deeper(preparing->analysis)) return false;
    bool is_ok = selection_prepare_kind(preparing, raw, selector);
    preparing->analysis->depth--;
    return is_ok;
}

// ---- Names of result columns --------------------------------------------------------------------

static void selection_put_name(const struct cql_term *raw, struct buffer *name);

static void selection_put_list(const struct cql_term *raw, struct buffer *name)
{
    for (size_t i = 0; i < raw->item_count; i++) {
        if (i > 0) buffer_put_format(name, ", ");
        selection_put_name(raw->items[i], name);
    }
}

// Casts that are written as functions have the names of casts.
static void selection_put_call(const struct cql_term *raw, struct buffer *name)
{
    static const char cast_as[] = "cast_as_";
    struct slice word = raw->function.name;
    size_t size = sizeof cast_as - 1;
    bool is_cast = word.size > size && memcmp(word.data, cast_as, size) == 0;
    if (is_cast)
        buffer_put_format(name, "cast(");
    else
        buffer_put_format(name, "system.%.*s(", SLICE_TEXT(word));
    selection_put_list(raw, name);
    if (is_cast)
        buffer_put_format(name, " as %.*s", (int)(word.size - size),
                          (const char *)word.data + size);
    buffer_put_format(name, ")");
}

static void selection_put_name(const struct cql_term *raw, struct buffer *name)
{
    switch (raw->kind) {
    case CQL_TERM_FUNCTION:
        if (raw->is_count_rows) {
            buffer_put_format(name, "count");
            break;
        }
        selection_put_call(raw, name);
        break;
    case CQL_TERM_CAST:
        buffer_put_format(name, "cast(");
        selection_put_name(raw->items[0], name);
        buffer_put_format(name, " as ");
        ast_text_put_type(raw->type, name);
        buffer_put_format(name, ")");
        break;
    case CQL_TERM_TYPE_CAST:
        buffer_put_format(name, "(");
        ast_text_put_type(raw->type, name);
        buffer_put_format(name, ")");
        selection_put_name(raw->items[0], name);
        break;
    case CQL_TERM_OPERATION:
        selection_put_name(raw->items[0], name);
        buffer_put_format(name, " %c ", raw->operator);
        selection_put_name(raw->items[1], name);
        break;
    case CQL_TERM_NEGATE:
        buffer_put_format(name, "-");
        selection_put_name(raw->items[0], name);
        break;
    case CQL_TERM_TUPLE:
    case CQL_TERM_LIST:
    case CQL_TERM_SET: {
        const char *brackets = raw->kind == CQL_TERM_TUPLE  ? "()"
                               : raw->kind == CQL_TERM_LIST ? "[]"
                                                            : "{}";
        buffer_put_u8(name, (uint8_t)brackets[0]);
        selection_put_list(raw, name);
        buffer_put_u8(name, (uint8_t)brackets[1]);
        break;
    }
    default:
        ast_text_put_selector(raw, name);
    }
}

static struct slice selection_name_of(struct analysis *analysis,
                                      const struct cql_selector *selector)
{
    if (!slice_is_null(selector->alias)) return selector->alias;
    const struct cql_term *term = selector->term;
    // A cast to what it is already leaves no trace.
    while (term->kind == CQL_TERM_CAST) {
        const struct type *to, *from = term_natural_type(analysis, term->items[0]);
        if (from == NULL ||
            !analysis_make_type(analysis, term->type, analysis->table->keyspace, &to) ||
            !type_equals(from, to))
            break;
        term = term->items[0];
    }
    if (term->kind == CQL_TERM_COLUMN) return term->value;
    struct buffer name;
    buffer_init(&name, UINT16_MAX);
    selection_put_name(term, &name);
    struct slice copy = arena_copy(analysis->arena, buffer_slice(&name));
    buffer_deinit(&name);
    return copy;
}

// ---- All of it ----------------------------------------------------------------------------------

// Cassandra compares the first bytes of names as signed numbers: what begins outside of ASCII comes
// first (ColumnIdentifier.prefixComparison).
static int selection_compare_names(struct slice a, struct slice b)
{
    bool a_first = a.size > 0 && a.data[0] >= 0x80, b_first = b.size > 0 && b.data[0] >= 0x80;
    return a_first != b_first ? b_first - a_first : slice_compare(a, b);
}

// "*": keys, then statics and regulars, each by name.
static void selection_prepare_all(struct preparing *preparing, struct selection *selection)
{
    struct analysis *analysis = preparing->analysis;
    const struct table *table = analysis->table;
    size_t count = 0;
    for (size_t kind = 0; kind < COLUMN_KIND_COUNT; kind++)
        count += table->column_counts[kind];
    const struct selector **selectors =
        ARENA_NEW_ARRAY(analysis->arena, const struct selector *, count);
    struct column_spec *columns = ARENA_NEW_ARRAY(analysis->arena, struct column_spec, count);
    size_t at = 0;
    for (size_t kind = 0; kind < COLUMN_KIND_COUNT; kind++) {
        size_t first = at;
        for (uint16_t i = 0; i < table->column_counts[kind]; i++) {
            const struct column *column = &table->columns[kind][i];
            // In the table the multi-cell ones stand behind the others; here it is by name alone.
            size_t place = at++;
            while (kind >= COLUMN_STATIC && place > first &&
                   selection_compare_names(columns[place - 1].name, column->name) > 0) {
                selectors[place] = selectors[place - 1];
                columns[place] = columns[place - 1];
                place--;
            }
            struct selector *made = selection_new(preparing, SELECTOR_COLUMN, column->type);
            made->column = column;
            selection_give_slot(preparing, made);
            selectors[place] = made;
            columns[place] = analysis_spec_of_column(table, column);
        }
    }
    selection->selectors = selectors;
    selection->columns = columns;
    selection->count = (uint16_t)count;
    selection->is_simple = true;
}

static bool selection_prepare_list(struct preparing *preparing, const struct cql_select *select,
                                   struct selection *selection)
{
    struct analysis *analysis = preparing->analysis;
    size_t count = select->selector_count;
    if (count > UINT16_MAX) return selection_invalid(preparing, "Too many columns in SELECT");
    const struct selector **selectors =
        ARENA_NEW_ARRAY(analysis->arena, const struct selector *, count);
    struct column_spec *columns = ARENA_NEW_ARRAY(analysis->arena, struct column_spec, count);
    selection->is_simple = true;
    for (size_t i = 0; i < count; i++) {
        // By itself "(k)" may be a tuple of one.
        const struct cql_term *raw = select->selectors[i].term;
        if (raw->kind == CQL_TERM_TUPLE && raw->item_count == 1)
            return selection_refuse_untyped(analysis, raw);
        if (!selection_prepare_term(preparing, raw, &selectors[i])) return false;
        columns[i] = (struct column_spec){analysis->table->keyspace, analysis->table->name,
                                          selection_name_of(analysis, &select->selectors[i]),
                                          selectors[i]->type};
        if (selectors[i]->kind != SELECTOR_COLUMN) selection->is_simple = false;
    }
    selection->selectors = selectors;
    selection->columns = columns;
    selection->count = (uint16_t)count;
    return true;
}

// SELECT JSON: the columns become one, in which each has its name.
static void selection_make_json(struct analysis *analysis, struct selection *selection)
{
    struct slice *names = ARENA_NEW_ARRAY(analysis->arena, struct slice, selection->count);
    for (uint16_t i = 0; i < selection->count; i++) {
        struct slice name = selection->columns[i].name;
        bool has_case = false;
        for (size_t k = 0; k < name.size; k++)
            if (name.data[k] >= 'A' && name.data[k] <= 'Z') has_case = true;
        if (has_case)
            name = slice_of_text(arena_format(analysis->arena, "\"%.*s\"", SLICE_TEXT(name)));
        struct buffer text;
        buffer_init(&text, UINT16_MAX * 8);
        value_put_json(type_of_kind(TYPE_TEXT), name, &text);
        names[i] = arena_copy(analysis->arena, buffer_slice(&text));
        buffer_deinit(&text);
    }
    struct column_spec *column = ARENA_NEW(analysis->arena, struct column_spec);
    *column = (struct column_spec){analysis->table->keyspace, analysis->table->name,
                                   slice_of_text("[json]"), type_of_kind(TYPE_TEXT)};
    selection->columns = column;
    selection->column_count = 1;
    selection->json_names = names;
    selection->is_simple = false;
}

// Whether the order of what it gives is that of what it is given.
static bool selection_is_monotonic(const struct function *function)
{
    static const char *const names[] = {"floor",          "to_date",     "todate",
                                        "to_timestamp",   "totimestamp", "to_unix_timestamp",
                                        "tounixtimestamp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(function->name, names[i]) == 0) return true;
    return false;
}

static bool selection_refuse_function(struct analysis *analysis, const struct selector *selector)
{
    const struct function *function = selector->function;
    const char *quote = function->name[0] == '_' ? "\"" : "";
    const char *text =
        arena_format(analysis->arena, "system.%s%s%s : (", quote, function->name, quote);
    for (size_t i = 0; i < function->argument_count; i++)
        text = arena_format(analysis->arena, "%s%s%s%s", text, i > 0 ? ", " : "",
                            analysis_type_text(analysis, function->arguments[i]),
                            selector->items[i]->kind == SELECTOR_TERM ? "(constant)" : "");
    return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                         "Only monotonic functions are supported in the GROUP BY clause. Got: "
                         "%s) -> %s ",
                         text, analysis_type_text(analysis, function->result));
}

static bool selection_check_function(struct analysis *analysis, const struct cql_term *raw,
                                     const struct function *function)
{
    bool is_function = raw->kind == CQL_TERM_FUNCTION || raw->kind == CQL_TERM_OPERATION ||
                       raw->kind == CQL_TERM_NEGATE;
    if (!is_function)
        return cql_error_set(analysis->error, CQL_ERROR_SERVER, "java.lang.ClassCastException");
    if (raw->is_count_rows || function == NULL || !function_is_aggregate(function)) return true;
    return cql_error_set(analysis->error, CQL_ERROR_INVALID,
                         "Aggregate functions are not supported within the GROUP BY clause, got: "
                         "system.%s",
                         function->name);
}

bool selection_prepare_function(struct analysis *analysis, const struct cql_term *raw,
                                const struct selector **selector)
{
    // Its columns need no slots, as those of an aggregate's argument need none.
    struct preparing preparing = {.analysis = analysis, .in_aggregate = true};
    analysis->in_selection = true;
    const struct function *function = raw->kind == CQL_TERM_FUNCTION && !raw->is_count_rows
                                          ? term_resolve(analysis, raw, NULL)
                                          : NULL;
    bool is_ok = (function != NULL || raw->kind != CQL_TERM_FUNCTION || raw->is_count_rows) &&
                 selection_check_function(analysis, raw, function) &&
                 selection_prepare_term(&preparing, raw, selector);
    analysis->in_selection = false;
    if (!is_ok || (*selector)->function == NULL) return is_ok;
    return selection_is_monotonic((*selector)->function) || (*selector)->item_count == 0 ||
           selection_refuse_function(analysis, *selector);
}

bool selection_prepare(struct analysis *analysis, const struct cql_select *select,
                       struct selection *selection)
{
    struct preparing preparing = {.analysis = analysis, .select = select, .capacity = UINT16_MAX};
    size_t room = 0;
    for (size_t kind = 0; kind < COLUMN_KIND_COUNT; kind++)
        room += analysis->table->column_counts[kind];
    // A selector's leaves and calls can not be more than the characters it is written with.
    for (size_t i = 0; i < select->selector_count; i++)
        room += select->selectors[i].term->text.size + 1;
    if (room < UINT16_MAX) preparing.capacity = (uint16_t)room;
    preparing.aggregates =
        ARENA_NEW_ARRAY(analysis->arena, const struct selector *, preparing.capacity);
    preparing.slots = ARENA_NEW_ARRAY(analysis->arena, const struct selector *, preparing.capacity);
    *selection = (struct selection){0};
    analysis->in_selection = true;
    if (select->selector_count == 0)
        selection_prepare_all(&preparing, selection);
    else if (!selection_prepare_list(&preparing, select, selection))
        return false;
    analysis->in_selection = false;
    selection->column_count = selection->count;
    if (select->is_json) selection_make_json(analysis, selection);
    if (preparing.too_many) return selection_invalid(&preparing, "Too many selectors in SELECT");
    selection->aggregates = preparing.aggregates;
    selection->aggregate_count = preparing.aggregate_count;
    selection->slots = preparing.slots;
    selection->slot_count = preparing.slot_count;
    selection->is_aggregate = preparing.aggregate_count > 0;
    selection->has_parts = preparing.has_parts;
    return true;
}
