#include "base/env.h"

#include "base/assert.h"
#include "base/env_ops.h"

#include <arpa/inet.h>
#include <stdio.h>

int64_t env_wall_us(struct env *env)
{
    return env->ops->wall_us(env);
}

void env_set_lane_threads(struct env *env, enum env_lane lane, size_t count)
{
    ASSERT(lane < ENV_LANE_COUNT && count > 0 && count <= ENV_LANE_THREADS_MAX);
    env->ops->set_lane_threads(env, lane, count);
}

void env_stall_lanes(struct env *env, uint64_t duration_ns)
{
    if (env->ops->stall_lanes != NULL) env->ops->stall_lanes(env, duration_ns);
}

void env_shift_wall(struct env *env, int64_t offset_us)
{
    if (env->ops->shift_wall != NULL) env->ops->shift_wall(env, offset_us);
}

uint64_t env_monotonic_ns(struct env *env)
{
    return env->ops->monotonic_ns(env);
}

void env_random_bytes(struct env *env, void *bytes, size_t size)
{
    env->ops->random_bytes(env, bytes, size);
}

uint64_t env_random_u64(struct env *env)
{
    uint64_t value;
    env->ops->random_bytes(env, &value, sizeof value);
    return value;
}

void env_timer_start(struct env *env, struct env_timer *timer, uint64_t delay_ns,
                     void (*fire)(struct env_timer *timer))
{
    env->ops->timer_start(env, timer, delay_ns, fire);
}

void env_timer_stop(struct env *env, struct env_timer *timer)
{
    env->ops->timer_stop(env, timer);
}

bool env_timer_is_started(const struct env_timer *timer)
{
    return timer->place != 0;
}

void env_task_post(struct env *env, struct env_task *task, void (*run)(struct env_task *task))
{
    env->ops->task_post(env, task, run);
}

void env_task_cancel(struct env *env, struct env_task *task)
{
    env->ops->task_cancel(env, task);
}

void env_offload(struct env *env, struct env_job *job, enum env_lane lane,
                 void (*work)(struct env_job *job), void (*done)(struct env_job *job))
{
    ASSERT(lane < ENV_LANE_COUNT);
    *job = (struct env_job){.work = work, .done = done, .env = env, .lane = lane};
    env->ops->offload(env, job);
}

enum status env_file_open(struct env *env, const char *path, unsigned flags, struct env_file **file,
                          struct error *error)
{
    ASSERT((flags & (ENV_OPEN_READ | ENV_OPEN_WRITE)) != 0);
    return env->ops->file_open(env, path, flags, file, error);
}

void env_file_close(struct env_file *file)
{
    file->env->ops->file_close(file);
}

enum status env_file_read(struct env_file *file, uint64_t offset, void *bytes, size_t size,
                          size_t *read_size, struct error *error)
{
    return file->env->ops->file_read(file, offset, bytes, size, read_size, error);
}

enum status env_file_read_cached(struct env_file *file, uint64_t offset, void *bytes, size_t size,
                                 size_t *read_size, struct error *error)
{
    return file->env->ops->file_read_cached(file, offset, bytes, size, read_size, error);
}

enum status env_file_write(struct env_file *file, uint64_t offset, const void *bytes, size_t size,
                           struct error *error)
{
    return file->env->ops->file_write(file, offset, bytes, size, error);
}

enum status env_file_sync(struct env_file *file, struct error *error)
{
    return file->env->ops->file_sync(file, error);
}

enum status env_file_truncate(struct env_file *file, uint64_t size, struct error *error)
{
    return file->env->ops->file_truncate(file, size, error);
}

enum status env_file_size(struct env_file *file, uint64_t *size, struct error *error)
{
    return file->env->ops->file_size(file, size, error);
}

enum status env_rename(struct env *env, const char *from, const char *to, struct error *error)
{
    return env->ops->rename(env, from, to, error);
}

enum status env_link(struct env *env, const char *from, const char *to, struct error *error)
{
    return env->ops->link(env, from, to, error);
}

enum status env_remove(struct env *env, const char *path, struct error *error)
{
    return env->ops->remove(env, path, error);
}

enum status env_make_dir(struct env *env, const char *path, struct error *error)
{
    return env->ops->make_dir(env, path, error);
}

enum status env_remove_dir(struct env *env, const char *path, struct error *error)
{
    return env->ops->remove_dir(env, path, error);
}

enum status env_sync_dir(struct env *env, const char *path, struct error *error)
{
    return env->ops->sync_dir(env, path, error);
}

enum status env_list_dir(struct env *env, const char *path,
                         void (*entry)(void *context, const char *name, bool is_dir), void *context,
                         struct error *error)
{
    return env->ops->list_dir(env, path, entry, context, error);
}

enum status env_path_exists(struct env *env, const char *path, bool *exists, bool *is_dir,
                            struct error *error)
{
    return env->ops->path_exists(env, path, exists, is_dir, error);
}

enum status env_path_time(struct env *env, const char *path, int64_t *modified_us,
                          struct error *error)
{
    return env->ops->path_time(env, path, modified_us, error);
}

enum status env_free_space(struct env *env, const char *path, uint64_t *size, struct error *error)
{
    return env->ops->free_space(env, path, size, error);
}

enum status env_lock(struct env *env, const char *path, struct env_lock **lock, struct error *error)
{
    return env->ops->lock(env, path, lock, error);
}

void env_unlock(struct env_lock *lock)
{
    lock->env->ops->unlock(lock);
}

enum status env_address_parse(const char *text, uint16_t port, struct env_address *address)
{
    struct env_address parsed = {.port = port};
    if (inet_pton(AF_INET, text, parsed.bytes) == 1)
        parsed.size = 4;
    else if (inet_pton(AF_INET6, text, parsed.bytes) == 1)
        parsed.size = 16;
    else
        return STATUS_MALFORMED;
    *address = parsed;
    return STATUS_OK;
}

void env_address_format(const struct env_address *address, char text[ENV_ADDRESS_TEXT_SIZE])
{
    char host[INET6_ADDRSTRLEN];
    int family = address->size == 4 ? AF_INET : AF_INET6;
    ASSERT(inet_ntop(family, address->bytes, host, sizeof host) != NULL);
    (void)snprintf(text, ENV_ADDRESS_TEXT_SIZE, family == AF_INET ? "%s:%u" : "[%s]:%u", host,
                   address->port);
}

enum status env_listen(struct env *env, const struct env_address *address,
                       void (*accepted)(void *context, struct env_stream *stream), void *context,
                       struct env_listener **listener, struct error *error)
{
    return env->ops->listen(env, address, accepted, context, listener, error);
}

struct env_address env_listener_address(const struct env_listener *listener)
{
    return listener->env->ops->listener_address(listener);
}

void env_listener_close(struct env_listener *listener)
{
    listener->env->ops->listener_close(listener);
}

struct env_connect *
env_connect(struct env *env, const struct env_address *address, uint64_t timeout_ns,
            void (*connected)(void *context, enum status status, struct env_stream *stream),
            void *context)
{
    return env->ops->connect(env, address, timeout_ns, connected, context);
}

void env_connect_cancel(struct env_connect *connect)
{
    connect->env->ops->connect_cancel(connect);
}

void env_stream_start(struct env_stream *stream, const struct env_stream_events *events,
                      void *context)
{
    stream->env->ops->stream_start(stream, events, context);
}

void env_stream_write(struct env_stream *stream, struct slice bytes)
{
    stream->env->ops->stream_write(stream, bytes);
}

size_t env_stream_queued(const struct env_stream *stream)
{
    return stream->env->ops->stream_queued(stream);
}

void env_stream_pause(struct env_stream *stream)
{
    stream->env->ops->stream_pause(stream);
}

void env_stream_resume(struct env_stream *stream)
{
    stream->env->ops->stream_resume(stream);
}

void env_stream_close(struct env_stream *stream, bool flush)
{
    stream->env->ops->stream_close(stream, flush);
}

void env_stream_limit_silence(struct env_stream *stream, uint64_t longest_ns)
{
    if (stream->env->ops->stream_limit_silence != NULL)
        stream->env->ops->stream_limit_silence(stream, longest_ns);
}

struct env_address env_stream_peer(const struct env_stream *stream)
{
    return stream->env->ops->stream_peer(stream);
}

enum status env_process_start(struct env *env, const struct env_process_options *options, int *pid,
                              struct error *error)
{
    return env->ops->process_start(env, options, pid, error);
}

enum status env_process_signal(struct env *env, int pid, int signal, struct error *error)
{
    return env->ops->process_signal(env, pid, signal, error);
}

enum status env_process_usage(struct env *env, int pid, struct env_process_usage *usage,
                              struct error *error)
{
    return env->ops->process_usage(env, pid, usage, error);
}

void env_mark(struct env *env, unsigned mark)
{
    if (env->ops->mark != NULL) env->ops->mark(env, mark);
}
