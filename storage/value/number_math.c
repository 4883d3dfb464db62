#include "storage/value/number_math.h"

#include "base/bytes.h"
#include "storage/value/number_gmp.h"

// BigDecimal: number / 10^scale.
struct decimal {
    mpz_t number;
    int64_t scale;
};

// The largest power of ten that is made: Java's numbers end not far beyond it, and what a client
// wrote as 1e2000000000 must not cost gigabytes.
enum { POWER_MAX = 200000, PRECISION_MAX = 10000, DIGITS_MIN = 32, SCALE_MAX = 1000 };

static const char too_large[] = "BigInteger would overflow supported range";
static const char no_scale[] = "Underflow";

static void decimal_init(struct decimal *decimal)
{
    mpz_init(decimal->number);
    decimal->scale = 0;
}

static void decimal_get(struct decimal *decimal, struct slice value)
{
    decimal_init(decimal);
    number_gmp_import(decimal->number, slice_make(value.data + 4, value.size - 4));
    decimal->scale = (int32_t)bytes_get_u32(value.data);
}

static void decimal_clear(struct decimal *decimal)
{
    mpz_clear(decimal->number);
}

static const char *decimal_put(const struct decimal *decimal, struct arena *arena,
                               struct slice *result)
{
    if (decimal->scale > INT32_MAX || decimal->scale < INT32_MIN)
        return decimal->scale < 0 ? "Overflow" : no_scale;
    struct slice bytes = number_gmp_export(decimal->number, arena, 4);
    bytes_put_u32((uint8_t *)(uintptr_t)bytes.data, (uint32_t)(int32_t)decimal->scale);
    *result = bytes;
    return NULL;
}

static bool decimal_multiply_power(mpz_t number, int64_t exponent)
{
    if (mpz_sgn(number) == 0 || exponent == 0) return true;
    if (exponent > POWER_MAX) return false;
    mpz_t power;
    mpz_init(power);
    mpz_ui_pow_ui(power, 10, (unsigned long)exponent);
    mpz_mul(number, number, power);
    mpz_clear(power);
    return true;
}

enum rounding { ROUND_HALF_UP, ROUND_HALF_EVEN, ROUND_DOWN };

// number / divisor, rounded.
static void decimal_divide_rounded(mpz_t number, const mpz_t divisor, enum rounding rounding)
{
    mpz_t rest, twice;
    mpz_init(rest);
    mpz_init(twice);
    int sign = mpz_sgn(number) * mpz_sgn(divisor);
    mpz_tdiv_qr(number, rest, number, divisor);
    mpz_mul_2exp(twice, rest, 1);
    int order = mpz_cmpabs(twice, divisor);
    bool away = rounding == ROUND_HALF_UP     ? order >= 0
                : rounding == ROUND_HALF_EVEN ? order > 0 || (order == 0 && mpz_odd_p(number))
                                              : false;
    if (away && sign > 0) mpz_add_ui(number, number, 1);
    if (away && sign < 0) mpz_sub_ui(number, number, 1);
    mpz_clear(rest);
    mpz_clear(twice);
}

// The same value, or the nearest, with this scale. False: it would be too large.
static bool decimal_set_scale(struct decimal *decimal, int64_t scale, enum rounding rounding)
{
    int64_t fewer = decimal->scale - scale;
    if (fewer <= 0) {
        if (!decimal_multiply_power(decimal->number, -fewer)) return false;
        decimal->scale = scale;
        return true;
    }
    decimal->scale = scale;
    // Nothing of it is left when all of its digits go, and one more.
    if (fewer > number_gmp_digit_count(decimal->number) + 1) {
        mpz_set_ui(decimal->number, 0);
        return true;
    }
    mpz_t power;
    mpz_init(power);
    mpz_ui_pow_ui(power, 10, (unsigned long)fewer);
    decimal_divide_rounded(decimal->number, power, rounding);
    mpz_clear(power);
    return true;
}

// At most this many digits.
static void decimal_limit(struct decimal *decimal, int64_t digits, enum rounding rounding)
{
    int64_t more = number_gmp_digit_count(decimal->number) - digits;
    // 999.5 becomes 1000 and is cut once more.
    while (more > 0) {
        (void)decimal_set_scale(decimal, decimal->scale - more, rounding);
        more = number_gmp_digit_count(decimal->number) - digits;
    }
}

// Takes zeros off the end, as far as the scale stays at least `scale`.
static void decimal_strip(struct decimal *decimal, int64_t scale)
{
    if (mpz_sgn(decimal->number) == 0) return;
    while (decimal->scale > scale && mpz_divisible_ui_p(decimal->number, 10)) {
        mpz_divexact_ui(decimal->number, decimal->number, 10);
        decimal->scale--;
    }
}

// ---- Sums and products --------------------------------------------------------------------------

// One of them is 0 (BigDecimal.add).
static void decimal_add_zero(struct decimal *a, struct decimal *b)
{
    int64_t preferred = a->scale > b->scale ? a->scale : b->scale;
    bool both = mpz_sgn(a->number) == 0 && mpz_sgn(b->number) == 0;
    if (mpz_sgn(a->number) == 0) {
        mpz_set(a->number, b->number);
        a->scale = b->scale;
    }
    if (both) {
        a->scale = preferred;
        return;
    }
    decimal_limit(a, PRECISION_MAX, ROUND_HALF_UP);
    if (a->scale > preferred) {
        decimal_strip(a, preferred);
        return;
    }
    int64_t room = PRECISION_MAX - number_gmp_digit_count(a->number);
    int64_t wanted = preferred - a->scale;
    (void)decimal_set_scale(a, a->scale + (room >= wanted ? wanted : room), ROUND_HALF_UP);
}

// The smaller one is so small that only its sign matters (BigDecimal.preAlign).
static void decimal_align(struct decimal *a, struct decimal *b)
{
    struct decimal *large = a->scale < b->scale ? a : b, *small = large == a ? b : a;
    int64_t unit = large->scale - number_gmp_digit_count(large->number) + PRECISION_MAX;
    int64_t high = small->scale - number_gmp_digit_count(small->number) + 1;
    if (high <= large->scale + 2 || high <= unit + 2) return;
    mpz_set_si(small->number, mpz_sgn(small->number));
    small->scale = (large->scale > unit ? large->scale : unit) + 3;
}

static bool decimal_add_exactly(struct decimal *a, struct decimal *b)
{
    int64_t scale = a->scale > b->scale ? a->scale : b->scale;
    if (!decimal_set_scale(a, scale, ROUND_DOWN) || !decimal_set_scale(b, scale, ROUND_DOWN))
        return false;
    mpz_add(a->number, a->number, b->number);
    return true;
}

static const char *decimal_add(struct decimal *a, struct decimal *b)
{
    if (mpz_sgn(a->number) == 0 || mpz_sgn(b->number) == 0) {
        decimal_add_zero(a, b);
        return NULL;
    }
    if (a->scale != b->scale) decimal_align(a, b);
    if (!decimal_add_exactly(a, b)) return too_large;
    decimal_limit(a, PRECISION_MAX, ROUND_HALF_UP);
    return NULL;
}

static const char *decimal_multiply(struct decimal *a, const struct decimal *b)
{
    mpz_mul(a->number, a->number, b->number);
    a->scale += b->scale;
    decimal_limit(a, PRECISION_MAX, ROUND_HALF_UP);
    return NULL;
}

// ---- Quotients ----------------------------------------------------------------------------------

// a / b with this scale.
static const char *decimal_divide_to(struct decimal *a, const struct decimal *b, int64_t scale,
                                     enum rounding rounding)
{
    mpz_t divisor;
    if (mpz_sgn(b->number) == 0) return "BigInteger divide by zero";
    mpz_init_set(divisor, b->number);
    // a / 10^sa / (b / 10^sb) * 10^scale
    int64_t exponent = scale + b->scale - a->scale;
    bool is_ok = exponent >= 0 ? decimal_multiply_power(a->number, exponent)
                               : decimal_multiply_power(divisor, -exponent);
    if (is_ok) decimal_divide_rounded(a->number, divisor, rounding);
    mpz_clear(divisor);
    a->scale = scale;
    return is_ok ? NULL : too_large;
}

static int64_t number_math_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

// DecimalType.divide().
static const char *decimal_divide(struct decimal *a, const struct decimal *b)
{
    int64_t first = (number_gmp_digit_count(a->number) - a->scale) -
                    (number_gmp_digit_count(b->number) - b->scale);
    int64_t scale = number_math_max(DIGITS_MIN - first, number_math_max(a->scale, b->scale));
    scale = number_math_max(scale, DIGITS_MIN);
    if (scale > SCALE_MAX) scale = SCALE_MAX;
    const char *fault = decimal_divide_to(a, b, scale, ROUND_HALF_UP);
    if (fault != NULL) return fault;
    if (mpz_sgn(a->number) == 0)
        a->scale = 0;
    else
        decimal_strip(a, INT32_MIN);
    return NULL;
}

// a - b * (a / b without what is behind its point).
static const char *decimal_remainder(struct decimal *a, struct decimal *b)
{
    if (mpz_sgn(b->number) == 0)
        return mpz_sgn(a->number) == 0 ? "Division undefined" : "Division by zero";
    // A dividend that is surely the smaller one is its own rest.
    int64_t a_before = number_gmp_digit_count(a->number) - a->scale;
    int64_t b_before = number_gmp_digit_count(b->number) - b->scale;
    bool is_small = mpz_sgn(a->number) != 0 && a_before < b_before - 1;
    if (is_small) return NULL;
    int64_t a_scale = a->scale, b_scale = b->scale;
    int64_t scale = number_math_max(a_scale, b_scale);
    if (!decimal_set_scale(a, scale, ROUND_DOWN) || !decimal_set_scale(b, scale, ROUND_DOWN))
        return too_large;
    mpz_t quotient;
    mpz_init(quotient);
    mpz_tdiv_qr(quotient, a->number, a->number, b->number);
    // The quotient has as few zeros at its end as its scale allows; the rest has what is then left
    // of the divisor's scale.
    int64_t zeros = 0;
    bool is_zero = mpz_sgn(quotient) == 0;
    while (!is_zero && zeros < b_scale - a_scale && mpz_divisible_ui_p(quotient, 10)) {
        mpz_divexact_ui(quotient, quotient, 10);
        zeros++;
    }
    mpz_clear(quotient);
    int64_t left =
        is_zero || b_scale <= a_scale ? a_scale : number_math_max(a_scale, b_scale - zeros);
    (void)decimal_set_scale(a, left, ROUND_DOWN);
    return NULL;
}

const char *number_math_decimal(char operator, struct slice a, struct slice b, struct arena *arena,
                                struct slice *result)
{
    struct decimal left, right;
    const char *fault;
    decimal_get(&left, a);
    decimal_get(&right, b);
    switch (operator) {
    case '-':
        mpz_neg(right.number, right.number);
        fault = decimal_add(&left, &right);
        break;
    case '+':
        fault = decimal_add(&left, &right);
        break;
    case '*':
        fault = decimal_multiply(&left, &right);
        break;
    case '/':
        fault = decimal_divide(&left, &right);
        break;
    default:
        fault = decimal_remainder(&left, &right);
        break;
    }
    if (fault == NULL) fault = decimal_put(&left, arena, result);
    decimal_clear(&left);
    decimal_clear(&right);
    return fault;
}

const char *number_math_decimal_sum(struct slice a, struct slice b, struct arena *arena,
                                    struct slice *result)
{
    struct decimal left, right;
    decimal_get(&left, a);
    decimal_get(&right, b);
    const char *fault = decimal_add_exactly(&left, &right) ? NULL : too_large;
    if (fault == NULL) fault = decimal_put(&left, arena, result);
    decimal_clear(&left);
    decimal_clear(&right);
    return fault;
}

const char *number_math_decimal_average(struct slice average, struct slice value, int64_t count,
                                        struct arena *arena, struct slice *result)
{
    struct decimal left, right, divisor;
    decimal_get(&left, average);
    decimal_get(&right, value);
    decimal_init(&divisor);
    mpz_set_si(divisor.number, (long)count);
    const char *fault = NULL;
    mpz_neg(left.number, left.number);
    if (!decimal_add_exactly(&right, &left)) fault = too_large;
    if (fault == NULL) fault = decimal_divide_to(&right, &divisor, right.scale, ROUND_HALF_EVEN);
    mpz_neg(left.number, left.number);
    if (fault == NULL && !decimal_add_exactly(&left, &right)) fault = too_large;
    if (fault == NULL) fault = decimal_put(&left, arena, result);
    decimal_clear(&left);
    decimal_clear(&right);
    decimal_clear(&divisor);
    return fault;
}

// ---- varint -------------------------------------------------------------------------------------

const char *number_math_varint(char operator, struct slice a, struct slice b, struct arena *arena,
                               struct slice *result)
{
    mpz_t left, right;
    mpz_init(left);
    mpz_init(right);
    number_gmp_import(left, a);
    number_gmp_import(right, b);
    const char *fault = NULL;
    if (operator== '+')
        mpz_add(left, left, right);
    else if (operator== '-')
        mpz_sub(left, left, right);
    else if (operator== '*')
        mpz_mul(left, left, right);
    else if (mpz_sgn(right) == 0)
        fault = "BigInteger divide by zero";
    else if (operator== '/')
        mpz_tdiv_q(left, left, right);
    else
        mpz_tdiv_r(left, left, right);
    if (fault == NULL) *result = number_gmp_export(left, arena, 0);
    mpz_clear(left);
    mpz_clear(right);
    return fault;
}

// ---- One number ---------------------------------------------------------------------------------

struct slice number_math_negate_varint(struct slice value, struct arena *arena)
{
    mpz_t number;
    mpz_init(number);
    number_gmp_import(number, value);
    mpz_neg(number, number);
    struct slice result = number_gmp_export(number, arena, 0);
    mpz_clear(number);
    return result;
}

struct slice number_math_negate_decimal(struct slice value, struct arena *arena)
{
    struct decimal decimal;
    struct slice result = value;
    decimal_get(&decimal, value);
    mpz_neg(decimal.number, decimal.number);
    (void)decimal_put(&decimal, arena, &result);
    decimal_clear(&decimal);
    return result;
}

bool number_math_is_negative_varint(struct slice value)
{
    return value.data[0] >= 0x80;
}

bool number_math_is_negative_decimal(struct slice value)
{
    return value.data[4] >= 0x80;
}

const char *number_math_round_decimal(struct slice value, struct arena *arena, struct slice *result)
{
    struct decimal decimal;
    decimal_get(&decimal, value);
    const char *fault = decimal_set_scale(&decimal, 0, ROUND_HALF_UP) ? NULL : too_large;
    if (fault == NULL) fault = decimal_put(&decimal, arena, result);
    decimal_clear(&decimal);
    return fault;
}

// ---- From one to the other ----------------------------------------------------------------------

static int64_t number_math_low_bits(mpz_t number)
{
    mpz_fdiv_r_2exp(number, number, 64);
    uint64_t low = 0;
    mpz_export(&low, NULL, -1, sizeof low, 0, 0, number);
    return (int64_t)low;
}

int64_t number_math_whole_of_varint(struct slice value)
{
    mpz_t number;
    mpz_init(number);
    number_gmp_import(number, value);
    int64_t whole = number_math_low_bits(number);
    mpz_clear(number);
    return whole;
}

int64_t number_math_whole_of_decimal(struct slice value)
{
    struct decimal decimal;
    decimal_get(&decimal, value);
    // 10^64 has 64 zero bits at its end.
    int64_t whole = 0;
    if (decimal.scale > -64 && decimal_set_scale(&decimal, 0, ROUND_DOWN))
        whole = number_math_low_bits(decimal.number);
    decimal_clear(&decimal);
    return whole;
}

struct slice number_math_varint_of_whole(int64_t value, struct arena *arena)
{
    mpz_t number;
    mpz_init_set_si(number, (long)value);
    struct slice result = number_gmp_export(number, arena, 0);
    mpz_clear(number);
    return result;
}

struct slice number_math_decimal_of_whole(int64_t value, struct arena *arena)
{
    return number_math_decimal_of_varint(number_math_varint_of_whole(value, arena), arena);
}

struct slice number_math_decimal_of_varint(struct slice value, struct arena *arena)
{
    uint8_t *bytes = arena_alloc_zero(arena, value.size + 4);
    memcpy(bytes + 4, value.data, value.size);
    return slice_make(bytes, value.size + 4);
}

const char *number_math_varint_of_decimal(struct slice value, struct arena *arena,
                                          struct slice *result)
{
    struct decimal decimal;
    decimal_get(&decimal, value);
    bool is_ok = decimal_set_scale(&decimal, 0, ROUND_DOWN);
    if (is_ok) *result = number_gmp_export(decimal.number, arena, 0);
    decimal_clear(&decimal);
    return is_ok ? NULL : too_large;
}

// ---- exp and logarithms -------------------------------------------------------------------------

// Fixed point: a number is number / 10^digits, digits being what is wanted and some more.
struct fixed {
    mpz_t one; // 10^digits
    int64_t digits;
};

static void fixed_init(struct fixed *fixed, int64_t digits)
{
    fixed->digits = digits;
    mpz_init(fixed->one);
    mpz_ui_pow_ui(fixed->one, 10, (unsigned long)digits);
}

// e^x - 1 … of |x| < 1: x is halved often, then Taylor's series, then squared as often.
static void fixed_exp(const struct fixed *fixed, mpz_t x)
{
    enum { HALVINGS = 16 };
    mpz_t sum, term;
    mpz_init_set(sum, fixed->one);
    mpz_init_set(term, fixed->one);
    mpz_tdiv_q_2exp(x, x, HALVINGS);
    for (unsigned long n = 1; mpz_sgn(term) != 0; n++) {
        mpz_mul(term, term, x);
        mpz_tdiv_q(term, term, fixed->one);
        mpz_tdiv_q_ui(term, term, n);
        mpz_add(sum, sum, term);
    }
    for (int i = 0; i < HALVINGS; i++) {
        mpz_mul(sum, sum, sum);
        mpz_tdiv_q(sum, sum, fixed->one);
    }
    mpz_set(x, sum);
    mpz_clear(sum);
    mpz_clear(term);
}

// 2 * artanh(1 / n), the logarithm of (n + 1) / (n - 1).
static void fixed_log_ratio(const struct fixed *fixed, unsigned long n, mpz_t result)
{
    mpz_t power, term;
    mpz_init(power);
    mpz_init(term);
    mpz_mul_2exp(power, fixed->one, 1);
    mpz_tdiv_q_ui(power, power, n);
    mpz_set(result, power);
    for (unsigned long k = 3; mpz_sgn(power) != 0; k += 2) {
        mpz_tdiv_q_ui(power, power, n * n);
        mpz_tdiv_q_ui(term, power, k);
        mpz_add(result, result, term);
    }
    mpz_clear(power);
    mpz_clear(term);
}

// log 10 = 3 log 2 + log (5/4) with log 2 = log (3/1).. by 2 artanh: log 2 = 2 artanh(1/3).
static void fixed_log_ten(const struct fixed *fixed, mpz_t result)
{
    mpz_t part;
    mpz_init(part);
    fixed_log_ratio(fixed, 3, result); // log 2
    mpz_mul_ui(result, result, 3);
    fixed_log_ratio(fixed, 9, part); // log 10/8
    mpz_add(result, result, part);
    mpz_clear(part);
}

// Of x with 1 <= x < 10. It is halved to below 4/3 or so, then the series of artanh.
static void fixed_log(const struct fixed *fixed, mpz_t x)
{
    mpz_t two, sum, bound, low, square;
    mpz_init(two);
    mpz_init(sum);
    mpz_init(bound);
    mpz_init(low);
    mpz_init(square);
    fixed_log_ratio(fixed, 3, two);
    mpz_mul_ui(bound, fixed->one, 4);
    mpz_tdiv_q_ui(bound, bound, 3);
    while (mpz_cmp(x, bound) > 0) {
        mpz_tdiv_q_2exp(x, x, 1);
        mpz_add(sum, sum, two);
    }
    // y = (x - 1) / (x + 1); log x = 2 (y + y^3 / 3 + …)
    mpz_add(low, x, fixed->one);
    mpz_sub(x, x, fixed->one);
    mpz_mul(x, x, fixed->one);
    mpz_tdiv_q(x, x, low);
    mpz_mul(square, x, x);
    mpz_tdiv_q(square, square, fixed->one);
    mpz_mul_2exp(x, x, 1);
    mpz_add(sum, sum, x);
    for (unsigned long k = 3; mpz_sgn(x) != 0; k += 2) {
        mpz_mul(x, x, square);
        mpz_tdiv_q(x, x, fixed->one);
        mpz_tdiv_q_ui(low, x, k);
        mpz_add(sum, sum, low);
    }
    mpz_set(x, sum);
    mpz_clear(two);
    mpz_clear(sum);
    mpz_clear(bound);
    mpz_clear(low);
    mpz_clear(square);
}

static int64_t number_math_precision(const struct decimal *value)
{
    int64_t digits = number_gmp_digit_count(value->number);
    if (digits < DIGITS_MIN) return DIGITS_MIN;
    return digits > SCALE_MAX ? SCALE_MAX : digits;
}

static void decimal_finish(struct decimal *value, int64_t precision)
{
    decimal_limit(value, precision, ROUND_HALF_EVEN);
    if (mpz_sgn(value->number) == 0) value->scale = 0;
}

const char *number_math_exp(struct slice value, struct arena *arena, struct slice *result)
{
    enum { LARGEST = 1000000 };
    struct decimal x;
    struct fixed fixed;
    mpz_t ten, times;
    decimal_get(&x, value);
    int64_t precision = number_math_precision(&x);
    int64_t before = number_gmp_digit_count(x.number) - x.scale;
    if (mpz_sgn(x.number) != 0 && before > 7) {
        decimal_clear(&x);
        return "Overflow";
    }
    fixed_init(&fixed, precision + 20);
    mpz_init(ten);
    mpz_init(times);
    (void)decimal_set_scale(&x, fixed.digits, ROUND_DOWN);
    // e^x = 10^n * e^(x - n log 10)
    fixed_log_ten(&fixed, ten);
    mpz_fdiv_qr(times, x.number, x.number, ten);
    fixed_exp(&fixed, x.number);
    x.scale = fixed.digits - mpz_get_si(times);
    decimal_finish(&x, precision);
    const char *fault = decimal_put(&x, arena, result);
    mpz_clear(fixed.one);
    mpz_clear(ten);
    mpz_clear(times);
    decimal_clear(&x);
    return fault;
}

static const char *number_math_logarithm(struct slice value, bool is_decimal, struct arena *arena,
                                         struct slice *result)
{
    struct decimal x;
    struct fixed fixed;
    mpz_t ten, whole;
    decimal_get(&x, value);
    if (mpz_sgn(x.number) <= 0) {
        decimal_clear(&x);
        return is_decimal ? "Log10 of number zero or less" : "Natural log of number zero or less";
    }
    int64_t precision = number_math_precision(&x);
    int64_t before = number_gmp_digit_count(x.number) - 1 - x.scale;
    // Near 1 the logarithm begins with as many zeros as the number is near.
    fixed_init(&fixed, 2 * precision + 40);
    mpz_init(ten);
    mpz_init(whole);
    // x = 10^before * y
    x.scale += before;
    (void)decimal_set_scale(&x, fixed.digits, ROUND_DOWN);
    fixed_log(&fixed, x.number);
    fixed_log_ten(&fixed, ten);
    mpz_mul_si(whole, ten, (long)before);
    mpz_add(x.number, x.number, whole);
    if (is_decimal) {
        mpz_mul(x.number, x.number, fixed.one);
        mpz_tdiv_q(x.number, x.number, ten);
    }
    x.scale = fixed.digits;
    decimal_finish(&x, precision);
    const char *fault = decimal_put(&x, arena, result);
    mpz_clear(fixed.one);
    mpz_clear(ten);
    mpz_clear(whole);
    decimal_clear(&x);
    return fault;
}

const char *number_math_log(struct slice value, struct arena *arena, struct slice *result)
{
    return number_math_logarithm(value, false, arena, result);
}

const char *number_math_log10(struct slice value, struct arena *arena, struct slice *result)
{
    return number_math_logarithm(value, true, arena, result);
}
