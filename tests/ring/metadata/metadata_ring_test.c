// The metadata log of one to five members in the simulator: one order for all, nothing twice,
// nothing lost that was told or shown, whatever is killed, cut off, slow or full.
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

static void take_record(struct log_node *node, int op)
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
static enum status list_applied(void *context, uint64_t number, struct slice record)
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

static void list_snapshot(void *context, struct buffer *state)
{
    const struct log_node *node = context;
    for (int i = 0; i < node->count; i++)
        buffer_put_u64(state, (uint64_t)world.truth[i]);
}

static enum status list_check(void *context, struct slice state, struct error *error)
{
    (void)context, (void)error;
    return state.size % 8 == 0 ? STATUS_OK : STATUS_CORRUPT;
}

static enum status list_restore(void *context, struct slice state, struct error *error)
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

static const struct topology *node_topology(void *context)
{
    (void)context;
    return world.topology;
}

static uint64_t node_log_number(void *context)
{
    return metadata_log_number(((struct log_node *)context)->log);
}

static void node_behind(void *context, uint16_t member, uint64_t number)
{
    metadata_log_catch_up(((struct log_node *)context)->log, member, number);
}

static void node_restart(struct sim_call *call);

// Whoever is told that it has everything has all that was acknowledged before it asked.
static void asked_all(void *context)
{
    struct log_node *node = context;
    ck_assert(node->is_asking);
    node->is_asking = false;
    if (!metadata_log_is_caught_up(node->log)) return;
    ck_assert_int_gt(node->count, node->asked_after);
    node->caught_up_count++;
}

static void ask_all(struct log_node *node)
{
    if (node->is_asking) return;
    node->is_asking = true;
    node->asked_after = world.acknowledged_max;
    metadata_log_catch_up_all(node->log, 500 * MS, asked_all, node);
}

// What a dead process leaves behind.
static void node_free(struct log_node *node)
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

static void node_died(void *context, struct env *env)
{
    struct log_node *node = context;
    ck_assert_ptr_eq(node->env, env);
    node_free(node);
    uint64_t pause_ms = random_chance(&world.random, 0.5) ? 5 : 300; // Soon: into what goes on.
    sim_world_call(world.sim, &node->restart, random_below(&world.random, pause_ms) * MS,
                   node_restart);
}

static bool node_open(struct log_node *node)
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

static void node_restart(struct sim_call *call)
{
    struct log_node *node = CONTAINER_OF(call, struct log_node, restart);
    node->env = sim_process_start(node->machine, "node", node_died, node);
    if (!node_open(node)) sim_process_crash(node->env);
}

static void world_open(size_t node_count, uint64_t seed, bool faults, bool has_liveness)
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

static void kill_and_hold(size_t n)
{
    if (world.nodes[n].env != NULL) sim_process_crash(world.nodes[n].env);
    while (world.nodes[n].env != NULL)
        ck_assert(sim_world_step(world.sim));
    sim_world_cancel(world.sim, &world.nodes[n].restart);
}

static void world_close(void)
{
    for (size_t n = 0; n < world.node_count; n++)
        kill_and_hold(n);
    topology_destroy(world.topology);
    sim_world_destroy(world.sim);
    for (int i = 0; i < world.op_count; i++)
        free(world.ops[i].record);
}

// ---- Appends ------------------------------------------------------------------------------------

static void op_done(struct metadata_log_append *append, enum status status)
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

static struct op *op_start(size_t node, bool is_conditional)
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

static bool node_is_up(const struct log_node *node)
{
    return node->env != NULL && sim_process_is_alive(node->env) && node->log != NULL &&
           node->messaging != NULL;
}

static bool any_under_way(void)
{
    for (int i = 0; i < world.op_count; i++)
        if (world.ops[i].is_under_way) return true;
    return false;
}

static void run_for(uint64_t duration_ns)
{
    uint64_t end_ns = sim_world_now(world.sim) + duration_ns;
    while (sim_world_now(world.sim) < end_ns && sim_world_step(world.sim)) {
    }
}

static void wait_for_ops(void)
{
    uint64_t end_ns = sim_world_now(world.sim) + 30 * S;
    while (any_under_way() && sim_world_step(world.sim))
        ck_assert_uint_lt(sim_world_now(world.sim), end_ns);
}

static bool all_equal(void)
{
    for (size_t n = 0; n < world.node_count; n++)
        if (!node_is_up(&world.nodes[n]) || world.nodes[n].count != world.truth_count) return false;
    return true;
}

// ---- Without faults -----------------------------------------------------------------------------

START_TEST(an_append_is_done_when_all_have_applied_it)
{
    const size_t counts[] = {1, 2, 3, 5};
    world_open(counts[_i], 1, false, _i % 2 == 0);
    run_for(1 * S);
    for (int i = 0; i < 20; i++) {
        struct op *op = op_start(random_below(&world.random, world.node_count), false);
        wait_for_ops();
        ck_assert_int_eq(op->status, STATUS_OK);
        ck_assert(all_equal());
    }
    ck_assert_int_eq(world.truth_count, 20);
    world_close();
}
END_TEST

static bool settled;

static void note_settled(struct metadata_log_append *append, enum status status)
{
    (void)append;
    ck_assert_int_eq(status, STATUS_OK);
    settled = true;
}

// One member has applied what another appended, a third has not heard of it: who settles waits for
// the third.
START_TEST(what_has_settled_is_applied_by_all)
{
    world_open(3, 70 + (uint64_t)_i, false, true);
    run_for(1 * S);
    sim_network_slow(world.nodes[0].machine, world.nodes[2].machine, 400 * MS, 0, 0);
    op_start(0, false);
    while (world.nodes[1].count == 0)
        ck_assert(sim_world_step(world.sim));
    ck_assert_int_eq(world.nodes[2].count, 0);
    struct metadata_log_append append;
    settled = false;
    metadata_log_settle(world.nodes[1].log, &append, note_settled);
    ck_assert(!settled);
    while (!settled)
        ck_assert(sim_world_step(world.sim));
    ck_assert_int_eq(world.nodes[2].count, 1);
    wait_for_ops();
    world_close();
}
END_TEST

START_TEST(a_run_of_one_member_needs_no_prepare)
{
    world_open(3, 2, false, true);
    run_for(1 * S);
    op_start(1, false);
    wait_for_ops();
    uint64_t prepared = sim_world_marks(world.sim, ENV_MARK_METADATA_PREPARED);
    for (int i = 0; i < 50; i++) {
        op_start(1, false);
        wait_for_ops();
    }
    ck_assert_uint_eq(sim_world_marks(world.sim, ENV_MARK_METADATA_PREPARED), prepared);
    ck_assert_uint_eq(sim_world_marks(world.sim, ENV_MARK_METADATA_FAST), 50);
    ck_assert_int_eq(world.truth_count, 51);
    world_close();
}
END_TEST

START_TEST(members_who_append_at_once_all_get_through)
{
    world_open(5, 3 + (uint64_t)_i, false, true);
    run_for(1 * S);
    for (int round = 0; round < 10; round++) {
        for (size_t n = 0; n < world.node_count; n++)
            for (int i = 0; i < 3; i++)
                op_start(n, false);
        wait_for_ops();
    }
    ck_assert_int_eq(world.truth_count, 150);
    ck_assert(all_equal());
    world_close();
}
END_TEST

// One of several who name the same record as the one before them is first.
START_TEST(of_rivals_one_gets_through)
{
    world_open(3, 40 + (uint64_t)_i, false, true);
    run_for(1 * S);
    op_start(0, false);
    wait_for_ops();
    for (int round = 0; round < 10; round++) {
        struct op *rivals[3];
        int winners = 0;
        for (size_t n = 0; n < 3; n++)
            rivals[n] = op_start(n, true);
        wait_for_ops();
        for (size_t n = 0; n < 3; n++) {
            ck_assert(rivals[n]->status == STATUS_OK || rivals[n]->status == STATUS_CONFLICT);
            winners += rivals[n]->status == STATUS_OK;
        }
        ck_assert_int_eq(winners, 1);
    }
    world_close();
}
END_TEST

// ---- A member that is away ----------------------------------------------------------------------

START_TEST(who_was_away_catches_up)
{
    world_open(3, 5, false, true);
    world.record_size_max = _i == 0 ? 16 : 20000; // More than is remembered: the whole state.
    run_for(1 * S);
    op_start(0, false);
    wait_for_ops();
    kill_and_hold(2);
    for (int i = 0; i < 300; i++) {
        op_start((size_t)i % 2, false);
        if (i % 10 == 0) wait_for_ops();
    }
    wait_for_ops();
    ck_assert_int_eq(world.truth_count, 301);
    node_restart(&world.nodes[2].restart);
    run_for(2 * S);
    ck_assert(all_equal());
    if (_i == 1) ck_assert_uint_gt(sim_world_marks(world.sim, ENV_MARK_METADATA_STATE_TAKEN), 0);
    op_start(2, false);
    wait_for_ops();
    ck_assert(all_equal());
    // What came as a state is there after a restart too.
    kill_and_hold(2);
    node_restart(&world.nodes[2].restart);
    ck_assert_int_eq(world.nodes[2].count, world.truth_count);
    world_close();
}
END_TEST

// Two accepted it, the third told its client and died: who asks the other two finds it.
START_TEST(what_only_a_dead_member_knew_to_be_chosen_is_found)
{
    world_open(3, 60 + (uint64_t)_i, false, true);
    run_for(1 * S);
    op_start(1, false);
    wait_for_ops();
    struct op *op = op_start(0, false);
    // From the moment at which its own disk has it as chosen.
    while (world.nodes[0].count < 2)
        ck_assert(sim_world_step(world.sim));
    kill_and_hold(0); // Mostly before the others hear of it.
    ck_assert(!op->is_under_way);
    world.acknowledged_max = op->position; // As if its client had been told.
    int count = world.nodes[1].caught_up_count;
    ask_all(&world.nodes[1]);
    run_for(1 * S);
    ck_assert_int_eq(world.nodes[1].caught_up_count, count + 1);
    world_close();
}
END_TEST

START_TEST(one_that_is_stopped_holds_nobody_up_for_long)
{
    world_open(3, 6, false, true);
    run_for(1 * S);
    sim_process_pause(world.nodes[2].env, 20 * S);
    uint64_t begin_ns = sim_world_now(world.sim);
    struct op *op = op_start(0, false);
    wait_for_ops();
    ck_assert_int_eq(op->status, STATUS_OK);
    ck_assert_uint_lt(sim_world_now(world.sim) - begin_ns, 1100 * MS);
    run_for(5 * S); // Now it is known to be down.
    begin_ns = sim_world_now(world.sim);
    op_start(1, false);
    wait_for_ops();
    ck_assert_uint_lt(sim_world_now(world.sim) - begin_ns, 50 * MS);
    run_for(20 * S);
    ck_assert(all_equal());
    world_close();
}
END_TEST

START_TEST(a_minority_appends_nothing)
{
    world_open(3, 7, false, true);
    run_for(1 * S);
    sim_network_cut(world.nodes[0].machine, world.nodes[1].machine, true);
    sim_network_cut(world.nodes[0].machine, world.nodes[2].machine, true);
    struct op *lost = op_start(0, false), *kept = op_start(1, false);
    wait_for_ops();
    ck_assert_int_eq(lost->status, STATUS_TIMED_OUT);
    ck_assert_int_eq(kept->status, STATUS_OK);
    ck_assert_int_eq(world.nodes[0].count, 0);
    sim_network_heal(world.nodes[0].machine, world.nodes[1].machine);
    sim_network_heal(world.nodes[0].machine, world.nodes[2].machine);
    run_for(5 * S);
    struct op *later = op_start(0, false);
    wait_for_ops();
    ck_assert_int_eq(later->status, STATUS_OK);
    run_for(1 * S);
    ck_assert(all_equal());
    world_close();
}
END_TEST

// The proposer dies at each of its steps: what it had begun is chosen or not, for all alike. What
// it begins in its next life, at once, is something else.
START_TEST(a_proposer_dies_at_any_step)
{
    for (uint64_t step = 1; step <= 24; step++) {
        world_open(3, 100 * (uint64_t)_i + step, false, true);
        run_for(1 * S);
        op_start(1, false);
        wait_for_ops();
        struct op *ops[3];
        for (size_t i = 0; i < 3; i++)
            ops[i] = op_start(0, false); // The second and the third share the next number.
        sim_process_crash_at(world.nodes[0].env, step, _i % 2 == 1);
        while (world.nodes[0].env != NULL)
            ck_assert(sim_world_step(world.sim));
        while (!node_is_up(&world.nodes[0]))
            ck_assert(sim_world_step(world.sim));
        for (size_t i = 0; i < 3; i++)
            ck_assert(!ops[i]->is_under_way);
        struct op *next = op_start(0, false), *later = op_start(1, false);
        wait_for_ops();
        ck_assert_int_eq(next->status, STATUS_OK);
        ck_assert_int_eq(later->status, STATUS_OK);
        run_for(2 * S);
        ck_assert(all_equal());
        world_close();
    }
}
END_TEST

// ---- Promises -----------------------------------------------------------------------------------

struct question {
    struct messaging_request request;
    uint8_t answer;
    bool is_done;
};

static void question_done(struct messaging_request *request, enum status status,
                          struct slice answer)
{
    struct question *question = CONTAINER_OF(request, struct question, request);
    question->is_done = true;
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_gt(answer.size, 0);
    question->answer = answer.data[0];
}

// What node 0 says to PREPARE or ACCEPT of node 1 for a number far ahead.
static uint8_t ask_acceptor(enum verb verb, int64_t time_us)
{
    struct question question = {.is_done = false};
    struct buffer body;
    buffer_init(&body, 1024);
    buffer_put_u64(&body, 50);
    log_put_ballot(&body, (struct ballot){time_us, 1});
    if (verb == VERB_LOG_ACCEPT) {
        buffer_put_u16(&body, 1);
        buffer_put_u64(&body, 1);
        buffer_put_u64(&body, 1);
        buffer_put_vint(&body, 0);
    }
    messaging_send(world.nodes[1].messaging, &question.request, 0, verb, buffer_slice(&body), 5 * S,
                   question_done);
    buffer_deinit(&body);
    while (!question.is_done)
        ck_assert(sim_world_step(world.sim));
    return question.answer;
}

static void restart_with_power_loss(size_t n)
{
    sim_machine_crash(world.nodes[n].machine);
    kill_and_hold(n);
    node_restart(&world.nodes[n].restart);
    run_for(1 * S);
}

// Over a restart; and over a new file that begins in between.
START_TEST(a_promise_outlives_the_process)
{
    world_open(3, 70 + (uint64_t)_i, false, true);
    run_for(1 * S);
    ck_assert_uint_eq(ask_acceptor(VERB_LOG_PREPARE, 1000), ACCEPTOR_AGREED);
    if (_i % 2 == 1) {
        world.record_size_max = RECORD_SIZE_MAX;
        for (int i = 0; i < 30; i++) {
            op_start(2, false);
            wait_for_ops();
        }
        ck_assert_uint_gt(sim_world_marks(world.sim, ENV_MARK_METADATA_ROTATED), 0);
    }
    restart_with_power_loss(0);
    ck_assert_uint_eq(ask_acceptor(VERB_LOG_PREPARE, 900), ACCEPTOR_REFUSED);
    ck_assert_uint_eq(ask_acceptor(VERB_LOG_ACCEPT, 900), ACCEPTOR_REFUSED);
    ck_assert_uint_eq(ask_acceptor(VERB_LOG_PREPARE, 1000), ACCEPTOR_REFUSED);
    ck_assert_uint_eq(ask_acceptor(VERB_LOG_ACCEPT, 1000), ACCEPTOR_AGREED);
    restart_with_power_loss(0);
    ck_assert_uint_eq(ask_acceptor(VERB_LOG_ACCEPT, 999), ACCEPTOR_REFUSED);
    ck_assert_uint_eq(ask_acceptor(VERB_LOG_PREPARE, 1001), ACCEPTOR_AGREED);
    world_close();
}
END_TEST

// ---- With all faults ----------------------------------------------------------------------------

static struct log_node *some_node(void)
{
    return &world.nodes[random_below(&world.random, world.node_count)];
}

static void hurt(void)
{
    struct log_node *node = some_node(), *other = some_node();
    uint64_t steps = 1 + random_below(&world.random, 40);
    bool is_alive = node->env != NULL && sim_process_is_alive(node->env);
    switch (random_below(&world.random, 12)) {
    case 0:
        if (is_alive) sim_process_crash_at(node->env, steps, false);
        break;
    case 1:
        if (is_alive) sim_process_crash_at(node->env, steps, true);
        break;
    case 2:
        if (is_alive) sim_process_crash_at_sync_file(node->env, 1 + steps % 4, steps % 2 == 0);
        break;
    case 3:
        if (is_alive) sim_process_pause(node->env, steps * 50 * MS);
        break;
    case 4:
        if (node != other)
            sim_network_cut(node->machine, other->machine, random_chance(&world.random, 0.5));
        break;
    case 5:
    case 6:
    case 7:
        if (node != other) sim_network_heal(node->machine, other->machine);
        break;
    case 8:
        if (node != other)
            sim_network_slow(node->machine, other->machine, steps * MS, 10 * steps * MS, 0);
        break;
    case 9:
        sim_machine_set_slow(node->machine, steps * 20 * MS);
        break;
    case 10:
        sim_machine_jump_clock(node->machine, ((int64_t)steps - 20) * 10000000);
        break;
    default:
        if (node != other) sim_network_reset(node->machine, other->machine);
    }
}

static void heal_all(void)
{
    for (int fault = 0; fault < SIM_FAULT_COUNT; fault++)
        sim_world_set_chance(world.sim, (enum sim_fault)fault, 0);
    for (size_t a = 0; a < world.node_count; a++) {
        sim_machine_set_full(world.nodes[a].machine, false);
        if (world.nodes[a].env != NULL) sim_process_crash(world.nodes[a].env);
        for (size_t b = a + 1; b < world.node_count; b++)
            sim_network_heal(world.nodes[a].machine, world.nodes[b].machine);
    }
}

static void restart_broken(void)
{
    for (size_t n = 0; n < world.node_count; n++)
        if (world.nodes[n].is_broken && node_is_up(&world.nodes[n])) {
            world.nodes[n].is_broken = false;
            sim_process_crash(world.nodes[n].env);
        }
}

static void run_with_faults(size_t node_count, uint64_t seed)
{
    world_open(node_count, seed, true, seed % 4 != 0);
    if (seed % 4 == 3) world.record_size_max = 50000;
    for (int i = 0; i < 400; i++) {
        for (size_t n = 0; n < node_count; n++)
            if (node_is_up(&world.nodes[n]) && random_chance(&world.random, 0.4))
                op_start(n, random_chance(&world.random, 0.3));
        if (random_chance(&world.random, 0.15)) hurt();
        struct log_node *asking = some_node();
        if (node_is_up(asking) && random_chance(&world.random, 0.1)) ask_all(asking);
        restart_broken();
        run_for(random_below(&world.random, 30) * MS);
    }
    heal_all();
    run_for(10 * S);
    for (size_t n = 0; n < node_count; n++) {
        // Those that a fault of their disk has ended say so.
        ck_assert(node_is_up(&world.nodes[n]));
        op_start(n, false);
        wait_for_ops();
    }
    restart_broken();
    run_for(10 * S);
    for (size_t n = 0; n < node_count; n++) {
        ck_assert(node_is_up(&world.nodes[n]));
        struct op *op = op_start(n, false);
        wait_for_ops();
        ck_assert_msg(op->status == STATUS_OK, "seed %llu: node %zu: %s", (unsigned long long)seed,
                      n, status_text(op->status));
    }
    ck_assert_msg(all_equal(), "seed %llu", (unsigned long long)seed);
    for (size_t n = 0; n < node_count; n++) {
        int count = world.nodes[n].caught_up_count;
        ask_all(&world.nodes[n]);
        run_for(1 * S);
        ck_assert_int_gt(world.nodes[n].caught_up_count, count);
    }
    for (int i = 0; i < world.op_count; i++) {
        if (world.ops[i].status == STATUS_OK) ck_assert_int_ge(world.ops[i].position, 0);
        if (world.ops[i].status == STATUS_CONFLICT) ck_assert_int_eq(world.ops[i].position, -1);
    }
    world_close();
}

static uint64_t seed_first, seed_count = 12;

START_TEST(one_order_for_all_whatever_happens)
{
    const size_t counts[] = {3, 5, 1, 4};
    for (uint64_t seed = seed_first; seed < seed_first + seed_count; seed++) {
        if (getenv("LOG_SEEDS") != NULL)
            (void)fprintf(stderr, "%zu nodes, seed %llu\n", counts[_i], (unsigned long long)seed);
        run_with_faults(counts[_i], seed);
    }
}
END_TEST

int main(void)
{
    // LOG_SEEDS=FIRST,COUNT for a longer search.
    const char *seeds = getenv("LOG_SEEDS");
    if (seeds != NULL) {
        char *end;
        seed_first = strtoull(seeds, &end, 10);
        seed_count = *end == ',' ? strtoull(end + 1, NULL, 10) : 1;
    }
    TCase *tcase = tcase_create("metadata_ring");
    tcase_set_timeout(tcase, 600);
    tcase_add_loop_test(tcase, an_append_is_done_when_all_have_applied_it, 0, 4);
    tcase_add_loop_test(tcase, what_has_settled_is_applied_by_all, 0, 5);
    tcase_add_test(tcase, a_run_of_one_member_needs_no_prepare);
    tcase_add_loop_test(tcase, members_who_append_at_once_all_get_through, 0, 5);
    tcase_add_loop_test(tcase, of_rivals_one_gets_through, 0, 5);
    tcase_add_loop_test(tcase, who_was_away_catches_up, 0, 2);
    tcase_add_loop_test(tcase, what_only_a_dead_member_knew_to_be_chosen_is_found, 0, 5);
    tcase_add_test(tcase, one_that_is_stopped_holds_nobody_up_for_long);
    tcase_add_test(tcase, a_minority_appends_nothing);
    tcase_add_loop_test(tcase, a_proposer_dies_at_any_step, 0, 4);
    tcase_add_loop_test(tcase, a_promise_outlives_the_process, 0, 4);
    tcase_add_loop_test(tcase, one_order_for_all_whatever_happens, 0, 4);
    Suite *suite = suite_create("metadata_ring");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
