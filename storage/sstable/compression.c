#include "storage/sstable/compression.h"

#include "base/assert.h"
#include "base/cursor.h"
#include "storage/sstable/format.h"

#include <lz4.h>
#include <stdlib.h>
#include <zlib.h>

#define COMPRESS_PREFIX "org.apache.cassandra.io.compress."

static const char *const compressor_names[] = {
    [COMPRESSOR_NONE] = "",
    [COMPRESSOR_LZ4] = "LZ4Compressor",
    [COMPRESSOR_DEFLATE] = "DeflateCompressor",
    [COMPRESSOR_NOOP] = "NoopCompressor",
};

static bool find_option(const struct options *options, const char *name, struct slice *value)
{
    for (size_t i = 0; i < options->count; i++) {
        if (!slice_equals(options->items[i].key, slice_of_text(name))) continue;
        *value = options->items[i].value;
        return true;
    }
    return false;
}

static struct slice without_prefix(struct slice name)
{
    size_t size = sizeof COMPRESS_PREFIX - 1;
    if (name.size <= size || memcmp(name.data, COMPRESS_PREFIX, size) != 0) return name;
    return slice_make(name.data + size, name.size - size);
}

// NONE for a name that is not known.
static enum compressor compressor_of_name(struct slice name)
{
    for (enum compressor i = COMPRESSOR_LZ4; i <= COMPRESSOR_NOOP; i++) {
        if (slice_equals(without_prefix(name), slice_of_text(compressor_names[i]))) return i;
    }
    return COMPRESSOR_NONE;
}

static double number_of(struct slice value)
{
    char text[32];
    if (value.size >= sizeof text) return 0;
    memcpy(text, value.data, value.size);
    text[value.size] = '\0';
    return strtod(text, NULL);
}

static bool is_power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

// Those of LZ4 that Cassandra writes into the file.
static void keep_options(struct compression *compression, const struct options *options,
                         struct arena *arena)
{
    struct option *kept = ARENA_NEW_ARRAY(arena, struct option, options->count);
    size_t count = 0;
    for (size_t i = 0; i < options->count; i++) {
        struct slice key = options->items[i].key;
        if (slice_equals(key, slice_of_text("lz4_compressor_type")) ||
            slice_equals(key, slice_of_text("lz4_high_compressor_level")))
            kept[count++] = options->items[i];
    }
    compression->options = (struct options){kept, count};
}

void compression_of_table(const struct table *table, struct compression *compression,
                          struct arena *arena)
{
    *compression = (struct compression){
        .compressor = COMPRESSOR_LZ4,
        .chunk_size = CHUNK_SIZE_DEFAULT,
        .max_compressed_size = INT32_MAX,
    };
    const struct options *options = &table->params.compression;
    struct slice value;
    bool is_off =
        find_option(options, "enabled", &value) && slice_equals(value, slice_of_text("false"));
    struct slice name = slice_of_text("LZ4Compressor");
    if (find_option(options, "class", &value) ||
        find_option(options, "sstable_compression", &value))
        name = value;
    if (is_off || name.size == 0) {
        *compression = (struct compression){.compressor = COMPRESSOR_NONE,
                                            .chunk_size = CRC_CHUNK_SIZE,
                                            .max_compressed_size = INT32_MAX};
        return;
    }
    enum compressor compressor = compressor_of_name(name);
    if (compressor == COMPRESSOR_NOOP) compression->compressor = COMPRESSOR_NOOP;
    if (compressor != COMPRESSOR_LZ4 && compressor != COMPRESSOR_NOOP) return; // FAST.
    if (find_option(options, "chunk_length_in_kb", &value) ||
        find_option(options, "chunk_length_kb", &value)) {
        double size = number_of(value) * 1024;
        if (size >= 1024 && size <= CHUNK_SIZE_MAX && is_power_of_two((uint64_t)size))
            compression->chunk_size = (uint32_t)size;
    }
    if (find_option(options, "min_compress_ratio", &value) && number_of(value) >= 1) {
        double size = (double)compression->chunk_size / number_of(value);
        compression->max_compressed_size = (uint32_t)size + ((double)(uint32_t)size < size);
    }
    if (compressor == COMPRESSOR_LZ4) keep_options(compression, options, arena);
}

size_t compression_bound(const struct compression *compression)
{
    size_t size = compression->chunk_size;
    switch (compression->compressor) {
    case COMPRESSOR_LZ4:
        return 4 + (size_t)LZ4_compressBound((int)size);
    case COMPRESSOR_DEFLATE:
        return compressBound(size);
    default:
        return size;
    }
}

size_t compression_compress(const struct compression *compression, struct slice chunk,
                            uint8_t *stored)
{
    ASSERT(chunk.size > 0 && chunk.size <= compression->chunk_size);
    size_t size = chunk.size;
    if (compression->compressor == COMPRESSOR_LZ4) {
        // u32 little-endian uncompressed length, LZ4 block
        bytes_put_u32_le(stored, (uint32_t)chunk.size);
        int compressed = LZ4_compress_default((const char *)chunk.data, (char *)stored + 4,
                                              (int)chunk.size, LZ4_compressBound((int)chunk.size));
        ASSERT(compressed > 0);
        size = 4 + (size_t)compressed;
        if (size < compression->max_compressed_size) return size;
        size = chunk.size;
    } else {
        ASSERT(compression->compressor != COMPRESSOR_DEFLATE); // Only read.
    }
    memcpy(stored, chunk.data, chunk.size);
    // A reader knows a raw chunk by its size: it must not be smaller than the limit.
    if (compression->compressor == COMPRESSOR_LZ4 && size < compression->max_compressed_size) {
        memset(stored + size, 0, compression->max_compressed_size - size);
        size = compression->max_compressed_size;
    }
    return size;
}

enum status compression_decompress(const struct compression *compression, struct slice stored,
                                   uint8_t *chunk, size_t size)
{
    if (stored.size >= compression->max_compressed_size ||
        compression->compressor == COMPRESSOR_NOOP || compression->compressor == COMPRESSOR_NONE) {
        if (stored.size < size) return STATUS_CORRUPT;
        memcpy(chunk, stored.data, size);
        return STATUS_OK;
    }
    if (compression->compressor == COMPRESSOR_DEFLATE) {
        uLongf inflated = size;
        int result = uncompress(chunk, &inflated, stored.data, stored.size);
        return result == Z_OK && inflated == size ? STATUS_OK : STATUS_CORRUPT;
    }
    if (stored.size < 4 || bytes_get_u32_le(stored.data) != size || stored.size > INT32_MAX)
        return STATUS_CORRUPT;
    int written = LZ4_decompress_safe((const char *)stored.data + 4, (char *)chunk,
                                      (int)stored.size - 4, (int)size);
    return written >= 0 && (size_t)written == size ? STATUS_OK : STATUS_CORRUPT;
}

static void put_utf(struct buffer *bytes, struct slice text)
{
    buffer_put_u16(bytes, (uint16_t)text.size);
    buffer_put(bytes, text.data, text.size);
}

void compression_info_encode(const struct compression_info *info, struct buffer *file)
{
    // utf compressor, i32 options × { utf, utf }, i32 chunk, i32 limit, i64 size, i32 count × i64
    const struct compression *compression = &info->compression;
    put_utf(file, slice_of_text(compressor_names[compression->compressor]));
    buffer_put_u32(file, (uint32_t)compression->options.count);
    for (size_t i = 0; i < compression->options.count; i++) {
        put_utf(file, compression->options.items[i].key);
        put_utf(file, compression->options.items[i].value);
    }
    buffer_put_u32(file, compression->chunk_size);
    buffer_put_u32(file, compression->max_compressed_size);
    buffer_put_u64(file, info->data_size);
    buffer_put_u32(file, (uint32_t)info->chunk_count);
    buffer_put(file, info->offsets, info->chunk_count * 8);
}

static enum status decode_options(struct compression *compression, struct cursor *cursor,
                                  struct arena *arena)
{
    uint32_t count = cursor_u32(cursor);
    if (cursor->failed || count > cursor_left(cursor) / 4) return STATUS_CORRUPT;
    struct option *items = ARENA_NEW_ARRAY(arena, struct option, count);
    for (uint32_t i = 0; i < count; i++) {
        items[i].key = cursor_take(cursor, cursor_u16(cursor));
        items[i].value = cursor_take(cursor, cursor_u16(cursor));
    }
    compression->options = (struct options){items, count};
    return cursor->failed ? STATUS_CORRUPT : STATUS_OK;
}

enum status compression_info_decode(struct compression_info *info, struct slice file,
                                    struct arena *arena, struct error *error)
{
    struct cursor cursor = cursor_make(file);
    struct compression *compression = &info->compression;
    struct slice name = cursor_take(&cursor, cursor_u16(&cursor));
    if (decode_options(compression, &cursor, arena) != STATUS_OK)
        return error_set(error, STATUS_CORRUPT, "bad compressor options");
    compression->compressor = compressor_of_name(name);
    if (compression->compressor == COMPRESSOR_NONE)
        return error_set(error, STATUS_UNSUPPORTED, "the compressor %.*s is not supported",
                         (int)(name.size > 200 ? 200 : name.size), (const char *)name.data);
    compression->chunk_size = cursor_u32(&cursor);
    compression->max_compressed_size = cursor_u32(&cursor);
    info->data_size = cursor_u64(&cursor);
    info->chunk_count = cursor_u32(&cursor);
    if (cursor.failed || !is_power_of_two(compression->chunk_size) ||
        compression->chunk_size > CHUNK_SIZE_MAX)
        return error_set(error, STATUS_CORRUPT, "bad chunk length");
    if (info->data_size == 0 || info->data_size > (uint64_t)INT64_MAX - CHUNK_SIZE_MAX ||
        info->chunk_count !=
            (info->data_size + compression->chunk_size - 1) / compression->chunk_size ||
        cursor_left(&cursor) != info->chunk_count * 8)
        return error_set(error, STATUS_CORRUPT, "bad number of chunks");
    info->offsets = cursor.next;
    return STATUS_OK;
}
