// An engine in a simulated process with a few tables: what tests of crashes and failures begin and
// end with. Rows are text, so that what was there before and after is compared with one look.
//
//     tables: t, in two SSTables and a memtable; u, beside it; n, counters
#ifndef TESTS_STORAGE_SUPPORT_SIM_ENGINE_H
#define TESTS_STORAGE_SUPPORT_SIM_ENGINE_H

#include "base/buffer.h"
#include "base/env_sim.h"
#include "storage/engine/engine.h"
#include "tests/storage/support/failing_env.h"

enum sim_engine_table { SIM_TABLE, SIM_OTHER, SIM_COUNTERS, SIM_TABLE_COUNT };

struct sim_engine {
    struct sim_world *world;
    struct sim_machine *machine;
    struct env *env;            // NULL: no process.
    struct failing_env failing; // The engine's, above that.
    struct engine *engine;      // NULL: not open.
    struct schema *schema;
    const struct table *tables[SIM_TABLE_COUNT];
    struct arena arena;
    struct read_pins pins;
    uint64_t position; // Of the newest change.
    const char *root;
    bool auto_snapshot;
    struct error error;
};

// A machine with the directories of `root` (an absolute path). What is not synced is lost or not,
// by the seed.
void sim_engine_init(struct sim_engine *sim, uint64_t seed, const char *root);
void sim_engine_deinit(struct sim_engine *sim);
// A process, if there is none.
void sim_engine_start(struct sim_engine *sim);
// With a new process if there is none. A table that is not in the schema any more was dropped.
enum status sim_engine_open(struct sim_engine *sim);
// Kills the process, or all the machine.
void sim_engine_kill(struct sim_engine *sim, bool power);
// Steps until `*done`. False: the process died, or nothing happened for long.
bool sim_engine_await(struct sim_engine *sim, const bool *done);

// Writes rows (key, row) with `first` <= key < `end`, some deletions among them, and counts; all is
// synced if the status is OK.
enum status sim_engine_write(struct sim_engine *sim, enum sim_engine_table table, int first,
                             int end, int round);
enum status sim_engine_wait_synced(struct sim_engine *sim);
enum status sim_engine_flush(struct sim_engine *sim);
// t and n in two SSTables and the memtable, u in one and the memtable; everything durable.
void sim_engine_fill(struct sim_engine *sim);

// The rows of a table, a line each. Anything but OK: `text` is to be forgotten.
enum status sim_engine_put_rows(struct sim_engine *sim, enum sim_engine_table table,
                                struct buffer *text);
// Those of one partition; it is closed. END when all went well.
enum status sim_engine_put_partition(struct sim_engine *sim, struct partition_iterator *partition,
                                     struct buffer *text);
// DIR/data/ks/NAME-ID
const char *sim_engine_table_directory(struct sim_engine *sim, enum sim_engine_table table);

#endif
