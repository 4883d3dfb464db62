// Runs the jobs that were submitted with their scripts: for each that is open, one worker process
// (`helenus stream worker`) in the whole ring.
//
// Each node works out alone who of the live members runs a job (rendezvous.h), so that only the
// jobs of a node that died move. Two that both think so are harmless: the protocol counts once
// whoever runs (exactly-once.md).
//
//     none --it is ours--> RUNS --process dies--> WAITS --after a pause--> RUNS
//                           \--ours no more, not open--> killed    \--too often--> the job halts
//
// A job whose workers die again and again without getting on is halted in the log, with what the
// last one said; `helenus stream resume` lets it go on.
#ifndef STREAM_JOB_RUNNER_H
#define STREAM_JOB_RUNNER_H

#include "stream/job/job_service.h"

struct job_runner;

// As the service's options. `program` is needed.
struct job_runner *job_runner_create(struct env *env, const struct job_service_options *options);
// Kills the workers. `closed` comes in a later turn, when they are gone.
void job_runner_close(struct job_runner *runner, void (*closed)(void *context), void *context);
void job_runner_abandon(struct job_runner *runner);
// Something may have changed: looks soon.
void job_runner_look(struct job_runner *runner);

#endif
