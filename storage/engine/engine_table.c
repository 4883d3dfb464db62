// The tables of an engine: their directories, their SSTables, and which version is the present one.
#include "base/assert.h"
#include "base/env_marks.h"
#include "storage/engine/engine_index_internal.h"
#include "storage/new_directory.h"
#include "storage/sstable/directory.h"
#include "storage/sstable/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEX_SIZE = 33 };

static void put_hex(struct uuid id, char hex[HEX_SIZE])
{
    for (size_t i = 0; i < sizeof id.bytes; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", id.bytes[i]);
}

static char *copy_text(const char *text)
{
    char *copy = strdup(text);
    ASSERT(copy != NULL);
    return copy;
}

struct table_paths {
    char keyspace[ENGINE_PATH_MAX - 128]; // DIR/data/<keyspace>
    char directory[ENGINE_PATH_MAX];      // DIR/data/<keyspace>/<table>-<id>
    char manifest[ENGINE_PATH_MAX];       // DIR/manifest/<id>
};

static enum status make_paths(const struct engine *engine, const struct table *table,
                              struct table_paths *paths, struct error *error)
{
    char hex[HEX_SIZE];
    put_hex(table->id, hex);
    int length =
        snprintf(paths->keyspace, sizeof paths->keyspace, "%s/data/%.*s", engine->directory,
                 (int)table->keyspace.size, (const char *)table->keyspace.data);
    if (length < 0 || (size_t)length >= sizeof paths->keyspace)
        return error_set(error, STATUS_INVALID, "%s: too long a path", engine->directory);
    length = snprintf(paths->directory, sizeof paths->directory, "%s/%.*s-%s", paths->keyspace,
                      (int)table->name.size, (const char *)table->name.data, hex);
    if (length < 0 || (size_t)length >= sizeof paths->directory)
        return error_set(error, STATUS_INVALID, "%s: too long a path", paths->keyspace);
    (void)snprintf(paths->manifest, sizeof paths->manifest, "%s/manifest/%s", engine->directory,
                   hex);
    return STATUS_OK;
}

// Makes the table's directory if it is missing; its name is durable then.
static enum status make_directories(struct engine *engine, const struct table_paths *paths,
                                    struct error *error)
{
    // EXISTS may mean: made by a run that died before it synced. So the parent is synced all the
    // same, unless the table's directory was there, which is made after that sync.
    enum status status = env_make_dir(engine->env, paths->directory, NULL);
    if (status == STATUS_EXISTS) return new_directory_keep(engine->env, paths->directory, error);
    status = new_directory_make_durable(engine->env, paths->keyspace, error);
    if (status != STATUS_OK) return status;
    return new_directory_make_durable(engine->env, paths->directory, error);
}

// ---- SSTables ----------------------------------------------------------------------------------

// The newest timestamp stays first: a read that has seen a deletion may stop early.
void engine_add_sstable(struct engine_table *table, struct sstable_reader *reader,
                        uint64_t log_position, int64_t created_s)
{
    if (table->sstable_count == table->sstable_capacity) {
        table->sstable_capacity = table->sstable_capacity == 0 ? 4 : table->sstable_capacity * 2;
        table->sstables =
            realloc(table->sstables, table->sstable_capacity * sizeof *table->sstables);
        ASSERT(table->sstables != NULL);
    }
    size_t at = table->sstable_count++;
    int64_t timestamp = sstable_max_timestamp(reader);
    while (at > 0 && sstable_max_timestamp(table->sstables[at - 1].reader) < timestamp) {
        table->sstables[at] = table->sstables[at - 1];
        at--;
    }
    table->sstables[at] = (struct engine_sstable){
        .reader = reader, .log_position = log_position, .created_s = created_s};
}

static void use_generation(struct engine_table *table, uint64_t generation)
{
    if (generation >= table->next_generation) table->next_generation = generation + 1;
}

static bool listing_has(const struct sstable_listing *listing, uint64_t generation)
{
    for (size_t i = 0; i < listing->count; i++) {
        if (listing->generations[i] == generation) return true;
    }
    return false;
}

static void remove_from_listing(struct sstable_listing *listing, uint64_t generation)
{
    size_t kept = 0;
    for (size_t i = 0; i < listing->count; i++)
        if (listing->generations[i] != generation)
            listing->generations[kept++] = listing->generations[i];
    listing->count = kept;
}

// What a compaction left in question: what is there holds, now that the directory is recovered.
static void settle_compactions(struct engine_table *table, const struct sstable_listing *listing)
{
    struct manifest *manifest = &table->manifest;
    size_t i = 0;
    while (i < manifest->count) {
        struct manifest_entry *entry = &manifest->entries[i];
        bool is_adding = entry->state == MANIFEST_ADDING;
        bool is_there = listing_has(listing, entry->generation);
        if ((is_adding || entry->state == MANIFEST_RETIRING) && !is_there) {
            manifest_remove(manifest, entry->generation);
            continue;
        }
        if (is_adding) env_mark(table->engine->env, ENV_MARK_COMPACTION_FOUND_DONE);
        if (entry->state == MANIFEST_RETIRING)
            env_mark(table->engine->env, ENV_MARK_COMPACTION_FOUND_UNDONE);
        if (entry->state != MANIFEST_GONE) entry->state = MANIFEST_LIVE;
        i++;
    }
}

// Before the listing is used: what is gone is removed, and no longer listed.
static enum status remove_gone(struct engine_table *table, struct sstable_listing *listing,
                               struct error *error)
{
    for (size_t i = 0; i < table->manifest.count; i++)
        if (table->manifest.entries[i].state == MANIFEST_GONE)
            remove_from_listing(listing, table->manifest.entries[i].generation);
    return engine_forget_gone(table->engine, table->manifest_path, &table->manifest, error);
}

static int64_t created_s(struct env *env, const char *directory, uint64_t generation)
{
    char path[SSTABLE_PATH_SIZE];
    int64_t created_us;
    sstable_path(path, directory, generation, SSTABLE_DATA);
    if (env_path_time(env, path, &created_us, NULL) != STATUS_OK) created_us = env_wall_us(env);
    return created_us / 1000000;
}

static enum status open_sstables(struct engine_table *table, const struct sstable_listing *listing,
                                 struct error *error)
{
    struct manifest *manifest = &table->manifest;
    for (size_t i = 0; i < manifest->count; i++) {
        use_generation(table, manifest->entries[i].generation);
        if (!listing_has(listing, manifest->entries[i].generation))
            return error_set(error, STATUS_CORRUPT,
                             "%s: SSTable %" PRIu64 " is missing, but the manifest %s names it",
                             manifest->directory, manifest->entries[i].generation,
                             table->manifest_path);
    }
    for (size_t i = 0; i < listing->count; i++) {
        use_generation(table, listing->generations[i]);
        const struct manifest_entry *entry = manifest_find(manifest, listing->generations[i]);
        struct sstable_reader *reader;
        table->has_foreign = table->has_foreign || entry == NULL;
        enum status status =
            sstable_open(table->engine->env, manifest->directory, listing->generations[i],
                         table->table, entry == NULL ? NULL : &entry->check, &reader, error);
        if (status != STATUS_OK) return status;
        engine_add_sstable(
            table, reader, entry == NULL ? 0 : entry->log_position,
            created_s(table->engine->env, manifest->directory, listing->generations[i]));
    }
    return STATUS_OK;
}

enum status engine_remove_gone(struct env *env, struct manifest *manifest, struct error *error)
{
    size_t i = 0;
    bool is_synced = false;
    while (i < manifest->count) {
        if (manifest->entries[i].state != MANIFEST_GONE) {
            i++;
            continue;
        }
        // A log that was removed does not come back: one that is cut off, and misses what goes
        // here, would be refused for ever.
        if (!is_synced) {
            enum status status = env_sync_dir(env, manifest->directory, error);
            if (status != STATUS_OK && status != STATUS_NOT_FOUND) return status;
            is_synced = true;
        }
        uint64_t generation = manifest->entries[i].generation;
        enum status status = sstable_remove(env, manifest->directory, generation, error);
        if (status != STATUS_OK) return status;
        manifest_remove(manifest, generation);
    }
    return STATUS_OK;
}

enum status engine_forget_gone(struct engine *engine, const char *path, struct manifest *manifest,
                               struct error *error)
{
    size_t count = manifest->count;
    enum status status = engine_remove_gone(engine->env, manifest, error);
    if (status != STATUS_OK || manifest->count == count) return status;
    char directory[ENGINE_PATH_MAX];
    (void)snprintf(directory, sizeof directory, "%s/manifest", engine->directory);
    // They are gone for good, else they would be read. If this fails, the manifest goes on naming
    // them.
    (void)!manifest_store(engine->env, directory, path, manifest, NULL);
    return STATUS_OK;
}

// A definition that cannot be read is that of a table nobody could make: size-tiered.
static void read_compaction_options(struct engine_table *table)
{
    struct compaction_options *options = &table->compactor.options;
    if (compaction_options_read(&table->table->params.compaction, options, NULL) != STATUS_OK)
        *options = compaction_options_default();
}

// Names of what was backed up are not given again: links to what comes later could not stand beside
// it (ColumnFamilyStore's constructor, "to prevent generation conflicts").
static enum status use_generations_of_backups(struct engine_table *table, const char *directory,
                                              struct error *error)
{
    char path[ENGINE_PATH_MAX + 16];
    struct directory_names names;
    (void)snprintf(path, sizeof path, "%s/backups", directory);
    enum status status = directory_names_list(&names, table->engine->env, path, error);
    if (status != STATUS_OK) return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    for (const char *file = NULL; (file = directory_names_next(&names, file)) != NULL;) {
        struct sstable_name name;
        enum sstable_component component;
        if (sstable_name_parse(file, &name, &component, NULL) == STATUS_OK)
            use_generation(table, sstable_name_generation(&name));
    }
    directory_names_deinit(&names);
    return STATUS_OK;
}

// The manifest's table is in this directory, wherever it was when the manifest was written: the
// whole may have been moved, or copied.
static void settle_manifest(struct manifest *manifest, const char *directory)
{
    free(manifest->directory);
    manifest->directory = copy_text(directory);
}

static enum status load_table(struct engine_table *table, const char *directory,
                              struct error *error)
{
    struct env *env = table->engine->env;
    enum status status = manifest_load(env, table->manifest_path, &table->manifest, error);
    if (status == STATUS_NOT_FOUND) {
        manifest_init(&table->manifest, directory);
        status = STATUS_OK;
    }
    if (status != STATUS_OK) return status;
    settle_manifest(&table->manifest, directory);
    table->truncated_position = table->manifest.truncated_position;
    for (size_t i = 0; i < table->manifest.count; i++)
        use_generation(table, table->manifest.entries[i].generation);
    status = use_generations_of_backups(table, directory, error);
    if (status != STATUS_OK) return status;
    // First the logs of compactions, which know the files as they were.
    struct sstable_listing listing;
    status = sstable_recover_directory(env, directory, &listing, error);
    if (status != STATUS_OK) return status;
    status = remove_gone(table, &listing, error);
    settle_compactions(table, &listing);
    if (status == STATUS_OK) status = open_sstables(table, &listing, error);
    free(listing.generations);
    return status;
}

enum status engine_open_table(struct engine *engine, const struct table *table, struct error *error)
{
    struct table_paths paths;
    enum status status = make_paths(engine, table, &paths, error);
    if (status == STATUS_OK) status = make_directories(engine, &paths, error);
    if (status != STATUS_OK) return status;

    struct engine_table *opened = calloc(1, sizeof *opened);
    ASSERT(opened != NULL);
    opened->engine = engine;
    opened->table = table;
    table_ref(table);
    opened->manifest_path = copy_text(paths.manifest);
    opened->active = engine_make_memtable(engine, table);
    opened->next_generation = 1;
    opened->counter_life.id = table->id;
    read_compaction_options(opened);
    opened->compactor.is_enabled = opened->compactor.options.enabled;
    opened->compactor.is_asked_for = true;
    status = load_table(opened, paths.directory, error);
    if (status != STATUS_OK) {
        engine_free_table(opened);
        return status;
    }
    engine_link_table(engine, opened);
    return table->index_count > 0 ? engine_index_open(opened, error) : STATUS_OK;
}

// ---- Changes of the schema ---------------------------------------------------------------------

static enum status put_new(struct engine *engine, const struct table *table, struct error *error)
{
    struct error cause = {0};
    enum status status = engine_open_table(engine, table, &cause);
    if (status != STATUS_OK) (void)error_set(error, status, "%s", cause.text);
    struct engine_table *opened = engine_find_table(engine, table->id);
    if (opened == NULL) {
        engine_put_later(engine, table, &cause);
        return status;
    }
    // Also if some index of it could not be made.
    if (table->params.memtable_flush_period_in_ms > 0) engine_period_start(engine);
    engine_index_begin(opened);
    engine_begin_anew(opened);
    return status;
}

enum status engine_put_table(struct engine *engine, const struct table *table, struct error *error)
{
    struct engine_table *existing = engine_find_table(engine, table->id);
    if (existing == NULL) {
        if (engine_await_return(engine, table)) return STATUS_OK;
        return put_new(engine, table, error);
    }
    if (existing->table == table) return STATUS_OK;
    if (!slice_equals(existing->table->name, table->name) ||
        !slice_equals(existing->table->keyspace, table->keyspace))
        return error_set(error, STATUS_INVALID, "%s: another table has its id",
                         existing->manifest.directory);
    // What is in memory stays under the version that it was written with.
    engine_freeze(existing);
    engine->active_size -= memtable_size(existing->active);
    memtable_unref(existing->active);
    table_unref(existing->table);
    existing->table = table;
    table_ref(table);
    existing->active = engine_make_memtable(engine, table);
    engine->active_size += memtable_size(existing->active);
    for (size_t i = 0; i < existing->sstable_count; i++)
        sstable_set_table(existing->sstables[i].reader, table);
    // The cache knows columns by their index, which may be another one now.
    existing->counter_life.life++;
    bool was_enabled = existing->compactor.options.enabled;
    read_compaction_options(existing);
    // What was said by hand stays until the definition says another thing.
    if (existing->compactor.options.enabled != was_enabled)
        existing->compactor.is_enabled = !was_enabled;
    engine_ask_for_compaction(existing);
    engine_background_start(engine);
    if (table->params.memtable_flush_period_in_ms > 0) engine_period_start(engine);
    if (table->index_count == 0 && existing->index_count == 0) return STATUS_OK;
    enum status status = engine_index_open(existing, error);
    engine_index_begin(existing); // Those that could be made.
    return status;
}

// ---- Drops that a crash interrupted ------------------------------------------------------------

struct entry_counts {
    size_t files, directories;
};

static void count_entry(void *context, const char *name, bool is_dir)
{
    struct entry_counts *counts = context;
    (void)name;
    if (is_dir)
        counts->directories++;
    else
        counts->files++;
}

bool engine_table_has_remains(struct engine *engine, const struct table *table)
{
    struct table_paths paths;
    bool has_manifest, is_dir;
    if (make_paths(engine, table, &paths, NULL) != STATUS_OK) return false;
    enum status status = env_path_exists(engine->env, paths.manifest, &has_manifest, &is_dir, NULL);
    if (status == STATUS_OK && has_manifest) return true;
    struct entry_counts counts = {0};
    if (env_list_dir(engine->env, paths.directory, count_entry, &counts, NULL) != STATUS_OK)
        return false;
    return counts.files > 0 || counts.directories == 0;
}

struct name_list {
    char **names;
    size_t count, capacity;
};

static void add_name(void *context, const char *name, bool is_dir)
{
    struct name_list *list = context;
    if (is_dir) return;
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 16 : list->capacity * 2;
        list->names = realloc(list->names, list->capacity * sizeof *list->names);
        ASSERT(list->names != NULL);
    }
    list->names[list->count++] = copy_text(name);
}

// The last three names of a table's directory, "data/<keyspace>/<table>-<id>".
static const char *last_names(const char *path)
{
    const char *at = path + strlen(path);
    for (int names = 0; at > path; at--) {
        if (at[-1] == '/' && ++names == 3) break;
    }
    return at;
}

// A manifest that says "dropped": its files, its directory, then itself.
static enum status finish_drop(struct engine *engine, const char *path, struct error *error)
{
    struct manifest manifest;
    enum status status = manifest_load(engine->env, path, &manifest, error);
    if (status != STATUS_OK) return status;
    if (manifest.dropped) {
        char directory[2 * ENGINE_PATH_MAX];
        (void)snprintf(directory, sizeof directory, "%s/%s", engine->directory,
                       last_names(manifest.directory));
        settle_manifest(&manifest, directory);
        status = engine_remove_gone(engine->env, &manifest, error);
        if (status == STATUS_OK)
            status = engine_remove_directory(engine->env, manifest.directory, error);
        if (status == STATUS_OK) status = env_remove(engine->env, path, error);
    }
    manifest_deinit(&manifest);
    return status;
}

static bool is_temporary(const char *name)
{
    size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, ".tmp") == 0;
}

// Calls `act` for each manifest there is.
static enum status each_manifest(struct engine *engine,
                                 enum status (*act)(struct engine *engine, const char *path,
                                                    struct error *error),
                                 struct error *error)
{
    char directory[ENGINE_PATH_MAX - 256], path[ENGINE_PATH_MAX];
    (void)snprintf(directory, sizeof directory, "%s/manifest", engine->directory);
    struct name_list list = {0};
    // Manifests are acted on from here on: they must be those that a crash would leave, too.
    enum status status = env_sync_dir(engine->env, directory, error);
    if (status == STATUS_OK) status = env_list_dir(engine->env, directory, add_name, &list, error);
    for (size_t i = 0; i < list.count; i++) {
        (void)snprintf(path, sizeof path, "%s/%.200s", directory, list.names[i]);
        if (status == STATUS_OK) status = act(engine, path, error);
        free(list.names[i]);
    }
    free(list.names);
    return status;
}

static enum status finish_drop_or_temporary(struct engine *engine, const char *path,
                                            struct error *error)
{
    return is_temporary(path) ? env_remove(engine->env, path, error)
                              : finish_drop(engine, path, error);
}

enum status engine_finish_drops(struct engine *engine, struct error *error)
{
    return each_manifest(engine, finish_drop_or_temporary, error);
}

static bool parse_hex(const char *path, struct uuid *id)
{
    const char *name = strrchr(path, '/');
    if (name == NULL || strlen(name + 1) != HEX_SIZE - 1) return false;
    for (size_t i = 0; i < sizeof id->bytes; i++) {
        unsigned byte;
        if (sscanf(name + 1 + 2 * i, "%2x", &byte) != 1) return false;
        id->bytes[i] = (uint8_t)byte;
    }
    return true;
}

// The name of a hidden table's directory has a dot, which no other table's has.
static bool is_hidden_directory(const char *directory)
{
    const char *name = strrchr(directory, '/');
    return name != NULL && strchr(name, '.') != NULL;
}

static enum status finish_index_drop(struct engine *engine, const char *path, struct error *error)
{
    struct uuid id;
    struct manifest manifest;
    if (!parse_hex(path, &id) || engine_find_table(engine, id) != NULL) return STATUS_OK;
    enum status status = manifest_load(engine->env, path, &manifest, error);
    if (status != STATUS_OK) return status;
    bool is_hidden = is_hidden_directory(manifest.directory);
    manifest.dropped = true;
    for (size_t i = 0; i < manifest.count; i++)
        manifest.entries[i].state = MANIFEST_GONE;
    char directory[ENGINE_PATH_MAX - 256];
    (void)snprintf(directory, sizeof directory, "%s/manifest", engine->directory);
    if (is_hidden) status = manifest_store(engine->env, directory, path, &manifest, error);
    manifest_deinit(&manifest);
    return is_hidden && status == STATUS_OK ? finish_drop(engine, path, error) : status;
}

enum status engine_finish_index_drops(struct engine *engine, struct error *error)
{
    return each_manifest(engine, finish_index_drop, error);
}
