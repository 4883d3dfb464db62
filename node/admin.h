// A node's answers to tools and to the tests of a ring (admin_protocol.h).
//
//     messaging --VERB_ADMIN--> answered at once | waits: flush, await, drain --> answered
//
// Only so many may wait; who comes then is told OVERLOADED. What harms a ring (faults, skew) is
// done only for those who reach us through a loopback address.
#ifndef NODE_ADMIN_H
#define NODE_ADMIN_H

#include "base/env.h"
#include "ring/liveness/liveness.h"
#include "ring/metadata/metadata.h"
#include "ring/topology/placement.h"
#include "storage/engine/engine.h"

struct admin;
struct query_processor;

// All outlive it.
struct admin_options {
    struct messaging *messaging;
    struct liveness *liveness; // NULL in a ring of one, as is the next.
    struct placement *placement;
    struct metadata *metadata;
    struct engine *engine;
    struct query_processor *processor;
    const struct topology *(*topology)(void *context); // Never NULL.
    uint16_t self;
    const char *cluster_name;
    bool is_loopback; // Where messaging listens.
    bool (*is_ready)(void *context);
    bool (*serves_clients)(void *context);
    // Lets go of clients and flushes; then admin_drained() is called. False: that is so already, or
    // the node stops.
    bool (*drain)(void *context);
    void *context;
};

struct admin *admin_create(struct env *env, const struct admin_options *options);
// The node is ready: who waited for that is looked at again.
void admin_is_ready(struct admin *admin);
// What drain() began has ended; `status`: the flush's.
void admin_drained(struct admin *admin, enum status status);
// After messaging_close() and engine_close(), or their abandoning; liveness may be gone too.
void admin_destroy(struct admin *admin);
// Before liveness and messaging go: nothing is listened to or answered any more.
void admin_leave(struct admin *admin);

#endif
