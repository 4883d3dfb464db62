#include "ring/transport/messaging_internal.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"

#include <stdlib.h>

#define MESSAGING_CONNECT_TIMEOUT_NS UINT64_C(2000000000)
// Between two attempts at least: a member that accepts and breaks is not asked in a tight loop.
#define MESSAGING_CONNECT_GAP_NS UINT64_C(2000000)
#define MESSAGING_RETRY_MIN_NS   UINT64_C(5000000)
// A network that is back after minutes would be used again minutes later (Cassandra's
// internode_tcp_user_timeout). A member that has a large answer on its way to us reads nothing
// meanwhile, so it is not less.
#define MESSAGING_SILENCE_MAX_NS UINT64_C(30000000000)
// 5, 10, 20 … 640 ms: about a second in all. After that, connections are made for requests alone;
// liveness sends one now and then.
enum { MESSAGING_RETRIES = 8 };

static void messaging_member_retry(struct env_timer *timer)
{
    messaging_member_connect(CONTAINER_OF(timer, struct messaging_member, retry));
}

// The connection is not there, or no longer.
static void messaging_member_lost(struct messaging_member *member, enum status status)
{
    struct messaging *messaging = member->messaging;
    // Whoever hears of this may send again: that is not part of what ends here.
    size_t count = member->waiting.count;
    if (member->state == MESSAGING_MEMBER_OPEN) env_mark(messaging->env, ENV_MARK_MESSAGING_LOST);
    member->state = MESSAGING_MEMBER_IDLE;
    member->lost_count++;
    buffer_deinit(&member->pending);
    if (member->retry_count < MESSAGING_RETRIES) {
        uint64_t delay_ns = MESSAGING_RETRY_MIN_NS << member->retry_count++;
        env_timer_start(messaging->env, &member->retry, delay_ns, messaging_member_retry);
    }
    // Through a cut network nobody sees the other side go.
    if (member->fault.blocks_in) return;
    messaging_tell_lost(messaging, member->number, status);
    messaging_end_requests(messaging, member, count, STATUS_CLOSED);
}

// ---- The link's events --------------------------------------------------------------------------

static struct messaging_member *messaging_member_of(struct transport_link *link)
{
    return CONTAINER_OF(link, struct messaging_member, link);
}

static void messaging_member_link_ended(struct transport_link *link, enum status status)
{
    transport_link_deinit(link);
    messaging_member_lost(messaging_member_of(link), status);
}

static void messaging_member_link_opened(struct transport_link *link)
{
    struct messaging_member *member = messaging_member_of(link);
    struct messaging *messaging = member->messaging;
    const struct topology *topology = messaging->options.topology(messaging->options.context);
    // An address may have been given to somebody else, who must not answer in the member's name.
    if (topology == NULL || member->number >= topology->member_count ||
        !uuid_equals(topology->members[member->number].host_id, link->peer_id)) {
        transport_link_close(link, false);
        messaging_member_link_ended(link, STATUS_MALFORMED);
        return;
    }
    if (member->retry_count > 0) env_mark(messaging->env, ENV_MARK_MESSAGING_RECONNECTED);
    member->retry_count = 0;
    member->traffic.connections++;
    if (!member->fault.blocks_in) messaging_tell_connected(messaging, member->number);
}

static void messaging_member_link_frame(struct transport_link *link, uint8_t type, uint64_t id,
                                        struct slice payload)
{
    struct messaging_member *member = messaging_member_of(link);
    struct messaging_letter letter = {.direction = MESSAGING_IN_ANSWER,
                                      .member = member->number,
                                      .type = type,
                                      .id = id,
                                      .head = slice_make("", 0),
                                      .body = payload};
    if (member->has_fault)
        messaging_fault_pass(member, &letter);
    else
        messaging_deliver(member->messaging, &letter);
}

// ---- Connecting ---------------------------------------------------------------------------------

static struct uuid messaging_member_self_id(const struct messaging *messaging,
                                            const struct topology *topology)
{
    uint16_t self = messaging->options.self;
    return topology != NULL && self < topology->member_count ? topology->members[self].host_id
                                                             : (struct uuid){0};
}

static void messaging_member_connected(void *context, enum status status, struct env_stream *stream)
{
    static const struct transport_link_events events = {
        messaging_member_link_opened, messaging_member_link_frame, messaging_member_link_ended};
    struct messaging_member *member = context;
    member->connecting = NULL;
    if (status != STATUS_OK) {
        messaging_member_lost(member, status);
        return;
    }
    struct messaging *messaging = member->messaging;
    const struct topology *topology = messaging->options.topology(messaging->options.context);
    struct uuid self_id = messaging_member_self_id(messaging, topology);
    member->state = MESSAGING_MEMBER_OPEN;
    env_stream_limit_silence(stream, MESSAGING_SILENCE_MAX_NS);
    transport_link_init(&member->link, messaging->env, stream, false, self_id, &events);
    // It is not waited for the other's hello: what is no member's is refused by whoever gets it.
    transport_link_send_frames(&member->link, buffer_slice(&member->pending));
    buffer_deinit(&member->pending);
}

static void messaging_member_begin(struct messaging_member *member,
                                   const struct env_address *address)
{
    struct messaging *messaging = member->messaging;
    member->state = MESSAGING_MEMBER_CONNECTING;
    env_timer_stop(messaging->env, &member->retry);
    member->connecting = env_connect(messaging->env, address, MESSAGING_CONNECT_TIMEOUT_NS,
                                     messaging_member_connected, member);
}

void messaging_member_connect(struct messaging_member *member)
{
    struct messaging *messaging = member->messaging;
    struct env *env = messaging->env;
    const struct topology *topology = messaging->options.topology(messaging->options.context);
    if (topology == NULL || member->number >= topology->member_count) return;
    if (member->state != MESSAGING_MEMBER_IDLE) return;
    if (member->fault.blocks_out || member->fault.blocks_in) return;
    uint64_t now_ns = env_monotonic_ns(env);
    uint64_t next_ns = member->last_attempt_ns + MESSAGING_CONNECT_GAP_NS;
    if (member->last_attempt_ns != 0 && now_ns < next_ns) {
        env_timer_start(env, &member->retry, next_ns - now_ns, messaging_member_retry);
        return;
    }
    member->last_attempt_ns = now_ns;
    member->traffic.attempts++;
    messaging_member_begin(member, &topology->members[member->number].address);
}

// ---- For messaging ------------------------------------------------------------------------------

static void messaging_member_grow(struct messaging *messaging, size_t capacity)
{
    messaging->members = realloc(messaging->members, capacity * sizeof *messaging->members);
    ASSERT(messaging->members != NULL);
    for (size_t i = messaging->member_capacity; i < capacity; i++)
        messaging->members[i] = NULL;
    messaging->member_capacity = capacity;
}

struct messaging_member *messaging_member_get(struct messaging *messaging, uint16_t number)
{
    if (number < messaging->member_capacity && messaging->members[number] != NULL)
        return messaging->members[number];
    const struct topology *topology = messaging->options.topology(messaging->options.context);
    size_t count = topology == NULL ? 0 : topology->member_count;
    // A ring of one may have no topology; to itself it talks all the same.
    if (number >= count && number != messaging->options.self) return NULL;
    if (number >= messaging->member_capacity)
        messaging_member_grow(messaging, number < count ? count : (size_t)number + 1);
    struct messaging_member *member = calloc(1, sizeof *member);
    ASSERT(member != NULL);
    member->messaging = messaging;
    member->number = number;
    buffer_init(&member->pending, SIZE_MAX / 4);
    request_table_init(&member->waiting);
    messaging->members[number] = member;
    return member;
}

void messaging_member_put(struct messaging_member *member, uint8_t type, uint64_t id,
                          struct slice head, struct slice body)
{
    member->traffic.sent_count++;
    member->traffic.sent_bytes += head.size + body.size;
    if (member->state == MESSAGING_MEMBER_OPEN) {
        transport_link_send(&member->link, type, id, head, body);
        return;
    }
    transport_link_put_frame(&member->pending, type, id, head, body);
    messaging_member_connect(member);
}

size_t messaging_member_queued(const struct messaging_member *member)
{
    if (member->state == MESSAGING_MEMBER_OPEN) return transport_link_queued(&member->link);
    return member->pending.size;
}

void messaging_member_destroy(struct messaging_member *member, bool is_dead)
{
    env_timer_stop(member->messaging->env, &member->retry);
    // A process that is dead has forgotten its attempts.
    if (member->connecting != NULL && !is_dead) env_connect_cancel(member->connecting);
    if (member->state == MESSAGING_MEMBER_OPEN) {
        transport_link_close(&member->link, false);
        transport_link_deinit(&member->link);
    }
    buffer_deinit(&member->pending);
    request_table_deinit(&member->waiting);
    free(member);
}
