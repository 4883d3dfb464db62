#include "stream/job/job_service_state.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"

#include <string.h>

static const struct job *job_submit_find(const struct job_service *service,
                                         struct uuid submission_id)
{
    const struct job *job = NULL;
    for (size_t i = 0; (job = jobs_at(job_service_jobs(service), i)) != NULL; i++)
        if (uuid_equals(job->submission_id, submission_id)) return job;
    return NULL;
}

// Each output's table as the schema has it now; `answer` gets the columns.
static enum status job_submit_put_columns(const struct job_service *service,
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

void job_submit_tell(struct job_service_operation *operation, const struct job *job)
{
    struct job_service *service = operation->service;
    struct buffer answer;
    struct error error;
    buffer_init(&answer, JOB_SERVICE_ANSWER_MAX);
    job_put_answer(&answer, STATUS_OK, "");
    job_put_job(&answer, job);
    enum status status = job_submit_put_columns(service, &operation->submission, operation->outputs,
                                                &answer, &error);
    job_records_put_ring(service, &answer);
    if (operation->connection != NULL && status == STATUS_OK)
        job_service_answer(operation->connection, operation->id, &answer);
    else if (operation->connection != NULL)
        job_service_say(operation->connection, operation->id, &error);
    buffer_deinit(&answer);
    job_service_finish(operation);
}

// A job of the submission's name that is open, or broken.
static const struct job *job_submit_find_name(const struct job_service_operation *operation)
{
    const struct slice text = operation->submission.name;
    char name[JOB_NAME_SIZE_MAX] = {0};
    memcpy(name, text.data, text.size);
    const struct job *job = jobs_find_by_name(job_service_jobs(operation->service), name);
    return job == NULL || job->state == JOB_OPEN || job->state == JOB_BROKEN ? job : NULL;
}

static void job_submit_join(struct job_service_operation *operation, const struct job *job);

static void job_submit_recorded(struct metadata_job_change *change, enum status status)
{
    struct job_service_operation *operation =
        CONTAINER_OF(change, struct job_service_operation, change);
    const struct job *job = job_submit_find(operation->service, operation->submission.id);
    if (operation->service->runner != NULL) job_runner_look(operation->service->runner);
    if (status == STATUS_CONFLICT && (job = job_submit_find_name(operation)) != NULL)
        job_submit_join(operation, job); // Another began it meanwhile.
    else if (status != STATUS_OK || job == NULL)
        job_service_finish_with(operation, status == STATUS_OK ? STATUS_OVERLOADED : status,
                                "the job could not be recorded");
    else
        job_submit_tell(operation, job);
}

static void job_submit_copy(struct job_service_operation *operation,
                            const struct job_submission *from)
{
    struct job_submission *to = &operation->submission;
    *to = *from;
    to->name = arena_copy(&operation->arena, from->name);
    if (from->script != NULL) {
        struct job_script *script = &operation->script;
        *script = *from->script;
        script->file_name = arena_copy(&operation->arena, script->file_name);
        script->text = arena_copy(&operation->arena, script->text);
        script->directory = arena_copy(&operation->arena, script->directory);
        script->arguments = arena_copy(&operation->arena, script->arguments);
        to->script = script;
    }
    for (size_t i = 0; i < to->target_count; i++) {
        struct job_target *target = &to->targets[i];
        target->keyspace = arena_copy(&operation->arena, target->keyspace);
        target->table = arena_copy(&operation->arena, target->table);
        for (size_t j = 0; j < target->column_count; j++)
            target->columns[j] = arena_copy(&operation->arena, target->columns[j]);
    }
}

static void job_submit_new(struct job_service_operation *operation)
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
        .script = submission->script,
    };
    memcpy(job.outputs, operation->outputs, submission->target_count * sizeof *job.outputs);
    memcpy(job.name, submission->name.data, submission->name.size);
    metadata_submit_job(service->options.metadata, &operation->change, &job, job_submit_recorded);
}

// A table that was dropped and made anew has none of the job's counts.
static bool job_submit_has_tables(const struct job *job,
                                  const struct job_service_operation *operation)
{
    if (job->output_count != operation->submission.target_count) return false;
    for (uint32_t i = 0; i < job->output_count; i++)
        if (!uuid_equals(job->outputs[i].table, operation->outputs[i].table)) return false;
    return true;
}

static void job_submit_resume(struct job_service_operation *operation, const struct job *job)
{
    operation->waits = WAITS_TO_RESUME;
    operation->job = job->id;
    job_service_answer_waiting(operation->service);
}

// A job that is there: goes on with it, if it is the same one.
static void job_submit_join(struct job_service_operation *operation, const struct job *job)
{
    const struct job_submission *submission = &operation->submission;
    if (job->state == JOB_BROKEN) // Begun anew by a supervisor, it would count all again.
        job_service_finish_with(operation, STATUS_INVALID,
                                "the job of this name is broken: a batch gave other sums when it "
                                "ran again; see what its table holds, and choose another name");
    else if (job->code_hash != submission->code_hash)
        job_service_finish_with(operation, STATUS_INVALID,
                                "the unfinished job of this name ran another script or other "
                                "arguments; choose another name");
    else if (job->source_hash != submission->source_hash ||
             job->source_count != submission->source_count)
        job_service_finish_with(operation, STATUS_INVALID,
                                "the source is not the one that the unfinished job of this name "
                                "read; choose another name");
    else if (!job_submit_has_tables(job, operation))
        job_service_finish_with(operation, STATUS_INVALID,
                                "a table of the unfinished job of this name was dropped since; "
                                "choose another name, or stop the job (helenus stream stop)");
    else
        job_submit_resume(operation, job);
}

// Rule 12: a known submission gives the job it made; a name whose job is open resumes that job; all
// else is a new job with a new id.
static void job_submit_run(struct job_service_operation *operation, struct cursor *bytes)
{
    struct job_service *service = operation->service;
    struct job_submission submission;
    struct job_script script;
    struct error error;
    if (!job_take_submission(bytes, &submission, &script) ||
        memchr(submission.name.data, '\0', submission.name.size) != NULL) {
        job_service_finish_with(operation, STATUS_INVALID, "a submission that makes no sense");
        return;
    }
    job_submit_copy(operation, &submission);
    const struct job *job = job_submit_find(service, submission.id);
    if (job == NULL) job = job_submit_find_name(operation);
    struct buffer columns;
    buffer_init(&columns, JOB_SERVICE_ANSWER_MAX);
    enum status status = job_submit_put_columns(service, &operation->submission, operation->outputs,
                                                &columns, &error);
    buffer_deinit(&columns);
    if (status != STATUS_OK)
        job_service_finish_with(operation, status, error.text);
    else if (job == NULL)
        job_submit_new(operation);
    else
        job_submit_join(operation, job);
}

void job_submit_request(struct job_service *service, struct transport_connection *connection,
                        uint64_t id, struct slice request)
{
    struct job_service_operation *operation = job_service_begin(service, connection, id);
    // A worker whose node died goes on here: what it had recorded there counts.
    job_service_catch_up(operation, request, job_submit_run);
}
