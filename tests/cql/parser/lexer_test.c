// Which text is which token, and what is said of text that is none.
#include "cql/parser/lexer.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct one_token {
    const char *text;
    enum token_kind kind;
    size_t size;
};

// clang-format off
static const struct one_token tokens[] = {
    {"select", K_SELECT, 6},          {"SeLeCt", K_SELECT, 6},       {"selects", TOKEN_IDENT, 7},
    {"selec", TOKEN_IDENT, 5},        {"writetime(", K_WRITETIME, 9}, {"table", K_COLUMNFAMILY, 5},
    {"columnfamily", K_COLUMNFAMILY, 12}, {"abc_1 ", TOKEN_IDENT, 5}, {"z", TOKEN_IDENT, 1},
    {"select_masked", K_SELECT_MASKED, 13}, {"writetimes_of_all", TOKEN_IDENT, 17},
    {"\"A\"\"b\"x", TOKEN_QUOTED_NAME, 6}, {"\"\"", TOKEN_EMPTY_QUOTED_NAME, 2},
    {"'it''s'x", TOKEN_STRING, 7},    {"''", TOKEN_STRING, 2},       {"$$a$b$$c", TOKEN_STRING, 7},
    {"1", TOKEN_INTEGER, 1},          {"-12,", TOKEN_INTEGER, 3},    {"1..2", TOKEN_INTEGER, 1},
    {"..", TOKEN_RANGE, 2},           {"1.", TOKEN_FLOAT, 2},        {"1.5e-3", TOKEN_FLOAT, 6},
    {"1e5", TOKEN_FLOAT, 3},          {"-1E+5", TOKEN_FLOAT, 5},     {"0x", TOKEN_HEX, 2},
    {"0xCAfe1g", TOKEN_HEX, 7},       {"NaN", K_NAN, 3},             {"-nan", TOKEN_NEGATIVE_NAN, 4},
    {"Infinity", K_INFINITY, 8},      {"-INFINITY", TOKEN_NEGATIVE_INFINITY, 9},
    {"tRuE", TOKEN_BOOLEAN_CONSTANT, 4}, {"false", TOKEN_BOOLEAN_CONSTANT, 5},
    {"12h30m", TOKEN_DURATION_CONSTANT, 6}, {"-1y2mo3d", TOKEN_DURATION_CONSTANT, 8},
    {"1d", TOKEN_DURATION_CONSTANT, 2}, {"5\xC2\xB5s", TOKEN_DURATION_CONSTANT, 4},
    {"10US", TOKEN_DURATION_CONSTANT, 4}, {"P1Y2M3DT4H5M6S", TOKEN_DURATION_CONSTANT, 14},
    {"P2W", TOKEN_DURATION_CONSTANT, 3}, {"-PT5M", TOKEN_DURATION_CONSTANT, 5},
    {"P0001-02-03T04:05:06", TOKEN_DURATION_CONSTANT, 20}, {"P", TOKEN_IDENT, 1},
    {"PT", TOKEN_IDENT, 2},           {"P1", TOKEN_IDENT, 2},        {"p2w", TOKEN_IDENT, 3},
    {"123e4567-e89b-12d3-a456-426614174000", TOKEN_UUID_CONSTANT, 36},
    {"DEADBEEF-0000-1000-8000-000000000000", TOKEN_UUID_CONSTANT, 36},
    {"deadbeef", TOKEN_IDENT, 8},     {"9lives", TOKEN_INTEGER, 1},  {"?", TOKEN_QMARK, 1},
    {"expr(", TOKEN_EXPR_OPEN, 5},    {"expr (", TOKEN_IDENT, 4},    {"+=", TOKEN_PLUS_EQUAL, 2},
    {"-=", TOKEN_MINUS_EQUAL, 2},     {"!=", TOKEN_NOT_EQUAL, 2},    {"<=", TOKEN_LESS_EQUAL, 2},
    {">=", TOKEN_GREATER_EQUAL, 2},   {"- 1", TOKEN_MINUS, 1},       {"/ 1", TOKEN_SLASH, 1},
    {" \t\r\n x", TOKEN_HIDDEN, 5},   {"-- c\nx", TOKEN_HIDDEN, 5},  {"// c\rx", TOKEN_HIDDEN, 5},
    {"/* a * / */b", TOKEN_HIDDEN, 11}, {"", TOKEN_EOF, 0},
};

struct fault {
    const char *text;
    unsigned position;
    const char *words;
};

static const struct fault faults[] = {
    {"@", 0, "no viable alternative at character '@'"},
    {"\xC3\xA9", 0, "no viable alternative at character '\xC3\xA9'"},
    {"'abc", 4, "mismatched character '<EOF>' expecting '''"},
    {"'a''", 4, "mismatched character '<EOF>' expecting '''"},
    {"\"abc", 4, "mismatched character '<EOF>' expecting '\"'"},
    {"$", 1, "mismatched character '<EOF>' expecting '$'"},
    {"$x", 1, "mismatched character 'x' expecting '$'"},
    {"$$abc", 4, "mismatched character 'c' expecting '$'"},
    {"$$abc$", 6, "mismatched character '<EOF>' expecting '$'"},
    {"!", 1, "mismatched character '<EOF>' expecting '='"},
    {"-- c", 4, "mismatched character '<EOF>' expecting set null"},
    {"// c", 4, "mismatched character '<EOF>' expecting set null"},
    {"/* c", 4, "mismatched character '<EOF>' expecting '*'"},
    {"1e)", 2, "no viable alternative at character ')'"},
    {"123abc)", 6, "mismatched character ')' expecting set null"},
    {"13814000-1dd2-11b2-8080)", 23, "mismatched character ')' expecting '-'"},
    {"-i ", 2, "mismatched character ' ' expecting set null"},
};
// clang-format on

// From a copy of exactly the text's size, so that a sanitizer sees any read past its end.
static struct token_text scan(const char *text, struct lexer_fault *fault)
{
    size_t size = strlen(text);
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    memcpy(copy, text, size);
    struct token_text token = lexer_next(slice_make(copy, size), 0, fault);
    free(copy);
    return token;
}

START_TEST(knows_each_token)
{
    struct lexer_fault fault;
    struct token_text token = scan(tokens[_i].text, &fault);
    ck_assert_msg(token.kind == tokens[_i].kind, "%s: %s", tokens[_i].text,
                  lexer_token_name(token.kind));
    ck_assert_uint_eq(token.size, tokens[_i].size);
}
END_TEST

START_TEST(says_what_is_wrong)
{
    struct lexer_fault fault;
    struct token_text token = scan(faults[_i].text, &fault);
    ck_assert_int_eq(token.kind, TOKEN_ERROR);
    ck_assert_uint_eq(fault.position, faults[_i].position);
    ck_assert_str_eq(fault.text, faults[_i].words);
}
END_TEST

START_TEST(finds_every_keyword_in_either_case)
{
    static const char *const words[] = {
#define X(name, class) #name,
        KEYWORD_MAP(X)
#undef X
    };
    struct lexer_fault fault;
    for (int i = 0; i < (int)(sizeof words / sizeof words[0]); i++) {
        enum token_kind kind = (enum token_kind)(K_ACCESS + i);
        if (kind == K_TABLE) kind = K_COLUMNFAMILY;
        if (kind == K_TRUE || kind == K_FALSE) kind = TOKEN_BOOLEAN_CONSTANT;
        char lower[32];
        size_t size = strlen(words[i]);
        for (size_t j = 0; j <= size; j++)
            lower[j] =
                words[i][j] >= 'A' && words[i][j] <= 'Z' ? (char)(words[i][j] | 0x20) : words[i][j];
        ck_assert_int_eq(scan(words[i], &fault).kind, kind);
        ck_assert_int_eq(scan(lower, &fault).kind, kind);
        lower[size] = 'x';
        lower[size + 1] = 0;
        ck_assert_int_eq(scan(lower, &fault).size, size + 1);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lexer");
    TCase *tests = tcase_create("lexer");
    tcase_add_loop_test(tests, knows_each_token, 0, (int)(sizeof tokens / sizeof tokens[0]));
    tcase_add_loop_test(tests, says_what_is_wrong, 0, (int)(sizeof faults / sizeof faults[0]));
    tcase_add_test(tests, finds_every_keyword_in_either_case);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
