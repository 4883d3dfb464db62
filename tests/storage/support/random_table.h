// Tables of random shape with random contents, as one to three memtables that overlap: what a test
// flushes, merges and shows to a real Cassandra.
//
//     seed -> CREATE TYPE, CREATE TABLE -> rows, deletions, ranges, counters -> memtables
//
// A shape is what a table has surely; everything else is by chance. Times are so that nothing
// expires between 2023 and 2033: what a SELECT answers does not depend on the clock.
#ifndef TESTS_STORAGE_SUPPORT_RANDOM_TABLE_H
#define TESTS_STORAGE_SUPPORT_RANDOM_TABLE_H

#include "storage/memtable/memtable.h"

// clang-format off
#define RANDOM_SHAPE_MAP(X)                                     \
    X(ANY,               "anything")                            \
    X(NO_CLUSTERING,     "a row for each key")                  \
    X(MANY_COLUMNS,      "64 columns and more")                 \
    X(WIDE,              "partitions of many index blocks")     \
    X(COUNTERS,          "counters of several shards")          \
    X(CELLS,             "collections of many cells")           \
    X(RANGES,            "range deletions everywhere")          \
    X(EXPIRING,          "ttl, mixed")                          \
    X(STATICS,           "static columns, some alone")          \
    X(LONG_CLUSTERING,   "more than 32 clustering columns")     \
    X(KEYS_ALONE,        "no column but the key's")             \
    X(LARGE_VALUES,      "values of several chunks")            \
    X(LEGACY_COUNTERS,   "local and remote counter shards")     \
    X(MANY_PARTITIONS,   "thousands of keys")
// clang-format on

enum random_shape {
#define X(name, text) RANDOM_SHAPE_##name,
    RANDOM_SHAPE_MAP(X)
#undef X
        RANDOM_SHAPE_COUNT
};

const char *random_shape_text(enum random_shape shape);

enum { RANDOM_MEMTABLES_MAX = 3, RANDOM_NOW = 1800000000 };

struct random_table {
    const struct table *table;
    struct buffer cql; // Its types and itself.
    size_t column_index_size;
    struct memtable *memtables[RANDOM_MEMTABLES_MAX];
    size_t memtable_count;
};

void random_table_make(struct random_table *made, uint64_t seed, enum random_shape shape,
                       const char *keyspace, const char *name);
// With a fifth of the changes, and values of a fifth of the size: for files that are kept.
void random_table_make_small(struct random_table *made, uint64_t seed, enum random_shape shape,
                             const char *keyspace, const char *name);
void random_table_deinit(struct random_table *made);

#endif
