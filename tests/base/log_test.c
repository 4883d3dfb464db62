// A clock that the test moves, and lines that come to the test.
#include "base/log.h"

#include "base/buffer.h"
#include "base/env_ops.h"
#include "base/limits.h"

#include <check.h>

struct clock {
    struct env base;
    int64_t wall_us;
    uint64_t monotonic_ns;
};

static int64_t clock_wall_us(struct env *env)
{
    return ((struct clock *)(void *)env)->wall_us;
}

static uint64_t clock_monotonic_ns(struct env *env)
{
    return ((struct clock *)(void *)env)->monotonic_ns;
}

static const struct env_ops clock_ops = {.wall_us = clock_wall_us,
                                         .monotonic_ns = clock_monotonic_ns};
static struct clock world;
static struct log lines;
static struct buffer written;
static int line_count;

static void take_line(void *context, struct slice line)
{
    struct buffer *buffer = context;
    line_count++;
    ck_assert_uint_le(line.size, LOG_LINE_SIZE_MAX);
    ck_assert_ptr_eq(memchr(line.data, '\n', line.size), line.data + line.size - 1);
    buffer_put(buffer, line.data, line.size);
}

static void setup(void)
{
    world = (struct clock){.base = {&clock_ops}, .wall_us = 1772366400123456};
    log_init(&lines, &world.base, LOG_INFO);
    buffer_init(&written, 1u << 20);
    lines.write = take_line;
    lines.context = &written;
    line_count = 0;
}

static void teardown(void)
{
    buffer_deinit(&written);
}

static void expect(const char *text)
{
    buffer_put_u8(&written, 0);
    ck_assert_str_eq((const char *)written.data, text);
    buffer_clear(&written);
}

START_TEST(a_line_has_time_level_and_text)
{
    LOG_INFO(&lines, "table %s: %d rows", "ks.t", 7);
    LOG_DEBUG(&lines, "not shown");
    LOG_ERROR(&lines, "bad");
    expect("2026-03-01T12:00:00.123Z INFO  table ks.t: 7 rows\n"
           "2026-03-01T12:00:00.123Z ERROR bad\n");
}
END_TEST

START_TEST(a_line_stays_one_line_whatever_is_in_it)
{
    LOG_WARN(&lines, "a\nb\r\x1b[1m\x7f\xc3\xa9");
    expect("2026-03-01T12:00:00.123Z WARN  a?b??[1m?\xc3\xa9\n");
    char text[3 * LOG_LINE_SIZE_MAX];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    LOG_WARN(&lines, "%s", text);
    ck_assert_uint_eq(written.size, LOG_LINE_SIZE_MAX);
}
END_TEST

START_TEST(too_many_lines_are_counted_instead)
{
    for (unsigned i = 0; i < LOG_LINES_PER_SECOND_MAX + 25; i++)
        LOG_INFO(&lines, "again");
    ck_assert_int_eq(line_count, LOG_LINES_PER_SECOND_MAX);
    buffer_clear(&written);
    world.monotonic_ns += 1000ull * 1000 * 1000;
    LOG_INFO(&lines, "calm");
    expect("2026-03-01T12:00:00.123Z WARN  log: 25 lines were too many and are not shown\n"
           "2026-03-01T12:00:00.123Z INFO  calm\n");
}
END_TEST

START_TEST(levels_have_names)
{
    enum log_level level = LOG_INFO;
    ck_assert(log_level_parse("debug", &level));
    ck_assert_int_eq(level, LOG_DEBUG);
    ck_assert(!log_level_parse("loud", &level));
    ck_assert_int_eq(level, LOG_DEBUG);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("log");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, a_line_has_time_level_and_text);
    tcase_add_test(cases, a_line_stays_one_line_whatever_is_in_it);
    tcase_add_test(cases, too_many_lines_are_counted_instead);
    tcase_add_test(cases, levels_have_names);

    Suite *suite = suite_create("log");
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
