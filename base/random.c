#include "base/random.h"

#include "base/assert.h"

#include <string.h>

static uint64_t random_rotate(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

void random_init(struct random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15u;
        uint64_t mixed = seed;
        mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
        mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
        random->state[i] = mixed ^ mixed >> 31;
    }
}

uint64_t random_u64(struct random *random)
{
    uint64_t *state = random->state;
    uint64_t result = random_rotate(state[1] * 5, 7) * 9;
    uint64_t shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = random_rotate(state[3], 45);
    return result;
}

uint64_t random_below(struct random *random, uint64_t count)
{
    ASSERT(count > 0);
    // 2^64 values do not divide evenly into `count`. The first 2^64 mod `count` of them are left
    // out, so that each result comes from equally many.
    uint64_t uneven = (0 - count) % count;
    uint64_t value;
    do
        value = random_u64(random);
    while (value < uneven);
    return value % count;
}

double random_f64(struct random *random)
{
    // 53 bits are what a double between 1/2 and 1 holds.
    return (double)(random_u64(random) >> 11) * 0x1p-53;
}

bool random_chance(struct random *random, double probability)
{
    return random_f64(random) < probability;
}

void random_bytes(struct random *random, void *bytes, size_t size)
{
    uint8_t *next = bytes;
    while (size > 0) {
        uint64_t value = random_u64(random);
        size_t count = size < sizeof value ? size : sizeof value;
        memcpy(next, &value, count);
        next += count;
        size -= count;
    }
}
