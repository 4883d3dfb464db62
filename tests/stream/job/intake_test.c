// One copy of an input that nobody can read twice: what it has said to have is there after any
// crash, torn and damaged blocks are not, and no worker but the last writes.
#include "base/env_sim.h"
#include "stream/job/intake_copy.h"
#include "stream/job/intake_ring.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EPOCH = 7, BLOCK_SIZE = 100, MANY = 6 };

static struct sim_world *world;
static struct sim_machine *machine;
static struct env *env;
static struct intake_copy *copy;
static struct error error;
static const struct uuid job = {{1, 2, 3}};

static void died(void *context, struct env *dead)
{
    (void)context;
    intake_copy_close(copy);
    copy = NULL;
    env = NULL;
    sim_process_destroy(dead);
}

static void start(void)
{
    env = sim_process_start(machine, "process", died, NULL);
}

static void begin(uint64_t seed)
{
    struct sim_options options = {.seed = seed};
    options.chances[SIM_FAULT_LOST_PAGE] = 1;
    options.chances[SIM_FAULT_LOST_NAME] = 1;
    world = sim_world_create(&options);
    machine = sim_machine_create(world, "machine");
    start();
    ck_assert_int_eq(env_make_dir(env, "/d", NULL), STATUS_OK);
    ck_assert_int_eq(env_sync_dir(env, "/", NULL), STATUS_OK);
}

static void end(void)
{
    intake_copy_close(copy);
    copy = NULL;
    sim_process_destroy(env);
    sim_world_destroy(world);
}

static void lose_power(void)
{
    sim_machine_crash(machine);
    while (env != NULL)
        ck_assert(sim_world_step(world));
    start();
}

static enum status load(void)
{
    intake_copy_close(copy);
    copy = NULL;
    return intake_copy_load(env, "/d/intake", job, 0, &copy, &error);
}

static struct slice block(uint64_t number)
{
    static char bytes[BLOCK_SIZE + 1];
    (void)snprintf(bytes, sizeof bytes, "%0*d", BLOCK_SIZE, (int)number);
    return slice_make(bytes, BLOCK_SIZE);
}

static enum status append(uint64_t epoch, uint64_t number)
{
    return intake_copy_append(copy, epoch, number * BLOCK_SIZE, number * BLOCK_SIZE, block(number),
                              &error);
}

static void assert_has(uint64_t epoch, uint64_t number)
{
    struct buffer bytes;
    buffer_init(&bytes, MIB);
    ck_assert_int_eq(
        intake_copy_read(copy, epoch, number * BLOCK_SIZE + 9, BLOCK_SIZE - 10, &bytes, &error),
        STATUS_OK);
    ck_assert_uint_eq(bytes.size, BLOCK_SIZE - 10);
    ck_assert_mem_eq(bytes.data, block(number).data + 9, bytes.size);
    buffer_deinit(&bytes);
}

static void open_epoch(uint64_t epoch)
{
    ck_assert_int_eq(intake_copy_open(copy, epoch, &error), STATUS_OK);
    ck_assert_int_eq(intake_copy_adopt(copy, epoch, 0, &error), STATUS_OK);
}

START_TEST(what_it_takes_is_there_after_a_power_loss)
{
    begin(1);
    ck_assert_int_eq(load(), STATUS_OK);
    open_epoch(EPOCH);
    for (uint64_t i = 0; i < MANY; i++) {
        ck_assert_int_eq(append(EPOCH, i), STATUS_OK);
        lose_power();
        ck_assert_int_eq(load(), STATUS_OK);
        ck_assert_uint_eq(intake_copy_state(copy).end, (i + 1) * BLOCK_SIZE);
        ck_assert_uint_eq(intake_copy_state(copy).adopted, EPOCH);
        for (uint64_t j = 0; j <= i; j++)
            assert_has(EPOCH, j);
    }
    end();
}
END_TEST

START_TEST(a_block_that_comes_again_counts_once_and_a_gap_is_refused)
{
    begin(1);
    ck_assert_int_eq(load(), STATUS_OK);
    ck_assert_int_eq(append(EPOCH, 0), STATUS_NOT_FOUND); // Not opened.
    open_epoch(EPOCH);
    ck_assert_int_eq(append(EPOCH, 0), STATUS_OK);
    ck_assert_int_eq(append(EPOCH, 0), STATUS_OK);
    ck_assert_int_eq(append(EPOCH, 2), STATUS_NOT_FOUND);
    ck_assert_int_eq(append(EPOCH, 1), STATUS_OK);
    ck_assert_int_eq(append(EPOCH, 0), STATUS_OK);
    ck_assert_uint_eq(intake_copy_state(copy).end, 2 * BLOCK_SIZE);
    // The same place, other bytes.
    ck_assert_int_eq(intake_copy_append(copy, EPOCH, 0, 0, block(1), &error), STATUS_INVALID);
    ck_assert_int_eq(intake_copy_append(copy, EPOCH, 2 * BLOCK_SIZE, BLOCK_SIZE, block(1), &error),
                     STATUS_INVALID);
    // Whoever was away says so: then what lies between is not here.
    ck_assert_int_eq(
        intake_copy_append(copy, EPOCH, 2 * BLOCK_SIZE, 4 * BLOCK_SIZE, block(4), &error),
        STATUS_OK);
    struct buffer bytes;
    buffer_init(&bytes, MIB);
    ck_assert_int_eq(intake_copy_read(copy, EPOCH, 3 * BLOCK_SIZE, 1, &bytes, &error),
                     STATUS_NOT_FOUND);
    buffer_deinit(&bytes);
    assert_has(EPOCH, 1);
    assert_has(EPOCH, 4);
    end();
}
END_TEST

START_TEST(the_older_worker_writes_no_more_and_what_it_had_stays_until_it_is_adopted)
{
    begin(1);
    ck_assert_int_eq(load(), STATUS_OK);
    open_epoch(EPOCH);
    ck_assert_int_eq(append(EPOCH, 0), STATUS_OK);
    ck_assert_int_eq(intake_copy_open(copy, EPOCH + 2, &error), STATUS_OK);
    ck_assert_int_eq(append(EPOCH, 1), STATUS_CONFLICT);
    ck_assert_int_eq(intake_copy_open(copy, EPOCH + 1, &error), STATUS_OK);
    ck_assert_uint_eq(intake_copy_state(copy).promised, EPOCH + 2);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(intake_copy_state(copy).adopted, EPOCH);
        ck_assert_uint_eq(intake_copy_state(copy).adopted_end, BLOCK_SIZE);
        assert_has(EPOCH, 0);
        // A copying without its end is nothing.
        ck_assert_int_eq(append(EPOCH + 2, 0), STATUS_OK);
        lose_power();
        ck_assert_int_eq(load(), STATUS_OK);
        ck_assert_uint_eq(intake_copy_state(copy).promised, EPOCH + 2);
    }
    ck_assert_int_eq(intake_copy_open(copy, EPOCH + 3, &error), STATUS_OK);
    lose_power();
    ck_assert_int_eq(load(), STATUS_OK);
    ck_assert_uint_eq(intake_copy_state(copy).end, 0);
    ck_assert_int_eq(append(EPOCH + 3, 0), STATUS_OK);
    ck_assert_int_eq(append(EPOCH + 3, 2), STATUS_NOT_FOUND); // Nothing is left out of a copying.
    ck_assert_int_eq(intake_copy_adopt(copy, EPOCH + 3, BLOCK_SIZE, &error), STATUS_OK);
    lose_power();
    ck_assert_int_eq(load(), STATUS_OK);
    ck_assert_uint_eq(intake_copy_state(copy).adopted, EPOCH + 3);
    assert_has(EPOCH + 3, 0);
    end();
}
END_TEST

static char segment_path[200];

static void take_name(void *context, const char *name, bool is_dir)
{
    (void)context, (void)is_dir;
    (void)snprintf(segment_path, sizeof segment_path, "/d/intake/%s", name);
}

// Flips a bit at `place` from the file's end.
static void damage(uint64_t place)
{
    struct env_file *file;
    uint64_t size;
    size_t taken;
    uint8_t byte;
    ck_assert_int_eq(env_list_dir(env, "/d/intake", take_name, NULL, &error), STATUS_OK);
    ck_assert_int_eq(
        env_file_open(env, segment_path, ENV_OPEN_READ | ENV_OPEN_WRITE, &file, &error), STATUS_OK);
    ck_assert_int_eq(env_file_size(file, &size, &error), STATUS_OK);
    ck_assert_int_eq(env_file_read(file, size - place, &byte, 1, &taken, &error), STATUS_OK);
    byte ^= 1;
    ck_assert_int_eq(env_file_write(file, size - place, &byte, 1, &error), STATUS_OK);
    ck_assert_int_eq(env_file_sync(file, &error), STATUS_OK);
    env_file_close(file);
}

START_TEST(a_torn_tail_is_cut_and_written_again)
{
    static const uint64_t places[] = {1, BLOCK_SIZE, BLOCK_SIZE + 1, BLOCK_SIZE + 32};
    begin(1);
    ck_assert_int_eq(load(), STATUS_OK);
    open_epoch(EPOCH);
    for (uint64_t i = 0; i < 3; i++)
        ck_assert_int_eq(append(EPOCH, i), STATUS_OK);
    damage(places[_i]);
    ck_assert_int_eq(load(), STATUS_OK);
    ck_assert_uint_eq(intake_copy_state(copy).end, 2 * BLOCK_SIZE);
    ck_assert_int_eq(append(EPOCH, 2), STATUS_OK);
    ck_assert_int_eq(append(EPOCH, 3), STATUS_OK);
    ck_assert_int_eq(load(), STATUS_OK);
    for (uint64_t i = 0; i < 4; i++)
        assert_has(EPOCH, i);
    end();
}
END_TEST

START_TEST(a_damaged_block_is_missing_and_the_others_are_not)
{
    struct buffer bytes;
    begin(1);
    ck_assert_int_eq(load(), STATUS_OK);
    open_epoch(EPOCH);
    for (uint64_t i = 0; i < 3; i++)
        ck_assert_int_eq(append(EPOCH, i), STATUS_OK);
    damage(BLOCK_SIZE + 32 + 10); // In the second one's bytes.
    buffer_init(&bytes, MIB);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(intake_copy_read(copy, EPOCH, BLOCK_SIZE, 9, &bytes, &error),
                         STATUS_NOT_FOUND);
        assert_has(EPOCH, 0);
        assert_has(EPOCH, 2);
        ck_assert_int_eq(load(), STATUS_OK);
    }
    ck_assert_uint_eq(intake_copy_state(copy).end, 3 * BLOCK_SIZE);
    buffer_deinit(&bytes);
    end();
}
END_TEST

// A crash or a power loss before any of its steps: what was told stays, in the epoch that was told.
static bool run_until_crash(uint64_t step, bool power)
{
    uint64_t stored = 0, adopted = 0, promised = 0;
    begin(step + 1);
    sim_process_crash_at(env, step, power);
    if (load() == STATUS_OK) {
        for (uint64_t epoch = 1; epoch <= 3; epoch++) {
            if (intake_copy_open(copy, epoch, &error) != STATUS_OK) break;
            promised = epoch;
            uint64_t i = 0; // All of before, then two more.
            while (i < (epoch - 1) * 2 && append(epoch, i) == STATUS_OK)
                i++;
            if (i < (epoch - 1) * 2) break;
            if (intake_copy_adopt(copy, epoch, i * BLOCK_SIZE, &error) != STATUS_OK) break;
            adopted = epoch;
            while (i < epoch * 2 && append(epoch, i) == STATUS_OK)
                stored = ++i;
            if (i < epoch * 2) break;
        }
    }
    bool was_whole = stored == 6;
    if (was_whole) { // Beyond its last step.
        end();
        return true;
    }
    while (env != NULL)
        ck_assert(sim_world_step(world));
    start();
    ck_assert_int_eq(load(), STATUS_OK);
    lose_power(); // What it shows now is durable.
    ck_assert_int_eq(load(), STATUS_OK);
    struct intake_copy_state state = intake_copy_state(copy);
    ck_assert_msg(state.promised >= promised, "step %d: a promise is gone", (int)step);
    ck_assert_msg(state.adopted >= adopted, "step %d: an adoption is gone", (int)step);
    ck_assert_msg(state.adopted_end >= stored * BLOCK_SIZE, "step %d: bytes are gone", (int)step);
    for (uint64_t i = 0; i < stored; i++)
        assert_has(state.adopted, i);
    end();
    return false;
}

START_TEST(nothing_that_was_told_is_lost_in_a_crash_at_any_step)
{
    uint64_t step = 1;
    while (!run_until_crash(step, _i == 1))
        step++;
    ck_assert_uint_gt(step, 40);
}
END_TEST

START_TEST(segments_that_are_done_go_and_a_jobs_end_takes_all)
{
    size_t size = 4 << 20;
    uint8_t *bytes = calloc(1, size);
    struct buffer read;
    begin(1);
    buffer_init(&read, size);
    ck_assert_int_eq(load(), STATUS_OK);
    open_epoch(EPOCH);
    uint64_t at = 0;
    for (int i = 0; i < 12; i++, at += size)
        ck_assert_int_eq(intake_copy_append(copy, EPOCH, at, at, slice_make(bytes, size), &error),
                         STATUS_OK);
    intake_copy_forget(copy, 5 * size); // 16 MiB each: the first one is done.
    ck_assert_int_eq(intake_copy_read(copy, EPOCH, 0, size, &read, &error), STATUS_NOT_FOUND);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(intake_copy_read(copy, EPOCH, 5 * size, size, &read, &error), STATUS_OK);
        ck_assert_uint_eq(read.size, size);
        ck_assert_int_eq(load(), STATUS_OK);
        ck_assert_uint_eq(intake_copy_state(copy).adopted, EPOCH);
        ck_assert_uint_eq(intake_copy_state(copy).end, at);
    }
    intake_copy_remove(env, "/d/intake", job);
    ck_assert_int_eq(load(), STATUS_OK);
    ck_assert_uint_eq(intake_copy_state(copy).promised, 0);
    buffer_deinit(&read);
    free(bytes);
    end();
}
END_TEST

static char last_segment[200];

static void take_last_name(void *context, const char *name, bool is_dir)
{
    (void)context, (void)is_dir;
    if (strcmp(name, last_segment) > 0)
        (void)snprintf(last_segment, sizeof last_segment, "%s", name);
}

// A process that was killed between the making of a segment and its first block.
static void empty_last_segment(void)
{
    char path[300];
    struct env_file *file;
    last_segment[0] = '\0';
    ck_assert_int_eq(env_list_dir(env, "/d/intake", take_last_name, NULL, &error), STATUS_OK);
    (void)snprintf(path, sizeof path, "/d/intake/%s", last_segment);
    ck_assert_int_eq(env_file_open(env, path, ENV_OPEN_WRITE, &file, &error), STATUS_OK);
    ck_assert_int_eq(env_file_truncate(file, 0, &error), STATUS_OK);
    ck_assert_int_eq(env_file_sync(file, &error), STATUS_OK);
    env_file_close(file);
}

// The segments before it, one of which says that the epoch is adopted, are forgotten.
START_TEST(an_adoption_outlives_a_segment_that_was_only_begun)
{
    size_t size = 8 << 20;
    uint8_t *bytes = calloc(1, size);
    struct buffer read;
    begin(1);
    buffer_init(&read, size);
    ck_assert_int_eq(load(), STATUS_OK);
    open_epoch(EPOCH);
    uint64_t at = 0;
    for (int i = 0; i < 3; i++, at += size) {
        if (i == 2) { // It is to begin the second segment, and does not come to an end.
            ck_assert_int_eq(
                intake_copy_append(copy, EPOCH, at, at, slice_make(bytes, size), &error),
                STATUS_OK);
            empty_last_segment();
            ck_assert_int_eq(load(), STATUS_OK);
            ck_assert_uint_eq(intake_copy_state(copy).end, at);
        }
        ck_assert_int_eq(intake_copy_append(copy, EPOCH, at, at, slice_make(bytes, size), &error),
                         STATUS_OK);
    }
    intake_copy_forget(copy, 2 * size);
    ck_assert_int_eq(load(), STATUS_OK);
    ck_assert_uint_eq(intake_copy_state(copy).adopted, EPOCH);
    ck_assert_uint_eq(intake_copy_state(copy).adopted_end, at);
    ck_assert_int_eq(intake_copy_open(copy, EPOCH + 1, &error), STATUS_OK); // The next worker.
    ck_assert_int_eq(intake_copy_read(copy, EPOCH, 2 * size, size, &read, &error), STATUS_OK);
    ck_assert_uint_eq(read.size, size);
    buffer_deinit(&read);
    free(bytes);
    end();
}
END_TEST

START_TEST(a_copy_takes_no_more_than_its_limit)
{
    size_t size = 8 << 20;
    uint8_t *bytes = calloc(1, size);
    enum status status = STATUS_OK;
    begin(1);
    ck_assert_int_eq(load(), STATUS_OK);
    open_epoch(EPOCH);
    uint64_t at = 0;
    for (; at < INTAKE_SIZE_MAX && status == STATUS_OK; at += size)
        status = intake_copy_append(copy, EPOCH, at, at, slice_make(bytes, size), &error);
    ck_assert_int_eq(status, STATUS_OVERLOADED);
    at -= size;
    intake_copy_forget(copy, at / 2);
    ck_assert_int_eq(intake_copy_append(copy, EPOCH, at, at, slice_make(bytes, size), &error),
                     STATUS_OK);
    free(bytes);
    end();
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("intake");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, what_it_takes_is_there_after_a_power_loss);
    tcase_add_test(tests, a_block_that_comes_again_counts_once_and_a_gap_is_refused);
    tcase_add_test(tests,
                   the_older_worker_writes_no_more_and_what_it_had_stays_until_it_is_adopted);
    tcase_add_loop_test(tests, a_torn_tail_is_cut_and_written_again, 0, 4);
    tcase_add_test(tests, a_damaged_block_is_missing_and_the_others_are_not);
    tcase_add_loop_test(tests, nothing_that_was_told_is_lost_in_a_crash_at_any_step, 0, 2);
    tcase_add_test(tests, segments_that_are_done_go_and_a_jobs_end_takes_all);
    tcase_add_test(tests, an_adoption_outlives_a_segment_that_was_only_begun);
    tcase_add_test(tests, a_copy_takes_no_more_than_its_limit);
    Suite *suite = suite_create("intake");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
