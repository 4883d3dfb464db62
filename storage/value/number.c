#include "storage/value/number.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "storage/value/number_gmp.h"

#include <inttypes.h>
#include <stdlib.h>

// ---- varint -------------------------------------------------------------------------------------

// Without the bytes in front that only repeat the sign.
static struct slice trim_sign(struct slice value)
{
    while (value.size > 1 && ((value.data[0] == 0 && value.data[1] < 0x80) ||
                              (value.data[0] == 0xff && value.data[1] >= 0x80))) {
        value.data++;
        value.size--;
    }
    return value;
}

int number_compare_varint(struct slice a, struct slice b)
{
    if (a.size == 0 || b.size == 0) return (a.size != 0) - (b.size != 0);
    a = trim_sign(a);
    b = trim_sign(b);
    bool a_negative = a.data[0] >= 0x80, b_negative = b.data[0] >= 0x80;
    if (a_negative != b_negative) return a_negative ? -1 : 1;
    if (a.size != b.size) return (a.size < b.size) != a_negative ? -1 : 1;
    return slice_compare(a, b);
}

void number_gmp_import(mpz_t number, struct slice value)
{
    mpz_import(number, value.size, 1, 1, 1, 0, value.data);
    if (value.data[0] < 0x80) return;
    mpz_t modulus;
    mpz_init(modulus);
    mpz_setbit(modulus, value.size * 8);
    mpz_sub(number, number, modulus);
    mpz_clear(modulus);
}

struct slice number_gmp_export(const mpz_t number, struct arena *arena, size_t prefix_size)
{
    // -128 needs 8 bits with its sign though its magnitude needs 8 without: -(n + 1) tells.
    mpz_t bits;
    mpz_init(bits);
    if (mpz_sgn(number) < 0)
        mpz_com(bits, number);
    else
        mpz_set(bits, number);
    size_t size = mpz_sgn(bits) == 0 ? 1 : mpz_sizeinbase(bits, 2) / 8 + 1;
    uint8_t *bytes = arena_alloc_zero(arena, prefix_size + size);
    size_t count = 0;
    uint8_t *digits = mpz_export(NULL, &count, 1, 1, 1, 0, bits);
    ASSERT(count <= size);
    if (count > 0) memcpy(bytes + prefix_size + size - count, digits, count);
    free(digits);
    if (mpz_sgn(number) < 0)
        for (size_t i = 0; i < size; i++)
            bytes[prefix_size + i] = (uint8_t)~bytes[prefix_size + i];
    mpz_clear(bits);
    return slice_make(bytes, prefix_size + size);
}

void number_put_varint(struct slice value, struct buffer *text)
{
    ASSERT(value.size > 0);
    mpz_t number;
    mpz_init(number);
    number_gmp_import(number, value);
    char *digits = mpz_get_str(NULL, 10, number);
    buffer_put(text, digits, strlen(digits));
    free(digits);
    mpz_clear(number);
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

// `digits` are digits only.
static struct slice export_digits(const char *digits, bool negative, struct arena *arena,
                                  size_t prefix_size)
{
    mpz_t number;
    int bad = mpz_init_set_str(number, digits, 10);
    ASSERT(bad == 0);
    if (negative) mpz_neg(number, number);
    struct slice exported = number_gmp_export(number, arena, prefix_size);
    mpz_clear(number);
    return exported;
}

enum status number_parse_varint(struct slice text, struct arena *arena, struct slice *value)
{
    size_t at = text.size > 0 && (text.data[0] == '-' || text.data[0] == '+') ? 1 : 0;
    size_t count = text.size - at;
    if (count == 0 || count > NUMBER_DIGITS_MAX) return STATUS_MALFORMED;
    char *digits = arena_alloc(arena, count + 1);
    for (size_t i = 0; i < count; i++) {
        if (!is_digit(text.data[at + i])) return STATUS_MALFORMED;
        digits[i] = (char)text.data[at + i];
    }
    digits[count] = '\0';
    *value = export_digits(digits, text.data[0] == '-', arena, 0);
    return STATUS_OK;
}

// ---- decimal ------------------------------------------------------------------------------------

static int32_t scale_of(struct slice value)
{
    return (int32_t)bytes_get_u32(value.data);
}

static struct slice unscaled_of(struct slice value)
{
    return slice_make(value.data + 4, value.size - 4);
}

// |a| against |b|, both not zero, of one sign, where their digits before the point are as many: the
// exponents then differ by no more than the digits do, so the power of ten stays small.
static int compare_scaled(mpz_t a, int64_t a_scale, mpz_t b, int64_t b_scale)
{
    mpz_t power;
    mpz_init(power);
    int64_t more = a_scale - b_scale;
    mpz_ui_pow_ui(power, 10, (unsigned long)(more < 0 ? -more : more));
    if (more < 0)
        mpz_mul(a, a, power);
    else
        mpz_mul(b, b, power);
    mpz_clear(power);
    return mpz_cmp(a, b);
}

int64_t number_gmp_digit_count(const mpz_t number)
{
    // mpz_sizeinbase() may say one too many in base 10.
    size_t count = mpz_sizeinbase(number, 10);
    mpz_t power;
    mpz_init(power);
    mpz_ui_pow_ui(power, 10, count - 1);
    if (mpz_cmpabs(number, power) < 0) count--;
    mpz_clear(power);
    return (int64_t)count;
}

int number_compare_decimal(struct slice a, struct slice b)
{
    mpz_t a_number, b_number;
    mpz_init(a_number);
    mpz_init(b_number);
    number_gmp_import(a_number, unscaled_of(a));
    number_gmp_import(b_number, unscaled_of(b));
    int sign = mpz_sgn(a_number), order;
    if (sign != mpz_sgn(b_number)) {
        order = sign - mpz_sgn(b_number);
    } else if (sign == 0) {
        order = 0;
    } else {
        int64_t a_before_point = number_gmp_digit_count(a_number) - scale_of(a);
        int64_t b_before_point = number_gmp_digit_count(b_number) - scale_of(b);
        if (a_before_point != b_before_point)
            order = a_before_point < b_before_point ? -sign : sign;
        else
            order = compare_scaled(a_number, scale_of(a), b_number, scale_of(b));
    }
    mpz_clear(a_number);
    mpz_clear(b_number);
    return order;
}

void number_put_decimal(struct slice value, struct buffer *text)
{
    ASSERT(value.size > 4);
    mpz_t number;
    mpz_init(number);
    number_gmp_import(number, unscaled_of(value));
    char *all = mpz_get_str(NULL, 10, number);
    mpz_clear(number);
    char *digits = all;
    if (*digits == '-') {
        buffer_put_u8(text, '-');
        digits++;
    }
    size_t count = strlen(digits);
    int64_t scale = scale_of(value);
    int64_t exponent = (int64_t)count - 1 - scale; // Of the first digit.
    if (scale == 0) {
        buffer_put(text, digits, count);
    } else if (scale > 0 && exponent >= -6) {
        int64_t before_point = (int64_t)count - scale;
        if (before_point > 0)
            buffer_put(text, digits, (size_t)before_point);
        else
            buffer_put_u8(text, '0');
        buffer_put_u8(text, '.');
        for (int64_t i = before_point; i < 0; i++)
            buffer_put_u8(text, '0');
        size_t skipped = before_point > 0 ? (size_t)before_point : 0;
        buffer_put(text, digits + skipped, count - skipped);
    } else {
        buffer_put_u8(text, (uint8_t)digits[0]);
        if (count > 1) {
            buffer_put_u8(text, '.');
            buffer_put(text, digits + 1, count - 1);
        }
        if (exponent != 0) buffer_put_format(text, "E%+" PRId64, exponent);
    }
    free(all);
}

// Reads "e+12" at `*at`, if it stands there.
static bool parse_exponent(struct slice text, size_t *at, int64_t *exponent)
{
    *exponent = 0;
    if (*at == text.size) return true;
    if (text.data[*at] != 'e' && text.data[*at] != 'E') return false;
    (*at)++;
    bool negative = *at < text.size && text.data[*at] == '-';
    if (*at < text.size && (text.data[*at] == '-' || text.data[*at] == '+')) (*at)++;
    size_t start = *at;
    for (; *at < text.size && is_digit(text.data[*at]); (*at)++) {
        *exponent = *exponent * 10 + (text.data[*at] - '0');
        if (*exponent > 100 * (int64_t)INT32_MAX) return false;
    }
    if (negative) *exponent = -*exponent;
    return *at > start && *at == text.size;
}

enum status number_parse_decimal(struct slice text, struct arena *arena, struct slice *value)
{
    if (text.size == 0 || text.size > NUMBER_DIGITS_MAX) return STATUS_MALFORMED;
    size_t at = text.data[0] == '-' || text.data[0] == '+' ? 1 : 0;
    char *digits = arena_alloc(arena, text.size + 1);
    size_t count = 0;
    int64_t fraction_count = 0;
    bool point = false;
    for (; at < text.size; at++) {
        if (text.data[at] == '.' && !point) {
            point = true;
        } else if (is_digit(text.data[at])) {
            digits[count++] = (char)text.data[at];
            fraction_count += point;
        } else {
            break;
        }
    }
    int64_t exponent;
    if (count == 0 || !parse_exponent(text, &at, &exponent)) return STATUS_MALFORMED;
    int64_t scale = fraction_count - exponent;
    // BigDecimal takes a scale of -2^31 only from an exponent of 2^31 - 1 and more digits before.
    if (scale > INT32_MAX || scale < INT32_MIN || exponent > INT32_MAX || exponent < -INT32_MAX)
        return STATUS_MALFORMED;
    digits[count] = '\0';
    struct slice exported = export_digits(digits, text.data[0] == '-', arena, 4);
    bytes_put_u32((uint8_t *)(uintptr_t)exported.data, (uint32_t)(int32_t)scale);
    *value = exported;
    return STATUS_OK;
}
