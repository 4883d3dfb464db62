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

// ---- Refusals -----------------------------------------------------------------------------------

static void ask(size_t member, enum verb verb, int64_t time_us, struct asked *asked)
{
    const struct table *table = ring_world_table(&world, member, "t");
    struct partition_key key = partition_key_make(slice_of_text("k"));
    struct ballot ballot = {time_us, 1};
    struct paxos_proposal proposal = {ballot, ballot, slice_make("", 0)};
    struct buffer body;
    buffer_init(&body, 4096);
    paxos_put_request(&body, table, &key, &proposal);
    *asked = (struct asked){0};
    (void)paxos_accept(world.members[member].paxos, verb, buffer_slice(&body), answered, asked);
    buffer_deinit(&body);
}

// Whoever hears the no may take the proposal for dead. It stays refused, though the promise was not
// on the disk yet when the proposal came, and comes once more behind a power loss.
START_TEST(what_was_refused_stays_refused)
{
    ring_world_open(&world, &(struct ring_world_options){.count = 3, .factor = 3, .seed = 1});
    sim_world_set_chance(world.sim, SIM_FAULT_LOST_PAGE, 1);
    int64_t now_us = env_wall_us(world.members[2].env);
    struct asked promise, proposal;
    ask(2, VERB_PAXOS_PREPARE, now_us + 1, &promise);
    ask(2, VERB_PAXOS_PROPOSE, now_us, &proposal);
    ring_world_run(&world, 5, &proposal.is_done);
    ck_assert(proposal.is_done && !proposal.yes);
    ring_world_kill(&world, 2, true);
    ring_world_start(&world, 2);
    ask(2, VERB_PAXOS_PROPOSE, now_us, &proposal);
    ring_world_run(&world, 5, &proposal.is_done);
    ck_assert(proposal.is_done && !proposal.yes);
    ring_world_close(&world);
}
END_TEST

// ---- Requests that come twice -------------------------------------------------------------------

struct sent {
    struct messaging_request request;
    enum status status;
    bool is_done, yes;
};

static void sent_done(struct messaging_request *request, enum status status, struct slice answer)
{
    struct sent *sent = (struct sent *)request;
    sent->status = status;
    sent->is_done = true;
    sent->yes = answer.size > 0 && answer.data[0] != 0;
}

// PREPARE or PROPOSE (of nothing), from member 0 to member 2.
static struct sent send(enum verb verb, int64_t time_us)
{
    struct sent sent = {0};
    const struct table *table = ring_world_table(&world, 0, "t");
    struct partition_key key = partition_key_make(slice_of_text("k"));
    struct ballot ballot = {time_us, 0};
    struct paxos_proposal proposal = {ballot, ballot, slice_make("", 0)};
    struct buffer body;
    buffer_init(&body, 4096);
    paxos_put_request(&body, table, &key, &proposal);
    messaging_send(world.members[0].messaging, &sent.request, 2, verb, buffer_slice(&body),
                   1000 * PAXOS_NS_PER_MS, sent_done);
    ring_world_run(&world, 5, &sent.is_done);
    buffer_deinit(&body);
    return sent;
}

static void expect(const struct sent *sent, enum status status, bool yes)
{
    ck_assert_int_eq(sent->status, status);
    ck_assert_int_eq(sent->yes, yes);
}

// Taken, then outbid, then there once more by another connection: a refusal would say that nobody
// took it.
START_TEST(a_proposal_that_comes_twice_is_answered_once)
{
    ring_world_open(&world, &(struct ring_world_options){.count = 3, .factor = 3, .seed = 1});
    int64_t now_us = env_wall_us(world.members[2].env);
    struct sent sent = send(VERB_PAXOS_PROPOSE, now_us);
    expect(&sent, STATUS_OK, true);
    sent = send(VERB_PAXOS_PREPARE, now_us + 1);
    expect(&sent, STATUS_OK, true);
    ring_world_kill(&world, 0, false);
    ring_world_start(&world, 0);
    sent = send(VERB_PAXOS_PROPOSE, now_us);
    expect(&sent, STATUS_TIMED_OUT, false);
    sent = send(VERB_PAXOS_PREPARE, now_us + 1);
    expect(&sent, STATUS_TIMED_OUT, false);
    sent = send(VERB_PAXOS_PROPOSE, now_us - 1);
    expect(&sent, STATUS_OK, false);
    sent = send(VERB_PAXOS_PROPOSE, now_us + 1);
    expect(&sent, STATUS_OK, true);
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
    tcase_add_test(tests, what_was_refused_stays_refused);
    tcase_add_test(tests, a_proposal_that_comes_twice_is_answered_once);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures != 0;
}
