// A job whose node or worker dies once, at each step there is: from the start of the worker until
// every count was read, each change of a file or a name, each sync and each send. What a process
// does between two steps nobody else sees, so a death there is a death at the next one.
//
// The run without a death tells how many steps there are. Up to its death each run is that run
// again; then the process comes back, the job ends, and every count is the recount's (job_world.h).
#include "base/env_sim.h"
#include "node/sim/job_world.h"

#include <check.h>
#include <stdio.h>

enum { LINES = 40, BATCH_LINES = 12, BATCHES = 4, EVENTS_MAX = 200000, TIMEOUT_S = 300 };

// What a power loss takes of that which is not synced.
enum loss { LOSS_ALL, LOSS_SOME };

struct run {
    uint64_t steps[JOB_WORLD_PROCESS_COUNT], batches;
};

static void run(uint64_t seed, enum loss loss, const struct job_world_plan *plan, struct run *run)
{
    struct sim_options options = {.seed = seed};
    options.chances[SIM_FAULT_LOST_PAGE] = loss == LOSS_ALL ? 1 : 0.4;
    options.chances[SIM_FAULT_LOST_NAME] = loss == LOSS_ALL ? 1 : 0.5;
    options.chances[SIM_FAULT_TORN_PAGE] = loss == LOSS_ALL ? 0 : 0.2;
    options.chances[SIM_FAULT_SIZE_BEFORE_DATA] = loss == LOSS_ALL ? 0 : 0.5;
    struct sim_world *sim = sim_world_create(&options);
    struct job_world *world = job_world_create(sim, seed, LINES);
    job_world_set_plan(world, plan);
    job_world_begin(world);
    for (uint64_t events = 0; !job_world_is_over(world); events++)
        if (!sim_world_step(sim) || events > EVENTS_MAX)
            job_world_fail(world, "the job does not end");
    if (job_world_fault(world) != NULL || job_world_plan_struck(world) != (plan->step > 0))
        ck_abort_msg("seed %llu: %s%s at step %llu of the %s%s: %s", (unsigned long long)seed,
                     plan->power ? "power loss" : "kill",
                     plan->power && loss == LOSS_ALL ? " that takes all" : "",
                     (unsigned long long)plan->step,
                     plan->process == JOB_WORLD_NODE ? "node" : "worker",
                     plan->step == 0 ? " (none)" : "",
                     job_world_fault(world) != NULL ? job_world_fault(world) : "never came");
    for (int process = 0; process < JOB_WORLD_PROCESS_COUNT; process++)
        run->steps[process] = job_world_steps(world, (enum job_world_process)process);
    run->batches = job_world_batch_count(world);
    job_world_end(world);
    job_world_destroy(world);
    sim_world_destroy(sim);
}

static void sweep(enum job_world_process process, bool power, enum loss loss, const char *text)
{
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct run whole, again;
        struct job_world_plan plan = {.process = process, .batch_records = BATCH_LINES};
        run(seed, loss, &plan, &whole);
        ck_assert_uint_eq(whole.batches, BATCHES);
        uint64_t count = whole.steps[process];
        ck_assert_uint_gt(count, BATCHES);
        plan.power = power;
        for (plan.step = 1; plan.step <= count; plan.step++)
            run(seed, loss, &plan, &again);
        printf("%s: seed %llu: %llu steps swept\n", text, (unsigned long long)seed,
               (unsigned long long)count);
    }
    fflush(stdout);
}

START_TEST(a_node_may_be_killed_at_every_step_of_a_job)
{
    sweep(JOB_WORLD_NODE, false, LOSS_SOME, "node killed");
}
END_TEST

START_TEST(a_node_may_lose_power_at_every_step_of_a_job)
{
    sweep(JOB_WORLD_NODE, true, LOSS_SOME, "node loses power and some of what is not synced");
}
END_TEST

START_TEST(a_node_may_lose_power_and_all_that_is_not_synced_at_every_step_of_a_job)
{
    sweep(JOB_WORLD_NODE, true, LOSS_ALL, "node loses power and all that is not synced");
}
END_TEST

START_TEST(a_worker_may_be_killed_at_every_step_of_a_job)
{
    sweep(JOB_WORLD_WORKER, false, LOSS_SOME, "worker killed");
}
END_TEST

START_TEST(a_worker_may_lose_power_at_every_step_of_a_job)
{
    sweep(JOB_WORLD_WORKER, true, LOSS_ALL, "worker loses power and all that is not synced");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("job_sweep");
    tcase_set_timeout(tests, TIMEOUT_S);
    tcase_add_test(tests, a_node_may_be_killed_at_every_step_of_a_job);
    tcase_add_test(tests, a_node_may_lose_power_at_every_step_of_a_job);
    tcase_add_test(tests, a_node_may_lose_power_and_all_that_is_not_synced_at_every_step_of_a_job);
    tcase_add_test(tests, a_worker_may_be_killed_at_every_step_of_a_job);
    tcase_add_test(tests, a_worker_may_lose_power_at_every_step_of_a_job);

    Suite *suite = suite_create("job_sweep");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
