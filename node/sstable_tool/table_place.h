// What the directory of an SSTable tells of its table: data/KEYSPACE/TABLE-<32 digits>, or a
// snapshot or backup below that.
#ifndef NODE_SSTABLE_TOOL_TABLE_PLACE_H
#define NODE_SSTABLE_TOOL_TABLE_PLACE_H

#include "base/arena.h"
#include "storage/uuid.h"

struct table_place {
    struct slice keyspace, table; // Null: not known.
    bool has_id;
    struct uuid id;
};

struct table_place table_place_of(const char *directory, struct arena *arena);

#endif
