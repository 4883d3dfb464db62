// Questions about jobs to a node, one at a time: `helenus stream list`, `stop`, `halt`
// and `resume`.
#ifndef STREAM_JOB_CLIENT_H
#define STREAM_JOB_CLIENT_H

#include "base/env.h"
#include "stream/job/job_protocol.h"

// Asks and waits, on env_uv. OK: `answer` holds what follows the status. Any other is the node's,
// or says that it does not answer.
MUST_USE enum status job_client_ask(struct env *env, const struct env_address *ring,
                                    enum job_message type, struct slice payload,
                                    struct buffer *answer, struct error *error);

struct job_client_options {
    struct env_address ring;
    bool as_json;
};

// The subcommands' own part. Exit codes.
int job_client_list(struct env *env, const struct job_client_options *options);
// STOP, HALT or RESUME.
int job_client_mark(struct env *env, const struct job_client_options *options,
                    enum job_message type, const char *name);
// AUDIT. Exit code 1 as well when the counts are not what the log says.
int job_client_audit(struct env *env, const struct job_client_options *options, const char *name);

#endif
