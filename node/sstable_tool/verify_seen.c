#include "node/sstable_tool/verify_seen.h"

#include "storage/counter_context.h"

#include <inttypes.h>

static void add_timestamp(struct verify_seen *seen, int64_t timestamp)
{
    if (!seen->has_timestamp || timestamp < seen->min_timestamp) seen->min_timestamp = timestamp;
    if (!seen->has_timestamp || timestamp > seen->max_timestamp) seen->max_timestamp = timestamp;
    seen->has_timestamp = true;
}

static void add_local_time(struct verify_seen *seen, int32_t local_time)
{
    int64_t time = local_time == LOCAL_TIME_NONE ? INT64_MAX : local_time;
    if (!seen->has_local_time || time < seen->min_local_time) seen->min_local_time = time;
    if (!seen->has_local_time || time > seen->max_local_time) seen->max_local_time = time;
    seen->has_local_time = true;
}

static void add_ttl(struct verify_seen *seen, int32_t ttl)
{
    if (!seen->has_ttl || ttl < seen->min_ttl) seen->min_ttl = ttl;
    if (!seen->has_ttl || ttl > seen->max_ttl) seen->max_ttl = ttl;
    seen->has_ttl = true;
}

void verify_seen_deletion(struct verify_seen *seen, struct deletion deletion)
{
    if (deletion_is_live(deletion)) return;
    add_timestamp(seen, deletion.timestamp);
    add_local_time(seen, deletion.local_time);
}

void verify_seen_row(struct verify_seen *seen, const struct row *row, const struct table *table,
                     bool is_static)
{
    const struct column *columns = table->columns[is_static ? COLUMN_STATIC : COLUMN_REGULAR];
    seen->rows++;
    if (row->liveness.timestamp != TIMESTAMP_NONE) {
        add_timestamp(seen, row->liveness.timestamp);
        add_ttl(seen, row->liveness.ttl);
        add_local_time(seen, row->liveness.local_time);
    }
    verify_seen_deletion(seen, row->deletion);
    for (uint32_t i = 0; i < row->complex_deletion_count; i++)
        verify_seen_deletion(seen, row->complex_deletions[i].deletion);
    for (uint32_t i = 0; i < row->cell_count; i++) {
        const struct cell *cell = &row->cells[i];
        add_timestamp(seen, cell->timestamp);
        add_ttl(seen, cell->ttl);
        add_local_time(seen, cell->local_time);
        if (i == 0 || cell->column != row->cells[i - 1].column) seen->columns++;
        if (columns[cell->column].type->kind == TYPE_COUNTER && !cell_is_tombstone(cell) &&
            counter_context_has_legacy(cell->value))
            seen->has_legacy_counters = true;
    }
}

static void compare_counts(const struct verify_seen *seen, const struct statistics_full *statistics,
                           struct verify_report *report)
{
    if (statistics->total_rows != seen->rows)
        verify_report_at(report, SSTABLE_STATISTICS, 0,
                         "it tells of %" PRIu64 " rows; there are %" PRIu64, statistics->total_rows,
                         seen->rows);
    if (statistics->total_columns != seen->columns)
        verify_report_at(report, SSTABLE_STATISTICS, 0,
                         "it tells of %" PRIu64 " columns set; there are %" PRIu64,
                         statistics->total_columns, seen->columns);
    int64_t partitions = full_histogram_count(&statistics->partition_sizes);
    if (partitions != (int64_t)seen->partitions)
        verify_report_at(report, SSTABLE_STATISTICS, 0,
                         "its histogram has %" PRId64 " partitions; there are %" PRIu64, partitions,
                         seen->partitions);
    // Sixteen bits tell thousands of keys apart within a few percent.
    uint64_t cardinality, slack = seen->partitions / 12 + 3;
    if (statistics->has_cardinality &&
        (!statistics_full_cardinality(statistics, &cardinality) ||
         cardinality + slack < seen->partitions || cardinality > seen->partitions + slack))
        verify_report_at(report, SSTABLE_STATISTICS, 0,
                         "its estimate of the number of keys is far off");
    if (seen->has_legacy_counters && !statistics->has_legacy_counters)
        verify_report_at(report, SSTABLE_STATISTICS, 0,
                         "it tells of no local or remote shards of counters; there are some");
}

void verify_seen_compare(const struct verify_seen *seen, const struct statistics_full *statistics,
                         struct verify_report *report)
{
    compare_counts(seen, statistics, report);
    if (seen->has_timestamp && (seen->min_timestamp < statistics->min_timestamp ||
                                seen->max_timestamp > statistics->max_timestamp))
        verify_report_at(report, SSTABLE_STATISTICS, 0,
                         "timestamps go from %" PRId64 " to %" PRId64 ", not from %" PRId64
                         " to %" PRId64,
                         seen->min_timestamp, seen->max_timestamp, statistics->min_timestamp,
                         statistics->max_timestamp);
    if (seen->has_local_time && (seen->min_local_time < statistics->min_local_time ||
                                 seen->max_local_time > statistics->max_local_time))
        verify_report_at(report, SSTABLE_STATISTICS, 0,
                         "local deletion times go from %" PRId64 " to %" PRId64
                         ", not from %" PRId64 " to %" PRId64,
                         seen->min_local_time, seen->max_local_time, statistics->min_local_time,
                         statistics->max_local_time);
    if (seen->has_ttl &&
        (seen->min_ttl < statistics->min_ttl || seen->max_ttl > statistics->max_ttl))
        verify_report_at(report, SSTABLE_STATISTICS, 0,
                         "ttls go from %" PRId32 " to %" PRId32 ", not from %" PRId32
                         " to %" PRId32,
                         seen->min_ttl, seen->max_ttl, statistics->min_ttl, statistics->max_ttl);
}
