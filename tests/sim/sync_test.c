// Syncs that the worlds of the simulator do not need yet, each with what its absence would break.
#include "base/env_sim.h"
#include "storage/engine/counter_id.h"
#include "stream/job/intake_copy.h"
#include "stream/source/intake.h"

#include <check.h>
#include <string.h>

struct fixture {
    struct sim_world *world;
    struct sim_machine *machine;
    struct env *env;
};

static void died(void *context, struct env *env)
{
    struct fixture *fixture = context;
    sim_process_destroy(env);
    fixture->env = NULL;
}

static void start(struct fixture *fixture)
{
    fixture->env = sim_process_start(fixture->machine, "process", died, fixture);
}

// Every page and name that is not synced is lost at a power loss.
static void begin(struct fixture *fixture, uint64_t seed)
{
    struct sim_options options = {.seed = seed};
    options.chances[SIM_FAULT_LOST_PAGE] = 1;
    options.chances[SIM_FAULT_LOST_NAME] = 1;
    fixture->world = sim_world_create(&options);
    fixture->machine = sim_machine_create(fixture->world, "machine");
    start(fixture);
    ck_assert_int_eq(env_make_dir(fixture->env, "/d", NULL), STATUS_OK);
    ck_assert_int_eq(env_sync_dir(fixture->env, "/", NULL), STATUS_OK);
}

static void lose_power(struct fixture *fixture)
{
    sim_machine_crash(fixture->machine);
    while (fixture->env != NULL)
        ck_assert(sim_world_step(fixture->world));
    start(fixture);
}

static void end(struct fixture *fixture)
{
    sim_process_destroy(fixture->env);
    sim_world_destroy(fixture->world);
}

// A node that has begun to count under an id may have told other nodes of its shards before they
// were in its log. The mark of the clean stop must not come back then, or it would take the same id
// and give the same clocks to other counts (invariant 2).
START_TEST(the_mark_of_a_clean_stop_is_gone_for_good_before_the_id_is_used_again)
{
    struct fixture fixture;
    begin(&fixture, 1);
    struct counter_id first, second, third;
    ck_assert_int_eq(counter_id_take(fixture.env, "/d", 10, &first, NULL), STATUS_OK);
    ck_assert_int_eq(counter_id_leave(fixture.env, "/d", 10, &first, NULL), STATUS_OK);
    ck_assert_int_eq(counter_id_take(fixture.env, "/d", 10, &second, NULL), STATUS_OK);
    ck_assert_mem_eq(&first.id, &second.id, sizeof first.id);
    lose_power(&fixture);
    ck_assert_int_eq(counter_id_take(fixture.env, "/d", 10, &third, NULL), STATUS_OK);
    ck_assert_mem_ne(&third.id, &second.id, sizeof third.id);
    end(&fixture);
}
END_TEST

static void wait_for_death(struct fixture *fixture)
{
    while (fixture->env != NULL)
        ck_assert(sim_world_step(fixture->world));
    start(fixture);
}

// A run that was killed may have noted its id and not synced that, and the next one needs to note
// nothing. The names of the store's directories become durable all the same.
START_TEST(names_beside_the_counter_id_are_durable_when_it_is_taken)
{
    for (uint64_t kills = 0; kills < 3; kills++) {
        struct fixture fixture;
        struct counter_id id;
        bool exists = false;
        begin(&fixture, 1);
        ck_assert_int_eq(env_make_dir(fixture.env, "/d/data", NULL), STATUS_OK);
        for (uint64_t i = 0; i < kills; i++) {
            sim_process_crash_at_sync_dir(fixture.env, 1, false);
            ck_assert_int_ne(counter_id_take(fixture.env, "/d", 10, &id, NULL), STATUS_OK);
            wait_for_death(&fixture);
        }
        ck_assert_int_eq(counter_id_take(fixture.env, "/d", 10, &id, NULL), STATUS_OK);
        lose_power(&fixture);
        ck_assert_int_eq(env_path_exists(fixture.env, "/d/data", &exists, NULL, NULL), STATUS_OK);
        ck_assert(exists);
        end(&fixture);
    }
}
END_TEST

static void number(char line[], int n)
{
    line[5] = (char)('0' + n / 10);
    line[6] = (char)('0' + n % 10);
}

START_TEST(what_the_intake_has_taken_survives_a_power_loss)
{
    struct fixture fixture;
    begin(&fixture, 1);
    const struct uuid job = {{1, 2, 3}};
    struct intake *intake;
    char line[] = "line 00\n", found[sizeof line];
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(intake_open(fixture.env, "/d", job, 0, 0, &intake, NULL), STATUS_OK);
        ck_assert_uint_eq(intake_size(intake), (uint64_t)i * (sizeof line - 1));
        for (int j = 0; j < i; j++) {
            size_t size;
            number(line, j);
            ck_assert_int_eq(intake_read(intake, (uint64_t)j * (sizeof line - 1), found,
                                         sizeof line - 1, &size, NULL),
                             STATUS_OK);
            ck_assert_uint_eq(size, sizeof line - 1);
            ck_assert_mem_eq(found, line, sizeof line - 1);
        }
        number(line, i);
        ck_assert_int_eq(intake_append(intake, slice_make(line, sizeof line - 1), NULL), STATUS_OK);
        intake_close(intake);
        lose_power(&fixture);
    }
    end(&fixture);
}
END_TEST

// A run that was killed had written and not synced; the next one takes those bytes up, and a batch
// may name them as soon as they are shown.
START_TEST(what_an_intake_shows_when_opened_survives_a_power_loss)
{
    struct fixture fixture;
    begin(&fixture, 1);
    const struct uuid job = {{1, 2, 3}};
    char path[128] = "/d/", found[8];
    uuid_format(job, path + 3);
    strcat(path, "-000000");
    struct env_file *file;
    unsigned flags = ENV_OPEN_WRITE | ENV_OPEN_CREATE;
    ck_assert_int_eq(env_file_open(fixture.env, path, flags, &file, NULL), STATUS_OK);
    ck_assert_int_eq(env_file_write(file, 0, "lef\n", 4, NULL), STATUS_OK);
    env_file_close(file);
    struct intake *intake;
    ck_assert_int_eq(intake_open(fixture.env, "/d", job, 0, 0, &intake, NULL), STATUS_OK);
    ck_assert_uint_eq(intake_size(intake), 4);
    intake_close(intake);
    lose_power(&fixture);
    ck_assert_int_eq(intake_open(fixture.env, "/d", job, 0, 0, &intake, NULL), STATUS_OK);
    ck_assert_uint_eq(intake_size(intake), 4);
    size_t size;
    ck_assert_int_eq(intake_read(intake, 0, found, 4, &size, NULL), STATUS_OK);
    ck_assert_mem_eq(found, "lef\n", 4);
    intake_close(intake);
    end(&fixture);
}
END_TEST

START_TEST(a_spool_directory_that_was_made_survives_a_power_loss)
{
    struct fixture fixture;
    begin(&fixture, 1);
    const struct uuid job = {{1, 2, 3}};
    struct intake *intake;
    ck_assert_int_eq(intake_open(fixture.env, "/d/spool", job, 0, 0, &intake, NULL), STATUS_OK);
    ck_assert_int_eq(intake_append(intake, slice_make("kep\n", 4), NULL), STATUS_OK);
    intake_close(intake);
    lose_power(&fixture);
    ck_assert_int_eq(intake_open(fixture.env, "/d/spool", job, 0, 0, &intake, NULL), STATUS_OK);
    ck_assert_uint_eq(intake_size(intake), 4);
    intake_close(intake);
    end(&fixture);
}
END_TEST

static uint64_t size_of_intake(struct fixture *fixture, const char *directory, char bytes[64])
{
    const struct uuid job = {{1, 2, 3}};
    struct intake *intake;
    size_t size;
    ck_assert_int_eq(intake_open(fixture->env, directory, job, 0, 0, &intake, NULL), STATUS_OK);
    uint64_t all = intake_size(intake);
    ck_assert_uint_le(all, 64);
    ck_assert_int_eq(intake_read(intake, 0, bytes, (size_t)all, &size, NULL), STATUS_OK);
    ck_assert_uint_eq(size, all);
    intake_close(intake);
    return all;
}

// A batch may name whatever an intake shows. So that must be durable, also when the run before was
// killed between its write and its sync, or was told that a sync had failed.
START_TEST(what_an_intake_shows_when_it_is_opened_survives_a_power_loss)
{
    const struct uuid job = {{1, 2, 3}};
    for (int step = 1; step < 9; step++) {
        struct fixture fixture;
        struct intake *intake;
        char before[64], after[64];
        begin(&fixture, 1);
        sim_process_crash_at(fixture.env, (uint64_t)step % 8, false);
        if (intake_open(fixture.env, "/d/spool", job, 0, 0, &intake, NULL) == STATUS_OK) {
            enum status status = intake_append(intake, slice_of_text("one\n"), NULL);
            if (step == 8) sim_world_set_chance(fixture.world, SIM_FAULT_SYNC_ERROR, 1);
            if (status == STATUS_OK) status = intake_append(intake, slice_of_text("two\n"), NULL);
            ck_assert_int_ne(status, step == 8 ? STATUS_OK : STATUS_END);
            sim_world_set_chance(fixture.world, SIM_FAULT_SYNC_ERROR, 0);
            intake_close(intake);
        }
        if (sim_process_is_alive(fixture.env)) sim_process_crash(fixture.env);
        while (fixture.env != NULL)
            ck_assert(sim_world_step(fixture.world));
        start(&fixture);
        uint64_t size = size_of_intake(&fixture, "/d/spool", before);
        lose_power(&fixture);
        ck_assert_uint_eq(size_of_intake(&fixture, "/d/spool", after), size);
        ck_assert_mem_eq(before, after, (size_t)size);
        end(&fixture);
    }
}
END_TEST

// A copy that was killed before its sync, of a name or of bytes, shows what it had when it comes
// back: whoever is told of that counts on it.
START_TEST(what_a_copy_of_an_intake_shows_when_it_is_loaded_survives_a_power_loss)
{
    const struct uuid job = {{1, 2, 3}};
    struct intake_copy *copy = NULL;
    size_t seen = 0;
    for (int step = 1; step < 16; step++) {
        struct fixture fixture;
        begin(&fixture, 1);
        sim_process_crash_at(fixture.env, (uint64_t)step, false);
        enum status status = intake_copy_load(fixture.env, "/d/intake", job, 0, &copy, NULL);
        if (status == STATUS_OK) status = intake_copy_open(copy, 7, NULL);
        if (status == STATUS_OK)
            status = intake_copy_append(copy, 7, 0, 0, slice_of_text("block"), NULL);
        bool is_done = status == STATUS_OK && sim_process_is_alive(fixture.env);
        intake_copy_close(copy);
        if (is_done) sim_process_crash(fixture.env);
        wait_for_death(&fixture);
        copy = NULL;
        status = intake_copy_load(fixture.env, "/d/intake", job, 0, &copy, NULL);
        ck_assert_int_eq(status, STATUS_OK);
        struct intake_copy_state before = intake_copy_state(copy);
        intake_copy_close(copy);
        lose_power(&fixture);
        status = intake_copy_load(fixture.env, "/d/intake", job, 0, &copy, NULL);
        ck_assert_int_eq(status, STATUS_OK);
        ck_assert_uint_eq(intake_copy_state(copy).promised, before.promised);
        ck_assert_uint_eq(intake_copy_state(copy).end, before.end);
        seen += !is_done && before.end > 0;
        intake_copy_close(copy);
        copy = NULL;
        end(&fixture);
    }
    ck_assert_uint_gt(seen, 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("sync");
    tcase_add_test(tests, the_mark_of_a_clean_stop_is_gone_for_good_before_the_id_is_used_again);
    tcase_add_test(tests, names_beside_the_counter_id_are_durable_when_it_is_taken);
    tcase_add_test(tests, what_the_intake_has_taken_survives_a_power_loss);
    tcase_add_test(tests, what_a_copy_of_an_intake_shows_when_it_is_loaded_survives_a_power_loss);
    tcase_add_test(tests, what_an_intake_shows_when_it_is_opened_survives_a_power_loss);
    tcase_add_test(tests, what_an_intake_shows_when_opened_survives_a_power_loss);
    tcase_add_test(tests, a_spool_directory_that_was_made_survives_a_power_loss);

    Suite *suite = suite_create("sync");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
