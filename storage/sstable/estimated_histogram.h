// Counts in buckets that grow by a fifth (org.apache.cassandra.utils.EstimatedHistogram): sizes of
// partitions and numbers of their cells, in Statistics.db (sstable-nb §8.4).
//
//     offsets 1 2 3 4 5 6 7 8 10 12 14 17 …; bucket i counts (offset[i - 1], offset[i]], 0 goes to
//     bucket 0, what is larger than all to the last
#ifndef STORAGE_SSTABLE_ESTIMATED_HISTOGRAM_H
#define STORAGE_SSTABLE_ESTIMATED_HISTOGRAM_H

#include "base/buffer.h"

#include <stdint.h>

enum {
    ESTIMATED_HISTOGRAM_SIZES = 155, // Offsets of the histogram of partition sizes …
    ESTIMATED_HISTOGRAM_CELLS = 118, // … and of cells in a partition.
    ESTIMATED_HISTOGRAM_MAX = 155
};

struct estimated_histogram {
    size_t offset_count;
    uint64_t offsets[ESTIMATED_HISTOGRAM_MAX];
    uint64_t buckets[ESTIMATED_HISTOGRAM_MAX + 1];
};

void estimated_histogram_init(struct estimated_histogram *histogram, size_t offset_count);
void estimated_histogram_add(struct estimated_histogram *histogram, uint64_t value);
void estimated_histogram_encode(const struct estimated_histogram *histogram, struct buffer *bytes);

#endif
