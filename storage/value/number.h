// Numbers without bounds: varint (java.math.BigInteger) and decimal (java.math.BigDecimal), as
// bytes and as text.
//
//     varint   big-endian two's complement, at least one byte
//     decimal  i32 scale, varint unscaled; the value is unscaled / 10^scale
#ifndef STORAGE_VALUE_NUMBER_H
#define STORAGE_VALUE_NUMBER_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"

// By value; empty first.
int number_compare_varint(struct slice a, struct slice b);
// By value: 1.0 equals 1.00. Both have more than four bytes.
int number_compare_decimal(struct slice a, struct slice b);

// Decimal digits with a minus where negative. At least one byte.
void number_put_varint(struct slice value, struct buffer *text);
// BigDecimal.toString(): 1.0, 1E+3, 0E-7. More than four bytes.
void number_put_decimal(struct slice value, struct buffer *text);

// [+-]digits. MALFORMED. More than NUMBER_DIGITS_MAX are MALFORMED too.
enum { NUMBER_DIGITS_MAX = 100000 };
MUST_USE enum status number_parse_varint(struct slice text, struct arena *arena,
                                         struct slice *value);
// [+-](digits[.[digits]] | .digits)[eE[+-]digits], with a scale of 32 bits. MALFORMED.
MUST_USE enum status number_parse_decimal(struct slice text, struct arena *arena,
                                          struct slice *value);

#endif
