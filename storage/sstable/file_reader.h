// A whole small file in memory.
#ifndef STORAGE_SSTABLE_FILE_READER_H
#define STORAGE_SSTABLE_FILE_READER_H

#include "base/env.h"

// free() the bytes (never NULL). UNSUPPORTED if it is larger than `size_max`.
MUST_USE enum status file_reader_read_file(struct env *env, const char *path, uint64_t size_max,
                                           struct slice *bytes, struct error *error);

#endif
