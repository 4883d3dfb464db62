// Texts of CQL cut into statements, as cqlsh cuts them.
#include "node/cql_script.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *text;
    const char *statements[4];
    size_t lines[4];
} cases[] = {
    {"", {NULL}, {0}},
    {" \n ;; -- nothing\n;", {NULL}, {0}},
    {"A", {"A"}, {1}},
    {"A; B ;\nC", {"A", "B ", "C"}, {1, 1, 2}},
    {"A 'x;y' ;B \"a;b\";", {"A 'x;y' ", "B \"a;b\""}, {1, 1}},
    {"A 'it''s;' ; B", {"A 'it''s;' ", "B"}, {1, 1}},
    {"A $$x;'y$$;B", {"A $$x;'y$$", "B"}, {1, 1}},
    {"-- a;b\nA; // c;\n/* d;\n */ B;", {"A", "B"}, {2, 4}},
    {"A /* ; */ x;\n\nB", {"A /* ; */ x", "B"}, {1, 3}},
    {"begin batch x; y; APPLY BATCH; B", {"begin batch x; y; APPLY BATCH", "B"}, {1, 1}},
    {"BEGIN UNLOGGED BATCH x; apply  BATCH ;B",
     {"BEGIN UNLOGGED BATCH x; apply  BATCH ", "B"},
     {1, 1}},
    {"A begin; B", {"A begin", "B"}, {1, 1}},
    {"A 'open; B", {"A 'open; B"}, {1}},
    {"A $$open; B", {"A $$open; B"}, {1}},
    {"A /* open; B", {"A /* open; B"}, {1}},
};

START_TEST(it_is_cut_at_the_right_semicolons)
{
    struct slice text = slice_of_text(cases[_i].text), statement;
    size_t count = 0, end_line = 1;
    for (;;) {
        const uint8_t *from = text.data;
        size_t line = end_line;
        if (!cql_script_next(&text, &statement, &line)) break;
        ck_assert_msg(count < 4 && cases[_i].statements[count] != NULL, "too many");
        ck_assert_msg(slice_equals(statement, slice_of_text(cases[_i].statements[count])),
                      "%d.%zu: '%.*s'", _i, count, (int)statement.size,
                      (const char *)statement.data);
        ck_assert_uint_eq(line, cases[_i].lines[count]);
        for (; from < text.data; from++)
            end_line += *from == '\n';
        count++;
    }
    ck_assert(count == 4 || cases[_i].statements[count] == NULL);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("cql_script");
    tcase_add_loop_test(tests, it_is_cut_at_the_right_semicolons, 0,
                        (int)(sizeof cases / sizeof cases[0]));
    Suite *suite = suite_create("cql_script");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
