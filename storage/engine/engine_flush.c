// From memtables to SSTables, one at a time.
//
//     IDLE -> SYNCING -> RUNNING -> IDLE ...          a fault: RETRYING -> (later) IDLE
//
// The log is synced first up to the memtable's newest change: so no SSTable has what the log may
// lose, and the next run never gives its positions to other changes.
#include "base/assert.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "storage/engine/engine_internal.h"
#include "storage/engine/snapshot_directory.h"
#include "storage/merge/merge.h"

#include <stdio.h>
#include <stdlib.h>

#define NS_PER_S           1000000000ull
#define RETRY_DELAY_MIN_NS NS_PER_S
#define RETRY_DELAY_MAX_NS (60 * NS_PER_S)
#define SCAN_BLOCK_SIZE    (64 * KIB)

// ---- Freezing ----------------------------------------------------------------------------------

void engine_freeze(struct engine_table *table)
{
    if (table->active_position == 0) return;
    struct engine *engine = table->engine;
    struct engine_frozen *frozen = calloc(1, sizeof *frozen);
    ASSERT(frozen != NULL);
    *frozen = (struct engine_frozen){.table = table,
                                     .memtable = table->active,
                                     .log_position = table->active_position,
                                     .sequence = ++engine->freeze_sequence};
    memtable_freeze(frozen->memtable);
    size_t size = memtable_size(frozen->memtable);
    engine->active_size -= size;
    engine->frozen_size += size;
    if (table->frozen == NULL) {
        table->frozen = frozen;
    } else {
        table->frozen_last->next = frozen;
    }
    table->frozen_last = frozen;
    if (engine->queue == NULL) {
        engine->queue = frozen;
    } else {
        engine->queue_last->queue_next = frozen;
    }
    engine->queue_last = frozen;
    table->active = engine_make_memtable(engine, table->table);
    table->active_position = 0;
    engine->active_size += memtable_size(table->active);
}

void engine_drop_frozen(struct engine_table *table, struct engine_frozen *frozen)
{
    struct engine *engine = table->engine;
    struct engine_frozen **place = &table->frozen, *before = NULL;
    while (*place != frozen) {
        before = *place;
        place = &before->next;
    }
    *place = frozen->next;
    if (table->frozen_last == frozen) table->frozen_last = before;
    place = &engine->queue;
    before = NULL;
    while (*place != frozen) {
        before = *place;
        place = &before->queue_next;
    }
    *place = frozen->queue_next;
    if (engine->queue_last == frozen) engine->queue_last = before;
    engine->frozen_size -= memtable_size(frozen->memtable);
    memtable_unref(frozen->memtable);
    free(frozen);
}

// ---- Those who wait for it ---------------------------------------------------------------------

static void run_finished(struct env_task *task)
{
    struct engine *engine = CONTAINER_OF(task, struct engine, finished_task);
    struct engine_flush *flush = engine->finished;
    engine->finished = NULL;
    while (flush != NULL) {
        struct engine_flush *next = flush->next;
        flush->done(flush, flush->status);
        flush = next;
    }
    engine_go_on_closing(engine);
}

void engine_finish_flush(struct engine *engine, struct engine_flush *flush, enum status status)
{
    flush->status = status;
    flush->next = engine->finished;
    engine->finished = flush;
    env_task_post(engine->env, &engine->finished_task, run_finished);
}

void engine_finish_flushes(struct engine *engine, enum status status)
{
    uint64_t done = engine->queue == NULL ? engine->freeze_sequence : engine->queue->sequence - 1;
    struct engine_flush **place = &engine->flushes;
    while (*place != NULL) {
        struct engine_flush *flush = *place;
        if (flush->waits_for > done && status == STATUS_OK) {
            place = &flush->next;
            continue;
        }
        *place = flush->next;
        engine_finish_flush(engine, flush, flush->waits_for <= done ? STATUS_OK : status);
    }
}

void engine_flush(struct engine *engine, const struct uuid *id, struct engine_flush *flush,
                  void (*done)(struct engine_flush *flush, enum status status))
{
    *flush = (struct engine_flush){.done = done};
    for (size_t i = 0; i < ENGINE_TABLE_BUCKETS; i++) {
        for (struct engine_table *t = engine->buckets[i]; t != NULL; t = t->next) {
            if (id != NULL && memcmp(id, &t->table->id, sizeof *id) != 0) continue;
            engine_freeze(t);
            if (t->frozen != NULL && t->frozen_last->sequence > flush->waits_for)
                flush->waits_for = t->frozen_last->sequence;
        }
    }
    // Also what is kept of tables that were just dropped.
    if (id == NULL && engine->queue != NULL) flush->waits_for = engine->queue_last->sequence;
    flush->next = engine->flushes;
    engine->flushes = flush;
    engine_finish_flushes(engine, engine->is_closing ? STATUS_CANCELED : STATUS_OK);
    engine_background_hurry(engine);
}

// ---- On the thread -----------------------------------------------------------------------------

// All of the memtable, less what its own deletions hide.
static struct scan_iterator *scan_memtable(struct memtable *memtable, struct arena *arena)
{
    static const struct clustering_range all = {{BOUND_INCL_START, {0, NULL}},
                                                {BOUND_INCL_END, {0, NULL}}};
    static const struct partition_filter filter = {
        .ranges = &all, .range_count = 1, .with_static = true};
    struct scan_iterator *scan =
        memtable_scan(memtable, memtable_table(memtable), &SCAN_RANGE_ALL, &filter, arena, NULL);
    return merge_scans(&scan, 1, false, arena);
}

static enum status write_sstable(struct engine_background *background, struct env *env,
                                 struct memtable *memtable, struct sstable_summary *written)
{
    struct arena arena;
    arena_init(&arena, SCAN_BLOCK_SIZE);
    struct sstable_content content;
    enum status status = sstable_content_gather(scan_memtable(memtable, &arena), &content);
    written->partition_count = 0;
    if (status == STATUS_OK && content.partition_count > 0) {
        struct sstable_write_options options = {
            .directory = background->manifest.directory,
            .generation = background->generation,
            .table = memtable_table(memtable),
            .content = &content,
        };
        status = sstable_write(env, &options, scan_memtable(memtable, &arena), written,
                               &background->error);
    }
    arena_deinit(&arena);
    return status;
}

static enum status store_manifest(struct engine *engine, struct engine_background *background)
{
    char directory[ENGINE_PATH_MAX];
    (void)snprintf(directory, sizeof directory, "%s/manifest", engine->directory);
    return manifest_store(engine->env, directory, background->table->manifest_path,
                          &background->manifest, &background->error);
}

// incremental_backups: the flush is good without it too.
static void back_up(struct engine *engine)
{
    struct engine_background *background = &engine->background;
    if (!engine->backs_up ||
        !memtable_table(background->flushing->memtable)->params.incremental_backups)
        return;
    background->back_up_failed =
        snapshot_directory_back_up(engine->env, background->manifest.directory,
                                   sstable_reader_name(background->reader),
                                   &background->error) != STATUS_OK;
}

// Written, read back and checked, and in the manifest: only then is it counted as durable.
static enum status flush_memtable(struct engine *engine)
{
    struct engine_background *background = &engine->background;
    struct memtable *memtable = background->flushing->memtable;
    const char *directory = background->manifest.directory;
    struct sstable_summary written;
    enum status status = STATUS_OK;
    // What an earlier try left is to be gone first: else each would leave one more.
    if (background->table->has_left) status = store_manifest(engine, background);
    if (status == STATUS_OK) status = write_sstable(background, engine->env, memtable, &written);
    if (status != STATUS_OK || written.partition_count == 0) return status;
    status = sstable_open(engine->env, directory, background->generation, memtable_table(memtable),
                          &written.check, &background->reader, &background->error);
    if (status == STATUS_OK) {
        struct manifest_entry entry = {.generation = background->generation,
                                       .log_position = background->flushing->log_position,
                                       .check = written.check};
        // A truncation that came before this began to work is in the manifest already: no start
        // would look for it in the log once more.
        if (background->manifest.truncated_position >= entry.log_position)
            entry.state = MANIFEST_GONE;
        manifest_add(&background->manifest, &entry);
        if (background->manifest.flushed_position < background->flushing->log_position)
            background->manifest.flushed_position = background->flushing->log_position;
        status = store_manifest(engine, background);
        background->manifest_failed = status != STATUS_OK;
        if (status == STATUS_OK) back_up(engine);
        return status;
    }
    // If this fails too, what stays is the same data once more, which changes nothing.
    (void)!sstable_remove(engine->env, directory, background->generation, NULL);
    return status;
}

static void background_work(struct env_job *job)
{
    struct engine *engine = CONTAINER_OF(job, struct engine, background.job);
    if (engine->background.flushing != NULL) {
        engine->background.status = flush_memtable(engine);
    } else if (engine->background.installing != NULL) {
        engine_install_work(engine);
    } else if (engine->background.errand != NULL) {
        engine->background.status = STATUS_OK; // How it went is its own affair.
        engine->background.errand->work(engine->background.errand);
    } else {
        engine_removal_work(engine);
    }
}

// ---- On the loop -------------------------------------------------------------------------------

static void fire_retry(struct env_timer *timer)
{
    struct engine *engine = CONTAINER_OF(timer, struct engine, background.retry);
    engine->background.state = ENGINE_BACKGROUND_IDLE;
    engine_background_start(engine);
}

void engine_background_hurry(struct engine *engine)
{
    if (engine->background.state == ENGINE_BACKGROUND_RETRYING) {
        env_timer_stop(engine->env, &engine->background.retry);
        engine->background.state = ENGINE_BACKGROUND_IDLE;
    }
    engine_background_start(engine);
}

static void background_failed(struct engine *engine, enum status status)
{
    struct engine_background *background = &engine->background;
    background->state = ENGINE_BACKGROUND_RETRYING;
    env_mark(engine->env, ENV_MARK_FLUSH_FAILED);
    uint64_t delay_ns = background->retry_delay_ns * 2;
    if (delay_ns < RETRY_DELAY_MIN_NS) delay_ns = RETRY_DELAY_MIN_NS;
    if (delay_ns > RETRY_DELAY_MAX_NS) delay_ns = RETRY_DELAY_MAX_NS;
    background->retry_delay_ns = delay_ns;
    if (!engine->is_closing) env_timer_start(engine->env, &background->retry, delay_ns, fire_retry);
    engine_finish_flushes(engine, status);
    // An engine that closes does not try again: nothing would come to what is behind it.
    if (engine->is_closing) {
        engine_errand_fail(engine, true, STATUS_CANCELED);
        engine_fail_truncations(engine, STATUS_CANCELED);
    } else {
        engine_errand_fail(engine, false, status);
    }
}

// The SSTable takes the place of its memtable, unless a truncation or a drop came meanwhile: then
// its files go with those of the others.
static void take_sstable(struct engine *engine, struct engine_frozen *frozen)
{
    struct engine_background *background = &engine->background;
    struct engine_table *table = frozen->table;
    struct sstable_reader *reader = background->reader;
    background->reader = NULL;
    if (reader != NULL) {
        struct manifest_entry entry = *manifest_find(&background->manifest, background->generation);
        bool is_gone = table->manifest.dropped || table->truncated_position >= frozen->log_position;
        if (is_gone) entry.state = MANIFEST_GONE;
        manifest_add(&table->manifest, &entry);
        if (is_gone) {
            sstable_unref(reader);
        } else {
            if (table->table != memtable_table(frozen->memtable))
                sstable_set_table(reader, table->table);
            engine_add_sstable(table, reader, frozen->log_position,
                               env_wall_us(engine->env) / 1000000);
            engine_ask_for_compaction(table);
        }
    }
    if (table->manifest.flushed_position < frozen->log_position)
        table->manifest.flushed_position = frozen->log_position;
    table->flush_count++;
    env_mark(engine->env, ENV_MARK_FLUSH_DONE);
    commit_log_mark_flushed(engine->log, table->table->id, frozen->log_position);
    engine_drop_frozen(table, frozen);
}

// An SSTable whose manifest failed stays until a later manifest says that it is gone: the one that
// failed may be there, or be there after a crash, and names it. Until then it is the same data once
// more, which changes nothing.
static void leave_sstable(struct engine_table *table, uint64_t generation)
{
    const struct manifest_entry entry = {.generation = generation, .state = MANIFEST_GONE};
    manifest_add(&table->manifest, &entry);
    table->has_left = true;
}

// Manifests can be written again: it goes for good.
static void remove_left(struct engine_table *table)
{
    if (!table->has_left || table->manifest.dropped) return;
    table->has_left = false;
    engine_add_removal(table->engine, &(struct engine_removal){.table = table});
}

static void background_done(struct env_job *job)
{
    struct engine *engine = CONTAINER_OF(job, struct engine, background.job);
    struct engine_background *background = &engine->background;
    struct engine_frozen *flushing = background->flushing;
    struct engine_removal *removing = background->removing;
    struct engine_compaction *installing = background->installing;
    struct engine_errand *errand = background->errand;
    enum status status = background->status;
    background->flushing = NULL;
    background->removing = NULL;
    background->installing = NULL;
    background->errand = NULL;
    background->state = ENGINE_BACKGROUND_IDLE;
    if (status == STATUS_OK) background->retry_delay_ns = 0;
    if (flushing != NULL && status == STATUS_OK) take_sstable(engine, flushing);
    // A flush may want the space that these give. Behind a removal two that fail would take turns.
    bool wants_space = flushing != NULL && status != STATUS_OK;
    for (struct engine_removal *r = engine->removals; r != NULL && wants_space; r = r->next)
        r->has_failed = false;
    // Once, and not each time that it is tried again.
    if (flushing != NULL && status != STATUS_OK && background->retry_delay_ns == 0 &&
        engine->words != NULL)
        LOG_ERROR(engine->words, "a flush failed, and is tried again: %s", background->error.text);
    // Not again what a truncation or a drop has hidden meanwhile: their removal has been or will
    // be, and would leave a file that is written after it.
    if (flushing != NULL && status != STATUS_OK &&
        (flushing->table->manifest.dropped ||
         flushing->table->truncated_position >= flushing->log_position)) {
        env_mark(engine->env, ENV_MARK_FLUSH_GIVEN_UP);
        engine_drop_frozen(flushing->table, flushing);
    }
    if (background->manifest_failed) {
        env_mark(engine->env, ENV_MARK_FLUSH_LEFT);
        leave_sstable(background->table, background->generation);
    }
    background->manifest_failed = false;
    if (background->back_up_failed && engine->words != NULL)
        LOG_ERROR(engine->words, "incremental backup: %s", background->error.text);
    background->back_up_failed = false;
    if (removing != NULL) engine_removal_done(engine, removing, status);
    if (errand != NULL) errand->done(errand, status);
    sstable_unref(background->reader);
    background->reader = NULL;
    manifest_deinit(&background->manifest);
    if (installing != NULL) {
        // A flush may go well though this did not.
        engine_install_done(engine, installing, status);
        engine_background_start(engine);
    } else if (removing != NULL && status != STATUS_OK && engine->queue != NULL &&
               !engine->is_closing) {
        engine_background_start(engine); // A flush first, which may go well.
    } else if (status != STATUS_OK) {
        background_failed(engine, status);
        background->is_for_removal = removing != NULL;
    } else {
        if (flushing != NULL) remove_left(background->table);
        engine_finish_flushes(engine, STATUS_OK);
        engine_background_start(engine);
    }
    engine_go_on_closing(engine);
}

// Whose manifest the operation changes; an errand is asked once.
static struct engine_table *table_of_work(const struct engine_background *background)
{
    if (background->table != NULL) return background->table;
    if (background->flushing != NULL) return background->flushing->table;
    if (background->installing != NULL) return background->installing->table;
    if (background->errand != NULL) return background->errand->begin(background->errand);
    return background->removing->dropped != NULL ? background->removing->dropped
                                                 : background->removing->table;
}

// What was imported stands behind the newest change that there was then, there may be none yet; and
// a dropped table's end is behind all.
static uint64_t synced_for(const struct engine *engine, uint64_t position)
{
    uint64_t last = commit_log_last_position(engine->log);
    return position < last ? position : last;
}

static void begin_work(struct commit_log_waiter *waiter, enum status status)
{
    struct engine *engine = CONTAINER_OF(waiter, struct engine, background.waiter);
    struct engine_background *background = &engine->background;
    if (status != STATUS_OK) {
        // The log has failed for good: nothing more is written by this run.
        background->status = status;
        struct engine_removal *removing = background->removing;
        struct engine_compaction *installing = background->installing;
        struct engine_errand *errand = background->errand;
        background->flushing = NULL;
        background->removing = NULL;
        background->installing = NULL;
        background->errand = NULL;
        background->state = ENGINE_BACKGROUND_RETRYING;
        background->is_for_removal = false;
        if (removing != NULL) engine_removal_done(engine, removing, status);
        if (installing != NULL) engine_compaction_end(installing, status);
        if (errand != NULL) errand->done(errand, status);
        engine_fail_truncations(engine, status);
        engine_errand_fail(engine, true, status);
        engine_finish_flushes(engine, status);
        engine_go_on_closing(engine);
        return;
    }
    struct engine_table *table = table_of_work(background);
    background->table = table;
    // A truncation that came meanwhile is in the manifest already, and its record may not be
    // synced.
    uint64_t position = table == NULL ? 0 : synced_for(engine, manifest_position(&table->manifest));
    if (position > commit_log_synced_position(engine->log)) {
        env_mark(engine->env, ENV_MARK_BACKGROUND_SYNCED_AGAIN);
        commit_log_wait_durable(engine->log, waiter, position, begin_work);
        return;
    }
    background->state = ENGINE_BACKGROUND_RUNNING;
    if (table != NULL) manifest_copy(&background->manifest, &table->manifest);
    if (background->flushing != NULL) {
        env_mark(engine->env, ENV_MARK_FLUSH_STARTED);
        background->generation = table->next_generation++;
    }
    env_offload(engine->env, &background->job, ENV_LANE_BACKGROUND, background_work,
                background_done);
}

// The first that need not wait for the end of a compaction, which reads the table's files.
static struct engine_removal *take_removal(struct engine *engine, bool has_failed)
{
    struct engine_removal **place = &engine->removals, *removal;
    for (; (removal = *place) != NULL; place = &removal->next) {
        const struct engine_table *table = removal->dropped ? removal->dropped : removal->table;
        if (table->compactor.count > 0 || removal->has_failed != has_failed) continue;
        *place = removal->next;
        if (*place == NULL) engine->removals_end = place;
        return removal;
    }
    return NULL;
}

static struct engine_compaction *take_install(struct engine *engine)
{
    struct engine_compactor *compactor = &engine->compactor;
    struct engine_compaction *compaction = compactor->queue;
    if (compaction == NULL) return NULL;
    compactor->queue = compaction->queued_next;
    if (compactor->queue == NULL) compactor->queue_end = &compactor->queue;
    compaction->state = ENGINE_COMPACTION_INSTALLING;
    return compaction;
}

void engine_background_start(struct engine *engine)
{
    struct engine_background *background = &engine->background;
    bool has_other = engine->queue != NULL || engine->compactor.queue != NULL;
    if (background->state == ENGINE_BACKGROUND_RETRYING && background->is_for_removal &&
        has_other && !engine->is_closing) {
        env_timer_stop(engine->env, &background->retry);
        background->state = ENGINE_BACKGROUND_IDLE;
        background->retry_delay_ns = 0; // A flush that fails is told.
    }
    if (background->state != ENGINE_BACKGROUND_IDLE) return;
    uint64_t position = 0;
    if ((background->removing = take_removal(engine, false)) != NULL) {
        position = background->removing->log_position;
    } else if ((background->installing = take_install(engine)) != NULL) {
        position = background->installing->log_position;
    } else if ((background->errand = engine_errand_take(engine)) != NULL) {
        position = background->errand->log_position;
    } else if (engine->queue != NULL && !engine->is_closing) {
        background->flushing = engine->queue;
        position = background->flushing->log_position;
    } else if ((background->removing = take_removal(engine, true)) != NULL) {
        // One table's directory that is broken must not hold up the others' flushes.
        position = background->removing->log_position;
    } else {
        return;
    }
    background->state = ENGINE_BACKGROUND_SYNCING;
    background->table = NULL;
    commit_log_wait_durable(engine->log, &background->waiter, synced_for(engine, position),
                            begin_work);
}
