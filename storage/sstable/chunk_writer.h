// Data.db as a stream of bytes: cut into chunks, compressed, with their checksums
// (org.apache.cassandra.io.compress.CompressedSequentialWriter, ChecksummedSequentialWriter).
//
//     bytes -> chunk -> compress -> Data.db, offsets for CompressionInfo.db, crc for Digest.crc32
//     bytes -> chunk ------------> Data.db, checksums for CRC.db,            crc for Digest.crc32
#ifndef STORAGE_SSTABLE_CHUNK_WRITER_H
#define STORAGE_SSTABLE_CHUNK_WRITER_H

#include "storage/sstable/compression.h"
#include "storage/sstable/file_writer.h"

struct chunk_writer {
    struct file_writer file;
    struct compression compression;
    struct compressor_press press;
    uint8_t *chunk;          // chunk_size bytes, of which …
    size_t fill;             // … so many are there.
    uint8_t *stored;         // One compressed chunk.
    uint64_t position;       // Bytes put so far.
    uint64_t stored_size;    // Bytes of all stored chunks, without their checksums.
    uint32_t crc;            // Of the file.
    struct buffer offsets;   // i64 of each chunk (compressed) …
    struct buffer checksums; // … or i32 of each (not compressed).
};

MUST_USE enum status chunk_writer_init(struct chunk_writer *writer, struct env *env,
                                       const char *path, const struct compression *compression,
                                       struct error *error);
MUST_USE enum status chunk_writer_put(struct chunk_writer *writer, struct slice bytes,
                                      struct error *error);
// The last chunk; syncs.
MUST_USE enum status chunk_writer_finish(struct chunk_writer *writer, struct error *error);
void chunk_writer_deinit(struct chunk_writer *writer);

#endif
