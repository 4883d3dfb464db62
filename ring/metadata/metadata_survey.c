// Asking all members whether we miss something: at the start, and by whoever must not act on what
// is old.
//
//     ASKING --a majority has answered--> CATCHING UP --all that they know is applied--> done
//                                            \--one accepted more--> FINISHING --^
//
// A number that was chosen was accepted by one of any majority. So when a majority knows nothing
// that we have not applied, and accepted nothing beyond it, then we have all that was ever done
// before the question. What was accepted and not heard of again is proposed once more: it turns out
// to be chosen, or that nothing was.
#include "base/assert.h"
#include "base/container_of.h"
#include "ring/metadata/metadata_log_state.h"

#include <stdlib.h>

// What is under way at others mostly ends by itself.
#define SURVEY_PATIENCE_NS UINT64_C(20000000)

static void survey_begin(struct metadata_log *log);

static void free_waits(struct log_survey_wait *waits)
{
    while (waits != NULL) {
        struct log_survey_wait *next = waits->next;
        free(waits);
        waits = next;
    }
}

static void run_done(struct env_task *task)
{
    struct metadata_log *log = CONTAINER_OF(task, struct metadata_log, survey.task);
    while (log->survey.ended != NULL) {
        struct log_survey_wait *wait = log->survey.ended;
        log->survey.ended = wait->next;
        wait->done(wait->context);
        free(wait);
    }
}

// Those that were served are told in a later turn.
static void survey_tell(struct metadata_log *log, struct log_survey_wait **waits)
{
    struct log_survey_wait **end = &log->survey.ended;
    while (*end != NULL)
        end = &(*end)->next;
    *end = *waits;
    *waits = NULL;
    env_task_post(log->env, &log->survey.task, run_done);
}

static void finish(struct metadata_log *log)
{
    if (log->messaging == NULL || log->has_left) return;
    log->proposer.wants_to_finish = true;
    log->proposer.finish_deadline_ns = env_monotonic_ns(log->env) + LOG_APPEND_TIMEOUT_NS;
    proposer_kick(log);
}

static void survey_end(struct metadata_log *log, bool is_complete)
{
    struct log_survey *survey = &log->survey;
    survey->is_active = false;
    survey->is_complete = is_complete;
    env_timer_stop(log->env, &survey->timer);
    env_timer_stop(log->env, &survey->finish_timer);
    // Find out, though nobody waits for it.
    if (acceptor_newest(log) > log->known) finish(log);
    survey_tell(log, &survey->served);
    if (survey->waiting != NULL) survey_begin(log);
}

// The most that those who answered know, and that they accepted, we among them.
static uint16_t count_answers(const struct metadata_log *log, uint64_t *known, uint64_t *accepted)
{
    uint16_t count = 1;
    *known = log->known;
    *accepted = acceptor_newest(log);
    for (uint16_t m = 0; m < log->member_count; m++) {
        const struct log_peer *peer = &log->peers[m];
        if (m == log->self || !peer->has_answered) continue;
        count++;
        if (peer->heard > *known) *known = peer->heard;
        if (peer->accepted > *accepted) *accepted = peer->accepted;
    }
    return count;
}

static bool any_has_to_answer(const struct metadata_log *log)
{
    for (uint16_t m = 0; m < log->member_count; m++)
        if (log->peers[m].is_surveyed) return true;
    return false;
}

static void patience_is_over(struct env_timer *timer)
{
    finish(CONTAINER_OF(timer, struct metadata_log, survey.finish_timer));
}

void survey_look(struct metadata_log *log)
{
    struct log_survey *survey = &log->survey;
    if (!survey->is_active) return;
    uint64_t known, accepted;
    bool is_majority = count_answers(log, &known, &accepted) >= log_majority(log);
    if (!is_majority && any_has_to_answer(log)) return;
    if (log_is_broken(log)) {
        survey_end(log, false);
        return;
    }
    if (log->applied < known) return; // It is fetched, and then looked at again.
    if (!is_majority || accepted <= log->known || survey->nothing_at == log->known + 1) {
        survey_end(log, is_majority);
        return;
    }
    if (!env_timer_is_started(&survey->finish_timer))
        env_timer_start(log->env, &survey->finish_timer, SURVEY_PATIENCE_NS, patience_is_over);
}

void survey_nothing_at(struct metadata_log *log, uint64_t number)
{
    log->survey.nothing_at = number;
    survey_look(log);
}

static void surveyed(struct messaging_request *request, enum status status, struct slice bytes)
{
    struct metadata_log *log = CONTAINER_OF(request, struct log_peer_request, request)->log;
    struct log_peer *peer = &log->peers[request->member];
    peer->is_surveyed = false;
    peer->has_answered = status == STATUS_OK && catch_up_take_answer(log, request->member, bytes);
    catch_up_go_on(log);
}

static void survey_timed_out(struct env_timer *timer)
{
    survey_end(CONTAINER_OF(timer, struct metadata_log, survey.timer), false);
}

static void survey_begin(struct metadata_log *log)
{
    struct log_survey *survey = &log->survey;
    if (log_is_alone(log) || log->messaging == NULL || log->has_left) {
        survey->is_complete = false;
        survey_tell(log, &survey->waiting);
        return;
    }
    survey->served = survey->waiting;
    survey->waiting = NULL;
    survey->is_active = true;
    survey->nothing_at = 0;
    env_timer_start(log->env, &survey->timer, survey->timeout_ns, survey_timed_out);
    struct buffer body;
    buffer_init(&body, LOG_FETCH_BODY_SIZE);
    catch_up_put_fetch(log, &body);
    for (uint16_t m = 0; m < log->member_count; m++) {
        if (m == log->self) continue;
        messaging_cancel(log->messaging, &log->peers[m].survey.request);
        log->peers[m].is_surveyed = true;
        log->peers[m].has_answered = false;
        messaging_send(log->messaging, &log->peers[m].survey.request, m, VERB_LOG_FETCH,
                       buffer_slice(&body), survey->timeout_ns, surveyed);
    }
    buffer_deinit(&body);
    survey->timeout_ns = 0;
}

bool metadata_log_is_caught_up(const struct metadata_log *log)
{
    return log_is_alone(log) || log->survey.is_complete;
}

void metadata_log_catch_up_all(struct metadata_log *log, uint64_t timeout_ns,
                               void (*done)(void *context), void *context)
{
    struct log_survey *survey = &log->survey;
    struct log_survey_wait *wait = calloc(1, sizeof *wait), **end = &survey->waiting;
    ASSERT(wait != NULL);
    *wait = (struct log_survey_wait){done, context, NULL};
    while (*end != NULL)
        end = &(*end)->next;
    *end = wait;
    if (timeout_ns > survey->timeout_ns) survey->timeout_ns = timeout_ns;
    if (!survey->is_active) survey_begin(log);
}

void survey_leave(struct metadata_log *log)
{
    for (uint16_t m = 0; m < log->member_count; m++) {
        messaging_cancel(log->messaging, &log->peers[m].survey.request);
        log->peers[m].is_surveyed = false;
    }
    if (log->survey.is_active) survey_end(log, false);
}

void survey_free(struct metadata_log *log)
{
    free_waits(log->survey.waiting);
    free_waits(log->survey.served);
    free_waits(log->survey.ended);
}
