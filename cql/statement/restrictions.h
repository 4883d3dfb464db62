// WHERE: which partitions, which rows, and what is left to filter
// (org.apache.cassandra.cql3.restrictions.StatementRestrictions).
//
//     relations --merge per column--> restrictions
//         partition key: one EQ or IN for each column -> keys;  token(...) -> part of the ring
//         clustering:    EQ and IN from the first column on, then maybe one slice -> ranges of rows
//         the rest       -> filters, looked at row by row (ALLOW FILTERING)
#ifndef CQL_STATEMENT_RESTRICTIONS_H
#define CQL_STATEMENT_RESTRICTIONS_H

#include "cql/execution/row_view.h"
#include "cql/statement/term.h"

enum restriction_kind {
    RESTRICTION_EQ,
    RESTRICTION_IN,
    RESTRICTION_SLICE,
    RESTRICTION_CONTAINS,
    RESTRICTION_KIND_COUNT
};

// One side of a slice; `value` is NULL when it is open. Of several columns it may bind only the
// first few, `column_count`.
struct restriction_bound {
    const struct term *value;
    bool inclusive;
    bool is_multi; // The value is a tuple of them.
    uint16_t column_count;
};

// One CONTAINS, CONTAINS KEY (no `value`), or m[key] = value.
struct restriction_entry {
    const struct term *key, *value;
};

struct restriction {
    enum restriction_kind kind;
    bool is_token, is_multi;
    uint16_t column_count;
    const struct column *const *columns; // Neighbours, when there are several.
    // EQ: the value, of several columns a tuple. IN: a list as one marker.
    const struct term *value;
    const struct term *const *in_values; // IN ( … ), when `value` is NULL.
    size_t in_count;
    struct restriction_bound start, end; // SLICE, in the order of the values (DESC is no matter).
    const struct restriction_entry *entries; // CONTAINS: all must hold.
    size_t entry_count;
    const struct index_definition *analyzer; // EQ of what an index makes of the text; NULL: as is.
};

struct restrictions {
    const struct table *table;
    bool is_of_select;               // Then a range of rows may end at null.
    const struct restriction **keys; // One for each partition-key column; NULL: not restricted.
    bool keys_are_complete;          // Every one is EQ or IN: partitions are read by key.
    bool keys_have_in;
    const struct restriction *token;       // NULL: none.
    const struct restriction **clustering; // Those that make ranges, in the order of the columns.
    size_t clustering_count;
    bool clustering_has_slice, clustering_has_in;
    bool has_clustering;             // Some clustering column is restricted, in whatever way.
    uint16_t clustering_bound_count; // Columns bound by EQ or IN from the first on.
    const struct restriction **filters;
    size_t filter_count;
    bool filters_slice; // Of several columns, which Cassandra can not filter by.
    bool has_index;     // Some restriction is one that an index knows.
    bool uses_index;    // As Cassandra decides it; what the checks go by.
    // What must be served by an index, or filtered.
    const struct restriction **indexed;
    size_t indexed_count;
    // The index by which rows are found; NULL: there is none, or it knows no single value.
    const struct index_definition *index;
    const struct restriction *found_by; // One of `indexed`.
    size_t found_by_entry;              // Of CONTAINS: the one of its entries.
};

enum restrictions_use { RESTRICTIONS_SELECT, RESTRICTIONS_UPDATE, RESTRICTIONS_DELETE };

struct restrictions_options {
    enum restrictions_use use;
    bool allow_filtering;     // Also: of a virtual keyspace, where it needs no saying.
    bool only_static_columns; // The statement selects or changes nothing but static columns.
    bool uses_vectors;        // ORDER BY … ANN OF: an index is used in any case.
};

bool restrictions_prepare(struct analysis *analysis, const struct cql_relations *relations,
                          const struct restrictions_options *options,
                          struct restrictions *restrictions);

// A SELECT that reads the whole ring for some rows of each partition wants ALLOW FILTERING. Looked
// at last, when nothing else is wrong.
bool restrictions_check_scan(const struct restrictions *restrictions, bool allow_filtering,
                             struct cql_error *error);

// ---- Execution. What is made lives in the binding's arena. --------------------------------------

// keys_are_complete: the partitions in the order of their values, each once. In one go, or in two
// halves: a value that is null is told at once, a key that is empty or too long by the second one.
struct key_values {
    struct slice **values; // Of each column, sorted.
    size_t *counts;
    size_t total; // The product of the counts.
};
bool restrictions_bind_key_values(const struct restrictions *restrictions,
                                  const struct binding *binding, struct key_values *values);
bool restrictions_make_keys(const struct restrictions *restrictions, const struct binding *binding,
                            const struct key_values *values, struct partition_key **keys,
                            size_t *count);
bool restrictions_bind_keys(const struct restrictions *restrictions, const struct binding *binding,
                            struct partition_key **keys, size_t *count);
// The rows: sorted ranges without overlap. None when nothing can match.
bool restrictions_bind_ranges(const struct restrictions *restrictions,
                              const struct binding *binding, struct clustering_range **ranges,
                              size_t *count);
// Sorts ranges and leaves out empty and equal ones. Their number.
size_t restrictions_sort_ranges(const struct table *table, struct clustering_range *ranges,
                                size_t count);
// Of the ring: all, or what token() says. `*is_empty`: nothing.
bool restrictions_bind_scan(const struct restrictions *restrictions, const struct binding *binding,
                            struct scan_range *range, bool *is_empty);

// A filter with its values.
struct row_filter {
    const struct restriction *restriction;
    bool is_of_partition; // Only of key and static columns.
    struct slice *values; // EQ: one for each column. IN: column_count for each alternative.
    size_t alternative_count;
    struct slice *start, *end; // SLICE: the bounds' values, or NULL.
    struct slice *entries;     // CONTAINS: key and value in turn; null: any.
};
bool restrictions_bind_filters(const struct restrictions *restrictions,
                               const struct binding *binding, struct row_filter **filters,
                               size_t *count);
// `index` is there: the restriction by which it finds rows, with its values.
bool restrictions_bind_found_by(const struct restrictions *restrictions,
                                const struct binding *binding, struct row_filter *filter);
// The row passes. `arena` is for what has to be decoded.
bool row_filter_passes(const struct row_filter *filter, const struct row_view *view,
                       struct arena *arena);

// The value of a key column, checked: never null or unset.
bool restrictions_bind_key_value(const struct term *term, const struct column *column,
                                 const struct binding *binding, struct slice *value);

#endif
