// What the files engine*.c share.
//
//     engine ── tables ── active memtable, frozen memtables (oldest first), SSTables
//            ├─ commit log
//            ├─ compactor ── compactions on their way, each step on the compaction lane
//            └─ background: one operation at a time, on the background lane
//
// A memtable is frozen and joins the queue of flushes; removals (of a truncated or dropped table's
// files) go before flushes, since they may give the space that a flush needs; so does a compaction
// that is to become true. All three write the table's manifest. Errands (snapshots, imports) have
// their turn between them: while one runs, no other file comes or goes.
#ifndef STORAGE_ENGINE_INTERNAL_H
#define STORAGE_ENGINE_INTERNAL_H

#include "storage/compaction/compaction_strategy.h"
#include "storage/compaction/compaction_task.h"
#include "storage/engine/counter_cache.h"
#include "storage/engine/counter_id.h"
#include "storage/engine/engine.h"
#include "storage/engine/manifest.h"
#include "storage/memtable/memtable.h"
#include "storage/sstable/sstable.h"

enum { ENGINE_TABLE_BUCKETS = 256, ENGINE_PATH_MAX = 4096 };
// A power of two.
enum { ENGINE_DROPPED_IDS_MAX = 64 * 1024 };

// A record of the commit log: this byte, then a mutation or a table's id.
enum engine_record { ENGINE_RECORD_MUTATION = 'M', ENGINE_RECORD_TRUNCATION = 'T' };

struct engine_sstable {
    struct sstable_reader *reader;
    uint64_t log_position;                // Of its newest change; 0: not known.
    int64_t created_s;                    // Wall time.
    struct engine_compaction *compaction; // That reads it, or NULL.
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
    uint64_t frozen_at_ns; // Its last flush by the clock, if it has a period.
    struct counter_cache_table counter_life;
    struct engine_table_compactor {
        struct compaction_options options; // Of the present version.
        bool is_enabled;
        bool is_asked_for; // Something may be to do: the strategy is to be asked.
        size_t count;      // Of its compactions on their way, not counting undecided ones.
        uint64_t retry_ns, retry_delay_ns;
        uint64_t done_count, bytes_read, bytes_written;
    } compactor;
    bool is_undecided; // Nobody knows which files of a compaction hold, until the next start.
    bool is_internal;  // Of the node's own.
    bool has_left;     // A flush left an SSTable, since its manifest failed.
    bool has_foreign;  // Some SSTables were put here while no engine looked.
    struct engine_index *indexes; // Of the present version; see engine_index_internal.h.
    size_t index_count;
    bool is_dropped; // Opened at the start only to be dropped again.
};

// Work of another file on the background (engine_errand.c).
struct engine_errand {
    struct engine_errand *next;
    uint64_t waits_for;    // Memtables frozen up to this one are flushed before.
    uint64_t log_position; // The log is synced up to here before.
    // On the loop, when its turn has come. The table whose manifest it changes, or NULL.
    struct engine_table *(*begin)(struct engine_errand *errand);
    void (*work)(struct engine_errand *errand); // On the thread.
    // On the loop. OK: it was worked at; else it was not, and will not be.
    void (*done)(struct engine_errand *errand, enum status status);
};

// engine_snapshot.c
struct engine_snapshots {
    struct engine_taking *takings; // On their way.
    struct engine_snapshot_work *works;
    struct env_timer timer; // For what expires.
    bool is_automatic;      // Before TRUNCATE and DROP.
    int64_t last_tag_ms;    // Of these.
};

// Files of a table to be removed.
struct engine_removal {
    struct engine_removal *next;
    struct engine_table *table;      // Truncated, or
    struct engine_table *dropped;    // dropped: then it is the removal's own. The other is NULL.
    uint64_t log_position;           // Of the truncation.
    struct engine_flush *truncation; // Whom to tell.
    bool has_failed;                 // Other work comes first, until that fails.
};

// A table of the schema that is not open: its former life is not over, or it could not be made.
struct engine_return {
    struct engine_return *next;
    const struct table *table; // With a reference.
};

enum engine_compaction_state {
    ENGINE_COMPACTION_WAITING,    // For the time of its next step.
    ENGINE_COMPACTION_STEPPING,   // On its thread.
    ENGINE_COMPACTION_OPENING,    // Its outputs are opened; on its thread.
    ENGINE_COMPACTION_QUEUED,     // For the background operation that makes it true.
    ENGINE_COMPACTION_INSTALLING, // That runs.
    ENGINE_COMPACTION_REMOVING,   // The inputs' files; on its thread.
    ENGINE_COMPACTION_UNDOING,    // On its thread.
    ENGINE_COMPACTION_UNDECIDED   // Stays so until the end of the engine.
};

struct engine_compaction {
    struct engine_compaction *next;        // Of all.
    struct engine_compaction *queued_next; // Of those that wait for the background.
    struct engine *engine;
    struct engine_table *table;
    struct engine_compact *request; // Who asked for it, or NULL: the strategy.
    enum compaction_reason reason;
    enum engine_compaction_state state;
    bool is_canceled;
    struct uuid id;
    int64_t started_ms;          // Wall time.
    uint64_t log_position;       // Of the newest change in its inputs.
    uint64_t truncated_position; // Of its table, when it began.
    struct compaction_task *task;
    const struct table *version;    // That it writes, with a reference.
    struct sstable_reader **inputs; // Their references are the task's.
    size_t input_count;
    struct sstable_reader **others; // What the purge looks at, each with a reference.
    size_t other_count;
    struct sstable_reader **outputs;
    size_t output_count;
    struct engine_closing *closing; // Of the inputs' files, once these were removed.
    uint64_t generation_end;        // Its outputs' generations are before it.
    uint64_t input_bytes;           // On the disk, of the inputs that are read.
    uint64_t read_bytes;            // Uncompressed, when the last step began.
    struct env_job job;
    struct env_timer timer;
    enum status status;
    struct error error;
};

// All compactions of an engine.
struct engine_compactor {
    struct engine_compaction *first;
    size_t count; // Not counting undecided ones.
    struct engine_compaction *queue, **queue_end;
    struct engine_compact *requests; // The oldest first.
    struct engine_closing *closings; // On their way.
    size_t concurrent_max;
    uint64_t throughput, step_size, interval_ns;
    uint64_t step_at_ns; // When the next step may begin.
    struct env_timer tick;
    struct env_task task;
    struct engine_compaction_done history[ENGINE_COMPACTION_HISTORY_MAX];
    uint64_t done_count, failed_count, compacted_bytes;
    struct error error; // Of the last one that failed.
};

enum engine_background_state {
    ENGINE_BACKGROUND_IDLE,
    ENGINE_BACKGROUND_SYNCING, // Waits for the log: nothing unsynced goes into an SSTable.
    ENGINE_BACKGROUND_RUNNING, // On its thread.
    ENGINE_BACKGROUND_RETRYING // Waits after a fault.
};

struct engine_background {
    enum engine_background_state state;
    struct engine_frozen *flushing; // At most one of these four.
    struct engine_removal *removing;
    struct engine_compaction *installing;
    struct engine_errand *errand;
    struct commit_log_waiter waiter;
    struct env_job job;
    struct env_timer retry;
    uint64_t retry_delay_ns;
    bool is_for_removal; // RETRYING since a removal failed: nothing else need wait for that.
    // Handed over to the thread and back:
    struct engine_table *table;
    struct manifest manifest; // What the manifest will be.
    uint64_t generation;
    struct sstable_reader *reader; // The new SSTable.
    bool manifest_failed;          // Nobody knows which manifest is there: it may name the SSTable.
    bool back_up_failed;
    enum status status;
    struct error error;
};

struct engine {
    struct env *env;
    char *directory;
    struct env_lock *lock;
    size_t memtable_space_max;
    struct block_pool *memtable_blocks; // Of memtables that were flushed, for the next ones.
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
    struct engine_errand *errands;
    struct engine_snapshots snapshots;
    struct engine_importing *imports; // On their way.
    struct env_timer period_timer;    // For tables that are flushed now and then.
    struct engine_table *leaving;     // Dropped, but a snapshot of them comes first.
    struct engine_return *returns;
    bool puts_again;          // Those that could not be made are just tried again.
    struct uuid *dropped_ids; // The last ones that the log may have changes of.
    size_t dropped_count, dropped_capacity;
    struct log *words; // For whom runs the node; NULL is allowed.
    bool backs_up;     // incremental_backups
    uint64_t freeze_sequence;
    uint64_t conflict_count;      // Writes that brought another count for a counter's id and clock.
    struct engine_flush *flushes; // Those who wait for what was frozen.
    struct engine_flush *finished;
    struct env_task finished_task;
    struct engine_background background;
    struct engine_compactor compactor;
    struct engine_loading *loadings; // Loads on their way.
    struct engine_indexes {
        struct buffer record; // An entry on its way to the log.
        struct arena arena;   // Of one row's entries.
        struct engine_index_builder *builder;
    } indexes;
    void (*stopped)(void *context);
    void *stopped_context; // Once engine_close() was called.
    bool is_closing, is_draining;
};

// engine.c
// An empty one; the caller's reference.
struct memtable *engine_make_memtable(struct engine *engine, const struct table *table);
struct engine_table *engine_find_table(const struct engine *engine, struct uuid id);
void engine_free_table(struct engine_table *table);
// A step towards the stop, if one was asked for and nothing is under way.
void engine_go_on_closing(struct engine *engine);

// engine_table.c
MUST_USE enum status engine_open_table(struct engine *engine, const struct table *table,
                                       struct error *error);
// Something of it is there besides snapshots and backups: SSTables, a manifest that does not say
// "dropped", or the empty directory of a table that was never flushed. Blocks.
bool engine_table_has_remains(struct engine *engine, const struct table *table);
void engine_link_table(struct engine *engine, struct engine_table *table);
void engine_unlink_table(struct engine *engine, struct engine_table *table);
void engine_add_sstable(struct engine_table *table, struct sstable_reader *reader,
                        uint64_t log_position, int64_t created_s);
// Removes leftovers of tables whose drop a crash interrupted. Blocks.
MUST_USE enum status engine_finish_drops(struct engine *engine, struct error *error);
// The same for indexes that their tables no longer have. All tables are open. Blocks.
MUST_USE enum status engine_finish_index_drops(struct engine *engine, struct error *error);

// engine_flush.c
// The active memtable, if it has anything, becomes a frozen one.
void engine_freeze(struct engine_table *table);
void engine_background_start(struct engine *engine);
// The same for who wants to know now, not after the delay of a fault (or never, if the log has
// failed).
void engine_background_hurry(struct engine *engine);
// Calls the flushes that wait for nothing any more.
void engine_finish_flushes(struct engine *engine, enum status status);
void engine_finish_flush(struct engine *engine, struct engine_flush *flush, enum status status);
void engine_drop_frozen(struct engine_table *table, struct engine_frozen *frozen);

// engine_read.c
// Frees the loads on their way, whose jobs will never end.
void engine_drop_loadings(struct engine *engine);

// engine_errand.c
void engine_errand_start(struct engine *engine, struct engine_errand *errand);
// The next whose turn it is; NULL: none.
struct engine_errand *engine_errand_take(struct engine *engine);
// Those that wait for a flush, or all, will not be worked at.
void engine_errand_fail(struct engine *engine, bool all, enum status status);

// engine_snapshot.c
void engine_snapshots_start(struct engine *engine, bool is_automatic);
void engine_snapshots_stop(struct engine *engine);
void engine_snapshots_abandon(struct engine *engine);
// Removes what has expired, in the background, and looks again when more has.
void engine_snapshots_expire(struct engine *engine);
// A snapshot of the table is due before its data goes.
bool engine_snapshots_keep(const struct engine_table *table);
// Takes it; then comes engine_truncate_kept(), or engine_drop_kept().
void engine_snapshots_truncate(struct engine_table *table, struct engine_flush *truncation);
void engine_snapshots_drop(struct engine_table *table);

// engine_import.c
void engine_imports_abandon(struct engine *engine);
bool engine_import_is_under_way(const struct engine *engine, struct uuid table);

// engine_period.c
// Looks for tables whose time has come, and again when others' has.
void engine_period_start(struct engine *engine);
void engine_period_stop(struct engine *engine);

// engine_truncate.c
void engine_truncate_kept(struct engine *engine, struct uuid id, struct engine_flush *truncation,
                          enum status status);
void engine_drop_kept(struct engine *engine, struct engine_table *table, enum status status,
                      const struct error *error);
// What of the table a truncation at this position removes is no longer read.
void engine_forget_data(struct engine_table *table, uint64_t log_position);
void engine_add_removal(struct engine *engine, const struct engine_removal *removal);
// True: the table's former life is not over, it is put into the engine when that is.
bool engine_await_return(struct engine *engine, const struct table *table);
// Nothing of a former life, if it had one, is in the table that was just opened.
void engine_begin_anew(struct engine_table *table);
void engine_free_returns(struct engine *engine);
// The log may have changes of a table that is no more.
void engine_note_dropped(struct engine *engine, struct uuid id);
// It could not be made: a full disk, say. It is tried again.
void engine_put_later(struct engine *engine, const struct table *table, const struct error *error);
// What could not be made before.
void engine_put_again(struct engine *engine);
void engine_removal_work(struct engine *engine);
// A dropped table's, durably, unless something else is in it. Blocks.
MUST_USE enum status engine_remove_directory(struct env *env, const char *directory,
                                             struct error *error);
void engine_removal_done(struct engine *engine, struct engine_removal *removal, enum status status);
// Tells those who wait for a truncation that has not had its turn; it has it later, or at a start.
void engine_fail_truncations(struct engine *engine, enum status status);
MUST_USE enum status engine_remove_gone(struct env *env, struct manifest *manifest,
                                        struct error *error);
// The same of a table that stays, whose manifest is in the file `path`: there, too, none is named
// any more if that can be. Who puts a snapshot's files back, of the same names, keeps them.
MUST_USE enum status engine_forget_gone(struct engine *engine, const char *path,
                                        struct manifest *manifest, struct error *error);

// engine_compactor.c
void engine_compactor_init(struct engine *engine, const struct engine_options *options);
// The engine is open: from now on strategies are asked.
void engine_compactor_start(struct engine *engine, uint64_t interval_ns);
// Something of the table has changed.
void engine_ask_for_compaction(struct engine_table *table);
// A stop has begun. Until engine_compactor_is_idle(), jobs are under way.
void engine_compactor_stop(struct engine *engine);
bool engine_compactor_is_idle(const struct engine *engine);
// Frees all of it without I/O.
void engine_compactor_abandon(struct engine *engine);
void engine_finish_request(struct engine *engine, struct engine_compact *compact,
                           enum status status);
// Of tombstones that are old enough now; and the smallest timestamp in memtables, or INT64_MAX.
int32_t engine_gc_before(const struct engine_table *table);
int64_t engine_memory_min_timestamp(const struct engine_table *table);

// engine_compaction.c
void engine_compaction_start(struct engine_table *table, const struct compaction_pick *pick,
                             struct engine_compact *request);
// Those of the table, or all if NULL, are given up, unless they are just becoming true.
void engine_cancel_compactions(struct engine *engine, const struct engine_table *table);
// engine_install.c comes back here: it is true, and its inputs' files go; or it is not, and what it
// wrote goes, unless that is not known.
void engine_compaction_remove_inputs(struct engine_compaction *compaction);
void engine_compaction_end(struct engine_compaction *compaction, enum status status);
void engine_compaction_drop_closings(struct engine *engine);
// Frees it without I/O.
void engine_compaction_abandon(struct engine_compaction *compaction);

// engine_install.c
// Waits for the background, which then makes it true.
void engine_install(struct engine_compaction *compaction);
void engine_install_work(struct engine *engine);
void engine_install_done(struct engine *engine, struct engine_compaction *compaction,
                         enum status status);
// SSTables that are wholly expired go, unread.
void engine_remove_expired(struct engine_table *table, const struct compaction_pick *pick);

// engine_replay.c
enum { ENGINE_REPLAY_GROUP = 16 };
// Records that were decoded, into the engine's scratch memory, but not applied yet.
struct engine_replay {
    struct engine *engine;
    struct engine_table *table; // Of the last record.
    size_t count;
    struct {
        struct engine_table *table;
        uint64_t position;
        struct mutation mutation;
    } changes[ENGINE_REPLAY_GROUP];
};
// A commit_log_replayer; its context is the struct engine_replay.
MUST_USE enum status engine_replay_record(void *context, uint64_t position, struct slice record,
                                          struct error *error);
// After the last record.
void engine_replay_finish(struct engine_replay *replay);

// engine_write.c
// Logs the bytes, which are the mutation, and applies it.
MUST_USE enum status engine_log_and_apply_record(struct engine_table *table,
                                                 const struct mutation *mutation,
                                                 struct slice record, uint64_t *position);
// Logs the mutation (of the table's present version) and applies it.
MUST_USE enum status engine_log_and_apply(struct engine_table *table,
                                          const struct mutation *mutation, uint64_t *position);
// Room for more; begins flushes where it gets narrow. OVERLOADED, IO.
MUST_USE enum status engine_check_room(struct engine *engine);

#endif
