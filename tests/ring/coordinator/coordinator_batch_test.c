// Logged batches: all of it or nothing, whoever dies at whichever step.
#include "ring/coordinator/coordinator.h"

#include "base/container_of.h"
#include "tests/ring/support/ring_world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum { PARTS = 4 };

static struct ring_world world;

struct batch {
    struct coordinator_write write;
    struct coordinator_result result;
    bool is_done;
};

static void batch_done(struct coordinator_write *write, const struct coordinator_result *result)
{
    struct batch *batch = CONTAINER_OF(write, struct batch, write);
    batch->result = *result;
    batch->is_done = true;
}

// Row "row" of PARTS partitions, which all have different owners.
static void start_batch(struct batch *batch, size_t at, const char *value,
                        enum consistency consistency)
{
    static struct slice clustering_value;
    struct mutation mutations[PARTS];
    char keys[PARTS][16];
    *batch = (struct batch){0};
    clustering_value = slice_of_text("row");
    struct cell cell = {.local_time = LOCAL_TIME_NONE,
                        .timestamp = env_wall_us(world.members[at].env),
                        .value = slice_of_text(value)};
    struct row row = {.clustering = {1, &clustering_value},
                      .liveness = LIVENESS_NONE,
                      .deletion = DELETION_NONE,
                      .cells = &cell,
                      .cell_count = 1};
    for (int i = 0; i < PARTS; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "k%d", i);
        mutations[i] = (struct mutation){.table = ring_world_table(&world, at, "t"),
                                         .key = partition_key_make(slice_of_text(keys[i])),
                                         .deletion = DELETION_NONE,
                                         .rows = &row,
                                         .row_count = 1};
    }
    coordinator_write_logged(world.members[at].coordinator, &batch->write, mutations, PARTS,
                             consistency, batch_done);
    ck_assert(!batch->is_done);
}

static bool has(size_t at, const char *key)
{
    const struct ring_member *member = &world.members[at];
    struct arena arena;
    struct read_pins pins;
    arena_init(&arena, 4096);
    read_pins_init(&pins);
    struct clustering_range all = CLUSTERING_RANGE_ALL;
    struct partition_filter filter = {.ranges = &all, .range_count = 1};
    struct partition_key partition_key = partition_key_make(slice_of_text(key));
    struct partition_iterator *partition;
    uint64_t position = 0;
    ck_assert_int_eq(engine_read(member->engine, ring_world_table(&world, at, "t"), &partition_key,
                                 &filter, &pins, &arena, &partition, &position),
                     STATUS_OK);
    partition_iterator_close(partition);
    read_pins_release(&pins);
    arena_deinit(&arena);
    return partition != NULL;
}

// Copies of a partition at members that live.
static int copies(int part)
{
    char key[16];
    (void)snprintf(key, sizeof key, "k%d", part);
    int count = 0;
    for (size_t i = 0; i < world.count; i++)
        count += world.members[i].env != NULL && has(i, key);
    return count;
}

static void open_world(size_t count, int factor, uint64_t seed)
{
    ring_world_open(&world,
                    &(struct ring_world_options){.count = count, .factor = factor, .seed = seed});
}

START_TEST(a_batch_is_written_and_forgotten)
{
    open_world(3, 1, 1);
    struct batch batch;
    start_batch(&batch, 0, "x", CONSISTENCY_ONE);
    ring_world_run(&world, 30, &batch.is_done);
    ck_assert_int_eq(batch.result.outcome, COORDINATOR_OK);
    for (int i = 0; i < PARTS; i++)
        ck_assert_int_eq(copies(i), 1);
    ck_assert_uint_eq(sim_world_marks(world.sim, ENV_MARK_LOGGED_STORED), 2);
    ring_world_run(&world, 60, NULL);
    ck_assert_uint_eq(sim_world_marks(world.sim, ENV_MARK_LOGGED_REPLAYED), 0);
    ring_world_close(&world);
}
END_TEST

// kill -9 or power loss of one member at each of its steps after the batch was begun, the
// coordinator as well as the others: afterwards there is all of it or nothing, and all of it if the
// client was told so.
static void sweep(size_t count, int factor, size_t victim, bool power)
{
    int whole = 0, nothing = 0;
    for (uint64_t step = 1; step < 40; step++) {
        open_world(count, factor, step);
        struct batch batch;
        start_batch(&batch, 0, "x", CONSISTENCY_ONE);
        sim_process_crash_at(world.members[victim].env, step, power);
        ring_world_run(&world, 4, NULL);
        bool is_over = world.members[victim].env != NULL;
        if (is_over) {
            sim_process_crash_at(world.members[victim].env, 0, power);
        } else {
            ring_world_wait_up(&world, victim, false);
            ring_world_start(&world, victim);
        }
        ring_world_run(&world, 40, NULL);
        int there = 0;
        for (int i = 0; i < PARTS; i++)
            there += copies(i) > 0;
        ck_assert_msg(there == 0 || there == PARTS, "step %d: %d parts of %d", (int)step, there,
                      PARTS);
        if (batch.is_done && batch.result.outcome == COORDINATOR_OK) ck_assert_int_eq(there, PARTS);
        whole += there == PARTS;
        nothing += there == 0;
        ring_world_close(&world);
        if (is_over) break;
    }
    ck_assert_int_gt(whole, 0);
    if (victim == 0) ck_assert_int_gt(nothing, 0);
}

START_TEST(all_or_nothing_when_the_coordinator_dies)
{
    sweep(3, 1, 0, false);
}
END_TEST

START_TEST(all_or_nothing_when_the_coordinator_loses_power)
{
    sweep(3, 3, 0, true);
}
END_TEST

START_TEST(all_or_nothing_when_who_stored_it_dies)
{
    sweep(3, 1, 1, true);
}
END_TEST

START_TEST(all_or_nothing_when_a_node_alone_loses_power)
{
    sweep(1, 1, 0, true);
}
END_TEST

START_TEST(a_batch_that_timed_out_is_carried_out_later)
{
    open_world(3, 3, 5);
    struct batch batch;
    sim_process_pause(world.members[1].env, 8000000000);
    start_batch(&batch, 0, "x", CONSISTENCY_ALL);
    ring_world_run(&world, 30, &batch.is_done);
    ck_assert_int_eq(batch.result.outcome, COORDINATOR_TIMED_OUT);
    ring_world_run(&world, 40, NULL);
    for (int i = 0; i < PARTS; i++)
        ck_assert_int_eq(copies(i), 3);
    ck_assert_uint_gt(sim_world_marks(world.sim, ENV_MARK_LOGGED_REPLAYED), 0);
    ring_world_close(&world);
}
END_TEST

// What was removed does not stay for ever, and what is under way stays.
START_TEST(the_table_is_emptied_when_nothing_is_under_way)
{
    open_world(1, 1, 7);
    struct ring_member *member = &world.members[0];
    struct uuid table = member->tables.tables[INTERNAL_TABLE_BATCHES]->id;
    struct uuid ids[64];
    struct engine_table_stats stats;
    uint64_t position;
    for (int i = 0; i < 20000; i++) {
        // A few at a time, as clients have them.
        int64_t made_us = env_wall_us(member->env) + i;
        if (i >= 64) batch_log_remove(member->batch_log, ids[i % 64]);
        ids[i % 64] = uuid_make_time_us(made_us, 0, 0, (uint64_t)i);
        ck_assert_int_eq(
            batch_log_put(member->batch_log, ids[i % 64], made_us, slice_make("", 0), &position),
            STATUS_OK);
    }
    ring_world_run(&world, 1, NULL);
    ck_assert(engine_table_stats(member->engine, table, &stats));
    ck_assert_uint_eq(stats.memtable_partitions, 20000);
    for (int i = 0; i < 64; i++)
        batch_log_remove(member->batch_log, ids[i]);
    ring_world_run(&world, 1, NULL);
    ck_assert(engine_table_stats(member->engine, table, &stats));
    ck_assert_uint_eq(stats.memtable_partitions, 0);
    ck_assert_uint_eq(sim_world_marks(world.sim, ENV_MARK_LOGGED_TRUNCATED), 1);
    ring_world_close(&world);
}
END_TEST

START_TEST(unavailable_is_said_before_it_is_stored)
{
    open_world(3, 1, 6);
    ring_world_kill(&world, 2, false);
    struct batch batch;
    start_batch(&batch, 0, "x", CONSISTENCY_ONE);
    ring_world_run(&world, 30, &batch.is_done);
    ck_assert_int_eq(batch.result.outcome, COORDINATOR_UNAVAILABLE);
    ck_assert_uint_eq(sim_world_marks(world.sim, ENV_MARK_LOGGED_STORED), 0);
    for (int i = 0; i < PARTS; i++)
        ck_assert_int_eq(copies(i), 0);
    ring_world_close(&world);
}
END_TEST

// Only whoever carries a batch out later looks at its age: by then a tombstone could be gone.
START_TEST(a_batch_of_tables_without_gc_grace_is_written)
{
    ring_world_open(&world, &(struct ring_world_options){
                                .count = 3, .factor = 1, .seed = 8, .has_no_gc_grace = true});
    struct batch batch;
    start_batch(&batch, 0, "x", CONSISTENCY_ONE);
    ring_world_run(&world, 30, &batch.is_done);
    ck_assert_int_eq(batch.result.outcome, COORDINATOR_OK);
    for (int i = 0; i < PARTS; i++)
        ck_assert_int_eq(copies(i), 1);
    ring_world_close(&world);
}
END_TEST

static void truncated(struct coordinator_truncate *truncate,
                      const struct coordinator_result *result)
{
    ck_assert_int_eq(result->outcome, COORDINATOR_OK);
    truncate->coordinator = NULL; // It is over.
}

// What is written behind a TRUNCATE stays, also when our clock is behind that of whoever truncated.
START_TEST(a_batch_behind_a_truncation_is_written_whatever_clocks_say)
{
    open_world(3, 1, 9);
    sim_machine_jump_clock(world.members[1].machine, 20000000);
    struct coordinator_truncate truncate;
    coordinator_truncate_start(world.members[1].coordinator, &truncate,
                               ring_world_table(&world, 1, "t")->id, truncated);
    ring_world_run(&world, 5, NULL);
    ck_assert_ptr_null(truncate.coordinator);
    struct batch batch;
    start_batch(&batch, 0, "x", CONSISTENCY_ONE);
    ring_world_run(&world, 30, &batch.is_done);
    ck_assert_int_eq(batch.result.outcome, COORDINATOR_OK);
    for (int i = 0; i < PARTS; i++)
        ck_assert_int_eq(copies(i), 1);
    ring_world_close(&world);
}
END_TEST

// Row "row" of partition "k0", as the records of a batch.
static void put_records(size_t at, const char *value, int64_t made_us, struct buffer *records)
{
    struct slice clustering = slice_of_text("row");
    struct cell cell = {
        .local_time = LOCAL_TIME_NONE, .timestamp = made_us, .value = slice_of_text(value)};
    struct row row = {.clustering = {1, &clustering},
                      .liveness = LIVENESS_NONE,
                      .deletion = DELETION_NONE,
                      .cells = &cell,
                      .cell_count = 1};
    struct mutation mutation = {.table = ring_world_table(&world, at, "t"),
                                .key = partition_key_make(slice_of_text("k0")),
                                .deletion = DELETION_NONE,
                                .rows = &row,
                                .row_count = 1};
    struct buffer record;
    buffer_init(&record, 4096);
    engine_put_record(&mutation, &record);
    buffer_put_vint_bytes(records, buffer_slice(&record));
    buffer_deinit(&record);
}

// That, as a batch that nobody carries out but the member that has it.
static void store_at(size_t at, const char *value)
{
    int64_t made_us = env_wall_us(world.members[at].env);
    struct buffer records;
    buffer_init(&records, 4096);
    put_records(at, value, made_us, &records);
    uint64_t position;
    ck_assert_int_eq(batch_log_put(world.members[at].batch_log, uuid_make_time_us(made_us, 0, 0, 1),
                                   made_us, buffer_slice(&records), &position),
                     STATUS_OK);
    buffer_deinit(&records);
    ring_world_run(&world, 0.1, NULL);
}

START_TEST(what_was_truncated_does_not_come_back_after_a_start)
{
    open_world(3, 1, 10);
    store_at(1, "x");
    struct coordinator_truncate truncate;
    coordinator_truncate_start(world.members[0].coordinator, &truncate,
                               ring_world_table(&world, 0, "t")->id, truncated);
    ring_world_run(&world, 1, NULL);
    ck_assert_ptr_null(truncate.coordinator);
    ring_world_kill(&world, 1, false);
    ring_world_start(&world, 1);
    ring_world_run(&world, 40, NULL);
    ck_assert_int_eq(copies(0), 0);
    // But what was stored behind it does, although clocks say otherwise.
    sim_machine_jump_clock(world.members[1].machine, -60000000);
    store_at(1, "y");
    ring_world_run(&world, 100, NULL);
    ck_assert_int_eq(copies(0), 1);
    ring_world_close(&world);
}
END_TEST

struct told {
    struct messaging_request request;
    enum status status;
    bool is_done;
};

static void told_done(struct messaging_request *request, enum status status, struct slice answer)
{
    struct told *told = CONTAINER_OF(request, struct told, request);
    (void)answer;
    told->status = status;
    told->is_done = true;
}

static enum status ask_to_store(int64_t id_us, int64_t made_us, struct slice records)
{
    struct told told = {.is_done = false};
    struct uuid id = uuid_make_time_us(id_us, 0, 0, 1);
    struct buffer body;
    buffer_init(&body, 4096);
    buffer_put(&body, id.bytes, sizeof id.bytes);
    buffer_put_u64(&body, (uint64_t)made_us);
    buffer_put(&body, records.data, records.size);
    messaging_send(world.members[0].messaging, &told.request, 1, VERB_BATCH_STORE,
                   buffer_slice(&body), 1000000000, told_done);
    ring_world_run(&world, 2, &told.is_done);
    buffer_deinit(&body);
    return told.status;
}

START_TEST(what_no_coordinator_sends_is_not_stored)
{
    open_world(3, 1, 11);
    int64_t now_us = env_wall_us(world.members[0].env);
    static const uint8_t empty_records[64] = {0}, torn[] = {17, 1};
    ck_assert_int_eq(ask_to_store(now_us, now_us, slice_make("", 0)), STATUS_OK);
    ck_assert_int_eq(ask_to_store(now_us, INT64_MIN, slice_make("", 0)), STATUS_CORRUPT);
    ck_assert_int_eq(ask_to_store(now_us, now_us + 1, slice_make("", 0)), STATUS_CORRUPT);
    ck_assert_int_eq(ask_to_store(now_us, now_us, slice_make(empty_records, 64)), STATUS_CORRUPT);
    ck_assert_int_eq(ask_to_store(now_us, now_us, slice_make(torn, sizeof torn)), STATUS_CORRUPT);
    ring_world_run(&world, 20, NULL);
    ring_world_close(&world);
}
END_TEST

// Whoever asked for it begins to write when it is told so, and may die after the first row.
START_TEST(a_batch_that_was_told_stored_outlives_a_power_loss)
{
    open_world(3, 1, 14);
    sim_world_set_chance(world.sim, SIM_FAULT_LOST_PAGE, 1);
    int64_t now_us = env_wall_us(world.members[0].env);
    struct buffer records;
    buffer_init(&records, 4096);
    put_records(0, "x", now_us, &records);
    sim_machine_set_slow(world.members[1].machine, 500000000);
    ck_assert_int_eq(ask_to_store(now_us, now_us, buffer_slice(&records)), STATUS_OK);
    buffer_deinit(&records);
    ring_world_kill(&world, 1, true);
    ring_world_start(&world, 1);
    ring_world_run(&world, 40, NULL);
    ck_assert_int_eq(copies(0), 1);
    ck_assert_uint_eq(sim_world_marks(world.sim, ENV_MARK_LOGGED_REPLAYED), 1);
    ring_world_close(&world);
}
END_TEST

// A cut that the third one bridges: who does not answer us is not waited for.
START_TEST(a_batch_is_stored_by_who_answers)
{
    open_world(3, 3, 12);
    sim_network_cut(world.members[0].machine, world.members[1].machine, true);
    ring_world_run(&world, 5, NULL);
    struct batch batch;
    start_batch(&batch, 0, "x", CONSISTENCY_QUORUM);
    ring_world_run(&world, 1, &batch.is_done);
    ck_assert_int_eq(batch.result.outcome, COORDINATOR_OK);
    ck_assert_uint_eq(sim_world_marks(world.sim, ENV_MARK_LOGGED_STORED), 1);
    sim_network_heal(world.members[0].machine, world.members[1].machine);
    ring_world_close(&world);
}
END_TEST

// Who begins what it has in memory alone leaves a part when it dies: the rest is known to nobody.
START_TEST(a_batch_whose_sync_failed_is_not_begun)
{
    open_world(3, 3, 13);
    sim_world_set_chance(world.sim, SIM_FAULT_SYNC_ERROR, 1);
    store_at(1, "x");
    sim_world_set_chance(world.sim, SIM_FAULT_SYNC_ERROR, 0);
    ck_assert_uint_gt(sim_world_faults(world.sim, SIM_FAULT_SYNC_ERROR), 0);
    ring_world_run(&world, 40, NULL);
    ck_assert_uint_gt(sim_world_marks(world.sim, ENV_MARK_LOGGED_KEPT), 0);
    ck_assert_int_eq(copies(0), 0);
    ring_world_close(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("coordinator_batch");
    TCase *tests = tcase_create("batches");
    tcase_set_timeout(tests, 120);
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, a_batch_is_written_and_forgotten);
    tcase_add_test(tests, all_or_nothing_when_the_coordinator_dies);
    tcase_add_test(tests, all_or_nothing_when_the_coordinator_loses_power);
    tcase_add_test(tests, all_or_nothing_when_who_stored_it_dies);
    tcase_add_test(tests, all_or_nothing_when_a_node_alone_loses_power);
    tcase_add_test(tests, a_batch_that_timed_out_is_carried_out_later);
    tcase_add_test(tests, the_table_is_emptied_when_nothing_is_under_way);
    tcase_add_test(tests, unavailable_is_said_before_it_is_stored);
    tcase_add_test(tests, a_batch_of_tables_without_gc_grace_is_written);
    tcase_add_test(tests, a_batch_behind_a_truncation_is_written_whatever_clocks_say);
    tcase_add_test(tests, what_was_truncated_does_not_come_back_after_a_start);
    tcase_add_test(tests, what_no_coordinator_sends_is_not_stored);
    tcase_add_test(tests, a_batch_that_was_told_stored_outlives_a_power_loss);
    tcase_add_test(tests, a_batch_is_stored_by_who_answers);
    tcase_add_test(tests, a_batch_whose_sync_failed_is_not_begun);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures != 0;
}
