// Cassandra's log of a change to the set of files in a directory
// (org.apache.cassandra.db.lifecycle.LogFile, LogRecord): until it says COMMIT, the files it adds
// are to be removed; from then on those it removes are.
//
//     nb_txn_flush_<timeuuid>.log
//     ADD:[/data/ks/t-0011…/nb-1-big-,0,8][1234567890]
//     COMMIT:[,0,0][2613697770]
//
// The number behind a record is the CRC32 of path, type, time (low and high half) and count.
#ifndef STORAGE_SSTABLE_TRANSACTION_LOG_H
#define STORAGE_SSTABLE_TRANSACTION_LOG_H

#include "base/env.h"
#include "storage/sstable/format.h"

struct transaction_log {
    struct env *env;
    struct env_file *file;
    uint64_t size;
    char path[SSTABLE_PATH_SIZE];
};

// Makes the log of a flush that adds one SSTable of `file_count` files, durably: after that its
// files may appear. On failure there is no log.
MUST_USE enum status transaction_log_begin(struct transaction_log *log, struct env *env,
                                           const char *directory, uint64_t generation,
                                           unsigned file_count, struct error *error);
// The added files stay, once this has returned OK. They are durable, as are their names.
MUST_USE enum status transaction_log_commit(struct transaction_log *log, struct error *error);
// Closes the log and removes it. Whoever did not commit has removed the added files before.
MUST_USE enum status transaction_log_end(struct transaction_log *log, struct error *error);

bool transaction_log_is_name(const char *name);
// What a log of such a name says. `undo` is called with the beginning of the names of files that
// must go, such as "nb-1-big-".
MUST_USE enum status transaction_log_replay(struct env *env, const char *path,
                                            void (*remove)(void *context, struct slice prefix),
                                            void *context, struct error *error);

#endif
