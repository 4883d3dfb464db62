#include "tests/storage/support/failing_env.h"

static struct failing_env *of(struct env *env)
{
    return (struct failing_env *)env;
}

const char *failing_kind_text(enum failing_kind kind)
{
    static const char *const texts[] = {
#define X(name, text) text,
        FAILING_MAP(X)
#undef X
    };
    return texts[kind];
}

static bool strikes(struct env *env, enum failing_kind kind)
{
    struct failing_env *failing = of(env);
    bool is_read = kind == FAILING_OPEN || kind == FAILING_READ || kind == FAILING_SIZE;
    if (failing->kinds == 0 ? failing->reads_only != is_read || kind == FAILING_LOCK
                            : (failing->kinds >> kind & 1) == 0)
        return false;
    if (failing->has_failed) return failing->for_good;
    failing->has_failed = failing->countdown > 0 && --failing->countdown == 0;
    return failing->has_failed;
}

#define FAIL_IF_STRUCK(env, kind)                                                                  \
    do {                                                                                           \
        if (strikes((env), FAILING_##kind))                                                        \
            return error_set(error, of(env)->status, "a failure that the test wants");             \
    } while (false)

static int64_t wall_us(struct env *env)
{
    return env_wall_us(of(env)->below);
}

static uint64_t monotonic_ns(struct env *env)
{
    return env_monotonic_ns(of(env)->below);
}

static void random_bytes(struct env *env, void *bytes, size_t size)
{
    env_random_bytes(of(env)->below, bytes, size);
}

static void timer_start(struct env *env, struct env_timer *timer, uint64_t delay_ns,
                        void (*fire)(struct env_timer *timer))
{
    env_timer_start(of(env)->below, timer, delay_ns, fire);
}

static void timer_stop(struct env *env, struct env_timer *timer)
{
    env_timer_stop(of(env)->below, timer);
}

static void task_post(struct env *env, struct env_task *task, void (*run)(struct env_task *task))
{
    env_task_post(of(env)->below, task, run);
}

static void task_cancel(struct env *env, struct env_task *task)
{
    env_task_cancel(of(env)->below, task);
}

static void set_lane_threads(struct env *env, enum env_lane lane, size_t count)
{
    env_set_lane_threads(of(env)->below, lane, count);
}

static void offload(struct env *env, struct env_job *job)
{
    env_offload(of(env)->below, job, job->lane, job->work, job->done);
}

static enum status free_space(struct env *env, const char *path, uint64_t *size,
                              struct error *error)
{
    return env_free_space(of(env)->below, path, size, error);
}

static enum status take_lock(struct env *env, const char *path, struct env_lock **lock,
                             struct error *error)
{
    FAIL_IF_STRUCK(env, LOCK);
    return env_lock(of(env)->below, path, lock, error);
}

static void mark(struct env *env, unsigned mark)
{
    env_mark(of(env)->below, mark);
}

static enum status file_open(struct env *env, const char *path, unsigned flags,
                             struct env_file **file, struct error *error)
{
    if ((flags & ENV_OPEN_CREATE) == 0)
        FAIL_IF_STRUCK(env, OPEN);
    else
        FAIL_IF_STRUCK(env, CREATE);
    struct env_file *opened;
    enum status status = env_file_open(of(env)->below, path, flags, &opened, error);
    if (status != STATUS_OK) return status;
    // From here on its operations are ours first; those below find theirs by the handle itself.
    opened->env = env;
    *file = opened;
    return STATUS_OK;
}

static const struct env_ops *below(const struct env_file *file)
{
    return of(file->env)->below->ops;
}

static void file_close(struct env_file *file)
{
    const struct env_ops *ops = below(file);
    file->env = of(file->env)->below;
    ops->file_close(file);
}

static enum status file_read(struct env_file *file, uint64_t offset, void *bytes, size_t size,
                             size_t *read_size, struct error *error)
{
    FAIL_IF_STRUCK(file->env, READ);
    return below(file)->file_read(file, offset, bytes, size, read_size, error);
}

static enum status file_read_cached(struct env_file *file, uint64_t offset, void *bytes,
                                    size_t size, size_t *read_size, struct error *error)
{
    FAIL_IF_STRUCK(file->env, READ);
    return below(file)->file_read_cached(file, offset, bytes, size, read_size, error);
}

static enum status file_write(struct env_file *file, uint64_t offset, const void *bytes,
                              size_t size, struct error *error)
{
    FAIL_IF_STRUCK(file->env, WRITE);
    return below(file)->file_write(file, offset, bytes, size, error);
}

static enum status file_sync(struct env_file *file, struct error *error)
{
    FAIL_IF_STRUCK(file->env, SYNC);
    return below(file)->file_sync(file, error);
}

static enum status file_truncate(struct env_file *file, uint64_t size, struct error *error)
{
    FAIL_IF_STRUCK(file->env, TRUNCATE);
    return below(file)->file_truncate(file, size, error);
}

static enum status file_size(struct env_file *file, uint64_t *size, struct error *error)
{
    FAIL_IF_STRUCK(file->env, SIZE);
    return below(file)->file_size(file, size, error);
}

static enum status path_rename(struct env *env, const char *from, const char *to,
                               struct error *error)
{
    FAIL_IF_STRUCK(env, RENAME);
    return env_rename(of(env)->below, from, to, error);
}

static enum status path_link(struct env *env, const char *from, const char *to, struct error *error)
{
    FAIL_IF_STRUCK(env, LINK);
    return env_link(of(env)->below, from, to, error);
}

static enum status path_remove(struct env *env, const char *path, struct error *error)
{
    FAIL_IF_STRUCK(env, REMOVE);
    return env_remove(of(env)->below, path, error);
}

static enum status make_dir(struct env *env, const char *path, struct error *error)
{
    FAIL_IF_STRUCK(env, MAKE_DIR);
    return env_make_dir(of(env)->below, path, error);
}

static enum status remove_dir(struct env *env, const char *path, struct error *error)
{
    FAIL_IF_STRUCK(env, REMOVE_DIR);
    return env_remove_dir(of(env)->below, path, error);
}

static enum status sync_dir(struct env *env, const char *path, struct error *error)
{
    FAIL_IF_STRUCK(env, SYNC_DIR);
    return env_sync_dir(of(env)->below, path, error);
}

static enum status list_dir(struct env *env, const char *path,
                            void (*entry)(void *context, const char *name, bool is_dir),
                            void *context, struct error *error)
{
    FAIL_IF_STRUCK(env, LIST);
    return env_list_dir(of(env)->below, path, entry, context, error);
}

static enum status path_exists(struct env *env, const char *path, bool *exists, bool *is_dir,
                               struct error *error)
{
    FAIL_IF_STRUCK(env, EXISTS);
    return env_path_exists(of(env)->below, path, exists, is_dir, error);
}

static enum status path_time(struct env *env, const char *path, int64_t *modified_us,
                             struct error *error)
{
    FAIL_IF_STRUCK(env, TIME);
    return env_path_time(of(env)->below, path, modified_us, error);
}

void failing_env_init(struct failing_env *env, struct env *below)
{
    *env = (struct failing_env){.below = below, .status = STATUS_IO};
    env->base.ops = &env->ops;
    env->ops = (struct env_ops){
        .wall_us = wall_us,
        .monotonic_ns = monotonic_ns,
        .random_bytes = random_bytes,
        .timer_start = timer_start,
        .timer_stop = timer_stop,
        .task_post = task_post,
        .task_cancel = task_cancel,
        .offload = offload,
        .set_lane_threads = set_lane_threads,
        .file_open = file_open,
        .file_close = file_close,
        .file_read = file_read,
        .file_read_cached = file_read_cached,
        .file_write = file_write,
        .file_sync = file_sync,
        .file_truncate = file_truncate,
        .file_size = file_size,
        .rename = path_rename,
        .link = path_link,
        .remove = path_remove,
        .make_dir = make_dir,
        .remove_dir = remove_dir,
        .sync_dir = sync_dir,
        .list_dir = list_dir,
        .path_exists = path_exists,
        .path_time = path_time,
        .free_space = free_space,
        .lock = take_lock,
        .mark = mark,
    };
}
