#include "tests/storage/support/memory_source.h"

#include "base/container_of.h"

#include <stdlib.h>

static enum status next_unfiltered(struct partition_iterator *iterator,
                                   struct unfiltered *unfiltered)
{
    struct memory_source *source = CONTAINER_OF(iterator, struct memory_source, partition);
    const struct memory_partition *partition = &source->partitions[source->next - 1];
    if (source->next_unfiltered == partition->unfiltered_count) return STATUS_END;
    *unfiltered = partition->unfiltereds[source->next_unfiltered++];
    return STATUS_OK;
}

static void close_partition(struct partition_iterator *iterator)
{
    (void)iterator;
}

static const struct partition_iterator_ops partition_ops = {next_unfiltered, close_partition};

static enum status next_partition(struct scan_iterator *iterator,
                                  struct partition_iterator **partition)
{
    struct memory_source *source = (struct memory_source *)iterator;
    if (source->next == source->count) return STATUS_END;
    const struct memory_partition *next = &source->partitions[source->next++];
    source->next_unfiltered = 0;
    source->partition = (struct partition_iterator){
        .ops = &partition_ops,
        .table = iterator->table,
        .key = next->key,
        .deletion = next->deletion,
        .static_row = next->static_row,
    };
    *partition = &source->partition;
    return STATUS_OK;
}

static void close_source(struct scan_iterator *iterator)
{
    (void)iterator;
}

static const struct scan_iterator_ops scan_ops = {next_partition, close_source};

static int compare_partitions(const void *left, const void *right)
{
    const struct memory_partition *a = left, *b = right;
    return partition_key_compare(&a->key, &b->key);
}

void memory_source_init(struct memory_source *source, const struct table *table,
                        struct memory_partition *partitions, size_t count)
{
    qsort(partitions, count, sizeof *partitions, compare_partitions);
    *source = (struct memory_source){
        .base = {&scan_ops, table}, .partitions = partitions, .count = count};
}
