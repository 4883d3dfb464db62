// Reads what read_encoder.h wrote, as a scan of partitions: one chunk of a replica, or a row of
// chunks of which each goes on where the one before was cut.
//
// Behind the last chunk, if that one has more, is WOULD_BLOCK: a merge of chunks so ends where the
// first of them does, and a consumer asks for the next chunk. Where a range deletion is open at the
// end of a chunk, the next one opens it again; who only wants rows need not care, since they are
// merged already.
//
// What comes from another member is checked so far that it can be merged and written: columns,
// sizes of values, order. CORRUPT otherwise.
#ifndef RING_READ_DECODER_H
#define RING_READ_DECODER_H

#include "base/arena.h"
#include "base/cursor.h"
#include "storage/partition_iterator.h"

struct read_chunk {
    struct slice bytes;
    const struct read_chunk *next;
};

// Rooms for the row that is being read.
struct read_row_room {
    struct row row;
    struct cell *cells;
    struct complex_deletion *complex_deletions;
    uint32_t cell_capacity, complex_deletion_capacity;
};

// Columns of one kind by their number in the chunk; NULL: as in the table.
struct read_layout {
    uint16_t *indexes; // UINT16_MAX: the table does not have it.
    uint64_t count;
};

struct read_decoder {
    struct scan_iterator base;
    struct partition_iterator partition;
    const struct read_chunk *chunk;
    struct cursor cursor;
    struct arena *arena;
    bool reversed, is_trusted;
    bool in_partition, is_open; // In the bytes; for the one who reads.
    bool was_left;              // The last partition was cut, and closed before its end was met.
    struct slice raw;           // Bytes of the row or marker read last.
    struct slice static_raw;    // Of the partition's static row, if it has one.
    struct bound place;         // Its place. Of no kind in use before the first.
    bool has_place;
    struct slice last_key; // Of the partition read last; null: none was.
    struct read_layout layouts[COLUMN_KIND_COUNT];
    struct read_row_room rows, static_rows;
    struct marker marker;
    struct slice *values[2]; // Clusterings in turn: the last stays to compare with.
    unsigned turn;
};

// In `arena`, which the rows need while they are read. `is_trusted`: our own bytes.
struct read_decoder *read_decoder_open(const struct read_chunk *chunk, const struct table *table,
                                       bool reversed, bool is_trusted, struct arena *arena);
// There may be more behind this chunk.
bool read_decoder_has_more(struct slice chunk);
// It has given all that the last chunk has, and there may be more.
bool read_decoder_is_at_end(const struct read_decoder *decoder);

#endif
