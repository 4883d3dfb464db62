#include "node/sim/job_world.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "base/random.h"
#include "cql/client/client.h"
#include "node/members.h"
#include "node/node.h"
#include "node/ring_directory.h"
#include "node/sim/job_shards.h"
#include "ring/metadata/metadata.h"
#include "ring/transport/messaging.h"
#include "stream/job/driver.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIRECTORY "/ring/node1"
#define NS_PER_MS UINT64_C(1000000)
// How often what replicas hold is looked at.
#define SHARDS_NS (10 * NS_PER_MS)

enum {
    WORDS = JOB_SHARDS_WORDS,
    OUTPUTS = 2,
    LIVES_MAX = 3000,
    TEXT_SIZE = 512,
    NODES_MAX = 3,
    TOKENS = 4
};

// Errors that a client of a ring is told, one after the other, until an operator begins all nodes
// anew: those whose log has failed take no more.
enum { ERRORS_MAX = 60 };

// Two outputs, so two counter ids; every word is in every batch sooner or later.
static const char script[] =
    "local ssc = StreamingContext('simulated', Seconds(1))\n"
    "local all = ssc:textFileStream(arg[1]):flatMap(words(1))\n"
    "local names = SomeColumns('word', 'interval', 'n')\n"
    "all:map(columns(1, 'ALL')):countByValue():saveToCassandra('sim', 'counts', names)\n"
    "all:map(columns(1, 'AGAIN')):countByValue():saveToCassandra('sim', 'counts', names)\n"
    "ssc:start()\n"
    "ssc:awaitTermination()\n";

static const char *const set_up[] = {
    "CREATE KEYSPACE IF NOT EXISTS sim WITH replication = "
    "{'class': 'SimpleStrategy', 'replication_factor': %d}",
    "CREATE TABLE IF NOT EXISTS sim.counts (word text, interval text, n counter, "
    "PRIMARY KEY (word, interval))",
};
enum { SET_UP_COUNT = sizeof set_up / sizeof set_up[0] };

struct job_world_node {
    struct job_world *world;
    size_t index;
    struct sim_machine *machine;
    struct env *env;
    struct node *node;
    struct config config;
    struct sim_call call;
    bool stays_away; // After this life, for some seconds.
};

// The second, in a ring now and then: it thinks as well that it runs the job.
struct job_world_worker {
    struct job_world *world;
    struct env *env;
    struct driver *driver;
    struct sim_call call;
};

enum { WORKERS_MAX = 2 };

struct job_world {
    struct sim_world *sim;
    struct random random;
    char fault[TEXT_SIZE];
    bool is_over, ends;

    struct job_world_node nodes[NODES_MAX];
    size_t node_count;
    int replication_factor;
    struct sim_call weather_call; // Of a ring's network.
    struct sim_call power_call, strand_call, shards_call;
    struct job_shards *shards;
    struct job_world_node *stranded;
    uint64_t reads_before; // Of totals, by all, when it was last down.
    // How this ring is plagued, drawn once for a seed.
    bool isolates, strands;
    bool is_hasty;                 // A job of few batches meets many storms, too.
    struct job_world_node *to_die; // When the weather changes.
    bool is_stormy;
    struct uuid submission_id; // The worker's supervisor keeps it.

    struct sim_machine *worker_machine;
    struct job_world_worker workers[WORKERS_MAX];
    size_t worker_count;
    uint64_t batch_size;
    bool worker_started, job_is_done;

    uint64_t lives; // Of both.

    bool is_planned;
    struct job_world_plan plan;
    size_t death_count; // Of the plan, until now.
    struct watched {
        struct env *env; // NULL: there is none yet, or it is over.
        bool is_over;
        uint64_t first_step, steps;
    } watched[JOB_WORLD_PROCESS_COUNT];
    uint64_t batch_count; // Of the last worker.

    struct env *client_env;
    struct cql_client *client;
    struct cql_client_request request;
    struct env_timer timer;
    size_t step; // Of the set-up.
    bool tables_made, power_lost_at_the_end;
    int error_count;
    bool was_done; // When what is awaited was asked.

    // A deletion that is to be refused while the job is open: of one word, or (WORDS) of all.
    bool deletes;
    size_t deleted_word;
    struct job_world_node *client_node;
    const struct env *client_node_env; // Of its life when the client connected.
    bool is_spared[WORDS]; // Deleted when the job may have been over: nobody knows its counts.

    int64_t expected[WORDS];
    int64_t seen[WORDS][OUTPUTS];
};

static const char *const intervals[OUTPUTS] = {"AGAIN", "ALL"};

// ---- What is wrong -----------------------------------------------------------------------------

static void fail(struct job_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void fail(struct job_world *world, const char *format, ...)
{
    if (world->fault[0] != '\0') return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(world->fault, sizeof world->fault, format, arguments);
    va_end(arguments);
    sim_world_note(world->sim, "WRONG: %s", world->fault);
}

void job_world_fail(struct job_world *world, const char *text)
{
    fail(world, "%s", text);
}

const char *job_world_fault(const struct job_world *world)
{
    return world->fault[0] == '\0' ? NULL : world->fault;
}

bool job_world_is_over(const struct job_world *world)
{
    return world->is_over || world->fault[0] != '\0';
}

static bool chance(struct job_world *world, double probability)
{
    return random_chance(&world->random, probability);
}

static uint64_t below(struct job_world *world, uint64_t count)
{
    return random_below(&world->random, count);
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
        fail(world, "the job is not done after %d lives of worker and node", LIVES_MAX);
    return world->fault[0] == '\0';
}

static bool is_up(const struct job_world_node *node)
{
    return node->node != NULL && sim_process_is_alive(node->env);
}

static void spoil_messages(struct job_world *world, size_t from, size_t to,
                           const struct messaging_fault *fault)
{
    struct job_world_node *node = &world->nodes[from];
    if (from != to && is_up(node))
        messaging_set_fault(node_messaging(node->node), (uint16_t)to, fault);
}

static void start_node(struct sim_call *call);

// E2 of exactly-once.md: nobody ever meets two counts of one shard.
static void look_for_conflicts(struct job_world_node *node)
{
    if (engine_conflict_count(node_engine(node->node)) > 0)
        fail(node->world, "node %zu met a counter shard of one id and clock with two counts",
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
        if (wrong != NULL) fail(world, "node %zu: %s", i, wrong);
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
        fail(world, "node %zu does not start: %s", self->index, error.text);
    sim_process_crash(self->env);
}

// An operator begins all anew.
static void crash_nodes(struct job_world *world)
{
    for (size_t i = 0; i < world->node_count; i++)
        if (world->nodes[i].env != NULL) sim_process_crash(world->nodes[i].env);
}

static struct job_world_node *any_node(struct job_world *world)
{
    return &world->nodes[below(world, world->node_count)];
}

// ---- The network of a ring ---------------------------------------------------------------------

static struct sim_machine *any_machine(struct job_world *world)
{
    size_t index = (size_t)below(world, world->node_count + 1);
    return index < world->node_count ? world->nodes[index].machine : world->worker_machine;
}

static void heal(struct job_world *world)
{
    world->is_stormy = false;
    sim_world_cancel(world->sim, &world->strand_call);
    world->stranded = NULL;
    for (size_t i = 0; i < world->node_count; i++)
        for (size_t j = 0; j < world->node_count; j++)
            spoil_messages(world, i, j, &(struct messaging_fault){0});
    for (size_t i = 0; i < world->node_count; i++) {
        sim_network_heal(world->nodes[i].machine, world->worker_machine);
        for (size_t j = 0; j < i; j++)
            sim_network_heal(world->nodes[i].machine, world->nodes[j].machine);
    }
}

// What members tell each other is lost, comes twice, or so late that others have done it meanwhile.
static void spoil_some_messages(struct job_world *world)
{
    struct messaging_fault fault = {0};
    uint64_t kind = below(world, 4);
    if (kind == 0 || kind == 3) fault.lost_per_1000 = (uint16_t)below(world, 200);
    if (kind == 1 || kind == 3) fault.doubled_per_1000 = (uint16_t)below(world, 500);
    if (kind >= 2) fault.jitter_ns = below(world, (chance(world, 0.5) ? 200 : 3000) * NS_PER_MS);
    bool is_all = chance(world, 0.3);
    size_t only = (size_t)below(world, world->node_count);
    for (size_t i = 0; i < world->node_count; i++)
        for (size_t j = 0; j < world->node_count; j++)
            if (is_all || i == only) spoil_messages(world, i, j, &fault);
}

static void lose_power(struct job_world *world)
{
    double share = chance(world, 0.3) ? 1 : 0.5;
    for (size_t i = 0; i < world->node_count; i++)
        if (chance(world, share)) sim_machine_crash(world->nodes[i].machine);
}

static void power_goes(struct sim_call *call)
{
    lose_power(CONTAINER_OF(call, struct job_world, power_call));
}

// All is written, and nothing is synced, when power goes.
static void lose_unsynced(struct job_world *world)
{
    uint64_t duration_ns = below(world, 1000 * NS_PER_MS);
    for (size_t i = 0; i < world->node_count; i++)
        if (chance(world, 0.8)) sim_machine_set_slow(world->nodes[i].machine, duration_ns);
    sim_world_cancel(world->sim, &world->power_call);
    sim_world_call(world->sim, &world->power_call, below(world, duration_ns + 1), power_goes);
}

static void begin_trouble(struct job_world *world)
{
    struct sim_machine *from = any_machine(world), *to = any_machine(world);
    struct job_world_node *node = any_node(world);
    world->is_stormy = true;
    if (chance(world, 0.3) && node->env != NULL)
        sim_process_pause(node->env, below(world, 6000 * NS_PER_MS));
    if (chance(world, 0.4)) spoil_some_messages(world);
    if (chance(world, 0.2)) lose_unsynced(world);
    if (chance(world, 0.1)) lose_power(world);
    if (from == to) return;
    if (chance(world, 0.7))
        sim_network_cut(from, to, chance(world, 0.5));
    else
        sim_network_slow(from, to, below(world, 50 * NS_PER_MS), below(world, 50 * NS_PER_MS), 0);
}

// Takes its tasks, and tells no other member; when it can again it dies.
static void isolate(struct job_world *world)
{
    struct job_world_node *node = any_node(world);
    bool both_ways = chance(world, 0.3);
    for (size_t i = 0; i < world->node_count; i++)
        if (&world->nodes[i] != node)
            sim_network_cut(node->machine, world->nodes[i].machine, both_ways);
    world->to_die = node;
}

// It reads its totals: now it stands still, while the worker and one other member have lost it, for
// as long as others need to do its batch and the next ones, and no longer than a read waits.
static void cut_stranded(struct job_world *world)
{
    struct job_world_node *node = world->stranded, *other = any_node(world);
    sim_world_note(world->sim, "node %zu stands still while it reads totals", node->index);
    sim_process_pause(node->env, 4000 * NS_PER_MS + below(world, 950 * NS_PER_MS));
    sim_network_cut(world->worker_machine, node->machine, chance(world, 0.5));
    if (other != node) sim_network_cut(other->machine, node->machine, false);
}

static void look_at_stranded(struct sim_call *call)
{
    struct job_world *world = CONTAINER_OF(call, struct job_world, strand_call);
    uint64_t reads = sim_world_marks(world->sim, ENV_MARK_CELL_READ);
    if (is_up(world->stranded) && reads > world->reads_before) {
        cut_stranded(world);
        return;
    }
    if (!is_up(world->stranded)) world->reads_before = reads;
    sim_world_call(world->sim, call, NS_PER_MS, look_at_stranded);
}

// Begins a task without any totals, and goes on with it when the worker has given it to another.
static void strand(struct job_world *world)
{
    struct job_world_node *node = any_node(world);
    if (node->env == NULL) return;
    world->stranded = node;
    sim_process_crash(node->env);
    world->reads_before = sim_world_marks(world->sim, ENV_MARK_CELL_READ);
    sim_world_cancel(world->sim, &world->strand_call);
    sim_world_call(world->sim, &world->strand_call, NS_PER_MS, look_at_stranded);
}

// For a while it gets worse: two or three things at a time.
static void make_trouble(struct job_world *world)
{
    world->is_stormy = true;
    if (world->isolates && chance(world, 0.7)) {
        isolate(world);
        return;
    }
    if (world->strands && chance(world, 0.7)) {
        strand(world);
        return;
    }
    uint64_t count = 1 + (chance(world, 0.4) ? below(world, 3) : 0);
    for (uint64_t i = 0; i < count; i++)
        begin_trouble(world);
}

static void change_weather(struct sim_call *call)
{
    struct job_world *world = CONTAINER_OF(call, struct job_world, weather_call);
    if (world->ends) return;
    bool begins = !world->is_stormy && !world->job_is_done && world->worker_started;
    struct job_world_node *dying = world->to_die;
    heal(world);
    world->to_die = NULL;
    if (dying != NULL && dying->env != NULL) {
        dying->stays_away = true;
        sim_process_crash(dying->env);
    }
    if (begins) make_trouble(world);
    uint64_t least_ns = begins && world->stranded != NULL ? 8000 * NS_PER_MS : 0;
    uint64_t more_ms = begins ? 8000 : world->is_hasty ? 40 : 1500;
    sim_world_call(world->sim, call, least_ns + below(world, more_ms * NS_PER_MS), change_weather);
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
        fail(world, "the worker gives up: %s", result->error.text);
    switch (result->status) {
    case STATUS_OK:
        world->job_is_done = true;
        break;
    case STATUS_INVALID:
    case STATUS_CORRUPT:
    case STATUS_MALFORMED:
    case STATUS_UNSUPPORTED:
        fail(world, "the worker gives up: %s", result->error.text);
        break;
    case STATUS_CONFLICT: // What the worker before it had under way came after it had looked.
        if (!result->may_begin_anew && world->worker_count == 1)
            fail(world, "the only worker: %s", result->error.text);
        break;
    default: // A node whose log has failed takes no more: an operator starts all again.
        crash_nodes(world);
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
    plan_end(world, worker->env);
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
        .submission_id = &world->submission_id,
    };
    ASSERT(env_address_parse(home->config.listen_address, (uint16_t)home->config.storage_port,
                             &options.ring) == STATUS_OK);
    worker->driver = driver_start(worker->env, &options, worker_is_done, worker);
}

// ---- The client that looks on ------------------------------------------------------------------

static void look_again(struct env_timer *timer);

static void look_later(struct job_world *world, uint64_t delay_max_ns)
{
    env_timer_start(world->client_env, &world->timer, below(world, delay_max_ns), look_again);
}

static void look(struct job_world *world);

static void connect_again(struct env_timer *timer);

static void connect_later(struct job_world *world)
{
    env_timer_start(world->client_env, &world->timer, below(world, 20 * NS_PER_MS), connect_again);
}

static void check_row(struct job_world *world, struct slice word, struct slice interval,
                      struct slice count)
{
    size_t number = word.size == 2 ? (size_t)(word.data[1] - 'a') : WORDS;
    size_t output = slice_equals(interval, slice_of_text(intervals[0])) ? 0 : 1;
    if (number >= WORDS || word.data[0] != 'x' || count.size != 8) {
        fail(world, "a row that nobody made");
        return;
    }
    int64_t value = (int64_t)bytes_get_u64(count.data);
    bool is_right = value >= world->seen[number][output] && value <= world->expected[number];
    if (!is_right && !world->is_spared[number])
        fail(world, "x%c/%s has %" PRId64 "; it had %" PRId64 ", and the file has %" PRId64,
             (char)('a' + number), intervals[output], value, world->seen[number][output],
             world->expected[number]);
    world->seen[number][output] = value;
}

static void check_all(struct job_world *world)
{
    for (size_t i = 0; i < WORDS; i++)
        for (size_t output = 0; output < OUTPUTS; output++)
            if (world->seen[i][output] != world->expected[i] && !world->is_spared[i])
                fail(world, "the job is done, and x%c/%s has %" PRId64 "; the file has %" PRId64,
                     (char)('a' + i), intervals[output], world->seen[i][output],
                     world->expected[i]);
}

static void was_read(struct job_world *world, const struct answer *answer)
{
    struct cursor rows = cursor_make(answer->rows);
    for (uint32_t i = 0; i < answer->row_count; i++) {
        struct slice word = answer_next_cell(&rows), interval = answer_next_cell(&rows);
        check_row(world, word, interval, answer_next_cell(&rows));
    }
    if (!world->was_done || world->fault[0] != '\0') {
        look_later(world, 50 * NS_PER_MS);
        return;
    }
    check_all(world);
    if (world->power_lost_at_the_end) {
        world->is_over = true;
        return;
    }
    // And again after a last power loss.
    world->power_lost_at_the_end = true;
    for (size_t i = 0; i < world->node_count; i++)
        sim_machine_crash(world->nodes[i].machine);
    look_later(world, 50 * NS_PER_MS);
}

static void was_answered(struct cql_client_request *request, enum status status,
                         const struct answer *answer)
{
    struct job_world *world = CONTAINER_OF(request, struct job_world, request);
    if (status != STATUS_OK || answer->opcode == OPCODE_ERROR) {
        if (world->is_planned && status == STATUS_OK) fail(world, "the client is told of a fault");
        bool is_enough = world->node_count == 1 || ++world->error_count > ERRORS_MAX;
        if (status == STATUS_OK && is_enough) {
            crash_nodes(world);
            world->error_count = 0;
        }
        connect_later(world);
        return;
    }
    // A statement that changes nothing succeeds where a disk that failed lets no other one.
    if (world->step + 1 >= SET_UP_COUNT) world->error_count = 0;
    if (world->step < SET_UP_COUNT) {
        world->step++;
        if (world->step == SET_UP_COUNT && !world->tables_made) {
            world->tables_made = true;
            for (size_t i = 0; i < world->worker_count; i++)
                sim_world_call(world->sim, &world->workers[i].call, 0, start_worker);
        }
        look(world);
    } else {
        was_read(world, answer);
    }
}

// ---- Deletions ---------------------------------------------------------------------------------

static bool is_counting(const struct job_world *world)
{
    for (size_t i = 0; i < WORDS; i++)
        if (world->seen[i][0] > 0) return true;
    return false;
}

static bool wants_deletion(struct job_world *world)
{
    return world->deletes && !world->is_planned && !world->job_is_done && is_counting(world) &&
           is_up(world->client_node) && chance(world, 0.3);
}

// Where it was asked, or elsewhere.
static bool job_may_be_over(const struct job_world *world)
{
    const struct job_world_node *asked = world->client_node;
    if (world->job_is_done || !is_up(asked) || asked->env != world->client_node_env) return true;
    for (size_t i = 0; i < world->node_count; i++) {
        if (!is_up(&world->nodes[i])) continue;
        const struct job *job =
            jobs_find_by_name(metadata_jobs(node_metadata(world->nodes[i].node)), "simulated");
        if (job != NULL && job->state != JOB_OPEN) return true;
    }
    return false;
}

// Rule 13: it must have been refused, unless the job was over. A member that has not heard of the
// job yet has to ask. Else the counts will tell.
static void was_deleted(struct cql_client_request *request, enum status status,
                        const struct answer *answer)
{
    struct job_world *world = CONTAINER_OF(request, struct job_world, request);
    bool has_error = status == STATUS_OK && answer->opcode == OPCODE_ERROR;
    bool is_refused = has_error && answer->error_code == CQL_ERROR_INVALID;
    if (!is_refused && (status != STATUS_OK || job_may_be_over(world)))
        for (size_t i = 0; i < WORDS; i++)
            world->is_spared[i] |= world->deleted_word == i || world->deleted_word == WORDS;
    sim_world_note(world->sim, "deletion of %zu through node %zu: %s%.*s", world->deleted_word,
                   world->client_node->index, status == STATUS_OK ? "" : status_text(status),
                   has_error ? (int)answer->error_text.size : 0,
                   has_error ? (const char *)answer->error_text.data : "");
    if (status != STATUS_OK)
        connect_later(world);
    else
        look_later(world, 50 * NS_PER_MS);
}

static void delete_some(struct job_world *world)
{
    static const struct query_options options = {.consistency = CONSISTENCY_QUORUM,
                                                 .serial_consistency = CONSISTENCY_SERIAL};
    char text[TEXT_SIZE] = "TRUNCATE sim.counts";
    world->deleted_word = chance(world, 0.2) ? WORDS : (size_t)below(world, WORDS);
    if (world->deleted_word < WORDS)
        (void)snprintf(text, sizeof text, "DELETE FROM sim.counts WHERE word = 'x%c'",
                       (char)('a' + (char)world->deleted_word));
    if (cql_client_query(world->client, &world->request, slice_of_text(text), &options,
                         was_deleted) != STATUS_OK)
        connect_later(world);
}

static void look(struct job_world *world)
{
    if (world->tables_made) world->step = SET_UP_COUNT;
    if (wants_deletion(world)) {
        delete_some(world);
        return;
    }
    world->was_done = world->job_is_done;
    char text[TEXT_SIZE] = "SELECT word, interval, n FROM sim.counts";
    const struct query_options options = {.consistency = CONSISTENCY_QUORUM,
                                          .serial_consistency = CONSISTENCY_SERIAL,
                                          .paging_state = slice_null()};
    if (world->step == 0)
        (void)snprintf(text, sizeof text, set_up[0], world->replication_factor);
    else if (world->step < SET_UP_COUNT)
        (void)snprintf(text, sizeof text, "%s", set_up[world->step]);
    if (cql_client_query(world->client, &world->request, slice_of_text(text), &options,
                         was_answered) != STATUS_OK)
        connect_later(world);
}

static void look_again(struct env_timer *timer)
{
    look(CONTAINER_OF(timer, struct job_world, timer));
}

static void was_connected(void *context, enum status status, const struct error *error)
{
    struct job_world *world = context;
    (void)error;
    world->step = 0;
    if (status == STATUS_OK)
        look(world);
    else
        connect_later(world);
}

static void connect_again(struct env_timer *timer)
{
    struct job_world *world = CONTAINER_OF(timer, struct job_world, timer);
    if (world->client != NULL) cql_client_close(world->client);
    struct cql_client_options options = {
        .version = 5, .in_flight_max = 4, .timeout_ns = 3000 * NS_PER_MS};
    world->client_node = any_node(world);
    world->client_node_env = world->client_node->env;
    const struct config *config = &world->client_node->config;
    ASSERT(env_address_parse(config->listen_address, (uint16_t)config->native_transport_port,
                             &options.address) == STATUS_OK);
    world->client = cql_client_create(world->client_env, &options, was_connected, world);
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
    world->worker_count = node_count > 1 && chance(world, 0.4) ? 2 : 1;
    world->deletes = chance(world, 0.5);
    world->isolates = chance(world, 0.25);
    world->strands = chance(world, 0.4);
    world->is_hasty = chance(world, 0.5);
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

void job_world_begin(struct job_world *world)
{
    for (size_t i = 0; i < world->node_count; i++)
        sim_world_call(world->sim, &world->nodes[i].call, 0, start_node);
    if (world->node_count > 1 && !world->is_planned)
        sim_world_call(world->sim, &world->weather_call, 0, change_weather);
    sim_world_call(world->sim, &world->shards_call, 0, look_at_shards);
    connect_later(world);
}

void job_world_end(struct job_world *world)
{
    world->ends = true;
    sim_world_cancel(world->sim, &world->weather_call);
    sim_world_cancel(world->sim, &world->power_call);
    sim_world_cancel(world->sim, &world->strand_call);
    sim_world_cancel(world->sim, &world->shards_call);
    for (size_t i = 0; i < world->worker_count; i++)
        sim_world_cancel(world->sim, &world->workers[i].call);
    for (size_t i = 0; i < world->node_count; i++)
        sim_world_cancel(world->sim, &world->nodes[i].call);
    crash_nodes(world);
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
