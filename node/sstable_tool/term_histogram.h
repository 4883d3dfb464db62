// Histograms with bars, as Cassandra's tools print them
// (org.apache.cassandra.tools.Util.TermHistogram).
#ifndef NODE_SSTABLE_TOOL_TERM_HISTOGRAM_H
#define NODE_SSTABLE_TOOL_TERM_HISTOGRAM_H

#include "base/buffer.h"

struct term_bin {
    int64_t offset, count;
};

struct term_histogram {
    const char *title; // Of the offsets.
    const struct term_bin *bins;
    size_t count;
    void (*put_offset)(int64_t offset, struct buffer *text);
};

void term_histogram_put(const struct term_histogram *histogram, struct buffer *text);

#endif
