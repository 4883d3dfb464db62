// The acceptor of single-decree Paxos (Lamport, "Paxos Made Simple"): what it remembers and what it
// may answer, without any I/O. The metadata log has one for each number, conditional statements one
// for each partition (org.apache.cassandra.service.paxos.PaxosState).
//
// Whoever uses it makes the changed state durable before it answers.
#ifndef RING_BALLOT_H
#define RING_BALLOT_H

#include <stdbool.h>
#include <stdint.h>

// Ordered by time, then by member. Zero: none. A proposer never uses one twice, also not after a
// restart: its time is of the wall clock and beyond any that it saw.
struct ballot {
    int64_t time_us;
    uint16_t member;
};

static inline int ballot_compare(struct ballot a, struct ballot b)
{
    if (a.time_us != b.time_us) return a.time_us < b.time_us ? -1 : 1;
    return (a.member > b.member) - (a.member < b.member);
}

static inline bool ballot_is_none(struct ballot ballot)
{
    return ballot.time_us == 0;
}

// `promised` is the highest that was promised or accepted.
static inline bool ballot_may_promise(struct ballot promised, struct ballot ballot)
{
    return ballot_compare(ballot, promised) > 0;
}

static inline bool ballot_may_accept(struct ballot promised, struct ballot ballot)
{
    return ballot_compare(ballot, promised) >= 0;
}

#endif
