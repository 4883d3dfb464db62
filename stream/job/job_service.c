#include "stream/job/job_service.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/memory.h"
#include "ring/transport/transport.h"
#include "stream/job/job_protocol.h"
#include "stream/job/reducer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

// Jobs whose totals are kept at a time; the one not used for longest is forgotten. Workers.
enum { JOB_SERVICE_REDUCERS_MAX = 16, JOB_SERVICE_WORKERS_MAX = 64 };
// Requests that wait for something at a time.
enum { JOB_SERVICE_OPERATIONS_MAX = 1024 };

#define JOB_SERVICE_ANSWER_MAX (256 * (size_t)KIB)

_Static_assert((int)OUTPUTS_MAX <= (int)JOB_OUTPUTS_MAX, "a job's outputs fit its record");

// A request that waits for the metadata log or a reducer. When its worker goes, `connection`
// becomes NULL and nobody is told.
struct job_service_operation {
    struct job_service *service;
    struct job_service_operation *next, **place;
    struct transport_connection *connection;
    uint64_t id;
    struct metadata_job_change change;
    struct job_submission submission;       // SUBMIT: its slices are in the arena.
    struct job_output outputs[OUTPUTS_MAX]; // SUBMIT: of the tables as they are now.
    struct uuid job;
    enum { WAITS_NOT, WAITS_TO_LIST, WAITS_TO_RESUME } waits; // For all that was asked before.
    uint64_t skipped;
    struct arena arena;
};

// What a connection's worker sent so far.
struct job_service_worker {
    struct gather gather;
};

struct job_service_reducer {
    struct uuid job;
    struct reducer *reducer;
};

struct job_service {
    struct env *env;
    struct job_service_options options;
    struct transport_server *server; // NULL: closing.
    struct log log;
    struct job_service_operation *operations;
    struct job_service_reducer reducers[JOB_SERVICE_REDUCERS_MAX];
    size_t reducer_count, worker_count, operation_count;
    bool is_answering;
    struct env_task end;
    void (*closed)(void *context);
    void *context;
};

// ---- Answers and operations --------------------------------------------------------------------

static void job_service_answer(struct transport_connection *connection, uint64_t id,
                               const struct buffer *answer)
{
    transport_reply(connection, id, JOB_ANSWER, buffer_slice(answer));
}

static void job_service_say(struct transport_connection *connection, uint64_t id,
                            const struct error *error)
{
    struct buffer answer;
    buffer_init(&answer, JOB_SERVICE_ANSWER_MAX);
    job_put_answer(&answer, error->status, error->text);
    job_service_answer(connection, id, &answer);
    buffer_deinit(&answer);
}

static struct job_service_operation *
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
    arena_deinit(&operation->arena);
    free(operation);
}

static void job_service_unlink(struct job_service_operation *operation)
{
    *operation->place = operation->next;
    if (operation->next != NULL) operation->next->place = operation->place;
    job_service_free_operation(operation);
}

static void job_service_answer_waiting(struct job_service *service);

static void job_service_finish(struct job_service_operation *operation)
{
    struct job_service *service = operation->service;
    job_service_unlink(operation);
    service->operation_count--;
    job_service_answer_waiting(service);
    job_service_end_if_idle(service);
}

// Answers with a status alone and ends the operation.
static void job_service_finish_with(struct job_service_operation *operation, enum status status,
                                    const char *text)
{
    struct error error;
    (void)error_set(&error, status, "%s", text);
    if (operation->connection != NULL)
        job_service_say(operation->connection, operation->id, &error);
    job_service_finish(operation);
}

// ---- SUBMIT ------------------------------------------------------------------------------------

static const struct jobs *job_service_jobs(const struct job_service *service)
{
    return metadata_jobs(service->options.metadata);
}

static const struct job *job_service_find_submission(const struct job_service *service,
                                                     struct uuid submission_id)
{
    const struct job *job = NULL;
    for (size_t i = 0; (job = jobs_at(job_service_jobs(service), i)) != NULL; i++)
        if (uuid_equals(job->submission_id, submission_id)) return job;
    return NULL;
}

static struct reducer *job_service_reducer(struct job_service *service, struct uuid job,
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

// Each output's table as the schema has it now; `answer` gets the columns.
static enum status job_service_put_columns(const struct job_service *service,
                                           const struct job_submission *submission,
                                           struct job_output *outputs, struct buffer *answer,
                                           struct error *error)
{
    const struct schema *schema = metadata_schema(service->options.metadata);
    for (size_t i = 0; i < submission->target_count; i++) {
        const struct job_target *target = &submission->targets[i];
        const struct table *table = schema_find_table(schema, target->keyspace, target->table);
        if (table == NULL)
            return error_set(error, STATUS_INVALID, "table %.*s.%.*s does not exist",
                             (int)target->keyspace.size, target->keyspace.data,
                             (int)target->table.size, target->table.data);
        struct output_column columns[OUTPUT_COLUMNS_MAX];
        enum status status =
            output_roles(table, target->columns, target->column_count, columns, error);
        if (status != STATUS_OK) return status;
        outputs[i].table = table->id;
        for (size_t j = 0; j < target->column_count; j++) {
            if (columns[j].role == OUTPUT_COUNTER)
                outputs[i].column_hash = jobs_hash_column(target->columns[j]);
            buffer_put_u8(answer, (uint8_t)columns[j].role);
            buffer_put_u16(answer, columns[j].index);
            buffer_put_u8(answer, (uint8_t)columns[j].type);
        }
    }
    return STATUS_OK;
}

// The job is there: tells the worker where it stands.
static void job_service_tell_job(struct job_service_operation *operation, const struct job *job)
{
    struct job_service *service = operation->service;
    struct buffer answer;
    struct error error;
    buffer_init(&answer, JOB_SERVICE_ANSWER_MAX);
    job_put_answer(&answer, STATUS_OK, "");
    job_put_job(&answer, job);
    enum status status = job_service_put_columns(service, &operation->submission,
                                                 operation->outputs, &answer, &error);
    struct reducer *reducer =
        status == STATUS_OK ? job_service_reducer(service, job->id, true) : NULL;
    if (status == STATUS_OK && reducer == NULL)
        status = error_set(&error, STATUS_OVERLOADED, "too many jobs run at a time");
    if (status == STATUS_OK) {
        reducer_set_targets(reducer, operation->submission.targets,
                            operation->submission.target_count);
        if (operation->connection != NULL)
            job_service_answer(operation->connection, operation->id, &answer);
    } else if (operation->connection != NULL) {
        job_service_say(operation->connection, operation->id, &error);
    }
    buffer_deinit(&answer);
    job_service_finish(operation);
}

static void job_service_submitted(struct metadata_job_change *change, enum status status)
{
    struct job_service_operation *operation =
        CONTAINER_OF(change, struct job_service_operation, change);
    const struct job *job =
        job_service_find_submission(operation->service, operation->submission.id);
    if (status != STATUS_OK || job == NULL)
        job_service_finish_with(operation, status == STATUS_OK ? STATUS_OVERLOADED : status,
                                "the job could not be recorded");
    else
        job_service_tell_job(operation, job);
}

static void job_service_copy_submission(struct job_service_operation *operation,
                                        const struct job_submission *from)
{
    struct job_submission *to = &operation->submission;
    *to = *from;
    to->name = arena_copy(&operation->arena, from->name);
    for (size_t i = 0; i < to->target_count; i++) {
        struct job_target *target = &to->targets[i];
        target->keyspace = arena_copy(&operation->arena, target->keyspace);
        target->table = arena_copy(&operation->arena, target->table);
        for (size_t j = 0; j < target->column_count; j++)
            target->columns[j] = arena_copy(&operation->arena, target->columns[j]);
    }
}

static void job_service_submit_new(struct job_service_operation *operation)
{
    struct job_service *service = operation->service;
    const struct job_submission *submission = &operation->submission;
    uint8_t random[16];
    env_random_bytes(service->env, random, sizeof random);
    struct job job = {
        .id = uuid_make_random(random),
        .submission_id = submission->id,
        .code_hash = submission->code_hash,
        .state = JOB_OPEN,
        .source_count = submission->source_count,
        .source_hash = submission->source_hash,
        .output_count = (uint32_t)submission->target_count,
    };
    memcpy(job.outputs, operation->outputs, submission->target_count * sizeof *job.outputs);
    memcpy(job.name, submission->name.data, submission->name.size);
    metadata_submit_job(service->options.metadata, &operation->change, &job, job_service_submitted);
}

// A table that was dropped and made anew has none of the job's counts.
static bool job_service_has_tables(const struct job *job,
                                   const struct job_service_operation *operation)
{
    if (job->output_count != operation->submission.target_count) return false;
    for (uint32_t i = 0; i < job->output_count; i++)
        if (!uuid_equals(job->outputs[i].table, operation->outputs[i].table)) return false;
    return true;
}

static void job_service_resume(struct job_service_operation *operation, const struct job *job)
{
    operation->waits = WAITS_TO_RESUME;
    operation->job = job->id;
    job_service_answer_waiting(operation->service);
}

// Rule 12: a known submission gives the job it made; a name whose job is open resumes that job; all
// else is a new job with a new id.
static void job_service_submit(struct job_service *service, struct transport_connection *connection,
                               uint64_t id, struct cursor *bytes)
{
    struct job_submission submission;
    struct error error;
    if (!job_take_submission(bytes, &submission) ||
        memchr(submission.name.data, '\0', submission.name.size) != NULL) {
        (void)error_set(&error, STATUS_INVALID, "a submission that makes no sense");
        job_service_say(connection, id, &error);
        return;
    }
    struct job_service_operation *operation = job_service_begin(service, connection, id);
    job_service_copy_submission(operation, &submission);
    const struct job *job = job_service_find_submission(service, submission.id);
    char name[JOB_NAME_SIZE_MAX] = {0};
    memcpy(name, submission.name.data, submission.name.size);
    if (job == NULL) {
        job = jobs_find_by_name(job_service_jobs(service), name);
        if (job != NULL && job->state != JOB_OPEN && job->state != JOB_BROKEN) job = NULL;
    }
    struct buffer columns;
    buffer_init(&columns, JOB_SERVICE_ANSWER_MAX);
    enum status status = job_service_put_columns(service, &operation->submission,
                                                 operation->outputs, &columns, &error);
    buffer_deinit(&columns);
    if (status != STATUS_OK)
        job_service_finish_with(operation, status, error.text);
    else if (job == NULL)
        job_service_submit_new(operation);
    else if (job->state == JOB_BROKEN) // Begun anew by a supervisor, it would count all again.
        job_service_finish_with(operation, STATUS_INVALID,
                                "the job of this name is broken: a batch gave other sums when it "
                                "ran again; see what its table holds, and choose another name");
    else if (job->code_hash != submission.code_hash)
        job_service_finish_with(operation, STATUS_INVALID,
                                "the unfinished job of this name ran another script or other "
                                "arguments; choose another name");
    else if (job->source_hash != submission.source_hash ||
             job->source_count != submission.source_count)
        job_service_finish_with(operation, STATUS_INVALID,
                                "the source is not the one that the unfinished job of this name "
                                "read; choose another name");
    else if (!job_service_has_tables(job, operation))
        job_service_finish_with(operation, STATUS_INVALID,
                                "a table of the unfinished job of this name was dropped since; "
                                "choose another name, or stop the job (helenus stream stop)");
    else
        job_service_resume(operation, job);
}

// The totals of a job that has ended are of no more use.
static void job_service_forget_finished(struct job_service *service, struct uuid id)
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

// ---- BATCH, DONE -------------------------------------------------------------------------------

static void job_service_changed(struct metadata_job_change *change, enum status status)
{
    struct job_service_operation *operation =
        CONTAINER_OF(change, struct job_service_operation, change);
    const struct job *job = jobs_find(job_service_jobs(operation->service), operation->job);
    char text[64] = "";
    if (status == STATUS_CONFLICT && job != NULL && job->state != JOB_OPEN)
        (void)snprintf(text, sizeof text, "the job is %s", jobs_state_text(job->state));
    else if (status == STATUS_CONFLICT)
        (void)snprintf(text, sizeof text, "the job has moved on: another worker runs it");
    else if (status != STATUS_OK)
        (void)snprintf(text, sizeof text, "the record could not be written");
    job_service_forget_finished(operation->service, operation->job);
    job_service_finish_with(operation, status, text);
}

static void job_service_bad_request(struct transport_connection *connection, uint64_t id)
{
    struct error error;
    (void)error_set(&error, STATUS_INVALID, "a request that makes no sense");
    job_service_say(connection, id, &error);
}

static void job_service_batch(struct job_service *service, struct transport_connection *connection,
                              uint64_t id, struct cursor *bytes)
{
    struct uuid job = job_take_uuid(bytes);
    struct job_batch batch;
    uint32_t source_count = 0;
    bool sound = job_take_batch(bytes, &batch, &source_count);
    uint64_t done_through = cursor_vint(bytes), grand_total = cursor_u64(bytes);
    uint64_t depth = cursor_vint(bytes);
    if (!sound || bytes->failed || depth == 0 || depth > JOB_BATCHES_MAX) {
        job_service_bad_request(connection, id);
        return;
    }
    struct job_service_operation *operation = job_service_begin(service, connection, id);
    operation->job = job;
    metadata_record_batch(service->options.metadata, &operation->change, job, &batch, source_count,
                          done_through, grand_total, depth, job_service_changed);
}

static void job_service_done(struct job_service *service, struct transport_connection *connection,
                             uint64_t id, struct cursor *bytes)
{
    struct uuid job = job_take_uuid(bytes);
    uint64_t done_through = cursor_vint(bytes), grand_total = cursor_u64(bytes);
    uint8_t state = cursor_u8(bytes);
    if (bytes->failed || (state != JOB_OPEN && state != JOB_FINISHED)) {
        job_service_bad_request(connection, id);
        return;
    }
    struct job_service_operation *operation = job_service_begin(service, connection, id);
    operation->job = job;
    metadata_record_done(service->options.metadata, &operation->change, job, done_through,
                         grand_total, (enum job_state)state, job_service_changed);
}

// ---- LIST, STOP --------------------------------------------------------------------------------

static void job_service_put_tables(const struct job_service *service, const struct job *job,
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

static void job_service_tell_jobs(struct job_service *service,
                                  struct transport_connection *connection, uint64_t id,
                                  uint64_t skipped)
{
    struct buffer answer;
    buffer_init(&answer, JOB_SERVICE_ANSWER_MAX);
    job_put_answer(&answer, STATUS_OK, "");
    const struct job *job;
    for (size_t i = (size_t)skipped; answer.size < JOB_SERVICE_ANSWER_MAX / 2 &&
                                     (job = jobs_at(job_service_jobs(service), i)) != NULL;
         i++) {
        buffer_put_vint_bytes(&answer, slice_of_text(job->name));
        job_put_job(&answer, job);
        job_service_put_tables(service, job, &answer);
    }
    job_service_answer(connection, id, &answer);
    buffer_deinit(&answer);
}

// Those that have nothing older before them. What a worker asked for before it was killed shows in
// a list, and to the worker that goes on, whether there was an answer or not.
static void job_service_answer_waiting(struct job_service *service)
{
    if (service->is_answering) return; // The loop below goes on.
    service->is_answering = true;
    for (;;) {
        struct job_service_operation *oldest = service->operations;
        while (oldest != NULL && oldest->next != NULL)
            oldest = oldest->next;
        if (oldest == NULL || oldest->waits == WAITS_NOT) break;
        const struct job *job = jobs_find(job_service_jobs(service), oldest->job);
        if (oldest->waits == WAITS_TO_LIST) {
            if (oldest->connection != NULL)
                job_service_tell_jobs(service, oldest->connection, oldest->id, oldest->skipped);
            job_service_finish(oldest);
        } else if (job == NULL) {
            job_service_finish_with(oldest, STATUS_NOT_FOUND, "the job is forgotten");
        } else {
            job_service_tell_job(oldest, job);
        }
    }
    service->is_answering = false;
}

static void job_service_list(struct job_service *service, struct transport_connection *connection,
                             uint64_t id, struct cursor *bytes)
{
    uint64_t skipped = cursor_vint(bytes);
    if (bytes->failed || cursor_left(bytes) > 0) {
        job_service_bad_request(connection, id);
        return;
    }
    struct job_service_operation *operation = job_service_begin(service, connection, id);
    operation->waits = WAITS_TO_LIST;
    operation->skipped = skipped;
    job_service_answer_waiting(service);
}

static const struct job *job_service_find_named(const struct job_service *service,
                                                struct slice text)
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

// Seals a job: none of its batches is recorded or run any more. What is counted stays.
static void job_service_stop(struct job_service *service, struct transport_connection *connection,
                             uint64_t id, struct cursor *bytes)
{
    struct slice name = cursor_vint_bytes(bytes);
    struct error error;
    if (bytes->failed || cursor_left(bytes) > 0) {
        job_service_bad_request(connection, id);
        return;
    }
    const struct job *job = job_service_find_named(service, name);
    if (job == NULL)
        (void)error_set(&error, STATUS_NOT_FOUND, "there is no job '%.*s'", (int)name.size,
                        name.data);
    else if (job->state != JOB_OPEN)
        (void)error_set(&error, STATUS_INVALID, "the job '%.*s' is %s already", (int)name.size,
                        name.data, jobs_state_text(job->state));
    if (job == NULL || job->state != JOB_OPEN) {
        job_service_say(connection, id, &error);
        return;
    }
    struct job_service_operation *operation = job_service_begin(service, connection, id);
    operation->job = job->id;
    metadata_record_done(service->options.metadata, &operation->change, job->id, job->done_through,
                         job->grand_total, JOB_SEALED, job_service_changed);
}

// ---- PART, TASK --------------------------------------------------------------------------------

static struct job_service_worker *job_service_worker(struct job_service *service,
                                                     struct transport_connection *connection)
{
    struct job_service_worker *worker = transport_connection_data(connection);
    if (worker != NULL || service->worker_count == JOB_SERVICE_WORKERS_MAX) return worker;
    worker = calloc(1, sizeof *worker);
    ASSERT(worker != NULL);
    gather_init(&worker->gather);
    transport_connection_set_data(connection, worker);
    service->worker_count++;
    return worker;
}

// Rule 1: nothing is done for a batch that the log does not have.
static enum status job_service_check_batch(const struct job_service *service, struct uuid id,
                                           uint64_t number, struct error *error)
{
    const struct job *job = jobs_find(job_service_jobs(service), id);
    if (job == NULL) return error_set(error, STATUS_NOT_FOUND, "there is no such job");
    if (job->state != JOB_OPEN)
        return error_set(error, STATUS_INVALID, "the job is %s", jobs_state_text(job->state));
    for (size_t i = 0; i < job->batch_count; i++)
        if (job->batches[i].number == number) return STATUS_OK;
    return error_set(error, STATUS_CONFLICT, "batch %" PRIu64 " is not recorded, or done", number);
}

static void job_service_part(struct job_service *service, struct transport_connection *connection,
                             uint64_t id, struct cursor *bytes)
{
    struct job_part part;
    struct error error = {.status = STATUS_OK, .text = ""};
    struct job_service_worker *worker = job_service_worker(service, connection);
    if (!job_take_part(bytes, &part))
        (void)error_set(&error, STATUS_INVALID, "a part that makes no sense");
    else if (worker == NULL)
        (void)error_set(&error, STATUS_OVERLOADED, "too many workers");
    else if (job_service_check_batch(service, part.job, part.number, &error) == STATUS_OK &&
             gather_add(&worker->gather, &part, &error) == STATUS_OK)
        error = (struct error){.status = STATUS_OK, .text = ""};
    job_service_say(connection, id, &error);
}

static void job_service_broken(struct metadata_job_change *change, enum status status)
{
    struct job_service_operation *operation =
        CONTAINER_OF(change, struct job_service_operation, change);
    (void)status; // If it could not be written, the job's next run finds the same.
    job_service_forget_finished(operation->service, operation->job);
    job_service_finish(operation);
}

// §2.5: no more of this job, whoever runs it.
static void job_service_break(struct job_service *service, struct uuid id, const char *text)
{
    const struct job *job = jobs_find(job_service_jobs(service), id);
    if (job == NULL || job->state != JOB_OPEN) return;
    char id_text[UUID_TEXT_SIZE];
    uuid_format(id, id_text);
    LOG_ERROR(&service->log, "job %s '%s' is broken: %s", id_text, job->name, text);
    struct job_service_operation *operation = job_service_begin(service, NULL, 0);
    operation->job = id;
    metadata_record_done(service->options.metadata, &operation->change, id, job->done_through,
                         job->grand_total, JOB_BROKEN, job_service_broken);
}

static void job_service_reported(void *context, enum status status, const struct error *error,
                                 const struct job_report *report)
{
    struct job_service_operation *operation = context;
    const struct reducer *reducer = job_service_reducer(operation->service, operation->job, false);
    if (status != STATUS_OK && reducer != NULL && reducer_is_broken(reducer))
        job_service_break(operation->service, operation->job, error->text);
    if (status != STATUS_OK) {
        job_service_finish_with(operation, status, error->text);
        return;
    }
    if (operation->connection != NULL) {
        struct buffer answer;
        buffer_init(&answer, JOB_SERVICE_ANSWER_MAX);
        job_put_answer(&answer, STATUS_OK, "");
        buffer_put_vint(&answer, report->cells);
        buffer_put_u64(&answer, report->hash);
        job_service_answer(operation->connection, operation->id, &answer);
        buffer_deinit(&answer);
    }
    job_service_finish(operation);
}

static void job_service_task(struct job_service *service, struct transport_connection *connection,
                             uint64_t id, struct cursor *bytes)
{
    struct job_task task;
    if (!job_take_task(bytes, &task) || task.number == 0) {
        job_service_bad_request(connection, id);
        return;
    }
    struct error error;
    enum status status = STATUS_OK;
    struct job_service_worker *worker = job_service_worker(service, connection);
    struct reducer *reducer = job_service_reducer(service, task.job, false);
    if (worker == NULL)
        status = error_set(&error, STATUS_OVERLOADED, "too many workers");
    else if (reducer == NULL)
        status = error_set(&error, STATUS_NOT_FOUND, "submit the job first");
    else if (!gather_is_whole(&worker->gather, &task))
        status = error_set(&error, STATUS_NOT_FOUND, "not all parts of batch %" PRIu64 " are here",
                           task.number);
    if (status == STATUS_OK) {
        if (task.part_count == 0) gather_clear(&worker->gather);
        struct job_service_operation *operation = job_service_begin(service, connection, id);
        operation->job = task.job;
        status =
            reducer_run(reducer, &task, &worker->gather, job_service_reported, operation, &error);
        if (status != STATUS_OK) job_service_finish_with(operation, status, error.text);
        return;
    }
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
        job_service_submit(service, connection, id, &bytes);
        break;
    case JOB_BATCH:
        job_service_batch(service, connection, id, &bytes);
        break;
    case JOB_PART:
        job_service_part(service, connection, id, &bytes);
        break;
    case JOB_TASK:
        job_service_task(service, connection, id, &bytes);
        break;
    case JOB_DONE:
        job_service_done(service, connection, id, &bytes);
        break;
    case JOB_LIST:
        job_service_list(service, connection, id, &bytes);
        break;
    case JOB_STOP:
        job_service_stop(service, connection, id, &bytes);
        break;
    default:
        job_service_bad_request(connection, id);
    }
}

static void job_service_free_worker(struct job_service *service, struct job_service_worker *worker)
{
    if (worker == NULL) return;
    gather_deinit(&worker->gather);
    free(worker);
    service->worker_count--;
    // A batch's sums are the most that a node holds for a while: the system gets their pages back.
    memory_give_back();
}

static void job_service_ended(void *context, struct transport_connection *connection)
{
    struct job_service *service = context;
    for (struct job_service_operation *at = service->operations; at != NULL; at = at->next)
        if (at->connection == connection) at->connection = NULL;
    job_service_free_worker(service, transport_connection_data(connection));
    transport_connection_set_data(connection, NULL);
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
    enum status status =
        transport_listen(env, &options->address, &events, service, &service->server, error);
    if (status == STATUS_OK)
        *made = service;
    else
        free(service);
    return status;
}

struct env_address job_service_address(const struct job_service *service)
{
    return transport_server_address(service->server);
}

static void job_service_end(struct env_task *task)
{
    struct job_service *service = CONTAINER_OF(task, struct job_service, end);
    void (*closed)(void *context) = service->closed;
    void *context = service->context;
    for (size_t i = 0; i < service->reducer_count; i++)
        reducer_destroy(service->reducers[i].reducer);
    free(service);
    closed(context);
}

static void job_service_end_if_idle(struct job_service *service)
{
    if (service->server != NULL || service->operations != NULL) return;
    env_task_post(service->env, &service->end, job_service_end);
}

static void job_service_forget_worker(void *context, struct transport_connection *connection)
{
    job_service_ended(context, connection);
}

void job_service_close(struct job_service *service, void (*closed)(void *context), void *context)
{
    service->closed = closed;
    service->context = context;
    transport_server_each(service->server, job_service_forget_worker, service);
    transport_server_close(service->server);
    service->server = NULL;
    job_service_end_if_idle(service);
}

void job_service_abandon(struct job_service *service)
{
    if (service->server != NULL) {
        transport_server_each(service->server, job_service_forget_worker, service);
        transport_server_abandon(service->server);
    }
    while (service->operations != NULL) {
        struct job_service_operation *operation = service->operations;
        service->operations = operation->next;
        buffer_deinit(&operation->change.record);
        job_service_free_operation(operation);
    }
    for (size_t i = 0; i < service->reducer_count; i++)
        reducer_abandon(service->reducers[i].reducer);
    free(service);
}
