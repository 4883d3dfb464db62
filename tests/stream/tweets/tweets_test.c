// The generator: repeatable, and such that a strict reader takes every line and finds in it what
// the generator says it put there.
#include "stream/tweets/tweets.h"

#include "stream/source/day.h"
#include "stream/source/json.h"

#include <check.h>

static void generate(const struct tweets_options *options, struct buffer *lines)
{
    struct tweets *tweets = tweets_create(options);
    while (tweets_next(tweets, lines))
        ;
    tweets_destroy(tweets);
}

START_TEST(the_same_seed_gives_the_same_tweets)
{
    struct tweets_options options = {.seed = 7, .count = 300};
    struct buffer first, second, other;
    buffer_init(&first, 1 << 24);
    buffer_init(&second, 1 << 24);
    buffer_init(&other, 1 << 24);
    generate(&options, &first);
    generate(&options, &second);
    options.seed = 8;
    generate(&options, &other);
    ck_assert(slice_equals(buffer_slice(&first), buffer_slice(&second)));
    ck_assert(!slice_equals(buffer_slice(&first), buffer_slice(&other)));
    buffer_deinit(&first);
    buffer_deinit(&second);
    buffer_deinit(&other);
}
END_TEST

START_TEST(each_line_says_what_was_put_there)
{
    struct tweets_options options = {.seed = 3, .count = 500, .days = 3, .is_status = _i == 1};
    struct tweets *tweets = tweets_create(&options);
    struct json_reader *reader = json_reader_create();
    struct json_value values[2];
    struct buffer line, scratch;
    struct error error;
    int64_t days[2] = {0, 0};
    buffer_init(&line, 1 << 20);
    buffer_init(&scratch, 1 << 20);
    ck_assert_int_eq(json_reader_add_path(reader, "text", &error), STATUS_OK);
    ck_assert_int_eq(json_reader_add_path(reader, "created_at", &error), STATUS_OK);
    for (int i = 0; tweets_next(tweets, &line); i++) {
        ck_assert_int_eq(json_reader_read(reader, buffer_slice(&line), values), JSON_FAULT_NONE);
        ck_assert(slice_equals(json_string(&values[0], &scratch), tweets_text(tweets)));
        int64_t seconds;
        ck_assert(day_parse_time(json_string(&values[1], &scratch), &seconds));
        ck_assert_int_eq(seconds, tweets_time_us(tweets) / 1000000);
        days[i > 0] = seconds / 86400;
        if (options.is_status) ck_assert_uint_gt(line.size, 2000);
        buffer_clear(&line);
    }
    ck_assert_int_eq(days[1] - days[0], 2);
    json_reader_destroy(reader);
    tweets_destroy(tweets);
    buffer_deinit(&line);
    buffer_deinit(&scratch);
}
END_TEST

int main(void)
{
    TCase *tweets = tcase_create("tweets");
    tcase_add_test(tweets, the_same_seed_gives_the_same_tweets);
    tcase_add_loop_test(tweets, each_line_says_what_was_put_there, 0, 2);
    Suite *suite = suite_create("tweets");
    suite_add_tcase(suite, tweets);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
