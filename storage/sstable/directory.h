// Names of the files of a table's directory, and the removal of those of whole SSTables.
#ifndef STORAGE_SSTABLE_DIRECTORY_H
#define STORAGE_SSTABLE_DIRECTORY_H

#include "base/buffer.h"
#include "base/env.h"
#include "storage/sstable/format.h"

// All files of a directory, as they were when it was listed: names, each with a NUL behind it.
struct directory_names {
    struct buffer text;
};

MUST_USE enum status directory_names_list(struct directory_names *names, struct env *env,
                                          const char *directory, struct error *error);
void directory_names_deinit(struct directory_names *names);
// The name behind `name` (NULL: the first); NULL behind the last.
const char *directory_names_next(const struct directory_names *names, const char *name);

// Files whose names begin alike, such as "nb-1-big-".
struct directory_files {
    int64_t newest_ms; // When any of them was changed last; 0 if there are none.
    uint32_t count;
};
MUST_USE enum status directory_look_up(const struct directory_names *names, struct env *env,
                                       const char *directory, struct slice prefix,
                                       struct directory_files *files, struct error *error);

// Removes all files that begin with any of the prefixes, durably; of each prefix the newest file
// goes when the others are gone for good. Until then what is left of it is as new as all of it was,
// by which a log's reader knows the files that it may remove (LogFile.verifyRecord).
MUST_USE enum status directory_remove_files(const struct directory_names *names, struct env *env,
                                            const char *directory, const struct slice *prefixes,
                                            size_t prefix_count, struct error *error);

// No error when it is not there.
MUST_USE enum status directory_remove_name(struct env *env, const char *directory, const char *name,
                                           struct error *error);

#endif
