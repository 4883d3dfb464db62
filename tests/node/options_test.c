// Command lines as tables: letters, lists, numbers, operands.
#include "node/options.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct target {
    bool flag;
    const char *text;
    int64_t number;
    struct option_list list;
};

static const struct option_spec specs[] = {
    {"f,flag", OPTION_FLAG, offsetof(struct target, flag), NULL, "A flag", 0, 0},
    {"text", OPTION_TEXT, offsetof(struct target, text), "TEXT", "A text", 0, 0},
    {"n,number", OPTION_NUMBER, offsetof(struct target, number), "N", "A number", -5, 5},
    {"k,key", OPTION_LIST, offsetof(struct target, list), "KEY", "Keys", 0, 0},
};

static const struct command command = {
    .name = "test",
    .usage = "FILE...",
    .summary = "A test",
    .specs = specs,
    .spec_count = sizeof specs / sizeof *specs,
    .operands_max = 3,
};

static struct target target;
static struct operands operands;
static struct error error;

// Words with a blank between.
static enum status parse(const char *line)
{
    static char text[256];
    static char *words[32];
    int count = 0;
    target = (struct target){0};
    (void)strncpy(text, line, sizeof text - 1);
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
        words[count++] = word;
    return options_parse(&command, count, words, &target, &operands, &error);
}

START_TEST(a_letter_is_the_same_as_its_name)
{
    ck_assert_int_eq(parse("-f -n 3 a"), STATUS_OK);
    ck_assert(target.flag && target.number == 3 && operands.count == 1);
    ck_assert_int_eq(parse("--flag --number=-4 a b"), STATUS_OK);
    ck_assert(target.flag && target.number == -4 && operands.count == 2);
    ck_assert_int_eq(parse("-n -5"), STATUS_OK);
    ck_assert_int_eq(target.number, -5);
    ck_assert_int_eq(parse("-n 6"), STATUS_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "--number takes a whole number from -5 to 5"));
    ck_assert_int_eq(parse("-t x"), STATUS_INVALID);
    ck_assert_int_eq(parse("--f"), STATUS_INVALID);
    ck_assert_int_eq(parse("-n"), STATUS_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "--number needs a value"));
}
END_TEST

START_TEST(a_list_takes_what_follows_up_to_the_next_option)
{
    ck_assert_int_eq(parse("file -k a b c -f"), STATUS_OK);
    ck_assert(target.list.count == 3 && operands.count == 1 && target.flag);
    ck_assert_str_eq(target.list.items[2], "c");
    ck_assert_int_eq(parse("-k a -k -1 -- file"), STATUS_OK);
    ck_assert(target.list.count == 2 && operands.count == 1);
    ck_assert_str_eq(target.list.items[1], "-1");
    ck_assert_int_eq(parse("--key=a file"), STATUS_OK);
    ck_assert(target.list.count == 1 && operands.count == 1);
}
END_TEST

START_TEST(behind_two_dashes_all_are_operands)
{
    ck_assert_int_eq(parse("-- -f --text"), STATUS_OK);
    ck_assert(!target.flag && operands.count == 2);
    ck_assert_int_eq(parse("a b c d"), STATUS_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "'d' is too much"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("options");
    TCase *test = tcase_create("all");
    tcase_add_test(test, a_letter_is_the_same_as_its_name);
    tcase_add_test(test, a_list_takes_what_follows_up_to_the_next_option);
    tcase_add_test(test, behind_two_dashes_all_are_operands);
    suite_add_tcase(suite, test);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
