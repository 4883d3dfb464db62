#include "stream/source/day.h"

#include <string.h>

int64_t day_of_date(int64_t year, unsigned month, unsigned day)
{
    // Years begin in March here, so that the leap day is a year's last; an era has 400 of them.
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

void day_to_date(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    *day = (unsigned)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    *month = (unsigned)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

// A place in the text. `bad` stays set.
struct day_reader {
    const uint8_t *next, *end;
    bool bad;
};

static unsigned day_take_digits(struct day_reader *reader, int count)
{
    unsigned value = 0;
    for (int i = 0; i < count; i++) {
        if (reader->next == reader->end || *reader->next < '0' || *reader->next > '9') {
            reader->bad = true;
            return 0;
        }
        value = value * 10 + (*reader->next++ - (unsigned)'0');
    }
    return value;
}

static bool day_skip(struct day_reader *reader, char wanted)
{
    if (reader->next == reader->end || *reader->next != (uint8_t)wanted) return false;
    reader->next++;
    return true;
}

static void day_expect(struct day_reader *reader, char wanted)
{
    if (!day_skip(reader, wanted)) reader->bad = true;
}

// One of the names of three letters, from 0, in any case.
static unsigned day_take_name(struct day_reader *reader, const char *names)
{
    if (reader->end - reader->next < 3) {
        reader->bad = true;
        return 0;
    }
    char name[4] = {0};
    memcpy(name, reader->next, 3);
    for (unsigned i = 0; names[i * 3] != '\0'; i++) {
        if (strncasecmp(names + (size_t)i * 3, name, 3) != 0) continue;
        reader->next += 3;
        return i;
    }
    reader->bad = true;
    return 0;
}

static int64_t day_take_clock(struct day_reader *reader)
{
    unsigned hour = day_take_digits(reader, 2);
    day_expect(reader, ':');
    unsigned minute = day_take_digits(reader, 2);
    unsigned second = 0;
    if (day_skip(reader, ':')) second = day_take_digits(reader, 2);
    if (hour > 23 || minute > 59 || second > 59) reader->bad = true;
    return hour * 3600 + minute * 60 + second;
}

// "+0130", "+01:30", "-08:00", in seconds.
static int64_t day_take_offset(struct day_reader *reader)
{
    bool west = day_skip(reader, '-');
    if (!west) day_expect(reader, '+');
    unsigned hour = day_take_digits(reader, 2);
    (void)day_skip(reader, ':');
    unsigned minute = day_take_digits(reader, 2);
    if (hour > 23 || minute > 59) reader->bad = true;
    int64_t seconds = hour * 3600 + minute * 60;
    return west ? -seconds : seconds;
}

static int64_t day_date_seconds(struct day_reader *reader, unsigned year, unsigned month,
                                unsigned day)
{
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (year == 0 || month < 1 || month > 12 || day < 1 ||
        day > lengths[month - 1] + (unsigned)(month == 2 && is_leap)) {
        reader->bad = true;
        return 0;
    }
    return day_of_date(year, month, day) * 86400;
}

static int64_t day_take_twitter(struct day_reader *reader)
{
    (void)day_take_name(reader, "SunMonTueWedThuFriSat");
    day_expect(reader, ' ');
    unsigned month = day_take_name(reader, "JanFebMarAprMayJunJulAugSepOctNovDec") + 1;
    day_expect(reader, ' ');
    unsigned day = day_take_digits(reader, 2);
    day_expect(reader, ' ');
    int64_t clock = day_take_clock(reader);
    day_expect(reader, ' ');
    int64_t offset = day_take_offset(reader);
    day_expect(reader, ' ');
    unsigned year = day_take_digits(reader, 4);
    return day_date_seconds(reader, year, month, day) + clock - offset;
}

static int64_t day_take_iso(struct day_reader *reader)
{
    unsigned year = day_take_digits(reader, 4);
    day_expect(reader, '-');
    unsigned month = day_take_digits(reader, 2);
    day_expect(reader, '-');
    unsigned day = day_take_digits(reader, 2);
    int64_t seconds = reader->bad ? 0 : day_date_seconds(reader, year, month, day);
    if (reader->bad || reader->next == reader->end) return seconds;
    if (!day_skip(reader, 'T')) day_expect(reader, ' ');
    seconds += day_take_clock(reader);
    if (day_skip(reader, '.')) {
        (void)day_take_digits(reader, 1);
        while (reader->next < reader->end && *reader->next >= '0' && *reader->next <= '9')
            reader->next++;
    }
    if (reader->next == reader->end || day_skip(reader, 'Z')) return seconds;
    return seconds - day_take_offset(reader);
}

bool day_parse_time(struct slice text, int64_t *seconds)
{
    if (text.size == 0) return false;
    struct day_reader reader = {text.data, text.data + text.size, false};
    bool is_iso = text.data[0] >= '0' && text.data[0] <= '9';
    int64_t parsed = is_iso ? day_take_iso(&reader) : day_take_twitter(&reader);
    if (reader.bad || reader.next != reader.end) return false;
    *seconds = parsed;
    return true;
}

void day_format(int64_t seconds, char text[static DAY_TEXT_SIZE])
{
    int64_t days = (seconds >= 0 ? seconds : seconds - 86399) / 86400;
    int64_t year;
    unsigned month, day;
    day_to_date(days, &year, &month, &day);
    unsigned number = (unsigned)(year < 0 ? 0 : year) * 10000 + month * 100 + day;
    for (int i = DAY_TEXT_SIZE - 1; i >= 0; i--) {
        text[i] = (char)('0' + number % 10);
        number /= 10;
    }
}
