// helenus sstable metadata: what Statistics.db says of an SSTable, as Cassandra's sstablemetadata
// prints it.
#include "node/commands.h"
#include "node/sstable_tool/metadata_text.h"
#include "node/sstable_tool/sstable_tool.h"
#include "node/sstable_tool/tool_output.h"

#include "base/cursor.h"
#include "base/env_uv.h"
#include "base/limits.h"
#include "storage/sstable/file_reader.h"
#include "storage/sstable/summary.h"

#include <stdlib.h>

struct metadata_options {
    bool scan, json;
    int64_t gc_grace_seconds, now;
    const char *timestamp_unit;
};

static const struct option_spec specs[] = {
    {"s,scan", OPTION_FLAG, offsetof(struct metadata_options, scan), NULL,
     "Reads all rows too: counts them, and names the largest partitions", 0, 0},
    {"g,gc_grace_seconds", OPTION_NUMBER, offsetof(struct metadata_options, gc_grace_seconds),
     "SECONDS", "How long tombstones are kept, for the ratio of droppable ones (0)", 0, INT32_MAX},
    {"t,timestamp_unit", OPTION_TEXT, offsetof(struct metadata_options, timestamp_unit), "UNIT",
     "Of the cells' timestamps: NANOSECONDS, MICROSECONDS, MILLISECONDS, SECONDS", 0, 0},
    {"json", OPTION_FLAG, offsetof(struct metadata_options, json), NULL,
     "One line of JSON for each SSTable", 0, 0},
    {"now", OPTION_NUMBER, offsetof(struct metadata_options, now), "SECONDS",
     "When it is, for droppable tombstones: seconds since 1970 (the clock's)", 0, INT32_MAX},
};

static const struct command metadata_command = {
    .name = "sstable metadata",
    .usage = "[options] FILE|DIR...",
    .summary = "Prints what is known of SSTables without reading their rows",
    .text = "The lines are those of Cassandra's sstablemetadata; dates are in UTC. DIR is the\n"
            "directory of a table: all SSTables in it. For example:\n"
            "    helenus sstable metadata data/ks/table-0123…/nb-1-big-Data.db\n"
            "    helenus sstable metadata --json DIR | jq .total_rows",
    .specs = specs,
    .spec_count = sizeof specs / sizeof *specs,
    .operands_min = 1,
    .operands_max = SIZE_MAX,
};

// 0: no such unit.
static int64_t units_per_second(const char *name)
{
    static const struct {
        const char *name;
        int64_t per_second;
    } units[] = {{"NANOSECONDS", 1000000000},
                 {"MICROSECONDS", 1000000},
                 {"MILLISECONDS", 1000},
                 {"SECONDS", 1}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(units[i].name, name) == 0) return units[i].per_second;
    return 0;
}

// utf name of the class at the front of CompressionInfo.db, with its package.
static enum status find_compressor(struct tool_sstable *sstable, struct metadata_view *view,
                                   struct error *error)
{
    char path[SSTABLE_PATH_SIZE];
    tool_input_path(path, sstable->input, SSTABLE_COMPRESSION_INFO);
    struct slice file;
    enum status status =
        file_reader_read_file(sstable->env, path, COMPONENT_SIZE_MAX, &file, error);
    if (status == STATUS_NOT_FOUND) return STATUS_OK;
    if (status != STATUS_OK) return status;
    struct cursor cursor = cursor_make(file);
    struct slice name = cursor_take(&cursor, cursor_u16(&cursor));
    if (cursor.failed)
        status = error_set(error, STATUS_CORRUPT, "%s: offset 0: bad name of a compressor", path);
    else
        view->compressor = arena_format(
            &sstable->arena, "%s%.*s",
            memchr(name.data, '.', name.size) == NULL ? "org.apache.cassandra.io.compress." : "",
            (int)name.size, (const char *)name.data);
    free((void *)file.data);
    return status;
}

// From Summary.db; without one all is opened and Index.db is read.
static enum status find_keys(struct tool_sstable *sstable, struct metadata_view *view,
                             struct error *error)
{
    char path[SSTABLE_PATH_SIZE];
    tool_input_path(path, sstable->input, SSTABLE_SUMMARY);
    struct slice file;
    struct arena *arena = &sstable->arena;
    enum status status =
        file_reader_read_file(sstable->env, path, COMPONENT_SIZE_MAX, &file, error);
    if (status == STATUS_OK) {
        struct summary summary;
        summary_init(&summary, 128);
        status = summary_decode(&summary, file, UINT64_MAX);
        if (status == STATUS_OK) {
            view->first_key = partition_key_make(arena_copy(arena, summary.first.bytes));
            view->last_key = partition_key_make(arena_copy(arena, summary.last.bytes));
            view->has_keys = true;
        }
        summary_deinit(&summary);
        free((void *)file.data);
    }
    if (status == STATUS_OK) return STATUS_OK;
    if (sstable->reader == NULL) status = tool_sstable_open(sstable, error);
    if (sstable->reader == NULL) return status;
    view->first_key = sstable_first_key(sstable->reader);
    view->last_key = sstable_last_key(sstable->reader);
    view->has_keys = true;
    return STATUS_OK;
}

static enum status print_one(const struct metadata_options *options, struct tool_sstable *sstable,
                             struct tool_output *output, struct error *error)
{
    struct metadata_view view = {
        .sstable = sstable,
        .gc_before = options->now - options->gc_grace_seconds,
        .units_per_second = units_per_second(options->timestamp_unit),
    };
    struct metadata_scan scan = {0};
    view.key_types = tool_sstable_key_types(sstable, &view.key_type_count);
    enum status status = find_compressor(sstable, &view, error);
    if (status == STATUS_OK && options->scan) {
        status = tool_sstable_open(sstable, error);
        if (status == STATUS_OK) status = metadata_scan_run(&scan, sstable, error);
        view.scan = &scan;
    }
    if (status == STATUS_OK) status = find_keys(sstable, &view, error);
    if (status == STATUS_OK) {
        if (options->json)
            metadata_json_put(&view, &output->text);
        else
            metadata_text_put(&view, &output->text);
        status = tool_output_step(output, error);
    }
    metadata_scan_deinit(&scan);
    return status;
}

static enum status print_all(const struct metadata_options *options, struct env *env,
                             const struct operands *operands, struct error *error)
{
    struct arena arena;
    arena_init(&arena, 4 * KIB);
    struct tool_inputs inputs;
    struct tool_output output;
    enum status status =
        tool_inputs_find(env, operands->items, operands->count, &arena, &inputs, error);
    if (status == STATUS_OK) status = tool_output_begin(&output, env, NULL, error);
    if (status == STATUS_OK) {
        for (size_t i = 0; i < inputs.count && status == STATUS_OK; i++) {
            struct tool_sstable sstable;
            status = tool_sstable_begin(&sstable, env, &inputs.items[i], NULL, error);
            if (status != STATUS_OK) break;
            status = print_one(options, &sstable, &output, error);
            tool_sstable_close(&sstable);
        }
        status = tool_output_end(&output, status, error);
    }
    arena_deinit(&arena);
    return status;
}

static int run_metadata(int argc, char **argv)
{
    struct metadata_options options = {.now = -1, .timestamp_unit = "MICROSECONDS"};
    struct operands operands;
    int code = options_begin(&metadata_command, argc, argv, &options, &operands);
    if (code >= 0) return code;
    struct env *env;
    struct error error;
    if (units_per_second(options.timestamp_unit) == 0) {
        (void)error_set(&error, STATUS_INVALID,
                        "--timestamp_unit is NANOSECONDS, MICROSECONDS, MILLISECONDS or SECONDS, "
                        "not '%s'",
                        options.timestamp_unit);
        (void)command_fail(metadata_command.name, &error);
        return EXIT_USAGE;
    }
    if (env_uv_create(&env, &error) != STATUS_OK)
        return command_fail(metadata_command.name, &error);
    if (options.now < 0) options.now = env_wall_us(env) / 1000000;
    enum status status = print_all(&options, env, &operands, &error);
    env_uv_destroy(env);
    if (status == STATUS_CLOSED) return EXIT_FAULT;
    return status == STATUS_OK ? EXIT_OK : command_fail(metadata_command.name, &error);
}

const struct sstable_tool sstable_metadata_tool = {&metadata_command, run_metadata};
