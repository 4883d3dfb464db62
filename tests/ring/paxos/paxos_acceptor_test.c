// What an acceptor does with requests that come late, or in another order than they were sent.
#include "ring/paxos/paxos_internal.h"

#include "tests/ring/support/ring_world.h"

#include <check.h>
#include <string.h>

static struct ring_world world;

struct asked {
    enum status status;
    bool is_done, yes;
};

static void answered(void *context, enum status status, struct slice bytes)
{
    struct asked *asked = context;
    asked->status = status;
    asked->is_done = true;
    asked->yes = bytes.size > 0 && bytes.data[0] != 0;
}

// Row "row" of partition "k" with one column set, decided under a ballot of that time.
static struct asked commit(size_t member, int64_t time_us, uint16_t column, const char *value)
{
    struct asked asked = {0};
    const struct table *table = ring_world_table(&world, member, "t");
    struct partition_key key = partition_key_make(slice_of_text("k"));
    struct slice clustering = slice_of_text("row");
    struct cell cell = {.column = column,
                        .local_time = LOCAL_TIME_NONE,
                        .timestamp = time_us,
                        .value = slice_of_text(value)};
    struct row row = {.clustering = {1, &clustering},
                      .liveness = LIVENESS_NONE,
                      .deletion = DELETION_NONE,
                      .cells = &cell,
                      .cell_count = 1};
    struct mutation mutation = {
        .table = table, .key = key, .deletion = DELETION_NONE, .rows = &row, .row_count = 1};
    struct buffer record, change, body;
    buffer_init(&record, 4096);
    buffer_init(&change, 4096);
    buffer_init(&body, 4096);
    engine_put_record(&mutation, &record);
    buffer_put_vint_bytes(&change, buffer_slice(&record));
    struct ballot ballot = {time_us, 1};
    struct paxos_proposal proposal = {ballot, ballot, buffer_slice(&change)};
    paxos_put_request(&body, table, &key, &proposal);
    (void)paxos_accept(world.members[member].paxos, VERB_PAXOS_COMMIT, buffer_slice(&body),
                       answered, &asked);
    ring_world_run(&world, 5, &asked.is_done);
    buffer_deinit(&record);
    buffer_deinit(&change);
    buffer_deinit(&body);
    return asked;
}

// The first column of the row that is set.
static void expect_local(size_t member, const char *value)
{
    char text[64];
    ring_world_read_local(&world, member, "k", text, sizeof text);
    ck_assert_str_eq(text, value);
}

// Whoever counts its answer believes that the replica has the change: it was decided, and what came
// after it says nothing of the same cells.
START_TEST(a_commit_that_comes_behind_a_newer_one_is_applied)
{
    ring_world_open(&world, &(struct ring_world_options){.count = 3, .factor = 3, .seed = 1});
    int64_t now_us = env_wall_us(world.members[2].env);
    struct asked newer = commit(2, now_us + 10, 1, "newer");
    ck_assert_int_eq(newer.status, STATUS_OK);
    expect_local(2, "newer");
    struct asked older = commit(2, now_us, 0, "older");
    ck_assert_int_eq(older.status, STATUS_OK);
    ck_assert(older.yes);
    expect_local(2, "older");
    // What is noted stays the newest one: a repeated one changes nothing.
    (void)commit(2, now_us + 10, 1, "newer");
    expect_local(2, "older");
    ring_world_close(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("paxos_acceptor");
    TCase *tests = tcase_create("late");
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, a_commit_that_comes_behind_a_newer_one_is_applied);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures != 0;
}
