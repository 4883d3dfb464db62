// Which SSTables of a table are to be compacted next, by its strategy: decisions only, over
// descriptions; no files, no clock, no state between calls
// (org.apache.cassandra.db.compaction.SizeTieredCompactionStrategy, LeveledManifest,
// TimeWindowCompactionStrategy).
#ifndef STORAGE_COMPACTION_STRATEGY_H
#define STORAGE_COMPACTION_STRATEGY_H

#include "base/arena.h"
#include "storage/compaction/compaction_options.h"
#include "storage/partition_key.h"

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
    bool may_drop_tombstones; // No older data that they might hide lies in another SSTable.
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
    const struct compaction_candidate **items; // In the arena.
    size_t count;
    uint16_t level;           // Of the outputs.
    uint64_t output_size_max; // Bytes of each output's Data.db; 0: one output.
};

// The most urgent compaction that there is to do now; false: none. `now_s` is wall time, of which
// tombstones older than gc_grace may go.
bool compaction_strategy_pick(const struct compaction_options *options,
                              const struct compaction_candidate *candidates, size_t count,
                              int64_t now_s, struct arena *arena, struct compaction_pick *pick);

// All that one major compaction is to do: a list of picks, one for each group that must stay apart
// (repaired or not; time windows; leveled: all into the levels). `split`: size-tiered outputs of
// 50, 25, … per cent (nodetool compact --split-output).
size_t compaction_strategy_pick_major(const struct compaction_options *options,
                                      const struct compaction_candidate *candidates, size_t count,
                                      int64_t now_s, bool split, struct arena *arena,
                                      struct compaction_pick **picks);

// An estimate of the compactions that are left to do (nodetool compactionstats, "pending tasks").
size_t compaction_strategy_pending(const struct compaction_options *options,
                                   const struct compaction_candidate *candidates, size_t count,
                                   int64_t now_s, struct arena *arena);

#endif
