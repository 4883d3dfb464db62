#include "stream/job/driver.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "stream/dataset/mapper.h"
#include "stream/job/intake_ring.h"
#include "stream/job/progress.h"
#include "stream/job/worker_link.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRIVER_SCRIPT_SIZE_MAX (4 * (size_t)MIB)
#define DRIVER_TICK_NS         (100 * (uint64_t)1000000)

enum { DRIVER_BATCH_SIZE = 32 * 1024 * 1024 };

enum driver_step { STEP_START, STEP_PROCESS, STEP_FINISH, STEP_END };

struct driver {
    struct env *env;
    struct stream_run_options options;
    void (*done)(void *context, const struct driver_result *result);
    void *context;
    struct driver_result result;
    struct env_task end;
    bool has_ended, has_job; // has_job: it is submitted, and its end is not recorded.
    struct uuid job_id;

    struct slice script;
    struct buffer arguments; // Of a job that is submitted for the nodes.
    struct job_script own_script;
    struct lua_job *job;
    struct source *source;
    struct worker_link *link;
    struct intake_ring *intake; // NULL: the source needs none.
    struct job_submission submission;
    struct progress progress;

    // Recorded batches of an earlier run, to be run again first.
    struct job_batch replays[JOB_BATCHES_MAX];
    size_t replay_count, next_replay;
    uint64_t last_number, last_to;
    int64_t last_ts_us;

    // Reading: at most one block is read or waits while another is mapped.
    bool is_reading, reads_replay, has_block, source_ended;
    struct source_block block;
    uint64_t read_to;
    uint64_t planned_size, planned_lines; // Read for the batch that takes the next block.

    // Mapping, on a thread.
    struct env_job thread;
    enum driver_step step;
    bool thread_is_busy;
    enum status step_status;
    struct error step_error;
    struct source_block mapping;
    struct mapper_batch *filling, *ready;
    uint64_t filling_begin_ns, ready_begin_ns, settling_begin_ns;
    bool interval_is_over;
    struct env_timer interval, tick;

    // The watchdog.
    uint64_t watched_calls, watched_since_ns;
};

static void driver_go_on(struct driver *driver);

// ---- The end -----------------------------------------------------------------------------------

static void driver_tell_end(struct env_task *task)
{
    struct driver *driver = CONTAINER_OF(task, struct driver, end);
    driver->done(driver->context, &driver->result);
}

static void driver_end(struct driver *driver, enum status status, const struct error *error)
{
    if (driver->has_ended) return;
    driver->has_ended = true;
    driver->result.status = status;
    if (error != NULL) driver->result.error = *error;
    driver->result.records = driver->progress.records;
    driver->result.batches = driver->progress.batches;
    env_timer_stop(driver->env, &driver->interval);
    env_timer_stop(driver->env, &driver->tick);
    env_task_post(driver->env, &driver->end, driver_tell_end);
}

static void driver_fail(struct driver *driver, const struct error *error)
{
    driver_end(driver, error->status, error);
}

// ---- The thread: script and operators, one step at a time --------------------------------------

static void driver_work(struct env_job *thread)
{
    struct driver *driver = CONTAINER_OF(thread, struct driver, thread);
    struct error *error = &driver->step_error;
    switch (driver->step) {
    case STEP_START:
        driver->step_status = lua_job_start(driver->job, error);
        break;
    case STEP_PROCESS:
        driver->step_status = mapper_process(driver->filling, driver->job, &driver->mapping, error);
        break;
    case STEP_FINISH:
        driver->step_status = mapper_finish(driver->filling, driver->job, error);
        break;
    case STEP_END:
        driver->step_status = lua_job_finish(driver->job, error);
        break;
    }
}

static void driver_script_ran(struct driver *driver);
static void driver_block_was_mapped(struct driver *driver);

static void driver_worked(struct env_job *thread)
{
    struct driver *driver = CONTAINER_OF(thread, struct driver, thread);
    driver->thread_is_busy = false;
    if (driver->has_ended) return;
    if (driver->step_status != STATUS_OK) {
        driver->step_error.status = driver->step_status;
        driver_fail(driver, &driver->step_error);
        return;
    }
    switch (driver->step) {
    case STEP_START:
        driver_script_ran(driver);
        break;
    case STEP_PROCESS:
        driver_block_was_mapped(driver);
        break;
    case STEP_FINISH:
        driver->ready = driver->filling;
        driver->ready_begin_ns = driver->filling_begin_ns;
        driver->filling = NULL;
        driver_go_on(driver);
        break;
    case STEP_END:
        driver_end(driver, STATUS_OK, NULL);
        break;
    }
}

static void driver_run_step(struct driver *driver, enum driver_step step)
{
    ASSERT(!driver->thread_is_busy);
    driver->thread_is_busy = true;
    driver->step = step;
    env_offload(driver->env, &driver->thread, ENV_LANE_READ, driver_work, driver_worked);
}

// ---- Batches -----------------------------------------------------------------------------------

static void driver_interval_over(struct env_timer *timer)
{
    struct driver *driver = CONTAINER_OF(timer, struct driver, interval);
    driver->interval_is_over = true;
    if (driver->is_reading) source_stop_waiting(driver->source);
}

static void driver_begin_batch(struct driver *driver)
{
    struct job_batch record = {.number = driver->last_number + 1};
    bool is_replay = driver->next_replay < driver->replay_count;
    if (is_replay) {
        env_mark(driver->env, ENV_MARK_BATCH_REPLAYED);
        record = driver->replays[driver->next_replay++];
    } else {
        int64_t now = env_wall_us(driver->env);
        record.timestamp_us = now >= driver->last_ts_us + 2 ? now : driver->last_ts_us + 2;
        record.offsets[0] = (struct job_offset){driver->last_to, driver->last_to};
    }
    driver->filling = mapper_batch_create(&record, is_replay, env_random_u64(driver->env));
    driver->filling_begin_ns = env_monotonic_ns(driver->env);
    driver->interval_is_over = false;
    mapper_begin(driver->filling, driver->job);
    double interval_s = lua_job_context(driver->job)->interval_s;
    env_timer_start(driver->env, &driver->interval, (uint64_t)(interval_s * 1e9),
                    driver_interval_over);
}

// Blocks end with a line, a little before the size that was wanted: so much less is enough too.
static bool driver_has_enough(const struct driver *driver, uint64_t size, uint64_t line_count)
{
    const struct stream_run_options *options = &driver->options;
    return size >= options->batch_size - options->batch_size / 16 ||
           (options->batch_records > 0 && line_count >= options->batch_records);
}

// Recorded batches end where they ended.
static uint64_t driver_read_limit(const struct driver *driver)
{
    for (size_t i = 0; i < driver->replay_count; i++)
        if (driver->replays[i].offsets[0].to > driver->read_to)
            return driver->replays[i].offsets[0].to;
    return UINT64_MAX;
}

// The block is in: does its batch end with it?
static bool driver_batch_is_full(const struct driver *driver)
{
    const struct mapper_batch *batch = driver->filling;
    const struct job_offset *offsets = &batch->record.offsets[0];
    if (batch->is_recorded) return driver->mapping.to >= offsets->to;
    return driver->mapping.at_end || driver->interval_is_over ||
           mapper_has_enough(batch, driver->job) ||
           driver_has_enough(driver, offsets->to - offsets->from, batch->line_count);
}

// What the next block may have, so that its batch ends where it should.
static struct source_wanted driver_wanted_block(const struct driver *driver)
{
    struct source_wanted wanted = {driver_read_limit(driver), SOURCE_BLOCK_SIZE, 0};
    if (wanted.limit != UINT64_MAX) return wanted; // A recorded batch: its bytes are known.
    uint64_t size = driver->options.batch_size - driver->planned_size;
    if (size < wanted.size) wanted.size = (size_t)size;
    if (driver->options.batch_records > 0)
        wanted.lines = driver->options.batch_records - driver->planned_lines;
    return wanted;
}

// A block was read: for the batch before it, or the next one when that has enough with it.
static void driver_plan_block(struct driver *driver, const struct source_block *block)
{
    driver->planned_size += block->to - block->from;
    driver->planned_lines += block->line_count;
    if (driver_has_enough(driver, driver->planned_size, driver->planned_lines))
        driver->planned_size = driver->planned_lines = 0;
}

static void driver_block_was_mapped(struct driver *driver)
{
    struct mapper_batch *batch = driver->filling;
    struct job_offset *offsets = &batch->record.offsets[0];
    batch->line_count += driver->mapping.line_count;
    if (!batch->is_recorded) offsets->to = driver->mapping.to;
    if (batch->is_recorded && driver->mapping.at_end && driver->mapping.to < offsets->to) {
        struct error error;
        (void)error_set(&error, STATUS_CORRUPT,
                        "batch %" PRIu64 ": the source ends at byte %" PRIu64
                        ", before the end of what was recorded",
                        batch->record.number, driver->mapping.to);
        driver_fail(driver, &error);
        return;
    }
    if (!driver_batch_is_full(driver)) {
        driver_go_on(driver);
        return;
    }
    env_timer_stop(driver->env, &driver->interval);
    if (driver->interval_is_over || mapper_has_enough(batch, driver->job)) {
        // It ends sooner than was planned: what waits already is the next one's.
        driver->planned_size = driver->planned_lines = 0;
        if (driver->has_block) driver_plan_block(driver, &driver->block);
    }
    if (!batch->is_recorded && offsets->to == offsets->from) {
        // Nothing came in this interval: there is no batch.
        mapper_batch_destroy(batch);
        driver->filling = NULL;
        driver_go_on(driver);
        return;
    }
    driver->last_number = batch->record.number;
    driver->last_to = offsets->to;
    driver->last_ts_us = batch->record.timestamp_us;
    driver_run_step(driver, STEP_FINISH);
}

static void driver_settled(void *context, struct mapper_batch *batch)
{
    struct driver *driver = context;
    double delay_s = (double)(env_monotonic_ns(driver->env) - driver->settling_begin_ns) / 1e9;
    progress_add(&driver->progress, batch->records, batch->faults, delay_s);
    // That this one is done is not in the log yet: whoever goes on from there runs it again. That
    // the one before is done is, or this one would not have been recorded (rule 1).
    source_done(driver->source, batch->record.offsets[0].from);
    mapper_batch_destroy(batch);
    driver_go_on(driver);
}

static void driver_idle(void *context)
{
    driver_go_on(context);
}

static void driver_finished(void *context)
{
    struct driver *driver = context;
    driver->has_job = false;
    source_finished(driver->source);
    intake_ring_leave(driver->intake);
    driver_run_step(driver, STEP_END);
}

static void driver_link_failed(void *context, const struct error *error)
{
    struct driver *driver = context;
    enum job_state state = worker_link_job_state(driver->link);
    if (error->status == STATUS_CONFLICT && state == JOB_FINISHED) {
        // Whoever began it again now, under its name, would count all of it once more.
        struct error finished;
        driver->has_job = false;
        if (driver->source->is_live) {
            (void)error_set(&finished, STATUS_CONFLICT,
                            "another worker has finished the job, with input of its own: what this "
                            "one has read since is not counted");
            driver_fail(driver, &finished);
            return;
        }
        progress_say(&driver->progress, "another worker has finished the job");
        driver_end(driver, STATUS_OK, NULL);
        return;
    }
    driver->result.may_begin_anew =
        error->status == STATUS_CONFLICT && state == JOB_OPEN && worker_link_is_new(driver->link);
    driver_fail(driver, error);
}

static void driver_trouble(void *context, const char *text)
{
    struct driver *driver = context;
    char line[ERROR_TEXT_SIZE + 32];
    if (*text == '\0')
        progress_say(&driver->progress, "the node answers again");
    else if (snprintf(line, sizeof line, "%s; trying again", text) > 0)
        progress_say(&driver->progress, line);
}

// ---- Reading -----------------------------------------------------------------------------------

static void driver_was_read(void *context, enum status status, const struct error *error,
                            const struct source_block *block)
{
    struct driver *driver = context;
    driver->is_reading = false;
    if (driver->has_ended) return;
    if (status != STATUS_OK) {
        struct error copy = *error;
        copy.status = status;
        driver_fail(driver, &copy);
        return;
    }
    driver->block = *block;
    driver->has_block = true;
    driver->read_to = block->to;
    driver->source_ended = block->at_end;
    if (!driver->reads_replay) driver_plan_block(driver, block);
    driver_go_on(driver);
}

// Starts whatever can be started now.
static void driver_go_on(struct driver *driver)
{
    if (driver->has_ended) return;
    if (driver->ready != NULL && worker_link_is_idle(driver->link)) {
        struct mapper_batch *batch = driver->ready;
        driver->ready = NULL;
        driver->settling_begin_ns = driver->ready_begin_ns;
        worker_link_settle(driver->link, batch);
    }
    // The thread may take a block only when the batch that it fills has a place to go afterwards.
    if (!driver->thread_is_busy && driver->ready == NULL) {
        if (driver->filling == NULL && (driver->has_block || !driver->source_ended))
            driver_begin_batch(driver);
        if (driver->filling != NULL && driver->has_block) {
            driver->mapping = driver->block;
            driver->has_block = false;
            driver_run_step(driver, STEP_PROCESS);
        }
    }
    if (!driver->is_reading && !driver->has_block && !driver->source_ended) {
        struct source_wanted wanted = driver_wanted_block(driver);
        driver->is_reading = true;
        driver->reads_replay = wanted.limit != UINT64_MAX;
        source_read(driver->source, &wanted, driver_was_read, driver);
        if (driver->interval_is_over) source_stop_waiting(driver->source);
    }
    bool all_is_done = driver->source_ended && !driver->has_block && driver->filling == NULL &&
                       driver->ready == NULL && worker_link_is_idle(driver->link);
    if (all_is_done) worker_link_finish(driver->link);
}

// ---- Starting ----------------------------------------------------------------------------------

// In a ring, what can not be read twice is on as many members as it takes to lose one.
static void driver_open_intake(struct driver *driver, const struct job *job)
{
    const struct job_ring *ring = worker_link_ring(driver->link);
    if (!driver->source->is_live || ring->member_count < 2) return;
    const struct intake_ring_options options = {
        .job = job->id,
        .required = job->last_to[0],
        .ring = ring,
        .timeout_ns = driver->options.timeout_ns,
    };
    driver->intake = intake_ring_create(driver->env, &options);
    driver->source->store = intake_ring_store(driver->intake);
}

static void driver_submitted(void *context, const struct job *job,
                             const struct output_column *columns)
{
    struct driver *driver = context;
    struct dstream_context *stream = lua_job_context(driver->job);
    for (size_t i = 0; i < stream->output_count; i++) {
        output_bind(stream->outputs[i], columns);
        columns += stream->outputs[i]->column_count;
    }
    driver->has_job = true;
    driver->job_id = job->id;
    driver->result.submission_id = job->submission_id;
    if (driver->options.is_submit) {
        worker_link_leave(driver->link);
        driver_end(driver, STATUS_OK, NULL);
        return;
    }
    driver->replay_count = job->batch_count;
    memcpy(driver->replays, job->batches, job->batch_count * sizeof *job->batches);
    // The replays come first; new batches go on from the last record.
    driver->last_number = job->last_batch;
    driver->last_to = job->last_to[0];
    driver->last_ts_us = job->last_timestamp_us;
    uint64_t from = job->batch_count > 0 ? job->batches[0].offsets[0].from : job->last_to[0];
    driver->read_to = from;
    if (job->last_batch > 0 && !driver->options.quiet) {
        char line[160];
        (void)snprintf(line, sizeof line,
                       "resuming after batch %" PRIu64 ", %zu recorded batches run again",
                       job->done_through, job->batch_count);
        progress_say(&driver->progress, line);
    }
    struct error error;
    if (job->state == JOB_FINISHED) { // A submission that was known, and run to its end.
        driver->has_job = false;
        progress_say(&driver->progress, "the job has finished before");
        worker_link_leave(driver->link);
        driver_end(driver, STATUS_OK, NULL);
        return;
    }
    driver_open_intake(driver, job);
    enum status status = source_attach(driver->source, job->id, from, job->last_to[0], &error);
    if (status != STATUS_OK)
        driver_end(driver, status, &error);
    else
        driver_go_on(driver);
}

static void driver_submit(struct driver *driver)
{
    static const struct worker_link_events events = {
        driver_submitted, driver_settled,     driver_idle,
        driver_finished,  driver_link_failed, driver_trouble,
    };
    struct dstream_context *stream = lua_job_context(driver->job);
    struct job_submission *submission = &driver->submission;
    uint8_t random[16];
    env_random_bytes(driver->env, random, sizeof random);
    submission->id = driver->options.submission_id != NULL ? *driver->options.submission_id
                                                           : uuid_make_random(random);
    driver->result.submission_id = submission->id;
    submission->name = slice_of_text(driver->options.name == NULL ? "" : driver->options.name);
    submission->code_hash = checksum_xxh3(driver->script, 0);
    for (size_t i = 0; i < driver->options.argument_count; i++)
        submission->code_hash =
            checksum_xxh3(slice_of_text(driver->options.arguments[i]), submission->code_hash);
    submission->source_count = 1;
    submission->source_hash = driver->source->identity;
    submission->target_count = stream->output_count;
    for (size_t i = 0; i < stream->output_count; i++) {
        const struct output *output = stream->outputs[i];
        struct job_target *target = &submission->targets[i];
        target->keyspace = slice_of_text(output->keyspace);
        target->table = slice_of_text(output->table);
        target->column_count = output->column_count;
        for (size_t j = 0; j < output->column_count; j++)
            target->columns[j] = slice_of_text(output->names[j]);
    }
    if (driver->options.is_submit) submission->script = &driver->own_script;
    struct worker_link_options options = {driver->options.ring, driver->options.timeout_ns,
                                          submission};
    driver->link = worker_link_create(driver->env, &options, &events, driver);
}

static void driver_script_ran(struct driver *driver)
{
    struct dstream_context *stream = lua_job_context(driver->job);
    struct error error;
    enum status status = STATUS_OK;
    if (stream == NULL || !stream->is_started)
        status = error_set(&error, STATUS_INVALID, "%s: no StreamingContext was started",
                           driver->options.script_path);
    if (status == STATUS_OK && driver->options.is_submit &&
        strcmp(stream->sources[0].location, "-") == 0)
        status = error_set(&error, STATUS_INVALID,
                           "%s reads standard input, which a node's worker has not: give it a file "
                           "or http://..., or use 'helenus stream run'",
                           driver->options.script_path);
    if (status == STATUS_OK)
        status = source_open(driver->env, stream->sources[0].location,
                             driver->options.spool_directory, &driver->source, &error);
    if (status == STATUS_OK)
        driver_submit(driver);
    else
        driver_fail(driver, &error);
}

// ---- Watching ----------------------------------------------------------------------------------

// A call that goes on for too long can not be stopped, but its process can: `driver_is_stuck`.
static void driver_watch(struct driver *driver)
{
    uint64_t calls = lua_job_calls(driver->job), now = env_monotonic_ns(driver->env);
    if (calls != driver->watched_calls || calls % 2 == 0) {
        driver->watched_calls = calls;
        driver->watched_since_ns = now;
        return;
    }
    if (now - driver->watched_since_ns < driver->options.call_timeout_ns) return;
    struct error error;
    (void)error_set(&error, STATUS_TIMED_OUT,
                    "%s: a function of the job ran for more than %" PRIu64
                    " s without an end; it is stopped",
                    driver->options.script_path, driver->options.call_timeout_ns / 1000000000);
    driver_fail(driver, &error);
}

static void driver_tick(struct env_timer *timer)
{
    struct driver *driver = CONTAINER_OF(timer, struct driver, tick);
    progress_show(&driver->progress);
    driver_watch(driver);
    if (driver->has_ended) return;
    if (driver->link != NULL) worker_link_checkpoint(driver->link);
    env_timer_start(driver->env, timer, DRIVER_TICK_NS, driver_tick);
}

// ---- For the owner -----------------------------------------------------------------------------

static enum status driver_read_script(struct driver *driver, struct error *error)
{
    const char *path = driver->options.script_path;
    if (!slice_is_null(driver->options.script)) {
        driver->script = driver->options.script;
        return STATUS_OK;
    }
    struct env_file *file;
    uint64_t size;
    size_t taken = 0;
    enum status status = env_file_open(driver->env, path, ENV_OPEN_READ, &file, error);
    if (status != STATUS_OK) return status;
    status = env_file_size(file, &size, error);
    if (status == STATUS_OK && size > DRIVER_SCRIPT_SIZE_MAX)
        status = error_set(error, STATUS_INVALID, "%s: a script of more than %zu MiB", path,
                           DRIVER_SCRIPT_SIZE_MAX / MIB);
    if (status == STATUS_OK) {
        uint8_t *text = malloc((size_t)size + 1);
        ASSERT(text != NULL);
        status = env_file_read(file, 0, text, (size_t)size, &taken, error);
        driver->script = slice_make(text, taken);
    }
    env_file_close(file);
    return status;
}

static const char *driver_file_name(const struct driver *driver)
{
    const char *slash = strrchr(driver->options.script_path, '/');
    return slash == NULL ? driver->options.script_path : slash + 1;
}

// What the nodes need to run it.
static enum status driver_make_own_script(struct driver *driver, struct error *error)
{
    const struct stream_run_options *options = &driver->options;
    buffer_init(&driver->arguments, JOB_ARGUMENTS_SIZE_MAX);
    for (size_t i = 0; i < options->argument_count; i++)
        buffer_put_vint_bytes(&driver->arguments, slice_of_text(options->arguments[i]));
    if (driver->script.size > JOB_SCRIPT_SIZE_MAX || driver->arguments.overflow)
        return error_set(error, STATUS_INVALID,
                         "%s: a script of at most %d KiB, with arguments of at most %d KiB, can be "
                         "submitted",
                         options->script_path, JOB_SCRIPT_SIZE_MAX / 1024,
                         JOB_ARGUMENTS_SIZE_MAX / 1024);
    driver->own_script = (struct job_script){
        .file_name = slice_of_text(driver_file_name(driver)),
        .text = driver->script,
        .directory = slice_of_text(options->directory),
        .arguments = buffer_slice(&driver->arguments),
        .batch_size = options->batch_size,
        .batch_records = options->batch_records,
    };
    return STATUS_OK;
}

static void driver_fill_options(struct stream_run_options *options)
{
    if (options->batch_size == 0) options->batch_size = DRIVER_BATCH_SIZE;
    if (options->timeout_ns == 0) options->timeout_ns = 60 * (uint64_t)1000000000;
    if (options->call_timeout_ns == 0) options->call_timeout_ns = 10 * (uint64_t)1000000000;
}

struct driver *driver_start(struct env *env, const struct stream_run_options *options,
                            void (*done)(void *context, const struct driver_result *result),
                            void *context)
{
    struct driver *driver = calloc(1, sizeof *driver);
    ASSERT(driver != NULL);
    driver->env = env;
    driver->options = *options;
    driver_fill_options(&driver->options);
    driver->done = done;
    driver->context = context;
    progress_begin(&driver->progress, env, options->quiet);
    struct error error;
    enum status status = driver_read_script(driver, &error);
    if (status == STATUS_OK && options->is_submit) status = driver_make_own_script(driver, &error);
    if (status != STATUS_OK) {
        driver_end(driver, status, &error);
        return driver;
    }
    struct lua_job_options job = {
        .name = driver_file_name(driver),
        .script = driver->script,
        .arguments = options->arguments,
        .argument_count = options->argument_count,
    };
    driver->job = lua_job_create(&job);
    driver->watched_since_ns = env_monotonic_ns(env);
    env_timer_start(env, &driver->tick, DRIVER_TICK_NS, driver_tick);
    driver_run_step(driver, STEP_START);
    return driver;
}

bool driver_is_busy(const struct driver *driver)
{
    return driver->thread_is_busy || driver->is_reading;
}

void driver_abandon(struct driver *driver)
{
    driver->thread_is_busy = driver->is_reading = false;
    worker_link_abandon(driver->link);
    driver->link = NULL;
    intake_ring_abandon(driver->intake);
    driver->intake = NULL;
    driver_destroy(driver);
}

void driver_destroy(struct driver *driver)
{
    ASSERT(!driver_is_busy(driver));
    worker_link_destroy(driver->link);
    mapper_batch_destroy(driver->filling);
    mapper_batch_destroy(driver->ready);
    source_destroy(driver->source);
    intake_ring_destroy(driver->intake);
    lua_job_destroy(driver->job);
    if (slice_is_null(driver->options.script)) free((void *)(uintptr_t)driver->script.data);
    buffer_deinit(&driver->arguments);
    free(driver);
}

const struct uuid *driver_unfinished_job(const struct driver *driver)
{
    return driver->has_job ? &driver->job_id : NULL;
}

struct progress *driver_progress(struct driver *driver)
{
    return &driver->progress;
}
