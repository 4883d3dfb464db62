// A row of values becomes a change to a partition, as an INSERT of these values would be.
#ifndef NODE_SSTABLE_TOOL_ROW_BUILDER_H
#define NODE_SSTABLE_TOOL_ROW_BUILDER_H

#include "base/env.h"
#include "storage/mutation.h"

struct row_builder_options {
    const struct table *table;
    int64_t timestamp; // Of the row.
    int32_t now, ttl;  // Seconds; ttl 0: for ever.
    // Counters: each value becomes the shard of this id, with the timestamp for its clock.
    bool has_counter_id;
    struct uuid counter_id;
    uint64_t uuid_node; // Of the places of list elements.
};

// Values by kind of column and index; null is none. Those of counters are 8 bytes.
struct row_builder_values {
    struct slice *of_kind[COLUMN_KIND_COUNT];
};

// In the arena. INVALID: part of the key is missing, or too long.
MUST_USE enum status row_builder_make(const struct row_builder_options *options,
                                      const struct row_builder_values *values, struct arena *arena,
                                      struct mutation *mutation, struct error *error);

#endif
