#include "storage/murmur3.h"

#include "base/bytes.h"

#define C1 0x87c37b91114253d5u
#define C2 0x4cf5ad432745937fu

static inline uint64_t rotate_left(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline uint64_t mix_k1(uint64_t k1)
{
    return rotate_left(k1 * C1, 31) * C2;
}

static inline uint64_t mix_k2(uint64_t k2)
{
    return rotate_left(k2 * C2, 33) * C1;
}

static inline uint64_t mix_final(uint64_t k)
{
    k = (k ^ k >> 33) * 0xff51afd7ed558ccdu;
    k = (k ^ k >> 33) * 0xc4ceb9fe1a85ec53u;
    return k ^ k >> 33;
}

// A Java byte is signed: what is or-ed into the lane carries its sign to the lane's top.
static inline uint64_t signed_lane(const uint8_t *bytes, size_t size)
{
    uint64_t lane = 0;
    for (size_t i = 0; i < size; i++)
        lane ^= (uint64_t)(int64_t)(int8_t)bytes[i] << (8 * i);
    return lane;
}

struct murmur3 murmur3_hash(struct slice key)
{
    uint64_t h1 = 0, h2 = 0;
    size_t block_count = key.size / 16;
    for (size_t i = 0; i < block_count; i++) {
        h1 ^= mix_k1(bytes_get_u64_le(key.data + 16 * i));
        h1 = (rotate_left(h1, 27) + h2) * 5 + 0x52dce729;
        h2 ^= mix_k2(bytes_get_u64_le(key.data + 16 * i + 8));
        h2 = (rotate_left(h2, 31) + h1) * 5 + 0x38495ab5;
    }

    size_t tail_size = key.size % 16;
    const uint8_t *tail = tail_size == 0 ? NULL : key.data + 16 * block_count;
    if (tail_size > 8) h2 ^= mix_k2(signed_lane(tail + 8, tail_size - 8));
    if (tail_size > 0) h1 ^= mix_k1(signed_lane(tail, tail_size > 8 ? 8 : tail_size));

    h1 ^= key.size;
    h2 ^= key.size;
    h1 += h2;
    h2 += h1;
    h1 = mix_final(h1);
    h2 = mix_final(h2);
    h1 += h2;
    h2 += h1;
    return (struct murmur3){h1, h2};
}
