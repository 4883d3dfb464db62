// The counter id lives on over clean stops alone (invariant 2).
#include "storage/engine/counter_id.h"

#include "storage/uuid.h"
#include "storage/whole_file.h"
#include "tests/storage/support/engine_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct counter_id take(uint64_t log_position)
{
    struct counter_id id;
    struct error error = {0};
    enum status status = counter_id_take(engine_fixture_env(), engine_fixture_directory(),
                                         log_position, &id, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
    return id;
}

static void leave(uint64_t log_position, struct counter_id id)
{
    ck_assert_int_eq(
        counter_id_leave(engine_fixture_env(), engine_fixture_directory(), log_position, &id, NULL),
        STATUS_OK);
}

static void write_file(const char *name, const char *text)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", engine_fixture_directory(), name);
    ck_assert_int_eq(whole_file_write(engine_fixture_env(), engine_fixture_directory(), path,
                                      slice_of_text(text), NULL),
                     STATUS_OK);
}

START_TEST(a_clean_stop_keeps_the_id_and_its_highest_clock)
{
    struct counter_id first = take(0);
    first.clock_max = 77;
    leave(5, first);
    struct counter_id second = take(5);
    ck_assert(uuid_equals(first.id, second.id));
    ck_assert_int_eq(second.clock_max, 77);
}
END_TEST

START_TEST(the_mark_serves_once)
{
    struct counter_id first = take(0);
    leave(5, first);
    ck_assert(uuid_equals(first.id, take(5).id));
    ck_assert(!uuid_equals(first.id, take(5).id));
}
END_TEST

START_TEST(a_log_that_ends_elsewhere_gives_a_new_id)
{
    struct counter_id first = take(0);
    leave(5, first);
    struct counter_id second = take(6);
    ck_assert(!uuid_equals(first.id, second.id));
    ck_assert_int_eq(second.clock_max, 0);
}
END_TEST

START_TEST(a_mark_of_another_id_gives_a_new_id)
{
    struct counter_id first = take(0);
    struct counter_id second = take(0);
    leave(5, first); // Restored from an older copy of the directory.
    struct counter_id third = take(5);
    ck_assert(!uuid_equals(first.id, third.id));
    ck_assert(!uuid_equals(second.id, third.id));
}
END_TEST

// Loop test: either file, damaged or too long.
START_TEST(a_damaged_file_gives_a_new_id)
{
    static char long_text[1024];
    memset(long_text, 'x', sizeof long_text - 1);
    struct counter_id first = take(0);
    leave(5, first);
    write_file(_i % 2 == 0 ? "counter_id" : "clean_stop", _i < 2 ? "no id at all" : long_text);
    ck_assert(!uuid_equals(first.id, take(5).id));
}
END_TEST

int main(void)
{
    TCase *ids = tcase_create("counter id");
    tcase_add_checked_fixture(ids, engine_fixture_setup, engine_fixture_teardown);
    tcase_add_test(ids, a_clean_stop_keeps_the_id_and_its_highest_clock);
    tcase_add_test(ids, the_mark_serves_once);
    tcase_add_test(ids, a_log_that_ends_elsewhere_gives_a_new_id);
    tcase_add_test(ids, a_mark_of_another_id_gives_a_new_id);
    tcase_add_loop_test(ids, a_damaged_file_gives_a_new_id, 0, 4);
    Suite *suite = suite_create("counter_id");
    suite_add_tcase(suite, ids);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
