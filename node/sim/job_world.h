// A stream job in the simulator: a worker on one machine runs it over a file, a node on another, or
// three, keep its counts, and all are killed, lose power and come back until the job is done; a
// ring's network is cut and slow, too. Then every count is what a recount of the file gives, and no
// row is more (invariant 4).
//
//     worker (stream/job/driver.h) ──parts, records──▶ nodes ◀──SELECT── a client that looks on
//
// While it runs, no count may go back or beyond the recount (exactly-once.md §2.4, E6 and E7).
#ifndef NODE_SIM_JOB_WORLD_H
#define NODE_SIM_JOB_WORLD_H

#include "base/env_sim.h"

#include <stdint.h>

struct job_world;

// JOB_WORLD_NODE is the first node.
enum job_world_process { JOB_WORLD_NODE, JOB_WORLD_WORKER, JOB_WORLD_PROCESS_COUNT };

// In place of deaths by chance: some at given steps (sim_process_steps()), one after the other.
// Steps are counted from 1: for the first death from the moment the first worker starts, for each
// other one from the death before it, in the life that its process has then or else in its next.
enum { JOB_WORLD_DEATHS_MAX = 2 };
struct job_world_death {
    enum job_world_process process;
    bool power; // All the machine.
    uint64_t step;
};
struct job_world_plan {
    struct job_world_death deaths[JOB_WORLD_DEATHS_MAX];
    size_t death_count;
    uint64_t batch_records;
};

// With as many lines of input; a ring of one or of three.
struct job_world *job_world_create(struct sim_world *sim, uint64_t seed, uint64_t line_count,
                                   size_t node_count);
// Before the beginning. Nodes answer writes before they are on the disk (commitlog_sync: periodic):
// it makes no difference to what a job counts.
void job_world_sync_periodically(struct job_world *world);
// Before the beginning. Nothing else may go wrong then: a worker or a client that is told of a
// fault is one too.
void job_world_set_plan(struct job_world *world, const struct job_world_plan *plan);
void job_world_begin(struct job_world *world);
// Steps since the last death of the plan, in a life as above.
uint64_t job_world_steps(const struct job_world *world, enum job_world_process process);
// All deaths of the plan came, each at its step.
bool job_world_plan_is_done(const struct job_world *world);
uint64_t job_world_batch_count(const struct job_world *world);
bool job_world_is_over(const struct job_world *world);
// What is wrong, or NULL.
const char *job_world_fault(const struct job_world *world);
void job_world_fail(struct job_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// Nothing happens any more.
void job_world_end(struct job_world *world);
void job_world_destroy(struct job_world *world);

#endif
