// What SELECT gives back: columns, terms, function calls, writetimes and aggregates, as a tree for
// each result column (org.apache.cassandra.cql3.selection).
//
//     row --selection_put_row--> values in wire form
//     rows --selection_add_row-->  group --selection_put_group--> values in wire form
//
// With aggregates or GROUP BY a group of rows gives one result row: aggregates run over all of its
// rows, everything else is taken from the first.
#ifndef CQL_STATEMENT_SELECTION_H
#define CQL_STATEMENT_SELECTION_H

#include "cql/execution/row_view.h"
#include "cql/statement/functions.h"
#include "cql/statement/term.h"

enum selector_kind {
    SELECTOR_COLUMN,
    SELECTOR_TERM,
    SELECTOR_CALL,
    SELECTOR_AGGREGATE,
    SELECTOR_WRITETIME,
    SELECTOR_MAXWRITETIME,
    SELECTOR_TTL,
    SELECTOR_ELEMENT,
    SELECTOR_SLICE,
    SELECTOR_LITERAL, // A list, set, map, tuple or user type of selectors; map: key, value, …
    SELECTOR_FIELD,
};

struct selector {
    enum selector_kind kind;
    const struct type *type;
    const struct column *column; // COLUMN, WRITETIME, TTL
    const struct term *term;     // TERM
    const struct function *function;
    const struct selector *const *items; // Arguments; ELEMENT: of what, key; SLICE: of what, from,
                                         // to (NULL: open); FIELD: of what.
    size_t item_count;
    const char *text;              // ELEMENT, SLICE: of what, for messages.
    uint16_t field;                // FIELD: its index.
    const struct selector *access; // WRITETIME, MAXWRITETIME, TTL: the ELEMENT, SLICE or FIELD of
                                   // the column that it is about; NULL: of all.
    uint16_t slot; // Of AGGREGATE: its state. Of what depends on the row: the first row's value.
};

struct selection {
    const struct selector *const *selectors;
    uint16_t count;
    const struct column_spec *columns; // Of the result: as many, or one of SELECT JSON.
    uint16_t column_count;
    const struct slice *json_names; // SELECT JSON: what stands before each value; else NULL.
    bool is_simple;                 // Nothing but columns.
    bool is_aggregate;
    bool has_parts; // Elements or slices of collections.
    uint16_t aggregate_count, slot_count;
    const struct selector **aggregates, **slots; // By their number.
};

// Whether some columns are named, all static or of the partition key, and one of them static.
// False: a function or column that Cassandra has to find for that is not there.
bool selection_find_static(struct analysis *analysis, const struct cql_select *select,
                           bool *only_static);
// The kinds of all columns that are named, as bits; none for "*".
unsigned selection_kinds(struct analysis *analysis, const struct cql_select *select);
// `selectors` none: "*".
bool selection_prepare(struct analysis *analysis, const struct cql_select *select,
                       struct selection *selection);

// A function of columns, for GROUP BY.
bool selection_prepare_function(struct analysis *analysis, const struct cql_term *raw,
                                const struct selector **selector);

// What elements and slices are taken must not be null: told even when there is no row.
bool selection_check_parts(const struct selection *selection, const struct binding *binding);

struct selection_context {
    const struct binding *binding;
    struct arena *row_arena;   // For what one row needs.
    struct arena *group_arena; // Lives as long as the group.
};

// Appends [bytes] for each column. False: the error of the binding is set.
bool selection_put_row(const struct selection *selection, const struct selection_context *context,
                       const struct row_view *view, struct buffer *rows);

// One selector's value of a row. False: the error of the binding is set.
bool selection_evaluate(const struct selector *selector, const struct selection_context *context,
                        const struct row_view *view, struct slice *value);

struct selection_group {
    struct aggregate_state *states; // aggregate_count
    struct slice *slots;            // slot_count
    bool has_rows;
};

void selection_init_group(const struct selection *selection, struct arena *arena,
                          struct selection_group *group);
bool selection_add_row(const struct selection *selection, const struct selection_context *context,
                       const struct row_view *view, struct selection_group *group);
bool selection_put_group(const struct selection *selection, const struct selection_context *context,
                         const struct selection_group *group, struct buffer *rows);

#endif
