// Rows of a table in any order become SSTables: gathered and sorted in memory, written when that is
// full, and merged into one at the end if that is wanted.
#ifndef NODE_SSTABLE_TOOL_TABLE_WRITER_H
#define NODE_SSTABLE_TOOL_TABLE_WRITER_H

#include "node/sstable_tool/node_place.h"
#include "storage/memtable/memtable.h"

struct table_writer {
    struct env *env;
    const struct table *table;
    const char *directory; // Absolute; exists.
    struct node_place place;
    size_t memory_max;
    struct memtable *memtable;
    uint64_t next_generation;
    uint64_t *generations; // Of what was written.
    size_t count, capacity;
    uint64_t bytes, partitions;
};

// Makes the directory unless it is there; SSTables that are in it stay. Its absolute name is put
// into `arena`. IN_USE: a node runs on it. To be closed also on failure.
MUST_USE enum status table_writer_open(struct table_writer *writer, struct env *env,
                                       const struct table *table, const char *directory,
                                       size_t memory_max, struct arena *arena, struct error *error);
MUST_USE enum status table_writer_add(struct table_writer *writer, const struct mutation *mutation,
                                      struct error *error);
// Writes what is still in memory; `as_one`: and makes one SSTable of all that were written.
MUST_USE enum status table_writer_finish(struct table_writer *writer, bool as_one,
                                         struct error *error);
void table_writer_close(struct table_writer *writer);

#endif
