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

enum remote_state { REMOTE_ASKING, REMOTE_COLLECTING, REMOTE_REPAIRING, REMOTE_RESOLVED };

enum remote_answer {
    REMOTE_NOT_ASKED,
    REMOTE_ASKED_DIGEST,
    REMOTE_ASKED_DATA,
    REMOTE_HAS_DIGEST,
    REMOTE_HAS_DATA,
    REMOTE_SENT_REPAIR,
    REMOTE_IS_EQUAL, // It has all that the merge has, synced.
    REMOTE_LOST,
};

// One replica of a piece.
struct remote_contact {
    struct messaging_request request;
    struct remote_piece *piece;
    struct replica_read *local; // Ours: under way, or its data is in use.
    uint16_t member, center;    // `center` in EACH_QUORUM only.
    enum remote_answer answer;
    uint8_t digest[16];
    struct slice data;
    uint64_t asked_ns;
};

struct remote_piece {
    struct remote_read *remote;
    struct remote_piece *next;
    enum remote_state state;
    bool is_over;                   // All of it is there.
    bool is_scan;                   // Of `range`; else of one partition.
    struct partition_key key;       // The partition, or the one of the range that was cut.
    struct scan_range range;        // What is left of it.
    struct partition_filter filter; // For the present chunk: of `key`, if that was cut.
    bool in_partition;              // The present chunk is a part of `key`.
    struct read_reach reach;        // Of the last chunk.
    bool is_trusted;                // All chunks are our own.
    struct read_chunk *chunks, *last;
    struct slice merged;             // While it is repaired.
    struct remote_contact *contacts; // Those that live and count, the best first.
    uint16_t contact_count;
    int required, alive, failures;
    bool is_each_quorum;
};

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
void remote_read_free(struct remote_read *remote); // One that is not in use.

// remote_plan.c: which pieces, and whom to ask.

// Every partition or place of the read has enough replicas alive; else `read->result` says
// UNAVAILABLE. `*is_local`: one answer is enough, and ours will do for all.
bool remote_plan_check(struct coordinator *coordinator, struct coordinator_read *read,
                       enum consistency consistency, bool *is_local);
// Adds up to `count` pieces. False: UNAVAILABLE, `read->result` says so.
bool remote_plan_add_pieces(struct remote_read *remote, size_t count);
// Enough of the contacts have one of these answers (bits).
bool remote_plan_suffices(const struct remote_piece *piece, unsigned answers);
int remote_plan_count(const struct remote_piece *piece, unsigned answers);
// The next one to ask that lives, where more than those with `answers` are wanted; NULL: there is
// none.
struct remote_contact *remote_plan_next_contact(const struct remote_piece *piece, unsigned answers);

#define REMOTE_BIT(answer) (1u << (answer))

#endif
