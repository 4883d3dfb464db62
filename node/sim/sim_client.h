// The clients of the simulated node, or of a ring of them: some connections in one process, which
// turn a workload's operations into CQL and answers into what was found.
//
//     CONNECTING ──▶ SETTING UP (keyspace, tables; until they were acknowledged once) ──▶ READY
//         ▲──────────── a little later ◀── refused, reset, closed ◀──────────────────────┘
//
// Some connections prepare their statements, some send text; some speak v4, some v5; some LZ4.
#ifndef NODE_SIM_SIM_CLIENT_H
#define NODE_SIM_SIM_CLIENT_H

#include "node/sim/workload.h"

struct sim_clients;

struct sim_clients_options {
    const struct env_address *addresses; // Of the nodes.
    size_t address_count;
    size_t count; // Of connections; they take the addresses in turn.
    uint64_t seed;
    int replication_factor;
    bool is_ring; // It gets the tables for batches and conditional statements, too.
};

struct sim_clients *sim_clients_create(struct env *env, const struct sim_clients_options *options);
void sim_clients_destroy(struct sim_clients *clients);
// What the world is told of: a change was acknowledged that was sent in this turn; an answer makes
// no sense; a connection lost its node.
struct sim_clients_checks {
    void (*acknowledged)(void *context, const struct workload_operation *operation,
                         uint64_t sent_turn);
    uint64_t (*turn)(void *context);
    void (*failed)(void *context, const char *text);
    void *context;
};
void sim_clients_set_checks(struct sim_clients *clients, const struct sim_clients_checks *checks);
// Keyspace and tables are there.
bool sim_clients_have_tables(const struct sim_clients *clients);
// Some connection to this node takes requests.
bool sim_clients_reach(const struct sim_clients *clients, size_t node);
// The next operations go to this node only; SIZE_MAX: to any that is there.
void sim_clients_prefer(struct sim_clients *clients, size_t node);
// What the last error said.
const char *sim_clients_last_error(const struct sim_clients *clients);
// It said that too few nodes live, and nothing was done.
bool sim_clients_lack_nodes(const struct sim_clients *clients);
// As workload_world.submit.
void sim_clients_submit(struct sim_clients *clients, struct workload_operation *operation);

#endif
