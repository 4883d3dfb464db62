#include "stream/job/job_protocol.h"

#include <stdio.h>
#include <string.h>

void job_put_targets(struct buffer *bytes, const struct job_target *targets, size_t count)
{
    buffer_put_vint(bytes, count);
    for (size_t i = 0; i < count; i++) {
        buffer_put_vint_bytes(bytes, targets[i].keyspace);
        buffer_put_vint_bytes(bytes, targets[i].table);
        buffer_put_vint(bytes, targets[i].column_count);
        for (size_t j = 0; j < targets[i].column_count; j++)
            buffer_put_vint_bytes(bytes, targets[i].columns[j]);
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

bool job_take_targets(struct cursor *bytes, struct job_target *targets, size_t *count)
{
    uint64_t taken = cursor_vint(bytes);
    if (bytes->failed || taken > OUTPUTS_MAX) return false;
    *count = (size_t)taken;
    for (size_t i = 0; i < *count; i++)
        if (!job_take_target(bytes, &targets[i])) return false;
    return true;
}

void job_put_submission(struct buffer *bytes, const struct job_submission *submission)
{
    uuid_put(bytes, submission->id);
    buffer_put_vint_bytes(bytes, submission->name);
    buffer_put_u64(bytes, submission->code_hash);
    buffer_put_vint(bytes, submission->source_count);
    buffer_put_u64(bytes, submission->source_hash);
    job_put_targets(bytes, submission->targets, submission->target_count);
    if (submission->script != NULL) jobs_put_script(bytes, submission->script);
}

bool job_take_submission(struct cursor *bytes, struct job_submission *submission,
                         struct job_script *script)
{
    submission->id = uuid_take(bytes);
    submission->name = cursor_vint_bytes(bytes);
    submission->code_hash = cursor_u64(bytes);
    uint64_t sources = cursor_vint(bytes);
    submission->source_hash = cursor_u64(bytes);
    if (bytes->failed || sources == 0 || sources > JOB_SOURCES_MAX ||
        submission->name.size >= JOB_NAME_SIZE_MAX)
        return false;
    submission->source_count = (uint32_t)sources;
    submission->script = NULL;
    if (!job_take_targets(bytes, submission->targets, &submission->target_count)) return false;
    if (cursor_left(bytes) == 0) return true;
    submission->script = script;
    return jobs_take_script(bytes, script) && cursor_left(bytes) == 0;
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
    uuid_put(bytes, task->job);
    buffer_put_vint(bytes, task->number);
    buffer_put_u64(bytes, task->cut);
    buffer_put_signed_vint(bytes, task->timestamp_us);
    buffer_put_vint(bytes, task->done_through);
    buffer_put_vint(bytes, task->part_count);
    buffer_put_vint(bytes, task->home);
    buffer_put_vint(bytes, task->log_number);
    buffer_put_vint_bytes(bytes, task->ranges);
}

static struct token job_range_end(struct slice ranges, size_t index, size_t offset)
{
    const uint8_t *at = ranges.data + index * JOB_RANGE_SIZE + offset;
    return (struct token){(int64_t)bytes_get_u64(at)};
}

static struct token job_range_after(struct slice ranges, size_t index)
{
    return job_range_end(ranges, index, 0);
}

static struct token job_range_through(struct slice ranges, size_t index)
{
    return job_range_end(ranges, index, JOB_RANGE_SIZE / 2);
}

static bool job_ranges_are_sound(struct slice ranges)
{
    if (ranges.size % JOB_RANGE_SIZE != 0) return false;
    size_t count = ranges.size / JOB_RANGE_SIZE;
    if (count > JOB_PLACES_MAX) return false;
    for (size_t i = 0; i < count; i++) {
        struct token after = job_range_after(ranges, i), through = job_range_through(ranges, i);
        if (i > 0 && token_compare(after, job_range_through(ranges, i - 1)) < 0) return false;
        if (i > 0 && token_compare(through, after) <= 0) return false;
    }
    if (count == 0) return true;
    // The first may go round the end; then it begins at or behind the last one's end.
    struct token after = job_range_after(ranges, 0), last = job_range_through(ranges, count - 1);
    return token_compare(after, job_range_through(ranges, 0)) < 0 ||
           token_compare(after, last) >= 0;
}

bool job_ranges_have(struct slice ranges, struct token token)
{
    size_t count = ranges.size / JOB_RANGE_SIZE, low = 0, high = count;
    if (count == 0) return true;
    while (low < high) { // The first that ends at the token or behind it.
        size_t middle = low + (high - low) / 2;
        if (token_compare(job_range_through(ranges, middle), token) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool goes_round = token_compare(job_range_after(ranges, 0), job_range_through(ranges, 0)) >= 0;
    if (low == 0 && goes_round) return true;
    size_t index = low == count ? 0 : low;
    if (low == count && !goes_round) return false;
    return token_compare(job_range_after(ranges, index), token) < 0;
}

bool job_take_task(struct cursor *bytes, struct job_task *task)
{
    task->job = uuid_take(bytes);
    task->number = cursor_vint(bytes);
    task->cut = cursor_u64(bytes);
    task->timestamp_us = cursor_signed_vint(bytes);
    task->done_through = cursor_vint(bytes);
    task->part_count = cursor_vint(bytes);
    uint64_t home = cursor_vint(bytes);
    task->home = (uint16_t)home;
    task->log_number = cursor_vint(bytes);
    task->ranges = cursor_vint_bytes(bytes);
    return !bytes->failed && home <= UINT16_MAX && job_ranges_are_sound(task->ranges);
}

void job_put_part(struct buffer *bytes, const struct job_part *part)
{
    uuid_put(bytes, part->job);
    buffer_put_vint(bytes, part->number);
    buffer_put_u64(bytes, part->cut);
    buffer_put_vint(bytes, part->map_index);
    buffer_put_vint(bytes, part->output);
    buffer_put(bytes, part->cells.data, part->cells.size);
}

bool job_take_part(struct cursor *bytes, struct job_part *part)
{
    part->job = uuid_take(bytes);
    part->number = cursor_vint(bytes);
    part->cut = cursor_u64(bytes);
    part->map_index = cursor_vint(bytes);
    part->output = cursor_vint(bytes);
    part->cells = cursor_take(bytes, cursor_left(bytes));
    return !bytes->failed;
}

void job_put_job(struct buffer *bytes, const struct job *job)
{
    uuid_put(bytes, job->id);
    uuid_put(bytes, job->submission_id);
    buffer_put_u8(bytes, (uint8_t)job->state);
    buffer_put_vint(bytes, job->source_count);
    for (uint32_t i = 0; i < job->source_count; i++)
        buffer_put_vint(bytes, job->last_to[i]);
    buffer_put_vint(bytes, job->last_batch);
    buffer_put_signed_vint(bytes, job->last_timestamp_us);
    buffer_put_vint(bytes, job->done_through);
    buffer_put_u64(bytes, job->grand_total);
    buffer_put_u64(bytes, job->sums_hash);
    buffer_put_u8(bytes, job->is_halted);
    buffer_put_vint_bytes(bytes, slice_of_text(job->note));
    buffer_put_vint(bytes, job->batch_count);
    for (size_t i = 0; i < job->batch_count; i++)
        job_put_batch(bytes, &job->batches[i], job->source_count);
}

bool job_take_job(struct cursor *bytes, struct job *job, struct job_batch *batches,
                  size_t batches_max)
{
    *job = (struct job){.id = uuid_take(bytes)};
    job->submission_id = uuid_take(bytes);
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
    job->sums_hash = cursor_u64(bytes);
    job->is_halted = cursor_u8(bytes) != 0;
    struct slice note = cursor_vint_bytes(bytes);
    if (bytes->failed || note.size >= sizeof job->note) return false;
    if (note.size > 0) memcpy(job->note, note.data, note.size);
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

void job_put_ring(struct buffer *bytes, const struct job_ring *ring)
{
    buffer_put_vint(bytes, ring->log_number);
    buffer_put_vint(bytes, ring->self);
    buffer_put_vint(bytes, ring->member_count);
    for (uint16_t i = 0; i < ring->member_count; i++) {
        const struct env_address *address = &ring->members[i].address;
        buffer_put_vint_bytes(bytes, slice_make(address->bytes, address->size));
        buffer_put_u16(bytes, address->port);
        buffer_put_u8(bytes, ring->members[i].is_up);
    }
    buffer_put_vint(bytes, ring->place_count);
    for (size_t i = 0; i < ring->place_count; i++) {
        buffer_put_u64(bytes, (uint64_t)ring->places[i].token.value);
        buffer_put_vint(bytes, ring->places[i].member);
    }
}

static bool job_take_member(struct cursor *bytes, struct job_member *member)
{
    struct slice address = cursor_vint_bytes(bytes);
    if (address.size != 4 && address.size != sizeof member->address.bytes) return false;
    *member = (struct job_member){.is_up = false};
    memcpy(member->address.bytes, address.data, address.size);
    member->address.size = (uint8_t)address.size;
    member->address.port = cursor_u16(bytes);
    member->is_up = cursor_u8(bytes) != 0;
    return !bytes->failed;
}

bool job_take_ring(struct cursor *bytes, struct job_ring *ring)
{
    ring->log_number = cursor_vint(bytes);
    uint64_t self = cursor_vint(bytes), members = cursor_vint(bytes);
    if (bytes->failed || members > JOB_MEMBERS_MAX || (members > 0 && self >= members))
        return false;
    ring->self = (uint16_t)self;
    ring->member_count = (uint16_t)members;
    for (uint16_t i = 0; i < ring->member_count; i++)
        if (!job_take_member(bytes, &ring->members[i])) return false;
    uint64_t places = cursor_vint(bytes);
    if (bytes->failed || places > JOB_PLACES_MAX || (members > 0 && places == 0)) return false;
    ring->place_count = (size_t)places;
    for (size_t i = 0; i < ring->place_count; i++) {
        struct token token = {(int64_t)cursor_u64(bytes)};
        uint64_t member = cursor_vint(bytes);
        if (member >= members) return false;
        if (i > 0 && token_compare(ring->places[i - 1].token, token) >= 0) return false;
        ring->places[i] = (struct job_place){token, (uint16_t)member};
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
