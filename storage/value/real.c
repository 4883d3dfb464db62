#include "storage/value/real.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

// Room for "-1.7976931348623157e+308".
enum { DIGITS_TEXT_SIZE = 40, REAL_TEXT_SIZE_MAX = 2000 };

// `digits` is "d.ddde±x" of a number that is not zero: Java's form of it has a plain point from
// 10^-3 to 10^7 and an exponent E elsewhere, at least one digit on each side of the point, and no
// zeros at the end.
static void put_digits(const char *digits, struct buffer *text)
{
    char significant[DIGITS_TEXT_SIZE];
    int count = 0;
    const char *at = digits;
    for (; *at != '\0' && *at != 'e'; at++)
        if (*at >= '0' && *at <= '9') significant[count++] = *at;
    int exponent = *at == 'e' ? atoi(at + 1) : 0;
    while (count > 1 && significant[count - 1] == '0')
        count--;

    if (exponent < -3 || exponent >= 7) {
        buffer_put_format(text, "%c.%.*sE%d", significant[0], count > 1 ? count - 1 : 1,
                          count > 1 ? significant + 1 : "0", exponent);
    } else if (exponent < 0) {
        buffer_put_format(text, "0.%.*s%.*s", -exponent - 1, "00", count, significant);
    } else {
        for (int i = 0; i <= exponent; i++)
            buffer_put_u8(text, (uint8_t)(i < count ? significant[i] : '0'));
        buffer_put_u8(text, '.');
        if (count > exponent + 1)
            buffer_put(text, significant + exponent + 1, (size_t)(count - exponent - 1));
        else
            buffer_put_u8(text, '0');
    }
}

// NaN, infinities and zeros; true when it was one.
static bool put_special(double value, struct buffer *text)
{
    if (isnan(value)) {
        buffer_put(text, "NaN", 3);
        return true;
    }
    if (signbit(value)) buffer_put_u8(text, '-');
    if (isinf(value))
        buffer_put(text, "Infinity", 8);
    else if (value == 0)
        buffer_put(text, "0.0", 3);
    else
        return false;
    return true;
}

void real_put_double(double value, struct buffer *text)
{
    if (put_special(value, text)) return;
    char digits[DIGITS_TEXT_SIZE];
    value = fabs(value);
    for (int precision = 1; precision <= 16; precision++) {
        snprintf(digits, sizeof digits, "%.*e", precision, value);
        if (strtod(digits, NULL) == value) break;
    }
    put_digits(digits, text);
}

void real_put_float(float value, struct buffer *text)
{
    if (put_special((double)value, text)) return;
    char digits[DIGITS_TEXT_SIZE];
    value = fabsf(value);
    for (int precision = 1; precision <= 8; precision++) {
        snprintf(digits, sizeof digits, "%.*e", precision, (double)value);
        if (strtof(digits, NULL) == value) break;
    }
    put_digits(digits, text);
}

// ---- Reading ------------------------------------------------------------------------------------

static bool is_digit(char c, bool hexadecimal)
{
    if (c >= '0' && c <= '9') return true;
    return hexadecimal && (((c | 0x20) >= 'a') && ((c | 0x20) <= 'f'));
}

// [+-] (NaN | Infinity | [0x] digits [. digits] [e|p [+-] digits] [f|d]): what strtod() takes
// beyond that (inf, nan, a missing digit) is not Java's. Cuts a suffix off.
static bool is_real(char *text)
{
    char *at = text;
    if (*at == '-' || *at == '+') at++;
    if (strcmp(at, "NaN") == 0 || strcmp(at, "Infinity") == 0) return true;
    bool hexadecimal = at[0] == '0' && (at[1] | 0x20) == 'x';
    if (hexadecimal) at += 2;
    size_t digit_count = 0;
    for (; is_digit(*at, hexadecimal); at++)
        digit_count++;
    if (*at == '.')
        for (at++; is_digit(*at, hexadecimal); at++)
            digit_count++;
    if (digit_count == 0) return false;
    bool has_exponent = (*at | 0x20) == (hexadecimal ? 'p' : 'e');
    if (has_exponent) {
        at++;
        if (*at == '-' || *at == '+') at++;
        if (!is_digit(*at, false)) return false;
        while (is_digit(*at, false))
            at++;
    } else if (hexadecimal) {
        return false;
    }
    bool has_suffix = (*at | 0x20) == 'f' || (*at | 0x20) == 'd';
    if (at[has_suffix] != '\0') return false;
    *at = '\0';
    return true;
}

// A trimmed copy with a NUL in `copy`; false when it is too long, empty or no number.
static bool prepare(struct slice text, char copy[static REAL_TEXT_SIZE_MAX])
{
    while (text.size > 0 && text.data[0] <= ' ') {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && text.data[text.size - 1] <= ' ')
        text.size--;
    if (text.size == 0 || text.size >= REAL_TEXT_SIZE_MAX) return false;
    if (memchr(text.data, '\0', text.size) != NULL) return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return is_real(copy);
}

enum status real_parse_double(struct slice text, double *value)
{
    char copy[REAL_TEXT_SIZE_MAX];
    if (!prepare(text, copy)) return STATUS_MALFORMED;
    *value = strstr(copy, "NaN") != NULL ? (double)NAN : strtod(copy, NULL);
    return STATUS_OK;
}

enum status real_parse_float(struct slice text, float *value)
{
    char copy[REAL_TEXT_SIZE_MAX];
    if (!prepare(text, copy)) return STATUS_MALFORMED;
    *value = strstr(copy, "NaN") != NULL ? NAN : strtof(copy, NULL);
    return STATUS_OK;
}
