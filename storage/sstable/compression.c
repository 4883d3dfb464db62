#include "storage/sstable/compression.h"

#include "base/assert.h"
#include "base/cursor.h"
#include "storage/schema/options.h"
#include "storage/sstable/format.h"
#include "storage/value/real.h"

#include <stdlib.h>

enum { CHUNK_SIZE_MIN = 1024 };

// ---- Of a table ---------------------------------------------------------------------------------

// 0 for what is no number: CQL does not let such an option into a schema.
static double number_of(struct slice value)
{
    double number;
    return !slice_is_null(value) && real_parse_double(value, &number) == STATUS_OK ? number : 0;
}

static bool is_power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static bool is_equal(struct slice value, const char *text)
{
    return !slice_is_null(value) && slice_equals(value, slice_of_text(text));
}

static int level_of(enum compressor compressor, const struct options *options)
{
    struct slice value;
    if (compressor == COMPRESSOR_ZSTD) {
        value = options_find(options, "compression_level");
        double level = slice_is_null(value) ? ZSTD_LEVEL_DEFAULT : number_of(value);
        return level >= ZSTD_LEVEL_MIN && level <= ZSTD_LEVEL_MAX ? (int)level : ZSTD_LEVEL_DEFAULT;
    }
    if (compressor != COMPRESSOR_LZ4 ||
        !is_equal(options_find(options, "lz4_compressor_type"), "high"))
        return LZ4_FAST;
    double level = number_of(options_find(options, "lz4_high_compressor_level"));
    return level >= 1 && level <= LZ4_HIGH_MAX ? (int)level : LZ4_HIGH_DEFAULT;
}

// Those of the compressor itself: Cassandra writes them into the file, and refuses others there.
static void keep_options(struct compression *compression, const struct options *options,
                         struct arena *arena)
{
    static const struct {
        enum compressor compressor;
        const char *key;
    } known[] = {
        {COMPRESSOR_LZ4, "lz4_compressor_type"},
        {COMPRESSOR_LZ4, "lz4_high_compressor_level"},
        {COMPRESSOR_ZSTD, "compression_level"},
    };
    enum { KNOWN_COUNT = sizeof known / sizeof *known };
    struct option *kept = ARENA_NEW_ARRAY(arena, struct option, KNOWN_COUNT);
    size_t count = 0;
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        struct slice value = options_find(options, known[i].key);
        if (known[i].compressor == compression->compressor && !slice_is_null(value))
            kept[count++] = (struct option){slice_of_text(known[i].key), value};
    }
    compression->options = (struct options){kept, count};
}

static const struct compression fast = {
    .compressor = COMPRESSOR_LZ4,
    .chunk_size = CHUNK_SIZE_DEFAULT,
    .max_compressed_size = INT32_MAX,
};
static const struct compression none = {
    .compressor = COMPRESSOR_NONE,
    .chunk_size = CRC_CHUNK_SIZE,
    .max_compressed_size = INT32_MAX,
};

static void take_sizes(struct compression *compression, const struct options *options)
{
    struct slice value = options_find(options, "chunk_length_in_kb");
    if (slice_is_null(value)) value = options_find(options, "chunk_length_kb");
    double size = number_of(value) * 1024;
    if (size > CHUNK_SIZE_MAX) size = CHUNK_SIZE_MAX;
    if (size >= CHUNK_SIZE_MIN && is_power_of_two((uint64_t)size))
        compression->chunk_size = (uint32_t)size;
    double ratio = number_of(options_find(options, "min_compress_ratio"));
    if (!(ratio >= 1)) return;
    size = (double)compression->chunk_size / ratio;
    compression->max_compressed_size = (uint32_t)size + ((double)(uint32_t)size < size);
}

void compression_of_table(const struct table *table, enum compression_purpose purpose,
                          struct compression *compression, struct arena *arena)
{
    const struct options *options = &table->params.compression;
    struct slice name = options_find(options, "class");
    if (slice_is_null(name)) name = options_find(options, "sstable_compression");
    if (slice_is_null(name)) name = slice_of_text("LZ4Compressor");
    if (is_equal(options_find(options, "enabled"), "false") || name.size == 0) {
        *compression = none;
        return;
    }
    enum compressor compressor = compressor_of_name(name);
    int level = level_of(compressor, options);
    *compression = fast;
    if (compressor == COMPRESSOR_NONE ||
        (purpose == COMPRESSION_FOR_FLUSH && !compressor_is_fast(compressor, level)))
        return;
    compression->compressor = compressor;
    compression->level = level;
    take_sizes(compression, options);
    keep_options(compression, options, arena);
}

// ---- Chunks -------------------------------------------------------------------------------------

size_t compression_bound(const struct compression *compression)
{
    // A raw chunk, padded, has no more than the chunk's size.
    size_t size = compression->chunk_size, bound = compressor_bound(compression->compressor, size);
    return bound < size ? size : bound;
}

size_t compression_compress(const struct compression *compression, struct compressor_press *press,
                            struct slice chunk, uint8_t *stored)
{
    ASSERT(chunk.size > 0 && chunk.size <= compression->chunk_size);
    size_t size = compressor_compress(press, chunk, stored),
           limit = compression->max_compressed_size;
    if (size < limit) return size;
    memcpy(stored, chunk.data, chunk.size);
    if (chunk.size >= limit) return chunk.size;
    // A reader knows a raw chunk by its size: it must not be smaller than the limit.
    memset(stored + chunk.size, 0, limit - chunk.size);
    return limit;
}

static enum compressor compressor_of_chunk(const struct compression *compression,
                                           struct slice stored)
{
    bool is_raw = stored.size >= compression->max_compressed_size;
    return is_raw ? COMPRESSOR_NOOP : compression->compressor;
}

enum status compression_decompress(const struct compression *compression, struct slice stored,
                                   uint8_t *chunk, size_t size)
{
    return compressor_decompress(compressor_of_chunk(compression, stored), stored, chunk, size);
}

bool compression_has_starts(const struct compression *compression)
{
    return compressor_has_starts(compression->compressor);
}

enum status compression_decompress_start(const struct compression *compression, struct slice stored,
                                         size_t size, uint8_t *start, size_t start_size)
{
    return compressor_decompress_start(compressor_of_chunk(compression, stored), stored, size,
                                       start, start_size);
}

// ---- CompressionInfo.db -------------------------------------------------------------------------

static void put_utf(struct buffer *bytes, struct slice text)
{
    buffer_put_u16(bytes, (uint16_t)text.size);
    buffer_put(bytes, text.data, text.size);
}

void compression_info_encode(const struct compression_info *info, struct buffer *file)
{
    // utf compressor, i32 options × { utf, utf }, i32 chunk, i32 limit, i64 size, i32 count × i64
    const struct compression *compression = &info->compression;
    put_utf(file, slice_of_text(compressor_name(compression->compressor)));
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

static size_t offset_of(struct slice file, const struct cursor *cursor)
{
    return (size_t)(cursor->next - file.data);
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
        return error_set(error, STATUS_CORRUPT, "offset %zu: bad compressor options",
                         offset_of(file, &cursor));
    compression->compressor = compressor_of_name(name);
    if (compression->compressor == COMPRESSOR_NONE)
        return error_set(error, STATUS_UNSUPPORTED,
                         "offset 0: the compressor %.*s is not supported",
                         (int)(name.size > 200 ? 200 : name.size), (const char *)name.data);
    size_t size_offset = offset_of(file, &cursor);
    compression->chunk_size = cursor_u32(&cursor);
    compression->max_compressed_size = cursor_u32(&cursor);
    info->data_size = cursor_u64(&cursor);
    info->chunk_count = cursor_u32(&cursor);
    if (cursor.failed || !is_power_of_two(compression->chunk_size))
        return error_set(error, STATUS_CORRUPT, "offset %zu: bad chunk length", size_offset);
    if (compression->chunk_size > CHUNK_SIZE_MAX)
        return error_set(error, STATUS_UNSUPPORTED, "offset %zu: chunks of %u bytes, more than %d",
                         size_offset, (unsigned)compression->chunk_size, CHUNK_SIZE_MAX);
    // Behind a compaction's last chunk Cassandra writes another one, of no bytes.
    if (info->data_size == 0 || info->data_size > (uint64_t)INT64_MAX - CHUNK_SIZE_MAX ||
        info->chunk_count <
            (info->data_size + compression->chunk_size - 1) / compression->chunk_size ||
        cursor_left(&cursor) != info->chunk_count * 8)
        return error_set(error, STATUS_CORRUPT, "offset %zu: bad number of chunks",
                         size_offset + 8); // Or of bytes, which stands before it.
    info->offsets = cursor.next;
    return STATUS_OK;
}
