// Inside of the engine world: its state, shared by its files.
//
//     engine_world.c    lives, crashes, the mix of operations, the end
//     engine_change.c   writes, and their changes to the model
//     engine_look.c     reads, compared with the model
//     engine_tables.c   tables: shapes, versions, options
#ifndef NODE_SIM_ENGINE_WORLD_STATE_H
#define NODE_SIM_ENGINE_WORLD_STATE_H

#include "base/arena.h"
#include "base/env_sim.h"
#include "node/sim/engine_world.h"
#include "node/sim/table_model.h"
#include "storage/engine/engine.h"

enum {
    WORLD_TABLES = 3,
    WORLD_PENDING_MAX = 64,   // Operations that are not acknowledged yet.
    WORLD_CHANGES_MAX = 256,  // Of one operation.
    WORLD_JITTER_US = 4000000 // Timestamps are so far behind the clock at most.
};

struct world_table {
    struct table_shape shape;
    const struct table *table;
    struct table_model certain, present; // What is acknowledged; what the engine shows.
    bool is_gone[TABLE_MODEL_KEYS][TABLE_MODEL_ROWS]; // Deleted counters: never counted again.
};

// One that is not acknowledged: after a crash it may be there or not.
struct world_operation {
    uint64_t position; // In the commit log.
    size_t table;
    uint8_t *record; // Its mutation, as the engine logged it; NULL: increments, or a truncation.
    size_t record_size;
    struct table_change *changes;
    size_t change_count;
};

struct engine_world {
    struct sim_world *sim;
    struct sim_machine *machine;
    struct run_result *result;
    struct random random;
    struct schema *schema;
    struct env *env; // NULL: no process.
    struct engine *engine;
    struct read_pins pins;
    bool errors_are_likely, is_ending, keeps_snapshots, truncates_installing;
    uint64_t compaction_throughput; // 0: as fast as it goes.
    struct world_table tables[WORLD_TABLES];
    struct arena arena;                                // Of one operation.
    struct world_operation pending[WORLD_PENDING_MAX]; // The oldest first.
    size_t pending_count;
    struct table_change changes[WORLD_CHANGES_MAX]; // Of the operation that is being made.
    size_t change_count;
    uint64_t stamp, table_number;
    const struct table **dropped; // With references.
    size_t dropped_count, dropped_capacity;
    int64_t last_us;
    struct engine_flush flush;
    struct engine_compact compact;
    bool flush_runs, compact_runs;
};

// Something is wrong: the first is kept.
void engine_world_fail(struct engine_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool engine_world_has_failed(const struct engine_world *world);
// Steps until `*done`. False: the process died, and has gone.
bool engine_world_await(struct engine_world *world, const bool *done);
// An operation was refused with this. True: faults of the disk explain it, the process was ended.
bool engine_world_excuses(struct engine_world *world, enum status status, const char *what);
uint64_t engine_world_below(struct engine_world *world, uint64_t count);
bool engine_world_chance(struct engine_world *world, double probability);
int32_t engine_world_now_s(const struct engine_world *world);
void engine_world_count(struct engine_world *world, enum workload_kind kind);

// ---- engine_tables.c

// Notes the table as one that was dropped.
void engine_world_note_dropped(struct engine_world *world, const struct table *table);
// A new table in this place, of a random shape; it is in the schema then.
void engine_world_make_table(struct engine_world *world, size_t number);
// Another version of it: a column more or less, or other options.
void engine_world_alter_table(struct engine_world *world, size_t number);
struct partition_key engine_world_key(struct engine_world *world, size_t key);
// The key whose bytes these are; TABLE_MODEL_KEYS: none of ours.
size_t engine_world_key_number(struct slice bytes);
struct clustering engine_world_clustering(struct engine_world *world,
                                          const struct table_shape *shape, size_t place);
// The place of a row; TABLE_MODEL_PLACES: none.
size_t engine_world_place(const struct table_shape *shape, const struct clustering *clustering);
// Random bounds, and the places that are between them.
struct clustering_range engine_world_range(struct engine_world *world,
                                           const struct table_shape *shape, size_t *place,
                                           size_t *place_end);

// ---- engine_change.c

// A write, or increments; what was acknowledged and what is under way is noted in the model.
void engine_world_write(struct engine_world *world);
// Deletes a partition.
void engine_world_delete(struct engine_world *world, size_t number);
void engine_world_increment(struct engine_world *world);
void engine_world_truncate(struct engine_world *world, size_t number);
// Loads what the read that uses `pins` misses. False: it failed, or the process died.
bool engine_world_load(struct engine_world *world);
// Waits until the log has all there is.
void engine_world_sync(struct engine_world *world);
// After a crash: finds out which of the operations under way are there, and does those again that
// may be there unseen.
void engine_world_find_out(struct engine_world *world);
// The table is gone, and what was under way to it.
void engine_world_forget(struct engine_world *world, size_t number);

// ---- engine_look.c

void engine_world_read(struct engine_world *world);
void engine_world_scan(struct engine_world *world);
// All that the table has, as the model prints it. False: the process died.
bool engine_world_put_all(struct engine_world *world, size_t number, int32_t now_s,
                          struct buffer *text);

#endif
