// The newest data of a table, in memory: a hash index for point access beside token order, rows in
// clustering order, all in one arena (org.apache.cassandra.db.memtable).
//
// The loop writes and reads it. Once frozen it never changes and a flush thread may read it too.
// Newer values of a cell replace older ones by reconciliation (reconcile.h); what is replaced stays
// in the arena until the whole memtable goes. It belongs to one version of its table: an ALTER
// freezes it.
#ifndef STORAGE_MEMTABLE_H
#define STORAGE_MEMTABLE_H

#include "base/status.h"
#include "storage/mutation.h"
#include "storage/partition_iterator.h"

struct block_pool;
struct memtable;

// Holds a reference to the table. One reference to the memtable is the caller's.
struct memtable *memtable_create(const struct table *table);
// Its large blocks come from the pool and go there; holds a reference. Before the first change.
void memtable_use_pool(struct memtable *memtable, struct block_pool *pool);
void memtable_ref(struct memtable *memtable);
void memtable_unref(struct memtable *memtable); // NULL is allowed.
// From now on nothing is applied to it.
void memtable_freeze(struct memtable *memtable);

// Merges the change into the partition; copies all it keeps. `log_position` is the commit-log
// position (commit_log.h) of the change, 0 if it has none; it only grows. False: a counter's shard
// had one clock and two counts (exactly-once.md §2.5); the higher one stays.
bool memtable_apply(struct memtable *memtable, const struct mutation *mutation,
                    uint64_t log_position);

// Asks for the memory that changes will be merged into, for all of them at once, and notes the
// likely places, which are looked at again then: applying them waits for none of it.
struct memtable_prefetch {
    struct memtable *memtable;
    const struct mutation *mutation;
    uint64_t hash; // The rest is the memtable's.
    struct memtable_partition *partition;
    void *const *place;
    struct memtable_row *row;
};
void memtable_prefetch(struct memtable_prefetch *prefetches, size_t count);
// memtable_apply() of one of them.
bool memtable_apply_prefetched(const struct memtable_prefetch *prefetch, uint64_t log_position);

const struct table *memtable_table(const struct memtable *memtable);
// Bytes of its arena and index.
size_t memtable_size(const struct memtable *memtable);
size_t memtable_partition_count(const struct memtable *memtable);
// No change in it has a smaller timestamp; INT64_MAX when there is none.
int64_t memtable_min_timestamp(const struct memtable *memtable);

// The partition as it is now, seen through `table` (a later version of the memtable's); NULL if
// there is none. Iterators live in `arena` and must be closed before the next memtable_apply().
// `*log_position`, if not NULL, is raised to that of the newest change in the partition (invariant
// 3).
struct partition_iterator *memtable_read(struct memtable *memtable, const struct table *table,
                                         const struct partition_key *key,
                                         const struct partition_filter *filter, struct arena *arena,
                                         uint64_t *log_position);
struct scan_iterator *memtable_scan(struct memtable *memtable, const struct table *table,
                                    const struct scan_range *range,
                                    const struct partition_filter *filter, struct arena *arena,
                                    uint64_t *log_position);

// The cell of one row as it is now, for the counter path: NULL if there is none. The row's and the
// partition's deletion are not applied. Valid until the next memtable_apply() or
// memtable_find_cell(). The loop's, as it notes what it found.
const struct cell *memtable_find_cell(const struct memtable *memtable,
                                      const struct partition_key *key,
                                      const struct clustering *clustering, uint16_t column);

#endif
