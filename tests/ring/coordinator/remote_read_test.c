#include "ring/coordinator/remote_read.h"

#include "base/container_of.h"
#include "storage/schema/options.h"
#include "tests/ring/support/read_probe.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct ring_world world;
static char key[16]; // Its replicas in order: 0, 1, 2.

static void open_three(void)
{
    ring_world_open(&world, &(struct ring_world_options){.count = 3, .seed = 1, .factor = 3});
    ring_world_find_key(&world, 0, key);
}

static void close_world(void)
{
    ring_world_close(&world);
}

static void put(size_t member, const char *c, const char *a, int64_t timestamp)
{
    probe_apply(&world, member,
                &(struct probe_change){
                    .key = key, .c = c, .a = a, .timestamp = timestamp, .is_insert = true});
}

static void put_all(const char *c, const char *a, int64_t timestamp)
{
    for (size_t i = 0; i < world.count; i++)
        put(i, c, a, timestamp);
}

static uint64_t marks(enum env_mark mark)
{
    return sim_world_marks(world.sim, mark);
}

// Members `a` and `b` have the same of the key.
static bool are_equal(size_t a, size_t b, const char *table)
{
    struct buffer left, right;
    buffer_init(&left, 1 << 24);
    buffer_init(&right, 1 << 24);
    bool equal = slice_equals(probe_local(&world, a, table, key, &left),
                              probe_local(&world, b, table, key, &right));
    buffer_deinit(&left);
    buffer_deinit(&right);
    return equal;
}

static void expect(size_t member, enum consistency consistency, const char *rows)
{
    char text[256];
    (void)snprintf(text, sizeof text, rows[0] == '\0' ? "%s" : "%s{%s}", rows[0] == '\0' ? "" : key,
                   rows);
    probe_expect(&world, member, key, consistency, text);
}

// ---- Equal replicas -----------------------------------------------------------------------------

START_TEST(equal_replicas_are_read_by_digest_at_every_level)
{
    put_all("c1", "x", 10);
    put_all("c2", "y", 11);
    const enum consistency levels[] = {
        CONSISTENCY_ONE,    CONSISTENCY_TWO,    CONSISTENCY_THREE,     CONSISTENCY_ALL,
        CONSISTENCY_QUORUM, CONSISTENCY_SERIAL, CONSISTENCY_LOCAL_ONE, CONSISTENCY_LOCAL_QUORUM};
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        for (size_t member = 0; member < 3; member++)
            expect(member, levels[i], " c1=x,- c2=y,-");
    ck_assert_uint_eq(marks(ENV_MARK_READ_MISMATCH), 0);
}
END_TEST

START_TEST(what_is_not_there_is_equal_too)
{
    expect(0, CONSISTENCY_ALL, "");
    ck_assert_uint_eq(marks(ENV_MARK_READ_MISMATCH), 0);
}
END_TEST

START_TEST(a_flushed_replica_has_the_digest_of_an_unflushed_one)
{
    for (int i = 0; i < 40; i++) {
        char c[8];
        (void)snprintf(c, sizeof c, "c%02d", i % 17);
        struct probe_change change = {.key = key, .c = c, .a = "a", .timestamp = i};
        if (i % 3 == 0) change.is_insert = true;
        if (i % 5 == 0) change.b = "b";
        if (i % 7 == 0) change.a = "";
        if (i % 6 == 0) change.s = "static";
        if (i % 8 == 0) change.ttl = 100, change.expires = 5000;
        if (i % 13 == 0) change.deletes_row = true;
        if (i % 10 == 0) change.delete_from = "c03", change.delete_to = i % 20 == 0 ? "c09" : "c05";
        if (i % 20 == 0) change.to_exclusive = true;
        if (i == 9) change.deletes_partition = true;
        probe_apply_to_all(&world, &change);
        if (i % 4 == 0) probe_flush(&world, 1);
        if (i == 25) probe_flush(&world, 2);
    }
    // Member 1 has compacted what it flushed, and left out what is over for long.
    struct probe_read probe = {.keys = (const char *[]){key},
                               .key_count = 1,
                               .consistency = CONSISTENCY_ALL,
                               .now_s = (int32_t)(env_wall_us(world.members[0].env) / 1000000)};
    for (int turn = 0; turn < 4; turn++) {
        probe.reversed = turn % 2 == 1;
        probe.from = turn > 1 ? "c04" : NULL;
        probe.to = turn > 1 ? "c08" : NULL;
        probe_run(&world, 0, &probe);
        ck_assert_int_eq(probe.result.outcome, COORDINATOR_OK);
        ck_assert_uint_eq(marks(ENV_MARK_READ_MISMATCH), 0);
    }
    probe_deinit(&probe);
}
END_TEST

// Invariant 3, at each replica that is asked.
START_TEST(an_answer_shows_only_what_is_synced)
{
    uint64_t positions[3];
    put_all("c1", "x", 10);
    for (size_t i = 0; i < 3; i++) {
        positions[i] = engine_last_position(world.members[i].engine);
        ck_assert_uint_lt(engine_synced_position(world.members[i].engine), positions[i]);
    }
    expect(0, CONSISTENCY_ALL, " c1=x,-");
    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_ge(engine_synced_position(world.members[i].engine), positions[i]);
    ck_assert_uint_eq(marks(ENV_MARK_REPLICA_READ_SYNCING), 3);
}
END_TEST

// ---- Replicas that differ -----------------------------------------------------------------------

struct divergence {
    struct probe_change change; // Only one member has it.
    const char *rows;           // What is read then.
    const char *table;
};

static const struct divergence divergences[] = {
    {{.c = "c1", .a = "new", .timestamp = 20}, " c1=new,- c2=y,-", "t"},
    {{.c = "c3", .a = "z", .timestamp = 20, .is_insert = true}, " c1=x,- c2=y,- c3=z,-", "t"},
    {{.c = "c1", .b = "b", .timestamp = 5}, " c1=x,b c2=y,-", "t"},
    {{.c = "c1", .a = "", .timestamp = 20}, " c1=-,- c2=y,-", "t"},
    {{.c = "c1", .timestamp = 20, .deletes_row = true}, " c2=y,-", "t"},
    {{.timestamp = 20, .deletes_partition = true}, "", "t"},
    {{.timestamp = 20, .delete_from = "c0", .delete_to = "c1"}, " c2=y,-", "t"},
    {{.timestamp = 20, .delete_from = "c1", .delete_to = "c9", .from_exclusive = true},
     " c1=x,-",
     "t"},
    {{.timestamp = 20, .delete_from = "c1", .delete_to = "c2", .to_exclusive = true},
     " c2=y,-",
     "t"},
    {{.timestamp = 10, .delete_from = "c0", .delete_to = "c9"}, " c2=y,-", "t"},
    {{.s = "static", .timestamp = 20}, "s=static; c1=x,- c2=y,-", "t"},
    {{.c = "c1", .a = "ttl", .timestamp = 20, .ttl = 100, .expires = 9000},
     " c1=ttl,- c2=y,-",
     "t"},
    {{.c = "c1", .a = "gone", .timestamp = 20, .ttl = 100, .expires = 400}, " c1=-,- c2=y,-", "t"},
};
enum { DIVERGENCE_COUNT = sizeof divergences / sizeof divergences[0] };

static void diverge(const struct divergence *divergence, size_t member)
{
    struct probe_change change = divergence->change;
    change.key = key;
    put_all("c1", "x", 10);
    put_all("c2", "y", 11);
    probe_apply(&world, member, &change);
}

static void run_divergence(int index, enum consistency consistency, size_t coordinator,
                           size_t member, bool reversed)
{
    const struct divergence *divergence = &divergences[index];
    diverge(divergence, member);
    const char *keys[] = {key};
    struct probe_read probe = {.keys = keys,
                               .key_count = 1,
                               .consistency = consistency,
                               .reversed = reversed,
                               .now_s = 500};
    probe_run(&world, coordinator, &probe);
    ck_assert_int_eq(probe.result.outcome, COORDINATOR_OK);
    char text[128];
    (void)snprintf(text, sizeof text, "%s{%s}", key, divergence->rows);
    if (divergence->rows[0] == '\0') text[0] = '\0';
    if (!reversed) ck_assert_str_eq((const char *)probe.text.data, text);
    ck_assert_uint_eq(marks(ENV_MARK_READ_MISMATCH), 1);
    ck_assert(are_equal(coordinator, member, "t"));
    if (consistency == CONSISTENCY_ALL) ck_assert(are_equal(0, 1, "t") && are_equal(1, 2, "t"));
    // What was repaired is there for good.
    probe_run(&world, coordinator, &probe);
    ck_assert_uint_eq(marks(ENV_MARK_READ_MISMATCH), 1);
    probe_deinit(&probe);
}

START_TEST(a_difference_is_merged_and_repaired_at_all)
{
    run_divergence(_i, CONSISTENCY_ALL, 0, 0, false);
}
END_TEST

START_TEST(a_difference_of_another_replica_is_repaired_too)
{
    run_divergence(_i, CONSISTENCY_ALL, 0, 2, false);
}
END_TEST

START_TEST(a_difference_is_repaired_at_quorum_by_those_that_were_asked)
{
    run_divergence(_i, CONSISTENCY_QUORUM, 0, 1, false);
}
END_TEST

START_TEST(a_difference_is_repaired_when_read_backwards)
{
    run_divergence(_i, CONSISTENCY_ALL, 2, 1, true);
}
END_TEST

START_TEST(each_replica_gets_what_it_lacks)
{
    put(0, "c1", "a", 10);
    put(1, "c1", "b", 11);
    put(1, "c2", "c", 12);
    put(2, "c3", "d", 13);
    probe_apply(&world, 0,
                &(struct probe_change){
                    .key = key, .timestamp = 20, .delete_from = "d0", .delete_to = "d5"});
    probe_apply(&world, 1,
                &(struct probe_change){
                    .key = key, .timestamp = 21, .delete_from = "d3", .delete_to = "d8"});
    put(2, "d4", "hidden", 19);
    expect(1, CONSISTENCY_ALL, " c1=b,- c2=c,- c3=d,-");
    ck_assert(are_equal(0, 1, "t"));
    ck_assert(are_equal(1, 2, "t"));
    ck_assert_uint_eq(marks(ENV_MARK_READ_REPAIRING), 3);
}
END_TEST

// Made by several mutations, a row may have more than one of them may have. It is read from others,
// and what one of them lacks of it, it gets.
START_TEST(a_row_larger_than_a_mutation_is_read_and_repaired)
{
    enum { SIZE = 9 << 20 };
    char *large = malloc(SIZE + 1);
    memset(large, 'x', SIZE);
    large[SIZE] = '\0';
    probe_apply_to_all(&world,
                       &(struct probe_change){.key = key, .c = "c1", .a = large, .timestamp = 10});
    probe_apply_to_all(&world,
                       &(struct probe_change){.key = key, .c = "c1", .b = large, .timestamp = 11});
    const char *const keys[] = {key};
    struct probe_read probe = {.keys = keys, .key_count = 1, .consistency = CONSISTENCY_ALL};
    probe_run(&world, 0, &probe);
    ck_assert_int_eq(probe.result.outcome, COORDINATOR_OK);
    ck_assert_uint_eq(probe.rows, 1);
    ck_assert_uint_eq(marks(ENV_MARK_READ_MISMATCH), 0);
    large[0] = 'y';
    probe_apply(&world, 1,
                &(struct probe_change){.key = key, .c = "c1", .a = large, .timestamp = 12});
    probe_run(&world, 0, &probe);
    ck_assert_int_eq(probe.result.outcome, COORDINATOR_OK);
    ck_assert_uint_eq(marks(ENV_MARK_READ_REPAIRING), 2);
    probe_run(&world, 0, &probe);
    ck_assert_uint_eq(marks(ENV_MARK_READ_MISMATCH), 1);
    probe_deinit(&probe);
    free(large);
}
END_TEST

START_TEST(counter_shards_merge_and_are_repaired)
{
    for (int member = 0; member < 3; member++)
        probe_apply(&world, (size_t)member,
                    &(struct probe_change){.key = key,
                                           .c = "c1",
                                           .timestamp = 10 + member,
                                           .shard = member + 1,
                                           .clock = 5,
                                           .count = 100 * (member + 1)});
    probe_apply(&world, 2,
                &(struct probe_change){
                    .key = key, .c = "c1", .timestamp = 13, .shard = 1, .clock = 6, .count = 101});
    const char *keys[] = {key};
    struct probe_read probe = {
        .table = "counts", .keys = keys, .key_count = 1, .consistency = CONSISTENCY_ALL};
    probe_run(&world, 0, &probe);
    char text[64];
    (void)snprintf(text, sizeof text, "%s{ c1=601}", key);
    ck_assert_str_eq((const char *)probe.text.data, text);
    ck_assert(are_equal(0, 1, "counts"));
    ck_assert(are_equal(1, 2, "counts"));
    probe_deinit(&probe);
}
END_TEST

// ---- Short reads --------------------------------------------------------------------------------

// Member 0 knows that 1,500 rows are deleted; the others still show them to it.
START_TEST(deleted_rows_do_not_end_a_read_with_a_limit)
{
    char c[16];
    for (int i = 0; i < 1500; i++) {
        (void)snprintf(c, sizeof c, "c%05d", i);
        put(1, c, "old", 10);
        put(2, c, "old", 10);
        probe_apply(
            &world, 0,
            &(struct probe_change){.key = key, .c = c, .timestamp = 11, .deletes_row = true});
    }
    put_all("d1", "live", 12);
    put_all("d2", "live", 12);
    put_all("d3", "live", 12);
    const char *keys[] = {key};
    struct probe_read probe = {
        .keys = keys, .key_count = 1, .consistency = CONSISTENCY_QUORUM, .rows_wanted = 2};
    char text[64];
    probe_run(&world, 1, &probe);
    (void)snprintf(text, sizeof text, "%s{ c00000=old,- c00001=old,-}", key);
    // Members 1 and 2 agree that nothing is deleted; what they show is what QUORUM may show.
    if (marks(ENV_MARK_READ_MISMATCH) == 0) ck_assert_str_eq((const char *)probe.text.data, text);
    probe_run(&world, 0, &probe);
    (void)snprintf(text, sizeof text, "%s{ d1=live,- d2=live,-}", key);
    ck_assert_int_eq(probe.result.outcome, COORDINATOR_OK);
    ck_assert_str_eq((const char *)probe.text.data, text);
    ck_assert_uint_gt(marks(ENV_MARK_READ_CONTINUED), 0);
    ck_assert_uint_lt(marks(ENV_MARK_READ_CONTINUED), 10);
    probe.reversed = true;
    probe.rows_wanted = 4;
    probe.consistency = CONSISTENCY_ALL;
    probe_run(&world, 2, &probe);
    (void)snprintf(text, sizeof text, "%s{ d3=live,- d2=live,- d1=live,-}", key);
    ck_assert_str_eq((const char *)probe.text.data, text);
    ck_assert(are_equal(0, 1, "t"));
    probe_deinit(&probe);
}
END_TEST

START_TEST(a_long_partition_comes_in_chunks)
{
    char c[16];
    for (int i = 0; i < 3500; i++) {
        (void)snprintf(c, sizeof c, "c%05d", i);
        put_all(c, "x", 10);
        if (i % 100 == 0) put((size_t)(i / 100 % 3), c, "newer", 11);
    }
    probe_apply(&world, 1, &(struct probe_change){.key = key, .s = "S", .timestamp = 10});
    const char *keys[] = {key};
    struct probe_read probe = {.keys = keys, .key_count = 1, .consistency = CONSISTENCY_ALL};
    for (int reversed = 0; reversed < 2; reversed++) {
        probe.reversed = reversed == 1;
        probe_run(&world, 0, &probe);
        ck_assert_int_eq(probe.result.outcome, COORDINATOR_OK);
        ck_assert_uint_eq(probe.rows, 3500);
        size_t newer = 0;
        for (const char *at = (const char *)probe.text.data; (at = strstr(at, "newer")) != NULL;
             at++)
            newer++;
        ck_assert_uint_eq(newer, 35);
    }
    ck_assert(are_equal(0, 1, "t") && are_equal(1, 2, "t"));
    probe_deinit(&probe);
}
END_TEST

START_TEST(a_range_deletion_over_several_chunks_is_repaired_whole)
{
    char c[16];
    for (int i = 0; i < 2500; i++) {
        (void)snprintf(c, sizeof c, "c%05d", i);
        put_all(c, "x", i % 2 == 0 ? 30 : 10);
    }
    probe_apply(&world, 1,
                &(struct probe_change){
                    .key = key, .timestamp = 20, .delete_from = "c00100", .delete_to = "c02400"});
    const char *keys[] = {key};
    struct probe_read probe = {.keys = keys, .key_count = 1, .consistency = CONSISTENCY_ALL};
    probe.reversed = _i == 1;
    probe_run(&world, 0, &probe);
    ck_assert_int_eq(probe.result.outcome, COORDINATOR_OK);
    ck_assert_uint_eq(probe.rows, 2500 - 1150);
    uint64_t mismatches = marks(ENV_MARK_READ_MISMATCH);
    probe_run(&world, 2, &probe);
    ck_assert_uint_eq(probe.rows, 2500 - 1150);
    ck_assert_uint_eq(marks(ENV_MARK_READ_MISMATCH), mismatches);
    probe_deinit(&probe);
}
END_TEST

// ---- Ranges and several keys --------------------------------------------------------------------

static void put_many(int count)
{
    char name[16];
    for (int i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "p%04d", i);
        const struct probe_change change = {
            .key = name, .c = "c", .a = "x", .timestamp = 10, .is_insert = true};
        // One of the replicas misses it.
        for (size_t member = 0; member < world.count; member++)
            if (i % 4 != (int)member) probe_apply(&world, member, &change);
    }
}

START_TEST(a_scan_shows_what_any_of_a_quorum_has)
{
    put_many(2500);
    struct probe_read probe = {.consistency = CONSISTENCY_ALL};
    probe_run(&world, 1, &probe);
    ck_assert_int_eq(probe.result.outcome, COORDINATOR_OK);
    ck_assert_uint_eq(probe.rows, 2500);
    uint64_t mismatches = marks(ENV_MARK_READ_MISMATCH);
    ck_assert_uint_gt(mismatches, 0);
    probe_run(&world, 2, &probe);
    ck_assert_uint_eq(probe.rows, 2500);
    ck_assert_uint_eq(marks(ENV_MARK_READ_MISMATCH), mismatches);
    probe_deinit(&probe);
}
END_TEST

START_TEST(a_scan_with_a_limit_stops_there)
{
    put_many(200);
    struct probe_read probe = {.consistency = CONSISTENCY_QUORUM, .rows_wanted = 7};
    probe_run(&world, 0, &probe);
    ck_assert_int_eq(probe.result.outcome, COORDINATOR_OK);
    ck_assert_uint_eq(probe.rows, 7);
    probe_deinit(&probe);
}
END_TEST

START_TEST(rows_of_a_partition_that_are_not_wanted_are_passed_over)
{
    char c[16];
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(c, sizeof c, "c%05d", i);
        put_all(c, "x", 10);
    }
    put_many(100);
    struct probe_read probe = {.consistency = CONSISTENCY_ALL, .rows_per_partition = 2};
    probe_run(&world, 0, &probe);
    ck_assert_int_eq(probe.result.outcome, COORDINATOR_OK);
    ck_assert_uint_eq(probe.rows, 102);
    probe_deinit(&probe);
}
END_TEST

START_TEST(several_keys_come_in_the_order_asked)
{
    put_many(40);
    char names[40][8];
    const char *keys[40];
    struct buffer wanted;
    buffer_init(&wanted, 65536);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(names[i], sizeof names[i], "p%04u", (unsigned)(39 - i) & 63u);
        keys[i] = names[i];
        buffer_put_format(&wanted, "%s{ c=x,-}", names[i]);
    }
    buffer_put_u8(&wanted, 0);
    struct probe_read probe = {.keys = keys, .key_count = 40, .consistency = CONSISTENCY_QUORUM};
    probe_run(&world, 2, &probe);
    ck_assert_int_eq(probe.result.outcome, COORDINATOR_OK);
    ck_assert_str_eq((const char *)probe.text.data, (const char *)wanted.data);
    probe_deinit(&probe);
    buffer_deinit(&wanted);
}
END_TEST

// ---- Replicas that are gone, slow, or refuse ----------------------------------------------------

START_TEST(one_of_three_down_is_enough_for_quorum_and_not_for_all)
{
    put_all("c1", "x", 10);
    ring_world_run(&world, 0.2, NULL);
    ring_world_kill(&world, 2, false);
    expect(0, CONSISTENCY_QUORUM, " c1=x,-");
    const char *keys[] = {key};
    struct probe_read probe = {.keys = keys, .key_count = 1, .consistency = CONSISTENCY_ALL};
    probe_run(&world, 0, &probe);
    ck_assert_int_eq(probe.result.outcome, COORDINATOR_UNAVAILABLE);
    ck_assert_int_eq(probe.result.required, 3);
    ck_assert_int_eq(probe.result.alive, 2);
    probe.keys = NULL;
    probe.key_count = 0;
    probe_run(&world, 0, &probe);
    ck_assert_int_eq(probe.result.outcome, COORDINATOR_UNAVAILABLE);
    probe_deinit(&probe);
}
END_TEST

START_TEST(a_replica_that_dies_during_the_read_is_replaced)
{
    put_all("c1", "x", 10);
    expect(0, CONSISTENCY_QUORUM, " c1=x,-");
    // It does not hear us, and then it dies: the connection breaks.
    messaging_set_fault(world.members[0].messaging, 1,
                        &(struct messaging_fault){.delay_ns = 1000000000});
    const char *keys[] = {key};
    struct probe_read probe = {.keys = keys, .key_count = 1, .consistency = CONSISTENCY_QUORUM};
    probe_begin(&world, 0, &probe);
    ring_world_kill(&world, 1, false);
    ring_world_run(&world, 4, &probe.is_done);
    ck_assert_int_eq(probe.result.outcome, COORDINATOR_OK);
    ck_assert_uint_gt(marks(ENV_MARK_READ_REPLACED) + marks(ENV_MARK_READ_SPECULATED), 0);
    probe_deinit(&probe);
}
END_TEST

START_TEST(a_slow_replica_is_not_waited_for)
{
    put_all("c1", "x", 10);
    expect(0, CONSISTENCY_QUORUM, " c1=x,-");
    messaging_set_fault(world.members[0].messaging, 1,
                        &(struct messaging_fault){.blocks_out = true});
    expect(0, CONSISTENCY_QUORUM, " c1=x,-");
    ck_assert_uint_eq(marks(ENV_MARK_READ_SPECULATED), 1);
    ck_assert_uint_eq(marks(ENV_MARK_READ_TIMED_OUT), 0);
}
END_TEST

START_TEST(who_is_cut_off_from_us_is_asked_last)
{
    const struct messaging_fault cut = {.blocks_out = true, .blocks_in = true};
    put_all("c1", "x", 10);
    messaging_set_fault(world.members[0].messaging, 1, &cut);
    messaging_set_fault(world.members[1].messaging, 0, &cut);
    ring_world_run(&world, 3, NULL);
    ck_assert(liveness_is_up(world.members[0].liveness, 1));
    expect(0, CONSISTENCY_QUORUM, " c1=x,-");
    expect(1, CONSISTENCY_QUORUM, " c1=x,-");
    ck_assert_uint_eq(marks(ENV_MARK_READ_SPECULATED), 0);
}
END_TEST

START_TEST(silence_of_all_others_is_a_timeout)
{
    put_all("c1", "x", 10);
    expect(0, CONSISTENCY_ALL, " c1=x,-");
    for (uint16_t i = 1; i < 3; i++)
        messaging_set_fault(world.members[0].messaging, i,
                            &(struct messaging_fault){.blocks_out = true});
    const char *keys[] = {key};
    struct probe_read probe = {.keys = keys, .key_count = 1, .consistency = CONSISTENCY_QUORUM};
    probe_run(&world, 0, &probe);
    ck_assert_int_eq(probe.result.outcome, COORDINATOR_TIMED_OUT);
    ck_assert_int_eq(probe.result.required, 2);
    ck_assert_int_eq(probe.result.received, 1);
    ck_assert(probe.result.data_present);
    probe_deinit(&probe);
}
END_TEST

START_TEST(a_stale_replica_that_comes_back_is_repaired_at_all)
{
    put_all("c1", "old", 10);
    ring_world_run(&world, 0.2, NULL);
    ring_world_kill(&world, 1, true);
    put(0, "c1", "new", 20);
    put(2, "c1", "new", 20);
    expect(0, CONSISTENCY_QUORUM, " c1=new,-");
    ring_world_start(&world, 1);
    expect(1, CONSISTENCY_QUORUM, " c1=new,-");
    ck_assert(are_equal(0, 1, "t"));
    expect(1, CONSISTENCY_ONE, " c1=new,-");
}
END_TEST

START_TEST(reads_under_way_end_with_their_process)
{
    put_all("c1", "x", 10);
    for (uint16_t i = 1; i < 3; i++)
        messaging_set_fault(world.members[0].messaging, i,
                            &(struct messaging_fault){.delay_ns = 500000000});
    const char *keys[] = {key};
    struct probe_read probe = {.keys = keys, .key_count = 1, .consistency = CONSISTENCY_QUORUM};
    probe_begin(&world, 0, &probe);
    ring_world_run(&world, 0.01, NULL);
    ck_assert(!probe.is_done);
    coordinator_read_abandon(&probe.read);
    ring_world_kill(&world, 0, false);
    probe_deinit(&probe);
}
END_TEST

// ---- What a table says --------------------------------------------------------------------------

struct alteration {
    struct metadata_schema_change change;
    bool is_done;
};

static void altered(struct metadata_schema_change *change, enum status status)
{
    ck_assert_int_eq(status, STATUS_OK);
    CONTAINER_OF(change, struct alteration, change)->is_done = true;
}

static void alter_table(const char *speculative_retry, const char *read_repair)
{
    struct table_builder *builder = table_builder_copy(ring_world_table(&world, 0, "t"));
    struct table_params *params = table_builder_params(builder);
    if (speculative_retry != NULL) params->speculative_retry = slice_of_text(speculative_retry);
    if (read_repair != NULL) params->read_repair = slice_of_text(read_repair);
    const struct table *table = table_builder_finish(builder);
    struct alteration alteration = {0};
    metadata_put_table(world.members[0].metadata, &alteration.change, table, altered);
    ring_world_run(&world, 30, &alteration.is_done);
    table_unref(table);
    ring_world_run(&world, 0.5, NULL);
}

START_TEST(without_read_repair_nothing_is_written)
{
    alter_table(NULL, "NONE");
    put_all("c1", "x", 10);
    put(2, "c1", "y", 11);
    expect(0, CONSISTENCY_ALL, " c1=y,-");
    expect(0, CONSISTENCY_ALL, " c1=y,-");
    ck_assert_uint_eq(marks(ENV_MARK_READ_MISMATCH), 2);
    ck_assert_uint_eq(marks(ENV_MARK_READ_REPAIRING), 0);
    ck_assert(!are_equal(0, 2, "t"));
}
END_TEST

static void purge_only_what_is_repaired(void)
{
    struct option items[] = {
        {slice_of_text("class"), slice_of_text("SizeTieredCompactionStrategy")},
        {slice_of_text("only_purge_repaired_tombstones"), slice_of_text("true")},
    };
    const struct options compaction = {items, 2};
    struct table_builder *builder = table_builder_copy(ring_world_table(&world, 0, "t"));
    table_builder_params(builder)->compaction =
        options_copy(table_builder_arena(builder), &compaction);
    const struct table *table = table_builder_finish(builder);
    struct alteration alteration = {0};
    metadata_put_table(world.members[0].metadata, &alteration.change, table, altered);
    ring_world_run(&world, 30, &alteration.is_done);
    table_unref(table);
    ring_world_run(&world, 0.5, NULL);
}

// Two replicas missed a deletion, which is older than gc_grace_seconds. A table that wants its
// tombstones kept until they are repaired does not show the row again.
START_TEST(a_tombstone_that_is_not_repaired_is_in_the_answer)
{
    bool is_kept = _i == 1;
    if (is_kept) purge_only_what_is_repaired();
    put(1, "c1", "x", 10);
    put(2, "c1", "x", 10);
    probe_apply(
        &world, 0,
        &(struct probe_change){.key = key, .c = "c1", .timestamp = 20, .deletes_row = true});
    const char *keys[] = {key};
    struct probe_read probe = {
        .keys = keys, .key_count = 1, .consistency = CONSISTENCY_ALL, .now_s = 2000 + 864000};
    probe_run(&world, 0, &probe);
    ck_assert_int_eq(probe.result.outcome, COORDINATOR_OK);
    bool is_shown = strstr((const char *)probe.text.data, "c1=x") != NULL;
    ck_assert_int_eq(is_shown, !is_kept);
    probe_deinit(&probe);
}
END_TEST

START_TEST(a_slow_replica_is_waited_for_when_the_table_says_never)
{
    alter_table("NEVER", NULL);
    put_all("c1", "x", 10);
    messaging_set_fault(world.members[0].messaging, 1,
                        &(struct messaging_fault){.delay_ns = 400000000});
    expect(0, CONSISTENCY_QUORUM, " c1=x,-");
    ck_assert_uint_eq(marks(ENV_MARK_READ_SPECULATED), 0);
}
END_TEST

START_TEST(one_more_replica_is_always_asked_when_the_table_says_so)
{
    alter_table("ALWAYS", NULL);
    put_all("c1", "x", 10);
    messaging_set_fault(world.members[0].messaging, 1,
                        &(struct messaging_fault){.delay_ns = 400000000});
    expect(0, CONSISTENCY_QUORUM, " c1=x,-");
    ck_assert_uint_eq(marks(ENV_MARK_READ_SPECULATED), 1);
}
END_TEST

// The coordinator's statement was prepared before a column came.
START_TEST(a_table_with_a_column_more_is_read_under_its_older_version)
{
    const struct table *older = ring_world_table(&world, 0, "t");
    table_ref(older);
    put_all("c1", "x", 10);
    struct table_builder *builder = table_builder_copy(older);
    table_builder_add_column(builder, slice_of_text("aa"), type_of_kind(TYPE_TEXT), COLUMN_REGULAR,
                             false);
    const struct table *newer = table_builder_finish(builder);
    struct alteration alteration = {0};
    metadata_put_table(world.members[0].metadata, &alteration.change, newer, altered);
    ring_world_run(&world, 30, &alteration.is_done);
    table_unref(newer);
    const char *keys[] = {key};
    struct probe_read probe = {.keys = keys, .key_count = 1, .consistency = CONSISTENCY_ALL};
    probe.version = older;
    probe_run(&world, 0, &probe);
    ck_assert_int_eq(probe.result.outcome, COORDINATOR_OK);
    ck_assert_ptr_nonnull(strstr((const char *)probe.text.data, "c1=x,-"));
    probe_deinit(&probe);
    table_unref(older);
}
END_TEST

// ---- Other replica sets -------------------------------------------------------------------------

static void open_five(void)
{
    ring_world_open(&world, &(struct ring_world_options){.count = 5, .seed = 2, .factor = 2});
    ring_world_find_key(&world, 0, key);
}

START_TEST(a_member_that_has_no_copy_reads_from_others)
{
    put(0, "c1", "x", 10);
    put(1, "c1", "y", 11);
    expect(3, CONSISTENCY_QUORUM, " c1=y,-");
    ck_assert(are_equal(0, 1, "t"));
    expect(4, CONSISTENCY_ONE, " c1=y,-");
}
END_TEST

START_TEST(a_scan_goes_round_the_ring)
{
    char name[16];
    for (int i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof name, "p%04d", i);
        const struct probe_change change = {
            .key = name, .c = "c", .a = "x", .timestamp = 10, .is_insert = true};
        size_t place = topology_find_place(world.topology, token_of_key(slice_of_text(name)));
        uint16_t primary = world.topology->places[place].member;
        probe_apply(&world, primary, &change);
        if (i % 2 == 0) probe_apply(&world, (primary + 1u) % 5, &change);
    }
    struct probe_read probe = {.consistency = CONSISTENCY_ALL};
    probe_run(&world, 3, &probe);
    ck_assert_int_eq(probe.result.outcome, COORDINATOR_OK);
    ck_assert_uint_eq(probe.rows, 300);
    probe.consistency = CONSISTENCY_ONE; // Repaired before.
    probe_run(&world, 1, &probe);
    ck_assert_uint_eq(probe.rows, 300);
    probe_deinit(&probe);
}
END_TEST

START_TEST(quorums_of_data_centers)
{
    const char *const centers[] = {"dc1", "dc1", "dc2", "dc2"};
    ring_world_open(&world, &(struct ring_world_options){
                                .count = 4, .seed = 3, .factor = 2, .centers = centers});
    ring_world_find_key(&world, 0, key);
    put_all("c1", "x", 10);
    put(3, "c1", "y", 11);
    expect(0, CONSISTENCY_LOCAL_QUORUM, " c1=x,-");
    expect(0, CONSISTENCY_EACH_QUORUM, " c1=y,-");
    expect(1, CONSISTENCY_LOCAL_QUORUM, " c1=y,-");
    ring_world_close(&world);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("remote_read");
    TCase *three = tcase_create("three");
    tcase_add_checked_fixture(three, open_three, close_world);
    tcase_set_timeout(three, 120);
    tcase_add_test(three, equal_replicas_are_read_by_digest_at_every_level);
    tcase_add_test(three, what_is_not_there_is_equal_too);
    tcase_add_test(three, an_answer_shows_only_what_is_synced);
    tcase_add_test(three, a_flushed_replica_has_the_digest_of_an_unflushed_one);
    tcase_add_loop_test(three, a_difference_is_merged_and_repaired_at_all, 0, DIVERGENCE_COUNT);
    tcase_add_loop_test(three, a_difference_of_another_replica_is_repaired_too, 0,
                        DIVERGENCE_COUNT);
    tcase_add_loop_test(three, a_difference_is_repaired_at_quorum_by_those_that_were_asked, 0,
                        DIVERGENCE_COUNT);
    tcase_add_loop_test(three, a_difference_is_repaired_when_read_backwards, 0, DIVERGENCE_COUNT);
    tcase_add_test(three, each_replica_gets_what_it_lacks);
    tcase_add_test(three, a_row_larger_than_a_mutation_is_read_and_repaired);
    tcase_add_test(three, counter_shards_merge_and_are_repaired);
    tcase_add_test(three, deleted_rows_do_not_end_a_read_with_a_limit);
    tcase_add_test(three, a_long_partition_comes_in_chunks);
    tcase_add_loop_test(three, a_range_deletion_over_several_chunks_is_repaired_whole, 0, 2);
    tcase_add_test(three, a_scan_shows_what_any_of_a_quorum_has);
    tcase_add_test(three, a_scan_with_a_limit_stops_there);
    tcase_add_test(three, rows_of_a_partition_that_are_not_wanted_are_passed_over);
    tcase_add_test(three, several_keys_come_in_the_order_asked);
    tcase_add_test(three, one_of_three_down_is_enough_for_quorum_and_not_for_all);
    tcase_add_test(three, a_replica_that_dies_during_the_read_is_replaced);
    tcase_add_test(three, a_slow_replica_is_not_waited_for);
    tcase_add_test(three, who_is_cut_off_from_us_is_asked_last);
    tcase_add_test(three, silence_of_all_others_is_a_timeout);
    tcase_add_test(three, a_stale_replica_that_comes_back_is_repaired_at_all);
    tcase_add_test(three, reads_under_way_end_with_their_process);
    tcase_add_test(three, without_read_repair_nothing_is_written);
    tcase_add_loop_test(three, a_tombstone_that_is_not_repaired_is_in_the_answer, 0, 2);
    tcase_add_test(three, a_slow_replica_is_waited_for_when_the_table_says_never);
    tcase_add_test(three, one_more_replica_is_always_asked_when_the_table_says_so);
    tcase_add_test(three, a_table_with_a_column_more_is_read_under_its_older_version);
    suite_add_tcase(suite, three);
    TCase *five = tcase_create("five");
    tcase_add_checked_fixture(five, open_five, close_world);
    tcase_set_timeout(five, 120);
    tcase_add_test(five, a_member_that_has_no_copy_reads_from_others);
    tcase_add_test(five, a_scan_goes_round_the_ring);
    suite_add_tcase(suite, five);
    TCase *centers = tcase_create("centers");
    tcase_add_test(centers, quorums_of_data_centers);
    suite_add_tcase(suite, centers);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
