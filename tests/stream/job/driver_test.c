// A worker and a node on one loop: the driver runs real scripts over files, the job service settles
// their batches in a real engine. The node may restart under the worker, and a worker may leave its
// job unfinished.
#include "stream/job/driver.h"

#include "base/checksum.h"
#include "base/container_of.h"
#include "base/env_uv.h"
#include "base/limits.h"
#include "ring/transport/transport.h"
#include "storage/counter_context.h"
#include "stream/job/job_protocol.h"
#include "stream/job/job_service.h"
#include "stream/job/reducer.h"
#include "stream/source/intake.h"
#include "tests/stream/support/stream_fixture.h"

#include <arpa/inet.h>
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct stream_fixture fixture;
static struct job_service *service;
static struct env_address address;

static void start_service(void)
{
    struct error error = {.text = ""};
    struct job_service_options options = {
        .address = address,
        .metadata = fixture.metadata,
        .coordinator = fixture.coordinator,
        .engine = fixture.engine,
    };
    ck_assert_msg(job_service_create(fixture.env, &options, &service, &error) == STATUS_OK, "%s",
                  error.text);
    address = job_service_address(service);
}

static void set_flag(void *context)
{
    *(bool *)context = true;
}

static void stop_service(void)
{
    bool closed = false;
    job_service_close(service, set_flag, &closed);
    stream_fixture_run_until(&fixture, &closed);
}

static void setup(void)
{
    stream_fixture_setup(&fixture);
    ck_assert_int_eq(env_address_parse("127.0.0.1", 0, &address), STATUS_OK);
    start_service();
}

static void teardown(void)
{
    stop_service();
    stream_fixture_teardown(&fixture);
}

#define SCRIPT                                                                                     \
    "local ssc = StreamingContext('t', Seconds(1)) "                                               \
    "ssc:textFileStream(arg[1]):flatMap(words(1)):map(columns(1, 'ALL')):countByValue()"           \
    ":saveToCassandra('ks', 't', SomeColumns('a', 'b', 'n')) "                                     \
    "ssc:start() ssc:awaitTermination()"

static bool reads_stdin; // What cannot be read twice, and is stored first.
static const char *url;  // Not NULL: what is read.
static const struct uuid *submission_id;

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

struct limits {
    uint64_t size, records; // Of a batch.
};

static void start_limited_run(struct run *run, const char *script, const char *name,
                              const struct limits *limits)
{
    *run = (struct run){.done = false};
    (void)snprintf(run->script, sizeof run->script, "%s",
                   stream_fixture_write(&fixture, "job.lua", script));
    (void)snprintf(run->input, sizeof run->input, "%s/input", fixture.directory);
    run->arguments[0] = url != NULL ? url : reads_stdin ? "-" : run->input;
    struct stream_run_options options = {
        .script_path = run->script,
        .arguments = run->arguments,
        .argument_count = 1,
        .name = name,
        .ring = address,
        .spool_directory = fixture.directory,
        .batch_size = limits->size,
        .batch_records = limits->records,
        .timeout_ns = 10 * (uint64_t)1000000000,
        .call_timeout_ns = 300 * (uint64_t)1000000,
        .quiet = true,
        .submission_id = submission_id,
    };
    run->driver = driver_start(fixture.env, &options, ended, run);
}

static void start_run(struct run *run, const char *script, const char *name)
{
    static const struct limits limits = {2 * MIB, 0};
    start_limited_run(run, script, name, &limits);
}

struct pause {
    struct env_timer timer;
    bool done;
};

static void pause_over(struct env_timer *timer)
{
    CONTAINER_OF(timer, struct pause, timer)->done = true;
}

static void finish_run(struct run *run, enum status expected)
{
    stream_fixture_run_until(&fixture, &run->done);
    ck_assert_msg(run->result.status == expected, "%s", run->result.error.text);
    // A thread may still map a block of a job that failed.
    for (int i = 0; i < 5000 && driver_is_busy(run->driver); i++) {
        struct pause pause = {.done = false};
        env_timer_start(fixture.env, &pause.timer, 1000000, pause_over);
        stream_fixture_run_until(&fixture, &pause.done);
    }
    driver_destroy(run->driver);
}

// `count` lines of some 40 bytes: enough for several blocks and batches when there are many.
static void write_input(int count)
{
    char path[300];
    (void)snprintf(path, sizeof path, "%s/input", fixture.directory);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < count; i++)
        (void)fprintf(file, "apple pear%d and some more words of filling\n", i % 10);
    ck_assert_int_eq(fclose(file), 0);
}

enum { MANY = 200000 }; // 8 MB: four blocks, so four batches.

START_TEST(a_job_counts_its_input)
{
    struct run run;
    write_input(10);
    start_run(&run, SCRIPT, NULL);
    finish_run(&run, STATUS_OK);
    ck_assert_uint_eq(run.result.records, 10);
    ck_assert_int_eq(stream_fixture_read(&fixture, "apple", "ALL"), 10);
    ck_assert_int_eq(stream_fixture_read(&fixture, "pear3", "ALL"), 1);
    ck_assert_uint_eq(stream_fixture_count(&fixture), 17);
}
END_TEST

START_TEST(batches_are_as_small_as_wanted)
{
    static const struct {
        struct limits limits;
        int lines;
        uint64_t batches;
    } cases[] = {{{2 * MIB, 1}, 20, 20},        {{2 * MIB, 100}, 1000, 10},
                 {{2 * MIB, 100}, 1001, 11},    {{2 * MIB, 3000}, 60000, 20},
                 {{64 * MIB, 150000}, MANY, 2}, {{16 * KIB, 0}, 4000, 11}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct run run;
        write_input(cases[i].lines);
        int64_t before = stream_fixture_read(&fixture, "apple", "ALL");
        start_limited_run(&run, SCRIPT, NULL, &cases[i].limits);
        finish_run(&run, STATUS_OK);
        ck_assert_int_eq(stream_fixture_read(&fixture, "apple", "ALL"), before + cases[i].lines);
        ck_assert_msg(run.result.batches == cases[i].batches, "case %zu: %llu batches", i,
                      (unsigned long long)run.result.batches);
    }
}
END_TEST

// More keys than a reducer holds would be a batch that is recorded and never done.
START_TEST(a_batch_ends_with_many_keys)
{
    enum { LINES = 600000 }; // 4.8 MB, within a batch's size.
    struct run run;
    struct limits limits = {64 * MIB, 0};
    char path[300];
    (void)snprintf(path, sizeof path, "%s/input", fixture.directory);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < LINES; i++)
        (void)fprintf(file, "%07d\n", i);
    ck_assert_int_eq(fclose(file), 0);
    start_limited_run(&run,
                      "local ssc = StreamingContext('t', Seconds(20)) "
                      "ssc:textFileStream(arg[1]):countByValue():map(columns('all', 'ALL', 2))"
                      ":saveToCassandra('ks', 't', SomeColumns('a', 'b', 'n')) "
                      "ssc:start() ssc:awaitTermination()",
                      NULL, &limits);
    finish_run(&run, STATUS_OK);
    ck_assert_int_eq(stream_fixture_read(&fixture, "all", "ALL"), LINES);
    ck_assert_uint_eq(run.result.batches, 2);
}
END_TEST

START_TEST(an_empty_input_is_a_job_without_batches)
{
    struct run run;
    write_input(0);
    start_run(&run, SCRIPT, "empty");
    finish_run(&run, STATUS_OK);
    ck_assert_uint_eq(run.result.batches, 0);
    ck_assert_uint_eq(stream_fixture_count(&fixture), 0);
}
END_TEST

START_TEST(a_finished_or_unnamed_job_starts_anew)
{
    struct run run;
    write_input(10);
    for (int i = 1; i <= 4; i++) {
        start_run(&run, SCRIPT, i % 2 == 0 ? "name" : NULL);
        finish_run(&run, STATUS_OK);
        ck_assert_int_eq(stream_fixture_read(&fixture, "apple", "ALL"), 10 * i);
    }
}
END_TEST

START_TEST(a_node_that_restarts_under_a_job_loses_and_doubles_nothing)
{
    struct run run;
    write_input(MANY);
    start_run(&run, SCRIPT, "restarts");
    for (int i = 0; i < 5; i++) {
        struct pause pause = {.done = false};
        env_timer_start(fixture.env, &pause.timer, (uint64_t)(3 + 10 * i) * 1000000, pause_over);
        stream_fixture_run_until(&fixture, &pause.done);
        stop_service();
        stream_fixture_restart(&fixture);
        start_service();
    }
    finish_run(&run, STATUS_OK);
    ck_assert_int_eq(stream_fixture_read(&fixture, "apple", "ALL"), MANY);
    ck_assert_int_eq(stream_fixture_read(&fixture, "pear3", "ALL"), MANY / 10);
}
END_TEST

// A worker in a process of its own, killed after so many milliseconds. The node stays here.
static void run_and_kill_worker(int after_ms)
{
    pid_t child = fork();
    if (child == 0) {
        struct error error;
        struct run run;
        if (env_uv_create(&fixture.env, &error) != STATUS_OK) _exit(1);
        start_run(&run, SCRIPT, "again");
        env_uv_run(fixture.env);
        _exit(0);
    }
    struct pause pause = {.done = false};
    env_timer_start(fixture.env, &pause.timer, (uint64_t)after_ms * 1000000, pause_over);
    stream_fixture_run_until(&fixture, &pause.done);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

START_TEST(a_job_whose_worker_is_killed_goes_on_under_its_name)
{
    struct run run;
    write_input(MANY);
    for (int i = 0; i < 8; i++)
        run_and_kill_worker(5 + 7 * i);
    start_run(&run, SCRIPT, "again");
    finish_run(&run, STATUS_OK);
    // Unless it had come to its end already, and this was another run of all.
    int64_t apples = stream_fixture_read(&fixture, "apple", "ALL");
    ck_assert(apples > 0 && apples % MANY == 0);
    ck_assert_int_eq(stream_fixture_read(&fixture, "pear3", "ALL"), apples / 10);
}
END_TEST

// ---- What is stored
// ------------------------------------------------------------------------------

struct watch {
    struct env_task task;
    int batches;
};

// In each turn: a worker that began now would run again what the log does not know to be done.
static void look_at_segment(struct env_task *task)
{
    struct watch *watch = CONTAINER_OF(task, struct watch, task);
    const struct job *job = jobs_at(metadata_jobs(fixture.metadata), 0);
    if (job != NULL && job->state == JOB_OPEN && job->last_batch > 0) {
        char id[UUID_TEXT_SIZE], path[400];
        uint64_t from = job->batch_count > 0 ? job->batches[0].offsets[0].from : job->last_to[0];
        uuid_format(job->id, id);
        (void)snprintf(path, sizeof path, "%s/%s-%06llu", fixture.directory, id,
                       (unsigned long long)(from / INTAKE_SEGMENT_SIZE));
        ck_assert_msg(from % INTAKE_SEGMENT_SIZE == 0 || access(path, F_OK) == 0,
                      "batch %llu is not known to be done, and its input is gone",
                      (unsigned long long)job->done_through + 1);
        watch->batches = (int)job->last_batch;
    }
    env_task_post(fixture.env, task, look_at_segment);
}

// As much as one segment has: with its last batch it is of no more use. Lines with little to count.
static void write_stdin(void)
{
    enum { LINE_SIZE = 32 * 1024 };
    char path[300];
    static char line[LINE_SIZE];
    memset(line, ' ', sizeof line);
    memcpy(line, "apple", 5);
    line[LINE_SIZE - 1] = '\n';
    (void)snprintf(path, sizeof path, "%s/input", fixture.directory);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    for (uint64_t size = 0; size < INTAKE_SEGMENT_SIZE; size += LINE_SIZE)
        ck_assert_uint_eq(fwrite(line, 1, LINE_SIZE, file), LINE_SIZE);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_ptr_nonnull(freopen(path, "rb", stdin));
}

START_TEST(stored_input_stays_until_the_log_knows_that_it_is_done)
{
    struct run run;
    struct watch watch = {.batches = 0};
    write_stdin();
    reads_stdin = true;
    start_run(&run, SCRIPT, "stored");
    env_task_post(fixture.env, &watch.task, look_at_segment);
    finish_run(&run, STATUS_OK);
    env_task_cancel(fixture.env, &watch.task);
    ck_assert_int_ge(watch.batches, 30);
}
END_TEST

// ---- A job that ends elsewhere
// -------------------------------------------------------------------

struct ending {
    struct env_timer timer;
    struct metadata_job_change change;
    enum job_state state;
    int go; // To the server: it may answer.
};

// A line for the worker, which it maps and can not record any more.
static void job_ended(struct metadata_job_change *change, enum status status)
{
    struct ending *ending = CONTAINER_OF(change, struct ending, change);
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_int_eq(write(ending->go, "!", 1), 1);
}

// As soon as the job is there, another worker finishes it, or somebody stops it.
static void end_job(struct env_timer *timer)
{
    struct ending *ending = CONTAINER_OF(timer, struct ending, timer);
    const struct job *job = jobs_at(metadata_jobs(fixture.metadata), 0);
    if (job == NULL) {
        env_timer_start(fixture.env, timer, 1000000, end_job);
        return;
    }
    const struct job_mark mark = {.job = job->id, .state = ending->state};
    metadata_mark_job(fixture.metadata, &ending->change, &mark, job_ended);
}

// For a job that reads over HTTP. (A read of standard input would hold the thread of the log, which
// is the node's here.)
static int listen_for_worker(char text[static 64])
{
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof server;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&server, size), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&server, &size), 0);
    (void)snprintf(text, 64, "http://127.0.0.1:%u/", ntohs(server.sin_port));
    return listener;
}

// Answers one request, when it may.
static bool answer_worker(int listener, int may_go, const char *answer)
{
    char bytes[4096];
    int connection = accept(listener, NULL, NULL);
    bool is_sent = read(connection, bytes, sizeof bytes) > 0 && read(may_go, bytes, 1) == 1 &&
                   write(connection, answer, strlen(answer)) == (ssize_t)strlen(answer);
    (void)close(connection);
    return is_sent;
}

#define LINE_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\napple\n"

// Each worker of such a job has input of its own: what this one has read, nobody counts.
START_TEST(a_job_that_ended_elsewhere_is_not_begun_anew)
{
    struct run run;
    struct ending ending = {.state = _i == 0 ? JOB_FINISHED : JOB_SEALED};
    char text[64];
    int ends[2], listener = listen_for_worker(text);
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) _exit(answer_worker(listener, ends[0], LINE_ANSWER) ? 0 : 1);
    url = text;
    ending.go = ends[1];
    start_run(&run, SCRIPT, "shared");
    env_timer_start(fixture.env, &ending.timer, 1000000, end_job);
    finish_run(&run, STATUS_CONFLICT);
    ck_assert(!run.result.may_begin_anew);
    ck_assert(uuid_equals(run.result.submission_id,
                          jobs_at(metadata_jobs(fixture.metadata), 0)->submission_id));
    ck_assert_uint_eq(stream_fixture_count(&fixture), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

// A worker of a file ends well then: all of it was counted.
START_TEST(a_file_that_another_worker_has_counted_is_done)
{
    struct run run;
    struct ending ending = {.state = JOB_FINISHED};
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ending.go = ends[1];
    write_input(100);
    start_run(
        &run,
        "local ssc = StreamingContext('t', Seconds(1)) "
        "ssc:textFileStream(arg[1]):filter(function() for i = 1, 100000 do end return true end)"
        ":flatMap(words(1)):map(columns(1, 'ALL')):countByValue()"
        ":saveToCassandra('ks', 't', SomeColumns('a', 'b', 'n')) "
        "ssc:start() ssc:awaitTermination()",
        "shared");
    env_timer_start(fixture.env, &ending.timer, 1000000, end_job);
    finish_run(&run, STATUS_OK);
    ck_assert_uint_eq(stream_fixture_count(&fixture), 0);
}
END_TEST

// A node that has no place for another job.
static void refuse(void *context, struct transport_connection *connection, uint8_t type,
                   uint64_t id, struct slice payload)
{
    (void)context;
    (void)type;
    (void)payload;
    struct buffer answer;
    buffer_init(&answer, KIB);
    job_put_answer(&answer, STATUS_CONFLICT, "the job could not be recorded");
    transport_reply(connection, id, JOB_ANSWER, buffer_slice(&answer));
    buffer_deinit(&answer);
}

static void connection_ended(void *context, struct transport_connection *connection)
{
    (void)context;
    (void)connection;
}

START_TEST(a_job_that_was_never_there_keeps_its_submission)
{
    static const struct transport_server_events events = {refuse, connection_ended};
    static const struct uuid none, given = {{1, 2, 3}};
    struct transport_server *server;
    struct run run;
    struct env_address real = address;
    struct error error;
    ck_assert_int_eq(env_address_parse("127.0.0.1", 0, &address), STATUS_OK);
    ck_assert_int_eq(transport_listen(fixture.env, &address, &events, NULL, &server, &error),
                     STATUS_OK);
    address = transport_server_address(server);
    write_input(1);
    submission_id = _i == 0 ? NULL : &given;
    start_run(&run, SCRIPT, "refused");
    finish_run(&run, STATUS_CONFLICT);
    ck_assert(run.result.may_begin_anew);
    ck_assert(!uuid_equals(run.result.submission_id, none));
    if (_i == 1) ck_assert(uuid_equals(run.result.submission_id, given));
    transport_server_close(server);
    submission_id = NULL;
    address = real;
}
END_TEST

struct recording {
    struct metadata_job_change change;
    bool done;
};

static void was_recorded(struct metadata_job_change *change, enum status status)
{
    ck_assert_int_eq(status, STATUS_OK);
    CONTAINER_OF(change, struct recording, change)->done = true;
}

// Earlier releases stored and recorded an input's last line as it came: without its end.
START_TEST(what_is_recorded_of_a_store_stays_as_it_is)
{
    static const char stored[] = "apple\nplum", torn[] = "\ngrape\npe";
    char text[64], name[UUID_TEXT_SIZE + 8], id[UUID_TEXT_SIZE], bytes[32];
    int ends[2], listener = listen_for_worker(text);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], "!!", 2), 2);
    pid_t child = fork();
    if (child == 0) {
        bool is_sent =
            answer_worker(listener, ends[0], "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        _exit(is_sent && answer_worker(listener, ends[0], LINE_ANSWER) ? 0 : 1);
    }
    struct run run;
    url = text;
    start_run(&run, SCRIPT, "old"); // The job is there, and has no batch.
    stream_fixture_run_until(&fixture, &run.done);
    ck_assert_int_ne(run.result.status, STATUS_OK);
    finish_run(&run, run.result.status);
    const struct job *job = jobs_at(metadata_jobs(fixture.metadata), 0);
    struct recording recording = {.done = false};
    struct job_batch batch = {.number = 1, .timestamp_us = 1, .offsets = {{0, sizeof stored - 1}}};
    batch.input_hash = checksum_xxh3(slice_of_text(stored), 0);
    metadata_record_batch(fixture.metadata, &recording.change, job->id, &batch, 1, 0, 0, 1,
                          was_recorded);
    stream_fixture_run_until(&fixture, &recording.done);
    uuid_format(job->id, id);
    (void)snprintf(name, sizeof name, "%s-000000", id);
    (void)snprintf(bytes, sizeof bytes, "%s%s", stored, _i == 0 ? "" : torn);
    (void)stream_fixture_write(&fixture, name, bytes);
    start_run(&run, SCRIPT, "old");
    finish_run(&run, STATUS_OK);
    ck_assert_int_eq(stream_fixture_read(&fixture, "apple", "ALL"), 2);
    ck_assert_int_eq(stream_fixture_read(&fixture, "plum", "ALL"), 1);
    ck_assert_int_eq(stream_fixture_read(&fixture, "grape", "ALL"), _i);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

// ---- A job whose sums are not repeatable --------------------------------------------------------

struct planting {
    struct env_timer timer;
    struct coordinator_write write;
    bool done;
};

static void planted(struct coordinator_write *write, const struct coordinator_result *result)
{
    ck_assert_int_eq(result->outcome, COORDINATOR_OK);
    CONTAINER_OF(write, struct planting, write)->done = true;
}

// As soon as the job is there: the shard that its batch 150 would write, with another count, as a
// run of the same batch with other sums would have left it.
static void plant(struct env_timer *timer)
{
    struct planting *planting = CONTAINER_OF(timer, struct planting, timer);
    const struct job *job = jobs_at(metadata_jobs(fixture.metadata), 0);
    if (job == NULL) {
        env_timer_start(fixture.env, timer, 1000000, plant);
        return;
    }
    uint8_t context[COUNTER_SINGLE_SHARD_SIZE];
    counter_context_make_global(reducer_counter_id(job->id, 0), 150, 1000000, context);
    struct cell cell = {.ttl = TTL_NONE,
                        .local_time = LOCAL_TIME_NONE,
                        .timestamp = 1,
                        .value = slice_make(context, sizeof context),
                        .path = slice_null()};
    struct slice clustering = slice_of_text("ALL");
    struct row row = {.clustering = {1, &clustering},
                      .liveness = LIVENESS_NONE,
                      .deletion = DELETION_NONE,
                      .cell_count = 1,
                      .cells = &cell};
    struct mutation mutation = {.table = schema_find_table(metadata_schema(fixture.metadata),
                                                           slice_of_text("ks"), slice_of_text("t")),
                                .key = partition_key_make(slice_of_text("apple")),
                                .deletion = DELETION_NONE,
                                .rows = &row,
                                .row_count = 1};
    coordinator_write_start(fixture.coordinator, &planting->write, &mutation, 1, CONSISTENCY_QUORUM,
                            planted);
}

START_TEST(a_batch_that_had_other_sums_breaks_its_job)
{
    static const struct limits limits = {2 * MIB, 1000};
    struct run run;
    struct planting planting = {.done = false};
    write_input(MANY); // 200 batches.
    start_limited_run(&run, SCRIPT, "name", &limits);
    env_timer_start(fixture.env, &planting.timer, 1000000, plant);
    finish_run(&run, STATUS_INVALID);
    ck_assert(planting.done);
    ck_assert_ptr_nonnull(strstr(run.result.error.text, "batch 150: it gave other sums"));
    const struct job *job = jobs_at(metadata_jobs(fixture.metadata), 0);
    ck_assert_uint_eq(job->last_batch, 150);
    // It is so for good, and does not begin anew under its name.
    bool is_broken = job->state == JOB_BROKEN;
    for (int i = 0; i < 100 && !is_broken; i++) {
        struct pause pause = {.done = false};
        env_timer_start(fixture.env, &pause.timer, 1000000, pause_over);
        stream_fixture_run_until(&fixture, &pause.done);
        is_broken = jobs_at(metadata_jobs(fixture.metadata), 0)->state == JOB_BROKEN;
    }
    ck_assert(is_broken);
    write_input(10);
    start_run(&run, SCRIPT, "name");
    finish_run(&run, STATUS_INVALID);
    ck_assert_ptr_nonnull(strstr(run.result.error.text, "the job of this name is broken"));
    start_run(&run, SCRIPT, "another name");
    finish_run(&run, STATUS_OK);
}
END_TEST

static const struct {
    const char *script, *text;
} faults[] = {
    {"local ssc = StreamingContext('t') ssc:textFileStream(arg[1]):map(columns(1, 1, 1))"
     ":saveToCassandra('ks', 'nosuch', SomeColumns('a', 'b', 'n')) ssc:start()",
     "table ks.nosuch does not exist"},
    {"local ssc = StreamingContext('t') ssc:textFileStream(arg[1]):map(columns(1, 1, 1))"
     ":saveToCassandra('ks', 't', SomeColumns('a', 'c', 'n')) ssc:start()",
     "has no column c"},
    {"local ssc = StreamingContext('t') ssc:textFileStream(arg[1]):map(columns(1, 1))"
     ":saveToCassandra('ks', 't', SomeColumns('a', 'n')) ssc:start()",
     "whole primary key"},
    {"local ssc = StreamingContext('t') ssc:textFileStream(arg[1] .. 'x'):print() ssc:start()",
     "inputx"},
    {"local ssc = StreamingContext('t') ssc:textFileStream('ftp://x'):print() ssc:start()",
     "only http://"},
    {"print('nothing')", "no StreamingContext was started"},
    {"oh no", "job.lua:1:"},
};

START_TEST(a_job_that_can_not_run_says_why)
{
    struct run run;
    write_input(1);
    start_run(&run, faults[_i].script, NULL);
    stream_fixture_run_until(&fixture, &run.done);
    ck_assert_int_ne(run.result.status, STATUS_OK);
    ck_assert_msg(strstr(run.result.error.text, faults[_i].text) != NULL, "%s",
                  run.result.error.text);
    driver_destroy(run.driver);
}
END_TEST

START_TEST(another_script_does_not_go_on_with_an_unfinished_job)
{
    struct run run;
    write_input(1);
    // Its function fails, so the job stays open.
    start_run(&run,
              "local ssc = StreamingContext('t') ssc:textFileStream(arg[1])"
              ":map(function() error('no') end):print() ssc:start() ssc:awaitTermination()",
              "mine");
    finish_run(&run, STATUS_INVALID);
    start_run(&run, SCRIPT, "mine");
    stream_fixture_run_until(&fixture, &run.done);
    ck_assert_ptr_nonnull(strstr(run.result.error.text, "another script"));
    driver_destroy(run.driver);
}
END_TEST

// In a process of its own, since the thread that loops for ever can not be ended.
#define ENDLESS_HEAD "local ssc = StreamingContext('t') local lines = ssc:textFileStream(arg[1]) "

static const char *const endless[] = {
    "while true do end",
    ENDLESS_HEAD "lines:map(function() while true do end end):print() ssc:start()",
    // In C, in a call within a call, and after the stream's end.
    ENDLESS_HEAD "lines:map(function() return (('a'):rep(40):find(('a?'):rep(40) .. ('a'):rep(40)))"
                 " end):print() ssc:start()",
    ENDLESS_HEAD "lines:foreachRDD(function(rdd) rdd:foreach(function() while true do end end) end)"
                 " ssc:start()",
    ENDLESS_HEAD "lines:print() ssc:start() while true do coroutine.yield() end",
};

START_TEST(a_function_without_an_end_is_noticed)
{
    pid_t child = fork();
    if (child == 0) {
        struct stream_fixture own;
        stream_fixture_setup(&own);
        fixture = own;
        ck_assert_int_eq(env_address_parse("127.0.0.1", 0, &address), STATUS_OK);
        start_service();
        struct run run;
        write_input(1);
        start_run(&run, endless[_i], NULL);
        stream_fixture_run_until(&fixture, &run.done);
        _exit(run.result.status == STATUS_TIMED_OUT && driver_is_busy(run.driver) ? 0 : 1);
    }
    int code;
    ck_assert_int_eq(waitpid(child, &code, 0), child);
    ck_assert_int_eq(code, 0);
}
END_TEST

int main(void)
{
    TCase *driver = tcase_create("driver");
    tcase_set_timeout(driver, 60);
    tcase_add_checked_fixture(driver, setup, teardown);
    tcase_add_test(driver, a_job_counts_its_input);
    tcase_add_test(driver, a_batch_that_had_other_sums_breaks_its_job);
    tcase_add_test(driver, stored_input_stays_until_the_log_knows_that_it_is_done);
    tcase_add_loop_test(driver, a_job_that_ended_elsewhere_is_not_begun_anew, 0, 2);
    tcase_add_test(driver, a_file_that_another_worker_has_counted_is_done);
    tcase_add_loop_test(driver, a_job_that_was_never_there_keeps_its_submission, 0, 2);
    tcase_add_loop_test(driver, what_is_recorded_of_a_store_stays_as_it_is, 0, 2);
    tcase_add_test(driver, batches_are_as_small_as_wanted);
    tcase_add_test(driver, a_batch_ends_with_many_keys);
    tcase_add_test(driver, an_empty_input_is_a_job_without_batches);
    tcase_add_test(driver, a_finished_or_unnamed_job_starts_anew);
    tcase_add_test(driver, a_node_that_restarts_under_a_job_loses_and_doubles_nothing);
    tcase_add_test(driver, a_job_whose_worker_is_killed_goes_on_under_its_name);
    tcase_add_loop_test(driver, a_job_that_can_not_run_says_why, 0, sizeof faults / sizeof *faults);
    tcase_add_test(driver, another_script_does_not_go_on_with_an_unfinished_job);
    TCase *watchdog = tcase_create("watchdog");
    tcase_set_timeout(watchdog, 60);
    tcase_add_loop_test(watchdog, a_function_without_an_end_is_noticed, 0,
                        sizeof endless / sizeof *endless);
    Suite *suite = suite_create("driver");
    suite_add_tcase(suite, driver);
    suite_add_tcase(suite, watchdog);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
