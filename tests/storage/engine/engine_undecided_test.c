// A compaction whose commit fails, and the removal of its log too: nobody knows which of both hold.
// All files stay until the next start, whatever comes meanwhile.
#include "base/container_of.h"
#include "tests/storage/support/sim_engine.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum meanwhile { NOTHING, FLUSH, TRUNCATE, MEANWHILES };

static const uint32_t failing_kinds =
    UINT32_C(1) << FAILING_SYNC | UINT32_C(1) << FAILING_SYNC_DIR | UINT32_C(1) << FAILING_REMOVE;

struct outcome {
    bool done;
    enum status status;
    struct engine_flush flush;
    struct engine_compact compact;
};

static void compacted(struct engine_compact *compact, enum status status)
{
    struct outcome *outcome = CONTAINER_OF(compact, struct outcome, compact);
    outcome->status = status;
    outcome->done = true;
}

static void flushed(struct engine_flush *flush, enum status status)
{
    struct outcome *outcome = CONTAINER_OF(flush, struct outcome, flush);
    outcome->status = status;
    outcome->done = true;
}

static void put_rows(struct sim_engine *sim, struct buffer *rows)
{
    buffer_clear(rows);
    ck_assert_int_eq(sim_engine_put_rows(sim, SIM_TABLE, rows), STATUS_OK);
}

static void check_rows(struct sim_engine *sim, const struct buffer *expected, const char *when)
{
    struct buffer rows;
    buffer_init(&rows, 1 << 24);
    put_rows(sim, &rows);
    ck_assert_msg(rows.size == expected->size &&
                      (rows.size == 0 || memcmp(rows.data, expected->data, rows.size) == 0),
                  "%s: %.*s", when, (int)rows.size, (const char *)rows.data);
    buffer_deinit(&rows);
}

static void truncate(struct sim_engine *sim)
{
    struct outcome outcome = {.done = false};
    engine_truncate(sim->engine, sim->tables[SIM_TABLE]->id, &outcome.flush, flushed);
    ck_assert(sim_engine_await(sim, &outcome.done));
    ck_assert_int_eq(outcome.status, STATUS_OK);
}

static void restart(struct sim_engine *sim, bool power)
{
    sim_engine_kill(sim, power);
    ck_assert_msg(sim_engine_open(sim) == STATUS_OK, "%s", sim->error.text);
}

// How often it came to that; the n-th operation fails, and all after it. -1: none did.
static int compact_once(uint64_t n, enum meanwhile meanwhile)
{
    struct sim_engine sim;
    struct buffer expected;
    buffer_init(&expected, 1 << 24);
    sim_engine_init(&sim, n, "/d");
    sim_engine_fill(&sim);
    put_rows(&sim, &expected);
    sim.failing.kinds = failing_kinds;
    sim.failing.status = STATUS_IO;
    sim.failing.for_good = true;
    sim.failing.countdown = n;
    struct outcome outcome = {.done = false};
    engine_compact(sim.engine, sim.tables[SIM_TABLE]->id, false, &outcome.compact, compacted);
    ck_assert(sim_engine_await(&sim, &outcome.done));
    bool has_failed = sim.failing.has_failed;
    sim.failing.for_good = false;
    sim.failing.countdown = 0;
    bool is_undecided = sim_world_marks(sim.world, ENV_MARK_COMPACTION_UNDECIDED) > 0;
    if (is_undecided) {
        ck_assert_int_eq(outcome.status, STATUS_IO);
        check_rows(&sim, &expected, "undecided");
        if (meanwhile == FLUSH) ck_assert_int_eq(sim_engine_flush(&sim), STATUS_OK);
        if (meanwhile == TRUNCATE) {
            truncate(&sim);
            buffer_clear(&expected);
        }
        check_rows(&sim, &expected, "undecided, later");
        engine_check(sim.engine);
        restart(&sim, n % 2 == 0);
        check_rows(&sim, &expected, "after the next start");
        restart(&sim, n % 2 == 1);
        check_rows(&sim, &expected, "after one more");
    }
    sim_engine_deinit(&sim);
    buffer_deinit(&expected);
    return is_undecided ? 1 : has_failed ? 0 : -1;
}

START_TEST(nothing_is_lost_and_nothing_comes_back)
{
    int undecided = 0, found;
    for (uint64_t n = 1; (found = compact_once(n, (enum meanwhile)_i)) >= 0; n++)
        undecided += found;
    // That mark is this test's duty (tests/sim/run).
    ck_assert_int_gt(undecided, 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("undecided");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, nothing_is_lost_and_nothing_comes_back, 0, MEANWHILES);
    Suite *suite = suite_create("engine_undecided");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
