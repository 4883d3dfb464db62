// How long replicas take to answer reads, and so when another one is asked too, by the table's
// policy (org.apache.cassandra.service.reads.SpeculativeRetryPolicy).
#ifndef RING_READ_LATENCY_H
#define RING_READ_LATENCY_H

#include "base/histogram.h"
#include "storage/schema/speculative_retry.h"

#include <stdbool.h>

struct read_latency {
    struct histogram histogram; // ns, of the present period.
    double percent;             // That of `percentile_ns`.
    uint64_t percentile_ns;     // Of the last period that was long enough; 0: not known yet.
};

void read_latency_init(struct read_latency *latency);
void read_latency_record(struct read_latency *latency, uint64_t ns);
// How long to wait before another replica is asked: 0: not at all (ALWAYS); UINT64_MAX: it is never
// asked. `policy` is the table's, `timeout_ns` the read's.
uint64_t read_latency_threshold_ns(struct read_latency *latency,
                                   const struct speculative_retry *policy, uint64_t timeout_ns);

#endif
