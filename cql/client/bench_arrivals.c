#include "cql/client/bench_arrivals.h"

#include "base/assert.h"

#include <math.h>

static double exponential_gap(struct bench_arrivals *arrivals)
{
    return -arrivals->gap_ns * log1p(-random_f64(&arrivals->random));
}

void bench_arrivals_init(struct bench_arrivals *arrivals, enum bench_arrival_kind kind,
                         uint64_t rate, uint64_t begun_ns, uint64_t seed)
{
    ASSERT(rate > 0);
    *arrivals = (struct bench_arrivals){
        .kind = kind, .begun_ns = begun_ns, .gap_ns = 1e9 / (double)rate, .offset_ns = 0};
    // Not the numbers that the values are made of.
    random_init(&arrivals->random, seed ^ 0x9E3779B97F4A7C15ull);
    if (kind == BENCH_ARRIVALS_POISSON) bench_arrivals_advance(arrivals);
}

uint64_t bench_arrivals_due_ns(const struct bench_arrivals *arrivals)
{
    return arrivals->begun_ns + (uint64_t)arrivals->offset_ns;
}

void bench_arrivals_advance(struct bench_arrivals *arrivals)
{
    arrivals->offset_ns +=
        arrivals->kind == BENCH_ARRIVALS_EVEN ? arrivals->gap_ns : exponential_gap(arrivals);
}
