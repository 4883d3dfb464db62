// One node: every layer put together on one env (org.apache.cassandra.service.CassandraDaemon).
//
//     DIR/identity       host id and tokens (identity.h)
//        /members        the ring's, if it is not alone (members.h)
//        /settings       what it began with and keeps (settings.h)
//        /metadata/      schema and jobs (ring/metadata/metadata.h)
//        /data/ …        tables, commit log, manifest (storage/engine/engine.h)
//
//     clients --CQL--> cql server --> query processor --> coordinator --> engine
//     workers --transport--> job service ---------------------^
//
// It runs in any env: the program's `helenus node` on env_uv, the simulator on env_sim.
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include "base/env.h"
#include "node/config.h"

#include <stdbool.h>

struct node;
struct liveness;
struct messaging;
struct node_identity;

// Opens everything in DIR, which exists, and listens. Blocks: for start-up only. IN_USE: another
// process has the directory or a port; CORRUPT, IO, NO_SPACE with what and where.
MUST_USE enum status node_start(struct env *env, const char *directory, const struct config *config,
                                struct node **node, struct error *error);
// Ends in good order: clients and workers first, then the log is synced and the clean-stop mark
// written. `stopped` comes when all is done; the node is gone then.
void node_stop(struct node *node, void (*stopped)(void *context), void *context);
// Frees it as a crash would leave it: nothing is written or sent any more (simulator).
void node_abandon(struct node *node);

// Who it is (cql/system/system_tables.h): of tokens, data centre and rack what its members or its
// identity say. It may be another than a configuration says that was changed.
const struct node_identity *node_self(const struct node *node);

// Clients are served. A node of a ring first asks the others for what it missed, for a bounded
// time.
bool node_is_ready(const struct node *node);
// Calls `ready` once, in a later turn, when it is.
void node_when_ready(struct node *node, void (*ready)(void *context), void *context);

// For the simulator's checks and for flushes by hand.
struct engine *node_engine(struct node *node);
struct metadata *node_metadata(struct node *node);
struct messaging *node_messaging(struct node *node); // NULL in a ring of one.
struct liveness *node_liveness(struct node *node);
// How many of all requests are traced unasked (cql/system/tracing.h).
void node_set_trace_probability(struct node *node, double probability);

#endif
