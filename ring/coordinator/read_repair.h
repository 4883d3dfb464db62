// When replicas differ: the merge of what they answered, and what each of them lacks of it
// (org.apache.cassandra.service.reads.repair.RowIteratorMergeListener).
//
// A replica lacks a row that is another one in the merge (it gets all of that row; of a large one,
// what differs), and a deletion of a partition or of a range of rows where its own is none or
// older.
#ifndef RING_READ_REPAIR_H
#define RING_READ_REPAIR_H

#include "base/buffer.h"
#include "ring/coordinator/read_reach.h"

struct read_repair {
    const struct table *table;
    bool reversed;
    int32_t now_s;
    struct arena *arena;  // What is made here stays there.
    struct buffer *bytes; // Scratch.
};

// An answer of a replica; our own node's is trusted.
struct read_repair_source {
    struct read_chunk chunk;
    bool is_trusted;
};

// It goes as far as the first of the sources that has more: `*reach`, if the merge has more.
// CORRUPT, OVERLOADED.
MUST_USE enum status read_repair_merge(const struct read_repair *repair,
                                       const struct read_repair_source *sources, size_t count,
                                       struct read_chunk *merged, struct read_reach *reach);
// Writes what the source lacks as the body of a VERB_WRITE: a mutation for each partition. Nothing,
// if it has all. CORRUPT, OVERLOADED.
MUST_USE enum status read_repair_put_difference(const struct read_repair *repair,
                                                const struct read_chunk *merged,
                                                const struct read_reach *reach,
                                                const struct read_repair_source *source,
                                                struct buffer *body);

#endif
