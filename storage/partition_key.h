// The bytes of a partition key (sstable-nb §9.2; org.apache.cassandra.db.marshal.CompositeType).
//
//     one column:  the value
//     several:     each { u16 size, bytes, u8 0 }
#ifndef STORAGE_PARTITION_KEY_H
#define STORAGE_PARTITION_KEY_H

#include "base/arena.h"
#include "base/error.h"
#include "storage/token.h"

// The key of `count` >= 1 components with its token; its bytes are the component itself when there
// is one, else in the arena. INVALID with Cassandra's text when it is empty or longer than
// KEY_SIZE_MAX.
MUST_USE enum status partition_key_build(const struct slice *components, size_t count,
                                         struct arena *arena, struct partition_key *key,
                                         struct error *error);
// The `count` components of a key, borrowed from it. CORRUPT when they do not fit exactly.
MUST_USE enum status partition_key_split(struct slice key, size_t count, struct slice *components);

#endif
