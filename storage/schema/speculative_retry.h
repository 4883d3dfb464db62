// When a read asks one more replica: "99p", "50ms", "MIN(99p,50ms)", "MAX(…)", "NEVER", "ALWAYS"
// (org.apache.cassandra.service.reads.SpeculativeRetryPolicy and its kinds). A table has its policy
// as text, which DESCRIBE shows, and as this.
#ifndef STORAGE_SCHEMA_SPECULATIVE_RETRY_H
#define STORAGE_SCHEMA_SPECULATIVE_RETRY_H

#include "base/buffer.h"

enum speculative_retry_kind {
    SPECULATIVE_RETRY_UNKNOWN, // No policy: the coordinator knows best.
    SPECULATIVE_RETRY_NEVER,
    SPECULATIVE_RETRY_ALWAYS, // At once.
    SPECULATIVE_RETRY_PERCENTILE,
    SPECULATIVE_RETRY_FIXED,
    SPECULATIVE_RETRY_MIN, // The lower one of both (HybridSpeculativeRetryPolicy).
    SPECULATIVE_RETRY_MAX,
};

struct speculative_retry {
    enum speculative_retry_kind kind;
    double percent;    // PERCENTILE, MIN, MAX: of the latencies; between 0 and 100.
    uint64_t fixed_ns; // FIXED, MIN, MAX.
};

enum speculative_retry_fault {
    SPECULATIVE_RETRY_GOOD,
    SPECULATIVE_RETRY_MALFORMED,
    SPECULATIVE_RETRY_PERCENT,     // A percentile that is not between 0 and 100.
    SPECULATIVE_RETRY_TWO_FIXED,   // MIN or MAX of two of one kind.
    SPECULATIVE_RETRY_TWO_PERCENT, // The same.
};

// Letters of either case. UNKNOWN with a fault.
enum speculative_retry_fault speculative_retry_parse(struct slice text,
                                                     struct speculative_retry *policy);
// As Cassandra writes what it has parsed: capitals, whole milliseconds, four decimals of a
// percentage at most, and the percentage first. Nothing for UNKNOWN.
void speculative_retry_put_text(const struct speculative_retry *policy, struct buffer *text);

#endif
