// One question to one node, over a connection of its own: what commands ask.
//
//     transport_call_start() --connected--> the question leaves --> the answer --> done
//                           \--no connection, it broke, too late --> done
#ifndef RING_TRANSPORT_CALL_H
#define RING_TRANSPORT_CALL_H

#include "base/buffer.h"
#include "ring/transport/transport.h"

// In its owner's memory until `done`.
struct transport_call {
    // OK: the answer's type and payload; else `payload` is what to tell a person. Comes once, from
    // a task, never inside of transport_call_start(). The call may be freed.
    void (*done)(struct transport_call *call, enum status status, uint8_t type,
                 struct slice payload);
    // The rest is its own.
    struct env *env;
    struct transport_client *client;
    struct transport_request request;
    struct env_timer timer;
    struct env_task end;
    struct buffer question, answer;
    uint8_t question_type, answer_type;
    enum status status;
    bool is_connecting, is_ended;
};

// The question is copied. TIMED_OUT after `timeout_ns`, of all of it.
void transport_call_start(struct env *env, struct transport_call *call,
                          const struct env_address *address, uint64_t timeout_ns, uint8_t type,
                          struct slice question,
                          void (*done)(struct transport_call *call, enum status status,
                                       uint8_t type, struct slice payload));
// `done` does not come. Nothing happens when it is not under way.
void transport_call_cancel(struct transport_call *call);

#endif
