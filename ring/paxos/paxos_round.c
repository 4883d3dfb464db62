// One request to several replicas. Our own member is asked without the network.
#include "base/container_of.h"
#include "ring/paxos/paxos_internal.h"

static void round_answered(struct paxos_slot *slot, enum status status, struct slice answer)
{
    struct paxos_round *round = slot->round;
    slot->is_pending = false;
    slot->local = NULL;
    if (--round->pending_count == 0) env_timer_stop(round->paxos->env, &round->timer);
    round->answered(round, slot, status, answer);
}

static void round_accepted(void *context, enum status status, struct slice answer)
{
    round_answered(context, status, answer);
}

static void round_message_done(struct messaging_request *request, enum status status,
                               struct slice answer)
{
    round_answered(CONTAINER_OF(request, struct paxos_slot, request), status, answer);
}

void paxos_round_cancel(struct paxos_round *round)
{
    for (size_t i = 0; i < round->slot_count; i++) {
        struct paxos_slot *slot = &round->slots[i];
        if (!slot->is_pending) continue;
        slot->is_pending = false;
        if (slot->local != NULL)
            paxos_acceptance_forget(slot->local);
        else if (paxos_messaging(round->paxos) != NULL)
            messaging_cancel(paxos_messaging(round->paxos), &slot->request);
        slot->local = NULL;
    }
    if (round->paxos != NULL) env_timer_stop(round->paxos->env, &round->timer);
    round->slot_count = round->pending_count = 0;
}

static void round_timed_out(struct env_timer *timer)
{
    struct paxos_round *round = CONTAINER_OF(timer, struct paxos_round, timer);
    paxos_round_cancel(round);
    round->timed_out(round);
}

void paxos_round_start(struct paxos *paxos, struct paxos_round *round, enum verb verb,
                       const uint16_t *members, size_t count, struct slice body,
                       uint64_t timeout_ns, struct arena *arena)
{
    round->paxos = paxos;
    round->slots = ARENA_NEW_ARRAY(arena, struct paxos_slot, count + 1);
    round->slot_count = round->pending_count = count;
    env_timer_start(paxos->env, &round->timer, timeout_ns, round_timed_out);
    for (size_t i = 0; i < count; i++) {
        struct paxos_slot *slot = &round->slots[i];
        slot->round = round;
        slot->member = members[i];
        slot->is_pending = true;
        if (members[i] == paxos_self(paxos))
            slot->local = paxos_accept(paxos, verb, body, round_accepted, slot);
        else if (paxos_messaging(paxos) != NULL)
            // The round's own timer comes first.
            messaging_send(paxos_messaging(paxos), &slot->request, members[i], verb, body,
                           timeout_ns + PAXOS_NS_PER_MS, round_message_done);
    }
}
