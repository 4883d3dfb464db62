#include "stream/job/shuffle.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "ring/transport/transport.h"

#include <inttypes.h>
#include <stdlib.h>

// PARTs on their way to one member at a time.
enum { SHUFFLE_WINDOW = 4 };

#define SHUFFLE_PAUSE_MIN_NS (5 * (uint64_t)1000000)
#define SHUFFLE_PAUSE_MAX_NS (500 * (uint64_t)1000000)
// Without a word: ask; and without an answer to that: lost.
#define SHUFFLE_SILENCE_NS (1500 * (uint64_t)1000000)
#define SHUFFLE_LOST_NS    (4000 * (uint64_t)1000000)

enum shuffle_state { MEMBER_OUT, CONNECTING, SENDING, SETTLING, PAUSED, REPORTED };

struct shuffle_part {
    struct shuffle_part *next;
    uint32_t output;
    struct slice cells; // In the shuffle's arena, or the batch's.
};

struct shuffle_slot {
    struct transport_request request;
    struct shuffle_member *member;
};

struct shuffle_member {
    struct shuffle *shuffle;
    uint16_t number;
    enum shuffle_state state;
    struct env_address address;
    struct transport_client *client;
    bool is_open, is_asked; // is_asked: for a sign of life.
    uint64_t heard_ns;
    struct shuffle_slot slots[SHUFFLE_WINDOW], sign;
    struct env_timer pause;
    uint64_t pause_ns;
    struct shuffle_part *parts, **end, *next_part;
    uint64_t part_count, sent_count, waiting_count;
};

struct shuffle {
    struct env *env;
    uint64_t timeout_ns;
    struct shuffle_events events;
    void *context;
    struct shuffle_member *members[JOB_MEMBERS_MAX]; // NULL: never needed.
    const struct mapper_batch *batch;                // NULL: none.
    struct shuffle_task task;
    struct cut cut;
    struct arena arena; // Of the parts.
    struct buffer message;
    struct job_report report;
};

static void shuffle_begin(struct shuffle_member *member);

struct shuffle *shuffle_create(struct env *env, uint64_t timeout_ns,
                               const struct shuffle_events *events, void *context)
{
    struct shuffle *shuffle = calloc(1, sizeof *shuffle);
    ASSERT(shuffle != NULL);
    shuffle->env = env;
    shuffle->timeout_ns = timeout_ns;
    shuffle->events = *events;
    shuffle->context = context;
    arena_init(&shuffle->arena, 64 * KIB);
    buffer_init(&shuffle->message, TRANSPORT_MESSAGE_SIZE_MAX);
    return shuffle;
}

// ---- Faults ------------------------------------------------------------------------------------

static void shuffle_drop(struct shuffle_member *member)
{
    transport_client_destroy(member->client);
    member->client = NULL;
    member->is_open = member->is_asked = false;
}

// A connection that is being made may be of use still; and a process that dies meanwhile would
// leave what is destroyed now to nobody.
static void shuffle_disconnect(struct shuffle_member *member)
{
    if (member->is_open) shuffle_drop(member);
}

static void shuffle_fail(struct shuffle_member *member, bool is_lost, const struct error *error)
{
    struct shuffle *shuffle = member->shuffle;
    struct error copy = *error;
    env_timer_stop(shuffle->env, &member->pause);
    shuffle_disconnect(member);
    member->state = MEMBER_OUT;
    shuffle->events.failed(shuffle->context, member->number, is_lost, &copy);
}

static void shuffle_lose(struct shuffle_member *member, enum status status)
{
    char address[ENV_ADDRESS_TEXT_SIZE];
    env_address_format(&member->address, address);
    struct error error;
    (void)error_set(&error, status, "%s: %s", address, status_text(status));
    shuffle_fail(member, true, &error);
}

static void shuffle_paused(struct env_timer *timer)
{
    shuffle_begin(CONTAINER_OF(timer, struct shuffle_member, pause));
}

// The member answers, but can not do it now.
static bool shuffle_may_pass(enum status status)
{
    switch (status) {
    case STATUS_IO:
    case STATUS_TIMED_OUT:
    case STATUS_OVERLOADED:
    case STATUS_IN_USE:
    case STATUS_NOT_FOUND:
    case STATUS_NO_SPACE:
        return true;
    default:
        return false;
    }
}

static bool shuffle_is_waiting(const struct shuffle_member *member)
{
    return member->state == SENDING || member->state == SETTLING;
}

// What an answer says. False: it is no good, and what is to be done about it has begun.
static bool shuffle_is_good(struct shuffle_member *member, enum status status, uint8_t type,
                            struct cursor *answer)
{
    struct shuffle *shuffle = member->shuffle;
    struct error error;
    if (status != STATUS_OK || !shuffle_is_waiting(member))
        return false; // shuffle_ended() follows.
    member->heard_ns = env_monotonic_ns(shuffle->env);
    if (type != JOB_ANSWER)
        status = error_set(&error, STATUS_MALFORMED, "the node answered something else");
    else
        status = job_take_answer(answer, &error);
    if (status == STATUS_OK) return true;
    if (!shuffle_may_pass(status)) {
        shuffle_fail(member, false, &error);
        return false;
    }
    // Parts that are on their way still are answered into this state, and not looked at.
    env_mark(shuffle->env, ENV_MARK_SHUFFLE_PAUSED);
    member->state = PAUSED;
    env_timer_start(shuffle->env, &member->pause, member->pause_ns, shuffle_paused);
    member->pause_ns =
        member->pause_ns * 2 > SHUFFLE_PAUSE_MAX_NS ? SHUFFLE_PAUSE_MAX_NS : member->pause_ns * 2;
    shuffle->events.trouble(shuffle->context, error.text);
    return false;
}

// ---- TASK --------------------------------------------------------------------------------------

static void shuffle_reported(struct transport_request *request, enum status status, uint8_t type,
                             struct slice payload)
{
    struct shuffle_member *member = CONTAINER_OF(request, struct shuffle_slot, request)->member;
    struct shuffle *shuffle = member->shuffle;
    struct cursor answer = cursor_make(payload);
    if (!shuffle_is_good(member, status, type, &answer)) return;
    uint64_t number = cursor_vint(&answer), cut = cursor_u64(&answer);
    struct job_report report = {.cells = cursor_vint(&answer)};
    report.hash = cursor_u64(&answer);
    if (answer.failed || number != shuffle->batch->record.number || cut != shuffle->cut.id) {
        // Rule 11: a report counts for the batch and the cut that it names.
        struct error error;
        (void)error_set(&error, STATUS_MALFORMED, "the report of another batch");
        shuffle_fail(member, false, &error);
        return;
    }
    member->state = REPORTED;
    shuffle->report.cells += report.cells;
    shuffle->report.hash += report.hash;
    for (uint16_t i = 0; i < JOB_MEMBERS_MAX; i++)
        if (cut_has(&shuffle->cut, i) && shuffle->members[i]->state != REPORTED) return;
    shuffle->batch = NULL;
    struct job_report whole = shuffle->report;
    shuffle->events.reported(shuffle->context, &whole);
}

static void shuffle_send(struct shuffle_member *member, struct shuffle_slot *slot, uint8_t type,
                         void (*done)(struct transport_request *, enum status, uint8_t,
                                      struct slice))
{
    struct shuffle *shuffle = member->shuffle;
    ASSERT(!shuffle->message.overflow);
    slot->member = member;
    transport_client_send(member->client, &slot->request, type, buffer_slice(&shuffle->message),
                          done);
}

static void shuffle_send_task(struct shuffle_member *member)
{
    struct shuffle *shuffle = member->shuffle;
    struct buffer ranges;
    buffer_init(&ranges, (size_t)JOB_PLACES_MAX * JOB_RANGE_SIZE);
    cut_put_ranges(&shuffle->cut, member->number, &ranges);
    struct job_task task = {
        .job = shuffle->task.job,
        .number = shuffle->batch->record.number,
        .cut = shuffle->cut.id,
        .timestamp_us = shuffle->batch->record.timestamp_us,
        .done_through = shuffle->task.done_through,
        .part_count = member->part_count,
        .home = shuffle->task.home,
        .log_number = shuffle->task.log_number,
        .ranges = buffer_slice(&ranges),
    };
    member->state = SETTLING;
    buffer_clear(&shuffle->message);
    job_put_task(&shuffle->message, &task);
    job_put_targets(&shuffle->message, shuffle->task.targets, shuffle->task.target_count);
    shuffle_send(member, &member->slots[0], JOB_TASK, shuffle_reported);
    buffer_deinit(&ranges);
}

// ---- PART --------------------------------------------------------------------------------------

static void shuffle_part_taken(struct transport_request *request, enum status status, uint8_t type,
                               struct slice payload);

static void shuffle_send_part(struct shuffle_member *member, struct shuffle_slot *slot)
{
    struct shuffle *shuffle = member->shuffle;
    struct job_part part = {
        .job = shuffle->task.job,
        .number = shuffle->batch->record.number,
        .cut = shuffle->cut.id,
        .map_index = member->sent_count,
        .output = member->next_part->output,
        .cells = member->next_part->cells,
    };
    member->next_part = member->next_part->next;
    member->sent_count++;
    member->waiting_count++;
    buffer_clear(&shuffle->message);
    job_put_part(&shuffle->message, &part);
    shuffle_send(member, slot, JOB_PART, shuffle_part_taken);
}

static void shuffle_part_taken(struct transport_request *request, enum status status, uint8_t type,
                               struct slice payload)
{
    struct shuffle_slot *slot = CONTAINER_OF(request, struct shuffle_slot, request);
    struct shuffle_member *member = slot->member;
    struct cursor answer = cursor_make(payload);
    member->waiting_count--;
    if (member->state == PAUSED) return; // Another part's fault came first.
    if (!shuffle_is_good(member, status, type, &answer)) return;
    if (member->next_part != NULL)
        shuffle_send_part(member, slot);
    else if (member->waiting_count == 0)
        shuffle_send_task(member);
}

static void shuffle_send_parts(struct shuffle_member *member)
{
    member->state = SENDING;
    member->next_part = member->parts;
    member->sent_count = 0;
    if (member->part_count == 0) {
        shuffle_send_task(member);
        return;
    }
    for (size_t i = 0; i < SHUFFLE_WINDOW && member->next_part != NULL; i++)
        shuffle_send_part(member, &member->slots[i]);
}

// ---- Connections -------------------------------------------------------------------------------

static void shuffle_connected(void *context)
{
    struct shuffle_member *member = context;
    member->is_open = true;
    member->heard_ns = env_monotonic_ns(member->shuffle->env);
    if (member->state == CONNECTING) shuffle_send_parts(member);
}

static void shuffle_connect(struct shuffle_member *member);

static void shuffle_ended(void *context, enum status status)
{
    struct shuffle_member *member = context;
    bool was_open = member->is_open;
    shuffle_drop(member);
    member->waiting_count = 0;
    if (member->state == MEMBER_OUT || member->state == REPORTED || member->state == PAUSED) return;
    if (was_open)
        shuffle_begin(member); // It may be back already: then the connection is made at once.
    else
        shuffle_lose(member, status);
}

static void shuffle_connect(struct shuffle_member *member)
{
    static const struct transport_client_events events = {shuffle_connected, shuffle_ended};
    struct shuffle *shuffle = member->shuffle;
    member->waiting_count = 0;
    member->client = transport_client_create(shuffle->env, &member->address, shuffle->timeout_ns,
                                             &events, member);
}

static void shuffle_begin(struct shuffle_member *member)
{
    // Answers to what was sent before would be taken for those to come.
    if (member->client != NULL && (member->waiting_count > 0 || member->state == SETTLING))
        shuffle_disconnect(member);
    member->state = CONNECTING;
    member->heard_ns = env_monotonic_ns(member->shuffle->env);
    if (member->client == NULL)
        shuffle_connect(member);
    else if (member->is_open)
        shuffle_send_parts(member);
}

static void shuffle_gave_sign(struct transport_request *request, enum status status, uint8_t type,
                              struct slice payload)
{
    struct shuffle_member *member = CONTAINER_OF(request, struct shuffle_slot, request)->member;
    (void)type, (void)payload;
    member->is_asked = false;
    if (status == STATUS_OK) member->heard_ns = env_monotonic_ns(member->shuffle->env);
}

static void shuffle_look_at(struct shuffle_member *member)
{
    struct shuffle *shuffle = member->shuffle;
    uint64_t silence_ns = env_monotonic_ns(shuffle->env) - member->heard_ns;
    if (member->state != CONNECTING && !shuffle_is_waiting(member)) return;
    if (silence_ns > SHUFFLE_LOST_NS) {
        env_mark(shuffle->env, ENV_MARK_SHUFFLE_SILENT);
        shuffle_lose(member, STATUS_TIMED_OUT);
    } else if (silence_ns > SHUFFLE_SILENCE_NS && member->is_open && !member->is_asked) {
        member->is_asked = true;
        buffer_clear(&shuffle->message);
        shuffle_send(member, &member->sign, JOB_RING, shuffle_gave_sign);
    }
}

void shuffle_tick(struct shuffle *shuffle)
{
    for (size_t i = 0; i < JOB_MEMBERS_MAX && shuffle->batch != NULL; i++)
        if (shuffle->members[i] != NULL) shuffle_look_at(shuffle->members[i]);
}

// ---- Cells to members --------------------------------------------------------------------------

static void shuffle_add_part(struct shuffle_member *member, uint32_t output, struct slice cells)
{
    struct shuffle_part *part = ARENA_NEW(&member->shuffle->arena, struct shuffle_part);
    *part = (struct shuffle_part){NULL, output, cells};
    *member->end = part;
    member->end = &part->next;
    member->part_count++;
}

// One of the batch's parts, each cell to the member that has the token of its partition.
static void shuffle_split(struct shuffle *shuffle, const struct mapper_part *part)
{
    struct buffer shares[JOB_MEMBERS_MAX];
    for (size_t i = 0; i < JOB_MEMBERS_MAX; i++)
        buffer_init(&shares[i], SIZE_MAX / 4);
    struct cursor cursor = cursor_make(part->cells);
    while (cursor_left(&cursor) > 0) {
        const uint8_t *begin = cursor.next;
        struct cursor key = cursor_make(cursor_vint_bytes(&cursor));
        (void)cursor_signed_vint(&cursor);
        uint16_t member = cut_find(&shuffle->cut, token_of_key(cursor_vint_bytes(&key)));
        buffer_put(&shares[member], begin, (size_t)(cursor.next - begin));
    }
    for (size_t i = 0; i < JOB_MEMBERS_MAX; i++) {
        if (shares[i].size > 0)
            shuffle_add_part(shuffle->members[i], part->output,
                             arena_copy(&shuffle->arena, buffer_slice(&shares[i])));
        buffer_deinit(&shares[i]);
    }
}

static void shuffle_make_parts(struct shuffle *shuffle)
{
    arena_reset(&shuffle->arena);
    uint16_t only = 0;
    for (uint16_t i = 0; i < JOB_MEMBERS_MAX; i++) {
        struct shuffle_member *member = shuffle->members[i];
        if (member == NULL) continue;
        member->parts = NULL;
        member->end = &member->parts;
        member->part_count = 0;
        if (cut_has(&shuffle->cut, i)) only = i;
    }
    for (size_t i = 0; i < shuffle->batch->part_count; i++) {
        const struct mapper_part *part = &shuffle->batch->parts[i];
        if (shuffle->cut.members == UINT64_C(1) << only)
            shuffle_add_part(shuffle->members[only], part->output, part->cells);
        else
            shuffle_split(shuffle, part);
    }
}

// ---- For the owner -----------------------------------------------------------------------------

static void shuffle_need(struct shuffle *shuffle, uint16_t number)
{
    if (shuffle->members[number] != NULL) return;
    struct shuffle_member *member = calloc(1, sizeof *member);
    ASSERT(member != NULL);
    member->shuffle = shuffle;
    member->number = number;
    shuffle->members[number] = member;
}

void shuffle_forget(struct shuffle *shuffle)
{
    shuffle->batch = NULL;
    for (size_t i = 0; i < JOB_MEMBERS_MAX; i++) {
        struct shuffle_member *member = shuffle->members[i];
        if (member == NULL) continue;
        env_timer_stop(shuffle->env, &member->pause);
        // What is under way still would be answered into the next batch.
        if (member->client != NULL && (!member->is_open || member->waiting_count > 0 ||
                                       member->state == SETTLING || member->is_asked))
            shuffle_disconnect(member);
        member->state = MEMBER_OUT;
    }
}

void shuffle_stop(struct shuffle *shuffle)
{
    shuffle_forget(shuffle);
    for (size_t i = 0; i < JOB_MEMBERS_MAX; i++)
        if (shuffle->members[i] != NULL) shuffle_disconnect(shuffle->members[i]);
}

void shuffle_start(struct shuffle *shuffle, const struct shuffle_task *task,
                   const struct mapper_batch *batch, const struct job_ring *ring,
                   const struct cut *cut)
{
    bool goes_on = shuffle->batch == batch && shuffle->cut.id == cut->id;
    shuffle->task = *task;
    if (!goes_on) {
        shuffle_forget(shuffle);
        shuffle->batch = batch;
        shuffle->cut = *cut;
        shuffle->report = (struct job_report){0, 0};
        for (uint16_t i = 0; i < JOB_MEMBERS_MAX; i++)
            if (cut_has(cut, i)) shuffle_need(shuffle, i);
        shuffle_make_parts(shuffle);
    }
    for (uint16_t i = 0; i < JOB_MEMBERS_MAX && shuffle->batch == batch; i++) {
        struct shuffle_member *member = shuffle->members[i];
        if (!cut_has(cut, i) || member->state != MEMBER_OUT) continue;
        struct env_address address = ring->members[i].address;
        if (member->client != NULL && memcmp(&member->address, &address, sizeof address) != 0)
            shuffle_drop(member);
        member->address = address;
        member->pause_ns = SHUFFLE_PAUSE_MIN_NS;
        shuffle_begin(member);
    }
}

bool shuffle_waits_for(const struct shuffle *shuffle, uint16_t member)
{
    return shuffle->batch != NULL && cut_has(&shuffle->cut, member) &&
           shuffle->members[member]->state != REPORTED;
}

void shuffle_abandon(struct shuffle *shuffle)
{
    if (shuffle == NULL) return;
    for (size_t i = 0; i < JOB_MEMBERS_MAX; i++) {
        if (shuffle->members[i] == NULL) continue;
        transport_client_abandon(shuffle->members[i]->client);
        shuffle->members[i]->client = NULL;
    }
    shuffle_destroy(shuffle);
}

void shuffle_destroy(struct shuffle *shuffle)
{
    if (shuffle == NULL) return;
    for (size_t i = 0; i < JOB_MEMBERS_MAX; i++) {
        struct shuffle_member *member = shuffle->members[i];
        if (member == NULL) continue;
        env_timer_stop(shuffle->env, &member->pause);
        transport_client_destroy(member->client);
        free(member);
    }
    arena_deinit(&shuffle->arena);
    buffer_deinit(&shuffle->message);
    free(shuffle);
}
