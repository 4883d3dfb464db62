// Where a SELECT goes on with its next page (org.apache.cassandra.service.pager.PagingState).
// Opaque to clients, who may keep it for long and send back anything: it checks itself.
//
//     u8 version 1, u32 hash of the rest, u8 flags, uv rows left by LIMIT, uv rows of the
//     partition, vbytes partition key, uv n, n × { uv size + 1 (0: null), bytes }
//
// The hash is seeded with the table, so that the state of another table's query is refused.
#ifndef CQL_EXECUTION_PAGING_STATE_H
#define CQL_EXECUTION_PAGING_STATE_H

#include "base/arena.h"
#include "storage/row.h"

struct paging_state {
    uint32_t limit_left;        // UINT32_MAX: no LIMIT.
    uint32_t rows_in_partition; // Rows or groups of it that have been given.
    struct slice key;           // The partition that was reached last.
    bool in_partition;          // It goes on behind (or, if `inclusive`, at) `clustering`; else
    bool inclusive;             // with the next partition.
    struct clustering clustering;
};

// In the arena.
struct slice paging_state_encode(const struct paging_state *state, struct uuid table,
                                 struct arena *arena);
// MALFORMED: not one of ours, or damaged. Slices point into `bytes`; values are in the arena.
MUST_USE enum status paging_state_decode(struct slice bytes, struct uuid table, struct arena *arena,
                                         struct paging_state *state);

#endif
