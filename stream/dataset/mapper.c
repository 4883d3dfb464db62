#include "stream/dataset/mapper.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "stream/job/gather.h"

#include <inttypes.h>
#include <stdlib.h>

// Keys at which a batch ends: of short ones a reducer can hold a million, and one block more brings
// 300,000 at most, unless a line gives many.
enum { MAPPER_KEYS_ENOUGH = 400000 };

// Of all cells of a batch; the reducer's parts have some room left.
#define MAPPER_SIZE_MAX (GATHER_SIZE_MAX - 8 * (size_t)MIB)

struct mapper_batch *mapper_batch_create(const struct job_batch *record, bool is_recorded,
                                         uint64_t cut)
{
    struct mapper_batch *batch = calloc(1, sizeof *batch);
    ASSERT(batch != NULL);
    batch->record = *record;
    batch->is_recorded = is_recorded;
    batch->cut = cut;
    batch->input = checksum_xxh3_create(0);
    arena_init(&batch->arena, 64 * KIB);
    return batch;
}

void mapper_batch_destroy(struct mapper_batch *batch)
{
    if (batch == NULL) return;
    checksum_xxh3_destroy(batch->input);
    arena_deinit(&batch->arena);
    free(batch->parts);
    free(batch);
}

void mapper_begin(struct mapper_batch *batch, struct lua_job *job)
{
    lua_job_begin(job, batch->record.number, batch->record.timestamp_us);
    dstream_begin(lua_job_context(job), batch->record.number, batch->record.timestamp_us);
}

static enum status mapper_fault(struct lua_job *job, enum status status, struct error *error)
{
    *error = lua_job_context(job)->graph.task.error;
    return status;
}

enum status mapper_process(struct mapper_batch *batch, struct lua_job *job,
                           const struct source_block *block, struct error *error)
{
    struct dstream_context *context = lua_job_context(job);
    checksum_xxh3_add(batch->input, block->lines);
    struct task *task = &context->graph.task;
    task->records += block->too_long;
    task->faults[JSON_FAULT_TOO_LONG] += block->too_long;
    enum status status = dstream_process(context, 0, block->lines);
    return status == STATUS_OK ? STATUS_OK : mapper_fault(job, status, error);
}

bool mapper_has_enough(const struct mapper_batch *batch, struct lua_job *job)
{
    return !batch->is_recorded && lua_job_context(job)->graph.task.keys >= MAPPER_KEYS_ENOUGH;
}

static void mapper_add_part(void *context, struct output *output, struct slice cells)
{
    struct mapper_batch *batch = context;
    if (batch->part_count == batch->part_capacity) {
        batch->part_capacity = batch->part_capacity == 0 ? 8 : 2 * batch->part_capacity;
        batch->parts = realloc(batch->parts, batch->part_capacity * sizeof *batch->parts);
        ASSERT(batch->parts != NULL);
    }
    batch->parts[batch->part_count++] =
        (struct mapper_part){output->ordinal, arena_copy(&batch->arena, cells)};
    struct cursor cursor = cursor_make(cells);
    while (cursor_left(&cursor) > 0) {
        (void)cursor_vint_bytes(&cursor);
        batch->sum += (uint64_t)cursor_signed_vint(&cursor);
    }
}

enum status mapper_finish(struct mapper_batch *batch, struct lua_job *job, struct error *error)
{
    struct dstream_context *context = lua_job_context(job);
    uint64_t input_hash = checksum_xxh3_value(batch->input);
    if (batch->is_recorded && input_hash != batch->record.input_hash)
        return error_set(error, STATUS_CORRUPT,
                         "batch %" PRIu64 ": the source has other bytes now than when the batch "
                         "was recorded",
                         batch->record.number);
    batch->record.input_hash = input_hash;
    enum status status = dstream_finish(context);
    if (status != STATUS_OK) return mapper_fault(job, status, error);
    // Once it is recorded it can not be made smaller: one reducer may have to hold all of it.
    size_t size = 0;
    for (size_t i = 0; i < context->output_count; i++)
        size += output_size(context->outputs[i]);
    if (!batch->is_recorded && size > MAPPER_SIZE_MAX)
        return error_set(error, STATUS_OVERLOADED,
                         "more than %zu MiB of cells in one batch; make batches smaller",
                         MAPPER_SIZE_MAX / MIB);
    for (size_t i = 0; i < context->output_count; i++)
        output_take_parts(context->outputs[i], JOB_PART_SIZE, mapper_add_part, batch);
    batch->records = context->graph.task.records;
    memcpy(batch->faults, context->graph.task.faults, sizeof batch->faults);
    return STATUS_OK;
}
