// MurmurHash3 x64 128 with seed 0 as Cassandra has it (org.apache.cassandra.utils.MurmurHash): the
// tail bytes are sign-extended, so keys with a tail byte from 0x80 up hash unlike the original's.
//
// The token of a key is `h1`, see token.h; a bloom filter uses both halves.
#ifndef STORAGE_MURMUR3_H
#define STORAGE_MURMUR3_H

#include "base/slice.h"

#include <stdint.h>

struct murmur3 {
    uint64_t h1, h2;
};

struct murmur3 murmur3_hash(struct slice key);

#endif
