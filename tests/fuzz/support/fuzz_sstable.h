// SSTables in memory: made by our writer in a simulated node, and Cassandra's of version oa, with
// every compressor (tests/golden/oa). What the target damages.
#ifndef TESTS_FUZZ_SUPPORT_FUZZ_SSTABLE_H
#define TESTS_FUZZ_SUPPORT_FUZZ_SSTABLE_H

#include "base/arena.h"
#include "storage/sstable/sstable.h"

struct fuzz_sstable {
    struct sstable_name name;
    const struct table *table;
    const struct table *later;                   // Without its last regular column.
    struct slice files[SSTABLE_COMPONENT_COUNT]; // Null: there is none.
};

// Never freed.
const struct fuzz_sstable *fuzz_sstable_at(size_t index);
size_t fuzz_sstable_count(void);

// Makes the checksums in Data.db (of chunks, where CompressionInfo.db says they are) and
// Statistics.db right. New bytes are in the arena.
void fuzz_sstable_fix(struct slice files[SSTABLE_COMPONENT_COUNT], struct arena *arena);

#endif
