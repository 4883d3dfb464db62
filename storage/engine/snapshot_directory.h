// Snapshots as files: hard links to all components of SSTables, with a word on them
// (org.apache.cassandra.service.snapshot.SnapshotManifest, SnapshotLoader).
//
//     data/KEYSPACE/TABLE-ID/snapshots/TAG/  nb-1-big-Data.db …, schema.cql, manifest.json
//
// manifest.json comes last, when all others are durable: a directory without it is what a crash
// left. It harms nobody, is listed, and goes like any other.
//
// All of it blocks: for a thread, or tools.
#ifndef STORAGE_SNAPSHOT_DIRECTORY_H
#define STORAGE_SNAPSHOT_DIRECTORY_H

#include "storage/schema/schema.h"
#include "storage/sstable/sstable.h"

enum { SNAPSHOT_TAG_SIZE = 256, SNAPSHOT_NAME_SIZE = 256 };

// What a snapshot is made of: SSTables of one table, which nothing removes meanwhile.
struct snapshot_source {
    const struct table *table;
    const char *directory;
    const struct sstable_name *names;
    size_t name_count;
};

// Milliseconds since 1970.
struct snapshot_times {
    int64_t created_ms, expires_ms; // Expires 0: never.
};

// A tag is the name of a directory.
MUST_USE enum status snapshot_directory_check_tag(const char *tag, struct error *error);
// EXISTS, in Cassandra's words, if the table has a snapshot of this name.
MUST_USE enum status snapshot_directory_check_new(struct env *env, const char *table_directory,
                                                  const char *tag, struct error *error);
// Durable when it returns OK; after a failure there is none.
MUST_USE enum status snapshot_directory_make(struct env *env, const struct snapshot_source *source,
                                             const char *tag, struct snapshot_times times,
                                             struct error *error);
// Links one SSTable into the table's directory backups/ (incremental_backups). Durable.
MUST_USE enum status snapshot_directory_back_up(struct env *env, const char *table_directory,
                                                const struct sstable_name *name,
                                                struct error *error);

struct snapshot_info {
    char keyspace[SNAPSHOT_NAME_SIZE], table[SNAPSHOT_NAME_SIZE], tag[SNAPSHOT_TAG_SIZE];
    const char *table_directory; // Valid during the call.
    struct snapshot_times times;
    // As Cassandra counts them: what would be free without it, all its files, and of the first the
    // components alone.
    uint64_t true_size, size_on_disk, true_components_size;
    bool is_whole; // Else a crash came while it was made.
};

// Calls `found` for each snapshot below a data directory, also of tables that are gone; sorted.
MUST_USE enum status snapshot_directory_list(struct env *env, const char *data_directory,
                                             void (*found)(void *context,
                                                           const struct snapshot_info *info),
                                             void *context, struct error *error);
// Its files go, manifest.json first. No error if there is no such snapshot.
MUST_USE enum status snapshot_directory_remove(struct env *env, const char *table_directory,
                                               const char *tag, struct error *error);
// The directory of a dropped table goes, if nothing is in it any more.
void snapshot_directory_leave(struct env *env, const char *table_directory);

#endif
