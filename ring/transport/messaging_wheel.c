#include "ring/transport/messaging_wheel.h"

#include "base/assert.h"

#define MESSAGING_WHEEL_TICK_NS UINT64_C(8000000)

// The first tick that begins when the deadline has passed.
static uint64_t messaging_wheel_tick(uint64_t deadline_ns)
{
    return deadline_ns / MESSAGING_WHEEL_TICK_NS + 1;
}

uint64_t messaging_wheel_due_ns(uint64_t deadline_ns)
{
    return messaging_wheel_tick(deadline_ns) * MESSAGING_WHEEL_TICK_NS;
}

void messaging_wheel_init(struct messaging_wheel *wheel, uint64_t now_ns)
{
    *wheel = (struct messaging_wheel){.done_tick = now_ns / MESSAGING_WHEEL_TICK_NS};
}

void messaging_wheel_add(struct messaging_wheel *wheel, struct messaging_request *request)
{
    ASSERT(request->place == NULL);
    struct messaging_request **slot =
        &wheel->slots[messaging_wheel_tick(request->deadline_ns) % MESSAGING_WHEEL_SLOTS];
    request->next = *slot;
    request->place = slot;
    if (*slot != NULL) (*slot)->place = &request->next;
    *slot = request;
    wheel->count++;
}

void messaging_wheel_remove(struct messaging_wheel *wheel, struct messaging_request *request)
{
    if (request->place == NULL) return;
    *request->place = request->next;
    if (request->next != NULL) request->next->place = request->place;
    request->next = NULL;
    request->place = NULL;
    wheel->count--;
}

struct messaging_request *messaging_wheel_take_due(struct messaging_wheel *wheel, uint64_t now_ns)
{
    uint64_t now_tick = now_ns / MESSAGING_WHEEL_TICK_NS;
    // One round shows every slot.
    if (now_tick > wheel->done_tick + MESSAGING_WHEEL_SLOTS)
        wheel->done_tick = now_tick - MESSAGING_WHEEL_SLOTS;
    for (; wheel->done_tick < now_tick; wheel->done_tick++) {
        struct messaging_request *request =
            wheel->slots[(wheel->done_tick + 1) % MESSAGING_WHEEL_SLOTS];
        while (request != NULL && messaging_wheel_tick(request->deadline_ns) > now_tick)
            request = request->next;
        if (request == NULL) continue;
        messaging_wheel_remove(wheel, request);
        return request;
    }
    return NULL;
}

uint64_t messaging_wheel_next_ns(const struct messaging_wheel *wheel)
{
    if (wheel->count == 0) return UINT64_MAX;
    // At the latest after a round, when what is further away comes by again.
    uint64_t tick = wheel->done_tick + 1;
    while (tick < wheel->done_tick + MESSAGING_WHEEL_SLOTS &&
           wheel->slots[tick % MESSAGING_WHEEL_SLOTS] == NULL)
        tick++;
    return tick * MESSAGING_WHEEL_TICK_NS;
}
