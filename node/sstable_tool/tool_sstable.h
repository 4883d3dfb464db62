// One SSTable as a tool has it open: what Statistics.db says, and a table made of that.
#ifndef NODE_SSTABLE_TOOL_TOOL_SSTABLE_H
#define NODE_SSTABLE_TOOL_TOOL_SSTABLE_H

#include "node/sstable_tool/tool_input.h"
#include "storage/sstable/header_table.h"
#include "storage/sstable/sstable.h"
#include "storage/sstable/statistics_full.h"

struct tool_sstable {
    struct env *env;
    const struct tool_input *input;
    struct arena arena;
    struct statistics_full statistics;
    const struct table *table;     // With a reference.
    struct sstable_reader *reader; // NULL: only Statistics.db was read.
};

// Statistics.db alone. `names` NULL: Cassandra's own stand-ins. On failure there is nothing to
// close.
MUST_USE enum status tool_sstable_begin(struct tool_sstable *sstable, struct env *env,
                                        const struct tool_input *input,
                                        const struct header_table_names *names,
                                        struct error *error);
// And the rest, for reading. On failure it is still to be closed.
MUST_USE enum status tool_sstable_open(struct tool_sstable *sstable, struct error *error);
void tool_sstable_close(struct tool_sstable *sstable);

// All partitions and all of each, in the file's order.
MUST_USE enum status tool_sstable_scan(struct tool_sstable *sstable, const struct scan_range *range,
                                       struct arena *arena, struct scan_iterator **scan,
                                       struct error *error);

// The types of the partition key's columns, in the arena.
const struct type *const *tool_sstable_key_types(struct tool_sstable *sstable, size_t *count);

#endif
