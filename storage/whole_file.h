// Small files that are read and replaced as a whole: what is there after a crash is either the old
// file or the new one.
#ifndef STORAGE_WHOLE_FILE_H
#define STORAGE_WHOLE_FILE_H

#include "base/buffer.h"
#include "base/env.h"

// Appends all bytes of the file. NOT_FOUND; CORRUPT if it is larger than the buffer's limit.
MUST_USE enum status whole_file_read(struct env *env, const char *path, struct buffer *bytes,
                                     struct error *error);
// Writes a temporary file beside it, syncs it, renames it and syncs `directory`, where `path` is.
MUST_USE enum status whole_file_write(struct env *env, const char *directory, const char *path,
                                      struct slice bytes, struct error *error);

#endif
