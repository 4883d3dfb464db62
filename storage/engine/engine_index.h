// Secondary indexes of an engine's tables (org.apache.cassandra.index.SecondaryIndexManager).
//
// Each index is a hidden table (storage/index/index_table.h): it has its own memtable, SSTables and
// records in the log. Entries are logged before the base table's record, so a crash between the two
// leaves an entry too many, never one too few.
//
//     CREATE INDEX -> BUILDING --all of the base table is in it, the mark is logged--> BUILT
//
// The mark is a partition of the hidden table. An index without it is built anew: after a crash
// while it was built, after a truncation, after an import of SSTables.
#ifndef STORAGE_ENGINE_INDEX_H
#define STORAGE_ENGINE_INDEX_H

#include "storage/engine/engine.h"

struct engine_index_query {
    struct uuid index; // Of the definition.
    struct slice key;  // index_table_key() of the value.
    int32_t now_s;
};

// The rows in `range` that have the value, as far as this node knows: partitions of `table` with
// rows of nothing but their clustering and a timestamp that is the same everywhere; of an index of
// partitions their static row, or the first row that there is. `filter` as in engine_scan(); not
// reversed. UNSUPPORTED: there is no such index, or it is not built yet.
MUST_USE enum status engine_index_scan(struct engine *engine, const struct table *table,
                                       const struct engine_index_query *query,
                                       const struct scan_range *range,
                                       const struct partition_filter *filter,
                                       struct read_pins *pins, struct arena *arena,
                                       struct scan_iterator **scan, uint64_t *position);

// False: it is being built, or there is none.
bool engine_index_is_built(const struct engine *engine, struct uuid table, struct uuid index);

#endif
