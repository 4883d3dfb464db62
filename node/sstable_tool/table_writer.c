#include "node/sstable_tool/table_writer.h"

#include "base/assert.h"
#include "base/limits.h"
#include "storage/compaction/compaction_task.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { STEP_SIZE = 64 * 1024 * 1024 };

static const struct clustering_range all_rows = {{BOUND_INCL_START, {0, NULL}},
                                                 {BOUND_INCL_END, {0, NULL}}};
static const struct partition_filter whole_partition = {
    .ranges = &all_rows, .range_count = 1, .with_static = true};

static enum status make_directory(struct table_writer *writer, const char *directory,
                                  struct arena *arena, struct error *error)
{
    enum status status = env_make_dir(writer->env, directory, error);
    if (status != STATUS_OK && status != STATUS_EXISTS) return status;
    // Cassandra's transaction logs have absolute paths in them.
    char *absolute = realpath(directory, NULL);
    if (absolute == NULL) return error_set(error, STATUS_IO, "%s: %s", directory, strerror(errno));
    writer->directory = arena_copy_text(arena, absolute);
    free(absolute);
    return STATUS_OK;
}

enum status table_writer_open(struct table_writer *writer, struct env *env,
                              const struct table *table, const char *directory, size_t memory_max,
                              struct arena *arena, struct error *error)
{
    *writer = (struct table_writer){
        .env = env, .table = table, .memory_max = memory_max, .next_generation = 1};
    enum status status = make_directory(writer, directory, arena, error);
    if (status == STATUS_OK)
        status = node_place_open(&writer->place, env, writer->directory, error);
    if (status != STATUS_OK) return status;
    struct sstable_listing listing;
    status = sstable_recover_directory(env, writer->directory, &listing, error);
    if (status != STATUS_OK) return status;
    uint64_t last = listing.count == 0 ? 0 : listing.generations[listing.count - 1];
    writer->next_generation = node_place_generation_behind(&writer->place, last);
    free(listing.generations);
    return STATUS_OK;
}

void table_writer_close(struct table_writer *writer)
{
    node_place_close(&writer->place);
    memtable_unref(writer->memtable);
    free(writer->generations);
}

static struct scan_iterator *scan_memtable(struct table_writer *writer, struct arena *arena)
{
    return memtable_scan(writer->memtable, writer->table, &SCAN_RANGE_ALL, &whole_partition, arena,
                         NULL);
}

static void add_written(struct table_writer *writer, uint64_t generation,
                        const struct sstable_summary *summary)
{
    if (writer->count == writer->capacity) {
        writer->capacity = writer->capacity == 0 ? 16 : 2 * writer->capacity;
        writer->generations =
            realloc(writer->generations, writer->capacity * sizeof *writer->generations);
        ASSERT(writer->generations != NULL);
    }
    writer->generations[writer->count++] = generation;
    writer->bytes += summary->size;
    writer->partitions += summary->partition_count;
}

static enum status flush(struct table_writer *writer, struct error *error)
{
    if (writer->memtable == NULL || memtable_partition_count(writer->memtable) == 0)
        return STATUS_OK;
    memtable_freeze(writer->memtable);
    struct arena arena;
    arena_init(&arena, 64 * KIB);
    struct sstable_content content;
    enum status status = sstable_content_gather(scan_memtable(writer, &arena), &content);
    ASSERT(status == STATUS_OK); // Memory alone.
    struct sstable_write_options options = {
        .directory = writer->directory,
        .generation = writer->next_generation,
        .table = writer->table,
        .content = &content,
        .with_table_compressor = true,
    };
    writer->next_generation = node_place_generation_behind(&writer->place, writer->next_generation);
    struct sstable_summary summary;
    status = sstable_write(writer->env, &options, scan_memtable(writer, &arena), &summary, error);
    if (status == STATUS_OK && summary.partition_count > 0)
        add_written(writer, options.generation, &summary);
    arena_deinit(&arena);
    memtable_unref(writer->memtable);
    writer->memtable = NULL;
    return status;
}

enum status table_writer_add(struct table_writer *writer, const struct mutation *mutation,
                             struct error *error)
{
    if (writer->memtable == NULL) writer->memtable = memtable_create(writer->table);
    (void)memtable_apply(writer->memtable, mutation, 0);
    return memtable_size(writer->memtable) < writer->memory_max ? STATUS_OK : flush(writer, error);
}

// ---- One of many --------------------------------------------------------------------------------

static enum status run_task(struct compaction_task *task, struct error *error)
{
    enum status status;
    do {
        status = compaction_task_step(task, STEP_SIZE, error);
    } while (status == STATUS_OK);
    if (status != STATUS_END) return status;
    status = compaction_task_commit(task, error);
    if (status == STATUS_OK) compaction_task_remove_inputs(task);
    return status;
}

static enum status merge(struct table_writer *writer, struct sstable_reader **readers,
                         struct error *error)
{
    size_t opened = 0, output_count;
    enum status status = STATUS_OK;
    while (opened < writer->count && status == STATUS_OK) {
        status = sstable_open(writer->env, writer->directory, writer->generations[opened],
                              writer->table, NULL, &readers[opened], error);
        if (status == STATUS_OK) opened++;
    }
    if (status == STATUS_OK) {
        struct compaction_task_options options = {
            .directory = writer->directory,
            .table = writer->table,
            .inputs = readers,
            .input_count = opened,
            .purge = {.gc_before = INT32_MIN, .memory_min_timestamp = INT64_MAX},
            .generation = writer->next_generation,
            .generation_step = 1,
            .with_table_compressor = true,
        };
        struct compaction_task *task = compaction_task_create(writer->env, &options);
        status = run_task(task, error);
        const struct sstable_summary *outputs = compaction_task_outputs(task, &output_count);
        if (status == STATUS_OK) {
            writer->count = 0;
            writer->bytes = writer->partitions = 0;
            for (size_t i = 0; i < output_count; i++)
                add_written(writer, compaction_task_output_generation(task, i), &outputs[i]);
        }
        compaction_task_destroy(task);
    }
    while (opened > 0)
        sstable_unref(readers[--opened]);
    return status;
}

enum status table_writer_finish(struct table_writer *writer, bool as_one, struct error *error)
{
    enum status status = flush(writer, error);
    if (status != STATUS_OK || !as_one || writer->count < 2) return status;
    struct sstable_reader **readers = calloc(writer->count, sizeof *readers);
    ASSERT(readers != NULL);
    status = merge(writer, readers, error);
    free(readers);
    return status;
}
