// What a benchmark found, for people and for programs (one JSON object in a line).
#ifndef CQL_CLIENT_BENCH_REPORT_H
#define CQL_CLIENT_BENCH_REPORT_H

#include "base/buffer.h"
#include "cql/client/bench.h"

// Some lines of text.
void bench_report_put_text(struct buffer *text, const struct cql_bench_options *options,
                           const struct cql_bench_result *result);
// {"type":"summary",…}
void bench_report_put_json(struct buffer *text, const struct cql_bench_options *options,
                           const struct cql_bench_result *result);
// {"type":"second",…}
void bench_report_put_second_json(struct buffer *text, const struct cql_bench_second *second);
// "12 s: 19998/s, p50 210, p99 1200, max 3100 us", without the end of the line.
void bench_report_put_second_text(struct buffer *text, const struct cql_bench_second *second);

// The rate was held within 1 %, everything was answered, and nothing with an error.
bool bench_report_is_good(const struct cql_bench_options *options,
                          const struct cql_bench_result *result);

#endif
