// What the files of Paxos share.
//
//     paxos_cas.c        the proposer: one conditional statement
//     paxos_commit.c     a decided change on its way to all replicas
//     paxos_round.c      one request to several replicas, and their answers
//     paxos_acceptor.c   the other end: one request, answered once it is durable
//     paxos_state.c      what the acceptor remembers
#ifndef RING_PAXOS_INTERNAL_H
#define RING_PAXOS_INTERNAL_H

#include "base/arena.h"
#include "ring/coordinator/seen_requests.h"
#include "ring/paxos/paxos.h"
#include "ring/paxos/paxos_state.h"

#define PAXOS_NS_PER_MS 1000000ull

enum {
    PAXOS_ARENA_BLOCK_SIZE = 4096,
    PAXOS_QUEUE_BUCKETS = 256,
    PAXOS_VERB_COUNT = VERB_PAXOS_COMMIT - VERB_PAXOS_PREPARE + 1,
};
// Microseconds since 1970 that a ballot may have: what fits a timeuuid.
#define PAXOS_TIME_MAX_US 100000000000000000

struct paxos {
    struct env *env;
    struct paxos_options options;
    int64_t last_time_us; // Of a ballot, ours or seen.
    struct message_handler handlers[PAXOS_VERB_COUNT];
    // PREPAREs and PROPOSEs that came lately, by their ballots: whatever brings a second one, it is
    // answered once. Its refusal must not say that nobody took the first.
    struct seen_requests seen;
    struct paxos_acceptance *acceptances; // Under way.
    size_t acceptance_count;
    struct paxos_commit *commits; // Under way.
    // Attempts under way, by partition: the first of each is at work, the others wait for it.
    struct paxos_attempt *queues[PAXOS_QUEUE_BUCKETS];
};

// ---- paxos.c ------------------------------------------------------------------------------------

uint16_t paxos_self(const struct paxos *paxos);
// NULL in a ring of one, and once it is closed.
struct messaging *paxos_messaging(const struct paxos *paxos);
// Higher than any before, ours or seen.
struct ballot paxos_next_ballot(struct paxos *paxos);
void paxos_saw_ballot(struct paxos *paxos, struct ballot ballot);

// The replicas of a key that an operation goes to, alive ones first.
struct paxos_members {
    uint16_t *items; // In `arena` of who asked.
    size_t count, alive_count;
    int factor; // How many copies there should be; 0: the keyspace is gone.
};
// `only_local`: those of our data centre alone.
struct paxos_members paxos_find_members(struct paxos *paxos, const struct table *table,
                                        struct token token, bool only_local, struct arena *arena);

// ---- paxos_cas.c --------------------------------------------------------------------------------

void paxos_drop_attempts(struct paxos *paxos); // At a crash.

// ---- paxos_acceptor.c ---------------------------------------------------------------------------

// One request at an acceptor: PREPARE, PROPOSE or COMMIT.
//
//     body   = table id 16 | vbytes key | proposal (paxos_state.h; of PREPARE only its ballot)
//     answer = u8 yes | ballot promised | of PREPARE: proposal accepted | proposal committed
struct paxos_acceptance;
// `done`, in a later turn, once what the answer says is durable. Kept by `paxos`.
struct paxos_acceptance *
paxos_accept(struct paxos *paxos, enum verb verb, struct slice body,
             void (*done)(void *context, enum status status, struct slice answer), void *context);
// It goes on, but nobody is told.
void paxos_acceptance_forget(struct paxos_acceptance *acceptance);
// Frees it without an end. `is_crash`: what the engine is loading for it never ends.
void paxos_acceptance_drop(struct paxos_acceptance *acceptance, bool is_crash);
void paxos_handle(struct message_handler *handler, const struct message *message);

void paxos_put_request(struct buffer *body, const struct table *table,
                       const struct partition_key *key, const struct paxos_proposal *proposal);

struct paxos_answer {
    bool yes;
    struct ballot promised;
    struct paxos_proposal accepted, committed; // Borrow from the answer.
};
MUST_USE enum status paxos_get_answer(struct slice bytes, enum verb verb,
                                      struct paxos_answer *answer);

// ---- paxos_round.c ------------------------------------------------------------------------------

struct paxos_round;
struct paxos_slot {
    struct paxos_round *round;
    uint16_t member;
    bool is_pending;
    struct paxos_acceptance *local; // Of our own member.
    struct messaging_request request;
};

// In its owner's memory. All zero: not under way.
struct paxos_round {
    struct paxos *paxos;
    struct paxos_slot *slots;
    size_t slot_count, pending_count;
    struct env_timer timer;
    // The last answer comes with `pending_count` 0. Either may cancel or start anew.
    void (*answered)(struct paxos_round *round, struct paxos_slot *slot, enum status status,
                     struct slice answer);
    void (*timed_out)(struct paxos_round *round);
};

// One slot for each member, in `arena`. Neither callback comes inside of this.
void paxos_round_start(struct paxos *paxos, struct paxos_round *round, enum verb verb,
                       const uint16_t *members, size_t count, struct slice body,
                       uint64_t timeout_ns, struct arena *arena);
void paxos_round_cancel(struct paxos_round *round);

// ---- paxos_commit.c -----------------------------------------------------------------------------

// A decided change sent to all replicas; members that miss it get a hint. Lives on after it told
// its owner that enough have it.
struct paxos_commit;
struct paxos_commit_owner {
    void (*done)(struct paxos_commit_owner *owner, const struct coordinator_result *result);
    struct paxos_commit *commit; // NULL when it is not under way.
};
// `hints`: those who do not answer get hints; else they are left to the next one who asks.
void paxos_commit_start(struct paxos *paxos, struct paxos_commit_owner *owner,
                        const struct table *table, const struct partition_key *key,
                        const struct paxos_proposal *proposal, enum consistency consistency,
                        bool hints);
void paxos_commit_forget(struct paxos_commit_owner *owner);
void paxos_commit_drop(struct paxos_commit *commit, bool is_crash);

#endif
