// Values as Cassandra's tools print them, against what its own classes said (getString in
// tests/golden/values/values.tsv).
#include "storage/value/java_string.h"

#include "tests/storage/support/vectors.h"

#include <check.h>
#include <stdlib.h>

static const struct type *parse_type(struct arena *arena, const char *java)
{
    const struct type *type;
    bool reversed;
    struct error error;
    ck_assert_int_eq(type_parse_java(arena, slice_of_text(java), &type, &reversed, &error),
                     STATUS_OK);
    return type;
}

static void check_text(struct buffer *text, struct slice expected, int line)
{
    ck_assert_msg(slice_equals(buffer_slice(text), expected), "line %d: '%.*s' instead of '%.*s'",
                  line, (int)text->size, (const char *)text->data, (int)expected.size,
                  (const char *)expected.data);
}

START_TEST(strings_are_those_of_cassandra)
{
    struct vectors vectors;
    struct buffer text;
    int count = 0;
    vectors_open(&vectors, "tests/golden/values/values.tsv");
    buffer_init(&text, 1 << 20);
    while (vectors_next(&vectors)) {
        // An invalid value has no string; other digits of a double are Java's matter.
        if (vectors.fields[0][0] != 'V' || strcmp(vectors.fields[3], "ok") != 0) continue;
        if (vectors.fields[4][0] == '!') continue;
        const struct type *type = parse_type(&vectors.arena, vectors.fields[1]);
        buffer_clear(&text);
        java_string_put(type, vectors_hex(&vectors, vectors.fields[2]), &text);
        check_text(&text, vectors_text(&vectors, vectors.fields[4]), vectors.line);
        count++;
    }
    ck_assert_int_gt(count, 100);
    buffer_deinit(&text);
    vectors_close(&vectors);
}
END_TEST

static void check_key(const char *hex, const char *expected)
{
    struct vectors vectors;
    struct buffer text;
    vectors_open(&vectors, "tests/golden/values/values.tsv");
    buffer_init(&text, 1 << 20);
    const struct type *types[2] = {type_of_kind(TYPE_TEXT), type_of_kind(TYPE_INT)};
    java_string_put_key(types, 2, vectors_hex(&vectors, hex), &text);
    check_text(&text, slice_of_text(expected), __LINE__);
    buffer_deinit(&text);
    vectors_close(&vectors);
}

START_TEST(keys_of_several_columns_have_colons)
{
    check_key("0003613a620000040000000100", "a\\:b:1");
    check_key("00000000040000000100", ":1");
    check_key("0004405c3a2200000000", "@\\\\:\":");
    check_key("00016100", "a");
    check_key("ffff", ""); // Damaged: something is printed all the same.
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("java_string");
    TCase *test = tcase_create("all");
    tcase_add_test(test, strings_are_those_of_cassandra);
    tcase_add_test(test, keys_of_several_columns_have_colons);
    suite_add_tcase(suite, test);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
