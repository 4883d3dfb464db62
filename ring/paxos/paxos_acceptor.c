// An acceptor's work on one request.
//
//     STARTED --read, changed or refused--> SYNCING --durable--> answered
//        \--miss--> LOADING --loaded--> STARTED
//
// Reading the state and changing it are one turn of the loop (invariant 8).
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "ring/paxos/paxos_internal.h"

#include <stdlib.h>

struct paxos_acceptance {
    struct paxos *paxos;
    struct paxos_acceptance *next, **place;
    enum verb verb;
    struct paxos_place where;
    struct paxos_proposal proposal;
    struct arena arena; // Of the request.
    struct arena scratch;
    struct read_pins pins;
    struct engine_load load;
    struct commit_log_waiter waiter;
    struct env_task task;
    uint64_t position;
    bool is_loading, is_dropped; // Dropped while it loads: the load's end frees it.
    enum status status;
    struct buffer answer;
    void (*done)(void *context, enum status status, struct slice answer);
    void *context;
    struct message_origin origin; // Of a message: then there is no `done`.
    uint16_t from;
    bool is_message;
};

// ---- Bytes --------------------------------------------------------------------------------------

void paxos_put_request(struct buffer *body, const struct table *table,
                       const struct partition_key *key, const struct paxos_proposal *proposal)
{
    uuid_put(body, table->id);
    buffer_put_vint_bytes(body, key->bytes);
    paxos_state_put_proposal(body, proposal);
}

static bool paxos_ballot_is_valid(struct ballot ballot)
{
    return ballot.time_us > 0 && ballot.time_us < PAXOS_TIME_MAX_US;
}

static enum status acceptor_get_request(struct paxos_acceptance *acceptance, struct slice body)
{
    struct cursor bytes = cursor_make(arena_copy(&acceptance->arena, body));
    acceptance->where.table = uuid_take(&bytes);
    acceptance->where.paxos = acceptance->paxos->options.table;
    acceptance->where.key = cursor_vint_bytes(&bytes);
    acceptance->proposal = paxos_state_get_proposal(&bytes);
    if (bytes.failed || cursor_left(&bytes) > 0 || acceptance->where.key.size == 0 ||
        acceptance->where.key.size > KEY_SIZE_MAX ||
        !paxos_ballot_is_valid(acceptance->proposal.ballot))
        return STATUS_MALFORMED;
    return STATUS_OK;
}

static void acceptor_put_answer(struct paxos_acceptance *acceptance, bool yes,
                                const struct paxos_state *state)
{
    struct buffer *answer = &acceptance->answer;
    buffer_put_u8(answer, yes);
    paxos_state_put_ballot(answer, state->promised);
    if (acceptance->verb != VERB_PAXOS_PREPARE || !yes) return;
    paxos_state_put_proposal(answer, &state->accepted);
    paxos_state_put_proposal(answer, &state->committed);
}

enum status paxos_get_answer(struct slice bytes, enum verb verb, struct paxos_answer *answer)
{
    struct cursor cursor = cursor_make(bytes);
    *answer = (struct paxos_answer){0};
    answer->yes = cursor_u8(&cursor) != 0;
    answer->promised = paxos_state_get_ballot(&cursor);
    if (verb == VERB_PAXOS_PREPARE && answer->yes) {
        answer->accepted = paxos_state_get_proposal(&cursor);
        answer->committed = paxos_state_get_proposal(&cursor);
    }
    return cursor.failed || cursor_left(&cursor) > 0 ? STATUS_MALFORMED : STATUS_OK;
}

// ---- The end ------------------------------------------------------------------------------------

static void acceptor_unlink(struct paxos_acceptance *acceptance)
{
    *acceptance->place = acceptance->next;
    if (acceptance->next != NULL) acceptance->next->place = acceptance->place;
    acceptance->paxos->acceptance_count--;
}

static void acceptor_free(struct paxos_acceptance *acceptance)
{
    read_pins_release(&acceptance->pins);
    arena_deinit(&acceptance->arena);
    arena_deinit(&acceptance->scratch);
    buffer_deinit(&acceptance->answer);
    free(acceptance);
}

static void acceptor_end(struct paxos_acceptance *acceptance)
{
    struct slice answer =
        acceptance->status == STATUS_OK ? buffer_slice(&acceptance->answer) : slice_make("", 0);
    struct messaging *messaging = paxos_messaging(acceptance->paxos);
    if (acceptance->is_message && messaging != NULL)
        messaging_answer(messaging, acceptance->origin, acceptance->status, answer);
    else if (acceptance->done != NULL)
        acceptance->done(acceptance->context, acceptance->status, answer);
    acceptor_unlink(acceptance);
    acceptor_free(acceptance);
}

static void acceptor_task_run(struct env_task *task)
{
    acceptor_end(CONTAINER_OF(task, struct paxos_acceptance, task));
}

static void acceptor_end_later(struct paxos_acceptance *acceptance, enum status status)
{
    acceptance->status = status;
    env_task_post(acceptance->paxos->env, &acceptance->task, acceptor_task_run);
}

static void acceptor_synced(struct commit_log_waiter *waiter, enum status status)
{
    struct paxos_acceptance *acceptance = CONTAINER_OF(waiter, struct paxos_acceptance, waiter);
    acceptance->status = status;
    acceptor_end(acceptance);
}

// ---- One request --------------------------------------------------------------------------------

// Every record of the change is a mutation of the request's own partition.
static enum status acceptor_check_change(struct paxos_acceptance *acceptance,
                                         const struct table *table)
{
    struct cursor bytes = cursor_make(acceptance->proposal.change);
    while (cursor_left(&bytes) > 0) {
        struct slice record = cursor_vint_bytes(&bytes);
        struct mutation mutation;
        struct uuid id;
        if (bytes.failed || record.size == 0) return STATUS_MALFORMED;
        struct slice encoded = slice_make(record.data + 1, record.size - 1); // Behind its kind.
        if (mutation_decode_table_id(encoded, &id) != STATUS_OK || !uuid_equals(id, table->id) ||
            mutation_decode(encoded, table, &acceptance->scratch, &mutation, NULL) != STATUS_OK ||
            !slice_equals(mutation.key.bytes, acceptance->where.key))
            return STATUS_MALFORMED;
    }
    return STATUS_OK;
}

static enum status acceptor_apply_change(struct paxos_acceptance *acceptance)
{
    struct cursor bytes = cursor_make(acceptance->proposal.change);
    enum status status = STATUS_OK;
    while (cursor_left(&bytes) > 0 && status == STATUS_OK)
        status = engine_apply_record(acceptance->paxos->options.engine, cursor_vint_bytes(&bytes),
                                     &acceptance->position);
    return status;
}

static enum status acceptor_store(struct paxos_acceptance *acceptance, enum paxos_part part,
                                  int32_t now_s)
{
    const struct paxos_options *options = &acceptance->paxos->options;
    const struct table *table = schema_find_table_by_id(options->schema, acceptance->where.table);
    return paxos_state_store(options->engine, &acceptance->where, part, &acceptance->proposal,
                             now_s, table == NULL ? 0 : table->params.gc_grace_seconds,
                             &acceptance->scratch, &acceptance->position);
}

// The change itself goes into the log before it is noted as committed: no crash leaves the note
// alone. One that is older than what is noted is applied too (its timestamps are its ballot's): it
// may be of other cells, and whoever hears of us counts us among those that have it.
static enum status acceptor_commit(struct paxos_acceptance *acceptance,
                                   const struct paxos_state *state, int32_t now_s)
{
    const struct paxos_options *options = &acceptance->paxos->options;
    int order = ballot_compare(acceptance->proposal.ballot, state->committed.ballot);
    if (order == 0) return STATUS_OK;
    const struct table *table = schema_find_table_by_id(options->schema, acceptance->where.table);
    // That of a table that was dropped is not applied any more.
    enum status status = table == NULL ? STATUS_OK : acceptor_check_change(acceptance, table);
    if (table != NULL && status == STATUS_OK) status = acceptor_apply_change(acceptance);
    if (status != STATUS_OK || order < 0) return status;
    return acceptor_store(acceptance, PAXOS_PART_COMMIT, now_s);
}

// What the state lets us do; `*yes` is the answer.
static enum status acceptor_decide(struct paxos_acceptance *acceptance, struct paxos_state *state,
                                   int32_t now_s, bool *yes)
{
    struct ballot ballot = acceptance->proposal.ballot;
    enum status status;
    switch (acceptance->verb) {
    case VERB_PAXOS_PREPARE:
        *yes = ballot_may_promise(state->promised, ballot);
        if (!*yes) return STATUS_OK;
        status = acceptor_store(acceptance, PAXOS_PART_PROMISE, now_s);
        state->promised = ballot;
        return status;
    case VERB_PAXOS_PROPOSE:
        *yes = ballot_may_accept(state->promised, ballot);
        return *yes ? acceptor_store(acceptance, PAXOS_PART_PROPOSAL, now_s) : STATUS_OK;
    case VERB_PAXOS_COMMIT:
        *yes = true;
        return acceptor_commit(acceptance, state, now_s);
    default:
        return STATUS_UNSUPPORTED;
    }
}

static void acceptor_loaded(struct engine_load *load, enum status status);

static void acceptor_step(struct paxos_acceptance *acceptance)
{
    struct paxos *paxos = acceptance->paxos;
    struct engine *engine = paxos->options.engine;
    int32_t now_s = (int32_t)(env_wall_us(paxos->env) / 1000000);
    struct paxos_state state;
    arena_reset(&acceptance->scratch);
    enum status status = paxos_state_load(engine, &acceptance->where, now_s, &acceptance->pins,
                                          &acceptance->scratch, &state, &acceptance->position);
    if (status == STATUS_WOULD_BLOCK) {
        env_mark(paxos->env, ENV_MARK_PAXOS_LOADING);
        acceptance->is_loading = true;
        engine_load(engine, &acceptance->load, &acceptance->pins, acceptor_loaded);
        return;
    }
    bool yes = false;
    if (status == STATUS_OK) status = acceptor_decide(acceptance, &state, now_s, &yes);
    if (status != STATUS_OK) {
        acceptor_end_later(acceptance, status);
        return;
    }
    acceptor_put_answer(acceptance, yes, &state);
    if (acceptance->answer.overflow) {
        acceptor_end_later(acceptance, STATUS_OVERLOADED);
        return;
    }
    if (!yes) env_mark(paxos->env, ENV_MARK_PAXOS_REFUSED);
    // A refusal too: the promise that it goes by has to outlive a crash, or the same proposal is
    // taken when it comes again, and its proposer holds it for dead.
    engine_wait_durable(engine, &acceptance->waiter, acceptance->position, acceptor_synced);
}

static void acceptor_loaded(struct engine_load *load, enum status status)
{
    struct paxos_acceptance *acceptance = CONTAINER_OF(load, struct paxos_acceptance, load);
    acceptance->is_loading = false;
    if (acceptance->is_dropped) {
        acceptor_free(acceptance);
    } else if (status == STATUS_OK) {
        acceptor_step(acceptance);
    } else {
        acceptance->status = status;
        acceptor_end(acceptance);
    }
}

static struct paxos_acceptance *acceptor_make(struct paxos *paxos, enum verb verb)
{
    struct paxos_acceptance *acceptance = calloc(1, sizeof *acceptance);
    ASSERT(acceptance != NULL);
    acceptance->paxos = paxos;
    acceptance->verb = verb;
    acceptance->next = paxos->acceptances;
    acceptance->place = &paxos->acceptances;
    if (acceptance->next != NULL) acceptance->next->place = &acceptance->next;
    paxos->acceptances = acceptance;
    paxos->acceptance_count++;
    arena_init(&acceptance->arena, PAXOS_ARENA_BLOCK_SIZE);
    arena_init(&acceptance->scratch, PAXOS_ARENA_BLOCK_SIZE);
    buffer_init(&acceptance->answer, TRANSPORT_MESSAGE_SIZE_MAX);
    read_pins_init(&acceptance->pins);
    return acceptance;
}

// A ballot is in one PREPARE and one PROPOSE to each member. A COMMIT may be sent again, and is
// answered again.
static bool acceptor_is_doubled(const struct paxos_acceptance *acceptance)
{
    const struct request_name name = {.run = (uint64_t)acceptance->proposal.ballot.time_us,
                                      .number = acceptance->verb,
                                      .member = acceptance->from};
    return acceptance->is_message && acceptance->verb != VERB_PAXOS_COMMIT &&
           seen_requests_add(&acceptance->paxos->seen, name);
}

static void acceptor_begin(struct paxos_acceptance *acceptance, struct slice body)
{
    struct paxos *paxos = acceptance->paxos;
    enum status status = paxos->acceptance_count > PAXOS_ACCEPTANCES_MAX
                             ? STATUS_OVERLOADED
                             : acceptor_get_request(acceptance, body);
    if (status != STATUS_OK) {
        acceptor_end_later(acceptance, status);
    } else if (acceptor_is_doubled(acceptance)) {
        env_mark(paxos->env, ENV_MARK_PAXOS_DOUBLED);
        acceptor_unlink(acceptance);
        acceptor_free(acceptance);
    } else {
        acceptor_step(acceptance);
    }
}

struct paxos_acceptance *
paxos_accept(struct paxos *paxos, enum verb verb, struct slice body,
             void (*done)(void *context, enum status status, struct slice answer), void *context)
{
    struct paxos_acceptance *acceptance = acceptor_make(paxos, verb);
    acceptance->done = done;
    acceptance->context = context;
    acceptor_begin(acceptance, body);
    return acceptance;
}

void paxos_handle(struct message_handler *handler, const struct message *message)
{
    size_t index = (size_t)message->verb - VERB_PAXOS_PREPARE;
    struct paxos *paxos = CONTAINER_OF(handler - index, struct paxos, handlers[0]);
    struct paxos_acceptance *acceptance = acceptor_make(paxos, message->verb);
    acceptance->is_message = true;
    acceptance->origin = message->origin;
    acceptance->from = message->from;
    acceptor_begin(acceptance, message->body);
}

void paxos_acceptance_forget(struct paxos_acceptance *acceptance)
{
    acceptance->done = NULL;
}

void paxos_acceptance_drop(struct paxos_acceptance *acceptance, bool is_crash)
{
    struct paxos *paxos = acceptance->paxos;
    acceptor_unlink(acceptance);
    if (!is_crash && acceptance->is_loading) {
        acceptance->is_dropped = true;
        return;
    }
    if (!is_crash) {
        env_task_cancel(paxos->env, &acceptance->task);
        engine_cancel_wait(paxos->options.engine, &acceptance->waiter);
    }
    acceptor_free(acceptance);
}
