// The UTC day of a date text, as yyyyMMdd: how tweets are put into intervals.
//
// Read are Twitter's form, "Sat Aug 23 22:13:00 +0000 2008", and ISO 8601's, "2012-01-01",
// "2012-01-01T10:37:26Z", with a fraction and an offset such as "+01:00" if wanted; a time without
// an offset is UTC.
#ifndef STREAM_DAY_H
#define STREAM_DAY_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum { DAY_TEXT_SIZE = 8 };

// Days since 1970-01-01 of a date of the proleptic Gregorian calendar, and back.
int64_t day_of_date(int64_t year, unsigned month, unsigned day);
void day_to_date(int64_t days, int64_t *year, unsigned *month, unsigned *day);

// Seconds since 1970. False: neither form, or no such date (years 1 to 9999).
bool day_parse_time(struct slice text, int64_t *seconds);
// "20080823" of seconds since 1970, for years up to 9999.
void day_format(int64_t seconds, char text[static DAY_TEXT_SIZE]);

#endif
