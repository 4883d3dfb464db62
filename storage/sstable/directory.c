#include "storage/sstable/directory.h"

#include <stdio.h>

enum { NAMES_SIZE_MAX = 256 * 1024 * 1024 };

static void add_name(void *context, const char *name, bool is_dir)
{
    struct directory_names *names = context;
    if (!is_dir) buffer_put(&names->text, name, strlen(name) + 1);
}

enum status directory_names_list(struct directory_names *names, struct env *env,
                                 const char *directory, struct error *error)
{
    buffer_init(&names->text, NAMES_SIZE_MAX);
    enum status status = env_list_dir(env, directory, add_name, names, error);
    if (status == STATUS_OK && names->text.overflow)
        status = error_set(error, STATUS_OVERLOADED, "%s: has too many files", directory);
    if (status != STATUS_OK) buffer_deinit(&names->text);
    return status;
}

void directory_names_deinit(struct directory_names *names)
{
    buffer_deinit(&names->text);
}

const char *directory_names_next(const struct directory_names *names, const char *name)
{
    const char *text = (const char *)names->text.data;
    if (names->text.size == 0) return NULL;
    if (name == NULL) return text;
    name += strlen(name) + 1;
    return name == text + names->text.size ? NULL : name;
}

static bool begins_with(const char *name, struct slice prefix)
{
    return strlen(name) >= prefix.size && memcmp(name, prefix.data, prefix.size) == 0;
}

// When the file was changed last; 0 if it has gone meanwhile.
static enum status get_time_ms(struct env *env, const char *directory, const char *name,
                               int64_t *time_ms, struct error *error)
{
    char path[SSTABLE_PATH_SIZE];
    int64_t time_us;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    enum status status = env_path_time(env, path, &time_us, error);
    *time_ms = status == STATUS_OK ? time_us / 1000 : 0;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status directory_look_up(const struct directory_names *names, struct env *env,
                              const char *directory, struct slice prefix,
                              struct directory_files *files, struct error *error)
{
    struct directory_files found = {0};
    for (const char *name = NULL; (name = directory_names_next(names, name)) != NULL;) {
        if (!begins_with(name, prefix)) continue;
        int64_t time_ms;
        enum status status = get_time_ms(env, directory, name, &time_ms, error);
        if (status != STATUS_OK) return status;
        // Java tells no time before 1970, and 0 of what is not there.
        if (time_ms <= 0) continue;
        found.count++;
        if (time_ms > found.newest_ms) found.newest_ms = time_ms;
    }
    *files = found;
    return STATUS_OK;
}

enum status directory_remove_name(struct env *env, const char *directory, const char *name,
                                  struct error *error)
{
    char path[SSTABLE_PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    enum status status = env_remove(env, path, error);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

// The newest file of the prefix, or NULL.
static enum status find_newest(const struct directory_names *names, struct env *env,
                               const char *directory, struct slice prefix, const char **newest,
                               struct error *error)
{
    int64_t newest_ms = 0;
    *newest = NULL;
    for (const char *name = NULL; (name = directory_names_next(names, name)) != NULL;) {
        if (!begins_with(name, prefix)) continue;
        int64_t time_ms;
        enum status status = get_time_ms(env, directory, name, &time_ms, error);
        if (status != STATUS_OK) return status;
        if (*newest != NULL && time_ms < newest_ms) continue;
        *newest = name;
        newest_ms = time_ms;
    }
    return STATUS_OK;
}

static enum status remove_all_but_newest(const struct directory_names *names, struct env *env,
                                         const char *directory, struct slice prefix,
                                         struct error *error)
{
    const char *newest;
    enum status status = find_newest(names, env, directory, prefix, &newest, error);
    for (const char *name = NULL;
         status == STATUS_OK && (name = directory_names_next(names, name)) != NULL;) {
        if (begins_with(name, prefix) && name != newest)
            status = directory_remove_name(env, directory, name, error);
    }
    return status;
}

static enum status remove_all(const struct directory_names *names, struct env *env,
                              const char *directory, struct slice prefix, struct error *error)
{
    enum status status = STATUS_OK;
    for (const char *name = NULL;
         status == STATUS_OK && (name = directory_names_next(names, name)) != NULL;) {
        if (begins_with(name, prefix)) status = directory_remove_name(env, directory, name, error);
    }
    return status;
}

enum status directory_remove_files(const struct directory_names *names, struct env *env,
                                   const char *directory, const struct slice *prefixes,
                                   size_t prefix_count, struct error *error)
{
    enum status status = STATUS_OK;
    if (prefix_count == 0) return STATUS_OK;
    for (size_t i = 0; i < prefix_count && status == STATUS_OK; i++)
        status = remove_all_but_newest(names, env, directory, prefixes[i], error);
    if (status == STATUS_OK) status = env_sync_dir(env, directory, error);
    for (size_t i = 0; i < prefix_count && status == STATUS_OK; i++)
        status = remove_all(names, env, directory, prefixes[i], error);
    return status == STATUS_OK ? env_sync_dir(env, directory, error) : status;
}
