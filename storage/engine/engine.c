#include "storage/engine/engine.h"

#include "base/assert.h"
#include "base/block_pool.h"
#include "base/bytes.h"
#include "storage/engine/engine_index_internal.h"
#include "storage/uuid.h"

#include <stdlib.h>

// ---- Tables ------------------------------------------------------------------------------------

static size_t bucket_of(struct uuid id)
{
    uint64_t mixed = bytes_get_u64_le(id.bytes) ^ bytes_get_u64_le(id.bytes + 8);
    return (size_t)(mixed * 0x9e3779b97f4a7c15ull >> 32) % ENGINE_TABLE_BUCKETS;
}

struct engine_table *engine_find_table(const struct engine *engine, struct uuid id)
{
    struct engine_table *table = engine->buckets[bucket_of(id)];
    while (table != NULL && !uuid_equals(table->table->id, id))
        table = table->next;
    return table;
}

struct memtable *engine_make_memtable(struct engine *engine, const struct table *table)
{
    struct memtable *memtable = memtable_create(table);
    memtable_use_pool(memtable, engine->memtable_blocks);
    return memtable;
}

void engine_link_table(struct engine *engine, struct engine_table *table)
{
    struct engine_table **bucket = &engine->buckets[bucket_of(table->table->id)];
    table->next = *bucket;
    *bucket = table;
    engine->active_size += memtable_size(table->active);
}

void engine_unlink_table(struct engine *engine, struct engine_table *table)
{
    struct engine_table **place = &engine->buckets[bucket_of(table->table->id)];
    while (*place != table)
        place = &(*place)->next;
    *place = table->next;
    table->next = NULL;
}

void engine_free_table(struct engine_table *table)
{
    memtable_unref(table->active);
    for (size_t i = 0; i < table->sstable_count; i++)
        sstable_unref(table->sstables[i].reader);
    free(table->sstables);
    while (table->frozen != NULL) {
        struct engine_frozen *next = table->frozen->next;
        memtable_unref(table->frozen->memtable);
        free(table->frozen);
        table->frozen = next;
    }
    manifest_deinit(&table->manifest);
    table_unref(table->table);
    free(table->manifest_path);
    free(table->indexes);
    free(table);
}

bool engine_table_stats(const struct engine *engine, struct uuid id,
                        struct engine_table_stats *stats)
{
    const struct engine_table *table = engine_find_table(engine, id);
    if (table == NULL) return false;
    *stats = (struct engine_table_stats){
        .sstable_count = table->sstable_count,
        .memtable_bytes = memtable_size(table->active),
        .memtable_partitions = memtable_partition_count(table->active),
        .flush_count = table->flush_count,
        .is_leveled = table->compactor.options.strategy == COMPACTION_LEVELED,
        .compacted_bytes = table->compactor.bytes_written,
    };
    for (size_t i = 0; i < table->sstable_count; i++) {
        const struct sstable_reader *reader = table->sstables[i].reader;
        stats->sstable_bytes += sstable_size(reader);
        if (sstable_size(reader) > stats->largest_sstable_bytes)
            stats->largest_sstable_bytes = sstable_size(reader);
        uint64_t long_us =
            (uint64_t)sstable_max_timestamp(reader) - (uint64_t)sstable_min_timestamp(reader);
        if (sstable_max_timestamp(reader) >= sstable_min_timestamp(reader) &&
            long_us > stats->longest_sstable_us)
            stats->longest_sstable_us = long_us;
        stats->data_bytes += sstable_data_size(reader);
        stats->uncompressed_bytes += sstable_uncompressed_size(reader);
        stats->partition_count += sstable_partition_count(reader);
        stats->reader_bytes += sstable_memory_size(reader);
        uint32_t level = sstable_level(reader);
        stats->level_counts[level < COMPACTION_LEVEL_COUNT ? level : 0]++;
    }
    for (const struct engine_frozen *f = table->frozen; f != NULL; f = f->next) {
        stats->pending_flushes++;
        stats->memtable_bytes += memtable_size(f->memtable);
        stats->memtable_partitions += memtable_partition_count(f->memtable);
    }
    return true;
}

bool engine_is_quiet(const struct engine *engine)
{
    return (engine->background.state == ENGINE_BACKGROUND_IDLE ||
            engine->background.state == ENGINE_BACKGROUND_RETRYING) &&
           engine->loadings == NULL && engine_compactor_is_idle(engine);
}

void engine_check(const struct engine *engine)
{
    size_t active_size = 0, frozen_size = 0;
    for (size_t i = 0; i < ENGINE_TABLE_BUCKETS; i++) {
        for (const struct engine_table *table = engine->buckets[i]; table != NULL;
             table = table->next) {
            active_size += memtable_size(table->active);
            uint64_t position = 0;
            for (const struct engine_frozen *f = table->frozen; f != NULL; f = f->next) {
                ASSERT(f->table == table);
                ASSERT(f->log_position >= position);
                position = f->log_position;
            }
            ASSERT(table->active_position == 0 || table->active_position >= position);
            for (size_t s = 1; s < table->sstable_count; s++)
                ASSERT(sstable_max_timestamp(table->sstables[s - 1].reader) >=
                       sstable_max_timestamp(table->sstables[s].reader));
        }
    }
    uint64_t sequence = 0;
    for (const struct engine_frozen *f = engine->queue; f != NULL; f = f->queue_next) {
        ASSERT(f->sequence > sequence);
        sequence = f->sequence;
        frozen_size += memtable_size(f->memtable);
    }
    ASSERT(sequence <= engine->freeze_sequence);
    ASSERT(active_size == engine->active_size);
    ASSERT(frozen_size == engine->frozen_size);
}

// ---- Waiting -----------------------------------------------------------------------------------

void engine_wait_synced(struct engine *engine, struct commit_log_waiter *waiter, uint64_t position,
                        void (*done)(struct commit_log_waiter *waiter, enum status status))
{
    commit_log_wait(engine->log, waiter, position, done);
}

bool engine_waits_for_disk(const struct engine *engine)
{
    return commit_log_waits_for_disk(engine->log);
}

void engine_wait_durable(struct engine *engine, struct commit_log_waiter *waiter, uint64_t position,
                         void (*done)(struct commit_log_waiter *waiter, enum status status))
{
    commit_log_wait_durable(engine->log, waiter, position, done);
}

void engine_cancel_wait(struct engine *engine, struct commit_log_waiter *waiter)
{
    commit_log_cancel_wait(engine->log, waiter);
}

uint64_t engine_synced_position(const struct engine *engine)
{
    return commit_log_synced_position(engine->log);
}

uint64_t engine_last_position(const struct engine *engine)
{
    return commit_log_last_position(engine->log);
}

uint64_t engine_truncated_position(const struct engine *engine, struct uuid id)
{
    const struct engine_table *table = engine_find_table(engine, id);
    return table == NULL ? 0 : table->truncated_position;
}

uint64_t engine_conflict_count(const struct engine *engine)
{
    return engine->conflict_count;
}

struct uuid engine_counter_id(const struct engine *engine)
{
    return engine->counter_id.id;
}

// ---- The end -----------------------------------------------------------------------------------

// All but the log and the lock.
static void free_engine(struct engine *engine)
{
    for (size_t i = 0; i < ENGINE_TABLE_BUCKETS; i++) {
        while (engine->buckets[i] != NULL) {
            struct engine_table *next = engine->buckets[i]->next;
            engine_free_table(engine->buckets[i]);
            engine->buckets[i] = next;
        }
    }
    struct engine_removal *removal = engine->removals;
    while (removal != NULL) {
        struct engine_removal *next = removal->next;
        if (removal->dropped != NULL) engine_free_table(removal->dropped);
        free(removal);
        removal = next;
    }
    while (engine->leaving != NULL) {
        struct engine_table *next = engine->leaving->next;
        engine_free_table(engine->leaving);
        engine->leaving = next;
    }
    engine_free_returns(engine);
    block_pool_unref(engine->memtable_blocks);
    chunk_cache_destroy(engine->chunk_cache);
    counter_cache_destroy(engine->counter_cache);
    buffer_deinit(&engine->record);
    engine_index_build_abandon(engine);
    buffer_deinit(&engine->indexes.record);
    arena_deinit(&engine->indexes.arena);
    arena_deinit(&engine->scratch);
    free(engine->dropped_ids);
    free(engine->directory);
    free(engine);
}

void engine_abandon(struct engine *engine)
{
    // What jobs had in their hands, had they ended.
    engine_drop_loadings(engine);
    engine_compactor_abandon(engine);
    engine_snapshots_abandon(engine);
    engine_period_stop(engine);
    engine_imports_abandon(engine);
    manifest_deinit(&engine->background.manifest);
    sstable_unref(engine->background.reader);
    if (engine->background.removing != NULL) {
        engine->background.removing->next = engine->removals;
        engine->removals = engine->background.removing;
    }
    if (engine->log != NULL) commit_log_abandon(engine->log);
    if (engine->lock != NULL) env_unlock(engine->lock);
    free_engine(engine);
}

static void finish_closing(void *context)
{
    struct engine *engine = context;
    engine_compactor_abandon(engine); // Undecided ones.
    uint64_t position = commit_log_last_position(engine->log);
    bool is_clean = commit_log_synced_position(engine->log) == position;
    // Without the mark the next run takes a new counter id: no harm if it cannot be written.
    if (is_clean)
        (void)!counter_id_leave(engine->env, engine->directory, position, &engine->counter_id,
                                NULL);
    commit_log_close(engine->log);
    env_unlock(engine->lock);
    void (*stopped)(void *context) = engine->stopped;
    void *stopped_context = engine->stopped_context;
    free_engine(engine);
    stopped(stopped_context);
}

void engine_go_on_closing(struct engine *engine)
{
    if (!engine->is_closing || engine->is_draining || engine->loadings != NULL ||
        engine->snapshots.works != NULL || engine->imports != NULL)
        return;
    // Files that are to go still go, unless that fails: the next start then goes on with it.
    if (engine->background.state == ENGINE_BACKGROUND_IDLE) engine_background_start(engine);
    if (engine->background.state == ENGINE_BACKGROUND_RUNNING ||
        engine->background.state == ENGINE_BACKGROUND_SYNCING)
        return;
    if (!engine_compactor_is_idle(engine)) return;
    if (engine->finished != NULL) return;
    env_timer_stop(engine->env, &engine->background.retry);
    engine->is_draining = true;
    commit_log_drain(engine->log, finish_closing, engine);
}

void engine_close(struct engine *engine, void (*stopped)(void *context), void *context)
{
    ASSERT(!engine->is_closing);
    engine->is_closing = true;
    engine->stopped = stopped;
    engine->stopped_context = context;
    // Flushes that wait are not begun any more: what they hold is in the log.
    while (engine->flushes != NULL) {
        struct engine_flush *next = engine->flushes->next;
        engine_finish_flush(engine, engine->flushes, STATUS_CANCELED);
        engine->flushes = next;
    }
    engine_compactor_stop(engine);
    engine_snapshots_stop(engine);
    engine_period_stop(engine);
    engine_index_build_stop(engine);
    engine_errand_fail(engine, false, STATUS_CANCELED);
    // What else waits for the delay of a fault has its turn now: nobody would come to it later.
    engine_background_hurry(engine);
    engine_go_on_closing(engine);
}
