// One compaction: several SSTables of a table are read, merged, purged and written as new ones
// (org.apache.cassandra.db.compaction.CompactionTask, CompactionIterator).
//
//     CREATED -> step, step, … (each some MiB) -> END: all written and durable, nothing visible
//             -> commit: the log says COMMIT, the old ones are to be removed
//
// create and destroy are the loop's. A step runs on any thread, one at a time, as do commit, undo
// and remove_inputs; between steps the loop owns the task, may refresh what may be purged, sleep to
// throttle, read the progress, or end it: what was written is removed then, and the inputs stay. So
// a compaction never blocks anybody for longer than a step, and holds a row of each input at a time
// in memory.
#ifndef STORAGE_COMPACTION_TASK_H
#define STORAGE_COMPACTION_TASK_H

#include "storage/compaction/purge.h"
#include "storage/sstable/sstable.h"

struct compaction_task;

struct compaction_task_options {
    const char *directory; // Of the table; absolute.
    const struct table *table;
    struct sstable_reader *const *inputs; // A reference of each is taken until the task's end.
    size_t input_count;
    struct purge purge;                   // As it is at the beginning.
    uint16_t level;                       // Of the outputs.
    uint64_t output_size_max;             // Bytes of Data.db; 0: one output.
    unsigned level_fanout;                // Not 0: outputs fill levels, see output_sizes.h.
    bool split;                           // Outputs of 50, 25, … per cent.
    uint64_t generation, generation_step; // Of the first output, and from one to the next.
    size_t column_index_size;             // 0: 65536
    const struct uuid *host_id;
    size_t unread_count;        // The last inputs have nothing that matters: they go unread.
    bool with_table_compressor; // Cassandra compacts with the table's own, flushes with a fast one.
};

struct compaction_progress {
    uint64_t read_bytes, total_bytes; // Of the Data.db of what is read, uncompressed.
    uint64_t written_bytes;           // Of the outputs' files so far.
    uint64_t partitions_read, partitions_written, rows_read, rows_written;
    uint64_t merged_counts[16]; // Partitions that were merged of i + 1 inputs (the last: or more).
};

// NULL never. No I/O.
struct compaction_task *compaction_task_create(struct env *env,
                                               const struct compaction_task_options *options);
// What may go, from here on. Between steps.
void compaction_task_set_purge(struct compaction_task *task, const struct purge *purge);
// Works until `bytes_max` more of the inputs were read. OK: more is to do. END: all is written,
// with every file and name durable. CORRUPT (with the file and offset of the input), IO, NO_SPACE.
MUST_USE enum status compaction_task_step(struct compaction_task *task, uint64_t bytes_max,
                                          struct error *error);
const struct compaction_progress *compaction_task_progress(const struct compaction_task *task);

// After END. What was written; count 0: nothing was left alive.
const struct sstable_summary *compaction_task_outputs(const struct compaction_task *task,
                                                      size_t *count);
uint64_t compaction_task_output_generation(const struct compaction_task *task, size_t index);
uint16_t compaction_task_output_level(const struct compaction_task *task, size_t index);
// After END: the outputs are in place of the inputs, durably, from OK on, for us and for Cassandra.
// The inputs' files are still there: compaction_task_remove_inputs() comes next, or the recovery of
// the directory. On failure nothing is left of the outputs, unless compaction_task_is_undecided().
MUST_USE enum status compaction_task_commit(struct compaction_task *task, struct error *error);
// After a commit that failed: true if it is not known which of both hold. Then all files stay as
// they are, and the inputs in use, until a recovery of the directory tells. False: the inputs hold.
bool compaction_task_is_undecided(const struct compaction_task *task);
// After the commit: removes the inputs' files, then the log. What fails is left for a recovery.
void compaction_task_remove_inputs(struct compaction_task *task);
// Blocks, on any thread: removes what was written, unless committed or not decided. Only
// compaction_task_destroy() may follow.
void compaction_task_undo(struct compaction_task *task);
// On the loop, which the references belong to. Undoes, if nobody did. NULL is allowed.
void compaction_task_destroy(struct compaction_task *task);
// The same without touching files: what a crash leaves.
void compaction_task_abandon(struct compaction_task *task);

#endif
