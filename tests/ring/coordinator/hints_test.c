// Hints: within their bounds, whole after a crash, gone when they would do harm.
#include "ring/coordinator/hints.h"

#include "base/container_of.h"
#include "base/limits.h"
#include "storage/uuid.h"
#include "tests/ring/support/ring_world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct ring_world world;

static void open_world(struct hints_options hints)
{
    ring_world_open(
        &world, &(struct ring_world_options){.count = 3, .factor = 3, .seed = 1, .hints = hints});
}

static void write_keys(size_t at, int first, int count, enum consistency consistency)
{
    for (int i = first; i < first + count; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "key%d", i);
        ck_assert_int_eq(ring_world_write(&world, at, key, "value", consistency).outcome,
                         COORDINATOR_OK);
    }
}

static int count_keys(size_t at, int first, int count)
{
    int found = 0;
    for (int i = first; i < first + count; i++) {
        char key[16], text[16];
        (void)snprintf(key, sizeof key, "key%d", i);
        ring_world_read_local(&world, at, key, text, sizeof text);
        found += strcmp(text, "value") == 0;
    }
    return found;
}

static uint64_t marks(enum env_mark mark)
{
    return sim_world_marks(world.sim, mark);
}

START_TEST(what_does_not_fit_is_refused_and_counted)
{
    open_world((struct hints_options){.member_size_max = 1000});
    ring_world_kill(&world, 2, false);
    write_keys(0, 0, 50, CONSISTENCY_QUORUM); // Writes themselves go on.
    ck_assert_uint_gt(hints_size(world.members[0].hints, 2), 500);
    ck_assert_uint_le(hints_size(world.members[0].hints, 2), 1000);
    ck_assert_uint_gt(hints_dropped(world.members[0].hints), 20);
    ring_world_start(&world, 2);
    ring_world_run(&world, 3, NULL);
    int found = count_keys(2, 0, 50);
    ck_assert_int_gt(found, 5);
    ck_assert_int_lt(found, 30);
    ring_world_kill(&world, 2, false); // What was sent has made room.
    write_keys(0, 100, 5, CONSISTENCY_QUORUM);
    ring_world_start(&world, 2);
    ring_world_run(&world, 3, NULL);
    ck_assert_int_eq(count_keys(2, 100, 5), 5);
    ring_world_close(&world);
}
END_TEST

START_TEST(a_member_that_is_away_too_long_gets_only_the_first)
{
    open_world((struct hints_options){.window_us = 2000000});
    ring_world_kill(&world, 2, false);
    write_keys(0, 0, 5, CONSISTENCY_QUORUM);
    ring_world_run(&world, 3, NULL);
    write_keys(0, 5, 5, CONSISTENCY_QUORUM);
    ck_assert_uint_eq(hints_dropped(world.members[0].hints), 5);
    ring_world_start(&world, 2);
    ring_world_run(&world, 3, NULL);
    ck_assert_int_eq(count_keys(2, 0, 10), 5);
    ring_world_close(&world);
}
END_TEST

START_TEST(none_are_kept_when_they_are_switched_off)
{
    open_world((struct hints_options){.is_disabled = true});
    ring_world_kill(&world, 2, false);
    write_keys(0, 0, 5, CONSISTENCY_QUORUM);
    ck_assert_uint_eq(hints_size(world.members[0].hints, 2), 0);
    ring_world_close(&world);
}
END_TEST

// A tombstone may be gone by then: what it took must not come back.
START_TEST(what_is_older_than_gc_grace_is_not_sent)
{
    open_world((struct hints_options){.window_us = 100ull * 86400 * 1000000});
    ring_world_kill(&world, 2, false);
    write_keys(0, 0, 5, CONSISTENCY_QUORUM);
    sim_machine_jump_clock(world.members[0].machine, 11ll * 86400 * 1000000);
    write_keys(0, 5, 5, CONSISTENCY_QUORUM);
    ring_world_start(&world, 2);
    ring_world_run(&world, 3, NULL);
    ck_assert_int_eq(count_keys(2, 0, 5), 0);
    ck_assert_int_eq(count_keys(2, 5, 5), 5);
    ck_assert_uint_eq(marks(ENV_MARK_HINT_EXPIRED), 5);
    ring_world_close(&world);
}
END_TEST

START_TEST(a_member_that_goes_down_again_gets_the_rest_later)
{
    open_world((struct hints_options){.bytes_per_s = 100000});
    ring_world_kill(&world, 2, false);
    for (int i = 0; i < 40; i++) {
        char key[16], value[8000];
        (void)snprintf(key, sizeof key, "key%d", i);
        memset(value, 'v', sizeof value - 1);
        value[sizeof value - 1] = '\0';
        ck_assert_int_eq(ring_world_write(&world, 0, key, value, CONSISTENCY_QUORUM).outcome,
                         COORDINATOR_OK);
    }
    ring_world_start(&world, 2);
    ring_world_run(&world, 1, NULL);
    uint64_t left = hints_size(world.members[0].hints, 2);
    ck_assert_uint_gt(left, 200000); // Throttled.
    ring_world_kill(&world, 2, true);
    ring_world_run(&world, 5, NULL);
    ring_world_start(&world, 2);
    ring_world_run(&world, 10, NULL);
    ck_assert_uint_eq(hints_size(world.members[0].hints, 2), 0);
    for (int i = 0; i < 40; i++) {
        char key[16], text[16];
        (void)snprintf(key, sizeof key, "key%d", i);
        ring_world_read_local(&world, 2, key, text, sizeof text);
        ck_assert_str_eq(text, "vvvvvvvvvvvvvvv");
    }
    ring_world_close(&world);
}
END_TEST

// Straight into the hints of member 0: who waits for an answer would wait for ever.
static void add_hint(int number)
{
    struct buffer record;
    buffer_init(&record, 65536);
    char key[16];
    (void)snprintf(key, sizeof key, "key%d", number);
    struct slice clustering_value = slice_of_text("row");
    struct cell cell = {
        .local_time = LOCAL_TIME_NONE, .timestamp = number + 1, .value = slice_of_text("value")};
    struct row row = {.clustering = {1, &clustering_value},
                      .liveness = LIVENESS_NONE,
                      .deletion = DELETION_NONE,
                      .cells = &cell,
                      .cell_count = 1};
    struct mutation mutation = {.table = ring_world_table(&world, 0, "t"),
                                .key = partition_key_make(slice_of_text(key)),
                                .deletion = DELETION_NONE,
                                .rows = &row,
                                .row_count = 1};
    engine_put_record(&mutation, &record);
    ck_assert_int_eq(hints_add(world.members[0].hints, 2, buffer_slice(&record)), STATUS_OK);
    buffer_deinit(&record);
}

// Power fails at each step of the keeper: of what was added a first part is sent, without a hole,
// and the torn rest is not.
START_TEST(a_torn_tail_is_cut)
{
    uint64_t torn = 0;
    for (uint64_t step = 1; step < 60; step++) {
        ring_world_open(&world,
                        &(struct ring_world_options){.count = 3, .factor = 1, .seed = step});
        ring_world_kill(&world, 2, false);
        sim_process_crash_at(world.members[0].env, step, true);
        for (int i = 0; i < 20 && world.members[0].env != NULL; i++) {
            if (!sim_process_is_alive(world.members[0].env)) break;
            add_hint(i);
            ring_world_run(&world, 0.03, NULL);
        }
        if (world.members[0].env != NULL) ring_world_kill(&world, 0, true);
        ring_world_start(&world, 0);
        ring_world_start(&world, 2);
        ring_world_run(&world, 5, NULL);
        int found = count_keys(2, 0, 20);
        ck_assert_int_eq(count_keys(2, 0, found), found);
        ck_assert_uint_eq(hints_size(world.members[0].hints, 2), 0);
        torn += marks(ENV_MARK_HINT_TAIL_CUT);
        ring_world_close(&world);
    }
    ck_assert_uint_gt(torn, 0);
}
END_TEST

// Power fails before the first hint is durable: its file is there without it. The keeper takes more
// hints for the member, which is away still.
START_TEST(a_keeper_that_lost_power_takes_more_hints)
{
    for (uint64_t seed = 1; seed < 5; seed++) {
        ring_world_open(&world,
                        &(struct ring_world_options){.count = 3, .factor = 1, .seed = seed});
        ring_world_kill(&world, 2, false);
        sim_process_crash_at_sync_file(world.members[0].env, 1, true);
        add_hint(0);
        ring_world_run(&world, 0.3, NULL);
        ring_world_start(&world, 0);
        add_hint(1);
        ring_world_start(&world, 2);
        ring_world_run(&world, 5, NULL);
        ck_assert_int_eq(count_keys(2, 1, 1), 1);
        ring_world_close(&world);
    }
}
END_TEST

struct truncated {
    struct coordinator_truncate truncate;
    bool is_done;
};

static void truncate_done(struct coordinator_truncate *truncate,
                          const struct coordinator_result *result)
{
    ck_assert_int_eq(result->outcome, COORDINATOR_OK);
    CONTAINER_OF(truncate, struct truncated, truncate)->is_done = true;
}

// So slow that most hints wait when the table is truncated; then their keeper loses power.
START_TEST(a_truncation_outlives_the_keeper_of_hints)
{
    open_world((struct hints_options){.bytes_per_s = 1000});
    ring_world_kill(&world, 2, false);
    write_keys(0, 0, 20, CONSISTENCY_QUORUM);
    ring_world_run(&world, 1, NULL);
    sim_network_slow(world.members[0].machine, world.members[2].machine, 400000000, 0, 0);
    ring_world_start(&world, 2);
    struct truncated truncated = {0};
    coordinator_truncate_start(world.members[1].coordinator, &truncated.truncate,
                               ring_world_table(&world, 1, "t")->id, truncate_done);
    ring_world_run(&world, 30, &truncated.is_done);
    ring_world_kill(&world, 0, true);
    ring_world_start(&world, 0);
    write_keys(0, 100, 3, CONSISTENCY_ALL);
    ring_world_run(&world, 30, NULL);
    ck_assert_int_eq(count_keys(2, 0, 20), 0);
    ck_assert_int_eq(count_keys(2, 100, 3), 3);
    ck_assert_uint_eq(hints_size(world.members[0].hints, 2), 0);
    ck_assert_uint_gt(marks(ENV_MARK_HINT_VOID) + marks(ENV_MARK_REPLICA_HINT_VOID), 0);
    ring_world_close(&world);
}
END_TEST

static void hints_are_closed(void *context)
{
    struct ring_member *member = context;
    member->hints = NULL;
}

static void hint_is_kept(struct hints_wait *wait, enum status status)
{
    ck_assert_int_eq(status, STATUS_OK);
    wait->done = NULL; // It is over.
}

// A truncation may come between the turn in which nothing was left and the end.
START_TEST(what_comes_while_it_closes_is_waited_for)
{
    open_world((struct hints_options){0});
    struct ring_member *member = &world.members[0];
    hints_close(member->hints, hints_are_closed, member);
    hints_truncate(member->hints, ring_world_table(&world, 0, "t")->id);
    struct hints_wait wait;
    hints_wait_synced(member->hints, &wait, hint_is_kept);
    ring_world_run(&world, 1, NULL);
    ck_assert(wait.done == NULL);
    ck_assert_ptr_null(member->hints);
    ring_world_kill(&world, 0, false);
    ring_world_close(&world);
}
END_TEST

// Tables that nobody knows any more leave nothing behind: what is noted of the others is kept.
START_TEST(truncations_of_unknown_tables_are_not_noted)
{
    open_world((struct hints_options){0});
    ring_world_kill(&world, 2, false);
    write_keys(0, 0, 5, CONSISTENCY_QUORUM);
    ring_world_run(&world, 1, NULL);
    hints_truncate(world.members[0].hints, ring_world_table(&world, 0, "t")->id);
    for (uint32_t i = 0; i < SCHEMA_TABLES_MAX; i++)
        hints_truncate(world.members[0].hints, uuid_make_time_us(i, 0, 0, 7));
    ring_world_run(&world, 1, NULL);
    ring_world_kill(&world, 0, false);
    ring_world_start(&world, 0);
    ring_world_start(&world, 2);
    ring_world_run(&world, 3, NULL);
    ck_assert_int_eq(count_keys(2, 0, 5), 0);
    ring_world_close(&world);
}
END_TEST

// As those of traces are: in the schema of each member, and not in the one that all agree on.
static struct schema *make_system_schema(struct uuid id)
{
    const struct option items[] = {{slice_of_text("class"), slice_of_text("SimpleStrategy")},
                                   {slice_of_text("replication_factor"), slice_of_text("3")}};
    const struct options replication = {(struct option *)(uintptr_t)items, 2};
    const struct keyspace *keyspace =
        keyspace_make(slice_of_text("system_t"), &replication, true, false);
    struct table_builder *builder =
        table_builder_create(slice_of_text("system_t"), slice_of_text("events"), id);
    table_builder_add_column(builder, slice_of_text("k"), type_of_kind(TYPE_BLOB),
                             COLUMN_PARTITION_KEY, false);
    const struct table *table = table_builder_finish(builder);
    struct schema *schema = schema_create();
    ck_assert_int_eq(schema_put_keyspace(schema, keyspace), STATUS_OK);
    ck_assert_int_eq(schema_put_table(schema, table), STATUS_OK);
    keyspace_unref(keyspace);
    table_unref(table);
    return schema;
}

START_TEST(hints_of_the_systems_own_tables_are_sent)
{
    struct uuid id = {{'e', 'v'}};
    struct schema *schema = make_system_schema(id);
    open_world((struct hints_options){.system_schema = schema});
    ring_world_kill(&world, 2, false);
    struct mutation mutation = {.table = schema_find_table_by_id(schema, id),
                                .key = partition_key_make(slice_of_text("k")),
                                .deletion = {1, 1}};
    struct buffer record;
    buffer_init(&record, 4096);
    engine_put_record(&mutation, &record);
    ck_assert_int_eq(hints_add(world.members[0].hints, 2, buffer_slice(&record)), STATUS_OK);
    buffer_deinit(&record);
    uint64_t before = marks(ENV_MARK_HINT_SENT);
    ring_world_start(&world, 2);
    ring_world_run(&world, 3, NULL);
    ck_assert_uint_eq(marks(ENV_MARK_HINT_SENT), before + 1);
    ck_assert_uint_eq(hints_size(world.members[0].hints, 2), 0);
    ring_world_close(&world);
    schema_destroy(schema);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hints");
    TCase *tests = tcase_create("hints");
    tcase_set_timeout(tests, 120);
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, what_does_not_fit_is_refused_and_counted);
    tcase_add_test(tests, a_member_that_is_away_too_long_gets_only_the_first);
    tcase_add_test(tests, none_are_kept_when_they_are_switched_off);
    tcase_add_test(tests, what_is_older_than_gc_grace_is_not_sent);
    tcase_add_test(tests, a_member_that_goes_down_again_gets_the_rest_later);
    tcase_add_test(tests, a_torn_tail_is_cut);
    tcase_add_test(tests, a_keeper_that_lost_power_takes_more_hints);
    tcase_add_test(tests, a_truncation_outlives_the_keeper_of_hints);
    tcase_add_test(tests, what_comes_while_it_closes_is_waited_for);
    tcase_add_test(tests, truncations_of_unknown_tables_are_not_noted);
    tcase_add_test(tests, hints_of_the_systems_own_tables_are_sent);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures != 0;
}
