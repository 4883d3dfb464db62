// Conditional statements and serial reads: one linearizable register for each partition
// (org.apache.cassandra.service.paxos, StorageProxy.cas). Paxos after Paxos on the same partition:
// each decides one change to it, or none.
//
//     PREPARING --a quorum promised--> ready(): the owner reads --paxos_cas_propose()--> PROPOSING
//      ^  |  \--somebody's proposal is there--> FINISHING it, COMMITTING it --\        |     |
//      |  |   \--a replica missed a commit--> REPAIRING ----------------------|        |     |
//      |  |                                                                   |        |     |
//      \--+-- BACKING_OFF <--a higher ballot was promised---------------------+--------/     |
//                                          done() <--COMMITTING <--a quorum accepted---------/
//
// Why a read between `ready` and an accepted proposal is linearizable, also when the proposal
// changes nothing: whatever was decided with a lower ballot is at a quorum before `ready`; whatever
// is decided with a higher one had a promise, after our proposal, of one that accepted ours. So a
// read and a condition that failed end with a proposal of nothing (CASSANDRA-12126).
//
// Promises and proposals are durable before they are answered, whatever commitlog_sync says. The
// mutation's timestamp is that of its ballot. Acceptors' state is in the engine's table
// system.paxos (paxos_state.h).
#ifndef RING_PAXOS_H
#define RING_PAXOS_H

#include "ring/coordinator/coordinator.h"
#include "ring/paxos/ballot.h"

struct paxos;

// All outlive it. The last four are NULL in a ring of one.
struct paxos_options {
    struct engine *engine;
    const struct schema *schema;
    const struct table *table; // INTERNAL_TABLE_PAXOS, one of the engine's internal tables.
    struct placement *placement;
    struct liveness *liveness;
    struct messaging *messaging; // It takes the verbs of Paxos.
    struct hints *hints;
    // cas_contention_timeout, write_request_timeout; 0: 1.8 s, 2 s.
    uint64_t contention_timeout_ns, write_timeout_ns;
};

struct paxos *paxos_create(struct env *env, const struct paxos_options *options);
// No operation may be under way. Acceptors at work and commits that are not at all replicas yet
// are dropped: before engine_close(), after messaging_close().
void paxos_destroy(struct paxos *paxos);
void paxos_abandon(struct paxos *paxos); // The end of a simulated crash.

// One conditional statement, or one read, in its owner's memory.
struct paxos_cas {
    // Now the partition may be read, at `read_consistency`, and what is to change be made with
    // `timestamp_us`; then paxos_cas_propose() or paxos_cas_cancel(). Comes again, with another
    // timestamp, when someone else was faster.
    void (*ready)(struct paxos_cas *cas);
    // TIMED_OUT: too much contention or too few answers; it may have happened if `is_uncertain`.
    void (*done)(struct paxos_cas *cas, const struct coordinator_result *result);
    const struct table *table; // The caller's, valid until `done` as the key is.
    struct partition_key key;
    enum consistency serial_consistency; // SERIAL or LOCAL_SERIAL.
    enum consistency commit_consistency; // Any other; how `done` waits for the commit.
    enum consistency read_consistency;   // Set by paxos_cas_start().
    int64_t timestamp_us;
    bool is_uncertain;  // At `done`: other replicas may yet decide for the change.
    bool is_decided;    // At `done`: a change was; maybe of an earlier try than the last.
    bool is_committing; // At `done`: it was decided, the commit is what took too long.
    struct coordinator_result result;
    struct paxos_attempt *attempt; // paxos_cas.c's own.
};

// Neither `ready` nor `done` come inside of these.
void paxos_cas_start(struct paxos *paxos, struct paxos_cas *cas);
// The mutations, of one partition and table, are read during the call only. None: nothing changes.
void paxos_cas_propose(struct paxos_cas *cas, const struct mutation *mutations, size_t count);
// Ends it without `done`, but sets `is_uncertain`; only between `ready` and paxos_cas_propose().
void paxos_cas_cancel(struct paxos_cas *cas);
// The end of a simulated crash; also after its end, and before or after paxos_abandon().
void paxos_cas_abandon(struct paxos_cas *cas);

#endif
