// The real world: an env on one libuv loop, plain system calls for files and threads of its own.
//
// A turn of the loop:
//
//     timers that are due ─▶ tasks ─▶ wait for sockets, jobs, signals ─▶ their callbacks ─▶ tasks
//
// so whatever a callback posts runs before the loop waits again. Timers have a resolution of 1 ms
// (rounded up); one libuv timer stands for all of them. The jobs' lanes start a thread when the
// first job needs it. Many env may live in one process, each on a thread of its own.
//
// Nothing is started by creating it, so it costs well under a millisecond.
#ifndef BASE_ENV_UV_H
#define BASE_ENV_UV_H

#include "base/env.h"

// Who starts us may have closed some of the first three descriptors. The next files and pipes that
// are opened would get their numbers, and what is printed would go into these: /dev/null gets them.
// For the beginning of main().
void env_uv_open_standard_descriptors(void);

// Ignores SIGPIPE for the whole process: a closed socket is a status here. Fails (IO) only when the
// system has no descriptors left.
MUST_USE enum status env_uv_create(struct env **env, struct error *error);

// Closes every socket and pipe, waits for the jobs that run, and frees all. Jobs that wait are
// dropped; no callback comes any more, so the owners of timers, tasks and jobs may be gone already.
void env_uv_destroy(struct env *env);

// Runs the loop, until env_uv_stop(); then may be called again.
void env_uv_run(struct env *env);
// Ends env_uv_run() after the present turn. For the loop's own thread.
void env_uv_stop(struct env *env);

// Calls `received` on the loop for each `signal_number` (SIGTERM, SIGINT…) from now on.
MUST_USE enum status env_uv_on_signal(struct env *env, int signal_number,
                                      void (*received)(void *context), void *context,
                                      struct error *error);

#endif
