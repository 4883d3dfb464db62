// All of Statistics.db, as tools show and check it
// (org.apache.cassandra.tools.SSTableMetadataViewer; sstable-nb §8). What reads need of the file is
// less: see statistics.h.
//
// Of version nb, and of oa (§13), which has the covered clusterings as bounds and more behind them.
#ifndef STORAGE_SSTABLE_STATISTICS_FULL_H
#define STORAGE_SSTABLE_STATISTICS_FULL_H

#include "storage/sstable/header.h"

// Bucket i counts (offsets[i - 1], offsets[i]]; the last one counts what is larger than all
// offsets.
struct full_histogram {
    size_t offset_count; // One less than buckets.
    int64_t *offsets, *buckets;
};

// The point is a moment in seconds, rounded up to a minute.
struct full_drop_time {
    int64_t point, count;
};

struct full_log_position {
    int64_t segment;
    int32_t position;
};

struct full_log_interval {
    struct full_log_position start, end;
};

struct statistics_full {
    // VALIDATION.
    bool has_validation;
    struct slice partitioner;
    double filter_chance;
    // COMPACTION: the HyperLogLog++ of the keys, as it is.
    bool has_cardinality;
    struct slice cardinality;
    // STATS.
    struct full_histogram partition_sizes, cell_counts;
    struct full_log_position log_upper, log_lower; // Segment -1: none.
    size_t log_interval_count;
    struct full_log_interval *log_intervals;
    int64_t min_timestamp, max_timestamp;
    int64_t min_local_time, max_local_time; // INT64_MAX: none.
    int32_t min_ttl, max_ttl;
    double compression_ratio; // -1: not compressed.
    size_t drop_time_count;
    struct full_drop_time *drop_times; // Ascending.
    uint32_t level;
    int64_t repaired_at; // Milliseconds; 0: not repaired.
    struct bound min_clustering, max_clustering;
    bool has_legacy_counters, is_transient, has_pending_repair, has_host_id;
    uint64_t total_columns, total_rows;
    struct uuid pending_repair, host_id;
    // Of oa alone.
    bool has_partition_deletions, has_key_range;
    struct slice first_key, last_key;
    double token_space_coverage; // NaN: not known.
    // HEADER.
    struct header header;
};

// CORRUPT, with the offset of what is damaged. In the arena, with copies.
MUST_USE enum status statistics_full_decode(struct slice file, bool is_oa, struct arena *arena,
                                            struct statistics_full *statistics,
                                            struct error *error);

// About how many different keys the COMPACTION part has seen; false if it is damaged. Of few keys
// Cassandra's own figure; beyond some thousand one as good, by another formula (Ertl's).
bool statistics_full_cardinality(const struct statistics_full *statistics, uint64_t *count);
// How much of the cells could be dropped if nothing before `gc_before` needs to be kept.
double statistics_full_droppable_ratio(const struct statistics_full *statistics, int64_t gc_before);
int64_t full_histogram_count(const struct full_histogram *histogram);

#endif
