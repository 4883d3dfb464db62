// What a benchmark asks, from a statement file:
//
//     -- A comment.
//     -- setup CREATE TABLE IF NOT EXISTS bench.hashtags (…)
//     -- bind text zipf 10000 prefix tag
//     -- bind text uniform 60 prefix d pad 2
//     -- weight 3
//     UPDATE bench.hashtags SET mentions = mentions + 1 WHERE hashtag = ? AND interval = ?
//
// One statement a line. "bind" and "weight" lines belong to the next statement: a bind for each of
// its markers, in their order (bench_value.h). Setup statements run once, in order, before all
// others. Of several statements each operation takes one by chance, as their weights say.
#ifndef CQL_CLIENT_BENCH_WORKLOAD_H
#define CQL_CLIENT_BENCH_WORKLOAD_H

#include "cql/client/bench_value.h"

enum { BENCH_VALUES_MAX = 64, BENCH_STATEMENTS_MAX = 64, BENCH_SETUP_MAX = 64 };

struct bench_statement {
    struct slice text;
    struct bench_value *values;
    size_t value_count;
    uint64_t weight;
};

struct bench_workload {
    struct arena arena; // Of all below.
    struct slice setup[BENCH_SETUP_MAX];
    size_t setup_count;
    struct bench_statement statements[BENCH_STATEMENTS_MAX];
    size_t statement_count;
    uint64_t weight_sum;
};

// MALFORMED: `error` names the line. Even then deinit follows.
MUST_USE enum status bench_workload_parse(struct bench_workload *workload, struct slice text,
                                          struct error *error);
void bench_workload_deinit(struct bench_workload *workload);
// One by chance.
struct bench_statement *bench_workload_choose(struct bench_workload *workload,
                                              struct random *random);

#endif
