// What a replica answers to a read: merged partitions with their tombstones, as bytes that are the
// same wherever the same data lies (org.apache.cassandra.db.ReadResponse; its digest is a hash of
// exactly these bytes).
//
//     chunk = partitions in order | "that is all" or "there may be more"
//
// A chunk ends where its limits are met: so many rows alive, so much looked at, so many bytes. All
// of them count what is in the chunk, so two replicas with the same data stop at the same place.
// What stands last in a chunk that has more is how far its replica has looked; of what lies behind
// it says nothing (read_decoder.h; Cassandra's short-read protection).
#ifndef RING_READ_ENCODER_H
#define RING_READ_ENCODER_H

#include "base/buffer.h"
#include "storage/partition_iterator.h"

enum read_tag { // What stands before each thing of a chunk.
    READ_TAG_END,
    READ_TAG_MORE,     // The end, but there may be more behind it.
    READ_TAG_MARKER,   // In a partition.
    READ_TAG_CUT,      // In a partition: it may go on. MORE follows.
    READ_TAG_LAYOUT,   // At the beginning: the columns by name.
    READ_TAG_ROW = 32, // With flags, as the next. A partition's rows and markers end with END.
    READ_TAG_PARTITION = 64,
};

enum {
    READ_ROW_HAS_LIVENESS = 1,
    READ_ROW_HAS_TTL = 2,
    READ_ROW_HAS_DELETION = 4,
    READ_ROW_HAS_COMPLEX = 8,
    READ_PARTITION_HAS_DELETION = 1,
    READ_PARTITION_HAS_STATIC = 2,
    READ_CELL_HAS_TTL = 1,
    READ_CELL_HAS_LOCAL_TIME = 2,
    READ_CELL_HAS_PATH = 4,
    READ_CELL_IS_NULL = 8,
    READ_CELL_HAS_ROW_TIME = 16, // Its timestamp is that of the row's liveness.
};

struct read_encoder {
    struct buffer *bytes;
    const struct table *table;
    int32_t now_s;
    uint32_t rows_left;  // Alive at `now_s`.
    uint32_t looks_left; // Rows, markers and partitions.
    size_t size_max;     // It ends behind the row that goes beyond it.
    bool is_cut;         // It ended inside of a partition.
};

// `row_max` 0: as many as a step may have. Bytes follow what is in `bytes` already. Fields may be
// changed before anything is put.
void read_encoder_init(struct read_encoder *encoder, struct buffer *bytes,
                       const struct table *table, uint32_t row_max, int32_t now_s);
// For a reader whose columns are not ours: all names.
void read_encoder_put_layout(struct read_encoder *encoder);
// Does not close it. OK: all of it is in. END: the chunk is full, and ends here. WOULD_BLOCK and
// the like: as the partition said; then the chunk is of no use, unless it is ended by
// read_encoder_cut().
MUST_USE enum status read_encoder_put_partition(struct read_encoder *encoder,
                                                struct partition_iterator *partition);
// Partitions until the scan or the chunk ends, which is then ended too. What the scan or a
// partition says when not OK or END; `blocks_cut`: WOULD_BLOCK is where a source of the scan ended
// (read_decoder.h), so the chunk ends there and has more.
MUST_USE enum status read_encoder_put_scan(struct read_encoder *encoder, struct scan_iterator *scan,
                                           bool blocks_cut);
void read_encoder_end(struct read_encoder *encoder, bool has_more);
// A partition without anything: how far a scan has come.
void read_encoder_put_empty(struct read_encoder *encoder, struct slice key);

#endif
