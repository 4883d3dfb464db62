// One SSTable from its source to durable files; see sstable.h.
//
//     log: ADD, synced -> Data, Index -> Filter, Summary, CompressionInfo or CRC, Digest,
//     Statistics, TOC -> each synced, then the directory -> log: COMMIT, synced -> log removed
#include "base/assert.h"
#include "storage/sstable/data_writer.h"
#include "storage/sstable/transaction_log.h"

#include <inttypes.h>
#include <stdio.h>

struct writer {
    struct env *env;
    const struct sstable_write_options *options;
    struct data_writer data;
    struct header header;
    struct compression compression;
    struct arena arena;
    struct sstable_check check;
    struct error *error;
};

static bool has_component(const struct writer *writer, enum sstable_component component)
{
    bool is_compressed = writer->compression.compressor != COMPRESSOR_NONE;
    if (component == SSTABLE_COMPRESSION_INFO) return is_compressed;
    if (component == SSTABLE_CRC) return !is_compressed;
    if (component == SSTABLE_FILTER)
        return writer->options->table->params.bloom_filter_fp_chance < 1.0;
    return true;
}

static unsigned count_components(const struct writer *writer)
{
    unsigned count = 0;
    for (int i = 0; i < SSTABLE_COMPONENT_COUNT; i++)
        count += has_component(writer, (enum sstable_component)i);
    return count;
}

static enum status write_component(struct writer *writer, enum sstable_component component,
                                   struct slice bytes)
{
    char path[SSTABLE_PATH_SIZE];
    sstable_path(path, writer->options->directory, writer->options->generation, component);
    writer->check.sizes[component] = bytes.size;
    return file_writer_write_file(writer->env, path, bytes, &writer->check.xxh3[component],
                                  writer->error);
}

// ---- The small components -----------------------------------------------------------------------

static void encode_filter(struct writer *writer, struct buffer *bytes)
{
    filter_encode(&writer->data.index.filter, bytes);
}

static void encode_summary(struct writer *writer, struct buffer *bytes)
{
    summary_encode(&writer->data.index.summary, bytes);
}

static void encode_compression_info(struct writer *writer, struct buffer *bytes)
{
    const struct chunk_writer *chunks = &writer->data.chunks;
    struct compression_info info = {
        .compression = chunks->compression,
        .data_size = chunks->position,
        .chunk_count = chunks->offsets.size / 8,
        .offsets = chunks->offsets.data,
    };
    compression_info_encode(&info, bytes);
}

static void encode_crc(struct writer *writer, struct buffer *bytes)
{
    const struct chunk_writer *chunks = &writer->data.chunks;
    buffer_put_u32(bytes, chunks->compression.chunk_size);
    buffer_put(bytes, chunks->checksums.data, chunks->checksums.size);
}

static void encode_digest(struct writer *writer, struct buffer *bytes)
{
    buffer_put_format(bytes, "%" PRIu32, writer->data.chunks.crc);
}

static void encode_statistics(struct writer *writer, struct buffer *bytes)
{
    const struct chunk_writer *chunks = &writer->data.chunks;
    struct statistics *statistics = &writer->data.statistics.statistics;
    if (chunks->compression.compressor != COMPRESSOR_NONE)
        statistics->compression_ratio = (double)chunks->stored_size / (double)chunks->position;
    statistics->has_host_id = writer->options->host_id != NULL;
    if (statistics->has_host_id) statistics->host_id = *writer->options->host_id;
    statistics_encode(&writer->data.statistics, &writer->header,
                      writer->options->table->params.bloom_filter_fp_chance, bytes);
}

static void encode_toc(struct writer *writer, struct buffer *bytes)
{
    for (int i = 0; i < SSTABLE_COMPONENT_COUNT; i++) {
        if (has_component(writer, (enum sstable_component)i))
            buffer_put_format(bytes, "%s\n", sstable_component_name((enum sstable_component)i));
    }
}

static enum status write_small_components(struct writer *writer)
{
    static const struct {
        enum sstable_component component;
        void (*encode)(struct writer *writer, struct buffer *bytes);
    } parts[] = {
        {SSTABLE_FILTER, encode_filter},
        {SSTABLE_SUMMARY, encode_summary},
        {SSTABLE_COMPRESSION_INFO, encode_compression_info},
        {SSTABLE_CRC, encode_crc},
        {SSTABLE_DIGEST, encode_digest},
        {SSTABLE_STATISTICS, encode_statistics},
        {SSTABLE_TOC, encode_toc},
    };
    struct buffer bytes;
    buffer_init(&bytes, GIB);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof parts / sizeof *parts && status == STATUS_OK; i++) {
        if (!has_component(writer, parts[i].component)) continue;
        buffer_clear(&bytes);
        parts[i].encode(writer, &bytes);
        status = bytes.overflow
                     ? error_set(writer->error, STATUS_OVERLOADED, "%s of the SSTable is too large",
                                 sstable_component_name(parts[i].component))
                     : write_component(writer, parts[i].component, buffer_slice(&bytes));
    }
    buffer_deinit(&bytes);
    return status;
}

// ---- The whole ----------------------------------------------------------------------------------

static enum status write_partitions(struct writer *writer, struct scan_iterator *source)
{
    struct partition_iterator *partition;
    enum status status;
    while ((status = scan_iterator_next(source, &partition)) == STATUS_OK) {
        ASSERT(partition->table == writer->options->table);
        status = data_writer_put_partition(&writer->data, partition, writer->error);
        partition_iterator_close(partition);
        if (status != STATUS_OK) return status;
    }
    return status == STATUS_END
               ? STATUS_OK
               : error_set(writer->error, status, "the source of the SSTable cannot be read");
}

static enum status finish_files(struct writer *writer)
{
    struct data_writer *data = &writer->data;
    enum status status = index_writer_finish(&data->index, writer->error);
    if (status == STATUS_OK) status = chunk_writer_finish(&data->chunks, writer->error);
    if (status != STATUS_OK) return status;
    writer->check.sizes[SSTABLE_INDEX] = file_writer_size(&data->index.file);
    writer->check.xxh3[SSTABLE_INDEX] = file_writer_hash(&data->index.file);
    writer->check.sizes[SSTABLE_DATA] = file_writer_size(&data->chunks.file);
    writer->check.xxh3[SSTABLE_DATA] = file_writer_hash(&data->chunks.file);
    status = write_small_components(writer);
    if (status != STATUS_OK) return status;
    return env_sync_dir(writer->env, writer->options->directory, writer->error);
}

// All components, durable; nothing at all if the source is empty.
static enum status write_files(struct writer *writer, struct scan_iterator *source)
{
    const struct sstable_write_options *options = writer->options;
    char data_path[SSTABLE_PATH_SIZE], index_path[SSTABLE_PATH_SIZE];
    sstable_path(data_path, options->directory, options->generation, SSTABLE_DATA);
    sstable_path(index_path, options->directory, options->generation, SSTABLE_INDEX);
    enum status status =
        data_writer_init(&writer->data, writer->env, data_path, index_path, options->table,
                         &writer->header, &writer->compression, options->content->partition_count,
                         options->column_index_size, writer->error);
    if (status != STATUS_OK) return status;
    status = write_partitions(writer, source);
    if (status == STATUS_OK && writer->data.partition_count > 0) status = finish_files(writer);
    return status;
}

static void summarize(const struct writer *writer, struct sstable_summary *written)
{
    const struct statistics *statistics = &writer->data.statistics.statistics;
    *written = (struct sstable_summary){
        .partition_count = writer->data.partition_count,
        .row_count = statistics->total_rows,
        .min_token = writer->data.first_token,
        .max_token = writer->data.last_token,
        .min_timestamp = statistics->min_timestamp,
        .max_timestamp = statistics->max_timestamp,
        .check = writer->check,
    };
    for (int i = 0; i < SSTABLE_COMPONENT_COUNT; i++)
        written->size += writer->check.sizes[i];
}

static enum status write_logged(struct writer *writer, struct transaction_log *log,
                                struct scan_iterator *source, struct sstable_summary *written)
{
    const struct sstable_write_options *options = writer->options;
    struct data_writer *data = &writer->data;
    data->chunks.chunk = NULL; // Nothing of it is to be ended yet.
    enum status status = write_files(writer, source);
    bool has_data = data->chunks.chunk != NULL && data->partition_count > 0;
    if (status == STATUS_OK && has_data) {
        summarize(writer, written);
        status = transaction_log_commit(log, writer->error);
    }
    if (data->chunks.chunk != NULL) data_writer_deinit(data);
    if (status != STATUS_OK || !has_data) {
        // Without the log nobody would know that what is left here is to go. If this fails, the log
        // stays, and with it the next start undoes what is left.
        enum status removed =
            sstable_remove(writer->env, options->directory, options->generation, NULL);
        if (removed != STATUS_OK) {
            env_file_close(log->file);
            return status != STATUS_OK ? status : removed;
        }
    }
    // A log that says COMMIT, or whose files are gone, is true: it does no harm if it stays.
    (void)!transaction_log_end(log, NULL);
    return status;
}

enum status sstable_write(struct env *env, const struct sstable_write_options *options,
                          struct scan_iterator *source, struct sstable_summary *written,
                          struct error *error)
{
    struct sstable_summary summary = {0};
    enum status status = STATUS_OK;
    ASSERT(options->generation <= INT32_MAX);
    if (options->content->partition_count > 0) {
        struct writer writer = {.env = env, .options = options, .error = error};
        arena_init(&writer.arena, 4 * KIB);
        header_make(&writer.header, options->table, options->content, &writer.arena);
        compression_of_table(options->table, COMPRESSION_FOR_FLUSH, &writer.compression,
                             &writer.arena);
        struct transaction_log log;
        status = transaction_log_begin(&log, env, options->directory, options->generation,
                                       count_components(&writer), error);
        if (status == STATUS_OK) status = write_logged(&writer, &log, source, &summary);
        arena_deinit(&writer.arena);
    }
    scan_iterator_close(source);
    if (status == STATUS_OK) *written = summary;
    return status;
}
