// Places in the program that a simulation has to have visited: one for each state of each operation
// and each branch that only a fault takes. `helenus sim` counts them and a run of many seeds fails
// if one was never reached, so that a state nobody tests is seen.
//
// In the real world env_mark() is a call and a branch. To add a place, add a line and call
// env_mark(env, ENV_MARK_…) there; `work` of a job may do so too.
#ifndef BASE_ENV_MARKS_H
#define BASE_ENV_MARKS_H

// clang-format off
//    mark                           text
#define ENV_MARK_MAP(X)                                                                 \
    X(WRITE_STARTED,                 "coordinator write: started")                      \
    X(WRITE_SYNCING,                 "coordinator write: syncing")                      \
    X(WRITE_REFUSED,                 "coordinator write: refused")                      \
    X(INCREMENT_STARTED,             "coordinator increment: started")                  \
    X(INCREMENT_LOADING,             "coordinator increment: loading")                  \
    X(INCREMENT_SYNCING,             "coordinator increment: syncing")                  \
    X(INCREMENT_FORWARDED,           "coordinator increment: sent to a leader")         \
    X(INCREMENT_LED,                 "coordinator increment: led for another member")   \
    X(INCREMENT_DOUBLED,             "coordinator increment: came to its leader twice") \
    X(INCREMENT_LOST,                "coordinator increment: no answer of its leader")  \
    X(DELIVERY_GROUP,                "delivery: several mutations in one message")      \
    X(DELIVERY_HINTED,               "delivery: hint kept")                             \
    X(DELIVERY_HINTED_LATE,          "delivery: hint for what did not answer")          \
    X(DELIVERY_LATE,                 "delivery: answer after the end")                  \
    X(DELIVERY_TIMED_OUT,            "delivery: timed out")                             \
    X(REPLICA_WRITE_APPLIED,         "replica write: applied")                          \
    X(REPLICA_WRITE_REFUSED,         "replica write: refused")                          \
    X(REPLICA_TRUNCATED,             "truncate: for another member")                    \
    X(HINT_REFUSED,                  "hint: no room, or too old")                       \
    X(HINT_WRITE,                    "hint: files written")                             \
    X(HINT_WRITE_FAILED,             "hint: files could not be written")                \
    X(HINT_TAIL_CUT,                 "hint: torn tail of a file")                       \
    X(HINT_SENT,                     "hint: block sent")                                \
    X(HINT_SENT_AGAIN,               "hint: block not acknowledged, again later")       \
    X(HINT_EXPIRED,                  "hint: older than gc_grace_seconds")               \
    X(HINT_VOID,                     "hint: of before a truncation")                    \
    X(HINT_FILE_DONE,                "hint: file replayed and removed")                 \
    X(TRUNCATE_STARTED,              "coordinator truncate: started")                   \
    X(REPLICA_HINT_VOID,             "replica write: hint of before a truncation")      \
    X(LOGGED_STARTED,                "logged batch: started")                           \
    X(LOGGED_STORED,                 "logged batch: stored for another member")         \
    X(LOGGED_STORE_LOST,             "logged batch: a member did not store it")         \
    X(LOGGED_REPLAYED,               "logged batch: carried out by who stored it")      \
    X(LOGGED_TRUNCATED,              "logged batch: the emptied table was truncated")   \
    X(LOGGED_KEPT,                   "logged batch: could not be carried out yet")      \
    X(READ_STARTED,                  "coordinator read: started")                       \
    X(READ_LOADING,                  "coordinator read: loading")                       \
    X(READ_SYNCING,                  "coordinator read: waits for a sync")              \
    X(READ_REMOTE,                   "coordinator read: replicas asked")                \
    X(READ_CONTINUED,                "coordinator read: next chunk")                    \
    X(READ_SPECULATED,               "coordinator read: one more replica asked")        \
    X(READ_REPLACED,                 "coordinator read: another replica for a lost one")\
    X(READ_MISMATCH,                 "coordinator read: answers differ")                \
    X(READ_REPAIRING,                "coordinator read: repair written")                \
    X(READ_TIMED_OUT,                "coordinator read: timed out")                     \
    X(REPLICA_READ_STARTED,          "replica read: started")                           \
    X(REPLICA_READ_LOADING,          "replica read: loading")                           \
    X(REPLICA_READ_SYNCING,          "replica read: waits for a sync")                  \
    X(PAXOS_LOADING,                 "paxos acceptor: loading")                         \
    X(PAXOS_REFUSED,                 "paxos acceptor: refused a ballot")                \
    X(PAXOS_DOUBLED,                 "paxos acceptor: a request came twice")            \
    X(PAXOS_STARTED,                 "paxos: started")                                  \
    X(PAXOS_QUEUED,                  "paxos: waits for another one of its partition")   \
    X(PAXOS_REPAIRING,               "paxos: a replica missed a commit")                \
    X(PAXOS_FINISHING,               "paxos: finishes another's proposal")              \
    X(PAXOS_PROPOSING,               "paxos: proposing")                                \
    X(PAXOS_COMMITTING,              "paxos: committing")                               \
    X(PAXOS_BACKING_OFF,             "paxos: contention, backs off")                    \
    X(PAXOS_FOUND_OWN,               "paxos: own proposal found decided")               \
    X(PAXOS_UNCERTAIN,               "paxos: nobody knows whether it was decided")      \
    X(PAXOS_TIMED_OUT,               "paxos: timed out")                                \
    X(SHARD_IN_MEMTABLE,             "increment: own shard in the memtable")            \
    X(SHARD_IN_FROZEN,               "increment: own shard in a frozen memtable")       \
    X(SHARD_IN_CACHE,                "increment: own shard in the cache")               \
    X(SHARD_IN_SSTABLE,              "increment: own shard in an sstable")              \
    X(SHARD_MISSING,                 "increment: no shard of ours")                     \
    X(LOG_WRITE,                     "commit log: write started")                       \
    X(LOG_GROUP,                     "commit log: several records in one write")        \
    X(LOG_GAP,                       "commit log: waits a moment for more")             \
    X(LOG_SEGMENT_NEW,               "commit log: new segment")                         \
    X(LOG_SEGMENT_REUSED,            "commit log: segment used again")                  \
    X(LOG_SEGMENT_REMOVED,           "commit log: segment removed")                     \
    X(LOG_REPLAYED,                  "commit log: record replayed")                     \
    X(LOG_TAIL_CUT,                  "commit log: torn tail cut")                       \
    X(LOG_DAMAGE_SKIPPED,            "commit log: gone on without what was damaged")    \
    X(LOG_FAILED,                    "commit log: failed, takes no more")               \
    X(ENGINE_CLEAN_START,            "engine: start after a clean stop")                \
    X(ENGINE_UNCLEAN_START,          "engine: start after a crash")                     \
    X(FLUSH_STARTED,                 "flush: started")                                  \
    X(FLUSH_DONE,                    "flush: done")                                     \
    X(SNAPSHOT_STARTED,              "snapshot: its turn has come")                     \
    X(SNAPSHOT_DONE,                 "snapshot: taken")                                 \
    X(SNAPSHOT_FAILED,               "snapshot: failed")                                \
    X(SNAPSHOT_CLEARED,              "snapshots: cleared")                              \
    X(IMPORT_STARTED,                "import: an SSTable is looked at")                 \
    X(IMPORT_COMMITTED,              "import: committed")                               \
    X(IMPORT_DONE,                   "import: done")                                    \
    X(IMPORT_FAILED,                 "import: an SSTable could not come")               \
    X(IMPORT_COUNTER_ID,             "import: a new counter id")                        \
    X(FLUSH_FAILED,                  "flush: failed, to be repeated")                   \
    X(FLUSH_LEFT,                    "flush: an sstable left to a later manifest")      \
    X(FLUSH_GIVEN_UP,                "flush: failed, truncated meanwhile")              \
    X(COMPACTION_STARTED,            "compaction: started")                             \
    X(COMPACTION_THROTTLED,          "compaction: waits between two steps")             \
    X(COMPACTION_WRITTEN,            "compaction: outputs written and opened")          \
    X(BACKGROUND_SYNCED_AGAIN,       "engine: truncated while work waited for the log") \
    X(COMPACTION_INSTALLING,         "compaction: manifest says adding")                \
    X(COMPACTION_COMMITTED,          "compaction: committed")                           \
    X(COMPACTION_DONE,               "compaction: done")                                \
    X(COMPACTION_FAILED,             "compaction: failed, to be repeated")              \
    X(COMPACTION_CANCELED,           "compaction: given up on the way")                 \
    X(COMPACTION_UNDECIDED,          "compaction: nobody knows whether it is true")     \
    X(COMPACTION_HIDDEN,             "compaction: result hidden by a truncation")       \
    X(COMPACTION_MANIFEST_LATE,      "compaction: the last manifest failed")            \
    X(COMPACTION_FOUND_DONE,         "compaction: found committed at the start")        \
    X(COMPACTION_FOUND_UNDONE,       "compaction: found not committed at the start")    \
    X(COMPACTION_EXPIRED,            "compaction: expired sstables removed unread")     \
    X(COMPACTION_MAJOR,              "compaction: asked for")                           \
    X(TRUNCATED,                     "truncate: done")                                  \
    X(TRUNCATION_REPLAYED,           "truncate: ended by a replay")                     \
    X(DROPPED,                       "drop table: files removed")                       \
    X(DROPPED_AGAIN,                 "drop table: found unfinished at the start")       \
    X(METADATA_WRITE,                "metadata log: write started")                     \
    X(METADATA_GROUP,                "metadata log: several records in one write")      \
    X(METADATA_ROTATED,              "metadata log: new file")                          \
    X(METADATA_TAIL_CUT,             "metadata log: torn tail cut")                     \
    X(METADATA_FAILED,               "metadata log: failed, takes no more")             \
    X(METADATA_PREPARED,             "metadata log: prepare sent")                      \
    X(METADATA_FAST,                 "metadata log: accept without prepare")            \
    X(METADATA_SHARED,               "metadata log: several records share a number")    \
    X(METADATA_REFUSED,              "metadata log: acceptor refused a lower ballot")   \
    X(METADATA_ADOPTED,              "metadata log: another's value finished")          \
    X(METADATA_BACKED_OFF,           "metadata log: proposer paused")                   \
    X(METADATA_FETCHED,              "metadata log: missed values fetched")             \
    X(METADATA_STATE_TAKEN,          "metadata log: whole state of another taken")      \
    X(METADATA_TIMED_OUT,            "metadata log: no majority in time")               \
    X(METADATA_NOT_SETTLED,          "metadata log: a live member was not waited for any more")\
    X(JOB_GUARD_ASKED,               "job guard: counters deleted, all was known")      \
    X(JOB_GUARD_ALONE,               "job guard: no majority, refused")                 \
    X(MESSAGING_PARKED,              "messaging: a request waits for the metadata log") \
    X(MESSAGING_UNPARKED,            "messaging: it goes on")                           \
    X(MESSAGING_TIMED_OUT,           "messaging: no answer in time")                    \
    X(MESSAGING_LOST,                "messaging: connection lost")                      \
    X(MESSAGING_RECONNECTED,         "messaging: connection made again")                \
    X(MESSAGING_LATE_ANSWER,         "messaging: answer of a request that has ended")   \
    X(MEMBER_UP,                     "liveness: member up")                             \
    X(MEMBER_SUSPECT,                "liveness: member suspected")                      \
    X(MEMBER_DOWN,                   "liveness: member down")                           \
    X(MEMBER_REFUSED,                "liveness: down because it refuses connections")   \
    X(PROBE_INDIRECT,                "liveness: alive by the word of another")          \
    X(LIVENESS_REFUTED,              "liveness: held dead, and said no")                \
    X(LIVENESS_LATE,                 "liveness: stood still itself")                    \
    X(BATCH_RECORDED,                "job: batch recorded")                             \
    X(BATCH_REPLAYED,                "job: recorded batch run again by a new worker")   \
    X(BATCH_SENT_AGAIN,              "job: recorded batch sent again")                  \
    X(BATCH_DONE,                    "job: batch done")                                 \
    X(LINK_BEGAN_AGAIN,              "job: worker connects anew")                       \
    X(LINK_FINISHED_BEFORE,          "job: its end was recorded, the answer lost")      \
    X(LINK_CONFLICT,                 "job: a record came too late, looks again")        \
    X(LINK_HOME_CHANGED,             "job: worker goes on at another member")           \
    X(CUT_CHANGED,                   "job: batch begun again with another cut")         \
    X(INTAKE_STORED,                 "job: a copy has a block of the intake")           \
    X(INTAKE_ADOPTED,                "job: a copy has another worker's intake")         \
    X(INTAKE_OPENED,                 "job: a worker has its intake")                    \
    X(INTAKE_TAIL_CUT,               "job: torn tail of a copy of the intake")          \
    X(SHUFFLE_PAUSED,                "shuffle: a reducer could not do it then")         \
    X(SHUFFLE_SILENT,                "shuffle: a reducer said nothing for too long")    \
    X(CELL_COMPUTED,                 "reducer: shard computed")                         \
    X(CELL_WRITTEN_BACK,             "reducer: found shard written back")               \
    X(CELL_IN_MEMORY,                "reducer: total in memory")                        \
    X(CELL_FIRST,                    "reducer: no total yet, all are held")             \
    X(CELL_READ,                     "reducer: total read from the engine")             \
    X(REPORT_REPEATED,               "reducer: report given again")
// clang-format on

#define X(mark, text) ENV_MARK_##mark,
enum env_mark { ENV_MARK_MAP(X) ENV_MARK_COUNT };
#undef X

#endif
