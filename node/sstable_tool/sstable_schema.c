// helenus sstable schema: the CREATE TABLE that files are likely of, from Statistics.db alone.
#include "node/commands.h"
#include "node/sstable_tool/schema_guess.h"
#include "node/sstable_tool/sstable_tool.h"
#include "node/sstable_tool/table_place.h"
#include "node/sstable_tool/table_union.h"
#include "node/sstable_tool/tool_output.h"

#include "base/env_uv.h"
#include "base/limits.h"
#include "storage/value.h"

enum { KEY_NAMES_MAX = 256 };

struct schema_options {
    const char *keyspace, *table, *keys;
    bool with_id, json;
};

static const struct option_spec specs[] = {
    {"keyspace", OPTION_TEXT, offsetof(struct schema_options, keyspace), "NAME",
     "The keyspace (that of the directory or of its types, or ks)", 0, 0},
    {"table", OPTION_TEXT, offsetof(struct schema_options, table), "NAME",
     "The table (that of the directory, or t)", 0, 0},
    {"key", OPTION_TEXT, offsetof(struct schema_options, keys), "NAME,NAME",
     "Names of the key's columns, partition key first (key,key1,…,clustering,…)", 0, 0},
    {"with-id", OPTION_FLAG, offsetof(struct schema_options, with_id), NULL,
     "WITH ID = that of the directory, so that the files can be put back", 0, 0},
    {"json", OPTION_FLAG, offsetof(struct schema_options, json), NULL, "As JSON", 0, 0},
};

static const struct command schema_command = {
    .name = "sstable schema",
    .usage = "[options] FILE|DIR...",
    .summary = "Guesses the CREATE TABLE of SSTables, from the files alone",
    .text =
        "Names of key columns are not in the files, nor are columns that never had a value. Give\n"
        "all SSTables of the table to have the columns of all. For example:\n"
        "    helenus sstable schema data/ks/table-0123…\n"
        "    helenus sstable schema --key user,day DIR >table.cql   # PRIMARY KEY (user, day)",
    .specs = specs,
    .spec_count = sizeof specs / sizeof *specs,
    .operands_min = 1,
    .operands_max = SIZE_MAX,
};

static enum status read_all(struct env *env, const struct tool_inputs *inputs,
                            struct table_union *whole, struct schema_guess *guess,
                            struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < inputs->count && status == STATUS_OK; i++) {
        struct tool_sstable sstable;
        status = tool_sstable_begin(&sstable, env, &inputs->items[i], NULL, error);
        if (status != STATUS_OK) return status;
        status = table_union_add(whole, &sstable, error);
        if (status == STATUS_OK && i + 1 == inputs->count)
            status = schema_guess_options(guess, &sstable, error);
        tool_sstable_close(&sstable);
    }
    return status;
}

static enum status make_table(const struct schema_options *options, const struct table_place *place,
                              const struct table_union *whole, struct schema_guess *guess,
                              struct error *error)
{
    struct slice names[KEY_NAMES_MAX];
    size_t name_count = header_table_split_names(options->keys, names, KEY_NAMES_MAX);
    struct slice udt_keyspace = schema_guess_udt_keyspace(&whole->header);
    struct header_table_names all = {
        .keyspace = options->keyspace != NULL      ? slice_of_text(options->keyspace)
                    : place->keyspace.data != NULL ? place->keyspace
                    : udt_keyspace.data != NULL    ? udt_keyspace
                                                   : slice_of_text("ks"),
        .table = options->table != NULL      ? slice_of_text(options->table)
                 : place->table.data != NULL ? place->table
                                             : slice_of_text("t"),
        .keys = names,
        .key_count = name_count,
    };
    return header_table_make(&whole->header, &all, &guess->table, error);
}

static enum status print_schema(const struct schema_options *options, struct env *env,
                                const struct operands *operands, struct error *error)
{
    struct arena arena;
    arena_init(&arena, 4 * KIB);
    struct tool_inputs inputs;
    struct table_union whole;
    struct schema_guess guess;
    struct tool_output output;
    table_union_init(&whole);
    schema_guess_init(&guess, &arena);
    enum status status =
        tool_inputs_find(env, operands->items, operands->count, &arena, &inputs, error);
    if (status == STATUS_OK) status = read_all(env, &inputs, &whole, &guess, error);
    if (status == STATUS_OK) {
        struct table_place place = table_place_of(inputs.items[0].directory, &arena);
        guess.has_id = options->with_id && place.has_id;
        guess.id = place.id;
        if (options->with_id && !place.has_id)
            status = error_set(error, STATUS_INVALID,
                               "%s does not end in an id: leave out --with-id, or give the "
                               "directory as the node has it, table-<32 digits>",
                               inputs.items[0].directory);
        if (status == STATUS_OK) status = make_table(options, &place, &whole, &guess, error);
    }
    if (status == STATUS_OK) status = tool_output_begin(&output, env, NULL, error);
    if (status == STATUS_OK) {
        if (options->json)
            schema_guess_put_json(&guess, &output.text);
        else
            schema_guess_put(&guess, &output.text);
        status = tool_output_end(&output, status, error);
    }
    schema_guess_deinit(&guess);
    table_union_deinit(&whole);
    arena_deinit(&arena);
    return status;
}

static int run_schema(int argc, char **argv)
{
    struct schema_options options = {0};
    struct operands operands;
    int code = options_begin(&schema_command, argc, argv, &options, &operands);
    if (code >= 0) return code;
    struct env *env;
    struct error error;
    if (env_uv_create(&env, &error) != STATUS_OK) return command_fail(schema_command.name, &error);
    enum status status = print_schema(&options, env, &operands, &error);
    env_uv_destroy(env);
    if (status == STATUS_CLOSED) return EXIT_FAULT;
    return status == STATUS_OK ? EXIT_OK : command_fail(schema_command.name, &error);
}

const struct sstable_tool sstable_schema_tool = {&schema_command, run_schema};
