// Rows as Cassandra's Row.toString() has them, one a line: what sstabledump -d prints.
#ifndef NODE_SSTABLE_TOOL_DUMP_INTERNAL_H
#define NODE_SSTABLE_TOOL_DUMP_INTERNAL_H

#include "base/buffer.h"
#include "storage/partition_iterator.h"

struct dump_internal {
    const struct table *table;
    const struct type *const *key_types;
    struct slice key;
    uint64_t position; // Of what is printed next.
    struct buffer *text;
};

// The partition's deletion and static row, if it has them.
void dump_internal_put_head(struct dump_internal *internal,
                            const struct partition_iterator *partition);
void dump_internal_put_unfiltered(struct dump_internal *internal,
                                  const struct unfiltered *unfiltered);

#endif
