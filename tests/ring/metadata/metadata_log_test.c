// The metadata log on real files: what was acknowledged comes back, a torn tail does not, damage to
// what was acknowledged is said.
#include "ring/metadata/metadata_log.h"

#include "base/container_of.h"
#include "base/env_uv.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// A state machine that adds up numbers and refuses what is odd.
struct sum {
    uint64_t total;
    uint64_t records;
};

static enum status sum_applied(void *context, uint64_t number, struct slice record)
{
    struct sum *sum = context;
    (void)number;
    uint64_t value = bytes_get_u64(record.data);
    if (value % 2 != 0) return STATUS_CONFLICT;
    sum->total += value;
    sum->records++;
    return STATUS_OK;
}

static void sum_snapshot(void *context, struct buffer *state)
{
    buffer_put_u64(state, ((struct sum *)context)->total);
}

static enum status sum_restore(void *context, struct slice state, struct error *error)
{
    if (state.size != 8)
        return error_set(error, STATUS_CORRUPT, "a state of %zu bytes", state.size);
    ((struct sum *)context)->total = bytes_get_u64(state.data);
    return STATUS_OK;
}

static const struct metadata_log_events sum_events = {
    .applied = sum_applied, .snapshot = sum_snapshot, .restore = sum_restore};

static struct env *env;
static char directory[] = "/tmp/helenus-metadata-log-XXXXXX";
static char log_directory[64];

static void setup(void)
{
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    (void)snprintf(log_directory, sizeof log_directory, "%s/metadata", directory);
    struct error error;
    ck_assert_int_eq(env_uv_create(&env, &error), STATUS_OK);
}

static void teardown(void)
{
    env_uv_destroy(env);
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", directory);
    ck_assert_int_eq(system(command), 0);
}

struct appended {
    struct metadata_log_append append;
    uint8_t record[4096];
    size_t *waiting;
    enum status status;
};

static void append_done(struct metadata_log_append *append, enum status status)
{
    struct appended *appended = CONTAINER_OF(append, struct appended, append);
    appended->status = status;
    if (--*appended->waiting == 0) env_uv_stop(env);
}

// Appends 2, 4, … 2 × count, of `size` bytes each, and waits for all.
static void append_many(struct metadata_log *log, size_t count, size_t size)
{
    struct appended *appended = calloc(count, sizeof *appended);
    size_t waiting = count;
    for (size_t i = 0; i < count; i++) {
        appended[i].waiting = &waiting;
        bytes_put_u64(appended[i].record, 2 * (i + 1));
        metadata_log_append(log, &appended[i].append, slice_make(appended[i].record, size),
                            append_done);
    }
    env_uv_run(env);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(appended[i].status, STATUS_OK);
    free(appended);
}

static enum status open_log(struct sum *sum, struct metadata_log **log, struct error *error)
{
    *sum = (struct sum){0};
    const struct metadata_log_options options = {.directory = log_directory, .member_count = 1};
    return metadata_log_open(env, &options, &sum_events, sum, log, error);
}

static void drained(void *context)
{
    *(bool *)context = true;
    env_uv_stop(env);
}

static void close_log(struct metadata_log *log)
{
    bool is_drained = false;
    metadata_log_drain(log, drained, &is_drained);
    ck_assert(!is_drained);
    env_uv_run(env);
    ck_assert(is_drained);
    metadata_log_close(log);
}

START_TEST(what_was_acknowledged_comes_back)
{
    struct sum sum;
    struct metadata_log *log;
    struct error error;
    ck_assert_int_eq(open_log(&sum, &log, &error), STATUS_OK);
    append_many(log, 10, 8);
    ck_assert_uint_eq(sum.total, 110);
    ck_assert_uint_eq(metadata_log_number(log), 10);
    close_log(log);
    ck_assert_int_eq(open_log(&sum, &log, &error), STATUS_OK);
    ck_assert_uint_eq(sum.total, 110);
    append_many(log, 1, 8);
    ck_assert_uint_eq(metadata_log_number(log), 11);
    close_log(log);
}
END_TEST

START_TEST(a_condition_that_does_not_hold_is_a_conflict)
{
    struct sum sum;
    struct metadata_log *log;
    struct error error;
    ck_assert_int_eq(open_log(&sum, &log, &error), STATUS_OK);
    size_t waiting = 1;
    struct appended appended = {.waiting = &waiting};
    bytes_put_u64(appended.record, 7);
    metadata_log_append(log, &appended.append, slice_make(appended.record, 8), append_done);
    env_uv_run(env);
    ck_assert_int_eq(appended.status, STATUS_CONFLICT);
    ck_assert_uint_eq(sum.records, 0);
    close_log(log);
}
END_TEST

START_TEST(a_long_log_begins_anew_with_its_state)
{
    struct sum sum;
    struct metadata_log *log;
    struct error error;
    ck_assert_int_eq(open_log(&sum, &log, &error), STATUS_OK);
    for (int round = 0; round < 10; round++)
        append_many(log, 100, 4096);
    uint64_t total = sum.total;
    close_log(log);
    ck_assert_int_eq(open_log(&sum, &log, &error), STATUS_OK);
    ck_assert_uint_eq(sum.total, total);
    ck_assert_uint_lt(sum.records, 1000); // The rest came with the state.
    ck_assert_uint_eq(metadata_log_number(log), 1000);
    close_log(log);
}
END_TEST

// Together more than one write may have.
START_TEST(large_records_that_come_at_once_go_one_after_the_other)
{
    enum { COUNT = 20, SIZE = 4 << 20 };
    struct sum sum;
    struct metadata_log *log;
    struct error error;
    ck_assert_int_eq(open_log(&sum, &log, &error), STATUS_OK);
    uint8_t *record = calloc(1, SIZE);
    bytes_put_u64(record, 2);
    struct appended *appended = calloc(COUNT, sizeof *appended);
    size_t waiting = COUNT;
    for (size_t i = 0; i < COUNT; i++) {
        appended[i].waiting = &waiting;
        metadata_log_append(log, &appended[i].append, slice_make(record, SIZE), append_done);
    }
    env_uv_run(env);
    for (size_t i = 0; i < COUNT; i++)
        ck_assert_int_eq(appended[i].status, STATUS_OK);
    ck_assert_uint_eq(sum.records, COUNT);
    free(appended);
    free(record);
    close_log(log);
    ck_assert_int_eq(open_log(&sum, &log, &error), STATUS_OK);
    ck_assert_uint_eq(sum.total, 2 * COUNT);
    close_log(log);
}
END_TEST

static void change_file(long offset, int whence, size_t cut)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/log-0", log_directory);
    FILE *file = fopen(path, "r+b");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, offset, whence), 0);
    if (cut > 0) {
        long size = ftell(file);
        ck_assert_int_eq(ftruncate(fileno(file), size), 0);
    } else {
        int byte = fgetc(file);
        ck_assert_int_eq(fseek(file, offset, whence), 0);
        (void)fputc(byte ^ 1, file);
    }
    (void)fclose(file);
}

START_TEST(a_torn_tail_is_cut_at_any_byte)
{
    struct sum sum;
    struct metadata_log *log;
    struct error error;
    for (long cut = 1; cut <= 36; cut++) {
        ck_assert_int_eq(open_log(&sum, &log, &error), STATUS_OK);
        append_many(log, 1, 8);
        append_many(log, 1, 8);
        uint64_t number = metadata_log_number(log);
        close_log(log);
        change_file(-cut, SEEK_END, 1);
        ck_assert_int_eq(open_log(&sum, &log, &error), STATUS_OK);
        ck_assert_uint_eq(metadata_log_number(log), number - 1);
        close_log(log);
    }
}
END_TEST

START_TEST(damage_to_what_was_acknowledged_is_said)
{
    struct sum sum;
    struct metadata_log *log;
    struct error error;
    ck_assert_int_eq(open_log(&sum, &log, &error), STATUS_OK);
    for (int i = 0; i < 5; i++)
        append_many(log, 1, 8);
    close_log(log);
    enum { HEAD_SIZE = 28, RECORD_SIZE = 36 };
    change_file(HEAD_SIZE + RECORD_SIZE + 30, SEEK_SET, 0); // In the second record.
    ck_assert_int_eq(open_log(&sum, &log, &error), STATUS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(error.text, "offset 64"));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("metadata_log");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, what_was_acknowledged_comes_back);
    tcase_add_test(tcase, a_condition_that_does_not_hold_is_a_conflict);
    tcase_add_test(tcase, a_long_log_begins_anew_with_its_state);
    tcase_add_test(tcase, large_records_that_come_at_once_go_one_after_the_other);
    tcase_add_test(tcase, a_torn_tail_is_cut_at_any_byte);
    tcase_add_test(tcase, damage_to_what_was_acknowledged_is_said);
    Suite *suite = suite_create("metadata_log");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
