// Entries of Index.db: where a partition and its blocks are (RowIndexEntry, IndexInfo; sstable-nb
// §5).
#ifndef STORAGE_SSTABLE_INDEX_READER_H
#define STORAGE_SSTABLE_INDEX_READER_H

#include "storage/sstable/row_decoder.h"
#include "storage/sstable/stream.h"

// One entry. Of a large partition's only the head is read: its blocks are fetched where they are
// needed, since there may be millions of them.
struct index_entry {
    struct slice key;  // Valid until the stream moves.
    uint64_t start;    // Of the entry in Index.db …
    uint64_t size;     // … and its bytes.
    uint64_t position; // Of the partition in Data.db.
    uint64_t data_end; // Where the next partition begins, or 0: not known.
    // Only if there are blocks.
    uint32_t block_count;
    uint64_t header_size;
    struct deletion deletion;
    uint64_t blocks;  // Where in Index.db the IndexInfos begin …
    uint64_t offsets; // … and behind them i32 for each: how far from `blocks` it begins.
};

struct index_block {
    struct bound first, last;
    uint64_t offset, width; // From the partition's start.
    struct deletion open;   // At its end.
};

// The entry at the stream's place, which stays there. END behind the last.
MUST_USE enum status index_reader_entry(struct stream *stream, struct index_entry *entry);
static inline void index_reader_advance(struct stream *stream, const struct index_entry *entry)
{
    stream->position = entry->start + entry->size;
}

// The entry of this key, or END.
MUST_USE enum status index_reader_find(struct stream *stream, const struct partition_key *key,
                                       struct index_entry *entry);
// Moves to the first entry that is not before the start of the range.
MUST_USE enum status index_reader_seek(struct stream *stream, const struct scan_bound *start);

// Moves the stream. Values of the block's places are put into two arrays of the reader's clustering
// count; they point to bytes that are valid until the stream moves again.
MUST_USE enum status index_reader_block(struct stream *stream, const struct index_entry *entry,
                                        uint32_t index, struct slice *first_values,
                                        struct slice *last_values, struct index_block *block);

#endif
