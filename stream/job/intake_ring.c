#include "stream/job/intake_ring.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "ring/transport/transport.h"
#include "stream/job/rendezvous.h"

#include <stdio.h>
#include <stdlib.h>

#define INTAKE_TICK_NS      (250 * (uint64_t)1000000)
#define INTAKE_PAUSE_MIN_NS (10 * (uint64_t)1000000)
#define INTAKE_PAUSE_MAX_NS (500 * (uint64_t)1000000)
// A member that says nothing for so long is away. How long a survey waits for more than a majority.
#define INTAKE_SILENCE_NS (4000 * (uint64_t)1000000)
#define INTAKE_GRACE_NS   (1000 * (uint64_t)1000000)
// An epoch: the round, and a number that makes those of two workers differ.
enum { INTAKE_EPOCH_SHIFT = 40, INTAKE_BIDS_MAX = 20 };

enum intake_phase { INTAKE_CLOSED, INTAKE_SURVEY, INTAKE_COPYING, INTAKE_OPEN, INTAKE_FAILED };

struct intake_member {
    struct intake_ring *intake;
    struct env_address address;
    struct transport_client *client; // NULL: pausing.
    bool is_connected;
    uint8_t asked; // The message that waits for its answer; 0: none.
    uint64_t asked_ns, asked_end, pause_ns;
    struct transport_request request;
    struct env_timer pause;
    // As it said last.
    bool has_promised, is_adopted; // In our epoch.
    uint64_t end, adopted, adopted_end;
    bool takes_part; // In the copying.
    bool was_tried;  // For the bytes that are wanted.
};

struct intake_ring {
    struct source_store store;
    const struct source_store_events *events;
    void *context;
    struct env *env;
    struct intake_ring_options options;
    uint16_t home;
    uint64_t log_number;
    struct intake_member members[INTAKE_COPIES_MAX];
    uint16_t count;
    enum intake_phase phase;
    uint64_t epoch, begin_ns, progress_ns;
    int bid_count;
    uint64_t from, done;
    uint64_t source_epoch, copy_end; // What is copied, and how far.
    uint64_t end;                    // Of all that is safe; while copying, of what was copied.

    struct slice block; // To be stored at `end`; none: empty.
    struct slice rest;  // Of what the source gave, behind the block.
    bool wants_read;
    uint64_t read_offset;
    size_t read_size;
    struct buffer bytes; // Read so far, or a block that is copied.
    struct buffer message;
    struct env_timer tick;
    struct env_task tell;
    enum { TELL_NOTHING, TELL_OPENED, TELL_APPENDED, TELL_READ, TELL_FAILED } told;
    struct error error;
};

static void intake_go_on(struct intake_ring *intake);

static uint16_t intake_majority(const struct intake_ring *intake)
{
    return (uint16_t)(intake->count / 2 + 1);
}

// ---- For the source ----------------------------------------------------------------------------

static void intake_tell_now(struct env_task *task)
{
    struct intake_ring *intake = CONTAINER_OF(task, struct intake_ring, tell);
    struct slice bytes = buffer_slice(&intake->bytes);
    int told = intake->told;
    intake->told = TELL_NOTHING;
    switch (told) {
    case TELL_OPENED:
        intake->events->opened(intake->context, intake->end);
        break;
    case TELL_APPENDED:
        intake->events->appended(intake->context);
        break;
    case TELL_READ:
        intake->events->was_read(intake->context, bytes);
        break;
    case TELL_FAILED:
        intake->events->failed(intake->context, &intake->error);
        break;
    default:
        break;
    }
}

static void intake_tell(struct intake_ring *intake, int what)
{
    intake->told = what;
    env_task_post(intake->env, &intake->tell, intake_tell_now);
}

static void intake_leave(struct intake_member *member)
{
    transport_client_destroy(member->client);
    member->client = NULL;
    member->is_connected = member->has_promised = member->is_adopted = false;
    member->asked = 0;
}

void intake_ring_leave(struct intake_ring *intake)
{
    if (intake == NULL) return;
    intake->phase = INTAKE_FAILED;
    env_task_cancel(intake->env, &intake->tell);
    env_timer_stop(intake->env, &intake->tick);
    for (uint16_t i = 0; i < intake->count; i++) {
        env_timer_stop(intake->env, &intake->members[i].pause);
        intake_leave(&intake->members[i]);
    }
}

static void intake_fail(struct intake_ring *intake, enum status status, const char *text)
{
    (void)error_set(&intake->error, status, "%s", text);
    intake_ring_leave(intake);
    intake_tell(intake, TELL_FAILED);
}

static void intake_made_progress(struct intake_ring *intake)
{
    intake->progress_ns = env_monotonic_ns(intake->env);
}

// ---- Connections -------------------------------------------------------------------------------

static void intake_connected(void *context)
{
    struct intake_member *member = context;
    member->is_connected = true;
    intake_go_on(member->intake);
}

static void intake_connect(struct env_timer *timer);

static void intake_connect_later(struct intake_member *member)
{
    struct intake_ring *intake = member->intake;
    intake_leave(member);
    env_timer_start(intake->env, &member->pause, member->pause_ns, intake_connect);
    member->pause_ns =
        member->pause_ns * 2 > INTAKE_PAUSE_MAX_NS ? INTAKE_PAUSE_MAX_NS : member->pause_ns * 2;
}

static void intake_ended(void *context, enum status status)
{
    struct intake_member *member = context;
    (void)status;
    intake_connect_later(member);
    intake_go_on(member->intake);
}

static void intake_connect(struct env_timer *timer)
{
    static const struct transport_client_events events = {intake_connected, intake_ended};
    struct intake_member *member = CONTAINER_OF(timer, struct intake_member, pause);
    struct intake_ring *intake = member->intake;
    if (member->client != NULL) { // It only had to wait.
        intake_go_on(intake);
        return;
    }
    member->asked_ns = env_monotonic_ns(intake->env);
    member->client =
        transport_client_create(intake->env, &member->address, INTAKE_SILENCE_NS, &events, member);
}

// ---- Epochs ------------------------------------------------------------------------------------

// Begins with an epoch above `promised`.
static void intake_bid(struct intake_ring *intake, uint64_t promised)
{
    uint64_t round = (promised >> INTAKE_EPOCH_SHIFT) + 1;
    uint64_t own = env_random_u64(intake->env) >> (64 - INTAKE_EPOCH_SHIFT);
    intake->epoch = round << INTAKE_EPOCH_SHIFT | own;
    intake->phase = INTAKE_SURVEY;
    intake->begin_ns = env_monotonic_ns(intake->env);
    intake->block = slice_make(NULL, 0);
    for (uint16_t i = 0; i < intake->count; i++) {
        struct intake_member *member = &intake->members[i];
        member->takes_part = member->has_promised = member->is_adopted = false;
        // What is under way would be answered into the new epoch.
        if (member->asked == 0) continue;
        intake_connect_later(member);
    }
}

// Somebody else bid more.
static void intake_outbid(struct intake_ring *intake, uint64_t promised)
{
    if (intake->phase == INTAKE_OPEN || ++intake->bid_count > INTAKE_BIDS_MAX) {
        intake_fail(intake, STATUS_CONFLICT, "another worker has taken the job's input over");
        return;
    }
    intake_bid(intake, promised);
    if (intake->bid_count < 2) return;
    // Two that bid at the same time.
    for (uint16_t i = 0; i < intake->count; i++) {
        intake->members[i].pause_ns = 1 + env_random_u64(intake->env) % INTAKE_PAUSE_MAX_NS;
        if (intake->members[i].is_connected) intake_connect_later(&intake->members[i]);
    }
}

// ---- Messages ----------------------------------------------------------------------------------

static void intake_answered(struct transport_request *request, enum status status, uint8_t type,
                            struct slice payload);

static void intake_begin_message(struct intake_ring *intake)
{
    buffer_clear(&intake->message);
    uuid_put(&intake->message, intake->options.job);
    buffer_put_vint(&intake->message, intake->options.source);
}

static void intake_send(struct intake_member *member, uint8_t type, uint64_t end)
{
    struct intake_ring *intake = member->intake;
    ASSERT(!intake->message.overflow);
    member->asked = type;
    member->asked_end = end;
    member->asked_ns = env_monotonic_ns(intake->env);
    transport_client_send(member->client, &member->request, type, buffer_slice(&intake->message),
                          intake_answered);
}

static void intake_send_open(struct intake_member *member)
{
    struct intake_ring *intake = member->intake;
    intake_begin_message(intake);
    buffer_put_u64(&intake->message, intake->epoch);
    buffer_put_vint(&intake->message, intake->home);
    buffer_put_vint(&intake->message, intake->log_number);
    intake_send(member, JOB_INTAKE_OPEN, 0);
}

static void intake_send_block(struct intake_member *member)
{
    struct intake_ring *intake = member->intake;
    intake_begin_message(intake);
    buffer_put_u64(&intake->message, intake->epoch);
    buffer_put_vint(&intake->message, member->end);
    buffer_put_vint(&intake->message, intake->end);
    buffer_put_vint(&intake->message, intake->done);
    buffer_put(&intake->message, intake->block.data, intake->block.size);
    intake_send(member, JOB_INTAKE, intake->end + intake->block.size);
}

static void intake_send_adopt(struct intake_member *member)
{
    struct intake_ring *intake = member->intake;
    intake_begin_message(intake);
    buffer_put_u64(&intake->message, intake->epoch);
    buffer_put_vint(&intake->message, intake->end);
    intake_send(member, JOB_INTAKE_ADOPT, intake->end);
}

static void intake_send_read(struct intake_member *member, uint64_t epoch, uint64_t offset,
                             size_t size)
{
    struct intake_ring *intake = member->intake;
    intake_begin_message(intake);
    buffer_put_u64(&intake->message, epoch);
    buffer_put_vint(&intake->message, offset);
    buffer_put_vint(&intake->message, size);
    member->was_tried = true;
    intake_send(member, JOB_INTAKE_READ, offset);
}

// ---- Answers -----------------------------------------------------------------------------------

static void intake_forget_tries(struct intake_ring *intake)
{
    for (uint16_t i = 0; i < intake->count; i++)
        intake->members[i].was_tried = false;
}

static void intake_promised(struct intake_member *member, struct cursor *answer)
{
    struct intake_ring *intake = member->intake;
    uint64_t promised = cursor_u64(answer), end = cursor_vint(answer);
    uint64_t adopted = cursor_u64(answer), adopted_end = cursor_vint(answer);
    if (answer->failed) {
        intake_connect_later(member);
    } else if (promised > intake->epoch) {
        intake_outbid(intake, promised);
    } else {
        member->has_promised = true;
        member->end = end;
        member->adopted = adopted;
        member->adopted_end = adopted_end;
        member->is_adopted = adopted == intake->epoch;
        // Whatever is missing below what was copied, it must not adopt without it.
        member->takes_part = member->takes_part && (member->is_adopted || end == intake->end ||
                                                    end == intake->end + intake->block.size ||
                                                    (end == 0 && intake->end == intake->from));
        if (intake->phase == INTAKE_SURVEY) intake_made_progress(intake);
    }
}

static void intake_bytes_came(struct intake_ring *intake, struct slice bytes)
{
    buffer_put(&intake->bytes, bytes.data, bytes.size);
    intake_forget_tries(intake);
    intake_made_progress(intake);
    if (intake->phase == INTAKE_COPYING)
        intake->block = buffer_slice(&intake->bytes);
    else if (intake->bytes.size == intake->read_size) {
        intake->wants_read = false;
        intake_tell(intake, TELL_READ);
    }
}

// It can not, or not now.
static void intake_refused(struct intake_member *member, uint8_t asked, const struct error *error)
{
    struct intake_ring *intake = member->intake;
    if (error->status == STATUS_CONFLICT || error->status == STATUS_INVALID) {
        if (intake->phase == INTAKE_OPEN || asked == JOB_INTAKE_OPEN)
            intake_fail(intake, error->status, error->text);
        else
            member->has_promised = false; // The next answer says what it promised to whom.
        return;
    }
    (void)error_set(&intake->error, error->status, "%s", error->text);
    // A member that was away, or has other bytes than we think: it says what it has. One that has
    // not what was to be read is not asked for it again.
    if (asked != JOB_INTAKE_READ && error->status == STATUS_NOT_FOUND) member->has_promised = false;
    if (asked == JOB_INTAKE_READ && error->status == STATUS_NOT_FOUND) return;
    if (asked == JOB_INTAKE_READ) member->was_tried = false;
    env_timer_start(intake->env, &member->pause, member->pause_ns, intake_connect);
    member->pause_ns =
        member->pause_ns * 2 > INTAKE_PAUSE_MAX_NS ? INTAKE_PAUSE_MAX_NS : member->pause_ns * 2;
}

static void intake_answered(struct transport_request *request, enum status status, uint8_t type,
                            struct slice payload)
{
    struct intake_member *member = CONTAINER_OF(request, struct intake_member, request);
    struct intake_ring *intake = member->intake;
    struct cursor answer = cursor_make(payload);
    struct error error;
    uint8_t asked = member->asked;
    member->asked = 0;
    if (status != STATUS_OK) return; // intake_ended() follows.
    status = type == JOB_ANSWER ? job_take_answer(&answer, &error)
                                : error_set(&error, STATUS_INVALID,
                                            "the node answered something "
                                            "else");
    if (status != STATUS_OK) {
        intake_refused(member, asked, &error);
    } else if (asked == JOB_INTAKE_OPEN) {
        intake_promised(member, &answer);
    } else if (asked == JOB_INTAKE_READ) {
        intake_bytes_came(intake, cursor_take(&answer, cursor_left(&answer)));
    } else {
        member->pause_ns = INTAKE_PAUSE_MIN_NS;
        member->end = member->asked_end;
        member->is_adopted = member->is_adopted || asked == JOB_INTAKE_ADOPT;
        intake_made_progress(intake);
    }
    intake_go_on(intake);
}

// ---- What is to be done ------------------------------------------------------------------------

// Connected, has promised, and nothing is under way.
static bool intake_is_free(const struct intake_member *member)
{
    return member->is_connected && member->asked == 0 && member->has_promised &&
           !env_timer_is_started(&member->pause);
}

static void intake_begin_copying(struct intake_ring *intake)
{
    intake->phase = INTAKE_COPYING;
    intake->source_epoch = 0;
    intake->copy_end = intake->end = intake->from;
    for (uint16_t i = 0; i < intake->count; i++) {
        struct intake_member *member = &intake->members[i];
        member->takes_part = member->has_promised;
        if (!member->has_promised || member->adopted < intake->source_epoch) continue;
        if (member->adopted > intake->source_epoch) intake->copy_end = intake->from;
        intake->source_epoch = member->adopted;
        if (member->adopted_end > intake->copy_end) intake->copy_end = member->adopted_end;
    }
    // What is recorded was safe: if nobody says that it has so much, it is looked for all the same.
    if (intake->copy_end < intake->options.required) intake->copy_end = intake->options.required;
    intake_forget_tries(intake);
    buffer_clear(&intake->bytes);
}

static void intake_look_at_survey(struct intake_ring *intake)
{
    uint16_t promised = 0;
    for (uint16_t i = 0; i < intake->count; i++)
        promised += intake->members[i].has_promised;
    uint64_t age_ns = env_monotonic_ns(intake->env) - intake->begin_ns;
    // More than a majority, if it is to be had: bytes that somebody's disk lost are found too.
    if (promised == intake->count ||
        (promised >= intake_majority(intake) && age_ns >= INTAKE_GRACE_NS))
        intake_begin_copying(intake);
}

// Asks a member for what is wanted next. False: nobody has it who could be asked now.
static bool intake_read_from_any(struct intake_ring *intake, uint64_t epoch, uint64_t offset,
                                 size_t size)
{
    bool may_have = false;
    for (uint16_t i = 0; i < intake->count; i++)
        if (intake->members[i].asked == JOB_INTAKE_READ) return true;
    for (uint16_t i = 0; i < intake->count; i++) {
        struct intake_member *member = &intake->members[i];
        if (!member->has_promised || member->was_tried) continue;
        if (epoch != intake->epoch && member->adopted != epoch) continue;
        may_have = true;
        if (!intake_is_free(member)) continue;
        intake_send_read(member, epoch, offset, size);
        return true;
    }
    return may_have;
}

// The next block of the older epoch; at its end, or where it is torn, copy_end is `end`.
static void intake_fetch_block(struct intake_ring *intake)
{
    if (intake_read_from_any(intake, intake->source_epoch, intake->end, INTAKE_BLOCK_SIZE_MAX))
        return;
    if (intake->end < intake->options.required) return; // Somebody who is away must have it.
    intake->copy_end = intake->end; // It was never safe, so nobody counts on it.
}

static void intake_copy_on(struct intake_ring *intake)
{
    uint16_t parts = 0, adopted = 0, have_block = 0;
    bool is_at_end = intake->end >= intake->copy_end;
    for (uint16_t i = 0; i < intake->count; i++) {
        struct intake_member *member = &intake->members[i];
        // Who missed something comes to the others later on, when all is adopted.
        if (!member->is_connected) member->takes_part = false;
        if (!member->takes_part) continue;
        parts++;
        adopted += member->is_adopted;
        bool has = member->end == intake->end + intake->block.size;
        have_block += has;
        if (!intake_is_free(member)) continue;
        if (intake->block.size > 0 && !has)
            intake_send_block(member);
        else if (is_at_end && !member->is_adopted)
            intake_send_adopt(member);
    }
    if (parts < intake_majority(intake)) {
        intake_bid(intake, intake->epoch);
    } else if (intake->block.size > 0 && have_block == parts) {
        intake->end += intake->block.size;
        intake->block = slice_make(NULL, 0);
        buffer_clear(&intake->bytes);
        intake_copy_on(intake);
    } else if (is_at_end && adopted == parts) {
        env_mark(intake->env, ENV_MARK_INTAKE_OPENED);
        intake->phase = INTAKE_OPEN;
        intake_tell(intake, TELL_OPENED);
    } else if (!is_at_end && intake->block.size == 0) {
        intake_fetch_block(intake);
        if (intake->end >= intake->copy_end) intake_copy_on(intake);
    }
}

static void intake_next_block(struct intake_ring *intake)
{
    size_t size = intake->rest.size;
    if (size > INTAKE_BLOCK_SIZE_MAX) size = INTAKE_BLOCK_SIZE_MAX;
    intake->block = slice_make(intake->rest.data, size);
    intake->rest = slice_make(intake->rest.data + size, intake->rest.size - size);
}

static void intake_store(struct intake_ring *intake)
{
    uint16_t have_block = 0;
    for (uint16_t i = 0; i < intake->count; i++) {
        struct intake_member *member = &intake->members[i];
        bool has = member->is_adopted && member->end == intake->end + intake->block.size;
        have_block += has;
        if (!intake_is_free(member)) continue;
        if (!member->is_adopted)
            intake_send_adopt(member);
        else if (intake->block.size > 0 && !has)
            intake_send_block(member);
    }
    if (intake->block.size == 0 || have_block < intake_majority(intake)) return;
    intake->end += intake->block.size;
    intake->block = slice_make(NULL, 0);
    intake_made_progress(intake);
    if (intake->rest.size == 0) {
        intake_tell(intake, TELL_APPENDED);
        return;
    }
    intake_next_block(intake);
    intake_store(intake);
}

static void intake_go_on(struct intake_ring *intake)
{
    if (intake->phase == INTAKE_FAILED || intake->phase == INTAKE_CLOSED) return;
    for (uint16_t i = 0; i < intake->count; i++) {
        struct intake_member *member = &intake->members[i];
        if (member->is_connected && member->asked == 0 && !member->has_promised &&
            !env_timer_is_started(&member->pause))
            intake_send_open(member);
    }
    if (intake->phase == INTAKE_SURVEY) intake_look_at_survey(intake);
    if (intake->phase == INTAKE_COPYING) intake_copy_on(intake);
    if (intake->phase == INTAKE_OPEN) intake_store(intake);
    if (intake->phase == INTAKE_OPEN && intake->wants_read)
        (void)intake_read_from_any(intake, intake->epoch, intake->read_offset + intake->bytes.size,
                                   intake->read_size - intake->bytes.size);
}

static void intake_tick(struct env_timer *timer)
{
    struct intake_ring *intake = CONTAINER_OF(timer, struct intake_ring, tick);
    uint64_t now = env_monotonic_ns(intake->env);
    bool waits = intake->phase != INTAKE_OPEN || intake->block.size > 0 || intake->wants_read;
    if (!waits) intake->progress_ns = now;
    if (now - intake->progress_ns > intake->options.timeout_ns) {
        char text[ERROR_TEXT_SIZE];
        (void)snprintf(text, sizeof text,
                       "the members that keep the job's input do not answer, or "
                       "do not have it: %.200s",
                       intake->error.text);
        intake_fail(intake, STATUS_TIMED_OUT, text);
        return;
    }
    env_timer_start(intake->env, timer, INTAKE_TICK_NS, intake_tick);
    for (uint16_t i = 0; i < intake->count; i++) {
        struct intake_member *member = &intake->members[i];
        uint64_t silence_ns = now - member->asked_ns;
        // While it connects it is left alone, since that ends by itself; afterwards comes a hello.
        bool is_silent = member->is_connected ? member->asked != 0 && silence_ns > INTAKE_SILENCE_NS
                                              : silence_ns > 2 * INTAKE_SILENCE_NS;
        if (member->client != NULL && is_silent) intake_connect_later(member);
    }
    intake_forget_tries(intake); // Who was away may be back.
    intake_go_on(intake);
}

// ---- The store ---------------------------------------------------------------------------------

static struct intake_ring *intake_of(struct source_store *store)
{
    return CONTAINER_OF(store, struct intake_ring, store);
}

static void intake_open(struct source_store *store, uint64_t from,
                        const struct source_store_events *events, void *context)
{
    struct intake_ring *intake = intake_of(store);
    intake->events = events;
    intake->context = context;
    intake->from = intake->done = from;
    intake->progress_ns = env_monotonic_ns(intake->env);
    intake_bid(intake, 0);
    for (uint16_t i = 0; i < intake->count; i++)
        env_timer_start(intake->env, &intake->members[i].pause, 0, intake_connect);
    env_timer_start(intake->env, &intake->tick, INTAKE_TICK_NS, intake_tick);
}

static void intake_append(struct source_store *store, struct slice bytes)
{
    struct intake_ring *intake = intake_of(store);
    ASSERT(intake->block.size == 0 && bytes.size > 0);
    intake->rest = bytes;
    if (intake->phase == INTAKE_FAILED) return;
    intake->progress_ns = env_monotonic_ns(intake->env);
    intake_next_block(intake);
    intake_go_on(intake);
}

static void intake_read(struct source_store *store, uint64_t offset, size_t size)
{
    struct intake_ring *intake = intake_of(store);
    ASSERT(!intake->wants_read && size > 0 && offset + size <= intake->end);
    if (intake->phase == INTAKE_FAILED) return;
    intake->progress_ns = env_monotonic_ns(intake->env);
    intake->wants_read = true;
    intake->read_offset = offset;
    intake->read_size = size;
    buffer_clear(&intake->bytes);
    intake_forget_tries(intake);
    intake_go_on(intake);
}

static void intake_done(struct source_store *store, uint64_t offset)
{
    struct intake_ring *intake = intake_of(store);
    if (offset > intake->done) intake->done = offset; // Goes with the next block.
}

struct intake_ring *intake_ring_create(struct env *env, const struct intake_ring_options *options)
{
    struct intake_ring *intake = calloc(1, sizeof *intake);
    ASSERT(intake != NULL);
    intake->store = (struct source_store){intake_open, intake_append, intake_read, intake_done};
    intake->env = env;
    intake->options = *options;
    intake->home = options->ring->self;
    intake->log_number = options->ring->log_number;
    uint16_t members[INTAKE_COPIES_MAX];
    intake->count = rendezvous_choose(options->job, NULL, options->ring->member_count,
                                      INTAKE_COPIES_MAX, members);
    for (uint16_t i = 0; i < intake->count; i++)
        intake->members[i] = (struct intake_member){
            .intake = intake,
            .address = options->ring->members[members[i]].address,
            .pause_ns = INTAKE_PAUSE_MIN_NS,
        };
    buffer_init(&intake->bytes, SIZE_MAX / 4);
    buffer_init(&intake->message, TRANSPORT_MESSAGE_SIZE_MAX);
    return intake;
}

struct source_store *intake_ring_store(struct intake_ring *intake)
{
    return &intake->store;
}

void intake_ring_abandon(struct intake_ring *intake)
{
    if (intake == NULL) return;
    for (uint16_t i = 0; i < intake->count; i++) {
        transport_client_abandon(intake->members[i].client);
        intake->members[i].client = NULL;
    }
    intake_ring_destroy(intake);
}

void intake_ring_destroy(struct intake_ring *intake)
{
    if (intake == NULL) return;
    intake_ring_leave(intake);
    buffer_deinit(&intake->bytes);
    buffer_deinit(&intake->message);
    free(intake);
}
