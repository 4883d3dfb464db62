#include "ring/transport/messaging_internal.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"

#include <stdlib.h>

// A message that is held back: a copy of its letter, in the list of all.
struct messaging_held {
    struct env_timer timer;
    struct messaging *messaging;
    struct messaging_held *next, **place;
    struct messaging_letter letter;
    uint64_t lost_count; // Of the member, when the letter was on its way.
    size_t size;
    uint8_t bytes[];
};

static void messaging_fault_forget(struct messaging_held *held)
{
    held->messaging->held_size -= held->size;
    *held->place = held->next;
    if (held->next != NULL) held->next->place = held->place;
    env_timer_stop(held->messaging->env, &held->timer);
    free(held);
}

static bool messaging_fault_is_blocked(const struct messaging_fault *fault,
                                       enum messaging_direction direction)
{
    bool goes_out = direction == MESSAGING_OUT_REQUEST || direction == MESSAGING_OUT_ANSWER;
    return goes_out ? fault->blocks_out : fault->blocks_in;
}

// What is under way goes with its connection, as with TCP: a second copy that came by the next one
// could meet a member that has started anew and remembers nothing of the first.
static bool messaging_fault_way_is_gone(const struct messaging_held *held,
                                        const struct messaging_member *member)
{
    if (held->letter.direction == MESSAGING_IN_REQUEST)
        return messaging_inbound_find(held->messaging, held->letter.origin) == NULL;
    if (held->letter.direction == MESSAGING_OUT_ANSWER) return false; // Finds its own origin.
    return held->lost_count != member->lost_count;
}

static void messaging_fault_release(struct env_timer *timer)
{
    struct messaging_held *held = CONTAINER_OF(timer, struct messaging_held, timer);
    struct messaging *messaging = held->messaging;
    struct messaging_member *member = messaging_member_get(messaging, held->letter.member);
    // The network may have been cut while it was under way.
    if (!messaging_fault_is_blocked(&member->fault, held->letter.direction) &&
        !messaging_fault_way_is_gone(held, member))
        messaging_deliver(messaging, &held->letter);
    messaging_fault_forget(held);
}

static void messaging_fault_hold(struct messaging *messaging, const struct messaging_letter *letter,
                                 uint64_t delay_ns)
{
    size_t head_size = letter->head.size, body_size = letter->body.size;
    size_t size = sizeof(struct messaging_held) + head_size + body_size;
    if (messaging->held_size + size > MESSAGING_HELD_SIZE_MAX) return;
    struct messaging_held *held = calloc(1, size);
    ASSERT(held != NULL);
    held->messaging = messaging;
    held->letter = *letter;
    held->lost_count = messaging_member_get(messaging, letter->member)->lost_count;
    held->size = size;
    if (head_size > 0) memcpy(held->bytes, letter->head.data, head_size);
    if (body_size > 0) memcpy(held->bytes + head_size, letter->body.data, body_size);
    held->letter.head = slice_make(held->bytes, head_size);
    held->letter.body = slice_make(held->bytes + head_size, body_size);
    held->next = messaging->held;
    held->place = &messaging->held;
    if (held->next != NULL) held->next->place = &held->next;
    messaging->held = held;
    messaging->held_size += size;
    env_timer_start(messaging->env, &held->timer, delay_ns, messaging_fault_release);
}

static bool messaging_fault_strikes(struct env *env, uint16_t per_1000)
{
    return per_1000 != 0 && env_random_u64(env) % 1000 < per_1000;
}

static void messaging_fault_pass_once(struct messaging_member *member,
                                      const struct messaging_letter *letter)
{
    struct messaging *messaging = member->messaging;
    const struct messaging_fault *fault = &member->fault;
    if (messaging_fault_strikes(messaging->env, fault->lost_per_1000)) return;
    uint64_t delay_ns = fault->delay_ns;
    if (fault->jitter_ns != 0) delay_ns += env_random_u64(messaging->env) % fault->jitter_ns;
    if (delay_ns == 0)
        messaging_deliver(messaging, letter);
    else
        messaging_fault_hold(messaging, letter, delay_ns);
}

void messaging_fault_pass(struct messaging_member *member, const struct messaging_letter *letter)
{
    if (messaging_fault_is_blocked(&member->fault, letter->direction)) return;
    struct messaging *messaging = member->messaging;
    // The second one comes later, in any case not inside of the first.
    if (messaging_fault_strikes(messaging->env, member->fault.doubled_per_1000))
        messaging_fault_hold(messaging, letter, member->fault.delay_ns + 1000000);
    messaging_fault_pass_once(member, letter);
}

void messaging_fault_free(struct messaging *messaging)
{
    while (messaging->held != NULL)
        messaging_fault_forget(messaging->held);
}

void messaging_set_fault(struct messaging *messaging, uint16_t number,
                         const struct messaging_fault *fault)
{
    struct messaging_member *member = messaging_member_get(messaging, number);
    if (member == NULL) return;
    member->fault = *fault;
    member->has_fault = fault->blocks_out || fault->blocks_in || fault->delay_ns != 0 ||
                        fault->jitter_ns != 0 || fault->lost_per_1000 != 0 ||
                        fault->doubled_per_1000 != 0;
}

struct messaging_fault messaging_get_fault(const struct messaging *messaging, uint16_t number)
{
    if (number >= messaging->member_capacity || messaging->members[number] == NULL)
        return (struct messaging_fault){0};
    return messaging->members[number]->fault;
}
