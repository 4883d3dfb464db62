// The acceptor of each number: what this member promised and accepted, and its answers to PREPARE
// and ACCEPT (Lamport, "Paxos Made Simple"). A promise is durable before it is given (L2).
//
//     PREPARE   u64 number | ballot                  ballot = u64 time | u16 member
//     ACCEPT    u64 number | ballot | value
//     entries   PROMISE: u64 number | ballot         ACCEPT: the same and the value
//               CHOSEN:  u64 number | ballot         the value accepted under it,
//                        u64 number | no ballot | value
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "ring/metadata/metadata_log_state.h"

#include <stdlib.h>

enum { ENTRY_HEAD_SIZE = 8 + 10, ANSWER_HEAD_SIZE = 1 + 10 };

void log_put_ballot(struct buffer *buffer, struct ballot ballot)
{
    buffer_put_u64(buffer, (uint64_t)ballot.time_us);
    buffer_put_u16(buffer, ballot.member);
}

struct ballot log_take_ballot(struct cursor *cursor)
{
    uint64_t time_us = cursor_u64(cursor);
    uint16_t member = cursor_u16(cursor);
    // Room is left for those who have to go beyond it.
    if (cursor->failed || time_us > INT64_MAX / 2) return (struct ballot){0};
    return (struct ballot){(int64_t)time_us, member};
}

// ---- Slots --------------------------------------------------------------------------------------

void acceptor_slot_clear(struct log_slot *slot)
{
    log_value_unref(slot->value);
    *slot = (struct log_slot){0};
}

struct log_slot *acceptor_slot(struct metadata_log *log, uint64_t number)
{
    if (number <= log->applied || number - log->applied > LOG_WINDOW) return NULL;
    struct log_slot *slot = &log->slots[number % LOG_WINDOW];
    if (slot->number != number) {
        acceptor_slot_clear(slot);
        slot->number = number;
    }
    return slot;
}

bool acceptor_has_room(const struct metadata_log *log, uint64_t number,
                       const struct log_value *value)
{
    size_t size = value->bytes.size;
    for (size_t i = 0; i < LOG_WINDOW; i++)
        if (log->slots[i].value != NULL) size += log->slots[i].value->bytes.size;
    return number == log->applied + 1 || size <= LOG_SLOTS_SIZE_MAX;
}

uint64_t acceptor_newest(const struct metadata_log *log)
{
    uint64_t newest = log->known;
    for (size_t i = 0; i < LOG_WINDOW; i++)
        if (log->slots[i].value != NULL && log->slots[i].number > newest)
            newest = log->slots[i].number;
    return newest;
}

static void slot_set_value(struct log_slot *slot, struct log_value *value)
{
    log_value_ref(value);
    log_value_unref(slot->value);
    slot->value = value;
}

// ---- What waits for the journal -----------------------------------------------------------------

struct log_pending *log_pending_create(struct metadata_log *log, size_t size_max)
{
    struct log_pending *pending = calloc(1, sizeof *pending);
    ASSERT(pending != NULL);
    pending->log = log;
    buffer_init(&pending->bytes, size_max);
    buffer_init(&pending->answer, size_max + ANSWER_HEAD_SIZE);
    pending->next = log->pending;
    pending->place = &log->pending;
    if (pending->next != NULL) pending->next->place = &pending->next;
    log->pending = pending;
    log->pending_count++;
    return pending;
}

void log_pending_free(struct log_pending *pending)
{
    *pending->place = pending->next;
    if (pending->next != NULL) pending->next->place = pending->place;
    pending->log->pending_count--;
    buffer_deinit(&pending->bytes);
    buffer_deinit(&pending->answer);
    free(pending);
}

static void promise_is_durable(struct metadata_journal_entry *entry, enum status status)
{
    struct log_pending *pending = CONTAINER_OF(entry, struct log_pending, entry);
    struct metadata_log *log = pending->log;
    if (log->messaging != NULL)
        messaging_answer(log->messaging, pending->origin, status,
                         status == STATUS_OK ? buffer_slice(&pending->answer) : slice_make("", 0));
    log_pending_free(pending);
}

// Answers `answer` of it once the entry that is in its bytes is durable.
static void answer_when_durable(struct log_pending *pending, const struct message *message,
                                unsigned kind)
{
    pending->origin = message->origin;
    metadata_journal_put(pending->log->journal, &pending->entry, kind,
                         buffer_slice(&pending->bytes), promise_is_durable);
}

// ---- Answers ------------------------------------------------------------------------------------

static void answer_refused(struct metadata_log *log, const struct message *message,
                           struct ballot promised)
{
    struct buffer answer;
    buffer_init(&answer, ANSWER_HEAD_SIZE);
    buffer_put_u8(&answer, ACCEPTOR_REFUSED);
    log_put_ballot(&answer, promised);
    env_mark(log->env, ENV_MARK_METADATA_REFUSED);
    messaging_answer(log->messaging, message->origin, STATUS_OK, buffer_slice(&answer));
    buffer_deinit(&answer);
}

static void answer_decided(struct metadata_log *log, const struct message *message, uint64_t number)
{
    struct buffer answer;
    buffer_init(&answer, LOG_VALUE_SIZE_MAX + ANSWER_HEAD_SIZE);
    buffer_put_u8(&answer, ACCEPTOR_DECIDED);
    const struct log_value *value = log_find_value(log, number);
    if (value != NULL) buffer_put(&answer, value->bytes.data, value->bytes.size);
    messaging_answer(log->messaging, message->origin, STATUS_OK, buffer_slice(&answer));
    buffer_deinit(&answer);
}

// What is the same for both verbs: true when the slot may look at the ballot.
static bool acceptor_begin(struct metadata_log *log, const struct message *message, uint64_t number,
                           struct ballot ballot, struct log_slot **slot)
{
    const uint8_t behind = ACCEPTOR_BEHIND;
    if (ballot_is_none(ballot) || number == 0 || message->from >= log->member_count) {
        messaging_answer(log->messaging, message->origin, STATUS_MALFORMED, slice_make("", 0));
        return false;
    }
    if (log_is_broken(log) || log->pending_count >= LOG_PENDING_MAX) {
        messaging_answer(log->messaging, message->origin, STATUS_OVERLOADED, slice_make("", 0));
        return false;
    }
    *slot = acceptor_slot(log, number);
    if (number <= log->applied || (*slot != NULL && (*slot)->is_chosen)) {
        answer_decided(log, message, number);
        return false;
    }
    // Who proposes a number knows all before it. One or two may be on their way to us.
    if (number > log->known + LOG_WINDOW / 32) catch_up_from(log, message->from, number - 1);
    if (*slot == NULL)
        messaging_answer(log->messaging, message->origin, STATUS_OK, slice_make(&behind, 1));
    return *slot != NULL;
}

void acceptor_handle_prepare(struct message_handler *handler, const struct message *message)
{
    struct metadata_log *log = CONTAINER_OF(handler, struct metadata_log, prepare_handler);
    struct cursor body = cursor_make(message->body);
    uint64_t number = cursor_u64(&body);
    struct ballot ballot = log_take_ballot(&body);
    struct log_slot *slot;
    if (!acceptor_begin(log, message, number, ballot, &slot)) return;
    if (!ballot_may_promise(slot->promised, ballot)) {
        answer_refused(log, message, slot->promised);
        return;
    }
    slot->promised = ballot;
    struct log_pending *pending = log_pending_create(log, LOG_VALUE_SIZE_MAX);
    buffer_put_u64(&pending->bytes, number);
    log_put_ballot(&pending->bytes, ballot);
    // What was accepted may not be durable yet; it is before this promise.
    buffer_put_u8(&pending->answer, ACCEPTOR_AGREED);
    if (!ballot_is_none(slot->accepted)) {
        log_put_ballot(&pending->answer, slot->accepted);
        buffer_put(&pending->answer, slot->value->bytes.data, slot->value->bytes.size);
    }
    answer_when_durable(pending, message, LOG_ENTRY_PROMISE);
}

void acceptor_handle_accept(struct message_handler *handler, const struct message *message)
{
    struct metadata_log *log = CONTAINER_OF(handler, struct metadata_log, accept_handler);
    struct cursor body = cursor_make(message->body);
    uint64_t number = cursor_u64(&body);
    struct ballot ballot = log_take_ballot(&body);
    struct log_value *value = log_value_make(slice_make(body.next, cursor_left(&body)));
    struct log_slot *slot;
    if (value == NULL) ballot = (struct ballot){0};
    if (acceptor_begin(log, message, number, ballot, &slot)) {
        if (!ballot_may_accept(slot->promised, ballot)) {
            answer_refused(log, message, slot->promised);
        } else if (!acceptor_has_room(log, number, value)) {
            messaging_answer(log->messaging, message->origin, STATUS_OVERLOADED, slice_make("", 0));
        } else {
            slot->promised = slot->accepted = ballot;
            slot_set_value(slot, value);
            struct log_pending *pending =
                log_pending_create(log, LOG_VALUE_SIZE_MAX + ENTRY_HEAD_SIZE);
            buffer_put(&pending->bytes, message->body.data, message->body.size);
            buffer_put_u8(&pending->answer, ACCEPTOR_AGREED);
            answer_when_durable(pending, message, LOG_ENTRY_ACCEPT);
        }
    }
    log_value_unref(value);
}

// ---- The journal --------------------------------------------------------------------------------

static void replay_accept(struct log_slot *slot, struct ballot ballot, struct slice bytes)
{
    // A newer state may have been carried into the file before it.
    if (slot->is_chosen || ballot_compare(ballot, slot->accepted) < 0) return;
    struct log_value *value = log_value_make(bytes);
    if (value == NULL) return;
    slot->accepted = ballot;
    if (ballot_compare(ballot, slot->promised) > 0) slot->promised = ballot;
    slot_set_value(slot, value);
    log_value_unref(value);
}

static void replay_chosen(struct log_slot *slot, struct ballot ballot, struct slice bytes)
{
    if (slot->is_chosen) return;
    if (!ballot_is_none(ballot)) {
        // The value was accepted before; else we ask others for it.
        slot->is_chosen = slot->value != NULL && ballot_compare(slot->accepted, ballot) == 0;
        return;
    }
    struct log_value *value = log_value_make(bytes);
    if (value == NULL) return;
    slot->is_chosen = true;
    slot_set_value(slot, value);
    log_value_unref(value);
}

void acceptor_replay(struct metadata_log *log, unsigned kind, struct slice bytes)
{
    struct cursor entry = cursor_make(bytes);
    uint64_t number = cursor_u64(&entry);
    struct ballot ballot = log_take_ballot(&entry);
    struct log_slot *slot = entry.failed ? NULL : acceptor_slot(log, number);
    if (slot == NULL) return;
    struct slice rest = slice_make(entry.next, cursor_left(&entry));
    if (kind == LOG_ENTRY_PROMISE && ballot_compare(ballot, slot->promised) > 0)
        slot->promised = ballot;
    if (kind == LOG_ENTRY_ACCEPT && !ballot_is_none(ballot)) replay_accept(slot, ballot, rest);
    if (kind == LOG_ENTRY_CHOSEN) replay_chosen(slot, ballot, rest);
}

static void carry_slot(struct metadata_log *log, const struct log_slot *slot)
{
    struct buffer entry;
    buffer_init(&entry, LOG_VALUE_SIZE_MAX + ENTRY_HEAD_SIZE);
    buffer_put_u64(&entry, slot->number);
    log_put_ballot(&entry, slot->promised);
    if (!ballot_is_none(slot->promised))
        metadata_journal_carry(log->journal, LOG_ENTRY_PROMISE, buffer_slice(&entry));
    if (slot->value != NULL && (slot->is_chosen || !ballot_is_none(slot->accepted))) {
        buffer_truncate(&entry, sizeof(uint64_t));
        log_put_ballot(&entry, slot->is_chosen ? (struct ballot){0} : slot->accepted);
        buffer_put(&entry, slot->value->bytes.data, slot->value->bytes.size);
        metadata_journal_carry(log->journal, slot->is_chosen ? LOG_ENTRY_CHOSEN : LOG_ENTRY_ACCEPT,
                               buffer_slice(&entry));
    }
    buffer_deinit(&entry);
}

void acceptor_carry(struct metadata_log *log, uint64_t number)
{
    for (uint64_t n = number + 1; n <= log->applied + LOG_WINDOW; n++) {
        const struct log_slot *slot = &log->slots[n % LOG_WINDOW];
        if (slot->number == n) carry_slot(log, slot);
    }
}
