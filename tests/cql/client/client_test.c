// The client, and the benchmark on top of it, against our own server over real sockets.
#include "cql/client/client.h"

#include "base/env_uv.h"
#include "cql/client/bench_chart.h"
#include "cql/client/bench_report.h"
#include "cql/protocol/message.h"
#include "cql/protocol/server.h"
#include "tests/cql/protocol/fake_statements.h"

#include <check.h>
#include <math.h>

static struct env *env;
static struct cql_server *server;
static struct query_processor processor;

// What happened, and whether it was all that was waited for.
static struct {
    bool is_connected;
    enum status connect_status;
    char connect_error[ERROR_TEXT_SIZE];
    int done, errors, broken;
    uint64_t rows;
    int last_error;
    uint8_t id[16];
    uint8_t metadata_id[16];
    bool server_is_closing, server_is_closed, bench_is_done;
    struct cql_bench_result bench;
    int bench_seconds;
    enum status bench_status;
    char bench_error[ERROR_TEXT_SIZE];
} seen;

static void guard_fired(struct env_timer *timer)
{
    (void)timer;
    ck_abort_msg("nothing came for 20 s");
}

static void run_until(const bool *flag, const int *number, int wanted)
{
    struct env_timer guard = {0};
    env_timer_start(env, &guard, 20ull * 1000 * 1000 * 1000, guard_fired);
    while (flag != NULL ? !*flag : *number < wanted)
        env_uv_run(env);
    env_timer_stop(env, &guard);
}

static void connected(void *context, enum status status, const struct error *error)
{
    (void)context;
    seen.is_connected = true;
    seen.connect_status = status;
    (void)snprintf(seen.connect_error, sizeof seen.connect_error, "%s", error->text);
    env_uv_stop(env);
}

static void done(struct cql_client_request *request, enum status status,
                 const struct answer *answer)
{
    (void)request;
    seen.done++;
    env_uv_stop(env);
    if (status != STATUS_OK) {
        seen.broken++;
        return;
    }
    if (answer->opcode == OPCODE_ERROR) {
        seen.errors++;
        seen.last_error = (int)answer->error_code;
    } else if (answer->opcode == OPCODE_RESULT && answer->kind == RESULT_ROWS) {
        seen.rows += answer->row_count;
    } else if (answer->opcode == OPCODE_RESULT && answer->kind == RESULT_PREPARED) {
        ck_assert_uint_eq(answer->id.size, 16);
        memcpy(seen.id, answer->id.data, 16);
        if (answer->metadata_id.size == 16) memcpy(seen.metadata_id, answer->metadata_id.data, 16);
    }
}

static struct cql_client *connect_to(struct env_address address, int version, bool lz4,
                                     size_t in_flight_max)
{
    const struct cql_client_options options = {
        .address = address, .version = version, .lz4 = lz4, .in_flight_max = in_flight_max};
    seen.is_connected = false;
    struct cql_client *client = cql_client_create(env, &options, connected, NULL);
    run_until(&seen.is_connected, NULL, 0);
    return client;
}

static void setup(void)
{
    struct error error;
    ck_assert_int_eq(env_uv_create(&env, &error), STATUS_OK);
    processor = (struct query_processor){.env = env};
    struct env_address address;
    ck_assert_int_eq(env_address_parse("127.0.0.1", 0, &address), STATUS_OK);
    ck_assert_int_eq(cql_server_create(env, &processor, &address, &server, &error), STATUS_OK);
    memset(&seen, 0, sizeof seen);
}

static void server_closed(void *context)
{
    (void)context;
    seen.server_is_closed = true;
    env_uv_stop(env);
}

static void close_server(void)
{
    seen.server_is_closing = true;
    cql_server_close(server, server_closed, NULL);
}

static void teardown(void)
{
    if (!seen.server_is_closing) close_server();
    fake_end_waiting();
    run_until(&seen.server_is_closed, NULL, 0);
    env_uv_destroy(env);
    ck_assert_int_eq(fake_statement_count, 0);
}

START_TEST(queries_and_prepared_statements_are_answered)
{
    int version = 3 + _i / 2;
    bool lz4 = _i % 2 == 1;
    struct cql_client *client = connect_to(cql_server_address(server), version, lz4, 8);
    ck_assert_int_eq(seen.connect_status, STATUS_OK);
    struct cql_client_request requests[9];
    ck_assert_int_eq(cql_client_query(client, &requests[0], slice_of_text("ROWS 5"), NULL, done),
                     STATUS_OK);
    ck_assert_int_eq(cql_client_query(client, &requests[1], slice_of_text("nonsense"), NULL, done),
                     STATUS_OK);
    ck_assert_int_eq(cql_client_prepare(client, &requests[2], slice_of_text("ROWS 7 ?"), done),
                     STATUS_OK);
    ck_assert_int_eq(seen.done, 0); // Never inside the call.
    ck_assert_uint_eq(cql_client_in_flight(client), 3);
    run_until(NULL, &seen.done, 3);
    ck_assert_uint_eq(seen.rows, 5);
    ck_assert_int_eq(seen.errors, 1);
    ck_assert_int_eq(seen.last_error, CQL_ERROR_SYNTAX);

    const struct bound_value value = {slice_make("\0\0\0\1", 4), false};
    const struct query_options options = {.consistency = CONSISTENCY_ONE,
                                          .serial_consistency = CONSISTENCY_SERIAL,
                                          .values = &value,
                                          .value_count = 1,
                                          .page_size = 100,
                                          .has_timestamp = true,
                                          .timestamp_us = 1};
    struct slice id = slice_make(seen.id, 16);
    struct slice metadata_id = version >= 5 ? slice_make(seen.metadata_id, 16) : slice_null();
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(cql_client_execute(client, &requests[i], id, metadata_id, &options, done),
                         STATUS_OK);
    ck_assert_int_eq(cql_client_execute(client, &requests[8], id, metadata_id, &options, done),
                     STATUS_OVERLOADED);
    run_until(NULL, &seen.done, 11);
    ck_assert_uint_eq(seen.rows, 5 + 8 * 7);
    cql_client_close(client);
}
END_TEST

START_TEST(requests_hear_when_the_server_goes)
{
    struct cql_client *client = connect_to(cql_server_address(server), 4, false, 100);
    struct cql_client_request requests[51];
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(cql_client_query(client, &requests[i], slice_of_text("LATER"), NULL, done),
                         STATUS_OK);
    ck_assert_int_eq(cql_client_query(client, &requests[50], slice_of_text("VOID"), NULL, done),
                     STATUS_OK);
    run_until(NULL, &seen.done, 1);
    close_server();
    run_until(NULL, &seen.done, 51);
    ck_assert_int_eq(seen.broken, 50);
    ck_assert_int_eq(cql_client_query(client, &requests[0], slice_of_text("VOID"), NULL, done),
                     STATUS_CLOSED);
    cql_client_close(client);
    fake_end_waiting();
}
END_TEST

START_TEST(a_client_may_be_closed_at_any_time)
{
    const struct cql_client_options options = {
        .address = cql_server_address(server), .version = 4, .in_flight_max = 10};
    struct cql_client *client = cql_client_create(env, &options, connected, NULL);
    cql_client_close(client); // While it connects.
    client = connect_to(cql_server_address(server), 4, false, 10);
    struct cql_client_request request;
    ck_assert_int_eq(cql_client_query(client, &request, slice_of_text("LATER"), NULL, done),
                     STATUS_OK);
    cql_client_close(client); // With something not sent.
    client = connect_to(cql_server_address(server), 4, false, 10);
    cql_client_close(client);
    ck_assert_int_eq(seen.done, 0);
}
END_TEST

START_TEST(nobody_listening_is_told)
{
    struct env_address address = cql_server_address(server);
    close_server();
    run_until(&seen.server_is_closed, NULL, 0);
    struct cql_client *client = connect_to(address, 4, false, 10);
    ck_assert_int_eq(seen.connect_status, STATUS_REFUSED);
    ck_assert_ptr_nonnull(strstr(seen.connect_error, "127.0.0.1"));
    cql_client_close(client);
}
END_TEST

START_TEST(a_request_that_is_too_big_is_refused_at_home)
{
    struct cql_client *client = connect_to(cql_server_address(server), 4, false, 10);
    struct cql_client_request request;
    uint8_t *bytes = calloc(1, 17u << 20);
    ck_assert_int_eq(cql_client_query(client, &request, slice_make(bytes, 17u << 20), NULL, done),
                     STATUS_INVALID);
    free(bytes);
    ck_assert_int_eq(cql_client_query(client, &request, slice_of_text("VOID"), NULL, done),
                     STATUS_OK);
    run_until(NULL, &seen.done, 1);
    cql_client_close(client);
}
END_TEST

// ---- The benchmark -----------------------------------------------------------------------------

static void bench_done(void *context, enum status status, const struct cql_bench_result *result,
                       const struct error *error)
{
    (void)context;
    seen.bench_is_done = true;
    seen.bench_status = status;
    seen.bench = *result;
    (void)snprintf(seen.bench_error, sizeof seen.bench_error, "%s", error->text);
    env_uv_stop(env);
}

static void bench_second(void *context, const struct cql_bench_second *second)
{
    (void)context;
    struct buffer text;
    buffer_init(&text, 4096);
    bench_report_put_second_json(&text, second);
    bench_report_put_second_text(&text, second);
    ck_assert(!text.overflow && text.size > 0);
    buffer_deinit(&text);
    seen.bench_seconds++;
}

static struct cql_bench_options bench_options(uint64_t count)
{
    return (struct cql_bench_options){.hosts = {cql_server_address(server)},
                                      .host_count = 1,
                                      .version = 5,
                                      .connections = 3,
                                      .in_flight = 5,
                                      .count = count,
                                      .seed = 1,
                                      .consistency = CONSISTENCY_ONE,
                                      .pids = {1},
                                      .pid_count = 1,
                                      .second = bench_second};
}

static void run_bench_with(const char *file, const struct cql_bench_options *options)
{
    static struct bench_workload workload;
    struct error error;
    ck_assert_msg(bench_workload_parse(&workload, slice_of_text(file), &error) == STATUS_OK, "%s",
                  error.text);
    struct cql_bench *bench = cql_bench_start(env, options, &workload, bench_done, NULL);
    run_until(&seen.bench_is_done, NULL, 0);
    struct buffer text;
    for (int form = 0; form < 3; form++) {
        buffer_init(&text, 1 << 20);
        if (form == 0) bench_report_put_text(&text, options, &seen.bench);
        if (form == 1) bench_report_put_json(&text, options, &seen.bench);
        if (form == 2) bench_chart_put(&text, "a <title> & more", options, &seen.bench);
        ck_assert(!text.overflow && text.size > 0);
        buffer_deinit(&text);
    }
    cql_bench_destroy(bench);
    bench_workload_deinit(&workload);
}

static void run_bench(const char *file, uint64_t count)
{
    const struct cql_bench_options options = bench_options(count);
    run_bench_with(file, &options);
}

START_TEST(the_benchmark_counts_what_it_asked_for)
{
    run_bench("-- setup VOID\n-- bind int uniform 10\nROWS 2 ?\n", 1000);
    ck_assert_int_eq(seen.bench_status, STATUS_OK);
    ck_assert_uint_eq(seen.bench.operations, 1000);
    ck_assert_uint_eq(seen.bench.rows, 2000);
    ck_assert_uint_eq(seen.bench.errors, 0);
    ck_assert_uint_eq(seen.bench.latency.count, 1000);
    ck_assert_uint_gt(seen.bench.elapsed_ns, 0);
}
END_TEST

START_TEST(the_benchmark_tells_errors_and_goes_on)
{
    run_bench("-- weight 3\nFAIL\nVOID\n", 400);
    ck_assert_int_eq(seen.bench_status, STATUS_OK);
    ck_assert_uint_gt(seen.bench.errors, 200);
    ck_assert_uint_lt(seen.bench.errors, 400);
    ck_assert_str_eq(seen.bench.first_error, "Operation timed out");
}
END_TEST

START_TEST(the_benchmark_stops_at_a_statement_that_cannot_be_prepared)
{
    run_bench("nonsense\n", 10);
    ck_assert_int_eq(seen.bench_status, STATUS_INVALID);
    ck_assert_str_eq(seen.bench_error, "a statement: line 1:0 no viable alternative");
}
END_TEST

START_TEST(an_open_loop_asks_as_often_as_its_rate_says)
{
    struct cql_bench_options options = bench_options(0);
    options.rate = 2000;
    options.arrivals = _i == 0 ? BENCH_ARRIVALS_EVEN : BENCH_ARRIVALS_POISSON;
    options.duration_ns = 300ull * 1000 * 1000;
    options.is_unprepared = options.spins = _i == 1;
    run_bench_with("VOID\n", &options);
    ck_assert_int_eq(seen.bench_status, STATUS_OK);
    // 600 in 0.3 s; by chance, six deviations of 24 more or less.
    ck_assert_uint_ge(seen.bench.operations, _i == 0 ? 599 : 600 - 6 * 25);
    ck_assert_uint_le(seen.bench.operations, _i == 0 ? 601 : 600 + 6 * 25);
    ck_assert_uint_eq(seen.bench.unanswered, 0);
    ck_assert_uint_eq(seen.bench.latency.count, seen.bench.operations);
    ck_assert_uint_eq(seen.bench.service.count, seen.bench.operations);
    ck_assert(seen.bench.latency.sum >= seen.bench.service.sum);
    ck_assert_int_ge(seen.bench_seconds, 1);
}
END_TEST

START_TEST(an_open_loop_ends_with_its_count)
{
    struct cql_bench_options options = bench_options(500);
    options.rate = 10000;
    run_bench_with("ROWS 2\n", &options);
    ck_assert_int_eq(seen.bench_status, STATUS_OK);
    ck_assert_uint_eq(seen.bench.operations, 500);
    ck_assert_uint_eq(seen.bench.rows, 1000);
}
END_TEST

static void end_waiting_fired(struct env_timer *timer)
{
    fake_end_waiting();
    env_timer_start(env, timer, 1000 * 1000, end_waiting_fired);
}

// Nothing is answered for 200 ms. A closed loop would tell of 15 slow requests; here the 400 that
// were due meanwhile are slow too.
START_TEST(who_was_kept_waiting_is_in_the_latencies)
{
    struct cql_bench_options options = bench_options(500);
    options.rate = 2000;
    struct env_timer timer = {0};
    env_timer_start(env, &timer, 200ull * 1000 * 1000, end_waiting_fired);
    run_bench_with("LATER\n", &options);
    env_timer_stop(env, &timer);
    ck_assert_int_eq(seen.bench_status, STATUS_OK);
    ck_assert_uint_eq(seen.bench.operations, 500);
    ck_assert_uint_gt(histogram_percentile(&seen.bench.latency, 50), 20ull * 1000 * 1000);
    ck_assert_uint_lt(histogram_percentile(&seen.bench.service, 50),
                      histogram_percentile(&seen.bench.latency, 50));
}
END_TEST

START_TEST(arrivals_keep_their_rate)
{
    enum { COUNT = 100000, RATE = 3000 };
    struct bench_arrivals arrivals;
    bench_arrivals_init(&arrivals, _i == 0 ? BENCH_ARRIVALS_EVEN : BENCH_ARRIVALS_POISSON, RATE, 77,
                        1);
    uint64_t last_ns = 77, short_gaps = 0;
    for (int i = 0; i < COUNT; i++) {
        bench_arrivals_advance(&arrivals);
        uint64_t due_ns = bench_arrivals_due_ns(&arrivals);
        ck_assert_uint_ge(due_ns, last_ns);
        short_gaps += due_ns - last_ns < 1000000000ull / RATE;
        last_ns = due_ns;
    }
    double expected_ns = 1e9 * COUNT / RATE;
    ck_assert_double_eq_tol((double)(last_ns - 77), expected_ns, _i == 0 ? 1 : expected_ns / 100);
    // Of an exponential distribution 1 - 1/e lie below the mean.
    if (_i == 1) ck_assert_double_eq_tol((double)short_gaps / COUNT, 0.632, 0.01);
}
END_TEST

START_TEST(a_chart_is_well_formed)
{
    static struct cql_bench_second seconds[1000];
    static struct cql_bench_result result;
    const struct cql_bench_options options = {.connections = 1, .in_flight = 1, .rate = 1};
    struct buffer svg;
    for (int has_values = 0; has_values < 2; has_values++) {
        histogram_init(&result.latency);
        histogram_init(&result.service);
        for (uint64_t i = 0; i < 1000 && has_values; i++) {
            histogram_record(&result.latency, i * i * 1000);
            histogram_record(&result.service, i * 1000);
            seconds[i] = (struct cql_bench_second){.end_ns = (i + 1) * 1000000000, .max_ns = i * 7};
        }
        result.seconds = seconds;
        result.second_count = has_values ? 1000 : 0;
        buffer_init(&svg, 1 << 20);
        bench_chart_put(&svg, "<&>", &options, &result);
        buffer_put_u8(&svg, 0);
        const char *text = (const char *)svg.data;
        ck_assert(!svg.overflow);
        ck_assert_ptr_nonnull(strstr(text, ">&#60;&#38;&#62;</text>"));
        ck_assert_str_eq(text + svg.size - 8, "</svg>\n");
        ck_assert_ptr_null(strstr(text, "nan "));
        ck_assert_ptr_null(strstr(text, "inf "));
        buffer_deinit(&svg);
    }
}
END_TEST

// ---- Workloads ---------------------------------------------------------------------------------

static const struct {
    const char *file, *error;
} bad_files[] = {
    {"", "there is no statement"},
    {"-- nothing\n\n", "there is no statement"},
    {"SELECT ?\n", "line 1: 1 markers (?) but 0 binds before it"},
    {"-- bind int zipf 0\nSELECT ?\n", "line 1: 'zipf 0': a number above 0 is needed"},
    {"-- bind list uniform 3\nSELECT ?\n", "line 1: 'list' is no type for a bind"},
    {"-- bind int random 3\nSELECT ?\n", "line 1: random is for text and blob, of at most 1048576 "
                                         "bytes"},
    {"-- bind int uniform 3 prefix\nSELECT ?\n", "line 1: 'prefix' needs a value behind it"},
    {"-- bind int uniform 3 sizes zipf\nSELECT ?\n", "line 1: sizes are for random only"},
    {"-- bind blob random 3 sizes even\nSELECT ?\n",
     "line 1: sizes are zipf, uniform or gaussian, not 'even'"},
    {"-- bind blob random 3 from 4\nSELECT ?\n",
     "line 1: from is the least size of a random value"},
    {"SELECT 1\n-- bind int uniform 3\n", "line 2: a bind without a statement behind it"},
    {"-- weight 0\nSELECT 1\n", "line 1: weight is from 1 to 1000000"},
};

START_TEST(a_bad_statement_file_is_explained)
{
    static struct bench_workload workload;
    struct error error;
    ck_assert_int_eq(bench_workload_parse(&workload, slice_of_text(bad_files[_i].file), &error),
                     STATUS_MALFORMED);
    ck_assert_str_eq(error.text, bad_files[_i].error);
    bench_workload_deinit(&workload);
}
END_TEST

START_TEST(values_look_as_they_were_described)
{
    static const struct {
        const char *text;
        size_t size;
        const char *bytes;
    } values[] = {
        {"text sequence 7 prefix tag", 4, "tag7"},
        {"text sequence prefix t pad 3", 4, "t000"},
        {"int constant 258", 4, "\x00\x00\x01\x02"},
        {"bigint constant 258", 8, "\x00\x00\x00\x00\x00\x00\x01\x02"},
        {"smallint constant 258", 2, "\x01\x02"},
        {"double constant 1", 8, "\x3f\xf0\x00\x00\x00\x00\x00\x00"},
        {"float constant 1", 4, "\x3f\x80\x00\x00"},
        {"boolean constant 1", 1, "\x01"},
        {"uuid constant 0", 16, "\0\0\0\0\0\0\x40\0\x80\0\0\0\0\0\0\0"},
    };
    struct random random;
    struct arena arena;
    random_init(&random, 1);
    arena_init(&arena, 1024);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct bench_value value;
        struct error error;
        ck_assert_msg(bench_value_parse(values[i].text, &value, &error) == STATUS_OK, "%s: %s",
                      values[i].text, error.text);
        struct slice made = bench_value_next(&value, &random, &arena);
        ck_assert_msg(slice_equals(made, slice_make(values[i].bytes, values[i].size)), "%s",
                      values[i].text);
    }
    struct bench_value value;
    ck_assert_int_eq(bench_value_parse("blob random 33", &value, NULL), STATUS_OK);
    ck_assert_uint_eq(bench_value_next(&value, &random, &arena).size, 33);
    arena_deinit(&arena);
}
END_TEST

START_TEST(gaussian_numbers_gather_in_the_middle)
{
    enum { LIMIT = 600, DRAWS = 100000 };
    struct bench_value value;
    struct random random;
    random_init(&random, 7);
    ck_assert_int_eq(bench_value_parse("int gaussian 600", &value, NULL), STATUS_OK);
    double sum = 0, squares = 0;
    int near = 0;
    for (int i = 0; i < DRAWS; i++) {
        uint64_t number = bench_value_next_number(&value, &random);
        ck_assert_uint_lt(number, LIMIT);
        double distance = (double)number + 0.5 - LIMIT / 2;
        sum += distance;
        squares += distance * distance;
        near += fabs(distance) < 100;
    }
    ck_assert_double_eq_tol(sum / DRAWS, 0, 2);
    ck_assert_double_eq_tol(sqrt(squares / DRAWS), 98.7, 1.5); // 100, without its ends.
    ck_assert_double_eq_tol((double)near / DRAWS, 0.6845, 0.01);
}
END_TEST

START_TEST(sizes_are_spread_as_they_were_described)
{
    static const struct {
        const char *text;
        size_t min, max;
        double mean, tolerance;
    } rows[] = {
        {"blob random 100", 100, 100, 100, 0},
        {"blob random 100 sizes uniform", 0, 100, 50, 1},
        {"text random 100 sizes uniform from 50", 50, 100, 75, 1},
        {"blob random 100 sizes gaussian from 20", 20, 100, 60, 1},
        {"blob random 100 sizes zipf from 1", 1, 100, 19.3, 1},
        {"blob random 5 sizes zipf from 5", 5, 5, 5, 0},
    };
    struct random random;
    struct arena arena;
    random_init(&random, 3);
    arena_init(&arena, 1024);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench_value value;
        double sum = 0;
        ck_assert_int_eq(bench_value_parse(rows[i].text, &value, NULL), STATUS_OK);
        for (int n = 0; n < 10000; n++) {
            size_t size = bench_value_next(&value, &random, &arena).size;
            ck_assert_uint_ge(size, rows[i].min);
            ck_assert_uint_le(size, rows[i].max);
            sum += (double)size;
            arena_reset(&arena);
        }
        ck_assert_msg(fabs(sum / 10000 - rows[i].mean) <= rows[i].tolerance, "%s: %f", rows[i].text,
                      sum / 10000);
    }
    arena_deinit(&arena);
}
END_TEST

START_TEST(zipf_has_the_right_shares)
{
    static const double exponents[] = {0.5, 0.99, 1, 1.5};
    enum { LIMIT = 1000, DRAWS = 200000 };
    for (size_t e = 0; e < sizeof exponents / sizeof exponents[0]; e++) {
        char text[64];
        (void)snprintf(text, sizeof text, "bigint zipf %d exponent %.2f", LIMIT, exponents[e]);
        struct bench_value value;
        struct random random;
        random_init(&random, 42);
        ck_assert_int_eq(bench_value_parse(text, &value, NULL), STATUS_OK);
        static int counts[LIMIT + 1];
        memset(counts, 0, sizeof counts);
        for (int i = 0; i < DRAWS; i++) {
            uint64_t number = bench_value_next_number(&value, &random);
            ck_assert_uint_ge(number, 1);
            ck_assert_uint_le(number, LIMIT);
            counts[number]++;
        }
        double sum = 0;
        for (int k = 1; k <= LIMIT; k++)
            sum += pow(k, -exponents[e]);
        for (int k = 1; k <= 5; k++) {
            double expected = DRAWS * pow(k, -exponents[e]) / sum;
            ck_assert_msg(fabs(counts[k] - expected) < 5 * sqrt(expected),
                          "exponent %.2f, %d: %d instead of %.0f", exponents[e], k, counts[k],
                          expected);
        }
    }
}
END_TEST

int main(void)
{
    TCase *client = tcase_create("client");
    tcase_set_timeout(client, 60);
    tcase_add_checked_fixture(client, setup, teardown);
    tcase_add_loop_test(client, queries_and_prepared_statements_are_answered, 0, 6);
    tcase_add_test(client, requests_hear_when_the_server_goes);
    tcase_add_test(client, a_client_may_be_closed_at_any_time);
    tcase_add_test(client, nobody_listening_is_told);
    tcase_add_test(client, a_request_that_is_too_big_is_refused_at_home);
    tcase_add_test(client, the_benchmark_counts_what_it_asked_for);
    tcase_add_test(client, the_benchmark_tells_errors_and_goes_on);
    tcase_add_test(client, the_benchmark_stops_at_a_statement_that_cannot_be_prepared);
    tcase_add_loop_test(client, an_open_loop_asks_as_often_as_its_rate_says, 0, 2);
    tcase_add_test(client, an_open_loop_ends_with_its_count);
    tcase_add_test(client, who_was_kept_waiting_is_in_the_latencies);
    TCase *workload = tcase_create("workload");
    tcase_set_timeout(workload, 60); // Millions of values, also under sanitizers on a busy machine.
    tcase_add_loop_test(workload, a_bad_statement_file_is_explained, 0,
                        sizeof bad_files / sizeof bad_files[0]);
    tcase_add_test(workload, values_look_as_they_were_described);
    tcase_add_test(workload, zipf_has_the_right_shares);
    tcase_add_test(workload, gaussian_numbers_gather_in_the_middle);
    tcase_add_test(workload, sizes_are_spread_as_they_were_described);
    tcase_add_loop_test(workload, arrivals_keep_their_rate, 0, 2);
    tcase_add_test(workload, a_chart_is_well_formed);

    Suite *suite = suite_create("client");
    suite_add_tcase(suite, client);
    suite_add_tcase(suite, workload);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
