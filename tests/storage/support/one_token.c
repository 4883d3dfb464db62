#include "tests/storage/support/one_token.h"

#include "base/bytes.h"

// Of an odd number modulo 2^64, by Newton: each turn doubles the bits that are right, at first 3.
static uint64_t inverse(uint64_t odd)
{
    uint64_t x = odd;
    for (int turn = 0; turn < 5; turn++)
        x *= 2 - odd * x;
    return x;
}

static uint64_t rotate_right(uint64_t x, int bits)
{
    return x >> bits | x << (64 - bits);
}

static uint64_t unmix_final(uint64_t k)
{
    k = (k ^ k >> 33) * inverse(0xc4ceb9fe1a85ec53u);
    k = (k ^ k >> 33) * inverse(0xff51afd7ed558ccdu);
    return k ^ k >> 33;
}

// MurmurHash3 of one block, from its end to its beginning (see murmur3.c). The first half of the
// hash is the sum of two mixed words, of which the second one may be any.
void one_token_key(struct token token, uint64_t number, uint8_t key[ONE_TOKEN_KEY_SIZE])
{
    uint64_t c1 = inverse(0x87c37b91114253d5u), c2 = inverse(0x4cf5ad432745937fu);
    uint64_t fifth = inverse(5);
    uint64_t h1 = unmix_final((uint64_t)token.value - number), h2 = unmix_final(number);
    h2 -= h1;
    h1 -= h2;
    h1 ^= ONE_TOKEN_KEY_SIZE;
    h2 ^= ONE_TOKEN_KEY_SIZE;
    uint64_t k2 = rotate_right((h2 - 0x38495ab5) * fifth - h1, 31);
    k2 = rotate_right(k2 * c1, 33) * c2;
    uint64_t k1 = rotate_right((h1 - 0x52dce729) * fifth, 27);
    k1 = rotate_right(k1 * c2, 31) * c1;
    bytes_put_u64_le(key, k1);
    bytes_put_u64_le(key + 8, k2);
}
