// Words, hashtags, lower case and days, each against the rule as it is written down.
#include "stream/source/day.h"
#include "stream/source/text.h"

#include <check.h>

static const struct {
    const char *text, *tags; // Joined by '|'.
} hashtags[] = {
    {"", ""},
    {"#", ""},
    {"# #", ""},
    {"#a", "#a"},
    {"a#b", ""},
    {"#a#b", "#a#b"},
    {"##", "##"},
    {"x #a\t#b\n#c\v#d\f#e\r#f ", "#a|#b|#c|#d|#e|#f"},
    {"x\xc2\xa0#a", ""}, // A no-break space is no white space here.
    {"\xe3\x80\x80#a #b", "#b"},
    {"#iPhone! (#x) #y.", "#iPhone!|#y."},
    {"#日本 #👍", "#日本|#👍"},
};

START_TEST(hashtags_are_words_that_begin_with_a_hash)
{
    struct text_words words = text_words_of(slice_of_text(hashtags[_i].text));
    struct slice tag;
    char found[256] = "";
    while (text_hashtags_next(&words, &tag)) {
        if (*found != '\0') strcat(found, "|");
        strncat(found, (const char *)tag.data, tag.size);
    }
    ck_assert_str_eq(found, hashtags[_i].tags);
}
END_TEST

START_TEST(words_lie_between_white_space)
{
    struct text_words words = text_words_of(slice_of_text(" a\t\nbc  d"));
    struct slice word;
    const char *const expected[] = {"a", "bc", "d"};
    for (size_t i = 0; i < 3; i++) {
        ck_assert(text_words_next(&words, &word));
        ck_assert(slice_equals(word, slice_of_text(expected[i])));
    }
    ck_assert(!text_words_next(&words, &word));
    ck_assert(!text_words_next(&words, &word));
}
END_TEST

static const struct {
    const char *text, *lower;
} cases[] = {
    {"#iPhone", "#iphone"},
    {"ÉCOLE", "école"},
    {"МОСКВА", "москва"},
    {"ΑΣ", "ασ"}, // A final sigma would be a matter of neighbours.

    {"İ", "i"},
    {"STRASSE ẞ", "strasse ß"},
    {"日本A", "日本a"},
    {"\xff"
     "A",
     "\xff"
     "a"},
    {"@[`{", "@[`{"},
    {"", ""},
};

START_TEST(lower_case_is_simple_and_code_point_by_code_point)
{
    struct buffer lower;
    buffer_init(&lower, 256);
    text_put_lower(&lower, slice_of_text(cases[_i].text));
    ck_assert(slice_equals(buffer_slice(&lower), slice_of_text(cases[_i].lower)));
    buffer_deinit(&lower);
}
END_TEST

static const struct {
    const char *text, *day; // NULL: no date.
} dates[] = {
    {"Sat Aug 23 22:13:00 +0000 2008", "20080823"},
    {"Sat Aug 23 22:13:00 -0300 2008", "20080824"},
    {"Sun Feb 29 00:30:00 +0100 2012", "20120228"},
    {"2012-01-01T10:37:26Z", "20120101"},
    {"2012-01-01T00:37:26+01:00", "20111231"},
    {"2012-01-01T23:37:26.123456-0100", "20120102"},
    {"2012-01-01 23:37", "20120101"},
    {"2012-01-01", "20120101"},
    {"2000-02-29", "20000229"},
    {"1900-02-29", NULL},
    {"2011-02-29", NULL},
    {"2011-13-01", NULL},
    {"2011-00-01", NULL},
    {"2011-01-32", NULL},
    {"2011-01-01T24:00:00Z", NULL},
    {"2011-01-01T10:00:00Zx", NULL},
    {"2011-1-1", NULL},
    {"Sat Aug 23 22:13:00 2008", NULL},
    {"Sat Foo 23 22:13:00 +0000 2008", NULL},
    {"yesterday", NULL},
    {"", NULL},
};

START_TEST(dates_have_their_utc_day)
{
    int64_t seconds;
    char day[DAY_TEXT_SIZE + 1] = {0};
    bool is_date = day_parse_time(slice_of_text(dates[_i].text), &seconds);
    ck_assert_msg(is_date == (dates[_i].day != NULL), "%s", dates[_i].text);
    if (!is_date) return;
    day_format(seconds, day);
    ck_assert_str_eq(day, dates[_i].day);
}
END_TEST

START_TEST(every_day_of_five_centuries_survives_a_round_trip)
{
    for (int64_t days = -100000; days < 100000; days++) {
        int64_t year;
        unsigned month, day;
        day_to_date(days, &year, &month, &day);
        ck_assert(month >= 1 && month <= 12 && day >= 1 && day <= 31);
        ck_assert_int_eq(day_of_date(year, month, day), days);
    }
}
END_TEST

int main(void)
{
    TCase *text = tcase_create("text");
    tcase_add_loop_test(text, hashtags_are_words_that_begin_with_a_hash, 0,
                        sizeof hashtags / sizeof *hashtags);
    tcase_add_test(text, words_lie_between_white_space);
    tcase_add_loop_test(text, lower_case_is_simple_and_code_point_by_code_point, 0,
                        sizeof cases / sizeof *cases);
    tcase_add_loop_test(text, dates_have_their_utc_day, 0, sizeof dates / sizeof *dates);
    tcase_add_test(text, every_day_of_five_centuries_survives_a_round_trip);
    Suite *suite = suite_create("text");
    suite_add_tcase(suite, text);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
