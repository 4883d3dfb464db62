#include "stream/job/reducer.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "storage/counter_context.h"
#include "storage/partition_key.h"
#include "stream/job/totals.h"

#include <inttypes.h>
#include <stdlib.h>
#include <xxhash.h>

enum { REDUCER_SLICE_BLOCK_SIZE = 64 * 1024 };

// How soon a write that found no room is tried again. Of several cells some may have found it: that
// is a failure, as is one that lasts; the pauses grow, and after a time it is taken for one.
#define REDUCER_RETRY_NS     (5 * (uint64_t)1000000)
#define REDUCER_RETRY_MAX_NS (320 * (uint64_t)1000000)
#define REDUCER_PATIENCE_NS  (10000 * (uint64_t)1000000)

struct reducer_output {
    struct job_target target; // Slices in the reducer's arena.
    struct uuid counter_id;
    struct totals totals;
    // As of the present run; `table` is a reference.
    const struct table *table;
    uint16_t counter_column;
    struct gather_cells {
        struct combine sums;
        size_t next; // Slot.
    } cells;
};

struct reducer_slice;

struct reducer {
    struct env *env;
    struct coordinator *coordinator;
    const struct engine *engine;
    const struct metadata *metadata;
    struct uuid job;
    struct arena arena; // Of the targets.
    bool is_broken;
    struct reducer_output outputs[OUTPUTS_MAX];
    size_t output_count;
    // Of the totals: their ranges, and how far they are right.
    struct buffer ranges;
    uint64_t valid_through;
    bool complete;
    uint64_t last_used_ns;
    // The last report, of the same ranges, to be given again (rule 6).
    uint64_t reported;
    struct job_report report;

    // The present run.
    bool is_running;
    struct job_task task;
    size_t output; // Whose cells come next.
    struct reducer_slice *slices;
    size_t slice_count;
    struct job_report sum; // The report so far.
    enum status status;    // The first fault; no new slice begins then.
    struct error error;
    void (*done)(void *context, enum status status, const struct error *error,
                 const struct job_report *report);
    void *context;
    struct env_task step;
};

struct reducer_cell {
    struct slice key; // As gathered; owned by the run's sums.
    int64_t sum;
    struct partition_key partition;
    struct clustering clustering;
    struct total total; // Before the batch; then the shard to write.
    bool is_known;
};

//     READING (cell after cell, where totals are not in memory) --> WRITING --> freed
//                                                          ^--no room, later--/
struct reducer_slice {
    struct reducer *reducer;
    struct reducer_slice *next;
    struct reducer_output *output;
    struct arena arena;
    struct reducer_cell cells[REDUCER_SLICE_CELLS];
    size_t count, next_read;
    struct coordinator_read read;
    struct clustering_range range;
    struct total found;
    struct coordinator_write write;
    struct env_timer retry;
    uint64_t retry_ns, failed_since_ns; // Since its first failure; 0: none.
};

struct uuid reducer_counter_id(struct uuid job, uint64_t output)
{
    uint8_t name[sizeof job.bytes + 8], hash[16];
    memcpy(name, job.bytes, sizeof job.bytes);
    bytes_put_u64(name + sizeof job.bytes, output);
    XXH128_canonicalFromHash((XXH128_canonical_t *)(void *)hash, XXH3_128bits(name, sizeof name));
    return uuid_make_hash(hash);
}

struct reducer *reducer_create(struct env *env, struct coordinator *coordinator,
                               const struct engine *engine, const struct metadata *metadata,
                               struct uuid job)
{
    struct reducer *reducer = calloc(1, sizeof *reducer);
    ASSERT(reducer != NULL);
    reducer->env = env;
    reducer->coordinator = coordinator;
    reducer->engine = engine;
    reducer->metadata = metadata;
    reducer->job = job;
    reducer->valid_through = UINT64_MAX; // Nothing is valid.
    arena_init(&reducer->arena, 1024);
    buffer_init(&reducer->ranges, (size_t)JOB_PLACES_MAX * JOB_RANGE_SIZE);
    for (size_t i = 0; i < OUTPUTS_MAX; i++) {
        totals_init(&reducer->outputs[i].totals);
        combine_init(&reducer->outputs[i].cells.sums);
        reducer->outputs[i].counter_id = reducer_counter_id(job, i);
    }
    reducer->last_used_ns = env_monotonic_ns(env);
    return reducer;
}

void reducer_destroy(struct reducer *reducer)
{
    ASSERT(!reducer->is_running);
    reducer_abandon(reducer);
}

void reducer_abandon(struct reducer *reducer)
{
    for (size_t i = 0; i < OUTPUTS_MAX; i++) {
        totals_deinit(&reducer->outputs[i].totals);
        combine_deinit(&reducer->outputs[i].cells.sums);
        table_unref(reducer->outputs[i].table);
    }
    while (reducer->slices != NULL) {
        struct reducer_slice *slice = reducer->slices;
        reducer->slices = slice->next;
        coordinator_read_abandon(&slice->read);
        arena_deinit(&slice->arena);
        free(slice);
    }
    arena_deinit(&reducer->arena);
    buffer_deinit(&reducer->ranges);
    free(reducer);
}

void reducer_set_targets(struct reducer *reducer, const struct job_target *targets, size_t count)
{
    if (reducer->is_running) return;
    arena_reset(&reducer->arena);
    reducer->output_count = count;
    for (size_t i = 0; i < count; i++) {
        struct job_target *target = &reducer->outputs[i].target;
        *target = targets[i];
        target->keyspace = arena_copy(&reducer->arena, targets[i].keyspace);
        target->table = arena_copy(&reducer->arena, targets[i].table);
        for (size_t j = 0; j < target->column_count; j++)
            target->columns[j] = arena_copy(&reducer->arena, targets[i].columns[j]);
    }
}

bool reducer_is_running(const struct reducer *reducer)
{
    return reducer->is_running;
}

bool reducer_is_broken(const struct reducer *reducer)
{
    return reducer->is_broken;
}

uint64_t reducer_last_used_ns(const struct reducer *reducer)
{
    return reducer->last_used_ns;
}

// ---- Totals ------------------------------------------------------------------------------------

static void reducer_drop_totals(struct reducer *reducer)
{
    for (size_t i = 0; i < OUTPUTS_MAX; i++)
        totals_deinit(&reducer->outputs[i].totals);
    reducer->complete = false;
}

static bool reducer_has_same_ranges(const struct reducer *reducer, const struct job_task *task)
{
    return reducer->ranges.size == task->ranges.size &&
           (task->ranges.size == 0 ||
            memcmp(reducer->ranges.data, task->ranges.data, task->ranges.size) == 0);
}

// Rule 6, on TASK n. For each set of ranges, not for each node (H2b): batch n - 1 of other ranges
// was none of these.
static void reducer_begin_totals(struct reducer *reducer, const struct job_task *task)
{
    uint64_t number = task->number;
    bool same_ranges = reducer_has_same_ranges(reducer, task);
    if (reducer->valid_through != number - 1 || !same_ranges) {
        reducer_drop_totals(reducer);
        reducer->complete = number == 1;
    }
    if (!same_ranges) {
        reducer->reported = 0;
        buffer_clear(&reducer->ranges);
        if (task->ranges.size > 0)
            buffer_put(&reducer->ranges, task->ranges.data, task->ranges.size);
    }
    size_t size = 0;
    for (size_t i = 0; i < reducer->output_count; i++)
        size += totals_size(&reducer->outputs[i].totals);
    if (size > REDUCER_TOTALS_MAX) reducer_drop_totals(reducer);
    reducer->valid_through = number - 1;
}

// ---- The end of a run --------------------------------------------------------------------------

static void reducer_end(struct reducer *reducer)
{
    ASSERT(reducer->slice_count == 0);
    for (size_t i = 0; i < OUTPUTS_MAX; i++) {
        struct reducer_output *output = &reducer->outputs[i];
        table_unref(output->table);
        output->table = NULL;
        combine_deinit(&output->cells.sums);
    }
    reducer->is_running = false;
    reducer->last_used_ns = env_monotonic_ns(reducer->env);
    if (reducer->status == STATUS_OK) { // Rule 11.
        ASSERT(reducer->valid_through == reducer->task.number - 1);
        reducer->valid_through = reducer->task.number;
        reducer->reported = reducer->task.number;
        reducer->report = reducer->sum;
    }
    reducer->done(reducer->context, reducer->status, &reducer->error, &reducer->report);
}

static void reducer_fail(struct reducer *reducer, enum status status, const char *text)
{
    if (reducer->status != STATUS_OK) return;
    reducer->status =
        error_set(&reducer->error, status, "batch %" PRIu64 ": %s", reducer->task.number, text);
}

void reducer_give_up(struct reducer *reducer)
{
    if (reducer->is_running) reducer_fail(reducer, STATUS_CANCELED, "the node stops");
}

static void reducer_break(struct reducer *reducer)
{
    reducer->is_broken = true;
    reducer_fail(reducer, STATUS_INVALID,
                 "it gave other sums when it ran before: the job's code does not give the same for "
                 "the same input; the job is broken");
}

static void reducer_step(struct env_task *task);

static void reducer_end_slice(struct reducer_slice *slice)
{
    struct reducer *reducer = slice->reducer;
    struct reducer_slice **place = &reducer->slices;
    while (*place != slice)
        place = &(*place)->next;
    *place = slice->next;
    reducer->slice_count--;
    arena_deinit(&slice->arena);
    free(slice);
    env_task_post(reducer->env, &reducer->step, reducer_step);
}

// ---- What the log knows ------------------------------------------------------------------------

static enum status reducer_check_record(const struct reducer *reducer, const struct job_task *task,
                                        struct error *error)
{
    const struct job *job = jobs_find(metadata_jobs(reducer->metadata), reducer->job);
    if (job == NULL) return error_set(error, STATUS_NOT_FOUND, "there is no such job");
    if (job->state != JOB_OPEN)
        return error_set(error, STATUS_CONFLICT, "the job is %s", jobs_state_text(job->state));
    const struct job_batch *batch = NULL;
    for (size_t i = 0; i < job->batch_count; i++)
        if (job->batches[i].number == task->number) batch = &job->batches[i];
    if (batch == NULL || batch->timestamp_us != task->timestamp_us)
        return error_set(error, STATUS_CONFLICT,
                         "batch %" PRIu64 " is not recorded so, or done: another worker runs "
                         "this job",
                         task->number);
    // Rule 5, with one batch at a time. What the log knows counts as well as what the worker says.
    uint64_t done = task->done_through > job->done_through ? task->done_through : job->done_through;
    if (done != task->number - 1)
        return error_set(error, STATUS_CONFLICT,
                         "batch %" PRIu64 " comes before batch %" PRIu64 " is done", task->number,
                         task->number - 1);
    return STATUS_OK;
}

// ---- Writing -----------------------------------------------------------------------------------

static void reducer_write(struct reducer_slice *slice);

static void reducer_retry(struct env_timer *timer)
{
    struct reducer_slice *slice = CONTAINER_OF(timer, struct reducer_slice, retry);
    if (slice->reducer->status == STATUS_OK)
        reducer_write(slice);
    else
        reducer_end_slice(slice);
}

// The same shards once more, unless it has failed for long.
static bool reducer_try_again(struct reducer_slice *slice)
{
    struct env *env = slice->reducer->env;
    uint64_t now = env_monotonic_ns(env);
    if (slice->failed_since_ns == 0) {
        slice->failed_since_ns = now;
        slice->retry_ns = REDUCER_RETRY_NS;
    }
    if (now - slice->failed_since_ns > REDUCER_PATIENCE_NS) return false;
    env_timer_start(env, &slice->retry, slice->retry_ns, reducer_retry);
    slice->retry_ns =
        slice->retry_ns * 2 > REDUCER_RETRY_MAX_NS ? REDUCER_RETRY_MAX_NS : slice->retry_ns * 2;
    return true;
}

static void reducer_written(struct coordinator_write *write,
                            const struct coordinator_result *result)
{
    struct reducer_slice *slice = CONTAINER_OF(write, struct reducer_slice, write);
    switch (result->outcome) {
    case COORDINATOR_OK:
        break;
    case COORDINATOR_OVERLOADED:
        if (slice->reducer->status != STATUS_OK) break;
        env_timer_start(slice->reducer->env, &slice->retry, REDUCER_RETRY_NS, reducer_retry);
        return;
    case COORDINATOR_UNAVAILABLE:
        reducer_fail(slice->reducer, STATUS_TIMED_OUT, "too few replicas are alive for QUORUM");
        break;
    case COORDINATOR_TIMED_OUT:
        reducer_fail(slice->reducer, STATUS_TIMED_OUT, "too few replicas answered in time");
        break;
    case COORDINATOR_FAILED:
        if (slice->reducer->status == STATUS_OK && reducer_try_again(slice)) return;
        reducer_fail(slice->reducer, STATUS_IO, "a replica failed to write");
        break;
    }
    reducer_end_slice(slice);
}

// Not when the job has ended meanwhile: its table may have been emptied.
static bool reducer_may_write(struct reducer *reducer)
{
    struct error error;
    enum status status = reducer_check_record(reducer, &reducer->task, &error);
    if (status != STATUS_OK && reducer->status == STATUS_OK) {
        reducer->status = status;
        reducer->error = error;
    }
    return status == STATUS_OK;
}

// Rules 8 and 9: the shard of each cell, also of one that was found at clock n or beyond.
static void reducer_write(struct reducer_slice *slice)
{
    struct reducer *reducer = slice->reducer;
    struct reducer_output *output = slice->output;
    if (!reducer_may_write(reducer)) {
        reducer_end_slice(slice);
        return;
    }
    struct arena arena;
    arena_init(&arena, REDUCER_SLICE_BLOCK_SIZE);
    struct mutation *mutations = ARENA_NEW_ARRAY(&arena, struct mutation, slice->count);
    struct row *rows = ARENA_NEW_ARRAY(&arena, struct row, slice->count);
    struct cell *cells = ARENA_NEW_ARRAY(&arena, struct cell, slice->count);
    uint8_t *contexts = arena_alloc(&arena, slice->count * COUNTER_SINGLE_SHARD_SIZE);
    for (size_t i = 0; i < slice->count; i++) {
        const struct reducer_cell *from = &slice->cells[i];
        uint8_t *context = contexts + i * COUNTER_SINGLE_SHARD_SIZE;
        counter_context_make_global(output->counter_id, (int64_t)from->total.clock,
                                    from->total.count, context);
        cells[i] = (struct cell){
            .column = output->counter_column,
            .ttl = TTL_NONE,
            .local_time = LOCAL_TIME_NONE,
            .timestamp = reducer->task.timestamp_us, // Rule 13: the same bytes from everyone.
            .value = slice_make(context, COUNTER_SINGLE_SHARD_SIZE),
            .path = slice_null(),
        };
        rows[i] = (struct row){
            .clustering = from->clustering,
            .liveness = LIVENESS_NONE,
            .deletion = DELETION_NONE,
            .cell_count = 1,
            .cells = &cells[i],
        };
        mutations[i] = (struct mutation){
            .table = output->table,
            .key = from->partition,
            .deletion = DELETION_NONE,
            .rows = &rows[i],
            .row_count = 1,
        };
    }
    // The write is applied here inside the call.
    uint64_t conflicts = engine_conflict_count(reducer->engine);
    coordinator_write_start(reducer->coordinator, &slice->write, mutations, slice->count,
                            CONSISTENCY_QUORUM, reducer_written);
    if (engine_conflict_count(reducer->engine) != conflicts) reducer_break(reducer);
    arena_deinit(&arena);
}

static void reducer_report_cell(struct job_report *report, size_t output, struct slice key,
                                int64_t sum)
{
    report->hash += checksum_xxh3(key, (uint64_t)sum ^ (uint64_t)output << 56);
    report->cells++;
}

// Rule 8. The total is noted as of this batch before the shard is sent; a failed write leaves it.
static void reducer_compute(struct reducer_slice *slice)
{
    struct reducer *reducer = slice->reducer;
    uint64_t number = reducer->task.number;
    for (size_t i = 0; i < slice->count; i++) {
        struct reducer_cell *cell = &slice->cells[i];
        ASSERT(cell->is_known);
        env_mark(reducer->env,
                 cell->total.clock < number ? ENV_MARK_CELL_COMPUTED : ENV_MARK_CELL_WRITTEN_BACK);
        if (cell->total.clock < number) {
            cell->total.count = (int64_t)((uint64_t)cell->total.count + (uint64_t)cell->sum);
            cell->total.clock = number;
        }
        totals_put(&slice->output->totals, cell->key, cell->total);
        reducer_report_cell(&reducer->sum, (size_t)(slice->output - reducer->outputs), cell->key,
                            cell->sum);
    }
    reducer_write(slice);
}

// ---- Reading totals ----------------------------------------------------------------------------

static void reducer_read_next(struct reducer_slice *slice);

static void reducer_read_restart(struct coordinator_read *read)
{
    CONTAINER_OF(read, struct reducer_slice, read)->found = (struct total){0, 0};
}

static void reducer_look_at_row(struct reducer_slice *slice, const struct row *row)
{
    struct counter_shard shard;
    for (uint32_t i = 0; i < row->cell_count; i++) {
        const struct cell *cell = &row->cells[i];
        if (cell->column != slice->output->counter_column || cell_is_tombstone(cell)) continue;
        if (counter_context_is_valid(cell->value) &&
            counter_context_find(cell->value, slice->output->counter_id, &shard))
            slice->found = (struct total){(uint64_t)shard.clock, shard.count};
    }
}

static enum status reducer_consume(struct coordinator_read *read,
                                   struct partition_iterator *partition, bool *enough)
{
    struct reducer_slice *slice = CONTAINER_OF(read, struct reducer_slice, read);
    struct unfiltered unfiltered;
    enum status status;
    while ((status = partition_iterator_next(partition, &unfiltered)) == STATUS_OK)
        if (!unfiltered.is_marker) reducer_look_at_row(slice, unfiltered.row);
    *enough = true;
    return status == STATUS_END ? STATUS_OK : status;
}

static void reducer_was_read(struct coordinator_read *read, const struct coordinator_result *result)
{
    struct reducer_slice *slice = CONTAINER_OF(read, struct reducer_slice, read);
    struct reducer *reducer = slice->reducer;
    if (result->outcome == COORDINATOR_OK) {
        struct reducer_cell *cell = &slice->cells[slice->next_read];
        cell->total = slice->found;
        cell->is_known = true;
        env_mark(reducer->env, ENV_MARK_CELL_READ);
    } else {
        reducer_fail(reducer, result->outcome == COORDINATOR_FAILED ? STATUS_IO : STATUS_TIMED_OUT,
                     "a total could not be read at QUORUM");
    }
    if (reducer->status == STATUS_OK)
        reducer_read_next(slice);
    else
        reducer_end_slice(slice);
}

// Reads the next total that is not in memory; when all are known, goes on.
static void reducer_read_next(struct reducer_slice *slice)
{
    struct reducer *reducer = slice->reducer;
    while (slice->next_read < slice->count && slice->cells[slice->next_read].is_known)
        slice->next_read++;
    if (slice->next_read == slice->count) {
        reducer_compute(slice);
        return;
    }
    struct reducer_cell *cell = &slice->cells[slice->next_read];
    slice->found = (struct total){0, 0};
    slice->range = (struct clustering_range){{BOUND_INCL_START, cell->clustering},
                                             {BOUND_INCL_END, cell->clustering}};
    slice->read = (struct coordinator_read){
        .restart = reducer_read_restart,
        .consume = reducer_consume,
        .table = slice->output->table,
        .keys = &cell->partition,
        .key_count = 1,
        .filter = {.ranges = &slice->range, .range_count = 1},
        .now_s = (int32_t)(env_wall_us(reducer->env) / 1000000),
    };
    coordinator_read_start(reducer->coordinator, &slice->read, CONSISTENCY_QUORUM,
                           reducer_was_read);
}

// ---- Slices ------------------------------------------------------------------------------------

// The places of a cell's key: what a worker sends is checked as a client's statement would be.
static bool reducer_read_key(struct reducer_slice *slice, struct reducer_cell *cell,
                             struct error *error)
{
    const struct table *table = slice->output->table;
    struct cursor cursor = cursor_make(cell->key);
    struct slice key = cursor_vint_bytes(&cursor), parts[OUTPUT_COLUMNS_MAX];
    size_t part_count = table->column_counts[COLUMN_PARTITION_KEY];
    if (cursor.failed || key.size == 0 || key.size > KEY_SIZE_MAX ||
        partition_key_split(key, part_count, parts) != STATUS_OK)
        return false;
    for (size_t i = 0; i < part_count; i++)
        if (type_validate(table->columns[COLUMN_PARTITION_KEY][i].type, parts[i], error) !=
            STATUS_OK)
            return false;
    uint16_t count = table->column_counts[COLUMN_CLUSTERING];
    struct slice *values = ARENA_NEW_ARRAY(&slice->arena, struct slice, count);
    for (uint16_t i = 0; i < count; i++) {
        values[i] = cursor_vint_bytes(&cursor);
        if (values[i].size > KEY_SIZE_MAX ||
            type_validate(table->columns[COLUMN_CLUSTERING][i].type, values[i], error) != STATUS_OK)
            return false;
    }
    cell->partition = partition_key_make(key);
    cell->clustering = (struct clustering){count, values};
    // Rule 4: a cell that is another reducer's would be computed twice.
    return !cursor.failed && cursor_left(&cursor) == 0 &&
           job_ranges_have(slice->reducer->task.ranges, cell->partition.token);
}

// The next cells of the present output.
static void reducer_start_slice(struct reducer *reducer)
{
    struct reducer_output *output = &reducer->outputs[reducer->output];
    struct reducer_slice *slice = calloc(1, sizeof *slice);
    ASSERT(slice != NULL);
    slice->reducer = reducer;
    slice->output = output;
    arena_init(&slice->arena, REDUCER_SLICE_BLOCK_SIZE);
    slice->next = reducer->slices;
    reducer->slices = slice;
    reducer->slice_count++;
    while (output->cells.next < output->cells.sums.capacity && slice->count < REDUCER_SLICE_CELLS) {
        const struct combine_slot *slot = &output->cells.sums.slots[output->cells.next++];
        if (slice_is_null(slot->key)) continue;
        struct reducer_cell *cell = &slice->cells[slice->count++];
        cell->key = slot->key;
        cell->sum = slot->value.integer;
        struct error error = {.text = "a key that does not fit the table"};
        if (!reducer_read_key(slice, cell, &error)) {
            reducer_fail(reducer, STATUS_INVALID, error.text);
            reducer_end_slice(slice);
            return;
        }
        bool is_held = totals_find(&output->totals, cell->key, &cell->total);
        cell->is_known = is_held || reducer->complete;
        if (is_held) env_mark(reducer->env, ENV_MARK_CELL_IN_MEMORY);
        if (!is_held && cell->is_known) env_mark(reducer->env, ENV_MARK_CELL_FIRST);
    }
    reducer_read_next(slice);
}

static bool reducer_has_cells(struct reducer *reducer)
{
    while (reducer->output < reducer->output_count) {
        struct gather_cells *cells = &reducer->outputs[reducer->output].cells;
        while (cells->next < cells->sums.capacity &&
               slice_is_null(cells->sums.slots[cells->next].key))
            cells->next++;
        if (cells->next < cells->sums.capacity) return true;
        reducer->output++;
    }
    return false;
}

static void reducer_step(struct env_task *task)
{
    struct reducer *reducer = CONTAINER_OF(task, struct reducer, step);
    bool may_start = reducer->status == STATUS_OK && reducer_has_cells(reducer);
    if (may_start && reducer->slice_count < REDUCER_SLICES_MAX) {
        // One a turn: posting itself, this task runs again after others had theirs.
        env_task_post(reducer->env, &reducer->step, reducer_step);
        reducer_start_slice(reducer);
        return;
    }
    if (reducer->slice_count == 0) reducer_end(reducer);
}

// ---- A task ------------------------------------------------------------------------------------

static enum status reducer_bind_output(struct reducer *reducer, struct reducer_output *output,
                                       struct error *error)
{
    const struct job_target *target = &output->target;
    const struct table *table =
        schema_find_table(metadata_schema(reducer->metadata), target->keyspace, target->table);
    if (table == NULL)
        return error_set(error, STATUS_INVALID, "table %.*s.%.*s does not exist",
                         (int)target->keyspace.size, target->keyspace.data, (int)target->table.size,
                         target->table.data);
    // A table that was made anew under the same name has none of the job's counts.
    const struct job *job = jobs_find(metadata_jobs(reducer->metadata), reducer->job);
    size_t ordinal = (size_t)(output - reducer->outputs);
    if (job == NULL || ordinal >= job->output_count ||
        !uuid_equals(job->outputs[ordinal].table, table->id))
        return error_set(error, STATUS_INVALID,
                         "table %.*s.%.*s is another one than when the job began",
                         (int)target->keyspace.size, target->keyspace.data, (int)target->table.size,
                         target->table.data);
    struct output_column columns[OUTPUT_COLUMNS_MAX];
    enum status status = output_roles(table, target->columns, target->column_count, columns, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < target->column_count; i++)
        if (columns[i].role == OUTPUT_COUNTER) output->counter_column = columns[i].index;
    table_unref(output->table);
    table_ref(table);
    output->table = table;
    return STATUS_OK;
}

static void reducer_repeat_report(struct env_task *step)
{
    struct reducer *reducer = CONTAINER_OF(step, struct reducer, step);
    reducer->is_running = false;
    env_mark(reducer->env, ENV_MARK_REPORT_REPEATED);
    reducer->done(reducer->context, reducer->status, &reducer->error, &reducer->report);
}

static bool reducer_has_reported(const struct reducer *reducer, const struct gather *gather)
{
    struct job_report report = {0, 0};
    for (size_t i = 0; i < OUTPUTS_MAX; i++) {
        const struct combine *sums = &gather->sums[i];
        for (size_t slot = 0; sums->count > 0 && slot < sums->capacity; slot++)
            if (!slice_is_null(sums->slots[slot].key))
                reducer_report_cell(&report, i, sums->slots[slot].key,
                                    sums->slots[slot].value.integer);
    }
    return report.hash == reducer->report.hash && report.cells == reducer->report.cells;
}

// Rule 6: what this process has reported it reports again.
static void reducer_run_again(struct reducer *reducer, struct gather *gather)
{
    reducer->status = STATUS_OK;
    if (!reducer_has_reported(reducer, gather)) reducer_break(reducer);
    gather_clear(gather);
    env_task_post(reducer->env, &reducer->step, reducer_repeat_report);
}

enum status reducer_run(struct reducer *reducer, const struct job_task *task, struct gather *gather,
                        void (*done)(void *context, enum status status, const struct error *error,
                                     const struct job_report *report),
                        void *context, struct error *error)
{
    if (reducer->is_running)
        return error_set(error, STATUS_IN_USE, "another task of this job is still under way");
    if (reducer->reported != 0 && reducer->reported == task->number &&
        reducer_has_same_ranges(reducer, task)) {
        reducer->is_running = true;
        reducer->task = *task;
        reducer->task.ranges = buffer_slice(&reducer->ranges);
        reducer->done = done;
        reducer->context = context;
        reducer_run_again(reducer, gather);
        return STATUS_OK;
    }
    enum status status = reducer_check_record(reducer, task, error);
    for (size_t i = 0; i < reducer->output_count && status == STATUS_OK; i++)
        status = reducer_bind_output(reducer, &reducer->outputs[i], error);
    if (status != STATUS_OK) return status;
    for (size_t i = reducer->output_count; i < OUTPUTS_MAX; i++)
        if (gather->sums[i].count > 0)
            return error_set(error, STATUS_INVALID, "sums of an output that the job has not");

    reducer_begin_totals(reducer, task);
    reducer->is_running = true;
    reducer->task = *task;
    reducer->task.ranges = buffer_slice(&reducer->ranges);
    reducer->output = 0;
    reducer->sum = (struct job_report){0, 0};
    reducer->status = STATUS_OK;
    reducer->done = done;
    reducer->context = context;
    for (size_t i = 0; i < reducer->output_count; i++) {
        struct gather_cells *cells = &reducer->outputs[i].cells;
        ASSERT(cells->sums.count == 0);
        struct combine empty = cells->sums; // Swapped: the run owns the sums now.
        cells->sums = gather->sums[i];
        gather->sums[i] = empty;
        cells->next = 0;
    }
    gather_clear(gather);
    env_task_post(reducer->env, &reducer->step, reducer_step);
    return STATUS_OK;
}
