#include "storage/value/duration.h"

#include "storage/value/calendar.h"

#include "base/cursor.h"

#include <inttypes.h>

// ---- Bytes --------------------------------------------------------------------------------------

struct slice duration_encode(struct duration duration, struct arena *arena)
{
    enum { SIZE_MAX_ENCODED = 5 + 5 + 9 };
    struct buffer bytes;
    buffer_init(&bytes, SIZE_MAX_ENCODED);
    buffer_put_signed_vint(&bytes, duration.months);
    buffer_put_signed_vint(&bytes, duration.days);
    buffer_put_signed_vint(&bytes, duration.nanoseconds);
    struct slice value = arena_copy(arena, buffer_slice(&bytes));
    buffer_deinit(&bytes);
    return value;
}

enum status duration_decode(struct slice value, struct duration *duration)
{
    struct cursor cursor = cursor_make(value);
    int64_t months = cursor_signed_vint(&cursor), days = cursor_signed_vint(&cursor);
    int64_t nanoseconds = cursor_signed_vint(&cursor);
    if (cursor.failed || months != (int32_t)months || days != (int32_t)days) return STATUS_CORRUPT;
    *duration = (struct duration){(int32_t)months, (int32_t)days, nanoseconds};
    return STATUS_OK;
}

// ---- With times ---------------------------------------------------------------------------------

static int64_t days_and_months(int64_t days, int64_t months)
{
    struct calendar_date date = calendar_date_of(days);
    int64_t month = date.year * 12 + (date.month - 1) + months;
    date.year = month / 12 - (month % 12 < 0);
    date.month = (int)(month - date.year * 12) + 1;
    int last = calendar_days_in_month(date.year, date.month);
    if (date.day > last) date.day = last;
    return calendar_days_of(date);
}

// What does not fit wraps, as Java's longs do.
static int64_t add_parts(int64_t ms, int64_t months, int64_t days, int64_t nanoseconds)
{
    enum { NS_PER_MS = 1000000 };
    uint64_t more = (uint64_t)days * CALENDAR_MS_PER_DAY + (uint64_t)(nanoseconds / NS_PER_MS);
    if (months != 0) {
        int64_t day = ms / CALENDAR_MS_PER_DAY - (ms % CALENDAR_MS_PER_DAY < 0);
        int64_t of_day = (ms % CALENDAR_MS_PER_DAY + CALENDAR_MS_PER_DAY) % CALENDAR_MS_PER_DAY;
        ms = (int64_t)((uint64_t)days_and_months(day, months) * CALENDAR_MS_PER_DAY +
                       (uint64_t)of_day);
    }
    return (int64_t)((uint64_t)ms + more);
}

int64_t duration_add_to_ms(struct duration duration, int64_t ms)
{
    return add_parts(ms, duration.months, duration.days, duration.nanoseconds);
}

static int64_t times(struct duration duration, int64_t count, int64_t start)
{
    return add_parts(start, duration.months * count, duration.days * count,
                     (int64_t)((uint64_t)duration.nanoseconds * (uint64_t)count));
}

int64_t duration_floor_ms(struct duration duration, int64_t ms, int64_t start)
{
    if (duration.months == 0) {
        int64_t length = add_parts(0, 0, duration.days, duration.nanoseconds);
        return length <= 0 ? ms
                           : ms - (int64_t)(((uint64_t)ms - (uint64_t)start) % (uint64_t)length);
    }
    // As many as the months alone allow are too many; half of what is left, until it fits.
    int64_t low = 0;
    struct calendar_date from = calendar_date_of(start / CALENDAR_MS_PER_DAY - 1);
    struct calendar_date to = calendar_date_of(ms / CALENDAR_MS_PER_DAY + 1);
    int64_t high = ((to.year - from.year) * 12 + to.month - from.month) / duration.months + 1;
    while (low < high) {
        int64_t middle = low + (high - low + 1) / 2;
        if (times(duration, middle, start) <= ms)
            low = middle;
        else
            high = middle - 1;
    }
    return times(duration, low, start);
}

// ---- Text ---------------------------------------------------------------------------------------

enum unit {
    UNIT_YEARS = 1,
    UNIT_MONTHS,
    UNIT_WEEKS,
    UNIT_DAYS,
    UNIT_HOURS,
    UNIT_MINUTES,
    UNIT_SECONDS,
    UNIT_MILLISECONDS,
    UNIT_MICROSECONDS,
    UNIT_NANOSECONDS,
    UNIT_COUNT
};

// A unit is some months, some days or some nanoseconds; `total` names which in errors.
static const struct {
    const char *name, *symbol, *total;
    int64_t size;
} units[UNIT_COUNT] = {
    [UNIT_YEARS] = {"years", "y", "months", 12},
    [UNIT_MONTHS] = {"months", "mo", "months", 1},
    [UNIT_WEEKS] = {"weeks", "w", "days", 7},
    [UNIT_DAYS] = {"days", "d", "days", 1},
    [UNIT_HOURS] = {"hours", "h", "nanoseconds", 3600000000000},
    [UNIT_MINUTES] = {"minutes", "m", "nanoseconds", 60000000000},
    [UNIT_SECONDS] = {"seconds", "s", "nanoseconds", 1000000000},
    [UNIT_MILLISECONDS] = {"milliseconds", "ms", "nanoseconds", 1000000},
    [UNIT_MICROSECONDS] = {"microseconds", "us", "nanoseconds", 1000},
    [UNIT_NANOSECONDS] = {"nanoseconds", "ns", "nanoseconds", 1},
};

static uint64_t magnitude(int64_t number)
{
    return number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
}

// What of `rest` is whole units; the remainder stays.
static void put_unit(enum unit unit, uint64_t *rest, struct buffer *text)
{
    uint64_t count = *rest / (uint64_t)units[unit].size;
    *rest %= (uint64_t)units[unit].size;
    if (count > 0) buffer_put_format(text, "%" PRIu64 "%s", count, units[unit].symbol);
}

void duration_put_text(struct duration duration, struct buffer *text)
{
    uint64_t months = magnitude(duration.months), days = magnitude(duration.days);
    uint64_t nanoseconds = magnitude(duration.nanoseconds);
    if (duration.months < 0 || duration.days < 0 || duration.nanoseconds < 0)
        buffer_put_u8(text, '-');
    put_unit(UNIT_YEARS, &months, text);
    put_unit(UNIT_MONTHS, &months, text);
    put_unit(UNIT_DAYS, &days, text);
    for (enum unit unit = UNIT_HOURS; unit < UNIT_COUNT; unit++)
        put_unit(unit, &nanoseconds, text);
}

// ---- Reading ------------------------------------------------------------------------------------

struct duration_reader {
    struct slice text; // Without the sign: as errors show it.
    size_t at;
    int64_t months, days, nanoseconds;
    enum unit last; // Read so far; 0: none.
    struct error *error;
};

static enum status unreadable(struct duration_reader *reader)
{
    return error_set(reader->error, STATUS_INVALID, "Unable to convert '%.*s' to a duration",
                     (int)(reader->text.size < 400 ? reader->text.size : 400),
                     (const char *)reader->text.data);
}

static enum status add(struct duration_reader *reader, enum unit unit, int64_t count)
{
    if (unit == reader->last)
        return error_set(reader->error, STATUS_INVALID,
                         "Invalid duration. The %s are specified multiple times", units[unit].name);
    if (unit < reader->last)
        return error_set(reader->error, STATUS_INVALID,
                         "Invalid duration. The %s should be after %s", units[reader->last].name,
                         units[unit].name);
    reader->last = unit;
    int64_t *total = unit <= UNIT_MONTHS ? &reader->months
                     : unit <= UNIT_DAYS ? &reader->days
                                         : &reader->nanoseconds;
    int64_t max = unit <= UNIT_DAYS ? INT32_MAX : INT64_MAX;
    // Cassandra names the bound of months for all three.
    if (count > (max - *total) / units[unit].size)
        return error_set(reader->error, STATUS_INVALID,
                         "Invalid duration. The total number of %s must be less or equal to %d",
                         units[unit].total, INT32_MAX);
    *total += count * units[unit].size;
    return STATUS_OK;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

// The digits at the reader's place, which are at least one.
static enum status read_count(struct duration_reader *reader, int64_t *count)
{
    size_t start = reader->at;
    int64_t number = 0;
    bool fits = true;
    for (; reader->at < reader->text.size && is_digit(reader->text.data[reader->at]);
         reader->at++) {
        fits = fits && !__builtin_mul_overflow(number, 10, &number) &&
               !__builtin_add_overflow(number, reader->text.data[reader->at] - '0', &number);
    }
    if (reader->at == start) return unreadable(reader);
    if (!fits)
        return error_set(reader->error, STATUS_INVALID, "For input string: \"%.*s\"",
                         (int)(reader->at - start), (const char *)reader->text.data + start);
    *count = number;
    return STATUS_OK;
}

// y mo w d h m s ms us µs ns, in any case of letters; the longest that fits. 0: none.
static enum unit read_symbol(struct duration_reader *reader)
{
    const uint8_t *at = reader->text.data + reader->at;
    size_t left = reader->text.size - reader->at;
    if (left >= 3 && at[0] == 0xc2 && at[1] == 0xb5 && (at[2] | 0x20) == 's') {
        reader->at += 3;
        return UNIT_MICROSECONDS;
    }
    enum unit found = 0;
    size_t found_size = 0;
    for (enum unit unit = UNIT_YEARS; unit < UNIT_COUNT; unit++) {
        size_t size = strlen(units[unit].symbol);
        if (size > left || size <= found_size) continue;
        bool same = true;
        for (size_t i = 0; i < size; i++)
            same = same && (at[i] | 0x20) == (uint8_t)units[unit].symbol[i];
        if (!same) continue;
        found = unit;
        found_size = size;
    }
    reader->at += found_size;
    return found;
}

static enum status read_standard(struct duration_reader *reader)
{
    if (reader->text.size == 0) return unreadable(reader);
    // The whole must have the right form before its parts are judged.
    while (reader->at < reader->text.size) {
        size_t start = reader->at;
        while (reader->at < reader->text.size && is_digit(reader->text.data[reader->at]))
            reader->at++;
        if (reader->at == start || read_symbol(reader) == 0) return unreadable(reader);
    }
    for (reader->at = 0; reader->at < reader->text.size;) {
        int64_t count;
        enum status status = read_count(reader, &count);
        if (status == STATUS_OK) status = add(reader, read_symbol(reader), count);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

// "nU" for each unit of `symbols` in order, all optional.
static enum status read_iso_part(struct duration_reader *reader, const char *symbols,
                                 const enum unit *symbol_units)
{
    for (size_t i = 0; symbols[i] != '\0'; i++) {
        size_t start = reader->at;
        if (start == reader->text.size || !is_digit(reader->text.data[start])) return STATUS_OK;
        int64_t count;
        enum status status = read_count(reader, &count);
        if (status != STATUS_OK) return status;
        if (reader->at == reader->text.size || reader->text.data[reader->at] != symbols[i]) {
            reader->at = start;
            continue;
        }
        reader->at++;
        status = add(reader, symbol_units[i], count);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

static bool accept(struct duration_reader *reader, char c)
{
    if (reader->at == reader->text.size || reader->text.data[reader->at] != (uint8_t)c)
        return false;
    reader->at++;
    return true;
}

// P[nY][nM][nD][T[nH][nM][nS]] or PnW.
static enum status read_iso(struct duration_reader *reader)
{
    static const enum unit dates[] = {UNIT_YEARS, UNIT_MONTHS, UNIT_DAYS};
    static const enum unit times[] = {UNIT_HOURS, UNIT_MINUTES, UNIT_SECONDS};
    static const enum unit weeks[] = {UNIT_WEEKS};
    bool has_weeks = reader->text.data[reader->text.size - 1] == 'W';
    reader->at = 1;
    enum status status =
        has_weeks ? read_iso_part(reader, "W", weeks) : read_iso_part(reader, "YMD", dates);
    if (status == STATUS_OK && !has_weeks && accept(reader, 'T'))
        status = read_iso_part(reader, "HMS", times);
    if (status != STATUS_OK) return status;
    return reader->at == reader->text.size ? STATUS_OK : unreadable(reader);
}

// P0001-02-03T04:05:06.
static enum status read_iso_alternative(struct duration_reader *reader)
{
    static const struct {
        enum unit unit;
        uint8_t digits;
        char before;
    } parts[] = {{UNIT_YEARS, 4, 'P'}, {UNIT_MONTHS, 2, '-'},  {UNIT_DAYS, 2, '-'},
                 {UNIT_HOURS, 2, 'T'}, {UNIT_MINUTES, 2, ':'}, {UNIT_SECONDS, 2, ':'}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (!accept(reader, parts[i].before)) return unreadable(reader);
        size_t start = reader->at;
        int64_t count;
        if (start == reader->text.size || !is_digit(reader->text.data[start]))
            return unreadable(reader);
        enum status status = read_count(reader, &count);
        if (status == STATUS_OK && reader->at - start != parts[i].digits)
            status = unreadable(reader);
        if (status == STATUS_OK) status = add(reader, parts[i].unit, count);
        if (status != STATUS_OK) return status;
    }
    return reader->at == reader->text.size ? STATUS_OK : unreadable(reader);
}

enum status duration_parse(struct slice text, struct duration *duration, struct error *error)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    size_t skipped = negative ? 1 : 0;
    struct duration_reader reader = {
        .text = slice_make(text.data + skipped, text.size - skipped),
        .error = error,
    };
    enum status status;
    if (reader.text.size == 0 || reader.text.data[0] != 'P')
        status = read_standard(&reader);
    else if (reader.text.data[reader.text.size - 1] != 'W' &&
             memchr(reader.text.data, '-', reader.text.size) != NULL)
        status = read_iso_alternative(&reader);
    else
        status = read_iso(&reader);
    if (status != STATUS_OK) return status;
    int sign = negative ? -1 : 1;
    *duration = (struct duration){(int32_t)(sign * reader.months), (int32_t)(sign * reader.days),
                                  sign * reader.nanoseconds};
    return STATUS_OK;
}
