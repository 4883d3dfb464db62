// Entries of Index.db: where a partition and its blocks are (RowIndexEntry, IndexInfo; sstable-nb
// §5).
#ifndef STORAGE_SSTABLE_INDEX_READER_H
#define STORAGE_SSTABLE_INDEX_READER_H

#include "storage/sstable/row_decoder.h"
#include "storage/sstable/stream.h"

// One entry. Its slices are valid until the stream moves.
struct index_entry {
    struct slice key;
    uint64_t position; // In Data.db.
    uint64_t size;     // Of the entry.
    uint64_t data_end; // Where the next partition begins, or 0: not known.
    // Only if there are blocks.
    uint32_t block_count;
    uint64_t header_size;
    struct deletion deletion;
    struct slice blocks;  // The IndexInfos …
    struct slice offsets; // … and where each begins, i32.
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
    stream->position += entry->size;
}

// The entry of this key, or END.
MUST_USE enum status index_reader_find(struct stream *stream, const struct partition_key *key,
                                       struct index_entry *entry);
// Moves to the first entry that is not before the start of the range.
MUST_USE enum status index_reader_seek(struct stream *stream, const struct scan_bound *start);

// Values of a block's places are put into two arrays of the reader's clustering count.
MUST_USE enum status index_reader_block(struct stream *stream, const struct index_entry *entry,
                                        uint32_t index, struct slice *first_values,
                                        struct slice *last_values, struct index_block *block);

#endif
