#include "storage/compaction/compaction_task.h"

#include "base/assert.h"
#include "storage/compaction/compaction_input.h"
#include "storage/compaction/output_sizes.h"
#include "storage/sstable/sstable_writer.h"

#include <stdlib.h>

enum { TASK_BLOCK_SIZE = 16 * 1024 };

enum task_state {
    TASK_CREATED,
    TASK_RUNNING,
    TASK_FAILED, // Only to be undone.
    TASK_WRITTEN,
    TASK_COMMITTED,
    TASK_OVER // Undone, or its inputs were removed.
};

struct compaction_task {
    struct env *env;
    struct compaction_task_options options; // Its inputs are the task's copy.
    size_t read_count;                      // Of the inputs; the others are only removed.
    struct uuid host_id;
    enum task_state state;
    struct arena arena;
    struct compaction_input input;
    struct scan_iterator *scan;           // Of the input, purged.
    struct partition_iterator *partition; // Of the scan, being written; or NULL.
    struct sstable_content content;       // Of each output.
    struct transaction_log log;
    bool has_log, is_undecided;
    struct sstable_writer *writer; // Of the present output, or NULL.
    struct output_sizes sizes;
    struct sstable_summary *outputs;
    uint16_t *output_levels;
    size_t output_count, output_capacity;
    struct compaction_progress progress;
    uint64_t finished_bytes; // Of the outputs that are done.
    struct error input_error;
};

struct compaction_task *compaction_task_create(struct env *env,
                                               const struct compaction_task_options *options)
{
    ASSERT(options->input_count > 0 && options->unread_count <= options->input_count);
    struct compaction_task *task = calloc(1, sizeof *task);
    ASSERT(task != NULL);
    task->env = env;
    task->options = *options;
    task->read_count = options->input_count - options->unread_count;
    arena_init(&task->arena, TASK_BLOCK_SIZE);
    table_ref(options->table);
    struct sstable_reader **inputs =
        ARENA_NEW_ARRAY(&task->arena, struct sstable_reader *, options->input_count);
    for (size_t i = 0; i < options->input_count; i++) {
        inputs[i] = options->inputs[i];
        sstable_ref(inputs[i]);
        if (i >= task->read_count) continue;
        task->progress.total_bytes += sstable_uncompressed_size(inputs[i]);
        task->sizes.input_size += sstable_data_size(inputs[i]);
    }
    task->sizes.size_max = options->output_size_max;
    task->sizes.fanout = options->level_fanout;
    task->sizes.is_split = options->split;
    task->sizes.level = options->level;
    task->options.inputs = inputs;
    task->options.directory = arena_copy_text(&task->arena, options->directory);
    if (options->host_id != NULL) {
        task->host_id = *options->host_id;
        task->options.host_id = &task->host_id;
    }
    return task;
}

void compaction_task_set_purge(struct compaction_task *task, const struct purge *purge)
{
    task->options.purge = *purge;
}

const struct compaction_progress *compaction_task_progress(const struct compaction_task *task)
{
    return &task->progress;
}

// ---- Outputs ------------------------------------------------------------------------------------

// An output is repaired if all that was read is, and as of the first of their repairs.
static int64_t repaired_at(const struct compaction_task *task)
{
    int64_t earliest = INT64_MAX;
    for (size_t i = 0; i < task->read_count; i++) {
        int64_t at = sstable_repaired_at(task->options.inputs[i]);
        if (at < earliest) earliest = at;
    }
    return earliest;
}

static enum status begin_log(struct compaction_task *task, struct error *error)
{
    if (task->has_log) return STATUS_OK;
    enum status status = transaction_log_begin(&task->log, task->env, task->options.directory,
                                               TRANSACTION_COMPACTION, error);
    task->has_log = status == STATUS_OK;
    return status;
}

static enum status begin_output(struct compaction_task *task, struct error *error)
{
    const struct compaction_task_options *options = &task->options;
    uint64_t generation = compaction_task_output_generation(task, task->output_count);
    if (generation > INT32_MAX)
        return error_set(error, STATUS_OVERLOADED, "%s: no more SSTables can be numbered",
                         options->directory);
    enum status status = begin_log(task, error);
    if (status != STATUS_OK) return status;
    struct sstable_content content = task->content;
    content.partition_count =
        (uint64_t)((double)content.partition_count * output_sizes_share(&task->sizes));
    if (content.partition_count == 0) content.partition_count = 1;
    const struct sstable_write_options write = {
        .directory = options->directory,
        .generation = generation,
        .table = options->table,
        .content = &content,
        .column_index_size = options->column_index_size,
        .host_id = options->host_id,
        .level = (uint16_t)task->sizes.level,
        .repaired_at = repaired_at(task),
        .with_table_compressor = options->with_table_compressor,
    };
    return sstable_writer_create(task->env, &write, &task->log, &task->writer, error);
}

static struct sstable_summary *next_output(struct compaction_task *task)
{
    if (task->output_count == task->output_capacity) {
        task->output_capacity = task->output_capacity == 0 ? 4 : 2 * task->output_capacity;
        task->outputs = realloc(task->outputs, task->output_capacity * sizeof *task->outputs);
        task->output_levels =
            realloc(task->output_levels, task->output_capacity * sizeof *task->output_levels);
        ASSERT(task->outputs != NULL && task->output_levels != NULL);
    }
    return &task->outputs[task->output_count];
}

static enum status finish_output(struct compaction_task *task, uint16_t level, struct error *error)
{
    struct sstable_summary *output = next_output(task);
    enum status status = sstable_writer_finish(task->writer, output, error);
    sstable_writer_destroy(task->writer);
    task->writer = NULL;
    if (status != STATUS_OK) return status;
    task->output_levels[task->output_count++] = level;
    task->finished_bytes += output->size;
    return STATUS_OK;
}

const struct sstable_summary *compaction_task_outputs(const struct compaction_task *task,
                                                      size_t *count)
{
    *count = task->output_count;
    return task->outputs;
}

uint64_t compaction_task_output_generation(const struct compaction_task *task, size_t index)
{
    return task->options.generation + index * task->options.generation_step;
}

uint16_t compaction_task_output_level(const struct compaction_task *task, size_t index)
{
    return task->output_levels[index];
}

// ---- Steps --------------------------------------------------------------------------------------

static enum status begin(struct compaction_task *task, struct error *error)
{
    const struct compaction_task_options *options = &task->options;
    enum status status = sstable_content_unite(options->inputs, task->read_count, options->table,
                                               &task->content, error);
    if (status != STATUS_OK) return status;
    compaction_input_init(&task->input, options->table, options->inputs, task->read_count,
                          &task->progress, &task->arena, &task->input_error);
    task->scan = purge_scan(&task->input.base, &task->options.purge, &task->arena);
    task->state = TASK_RUNNING;
    return STATUS_OK;
}

// Why the input ends. A pause is WOULD_BLOCK.
static enum status input_ended(struct compaction_task *task, enum status status,
                               struct error *error)
{
    if (status != STATUS_WOULD_BLOCK && status != STATUS_END && error != NULL)
        *error = task->input_error;
    return status;
}

static enum status begin_partition(struct compaction_task *task, struct error *error)
{
    enum status status = STATUS_OK;
    uint16_t level = (uint16_t)task->sizes.level;
    if (task->writer != NULL &&
        output_sizes_end(&task->sizes, sstable_writer_data_size(task->writer)))
        status = finish_output(task, level, error);
    if (status == STATUS_OK && task->writer == NULL) status = begin_output(task, error);
    if (status != STATUS_OK) return status;
    return sstable_writer_begin_partition(task->writer, task->partition, error);
}

static void close_partition(struct compaction_task *task)
{
    partition_iterator_close(task->partition);
    task->partition = NULL;
}

// To the end of the partition, or to a pause.
static enum status write_partition(struct compaction_task *task, struct error *error)
{
    struct unfiltered unfiltered;
    enum status status;
    while ((status = partition_iterator_next(task->partition, &unfiltered)) == STATUS_OK) {
        task->progress.rows_written += !unfiltered.is_marker;
        status = sstable_writer_put(task->writer, &unfiltered, error);
        if (status != STATUS_OK) return status;
    }
    if (status != STATUS_END) return input_ended(task, status, error);
    close_partition(task);
    task->progress.partitions_written++;
    return sstable_writer_end_partition(task->writer, error);
}

// WOULD_BLOCK at a pause, END when all partitions were written.
static enum status work(struct compaction_task *task, struct error *error)
{
    for (;;) {
        enum status status = STATUS_OK;
        if (task->partition == NULL) {
            status = scan_iterator_next(task->scan, &task->partition);
            if (status != STATUS_OK) return input_ended(task, status, error);
            status = begin_partition(task, error);
        }
        if (status == STATUS_OK) status = write_partition(task, error);
        if (status != STATUS_OK) return status;
    }
}

static void close_scan(struct compaction_task *task)
{
    close_partition(task);
    scan_iterator_close(task->scan);
    task->scan = NULL;
}

// Nothing is to be read at all.
static enum status discard(struct compaction_task *task, struct error *error)
{
    ASSERT(task->state == TASK_CREATED);
    enum status status = begin_log(task, error);
    if (status != STATUS_OK) return status;
    task->state = TASK_WRITTEN;
    return STATUS_END;
}

static enum status step(struct compaction_task *task, uint64_t bytes_max, struct error *error)
{
    enum status status = STATUS_OK;
    if (task->read_count == 0) return discard(task, error);
    if (task->state == TASK_CREATED) status = begin(task, error);
    if (status != STATUS_OK) return status;
    ASSERT(task->state == TASK_RUNNING);
    uint64_t pause_at = task->progress.read_bytes + (bytes_max == 0 ? 1 : bytes_max);
    task->input.pause_at = pause_at < bytes_max ? UINT64_MAX : pause_at;
    status = work(task, error);
    if (status == STATUS_WOULD_BLOCK) return STATUS_OK;
    if (status != STATUS_END) return status;
    close_scan(task);
    status = begin_log(task, error); // Of an SSTable that vanishes, too.
    if (status == STATUS_OK && task->writer != NULL)
        status = finish_output(task, (uint16_t)task->sizes.level, error);
    if (status != STATUS_OK) return status;
    task->state = TASK_WRITTEN;
    return STATUS_END;
}

enum status compaction_task_step(struct compaction_task *task, uint64_t bytes_max,
                                 struct error *error)
{
    enum status status = step(task, bytes_max, error);
    task->progress.written_bytes =
        task->finished_bytes + (task->writer == NULL ? 0 : sstable_writer_data_size(task->writer));
    if (status != STATUS_OK && status != STATUS_END) task->state = TASK_FAILED;
    return status;
}

// ---- The end ------------------------------------------------------------------------------------

enum status compaction_task_commit(struct compaction_task *task, struct error *error)
{
    ASSERT(task->state == TASK_WRITTEN);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < task->options.input_count && status == STATUS_OK; i++)
        status =
            transaction_log_remove(&task->log, sstable_reader_name(task->options.inputs[i]), error);
    if (status == STATUS_OK) status = transaction_log_commit(&task->log, error);
    task->state = status == STATUS_OK ? TASK_COMMITTED : TASK_FAILED;
    if (status != STATUS_OK) compaction_task_undo(task);
    return status;
}

bool compaction_task_is_undecided(const struct compaction_task *task)
{
    return task->is_undecided;
}

void compaction_task_remove_inputs(struct compaction_task *task)
{
    ASSERT(task->state == TASK_COMMITTED);
    (void)!transaction_log_finish(&task->log, NULL);
    task->has_log = false;
    task->state = TASK_OVER;
}

void compaction_task_undo(struct compaction_task *task)
{
    if (task->scan != NULL) close_scan(task);
    sstable_writer_destroy(task->writer);
    task->writer = NULL;
    if (task->has_log && task->state == TASK_COMMITTED) {
        transaction_log_leave(&task->log);
    } else if (task->has_log) {
        // What cannot be removed now, a recovery removes.
        (void)!transaction_log_undo(&task->log, &task->is_undecided, NULL);
    }
    task->has_log = false;
    task->state = TASK_OVER;
}

void compaction_task_abandon(struct compaction_task *task)
{
    if (task == NULL) return;
    if (task->has_log) transaction_log_leave(&task->log);
    task->has_log = false;
    compaction_task_destroy(task);
}

void compaction_task_destroy(struct compaction_task *task)
{
    if (task == NULL) return;
    compaction_task_undo(task);
    for (size_t i = 0; i < task->options.input_count; i++)
        sstable_unref(task->options.inputs[i]);
    table_unref(task->options.table);
    arena_deinit(&task->arena);
    free(task->outputs);
    free(task->output_levels);
    free(task);
}
