// One chunk from its file: read, checked, decompressed; see reader.h.
#include "base/assert.h"
#include "base/checksum.h"
#include "storage/sstable/reader.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { CHECKSUM_SIZE = 4 };

// How the bytes of a chunk are got.
struct chunk_access {
    bool cached;              // Only if nobody has to wait for them.
    struct read_ahead *ahead; // Or NULL.
    size_t wanted;            // So many from the chunk's beginning are enough.
    struct chunk *spare;      // To read into, or NULL.
};

// Stored bytes of a chunk of the usual size are read to here, where the processor has them near.
enum { NEAR_SIZE = CHUNK_SIZE_DEFAULT + KIB };

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

// Some bytes of Data.db, of which more are read than these. NULL in `*bytes`: they are too many.
static enum status take_ahead(const struct sstable_reader *reader, struct read_ahead *ahead,
                              uint64_t offset, size_t size, const uint8_t **bytes,
                              struct error *error)
{
    *bytes = NULL;
    if (size > READ_AHEAD_SIZE) return STATUS_OK;
    if (offset < ahead->offset || offset + size > ahead->offset + ahead->size) {
        uint64_t left = reader->sizes[SSTABLE_DATA] - offset;
        size_t wanted = left < READ_AHEAD_SIZE ? (size_t)left : READ_AHEAD_SIZE;
        ahead->size = 0;
        enum status status =
            read_exactly(reader, SSTABLE_DATA, offset, ahead->bytes, wanted, false, error);
        if (status != STATUS_OK) return status;
        ahead->offset = offset;
        ahead->size = wanted;
    }
    *bytes = ahead->bytes + (offset - ahead->offset);
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

static enum status read_plain(struct sstable_reader *reader, size_t index,
                              const struct chunk_access *access, struct chunk *chunk,
                              struct error *error)
{
    uint64_t offset = (uint64_t)index << reader->data_chunk_shift;
    const uint8_t *ahead = NULL;
    enum status status = STATUS_OK;
    if (access->ahead != NULL)
        status = take_ahead(reader, access->ahead, offset, chunk->size, &ahead, error);
    if (status == STATUS_OK && ahead == NULL)
        status = read_exactly(reader, SSTABLE_DATA, offset, chunk->bytes, chunk->size,
                              access->cached, error);
    if (status != STATUS_OK) return status;
    if (ahead != NULL) memcpy(chunk->bytes, ahead, chunk->size);
    if (reader->crc_file.size == 0 || !is_to_be_checked(reader)) return STATUS_OK;
    uint32_t crc = checksum_crc32(slice_make(chunk->bytes, chunk->size));
    if (crc != bytes_get_u32(reader->crc_file.data + 4 + 4 * index))
        return reader_corrupt(reader, SSTABLE_DATA, offset, error, "bad checksum of a chunk");
    return STATUS_OK;
}

// `stored` has its checksum behind it and gives `whole` bytes, of which the chunk takes the first.
static enum status decompress(struct sstable_reader *reader, uint64_t offset, struct slice stored,
                              size_t whole, struct chunk *chunk, struct error *error)
{
    if (is_to_be_checked(reader) &&
        checksum_crc32(stored) != bytes_get_u32(stored.data + stored.size))
        return reader_corrupt(reader, SSTABLE_DATA, offset, error, "bad checksum of a chunk");
    if (compression_decompress_start(&reader->compression.compression, stored, whole, chunk->bytes,
                                     chunk->size) != STATUS_OK)
        return reader_corrupt(reader, SSTABLE_DATA, offset, error,
                              "a chunk does not decompress to its length");
    return STATUS_OK;
}

static enum status read_compressed(struct sstable_reader *reader, size_t index,
                                   const struct chunk_access *access, struct chunk *chunk,
                                   struct error *error)
{
    const uint8_t *offsets = reader->compression.offsets;
    uint64_t offset = bytes_get_u64(offsets + 8 * index);
    uint64_t end = index + 1 < reader->compression.chunk_count
                       ? bytes_get_u64(offsets + 8 * (index + 1))
                       : reader->sizes[SSTABLE_DATA];
    size_t size = (size_t)(end - offset) - CHECKSUM_SIZE; // Checked when opened.
    const uint8_t *ahead = NULL;
    enum status status = STATUS_OK;
    if (access->ahead != NULL)
        status = take_ahead(reader, access->ahead, offset, size + CHECKSUM_SIZE, &ahead, error);
    if (status != STATUS_OK) return status;
    size_t whole = data_chunk_size(reader, index);
    if (ahead != NULL)
        return decompress(reader, offset, slice_make(ahead, size), whole, chunk, error);
    uint8_t near[NEAR_SIZE];
    uint8_t *stored = size + CHECKSUM_SIZE <= sizeof near ? near : malloc(size + CHECKSUM_SIZE);
    ASSERT(stored != NULL);
    status = read_exactly(reader, SSTABLE_DATA, offset, stored, size + CHECKSUM_SIZE,
                          access->cached, error);
    if (status == STATUS_OK)
        status = decompress(reader, offset, slice_make(stored, size), whole, chunk, error);
    if (stored != near) free(stored);
    return status;
}

static enum status read_index(const struct sstable_reader *reader, size_t block, bool cached,
                              struct chunk *chunk, struct error *error)
{
    return read_exactly(reader, SSTABLE_INDEX, (uint64_t)block * INDEX_BLOCK_SIZE, chunk->bytes,
                        chunk->size, cached, error);
}

// How many bytes of a chunk of Data.db are got.
static size_t size_to_get(const struct sstable_reader *reader, size_t index, size_t wanted)
{
    size_t whole = data_chunk_size(reader, index);
    bool has_starts = reader->compression_file.size > 0 &&
                      compression_has_starts(&reader->compression.compression);
    return has_starts && wanted < whole ? wanted : whole;
}

static struct chunk *take_chunk(const struct chunk_access *access, size_t size)
{
    if (access->spare == NULL || size > CHUNK_SPARE_SIZE) return chunk_create(size);
    access->spare->size = (uint32_t)size;
    return chunk_ref(access->spare);
}

static enum status read_chunk(struct sstable_reader *reader, size_t index,
                              const struct chunk_access *access, struct chunk **chunk,
                              struct error *error)
{
    ASSERT(index < reader_chunk_count(reader));
    struct chunk *read;
    enum status status;
    if (index >= reader->data_chunk_count) {
        size_t block = index - reader->data_chunk_count;
        uint64_t left = reader->sizes[SSTABLE_INDEX] - (uint64_t)block * INDEX_BLOCK_SIZE;
        read = chunk_create(left < INDEX_BLOCK_SIZE ? (size_t)left : INDEX_BLOCK_SIZE);
        status = read_index(reader, block, access->cached, read, error);
    } else {
        read = take_chunk(access, size_to_get(reader, index, access->wanted));
        status = reader->compression_file.size > 0
                     ? read_compressed(reader, index, access, read, error)
                     : read_plain(reader, index, access, read, error);
    }
    if (status != STATUS_OK) {
        chunk_unref(read);
        return status;
    }
    *chunk = read;
    return STATUS_OK;
}

enum status reader_read_chunk(struct sstable_reader *reader, size_t index, bool cached,
                              struct chunk **chunk, struct error *error)
{
    struct chunk_access access = {.cached = cached, .wanted = SIZE_MAX};
    return read_chunk(reader, index, &access, chunk, error);
}

enum status reader_read_chunk_start(struct sstable_reader *reader, size_t index, size_t wanted,
                                    struct chunk *spare, struct chunk **chunk, struct error *error)
{
    struct chunk_access access = {.cached = true, .wanted = wanted, .spare = spare};
    return read_chunk(reader, index, &access, chunk, error);
}

enum status reader_read_chunk_ahead(struct sstable_reader *reader, size_t index,
                                    struct read_ahead *ahead, struct chunk **chunk,
                                    struct error *error)
{
    struct chunk_access access = {.ahead = ahead, .wanted = SIZE_MAX};
    return read_chunk(reader, index, &access, chunk, error);
}
