// What the files of env_uv share: its state and its handles. Not for others.
//
// Every libuv handle of ours has in `data` a pointer to its owner's `env_uv_closer`, or NULL for
// the loop's own, so that env_uv_destroy() can close whatever is still open:
//
//     open ──uv_close()──▶ closing ──close callback, next turn──▶ memory freed
#ifndef BASE_ENV_UV_INTERNAL_H
#define BASE_ENV_UV_INTERNAL_H

#include "base/env_ops.h"
#include "base/task_list.h"
#include "base/timer_heap.h"

#include <uv.h>

// Closes the owner's handles, without events. Called once at most, only when none is closing.
struct env_uv_closer {
    void (*close)(struct env_uv_closer *closer);
};

struct env_uv;

// The threads of a lane and the jobs that wait for them.
struct env_uv_lane {
    struct env_uv *env;
    uv_mutex_t mutex;
    uv_cond_t wake;
    struct env_job *first, **last; // Waiting jobs. Guarded by `mutex`, as is all up to `stopping`.
    size_t waiting_count;
    size_t idle_count;         // Threads that wait for a job.
    size_t busy_count;         // Threads that have one: no more than threads_max.
    size_t threads_max;        // Written by the loop's thread only.
    uint64_t stalled_until_ns; // uv_hrtime(); no job begins before it.
    bool stopping;
    bool low_priority;    // Set at the start, then constant.
    size_t threads_count; // For the loop's thread only.
    uv_thread_t threads[ENV_LANE_THREADS_MAX];
};

enum { ENV_UV_READ_SIZE = 64 * 1024 };

struct env_uv {
    struct env base;
    uv_loop_t loop;
    uv_timer_t timer;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle; // Active while tasks wait: keeps the loop from blocking.
    uv_async_t jobs_done_wake;
    struct timer_heap timers;
    uint64_t armed_ns; // The deadline for which `timer` is armed; UINT64_MAX: it is not.
    struct task_list tasks;
    struct env_uv_lane lanes[ENV_LANE_COUNT];
    uv_mutex_t jobs_done_mutex;
    struct env_job *jobs_done, **jobs_done_last; // Guarded by jobs_done_mutex.
    bool destroying;
    _Atomic int64_t wall_offset_us; // The clock may be read on any thread.
    int accepted_descriptor_end;    // From here on descriptors are for files: see stream.c.
    uint8_t *read_buffer; // Of all streams: what arrived is handed over before the next read.
};

static inline struct env_uv *env_uv_of(struct env *env)
{
    return (struct env_uv *)(void *)env;
}

// The status for a libuv (or negative errno) code, by what it means in general.
enum status env_uv_status(int code);

void env_uv_lanes_init(struct env_uv *env);
// Waits for the running jobs.
void env_uv_lanes_deinit(struct env_uv *env);
void env_uv_offload(struct env *env, struct env_job *job);
void env_uv_set_lane_threads(struct env *env, enum env_lane lane, size_t count);
void env_uv_stall_lanes(struct env *env, uint64_t duration_ns);
// On the loop: calls `done` of the jobs that are.
void env_uv_jobs_done(struct env_uv *env);

enum status env_uv_file_open(struct env *env, const char *path, unsigned flags,
                             struct env_file **file, struct error *error);
void env_uv_file_close(struct env_file *file);
enum status env_uv_file_read(struct env_file *file, uint64_t offset, void *bytes, size_t size,
                             size_t *read_size, struct error *error);
enum status env_uv_file_read_cached(struct env_file *file, uint64_t offset, void *bytes,
                                    size_t size, size_t *read_size, struct error *error);
enum status env_uv_file_write(struct env_file *file, uint64_t offset, const void *bytes,
                              size_t size, struct error *error);
enum status env_uv_file_sync(struct env_file *file, struct error *error);
enum status env_uv_file_truncate(struct env_file *file, uint64_t size, struct error *error);
enum status env_uv_file_size(struct env_file *file, uint64_t *size, struct error *error);

enum status env_uv_rename(struct env *env, const char *from, const char *to, struct error *error);
enum status env_uv_link(struct env *env, const char *from, const char *to, struct error *error);
enum status env_uv_remove(struct env *env, const char *path, struct error *error);
enum status env_uv_make_dir(struct env *env, const char *path, struct error *error);
enum status env_uv_remove_dir(struct env *env, const char *path, struct error *error);
enum status env_uv_sync_dir(struct env *env, const char *path, struct error *error);
enum status env_uv_list_dir(struct env *env, const char *path,
                            void (*entry)(void *context, const char *name, bool is_dir),
                            void *context, struct error *error);
enum status env_uv_path_exists(struct env *env, const char *path, bool *exists, bool *is_dir,
                               struct error *error);
enum status env_uv_path_time(struct env *env, const char *path, int64_t *modified_us,
                             struct error *error);
enum status env_uv_free_space(struct env *env, const char *path, uint64_t *size,
                              struct error *error);
enum status env_uv_lock(struct env *env, const char *path, struct env_lock **lock,
                        struct error *error);
void env_uv_unlock(struct env_lock *lock);

// Fills `error` with "PATH: WHAT: (the system's words for `code`)", a positive errno.
enum status env_uv_path_error(struct error *error, int code, const char *path, const char *what);

enum status env_uv_listen(struct env *env, const struct env_address *address,
                          void (*accepted)(void *context, struct env_stream *stream), void *context,
                          struct env_listener **listener, struct error *error);
struct env_address env_uv_listener_address(const struct env_listener *listener);
void env_uv_listener_close(struct env_listener *listener);
struct env_connect *
env_uv_connect(struct env *env, const struct env_address *address, uint64_t timeout_ns,
               void (*connected)(void *context, enum status status, struct env_stream *stream),
               void *context);
void env_uv_connect_cancel(struct env_connect *connect);
void env_uv_stream_start(struct env_stream *stream, const struct env_stream_events *events,
                         void *context);
void env_uv_stream_write(struct env_stream *stream, struct slice bytes);
size_t env_uv_stream_queued(const struct env_stream *stream);
void env_uv_stream_pause(struct env_stream *stream);
void env_uv_stream_resume(struct env_stream *stream);
void env_uv_stream_close(struct env_stream *stream, bool flush);
struct env_address env_uv_stream_peer(const struct env_stream *stream);
void env_uv_stream_limit_silence(struct env_stream *stream, uint64_t longest_ns);

enum status env_uv_process_start(struct env *env, const struct env_process_options *options,
                                 int *pid, struct error *error);
enum status env_uv_process_signal(struct env *env, int pid, int signal_number, struct error *error);
enum status env_uv_process_usage(struct env *env, int pid, struct env_process_usage *usage,
                                 struct error *error);

#endif
