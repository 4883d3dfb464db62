// SSTables of a directory that are none: those that a transaction log (nb_txn_*.log) is still
// adding, or has removed but for their files. A start of a node would take them away
// (storage/sstable/transaction_log.h); a tool that only reads passes them over.
#ifndef NODE_SSTABLE_TOOL_UNFINISHED_H
#define NODE_SSTABLE_TOOL_UNFINISHED_H

#include "base/arena.h"
#include "storage/sstable/sstable.h"

struct unfinished {
    struct slice *prefixes; // "nb-3-big-"
    size_t count, capacity;
};

// What is written in `name`, if that is a log; nothing for any other. In the arena.
MUST_USE enum status unfinished_add(struct unfinished *unfinished, struct env *env,
                                    const char *directory, const char *name, struct arena *arena,
                                    struct error *error);
bool unfinished_has(const struct unfinished *unfinished, const struct sstable_name *name);

#endif
