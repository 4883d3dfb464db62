// A read of one row asks its sources from the newest to the oldest: what is known of the row after
// some of them, so that older ones are not opened
// (org.apache.cassandra.db.SinglePartitionReadCommand.queryMemtableAndSSTablesInTimestampOrder).
//
//     sources, newest first:  memtables, SSTable (max 90), SSTable (max 50), SSTable (max 20)
//     liveness and each column have something newer than 50  ->  the last two can change nothing
//
// A deletion of all that a source may have ends the search as well. Collections and counters are
// made of what all sources have: reads of tables with such columns ask every one.
#ifndef STORAGE_MERGE_KNOWN_ROW_H
#define STORAGE_MERGE_KNOWN_ROW_H

#include "base/arena.h"
#include "storage/partition_iterator.h"

struct known_row {
    bool is_of_use; // False: the read is of more than one row, or of a table as said above.
    uint16_t column_count;
    struct arena *arena;
    int64_t liveness, deletion; // Newest timestamps.
    int64_t *cells;             // Of each regular column.
};

void known_row_init(struct known_row *known, const struct table *table,
                    const struct partition_filter *filter, struct arena *arena);
// Looks at the first row or marker of a partition, which is not lost: `*partition` becomes an
// iterator that gives it again. WOULD_BLOCK, CORRUPT, IO: of the partition's next().
MUST_USE enum status known_row_add(struct known_row *known, struct partition_iterator **partition);
// Sources that have nothing newer than this timestamp can change nothing.
bool known_row_covers(const struct known_row *known, int64_t max_timestamp);

#endif
