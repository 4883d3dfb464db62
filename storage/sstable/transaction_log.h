// Cassandra's log of a change to the set of files in a directory
// (org.apache.cassandra.db.lifecycle.LogTransaction, LogFile, LogRecord): until it says COMMIT, the
// files it adds are to be removed; from then on those it removes are.
//
//     nb_txn_compaction_<timeuuid>.log
//     ADD:[/data/ks/t-0011…/nb-3-big-,0,8][1234567890]
//     REMOVE:[/data/ks/t-0011…/nb-1-big-,1700000000123,8][2345678901]
//     COMMIT:[,0,0][2613697770]
//
//     begin -> add, its files -> … -> remove … -> commit -> finish
//        \________________________________________/ \-> leave: a recovery finishes it
//                            undo
//
// A record is type, path, the time of its newest file in milliseconds (only of REMOVE), the number
// of files, and the CRC32 of path, type, time (low and high half) and number. Each is synced before
// what it tells of is done.
#ifndef STORAGE_SSTABLE_TRANSACTION_LOG_H
#define STORAGE_SSTABLE_TRANSACTION_LOG_H

#include "storage/sstable/directory.h"

enum transaction_kind { TRANSACTION_FLUSH, TRANSACTION_COMPACTION };

struct transaction_names {
    struct sstable_name *items;
    size_t count, capacity;
};

struct transaction_log {
    struct env *env;
    const char *directory;
    struct env_file *file; // NULL: closed.
    uint64_t size;         // Of the records that are durable.
    bool is_torn;          // There may be a part of one more.
    bool commit_failed;    // It may say COMMIT, or not.
    struct transaction_names added, removed;
    char path[SSTABLE_PATH_SIZE];
};

// Makes the log's file; its name is durable with the first record. `directory` is absolute and
// lives as long as the log. On failure there is no log.
MUST_USE enum status transaction_log_begin(struct transaction_log *log, struct env *env,
                                           const char *directory, enum transaction_kind kind,
                                           struct error *error);
// From OK on the files of this SSTable may appear: `file_count` of them.
MUST_USE enum status transaction_log_add(struct transaction_log *log, uint64_t generation,
                                         unsigned file_count, struct error *error);
// The same, also of version oa. Its id is a generation.
MUST_USE enum status transaction_log_add_named(struct transaction_log *log,
                                               const struct sstable_name *name, unsigned file_count,
                                               struct error *error);
// The SSTable is to go with the commit. Its files are as they will be then.
MUST_USE enum status transaction_log_remove(struct transaction_log *log,
                                            const struct sstable_name *name, struct error *error);
// The added files are durable, as are their names: they stay from OK on, and the removed ones are
// to go. After any failure comes transaction_log_undo().
MUST_USE enum status transaction_log_commit(struct transaction_log *log, struct error *error);
// After the commit: removes what is to go, then the log. After a failure all is left to a recovery.
MUST_USE enum status transaction_log_finish(struct transaction_log *log, struct error *error);
// Without a commit: removes what was added, then the log. After a failure that is left to a
// recovery; `*is_undecided` is true then if that may find a COMMIT, or a damaged end, so that both
// what was added and what was to be removed must stay as they are until then.
MUST_USE enum status transaction_log_undo(struct transaction_log *log, bool *is_undecided,
                                          struct error *error);
// Closes it and leaves its file. In place of finish or undo.
void transaction_log_leave(struct transaction_log *log);

// nb_txn_….log, and what else Cassandra takes for a log.
bool transaction_log_is_name(const char *name);

// What a recovery does with a log of such a name: removes the files that are to go, durably, but
// not the log. As Cassandra it refuses (CORRUPT) a log that is damaged anywhere but at its end, and
// one whose files to be removed are not those that it knew: then nothing is removed.
MUST_USE enum status transaction_log_recover(struct env *env, const char *directory,
                                             const char *name, const struct directory_names *names,
                                             struct error *error);

#endif
