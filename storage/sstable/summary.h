// Summary.db: every 128th key of Index.db with its place there, so that a search in memory leaves
// few entries to read (org.apache.cassandra.io.sstable.indexsummary.IndexSummary; sstable-nb §6).
#ifndef STORAGE_SSTABLE_SUMMARY_H
#define STORAGE_SSTABLE_SUMMARY_H

#include "base/buffer.h"
#include "base/status.h"
#include "storage/token.h"

struct summary_entry {
    struct partition_key key;
    uint64_t position; // In Index.db.
};

struct summary {
    uint32_t interval;
    size_t count, capacity;
    struct summary_entry *entries; // Ascending.
    uint64_t partition_count;      // Added so far.
    struct partition_key first, last;
    struct buffer bytes; // Holds the entries' keys (only while it is built: as offsets, see .c).
    bool is_full;        // There were more keys than fit: it is of no use.
    uint8_t *memory;     // Holds all keys of one that was read.
    size_t memory_size;
};

void summary_init(struct summary *summary, uint32_t interval);
void summary_deinit(struct summary *summary);
// The next partition in order; keeps what it needs.
void summary_add(struct summary *summary, const struct partition_key *key, uint64_t position);
// After the last summary_add(): from now on it can be searched.
void summary_finish(struct summary *summary);
void summary_encode(const struct summary *summary, struct buffer *file);
// CORRUPT. Keeps a copy; `index_size` bounds the positions.
MUST_USE enum status summary_decode(struct summary *summary, struct slice file,
                                    uint64_t index_size);
// Index of the last entry whose key is not larger, or -1 if all are.
ptrdiff_t summary_find(const struct summary *summary, const struct partition_key *key);

#endif
