// Types and values by chance: every CQL type but counter, nested; values at the edges of their
// types among them. The same seed gives the same, on every machine.
#ifndef TESTS_STORAGE_SUPPORT_RANDOM_VALUE_H
#define TESTS_STORAGE_SUPPORT_RANDOM_VALUE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/random.h"
#include "storage/schema/type.h"

enum { RANDOM_UDTS_MAX = 4 };

struct random_values {
    struct random *random;
    struct arena *arena;    // Of all types and values.
    struct slice keyspace;  // Of the user types,
    const char *udt_prefix; // whose names begin so.
    struct buffer *cql;     // A CREATE TYPE for each is written here.
    const struct type *udts[RANDOM_UDTS_MAX];
    size_t udt_count;
    size_t size_max;   // Of a text or blob:
    double large_part; // how many are of any size up to that, the others are short.
};

enum random_type_use {
    RANDOM_TYPE_KEY,   // Of a partition key or clustering column: no duration in it.
    RANDOM_TYPE_VALUE, // One cell.
    RANDOM_TYPE_CELLS, // A list, set, map or user type that is not frozen.
};

const struct type *random_type(struct random_values *values, enum random_type_use use);
// Valid, and not null. Some are empty where the type allows it, if `may_be_empty`.
struct slice random_value(struct random_values *values, const struct type *type, bool may_be_empty);
// The path of a cell of a list, set, map or user type that is not frozen, and the type of the
// cell's value; of a set the values are empty.
struct slice random_path(struct random_values *values, const struct type *type,
                         const struct type **value_type);

#endif
