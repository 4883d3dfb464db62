#include "cql/client/bench.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "cql/client/client.h"

#include <stdio.h>
#include <stdlib.h>

enum phase { BENCH_CONNECTING, BENCH_SETTING_UP, BENCH_PREPARING, BENCH_RUNNING, BENCH_ENDED };

// Within RUNNING. In OVERTIME, of an open loop only, nothing more becomes due.
enum stage { STAGE_WARMING_UP, STAGE_MEASURING, STAGE_OVERTIME };

enum { MEMORY_OF_ONE_REQUEST = 4096 };
#define SECOND_NS        UINT64_C(1000000000)
#define LOGIN_TIMEOUT_NS (60 * SECOND_NS)
// For the answers to what was due.
#define OVERTIME_NS (10 * SECOND_NS)
// So late, and the benchmark ends: the server does not hold the rate.
#define BEHIND_NS_MAX (60 * SECOND_NS)
// Timers are no finer than a millisecond: who spins spends the last part of a wait in turns of the
// loop.
#define SPINNING_NS UINT64_C(2000000)

// One of the requests in flight, or room for one.
struct slot {
    struct cql_client_request request;
    struct cql_bench *bench;
    struct cql_client *client;
    size_t connection;
    uint64_t due_ns, sent_ns; // The same in a closed loop.
    bool is_in_flight;
    bool is_measured;  // Open loop: it was due within the measured time.
    struct slot *next; // Of the connection's free ones.
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
    // Open loop: room in each connection, whose turn it is, and how many are in flight.
    struct slot *free_slots[CQL_BENCH_CONNECTIONS_MAX];
    size_t turn, in_flight;
    struct bench_arrivals arrivals;
    bool is_blocked;                // Something is due, and there is no room.
    uint64_t sent_count, sent_open; // Measured ones; those without an answer.
    uint64_t window_end_ns;         // What is due from then on is not sent.
    struct env_timer send_timer;
    struct env_task send_task;
    size_t step; // Of setting up, or of preparing: every statement at every host.
    struct prepared_id ids[BENCH_STATEMENTS_MAX];
    struct arena arena;         // Of the ids.
    struct arena request_arena; // Of the values of one request.
    struct random random;
    struct env_timer timer;
    enum stage stage;
    uint64_t begun_ns;
    struct env_timer second_timer;
    uint64_t second_begun_ns;
    struct histogram second;                   // Latencies since then; merged into the result's.
    uint64_t operations_before, errors_before; // Of the result, when that second began.
    struct cql_bench_second *seconds;
    size_t second_capacity;
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

static void stop_timers(struct cql_bench *bench)
{
    env_timer_stop(bench->env, &bench->timer);
    env_timer_stop(bench->env, &bench->second_timer);
    env_timer_stop(bench->env, &bench->send_timer);
    env_task_cancel(bench->env, &bench->send_task);
}

static void end(struct cql_bench *bench, enum status status)
{
    if (bench->phase == BENCH_ENDED) return;
    bench->phase = BENCH_ENDED;
    bench->status = status;
    stop_timers(bench);
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

// ---- Seconds -----------------------------------------------------------------------------------

static struct cql_bench_second *add_second(struct cql_bench *bench)
{
    struct cql_bench_result *result = &bench->result;
    if (result->second_count == CQL_BENCH_SECONDS_MAX)
        return &bench->seconds[CQL_BENCH_SECONDS_MAX - 1];
    if (result->second_count == bench->second_capacity) {
        size_t capacity = bench->second_capacity == 0 ? 64 : bench->second_capacity * 2;
        bench->seconds = realloc(bench->seconds, capacity * sizeof *bench->seconds);
        ASSERT(bench->seconds != NULL);
        bench->second_capacity = capacity;
    }
    result->seconds = bench->seconds;
    return &bench->seconds[result->second_count++];
}

static uint64_t behind_ns(const struct cql_bench *bench, uint64_t now_ns)
{
    if (bench->options.rate == 0 || bench->stage == STAGE_OVERTIME) return 0;
    uint64_t due_ns = bench_arrivals_due_ns(&bench->arrivals);
    return due_ns < now_ns ? now_ns - due_ns : 0;
}

static void end_second(struct cql_bench *bench, uint64_t now_ns)
{
    const struct histogram *latency = &bench->second;
    struct cql_bench_second *second = add_second(bench);
    *second = (struct cql_bench_second){
        .end_ns = now_ns - bench->begun_ns,
        .elapsed_ns = now_ns - bench->second_begun_ns,
        .operations = bench->result.operations - bench->operations_before,
        .errors = bench->result.errors - bench->errors_before,
        .p50_ns = histogram_percentile(latency, 50),
        .p90_ns = histogram_percentile(latency, 90),
        .p99_ns = histogram_percentile(latency, 99),
        .p999_ns = histogram_percentile(latency, 99.9),
        .max_ns = latency->max,
        .in_flight = bench->in_flight,
        .behind_ns = behind_ns(bench, now_ns),
    };
    histogram_merge(&bench->result.latency, latency);
    histogram_init(&bench->second);
    bench->operations_before = bench->result.operations;
    bench->errors_before = bench->result.errors;
    bench->second_begun_ns = now_ns;
    if (bench->options.second != NULL) bench->options.second(bench->context, second);
}

static void give_up(struct cql_bench *bench, uint64_t now_ns);

static void second_timer_fired(struct env_timer *timer)
{
    struct cql_bench *bench = CONTAINER_OF(timer, struct cql_bench, second_timer);
    uint64_t now_ns = env_monotonic_ns(bench->env);
    end_second(bench, now_ns);
    if (behind_ns(bench, now_ns) > BEHIND_NS_MAX) {
        give_up(bench, now_ns);
        return;
    }
    // From the beginning, so that lateness does not add up.
    uint64_t passed_ns = (now_ns - bench->begun_ns) % SECOND_NS;
    env_timer_start(bench->env, timer, SECOND_NS - passed_ns, second_timer_fired);
}

// ---- The measured time -------------------------------------------------------------------------

static void measured_enough(struct cql_bench *bench, uint64_t now_ns)
{
    bench->result.elapsed_ns = now_ns - bench->begun_ns;
    if (bench->second.count > 0) end_second(bench, now_ns);
    read_processes(bench, true);
    end(bench, STATUS_OK);
}

// What has no answer yet goes in with what it has waited: no less than its latency would be.
static void count_unanswered(struct cql_bench *bench, uint64_t due_ns, uint64_t now_ns)
{
    bench->result.unanswered++;
    histogram_record(&bench->second, now_ns - due_ns);
}

static void give_up(struct cql_bench *bench, uint64_t now_ns)
{
    const struct cql_bench_options *options = &bench->options;
    size_t slot_count = options->connections * options->in_flight;
    for (size_t i = 0; i < slot_count; i++)
        if (bench->slots[i].is_in_flight && bench->slots[i].is_measured)
            count_unanswered(bench, bench->slots[i].due_ns, now_ns);
    uint64_t end_ns = now_ns < bench->window_end_ns ? now_ns : bench->window_end_ns;
    for (;; bench_arrivals_advance(&bench->arrivals)) {
        uint64_t due_ns = bench_arrivals_due_ns(&bench->arrivals);
        if (due_ns >= end_ns || (options->count != 0 && bench->sent_count >= options->count)) break;
        count_unanswered(bench, due_ns, now_ns);
        bench->sent_count++;
    }
    measured_enough(bench, now_ns);
}

static void send_due(struct cql_bench *bench);

static void timer_fired(struct env_timer *timer)
{
    struct cql_bench *bench = CONTAINER_OF(timer, struct cql_bench, timer);
    const struct cql_bench_options *options = &bench->options;
    uint64_t now_ns = env_monotonic_ns(bench->env);
    if (bench->stage == STAGE_WARMING_UP) {
        bench->stage = STAGE_MEASURING;
        read_processes(bench, false);
        bench->begun_ns = bench->second_begun_ns = now_ns;
        env_timer_start(bench->env, &bench->second_timer, SECOND_NS, second_timer_fired);
        // What the warm-up left unsent is not asked any more: the schedule begins anew.
        if (options->rate != 0) {
            bench_arrivals_init(&bench->arrivals, options->arrivals, options->rate, now_ns,
                                options->seed + 1);
            send_due(bench);
        }
        if (options->count != 0) return;
        bench->window_end_ns = now_ns + options->duration_ns;
        env_timer_start(bench->env, timer, options->duration_ns, timer_fired);
    } else if (options->rate == 0) {
        measured_enough(bench, now_ns);
    } else if (now_ns < bench->window_end_ns + OVERTIME_NS) {
        env_timer_start(bench->env, timer, OVERTIME_NS, timer_fired);
        send_due(bench); // Sees that the time is over.
    } else {
        give_up(bench, now_ns);
    }
}

static void count_answer(struct cql_bench *bench, const struct slot *slot,
                         const struct answer *answer, uint64_t now_ns)
{
    struct cql_bench_result *result = &bench->result;
    result->operations++;
    histogram_record(&bench->second, now_ns - slot->due_ns);
    if (bench->options.rate != 0) histogram_record(&result->service, now_ns - slot->sent_ns);
    if (answer->opcode != OPCODE_ERROR && now_ns - slot->due_ns <= bench->options.deadline_ns)
        result->good++;
    if (answer->opcode == OPCODE_ERROR) {
        result->errors++;
        if (result->first_error[0] == '\0')
            (void)snprintf(result->first_error, sizeof result->first_error, "%.*s",
                           (int)(answer->error_text.size < 250 ? answer->error_text.size : 250),
                           (const char *)answer->error_text.data);
    } else if (answer->opcode == OPCODE_RESULT && answer->kind == RESULT_ROWS) {
        result->rows += answer->row_count;
    }
    if (bench->options.rate == 0 && bench->options.count != 0 &&
        result->operations >= bench->options.count)
        measured_enough(bench, now_ns);
}

// ---- Running -----------------------------------------------------------------------------------

static void request_done(struct cql_client_request *request, enum status status,
                         const struct answer *answer);

static void start_request(struct slot *slot, uint64_t due_ns)
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
    slot->sent_ns = env_monotonic_ns(bench->env);
    slot->due_ns = bench->options.rate == 0 ? slot->sent_ns : due_ns;
    slot->is_in_flight = true;
    bench->in_flight++;
    enum status status = bench->options.is_unprepared
                             ? cql_client_query(slot->client, &slot->request, statement->text,
                                                &options, request_done)
                             : cql_client_execute(slot->client, &slot->request, id->id,
                                                  id->metadata_id, &options, request_done);
    if (status != STATUS_OK)
        fail(bench, status, "a request could not be sent", slice_of_text(status_text(status)));
}

// ---- Open loop

static void release_slot(struct cql_bench *bench, struct slot *slot)
{
    slot->next = bench->free_slots[slot->connection];
    bench->free_slots[slot->connection] = slot;
}

// Of the connection whose turn it is, or of the next one that has room. NULL: none has.
static struct slot *take_free_slot(struct cql_bench *bench)
{
    const struct cql_bench_options *options = &bench->options;
    if (bench->in_flight == options->connections * options->in_flight) return NULL;
    while (bench->free_slots[bench->turn] == NULL)
        bench->turn = (bench->turn + 1) % options->connections;
    struct slot *slot = bench->free_slots[bench->turn];
    bench->free_slots[bench->turn] = slot->next;
    bench->turn = (bench->turn + 1) % options->connections;
    return slot;
}

static void send_timer_fired(struct env_timer *timer)
{
    send_due(CONTAINER_OF(timer, struct cql_bench, send_timer));
}

static void run_send_task(struct env_task *task)
{
    send_due(CONTAINER_OF(task, struct cql_bench, send_task));
}

static void begin_overtime(struct cql_bench *bench)
{
    bench->stage = STAGE_OVERTIME;
    if (bench->sent_open == 0) measured_enough(bench, env_monotonic_ns(bench->env));
}

// Sends what is due as far as there is room, and sees to it that the next is sent in time.
static void send_due(struct cql_bench *bench)
{
    const struct cql_bench_options *options = &bench->options;
    uint64_t now_ns = env_monotonic_ns(bench->env);
    uint64_t spinning_ns = options->spins ? SPINNING_NS : 0;
    bench->is_blocked = false;
    while (bench->phase == BENCH_RUNNING && bench->stage != STAGE_OVERTIME) {
        uint64_t due_ns = bench_arrivals_due_ns(&bench->arrivals);
        if (due_ns >= bench->window_end_ns ||
            (options->count != 0 && bench->sent_count == options->count)) {
            // The second's end tells of what was measured, so it comes when the time is over.
            if (options->count != 0 || now_ns >= bench->window_end_ns) begin_overtime(bench);
            return;
        }
        if (due_ns > now_ns + spinning_ns) {
            env_timer_start(bench->env, &bench->send_timer, due_ns - now_ns - spinning_ns,
                            send_timer_fired);
            return;
        }
        if (due_ns > now_ns) {
            env_task_post(bench->env, &bench->send_task, run_send_task);
            return;
        }
        struct slot *slot = take_free_slot(bench);
        if (slot == NULL && options->deadline_ns > 0) {
            bench_arrivals_advance(&bench->arrivals);
            bench->sent_count += bench->stage == STAGE_MEASURING;
            bench->result.refused += bench->stage == STAGE_MEASURING;
            continue;
        }
        if (slot == NULL) {
            bench->is_blocked = true; // An answer goes on.
            return;
        }
        bench_arrivals_advance(&bench->arrivals);
        slot->is_measured = bench->stage == STAGE_MEASURING;
        bench->sent_count += slot->is_measured;
        bench->sent_open += slot->is_measured;
        start_request(slot, due_ns);
    }
}

static void open_request_done(struct cql_bench *bench, struct slot *slot,
                              const struct answer *answer)
{
    release_slot(bench, slot);
    uint64_t now_ns = env_monotonic_ns(bench->env);
    if (slot->is_measured) {
        bench->sent_open--;
        count_answer(bench, slot, answer, now_ns);
    }
    if (bench->is_blocked)
        send_due(bench);
    else if (bench->stage == STAGE_OVERTIME && bench->sent_open == 0)
        measured_enough(bench, now_ns);
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
    slot->is_in_flight = false;
    bench->in_flight--;
    if (bench->options.rate == 0) {
        if (bench->stage == STAGE_MEASURING)
            count_answer(bench, slot, answer, env_monotonic_ns(bench->env));
        if (bench->phase == BENCH_RUNNING) start_request(slot, 0);
    } else {
        open_request_done(bench, slot, answer);
    }
}

static void start_running(struct cql_bench *bench)
{
    const struct cql_bench_options *options = &bench->options;
    bench->phase = BENCH_RUNNING;
    env_timer_start(bench->env, &bench->timer, options->warm_up_ns, timer_fired);
    if (options->rate != 0) {
        bench_arrivals_init(&bench->arrivals, options->arrivals, options->rate,
                            env_monotonic_ns(bench->env), options->seed);
        send_due(bench);
        return;
    }
    size_t count = options->connections * options->in_flight;
    for (size_t i = 0; i < count && bench->phase == BENCH_RUNNING; i++)
        start_request(&bench->slots[i], 0);
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
    ASSERT(options->rate <= CQL_BENCH_RATE_MAX);
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
    histogram_init(&bench->result.service);
    histogram_init(&bench->second);
    bench->window_end_ns = UINT64_MAX;
    bench->slots = calloc(options->connections * options->in_flight, sizeof *bench->slots);
    ASSERT(bench->slots != NULL);
    struct cql_client_options client_options = {
        .version = options->version,
        .lz4 = options->lz4,
        .tls = options->tls,
        .in_flight_max = options->in_flight,
        .user = options->user,
        .password = options->password,
        // A server hashes one password after the other.
        .timeout_ns = options->user == NULL ? 0 : LOGIN_TIMEOUT_NS,
    };
    for (size_t i = 0; i < options->connections; i++) {
        client_options.address = options->hosts[i % options->host_count];
        bench->clients[i] = cql_client_create(env, &client_options, client_connected, bench);
        for (size_t j = 0; j < options->in_flight; j++) {
            struct slot *slot = &bench->slots[i * options->in_flight + j];
            slot->bench = bench;
            slot->client = bench->clients[i];
            slot->connection = i;
            release_slot(bench, slot);
        }
    }
    return bench;
}

void cql_bench_destroy(struct cql_bench *bench)
{
    bench->phase = BENCH_ENDED;
    for (size_t i = 0; i < bench->options.connections; i++)
        cql_client_close(bench->clients[i]);
    stop_timers(bench);
    env_task_cancel(bench->env, &bench->ended_task);
    arena_deinit(&bench->arena);
    arena_deinit(&bench->request_arena);
    free(bench->slots);
    free(bench->seconds);
    free(bench);
}
