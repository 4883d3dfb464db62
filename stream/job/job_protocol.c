#include "stream/job/job_protocol.h"

#include <stdio.h>
#include <string.h>

void job_put_uuid(struct buffer *bytes, struct uuid uuid)
{
    buffer_put(bytes, uuid.bytes, sizeof uuid.bytes);
}

struct uuid job_take_uuid(struct cursor *bytes)
{
    struct slice taken = cursor_take(bytes, sizeof(struct uuid));
    if (taken.size == 0) return (struct uuid){{0}};
    return uuid_from_bytes(taken.data);
}

void job_put_submission(struct buffer *bytes, const struct job_submission *submission)
{
    job_put_uuid(bytes, submission->id);
    buffer_put_vint_bytes(bytes, submission->name);
    buffer_put_u64(bytes, submission->code_hash);
    buffer_put_vint(bytes, submission->source_count);
    buffer_put_u64(bytes, submission->source_hash);
    buffer_put_vint(bytes, submission->target_count);
    for (size_t i = 0; i < submission->target_count; i++) {
        const struct job_target *target = &submission->targets[i];
        buffer_put_vint_bytes(bytes, target->keyspace);
        buffer_put_vint_bytes(bytes, target->table);
        buffer_put_vint(bytes, target->column_count);
        for (size_t j = 0; j < target->column_count; j++)
            buffer_put_vint_bytes(bytes, target->columns[j]);
    }
}

static bool job_take_target(struct cursor *bytes, struct job_target *target)
{
    target->keyspace = cursor_vint_bytes(bytes);
    target->table = cursor_vint_bytes(bytes);
    uint64_t count = cursor_vint(bytes);
    if (count > OUTPUT_COLUMNS_MAX) return false;
    target->column_count = (size_t)count;
    for (size_t i = 0; i < target->column_count; i++)
        target->columns[i] = cursor_vint_bytes(bytes);
    return !bytes->failed;
}

bool job_take_submission(struct cursor *bytes, struct job_submission *submission)
{
    submission->id = job_take_uuid(bytes);
    submission->name = cursor_vint_bytes(bytes);
    submission->code_hash = cursor_u64(bytes);
    uint64_t sources = cursor_vint(bytes);
    submission->source_hash = cursor_u64(bytes);
    uint64_t targets = cursor_vint(bytes);
    if (bytes->failed || sources == 0 || sources > JOB_SOURCES_MAX || targets > OUTPUTS_MAX ||
        submission->name.size >= JOB_NAME_SIZE_MAX)
        return false;
    submission->source_count = (uint32_t)sources;
    submission->target_count = (size_t)targets;
    for (size_t i = 0; i < submission->target_count; i++)
        if (!job_take_target(bytes, &submission->targets[i])) return false;
    return cursor_left(bytes) == 0;
}

void job_put_batch(struct buffer *bytes, const struct job_batch *batch, uint32_t source_count)
{
    buffer_put_vint(bytes, batch->number);
    buffer_put_signed_vint(bytes, batch->timestamp_us);
    buffer_put_vint(bytes, source_count);
    for (uint32_t i = 0; i < source_count; i++) {
        buffer_put_vint(bytes, batch->offsets[i].from);
        buffer_put_vint(bytes, batch->offsets[i].to);
    }
    buffer_put_u64(bytes, batch->input_hash);
    buffer_put_u64(bytes, batch->sums_hash_done);
}

bool job_take_batch(struct cursor *bytes, struct job_batch *batch, uint32_t *source_count)
{
    *batch = (struct job_batch){.number = cursor_vint(bytes)};
    batch->timestamp_us = cursor_signed_vint(bytes);
    uint64_t count = cursor_vint(bytes);
    if (bytes->failed || count == 0 || count > JOB_SOURCES_MAX) return false;
    *source_count = (uint32_t)count;
    for (uint32_t i = 0; i < *source_count; i++) {
        batch->offsets[i].from = cursor_vint(bytes);
        batch->offsets[i].to = cursor_vint(bytes);
        if (batch->offsets[i].to < batch->offsets[i].from) return false;
    }
    batch->input_hash = cursor_u64(bytes);
    batch->sums_hash_done = cursor_u64(bytes);
    return !bytes->failed;
}

void job_put_task(struct buffer *bytes, const struct job_task *task)
{
    job_put_uuid(bytes, task->job);
    buffer_put_vint(bytes, task->number);
    buffer_put_u64(bytes, task->cut);
    buffer_put_signed_vint(bytes, task->timestamp_us);
    buffer_put_vint(bytes, task->done_through);
    buffer_put_vint(bytes, task->part_count);
}

bool job_take_task(struct cursor *bytes, struct job_task *task)
{
    task->job = job_take_uuid(bytes);
    task->number = cursor_vint(bytes);
    task->cut = cursor_u64(bytes);
    task->timestamp_us = cursor_signed_vint(bytes);
    task->done_through = cursor_vint(bytes);
    task->part_count = cursor_vint(bytes);
    return !bytes->failed && cursor_left(bytes) == 0;
}

void job_put_part(struct buffer *bytes, const struct job_part *part)
{
    job_put_uuid(bytes, part->job);
    buffer_put_vint(bytes, part->number);
    buffer_put_u64(bytes, part->cut);
    buffer_put_vint(bytes, part->map_index);
    buffer_put_vint(bytes, part->output);
    buffer_put(bytes, part->cells.data, part->cells.size);
}

bool job_take_part(struct cursor *bytes, struct job_part *part)
{
    part->job = job_take_uuid(bytes);
    part->number = cursor_vint(bytes);
    part->cut = cursor_u64(bytes);
    part->map_index = cursor_vint(bytes);
    part->output = cursor_vint(bytes);
    part->cells = cursor_take(bytes, cursor_left(bytes));
    return !bytes->failed;
}

void job_put_job(struct buffer *bytes, const struct job *job)
{
    job_put_uuid(bytes, job->id);
    job_put_uuid(bytes, job->submission_id);
    buffer_put_u8(bytes, (uint8_t)job->state);
    buffer_put_vint(bytes, job->source_count);
    for (uint32_t i = 0; i < job->source_count; i++)
        buffer_put_vint(bytes, job->last_to[i]);
    buffer_put_vint(bytes, job->last_batch);
    buffer_put_signed_vint(bytes, job->last_timestamp_us);
    buffer_put_vint(bytes, job->done_through);
    buffer_put_u64(bytes, job->grand_total);
    buffer_put_vint(bytes, job->batch_count);
    for (size_t i = 0; i < job->batch_count; i++)
        job_put_batch(bytes, &job->batches[i], job->source_count);
}

bool job_take_job(struct cursor *bytes, struct job *job, struct job_batch *batches,
                  size_t batches_max)
{
    *job = (struct job){.id = job_take_uuid(bytes)};
    job->submission_id = job_take_uuid(bytes);
    uint8_t state = cursor_u8(bytes);
    uint64_t sources = cursor_vint(bytes);
    if (bytes->failed || state >= JOB_STATE_COUNT || sources > JOB_SOURCES_MAX) return false;
    job->state = (enum job_state)state;
    job->source_count = (uint32_t)sources;
    for (uint32_t i = 0; i < job->source_count; i++)
        job->last_to[i] = cursor_vint(bytes);
    job->last_batch = cursor_vint(bytes);
    job->last_timestamp_us = cursor_signed_vint(bytes);
    job->done_through = cursor_vint(bytes);
    job->grand_total = cursor_u64(bytes);
    uint64_t count = cursor_vint(bytes);
    if (count > batches_max) return false;
    job->batches = batches;
    job->batch_count = (size_t)count;
    for (size_t i = 0; i < job->batch_count; i++) {
        uint32_t source_count;
        if (!job_take_batch(bytes, &batches[i], &source_count)) return false;
    }
    return !bytes->failed;
}

void job_put_answer(struct buffer *bytes, enum status status, const char *text)
{
    buffer_put_u8(bytes, (uint8_t)status);
    buffer_put_vint_bytes(bytes, slice_of_text(text));
}

enum status job_take_answer(struct cursor *bytes, struct error *error)
{
    uint8_t status = cursor_u8(bytes);
    struct slice text = cursor_vint_bytes(bytes);
    if (bytes->failed || status > STATUS_CANCELED)
        return error_set(error, STATUS_MALFORMED, "an answer that makes no sense");
    if (status == STATUS_OK) return STATUS_OK;
    return error_set(error, (enum status)status, "%.*s", (int)text.size, text.data);
}
