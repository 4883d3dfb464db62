// When requests have waited too long: a wheel of lists, one for each 8 ms of the next 16 s.
//
//     slots  [k-1] [ k ]──▶request──▶request   [k+1] …        k = deadline / 8 ms, modulo 2048
//              ▲
//           done_tick: all before are looked at
//
// Adding and removing touch one list, whatever number waits, and most are removed long before their
// time. A deadline beyond the wheel lies in its slot too and is passed over until its round comes.
#ifndef RING_MESSAGING_WHEEL_H
#define RING_MESSAGING_WHEEL_H

#include "ring/transport/messaging.h"

enum { MESSAGING_WHEEL_SLOTS = 2048 };

struct messaging_wheel {
    struct messaging_request *slots[MESSAGING_WHEEL_SLOTS];
    uint64_t done_tick;
    size_t count;
};

void messaging_wheel_init(struct messaging_wheel *wheel, uint64_t now_ns);
// `deadline_ns` is set. It becomes due within 8 ms after it.
void messaging_wheel_add(struct messaging_wheel *wheel, struct messaging_request *request);
// Nothing happens to one that is not in it.
void messaging_wheel_remove(struct messaging_wheel *wheel, struct messaging_request *request);
// When a request with this deadline becomes due.
uint64_t messaging_wheel_due_ns(uint64_t deadline_ns);
// One whose deadline has passed, taken out; NULL when there is none.
struct messaging_request *messaging_wheel_take_due(struct messaging_wheel *wheel, uint64_t now_ns);
// When to look again; UINT64_MAX: nobody waits.
uint64_t messaging_wheel_next_ns(const struct messaging_wheel *wheel);

#endif
