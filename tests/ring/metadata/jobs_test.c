// The job records as a state machine: what follows is taken, whatever does not is a conflict that
// changes nothing.
#include "ring/metadata/jobs.h"

#include <check.h>

static struct uuid uuid_of(uint8_t first)
{
    return (struct uuid){{first, 1, 2, 3}};
}

static struct job example_job(uint8_t first)
{
    struct job job = {.id = uuid_of(first), .submission_id = uuid_of((uint8_t)(first + 100))};
    job.source_count = 2;
    job.code_hash = 77;
    job.source_hash = 88;
    strcpy(job.name, "tags");
    return job;
}

static enum status submit(struct jobs *jobs, const struct job *job)
{
    struct buffer record;
    buffer_init(&record, 4096);
    jobs_put_submission(&record, job);
    struct cursor cursor = cursor_make(buffer_slice(&record));
    enum status status = jobs_apply_submission(jobs, &cursor);
    buffer_deinit(&record);
    return status;
}

static enum status record_batch(struct jobs *jobs, const struct job_batch *batch, uint32_t sources,
                                uint64_t done_through, uint64_t depth)
{
    struct buffer record;
    buffer_init(&record, 4096);
    jobs_put_batch(&record, uuid_of(1), batch, sources, done_through, done_through * 10, depth);
    struct cursor cursor = cursor_make(buffer_slice(&record));
    enum status status = jobs_apply_batch(jobs, &cursor);
    buffer_deinit(&record);
    return status;
}

static enum status record_done(struct jobs *jobs, uint64_t done_through, enum job_state state)
{
    struct buffer record;
    buffer_init(&record, 4096);
    jobs_put_done(&record, uuid_of(1), done_through, done_through * 10, state);
    struct cursor cursor = cursor_make(buffer_slice(&record));
    enum status status = jobs_apply_done(jobs, &cursor);
    buffer_deinit(&record);
    return status;
}

// Batch n of the chain in which each batch takes ten bytes of source 0 and none of source 1.
static struct job_batch chain_batch(uint64_t number)
{
    struct job_batch batch = {.number = number, .timestamp_us = (int64_t)(1000 * number)};
    batch.offsets[0] = (struct job_offset){(number - 1) * 10, number * 10};
    return batch;
}

START_TEST(a_submission_is_known_by_its_submission_id)
{
    struct jobs *jobs = jobs_create();
    struct job job = example_job(1);
    ck_assert_int_eq(submit(jobs, &job), STATUS_OK);
    struct job again = example_job(2);
    again.submission_id = job.submission_id;
    ck_assert_int_eq(submit(jobs, &again), STATUS_OK);
    ck_assert_ptr_nonnull(jobs_find(jobs, uuid_of(1)));
    ck_assert_ptr_null(jobs_find(jobs, uuid_of(2)));
    struct job same_id = example_job(1);
    same_id.submission_id = uuid_of(55);
    ck_assert_int_eq(submit(jobs, &same_id), STATUS_CONFLICT);
    ck_assert_ptr_null(jobs_at(jobs, 1));
    jobs_destroy(jobs);
}
END_TEST

START_TEST(two_that_begin_at_once_under_one_name_make_one_job)
{
    struct jobs *jobs = jobs_create();
    struct job first = example_job(1), second = example_job(2), unnamed = example_job(3);
    ck_assert_int_eq(submit(jobs, &first), STATUS_OK);
    ck_assert_int_eq(submit(jobs, &second), STATUS_CONFLICT);
    ck_assert_ptr_null(jobs_at(jobs, 1));
    unnamed.name[0] = '\0';
    ck_assert_int_eq(submit(jobs, &unnamed), STATUS_OK);
    unnamed = example_job(4);
    unnamed.name[0] = '\0';
    ck_assert_int_eq(submit(jobs, &unnamed), STATUS_OK);
    // The name is free again when its job has ended.
    ck_assert_int_eq(record_done(jobs, 0, JOB_FINISHED), STATUS_OK);
    ck_assert_int_eq(submit(jobs, &second), STATUS_OK);
    jobs_destroy(jobs);
}
END_TEST

START_TEST(batches_form_a_chain)
{
    struct jobs *jobs = jobs_create();
    struct job job = example_job(1);
    ck_assert_int_eq(submit(jobs, &job), STATUS_OK);
    struct job_batch batch = chain_batch(1);
    ck_assert_int_eq(record_batch(jobs, &batch, 2, 0, 1), STATUS_OK);
    ck_assert_int_eq(record_batch(jobs, &batch, 2, 0, 1), STATUS_CONFLICT); // Number 1 again.
    batch = chain_batch(3);
    ck_assert_int_eq(record_batch(jobs, &batch, 2, 1, 9), STATUS_CONFLICT); // A gap.
    batch = chain_batch(2);
    ck_assert_int_eq(record_batch(jobs, &batch, 2, 0, 1), STATUS_CONFLICT); // Too far ahead.
    batch.offsets[0].from = 9;
    ck_assert_int_eq(record_batch(jobs, &batch, 2, 1, 1), STATUS_CONFLICT); // Not from last_to.
    batch = chain_batch(2);
    batch.timestamp_us = 1001;
    ck_assert_int_eq(record_batch(jobs, &batch, 2, 1, 1), STATUS_CONFLICT); // No room for ts - 1.
    batch = chain_batch(2);
    ck_assert_int_eq(record_batch(jobs, &batch, 1, 1, 1), STATUS_CONFLICT); // Another source count.
    ck_assert_int_eq(record_batch(jobs, &batch, 2, 2, 1), STATUS_CONFLICT); // Done before recorded.
    const struct job *known = jobs_find(jobs, uuid_of(1));
    ck_assert_uint_eq(known->last_batch, 1);
    ck_assert_uint_eq(known->done_through, 0);
    ck_assert_int_eq(record_batch(jobs, &batch, 2, 1, 1), STATUS_OK);
    ck_assert_uint_eq(known->last_batch, 2);
    ck_assert_uint_eq(known->last_to[0], 20);
    ck_assert_uint_eq(known->done_through, 1);
    ck_assert_uint_eq(known->grand_total, 10);
    ck_assert_uint_eq(known->batch_count, 1);
    ck_assert_uint_eq(known->batches[0].number, 2);
    jobs_destroy(jobs);
}
END_TEST

START_TEST(the_frontier_only_grows_and_an_end_needs_all_done)
{
    struct jobs *jobs = jobs_create();
    struct job job = example_job(1);
    ck_assert_int_eq(submit(jobs, &job), STATUS_OK);
    for (uint64_t n = 1; n <= 5; n++) {
        struct job_batch batch = chain_batch(n);
        ck_assert_int_eq(record_batch(jobs, &batch, 2, 0, 5), STATUS_OK);
    }
    const struct job *known = jobs_find(jobs, uuid_of(1));
    ck_assert_uint_eq(known->batch_count, 5);
    ck_assert_int_eq(record_done(jobs, 3, JOB_OPEN), STATUS_OK);
    ck_assert_uint_eq(known->batch_count, 2);
    ck_assert_int_eq(record_done(jobs, 1, JOB_OPEN), STATUS_OK);
    ck_assert_uint_eq(known->done_through, 3);
    ck_assert_uint_eq(known->grand_total, 30);
    ck_assert_int_eq(record_done(jobs, 6, JOB_OPEN), STATUS_CONFLICT);
    ck_assert_int_eq(record_done(jobs, 4, JOB_FINISHED), STATUS_CONFLICT);
    ck_assert_int_eq(record_done(jobs, 5, JOB_FINISHED), STATUS_OK);
    ck_assert_int_eq(known->state, JOB_FINISHED);
    struct job_batch batch = chain_batch(6);
    ck_assert_int_eq(record_batch(jobs, &batch, 2, 5, 1), STATUS_CONFLICT);
    jobs_destroy(jobs);
}
END_TEST

// A record may say so; nobody has seen its batches.
START_TEST(a_job_that_begins_amid_its_batches_has_none_to_forget)
{
    struct jobs *jobs = jobs_create();
    struct job job = example_job(1);
    job.last_batch = 3;
    ck_assert_int_eq(submit(jobs, &job), STATUS_OK);
    ck_assert_int_eq(record_done(jobs, 2, JOB_OPEN), STATUS_OK);
    const struct job *known = jobs_find(jobs, uuid_of(1));
    ck_assert_uint_eq(known->done_through, 2);
    ck_assert_uint_eq(known->batch_count, 0);
    jobs_destroy(jobs);
}
END_TEST

START_TEST(the_whole_state_survives_a_round_trip)
{
    struct jobs *jobs = jobs_create();
    struct job ended = example_job(8), first = example_job(1), second = example_job(9);
    strcpy(first.name, "other");
    ended.state = JOB_FINISHED;
    ck_assert_int_eq(submit(jobs, &ended), STATUS_OK);
    ck_assert_int_eq(submit(jobs, &first), STATUS_OK);
    ck_assert_int_eq(submit(jobs, &second), STATUS_OK);
    for (uint64_t n = 1; n <= 3; n++) {
        struct job_batch batch = chain_batch(n);
        ck_assert_int_eq(record_batch(jobs, &batch, 2, n - 1, 2), STATUS_OK);
    }
    struct buffer state, again;
    buffer_init(&state, 1 << 20);
    buffer_init(&again, 1 << 20);
    jobs_put_all(&state, jobs);
    struct jobs *restored = jobs_create();
    struct cursor cursor = cursor_make(buffer_slice(&state));
    ck_assert_int_eq(jobs_get_all(restored, &cursor, NULL), STATUS_OK);
    jobs_put_all(&again, restored);
    ck_assert(slice_equals(buffer_slice(&state), buffer_slice(&again)));
    ck_assert_ptr_eq(jobs_find_by_name(restored, "tags"), jobs_at(restored, 2)); // The newest.
    ck_assert_ptr_null(jobs_find_by_name(restored, ""));
    // Cut anywhere, it is refused and never read past its end.
    for (size_t size = 0; size < state.size; size++) {
        struct jobs *part = jobs_create();
        cursor = cursor_make(slice_make(state.data, size));
        ck_assert_int_eq(jobs_get_all(part, &cursor, NULL), STATUS_CORRUPT);
        jobs_destroy(part);
    }
    buffer_deinit(&state);
    buffer_deinit(&again);
    jobs_destroy(restored);
    jobs_destroy(jobs);
}
END_TEST

START_TEST(each_counter_of_a_table_may_have_a_writer_of_its_own)
{
    struct jobs *jobs = jobs_create();
    struct uuid table = uuid_of(40);
    const char *const columns[] = {"n", "m"};
    for (uint8_t i = 0; i < 2; i++) {
        struct job job = example_job((uint8_t)(i + 1));
        strcpy(job.name, columns[i]);
        job.output_count = 1;
        job.outputs[0] = (struct job_output){table, jobs_hash_column(slice_of_text(columns[i]))};
        ck_assert_int_eq(submit(jobs, &job), STATUS_OK);
    }
    for (uint8_t i = 0; i < 2; i++)
        ck_assert_ptr_eq(jobs_find_column_writer(jobs, table, slice_of_text(columns[i])),
                         jobs_find(jobs, uuid_of((uint8_t)(i + 1))));
    ck_assert_ptr_null(jobs_find_column_writer(jobs, table, slice_of_text("o")));
    ck_assert_ptr_null(jobs_find_column_writer(jobs, uuid_of(41), slice_of_text("n")));
    ck_assert_int_eq(record_done(jobs, 0, JOB_FINISHED), STATUS_OK);
    ck_assert_ptr_null(jobs_find_column_writer(jobs, table, slice_of_text("n")));
    jobs_destroy(jobs);
}
END_TEST

START_TEST(a_table_has_its_writer_while_the_job_is_open)
{
    const enum job_state ends[] = {JOB_FINISHED, JOB_SEALED, JOB_BROKEN};
    struct jobs *jobs = jobs_create();
    struct uuid table = uuid_of(40), other = uuid_of(41);
    ck_assert_ptr_null(jobs_find_writer(jobs, table));
    struct job job = example_job(1);
    job.output_count = 2;
    job.outputs[0] = (struct job_output){uuid_of(42), 5};
    job.outputs[1] = (struct job_output){table, jobs_hash_column(slice_of_text("n"))};
    ck_assert_int_eq(submit(jobs, &job), STATUS_OK);
    struct job second = example_job(2);
    strcpy(second.name, "other");
    ck_assert_int_eq(submit(jobs, &second), STATUS_OK);
    ck_assert_ptr_eq(jobs_find_writer(jobs, table), jobs_find(jobs, job.id));
    ck_assert_ptr_null(jobs_find_writer(jobs, other));
    ck_assert(jobs_writes_column(jobs_find(jobs, job.id), table, slice_of_text("n")));
    ck_assert(!jobs_writes_column(jobs_find(jobs, job.id), table, slice_of_text("m")));
    ck_assert(!jobs_writes_column(jobs_find(jobs, job.id), other, slice_of_text("n")));
    // It is known after a restart too.
    struct buffer state;
    buffer_init(&state, 1 << 20);
    jobs_put_all(&state, jobs);
    struct jobs *restored = jobs_create();
    struct cursor cursor = cursor_make(buffer_slice(&state));
    ck_assert_int_eq(jobs_get_all(restored, &cursor, NULL), STATUS_OK);
    ck_assert_ptr_eq(jobs_find_writer(restored, table), jobs_find(restored, job.id));
    ck_assert_int_eq(record_done(restored, 0, JOB_OPEN), STATUS_OK);
    ck_assert_ptr_nonnull(jobs_find_writer(restored, table));
    ck_assert_int_eq(record_done(restored, 0, ends[_i]), STATUS_OK);
    ck_assert_ptr_null(jobs_find_writer(restored, table));
    ck_assert_int_eq(record_done(restored, 0, ends[_i]), STATUS_OK); // Again.
    ck_assert_int_eq(jobs_find(restored, job.id)->state, ends[_i]);
    buffer_deinit(&state);
    jobs_destroy(restored);
    jobs_destroy(jobs);
}
END_TEST

static enum status apply_mark(struct jobs *jobs, const struct job_mark *mark)
{
    struct buffer record;
    buffer_init(&record, 4096);
    jobs_put_mark(&record, mark);
    struct cursor cursor = cursor_make(buffer_slice(&record));
    enum status status = jobs_apply_done(jobs, &cursor);
    buffer_deinit(&record);
    return status;
}

START_TEST(other_sums_of_a_batch_that_is_done_break_the_job)
{
    // The hash, or the grand total.
    static const struct {
        uint64_t total, hash;
        enum job_state state;
    } cases[] = {{10, 5, JOB_OPEN}, {10, 6, JOB_BROKEN}, {11, 5, JOB_BROKEN}, {10, 0, JOB_OPEN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct jobs *jobs = jobs_create();
        struct job job = example_job(1);
        struct job_batch batch = chain_batch(1);
        ck_assert_int_eq(submit(jobs, &job), STATUS_OK);
        ck_assert_int_eq(record_batch(jobs, &batch, 2, 0, 1), STATUS_OK);
        struct job_mark mark = {
            .job = uuid_of(1), .done_through = 1, .grand_total = 10, .sums_hash = 5};
        ck_assert_int_eq(apply_mark(jobs, &mark), STATUS_OK);
        mark.grand_total = cases[i].total;
        mark.sums_hash = cases[i].hash;
        bool holds = cases[i].state == JOB_OPEN;
        ck_assert_int_eq(apply_mark(jobs, &mark), holds ? STATUS_OK : STATUS_CONFLICT);
        ck_assert_int_eq(jobs_find(jobs, uuid_of(1))->state, cases[i].state);
        ck_assert_int_eq(jobs_find(jobs, uuid_of(1))->note[0] == 0, holds);
        batch = chain_batch(2);
        ck_assert_int_eq(record_batch(jobs, &batch, 2, 1, 1), holds ? STATUS_OK : STATUS_CONFLICT);
        jobs_destroy(jobs);
    }
}
END_TEST

static struct jobs *copy_of(const struct jobs *jobs)
{
    struct buffer state;
    struct error error;
    buffer_init(&state, 64 << 20);
    jobs_put_all(&state, jobs);
    struct cursor cursor = cursor_make(buffer_slice(&state));
    struct jobs *copy = jobs_create();
    ck_assert_int_eq(jobs_get_all(copy, &cursor, &error), STATUS_OK);
    ck_assert_uint_eq(cursor_left(&cursor), 0);
    buffer_deinit(&state);
    return copy;
}

START_TEST(a_submitted_job_has_its_script_and_halts_and_goes_on)
{
    struct jobs *jobs = jobs_create(), *copy;
    struct job job = example_job(1);
    struct job_script script = {slice_of_text("tags.lua"),
                                slice_of_text("return 1"),
                                slice_of_text("/home"),
                                slice_of_text("\003one\003two"),
                                99,
                                5};
    job.script = &script;
    ck_assert_int_eq(submit(jobs, &job), STATUS_OK);
    struct job_mark mark = {.job = uuid_of(1), .run = JOB_MARK_HALTS, .note = "it died"};
    ck_assert_int_eq(apply_mark(jobs, &mark), STATUS_OK);
    copy = copy_of(jobs);
    const struct job *found = jobs_find(copy, uuid_of(1));
    ck_assert(found->is_halted && found->state == JOB_OPEN);
    ck_assert_str_eq(found->note, "it died");
    ck_assert(slice_equals(found->script->text, script.text));
    ck_assert(slice_equals(found->script->arguments, script.arguments));
    ck_assert_uint_eq(found->script->batch_size, 99);
    mark = (struct job_mark){.job = uuid_of(1), .run = JOB_MARK_GOES_ON, .note = ""};
    ck_assert_int_eq(apply_mark(copy, &mark), STATUS_OK);
    ck_assert(!jobs_find(copy, uuid_of(1))->is_halted);
    jobs_destroy(copy);
    script.arguments = slice_of_text("\007one");
    job.id = uuid_of(2);
    job.submission_id = uuid_of(102);
    ck_assert_int_eq(submit(jobs, &job), STATUS_CONFLICT);
    jobs_destroy(jobs);
}
END_TEST

START_TEST(scripts_have_so_much_room)
{
    static uint8_t text[JOB_SCRIPT_SIZE_MAX];
    memset(text, 'x', sizeof text);
    struct jobs *jobs = jobs_create();
    struct job_script script = {slice_of_text("tags.lua"),
                                slice_make(text, sizeof text - 8),
                                slice_make("", 0),
                                slice_make("", 0),
                                0,
                                0};
    enum { FIT = JOB_SCRIPTS_SIZE_MAX / JOB_SCRIPT_SIZE_MAX };
    struct buffer record;
    buffer_init(&record, 1 << 20);
    for (int i = 0; i <= FIT; i++) {
        struct job job = example_job((uint8_t)i);
        job.name[0] = '\0';
        job.script = &script;
        buffer_clear(&record);
        jobs_put_submission(&record, &job);
        struct cursor cursor = cursor_make(buffer_slice(&record));
        ck_assert_int_eq(jobs_apply_submission(jobs, &cursor),
                         i < FIT ? STATUS_OK : STATUS_CONFLICT);
    }
    // One ends: its script goes when the room is needed.
    struct job_mark mark = {.job = uuid_of(1), .state = JOB_SEALED};
    ck_assert_int_eq(apply_mark(jobs, &mark), STATUS_OK);
    ck_assert_ptr_nonnull(jobs_find(jobs, uuid_of(1))->script);
    struct cursor cursor = cursor_make(buffer_slice(&record));
    ck_assert_int_eq(jobs_apply_submission(jobs, &cursor), STATUS_OK);
    ck_assert_ptr_null(jobs_find(jobs, uuid_of(1))->script);
    buffer_deinit(&record);
    jobs_destroy(jobs);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("jobs");
    tcase_add_test(tcase, a_submission_is_known_by_its_submission_id);
    tcase_add_test(tcase, other_sums_of_a_batch_that_is_done_break_the_job);
    tcase_add_test(tcase, a_submitted_job_has_its_script_and_halts_and_goes_on);
    tcase_add_test(tcase, scripts_have_so_much_room);
    tcase_add_test(tcase, two_that_begin_at_once_under_one_name_make_one_job);
    tcase_add_test(tcase, batches_form_a_chain);
    tcase_add_test(tcase, the_frontier_only_grows_and_an_end_needs_all_done);
    tcase_add_test(tcase, a_job_that_begins_amid_its_batches_has_none_to_forget);
    tcase_add_test(tcase, the_whole_state_survives_a_round_trip);
    tcase_add_test(tcase, each_counter_of_a_table_may_have_a_writer_of_its_own);
    tcase_add_loop_test(tcase, a_table_has_its_writer_while_the_job_is_open, 0, 3);
    Suite *suite = suite_create("jobs");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
