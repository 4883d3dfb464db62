// Where in Data.db a scan stands (sstable_scan(), forward), for tools that print it: places in the
// uncompressed bytes.
#ifndef STORAGE_SSTABLE_SCAN_PLACE_H
#define STORAGE_SSTABLE_SCAN_PLACE_H

#include "storage/sstable/partition_reader.h"

// Where the partition of a scan begins.
static inline uint64_t scan_place_of_partition(const struct partition_iterator *partition)
{
    return ((const struct partition_reader *)partition)->entry.position;
}

// Behind what was read last: its head, with the static row, or a row or marker.
static inline uint64_t scan_place_behind(const struct partition_iterator *partition)
{
    return ((const struct partition_reader *)partition)->data.position;
}

#endif
