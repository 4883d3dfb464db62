#include "storage/sstable/compressor.h"

#include "base/assert.h"
#include "base/bytes.h"

#include <libdeflate.h>
#include <lz4.h>
#include <lz4hc.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <zstd.h>

#define COMPRESS_PREFIX "org.apache.cassandra.io.compress."

enum { LENGTH_SIZE = 4, DEFLATE_LEVEL = 6 };

static const char *const names[] = {
    [COMPRESSOR_NONE] = "",
    [COMPRESSOR_LZ4] = "LZ4Compressor",
    [COMPRESSOR_SNAPPY] = "SnappyCompressor",
    [COMPRESSOR_DEFLATE] = "DeflateCompressor",
    [COMPRESSOR_ZSTD] = "ZstdCompressor",
    [COMPRESSOR_NOOP] = "NoopCompressor",
};

enum compressor compressor_of_name(struct slice name)
{
    size_t prefix = sizeof COMPRESS_PREFIX - 1;
    if (name.size > prefix && memcmp(name.data, COMPRESS_PREFIX, prefix) == 0)
        name = slice_make(name.data + prefix, name.size - prefix);
    for (enum compressor i = COMPRESSOR_LZ4; i <= COMPRESSOR_NOOP; i++) {
        if (slice_equals(name, slice_of_text(names[i]))) return i;
    }
    return COMPRESSOR_NONE;
}

const char *compressor_name(enum compressor compressor)
{
    return names[compressor];
}

bool compressor_is_fast(enum compressor compressor, int level)
{
    switch (compressor) {
    case COMPRESSOR_LZ4:
        return level == LZ4_FAST;
    case COMPRESSOR_DEFLATE:
    case COMPRESSOR_ZSTD:
        return false;
    default:
        return true;
    }
}

size_t compressor_bound(enum compressor compressor, size_t size)
{
    switch (compressor) {
    case COMPRESSOR_LZ4:
        return LENGTH_SIZE + (size_t)LZ4_compressBound((int)size);
    case COMPRESSOR_SNAPPY:
        return snappy_max_compressed_length(size);
    case COMPRESSOR_DEFLATE:
        return libdeflate_zlib_compress_bound(NULL, size);
    case COMPRESSOR_ZSTD:
        return ZSTD_compressBound(size);
    default:
        return size;
    }
}

// ---- Compressing --------------------------------------------------------------------------------

static ZSTD_CCtx *make_zstd(int level)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ASSERT(context != NULL);
    // As Cassandra's: whoever reads the frame can check it.
    ASSERT(!ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)));
    ASSERT(!ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)));
    return context;
}

void compressor_press_init(struct compressor_press *press, enum compressor compressor, int level)
{
    *press = (struct compressor_press){compressor, level, NULL};
    switch (compressor) {
    case COMPRESSOR_LZ4:
        if (level == LZ4_FAST) return;
        press->memory = malloc((size_t)LZ4_sizeofStateHC());
        break;
    case COMPRESSOR_DEFLATE:
        press->memory = libdeflate_alloc_compressor(DEFLATE_LEVEL);
        break;
    case COMPRESSOR_ZSTD:
        press->memory = make_zstd(level);
        break;
    default:
        return;
    }
    ASSERT(press->memory != NULL);
}

void compressor_press_deinit(struct compressor_press *press)
{
    switch (press->compressor) {
    case COMPRESSOR_DEFLATE:
        libdeflate_free_compressor(press->memory);
        break;
    case COMPRESSOR_ZSTD:
        ZSTD_freeCCtx(press->memory);
        break;
    default:
        free(press->memory);
    }
    press->memory = NULL;
}

static size_t compress_lz4(const struct compressor_press *press, struct slice chunk,
                           uint8_t *compressed)
{
    bytes_put_u32_le(compressed, (uint32_t)chunk.size);
    const char *from = (const char *)chunk.data;
    char *to = (char *)compressed + LENGTH_SIZE;
    int size = (int)chunk.size, bound = LZ4_compressBound(size);
    int written = press->level == LZ4_FAST ? LZ4_compress_default(from, to, size, bound)
                                           : LZ4_compress_HC_extStateHC(press->memory, from, to,
                                                                        size, bound, press->level);
    return LENGTH_SIZE + (size_t)written;
}

size_t compressor_compress(struct compressor_press *press, struct slice chunk, uint8_t *compressed)
{
    size_t bound = compressor_bound(press->compressor, chunk.size), size = bound;
    switch (press->compressor) {
    case COMPRESSOR_LZ4:
        size = compress_lz4(press, chunk, compressed);
        break;
    case COMPRESSOR_SNAPPY:
        ASSERT(snappy_compress((const char *)chunk.data, chunk.size, (char *)compressed, &size) ==
               SNAPPY_OK);
        break;
    case COMPRESSOR_DEFLATE:
        size = libdeflate_zlib_compress(press->memory, chunk.data, chunk.size, compressed, bound);
        break;
    case COMPRESSOR_ZSTD:
        size = ZSTD_compress2(press->memory, compressed, bound, chunk.data, chunk.size);
        break;
    default:
        memcpy(compressed, chunk.data, chunk.size);
        size = chunk.size;
    }
    // With room for the worst case none of them can fail.
    ASSERT(size > 0 && size <= bound);
    return size;
}

// ---- Decompressing ------------------------------------------------------------------------------

static bool decompress_deflate(struct slice compressed, uint8_t *chunk, size_t size)
{
    struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
    ASSERT(decompressor != NULL);
    size_t written = 0;
    enum libdeflate_result result = libdeflate_zlib_decompress(
        decompressor, compressed.data, compressed.size, chunk, size, &written);
    libdeflate_free_decompressor(decompressor);
    return result == LIBDEFLATE_SUCCESS && written == size;
}

static bool is_lz4_of(struct slice compressed, size_t size)
{
    return compressed.size >= LENGTH_SIZE && compressed.size <= INT32_MAX &&
           bytes_get_u32_le(compressed.data) == size;
}

static bool decompress_lz4_start(struct slice compressed, size_t size, uint8_t *start,
                                 size_t start_size)
{
    if (!is_lz4_of(compressed, size)) return false;
    int written = LZ4_decompress_safe_partial((const char *)compressed.data + LENGTH_SIZE,
                                              (char *)start, (int)compressed.size - LENGTH_SIZE,
                                              (int)start_size, (int)start_size);
    return written >= 0 && (size_t)written == start_size;
}

static bool decompress_lz4(struct slice compressed, uint8_t *chunk, size_t size)
{
    if (!is_lz4_of(compressed, size)) return false;
    int written = LZ4_decompress_safe((const char *)compressed.data + LENGTH_SIZE, (char *)chunk,
                                      (int)compressed.size - LENGTH_SIZE, (int)size);
    return written >= 0 && (size_t)written == size;
}

static bool decompress_snappy(struct slice compressed, uint8_t *chunk, size_t size)
{
    const char *from = (const char *)compressed.data;
    size_t length = 0;
    if (snappy_uncompressed_length(from, compressed.size, &length) != SNAPPY_OK || length != size)
        return false;
    return snappy_uncompress(from, compressed.size, (char *)chunk, &length) == SNAPPY_OK;
}

static bool decompress(enum compressor compressor, struct slice compressed, uint8_t *chunk,
                       size_t size)
{
    switch (compressor) {
    case COMPRESSOR_LZ4:
        return decompress_lz4(compressed, chunk, size);
    case COMPRESSOR_SNAPPY:
        return decompress_snappy(compressed, chunk, size);
    case COMPRESSOR_DEFLATE:
        return decompress_deflate(compressed, chunk, size);
    case COMPRESSOR_ZSTD:
        return ZSTD_decompress(chunk, size, compressed.data, compressed.size) == size;
    default:
        // What a raw chunk has more is padding.
        if (compressed.size < size) return false;
        memcpy(chunk, compressed.data, size);
        return true;
    }
}

enum status compressor_decompress(enum compressor compressor, struct slice compressed,
                                  uint8_t *chunk, size_t size)
{
    return decompress(compressor, compressed, chunk, size) ? STATUS_OK : STATUS_CORRUPT;
}

bool compressor_has_starts(enum compressor compressor)
{
    return compressor == COMPRESSOR_LZ4 || compressor == COMPRESSOR_NOOP;
}

enum status compressor_decompress_start(enum compressor compressor, struct slice compressed,
                                        size_t size, uint8_t *start, size_t start_size)
{
    if (start_size == size) return compressor_decompress(compressor, compressed, start, size);
    ASSERT(compressor_has_starts(compressor) && start_size < size);
    bool is_right = compressor == COMPRESSOR_LZ4
                        ? decompress_lz4_start(compressed, size, start, start_size)
                        : compressed.size >= size;
    if (!is_right) return STATUS_CORRUPT;
    if (compressor == COMPRESSOR_NOOP) memcpy(start, compressed.data, start_size);
    return STATUS_OK;
}
