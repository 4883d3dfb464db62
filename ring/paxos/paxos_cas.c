// The proposer: one conditional statement or serial read; its states are drawn in paxos.h.
//
// What may be decided without our knowing: proposals of ours that some acceptor took, or may have
// taken, and that then lost against a higher ballot. Others may finish them. They are remembered by
// their origins, and the next PREPARE looks for them:
//
//     committed, or the newest that a promise told of   it was (or now will be) decided
//     a commit is newer than one of them                nobody can tell: is_uncertain
//     else                                              not decided yet, but others may still
//                                                       find it where we did not look
//
// They are dead only when a quorum took another proposal of ours, with a higher ballot: whoever
// prepares from then on finds that one.
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "ring/paxos/paxos_internal.h"

#include <stdlib.h>
#include <xxhash.h>

#define BACKOFF_MIN_NS (2 * PAXOS_NS_PER_MS)
#define BACKOFF_MAX_NS (100 * PAXOS_NS_PER_MS)

enum { OWN_ORIGINS_MAX = 8 }; // One more is not made: nobody can tell what became of the others.

enum attempt_state {
    ATTEMPT_REFUSED, // Not started: too few replicas are alive.
    ATTEMPT_QUEUED,
    ATTEMPT_PREPARING,
    ATTEMPT_REPAIRING,
    ATTEMPT_READY,
    ATTEMPT_FINISHING,            // Proposing what another began.
    ATTEMPT_FINISHING_COMMITTING, // … and committing it.
    ATTEMPT_PROPOSING,
    ATTEMPT_COMMITTING,
    ATTEMPT_BACKING_OFF,
};

struct paxos_attempt {
    struct paxos *paxos;
    struct paxos_cas *cas;
    struct paxos_attempt *next; // In its bucket of the queues.
    size_t bucket;
    enum attempt_state state;
    struct arena arena;
    struct paxos_round round;
    struct paxos_commit_owner commit;
    struct env_timer timer;
    struct env_task task;
    struct paxos_members members; // Those that take part.
    size_t required;
    uint64_t deadline_ns;
    unsigned tries;
    struct ballot ballot;
    size_t yes_count, no_count, failed_count;  // Of the present round.
    bool has_fault;                            // Some of the failures are not only silence.
    struct paxos_proposal accepted, committed; // The newest that the promises told of.
    size_t committed_count;                    // How many of them have `committed`.
    struct paxos_proposal proposal;            // On its way.
    // Of proposals of ours that may be decided without us, the oldest first.
    struct ballot own_origins[OWN_ORIGINS_MAX];
    size_t own_count;
    size_t own_yes_count; // How many took the last of them, as far as we heard.
};

static void attempt_prepare(struct paxos_attempt *attempt);

// ---- The queue of a partition -------------------------------------------------------------------

// Statements of this node on one partition go one after another: they would only fight.
static bool attempt_is_same(const struct paxos_attempt *a, const struct paxos_attempt *b)
{
    return uuid_equals(a->cas->table->id, b->cas->table->id) &&
           slice_equals(a->cas->key.bytes, b->cas->key.bytes);
}

// True: nobody is before it.
static bool attempt_enqueue(struct paxos_attempt *attempt)
{
    struct slice key = attempt->cas->key.bytes;
    attempt->bucket = XXH3_64bits(key.data, key.size) % PAXOS_QUEUE_BUCKETS;
    struct paxos_attempt **place = &attempt->paxos->queues[attempt->bucket];
    bool is_first = true;
    for (; *place != NULL; place = &(*place)->next)
        if (attempt_is_same(*place, attempt)) is_first = false;
    *place = attempt;
    return is_first;
}

static struct paxos_attempt *attempt_dequeue(struct paxos_attempt *attempt)
{
    struct paxos_attempt **place = &attempt->paxos->queues[attempt->bucket];
    while (*place != attempt)
        place = &(*place)->next;
    *place = attempt->next;
    for (struct paxos_attempt *other = *place; other != NULL; other = other->next)
        if (attempt_is_same(other, attempt)) return other;
    return NULL;
}

// ---- The end ------------------------------------------------------------------------------------

static void attempt_free(struct paxos_attempt *attempt)
{
    paxos_commit_forget(&attempt->commit);
    attempt->cas->attempt = NULL;
    arena_deinit(&attempt->arena);
    free(attempt);
}

// Lets go of all it waits for, and of its place in the queue.
static void attempt_leave(struct paxos_attempt *attempt)
{
    struct paxos *paxos = attempt->paxos;
    paxos_round_cancel(&attempt->round);
    env_timer_stop(paxos->env, &attempt->timer);
    env_task_cancel(paxos->env, &attempt->task);
    if (attempt->state == ATTEMPT_REFUSED) return;
    bool was_queued = attempt->state == ATTEMPT_QUEUED;
    struct paxos_attempt *next = attempt_dequeue(attempt);
    if (next != NULL && !was_queued) attempt_prepare(next);
}

static void attempt_finish(struct paxos_attempt *attempt, enum coordinator_outcome outcome)
{
    struct paxos_cas *cas = attempt->cas;
    cas->result.outcome = outcome;
    if (outcome != COORDINATOR_OK && attempt->own_count > 0) {
        cas->is_uncertain = true;
        env_mark(attempt->paxos->env, ENV_MARK_PAXOS_UNCERTAIN);
    }
    attempt_leave(attempt);
    attempt_free(attempt);
    cas->done(cas, &cas->result);
}

static void attempt_time_out(struct paxos_attempt *attempt)
{
    env_mark(attempt->paxos->env, ENV_MARK_PAXOS_TIMED_OUT);
    size_t received = attempt->own_count > 0 ? attempt->own_yes_count : attempt->yes_count;
    attempt->cas->result.received = (int)received;
    attempt_finish(attempt, COORDINATOR_TIMED_OUT);
}

// ---- Contention ---------------------------------------------------------------------------------

static void attempt_backed_off(struct env_timer *timer)
{
    attempt_prepare(CONTAINER_OF(timer, struct paxos_attempt, timer));
}

static void attempt_back_off(struct paxos_attempt *attempt)
{
    struct env *env = attempt->paxos->env;
    uint64_t longest = BACKOFF_MAX_NS, now_ns = env_monotonic_ns(env);
    if (attempt->tries < 5) longest = BACKOFF_MIN_NS << attempt->tries;
    uint64_t delay_ns = longest / 2 + env_random_u64(env) % longest;
    attempt->tries++;
    paxos_round_cancel(&attempt->round);
    if (now_ns + delay_ns >= attempt->deadline_ns) {
        attempt_time_out(attempt);
        return;
    }
    attempt->state = ATTEMPT_BACKING_OFF;
    env_mark(env, ENV_MARK_PAXOS_BACKING_OFF);
    env_timer_start(env, &attempt->timer, delay_ns, attempt_backed_off);
}

// ---- Rounds -------------------------------------------------------------------------------------

static void attempt_answered(struct paxos_round *round, struct paxos_slot *slot, enum status status,
                             struct slice answer);

static void attempt_round_timed_out(struct paxos_round *round);

static void attempt_send(struct paxos_attempt *attempt, enum verb verb,
                         const struct paxos_proposal *proposal)
{
    struct paxos *paxos = attempt->paxos;
    const struct paxos_cas *cas = attempt->cas;
    attempt->yes_count = attempt->no_count = attempt->failed_count = 0;
    attempt->has_fault = false;
    attempt->round.answered = attempt_answered;
    attempt->round.timed_out = attempt_round_timed_out;
    struct buffer body;
    buffer_init(&body, TRANSPORT_MESSAGE_SIZE_MAX);
    paxos_put_request(&body, cas->table, &cas->key, proposal);
    paxos_round_start(paxos, &attempt->round, verb, attempt->members.items,
                      attempt->members.alive_count, buffer_slice(&body),
                      paxos->options.write_timeout_ns, &attempt->arena);
    buffer_deinit(&body);
}

static void attempt_prepare(struct paxos_attempt *attempt)
{
    attempt->state = ATTEMPT_PREPARING;
    env_timer_stop(attempt->paxos->env, &attempt->timer);
    attempt->accepted = attempt->committed = (struct paxos_proposal){0};
    attempt->committed_count = 0;
    attempt->ballot = paxos_next_ballot(attempt->paxos);
    struct paxos_proposal proposal = {.ballot = attempt->ballot, .change = slice_make("", 0)};
    attempt_send(attempt, VERB_PAXOS_PREPARE, &proposal);
}

static void attempt_send_proposal(struct paxos_attempt *attempt, enum attempt_state state)
{
    attempt->state = state;
    env_mark(attempt->paxos->env, ENV_MARK_PAXOS_PROPOSING);
    attempt_send(attempt, VERB_PAXOS_PROPOSE, &attempt->proposal);
}

static void attempt_commit(struct paxos_attempt *attempt, enum attempt_state state,
                           enum consistency consistency)
{
    attempt->state = state;
    env_mark(attempt->paxos->env, ENV_MARK_PAXOS_COMMITTING);
    paxos_commit_start(attempt->paxos, &attempt->commit, attempt->cas->table, &attempt->cas->key,
                       &attempt->proposal, consistency, state != ATTEMPT_REPAIRING);
}

// ---- Promised -----------------------------------------------------------------------------------

static void attempt_note_promise(struct paxos_attempt *attempt, const struct paxos_answer *answer)
{
    attempt->yes_count++;
    if (ballot_compare(answer->accepted.ballot, attempt->accepted.ballot) > 0) {
        attempt->accepted = answer->accepted;
        attempt->accepted.change = arena_copy(&attempt->arena, answer->accepted.change);
    }
    int order = ballot_compare(answer->committed.ballot, attempt->committed.ballot);
    if (order == 0) attempt->committed_count++;
    if (order <= 0) return;
    attempt->committed = answer->committed;
    attempt->committed.change = arena_copy(&attempt->arena, answer->committed.change);
    attempt->committed_count = 1;
}

static bool attempt_is_own(const struct paxos_attempt *attempt, struct ballot origin)
{
    for (size_t i = 0; i < attempt->own_count; i++)
        if (ballot_compare(attempt->own_origins[i], origin) == 0) return true;
    return false;
}

// What became of proposals of ours that may have been taken. True: the attempt goes on elsewhere.
static bool attempt_look_for_own(struct paxos_attempt *attempt)
{
    if (attempt->own_count == 0) return false;
    if (attempt_is_own(attempt, attempt->committed.origin)) {
        env_mark(attempt->paxos->env, ENV_MARK_PAXOS_FOUND_OWN);
        attempt->proposal = attempt->committed;
        attempt_commit(attempt, ATTEMPT_COMMITTING, attempt->cas->commit_consistency);
        return true;
    }
    if (ballot_compare(attempt->committed.ballot, attempt->own_origins[0]) > 0) {
        attempt_time_out(attempt);
        return true;
    }
    return false;
}

static void attempt_ready(struct paxos_attempt *attempt)
{
    struct paxos_cas *cas = attempt->cas;
    attempt->state = ATTEMPT_READY;
    cas->timestamp_us = attempt->ballot.time_us;
    cas->ready(cas);
}

static void attempt_promised(struct paxos_attempt *attempt)
{
    paxos_round_cancel(&attempt->round);
    if (attempt_look_for_own(attempt)) return;
    if (ballot_compare(attempt->accepted.ballot, attempt->committed.ballot) > 0 &&
        attempt->accepted.change.size > 0) {
        env_mark(attempt->paxos->env, ENV_MARK_PAXOS_FINISHING);
        attempt->proposal = attempt->accepted;
        attempt->proposal.ballot = attempt->ballot;
        bool is_own = attempt_is_own(attempt, attempt->accepted.origin);
        attempt_send_proposal(attempt, is_own ? ATTEMPT_PROPOSING : ATTEMPT_FINISHING);
        return;
    }
    if (!ballot_is_none(attempt->committed.ballot) &&
        attempt->committed_count < attempt->required) {
        env_mark(attempt->paxos->env, ENV_MARK_PAXOS_REPAIRING);
        attempt->proposal = attempt->committed;
        attempt_commit(attempt, ATTEMPT_REPAIRING, attempt->cas->read_consistency);
        return;
    }
    attempt_ready(attempt);
}

// ---- Accepted -----------------------------------------------------------------------------------

static void attempt_accepted(struct paxos_attempt *attempt)
{
    paxos_round_cancel(&attempt->round);
    attempt->own_count = 0;
    if (attempt->state == ATTEMPT_FINISHING)
        attempt_commit(attempt, ATTEMPT_FINISHING_COMMITTING, attempt->cas->read_consistency);
    else if (attempt->proposal.change.size == 0)
        attempt_finish(attempt, COORDINATOR_OK);
    else
        attempt_commit(attempt, ATTEMPT_COMMITTING, attempt->cas->commit_consistency);
}

// Others may propose faster than we finish what they proposed.
static void attempt_finished_other(struct paxos_attempt *attempt)
{
    if (env_monotonic_ns(attempt->paxos->env) >= attempt->deadline_ns)
        attempt_time_out(attempt);
    else
        attempt_prepare(attempt);
}

static void attempt_commit_done(struct paxos_commit_owner *owner,
                                const struct coordinator_result *result)
{
    struct paxos_attempt *attempt = CONTAINER_OF(owner, struct paxos_attempt, commit);
    struct paxos_cas *cas = attempt->cas;
    bool is_ok = result->outcome == COORDINATOR_OK;
    if (attempt->state == ATTEMPT_COMMITTING) {
        // It was decided: whatever happens to the commit, it is there.
        attempt->own_count = 0;
        cas->is_decided = true;
        cas->is_committing = !is_ok;
        if (!is_ok) cas->result = *result;
        attempt_finish(attempt, result->outcome);
    } else if (!is_ok) {
        attempt->yes_count = (size_t)result->received;
        attempt_time_out(attempt);
    } else if (attempt->state == ATTEMPT_REPAIRING) {
        attempt_ready(attempt);
    } else {
        attempt_finished_other(attempt);
    }
}

// ---- Answers ------------------------------------------------------------------------------------

static bool attempt_is_preparing(const struct paxos_attempt *attempt)
{
    return attempt->state == ATTEMPT_PREPARING;
}

// A proposal of ours that changes something, and that somebody took or may have taken.
static void attempt_note_own(struct paxos_attempt *attempt)
{
    if (attempt->state != ATTEMPT_PROPOSING || attempt->proposal.change.size == 0) return;
    attempt->own_yes_count = attempt->yes_count;
    if (attempt_is_own(attempt, attempt->proposal.origin)) return;
    ASSERT(attempt->own_count < OWN_ORIGINS_MAX);
    attempt->own_origins[attempt->own_count++] = attempt->proposal.origin;
}

// No quorum any more.
static void attempt_lost(struct paxos_attempt *attempt)
{
    size_t pending = attempt->round.pending_count;
    if (attempt->yes_count > 0 || attempt->failed_count > 0 || pending > 0) {
        // With nobody yet who took it, the last answers may say that nobody did.
        if (attempt->state == ATTEMPT_PROPOSING && attempt->yes_count == 0 &&
            attempt->failed_count == 0)
            return;
        attempt_note_own(attempt);
    }
    if (attempt->no_count > 0 && attempt->own_count < OWN_ORIGINS_MAX) {
        attempt_back_off(attempt);
    } else if (!attempt->has_fault) {
        attempt_time_out(attempt);
    } else {
        paxos_round_cancel(&attempt->round);
        attempt->cas->result.received = (int)attempt->yes_count;
        attempt->cas->result.failures = (int)attempt->failed_count;
        attempt_finish(attempt, COORDINATOR_FAILED);
    }
}

static void attempt_answered(struct paxos_round *round, struct paxos_slot *slot, enum status status,
                             struct slice bytes)
{
    struct paxos_attempt *attempt = CONTAINER_OF(round, struct paxos_attempt, round);
    struct paxos_answer answer;
    (void)slot;
    enum verb verb = attempt_is_preparing(attempt) ? VERB_PAXOS_PREPARE : VERB_PAXOS_PROPOSE;
    if (status != STATUS_OK || paxos_get_answer(bytes, verb, &answer) != STATUS_OK) {
        attempt->failed_count++;
        if (status != STATUS_TIMED_OUT && status != STATUS_CLOSED) attempt->has_fault = true;
    } else if (!answer.yes) {
        attempt->no_count++;
        paxos_saw_ballot(attempt->paxos, answer.promised);
    } else if (attempt_is_preparing(attempt)) {
        attempt_note_promise(attempt, &answer);
    } else {
        attempt->yes_count++;
    }
    if (attempt->yes_count >= attempt->required) {
        if (attempt_is_preparing(attempt))
            attempt_promised(attempt);
        else
            attempt_accepted(attempt);
    } else if (attempt->yes_count + round->pending_count < attempt->required) {
        attempt_lost(attempt);
    }
}

static void attempt_round_timed_out(struct paxos_round *round)
{
    struct paxos_attempt *attempt = CONTAINER_OF(round, struct paxos_attempt, round);
    attempt_note_own(attempt);
    attempt_time_out(attempt);
}

// ---- The beginning ------------------------------------------------------------------------------

static void attempt_refused(struct env_task *task)
{
    struct paxos_attempt *attempt = CONTAINER_OF(task, struct paxos_attempt, task);
    attempt_finish(attempt, attempt->cas->result.outcome);
}

static void attempt_waited(struct env_timer *timer)
{
    attempt_time_out(CONTAINER_OF(timer, struct paxos_attempt, timer));
}

// Whoever cannot be served is told before anything is sent.
static bool attempt_find_members(struct paxos_attempt *attempt)
{
    struct paxos *paxos = attempt->paxos;
    struct paxos_cas *cas = attempt->cas;
    bool only_local = cas->serial_consistency == CONSISTENCY_LOCAL_SERIAL;
    attempt->members =
        paxos_find_members(paxos, cas->table, cas->key.token, only_local, &attempt->arena);
    int required = consistency_required(cas->serial_consistency, attempt->members.factor);
    attempt->required = (size_t)required;
    cas->result = (struct coordinator_result){
        .outcome = COORDINATOR_OK,
        .consistency = cas->serial_consistency,
        .required = required,
        .alive = (int)attempt->members.alive_count,
    };
    if (attempt->members.factor == 0 || attempt->members.alive_count < attempt->required)
        cas->result.outcome = COORDINATOR_UNAVAILABLE;
    return cas->result.outcome == COORDINATOR_OK;
}

void paxos_cas_start(struct paxos *paxos, struct paxos_cas *cas)
{
    struct paxos_attempt *attempt = calloc(1, sizeof *attempt);
    ASSERT(attempt != NULL);
    env_mark(paxos->env, ENV_MARK_PAXOS_STARTED);
    attempt->paxos = paxos;
    attempt->cas = cas;
    attempt->commit.done = attempt_commit_done;
    attempt->deadline_ns = env_monotonic_ns(paxos->env) + paxos->options.contention_timeout_ns;
    arena_init(&attempt->arena, PAXOS_ARENA_BLOCK_SIZE);
    cas->attempt = attempt;
    cas->is_uncertain = cas->is_decided = cas->is_committing = false;
    cas->read_consistency = cas->serial_consistency == CONSISTENCY_LOCAL_SERIAL
                                ? CONSISTENCY_LOCAL_QUORUM
                                : CONSISTENCY_QUORUM;
    if (!attempt_find_members(attempt)) {
        attempt->state = ATTEMPT_REFUSED;
        env_task_post(paxos->env, &attempt->task, attempt_refused);
        return;
    }
    attempt->state = ATTEMPT_QUEUED;
    if (attempt_enqueue(attempt)) {
        attempt_prepare(attempt);
        return;
    }
    env_mark(paxos->env, ENV_MARK_PAXOS_QUEUED);
    env_timer_start(paxos->env, &attempt->timer, paxos->options.contention_timeout_ns,
                    attempt_waited);
}

static void attempt_encode(struct paxos_attempt *attempt, const struct mutation *mutations,
                           size_t count, struct buffer *change)
{
    struct buffer mutation;
    buffer_init(&mutation, PAXOS_CHANGE_SIZE_MAX);
    for (size_t i = 0; i < count; i++) {
        buffer_clear(&mutation);
        engine_put_record(&mutations[i], &mutation);
        if (mutation.overflow) change->overflow = true;
        buffer_put_vint_bytes(change, buffer_slice(&mutation));
    }
    buffer_deinit(&mutation);
    attempt->proposal = (struct paxos_proposal){
        .ballot = attempt->ballot,
        .origin = attempt->ballot,
        .change = arena_copy(&attempt->arena, buffer_slice(change)),
    };
}

void paxos_cas_propose(struct paxos_cas *cas, const struct mutation *mutations, size_t count)
{
    struct paxos_attempt *attempt = cas->attempt;
    ASSERT(attempt->state == ATTEMPT_READY);
    struct buffer change;
    buffer_init(&change, PAXOS_CHANGE_SIZE_MAX);
    attempt_encode(attempt, mutations, count, &change);
    bool overflow = change.overflow;
    buffer_deinit(&change);
    if (overflow) {
        cas->result.outcome = COORDINATOR_FAILED;
        env_task_post(attempt->paxos->env, &attempt->task, attempt_refused);
        return;
    }
    attempt_send_proposal(attempt, ATTEMPT_PROPOSING);
}

void paxos_cas_cancel(struct paxos_cas *cas)
{
    if (cas->attempt == NULL) return;
    cas->is_uncertain = cas->attempt->own_count > 0;
    attempt_leave(cas->attempt);
    attempt_free(cas->attempt);
}

void paxos_cas_abandon(struct paxos_cas *cas)
{
    if (cas->attempt == NULL) return;
    if (cas->attempt->state != ATTEMPT_REFUSED) (void)attempt_dequeue(cas->attempt);
    attempt_free(cas->attempt);
}

void paxos_drop_attempts(struct paxos *paxos)
{
    for (size_t i = 0; i < PAXOS_QUEUE_BUCKETS; i++) {
        while (paxos->queues[i] != NULL)
            paxos_cas_abandon(paxos->queues[i]->cas);
    }
}
