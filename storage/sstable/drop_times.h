// When the tombstones and expiring cells of an SSTable become droppable, as a histogram of at most
// 100 points (org.apache.cassandra.utils.streamhist.StreamingTombstoneHistogramBuilder; sstable-nb
// §8.4). Exactly Cassandra's while there are no more distinct minutes than points.
#ifndef STORAGE_SSTABLE_DROP_TIMES_H
#define STORAGE_SSTABLE_DROP_TIMES_H

#include "base/buffer.h"

#include <stdint.h>

enum { DROP_TIMES_MAX = 100, DROP_TIMES_ROUND_S = 60 };

struct drop_times {
    size_t count;
    size_t last; // Where the last one was counted: most have many neighbours.
    int64_t points[DROP_TIMES_MAX + 1];
    uint64_t counts[DROP_TIMES_MAX + 1];
};

struct drop_time {
    int64_t point, count;
};

void drop_times_init(struct drop_times *times);
void drop_times_add(struct drop_times *times, int32_t local_time);
void drop_times_encode(const struct drop_times *times, struct buffer *bytes);
// How many of a histogram's times, ascending, lie up to the moment; between two points it grows
// evenly (TombstoneHistogram.sum).
double drop_times_before(const struct drop_time *times, size_t count, int64_t moment);

#endif
