// helenus sstable verify: every byte of SSTables is looked at, and every fault told with its file
// and offset (org.apache.cassandra.tools.StandaloneVerifier, and more than that).
#include "node/commands.h"
#include "node/sstable_tool/sstable_tool.h"
#include "node/sstable_tool/tool_output.h"
#include "node/sstable_tool/tool_sstable.h"
#include "node/sstable_tool/verify_files.h"
#include "node/sstable_tool/verify_rows.h"

#include "base/env_uv.h"
#include "base/limits.h"
#include "storage/value.h"

#include <inttypes.h>

struct verify_options {
    bool quick, extended, verbose, json;
};

static const struct option_spec specs[] = {
    {"q,quick", OPTION_FLAG, offsetof(struct verify_options, quick), NULL,
     "Checksums alone: no row is decoded", 0, 0},
    {"e,extended", OPTION_FLAG, offsetof(struct verify_options, extended), NULL,
     "All checks, which is so anyway (as sstableverify's)", 0, 0},
    {"v,verbose", OPTION_FLAG, offsetof(struct verify_options, verbose), NULL,
     "Tells too what could not be checked", 0, 0},
    {"json", OPTION_FLAG, offsetof(struct verify_options, json), NULL,
     "One line of JSON for each SSTable", 0, 0},
};

static const struct command verify_command = {
    .name = "sstable verify",
    .usage = "[options] FILE|DIR...",
    .summary = "Looks for damage in SSTables: each byte, and whether their files fit together",
    .text =
        "Checksums of all chunks, Digest.crc32, TOC.txt; types, order and deletions of all rows;\n"
        "Index.db and its blocks against Data.db; Summary.db and Filter.db against Index.db; what\n"
        "Statistics.db says against what is there. Nothing is changed. Exit code 0: all is as it\n"
        "should be; 1: something is not, and the lines name files and offsets (of Data.db, when\n"
        "rows are meant: in the uncompressed bytes). For example:\n"
        "    helenus sstable verify data/ks/table-0123…",
    .specs = specs,
    .spec_count = sizeof specs / sizeof *specs,
    .operands_min = 1,
    .operands_max = SIZE_MAX,
};

struct verifying {
    const struct verify_options *options;
    struct env *env;
    struct tool_output output;
    size_t bad_count;
};

// ---- The output ---------------------------------------------------------------------------------

static void put_json_text(struct buffer *text, const char *string, size_t size)
{
    value_put_json(type_of_kind(TYPE_TEXT), slice_make(string, size), text);
}

// "FILE: offset N: what" becomes its three parts, as far as it has them.
static void put_json_fault(struct buffer *text, const char *fault)
{
    static const char mark[] = ": offset ";
    const char *offset = strstr(fault, mark);
    const char *what = offset == NULL ? NULL : strstr(offset + sizeof mark - 1, ": ");
    buffer_put_u8(text, '{');
    if (what != NULL) {
        buffer_put_format(text, "\"file\": ");
        put_json_text(text, fault, (size_t)(offset - fault));
        offset += sizeof mark - 1;
        buffer_put_format(text, ", \"offset\": %.*s, ", (int)(what - offset), offset);
        fault = what + 2;
    }
    buffer_put_format(text, "\"what\": ");
    put_json_text(text, fault, strlen(fault));
    buffer_put_u8(text, '}');
}

static void put_json(struct buffer *text, const struct verify_report *report)
{
    struct buffer name;
    buffer_init(&name, SSTABLE_PATH_SIZE);
    tool_input_put(report->input, &name);
    buffer_put_format(text, "{\"sstable\": ");
    put_json_text(text, (const char *)name.data, name.size);
    buffer_deinit(&name);
    buffer_put_format(text,
                      ", \"ok\": %s, \"partitions\": %" PRIu64 ", \"rows\": %" PRIu64
                      ", \"bytes\": %" PRIu64 ", \"faults\": [",
                      report->count == 0 ? "true" : "false", report->partitions, report->rows,
                      report->bytes);
    for (size_t i = 0; i < report->count; i++) {
        if (i > 0) buffer_put_format(text, ", ");
        put_json_fault(text, report->faults[i].text);
    }
    buffer_put_format(text, "], \"notes\": [");
    for (size_t i = 0; i < report->note_count; i++) {
        if (i > 0) buffer_put_format(text, ", ");
        put_json_text(text, report->notes[i], strlen(report->notes[i]));
    }
    buffer_put_format(text, "]}\n");
}

static void put_text(const struct verify_options *options, struct buffer *text,
                     const struct verify_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        buffer_put_format(text, "%s\n", report->faults[i].text);
    tool_input_put(report->input, text);
    if (report->count > 0)
        buffer_put_format(text, ": %s%zu fault%s\n", report->has_more ? "more than " : "",
                          report->count, report->count == 1 ? "" : "s");
    else if (options->quick)
        buffer_put_format(text, ": ok, %" PRIu64 " bytes; rows were not looked at\n",
                          report->bytes);
    else
        buffer_put_format(text,
                          ": ok, %" PRIu64 " partitions, %" PRIu64 " rows, %" PRIu64 " bytes\n",
                          report->partitions, report->rows, report->bytes);
    for (size_t i = 0; i < report->note_count && options->verbose; i++)
        buffer_put_format(text, "  %s\n", report->notes[i]);
}

// ---- One SSTable --------------------------------------------------------------------------------

// A damaged file is a fault of the SSTable; one that cannot be read at all is ours.
static bool is_damage(enum status status)
{
    return status == STATUS_CORRUPT || status == STATUS_UNSUPPORTED || status == STATUS_NOT_FOUND;
}

static enum status verify_contents(struct verifying *verifying, struct verify_report *report,
                                   struct verify_progress *progress, struct error *error)
{
    struct tool_sstable sstable;
    enum status status = tool_sstable_begin(&sstable, verifying->env, report->input, NULL, error);
    if (status != STATUS_OK) return status;
    if (!verifying->options->quick) {
        status = tool_sstable_open(&sstable, error);
        if (status == STATUS_OK) status = verify_rows(&sstable, report, progress, error);
    }
    tool_sstable_close(&sstable);
    return status;
}

static enum status verify_one(struct verifying *verifying, const struct tool_input *input,
                              struct error *error)
{
    struct verify_report report;
    struct verify_progress progress;
    verify_report_init(&report, input);
    verify_progress_begin(&progress, verifying->env);
    enum status status = verify_files(verifying->env, &report, &progress, error);
    if (status == STATUS_OK) status = verify_contents(verifying, &report, &progress, error);
    verify_progress_end(&progress);
    if (is_damage(status)) {
        // What is missing was told already.
        if (status != STATUS_NOT_FOUND || report.count == 0) verify_report_error(&report, error);
        status = STATUS_OK;
    }
    if (status == STATUS_OK) {
        if (report.count > 0) verifying->bad_count++;
        if (verifying->options->json)
            put_json(&verifying->output.text, &report);
        else
            put_text(verifying->options, &verifying->output.text, &report);
        status = tool_output_step(&verifying->output, error);
    }
    verify_report_deinit(&report);
    return status;
}

static enum status verify_all(struct verifying *verifying, const struct operands *operands,
                              struct error *error)
{
    struct arena arena;
    arena_init(&arena, 4 * KIB);
    struct tool_inputs inputs;
    enum status status =
        tool_inputs_find(verifying->env, operands->items, operands->count, &arena, &inputs, error);
    if (status == STATUS_OK)
        status = tool_output_begin(&verifying->output, verifying->env, NULL, error);
    if (status == STATUS_OK) {
        for (size_t i = 0; i < inputs.count && status == STATUS_OK; i++)
            status = verify_one(verifying, &inputs.items[i], error);
        status = tool_output_end(&verifying->output, status, error);
    }
    arena_deinit(&arena);
    return status;
}

static int run_verify(int argc, char **argv)
{
    struct verify_options options = {0};
    struct operands operands;
    int code = options_begin(&verify_command, argc, argv, &options, &operands);
    if (code >= 0) return code;
    struct verifying verifying = {.options = &options};
    struct error error;
    if (env_uv_create(&verifying.env, &error) != STATUS_OK)
        return command_fail(verify_command.name, &error);
    enum status status = verify_all(&verifying, &operands, &error);
    env_uv_destroy(verifying.env);
    if (status == STATUS_CLOSED) return EXIT_FAULT;
    if (status != STATUS_OK) return command_fail(verify_command.name, &error);
    return verifying.bad_count == 0 ? EXIT_OK : EXIT_FAULT;
}

const struct sstable_tool sstable_verify_tool = {&verify_command, run_verify};
