// How often which value came, for latencies: fixed memory, a few nanoseconds to record, and every
// answer within 1/32 of the truth. The layout is that of HdrHistogram: buckets of equal width
// within a power of two, twice as wide in the next.
//
//     value    0 1 2 … 31 | 32 33 … 63 | 64 66 68 … 126 | 128 132 … | …       up to 2^64 - 1
//     bucket   0 1 2 … 31 | 32 33 … 63 | 64 65 66 … 95  | 96  97  … | …
//
// Cassandra's EstimatedHistogram, as its files have it, is another one.
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_STEP_BITS = 5,
    HISTOGRAM_STEPS = 1 << HISTOGRAM_STEP_BITS,
    HISTOGRAM_BUCKET_COUNT = (64 - HISTOGRAM_STEP_BITS + 1) * HISTOGRAM_STEPS,
};

struct histogram {
    uint64_t count; // Of all values.
    uint64_t sum;   // Wraps around; the mean is right below 2^64.
    uint64_t min;   // UINT64_MAX and 0 when there is no value.
    uint64_t max;
    uint64_t buckets[HISTOGRAM_BUCKET_COUNT];
};

void histogram_init(struct histogram *histogram);
void histogram_record(struct histogram *histogram, uint64_t value);
// Adds the values of `other`.
void histogram_merge(struct histogram *histogram, const struct histogram *other);

// The value that `percent` % of the values (0…100) do not exceed, at most 1/32 above the exact one.
// 100 gives the largest value exactly. 0 when there is none.
uint64_t histogram_percentile(const struct histogram *histogram, double percent);
double histogram_mean(const struct histogram *histogram);

#endif
