#include "ring/metadata/metadata_log.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "ring/metadata/metadata_log_state.h"

#include <stdlib.h>

// ---- Values -------------------------------------------------------------------------------------

struct log_value *log_value_make(struct slice bytes)
{
    struct cursor cursor = cursor_make(bytes);
    uint16_t origin = cursor_u16(&cursor);
    uint64_t life = cursor_u64(&cursor);
    uint64_t sequence = cursor_u64(&cursor);
    uint64_t count = cursor_vint(&cursor);
    for (uint64_t i = 0; i < count && !cursor.failed; i++)
        (void)cursor_vint_bytes(&cursor);
    if (cursor.failed || cursor_left(&cursor) > 0 || bytes.size > LOG_VALUE_SIZE_MAX) return NULL;
    struct log_value *value = malloc(sizeof *value + bytes.size);
    ASSERT(value != NULL);
    memcpy(value + 1, bytes.data, bytes.size);
    *value = (struct log_value){1, origin, life, sequence, slice_make(value + 1, bytes.size)};
    return value;
}

struct log_value *log_value_ref(struct log_value *value)
{
    value->references++;
    return value;
}

void log_value_unref(struct log_value *value)
{
    if (value != NULL && --value->references == 0) free(value);
}

bool log_value_equals(const struct log_value *a, const struct log_value *b)
{
    return a->origin == b->origin && a->life == b->life && a->sequence == b->sequence;
}

// ---- History ------------------------------------------------------------------------------------

static size_t history_place(uint64_t number)
{
    return (size_t)(number % LOG_HISTORY_MAX);
}

static void history_forget_oldest(struct metadata_log *log)
{
    struct log_value **oldest = &log->history[history_place(log->applied + 1 - log->history_count)];
    log->history_size -= (*oldest)->bytes.size;
    log_value_unref(*oldest);
    *oldest = NULL;
    log->history_count--;
}

static void history_forget_all(struct metadata_log *log)
{
    while (log->history_count > 0)
        history_forget_oldest(log);
}

// Before `applied` moves to its number.
static void history_add(struct metadata_log *log, struct log_value *value)
{
    while (log->history_count > 0 && (log->history_count == LOG_HISTORY_MAX ||
                                      log->history_size + value->bytes.size > LOG_HISTORY_SIZE_MAX))
        history_forget_oldest(log);
    log->history[history_place(log->applied + 1)] = log_value_ref(value);
    log->history_size += value->bytes.size;
    log->history_count++;
}

struct log_value *log_find_value(struct metadata_log *log, uint64_t number)
{
    if (number <= log->applied)
        return log->applied - number < log->history_count ? log->history[history_place(number)]
                                                          : NULL;
    const struct log_slot *slot = &log->slots[number % LOG_WINDOW];
    return slot->number == number && slot->is_chosen ? slot->value : NULL;
}

// ---- Lists of appends ---------------------------------------------------------------------------

static void list_add(struct metadata_log_append ***end, struct metadata_log_append *append)
{
    append->next = NULL;
    **end = append;
    *end = &append->next;
}

// Takes out those for which `condition` holds, in order.
static struct metadata_log_append *
list_take(struct metadata_log_append **list, struct metadata_log_append ***end,
          bool (*condition)(const struct metadata_log_append *, uint64_t value), uint64_t value)
{
    struct metadata_log_append *taken = NULL, **taken_end = &taken;
    struct metadata_log_append **place = list;
    while (*place != NULL) {
        struct metadata_log_append *append = *place;
        if (!condition(append, value)) {
            place = &append->next;
            continue;
        }
        *place = append->next;
        list_add(&taken_end, append);
    }
    *end = place;
    return taken;
}

static bool append_is_late(const struct metadata_log_append *append, uint64_t now_ns)
{
    return now_ns >= append->deadline_ns;
}

static bool append_is_of(const struct metadata_log_append *append, uint64_t sequence)
{
    return append->sequence == sequence;
}

// Ends the appends of a list with their own status, or with `status` if that is not OK.
static void end_appends(struct metadata_log_append *list, enum status status)
{
    while (list != NULL) {
        struct metadata_log_append *append = list;
        list = append->next;
        append->done(append, status == STATUS_OK ? append->status : status);
    }
}

bool log_is_broken(const struct metadata_log *log)
{
    return metadata_journal_fault(log->journal) != STATUS_OK;
}

// ---- Applying -----------------------------------------------------------------------------------

// Those of our own that are in the value get the status of their record, and wait for the others.
static void set_status(struct metadata_log_append *list, uint64_t index, enum status status)
{
    for (struct metadata_log_append *append = list; append != NULL; append = append->next)
        if (append->index == index) append->status = status;
}

static void apply_value(struct metadata_log *log, struct log_value *value)
{
    struct metadata_log_append *ours = NULL;
    if (value->origin == log->self && value->life == log->life)
        ours = list_take(&log->proposed, &log->proposed_end, append_is_of, value->sequence);
    uint64_t number = log->applied + 1;
    struct cursor cursor = cursor_make(value->bytes);
    (void)cursor_take(&cursor, sizeof(uint16_t) + 2 * sizeof(uint64_t));
    uint64_t count = cursor_vint(&cursor);
    history_add(log, value);
    // What hears of a record asks for the number that it has.
    log->applied = number;
    for (uint64_t i = 0; i < count; i++) {
        enum status status = log->events->applied(log->context, number, cursor_vint_bytes(&cursor));
        set_status(ours, i, status);
    }
    uint64_t deadline_ns = env_monotonic_ns(log->env) + LOG_SETTLE_TIMEOUT_NS;
    while (ours != NULL) {
        struct metadata_log_append *append = ours;
        ours = append->next;
        append->number = number;
        append->deadline_ns = deadline_ns;
        list_add(&log->settling_end, append);
    }
}

static void chosen_is_durable(struct metadata_journal_entry *entry, enum status status)
{
    struct log_pending *pending = CONTAINER_OF(entry, struct log_pending, entry);
    struct metadata_log *log = pending->log;
    uint64_t number = pending->number;
    log_pending_free(pending);
    if (status != STATUS_OK) {
        log_start_tick(log); // Which ends what waits.
        return;
    }
    // A whole state may have come meanwhile.
    if (number != log->applied + 1) return;
    struct log_slot *slot = acceptor_slot(log, number);
    ASSERT(slot->is_chosen && slot->value != NULL);
    struct log_value *value = log_value_ref(slot->value);
    acceptor_slot_clear(slot);
    apply_value(log, value);
    log_value_unref(value);
    catch_up_moved(log);
    log_check_settled(log);
    proposer_kick(log);
}

// `by_ballot`: the value stands in the journal already, accepted under this ballot.
static void journal_chosen(struct metadata_log *log, struct log_slot *slot, bool by_ballot)
{
    struct log_pending *pending = log_pending_create(log, LOG_VALUE_SIZE_MAX + 64);
    pending->number = slot->number;
    buffer_put_u64(&pending->bytes, slot->number);
    log_put_ballot(&pending->bytes, by_ballot ? slot->accepted : (struct ballot){0});
    if (!by_ballot) buffer_put(&pending->bytes, slot->value->bytes.data, slot->value->bytes.size);
    slot->is_journaled = true;
    metadata_journal_put(log->journal, &pending->entry, LOG_ENTRY_CHOSEN,
                         buffer_slice(&pending->bytes), chosen_is_durable);
}

// Chosen numbers go to the journal in order, without gaps: so they are applied.
static void advance_known(struct metadata_log *log)
{
    for (;;) {
        struct log_slot *slot = acceptor_slot(log, log->known + 1);
        if (slot == NULL || !slot->is_chosen) return;
        log->known++;
        if (!slot->is_journaled) journal_chosen(log, slot, slot->chosen_by_ballot);
        proposer_decided(log, log->known, slot->value);
    }
}

void log_learn(struct metadata_log *log, uint64_t number, struct log_value *value,
               struct ballot ballot)
{
    struct log_slot *slot = acceptor_slot(log, number);
    // A state that is being installed is beyond all that we know: nothing may overtake it.
    if (slot == NULL || slot->is_chosen || log_is_broken(log) || log->fetch.installs) return;
    if (!acceptor_has_room(log, number, value)) return; // It is fetched later.
    slot->is_chosen = true;
    slot->chosen_by_ballot = !ballot_is_none(ballot) && ballot_compare(slot->accepted, ballot) == 0;
    log_value_ref(value);
    log_value_unref(slot->value);
    slot->value = value;
    advance_known(log);
    proposer_kick(log);
}

void log_restored(struct metadata_log *log, uint64_t number)
{
    history_forget_all(log);
    log->applied = number;
    if (log->known < number) log->known = number;
    for (size_t i = 0; i < LOG_WINDOW; i++)
        if (log->slots[i].number <= number) acceptor_slot_clear(&log->slots[i]);
    // Whether what we proposed is in that state, nobody can say.
    proposer_stop(log);
    struct metadata_log_append *lost = log->proposed;
    log->proposed = NULL;
    log->proposed_end = &log->proposed;
    advance_known(log);
    catch_up_moved(log);
    end_appends(lost, STATUS_TIMED_OUT);
    proposer_kick(log);
}

// ---- The ends of appends ------------------------------------------------------------------------

static void tell_if_drained(struct metadata_log *log);

static bool append_is_settled(const struct metadata_log *log,
                              const struct metadata_log_append *append, uint64_t now_ns)
{
    if (log->messaging == NULL || append_is_late(append, now_ns)) return true;
    for (uint16_t m = 0; m < log->member_count; m++) {
        const struct log_peer *peer = &log->peers[m];
        if (m != log->self && !peer->is_down && peer->acknowledged < append->number) return false;
    }
    return true;
}

void log_check_settled(struct metadata_log *log)
{
    uint64_t now_ns = env_monotonic_ns(log->env);
    while (log->settling != NULL && append_is_settled(log, log->settling, now_ns)) {
        struct metadata_log_append *append = log->settling;
        if (append_is_late(append, now_ns)) env_mark(log->env, ENV_MARK_METADATA_NOT_SETTLED);
        log->settling = append->next;
        if (log->settling == NULL) log->settling_end = &log->settling;
        append->done(append, append->status);
    }
    tell_if_drained(log);
}

static bool is_waited_for(const struct metadata_log *log, const struct log_value *own)
{
    const struct metadata_log_append *append = log->proposed;
    while (append != NULL && own != NULL && append->sequence != own->sequence)
        append = append->next;
    return append != NULL || own == NULL;
}

// Ends all that nobody can bring further: because of time, a fault of the disk, or for good.
static void expire(struct metadata_log *log, uint64_t now_ns)
{
    enum status status = metadata_journal_fault(log->journal);
    if (status == STATUS_OK) status = STATUS_TIMED_OUT;
    if (log->has_left || log_is_broken(log)) now_ns = UINT64_MAX;
    struct metadata_log_append *late =
        list_take(&log->gathering, &log->gathering_end, append_is_late, now_ns);
    struct metadata_log_append *unknown =
        list_take(&log->proposed, &log->proposed_end, append_is_late, now_ns);
    if (late != NULL || unknown != NULL) env_mark(log->env, ENV_MARK_METADATA_TIMED_OUT);
    if (unknown != NULL && !is_waited_for(log, log->proposer.own)) proposer_stop(log);
    end_appends(unknown, status);
    end_appends(late, status);
    proposer_kick(log);
}

static void tick_fired(struct env_timer *timer)
{
    struct metadata_log *log = CONTAINER_OF(timer, struct metadata_log, tick);
    expire(log, env_monotonic_ns(log->env));
    if (log->settling != NULL) proposer_retry_commits(log);
    catch_up_tick(log);
    if (log->gathering != NULL || log->proposed != NULL || log->settling != NULL)
        log_start_tick(log);
    log_check_settled(log);
}

void log_start_tick(struct metadata_log *log)
{
    if (!env_timer_is_started(&log->tick))
        env_timer_start(log->env, &log->tick, LOG_TICK_NS, tick_fired);
}

static void run_expire(struct env_task *task)
{
    struct metadata_log *log = CONTAINER_OF(task, struct metadata_log, expire_task);
    expire(log, 0);
    log_check_settled(log);
}

static void liveness_changed(struct liveness_listener *listener, uint16_t member, bool is_up)
{
    struct metadata_log *log = CONTAINER_OF(listener, struct metadata_log, liveness_listener);
    if (member >= log->member_count) return;
    log->peers[member].is_down = !is_up;
    log_check_settled(log);
}

// ---- Appending ----------------------------------------------------------------------------------

static void record_is_durable(struct metadata_journal_entry *entry, enum status status)
{
    struct metadata_log_append *append = CONTAINER_OF(entry, struct metadata_log_append, entry);
    struct metadata_log *log = append->log;
    if (status == STATUS_OK) {
        log->known = ++log->applied;
        status = log->events->applied(log->context, log->applied, append->record);
    }
    append->done(append, status);
}

static size_t value_put_head(const struct metadata_log *log, struct buffer *bytes)
{
    buffer_put_u16(bytes, log->self);
    buffer_put_u64(bytes, log->life);
    buffer_put_u64(bytes, log->proposer.next_sequence);
    return bytes->size;
}

// As many as one value may have, in order.
struct log_value *log_take_gathered(struct metadata_log *log)
{
    size_t size = 0;
    uint64_t count = 0;
    struct metadata_log_append *append = log->gathering;
    for (; append != NULL; append = append->next) {
        if (count > 0 && size + append->record.size > LOG_VALUE_SIZE_WANTED) break;
        size += append->record.size;
        count++;
    }
    if (count == 0) return NULL;
    if (count > 1) env_mark(log->env, ENV_MARK_METADATA_SHARED);
    struct buffer bytes;
    buffer_init(&bytes, LOG_VALUE_SIZE_MAX);
    value_put_head(log, &bytes);
    buffer_put_vint(&bytes, count);
    for (uint64_t i = 0; i < count; i++) {
        append = log->gathering;
        log->gathering = append->next;
        append->sequence = log->proposer.next_sequence;
        append->index = i;
        buffer_put_vint_bytes(&bytes, append->record);
        list_add(&log->proposed_end, append);
    }
    if (log->gathering == NULL) log->gathering_end = &log->gathering;
    ASSERT(!bytes.overflow); // Records are bounded by what makes them.
    log->proposer.next_sequence++;
    struct log_value *value = log_value_make(buffer_slice(&bytes));
    buffer_deinit(&bytes);
    return value;
}

void metadata_log_append(struct metadata_log *log, struct metadata_log_append *append,
                         struct slice record,
                         void (*done)(struct metadata_log_append *append, enum status status))
{
    *append = (struct metadata_log_append){.done = done, .record = record, .log = log};
    if (log_is_alone(log)) {
        metadata_journal_put(log->journal, &append->entry, LOG_ENTRY_RECORD, record,
                             record_is_durable);
        return;
    }
    append->deadline_ns = env_monotonic_ns(log->env) + LOG_APPEND_TIMEOUT_NS;
    list_add(&log->gathering_end, append);
    log_start_tick(log);
    if (log->has_left || log_is_broken(log)) env_task_post(log->env, &log->expire_task, run_expire);
    proposer_kick(log);
}

void metadata_log_settle(struct metadata_log *log, struct metadata_log_append *append,
                         void (*done)(struct metadata_log_append *append, enum status status))
{
    *append = (struct metadata_log_append){
        .done = done,
        .log = log,
        .number = log->applied,
        .deadline_ns = env_monotonic_ns(log->env) + LOG_SETTLE_TIMEOUT_NS,
    };
    list_add(&log->settling_end, append);
    // Without a ballot: who does not have the number fetches it.
    if (log->messaging != NULL) proposer_commit(log, log->applied, (struct ballot){0});
    log_start_tick(log);
    env_task_post(log->env, &log->expire_task, run_expire);
}

// ---- Opening ------------------------------------------------------------------------------------

static enum status journal_restore(void *context, uint64_t number, struct slice state,
                                   struct error *error)
{
    struct metadata_log *log = context;
    log->applied = log->known = number;
    return log->events->restore(log->context, state, error);
}

static void journal_replay(void *context, unsigned kind, struct slice bytes)
{
    struct metadata_log *log = context;
    if (kind == LOG_ENTRY_RECORD) {
        history_forget_all(log);
        log->known = ++log->applied;
        (void)log->events->applied(log->context, log->applied, bytes);
        return;
    }
    acceptor_replay(log, kind, bytes);
    for (;;) {
        struct log_slot *slot = acceptor_slot(log, log->applied + 1);
        if (!slot->is_chosen) break;
        struct log_value *value = log_value_ref(slot->value);
        acceptor_slot_clear(slot);
        apply_value(log, value);
        log_value_unref(value);
    }
    log->known = log->applied;
}

static uint64_t journal_snapshot(void *context, struct buffer *state)
{
    struct metadata_log *log = context;
    log->events->snapshot(log->context, state);
    return log->applied;
}

static void journal_carry(void *context, uint64_t number)
{
    acceptor_carry(context, number);
}

static const struct metadata_journal_events journal_events = {
    .restore = journal_restore,
    .replay = journal_replay,
    .snapshot = journal_snapshot,
    .carry = journal_carry,
};

static void init_members(struct metadata_log *log)
{
    log->peers = calloc(log->member_count, sizeof *log->peers);
    log->proposer.requests = calloc(log->member_count, sizeof *log->proposer.requests);
    ASSERT(log->peers != NULL && log->proposer.requests != NULL);
    for (uint16_t m = 0; m < log->member_count; m++) {
        log->peers[m].commit.log = log->peers[m].survey.log = log;
        log->proposer.requests[m].log = log;
    }
    log->fetch.request.log = log;
}

enum status metadata_log_open(struct env *env, const struct metadata_log_options *options,
                              const struct metadata_log_events *events, void *context,
                              struct metadata_log **log, struct error *error)
{
    struct metadata_log *opened = calloc(1, sizeof *opened);
    ASSERT(opened != NULL);
    opened->env = env;
    opened->events = events;
    opened->context = context;
    opened->self = options->self;
    opened->member_count = options->member_count;
    opened->life = env_random_u64(env);
    opened->history = calloc(LOG_HISTORY_MAX, sizeof(struct log_value *));
    ASSERT(opened->history != NULL);
    opened->gathering_end = &opened->gathering;
    opened->proposed_end = &opened->proposed;
    opened->settling_end = &opened->settling;
    init_members(opened);
    enum status status = metadata_journal_open(env, options->directory, options->begins_with_state,
                                               &journal_events, opened, &opened->journal, error);
    if (status != STATUS_OK) {
        metadata_log_abandon(opened);
        return status;
    }
    *log = opened;
    return STATUS_OK;
}

// ---- With the others ----------------------------------------------------------------------------

static void leave(struct metadata_log *log)
{
    static const enum verb verbs[] = {VERB_LOG_PREPARE, VERB_LOG_ACCEPT, VERB_LOG_COMMIT,
                                      VERB_LOG_FETCH};
    log->has_left = true;
    if (log->messaging == NULL) return;
    survey_leave(log);
    catch_up_leave(log);
    proposer_leave(log);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        messaging_handle(log->messaging, verbs[i], NULL);
    if (log->liveness != NULL) liveness_unlisten(log->liveness, &log->liveness_listener);
    log->messaging = NULL;
    log->liveness = NULL;
    env_task_post(log->env, &log->expire_task, run_expire);
}

void metadata_log_join(struct metadata_log *log, struct messaging *messaging,
                       struct liveness *liveness)
{
    if (log_is_alone(log)) return;
    if (messaging == NULL) {
        leave(log);
        return;
    }
    ASSERT(log->messaging == NULL);
    log->has_left = false;
    log->messaging = messaging;
    log->liveness = liveness;
    log->prepare_handler.handle = acceptor_handle_prepare;
    log->accept_handler.handle = acceptor_handle_accept;
    log->commit_handler.handle = catch_up_handle_commit;
    log->fetch_handler.handle = catch_up_handle_fetch;
    messaging_handle(messaging, VERB_LOG_PREPARE, &log->prepare_handler);
    messaging_handle(messaging, VERB_LOG_ACCEPT, &log->accept_handler);
    messaging_handle(messaging, VERB_LOG_COMMIT, &log->commit_handler);
    messaging_handle(messaging, VERB_LOG_FETCH, &log->fetch_handler);
    log->liveness_listener.changed = liveness_changed;
    if (liveness != NULL) liveness_listen(liveness, &log->liveness_listener);
    proposer_kick(log);
}

uint64_t metadata_log_number(const struct metadata_log *log)
{
    return log->applied;
}

// ---- The end ------------------------------------------------------------------------------------

static void tell_if_drained(struct metadata_log *log)
{
    if (log->drained == NULL || log->is_draining_journal) return;
    if (log->gathering != NULL || log->proposed != NULL || log->settling != NULL) return;
    log->is_draining_journal = true;
    metadata_journal_drain(log->journal, log->drained, log->drained_context);
}

void metadata_log_drain(struct metadata_log *log, void (*drained)(void *context), void *context)
{
    ASSERT(log->drained == NULL);
    log->drained = drained;
    log->drained_context = context;
    if (!log_is_alone(log)) leave(log);
    tell_if_drained(log);
}

void metadata_log_close(struct metadata_log *log)
{
    ASSERT(log->gathering == NULL && log->proposed == NULL && log->settling == NULL);
    if (log->messaging != NULL) leave(log);
    env_task_cancel(log->env, &log->expire_task);
    env_task_cancel(log->env, &log->survey.task);
    env_timer_stop(log->env, &log->tick);
    env_timer_stop(log->env, &log->proposer.timer);
    env_timer_stop(log->env, &log->survey.timer);
    env_timer_stop(log->env, &log->survey.finish_timer);
    metadata_journal_close(log->journal);
    log->journal = NULL;
    metadata_log_abandon(log);
}

void metadata_log_abandon(struct metadata_log *log)
{
    if (log->journal != NULL) metadata_journal_abandon(log->journal);
    while (log->pending != NULL)
        log_pending_free(log->pending);
    catch_up_free(log);
    survey_free(log);
    history_forget_all(log);
    for (size_t i = 0; i < LOG_WINDOW; i++)
        acceptor_slot_clear(&log->slots[i]);
    log_value_unref(log->proposer.own);
    log_value_unref(log->proposer.proposed);
    free(log->proposer.requests);
    free(log->peers);
    free(log->history);
    free(log);
}
