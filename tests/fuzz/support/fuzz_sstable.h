// SSTables in memory: made by our writer in a simulated node, and Cassandra's of both versions,
// with every compressor (tests/golden). What the target damages.
#ifndef TESTS_FUZZ_SUPPORT_FUZZ_SSTABLE_H
#define TESTS_FUZZ_SUPPORT_FUZZ_SSTABLE_H

#include "base/arena.h"
#include "storage/sstable/sstable.h"

enum { FUZZ_SSTABLE_OTHERS = 5 };

struct fuzz_sstable {
    struct sstable_name name;
    const struct table *table;
    // Without its last regular column, with another compression, and other chances.
    const struct table *later;
    // Whose rows it can not be, though columns have the same names: other types of cells, of the
    // clustering, another order, cells for collections; types of any size for fixed ones do.
    const struct table *others[FUZZ_SSTABLE_OTHERS];
    struct slice files[SSTABLE_COMPONENT_COUNT]; // Null: there is none.
    struct slice plain;                          // Data.db, decompressed.
};

// Never freed.
const struct fuzz_sstable *fuzz_sstable_at(size_t index);
size_t fuzz_sstable_count(void);

// The same SSTable without compression: Data.db as it is plain, and a CRC.db for it.
void fuzz_sstable_make_plain(const struct fuzz_sstable *sstable,
                             struct slice files[SSTABLE_COMPONENT_COUNT], struct arena *arena);
// Makes the checksums in Data.db (of chunks, where CompressionInfo.db says they are) and
// Statistics.db right. New bytes are in the arena.
void fuzz_sstable_fix(struct slice files[SSTABLE_COMPONENT_COUNT], struct arena *arena);

#endif
