#include "base/env_uv.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_uv/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { NS_PER_MS = 1000 * 1000, NS_PER_US = 1000, US_PER_S = 1000 * 1000 };
enum { FILE_DESCRIPTORS_KEPT = 1024 }; // Or a quarter of all, if that is less.

void env_uv_open_standard_descriptors(void)
{
    int descriptor;
    do
        descriptor = open("/dev/null", O_RDWR);
    while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    if (descriptor >= 0) (void)close(descriptor);
}

enum status env_uv_status(int code)
{
    switch (code) {
    case 0:
        return STATUS_OK;
    case UV_EOF:
        return STATUS_CLOSED;
    case UV_ENOENT:
    case UV_ESRCH:
        return STATUS_NOT_FOUND;
    case UV_EEXIST:
        return STATUS_EXISTS;
    case UV_ENOSPC:
    case -EDQUOT:
        return STATUS_NO_SPACE;
    case UV_ECONNREFUSED:
        return STATUS_REFUSED;
    case UV_ETIMEDOUT:
        return STATUS_TIMED_OUT;
    case UV_EADDRINUSE:
        return STATUS_IN_USE;
    case UV_ECANCELED:
        return STATUS_CANCELED;
    default:
        return STATUS_IO;
    }
}

// ---- Clock and randomness ----------------------------------------------------------------------

static int64_t env_uv_wall_us(struct env *env)
{
    struct timespec now;
    ASSERT(clock_gettime(CLOCK_REALTIME, &now) == 0);
    int64_t offset_us = atomic_load_explicit(&env_uv_of(env)->wall_offset_us, memory_order_relaxed);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / NS_PER_US + offset_us;
}

static void env_uv_shift_wall(struct env *env, int64_t offset_us)
{
    atomic_store_explicit(&env_uv_of(env)->wall_offset_us, offset_us, memory_order_relaxed);
}

static uint64_t env_uv_monotonic_ns(struct env *env)
{
    (void)env;
    return uv_hrtime();
}

static void env_uv_random_bytes(struct env *env, void *bytes, size_t size)
{
    (void)env;
    uint8_t *next = bytes;
    while (size > 0) {
        ssize_t count = getrandom(next, size, 0);
        if (count < 0 && errno == EINTR) continue;
        ASSERT(count > 0);
        next += count;
        size -= (size_t)count;
    }
}

// ---- Timers and tasks --------------------------------------------------------------------------

static void env_uv_timer_start(struct env *env, struct env_timer *timer, uint64_t delay_ns,
                               void (*fire)(struct env_timer *timer))
{
    uint64_t now = uv_hrtime();
    uint64_t deadline = delay_ns < UINT64_MAX - now ? now + delay_ns : UINT64_MAX;
    timer->fire = fire;
    timer_heap_add(&env_uv_of(env)->timers, timer, deadline);
}

static void env_uv_timer_stop(struct env *env, struct env_timer *timer)
{
    if (!env_uv_of(env)->destroying) timer_heap_remove(&env_uv_of(env)->timers, timer);
}

static void env_uv_task_post(struct env *env, struct env_task *task,
                             void (*run)(struct env_task *task))
{
    task_list_post(&env_uv_of(env)->tasks, task, run);
}

static void env_uv_task_cancel(struct env *env, struct env_task *task)
{
    if (!env_uv_of(env)->destroying) task_list_cancel(&env_uv_of(env)->tasks, task);
}

static void env_uv_timer_due(uv_timer_t *handle)
{
    struct env_uv *env = CONTAINER_OF(handle, struct env_uv, timer);
    env->armed_ns = UINT64_MAX;
    uint64_t now = uv_hrtime();
    // Timers started from here on wait for the next turn, or one with no delay would never end.
    uint64_t sequence_end = env->timers.sequence;
    for (;;) {
        struct env_timer *timer = timer_heap_first(&env->timers);
        if (timer == NULL || timer->deadline_ns > now || timer->sequence >= sequence_end) break;
        timer_heap_remove(&env->timers, timer);
        timer->fire(timer);
    }
}

// Starting and stopping timers only changes the heap; the libuv timer follows here, once a turn.
static void env_uv_arm_timer(struct env_uv *env)
{
    struct env_timer *first = timer_heap_first(&env->timers);
    uint64_t deadline = first == NULL ? UINT64_MAX : first->deadline_ns;
    if (deadline == env->armed_ns) return;
    env->armed_ns = deadline;
    if (deadline == UINT64_MAX) {
        ASSERT(uv_timer_stop(&env->timer) == 0);
        return;
    }
    // libuv counts whole milliseconds of the same clock. Rounded up, it is never early.
    uint64_t deadline_ms = deadline / NS_PER_MS + (deadline % NS_PER_MS != 0);
    uint64_t now_ms = uv_now(&env->loop);
    uint64_t delay_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    ASSERT(uv_timer_start(&env->timer, env_uv_timer_due, delay_ms, 0) == 0);
}

static void env_uv_idled(uv_idle_t *handle)
{
    (void)handle;
}

static void env_uv_before_wait(uv_prepare_t *handle)
{
    struct env_uv *env = CONTAINER_OF(handle, struct env_uv, prepare);
    if (env->destroying) return;
    task_list_run(&env->tasks);
    env_uv_arm_timer(env);
    if (task_list_is_empty(&env->tasks))
        ASSERT(uv_idle_stop(&env->idle) == 0);
    else
        ASSERT(uv_idle_start(&env->idle, env_uv_idled) == 0);
}

static void env_uv_after_wait(uv_check_t *handle)
{
    struct env_uv *env = CONTAINER_OF(handle, struct env_uv, check);
    if (!env->destroying) task_list_run(&env->tasks);
}

// ---- The loop ----------------------------------------------------------------------------------

static const struct env_ops env_uv_ops = {
    .wall_us = env_uv_wall_us,
    .shift_wall = env_uv_shift_wall,
    .set_lane_threads = env_uv_set_lane_threads,
    .stall_lanes = env_uv_stall_lanes,
    .monotonic_ns = env_uv_monotonic_ns,
    .random_bytes = env_uv_random_bytes,
    .timer_start = env_uv_timer_start,
    .timer_stop = env_uv_timer_stop,
    .task_post = env_uv_task_post,
    .task_cancel = env_uv_task_cancel,
    .offload = env_uv_offload,
    .file_open = env_uv_file_open,
    .file_close = env_uv_file_close,
    .file_read = env_uv_file_read,
    .file_read_cached = env_uv_file_read_cached,
    .file_write = env_uv_file_write,
    .file_sync = env_uv_file_sync,
    .file_truncate = env_uv_file_truncate,
    .file_size = env_uv_file_size,
    .rename = env_uv_rename,
    .link = env_uv_link,
    .remove = env_uv_remove,
    .make_dir = env_uv_make_dir,
    .remove_dir = env_uv_remove_dir,
    .sync_dir = env_uv_sync_dir,
    .list_dir = env_uv_list_dir,
    .path_exists = env_uv_path_exists,
    .path_time = env_uv_path_time,
    .free_space = env_uv_free_space,
    .lock = env_uv_lock,
    .unlock = env_uv_unlock,
    .listen = env_uv_listen,
    .listener_address = env_uv_listener_address,
    .listener_close = env_uv_listener_close,
    .connect = env_uv_connect,
    .connect_cancel = env_uv_connect_cancel,
    .stream_start = env_uv_stream_start,
    .stream_write = env_uv_stream_write,
    .stream_queued = env_uv_stream_queued,
    .stream_pause = env_uv_stream_pause,
    .stream_resume = env_uv_stream_resume,
    .stream_close = env_uv_stream_close,
    .stream_peer = env_uv_stream_peer,
    .stream_limit_silence = env_uv_stream_limit_silence,
    .process_start = env_uv_process_start,
    .process_signal = env_uv_process_signal,
    .process_usage = env_uv_process_usage,
};

static void env_uv_jobs_woke(uv_async_t *handle)
{
    struct env_uv *env = CONTAINER_OF(handle, struct env_uv, jobs_done_wake);
    if (!env->destroying) env_uv_jobs_done(env);
}

// Takes as many descriptors as the system gives, and keeps a part of them from what connects to us.
static void env_uv_share_descriptors(struct env_uv *env)
{
    struct rlimit limit;
    ASSERT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    }
    uint64_t most = limit.rlim_cur < INT_MAX ? limit.rlim_cur : INT_MAX;
    uint64_t kept = most / 4 < FILE_DESCRIPTORS_KEPT ? most / 4 : FILE_DESCRIPTORS_KEPT;
    env->accepted_descriptor_end = (int)(most - kept);
}

enum status env_uv_create(struct env **created, struct error *error)
{
    struct env_uv *env = calloc(1, sizeof *env);
    ASSERT(env != NULL);
    env->base.ops = &env_uv_ops;
    env->armed_ns = UINT64_MAX;
    int code = uv_loop_init(&env->loop);
    if (code != 0) {
        free(env);
        return error_set(error, STATUS_IO, "cannot make an event loop: %s", uv_strerror(code));
    }
    code = uv_async_init(&env->loop, &env->jobs_done_wake, env_uv_jobs_woke);
    if (code != 0) {
        ASSERT(uv_loop_close(&env->loop) == 0);
        free(env);
        return error_set(error, STATUS_IO, "cannot make an event loop: %s", uv_strerror(code));
    }
    // These only fill in memory: they cannot fail.
    ASSERT(uv_timer_init(&env->loop, &env->timer) == 0);
    ASSERT(uv_idle_init(&env->loop, &env->idle) == 0);
    ASSERT(uv_prepare_init(&env->loop, &env->prepare) == 0);
    ASSERT(uv_prepare_start(&env->prepare, env_uv_before_wait) == 0);
    ASSERT(uv_check_init(&env->loop, &env->check) == 0);
    ASSERT(uv_check_start(&env->check, env_uv_after_wait) == 0);
    timer_heap_init(&env->timers);
    task_list_init(&env->tasks);
    env_uv_lanes_init(env);
    env_uv_share_descriptors(env);
    // Its pages cost nothing before they are touched.
    env->read_buffer = malloc(ENV_UV_READ_SIZE);
    ASSERT(env->read_buffer != NULL);
    ASSERT(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    *created = &env->base;
    return STATUS_OK;
}

static void env_uv_close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (uv_is_closing(handle)) return;
    struct env_uv_closer *closer = handle->data;
    if (closer == NULL)
        uv_close(handle, NULL);
    else
        closer->close(closer);
}

void env_uv_destroy(struct env *base)
{
    struct env_uv *env = env_uv_of(base);
    env->destroying = true;
    env_uv_lanes_deinit(env);
    uv_walk(&env->loop, env_uv_close_handle, NULL);
    while (uv_run(&env->loop, UV_RUN_DEFAULT) != 0) {
    }
    ASSERT(uv_loop_close(&env->loop) == 0);
    // The owners of timers and tasks may be gone: `destroying` keeps everyone from touching them.
    free(env->timers.timers);
    free(env->read_buffer);
    free(env);
}

void env_uv_run(struct env *env)
{
    (void)uv_run(&env_uv_of(env)->loop, UV_RUN_DEFAULT);
}

void env_uv_stop(struct env *env)
{
    uv_stop(&env_uv_of(env)->loop);
}

// ---- Signals -----------------------------------------------------------------------------------

struct env_uv_signal {
    struct env_uv_closer closer;
    uv_signal_t handle;
    void (*received)(void *context);
    void *context;
};

static void env_uv_signal_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF(handle, struct env_uv_signal, handle));
}

static void env_uv_signal_close(struct env_uv_closer *closer)
{
    struct env_uv_signal *signal = CONTAINER_OF(closer, struct env_uv_signal, closer);
    uv_close((uv_handle_t *)&signal->handle, env_uv_signal_closed);
}

static void env_uv_signal_received(uv_signal_t *handle, int signal_number)
{
    (void)signal_number;
    struct env_uv_signal *signal = CONTAINER_OF(handle, struct env_uv_signal, handle);
    signal->received(signal->context);
}

enum status env_uv_on_signal(struct env *base, int signal_number, void (*received)(void *context),
                             void *context, struct error *error)
{
    struct env_uv *env = env_uv_of(base);
    struct env_uv_signal *signal = malloc(sizeof *signal);
    ASSERT(signal != NULL);
    signal->closer.close = env_uv_signal_close;
    signal->received = received;
    signal->context = context;
    int code = uv_signal_init(&env->loop, &signal->handle);
    if (code != 0) {
        free(signal);
        return error_set(error, STATUS_IO, "cannot watch signals: %s", uv_strerror(code));
    }
    signal->handle.data = &signal->closer;
    code = uv_signal_start(&signal->handle, env_uv_signal_received, signal_number);
    if (code == 0) return STATUS_OK;
    uv_close((uv_handle_t *)&signal->handle, env_uv_signal_closed);
    return error_set(error, STATUS_IO, "cannot watch signal %d: %s", signal_number,
                     uv_strerror(code));
}
