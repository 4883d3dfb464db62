// What a member missed: COMMIT says what was chosen, FETCH brings values that did not come, or the
// whole state when the others have forgotten them.
//
//     COMMIT   u64 number | ballot under which it was chosen
//              answered when it is applied: u64 number that is applied
//     FETCH    u64 known | u64 number of the state that is being copied, 0: none | u64 offset
//              head | u64 first number | vbytes value *
//              head | u64 number of the state | u64 its size | u64 offset | piece
//     head = u8 1 or 2 | u64 known to the answerer | u64 newest number that it accepted
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "ring/metadata/metadata_log_state.h"

#include <stdlib.h>

enum { FETCHED_VALUES = 1, FETCHED_STATE };

#define STATE_COPY_KEPT_NS UINT64_C(10000000000)

// ---- COMMIT -------------------------------------------------------------------------------------

static void answer_applied(struct metadata_log *log, struct message_origin origin)
{
    uint8_t body[8];
    bytes_put_u64(body, log->applied);
    messaging_answer(log->messaging, origin, STATUS_OK, slice_make(body, sizeof body));
}

static void wait_for_number(struct metadata_log *log, uint64_t number, struct message_origin origin)
{
    struct log_pending *pending = log_pending_create(log, 1);
    // It waits for no sync of its own: in the other list.
    *pending->place = pending->next;
    if (pending->next != NULL) pending->next->place = pending->place;
    pending->next = log->commits;
    pending->place = &log->commits;
    if (pending->next != NULL) pending->next->place = &pending->next;
    log->commits = pending;
    pending->number = number;
    pending->origin = origin;
}

void catch_up_handle_commit(struct message_handler *handler, const struct message *message)
{
    struct metadata_log *log = CONTAINER_OF(handler, struct metadata_log, commit_handler);
    struct cursor body = cursor_make(message->body);
    uint64_t number = cursor_u64(&body);
    struct ballot ballot = log_take_ballot(&body);
    if (body.failed || message->from >= log->member_count) {
        messaging_answer(log->messaging, message->origin, STATUS_MALFORMED, slice_make("", 0));
        return;
    }
    if (number <= log->applied) {
        answer_applied(log, message->origin);
        return;
    }
    if (log_is_broken(log) || log->pending_count >= LOG_PENDING_MAX) {
        messaging_answer(log->messaging, message->origin, STATUS_OVERLOADED, slice_make("", 0));
        return;
    }
    wait_for_number(log, number, message->origin);
    struct log_slot *slot = acceptor_slot(log, number);
    if (slot != NULL && slot->value != NULL && !ballot_is_none(ballot) &&
        ballot_compare(slot->accepted, ballot) == 0)
        log_learn(log, number, slot->value, ballot);
    if (log->known < number) catch_up_from(log, message->from, number);
}

static void answer_commits(struct metadata_log *log)
{
    for (struct log_pending *pending = log->commits, *next; pending != NULL; pending = next) {
        next = pending->next;
        if (pending->number > log->applied) continue;
        if (log->messaging != NULL) answer_applied(log, pending->origin);
        log_pending_free(pending);
    }
}

// ---- FETCH: the one who is asked ----------------------------------------------------------------

static void put_head(const struct metadata_log *log, uint8_t kind, struct buffer *answer)
{
    buffer_put_u8(answer, kind);
    buffer_put_u64(answer, log->known);
    buffer_put_u64(answer, acceptor_newest(log));
}

static void put_values(struct metadata_log *log, uint64_t first, struct buffer *answer)
{
    put_head(log, FETCHED_VALUES, answer);
    buffer_put_u64(answer, first);
    size_t head_size = answer->size;
    for (uint64_t n = first; n <= log->known; n++) {
        const struct log_value *value = log_find_value(log, n);
        if (value == NULL) break;
        if (answer->size > head_size && answer->size + value->bytes.size > LOG_FETCH_SIZE_MAX)
            break;
        buffer_put_vint_bytes(answer, value->bytes);
    }
}

// Whether who begins to copy may have what another one is being sent.
static bool copy_is_useful(struct metadata_log *log)
{
    uint64_t number = log->outgoing.number;
    return number > 0 && (number == log->applied || log_find_value(log, number + 1) != NULL);
}

static void put_state_piece(struct metadata_log *log, uint64_t number, uint64_t offset,
                            struct buffer *answer)
{
    struct log_state_copy *copy = &log->outgoing;
    if (number != copy->number || offset > copy->total) offset = 0;
    if (offset == 0 && !copy_is_useful(log)) {
        buffer_deinit(&copy->bytes);
        buffer_init(&copy->bytes, METADATA_LOG_SIZE_MAX);
        log->events->snapshot(log->context, &copy->bytes);
        ASSERT(!copy->bytes.overflow); // The limits of schema and jobs keep it below.
        copy->number = log->applied;
        copy->total = copy->bytes.size;
    }
    copy->until_ns = env_monotonic_ns(log->env) + STATE_COPY_KEPT_NS;
    log_start_tick(log);
    size_t size = (size_t)(copy->total - offset);
    if (size > LOG_FETCH_SIZE_MAX) size = LOG_FETCH_SIZE_MAX;
    put_head(log, FETCHED_STATE, answer);
    buffer_put_u64(answer, copy->number);
    buffer_put_u64(answer, copy->total);
    buffer_put_u64(answer, offset);
    buffer_put(answer, copy->bytes.data + offset, size);
}

void catch_up_handle_fetch(struct message_handler *handler, const struct message *message)
{
    struct metadata_log *log = CONTAINER_OF(handler, struct metadata_log, fetch_handler);
    struct cursor body = cursor_make(message->body);
    uint64_t known = cursor_u64(&body);
    uint64_t number = cursor_u64(&body);
    uint64_t offset = cursor_u64(&body);
    if (body.failed || message->from >= log->member_count) {
        messaging_answer(log->messaging, message->origin, STATUS_MALFORMED, slice_make("", 0));
        return;
    }
    struct buffer answer;
    buffer_init(&answer, LOG_VALUE_SIZE_MAX + LOG_FETCH_SIZE_MAX);
    // Numbers that we have all of, but for their values.
    if (known < log->applied && log_find_value(log, known + 1) == NULL)
        put_state_piece(log, number, offset, &answer);
    else
        put_values(log, known + 1, &answer);
    messaging_answer(log->messaging, message->origin, STATUS_OK, buffer_slice(&answer));
    buffer_deinit(&answer);
    catch_up_from(log, message->from, known); // It may know more than we.
}

// ---- FETCH: the one who asks --------------------------------------------------------------------

static void forget_incoming(struct metadata_log *log)
{
    buffer_deinit(&log->fetch.incoming.bytes);
    log->fetch.incoming = (struct log_state_copy){0};
}

static void state_is_durable(struct metadata_journal_state *state, enum status status)
{
    struct metadata_log *log = CONTAINER_OF(state, struct metadata_log, fetch.installing);
    log->fetch.installs = false;
    if (status == STATUS_OK) {
        env_mark(log->env, ENV_MARK_METADATA_STATE_TAKEN);
        status = log->events->restore(log->context, state->bytes, NULL);
        ASSERT(status == STATUS_OK); // It was checked before it was written.
        log_restored(log, state->number);
    }
    forget_incoming(log);
    catch_up_go_on(log);
}

// The state goes to the disk first, as records do.
static void install_state(struct metadata_log *log)
{
    struct log_state_copy *incoming = &log->fetch.incoming;
    struct slice bytes = buffer_slice(&incoming->bytes);
    if (incoming->number <= log->known || log_is_broken(log) ||
        log->events->check(log->context, bytes, NULL) != STATUS_OK) {
        forget_incoming(log);
        return;
    }
    log->fetch.installing = (struct metadata_journal_state){
        .done = state_is_durable, .number = incoming->number, .bytes = bytes};
    log->fetch.installs = true;
    metadata_journal_replace(log->journal, &log->fetch.installing);
}

static bool take_state_piece(struct metadata_log *log, struct cursor *answer)
{
    struct log_state_copy *incoming = &log->fetch.incoming;
    uint64_t number = cursor_u64(answer);
    uint64_t total = cursor_u64(answer);
    uint64_t offset = cursor_u64(answer);
    if (answer->failed || log->fetch.installs || total > METADATA_LOG_SIZE_MAX) return false;
    if (number != incoming->number) {
        if (offset != 0) return false;
        forget_incoming(log);
        buffer_init(&incoming->bytes, METADATA_LOG_SIZE_MAX);
        incoming->number = number;
        incoming->total = total;
    }
    size_t size = cursor_left(answer);
    if (total != incoming->total || offset != incoming->bytes.size || size > total - offset ||
        (size == 0 && total > 0))
        return false;
    buffer_put(&incoming->bytes, answer->next, size);
    if (incoming->bytes.size == incoming->total) install_state(log);
    return true;
}

static bool take_values(struct metadata_log *log, struct cursor *answer)
{
    uint64_t number = cursor_u64(answer);
    uint64_t before = log->known;
    while (cursor_left(answer) > 0) {
        struct log_value *value = log_value_make(cursor_vint_bytes(answer));
        if (value == NULL) return false;
        log_learn(log, number++, value, (struct ballot){0});
        log_value_unref(value);
    }
    if (log->known > before) env_mark(log->env, ENV_MARK_METADATA_FETCHED);
    return log->known > before;
}

// Notes what the member is at. False: nothing that a member says.
static bool take_head(struct metadata_log *log, uint16_t member, struct cursor *answer,
                      uint8_t *kind)
{
    *kind = cursor_u8(answer);
    uint64_t known = cursor_u64(answer);
    uint64_t accepted = cursor_u64(answer);
    if (answer->failed) return false;
    log->peers[member].heard = known;
    log->peers[member].accepted = accepted;
    return true;
}

bool catch_up_take_answer(struct metadata_log *log, uint16_t member, struct slice bytes)
{
    struct cursor answer = cursor_make(bytes);
    uint8_t kind;
    if (!take_head(log, member, &answer, &kind)) return false;
    if (log->peers[member].heard > log->known && kind == FETCHED_VALUES)
        (void)!take_values(log, &answer);
    return true;
}

// False: it did not bring us on.
static bool take_fetched(struct metadata_log *log, uint16_t member, struct slice bytes)
{
    struct cursor answer = cursor_make(bytes);
    uint8_t kind;
    if (!take_head(log, member, &answer, &kind)) return false;
    if (log->peers[member].heard <= log->known) return true;
    if (kind == FETCHED_VALUES) return take_values(log, &answer);
    return kind == FETCHED_STATE && take_state_piece(log, &answer);
}

static void fetched(struct messaging_request *request, enum status status, struct slice bytes)
{
    struct metadata_log *log = CONTAINER_OF(request, struct log_peer_request, request)->log;
    log->fetch.is_active = false;
    if (status != STATUS_OK || !take_fetched(log, log->fetch.member, bytes)) {
        // Whoever speaks next will say again that it is ahead.
        log->peers[log->fetch.member].heard = 0;
        if (!log->fetch.installs) forget_incoming(log);
    }
    catch_up_go_on(log);
}

void catch_up_put_fetch(const struct metadata_log *log, struct buffer *body)
{
    buffer_put_u64(body, log->known);
    buffer_put_u64(body, log->fetch.incoming.number);
    buffer_put_u64(body, log->fetch.incoming.bytes.size);
}

// One at a time, from a member that has what we miss; the one that was asked last goes on.
void catch_up_go_on(struct metadata_log *log)
{
    survey_look(log);
    struct log_fetch *fetch = &log->fetch;
    if (log->messaging == NULL || fetch->is_active || fetch->installs || log_is_broken(log)) return;
    if (log->known > log->applied + LOG_WINDOW / 2) return; // catch_up_moved() goes on.
    uint16_t member = fetch->member;
    for (uint16_t i = 0; log->peers[member].heard <= log->known; i++) {
        if (i == log->member_count) return;
        member = (uint16_t)((member + 1) % log->member_count);
    }
    if (member != fetch->member) forget_incoming(log);
    fetch->member = member;
    fetch->is_active = true;
    struct buffer body;
    buffer_init(&body, LOG_FETCH_BODY_SIZE);
    catch_up_put_fetch(log, &body);
    messaging_send(log->messaging, &fetch->request.request, member, VERB_LOG_FETCH,
                   buffer_slice(&body), LOG_REQUEST_TIMEOUT_NS, fetched);
    buffer_deinit(&body);
}

void catch_up_from(struct metadata_log *log, uint16_t member, uint64_t number)
{
    if (log->messaging == NULL || member >= log->member_count || member == log->self) return;
    if (number <= log->known) return;
    if (number > log->peers[member].heard) log->peers[member].heard = number;
    catch_up_go_on(log);
}

void catch_up_moved(struct metadata_log *log)
{
    answer_commits(log);
    if (log->messaging != NULL) messaging_log_moved(log->messaging);
    catch_up_go_on(log);
}

void metadata_log_catch_up(struct metadata_log *log, uint16_t member, uint64_t number)
{
    if (!log_is_alone(log)) catch_up_from(log, member, number);
}

// ---- The end ------------------------------------------------------------------------------------

void catch_up_tick(struct metadata_log *log)
{
    if (log->outgoing.number == 0) return;
    if (env_monotonic_ns(log->env) > log->outgoing.until_ns) {
        buffer_deinit(&log->outgoing.bytes);
        log->outgoing = (struct log_state_copy){0};
    } else {
        log_start_tick(log);
    }
}

void catch_up_leave(struct metadata_log *log)
{
    messaging_cancel(log->messaging, &log->fetch.request.request);
    log->fetch.is_active = false;
    while (log->commits != NULL)
        log_pending_free(log->commits);
}

void catch_up_free(struct metadata_log *log)
{
    while (log->commits != NULL)
        log_pending_free(log->commits);
    buffer_deinit(&log->outgoing.bytes);
    buffer_deinit(&log->fetch.incoming.bytes);
}
