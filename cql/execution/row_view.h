// One row as selectors and filters see it: the values of any column of the table.
#ifndef CQL_EXECUTION_ROW_VIEW_H
#define CQL_EXECUTION_ROW_VIEW_H

#include "storage/merge/live_rows.h"

struct row_view {
    const struct table *table;
    const struct slice *key;           // The partition key's components.
    const struct live_row *row;        // NULL: the partition has only a static row.
    const struct live_row *static_row; // NULL: it has none.
    int32_t now_s;
};

// The value as clients get it; null when there is none. Counters are their total, multi-cell
// collections one value; these are made in `arena`.
struct slice row_view_value(const struct row_view *view, const struct column *column,
                            struct arena *arena);
// The live cells of a static or regular column.
uint32_t row_view_cells(const struct row_view *view, const struct column *column,
                        const struct cell **cells);

#endif
