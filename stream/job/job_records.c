#include "stream/job/job_service_state.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "ring/liveness/liveness.h"
#include "ring/topology/topology.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- BATCH, DONE -------------------------------------------------------------------------------

static void job_records_recorded(struct metadata_job_change *change, enum status status)
{
    struct job_service_operation *operation =
        CONTAINER_OF(change, struct job_service_operation, change);
    struct job_service *service = operation->service;
    const struct job *job = jobs_find(job_service_jobs(service), operation->job);
    char text[64] = "";
    job_tasks_forget_finished(service, operation->job);
    if (status == STATUS_OK && operation->connection != NULL) {
        struct buffer answer;
        buffer_init(&answer, JOB_SERVICE_ANSWER_MAX);
        job_put_answer(&answer, STATUS_OK, "");
        buffer_put_vint(&answer, metadata_number(service->options.metadata));
        job_service_answer(operation->connection, operation->id, &answer);
        buffer_deinit(&answer);
        job_service_finish(operation);
        return;
    }
    if (status == STATUS_CONFLICT && job != NULL && job->state != JOB_OPEN)
        (void)snprintf(text, sizeof text, "the job is %s", jobs_state_text(job->state));
    else if (status == STATUS_CONFLICT)
        (void)snprintf(text, sizeof text, "the job has moved on: another worker runs it");
    else if (status != STATUS_OK)
        (void)snprintf(text, sizeof text, "the record could not be written");
    job_service_finish_with(operation, status, text);
}

void job_records_batch(struct job_service *service, struct transport_connection *connection,
                       uint64_t id, struct cursor *bytes)
{
    struct uuid job = uuid_take(bytes);
    struct job_batch batch;
    uint32_t source_count = 0;
    bool sound = job_take_batch(bytes, &batch, &source_count);
    uint64_t done_through = cursor_vint(bytes), grand_total = cursor_u64(bytes);
    uint64_t depth = cursor_vint(bytes);
    if (!sound || bytes->failed || depth == 0 || depth > JOB_BATCHES_MAX) {
        job_service_say_bad(connection, id);
        return;
    }
    struct job_service_operation *operation = job_service_begin(service, connection, id);
    operation->job = job;
    metadata_record_batch(service->options.metadata, &operation->change, job, &batch, source_count,
                          done_through, grand_total, depth, job_records_recorded);
}

void job_records_done(struct job_service *service, struct transport_connection *connection,
                      uint64_t id, struct cursor *bytes)
{
    struct job_mark mark = {.job = uuid_take(bytes)};
    mark.done_through = cursor_vint(bytes);
    mark.grand_total = cursor_u64(bytes);
    mark.sums_hash = cursor_u64(bytes);
    uint8_t state = cursor_u8(bytes);
    if (bytes->failed || (state != JOB_OPEN && state != JOB_FINISHED)) {
        job_service_say_bad(connection, id);
        return;
    }
    mark.state = (enum job_state)state;
    struct job_service_operation *operation = job_service_begin(service, connection, id);
    operation->job = mark.job;
    metadata_mark_job(service->options.metadata, &operation->change, &mark, job_records_recorded);
}

// ---- RING --------------------------------------------------------------------------------------

void job_records_put_ring(const struct job_service *service, struct buffer *answer)
{
    const struct topology *topology = service->options.topology != NULL
                                          ? service->options.topology
                                          : metadata_topology(service->options.metadata);
    struct job_ring *ring = calloc(1, sizeof *ring);
    ASSERT(ring != NULL);
    ring->log_number = metadata_number(service->options.metadata);
    bool fits = topology != NULL && topology->member_count <= JOB_MEMBERS_MAX &&
                topology->place_count <= JOB_PLACES_MAX;
    if (fits && topology->member_count > 1) {
        ring->self = service->options.self;
        ring->member_count = topology->member_count;
        for (uint16_t i = 0; i < ring->member_count; i++) {
            bool is_up = i == ring->self || service->options.liveness == NULL ||
                         liveness_is_up(service->options.liveness, i);
            ring->members[i] = (struct job_member){topology->members[i].address, is_up};
        }
        ring->place_count = topology->place_count;
        for (size_t i = 0; i < ring->place_count; i++)
            ring->places[i] =
                (struct job_place){topology->places[i].token, topology->places[i].member};
    }
    job_put_ring(answer, ring);
    free(ring);
}

void job_records_ring(struct job_service *service, struct transport_connection *connection,
                      uint64_t id, struct cursor *bytes)
{
    (void)bytes;
    struct buffer answer;
    buffer_init(&answer, JOB_SERVICE_ANSWER_MAX);
    job_put_answer(&answer, STATUS_OK, "");
    job_records_put_ring(service, &answer);
    job_service_answer(connection, id, &answer);
    buffer_deinit(&answer);
}

// ---- LIST, STOP --------------------------------------------------------------------------------

static void job_records_put_tables(const struct job_service *service, const struct job *job,
                                   struct buffer *answer)
{
    const struct schema *schema = metadata_schema(service->options.metadata);
    buffer_put_vint(answer, job->output_count);
    for (uint32_t i = 0; i < job->output_count; i++) {
        char name[JOB_TABLE_NAME_SIZE];
        const struct table *table = schema_find_table_by_id(schema, job->outputs[i].table);
        if (table == NULL)
            (void)snprintf(name, sizeof name, "(dropped)");
        else
            (void)snprintf(name, sizeof name, "%.*s.%.*s", (int)table->keyspace.size,
                           table->keyspace.data, (int)table->name.size, table->name.data);
        buffer_put_vint_bytes(answer, slice_of_text(name));
    }
}

void job_records_tell_list(struct job_service_operation *operation)
{
    struct job_service *service = operation->service;
    struct buffer answer;
    buffer_init(&answer, JOB_SERVICE_ANSWER_MAX);
    job_put_answer(&answer, STATUS_OK, "");
    const struct job *job;
    for (size_t i = (size_t)operation->skipped;
         answer.size < JOB_SERVICE_ANSWER_MAX / 2 &&
         (job = jobs_at(job_service_jobs(service), i)) != NULL;
         i++) {
        buffer_put_vint_bytes(&answer, slice_of_text(job->name));
        job_put_job(&answer, job);
        job_records_put_tables(service, job, &answer);
    }
    if (operation->connection != NULL)
        job_service_answer(operation->connection, operation->id, &answer);
    buffer_deinit(&answer);
    job_service_finish(operation);
}

static void job_records_list_now(struct job_service_operation *operation, struct cursor *bytes)
{
    operation->skipped = cursor_vint(bytes);
    if (bytes->failed || cursor_left(bytes) > 0) {
        job_service_finish_with(operation, STATUS_INVALID, "a request that makes no sense");
        return;
    }
    operation->waits = WAITS_TO_LIST;
    job_service_answer_waiting(operation->service);
}

void job_records_list(struct job_service *service, struct transport_connection *connection,
                      uint64_t id, struct slice request)
{
    struct job_service_operation *operation = job_service_begin(service, connection, id);
    operation->is_list = true;
    job_service_catch_up(operation, request, job_records_list_now);
}

const struct job *job_records_find(const struct job_service *service, struct slice text)
{
    char name[JOB_NAME_SIZE_MAX] = {0};
    if (text.size >= sizeof name) return NULL;
    memcpy(name, text.data, text.size);
    const struct job *job = jobs_find_by_name(job_service_jobs(service), name);
    struct uuid id;
    if (job == NULL && uuid_parse(text, &id) == STATUS_OK)
        job = jobs_find(job_service_jobs(service), id);
    return job;
}

// What `stop`, `halt` and `resume` have in common: the job by its name, a mark in the log.
static void job_records_mark(struct job_service_operation *operation, struct cursor *bytes,
                             bool (*make)(const struct job *job, struct job_mark *mark,
                                          struct error *error))
{
    struct job_service *service = operation->service;
    struct slice name = cursor_vint_bytes(bytes);
    struct error error;
    enum status status = STATUS_OK;
    const struct job *job = NULL;
    struct job_mark mark = {.state = JOB_OPEN};
    if (bytes->failed || cursor_left(bytes) > 0)
        status = error_set(&error, STATUS_INVALID, "a request that makes no sense");
    else if ((job = job_records_find(service, name)) == NULL)
        status = error_set(&error, STATUS_NOT_FOUND, "there is no job '%.*s'", (int)name.size,
                           name.data);
    else if (job->state != JOB_OPEN)
        status = error_set(&error, STATUS_INVALID, "the job '%.*s' is %s already", (int)name.size,
                           name.data, jobs_state_text(job->state));
    else if (!make(job, &mark, &error))
        status = error.status;
    if (status != STATUS_OK) {
        job_service_finish_with(operation, status, error.text);
        return;
    }
    mark.job = operation->job = job->id;
    mark.done_through = job->done_through;
    mark.grand_total = job->grand_total;
    metadata_mark_job(service->options.metadata, &operation->change, &mark, job_records_recorded);
}

// Seals a job: none of its batches is recorded or run any more. What is counted stays.
static bool job_records_make_stop(const struct job *job, struct job_mark *mark, struct error *error)
{
    (void)job, (void)error;
    mark->state = JOB_SEALED;
    return true;
}

static bool job_records_make_halt(const struct job *job, struct job_mark *mark, struct error *error)
{
    mark->run = JOB_MARK_HALTS;
    mark->note = "by hand";
    if (job->script != NULL) return true;
    (void)error_set(error, STATUS_INVALID,
                    "the job '%s' is run by hand: end its worker, and run it again to go on",
                    job->name);
    return false;
}

static bool job_records_make_resume(const struct job *job, struct job_mark *mark,
                                    struct error *error)
{
    mark->run = JOB_MARK_GOES_ON;
    mark->note = "";
    if (job->script != NULL) return true;
    (void)error_set(error, STATUS_INVALID,
                    "the job '%s' was not submitted: helenus stream run --name %s ... goes on",
                    job->name, job->name);
    return false;
}

static void job_records_stop_now(struct job_service_operation *operation, struct cursor *bytes)
{
    job_records_mark(operation, bytes, job_records_make_stop);
}

static void job_records_halt_now(struct job_service_operation *operation, struct cursor *bytes)
{
    job_records_mark(operation, bytes, job_records_make_halt);
}

static void job_records_resume_now(struct job_service_operation *operation, struct cursor *bytes)
{
    job_records_mark(operation, bytes, job_records_make_resume);
}

void job_records_stop(struct job_service *service, struct transport_connection *connection,
                      uint64_t id, struct slice request)
{
    job_service_catch_up(job_service_begin(service, connection, id), request, job_records_stop_now);
}

void job_records_halt(struct job_service *service, struct transport_connection *connection,
                      uint64_t id, struct slice request)
{
    job_service_catch_up(job_service_begin(service, connection, id), request, job_records_halt_now);
}

void job_records_resume(struct job_service *service, struct transport_connection *connection,
                        uint64_t id, struct slice request)
{
    job_service_catch_up(job_service_begin(service, connection, id), request,
                         job_records_resume_now);
}

// ---- FETCH -------------------------------------------------------------------------------------

void job_records_fetch(struct job_service *service, struct transport_connection *connection,
                       uint64_t id, struct cursor *bytes)
{
    const struct job *job = jobs_find(job_service_jobs(service), uuid_take(bytes));
    struct error error;
    if (bytes->failed || job == NULL || job->script == NULL) {
        (void)error_set(&error, STATUS_NOT_FOUND, "no such job was submitted");
        job_service_say(connection, id, &error);
        return;
    }
    struct buffer answer;
    buffer_init(&answer, JOB_SERVICE_ANSWER_MAX);
    job_put_answer(&answer, STATUS_OK, "");
    uuid_put(&answer, job->submission_id);
    buffer_put_vint_bytes(&answer, slice_of_text(job->name));
    jobs_put_script(&answer, job->script);
    job_service_answer(connection, id, &answer);
    buffer_deinit(&answer);
}
