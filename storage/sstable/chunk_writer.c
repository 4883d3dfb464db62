#include "storage/sstable/chunk_writer.h"

#include "base/assert.h"
#include "storage/sstable/format.h"

#include <stdlib.h>

enum status chunk_writer_init(struct chunk_writer *writer, struct env *env, const char *path,
                              const struct compression *compression, struct error *error)
{
    *writer = (struct chunk_writer){.compression = *compression};
    enum status status = file_writer_init(&writer->file, env, path, error);
    if (status != STATUS_OK) return status;
    writer->chunk = malloc(compression->chunk_size);
    writer->stored = malloc(compression_bound(compression));
    ASSERT(writer->chunk != NULL && writer->stored != NULL);
    compressor_press_init(&writer->press, compression->compressor, compression->level);
    buffer_init(&writer->offsets, COMPONENT_SIZE_MAX);
    buffer_init(&writer->checksums, COMPONENT_SIZE_MAX);
    return STATUS_OK;
}

static enum status store_chunk(struct chunk_writer *writer, struct error *error)
{
    struct slice chunk = slice_make(writer->chunk, writer->fill), stored = chunk;
    bool is_compressed = writer->compression.compressor != COMPRESSOR_NONE;
    if (is_compressed) {
        buffer_put_u64(&writer->offsets, file_writer_size(&writer->file));
        stored =
            slice_make(writer->stored, compression_compress(&writer->compression, &writer->press,
                                                            chunk, writer->stored));
    }
    uint32_t crc = checksum_crc32(stored);
    uint8_t crc_bytes[4];
    bytes_put_u32(crc_bytes, crc);
    writer->stored_size += stored.size;
    writer->crc = checksum_crc32_more(writer->crc, stored);
    writer->fill = 0;
    enum status status = file_writer_put(&writer->file, stored, error);
    if (status != STATUS_OK) return status;
    if (!is_compressed) {
        buffer_put_u32(&writer->checksums, crc);
        return STATUS_OK;
    }
    writer->crc = checksum_crc32_more(writer->crc, slice_make(crc_bytes, 4));
    return file_writer_put(&writer->file, slice_make(crc_bytes, 4), error);
}

enum status chunk_writer_put(struct chunk_writer *writer, struct slice bytes, struct error *error)
{
    size_t chunk_size = writer->compression.chunk_size;
    writer->position += bytes.size;
    while (bytes.size > 0) {
        size_t room = chunk_size - writer->fill;
        size_t part = bytes.size < room ? bytes.size : room;
        memcpy(writer->chunk + writer->fill, bytes.data, part);
        writer->fill += part;
        bytes = slice_make(bytes.data + part, bytes.size - part);
        if (writer->fill < chunk_size) break;
        enum status status = store_chunk(writer, error);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

enum status chunk_writer_finish(struct chunk_writer *writer, struct error *error)
{
    if (writer->fill > 0) {
        enum status status = store_chunk(writer, error);
        if (status != STATUS_OK) return status;
    }
    if (writer->offsets.overflow || writer->checksums.overflow)
        return error_set(error, STATUS_OVERLOADED, "the SSTable has too many chunks");
    return file_writer_finish(&writer->file, error);
}

void chunk_writer_deinit(struct chunk_writer *writer)
{
    if (writer->chunk == NULL) return;
    file_writer_deinit(&writer->file);
    free(writer->chunk);
    free(writer->stored);
    compressor_press_deinit(&writer->press);
    buffer_deinit(&writer->offsets);
    buffer_deinit(&writer->checksums);
    writer->chunk = NULL;
}
