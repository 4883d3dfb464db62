// What the keeper of hints has said is durable survives the worst power loss: every page and every
// name that is not synced is gone. Each sync of hints_write.c and hints_replay.c has its test here
// (tests/sim/remove_syncs).
#include "base/env_marks.h"
#include "ring/coordinator/hints.h"
#include "storage/uuid.h"
#include "tests/ring/support/ring_world.h"

#include <check.h>

static struct ring_world world;

// Member 2 is away, and has "key" of table "t"; member 0 keeps what it is to get.
static void begin(uint64_t seed, double name_chance)
{
    ring_world_open(&world, &(struct ring_world_options){.count = 3, .factor = 1, .seed = seed});
    sim_world_set_chance(world.sim, SIM_FAULT_LOST_PAGE, 1);
    sim_world_set_chance(world.sim, SIM_FAULT_LOST_NAME, name_chance);
    ring_world_kill(&world, 2, false);
}

static void add_hint(void)
{
    struct buffer record;
    buffer_init(&record, 65536);
    struct slice clustering_value = slice_of_text("row");
    struct cell cell = {
        .local_time = LOCAL_TIME_NONE, .timestamp = 1, .value = slice_of_text("value")};
    struct row row = {.clustering = {1, &clustering_value},
                      .liveness = LIVENESS_NONE,
                      .deletion = DELETION_NONE,
                      .cells = &cell,
                      .cell_count = 1};
    struct mutation mutation = {.table = ring_world_table(&world, 0, "t"),
                                .key = partition_key_make(slice_of_text("key")),
                                .deletion = DELETION_NONE,
                                .rows = &row,
                                .row_count = 1};
    engine_put_record(&mutation, &record);
    ck_assert_int_eq(hints_add(world.members[0].hints, 2, buffer_slice(&record)), STATUS_OK);
    buffer_deinit(&record);
}

static void hints_are_durable(struct hints_wait *wait, enum status status)
{
    ck_assert_int_eq(status, STATUS_OK);
    wait->done = NULL;
}

static void wait_until_durable(void)
{
    struct hints_wait wait;
    hints_wait_synced(world.members[0].hints, &wait, hints_are_durable);
    for (int i = 0; i < 1000 && wait.done != NULL; i++)
        ring_world_run(&world, 0.001, NULL);
    ck_assert(wait.done == NULL);
}

static void truncate_hints(const char *table)
{
    hints_truncate(world.members[0].hints, ring_world_table(&world, 0, table)->id);
}

static void lose_power(void)
{
    if (world.members[0].env != NULL) ring_world_kill(&world, 0, true);
    ring_world_start(&world, 0);
}

static bool came_to_member(void)
{
    char text[16];
    ring_world_start(&world, 2);
    ring_world_run(&world, 3, NULL);
    ring_world_read_local(&world, 2, "key", text, sizeof text);
    return strcmp(text, "value") == 0;
}

START_TEST(a_hint_that_is_durable_is_sent)
{
    begin(1, 1);
    add_hint();
    wait_until_durable();
    lose_power();
    ck_assert(came_to_member());
    ring_world_close(&world);
}
END_TEST

START_TEST(a_hint_of_before_a_truncation_stays_void)
{
    begin(1, 1);
    add_hint();
    wait_until_durable();
    truncate_hints("t");
    wait_until_durable();
    lose_power();
    ck_assert(!came_to_member());
    ring_world_close(&world);
}
END_TEST

// What is void of a file is forgotten with the file. Of two names that are not synced one may come
// back and the other not: the file, and what says that nothing of it counts.
START_TEST(a_file_that_is_gone_does_not_come_back_without_its_truncation)
{
    for (uint64_t seed = 1; seed <= 64; seed++) {
        begin(seed, 0.5);
        add_hint();
        wait_until_durable();
        truncate_hints("t");
        wait_until_durable();
        ck_assert(!came_to_member());
        ck_assert_uint_gt(sim_world_marks(world.sim, ENV_MARK_HINT_FILE_DONE), 0);
        ring_world_kill(&world, 2, false);
        truncate_hints("counts");
        sim_process_crash_at_sync_dir(world.members[0].env, 1, true);
        ring_world_run(&world, 0.5, NULL);
        lose_power();
        ck_assert_msg(!came_to_member(), "seed %u", (unsigned)seed);
        ring_world_close(&world);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("hints_sync");
    tcase_add_test(tests, a_hint_that_is_durable_is_sent);
    tcase_add_test(tests, a_hint_of_before_a_truncation_stays_void);
    tcase_add_test(tests, a_file_that_is_gone_does_not_come_back_without_its_truncation);
    tcase_set_timeout(tests, 60);

    Suite *suite = suite_create("hints_sync");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
