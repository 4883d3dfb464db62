#include "storage/value/calendar.h"

#include <inttypes.h>

// ---- Days and dates -----------------------------------------------------------------------------

enum { DAYS_PER_400_YEARS = 146097, DAYS_TO_1970 = 719468 };

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

// Both count from March 1 of the year 0, so that a leap day is a year's last: then months are
// 31,30,31,30,31 days again and again, and (153 * m + 2) / 5 is the days before the m-th.
int64_t calendar_days_of(struct calendar_date date)
{
    int64_t year = date.month <= 2 ? date.year - 1 : date.year;
    int64_t era = floor_div(year, 400), year_of_era = year - era * 400;
    int64_t month = date.month <= 2 ? date.month + 9 : date.month - 3;
    int64_t day_of_year = (153 * month + 2) / 5 + date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_400_YEARS + day_of_era - DAYS_TO_1970;
}

struct calendar_date calendar_date_of(int64_t days)
{
    days += DAYS_TO_1970;
    int64_t era = floor_div(days, DAYS_PER_400_YEARS);
    int64_t day_of_era = days - era * DAYS_PER_400_YEARS;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    return (struct calendar_date){
        .year = era * 400 + year_of_era + (month >= 10),
        .month = (int)(month < 10 ? month + 3 : month - 9),
        .day = (int)(day_of_year - (153 * month + 2) / 5 + 1),
    };
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int calendar_days_in_month(int64_t year, int month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

// ---- Writing ------------------------------------------------------------------------------------

// LocalDate.toString(): at least four digits, a plus before more than four.
void calendar_put_date(int64_t days, struct buffer *text)
{
    struct calendar_date date = calendar_date_of(days);
    if (date.year < 0)
        buffer_put_format(text, "-%04" PRId64, -date.year);
    else
        buffer_put_format(text, "%s%04" PRId64, date.year > 9999 ? "+" : "", date.year);
    buffer_put_format(text, "-%02d-%02d", date.month, date.day);
}

// Zeros first; as Cassandra pads, a negative number gets as many as zero does.
static void put_padded(int64_t number, int width, struct buffer *text)
{
    int64_t power = 10;
    for (int i = 1; i < width; i++, power *= 10)
        if (number < power) buffer_put_u8(text, '0');
    buffer_put_format(text, "%" PRId64, number);
}

// Cassandra wraps at a day and goes on with negative numbers: "00:00:00.00000000-1".
void calendar_put_time(int64_t nanoseconds, struct buffer *text)
{
    int64_t seconds = nanoseconds / CALENDAR_NS_PER_SECOND;
    const int64_t fields[] = {seconds / 3600 % 24, seconds / 60 % 60, seconds % 60};
    for (size_t i = 0; i < 3; i++) {
        put_padded(fields[i], 2, text);
        buffer_put_u8(text, i < 2 ? ':' : '.');
    }
    int64_t fraction = nanoseconds % CALENDAR_NS_PER_SECOND;
    put_padded(fraction / 1000000, 3, text);
    put_padded(fraction / 1000 % 1000, 3, text);
    put_padded(fraction % 1000, 3, text);
}

// The year is that of its era, so the year 0 is "0001" (DateTimeFormatter's "yyyy").
void calendar_put_timestamp(int64_t ms, char separator, struct buffer *text)
{
    int64_t days = floor_div(ms, CALENDAR_MS_PER_DAY);
    int64_t of_day = (ms % CALENDAR_MS_PER_DAY + CALENDAR_MS_PER_DAY) % CALENDAR_MS_PER_DAY;
    struct calendar_date date = calendar_date_of(days);
    int64_t year = date.year > 0 ? date.year : 1 - date.year;
    buffer_put_format(text, "%s%04" PRId64 "-%02d-%02d%c", year > 9999 ? "+" : "", year, date.month,
                      date.day, separator);
    buffer_put_format(text, "%02d:%02d:%02d.%03dZ", (int)(of_day / 3600000),
                      (int)(of_day / 60000 % 60), (int)(of_day / 1000 % 60), (int)(of_day % 1000));
}

// ---- Reading ------------------------------------------------------------------------------------

struct text_reader {
    const uint8_t *next, *end;
};

static struct text_reader text_reader_make(struct slice text)
{
    return (struct text_reader){text.data, text.data + text.size};
}

static bool accept(struct text_reader *reader, char c)
{
    if (reader->next == reader->end || *reader->next != (uint8_t)c) return false;
    reader->next++;
    return true;
}

static bool at_digit(const struct text_reader *reader)
{
    return reader->next < reader->end && *reader->next >= '0' && *reader->next <= '9';
}

// From `count_min` to `count_max` digits, as many as there are.
static bool read_digits(struct text_reader *reader, size_t count_min, size_t count_max,
                        int64_t *number)
{
    size_t count = 0;
    int64_t read = 0;
    for (; count < count_max && at_digit(reader); count++) {
        if (read > INT64_MAX / 10 - 1) return false;
        read = read * 10 + (*reader->next++ - '0');
    }
    *number = read;
    return count >= count_min;
}

// yyyy: four digits; more only behind a plus; a minus before four and more.
static bool read_long_year(struct text_reader *reader, int64_t *year)
{
    bool plus = accept(reader, '+'), minus = !plus && accept(reader, '-');
    const uint8_t *start = reader->next;
    if (!read_digits(reader, 4, 10, year)) return false;
    size_t count = (size_t)(reader->next - start);
    if (plus ? count == 4 : count > 4 && !minus) return false;
    if (minus && *year == 0) return false;
    if (minus) *year = -*year;
    return true;
}

enum status calendar_parse_date(struct slice text, int64_t *days)
{
    struct text_reader reader = text_reader_make(text);
    int64_t year, month, day;
    bool read = read_long_year(&reader, &year) && accept(&reader, '-') &&
                read_digits(&reader, 2, 2, &month) && accept(&reader, '-') &&
                read_digits(&reader, 2, 2, &day) && reader.next == reader.end;
    if (!read || month < 1 || month > 12 || day < 1 ||
        day > calendar_days_in_month(year, (int)month))
        return STATUS_MALFORMED;
    *days = calendar_days_of((struct calendar_date){year, (int)month, (int)day});
    return STATUS_OK;
}

// Integer.parseInt of what stands up to `stop` or the end, from 0 to `max`.
static bool read_field(struct text_reader *reader, char stop, int64_t max, int64_t *number)
{
    bool minus = accept(reader, '-');
    if (!minus) accept(reader, '+');
    if (!read_digits(reader, 1, 18, number)) return false;
    if (minus && *number != 0) return false;
    bool ended =
        stop == '\0' ? reader->next == reader->end || *reader->next == '.' : accept(reader, stop);
    return ended && *number <= max;
}

static struct slice trim(struct slice text)
{
    while (text.size > 0 && text.data[0] <= ' ') {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && text.data[text.size - 1] <= ' ')
        text.size--;
    return text;
}

// As many as nine digits of a fraction, in nanoseconds.
static bool read_fraction(struct text_reader *reader, size_t count_min, int64_t *nanoseconds)
{
    const uint8_t *start = reader->next;
    if (!read_digits(reader, count_min, 9, nanoseconds)) return false;
    for (size_t count = (size_t)(reader->next - start); count < 9; count++)
        *nanoseconds *= 10;
    return true;
}

enum status calendar_parse_time(struct slice text, int64_t *nanoseconds)
{
    struct text_reader reader = text_reader_make(trim(text));
    int64_t hour, minute, second, fraction = 0;
    bool read = read_field(&reader, ':', 23, &hour) && read_field(&reader, ':', 59, &minute) &&
                read_field(&reader, '\0', 59, &second);
    if (read && accept(&reader, '.')) read = read_fraction(&reader, 1, &fraction);
    if (!read || reader.next != reader.end) return STATUS_MALFORMED;
    *nanoseconds = ((hour * 60 + minute) * 60 + second) * CALENDAR_NS_PER_SECOND + fraction;
    return STATUS_OK;
}

// ---- Zones --------------------------------------------------------------------------------------

enum zone_rule { ZONE_FIXED, ZONE_EUROPE, ZONE_AMERICA };

// A name stands for the region, so CET in July is two hours before UTC, as Java has it.
static const struct {
    const char *name;
    int16_t minutes; // Standard time ahead of UTC.
    enum zone_rule rule;
} zones[] = {
    {"Z", 0, ZONE_FIXED},        {"UTC", 0, ZONE_FIXED},      {"GMT", 0, ZONE_FIXED},
    {"WET", 0, ZONE_EUROPE},     {"WEST", 0, ZONE_EUROPE},    {"CET", 60, ZONE_EUROPE},
    {"CEST", 60, ZONE_EUROPE},   {"EET", 120, ZONE_EUROPE},   {"EEST", 120, ZONE_EUROPE},
    {"MSK", 180, ZONE_FIXED},    {"JST", 540, ZONE_FIXED},    {"EST", -300, ZONE_AMERICA},
    {"EDT", -300, ZONE_AMERICA}, {"CST", -360, ZONE_AMERICA}, {"CDT", -360, ZONE_AMERICA},
    {"MST", -420, ZONE_AMERICA}, {"MDT", -420, ZONE_AMERICA}, {"PST", -480, ZONE_AMERICA},
    {"PDT", -480, ZONE_AMERICA}, {"HST", -600, ZONE_FIXED},
};

// The n-th (from 1) or last (0) Sunday of a month, in days since 1970.
static int64_t sunday_of(int64_t year, int month, int n)
{
    int day = n == 0 ? calendar_days_in_month(year, month) : 7 * n;
    int64_t days = calendar_days_of((struct calendar_date){year, month, day});
    return days - ((days + 4) % 7 + 7) % 7; // 1970-01-01 was a Thursday.
}

// Summer time at this local time of standard time, by the rules of today.
static bool is_summer(enum zone_rule rule, int64_t local_ms, int64_t offset_ms)
{
    const int64_t hour_ms = 3600000;
    // Near the ends of time there is no summer, and no room for the sums below.
    if (local_ms < INT64_MIN / 2 || local_ms > INT64_MAX / 2) return false;
    int64_t year = calendar_date_of(floor_div(local_ms, CALENDAR_MS_PER_DAY)).year;
    int64_t begin, end;
    if (rule == ZONE_EUROPE) { // At 1:00 UTC, the last Sundays of March and October.
        begin = sunday_of(year, 3, 0) * CALENDAR_MS_PER_DAY + hour_ms + offset_ms;
        end = sunday_of(year, 10, 0) * CALENDAR_MS_PER_DAY + 2 * hour_ms + offset_ms;
    } else { // At 2:00 local time, the second Sunday of March, the first of November.
        begin = sunday_of(year, 3, 2) * CALENDAR_MS_PER_DAY + 2 * hour_ms;
        end = sunday_of(year, 11, 1) * CALENDAR_MS_PER_DAY + 2 * hour_ms;
    }
    return rule != ZONE_FIXED && begin <= local_ms && local_ms < end;
}

static bool zone_by_name(struct slice name, int64_t local_ms, int64_t *offset_ms)
{
    for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++) {
        if (!slice_equals(name, slice_of_text(zones[i].name))) continue;
        *offset_ms = zones[i].minutes * 60000;
        if (is_summer(zones[i].rule, local_ms, *offset_ms)) *offset_ms += 3600000;
        return true;
    }
    return false;
}

// Nothing, "Z", "+hh", "+hhmm", "+hh:mm", each perhaps behind a blank, or a blank and a name.
static bool read_zone(struct text_reader *reader, int64_t local_ms, int64_t *offset_ms)
{
    *offset_ms = 0;
    if (reader->next == reader->end) return true;
    bool blank = accept(reader, ' ');
    bool minus = reader->next < reader->end && *reader->next == '-';
    if (!minus && !(reader->next < reader->end && *reader->next == '+')) {
        struct slice name = slice_make(reader->next, (size_t)(reader->end - reader->next));
        reader->next = reader->end;
        if (!blank && !slice_equals(name, slice_of_text("Z"))) return false;
        return zone_by_name(name, local_ms, offset_ms);
    }
    reader->next++;
    int64_t hours, minutes = 0;
    if (!read_digits(reader, 2, 2, &hours)) return false;
    bool has_minutes = accept(reader, ':') || at_digit(reader);
    if (has_minutes && !read_digits(reader, 2, 2, &minutes)) return false;
    if (minutes > 59 || hours * 60 + minutes > 18 * 60) return false;
    *offset_ms = (hours * 60 + minutes) * 60000;
    if (minus) *offset_ms = -*offset_ms;
    return reader->next == reader->end;
}

// ---- Timestamps ---------------------------------------------------------------------------------

// The day is cut to the month's last, as Java's "smart" formatters do: 02-30 is 02-28 or 29.
static bool make_days(int64_t year, int64_t month, int64_t day, int64_t *days)
{
    if (month < 1 || month > 12 || day < 1 || day > 31 || year > 999999999 || year < -999999999)
        return false;
    int last = calendar_days_in_month(year, (int)month);
    *days =
        calendar_days_of((struct calendar_date){year, (int)month, day > last ? last : (int)day});
    return true;
}

// "yyyy-MM-dd" and what follows it.
static bool read_date_only(struct text_reader *reader, int64_t *days)
{
    int64_t year, month, day;
    return read_long_year(reader, &year) && accept(reader, '-') &&
           read_digits(reader, 2, 2, &month) && accept(reader, '-') &&
           read_digits(reader, 2, 2, &day) && make_days(year, month, day, days);
}

// "y-M-d[T ]H:m[:s[.f]]".
static bool read_date_time(struct text_reader *reader, int64_t *days, int64_t *of_day_ms)
{
    int64_t year, month, day, hour, minute, second = 0, nanoseconds = 0;
    bool read = read_digits(reader, 1, 18, &year) && year > 0 && accept(reader, '-') &&
                read_digits(reader, 1, 18, &month) && accept(reader, '-') &&
                read_digits(reader, 1, 18, &day) && (accept(reader, 'T') || accept(reader, ' ')) &&
                read_digits(reader, 1, 18, &hour) && accept(reader, ':') &&
                read_digits(reader, 1, 18, &minute);
    if (read && accept(reader, ':')) {
        read = read_digits(reader, 1, 18, &second);
        if (read && accept(reader, '.')) read = read_fraction(reader, 0, &nanoseconds);
    }
    if (!read || minute > 59 || second > 59 || hour > 24) return false;
    if (hour == 24 && (minute > 0 || second > 0 || nanoseconds > 0)) return false;
    *of_day_ms = ((hour * 60 + minute) * 60 + second) * 1000 + nanoseconds / 1000000;
    return make_days(year, month, day, days);
}

enum status calendar_parse_timestamp(struct slice text, int64_t *ms)
{
    struct text_reader reader = text_reader_make(text);
    int64_t days, of_day_ms = 0, offset_ms, local_ms, day_ms;
    if (!read_date_time(&reader, &days, &of_day_ms)) {
        reader = text_reader_make(text);
        of_day_ms = 0;
        if (!read_date_only(&reader, &days)) return STATUS_MALFORMED;
    }
    // The last of all timestamps is inside of its day: the sum may overflow where the parts do not.
    if (__builtin_mul_overflow(days, CALENDAR_MS_PER_DAY, &day_ms) ||
        __builtin_add_overflow(day_ms, of_day_ms, &local_ms) ||
        !read_zone(&reader, local_ms, &offset_ms) ||
        __builtin_sub_overflow(local_ms, offset_ms, ms))
        return STATUS_MALFORMED;
    return STATUS_OK;
}
