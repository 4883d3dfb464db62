// The metadata log of one to five members in the simulator, and what is true of it at each step:
// one order for all, nothing twice, nothing lost that was told or shown. Included by one file of a
// program.
//
//     world_open(3, seed, false, true);
//     op_start(0, false);
//     wait_for_ops();
//     world_close();
#ifndef TESTS_RING_METADATA_LOG_WORLD_H
#define TESTS_RING_METADATA_LOG_WORLD_H

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_sim.h"
#include "base/random.h"
#include "ring/liveness/liveness.h"
#include "ring/metadata/metadata_log.h"
#include "ring/metadata/metadata_log_state.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

enum { NODES_MAX = 5, OPS_MAX = 4096, RECORD_SIZE_MAX = 200 << 10 };

// One append. Its number in `ops` is what its record says, and 1 is added, so that 0 is none.
struct op {
    struct metadata_log_append append;
    uint8_t *record;
    size_t node;
    bool is_under_way;
    enum status status;   // END: not known.
    int position;         // In the order; -1: not there.
    int acknowledged_max; // What was acknowledged before it began.
};

struct log_node {
    struct sim_machine *machine;
    struct env *env;
    struct messaging *messaging;
    struct liveness *liveness;
    struct metadata_log *log;
    struct sim_call restart;
    int count; // Records of the order that it has applied.
    int shown; // The most that it ever had: no crash takes them back.
    bool is_broken;
    bool is_asking;      // All the others, whether it misses something.
    int asked_after;     // What was acknowledged before.
    int caught_up_count; // How often it was told that it has everything.
};

static struct log_world {
    struct sim_world *sim;
    struct random random;
    struct topology *topology;
    size_t node_count;
    struct log_node nodes[NODES_MAX];
    bool has_liveness;
    int truth[OPS_MAX]; // The order: number of each op.
    int truth_count;
    int acknowledged_max;
    struct op ops[OPS_MAX];
    int op_count;
    size_t record_size_max;
} world;

// ---- The state machine: a list ------------------------------------------------------------------

static inline void take_record(struct log_node *node, int op)
{
    ck_assert_int_lt(op, world.op_count);
    if (node->count < world.truth_count) {
        ck_assert_int_eq(world.truth[node->count], op); // The same for all.
    } else {
        ck_assert_int_eq(world.ops[op].position, -1); // Never twice.
        // Later than what was acknowledged before it began.
        ck_assert_int_gt(world.truth_count, world.ops[op].acknowledged_max);
        world.ops[op].position = world.truth_count;
        world.truth[world.truth_count++] = op;
    }
    node->count++;
    if (node->count > node->shown) node->shown = node->count;
}

// A record may name the one that it has to follow.
static inline enum status list_applied(void *context, uint64_t number, struct slice record)
{
    struct log_node *node = context;
    (void)number;
    ck_assert_uint_ge(record.size, 16);
    uint64_t op = bytes_get_u64(record.data), after = bytes_get_u64(record.data + 8);
    uint64_t last = node->count == 0 ? 0 : (uint64_t)world.truth[node->count - 1] + 1;
    if (after != 0 && after != last) return STATUS_CONFLICT;
    take_record(node, (int)op);
    return STATUS_OK;
}

static inline void list_snapshot(void *context, struct buffer *state)
{
    const struct log_node *node = context;
    for (int i = 0; i < node->count; i++)
        buffer_put_u64(state, (uint64_t)world.truth[i]);
}

static inline enum status list_check(void *context, struct slice state, struct error *error)
{
    (void)context, (void)error;
    return state.size % 8 == 0 ? STATUS_OK : STATUS_CORRUPT;
}

static inline enum status list_restore(void *context, struct slice state, struct error *error)
{
    struct log_node *node = context;
    (void)error;
    ck_assert_int_ge((int)(state.size / 8), node->count);
    node->count = 0;
    for (size_t i = 0; i < state.size / 8; i++)
        take_record(node, (int)bytes_get_u64(state.data + 8 * i));
    return STATUS_OK;
}

static const struct metadata_log_events list_events = {
    .applied = list_applied,
    .snapshot = list_snapshot,
    .restore = list_restore,
    .check = list_check,
};

// ---- Nodes --------------------------------------------------------------------------------------

static inline const struct topology *node_topology(void *context)
{
    (void)context;
    return world.topology;
}

static inline uint64_t node_log_number(void *context)
{
    return metadata_log_number(((struct log_node *)context)->log);
}

static inline void node_behind(void *context, uint16_t member, uint64_t number)
{
    metadata_log_catch_up(((struct log_node *)context)->log, member, number);
}

static inline void node_restart(struct sim_call *call);

// Whoever is told that it has everything has all that was acknowledged before it asked.
static inline void asked_all(void *context)
{
    struct log_node *node = context;
    ck_assert(node->is_asking);
    node->is_asking = false;
    if (!metadata_log_is_caught_up(node->log)) return;
    ck_assert_int_gt(node->count, node->asked_after);
    node->caught_up_count++;
}

static inline void ask_all(struct log_node *node)
{
    if (node->is_asking) return;
    node->is_asking = true;
    node->asked_after = world.acknowledged_max;
    metadata_log_catch_up_all(node->log, 500 * MS, asked_all, node);
}

// What a dead process leaves behind.
static inline void node_free(struct log_node *node)
{
    for (int i = 0; i < world.op_count; i++)
        if (world.ops[i].is_under_way && &world.nodes[world.ops[i].node] == node)
            world.ops[i].is_under_way = false; // Nobody will know.
    if (node->liveness != NULL) liveness_abandon(node->liveness);
    if (node->messaging != NULL) messaging_abandon(node->messaging);
    if (node->log != NULL) metadata_log_abandon(node->log);
    node->liveness = NULL;
    node->messaging = NULL;
    node->log = NULL;
    node->is_asking = false;
    sim_process_destroy(node->env);
    node->env = NULL;
}

static inline void node_died(void *context, struct env *env)
{
    struct log_node *node = context;
    ck_assert_ptr_eq(node->env, env);
    node_free(node);
    uint64_t pause_ms = random_chance(&world.random, 0.5) ? 5 : 300; // Soon: into what goes on.
    sim_world_call(world.sim, &node->restart, random_below(&world.random, pause_ms) * MS,
                   node_restart);
}

static inline bool node_open(struct log_node *node)
{
    uint16_t self = (uint16_t)(node - world.nodes);
    const struct metadata_log_options options = {
        .directory = "/metadata", .self = self, .member_count = (uint16_t)world.node_count};
    struct error error;
    node->count = 0;
    node->is_broken = false;
    enum status status =
        metadata_log_open(node->env, &options, &list_events, node, &node->log, &error);
    if (status == STATUS_OK) status = env_sync_dir(node->env, "/", &error); // As a node does.
    if (!sim_process_is_alive(node->env)) return true; // Its owner will be told.
    if (status != STATUS_OK) {
        ck_assert_msg(status == STATUS_IO || status == STATUS_NO_SPACE, "%s", error.text);
        return false;
    }
    ck_assert_int_ge(node->count, node->shown);
    const struct messaging_options messaging_options = {
        .listen = world.topology->members[self].address,
        .self = self,
        .topology = node_topology,
        .log_number = node_log_number,
        .behind = node_behind,
        .context = node,
    };
    status = messaging_create(node->env, &messaging_options, &node->messaging, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
    const struct liveness_options liveness_options = {.self = self,
                                                      .member_count = (uint16_t)world.node_count};
    if (world.has_liveness)
        node->liveness = liveness_create(node->env, node->messaging, &liveness_options);
    metadata_log_join(node->log, node->messaging, node->liveness);
    ask_all(node);
    return true;
}

static inline void node_restart(struct sim_call *call)
{
    struct log_node *node = CONTAINER_OF(call, struct log_node, restart);
    node->env = sim_process_start(node->machine, "node", node_died, node);
    if (!node_open(node)) sim_process_crash(node->env);
}

static inline void world_open(size_t node_count, uint64_t seed, bool faults, bool has_liveness)
{
    struct sim_options options;
    sim_options_init(&options, seed);
    if (!faults) memset(options.chances, 0, sizeof options.chances);
    memset(&world, 0, sizeof world);
    random_init(&world.random, seed);
    world.sim = sim_world_create(&options);
    world.node_count = node_count;
    world.has_liveness = has_liveness;
    world.record_size_max = 16;
    world.acknowledged_max = -1;
    struct member members[NODES_MAX] = {0};
    struct token tokens[NODES_MAX];
    for (uint8_t m = 0; m < node_count; m++) {
        members[m].host_id.bytes[0] = (uint8_t)(m + 1);
        members[m].address =
            (struct env_address){.bytes = {127, 0, 0, (uint8_t)(m + 1)}, .size = 4, .port = 7000};
        tokens[m].value = m;
        members[m].tokens = &tokens[m];
        members[m].token_count = 1;
    }
    ck_assert_int_eq(topology_make(members, node_count, &world.topology, NULL), STATUS_OK);
    for (size_t n = 0; n < node_count; n++) {
        char name[32];
        (void)snprintf(name, sizeof name, "m%zu", n);
        world.nodes[n].machine = sim_machine_create(world.sim, name);
        node_restart(&world.nodes[n].restart);
    }
}

static inline void kill_and_hold(size_t n)
{
    if (world.nodes[n].env != NULL) sim_process_crash(world.nodes[n].env);
    while (world.nodes[n].env != NULL)
        ck_assert(sim_world_step(world.sim));
    sim_world_cancel(world.sim, &world.nodes[n].restart);
}

static inline void world_close(void)
{
    for (size_t n = 0; n < world.node_count; n++)
        kill_and_hold(n);
    topology_destroy(world.topology);
    sim_world_destroy(world.sim);
    for (int i = 0; i < world.op_count; i++)
        free(world.ops[i].record);
}

// ---- Appends ------------------------------------------------------------------------------------

static inline void op_done(struct metadata_log_append *append, enum status status)
{
    struct op *op = CONTAINER_OF(append, struct op, append);
    ck_assert(op->is_under_way);
    op->is_under_way = false;
    op->status = status;
    if (status == STATUS_OK) {
        ck_assert_int_ge(op->position, 0);
        ck_assert_int_gt(world.nodes[op->node].count, op->position);
        if (op->position > world.acknowledged_max) world.acknowledged_max = op->position;
    }
    if (status == STATUS_CONFLICT) ck_assert_int_eq(op->position, -1);
    if (status == STATUS_IO || status == STATUS_NO_SPACE) world.nodes[op->node].is_broken = true;
}

static inline struct op *op_start(size_t node, bool is_conditional)
{
    const struct log_node *at = &world.nodes[node];
    ck_assert_int_lt(world.op_count, OPS_MAX);
    struct op *op = &world.ops[world.op_count];
    *op = (struct op){.node = node,
                      .is_under_way = true,
                      .status = STATUS_END,
                      .position = -1,
                      .acknowledged_max = world.acknowledged_max};
    size_t size = 16 + random_below(&world.random, world.record_size_max - 15);
    op->record = calloc(1, size);
    bytes_put_u64(op->record, (uint64_t)world.op_count++);
    if (is_conditional && at->count > 0)
        bytes_put_u64(op->record + 8, (uint64_t)world.truth[at->count - 1] + 1);
    metadata_log_append(at->log, &op->append, slice_make(op->record, size), op_done);
    ck_assert(op->is_under_way);
    return op;
}

static inline bool node_is_up(const struct log_node *node)
{
    return node->env != NULL && sim_process_is_alive(node->env) && node->log != NULL &&
           node->messaging != NULL;
}

static inline bool any_under_way(void)
{
    for (int i = 0; i < world.op_count; i++)
        if (world.ops[i].is_under_way) return true;
    return false;
}

static inline void run_for(uint64_t duration_ns)
{
    uint64_t end_ns = sim_world_now(world.sim) + duration_ns;
    while (sim_world_now(world.sim) < end_ns && sim_world_step(world.sim)) {
    }
}

static inline void wait_for_ops(void)
{
    uint64_t end_ns = sim_world_now(world.sim) + 30 * S;
    while (any_under_way() && sim_world_step(world.sim))
        ck_assert_uint_lt(sim_world_now(world.sim), end_ns);
}

static inline bool all_equal(void)
{
    for (size_t n = 0; n < world.node_count; n++)
        if (!node_is_up(&world.nodes[n]) || world.nodes[n].count != world.truth_count) return false;
    return true;
}

#endif
