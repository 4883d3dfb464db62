// Snapshots of an engine's tables: taken, listed, cleared, and ended when their time has come
// (org.apache.cassandra.service.snapshot.SnapshotManager; nodetool snapshot and its like).
//
//     take:  memtables flushed -> an errand: no file comes or goes -> links on the thread -> done
//
// A snapshot has all that was written before it was asked for; and of each table the SSTables of
// one moment. TRUNCATE and DROP take one by themselves (auto_snapshot), of what is not empty.
#ifndef STORAGE_ENGINE_SNAPSHOT_H
#define STORAGE_ENGINE_SNAPSHOT_H

#include "storage/engine/engine.h"
#include "storage/engine/snapshot_directory.h"

struct engine_snapshot_options {
    const char *tag;
    const struct uuid *tables;
    size_t table_count;
    bool skips_flush;
    uint64_t ttl_s; // 0: it stays until it is cleared.
};

// In its owner's memory until `done`.
struct engine_snapshot {
    void (*done)(struct engine_snapshot *snapshot, enum status status, const struct error *error);
};

// EXISTS: a table has one of this name, and nothing was done. NOT_FOUND: no such table. After any
// other fault some of the tables may have theirs, as with Cassandra.
void engine_snapshot_take(struct engine *engine, const struct engine_snapshot_options *options,
                          struct engine_snapshot *snapshot,
                          void (*done)(struct engine_snapshot *snapshot, enum status status,
                                       const struct error *error));

// What there is, also of tables that are gone. The infos are valid during `done`.
struct engine_snapshot_list {
    void (*done)(struct engine_snapshot_list *list, enum status status, const struct error *error);
    const struct snapshot_info *infos; // Without their table_directory.
    size_t count;
};
void engine_snapshot_list(struct engine *engine, struct engine_snapshot_list *list,
                          void (*done)(struct engine_snapshot_list *list, enum status status,
                                       const struct error *error));

// Removes all that fit.
struct engine_snapshot_choice {
    const char *keyspace, *tag; // Empty ones fit all.
    int64_t created_before_ms;  // 0: whenever it was made.
};
struct engine_snapshot_clear {
    void (*done)(struct engine_snapshot_clear *clear, enum status status,
                 const struct error *error);
    size_t count; // That were removed.
};
void engine_snapshot_clear(struct engine *engine, const struct engine_snapshot_choice *choice,
                           struct engine_snapshot_clear *clear,
                           void (*done)(struct engine_snapshot_clear *clear, enum status status,
                                        const struct error *error));

#endif
