#include "stream/job/worker_link.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "ring/transport/transport.h"
#include "stream/job/shuffle.h"

#include <inttypes.h>
#include <stdlib.h>

// Batches recorded ahead of what is done. Records that came too late, one after the other.
enum { WORKER_LINK_DEPTH = 1, WORKER_LINK_CONFLICTS_MAX = 5 };

#define WORKER_LINK_PAUSE_MIN_NS (20 * (uint64_t)1000000)
#define WORKER_LINK_PAUSE_MAX_NS (1000 * (uint64_t)1000000)
#define WORKER_LINK_TICK_NS      (250 * (uint64_t)1000000)
// A home that says nothing for so long is left, if there is another; a member that could not be
// reached gets no range for so long.
#define WORKER_LINK_SILENCE_NS (4000 * (uint64_t)1000000)
#define WORKER_LINK_SHUN_NS    (1000 * (uint64_t)1000000)

enum worker_link_state {
    LINK_CONNECTING,
    LINK_SUBMITTING,
    LINK_IDLE,
    LINK_RECORDING,
    LINK_SETTLING,
    LINK_MARKING, // DONE is on its way: a checkpoint, or the end.
    LINK_ENDED
};

struct worker_link {
    struct env *env;
    struct worker_link_options options;
    struct worker_link_events events;
    void *context;
    enum worker_link_state state;
    struct transport_client *client; // To the home.
    struct env_address home;
    struct transport_request request, ring_request;
    uint64_t asked_ns, ring_asked_ns; // 0: nothing is under way.
    struct buffer message;

    struct job_ring ring; // As the home saw it last.
    bool has_ring;
    uint64_t shunned_until_ns[JOB_MEMBERS_MAX];
    uint16_t tried_count; // Members that were tried since one answered.
    struct shuffle *shuffle;
    struct cut cut; // Of the batch that settles.

    struct job job;
    struct job_batch batches[JOB_BATCHES_MAX];
    bool was_submitted; // The owner knows the job.
    bool has_recorded;  // A batch of our own.
    uint32_t conflict_count;
    uint64_t log_number; // Of the last record of ours.
    uint64_t done_through, grand_total, sums_hash;
    uint64_t marked_through; // What the log has been told.
    bool is_finishing;

    struct mapper_batch *batch;

    uint64_t last_answer_ns, pause_ns;
    struct env_timer pause, tick;
    struct error trouble;
    bool is_in_trouble;
};

static void worker_link_connect(struct worker_link *link);
static void worker_link_go_on(struct worker_link *link);

// ---- Faults ------------------------------------------------------------------------------------

static void worker_link_disconnect(struct worker_link *link)
{
    transport_client_destroy(link->client);
    link->client = NULL;
    link->asked_ns = link->ring_asked_ns = 0;
}

static void worker_link_stop(struct worker_link *link)
{
    link->state = LINK_ENDED;
    env_timer_stop(link->env, &link->pause);
    env_timer_stop(link->env, &link->tick);
    shuffle_stop(link->shuffle);
    worker_link_disconnect(link);
}

static void worker_link_fail(struct worker_link *link, const struct error *error)
{
    struct error copy = *error;
    worker_link_stop(link);
    link->events.failed(link->context, &copy);
}

static bool worker_link_may_pass(enum status status)
{
    switch (status) {
    case STATUS_IO:
    case STATUS_REFUSED:
    case STATUS_CLOSED:
    case STATUS_TIMED_OUT:
    case STATUS_OVERLOADED:
    case STATUS_IN_USE:
    case STATUS_NOT_FOUND:
    case STATUS_CORRUPT: // A frame that was damaged on its way.
    case STATUS_NO_SPACE:
    case STATUS_CANCELED: // The node stops.
        return true;
    default:
        return false;
    }
}

static void worker_link_paused(struct env_timer *timer)
{
    worker_link_connect(CONTAINER_OF(timer, struct worker_link, pause));
}

// The next member in the list, one that was up before one that was not.
static void worker_link_change_home(struct worker_link *link)
{
    const struct job_ring *ring = &link->ring;
    if (!link->has_ring || ring->member_count < 2) return;
    uint16_t at = 0;
    for (uint16_t i = 0; i < ring->member_count; i++)
        if (memcmp(&ring->members[i].address, &link->home, sizeof link->home) == 0) at = i;
    uint16_t next = (uint16_t)((at + 1) % ring->member_count);
    for (uint16_t i = 1; i < ring->member_count && link->tried_count < ring->member_count; i++) {
        uint16_t member = (uint16_t)((at + i) % ring->member_count);
        if (!ring->members[member].is_up) continue;
        next = member;
        break;
    }
    env_mark(link->env, ENV_MARK_LINK_HOME_CHANGED);
    link->home = ring->members[next].address;
}

// At once while there are members that were not tried, else after a pause.
static void worker_link_connect_later(struct worker_link *link)
{
    link->state = LINK_CONNECTING;
    link->tried_count++;
    uint64_t delay_ns = link->pause_ns;
    if (link->has_ring && link->tried_count < link->ring.member_count)
        delay_ns = 0;
    else
        link->pause_ns = link->pause_ns * 2 > WORKER_LINK_PAUSE_MAX_NS ? WORKER_LINK_PAUSE_MAX_NS
                                                                       : link->pause_ns * 2;
    env_timer_start(link->env, &link->pause, delay_ns, worker_link_paused);
}

static void worker_link_tell_trouble(struct worker_link *link, const char *text)
{
    (void)error_set(&link->trouble, STATUS_TIMED_OUT, "%s", text);
    if (!link->is_in_trouble) link->events.trouble(link->context, link->trouble.text);
    link->is_in_trouble = true;
}

// Something went wrong: begins again with a new connection, unless that is of no use.
static void worker_link_begin_again(struct worker_link *link, const struct error *error)
{
    if (!worker_link_may_pass(error->status)) {
        worker_link_fail(link, error);
        return;
    }
    worker_link_disconnect(link);
    env_mark(link->env, ENV_MARK_LINK_BEGAN_AGAIN);
    worker_link_tell_trouble(link, error->text);
    worker_link_change_home(link);
    worker_link_connect_later(link);
}

// The log has another record than ours, or had ours before: the same node tells what it is.
static void worker_link_look_again(struct worker_link *link, const struct error *error)
{
    if (++link->conflict_count > WORKER_LINK_CONFLICTS_MAX) {
        worker_link_fail(link, error);
        return;
    }
    env_mark(link->env, ENV_MARK_LINK_CONFLICT);
    worker_link_disconnect(link);
    link->state = LINK_CONNECTING;
    env_timer_start(link->env, &link->pause, link->conflict_count > 1 ? link->pause_ns : 0,
                    worker_link_paused);
}

static void worker_link_ask_ring(struct worker_link *link);

// A home that says nothing, where another may.
static bool worker_link_is_silent(const struct worker_link *link, uint64_t now)
{
    if (!link->has_ring || link->ring.member_count < 2) return false;
    return (link->asked_ns != 0 && now - link->asked_ns > WORKER_LINK_SILENCE_NS) ||
           (link->ring_asked_ns != 0 && now - link->ring_asked_ns > WORKER_LINK_SILENCE_NS);
}

static void worker_link_tick(struct env_timer *timer)
{
    struct worker_link *link = CONTAINER_OF(timer, struct worker_link, tick);
    uint64_t now = env_monotonic_ns(link->env);
    bool waits = link->state != LINK_IDLE;
    if (!waits) link->last_answer_ns = now;
    char address[ENV_ADDRESS_TEXT_SIZE];
    struct error error;
    env_address_format(&link->home, address);
    if (waits && now - link->last_answer_ns > link->options.timeout_ns) {
        (void)error_set(&error, STATUS_TIMED_OUT, "%s: no answer for %" PRIu64 " s%s%s", address,
                        link->options.timeout_ns / 1000000000, link->is_in_trouble ? ": " : "",
                        link->is_in_trouble ? link->trouble.text : "");
        worker_link_fail(link, &error);
        return;
    }
    env_timer_start(link->env, &link->tick, WORKER_LINK_TICK_NS, worker_link_tick);
    shuffle_tick(link->shuffle);
    if (worker_link_is_silent(link, now)) {
        (void)error_set(&error, STATUS_TIMED_OUT, "%s: no answer", address);
        worker_link_begin_again(link, &error);
    } else if (link->client != NULL && link->state >= LINK_IDLE) {
        worker_link_ask_ring(link);
    }
}

// An answer came that moves the job on.
static void worker_link_made_progress(struct worker_link *link)
{
    link->last_answer_ns = env_monotonic_ns(link->env);
    link->pause_ns = WORKER_LINK_PAUSE_MIN_NS;
    link->tried_count = 0;
    link->conflict_count = 0;
    if (!link->is_in_trouble) return;
    link->is_in_trouble = false;
    link->events.trouble(link->context, "");
}

// What an answer says; begins again when it is no good.
static bool worker_link_is_good(struct worker_link *link, enum status status, uint8_t type,
                                struct cursor *answer)
{
    struct error error;
    link->asked_ns = 0;
    if (status != STATUS_OK)
        (void)error_set(&error, status, "the connection broke: %s", status_text(status));
    else if (type != JOB_ANSWER)
        status = error_set(&error, STATUS_MALFORMED, "the node answered something else");
    else
        status = job_take_answer(answer, &error);
    if (status == STATUS_OK) return true;
    if (status == STATUS_CONFLICT)
        worker_link_look_again(link, &error);
    else
        worker_link_begin_again(link, &error);
    return false;
}

static void worker_link_send(struct worker_link *link, uint8_t type,
                             void (*done)(struct transport_request *, enum status, uint8_t,
                                          struct slice))
{
    ASSERT(!link->message.overflow);
    link->asked_ns = env_monotonic_ns(link->env);
    transport_client_send(link->client, &link->request, type, buffer_slice(&link->message), done);
}

static struct worker_link *worker_link_of(struct transport_request *request)
{
    return CONTAINER_OF(request, struct worker_link, request);
}

// ---- DONE --------------------------------------------------------------------------------------

static void worker_link_marked(struct transport_request *request, enum status status, uint8_t type,
                               struct slice payload)
{
    struct worker_link *link = worker_link_of(request);
    struct cursor answer = cursor_make(payload);
    if (!worker_link_is_good(link, status, type, &answer)) return;
    worker_link_made_progress(link);
    link->marked_through = link->done_through;
    link->state = LINK_IDLE;
    if (!link->is_finishing) {
        worker_link_go_on(link);
        return;
    }
    worker_link_stop(link);
    link->events.finished(link->context);
}

static void worker_link_mark(struct worker_link *link)
{
    link->state = LINK_MARKING;
    buffer_clear(&link->message);
    uuid_put(&link->message, link->job.id);
    buffer_put_vint(&link->message, link->done_through);
    buffer_put_u64(&link->message, link->grand_total);
    buffer_put_u64(&link->message, link->sums_hash);
    buffer_put_u8(&link->message, link->is_finishing ? JOB_FINISHED : JOB_OPEN);
    worker_link_send(link, JOB_DONE, worker_link_marked);
}

// ---- The ring ----------------------------------------------------------------------------------

// Members that a range may go to, by bit.
static uint64_t worker_link_usable(const struct worker_link *link)
{
    uint64_t now = env_monotonic_ns(link->env), usable = 0;
    for (uint16_t i = 0; i < link->ring.member_count; i++)
        if (link->ring.members[i].is_up && now >= link->shunned_until_ns[i])
            usable |= UINT64_C(1) << i;
    // Somebody must have it; there will be answers, or the time is up.
    return usable != 0 ? usable : UINT64_C(1) << link->ring.self;
}

static void worker_link_send_batch(struct worker_link *link);

// What the home says of the ring. A member that is gone and has not reported the batch in hand will
// not: then the others do it. One that is back waits for the next batch.
static void worker_link_see_ring(struct worker_link *link)
{
    if (link->state != LINK_SETTLING) return;
    uint64_t usable = worker_link_usable(link);
    for (uint16_t i = 0; i < link->ring.member_count; i++) {
        if ((usable >> i & 1) != 0 || !shuffle_waits_for(link->shuffle, i)) continue;
        env_mark(link->env, ENV_MARK_CUT_CHANGED);
        worker_link_send_batch(link);
        return;
    }
}

static bool worker_link_take_ring(struct worker_link *link, struct cursor *answer)
{
    struct job_ring *ring = malloc(sizeof *ring);
    ASSERT(ring != NULL);
    bool is_sound = job_take_ring(answer, ring);
    if (is_sound && ring->member_count == 0) ring->members[0].address = link->home;
    if (is_sound) link->ring = *ring;
    link->has_ring = link->has_ring || is_sound;
    free(ring);
    return is_sound;
}

static void worker_link_ring_came(struct transport_request *request, enum status status,
                                  uint8_t type, struct slice payload)
{
    struct worker_link *link = CONTAINER_OF(request, struct worker_link, ring_request);
    struct cursor answer = cursor_make(payload);
    struct error error;
    link->ring_asked_ns = 0;
    if (status != STATUS_OK || type != JOB_ANSWER) return; // The connection's end follows.
    if (job_take_answer(&answer, &error) != STATUS_OK) return;
    if (worker_link_take_ring(link, &answer)) worker_link_see_ring(link);
}

static void worker_link_ask_ring(struct worker_link *link)
{
    if (link->ring.member_count < 2 || link->ring_asked_ns != 0) return;
    link->ring_asked_ns = env_monotonic_ns(link->env);
    transport_client_send(link->client, &link->ring_request, JOB_RING, slice_make("", 0),
                          worker_link_ring_came);
}

// ---- A batch -----------------------------------------------------------------------------------

static void worker_link_reported(void *context, const struct job_report *report)
{
    struct worker_link *link = context;
    if (link->state != LINK_SETTLING) return; // The home is being looked for: it is sent again.
    worker_link_made_progress(link);
    struct mapper_batch *batch = link->batch;
    ASSERT(batch->record.number == link->done_through + 1);
    env_mark(link->env, ENV_MARK_BATCH_DONE);
    link->done_through = batch->record.number;
    link->grand_total += batch->sum;
    link->sums_hash = report->hash;
    link->batch = NULL;
    link->state = LINK_IDLE;
    link->events.settled(link->context, batch);
}

static void worker_link_send_batch(struct worker_link *link)
{
    link->state = LINK_SETTLING;
    cut_make(&link->cut, &link->ring, worker_link_usable(link));
    struct shuffle_task task = {
        .job = link->job.id,
        .done_through = link->done_through,
        .log_number = link->log_number,
        .home = link->ring.self,
        .targets = link->options.submission->targets,
        .target_count = link->options.submission->target_count,
    };
    shuffle_start(link->shuffle, &task, link->batch, &link->ring, &link->cut);
}

// A reducer is lost: the others take its ranges. Where there is none, or where it refuses, the
// home says what is the matter.
static void worker_link_reducer_failed(void *context, uint16_t member, bool is_lost,
                                       const struct error *error)
{
    struct worker_link *link = context;
    if (is_lost && link->ring.member_count > 1)
        link->shunned_until_ns[member] = env_monotonic_ns(link->env) + WORKER_LINK_SHUN_NS;
    if (link->state != LINK_SETTLING) return;
    if (!is_lost && error->status == STATUS_CONFLICT) {
        worker_link_look_again(link, error);
        return;
    }
    bool has_other = (worker_link_usable(link) >> member & 1) == 0;
    if (!is_lost || !has_other) {
        worker_link_begin_again(link, error);
        return;
    }
    worker_link_tell_trouble(link, error->text);
    env_mark(link->env, ENV_MARK_CUT_CHANGED);
    worker_link_send_batch(link);
}

static void worker_link_reducer_waits(void *context, const char *text)
{
    worker_link_tell_trouble(context, text);
}

static void worker_link_recorded(struct transport_request *request, enum status status,
                                 uint8_t type, struct slice payload)
{
    struct worker_link *link = worker_link_of(request);
    struct cursor answer = cursor_make(payload);
    if (!worker_link_is_good(link, status, type, &answer)) return;
    worker_link_made_progress(link);
    link->log_number = cursor_vint(&answer);
    link->marked_through = link->done_through;
    link->batch->is_recorded = link->has_recorded = true;
    env_mark(link->env, ENV_MARK_BATCH_RECORDED);
    worker_link_send_batch(link);
}

// Rule 1: a batch runs only from a record that was applied.
static void worker_link_record(struct worker_link *link)
{
    link->state = LINK_RECORDING;
    struct job_batch *record = &link->batch->record;
    record->sums_hash_done = link->sums_hash;
    buffer_clear(&link->message);
    uuid_put(&link->message, link->job.id);
    job_put_batch(&link->message, record, link->options.submission->source_count);
    buffer_put_vint(&link->message, link->done_through);
    buffer_put_u64(&link->message, link->grand_total);
    buffer_put_vint(&link->message, WORKER_LINK_DEPTH);
    worker_link_send(link, JOB_BATCH, worker_link_recorded);
}

// What is to be done next, with a job that stands as `link->job` says.
static void worker_link_go_on(struct worker_link *link)
{
    if (link->batch == NULL) {
        link->state = LINK_IDLE;
        if (link->is_finishing)
            worker_link_mark(link);
        else
            link->events.idle(link->context);
    } else if (link->batch->is_recorded) {
        env_mark(link->env, ENV_MARK_BATCH_SENT_AGAIN);
        worker_link_send_batch(link);
    } else {
        worker_link_record(link);
    }
}

// ---- Connecting, submitting --------------------------------------------------------------------

// A node that has not heard yet what the ring has recorded: the log never goes back.
static bool worker_link_is_stale(const struct worker_link *link)
{
    bool has_record = link->batch != NULL && link->batch->is_recorded;
    return link->job.last_batch < link->done_through + has_record ||
           link->ring.log_number < link->log_number;
}

// The log after a fault: a batch in hand may be recorded though the answer was lost. Anything else
// that is not as we left it was another worker's doing.
static bool worker_link_look_at_job(struct worker_link *link)
{
    const struct job *job = &link->job;
    uint64_t ours = link->done_through + (link->batch != NULL);
    if (link->batch != NULL && !link->batch->is_recorded) {
        const struct job_batch *record = &link->batch->record;
        for (size_t i = 0; i < job->batch_count; i++) {
            const struct job_batch *at = &job->batches[i];
            if (at->number == record->number && at->timestamp_us == record->timestamp_us &&
                at->offsets[0].from == record->offsets[0].from &&
                at->offsets[0].to == record->offsets[0].to && at->input_hash == record->input_hash)
                link->batch->is_recorded = true;
        }
        if (!link->batch->is_recorded) ours--;
    }
    // Batches that are to be run again stand behind the one in hand.
    return job->last_batch >= ours && job->done_through <= link->done_through &&
           (job->last_batch == ours || link->batch == NULL || link->batch->is_recorded);
}

static bool worker_link_take_columns(struct worker_link *link, struct cursor *answer,
                                     struct output_column *columns)
{
    size_t count = 0;
    for (size_t i = 0; i < link->options.submission->target_count; i++) {
        for (size_t j = 0; j < link->options.submission->targets[i].column_count; j++) {
            struct output_column *column = &columns[count++];
            uint8_t role = cursor_u8(answer);
            column->index = cursor_u16(answer);
            uint8_t type = cursor_u8(answer);
            if (role > OUTPUT_COUNTER || type >= TYPE_KIND_COUNT) return false;
            column->role = (enum output_role)role;
            column->type = (enum type_kind)type;
        }
    }
    return !answer->failed;
}

static void worker_link_was_submitted(struct worker_link *link, struct cursor *answer)
{
    struct output_column columns[OUTPUTS_MAX * OUTPUT_COLUMNS_MAX];
    struct error error;
    if (!job_take_job(answer, &link->job, link->batches, JOB_BATCHES_MAX) ||
        !worker_link_take_columns(link, answer, columns) || !worker_link_take_ring(link, answer)) {
        (void)error_set(&error, STATUS_MALFORMED, "the node's answer makes no sense");
        worker_link_fail(link, &error);
        return;
    }
    bool is_first = !link->was_submitted;
    if (!is_first && worker_link_is_stale(link)) {
        (void)error_set(&error, STATUS_TIMED_OUT, "the node misses a part of the metadata log");
        worker_link_begin_again(link, &error);
        return;
    }
    link->log_number = link->ring.log_number;
    if (is_first) {
        link->done_through = link->marked_through = link->job.done_through;
        link->grand_total = link->job.grand_total;
        link->sums_hash = link->job.sums_hash;
        link->was_submitted = true;
    } else if (link->is_finishing && link->job.state == JOB_FINISHED) {
        env_mark(link->env, ENV_MARK_LINK_FINISHED_BEFORE);
        worker_link_stop(link);
        link->events.finished(link->context);
        return;
    } else if (link->job.state != JOB_OPEN || !worker_link_look_at_job(link)) {
        if (link->job.state != JOB_OPEN)
            (void)error_set(&error, STATUS_CONFLICT, "the job is %s",
                            jobs_state_text(link->job.state));
        else
            (void)error_set(&error, STATUS_CONFLICT,
                            "another worker runs this job: %" PRIu64 " batches are recorded and "
                            "%" PRIu64 " done, not %" PRIu64 " and %" PRIu64,
                            link->job.last_batch, link->job.done_through,
                            link->done_through + (link->batch != NULL), link->done_through);
        worker_link_fail(link, &error);
        return;
    }
    link->state = LINK_IDLE;
    if (is_first && (link->job.state == JOB_SEALED || link->job.state == JOB_BROKEN)) {
        (void)error_set(&error, STATUS_INVALID, "the job is %s", jobs_state_text(link->job.state));
        worker_link_fail(link, &error);
    } else if (is_first) {
        worker_link_made_progress(link);
        link->events.submitted(link->context, &link->job, columns);
    } else {
        worker_link_go_on(link);
    }
}

static void worker_link_submit_answered(struct transport_request *request, enum status status,
                                        uint8_t type, struct slice payload)
{
    struct worker_link *link = worker_link_of(request);
    struct cursor answer = cursor_make(payload);
    if (worker_link_is_good(link, status, type, &answer)) worker_link_was_submitted(link, &answer);
}

static void worker_link_connected(void *context)
{
    struct worker_link *link = context;
    link->state = LINK_SUBMITTING;
    buffer_clear(&link->message);
    // Who has its job asks for that one, also if it resumed a job that another submission made, and
    // whatever has become of it: by its name alone a finished one would begin anew.
    struct job_submission submission = *link->options.submission;
    if (link->was_submitted) submission.id = link->job.submission_id;
    job_put_submission(&link->message, &submission);
    worker_link_send(link, JOB_SUBMIT, worker_link_submit_answered);
}

// The client's requests have been answered before, and one of them began again already, unless none
// was under way.
static void worker_link_disconnected(void *context, enum status status)
{
    struct worker_link *link = context;
    if (link->client == NULL || link->state == LINK_ENDED) return;
    char address[ENV_ADDRESS_TEXT_SIZE];
    env_address_format(&link->home, address);
    struct error error;
    (void)error_set(&error, status, "%s: %s", address, status_text(status));
    // An idle link has nothing to lose; it connects again before its next batch is due.
    worker_link_begin_again(link, &error);
}

static void worker_link_connect(struct worker_link *link)
{
    static const struct transport_client_events events = {worker_link_connected,
                                                          worker_link_disconnected};
    link->state = LINK_CONNECTING;
    link->asked_ns = env_monotonic_ns(link->env);
    link->client =
        transport_client_create(link->env, &link->home, link->options.timeout_ns, &events, link);
}

// ---- For the owner -----------------------------------------------------------------------------

struct worker_link *worker_link_create(struct env *env, const struct worker_link_options *options,
                                       const struct worker_link_events *events, void *context)
{
    static const struct shuffle_events shuffle_events = {
        worker_link_reported, worker_link_reducer_failed, worker_link_reducer_waits};
    struct worker_link *link = calloc(1, sizeof *link);
    ASSERT(link != NULL);
    link->env = env;
    link->options = *options;
    link->events = *events;
    link->context = context;
    link->pause_ns = WORKER_LINK_PAUSE_MIN_NS;
    link->last_answer_ns = env_monotonic_ns(env);
    buffer_init(&link->message, TRANSPORT_MESSAGE_SIZE_MAX);
    link->home = options->ring;
    link->shuffle = shuffle_create(env, options->timeout_ns, &shuffle_events, link);
    env_timer_start(env, &link->tick, WORKER_LINK_TICK_NS, worker_link_tick);
    worker_link_connect(link);
    return link;
}

void worker_link_abandon(struct worker_link *link)
{
    if (link == NULL) return;
    transport_client_abandon(link->client); // No task of a dead process would come to free it.
    link->client = NULL;
    shuffle_abandon(link->shuffle);
    link->shuffle = NULL;
    worker_link_destroy(link);
}

void worker_link_destroy(struct worker_link *link)
{
    if (link == NULL) return;
    if (link->shuffle != NULL) worker_link_stop(link);
    env_timer_stop(link->env, &link->pause);
    env_timer_stop(link->env, &link->tick);
    shuffle_destroy(link->shuffle);
    mapper_batch_destroy(link->batch);
    buffer_deinit(&link->message);
    free(link);
}

void worker_link_leave(struct worker_link *link)
{
    worker_link_stop(link);
}

bool worker_link_is_idle(const struct worker_link *link)
{
    return link->state == LINK_IDLE && link->batch == NULL;
}

void worker_link_settle(struct worker_link *link, struct mapper_batch *batch)
{
    ASSERT(worker_link_is_idle(link));
    ASSERT(batch->record.number == link->done_through + 1);
    link->batch = batch;
    link->last_answer_ns = env_monotonic_ns(link->env);
    worker_link_go_on(link);
}

void worker_link_finish(struct worker_link *link)
{
    ASSERT(worker_link_is_idle(link));
    link->is_finishing = true;
    link->last_answer_ns = env_monotonic_ns(link->env);
    worker_link_mark(link);
}

void worker_link_checkpoint(struct worker_link *link)
{
    if (!worker_link_is_idle(link) || link->marked_through == link->done_through) return;
    worker_link_mark(link);
}

const struct job_ring *worker_link_ring(const struct worker_link *link)
{
    return &link->ring;
}

enum job_state worker_link_job_state(const struct worker_link *link)
{
    return link->job.state;
}

uint64_t worker_link_grand_total(const struct worker_link *link)
{
    return link->grand_total;
}

bool worker_link_is_new(const struct worker_link *link)
{
    return !link->has_recorded;
}
