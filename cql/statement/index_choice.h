// Which index serves which restriction (org.apache.cassandra.index.Index.supportsExpression and the
// index groups of org.apache.cassandra.cql3.restrictions).
//
// An ordinary index (2i) knows equality alone, and serves alone; storage-attached ones of a table
// know ranges of most types, and serve together.
#ifndef CQL_STATEMENT_INDEX_CHOICE_H
#define CQL_STATEMENT_INDEX_CHOICE_H

#include "cql/statement/restrictions.h"

// Some index of the table knows some part of the restriction.
bool index_choice_has(const struct table *table, const struct restriction *restriction);
// One index, or the storage-attached ones together, serve all of them: nothing is left to filter.
bool index_choice_serves(const struct table *table, const struct restriction *const *restrictions,
                         size_t count);
// The index that finds rows of `restriction` by one value, the hidden table's key. NULL: none does.
// Of CONTAINS, `*entry` is the one it finds.
const struct index_definition *
index_choice_find(const struct table *table, const struct restriction *restriction, size_t *entry);
// The index whose analyzer changes what equality on the column means. NULL: as it is.
const struct index_definition *index_choice_analyzer(const struct table *table,
                                                     const struct column *column);

#endif
