// One chunk from its file: read, checked, decompressed; see reader.h.
#include "base/assert.h"
#include "base/checksum.h"
#include "storage/sstable/reader.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { CHECKSUM_SIZE = 4 };

static enum status read_exactly(const struct sstable_reader *reader,
                                enum sstable_component component, uint64_t offset, void *bytes,
                                size_t size, bool cached, struct error *error)
{
    struct env_file *file = component == SSTABLE_DATA ? reader->data_file : reader->index_file;
    size_t read_size = 0;
    enum status status = cached ? env_file_read_cached(file, offset, bytes, size, &read_size, error)
                                : env_file_read(file, offset, bytes, size, &read_size, error);
    if (status != STATUS_OK) return status;
    if (read_size != size)
        return reader_corrupt(reader, component, offset + read_size, error, "the file ends");
    return STATUS_OK;
}

// Bytes of Data.db that chunk `index` has: all chunk_size but in the last.
static size_t data_chunk_size(const struct sstable_reader *reader, size_t index)
{
    uint64_t left = reader->data_size - ((uint64_t)index << reader->data_chunk_shift);
    return left < reader->data_chunk_size ? (size_t)left : reader->data_chunk_size;
}

// Whether to compare the checksum of a chunk. In turn, so that of many chunks it is the share that
// the table asks for, and of a chunk that is read often it is now and then.
static bool is_to_be_checked(struct sstable_reader *reader)
{
    uint32_t share = atomic_load_explicit(&reader->crc_share, memory_order_relaxed);
    if (share == UINT32_MAX) return true;
    uint32_t before = atomic_fetch_add_explicit(&reader->crc_turn, share, memory_order_relaxed);
    return before + share < before;
}

static enum status read_plain(struct sstable_reader *reader, size_t index, bool cached,
                              struct chunk *chunk, struct error *error)
{
    uint64_t offset = (uint64_t)index << reader->data_chunk_shift;
    enum status status =
        read_exactly(reader, SSTABLE_DATA, offset, chunk->bytes, chunk->size, cached, error);
    if (status != STATUS_OK || reader->crc_file.size == 0 || !is_to_be_checked(reader))
        return status;
    uint32_t crc = checksum_crc32(slice_make(chunk->bytes, chunk->size));
    if (crc != bytes_get_u32(reader->crc_file.data + 4 + 4 * index))
        return reader_corrupt(reader, SSTABLE_DATA, offset, error, "bad checksum of a chunk");
    return STATUS_OK;
}

static enum status read_compressed(struct sstable_reader *reader, size_t index, bool cached,
                                   struct chunk *chunk, struct error *error)
{
    const uint8_t *offsets = reader->compression.offsets;
    uint64_t offset = bytes_get_u64(offsets + 8 * index);
    uint64_t end = index + 1 < reader->compression.chunk_count
                       ? bytes_get_u64(offsets + 8 * (index + 1))
                       : reader->sizes[SSTABLE_DATA];
    size_t size = (size_t)(end - offset) - CHECKSUM_SIZE; // Checked when opened.
    uint8_t *stored = malloc(size + CHECKSUM_SIZE);
    ASSERT(stored != NULL);
    enum status status =
        read_exactly(reader, SSTABLE_DATA, offset, stored, size + CHECKSUM_SIZE, cached, error);
    if (status == STATUS_OK && is_to_be_checked(reader) &&
        checksum_crc32(slice_make(stored, size)) != bytes_get_u32(stored + size))
        status = reader_corrupt(reader, SSTABLE_DATA, offset, error, "bad checksum of a chunk");
    if (status == STATUS_OK &&
        compression_decompress(&reader->compression.compression, slice_make(stored, size),
                               chunk->bytes, chunk->size) != STATUS_OK)
        status = reader_corrupt(reader, SSTABLE_DATA, offset, error,
                                "a chunk does not decompress to its length");
    free(stored);
    return status;
}

static enum status read_index(const struct sstable_reader *reader, size_t block, bool cached,
                              struct chunk *chunk, struct error *error)
{
    return read_exactly(reader, SSTABLE_INDEX, (uint64_t)block * INDEX_BLOCK_SIZE, chunk->bytes,
                        chunk->size, cached, error);
}

enum status reader_read_chunk(struct sstable_reader *reader, size_t index, bool cached,
                              struct chunk **chunk, struct error *error)
{
    ASSERT(index < reader_chunk_count(reader));
    struct chunk *read;
    enum status status;
    if (index >= reader->data_chunk_count) {
        size_t block = index - reader->data_chunk_count;
        uint64_t left = reader->sizes[SSTABLE_INDEX] - (uint64_t)block * INDEX_BLOCK_SIZE;
        read = chunk_create(left < INDEX_BLOCK_SIZE ? (size_t)left : INDEX_BLOCK_SIZE);
        status = read_index(reader, block, cached, read, error);
    } else {
        read = chunk_create(data_chunk_size(reader, index));
        status = reader->compression_file.size > 0
                     ? read_compressed(reader, index, cached, read, error)
                     : read_plain(reader, index, cached, read, error);
    }
    if (status != STATUS_OK) {
        chunk_unref(read);
        return status;
    }
    *chunk = read;
    return STATUS_OK;
}
