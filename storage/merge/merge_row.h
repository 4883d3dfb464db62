// Several versions of one row become one (org.apache.cassandra.db.rows.Row.Merger; sstable-nb
// §10.2): the newest of everything that no deletion hides.
#ifndef STORAGE_MERGE_ROW_H
#define STORAGE_MERGE_ROW_H

#include "base/arena.h"
#include "storage/row.h"

// Room that is used again for each row, so that no row costs a malloc.
struct merge_row {
    const struct column *columns; // The table's static or regular ones.
    struct arena *arena;          // For the room below.
    struct arena scratch;         // For merged counters of the present row.
    struct cell *cells;
    struct complex_deletion *complex_deletions;
    uint32_t *positions; // Per version: its next cell, then its next complex deletion.
    uint32_t cell_capacity, complex_deletion_capacity;
    size_t version_capacity;
    struct row row;
};

void merge_row_init(struct merge_row *merge, const struct column *columns, struct arena *arena);
void merge_row_deinit(struct merge_row *merge);
// The merge of `count` >= 1 versions, less what `active` hides; NULL if nothing is left. Valid
// until the next call, as long as the versions are.
const struct row *merge_rows(struct merge_row *merge, const struct row *const *versions,
                             size_t count, struct deletion active);

#endif
