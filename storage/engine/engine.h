// The storage engine of one shard (org.apache.cassandra.db.Keyspace and ColumnFamilyStore): tables
// with their memtables and SSTables, one commit log, one counter id.
//
//     write:  mutation -> commit log (pending) + memtable -> ... synced -> acknowledged
//     read:   memtables + SSTables -> merge -> the caller
//     flush:  frozen memtable -> SSTable (background thread) -> commit-log segments free
//
// The loop's. Nothing here waits: what is not in memory is WOULD_BLOCK, see read_pins.h; what is
// not durable yet has a log position to wait for with engine_wait_synced().
#ifndef STORAGE_ENGINE_H
#define STORAGE_ENGINE_H

#include "base/env.h"
#include "storage/commit_log/commit_log.h"
#include "storage/mutation.h"
#include "storage/partition_iterator.h"
#include "storage/sstable/read_pins.h"

struct engine_options {
    // DIR/data/<keyspace>/<table>-<id>/…, DIR/commitlog, DIR/manifest, … DIR's own name is durable
    // when its maker has synced the directory above it.
    const char *directory;
    // 0: the defaults of limits.h
    size_t memtable_space_max, chunk_cache_size_max, counter_cache_size_max;
    enum commit_log_sync commit_log_sync;
    uint64_t commit_log_period_ns;
    const char *commit_log_archive_command; // See commit_log.h; NULL: none.
    bool skips_log_damage;                  // Starts without what is damaged in the log.
    struct log *log;                        // NULL is allowed.
    // Tables of the node's own, beside those of the schema: opened and replayed like them, but no
    // client sees them there (ring/paxos/internal_tables.h). Borrowed during engine_open() only.
    const struct table *const *internal_tables;
    size_t internal_table_count;
    // Tables that the schema has lost to a DROP of late: what of one is still there, since its end
    // came before the drop's, is dropped now, after a snapshot if there is to be one. Borrowed
    // during engine_open() only.
    const struct table *const *dropped_tables;
    size_t dropped_table_count;
    // Compaction. Bytes a second that are read by all of them, 0: as fast as it goes; how many go
    // on at once, each on a thread (0: 1); bytes of a step and how often strategies are asked
    // anyway (0: the defaults).
    uint64_t compaction_throughput;
    size_t concurrent_compactors;
    uint64_t compaction_step_size, compaction_interval_ns;
    bool auto_snapshot;       // Before TRUNCATE and DROP; see engine_snapshot.h.
    bool incremental_backups; // Links to flushed SSTables, for tables that say so too.
};

struct engine;

// Opens the tables of `schema`, replays the commit log, takes a counter id (a new one unless the
// last stop was clean: invariant 2), and is ready. Blocks: for start-up only. IN_USE when another
// process has the directory.
MUST_USE enum status engine_open(struct env *env, const struct engine_options *options,
                                 const struct schema *schema, struct engine **engine,
                                 struct error *error);
// Syncs the log, writes the clean-stop mark. `stopped` comes when nothing of the engine runs any
// more; then the engine is gone.
void engine_close(struct engine *engine, void (*stopped)(void *context), void *context);
// Frees everything at once without writing anything: what a crash leaves (simulator only, where
// jobs of a dead process never end).
void engine_abandon(struct engine *engine);

// ---- Schema. The caller has already made the change durable in the metadata log. ----------------

// A new table, or a new version of one. IO, NO_SPACE: its directory could not be made.
MUST_USE enum status engine_put_table(struct engine *engine, const struct table *table,
                                      struct error *error);
// Its files go, in the background.
void engine_drop_table(struct engine *engine, struct uuid id);

// ---- Writes -------------------------------------------------------------------------------------

// Logged (pending) and in the memtable; `*position` is what to wait for before acknowledging.
// NOT_FOUND: no such table. OVERLOADED, IO: nothing was applied.
MUST_USE enum status engine_apply(struct engine *engine, const struct mutation *mutation,
                                  uint64_t *position);

// A record of the log: a mutation's bytes as the log keeps them and replicas exchange them, so that
// they are made once.
void engine_put_record(const struct mutation *mutation, struct buffer *bytes);
// That of the newest mutation that engine_apply() or engine_increment() applied. Valid until the
// next.
struct slice engine_last_record(const struct engine *engine);
// engine_apply() of a record that another node made: decoded once, logged as it is. Also CORRUPT.
MUST_USE enum status engine_apply_record(struct engine *engine, struct slice record,
                                         uint64_t *position);

// Increments of one partition by a client, at the leader (CounterMutation). One turn of the loop
// (invariant 8): read own shards, add, log, apply.
struct counter_increment {
    const struct clustering *clustering; // NULL: the static row.
    uint16_t column;
    int64_t delta;
};
struct counter_update {
    const struct table *table;
    struct partition_key key;
    const struct counter_increment *increments;
    size_t increment_count;
    int64_t timestamp_us; // Of the mutation; the cell's timestamp.
};
// WOULD_BLOCK: load `pins` and call again. On OK `*applied` (in `arena`) is the mutation that other
// replicas get, if not NULL.
MUST_USE enum status engine_increment(struct engine *engine, const struct counter_update *update,
                                      struct read_pins *pins, struct arena *arena,
                                      const struct mutation **applied, uint64_t *position);

void engine_wait_synced(struct engine *engine, struct commit_log_waiter *waiter, uint64_t position,
                        void (*done)(struct commit_log_waiter *waiter, enum status status));
// It waits for the disk: not in the sync mode PERIODIC.
bool engine_waits_for_disk(const struct engine *engine);
// The same in every sync mode: PERIODIC too waits for the disk.
void engine_wait_durable(struct engine *engine, struct commit_log_waiter *waiter, uint64_t position,
                         void (*done)(struct commit_log_waiter *waiter, enum status status));
void engine_cancel_wait(struct engine *engine, struct commit_log_waiter *waiter);
uint64_t engine_synced_position(const struct engine *engine);

// ---- Reads --------------------------------------------------------------------------------------

// One partition, merged, with tombstones. `*partition` is NULL when no source has it. In `arena`;
// close it before the loop's turn ends. `*position` is raised to that of the newest change seen:
// the answer waits for it (invariant 3). WOULD_BLOCK here or from the iterator.
MUST_USE enum status engine_read(struct engine *engine, const struct table *table,
                                 const struct partition_key *key,
                                 const struct partition_filter *filter, struct read_pins *pins,
                                 struct arena *arena, struct partition_iterator **partition,
                                 uint64_t *position);
// Of what is read, the tombstones that went before this time may be left out of an answer, as by a
// compaction; INT32_MIN: none may. `now_s`: seconds since 1970 of who asks.
int32_t engine_answer_gc_before(const struct engine *engine, const struct table *table,
                                int32_t now_s);
// A run of partitions in ring order.
MUST_USE enum status engine_scan(struct engine *engine, const struct table *table,
                                 const struct scan_range *range,
                                 const struct partition_filter *filter, struct read_pins *pins,
                                 struct arena *arena, struct scan_iterator **scan,
                                 uint64_t *position);

// Loads all that `pins` says is missing. `done` comes once, in a later turn.
struct engine_load {
    void (*done)(struct engine_load *load, enum status status);
    struct read_pins *pins; // The rest is the engine's.
};
void engine_load(struct engine *engine, struct engine_load *load, struct read_pins *pins,
                 void (*done)(struct engine_load *load, enum status status));

// ---- Care ---------------------------------------------------------------------------------------

// Writes the memtable of a table (of all tables if NULL) as SSTables. `done` comes when all of it
// is durable.
struct engine_flush {
    void (*done)(struct engine_flush *flush, enum status status);
    struct engine_flush *next; // The rest is the engine's.
    size_t waits_for;
    enum status status;
};
void engine_flush(struct engine *engine, const struct uuid *table, struct engine_flush *flush,
                  void (*done)(struct engine_flush *flush, enum status status));
// Removes all data of a table: durable when `done` comes.
void engine_truncate(struct engine *engine, struct uuid table, struct engine_flush *truncation,
                     void (*done)(struct engine_flush *truncation, enum status status));

// ---- Compaction --------------------------------------------------------------------------------
//
// The strategies are asked after each flush and each compaction, and every minute. All goes on in
// steps, on a lane of its own; reads never wait for it (org.apache.cassandra.db.compaction
// .CompactionManager).

// A major compaction of a table (nodetool compact): what its strategy had begun is given up. `done`
// comes when all groups of its SSTables were compacted, or with the first failure; CANCELED when it
// was stopped; NOT_FOUND.
struct engine_compact {
    void (*done)(struct engine_compact *compact, enum status status);
    struct engine_compact *next; // The rest is the engine's.
    struct engine_flush finished;
    struct uuid table;
    bool split, has_begun;
    uint64_t generation_end; // What comes later is not compacted.
    size_t running;
    enum status status;
};
void engine_compact(struct engine *engine, struct uuid table, bool split,
                    struct engine_compact *compact,
                    void (*done)(struct engine_compact *compact, enum status status));
// Gives up all compactions that are on their way (nodetool stop COMPACTION). How many they were.
size_t engine_stop_compactions(struct engine *engine);
// Of one table, or of all if NULL. False: no such table.
bool engine_enable_compaction(struct engine *engine, const struct uuid *table, bool is_enabled);
bool engine_compaction_is_enabled(const struct engine *engine, struct uuid table);
void engine_set_compaction_throughput(struct engine *engine, uint64_t bytes_per_second);
uint64_t engine_compaction_throughput(const struct engine *engine);
void engine_set_concurrent_compactors(struct engine *engine, size_t count);
size_t engine_concurrent_compactors(const struct engine *engine);
// An estimate of what is left to do for a table.
size_t engine_pending_compactions(const struct engine *engine, struct uuid table);

// One that is on its way. Borrowed until the loop's turn ends.
struct engine_compaction_info {
    struct uuid id;
    const struct table *table;
    const char *kind;                 // "Compaction", as nodetool names it.
    uint64_t read_bytes, total_bytes; // Uncompressed, of its inputs.
    size_t input_count;
};
// The `index`th; false behind the last.
bool engine_compaction_at(const struct engine *engine, size_t index,
                          struct engine_compaction_info *info);

// One that is done, as system.compaction_history tells it. The last ones, since the start.
enum { ENGINE_COMPACTION_HISTORY_MAX = 64, ENGINE_COMPACTION_NAME_SIZE = 49 };
struct engine_compaction_done {
    struct uuid id;
    char keyspace[ENGINE_COMPACTION_NAME_SIZE], table[ENGINE_COMPACTION_NAME_SIZE];
    int64_t done_ms;              // Wall time.
    uint64_t bytes_in, bytes_out; // Of Data.db on the disk.
    uint64_t merged_counts[16];   // As in struct compaction_progress.
};
// The `index`th, the newest first; NULL behind the last.
const struct engine_compaction_done *engine_compaction_done_at(const struct engine *engine,
                                                               size_t index);
// How many, since the start; how many failed, and why the last of these did ("": none did).
uint64_t engine_compaction_done_count(const struct engine *engine);
uint64_t engine_compacted_bytes(const struct engine *engine); // Of all their inputs, on the disk.
uint64_t engine_compaction_failed_count(const struct engine *engine, const char **error);

// The position of the newest change of all, and that of the table's last truncation (0: none): what
// was noted beside a change tells later whether a truncation came after it.
uint64_t engine_last_position(const struct engine *engine);
uint64_t engine_truncated_position(const struct engine *engine, struct uuid table);

// This node's counter id (its shards' owner): new after each stop that was not clean.
struct uuid engine_counter_id(const struct engine *engine);

// Writes so far, since the start, that brought a counter shard of a known id and clock with another
// count: never, unless a job's code is not repeatable or a disk lies (exactly-once.md §2.5).
uint64_t engine_conflict_count(const struct engine *engine);

struct engine_table_stats {
    uint64_t sstable_count, sstable_bytes, memtable_bytes, memtable_partitions, flush_count;
    uint64_t level_counts[9]; // SSTables of each level. Leveled tables have more than the first.
    bool is_leveled;
    uint64_t data_bytes, uncompressed_bytes; // Of their Data.db.
    uint64_t partition_count;                // Of all, each counted as often as it lies in one.
    uint64_t reader_bytes;                   // Memory of their readers.
    uint64_t pending_flushes, compacted_bytes, largest_sstable_bytes;
    uint64_t longest_sstable_us; // From its smallest timestamp to its largest.
};
bool engine_table_stats(const struct engine *engine, struct uuid table,
                        struct engine_table_stats *stats);

// No thread works for it, and no compaction is on its way: what a test waits for before it lets an
// engine of the real world "crash".
bool engine_is_quiet(const struct engine *engine);

// Asserts what must hold between turns. Costly.
void engine_check(const struct engine *engine);

#endif
