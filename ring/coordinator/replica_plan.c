#include "ring/coordinator/replica_plan.h"

#include "ring/coordinator/coordinator_state.h"
#include "storage/schema/options.h"

bool replica_plan_is_alive(const struct coordinator *coordinator, uint16_t member)
{
    return member == coordinator->self || coordinator->options.liveness == NULL ||
           liveness_is_up(coordinator->options.liveness, member);
}

bool replica_plan_is_near(const struct coordinator *coordinator, uint16_t member)
{
    return member == coordinator->self || coordinator->options.liveness == NULL ||
           liveness_is_near(coordinator->options.liveness, member);
}

static const struct topology *replica_plan_topology(const struct coordinator *coordinator)
{
    return coordinator->options.placement == NULL
               ? NULL
               : placement_topology(coordinator->options.placement);
}

uint16_t replica_plan_center(const struct coordinator *coordinator, uint16_t member)
{
    const struct topology *topology = replica_plan_topology(coordinator);
    if (topology == NULL || member >= topology->member_count) return 0;
    uint16_t first = 0;
    while (strcmp(topology->members[first].data_center, topology->members[member].data_center) != 0)
        first++;
    return first;
}

int replica_plan_required_in(const struct coordinator *coordinator, const struct keyspace *keyspace,
                             uint16_t center)
{
    const struct topology *topology = replica_plan_topology(coordinator);
    if (topology == NULL || center >= topology->member_count) return 1;
    int factor = placement_factor_in(coordinator->options.placement, keyspace,
                                     topology->members[center].data_center);
    return factor / 2 + 1;
}

bool replica_plan_counts(const struct coordinator *coordinator, const struct replica_plan *plan,
                         uint16_t member)
{
    return !plan->is_local || placement_is_local(coordinator->options.placement, member);
}

static bool replica_plan_is_by_center(const struct keyspace *keyspace)
{
    const char name[] = "NetworkTopologyStrategy";
    struct slice value = options_find(&keyspace->replication, "class");
    size_t size = sizeof name - 1;
    return value.size >= size && memcmp(value.data + value.size - size, name, size) == 0;
}

// The sum of all quorums, and the first data centre that has none alive ends it.
static bool replica_plan_each_quorum(const struct coordinator *coordinator,
                                     const struct keyspace *keyspace, struct replica_plan *plan,
                                     struct coordinator_result *result)
{
    const struct topology *topology = replica_plan_topology(coordinator);
    plan->required = 0;
    bool is_enough = true;
    for (uint16_t center = 0; center < topology->member_count; center++) {
        const char *name = topology->members[center].data_center;
        if (replica_plan_center(coordinator, center) != center ||
            placement_factor_in(coordinator->options.placement, keyspace, name) == 0)
            continue;
        int required = replica_plan_required_in(coordinator, keyspace, center), alive = 0;
        for (uint16_t i = 0; i < plan->replicas.count; i++) {
            uint16_t member = plan->replicas.members[i];
            if (strcmp(topology->members[member].data_center, name) == 0 &&
                replica_plan_is_alive(coordinator, member))
                alive++;
        }
        plan->required += required;
        if (alive >= required || !is_enough) continue;
        is_enough = false;
        result->required = required;
        result->alive = alive;
    }
    if (is_enough) result->required = plan->required;
    return is_enough;
}

// LOCAL_… of a keyspace without data centres is by the copies of all.
static int replica_plan_required(const struct coordinator *coordinator,
                                 const struct keyspace *keyspace, enum consistency consistency)
{
    struct placement *placement = coordinator->options.placement;
    bool is_local = consistency_is_local(consistency) && replica_plan_is_by_center(keyspace);
    return consistency_required(consistency, is_local ? placement_local_factor(placement, keyspace)
                                                      : placement_factor(placement, keyspace));
}

static bool replica_plan_alone(const struct coordinator *coordinator, const struct table *table,
                               enum consistency consistency, struct replica_plan *plan,
                               struct coordinator_result *result)
{
    bool suffices = coordinator_replicas_suffice(coordinator, table, consistency, result);
    *plan = (struct replica_plan){
        .replicas = {&coordinator->self, (uint16_t)(result->alive > 0)},
        .consistency = consistency,
        .required = result->required,
        .alive = result->alive,
    };
    return suffices;
}

bool replica_plan_make(const struct coordinator *coordinator, const struct table *table,
                       struct token token, enum consistency consistency, bool is_read,
                       struct replica_plan *plan, struct coordinator_result *result)
{
    struct placement *placement = coordinator->options.placement;
    if (placement == NULL) return replica_plan_alone(coordinator, table, consistency, plan, result);
    const struct keyspace *keyspace = coordinator_find_keyspace(coordinator, table->keyspace);
    // Tables of the node's own have no keyspace here: their one copy is this node's.
    if (keyspace == NULL) return replica_plan_alone(coordinator, table, consistency, plan, result);
    *plan = (struct replica_plan){
        .replicas = placement_find(placement, keyspace, token),
        .consistency = consistency,
        .is_local = consistency_is_local(consistency),
        .is_each_quorum = consistency == CONSISTENCY_EACH_QUORUM &&
                          placement_topology(placement) != NULL &&
                          replica_plan_is_by_center(keyspace),
    };
    for (uint16_t i = 0; i < plan->replicas.count; i++) {
        uint16_t member = plan->replicas.members[i];
        if (replica_plan_is_alive(coordinator, member) &&
            replica_plan_counts(coordinator, plan, member))
            plan->alive++;
    }
    *result = (struct coordinator_result){.consistency = consistency, .alive = plan->alive};
    bool suffices;
    if (plan->is_each_quorum) {
        suffices = replica_plan_each_quorum(coordinator, keyspace, plan, result);
    } else {
        plan->required = replica_plan_required(coordinator, keyspace, consistency);
        result->required = plan->required;
        // A hint is enough for ANY, and we can always keep one.
        suffices = plan->alive >= plan->required ||
                   (consistency == CONSISTENCY_ANY && !is_read && plan->replicas.count > 0);
    }
    if (!suffices) result->outcome = COORDINATOR_UNAVAILABLE;
    return suffices;
}
