// What a crash left in a table's directory is finished or undone; the removal of one SSTable; see
// sstable.h.
#include "base/assert.h"
#include "storage/sstable/transaction_log.h"

#include <stdlib.h>

struct recovery {
    struct env *env;
    const char *directory;
    struct directory_names names;
    enum status status; // The first failure.
    struct error *error;
};

static void note(struct recovery *recovery, enum status status)
{
    if (recovery->status == STATUS_OK) recovery->status = status;
}

static const char *next_name(const struct recovery *recovery, const char *name)
{
    return recovery->status == STATUS_OK ? directory_names_next(&recovery->names, name) : NULL;
}

static void remove_name(struct recovery *recovery, const char *name)
{
    note(recovery,
         directory_remove_name(recovery->env, recovery->directory, name, recovery->error));
}

// The files first, durably; then the log that says so.
static void recover_logs(struct recovery *recovery)
{
    for (const char *name = NULL; (name = next_name(recovery, name)) != NULL;) {
        if (!transaction_log_is_name(name)) continue;
        note(recovery, transaction_log_recover(recovery->env, recovery->directory, name,
                                               &recovery->names, recovery->error));
        if (recovery->status == STATUS_OK) remove_name(recovery, name);
    }
}

static void remove_temporary(struct recovery *recovery)
{
    for (const char *name = NULL; (name = next_name(recovery, name)) != NULL;) {
        size_t size = strlen(name);
        if (size > 4 && strcmp(name + size - 4, ".tmp") == 0) remove_name(recovery, name);
    }
}

static int compare_generations(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static bool has_data(struct recovery *recovery, uint64_t generation)
{
    char path[SSTABLE_PATH_SIZE];
    sstable_path(path, recovery->directory, generation, SSTABLE_DATA);
    struct env_file *file;
    uint64_t size = 0;
    enum status status = env_file_open(recovery->env, path, ENV_OPEN_READ, &file, recovery->error);
    if (status == STATUS_OK) {
        status = env_file_size(file, &size, recovery->error);
        env_file_close(file);
    }
    note(recovery, status);
    return status == STATUS_OK && size > 0;
}

// Generations with a Data.db that is not empty.
static void list_complete(struct recovery *recovery, struct sstable_listing *listing)
{
    for (const char *name = NULL; (name = next_name(recovery, name)) != NULL;) {
        uint64_t generation;
        enum sstable_component component;
        if (!sstable_parse_name(name, &generation, &component) || component != SSTABLE_DATA ||
            !has_data(recovery, generation))
            continue;
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
    for (const char *name = NULL; (name = next_name(recovery, name)) != NULL;) {
        uint64_t generation;
        enum sstable_component component;
        if (!sstable_parse_name(name, &generation, &component)) continue;
        if (listing->count > 0 &&
            bsearch(&generation, listing->generations, listing->count, sizeof *listing->generations,
                    compare_generations) != NULL)
            continue;
        remove_name(recovery, name);
    }
}

enum status sstable_recover_directory(struct env *env, const char *directory,
                                      struct sstable_listing *listing, struct error *error)
{
    struct recovery recovery = {.env = env, .directory = directory, .error = error};
    enum status status = directory_names_list(&recovery.names, env, directory, error);
    if (status != STATUS_OK) return status;
    recover_logs(&recovery);
    remove_temporary(&recovery);
    if (recovery.status == STATUS_OK) {
        directory_names_deinit(&recovery.names);
        status = directory_names_list(&recovery.names, env, directory, error);
        if (status != STATUS_OK) return status;
    }
    struct sstable_listing found = {NULL, 0};
    list_complete(&recovery, &found);
    remove_incomplete(&recovery, &found);
    directory_names_deinit(&recovery.names);
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
