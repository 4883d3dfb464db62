#include "node/sstable_tool/tool_sstable.h"

#include "base/limits.h"
#include "storage/sstable/file_reader.h"

#include <stdlib.h>

static const struct partition_filter whole_partition = {
    .ranges = (const struct clustering_range[]){{{BOUND_INCL_START, {0, NULL}},
                                                 {BOUND_INCL_END, {0, NULL}}}},
    .range_count = 1,
    .with_static = true,
};

static enum status read_statistics(struct tool_sstable *sstable, struct error *error)
{
    char path[SSTABLE_PATH_SIZE];
    tool_input_path(path, sstable->input, SSTABLE_STATISTICS);
    struct slice file;
    enum status status =
        file_reader_read_file(sstable->env, path, COMPONENT_SIZE_MAX, &file, error);
    if (status == STATUS_NOT_FOUND)
        return error_set(error, status, "%s: no such file; an SSTable cannot be read without it",
                         path);
    if (status != STATUS_OK) return status;
    struct error cause = {0};
    status = statistics_full_decode(file, sstable->input->name.version == SSTABLE_OA,
                                    &sstable->arena, &sstable->statistics, &cause);
    free((void *)file.data);
    if (status != STATUS_OK) return error_set(error, status, "%s: %s", path, cause.text);
    return STATUS_OK;
}

enum status tool_sstable_begin(struct tool_sstable *sstable, struct env *env,
                               const struct tool_input *input,
                               const struct header_table_names *names, struct error *error)
{
    static const struct header_table_names usual = {
        .keyspace = {(const uint8_t *)"keyspace", 8},
        .table = {(const uint8_t *)"table", 5},
    };
    *sstable = (struct tool_sstable){.env = env, .input = input};
    arena_init(&sstable->arena, 16 * KIB);
    enum status status = read_statistics(sstable, error);
    struct error cause = {0};
    if (status == STATUS_OK) {
        status = header_table_make(&sstable->statistics.header, names == NULL ? &usual : names,
                                   &sstable->table, &cause);
        if (status != STATUS_OK) {
            char path[SSTABLE_PATH_SIZE];
            tool_input_path(path, input, SSTABLE_STATISTICS);
            (void)error_set(error, status, "%s: %s", path, cause.text);
        }
    }
    if (status != STATUS_OK) arena_deinit(&sstable->arena);
    return status;
}

enum status tool_sstable_open(struct tool_sstable *sstable, struct error *error)
{
    return sstable_open_named(sstable->env, sstable->input->directory, &sstable->input->name,
                              sstable->table, NULL, &sstable->reader, error);
}

void tool_sstable_close(struct tool_sstable *sstable)
{
    sstable_unref(sstable->reader);
    table_unref(sstable->table);
    arena_deinit(&sstable->arena);
}

enum status tool_sstable_scan(struct tool_sstable *sstable, const struct scan_range *range,
                              struct arena *arena, struct scan_iterator **scan, struct error *error)
{
    return sstable_scan(sstable->reader, sstable->table, range, &whole_partition, NULL, NULL, arena,
                        scan, error);
}

const struct type *const *tool_sstable_key_types(struct tool_sstable *sstable, size_t *count)
{
    const struct table *table = sstable->table;
    *count = table->column_counts[COLUMN_PARTITION_KEY];
    const struct type **types = ARENA_NEW_ARRAY(&sstable->arena, const struct type *, *count);
    for (size_t i = 0; i < *count; i++)
        types[i] = table->columns[COLUMN_PARTITION_KEY][i].type;
    return types;
}
