// What a storage-attached index makes of a text before it compares it
// (org.apache.cassandra.index.sai.analyzer.NonTokenizingAnalyzer): `case_sensitive`, `ascii`.
//
// Letters are folded as far as Latin, Greek and Cyrillic go; `normalize` (to Unicode's form C)
// finds nothing to do in texts that are in this form already, as nearly all are.
#ifndef CQL_STATEMENT_TEXT_ANALYZER_H
#define CQL_STATEMENT_TEXT_ANALYZER_H

#include "storage/schema/schema.h"

// `text` itself, or what it becomes in the arena.
struct slice text_analyzer_apply(const struct options *options, struct slice text,
                                 struct arena *arena);

#endif
