#include "base/assert.h"
#include "base/bytes.h"
#include "base/container_of.h"
#include "node/sim/job_world_state.h"
#include "ring/metadata/metadata.h"

#include <inttypes.h>
#include <stdio.h>

// Errors that a client of a ring is told, one after the other, until an operator begins all nodes
// anew: those whose log has failed take no more.
enum { ERRORS_MAX = 60 };

static const char *const set_up[] = {
    "CREATE KEYSPACE IF NOT EXISTS sim WITH replication = "
    "{'class': 'SimpleStrategy', 'replication_factor': %d}",
    "CREATE TABLE IF NOT EXISTS sim.counts (word text, interval text, n counter, "
    "PRIMARY KEY (word, interval))",
};
enum { SET_UP_COUNT = sizeof set_up / sizeof set_up[0] };

static const char *const intervals[OUTPUTS] = {"AGAIN", "ALL"};

// ---- The client that looks on ------------------------------------------------------------------

static void look_again(struct env_timer *timer);

static void look_later(struct job_world *world, uint64_t delay_max_ns)
{
    env_timer_start(world->client_env, &world->timer, below(world, delay_max_ns), look_again);
}

static void look(struct job_world *world);

static void connect_again(struct env_timer *timer);

void job_client_connect_later(struct job_world *world)
{
    env_timer_start(world->client_env, &world->timer, below(world, 20 * NS_PER_MS), connect_again);
}

static void check_row(struct job_world *world, struct slice word, struct slice interval,
                      struct slice count)
{
    size_t number = word.size == 2 ? (size_t)(word.data[1] - 'a') : WORDS;
    size_t output = slice_equals(interval, slice_of_text(intervals[0])) ? 0 : 1;
    if (number >= WORDS || word.data[0] != 'x' || count.size != 8) {
        job_world_fail(world, "a row that nobody made");
        return;
    }
    int64_t value = (int64_t)bytes_get_u64(count.data);
    // What was read before it was on the disk may go with the power, and comes again.
    int64_t least = world->syncs_periodically ? 0 : world->seen[number][output];
    bool is_right = value >= least && value <= world->expected[number];
    if (!is_right && !world->is_spared[number])
        job_world_fail(world,
                       "x%c/%s has %" PRId64 "; it had %" PRId64 ", and the file has %" PRId64,
                       (char)('a' + number), intervals[output], value, world->seen[number][output],
                       world->expected[number]);
    world->seen[number][output] = value;
}

// Whoever submitted it, and however often: it is one job.
static void check_jobs(struct job_world *world)
{
    for (size_t i = 0; i < world->node_count; i++) {
        if (!is_up(&world->nodes[i])) continue;
        const struct jobs *jobs = metadata_jobs(node_metadata(world->nodes[i].node));
        if (jobs_at(jobs, 1) != NULL)
            job_world_fail(world, "the job is done, and node %zu knows of another one", i);
    }
}

static void check_all(struct job_world *world)
{
    check_jobs(world);
    for (size_t i = 0; i < WORDS; i++)
        for (size_t output = 0; output < OUTPUTS; output++)
            if (world->seen[i][output] != world->expected[i] && !world->is_spared[i])
                job_world_fail(
                    world, "the job is done, and x%c/%s has %" PRId64 "; the file has %" PRId64,
                    (char)('a' + i), intervals[output], world->seen[i][output], world->expected[i]);
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
        if (world->is_planned && status == STATUS_OK)
            job_world_fail(world, "the client is told of a fault");
        bool is_enough = world->node_count == 1 || ++world->error_count > ERRORS_MAX;
        if (status == STATUS_OK && is_enough) {
            job_world_crash_nodes(world);
            world->error_count = 0;
        }
        job_client_connect_later(world);
        return;
    }
    // A statement that changes nothing succeeds where a disk that failed lets no other one.
    if (world->step + 1 >= SET_UP_COUNT) world->error_count = 0;
    if (world->step < SET_UP_COUNT) {
        world->step++;
        if (world->step == SET_UP_COUNT && !world->tables_made) {
            world->tables_made = true;
            job_world_start_workers(world);
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
        job_client_connect_later(world);
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
        job_client_connect_later(world);
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
        job_client_connect_later(world);
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
        job_client_connect_later(world);
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
