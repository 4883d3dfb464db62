// A worker and several reducers on one loop: three job services, which are the members of a ring as
// far as a worker can see, with one engine behind them all. Members go away and come back while the
// job runs; its counts stay exact, whoever reduced which range in which batch.
#include "stream/job/driver.h"
#include "stream/job/job_service.h"
#include "tests/stream/support/stream_fixture.h"

#include "base/container_of.h"
#include "base/env_uv.h"
#include "base/limits.h"

#include <check.h>
#include <stdio.h>

enum { MEMBERS = 3, TOKENS = 8 };

static struct stream_fixture fixture;
static struct topology *topology;
static struct env_address addresses[MEMBERS];
static struct job_service *services[MEMBERS];

static void nobody_comes(void *context, struct env_stream *stream)
{
    (void)context;
    env_stream_close(stream, false);
}

// Ports that are free now.
static void choose_addresses(void)
{
    struct env *env;
    struct error error;
    struct env_listener *listeners[MEMBERS];
    ck_assert_int_eq(env_uv_create(&env, &error), STATUS_OK);
    for (int i = 0; i < MEMBERS; i++) {
        ck_assert_int_eq(env_address_parse("127.0.0.1", 0, &addresses[i]), STATUS_OK);
        ck_assert_int_eq(env_listen(env, &addresses[i], nobody_comes, NULL, &listeners[i], &error),
                         STATUS_OK);
        addresses[i] = env_listener_address(listeners[i]);
    }
    for (int i = 0; i < MEMBERS; i++)
        env_listener_close(listeners[i]);
    env_uv_destroy(env);
}

static void make_topology(void)
{
    struct member members[MEMBERS] = {0};
    struct token tokens[MEMBERS][TOKENS];
    for (int i = 0; i < MEMBERS; i++) {
        topology_allocate_tokens((size_t)i, MEMBERS, TOKENS, tokens[i]);
        members[i] = (struct member){.host_id = {{(uint8_t)(i + 1)}},
                                     .address = addresses[i],
                                     .rpc_address = addresses[i],
                                     .data_center = "datacenter1",
                                     .rack = "rack1",
                                     .tokens = tokens[i],
                                     .token_count = TOKENS};
        members[i].rpc_address.port++;
    }
    struct error error = {.text = ""};
    ck_assert_msg(topology_make(members, MEMBERS, &topology, &error) == STATUS_OK, "%s",
                  error.text);
}

static void start_service(int member)
{
    struct error error = {.text = ""};
    struct job_service_options options = {
        .address = addresses[member],
        .self = (uint16_t)member,
        .topology = topology,
        .metadata = fixture.metadata,
        .coordinator = fixture.coordinator,
        .engine = fixture.engine,
    };
    ck_assert_msg(job_service_create(fixture.env, &options, &services[member], &error) == STATUS_OK,
                  "%s", error.text);
}

static void set_flag(void *context)
{
    *(bool *)context = true;
}

static void stop_service(int member)
{
    bool closed = false;
    job_service_close(services[member], set_flag, &closed);
    stream_fixture_run_until(&fixture, &closed);
    services[member] = NULL;
}

static void setup(void)
{
    choose_addresses();
    make_topology();
    stream_fixture_setup(&fixture);
    for (int i = 0; i < MEMBERS; i++)
        start_service(i);
}

static void teardown(void)
{
    for (int i = 0; i < MEMBERS; i++)
        if (services[i] != NULL) stop_service(i);
    stream_fixture_teardown(&fixture);
    topology_destroy(topology);
}

#define SCRIPT                                                                                     \
    "local ssc = StreamingContext('t', Seconds(1)) "                                               \
    "ssc:textFileStream(arg[1]):flatMap(words(1)):map(columns(1, 'ALL')):countByValue()"           \
    ":saveToCassandra('ks', 't', SomeColumns('a', 'b', 'n')) "                                     \
    "ssc:start() ssc:awaitTermination()"

struct run {
    struct driver *driver;
    struct driver_result result;
    bool done;
    char script[300], input[300];
    const char *arguments[1];
};

static void ended(void *context, const struct driver_result *result)
{
    struct run *run = context;
    run->result = *result;
    run->done = true;
}

static void start_run(struct run *run, uint64_t records)
{
    *run = (struct run){.done = false};
    (void)snprintf(run->script, sizeof run->script, "%s",
                   stream_fixture_write(&fixture, "job.lua", SCRIPT));
    (void)snprintf(run->input, sizeof run->input, "%s/input", fixture.directory);
    run->arguments[0] = run->input;
    struct stream_run_options options = {
        .script_path = run->script,
        .arguments = run->arguments,
        .argument_count = 1,
        .name = "ring",
        .ring = addresses[0],
        .spool_directory = fixture.directory,
        .batch_size = 2 * MIB,
        .batch_records = records,
        .timeout_ns = 20 * (uint64_t)1000000000,
        .quiet = true,
    };
    run->driver = driver_start(fixture.env, &options, ended, run);
}

struct pause {
    struct env_timer timer;
    bool done;
};

static void pause_over(struct env_timer *timer)
{
    CONTAINER_OF(timer, struct pause, timer)->done = true;
}

static void wait_ms(uint64_t ms)
{
    struct pause pause = {.done = false};
    env_timer_start(fixture.env, &pause.timer, ms * 1000000, pause_over);
    stream_fixture_run_until(&fixture, &pause.done);
}

static void finish_run(struct run *run)
{
    stream_fixture_run_until(&fixture, &run->done);
    ck_assert_msg(run->result.status == STATUS_OK, "%s", run->result.error.text);
    while (driver_is_busy(run->driver))
        wait_ms(1);
    driver_destroy(run->driver);
}

enum { LINES = 60000, WORDS = 100 };

static void write_input(void)
{
    char path[300];
    (void)snprintf(path, sizeof path, "%s/input", fixture.directory);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < LINES; i++)
        (void)fprintf(file, "all word%d\n", i % WORDS);
    ck_assert_int_eq(fclose(file), 0);
}

static void assert_counts(void)
{
    ck_assert_int_eq(stream_fixture_read(&fixture, "all", "ALL"), LINES);
    for (int i = 0; i < WORDS; i++) {
        char word[16];
        (void)snprintf(word, sizeof word, "word%d", i);
        ck_assert_int_eq(stream_fixture_read(&fixture, word, "ALL"), LINES / WORDS);
    }
    ck_assert_uint_eq(stream_fixture_count(&fixture), WORDS + 1);
}

START_TEST(each_member_reduces_its_range)
{
    struct run run;
    write_input();
    start_run(&run, 5000);
    finish_run(&run);
    ck_assert_uint_eq(run.result.batches, 12);
    assert_counts();
}
END_TEST

START_TEST(members_that_go_and_come_back_lose_and_double_nothing)
{
    struct run run;
    write_input();
    start_run(&run, 500); // 120 batches.
    for (int i = 0; i < 12 && !run.done; i++) {
        int member = (i + _i) % MEMBERS; // Also the worker's home.
        wait_ms((uint64_t)(5 + 17 * (i % 4)));
        stop_service(member);
        if (i % 3 == 1) wait_ms(60);
        start_service(member);
    }
    finish_run(&run);
    ck_assert_uint_eq(run.result.batches, 120);
    assert_counts();
}
END_TEST

START_TEST(the_others_finish_when_a_member_never_comes_back)
{
    struct run run;
    write_input();
    start_run(&run, 500);
    wait_ms(40);
    stop_service(_i);
    finish_run(&run);
    assert_counts();
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("shuffle");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, each_member_reduces_its_range);
    tcase_add_loop_test(tests, members_that_go_and_come_back_lose_and_double_nothing, 0, MEMBERS);
    tcase_add_loop_test(tests, the_others_finish_when_a_member_never_comes_back, 0, MEMBERS);
    Suite *suite = suite_create("shuffle");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
