// Statistics.db: what is known of an SSTable without reading it
// (org.apache.cassandra.io.sstable.metadata; sstable-nb §8).
//
//     i32 count, crc, count × { i32 type, i32 offset }, crc, count × { body, crc }
//     types: 0 VALIDATION, 1 COMPACTION, 2 STATS, 3 HEADER
#ifndef STORAGE_SSTABLE_STATISTICS_H
#define STORAGE_SSTABLE_STATISTICS_H

#include "storage/sstable/drop_times.h"
#include "storage/sstable/estimated_histogram.h"
#include "storage/sstable/header.h"
#include "storage/sstable/hyperloglog.h"

// STATS, in the order of the file.
struct statistics {
    struct estimated_histogram partition_sizes, cell_counts;
    int64_t commit_log_upper_segment; // -1 and 0: none.
    int32_t commit_log_upper_position;
    int64_t min_timestamp, max_timestamp;
    int32_t min_local_time, max_local_time;
    int32_t min_ttl, max_ttl;
    double compression_ratio;
    struct drop_times drop_times;
    uint32_t level;                              // Of leveled compaction.
    int64_t repaired_at;                         // Milliseconds; 0: not repaired.
    struct bound min_clustering, max_clustering; // Of few or no values: unbounded.
    bool has_legacy_counters;
    uint64_t total_columns, total_rows;
    bool has_host_id;
    struct uuid host_id;
};

// Gathers them while rows are written (MetadataCollector).
struct statistics_collector {
    struct statistics statistics;
    struct hyperloglog keys;
    bool has_timestamp, has_local_time, has_ttl, has_clustering;
    struct arena clusterings; // Copies of the bounds.
    const struct table *table;
};

void statistics_collector_init(struct statistics_collector *collector, const struct table *table);
void statistics_collector_deinit(struct statistics_collector *collector);

static inline void statistics_add_timestamp(struct statistics_collector *collector,
                                            int64_t timestamp)
{
    struct statistics *statistics = &collector->statistics;
    if (!collector->has_timestamp || timestamp < statistics->min_timestamp)
        statistics->min_timestamp = timestamp;
    if (!collector->has_timestamp || timestamp > statistics->max_timestamp)
        statistics->max_timestamp = timestamp;
    collector->has_timestamp = true;
}

static inline void statistics_add_local_time(struct statistics_collector *collector,
                                             int32_t local_time)
{
    struct statistics *statistics = &collector->statistics;
    if (!collector->has_local_time || local_time < statistics->min_local_time)
        statistics->min_local_time = local_time;
    if (!collector->has_local_time || local_time > statistics->max_local_time)
        statistics->max_local_time = local_time;
    collector->has_local_time = true;
    if (local_time != LOCAL_TIME_NONE) drop_times_add(&statistics->drop_times, local_time);
}

static inline void statistics_add_ttl(struct statistics_collector *collector, int32_t ttl)
{
    struct statistics *statistics = &collector->statistics;
    if (!collector->has_ttl || ttl < statistics->min_ttl) statistics->min_ttl = ttl;
    if (!collector->has_ttl || ttl > statistics->max_ttl) statistics->max_ttl = ttl;
    collector->has_ttl = true;
}

static inline void statistics_add_deletion(struct statistics_collector *collector,
                                           struct deletion deletion)
{
    if (deletion_is_live(deletion)) return;
    statistics_add_timestamp(collector, deletion.timestamp);
    statistics_add_local_time(collector, deletion.local_time);
}

void statistics_add_row(struct statistics_collector *collector, const struct row *row);
void statistics_add_marker(struct statistics_collector *collector, const struct marker *marker);
// A place that may be the smallest or largest: the first and last of each partition are enough.
void statistics_add_place(struct statistics_collector *collector, const struct bound *place);
void statistics_add_partition(struct statistics_collector *collector, struct slice key,
                              uint64_t size, uint64_t cell_count);

// The whole file.
void statistics_encode(struct statistics_collector *collector, const struct header *header,
                       double filter_chance, struct buffer *file);

// When so many of its tombstones and expiring cells become droppable.
struct statistics_drop_time {
    int64_t point, count;
};

// What a reader keeps of the file.
struct statistics_summary {
    int64_t min_timestamp, max_timestamp;
    int32_t min_local_time, max_local_time;
    int32_t min_ttl;
    double compression_ratio;
    const struct statistics_drop_time *drop_times; // Ascending.
    size_t drop_time_count;
    double cell_count; // An estimate, from the histogram.
    uint32_t level;
    int64_t repaired_at;     // Milliseconds; 0: not repaired.
    bool has_pending_repair; // Of a repair of Cassandra's that is not done.
    uint64_t total_rows;
    uint64_t partition_count; // Sum of the histogram of sizes.
    bool has_legacy_counters;
    // Some partition may be deleted as a whole. (nb does not say: then any local time is a sign.)
    bool has_partition_deletions;
    struct bound min_clustering, max_clustering; // A start and an end; of no values: unbounded.
};
// CORRUPT, UNSUPPORTED (another partitioner). In the arena, with copies.
MUST_USE enum status statistics_decode(struct slice file, enum sstable_version version,
                                       struct arena *arena, struct statistics_summary *summary,
                                       struct header *header, struct error *error);
// Adds the keys that the file has seen; false in `*has_keys` if it does not tell. CORRUPT.
MUST_USE enum status statistics_decode_keys(struct slice file, struct hyperloglog *keys,
                                            bool *has_keys, struct error *error);
// How many of a histogram's times, ascending, lie up to the moment; between two points it grows
// evenly (TombstoneHistogram.sum).
double statistics_drop_times_before(const struct statistics_drop_time *times, size_t count,
                                    int64_t moment);

#endif
