// The threads of a lane. A job goes round like this; each list has a mutex of its own:
//
//     env_uv_offload() ─▶ lane's waiting jobs ─▶ thread: work() ─▶ jobs done ─async─▶ loop: done()
#include "base/assert.h"
#include "base/env_uv/internal.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// Address space, not memory. Enough for work() functions, whose big things are on the heap, even
// with the larger frames of the sanitizers.
enum { LANE_STACK_SIZE = 512 * 1024 };
enum { LANE_LOW_PRIORITY = 10 }; // As of nice(1).

void env_uv_lanes_init(struct env_uv *env)
{
    ASSERT(uv_mutex_init(&env->jobs_done_mutex) == 0);
    env->jobs_done_last = &env->jobs_done;
    for (int i = 0; i < ENV_LANE_COUNT; i++) {
        struct env_uv_lane *lane = &env->lanes[i];
        lane->env = env;
        lane->last = &lane->first;
        lane->low_priority = i >= ENV_LANE_BACKGROUND;
        lane->threads_max = i == ENV_LANE_READ ? 2 : 1;
        ASSERT(uv_mutex_init(&lane->mutex) == 0);
        ASSERT(uv_cond_init(&lane->wake) == 0);
    }
}

void env_uv_lanes_deinit(struct env_uv *env)
{
    for (int i = 0; i < ENV_LANE_COUNT; i++) {
        struct env_uv_lane *lane = &env->lanes[i];
        uv_mutex_lock(&lane->mutex);
        lane->stopping = true;
        uv_cond_broadcast(&lane->wake);
        uv_mutex_unlock(&lane->mutex);
        for (size_t t = 0; t < lane->threads_count; t++)
            ASSERT(uv_thread_join(&lane->threads[t]) == 0);
        uv_cond_destroy(&lane->wake);
        uv_mutex_destroy(&lane->mutex);
    }
    uv_mutex_destroy(&env->jobs_done_mutex);
}

static void env_uv_lane_done(struct env_uv *env, struct env_job *job)
{
    job->next = NULL;
    uv_mutex_lock(&env->jobs_done_mutex);
    bool first = env->jobs_done == NULL;
    *env->jobs_done_last = job;
    env->jobs_done_last = &job->next;
    uv_mutex_unlock(&env->jobs_done_mutex);
    // Whoever made the list not empty has woken the loop, which takes all of it.
    if (first) ASSERT(uv_async_send(&env->jobs_done_wake) == 0);
}

// The next job, waiting for one; NULL when the lane stops.
static struct env_job *env_uv_lane_take(struct env_uv_lane *lane)
{
    uv_mutex_lock(&lane->mutex);
    // There may be more threads than are to work now. Those that have just ended a job take the
    // next.
    while ((lane->first == NULL || lane->busy_count >= lane->threads_max) && !lane->stopping) {
        lane->idle_count++;
        uv_cond_wait(&lane->wake, &lane->mutex);
        lane->idle_count--;
    }
    for (uint64_t now; !lane->stopping && (now = uv_hrtime()) < lane->stalled_until_ns;)
        (void)uv_cond_timedwait(&lane->wake, &lane->mutex, lane->stalled_until_ns - now);
    struct env_job *job = lane->stopping ? NULL : lane->first;
    if (job != NULL) {
        lane->first = job->next;
        if (lane->first == NULL) lane->last = &lane->first;
        lane->waiting_count--;
        lane->busy_count++;
    }
    uv_mutex_unlock(&lane->mutex);
    return job;
}

static void env_uv_lane_run(void *argument)
{
    struct env_uv_lane *lane = argument;
    // On Linux a thread has a priority of its own. Without it background work is only less polite.
    if (lane->low_priority)
        (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), LANE_LOW_PRIORITY);
    for (;;) {
        struct env_job *job = env_uv_lane_take(lane);
        if (job == NULL) return;
        job->work(job);
        env_uv_lane_done(lane->env, job);
        uv_mutex_lock(&lane->mutex);
        lane->busy_count--;
        uv_mutex_unlock(&lane->mutex);
    }
}

static void env_uv_lane_start_thread(struct env_uv_lane *lane)
{
    // Signals are for the loop's thread; the new one inherits the mask.
    sigset_t all, before;
    ASSERT(sigfillset(&all) == 0);
    ASSERT(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE,
                                   .stack_size = LANE_STACK_SIZE};
    int code =
        uv_thread_create_ex(&lane->threads[lane->threads_count], &options, env_uv_lane_run, lane);
    ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    // With one thread a lane works; with none its jobs would wait for ever.
    ASSERT(code == 0 || lane->threads_count > 0);
    if (code == 0) lane->threads_count++;
}

void env_uv_offload(struct env *base, struct env_job *job)
{
    struct env_uv_lane *lane = &env_uv_of(base)->lanes[job->lane];
    uv_mutex_lock(&lane->mutex);
    *lane->last = job;
    lane->last = &job->next;
    lane->waiting_count++;
    bool idle = lane->idle_count >= lane->waiting_count;
    uv_mutex_unlock(&lane->mutex);
    // Woken while we held the mutex, the thread would at once wait for it again.
    uv_cond_signal(&lane->wake);
    if (!idle && lane->threads_count < lane->threads_max) env_uv_lane_start_thread(lane);
}

void env_uv_set_lane_threads(struct env *base, enum env_lane which, size_t count)
{
    struct env_uv_lane *lane = &env_uv_of(base)->lanes[which];
    uv_mutex_lock(&lane->mutex);
    lane->threads_max = count;
    uv_cond_broadcast(&lane->wake);
    uv_mutex_unlock(&lane->mutex);
}

void env_uv_stall_lanes(struct env *base, uint64_t duration_ns)
{
    struct env_uv *env = env_uv_of(base);
    for (int i = 0; i < ENV_LANE_COUNT; i++) {
        struct env_uv_lane *lane = &env->lanes[i];
        uv_mutex_lock(&lane->mutex);
        lane->stalled_until_ns = uv_hrtime() + duration_ns;
        uv_cond_broadcast(&lane->wake);
        uv_mutex_unlock(&lane->mutex);
    }
}

void env_uv_jobs_done(struct env_uv *env)
{
    uv_mutex_lock(&env->jobs_done_mutex);
    struct env_job *job = env->jobs_done;
    env->jobs_done = NULL;
    env->jobs_done_last = &env->jobs_done;
    uv_mutex_unlock(&env->jobs_done_mutex);
    while (job != NULL) {
        // `done` may free the job.
        struct env_job *next = job->next;
        job->done(job);
        job = next;
    }
}
