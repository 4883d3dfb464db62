// The inputs of a compaction as one scan: merged, counted, and interrupted when a step has read
// enough.
//
//     SSTables that do not overlap -> one source after another ─┐
//     …                                                         ├─ merge -> counted partitions
//     one that overlaps all others -> a source by itself ───────┘
//
// WOULD_BLOCK, from the scan and from its partitions, is a pause here: the same call goes on where
// it stopped. So a step ends even where a tombstone hides GiBs of rows and no row comes out.
#ifndef STORAGE_COMPACTION_COMPACTION_INPUT_H
#define STORAGE_COMPACTION_COMPACTION_INPUT_H

#include "storage/compaction/compaction_task.h"

struct compaction_source;

struct compaction_input {
    struct scan_iterator base;
    struct scan_iterator *merged;
    struct compaction_progress *progress;
    uint64_t pause_at; // Of progress->read_bytes.
    struct compaction_source *sources;
    size_t source_count;
};

// The scan is `&input->base`. What it needs lives in `arena`; all else lives as long as the input.
// `error` is filled when something cannot be read. No I/O.
void compaction_input_init(struct compaction_input *input, const struct table *table,
                           struct sstable_reader *const *readers, size_t count,
                           struct compaction_progress *progress, struct arena *arena,
                           struct error *error);

#endif
