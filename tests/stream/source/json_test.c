// The reader against what JSON is: which lines it takes, which it refuses and why, and what it
// finds.
#include "stream/source/json.h"

#include <check.h>
#include <stdlib.h>

static enum json_fault read_line(struct json_reader *reader, const char *line,
                                 struct json_value *values)
{
    // A copy of exactly the line's size, so that a sanitizer sees a byte read too many.
    size_t size = strlen(line);
    char *copy = malloc(size == 0 ? 1 : size);
    memcpy(copy, line, size);
    enum json_fault fault = json_reader_read(reader, slice_make(copy, size), values);
    static char kept[4096];
    memcpy(kept, copy, size);
    for (size_t i = 0; i < 3; i++)
        if (values[i].raw.data != NULL)
            values[i].raw.data = (uint8_t *)kept + (values[i].raw.data - (uint8_t *)copy);
    free(copy);
    return fault;
}

static struct json_reader *make_reader(void)
{
    struct json_reader *reader = json_reader_create();
    struct error error;
    ck_assert_int_eq(json_reader_add_path(reader, "text", &error), STATUS_OK);
    ck_assert_int_eq(json_reader_add_path(reader, "user.name", &error), STATUS_OK);
    ck_assert_int_eq(json_reader_add_path(reader, "user", &error), STATUS_OK);
    return reader;
}

static const struct {
    const char *line;
    enum json_fault fault;
} lines[] = {
    {"{}", JSON_FAULT_NONE},
    {" { \"a\" : [ 1 , -2.5e+3 , 0, true,false,null, \"x\", {}, [] ] } \r", JSON_FAULT_NONE},
    {"\xef\xbb\xbf{\"text\":\"x\"}", JSON_FAULT_NONE},
    {"{\"a\":123456789012345678901234567890123456789012345678901234567890}", JSON_FAULT_NONE},
    {"{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"}", JSON_FAULT_NONE},
    {"{\"a\":\"\\ud83d\"}", JSON_FAULT_NONE}, // Half a pair: grammar allows it.
    {"", JSON_FAULT_NOT_JSON},
    {" ", JSON_FAULT_NOT_JSON},
    {"[]", JSON_FAULT_NOT_JSON},
    {"1", JSON_FAULT_NOT_JSON},
    {"\"text\"", JSON_FAULT_NOT_JSON},
    {"{", JSON_FAULT_NOT_JSON},
    {"}", JSON_FAULT_NOT_JSON},
    {"{\"a\"}", JSON_FAULT_NOT_JSON},
    {"{\"a\":}", JSON_FAULT_NOT_JSON},
    {"{\"a\":1,}", JSON_FAULT_NOT_JSON},
    {"{,\"a\":1}", JSON_FAULT_NOT_JSON},
    {"{\"a\":1 \"b\":2}", JSON_FAULT_NOT_JSON},
    {"{\"a\":1}}", JSON_FAULT_NOT_JSON},
    {"{\"a\":1} {}", JSON_FAULT_NOT_JSON},
    {"{\"a\":1} x", JSON_FAULT_NOT_JSON},
    {"{\"a\":[1,]}", JSON_FAULT_NOT_JSON},
    {"{\"a\":[1}", JSON_FAULT_NOT_JSON},
    {"{\"a\":{\"b\":1]}", JSON_FAULT_NOT_JSON},
    {"{a:1}", JSON_FAULT_NOT_JSON},
    {"{1:1}", JSON_FAULT_NOT_JSON},
    {"{\"a\":01}", JSON_FAULT_NOT_JSON},
    {"{\"a\":1.}", JSON_FAULT_NOT_JSON},
    {"{\"a\":.5}", JSON_FAULT_NOT_JSON},
    {"{\"a\":+1}", JSON_FAULT_NOT_JSON},
    {"{\"a\":1e}", JSON_FAULT_NOT_JSON},
    {"{\"a\":- 1}", JSON_FAULT_NOT_JSON},
    {"{\"a\":tru}", JSON_FAULT_NOT_JSON},
    {"{\"a\":truee}", JSON_FAULT_NOT_JSON},
    {"{\"a\":true\"\"}", JSON_FAULT_NOT_JSON},
    {"{\"a\":\"x\"\"y\"}", JSON_FAULT_NOT_JSON},
    {"{\"a\":\"x\"y}", JSON_FAULT_NOT_JSON},
    {"{\"a\":\"x}", JSON_FAULT_NOT_JSON},
    {"{\"a\":\"\\x\"}", JSON_FAULT_NOT_JSON},
    {"{\"a\":\"\\u12g4\"}", JSON_FAULT_NOT_JSON},
    {"{\"a\":\"\\u12\"}", JSON_FAULT_NOT_JSON},
    {"{\"a\":\"\t\"}", JSON_FAULT_NOT_JSON}, // A control character.
    {"{\"a\":\"b\" , \"c\\q\":1}", JSON_FAULT_NOT_JSON},
    {"{\"a\":\"\xff\"}", JSON_FAULT_NOT_UTF8},
    {"{\"a\":\"\xed\xa0\x80\"}", JSON_FAULT_NOT_UTF8}, // A surrogate.
    {"{\"a\":\"\xc3\"}", JSON_FAULT_NOT_UTF8},
};

START_TEST(a_line_is_taken_or_refused_as_a_strict_parser_would)
{
    struct json_reader *reader = make_reader();
    struct json_value values[3];
    ck_assert_msg(read_line(reader, lines[_i].line, values) == lines[_i].fault, "%s",
                  lines[_i].line);
    json_reader_destroy(reader);
}
END_TEST

START_TEST(every_cut_of_a_line_is_refused)
{
    static const char line[] =
        "{\"text\":\"a \\u00e9 \\\"\",\"user\":{\"name\":\"n\",\"x\":[1,true]},\"y\":-1.5}";
    struct json_reader *reader = make_reader();
    struct json_value values[3];
    for (size_t size = 0; size < sizeof line - 1; size++) {
        char cut[sizeof line] = {0};
        memcpy(cut, line, size);
        ck_assert_int_eq(read_line(reader, cut, values), JSON_FAULT_NOT_JSON);
    }
    ck_assert_int_eq(read_line(reader, line, values), JSON_FAULT_NONE);
    json_reader_destroy(reader);
}
END_TEST

static void assert_text(const struct json_value *value, const char *expected)
{
    struct buffer scratch;
    buffer_init(&scratch, 4096);
    ck_assert_int_eq(value->kind, JSON_STRING);
    struct slice text = json_string(value, &scratch);
    ck_assert_msg(slice_equals(text, slice_of_text(expected)), "%.*s", (int)text.size, text.data);
    buffer_deinit(&scratch);
}

START_TEST(wanted_fields_are_found_at_their_place_only)
{
    struct json_reader *reader = make_reader();
    struct json_value values[3];
    ck_assert_int_eq(read_line(reader,
                               "{\"other\":{\"text\":\"no\",\"user\":{\"name\":\"no\"}},"
                               "\"user\":{\"id\":1,\"name\":\"n\"},\"text\":\"yes\"}",
                               values),
                     JSON_FAULT_NONE);
    assert_text(&values[0], "yes");
    assert_text(&values[1], "n");
    ck_assert_int_eq(values[2].kind, JSON_OBJECT);
    ck_assert(slice_equals(values[2].raw, slice_of_text("{\"id\":1,\"name\":\"n\"}")));
    json_reader_destroy(reader);
}
END_TEST

START_TEST(of_a_key_that_stands_twice_the_last_counts)
{
    struct json_reader *reader = make_reader();
    struct json_value values[3];
    ck_assert_int_eq(read_line(reader,
                               "{\"text\":\"a\",\"user\":{\"name\":\"n\"},\"te\\u0078t\":\"b\","
                               "\"user\":{}}",
                               values),
                     JSON_FAULT_NONE);
    assert_text(&values[0], "b");
    ck_assert_int_eq(values[1].kind, JSON_MISSING);
    json_reader_destroy(reader);
}
END_TEST

START_TEST(escapes_become_what_they_stand_for)
{
    struct json_reader *reader = make_reader();
    struct json_value values[3];
    ck_assert_int_eq(read_line(reader,
                               "{\"text\":\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\\ud83dx\\n\\/\"}",
                               values),
                     JSON_FAULT_NONE);
    assert_text(&values[0], "Aé€😀\xef\xbf\xbdx\n/");
    json_reader_destroy(reader);
}
END_TEST

START_TEST(brackets_nest_to_the_limit_and_no_further)
{
    struct json_reader *reader = make_reader();
    struct json_value values[3];
    for (size_t depth = JSON_DEPTH_MAX - 2; depth < JSON_DEPTH_MAX + 2; depth++) {
        char line[4000] = "{\"a\":";
        size_t size = strlen(line);
        memset(line + size, '[', depth);
        memset(line + size + depth, ']', depth);
        line[size + 2 * depth] = '}';
        line[size + 2 * depth + 1] = '\0';
        ck_assert_int_eq(read_line(reader, line, values),
                         depth + 1 <= JSON_DEPTH_MAX ? JSON_FAULT_NONE : JSON_FAULT_NOT_JSON);
    }
    json_reader_destroy(reader);
}
END_TEST

START_TEST(a_path_has_no_empty_key)
{
    struct json_reader *reader = json_reader_create();
    struct error error;
    ck_assert_int_eq(json_reader_add_path(reader, "", &error), STATUS_INVALID);
    ck_assert_int_eq(json_reader_add_path(reader, "a..b", &error), STATUS_INVALID);
    ck_assert_int_eq(json_reader_add_path(reader, "a.", &error), STATUS_INVALID);
    json_reader_destroy(reader);
}
END_TEST

int main(void)
{
    TCase *json = tcase_create("json");
    tcase_add_loop_test(json, a_line_is_taken_or_refused_as_a_strict_parser_would, 0,
                        sizeof lines / sizeof *lines);
    tcase_add_test(json, every_cut_of_a_line_is_refused);
    tcase_add_test(json, wanted_fields_are_found_at_their_place_only);
    tcase_add_test(json, of_a_key_that_stands_twice_the_last_counts);
    tcase_add_test(json, escapes_become_what_they_stand_for);
    tcase_add_test(json, brackets_nest_to_the_limit_and_no_further);
    tcase_add_test(json, a_path_has_no_empty_key);
    Suite *suite = suite_create("json");
    suite_add_tcase(suite, json);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
