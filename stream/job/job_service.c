#include "stream/job/job_service_state.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "ring/transport/messaging.h"

#include <stdlib.h>

// Requests that wait for something at a time.
enum { JOB_SERVICE_OPERATIONS_MAX = 1024 };

// How long others may take to say what we missed.
#define JOB_SERVICE_CATCH_UP_NS (1000 * (uint64_t)1000000)

// ---- Answers and operations --------------------------------------------------------------------

void job_service_answer(struct transport_connection *connection, uint64_t id,
                        const struct buffer *answer)
{
    transport_reply(connection, id, JOB_ANSWER, buffer_slice(answer));
}

void job_service_say(struct transport_connection *connection, uint64_t id,
                     const struct error *error)
{
    struct buffer answer;
    buffer_init(&answer, JOB_SERVICE_ANSWER_MAX);
    job_put_answer(&answer, error->status, error->text);
    job_service_answer(connection, id, &answer);
    buffer_deinit(&answer);
}

struct job_service_operation *
job_service_begin(struct job_service *service, struct transport_connection *connection, uint64_t id)
{
    struct job_service_operation *operation = calloc(1, sizeof *operation);
    ASSERT(operation != NULL);
    operation->service = service;
    operation->connection = connection;
    operation->id = id;
    arena_init(&operation->arena, KIB);
    operation->next = service->operations;
    operation->place = &service->operations;
    if (operation->next != NULL) operation->next->place = &operation->next;
    service->operations = operation;
    service->operation_count++;
    return operation;
}

static void job_service_end_if_idle(struct job_service *service);

static void job_service_free_operation(struct job_service_operation *operation)
{
    job_audit_free(operation->audit);
    job_intake_free(operation->intake);
    arena_deinit(&operation->arena);
    free(operation);
}

static void job_service_unlink(struct job_service_operation *operation)
{
    *operation->place = operation->next;
    if (operation->next != NULL) operation->next->place = operation->place;
    job_service_free_operation(operation);
}

void job_service_finish(struct job_service_operation *operation)
{
    struct job_service *service = operation->service;
    job_service_unlink(operation);
    service->operation_count--;
    job_service_answer_waiting(service);
    job_service_end_if_idle(service);
}

// Answers with a status alone and ends the operation.
void job_service_finish_with(struct job_service_operation *operation, enum status status,
                             const char *text)
{
    struct error error;
    (void)error_set(&error, status, "%s", text);
    if (operation->connection != NULL)
        job_service_say(operation->connection, operation->id, &error);
    job_service_finish(operation);
}

const struct jobs *job_service_jobs(const struct job_service *service)
{
    return metadata_jobs(service->options.metadata);
}

// ---- What comes in order -----------------------------------------------------------------------

// The oldest that is no task: a list does not wait for those.
static struct job_service_operation *job_service_oldest(const struct job_service *service)
{
    struct job_service_operation *oldest = NULL;
    for (struct job_service_operation *at = service->operations; at != NULL; at = at->next)
        if (!at->is_task) oldest = at;
    return oldest;
}

// What a worker asked for before it was killed shows in a list, and to the worker that goes on,
// whether there was an answer or not.
void job_service_answer_waiting(struct job_service *service)
{
    if (service->is_answering) return; // The loop below goes on.
    service->is_answering = true;
    for (;;) {
        struct job_service_operation *oldest = job_service_oldest(service);
        if (oldest == NULL || oldest->waits == WAITS_NOT) break;
        const struct job *job = jobs_find(job_service_jobs(service), oldest->job);
        if (oldest->waits == WAITS_TO_LIST)
            job_records_tell_list(oldest);
        else if (job == NULL)
            job_service_finish_with(oldest, STATUS_NOT_FOUND, "the job is forgotten");
        else
            job_submit_tell(oldest, job);
    }
    service->is_answering = false;
}

static void job_service_has_caught_up(void *context)
{
    struct job_service_operation *operation = context;
    struct cursor bytes = cursor_make(operation->request);
    if (!operation->is_list && !metadata_is_caught_up(operation->service->options.metadata))
        job_service_finish_with(operation, STATUS_TIMED_OUT,
                                "the node reaches too few others to know all jobs");
    else
        operation->caught_up(operation, &bytes);
}

void job_service_catch_up(struct job_service_operation *operation, struct slice request,
                          void (*caught_up)(struct job_service_operation *, struct cursor *))
{
    struct metadata *metadata = operation->service->options.metadata;
    struct cursor bytes = cursor_make(request);
    const struct topology *topology = metadata_topology(metadata);
    if (topology == NULL || topology->member_count < 2) {
        caught_up(operation, &bytes);
        return;
    }
    operation->caught_up = caught_up;
    operation->request = arena_copy(&operation->arena, request);
    metadata_catch_up_all(metadata, JOB_SERVICE_CATCH_UP_NS, job_service_has_caught_up, operation);
}

void job_service_say_bad(struct transport_connection *connection, uint64_t id)
{
    struct error error;
    (void)error_set(&error, STATUS_INVALID, "a request that makes no sense");
    job_service_say(connection, id, &error);
}

// ---- The service -------------------------------------------------------------------------------

static void job_service_request(void *context, struct transport_connection *connection,
                                uint8_t type, uint64_t id, struct slice payload)
{
    struct job_service *service = context;
    struct cursor bytes = cursor_make(payload);
    if (service->operation_count >= JOB_SERVICE_OPERATIONS_MAX) {
        struct error error;
        (void)error_set(&error, STATUS_OVERLOADED, "too many requests wait");
        job_service_say(connection, id, &error);
        return;
    }
    switch (type) {
    case JOB_SUBMIT:
        job_submit_request(service, connection, id, payload);
        break;
    case JOB_BATCH:
        job_records_batch(service, connection, id, &bytes);
        break;
    case JOB_PART:
        job_tasks_part(service, connection, id, &bytes);
        break;
    case JOB_TASK:
        job_tasks_task(service, connection, id, payload);
        break;
    case JOB_DONE:
        job_records_done(service, connection, id, &bytes);
        break;
    case JOB_LIST:
        job_records_list(service, connection, id, payload);
        break;
    case JOB_STOP:
        job_records_stop(service, connection, id, payload);
        break;
    case JOB_RING:
        job_records_ring(service, connection, id, &bytes);
        break;
    case JOB_FETCH:
        job_records_fetch(service, connection, id, &bytes);
        break;
    case JOB_AUDIT:
        job_audit_request(service, connection, id, payload);
        break;
    case JOB_RESUME:
        job_records_resume(service, connection, id, payload);
        break;
    case JOB_HALT:
        job_records_halt(service, connection, id, payload);
        break;
    case JOB_INTAKE_OPEN:
    case JOB_INTAKE:
    case JOB_INTAKE_ADOPT:
    case JOB_INTAKE_READ:
        job_intake_request(service, connection, type, id, payload);
        break;
    default:
        job_service_say_bad(connection, id);
    }
}

static void job_service_ended(void *context, struct transport_connection *connection)
{
    struct job_service *service = context;
    for (struct job_service_operation *at = service->operations; at != NULL; at = at->next)
        if (at->connection == connection) at->connection = NULL;
    job_tasks_forget_worker(service, connection);
}

enum status job_service_create(struct env *env, const struct job_service_options *options,
                               struct job_service **made, struct error *error)
{
    static const struct transport_server_events events = {job_service_request, job_service_ended};
    struct job_service *service = calloc(1, sizeof *service);
    ASSERT(service != NULL);
    service->env = env;
    service->options = *options;
    log_init(&service->log, env, LOG_INFO);
    enum status status = STATUS_OK;
    if (options->messaging != NULL)
        messaging_set_workers(options->messaging, &events, service);
    else
        status =
            transport_listen(env, &options->address, &events, service, &service->server, error);
    if (status != STATUS_OK) {
        free(service);
        return status;
    }
    if (options->program != NULL) service->runner = job_runner_create(env, options);
    if (options->intake_directory != NULL) service->intakes = job_intakes_create(service);
    *made = service;
    return STATUS_OK;
}

struct env_address job_service_address(const struct job_service *service)
{
    return service->server == NULL ? service->options.address
                                   : transport_server_address(service->server);
}

static void job_service_end(struct env_task *task)
{
    struct job_service *service = CONTAINER_OF(task, struct job_service, end);
    void (*closed)(void *context) = service->closed;
    void *context = service->context;
    for (size_t i = 0; i < service->reducer_count; i++)
        reducer_destroy(service->reducers[i].reducer);
    job_intakes_destroy(service->intakes);
    free(service);
    closed(context);
}

static void job_service_end_if_idle(struct job_service *service)
{
    if (!service->is_closing || service->operations != NULL || service->runner != NULL) return;
    if (!job_intakes_is_idle(service->intakes)) return;
    env_task_post(service->env, &service->end, job_service_end);
}

void job_service_look_at_end(struct job_service *service)
{
    job_service_end_if_idle(service);
}

// No worker is heard or answered any more.
static void job_service_forget_workers(struct job_service *service)
{
    for (struct job_service_operation *at = service->operations; at != NULL; at = at->next)
        at->connection = NULL;
    for (size_t i = 0; i < JOB_SERVICE_WORKERS_MAX; i++)
        if (service->workers[i].connection != NULL)
            job_tasks_forget_worker(service, service->workers[i].connection);
    if (service->options.messaging != NULL)
        messaging_set_workers(service->options.messaging, NULL, NULL);
}

static void job_service_runner_is_closed(void *context)
{
    struct job_service *service = context;
    service->runner = NULL;
    job_service_end_if_idle(service);
}

void job_service_close(struct job_service *service, void (*closed)(void *context), void *context)
{
    service->closed = closed;
    service->context = context;
    service->is_closing = true;
    job_service_forget_workers(service);
    for (size_t i = 0; i < service->reducer_count; i++)
        reducer_give_up(service->reducers[i].reducer);
    if (service->server != NULL) transport_server_close(service->server);
    service->server = NULL;
    if (service->runner != NULL)
        job_runner_close(service->runner, job_service_runner_is_closed, service);
    job_intakes_stop(service->intakes);
    job_service_end_if_idle(service);
}

void job_service_abandon(struct job_service *service)
{
    job_service_forget_workers(service);
    job_runner_abandon(service->runner);
    if (service->server != NULL) transport_server_abandon(service->server);
    while (service->operations != NULL) {
        struct job_service_operation *operation = service->operations;
        service->operations = operation->next;
        env_timer_stop(service->env, &operation->timer);
        buffer_deinit(&operation->change.record);
        job_service_free_operation(operation);
    }
    for (size_t i = 0; i < service->reducer_count; i++)
        reducer_abandon(service->reducers[i].reducer);
    job_intakes_stop(service->intakes);
    job_intakes_destroy(service->intakes);
    free(service);
}
