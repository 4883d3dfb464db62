#include "cql/statement/json.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct arena arena;

// The tree as Java's toString() has it, or the error without its class.
static const char *read(const char *text)
{
    struct buffer buffer;
    const struct json *json;
    size_t without_class;
    buffer_init(&buffer, 1 << 20);
    if (json_parse(slice_of_text(text), &arena, &json, &buffer, &without_class)) {
        buffer_clear(&buffer);
        json_put(json, &buffer);
        without_class = 0;
    }
    const char *copy = arena_format(&arena, "%.*s", (int)(buffer.size - without_class),
                                    (const char *)buffer_slice(&buffer).data + without_class);
    buffer_deinit(&buffer);
    return copy;
}

START_TEST(what_is_json_is_read)
{
    static const char *const cases[][2] = {
        {"null", "null"},
        {" true ", "true"},
        {"-0", "-0"},
        {"1.50", "1.5"},
        {"1e10", "1.0E10"},
        {"123456789012345678901234567890", "123456789012345678901234567890"},
        {"\"a\\n\\u00e9\\ud83d\\ude00\\/\"", "a\né😀/"},
        {"\"\\ud83d lonely\"", "? lonely"},
        {"[]", "[]"},
        {"[1, \"x\", [null], {}]", "[1, x, [null], {}]"},
        {"{\"a\": 1, \"b\": {\"c\": [true]}}", "{a=1, b={c=[true]}}"},
        {"{\"a\":1,\"a\":2}", "{a=1, a=2}"},
        {"{} and what follows", "{}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_str_eq(read(cases[i][0]), cases[i][1]);
}
END_TEST

// In the words of Jackson 2.13.
START_TEST(what_is_none_is_refused)
{
    static const char *const cases[][2] = {
        {"{\"k\": 1",
         "Unexpected end-of-input: expected close marker for Object (start marker at [Source: "
         "(String)\"{\"k\": 1\"; line: 1, column: 1])\n at [Source: (String)\"{\"k\": 1\"; line: "
         "1, column: 8]"},
        {"{k: 1}", "Unexpected character ('k' (code 107)): was expecting double-quote to start "
                   "field name\n at [Source: (String)\"{k: 1}\"; line: 1, column: 3]"},
        {"", "No content to map due to end-of-input\n at [Source: (String)\"\"; line: 1, column: "
             "0]"},
        {"01", "Invalid numeric value: Leading zeroes not allowed\n at [Source: (String)\"01\"; "
               "line: 1, column: 2]"},
        {"tru", "Unrecognized token 'tru': was expecting (JSON String, Number, Array, Object or "
                "token 'null', 'true' or 'false')\n at [Source: (String)\"tru\"; line: 1, column: "
                "4]"},
        {"\"x", "Unexpected end-of-input: was expecting closing quote for a string value\n at "
                "[Source: (String)\"\"x\"; line: 1, column: 3]"},
        {"5x", "Unexpected character ('x' (code 120)): Expected space separating root-level "
               "values\n at [Source: (String)\"5x\"; line: 1, column: 3]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_str_eq(read(cases[i][0]), cases[i][1]);
}
END_TEST

START_TEST(depth_and_length_have_an_end)
{
    enum { COUNT = 100000 };
    char *text = malloc(COUNT + 1);
    memset(text, '[', COUNT);
    text[COUNT] = '\0';
    ck_assert_ptr_nonnull(strstr(read(text), "Too deeply nested"));
    memset(text, 'x', COUNT);
    ck_assert_uint_lt(strlen(read(text)), 1200); // Of both the beginning is shown.
    free(text);
}
END_TEST

// Whatever is cut off: an answer comes.
START_TEST(every_beginning_ends)
{
    static const char text[] =
        " {\"a\": [1, -2.5e+3, true, null], \"b\\u00e9\\n\": {\"c\": \"\\ud83d\\ude00é\"}} ";
    for (size_t size = 0; size < sizeof text; size++)
        (void)read(arena_format(&arena, "%.*s", (int)size, text));
    ck_assert_str_eq(read(text), "{a=[1, -2500.0, true, null], bé\n={c=😀é}}");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, what_is_json_is_read);
    tcase_add_test(tests, what_is_none_is_refused);
    tcase_add_test(tests, depth_and_length_have_an_end);
    tcase_add_test(tests, every_beginning_ends);
    suite_add_tcase(suite, tests);
    arena_init(&arena, 4096);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    arena_deinit(&arena);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
