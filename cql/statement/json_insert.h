// INSERT JSON (org.apache.cassandra.cql3.Json): the columns that a text names, as terms.
//
// A literal is read when the statement is prepared. A text that is bound is read when the statement
// is executed: its columns then are values behind those of the markers, where the terms look.
//
//     values   marker 0, marker 1, … | columns of the first text | columns of the second …
#ifndef CQL_STATEMENT_JSON_INSERT_H
#define CQL_STATEMENT_JSON_INSERT_H

#include "cql/statement/analysis.h"
#include "cql/statement/term.h"

// One text that is bound. A batch may have several.
struct json_insert {
    const struct table *table;
    uint16_t marker, first; // The text's; the first of its columns among the values.
    bool default_unset;
    const struct json_insert *next;
};

// A term for each column of the table, each kind's after the other's. NULL: left as it is, by
// DEFAULT UNSET.
bool json_insert_prepare(struct analysis *analysis, const struct cql_insert *insert,
                         const struct term **terms);
size_t json_insert_column_count(const struct table *table);
// Reads the texts that are bound. `binding->values` are then more, in the binding's arena.
bool json_insert_bind(const struct json_insert *inserts, uint16_t marker_count,
                      struct binding *binding);

#endif
