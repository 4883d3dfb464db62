// What an acceptor remembers of one partition (org.apache.cassandra.service.paxos.PaxosState), in
// the engine's table system.paxos:
//
//     row_key | cf_id | in_progress_ballot | proposal_ballot, proposal | most_recent_commit_at,
//     most_recent_commit
//     proposal, most_recent_commit = u8 version | u64 log position | ballot | change
//     change = (vbytes record)*       ballot = i64 time | u16 member
//
// Cells are written with the position of the log as their timestamp, which only grows: which of two
// versions is newer is then no matter of clocks. They expire as in Cassandra, after the table's
// gc_grace_seconds and not before three hours.
//
// A proposal from before a truncation of the table changes nothing any more: each is noted with the
// engine's log position, to be compared with the truncation's.
#ifndef RING_PAXOS_STATE_H
#define RING_PAXOS_STATE_H

#include "base/cursor.h"
#include "ring/paxos/ballot.h"
#include "storage/engine/engine.h"

// A change that was proposed, under the ballot that it has now. `origin` is the one that it was
// first proposed with, by its own coordinator: who finishes another's proposal keeps it.
struct paxos_proposal {
    struct ballot ballot; // None: no proposal.
    struct ballot origin;
    struct slice change; // Empty: nothing changes.
};

struct paxos_state {
    struct ballot promised; // The highest promised, accepted or committed.
    struct paxos_proposal accepted;
    struct paxos_proposal committed;
};

// Of a row of system.paxos.
struct paxos_place {
    const struct table *paxos; // system.paxos itself.
    struct uuid table;         // The one that the partition is of.
    struct slice key;
};

// All in `arena`. `*position` is raised to the newest change seen. WOULD_BLOCK: load and call
// again.
MUST_USE enum status paxos_state_load(struct engine *engine, const struct paxos_place *place,
                                      int32_t now_s, struct read_pins *pins, struct arena *arena,
                                      struct paxos_state *state, uint64_t *position);

enum paxos_part { PAXOS_PART_PROMISE, PAXOS_PART_PROPOSAL, PAXOS_PART_COMMIT };
// Writes one part of it; a promise is only its ballot. In the log (pending) as engine_apply().
MUST_USE enum status paxos_state_store(struct engine *engine, const struct paxos_place *place,
                                       enum paxos_part part, const struct paxos_proposal *proposal,
                                       int32_t now_s, int32_t gc_grace_s, struct arena *arena,
                                       uint64_t *position);

// Ballots and proposals as bytes; a proposal's change is vbytes.
void paxos_state_put_ballot(struct buffer *bytes, struct ballot ballot);
struct ballot paxos_state_get_ballot(struct cursor *bytes);
void paxos_state_put_proposal(struct buffer *bytes, const struct paxos_proposal *proposal);
struct paxos_proposal paxos_state_get_proposal(struct cursor *bytes); // Borrows from `bytes`.

#endif
