// Partitions in arrays, as a scan: what a test gives to a writer.
#ifndef TESTS_STORAGE_SUPPORT_MEMORY_SOURCE_H
#define TESTS_STORAGE_SUPPORT_MEMORY_SOURCE_H

#include "storage/partition_iterator.h"

struct memory_partition {
    struct partition_key key;
    struct deletion deletion;
    const struct row *static_row;
    const struct unfiltered *unfiltereds;
    size_t unfiltered_count;
};

struct memory_source {
    struct scan_iterator base;
    struct partition_iterator partition;
    const struct memory_partition *partitions; // Any order; memory_source_init() sorts them.
    size_t count, next, next_unfiltered;
};

// Sorts the partitions. The scan is `&source->base`, from the beginning; closing it does nothing.
void memory_source_init(struct memory_source *source, const struct table *table,
                        struct memory_partition *partitions, size_t count);

#endif
