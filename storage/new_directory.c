#include "storage/new_directory.h"

#include <string.h>

enum { PATH_SIZE_MAX = 4096 };

enum status new_directory_make(struct env *env, const char *path, struct error *error)
{
    enum status status = env_make_dir(env, path, error);
    return status == STATUS_EXISTS ? STATUS_OK : status;
}

enum status new_directory_keep(struct env *env, const char *path, struct error *error)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) return env_sync_dir(env, ".", error);
    char above[PATH_SIZE_MAX];
    size_t size = slash == path ? 1 : (size_t)(slash - path);
    if (size >= sizeof above)
        return error_set(error, STATUS_INVALID, "%.400s: the path is too long", path);
    memcpy(above, path, size);
    above[size] = '\0';
    return env_sync_dir(env, above, error);
}

enum status new_directory_make_durable(struct env *env, const char *path, struct error *error)
{
    enum status status = new_directory_make(env, path, error);
    return status == STATUS_OK ? new_directory_keep(env, path, error) : status;
}
