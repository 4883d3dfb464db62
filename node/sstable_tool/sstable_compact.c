// helenus sstable compact: several SSTables of a table become one, without a running node.
#include "node/commands.h"
#include "node/sstable_tool/node_place.h"
#include "node/sstable_tool/schema_file.h"
#include "node/sstable_tool/schema_guess.h"
#include "node/sstable_tool/sstable_tool.h"
#include "node/sstable_tool/tool_merge.h"
#include "node/sstable_tool/verify_progress.h"

#include "base/assert.h"
#include "base/env_uv.h"
#include "base/limits.h"
#include "storage/compaction/compaction_task.h"
#include "storage/merge/merge.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct compact_options {
    const char *output, *schema, *table;
    int64_t gc_grace, now;
    bool in_place, json;
};

static const struct option_spec specs[] = {
    {"o,output", OPTION_TEXT, offsetof(struct compact_options, output), "DIR",
     "Where the new SSTable goes; the old ones stay. Is made if it is not there", 0, 0},
    {"in-place", OPTION_FLAG, offsetof(struct compact_options, in_place), NULL,
     "The new SSTable takes the place of the old ones, in their directory", 0, 0},
    {"gc-grace", OPTION_NUMBER, offsetof(struct compact_options, gc_grace), "SECONDS",
     "Leaves out tombstones, and what has expired, older than this (all stay)", 0, INT32_MAX},
    {"schema", OPTION_TEXT, offsetof(struct compact_options, schema), "FILE.cql",
     "Takes the table from its CREATE TABLE: what it has no column for is left out", 0, 0},
    {"table", OPTION_TEXT, offsetof(struct compact_options, table), "NAME",
     "Which table of that file, if it has several", 0, 0},
    {"now", OPTION_NUMBER, offsetof(struct compact_options, now), "SECONDS",
     "When it is, for --gc-grace: seconds since 1970 (the clock's)", 0, INT32_MAX},
    {"json", OPTION_FLAG, offsetof(struct compact_options, json), NULL,
     "Says what was written as JSON", 0, 0},
};

static const struct command compact_command = {
    .name = "sstable compact",
    .usage = "--output DIR | --in-place [options] FILE|DIR...",
    .summary = "Merges SSTables of one table into one",
    .text =
        "Without --gc-grace nothing is forgotten: tombstones stay, whose rows may be elsewhere.\n"
        "With it, give all SSTables of the table, of a node that was drained before it stopped.\n"
        "In the directory of a node of ours --in-place is refused while the node runs; of a\n"
        "Cassandra you have to know that it does not. A crash at any moment leaves the old\n"
        "SSTables or the new one, as Cassandra's own transaction log has it. For example:\n"
        "    helenus sstable compact --output merged data/ks/t-0123…",
    .specs = specs,
    .spec_count = sizeof specs / sizeof *specs,
    .operands_min = 1,
    .operands_max = SIZE_MAX,
};

enum { STEP_SIZE = 16 * 1024 * 1024 };

struct compacting {
    const struct compact_options *options;
    struct env *env;
    struct arena arena;
    struct tool_inputs inputs;
    struct tool_merge merge;
    const struct table *table;
    struct purge purge;
    struct sstable_reader **others; // In the directory, but not to be compacted.
    size_t other_count;
    struct verify_progress progress;
    // What was made.
    char directory[SSTABLE_PATH_SIZE];
    uint64_t generation;
    struct sstable_summary written;
};

// ---- The table ----------------------------------------------------------------------------------

static void set_compression(struct table_params *params, const struct schema_guess *guess,
                            struct arena *arena)
{
    struct option *items = ARENA_NEW_ARRAY(arena, struct option, 2);
    if (guess->compressor == NULL) {
        items[0] = (struct option){slice_of_text("enabled"), slice_of_text("false")};
        params->compression = (struct options){items, 1};
        return;
    }
    items[0] = (struct option){slice_of_text("chunk_length_in_kb"),
                               slice_of_text(arena_format(arena, "%u", guess->chunk_size / 1024))};
    items[1] = (struct option){slice_of_text("class"), slice_of_text(guess->compressor)};
    params->compression = (struct options){items, 2};
}

// The table of the files, written again as the newest of them is.
static enum status table_of_files(struct compacting *compacting, struct error *error)
{
    const struct table *plain;
    enum status status =
        tool_merge_table(compacting->env, &compacting->inputs, NULL, &plain, error);
    if (status != STATUS_OK) return status;
    struct tool_sstable newest;
    struct schema_guess guess;
    status =
        tool_sstable_begin(&newest, compacting->env,
                           &compacting->inputs.items[compacting->inputs.count - 1], NULL, error);
    if (status == STATUS_OK) {
        schema_guess_init(&guess, &newest.arena);
        status = schema_guess_options(&guess, &newest, error);
        if (status == STATUS_OK) {
            struct table_builder *builder = table_builder_copy(plain);
            struct table_params *params = table_builder_params(builder);
            set_compression(params, &guess, table_builder_arena(builder));
            params->bloom_filter_fp_chance = guess.filter_chance;
            compacting->table = table_builder_finish(builder);
        }
        tool_sstable_close(&newest);
    }
    table_unref(plain);
    return status;
}

static enum status find_table(struct compacting *compacting, struct error *error)
{
    const struct compact_options *options = compacting->options;
    if (options->schema == NULL) return table_of_files(compacting, error);
    return schema_file_read(compacting->env, options->schema, options->table, &compacting->table,
                            error);
}

// ---- What else lies there -----------------------------------------------------------------------

static bool is_input(const struct compacting *compacting, const struct tool_input *input)
{
    for (size_t i = 0; i < compacting->inputs.count; i++)
        if (sstable_name_equals(&compacting->inputs.items[i].name, &input->name) &&
            strcmp(compacting->inputs.items[i].directory, input->directory) == 0)
            return true;
    return false;
}

// Tombstones must stay while an SSTable that is not compacted may have what they hide.
static enum status open_others(struct compacting *compacting, struct error *error)
{
    for (size_t i = 0; i < compacting->inputs.count; i++) {
        char *directory =
            arena_copy_text(&compacting->arena, compacting->inputs.items[i].directory);
        bool is_known = false;
        for (size_t k = 0; k < i; k++)
            is_known = is_known || strcmp(compacting->inputs.items[k].directory, directory) == 0;
        if (is_known) continue;
        struct tool_inputs all;
        struct error inner;
        enum status status = tool_inputs_find_beside(compacting->env, directory,
                                                     "leave --gc-grace out, or take that file away",
                                                     &compacting->arena, &all, &inner);
        if (status != STATUS_OK)
            return error_set(error, status, "--gc-grace has to know what else is there, but %.400s",
                             inner.text);
        compacting->others = realloc(compacting->others, (compacting->other_count + all.count) *
                                                             sizeof *compacting->others);
        ASSERT(compacting->others != NULL);
        for (size_t k = 0; k < all.count; k++) {
            if (is_input(compacting, &all.items[k])) continue;
            status = sstable_open_named(compacting->env, all.items[k].directory, &all.items[k].name,
                                        compacting->table, NULL,
                                        &compacting->others[compacting->other_count], error);
            if (status != STATUS_OK) return status;
            compacting->other_count++;
        }
    }
    return STATUS_OK;
}

static enum status set_purge(struct compacting *compacting, struct error *error)
{
    const struct compact_options *options = compacting->options;
    compacting->purge = (struct purge){.gc_before = INT32_MIN, .memory_min_timestamp = INT64_MAX};
    if (options->gc_grace < 0) return STATUS_OK;
    enum status status = open_others(compacting, error);
    int64_t now = options->now >= 0 ? options->now : env_wall_us(compacting->env) / 1000000;
    compacting->purge.now_s = (int32_t)now;
    compacting->purge.gc_before = (int32_t)(now - options->gc_grace);
    compacting->purge.others = compacting->others;
    compacting->purge.other_count = compacting->other_count;
    return status;
}

// ---- To another directory -----------------------------------------------------------------------

static enum status make_absolute(struct compacting *compacting, const char *directory,
                                 struct error *error)
{
    char *absolute = realpath(directory, NULL);
    if (absolute == NULL || strlen(absolute) >= sizeof compacting->directory) {
        free(absolute);
        return error_set(error, STATUS_IO, "%.400s: %s", directory, strerror(errno));
    }
    (void)snprintf(compacting->directory, sizeof compacting->directory, "%s", absolute);
    free(absolute);
    return STATUS_OK;
}

static enum status find_generation(struct compacting *compacting, const struct node_place *place,
                                   struct error *error)
{
    struct sstable_listing listing;
    enum status status =
        sstable_recover_directory(compacting->env, compacting->directory, &listing, error);
    if (status != STATUS_OK) return status;
    uint64_t last = listing.count == 0 ? 0 : listing.generations[listing.count - 1];
    compacting->generation = node_place_generation_behind(place, last);
    free(listing.generations);
    return STATUS_OK;
}

static enum status write_merged(struct compacting *compacting, struct error *error)
{
    struct tool_merge *merge = &compacting->merge;
    struct sstable_content content;
    // Says where, when a row can not be read later.
    struct error input_error = {0};
    enum status status =
        sstable_content_unite(merge->readers, merge->count, compacting->table, &content, error);
    if (status != STATUS_OK) return status;
    status = tool_merge_scan(merge, &input_error);
    if (status != STATUS_OK) {
        *error = input_error;
        return status;
    }
    struct sstable_write_options options = {
        .directory = compacting->directory,
        .generation = compacting->generation,
        .table = compacting->table,
        .content = &content,
        .with_table_compressor = true,
    };
    struct scan_iterator *scan = purge_scan(merge->scan, &compacting->purge, &merge->arena);
    merge->scan = NULL; // The write closes it.
    status = sstable_write(compacting->env, &options, scan, &compacting->written, error);
    if (status != STATUS_OK && input_error.text[0] != '\0') *error = input_error;
    return status;
}

// Makes the directory and takes its lock, if it has one.
static enum status open_output(struct compacting *compacting, struct node_place *place,
                               struct error *error)
{
    const char *output = compacting->options->output;
    enum status status = env_make_dir(compacting->env, output, error);
    if (status != STATUS_OK && status != STATUS_EXISTS) return status;
    status = make_absolute(compacting, output, error);
    if (status == STATUS_OK)
        status = node_place_open(place, compacting->env, compacting->directory, error);
    return status == STATUS_OK ? find_generation(compacting, place, error) : status;
}

// ---- In place -----------------------------------------------------------------------------------

static enum status run_steps(struct compacting *compacting, struct compaction_task *task,
                             struct error *error)
{
    enum status status;
    const struct compaction_progress *done = compaction_task_progress(task);
    while ((status = compaction_task_step(task, STEP_SIZE, error)) == STATUS_OK)
        verify_progress_step(&compacting->progress, "compacted", done->read_bytes,
                             done->total_bytes);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status commit(struct compacting *compacting, struct node_place *place,
                          struct compaction_task *task, struct error *error)
{
    size_t count;
    const struct sstable_summary *outputs = compaction_task_outputs(task, &count);
    struct manifest_entry entry = {0};
    if (count > 0) {
        compacting->written = outputs[0];
        compacting->generation = compaction_task_output_generation(task, 0);
        entry.generation = compacting->generation;
        entry.check = outputs[0].check;
    }
    uint64_t *inputs = ARENA_NEW_ARRAY(&compacting->arena, uint64_t, compacting->merge.count);
    for (size_t i = 0; i < compacting->merge.count; i++)
        inputs[i] = sstable_generation(compacting->merge.readers[i]);
    enum status status =
        node_place_prepare(place, &entry, count, inputs, compacting->merge.count, error);
    if (status != STATUS_OK) return status;
    status = compaction_task_commit(task, error);
    bool has_changed = status == STATUS_OK;
    if (has_changed) compaction_task_remove_inputs(task);
    struct error late;
    // When it is not known what holds, the manifest stays as it is: the node's start finds out.
    if (!compaction_task_is_undecided(task) &&
        node_place_settle(place, has_changed, &late) != STATUS_OK && status == STATUS_OK) {
        *error = late;
        status = late.status;
    }
    return status;
}

static enum status compact_locked(struct compacting *compacting, struct node_place *place,
                                  struct error *error)
{
    struct compaction_task_options options = {
        .directory = compacting->directory,
        .table = compacting->table,
        .inputs = compacting->merge.readers,
        .input_count = compacting->merge.count,
        .purge = compacting->purge,
        .generation = compacting->generation,
        .generation_step = 1,
        .with_table_compressor = true,
    };
    struct compaction_task *task = compaction_task_create(compacting->env, &options);
    enum status status = run_steps(compacting, task, error);
    if (status == STATUS_OK) status = commit(compacting, place, task, error);
    compaction_task_destroy(task);
    return status;
}

static enum status open_in_place(struct compacting *compacting, struct node_place *place,
                                 struct error *error)
{
    const struct tool_inputs *inputs = &compacting->inputs;
    for (size_t i = 1; i < inputs->count; i++)
        if (strcmp(inputs->items[i].directory, inputs->items[0].directory) != 0)
            return error_set(
                error, STATUS_INVALID,
                "--in-place takes SSTables of one directory, not of %.150s and %.150s; "
                "--output DIR takes those of several",
                inputs->items[0].directory, inputs->items[i].directory);
    enum status status = make_absolute(compacting, inputs->items[0].directory, error);
    if (status == STATUS_OK)
        status = node_place_open(place, compacting->env, compacting->directory, error);
    return status == STATUS_OK ? find_generation(compacting, place, error) : status;
}

// ---- The whole ----------------------------------------------------------------------------------

static enum status compact_inputs(struct compacting *compacting, struct node_place *place,
                                  struct error *error)
{
    enum status status = find_table(compacting, error);
    if (status != STATUS_OK) return status;
    status = tool_merge_open(&compacting->merge, compacting->env, &compacting->inputs,
                             compacting->table, error);
    if (status != STATUS_OK) return status;
    status = set_purge(compacting, error);
    if (status == STATUS_OK)
        status = compacting->options->in_place ? compact_locked(compacting, place, error)
                                               : write_merged(compacting, error);
    for (size_t i = 0; i < compacting->other_count; i++)
        sstable_unref(compacting->others[i]);
    free(compacting->others);
    tool_merge_close(&compacting->merge);
    return status;
}

// The lock comes before anything is opened, and so does the recovery of the directory, which may
// take files away: then the inputs are looked for again.
static enum status compact_all(struct compacting *compacting, const struct operands *operands,
                               struct error *error)
{
    struct node_place place = {.env = compacting->env};
    enum status status = tool_inputs_find(compacting->env, operands->items, operands->count,
                                          &compacting->arena, &compacting->inputs, error);
    if (status == STATUS_OK)
        status = compacting->options->in_place ? open_in_place(compacting, &place, error)
                                               : open_output(compacting, &place, error);
    if (status == STATUS_OK)
        status = tool_inputs_find(compacting->env, operands->items, operands->count,
                                  &compacting->arena, &compacting->inputs, error);
    if (status == STATUS_OK) status = compact_inputs(compacting, &place, error);
    node_place_close(&place);
    return status;
}

static void print_compacted(const struct compacting *compacting)
{
    const struct sstable_summary *written = &compacting->written;
    bool has_output = written->partition_count > 0;
    if (compacting->options->json) {
        printf("{\"inputs\": %zu, \"partitions\": %" PRIu64 ", \"rows\": %" PRIu64
               ", \"bytes\": %" PRIu64 ", \"sstables\": [",
               compacting->inputs.count, written->partition_count, written->row_count,
               written->size);
        if (has_output)
            printf("\"%s/nb-%" PRIu64 "-big-Data.db\"", compacting->directory,
                   compacting->generation);
        printf("]}\n");
        return;
    }
    printf("%zu SSTable%s: %" PRIu64 " partitions, %" PRIu64 " rows, %" PRIu64 " bytes are left\n",
           compacting->inputs.count, compacting->inputs.count == 1 ? "" : "s",
           written->partition_count, written->row_count, written->size);
    if (has_output)
        printf("%s/nb-%" PRIu64 "-big-Data.db\n", compacting->directory, compacting->generation);
}

static int run_compact(int argc, char **argv)
{
    struct compact_options options = {.gc_grace = -1, .now = -1};
    struct operands operands;
    int code = options_begin(&compact_command, argc, argv, &options, &operands);
    if (code >= 0) return code;
    if ((options.output == NULL) != options.in_place) {
        (void)fprintf(stderr, "helenus %s: say --output DIR or --in-place%s\n",
                      compact_command.name, options.in_place ? ", not both" : "");
        return EXIT_USAGE;
    }
    struct compacting compacting = {.options = &options};
    struct error error;
    if (env_uv_create(&compacting.env, &error) != STATUS_OK)
        return command_fail(compact_command.name, &error);
    arena_init(&compacting.arena, 4 * KIB);
    verify_progress_begin(&compacting.progress, compacting.env);
    enum status status = compact_all(&compacting, &operands, &error);
    verify_progress_end(&compacting.progress);
    if (status == STATUS_OK) print_compacted(&compacting);
    table_unref(compacting.table);
    arena_deinit(&compacting.arena);
    env_uv_destroy(compacting.env);
    return status == STATUS_OK ? EXIT_OK : command_fail(compact_command.name, &error);
}

const struct sstable_tool sstable_compact_tool = {&compact_command, run_compact};
