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

static bool has_data(struct recovery *recovery, const struct sstable_name *name)
{
    char path[SSTABLE_PATH_SIZE];
    sstable_name_path(path, recovery->directory, name, SSTABLE_DATA);
    struct env_file *file;
    uint64_t size = 0;
    enum status status = env_file_open(recovery->env, path, ENV_OPEN_READ, &file, recovery->error);
    if (status == STATUS_OK) {
        status = env_file_size(file, &size, recovery->error);
        env_file_close(file);
    }
    if (status == STATUS_NOT_FOUND) return false;
    note(recovery, status);
    return status == STATUS_OK && size > 0;
}

// Components without their Data.db, or with an empty one, are what a removal left; also of files
// that others have named. That Data.db is not there now need not last: its remover may not have
// come to sync the directory.
static void remove_incomplete(struct recovery *recovery)
{
    struct sstable_name last = {.id = ""};
    bool is_complete = false, is_synced = false;
    for (const char *name = NULL; (name = next_name(recovery, name)) != NULL;) {
        struct sstable_name found;
        enum sstable_component component;
        if (sstable_name_parse(name, &found, &component, NULL) != STATUS_OK) continue;
        // Files of one SSTable stand together in the list.
        if (last.id[0] == '\0' || !sstable_name_equals(&found, &last)) {
            is_complete = has_data(recovery, &found);
            last = found;
        }
        if (is_complete || recovery->status != STATUS_OK) continue;
        if (!is_synced)
            note(recovery, env_sync_dir(recovery->env, recovery->directory, recovery->error));
        is_synced = true;
        if (recovery->status == STATUS_OK) remove_name(recovery, name);
    }
}

// Generations of what is left, once each.
static void list_generations(struct recovery *recovery, struct sstable_listing *listing)
{
    for (const char *name = NULL; (name = next_name(recovery, name)) != NULL;) {
        struct sstable_name found;
        enum sstable_component component;
        if (sstable_name_parse(name, &found, &component, NULL) != STATUS_OK ||
            component != SSTABLE_DATA || sstable_name_generation(&found) == 0)
            continue;
        listing->generations =
            realloc(listing->generations, (listing->count + 1) * sizeof *listing->generations);
        ASSERT(listing->generations != NULL);
        listing->generations[listing->count++] = sstable_name_generation(&found);
    }
    if (listing->count == 0) return;
    qsort(listing->generations, listing->count, sizeof *listing->generations, compare_generations);
    size_t kept = 1;
    for (size_t i = 1; i < listing->count; i++) {
        if (listing->generations[i] != listing->generations[kept - 1])
            listing->generations[kept++] = listing->generations[i];
    }
    listing->count = kept;
}

static void list_again(struct recovery *recovery)
{
    if (recovery->status != STATUS_OK) return;
    directory_names_deinit(&recovery->names);
    note(recovery, directory_names_list(&recovery->names, recovery->env, recovery->directory,
                                        recovery->error));
}

enum status sstable_recover_directory(struct env *env, const char *directory,
                                      struct sstable_listing *listing, struct error *error)
{
    struct recovery recovery = {.env = env, .directory = directory, .error = error};
    enum status status = directory_names_list(&recovery.names, env, directory, error);
    if (status != STATUS_OK) return status;
    recover_logs(&recovery);
    remove_temporary(&recovery);
    list_again(&recovery);
    remove_incomplete(&recovery);
    list_again(&recovery);
    struct sstable_listing found = {NULL, 0};
    list_generations(&recovery, &found);
    directory_names_deinit(&recovery.names);
    if (recovery.status != STATUS_OK) {
        free(found.generations);
        return recovery.status;
    }
    *listing = found;
    return STATUS_OK;
}

static enum status remove_component(struct env *env, const char *directory, uint64_t generation,
                                    enum sstable_component component, struct error *error)
{
    static const enum sstable_version versions[] = {SSTABLE_NB, SSTABLE_OA};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        char path[SSTABLE_PATH_SIZE];
        const struct sstable_name name = sstable_name_of(versions[i], generation);
        sstable_name_path(path, directory, &name, component);
        enum status status = env_remove(env, path, error);
        if (status != STATUS_OK && status != STATUS_NOT_FOUND) return status;
    }
    return STATUS_OK;
}

enum status sstable_remove(struct env *env, const char *directory, uint64_t generation,
                           struct error *error)
{
    // Once Data.db is gone for good, recovery removes the rest, so that needs no sync.
    enum status status = remove_component(env, directory, generation, SSTABLE_DATA, error);
    if (status == STATUS_OK) status = env_sync_dir(env, directory, error);
    // A drop that was interrupted at its end has removed the directory, too.
    if (status == STATUS_NOT_FOUND) return STATUS_OK;
    for (int i = 0; i < SSTABLE_COMPONENT_COUNT && status == STATUS_OK; i++) {
        if (i != SSTABLE_DATA)
            status = remove_component(env, directory, generation, (enum sstable_component)i, error);
    }
    return status;
}
