// A node without its sockets in a simulated world: metadata, engine, coordinator, Paxos,
// statements.
//
// It has the keyspace ks with tables of every kind (fuzz_node.c). Opening one costs about a
// millisecond, so most targets keep theirs for some inputs.
#ifndef TESTS_FUZZ_SUPPORT_FUZZ_NODE_H
#define TESTS_FUZZ_SUPPORT_FUZZ_NODE_H

#include "cql/statement/statement.h"
#include "cql/system/system_tables.h"
#include "cql/system/tracing.h"
#include "ring/paxos/internal_tables.h"
#include "ring/paxos/paxos.h"
#include "tests/fuzz/support/fuzz_sim.h"

struct fuzz_node {
    struct fuzz_sim sim;
    struct metadata *metadata;
    struct internal_tables internal_tables;
    struct engine *engine;
    struct batch_log *batch_log;
    struct coordinator *coordinator;
    struct paxos *paxos;
    struct system_tables *tables;
    struct tracing *tracing;
    struct query_processor processor;
    struct execution execution;
    bool is_done;
};

// DIR is "/". All in it is there already if `*sim` is not empty (then it is taken over).
void fuzz_node_open(struct fuzz_node *node, double segmented);
void fuzz_node_close(struct fuzz_node *node);

// Prepares and executes one statement to its end. `options` may be NULL. False: it was refused.
// fuzz_node_finish() follows.
bool fuzz_node_execute(struct fuzz_node *node, struct slice text,
                       const struct query_options *options);
void fuzz_node_finish(struct fuzz_node *node);
// A statement of ours that must work.
void fuzz_node_run(struct fuzz_node *node, const char *text);
// Memtables become SSTables.
void fuzz_node_flush(struct fuzz_node *node);

// The tables of ks alone, as fuzz_node has them: for targets that only decode. Never freed.
const struct table *fuzz_node_table(size_t index);
size_t fuzz_node_table_count(void);

#endif
