#include "ring/liveness/liveness_internal.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"

#include <stdlib.h>

#define LIVENESS_PERIOD_NS        (200 * LIVENESS_NS_PER_MS)
#define LIVENESS_PROBE_TIMEOUT_NS (500 * LIVENESS_NS_PER_MS)
#define LIVENESS_SUSPICION_NS     (2000 * LIVENESS_NS_PER_MS)
// At the start the others are expected to start too: nobody is held dead, all are asked often.
#define LIVENESS_START_NS        (1000 * LIVENESS_NS_PER_MS)
#define LIVENESS_START_PERIOD_NS (10 * LIVENESS_NS_PER_MS)
// Between two probes of one that is down.
#define LIVENESS_DOWN_PERIOD_NS (1000 * LIVENESS_NS_PER_MS)
// A tick that comes this late tells that it was we who stood still.
#define LIVENESS_LATE_NS (300 * LIVENESS_NS_PER_MS)

enum {
    LIVENESS_START_ALL = 16,   // Up to this size all of a ring are asked at once at the start,
    LIVENESS_START_SOME = 4,   // above it this many at a time.
    LIVENESS_SUSPECTS = 4,     // Probed in one period, besides the one whose turn it is.
    LIVENESS_REFUSED = 2,      // Connections refused in a row that prove a death.
    LIVENESS_RELAYS_MAX = 64,  // More are refused.
    LIVENESS_OVERHEAD = 21 + 2 // Of a message, beside its body: for the statistics.
};

static const char *const liveness_state_texts[] = {
    [LIVENESS_UNKNOWN] = "unknown",
    [LIVENESS_UP] = "up",
    [LIVENESS_SUSPECT] = "suspect",
    [LIVENESS_DOWN] = "down",
};

static bool liveness_state_is_up(enum liveness_state state)
{
    return state == LIVENESS_UP || state == LIVENESS_SUSPECT;
}

// ---- States -------------------------------------------------------------------------------------

void liveness_set_state(struct liveness *liveness, struct liveness_member *member,
                        enum liveness_state state)
{
    static const enum env_mark marks[] = {[LIVENESS_UP] = ENV_MARK_MEMBER_UP,
                                          [LIVENESS_SUSPECT] = ENV_MARK_MEMBER_SUSPECT,
                                          [LIVENESS_DOWN] = ENV_MARK_MEMBER_DOWN};
    enum liveness_state before = member->state;
    if (before == state) return;
    env_mark(liveness->env, marks[state]);
    member->state = state;
    member->since_ns = env_monotonic_ns(liveness->env);
    if (before == LIVENESS_UNKNOWN) liveness->unknown_count--;
    // At a start everybody asks for all: only what changes is news.
    if (before != LIVENESS_UNKNOWN || state == LIVENESS_DOWN)
        liveness_gossip_spread(liveness, member);
    bool is_up = liveness_state_is_up(state);
    if (before != LIVENESS_UNKNOWN && is_up == liveness_state_is_up(before)) return;
    if (is_up) liveness->up_count++;
    if (liveness_state_is_up(before)) liveness->up_count--;
    for (struct liveness_listener *at = liveness->listeners, *next; at != NULL; at = next) {
        next = at->next;
        at->changed(at, member->number, is_up);
    }
}

static bool liveness_is_starting(const struct liveness *liveness)
{
    return env_monotonic_ns(liveness->env) - liveness->started_ns < LIVENESS_START_NS;
}

static void liveness_alive(struct liveness *liveness, struct liveness_member *member)
{
    member->missed_ns = 0;
    if (member->state == LIVENESS_SUSPECT || member->state == LIVENESS_DOWN)
        member->was_held_dead = true;
    if (member->state == LIVENESS_DOWN) member->is_silent = false;
    liveness_set_state(liveness, member, LIVENESS_UP);
}

// ---- Messages -----------------------------------------------------------------------------------

static struct slice liveness_make(struct liveness *liveness, struct buffer *bytes, uint16_t to,
                                  bool all)
{
    liveness_gossip_put(liveness, bytes, to, all);
    liveness->traffic.messages_sent++;
    liveness->traffic.bytes_sent += bytes->size + LIVENESS_OVERHEAD;
    return buffer_slice(bytes);
}

static bool liveness_take(struct liveness *liveness, uint16_t from, struct cursor *bytes,
                          bool *wants_all)
{
    liveness->traffic.messages_received++;
    liveness->traffic.bytes_received += cursor_left(bytes) + LIVENESS_OVERHEAD;
    return liveness_gossip_take(liveness, from, bytes, wants_all);
}

static void liveness_take_answer(struct liveness *liveness, uint16_t from, struct slice answer)
{
    struct cursor cursor = cursor_make(answer);
    bool wants_all;
    // What makes no sense is no gossip; that an answer came at all is what counts.
    (void)liveness_take(liveness, from, &cursor, &wants_all);
}

static bool liveness_is_answer(enum status status)
{
    return status != STATUS_TIMED_OUT && status != STATUS_CLOSED && status != STATUS_OVERLOADED;
}

// ---- Indirect probes ----------------------------------------------------------------------------

static void liveness_suspect(struct liveness *liveness, struct liveness_member *member)
{
    if (member->state != LIVENESS_UP || member->heard || member->missed_ns == 0) return;
    liveness_set_state(liveness, member, LIVENESS_SUSPECT);
    liveness_probe(liveness, member); // So that it hears of it.
}

static void liveness_indirect_done(struct messaging_request *request, enum status status,
                                   struct slice answer)
{
    struct liveness_indirect *indirect = CONTAINER_OF(request, struct liveness_indirect, request);
    struct liveness_member *member = indirect->member;
    struct liveness *liveness = member->liveness;
    member->indirect_count--;
    if (answer.size > 0) liveness_take_answer(liveness, request->member, answer);
    if (status == STATUS_OK) {
        env_mark(liveness->env, ENV_MARK_PROBE_INDIRECT);
        member->missed_ns = 0;
        if (member->state == LIVENESS_SUSPECT) liveness_alive(liveness, member);
    } else if (member->indirect_count == 0) {
        liveness_suspect(liveness, member);
    }
}

// Another member that is up, by chance; MEMBER_NONE when there is none.
static uint16_t liveness_find_helper(struct liveness *liveness, uint16_t about, uint16_t other)
{
    uint16_t count = liveness->options.member_count;
    uint16_t start = (uint16_t)(env_random_u64(liveness->env) % count);
    for (uint16_t i = 0; i < count; i++) {
        uint16_t number = (uint16_t)((start + i) % count);
        if (number == about || number == other || number == liveness->options.self) continue;
        if (liveness->members[number].state == LIVENESS_UP) return number;
    }
    return MEMBER_NONE;
}

static void liveness_ask_helpers(struct liveness *liveness, struct liveness_member *member)
{
    if (member->indirect_count > 0) return;
    uint16_t asked = MEMBER_NONE;
    for (int i = 0; i < LIVENESS_HELPERS; i++) {
        uint16_t helper = liveness_find_helper(liveness, member->number, asked);
        if (helper == MEMBER_NONE) break;
        asked = helper;
        struct buffer bytes;
        buffer_init(&bytes, MIB);
        buffer_put_u16(&bytes, member->number);
        struct slice body = liveness_make(liveness, &bytes, helper, false);
        member->indirect_count++;
        messaging_send(liveness->messaging, &member->indirect[i].request, helper, VERB_PING_REQUEST,
                       body, 2 * liveness->options.probe_timeout_ns, liveness_indirect_done);
        buffer_deinit(&bytes);
    }
    if (asked == MEMBER_NONE) liveness_suspect(liveness, member);
}

// ---- Probes -------------------------------------------------------------------------------------

// It did not answer.
static void liveness_missed(struct liveness *liveness, struct liveness_member *member)
{
    if (member->heard || member->state == LIVENESS_DOWN) return;
    if (member->state == LIVENESS_UNKNOWN) {
        if (!liveness_is_starting(liveness)) liveness_set_state(liveness, member, LIVENESS_DOWN);
        return;
    }
    if (member->missed_ns == 0) member->missed_ns = member->probed_ns;
    liveness_ask_helpers(liveness, member);
}

static void liveness_ping_done(struct messaging_request *request, enum status status,
                               struct slice answer)
{
    struct liveness_member *member = CONTAINER_OF(request, struct liveness_member, ping);
    struct liveness *liveness = member->liveness;
    member->is_silent = !liveness_is_answer(status);
    if (member->is_silent)
        liveness_missed(liveness, member);
    else
        liveness_take_answer(liveness, member->number, answer);
}

void liveness_probe(struct liveness *liveness, struct liveness_member *member)
{
    if (member->ping.id != 0) return;
    struct buffer bytes;
    buffer_init(&bytes, MIB);
    struct slice body = liveness_make(liveness, &bytes, member->number, false);
    member->probed_ns = env_monotonic_ns(liveness->env);
    messaging_send(liveness->messaging, &member->ping, member->number, VERB_PING, body,
                   liveness->options.probe_timeout_ns, liveness_ping_done);
    buffer_deinit(&bytes);
}

static void liveness_pinged(struct message_handler *handler, const struct message *message)
{
    struct liveness *liveness = CONTAINER_OF(handler, struct liveness, on_ping);
    struct cursor cursor = cursor_make(message->body);
    bool wants_all = false;
    if (message->from >= liveness->options.member_count ||
        !liveness_take(liveness, message->from, &cursor, &wants_all)) {
        messaging_answer(liveness->messaging, message->origin, STATUS_MALFORMED, slice_make("", 0));
        return;
    }
    struct buffer bytes;
    buffer_init(&bytes, MIB);
    messaging_answer(liveness->messaging, message->origin, STATUS_OK,
                     liveness_make(liveness, &bytes, message->from, wants_all));
    buffer_deinit(&bytes);
}

// ---- Probes for others --------------------------------------------------------------------------

static void liveness_relay_free(struct liveness_relay *relay)
{
    relay->liveness->relay_count--;
    *relay->place = relay->next;
    if (relay->next != NULL) relay->next->place = relay->place;
    free(relay);
}

static void liveness_relay_done(struct messaging_request *request, enum status status,
                                struct slice answer)
{
    struct liveness_relay *relay = CONTAINER_OF(request, struct liveness_relay, ping);
    struct liveness *liveness = relay->liveness;
    bool is_answer = liveness_is_answer(status);
    if (is_answer) liveness_take_answer(liveness, request->member, answer);
    struct buffer bytes;
    buffer_init(&bytes, MIB);
    messaging_answer(liveness->messaging, relay->origin, is_answer ? STATUS_OK : STATUS_TIMED_OUT,
                     liveness_make(liveness, &bytes, relay->from, false));
    buffer_deinit(&bytes);
    liveness_relay_free(relay);
}

static void liveness_relay_begin(struct liveness *liveness, uint16_t target,
                                 const struct message *message)
{
    struct liveness_relay *relay = calloc(1, sizeof *relay);
    ASSERT(relay != NULL);
    relay->liveness = liveness;
    relay->origin = message->origin;
    relay->from = message->from;
    relay->next = liveness->relays;
    relay->place = &liveness->relays;
    if (relay->next != NULL) relay->next->place = &relay->next;
    liveness->relays = relay;
    liveness->relay_count++;
    struct buffer bytes;
    buffer_init(&bytes, MIB);
    struct slice body = liveness_make(liveness, &bytes, target, false);
    messaging_send(liveness->messaging, &relay->ping, target, VERB_PING, body,
                   liveness->options.probe_timeout_ns, liveness_relay_done);
    buffer_deinit(&bytes);
}

static void liveness_ping_requested(struct message_handler *handler, const struct message *message)
{
    struct liveness *liveness = CONTAINER_OF(handler, struct liveness, on_ping_request);
    struct cursor cursor = cursor_make(message->body);
    uint16_t target = cursor_u16(&cursor);
    bool wants_all;
    enum status status = STATUS_OK;
    if (message->from >= liveness->options.member_count ||
        target >= liveness->options.member_count ||
        !liveness_take(liveness, message->from, &cursor, &wants_all))
        status = STATUS_MALFORMED;
    else if (liveness->relay_count == LIVENESS_RELAYS_MAX)
        status = STATUS_OVERLOADED;
    if (status == STATUS_OK)
        liveness_relay_begin(liveness, target, message);
    else
        messaging_answer(liveness->messaging, message->origin, status, slice_make("", 0));
}

// ---- Connections --------------------------------------------------------------------------------

static struct liveness_member *liveness_find(struct messaging_listener *listener, uint16_t number)
{
    struct liveness *liveness = CONTAINER_OF(listener, struct liveness, connections);
    return number < liveness->options.member_count ? &liveness->members[number] : NULL;
}

static void liveness_connected(struct messaging_listener *listener, uint16_t number)
{
    struct liveness_member *member = liveness_find(listener, number);
    if (member == NULL) return;
    member->refused_count = 0;
    if (member->state != LIVENESS_UP) liveness_probe(member->liveness, member);
}

// A process that dies takes its connections with it, and then nobody listens at its port.
static void liveness_lost(struct messaging_listener *listener, uint16_t number, enum status status)
{
    struct liveness_member *member = liveness_find(listener, number);
    if (member == NULL || member->state == LIVENESS_DOWN) return;
    struct liveness *liveness = member->liveness;
    if (status != STATUS_REFUSED) {
        messaging_connect(liveness->messaging, number);
        return;
    }
    if (member->refused_count < LIVENESS_REFUSED) member->refused_count++;
    if (member->refused_count < LIVENESS_REFUSED) return;
    if (member->state == LIVENESS_UNKNOWN && liveness_is_starting(liveness)) return;
    env_mark(liveness->env, ENV_MARK_MEMBER_REFUSED);
    liveness_set_state(liveness, member, LIVENESS_DOWN);
}

// With each message: it has to be cheap.
static void liveness_heard(struct messaging_listener *listener, uint16_t number)
{
    struct liveness_member *member = liveness_find(listener, number);
    if (member == NULL) return;
    member->heard = true;
    member->refused_count = 0;
    if (member->state != LIVENESS_UP) liveness_alive(member->liveness, member);
}

// ---- Time ---------------------------------------------------------------------------------------

static void liveness_shuffle(struct liveness *liveness)
{
    for (uint16_t i = liveness->options.member_count; i > 1; i--) {
        uint16_t other = (uint16_t)(env_random_u64(liveness->env) % i);
        uint16_t kept = liveness->order[i - 1];
        liveness->order[i - 1] = liveness->order[other];
        liveness->order[other] = kept;
    }
    liveness->order_next = 0;
}

// The one whose turn it is; those that are down have turns of their own.
static void liveness_probe_next(struct liveness *liveness)
{
    for (uint16_t i = 0; i < liveness->options.member_count; i++) {
        if (liveness->order_next == liveness->options.member_count) liveness_shuffle(liveness);
        struct liveness_member *member =
            &liveness->members[liveness->order[liveness->order_next++]];
        if (member->number == liveness->options.self || member->state == LIVENESS_DOWN) continue;
        liveness_probe(liveness, member);
        return;
    }
}

static void liveness_probe_down(struct liveness *liveness, uint64_t now_ns)
{
    for (uint16_t i = 0; i < liveness->options.member_count; i++) {
        liveness->down_next =
            (uint16_t)((liveness->down_next + 1) % liveness->options.member_count);
        struct liveness_member *member = &liveness->members[liveness->down_next];
        if (member->state != LIVENESS_DOWN) continue;
        if (now_ns - member->probed_ns < LIVENESS_DOWN_PERIOD_NS) continue;
        liveness_probe(liveness, member);
        return;
    }
}

static void liveness_judge(struct liveness *liveness, uint64_t now_ns, bool was_late)
{
    int probes = LIVENESS_SUSPECTS;
    for (uint16_t number = 0; number < liveness->options.member_count; number++) {
        struct liveness_member *member = &liveness->members[number];
        if (member->heard) member->missed_ns = 0;
        member->heard = false;
        if (member->missed_ns == 0) continue;
        // What came meanwhile waits still to be read.
        if (was_late) member->missed_ns = now_ns;
        if (member->state != LIVENESS_SUSPECT) continue;
        if (now_ns > member->missed_ns + liveness->options.suspicion_ns)
            liveness_set_state(liveness, member, LIVENESS_DOWN);
        else if (probes-- > 0)
            liveness_probe(liveness, member);
    }
}

static void liveness_tick(struct env_timer *timer);

static void liveness_arm(struct liveness *liveness)
{
    // Not all in step, so that a ring does not breathe.
    uint64_t period_ns = liveness->options.period_ns;
    uint64_t delay_ns =
        period_ns - period_ns / 16 + env_random_u64(liveness->env) % (period_ns / 8 + 1);
    liveness->tick_ns = env_monotonic_ns(liveness->env) + delay_ns;
    env_timer_start(liveness->env, &liveness->tick_timer, delay_ns, liveness_tick);
}

static void liveness_tick(struct env_timer *timer)
{
    struct liveness *liveness = CONTAINER_OF(timer, struct liveness, tick_timer);
    uint64_t now_ns = env_monotonic_ns(liveness->env);
    bool was_late = now_ns > liveness->tick_ns + LIVENESS_LATE_NS;
    if (was_late) env_mark(liveness->env, ENV_MARK_LIVENESS_LATE);
    liveness_judge(liveness, now_ns, was_late);
    liveness_probe_next(liveness);
    liveness_probe_down(liveness, now_ns);
    liveness_arm(liveness);
}

// While it starts: all of a small ring, a few of a large one.
static void liveness_start(struct env_timer *timer)
{
    struct liveness *liveness = CONTAINER_OF(timer, struct liveness, start_timer);
    uint16_t count = liveness->options.member_count;
    uint16_t left = count <= LIVENESS_START_ALL ? count : LIVENESS_START_SOME;
    uint16_t start = (uint16_t)(env_random_u64(liveness->env) % count);
    for (uint16_t i = 0; i < count && left > 0; i++) {
        struct liveness_member *member = &liveness->members[(start + i) % count];
        if (member->state != LIVENESS_UNKNOWN || member->ping.id != 0) continue;
        liveness_probe(liveness, member);
        left--;
    }
    if (liveness->unknown_count > 0 && liveness_is_starting(liveness))
        env_timer_start(liveness->env, &liveness->start_timer, LIVENESS_START_PERIOD_NS,
                        liveness_start);
}

// ---- Life ---------------------------------------------------------------------------------------

static void liveness_init_members(struct liveness *liveness)
{
    uint16_t count = liveness->options.member_count;
    liveness->members = calloc(count, sizeof *liveness->members);
    liveness->order = calloc(count, sizeof *liveness->order);
    liveness->spread = calloc(count, sizeof *liveness->spread);
    ASSERT(liveness->members != NULL && liveness->order != NULL && liveness->spread != NULL);
    for (uint16_t number = 0; number < count; number++) {
        struct liveness_member *member = &liveness->members[number];
        *member = (struct liveness_member){
            .liveness = liveness, .number = number, .since_ns = liveness->started_ns};
        for (int i = 0; i < LIVENESS_HELPERS; i++)
            member->indirect[i].member = member;
        liveness->order[number] = number;
    }
    struct liveness_member *self = &liveness->members[liveness->options.self];
    self->state = LIVENESS_UP;
    self->incarnation = liveness->incarnation;
    liveness->up_count = 1;
    liveness->unknown_count = (uint16_t)(count - 1);
}

struct liveness *liveness_create(struct env *env, struct messaging *messaging,
                                 const struct liveness_options *options)
{
    ASSERT(options->self < options->member_count);
    struct liveness *liveness = calloc(1, sizeof *liveness);
    ASSERT(liveness != NULL);
    liveness->env = env;
    liveness->messaging = messaging;
    liveness->options = *options;
    if (options->period_ns == 0) liveness->options.period_ns = LIVENESS_PERIOD_NS;
    if (options->probe_timeout_ns == 0)
        liveness->options.probe_timeout_ns = LIVENESS_PROBE_TIMEOUT_NS;
    if (options->suspicion_ns == 0) liveness->options.suspicion_ns = LIVENESS_SUSPICION_NS;
    liveness->started_ns = env_monotonic_ns(env);
    // Higher than that of the process before us. A clock that was set back is put right by the
    // first who tells us that we are dead.
    liveness->incarnation = (uint64_t)env_wall_us(env) / 1000;
    liveness_init_members(liveness);
    liveness->connections = (struct messaging_listener){
        .connected = liveness_connected, .lost = liveness_lost, .heard = liveness_heard};
    liveness->on_ping.handle = liveness_pinged;
    liveness->on_ping_request.handle = liveness_ping_requested;
    messaging_handle(messaging, VERB_PING, &liveness->on_ping);
    messaging_handle(messaging, VERB_PING_REQUEST, &liveness->on_ping_request);
    messaging_listen(messaging, &liveness->connections);
    if (options->member_count > 1) {
        liveness_shuffle(liveness);
        env_timer_start(env, &liveness->start_timer, 0, liveness_start);
        liveness_arm(liveness);
    }
    return liveness;
}

void liveness_abandon(struct liveness *liveness)
{
    // A node that did not come up is abandoned, too, and its process may live on.
    env_timer_stop(liveness->env, &liveness->tick_timer);
    env_timer_stop(liveness->env, &liveness->start_timer);
    while (liveness->relays != NULL)
        liveness_relay_free(liveness->relays);
    free(liveness->members);
    free(liveness->order);
    free(liveness->spread);
    free(liveness);
}

void liveness_destroy(struct liveness *liveness)
{
    struct messaging *messaging = liveness->messaging;
    for (uint16_t number = 0; number < liveness->options.member_count; number++) {
        struct liveness_member *member = &liveness->members[number];
        messaging_cancel(messaging, &member->ping);
        for (int i = 0; i < LIVENESS_HELPERS; i++)
            messaging_cancel(messaging, &member->indirect[i].request);
    }
    for (struct liveness_relay *at = liveness->relays; at != NULL; at = at->next)
        messaging_cancel(messaging, &at->ping);
    messaging_unlisten(messaging, &liveness->connections);
    messaging_handle(messaging, VERB_PING, NULL);
    messaging_handle(messaging, VERB_PING_REQUEST, NULL);
    env_timer_stop(liveness->env, &liveness->tick_timer);
    env_timer_stop(liveness->env, &liveness->start_timer);
    liveness_abandon(liveness);
}

// ---- Asking -------------------------------------------------------------------------------------

bool liveness_is_up(const struct liveness *liveness, uint16_t member)
{
    return member < liveness->options.member_count &&
           liveness_state_is_up(liveness->members[member].state);
}

bool liveness_is_near(const struct liveness *liveness, uint16_t member)
{
    return liveness_is_up(liveness, member) && !liveness->members[member].is_silent;
}

uint16_t liveness_up_count(const struct liveness *liveness)
{
    return liveness->up_count;
}

void liveness_listen(struct liveness *liveness, struct liveness_listener *listener)
{
    listener->next = liveness->listeners;
    liveness->listeners = listener;
}

void liveness_unlisten(struct liveness *liveness, struct liveness_listener *listener)
{
    struct liveness_listener **place = &liveness->listeners;
    while (*place != NULL && *place != listener)
        place = &(*place)->next;
    if (*place != NULL) *place = listener->next;
}

const char *liveness_state_text(const struct liveness *liveness, uint16_t member,
                                uint64_t *since_ns)
{
    ASSERT(member < liveness->options.member_count);
    *since_ns = env_monotonic_ns(liveness->env) - liveness->members[member].since_ns;
    return liveness_state_texts[liveness->members[member].state];
}

struct liveness_traffic liveness_traffic(const struct liveness *liveness)
{
    return liveness->traffic;
}
