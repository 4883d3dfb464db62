// Truncations and drops that meet a power loss. A truncation that comes while a flush waits for the
// log: the manifest that the flush writes must not speak of it before the log has its record for
// good, or no start takes the two together.
#include "base/container_of.h"
#include "storage/engine/engine_internal.h"
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

static void let_fail(struct sim_engine *sim, enum failing_kind kind, bool for_good)
{
    sim->failing.has_failed = false;
    sim->failing.kinds = 1u << kind;
    sim->failing.status = STATUS_NO_SPACE;
    sim->failing.countdown = 1;
    sim->failing.for_good = for_good;
}

// It may give the space for want of which the flush has failed.
START_TEST(a_truncation_does_not_wait_behind_a_flush_that_failed)
{
    struct sim_engine sim;
    struct outcome flush = {.done = false}, truncation = {.done = false};
    sim_engine_init(&sim, 1, "/d");
    sim_engine_fill(&sim);
    let_fail(&sim, FAILING_CREATE, false);
    engine_flush(sim.engine, NULL, &flush.flush, is_over);
    ck_assert(sim_engine_await(&sim, &flush.done));
    ck_assert_uint_eq(sim_world_marks(sim.world, ENV_MARK_FLUSH_FAILED), 1);
    uint64_t before = sim_world_now(sim.world);
    engine_truncate(sim.engine, sim.tables[SIM_TABLE]->id, &truncation.flush, is_over);
    ck_assert(sim_engine_await(&sim, &truncation.done));
    ck_assert_uint_lt(sim_world_now(sim.world) - before, UINT64_C(500000000));
    sim_engine_deinit(&sim);
}
END_TEST

static void stopped(void *context)
{
    *(bool *)context = true;
}

static void stop(struct sim_engine *sim)
{
    bool is_stopped = false;
    engine_close(sim->engine, stopped, &is_stopped);
    ck_assert(sim_engine_await(sim, &is_stopped));
    sim->engine = NULL;
}

START_TEST(a_stop_tells_all_who_wait_for_a_truncation)
{
    struct sim_engine sim;
    struct outcome flush = {.done = false}, first = {.done = false}, second = {.done = false};
    sim_engine_init(&sim, 1, "/d");
    sim_engine_fill(&sim);
    let_fail(&sim, FAILING_CREATE, true);
    engine_flush(sim.engine, NULL, &flush.flush, is_over);
    ck_assert(sim_engine_await(&sim, &flush.done));
    engine_truncate(sim.engine, sim.tables[SIM_TABLE]->id, &first.flush, is_over);
    engine_truncate(sim.engine, sim.tables[SIM_OTHER]->id, &second.flush, is_over);
    stop(&sim);
    ck_assert(first.done);
    ck_assert(second.done);
    sim_engine_deinit(&sim);
}
END_TEST

// A flush fails, and the engine is to stop before it is tried again. What waits behind it is a
// truncation that is to have a snapshot, of files that are there already.
static void stop_behind_failed_flush(int steps)
{
    struct sim_engine sim;
    struct outcome flush = {.done = false}, truncation = {.done = false};
    sim_engine_init(&sim, (uint64_t)steps, "/d");
    sim.auto_snapshot = true;
    sim_engine_fill(&sim);
    ck_assert_int_eq(sim_engine_flush(&sim), STATUS_OK);
    ck_assert_int_eq(sim_engine_write(&sim, SIM_OTHER, 0, 4, 5), STATUS_OK);
    let_fail(&sim, FAILING_CREATE, true);
    engine_flush(sim.engine, &sim.tables[SIM_OTHER]->id, &flush.flush, is_over);
    step(&sim, steps);
    engine_truncate(sim.engine, sim.tables[SIM_TABLE]->id, &truncation.flush, is_over);
    ck_assert(sim_engine_await(&sim, &flush.done));
    stop(&sim);
    ck_assert_msg(truncation.done, "truncated after %d steps", steps);
    sim_engine_deinit(&sim);
}

START_TEST(a_stop_comes_to_what_waits_behind_a_flush_that_failed)
{
    for (int steps = 0; steps < STEPS_BEFORE; steps++)
        stop_behind_failed_flush(steps);
}
END_TEST

// ---- What is gone -------------------------------------------------------------------------------

static size_t size_of_rows(struct sim_engine *sim)
{
    struct buffer rows;
    buffer_init(&rows, 1 << 24);
    ck_assert_int_eq(sim_engine_put_rows(sim, SIM_TABLE, &rows), STATUS_OK);
    size_t size = rows.size;
    buffer_deinit(&rows);
    return size;
}

// As somebody does who puts the files of a back-up into the directory.
static void make_foreign(struct sim_engine *sim)
{
    char path[1024];
    ck_assert_int_eq(sim_engine_flush(sim), STATUS_OK);
    stop(sim);
    (void)snprintf(path, sizeof path, "%s/manifest%s", sim->root,
                   strrchr(sim_engine_table_directory(sim, SIM_TABLE), '-'));
    *strrchr(path, '-') = '/';
    ck_assert_int_eq(env_remove(sim->env, path, NULL), STATUS_OK);
    ck_assert_msg(sim_engine_open(sim) == STATUS_OK, "%s", sim->error.text);
}

static void expire_one(struct sim_engine *sim)
{
    struct engine_table *table = engine_find_table(sim->engine, sim->tables[SIM_TABLE]->id);
    const struct compaction_candidate candidate = {
        .generation = sstable_generation(table->sstables[0].reader)};
    const struct compaction_candidate *items[] = {&candidate};
    ck_assert_uint_gt(table->sstable_count, 1);
    engine_remove_expired(
        table,
        &(struct compaction_pick){.reason = COMPACTION_REASON_EXPIRED, .items = items, .count = 1});
}

// No manifest names them, until they are gone.
START_TEST(foreign_files_that_go_while_others_are_removed_do_not_come_back)
{
    for (int steps = 0; steps < STEPS_AFTER; steps++) {
        struct sim_engine sim;
        struct outcome truncation = {.done = false};
        sim_engine_init(&sim, (uint64_t)steps, "/d");
        sim_engine_fill(&sim);
        make_foreign(&sim);
        expire_one(&sim);
        step(&sim, steps);
        engine_truncate(sim.engine, sim.tables[SIM_TABLE]->id, &truncation.flush, is_over);
        ck_assert(sim_engine_await(&sim, &truncation.done));
        sim_engine_kill(&sim, false);
        ck_assert_msg(sim_engine_open(&sim) == STATUS_OK, "%s", sim.error.text);
        ck_assert_msg(size_of_rows(&sim) == 0, "%d steps between", steps);
        sim_engine_deinit(&sim);
    }
}
END_TEST

static void count_data(void *context, const char *name, bool is_dir)
{
    if (!is_dir && strstr(name, "-Data.db") != NULL) ++*(size_t *)context;
}

static void try_to_flush(struct sim_engine *sim)
{
    struct outcome flush = {.done = false};
    engine_flush(sim->engine, &sim->tables[SIM_TABLE]->id, &flush.flush, is_over);
    ck_assert(sim_engine_await(sim, &flush.done));
}

static size_t data_count(struct sim_engine *sim)
{
    size_t count = 0;
    ck_assert_int_eq(env_list_dir(sim->env, sim_engine_table_directory(sim, SIM_TABLE), count_data,
                                  &count, NULL),
                     STATUS_OK);
    return count;
}

// A manifest that can not be written leaves the SSTable that it was to name: one, not one for each
// try; and that one goes, too.
START_TEST(tries_of_a_flush_leave_no_files)
{
    struct sim_engine sim;
    sim_engine_init(&sim, 1, "/d");
    sim_engine_fill(&sim);
    size_t before = data_count(&sim);
    let_fail(&sim, FAILING_RENAME, true);
    for (int i = 0; i < 4; i++) {
        try_to_flush(&sim);
        ck_assert_uint_eq(data_count(&sim), before + 1);
    }
    ck_assert_uint_eq(sim_world_marks(sim.world, ENV_MARK_FLUSH_FAILED), 4);
    sim.failing.kinds = 1u << FAILING_LOCK;
    try_to_flush(&sim);
    ck_assert_uint_eq(sim_world_marks(sim.world, ENV_MARK_FLUSH_FAILED), 4);
    step(&sim, 100);
    ck_assert_uint_eq(data_count(&sim), before + 1);
    sim_engine_deinit(&sim);
}
END_TEST

// ---- Tables that come back under their id -------------------------------------------------------

static void come_back(bool has_snapshot, bool is_flushed, int steps)
{
    struct sim_engine sim;
    struct engine_table_stats stats;
    sim_engine_init(&sim, (uint64_t)steps, "/d");
    sim.auto_snapshot = has_snapshot;
    sim_engine_fill(&sim);
    struct uuid id = sim.tables[SIM_TABLE]->id;
    engine_drop_table(sim.engine, id);
    step(&sim, steps);
    ck_assert_int_eq(engine_put_table(sim.engine, sim.tables[SIM_TABLE], NULL), STATUS_OK);
    for (int i = 0; i < 1000 && !engine_table_stats(sim.engine, id, &stats); i++)
        step(&sim, 1);
    ck_assert(engine_table_stats(sim.engine, id, &stats));
    ck_assert_msg(size_of_rows(&sim) == 0, "snapshot %d, %d steps", has_snapshot, steps);
    ck_assert_int_eq(sim_engine_write(&sim, SIM_TABLE, 0, 1, 8), STATUS_OK);
    size_t size = size_of_rows(&sim);
    ck_assert_uint_gt(size, 0);
    if (is_flushed) ck_assert_int_eq(sim_engine_flush(&sim), STATUS_OK);
    // First what is in the log, then what is in files.
    for (int i = 0; i < 2; i++) {
        sim_engine_kill(&sim, true);
        ck_assert_msg(sim_engine_open(&sim) == STATUS_OK, "snapshot %d, %d steps: %s", has_snapshot,
                      steps, sim.error.text);
        ck_assert_msg(size_of_rows(&sim) == size, "snapshot %d, %d steps", has_snapshot, steps);
        ck_assert_int_eq(sim_engine_flush(&sim), STATUS_OK);
    }
    sim_engine_deinit(&sim);
}

START_TEST(a_table_that_comes_back_under_its_id_begins_anew)
{
    for (int steps = 0; steps < 64; steps += steps < STEPS_AFTER ? 1 : 8)
        come_back(_i % 2 == 1, _i >= 2, steps);
}
END_TEST

static void drop_and_end(struct sim_engine *sim)
{
    struct uuid id = sim->tables[SIM_TABLE]->id;
    engine_drop_table(sim->engine, id);
    schema_remove_table(sim->schema, slice_of_text("ks"), slice_of_text("t"));
    for (int i = 0; i < 1000 && sim_world_marks(sim->world, ENV_MARK_DROPPED) == 0; i++)
        step(sim, 1);
    stop(sim);
}

// Dropped in one run, made again in the next, and what the log still has of its former life comes
// to the one after that.
START_TEST(a_table_that_comes_back_in_another_run_begins_anew)
{
    struct sim_engine sim;
    sim_engine_init(&sim, 1, "/d");
    sim_engine_fill(&sim);
    drop_and_end(&sim);
    ck_assert_msg(sim_engine_open(&sim) == STATUS_OK, "%s", sim.error.text);
    ck_assert_int_eq(schema_put_table(sim.schema, sim.tables[SIM_TABLE]), STATUS_OK);
    ck_assert_int_eq(engine_put_table(sim.engine, sim.tables[SIM_TABLE], NULL), STATUS_OK);
    ck_assert_int_eq(sim_engine_write(&sim, SIM_TABLE, 0, 1, 8), STATUS_OK);
    size_t size = size_of_rows(&sim);
    sim_engine_kill(&sim, true);
    ck_assert_msg(sim_engine_open(&sim) == STATUS_OK, "%s", sim.error.text);
    ck_assert_uint_eq(size_of_rows(&sim), size);
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
    tcase_add_test(tests, a_truncation_does_not_wait_behind_a_flush_that_failed);
    tcase_add_test(tests, a_stop_tells_all_who_wait_for_a_truncation);
    tcase_add_test(tests, a_stop_comes_to_what_waits_behind_a_flush_that_failed);
    tcase_add_test(tests, foreign_files_that_go_while_others_are_removed_do_not_come_back);
    tcase_add_test(tests, tries_of_a_flush_leave_no_files);
    tcase_add_loop_test(tests, a_table_that_comes_back_under_its_id_begins_anew, 0, 4);
    tcase_add_test(tests, a_table_that_comes_back_in_another_run_begins_anew);
    tcase_add_test(tests, no_directory_of_a_dropped_table_outlives_its_manifest);
    Suite *suite = suite_create("engine_truncate");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
