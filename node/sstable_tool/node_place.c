#include "node/sstable_tool/node_place.h"

#include "node/sstable_tool/table_place.h"

#include <stdio.h>
#include <string.h>

// Cuts the last name off a path.
static void go_up(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash != NULL) *slash = '\0';
}

static enum status exists(struct env *env, const char *root, const char *name, bool *found,
                          struct error *error)
{
    char path[SSTABLE_PATH_SIZE];
    bool is_dir;
    (void)snprintf(path, sizeof path, "%.4000s/%s", root, name);
    return env_path_exists(env, path, found, &is_dir, error);
}

// The file of a table's manifest is called by the 32 digits at the end of the table's directory.
static enum status load_manifest(struct node_place *place, const char *root, const char *directory,
                                 struct error *error)
{
    size_t size = strlen(directory);
    (void)snprintf(place->manifest_directory, sizeof place->manifest_directory, "%.4000s/manifest",
                   root);
    (void)snprintf(place->manifest_path, sizeof place->manifest_path, "%s/%s",
                   place->manifest_directory, directory + size - 32);
    enum status status = manifest_load(place->env, place->manifest_path, &place->manifest, error);
    place->has_manifest = status == STATUS_OK;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status node_place_open(struct node_place *place, struct env *env, const char *directory,
                            struct error *error)
{
    *place = (struct node_place){.env = env};
    struct arena arena;
    arena_init(&arena, 4096);
    bool has_id = table_place_of(directory, &arena).has_id;
    arena_deinit(&arena);
    char root[SSTABLE_PATH_SIZE];
    if (!has_id || strlen(directory) >= sizeof root) return STATUS_OK;
    (void)snprintf(root, sizeof root, "%s", directory);
    for (int i = 0; i < 3; i++)
        go_up(root);
    bool has_lock = false, has_manifests = false;
    enum status status = exists(env, root, "lock", &has_lock, error);
    if (status == STATUS_OK) status = exists(env, root, "manifest", &has_manifests, error);
    if (status != STATUS_OK || !has_lock || !has_manifests) return status;
    char path[SSTABLE_PATH_SIZE];
    (void)snprintf(path, sizeof path, "%.4000s/lock", root);
    status = env_lock(env, path, &place->lock, error);
    if (status == STATUS_IN_USE)
        return error_set(
            error, status,
            "%.300s belongs to a node that runs: stop it first (helenus ring stop), or "
            "write to another directory",
            directory);
    if (status != STATUS_OK) return status;
    place->is_node = true;
    status = load_manifest(place, root, directory, error);
    if (status != STATUS_OK) node_place_close(place);
    return status;
}

uint64_t node_place_generation_behind(const struct node_place *place, uint64_t generation)
{
    for (size_t i = 0; place->has_manifest && i < place->manifest.count; i++)
        if (place->manifest.entries[i].generation > generation)
            generation = place->manifest.entries[i].generation;
    return generation + 1;
}

static enum status store(struct node_place *place, struct error *error)
{
    return manifest_store(place->env, place->manifest_directory, place->manifest_path,
                          &place->manifest, error);
}

enum status node_place_prepare(struct node_place *place, const struct manifest_entry *outputs,
                               size_t output_count, const uint64_t *inputs, size_t input_count,
                               struct error *error)
{
    if (!place->has_manifest) return STATUS_OK;
    uint64_t newest = 0;
    for (size_t i = 0; i < input_count; i++) {
        struct manifest_entry *entry = manifest_find(&place->manifest, inputs[i]);
        if (entry == NULL) continue;
        entry->state = MANIFEST_RETIRING;
        if (entry->log_position > newest) newest = entry->log_position;
    }
    for (size_t i = 0; i < output_count; i++) {
        struct manifest_entry entry = outputs[i];
        entry.state = MANIFEST_ADDING;
        entry.log_position = newest;
        manifest_add(&place->manifest, &entry);
    }
    return store(place, error);
}

enum status node_place_settle(struct node_place *place, bool has_changed, struct error *error)
{
    if (!place->has_manifest) return STATUS_OK;
    struct manifest *manifest = &place->manifest;
    for (size_t i = 0; i < manifest->count;) {
        struct manifest_entry *entry = &manifest->entries[i];
        if (entry->state == (has_changed ? MANIFEST_RETIRING : MANIFEST_ADDING)) {
            manifest_remove(manifest, entry->generation);
            continue;
        }
        if (entry->state == MANIFEST_ADDING || entry->state == MANIFEST_RETIRING)
            entry->state = MANIFEST_LIVE;
        i++;
    }
    return store(place, error);
}

void node_place_close(struct node_place *place)
{
    if (place->has_manifest) manifest_deinit(&place->manifest);
    place->has_manifest = false;
    if (place->lock != NULL) env_unlock(place->lock);
    place->lock = NULL;
}
