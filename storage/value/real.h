// The types float and double as text, as Java writes and reads them (Double.toString,
// Double.parseDouble): 1.0, 1.0E10, 4.9E-324, NaN, Infinity.
//
// Written is the shortest text that reads back as the same number, but at least two digits. (Java
// before 19 has now and then one digit more than that.)
#ifndef STORAGE_VALUE_REAL_H
#define STORAGE_VALUE_REAL_H

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"

void real_put_double(double value, struct buffer *text);
void real_put_float(float value, struct buffer *text);
// Blanks around, a sign, hexadecimal digits and a suffix d or f are allowed, as Java allows them;
// what is too large is infinite. MALFORMED.
MUST_USE enum status real_parse_double(struct slice text, double *value);
MUST_USE enum status real_parse_float(struct slice text, float *value);

#endif
