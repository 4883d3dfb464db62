// ORDER BY v ANN OF [ … ] LIMIT n: the rows whose vectors are nearest to one
// (org.apache.cassandra.index.sai: VectorTopKProcessor; cql3.Ordering.Ann).
//
// Cassandra's index answers approximately. Here all rows that the rest of the statement allows are
// looked at, and the answer is exact.
#ifndef CQL_STATEMENT_SELECT_ANN_H
#define CQL_STATEMENT_SELECT_ANN_H

#include "cql/statement/plan.h"

enum { SELECT_ANN_LIMIT_MAX = 1000 };

bool select_ann_is_wanted(const struct cql_select *select);
// Fills in `plan->ann`, after the restrictions.
bool select_ann_prepare(struct analysis *analysis, const struct cql_select *select,
                        struct select_plan *plan);
// How near two vectors are: more is nearer. Both have the same type.
double select_ann_nearness(enum ann_similarity similarity, struct slice a, struct slice b);

#endif
