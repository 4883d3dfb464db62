// A transaction that ends by a power loss, or by the death of its process and a power loss while
// the next one recovers: what it replaces or what it added is there, whole, whichever the disk
// kept. Its commit goes well, or its sync fails, so that nobody knows what the log says.
#include "base/env_sim.h"
#include "storage/sstable/transaction_log.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum { SEEDS = 12, FAILING_SEEDS = 48, FILES = 3, OLD = 1, NEW = 10 };
#define DIRECTORY "/table"

static const enum sstable_component components[FILES] = {SSTABLE_DATA, SSTABLE_INDEX, SSTABLE_TOC};

struct fixture {
    struct sim_world *world;
    struct sim_machine *machine;
    struct env *env;
    bool is_committed, is_undone; // What its process heard.
};

static void died(void *context, struct env *env)
{
    struct fixture *fixture = context;
    sim_process_destroy(env);
    fixture->env = NULL;
}

static void restart(struct fixture *fixture, bool power)
{
    if (power)
        sim_machine_crash(fixture->machine);
    else if (sim_process_is_alive(fixture->env))
        sim_process_crash(fixture->env);
    while (fixture->env != NULL)
        ck_assert(sim_world_step(fixture->world));
    fixture->env = sim_process_start(fixture->machine, "process", died, fixture);
}

static enum status put_file(struct env *env, uint64_t generation, enum sstable_component component)
{
    char path[SSTABLE_PATH_SIZE];
    struct env_file *file;
    sstable_path(path, DIRECTORY, generation, component);
    enum status status =
        env_file_open(env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE, &file, NULL);
    if (status != STATUS_OK) return status;
    status = env_file_write(file, 0, "x", 1, NULL);
    if (status == STATUS_OK) status = env_file_sync(file, NULL);
    env_file_close(file);
    return status;
}

// Durable, as a writer leaves it.
static enum status put_sstable(struct env *env, uint64_t generation)
{
    enum status status = STATUS_OK;
    for (int i = 0; i < FILES && status == STATUS_OK; i++)
        status = put_file(env, generation, components[i]);
    return status == STATUS_OK ? env_sync_dir(env, DIRECTORY, NULL) : status;
}

static void begin(struct fixture *fixture, uint64_t seed)
{
    struct sim_options options = {.seed = seed};
    options.chances[SIM_FAULT_LOST_PAGE] = 0.5;
    options.chances[SIM_FAULT_LOST_NAME] = 0.5;
    options.chances[SIM_FAULT_TORN_PAGE] = 0.3;
    options.chances[SIM_FAULT_SIZE_BEFORE_DATA] = 0.3;
    *fixture = (struct fixture){.world = sim_world_create(&options)};
    fixture->machine = sim_machine_create(fixture->world, "machine");
    fixture->env = sim_process_start(fixture->machine, "process", died, fixture);
    ck_assert_int_eq(env_make_dir(fixture->env, DIRECTORY, NULL), STATUS_OK);
    ck_assert_int_eq(put_sstable(fixture->env, OLD), STATUS_OK);
    sim_machine_sync(fixture->machine);
}

static void end(struct fixture *fixture)
{
    sim_process_destroy(fixture->env);
    sim_world_destroy(fixture->world);
}

// It may be killed anywhere in here.
static void replace(struct fixture *fixture, bool commit_fails)
{
    struct transaction_log log;
    struct env *env = fixture->env;
    const struct sstable_name old = sstable_name_of(SSTABLE_NB, OLD);
    if (transaction_log_begin(&log, env, DIRECTORY, TRANSACTION_COMPACTION, NULL) != STATUS_OK)
        return;
    enum status status = transaction_log_add(&log, NEW, FILES, NULL);
    if (status == STATUS_OK) status = put_sstable(env, NEW);
    if (status == STATUS_OK) status = transaction_log_remove(&log, &old, NULL);
    sim_world_set_chance(fixture->world, SIM_FAULT_SYNC_ERROR, commit_fails ? 1 : 0);
    if (status == STATUS_OK) status = transaction_log_commit(&log, NULL);
    sim_world_set_chance(fixture->world, SIM_FAULT_SYNC_ERROR, 0);
    bool is_undecided;
    if (status != STATUS_OK) {
        fixture->is_undone = transaction_log_undo(&log, &is_undecided, NULL) == STATUS_OK;
        return;
    }
    fixture->is_committed = true;
    (void)!transaction_log_finish(&log, NULL);
}

static void recover(struct env *env)
{
    struct sstable_listing listing;
    if (sstable_recover_directory(env, DIRECTORY, &listing, NULL) == STATUS_OK)
        free(listing.generations);
}

// All its files, or none.
static bool has_sstable(struct env *env, uint64_t generation, const char *when)
{
    int count = 0;
    for (int i = 0; i < FILES; i++) {
        char path[SSTABLE_PATH_SIZE];
        struct env_file *file;
        sstable_path(path, DIRECTORY, generation, components[i]);
        if (env_file_open(env, path, ENV_OPEN_READ, &file, NULL) != STATUS_OK) continue;
        uint64_t size = 0;
        ck_assert_int_eq(env_file_size(file, &size, NULL), STATUS_OK);
        env_file_close(file);
        ck_assert_msg(size == 1, "%s: %s is not what was written", when, path);
        count++;
    }
    ck_assert_msg(count == 0 || count == FILES, "%s: %d files of SSTable %d", when, count,
                  (int)generation);
    return count == FILES;
}

static void check(struct fixture *fixture, bool commit_fails, const char *when)
{
    struct sstable_listing listing;
    struct error error;
    enum status status = sstable_recover_directory(fixture->env, DIRECTORY, &listing, &error);
    ck_assert_msg(status == STATUS_OK, "%s: %s", when, error.text);
    free(listing.generations);
    bool has_old = has_sstable(fixture->env, OLD, when);
    bool has_new = has_sstable(fixture->env, NEW, when);
    ck_assert_msg(has_old || has_new, "%s: nothing is left", when);
    // A log that is withdrawn leaves both for a while: the same data twice.
    ck_assert_msg(commit_fails || !has_old || !has_new, "%s: both are left", when);
    if (fixture->is_committed) ck_assert_msg(has_new, "%s: the commit is lost", when);
    if (fixture->is_undone) ck_assert_msg(has_old, "%s: what was undone is done", when);
}

// Returns whether the recovery was killed, too.
static bool run(uint64_t seed, uint64_t step, bool power, bool commit_fails, uint64_t recovery_step,
                bool *was_killed)
{
    struct fixture fixture;
    char when[80];
    (void)snprintf(when, sizeof when, "seed %d, %s at step %d, then at %d", (int)seed,
                   power ? "power loss" : "kill", (int)step, (int)recovery_step);
    begin(&fixture, (seed * 100 + step) * 100 + recovery_step);
    sim_process_crash_at(fixture.env, step, power);
    replace(&fixture, commit_fails);
    *was_killed = !sim_process_is_alive(fixture.env);
    restart(&fixture, power);
    sim_process_crash_at(fixture.env, recovery_step, true);
    recover(fixture.env);
    bool recovery_was_killed = !sim_process_is_alive(fixture.env);
    restart(&fixture, true);
    check(&fixture, commit_fails, when);
    end(&fixture);
    return recovery_was_killed;
}

static void interrupt(uint64_t seed, bool commit_fails)
{
    for (int power = 0; power < 2; power++) {
        bool was_killed = true;
        uint64_t step = 0;
        while (was_killed) {
            uint64_t recovery_step = 1;
            step++;
            while (run(seed, step, power == 1, commit_fails, recovery_step, &was_killed))
                recovery_step++;
        }
        ck_assert_uint_gt(step, 15);
    }
}

START_TEST(what_was_or_what_is_new_survives)
{
    interrupt((uint64_t)_i, false);
}
END_TEST

START_TEST(what_was_or_what_is_new_survives_a_commit_that_fails)
{
    interrupt((uint64_t)_i, true);
}
END_TEST

// Its last record was cut short, and what it had added could not be removed.
START_TEST(a_log_that_stays_forbids_nobody_to_remove)
{
    enum { OTHER = 2 };
    struct fixture fixture;
    struct transaction_log log;
    struct sstable_listing listing;
    struct error error = {.text = ""};
    bool is_undecided;
    const struct sstable_name old = sstable_name_of(SSTABLE_NB, OLD);
    const struct sstable_name other = sstable_name_of(SSTABLE_NB, OTHER);
    begin(&fixture, (uint64_t)_i);
    struct env *env = fixture.env;
    ck_assert_int_eq(put_sstable(env, OTHER), STATUS_OK);
    ck_assert_int_eq(transaction_log_begin(&log, env, DIRECTORY, TRANSACTION_COMPACTION, NULL),
                     STATUS_OK);
    ck_assert_int_eq(transaction_log_add(&log, NEW, FILES, NULL), STATUS_OK);
    ck_assert_int_eq(put_sstable(env, NEW), STATUS_OK);
    ck_assert_int_eq(transaction_log_remove(&log, &old, NULL), STATUS_OK);
    sim_world_set_chance(fixture.world, SIM_FAULT_WRITE_ERROR, 1);
    ck_assert_int_ne(transaction_log_remove(&log, &other, NULL), STATUS_OK);
    sim_world_set_chance(fixture.world, SIM_FAULT_WRITE_ERROR, 0);
    sim_world_set_chance(fixture.world, SIM_FAULT_DIR_SYNC_ERROR, 1);
    ck_assert_int_ne(transaction_log_undo(&log, &is_undecided, NULL), STATUS_OK);
    sim_world_set_chance(fixture.world, SIM_FAULT_DIR_SYNC_ERROR, 0);
    ck_assert(!is_undecided);
    ck_assert_int_eq(sstable_remove(env, DIRECTORY, OLD, &error), STATUS_OK);
    ck_assert_msg(sstable_recover_directory(env, DIRECTORY, &listing, &error) == STATUS_OK, "%s",
                  error.text);
    ck_assert_uint_eq(listing.count, 1);
    ck_assert_uint_eq(listing.generations[0], OTHER);
    free(listing.generations);
    end(&fixture);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("transaction_log");
    tcase_add_loop_test(tests, a_log_that_stays_forbids_nobody_to_remove, 0, SEEDS);
    tcase_add_loop_test(tests, what_was_or_what_is_new_survives, 0, SEEDS);
    tcase_add_loop_test(tests, what_was_or_what_is_new_survives_a_commit_that_fails, 0,
                        FAILING_SEEDS);
    Suite *suite = suite_create("transaction_log_sync");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
