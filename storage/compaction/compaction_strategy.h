// Which SSTables of a table are to be compacted next, by its strategy: decisions only, over
// descriptions; no files, no clock, no state between calls
// (org.apache.cassandra.db.compaction.CompactionStrategyManager, SizeTieredCompactionStrategy,
// LeveledManifest, TimeWindowCompactionStrategy).
//
// For each of the two groups that must stay apart, not repaired and repaired:
//
//     all of it has expired? -> the strategy's own choice -> one SSTable with much to be dropped
//
// Where Cassandra keeps state, it is derived: the level's round goes on behind the newest SSTable
// of the next level, as after a restart of Cassandra; the newest time window is that of the newest
// SSTable. How often an SSTable is read counts for nothing (Cassandra: its hottest bucket first);
// levels that were left alone for 25 rounds get no help.
#ifndef STORAGE_COMPACTION_STRATEGY_H
#define STORAGE_COMPACTION_STRATEGY_H

#include "base/arena.h"
#include "storage/compaction/compaction_options.h"
#include "storage/partition_key.h"

enum { COMPACTION_LEVEL_COUNT = 9 };

// One SSTable, as a strategy sees it.
struct compaction_candidate {
    uint64_t generation;
    uint64_t size; // Of Data.db on the disk.
    struct partition_key first, last;
    int64_t min_timestamp, max_timestamp;
    int32_t max_local_time; // When all of it has expired; LOCAL_TIME_NONE: never.
    double
        droppable_ratio; // Of its tombstones that may go by their age, to its cells; an estimate.
    int64_t age_s;       // Since it was written.
    uint16_t level;      // Leveled only.
    bool is_repaired;    // Never compacted with those that are not.
    bool is_busy;        // In a compaction now: not to be chosen.
};

// All that a decision depends on.
struct compaction_view {
    const struct compaction_options *options;
    const struct compaction_candidate *candidates; // In the order of their generations.
    size_t count;
    int32_t gc_before;            // Tombstones with an earlier local deletion time are old enough.
    int64_t memory_min_timestamp; // The smallest timestamp in memtables, or INT64_MAX.
};

enum compaction_reason {
    COMPACTION_REASON_STRATEGY,
    COMPACTION_REASON_TOMBSTONES, // One SSTable, for what can be dropped in it.
    COMPACTION_REASON_EXPIRED,    // Nothing in them is alive: they are removed unread.
    COMPACTION_REASON_MAJOR,
    COMPACTION_REASON_USER,
};

struct compaction_pick {
    enum compaction_reason reason;
    const struct compaction_candidate **items; // In the arena; the view's.
    size_t count;
    size_t unread_count;      // The last of them have expired: compaction_strategy_leave_unread().
    uint16_t level;           // Of the outputs.
    uint64_t output_size_max; // Bytes of each output's Data.db; 0: one output.
    // Major ones only. Leveled: when the outputs of a level are fanout^level × output_size_max
    // bytes, the next ones are of the next level. 0: all are of one.
    unsigned level_fanout;
    bool split; // Size-tiered: outputs of 50, 25, … per cent (nodetool compact --split-output).
};

// The most urgent compaction that there is to do now; false: none.
bool compaction_strategy_pick(const struct compaction_view *view, struct arena *arena,
                              struct compaction_pick *pick);

// All that one major compaction is to do: a list of picks, one for each group that must stay apart
// (repaired or not; time windows, which Cassandra makes one). What is busy is left out.
size_t compaction_strategy_pick_major(const struct compaction_view *view, bool split,
                                      struct arena *arena, struct compaction_pick **picks);

// Of what was chosen, that which has expired and hides nothing: neither in the rest of it, nor in
// memory, nor in another SSTable that it overlaps with. It goes behind the rest, to be removed
// unread. The view has all SSTables of the table (CompactionController.getFullyExpiredSSTables).
void compaction_strategy_leave_unread(const struct compaction_view *view, struct arena *arena,
                                      struct compaction_pick *pick);

// An estimate of the compactions that are left to do (nodetool compactionstats, "pending tasks").
size_t compaction_strategy_pending(const struct compaction_view *view, struct arena *arena);

// The level of each candidate, as the leveled strategy counts it: what overlaps with another of its
// level is in level 0.
void compaction_strategy_levels(const struct compaction_view *view, struct arena *arena,
                                uint16_t *levels);

#endif
