#include "base/histogram.h"

#include "base/assert.h"

#include <string.h>

void histogram_init(struct histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
    histogram->min = UINT64_MAX;
}

static unsigned histogram_bucket(uint64_t value)
{
    if (value < HISTOGRAM_STEPS) return (unsigned)value;
    // The highest HISTOGRAM_STEP_BITS + 1 bits of the value, the first of which is one, name the
    // bucket in its power of two.
    unsigned shift = 63 - HISTOGRAM_STEP_BITS - (unsigned)__builtin_clzll(value);
    return (shift + 1) * HISTOGRAM_STEPS + (unsigned)(value >> shift) - HISTOGRAM_STEPS;
}

// The largest value that is counted in the bucket.
static uint64_t histogram_bucket_end(unsigned bucket)
{
    if (bucket < HISTOGRAM_STEPS) return bucket;
    unsigned shift = bucket / HISTOGRAM_STEPS - 1;
    uint64_t first = (uint64_t)(HISTOGRAM_STEPS + bucket % HISTOGRAM_STEPS) << shift;
    return first + (((uint64_t)1 << shift) - 1);
}

void histogram_record(struct histogram *histogram, uint64_t value)
{
    histogram->buckets[histogram_bucket(value)]++;
    histogram->count++;
    histogram->sum += value;
    if (value < histogram->min) histogram->min = value;
    if (value > histogram->max) histogram->max = value;
}

void histogram_merge(struct histogram *histogram, const struct histogram *other)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKET_COUNT; i++)
        histogram->buckets[i] += other->buckets[i];
    histogram->count += other->count;
    histogram->sum += other->sum;
    if (other->min < histogram->min) histogram->min = other->min;
    if (other->max > histogram->max) histogram->max = other->max;
}

uint64_t histogram_percentile(const struct histogram *histogram, double percent)
{
    ASSERT(percent >= 0 && percent <= 100);
    if (histogram->count == 0) return 0;
    // The smallest rank, counted from 1, that has at least the share below or at it.
    double exact = percent / 100 * (double)histogram->count;
    uint64_t rank = (uint64_t)exact;
    if ((double)rank < exact || rank == 0) rank++;
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKET_COUNT; i++) {
        seen += histogram->buckets[i];
        if (seen < rank) continue;
        uint64_t end = histogram_bucket_end(i);
        return end < histogram->max ? end : histogram->max;
    }
    return histogram->max;
}

double histogram_mean(const struct histogram *histogram)
{
    return histogram->count == 0 ? 0 : (double)histogram->sum / (double)histogram->count;
}
