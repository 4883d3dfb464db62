// The metadata log of one to five members in the simulator: appends, a member that is away,
// promises that outlive the process, and what a COMMIT decides.
#include "tests/ring/metadata/log_world.h"

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

// ---- What a COMMIT decides ----------------------------------------------------------------------

static void commit_done(struct messaging_request *request, enum status status, struct slice answer)
{
    (void)answer;
    CONTAINER_OF(request, struct question, request)->is_done = true;
    ck_assert_int_ne(status, STATUS_OK); // The number is never applied.
}

// Node 1 tells node 0 that number 50 is chosen under this ballot.
static void tell_commit(int64_t time_us)
{
    struct question question = {.is_done = false};
    struct buffer body;
    buffer_init(&body, 1024);
    buffer_put_u64(&body, 50);
    log_put_ballot(&body, (struct ballot){time_us, 1});
    messaging_send(world.nodes[1].messaging, &question.request, 0, VERB_LOG_COMMIT,
                   buffer_slice(&body), 1 * S, commit_done);
    buffer_deinit(&body);
    while (!question.is_done)
        ck_assert(sim_world_step(world.sim));
}

// A member accepted a value that a later ballot may have replaced while it was away: what was
// chosen under another ballot is to be fetched, and is not what it has.
START_TEST(a_commit_of_another_ballot_decides_nothing)
{
    world_open(3, 80, false, true);
    run_for(1 * S);
    ck_assert_uint_eq(ask_acceptor(VERB_LOG_ACCEPT, 1000), ACCEPTOR_AGREED);
    tell_commit(2000);
    tell_commit(999);
    ck_assert_uint_eq(ask_acceptor(VERB_LOG_PREPARE, 3000), ACCEPTOR_AGREED);
    tell_commit(1000);
    ck_assert_uint_eq(ask_acceptor(VERB_LOG_PREPARE, 4000), ACCEPTOR_DECIDED);
    world_close();
}
END_TEST

int main(void)
{
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
    tcase_add_test(tcase, a_commit_of_another_ballot_decides_nothing);
    Suite *suite = suite_create("metadata_ring");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
