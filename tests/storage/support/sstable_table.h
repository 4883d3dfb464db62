// Tables for tests of SSTables: made from the header of a file, or from a line of text.
#ifndef TESTS_STORAGE_SUPPORT_SSTABLE_TABLE_H
#define TESTS_STORAGE_SUPPORT_SSTABLE_TABLE_H

#include "storage/sstable/header.h"

// The table that the SSTable seems to be of: key columns are named k0, c0, …; its compression and
// bloom filter are as in the files. Aborts the test if they cannot be read.
const struct table *sstable_table_of_files(struct env *env, const char *directory,
                                           uint64_t generation);
// The same with the names of its key columns, those of the partition key first.
const struct table *sstable_table_with_keys(struct env *env, const char *directory,
                                            uint64_t generation, const char *const *key_names);
// The same of any SSTable by its name.
const struct table *sstable_table_named(struct env *env, const char *directory,
                                        const struct sstable_name *name,
                                        const char *const *key_names);
// The name of the only SSTable of a directory.
struct sstable_name sstable_table_find(const char *directory);
// The header of its Statistics.db, in the arena.
void sstable_table_read_header(struct env *env, const char *directory, uint64_t generation,
                               struct header *header, struct arena *arena);
// Content that makes a writer write this header again.
void sstable_table_content(const struct table *table, const struct header *header,
                           uint64_t partition_count, struct sstable_content *content);

// The folder of what Cassandra wrote: tests/golden/README.md.
const char *sstable_table_golden(void);

// A new empty directory, an absolute path; sstable_table_remove_directory() removes it with all.
void sstable_table_make_directory(char path[static 64]);
void sstable_table_remove_directory(const char *path);

#endif
