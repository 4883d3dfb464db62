// AUDIT: are a job's counts what its batches added? (exactly-once.md §2.5)
//
// Each record of a batch has the sum of all that the job has counted so far. A scan of its tables
// at QUORUM, while no batch is under way, must give the same, by the shards of its counter ids
// alone: one number that catches every cell that was lost or counted twice.
//
//     for each output: page, page, … --> all pages are read, and the job has not moved: the answer
#include "stream/job/job_service_state.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "storage/counter_context.h"

#include <stdlib.h>

// What one read of a page looks at, about.
enum { JOB_AUDIT_ROWS = 5000 };

struct job_audit {
    struct job_service_operation *operation;
    uint64_t last_batch; // When it began.
    size_t output;
    const struct table *table; // A reference.
    uint16_t column;
    struct uuid counter_id;
    uint64_t sum, cells;
    struct coordinator_read read;
    struct clustering_range all;
    struct buffer after; // The key of the last partition of the page before.
    // The present page.
    uint64_t page_sum, page_cells, page_rows;
    struct buffer page_key;
    bool is_full;
};

static void job_audit_go_on(struct job_audit *audit);

void job_audit_free(struct job_audit *audit)
{
    if (audit == NULL) return;
    coordinator_read_abandon(&audit->read);
    table_unref(audit->table);
    buffer_deinit(&audit->after);
    buffer_deinit(&audit->page_key);
    free(audit);
}

static void job_audit_end(struct job_audit *audit, enum status status, const char *text)
{
    struct job_service_operation *operation = audit->operation;
    operation->audit = NULL;
    job_audit_free(audit);
    job_service_finish_with(operation, status, text);
}

// ---- A page ------------------------------------------------------------------------------------

static void job_audit_restart(struct coordinator_read *read)
{
    struct job_audit *audit = CONTAINER_OF(read, struct job_audit, read);
    audit->page_sum = audit->page_cells = audit->page_rows = 0;
    audit->is_full = false;
    buffer_clear(&audit->page_key);
}

static void job_audit_look_at_row(struct job_audit *audit, const struct row *row)
{
    struct counter_shard shard;
    audit->page_rows++;
    for (uint32_t i = 0; i < row->cell_count; i++) {
        const struct cell *cell = &row->cells[i];
        if (cell->column != audit->column || cell_is_tombstone(cell) ||
            !counter_context_is_valid(cell->value) ||
            !counter_context_find(cell->value, audit->counter_id, &shard))
            continue;
        audit->page_sum += (uint64_t)shard.count;
        audit->page_cells++;
    }
}

static enum status job_audit_consume(struct coordinator_read *read,
                                     struct partition_iterator *partition, bool *enough)
{
    struct job_audit *audit = CONTAINER_OF(read, struct job_audit, read);
    struct unfiltered unfiltered;
    enum status status;
    while ((status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK)
        if (!unfiltered.is_marker) job_audit_look_at_row(audit, unfiltered.row);
    if (status != STATUS_END) return status;
    buffer_clear(&audit->page_key);
    buffer_put(&audit->page_key, partition->key.bytes.data, partition->key.bytes.size);
    audit->is_full = *enough = audit->page_rows >= JOB_AUDIT_ROWS;
    return STATUS_OK;
}

static void job_audit_was_read(struct coordinator_read *read,
                               const struct coordinator_result *result)
{
    struct job_audit *audit = CONTAINER_OF(read, struct job_audit, read);
    if (result->outcome != COORDINATOR_OK) {
        job_audit_end(audit, STATUS_TIMED_OUT, "the table could not be read at QUORUM");
        return;
    }
    audit->sum += audit->page_sum;
    audit->cells += audit->page_cells;
    buffer_clear(&audit->after);
    buffer_put(&audit->after, audit->page_key.data, audit->page_key.size);
    if (!audit->is_full) {
        table_unref(audit->table);
        audit->table = NULL;
        audit->output++;
        buffer_clear(&audit->after);
    }
    job_audit_go_on(audit);
}

static void job_audit_read_page(struct job_audit *audit)
{
    audit->all = CLUSTERING_RANGE_ALL;
    audit->read = (struct coordinator_read){
        .restart = job_audit_restart,
        .consume = job_audit_consume,
        .table = audit->table,
        .range = SCAN_RANGE_ALL,
        .row_max = JOB_AUDIT_ROWS,
        .filter = {.ranges = &audit->all, .range_count = 1},
        .now_s = (int32_t)(env_wall_us(audit->operation->service->env) / 1000000),
    };
    if (audit->after.size > 0) {
        struct partition_key key = partition_key_make(buffer_slice(&audit->after));
        audit->read.range.start = (struct scan_bound){key.token, key.bytes, false};
    }
    job_audit_restart(&audit->read);
    coordinator_read_start(audit->operation->service->options.coordinator, &audit->read,
                           CONSISTENCY_QUORUM, job_audit_was_read);
}

// ---- The outputs, one after the other ----------------------------------------------------------

static bool job_audit_find_column(struct job_audit *audit, uint64_t hash)
{
    const struct table *table = audit->table;
    for (uint16_t i = 0; i < table->column_counts[COLUMN_REGULAR]; i++) {
        const struct column *column = &table->columns[COLUMN_REGULAR][i];
        if (jobs_hash_column(column->name) != hash) continue;
        audit->column = column->index;
        return true;
    }
    return false;
}

static bool job_audit_find_output(struct job_audit *audit, const struct job *job)
{
    const struct metadata *metadata = audit->operation->service->options.metadata;
    const struct job_output *output = &job->outputs[audit->output];
    const struct table *table = schema_find_table_by_id(metadata_schema(metadata), output->table);
    if (table == NULL) return false;
    table_ref(table);
    audit->table = table;
    audit->counter_id = reducer_counter_id(job->id, audit->output);
    return job_audit_find_column(audit, output->column_hash);
}

static void job_audit_answer(struct job_audit *audit, const struct job *job)
{
    struct job_service_operation *operation = audit->operation;
    if (operation->connection != NULL) {
        struct buffer answer;
        buffer_init(&answer, JOB_SERVICE_ANSWER_MAX);
        job_put_answer(&answer, STATUS_OK, "");
        buffer_put_u64(&answer, job->grand_total);
        buffer_put_u64(&answer, audit->sum);
        buffer_put_vint(&answer, audit->cells);
        job_service_answer(operation->connection, operation->id, &answer);
        buffer_deinit(&answer);
    }
    operation->audit = NULL;
    job_audit_free(audit);
    job_service_finish(operation);
}

static void job_audit_go_on(struct job_audit *audit)
{
    struct job_service_operation *operation = audit->operation;
    const struct job *job = jobs_find(job_service_jobs(operation->service), operation->job);
    if (operation->service->is_closing || operation->connection == NULL)
        job_audit_end(audit, STATUS_CANCELED, "nobody waits for it");
    else if (job == NULL || job->last_batch != audit->last_batch ||
             job->done_through != job->last_batch)
        job_audit_end(audit, STATUS_IN_USE, "the job is at work: try again when it rests");
    else if (audit->output == job->output_count)
        job_audit_answer(audit, job);
    else if (audit->table == NULL && !job_audit_find_output(audit, job))
        job_audit_end(audit, STATUS_NOT_FOUND, "a table of the job, or its counter, was dropped");
    else
        job_audit_read_page(audit);
}

static void job_audit_run(struct job_service_operation *operation, struct cursor *bytes)
{
    const struct job *job = job_records_find(operation->service, cursor_vint_bytes(bytes));
    if (bytes->failed || cursor_left(bytes) > 0 || job == NULL) {
        job_service_finish_with(operation, STATUS_NOT_FOUND, "there is no such job");
        return;
    }
    struct job_audit *audit = calloc(1, sizeof *audit);
    ASSERT(audit != NULL);
    audit->operation = operation;
    audit->last_batch = job->last_batch;
    buffer_init(&audit->after, KEY_SIZE_MAX);
    buffer_init(&audit->page_key, KEY_SIZE_MAX);
    operation->job = job->id;
    operation->audit = audit;
    job_audit_go_on(audit);
}

void job_audit_request(struct job_service *service, struct transport_connection *connection,
                       uint64_t id, struct slice request)
{
    struct job_service_operation *operation = job_service_begin(service, connection, id);
    operation->is_task = true; // Lists do not wait for it.
    job_service_catch_up(operation, request, job_audit_run);
}
