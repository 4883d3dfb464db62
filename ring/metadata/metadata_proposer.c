// The proposer: brings the values of this member, one at a time, to be chosen for the next number
// (Lamport, "Paxos Made Simple"), and tells the others what was.
//
//     IDLE --append--> PREPARING --majority promises--> ACCEPTING --majority accepts--> chosen:
//     IDLE
//      ^  \--the number before was ours--------------^      |
//      |                 \--refused, or no majority in time-/--> BACKING_OFF --time--> PREPARING
//      \--somebody else's value was chosen: the next number with ours
//
// Nobody waits for more than a majority: who is slow or dead is found by others.
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "ring/metadata/metadata_log_state.h"

#include <stdlib.h>

static void proposer_begin_round(struct metadata_log *log);

static void proposer_cancel_requests(struct metadata_log *log)
{
    if (log->messaging == NULL) return;
    for (uint16_t m = 0; m < log->member_count; m++)
        messaging_cancel(log->messaging, &log->proposer.requests[m].request);
}

static void proposer_end_round(struct metadata_log *log)
{
    struct log_proposer *proposer = &log->proposer;
    proposer_cancel_requests(log);
    env_timer_stop(log->env, &proposer->timer);
    log_value_unref(proposer->proposed);
    proposer->proposed = NULL;
    proposer->state = PROPOSER_IDLE;
}

static void proposer_pause_over(struct env_timer *timer)
{
    struct metadata_log *log = CONTAINER_OF(timer, struct metadata_log, proposer.timer);
    log->proposer.state = PROPOSER_IDLE;
    proposer_kick(log);
}

// The longer it goes on, the longer the pause: two who always meet would never end.
static void proposer_back_off(struct metadata_log *log)
{
    struct log_proposer *proposer = &log->proposer;
    proposer_end_round(log);
    if (proposer->backoff_ns == 0) proposer->backoff_ns = LOG_BACKOFF_MIN_NS;
    uint64_t most = proposer->backoff_ns * 8;
    uint64_t delay = proposer->backoff_ns + env_random_u64(log->env) % most;
    if (proposer->backoff_ns < LOG_BACKOFF_MAX_NS / 8) proposer->backoff_ns *= 2;
    proposer->state = PROPOSER_BACKING_OFF;
    env_mark(log->env, ENV_MARK_METADATA_BACKED_OFF);
    env_timer_start(log->env, &proposer->timer, delay, proposer_pause_over);
}

static void proposer_round_over(struct env_timer *timer)
{
    struct metadata_log *log = CONTAINER_OF(timer, struct metadata_log, proposer.timer);
    // A disk may be slow: the next round has more time, or none would ever end.
    if (log->proposer.round_timeout_ns < LOG_APPEND_TIMEOUT_NS) log->proposer.round_timeout_ns *= 2;
    proposer_back_off(log);
}

static void proposer_send(struct metadata_log *log, enum verb verb, struct slice body,
                          void (*done)(struct messaging_request *, enum status, struct slice))
{
    struct log_proposer *proposer = &log->proposer;
    proposer->agreed = proposer->refused = 0;
    for (uint16_t m = 0; m < log->member_count; m++)
        messaging_send(log->messaging, &proposer->requests[m].request, m, verb, body,
                       proposer->round_timeout_ns * 2, done);
    env_timer_start(log->env, &proposer->timer, proposer->round_timeout_ns, proposer_round_over);
}

// What an answer says is the same for both verbs but for AGREED.
static void proposer_note_refusal(struct metadata_log *log)
{
    if (++log->proposer.refused > log->member_count - log_majority(log)) proposer_back_off(log);
}

static void proposer_note_decided(struct metadata_log *log, uint16_t member, struct cursor *answer)
{
    uint64_t number = log->proposer.number;
    struct log_value *value = log_value_make(slice_make(answer->next, cursor_left(answer)));
    if (value != NULL) {
        log_learn(log, number, value, (struct ballot){0}); // Ends the round.
        log_value_unref(value);
        return;
    }
    catch_up_from(log, member, number);
    proposer_back_off(log);
}

// True: AGREED, and the rest of it is in `answer`.
static bool proposer_look_at(struct metadata_log *log, uint16_t member, enum status status,
                             struct cursor *answer)
{
    uint8_t kind = status == STATUS_OK ? cursor_u8(answer) : (uint8_t)ACCEPTOR_BEHIND;
    if (kind == ACCEPTOR_AGREED && !answer->failed) return true;
    if (kind == ACCEPTOR_DECIDED && !answer->failed) {
        proposer_note_decided(log, member, answer);
        return false;
    }
    if (kind == ACCEPTOR_REFUSED) {
        struct ballot promised = log_take_ballot(answer);
        if (ballot_compare(promised, log->proposer.highest_seen) > 0)
            log->proposer.highest_seen = promised;
    }
    proposer_note_refusal(log);
    return false;
}

// ---- ACCEPT -------------------------------------------------------------------------------------

static void proposer_accepted(struct messaging_request *request, enum status status,
                              struct slice bytes)
{
    struct metadata_log *log = CONTAINER_OF(request, struct log_peer_request, request)->log;
    struct log_proposer *proposer = &log->proposer;
    struct cursor answer = cursor_make(bytes);
    if (!proposer_look_at(log, request->member, status, &answer)) return;
    if (++proposer->agreed < log_majority(log)) return;
    struct log_value *value = log_value_ref(proposer->proposed);
    uint64_t number = proposer->number;
    struct ballot ballot = proposer->ballot;
    // Those who have not answered yet may still be told to accept: it is the same value.
    const struct log_slot *slot = acceptor_slot(log, number);
    bool is_ours = slot != NULL && ballot_compare(slot->accepted, ballot) == 0;
    proposer_commit(log, number, ballot);
    log_learn(log, number, value, is_ours ? ballot : (struct ballot){0});
    log_value_unref(value);
}

static void proposer_accept(struct metadata_log *log)
{
    struct log_proposer *proposer = &log->proposer;
    proposer->state = PROPOSER_ACCEPTING;
    struct buffer body;
    buffer_init(&body, LOG_VALUE_SIZE_MAX + 64);
    buffer_put_u64(&body, proposer->number);
    log_put_ballot(&body, proposer->ballot);
    buffer_put(&body, proposer->proposed->bytes.data, proposer->proposed->bytes.size);
    proposer_send(log, VERB_LOG_ACCEPT, buffer_slice(&body), proposer_accepted);
    buffer_deinit(&body);
}

// ---- PREPARE ------------------------------------------------------------------------------------

// A number that nobody has accepted anything for, and nothing of ours to propose: nothing is there
// to be finished.
static struct log_value *proposer_value(struct metadata_log *log)
{
    struct log_proposer *proposer = &log->proposer;
    if (!ballot_is_none(proposer->adopted)) return proposer->proposed;
    if (proposer->own != NULL) proposer->proposed = log_value_ref(proposer->own);
    return proposer->proposed;
}

static void proposer_promised(struct messaging_request *request, enum status status,
                              struct slice bytes)
{
    struct metadata_log *log = CONTAINER_OF(request, struct log_peer_request, request)->log;
    struct log_proposer *proposer = &log->proposer;
    struct cursor answer = cursor_make(bytes);
    if (!proposer_look_at(log, request->member, status, &answer)) return;
    if (cursor_left(&answer) > 0) {
        struct ballot accepted = log_take_ballot(&answer);
        struct log_value *value = log_value_make(slice_make(answer.next, cursor_left(&answer)));
        if (value == NULL || ballot_is_none(accepted)) { // Nothing that a member says.
            log_value_unref(value);
            proposer_note_refusal(log);
            return;
        }
        if (ballot_compare(accepted, proposer->adopted) > 0) {
            proposer->adopted = accepted;
            log_value_unref(proposer->proposed);
            proposer->proposed = log_value_ref(value);
        }
        log_value_unref(value);
    }
    if (++proposer->agreed < log_majority(log)) return;
    proposer_cancel_requests(log);
    if (proposer_value(log) == NULL) {
        proposer->wants_to_finish = false;
        proposer_end_round(log);
        survey_nothing_at(log, proposer->number);
        proposer_kick(log);
        return;
    }
    if (!ballot_is_none(proposer->adopted)) env_mark(log->env, ENV_MARK_METADATA_ADOPTED);
    proposer_accept(log);
}

// Of the wall clock, beyond all that we saw or made: never one twice. After a restart with a clock
// that went back it may be one of before; but if a majority promised it then, it refuses it now.
static struct ballot proposer_new_ballot(struct metadata_log *log)
{
    struct log_proposer *proposer = &log->proposer;
    const struct log_slot *slot = acceptor_slot(log, proposer->number);
    if (slot != NULL && ballot_compare(slot->promised, proposer->highest_seen) > 0)
        proposer->highest_seen = slot->promised;
    int64_t time_us = env_wall_us(log->env);
    if (time_us <= proposer->highest_seen.time_us) time_us = proposer->highest_seen.time_us + 1;
    if (time_us < 2) time_us = 2; // 1 is that of rounds without PREPARE.
    proposer->highest_seen = (struct ballot){time_us, log->self};
    return proposer->highest_seen;
}

static void proposer_prepare(struct metadata_log *log)
{
    struct log_proposer *proposer = &log->proposer;
    proposer->state = PROPOSER_PREPARING;
    proposer->ballot = proposer_new_ballot(log);
    env_mark(log->env, ENV_MARK_METADATA_PREPARED);
    struct buffer body;
    buffer_init(&body, 64);
    buffer_put_u64(&body, proposer->number);
    log_put_ballot(&body, proposer->ballot);
    proposer_send(log, VERB_LOG_PREPARE, buffer_slice(&body), proposer_promised);
    buffer_deinit(&body);
}

// ---- Rounds -------------------------------------------------------------------------------------

static void proposer_begin_round(struct metadata_log *log)
{
    struct log_proposer *proposer = &log->proposer;
    proposer->number = log->known + 1;
    proposer->adopted = (struct ballot){0};
    if (proposer->round_timeout_ns == 0) proposer->round_timeout_ns = LOG_ROUND_TIMEOUT_NS;
    bool is_fast = proposer->own != NULL && proposer->fast_number == proposer->number;
    proposer->fast_number = 0;
    if (!is_fast) {
        proposer_prepare(log);
        return;
    }
    env_mark(log->env, ENV_MARK_METADATA_FAST);
    proposer->ballot = (struct ballot){1, log->self};
    proposer->proposed = log_value_ref(proposer->own);
    proposer_accept(log);
}

void proposer_kick(struct metadata_log *log)
{
    struct log_proposer *proposer = &log->proposer;
    if (log->messaging == NULL || log->has_left) return;
    if (proposer->state != PROPOSER_IDLE || log_is_broken(log)) return;
    if (log->known + 2 > log->applied + LOG_WINDOW) return; // Goes on when more is applied.
    if (proposer->own == NULL) proposer->own = log_take_gathered(log);
    if (proposer->own == NULL && proposer->wants_to_finish &&
        env_monotonic_ns(log->env) > proposer->finish_deadline_ns)
        proposer->wants_to_finish = false; // No majority: later appends will.
    if (proposer->own == NULL && !proposer->wants_to_finish) return;
    proposer_begin_round(log);
}

void proposer_decided(struct metadata_log *log, uint64_t number, const struct log_value *value)
{
    struct log_proposer *proposer = &log->proposer;
    bool is_ours = proposer->own != NULL && value != NULL && log_value_equals(proposer->own, value);
    if (is_ours) {
        log_value_unref(proposer->own);
        proposer->own = NULL;
    }
    // Also a value of ours that nobody waits for any more gives the right: there is one such value
    // for the number, and we are its origin.
    bool is_of_this_life = value != NULL && value->origin == log->self && value->life == log->life;
    proposer->fast_number = is_of_this_life ? number + 1 : 0;
    if (proposer->number > number || proposer->state == PROPOSER_IDLE) return;
    proposer_end_round(log);
    proposer->backoff_ns = 0;
    proposer->round_timeout_ns = LOG_ROUND_TIMEOUT_NS;
}

void proposer_stop(struct metadata_log *log)
{
    struct log_proposer *proposer = &log->proposer;
    log_value_unref(proposer->own);
    proposer->own = NULL;
    if (proposer->state != PROPOSER_IDLE) proposer_end_round(log);
}

// ---- COMMIT -------------------------------------------------------------------------------------

static void proposer_send_commit(struct metadata_log *log, uint16_t member);

static void proposer_committed(struct messaging_request *request, enum status status,
                               struct slice bytes)
{
    struct metadata_log *log = CONTAINER_OF(request, struct log_peer_request, request)->log;
    struct log_peer *peer = &log->peers[request->member];
    struct cursor answer = cursor_make(bytes);
    uint64_t number = cursor_u64(&answer);
    peer->is_committing = false;
    if (status != STATUS_OK || answer.failed) return; // The tick tries again while somebody waits.
    if (number > peer->acknowledged) peer->acknowledged = number;
    proposer_send_commit(log, request->member);
    log_check_settled(log);
}

static void proposer_send_commit(struct metadata_log *log, uint16_t member)
{
    struct log_peer *peer = &log->peers[member];
    if (member == log->self || peer->is_committing || peer->is_down) return;
    if (peer->acknowledged >= log->commit_number) return;
    peer->is_committing = true;
    struct buffer body;
    buffer_init(&body, 64);
    buffer_put_u64(&body, log->commit_number);
    log_put_ballot(&body, log->commit_ballot);
    messaging_send(log->messaging, &peer->commit.request, member, VERB_LOG_COMMIT,
                   buffer_slice(&body), LOG_REQUEST_TIMEOUT_NS, proposer_committed);
    buffer_deinit(&body);
}

void proposer_retry_commits(struct metadata_log *log)
{
    for (uint16_t m = 0; log->messaging != NULL && m < log->member_count; m++)
        proposer_send_commit(log, m);
}

void proposer_commit(struct metadata_log *log, uint64_t number, struct ballot ballot)
{
    if (number <= log->commit_number) return;
    log->commit_number = number;
    log->commit_ballot = ballot;
    proposer_retry_commits(log);
}

void proposer_leave(struct metadata_log *log)
{
    proposer_stop(log);
    for (uint16_t m = 0; m < log->member_count; m++) {
        messaging_cancel(log->messaging, &log->peers[m].commit.request);
        log->peers[m].is_committing = false;
    }
}
