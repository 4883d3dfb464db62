// One partition in a memtable: its deletions, static row, and rows by clustering
// (org.apache.cassandra.db.partitions.AtomicBTreePartition).
//
// Only cells of one row hide each other here. What the partition's deletion or a range deletion
// hides stays until it is read: the merge (merge.h) leaves it out. Counter cells that a deletion
// hides stay for another reason too: the node's own shard is counted on from them, as Cassandra
// does with its counter cache.
#ifndef STORAGE_MEMTABLE_PARTITION_H
#define STORAGE_MEMTABLE_PARTITION_H

#include "storage/memtable/memtable_order.h"
#include "storage/memtable/memtable_row.h"
#include "storage/memtable/range_deletions.h"

struct memtable_partition {
    struct partition_key key;
    struct deletion deletion;
    struct memtable_row *static_row; // NULL: none.
    struct memtable_order rows;      // Of struct memtable_row.
    struct range_deletions *ranges;  // NULL: none.
    uint64_t log_position;           // Of its newest change.
};

// Copies all it keeps into the arena, always the same one. `hint`, if not NULL, is a row of the
// partition that is looked at first. False: a counter's shard had one clock and two counts; the
// higher one stays.
bool memtable_partition_apply(struct memtable_partition *partition, const struct mutation *mutation,
                              struct memtable_row *hint, struct arena *arena);
// memtable_order_guess() for a row.
void *const *memtable_partition_guess(const struct memtable_partition *partition,
                                      const struct table *table,
                                      const struct clustering *clustering);
// The row of this clustering (NULL: the static row), or NULL.
struct memtable_row *memtable_partition_find_row(const struct memtable_partition *partition,
                                                 const struct table *table,
                                                 const struct clustering *clustering);
// Where a wanted range begins and ends among the rows.
struct memtable_order_cursor memtable_partition_seek(const struct memtable_partition *partition,
                                                     const struct table *table,
                                                     const struct bound *place);

#endif
