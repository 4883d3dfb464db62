// The real world's loop: timers, tasks, jobs, signals. Time is real here, so the tests only claim
// what holds however slow the machine is: nothing is early, and order is kept.
#include "base/env_uv.h"

#include "base/container_of.h"

#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#define NS_PER_MS (1000ull * 1000)

static struct env *env;

static void setup(void)
{
    struct error error;
    ck_assert_int_eq(env_uv_create(&env, &error), STATUS_OK);
}

static void teardown(void)
{
    env_uv_destroy(env);
}

// ---- Clock -------------------------------------------------------------------------------------

START_TEST(the_clock_goes_on)
{
    uint64_t before = env_monotonic_ns(env);
    ck_assert_uint_ge(env_monotonic_ns(env), before);
    ck_assert_int_gt(env_wall_us(env), 1700000000ll * 1000 * 1000);
    ck_assert_uint_ne(env_random_u64(env), env_random_u64(env));
}
END_TEST

// ---- Timers ------------------------------------------------------------------------------------

enum { TIMER_COUNT = 200 };

struct timers {
    struct env_timer timers[TIMER_COUNT];
    uint64_t due_ns[TIMER_COUNT];
    int fired_count;
    uint64_t last_due_ns;
};

static struct timers timers;

static void timers_fire(struct env_timer *timer)
{
    size_t index = (size_t)(timer - timers.timers);
    ck_assert(!env_timer_is_started(timer));
    ck_assert_uint_ge(env_monotonic_ns(env), timers.due_ns[index]);
    ck_assert_uint_ge(timer->deadline_ns, timers.last_due_ns);
    timers.last_due_ns = timer->deadline_ns;
    if (++timers.fired_count == TIMER_COUNT / 2) env_uv_stop(env);
}

START_TEST(timers_fire_in_order_and_never_early)
{
    for (size_t i = 0; i < TIMER_COUNT; i++) {
        uint64_t delay_ns = i * 7919 % 20 * NS_PER_MS + i;
        timers.due_ns[i] = env_monotonic_ns(env) + delay_ns;
        env_timer_start(env, &timers.timers[i], delay_ns, timers_fire);
    }
    // Every second one is stopped, and must not fire.
    for (size_t i = 0; i < TIMER_COUNT; i += 2) {
        ck_assert(env_timer_is_started(&timers.timers[i]));
        env_timer_stop(env, &timers.timers[i]);
        env_timer_stop(env, &timers.timers[i]);
        timers.due_ns[i] = UINT64_MAX;
    }
    env_uv_run(env);
    ck_assert_int_eq(timers.fired_count, TIMER_COUNT / 2);
}
END_TEST

struct ticker {
    struct env_timer timer;
    struct env_task task;
    int timer_count, task_count;
};

static void ticker_fire(struct env_timer *timer)
{
    struct ticker *ticker = CONTAINER_OF(timer, struct ticker, timer);
    if (++ticker->timer_count == 10)
        env_uv_stop(env);
    else
        env_timer_start(env, timer, 0, ticker_fire);
}

static void ticker_run(struct env_task *task)
{
    struct ticker *ticker = CONTAINER_OF(task, struct ticker, task);
    ticker->task_count++;
    env_task_post(env, task, ticker_run);
}

START_TEST(a_timer_and_a_task_that_renew_themselves_share_the_loop)
{
    struct ticker ticker = {0};
    env_task_post(env, &ticker.task, ticker_run);
    env_timer_start(env, &ticker.timer, 0, ticker_fire);
    env_uv_run(env);
    ck_assert_int_eq(ticker.timer_count, 10);
    ck_assert_int_ge(ticker.task_count, 9);
    env_task_cancel(env, &ticker.task);
}
END_TEST

START_TEST(a_timer_far_away_does_not_fire_now)
{
    struct ticker ticker = {.timer_count = 9}, far = {0};
    env_timer_start(env, &far.timer, UINT64_MAX, ticker_fire);
    env_timer_start(env, &ticker.timer, NS_PER_MS, ticker_fire);
    env_uv_run(env);
    ck_assert_int_eq(far.timer_count, 0);
    ck_assert(env_timer_is_started(&far.timer));
}
END_TEST

// ---- Tasks -------------------------------------------------------------------------------------

struct step {
    struct env_task task;
    int at; // In which order it ran.
};

static struct step steps[4];
static int step_count;

static void step_run(struct env_task *task)
{
    struct step *step = CONTAINER_OF(task, struct step, task);
    step->at = ++step_count;
    if (step == &steps[0]) {
        env_task_cancel(env, &steps[2].task);
        env_task_post(env, &steps[3].task, step_run);
    }
    if (step == &steps[3]) env_uv_stop(env);
}

START_TEST(tasks_run_without_waiting_for_anything_else)
{
    for (int i = 0; i < 3; i++)
        env_task_post(env, &steps[i].task, step_run);
    env_task_post(env, &steps[1].task, step_run);
    // No timer is started and no socket open: the loop would wait for ever.
    env_uv_run(env);
    ck_assert_int_eq(steps[0].at, 1);
    ck_assert_int_eq(steps[1].at, 2);
    ck_assert_int_eq(steps[2].at, 0);
    ck_assert_int_eq(steps[3].at, 3);
}
END_TEST

// ---- Jobs --------------------------------------------------------------------------------------

enum { JOB_COUNT = 300 };

struct work {
    struct env_job job;
    int input, output;
    int priority;
    pthread_t thread;
};

static struct work works[JOB_COUNT];
static int done_count;
static pthread_t loop_thread;

static void work_work(struct env_job *job)
{
    struct work *work = CONTAINER_OF(job, struct work, job);
    work->output = work->input * 2;
    work->thread = pthread_self();
    work->priority = getpriority(PRIO_PROCESS, 0);
    (void)env_monotonic_ns(job->env);
}

static void work_done(struct env_job *job)
{
    struct work *work = CONTAINER_OF(job, struct work, job);
    ck_assert(pthread_equal(pthread_self(), loop_thread));
    ck_assert(!pthread_equal(work->thread, loop_thread));
    ck_assert_int_eq(work->output, 2 * work->input);
    // One thread means that jobs are done in their order.
    if (job->lane != ENV_LANE_READ) ck_assert_int_eq(work->input, done_count);
    if (++done_count == JOB_COUNT) env_uv_stop(env);
}

START_TEST(jobs_are_done_on_threads_and_reported_on_the_loop)
{
    loop_thread = pthread_self();
    for (int i = 0; i < JOB_COUNT; i++) {
        works[i].input = i;
        env_offload(env, &works[i].job, (enum env_lane)_i, work_work, work_done);
    }
    env_uv_run(env);
    ck_assert_int_eq(done_count, JOB_COUNT);
    bool is_low = _i == ENV_LANE_BACKGROUND || _i == ENV_LANE_COMPACTION || _i == ENV_LANE_PASSWORD;
    int expected = is_low ? 10 : getpriority(PRIO_PROCESS, 0);
    ck_assert_int_eq(works[0].priority, expected);
}
END_TEST

static atomic_int meeting_count;

static atomic_int present_count, present_max;
static int meeting_size;

// Comes back only when so many are here at once.
static void meeting_work(struct env_job *job)
{
    (void)job;
    atomic_fetch_add(&meeting_count, 1);
    while (atomic_load(&meeting_count) < meeting_size)
        (void)sched_yield();
}

static void meeting_done(struct env_job *job)
{
    (void)job;
    if (++done_count == meeting_size) env_uv_stop(env);
}

START_TEST(two_reads_go_on_at_once)
{
    meeting_size = 2;
    for (int i = 0; i < 2; i++)
        env_offload(env, &works[i].job, ENV_LANE_READ, meeting_work, meeting_done);
    env_uv_run(env);
    ck_assert_int_eq(done_count, 2);
}
END_TEST

static void present_work(struct env_job *job)
{
    (void)job;
    int count = atomic_fetch_add(&present_count, 1) + 1, max = atomic_load(&present_max);
    while (count > max && !atomic_compare_exchange_weak(&present_max, &max, count)) {
    }
    for (int i = 0; i < 100; i++)
        (void)sched_yield();
    atomic_fetch_sub(&present_count, 1);
}

static void present_done(struct env_job *job)
{
    (void)job;
    if (++done_count == JOB_COUNT) env_uv_stop(env);
}

START_TEST(a_lane_has_as_many_threads_as_it_is_told)
{
    env_set_lane_threads(env, ENV_LANE_COMPACTION, 3);
    meeting_size = 3;
    for (int i = 0; i < 3; i++)
        env_offload(env, &works[i].job, ENV_LANE_COMPACTION, meeting_work, meeting_done);
    env_uv_run(env);
    ck_assert_int_eq(done_count, 3);
    // There are three threads now, of which two may work.
    env_set_lane_threads(env, ENV_LANE_COMPACTION, 2);
    done_count = 0;
    for (int i = 0; i < JOB_COUNT; i++)
        env_offload(env, &works[i].job, ENV_LANE_COMPACTION, present_work, present_done);
    env_uv_run(env);
    ck_assert_int_eq(done_count, JOB_COUNT);
    ck_assert_int_le(atomic_load(&present_max), 2);
}
END_TEST

START_TEST(destroying_waits_for_running_jobs_and_calls_nobody)
{
    done_count = 0;
    for (int i = 0; i < JOB_COUNT; i++)
        env_offload(env, &works[i].job, (enum env_lane)(i % ENV_LANE_COUNT), work_work, work_done);
    static struct ticker ticker;
    env_task_post(env, &ticker.task, ticker_run);
    env_timer_start(env, &ticker.timer, 0, ticker_fire);
    env_uv_destroy(env);
    ck_assert_int_eq(done_count, 0);
    ck_assert_int_eq(ticker.task_count + ticker.timer_count, 0);
    setup();
}
END_TEST

// ---- Signals -----------------------------------------------------------------------------------

static int signal_count;

static void signal_received(void *context)
{
    ck_assert_ptr_eq(context, &signal_count);
    signal_count++;
    env_uv_stop(env);
}

START_TEST(signals_come_as_callbacks_of_the_loop)
{
    struct error error;
    ck_assert_int_eq(env_uv_on_signal(env, SIGTERM, signal_received, &signal_count, &error),
                     STATUS_OK);
    for (int i = 1; i <= 2; i++) {
        ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
        env_uv_run(env);
        ck_assert_int_eq(signal_count, i);
    }
    ck_assert_int_eq(env_uv_on_signal(env, SIGKILL, signal_received, NULL, &error), STATUS_IO);
}
END_TEST

int main(void)
{
    TCase *loop = tcase_create("loop");
    tcase_set_timeout(loop, 60);
    tcase_add_checked_fixture(loop, setup, teardown);
    tcase_add_test(loop, the_clock_goes_on);
    tcase_add_test(loop, timers_fire_in_order_and_never_early);
    tcase_add_test(loop, a_timer_and_a_task_that_renew_themselves_share_the_loop);
    tcase_add_test(loop, a_timer_far_away_does_not_fire_now);
    tcase_add_test(loop, tasks_run_without_waiting_for_anything_else);
    tcase_add_loop_test(loop, jobs_are_done_on_threads_and_reported_on_the_loop, 0, ENV_LANE_COUNT);
    tcase_add_test(loop, two_reads_go_on_at_once);
    tcase_add_test(loop, a_lane_has_as_many_threads_as_it_is_told);
    tcase_add_test(loop, destroying_waits_for_running_jobs_and_calls_nobody);
    tcase_add_test(loop, signals_come_as_callbacks_of_the_loop);

    Suite *suite = suite_create("env_uv");
    suite_add_tcase(suite, loop);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
