// WITH compaction = {...}: a table's strategy and its options, with Cassandra's names, defaults and
// checks (org.apache.cassandra.schema.CompactionParams, …db.compaction.*StrategyOptions).
#ifndef STORAGE_COMPACTION_OPTIONS_H
#define STORAGE_COMPACTION_OPTIONS_H

#include "base/error.h"
#include "storage/schema/schema.h"

enum compaction_strategy {
    COMPACTION_SIZE_TIERED,
    COMPACTION_LEVELED,
    COMPACTION_TIME_WINDOW,
};

struct compaction_options {
    enum compaction_strategy strategy;
    bool enabled;
    // Of all strategies (AbstractCompactionStrategy).
    double tombstone_threshold;
    int64_t tombstone_compaction_interval_s;
    bool without_tombstone_compaction; // Time-window, unless one of the two above was said.
    bool unchecked_tombstone_compaction;
    bool only_purge_repaired_tombstones;
    int min_threshold, max_threshold;
    // Size-tiered; time-window inside of the newest window; leveled in a long level 0.
    uint64_t min_sstable_size;
    double bucket_low, bucket_high;
    // Leveled.
    uint64_t sstable_size_max; // Bytes of Data.db of each output.
    int fanout;
    bool single_sstable_uplevel;
    // Time-window.
    int64_t window_size_s; // Of one window.
    int64_t window_unit_s; // 60, 3600, 86400
    int64_t
        timestamp_unit_us; // Microseconds for one unit of a timestamp: 1, 1000, …; 0: nanoseconds.
    int64_t expired_check_interval_s;
    bool unsafe_aggressive_expiration;
};

// Of a table that says nothing: size-tiered.
struct compaction_options compaction_options_default(void);

// INVALID with Cassandra's text (ConfigurationException); MALFORMED with the class and text of
// another exception that Cassandra lets through. An empty map is size-tiered.
// UnifiedCompactionStrategy is checked as Cassandra does it, and is size-tiered here.
MUST_USE enum status compaction_options_parse(const struct options *map,
                                              struct compaction_options *options,
                                              struct error *error);
// The same for a definition that was accepted once: `unsafe_aggressive_sstable_expiration`, which
// a server must allow, is taken as it is.
MUST_USE enum status compaction_options_read(const struct options *map,
                                             struct compaction_options *options,
                                             struct error *error);

// Of a map that was accepted: its class is UnifiedCompactionStrategy, which knows no thresholds.
bool compaction_options_is_unified(const struct options *map);

#endif
