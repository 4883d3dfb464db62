// helenus sstable export: the rows of SSTables as a SELECT would see them, as CSV or JSON lines.
#include "node/commands.h"
#include "node/sstable_tool/row_text.h"
#include "node/sstable_tool/schema_file.h"
#include "node/sstable_tool/sstable_tool.h"
#include "node/sstable_tool/tool_merge.h"
#include "node/sstable_tool/tool_output.h"

#include "base/env_uv.h"
#include "base/limits.h"
#include "storage/partition_key.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct export_options {
    const char *format, *output, *keys, *schema, *table, *null_text;
    bool without_header;
    int64_t now;
};

static const struct option_spec specs[] = {
    {"format", OPTION_TEXT, offsetof(struct export_options, format), "csv|jsonl",
     "CSV as cqlsh's COPY, or lines as SELECT JSON (csv)", 0, 0},
    {"o,output", OPTION_TEXT, offsetof(struct export_options, output), "FILE",
     "Writes to a new file instead of standard output", 0, 0},
    {"key", OPTION_TEXT, offsetof(struct export_options, keys), "NAME,NAME",
     "Names of the key's columns, partition key first (key,key1,…,clustering,…)", 0, 0},
    {"schema", OPTION_TEXT, offsetof(struct export_options, schema), "FILE.cql",
     "Takes names and columns from its CREATE TABLE instead of the files", 0, 0},
    {"table", OPTION_TEXT, offsetof(struct export_options, table), "NAME",
     "Which table of that file, if it has several", 0, 0},
    {"null", OPTION_TEXT, offsetof(struct export_options, null_text), "TEXT",
     "What CSV has for null (nothing): with one, cqlsh tells it from an empty text", 0, 0},
    {"no-header", OPTION_FLAG, offsetof(struct export_options, without_header), NULL,
     "CSV without the line of names", 0, 0},
    {"now", OPTION_NUMBER, offsetof(struct export_options, now), "SECONDS",
     "When it is, for what has a time to live: seconds since 1970 (the clock's)", 0, INT32_MAX},
};

static const struct command export_command = {
    .name = "sstable export",
    .usage = "[options] FILE|DIR...",
    .summary = "Prints the live rows of SSTables as CSV or JSON lines",
    .text = "All SSTables that are given are read as one table: the newest value of each column,\n"
            "without what was deleted or has expired. Give all of a table to see what a SELECT\n"
            "sees. For example:\n"
            "    helenus sstable export --null null data/ks/users-0123… >users.csv\n"
            "    cqlsh -e \"COPY ks.users FROM 'users.csv' WITH HEADER = TRUE AND NULL = 'null'\"",
    .specs = specs,
    .spec_count = sizeof specs / sizeof *specs,
    .operands_min = 1,
    .operands_max = SIZE_MAX,
};

struct exporting {
    const struct export_options *options;
    struct env *env;
    struct row_text rows;
    struct tool_output output;
    uint64_t row_count;
};

static enum status export_partition(struct exporting *exporting,
                                    struct partition_iterator *partition, struct arena *arena,
                                    struct error *error)
{
    const struct table *table = partition->table;
    uint16_t key_count = table->column_counts[COLUMN_PARTITION_KEY];
    struct slice *key = ARENA_NEW_ARRAY(arena, struct slice, key_count);
    enum status status = partition_key_split(partition->key.bytes, key_count, key);
    if (status != STATUS_OK) {
        partition_iterator_close(partition);
        return error_set(error, status, "a partition key does not have %u values", key_count);
    }
    struct live_rows live;
    live_rows_init(&live, partition, (int32_t)exporting->options->now, arena);
    struct row_text_row row = {.key = key};
    uint64_t before = exporting->row_count;
    const struct live_row *next;
    while ((status = live_rows_next(&live, &next)) == STATUS_OK) {
        row.row = next;
        row.static_row = live.has_static_row ? &live.static_row : NULL;
        row_text_put(&exporting->rows, &row, &exporting->output.text);
        exporting->row_count++;
        status = tool_output_step(&exporting->output, error);
        if (status != STATUS_OK) break;
    }
    if (status == STATUS_END && exporting->row_count == before && live.has_static_row) {
        row.row = NULL;
        row.static_row = &live.static_row;
        row_text_put(&exporting->rows, &row, &exporting->output.text);
        exporting->row_count++;
    }
    live_rows_deinit(&live);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status export_rows(struct exporting *exporting, struct tool_merge *merge,
                               struct error *error)
{
    struct arena arena;
    arena_init(&arena, 64 * KIB);
    if (!exporting->options->without_header)
        row_text_put_header(&exporting->rows, &exporting->output.text);
    enum status status = tool_merge_scan(merge, error);
    struct partition_iterator *partition;
    while (status == STATUS_OK &&
           (status = scan_iterator_next(merge->scan, &partition)) == STATUS_OK) {
        status = export_partition(exporting, partition, &arena, error);
        arena_reset(&arena);
        if (status == STATUS_OK) status = tool_output_step(&exporting->output, error);
    }
    arena_deinit(&arena);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status find_table(struct exporting *exporting, const struct tool_inputs *inputs,
                              const struct table **table, struct error *error)
{
    const struct export_options *options = exporting->options;
    if (options->schema != NULL)
        return schema_file_read(exporting->env, options->schema, options->table, table, error);
    return tool_merge_table(exporting->env, inputs, options->keys, table, error);
}

static enum status export_all(struct exporting *exporting, enum row_format format,
                              const struct operands *operands, struct error *error)
{
    struct arena arena;
    arena_init(&arena, 4 * KIB);
    struct tool_inputs inputs;
    const struct table *table = NULL;
    struct tool_merge merge;
    enum status status =
        tool_inputs_find(exporting->env, operands->items, operands->count, &arena, &inputs, error);
    if (status == STATUS_OK) status = find_table(exporting, &inputs, &table, error);
    if (status == STATUS_OK) {
        status = tool_merge_open(&merge, exporting->env, &inputs, table, error);
        if (status == STATUS_OK) {
            row_text_init(&exporting->rows, format, table);
            exporting->rows.null_text = slice_of_text(exporting->options->null_text);
            status = tool_output_begin(&exporting->output, exporting->env,
                                       exporting->options->output, error);
            if (status == STATUS_OK) {
                status = export_rows(exporting, &merge, error);
                status = tool_output_end(&exporting->output, status, error);
            }
            row_text_deinit(&exporting->rows);
            tool_merge_close(&merge);
        }
    }
    table_unref(table);
    arena_deinit(&arena);
    return status;
}

static int run_export(int argc, char **argv)
{
    struct export_options options = {.format = "csv", .null_text = "", .now = -1};
    struct operands operands;
    int code = options_begin(&export_command, argc, argv, &options, &operands);
    if (code >= 0) return code;
    bool is_csv = strcmp(options.format, "csv") == 0;
    if (!is_csv && strcmp(options.format, "jsonl") != 0) {
        (void)fprintf(stderr, "helenus %s: --format is csv or jsonl, not '%s'\n",
                      export_command.name, options.format);
        return EXIT_USAGE;
    }
    struct exporting exporting = {.options = &options};
    struct error error;
    if (env_uv_create(&exporting.env, &error) != STATUS_OK)
        return command_fail(export_command.name, &error);
    if (options.now < 0) options.now = env_wall_us(exporting.env) / 1000000;
    enum status status = export_all(&exporting, is_csv ? ROW_CSV : ROW_JSON, &operands, &error);
    env_uv_destroy(exporting.env);
    if (status == STATUS_CLOSED) return EXIT_FAULT;
    if (status != STATUS_OK) return command_fail(export_command.name, &error);
    if (options.output != NULL && strcmp(options.output, "-") != 0)
        (void)fprintf(stderr, "%" PRIu64 " rows\n", exporting.row_count);
    return EXIT_OK;
}

const struct sstable_tool sstable_export_tool = {&export_command, run_export};
