// What the rows of an SSTable are, for comparison with what Statistics.db says they are.
#ifndef NODE_SSTABLE_TOOL_VERIFY_SEEN_H
#define NODE_SSTABLE_TOOL_VERIFY_SEEN_H

#include "node/sstable_tool/tool_sstable.h"
#include "node/sstable_tool/verify_report.h"

struct verify_seen {
    uint64_t partitions, rows, columns;
    bool has_timestamp, has_local_time, has_ttl, has_legacy_counters;
    int64_t min_timestamp, max_timestamp;
    int64_t min_local_time, max_local_time; // INT64_MAX: none.
    int32_t min_ttl, max_ttl;
};

void verify_seen_row(struct verify_seen *seen, const struct row *row, const struct table *table,
                     bool is_static);
void verify_seen_deletion(struct verify_seen *seen, struct deletion deletion);
// After all rows were seen: what does not fit becomes a fault.
void verify_seen_compare(const struct verify_seen *seen, const struct statistics_full *statistics,
                         struct verify_report *report);

#endif
