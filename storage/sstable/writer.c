// One whole SSTable, as a flush writes it; see sstable.h.
#include "storage/sstable/sstable_writer.h"

static enum status write_partitions(struct sstable_writer *writer, struct scan_iterator *source,
                                    struct error *error)
{
    struct partition_iterator *partition;
    enum status status;
    while ((status = scan_iterator_next(source, &partition)) == STATUS_OK) {
        status = sstable_writer_put_partition(writer, partition, error);
        partition_iterator_close(partition);
        if (status != STATUS_OK) return status;
    }
    return status == STATUS_END
               ? STATUS_OK
               : error_set(error, status, "the source of the SSTable cannot be read");
}

// `*written` has no partition if the source is empty: then the files that there are must go.
static enum status write_files(struct env *env, const struct sstable_write_options *options,
                               struct transaction_log *log, struct scan_iterator *source,
                               struct sstable_summary *written, struct error *error)
{
    struct sstable_writer *writer;
    enum status status = sstable_writer_create(env, options, log, &writer, error);
    if (status != STATUS_OK) return status;
    status = write_partitions(writer, source, error);
    if (status == STATUS_OK && sstable_writer_partition_count(writer) > 0)
        status = sstable_writer_finish(writer, written, error);
    sstable_writer_destroy(writer);
    return status;
}

static enum status write_logged(struct env *env, const struct sstable_write_options *options,
                                struct scan_iterator *source, struct sstable_summary *written,
                                struct error *error)
{
    struct transaction_log log;
    enum status status =
        transaction_log_begin(&log, env, options->directory, TRANSACTION_FLUSH, error);
    if (status != STATUS_OK) return status;
    status = write_files(env, options, &log, source, written, error);
    if (status == STATUS_OK && written->partition_count > 0) {
        status = transaction_log_commit(&log, error);
        if (status == STATUS_OK) {
            // A log that says COMMIT is true: it does no harm if it stays.
            (void)!transaction_log_finish(&log, NULL);
            return STATUS_OK;
        }
    }
    bool is_undecided;
    enum status undone = transaction_log_undo(&log, &is_undecided, NULL);
    return status != STATUS_OK ? status : undone;
}

enum status sstable_write(struct env *env, const struct sstable_write_options *options,
                          struct scan_iterator *source, struct sstable_summary *written,
                          struct error *error)
{
    struct sstable_summary summary = {0};
    enum status status = STATUS_OK;
    if (options->content->partition_count > 0)
        status = write_logged(env, options, source, &summary, error);
    scan_iterator_close(source);
    if (status == STATUS_OK) *written = summary;
    return status;
}
