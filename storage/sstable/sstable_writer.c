#include "storage/sstable/sstable_writer.h"

#include "base/assert.h"
#include "storage/sstable/data_writer.h"

#include <inttypes.h>
#include <stdlib.h>

struct sstable_writer {
    struct env *env;
    struct sstable_write_options options;
    struct data_writer data;
    struct header header;
    struct compression compression;
    struct arena arena;
    struct sstable_check check;
};

static bool has_component(const struct sstable_writer *writer, enum sstable_component component)
{
    bool is_compressed = writer->compression.compressor != COMPRESSOR_NONE;
    if (component == SSTABLE_COMPRESSION_INFO) return is_compressed;
    if (component == SSTABLE_CRC) return !is_compressed;
    if (component == SSTABLE_FILTER)
        return writer->options.table->params.bloom_filter_fp_chance < 1.0;
    return true;
}

static unsigned count_components(const struct sstable_writer *writer)
{
    unsigned count = 0;
    for (int i = 0; i < SSTABLE_COMPONENT_COUNT; i++)
        count += has_component(writer, (enum sstable_component)i);
    return count;
}

static enum status write_component(struct sstable_writer *writer, enum sstable_component component,
                                   struct slice bytes, struct error *error)
{
    char path[SSTABLE_PATH_SIZE];
    sstable_path(path, writer->options.directory, writer->options.generation, component);
    writer->check.sizes[component] = bytes.size;
    return file_writer_write_file(writer->env, path, bytes, &writer->check.xxh3[component], error);
}

// ---- The small components -----------------------------------------------------------------------

static void encode_filter(struct sstable_writer *writer, struct buffer *bytes)
{
    filter_encode(&writer->data.index.filter, bytes);
}

static void encode_summary(struct sstable_writer *writer, struct buffer *bytes)
{
    summary_encode(&writer->data.index.summary, bytes);
}

static void encode_compression_info(struct sstable_writer *writer, struct buffer *bytes)
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

static void encode_crc(struct sstable_writer *writer, struct buffer *bytes)
{
    const struct chunk_writer *chunks = &writer->data.chunks;
    buffer_put_u32(bytes, chunks->compression.chunk_size);
    buffer_put(bytes, chunks->checksums.data, chunks->checksums.size);
}

static void encode_digest(struct sstable_writer *writer, struct buffer *bytes)
{
    buffer_put_format(bytes, "%" PRIu32, writer->data.chunks.crc);
}

static void encode_statistics(struct sstable_writer *writer, struct buffer *bytes)
{
    const struct chunk_writer *chunks = &writer->data.chunks;
    struct statistics *statistics = &writer->data.statistics.statistics;
    if (chunks->compression.compressor != COMPRESSOR_NONE)
        statistics->compression_ratio = (double)chunks->stored_size / (double)chunks->position;
    statistics->level = writer->options.level;
    statistics->repaired_at = writer->options.repaired_at;
    statistics->has_host_id = writer->options.host_id != NULL;
    if (statistics->has_host_id) statistics->host_id = *writer->options.host_id;
    statistics_encode(&writer->data.statistics, &writer->header,
                      writer->options.table->params.bloom_filter_fp_chance, bytes);
}

static void encode_toc(struct sstable_writer *writer, struct buffer *bytes)
{
    for (int i = 0; i < SSTABLE_COMPONENT_COUNT; i++) {
        if (has_component(writer, (enum sstable_component)i))
            buffer_put_format(bytes, "%s\n", sstable_component_name((enum sstable_component)i));
    }
}

static enum status write_small_components(struct sstable_writer *writer, struct error *error)
{
    static const struct {
        enum sstable_component component;
        void (*encode)(struct sstable_writer *writer, struct buffer *bytes);
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
                     ? error_set(error, STATUS_OVERLOADED, "%s of the SSTable is too large",
                                 sstable_component_name(parts[i].component))
                     : write_component(writer, parts[i].component, buffer_slice(&bytes), error);
    }
    buffer_deinit(&bytes);
    return status;
}

// ---- The whole ----------------------------------------------------------------------------------

static enum status open_files(struct sstable_writer *writer, uint64_t partition_count,
                              struct transaction_log *log, struct error *error)
{
    const struct sstable_write_options *options = &writer->options;
    char data_path[SSTABLE_PATH_SIZE], index_path[SSTABLE_PATH_SIZE];
    sstable_path(data_path, options->directory, options->generation, SSTABLE_DATA);
    sstable_path(index_path, options->directory, options->generation, SSTABLE_INDEX);
    enum status status =
        transaction_log_add(log, options->generation, count_components(writer), error);
    if (status != STATUS_OK) return status;
    return data_writer_init(&writer->data, writer->env, data_path, index_path, options->table,
                            &writer->header, &writer->compression, partition_count,
                            options->column_index_size, error);
}

enum status sstable_writer_create(struct env *env, const struct sstable_write_options *options,
                                  struct transaction_log *log, struct sstable_writer **writer,
                                  struct error *error)
{
    if (options->generation > INT32_MAX)
        return error_set(error, STATUS_OVERLOADED, "%s: no more SSTables can be numbered",
                         options->directory);
    struct sstable_writer *created = malloc(sizeof *created);
    ASSERT(created != NULL);
    *created = (struct sstable_writer){.env = env, .options = *options};
    created->options.content = NULL;
    arena_init(&created->arena, 4 * KIB);
    header_make(&created->header, options->table, options->content, &created->arena);
    compression_of_table(options->table,
                         options->with_table_compressor ? COMPRESSION_FOR_COMPACTION
                                                        : COMPRESSION_FOR_FLUSH,
                         &created->compression, &created->arena);
    enum status status = open_files(created, options->content->partition_count, log, error);
    if (status != STATUS_OK) {
        arena_deinit(&created->arena);
        free(created);
        return status;
    }
    *writer = created;
    return STATUS_OK;
}

void sstable_writer_destroy(struct sstable_writer *writer)
{
    if (writer == NULL) return;
    data_writer_deinit(&writer->data);
    arena_deinit(&writer->arena);
    free(writer);
}

enum status sstable_writer_begin_partition(struct sstable_writer *writer,
                                           const struct partition_iterator *partition,
                                           struct error *error)
{
    ASSERT(partition->table == writer->options.table);
    return data_writer_begin_partition(&writer->data, partition, error);
}

enum status sstable_writer_put(struct sstable_writer *writer, const struct unfiltered *unfiltered,
                               struct error *error)
{
    return data_writer_put(&writer->data, unfiltered, error);
}

enum status sstable_writer_end_partition(struct sstable_writer *writer, struct error *error)
{
    return data_writer_end_partition(&writer->data, error);
}

enum status sstable_writer_put_partition(struct sstable_writer *writer,
                                         struct partition_iterator *partition, struct error *error)
{
    ASSERT(partition->table == writer->options.table);
    return data_writer_put_partition(&writer->data, partition, error);
}

uint64_t sstable_writer_partition_count(const struct sstable_writer *writer)
{
    return writer->data.partition_count;
}

uint64_t sstable_writer_data_size(const struct sstable_writer *writer)
{
    return file_writer_size(&writer->data.chunks.file);
}

static enum status finish_files(struct sstable_writer *writer, struct error *error)
{
    struct data_writer *data = &writer->data;
    enum status status = index_writer_finish(&data->index, error);
    if (status == STATUS_OK) status = chunk_writer_finish(&data->chunks, error);
    if (status != STATUS_OK) return status;
    writer->check.sizes[SSTABLE_INDEX] = file_writer_size(&data->index.file);
    writer->check.xxh3[SSTABLE_INDEX] = file_writer_hash(&data->index.file);
    writer->check.sizes[SSTABLE_DATA] = file_writer_size(&data->chunks.file);
    writer->check.xxh3[SSTABLE_DATA] = file_writer_hash(&data->chunks.file);
    status = write_small_components(writer, error);
    if (status != STATUS_OK) return status;
    return env_sync_dir(writer->env, writer->options.directory, error);
}

enum status sstable_writer_finish(struct sstable_writer *writer, struct sstable_summary *written,
                                  struct error *error)
{
    ASSERT(writer->data.partition_count > 0);
    enum status status = finish_files(writer, error);
    if (status != STATUS_OK) return status;
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
    return STATUS_OK;
}
