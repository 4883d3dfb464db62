#include "storage/engine/engine_import.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "storage/engine/engine_index_internal.h"
#include "storage/sstable/directory.h"

#include <stdio.h>
#include <stdlib.h>

enum { SSTABLES_MAX = 10000 };

struct engine_importing {
    struct engine_importing *next, **place; // In the engine's list.
    struct engine *engine;
    struct engine_import *import;
    struct env_job job;
    struct engine_errand errand;
    struct uuid id;
    char *source, *directory; // The latter is the table's.
    bool is_own;              // The directory is a table's of this node.
    bool copies, is_quick, keeps_level, keeps_repaired, has_ranges;
    struct import_range *ranges;
    size_t range_count;
    struct sstable_name *names; // What is to come.
    size_t count, at;
    const struct table *table;      // That the present one is read with, with a reference.
    struct import_sstable *sstable; // The present one.
    struct engine_table *target;    // While it is installed.
    struct uuid counter_id;         // A new one, once it is durable.
    bool needs_counter_id, has_counter_id, is_committed, is_undecided, is_named;
    char *faults[ENGINE_IMPORT_FAULTS_MAX];
    size_t fault_count;
    enum status status;
    struct error error;
};

// ---- Its memory ---------------------------------------------------------------------------------

static char *copy_text(const char *text)
{
    char *copy = strdup(text);
    ASSERT(copy != NULL);
    return copy;
}

static void free_present(struct engine_importing *importing)
{
    if (importing->sstable != NULL) import_sstable_destroy(importing->sstable);
    importing->sstable = NULL;
    table_unref(importing->table);
    importing->table = NULL;
    free(importing->directory);
    importing->directory = NULL;
}

static void free_importing(struct engine_importing *importing)
{
    free_present(importing);
    *importing->place = importing->next;
    if (importing->next != NULL) importing->next->place = importing->place;
    for (size_t i = 0; i < importing->fault_count && i < ENGINE_IMPORT_FAULTS_MAX; i++)
        free(importing->faults[i]);
    free(importing->names);
    free(importing->ranges);
    free(importing->source);
    free(importing);
}

static void end_import(struct engine_importing *importing, enum status status)
{
    struct engine *engine = importing->engine;
    importing->import->fault_count = importing->fault_count;
    importing->import->faults = (const char *const *)importing->faults;
    importing->import->done(importing->import, status, &importing->error);
    free_importing(importing);
    engine_index_build(engine);
    engine_go_on_closing(engine);
}

// ---- What is to come: on the thread -------------------------------------------------------------

static void add_fault(struct engine_importing *importing, const char *text)
{
    if (importing->fault_count < ENGINE_IMPORT_FAULTS_MAX)
        importing->faults[importing->fault_count] = copy_text(text);
    importing->fault_count++;
}

static void note_name(struct engine_importing *importing, const char *file)
{
    struct sstable_name name;
    enum sstable_component component;
    struct error error;
    enum status status = sstable_name_parse(file, &name, &component, &error);
    if (status == STATUS_UNSUPPORTED) add_fault(importing, error.text);
    if (status != STATUS_OK || component != SSTABLE_DATA) return;
    if (importing->count < SSTABLES_MAX) importing->names[importing->count++] = name;
}

static void list_work(struct env_job *job)
{
    struct engine_importing *importing = CONTAINER_OF(job, struct engine_importing, job);
    struct directory_names names;
    if (importing->is_own) {
        importing->status =
            error_set(&importing->error, STATUS_INVALID,
                      "%s is where a table of this node has its files", importing->source);
        return;
    }
    importing->status =
        directory_names_list(&names, importing->engine->env, importing->source, &importing->error);
    if (importing->status != STATUS_OK) return;
    for (const char *name = NULL; (name = directory_names_next(&names, name)) != NULL;)
        note_name(importing, name);
    directory_names_deinit(&names);
}

// ---- One after the other ------------------------------------------------------------------------

static void next_sstable(struct engine_importing *importing);

static void step_work(struct env_job *job)
{
    struct engine_importing *importing = CONTAINER_OF(job, struct engine_importing, job);
    importing->status = import_sstable_step(importing->sstable, &importing->error);
}

static void undo_work(struct env_job *job)
{
    struct engine_importing *importing = CONTAINER_OF(job, struct engine_importing, job);
    if (import_sstable_undo(importing->sstable)) importing->is_undecided = true;
}

// What could not come, or not any more.
static void undone(struct env_job *job)
{
    struct engine_importing *importing = CONTAINER_OF(job, struct engine_importing, job);
    env_mark(importing->engine->env, ENV_MARK_IMPORT_FAILED);
    if (importing->status == STATUS_CANCELED) {
        end_import(importing, STATUS_CANCELED);
        return;
    }
    add_fault(importing, importing->error.text);
    next_sstable(importing);
}

static void undo(struct engine_importing *importing, enum status status)
{
    importing->status = status;
    env_offload(importing->engine->env, &importing->job, ENV_LANE_COMPACTION, undo_work, undone);
}

static void start_install(struct engine_importing *importing);

static void stepped(struct env_job *job)
{
    struct engine_importing *importing = CONTAINER_OF(job, struct engine_importing, job);
    struct engine *engine = importing->engine;
    importing->import->done_bytes = import_sstable_done_bytes(importing->sstable);
    importing->import->total_bytes = import_sstable_total_bytes(importing->sstable);
    if (engine->is_closing) {
        undo(importing, STATUS_CANCELED);
    } else if (importing->status == STATUS_OK) {
        env_offload(engine->env, &importing->job, ENV_LANE_COMPACTION, step_work, stepped);
    } else if (importing->status == STATUS_END) {
        start_install(importing);
    } else {
        undo(importing, importing->status);
    }
}

static void begin_sstable(struct engine_importing *importing, struct engine_table *table)
{
    uint64_t generation = table->next_generation;
    table->next_generation++;
    importing->directory = copy_text(table->manifest.directory);
    importing->table = table->table;
    table_ref(importing->table);
    const struct import_sstable_options options = {
        .source = importing->source,
        .name = importing->names[importing->at++],
        .directory = importing->directory,
        .generation = generation,
        .table = importing->table,
        .is_quick = importing->is_quick,
        .keeps_level = importing->keeps_level,
        .keeps_repaired = importing->keeps_repaired,
        .ranges = importing->has_ranges ? importing->ranges : NULL,
        .range_count = importing->range_count,
    };
    importing->sstable = import_sstable_create(importing->engine->env, &options);
    env_mark(importing->engine->env, ENV_MARK_IMPORT_STARTED);
    env_offload(importing->engine->env, &importing->job, ENV_LANE_COMPACTION, step_work, stepped);
}

static void next_sstable(struct engine_importing *importing)
{
    struct engine *engine = importing->engine;
    free_present(importing);
    struct engine_table *table = engine_find_table(engine, importing->id);
    if (engine->is_closing) {
        end_import(importing, error_set(&importing->error, STATUS_CANCELED, "the node stops"));
    } else if (table == NULL) {
        end_import(importing, error_set(&importing->error, STATUS_NOT_FOUND, "no such table"));
    } else if (importing->at == importing->count) {
        end_import(importing, STATUS_OK);
    } else {
        begin_sstable(importing, table);
    }
}

static void listed(struct env_job *job)
{
    struct engine_importing *importing = CONTAINER_OF(job, struct engine_importing, job);
    importing->import->sstable_count = importing->count;
    if (importing->status == STATUS_OK)
        next_sstable(importing);
    else
        end_import(importing, importing->status);
}

// ---- It becomes true: an errand -----------------------------------------------------------------

static struct engine_table *install_begin(struct engine_errand *errand)
{
    struct engine_importing *importing = CONTAINER_OF(errand, struct engine_importing, errand);
    struct engine *engine = importing->engine;
    importing->target = engine_find_table(engine, importing->id);
    importing->is_committed = importing->is_named = false;
    importing->needs_counter_id = importing->table->is_counter && !importing->has_counter_id;
    if (importing->needs_counter_id) {
        uint8_t random[16];
        env_random_bytes(engine->env, random, sizeof random);
        importing->counter_id = uuid_make_random(random);
    }
    return importing->target;
}

static struct manifest_entry make_entry(const struct engine_importing *importing,
                                        uint64_t generation, enum manifest_state state)
{
    return (struct manifest_entry){.generation = generation,
                                   .log_position = importing->errand.log_position + 1,
                                   .state = state,
                                   .check = import_sstable_check(importing->sstable)};
}

static enum status store(struct engine *engine, const struct engine_importing *importing,
                         uint64_t generation, enum manifest_state state, struct error *error)
{
    struct manifest *manifest = &engine->background.manifest;
    struct manifest_entry entry = make_entry(importing, generation, state);
    // As in engine_install_work().
    if (manifest->truncated_position >= entry.log_position) entry.state = MANIFEST_GONE;
    manifest_remove(manifest, generation);
    manifest_add(manifest, &entry);
    char directory[ENGINE_PATH_MAX];
    (void)snprintf(directory, sizeof directory, "%s/manifest", engine->directory);
    return manifest_store(engine->env, directory, importing->target->manifest_path, manifest,
                          error);
}

static enum status install(struct engine_importing *importing, struct error *error)
{
    struct engine *engine = importing->engine;
    enum status status = STATUS_OK;
    if (importing->needs_counter_id)
        status = counter_id_renew(engine->env, engine->directory, importing->counter_id, error);
    if (status != STATUS_OK) return status;
    importing->has_counter_id = true;
    uint64_t generation = import_sstable_generation(importing->sstable);
    importing->is_named = true;
    status = store(engine, importing, generation, MANIFEST_ADDING, error);
    if (status == STATUS_OK) status = import_sstable_commit(importing->sstable, error);
    if (status != STATUS_OK) return status;
    importing->is_committed = true;
    env_mark(engine->env, ENV_MARK_IMPORT_COMMITTED);
    // If this fails, the one before says the same, as the files stand.
    (void)!store(engine, importing, generation, MANIFEST_LIVE, NULL);
    import_sstable_finish(importing->sstable);
    if (importing->copies) return STATUS_OK;
    return import_sstable_remove_source(importing->sstable, error);
}

static void install_work(struct engine_errand *errand)
{
    struct engine_importing *importing = CONTAINER_OF(errand, struct engine_importing, errand);
    importing->status = importing->target == NULL
                            ? error_set(&importing->error, STATUS_NOT_FOUND, "the table is gone")
                            : install(importing, &importing->error);
}

// Counts under the old id are those of another from now on.
static void take_counter_id(struct engine_importing *importing)
{
    struct engine *engine = importing->engine;
    if (!importing->needs_counter_id || !importing->has_counter_id) return;
    importing->needs_counter_id = false;
    engine->counter_id = (struct counter_id){importing->counter_id, 0};
    env_mark(engine->env, ENV_MARK_IMPORT_COUNTER_ID);
    // What the cache has is of the old one.
    for (size_t i = 0; i < ENGINE_TABLE_BUCKETS; i++)
        for (struct engine_table *t = engine->buckets[i]; t != NULL; t = t->next)
            t->counter_life.life++;
}

static void take_sstable(struct engine_importing *importing)
{
    struct engine *engine = importing->engine;
    struct engine_table *table = importing->target;
    struct sstable_reader *reader = import_sstable_take_reader(importing->sstable);
    // As a flush: what a truncation or a drop has hidden meanwhile goes with their files.
    uint64_t position = importing->errand.log_position + 1;
    bool is_gone = table->manifest.dropped || table->truncated_position >= position;
    struct manifest_entry entry =
        make_entry(importing, sstable_generation(reader), is_gone ? MANIFEST_GONE : MANIFEST_LIVE);
    manifest_remove(&table->manifest, entry.generation);
    manifest_add(&table->manifest, &entry);
    if (is_gone) {
        sstable_unref(reader);
        return;
    }
    if (table->table != importing->table) sstable_set_table(reader, table->table);
    engine_add_sstable(table, reader, position, env_wall_us(engine->env) / 1000000);
    engine_ask_for_compaction(table);
}

// A manifest that failed may be there and name it.
static void leave_entry(struct engine_importing *importing)
{
    struct manifest *manifest = &importing->target->manifest;
    uint64_t generation = import_sstable_generation(importing->sstable);
    struct manifest_entry entry = make_entry(importing, generation, MANIFEST_GONE);
    manifest_remove(manifest, generation);
    manifest_add(manifest, &entry);
}

static void installed(struct engine_errand *errand, enum status status)
{
    struct engine_importing *importing = CONTAINER_OF(errand, struct engine_importing, errand);
    if (status != STATUS_OK) {
        (void)error_set(&importing->error, status, "the log has failed, or the node stops");
        undo(importing, STATUS_CANCELED);
        return;
    }
    take_counter_id(importing);
    if (!importing->is_committed) {
        if (importing->is_named) leave_entry(importing);
        undo(importing, importing->status);
        return;
    }
    take_sstable(importing);
    importing->import->imported_count++;
    env_mark(importing->engine->env, ENV_MARK_IMPORT_DONE);
    // It has come, but its files are still where they were.
    if (importing->status != STATUS_OK) add_fault(importing, importing->error.text);
    next_sstable(importing);
}

static void start_install(struct engine_importing *importing)
{
    struct engine *engine = importing->engine;
    struct engine_table *target = engine_find_table(engine, importing->id);
    // Its rows are in no index. The log says so before they are there.
    enum status status = target == NULL ? STATUS_OK : engine_index_forget(target);
    if (status != STATUS_OK) {
        (void)error_set(&importing->error, status, "an index of the table can not be written");
        undo(importing, status);
        return;
    }
    importing->errand = (struct engine_errand){
        .log_position = commit_log_last_position(engine->log),
        .begin = install_begin,
        .work = install_work,
        .done = installed,
    };
    engine_errand_start(engine, &importing->errand);
}

bool engine_import_is_under_way(const struct engine *engine, struct uuid table)
{
    for (const struct engine_importing *i = engine->imports; i != NULL; i = i->next)
        if (uuid_equals(i->id, table)) return true;
    return false;
}

// ---- With the engine ----------------------------------------------------------------------------

static char *copy_directory(const char *directory)
{
    char *copy = copy_text(directory);
    for (size_t size = strlen(copy); size > 1 && copy[size - 1] == '/'; size--)
        copy[size - 1] = '\0';
    return copy;
}

static bool is_directory_of_table(const struct engine *engine, const char *directory)
{
    for (size_t i = 0; i < ENGINE_TABLE_BUCKETS; i++)
        for (const struct engine_table *t = engine->buckets[i]; t != NULL; t = t->next)
            if (strcmp(t->manifest.directory, directory) == 0) return true;
    return false;
}

void engine_import(struct engine *engine, const struct engine_import_options *options,
                   struct engine_import *import,
                   void (*done)(struct engine_import *import, enum status status,
                                const struct error *error))
{
    *import = (struct engine_import){.done = done};
    struct engine_importing *importing = calloc(1, sizeof *importing);
    ASSERT(importing != NULL);
    *importing = (struct engine_importing){
        .next = engine->imports,
        .place = &engine->imports,
        .engine = engine,
        .import = import,
        .id = options->table,
        .source = copy_directory(options->directory),
        .copies = options->copies,
        .is_quick = options->is_quick,
        .keeps_level = options->keeps_level,
        .keeps_repaired = options->keeps_repaired,
        .has_ranges = options->ranges != NULL,
        .ranges = calloc(options->range_count + 1, sizeof *importing->ranges),
        .range_count = options->range_count,
        .names = calloc(SSTABLES_MAX, sizeof *importing->names),
    };
    ASSERT(importing->ranges != NULL && importing->names != NULL);
    importing->is_own = is_directory_of_table(engine, importing->source);
    for (size_t i = 0; i < options->range_count; i++)
        importing->ranges[i] = options->ranges[i];
    if (importing->next != NULL) importing->next->place = &importing->next;
    engine->imports = importing;
    env_offload(engine->env, &importing->job, ENV_LANE_COMPACTION, list_work, listed);
}

void engine_imports_abandon(struct engine *engine)
{
    while (engine->imports != NULL)
        free_importing(engine->imports);
}
