// The rules of exactly-once counting that a reducer keeps, each with the schedule that breaks a
// reducer without it. Two reducers on one engine are two processes that both think they run the
// job.
#include "stream/job/reducer.h"

#include "base/container_of.h"
#include "tests/stream/support/stream_fixture.h"

#include <check.h>
#include <stdio.h>

static struct stream_fixture fixture;
static struct uuid job;

static void setup(void)
{
    stream_fixture_setup(&fixture);
    job = stream_fixture_submit(&fixture);
}

static void teardown(void)
{
    stream_fixture_teardown(&fixture);
}

static struct reducer *make_reducer(void)
{
    struct job_target target = {
        .keyspace = slice_of_text("ks"),
        .table = slice_of_text("t"),
        .columns = {slice_of_text("a"), slice_of_text("b"), slice_of_text("n")},
        .column_count = 3};
    struct reducer *reducer =
        reducer_create(fixture.env, fixture.coordinator, fixture.engine, fixture.metadata, job);
    reducer_set_targets(reducer, &target, 1);
    return reducer;
}

struct outcome {
    enum status status;
    struct job_report report;
    bool done;
};

static void reported(void *context, enum status status, const struct error *error,
                     const struct job_report *report)
{
    struct outcome *outcome = context;
    (void)error;
    outcome->status = status;
    outcome->report = *report;
    outcome->done = true;
}

struct sum {
    const char *a, *b;
    int64_t sum;
};

static void add_part(struct gather *gather, uint64_t number, uint64_t index, const struct sum *sums,
                     size_t count)
{
    struct buffer cells, key;
    buffer_init(&cells, 1 << 20);
    buffer_init(&key, 1 << 20);
    for (size_t i = 0; i < count; i++) {
        buffer_clear(&key);
        buffer_put_vint_bytes(&key, slice_of_text(sums[i].a));
        buffer_put_vint_bytes(&key, slice_of_text(sums[i].b));
        buffer_put_vint_bytes(&cells, buffer_slice(&key));
        buffer_put_signed_vint(&cells, sums[i].sum);
    }
    struct job_part part = {
        .job = job, .number = number, .cut = 7, .map_index = index, .cells = buffer_slice(&cells)};
    struct error error;
    ck_assert_int_eq(gather_add(gather, &part, &error), STATUS_OK);
    buffer_deinit(&cells);
    buffer_deinit(&key);
}

static struct job_task make_task(uint64_t number, uint64_t parts)
{
    return (struct job_task){.job = job,
                             .number = number,
                             .cut = 7,
                             .timestamp_us = (int64_t)number * 10,
                             .done_through = number - 1,
                             .part_count = parts};
}

// Runs batch `number` with these sums on a reducer; the batch is recorded already.
static struct job_report run(struct reducer *reducer, uint64_t number, const struct sum *sums,
                             size_t count)
{
    static struct gather gather;
    gather_init(&gather);
    add_part(&gather, number, 0, sums, count);
    struct job_task task = make_task(number, 1);
    ck_assert(gather_is_whole(&gather, &task));
    struct outcome outcome = {.done = false};
    struct error error = {.text = ""};
    enum status status = reducer_run(reducer, &task, &gather, reported, &outcome, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
    stream_fixture_run_until(&fixture, &outcome.done);
    ck_assert_int_eq(outcome.status, STATUS_OK);
    gather_deinit(&gather);
    return outcome.report;
}

static const struct sum first[] = {{"x", "ALL", 3}, {"y", "ALL", 5}};
static const struct sum second[] = {{"x", "ALL", 10}, {"z", "ALL", -1}};
static const struct sum third[] = {{"x", "ALL", 100}};

static void assert_totals(int64_t x, int64_t y, int64_t z)
{
    ck_assert_int_eq(stream_fixture_read(&fixture, "x", "ALL"), x);
    ck_assert_int_eq(stream_fixture_read(&fixture, "y", "ALL"), y);
    ck_assert_int_eq(stream_fixture_read(&fixture, "z", "ALL"), z);
}

START_TEST(batches_add_up)
{
    struct reducer *reducer = make_reducer();
    stream_fixture_record(&fixture, job, 1, 0);
    ck_assert_uint_eq(run(reducer, 1, first, 2).cells, 2);
    stream_fixture_record(&fixture, job, 2, 1);
    (void)run(reducer, 2, second, 2);
    stream_fixture_record(&fixture, job, 3, 2);
    (void)run(reducer, 3, third, 1);
    assert_totals(113, 5, -1);
    reducer_destroy(reducer);
}
END_TEST

START_TEST(a_task_that_comes_again_adds_nothing_and_reports_the_same)
{
    struct reducer *reducer = make_reducer();
    stream_fixture_record(&fixture, job, 1, 0);
    struct job_report report = run(reducer, 1, first, 2), again = run(reducer, 1, first, 2);
    ck_assert_uint_eq(report.hash, again.hash);
    ck_assert_uint_eq(report.cells, again.cells);
    assert_totals(3, 5, 0);
    reducer_destroy(reducer);
}
END_TEST

START_TEST(another_process_that_runs_the_batch_again_adds_nothing)
{
    struct reducer *one = make_reducer(), *two = make_reducer();
    stream_fixture_record(&fixture, job, 1, 0);
    struct job_report report = run(one, 1, first, 2);
    // Both begin with batch 1, hold all totals there are (none), and write the same shards.
    struct job_report again = run(two, 1, first, 2);
    ck_assert_uint_eq(report.hash, again.hash);
    assert_totals(3, 5, 0);
    reducer_destroy(one);
    reducer_destroy(two);
}
END_TEST

// The log has not heard yet of the end of batch 2, which `one` ran, and batch 3 behind it. Who runs
// batch 2 then finds totals of batch 3, of which its sums are a part already; and goes on from
// them.
START_TEST(a_total_of_a_later_batch_is_not_added_to)
{
    struct reducer *one = make_reducer(), *two = make_reducer();
    stream_fixture_record(&fixture, job, 1, 0);
    (void)run(one, 1, first, 2);
    stream_fixture_record(&fixture, job, 2, 1);
    stream_fixture_record(&fixture, job, 3, 1);
    (void)run(one, 2, second, 2);
    (void)run(one, 3, third, 1);
    assert_totals(113, 5, -1);
    (void)run(two, 2, second, 2);
    assert_totals(113, 5, -1);
    (void)run(two, 3, third, 1);
    assert_totals(113, 5, -1);
    reducer_destroy(one);
    reducer_destroy(two);
}
END_TEST

// Runs batch 1 with these sums, which it does not have.
static void run_with_other_sums(struct reducer *reducer, const struct sum *sums, size_t count)
{
    static struct gather gather;
    gather_init(&gather);
    add_part(&gather, 1, 0, sums, count);
    struct job_task task = make_task(1, 1);
    struct outcome outcome = {.done = false};
    struct error error = {.text = ""};
    ck_assert(!reducer_is_broken(reducer));
    enum status status = reducer_run(reducer, &task, &gather, reported, &outcome, &error);
    ck_assert_msg(status == STATUS_OK, "%s", error.text);
    stream_fixture_run_until(&fixture, &outcome.done);
    ck_assert_int_eq(outcome.status, STATUS_INVALID);
    ck_assert(reducer_is_broken(reducer));
    gather_deinit(&gather);
}

START_TEST(a_batch_that_comes_again_with_other_sums_breaks_the_job)
{
    static const struct sum other[] = {{"x", "ALL", 3}, {"y", "ALL", 6}};
    struct reducer *reducer = make_reducer(), *elsewhere = make_reducer();
    stream_fixture_record(&fixture, job, 1, 0);
    (void)run(reducer, 1, first, 2);
    // In this process by its report, in another one by the shards that are there.
    run_with_other_sums(elsewhere, other, 2);
    run_with_other_sums(reducer, other, _i == 0 ? 2 : 1);
    reducer_destroy(reducer);
    reducer_destroy(elsewhere);
}
END_TEST

START_TEST(a_restarted_node_reads_the_totals)
{
    struct reducer *reducer = make_reducer();
    stream_fixture_record(&fixture, job, 1, 0);
    (void)run(reducer, 1, first, 2);
    reducer_destroy(reducer);
    stream_fixture_restart(&fixture);
    stream_fixture_record(&fixture, job, 2, 1);
    reducer = make_reducer();
    (void)run(reducer, 2, second, 2);
    assert_totals(13, 5, -1);
    reducer_destroy(reducer);
}
END_TEST

START_TEST(totals_are_used_only_by_who_ran_the_batch_before)
{
    // H2: one does batch 1 and sleeps, two does batch 2, one wakes with batch 3.
    struct reducer *one = make_reducer(), *two = make_reducer();
    stream_fixture_record(&fixture, job, 1, 0);
    (void)run(one, 1, first, 2);
    stream_fixture_record(&fixture, job, 2, 1);
    (void)run(two, 2, second, 2);
    stream_fixture_record(&fixture, job, 3, 2);
    (void)run(one, 3, third, 1);
    assert_totals(113, 5, -1);
    // And two, which missed batch 3, must read too.
    stream_fixture_record(&fixture, job, 4, 3);
    (void)run(two, 4, first, 2);
    assert_totals(116, 10, -1);
    reducer_destroy(one);
    reducer_destroy(two);
}
END_TEST

START_TEST(tasks_that_the_log_does_not_have_are_refused)
{
    struct reducer *reducer = make_reducer();
    static struct gather gather;
    gather_init(&gather);
    struct outcome outcome = {.done = false};
    struct error error;
    struct job_task task = make_task(1, 0);
    ck_assert_int_eq(reducer_run(reducer, &task, &gather, reported, &outcome, &error),
                     STATUS_CONFLICT); // Not recorded.
    stream_fixture_record(&fixture, job, 1, 0);
    stream_fixture_record(&fixture, job, 2, 0);
    task = make_task(1, 0);
    task.timestamp_us++;
    ck_assert_int_eq(reducer_run(reducer, &task, &gather, reported, &outcome, &error),
                     STATUS_CONFLICT); // Recorded otherwise.
    task = make_task(2, 0);
    task.done_through = 0;
    ck_assert_int_eq(reducer_run(reducer, &task, &gather, reported, &outcome, &error),
                     STATUS_CONFLICT); // Rule 5.
    stream_fixture_record(&fixture, job, 3, 1);
    task = make_task(1, 0);
    ck_assert_int_eq(reducer_run(reducer, &task, &gather, reported, &outcome, &error),
                     STATUS_CONFLICT); // Done and forgotten.
    gather_deinit(&gather);
    reducer_destroy(reducer);
}
END_TEST

START_TEST(many_cells_are_settled_in_slices)
{
    enum { COUNT = 3000 };
    static struct sum sums[COUNT];
    static char names[COUNT][16];
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(names[i], sizeof names[i], "%d", i);
        sums[i] = (struct sum){i % 2 == 0 ? "even" : "odd", names[i], i};
    }
    struct reducer *one = make_reducer(), *two = make_reducer();
    stream_fixture_record(&fixture, job, 1, 0);
    ck_assert_uint_eq(run(one, 1, sums, COUNT).cells, COUNT);
    stream_fixture_record(&fixture, job, 2, 1);
    ck_assert_uint_eq(run(two, 2, sums, COUNT).cells, COUNT); // Reads each total.
    ck_assert_uint_eq(stream_fixture_count(&fixture), COUNT);
    ck_assert_int_eq(stream_fixture_read(&fixture, "odd", "2999"), 2 * 2999);
    reducer_destroy(one);
    reducer_destroy(two);
}
END_TEST

struct pause {
    struct env_timer timer;
    bool is_over;
};

static void pause_over(struct env_timer *timer)
{
    CONTAINER_OF(timer, struct pause, timer)->is_over = true;
}

// Memtables that are full take some cells of a write and not others.
START_TEST(a_batch_that_finds_no_room_for_a_while_is_settled)
{
    enum { COUNT = 20000 };
    static struct sum sums[COUNT];
    static char names[COUNT][16];
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(names[i], sizeof names[i], "%d", i);
        sums[i] = (struct sum){names[i], "ALL", i};
    }
    fixture.memtable_space_max = 256 * 1024;
    stream_fixture_restart(&fixture);
    struct reducer *reducer = make_reducer();
    stream_fixture_record(&fixture, job, 1, 0);
    ck_assert_uint_eq(run(reducer, 1, sums, COUNT).cells, COUNT);
    ck_assert_uint_eq(stream_fixture_count(&fixture), COUNT);
    ck_assert_int_eq(stream_fixture_read(&fixture, "19999", "ALL"), 19999);
    reducer_destroy(reducer);
}
END_TEST

// A node that stops while its disk is full would never end.
START_TEST(a_task_that_is_given_up_ends)
{
    static struct gather gather;
    struct sum sum = {"a", "ALL", 1};
    struct outcome outcome = {.done = false};
    struct error error;
    fixture.memtable_space_max = 1; // There is no room for anything.
    stream_fixture_restart(&fixture);
    struct reducer *reducer = make_reducer();
    stream_fixture_record(&fixture, job, 1, 0);
    gather_init(&gather);
    add_part(&gather, 1, 0, first, 2);
    add_part(&gather, 1, 1, &sum, 1);
    struct job_task task = make_task(1, 2);
    ck_assert_int_eq(reducer_run(reducer, &task, &gather, reported, &outcome, &error), STATUS_OK);
    struct pause pause = {.is_over = false};
    env_timer_start(fixture.env, &pause.timer, 30000000, pause_over);
    stream_fixture_run_until(&fixture, &pause.is_over);
    ck_assert(!outcome.done);
    reducer_give_up(reducer);
    stream_fixture_run_until(&fixture, &outcome.done);
    ck_assert_int_eq(outcome.status, STATUS_CANCELED);
    gather_deinit(&gather);
    reducer_destroy(reducer);
}
END_TEST

static void job_is_over(struct metadata_job_change *change, enum status status)
{
    (void)change;
    ck_assert_int_eq(status, STATUS_OK);
}

// Its end is on its way into the log when the task comes: a zombie's, from before a partition. The
// table may be truncated as soon as all members know that the job is over.
START_TEST(nothing_is_written_once_the_job_is_over)
{
    enum { COUNT = 30000 };
    static struct sum sums[COUNT];
    static char names[COUNT][16];
    for (size_t i = 0; i < COUNT; i++) {
        (void)snprintf(names[i], sizeof names[i], "n%zu", i);
        sums[i] = (struct sum){names[i], "ALL", 1};
    }
    struct reducer *reducer = make_reducer();
    stream_fixture_record(&fixture, job, 1, 0);
    struct metadata_job_change change;
    metadata_record_done(fixture.metadata, &change, job, 1, 0, JOB_FINISHED, job_is_over);
    static struct gather gather;
    gather_init(&gather);
    add_part(&gather, 1, 0, sums, COUNT);
    struct job_task task = make_task(1, 1);
    struct outcome outcome = {.done = false};
    struct error error;
    ck_assert_int_eq(reducer_run(reducer, &task, &gather, reported, &outcome, &error), STATUS_OK);
    stream_fixture_run_until(&fixture, &outcome.done);
    ck_assert_int_eq(outcome.status, STATUS_CONFLICT);
    ck_assert_uint_lt(stream_fixture_count(&fixture), COUNT);
    gather_deinit(&gather);
    reducer_destroy(reducer);
}
END_TEST

START_TEST(a_key_that_does_not_fit_the_table_fails_the_task)
{
    struct reducer *reducer = make_reducer();
    static const struct sum bad[] = {{"\xff", "ALL", 1}};
    static struct gather gather;
    gather_init(&gather);
    stream_fixture_record(&fixture, job, 1, 0);
    add_part(&gather, 1, 0, bad, 1);
    struct job_task task = make_task(1, 1);
    struct outcome outcome = {.done = false};
    struct error error;
    ck_assert_int_eq(reducer_run(reducer, &task, &gather, reported, &outcome, &error), STATUS_OK);
    stream_fixture_run_until(&fixture, &outcome.done);
    ck_assert_int_eq(outcome.status, STATUS_INVALID);
    (void)run(reducer, 1, first, 2); // The batch may come again.
    assert_totals(3, 5, 0);
    gather_deinit(&gather);
    reducer_destroy(reducer);
}
END_TEST

START_TEST(parts_count_once_and_cuts_are_not_mixed)
{
    static struct gather gather;
    gather_init(&gather);
    add_part(&gather, 1, 0, first, 2);
    add_part(&gather, 1, 0, first, 2); // Again.
    struct job_task task = make_task(1, 2);
    ck_assert(!gather_is_whole(&gather, &task));
    add_part(&gather, 1, 1, second, 2);
    ck_assert(gather_is_whole(&gather, &task));
    ck_assert_uint_eq(gather.sums[0].count, 3);
    task.cut++;
    ck_assert(!gather_is_whole(&gather, &task));
    add_part(&gather, 2, 0, third, 1); // Another batch: what was there is gone.
    ck_assert_uint_eq(gather.sums[0].count, 1);
    struct job_part part = {.job = job,
                            .number = 2,
                            .cut = 7,
                            .map_index = 1,
                            .cells = slice_of_text("\x05"
                                                   "ab")};
    struct error error;
    ck_assert_int_eq(gather_add(&gather, &part, &error), STATUS_INVALID);
    ck_assert_uint_eq(gather.sums[0].count, 1);
    gather_deinit(&gather);
}
END_TEST

int main(void)
{
    TCase *reducer = tcase_create("reducer");
    tcase_set_timeout(reducer, 60);
    tcase_add_checked_fixture(reducer, setup, teardown);
    tcase_add_test(reducer, batches_add_up);
    tcase_add_test(reducer, a_task_that_comes_again_adds_nothing_and_reports_the_same);
    tcase_add_test(reducer, another_process_that_runs_the_batch_again_adds_nothing);
    tcase_add_test(reducer, a_total_of_a_later_batch_is_not_added_to);
    tcase_add_loop_test(reducer, a_batch_that_comes_again_with_other_sums_breaks_the_job, 0, 2);
    tcase_add_test(reducer, a_restarted_node_reads_the_totals);
    tcase_add_test(reducer, totals_are_used_only_by_who_ran_the_batch_before);
    tcase_add_test(reducer, tasks_that_the_log_does_not_have_are_refused);
    tcase_add_test(reducer, many_cells_are_settled_in_slices);
    tcase_add_test(reducer, nothing_is_written_once_the_job_is_over);
    tcase_add_test(reducer, a_batch_that_finds_no_room_for_a_while_is_settled);
    tcase_add_test(reducer, a_task_that_is_given_up_ends);
    tcase_add_test(reducer, a_key_that_does_not_fit_the_table_fails_the_task);
    tcase_add_test(reducer, parts_count_once_and_cuts_are_not_mixed);
    Suite *suite = suite_create("reducer");
    suite_add_tcase(suite, reducer);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
