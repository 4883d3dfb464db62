#include "storage/sstable/index_writer.h"

#include "storage/sstable/format.h"

enum { WIDTH_BASE = 65536 }; // Whatever the column index size is.

enum status index_writer_init(struct index_writer *writer, struct env *env, const char *path,
                              const struct table *table, uint64_t partition_count,
                              struct error *error)
{
    *writer = (struct index_writer){0};
    enum status status = file_writer_init(&writer->file, env, path, error);
    if (status != STATUS_OK) return status;
    filter_init(&writer->filter, partition_count, table->params.bloom_filter_fp_chance);
    summary_init(&writer->summary, (uint32_t)table->params.min_index_interval);
    buffer_init(&writer->blocks, ROW_SIZE_MAX);
    buffer_init(&writer->offsets, ROW_SIZE_MAX);
    buffer_init(&writer->entry, 2 * (size_t)ROW_SIZE_MAX + 2 * KEY_SIZE_MAX);
    return STATUS_OK;
}

void index_writer_deinit(struct index_writer *writer)
{
    if (writer->file.file == NULL) return;
    file_writer_deinit(&writer->file);
    filter_deinit(&writer->filter);
    summary_deinit(&writer->summary);
    buffer_deinit(&writer->blocks);
    buffer_deinit(&writer->offsets);
    buffer_deinit(&writer->entry);
}

static void put_deletion(struct buffer *bytes, struct deletion deletion)
{
    buffer_put_u32(bytes, (uint32_t)deletion.local_time);
    buffer_put_u64(bytes, (uint64_t)deletion.timestamp);
}

static void put_place(struct buffer *bytes, const struct index_place *place)
{
    buffer_put_u8(bytes, (uint8_t)place->kind);
    buffer_put(bytes, place->values.data, place->values.size);
}

void index_writer_add_block(struct index_writer *writer, const struct index_place *first,
                            const struct index_place *last, uint64_t offset, uint64_t width,
                            struct deletion open)
{
    // prefix first, prefix last, uv offset, zv width - 65536, bool open, [i32, i64 deletion]
    struct buffer *blocks = &writer->blocks;
    buffer_put_u32(&writer->offsets, (uint32_t)blocks->size);
    put_place(blocks, first);
    put_place(blocks, last);
    buffer_put_vint(blocks, offset);
    buffer_put_signed_vint(blocks, (int64_t)width - WIDTH_BASE);
    buffer_put_u8(blocks, !deletion_is_live(open));
    if (!deletion_is_live(open)) put_deletion(blocks, open);
    writer->block_count++;
}

enum status index_writer_end_partition(struct index_writer *writer, const struct partition_key *key,
                                       uint64_t position, uint64_t header_size,
                                       struct deletion deletion, struct error *error)
{
    filter_add(&writer->filter, key->bytes);
    summary_add(&writer->summary, key, file_writer_size(&writer->file));
    struct buffer *entry = &writer->entry;
    buffer_clear(entry);
    buffer_put_u16(entry, (uint16_t)key->bytes.size);
    buffer_put(entry, key->bytes.data, key->bytes.size);
    buffer_put_vint(entry, position);
    if (writer->block_count < 2) {
        buffer_put_vint(entry, 0);
    } else {
        // uv32 size, uv header size, deletion, uv32 blocks, the blocks, i32 offset of each
        uint64_t size = vint_size(header_size) + DELETION_SIZE + vint_size(writer->block_count) +
                        writer->blocks.size + writer->offsets.size;
        buffer_put_vint(entry, size);
        buffer_put_vint(entry, header_size);
        put_deletion(entry, deletion);
        buffer_put_vint(entry, writer->block_count);
        buffer_put(entry, writer->blocks.data, writer->blocks.size);
        buffer_put(entry, writer->offsets.data, writer->offsets.size);
    }
    bool overflow = writer->blocks.overflow || writer->offsets.overflow || entry->overflow;
    buffer_clear(&writer->blocks);
    buffer_clear(&writer->offsets);
    writer->block_count = 0;
    if (overflow) return error_set(error, STATUS_OVERLOADED, "a partition has too many blocks");
    return file_writer_put(&writer->file, buffer_slice(entry), error);
}

enum status index_writer_finish(struct index_writer *writer, struct error *error)
{
    if (writer->summary.is_full)
        return error_set(error, STATUS_OVERLOADED, "the summary of the SSTable is too large");
    summary_finish(&writer->summary);
    return file_writer_finish(&writer->file, error);
}
