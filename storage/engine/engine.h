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
    size_t memtable_space_max, chunk_cache_size_max; // 0: the defaults of limits.h
    enum commit_log_sync commit_log_sync;
    uint64_t commit_log_period_ns;
    const char *commit_log_archive_command; // See commit_log.h; NULL: none.
    bool skips_log_damage;                  // Starts without what is damaged in the log.
    struct log *log;                        // NULL is allowed.
    // Tables of the node's own, beside those of the schema: opened and replayed like them, but no
    // client sees them there (ring/paxos/internal_tables.h). Borrowed during engine_open() only.
    const struct table *const *internal_tables;
    size_t internal_table_count;
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
};
bool engine_table_stats(const struct engine *engine, struct uuid table,
                        struct engine_table_stats *stats);

// Asserts what must hold between turns. Costly.
void engine_check(const struct engine *engine);

#endif
