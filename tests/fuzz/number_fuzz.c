// Arithmetic of varint, decimal and durations with any values that a client may send: u8 what,
// u8 size, the first value, the second. What comes out is a valid value again, or is refused; no
// exponent costs memory or time out of proportion.
#include "storage/value.h"
#include "storage/value/duration.h"
#include "storage/value/number_math.h"
#include "tests/fuzz/targets.h"

static void check(enum type_kind kind, const char *fault, struct slice result)
{
    struct error error;
    if (fault != NULL) return;
    ASSERT(result.size > 0);
    ASSERT(type_validate(type_of_kind(kind), result, &error) == STATUS_OK);
}

static void calculate_varint(uint8_t what, struct slice a, struct slice b, struct arena *arena)
{
    static const char operators[] = "+-*/%";
    struct slice result = slice_null();
    if (a.size == 0 || b.size == 0) return;
    const char *fault = number_math_varint(operators[what % 5], a, b, arena, &result);
    check(TYPE_VARINT, fault, result);
    check(TYPE_VARINT, NULL, number_math_negate_varint(a, arena));
    check(TYPE_DECIMAL, NULL, number_math_decimal_of_varint(a, arena));
    (void)number_math_is_negative_varint(a);
    (void)number_math_whole_of_varint(a);
}

static void calculate_decimal(uint8_t what, struct slice a, struct slice b, struct arena *arena)
{
    static const char operators[] = "+-*/%";
    struct slice result = slice_null();
    const char *fault;
    if (a.size <= 4 || b.size <= 4) return; // Empty ones give nothing.
    enum type_kind kind = TYPE_DECIMAL;
    switch (what % 13) {
    case 5:
        fault = number_math_decimal_sum(a, b, arena, &result);
        break;
    case 6:
        fault = number_math_decimal_average(a, b, 1 + what, arena, &result);
        break;
    case 7:
        fault = number_math_round_decimal(a, arena, &result);
        break;
    case 8:
        fault = number_math_exp(a, arena, &result);
        break;
    case 9:
        fault = number_math_log(a, arena, &result);
        break;
    case 10:
        fault = number_math_log10(a, arena, &result);
        break;
    case 11:
        fault = number_math_varint_of_decimal(a, arena, &result);
        kind = TYPE_VARINT;
        break;
    case 12:
        fault = NULL;
        result = number_math_negate_decimal(a, arena);
        (void)number_math_is_negative_decimal(a);
        (void)number_math_whole_of_decimal(a);
        break;
    default:
        fault = number_math_decimal(operators[what % 13], a, b, arena, &result);
    }
    check(kind, fault, result);
}

static void calculate_duration(struct slice a, struct slice b, struct arena *arena)
{
    struct duration duration;
    struct error error;
    if (b.size < 16 || type_validate(type_of_kind(TYPE_DURATION), a, &error) != STATUS_OK ||
        duration_decode(a, &duration) != STATUS_OK)
        return;
    check(TYPE_DURATION, NULL, duration_encode(duration, arena));
    int64_t ms = (int64_t)bytes_get_u64(b.data), start = (int64_t)bytes_get_u64(b.data + 8);
    (void)duration_add_to_ms(duration, ms);
    bool is_negative = duration.months < 0 || duration.days < 0 || duration.nanoseconds < 0;
    if (!is_negative && start <= ms) ASSERT(duration_floor_ms(duration, ms, start) <= ms);
}

FUZZ_TARGET(number)
{
    struct cursor cursor = cursor_make(input);
    uint8_t what = cursor_u8(&cursor);
    struct slice a = fuzz_take(&cursor, cursor_u8(&cursor)), b = fuzz_rest(&cursor);
    struct arena arena;
    arena_init(&arena, 4096);
    if (what < 32) {
        calculate_varint(what, a, b, &arena);
    } else if (what < 160) {
        calculate_decimal(what, a, b, &arena);
    } else {
        calculate_duration(a, b, &arena);
    }
    arena_deinit(&arena);
}
