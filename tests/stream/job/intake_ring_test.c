// An input on three members of a simulated ring, and workers that take it over from each other,
// two at a time now and then, while processes are killed, lose power and reach each other or not.
// Whatever any worker was told to be safe, every later one finds, byte by byte.
#include "base/container_of.h"
#include "base/env_sim.h"
#include "base/random.h"
#include "ring/transport/transport.h"
#include "stream/job/intake_copy.h"
#include "stream/job/intake_ring.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMBERS = 3, WORKERS = 2, LIVES = 40, SEEDS = 20, STEPS_MAX = 3000000 };
#define NS_PER_MS UINT64_C(1000000)

struct member {
    struct sim_machine *machine;
    struct env *env;
    struct transport_server *server;
    struct intake_copy *copy;
    struct env_address address;
    struct sim_call call;
};

struct worker {
    struct env *env;
    struct intake_ring *intake;
    struct source_store *store;
    uint64_t end, read_from, read_size, required;
    struct buffer block;
    struct sim_call call, stop;
    bool is_last;
};

static struct sim_world *world;
static struct sim_machine *worker_machine;
static struct random chances;
static struct member members[MEMBERS];
static struct worker workers[WORKERS];
static struct buffer safe; // All that any worker was told.
static uint64_t opened_count, block_count;
static int lives, failed_count;
static bool is_calm, is_over, is_ending;
static const struct uuid job = {{1}};

static uint64_t below(uint64_t count)
{
    return random_below(&chances, count);
}

// It can be counted on from now on.
static void assert_safe(uint64_t offset, struct slice bytes, const char *what)
{
    ck_assert_msg(offset <= safe.size, "%s: %d, of %d safe bytes", what, (int)offset,
                  (int)safe.size);
    size_t known = safe.size - (size_t)offset;
    if (known > bytes.size) known = bytes.size;
    ck_assert_msg(known == 0 || memcmp(safe.data + offset, bytes.data, known) == 0,
                  "%s: other bytes between %d and %d", what, (int)offset, (int)(offset + known));
    buffer_put(&safe, bytes.data + known, bytes.size - known);
}

// ---- A member ----------------------------------------------------------------------------------

static enum status serve(struct member *member, uint8_t type, struct cursor *bytes,
                         struct buffer *more, struct error *error)
{
    (void)uuid_take(bytes);
    (void)cursor_vint(bytes);
    uint64_t epoch = cursor_u64(bytes), offset = 0, previous = 0;
    if (type == JOB_INTAKE) previous = cursor_vint(bytes);
    if (type != JOB_INTAKE_OPEN) offset = cursor_vint(bytes);
    enum status status = STATUS_OK;
    if (member->copy == NULL)
        status = intake_copy_load(member->env, "/intake", job, 0, &member->copy, error);
    if (status != STATUS_OK) return status;
    if (type == JOB_INTAKE) {
        (void)cursor_vint(bytes);
        return intake_copy_append(member->copy, epoch, previous, offset,
                                  cursor_take(bytes, cursor_left(bytes)), error);
    }
    if (type == JOB_INTAKE_ADOPT) return intake_copy_adopt(member->copy, epoch, offset, error);
    if (type == JOB_INTAKE_READ)
        return intake_copy_read(member->copy, epoch, offset, (size_t)cursor_vint(bytes), more,
                                error);
    status = intake_copy_open(member->copy, epoch, error);
    struct intake_copy_state state = intake_copy_state(member->copy);
    buffer_put_u64(more, state.promised);
    buffer_put_vint(more, state.end);
    buffer_put_u64(more, state.adopted);
    buffer_put_vint(more, state.adopted_end);
    return status;
}

static void request(void *context, struct transport_connection *connection, uint8_t type,
                    uint64_t id, struct slice payload)
{
    struct member *member = context;
    struct cursor bytes = cursor_make(payload);
    struct buffer answer, more;
    struct error error = {.text = ""};
    buffer_init(&answer, MIB);
    buffer_init(&more, 16 * MIB);
    enum status status = serve(member, type, &bytes, &more, &error);
    if (status == STATUS_IO || status == STATUS_NO_SPACE) {
        intake_copy_close(member->copy);
        member->copy = NULL;
    }
    if (status != STATUS_OK) buffer_clear(&more);
    job_put_answer(&answer, status, error.text);
    transport_reply_parts(connection, id, JOB_ANSWER, buffer_slice(&answer), buffer_slice(&more));
    buffer_deinit(&answer);
    buffer_deinit(&more);
}

static void nothing_ended(void *context, struct transport_connection *connection)
{
    (void)context, (void)connection;
}

static void start_member(struct sim_call *call);

static void member_died(void *context, struct env *env)
{
    struct member *member = context;
    if (member->server != NULL) transport_server_abandon(member->server);
    intake_copy_close(member->copy);
    member->server = NULL;
    member->copy = NULL;
    member->env = NULL;
    sim_process_destroy(env);
    uint64_t away_ms = below(4) == 0 ? 8000 : 50;
    if (!is_ending) sim_world_call(world, &member->call, below(away_ms * NS_PER_MS), start_member);
}

static void start_member(struct sim_call *call)
{
    static const struct transport_server_events events = {request, nothing_ended};
    struct member *member = CONTAINER_OF(call, struct member, call);
    struct error error;
    member->env = sim_process_start(member->machine, "member", member_died, member);
    if (!is_calm && below(4) != 0)
        sim_process_crash_at(member->env, 1 + below(below(3) == 0 ? 30 : 400), below(2) == 0);
    if (transport_listen(member->env, &member->address, &events, member, &member->server, &error) !=
            STATUS_OK &&
        sim_process_is_alive(member->env))
        sim_process_crash(member->env);
}

// ---- A worker ----------------------------------------------------------------------------------

static void start_worker(struct sim_call *call);

static void append_block(struct worker *worker)
{
    size_t size = 10 + (size_t)below(3000);
    buffer_clear(&worker->block);
    block_count++;
    while (worker->block.size < size)
        buffer_put_format(&worker->block, "%llu ", (unsigned long long)block_count);
    worker->store->append(worker->store, buffer_slice(&worker->block));
}

static void read_more(struct worker *worker)
{
    uint64_t left = worker->end - worker->read_from;
    worker->read_size = 1 + below(left < 5000 ? left : 5000);
    worker->store->read(worker->store, worker->read_from, (size_t)worker->read_size);
}

static void worker_opened(void *context, uint64_t end)
{
    struct worker *worker = context;
    ck_assert_msg(end >= worker->required, "%d bytes, %d are required", (int)end,
                  (int)worker->required);
    opened_count++;
    worker->end = end;
    if (worker->read_from < end)
        read_more(worker);
    else if (worker->is_last)
        is_over = true;
    else
        append_block(worker);
}

static void worker_read(void *context, struct slice bytes)
{
    struct worker *worker = context;
    ck_assert_uint_eq(bytes.size, worker->read_size);
    assert_safe(worker->read_from, bytes, "read");
    worker->read_from += bytes.size;
    if (worker->read_from < worker->end)
        read_more(worker);
    else if (worker->is_last)
        is_over = true;
    else
        append_block(worker);
}

static void worker_appended(void *context)
{
    struct worker *worker = context;
    assert_safe(worker->end, buffer_slice(&worker->block), "told");
    worker->end += worker->block.size;
    append_block(worker);
}

static void stop_worker(struct sim_call *call)
{
    sim_process_crash(CONTAINER_OF(call, struct worker, stop)->env);
}

static void worker_failed(void *context, const struct error *error)
{
    struct worker *worker = context;
    ck_assert_msg(error->status == STATUS_CONFLICT || error->status == STATUS_TIMED_OUT, "%s",
                  error->text);
    failed_count++;
    // Its connections end first: memory that they still have would be nobody's.
    sim_world_call(world, &worker->stop, 6000 * NS_PER_MS, stop_worker);
}

static void worker_died(void *context, struct env *env)
{
    struct worker *worker = context;
    sim_world_cancel(world, &worker->stop);
    intake_ring_abandon(worker->intake);
    worker->intake = NULL;
    worker->env = NULL;
    sim_process_destroy(env);
    uint64_t pause_ms = worker == &workers[0] ? 30 : 3000;
    if (!is_ending && (lives < LIVES || worker == &workers[0]))
        sim_world_call(world, &worker->call, below(pause_ms * NS_PER_MS), start_worker);
}

static void start_worker(struct sim_call *call)
{
    static const struct source_store_events events = {worker_opened, worker_appended, worker_read,
                                                      worker_failed};
    struct worker *worker = CONTAINER_OF(call, struct worker, call);
    struct job_ring *ring = calloc(1, sizeof *ring);
    is_calm = ++lives > LIVES;
    ring->member_count = MEMBERS;
    for (int i = 0; i < MEMBERS; i++)
        ring->members[i].address = members[i].address;
    worker->env = sim_process_start(worker_machine, "worker", worker_died, worker);
    worker->is_last = is_calm && workers[1].env == NULL;
    if (!worker->is_last)
        sim_process_crash_at(worker->env, 1 + below(below(2) == 0 ? 60 : 600), false);
    worker->required = safe.size;
    worker->read_from =
        below(2) == 0 ? 0 : safe.size - below(safe.size < 9000 ? safe.size + 1 : 9000);
    if (worker->is_last) worker->read_from = 0;
    // Nothing is ever done here: all is to be found, from the first byte.
    struct intake_ring_options options = {
        .job = job, .required = safe.size, .ring = ring, .timeout_ns = 60000 * NS_PER_MS};
    worker->intake = intake_ring_create(worker->env, &options);
    worker->store = intake_ring_store(worker->intake);
    worker->store->open(worker->store, 0, &events, worker);
    free(ring);
}

// ---- The network -------------------------------------------------------------------------------

static struct sim_call weather;

static void change_weather(struct sim_call *call)
{
    for (int i = 0; i < MEMBERS; i++)
        sim_network_heal(worker_machine, members[i].machine);
    if (!is_calm && below(2) == 0)
        sim_network_cut(worker_machine, members[below(MEMBERS)].machine, below(2) == 0);
    if (!is_calm && below(3) == 0 && workers[0].env != NULL)
        sim_process_pause(workers[0].env, below(3000 * NS_PER_MS));
    if (!is_over) sim_world_call(world, call, below(4000 * NS_PER_MS), change_weather);
}

// Places that only these tests reach (tests/sim/run asks this file for them).
static const enum env_mark marks[] = {ENV_MARK_INTAKE_STORED, ENV_MARK_INTAKE_ADOPTED,
                                      ENV_MARK_INTAKE_OPENED, ENV_MARK_INTAKE_TAIL_CUT};
enum { MARKS = sizeof marks / sizeof *marks };
static uint64_t mark_counts[MARKS];

static void begin_world(uint64_t seed)
{
    struct sim_options options;
    sim_options_init(&options, seed);
    random_init(&chances, seed);
    world = sim_world_create(&options);
    worker_machine = sim_machine_create(world, "workers");
    lives = 0;
    is_calm = is_over = is_ending = false;
    buffer_init(&safe, 1 << 28);
    for (int i = 0; i < MEMBERS; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "127.0.0.%u", (unsigned)(i + 1) & 255u);
        members[i] = (struct member){.machine = sim_machine_create(world, text)};
        ck_assert_int_eq(env_address_parse(text, 7000, &members[i].address), STATUS_OK);
        sim_world_call(world, &members[i].call, 0, start_member);
    }
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.env = NULL};
        buffer_init(&workers[i].block, MIB);
        sim_world_call(world, &workers[i].call, below(3000 * NS_PER_MS) * (uint64_t)i,
                       start_worker);
    }
    sim_world_call(world, &weather, 0, change_weather);
}

static void end_world(void)
{
    is_ending = true;
    sim_world_cancel(world, &weather);
    for (int i = 0; i < WORKERS; i++) {
        sim_world_cancel(world, &workers[i].call);
        if (workers[i].env != NULL) sim_process_crash(workers[i].env);
        while (workers[i].env != NULL)
            ck_assert(sim_world_step(world));
        buffer_deinit(&workers[i].block);
    }
    for (int i = 0; i < MEMBERS; i++) {
        sim_world_cancel(world, &members[i].call);
        if (members[i].env != NULL) sim_process_crash(members[i].env);
        while (members[i].env != NULL)
            ck_assert(sim_world_step(world));
    }
    for (size_t i = 0; i < MARKS; i++)
        mark_counts[i] += sim_world_marks(world, marks[i]);
    buffer_deinit(&safe);
    sim_world_destroy(world);
}

static void run_seed(uint64_t seed)
{
    begin_world(seed);
    uint64_t steps = 0;
    while (!is_over && ++steps < STEPS_MAX)
        ck_assert(sim_world_step(world));
    ck_assert_msg(is_over, "seed %d: not over after %d lives", (int)seed, lives);
    end_world();
}

// A recorded batch names bytes, and no member has any: disks were lost. The worker must not go on
// with what comes next in their place.
START_TEST(recorded_bytes_that_nobody_has_are_not_left_out)
{
    begin_world(1);
    lives = LIVES; // In calm weather.
    is_calm = true;
    failed_count = 0;
    buffer_put(&safe, "recorded", 8);
    while (failed_count == 0) // worker_opened() would find it out.
        ck_assert(sim_world_step(world));
    end_world();
}
END_TEST

START_TEST(what_a_worker_was_told_every_later_one_finds)
{
    opened_count = block_count = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run_seed(seed + (uint64_t)_i * SEEDS);
    ck_assert_uint_gt(opened_count, (uint64_t)SEEDS * 4);
    ck_assert_uint_gt(block_count, (uint64_t)SEEDS * 20);
    for (size_t i = 0; i < MARKS; i++)
        ck_assert_msg(mark_counts[i] > 0, "mark %zu was not reached", i);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("intake_ring");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, recorded_bytes_that_nobody_has_are_not_left_out);
    tcase_add_loop_test(tests, what_a_worker_was_told_every_later_one_finds, 0, 2);
    Suite *suite = suite_create("intake_ring");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed_count = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed_count != 0;
}
