// What we know of a table's files, outside of its directory: which SSTables are ours, with size and
// XXH3 of each component (invariant 5), and up to which commit-log position data is in them.
//
// One small file for each table, DIR/manifest/<id>, always written anew and renamed into place:
//
//     u32 magic, u32 version, u8 dropped, u64 flushed position, u64 truncated position,
//     vb directory of the table, vint n, n × { u64 generation, u64 log position, u8 state,
//     9 × (u64 size, u64 xxh3) }, u64 XXH3 of all before
//
// A compaction becomes true with the COMMIT of Cassandra's log in the table's directory. Around it
// the manifest says which SSTables are in question; which of them hold, the directory tells, once
// it is recovered:
//
//     outputs ADDING, inputs RETIRING -> COMMIT -> outputs LIVE, inputs no longer named
//
// A state of 128 more is that of an SSTable that was imported: its files are as others wrote them.
// Version 1 knew only LIVE and GONE.
#ifndef STORAGE_MANIFEST_H
#define STORAGE_MANIFEST_H

#include "storage/sstable/sstable.h"

enum manifest_state {
    MANIFEST_LIVE,
    MANIFEST_GONE,     // Its files are to be removed, if they are still there.
    MANIFEST_ADDING,   // It holds if it is there.
    MANIFEST_RETIRING, // The same.
    MANIFEST_STATE_COUNT
};

struct manifest_entry {
    uint64_t generation;
    uint64_t log_position; // Of its newest change; 0: not known.
    enum manifest_state state;
    struct sstable_check check;
};

struct manifest {
    bool dropped;                // The table is gone; its files are to be removed.
    uint64_t flushed_position;   // All changes of the table up to here are in SSTables.
    uint64_t truncated_position; // All changes up to here are gone.
    char *directory;             // Of the table. Where it was, when read: see engine_table.c.
    struct manifest_entry *entries;
    size_t count, capacity;
};

void manifest_init(struct manifest *manifest, const char *directory);
void manifest_deinit(struct manifest *manifest);
// A copy that another thread may change and write.
void manifest_copy(struct manifest *copy, const struct manifest *manifest);
// The newest position of the log that it speaks of: the log has to be synced up to there before.
uint64_t manifest_position(const struct manifest *manifest);
struct manifest_entry *manifest_find(struct manifest *manifest, uint64_t generation);
void manifest_add(struct manifest *manifest, const struct manifest_entry *entry);
void manifest_remove(struct manifest *manifest, uint64_t generation);

// ---- The file: blocks, any thread --------------------------------------------------------------

// NOT_FOUND, CORRUPT. `*manifest` is initialised only on OK.
MUST_USE enum status manifest_load(struct env *env, const char *path, struct manifest *manifest,
                                   struct error *error);
// Durable when it returns OK. `directory` is that of `path`.
MUST_USE enum status manifest_store(struct env *env, const char *directory, const char *path,
                                    const struct manifest *manifest, struct error *error);

#endif
