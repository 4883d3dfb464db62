// The node's side of stream jobs: workers submit jobs, record batches, and hand over the sums of a
// batch, which become counter shards (reducer.h).
//
// It stands beside the CQL server on the same loop and writes through the same coordinator.
// Whatever a worker sends, the answer is an error at worst.
#ifndef STREAM_JOB_SERVICE_H
#define STREAM_JOB_SERVICE_H

#include "base/env.h"
#include "ring/coordinator/coordinator.h"
#include "ring/liveness/liveness.h"
#include "ring/metadata/metadata.h"

enum { JOB_TABLE_NAME_SIZE = 512 }; // "ks.table" with its NUL; longer ones are cut in lists.

struct job_service;

// All outlive the service.
struct job_service_options {
    struct messaging *messaging;     // Whose port it serves; NULL: it listens at `address` itself.
    struct liveness *liveness;       // NULL in a ring of one.
    const struct topology *topology; // What workers see; NULL: the metadata's.
    uint16_t self;                   // Our number among the members.
    struct env_address address;      // For workers.
    // Of workers of jobs that the nodes run themselves: our own program, and where those write what
    // they have to say. NULL: no job is run here.
    const char *program, *worker_log;
    // Where copies of inputs are kept that can not be read twice; NULL: this member keeps none.
    const char *intake_directory;
    struct metadata *metadata;
    struct coordinator *coordinator;
    struct engine *engine;
};

// IN_USE: the port is taken.
MUST_USE enum status job_service_create(struct env *env, const struct job_service_options *options,
                                        struct job_service **service, struct error *error);
// Disconnects workers at once; `closed` comes once, in a later turn, when no operation of the
// service is under way any more.
void job_service_close(struct job_service *service, void (*closed)(void *context), void *context);
// Frees the memory alone: what a crash leaves (simulator).
void job_service_abandon(struct job_service *service);
struct env_address job_service_address(const struct job_service *service);

#endif
