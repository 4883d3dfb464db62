// The subcommands' own part: a loop, a summary, an exit code.
#include "base/env_uv.h"
#include "base/limits.h"
#include "stream/job/driver.h"
#include "stream/job/job_client.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct stream_run {
    struct env *env;
    struct driver *driver;
    struct stream_run_options options;
    struct driver_result result;
    struct uuid submission_id; // What `options` point to, once the job is begun anew.
};

static void stream_run_ended(void *context, const struct driver_result *result)
{
    struct stream_run *run = context;
    run->result = *result;
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

// Threads of a job can not be stopped: a script that loops for ever, or a read from a pipe that
// nobody fills. All that counts is durable, so the process may go at once.
static void stream_run_end_driver(struct stream_run *run, int code)
{
    if (driver_is_busy(run->driver)) {
        (void)fflush(stdout);
        _exit(code);
    }
    driver_destroy(run->driver);
}

static int stream_run_once(struct stream_run *run)
{
    run->driver = driver_start(run->env, &run->options, stream_run_ended, run);
    env_uv_run(run->env);
    return run->result.status == STATUS_OK ? 0 : 1;
}

// Also when another worker was quicker, once more: what a worker that is dead had under way may
// have reached the log after the new one looked at it (rule 1: it adopts what is there).
static int stream_run_job(struct stream_run *run)
{
    enum { ATTEMPTS_MAX = 3 };
    int code = stream_run_once(run);
    for (int i = 1; i < ATTEMPTS_MAX && code != 0 && run->result.may_begin_anew &&
                    !driver_is_busy(run->driver);
         i++) {
        driver_destroy(run->driver);
        run->submission_id = run->result.submission_id;
        run->options.submission_id = &run->submission_id;
        code = stream_run_once(run);
    }
    return code;
}

int stream_run_main(struct env *env, const struct stream_run_options *options)
{
    struct stream_run run = {.env = env, .options = *options};
    int code = stream_run_job(&run);
    progress_end(driver_progress(run.driver), code == 0 ? "done" : "stopped");
    if (code != 0) (void)fprintf(stderr, "helenus stream run: %s\n", run.result.error.text);
    stream_run_stop_job(&run, options);
    stream_run_end_driver(&run, code);
    return code;
}

int stream_submit_main(struct env *env, const struct stream_run_options *options)
{
    struct stream_run run = {.env = env, .options = *options};
    int code = stream_run_once(&run);
    if (code != 0) {
        (void)fprintf(stderr, "helenus stream submit: %s\n", run.result.error.text);
    } else {
        char id[UUID_TEXT_SIZE];
        uuid_format(*driver_unfinished_job(run.driver), id);
        (void)printf("%s\n", id);
    }
    stream_run_end_driver(&run, code);
    return code;
}

// ---- A worker of a job that was submitted -------------------------------------------------------

enum { WORKER_SAYS_DESCRIPTOR = 3 };

struct stream_worker {
    struct buffer answer;
    struct uuid submission_id;
    struct job_script script;
    struct arena arena;
    struct stream_run_options options;
};

// What the node hears from it.
static int stream_worker_fail(const struct error *error)
{
    (void)fprintf(stderr, "helenus stream worker: %s\n", error->text);
    (void)!write(WORKER_SAYS_DESCRIPTOR, error->text, strlen(error->text));
    return 1;
}

static const char *stream_worker_text(struct stream_worker *worker, struct slice text)
{
    return arena_format(&worker->arena, "%.*s", (int)text.size, (const char *)text.data);
}

static enum status stream_worker_fetch(struct env *env, struct stream_worker *worker,
                                       const struct uuid *job, struct error *error)
{
    struct buffer payload;
    buffer_init(&payload, KIB);
    uuid_put(&payload, *job);
    enum status status = job_client_ask(env, &worker->options.ring, JOB_FETCH,
                                        buffer_slice(&payload), &worker->answer, error);
    buffer_deinit(&payload);
    if (status != STATUS_OK) return status;
    struct cursor cursor = cursor_make(buffer_slice(&worker->answer));
    worker->submission_id = uuid_take(&cursor);
    struct slice name = cursor_vint_bytes(&cursor);
    if (!jobs_take_script(&cursor, &worker->script))
        return error_set(error, STATUS_MALFORMED, "the node's answer makes no sense");
    struct cursor arguments = cursor_make(worker->script.arguments);
    // An argument is one byte at least.
    const char **texts = ARENA_NEW_ARRAY(&worker->arena, const char *, cursor_left(&arguments) + 1);
    size_t count = 0;
    while (cursor_left(&arguments) > 0)
        texts[count++] = stream_worker_text(worker, cursor_vint_bytes(&arguments));
    worker->options.script_path = stream_worker_text(worker, worker->script.file_name);
    worker->options.script = worker->script.text;
    worker->options.arguments = texts;
    worker->options.argument_count = count;
    worker->options.name = name.size == 0 ? NULL : stream_worker_text(worker, name);
    worker->options.batch_size = worker->script.batch_size;
    worker->options.batch_records = worker->script.batch_records;
    worker->options.submission_id = &worker->submission_id;
    return STATUS_OK;
}

int stream_worker_main(struct env *env, const struct stream_run_options *options,
                       const struct uuid *job)
{
    struct stream_worker worker = {.options = *options};
    struct error error;
    buffer_init(&worker.answer, MIB);
    arena_init(&worker.arena, KIB);
    enum status status = stream_worker_fetch(env, &worker, job, &error);
    if (status == STATUS_OK && chdir(stream_worker_text(&worker, worker.script.directory)) != 0)
        status = error_set(&error, STATUS_NOT_FOUND, "%s is not there",
                           stream_worker_text(&worker, worker.script.directory));
    int code;
    if (status == STATUS_OK) {
        struct stream_run run = {.env = env, .options = worker.options};
        code = stream_run_job(&run);
        if (code != 0) (void)stream_worker_fail(&run.result.error);
        stream_run_end_driver(&run, code);
    } else {
        code = stream_worker_fail(&error);
    }
    arena_deinit(&worker.arena);
    buffer_deinit(&worker.answer);
    return code;
}
