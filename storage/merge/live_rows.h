// What a SELECT sees of a merged partition: rows and cells that are alive at one moment, without
// tombstones and what has expired (org.apache.cassandra.db.transform.FilteredRows).
//
//     merged partition (rows, markers, deletions) -> live rows in the same order
//
// A row exists for CQL if its liveness is alive or any of its cells is (sstable-nb §10.2). The
// source must be a merge (merge.h, engine_read): there all deletions have been applied already.
#ifndef STORAGE_LIVE_ROWS_H
#define STORAGE_LIVE_ROWS_H

#include "base/arena.h"
#include "storage/partition_iterator.h"

struct live_row {
    struct clustering clustering; // Of no values: the static row.
    struct liveness liveness;     // LIVENESS_NONE if there is none or it has expired.
    const struct cell *cells;     // Alive; by column, then by path.
    uint32_t cell_count;
};

struct live_rows {
    struct partition_iterator *partition; // Closed by live_rows_deinit().
    int32_t now;                          // Seconds since 1970: the coordinator's.
    bool has_static_row;                  // Some static cell is alive.
    struct live_row static_row;           // Valid until live_rows_deinit().
    uint64_t looked_at;                   // Rows and markers of the source so far.
    uint64_t live_count;                  // Of these, rows that are alive.
    // Of these, as Cassandra counts: dead cells, markers, and deleted rows without either.
    uint64_t tombstones;
    int32_t gc_before; // Dead cells from before this time do not count.
    uint64_t look_max; // 0, or when that many were looked at live_rows_next() stops at a dead row.
    struct arena *arena; // The rest is live_rows.c's.
    struct cell *cells;
    uint32_t cell_capacity;
    struct live_row row;
};

// Takes the iterator over; what it needs more lives in `arena`.
void live_rows_init(struct live_rows *rows, struct partition_iterator *partition, int32_t now,
                    struct arena *arena);
void live_rows_deinit(struct live_rows *rows);
// The next row, valid until the next call. END, and the statuses of partition_iterator_next(). A
// row without cells and liveness is a dead one: where the looking stopped because of `look_max`.
MUST_USE enum status live_rows_next(struct live_rows *rows, const struct live_row **row);

static inline bool live_row_is_dead(const struct live_row *row)
{
    return row->cell_count == 0 && row->liveness.timestamp == TIMESTAMP_NONE;
}

// The cells of one column in a row, by path: a pointer to the first and their number, 0 when the
// column is null.
uint32_t live_row_cells(const struct live_row *row, uint16_t column, const struct cell **cells);

#endif
