// TRUNCATE and DROP: data goes.
//
//     truncation: record in the log -> synced -> manifest says "gone" -> files removed
//
// The record's sync decides: a replay that meets it forgets what was before, memtables and SSTables
// alike, and finishes the removal. With auto_snapshot a snapshot comes before all of it; if that
// fails, a truncation fails too, and the files of a dropped table stay where they are.
#include "base/assert.h"
#include "base/env_marks.h"
#include "storage/engine/engine_index_internal.h"
#include "storage/uuid.h"

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
            entry->state = MANIFEST_GONE;
        } else { // A foreign one.
            struct manifest_entry added = {.generation = generation, .state = MANIFEST_GONE};
            manifest_add(&table->manifest, &added);
        }
        sstable_unref(sstable->reader);
    }
    table->sstable_count = kept;
    // What a compaction may have left, too: it is of what is gone now.
    for (size_t i = 0; i < table->manifest.count; i++) {
        struct manifest_entry *entry = &table->manifest.entries[i];
        if (entry->state == MANIFEST_ADDING && entry->log_position <= log_position)
            entry->state = MANIFEST_GONE;
    }
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
    table->active = engine_make_memtable(engine, table->table);
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

void engine_add_removal(struct engine *engine, const struct engine_removal *removal)
{
    struct engine_removal *added = calloc(1, sizeof *added);
    ASSERT(added != NULL);
    *added = *removal;
    *engine->removals_end = added;
    engine->removals_end = &added->next;
    // It may give the space for want of which a flush has failed.
    engine_background_hurry(engine);
}

// `truncation` NULL: nobody waits for it.
static void truncate_now(struct engine_table *table, struct engine_flush *truncation);

// Behind their table: entries of rows that are gone do no harm.
static void truncate_indexes(struct engine_table *table)
{
    for (size_t i = 0; i < table->index_count; i++) {
        struct engine_index *index = &table->indexes[i];
        if (index->hidden == NULL) continue;
        truncate_now(index->hidden, NULL);
        index->is_built = false; // The mark is gone with the entries.
    }
    if (table->index_count > 0) {
        engine_index_begin(table);
        engine_index_build_anew(table->engine, table);
    }
}

static void put_truncation(struct engine *engine, struct uuid id)
{
    buffer_clear(&engine->record);
    buffer_put_u8(&engine->record, ENGINE_RECORD_TRUNCATION);
    buffer_put(&engine->record, id.bytes, sizeof id.bytes);
}

static void truncate_now(struct engine_table *table, struct engine_flush *truncation)
{
    struct engine *engine = table->engine;
    struct uuid id = table->table->id;
    put_truncation(engine, id);
    uint64_t position;
    enum status status =
        commit_log_append_for(engine->log, id, buffer_slice(&engine->record), &position);
    if (status != STATUS_OK) {
        if (truncation != NULL) engine_finish_flush(engine, truncation, status);
        return;
    }
    engine_forget_data(table, position);
    forget_memtables(table);
    engine_cancel_compactions(engine, table);
    engine_add_removal(engine, &(struct engine_removal){.table = table,
                                                        .log_position = position,
                                                        .truncation = truncation});
    truncate_indexes(table);
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
    if (engine_snapshots_keep(table))
        engine_snapshots_truncate(table, truncation);
    else
        truncate_now(table, truncation);
}

void engine_truncate_kept(struct engine *engine, struct uuid id, struct engine_flush *truncation,
                          enum status status)
{
    struct engine_table *table = engine_find_table(engine, id);
    if (status == STATUS_OK && table == NULL) status = STATUS_NOT_FOUND;
    if (status == STATUS_OK && engine->is_closing) status = STATUS_CANCELED;
    if (status == STATUS_OK)
        truncate_now(table, truncation);
    else
        engine_finish_flush(engine, truncation, status);
}

// Its memtable's size is still counted.
static void drop_now(struct engine_table *table)
{
    struct engine *engine = table->engine;
    engine_forget_data(table, UINT64_MAX);
    forget_memtables(table);
    engine->active_size -= memtable_size(table->active);
    table->manifest.dropped = true;
    engine_cancel_compactions(engine, table);
    commit_log_mark_flushed(engine->log, table->table->id, UINT64_MAX);
    engine_add_removal(engine, &(struct engine_removal){.dropped = table});
}

// ---- A table that comes back under its id (CREATE TABLE … WITH ID) -----------------------------

static struct engine_return **find_return(struct engine *engine, struct uuid id)
{
    struct engine_return **place = &engine->returns;
    while (*place != NULL && !uuid_equals((*place)->table->id, id))
        place = &(*place)->next;
    return place;
}

static void free_return(struct engine_return **place)
{
    struct engine_return *back = *place;
    if (back == NULL) return;
    *place = back->next;
    table_unref(back->table);
    free(back);
}

void engine_free_returns(struct engine *engine)
{
    while (engine->returns != NULL)
        free_return(&engine->returns);
}

static bool is_leaving(const struct engine *engine, struct uuid id)
{
    for (const struct engine_table *t = engine->leaving; t != NULL; t = t->next)
        if (uuid_equals(t->table->id, id)) return true;
    for (const struct engine_removal *r = engine->removals; r != NULL; r = r->next)
        if (r->dropped != NULL && uuid_equals(r->dropped->table->id, id)) return true;
    const struct engine_removal *removing = engine->background.removing;
    return removing != NULL && removing->dropped != NULL &&
           uuid_equals(removing->dropped->table->id, id);
}

static void add_return(struct engine *engine, const struct table *table)
{
    struct engine_return *back = calloc(1, sizeof *back);
    ASSERT(back != NULL);
    *back = (struct engine_return){.next = engine->returns, .table = table};
    table_ref(table);
    engine->returns = back;
}

// Both lives have one directory, one manifest and one id in the log.
bool engine_await_return(struct engine *engine, const struct table *table)
{
    free_return(find_return(engine, table->id)); // Of an older version.
    if (!is_leaving(engine, table->id)) return false;
    add_return(engine, table);
    // A start that comes before that finds the table in the schema, and the old files.
    uint64_t position;
    put_truncation(engine, table->id);
    (void)!commit_log_append(engine->log, buffer_slice(&engine->record), &position);
    return true;
}

static void come_back(struct engine *engine, struct uuid id)
{
    struct engine_return **place = find_return(engine, id);
    if (*place == NULL || engine->is_closing) return;
    const struct table *table = (*place)->table;
    table_ref(table);
    free_return(place);
    (void)!engine_put_table(engine, table, NULL); // As the first time: it is tried again.
    table_unref(table);
}

void engine_put_later(struct engine *engine, const struct table *table, const struct error *error)
{
    // Once, and not each time that it is tried again.
    if (engine->words != NULL && !engine->puts_again)
        LOG_ERROR(engine->words, "a table could not be made, and is tried again: %s", error->text);
    add_return(engine, table);
}

static void make_missing_indexes(struct engine_table *table)
{
    bool is_missing = false;
    for (size_t i = 0; i < table->index_count; i++)
        if (table->indexes[i].hidden == NULL && !table->indexes[i].is_built) is_missing = true;
    if (!is_missing) return;
    (void)!engine_index_open(table, NULL);
    engine_index_begin(table);
}

void engine_put_again(struct engine *engine)
{
    for (size_t i = 0; i < ENGINE_TABLE_BUCKETS; i++)
        for (struct engine_table *t = engine->buckets[i]; t != NULL; t = t->next)
            make_missing_indexes(t);
    size_t count = 0;
    for (const struct engine_return *r = engine->returns; r != NULL; r = r->next)
        count++;
    struct uuid *ids = calloc(count + 1, sizeof *ids);
    ASSERT(ids != NULL);
    count = 0;
    for (const struct engine_return *r = engine->returns; r != NULL; r = r->next)
        if (!is_leaving(engine, r->table->id)) ids[count++] = r->table->id;
    engine->puts_again = true;
    for (size_t i = 0; i < count; i++)
        come_back(engine, ids[i]);
    engine->puts_again = false;
    free(ids);
}

static size_t dropped_held(const struct engine *engine)
{
    return engine->dropped_count < ENGINE_DROPPED_IDS_MAX ? engine->dropped_count
                                                          : ENGINE_DROPPED_IDS_MAX;
}

void engine_note_dropped(struct engine *engine, struct uuid id)
{
    // The log tells of one many times in a row.
    for (size_t i = dropped_held(engine); i-- > 0;)
        if (uuid_equals(engine->dropped_ids[i], id)) return;
    if (engine->dropped_count == engine->dropped_capacity &&
        engine->dropped_capacity < ENGINE_DROPPED_IDS_MAX) {
        engine->dropped_capacity =
            engine->dropped_capacity == 0 ? 16 : engine->dropped_capacity * 2;
        engine->dropped_ids =
            realloc(engine->dropped_ids, engine->dropped_capacity * sizeof *engine->dropped_ids);
        ASSERT(engine->dropped_ids != NULL);
    }
    engine->dropped_ids[engine->dropped_count++ % ENGINE_DROPPED_IDS_MAX] = id;
}

// The log may still have changes that were made before a drop.
void engine_begin_anew(struct engine_table *table)
{
    const struct engine *engine = table->engine;
    for (size_t i = dropped_held(engine); i-- > 0;) {
        if (!uuid_equals(engine->dropped_ids[i], table->table->id)) continue;
        truncate_now(table, NULL);
        return;
    }
}

// ---- DROP --------------------------------------------------------------------------------------

void engine_drop_table(struct engine *engine, struct uuid id)
{
    free_return(find_return(engine, id));
    struct engine_table *table = engine_find_table(engine, id);
    if (table == NULL) return;
    // An index never comes back under its id.
    if (!table->is_internal) engine_note_dropped(engine, id);
    engine_index_drop(table);
    engine_unlink_table(engine, table);
    if (!engine_snapshots_keep(table)) {
        drop_now(table);
        return;
    }
    engine_freeze(table);
    engine_cancel_compactions(engine, table);
    table->compactor.is_enabled = false;
    engine->active_size -= memtable_size(table->active);
    table->next = engine->leaving;
    engine->leaving = table;
    engine_snapshots_drop(table);
}

void engine_drop_kept(struct engine *engine, struct engine_table *table, enum status status,
                      const struct error *error)
{
    if (status != STATUS_OK) {
        // It stays among those that leave, so that what is in memory is still written.
        if (engine->words != NULL)
            LOG_ERROR(engine->words, "%s: its table was dropped, but %s: its files stay",
                      table->manifest.directory, error->text);
        return;
    }
    struct engine_table **place = &engine->leaving;
    while (*place != table)
        place = &(*place)->next;
    *place = table->next;
    table->next = NULL;
    engine->active_size += memtable_size(table->active);
    drop_now(table);
}

// ---- On the thread -----------------------------------------------------------------------------

enum status engine_remove_directory(struct env *env, const char *directory, struct error *error)
{
    char parent[ENGINE_PATH_MAX];
    enum status status = env_remove_dir(env, directory, NULL);
    // It stays if something else is in it: snapshots, files that are not ours.
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) return STATUS_OK;
    const char *end = strrchr(directory, '/');
    (void)snprintf(parent, sizeof parent, "%.*s", end == NULL ? 0 : (int)(end - directory),
                   directory);
    // For good: when the manifest is gone too, nobody knows of it any more.
    status = env_sync_dir(env, parent, error);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

// The background's manifest goes on naming them, so that the loop knows of which it may forget that
// they are gone.
static enum status remove_gone(struct engine *engine, struct engine_background *background)
{
    struct manifest manifest;
    manifest_copy(&manifest, &background->manifest);
    enum status status = manifest.dropped
                             ? engine_remove_gone(engine->env, &manifest, &background->error)
                             : engine_forget_gone(engine, background->table->manifest_path,
                                                  &manifest, &background->error);
    manifest_deinit(&manifest);
    return status;
}

static enum status remove_files(struct engine *engine, struct engine_background *background)
{
    struct env *env = engine->env;
    char directory[ENGINE_PATH_MAX];
    (void)snprintf(directory, sizeof directory, "%s/manifest", engine->directory);
    const char *path = background->table->manifest_path;
    enum status status =
        manifest_store(env, directory, path, &background->manifest, &background->error);
    // While nobody knows which of a compaction's files hold, all stay: the manifest says what is
    // gone.
    if (status == STATUS_OK && !background->table->is_undecided)
        status = remove_gone(engine, background);
    if (status != STATUS_OK || !background->manifest.dropped) return status;
    status = engine_remove_directory(env, background->manifest.directory, &background->error);
    // A crash may bring it back: the next start removes it again (engine_finish_drops()).
    return status == STATUS_OK ? env_remove(env, path, &background->error) : status;
}

void engine_removal_work(struct engine *engine)
{
    engine->background.status = remove_files(engine, &engine->background);
}

// ---- On the loop -------------------------------------------------------------------------------

// What the thread removed is no longer named; what became "gone" meanwhile is, also what had no
// entry before.
static void forget_removed(struct manifest *manifest, const struct manifest *removed)
{
    for (size_t i = 0; i < removed->count; i++) {
        const struct manifest_entry *entry = &removed->entries[i];
        if (entry->state == MANIFEST_GONE) manifest_remove(manifest, entry->generation);
    }
}

void engine_fail_truncations(struct engine *engine, enum status status)
{
    for (struct engine_removal *r = engine->removals; r != NULL; r = r->next) {
        if (r->truncation != NULL) engine_finish_flush(engine, r->truncation, status);
        r->truncation = NULL;
    }
}

// What else of it was to go has gone with it: one that failed may still wait.
static void drop_removals_of(struct engine *engine, const struct engine_table *table)
{
    struct engine_removal **place = &engine->removals, *removal;
    while ((removal = *place) != NULL) {
        if (removal->table != table) {
            place = &removal->next;
            continue;
        }
        *place = removal->next;
        if (removal->truncation != NULL)
            engine_finish_flush(engine, removal->truncation, STATUS_OK);
        free(removal);
    }
    engine->removals_end = place;
}

void engine_removal_done(struct engine *engine, struct engine_removal *removal, enum status status)
{
    if (removal->truncation != NULL) engine_finish_flush(engine, removal->truncation, status);
    removal->truncation = NULL;
    if (status != STATUS_OK) { // Again later.
        removal->has_failed = true;
        removal->next = engine->removals;
        engine->removals = removal;
        if (removal->next == NULL) engine->removals_end = &removal->next;
        return;
    }
    if (removal->dropped != NULL) {
        env_mark(engine->env, ENV_MARK_DROPPED);
        struct uuid id = removal->dropped->table->id;
        drop_removals_of(engine, removal->dropped);
        engine_free_table(removal->dropped);
        come_back(engine, id);
    } else {
        if (removal->log_position > 0) env_mark(engine->env, ENV_MARK_TRUNCATED);
        if (!removal->table->is_undecided)
            forget_removed(&removal->table->manifest, &engine->background.manifest);
        commit_log_mark_flushed(engine->log, removal->table->table->id, removal->log_position);
    }
    free(removal);
}
