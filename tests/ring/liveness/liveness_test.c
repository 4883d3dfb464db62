// Rings of one to a dozen members whose processes die, stop, come back, and whose network is cut.
#include "ring/liveness/liveness.h"

#include "tests/ring/support/liveness_world.h"

#include <check.h>
#include <stdlib.h>

static struct liveness_world world;

static void fault(size_t a, size_t b, struct messaging_fault what)
{
    messaging_set_fault(world.messages.nodes[a].messaging, (uint16_t)b, &what);
}

static const struct messaging_fault cut = {.blocks_out = true, .blocks_in = true};
static const struct messaging_fault whole = {0};

// As SIGSTOP looks from outside: connections stand, nothing is said. To itself it is as if all
// others were gone.
static void stop(size_t number, bool stopped)
{
    for (size_t other = 0; other < world.messages.count; other++)
        if (other != number) fault(number, other, stopped ? cut : whole);
}

static int downs(size_t of)
{
    int count = 0;
    for (size_t i = 0; i < world.messages.count; i++)
        count += world.nodes[i].downs[of];
    return count;
}

static void open(size_t count)
{
    liveness_world_open(&world, count, 1);
    ck_assert_double_lt(liveness_world_until_whole(&world, 5), 5);
}

START_TEST(a_ring_that_starts_together_sees_itself_at_once)
{
    static const size_t sizes[] = {1, 2, 3, 5, 12, 40};
    liveness_world_open(&world, sizes[_i], (uint64_t)_i);
    double seconds = liveness_world_until_whole(&world, 5);
    ck_assert_double_lt(seconds, sizes[_i] <= 12 ? 0.02 : 0.5);
    message_world_run(&world.messages, 20, NULL);
    ck_assert(liveness_world_is_whole(&world));
    for (size_t i = 0; i < sizes[_i]; i++)
        ck_assert_int_eq(downs(i), 0);
    liveness_world_close(&world);
}
END_TEST

START_TEST(a_member_that_starts_late_is_seen_at_once)
{
    liveness_world_open(&world, 3, 1);
    liveness_world_kill(&world, 2);
    message_world_run(&world.messages, _i == 0 ? 0.3 : 30, NULL);
    uint64_t since_ns;
    ck_assert(!liveness_is_up(world.nodes[0].liveness, 2));
    ck_assert_str_eq(liveness_state_text(world.nodes[0].liveness, 2, &since_ns),
                     _i == 0 ? "unknown" : "down");
    ck_assert_int_eq(downs(2), _i == 0 ? 0 : 2);
    liveness_world_start(&world, 2);
    ck_assert_double_lt(liveness_world_until_whole(&world, 5), 0.05);
    liveness_world_close(&world);
}
END_TEST

START_TEST(a_killed_member_is_down_at_once)
{
    open(3);
    message_world_run(&world.messages, _i * 0.07, NULL);
    liveness_world_kill(&world, 1);
    // The world's connections take up to 300 ms to break; those of a box are gone at once.
    ck_assert_double_lt(liveness_world_until(&world, 5, 1, false), 0.35);
    ck_assert_uint_eq(liveness_up_count(world.nodes[0].liveness), 2);
    message_world_run(&world.messages, _i, NULL);
    liveness_world_start(&world, 1);
    ck_assert_double_lt(liveness_world_until_whole(&world, 5), 0.05);
    message_world_run(&world.messages, 20, NULL);
    ck_assert_int_eq(downs(1), 2); // Once at each of the others.
    liveness_world_close(&world);
}
END_TEST

START_TEST(a_stopped_member_is_down_in_time_and_up_when_it_goes_on)
{
    static const size_t sizes[] = {2, 3, 7};
    open(sizes[_i]);
    stop(1, true);
    double seconds = liveness_world_until(&world, 10, 1, false);
    ck_assert_double_gt(seconds, 1.5); // It might only have been slow.
    ck_assert_double_lt(seconds, 4);
    message_world_run(&world.messages, 10, NULL);
    stop(1, false);
    ck_assert_double_lt(liveness_world_until_whole(&world, 10), 2);
    message_world_run(&world.messages, 20, NULL);
    ck_assert(liveness_world_is_whole(&world));
    ck_assert_int_eq(downs(1), (int)sizes[_i] - 1);
    liveness_world_close(&world);
}
END_TEST

// SIGSTOP and SIGCONT themselves. When it goes on, all its time is over at once: that is no reason
// to believe that the others are dead.
START_TEST(who_stood_still_blames_nobody)
{
    open(4);
    sim_process_pause(world.messages.nodes[1].env, UINT64_C(10000000000));
    double seconds = liveness_world_until(&world, 10, 1, false);
    ck_assert_double_gt(seconds, 1.5);
    ck_assert_double_lt(seconds, 4);
    message_world_run(&world.messages, 10 - seconds, NULL);
    ck_assert_double_lt(liveness_world_until_whole(&world, 10), 0.5);
    message_world_run(&world.messages, 20, NULL);
    ck_assert(liveness_world_is_whole(&world));
    ck_assert_int_eq(downs(0) + downs(2) + downs(3), 0);
    ck_assert_int_eq(downs(1), 3);
    ck_assert_uint_gt(sim_world_marks(world.messages.sim, ENV_MARK_LIVENESS_LATE), 0);
    liveness_world_close(&world);
}
END_TEST

// It suspected another when it was stopped: that suspicion is old, but not by its own time.
START_TEST(suspicion_does_not_age_while_one_stands_still)
{
    open(2);
    message_world_fault(&world.messages, 0, 1, cut);
    message_world_run(&world.messages, 1.2, NULL);
    uint64_t since_ns;
    ck_assert_str_eq(liveness_state_text(world.nodes[0].liveness, 1, &since_ns), "suspect");
    message_world_fault(&world.messages, 0, 1, whole);
    sim_process_pause(world.messages.nodes[0].env, UINT64_C(5000000000));
    message_world_run(&world.messages, 10, NULL);
    ck_assert_int_eq(world.nodes[0].downs[1], 0);
    ck_assert(liveness_world_is_whole(&world));
    liveness_world_close(&world);
}
END_TEST

START_TEST(a_short_stop_is_forgiven)
{
    open(5);
    stop(1, true);
    message_world_run(&world.messages, 1.5, NULL);
    stop(1, false);
    message_world_run(&world.messages, 20, NULL);
    for (size_t i = 0; i < 5; i++)
        ck_assert_int_eq(downs(i), 0);
    liveness_world_close(&world);
}
END_TEST

// 0 and 1 do not reach each other; the others reach both.
START_TEST(a_cut_between_two_is_bridged_by_others)
{
    open(5);
    fault(0, 1, (struct messaging_fault){.blocks_out = _i != 1, .blocks_in = _i != 0});
    message_world_run(&world.messages, 60, NULL);
    ck_assert(liveness_world_is_whole(&world));
    ck_assert_int_eq(downs(0) + downs(1), 0);
    ck_assert_uint_gt(sim_world_marks(world.messages.sim, ENV_MARK_PROBE_INDIRECT), 10);
    ck_assert(!liveness_is_near(world.nodes[0].liveness, 1));
    ck_assert(!liveness_is_near(world.nodes[1].liveness, 0));
    ck_assert(liveness_is_near(world.nodes[0].liveness, 2));
    fault(0, 1, whole);
    message_world_run(&world.messages, 3, NULL);
    ck_assert(liveness_is_near(world.nodes[0].liveness, 1));
    liveness_world_close(&world);
}
END_TEST

START_TEST(two_halves_see_each_other_dead_and_come_together)
{
    open(4);
    for (size_t a = 0; a < 2; a++)
        for (size_t b = 2; b < 4; b++)
            message_world_fault(&world.messages, a, b, cut);
    message_world_run(&world.messages, 10, NULL);
    for (size_t i = 0; i < 4; i++)
        ck_assert_uint_eq(liveness_up_count(world.nodes[i].liveness), 2);
    for (size_t a = 0; a < 2; a++)
        for (size_t b = 2; b < 4; b++)
            message_world_fault(&world.messages, a, b, whole);
    ck_assert_double_lt(liveness_world_until_whole(&world, 10), 2);
    message_world_run(&world.messages, 20, NULL);
    ck_assert(liveness_world_is_whole(&world));
    liveness_world_close(&world);
}
END_TEST

// Nobody hears it, but it hears all: it is dead for them, whatever it does.
START_TEST(a_member_that_nobody_hears_is_down)
{
    open(4);
    for (size_t other = 1; other < 4; other++)
        fault(0, other, (struct messaging_fault){.blocks_out = true});
    ck_assert_double_lt(liveness_world_until(&world, 10, 0, false), 5);
    message_world_run(&world.messages, 10, NULL);
    ck_assert(liveness_world_agrees(&world, 0, false));
    for (size_t other = 1; other < 4; other++)
        fault(0, other, whole);
    ck_assert_double_lt(liveness_world_until_whole(&world, 10), 2);
    liveness_world_close(&world);
}
END_TEST

// It is stopped, held dead by some, and when it goes on it takes the floor itself.
START_TEST(a_false_suspicion_is_refuted)
{
    open(5);
    stop(1, true);
    message_world_run(&world.messages, 1.5, NULL);
    ck_assert_uint_gt(sim_world_marks(world.messages.sim, ENV_MARK_MEMBER_SUSPECT), 0);
    stop(1, false);
    message_world_run(&world.messages, 5, NULL);
    ck_assert_uint_gt(sim_world_marks(world.messages.sim, ENV_MARK_LIVENESS_REFUTED), 0);
    ck_assert(liveness_world_is_whole(&world));
    uint64_t since_ns;
    for (size_t i = 0; i < 5; i++)
        ck_assert_str_eq(liveness_state_text(world.nodes[i].liveness, 1, &since_ns), "up");
    liveness_world_close(&world);
}
END_TEST

START_TEST(a_member_that_comes_and_goes_ends_as_it_is)
{
    open(3);
    for (int i = 0; i < 20; i++) {
        liveness_world_kill(&world, 2);
        message_world_run(&world.messages, 0.05 * i, NULL);
        liveness_world_start(&world, 2);
        message_world_run(&world.messages, 0.05 * (20 - i), NULL);
    }
    ck_assert_double_lt(liveness_world_until_whole(&world, 5), 1);
    message_world_run(&world.messages, 10, NULL);
    ck_assert(liveness_world_is_whole(&world));
    liveness_world_kill(&world, 2);
    ck_assert_double_lt(liveness_world_until(&world, 5, 2, false), 0.35);
    message_world_run(&world.messages, 20, NULL);
    ck_assert(liveness_world_agrees(&world, 2, false));
    liveness_world_close(&world);
}
END_TEST

START_TEST(a_bad_network_kills_nobody)
{
    open(5);
    struct messaging_fault bad = {
        .delay_ns = 5000000, .jitter_ns = 50000000, .lost_per_1000 = 100, .doubled_per_1000 = 50};
    for (size_t a = 0; a < 5; a++)
        for (size_t b = 0; b < 5; b++)
            if (a != b) fault(a, b, bad);
    message_world_run(&world.messages, 120, NULL);
    ck_assert(liveness_world_is_whole(&world));
    for (size_t i = 0; i < 5; i++)
        ck_assert_int_eq(downs(i), 0);
    liveness_world_close(&world);
}
END_TEST

// All other messages of a member count as a sign of life, and destroying leaves nothing behind.
START_TEST(it_may_go_at_any_time)
{
    open(4);
    stop(1, true);
    message_world_run(&world.messages, 0.3 + 0.4 * _i, NULL); // Probes and relays are under way.
    for (size_t i = 0; i < 4; i++) {
        liveness_unlisten(world.nodes[i].liveness, &world.nodes[i].listener);
        liveness_destroy(world.nodes[i].liveness);
        world.messages.nodes[i].abandon = NULL;
    }
    message_world_run(&world.messages, 5, NULL);
    liveness_world_close(&world);
}
END_TEST

int main(void)
{
    TCase *liveness = tcase_create("liveness");
    tcase_set_timeout(liveness, 120);
    tcase_add_loop_test(liveness, a_ring_that_starts_together_sees_itself_at_once, 0, 6);
    tcase_add_loop_test(liveness, a_member_that_starts_late_is_seen_at_once, 0, 2);
    tcase_add_loop_test(liveness, a_killed_member_is_down_at_once, 0, 4);
    tcase_add_loop_test(liveness, a_stopped_member_is_down_in_time_and_up_when_it_goes_on, 0, 3);
    tcase_add_test(liveness, who_stood_still_blames_nobody);
    tcase_add_test(liveness, suspicion_does_not_age_while_one_stands_still);
    tcase_add_test(liveness, a_short_stop_is_forgiven);
    tcase_add_loop_test(liveness, a_cut_between_two_is_bridged_by_others, 0, 3);
    tcase_add_test(liveness, two_halves_see_each_other_dead_and_come_together);
    tcase_add_test(liveness, a_member_that_nobody_hears_is_down);
    tcase_add_test(liveness, a_false_suspicion_is_refuted);
    tcase_add_test(liveness, a_member_that_comes_and_goes_ends_as_it_is);
    tcase_add_test(liveness, a_bad_network_kills_nobody);
    tcase_add_loop_test(liveness, it_may_go_at_any_time, 0, 4);
    Suite *suite = suite_create("liveness");
    suite_add_tcase(suite, liveness);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
