// One table of several SSTables: their keys, and the columns of all.
#ifndef NODE_SSTABLE_TOOL_TABLE_UNION_H
#define NODE_SSTABLE_TOOL_TABLE_UNION_H

#include "node/sstable_tool/tool_sstable.h"

struct table_union {
    struct arena arena;
    struct header header; // Of the union; its columns are in no order.
    const struct tool_input *first;
};

void table_union_init(struct table_union *whole);
void table_union_deinit(struct table_union *whole);
// INVALID: it cannot be of the same table as those before.
MUST_USE enum status table_union_add(struct table_union *whole, const struct tool_sstable *sstable,
                                     struct error *error);

#endif
