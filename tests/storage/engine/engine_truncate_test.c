// Truncations and drops that meet a power loss. A truncation that comes while a flush waits for the
// log: the manifest that the flush writes must not speak of it before the log has its record for
// good, or no start takes the two together.
#include "base/container_of.h"
#include "tests/storage/support/sim_engine.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Of the world: between the flush and the truncation, and from there to the power loss.
enum { STEPS_BEFORE = 8, STEPS_AFTER = 24 };

struct outcome {
    bool done;
    struct engine_flush flush;
};

static void is_over(struct engine_flush *flush, enum status status)
{
    (void)status; // Who loses its power is told nothing.
    CONTAINER_OF(flush, struct outcome, flush)->done = true;
}

// A change that is not synced, so that a flush has to wait.
static void delete_one(struct sim_engine *sim)
{
    static const uint8_t key[4] = {0, 0, 0, 3};
    const struct mutation mutation = {.table = sim->tables[SIM_TABLE],
                                      .key = partition_key_make(slice_make(key, sizeof key)),
                                      .deletion = {5000, 1000}};
    ck_assert_int_eq(engine_apply(sim->engine, &mutation, &sim->position), STATUS_OK);
}

static void step(struct sim_engine *sim, int count)
{
    for (int i = 0; i < count && sim->env != NULL; i++)
        (void)!sim_world_step(sim->world);
}

// How often work waited for the log once more.
static uint64_t truncate_while_flushing(int before, int after)
{
    struct sim_engine sim;
    struct outcome flush = {.done = false}, truncation = {.done = false};
    sim_engine_init(&sim, (uint64_t)(before * STEPS_AFTER + after), "/d");
    sim_engine_fill(&sim);
    sim_world_set_chance(sim.world, SIM_FAULT_LOST_PAGE, 1);
    struct uuid id = sim.tables[SIM_TABLE]->id;
    delete_one(&sim);
    engine_flush(sim.engine, &id, &flush.flush, is_over);
    step(&sim, before);
    engine_truncate(sim.engine, id, &truncation.flush, is_over);
    // What begins now takes long, one more and the other less: the sync of the truncation's record,
    // and the flush.
    sim_machine_set_slow(sim.machine, 10000000000);
    step(&sim, after);
    bool is_truncated = truncation.done;
    uint64_t waits = sim_world_marks(sim.world, ENV_MARK_BACKGROUND_SYNCED_AGAIN);
    sim_engine_kill(&sim, true);
    ck_assert_msg(sim_engine_open(&sim) == STATUS_OK, "truncated after %d steps, dead after %d: %s",
                  before, after, sim.error.text);
    struct buffer rows;
    buffer_init(&rows, 1 << 24);
    ck_assert_int_eq(sim_engine_put_rows(&sim, SIM_TABLE, &rows), STATUS_OK);
    if (is_truncated) ck_assert_uint_eq(rows.size, 0);
    buffer_deinit(&rows);
    sim_engine_deinit(&sim);
    return waits;
}

START_TEST(no_manifest_speaks_of_a_truncation_that_the_log_may_lose)
{
    uint64_t waits = 0;
    for (int before = 0; before < STEPS_BEFORE; before++)
        for (int after = 0; after < STEPS_AFTER; after++)
            waits += truncate_while_flushing(before, after);
    ck_assert_uint_gt(waits, 0);
}
END_TEST

// Who waits for the second one would wait for ever, and so would a node that is to stop behind it.
START_TEST(a_log_that_fails_lets_no_truncation_wait)
{
    struct sim_engine sim;
    struct outcome first = {.done = false}, second = {.done = false};
    sim_engine_init(&sim, 1, "/d");
    sim_engine_fill(&sim);
    sim.failing.kinds = 1u << FAILING_SYNC;
    sim.failing.status = STATUS_IO;
    sim.failing.countdown = 1;
    sim.failing.for_good = true;
    engine_truncate(sim.engine, sim.tables[SIM_TABLE]->id, &first.flush, is_over);
    engine_truncate(sim.engine, sim.tables[SIM_OTHER]->id, &second.flush, is_over);
    ck_assert(sim_engine_await(&sim, &first.done));
    ck_assert(sim_engine_await(&sim, &second.done));
    sim_engine_deinit(&sim);
}
END_TEST

static void find_name(void *context, const char *name, bool is_dir)
{
    const char **wanted = context;
    (void)is_dir;
    if (*wanted != NULL && strcmp(*wanted, name) == 0) *wanted = NULL;
}

// A manifest that is gone for good and files that come back: nobody would know whose they were.
START_TEST(no_directory_of_a_dropped_table_outlives_its_manifest)
{
    struct sim_engine sim;
    struct outcome flush = {.done = false};
    sim_engine_init(&sim, 1, "/d");
    sim_engine_fill(&sim);
    sim_world_set_chance(sim.world, SIM_FAULT_LOST_NAME, 1);
    char directory[1024];
    (void)snprintf(directory, sizeof directory, "%s", sim_engine_table_directory(&sim, SIM_TABLE));
    engine_drop_table(sim.engine, sim.tables[SIM_TABLE]->id);
    engine_flush(sim.engine, NULL, &flush.flush, is_over); // Comes behind it, with new manifests.
    ck_assert(sim_engine_await(&sim, &flush.done));
    ck_assert_uint_eq(sim_world_marks(sim.world, ENV_MARK_DROPPED), 1);
    sim_engine_kill(&sim, true);
    sim_engine_start(&sim);
    char *name = strrchr(directory, '/');
    const char *wanted = name + 1;
    *name = '\0';
    ck_assert_int_eq(env_list_dir(sim.env, directory, find_name, &wanted, NULL), STATUS_OK);
    ck_assert_msg(wanted != NULL, "%s is back", name + 1);
    sim_engine_deinit(&sim);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("truncation");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, no_manifest_speaks_of_a_truncation_that_the_log_may_lose);
    tcase_add_test(tests, a_log_that_fails_lets_no_truncation_wait);
    tcase_add_test(tests, no_directory_of_a_dropped_table_outlives_its_manifest);
    Suite *suite = suite_create("engine_truncate");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
