#include "storage/whole_file.h"

#include <stdio.h>

enum { PATH_SIZE_MAX = 4096 };

static enum status read_all(struct env_file *file, const char *path, struct buffer *bytes,
                            struct error *error)
{
    uint64_t size;
    enum status status = env_file_size(file, &size, error);
    if (status != STATUS_OK) return status;
    if (size > bytes->limit - bytes->size)
        return error_set(error, STATUS_CORRUPT, "%s: larger than it can be", path);
    if (size == 0) return STATUS_OK;
    size_t before = bytes->size, read_size = 0;
    uint8_t *room = buffer_reserve(bytes, (size_t)size);
    status = env_file_read(file, 0, room, (size_t)size, &read_size, error);
    if (status != STATUS_OK) return status;
    buffer_truncate(bytes, before + read_size);
    return STATUS_OK;
}

enum status whole_file_read(struct env *env, const char *path, struct buffer *bytes,
                            struct error *error)
{
    struct env_file *file;
    enum status status = env_file_open(env, path, ENV_OPEN_READ, &file, error);
    if (status != STATUS_OK) return status;
    status = read_all(file, path, bytes, error);
    env_file_close(file);
    return status;
}

enum status whole_file_write(struct env *env, const char *directory, const char *path,
                             struct slice bytes, struct error *error)
{
    char temporary[PATH_SIZE_MAX];
    (void)snprintf(temporary, sizeof temporary, "%s.tmp", path);
    struct env_file *file;
    enum status status = env_file_open(
        env, temporary, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE, &file, error);
    if (status != STATUS_OK) return status;
    status = env_file_write(file, 0, bytes.data, bytes.size, error);
    if (status == STATUS_OK) status = env_file_sync(file, error);
    env_file_close(file);
    if (status == STATUS_OK) status = env_rename(env, temporary, path, error);
    if (status == STATUS_OK) status = env_sync_dir(env, directory, error);
    return status;
}
