// A job whose node or worker dies at each step there is: from the start of the worker until every
// count was read, each change of a file or a name, each sync and each send. What a process does
// between two steps nobody else sees, so a death there is a death at the next one.
//
// The run without a death tells how many steps there are. Up to its death each run is that run
// again; then the process comes back, the job ends, and every count is the recount's (job_world.h).
// The same with two deaths: the second at each step that follows each first one.
#include "base/env_sim.h"
#include "node/sim/job_world.h"

#include <check.h>
#include <stdio.h>

// Sanitizers make a run some ten times as long: of the second deaths they see one in so many steps,
// other ones after each first death. Without them none is left out.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STRIDE 5
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define STRIDE 5
#endif
#endif
#ifndef STRIDE
#define STRIDE 1
#endif

enum { LINES = 40, EVENTS_MAX = 200000, TIMEOUT_S = 300 };
// Four batches, and two when there are two deaths: many more runs.
enum { BATCH_LINES_OF_ONE = 12, BATCH_LINES_OF_TWO = 20 };

// What a power loss takes of that which is not synced.
enum loss { LOSS_ALL, LOSS_SOME };

struct run {
    uint64_t steps[JOB_WORLD_PROCESS_COUNT], batches;
};

static void check_fault(const struct job_world *world, uint64_t seed, enum loss loss,
                        const struct job_world_plan *plan)
{
    const char *fault = job_world_fault(world);
    if (fault == NULL && job_world_plan_is_done(world)) return;
    printf("seed %llu", (unsigned long long)seed);
    for (size_t i = 0; i < plan->death_count; i++) {
        const struct job_world_death *death = &plan->deaths[i];
        printf(", %s %s at step %llu", death->process == JOB_WORLD_NODE ? "the node" : "the worker",
               !death->power      ? "is killed"
               : loss == LOSS_ALL ? "loses power and all that is not synced"
                                  : "loses power",
               (unsigned long long)death->step);
    }
    fflush(stdout);
    ck_abort_msg("%s", fault != NULL ? fault : "not all deaths came");
}

static struct run run(uint64_t seed, enum loss loss, const struct job_world_plan *plan)
{
    struct sim_options options = {.seed = seed};
    options.chances[SIM_FAULT_LOST_PAGE] = loss == LOSS_ALL ? 1 : 0.4;
    options.chances[SIM_FAULT_LOST_NAME] = loss == LOSS_ALL ? 1 : 0.5;
    options.chances[SIM_FAULT_TORN_PAGE] = loss == LOSS_ALL ? 0 : 0.2;
    options.chances[SIM_FAULT_SIZE_BEFORE_DATA] = loss == LOSS_ALL ? 0 : 0.5;
    struct sim_world *sim = sim_world_create(&options);
    struct job_world *world = job_world_create(sim, seed, LINES, 1);
    job_world_set_plan(world, plan);
    job_world_begin(world);
    for (uint64_t events = 0; !job_world_is_over(world); events++)
        if (!sim_world_step(sim) || events > EVENTS_MAX)
            job_world_fail(world, "the job does not end");
    check_fault(world, seed, loss, plan);
    struct run run = {.batches = job_world_batch_count(world)};
    for (int process = 0; process < JOB_WORLD_PROCESS_COUNT; process++)
        run.steps[process] = job_world_steps(world, (enum job_world_process)process);
    job_world_end(world);
    job_world_destroy(world);
    sim_world_destroy(sim);
    return run;
}

// What dies is given; its step goes through all there are.
static uint64_t sweep(uint64_t seed, enum loss loss, struct job_world_death first,
                      const struct job_world_death *second)
{
    const uint64_t batch_lines = second == NULL ? BATCH_LINES_OF_ONE : BATCH_LINES_OF_TWO;
    const uint64_t batch_count = (LINES + batch_lines - 1) / batch_lines;
    struct job_world_plan plan = {.deaths = {first}, .batch_records = batch_lines};
    struct run whole = run(seed, loss, &plan);
    ck_assert_uint_eq(whole.batches, batch_count);
    uint64_t count = whole.steps[first.process], run_count = 0;
    ck_assert_uint_gt(count, batch_count);
    for (uint64_t step = 1; step <= count; step++) {
        plan.deaths[0].step = step;
        plan.death_count = 1;
        struct run after = run(seed, loss, &plan);
        if (second == NULL) {
            run_count++;
            continue;
        }
        plan.deaths[1] = *second;
        plan.death_count = 2;
        uint64_t left = after.steps[second->process];
        for (uint64_t next = 1 + step % STRIDE; next <= left; next += STRIDE, run_count++) {
            plan.deaths[1].step = next;
            (void)run(seed, loss, &plan);
        }
    }
    return run_count;
}

static void sweep_one(enum job_world_process process, bool power, enum loss loss, const char *text)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        uint64_t count = sweep(seed, loss, (struct job_world_death){process, power, 0}, NULL);
        printf("%s: all %llu steps (seed %llu)\n", text, (unsigned long long)count,
               (unsigned long long)seed);
    }
    fflush(stdout);
}

static const struct job_world_death node_killed = {.process = JOB_WORLD_NODE},
                                    node_off = {.process = JOB_WORLD_NODE, .power = true},
                                    worker_killed = {.process = JOB_WORLD_WORKER};

static void sweep_two(struct job_world_death first, struct job_world_death second, const char *text)
{
    uint64_t count = sweep(1, LOSS_ALL, first, &second);
    printf("%s: %s%llu pairs of steps\n", text, STRIDE == 1 ? "all " : "",
           (unsigned long long)count);
    fflush(stdout);
}

START_TEST(a_node_may_be_killed_at_every_step_of_a_job)
{
    sweep_one(JOB_WORLD_NODE, false, LOSS_SOME, "node killed");
}
END_TEST

START_TEST(a_node_may_lose_power_at_every_step_of_a_job)
{
    sweep_one(JOB_WORLD_NODE, true, LOSS_SOME, "node loses power and some of what is not synced");
    sweep_one(JOB_WORLD_NODE, true, LOSS_ALL, "node loses power and all that is not synced");
}
END_TEST

START_TEST(a_worker_may_be_killed_at_every_step_of_a_job)
{
    sweep_one(JOB_WORLD_WORKER, false, LOSS_SOME, "worker killed");
}
END_TEST

START_TEST(a_worker_may_lose_power_at_every_step_of_a_job)
{
    sweep_one(JOB_WORLD_WORKER, true, LOSS_ALL, "worker loses power");
}
END_TEST

START_TEST(a_node_may_die_again_at_every_step_after_it_died)
{
    sweep_two(node_killed, node_killed, "node killed, then killed again");
    sweep_two(node_killed, node_off, "node killed, then loses power");
    sweep_two(node_off, node_off, "node loses power, then again");
}
END_TEST

START_TEST(a_node_may_die_at_every_step_after_its_worker_died)
{
    sweep_two(worker_killed, node_killed, "worker killed, then node killed");
    sweep_two(worker_killed, node_off, "worker killed, then node loses power");
}
END_TEST

START_TEST(a_worker_may_die_at_every_step_after_a_death)
{
    sweep_two(node_killed, worker_killed, "node killed, then worker killed");
    sweep_two(node_off, worker_killed, "node loses power, then worker killed");
    sweep_two(worker_killed, worker_killed, "worker killed, then killed again");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("job_sweep");
    tcase_set_timeout(tests, TIMEOUT_S);
    tcase_add_test(tests, a_node_may_be_killed_at_every_step_of_a_job);
    tcase_add_test(tests, a_node_may_lose_power_at_every_step_of_a_job);
    tcase_add_test(tests, a_worker_may_be_killed_at_every_step_of_a_job);
    tcase_add_test(tests, a_worker_may_lose_power_at_every_step_of_a_job);
    tcase_add_test(tests, a_node_may_die_again_at_every_step_after_it_died);
    tcase_add_test(tests, a_node_may_die_at_every_step_after_its_worker_died);
    tcase_add_test(tests, a_worker_may_die_at_every_step_after_a_death);

    Suite *suite = suite_create("job_sweep");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
