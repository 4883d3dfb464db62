#include "node/sim/job_world_state.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "node/members.h"
#include "node/ring_directory.h"
#include "ring/metadata/metadata.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIRECTORY "/ring/node1"
// How often what replicas hold is looked at.
#define SHARDS_NS (10 * NS_PER_MS)

// Two outputs, so two counter ids; every word is in every batch sooner or later.
static const char script[] =
    "local ssc = StreamingContext('simulated', Seconds(1))\n"
    "local all = ssc:textFileStream(arg[1]):flatMap(words(1))\n"
    "local names = SomeColumns('word', 'interval', 'n')\n"
    "all:map(columns(1, 'ALL')):countByValue():saveToCassandra('sim', 'counts', names)\n"
    "all:map(columns(1, 'AGAIN')):countByValue():saveToCassandra('sim', 'counts', names)\n"
    "ssc:start()\n"
    "ssc:awaitTermination()\n";

enum { LIVES_MAX = 3000, TOKENS = 4 };

// ---- What is wrong -----------------------------------------------------------------------------

void job_world_fail(struct job_world *world, const char *format, ...)
{
    if (world->fault[0] != '\0') return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(world->fault, sizeof world->fault, format, arguments);
    va_end(arguments);
    sim_world_note(world->sim, "WRONG: %s", world->fault);
}

const char *job_world_fault(const struct job_world *world)
{
    return world->fault[0] == '\0' ? NULL : world->fault;
}

bool job_world_is_over(const struct job_world *world)
{
    return world->is_over || world->fault[0] != '\0';
}

// ---- The node ----------------------------------------------------------------------------------

// The steps of this life of a process count from here on.
static void watch(struct job_world *world, enum job_world_process process, struct env *env)
{
    struct watched *watched = &world->watched[process];
    if (!world->worker_started || watched->is_over || watched->env != NULL || env == NULL) return;
    watched->env = env;
    watched->first_step = sim_process_steps(env);
    if (world->death_count == world->plan.death_count) return;
    const struct job_world_death *death = &world->plan.deaths[world->death_count];
    if (death->process == process) sim_process_crash_at(env, death->step, death->power);
}

static void watch_all(struct job_world *world)
{
    memset(world->watched, 0, sizeof world->watched);
    watch(world, JOB_WORLD_NODE, world->nodes[0].env);
    watch(world, JOB_WORLD_WORKER, world->workers[0].env);
}

// When it is dead.
static void watch_ends(struct job_world *world, enum job_world_process process, struct env *env)
{
    struct watched *watched = &world->watched[process];
    if (watched->env != env) return;
    watched->steps = sim_process_steps(env) - watched->first_step;
    watched->env = NULL;
    watched->is_over = true;
    if (world->death_count == world->plan.death_count) return;
    const struct job_world_death *death = &world->plan.deaths[world->death_count];
    if (death->process != process || death->step != watched->steps) return;
    world->death_count++;
    watch_all(world);
}

// How the life of a process is going to end.
static void plan_end(struct job_world *world, struct env *process)
{
    if (world->is_planned) return;
    if (world->job_is_done || world->ends || chance(world, 0.15)) return;
    if (chance(world, 0.2)) {
        sim_process_crash_at_sync_dir(process, 1 + below(world, 12), chance(world, 0.4));
        return;
    }
    uint64_t steps = 1 + (chance(world, 0.6) ? below(world, 50) : below(world, 300));
    // Members talk to each other all the time, and two must live for some while.
    bool is_member = world->node_count > 1;
    for (size_t i = 0; i < world->worker_count; i++)
        is_member = is_member && process != world->workers[i].env;
    if (is_member && chance(world, 0.8)) steps = 1 + below(world, 10000);
    if (world->node_count > 1 && !is_member && chance(world, 0.5)) steps = 1 + below(world, 2000);
    sim_process_crash_at(process, steps, chance(world, 0.5));
}

static bool count_life(struct job_world *world)
{
    if (++world->lives > LIVES_MAX)
        job_world_fail(world, "the job is not done after %d lives of worker and node", LIVES_MAX);
    return world->fault[0] == '\0';
}

static void start_node(struct sim_call *call);

// E2 of exactly-once.md: nobody ever meets two counts of one shard.
static void look_for_conflicts(struct job_world_node *node)
{
    if (engine_conflict_count(node_engine(node->node)) > 0)
        job_world_fail(node->world,
                       "node %zu met a counter shard of one id and clock with two counts",
                       node->index);
}

static void look_at_shards(struct sim_call *call)
{
    struct job_world *world = CONTAINER_OF(call, struct job_world, shards_call);
    char message[512];
    for (size_t i = 0; i < world->node_count; i++) {
        const struct job_world_node *node = &world->nodes[i];
        if (!is_up(node)) continue;
        const struct table *table =
            schema_find_table(metadata_schema(node_metadata(node->node)), slice_of_text("sim"),
                              slice_of_text("counts"));
        const char *wrong =
            table == NULL ? NULL
                          : job_shards_look(world->shards, node_engine(node->node), table, message);
        if (wrong != NULL) job_world_fail(world, "node %zu: %s", i, wrong);
    }
    sim_world_call(world->sim, call, SHARDS_NS, look_at_shards);
}

static void node_died(void *context, struct env *env)
{
    struct job_world_node *node = context;
    struct job_world *world = node->world;
    if (node->node != NULL) {
        look_for_conflicts(node);
        node_abandon(node->node);
    }
    node->node = NULL;
    node->env = NULL;
    if (node->index == 0) watch_ends(world, JOB_WORLD_NODE, env);
    sim_process_destroy(env);
    if (world->ends) return;
    bool stays_away = node->stays_away || (world->node_count > 1 && chance(world, 0.15));
    node->stays_away = false;
    sim_world_call(world->sim, &node->call, below(world, (stays_away ? 6000 : 20) * NS_PER_MS),
                   start_node);
}

static void start_node(struct sim_call *call)
{
    struct job_world_node *self = CONTAINER_OF(call, struct job_world_node, call);
    struct job_world *world = self->world;
    struct error error = {.text = ""};
    struct node *node;
    if (!count_life(world)) return;
    self->env = sim_process_start(self->machine, "node", node_died, self);
    if (self->index == 0) watch(world, JOB_WORLD_NODE, self->env);
    plan_end(world, self->env);
    enum status status = node_start(self->env, DIRECTORY, &self->config, &node, &error);
    sim_world_note(world->sim, "node %zu: %s", self->index,
                   status == STATUS_OK ? "ok" : error.text);
    if (status == STATUS_OK) {
        self->node = node;
        return;
    }
    if (!sim_process_is_alive(self->env)) return;
    if (status != STATUS_IO && status != STATUS_NO_SPACE)
        job_world_fail(world, "node %zu does not start: %s", self->index, error.text);
    sim_process_crash(self->env);
}

void job_world_crash_nodes(struct job_world *world)
{
    for (size_t i = 0; i < world->node_count; i++)
        if (world->nodes[i].env != NULL) sim_process_crash(world->nodes[i].env);
}

// ---- Who resumes a job -------------------------------------------------------------------------

static void resume_later(struct job_world *world, uint64_t delay_ns);

// Only where the one before is far from the end: whoever names a job that is finished begins anew.
static void look_whether_to_resume(struct job_world *world, const struct job *job)
{
    struct env *worker = world->workers[0].env;
    if (worker == NULL || job->state != JOB_OPEN || job->batch_count == 0 ||
        job->last_to[0] + 2 * world->batch_size >= world->input_size)
        return;
    world->resuming = RESUMES_NEXT;
    sim_process_crash(worker);
}

static void look_at_job(struct sim_call *call)
{
    struct job_world *world = CONTAINER_OF(call, struct job_world, resume_call);
    struct job_world_node *node = &world->nodes[0];
    const struct job *job = NULL;
    if (world->resuming == RESUMES_OVER) return;
    if (is_up(node)) job = jobs_find_by_name(metadata_jobs(node_metadata(node->node)), "simulated");
    if (job != NULL && world->resuming == RESUMES_LATER) look_whether_to_resume(world, job);
    bool is_near_end =
        job != NULL && world->resuming == RESUMES_NOW && job->last_to[0] == world->input_size;
    if (is_near_end && job->state == JOB_FINISHED) {
        sim_world_note(world->sim, "the answer that the job is finished is lost");
        sim_network_cut(node->machine, world->worker_machine, false);
        sim_network_reset(world->worker_machine, node->machine);
        sim_network_heal(node->machine, world->worker_machine);
        return;
    }
    resume_later(world, is_near_end ? NS_PER_MS / 20 : 10 * NS_PER_MS);
}

static void resume_later(struct job_world *world, uint64_t delay_ns)
{
    sim_world_call(world->sim, &world->resume_call, delay_ns, look_at_job);
}

// The submission that a worker's new life makes.
static const struct uuid *choose_submission(struct job_world *world)
{
    if (world->resuming == RESUMES_NOW) world->resuming = RESUMES_OVER;
    if (world->resuming != RESUMES_NEXT) return &world->submission_id;
    world->resuming = RESUMES_NOW;
    return &world->resuming_submission_id;
}

// ---- The worker --------------------------------------------------------------------------------

static void start_worker(struct sim_call *call);

static void start_worker_later(struct job_world_worker *worker)
{
    struct job_world *world = worker->world;
    bool is_second = worker != &world->workers[0];
    sim_world_call(world->sim, &worker->call, below(world, (is_second ? 3000 : 20) * NS_PER_MS),
                   start_worker);
}

static void worker_died(void *context, struct env *env)
{
    struct job_world_worker *worker = context;
    struct job_world *world = worker->world;
    if (worker->driver != NULL) driver_abandon(worker->driver);
    worker->driver = NULL;
    worker->env = NULL;
    if (worker == &world->workers[0]) watch_ends(world, JOB_WORLD_WORKER, env);
    sim_process_destroy(env);
    if (!world->ends && !world->job_is_done) start_worker_later(worker);
}

static void worker_is_done(void *context, const struct driver_result *result)
{
    struct job_world_worker *worker = context;
    struct job_world *world = worker->world;
    sim_world_note(world->sim, "worker %zu: %s", (size_t)(worker - world->workers),
                   result->status == STATUS_OK ? "done" : result->error.text);
    world->batch_count = result->batches;
    if (world->is_planned && result->status != STATUS_OK)
        job_world_fail(world, "the worker gives up: %s", result->error.text);
    switch (result->status) {
    case STATUS_OK:
        world->job_is_done = true;
        break;
    case STATUS_INVALID:
    case STATUS_CORRUPT:
    case STATUS_MALFORMED:
    case STATUS_UNSUPPORTED:
        job_world_fail(world, "the worker gives up: %s", result->error.text);
        break;
    case STATUS_CONFLICT: // What the worker before it had under way came after it had looked.
        if (!result->may_begin_anew && world->worker_count == 1)
            job_world_fail(world, "the only worker: %s", result->error.text);
        break;
    default: // A node whose log has failed takes no more: an operator starts all again.
        job_world_crash_nodes(world);
        break;
    }
    sim_process_crash(worker->env);
}

static void start_worker(struct sim_call *call)
{
    static const char *const arguments[] = {"/worker/input"};
    struct job_world_worker *worker = CONTAINER_OF(call, struct job_world_worker, call);
    struct job_world *world = worker->world;
    const struct job_world_node *home = any_node(world);
    if (world->job_is_done) return;
    if (home->node == NULL) {
        sim_world_call(world->sim, call, below(world, 4 * NS_PER_MS), start_worker);
        return;
    }
    if (!count_life(world)) return;
    worker->env = sim_process_start(world->worker_machine, "worker", worker_died, worker);
    world->worker_started = true;
    watch(world, JOB_WORLD_NODE, world->nodes[0].env);
    watch(world, JOB_WORLD_WORKER, world->workers[0].env);
    const struct uuid *submission_id = choose_submission(world);
    if (world->resuming != RESUMES_NOW) plan_end(world, worker->env);
    struct stream_run_options options = {
        .script_path = "/worker/job.lua",
        .arguments = arguments,
        .argument_count = 1,
        .name = "simulated",
        .spool_directory = "/worker",
        // Two that run a job cut its batches at other places.
        .batch_size = world->batch_size * (worker == &world->workers[0] ? 2 : 3) / 2,
        .batch_records = world->plan.batch_records,
        .timeout_ns = (world->node_count > 1 ? 30000 : 2000) * NS_PER_MS,
        .quiet = true,
        // A worker may be killed when its job's end is recorded and before it could tell.
        .submission_id = submission_id,
    };
    ASSERT(env_address_parse(home->config.listen_address, (uint16_t)home->config.storage_port,
                             &options.ring) == STATUS_OK);
    worker->driver = driver_start(worker->env, &options, worker_is_done, worker);
}

void job_world_start_workers(struct job_world *world)
{
    for (size_t i = 0; i < world->worker_count; i++)
        sim_world_call(world->sim, &world->workers[i].call, 0, start_worker);
}

// ---- Life --------------------------------------------------------------------------------------

static void nobody_dies(void *context, struct env *env)
{
    (void)context, (void)env;
    ASSERT(false);
}

static void put_file(struct env *env, const char *path, struct slice bytes)
{
    struct env_file *file;
    ASSERT(env_file_open(env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE, &file, NULL) == STATUS_OK);
    ASSERT(env_file_write(file, 0, bytes.data, bytes.size, NULL) == STATUS_OK);
    env_file_close(file);
}

static void put_input(struct job_world *world, struct env *env, uint64_t line_count)
{
    struct buffer input;
    buffer_init(&input, 64 * MIB);
    for (uint64_t line = 0; line < line_count; line++) {
        int64_t counts[WORDS] = {0};
        uint64_t words = below(world, 6);
        for (uint64_t i = 0; i < words; i++) {
            // Some words are much more frequent than others.
            uint64_t word = below(world, 1 + below(world, WORDS));
            world->expected[word]++;
            counts[word]++;
            buffer_put_format(&input, "x%c ", (char)('a' + (char)word));
        }
        buffer_put_u8(&input, '\n');
        job_shards_add_line(world->shards, counts);
    }
    put_file(env, "/worker/input", buffer_slice(&input));
    world->input_size = input.size;
    buffer_deinit(&input);
}

static void make_address(const struct job_world *world, size_t index, char text[static 16])
{
    // A ring of one has the address that it always had.
    (void)snprintf(text, 16, "127.0.0.%u",
                   (unsigned)(world->node_count == 1 ? 1 : index + 1) & 255);
}

static struct topology *make_topology(struct job_world *world)
{
    struct member members[NODES_MAX] = {0};
    struct token tokens[NODES_MAX][TOKENS];
    for (size_t i = 0; i < world->node_count; i++) {
        char text[16];
        make_address(world, i, text);
        random_bytes(&world->random, members[i].host_id.bytes, sizeof members[i].host_id.bytes);
        ASSERT(env_address_parse(text, 7000, &members[i].address) == STATUS_OK);
        ASSERT(env_address_parse(text, 9042, &members[i].rpc_address) == STATUS_OK);
        (void)snprintf(members[i].data_center, sizeof members[i].data_center, "datacenter1");
        (void)snprintf(members[i].rack, sizeof members[i].rack, "rack1");
        topology_allocate_tokens(i, world->node_count, TOKENS, tokens[i]);
        members[i].tokens = tokens[i];
        members[i].token_count = TOKENS;
    }
    struct topology *topology;
    ASSERT(topology_make(members, world->node_count, &topology, NULL) == STATUS_OK);
    return topology;
}

static void make_nodes(struct job_world *world)
{
    struct topology *topology = world->node_count > 1 ? make_topology(world) : NULL;
    for (size_t i = 0; i < world->node_count; i++) {
        struct job_world_node *node = &world->nodes[i];
        char name[32];
        (void)snprintf(name, sizeof name, "machine%zu", i);
        node->world = world;
        node->index = i;
        config_set_defaults(&node->config);
        node->config.memtable_space_mib = 1;
        node->config.file_cache_size_mib = 1;
        make_address(world, i, node->config.listen_address);
        node->machine = sim_machine_create(world->sim, name);
        if (topology != NULL && chance(world, 0.3))
            sim_machine_jump_clock(node->machine, (int64_t)below(world, 2000000) - 1000000);
        struct env *env = sim_process_start(node->machine, "operator", nobody_dies, world);
        ASSERT(ring_make_directories(env, DIRECTORY, NULL) == STATUS_OK);
        if (topology != NULL)
            ASSERT(members_write(env, DIRECTORY, topology, (uint16_t)i, NULL) == STATUS_OK);
        sim_process_destroy(env);
    }
    topology_destroy(topology);
}

struct job_world *job_world_create(struct sim_world *sim, uint64_t seed, uint64_t line_count,
                                   size_t node_count)
{
    struct job_world *world = calloc(1, sizeof *world);
    ASSERT(world != NULL);
    world->sim = sim;
    random_init(&world->random, seed);
    world->node_count = node_count;
    world->shards = job_shards_create();
    world->replication_factor =
        (int)(chance(world, 0.7) ? node_count : 1 + below(world, node_count));
    random_bytes(&world->random, world->submission_id.bytes, sizeof world->submission_id.bytes);
    make_nodes(world);
    random_bytes(&world->random, world->resuming_submission_id.bytes,
                 sizeof world->resuming_submission_id.bytes);
    world->resumes = node_count == 1 && chance(world, 0.3);
    world->worker_count = node_count > 1 && chance(world, 0.4) ? 2 : 1;
    world->deletes = chance(world, 0.5);
    world->isolates = chance(world, 0.25);
    world->strands = chance(world, 0.4);
    world->is_hasty = chance(world, 0.5);
    // Drawn apart: all other seeds stay what they are.
    struct random apart;
    random_init(&apart, seed ^ 0x6f766572);
    world->overtakes = node_count > 2 && random_chance(&apart, 0.3);
    if (world->overtakes) {
        world->strands = true;
        world->isolates = false;
        world->is_hasty = true;
        world->replication_factor = (int)node_count;
    }
    for (size_t i = 0; i < world->worker_count; i++)
        world->workers[i].world = world;
    world->worker_machine = sim_machine_create(sim, "workers");
    struct env *env = sim_process_start(world->worker_machine, "operator", nobody_dies, world);
    ASSERT(env_make_dir(env, "/worker", NULL) == STATUS_OK);
    put_file(env, "/worker/job.lua", slice_of_text(script));
    put_input(world, env, line_count);
    sim_process_destroy(env);
    sim_machine_sync(world->worker_machine);
    // From a batch of a few lines to some dozens of batches.
    world->batch_size = 64 + line_count * 10 / (1 + below(world, 60));
    if (world->overtakes) world->batch_size = 128;
    world->client_env =
        sim_process_start(sim_machine_create(sim, "clients"), "client", nobody_dies, world);
    return world;
}

void job_world_set_plan(struct job_world *world, const struct job_world_plan *plan)
{
    world->is_planned = true;
    world->plan = *plan;
    world->batch_size = 0; // Lines count.
}

uint64_t job_world_steps(const struct job_world *world, enum job_world_process process)
{
    const struct watched *watched = &world->watched[process];
    if (watched->env == NULL) return watched->steps;
    return sim_process_steps(watched->env) - watched->first_step;
}

bool job_world_plan_is_done(const struct job_world *world)
{
    return world->death_count == world->plan.death_count;
}

uint64_t job_world_batch_count(const struct job_world *world)
{
    return world->batch_count;
}

void job_world_sync_periodically(struct job_world *world)
{
    world->syncs_periodically = true;
    for (size_t i = 0; i < world->node_count; i++) {
        struct config *config = &world->nodes[i].config;
        (void)snprintf(config->commitlog_sync, sizeof config->commitlog_sync, "periodic");
    }
}

void job_world_begin(struct job_world *world)
{
    for (size_t i = 0; i < world->node_count; i++)
        sim_world_call(world->sim, &world->nodes[i].call, 0, start_node);
    if (world->node_count > 1 && !world->is_planned)
        sim_world_call(world->sim, &world->weather_call, 0, job_weather_change);
    sim_world_call(world->sim, &world->shards_call, 0, look_at_shards);
    if (world->resumes && !world->is_planned) resume_later(world, 0);
    job_client_connect_later(world);
}

void job_world_end(struct job_world *world)
{
    world->ends = true;
    sim_world_cancel(world->sim, &world->weather_call);
    sim_world_cancel(world->sim, &world->power_call);
    sim_world_cancel(world->sim, &world->strand_call);
    sim_world_cancel(world->sim, &world->shards_call);
    sim_world_cancel(world->sim, &world->resume_call);
    for (size_t i = 0; i < world->worker_count; i++)
        sim_world_cancel(world->sim, &world->workers[i].call);
    for (size_t i = 0; i < world->node_count; i++)
        sim_world_cancel(world->sim, &world->nodes[i].call);
    job_world_crash_nodes(world);
    for (size_t i = 0; i < world->worker_count; i++)
        if (world->workers[i].env != NULL) sim_process_crash(world->workers[i].env);
    for (size_t i = 0; i < world->node_count; i++)
        while (world->nodes[i].env != NULL)
            ASSERT(sim_world_step(world->sim));
    for (size_t i = 0; i < world->worker_count; i++)
        while (world->workers[i].env != NULL)
            ASSERT(sim_world_step(world->sim));
    if (world->client != NULL) cql_client_close(world->client);
    env_timer_stop(world->client_env, &world->timer);
    sim_process_destroy(world->client_env);
}

void job_world_destroy(struct job_world *world)
{
    job_shards_destroy(world->shards);
    free(world);
}
