// One partition from one source (a memtable, an SSTable, or the merge of several), piece by piece
// in clustering order (org.apache.cassandra.db.rows.UnfilteredRowIterator).
//
// Column indexes are those of the table that the reader asked with, whatever version of the table
// the source was written under. Whoever opens an iterator closes it.
#ifndef STORAGE_PARTITION_ITERATOR_H
#define STORAGE_PARTITION_ITERATOR_H

#include "storage/row.h"

struct partition_iterator;

struct partition_iterator_ops {
    // The next row or marker, valid until the next call. END behind the last. WOULD_BLOCK: a piece
    // is not in memory (see read_pins.h); the iterator is then only good for closing. CORRUPT, IO.
    enum status (*next)(struct partition_iterator *iterator, struct unfiltered *unfiltered);
    void (*close)(struct partition_iterator *iterator);
};

struct partition_iterator {
    const struct partition_iterator_ops *ops;
    const struct table *table; // The reader's.
    struct partition_key key;  // Valid until close, as are the next two.
    struct deletion deletion;
    const struct row *static_row; // NULL: none.
};

static inline MUST_USE enum status partition_iterator_next(struct partition_iterator *iterator,
                                                           struct unfiltered *unfiltered)
{
    return iterator->ops->next(iterator, unfiltered);
}

static inline void partition_iterator_close(struct partition_iterator *iterator)
{
    if (iterator != NULL) iterator->ops->close(iterator);
}

// What of a partition is read.
struct partition_filter {
    const struct clustering_range *ranges; // Sorted, apart from each other, in clustering order.
    size_t range_count;                    // 0: no rows at all (static columns only).
    bool reversed;    // Rows come last first; `ranges` stay in clustering order.
    bool with_static; // The static row is wanted too.
};

// A run of partitions of one source in ring order (UnfilteredPartitionIterator).
struct scan_iterator;

struct scan_iterator_ops {
    // Opens the next partition, which the caller closes before it asks again. END, WOULD_BLOCK,
    // CORRUPT, IO as above.
    enum status (*next)(struct scan_iterator *scan, struct partition_iterator **partition);
    void (*close)(struct scan_iterator *scan);
};

struct scan_iterator {
    const struct scan_iterator_ops *ops;
    const struct table *table;
};

static inline MUST_USE enum status scan_iterator_next(struct scan_iterator *scan,
                                                      struct partition_iterator **partition)
{
    return scan->ops->next(scan, partition);
}

static inline void scan_iterator_close(struct scan_iterator *scan)
{
    if (scan != NULL) scan->ops->close(scan);
}

// Which partitions: from `start` to `end`, each by token alone or by a key.
struct scan_bound {
    struct token token;
    struct slice key; // Null: the whole token.
    bool inclusive;
};
struct scan_range {
    struct scan_bound start, end;
};

// start = MIN64 inclusive, end = MAX64 inclusive: all partitions.
#define SCAN_RANGE_ALL                                                                             \
    ((struct scan_range){{{INT64_MIN}, {NULL, 0}, true}, {{INT64_MAX}, {NULL, 0}, true}})

bool scan_range_contains(const struct scan_range *range, const struct partition_key *key);

#endif
