#include "storage/sstable/estimated_histogram.h"

#include "base/assert.h"

void estimated_histogram_init(struct estimated_histogram *histogram, size_t offset_count)
{
    ASSERT(offset_count >= 1 && offset_count <= ESTIMATED_HISTOGRAM_MAX);
    memset(histogram, 0, sizeof *histogram);
    histogram->offset_count = offset_count;
    uint64_t offset = 1;
    for (size_t i = 0; i < offset_count; i++) {
        histogram->offsets[i] = offset;
        // Java's Math.round(offset * 1.2): half up.
        uint64_t next = (uint64_t)((double)offset * 1.2 + 0.5);
        offset = next == offset ? offset + 1 : next;
    }
}

void estimated_histogram_add(struct estimated_histogram *histogram, uint64_t value)
{
    size_t low = 0, high = histogram->offset_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (histogram->offsets[middle] < value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    histogram->buckets[low]++;
}

void estimated_histogram_encode(const struct estimated_histogram *histogram, struct buffer *bytes)
{
    // i32 count, count × { i64 offset, i64 bucket }: the first offset stands there twice.
    buffer_put_u32(bytes, (uint32_t)histogram->offset_count + 1);
    for (size_t i = 0; i <= histogram->offset_count; i++) {
        buffer_put_u64(bytes, histogram->offsets[i == 0 ? 0 : i - 1]);
        buffer_put_u64(bytes, histogram->buckets[i]);
    }
}
