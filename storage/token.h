// A place on the ring: where the Murmur3 hash of a partition key puts its partition.
//
// A struct, not a bare int64_t, because timestamps, counters and generations are 64-bit integers
// too, and the compiler then tells them apart. It costs nothing: it travels in one register.
#ifndef STORAGE_TOKEN_H
#define STORAGE_TOKEN_H

#include "base/slice.h"

#include <stdint.h>

struct token {
    int64_t value;
};

// Cassandra's Murmur3Partitioner.getToken: the first half of its MurmurHash3 x64 128 (tail bytes
// are sign-extended), MIN64 mapped to MAX64; the empty key has the token MIN64.
struct token token_of_key(struct slice key);

static inline int token_compare(struct token a, struct token b)
{
    return (a.value > b.value) - (a.value < b.value);
}

// A partition key with its token (org.apache.cassandra.db.DecoratedKey).
struct partition_key {
    struct token token;
    struct slice bytes; // As in Data.db: the value, or the composite of §9.2.
};

// Order of partitions: by token, then by unsigned bytes.
static inline int partition_key_compare(const struct partition_key *a,
                                        const struct partition_key *b)
{
    int order = token_compare(a->token, b->token);
    return order != 0 ? order : slice_compare(a->bytes, b->bytes);
}

static inline struct partition_key partition_key_make(struct slice bytes)
{
    return (struct partition_key){token_of_key(bytes), bytes};
}

#endif
