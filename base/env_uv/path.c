// Names of files: directories, renaming, removing, locks. For any thread.
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_uv/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { DIR_MODE = 0755, LOCK_MODE = 0644 };

enum status env_uv_rename(struct env *env, const char *from, const char *to, struct error *error)
{
    (void)env;
    if (rename(from, to) == 0) return STATUS_OK;
    int code = errno;
    char text[256];
    (void)snprintf(text, sizeof text, "cannot rename to %s", to);
    return env_uv_path_error(error, code, from, text);
}

enum status env_uv_link(struct env *env, const char *from, const char *to, struct error *error)
{
    (void)env;
    if (link(from, to) == 0) return STATUS_OK;
    int code = errno;
    char text[256];
    (void)snprintf(text, sizeof text, "cannot link to %s", to);
    return env_uv_path_error(error, code, from, text);
}

enum status env_uv_remove(struct env *env, const char *path, struct error *error)
{
    (void)env;
    if (unlink(path) == 0) return STATUS_OK;
    return env_uv_path_error(error, errno, path, "cannot remove");
}

enum status env_uv_make_dir(struct env *env, const char *path, struct error *error)
{
    (void)env;
    if (mkdir(path, DIR_MODE) == 0) return STATUS_OK;
    return env_uv_path_error(error, errno, path, "cannot make the directory");
}

enum status env_uv_remove_dir(struct env *env, const char *path, struct error *error)
{
    (void)env;
    if (rmdir(path) == 0) return STATUS_OK;
    return env_uv_path_error(error, errno, path, "cannot remove the directory");
}

enum status env_uv_sync_dir(struct env *env, const char *path, struct error *error)
{
    (void)env;
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return env_uv_path_error(error, errno, path, "cannot open the directory");
    int code = fsync(descriptor) == 0 ? 0 : errno;
    (void)close(descriptor);
    if (code != 0) return env_uv_path_error(error, code, path, "cannot sync the directory");
    return STATUS_OK;
}

// ---- Listing a directory -----------------------------------------------------------------------

struct path_name {
    char *name;
    bool is_dir;
};

struct path_names {
    struct path_name *names;
    size_t count, capacity;
};

static void path_names_add(struct path_names *names, const char *name, bool is_dir)
{
    if (names->count == names->capacity) {
        names->capacity = names->capacity == 0 ? 64 : 2 * names->capacity;
        names->names = realloc(names->names, names->capacity * sizeof names->names[0]);
        ASSERT(names->names != NULL);
    }
    char *copy = strdup(name);
    ASSERT(copy != NULL);
    names->names[names->count++] = (struct path_name){copy, is_dir};
}

static void path_names_deinit(struct path_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->names[i].name);
    free(names->names);
}

static int path_name_compare(const void *a, const void *b)
{
    const struct path_name *left = a, *right = b;
    return strcmp(left->name, right->name);
}

static bool path_entry_is_dir(DIR *directory, const struct dirent *entry)
{
    if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK) return entry->d_type == DT_DIR;
    struct stat found;
    return fstatat(dirfd(directory), entry->d_name, &found, 0) == 0 && S_ISDIR(found.st_mode);
}

// 0 or an errno.
static int path_names_read(struct path_names *names, DIR *directory)
{
    for (;;) {
        errno = 0;
        // Only readdir() on one DIR in two threads would be a race; this one is ours.
        struct dirent *entry = readdir(directory);
        if (entry == NULL) return errno;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        path_names_add(names, entry->d_name, path_entry_is_dir(directory, entry));
    }
}

enum status env_uv_list_dir(struct env *env, const char *path,
                            void (*entry)(void *context, const char *name, bool is_dir),
                            void *context, struct error *error)
{
    (void)env;
    DIR *directory = opendir(path);
    if (directory == NULL)
        return env_uv_path_error(error, errno, path, "cannot open the directory");
    struct path_names names = {0};
    int code = path_names_read(&names, directory);
    (void)closedir(directory);
    if (code == 0 && names.count > 0) {
        qsort(names.names, names.count, sizeof names.names[0], path_name_compare);
        for (size_t i = 0; i < names.count; i++)
            entry(context, names.names[i].name, names.names[i].is_dir);
    }
    path_names_deinit(&names);
    if (code != 0) return env_uv_path_error(error, code, path, "cannot list the directory");
    return STATUS_OK;
}

// ---- Questions ---------------------------------------------------------------------------------

enum status env_uv_path_exists(struct env *env, const char *path, bool *exists, bool *is_dir,
                               struct error *error)
{
    (void)env;
    struct stat found;
    bool there = stat(path, &found) == 0;
    // Below something that is no directory there is nothing either.
    if (!there && errno != ENOENT && errno != ENOTDIR)
        return env_uv_path_error(error, errno, path, "cannot look it up");
    *exists = there;
    if (is_dir != NULL) *is_dir = there && S_ISDIR(found.st_mode);
    return STATUS_OK;
}

enum status env_uv_path_time(struct env *env, const char *path, int64_t *modified_us,
                             struct error *error)
{
    (void)env;
    struct stat found;
    if (stat(path, &found) != 0) return env_uv_path_error(error, errno, path, "cannot look it up");
    *modified_us = (int64_t)found.st_mtim.tv_sec * 1000000 + found.st_mtim.tv_nsec / 1000;
    return STATUS_OK;
}

enum status env_uv_free_space(struct env *env, const char *path, uint64_t *size,
                              struct error *error)
{
    (void)env;
    struct statvfs found;
    if (statvfs(path, &found) != 0)
        return env_uv_path_error(error, errno, path, "cannot ask for the free space");
    *size = (uint64_t)found.f_bavail * found.f_frsize;
    return STATUS_OK;
}

// ---- Locks -------------------------------------------------------------------------------------

struct env_uv_lock {
    struct env_lock base;
    int descriptor; // The system gives the lock back when it is closed, however we end.
};

enum status env_uv_lock(struct env *env, const char *path, struct env_lock **taken,
                        struct error *error)
{
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, LOCK_MODE);
    if (descriptor < 0) return env_uv_path_error(error, errno, path, "cannot open the lock");
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        int code = errno;
        (void)close(descriptor);
        if (code == EWOULDBLOCK)
            return error_set(error, STATUS_IN_USE, "%s: in use by another process", path);
        return env_uv_path_error(error, code, path, "cannot lock");
    }
    struct env_uv_lock *lock = malloc(sizeof *lock);
    ASSERT(lock != NULL);
    lock->base.env = env;
    lock->descriptor = descriptor;
    *taken = &lock->base;
    return STATUS_OK;
}

void env_uv_unlock(struct env_lock *base)
{
    struct env_uv_lock *lock = CONTAINER_OF(base, struct env_uv_lock, base);
    (void)close(lock->descriptor);
    free(lock);
}
