// Several sources of one partition (or of a run of partitions) read as one: newest cell wins,
// counters merge by shard, deletions hide what is older (sstable-nb §10.1, §10.2;
// UnfilteredRowIterators.merge).
//
// A source that says WOULD_BLOCK makes the merge say so; asked again, it asks that source again. So
// sources may pause, while reads that miss something begin anew.
#ifndef STORAGE_MERGE_H
#define STORAGE_MERGE_H

#include "base/arena.h"
#include "storage/partition_iterator.h"

// The merge of `count` >= 1 iterators of one partition and one table; it closes them. In `arena`.
struct partition_iterator *merge_partitions(struct partition_iterator **sources, size_t count,
                                            bool reversed, struct arena *arena);
// The merge of scans; it closes them. In `arena`, of which a part is used again for each partition.
struct scan_iterator *merge_scans(struct scan_iterator **sources, size_t count, bool reversed,
                                  struct arena *arena);

#endif
