// The messages between workers and nodes, and the records of a graph, as bytes: u8 which | bytes.
// What is read and written again is read as the same.
#include "stream/dataset/dataset.h"
#include "stream/job/gather.h"
#include "stream/job/job_protocol.h"
#include "tests/fuzz/targets.h"

#include <stdlib.h>

static void check_part(struct cursor *bytes)
{
    struct job_part part;
    if (!job_take_part(bytes, &part)) return;
    struct gather *gather = malloc(sizeof *gather);
    struct error error;
    gather_init(gather);
    if (gather_add(gather, &part, &error) == STATUS_OK)
        ASSERT(gather_add(gather, &part, &error) == STATUS_OK);
    gather_deinit(gather);
    free(gather);
}

static void check_records(struct cursor *bytes)
{
    struct arena arena;
    arena_init(&arena, 4096);
    struct record record, again;
    struct buffer copy;
    buffer_init(&copy, 1 << 24);
    while (dataset_take_record(bytes, &arena, &record)) {
        buffer_clear(&copy);
        dataset_put_record(&copy, &record);
        struct cursor cursor = cursor_make(buffer_slice(&copy));
        ASSERT(dataset_take_record(&cursor, &arena, &again));
        ASSERT(again.count == record.count);
        for (size_t i = 0; i < record.count; i++)
            value_put_text(&copy, &record.values[i]);
    }
    buffer_deinit(&copy);
    arena_deinit(&arena);
}

static void check_job(struct cursor *bytes)
{
    static struct job job;
    static struct job_batch batches[JOB_BATCHES_MAX];
    if (!job_take_job(bytes, &job, batches, JOB_BATCHES_MAX)) return;
    ASSERT(job.source_count <= JOB_SOURCES_MAX && memchr(job.name, 0, sizeof job.name) != NULL);
}

FUZZ_TARGET(job_protocol)
{
    struct cursor cursor = cursor_make(input);
    static struct job_submission submission;
    struct job_script script;
    struct job_batch batch;
    struct job_task task;
    struct error error;
    uint32_t source_count;
    switch (cursor_u8(&cursor) % 7) {
    case 0:
        (void)job_take_submission(&cursor, &submission, &script);
        break;
    case 1:
        if (job_take_batch(&cursor, &batch, &source_count)) ASSERT(source_count <= JOB_SOURCES_MAX);
        break;
    case 2:
        (void)job_take_task(&cursor, &task);
        break;
    case 3:
        check_part(&cursor);
        break;
    case 4:
        check_job(&cursor);
        break;
    case 5:
        (void)!job_take_answer(&cursor, &error);
        break;
    default:
        check_records(&cursor);
    }
}
