// The metadata log among its own files: what metadata_log.c (order, appends), metadata_acceptor.c
// (promises), metadata_proposer.c (agreement), metadata_catch_up.c (what was missed) and
// metadata_survey.c (whether anything was) share.
//
//     number:   applied          known                       applied + window
//     ----------|----------------|-----------------------------|
//     history   | chosen, to be  | promised, accepted, or      | answered BEHIND
//               | made durable   | chosen behind a gap         |
//
// Invariants. L1: what is applied is durable here as chosen, so that no data is ever written to a
// table that a start of this node would not know. L2: an answer to PREPARE or ACCEPT leaves after
// the sync of the promise it makes. L3: a value is proposed for number n + 1 only by who knows that
// another one was chosen for n, so it is chosen once at most. L4: a slot's value that is chosen
// never changes.
#ifndef RING_METADATA_LOG_STATE_H
#define RING_METADATA_LOG_STATE_H

#include "base/cursor.h"
#include "ring/liveness/liveness.h"
#include "ring/metadata/metadata_journal.h"
#include "ring/metadata/metadata_log.h"
#include "ring/paxos/ballot.h"
#include "ring/transport/messaging.h"

enum {
    LOG_WINDOW = 256,                // Numbers beyond `applied` that are looked at.
    LOG_HISTORY_MAX = 1024,          // Applied values kept for others to fetch, and their bytes.
    LOG_HISTORY_SIZE_MAX = 1 << 20,  // Who misses more gets the whole state.
    LOG_VALUE_SIZE_MAX = 8 << 20,    // Of one that is taken from others.
    LOG_SLOTS_SIZE_MAX = 24 << 20,   // Of all values that are not applied.
    LOG_VALUE_SIZE_WANTED = 1 << 20, // Appends that wait share a value up to here.
    LOG_FETCH_SIZE_MAX = 1 << 20,    // Of an answer to FETCH, unless one value alone is larger.
    LOG_FETCH_BODY_SIZE = 24,
    LOG_PENDING_MAX = 4096, // Answers that wait for a sync or for a number.
};

#define LOG_REQUEST_TIMEOUT_NS UINT64_C(1000000000)
#define LOG_APPEND_TIMEOUT_NS  UINT64_C(5000000000) // Without a majority, then TIMED_OUT.
#define LOG_SETTLE_TIMEOUT_NS  UINT64_C(1000000000) // How long an append waits for all who live.
#define LOG_TICK_NS            UINT64_C(25000000)
#define LOG_ROUND_TIMEOUT_NS   UINT64_C(300000000) // The first round's; each next one's doubles.
#define LOG_BACKOFF_MIN_NS     UINT64_C(1000000)   // After a lost duel: 1 to 8 ms, growing.
#define LOG_BACKOFF_MAX_NS     UINT64_C(256000000)

// Entries of the journal. The first is a record of a log with one member.
enum log_entry_kind { LOG_ENTRY_RECORD, LOG_ENTRY_PROMISE, LOG_ENTRY_ACCEPT, LOG_ENTRY_CHOSEN };

// What is agreed on for one number: records of one node, in order.
//
//     u16 origin | u64 life of it | u64 sequence in that life | uv count | vbytes record *
struct log_value {
    uint32_t references;
    uint16_t origin;
    uint64_t life, sequence;
    struct slice bytes; // The whole of it, behind this struct.
};
// NULL: it can not be read.
struct log_value *log_value_make(struct slice bytes);
struct log_value *log_value_ref(struct log_value *value);
void log_value_unref(struct log_value *value); // NULL is allowed.
bool log_value_equals(const struct log_value *a, const struct log_value *b);

// What this member, as an acceptor and as a learner, knows of a number that is not applied.
struct log_slot {
    uint64_t number; // 0: nothing.
    struct ballot promised, accepted;
    struct log_value *value; // The accepted or chosen one.
    bool is_chosen;
    bool chosen_by_ballot; // It is the one that we accepted: the journal has it.
    bool is_journaled;     // Its CHOSEN is on its way to the disk.
};

// Something that waits for a sync: an answer, or a chosen value to be applied.
struct log_pending {
    struct metadata_journal_entry entry;
    struct metadata_log *log;
    struct buffer bytes; // The entry's.
    uint64_t number;
    bool has_origin;
    struct message_origin origin;
    struct buffer answer;
    struct log_pending *next, **place;
};

enum proposer_state { PROPOSER_IDLE, PROPOSER_PREPARING, PROPOSER_ACCEPTING, PROPOSER_BACKING_OFF };

struct log_proposer {
    enum proposer_state state;
    uint64_t number;
    struct ballot ballot, highest_seen;
    struct log_value *own;      // Ours, not known to be chosen. NULL: none.
    struct log_value *proposed; // In this round: our own or one that was accepted already.
    struct ballot adopted;      // Under which.
    uint16_t agreed, refused;
    // The number before was of our own value: no other may have a lower ballot here than we, so
    // that the first round goes without PREPARE. Used once.
    uint64_t fast_number;
    bool wants_to_finish; // A number that was accepted and not heard of again.
    uint64_t finish_deadline_ns;
    uint64_t round_timeout_ns, backoff_ns;
    uint64_t next_sequence;
    struct env_timer timer;            // The round's end, or the pause's.
    struct log_peer_request *requests; // One for each member.
};

// A request to one member, who finds the log again.
struct log_peer_request {
    struct messaging_request request;
    struct metadata_log *log;
};

// A member as we see it.
struct log_peer {
    struct log_peer_request commit, survey;
    bool is_committing;
    bool is_down;          // Told by liveness; what is not known yet is not down.
    uint64_t acknowledged; // Has applied.
    uint64_t heard;        // Is said to be at.
    bool is_surveyed;      // By catch_up_all: its answer waits.
    bool has_answered;     // The last survey.
    uint64_t accepted;     // The newest that it is said to have accepted.
};

// A whole state on its way to another member, or to us.
struct log_state_copy {
    uint64_t number, total;
    struct buffer bytes;
    uint64_t until_ns;
};

struct log_fetch {
    struct log_peer_request request;
    bool is_active;
    uint16_t member;
    struct log_state_copy incoming;
    struct metadata_journal_state installing;
    bool installs;
};

// Who waits for a survey.
struct log_survey_wait {
    void (*done)(void *context);
    void *context;
    struct log_survey_wait *next;
};

// One at a time. Who comes while one is under way waits for the next: what members had answered
// before he asked tells him nothing.
struct log_survey {
    bool is_active;
    uint64_t timeout_ns; // The longest of those that wait.
    uint64_t nothing_at; // A majority promised here and none had accepted anything. 0: none yet.
    struct env_timer timer, finish_timer;
    struct log_survey_wait *waiting, *served, *ended;
    bool is_complete;     // The last one: a majority answered, and what they have is applied.
    struct env_task task; // Tells those of `ended`.
};

struct metadata_log {
    struct env *env;
    const struct metadata_log_events *events;
    void *context;
    struct metadata_journal *journal;
    uint16_t self, member_count;
    struct messaging *messaging; // NULL: not joined.
    struct liveness *liveness;
    bool has_left;
    struct message_handler prepare_handler, accept_handler, commit_handler, fetch_handler;
    struct liveness_listener liveness_listener;

    uint64_t applied;                  // Number of the newest applied record.
    uint64_t known;                    // All numbers up to here are known to be chosen.
    uint64_t life;                     // Random, of this start.
    struct log_slot slots[LOG_WINDOW]; // By number modulo the window.
    struct log_value **history;        // A ring: numbers (applied - count, applied].
    size_t history_count, history_size;

    struct log_pending *pending; // All that wait for the journal.
    struct log_pending *commits; // Answers to COMMIT that wait for a number.
    size_t pending_count;

    struct metadata_log_append *gathering, **gathering_end; // Not proposed.
    struct metadata_log_append *proposed, **proposed_end;   // Not applied.
    struct metadata_log_append *settling, **settling_end;   // Not heard of from all.
    struct env_timer tick;
    struct env_task expire_task;

    struct log_proposer proposer;
    struct log_peer *peers;
    uint64_t commit_number; // The newest that we tell others to apply.
    struct ballot commit_ballot;
    struct log_fetch fetch;
    struct log_survey survey;
    struct log_state_copy outgoing;

    void (*drained)(void *context); // Whom metadata_log_drain() was called for, or NULL.
    void *drained_context;
    bool is_draining_journal;
};

static inline uint16_t log_majority(const struct metadata_log *log)
{
    return (uint16_t)(log->member_count / 2 + 1);
}

static inline bool log_is_alone(const struct metadata_log *log)
{
    return log->member_count <= 1;
}

void log_put_ballot(struct buffer *buffer, struct ballot ballot);
// {0} when it is none that a proposer makes.
struct ballot log_take_ballot(struct cursor *cursor);

// ---- metadata_acceptor.c ------------------------------------------------------------------------

// The slot of a number in (applied, applied + window]; NULL elsewhere.
struct log_slot *acceptor_slot(struct metadata_log *log, uint64_t number);
void acceptor_slot_clear(struct log_slot *slot);
// Whether a value may be kept, what all slots have considered. The one that is applied next always.
bool acceptor_has_room(const struct metadata_log *log, uint64_t number,
                       const struct log_value *value);
// The newest number that has an accepted or chosen value here; at least what is known.
uint64_t acceptor_newest(const struct metadata_log *log);
// Verbs PREPARE and ACCEPT.
void acceptor_handle_prepare(struct message_handler *handler, const struct message *message);
void acceptor_handle_accept(struct message_handler *handler, const struct message *message);
// From the journal, and to it.
void acceptor_replay(struct metadata_log *log, unsigned kind, struct slice bytes);
void acceptor_carry(struct metadata_log *log, uint64_t number);
struct log_pending *log_pending_create(struct metadata_log *log, size_t size_max);
void log_pending_free(struct log_pending *pending);

// How an acceptor answers: u8, then what it says.
enum acceptor_answer {
    ACCEPTOR_AGREED,  // PREPARE: ballot accepted | value, or nothing behind. ACCEPT: nothing.
    ACCEPTOR_REFUSED, // The ballot that was promised.
    ACCEPTOR_DECIDED, // The number is chosen: its value, or nothing when we have forgotten it.
    ACCEPTOR_BEHIND,  // We know far less than the number.
};

// ---- metadata_proposer.c ------------------------------------------------------------------------

// Begins, if there is something to propose and nothing under way.
void proposer_kick(struct metadata_log *log);
// A number became known: a round for it is over.
void proposer_decided(struct metadata_log *log, uint64_t number, const struct log_value *value);
// Gives up what is under way: nobody waits for it any more.
void proposer_stop(struct metadata_log *log);
// Tells the others to apply `number`.
void proposer_commit(struct metadata_log *log, uint64_t number, struct ballot ballot);
void proposer_retry_commits(struct metadata_log *log);
void proposer_leave(struct metadata_log *log);

// ---- metadata_catch_up.c ------------------------------------------------------------------------

void catch_up_handle_commit(struct message_handler *handler, const struct message *message);
void catch_up_handle_fetch(struct message_handler *handler, const struct message *message);
// A member is said to be at `number`.
void catch_up_from(struct metadata_log *log, uint16_t member, uint64_t number);
// `applied` has moved.
void catch_up_moved(struct metadata_log *log);
// Asks for what is missed, if anybody has it and nobody is asked.
void catch_up_go_on(struct metadata_log *log);
void catch_up_put_fetch(const struct metadata_log *log, struct buffer *body);
// An answer to that, if it has values. False: nothing that a member says.
bool catch_up_take_answer(struct metadata_log *log, uint16_t member, struct slice bytes);
void catch_up_tick(struct metadata_log *log); // Frees a copy that nobody asks for any more.
void catch_up_leave(struct metadata_log *log);
void catch_up_free(struct metadata_log *log);

// ---- metadata_survey.c --------------------------------------------------------------------------

// Whether all is known that was asked for.
void survey_look(struct metadata_log *log);
// A majority has accepted nothing for this number, and nobody will under an older ballot.
void survey_nothing_at(struct metadata_log *log, uint64_t number);
void survey_leave(struct metadata_log *log);
void survey_free(struct metadata_log *log);

// ---- metadata_log.c -----------------------------------------------------------------------------

// `value` is chosen for `number`. `ballot`: under which, when it is the one that we accepted, else
// none. Nothing happens when it is known already.
void log_learn(struct metadata_log *log, uint64_t number, struct log_value *value,
               struct ballot ballot);
// The value of a number that is applied or chosen; NULL: not known (any more).
struct log_value *log_find_value(struct metadata_log *log, uint64_t number);
// Everything up to `number` came as a whole state.
void log_restored(struct metadata_log *log, uint64_t number);
void log_start_tick(struct metadata_log *log);
void log_check_settled(struct metadata_log *log);
// Takes appends that wait for a value of theirs; NULL when there are none.
struct log_value *log_take_gathered(struct metadata_log *log);
bool log_is_broken(const struct metadata_log *log);

#endif
