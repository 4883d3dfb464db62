// Summary.db and Filter.db against the keys of Index.db, which are given one after the other.
#ifndef NODE_SSTABLE_TOOL_VERIFY_INDEX_H
#define NODE_SSTABLE_TOOL_VERIFY_INDEX_H

#include "node/sstable_tool/verify_report.h"
#include "storage/sstable/filter.h"
#include "storage/token.h"

struct verify_index {
    struct env *env;
    struct verify_report *report;
    // Summary.db.
    struct slice summary; // The file, or null: not there, or damaged.
    uint32_t interval, entry_count, level;
    uint32_t next_entry;
    uint64_t table_offset; // Of the entries' table in the file.
    // Filter.db.
    struct filter filter, expected; // As it is, and as the keys make it.
    // Keys so far.
    uint64_t key_count;
    struct buffer first_key, last_key;
};

// Reads both files. To be freed also on failure.
MUST_USE enum status verify_index_begin(struct verify_index *index, struct env *env,
                                        struct verify_report *report, struct error *error);
// The next key and the place of its entry in Index.db.
void verify_index_add(struct verify_index *index, struct slice key, uint64_t position);
// After the last key, if all were given.
void verify_index_end(struct verify_index *index);
void verify_index_deinit(struct verify_index *index);

#endif
