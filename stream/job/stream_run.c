// The subcommand's own part: a loop, a summary, an exit code.
#include "base/env_uv.h"
#include "base/limits.h"
#include "stream/job/driver.h"
#include "stream/job/job_client.h"

#include <stdio.h>
#include <unistd.h>

struct stream_run {
    struct env *env;
    struct driver *driver;
    int code;
};

static void stream_run_ended(void *context, const struct driver_result *result)
{
    struct stream_run *run = context;
    struct progress *progress = driver_progress(run->driver);
    run->code = result->status == STATUS_OK ? 0 : 1;
    progress_end(progress, result->status == STATUS_OK ? "done" : "stopped");
    if (run->code != 0) (void)fprintf(stderr, "helenus stream run: %s\n", result->error.text);
    env_uv_stop(run->env);
}

// An unnamed job never goes on, and should not keep its table from being changed.
static void stream_run_stop_job(struct stream_run *run, const struct stream_run_options *options)
{
    const struct uuid *id = driver_unfinished_job(run->driver);
    if (id == NULL || options->name != NULL) return;
    char text[UUID_TEXT_SIZE];
    uuid_format(*id, text);
    struct buffer payload, answer;
    struct error error;
    buffer_init(&payload, KIB);
    buffer_init(&answer, KIB);
    buffer_put_vint_bytes(&payload, slice_of_text(text));
    if (job_client_ask(run->env, &options->ring, JOB_STOP, buffer_slice(&payload), &answer,
                       &error) != STATUS_OK)
        (void)fprintf(stderr, "helenus stream run: the job stays open: helenus stream stop %s\n",
                      text);
    buffer_deinit(&payload);
    buffer_deinit(&answer);
}

int stream_run_main(struct env *env, const struct stream_run_options *options)
{
    struct stream_run run = {.env = env, .code = 1};
    run.driver = driver_start(env, options, stream_run_ended, &run);
    env_uv_run(env);
    stream_run_stop_job(&run, options);
    if (driver_is_busy(run.driver)) {
        // A script that loops for ever, or a read from a pipe that nobody fills: no thread of ours
        // can be stopped, but all that counts is durable, so the process may go at once.
        (void)fflush(stdout);
        _exit(run.code);
    }
    driver_destroy(run.driver);
    return run.code;
}
