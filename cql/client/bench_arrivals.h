// When the requests of an open loop are due: so many a second, whatever the server does.
//
//     even      |    |    |    |    |    |       the same gap each time
//     poisson   | ||      |  |        | ||       independent clients: gaps of an exponential
//                                                distribution with the same mean
//
// The schedule does not know when a request is really sent. Who falls behind it takes what is due
// as fast as it can, and measures from the due time: so the wait that a slow server causes to those
// who come meanwhile is in the latencies ("coordinated omission", G. Tene).
#ifndef CQL_CLIENT_BENCH_ARRIVALS_H
#define CQL_CLIENT_BENCH_ARRIVALS_H

#include "base/random.h"

enum bench_arrival_kind { BENCH_ARRIVALS_EVEN, BENCH_ARRIVALS_POISSON };

struct bench_arrivals {
    enum bench_arrival_kind kind;
    uint64_t begun_ns;
    double gap_ns;    // The mean.
    double offset_ns; // Of the next one, from `begun_ns`: no rounding adds up.
    struct random random;
};

// `rate` a second, above 0; the first is due at `begun_ns` (evenly) or a gap later.
void bench_arrivals_init(struct bench_arrivals *arrivals, enum bench_arrival_kind kind,
                         uint64_t rate, uint64_t begun_ns, uint64_t seed);
// When the next one is due, on the clock of `begun_ns`.
uint64_t bench_arrivals_due_ns(const struct bench_arrivals *arrivals);
// It was taken; the one after it is next.
void bench_arrivals_advance(struct bench_arrivals *arrivals);

#endif
