// Filter.db, a bloom filter of the partition keys: whether a key is surely not in the SSTable
// (org.apache.cassandra.utils.BloomFilter; sstable-nb §7).
//
//     i32 hash count K, i32 words W, W × 8 bytes; bit b is byte b >> 3, mask 1 << (b & 7)
#ifndef STORAGE_SSTABLE_FILTER_H
#define STORAGE_SSTABLE_FILTER_H

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct filter {
    uint32_t hash_count; // 0: there is none, everything may be in it.
    uint64_t word_count;
    uint8_t *bits;
};

// For about `key_count` keys. A chance of 1 makes none.
void filter_init(struct filter *filter, uint64_t key_count, double false_positive_chance);
void filter_deinit(struct filter *filter);
static inline bool filter_exists(const struct filter *filter)
{
    return filter->hash_count != 0;
}
void filter_add(struct filter *filter, struct slice key);
bool filter_may_contain(const struct filter *filter, struct slice key);
void filter_encode(const struct filter *filter, struct buffer *bytes);
// CORRUPT. Copies what it keeps.
MUST_USE enum status filter_decode(struct filter *filter, struct slice bytes);

#endif
