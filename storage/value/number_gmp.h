// Varints as GMP's integers: for number*.c among themselves.
#ifndef STORAGE_NUMBER_GMP_H
#define STORAGE_NUMBER_GMP_H

#include "base/arena.h"
#include "base/slice.h"

#include <gmp.h>
#include <stdint.h>

// `number` is initialised; `value` is not empty.
void number_gmp_import(mpz_t number, struct slice value);
// In the arena, behind `prefix_size` bytes that are zero.
struct slice number_gmp_export(const mpz_t number, struct arena *arena, size_t prefix_size);
// Decimal digits; 1 of zero.
int64_t number_gmp_digit_count(const mpz_t number);

#endif
