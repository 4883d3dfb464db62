#include "storage/value/number_math.h"

#include "base/buffer.h"
#include "storage/value/number.h"

#include <check.h>
#include <stdlib.h>

static struct arena arena;

static struct slice decimal(const char *text)
{
    struct slice value;
    ck_assert_int_eq(number_parse_decimal(slice_of_text(text), &arena, &value), STATUS_OK);
    return value;
}

static struct slice varint(const char *text)
{
    struct slice value;
    ck_assert_int_eq(number_parse_varint(slice_of_text(text), &arena, &value), STATUS_OK);
    return value;
}

static const char *text_of(struct slice value, bool is_decimal)
{
    struct buffer text;
    buffer_init(&text, 1 << 20);
    if (is_decimal)
        number_put_decimal(value, &text);
    else
        number_put_varint(value, &text);
    const char *copy = arena_format(&arena, "%.*s", (int)text.size, (const char *)text.data);
    buffer_deinit(&text);
    return copy;
}

// What a Cassandra 5.0.4 answered.
START_TEST(decimals_are_reckoned_as_in_cassandra)
{
    static const struct {
        const char *left;
        char operator;
        const char *right, *result; // Of a fault its text.
    } cases[] = {
        {"12.50", '+', "12.50", "25.00"},
        {"12.50", '-', "12.50", "0.00"},
        {"12.50", '*', "12.50", "156.2500"},
        {"12.50", '/', "12.50", "1"},
        {"12.50", '%', "12.50", "0.00"},
        {"-12.50", '%', "5.0", "-2.50"},
        {"1", '/', "3", "0.33333333333333333333333333333333"},
        {"100000", '/', "3", "33333.33333333333333333333333333333333"},
        {"100000", '/', "8", "1.25E+4"},
        {"100000", '/', "1E-10", "1E+15"},
        {"-2.5", '/', "-3", "0.83333333333333333333333333333333"},
        {"-2.5", '%', "-3", "-2.5"},
        {"2000.0", '%', "12.50", "0.0"},
        {"20", '%', "3.00", "2.00"},
        {"1", '%', "3.00", "1"},
        {"0.0", '%', "3.00", "0.0"},
        {"1", '/', "0.0000000000000000000000000000000000000012345",
         "810044552450384771162413932766302146618.0639935196435803969218307006885378695828271"},
        {"12.50", '/', "9.007199254740992E+15", "1.3877787807814456755295395851135E-15"},
        {"1", '/', "0", "BigInteger divide by zero"},
        {"1", '%', "0", "Division by zero"},
        {"0.00", '%', "0", "Division undefined"},
        // What Java rounds to 10,000 digits, and what it gives up.
        {"1E+2000000000", '/', "3", "BigInteger would overflow supported range"},
        {"1E+2000000000", '*', "1E+2000000000", "Overflow"},
        {"0", '+', "1E-5", "0.00001"},
        {"0E+5", '+', "7", "7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice result;
        const char *fault = number_math_decimal(cases[i].operator, decimal(cases[i].left),
                                                decimal(cases[i].right), &arena, &result);
        ck_assert_str_eq(fault != NULL ? fault : text_of(result, true), cases[i].result);
    }
}
END_TEST

START_TEST(what_is_far_apart_costs_no_more_digits_than_are_kept)
{
    struct slice result;
    ck_assert_ptr_null(
        number_math_decimal('+', decimal("1E+2000000000"), decimal("1"), &arena, &result));
    ck_assert_uint_lt(result.size, 5000); // 10,000 digits.
    ck_assert_ptr_null(
        number_math_decimal('%', decimal("1E-2000000000"), decimal("7"), &arena, &result));
    ck_assert_str_eq(text_of(result, true), "1E-2000000000");
    ck_assert_ptr_nonnull(
        number_math_decimal_sum(decimal("1E+2000000000"), decimal("1"), &arena, &result));
    ck_assert_ptr_null(number_math_round_decimal(decimal("1E-2000000000"), &arena, &result));
    ck_assert_str_eq(text_of(result, true), "0");
    ck_assert_ptr_nonnull(number_math_round_decimal(decimal("1E+2000000000"), &arena, &result));
    ck_assert_int_eq(number_math_whole_of_decimal(decimal("1E+2000000000")), 0);
}
END_TEST

START_TEST(varints_are_reckoned_as_in_cassandra)
{
    static const struct {
        const char *left;
        char operator;
        const char *right, *result;
    } cases[] = {
        {"123456789012345678901234567890", '*', "123456789012345678901234567890",
         "15241578753238836750495351562536198787501905199875019052100"},
        {"123456789012345678901234567890", '/', "9007199254740993", "13706456970779"},
        {"123456789012345678901234567890", '%', "9007199254740993", "5581632220124343"},
        {"-7", '/', "2", "-3"},
        {"-7", '%', "2", "-1"},
        {"-7", '/', "-2", "3"},
        {"-7", '%', "-2", "-1"},
        {"-128", '+', "256", "128"},
        {"127", '-', "255", "-128"},
        {"1", '/', "0", "BigInteger divide by zero"},
        {"1", '%', "0", "BigInteger divide by zero"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice result;
        const char *fault = number_math_varint(cases[i].operator, varint(cases[i].left),
                                               varint(cases[i].right), &arena, &result);
        ck_assert_str_eq(fault != NULL ? fault : text_of(result, false), cases[i].result);
    }
}
END_TEST

START_TEST(averages_move_step_by_step)
{
    struct slice average = decimal("0");
    static const char *const values[] = {"1.5", "2.25", "10"};
    for (int i = 0; i < 3; i++)
        ck_assert_ptr_null(
            number_math_decimal_average(average, decimal(values[i]), i + 1, &arena, &average));
    ck_assert_str_eq(text_of(average, true), "4.59");
}
END_TEST

START_TEST(one_number_at_a_time)
{
    struct slice result;
    ck_assert_str_eq(text_of(number_math_negate_varint(varint("-128"), &arena), false), "128");
    ck_assert_str_eq(text_of(number_math_negate_decimal(decimal("0.00"), &arena), true), "0.00");
    ck_assert_ptr_null(number_math_round_decimal(decimal("-2.5"), &arena, &result));
    ck_assert_str_eq(text_of(result, true), "-3");
    ck_assert_int_eq(number_math_whole_of_varint(varint("123456789012345678901234567890")),
                     -4362896299872285998);
    ck_assert_int_eq(number_math_whole_of_decimal(decimal("-12.99")), -12);
    ck_assert_ptr_null(number_math_exp(decimal("12.50"), &arena, &result));
    ck_assert_str_eq(text_of(result, true), "268337.28652087445695647967378715");
    ck_assert_ptr_null(number_math_log(decimal("12.50"), &arena, &result));
    ck_assert_str_eq(text_of(result, true), "2.5257286443082554397842865449942");
    ck_assert_ptr_null(number_math_log10(decimal("12.50"), &arena, &result));
    ck_assert_str_eq(text_of(result, true), "1.0969100130080564143587833158265");
    ck_assert_ptr_null(number_math_log(decimal("1"), &arena, &result));
    ck_assert_str_eq(text_of(result, true), "0");
    ck_assert_str_eq(number_math_log(decimal("-1"), &arena, &result),
                     "Natural log of number zero or less");
    ck_assert_str_eq(number_math_exp(decimal("1E+20"), &arena, &result), "Overflow");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("number_math");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, decimals_are_reckoned_as_in_cassandra);
    tcase_add_test(tests, what_is_far_apart_costs_no_more_digits_than_are_kept);
    tcase_add_test(tests, varints_are_reckoned_as_in_cassandra);
    tcase_add_test(tests, averages_move_step_by_step);
    tcase_add_test(tests, one_number_at_a_time);
    suite_add_tcase(suite, tests);
    arena_init(&arena, 4096);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    arena_deinit(&arena);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
