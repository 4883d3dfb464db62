#include "node/sstable_tool/java_time.h"

#include "storage/value/calendar.h"

#include <inttypes.h>

static int64_t floor_div(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

static void put_clock(int64_t second_of_day, struct buffer *text)
{
    buffer_put_format(text, "%02d:%02d:%02d", (int)(second_of_day / 3600),
                      (int)(second_of_day / 60 % 60), (int)(second_of_day % 60));
}

static void put_instant(int64_t seconds, int64_t nanos, struct buffer *text)
{
    int64_t days = floor_div(seconds, 86400);
    calendar_put_date(days, text);
    buffer_put_u8(text, 'T');
    put_clock(seconds - days * 86400, text);
    if (nanos == 0)
        ;
    else if (nanos % 1000000 == 0)
        buffer_put_format(text, ".%03d", (int)(nanos / 1000000));
    else if (nanos % 1000 == 0)
        buffer_put_format(text, ".%06d", (int)(nanos / 1000));
    else
        buffer_put_format(text, ".%09d", (int)nanos);
    buffer_put_u8(text, 'Z');
}

void java_time_put_micros(int64_t micros, struct buffer *text)
{
    // As sstabledump has it: seconds are cut towards zero, nanoseconds stop at the largest long.
    int64_t nanos;
    if (__builtin_mul_overflow(micros, (int64_t)1000, &nanos))
        nanos = micros < 0 ? INT64_MIN : INT64_MAX;
    int64_t rest = nanos - floor_div(nanos, CALENDAR_NS_PER_SECOND) * CALENDAR_NS_PER_SECOND;
    put_instant(micros / 1000000, rest, text);
}

void java_time_put_seconds(int64_t seconds, struct buffer *text)
{
    put_instant(seconds, 0, text);
}

void java_time_put_date(int64_t ms, struct buffer *text)
{
    int64_t seconds = floor_div(ms, 1000), days = floor_div(seconds, 86400);
    struct calendar_date date = calendar_date_of(days);
    // Years before 1 are counted backwards.
    int64_t year = date.year > 0 ? date.year : 1 - date.year;
    buffer_put_format(text, "%02d/%02d/%04" PRId64 " ", date.month, date.day, year);
    put_clock(seconds - days * 86400, text);
}

void java_time_put_words(int64_t seconds, struct buffer *text)
{
    static const struct {
        const char *name;
        int64_t seconds;
    } units[] = {{"day", 86400}, {"hour", 3600}, {"minute", 60}, {"second", 1}};
    // Zeros are left out at the beginning and at the end, not in between.
    int first = 0, last = 3;
    int64_t counts[4], rest = seconds;
    for (int i = 0; i < 4; i++) {
        counts[i] = rest / units[i].seconds;
        rest %= units[i].seconds;
    }
    while (first < 3 && counts[first] == 0)
        first++;
    while (last > first && counts[last] == 0)
        last--;
    for (int i = first; i <= last; i++)
        buffer_put_format(text, "%s%" PRId64 " %s%s", i == first ? "" : " ", counts[i],
                          units[i].name, counts[i] == 1 ? "" : "s");
}
