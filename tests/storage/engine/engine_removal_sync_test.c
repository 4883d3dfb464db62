// A transaction's log that was cut off is recovered and removed; what it knew is truncated then,
// and the power goes. The log may be back: it must not miss what a removal took meanwhile, or
// nobody could open the table any more.
#include "base/container_of.h"
#include "storage/sstable/transaction_log.h"
#include "tests/storage/support/sim_engine.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEEDS = 8 };

struct truncating {
    bool done;
    enum status status;
    struct engine_flush flush;
};

static void truncated(struct engine_flush *flush, enum status status)
{
    struct truncating *truncating = CONTAINER_OF(flush, struct truncating, flush);
    truncating->done = true;
    truncating->status = status;
}

struct logging {
    struct transaction_log log;
    size_t count;
};

static void add_removal(void *context, const char *name, bool is_dir)
{
    struct logging *logging = context;
    struct sstable_name parsed;
    enum sstable_component component;
    if (is_dir || sstable_name_parse(name, &parsed, &component, NULL) != STATUS_OK ||
        component != SSTABLE_DATA)
        return;
    ck_assert_int_eq(transaction_log_remove(&logging->log, &parsed, NULL), STATUS_OK);
    logging->count++;
}

// As a power loss leaves it that tears the page of the COMMIT.
static void leave_cut_log(struct sim_engine *sim)
{
    static const char cut[] = "COMMIT:[,0,0][26";
    struct logging logging = {.count = 0};
    const char *directory = sim_engine_table_directory(sim, SIM_TABLE);
    ck_assert_int_eq(
        transaction_log_begin(&logging.log, sim->env, directory, TRANSACTION_COMPACTION, NULL),
        STATUS_OK);
    ck_assert_int_eq(env_list_dir(sim->env, directory, add_removal, &logging, NULL), STATUS_OK);
    ck_assert_uint_gt(logging.count, 1);
    ck_assert_int_eq(env_file_write(logging.log.file, logging.log.size, cut, sizeof cut - 1, NULL),
                     STATUS_OK);
    transaction_log_leave(&logging.log);
    sim_machine_sync(sim->machine);
    sim_engine_kill(sim, true);
}

static size_t count_rows(struct sim_engine *sim)
{
    struct buffer rows;
    buffer_init(&rows, 1 << 24);
    ck_assert_int_eq(sim_engine_put_rows(sim, SIM_TABLE, &rows), STATUS_OK);
    size_t size = rows.size;
    buffer_deinit(&rows);
    return size;
}

static void open_engine(struct sim_engine *sim, uint64_t step)
{
    ck_assert_msg(sim_engine_open(sim) == STATUS_OK, "step %d: %s", (int)step, sim->error.text);
}

// Returns whether it came to this step.
static bool truncate_until(uint64_t seed, uint64_t step)
{
    struct sim_engine sim;
    struct truncating truncating = {.done = false};
    sim_engine_init(&sim, seed * 1000 + step, "/d");
    sim_engine_fill(&sim);
    size_t all = count_rows(&sim);
    leave_cut_log(&sim);
    open_engine(&sim, step);
    ck_assert_uint_eq(count_rows(&sim), all);
    sim_process_crash_at(sim.env, step, true);
    engine_truncate(sim.engine, sim.tables[SIM_TABLE]->id, &truncating.flush, truncated);
    bool was_done = sim_engine_await(&sim, &truncating.done);
    if (was_done) ck_assert_int_eq(truncating.status, STATUS_OK);
    sim_engine_kill(&sim, true);
    open_engine(&sim, step);
    size_t left = count_rows(&sim);
    ck_assert_msg(left == 0 || (left == all && !was_done), "step %d: some are left", (int)step);
    sim_engine_deinit(&sim);
    return !was_done;
}

// Whoever truncated died when the manifest that says so was there, and not durable; the next start
// goes by it, and loses power. Returns whether it came to this step.
static bool start_until(uint64_t seed, uint64_t step)
{
    struct sim_engine sim;
    struct truncating truncating = {.done = false};
    sim_engine_init(&sim, seed * 1000 + step, "/d");
    sim_engine_fill(&sim);
    sim_process_crash_at_sync_dir(sim.env, 1, false);
    engine_truncate(sim.engine, sim.tables[SIM_TABLE]->id, &truncating.flush, truncated);
    ck_assert(!sim_engine_await(&sim, &truncating.done));
    sim_engine_kill(&sim, false);
    sim_engine_start(&sim);
    sim_process_crash_at(sim.env, step, true);
    bool was_opened = sim_engine_open(&sim) == STATUS_OK && sim_process_is_alive(sim.env);
    sim_engine_kill(&sim, true);
    open_engine(&sim, step);
    ck_assert_uint_eq(count_rows(&sim), 0);
    sim_engine_deinit(&sim);
    return !was_opened;
}

START_TEST(a_manifest_that_comes_back_misses_nothing)
{
    uint64_t step = 1;
    while (start_until((uint64_t)_i, step))
        step++;
    ck_assert_uint_gt(step, 10);
}
END_TEST

// A cut log is recovered and removed; what it knew is truncated then.
START_TEST(a_log_that_comes_back_misses_nothing)
{
    uint64_t step = 1;
    while (truncate_until((uint64_t)_i, step))
        step++;
    ck_assert_uint_gt(step, 10);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("removal");
    tcase_add_loop_test(tests, a_log_that_comes_back_misses_nothing, 0, SEEDS);
    tcase_add_loop_test(tests, a_manifest_that_comes_back_misses_nothing, 0, SEEDS);
    Suite *suite = suite_create("engine_removal_sync");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
