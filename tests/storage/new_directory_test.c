// What is left of a directory after a power loss that takes every name which is not synced.
#include "storage/new_directory.h"

#include "base/env_sim.h"

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

static void begin(struct fixture *fixture)
{
    struct sim_options options = {.seed = 1};
    options.chances[SIM_FAULT_LOST_NAME] = 1;
    fixture->world = sim_world_create(&options);
    fixture->machine = sim_machine_create(fixture->world, "machine");
    fixture->env = sim_process_start(fixture->machine, "process", died, fixture);
}

static void lose_power(struct fixture *fixture)
{
    sim_machine_crash(fixture->machine);
    while (fixture->env != NULL)
        ck_assert(sim_world_step(fixture->world));
    fixture->env = sim_process_start(fixture->machine, "process", died, fixture);
}

static void end(struct fixture *fixture)
{
    sim_process_destroy(fixture->env);
    sim_world_destroy(fixture->world);
}

static bool exists(const struct fixture *fixture, const char *path)
{
    bool found = false, is_dir = false;
    ck_assert_int_eq(env_path_exists(fixture->env, path, &found, &is_dir, NULL), STATUS_OK);
    return found && is_dir;
}

START_TEST(a_durable_one_survives_a_power_loss_and_another_may_not)
{
    struct fixture fixture;
    begin(&fixture);
    ck_assert_int_eq(new_directory_make_durable(fixture.env, "/a", NULL), STATUS_OK);
    ck_assert_int_eq(new_directory_make_durable(fixture.env, "/a/b", NULL), STATUS_OK);
    ck_assert_int_eq(new_directory_make(fixture.env, "/a/c", NULL), STATUS_OK);
    ck_assert(exists(&fixture, "/a/c"));
    lose_power(&fixture);
    ck_assert(exists(&fixture, "/a") && exists(&fixture, "/a/b"));
    ck_assert(!exists(&fixture, "/a/c"));
    end(&fixture);
}
END_TEST

START_TEST(one_that_was_there_becomes_durable_too)
{
    struct fixture fixture;
    begin(&fixture);
    ck_assert_int_eq(new_directory_make(fixture.env, "/a", NULL), STATUS_OK);
    ck_assert_int_eq(new_directory_make(fixture.env, "/a", NULL), STATUS_OK);
    ck_assert_int_eq(new_directory_make_durable(fixture.env, "/a", NULL), STATUS_OK);
    ck_assert_int_eq(new_directory_make(fixture.env, "/a/b", NULL), STATUS_OK);
    ck_assert_int_eq(new_directory_keep(fixture.env, "/a/b", NULL), STATUS_OK);
    lose_power(&fixture);
    ck_assert(exists(&fixture, "/a/b"));
    end(&fixture);
}
END_TEST

START_TEST(what_can_not_be_made_is_said)
{
    struct fixture fixture;
    begin(&fixture);
    struct error error;
    ck_assert_int_eq(new_directory_make(fixture.env, "/none/b", &error), STATUS_NOT_FOUND);
    ck_assert_int_eq(new_directory_make_durable(fixture.env, "/none/b", &error), STATUS_NOT_FOUND);
    char path[5000];
    memset(path, 'a', sizeof path);
    path[0] = '/';
    path[sizeof path - 3] = '/';
    path[sizeof path - 1] = '\0';
    ck_assert_int_eq(new_directory_keep(fixture.env, path, &error), STATUS_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "too long"));
    end(&fixture);
}
END_TEST

int main(void)
{
    TCase *made = tcase_create("new_directory");
    tcase_add_test(made, a_durable_one_survives_a_power_loss_and_another_may_not);
    tcase_add_test(made, one_that_was_there_becomes_durable_too);
    tcase_add_test(made, what_can_not_be_made_is_said);

    Suite *suite = suite_create("new_directory");
    suite_add_tcase(suite, made);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
