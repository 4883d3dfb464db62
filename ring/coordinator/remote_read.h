// A read that needs more than this node (org.apache.cassandra.service.reads: AbstractReadExecutor,
// DigestResolver, DataResolver, BlockingReadRepair).
//
// The read is cut into pieces, each of which has one set of replicas: a partition, or a run of the
// ring. Some pieces at a time are asked for; when all of these are resolved the reader consumes all
// that there is, and if it wants more, more is asked for. A piece comes in chunks
// (read_encoder.h), and each chunk is agreed upon by as many replicas as the level says:
//
//     piece: ASKING --data and digests are equal----------------> RESOLVED --more is wanted--.
//       ^      \--they differ--> COLLECTING --merged--> REPAIRING --'                        |
//       |                         data of all           what each lacked is synced there     |
//       '------------------------------------------------------------------------------------'
//
// A replica that is lost, or slow (speculative_retry), is replaced by another one that lives. The
// data of a chunk with digests is that of one replica, ours if we are one; so no byte of it is
// copied but once.
//
// Repairs are waited for at the read's level (invariant E7: QUORUM reads never go backwards); a
// table with read_repair = 'NONE' has none.
#ifndef RING_REMOTE_READ_H
#define RING_REMOTE_READ_H

#include "ring/coordinator/read_pool.h"
#include "ring/coordinator/read_reach.h"
#include "ring/coordinator/replica_plan.h"

struct remote_read {
    struct coordinator_read *read;
    struct coordinator *coordinator;
    struct read_pool *pool;
    struct remote_read *next, **place; // In use, or free.
    struct arena arena;
    enum consistency consistency;
    struct remote_piece *pieces, **pieces_end; // In order.
    struct remote_piece *consumed;             // Where the reader is, or stopped for want of data.
    size_t piece_count, open_count;            // Of those: not resolved.
    size_t next_key;
    struct scan_bound next_start;
    bool is_planned; // There is no piece behind those.
    bool has_failed;
    size_t window, size;
    uint64_t timeout_ns, deadline_ns, threshold_ns;
    bool has_speculated;
    struct env_timer timer;
};

// Begins. True: it is over at once, and `read->result` says how; else read->done() comes.
MUST_USE bool remote_read_start(struct coordinator *coordinator, struct coordinator_read *read,
                                enum consistency consistency);
// Frees it; nobody hears of its end. Does not touch messaging, engine and env.
void remote_read_abandon(struct remote_read *remote);
void remote_read_free(struct remote_read *remote); // Memory alone.
// For pieces: something has come, or can not come.
void remote_read_go_on(struct remote_read *remote);
void remote_read_fail(struct remote_read *remote, enum coordinator_outcome outcome);

#endif
