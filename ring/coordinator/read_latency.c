#include "ring/coordinator/read_latency.h"

#include <stdlib.h>
#include <strings.h>

enum { FIRST_COUNT = 128, PERIOD_COUNT = 2048, POLICY_SIZE_MAX = 64 };
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

// "99p", "99percentile", "50ms", "50.00ms". `*end` is behind it.
static uint64_t read_latency_number(struct read_latency *latency, const char *text, char **end,
                                    uint64_t unknown_ns)
{
    double value = strtod(text, end);
    bool is_valid = *end != text && value >= 0 && value < 1e12;
    if (is_valid && strncasecmp(*end, "ms", 2) == 0) {
        *end += 2;
        return (uint64_t)(value * 1e6);
    }
    if (!is_valid || ((*end)[0] != 'p' && (*end)[0] != 'P')) return unknown_ns;
    *end += strncasecmp(*end, "percentile", 10) == 0 ? 10 : 1;
    return read_latency_percentile(latency, value, unknown_ns);
}

uint64_t read_latency_threshold_ns(struct read_latency *latency, struct slice speculative_retry,
                                   uint64_t timeout_ns)
{
    char text[POLICY_SIZE_MAX];
    size_t size = 0;
    for (size_t i = 0; i < speculative_retry.size && size < sizeof text - 1; i++)
        if (speculative_retry.data[i] != ' ') text[size++] = (char)speculative_retry.data[i];
    text[size] = '\0';
    if (strcasecmp(text, "always") == 0) return 0;
    if (strcasecmp(text, "never") == 0 || strcasecmp(text, "none") == 0) return UINT64_MAX;
    char *end;
    uint64_t unknown_ns = timeout_ns / 2 < UNKNOWN_NS ? timeout_ns / 2 : UNKNOWN_NS;
    bool is_min = strncasecmp(text, "min(", 4) == 0, is_max = strncasecmp(text, "max(", 4) == 0;
    if (!is_min && !is_max) return read_latency_number(latency, text, &end, unknown_ns);
    uint64_t first = read_latency_number(latency, text + 4, &end, unknown_ns);
    uint64_t second = first;
    if (*end == ',') second = read_latency_number(latency, end + 1, &end, unknown_ns);
    return (first < second) == is_min ? first : second;
}
