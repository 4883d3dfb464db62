// Between a statement and the replicas (org.apache.cassandra.service.StorageProxy): picks the
// replicas of a key, sends, waits for as many as the consistency level says.
//
// Operations are structs in the caller's memory: started by a function, ended by one call of
// `done`, which never comes inside the starting call. Without messaging a node is a ring of one:
// every key's only live replica is the local engine, and levels that RF replicas of it can not
// reach are UNAVAILABLE.
//
//     coordinator_write.c      every replica gets it; hints for those that are down
//     coordinator_increment.c  one leader, which replicates the shard
//     coordinator_read.c       data of one replica, digests of others; read_repair.c when they
//                              differ
//     replica_plan.c           which replicas, how many must answer, how many live
//     delivery.c               one mutation's way to its replicas
//     replica_write.c, replica_read.c, …   the other end: what a member does that is asked
#ifndef RING_COORDINATOR_H
#define RING_COORDINATOR_H

#include "base/env.h"
#include "ring/consistency.h"
#include "ring/coordinator/batch_log.h"
#include "ring/coordinator/hints.h"
#include "ring/coordinator/replica_truncate.h"
#include "ring/coordinator/trace.h"
#include "ring/topology/placement.h"
#include "storage/engine/engine.h"

enum coordinator_outcome {
    COORDINATOR_OK,
    COORDINATOR_UNAVAILABLE, // Nothing was sent.
    COORDINATOR_TIMED_OUT,   // Too few answered: the write may or may not be there.
    COORDINATOR_FAILED,      // Replicas answered with a fault.
    COORDINATOR_OVERLOADED,
};

// Replicas that answered with a fault, as far as they are told by name.
enum { COORDINATOR_FAULTS_MAX = 4 };
struct coordinator_fault {
    uint16_t member; // MEMBER_NONE: this node.
    uint8_t reason;  // As in the protocol's errors (RequestFailureReason).
};

// How an operation ended; the numbers are those of the protocol's errors.
struct coordinator_result {
    enum coordinator_outcome outcome;
    enum consistency consistency;
    int required, received, alive;
    int failures;
    struct coordinator_fault faults[COORDINATOR_FAULTS_MAX]; // Of the first of them.
    uint8_t fault_count;
    bool data_present; // Of a read that timed out or failed: the data came, digests are missing.
    bool at_batch_log; // Of a logged batch: nobody stored it (write type BATCH_LOG).
};

// What a node's ring is made of. All outlive the coordinator. The last four are NULL in a ring of
// one, as `placement` may be.
struct coordinator_options {
    struct engine *engine;
    const struct schema *schema;
    struct placement *placement;
    struct liveness *liveness;
    struct messaging *messaging; // It takes the verbs of writes and reads.
    struct hints *hints;
    struct batch_log *batch_log;
    // Whose open jobs forbid truncations of what they count into; NULL: there are none.
    const struct metadata *metadata;
    // Keyspaces of the system's own that are replicated like those of users, though not in the
    // members' schema: each member has the same (cql/system/system_tables.h). NULL: none.
    const struct schema *system_schema;
    // As in cassandra.yaml; 0: Cassandra's defaults (5, 10, 2, 5 and 60 s).
    uint64_t read_timeout_ns, range_timeout_ns, write_timeout_ns, counter_write_timeout_ns,
        truncate_timeout_ns;
};

struct coordinator;
struct coordinator *coordinator_create(struct env *env, const struct coordinator_options *options);
void coordinator_destroy(struct coordinator *coordinator); // No operation may be under way.

// What it did so far, since the start.
struct coordinator_counts {
    uint64_t local_reads;      // Of data that is here, for ourselves and others.
    uint64_t local_writes;     // Mutations that were applied here, for ourselves and others.
    uint64_t local_increments; // Of which this node was the leader.
    uint64_t answers;          // Of other members to what we asked.
};
struct coordinator_counts coordinator_counts(const struct coordinator *coordinator);
// What it was made of, for who shows how a node is.
const struct coordinator_options *coordinator_parts(const struct coordinator *coordinator);

// What is started from now on is part of this story, until NULL is given: around the call that
// starts an operation, in one turn of the loop.
void coordinator_trace(struct coordinator *coordinator, struct trace *trace);
// What it is asked as a replica of a traced request is told to traces of this source. NULL, as at
// the beginning: it tells nothing. The source outlives the coordinator.
void coordinator_set_trace_source(struct coordinator *coordinator, struct trace_source *source);

// A write of mutations that are not counters, or of ready counter shards. All of them leave in one
// turn of the loop and are acknowledged together: when each has as many synced copies as the level
// wants. The worst of them is the result.
//
//     STARTED --applied, sent (delivery.h)--> SYNCING --synced by enough--> done
//        \--no room, no replica--> done
struct coordinator_write {
    void (*done)(struct coordinator_write *write, const struct coordinator_result *result);
    // The rest is the coordinator's.
    struct coordinator *coordinator;
    struct coordinator_result result;
    struct coordinator_result local; // Of what is written here alone.
    size_t parts_left;
    bool is_alone;  // One mutation.
    bool is_of_job; // Some of it, of what is written here alone.
    struct logged_batch *logged;
    struct commit_log_waiter waiter;
    struct env_task task;
};
// The mutations are read during the call only.
void coordinator_write_start(struct coordinator *coordinator, struct coordinator_write *write,
                             const struct mutation *mutations, size_t count,
                             enum consistency consistency,
                             void (*done)(struct coordinator_write *write,
                                          const struct coordinator_result *result));

// The same for a BATCH that was logged: when any of it is written, all of it will be, whoever dies
// (batch_log.h). More than one partition, or it is as above.
void coordinator_write_logged(struct coordinator *coordinator, struct coordinator_write *write,
                              const struct mutation *mutations, size_t count,
                              enum consistency consistency,
                              void (*done)(struct coordinator_write *write,
                                           const struct coordinator_result *result));

// Increments, each sent to one leader, once (exactly-once.md §3).
//
//     STARTED --own shard is in memory, the new one sent to the others--> SYNCING --synced by
//        |                                                                enough--> done
//        |--miss--> LOADING --loaded--> STARTED
//        \--we are no replica: sent to a leader (replica_increment.h)--answer--> done
struct coordinator_increment {
    void (*done)(struct coordinator_increment *increment, const struct coordinator_result *result);
    // The rest is the coordinator's.
    struct coordinator *coordinator;
    struct coordinator_result result;
    struct coordinator_result local; // Of the part at hand.
    const struct counter_update *updates;
    size_t update_count, applied_count, parts_left;
    uint64_t position;
    bool is_led; // Sent to us as its leader: it goes no further.
    struct read_pins pins;
    struct arena arena;
    struct engine_load load;
    struct commit_log_waiter waiter;
    struct env_task task;
};
// The updates stay valid until `done`.
void coordinator_increment_start(
    struct coordinator *coordinator, struct coordinator_increment *increment,
    const struct counter_update *updates, size_t count, enum consistency consistency,
    void (*done)(struct coordinator_increment *increment, const struct coordinator_result *result));

// A read of partitions by key, or of a range of the ring. The reader's `consume` looks at merged
// data (with tombstones); it may stop early. It is called again from the beginning when a piece was
// not in memory, so it starts over each time (`restart`).
//
//     STARTED --consumed--> SYNCING --what was seen is synced--> done
//        \--miss--> LOADING --loaded--> STARTED
struct coordinator_read {
    void (*done)(struct coordinator_read *read, const struct coordinator_result *result);
    void (*restart)(struct coordinator_read *read);
    // One partition: reads what it wants of `partition` (the coordinator closes it) and sets
    // `*enough` to end the whole read. Passes on any status but OK and END of
    // partition_iterator_next().
    enum status (*consume)(struct coordinator_read *read, struct partition_iterator *partition,
                           bool *enough);
    const struct table *table;
    const struct partition_key *keys; // In the order wanted; NULL: a scan of `range`.
    // About how many rows `consume` will want, so that replicas send no more; 0: all.
    uint32_t row_max;
    size_t key_count;
    struct scan_range range;
    struct partition_filter filter;
    int32_t now_s; // "Now" of this read, for all replicas (seconds since 1970).
    // A scan of the places of rows that an index has: partitions of rows without anything, as
    // engine_index_scan() gives them. `index_key` null: of the table itself.
    struct uuid index;
    struct slice index_key;
    // In `restart`: it begins again because more has come than there was, not because of a miss.
    bool goes_on;
    // The rest is the coordinator's.
    struct coordinator *coordinator;
    struct trace *trace; // NULL: nobody wants to know.
    struct coordinator_result result;
    struct remote_read *remote; // While it goes on over the network (remote_read.h).
    uint64_t position;
    struct read_pins pins;
    struct arena arena;
    struct engine_load load;
    struct commit_log_waiter waiter;
    struct env_task task;
};
// The fields above "the rest" are filled in by the caller and valid until `done`.
void coordinator_read_start(struct coordinator *coordinator, struct coordinator_read *read,
                            enum consistency consistency,
                            void (*done)(struct coordinator_read *read,
                                         const struct coordinator_result *result));

// The same for a caller that likes an answer at once: true when nothing had to be waited for, then
// `read->result` is the answer and `done` is not called.
MUST_USE bool coordinator_read_try(struct coordinator *coordinator, struct coordinator_read *read,
                                   enum consistency consistency,
                                   void (*done)(struct coordinator_read *read,
                                                const struct coordinator_result *result));

// Removes all data of a table on every member: all must be alive.
struct coordinator_truncate {
    void (*done)(struct coordinator_truncate *truncate, const struct coordinator_result *result);
    // The rest is the coordinator's.
    struct coordinator *coordinator;
    struct coordinator_result result;
    struct uuid table;
    struct truncate_here here;
    struct truncate_request *requests;
    uint16_t request_count, waits_for;
    struct env_task task;
};
void coordinator_truncate_start(struct coordinator *coordinator,
                                struct coordinator_truncate *truncate, struct uuid table,
                                void (*done)(struct coordinator_truncate *truncate,
                                             const struct coordinator_result *result));

// What operations hold, when the process around them is gone: the end of a simulated crash. Also
// after their end.
void coordinator_read_abandon(struct coordinator_read *read);
void coordinator_write_abandon(struct coordinator_write *write);
void coordinator_increment_abandon(struct coordinator_increment *increment);
void coordinator_truncate_abandon(struct coordinator_truncate *truncate);

// Replicas of each partition of a keyspace, over all data centres; 1 for LocalStrategy.
int coordinator_replication_factor(const struct keyspace *keyspace);

#endif
