// Open files: plain positioned system calls, for any thread.
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_uv/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FILE_MODE = 0644 };

// A file is read and written by many threads at once; all but `always_blocks` is constant.
struct env_uv_file {
    struct env_file base;
    int descriptor;
    atomic_bool always_blocks; // The file system refuses RWF_NOWAIT: asked once, not each time.
    char path[];
};

static struct env_uv_file *env_uv_file_of(struct env_file *file)
{
    return CONTAINER_OF(file, struct env_uv_file, base);
}

enum status env_uv_path_error(struct error *error, int code, const char *path, const char *what)
{
    // strerror_r(), unlike strerror(), is for threads too.
    char text[128];
    return error_set(error, env_uv_status(-code), "%s: %s: %s", path, what,
                     strerror_r(code, text, sizeof text));
}

enum status env_uv_file_open(struct env *env, const char *path, unsigned flags,
                             struct env_file **opened, struct error *error)
{
    bool reads = (flags & ENV_OPEN_READ) != 0, writes = (flags & ENV_OPEN_WRITE) != 0;
    int mode = O_CLOEXEC | (reads && writes ? O_RDWR : writes ? O_WRONLY : O_RDONLY);
    if ((flags & ENV_OPEN_CREATE) != 0) mode |= O_CREAT;
    if ((flags & ENV_OPEN_EXCLUSIVE) != 0) mode |= O_EXCL;
    if ((flags & ENV_OPEN_TRUNCATE) != 0) mode |= O_TRUNC;
    int descriptor;
    do
        descriptor = open(path, mode, FILE_MODE);
    while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0)
        return env_uv_path_error(error, errno, path,
                                 (flags & ENV_OPEN_CREATE) != 0 ? "cannot create" : "cannot open");

    size_t path_size = strlen(path) + 1;
    struct env_uv_file *file = malloc(sizeof *file + path_size);
    ASSERT(file != NULL);
    file->base.env = env;
    file->descriptor = descriptor;
    atomic_init(&file->always_blocks, false);
    memcpy(file->path, path, path_size);
    *opened = &file->base;
    return STATUS_OK;
}

void env_uv_file_close(struct env_file *base)
{
    struct env_uv_file *file = env_uv_file_of(base);
    // What close() might report was never promised: only env_file_sync() makes data durable.
    (void)close(file->descriptor);
    free(file);
}

static enum status env_uv_file_error(struct env_uv_file *file, struct error *error,
                                     const char *what, uint64_t offset)
{
    int code = errno;
    char text[64];
    (void)snprintf(text, sizeof text, "cannot %s at %llu", what, (unsigned long long)offset);
    return env_uv_path_error(error, code, file->path, text);
}

enum status env_uv_file_read(struct env_file *base, uint64_t offset, void *bytes, size_t size,
                             size_t *read_size, struct error *error)
{
    struct env_uv_file *file = env_uv_file_of(base);
    uint8_t *next = bytes;
    size_t done = 0;
    while (done < size) {
        ssize_t count = pread(file->descriptor, next + done, size - done, (off_t)(offset + done));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return env_uv_file_error(file, error, "read", offset + done);
        if (count == 0) break;
        done += (size_t)count;
    }
    *read_size = done;
    return STATUS_OK;
}

enum status env_uv_file_read_cached(struct env_file *base, uint64_t offset, void *bytes,
                                    size_t size, size_t *read_size, struct error *error)
{
    struct env_uv_file *file = env_uv_file_of(base);
    uint8_t *next = bytes;
    size_t done = 0;
    while (done < size && !atomic_load_explicit(&file->always_blocks, memory_order_relaxed)) {
        struct iovec piece = {next + done, size - done};
        ssize_t count = preadv2(file->descriptor, &piece, 1, (off_t)(offset + done), RWF_NOWAIT);
        if (count > 0) {
            done += (size_t)count;
            continue;
        }
        if (count == 0) break;
        if (errno == EAGAIN) return STATUS_WOULD_BLOCK;
        if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL)
            atomic_store_explicit(&file->always_blocks, true, memory_order_relaxed);
        else if (errno != EINTR)
            return env_uv_file_error(file, error, "read", offset + done);
    }
    if (atomic_load_explicit(&file->always_blocks, memory_order_relaxed))
        return env_uv_file_read(base, offset, bytes, size, read_size, error);
    *read_size = done;
    return STATUS_OK;
}

enum status env_uv_file_write(struct env_file *base, uint64_t offset, const void *bytes,
                              size_t size, struct error *error)
{
    struct env_uv_file *file = env_uv_file_of(base);
    const uint8_t *next = bytes;
    size_t done = 0;
    while (done < size) {
        ssize_t count = pwrite(file->descriptor, next + done, size - done, (off_t)(offset + done));
        if (count < 0 && errno == EINTR) continue;
        if (count == 0) errno = EIO; // No progress and no reason: not worth a loop for ever.
        if (count <= 0) return env_uv_file_error(file, error, "write", offset + done);
        done += (size_t)count;
    }
    return STATUS_OK;
}

enum status env_uv_file_sync(struct env_file *base, struct error *error)
{
    struct env_uv_file *file = env_uv_file_of(base);
    // Not repeated, not even after EINTR: a second success would prove nothing about the first.
    if (fdatasync(file->descriptor) != 0)
        return env_uv_path_error(error, errno, file->path, "cannot sync");
    return STATUS_OK;
}

enum status env_uv_file_truncate(struct env_file *base, uint64_t size, struct error *error)
{
    struct env_uv_file *file = env_uv_file_of(base);
    int result;
    do
        result = ftruncate(file->descriptor, (off_t)size);
    while (result != 0 && errno == EINTR);
    if (result != 0) return env_uv_file_error(file, error, "truncate", size);
    return STATUS_OK;
}

enum status env_uv_file_size(struct env_file *base, uint64_t *size, struct error *error)
{
    struct env_uv_file *file = env_uv_file_of(base);
    struct stat found;
    if (fstat(file->descriptor, &found) != 0)
        return env_uv_path_error(error, errno, file->path, "cannot ask its size");
    *size = (uint64_t)found.st_size;
    return STATUS_OK;
}
