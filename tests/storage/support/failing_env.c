#include "tests/storage/support/failing_env.h"

static struct failing_env *of(struct env *env)
{
    return (struct failing_env *)env;
}

static bool strikes(struct env *env, bool is_read)
{
    struct failing_env *failing = of(env);
    if (failing->reads_only != is_read) return false;
    if (failing->has_failed) return failing->for_good;
    failing->has_failed = failing->countdown > 0 && --failing->countdown == 0;
    return failing->has_failed;
}

#define FAIL_IF_STRUCK(env, is_read)                                                               \
    do {                                                                                           \
        if (strikes((env), (is_read)))                                                             \
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

static enum status file_open(struct env *env, const char *path, unsigned flags,
                             struct env_file **file, struct error *error)
{
    FAIL_IF_STRUCK(env, (flags & ENV_OPEN_CREATE) == 0);
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
    FAIL_IF_STRUCK(file->env, true);
    return below(file)->file_read(file, offset, bytes, size, read_size, error);
}

static enum status file_write(struct env_file *file, uint64_t offset, const void *bytes,
                              size_t size, struct error *error)
{
    FAIL_IF_STRUCK(file->env, false);
    return below(file)->file_write(file, offset, bytes, size, error);
}

static enum status file_sync(struct env_file *file, struct error *error)
{
    FAIL_IF_STRUCK(file->env, false);
    return below(file)->file_sync(file, error);
}

static enum status file_truncate(struct env_file *file, uint64_t size, struct error *error)
{
    FAIL_IF_STRUCK(file->env, false);
    return below(file)->file_truncate(file, size, error);
}

static enum status file_size(struct env_file *file, uint64_t *size, struct error *error)
{
    FAIL_IF_STRUCK(file->env, true);
    return below(file)->file_size(file, size, error);
}

static enum status path_rename(struct env *env, const char *from, const char *to,
                               struct error *error)
{
    FAIL_IF_STRUCK(env, false);
    return env_rename(of(env)->below, from, to, error);
}

static enum status path_link(struct env *env, const char *from, const char *to, struct error *error)
{
    FAIL_IF_STRUCK(env, false);
    return env_link(of(env)->below, from, to, error);
}

static enum status path_remove(struct env *env, const char *path, struct error *error)
{
    FAIL_IF_STRUCK(env, false);
    return env_remove(of(env)->below, path, error);
}

static enum status make_dir(struct env *env, const char *path, struct error *error)
{
    FAIL_IF_STRUCK(env, false);
    return env_make_dir(of(env)->below, path, error);
}

static enum status remove_dir(struct env *env, const char *path, struct error *error)
{
    FAIL_IF_STRUCK(env, false);
    return env_remove_dir(of(env)->below, path, error);
}

static enum status sync_dir(struct env *env, const char *path, struct error *error)
{
    FAIL_IF_STRUCK(env, false);
    return env_sync_dir(of(env)->below, path, error);
}

static enum status list_dir(struct env *env, const char *path,
                            void (*entry)(void *context, const char *name, bool is_dir),
                            void *context, struct error *error)
{
    FAIL_IF_STRUCK(env, false);
    return env_list_dir(of(env)->below, path, entry, context, error);
}

static enum status path_exists(struct env *env, const char *path, bool *exists, bool *is_dir,
                               struct error *error)
{
    FAIL_IF_STRUCK(env, false);
    return env_path_exists(of(env)->below, path, exists, is_dir, error);
}

static enum status path_time(struct env *env, const char *path, int64_t *modified_us,
                             struct error *error)
{
    FAIL_IF_STRUCK(env, false);
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
        .file_open = file_open,
        .file_close = file_close,
        .file_read = file_read,
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
    };
}
