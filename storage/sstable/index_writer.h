// Index.db: each partition's place in Data.db and, for one of several blocks, the place of each
// block (org.apache.cassandra.io.sstable.format.big.RowIndexEntry; sstable-nb §5). Beside it the
// filter and the summary grow, which have the same keys.
#ifndef STORAGE_SSTABLE_INDEX_WRITER_H
#define STORAGE_SSTABLE_INDEX_WRITER_H

#include "storage/row.h"
#include "storage/sstable/file_writer.h"
#include "storage/sstable/filter.h"
#include "storage/sstable/summary.h"

// An unfiltered's place as the index has it: the kind, then the bytes of its values (with their
// count, unless it is a row).
struct index_place {
    enum bound_kind kind;
    struct slice values;
};

struct index_writer {
    struct file_writer file;
    struct filter filter;
    struct summary summary;
    struct buffer blocks;  // IndexInfos of the present partition …
    struct buffer offsets; // … and their offsets, i32 each.
    size_t block_count;
    struct buffer entry;
};

MUST_USE enum status index_writer_init(struct index_writer *writer, struct env *env,
                                       const char *path, const struct table *table,
                                       uint64_t partition_count, struct error *error);
void index_writer_deinit(struct index_writer *writer);
// A block of the present partition: [offset, offset + width) from the partition's start; `open` is
// the range tombstone that goes on behind it.
void index_writer_add_block(struct index_writer *writer, const struct index_place *first,
                            const struct index_place *last, uint64_t offset, uint64_t width,
                            struct deletion open);
// `position` in Data.db; `header_size`: of key, deletion and static row.
MUST_USE enum status index_writer_end_partition(struct index_writer *writer,
                                                const struct partition_key *key, uint64_t position,
                                                uint64_t header_size, struct deletion deletion,
                                                struct error *error);
// Syncs Index.db; the summary can then be encoded.
MUST_USE enum status index_writer_finish(struct index_writer *writer, struct error *error);

#endif
