// What the files engine_index*.c share, and what the engine's others call.
#ifndef STORAGE_ENGINE_INDEX_INTERNAL_H
#define STORAGE_ENGINE_INDEX_INTERNAL_H

#include "storage/engine/engine_internal.h"
#include "storage/index/index_table.h"

struct engine_index {
    struct uuid id;              // Of the definition.
    struct engine_table *hidden; // NULL: it needs none.
    struct index_plan plan;
    bool is_built;
};

// NULL: there is none.
struct engine_index *engine_index_find(const struct engine_table *table, struct uuid id);

// ---- Writing ------------------------------------------------------------------------------------

// Entries of a mutation that is about to be logged.
MUST_USE enum status engine_index_mutation(struct engine_table *table,
                                           const struct mutation *mutation);
MUST_USE enum status engine_index_put_row(struct engine_index *index,
                                          const struct partition_key *key, const struct row *row,
                                          bool is_static);
// An entry that the base table does not bear out.
MUST_USE enum status engine_index_remove(struct engine_index *index, struct slice key,
                                         const struct clustering *clustering);
MUST_USE enum status engine_index_set_built(struct engine_index *index);

// ---- With the table -----------------------------------------------------------------------------

// The hidden tables of the table's present version; those that it no longer has are dropped.
MUST_USE enum status engine_index_open(struct engine_table *base, struct error *error);
void engine_index_drop(struct engine_table *base);
// At the engine's start, behind the replay: which are built. Blocks.
MUST_USE enum status engine_index_start(struct engine *engine, struct error *error);
// Those that are not built are, from now on: at once if there is nothing to read.
void engine_index_begin(struct engine_table *base);
// They lack something from now on, and are built anew; durable with the log.
MUST_USE enum status engine_index_forget(struct engine_table *base);

// ---- engine_index_build.c -----------------------------------------------------------------------

void engine_index_build(struct engine *engine);
// The one of this table that is being built begins again.
void engine_index_build_anew(struct engine *engine, const struct engine_table *base);
// The table goes, or changes: it is looked for again.
void engine_index_build_stop(struct engine *engine);
void engine_index_build_abandon(struct engine *engine);

#endif
