// Compression of Data.db: its parameters, CompressionInfo.db, and one chunk to and from its bytes
// (org.apache.cassandra.io.compress; sstable-nb §4).
#ifndef STORAGE_SSTABLE_COMPRESSION_H
#define STORAGE_SSTABLE_COMPRESSION_H

#include "base/arena.h"
#include "base/buffer.h"
#include "storage/schema/schema.h"
#include "storage/sstable/compressor.h"

struct compression {
    enum compressor compressor;
    int level;                    // See compressor.h; only for writing.
    uint32_t chunk_size;          // Of uncompressed bytes.
    uint32_t max_compressed_size; // A chunk that does not get smaller than this is stored raw.
    struct options options;       // For the compressor, as CompressionInfo.db has them.
};

// A flush is in a hurry: as Cassandra does with `flush_compression: fast`, a table whose compressor
// is slow (Zstd, Deflate, LZ4 "high") is flushed with LZ4, and compacted with its own.
enum compression_purpose { COMPRESSION_FOR_FLUSH, COMPRESSION_FOR_COMPACTION };

void compression_of_table(const struct table *table, enum compression_purpose purpose,
                          struct compression *compression, struct arena *arena);

// Most bytes of one stored chunk, without its checksum.
size_t compression_bound(const struct compression *compression);
// Compresses up to chunk_size bytes; pads as Cassandra does. Returns the stored size, which is at
// most compression_bound(). `press` is of the same compressor and level.
size_t compression_compress(const struct compression *compression, struct compressor_press *press,
                            struct slice chunk, uint8_t *stored);
// The other way; `chunk` has room for exactly what the chunk has. CORRUPT.
MUST_USE enum status compression_decompress(const struct compression *compression,
                                            struct slice stored, uint8_t *chunk, size_t size);
// Whether the first bytes of a chunk come for less than all of it.
bool compression_has_starts(const struct compression *compression);
// As compression_decompress(), the first bytes of a chunk of `size`; fewer only if it has starts.
MUST_USE enum status compression_decompress_start(const struct compression *compression,
                                                  struct slice stored, size_t size, uint8_t *start,
                                                  size_t start_size);

// CompressionInfo.db.
struct compression_info {
    struct compression compression;
    uint64_t data_size;     // Uncompressed.
    size_t chunk_count;     // At least as many as the data has; others are empty.
    const uint8_t *offsets; // chunk_count × i64, as in the file.
};

void compression_info_encode(const struct compression_info *info, struct buffer *file);
// Points into `file`. CORRUPT; UNSUPPORTED: a compressor that is not built in.
MUST_USE enum status compression_info_decode(struct compression_info *info, struct slice file,
                                             struct arena *arena, struct error *error);

#endif
