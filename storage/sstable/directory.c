// The files of a table's directory as a whole: recovery after a crash, removal; see sstable.h.
#include "base/assert.h"
#include "base/buffer.h"
#include "storage/sstable/transaction_log.h"

#include <stdio.h>
#include <stdlib.h>

// Names of a directory, each with a NUL, one behind the other.
struct names {
    struct buffer text;
};

enum { NAMES_SIZE_MAX = 256 * 1024 * 1024 };

static void add_name(void *context, const char *name, bool is_dir)
{
    struct names *names = context;
    if (!is_dir) buffer_put(&names->text, name, strlen(name) + 1);
}

static enum status list_names(struct env *env, const char *directory, struct names *names,
                              struct error *error)
{
    buffer_init(&names->text, NAMES_SIZE_MAX);
    enum status status = env_list_dir(env, directory, add_name, names, error);
    if (status == STATUS_OK && names->text.overflow)
        status = error_set(error, STATUS_OVERLOADED, "%s: has too many files", directory);
    if (status != STATUS_OK) buffer_deinit(&names->text);
    return status;
}

static const char *first_name(const struct names *names)
{
    return names->text.size == 0 ? NULL : (const char *)names->text.data;
}

static const char *next_name(const struct names *names, const char *name)
{
    name += strlen(name) + 1;
    return name == (const char *)names->text.data + names->text.size ? NULL : name;
}

static enum status remove_name(struct env *env, const char *directory, const char *name,
                               struct error *error)
{
    char path[SSTABLE_PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    enum status status = env_remove(env, path, error);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

struct recovery {
    struct env *env;
    const char *directory;
    struct names names;
    enum status status; // The first failure.
    struct error *error;
};

static void note(struct recovery *recovery, enum status status)
{
    if (recovery->status == STATUS_OK) recovery->status = status;
}

static void remove_prefixed(void *context, struct slice prefix)
{
    struct recovery *recovery = context;
    for (const char *name = first_name(&recovery->names); name != NULL;
         name = next_name(&recovery->names, name)) {
        if (strlen(name) >= prefix.size && memcmp(name, prefix.data, prefix.size) == 0)
            note(recovery, remove_name(recovery->env, recovery->directory, name, recovery->error));
    }
}

// The files first, durably; then the logs that say so.
static void replay_logs(struct recovery *recovery)
{
    bool has_log = false;
    for (const char *name = first_name(&recovery->names); name != NULL;
         name = next_name(&recovery->names, name)) {
        if (!transaction_log_is_name(name)) continue;
        has_log = true;
        char path[SSTABLE_PATH_SIZE];
        snprintf(path, sizeof path, "%s/%s", recovery->directory, name);
        note(recovery, transaction_log_replay(recovery->env, path, remove_prefixed, recovery,
                                              recovery->error));
    }
    if (!has_log || recovery->status != STATUS_OK) return;
    note(recovery, env_sync_dir(recovery->env, recovery->directory, recovery->error));
    for (const char *name = first_name(&recovery->names);
         name != NULL && recovery->status == STATUS_OK; name = next_name(&recovery->names, name)) {
        if (transaction_log_is_name(name))
            note(recovery, remove_name(recovery->env, recovery->directory, name, recovery->error));
    }
}

static void remove_temporary(struct recovery *recovery)
{
    for (const char *name = first_name(&recovery->names); name != NULL;
         name = next_name(&recovery->names, name)) {
        size_t size = strlen(name);
        if (size > 4 && strcmp(name + size - 4, ".tmp") == 0)
            note(recovery, remove_name(recovery->env, recovery->directory, name, recovery->error));
    }
}

static int compare_generations(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

// Generations with a Data.db that is not empty.
static void list_complete(struct recovery *recovery, struct sstable_listing *listing)
{
    for (const char *name = first_name(&recovery->names); name != NULL;
         name = next_name(&recovery->names, name)) {
        uint64_t generation, size = 0;
        enum sstable_component component;
        if (!sstable_parse_name(name, &generation, &component) || component != SSTABLE_DATA)
            continue;
        char path[SSTABLE_PATH_SIZE];
        sstable_path(path, recovery->directory, generation, SSTABLE_DATA);
        struct env_file *file;
        enum status status =
            env_file_open(recovery->env, path, ENV_OPEN_READ, &file, recovery->error);
        if (status == STATUS_OK) {
            status = env_file_size(file, &size, recovery->error);
            env_file_close(file);
        }
        note(recovery, status);
        if (status != STATUS_OK || size == 0) continue;
        listing->generations =
            realloc(listing->generations, (listing->count + 1) * sizeof *listing->generations);
        ASSERT(listing->generations != NULL);
        listing->generations[listing->count++] = generation;
    }
    if (listing->count > 0)
        qsort(listing->generations, listing->count, sizeof *listing->generations,
              compare_generations);
}

// Components without their Data.db are what a removal left.
static void remove_incomplete(struct recovery *recovery, const struct sstable_listing *listing)
{
    for (const char *name = first_name(&recovery->names); name != NULL;
         name = next_name(&recovery->names, name)) {
        uint64_t generation;
        enum sstable_component component;
        if (!sstable_parse_name(name, &generation, &component)) continue;
        if (listing->count > 0 &&
            bsearch(&generation, listing->generations, listing->count, sizeof *listing->generations,
                    compare_generations) != NULL)
            continue;
        note(recovery, remove_name(recovery->env, recovery->directory, name, recovery->error));
    }
}

static enum status relist(struct recovery *recovery)
{
    buffer_deinit(&recovery->names.text);
    return list_names(recovery->env, recovery->directory, &recovery->names, recovery->error);
}

enum status sstable_recover_directory(struct env *env, const char *directory,
                                      struct sstable_listing *listing, struct error *error)
{
    struct recovery recovery = {.env = env, .directory = directory, .error = error};
    enum status status = list_names(env, directory, &recovery.names, error);
    if (status != STATUS_OK) return status;
    replay_logs(&recovery);
    if (recovery.status == STATUS_OK) remove_temporary(&recovery);
    if (recovery.status == STATUS_OK) {
        status = relist(&recovery);
        if (status != STATUS_OK) return status;
    }
    struct sstable_listing found = {NULL, 0};
    if (recovery.status == STATUS_OK) list_complete(&recovery, &found);
    if (recovery.status == STATUS_OK) remove_incomplete(&recovery, &found);
    buffer_deinit(&recovery.names.text);
    if (recovery.status != STATUS_OK) {
        free(found.generations);
        return recovery.status;
    }
    *listing = found;
    return STATUS_OK;
}

enum status sstable_remove(struct env *env, const char *directory, uint64_t generation,
                           struct error *error)
{
    char path[SSTABLE_PATH_SIZE];
    for (int i = 0; i < SSTABLE_COMPONENT_COUNT; i++) {
        sstable_path(path, directory, generation, (enum sstable_component)i);
        enum status status = env_remove(env, path, error);
        if (status != STATUS_OK && status != STATUS_NOT_FOUND) return status;
        // Once Data.db is gone for good, recovery removes the rest, so that needs no sync.
        if (i == SSTABLE_DATA) {
            status = env_sync_dir(env, directory, error);
            if (status != STATUS_OK) return status;
        }
    }
    return STATUS_OK;
}
