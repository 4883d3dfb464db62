// Names as CQL texts have them: bare, or in double quotes where the parser would not give the same
// name back (org.apache.cassandra.cql3.ColumnIdentifier.maybeQuote, ReservedKeywords).
#ifndef STORAGE_CQL_NAME_H
#define STORAGE_CQL_NAME_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>

// A word that is never a name unless quoted. In any case of letters.
bool cql_name_is_reserved(struct slice word);
// [a-z][a-z0-9_]* and not reserved.
bool cql_name_needs_no_quotes(struct slice name);
void cql_name_put(struct slice name, struct buffer *text);
// 'text' with quotes inside doubled: a string literal.
void cql_name_put_string(struct slice string, struct buffer *text);

#endif
