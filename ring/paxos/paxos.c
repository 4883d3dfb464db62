// Paxos as a whole: its ballots, who the replicas of a key are, and the verbs of messaging.
#include "ring/paxos/paxos.h"

#include "base/assert.h"
#include "ring/paxos/paxos_internal.h"

#include <stdlib.h>

#define CONTENTION_TIMEOUT_NS (1800 * PAXOS_NS_PER_MS)
#define WRITE_TIMEOUT_NS      (2000 * PAXOS_NS_PER_MS)

struct paxos *paxos_create(struct env *env, const struct paxos_options *options)
{
    struct paxos *paxos = calloc(1, sizeof *paxos);
    ASSERT(paxos != NULL);
    paxos->env = env;
    paxos->options = *options;
    if (paxos->options.contention_timeout_ns == 0)
        paxos->options.contention_timeout_ns = CONTENTION_TIMEOUT_NS;
    if (paxos->options.write_timeout_ns == 0) paxos->options.write_timeout_ns = WRITE_TIMEOUT_NS;
    if (options->messaging != NULL) seen_requests_init(&paxos->seen);
    for (size_t i = 0; i < PAXOS_VERB_COUNT && options->messaging != NULL; i++) {
        paxos->handlers[i].handle = paxos_handle;
        messaging_handle(options->messaging, (enum verb)(VERB_PAXOS_PREPARE + i),
                         &paxos->handlers[i]);
    }
    return paxos;
}

static void paxos_drop(struct paxos *paxos, bool is_crash)
{
    if (is_crash) paxos_drop_attempts(paxos);
    while (paxos->commits != NULL)
        paxos_commit_drop(paxos->commits, is_crash);
    while (paxos->acceptances != NULL)
        paxos_acceptance_drop(paxos->acceptances, is_crash);
    seen_requests_deinit(&paxos->seen);
    free(paxos);
}

void paxos_destroy(struct paxos *paxos)
{
    for (size_t i = 0; i < PAXOS_QUEUE_BUCKETS; i++)
        ASSERT(paxos->queues[i] == NULL);
    paxos_drop(paxos, false);
}

void paxos_abandon(struct paxos *paxos)
{
    paxos_drop(paxos, true);
}

// ---- Ballots ------------------------------------------------------------------------------------

uint16_t paxos_self(const struct paxos *paxos)
{
    const struct placement *placement = paxos->options.placement;
    return placement == NULL ? 0 : placement_self(placement);
}

struct messaging *paxos_messaging(const struct paxos *paxos)
{
    return paxos->handlers[0].messaging;
}

struct ballot paxos_next_ballot(struct paxos *paxos)
{
    int64_t now_us = env_wall_us(paxos->env);
    if (now_us <= paxos->last_time_us) now_us = paxos->last_time_us + 1;
    paxos->last_time_us = now_us;
    return (struct ballot){now_us, paxos_self(paxos)};
}

void paxos_saw_ballot(struct paxos *paxos, struct ballot ballot)
{
    if (ballot.time_us > paxos->last_time_us && ballot.time_us < PAXOS_TIME_MAX_US)
        paxos->last_time_us = ballot.time_us;
}

// ---- Replicas -----------------------------------------------------------------------------------

static bool paxos_is_alive(const struct paxos *paxos, uint16_t member)
{
    return member == paxos_self(paxos) || paxos->options.liveness == NULL ||
           liveness_is_up(paxos->options.liveness, member);
}

static void paxos_find_placed(struct paxos *paxos, const struct keyspace *keyspace,
                              struct token token, bool only_local, struct arena *arena,
                              struct paxos_members *members)
{
    struct placement *placement = paxos->options.placement;
    struct replicas replicas = placement_find(placement, keyspace, token);
    members->items = ARENA_NEW_ARRAY(arena, uint16_t, (size_t)replicas.count + 1);
    for (int alive = 1; alive >= 0; alive--) {
        for (uint16_t i = 0; i < replicas.count; i++) {
            uint16_t member = replicas.members[i];
            if (only_local && !placement_is_local(placement, member)) continue;
            if (paxos_is_alive(paxos, member) != (alive == 1)) continue;
            members->items[members->count++] = member;
            if (alive == 1) members->alive_count++;
        }
    }
    const struct topology *topology = placement_topology(placement);
    members->factor =
        only_local ? placement_factor_in(placement, keyspace,
                                         topology->members[placement_self(placement)].data_center)
                   : placement_factor(placement, keyspace);
}

struct paxos_members paxos_find_members(struct paxos *paxos, const struct table *table,
                                        struct token token, bool only_local, struct arena *arena)
{
    struct paxos_members members = {.count = 0};
    const struct keyspace *keyspace = schema_find_keyspace(paxos->options.schema, table->keyspace);
    if (keyspace == NULL) return members;
    if (paxos->options.placement != NULL) {
        paxos_find_placed(paxos, keyspace, token, only_local, arena, &members);
        return members;
    }
    members.items = ARENA_NEW(arena, uint16_t);
    members.factor = coordinator_replication_factor(keyspace);
    if (members.factor > 0) members.count = members.alive_count = 1;
    return members;
}
