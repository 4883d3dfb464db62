// helenus sstable dump: an SSTable as JSON, the same as Cassandra's sstabledump prints
// (org.apache.cassandra.tools.SSTableExport, JsonTransformer), but a counter has its true value and
// its shards.
#include "node/commands.h"
#include "node/sstable_tool/dump_writer.h"
#include "node/sstable_tool/sstable_tool.h"
#include "node/sstable_tool/tool_output.h"
#include "node/sstable_tool/tool_sstable.h"

#include "base/env_uv.h"
#include "base/limits.h"
#include "storage/partition_key.h"
#include "storage/value.h"

#include <stdlib.h>

struct dump_options {
    bool keys_only, internal, lines, raw_times;
    struct option_list keys, excluded;
    int64_t now;
};

static const struct option_spec specs[] = {
    {"d,internal", OPTION_FLAG, offsetof(struct dump_options, internal), NULL,
     "One line for each row, as Cassandra logs it", 0, 0},
    {"e,keys-only", OPTION_FLAG, offsetof(struct dump_options, keys_only), NULL,
     "The partition keys alone", 0, 0},
    {"k,key", OPTION_LIST, offsetof(struct dump_options, keys), "KEY",
     "Only these partitions; a key of several columns as a:b", 0, 0},
    {"x,exclude", OPTION_LIST, offsetof(struct dump_options, excluded), "KEY",
     "All partitions but these", 0, 0},
    {"l,lines", OPTION_FLAG, offsetof(struct dump_options, lines), NULL,
     "One line of JSON for each partition", 0, 0},
    {"t,raw-timestamps", OPTION_FLAG, offsetof(struct dump_options, raw_times), NULL,
     "Times as numbers instead of dates", 0, 0},
    {"now", OPTION_NUMBER, offsetof(struct dump_options, now), "SECONDS",
     "When it is, for \"expired\": seconds since 1970 (the clock's)", 0, INT32_MAX},
};

static const struct command dump_command = {
    .name = "sstable dump",
    .usage = "[options] FILE",
    .summary = "Prints an SSTable as JSON, as Cassandra's sstabledump does",
    .text =
        "FILE is the Data.db of an SSTable. What its table is called and how the columns of its\n"
        "keys are called is not in the files and not needed. For example:\n"
        "    helenus sstable dump data/ks/table-0123…/nb-1-big-Data.db\n"
        "    helenus sstable dump -l nb-1-big-Data.db | jq -c .partition",
    .specs = specs,
    .spec_count = sizeof specs / sizeof *specs,
    .operands_min = 1,
    .operands_max = 1,
};

struct dump {
    const struct dump_options *options;
    struct tool_sstable *sstable;
    struct tool_output output;
    struct dump_writer writer;
    struct partition_key *keys, *excluded;
    size_t key_count, excluded_count;
    struct arena arena;
};

// ---- Keys ---------------------------------------------------------------------------------------

// "a:b" for a key of two columns; "\:" is a colon inside of one (CompositeType.fromString).
static enum status parse_key(struct dump *dump, const char *text, struct partition_key *key,
                             struct error *error)
{
    size_t count;
    const struct type *const *types = tool_sstable_key_types(dump->sstable, &count);
    struct slice *values = ARENA_NEW_ARRAY(&dump->arena, struct slice, count);
    struct buffer part;
    buffer_init(&part, MIB);
    enum status status = STATUS_OK;
    size_t found = 0;
    for (const char *at = text;; at++) {
        bool is_end = *at == '\0';
        if (count > 1 && *at == '\\' && at[1] == ':') {
            at++;
        } else if (is_end || (count > 1 && *at == ':')) {
            if (found < count)
                status = value_from_text(types[found], buffer_slice(&part), &dump->arena,
                                         &values[found], error);
            found++;
            buffer_clear(&part);
            if (is_end || status != STATUS_OK) break;
            continue;
        }
        buffer_put_u8(&part, (uint8_t)*at);
    }
    buffer_deinit(&part);
    if (status == STATUS_OK && found != count)
        return error_set(error, STATUS_INVALID,
                         "the key '%s' has %zu values; the partition key has %zu columns, such as "
                         "a:b for two",
                         text, found, count);
    if (status == STATUS_OK) status = partition_key_build(values, count, &dump->arena, key, error);
    return status;
}

static int compare_keys(const void *a, const void *b)
{
    return partition_key_compare(a, b);
}

static enum status parse_keys(struct dump *dump, const struct option_list *list,
                              struct partition_key **keys, size_t *count, struct error *error)
{
    *keys = ARENA_NEW_ARRAY(&dump->arena, struct partition_key, list->count);
    *count = list->count;
    for (size_t i = 0; i < list->count; i++) {
        enum status status = parse_key(dump, list->items[i], &(*keys)[i], error);
        if (status != STATUS_OK) return status;
        (*keys)[i].bytes = arena_copy(&dump->arena, (*keys)[i].bytes);
    }
    if (*count > 0) qsort(*keys, *count, sizeof **keys, compare_keys);
    return STATUS_OK;
}

static bool is_excluded(const struct dump *dump, const struct partition_key *key)
{
    return dump->excluded_count > 0 && bsearch(key, dump->excluded, dump->excluded_count,
                                               sizeof *dump->excluded, compare_keys) != NULL;
}

// ---- The walk -----------------------------------------------------------------------------------

static enum status dump_range(struct dump *dump, const struct scan_range *range,
                              struct error *error)
{
    struct arena arena;
    arena_init(&arena, 64 * KIB);
    struct scan_iterator *scan = NULL;
    enum status status = tool_sstable_scan(dump->sstable, range, &arena, &scan, error);
    struct partition_iterator *partition;
    while (status == STATUS_OK && (status = scan_iterator_next(scan, &partition)) == STATUS_OK) {
        if (!is_excluded(dump, &partition->key)) {
            if (dump->options->keys_only)
                dump_writer_key(&dump->writer, partition->key.bytes);
            else
                status = dump_writer_partition(&dump->writer, partition, error);
        }
        partition_iterator_close(partition);
        if (status == STATUS_OK) status = tool_output_step(&dump->output, error);
    }
    scan_iterator_close(scan);
    arena_deinit(&arena);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status dump_ranges(struct dump *dump, struct error *error)
{
    if (dump->options->keys.count == 0) return dump_range(dump, &SCAN_RANGE_ALL, error);
    for (size_t i = 0; i < dump->key_count; i++) {
        if (i > 0 && partition_key_compare(&dump->keys[i], &dump->keys[i - 1]) == 0) continue;
        struct scan_bound bound = {dump->keys[i].token, dump->keys[i].bytes, true};
        struct scan_range range = {bound, bound};
        enum status status = dump_range(dump, &range, error);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

static enum status dump_all(struct dump *dump, struct error *error)
{
    const struct dump_options *options = dump->options;
    enum status status = tool_sstable_open(dump->sstable, error);
    if (status == STATUS_OK)
        status = parse_keys(dump, &options->keys, &dump->keys, &dump->key_count, error);
    if (status == STATUS_OK)
        status =
            parse_keys(dump, &options->excluded, &dump->excluded, &dump->excluded_count, error);
    if (status != STATUS_OK) return status;
    status = tool_output_begin(&dump->output, dump->sstable->env, NULL, error);
    if (status != STATUS_OK) return status;
    size_t key_columns;
    enum dump_form form = options->keys_only  ? DUMP_JSON
                          : options->internal ? DUMP_INTERNAL
                          : options->lines    ? DUMP_LINES
                                              : DUMP_JSON;
    struct dump_writer_options writer = {
        .form = form,
        .raw_times = options->raw_times,
        .now = options->now,
        .table = dump->sstable->table,
        .key_types = tool_sstable_key_types(dump->sstable, &key_columns),
        .output = &dump->output,
    };
    dump_writer_begin(&dump->writer, &writer);
    status = dump_ranges(dump, error);
    if (status == STATUS_OK) dump_writer_end(&dump->writer);
    return tool_output_end(&dump->output, status, error);
}

static int run_dump(int argc, char **argv)
{
    struct dump_options options = {.now = -1};
    struct operands operands;
    int code = options_begin(&dump_command, argc, argv, &options, &operands);
    if (code >= 0) return code;
    struct env *env;
    struct error error;
    if (env_uv_create(&env, &error) != STATUS_OK) return command_fail(dump_command.name, &error);
    if (options.now < 0) options.now = env_wall_us(env) / 1000000;
    struct tool_sstable sstable;
    struct tool_inputs inputs;
    struct dump dump = {.options = &options, .sstable = &sstable};
    arena_init(&dump.arena, 4 * KIB);
    enum status status =
        tool_inputs_find(env, operands.items, operands.count, &dump.arena, &inputs, &error);
    if (status == STATUS_OK && inputs.count > 1)
        status = error_set(&error, STATUS_INVALID, "%s has %zu SSTables: name the Data.db of one",
                           operands.items[0], inputs.count);
    if (status == STATUS_OK)
        status = tool_sstable_begin(&sstable, env, &inputs.items[0], NULL, &error);
    if (status == STATUS_OK) {
        status = dump_all(&dump, &error);
        tool_sstable_close(&sstable);
    }
    arena_deinit(&dump.arena);
    env_uv_destroy(env);
    if (status == STATUS_CLOSED) return EXIT_FAULT;
    return status == STATUS_OK ? EXIT_OK : command_fail(dump_command.name, &error);
}

const struct sstable_tool sstable_dump_tool = {&dump_command, run_dump};
