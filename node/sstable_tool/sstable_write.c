// helenus sstable write: SSTables made of rows, as CQLSSTableWriter makes them
// (org.apache.cassandra.io.sstable.CQLSSTableWriter).
#include "node/commands.h"
#include "node/sstable_tool/json_value.h"
#include "node/sstable_tool/record_reader.h"
#include "node/sstable_tool/row_builder.h"
#include "node/sstable_tool/schema_file.h"
#include "node/sstable_tool/sstable_tool.h"
#include "node/sstable_tool/table_writer.h"
#include "node/sstable_tool/text_value.h"
#include "storage/sstable/header_table.h"

#include "base/env_uv.h"
#include "base/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct write_options {
    const char *schema, *table, *format, *output, *columns, *counter_id, *null_text;
    int64_t timestamp, ttl, memory, now;
    bool counters, as_one, json;
};

static const struct option_spec specs[] = {
    {"schema", OPTION_TEXT, offsetof(struct write_options, schema), "FILE.cql",
     "Has the CREATE TABLE, and the CREATE TYPEs it needs", 0, 0},
    {"table", OPTION_TEXT, offsetof(struct write_options, table), "NAME",
     "Which table of that file, if it has several", 0, 0},
    {"format", OPTION_TEXT, offsetof(struct write_options, format), "csv|jsonl",
     "Of the input: CSV as cqlsh's COPY, or lines as SELECT JSON (csv)", 0, 0},
    {"o,output", OPTION_TEXT, offsetof(struct write_options, output), "DIR",
     "Where the SSTables go; is made if it is not there", 0, 0},
    {"columns", OPTION_TEXT, offsetof(struct write_options, columns), "NAME,NAME",
     "The columns of a CSV whose first line has no names", 0, 0},
    {"null", OPTION_TEXT, offsetof(struct write_options, null_text), "TEXT",
     "What a CSV has for null (nothing)", 0, 0},
    {"timestamp", OPTION_NUMBER, offsetof(struct write_options, timestamp), "MICROSECONDS",
     "Of all rows (the clock's, and each row one more than that before it)", INT64_MIN + 2,
     INT64_MAX},
    {"ttl", OPTION_NUMBER, offsetof(struct write_options, ttl), "SECONDS",
     "How long the rows live; 0: for ever (the table's default)", 0, 630720000},
    {"buffer", OPTION_NUMBER, offsetof(struct write_options, memory), "MIB",
     "Memory for sorting: one SSTable each time it is full (128)", 1, 65536},
    {"as-one", OPTION_FLAG, offsetof(struct write_options, as_one), NULL,
     "Merges the SSTables into one at the end", 0, 0},
    {"counters", OPTION_FLAG, offsetof(struct write_options, counters), NULL,
     "Takes counters: see above", 0, 0},
    {"counter-id", OPTION_TEXT, offsetof(struct write_options, counter_id), "UUID",
     "The id under which these counters count (a new one)", 0, 0},
    {"now", OPTION_NUMBER, offsetof(struct write_options, now), "SECONDS",
     "When it is, for times to live: seconds since 1970 (the clock's)", 0, INT32_MAX},
    {"json", OPTION_FLAG, offsetof(struct write_options, json), NULL,
     "Says what was written as JSON", 0, 0},
};

static const struct command write_command = {
    .name = "sstable write",
    .usage = "--schema FILE.cql --output DIR [options] [INPUT...]",
    .summary = "Makes SSTables of rows: CSV or JSON lines",
    .text =
        "INPUT is a file, or - for standard input, which is so without any. The rows may come in\n"
        "any order; of several with one key the last wins. What is null is not written. `nodetool\n"
        "import` or `sstableloader` of Cassandra takes the files as they are. For example:\n"
        "    helenus sstable write --schema t.cql --output ks/t rows.csv\n"
        "    helenus sstable export --format jsonl DIR |\n"
        "        helenus sstable write --schema t.cql --format jsonl --output ks/t\n"
        "Counters: an SSTable holds what somebody counted, and it is added to what others did.\n"
        "With --counters each value is written as the count of a new counter id: importing it\n"
        "adds to the counters that are there, and importing it twice does not add twice.",
    .specs = specs,
    .spec_count = sizeof specs / sizeof *specs,
    .operands_max = SIZE_MAX,
};

struct writing {
    const struct write_options *options;
    struct env *env;
    const struct table *table;
    struct table_writer writer;
    struct row_builder_options row;
    struct row_builder_values values;
    struct arena arena;           // Of one row.
    const struct column **header; // Of CSV: the column of each field.
    size_t header_count;
    uint64_t row_count;
    uint64_t begun_ns, shown_ns;
};

// ---- Columns ------------------------------------------------------------------------------------

static const struct column *find_column(const struct writing *writing, struct slice name)
{
    if (name.size >= 2 && name.data[0] == '"' && name.data[name.size - 1] == '"')
        name = slice_make(name.data + 1, name.size - 2);
    return table_find_column(writing->table, name);
}

static void clear_values(struct writing *writing)
{
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++)
        for (uint16_t i = 0; i < writing->table->column_counts[kind]; i++)
            writing->values.of_kind[kind][i] = slice_null();
}

// "FILE:LINE: column 'x': …"
static enum status blame(const struct record_reader *reader, const struct column *column,
                         enum status status, const struct error *cause, struct error *error)
{
    if (column == NULL)
        return error_set(error, status, "%s:%" PRIu64 ": %s", reader->path, reader->line,
                         cause->text);
    return error_set(error, status, "%s:%" PRIu64 ": column '%.*s': %s", reader->path, reader->line,
                     (int)(column->name.size > 100 ? 100 : column->name.size),
                     (const char *)column->name.data, cause->text);
}

// What a file could not hold, or no reader would take.
static enum status check_value(const struct column *column, struct slice value, struct error *cause)
{
    if (value.data == NULL) return STATUS_OK;
    bool is_counter = column->type->kind == TYPE_COUNTER;
    if (is_counter && value.size != 8)
        return error_set(cause, STATUS_INVALID, "a counter is a whole number");
    return is_counter ? STATUS_OK : type_validate(column->type, value, cause);
}

// ---- Rows ---------------------------------------------------------------------------------------

static void show_progress(struct writing *writing)
{
    if (writing->row_count % 4096 != 0 || isatty(STDERR_FILENO) != 1) return;
    uint64_t now = env_monotonic_ns(writing->env);
    if (now - writing->shown_ns < 1000000000ull) return;
    writing->shown_ns = now;
    double seconds = (double)(now - writing->begun_ns) / 1e9;
    (void)fprintf(stderr, "\r%" PRIu64 " rows, %.0f a second, %zu SSTables\033[K",
                  writing->row_count, (double)writing->row_count / seconds, writing->writer.count);
}

static enum status add_row(struct writing *writing, const struct record_reader *reader,
                           struct error *error)
{
    struct mutation mutation;
    struct error cause;
    enum status status =
        row_builder_make(&writing->row, &writing->values, &writing->arena, &mutation, &cause);
    if (status != STATUS_OK) return blame(reader, NULL, status, &cause, error);
    status = table_writer_add(&writing->writer, &mutation, error);
    if (status != STATUS_OK) return status;
    writing->row_count++;
    if (writing->options->timestamp == INT64_MIN) writing->row.timestamp++;
    show_progress(writing);
    return STATUS_OK;
}

static enum status add_json(struct writing *writing, struct record_reader *reader,
                            struct slice line, struct error *error)
{
    struct error cause;
    struct json_input input = {line.data, line.data + line.size, &writing->arena, &cause};
    struct slice name;
    enum status status = json_object_begin(&input);
    const struct column *column = NULL;
    for (bool is_first = true; status == STATUS_OK; is_first = false) {
        column = NULL;
        status = json_object_next(&input, is_first, &name);
        if (status != STATUS_OK) break;
        column = find_column(writing, name);
        if (column == NULL) {
            status = error_set(&cause, STATUS_INVALID, "the table has no column '%.*s'",
                               (int)(name.size > 100 ? 100 : name.size), (const char *)name.data);
            break;
        }
        struct slice *value = &writing->values.of_kind[column->kind][column->index];
        status = json_value_parse(&input, column->type, value);
        if (status == STATUS_OK) status = check_value(column, *value, &cause);
    }
    if (status == STATUS_END) status = json_input_end(&input);
    if (status != STATUS_OK) return blame(reader, column, status, &cause, error);
    return add_row(writing, reader, error);
}

static enum status add_fields(struct writing *writing, struct record_reader *reader,
                              struct error *error)
{
    struct error cause;
    if (reader->field_count != writing->header_count) {
        (void)error_set(&cause, STATUS_INVALID, "%zu fields; there are %zu columns",
                        reader->field_count, writing->header_count);
        return blame(reader, NULL, STATUS_INVALID, &cause, error);
    }
    for (size_t i = 0; i < reader->field_count; i++) {
        const struct column *column = writing->header[i];
        struct slice *value = &writing->values.of_kind[column->kind][column->index];
        if (reader->fields[i].data == NULL) continue;
        enum status status =
            text_value_parse(column->type, reader->fields[i], &writing->arena, value, &cause);
        if (status == STATUS_OK) status = check_value(column, *value, &cause);
        if (status != STATUS_OK) return blame(reader, column, status, &cause, error);
    }
    return add_row(writing, reader, error);
}

// ---- Inputs -------------------------------------------------------------------------------------

static enum status set_header(struct writing *writing, const struct record_reader *reader,
                              const struct slice *names, size_t count, struct arena *arena,
                              struct error *error)
{
    writing->header = ARENA_NEW_ARRAY(arena, const struct column *, count);
    writing->header_count = count;
    for (size_t i = 0; i < count; i++) {
        struct slice name = names[i].data == NULL ? slice_make("", 0) : names[i];
        writing->header[i] = find_column(writing, name);
        bool is_twice = false;
        for (size_t k = 0; k < i; k++)
            is_twice = is_twice || writing->header[k] == writing->header[i];
        if (writing->header[i] == NULL || is_twice)
            return error_set(error, STATUS_INVALID,
                             "%s:%" PRIu64 ": %s '%.*s'; the first line has to have the names of "
                             "the columns, or give them with --columns a,b,c",
                             reader->path, reader->line,
                             is_twice ? "two fields are column" : "the table has no column",
                             (int)(name.size > 100 ? 100 : name.size), (const char *)name.data);
    }
    return STATUS_OK;
}

static enum status read_header(struct writing *writing, struct record_reader *reader,
                               struct arena *arena, struct error *error)
{
    if (writing->options->columns != NULL) {
        struct slice names[TABLE_COLUMNS_MAX];
        size_t count =
            header_table_split_names(writing->options->columns, names, TABLE_COLUMNS_MAX);
        return set_header(writing, reader, names, count, arena, error);
    }
    enum status status = record_reader_fields(reader, error);
    if (status != STATUS_OK) return status;
    return set_header(writing, reader, reader->fields, reader->field_count, arena, error);
}

static enum status read_records(struct writing *writing, struct record_reader *reader, bool is_csv,
                                struct error *error)
{
    enum status status;
    struct slice line;
    while ((status = is_csv ? record_reader_fields(reader, error)
                            : record_reader_line(reader, &line, error)) == STATUS_OK) {
        arena_reset(&writing->arena);
        clear_values(writing);
        status =
            is_csv ? add_fields(writing, reader, error) : add_json(writing, reader, line, error);
        if (status != STATUS_OK) return status;
    }
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status read_input(struct writing *writing, const char *path, struct error *error)
{
    struct record_reader reader;
    enum status status = record_reader_open(&reader, writing->env, path, error);
    if (status != STATUS_OK) return status;
    bool is_csv = strcmp(writing->options->format, "csv") == 0;
    reader.null_text = slice_of_text(writing->options->null_text);
    struct arena arena;
    arena_init(&arena, 4 * KIB);
    if (is_csv) status = read_header(writing, &reader, &arena, error);
    if (status == STATUS_OK) status = read_records(writing, &reader, is_csv, error);
    arena_deinit(&arena);
    record_reader_close(&reader);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status read_inputs(struct writing *writing, const struct operands *operands,
                               struct error *error)
{
    if (operands->count == 0) return read_input(writing, "-", error);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < operands->count && status == STATUS_OK; i++)
        status = read_input(writing, operands->items[i], error);
    return status;
}

// ---- The whole ----------------------------------------------------------------------------------

static enum status set_row_options(struct writing *writing, struct error *error)
{
    const struct write_options *options = writing->options;
    struct row_builder_options *row = &writing->row;
    int64_t now_us = env_wall_us(writing->env);
    *row = (struct row_builder_options){
        .table = writing->table,
        .timestamp = options->timestamp == INT64_MIN ? now_us : options->timestamp,
        .now = (int32_t)(options->now >= 0 ? options->now : now_us / 1000000),
        .ttl =
            options->ttl >= 0 ? (int32_t)options->ttl : writing->table->params.default_time_to_live,
        .uuid_node = env_random_u64(writing->env) & 0xffffffffffffu,
    };
    if (row->ttl > LOCAL_TIME_MAX - row->now)
        return error_set(error, STATUS_INVALID,
                         "rows that live for %d seconds expire after 2038-01-19T03:14:06, which "
                         "files of version nb cannot say",
                         row->ttl);
    if (!writing->table->is_counter) return STATUS_OK;
    if (!options->counters)
        return error_set(error, STATUS_INVALID,
                         "table %.*s has counters, which Cassandra's own writer refuses; see "
                         "--help for what --counters makes of them",
                         (int)writing->table->name.size, (const char *)writing->table->name.data);
    if (row->ttl != 0) return error_set(error, STATUS_INVALID, "counters have no time to live");
    uint8_t random[16];
    env_random_bytes(writing->env, random, sizeof random);
    row->counter_id = uuid_make_random(random);
    row->has_counter_id = true;
    if (options->counter_id != NULL &&
        uuid_parse(slice_of_text(options->counter_id), &row->counter_id) != STATUS_OK)
        return error_set(error, STATUS_INVALID, "--counter-id is a UUID, not '%s'",
                         options->counter_id);
    return STATUS_OK;
}

static void print_written(const struct writing *writing)
{
    const struct table_writer *writer = &writing->writer;
    if (isatty(STDERR_FILENO) == 1) (void)fprintf(stderr, "\r\033[K");
    if (writing->options->json) {
        printf("{\"rows\": %" PRIu64 ", \"partitions\": %" PRIu64 ", \"bytes\": %" PRIu64
               ", \"sstables\": [",
               writing->row_count, writer->partitions, writer->bytes);
        for (size_t i = 0; i < writer->count; i++)
            printf("%s\"%s/nb-%" PRIu64 "-big-Data.db\"", i == 0 ? "" : ", ", writer->directory,
                   writer->generations[i]);
        printf("]}\n");
        return;
    }
    printf("%" PRIu64 " rows in %zu SSTable%s, %" PRIu64 " bytes\n", writing->row_count,
           writer->count, writer->count == 1 ? "" : "s", writer->bytes);
    for (size_t i = 0; i < writer->count; i++)
        printf("%s/nb-%" PRIu64 "-big-Data.db\n", writer->directory, writer->generations[i]);
}

static enum status write_rows(struct writing *writing, const struct operands *operands,
                              struct arena *arena, struct error *error)
{
    const struct write_options *options = writing->options;
    enum status status = set_row_options(writing, error);
    if (status != STATUS_OK) return status;
    for (int kind = 0; kind < COLUMN_KIND_COUNT; kind++)
        writing->values.of_kind[kind] =
            ARENA_NEW_ARRAY(arena, struct slice, writing->table->column_counts[kind] + 1u);
    status = table_writer_open(&writing->writer, writing->env, writing->table, options->output,
                               (size_t)options->memory * MIB, arena, error);
    if (status == STATUS_OK) status = read_inputs(writing, operands, error);
    if (status == STATUS_OK) status = table_writer_finish(&writing->writer, options->as_one, error);
    if (status == STATUS_OK) print_written(writing);
    table_writer_close(&writing->writer);
    return status;
}

static int fail_usage(const char *what)
{
    (void)fprintf(stderr, "helenus %s: %s; see 'helenus %s --help'\n", write_command.name, what,
                  write_command.name);
    return EXIT_USAGE;
}

static int run_write(int argc, char **argv)
{
    struct write_options options = {.format = "csv",
                                    .null_text = "",
                                    .timestamp = INT64_MIN,
                                    .ttl = -1,
                                    .memory = 128,
                                    .now = -1};
    struct operands operands;
    int code = options_begin(&write_command, argc, argv, &options, &operands);
    if (code >= 0) return code;
    if (options.schema == NULL) return fail_usage("--schema FILE.cql is missing");
    if (options.output == NULL) return fail_usage("--output DIR is missing");
    if (strcmp(options.format, "csv") != 0 && strcmp(options.format, "jsonl") != 0)
        return fail_usage("--format is csv or jsonl");
    struct writing writing = {.options = &options};
    struct error error;
    if (env_uv_create(&writing.env, &error) != STATUS_OK)
        return command_fail(write_command.name, &error);
    struct arena arena;
    arena_init(&arena, 16 * KIB);
    arena_init(&writing.arena, 64 * KIB);
    writing.begun_ns = writing.shown_ns = env_monotonic_ns(writing.env);
    enum status status =
        schema_file_read(writing.env, options.schema, options.table, &writing.table, &error);
    if (status == STATUS_OK) status = write_rows(&writing, &operands, &arena, &error);
    table_unref(writing.table);
    arena_deinit(&writing.arena);
    arena_deinit(&arena);
    env_uv_destroy(writing.env);
    return status == STATUS_OK ? EXIT_OK : command_fail(write_command.name, &error);
}

const struct sstable_tool sstable_write_tool = {&write_command, run_write};
