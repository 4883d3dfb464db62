// Repeatable random numbers: the same seed gives the same sequence, on every machine. For
// generators, tests and the simulator; what must not be guessed comes from env_random_bytes().
//
// The generator is xoshiro256** by Blackman and Vigna (public domain), its state filled from the
// seed by splitmix64, as they advise.
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state[4]; // Not all zero.
};

void random_init(struct random *random, uint64_t seed);
uint64_t random_u64(struct random *random);
// Evenly from 0 to count - 1. `count` is not 0.
uint64_t random_below(struct random *random, uint64_t count);
// Evenly from 0 (inclusive) to 1 (exclusive).
double random_f64(struct random *random);
// True in `probability` of all cases: never at 0, always at 1.
bool random_chance(struct random *random, double probability);
void random_bytes(struct random *random, void *bytes, size_t size);

#endif
