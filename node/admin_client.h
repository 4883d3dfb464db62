// Asks nodes what admin_protocol.h says: for the commands, on env_uv.
#ifndef NODE_ADMIN_CLIENT_H
#define NODE_ADMIN_CLIENT_H

#include "node/admin_protocol.h"
#include "ring/transport/transport_call.h"

// A question to one node, in its owner's memory until `done`.
struct admin_call {
    // OK with the answer; else a status and what to tell a person, in `answer` too. Comes once,
    // never inside admin_call_start(). The call may be freed.
    void (*done)(struct admin_call *call, enum status status, struct slice answer);
    struct transport_call call; // Its own.
};

// The body is copied.
void admin_call_start(struct env *env, struct admin_call *call, const struct env_address *address,
                      struct slice body, uint64_t timeout_ns,
                      void (*done)(struct admin_call *call, enum status status,
                                   struct slice answer));
// `done` does not come. Nothing happens when it is not under way.
void admin_call_cancel(struct admin_call *call);

// One question, waited for: runs the loop. `answer` gets the bytes.
MUST_USE enum status admin_ask(struct env *env, const struct env_address *address,
                               struct slice body, uint64_t timeout_ns, struct buffer *answer,
                               struct error *error);
// The same question to several at once. `statuses` and `answers` (initialised) are for each: the
// answer, or the words of a fault.
void admin_ask_all(struct env *env, const struct env_address *addresses, size_t count,
                   struct slice body, uint64_t timeout_ns, enum status *statuses,
                   struct buffer *answers);

#endif
