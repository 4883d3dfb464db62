// The parts of a partition (org.apache.cassandra.db.rows): rows, cells, deletions and bounds.
//
// All are plain values that point into memory of whoever made them; the maker's header says until
// when. Timestamps are microseconds as clients give them; local times are seconds since 1970.
//
//     partition = key, deletion, [static row], (row | marker)* in clustering order
#ifndef STORAGE_ROW_H
#define STORAGE_ROW_H

#include "base/buffer.h"
#include "base/slice.h"
#include "storage/schema/schema.h"
#include "storage/token.h"

#include <stdbool.h>
#include <stdint.h>

#define TIMESTAMP_NONE       INT64_MIN // No liveness, no deletion.
#define LOCAL_TIME_NONE      INT32_MAX // Neither deleted nor expiring.
#define LOCAL_TIME_MAX       2147483646
#define TTL_NONE             0
#define TTL_EXPIRED_LIVENESS INT32_MAX // Marks an expired liveness (materialized views of others).

// DeletionTime: removes everything with a timestamp up to and including its own.
struct deletion {
    int64_t timestamp; // "marked for delete at"; TIMESTAMP_NONE: no deletion.
    int32_t local_time;
};

#define DELETION_NONE ((struct deletion){TIMESTAMP_NONE, LOCAL_TIME_NONE})

static inline bool deletion_is_live(struct deletion deletion)
{
    return deletion.timestamp == TIMESTAMP_NONE;
}

// A larger timestamp, then a larger local time (DeletionTime.supersedes).
static inline bool deletion_supersedes(struct deletion a, struct deletion b)
{
    return a.timestamp != b.timestamp ? a.timestamp > b.timestamp : a.local_time > b.local_time;
}

static inline bool deletion_deletes(struct deletion deletion, int64_t timestamp)
{
    return timestamp <= deletion.timestamp && !deletion_is_live(deletion);
}

// LivenessInfo: the row marker that INSERT writes.
struct liveness {
    int64_t timestamp;  // TIMESTAMP_NONE: there is none.
    int32_t ttl;        // Seconds, or TTL_NONE.
    int32_t local_time; // When it expires, or LOCAL_TIME_NONE.
};

#define LIVENESS_NONE ((struct liveness){TIMESTAMP_NONE, TTL_NONE, LOCAL_TIME_NONE})

// One value of one column. A tombstone has no ttl, a local time, and an empty value.
struct cell {
    uint16_t column; // Index in the table's static or regular list, by the kind of row.
    int32_t ttl;
    int32_t local_time; // When deleted, or when it expires; else LOCAL_TIME_NONE.
    int64_t timestamp;
    struct slice value; // Of a counter: its context (counter_context.h).
    struct slice path;  // Of a multi-cell column: map key, set element, list timeuuid, field index;
                        // null for any other.
};

static inline bool cell_is_tombstone(const struct cell *cell)
{
    return cell->local_time != LOCAL_TIME_NONE && cell->ttl == TTL_NONE;
}

static inline bool cell_is_expiring(const struct cell *cell)
{
    return cell->ttl != TTL_NONE;
}

// Alive at `now` (seconds): neither a tombstone nor expired.
static inline bool cell_is_live(const struct cell *cell, int32_t now)
{
    return cell->local_time == LOCAL_TIME_NONE || (cell->ttl != TTL_NONE && now < cell->local_time);
}

// An expired cell as if it had been deleted when it was written: it hides what is older, and takes
// no space (AbstractCell.purge).
static inline void cell_become_tombstone(struct cell *cell)
{
    cell->local_time = (int32_t)((uint32_t)cell->local_time - (uint32_t)cell->ttl);
    cell->ttl = TTL_NONE;
    cell->value = slice_make("", 0);
}

// The deletion of a whole multi-cell column in one row.
struct complex_deletion {
    uint16_t column;
    struct deletion deletion;
};

// The clustering values of a row. A value may be null (old COMPACT STORAGE data) or empty.
struct clustering {
    uint16_t count;
    const struct slice *values;
};

struct row {
    struct clustering clustering; // Of no values for the static row and tables without clustering.
    struct liveness liveness;
    struct deletion deletion;
    uint32_t cell_count;
    uint32_t complex_deletion_count;
    const struct cell *cells;                         // By column, then by path.
    const struct complex_deletion *complex_deletions; // By column.
};

static inline bool row_is_empty(const struct row *row)
{
    return row->cell_count == 0 && row->complex_deletion_count == 0 &&
           row->liveness.timestamp == TIMESTAMP_NONE && deletion_is_live(row->deletion);
}

// ClusteringPrefix.Kind, in the order of the files (sstable-nb §2.4).
enum bound_kind {
    BOUND_EXCL_END,
    BOUND_INCL_START,
    BOUND_EXCL_END_INCL_START, // A boundary: one range ends where the next starts.
    BOUND_STATIC_CLUSTERING,
    BOUND_CLUSTERING, // A row's.
    BOUND_INCL_END_EXCL_START,
    BOUND_INCL_END,
    BOUND_EXCL_START,
};

// A place between rows, or a row's own place (BOUND_CLUSTERING).
struct bound {
    enum bound_kind kind;
    struct clustering prefix; // May have fewer values than the table has clustering columns.
};

#define BOUND_BOTTOM ((struct bound){BOUND_INCL_START, {0, NULL}})
#define BOUND_TOP    ((struct bound){BOUND_INCL_END, {0, NULL}})

// Order of two places in a table's clustering order (§2.10: DESC columns reversed, null first).
int bound_compare(const struct table *table, const struct bound *a, const struct bound *b);
// Order of two rows.
int clustering_compare(const struct table *table, const struct clustering *a,
                       const struct clustering *b);

// uv count | value *, each nullable: what mutations, reads and page states have on the wire.
void clustering_put(struct buffer *bytes, const struct clustering *clustering);

// The marker stands before the rows that have its values as their first ones, not behind them.
static inline bool bound_stands_before_rows(enum bound_kind kind)
{
    return kind == BOUND_INCL_START || kind == BOUND_EXCL_END || kind == BOUND_EXCL_END_INCL_START;
}

static inline bool bound_is_boundary(enum bound_kind kind)
{
    return kind == BOUND_EXCL_END_INCL_START || kind == BOUND_INCL_END_EXCL_START;
}

// A range tombstone opens, closes, or both.
struct marker {
    struct bound bound;
    struct deletion closes; // DELETION_NONE for a start.
    struct deletion opens;  // DELETION_NONE for an end.
};

struct unfiltered {
    bool is_marker;
    union {
        const struct row *row;
        const struct marker *marker;
    };
};

// A range of rows [start, end] between two bounds (org.apache.cassandra.db.Slice).
struct clustering_range {
    struct bound start; // INCL_START or EXCL_START.
    struct bound end;   // INCL_END or EXCL_END.
};

#define CLUSTERING_RANGE_ALL ((struct clustering_range){BOUND_BOTTOM, BOUND_TOP})

#endif
