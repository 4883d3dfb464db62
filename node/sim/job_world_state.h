// What the files of a job's world share. Not for others.
//
//     job_world.c      nodes and workers, and how their lives end
//     job_weather.c    what happens to a ring's network, its power and its processes
//     job_client.c     a client that looks on, and deletes what it must not
#ifndef NODE_SIM_JOB_WORLD_STATE_H
#define NODE_SIM_JOB_WORLD_STATE_H

#include "base/random.h"
#include "cql/client/client.h"
#include "node/node.h"
#include "node/sim/job_shards.h"
#include "node/sim/job_world.h"
#include "stream/job/driver.h"

#define NS_PER_MS UINT64_C(1000000)

enum { WORDS = JOB_SHARDS_WORDS, OUTPUTS = 2, TEXT_SIZE = 512, NODES_MAX = 3 };

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
    bool syncs_periodically; // Nodes answer writes, and readers, before they are on the disk.
    bool isolates, strands;
    bool overtakes;                // Who stands still has lost its task when it goes on:
    uint64_t done_before;          // the batches that were done before it,
    bool is_done_without;          // its own batch is done by others,
    uint64_t computed_enough;      // they have as many cells in all: it goes on,
    size_t stood_ms;               // at the latest after a while.
    bool is_hasty;                 // A job of few batches meets many storms, too.
    struct job_world_node *to_die; // When the weather changes.
    bool is_stormy;
    struct uuid submission_id; // The worker's supervisor keeps it.
    // Somebody else goes on with the job, by its name, when a part of it is done; the answer that
    // it is finished may be lost.
    bool resumes;
    enum { RESUMES_LATER, RESUMES_NEXT, RESUMES_NOW, RESUMES_OVER } resuming;
    struct uuid resuming_submission_id;
    struct sim_call resume_call;
    uint64_t input_size;

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

static inline bool chance(struct job_world *world, double probability)
{
    return random_chance(&world->random, probability);
}

static inline uint64_t below(struct job_world *world, uint64_t count)
{
    return random_below(&world->random, count);
}

static inline bool is_up(const struct job_world_node *node)
{
    return node->node != NULL && sim_process_is_alive(node->env);
}

static inline struct job_world_node *any_node(struct job_world *world)
{
    return &world->nodes[below(world, world->node_count)];
}

// What goes wrong while the job runs, and heals again: called once, it comes back by itself.
void job_weather_change(struct sim_call *call);

// Makes the tables, has the workers begin, and reads all counts again and again until the job is
// done and they are right.
void job_client_connect_later(struct job_world *world);

void job_world_start_workers(struct job_world *world);
// An operator begins all anew.
void job_world_crash_nodes(struct job_world *world);

#endif
