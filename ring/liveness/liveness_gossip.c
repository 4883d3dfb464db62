#include "ring/liveness/liveness_internal.h"

#include "base/env_marks.h"

// What rides on one message at most: the traffic of a node does not depend on the ring's size.
enum { LIVENESS_GOSSIP_COUNT = 8, LIVENESS_GOSSIP_WANTS_ALL = 1 };
// A node that has just started asks for all; after this long it has no reason to any more.
#define LIVENESS_GOSSIP_ASK_NS (5000 * LIVENESS_NS_PER_MS)

void liveness_gossip_spread(struct liveness *liveness, struct liveness_member *member)
{
    if (liveness->options.member_count <= 2 || member->state == LIVENESS_UNKNOWN) return;
    if (member->spread_left == 0) liveness->spread[liveness->spread_count++] = member->number;
    // As SWIM has it: a few times the logarithm of the ring's size reaches everybody.
    uint8_t times = 3;
    for (unsigned count = liveness->options.member_count; count > 1; count /= 2)
        times = (uint8_t)(times + 3);
    member->spread_left = times;
}

static void liveness_gossip_put_state(struct buffer *bytes, const struct liveness_member *member,
                                      enum liveness_state state)
{
    buffer_put_u16(bytes, member->number);
    buffer_put_u8(bytes, (uint8_t)state);
    buffer_put_u64(bytes, member->incarnation);
}

static void liveness_gossip_put_all(struct liveness *liveness, struct buffer *bytes, uint16_t to)
{
    for (uint16_t number = 0; number < liveness->options.member_count; number++) {
        const struct liveness_member *member = &liveness->members[number];
        if (number == liveness->options.self || number == to) continue;
        if (member->state == LIVENESS_UNKNOWN) continue;
        liveness_gossip_put_state(bytes, member, member->state);
    }
}

static void liveness_gossip_put_some(struct liveness *liveness, struct buffer *bytes, uint16_t to)
{
    uint16_t count = liveness->spread_count;
    if (count > LIVENESS_GOSSIP_COUNT) count = LIVENESS_GOSSIP_COUNT;
    for (; count > 0; count--) {
        if (liveness->spread_next >= liveness->spread_count) liveness->spread_next = 0;
        struct liveness_member *member =
            &liveness->members[liveness->spread[liveness->spread_next]];
        if (member->number != to) liveness_gossip_put_state(bytes, member, member->state);
        if (--member->spread_left == 0)
            liveness->spread[liveness->spread_next] = liveness->spread[--liveness->spread_count];
        else
            liveness->spread_next++;
    }
}

void liveness_gossip_put(struct liveness *liveness, struct buffer *bytes, uint16_t to, bool all)
{
    uint64_t age_ns = env_monotonic_ns(liveness->env) - liveness->started_ns;
    bool asks = liveness->unknown_count > 0 && liveness->options.member_count > 2 &&
                age_ns < LIVENESS_GOSSIP_ASK_NS;
    buffer_put_u64(bytes, liveness->incarnation);
    buffer_put_u8(bytes, asks ? LIVENESS_GOSSIP_WANTS_ALL : 0);
    // Who is held dead, or suspected, is told first of all: it alone can say no.
    const struct liveness_member *member = &liveness->members[to];
    if (member->was_held_dead || member->state == LIVENESS_SUSPECT ||
        member->state == LIVENESS_DOWN)
        liveness_gossip_put_state(bytes, member, LIVENESS_DOWN);
    if (all)
        liveness_gossip_put_all(liveness, bytes, to);
    else
        liveness_gossip_put_some(liveness, bytes, to);
}

// Somebody believes us dead, or in doubt.
static void liveness_gossip_refute(struct liveness *liveness, uint64_t incarnation)
{
    if (incarnation < liveness->incarnation || incarnation == UINT64_MAX) return;
    struct liveness_member *self = &liveness->members[liveness->options.self];
    env_mark(liveness->env, ENV_MARK_LIVENESS_REFUTED);
    liveness->incarnation = incarnation + 1;
    self->incarnation = liveness->incarnation;
    liveness_gossip_spread(liveness, self);
}

static void liveness_gossip_accuse(struct liveness *liveness, struct liveness_member *member,
                                   enum liveness_state state, uint64_t incarnation)
{
    if (incarnation < member->incarnation || member->state == LIVENESS_DOWN) return;
    if (state == LIVENESS_SUSPECT && member->state == LIVENESS_SUSPECT) return;
    // Others may say what they like of whom we hear ourselves; but we look at once.
    if (member->heard || member->state == LIVENESS_UNKNOWN) {
        liveness_probe(liveness, member);
        if (member->heard) return;
    }
    member->incarnation = incarnation;
    if (state == LIVENESS_DOWN) {
        liveness_set_state(liveness, member, LIVENESS_DOWN);
    } else if (member->state == LIVENESS_UP) {
        if (member->missed_ns == 0) member->missed_ns = env_monotonic_ns(liveness->env);
        liveness_set_state(liveness, member, LIVENESS_SUSPECT);
        liveness_probe(liveness, member);
    }
}

static void liveness_gossip_praise(struct liveness *liveness, struct liveness_member *member,
                                   uint64_t incarnation)
{
    bool is_new_life = incarnation > member->incarnation && member->incarnation != 0;
    if (incarnation <= member->incarnation && member->state != LIVENESS_UNKNOWN) return;
    if (incarnation > member->incarnation) member->incarnation = incarnation;
    member->missed_ns = 0;
    member->refused_count = 0;
    if (member->state != LIVENESS_UP)
        liveness_set_state(liveness, member, LIVENESS_UP);
    else if (is_new_life)
        liveness_gossip_spread(liveness, member);
}

static void liveness_gossip_take_state(struct liveness *liveness, uint16_t from, uint16_t number,
                                       uint8_t state, uint64_t incarnation)
{
    if (number >= liveness->options.member_count || number == from) return;
    struct liveness_member *member = &liveness->members[number];
    bool accuses = state == LIVENESS_SUSPECT || state == LIVENESS_DOWN;
    if (number == liveness->options.self) {
        if (accuses) liveness_gossip_refute(liveness, incarnation);
    } else if (accuses) {
        liveness_gossip_accuse(liveness, member, (enum liveness_state)state, incarnation);
    } else if (state == LIVENESS_UP) {
        liveness_gossip_praise(liveness, member, incarnation);
    }
}

bool liveness_gossip_take(struct liveness *liveness, uint16_t from, struct cursor *bytes,
                          bool *wants_all)
{
    uint64_t incarnation = cursor_u64(bytes);
    uint8_t flags = cursor_u8(bytes);
    if (bytes->failed) return false;
    *wants_all = (flags & LIVENESS_GOSSIP_WANTS_ALL) != 0;
    struct liveness_member *sender = &liveness->members[from];
    if (incarnation > sender->incarnation) {
        bool is_new_life = sender->incarnation != 0;
        sender->incarnation = incarnation;
        sender->was_held_dead = false;
        if (is_new_life) liveness_gossip_spread(liveness, sender);
    }
    while (cursor_left(bytes) > 0) {
        uint16_t number = cursor_u16(bytes);
        uint8_t state = cursor_u8(bytes);
        incarnation = cursor_u64(bytes);
        if (bytes->failed) return false;
        liveness_gossip_take_state(liveness, from, number, state, incarnation);
    }
    return true;
}
