#include "stream/job/job_runner.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "base/log.h"
#include "stream/job/rendezvous.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Workers of one node. Deaths of a job's workers, one after the other, without any batch between.
enum { JOB_RUNNER_WORKERS_MAX = 16, JOB_RUNNER_DEATHS_MAX = 5, JOB_RUNNER_TEXT_SIZE = 200 };

#define JOB_RUNNER_LOOK_NS      (250 * (uint64_t)1000000)
#define JOB_RUNNER_PAUSE_MIN_NS (100 * (uint64_t)1000000)
#define JOB_RUNNER_PAUSE_MAX_NS (5000 * (uint64_t)1000000)
// A node that starts does not know yet who lives.
#define JOB_RUNNER_PATIENCE_NS (1500 * (uint64_t)1000000)

struct job_runner_worker {
    struct job_runner *runner;
    struct job_runner_worker *next;
    struct uuid job;
    int pid; // 0: none runs.
    bool is_wanted;
    uint64_t start_after_ns, pause_ns;
    uint64_t last_batch, done_through; // When its process began.
    int death_count;
    char said[JOB_RUNNER_TEXT_SIZE]; // What it said last.
    size_t said_size;
    bool is_halting;
    struct metadata_job_change change;
};

struct job_runner {
    struct env *env;
    struct job_service_options options;
    struct log log;
    struct job_runner_worker *workers;
    size_t worker_count;
    uint64_t begin_ns;
    struct env_timer timer;
    struct env_task end;
    void (*closed)(void *context); // Not NULL: closing.
    void *context;
};

static bool job_runner_is_ours(const struct job_runner *runner, const struct job *job)
{
    if (job->state != JOB_OPEN || job->script == NULL || job->is_halted) return false;
    const struct topology *topology = metadata_topology(runner->options.metadata);
    if (topology == NULL || runner->options.liveness == NULL) return true;
    bool is_up[TOPOLOGY_MEMBERS_MAX];
    for (uint16_t i = 0; i < topology->member_count; i++)
        is_up[i] = i == runner->options.self || liveness_is_up(runner->options.liveness, i);
    uint16_t picked = 0;
    (void)rendezvous_choose(job->id, is_up, topology->member_count, 1, &picked);
    return picked == runner->options.self;
}

// ---- A worker ----------------------------------------------------------------------------------

static void job_runner_end_if_idle(struct job_runner *runner);

static void job_runner_forget(struct job_runner_worker *worker)
{
    struct job_runner *runner = worker->runner;
    struct job_runner_worker **place = &runner->workers;
    while (*place != worker)
        place = &(*place)->next;
    *place = worker->next;
    runner->worker_count--;
    free(worker);
}

static void job_runner_halted(struct metadata_job_change *change, enum status status)
{
    struct job_runner_worker *worker = CONTAINER_OF(change, struct job_runner_worker, change);
    (void)status; // What could not be written is tried again when its next worker dies.
    struct job_runner *runner = worker->runner;
    job_runner_forget(worker);
    job_runner_end_if_idle(runner);
}

static void job_runner_halt(struct job_runner_worker *worker, const struct job *job)
{
    struct job_runner *runner = worker->runner;
    char note[JOB_NOTE_SIZE_MAX], id[UUID_TEXT_SIZE];
    uuid_format(worker->job, id);
    (void)snprintf(note, sizeof note, "%d workers died without getting on%s%s", worker->death_count,
                   worker->said_size > 0 ? ": " : "", worker->said);
    LOG_ERROR(&runner->log, "job %s '%s' is halted: %s", id, job->name, note);
    const struct job_mark mark = {.job = job->id,
                                  .done_through = job->done_through,
                                  .grand_total = job->grand_total,
                                  .run = JOB_MARK_HALTS,
                                  .note = note};
    worker->is_halting = true;
    metadata_mark_job(runner->options.metadata, &worker->change, &mark, job_runner_halted);
}

static void job_runner_died(struct job_runner_worker *worker)
{
    struct job_runner *runner = worker->runner;
    const struct job *job = jobs_find(metadata_jobs(runner->options.metadata), worker->job);
    worker->pid = 0;
    if (!worker->is_wanted || job == NULL || job->state != JOB_OPEN) {
        job_runner_forget(worker);
        job_runner_end_if_idle(runner);
        return;
    }
    bool got_on =
        job->last_batch != worker->last_batch || job->done_through != worker->done_through;
    worker->death_count = got_on ? 1 : worker->death_count + 1;
    if (got_on) worker->pause_ns = JOB_RUNNER_PAUSE_MIN_NS;
    worker->start_after_ns = env_monotonic_ns(runner->env) + worker->pause_ns;
    worker->pause_ns = worker->pause_ns * 2 > JOB_RUNNER_PAUSE_MAX_NS ? JOB_RUNNER_PAUSE_MAX_NS
                                                                      : worker->pause_ns * 2;
    if (worker->death_count >= JOB_RUNNER_DEATHS_MAX) job_runner_halt(worker, job);
}

// Its last words, one line; or its end.
static void job_runner_heard(void *context, struct slice bytes)
{
    struct job_runner_worker *worker = context;
    if (bytes.size == 0) {
        job_runner_died(worker);
        return;
    }
    for (size_t i = 0; i < bytes.size && worker->said_size + 1 < sizeof worker->said; i++)
        if (bytes.data[i] >= ' ') worker->said[worker->said_size++] = (char)bytes.data[i];
    worker->said[worker->said_size] = '\0';
}

static void job_runner_start(struct job_runner_worker *worker, const struct job *job)
{
    struct job_runner *runner = worker->runner;
    char id[UUID_TEXT_SIZE], address[ENV_ADDRESS_TEXT_SIZE], port[8];
    uuid_format(job->id, id);
    env_address_format(&runner->options.address, address);
    *strrchr(address, ':') = '\0';
    (void)snprintf(port, sizeof port, "%u", runner->options.address.port);
    const char *host = address[0] == '[' ? address + 1 : address;
    if (address[0] == '[') *strrchr(address, ']') = '\0';
    const char *const arguments[] = {runner->options.program, "stream", "worker", "--ring", host,
                                     "--storage-port",        port,     id,       NULL};
    const struct env_process_options options = {
        .arguments = arguments,
        .output_path = runner->options.worker_log,
        .said = job_runner_heard,
        .context = worker,
    };
    struct error error;
    worker->last_batch = job->last_batch;
    worker->done_through = job->done_through;
    worker->said_size = 0;
    worker->said[0] = '\0';
    if (env_process_start(runner->env, &options, &worker->pid, &error) == STATUS_OK) return;
    LOG_ERROR(&runner->log, "job %s: no worker could be started: %s", id, error.text);
    worker->pid = 0;
    worker->start_after_ns = env_monotonic_ns(runner->env) + JOB_RUNNER_PAUSE_MAX_NS;
}

static void job_runner_kill(struct job_runner_worker *worker)
{
    if (worker->pid == 0) return;
    // All that counts is durable: it may go at once. One that is gone already will be heard of.
    (void)!env_process_signal(worker->runner->env, worker->pid, SIGKILL, NULL);
}

// ---- Looking -----------------------------------------------------------------------------------

static struct job_runner_worker *job_runner_find(const struct job_runner *runner, struct uuid job)
{
    for (struct job_runner_worker *at = runner->workers; at != NULL; at = at->next)
        if (uuid_equals(at->job, job)) return at;
    return NULL;
}

static struct job_runner_worker *job_runner_add(struct job_runner *runner, struct uuid job)
{
    if (runner->worker_count == JOB_RUNNER_WORKERS_MAX) return NULL;
    struct job_runner_worker *worker = calloc(1, sizeof *worker);
    ASSERT(worker != NULL);
    worker->runner = runner;
    worker->job = job;
    worker->pause_ns = JOB_RUNNER_PAUSE_MIN_NS;
    worker->next = runner->workers;
    runner->workers = worker;
    runner->worker_count++;
    return worker;
}

static void job_runner_want(struct job_runner *runner, const struct job *job)
{
    struct job_runner_worker *worker = job_runner_find(runner, job->id);
    if (worker == NULL) worker = job_runner_add(runner, job->id);
    if (worker == NULL) return; // Another day, when others have ended.
    worker->is_wanted = true;
    if (worker->pid == 0 && !worker->is_halting &&
        env_monotonic_ns(runner->env) >= worker->start_after_ns)
        job_runner_start(worker, job);
}

static void job_runner_look_now(struct env_timer *timer)
{
    struct job_runner *runner = CONTAINER_OF(timer, struct job_runner, timer);
    env_timer_start(runner->env, timer, JOB_RUNNER_LOOK_NS, job_runner_look_now);
    for (struct job_runner_worker *at = runner->workers; at != NULL; at = at->next)
        at->is_wanted = false;
    const struct job *job;
    const struct jobs *jobs = metadata_jobs(runner->options.metadata);
    for (size_t i = 0; (job = jobs_open_at(jobs, i)) != NULL; i++)
        if (job_runner_is_ours(runner, job)) job_runner_want(runner, job);
    struct job_runner_worker *next;
    for (struct job_runner_worker *at = runner->workers; at != NULL; at = next) {
        next = at->next;
        if (at->is_wanted || at->is_halting) continue;
        if (at->pid == 0)
            job_runner_forget(at);
        else
            job_runner_kill(at); // Its end follows.
    }
}

void job_runner_look(struct job_runner *runner)
{
    uint64_t age_ns = env_monotonic_ns(runner->env) - runner->begin_ns;
    if (runner->closed != NULL) return;
    uint64_t delay_ns = age_ns < JOB_RUNNER_PATIENCE_NS && runner->options.liveness != NULL
                            ? JOB_RUNNER_PATIENCE_NS - age_ns
                            : 0;
    env_timer_start(runner->env, &runner->timer, delay_ns, job_runner_look_now);
}

// ---- For the service ---------------------------------------------------------------------------

struct job_runner *job_runner_create(struct env *env, const struct job_service_options *options)
{
    struct job_runner *runner = calloc(1, sizeof *runner);
    ASSERT(runner != NULL);
    runner->env = env;
    runner->options = *options;
    runner->begin_ns = env_monotonic_ns(env);
    log_init(&runner->log, env, LOG_INFO);
    job_runner_look(runner);
    return runner;
}

static void job_runner_end(struct env_task *task)
{
    struct job_runner *runner = CONTAINER_OF(task, struct job_runner, end);
    void (*closed)(void *context) = runner->closed;
    void *context = runner->context;
    free(runner);
    closed(context);
}

static void job_runner_end_if_idle(struct job_runner *runner)
{
    if (runner->closed != NULL && runner->workers == NULL)
        env_task_post(runner->env, &runner->end, job_runner_end);
}

void job_runner_close(struct job_runner *runner, void (*closed)(void *context), void *context)
{
    runner->closed = closed;
    runner->context = context;
    env_timer_stop(runner->env, &runner->timer);
    struct job_runner_worker *next;
    for (struct job_runner_worker *at = runner->workers; at != NULL; at = next) {
        next = at->next;
        at->is_wanted = false;
        if (at->pid != 0)
            job_runner_kill(at);
        else if (!at->is_halting)
            job_runner_forget(at);
    }
    job_runner_end_if_idle(runner);
}

void job_runner_abandon(struct job_runner *runner)
{
    if (runner == NULL) return;
    env_timer_stop(runner->env, &runner->timer);
    while (runner->workers != NULL) {
        buffer_deinit(&runner->workers->change.record);
        job_runner_forget(runner->workers);
    }
    free(runner);
}
