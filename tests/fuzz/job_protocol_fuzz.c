// The messages between workers and nodes, and the records of a graph, as bytes: u8 which | bytes.
// What is read and written again is read as the same.
#include "stream/dataset/dataset.h"
#include "stream/job/cut.h"
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

// A task with its ranges and targets.
static void check_task(struct cursor *bytes)
{
    struct job_task task;
    static struct job_target targets[OUTPUTS_MAX];
    size_t count;
    if (!job_take_task(bytes, &task)) return;
    for (int64_t token = -3; token <= 3; token++)
        (void)job_ranges_have(task.ranges, (struct token){token});
    ASSERT(!job_ranges_have(task.ranges, (struct token){INT64_MAX}) || task.ranges.size % 16 == 0);
    if (job_take_targets(bytes, targets, &count)) ASSERT(count <= OUTPUTS_MAX);
}

// What a node says of its ring: every token is one reducer's.
static void check_ring(struct cursor *bytes)
{
    static struct job_ring ring;
    static struct cut cut;
    if (!job_take_ring(bytes, &ring)) return;
    cut_make(&cut, &ring, 5);
    ASSERT(cut_has(&cut, cut_find(&cut, (struct token){0})));
    struct buffer ranges;
    buffer_init(&ranges, (size_t)JOB_PLACES_MAX * JOB_RANGE_SIZE);
    cut_put_ranges(&cut, cut_find(&cut, (struct token){0}), &ranges);
    ASSERT(job_ranges_have(buffer_slice(&ranges), (struct token){0}));
    buffer_deinit(&ranges);
}

FUZZ_TARGET(job_protocol)
{
    struct cursor cursor = cursor_make(input);
    static struct job_submission submission;
    struct job_script script;
    struct job_batch batch;
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
        check_task(&cursor);
        break;
    case 3:
        check_part(&cursor);
        break;
    case 4:
        check_job(&cursor);
        cursor = cursor_make(input);
        (void)cursor_u8(&cursor);
        check_ring(&cursor);
        break;
    case 5:
        (void)!job_take_answer(&cursor, &error);
        break;
    default:
        check_records(&cursor);
    }
}
