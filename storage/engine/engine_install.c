// A compaction becomes true: an operation of the background, since it writes the table's manifest.
//
//     manifest: outputs ADDING, inputs RETIRING     a crash before COMMIT: the inputs hold
//     COMMIT in Cassandra's log                     after it: the outputs, whose files are all
//     there manifest: outputs LIVE, inputs not named the loop: readers swapped the inputs' files
//     removed, then Cassandra's log
//
// Which of both holds after a crash, the recovered directory tells (settle_compactions() in
// engine_table.c).
#include "base/assert.h"
#include "base/env_marks.h"
#include "storage/engine/engine_internal.h"

#include <stdio.h>

void engine_install(struct engine_compaction *compaction)
{
    struct engine_compactor *compactor = &compaction->engine->compactor;
    compaction->queued_next = NULL;
    *compactor->queue_end = compaction;
    compactor->queue_end = &compaction->queued_next;
    engine_background_start(compaction->engine);
}

// ---- On the thread -----------------------------------------------------------------------------

static struct manifest_entry entry_of(const struct engine_compaction *compaction, size_t output,
                                      enum manifest_state state)
{
    size_t count;
    const struct sstable_summary *written = compaction_task_outputs(compaction->task, &count);
    return (struct manifest_entry){
        .generation = sstable_generation(compaction->outputs[output]),
        .log_position = compaction->log_position,
        .state = state,
        .check = written[output].check,
    };
}

static void name_outputs(struct manifest *manifest, const struct engine_compaction *compaction,
                         enum manifest_state state)
{
    for (size_t i = 0; i < compaction->output_count; i++) {
        struct manifest_entry entry = entry_of(compaction, i, state);
        manifest_remove(manifest, entry.generation);
        manifest_add(manifest, &entry);
    }
}

// Foreign ones have no entry: which hold, the directory alone says.
static void retire_inputs(struct manifest *manifest, const struct engine_compaction *compaction)
{
    for (size_t i = 0; i < compaction->input_count; i++) {
        struct manifest_entry *entry =
            manifest_find(manifest, sstable_generation(compaction->inputs[i]));
        if (entry != NULL && entry->state == MANIFEST_LIVE) entry->state = MANIFEST_RETIRING;
    }
}

static void forget_inputs(struct manifest *manifest, const struct engine_compaction *compaction)
{
    for (size_t i = 0; i < compaction->input_count; i++)
        manifest_remove(manifest, sstable_generation(compaction->inputs[i]));
}

static enum status store(struct engine *engine, struct error *error)
{
    char directory[ENGINE_PATH_MAX];
    (void)snprintf(directory, sizeof directory, "%s/manifest", engine->directory);
    return manifest_store(engine->env, directory, engine->background.table->manifest_path,
                          &engine->background.manifest, error);
}

void engine_install_work(struct engine *engine)
{
    struct engine_background *background = &engine->background;
    struct engine_compaction *compaction = background->installing;
    // A truncation that came before this began to work is in the manifest already: no start would
    // look for it in the log once more.
    bool is_gone = background->manifest.truncated_position > compaction->truncated_position;
    name_outputs(&background->manifest, compaction, is_gone ? MANIFEST_GONE : MANIFEST_ADDING);
    retire_inputs(&background->manifest, compaction);
    background->status = store(engine, &compaction->error);
    if (background->status != STATUS_OK) return;
    env_mark(engine->env, ENV_MARK_COMPACTION_INSTALLING);
    background->status = compaction_task_commit(compaction->task, &compaction->error);
    if (background->status != STATUS_OK) return;
    env_mark(engine->env, ENV_MARK_COMPACTION_COMMITTED);
    name_outputs(&background->manifest, compaction, is_gone ? MANIFEST_GONE : MANIFEST_LIVE);
    forget_inputs(&background->manifest, compaction);
    // If this fails, the one before says the same, as the files stand.
    if (store(engine, NULL) != STATUS_OK) env_mark(engine->env, ENV_MARK_COMPACTION_MANIFEST_LATE);
}

// ---- On the loop -------------------------------------------------------------------------------

static void drop_input_readers(struct engine_compaction *compaction)
{
    struct engine_table *table = compaction->table;
    size_t kept = 0;
    for (size_t i = 0; i < table->sstable_count; i++) {
        if (table->sstables[i].compaction == compaction) {
            sstable_unref(table->sstables[i].reader);
        } else {
            table->sstables[kept++] = table->sstables[i];
        }
    }
    table->sstable_count = kept;
}

// A truncation or a drop came meanwhile: then the outputs go with the table's other files.
static bool is_hidden(const struct engine_compaction *compaction)
{
    const struct engine_table *table = compaction->table;
    return table->manifest.dropped || table->truncated_position > compaction->truncated_position;
}

static void swap_readers(struct engine_compaction *compaction)
{
    struct engine_table *table = compaction->table;
    drop_input_readers(compaction);
    for (size_t i = 0; i < compaction->output_count; i++) {
        if (table->table != compaction->version)
            sstable_set_table(compaction->outputs[i], table->table);
        engine_add_sstable(table, compaction->outputs[i], compaction->log_position,
                           env_wall_us(compaction->engine->env) / 1000000);
    }
    // Their references are the table's from now on.
    compaction->output_count = 0;
}

static void take_outputs(struct engine_compaction *compaction)
{
    struct manifest *manifest = &compaction->table->manifest;
    forget_inputs(manifest, compaction);
    bool is_gone = is_hidden(compaction);
    name_outputs(manifest, compaction, is_gone ? MANIFEST_GONE : MANIFEST_LIVE);
    if (is_gone) {
        env_mark(compaction->engine->env, ENV_MARK_COMPACTION_HIDDEN);
    } else {
        swap_readers(compaction);
    }
    compaction->status = STATUS_OK;
    engine_compaction_remove_inputs(compaction);
}

void engine_install_done(struct engine *engine, struct engine_compaction *compaction,
                         enum status status)
{
    struct engine_table *table = compaction->table;
    if (status == STATUS_OK) {
        take_outputs(compaction);
        return;
    }
    if (!compaction_task_is_undecided(compaction->task)) {
        // A manifest that failed may be there and name what is left of them.
        name_outputs(&table->manifest, compaction, MANIFEST_GONE);
        engine_compaction_end(compaction, status);
        return;
    }
    env_mark(engine->env, ENV_MARK_COMPACTION_UNDECIDED);
    bool is_gone = is_hidden(compaction);
    name_outputs(&table->manifest, compaction, is_gone ? MANIFEST_GONE : MANIFEST_ADDING);
    if (!is_gone) retire_inputs(&table->manifest, compaction);
    table->is_undecided = true;
    compaction->state = ENGINE_COMPACTION_UNDECIDED;
    engine_compaction_end(compaction, status);
}

// ---- What has expired --------------------------------------------------------------------------

void engine_remove_expired(struct engine_table *table, const struct compaction_pick *pick)
{
    env_mark(table->engine->env, ENV_MARK_COMPACTION_EXPIRED);
    for (size_t i = 0; i < pick->count; i++) {
        uint64_t generation = pick->items[i]->generation;
        size_t at = 0;
        while (sstable_generation(table->sstables[at].reader) != generation)
            at++;
        sstable_unref(table->sstables[at].reader);
        memmove(&table->sstables[at], &table->sstables[at + 1],
                (table->sstable_count - at - 1) * sizeof table->sstables[0]);
        table->sstable_count--;
        struct manifest_entry gone = {.generation = generation, .state = MANIFEST_GONE};
        manifest_remove(&table->manifest, generation);
        manifest_add(&table->manifest, &gone);
    }
    engine_add_removal(table->engine, &(struct engine_removal){.table = table});
}
