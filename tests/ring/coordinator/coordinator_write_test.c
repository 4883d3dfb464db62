// Writes and increments in a ring of three: how many copies there are when a level is reached, what
// is said when it is not, and what members that were away get later.
#include "ring/coordinator/coordinator.h"

#include "base/container_of.h"
#include "ring/consistency.h"
#include "ring/coordinator/replica_increment.h"
#include "storage/counter_context.h"
#include "tests/ring/support/ring_world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct ring_world world;

static void setup(void)
{
    ring_world_open(&world, &(struct ring_world_options){.count = 3, .factor = 3, .seed = 1});
}

static void setup_one_copy(void)
{
    ring_world_open(&world, &(struct ring_world_options){.count = 3, .factor = 1, .seed = 1});
}

static void setup_two_copies(void)
{
    ring_world_open(&world, &(struct ring_world_options){.count = 3, .factor = 2, .seed = 1});
}

static void setup_two_centers(void)
{
    static const char *const centers[] = {"dc1", "dc1", "dc2", "dc2"};
    ring_world_open(&world, &(struct ring_world_options){
                                .count = 4, .factor = 2, .seed = 1, .centers = centers});
}

static void setup_one_copy_in_each_of_two_centers(void)
{
    static const char *const centers[] = {"dc1", "dc1", "dc2", "dc2"};
    ring_world_open(&world, &(struct ring_world_options){
                                .count = 4, .factor = 1, .seed = 1, .centers = centers});
}

static void setup_two_large_centers(void)
{
    static const char *const centers[] = {"dc1", "dc1", "dc1", "dc2", "dc2", "dc2"};
    ring_world_open(&world, &(struct ring_world_options){
                                .count = 6, .factor = 3, .seed = 1, .centers = centers});
}

static void setup_periodic(void)
{
    ring_world_open(&world, &(struct ring_world_options){
                                .count = 3, .factor = 3, .seed = 1, .is_periodic = true});
}

static void setup_periodic_one_copy(void)
{
    ring_world_open(&world, &(struct ring_world_options){
                                .count = 3, .factor = 1, .seed = 1, .is_periodic = true});
}

static void teardown(void)
{
    ring_world_close(&world);
}

// ---- Operations ---------------------------------------------------------------------------------

struct written {
    struct coordinator_write write;
    struct coordinator_increment increment;
    struct coordinator_result result;
    bool is_done;
};

static void write_done(struct coordinator_write *write, const struct coordinator_result *result)
{
    struct written *written = CONTAINER_OF(write, struct written, write);
    written->result = *result;
    written->is_done = true;
}

static void increment_done(struct coordinator_increment *increment,
                           const struct coordinator_result *result)
{
    struct written *written = CONTAINER_OF(increment, struct written, increment);
    written->result = *result;
    written->is_done = true;
}

static struct slice clustering_value;

static void start_write(struct written *written, size_t at, const char *key, const char *value,
                        enum consistency consistency)
{
    *written = (struct written){0};
    clustering_value = slice_of_text("row");
    struct cell cell = {.column = 0,
                        .local_time = LOCAL_TIME_NONE,
                        .timestamp = 1000 + (int64_t)world.options.seed++,
                        .value = slice_of_text(value)};
    struct row row = {.clustering = {1, &clustering_value},
                      .liveness = LIVENESS_NONE,
                      .deletion = DELETION_NONE,
                      .cells = &cell,
                      .cell_count = 1};
    struct mutation mutation = {.table = ring_world_table(&world, at, "t"),
                                .key = partition_key_make(slice_of_text(key)),
                                .deletion = DELETION_NONE,
                                .rows = &row,
                                .row_count = 1};
    coordinator_write_start(world.members[at].coordinator, &written->write, &mutation, 1,
                            consistency, write_done);
    ck_assert(!written->is_done);
}

static enum coordinator_outcome write_at(size_t at, const char *key, const char *value,
                                         enum consistency consistency,
                                         struct coordinator_result *result)
{
    struct written written;
    start_write(&written, at, key, value, consistency);
    ring_world_run(&world, 30, &written.is_done);
    if (result != NULL) *result = written.result;
    return written.result.outcome;
}

static enum coordinator_outcome increment_at(size_t at, const char *key, int64_t delta,
                                             enum consistency consistency,
                                             struct coordinator_result *result)
{
    struct written written = {0};
    clustering_value = slice_of_text("row");
    struct clustering clustering = {1, &clustering_value};
    struct counter_increment increment = {.clustering = &clustering, .column = 0, .delta = delta};
    struct counter_update update = {.table = ring_world_table(&world, at, "counts"),
                                    .key = partition_key_make(slice_of_text(key)),
                                    .increments = &increment,
                                    .increment_count = 1,
                                    .timestamp_us = env_wall_us(world.members[at].env)};
    coordinator_increment_start(world.members[at].coordinator, &written.increment, &update, 1,
                                consistency, increment_done);
    ck_assert(!written.is_done);
    ring_world_run(&world, 30, &written.is_done);
    if (result != NULL) *result = written.result;
    return written.result.outcome;
}

// What a member has itself in the first column of the row, as text; "-": nothing.
static void read_local(size_t at, const char *table_name, const char *key, char *text, size_t size)
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
    ck_assert_int_eq(engine_read(member->engine, ring_world_table(&world, at, table_name),
                                 &partition_key, &filter, &pins, &arena, &partition, &position),
                     STATUS_OK);
    (void)snprintf(text, size, "-");
    struct unfiltered unfiltered;
    while (partition != NULL && partition_iterator_next(partition, &unfiltered) == STATUS_OK) {
        if (unfiltered.is_marker || unfiltered.row->cell_count == 0) continue;
        const struct cell *cell = &unfiltered.row->cells[0];
        if (strcmp(table_name, "counts") == 0)
            (void)snprintf(text, size, "%lld", (long long)counter_context_total(cell->value));
        else
            (void)snprintf(text, size, "%.*s", (int)cell->value.size,
                           (const char *)cell->value.data);
    }
    if (partition != NULL) partition_iterator_close(partition);
    read_pins_release(&pins);
    arena_deinit(&arena);
}

static void assert_has(size_t at, const char *table, const char *key, const char *expected)
{
    char text[64];
    read_local(at, table, key, text, sizeof text);
    ck_assert_msg(strcmp(text, expected) == 0, "member %zu has %s for %s, not %s", at, text, key,
                  expected);
}

static int count_having(const char *table, const char *key, const char *expected)
{
    int count = 0;
    for (size_t i = 0; i < world.count; i++) {
        char text[64];
        if (world.members[i].env == NULL) continue;
        read_local(i, table, key, text, sizeof text);
        count += strcmp(text, expected) == 0;
    }
    return count;
}

// All at once, in this moment; and then they are back.
static void lose_power(void)
{
    for (size_t i = 0; i < 3; i++)
        sim_machine_crash(world.members[i].machine);
    for (size_t i = 0; i < 3; i++) {
        while (world.members[i].env != NULL)
            ck_assert(sim_world_step(world.sim));
    }
    for (size_t i = 0; i < 3; i++)
        ring_world_start(&world, i);
}

// ---- Writes -------------------------------------------------------------------------------------

START_TEST(a_write_at_all_is_everywhere_when_it_is_done)
{
    struct coordinator_result result;
    ck_assert_int_eq(write_at(1, "key", "x", CONSISTENCY_ALL, &result), COORDINATOR_OK);
    ck_assert_int_eq(result.required, 3);
    ck_assert_int_eq(result.received, 3);
    for (size_t i = 0; i < 3; i++)
        assert_has(i, "t", "key", "x");
}
END_TEST

START_TEST(an_acknowledged_write_survives_power_loss_of_as_many_as_the_level_says)
{
    struct coordinator_result result;
    ck_assert_int_eq(write_at(0, "key", "x", CONSISTENCY_QUORUM, &result), COORDINATOR_OK);
    ck_assert_int_ge(result.received, 2);
    lose_power();
    ck_assert_int_ge(count_having("t", "key", "x"), 2);
}
END_TEST

static void job_is_submitted(struct metadata_job_change *change, enum status status)
{
    ck_assert_int_eq(status, STATUS_OK);
    (void)change;
}

// A job that counts in table "t", as far as the metadata log knows.
static void submit_job(void)
{
    struct metadata_job_change change;
    struct job job = {.id = {{1}}, .submission_id = {{2}}, .source_count = 1, .output_count = 1};
    job.outputs[0].table = ring_world_table(&world, 0, "t")->id;
    metadata_submit_job(world.members[0].metadata, &change, &job, job_is_submitted);
    for (size_t i = 0; i < world.count; i++) {
        while (jobs_at(metadata_jobs(world.members[i].metadata), 0) == NULL)
            ring_world_run(&world, 0.01, NULL);
    }
    ring_world_run(&world, 1, NULL);
}

// The log says for good that a batch is done, and nobody counts it again.
START_TEST(what_a_job_writes_is_on_the_disk_in_every_sync_mode)
{
    int copies = world.options.factor;
    ck_assert_int_eq(write_at(0, "key", "plain", CONSISTENCY_ALL, NULL), COORDINATOR_OK);
    lose_power();
    ck_assert_int_eq(count_having("t", "key", "plain"), 0);
    submit_job();
    for (int i = 0; i < 3; i++) {
        char value[32];
        (void)snprintf(value, sizeof value, "counted%d", i);
        ck_assert_int_eq(write_at((size_t)i, "key", value, CONSISTENCY_ALL, NULL), COORDINATOR_OK);
        lose_power();
        ck_assert_int_eq(count_having("t", "key", value), copies);
    }
}
END_TEST

START_TEST(who_fails_is_told_by_name)
{
    struct coordinator_result result;
    engine_drop_table(world.members[2].engine, ring_world_table(&world, 0, "t")->id);
    ck_assert_int_eq(write_at(0, "a", "1", CONSISTENCY_ALL, &result), COORDINATOR_FAILED);
    ck_assert_int_eq(result.failures, 1);
    ck_assert_uint_eq(result.fault_count, 1);
    ck_assert_uint_eq(result.faults[0].member, 2);
    const unsigned incompatible_schema = 3;
    ck_assert_uint_eq(result.faults[0].reason, incompatible_schema);
    ck_assert_int_eq(write_at(0, "a", "2", CONSISTENCY_QUORUM, &result), COORDINATOR_OK);
}
END_TEST

START_TEST(a_write_goes_to_the_one_that_has_the_key)
{
    for (uint16_t owner = 0; owner < 3; owner++) {
        char key[16];
        ring_world_find_key(&world, owner, key);
        ck_assert_int_eq(write_at(1, key, "x", CONSISTENCY_ONE, NULL), COORDINATOR_OK);
        for (uint16_t i = 0; i < 3; i++)
            assert_has(i, "t", key, i == owner ? "x" : "-");
    }
}
END_TEST

START_TEST(unavailable_is_said_before_anything_is_sent)
{
    struct coordinator_result result;
    ring_world_kill(&world, 2, false);
    ck_assert_int_eq(write_at(0, "key", "x", CONSISTENCY_ALL, &result), COORDINATOR_UNAVAILABLE);
    ck_assert_int_eq(result.required, 3);
    ck_assert_int_eq(result.alive, 2);
    ck_assert_int_eq(count_having("t", "key", "x"), 0);
    ck_assert_int_eq(write_at(0, "key", "x", CONSISTENCY_QUORUM, &result), COORDINATOR_OK);
    ring_world_kill(&world, 1, false);
    ck_assert_int_eq(write_at(0, "key", "y", CONSISTENCY_QUORUM, &result), COORDINATOR_UNAVAILABLE);
    ck_assert_int_eq(result.alive, 1);
    ck_assert_int_eq(write_at(0, "key", "y", CONSISTENCY_ONE, &result), COORDINATOR_OK);
}
END_TEST

START_TEST(a_member_that_was_down_gets_its_hints)
{
    ring_world_kill(&world, 2, false);
    char key[16];
    for (int i = 0; i < 50; i++) {
        (void)snprintf(key, sizeof key, "key%d", i);
        ck_assert_int_eq(write_at((size_t)i % 2, key, "x", CONSISTENCY_QUORUM, NULL),
                         COORDINATOR_OK);
    }
    ck_assert_uint_gt(hints_size(world.members[0].hints, 2), 0);
    ring_world_start(&world, 2);
    ring_world_run(&world, 5, NULL);
    for (int i = 0; i < 50; i++) {
        (void)snprintf(key, sizeof key, "key%d", i);
        assert_has(2, "t", key, "x");
    }
    ck_assert_uint_eq(hints_size(world.members[0].hints, 2), 0);
    ck_assert_uint_eq(hints_size(world.members[1].hints, 2), 0);
    ck_assert_uint_gt(sim_world_marks(world.sim, ENV_MARK_HINT_FILE_DONE), 0);
}
END_TEST

START_TEST(hints_outlive_their_keeper)
{
    ring_world_kill(&world, 2, false);
    ck_assert_int_eq(write_at(0, "key", "x", CONSISTENCY_ONE, NULL), COORDINATOR_OK);
    ring_world_run(&world, 1, NULL);
    ring_world_kill(&world, 0, true);
    // Who the keeper told has it, too; but it is 0 that has the hint.
    ring_world_start(&world, 0);
    ring_world_start(&world, 2);
    ring_world_run(&world, 5, NULL);
    assert_has(2, "t", "key", "x");
}
END_TEST

START_TEST(any_is_content_with_a_durable_hint)
{
    char key[16];
    struct coordinator_result result;
    ring_world_find_key(&world, 2, key);
    ring_world_kill(&world, 2, false);
    ck_assert_int_eq(write_at(0, key, "x", CONSISTENCY_ONE, &result), COORDINATOR_UNAVAILABLE);
    ck_assert_int_eq(result.required, 1);
    ck_assert_int_eq(result.alive, 0);
    ck_assert_int_eq(write_at(0, key, "x", CONSISTENCY_ANY, &result), COORDINATOR_OK);
    ring_world_kill(&world, 0, true); // In the moment of the answer.
    ring_world_start(&world, 0);
    ring_world_start(&world, 2);
    ring_world_run(&world, 5, NULL);
    assert_has(2, "t", key, "x");
}
END_TEST

START_TEST(a_silent_member_costs_all_a_timeout_and_quorum_nothing)
{
    struct coordinator_result result;
    sim_process_pause(world.members[2].env, 4000000000);
    ck_assert_int_eq(write_at(0, "key", "x", CONSISTENCY_QUORUM, NULL), COORDINATOR_OK);
    ck_assert_int_eq(write_at(0, "key", "y", CONSISTENCY_ALL, &result), COORDINATOR_TIMED_OUT);
    ck_assert_int_eq(result.received, 2);
    ck_assert_int_eq(result.required, 3);
    ring_world_run(&world, 15, NULL);
    assert_has(2, "t", "key", "y"); // By the connection, or as a hint.
}
END_TEST

// Lost on the way, while nobody is thought to be down.
START_TEST(a_message_that_gets_lost_becomes_a_hint)
{
    struct messaging_fault lost = {.lost_per_1000 = 1000};
    messaging_set_fault(world.members[0].messaging, 2, &lost);
    ck_assert_int_eq(write_at(0, "key", "x", CONSISTENCY_QUORUM, NULL), COORDINATOR_OK);
    ck_assert_int_eq(increment_at(0, "key", 3, CONSISTENCY_QUORUM, NULL), COORDINATOR_OK);
    messaging_set_fault(world.members[0].messaging, 2, &(struct messaging_fault){0});
    assert_has(2, "t", "key", "-");
    ring_world_run(&world, 6, NULL);
    assert_has(2, "t", "key", "x");
    assert_has(2, "counts", "key", "3");
    ck_assert_uint_gt(sim_world_marks(world.sim, ENV_MARK_DELIVERY_HINTED_LATE), 0);
}
END_TEST

START_TEST(several_mutations_of_one_turn_leave_in_one_message)
{
    struct written written[20];
    uint64_t before = sim_world_marks(world.sim, ENV_MARK_DELIVERY_GROUP);
    for (int i = 0; i < 20; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "key%d", i);
        start_write(&written[i], 0, key, "x", CONSISTENCY_ALL);
    }
    for (int i = 0; i < 20; i++) {
        ring_world_run(&world, 30, &written[i].is_done);
        ck_assert_int_eq(written[i].result.outcome, COORDINATOR_OK);
    }
    ck_assert_uint_eq(sim_world_marks(world.sim, ENV_MARK_DELIVERY_GROUP), before + 2);
}
END_TEST

// A member that says nothing, before anybody knows that it is down: what waits for it stays within
// its bound, and who needs it is told at once.
START_TEST(what_waits_for_a_silent_member_is_bounded)
{
    enum { COUNT = 24, SIZE = 1 << 20 };
    static struct written written[COUNT + 1];
    static char value[SIZE];
    memset(value, 'v', sizeof value - 1);
    sim_process_pause(world.members[2].env, 1500000000);
    for (int i = 0; i < COUNT; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "key%d", i);
        start_write(&written[i], 0, key, value, CONSISTENCY_QUORUM);
        ring_world_run(&world, 0.01, NULL);
    }
    start_write(&written[COUNT], 0, "last", "x", CONSISTENCY_ALL);
    ring_world_run(&world, 0.001, &written[COUNT].is_done);
    ck_assert_int_eq(written[COUNT].result.outcome, COORDINATOR_OVERLOADED);
    ck_assert_int_eq(count_having("t", "last", "x"), 0);
    for (int i = 0; i < COUNT; i++) {
        if (!written[i].is_done) ring_world_run(&world, 30, &written[i].is_done);
        ck_assert_int_eq(written[i].result.outcome, COORDINATOR_OK);
    }
    ck_assert_uint_gt(hints_size(world.members[0].hints, 2), SIZE);
    ring_world_run(&world, 20, NULL);
    for (int i = 0; i < COUNT; i++) {
        char key[16], text[4];
        (void)snprintf(key, sizeof key, "key%d", i);
        read_local(2, "t", key, text, sizeof text);
        ck_assert_str_eq(text, "vvv");
    }
}
END_TEST

// The disk of one of three stands still: the others are a quorum, and nobody waits for it.
START_TEST(a_disk_that_stalls_costs_quorum_nothing)
{
    sim_machine_set_slow(world.members[2].machine, 10000000000);
    for (int i = 0; i < 30; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "key%d", i);
        uint64_t start_ns = sim_world_now(world.sim);
        ck_assert_int_eq(write_at((size_t)i % 3, key, "x", CONSISTENCY_QUORUM, NULL),
                         COORDINATOR_OK);
        // Also through the one with the disk: its own copy is one of three.
        ck_assert_uint_lt(sim_world_now(world.sim) - start_ns, 200000000);
        start_ns = sim_world_now(world.sim);
        ck_assert_int_eq(increment_at((size_t)i % 3, key, 1, CONSISTENCY_QUORUM, NULL),
                         COORDINATOR_OK);
        ck_assert_uint_lt(sim_world_now(world.sim) - start_ns, 200000000);
    }
}
END_TEST

// ---- Data centres -------------------------------------------------------------------------------

START_TEST(levels_of_data_centers)
{
    struct coordinator_result result;
    ck_assert_int_eq(write_at(0, "a", "x", CONSISTENCY_EACH_QUORUM, &result), COORDINATOR_OK);
    ck_assert_int_eq(result.required, 4);
    ck_assert_int_eq(write_at(0, "b", "x", CONSISTENCY_LOCAL_QUORUM, &result), COORDINATOR_OK);
    ck_assert_int_eq(result.required, 2);
    ring_world_kill(&world, 3, false);
    ck_assert_int_eq(write_at(0, "c", "x", CONSISTENCY_LOCAL_QUORUM, &result), COORDINATOR_OK);
    ck_assert_int_eq(write_at(0, "c", "x", CONSISTENCY_QUORUM, &result), COORDINATOR_OK);
    ck_assert_int_eq(result.required, 3);
    ck_assert_int_eq(write_at(0, "c", "x", CONSISTENCY_EACH_QUORUM, &result),
                     COORDINATOR_UNAVAILABLE);
    ck_assert_int_eq(result.required, 2);
    ck_assert_int_eq(result.alive, 1);
    ck_assert_int_eq(write_at(2, "c", "x", CONSISTENCY_LOCAL_QUORUM, &result),
                     COORDINATOR_UNAVAILABLE);
    ck_assert_int_eq(result.alive, 1);
    ck_assert_int_eq(write_at(2, "c", "x", CONSISTENCY_LOCAL_ONE, &result), COORDINATOR_OK);
}
END_TEST

// Four answers, as many as are required, but not two of each.
START_TEST(answers_beyond_a_quorum_do_not_stand_for_another_centers)
{
    struct coordinator_result result;
    sim_process_pause(world.members[3].env, 4000000000);
    sim_process_pause(world.members[4].env, 4000000000);
    ck_assert_int_eq(write_at(0, "a", "x", CONSISTENCY_EACH_QUORUM, &result),
                     COORDINATOR_TIMED_OUT);
    ck_assert_int_eq(result.required, 4);
    ck_assert_int_eq(result.received, 3);
}
END_TEST

// ---- Counters -----------------------------------------------------------------------------------

START_TEST(increments_of_all_coordinators_add_up_on_all_replicas)
{
    for (int i = 0; i < 30; i++)
        ck_assert_int_eq(increment_at((size_t)i % 3, "key", 1 + i % 2, CONSISTENCY_ALL, NULL),
                         COORDINATOR_OK);
    for (size_t i = 0; i < 3; i++)
        assert_has(i, "counts", "key", "45");
}
END_TEST

START_TEST(an_increment_goes_to_a_leader)
{
    struct coordinator_result result;
    for (uint16_t owner = 0; owner < 3; owner++) {
        char key[16];
        ring_world_find_key(&world, owner, key);
        ck_assert_int_eq(increment_at(0, key, 5, CONSISTENCY_ONE, &result), COORDINATOR_OK);
        ck_assert_int_eq(increment_at(1, key, 6, CONSISTENCY_ONE, &result), COORDINATOR_OK);
        ck_assert_int_eq(result.received, 1);
        for (uint16_t i = 0; i < 3; i++)
            assert_has(i, "counts", key, i == owner ? "11" : "-");
    }
    ck_assert_uint_gt(sim_world_marks(world.sim, ENV_MARK_INCREMENT_LED), 0);
    ring_world_kill(&world, 2, false);
    char key[16];
    ring_world_find_key(&world, 2, key);
    ck_assert_int_eq(increment_at(0, key, 1, CONSISTENCY_ONE, &result), COORDINATOR_UNAVAILABLE);
}
END_TEST

START_TEST(an_increment_whose_leader_dies_is_not_repeated)
{
    char key[16];
    ring_world_find_key(&world, 2, key);
    struct coordinator_result result;
    sim_process_crash_at(world.members[2].env, 3, false);
    enum coordinator_outcome outcome = increment_at(0, key, 1, CONSISTENCY_ONE, &result);
    ck_assert(outcome == COORDINATOR_TIMED_OUT || outcome == COORDINATOR_OK);
    while (world.members[2].env != NULL)
        ck_assert(sim_world_step(world.sim));
    ring_world_wait_up(&world, 2, false);
    ring_world_start(&world, 2);
    ring_world_run(&world, 3, NULL);
    char text[64];
    read_local(2, "counts", key, text, sizeof text);
    ck_assert(strcmp(text, "-") == 0 || strcmp(text, "1") == 0);
}
END_TEST

struct sent {
    struct messaging_request request;
    bool is_done;
};

static void sent_done(struct messaging_request *request, enum status status, struct slice answer)
{
    (void)status;
    (void)answer;
    CONTAINER_OF(request, struct sent, request)->is_done = true;
}

static void send_named(uint64_t run, uint64_t number, const char *key)
{
    struct sent sent = {.is_done = false};
    clustering_value = slice_of_text("row");
    struct clustering clustering = {1, &clustering_value};
    struct counter_increment increment = {.clustering = &clustering, .column = 0, .delta = 1};
    struct counter_update update = {.table = ring_world_table(&world, 0, "counts"),
                                    .key = partition_key_make(slice_of_text(key)),
                                    .increments = &increment,
                                    .increment_count = 1,
                                    .timestamp_us = 1000};
    struct buffer body;
    buffer_init(&body, 4096);
    buffer_put_u64(&body, run);
    buffer_put_vint(&body, number);
    replica_increment_encode(&update, CONSISTENCY_ONE, &body);
    messaging_send(world.members[0].messaging, &sent.request, 1, VERB_INCREMENT,
                   buffer_slice(&body), 100000000, sent_done);
    ring_world_run(&world, 5, &sent.is_done);
    ck_assert(sent.is_done);
    buffer_deinit(&body);
}

// By whatever connection: its number there is another one each time, its name is not.
START_TEST(an_increment_that_comes_twice_counts_once)
{
    char key[16];
    ring_world_find_key(&world, 1, key);
    send_named(7, 1, key);
    send_named(7, 1, key);
    assert_has(1, "counts", key, "1");
    ring_world_kill(&world, 0, false);
    ring_world_start(&world, 0);
    send_named(7, 1, key);
    assert_has(1, "counts", key, "1");
    send_named(8, 1, key); // The sender's next life,
    send_named(7, 2, key); // and its next increment.
    assert_has(1, "counts", key, "3");
}
END_TEST

START_TEST(shards_that_a_member_missed_are_hinted)
{
    ck_assert_int_eq(increment_at(0, "key", 1, CONSISTENCY_ALL, NULL), COORDINATOR_OK);
    ring_world_kill(&world, 2, false);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(increment_at((size_t)i % 2, "key", 1, CONSISTENCY_QUORUM, NULL),
                         COORDINATOR_OK);
    ring_world_start(&world, 2);
    ring_world_run(&world, 5, NULL);
    assert_has(2, "counts", "key", "11");
    ck_assert_int_eq(increment_at(2, "key", 1, CONSISTENCY_ALL, NULL), COORDINATOR_OK);
    for (size_t i = 0; i < 3; i++)
        assert_has(i, "counts", "key", "12");
}
END_TEST

// ---- Truncation ---------------------------------------------------------------------------------

struct truncated {
    struct coordinator_truncate truncate;
    struct coordinator_result result;
    bool is_done;
};

static void truncate_done(struct coordinator_truncate *truncate,
                          const struct coordinator_result *result)
{
    struct truncated *truncated = CONTAINER_OF(truncate, struct truncated, truncate);
    truncated->result = *result;
    truncated->is_done = true;
}

static struct coordinator_result truncate_at(size_t at)
{
    struct truncated truncated = {0};
    coordinator_truncate_start(world.members[at].coordinator, &truncated.truncate,
                               ring_world_table(&world, at, "t")->id, truncate_done);
    ring_world_run(&world, 90, &truncated.is_done);
    return truncated.result;
}

START_TEST(truncation_empties_all_members)
{
    ck_assert_int_eq(write_at(0, "key", "x", CONSISTENCY_ALL, NULL), COORDINATOR_OK);
    struct coordinator_result result = truncate_at(1);
    ck_assert_int_eq(result.outcome, COORDINATOR_OK);
    ck_assert_int_eq(count_having("t", "key", "-"), 3);
    ring_world_kill(&world, 0, false);
    result = truncate_at(1);
    ck_assert_int_eq(result.outcome, COORDINATOR_UNAVAILABLE);
    ck_assert_int_eq(result.required, 3);
    ck_assert_int_eq(result.alive, 2);
}
END_TEST

// The second one comes when there are rows again.
START_TEST(a_truncation_that_comes_twice_truncates_once)
{
    const struct messaging_fault doubling = {.jitter_ns = UINT64_C(3000000000),
                                             .doubled_per_1000 = 1000};
    ck_assert_int_eq(write_at(0, "key", "x", CONSISTENCY_ALL, NULL), COORDINATOR_OK);
    messaging_set_fault(world.members[0].messaging, 2, &doubling);
    struct coordinator_result result = truncate_at(0);
    ck_assert_int_eq(result.outcome, COORDINATOR_OK);
    messaging_set_fault(world.members[0].messaging, 2, &(struct messaging_fault){0});
    ck_assert_int_eq(count_having("t", "key", "-"), 3);
    ck_assert_int_eq(write_at(1, "key", "y", CONSISTENCY_ALL, NULL), COORDINATOR_OK);
    ring_world_run(&world, 4, NULL);
    ck_assert_int_eq(count_having("t", "key", "y"), 3);
}
END_TEST

START_TEST(two_truncations_of_one_turn_both_end)
{
    struct truncated two[2] = {0};
    for (int i = 0; i < 2; i++)
        coordinator_truncate_start(world.members[0].coordinator, &two[i].truncate,
                                   ring_world_table(&world, 0, "t")->id, truncate_done);
    for (int i = 0; i < 2; i++) {
        ring_world_run(&world, 5, &two[i].is_done);
        ck_assert_int_eq(two[i].result.outcome, COORDINATOR_OK);
    }
}
END_TEST

START_TEST(hints_of_before_a_truncation_are_void)
{
    // Slow enough that hints wait while the member is up again and the table is truncated.
    ring_world_kill(&world, 2, false);
    ck_assert_int_eq(write_at(0, "key", "x", CONSISTENCY_QUORUM, NULL), COORDINATOR_OK);
    ring_world_run(&world, 1, NULL);
    ring_world_start(&world, 2);
    ck_assert_int_eq(truncate_at(0).outcome, COORDINATOR_OK);
    ck_assert_int_eq(write_at(0, "other", "y", CONSISTENCY_ALL, NULL), COORDINATOR_OK);
    ring_world_run(&world, 5, NULL);
    for (size_t i = 0; i < 3; i++) {
        assert_has(i, "t", "key", "-");
        assert_has(i, "t", "other", "y");
    }
}
END_TEST

static void hints_are_closed(void *context)
{
    struct ring_member *member = context;
    member->hints = NULL;
}

// As a node stops: what this turn still had to send is not sent, and nobody hears of it.
START_TEST(messaging_may_close_before_the_turn_is_over)
{
    struct ring_member *member = &world.members[0];
    hints_close(member->hints, hints_are_closed, member);
    ring_world_run(&world, 0.1, NULL);
    ck_assert_ptr_null(member->hints);
    struct written written;
    start_write(&written, 0, "key", "x", CONSISTENCY_QUORUM);
    metadata_join(member->metadata, NULL, NULL);
    liveness_destroy(member->liveness);
    messaging_close(member->messaging);
    member->liveness = NULL;
    member->messaging = NULL;
    ring_world_run(&world, 5, &written.is_done);
    ck_assert_int_eq(written.result.outcome, COORDINATOR_TIMED_OUT);
    ck_assert_int_eq(written.result.received, 1);
    ring_world_kill(&world, 0, false);
}
END_TEST

// A cut that the third one bridges: nobody holds anybody dead, but one who answers us is asked.
START_TEST(an_increment_goes_to_who_answers)
{
    char key[16];
    ring_world_find_key(&world, 1, key); // Its copies are at 1 and 2.
    sim_network_cut(world.members[0].machine, world.members[1].machine, true);
    ring_world_run(&world, 5, NULL);
    ck_assert(liveness_is_up(world.members[0].liveness, 1));
    ck_assert(!liveness_is_near(world.members[0].liveness, 1));
    struct coordinator_result result;
    ck_assert_int_eq(increment_at(0, key, 5, CONSISTENCY_QUORUM, &result), COORDINATOR_OK);
    ck_assert_int_eq(result.received, 2);
    sim_network_heal(world.members[0].machine, world.members[1].machine);
}
END_TEST

// The same, and those who answer are of the other data centre: they can not say what this one has.
START_TEST(an_increment_at_a_local_level_is_led_here)
{
    char key[16];
    struct coordinator_result result;
    ring_world_find_key(&world, 1, key);
    sim_network_cut(world.members[0].machine, world.members[1].machine, true);
    ring_world_run(&world, 5, NULL);
    ck_assert(liveness_is_up(world.members[0].liveness, 1));
    ck_assert(!liveness_is_near(world.members[0].liveness, 1));
    ck_assert_int_eq(increment_at(0, key, 5, CONSISTENCY_ONE, &result), COORDINATOR_OK);
    ck_assert_int_eq(increment_at(0, key, 5, CONSISTENCY_LOCAL_QUORUM, &result),
                     COORDINATOR_TIMED_OUT);
    sim_network_heal(world.members[0].machine, world.members[1].machine);
}
END_TEST

// ---- Traces ------------------------------------------------------------------------------------

enum { TRACED_MAX = 8 };

// Traces that a member's coordinator made, of what it was asked.
struct traced {
    struct trace_source source;
    struct env *env;
    struct trace traces[TRACED_MAX];
    size_t count, released_count;
};
static struct traced traced;

static void trace_is_over(struct trace *trace)
{
    (void)trace;
    traced.released_count++;
}

static struct trace *begin_trace(struct trace_source *source, struct uuid session)
{
    (void)source;
    ck_assert_uint_lt(traced.count, TRACED_MAX);
    struct trace *trace = &traced.traces[traced.count++];
    trace_init(trace, traced.env, session, trace_is_over);
    return trace;
}

static bool has_event(const struct trace *trace, const char *begin)
{
    for (const struct trace_event *event = trace->first; event != NULL; event = event->next)
        if (strncmp(event->activity, begin, strlen(begin)) == 0) return true;
    return false;
}

static void write_traced(struct trace *trace, const char *value, enum consistency consistency)
{
    struct coordinator_result result;
    coordinator_trace(world.members[0].coordinator, trace);
    ck_assert_int_eq(write_at(0, "key", value, consistency, &result), COORDINATOR_OK);
    coordinator_trace(world.members[0].coordinator, NULL);
}

START_TEST(replicas_tell_their_part_of_a_story)
{
    struct trace own;
    traced = (struct traced){.source = {begin_trace}, .env = world.members[1].env};
    trace_init(&own, world.members[0].env, (struct uuid){{7}}, trace_is_over);
    coordinator_set_trace_source(world.members[1].coordinator, &traced.source);
    write_traced(&own, "x", CONSISTENCY_ALL);
    ring_world_run(&world, 0.1, NULL);
    ck_assert_uint_eq(traced.count, 1);
    ck_assert_uint_eq(traced.released_count, 1);
    struct trace *trace = &traced.traces[0];
    ck_assert(uuid_equals(trace->session, own.session));
    ck_assert(has_event(trace, "MUTATION_REQ message received from /"));
    ck_assert(has_event(trace, "Adding to t memtable"));
    ck_assert(has_event(trace, "Sending MUTATION_RSP message to /"));
    for (size_t i = 0; i < 3; i++)
        assert_has(i, "t", "key", "x");
    trace_deinit(trace);
    trace_deinit(&own);
}
END_TEST

// One of an older release: the first write reaches it as a hint, the next ones as they are.
START_TEST(a_member_that_knows_no_traces_gets_everything_all_the_same)
{
    struct trace own;
    traced = (struct traced){.env = world.members[0].env};
    trace_init(&own, world.members[0].env, (struct uuid){{7}}, trace_is_over);
    messaging_handle(world.members[2].messaging, VERB_TRACED, NULL);
    write_traced(&own, "x", CONSISTENCY_QUORUM);
    ring_world_run(&world, 30, NULL);
    assert_has(2, "t", "key", "x");
    write_traced(&own, "y", CONSISTENCY_ALL);
    for (size_t i = 0; i < 3; i++)
        assert_has(i, "t", "key", "y");
    trace_deinit(&own);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("coordinator_write");
    TCase *three = tcase_create("three copies");
    tcase_add_checked_fixture(three, setup, teardown);
    tcase_set_timeout(three, 60);
    suite_add_tcase(suite, three);
    tcase_add_test(three, a_write_at_all_is_everywhere_when_it_is_done);
    tcase_add_test(three, who_fails_is_told_by_name);
    tcase_add_test(three, an_acknowledged_write_survives_power_loss_of_as_many_as_the_level_says);
    tcase_add_test(three, unavailable_is_said_before_anything_is_sent);
    tcase_add_test(three, a_member_that_was_down_gets_its_hints);
    tcase_add_test(three, hints_outlive_their_keeper);
    tcase_add_test(three, a_silent_member_costs_all_a_timeout_and_quorum_nothing);
    tcase_add_test(three, a_message_that_gets_lost_becomes_a_hint);
    tcase_add_test(three, several_mutations_of_one_turn_leave_in_one_message);
    tcase_add_test(three, what_waits_for_a_silent_member_is_bounded);
    tcase_add_test(three, a_disk_that_stalls_costs_quorum_nothing);
    tcase_add_test(three, increments_of_all_coordinators_add_up_on_all_replicas);
    tcase_add_test(three, shards_that_a_member_missed_are_hinted);
    tcase_add_test(three, truncation_empties_all_members);
    tcase_add_test(three, a_truncation_that_comes_twice_truncates_once);
    tcase_add_test(three, two_truncations_of_one_turn_both_end);
    tcase_add_test(three, hints_of_before_a_truncation_are_void);
    tcase_add_test(three, messaging_may_close_before_the_turn_is_over);
    TCase *one = tcase_create("one copy");
    tcase_add_checked_fixture(one, setup_one_copy, teardown);
    tcase_set_timeout(one, 60);
    suite_add_tcase(suite, one);
    tcase_add_test(one, a_write_goes_to_the_one_that_has_the_key);
    tcase_add_test(one, any_is_content_with_a_durable_hint);
    tcase_add_test(one, an_increment_goes_to_a_leader);
    tcase_add_test(one, an_increment_whose_leader_dies_is_not_repeated);
    tcase_add_test(one, an_increment_that_comes_twice_counts_once);
    TCase *two = tcase_create("two copies");
    tcase_add_checked_fixture(two, setup_two_copies, teardown);
    tcase_set_timeout(two, 60);
    suite_add_tcase(suite, two);
    tcase_add_test(two, an_increment_goes_to_who_answers);
    tcase_add_test(three, replicas_tell_their_part_of_a_story);
    tcase_add_test(three, a_member_that_knows_no_traces_gets_everything_all_the_same);
    TCase *periodic = tcase_create("periodic");
    tcase_add_checked_fixture(periodic, setup_periodic, teardown);
    suite_add_tcase(suite, periodic);
    tcase_add_test(periodic, what_a_job_writes_is_on_the_disk_in_every_sync_mode);
    TCase *periodic_one = tcase_create("periodic, one copy");
    tcase_add_checked_fixture(periodic_one, setup_periodic_one_copy, teardown);
    suite_add_tcase(suite, periodic_one);
    tcase_add_test(periodic_one, what_a_job_writes_is_on_the_disk_in_every_sync_mode);
    TCase *centers = tcase_create("two data centres");
    tcase_add_checked_fixture(centers, setup_two_centers, teardown);
    tcase_set_timeout(centers, 60);
    suite_add_tcase(suite, centers);
    tcase_add_test(centers, levels_of_data_centers);
    TCase *small_centers = tcase_create("one copy in each of two data centres");
    tcase_add_checked_fixture(small_centers, setup_one_copy_in_each_of_two_centers, teardown);
    tcase_set_timeout(small_centers, 60);
    suite_add_tcase(suite, small_centers);
    tcase_add_test(small_centers, an_increment_at_a_local_level_is_led_here);
    TCase *large_centers = tcase_create("two data centres of three");
    tcase_add_checked_fixture(large_centers, setup_two_large_centers, teardown);
    tcase_set_timeout(large_centers, 60);
    suite_add_tcase(suite, large_centers);
    tcase_add_test(large_centers, answers_beyond_a_quorum_do_not_stand_for_another_centers);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures != 0;
}
