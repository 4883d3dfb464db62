// Which of two versions wins (org.apache.cassandra.db.rows.Cells, LivenessInfo; sstable-nb §10.1,
// §3.6). None of it depends on the clock, and the order of the two does not matter.
#ifndef STORAGE_RECONCILE_H
#define STORAGE_RECONCILE_H

#include "base/arena.h"
#include "storage/row.h"

// Two versions of one cell: the same row, column and path. For a counter column the values of two
// live cells merge, in `arena`. The result's slices point into `a`, `b` or the arena.
struct cell reconcile_cells(const struct cell *a, const struct cell *b, bool is_counter,
                            struct arena *arena);
// For counters; `*conflict` is set as by counter_context_merge().
struct cell reconcile_counters(const struct cell *a, const struct cell *b, struct arena *arena,
                               bool *conflict);
struct liveness reconcile_liveness(struct liveness a, struct liveness b);

#endif
