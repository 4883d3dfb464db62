#include "node/sstable_tool/term_histogram.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { BAR_WIDTH = 30, OFFSET_COUNT = 165 };

// Buckets that grow by a fifth, for the percentiles: the moments of tombstones go beyond the 155
// that files have.
struct buckets {
    int64_t offsets[OFFSET_COUNT];
    double counts[OFFSET_COUNT + 1], total;
};

static void buckets_fill(struct buckets *buckets, const struct term_histogram *histogram)
{
    *buckets = (struct buckets){.offsets = {1}};
    for (size_t i = 1; i < OFFSET_COUNT; i++) {
        int64_t last = buckets->offsets[i - 1];
        int64_t next = (int64_t)floor((double)last * 1.2 + 0.5);
        buckets->offsets[i] = next == last ? last + 1 : next;
    }
    for (size_t i = 0; i < histogram->count; i++) {
        size_t at = 0;
        while (at < OFFSET_COUNT && buckets->offsets[at] < histogram->bins[i].offset)
            at++;
        buckets->counts[at] += (double)histogram->bins[i].count;
        buckets->total += (double)histogram->bins[i].count;
    }
}

static int64_t percentile(const struct buckets *buckets, double fraction)
{
    double wanted = ceil(buckets->total * fraction), seen = 0;
    if (wanted <= 0) return 0;
    for (size_t i = 0; i < OFFSET_COUNT; i++) {
        seen += buckets->counts[i];
        if (seen >= wanted) return buckets->offsets[i];
    }
    return INT64_MAX;
}

static int64_t smallest(const struct buckets *buckets)
{
    for (size_t i = 0; i < OFFSET_COUNT; i++)
        if (buckets->counts[i] > 0) return i == 0 ? 0 : 1 + buckets->offsets[i - 1];
    return 0;
}

static int64_t largest(const struct buckets *buckets)
{
    if (buckets->counts[OFFSET_COUNT] > 0) return INT64_MAX;
    for (size_t i = OFFSET_COUNT; i-- > 0;)
        if (buckets->counts[i] > 0) return buckets->offsets[i];
    return 0;
}

static size_t offset_width(const struct term_histogram *histogram, int64_t offset)
{
    struct buffer text;
    buffer_init(&text, 1024);
    histogram->put_offset(offset, &text);
    size_t width = text.size;
    buffer_deinit(&text);
    return width;
}

static void put_padded(const struct term_histogram *histogram, int64_t offset, size_t width,
                       struct buffer *text)
{
    size_t start = text->size;
    histogram->put_offset(offset, text);
    while (text->size < start + width && !text->overflow)
        buffer_put_u8(text, ' ');
}

static void put_bar(int64_t count, int64_t max, struct buffer *text)
{
    double width = (double)count * 1.0 / (double)max * BAR_WIDTH;
    int whole = (int)width;
    double rest = width - whole;
    for (int i = 0; i < whole; i++)
        buffer_put_u8(text, 'O');
    if (rest >= 0.3) buffer_put_u8(text, rest >= 0.75 ? 'o' : '.');
}

void term_histogram_put(const struct term_histogram *histogram, struct buffer *text)
{
    size_t width = strlen(histogram->title);
    int count_width = 5;
    int64_t max = 0;
    double sum = 0;
    for (size_t i = 0; i < histogram->count; i++) {
        int64_t count = histogram->bins[i].count;
        size_t wide = offset_width(histogram, histogram->bins[i].offset);
        int long_count = snprintf(NULL, 0, "%" PRId64, count);
        if (wide > width) width = wide;
        if (long_count > count_width) count_width = long_count;
        if (count > max) max = count;
        sum += (double)count;
    }
    buffer_put_format(text, "   %-*s | %-*s  (%%)  Histogram \n", (int)width, histogram->title,
                      count_width, "Count");
    for (size_t i = 0; i < histogram->count; i++) {
        const struct term_bin *bin = &histogram->bins[i];
        buffer_put_format(text, "   ");
        put_padded(histogram, bin->offset, width, text);
        buffer_put_format(text, " | %*" PRId64 " (%3d) ", count_width, bin->count,
                          (int)(100 * ((double)bin->count / sum)));
        put_bar(bin->count, max, text);
        buffer_put_u8(text, '\n');
    }
    struct buckets buckets;
    buckets_fill(&buckets, histogram);
    static const char *const names[] = {"50th", "75th", "95th", "98th", "99th", "Min", "Max"};
    int64_t values[] = {percentile(&buckets, .5),  percentile(&buckets, .75),
                        percentile(&buckets, .95), percentile(&buckets, .98),
                        percentile(&buckets, .99), smallest(&buckets),
                        largest(&buckets)};
    buffer_put_format(text, "   Percentiles\n");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        buffer_put_format(text, "   %-10s", names[i]);
        histogram->put_offset(values[i], text);
        buffer_put_u8(text, '\n');
    }
}
