// The clients of the simulated node: some connections in one process, which turn a workload's
// operations into CQL and answers into what was found.
//
//     CONNECTING ──▶ SETTING UP (keyspace, tables; until they were acknowledged once) ──▶ READY
//         ▲──────────── a little later ◀── refused, reset, closed ◀──────────────────────┘
//
// Some connections prepare their statements, some send text; some speak v4, some v5; some LZ4.
#ifndef NODE_SIM_SIM_CLIENT_H
#define NODE_SIM_SIM_CLIENT_H

#include "node/sim/workload.h"

struct sim_clients;

struct sim_clients *sim_clients_create(struct env *env, const struct env_address *address,
                                       size_t count, uint64_t seed);
void sim_clients_destroy(struct sim_clients *clients);
void sim_clients_set_workload(struct sim_clients *clients, struct workload *workload);
// What the world is told of: a change was acknowledged that was sent in this turn.
struct sim_clients_checks {
    void (*acknowledged)(void *context, const struct workload_operation *operation,
                         uint64_t sent_turn);
    uint64_t (*turn)(void *context);
    void *context;
};
void sim_clients_set_checks(struct sim_clients *clients, const struct sim_clients_checks *checks);
// As workload_world.submit.
void sim_clients_submit(struct sim_clients *clients, struct workload_operation *operation);

#endif
