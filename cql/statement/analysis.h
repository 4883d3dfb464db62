// What every statement's analysis needs: names looked up in the schema, types and markers bound,
// and texts for messages made.
//
// An analysis lives while a statement is prepared; what it makes lives in the statement's arena.
#ifndef CQL_STATEMENT_ANALYSIS_H
#define CQL_STATEMENT_ANALYSIS_H

#include "cql/parser/ast.h"
#include "cql/statement/statement.h"

struct json_insert; // json_insert.h

struct analysis {
    struct query_processor *processor;
    struct arena *arena;
    struct slice keyspace;        // The current one; empty if none.
    const struct table *table;    // The statement's (first) one; NULL if it has none.
    struct column_spec *markers;  // Filled as terms are bound.
    struct slice *marker_columns; // What each marker is for, also when it has a name of its own.
    bool in_selection;            // Terms are selectors: columns have types, calls no receiver.
    bool is_reversed;             // The call being resolved is for a DESC column.
    bool has_unqualified_names;   // Some table was written without its keyspace.
    size_t value_count;           // Of the markers, and of the columns of JSON texts behind them.
    const struct json_insert *json_inserts; // The newest first.
    struct cql_error *error;
    struct cql_error *ignored;      // analysis_ignore_errors(); NULL until it was needed.
    int depth;                      // Of the term being looked at.
    bool is_too_deep;               // It has been too large.
    struct known_type *known_types; // By their terms: open addressing, a power of two.
    size_t known_type_count, known_type_capacity;
    struct known_user_type *user_types; // Those that have been found.
};

// All of these return false (or NULL) with the error set.

// A table of a data statement: "table t does not exist".
const struct table *analysis_find_table(struct analysis *analysis,
                                        const struct cql_qualified_name *name);
// The keyspace that a name means: its own or the current one.
bool analysis_keyspace_of(struct analysis *analysis, const struct cql_qualified_name *name,
                          struct slice *keyspace);
const struct column *analysis_find_column(struct analysis *analysis, struct slice name);
// A type, in `arena`. User types must be of `keyspace`.
bool analysis_make_type(struct analysis *analysis, const struct cql_type *raw,
                        struct slice keyspace, const struct type **type);

// Errors go nowhere until the one that is returned is put back.
struct cql_error *analysis_ignore_errors(struct analysis *analysis);

// AbstractType.referencesDuration(): what can not be sliced; of sets it is not asked.
bool analysis_refers_to_duration(const struct type *type);

// One term inside of another. False, with the error set, when they are too many: recursion over
// what a client sent must end. Who got true takes one off `depth` at the end.
bool analysis_go_deeper(struct analysis *analysis);
// Says that they are; false.
bool analysis_refuse_depth(struct analysis *analysis);
// The types of terms that have been found already. NULL: not this one's.
const struct type *analysis_recall_type(const struct analysis *analysis,
                                        const struct cql_term *term);
void analysis_remember_type(struct analysis *analysis, const struct cql_term *term,
                            const struct type *type);

// Users' tables and the system's own. NULL when there is none.
const struct table *analysis_lookup_table(const struct query_processor *processor,
                                          struct slice keyspace, struct slice name);
const struct keyspace *analysis_lookup_keyspace(const struct query_processor *processor,
                                                struct slice name);

// Texts for messages, with a NUL, in the analysis' arena.
const char *analysis_term_text(struct analysis *analysis, const struct cql_term *term);
const char *analysis_relation_text(struct analysis *analysis, const struct cql_relation *relation);
const char *analysis_assignment_text(struct analysis *analysis,
                                     const struct cql_assignment *assignment);
const char *analysis_type_text(struct analysis *analysis, const struct type *type);
// A name as CQL text has it: quoted where it must be.
const char *analysis_name_text(struct analysis *analysis, struct slice name);
// A copy with a NUL.
const char *analysis_text(struct arena *arena, struct slice text);

// A column of `table` as a bind marker or a result column.
struct column_spec analysis_spec_of_column(const struct table *table, const struct column *column);

#define SLICE_TEXT(slice) (int)(slice).size, (const char *)(slice).data

#endif
