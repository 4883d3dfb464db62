// How many different partition keys an SSTable has, in 5 KiB (stream-lib's HyperLogLogPlus with
// p = 13 and sp = 25; sstable-nb §8.3): compactions size their filters by the union of several.
//
// Small sets are sparse: sorted hashes, exact up to some thousand keys; then 8192 registers.
#ifndef STORAGE_SSTABLE_HYPERLOGLOG_H
#define STORAGE_SSTABLE_HYPERLOGLOG_H

#include "base/buffer.h"
#include "base/cursor.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    HYPERLOGLOG_BUFFER_MAX = 1536, // New hashes gathered before they are merged into the set …
    HYPERLOGLOG_SPARSE_MAX = 6144, // … which turns into registers when it is larger than this.
    HYPERLOGLOG_REGISTERS = 8192,
    HYPERLOGLOG_LINEAR_MAX = 6500 // Below this stream-lib counts the registers that are zero.
};

struct hyperloglog {
    bool sparse;
    size_t buffered_count, set_count;
    uint32_t buffered[HYPERLOGLOG_BUFFER_MAX + 1];
    uint32_t set[HYPERLOGLOG_SPARSE_MAX + HYPERLOGLOG_BUFFER_MAX + 1]; // By index, each once.
    uint8_t registers[HYPERLOGLOG_REGISTERS];
};

void hyperloglog_init(struct hyperloglog *log);
void hyperloglog_add(struct hyperloglog *log, struct slice key);
// Without the length that stands before it in Statistics.db.
void hyperloglog_encode(struct hyperloglog *log, struct buffer *bytes);
// Adds all keys that an encoded one has seen. False if it is damaged, or of another precision: then
// some may have been added.
bool hyperloglog_add_encoded(struct hyperloglog *log, struct slice bytes);
// About how many different keys it has seen: of few Cassandra's own figure; beyond some thousand
// one as good, by another formula (Ertl, "New cardinality estimation algorithms for HyperLogLog
// sketches"), which needs no table of corrections. It is for reading only from then on.
uint64_t hyperloglog_count(struct hyperloglog *log);

// ---- Parts, also for those of other precisions --------------------------------------------------

// Little-endian base 128, as stream-lib writes numbers.
uint32_t hyperloglog_take_varint(struct cursor *cursor);
// How many different things fell into `places` of which `empty` are left.
double hyperloglog_linear_count(double places, double empty);
// The estimate from `counts[v]`, how many of `registers` have the value v, up to and with
// `longest`. Where stream-lib counts the empty ones, up to `linear_max`, so is done here.
double hyperloglog_estimate(const double *counts, unsigned longest, double registers,
                            double linear_max);

#endif
