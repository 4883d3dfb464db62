// TRUNCATE and DROP: data goes.
//
//     truncation: record in the log -> synced -> manifest says "gone" -> files removed
//
// The record's sync decides: a replay that meets it forgets what was before, memtables and SSTables
// alike, and finishes the removal.
#include "base/assert.h"
#include "base/env_marks.h"
#include "storage/engine/engine_internal.h"

#include <stdio.h>
#include <stdlib.h>

void engine_forget_data(struct engine_table *table, uint64_t log_position)
{
    size_t kept = 0;
    for (size_t i = 0; i < table->sstable_count; i++) {
        struct engine_sstable *sstable = &table->sstables[i];
        if (sstable->log_position > log_position) {
            table->sstables[kept++] = *sstable;
            continue;
        }
        uint64_t generation = sstable_generation(sstable->reader);
        struct manifest_entry *entry = manifest_find(&table->manifest, generation);
        if (entry != NULL) {
            entry->gone = true;
        } else { // A foreign one.
            struct manifest_entry added = {.generation = generation, .gone = true};
            manifest_add(&table->manifest, &added);
        }
        sstable_unref(sstable->reader);
    }
    table->sstable_count = kept;
    table->truncated_position = log_position;
    table->manifest.truncated_position = log_position;
    if (table->manifest.flushed_position < log_position)
        table->manifest.flushed_position = log_position;
    table->counter_life.life++;
}

// Memtables go too; the one that is just being flushed is only hidden, by its position.
static void forget_memtables(struct engine_table *table)
{
    struct engine *engine = table->engine;
    engine->active_size -= memtable_size(table->active);
    memtable_unref(table->active);
    table->active = memtable_create(table->table);
    table->active_position = 0;
    engine->active_size += memtable_size(table->active);
    struct engine_frozen *frozen = table->frozen;
    while (frozen != NULL) {
        struct engine_frozen *next = frozen->next;
        if (frozen != engine->background.flushing) engine_drop_frozen(table, frozen);
        frozen = next;
    }
    engine_finish_flushes(engine, STATUS_OK);
}

static void add_removal(struct engine *engine, const struct engine_removal *removal)
{
    struct engine_removal *added = calloc(1, sizeof *added);
    ASSERT(added != NULL);
    *added = *removal;
    *engine->removals_end = added;
    engine->removals_end = &added->next;
    engine_background_start(engine);
}

void engine_truncate(struct engine *engine, struct uuid id, struct engine_flush *truncation,
                     void (*done)(struct engine_flush *truncation, enum status status))
{
    *truncation = (struct engine_flush){.done = done};
    struct engine_table *table = engine_find_table(engine, id);
    if (table == NULL || engine->is_closing) {
        engine_finish_flush(engine, truncation, table == NULL ? STATUS_NOT_FOUND : STATUS_CANCELED);
        return;
    }
    buffer_clear(&engine->record);
    buffer_put_u8(&engine->record, ENGINE_RECORD_TRUNCATION);
    buffer_put(&engine->record, id.bytes, sizeof id.bytes);
    uint64_t position;
    enum status status =
        commit_log_append_for(engine->log, id, buffer_slice(&engine->record), &position);
    if (status != STATUS_OK) {
        engine_finish_flush(engine, truncation, status);
        return;
    }
    engine_forget_data(table, position);
    forget_memtables(table);
    add_removal(engine, &(struct engine_removal){
                            .table = table, .log_position = position, .truncation = truncation});
}

void engine_drop_table(struct engine *engine, struct uuid id)
{
    struct engine_table *table = engine_find_table(engine, id);
    if (table == NULL) return;
    engine_unlink_table(engine, table);
    engine_forget_data(table, UINT64_MAX);
    forget_memtables(table);
    engine->active_size -= memtable_size(table->active);
    table->manifest.dropped = true;
    commit_log_mark_flushed(engine->log, id, UINT64_MAX);
    add_removal(engine, &(struct engine_removal){.dropped = table});
}

// ---- On the thread -----------------------------------------------------------------------------

static enum status remove_files(struct engine *engine, struct engine_background *background)
{
    struct env *env = engine->env;
    char directory[ENGINE_PATH_MAX];
    (void)snprintf(directory, sizeof directory, "%s/manifest", engine->directory);
    const char *path = background->table->manifest_path;
    enum status status =
        manifest_store(env, directory, path, &background->manifest, &background->error);
    if (status == STATUS_OK)
        status = engine_remove_gone(env, &background->manifest, &background->error);
    if (status != STATUS_OK || !background->manifest.dropped) return status;
    // The directory stays if something else is in it: snapshots, files that are not ours.
    (void)!env_remove_dir(env, background->manifest.directory, NULL);
    // A crash may bring it back: the next start removes it again (engine_finish_drops()).
    return env_remove(env, path, &background->error);
}

void engine_removal_work(struct engine *engine)
{
    engine->background.status = remove_files(engine, &engine->background);
}

// ---- On the loop -------------------------------------------------------------------------------

// What the thread removed is no longer named; what became "gone" meanwhile is.
static void forget_removed(struct manifest *manifest, struct manifest *after)
{
    size_t i = 0;
    while (i < manifest->count) {
        const struct manifest_entry *entry = &manifest->entries[i];
        if (entry->gone && manifest_find(after, entry->generation) == NULL) {
            manifest_remove(manifest, entry->generation);
        } else {
            i++;
        }
    }
}

void engine_removal_done(struct engine *engine, struct engine_removal *removal, enum status status)
{
    if (removal->truncation != NULL) engine_finish_flush(engine, removal->truncation, status);
    removal->truncation = NULL;
    if (status != STATUS_OK) { // Again later.
        removal->next = engine->removals;
        engine->removals = removal;
        if (removal->next == NULL) engine->removals_end = &removal->next;
        return;
    }
    if (removal->dropped != NULL) {
        env_mark(engine->env, ENV_MARK_DROPPED);
        engine_free_table(removal->dropped);
    } else {
        env_mark(engine->env, ENV_MARK_TRUNCATED);
        forget_removed(&removal->table->manifest, &engine->background.manifest);
        commit_log_mark_flushed(engine->log, removal->table->table->id, removal->log_position);
    }
    free(removal);
}
