#include "stream/job/job_service_state.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "stream/job/intake_copy.h"

#include <stdlib.h>

// How often copies of jobs that have ended are looked for. Of them, how many at a time.
#define JOB_INTAKES_SWEEP_NS (2000 * (uint64_t)1000000)
enum { JOB_INTAKES_SWEEP_MAX = 256 };

struct job_intake_copy {
    struct job_intakes *intakes;
    struct uuid job; // With `source`: whose. All zero: free.
    uint32_t source;
    bool is_used, is_busy;
    struct intake_copy *copy; // NULL: to be loaded.
};

struct job_intakes {
    struct job_service *service;
    struct job_intake_copy copies[INTAKE_JOBS_MAX];
    struct env_timer timer;
    struct env_job sweep;
    bool is_sweeping, removes, is_stopped;
    struct uuid found[JOB_INTAKES_SWEEP_MAX];
    size_t found_count;
};

// One request, on its way through a thread.
struct job_intake {
    struct job_service_operation *operation;
    struct job_intake_copy *at;
    struct env_job thread;
    uint8_t type;
    uint64_t epoch, previous, offset, done;
    size_t size;
    struct slice bytes; // In the operation's arena.
    struct buffer read;
    enum status status;
    struct error error;
};

// ---- Jobs that have ended ----------------------------------------------------------------------

static bool job_intakes_has_ended(const struct job_intakes *intakes, struct uuid id)
{
    // A copy is begun when the log here has its job, and the log never goes back: a job that is
    // not known has been forgotten.
    const struct job *job = jobs_find(job_service_jobs(intakes->service), id);
    return job == NULL || job->state != JOB_OPEN;
}

static void job_intakes_sweep_later(struct job_intakes *intakes);

static void job_intakes_found(void *context, struct uuid job)
{
    struct job_intakes *intakes = context;
    size_t count = intakes->found_count;
    if (count > 0 && uuid_equals(intakes->found[count - 1], job)) return;
    if (count < JOB_INTAKES_SWEEP_MAX) intakes->found[intakes->found_count++] = job;
}

static void job_intakes_sweep_work(struct env_job *thread)
{
    struct job_intakes *intakes = CONTAINER_OF(thread, struct job_intakes, sweep);
    struct env *env = intakes->service->env;
    const char *directory = intakes->service->options.intake_directory;
    bool exists = false;
    if (intakes->removes) {
        for (size_t i = 0; i < intakes->found_count; i++)
            intake_copy_remove(env, directory, intakes->found[i]);
    } else if (env_path_exists(env, directory, &exists, NULL, NULL) == STATUS_OK && exists) {
        intake_copy_list(env, directory, job_intakes_found, intakes);
    }
}

// Closes those of jobs that have ended. How many are left.
static size_t job_intakes_close_ended(struct job_intakes *intakes)
{
    size_t left = 0;
    for (size_t i = 0; i < INTAKE_JOBS_MAX; i++) {
        struct job_intake_copy *at = &intakes->copies[i];
        if (at->is_used && !at->is_busy && job_intakes_has_ended(intakes, at->job)) {
            intake_copy_close(at->copy);
            *at = (struct job_intake_copy){.is_used = false};
        }
        left += at->is_used;
    }
    return left;
}

static bool job_intakes_is_open(const struct job_intakes *intakes, struct uuid job)
{
    for (size_t i = 0; i < INTAKE_JOBS_MAX; i++)
        if (intakes->copies[i].is_used && uuid_equals(intakes->copies[i].job, job)) return true;
    return false;
}

static void job_intakes_swept(struct env_job *thread)
{
    struct job_intakes *intakes = CONTAINER_OF(thread, struct job_intakes, sweep);
    size_t all = intakes->found_count, ended = 0;
    intakes->is_sweeping = false;
    if (intakes->is_stopped) {
        job_service_look_at_end(intakes->service);
        return;
    }
    if (intakes->removes) {
        job_intakes_sweep_later(intakes);
        return;
    }
    size_t left = job_intakes_close_ended(intakes);
    for (size_t i = 0; i < all; i++)
        if (job_intakes_has_ended(intakes, intakes->found[i]) &&
            !job_intakes_is_open(intakes, intakes->found[i]))
            intakes->found[ended++] = intakes->found[i];
    intakes->found_count = ended;
    intakes->removes = ended > 0;
    if (ended > 0) {
        intakes->is_sweeping = true;
        env_offload(intakes->service->env, &intakes->sweep, ENV_LANE_READ, job_intakes_sweep_work,
                    job_intakes_swept);
    } else if (all > 0 || left > 0) {
        job_intakes_sweep_later(intakes);
    }
}

static void job_intakes_sweep(struct env_timer *timer)
{
    struct job_intakes *intakes = CONTAINER_OF(timer, struct job_intakes, timer);
    intakes->is_sweeping = true;
    intakes->removes = false;
    intakes->found_count = 0;
    env_offload(intakes->service->env, &intakes->sweep, ENV_LANE_READ, job_intakes_sweep_work,
                job_intakes_swept);
}

static void job_intakes_sweep_later(struct job_intakes *intakes)
{
    if (intakes->is_sweeping || env_timer_is_started(&intakes->timer)) return;
    env_timer_start(intakes->service->env, &intakes->timer, JOB_INTAKES_SWEEP_NS,
                    job_intakes_sweep);
}

// ---- The member's copies -----------------------------------------------------------------------

struct job_intakes *job_intakes_create(struct job_service *service)
{
    struct job_intakes *intakes = calloc(1, sizeof *intakes);
    ASSERT(intakes != NULL);
    intakes->service = service;
    job_intakes_sweep_later(intakes);
    return intakes;
}

void job_intakes_stop(struct job_intakes *intakes)
{
    if (intakes == NULL) return;
    intakes->is_stopped = true;
    env_timer_stop(intakes->service->env, &intakes->timer);
}

bool job_intakes_is_idle(const struct job_intakes *intakes)
{
    return intakes == NULL || !intakes->is_sweeping;
}

void job_intakes_destroy(struct job_intakes *intakes)
{
    if (intakes == NULL) return;
    for (size_t i = 0; i < INTAKE_JOBS_MAX; i++)
        intake_copy_close(intakes->copies[i].copy);
    free(intakes);
}

static struct job_intake_copy *job_intakes_take(struct job_intakes *intakes, struct uuid job,
                                                uint32_t source)
{
    struct job_intake_copy *unused = NULL;
    for (size_t i = 0; i < INTAKE_JOBS_MAX; i++) {
        struct job_intake_copy *at = &intakes->copies[i];
        if (at->is_used && at->source == source && uuid_equals(at->job, job)) return at;
        if (!at->is_used && unused == NULL) unused = at;
    }
    if (unused != NULL) *unused = (struct job_intake_copy){intakes, job, source, true, false, NULL};
    return unused;
}

// ---- Requests ----------------------------------------------------------------------------------

static void job_intake_work(struct env_job *thread)
{
    struct job_intake *self = CONTAINER_OF(thread, struct job_intake, thread);
    struct job_intake_copy *at = self->at;
    const struct job_service *service = self->operation->service;
    struct error *error = &self->error;
    self->status = STATUS_OK;
    if (at->copy == NULL)
        self->status = intake_copy_load(service->env, service->options.intake_directory, at->job,
                                        at->source, &at->copy, error);
    if (self->status != STATUS_OK) return;
    switch (self->type) {
    case JOB_INTAKE_OPEN:
        self->status = intake_copy_open(at->copy, self->epoch, error);
        break;
    case JOB_INTAKE:
        intake_copy_forget(at->copy, self->done);
        self->status = intake_copy_append(at->copy, self->epoch, self->previous, self->offset,
                                          self->bytes, error);
        break;
    case JOB_INTAKE_ADOPT:
        self->status = intake_copy_adopt(at->copy, self->epoch, self->offset, error);
        break;
    default:
        self->status =
            intake_copy_read(at->copy, self->epoch, self->offset, self->size, &self->read, error);
    }
    if (self->status != STATUS_IO && self->status != STATUS_NO_SPACE) return;
    intake_copy_close(at->copy); // What is on the disk is seen when it is loaded again.
    at->copy = NULL;
}

static void job_intake_worked(struct env_job *thread)
{
    struct job_intake *self = CONTAINER_OF(thread, struct job_intake, thread);
    struct job_service_operation *operation = self->operation;
    self->at->is_busy = false;
    if (self->status == STATUS_OK && operation->connection != NULL) {
        struct buffer answer;
        buffer_init(&answer, JOB_SERVICE_ANSWER_MAX);
        job_put_answer(&answer, STATUS_OK, "");
        if (self->type == JOB_INTAKE_OPEN) {
            struct intake_copy_state state = intake_copy_state(self->at->copy);
            buffer_put_u64(&answer, state.promised);
            buffer_put_vint(&answer, state.end);
            buffer_put_u64(&answer, state.adopted);
            buffer_put_vint(&answer, state.adopted_end);
        }
        transport_reply_parts(operation->connection, operation->id, JOB_ANSWER,
                              buffer_slice(&answer), buffer_slice(&self->read));
        buffer_deinit(&answer);
    }
    if (self->status == STATUS_OK)
        job_service_finish(operation);
    else
        job_service_finish_with(operation, self->status, self->error.text);
}

static bool job_intake_take(struct job_intake *self, struct cursor *bytes)
{
    self->epoch = cursor_u64(bytes);
    if (self->type == JOB_INTAKE_OPEN) return !bytes->failed && self->epoch != 0;
    if (self->type == JOB_INTAKE) self->previous = cursor_vint(bytes);
    self->offset = cursor_vint(bytes);
    if (self->type == JOB_INTAKE) {
        self->done = cursor_vint(bytes);
        self->bytes = cursor_take(bytes, cursor_left(bytes));
    } else if (self->type == JOB_INTAKE_READ) {
        uint64_t size = cursor_vint(bytes);
        self->size = size > INTAKE_BLOCK_SIZE_MAX ? INTAKE_BLOCK_SIZE_MAX : (size_t)size;
        buffer_init(&self->read, INTAKE_BLOCK_SIZE_MAX);
    }
    return !bytes->failed && cursor_left(bytes) == 0;
}

// Is there a job that may have an input here?
static enum status job_intake_check(struct job_service *service, const struct job_intake *self,
                                    struct uuid id, struct cursor *bytes, struct error *error)
{
    const struct job *job = jobs_find(job_service_jobs(service), id);
    const struct topology *topology = metadata_topology(service->options.metadata);
    if (job == NULL && self->type == JOB_INTAKE_OPEN && topology != NULL) {
        uint64_t home = cursor_vint(bytes), number = cursor_vint(bytes);
        if (!bytes->failed && home < topology->member_count)
            metadata_catch_up(service->options.metadata, (uint16_t)home, number);
    }
    if (service->intakes == NULL)
        return error_set(error, STATUS_INVALID, "this node keeps no copies of inputs");
    if (job == NULL) return error_set(error, STATUS_NOT_FOUND, "the job is not known here yet");
    if (job->state != JOB_OPEN)
        return error_set(error, STATUS_CONFLICT, "the job is %s", jobs_state_text(job->state));
    return STATUS_OK;
}

void job_intake_free(struct job_intake *intake)
{
    if (intake != NULL) buffer_deinit(&intake->read);
}

void job_intake_request(struct job_service *service, struct transport_connection *connection,
                        uint8_t type, uint64_t id, struct slice request)
{
    struct cursor bytes = cursor_make(request);
    struct job_intake taken = {.type = type};
    struct uuid job = uuid_take(&bytes);
    uint64_t source = cursor_vint(&bytes);
    struct error error;
    if (!job_intake_take(&taken, &bytes) || source >= JOB_SOURCES_MAX) {
        job_service_say_bad(connection, id);
        return;
    }
    enum status status = job_intake_check(service, &taken, job, &bytes, &error);
    struct job_intake_copy *at =
        status == STATUS_OK ? job_intakes_take(service->intakes, job, (uint32_t)source) : NULL;
    if (status == STATUS_OK && at == NULL)
        status = error_set(&error, STATUS_OVERLOADED, "too many jobs have inputs here");
    if (status == STATUS_OK && at->is_busy)
        status = error_set(&error, STATUS_IN_USE, "another request is at this input");
    if (status != STATUS_OK) {
        error.status = status;
        job_service_say(connection, id, &error);
        return;
    }
    struct job_service_operation *operation = job_service_begin(service, connection, id);
    struct job_intake *self = operation->intake = ARENA_NEW(&operation->arena, struct job_intake);
    *self = taken;
    self->operation = operation;
    self->at = at;
    self->bytes = arena_copy(&operation->arena, taken.bytes);
    operation->is_task = true;
    operation->job = job;
    at->is_busy = true;
    job_intakes_sweep_later(service->intakes);
    env_offload(service->env, &self->thread, ENV_LANE_READ, job_intake_work, job_intake_worked);
}
