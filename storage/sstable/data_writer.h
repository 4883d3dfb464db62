// Partitions to the bytes of Data.db, with their blocks to the index and their numbers to the
// statistics (org.apache.cassandra.io.sstable.format.big.BigFormatPartitionWriter,
// org.apache.cassandra.db.rows.UnfilteredSerializer; sstable-nb §2).
//
//     u16 key length, key, i32 local time, i64 timestamp, [static row], unfiltered*, 0x01
//
// A row is encoded into a scratch first, because its size stands before its body.
#ifndef STORAGE_SSTABLE_DATA_WRITER_H
#define STORAGE_SSTABLE_DATA_WRITER_H

#include "storage/sstable/chunk_writer.h"
#include "storage/sstable/index_writer.h"
#include "storage/sstable/statistics.h"

struct data_writer {
    struct chunk_writer chunks;
    struct index_writer index;
    struct statistics_collector statistics;
    const struct table *table;
    const struct header *header;
    // The table's column -> the header's, by kind of row.
    uint16_t *columns[ROWS_KIND_COUNT];
    size_t column_index_size;
    struct buffer head, body; // Scratches: flags and clustering, and what follows.
    uint64_t partition_count;
    struct buffer last_key; // Of the present or last partition: order is checked.
    struct token last_token, first_token;
    // The present partition.
    struct deletion deletion;
    uint64_t start, header_size, cell_count, previous_start;
    uint64_t block_start; // From `start`. A block is open if it has a first place.
    bool has_block;
    enum bound_kind block_first_kind, last_kind;
    struct buffer block_first;
    size_t last_offset; // Where in `head` the values of the last place begin.
    struct deletion open;
    struct slice *place_values; // Room for one clustering.
};

// `header` and the table live as long as the writer.
MUST_USE enum status data_writer_init(struct data_writer *writer, struct env *env,
                                      const char *data_path, const char *index_path,
                                      const struct table *table, const struct header *header,
                                      const struct compression *compression,
                                      uint64_t partition_count, size_t column_index_size,
                                      struct error *error);
void data_writer_deinit(struct data_writer *writer);
// One partition in three parts. Begins it: key, deletion and static row are looked at now. The
// caller knows that it is not empty.
MUST_USE enum status data_writer_begin_partition(struct data_writer *writer,
                                                 const struct partition_iterator *partition,
                                                 struct error *error);
MUST_USE enum status data_writer_put(struct data_writer *writer,
                                     const struct unfiltered *unfiltered, struct error *error);
MUST_USE enum status data_writer_end_partition(struct data_writer *writer, struct error *error);
// The whole partition; nothing if it is empty. The iterator is the caller's to close.
MUST_USE enum status data_writer_put_partition(struct data_writer *writer,
                                               struct partition_iterator *partition,
                                               struct error *error);

#endif
