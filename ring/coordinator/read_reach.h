// How far a chunk has come, and what is left to read behind that place.
#ifndef RING_READ_REACH_H
#define RING_READ_REACH_H

#include "ring/coordinator/read_decoder.h"

// Behind the whole partition `key`, or behind a row or marker of it.
struct read_reach {
    struct partition_key key;
    bool is_known;
    bool in_partition;
    struct bound place; // If in_partition.
};

// Of a decoder that is at its end. Points to what the decoder points to.
struct read_reach read_reach_of_decoder(const struct read_decoder *decoder);
// The same, found by reading the chunk; copied to the arena. CORRUPT.
MUST_USE enum status read_reach_of_chunk(const struct read_chunk *chunk, const struct table *table,
                                         bool reversed, struct arena *arena,
                                         struct read_reach *reach);
struct read_reach read_reach_copy(const struct read_reach *reach, struct arena *arena);
int read_reach_compare(const struct table *table, bool reversed, const struct read_reach *a,
                       const struct read_reach *b);
// The ranges of `filter` behind the place in its partition, in `arena`. False: none.
bool read_reach_cut_filter(const struct read_reach *reach, const struct table *table,
                           const struct partition_filter *filter, struct arena *arena,
                           struct partition_filter *cut);

#endif
