// Order of the cells of one multi-cell column: by map key, set element, list timeuuid or field
// index (org.apache.cassandra.schema.ColumnMetadata.cellPathComparator).
#ifndef STORAGE_CELL_PATH_H
#define STORAGE_CELL_PATH_H

#include "storage/row.h"
#include "storage/schema/type.h"

// Negative, zero, positive. `type` is the column's; paths of a single-cell one are all equal.
int cell_path_compare(const struct type *type, struct slice a, struct slice b);

// Order of two cells of one row: by column, then by path. `columns` is the table's list.
static inline int cell_place_compare(const struct column *columns, const struct cell *a,
                                     const struct cell *b)
{
    if (a->column != b->column) return a->column < b->column ? -1 : 1;
    if (a->path.size == 0 && b->path.size == 0) return 0;
    return cell_path_compare(columns[a->column].type, a->path, b->path);
}

#endif
