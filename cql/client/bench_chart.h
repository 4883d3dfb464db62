// What a benchmark found as a picture (SVG): latency percentiles over the measured time, and the
// percentile curve, both on logarithmic scales.
//
//     max  ..:..:.:....:..       |             _/
//     p99  ------/\------        |        ____/
//     p50  _______________       | ______/
//          0 s           10 s    0   90 %   99 %   99.9 %
#ifndef CQL_CLIENT_BENCH_CHART_H
#define CQL_CLIENT_BENCH_CHART_H

#include "base/buffer.h"
#include "cql/client/bench.h"

// `title` stands on top.
void bench_chart_put(struct buffer *svg, const char *title, const struct cql_bench_options *options,
                     const struct cql_bench_result *result);

#endif
