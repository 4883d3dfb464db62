// A file written from its beginning to its end: gathered, hashed, counted, synced. It is synced as
// it grows, so that the disk never gets so much at once that the commit log has to wait for it.
#ifndef STORAGE_SSTABLE_FILE_WRITER_H
#define STORAGE_SSTABLE_FILE_WRITER_H

#include "base/buffer.h"
#include "base/checksum.h"
#include "base/env.h"

struct file_writer {
    struct env_file *file;
    struct buffer gathered;
    uint64_t written; // Bytes that were given to the file.
    uint64_t synced;  // Of these, so many are on the disk.
    struct checksum_xxh3 *hash;
};

// Makes the file new. On failure there is nothing to deinit.
MUST_USE enum status file_writer_init(struct file_writer *writer, struct env *env, const char *path,
                                      struct error *error);
MUST_USE enum status file_writer_put(struct file_writer *writer, struct slice bytes,
                                     struct error *error);
static inline uint64_t file_writer_size(const struct file_writer *writer)
{
    return writer->written + writer->gathered.size;
}
// Writes what is gathered and syncs. Then size and hash are final.
MUST_USE enum status file_writer_finish(struct file_writer *writer, struct error *error);
uint64_t file_writer_hash(const struct file_writer *writer);
// Closes the file.
void file_writer_deinit(struct file_writer *writer);

// One whole small file.
MUST_USE enum status file_writer_write_file(struct env *env, const char *path, struct slice bytes,
                                            uint64_t *hash, struct error *error);

#endif
