// Days and dates: the Gregorian calendar, without a beginning (java.time.LocalDate), and what the
// types date, time and timestamp make of it as text.
#ifndef STORAGE_VALUE_CALENDAR_H
#define STORAGE_VALUE_CALENDAR_H

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct calendar_date {
    int64_t year; // 0 is the year before 1.
    int month, day;
};

#define CALENDAR_MS_PER_DAY    86400000
#define CALENDAR_NS_PER_SECOND 1000000000
#define CALENDAR_NS_PER_DAY    86400000000000
#define CALENDAR_DATE_OF_1970  0x80000000u // As the type date has it.

int64_t calendar_days_of(struct calendar_date date); // Since 1970-01-01.
struct calendar_date calendar_date_of(int64_t days);
int calendar_days_in_month(int64_t year, int month);

// "2020-01-01"; years of more than four digits have a sign. `days` since 1970.
void calendar_put_date(int64_t days, struct buffer *text);
// "01:02:03.000000004".
void calendar_put_time(int64_t nanoseconds, struct buffer *text);
// "2020-01-01T00:00:00.000Z", with `separator` for the T. `ms` since 1970.
void calendar_put_timestamp(int64_t ms, char separator, struct buffer *text);

// The strict "yyyy-MM-dd" of the type date (ISO_LOCAL_DATE). MALFORMED.
MUST_USE enum status calendar_parse_date(struct slice text, int64_t *days);
// "h:m:s[.fffffffff]". MALFORMED.
MUST_USE enum status calendar_parse_time(struct slice text, int64_t *nanoseconds);
// What a timestamp may be written as, but for a bare number and 'now' (TimestampSerializer):
// "yyyy-MM-dd" or "y-M-d[T ]H:m[:s[.f]]", then a zone "Z", "+hh", "+hhmm", "+hh:mm", with a blank
// before it or not, or a blank and a name such as CET. Without a zone: UTC. MALFORMED.
MUST_USE enum status calendar_parse_timestamp(struct slice text, int64_t *ms);

#endif
