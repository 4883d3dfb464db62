// What tracing.c, the sessions under way, and tracing_write.c, the rows made of them, share.
#ifndef CQL_SYSTEM_TRACING_INTERNAL_H
#define CQL_SYSTEM_TRACING_INTERNAL_H

#include "cql/system/tracing.h"

enum { TRACING_PARAMETERS_MAX = 64 };

struct tracing_session {
    struct trace trace; // Its arena has the parameters too.
    struct tracing *tracing;
    struct tracing_session *next, **place;
    uint16_t sequence;    // In the ids of its events: another one for each.
    bool is_of_a_replica; // Of another node's session: it has events alone.
    struct env_address client;
    const char *request;
    struct option parameters[TRACING_PARAMETERS_MAX];
    size_t parameter_count;
    int64_t started_us;
    int32_t duration_us;
    struct coordinator_write write;
};

struct tracing {
    struct trace_source source; // For the coordinator, of what it is asked as a replica.
    struct env *env;
    struct coordinator *coordinator;
    const struct table *sessions, *events;
    struct env_address address;
    struct tracing_session *first;
    size_t count;
    uint64_t last_ticks, node; // Of the newest session's id.
    uint16_t last_sequence;
    double probability;
    bool is_stopped;
    void (*write)(struct trace *trace); // tracing_write.c
};

void tracing_free_session(struct tracing_session *session);

#endif
