// What the files engine*.c share.
//
//     engine ── tables ── active memtable, frozen memtables (oldest first), SSTables
//            ├─ commit log
//            └─ background: one operation at a time, on the background lane
//
// A memtable is frozen and joins the queue of flushes; removals (of a truncated or dropped table's
// files) go before flushes, since they may give the space that a flush needs.
#ifndef STORAGE_ENGINE_INTERNAL_H
#define STORAGE_ENGINE_INTERNAL_H

#include "storage/engine/counter_cache.h"
#include "storage/engine/counter_id.h"
#include "storage/engine/engine.h"
#include "storage/engine/manifest.h"
#include "storage/memtable/memtable.h"
#include "storage/sstable/sstable.h"

enum { ENGINE_TABLE_BUCKETS = 256, ENGINE_PATH_MAX = 4096 };

// A record of the commit log: this byte, then a mutation or a table's id.
enum engine_record { ENGINE_RECORD_MUTATION = 'M', ENGINE_RECORD_TRUNCATION = 'T' };

struct engine_sstable {
    struct sstable_reader *reader;
    uint64_t log_position; // Of its newest change; 0: not known.
};

// A memtable on its way to an SSTable.
struct engine_frozen {
    struct engine_frozen *next;       // Of the same table, newer.
    struct engine_frozen *queue_next; // Of all tables, frozen later.
    struct engine_table *table;
    struct memtable *memtable;
    uint64_t log_position; // Of its newest change.
    uint64_t sequence;     // Counts what was frozen.
};

struct engine_table {
    struct engine_table *next; // In its bucket.
    struct engine *engine;
    const struct table *table; // The present version, with a reference.
    char *manifest_path;
    struct memtable *active;
    uint64_t active_position; // Log position of its newest change; 0: it is empty.
    struct engine_frozen *frozen, *frozen_last;
    struct engine_sstable *sstables; // The newest timestamp first.
    size_t sstable_count, sstable_capacity;
    struct manifest manifest;
    uint64_t next_generation;
    uint64_t truncated_position;        // What was before it is gone for readers.
    uint64_t replay_first, replay_last; // Positions replayed into the active memtable.
    uint64_t flush_count;
    struct counter_cache_table counter_life;
};

// Files of a table to be removed.
struct engine_removal {
    struct engine_removal *next;
    struct engine_table *table;      // Truncated, or
    struct engine_table *dropped;    // dropped: then it is the removal's own. The other is NULL.
    uint64_t log_position;           // Of the truncation.
    struct engine_flush *truncation; // Whom to tell.
};

enum engine_background_state {
    ENGINE_BACKGROUND_IDLE,
    ENGINE_BACKGROUND_SYNCING, // Waits for the log: nothing unsynced goes into an SSTable.
    ENGINE_BACKGROUND_RUNNING, // On its thread.
    ENGINE_BACKGROUND_RETRYING // Waits after a fault.
};

struct engine_background {
    enum engine_background_state state;
    struct engine_frozen *flushing; // At most one of these two.
    struct engine_removal *removing;
    struct commit_log_waiter waiter;
    struct env_job job;
    struct env_timer retry;
    uint64_t retry_delay_ns;
    // Handed over to the thread and back:
    struct engine_table *table;
    struct manifest manifest; // What the manifest will be.
    uint64_t generation;
    struct sstable_reader *reader; // The new SSTable.
    bool manifest_failed;          // Nobody knows which manifest is there: it may name the SSTable.
    enum status status;
    struct error error;
};

struct engine {
    struct env *env;
    char *directory;
    struct env_lock *lock;
    size_t memtable_space_max;
    struct commit_log *log;
    struct chunk_cache *chunk_cache;
    struct counter_cache *counter_cache;
    struct counter_id counter_id;
    struct engine_table *buckets[ENGINE_TABLE_BUCKETS];
    size_t active_size, frozen_size; // Bytes of memtables.
    struct buffer record;            // An encoded record on its way to the log.
    struct arena scratch;            // Of one call.
    struct engine_frozen *queue, *queue_last;
    struct engine_removal *removals, **removals_end;
    uint64_t freeze_sequence;
    uint64_t conflict_count;      // Writes that brought another count for a counter's id and clock.
    struct engine_flush *flushes; // Those who wait for what was frozen.
    struct engine_flush *finished;
    struct env_task finished_task;
    struct engine_background background;
    struct engine_loading *loadings; // Loads on their way.
    void (*stopped)(void *context);
    void *stopped_context; // Once engine_close() was called.
    bool is_closing, is_draining;
};

// engine.c
struct engine_table *engine_find_table(const struct engine *engine, struct uuid id);
void engine_free_table(struct engine_table *table);
// A step towards the stop, if one was asked for and nothing is under way.
void engine_go_on_closing(struct engine *engine);

// engine_table.c
MUST_USE enum status engine_open_table(struct engine *engine, const struct table *table,
                                       struct error *error);
void engine_link_table(struct engine *engine, struct engine_table *table);
void engine_unlink_table(struct engine *engine, struct engine_table *table);
void engine_add_sstable(struct engine_table *table, struct sstable_reader *reader,
                        uint64_t log_position);
// Removes leftovers of tables whose drop a crash interrupted. Blocks.
MUST_USE enum status engine_finish_drops(struct engine *engine, struct error *error);

// engine_flush.c
// The active memtable, if it has anything, becomes a frozen one.
void engine_freeze(struct engine_table *table);
void engine_background_start(struct engine *engine);
// Calls the flushes that wait for nothing any more.
void engine_finish_flushes(struct engine *engine, enum status status);
void engine_finish_flush(struct engine *engine, struct engine_flush *flush, enum status status);
void engine_drop_frozen(struct engine_table *table, struct engine_frozen *frozen);

// engine_read.c
// Frees the loads on their way, whose jobs will never end.
void engine_drop_loadings(struct engine *engine);

// engine_truncate.c
// What of the table a truncation at this position removes is no longer read.
void engine_forget_data(struct engine_table *table, uint64_t log_position);
void engine_removal_work(struct engine *engine);
void engine_removal_done(struct engine *engine, struct engine_removal *removal, enum status status);
MUST_USE enum status engine_remove_gone(struct env *env, struct manifest *manifest,
                                        struct error *error);

// engine_write.c
// Logs the mutation (of the table's present version) and applies it.
MUST_USE enum status engine_log_and_apply(struct engine_table *table,
                                          const struct mutation *mutation, uint64_t *position);
// Room for more; begins flushes where it gets narrow. OVERLOADED, IO.
MUST_USE enum status engine_check_room(struct engine *engine);

#endif
