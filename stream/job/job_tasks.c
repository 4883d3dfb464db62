#include "stream/job/job_service_state.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdlib.h>

// How long a task waits for the record of its batch, and how often it looks.
#define JOB_TASKS_PATIENCE_NS (3000 * (uint64_t)1000000)
#define JOB_TASKS_LOOK_NS     (1000 * (uint64_t)1000)

// ---- Reducers, workers -------------------------------------------------------------------------

static struct reducer *job_tasks_reducer(struct job_service *service, struct uuid job,
                                         bool may_create)
{
    for (size_t i = 0; i < service->reducer_count; i++)
        if (uuid_equals(service->reducers[i].job, job)) return service->reducers[i].reducer;
    if (!may_create) return NULL;
    size_t place = service->reducer_count;
    if (place == JOB_SERVICE_REDUCERS_MAX) {
        uint64_t oldest_ns = UINT64_MAX;
        for (size_t i = 0; i < JOB_SERVICE_REDUCERS_MAX; i++) {
            const struct reducer *reducer = service->reducers[i].reducer;
            if (reducer_is_running(reducer) || reducer_last_used_ns(reducer) >= oldest_ns) continue;
            oldest_ns = reducer_last_used_ns(reducer);
            place = i;
        }
        if (place == JOB_SERVICE_REDUCERS_MAX) return NULL;
        reducer_destroy(service->reducers[place].reducer);
    } else {
        service->reducer_count++;
    }
    struct reducer *made = reducer_create(service->env, service->options.coordinator,
                                          service->options.engine, service->options.metadata, job);
    service->reducers[place] = (struct job_service_reducer){job, made};
    return made;
}

void job_tasks_forget_finished(struct job_service *service, struct uuid id)
{
    const struct job *job = jobs_find(job_service_jobs(service), id);
    if (job == NULL || job->state == JOB_OPEN) return;
    for (size_t i = 0; i < service->reducer_count; i++) {
        struct job_service_reducer *at = &service->reducers[i];
        if (!uuid_equals(at->job, id) || reducer_is_running(at->reducer)) continue;
        reducer_destroy(at->reducer);
        *at = service->reducers[--service->reducer_count];
        return;
    }
}

static struct job_service_worker *job_tasks_worker(struct job_service *service,
                                                   struct transport_connection *connection)
{
    struct job_service_worker *unused = NULL;
    for (size_t i = 0; i < JOB_SERVICE_WORKERS_MAX; i++) {
        struct job_service_worker *worker = &service->workers[i];
        if (worker->connection == connection) return worker;
        if (worker->connection == NULL && unused == NULL) unused = worker;
    }
    if (unused == NULL) return NULL;
    *unused = (struct job_service_worker){connection, malloc(sizeof *unused->gather)};
    ASSERT(unused->gather != NULL);
    gather_init(unused->gather);
    return unused;
}

void job_tasks_forget_worker(struct job_service *service,
                             const struct transport_connection *connection)
{
    for (size_t i = 0; i < JOB_SERVICE_WORKERS_MAX; i++) {
        struct job_service_worker *worker = &service->workers[i];
        if (worker->connection != connection) continue;
        gather_deinit(worker->gather);
        free(worker->gather);
        *worker = (struct job_service_worker){NULL, NULL};
        // A batch's sums are the most that a node holds for a while: the system gets their pages
        // back.
        memory_give_back();
        return;
    }
}

// ---- PART --------------------------------------------------------------------------------------

// A part waits for its task, which is checked: the record of its batch may not be here yet.
void job_tasks_part(struct job_service *service, struct transport_connection *connection,
                    uint64_t id, struct cursor *bytes)
{
    struct job_part part;
    struct error error = {.status = STATUS_OK, .text = ""};
    struct job_service_worker *worker = job_tasks_worker(service, connection);
    if (!job_take_part(bytes, &part))
        (void)error_set(&error, STATUS_INVALID, "a part that makes no sense");
    else if (worker == NULL)
        (void)error_set(&error, STATUS_OVERLOADED, "too many workers");
    else if (gather_add(worker->gather, &part, &error) == STATUS_OK)
        error = (struct error){.status = STATUS_OK, .text = ""};
    job_service_say(connection, id, &error);
}

// ---- TASK --------------------------------------------------------------------------------------

static void job_tasks_recorded_broken(struct metadata_job_change *change, enum status status)
{
    struct job_service_operation *operation =
        CONTAINER_OF(change, struct job_service_operation, change);
    (void)status; // If it could not be written, the job's next run finds the same.
    job_tasks_forget_finished(operation->service, operation->job);
    job_service_finish(operation);
}

// §2.5: no more of this job, whoever runs it.
static void job_tasks_break(struct job_service *service, struct uuid id, const char *text)
{
    const struct job *job = jobs_find(job_service_jobs(service), id);
    if (job == NULL || job->state != JOB_OPEN) return;
    char id_text[UUID_TEXT_SIZE];
    uuid_format(id, id_text);
    LOG_ERROR(&service->log, "job %s '%s' is broken: %s", id_text, job->name, text);
    struct job_service_operation *operation = job_service_begin(service, NULL, 0);
    operation->job = id;
    const struct job_mark mark = {.job = id,
                                  .done_through = job->done_through,
                                  .grand_total = job->grand_total,
                                  .state = JOB_BROKEN,
                                  .note = text};
    metadata_mark_job(service->options.metadata, &operation->change, &mark,
                      job_tasks_recorded_broken);
}

static void job_tasks_reported(void *context, enum status status, const struct error *error,
                               const struct job_report *report)
{
    struct job_service_operation *operation = context;
    const struct reducer *reducer = job_tasks_reducer(operation->service, operation->job, false);
    if (status != STATUS_OK && reducer != NULL && reducer_is_broken(reducer))
        job_tasks_break(operation->service, operation->job, error->text);
    if (status != STATUS_OK) {
        job_service_finish_with(operation, status, error->text);
        return;
    }
    if (operation->connection != NULL) {
        struct buffer answer;
        buffer_init(&answer, JOB_SERVICE_ANSWER_MAX);
        job_put_answer(&answer, STATUS_OK, "");
        buffer_put_vint(&answer, operation->number);
        buffer_put_u64(&answer, operation->cut);
        buffer_put_vint(&answer, report->cells);
        buffer_put_u64(&answer, report->hash);
        job_service_answer(operation->connection, operation->id, &answer);
        buffer_deinit(&answer);
    }
    job_service_finish(operation);
}

static enum status job_tasks_start(struct job_service_operation *operation,
                                   const struct job_task *task, const struct job_target *targets,
                                   size_t target_count, struct error *error)
{
    struct job_service *service = operation->service;
    if (jobs_find(job_service_jobs(service), task->job) == NULL)
        return error_set(error, STATUS_CONFLICT, "there is no such job");
    if (operation->connection == NULL)
        return error_set(error, STATUS_CANCELED, "nobody waits for it");
    struct job_service_worker *worker = job_tasks_worker(service, operation->connection);
    if (worker == NULL) return error_set(error, STATUS_OVERLOADED, "too many workers");
    struct reducer *reducer = job_tasks_reducer(service, task->job, true);
    if (reducer == NULL) return error_set(error, STATUS_OVERLOADED, "too many jobs run at a time");
    if (!gather_is_whole(worker->gather, task))
        return error_set(error, STATUS_NOT_FOUND, "not all parts of batch %" PRIu64 " are here",
                         task->number);
    if (task->part_count == 0) gather_clear(worker->gather);
    reducer_set_targets(reducer, targets, target_count);
    operation->job = task->job;
    operation->number = task->number;
    operation->cut = task->cut;
    return reducer_run(reducer, task, worker->gather, job_tasks_reported, operation, error);
}

static void job_tasks_run(struct job_service_operation *operation)
{
    struct cursor bytes = cursor_make(operation->request);
    struct job_task task;
    struct job_target targets[OUTPUTS_MAX];
    size_t target_count;
    struct error error;
    enum status status;
    if (!job_take_task(&bytes, &task) || task.number == 0 ||
        !job_take_targets(&bytes, targets, &target_count) || cursor_left(&bytes) > 0)
        status = error_set(&error, STATUS_INVALID, "a task that makes no sense");
    else
        status = job_tasks_start(operation, &task, targets, target_count, &error);
    if (status != STATUS_OK) job_service_finish_with(operation, status, error.text);
}

// Until the log has what the worker's home has recorded.
static void job_tasks_look(struct env_timer *timer)
{
    struct job_service_operation *operation =
        CONTAINER_OF(timer, struct job_service_operation, timer);
    struct job_service *service = operation->service;
    if (service->is_closing)
        job_service_finish_with(operation, STATUS_CANCELED, "the node stops");
    else if (metadata_number(service->options.metadata) >= operation->log_number)
        job_tasks_run(operation);
    else if (env_monotonic_ns(service->env) >= operation->give_up_ns)
        job_service_finish_with(operation, STATUS_TIMED_OUT,
                                "the metadata log does not have the batch yet");
    else
        env_timer_start(service->env, timer, JOB_TASKS_LOOK_NS, job_tasks_look);
}

void job_tasks_task(struct job_service *service, struct transport_connection *connection,
                    uint64_t id, struct slice request)
{
    struct cursor bytes = cursor_make(request);
    struct job_task task;
    struct job_service_operation *operation = job_service_begin(service, connection, id);
    operation->is_task = true;
    operation->request = arena_copy(&operation->arena, request);
    const struct topology *topology = metadata_topology(service->options.metadata);
    if (job_take_task(&bytes, &task) && topology != NULL && task.home < topology->member_count &&
        task.log_number > metadata_number(service->options.metadata)) {
        operation->log_number = task.log_number;
        operation->give_up_ns = env_monotonic_ns(service->env) + JOB_TASKS_PATIENCE_NS;
        metadata_catch_up(service->options.metadata, task.home, task.log_number);
        env_timer_start(service->env, &operation->timer, JOB_TASKS_LOOK_NS, job_tasks_look);
        return;
    }
    job_tasks_run(operation);
}
