// One partition of an SSTable, as an iterator: its rows and markers inside of the wanted ranges
// (org.apache.cassandra.io.sstable.format.big.SSTableIterator, SSTableReversedIterator).
//
// Forward it decodes as it goes. Reversed it decodes one block of the index at a time (or the whole
// partition, if it has none) into memory of its own and hands that out from its end.
#ifndef STORAGE_SSTABLE_PARTITION_READER_H
#define STORAGE_SSTABLE_PARTITION_READER_H

#include "storage/sstable/index_reader.h"

enum { PARTITION_READER_AHEAD_MAX = 16 };

// A copied unfiltered of a block that is read backwards.
struct kept_unfiltered {
    bool is_marker;
    struct bound place;
    union {
        struct row row;
        struct marker marker;
    };
};

struct partition_reader {
    struct partition_iterator base;
    struct sstable_reader *reader;
    struct stream data;
    struct stream index;         // Of a single read; a scan has its own.
    struct stream *entry_stream; // The one whose bytes the entry points to.
    struct index_entry entry;
    bool is_by_hint; // The place may be that of another key.
    struct row_decoder decoder;
    const struct partition_filter *filter;
    struct arena static_arena; // The static row.
    struct arena block_arena;  // Kept unfiltereds.
    struct row static_row;
    struct slice *block_values[2]; // For places of index blocks.

    size_t ranges_left;   // Forward the present range is the first of these, reversed the last.
    bool is_sought;       // The index was asked for the present range.
    bool is_inside;       // The start of the present range (reversed: its end) was passed.
    bool is_of_one_row;   // The present range (forward) has one row at most …
    bool is_over;         // … which was read: there is no need to look what comes behind it.
    bool is_at_end;       // Nothing comes behind.
    struct deletion open; // The range tombstone that is open here.
    struct marker edge;   // One that was cut at the edge of a range.

    bool has_head; // An unfiltered begins here; its body was not looked at.
    struct unfiltered_head head;
    size_t head_size;

    ptrdiff_t block;      // Reversed: the present one.
    uint64_t block_limit; // Where it ends in Data.db; its last has the partition's end instead.
    struct kept_unfiltered *kept;
    size_t kept_count, kept_capacity;
    struct bound block_first;
};

// For use with one map and one filter. `arena` outlives it.
void partition_reader_init(struct partition_reader *partition, struct sstable_reader *reader,
                           const struct table *table, const struct column_map *map,
                           const struct partition_filter *filter, struct stream_access access,
                           struct arena *arena);
void partition_reader_deinit(struct partition_reader *partition);
// Begins the partition of `partition->entry`, which points into `entry_stream`. NOT_FOUND: by the
// hint another one is there.
MUST_USE enum status partition_reader_open(struct partition_reader *partition,
                                           struct partition_key key, struct stream *entry_stream);
// partition_iterator_ops.next
enum status partition_reader_next(struct partition_iterator *iterator,
                                  struct unfiltered *unfiltered);

#endif
