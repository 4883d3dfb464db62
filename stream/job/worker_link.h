// A worker's end of the job protocol: keeps a connection to one node of the ring, its *home*,
// submits the job and records batches there, and settles one batch after the other with all
// reducers that live (shuffle.h), through restarts and deaths of nodes.
//
//     CONNECTING -> SUBMITTING -> IDLE <-> RECORDING -> SETTLING -> IDLE
//         ^------------------------------- any fault that may pass: at once at the next member,
//                                          after a pause when all were tried
//
// A batch in hand is kept until its report: after a fault the job is submitted again (the same
// submission: the same job), and the batch goes on from what the log then says. When a reducer is
// gone, the ring is cut anew among those that live, and the batch begins again.
#ifndef STREAM_WORKER_LINK_H
#define STREAM_WORKER_LINK_H

#include "stream/dataset/mapper.h"

struct worker_link;

struct worker_link_events {
    // The job as the node has it: once, before the first batch. Bind the outputs now.
    void (*submitted)(void *context, const struct job *job, const struct output_column *columns);
    // The batch is done; it is the owner's again.
    void (*settled)(void *context, struct mapper_batch *batch);
    void (*idle)(void *context);     // Ready for the next batch, after something else.
    void (*finished)(void *context); // The job's end is recorded.
    // Nothing more will come.
    void (*failed)(void *context, const struct error *error);
    // For a person: the node does not answer, or does again ("").
    void (*trouble)(void *context, const char *text);
};

struct worker_link_options {
    struct env_address ring;
    uint64_t timeout_ns;
    const struct job_submission *submission; // Valid as long as the link.
};

struct worker_link *worker_link_create(struct env *env, const struct worker_link_options *options,
                                       const struct worker_link_events *events, void *context);
// Nothing more will come: before its end, while the loop still runs.
void worker_link_leave(struct worker_link *link);
// A batch in hand goes with it.
void worker_link_destroy(struct worker_link *link);
// Frees the memory alone: what a crash leaves (simulator).
void worker_link_abandon(struct worker_link *link);
// Is it ready for the next batch?
bool worker_link_is_idle(const struct worker_link *link);
// In the order of their numbers, when idle.
void worker_link_settle(struct worker_link *link, struct mapper_batch *batch);
// When idle: the source has ended, all batches are settled.
void worker_link_finish(struct worker_link *link);
// Records how far all is done, when idle and not recorded yet.
void worker_link_checkpoint(struct worker_link *link);
// As the node that has the job saw it last; no members: a ring of one.
const struct job_ring *worker_link_ring(const struct worker_link *link);
// The state of the job when it was seen last.
enum job_state worker_link_job_state(const struct worker_link *link);
uint64_t worker_link_grand_total(const struct worker_link *link);
// None of its own records is in the log yet: what another worker recorded, it may take over by
// beginning anew.
bool worker_link_is_new(const struct worker_link *link);

#endif
