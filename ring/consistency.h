// Consistency levels: how many replicas must answer (org.apache.cassandra.db.ConsistencyLevel).
#ifndef RING_CONSISTENCY_H
#define RING_CONSISTENCY_H

#include <stdbool.h>

// clang-format off
// In the order of the protocol's codes, 0 to 0xB.
#define CONSISTENCY_MAP(X)  \
    X(ANY)                  \
    X(ONE)                  \
    X(TWO)                  \
    X(THREE)                \
    X(QUORUM)               \
    X(ALL)                  \
    X(LOCAL_QUORUM)         \
    X(EACH_QUORUM)          \
    X(SERIAL)               \
    X(LOCAL_SERIAL)         \
    X(LOCAL_ONE)            \
    X(NODE_LOCAL)
// clang-format on

#define X(name) CONSISTENCY_##name,
enum consistency { CONSISTENCY_MAP(X) CONSISTENCY_COUNT };
#undef X

// "LOCAL_QUORUM".
const char *consistency_text(enum consistency consistency);

// How many of `replication_factor` replicas must answer.
int consistency_required(enum consistency consistency, int replication_factor);

// Only replicas of the coordinator's data centre count (ConsistencyLevel.isDatacenterLocal).
bool consistency_is_local(enum consistency consistency);

#endif
