// Starting, asking and ending processes.
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_uv/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

// More than a pipe holds; only what a grandchild says without end is more.
enum { PROCESS_LAST_READS_MAX = 64 };
enum { PROCESS_OUTPUT_MODE = 0644, NS_PER_S = 1000 * 1000 * 1000 };

// A child that we started. It is watched so that it does not stay as a zombie, and heard until it
// ends or closes its descriptor 3.
struct env_uv_process {
    struct env_uv_closer closer;
    uv_process_t process;
    uv_pipe_t pipe;
    bool has_pipe;  // `pipe` was initialized.
    int open_count; // Handles that are not closed yet; at 0 this memory ends.
    void (*said)(void *context, struct slice bytes); // NULL when nobody listens any more.
    void *context;
};

static void env_uv_process_handle_closed(uv_handle_t *handle)
{
    struct env_uv_closer *closer = handle->data;
    struct env_uv_process *process = CONTAINER_OF(closer, struct env_uv_process, closer);
    if (--process->open_count == 0) free(process);
}

static void env_uv_process_close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle)) uv_close(handle, env_uv_process_handle_closed);
}

static void env_uv_process_close(struct env_uv_closer *closer)
{
    struct env_uv_process *process = CONTAINER_OF(closer, struct env_uv_process, closer);
    process->said = NULL;
    env_uv_process_close_handle((uv_handle_t *)&process->process);
    if (process->has_pipe) env_uv_process_close_handle((uv_handle_t *)&process->pipe);
}

static void env_uv_process_say_end(struct env_uv_process *process)
{
    void (*said)(void *context, struct slice bytes) = process->said;
    process->said = NULL;
    env_uv_process_close_handle((uv_handle_t *)&process->pipe);
    if (said != NULL) said(process->context, slice_make("", 0));
}

// What a child that has ended left in its pipe. The end of another child may have told us of this
// one, too, in a turn of the loop that had looked at pipes before.
static void env_uv_process_hear_rest(struct env_uv_process *process)
{
    struct env_uv *env = CONTAINER_OF(process->process.loop, struct env_uv, loop);
    uv_os_fd_t descriptor;
    if (uv_fileno((uv_handle_t *)&process->pipe, &descriptor) != 0) return;
    for (int i = 0; i < PROCESS_LAST_READS_MAX && process->said != NULL; i++) {
        ssize_t count = read(descriptor, env->read_buffer, ENV_UV_READ_SIZE);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return; // A grandchild may hold it open, and says nothing now.
        process->said(process->context, slice_make(env->read_buffer, (size_t)count));
    }
}

static void env_uv_process_exited(uv_process_t *handle, int64_t exit_status, int signal_number)
{
    (void)exit_status;
    (void)signal_number;
    struct env_uv_process *process = CONTAINER_OF(handle, struct env_uv_process, process);
    env_uv_process_close_handle((uv_handle_t *)handle);
    if (!process->has_pipe) return;
    // Its own children may hold the pipe, so that its end would come much later.
    env_uv_process_hear_rest(process);
    env_uv_process_say_end(process);
}

static void env_uv_process_read_buffer(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
    (void)size;
    struct env_uv *env = CONTAINER_OF(handle->loop, struct env_uv, loop);
    *buffer = uv_buf_init((char *)env->read_buffer, ENV_UV_READ_SIZE);
}

static void env_uv_process_read_done(uv_stream_t *handle, ssize_t count, const uv_buf_t *buffer)
{
    struct env_uv_process *process = CONTAINER_OF(handle, struct env_uv_process, pipe);
    if (count > 0 && process->said != NULL)
        process->said(process->context, slice_make(buffer->base, (size_t)count));
    else if (count < 0)
        env_uv_process_say_end(process);
}

static int env_uv_process_spawn(struct env_uv *env, struct env_uv_process *process,
                                const struct env_process_options *options, int output)
{
    uv_stdio_container_t stdio[4] = {{.flags = UV_IGNORE}};
    for (int i = 1; i <= 2; i++) {
        stdio[i].flags = UV_INHERIT_FD;
        stdio[i].data.fd = output >= 0 ? output : i;
    }
    if (process->has_pipe) {
        stdio[3].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
        stdio[3].data.stream = (uv_stream_t *)&process->pipe;
    }
    uv_process_options_t spawn = {
        .exit_cb = env_uv_process_exited,
        .file = options->arguments[0],
        .args = (char **)(uintptr_t)options->arguments,
        .flags = options->detached ? UV_PROCESS_DETACHED : 0,
        .stdio_count = process->has_pipe ? 4 : 3,
        .stdio = stdio,
    };
    int code = uv_spawn(&env->loop, &process->process, &spawn);
    if (code == 0 && process->has_pipe)
        code = uv_read_start((uv_stream_t *)&process->pipe, env_uv_process_read_buffer,
                             env_uv_process_read_done);
    return code;
}

enum status env_uv_process_start(struct env *base, const struct env_process_options *options,
                                 int *pid, struct error *error)
{
    struct env_uv *env = env_uv_of(base);
    int output = -1;
    if (options->output_path != NULL) {
        output = open(options->output_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                      PROCESS_OUTPUT_MODE);
        if (output < 0) return env_uv_path_error(error, errno, options->output_path, "cannot open");
    }
    struct env_uv_process *process = calloc(1, sizeof *process);
    ASSERT(process != NULL);
    process->closer.close = env_uv_process_close;
    process->said = options->said;
    process->context = options->context;
    process->has_pipe = options->said != NULL;
    process->open_count = process->has_pipe ? 2 : 1;
    if (process->has_pipe) ASSERT(uv_pipe_init(&env->loop, &process->pipe, 0) == 0);
    // uv_spawn() makes the handle even when it fails, and leaves `data` alone.
    process->process.data = &process->closer;
    process->pipe.data = &process->closer;
    int code = env_uv_process_spawn(env, process, options, output);
    if (output >= 0) (void)close(output);
    if (code != 0) {
        env_uv_process_close(&process->closer);
        return env_uv_path_error(error, -code, options->arguments[0], "cannot start");
    }
    *pid = uv_process_get_pid(&process->process);
    return STATUS_OK;
}

// Whether the process has ended and only waits for its parent to ask how: nobody else can tell it
// from one that is gone.
static bool env_uv_process_is_zombie(int pid)
{
    char path[64], line[512];
    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *stat = fopen(path, "re");
    if (stat == NULL) return false;
    size_t size = fread(line, 1, sizeof line - 1, stat);
    (void)fclose(stat);
    line[size] = 0;
    // "PID (NAME) STATE …", where NAME may have parentheses of its own.
    const char *name_end = strrchr(line, ')');
    return name_end != NULL && strncmp(name_end, ") Z", 3) == 0;
}

enum status env_uv_process_signal(struct env *env, int pid, int signal_number, struct error *error)
{
    (void)env;
    ASSERT(pid > 0);
    // Asked before: what SIGKILL has just ended is a zombie too.
    int code = env_uv_process_is_zombie(pid) ? ESRCH : kill(pid, signal_number) == 0 ? 0 : errno;
    if (code == 0) return STATUS_OK;
    if (code == ESRCH) return error_set(error, STATUS_NOT_FOUND, "no process %d", pid);
    return error_set(error, STATUS_IO, "cannot signal process %d: %s", pid, uv_strerror(-code));
}

enum status env_uv_process_usage(struct env *env, int pid, struct env_process_usage *usage,
                                 struct error *error)
{
    (void)env;
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/statm", pid);
    if (pid == 0) (void)snprintf(path, sizeof path, "/proc/self/statm");
    unsigned long long total_pages, resident_pages;
    clockid_t clock;
    struct timespec used;
    FILE *statm = fopen(path, "re");
    int count = statm == NULL ? 0 : fscanf(statm, "%llu %llu", &total_pages, &resident_pages);
    if (statm != NULL) (void)fclose(statm);
    // A zombie has no memory any more.
    if (count == 2 && resident_pages == 0) count = 0;
    // The process's own clock is finer than the ticks in /proc/PID/stat.
    if (count != 2 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return error_set(error, STATUS_NOT_FOUND, "no process %d", pid);
    usage->resident_bytes = resident_pages * (unsigned long long)sysconf(_SC_PAGESIZE);
    usage->cpu_ns = (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec;
    return STATUS_OK;
}
