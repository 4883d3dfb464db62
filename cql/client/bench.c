#include "cql/client/bench.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "cql/client/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum phase { BENCH_CONNECTING, BENCH_SETTING_UP, BENCH_PREPARING, BENCH_RUNNING, BENCH_ENDED };

enum { MEMORY_OF_ONE_REQUEST = 4096 };

// One of the requests in flight.
struct slot {
    struct cql_client_request request;
    struct cql_bench *bench;
    struct cql_client *client;
    uint64_t started_ns;
};

// As the server knows a statement of the workload.
struct prepared_id {
    struct slice id, metadata_id;
};

struct cql_bench {
    struct env *env;
    struct cql_bench_options options;
    struct bench_workload *workload;
    enum phase phase;
    struct cql_client *clients[CQL_BENCH_CONNECTIONS_MAX];
    size_t ready_count;
    struct slot *slots;
    size_t step; // Of setting up, or of preparing: every statement at every host.
    struct prepared_id ids[BENCH_STATEMENTS_MAX];
    struct arena arena;         // Of the ids.
    struct arena request_arena; // Of the values of one request.
    struct random random;
    struct env_timer timer;
    bool is_measuring;
    uint64_t begun_ns;
    struct cql_bench_result result;
    struct env_task ended_task;
    enum status status;
    struct error error;
    void (*done)(void *context, enum status status, const struct cql_bench_result *result,
                 const struct error *error);
    void *context;
};

// ---- The end -----------------------------------------------------------------------------------

static void run_ended_task(struct env_task *task)
{
    struct cql_bench *bench = CONTAINER_OF(task, struct cql_bench, ended_task);
    bench->done(bench->context, bench->status, &bench->result, &bench->error);
}

static void end(struct cql_bench *bench, enum status status)
{
    if (bench->phase == BENCH_ENDED) return;
    bench->phase = BENCH_ENDED;
    bench->status = status;
    env_timer_stop(bench->env, &bench->timer);
    env_task_post(bench->env, &bench->ended_task, run_ended_task);
}

static void fail(struct cql_bench *bench, enum status status, const char *what, struct slice why)
{
    if (bench->phase == BENCH_ENDED) return;
    (void)error_set(&bench->error, status, "%s: %.*s", what, (int)(why.size < 400 ? why.size : 400),
                    (const char *)why.data);
    end(bench, status);
}

// ---- Measuring ---------------------------------------------------------------------------------

static void read_processes(struct cql_bench *bench, bool at_end)
{
    for (size_t i = 0; i < bench->options.pid_count; i++) {
        struct env_process_usage usage;
        bench->result.processes[i].pid = bench->options.pids[i];
        bool is_known =
            env_process_usage(bench->env, bench->options.pids[i], &usage, NULL) == STATUS_OK;
        bench->result.processes[i].is_known =
            is_known && (!at_end || bench->result.processes[i].is_known);
        if (!is_known) continue;
        bench->result.processes[i].cpu_ns = usage.cpu_ns - bench->result.processes[i].cpu_ns;
        bench->result.processes[i].resident_bytes = usage.resident_bytes;
    }
}

static void measured_enough(struct cql_bench *bench)
{
    bench->result.elapsed_ns = env_monotonic_ns(bench->env) - bench->begun_ns;
    bench->is_measuring = false;
    read_processes(bench, true);
    end(bench, STATUS_OK);
}

static void timer_fired(struct env_timer *timer)
{
    struct cql_bench *bench = CONTAINER_OF(timer, struct cql_bench, timer);
    if (bench->is_measuring) {
        measured_enough(bench);
        return;
    }
    bench->is_measuring = true;
    read_processes(bench, false);
    bench->begun_ns = env_monotonic_ns(bench->env);
    if (bench->options.count == 0)
        env_timer_start(bench->env, timer, bench->options.duration_ns, timer_fired);
}

static void count_answer(struct cql_bench *bench, const struct slot *slot,
                         const struct answer *answer, uint64_t now_ns)
{
    struct cql_bench_result *result = &bench->result;
    result->operations++;
    histogram_record(&result->latency, now_ns - slot->started_ns);
    if (answer->opcode == OPCODE_ERROR) {
        result->errors++;
        if (result->first_error[0] == '\0')
            (void)snprintf(result->first_error, sizeof result->first_error, "%.*s",
                           (int)(answer->error_text.size < 250 ? answer->error_text.size : 250),
                           (const char *)answer->error_text.data);
    } else if (answer->opcode == OPCODE_RESULT && answer->kind == RESULT_ROWS) {
        result->rows += answer->row_count;
    }
    if (bench->options.count != 0 && result->operations >= bench->options.count)
        measured_enough(bench);
}

// ---- Running -----------------------------------------------------------------------------------

static void request_done(struct cql_client_request *request, enum status status,
                         const struct answer *answer);

static void start_request(struct slot *slot)
{
    struct cql_bench *bench = slot->bench;
    struct bench_statement *statement = bench_workload_choose(bench->workload, &bench->random);
    const struct prepared_id *id = &bench->ids[statement - bench->workload->statements];
    struct bound_value values[BENCH_VALUES_MAX];
    arena_reset(&bench->request_arena);
    for (size_t i = 0; i < statement->value_count; i++)
        values[i] = (struct bound_value){
            bench_value_next(&statement->values[i], &bench->random, &bench->request_arena), false};
    struct query_options options = {.consistency = bench->options.consistency,
                                    .serial_consistency = CONSISTENCY_SERIAL,
                                    .values = values,
                                    .value_count = statement->value_count};
    slot->started_ns = env_monotonic_ns(bench->env);
    enum status status = cql_client_execute(slot->client, &slot->request, id->id, id->metadata_id,
                                            &options, request_done);
    if (status != STATUS_OK)
        fail(bench, status, "a request could not be sent", slice_of_text(status_text(status)));
}

static void request_done(struct cql_client_request *request, enum status status,
                         const struct answer *answer)
{
    struct slot *slot = CONTAINER_OF(request, struct slot, request);
    struct cql_bench *bench = slot->bench;
    if (bench->phase == BENCH_ENDED) return;
    if (status != STATUS_OK) {
        fail(bench, status, "a connection broke", slice_of_text(status_text(status)));
        return;
    }
    if (bench->is_measuring) count_answer(bench, slot, answer, env_monotonic_ns(bench->env));
    if (bench->phase == BENCH_RUNNING) start_request(slot);
}

static void start_running(struct cql_bench *bench)
{
    bench->phase = BENCH_RUNNING;
    env_timer_start(bench->env, &bench->timer, bench->options.warm_up_ns, timer_fired);
    size_t count = bench->options.connections * bench->options.in_flight;
    for (size_t i = 0; i < count && bench->phase == BENCH_RUNNING; i++)
        start_request(&bench->slots[i]);
}

// ---- Setting up --------------------------------------------------------------------------------

static void next_step(struct cql_bench *bench);

static void step_done(struct cql_client_request *request, enum status status,
                      const struct answer *answer)
{
    struct slot *slot = CONTAINER_OF(request, struct slot, request);
    struct cql_bench *bench = slot->bench;
    if (bench->phase == BENCH_ENDED) return;
    if (status != STATUS_OK) {
        fail(bench, status, "the connection broke", slice_of_text(status_text(status)));
        return;
    }
    if (answer->opcode == OPCODE_ERROR) {
        fail(bench, STATUS_INVALID,
             bench->phase == BENCH_SETTING_UP ? "a setup statement" : "a statement",
             answer->error_text);
        return;
    }
    if (bench->phase == BENCH_PREPARING) {
        if (answer->kind != RESULT_PREPARED) {
            fail(bench, STATUS_MALFORMED, "a statement", slice_of_text("it was not prepared"));
            return;
        }
        // All hosts of a ring give a statement the same id.
        struct prepared_id *id = &bench->ids[bench->step % bench->workload->statement_count];
        id->id = arena_copy(&bench->arena, answer->id);
        id->metadata_id = arena_copy(&bench->arena, answer->metadata_id);
    }
    bench->step++;
    next_step(bench);
}

static void next_step(struct cql_bench *bench)
{
    size_t count = bench->workload->statement_count;
    enum status status = STATUS_OK;
    if (bench->phase == BENCH_SETTING_UP && bench->step == bench->workload->setup_count) {
        bench->phase = BENCH_PREPARING;
        bench->step = 0;
    }
    size_t host = bench->phase == BENCH_PREPARING && count > 0 ? bench->step / count : 0;
    if (host == bench->options.host_count) {
        start_running(bench);
        return;
    }
    struct slot *slot = &bench->slots[host * bench->options.in_flight];
    if (bench->phase == BENCH_SETTING_UP)
        status = cql_client_query(slot->client, &slot->request, bench->workload->setup[bench->step],
                                  NULL, step_done);
    else
        status =
            cql_client_prepare(slot->client, &slot->request,
                               bench->workload->statements[bench->step % count].text, step_done);
    if (status != STATUS_OK)
        fail(bench, status, "a statement could not be sent", slice_of_text(status_text(status)));
}

static void client_connected(void *context, enum status status, const struct error *error)
{
    struct cql_bench *bench = context;
    if (bench->phase == BENCH_ENDED) return;
    if (status != STATUS_OK) {
        fail(bench, status, "cannot connect", slice_of_text(error->text));
        return;
    }
    if (++bench->ready_count < bench->options.connections) return;
    bench->phase = BENCH_SETTING_UP;
    next_step(bench);
}

// ---- Life --------------------------------------------------------------------------------------

struct cql_bench *cql_bench_start(struct env *env, const struct cql_bench_options *options,
                                  struct bench_workload *workload,
                                  void (*done)(void *context, enum status status,
                                               const struct cql_bench_result *result,
                                               const struct error *error),
                                  void *context)
{
    ASSERT(options->connections >= 1 && options->connections <= CQL_BENCH_CONNECTIONS_MAX);
    ASSERT(options->host_count >= 1 && options->host_count <= options->connections);
    ASSERT(options->in_flight >= 1 && options->in_flight <= CQL_BENCH_IN_FLIGHT_MAX);
    struct cql_bench *bench = calloc(1, sizeof *bench);
    ASSERT(bench != NULL);
    bench->env = env;
    bench->options = *options;
    bench->workload = workload;
    bench->done = done;
    bench->context = context;
    arena_init(&bench->arena, 1024);
    arena_init(&bench->request_arena, MEMORY_OF_ONE_REQUEST);
    random_init(&bench->random, options->seed);
    histogram_init(&bench->result.latency);
    bench->slots = calloc(options->connections * options->in_flight, sizeof *bench->slots);
    ASSERT(bench->slots != NULL);
    struct cql_client_options client_options = {
        .version = options->version,
        .lz4 = options->lz4,
        .in_flight_max = options->in_flight,
    };
    for (size_t i = 0; i < options->connections; i++) {
        client_options.address = options->hosts[i % options->host_count];
        bench->clients[i] = cql_client_create(env, &client_options, client_connected, bench);
        for (size_t j = 0; j < options->in_flight; j++) {
            struct slot *slot = &bench->slots[i * options->in_flight + j];
            slot->bench = bench;
            slot->client = bench->clients[i];
        }
    }
    return bench;
}

void cql_bench_destroy(struct cql_bench *bench)
{
    bench->phase = BENCH_ENDED;
    for (size_t i = 0; i < bench->options.connections; i++)
        cql_client_close(bench->clients[i]);
    env_timer_stop(bench->env, &bench->timer);
    env_task_cancel(bench->env, &bench->ended_task);
    arena_deinit(&bench->arena);
    arena_deinit(&bench->request_arena);
    free(bench->slots);
    free(bench);
}

// ---- The report --------------------------------------------------------------------------------

static const double percents[] = {50, 90, 95, 99, 99.9, 100};
static const char *const percent_names[] = {"p50", "p90", "p95", "p99", "p99.9", "max"};
enum { PERCENT_COUNT = sizeof percents / sizeof percents[0] };

static double per_operation_us(const struct cql_bench_result *result, uint64_t ns)
{
    return result->operations == 0 ? 0 : (double)ns / 1e3 / (double)result->operations;
}

static double rate(const struct cql_bench_result *result)
{
    return result->elapsed_ns == 0 ? 0
                                   : (double)result->operations * 1e9 / (double)result->elapsed_ns;
}

static void put_json_text(struct buffer *text, const char *value)
{
    buffer_put_u8(text, '"');
    for (; *value != '\0'; value++) {
        unsigned char c = (unsigned char)*value;
        if (c == '"' || c == '\\')
            buffer_put_format(text, "\\%c", c);
        else if (c < 0x20)
            buffer_put_format(text, "\\u%04x", c);
        else
            buffer_put_u8(text, c);
    }
    buffer_put_u8(text, '"');
}

static void put_json(const struct cql_bench_options *options, const struct cql_bench_result *result,
                     struct buffer *text)
{
    buffer_put_format(text,
                      "{\"connections\":%zu,\"in_flight\":%zu,\"seconds\":%.3f,"
                      "\"operations\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"rows\":%" PRIu64
                      ",\"rate\":%.1f,\"mean_us\":%.1f",
                      options->connections, options->in_flight, (double)result->elapsed_ns / 1e9,
                      result->operations, result->errors, result->rows, rate(result),
                      histogram_mean(&result->latency) / 1e3);
    for (size_t i = 0; i < PERCENT_COUNT; i++)
        buffer_put_format(text, ",\"%s_us\":%.1f", percent_names[i],
                          (double)histogram_percentile(&result->latency, percents[i]) / 1e3);
    buffer_put_format(text, ",\"processes\":[");
    bool first = true;
    for (size_t i = 0; i < options->pid_count; i++) {
        if (!result->processes[i].is_known) continue;
        buffer_put_format(text,
                          "%s{\"pid\":%d,\"cpu_us_per_operation\":%.3f,\"cpu_seconds\":%.3f,"
                          "\"resident_bytes\":%" PRIu64 "}",
                          first ? "" : ",", result->processes[i].pid,
                          per_operation_us(result, result->processes[i].cpu_ns),
                          (double)result->processes[i].cpu_ns / 1e9,
                          result->processes[i].resident_bytes);
        first = false;
    }
    buffer_put_format(text, "],\"first_error\":");
    put_json_text(text, result->first_error);
    buffer_put_format(text, "}\n");
}

void cql_bench_put_result(const struct cql_bench_options *options,
                          const struct cql_bench_result *result, bool as_json, struct buffer *text)
{
    if (as_json) {
        put_json(options, result, text);
        return;
    }
    buffer_put_format(
        text, "%" PRIu64 " operations in %.1f s: %.0f/s, %zu connection%s x %zu in flight\n",
        result->operations, (double)result->elapsed_ns / 1e9, rate(result), options->connections,
        options->connections == 1 ? "" : "s", options->in_flight);
    buffer_put_format(text, "latency in us: mean %.0f", histogram_mean(&result->latency) / 1e3);
    for (size_t i = 0; i < PERCENT_COUNT; i++)
        buffer_put_format(text, ", %s %.0f", percent_names[i],
                          (double)histogram_percentile(&result->latency, percents[i]) / 1e3);
    buffer_put_format(text, "\n");
    if (result->rows > 0)
        buffer_put_format(text, "%" PRIu64 " rows, %.1f a read\n", result->rows,
                          (double)result->rows / (double)result->operations);
    for (size_t i = 0; i < options->pid_count; i++) {
        if (result->processes[i].is_known)
            buffer_put_format(text, "process %d: %.2f us of CPU an operation, %.1f MiB\n",
                              result->processes[i].pid,
                              per_operation_us(result, result->processes[i].cpu_ns),
                              (double)result->processes[i].resident_bytes / (1024 * 1024));
        else
            buffer_put_format(text, "process %d: not there\n", result->processes[i].pid);
    }
    if (result->errors > 0)
        buffer_put_format(text, "%" PRIu64 " errors, the first: %s\n", result->errors,
                          result->first_error);
}
