// A recovery that meets a power loss, after one that a removal met: never is there a Data.db whose
// other components are gone.
#include "base/env_sim.h"
#include "storage/sstable/sstable.h"

#include <check.h>
#include <stdlib.h>

enum { SEEDS = 64 };
#define DIRECTORY "/table"

static const char *const files[] = {
    DIRECTORY "/nb-1-big-Data.db", DIRECTORY "/nb-1-big-Digest.crc32",
    DIRECTORY "/nb-1-big-Index.db", DIRECTORY "/nb-1-big-Statistics.db"};
enum { FILES = sizeof files / sizeof *files };

static void died(void *context, struct env *env)
{
    struct env **process = context;
    sim_process_destroy(env);
    *process = NULL;
}

static void lose_power(struct sim_world *world, struct sim_machine *machine, struct env **env)
{
    sim_machine_crash(machine);
    while (*env != NULL)
        ck_assert(sim_world_step(world));
    *env = sim_process_start(machine, "process", died, env);
}

static void make_files(struct env *env)
{
    ck_assert_int_eq(env_make_dir(env, DIRECTORY, NULL), STATUS_OK);
    for (size_t i = 0; i < FILES; i++) {
        struct env_file *file;
        ck_assert_int_eq(
            env_file_open(env, files[i], ENV_OPEN_WRITE | ENV_OPEN_CREATE, &file, NULL), STATUS_OK);
        ck_assert_int_eq(env_file_write(file, 0, "x", 1, NULL), STATUS_OK);
        ck_assert_int_eq(env_file_sync(file, NULL), STATUS_OK);
        env_file_close(file);
    }
    ck_assert_int_eq(env_sync_dir(env, DIRECTORY, NULL), STATUS_OK);
    ck_assert_int_eq(env_sync_dir(env, "/", NULL), STATUS_OK);
}

static bool is_there(struct env *env, const char *path)
{
    struct env_file *file;
    if (env_file_open(env, path, ENV_OPEN_READ, &file, NULL) != STATUS_OK) return false;
    env_file_close(file);
    return true;
}

static void recover(struct env *env)
{
    struct sstable_listing listing;
    ck_assert_int_eq(sstable_recover_directory(env, DIRECTORY, &listing, NULL), STATUS_OK);
    free(listing.generations);
}

START_TEST(a_data_file_that_comes_back_finds_its_components)
{
    struct sim_options options = {.seed = (uint64_t)_i};
    struct sim_world *world = sim_world_create(&options);
    struct sim_machine *machine = sim_machine_create(world, "machine");
    struct env *env = sim_process_start(machine, "process", died, &env);
    make_files(env);
    sim_world_set_chance(world, SIM_FAULT_LOST_NAME, 0.5);
    // Whoever removed it could not sync the directory, and is gone; the machine goes on.
    ck_assert_int_eq(env_remove(env, files[0], NULL), STATUS_OK);
    recover(env);
    for (size_t i = 0; i < FILES; i++)
        ck_assert_msg(!is_there(env, files[i]), "%s is left", files[i]);
    lose_power(world, machine, &env);
    for (size_t i = 1; i < FILES && is_there(env, files[0]); i++)
        ck_assert_msg(is_there(env, files[i]), "%s is gone, its Data.db is not", files[i]);
    recover(env);
    sim_process_destroy(env);
    sim_world_destroy(world);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("recovery");
    tcase_add_loop_test(tests, a_data_file_that_comes_back_finds_its_components, 0, SEEDS);
    Suite *suite = suite_create("recovery_sync");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
