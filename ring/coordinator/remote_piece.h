// One piece of a remote read, and one replica of a piece. Inside of ring/coordinator/.
#ifndef RING_REMOTE_PIECE_H
#define RING_REMOTE_PIECE_H

#include "ring/coordinator/remote_read.h"

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
    uint32_t row_max; // Of the present chunk, as in the read.
    int required, alive;
    struct coordinator_result faults; // Only who has failed, and how many.
    bool is_each_quorum;
};

// Asks for the chunk that it stands at. It is then one of the read's open ones until it is
// resolved; whoever calls goes on with the read.
void remote_piece_begin(struct remote_piece *piece);
// Asks for what is behind the last chunk.
void remote_piece_continue(struct remote_piece *piece);
void remote_piece_speculate(struct remote_piece *piece);
// The read fails, with this piece's numbers.
void remote_piece_fail(struct remote_piece *piece, enum coordinator_outcome outcome);
// Nothing that was asked for is wanted any more.
void remote_piece_drop(struct remote_piece *piece);

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
