// Values for the markers of a benchmark's statements: which number comes next, and how it looks.
//
//     TYPE KIND [ARGUMENT] [exponent E] [prefix TEXT] [pad WIDTH] [sizes KIND] [from SIZE]
//
//     text zipf 10000 prefix tag       tag1 often, tag2 half as often, … (exponent 1)
//     text uniform 60 prefix d pad 2   d00 … d59
//     bigint sequence 1000             1000, 1001, …
//     int constant 7
//     int gaussian 1000                0 … 999, those near 500 most often (deviation: 1000 / 6)
//     blob random 32                   32 bytes; with text: 32 letters
//     blob random 1000 sizes uniform   0 to 1000 bytes; also: gaussian, zipf (the small most often)
//     blob random 900 sizes zipf from 100
//
// TYPE is text, ascii, varchar, blob, boolean, tinyint, smallint, int, bigint, counter, timestamp,
// float, double, uuid.
#ifndef CQL_CLIENT_BENCH_VALUE_H
#define CQL_CLIENT_BENCH_VALUE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/random.h"
#include "storage/schema/type.h"

enum bench_value_kind {
    BENCH_VALUE_ZIPF,     // 1 … limit, n as often as n^-exponent.
    BENCH_VALUE_UNIFORM,  // 0 … limit - 1
    BENCH_VALUE_SEQUENCE, // start, start + 1, …
    BENCH_VALUE_CONSTANT,
    BENCH_VALUE_RANDOM,   // `limit` bytes, or `size_min` to `limit` as `sizes` says.
    BENCH_VALUE_GAUSSIAN, // 0 … limit - 1
};

struct bench_value {
    enum type_kind type;
    enum bench_value_kind kind;
    uint64_t limit;              // SEQUENCE: what comes next. CONSTANT: the number.
    enum bench_value_kind sizes; // RANDOM only. CONSTANT: all are of `limit` bytes.
    uint64_t size_min;
    char prefix[64];
    int pad;
    double exponent;
    double zipf_first, zipf_last, zipf_squeeze; // Constants of the sampler.
};

// MALFORMED: `error` says what is wrong with `text`.
MUST_USE enum status bench_value_parse(const char *text, struct bench_value *value,
                                       struct error *error);
// The next number. Not for RANDOM.
uint64_t bench_value_next_number(struct bench_value *value, struct random *random);
// The next value as CQL has it, in the arena.
struct slice bench_value_next(struct bench_value *value, struct random *random,
                              struct arena *arena);

#endif
