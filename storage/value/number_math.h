// Arithmetic of varint and decimal, as java.math.BigInteger and BigDecimal do it where Cassandra
// calls them (IntegerType, DecimalType).
//
// Values are bytes as in number.h and never empty. What cannot be done is told in Java's words.
#ifndef STORAGE_NUMBER_MATH_H
#define STORAGE_NUMBER_MATH_H

#include "base/arena.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

// `operator` is one of + - * / %. NULL, or why there is no result: "BigInteger divide by zero".
const char *number_math_varint(char operator, struct slice a, struct slice b, struct arena *arena,
                               struct slice *result);
// As many as 10,000 digits are kept; quotients have at least 32 behind the point or behind their
// first one, and no zeros at the end.
const char *number_math_decimal(char operator, struct slice a, struct slice b, struct arena *arena,
                                struct slice *result);
// All digits are kept. NULL, or why there is no result.
const char *number_math_decimal_sum(struct slice a, struct slice b, struct arena *arena,
                                    struct slice *result);
// average + (value - average) / count, half to even, with the digits behind the point that the
// difference has.
const char *number_math_decimal_average(struct slice average, struct slice value, int64_t count,
                                        struct arena *arena, struct slice *result);

struct slice number_math_negate_varint(struct slice value, struct arena *arena);
struct slice number_math_negate_decimal(struct slice value, struct arena *arena);
bool number_math_is_negative_varint(struct slice value);
bool number_math_is_negative_decimal(struct slice value);
// Without digits behind the point; half away from zero. NULL, or why there is no result.
const char *number_math_round_decimal(struct slice value, struct arena *arena,
                                      struct slice *result);

// The low 64 bits (longValue()).
int64_t number_math_whole_of_varint(struct slice value);
int64_t number_math_whole_of_decimal(struct slice value);
struct slice number_math_varint_of_whole(int64_t value, struct arena *arena);
struct slice number_math_decimal_of_whole(int64_t value, struct arena *arena);
struct slice number_math_decimal_of_varint(struct slice value, struct arena *arena);

// e to the value, its natural and its decimal logarithm, to as many digits as the value has, but at
// least 32. NULL, or why there is no result.
const char *number_math_exp(struct slice value, struct arena *arena, struct slice *result);
const char *number_math_log(struct slice value, struct arena *arena, struct slice *result);
const char *number_math_log10(struct slice value, struct arena *arena, struct slice *result);
// A decimal without what is behind its point. NULL, or why there is no result.
const char *number_math_varint_of_decimal(struct slice value, struct arena *arena,
                                          struct slice *result);

#endif
