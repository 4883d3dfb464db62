// Several SSTables of one table, read as one.
#ifndef NODE_SSTABLE_TOOL_TOOL_MERGE_H
#define NODE_SSTABLE_TOOL_TOOL_MERGE_H

#include "node/sstable_tool/tool_input.h"
#include "storage/partition_iterator.h"

struct tool_merge {
    struct env *env;
    const struct table *table; // With a reference.
    struct sstable_reader **readers;
    size_t count;
    struct arena arena;
    struct scan_iterator *scan; // NULL before tool_merge_scan().
};

// Opens them all for reads with `table`. On failure there is nothing to close.
MUST_USE enum status tool_merge_open(struct tool_merge *merge, struct env *env,
                                     const struct tool_inputs *inputs, const struct table *table,
                                     struct error *error);
// Begins the one scan there is. `error` must live as long as it.
MUST_USE enum status tool_merge_scan(struct tool_merge *merge, struct error *error);
void tool_merge_close(struct tool_merge *merge);

// The table that the files are of, with the columns of all. `keys`: names of the key's columns,
// with commas between, or NULL. One reference.
MUST_USE enum status tool_merge_table(struct env *env, const struct tool_inputs *inputs,
                                      const char *keys, const struct table **table,
                                      struct error *error);

#endif
