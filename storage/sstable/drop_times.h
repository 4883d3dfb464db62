// When the tombstones and expiring cells of an SSTable become droppable, as a histogram of at most
// 100 points (org.apache.cassandra.utils.streamhist.StreamingTombstoneHistogramBuilder; sstable-nb
// §8.4).
//
//     add -> spool: a count for each minute -> (at the end) points, the two nearest merged when
//     full
//
// Which points are merged depends on the order in which they come out of the spool, so this is
// Cassandra's hash table, cell for cell.
#ifndef STORAGE_SSTABLE_DROP_TIMES_H
#define STORAGE_SSTABLE_DROP_TIMES_H

#include "base/buffer.h"

#include <stdint.h>

enum { DROP_TIMES_MAX = 100, DROP_TIMES_ROUND_S = 60 };

struct drop_times_spool;

struct drop_times {
    struct drop_times_spool *spool; // NULL: nothing was added.
    size_t count;
    int64_t points[DROP_TIMES_MAX + 1];
    uint64_t counts[DROP_TIMES_MAX + 1];
};

void drop_times_init(struct drop_times *times);
void drop_times_deinit(struct drop_times *times);
void drop_times_add(struct drop_times *times, int32_t local_time);
// Empties the spool into the points.
void drop_times_finish(struct drop_times *times);
// Of finished ones.
void drop_times_encode(const struct drop_times *times, struct buffer *bytes);

#endif
