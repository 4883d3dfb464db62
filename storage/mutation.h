// A change to one partition (org.apache.cassandra.db.Mutation of one PartitionUpdate): what a
// statement makes, the commit log keeps, a memtable applies and replicas exchange.
//
// Range deletions are ranges here, not markers; a memtable turns them into markers when read.
#ifndef STORAGE_MUTATION_H
#define STORAGE_MUTATION_H

#include "base/buffer.h"
#include "base/cursor.h"
#include "storage/row.h"

struct range_deletion {
    struct clustering_range range;
    struct deletion deletion;
};

struct mutation {
    const struct table *table; // Borrowed.
    struct partition_key key;
    struct deletion deletion;     // Of the whole partition.
    const struct row *static_row; // NULL: none.
    const struct row *rows;       // In clustering order, each place once.
    size_t row_count;
    const struct range_deletion *range_deletions; // In any order; they may overlap.
    size_t range_deletion_count;
    // Counter cells are whole contexts, ready to merge, as a leader made them. The increments of a
    // client are a struct counter_update (engine.h), never a mutation.
};

// Writes `mutation` with its table's id and its columns by name, so that it can be read under a
// later version of the table.
void mutation_encode(const struct mutation *mutation, struct buffer *bytes);
// The table's id of an encoded mutation. CORRUPT.
MUST_USE enum status mutation_decode_table_id(struct slice bytes, struct uuid *id);
// Reads it into the arena as a change to `table`; cells of columns that it no longer has are
// dropped. CORRUPT. `bytes` must outlive the mutation.
MUST_USE enum status mutation_decode(struct slice bytes, const struct table *table,
                                     struct arena *arena, struct mutation *mutation,
                                     struct error *error);

#endif
