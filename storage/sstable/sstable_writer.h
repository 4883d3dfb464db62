// One SSTable written step by step, as a part of a transaction; sstable_write() is a whole flush in
// one call, a compaction writes several in turns (org.apache.cassandra.io.sstable.format
// .SSTableWriter).
//
//     create -> (begin_partition -> put … -> end_partition)… -> finish -> destroy
//
//     log: ADD, synced -> Data, Index -> Filter, Summary, CompressionInfo or CRC, Digest,
//     Statistics, TOC -> each synced, then the directory
//
// The files are the transaction's: it keeps them by its commit, or removes them when undone.
#ifndef STORAGE_SSTABLE_SSTABLE_WRITER_H
#define STORAGE_SSTABLE_SSTABLE_WRITER_H

#include "storage/sstable/transaction_log.h"

struct sstable_writer;

// `options->content` is looked at now only; what else the options point to lives as long as the
// writer. On failure there is no writer, but may be files.
MUST_USE enum status sstable_writer_create(struct env *env,
                                           const struct sstable_write_options *options,
                                           struct transaction_log *log,
                                           struct sstable_writer **writer, struct error *error);
// As data_writer_begin_partition() and its neighbours.
MUST_USE enum status sstable_writer_begin_partition(struct sstable_writer *writer,
                                                    const struct partition_iterator *partition,
                                                    struct error *error);
MUST_USE enum status sstable_writer_put(struct sstable_writer *writer,
                                        const struct unfiltered *unfiltered, struct error *error);
MUST_USE enum status sstable_writer_end_partition(struct sstable_writer *writer,
                                                  struct error *error);
MUST_USE enum status sstable_writer_put_partition(struct sstable_writer *writer,
                                                  struct partition_iterator *partition,
                                                  struct error *error);
uint64_t sstable_writer_partition_count(const struct sstable_writer *writer);
// Bytes of Data.db so far, as they are stored.
uint64_t sstable_writer_data_size(const struct sstable_writer *writer);
// Writes what is missing, and syncs all files and their names. Of at least one partition.
MUST_USE enum status sstable_writer_finish(struct sstable_writer *writer,
                                           struct sstable_summary *written, struct error *error);
// Closes the files, which stay. NULL is allowed.
void sstable_writer_destroy(struct sstable_writer *writer);

#endif
