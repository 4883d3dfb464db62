// A decided change on its way to all replicas.
//
//     STARTED --as many as the level says have it--> the owner is told --all answered--> gone
//        \--time is over, or too many failed-------> the owner is told --/   hints for the others
#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "ring/paxos/paxos_internal.h"

#include <stdlib.h>

struct paxos_commit {
    struct paxos *paxos;
    struct paxos_commit *next, **place;
    struct paxos_commit_owner *owner; // NULL once it was told, or does not care.
    struct arena arena;
    const struct table *table; // With a reference.
    struct paxos_proposal proposal;
    struct paxos_members members;
    bool *has; // By place in `members`: it has the change.
    struct paxos_round round;
    struct coordinator_result result;
    bool hints;
    struct env_task task;
};

static void commit_let_go(struct paxos_commit *commit)
{
    paxos_round_cancel(&commit->round);
    env_task_cancel(commit->paxos->env, &commit->task);
}

static void commit_free(struct paxos_commit *commit)
{
    *commit->place = commit->next;
    if (commit->next != NULL) commit->next->place = commit->place;
    if (commit->owner != NULL) commit->owner->commit = NULL;
    table_unref(commit->table);
    arena_deinit(&commit->arena);
    free(commit);
}

static void commit_hint(struct paxos_commit *commit, uint16_t member)
{
    struct hints *hints = commit->paxos->options.hints;
    struct cursor change = cursor_make(commit->proposal.change);
    if (!commit->hints || hints == NULL) return;
    // A hint that finds no room is counted there, and left to read repair.
    while (cursor_left(&change) > 0 && !change.failed)
        (void)!hints_add(hints, member, cursor_vint_bytes(&change));
}

static void commit_tell(struct paxos_commit *commit, enum coordinator_outcome outcome)
{
    struct paxos_commit_owner *owner = commit->owner;
    if (owner == NULL) return;
    commit->owner = NULL;
    owner->commit = NULL;
    commit->result.outcome = outcome;
    owner->done(owner, &commit->result);
}

static void commit_end(struct paxos_commit *commit)
{
    for (size_t i = 0; i < commit->members.count; i++)
        if (!commit->has[i]) commit_hint(commit, commit->members.items[i]);
    bool is_over = commit->result.failures > 0 &&
                   commit->result.received + commit->result.failures >= commit->result.alive;
    struct paxos_commit_owner *owner = commit->owner;
    struct coordinator_result result = commit->result;
    result.outcome = is_over ? COORDINATOR_FAILED : COORDINATOR_TIMED_OUT;
    commit_let_go(commit);
    commit_free(commit);
    if (owner != NULL) owner->done(owner, &result);
}

// ---- How many are enough ------------------------------------------------------------------------

static bool commit_is_local(const struct paxos_commit *commit, uint16_t member)
{
    struct placement *placement = commit->paxos->options.placement;
    return placement == NULL || placement_is_local(placement, member);
}

// In the data centre of `member`: a quorum of its replicas has it.
static bool commit_has_quorum_beside(const struct paxos_commit *commit, uint16_t member)
{
    struct placement *placement = commit->paxos->options.placement;
    if (placement == NULL) return true;
    const struct topology *topology = placement_topology(placement);
    const char *data_center = topology->members[member].data_center;
    int count = 0, have = 0;
    for (size_t i = 0; i < commit->members.count; i++) {
        uint16_t other = commit->members.items[i];
        if (strcmp(topology->members[other].data_center, data_center) != 0) continue;
        count++;
        if (commit->has[i]) have++;
    }
    return have >= count / 2 + 1;
}

static void commit_count(struct paxos_commit *commit)
{
    bool only_local = commit->result.consistency == CONSISTENCY_LOCAL_QUORUM ||
                      commit->result.consistency == CONSISTENCY_LOCAL_ONE ||
                      commit->result.consistency == CONSISTENCY_LOCAL_SERIAL;
    commit->result.received = 0;
    for (size_t i = 0; i < commit->members.count; i++)
        if (commit->has[i] && (!only_local || commit_is_local(commit, commit->members.items[i])))
            commit->result.received++;
}

static bool commit_is_enough(struct paxos_commit *commit)
{
    commit_count(commit);
    if (commit->result.consistency == CONSISTENCY_EACH_QUORUM) {
        for (size_t i = 0; i < commit->members.count; i++)
            if (!commit_has_quorum_beside(commit, commit->members.items[i])) return false;
        return true;
    }
    return commit->result.received >= commit->result.required;
}

static int commit_required(struct paxos_commit *commit)
{
    enum consistency consistency = commit->result.consistency;
    struct placement *placement = commit->paxos->options.placement;
    int factor = commit->members.factor;
    if (consistency == CONSISTENCY_ANY) return 0;
    if ((consistency == CONSISTENCY_LOCAL_QUORUM || consistency == CONSISTENCY_LOCAL_SERIAL) &&
        placement != NULL) {
        const struct keyspace *keyspace =
            schema_find_keyspace(commit->paxos->options.schema, commit->table->keyspace);
        const struct topology *topology = placement_topology(placement);
        if (keyspace != NULL)
            factor = placement_factor_in(placement, keyspace,
                                         topology->members[placement_self(placement)].data_center);
    }
    return consistency_required(consistency, factor);
}

// ---- Answers ------------------------------------------------------------------------------------

static void commit_answered(struct paxos_round *round, struct paxos_slot *slot, enum status status,
                            struct slice answer)
{
    struct paxos_commit *commit = CONTAINER_OF(round, struct paxos_commit, round);
    (void)answer;
    if (status == STATUS_OK)
        commit->has[slot - round->slots] = true;
    else if (status != STATUS_TIMED_OUT && status != STATUS_CLOSED)
        commit->result.failures++;
    if (commit->owner != NULL && commit_is_enough(commit)) commit_tell(commit, COORDINATOR_OK);
    if (round->pending_count == 0) commit_end(commit);
}

static void commit_timed_out(struct paxos_round *round)
{
    commit_end(CONTAINER_OF(round, struct paxos_commit, round));
}

static void commit_task_run(struct env_task *task)
{
    struct paxos_commit *commit = CONTAINER_OF(task, struct paxos_commit, task);
    if (commit_is_enough(commit)) commit_tell(commit, COORDINATOR_OK);
    if (commit->members.alive_count == 0) commit_end(commit);
}

void paxos_commit_start(struct paxos *paxos, struct paxos_commit_owner *owner,
                        const struct table *table, const struct partition_key *key,
                        const struct paxos_proposal *proposal, enum consistency consistency,
                        bool hints)
{
    struct paxos_commit *commit = calloc(1, sizeof *commit);
    ASSERT(commit != NULL);
    commit->paxos = paxos;
    commit->next = paxos->commits;
    commit->place = &paxos->commits;
    if (commit->next != NULL) commit->next->place = &commit->next;
    paxos->commits = commit;
    commit->owner = owner;
    owner->commit = commit;
    arena_init(&commit->arena, PAXOS_ARENA_BLOCK_SIZE);
    commit->table = table;
    table_ref(table);
    commit->proposal = *proposal;
    commit->proposal.change = arena_copy(&commit->arena, proposal->change);
    commit->hints = hints;
    commit->members = paxos_find_members(paxos, table, key->token, false, &commit->arena);
    commit->has = ARENA_NEW_ARRAY(&commit->arena, bool, commit->members.count + 1);
    commit->result = (struct coordinator_result){.consistency = consistency,
                                                 .alive = (int)commit->members.alive_count};
    commit->result.required = commit_required(commit);
    commit->round.answered = commit_answered;
    commit->round.timed_out = commit_timed_out;
    struct buffer body;
    buffer_init(&body, TRANSPORT_MESSAGE_SIZE_MAX);
    paxos_put_request(&body, table, key, &commit->proposal);
    if (commit->members.alive_count > 0)
        paxos_round_start(paxos, &commit->round, VERB_PAXOS_COMMIT, commit->members.items,
                          commit->members.alive_count, buffer_slice(&body),
                          paxos->options.write_timeout_ns, &commit->arena);
    buffer_deinit(&body);
    // ANY waits for nobody.
    if (commit->members.alive_count == 0 || commit->result.required == 0)
        env_task_post(paxos->env, &commit->task, commit_task_run);
}

void paxos_commit_forget(struct paxos_commit_owner *owner)
{
    if (owner->commit != NULL) owner->commit->owner = NULL;
    owner->commit = NULL;
}

void paxos_commit_drop(struct paxos_commit *commit, bool is_crash)
{
    if (!is_crash) commit_let_go(commit);
    commit_free(commit);
}
