// One chunk to its compressed bytes and back, by each of Cassandra's compressors
// (org.apache.cassandra.io.compress.LZ4Compressor, SnappyCompressor, DeflateCompressor, …;
// sstable-nb §4.2).
//
//     LZ4      u32 little-endian length, one block      Snappy   one raw block
//     Deflate  one zlib stream                          Zstd     one frame with a checksum
//     Noop     the bytes themselves
#ifndef STORAGE_SSTABLE_COMPRESSOR_H
#define STORAGE_SSTABLE_COMPRESSOR_H

#include "base/slice.h"
#include "base/status.h"

enum compressor {
    COMPRESSOR_NONE, // There is no CompressionInfo.db.
    COMPRESSOR_LZ4,
    COMPRESSOR_SNAPPY,
    COMPRESSOR_DEFLATE,
    COMPRESSOR_ZSTD,
    COMPRESSOR_NOOP,
};

// Levels: LZ4 0 is fast, 1 to 17 are "high"; Zstd as zstd has them. The others have none.
enum {
    LZ4_FAST = 0,
    LZ4_HIGH_DEFAULT = 9,
    LZ4_HIGH_MAX = 17,
    ZSTD_LEVEL_MIN = -131072,
    ZSTD_LEVEL_DEFAULT = 3,
    ZSTD_LEVEL_MAX = 22,
};

// By its simple class name or with its package before it. NONE for a name that is not known.
enum compressor compressor_of_name(struct slice name);
const char *compressor_name(enum compressor compressor); // "LZ4Compressor"
// False: Cassandra flushes a table that has it with LZ4 (ICompressor.Uses.FAST_COMPRESSION).
bool compressor_is_fast(enum compressor compressor, int level);
// Most compressed bytes that `size` bytes give.
size_t compressor_bound(enum compressor compressor, size_t size);

// What compresses one chunk after another: memory that is used again. One thread at a time.
struct compressor_press {
    enum compressor compressor;
    int level;
    void *memory; // Of the library, or NULL.
};

void compressor_press_init(struct compressor_press *press, enum compressor compressor, int level);
void compressor_press_deinit(struct compressor_press *press);
// Returns how many bytes it wrote, compressor_bound() at most. Not for NONE.
size_t compressor_compress(struct compressor_press *press, struct slice chunk, uint8_t *compressed);

// To exactly `size` bytes, else CORRUPT. Any thread.
MUST_USE enum status compressor_decompress(enum compressor compressor, struct slice compressed,
                                           uint8_t *chunk, size_t size);
// Whether the first bytes of a chunk come for less than all of it.
bool compressor_has_starts(enum compressor compressor);
// The first `start_size` bytes of those `size`: all of them, or by a compressor that has starts.
// What is wrong behind them is not seen.
MUST_USE enum status compressor_decompress_start(enum compressor compressor,
                                                 struct slice compressed, size_t size,
                                                 uint8_t *start, size_t start_size);

#endif
