// What a compaction may leave out: tombstones that are old enough and hide nothing any more, cells
// that have expired long ago (org.apache.cassandra.db.partitions.PurgeFunction, DeletionPurger,
// CompactionController).
//
// A tombstone goes when it is older than gc_before and newer than nothing that lies elsewhere: its
// timestamp is below the smallest timestamp of all sources outside of the compaction (memtables,
// other SSTables) that may have its partition. An expired cell becomes a tombstone first, as of the
// moment of its expiry less its TTL.
#ifndef STORAGE_COMPACTION_PURGE_H
#define STORAGE_COMPACTION_PURGE_H

#include "base/arena.h"
#include "storage/partition_iterator.h"

struct sstable_reader;

struct purge {
    // How long what has expired keeps its form before it becomes a tombstone. A coordinator whose
    // clock is behind may still show it: with a tombstone in it, of its row the key alone would be
    // alive.
    int32_t expiry_margin_s;
    int32_t now_s;     // Wall time: what has expired.
    int32_t gc_before; // Tombstones with an earlier local deletion time are old enough. INT32_MIN:
                       // none.
    // The smallest timestamp in memory, or INT64_MAX; it stands for all keys.
    int64_t memory_min_timestamp;
    // Other SSTables of the table whose ranges overlap; they live as long as the purge is in use.
    struct sstable_reader *const *others;
    size_t other_count;
};

// False: nothing lies elsewhere, so every deletion of this partition may go by its timestamp. True:
// only those with a smaller one (CompactionController.getPurgeEvaluator). Looks at key ranges,
// bloom filters and timestamps of `others` only.
bool purge_max_timestamp(const struct purge *purge, const struct partition_key *key,
                         int64_t *max_timestamp);

// The scan without what may go, and without partitions and rows of which nothing is left. `purge`
// may be changed between two partitions. Closes `source`. In `arena`.
struct scan_iterator *purge_scan(struct scan_iterator *source, const struct purge *purge,
                                 struct arena *arena);
// The same of one partition, which may be read backwards: NULL in its place when nothing is left.
// It is closed, and NULL, on failure: WOULD_BLOCK, CORRUPT, IO.
MUST_USE enum status purge_partition(struct partition_iterator **partition,
                                     const struct purge *purge, struct arena *arena);

#endif
