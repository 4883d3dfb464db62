#include "ring/coordinator/read_latency.h"

enum { FIRST_COUNT = 128, PERIOD_COUNT = 2048 };
// When nothing is known yet, a replica in one box is late after that. (Cassandra: half the
// timeout.)
#define UNKNOWN_NS 50000000ull

void read_latency_init(struct read_latency *latency)
{
    histogram_init(&latency->histogram);
    latency->percent = 99;
    latency->percentile_ns = 0;
}

void read_latency_record(struct read_latency *latency, uint64_t ns)
{
    histogram_record(&latency->histogram, ns);
    if (latency->histogram.count < (latency->percentile_ns == 0 ? FIRST_COUNT : PERIOD_COUNT))
        return;
    latency->percentile_ns = histogram_percentile(&latency->histogram, latency->percent);
    histogram_init(&latency->histogram);
}

static uint64_t read_latency_percentile(struct read_latency *latency, double percent,
                                        uint64_t unknown_ns)
{
    if (latency->percent != percent) { // Another table's: known after the next period.
        latency->percent = percent;
        latency->percentile_ns = 0;
    }
    return latency->percentile_ns == 0 ? unknown_ns : latency->percentile_ns;
}

uint64_t read_latency_threshold_ns(struct read_latency *latency,
                                   const struct speculative_retry *policy, uint64_t timeout_ns)
{
    uint64_t unknown_ns = timeout_ns / 2 < UNKNOWN_NS ? timeout_ns / 2 : UNKNOWN_NS;
    uint64_t fixed_ns = policy->fixed_ns, percentile_ns = unknown_ns;
    if (policy->kind == SPECULATIVE_RETRY_PERCENTILE || policy->kind == SPECULATIVE_RETRY_MIN ||
        policy->kind == SPECULATIVE_RETRY_MAX)
        percentile_ns = read_latency_percentile(latency, policy->percent, unknown_ns);
    switch (policy->kind) {
    case SPECULATIVE_RETRY_ALWAYS:
        return 0;
    case SPECULATIVE_RETRY_NEVER:
        return UINT64_MAX;
    case SPECULATIVE_RETRY_FIXED:
        return fixed_ns;
    case SPECULATIVE_RETRY_MIN:
        return fixed_ns < percentile_ns ? fixed_ns : percentile_ns;
    case SPECULATIVE_RETRY_MAX:
        return fixed_ns > percentile_ns ? fixed_ns : percentile_ns;
    case SPECULATIVE_RETRY_UNKNOWN:
    case SPECULATIVE_RETRY_PERCENTILE:
        break;
    }
    return percentile_ns;
}
