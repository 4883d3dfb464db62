// When the next output of a compaction begins, of which level it is, and about how large it gets
// (org.apache.cassandra.db.compaction.writers: DefaultCompactionWriter, MaxSSTableSizeWriter,
// MajorLeveledCompactionWriter, SplittingSizeTieredCompactionWriter).
//
//     one output              everything
//     outputs of a size       each a little more than size_max
//     a major leveled one     the same, and a level more when this one is full: fanout^level ×
//     size_max a split one             50 %, 25 %, … of the inputs, the last of less than 50 MB
//     with the rest
#ifndef STORAGE_COMPACTION_OUTPUT_SIZES_H
#define STORAGE_COMPACTION_OUTPUT_SIZES_H

#include <stdbool.h>
#include <stdint.h>

struct output_sizes {
    uint64_t input_size; // Bytes of the inputs' Data.db.
    uint64_t size_max;   // 0: no limit.
    unsigned fanout;     // 0: all outputs are of one level.
    bool is_split;
    unsigned level; // Of the present output, or the next.
    uint64_t level_size;
    unsigned halvings; // Split: of the present output.
};

// Whether the present output, of so many bytes, is to be the last one no longer: another begins.
bool output_sizes_end(struct output_sizes *sizes, uint64_t size);
// Which part of all partitions the present output will have: an estimate, 0 < share <= 1.
double output_sizes_share(const struct output_sizes *sizes);

#endif
