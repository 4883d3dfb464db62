// The start of an engine: directories, tables, the log's replay, the counter id, in this order.
#include "base/assert.h"
#include "base/block_pool.h"
#include "base/env_marks.h"
#include "storage/engine/engine_index_internal.h"
#include "storage/new_directory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SCRATCH_BLOCK_SIZE = 16 * 1024 };

// The names in DIR become durable with the counter id, which every start but one after a clean stop
// writes into DIR (counter_id.h), and before which nothing is promised. DIR itself is its maker's.
static enum status make_directories(struct engine *engine, struct error *error)
{
    static const char *const names[] = {"data", "manifest", "commitlog"};
    enum status status = new_directory_make(engine->env, engine->directory, error);
    for (size_t i = 0; i < sizeof names / sizeof names[0] && status == STATUS_OK; i++) {
        char path[ENGINE_PATH_MAX];
        (void)snprintf(path, sizeof path, "%s/%s", engine->directory, names[i]);
        status = new_directory_make(engine->env, path, error);
    }
    return status;
}

static enum status open_tables(struct engine *engine, const struct engine_options *options,
                               const struct schema *schema, struct error *error)
{
    const struct keyspace *keyspace;
    for (size_t k = 0; (keyspace = schema_keyspace_at(schema, k)) != NULL; k++) {
        const struct table *table;
        for (size_t t = 0; (table = schema_table_at(schema, keyspace->name, t)) != NULL; t++) {
            if (table->is_virtual) continue;
            enum status status = engine_open_table(engine, table, error);
            if (status != STATUS_OK) return status;
        }
    }
    for (size_t i = 0; i < options->internal_table_count; i++) {
        enum status status = engine_open_table(engine, options->internal_tables[i], error);
        if (status != STATUS_OK) return status;
        engine_find_table(engine, options->internal_tables[i]->id)->is_internal = true;
    }
    return STATUS_OK;
}

// A DROP that the schema's own log knows of, and the engine never heard of, or did not get through
// with. Its table is a table once more until drop_again(), with all that the log has of it. One
// that can not be opened stays as it is, for somebody to look at.
static void open_dropped(struct engine *engine, const struct engine_options *options)
{
    for (size_t i = 0; i < options->dropped_table_count; i++) {
        const struct table *table = options->dropped_tables[i];
        struct error error = {0};
        // One that was made anew under its id is the schema's.
        if (engine_find_table(engine, table->id) != NULL ||
            !engine_table_has_remains(engine, table))
            continue;
        enum status status = engine_open_table(engine, table, &error);
        if (status == STATUS_OK)
            engine_find_table(engine, table->id)->is_dropped = true;
        else if (engine->words != NULL)
            LOG_ERROR(engine->words, "a table was dropped, but its files stay: %s", error.text);
    }
}

static void drop_again(struct engine *engine, const struct engine_options *options)
{
    for (size_t i = 0; i < options->dropped_table_count; i++) {
        struct uuid id = options->dropped_tables[i]->id;
        const struct engine_table *table = engine_find_table(engine, id);
        if (table == NULL || !table->is_dropped) continue;
        env_mark(engine->env, ENV_MARK_DROPPED_AGAIN);
        engine_drop_table(engine, id);
    }
}

// ---- Replay ------------------------------------------------------------------------------------

// A truncation whose record was synced, but whose files a crash left.
static enum status finish_truncation(struct engine_table *table, struct error *error)
{
    if (table->truncated_position <= table->manifest.truncated_position) return STATUS_OK;
    struct env *env = table->engine->env;
    env_mark(env, ENV_MARK_TRUNCATION_REPLAYED);
    engine_forget_data(table, table->truncated_position);
    char directory[ENGINE_PATH_MAX];
    (void)snprintf(directory, sizeof directory, "%s/manifest", table->engine->directory);
    enum status status =
        manifest_store(env, directory, table->manifest_path, &table->manifest, error);
    if (status != STATUS_OK) return status;
    return engine_forget_gone(table->engine, table->manifest_path, &table->manifest, error);
}

static uint64_t newest_position(const struct engine *engine)
{
    uint64_t newest = 0;
    for (size_t i = 0; i < ENGINE_TABLE_BUCKETS; i++) {
        for (const struct engine_table *t = engine->buckets[i]; t != NULL; t = t->next) {
            uint64_t position = manifest_position(&t->manifest);
            if (position > newest) newest = position;
        }
    }
    return newest;
}

// What a user chose to go on without.
static void tell_loss(const struct commit_log_loss *loss, struct log *log)
{
    if (loss->place_count > 0 && log != NULL)
        LOG_ERROR(log,
                  "commit log: %" PRIu64 " changes are lost at %zu places, the first in "
                  "CommitLog-%" PRIu64 ".log at offset %" PRIu64
                  "; other replicas may have them: reads at QUORUM bring them back",
                  loss->change_count, loss->place_count, loss->first_segment_id,
                  loss->first_offset);
}

static enum status open_log(struct engine *engine, const struct engine_options *options,
                            struct error *error)
{
    char directory[ENGINE_PATH_MAX];
    (void)snprintf(directory, sizeof directory, "%s/commitlog", engine->directory);
    struct commit_log_options log_options = {
        .directory = directory,
        .sync = options->commit_log_sync,
        .period_ns = options->commit_log_period_ns,
        .size_max = engine->memtable_space_max,
        .position_min = newest_position(engine),
        .skips_damage = options->skips_log_damage,
        .archive_command = options->commit_log_archive_command,
        .log = options->log,
    };
    struct engine_replay replay = {.engine = engine};
    enum status status = commit_log_open(engine->env, &log_options, engine_replay_record, &replay,
                                         &engine->log, error);
    if (status != STATUS_OK) return status;
    engine_replay_finish(&replay);
    tell_loss(commit_log_loss(engine->log), options->log);
    return STATUS_OK;
}

// After the replay: sizes anew, and the log told whose records it still holds.
static enum status settle_tables(struct engine *engine, struct error *error)
{
    engine->active_size = 0;
    for (size_t i = 0; i < ENGINE_TABLE_BUCKETS; i++) {
        for (struct engine_table *table = engine->buckets[i]; table != NULL; table = table->next) {
            enum status status = finish_truncation(table, error);
            if (status != STATUS_OK) return status;
            engine->active_size += memtable_size(table->active);
            if (table->replay_last > 0)
                commit_log_mark_dirty(engine->log, table->table->id, table->replay_first,
                                      table->replay_last);
        }
    }
    return STATUS_OK;
}

// A log that has lost something is not the one that stopped clean, wherever it ends.
static enum status take_counter_id(struct engine *engine, struct error *error)
{
    bool is_whole = commit_log_loss(engine->log)->place_count == 0;
    return counter_id_take(engine->env, engine->directory,
                           is_whole ? commit_log_last_position(engine->log) : UINT64_MAX,
                           &engine->counter_id, error);
}

static enum status open_all(struct engine *engine, const struct engine_options *options,
                            const struct schema *schema, struct error *error)
{
    char path[ENGINE_PATH_MAX];
    enum status status = make_directories(engine, error);
    if (status != STATUS_OK) return status;
    (void)snprintf(path, sizeof path, "%s/lock", engine->directory);
    status = env_lock(engine->env, path, &engine->lock, error);
    if (status == STATUS_OK) status = engine_finish_drops(engine, error);
    if (status == STATUS_OK) status = open_tables(engine, options, schema, error);
    if (status == STATUS_OK) open_dropped(engine, options);
    if (status == STATUS_OK) status = engine_finish_index_drops(engine, error);
    if (status == STATUS_OK) status = open_log(engine, options, error);
    if (status == STATUS_OK) status = settle_tables(engine, error);
    if (status == STATUS_OK) status = take_counter_id(engine, error);
    if (status == STATUS_OK) status = engine_index_start(engine, error);
    return status;
}

enum status engine_open(struct env *env, const struct engine_options *options,
                        const struct schema *schema, struct engine **engine, struct error *error)
{
    struct engine *opened = calloc(1, sizeof *opened);
    ASSERT(opened != NULL);
    opened->env = env;
    opened->directory = strdup(options->directory);
    ASSERT(opened->directory != NULL);
    opened->memtable_space_max =
        options->memtable_space_max == 0 ? MEMTABLE_SPACE_MAX : options->memtable_space_max;
    // No more than an active memtable grows to: more is never taken at once.
    opened->memtable_blocks =
        block_pool_create(opened->memtable_space_max / 2 / BLOCK_POOL_BLOCK_SIZE);
    opened->chunk_cache = chunk_cache_create(
        options->chunk_cache_size_max == 0 ? CHUNK_CACHE_SIZE_MAX : options->chunk_cache_size_max);
    opened->counter_cache = counter_cache_create(options->counter_cache_size_max == 0
                                                     ? COUNTER_CACHE_SIZE_MAX
                                                     : options->counter_cache_size_max);
    opened->removals_end = &opened->removals;
    opened->words = options->log;
    opened->backs_up = options->incremental_backups;
    engine_compactor_init(opened, options);
    buffer_init(&opened->record, MUTATION_SIZE_MAX);
    arena_init(&opened->scratch, SCRATCH_BLOCK_SIZE);
    buffer_init(&opened->indexes.record, MUTATION_SIZE_MAX);
    arena_init(&opened->indexes.arena, SCRATCH_BLOCK_SIZE);
    enum status status = open_all(opened, options, schema, error);
    if (status != STATUS_OK) {
        engine_abandon(opened);
        return status;
    }
    engine_compactor_start(opened, options->compaction_interval_ns);
    engine_snapshots_start(opened, options->auto_snapshot);
    drop_again(opened, options);
    engine_period_start(opened);
    *engine = opened;
    return STATUS_OK;
}
