// One SSTable of others on its way into a table's directory, step by step, on a thread
// (org.apache.cassandra.db.SSTableImporter).
//
//     hashed, compared with Digest.crc32 -> every row read -> Cassandra's log: ADD -> linked or
//     copied under a generation of ours, synced -> opened there -> (the owner) commit or undo
//
// Until the commit a crash leaves nothing; its own files are touched only behind it.
#ifndef STORAGE_IMPORT_SSTABLE_H
#define STORAGE_IMPORT_SSTABLE_H

#include "storage/sstable/sstable.h"
#include "storage/sstable/transaction_log.h"
#include "storage/token.h"

// (after, up_to]; up_to <= after: around the end of the ring.
struct import_range {
    struct token after, up_to;
};

struct import_sstable_options {
    const char *source; // Its directory.
    struct sstable_name name;
    const char *directory; // Of the table: absolute, lives as long as the import.
    uint64_t generation;
    const struct table *table; // With a reference of the owner's.
    bool is_quick;             // Checksums and rows are not looked at.
    bool keeps_level, keeps_repaired;
    const struct import_range *ranges; // NULL: tokens are not looked at.
    size_t range_count;
};

struct import_sstable;

struct import_sstable *import_sstable_create(struct env *env,
                                             const struct import_sstable_options *options);
// Frees it without touching files: in place of an end, or behind one.
void import_sstable_destroy(struct import_sstable *import);
// OK: there is more to do. END: it may be committed. After anything else comes
// import_sstable_undo().
MUST_USE enum status import_sstable_step(struct import_sstable *import, struct error *error);
// Of what was read and is to be read.
uint64_t import_sstable_done_bytes(const struct import_sstable *import);
uint64_t import_sstable_total_bytes(const struct import_sstable *import);

uint64_t import_sstable_generation(const struct import_sstable *import);
// What the manifest shall say.
struct sstable_check import_sstable_check(const struct import_sstable *import);
// It is there for good from OK on. After a failure comes import_sstable_undo().
MUST_USE enum status import_sstable_commit(struct import_sstable *import, struct error *error);
// After the commit: the reader of the new files (once), and the end of Cassandra's log.
struct sstable_reader *import_sstable_take_reader(struct import_sstable *import);
void import_sstable_finish(struct import_sstable *import);
// Removes what was made. True: nobody knows whether the commit holds, until the next start.
bool import_sstable_undo(struct import_sstable *import);
// Removes the files that it was made of.
MUST_USE enum status import_sstable_remove_source(struct import_sstable *import,
                                                  struct error *error);

#endif
